/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/engine/engine.h"

#include "common/min.h"
#include "common/pages.h"
#include "sensor/engine/classify.h"
#include "sensor/engine/decode.h"
#include "sensor/engine/flow.h"
#include "sensor/engine/opaque.h"
#include "sensor/engine/reasm.h"
#include "sensor/engine/twin.h"
#include "sensor/rollup/apps.h"

#include <assert.h>
#include <stdio.h>

enum {
    MIN_MEMORY = 1 << 20,
    IDLE_US = 300 * 1000 * 1000,
    LINGER_US = 5 * 1000 * 1000,
    MAX_DATAGRAMS = 1 << 14, /* fragmented ones at once */
    MAX_RETRIES = 7,         /* inspections of a flow after it was dismissed */
    VICTIM_TRIES = 64,       /* tracks looked at for one that may go */
    MINUTE_US = 60 * 1000 * 1000,
    FIRST_FLIGHT = 64 << 10, /* how far ahead of its start a reordered stream begins */
};

/* An inspected flow: what the flow table need not know. */
struct track {
    lamp_inspect *inspect; /* either this, */
    lamp_dim *dim;         /* or that; both NULL: not in use */
    struct lamp_flow *flow;
    struct lamp_conn *conn;        /* classify's; NULL until it finds one */
    struct lamp_stream streams[2]; /* by enum lamp_dir */
    struct track *next_free;
};

/* The frames that are worked on at once. */
struct batch {
    struct lamp_pkt pkts[LAMP_ENGINE_BATCH];
    enum lamp_decode outcomes[LAMP_ENGINE_BATCH];
    struct lamp_flow_aim aims[LAMP_ENGINE_BATCH];
};

struct lamp_engine {
    lamp_conn_fn *ended;
    void *arg;
    lamp_decoder *decoder;
    lamp_flows *flows;
    lamp_reasm *reasm;
    lamp_classify *classify;
    lamp_opaque *opaque;
    struct lamp_blockclock clock; /* classify sets it, opaque reads it */
    struct lamp_known known;      /* the same of pairs that mined */
    lamp_twins *twins;            /* NULL: copies count like any packet */
    lamp_rollup *rollup;          /* NULL: not wanted */
    bool close_minutes, minute_is_known;
    bool rollups_due;               /* a minute was closed, or everything ended */
    uint64_t minute_from_us;        /* the minute in work */
    uint64_t calm_from_us, calm_us; /* a span in which pass_time() has nothing to do */
    struct track *tracks;           /* max_tracks; only the first n_tracks have been in use */
    uint32_t max_tracks, n_tracks, next_victim;
    struct track *free; /* of those, chained by `next_free` */
    uint64_t next_id, id_step, conns_live;
    struct lamp_engine_counters n; /* packets, bytes and decode */
    lamp_engine_tap_fn *tap;       /* NULL: nobody wants the packets */
    void *tap_arg;
    struct batch batch;
};

static void flow_ended(struct lamp_flow *f, void *arg);

static int make_rollup(lamp_engine *e, const struct lamp_engine_cfg *cfg, size_t memory_bytes)
{
    if (!cfg->rollup)
        return LAMP_OK;
    struct lamp_rollup_cfg rollup = *cfg->rollup;
    rollup.memory_bytes = memory_bytes;
    e->close_minutes = cfg->close_minutes;
    return lamp_rollup_new(&rollup, &e->rollup);
}

/* Splits memory_bytes: half to the flow table, 1/4 to inspection (classify and tracks), 1/16 to what
 * cannot be read (opaque and tracks), 1/8 to early segments, 1/16 to rollups and names. */
