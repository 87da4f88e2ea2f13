/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/capfile.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>

enum {
    PROTO_TCP = 6,
    PROTO_UDP = 17,
    FIN = 0x01,
    SYN = 0x02,
    RST = 0x04,
    PSH = 0x08,
    ACK = 0x10,
    HEADERS_MAX = 14 + 4 * LAMP_CAPFILE_VLANS + 40 + 24,
    RETRANSMIT_AFTER_US = 210000,
    SEGMENT_GAP_US = 40,
};

struct frame {
    uint64_t t_us;
    size_t order;
    uint8_t *data;
    uint32_t len;
};

struct lamp_capfile {
    struct frame *frames;
    size_t n, cap;
};

int lamp_capfile_new(lamp_capfile **out)
{
    lamp_capfile *c = calloc(1, sizeof(*c));
    if (!c)
        return LAMP_ENOMEM;
    *out = c;
    return LAMP_OK;
}

lamp_capfile *lamp_capfile_free(lamp_capfile *c)
{
    if (!c)
        return NULL;
    for (size_t i = 0; i < c->n; i++)
        free(c->frames[i].data);
    free(c->frames);
    free(c);
    return NULL;
}

int lamp_capfile_add(lamp_capfile *c, uint64_t t_us, const uint8_t *data, size_t len)
{
    if (c->n == LAMP_CAPFILE_FRAMES || len > LAMP_CAPFILE_FRAME_BYTES)
        return LAMP_EFULL;
    if (c->n == c->cap) {
        const size_t cap = c->cap ? 2 * c->cap : 256;
        struct frame *more = realloc(c->frames, cap * sizeof(*more));
        if (!more)
            return LAMP_ENOMEM;
        c->frames = more;
        c->cap = cap;
    }
    uint8_t *copy = malloc(len);
    if (!copy)
        return LAMP_ENOMEM;
    memcpy(copy, data, len);
    c->frames[c->n] = (struct frame){ t_us, c->n, copy, (uint32_t)len };
    c->n++;
    return LAMP_OK;
}

size_t lamp_capfile_frames(const lamp_capfile *c)
{
    return c->n;
}

