/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/capture/sampler.h"

#include "common/pcapng_out.h"
#include "sensor/process/channel.h"
#include "sensor/rollup/hash.h"

#include <pthread.h>
#include <sodium.h>

enum { LINKTYPES_MAX = 8, INTERFACE_BYTES = 20 };

/* Both ends of a connection, the lower one first. */
struct ends {
    struct lamp_addr addr[2];
    uint16_t port[2];
    uint32_t ip_proto;
};

struct seen {
    struct ends ends;
    uint32_t packets; /* 0: the place is free */
};

struct order {
    struct lamp_order o; /* id 0: the place is free */
    struct lamp_order_match matches[LAMP_WIRE_MATCHES_MAX];
    uint64_t until_us; /* monotonic */
    uint64_t packets, bytes, dropped;
    bool over;
    uint16_t linktypes[LINKTYPES_MAX]; /* of the interfaces written */
    size_t n_linktypes;
    struct seen *seen; /* n_seen places, twice as many as there may be packets */
    size_t n_seen;
    uint8_t *buf; /* LAMP_SAMPLER_BUFFER; buf_len waits */
    size_t buf_len;
};

struct lamp_sampler {
    pthread_mutex_t lock;
    uint64_t seed[2];
    struct order orders[LAMP_SAMPLER_ORDERS];
};

int lamp_sampler_new(lamp_sampler **out)
{
    lamp_sampler *s = calloc(1, sizeof(*s));
    if (!s)
        return LAMP_ENOMEM;
    pthread_mutex_init(&s->lock, NULL);
    randombytes_buf(s->seed, sizeof(s->seed));
    *out = s;
    return LAMP_OK;
}

static void forget(struct order *r)
{
    free(r->seen);
    free(r->buf);
    *r = (struct order){ 0 };
}

lamp_sampler *lamp_sampler_free(lamp_sampler *s)
{
    if (!s)
        return NULL;
    for (size_t i = 0; i < LAMP_SAMPLER_ORDERS; i++)
        forget(&s->orders[i]);
    pthread_mutex_destroy(&s->lock);
    free(s);
    return NULL;
}

/* ---- orders ---- */

static struct order *find(lamp_sampler *s, uint64_t id)
{
    for (size_t i = 0; i < LAMP_SAMPLER_ORDERS; i++)
        if (s->orders[i].o.id == id)
            return &s->orders[i];
    return NULL;
}

static bool is_sound(const struct lamp_order *o)
{
    return o->id && o->packets && o->packets <= LAMP_SAMPLE_PACKETS_MAX &&
           o->packets_per_connection && o->duration_s && o->bytes_max && o->snaplen &&
           o->snaplen <= LAMP_SAMPLE_SNAPLEN_MAX && o->n_matches <= LAMP_WIRE_MATCHES_MAX;
}

static int begin(struct order *r, const struct lamp_order *o, uint64_t mono_us)
{
    r->n_seen = 2 * (size_t)o->packets;
    r->seen = calloc(r->n_seen, sizeof(*r->seen));
    r->buf = malloc(LAMP_SAMPLER_BUFFER);
    if (!r->seen || !r->buf) {
        forget(r);
        return LAMP_ENOMEM;
    }
    r->o = *o;
    if (o->n_matches)
        memcpy(r->matches, o->matches, o->n_matches * sizeof(*o->matches));
    r->o.matches = r->matches;
    r->until_us = mono_us + o->duration_s * UINT64_C(1000000);
    return LAMP_OK;
}

int lamp_sampler_order(lamp_sampler *s, const struct lamp_order *o, uint64_t mono_us)
{
    int err = LAMP_OK;
    pthread_mutex_lock(&s->lock);
    struct order *known = o->id ? find(s, o->id) : NULL;
    struct order *place = find(s, 0);
    if (known && o->kind == LAMP_ORDER_CANCEL)
        forget(known); /* link takes nothing of it any more */
    else if (o->kind == LAMP_ORDER_SAMPLE && !known)
        err = !is_sound(o) ? LAMP_EINVAL : place ? begin(place, o, mono_us) : LAMP_EFULL;
    pthread_mutex_unlock(&s->lock);
    return err;
}