static int make_parts(lamp_engine *e, const struct lamp_engine_cfg *cfg)
{
    size_t eighth = cfg->memory_bytes / 8;
    struct lamp_flows_cfg flows = {
        .max_flows = lamp_min(4 * eighth / LAMP_FLOW_BYTES, 1U << 30),
        .idle_us = cfg->idle_us ? cfg->idle_us : IDLE_US,
        .linger_us = LINGER_US,
        .host_share = cfg->host_share,
        .vlan_key = cfg->vlan_key,
        .catalogue = cfg->catalogue,
        .ended = flow_ended,
        .arg = e,
    };
    size_t track_bytes = lamp_classify_memory(1024) / 1024 + sizeof(struct track);
    size_t tracks = lamp_min(2 * eighth / track_bytes, 1U << 20);
    struct lamp_classify_cfg classify = { cfg->catalogue, tracks, &e->clock };
    const size_t dim_bytes = lamp_opaque_memory(1024) / 1024 + sizeof(struct track);
    const struct lamp_opaque_cfg opaque = {
        .catalogue = cfg->catalogue,
        .clock = &e->clock,
        .known = &e->known,
        .max_states = lamp_min(eighth / 2 / dim_bytes + 1, 1U << 20),
    };

    struct lamp_decoder_cfg decoder = {
        .no_tunnels = cfg->no_tunnels,
        .max_datagrams = lamp_min(eighth / 4096 + 1, MAX_DATAGRAMS),
    };

    int err = lamp_decoder_new(&decoder, &e->decoder);
    if (err == LAMP_OK)
        err = lamp_flows_new(&flows, &e->flows);
    if (err == LAMP_OK)
        err = lamp_reasm_new(eighth, &e->reasm);
    if (err == LAMP_OK)
        err = lamp_classify_new(&classify, &e->classify);
    if (err == LAMP_OK)
        err = lamp_opaque_new(&opaque, &e->opaque);
    if (err == LAMP_OK)
        err = make_rollup(e, cfg, eighth / 2);
    if (err == LAMP_OK && !cfg->keep_twins)
        err = lamp_twins_new(&e->twins);
    if (err != LAMP_OK)
        return err;
    e->max_tracks = (uint32_t)(tracks + opaque.max_states);
    e->tracks = lamp_pages_calloc(e->max_tracks, sizeof(*e->tracks));
    return e->tracks ? LAMP_OK : LAMP_ENOMEM;
}

int lamp_engine_new(const struct lamp_engine_cfg *cfg, lamp_conn_fn *ended, void *arg,
                    lamp_engine **out)
{
    assert(cfg && ended && out);
    if (cfg->memory_bytes < MIN_MEMORY)
        return LAMP_EINVAL;
    lamp_engine *e = calloc(1, sizeof(*e));
    if (!e)
        return LAMP_ENOMEM;
    int err = make_parts(e, cfg);
    if (err != LAMP_OK) {
        lamp_engine_free(e);
        return err;
    }
    e->ended = ended;
    e->arg = arg;
    e->next_id = cfg->first_id ? cfg->first_id : 1;
    e->id_step = cfg->id_step ? cfg->id_step : 1;
    *out = e;
    return LAMP_OK;
}

static void close_states(lamp_engine *e, struct track *k)
{
    if (k->inspect)
        lamp_classify_close(e->classify, k->inspect);
    if (k->dim)
        lamp_opaque_close(e->opaque, k->dim);
}

lamp_engine *lamp_engine_free(lamp_engine *e)
{
    if (!e)
        return NULL;
    for (uint32_t i = 0; i < e->n_tracks; i++)
        close_states(e, &e->tracks[i]);
    lamp_decoder_free(e->decoder);
    lamp_flows_free(e->flows);
    lamp_reasm_free(e->reasm);
    lamp_classify_free(e->classify);
    lamp_opaque_free(e->opaque);
    lamp_rollup_free(e->rollup);
    lamp_twins_free(e->twins);
    free(e->tracks);
    free(e);
    return NULL;
}

/* -- inspected flows ----------------------------------------------------------------- */

static void track_close(lamp_engine *e, struct track *k);

/* Makes room where every state is taken: in turn, one of the same kind in which nothing was found
 * so far gives way, so that flows which only look like the start of something cannot keep all
 * others out. */
static void make_room(lamp_engine *e, bool of_dims)
{
    for (unsigned tries = 0; tries < VICTIM_TRIES && e->n_tracks > 0; tries++) {
        struct track *k = &e->tracks[e->next_victim++ % e->n_tracks];
        if (!k->conn && (of_dims ? k->dim != NULL : k->inspect != NULL)) {
            track_close(e, k);
            return;
        }
    }
}

