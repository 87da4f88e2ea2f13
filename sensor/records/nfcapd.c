/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/records/nfcapd.h"

#include "common/cursor.h"

enum {
    MAGIC = 0xa50c,
    VERSION = 2,
    FILE_HEAD = 40,
    BLOCK_HEAD = 12,
    BLOCK_MAX = 4 << 20, /* nfdump's own are of 1 to 2 MiB */
    DATA_BLOCK = 3,
    RECORD_V3 = 11,
    RECORD_HEAD = 12,
    EXT_HEAD = 4,
    EXT_FLOW = 1,
    EXT_IPV4 = 2,
    EXT_IPV6 = 3,
    EXT_COUNTS = 5, /* of the way back */
    EXT_VLAN = 6,
};

static uint64_t le64(struct lamp_cursor *c)
{
    const uint64_t low = lamp_cursor_le32(c);
    return low | (uint64_t)lamp_cursor_le32(c) << 32;
}

bool lamp_nfcapd_is(const uint8_t *head, size_t len)
{
    return len >= 4 && head[0] == (MAGIC & 0xff) && head[1] == MAGIC >> 8;
}

static struct lamp_addr ipv4(struct lamp_cursor *c)
{
    const uint32_t v = lamp_cursor_le32(c);
    const uint8_t b[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };
    return lamp_addr_from_v4(b);
}

static struct lamp_addr ipv6(struct lamp_cursor *c)
{
    struct lamp_addr a = { { 0 } };
    for (unsigned half = 0; half < 16; half += 8) {
        const uint64_t v = le64(c);
        for (unsigned i = 0; i < 8; i++)
            a.b[half + i] = (uint8_t)(v >> (56 - 8 * i));
    }
    return a;
}

/* Milliseconds, of which some exporters' are nonsense. */
static uint64_t time_us(struct lamp_cursor *c)
{
    const uint64_t ms = le64(c);
    return ms < UINT64_C(1) << 50 ? ms * 1000 : 0;
}

static void read_extension(unsigned kind, struct lamp_cursor *c, struct lamp_record *r,
                           bool *io_addr)
{
    switch (kind) {
    case EXT_FLOW:
        r->first_us = time_us(c);
        r->last_us = time_us(c);
        (void)le64(c); /* when it was received */
        r->packets[0] = le64(c);
        r->bytes[0] = le64(c);
        r->src_port = lamp_cursor_le16(c);
        r->dst_port = lamp_cursor_le16(c);
        r->ip_proto = lamp_cursor_u8(c);
        r->tcp_flags = lamp_cursor_u8(c);
        break;
    case EXT_IPV4:
        r->src = ipv4(c);
        r->dst = ipv4(c);
        *io_addr = !c->bad;
        break;
    case EXT_IPV6:
        r->src = ipv6(c);
        r->dst = ipv6(c);
        *io_addr = !c->bad;
        break;
    case EXT_COUNTS:
        (void)le64(c); /* flows that were added up */
        r->packets[1] = le64(c);
        r->bytes[1] = le64(c);
        break;
    case EXT_VLAN:
        r->vlan = (uint16_t)(lamp_cursor_le32(c) & 0xfff);
        break;
    default:
        break;
    }
}

/* A record of version 3 behind its type and size; false: nothing that can be used. */
static bool read_record(struct lamp_cursor c, struct lamp_record *out)
{
    struct lamp_record r = { .sampling = 1 };
    bool has_addr = false;
    const unsigned n = lamp_cursor_le16(&c);
    (void)lamp_cursor_skip(&c, RECORD_HEAD - 6); /* engine, exporter, flags, version */
    for (unsigned i = 0; i < n && !c.bad; i++) {
        const unsigned kind = lamp_cursor_le16(&c);
        const size_t len = lamp_cursor_le16(&c);
        const uint8_t *p = len >= EXT_HEAD ? lamp_cursor_take(&c, len - EXT_HEAD) : NULL;
        struct lamp_cursor ext = lamp_cursor_of(p, p ? len - EXT_HEAD : 0);
        if (!p)
            return false;
        read_extension(kind, &ext, &r, &has_addr);
        if (ext.bad)
            return false;
    }
    if (r.last_us < r.first_us)
        r.last_us = r.first_us;
    *out = r;
    return has_addr && r.first_us > 0 && lamp_record_is_plausible(&r) &&
           r.packets[0] + r.packets[1] > 0;
}

