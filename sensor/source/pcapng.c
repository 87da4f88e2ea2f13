/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/source/pcapng.h"

#include "sensor/source/impl.h"
#include "sensor/source/records.h"

enum {
    SECTION = 0x0a0d0d0a, /* reads the same in both byte orders */
    INTERFACE = 1,
    OLD_PACKET = 2,
    SIMPLE_PACKET = 3,
    PACKET = 6,
    ORDER_MAGIC = 0x1a2b3c4d,
    FRAME = 12, /* type and length before a body, length behind it */
    OPTION_RESOLUTION = 9,
    OPTION_OFFSET = 14,
    MICROSECONDS = 6, /* the resolution where none is given, as a power of ten */
    DECIMAL_MAX = 19, /* 10^19 < 2^64 */
    BINARY_MAX = 63,
};

struct interface {
    int linktype;
    uint32_t snaplen;
    uint64_t per_s; /* ticks of its clock in a second */
    int64_t offset_s;
};

struct lamp_pcapng {
    bool begun, swapped;
    struct interface *interfaces;
    size_t n_interfaces;
};

static uint32_t u32(const struct lamp_pcapng *ng, const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return ng->swapped ? __builtin_bswap32(v) : v;
}

static uint16_t u16(const struct lamp_pcapng *ng, const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof(v));
    return ng->swapped ? __builtin_bswap16(v) : v;
}

bool lamp_pcapng_fits(const uint8_t *head)
{
    uint32_t type;
    memcpy(&type, head, sizeof(type));
    return type == SECTION;
}

struct lamp_pcapng *lamp_pcapng_new(void)
{
    return calloc(1, sizeof(struct lamp_pcapng));
}

struct lamp_pcapng *lamp_pcapng_free(struct lamp_pcapng *ng)
{
    if (ng)
        free(ng->interfaces);
    free(ng);
    return NULL;
}

static int wrong(const char *what, const char **out_what)
{
    *out_what = what;
    return LAMP_EFORMAT;
}

/* ---- sections and interfaces ---- */

/* Sets the byte order of what follows; the length of the block is in it already. */
static int read_order(struct lamp_pcapng *ng, const uint8_t *block, const char **out_what)
{
    ng->swapped = false;
    if (u32(ng, block + 8) == ORDER_MAGIC)
        return LAMP_OK;
    ng->swapped = true;
    if (u32(ng, block + 8) == ORDER_MAGIC)
        return LAMP_OK;
    return wrong("a section without a known byte order", out_what);
}

static int read_section(struct lamp_pcapng *ng, const uint8_t *body, size_t len,
                        const char **out_what)
{
    if (len < 16)
        return wrong("a section block is too short", out_what);
    if (u16(ng, body + 4) != 1) {
        *out_what = "this version of pcapng is not supported";
        return LAMP_EUNSUPPORTED;
    }
    ng->begun = true;
    ng->n_interfaces = 0;
    return LAMP_OK;
}

/* Ticks a second of if_tsresol: a power of ten, or of two with the high bit set. */
static bool ticks(uint8_t resolution, uint64_t *out)
{
    const uint8_t power = resolution & 0x7f;
    if (resolution & 0x80) {
        *out = UINT64_C(1) << (power <= BINARY_MAX ? power : 0);
        return power <= BINARY_MAX;
    }
    *out = 1;
    for (uint8_t i = 0; i < power && i < DECIMAL_MAX; i++)
        *out *= 10;
    return power <= DECIMAL_MAX;
}

static int read_options(const struct lamp_pcapng *ng, const uint8_t *p, size_t left,
                        struct interface *i, const char **out_what)
{
    while (left >= 4) {
        const uint16_t code = u16(ng, p), len = u16(ng, p + 2);
        const size_t padded = (len + 3U) & ~3U;
        if (code == 0)
            return LAMP_OK;
        if (padded > left - 4)
            return wrong("an option is longer than its block", out_what);
        if (code == OPTION_RESOLUTION && len == 1 && !ticks(p[4], &i->per_s))
            return wrong("an interface with an impossible resolution of time", out_what);
        if (code == OPTION_OFFSET && len == 8) {
            uint64_t v;
            memcpy(&v, p + 4, sizeof(v));
            i->offset_s = (int64_t)(ng->swapped ? __builtin_bswap64(v) : v);
        }
        p += 4 + padded;
        left -= 4 + padded;
    }
    return LAMP_OK;
}