static struct lamp_flow_facts facts_of(const struct lamp_flow *f)
{
    const unsigned c = f->client, s = !c;
    return (struct lamp_flow_facts){
        .client = f->key.addr[c],
        .server = f->key.addr[s],
        .client_port = f->key.port[c],
        .server_port = f->key.port[s],
        .ip_proto = f->key.ip_proto,
        .saw_syn = f->saw_syn,
        .first_us = f->first_us,
    };
}

static struct track *track_of(lamp_engine *e, struct lamp_flow *f)
{
    struct track *k = e->free;
    if (k)
        e->free = k->next_free;
    else
        k = &e->tracks[e->n_tracks++];
    assert(e->n_tracks <= e->max_tracks); /* there are as many as there are states */
    *k = (struct track){ .flow = f };
    lamp_stream_init(&k->streams[LAMP_UP]);
    lamp_stream_init(&k->streams[LAMP_DOWN]);
    f->user = k;
    return k;
}

static struct track *track_open(lamp_engine *e, struct lamp_flow *f)
{
    const struct lamp_flow_facts facts = facts_of(f);
    if (lamp_classify_full(e->classify))
        make_room(e, false);
    lamp_inspect *inspect;
    if (lamp_classify_open(e->classify, &facts, &inspect) != LAMP_OK)
        return NULL;
    struct track *k = track_of(e, f);
    k->inspect = inspect;
    return k;
}

/* The same for a flow that cannot be read. */
static struct track *track_open_dim(lamp_engine *e, struct lamp_flow *f)
{
    const struct lamp_flow_facts facts = facts_of(f);
    const char *name = e->rollup ? lamp_rollup_dns_name(e->rollup, &facts.server, f->first_us) : "";
    if (lamp_opaque_full(e->opaque))
        make_room(e, true);
    lamp_dim *dim;
    if (lamp_opaque_open(e->opaque, &facts, name, &dim) != LAMP_OK)
        return NULL;
    struct track *k = track_of(e, f);
    k->dim = dim;
    return k;
}

static void track_close(lamp_engine *e, struct track *k)
{
    if (k->conn)
        e->conns_live--;
    lamp_stream_done(e->reasm, &k->streams[LAMP_UP]);
    lamp_stream_done(e->reasm, &k->streams[LAMP_DOWN]);
    close_states(e, k);
    k->flow->user = NULL;
    k->flow->keep = false;
    *k = (struct track){ .next_free = e->free };
    e->free = k;
}

/* How the other side is called: what the client asked for by name, or what DNS said. */
static void fill_names(const lamp_engine *e, const struct track *k)
{
    if (!e->rollup)
        return;
    const struct lamp_flow *f = k->flow;
    struct lamp_conn *c = k->conn;
    const struct lamp_rollup_mark mark = { f->name, f->app };
    const char *asked = lamp_rollup_mark_name(e->rollup, &mark);
    if ((f->app == LAMP_APP_TLS || f->app == LAMP_APP_HTTPS) && *asked && !c->sni[0])
        snprintf(c->sni, sizeof(c->sni), "%s", asked);
    if (c->server_name[0])
        return;
    snprintf(c->server_name, sizeof(c->server_name), "%s",
             *asked ? asked : lamp_rollup_dns_name(e->rollup, &c->server, f->first_us));
    if (c->server_name[0] && k->inspect)
        lamp_inspect_named(k->inspect); /* no line may come that would look it up */
}

/* What the engine knows of a connection and classify does not. */
static void fill_conn(const lamp_engine *e, const struct track *k, bool ended)
{
    const struct lamp_flow *f = k->flow;
    struct lamp_conn *c = k->conn;
    bool swapped = k->inspect && lamp_inspect_swapped(k->inspect);
    for (unsigned dir = 0; dir < 2; dir++) {
        c->bytes[dir] = f->bytes[dir ^ swapped];
        c->packets[dir] = f->packets[dir ^ swapped];
    }
    c->n_vlans = f->n_vlans;
    memcpy(c->vlans, f->vlans, sizeof(c->vlans));
    c->midstream = !f->saw_syn;
    c->ended = ended;
    c->first_us = f->first_us;
    c->last_us = f->last_us;
    fill_names(e, k);
}