bool lamp_sampler_is_running(lamp_sampler *s, uint64_t mono_us)
{
    bool running = false;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < LAMP_SAMPLER_ORDERS; i++) {
        struct order *r = &s->orders[i];
        r->over |= r->o.id && mono_us >= r->until_us;
        running |= r->o.id && !r->over;
    }
    pthread_mutex_unlock(&s->lock);
    return running;
}

/* ---- packets ---- */

static bool is_end(const struct lamp_addr *want, uint16_t want_port, const struct lamp_addr *addr,
                   uint16_t port)
{
    static const struct lamp_addr any;
    return (lamp_addr_eq(want, &any) || lamp_addr_eq(want, addr)) &&
           (want_port == 0 || want_port == port);
}

enum lamp_sampler_side lamp_sampler_side(const struct lamp_order_match *matches, size_t n,
                                         const struct lamp_pkt *pkt)
{
    for (size_t i = 0; i < n; i++) {
        const struct lamp_order_match *m = &matches[i];
        if (m->ip_proto && m->ip_proto != pkt->ip_proto)
            continue;
        if (is_end(&m->host, m->host_port, &pkt->src, pkt->src_port) &&
            is_end(&m->remote, m->remote_port, &pkt->dst, pkt->dst_port))
            return LAMP_SOURCE_IS_HOST;
        if (is_end(&m->host, m->host_port, &pkt->dst, pkt->dst_port) &&
            is_end(&m->remote, m->remote_port, &pkt->src, pkt->src_port))
            return LAMP_DESTINATION_IS_HOST;
    }
    return n == 0 ? LAMP_SOURCE_IS_HOST : LAMP_SIDE_OF_NONE;
}

bool lamp_sampler_wants(const struct lamp_order_match *matches, size_t n,
                        const struct lamp_pkt *pkt)
{
    return lamp_sampler_side(matches, n, pkt) != LAMP_SIDE_OF_NONE;
}

static struct ends ends_of(const struct lamp_pkt *pkt)
{
    struct ends e = { { pkt->src, pkt->dst }, { pkt->src_port, pkt->dst_port }, pkt->ip_proto };
    const int order = memcmp(&pkt->src, &pkt->dst, sizeof(pkt->src));
    if (order > 0 || (order == 0 && pkt->src_port > pkt->dst_port))
        e = (struct ends){ { pkt->dst, pkt->src },
                           { pkt->dst_port, pkt->src_port },
                           pkt->ip_proto };
    return e;
}

/* The place of a connection; there is always one, since each that is taken has a packet. */
static struct seen *seen_of(const lamp_sampler *s, struct order *r, const struct lamp_pkt *pkt)
{
    const struct ends e = ends_of(pkt);
    size_t i = (size_t)(lamp_hash(s->seed, &e, sizeof(e)) % r->n_seen);
    while (r->seen[i].packets && memcmp(&r->seen[i].ends, &e, sizeof(e)) != 0)
        i = (i + 1) % r->n_seen;
    r->seen[i].ends = e;
    return &r->seen[i];
}

/* The interface of a link type; n_linktypes where it is not written yet. */
static size_t interface_of(const struct order *r, uint16_t linktype)
{
    size_t i = 0;
    while (i < r->n_linktypes && r->linktypes[i] != linktype)
        i++;
    return i;
}

