/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/writer/tracker.h"

#include "aggregator/writer/lift.h"
#include "common/text.h"

#include <stdio.h>

#define MINUTE_US (60 * UINT64_C(1000000))

/* A clock that runs ahead by more than this is not believed. */
#define FUTURE_US (5 * MINUTE_US)

/* More than this in one interval is no count: sums must stay within 63 bits. */
#define COUNT_MAX (UINT64_C(1) << 50)

/* ---- text ---- */

/* Text from the wire as it is stored: valid UTF-8, no control characters (lists are separated
 * by newlines), other bytes as \xNN. Returns whether buf changed. Empty text changes nothing. */
static bool take_text(struct lamp_bytes from, char *buf, size_t size)
{
    char raw[4 * LAMP_WIRE_STRING_MAX + 1], clean[4 * sizeof(raw)];
    size_t n = 0;
    for (size_t i = 0; i < from.len && n + 4 < sizeof(raw); i++) {
        if (from.data[i] < 0x20 || from.data[i] == 0x7f)
            n += (size_t)snprintf(raw + n, sizeof(raw) - n, "\\x%02x", from.data[i]);
        else
            raw[n++] = (char)from.data[i];
    }
    if (n == 0)
        return false;
    lamp_text_utf8((const uint8_t *)raw, n, clean, lamp_min(size, sizeof(clean)));
    if (streq(clean, buf))
        return false;
    memcpy(buf, clean, strlen(clean) + 1);
    return true;
}

/* Text as take_text() makes it: itself where that changes nothing of it, which is nearly always. */
static struct lamp_bytes storable(struct lamp_bytes from, char buf[LAMP_TRACK_TEXT])
{
    bool plain = from.len < LAMP_TRACK_TEXT;
    for (size_t i = 0; plain && i < from.len; i++)
        plain = from.data[i] >= 0x20 && from.data[i] < 0x7f;
    if (plain)
        return from;
    buf[0] = '\0';
    (void)take_text(from, buf, LAMP_TRACK_TEXT);
    return lamp_bytes_of(buf);
}

struct name {
    const char *text;
    size_t len;
    uint64_t at_us;
};

/* Newest first, then by name. */
static bool comes_before(const struct name *a, const struct name *b)
{
    if (a->at_us != b->at_us)
        return a->at_us > b->at_us;
    const int order = memcmp(a->text, b->text, lamp_min(a->len, b->len));
    return order < 0 || (order == 0 && a->len < b->len);
}

/* Takes a name that was said at a time into a '\n'-separated list and the times of its names. Kept are
 * the newest that there is room for: whatever comes in which order, the list is the same in the end, since
 * what falls off has newer names before it that only become newer. */
static void list_add(char list[LAMP_TRACK_LIST], uint64_t times[LAMP_NAMES_MAX], const char *name,
                     uint64_t at_us)
{
    struct name names[LAMP_NAMES_MAX + 1], add = { name, strlen(name), at_us };
    if (add.len == 0)
        return;
    if (strncmp(list, name, add.len) == 0 && (list[add.len] == '\n' || list[add.len] == '\0') &&
        times[0] <= at_us) {
        times[0] = at_us;
        return;
    }
    char old[LAMP_TRACK_LIST];
    size_t n = 0;
    memcpy(old, list, sizeof(old));
    for (const char *p = old; *p && n < LAMP_NAMES_MAX;) {
        const size_t part = strcspn(p, "\n");
        names[n] = (struct name){ p, part, times[n] };
        if (part == add.len && memcmp(p, name, part) == 0)
            add.at_us = times[n] > at_us ? times[n] : at_us;
        n++;
        p += part + (p[part] == '\n');
    }
    size_t kept = 0, len = 0;
    bool added = false;
    for (size_t i = 0; i <= n && kept < LAMP_NAMES_MAX;) {
        const bool old_one =
            i < n && names[i].len == add.len && memcmp(names[i].text, name, add.len) == 0;
        if (old_one) {
            i++;
            continue;
        }
        const bool mine = !added && (i == n || comes_before(&add, &names[i]));
        if (!mine && i == n)
            break;
        const struct name *next = mine ? &add : &names[i];
        if (len + next->len + 2 > LAMP_TRACK_LIST)
            break;
        if (kept)
            list[len++] = '\n';
        memcpy(list + len, next->text, next->len);
        len += next->len;
        times[kept++] = next->at_us;
        added |= mine;
        i += !mine;
    }
    list[len] = '\0';
    memset(times + kept, 0, (LAMP_NAMES_MAX - kept) * sizeof(*times));
}

