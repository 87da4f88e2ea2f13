/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/source/records.h"

#include "common/min.h"
#include "sensor/source/pcapng.h"

#include <stdio.h>

enum {
    BUFFER = 512 << 10,   /* more than one packet of any size */
    READ = 256 << 10,     /* at once: what stays in a core's cache until it is worked on */
    HOME = BUFFER - READ, /* where in the buffer that goes, unless what is left needs the room */
    CACHE_LINE = 64,
    FILE_HEADER = 24,
    PACKET_HEADER = 16,
    MICRO = (int)0xa1b2c3d4,
    NANO = (int)0xa1b23c4d,
};

struct lamp_records {
    lamp_stream *in;
    const char *name;
    struct lamp_pcapng *ng; /* NULL: classic */
    int linktype;           /* classic: of all packets */
    bool swapped, nanoseconds;
    uint64_t offset;   /* in the stream, of buf[0]; modulo 2^64 */
    uint64_t skip;     /* bytes to pass over before the next block */
    size_t begin, end; /* of what is in buf and was not handed over */
    bool ended;        /* the stream has no more */
    bool over;         /* the end or damage was reported */
    int damage;        /* of the stream: told when all before it was handed over */
    const char *damage_what;
    uint64_t unknown; /* packets of a link type that is not known; the last such type */
    int unknown_linktype;
    uint8_t buf[BUFFER] __attribute__((aligned(CACHE_LINE)));
};

static uint32_t field(const uint8_t *p, bool swapped)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return swapped ? __builtin_bswap32(v) : v;
}

/* Reads on behind what is left, which is moved: frames lent before end here. What is read goes to
 * the same place each time, as what is left seldom needs more than the half before it: the kernel
 * copies to the start of a cache line, which takes it a fifth less than to any other byte. */
static void fill(lamp_records *r)
{
    const size_t left = r->end - r->begin, begin = left <= HOME ? HOME - left : 0;
    memmove(r->buf + begin, r->buf + r->begin, left);
    r->offset +=
        (uint64_t)r->begin - begin; /* may pass below 0 and back: only sums with a place count */
    r->begin = begin;
    r->end = begin + left;
    size_t n = 0;
    const size_t room = lamp_min(sizeof(r->buf) - r->end, (size_t)READ);
    r->damage = lamp_stream_read(r->in, r->buf + r->end, room, &n, &r->damage_what);
    r->end += n;
    r->ended = n == 0;
    const size_t skipped = (size_t)lamp_min_u64(r->skip, (uint64_t)(r->end - r->begin));
    r->begin += skipped;
    r->skip -= skipped;
}

static int too_short(const lamp_records *r, char why[LAMP_SOURCE_WHY])
{
    if (r->damage)
        return lamp_source_fail(r->damage, why, "%s: after %llu bytes: %s", r->name,
                                (unsigned long long)(r->offset + r->end), r->damage_what);
    return lamp_source_fail(LAMP_ETRUNC, why,
                            "%s: the file ends too early (cut short?): nothing after byte %llu",
                            r->name, (unsigned long long)(r->offset + r->end));
}

static int damaged(const lamp_records *r, const char *what, char why[LAMP_SOURCE_WHY])
{
    return lamp_source_fail(LAMP_EFORMAT, why, "%s: damaged capture file: at byte %llu: %s",
                            r->name, (unsigned long long)(r->offset + r->begin), what);
}

/* ---- the head ---- */

static int read_classic(lamp_records *r, char why[LAMP_SOURCE_WHY])
{
    const uint8_t *h = r->buf + r->begin;
    uint16_t major, minor;
    memcpy(&major, h + 4, sizeof(major));
    memcpy(&minor, h + 6, sizeof(minor));
    if (r->swapped) {
        major = __builtin_bswap16(major);
        minor = __builtin_bswap16(minor);
    }
    if (major != 2 || minor != 4)
        return lamp_source_fail(LAMP_EUNSUPPORTED, why, "%s: pcap version %u.%u is not supported",
                                r->name, major, minor);
    r->linktype = lamp_source_linktype((int)(field(h + 20, r->swapped) & 0xffff));
    r->begin += FILE_HEADER;
    return lamp_source_check_linktype(r->linktype, r->name, why);
}

static int read_head(lamp_records *r, char why[LAMP_SOURCE_WHY])
{
    while (r->end - r->begin < FILE_HEADER && !r->ended)
        fill(r);
    const uint8_t *h = r->buf + r->begin;
    const size_t there = r->end - r->begin;
    if (there >= 4 && lamp_pcapng_fits(h)) {
        r->ng = lamp_pcapng_new();
        return r->ng ? LAMP_OK
                     : lamp_source_fail(LAMP_ENOMEM, why, "%s: %s", r->name,
                                        lamp_strerror(LAMP_ENOMEM));
    }
    for (int swapped = 0; there >= 4 && swapped < 2; swapped++) {
        const uint32_t magic = field(h, swapped);
        if (magic != (uint32_t)MICRO && magic != (uint32_t)NANO)
            continue;
        r->swapped = swapped;
        r->nanoseconds = magic == (uint32_t)NANO;
        return there < FILE_HEADER ? too_short(r, why) : read_classic(r, why);
    }
    if (r->damage)
        return too_short(r, why);
    return lamp_source_fail(LAMP_EFORMAT, why, "%s: not a capture file (pcap or pcapng)", r->name);
}