/* One delivery to classify. */
struct delivery {
    lamp_engine *e;
    struct track *k;
    enum lamp_dir dir;
    uint64_t t_us;
    const struct lamp_pkt *pkt; /* that brought the bytes; NULL: they waited */
    bool over;                  /* classify or opaque wants no more of the flow */
};

static bool deliver(struct lamp_bytes bytes, bool gap, void *arg)
{
    struct delivery *d = arg;
    enum lamp_interest more;
    if (d->k->dim) {
        const bool whole = d->pkt && bytes.len == d->pkt->payload.len;
        const uint32_t len = whole ? d->pkt->payload_orig_len : (uint32_t)bytes.len;
        const uint32_t seq = d->k->streams[d->dir].next_seq - (uint32_t)bytes.len;
        more = lamp_opaque_stream(d->e->opaque, d->k->dim, d->dir, bytes, len, seq, d->t_us);
    } else {
        more = lamp_classify_stream(d->e->classify, d->k->inspect, d->dir, bytes, gap, d->t_us);
    }
    d->over = more == LAMP_INTEREST_NEVER;
    return !d->over;
}

/* After deliveries: notes a connection that was found, or drops a flow that is none. */
static void settle(lamp_engine *e, struct track *k, const struct delivery *d)
{
    if (!k->conn) {
        k->conn = k->dim ? lamp_opaque_conn(k->dim) : lamp_inspect_conn(k->inspect);
        if (k->conn) {
            k->conn->id = e->next_id;
            e->next_id += e->id_step;
            fill_names(e, k);
            k->flow->keep = true;
            e->conns_live++;
        }
    }
    struct lamp_conn *c = k->conn;
    if (c && c->found_us == 0 && c->verdict >= LAMP_VERDICT_PROBABLE) {
        c->found_us = d->t_us;
        c->found_packets = k->flow->packets[LAMP_UP] + k->flow->packets[LAMP_DOWN];
    }
    if (!d->over)
        return; /* always so once a connection was found */
    if (k->dim)
        k->flow->opaque_over = true;
    else
        k->flow->dismissed = true;
    track_close(e, k);
}

/* How far a direction's first segment lies after the place where the SYN says that it begins: it
 * was captured out of order. 0: it is there, or nobody knows. The SYN is not believed against
 * the segment: some tools write captures whose data begins at the SYN's own number. */
static uint32_t early_by(const struct lamp_flow *f, enum lamp_dir dir, uint32_t seq)
{
    const bool known = dir == LAMP_UP ? f->has_seq_up : f->has_seq_down;
    const uint32_t ahead = seq - f->first_seq[dir];
    return known && f->n_payloads[dir] == 0 && ahead < FIRST_FLIGHT ? ahead : 0;
}

/* Whether a packet of a flow without a track makes it worth one. A flow whose start was not
 * seen gets further chances where a payload looks like the start of a JSON line. What comes
 * before its time waits for the bytes before it, to be judged with them. */
static bool is_worth(struct lamp_flow *f, enum lamp_dir dir, const struct lamp_pkt *pkt)
{
    if (!f->dismissed && early_by(f, dir, pkt->tcp_seq))
        return true;
    /* No server of what a client opens with TLS or the like answers with a brace, but a pool does:
     * it takes anything for a broken request. */
    const bool odd = dir == LAMP_DOWN && f->n_payloads[LAMP_DOWN] == 0;
    if (f->dismissed &&
        ((f->saw_syn && !odd) || f->retries == MAX_RETRIES || pkt->payload.data[0] != '{'))
        return false;
    switch (lamp_classify_peek(pkt->payload, dir, f->n_payloads[dir])) {
    case LAMP_INTEREST_SKIP:
        return false;
    case LAMP_INTEREST_NEVER:
        f->dismissed = true;
        return false;
    case LAMP_INTEREST_MORE:
        break;
    }
    if (f->dismissed)
        f->retries = (f->retries + 1) & MAX_RETRIES;
    return true;
}