/* ---- a connection ---- */

static uint32_t add_u32(uint32_t a, uint32_t b)
{
    return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

static uint64_t at_most(uint64_t t_us, uint64_t limit_us)
{
    return t_us < limit_us ? t_us : limit_us;
}

static void add_counts(struct lamp_conn_row *r, const struct lamp_conn_row *delta)
{
    r->bytes_up += delta->bytes_up;
    r->bytes_down += delta->bytes_down;
    r->packets_up += delta->packets_up;
    r->packets_down += delta->packets_down;
    r->jobs = add_u32(r->jobs, delta->jobs);
    r->submitted = add_u32(r->submitted, delta->submitted);
    r->accepted = add_u32(r->accepted, delta->accepted);
    r->rejected = add_u32(r->rejected, delta->rejected);
    r->stale = add_u32(r->stale, delta->stale);
    r->work_hashes += delta->work_hashes;
}

/* The sum of the squares of the work of a row's shares, as if they were alike: with the work
 * itself it says how many equal shares would vary as much (lamp_rate_from_shares()). */
static double squares_of(const struct lamp_conn_row *row)
{
    return row->work_hashes * row->work_hashes / (row->work_shares ? row->work_shares : 1);
}

static void add_recent(struct lamp_recent recent[LAMP_RECENT_MINUTES], uint64_t minute,
                       const struct lamp_conn_row *delta)
{
    struct lamp_recent *r = &recent[minute % LAMP_RECENT_MINUTES];
    if (r->minute > minute)
        return; /* replayed from before the window */
    if (r->minute < minute)
        *r = (struct lamp_recent){ .minute = minute };
    r->work += delta->work_hashes;
    r->squares += squares_of(delta);
}

static bool is_unit(struct lamp_bytes s)
{
    return lamp_bytes_eq(s, "H/s") || lamp_bytes_eq(s, "Sol/s") || lamp_bytes_eq(s, "G/s");
}

/* Takes a reason in; what is not said now does not stay from the reason it replaces. Returns whether
 * anything changed. */
static bool take_reason(const struct lamp_evidence *from, uint64_t latest_us,
                        struct lamp_track_evidence *e)
{
    const struct {
        struct lamp_bytes from;
        char *to;
        size_t size;
    } texts[] = { { from->kind, e->kind, sizeof(e->kind) },
                  { from->detail, e->detail, sizeof(e->detail) },
                  { from->field, e->field, sizeof(e->field) },
                  { from->strength, e->strength, sizeof(e->strength) },
                  { from->refute, e->refute, sizeof(e->refute) } };
    const uint64_t t_us = at_most(from->t_us, latest_us);
    bool changed = t_us != e->t_us || from->side != e->side;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (texts[i].from.len == 0 && *texts[i].to) {
            *texts[i].to = '\0';
            changed = true;
        }
        changed |= take_text(texts[i].from, texts[i].to, texts[i].size);
    }
    e->t_us = t_us;
    e->side = from->side;
    return changed;
}

/* Whether what a row whose newest packet is of seen_us says of `what` is no older than what is known. Where no
 * packet came in between, the row that comes last counts. */
static bool is_newer(struct lamp_track_conn *c, int what, uint64_t seen_us)
{
    if (seen_us < c->said_us[what])
        return false;
    c->said_us[what] = seen_us;
    return true;
}

static void texts_of(const struct lamp_conn_row *row, struct lamp_bytes out[LAMP_TEXT_COUNT])
{
    const struct lamp_bytes texts[LAMP_TEXT_COUNT] = {
        row->family,
        row->coin,
        row->algorithm,
        row->wallet,
        row->worker,
        row->agent,
        row->pool,
        row->server_name,
        row->sni,
        row->ja4,
        is_unit(row->hash_unit) ? row->hash_unit : (struct lamp_bytes){ 0 },
        row->tunnel_kind,
        row->tunnel_host,
        row->platform,
    };
    memcpy(out, texts, sizeof(texts));
}