static int read_interface(struct lamp_pcapng *ng, const uint8_t *body, size_t len,
                          const char **out_what)
{
    if (len < 8)
        return wrong("an interface block is too short", out_what);
    if (ng->n_interfaces == LAMP_RECORDS_INTERFACES_MAX) {
        *out_what = "more than 4096 interfaces in a section";
        return LAMP_EFULL;
    }
    struct interface i = { .linktype = lamp_source_linktype(u16(ng, body)),
                           .snaplen = u32(ng, body + 4) };
    (void)ticks(MICROSECONDS, &i.per_s);
    if (i.snaplen == 0 || i.snaplen > LAMP_RECORDS_PACKET_MAX)
        i.snaplen = LAMP_RECORDS_PACKET_MAX;
    const int err = read_options(ng, body + 8, len - 8, &i, out_what);
    if (err)
        return err;
    struct interface *more =
        realloc(ng->interfaces, (ng->n_interfaces + 1) * sizeof(*ng->interfaces));
    if (!more) {
        *out_what = lamp_strerror(LAMP_ENOMEM);
        return LAMP_ENOMEM;
    }
    ng->interfaces = more;
    ng->interfaces[ng->n_interfaces++] = i;
    return LAMP_OK;
}

/* ---- packets ---- */

/* Microseconds since 1970; what is before, or too far off, is the nearest that we can say. */
static uint64_t time_of(const struct interface *i, uint64_t t)
{
    const int64_t max_s = INT64_C(1) << 40;
    const uint64_t whole = t / i->per_s, rest = t % i->per_s;
    const int64_t s = whole < (uint64_t)max_s ? (int64_t)whole : max_s;
    /* both below 2^41, so that the sum fits */
    const int64_t offset = i->offset_s > max_s    ? max_s
                           : i->offset_s < -max_s ? -max_s
                                                  : i->offset_s;
    if (s + offset < 0)
        return 0;
    const int64_t sum = s + offset < max_s ? s + offset : max_s;
    const long double us = (long double)rest * 1000000 / (long double)i->per_s;
    return (uint64_t)sum * 1000000 + (uint64_t)us;
}

/* A packet block (both kinds) or a simple one: how much of it is there. */
struct head {
    uint32_t interface, cap_len, len;
    uint64_t time;
    size_t size; /* of the fields before the data */
};

static bool read_packet_head(const struct lamp_pcapng *ng, uint32_t type, const uint8_t *body,
                             size_t len, struct head *out)
{
    if (type == SIMPLE_PACKET) {
        if (len < 4)
            return false;
        const uint32_t orig = u32(ng, body);
        const uint32_t snaplen = ng->n_interfaces ? ng->interfaces[0].snaplen : 0;
        *out = (struct head){ 0, orig < snaplen ? orig : snaplen, orig, 0, 4 };
        return true;
    }
    if (len < 20)
        return false;
    *out = (struct head){
        .interface = type == PACKET ? u32(ng, body) : u16(ng, body),
        .time = (uint64_t)u32(ng, body + 4) << 32 | u32(ng, body + 8),
        .cap_len = u32(ng, body + 12),
        .len = u32(ng, body + 16),
        .size = 20,
    };
    return true;
}

static int read_packet(const struct lamp_pcapng *ng, uint32_t type, const uint8_t *body, size_t len,
                       struct lamp_frame *out, const char **out_what)
{
    struct head h;
    if (!read_packet_head(ng, type, body, len, &h))
        return wrong("a packet block is too short", out_what);
    if (h.interface >= ng->n_interfaces)
        return wrong("a packet of an interface that the section does not have", out_what);
    const struct interface *i = &ng->interfaces[h.interface];
    if (h.cap_len > len - h.size)
        return wrong("a packet is longer than its block", out_what);
    if (h.cap_len > LAMP_RECORDS_PACKET_MAX)
        return wrong("a packet is longer than any can be", out_what);
    *out = (struct lamp_frame){
        .data = body + h.size,
        .cap_len = h.cap_len,
        .orig_len = h.len > h.cap_len ? h.len : h.cap_len,
        .t_us = time_of(i, h.time),
        .linktype = i->linktype,
    };
    return LAMP_OK;
}

int lamp_pcapng_block(struct lamp_pcapng *ng, const uint8_t *data, size_t left,
                      struct lamp_pcapng_block *out, const char **out_what)
{
    *out = (struct lamp_pcapng_block){ 0 };
    if (left < FRAME)
        return LAMP_EAGAIN;
    const uint32_t type = u32(ng, data);
    int err = type == SECTION ? read_order(ng, data, out_what) : LAMP_OK;
    if (err)
        return err;
    if (type != SECTION && !ng->begun)
        return wrong("no section begins here", out_what);
    const uint32_t len = u32(ng, data + 4);
    if (len < FRAME || len % 4 != 0)
        return wrong("a block of impossible length", out_what);
    const bool packet = type == PACKET || type == OLD_PACKET || type == SIMPLE_PACKET;
    out->len = len;
    out->other = !packet && type != SECTION && type != INTERFACE;
    if (left < len)
        return LAMP_EAGAIN;
    if (u32(ng, data + len - 4) != len)
        return wrong("a block whose two lengths differ", out_what);
    const uint8_t *body = data + 8;
    out->packet = packet;
    if (packet)
        return read_packet(ng, type, body, len - FRAME, &out->frame, out_what);
    if (type == SECTION)
        return read_section(ng, body, len - FRAME, out_what);
    if (type == INTERFACE)
        return read_interface(ng, body, len - FRAME, out_what);
    return LAMP_OK;
}