/* Whether a packet of a flow without a track makes it worth one of what cannot be read. */
static bool is_dim(const struct lamp_flow *f, enum lamp_dir dir, const struct lamp_pkt *pkt)
{
    return f->n_payloads[dir] < LAMP_OPAQUE_LOOKS && !f->opaque_over &&
           lamp_opaque_peek(pkt->payload, pkt->payload_orig_len, pkt->ip_proto,
                            f->key.port[!f->client], f->saw_syn);
}

/* Hands a packet to its track. */
static void feed(lamp_engine *e, struct track *k, enum lamp_dir dir, const struct lamp_pkt *pkt)
{
    struct delivery d = { .e = e, .k = k, .dir = dir, .t_us = pkt->t_us, .pkt = pkt };
    if (pkt->ip_proto != LAMP_IPPROTO_TCP) {
        deliver(pkt->payload, false, &d);
        settle(e, k, &d);
        return;
    }
    struct lamp_segment seg = {
        .seq = pkt->tcp_seq + (pkt->tcp_flags & LAMP_TCP_SYN ? 1 : 0),
        .payload = pkt->payload,
        .orig_len = pkt->payload_orig_len,
        .t_us = pkt->t_us,
    };
    if (!k->streams[dir].started)
        lamp_stream_start(&k->streams[dir], seg.seq - early_by(k->flow, dir, seg.seq));
    lamp_reasm_segment(e->reasm, &k->streams[dir], &seg, deliver, &d);
    settle(e, k, &d);
}

/* A flow is read as text or as what cannot be read; what one gives up, the other may begin with the
 * same packet (TLS behind a proxy's greeting, a pool that answers a TLS hello in JSON). */
static void inspect(lamp_engine *e, struct lamp_flow *f, enum lamp_dir dir,
                    const struct lamp_pkt *pkt)
{
    const bool is_tcp = pkt->ip_proto == LAMP_IPPROTO_TCP;
    struct track *k = f->user;
    const bool was_dim = k && k->dim;
    if (k) {
        feed(e, k, dir, pkt);
        if (f->user)
            return;
    }
    if (pkt->payload.len == 0)
        return;
    if (!was_dim && is_dim(f, dir, pkt))
        k = track_open_dim(e, f);
    else if (is_tcp && is_worth(f, dir, pkt))
        k = track_open(e, f);
    else
        return;
    if (k)
        feed(e, k, dir, pkt);
}

/* -- everything that is no mining connection ----------------------------------------- */

/* Takes the flow's traffic out of it and adds it up. */
static void roll_up(lamp_engine *e, struct lamp_flow *f)
{
    if (!e->rollup)
        return;
    const unsigned c = f->client, s = !c;
    const struct lamp_rollup_flow sum = {
        .client = &f->key.addr[c],
        .server = &f->key.addr[s],
        .server_port = f->key.port[s],
        .ip_proto = f->key.ip_proto,
        .is_new = !f->rolled_up,
        .mark = { f->name, f->app },
        .first_us = f->first_us,
        .last_us = f->last_us,
        .bytes = { f->bytes[LAMP_UP], f->bytes[LAMP_DOWN] },
        .packets = { f->packets[LAMP_UP], f->packets[LAMP_DOWN] },
    };
    lamp_rollup_add(e->rollup, &sum);
    memset(f->bytes, 0, sizeof(f->bytes));
    memset(f->packets, 0, sizeof(f->packets));
    f->rolled_up = true;
}

static void roll_up_live(struct lamp_flow *f, void *arg)
{
    if (!f->user)
        roll_up(arg, f);
}

/* Called when a time is not in the minute in work. A little disorder changes nothing. */
static void turn_minute(lamp_engine *e, uint64_t t_us)
{
    if (e->minute_is_known && t_us < e->minute_from_us && e->minute_from_us - t_us < MINUTE_US)
        return;
    if (e->minute_is_known && e->close_minutes)
        lamp_flows_each(e->flows, roll_up_live, e);
    e->rollups_due = e->minute_is_known;
    e->minute_is_known = true;
    e->minute_from_us = t_us / MINUTE_US * MINUTE_US;
}