/* What of a connection is no count, no text and no evidence. */
static void take_numbers(struct lamp_track_conn *c, const struct lamp_conn_row *row,
                         uint64_t seen_us)
{
    if (row->verdict > c->row.verdict ||
        (row->verdict == c->row.verdict && row->confidence > c->row.confidence)) {
        c->row.verdict = row->verdict;
        c->row.confidence = row->confidence;
    }
    if (row->tunnel_port > 0 && is_newer(c, LAMP_SAID_TUNNEL_PORT, seen_us))
        c->row.tunnel_port = row->tunnel_port;
    if (row->difficulty > 0 && is_newer(c, LAMP_SAID_DIFFICULTY, seen_us))
        c->row.difficulty = row->difficulty;
    if (row->self_rate > 0 && is_newer(c, LAMP_SAID_SELF_RATE, seen_us))
        c->row.self_rate = row->self_rate;
    c->row.flags |= row->flags & LAMP_CONN_SAID & ~(uint32_t)LAMP_CONN_RECALLED;
    if (row->devices > 0 && is_newer(c, LAMP_SAID_DEVICES, seen_us))
        c->row.devices = row->devices;
    if (row->work_method != LAMP_RATE_NONE && is_newer(c, LAMP_SAID_WORK, seen_us)) {
        c->row.work_method = row->work_method;
        c->row.hash_values = row->hash_values;
    }
    if (row->other_method != LAMP_RATE_NONE && is_newer(c, LAMP_SAID_OTHER, seen_us)) {
        c->row.other_method = row->other_method;
        c->row.other_rate = row->other_rate;
        c->row.other_low = row->other_low;
        c->row.other_high = row->other_high;
    }
}

/* The newest value of everything that is not counted. Returns whether evidence changed. */
static bool take_values(struct lamp_track_conn *c, const struct lamp_conn_row *row,
                        uint64_t seen_us, uint64_t latest_us)
{
    struct lamp_bytes texts[LAMP_TEXT_COUNT];
    texts_of(row, texts);
    for (int i = 0; i < LAMP_TEXT_COUNT; i++)
        if (texts[i].len && is_newer(c, i, seen_us))
            (void)take_text(texts[i], c->text[i], sizeof(c->text[i]));
    take_numbers(c, row, seen_us);
    if (row->n_evidence == 0 || !is_newer(c, LAMP_SAID_EVIDENCE, seen_us))
        return false;
    bool changed = row->n_evidence != c->n_evidence;
    for (size_t i = 0; i < row->n_evidence; i++)
        changed |= take_reason(&row->evidence[i], latest_us, &c->evidence[i]);
    c->n_evidence = row->n_evidence;
    return changed;
}

static void new_conn(const struct lamp_record *rec, const struct lamp_batch *b,
                     const struct lamp_conn_row *row, struct lamp_track_conn *c)
{
    memset(c, 0, sizeof(*c));
    c->sensor_ref = rec->sensor->ref;
    c->site_ref = rec->sensor->site_ref;
    memcpy(c->cap_run, b->cap_run, sizeof(c->cap_run));
    c->row.conn_id = row->conn_id;
    c->row.client_addr = row->client_addr;
    c->row.server_addr = row->server_addr;
    c->row.client_port = row->client_port;
    c->row.server_port = row->server_port;
    c->row.ip_proto = row->ip_proto;
    c->row.vlan = row->vlan;
    c->row.first_us = at_most(row->first_us, rec->now_us + FUTURE_US);
}

/* ---- a miner ---- */

static void add_totals(struct lamp_totals *t, const struct lamp_conn_row *r)
{
    t->bytes_up += r->bytes_up;
    t->bytes_down += r->bytes_down;
    t->packets_up += r->packets_up;
    t->packets_down += r->packets_down;
    t->jobs += r->jobs;
    t->submitted += r->submitted;
    t->accepted += r->accepted;
    t->rejected += r->rejected;
    t->stale += r->stale;
}

enum { SERVER_STRLEN = LAMP_ADDR_STRLEN + 10 };