int lamp_records_new(lamp_stream *in, const char *name, lamp_records **out,
                     char why[LAMP_SOURCE_WHY])
{
    lamp_records *r = aligned_alloc(CACHE_LINE, sizeof(*r));
    if (!r)
        return lamp_source_fail(LAMP_ENOMEM, why, "%s: %s", name, lamp_strerror(LAMP_ENOMEM));
    memset(r, 0, offsetof(lamp_records, buf)); /* the buffer is not worth the time */
    r->in = in;
    r->name = name;
    const int err = read_head(r, why);
    if (err) {
        lamp_records_free(r);
        return err;
    }
    *out = r;
    return LAMP_OK;
}

lamp_records *lamp_records_free(lamp_records *r)
{
    if (r)
        lamp_pcapng_free(r->ng);
    free(r);
    return NULL;
}

/* ---- packets ---- */

/* Takes whole packets out of the buffer, *io_n of them at most. LAMP_EAGAIN: the next is not all there. */
static inline int take_classic(lamp_records *r, bool swapped, struct lamp_frame *out, size_t *io_n,
                               const char **out_what)
{
    const uint8_t *h = r->buf + r->begin, *const end = r->buf + r->end;
    const bool nanoseconds = r->nanoseconds;
    const int linktype = r->linktype;
    const size_t max = *io_n;
    size_t n = 0;
    int err = LAMP_OK;
    for (; n < max; n++) {
        const size_t left = (size_t)(end - h);
        if (left < PACKET_HEADER) {
            err = LAMP_EAGAIN;
            break;
        }
        const uint32_t cap_len = field(h + 8, swapped);
        /* the snapshot length of the header is no limit: files in the wild exceed it */
        if (cap_len > LAMP_RECORDS_PACKET_MAX || left - PACKET_HEADER < cap_len) {
            err = cap_len > LAMP_RECORDS_PACKET_MAX ? LAMP_EFORMAT : LAMP_EAGAIN;
            break;
        }
        const uint32_t fraction = field(h + 4, swapped), len = field(h + 12, swapped);
        out[n].data = h + PACKET_HEADER;
        out[n].cap_len = cap_len;
        out[n].orig_len = len > cap_len ? len : cap_len;
        out[n].t_us =
            (uint64_t)field(h, swapped) * 1000000 + (nanoseconds ? fraction / 1000 : fraction);
        out[n].linktype = linktype;
        h += PACKET_HEADER + cap_len;
        __builtin_prefetch(h + 4 * (size_t)PACKET_HEADER);
    }
    if (err == LAMP_EFORMAT)
        *out_what = "a packet is longer than any can be";
    r->begin = (size_t)(h - r->buf);
    *io_n = n;
    return err;
}

/* The same for pcapng, whose blocks without a packet are passed by. */
static int take_block(lamp_records *r, struct lamp_frame *out, const char **out_what)
{
    for (;;) {
        struct lamp_pcapng_block b;
        const int err =
            lamp_pcapng_block(r->ng, r->buf + r->begin, r->end - r->begin, &b, out_what);
        if (err == LAMP_EAGAIN && b.len > sizeof(r->buf)) {
            if (!b.other) {
                *out_what = "a block of impossible length";
                return LAMP_EFORMAT;
            }
            /* nothing of ours can be that long; its end is not looked at */
            const size_t there = r->end - r->begin;
            r->skip = b.len - there;
            r->begin = r->end;
            return LAMP_EAGAIN;
        }
        if (err)
            return err;
        r->begin += b.len;
        if (!b.packet)
            continue;
        *out = b.frame;
        if (!lamp_linktype_known(out->linktype)) {
            r->unknown++;
            r->unknown_linktype = out->linktype;
        }
        return LAMP_OK;
    }
}

static int at_end(lamp_records *r, char why[LAMP_SOURCE_WHY])
{
    r->over = true;
    if (r->begin != r->end || r->skip > 0 || r->damage)
        return too_short(r, why);
    if (r->unknown == 0)
        return LAMP_ECLOSED;
    const int err = lamp_source_check_linktype(r->unknown_linktype, r->name, why);
    const size_t n = strlen(why);
    snprintf(why + n, LAMP_SOURCE_WHY - n, ": %llu packets not read",
             (unsigned long long)r->unknown);
    return err;
}

int lamp_records_read(lamp_records *r, struct lamp_frame *frames, size_t max, size_t *out_n,
                      char why[LAMP_SOURCE_WHY])
{
    if (r->over)
        return LAMP_ECLOSED;
    if (max == 0)
        return LAMP_EINVAL;
    for (;;) {
        const char *what = "";
        size_t n = 0;
        int err = LAMP_OK;
        if (r->ng) {
            while (n < max && !(err = take_block(r, &frames[n], &what)))
                n++;
        } else {
            n = max;
            err = r->swapped ? take_classic(r, true, frames, &n, &what)
                             : take_classic(r, false, frames, &n, &what);
        }
        if (n > 0) {
            *out_n = n;
            return LAMP_OK;
        }
        if (err != LAMP_EAGAIN) {
            r->over = true;
            return err == LAMP_EFORMAT ? damaged(r, what, why)
                                       : lamp_source_fail(err, why, "%s: %s", r->name, what);
        }
        if (r->ended)
            return at_end(r, why);
        fill(r);
    }
}