static void take(const lamp_sampler *s, struct order *r, const struct lamp_frame *f,
                 const struct lamp_pkt *pkt)
{
    struct seen *c = seen_of(s, r, pkt);
    if (c->packets >= r->o.packets_per_connection)
        return;
    const uint32_t len = (uint32_t)lamp_min(f->cap_len, r->o.snaplen);
    const size_t interface = interface_of(r, (uint16_t)f->linktype);
    const size_t more = (interface == r->n_linktypes ? INTERFACE_BYTES : 0);
    const size_t need = more + lamp_pcapng_out_packet_size(len);
    if (r->bytes + need > r->o.bytes_max) {
        r->over = true;
        return;
    }
    if (interface == LINKTYPES_MAX || need > LAMP_SAMPLER_BUFFER - r->buf_len) {
        r->dropped++;
        return;
    }
    if (more) {
        r->linktypes[r->n_linktypes++] = (uint16_t)f->linktype;
        r->buf_len += lamp_pcapng_out_interface(r->buf + r->buf_len, more, (uint16_t)f->linktype,
                                                r->o.snaplen);
    }
    r->buf_len += lamp_pcapng_out_packet(r->buf + r->buf_len, LAMP_SAMPLER_BUFFER - r->buf_len,
                                         (uint32_t)interface, f->t_us, f->data, len, f->orig_len);
    r->bytes += need;
    c->packets++;
    r->over = ++r->packets == r->o.packets;
}

void lamp_sampler_packet(const struct lamp_frame *f, const struct lamp_pkt *pkt, void *arg)
{
    lamp_sampler *s = arg;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < LAMP_SAMPLER_ORDERS; i++) {
        struct order *r = &s->orders[i];
        if (r->o.id && !r->over && lamp_sampler_wants(r->matches, r->o.n_matches, pkt))
            take(s, r, f, pkt);
    }
    pthread_mutex_unlock(&s->lock);
}

/* ---- to the link ---- */

static uint32_t block_len(const uint8_t *block)
{
    return (uint32_t)block[4] | (uint32_t)block[5] << 8 | (uint32_t)block[6] << 16 |
           (uint32_t)block[7] << 24;
}

/* How many bytes of whole blocks fit a message, and how many packets these are. */
static size_t whole_blocks(const struct order *r, uint32_t *out_packets)
{
    size_t len = 0;
    *out_packets = 0;
    while (len < r->buf_len) {
        const size_t block = block_len(r->buf + len);
        if (len + block > LAMP_WIRE_LOCAL_SAMPLE_MAX)
            break;
        *out_packets += block > INTERFACE_BYTES;
        len += block;
    }
    return len;
}

static int send_some(struct order *r, int channel_fd)
{
    struct lamp_msg m = { .type = LAMP_MSG_LOCAL_SAMPLE };
    LAMP_AUTO_FREE uint8_t *packed = NULL;
    size_t packed_len;
    uint32_t packets;
    const size_t len = whole_blocks(r, &packets);
    const bool last = r->over && len == r->buf_len;
    m.u.local_sample =
        (struct lamp_local_sample){ r->o.id, packets, { r->buf, len }, r->dropped, last };
    int err = lamp_msg_pack(&m, &packed, &packed_len);
    if (!err)
        err = lamp_channel_send(channel_fd, packed, packed_len);
    if (err)
        return err;
    r->buf_len -= len;
    memmove(r->buf, r->buf + len, r->buf_len);
    if (last)
        forget(r);
    return LAMP_OK;
}

int lamp_sampler_send(lamp_sampler *s, int channel_fd)
{
    int err = LAMP_OK;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < LAMP_SAMPLER_ORDERS && !err; i++)
        while (!err && s->orders[i].o.id && (s->orders[i].buf_len || s->orders[i].over))
            err = send_some(&s->orders[i], channel_fd);
    pthread_mutex_unlock(&s->lock);
    return err == LAMP_ECLOSED ? err : LAMP_OK;
}

bool lamp_sampler_waits(lamp_sampler *s)
{
    bool waits = false;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < LAMP_SAMPLER_ORDERS; i++)
        waits |= s->orders[i].o.id && (s->orders[i].buf_len || s->orders[i].over);
    pthread_mutex_unlock(&s->lock);
    return waits;
}