/* "203.0.113.9:3333", "[2001:db8::9]:3333". Returns buf. */
static const char *server_of(const struct lamp_conn_row *r, char buf[SERVER_STRLEN])
{
    char addr[LAMP_ADDR_STRLEN];
    lamp_addr_str(&r->server_addr, addr);
    snprintf(buf, SERVER_STRLEN, lamp_addr_is_v4(&r->server_addr) ? "%s:%u" : "[%s]:%u", addr,
             r->server_port);
    return buf;
}

/* The names that a row says, and, of a connection that is new to the miner, those said before. */
static void add_names(struct lamp_track_miner *m, const struct lamp_track_conn *c,
                      const struct lamp_conn_row *row, const char *sensor, uint64_t seen_us)
{
    static const struct {
        enum lamp_track_list list;
        enum lamp_track_text text;
    } names[] = {
        { LAMP_LIST_COINS, LAMP_TEXT_COIN },           { LAMP_LIST_FAMILIES, LAMP_TEXT_FAMILY },
        { LAMP_LIST_ALGORITHMS, LAMP_TEXT_ALGORITHM }, { LAMP_LIST_WALLETS, LAMP_TEXT_WALLET },
        { LAMP_LIST_WORKERS, LAMP_TEXT_WORKER },       { LAMP_LIST_AGENTS, LAMP_TEXT_AGENT },
        { LAMP_LIST_PLATFORMS, LAMP_TEXT_PLATFORM },
    };
    struct lamp_bytes texts[LAMP_TEXT_COUNT];
    texts_of(row, texts);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const enum lamp_track_text text = names[i].text;
        char late[LAMP_TRACK_TEXT] = ""; /* something newer is known of the connection already */
        if (texts[text].len && seen_us < c->said_us[text] &&
            take_text(texts[text], late, sizeof(late)))
            list_add(m->list[names[i].list], m->list_us[names[i].list], late, seen_us);
        if (c->miner_id == 0 || (texts[text].len && seen_us == c->said_us[text]))
            list_add(m->list[names[i].list], m->list_us[names[i].list], c->text[text],
                     c->said_us[text]);
    }
    char server[SERVER_STRLEN];
    list_add(m->list[LAMP_LIST_POOLS], m->list_us[LAMP_LIST_POOLS], server_of(&c->row, server),
             seen_us);
    list_add(m->list[LAMP_LIST_SENSORS], m->list_us[LAMP_LIST_SENSORS], sensor, seen_us);
}

/* Whether a connection is what its miner is shown at: the newest, and of several such one and the same. */
static bool is_newest(const struct lamp_track_miner *m, const struct lamp_conn_row *r)
{
    if (r->last_us != m->last_us)
        return r->last_us > m->last_us;
    const int order = memcmp(r->server_addr.b, m->server_addr.b, sizeof(r->server_addr.b));
    if (order != 0 || r->server_port != m->server_port)
        return order > 0 || (order == 0 && r->server_port > m->server_port);
    return r->ip_proto >= m->ip_proto;
}

static void weigh(struct lamp_track_miner *m, const struct lamp_conn_row *r)
{
    if (r->verdict > m->verdict || (r->verdict == m->verdict && r->confidence > m->confidence)) {
        m->verdict = r->verdict;
        m->confidence = r->confidence;
    }
}

/* Adds to the connection's miner what `delta` says; all of the connection when it is new to
 * the miner. */