static bool read_block(struct lamp_cursor c, lamp_record_fn *fn, void *arg,
                       struct lamp_recordfile_counts *io)
{
    while (lamp_cursor_left(&c) >= 4) {
        const unsigned type = lamp_cursor_le16(&c);
        const size_t size = lamp_cursor_le16(&c);
        const uint8_t *p = size >= 4 ? lamp_cursor_take(&c, size - 4) : NULL;
        struct lamp_record r;
        if (!p)
            return false;
        if (type != RECORD_V3) {
            io->other++;
        } else if (read_record(lamp_cursor_of(p, size - 4), &r)) {
            io->records++;
            fn(&r, arg);
        } else {
            io->unusable++;
        }
    }
    return lamp_cursor_left(&c) == 0;
}

static int refuse(int err, const char *what, char why[LAMP_RECORDFILE_WHY])
{
    snprintf(why, LAMP_RECORDFILE_WHY, "%s", what);
    return err;
}

static int check_head(const uint8_t head[FILE_HEAD], uint32_t *out_blocks,
                      char why[LAMP_RECORDFILE_WHY])
{
    static const char *const packers[] = { "", "LZO", "bzip2", "LZ4", "zstd" };
    struct lamp_cursor c = lamp_cursor_of(head, FILE_HEAD);
    (void)lamp_cursor_le16(&c);
    const unsigned version = lamp_cursor_le16(&c);
    (void)lamp_cursor_skip(&c, 12); /* nfdump's version, time */
    const unsigned packed = lamp_cursor_u8(&c), encrypted = lamp_cursor_u8(&c);
    (void)lamp_cursor_skip(&c, 18); /* appendix, largest block */
    *out_blocks = lamp_cursor_le32(&c);
    if (version != VERSION)
        return refuse(LAMP_EUNSUPPORTED,
                      "an nfcapd file of another version than nfdump 1.7's: nfdump -r FILE -o csv "
                      "makes what can be read",
                      why);
    if (encrypted)
        return refuse(LAMP_EUNSUPPORTED, "an encrypted nfcapd file", why);
    if (packed) {
        snprintf(why, LAMP_RECORDFILE_WHY,
                 "an nfcapd file that is packed with %s: nfdump -r FILE -w OUT makes it plain",
                 packed < ARRAY_LEN(packers) ? packers[packed] : "something unknown");
        return LAMP_EUNSUPPORTED;
    }
    return LAMP_OK;
}

int lamp_nfcapd_read(FILE *f, lamp_record_fn *fn, void *arg, struct lamp_recordfile_counts *io,
                     char why[LAMP_RECORDFILE_WHY])
{
    uint8_t head[FILE_HEAD];
    uint32_t blocks;
    if (fread(head, 1, sizeof(head), f) != sizeof(head))
        return refuse(LAMP_ETRUNC, "the file ends within its head", why);
    int err = check_head(head, &blocks, why);
    if (err)
        return err;
    uint8_t *block = malloc(BLOCK_MAX);
    if (!block)
        return refuse(LAMP_ENOMEM, "out of memory", why);
    for (uint32_t i = 0; !err && i < blocks; i++) {
        uint8_t block_head[BLOCK_HEAD];
        struct lamp_cursor c = lamp_cursor_of(block_head, sizeof(block_head));
        if (fread(block_head, 1, sizeof(block_head), f) != sizeof(block_head)) {
            err = refuse(LAMP_ETRUNC, "the file ends before its last block", why);
            break;
        }
        (void)lamp_cursor_le32(&c); /* records */
        const size_t size = lamp_cursor_le32(&c);
        const unsigned type = lamp_cursor_le16(&c);
        if (size > BLOCK_MAX)
            err = refuse(LAMP_EFORMAT, "a block that is larger than any", why);
        else if (fread(block, 1, size, f) != size)
            err = refuse(LAMP_ETRUNC, "the file ends within a block", why);
        else if (type == DATA_BLOCK && !read_block(lamp_cursor_of(block, size), fn, arg, io))
            err = refuse(LAMP_EFORMAT, "a record that is longer than its block", why);
    }
    free(block);
    return err;
}