static int by_time(const void *a, const void *b)
{
    const struct frame *x = a, *y = b;
    if (x->t_us != y->t_us)
        return x->t_us < y->t_us ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

int lamp_capfile_save(lamp_capfile *c, const char *path)
{
    if (c->n)
        qsort(c->frames, c->n, sizeof(*c->frames), by_time);
    FILE *f = fopen(path, "wbe");
    if (!f)
        return -errno;
    /* Magic, version 2.4, zone, accuracy, snapshot length, link type 1 (Ethernet); the same bytes on any
     * machine. */
    const uint32_t header[6] = {
        htole32(0xa1b2c3d4), htole32(2 | 4 << 16), 0, 0, htole32(262144), htole32(1),
    };
    bool ok = fwrite(header, sizeof(header), 1, f) == 1;
    for (size_t i = 0; ok && i < c->n; i++) {
        const struct frame *fr = &c->frames[i];
        const uint32_t record[4] = {
            htole32((uint32_t)(fr->t_us / 1000000)),
            htole32((uint32_t)(fr->t_us % 1000000)),
            htole32(fr->len),
            htole32(fr->len),
        };
        ok = fwrite(record, sizeof(record), 1, f) == 1 && fwrite(fr->data, fr->len, 1, f) == 1;
    }
    if (!ok) {
        const int err = errno ? -errno : LAMP_EIO;
        fclose(f);
        return err;
    }
    return fclose(f) == 0 ? LAMP_OK : -errno;
}

/* A frame under construction. */
struct builder {
    uint8_t b[LAMP_CAPFILE_FRAME_BYTES];
    size_t len;
};

static void put(struct builder *m, const void *data, size_t len)
{
    if (len)
        memcpy(m->b + m->len, data, len);
    m->len += len;
}

static void put8(struct builder *m, unsigned v)
{
    m->b[m->len++] = (uint8_t)v;
}

static void put16(struct builder *m, unsigned v)
{
    put8(m, v >> 8);
    put8(m, v & 0xff);
}

static void put32(struct builder *m, uint32_t v)
{
    put16(m, v >> 16);
    put16(m, v & 0xffff);
}

static void patch16(struct builder *m, size_t at, unsigned v)
{
    m->b[at] = (uint8_t)(v >> 8);
    m->b[at + 1] = (uint8_t)v;
}

/* The Internet checksum's running sum (RFC 1071). */
static uint32_t sum16(const uint8_t *p, size_t len, uint32_t sum)
{
    for (size_t i = 0; i + 1 < len; i += 2)
        sum += (uint32_t)(p[i] << 8 | p[i + 1]);
    if (len % 2)
        sum += (uint32_t)p[len - 1] << 8;
    return sum;
}

static unsigned fold(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return ~sum & 0xffff;
}

/* Locally administered addresses: the client's side ends in 01, the server's in 02. */
static void put_ethernet(struct builder *m, const struct lamp_capflow_cfg *cfg,
                         enum lamp_capflow_dir dir, bool v4)
{
    static const uint8_t mac[2][6] = { { 2, 0, 0, 0, 0, 1 }, { 2, 0, 0, 0, 0, 2 } };
    put(m, mac[dir == LAMP_CAPFLOW_UP], 6);
    put(m, mac[dir == LAMP_CAPFLOW_DOWN], 6);
    for (unsigned i = 0; i < cfg->n_vlans; i++) {
        put16(m, i + 1 < cfg->n_vlans ? 0x88a8 : 0x8100);
        put16(m, cfg->vlans[i] & 0x0fff);
    }
    put16(m, v4 ? 0x0800 : 0x86dd);
}

static void put_ip(struct builder *m, const struct lamp_addr *src, const struct lamp_addr *dst,
                   unsigned proto, size_t payload_len, uint16_t ip_id)
{
    const size_t at = m->len;
    if (!lamp_addr_is_v4(src)) {
        put32(m, 6u << 28);
        put16(m, (unsigned)payload_len);
        put8(m, proto);
        put8(m, 63);
        put(m, src->b, 16);
        put(m, dst->b, 16);
        return;
    }
    put16(m, 0x4500);
    put16(m, (unsigned)(20 + payload_len));
    put16(m, ip_id);
    put16(m, 0x4000); /* do not fragment */
    put8(m, 63);
    put8(m, proto);
    put16(m, 0);
    put(m, src->b + 12, 4);
    put(m, dst->b + 12, 4);
    patch16(m, at + 10, fold(sum16(m->b + at, 20, 0)));
}

/* The checksum over pseudo header and transport bytes from `at` to the end. */
static unsigned transport_sum(const struct builder *m, size_t at, const struct lamp_addr *src,
                              const struct lamp_addr *dst, unsigned proto)
{
    const size_t skip = lamp_addr_is_v4(src) ? 12 : 0;
    uint32_t sum = sum16(src->b + skip, 16 - skip, proto + (uint32_t)(m->len - at));
    sum = sum16(dst->b + skip, 16 - skip, sum);
    return fold(sum16(m->b + at, m->len - at, sum));
}

static int emit(struct lamp_capflow *f, enum lamp_capflow_dir dir, uint64_t t_us,
                const struct builder *m)
{
    if (dir == LAMP_CAPFLOW_UP ? f->cfg.hide_up : f->cfg.hide_down)
        return LAMP_OK;
    const int err = lamp_capfile_add(f->file, t_us, m->b, m->len);
    if (err)
        return err;
    f->packets[dir]++;
    f->bytes[dir] += m->len;
    if (!f->first_us || t_us < f->first_us)
        f->first_us = t_us;
    if (t_us > f->last_us)
        f->last_us = t_us;
    return LAMP_OK;
}

struct segment {
    enum lamp_capflow_dir dir;
    unsigned flags;
    uint32_t seq, ack;
    const uint8_t *data;
    size_t len;
};

static int tcp(struct lamp_capflow *f, uint64_t t_us, const struct segment *s)
{
    const bool up = s->dir == LAMP_CAPFLOW_UP;
    const struct lamp_addr *src = up ? &f->cfg.client : &f->cfg.server;
    const struct lamp_addr *dst = up ? &f->cfg.server : &f->cfg.client;
    const size_t options = s->flags & SYN ? 4 : 0;
    struct builder m = { .len = 0 };

    put_ethernet(&m, &f->cfg, s->dir, lamp_addr_is_v4(src));
    put_ip(&m, src, dst, PROTO_TCP, 20 + options + s->len, f->ip_id[s->dir]++);
    const size_t at = m.len;
    put16(&m, up ? f->cfg.client_port : f->cfg.server_port);
    put16(&m, up ? f->cfg.server_port : f->cfg.client_port);
    put32(&m, s->seq);
    put32(&m, s->ack);
    put8(&m, (unsigned)((20 + options) / 4) << 4);
    put8(&m, s->flags);
    put16(&m, 64240);
    put32(&m, 0); /* checksum, urgent pointer */
    if (options)
        put32(&m, 2u << 24 | 4u << 16 | f->cfg.mss);
    put(&m, s->data, s->len);
    patch16(&m, at + 16, transport_sum(&m, at, src, dst, PROTO_TCP));
    return emit(f, s->dir, t_us, &m);
}

/* A segment without payload; SYN and FIN use up a sequence number. */
static int control(struct lamp_capflow *f, enum lamp_capflow_dir dir, unsigned flags, uint64_t t_us)
{
    const struct segment s = {
        .dir = dir, .flags = flags, .seq = f->seq[dir], .ack = flags & ACK ? f->seq[!dir] : 0
    };
    if (flags & (SYN | FIN))
        f->seq[dir]++;
    return tcp(f, t_us, &s);
}

void lamp_capflow_init(struct lamp_capflow *f, lamp_capfile *file,
                       const struct lamp_capflow_cfg *cfg)
{
    *f = (struct lamp_capflow){ .cfg = *cfg, .file = file, .rng = { cfg->seed } };
    if (f->cfg.mss == 0 || f->cfg.mss > LAMP_CAPFILE_FRAME_BYTES - HEADERS_MAX)
        f->cfg.mss = 1400;
    for (int dir = 0; dir < 2; dir++) {
        f->seq[dir] = (uint32_t)lamp_rng_u64(&f->rng);
        f->ip_id[dir] = (uint16_t)lamp_rng_u64(&f->rng);
    }
}

int lamp_capflow_open(struct lamp_capflow *f, uint64_t t_us)
{
    int err = control(f, LAMP_CAPFLOW_UP, SYN, t_us);
    if (!err)
        err = control(f, LAMP_CAPFLOW_DOWN, SYN | ACK, t_us + f->cfg.rtt_us / 2);
    if (!err)
        err = control(f, LAMP_CAPFLOW_UP, ACK, t_us + f->cfg.rtt_us);
    return err;
}

static int send_segment(struct lamp_capflow *f, uint64_t t_us, const struct segment *s)
{
    const int err = tcp(f, t_us, s);
    if (err || lamp_rng_unit(&f->rng) >= f->cfg.retransmit)
        return err;
    return tcp(f, t_us + RETRANSMIT_AFTER_US, s);
}

int lamp_capflow_send(struct lamp_capflow *f, enum lamp_capflow_dir dir, uint64_t t_us,
                      const void *data, size_t len)
{
    const size_t mss = f->cfg.mss, n = (len + mss - 1) / mss;
    const uint32_t base = f->seq[dir];
    uint64_t t = t_us;
    bool swap = false;

    f->seq[dir] += (uint32_t)len;
    for (size_t i = 0; i < n; i++, t += SEGMENT_GAP_US) {
        if (i % 2 == 0)
            swap = i + 1 < n && lamp_rng_unit(&f->rng) < f->cfg.reorder;
        const size_t at = (swap ? i ^ 1 : i) * mss;
        const struct segment s = { .dir = dir,
                                   .flags = at + mss >= len ? PSH | ACK : ACK,
                                   .seq = base + (uint32_t)at,
                                   .ack = f->seq[!dir],
                                   .data = (const uint8_t *)data + at,
                                   .len = lamp_min(mss, len - at) };
        const int err = send_segment(f, t, &s);
        if (err)
            return err;
    }
    return control(f, !dir, ACK, t + f->cfg.rtt_us / 2);
}

int lamp_capflow_close(struct lamp_capflow *f, uint64_t t_us)
{
    int err = control(f, LAMP_CAPFLOW_UP, FIN | ACK, t_us);
    if (!err)
        err = control(f, LAMP_CAPFLOW_DOWN, FIN | ACK, t_us + f->cfg.rtt_us / 2);
    if (!err)
        err = control(f, LAMP_CAPFLOW_UP, ACK, t_us + f->cfg.rtt_us);
    return err;
}

int lamp_capflow_reset(struct lamp_capflow *f, uint64_t t_us)
{
    return control(f, LAMP_CAPFLOW_UP, RST | ACK, t_us);
}

int lamp_capflow_datagram(struct lamp_capflow *f, enum lamp_capflow_dir dir, uint64_t t_us,
                          const void *data, size_t len)
{
    const bool up = dir == LAMP_CAPFLOW_UP;
    const struct lamp_addr *src = up ? &f->cfg.client : &f->cfg.server;
    const struct lamp_addr *dst = up ? &f->cfg.server : &f->cfg.client;
    struct builder m = { .len = 0 };

    if (len > LAMP_CAPFILE_FRAME_BYTES - HEADERS_MAX)
        return LAMP_EFULL;
    put_ethernet(&m, &f->cfg, dir, lamp_addr_is_v4(src));
    put_ip(&m, src, dst, PROTO_UDP, 8 + len, f->ip_id[dir]++);
    const size_t at = m.len;
    put16(&m, up ? f->cfg.client_port : f->cfg.server_port);
    put16(&m, up ? f->cfg.server_port : f->cfg.client_port);
    put16(&m, (unsigned)(8 + len));
    put16(&m, 0);
    put(&m, data, len);
    const unsigned sum = transport_sum(&m, at, src, dst, PROTO_UDP);
    patch16(&m, at + 6, sum ? sum : 0xffff);
    return emit(f, dir, t_us, &m);
}