static int merge_miner(const struct lamp_tracker *t, const struct lamp_record *rec,
                       struct lamp_track_conn *c, const struct lamp_conn_row *delta,
                       uint64_t seen_us)
{
    struct lamp_track_miner *m = calloc(1, sizeof(*m)); /* too large for a stack */
    if (!m)
        return LAMP_ENOMEM;
    const struct lamp_conn_row *r = &c->row;
    bool newly_blocked = false;
    int err = lamp_store_miner_find(t->store, c->site_ref, &r->client_addr, r->vlan, m);
    if (err == LAMP_ENOENT) {
        *m = (struct lamp_track_miner){ .site_ref = c->site_ref,
                                        .host = r->client_addr,
                                        .vlan = r->vlan,
                                        .since_us = r->first_us };
        err = LAMP_OK;
    }
    if (err != LAMP_OK)
        goto done;
    m->connections += c->miner_id == 0;
    add_totals(&m->totals, c->miner_id == 0 ? r : delta);
    weigh(m, r);
    m->since_us = at_most(m->since_us, r->first_us);
    add_names(m, c, delta, rec->sensor->id, seen_us);
    if (is_newest(m, r)) {
        m->last_us = r->last_us;
        m->server_addr = r->server_addr;
        m->server_port = r->server_port;
        m->ip_proto = r->ip_proto;
        const bool was_blocked = m->blocked;
        m->blocked = t->covered(&(struct lamp_miner_target){ .id = m->id,
                                                             .site = rec->sensor->site,
                                                             .host = m->host,
                                                             .server_addr = m->server_addr,
                                                             .server_port = m->server_port,
                                                             .ip_proto = m->ip_proto,
                                                             .blocked = m->blocked },
                                t->arg);
        newly_blocked = m->blocked && !was_blocked;
    }
    err = lamp_store_miner_save(t->store, m);
    if (err == LAMP_OK && newly_blocked)
        err = lamp_store_step(t->store, m->id,
                              &(struct lamp_step_view){ "blocked", "", "", r->last_us });
    if (err == LAMP_OK) {
        c->miner_id = m->id;
        t->touched(m->id, t->arg);
    }
done:
    free(m);
    return err;
}

/* A sensor is trusted with what it saw, not with keeping within reason. */
static struct lamp_conn_row within_reason(const struct lamp_conn_row *row)
{
    struct lamp_conn_row r = *row;
    uint64_t *const counts[] = { &r.bytes_up, &r.bytes_down, &r.packets_up, &r.packets_down };
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        *counts[i] = at_most(*counts[i], COUNT_MAX);
    double *const reals[] = { &r.work_hashes, &r.difficulty, &r.self_rate,
                              &r.other_rate,  &r.other_low,  &r.other_high };
    for (size_t i = 0; i < ARRAY_LEN(reals); i++)
        if (!(*reals[i] >= 0 && *reals[i] <= 1e30))
            *reals[i] = 0;
    return r;
}

/* How often a pair's memory is renewed while nothing else about it changes. */
#define PAIR_RENEW_US (10 * MINUTE_US)

/* What the same client was found to do at this server within a day holds for the connection as well, once
 * anything is suspected of it: a verdict rises and is remembered. Only what a connection shows by
 * itself prolongs the memory. */
static int recall(const struct lamp_tracker *t, struct lamp_track_conn *c,
                  const struct lamp_conn_row *before, const struct lamp_conn_row *row)
{
    struct lamp_conn_row *r = &c->row;
    if (r->verdict < LAMP_VERDICT_SUSPECTED ||
        (c->id != 0 && r->verdict == before->verdict && r->confidence == before->confidence &&
         r->last_us / PAIR_RENEW_US == before->last_us / PAIR_RENEW_US))
        return LAMP_OK;
    struct lamp_track_pair p = {
        .site_ref = c->site_ref,
        .client = r->client_addr,
        .server = r->server_addr,
        .vlan = r->vlan,
        .server_port = r->server_port,
        .ip_proto = r->ip_proto,
    };
    const int err = lamp_store_pair_find(t->store, &p);
    if (err != LAMP_OK && err != LAMP_ENOENT)
        return err;
    if (err == LAMP_OK && r->first_us < p.last_us + LAMP_PAIR_US &&
        (p.verdict > r->verdict || (p.verdict == r->verdict && p.confidence > r->confidence))) {
        r->verdict = p.verdict;
        r->confidence = p.confidence;
    }
    const enum lamp_verdict own =
        row->flags & LAMP_CONN_RECALLED ? LAMP_VERDICT_NONE : row->verdict;
    if (r->verdict > own) {
        if (!(r->flags & (LAMP_CONN_PROBED | LAMP_CONN_FLEET)))
            r->flags |= LAMP_CONN_RECALLED;
        return LAMP_OK;
    }
    r->flags &= ~(uint32_t)LAMP_CONN_RECALLED;
    p.verdict = r->verdict;
    p.confidence = r->confidence;
    p.last_us = r->last_us > p.last_us ? r->last_us : p.last_us;
    return lamp_store_pair_save(t->store, &p);
}