/* Application and names, from a payload that rollups want to see. */
static void look(lamp_engine *e, struct lamp_flow *f, enum lamp_dir dir, const struct lamp_pkt *pkt)
{
    const uint16_t port = f->key.port[!f->client];
    if (pkt->payload.len == 0 || !lamp_rollup_wants(port, f->n_payloads[dir]))
        return;
    struct lamp_rollup_mark mark = { f->name, f->app };
    lamp_rollup_look(e->rollup, pkt->ip_proto, &f->key.addr[!f->client], port, dir, pkt->payload,
                     pkt->t_us, &mark);
    f->name = mark.name;
    f->app = mark.app;
}

static void flow_ended(struct lamp_flow *f, void *arg)
{
    lamp_engine *e = arg;
    struct track *k = f->user;
    if (!k) {
        roll_up(e, f);
        return;
    }
    struct delivery d = { .e = e, .k = k, .t_us = f->last_us };
    for (d.dir = LAMP_UP; d.dir <= LAMP_DOWN && !d.over; d.dir++)
        lamp_reasm_flush(e->reasm, &k->streams[d.dir], deliver, &d);
    if (k->dim && !d.over)
        lamp_opaque_finish(e->opaque, k->dim, f->last_us);
    settle(e, k, &d);
    if (f->user && k->conn) {
        fill_conn(e, k, true);
        lamp_known_note(&e->known, k->conn);
        e->ended(k->conn, e->arg);
    } else {
        roll_up(e, f);
    }
    if (f->user)
        track_close(e, k);
}

/* -- packets in, connections out ----------------------------------------------------- */

/* Does what is due at t_us, and notes how long nothing is. */
static __attribute__((noinline)) void pass_time(lamp_engine *e, uint64_t t_us)
{
    lamp_flows_expire(e->flows, t_us);
    if (t_us - e->minute_from_us >= MINUTE_US)
        turn_minute(e, t_us);
    uint64_t from_us, us;
    lamp_flows_calm(e->flows, &from_us, &us);
    const uint64_t to_us = lamp_min_u64(from_us + us, e->minute_from_us + MINUTE_US);
    e->calm_from_us = from_us > e->minute_from_us ? from_us : e->minute_from_us;
    e->calm_us = to_us > e->calm_from_us ? to_us - e->calm_from_us : 0;
}

/* Counts a frame, finds its flow and looks into it. */
static void take(lamp_engine *e, const struct lamp_pkt *pkt, enum lamp_decode outcome,
                 const struct lamp_flow_aim *aim)
{
    if (pkt->t_us - e->calm_from_us >= e->calm_us)
        pass_time(e, pkt->t_us);
    e->n.packets++;
    e->n.bytes += pkt->frame_len;
    e->n.decode[outcome]++;
    e->n.decode_bytes[outcome] += pkt->frame_len;
    if (!lamp_decode_is_packet(outcome))
        return;
    struct lamp_flow *f;
    enum lamp_dir dir;
    if (lamp_flows_touch_aimed(e->flows, pkt, aim, &f, &dir) != LAMP_OK) {
        e->n.refused_bytes += pkt->frame_len; /* the packet is counted as refused */
        return;
    }
    if (pkt->payload_orig_len == 0)
        return;
    if (pkt->ip_proto == LAMP_IPPROTO_TCP || f->user || f->n_payloads[dir] == 0)
        inspect(e, f, dir, pkt);
    if (e->rollup)
        look(e, f, dir, pkt);
    if (f->n_payloads[dir] < UINT8_MAX)
        f->n_payloads[dir]++;
}

/* Each step is taken by all frames of a batch, so that the memory that one asks for has come when
 * the next needs it. */