/* What the aggregator alone knows of the server of a connection. */
static int know_server(const struct lamp_tracker *t, const struct lamp_track_conn *c,
                       uint64_t now_us, struct lamp_server_known *out)
{
    const struct lamp_conn_row *r = &c->row;
    const struct lamp_track_pair of = {
        .site_ref = c->site_ref,
        .client = r->client_addr,
        .server = r->server_addr,
        .vlan = r->vlan,
        .server_port = r->server_port,
        .ip_proto = r->ip_proto,
    };
    return lamp_store_server_known(t->store, &of, now_us > LAMP_PAIR_US ? now_us - LAMP_PAIR_US : 0,
                                   out);
}

/* What was looked up of the server of a row's connection, once for all that want it. */
struct looked {
    bool done;
    struct lamp_server_known known;
};

/* That holds too: looked up for as long as the connection is but suspected, since a probe takes its
 * time. */
static int lift(const struct lamp_tracker *t, struct lamp_track_conn *c,
                const struct lamp_conn_row *row, uint64_t now_us, struct looked *server,
                struct lamp_lift *out)
{
    struct lamp_conn_row *r = &c->row;
    *out = (struct lamp_lift){ .n_evidence = 0 };
    if (r->verdict != LAMP_VERDICT_SUSPECTED || row->verdict != LAMP_VERDICT_SUSPECTED ||
        *c->text[LAMP_TEXT_TUNNEL_KIND])
        return LAMP_OK;
    const int err = know_server(t, c, now_us, &server->known);
    if (err != LAMP_OK)
        return err;
    server->done = true;
    lamp_lift_weigh(c, row->confidence, &server->known, now_us, out);
    if (out->n_evidence) {
        r->verdict = out->verdict;
        r->confidence = out->confidence;
        r->flags |= out->flags;
    }
    return LAMP_OK;
}

/* What is encrypted tells its rate by the shares at the start, which are of the difficulty that the
 * server gave a probe of ours as well: tried until a probe has found it. */
static int time_shares(const struct lamp_tracker *t, struct lamp_track_conn *c,
                       const struct lamp_conn_row *row, uint64_t now_us, struct looked *server)
{
    struct lamp_conn_row *r = &c->row;
    if (row->early_shares <= 1 || r->verdict < LAMP_VERDICT_SUSPECTED ||
        r->other_method != LAMP_RATE_NONE || *c->text[LAMP_TEXT_TUNNEL_KIND])
        return LAMP_OK;
    const int err = server->done ? LAMP_OK : lamp_store_server_probed(t->store, r, &server->known);
    if (err != LAMP_OK)
        return err;
    const struct lamp_rate rate = lamp_lift_rate(
        &server->known, t->catalogue, c->text[LAMP_TEXT_ALGORITHM], row->early_shares - 1, now_us);
    r->other_method = rate.method;
    r->other_rate = rate.value;
    r->other_low = rate.low;
    r->other_high = rate.high;
    return LAMP_OK;
}

/* Tells a miner what its connection was lifted or lowered by. */
static int note_lift(const struct lamp_tracker *t, const struct lamp_track_conn *c,
                     const struct lamp_lift *l, uint64_t at_us)
{
    int err = LAMP_OK;
    for (size_t i = 0; i < l->n_evidence && err == LAMP_OK; i++)
        err = lamp_store_sighting(t->store, c->miner_id, 0, &l->evidence[i], at_us, at_us);
    return err == LAMP_OK && l->verdict > LAMP_VERDICT_SUSPECTED
               ? lamp_store_level(t->store, c->miner_id, 0, l->verdict, at_us)
               : err;
}

static int note_reason(const struct lamp_tracker *t, const struct lamp_record *rec,
                       const struct lamp_track_conn *c, const struct lamp_track_evidence *e,
                       uint64_t at_us)
{
    const uint64_t seen_us = e->t_us ? e->t_us : at_us;
    return lamp_store_sighting(t->store, c->miner_id, rec->sensor->ref, e, seen_us, seen_us);
}

/* What a row brings to the timeline of its miner. */
struct news {
    bool reasons; /* the connection has other reasons than before, or is new to the miner */
    bool late;    /* something newer was merged before it */
    bool level;   /* the row may be the first to say so much */
    uint64_t at_us, latest_us;
};

/* Notes in the miner's timeline what is new of a connection: its reasons, and how far they lead by
 * themselves. */
static int note(const struct lamp_tracker *t, const struct lamp_record *rec,
                const struct lamp_track_conn *c, const struct lamp_conn_row *row,
                const struct news *news)
{
    int err = LAMP_OK;
    for (size_t i = 0; news->reasons && i < c->n_evidence && err == LAMP_OK; i++)
        err = note_reason(t, rec, c, &c->evidence[i], news->at_us);
    for (size_t i = 0; news->late && i < row->n_evidence && err == LAMP_OK; i++) {
        struct lamp_track_evidence e = { .t_us = 0 };
        (void)take_reason(&row->evidence[i], news->latest_us, &e);
        err = note_reason(t, rec, c, &e, news->at_us);
    }
    const enum lamp_verdict own =
        row->flags & LAMP_CONN_RECALLED ? LAMP_VERDICT_NONE : row->verdict;
    return err == LAMP_OK && own >= LAMP_VERDICT_SUSPECTED && (news->level || news->late)
               ? lamp_store_level(t->store, c->miner_id, rec->sensor->ref, own, news->at_us)
               : err;
}

/* When the newest row with news of a connection was seen. */
static uint64_t newest_us(const struct lamp_track_conn *c)
{
    uint64_t us = 0;
    for (size_t i = 0; i < LAMP_SAID_COUNT; i++)
        us = c->said_us[i] > us ? c->said_us[i] : us;
    return us;
}

/* ---- what several sites have in common ---- */

/* What is said of a miner whose sites share something, by kind. A pool's address or a program is nothing
 * unusual to share; a wallet is one owner's. */
static const struct {
    const char *detail, *strength, *refute;
} shared[LAMP_TRACE_COUNT] = {
    [LAMP_TRACE_REMOTE] = { "the same server", "weak", "a service that many use" },
    [LAMP_TRACE_WALLET] = { "the same wallet", "strong", "the owner's rigs at several sites" },
    [LAMP_TRACE_WORKER] = { "the same worker", "weak", "a name that many choose" },
    [LAMP_TRACE_AGENT] = { "the same agent", "weak", "a program that many use" },
    [LAMP_TRACE_JA4] = { "the same JA4", "weak", "a library that many programs use" },
};

/* The kind of its own says that the aggregator, which alone sees several sites, says it; nobody's sensor. */
static int tell_miners(const struct lamp_tracker *t, const struct lamp_trace *trace)
{
    int64_t miners[LAMP_TRACE_SITES];
    size_t n = 0;
    struct lamp_track_evidence e = { .kind = "fleet" };
    snprintf(e.detail, sizeof(e.detail), "%s at several sites: %.200s", shared[trace->kind].detail,
             trace->value);
    snprintf(e.strength, sizeof(e.strength), "%s", shared[trace->kind].strength);
    snprintf(e.refute, sizeof(e.refute), "%s", shared[trace->kind].refute);
    int err = lamp_store_trace(t->store, trace, miners, &n);
    for (size_t i = 0; i < n && err == LAMP_OK; i++) {
        err = lamp_store_sighting(t->store, miners[i], 0, &e, trace->at_us, trace->at_us);
        t->touched(miners[i], t->arg);
    }
    return err;
}

static int correlate(const struct lamp_tracker *t, const struct lamp_track_conn *c, uint64_t at_us)
{
    char server[SERVER_STRLEN];
    const char *const values[LAMP_TRACE_COUNT] = {
        [LAMP_TRACE_REMOTE] = server_of(&c->row, server),
        [LAMP_TRACE_WALLET] = c->text[LAMP_TEXT_WALLET],
        [LAMP_TRACE_WORKER] = c->text[LAMP_TEXT_WORKER],
        [LAMP_TRACE_AGENT] = c->text[LAMP_TEXT_AGENT],
        [LAMP_TRACE_JA4] = c->text[LAMP_TEXT_JA4],
    };
    int err = LAMP_OK;
    for (int i = 0; i < LAMP_TRACE_COUNT && err == LAMP_OK; i++)
        if (*values[i])
            err = tell_miners(t, &(struct lamp_trace){ (enum lamp_trace_kind)i, values[i],
                                                       c->site_ref, c->miner_id, at_us });
    return err;
}