void lamp_engine_frames(lamp_engine *e, const struct lamp_frame *frames, size_t n)
{
    struct batch *b = &e->batch;
    for (size_t done = 0, len; done < n; done += len) {
        len = lamp_min(n - done, (size_t)LAMP_ENGINE_BATCH);
        lamp_decode_frames(e->decoder, &frames[done], len, b->pkts, b->outcomes);
        lamp_flows_aim(e->flows, b->pkts, len, b->aims);
        if (e->twins)
            lamp_twins_mark(e->twins, b->pkts, b->aims, len, b->outcomes);
        lamp_flows_fetch(e->flows, b->pkts, len, b->aims);
        for (size_t i = 0; i < len; i++) {
            take(e, &b->pkts[i], b->outcomes[i], &b->aims[i]);
            if (e->tap && lamp_decode_is_packet(b->outcomes[i]))
                e->tap(&frames[done + i], &b->pkts[i], e->tap_arg);
        }
    }
}

void lamp_engine_frame(lamp_engine *e, const struct lamp_frame *frame)
{
    lamp_engine_frames(e, frame, 1);
}

void lamp_engine_expire(lamp_engine *e, uint64_t now_us)
{
    lamp_flows_expire(e->flows, now_us);
    e->calm_us = 0;
}

void lamp_engine_watch(lamp_engine *e, const lamp_watch *watch)
{
    lamp_opaque_watch(e->opaque, watch);
    lamp_classify_watch(e->classify, watch);
}

void lamp_engine_told(lamp_engine *e, const struct lamp_blockclock *told)
{
    lamp_opaque_told(e->opaque, told);
}

void lamp_engine_adjust(lamp_engine *e, bool no_tunnels, size_t traffic_rows)
{
    lamp_decoder_close_tunnels(e->decoder, no_tunnels);
    if (e->rollup)
        lamp_rollup_limit(e->rollup, traffic_rows);
}

void lamp_engine_tap(lamp_engine *e, lamp_engine_tap_fn *fn, void *arg)
{
    e->tap = fn;
    e->tap_arg = arg;
}

void lamp_engine_conns(lamp_engine *e, lamp_conn_fn *fn, void *arg)
{
    for (uint32_t i = 0; i < e->n_tracks; i++) {
        struct track *k = &e->tracks[i];
        if (!k->conn)
            continue;
        fill_conn(e, k, false);
        lamp_known_note(&e->known, k->conn);
        fn(k->conn, arg);
    }
}

void lamp_engine_rollups(lamp_engine *e, uint64_t now_us, lamp_rollup_fn *fn, void *arg)
{
    if (!e->rollup)
        return;
    if (now_us - e->minute_from_us >= MINUTE_US) {
        turn_minute(e, now_us);
        e->calm_us = 0;
    }
    if (e->close_minutes && !e->rollups_due)
        return;
    e->rollups_due = false;
    lamp_rollup_drain(e->rollup, fn, arg);
}

void lamp_engine_finish(lamp_engine *e)
{
    lamp_flows_end_all(e->flows);
    e->rollups_due = true;
}

void lamp_engine_counters(const lamp_engine *e, struct lamp_engine_counters *out)
{
    struct lamp_flows_counters flows = lamp_flows_counters(e->flows);
    *out = e->n;
    out->flows_new = flows.created;
    out->flows_ended = flows.ended;
    out->flows_evicted = flows.evicted;
    out->flows_evicted_share = flows.evicted_share;
    out->flows_refused = flows.refused;
    out->flows_live = flows.live;
    out->fragments_evicted = lamp_decoder_evicted(e->decoder);
    out->conns_live = e->conns_live;
    if (e->rollup)
        out->rollup = lamp_rollup_counters(e->rollup);
    const struct lamp_opaque_counters opaque = lamp_opaque_counters(e->opaque);
    const struct lamp_classify_counters classify = lamp_classify_counters(e->classify);
    out->conns_refused = classify.refused + opaque.refused + opaque.unnamed;
    out->reasm_conflicts = lamp_reasm_counters(e->reasm).conflicts;
    out->reasm_dropped_bytes =
        lamp_reasm_counters(e->reasm).dropped_bytes + classify.left_out_bytes;
}