static int merge_row(const struct lamp_tracker *t, const struct lamp_record *rec,
                     const struct lamp_batch *b, const struct lamp_conn_row *received,
                     struct lamp_track_conn *c)
{
    const struct lamp_conn_row sane = within_reason(received), *row = &sane;
    int err = lamp_store_conn_find(t->store, rec->sensor->ref, b->cap_run, row->conn_id, c);
    if (err == LAMP_ENOENT) {
        new_conn(rec, b, row, c);
        err = LAMP_OK;
    }
    if (err != LAMP_OK)
        return err;

    const uint64_t latest_us = rec->now_us + FUTURE_US;
    const uint64_t last_us = at_most(row->last_us, latest_us);
    const struct lamp_conn_row before = c->row;
    add_counts(&c->row, row);
    if (last_us > c->row.last_us)
        c->row.last_us = last_us;
    c->row.first_us = at_most(c->row.first_us, row->first_us);
    struct news news = { .late = last_us < newest_us(c), .latest_us = latest_us };
    const bool new_evidence = take_values(c, row, last_us, latest_us);
    c->squares += squares_of(row);

    /* The minute the row belongs to: that of its newest packet, within the batch's interval. */
    uint64_t at_us = last_us > b->t_from_us ? last_us : b->t_from_us;
    at_us = at_most(at_most(at_us, b->t_to_us), latest_us);
    add_recent(c->recent, at_us / MINUTE_US, row);

    struct lamp_lift lifted = { .n_evidence = 0 };
    struct looked server = { .done = false };
    err = recall(t, c, &before, row);
    if (err == LAMP_OK)
        err = lift(t, c, row, rec->now_us, &server, &lifted);
    if (err == LAMP_OK)
        err = time_shares(t, c, row, rec->now_us, &server);
    news.at_us = at_us;
    news.reasons = new_evidence || c->miner_id == 0;
    news.level = news.reasons || row->verdict != before.verdict;
    if (err == LAMP_OK && c->row.verdict >= LAMP_VERDICT_SUSPECTED)
        err = merge_miner(t, rec, c, row, last_us);
    if (err == LAMP_OK && c->miner_id && (news.reasons || news.level || news.late))
        err = note(t, rec, c, row, &news);
    if (err == LAMP_OK && c->miner_id &&
        (news.reasons || c->row.verdict != before.verdict ||
         c->row.confidence != before.confidence))
        err = note_lift(t, c, &lifted, at_us);
    if (err == LAMP_OK && c->miner_id &&
        (news.reasons || c->row.last_us / PAIR_RENEW_US != before.last_us / PAIR_RENEW_US))
        err = correlate(t, c, at_us);
    if (err == LAMP_OK)
        err = lamp_store_conn_save(t->store, c, new_evidence);
    if (err == LAMP_OK)
        err = lamp_store_minute(t->store, c, at_us / MINUTE_US, rec->stream_ref, rec->seq, row,
                                squares_of(row));
    if (err == LAMP_OK && c->row.verdict >= LAMP_VERDICT_SUSPECTED && t->mined)
        err = t->mined(c, row, t->arg);
    return err;
}

/* Other traffic, with its texts made storable and its minute no later than now. */
static int merge_rollup(const struct lamp_tracker *t, const struct lamp_record *rec,
                        const struct lamp_rollup_row *received, uint32_t index)
{
    struct lamp_rollup_row r = *received;
    char application[LAMP_TRACK_TEXT], name[LAMP_TRACK_TEXT];
    r.application = storable(r.application, application);
    r.remote_name = storable(r.remote_name, name);
    r.minute = at_most(r.minute, (rec->now_us + FUTURE_US) / MINUTE_US);
    return lamp_store_rollup(t->store, rec->sensor->site_ref, rec->stream_ref, rec->seq, index, &r);
}

int lamp_tracker_merge(const struct lamp_tracker *t, const struct lamp_record *rec,
                       const struct lamp_batch *b)
{
    struct lamp_track_conn *c = malloc(sizeof(*c));
    int err = c ? LAMP_OK : LAMP_ENOMEM;
    for (size_t i = 0; i < b->n_conns && err == LAMP_OK; i++)
        err = merge_row(t, rec, b, &b->conns[i], c);
    for (size_t i = 0; i < b->n_rollups && err == LAMP_OK; i++)
        err = merge_rollup(t, rec, &b->rollups[i], (uint32_t)i);
    free(c);
    return err;
}
