/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/policy/habits.h"

#include "aggregator/store/spread.h"
#include "common/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#define SECOND_US UINT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define BIN_US (10 * SECOND_US)
#define GAP_US (30 * SECOND_US)  /* a longer one in what a sensor tells starts anew */
#define GOOD_US (10 * MINUTE_US) /* within the bounds for so long, and the alert ends */
#define LATE_US (20 * SECOND_US) /* rows of a minute are there so long after its end */
#define BACK_US (20 * SECOND_US) /* a packet no longer ago, and a host is not silent any more */
#define FORGET_US                                                                                  \
    (1440 * MINUTE_US) /* an unexpected destination alerts so long after it was seen */

enum {
    BINS = 60, /* ten minutes */
    MINUTES = 10,
    SLOTS = 1024,
    NEWS_AT_ONCE = 32, /* of one host in one record */
    BEATS = 8,
    QUIET_MINING_S = 60,
    QUIET_OTHER_S = 180, /* of rows that come a minute at a time */
};

static const unsigned mining_windows_s[] = { 60, 100, 300, 600 };
static const unsigned other_windows_min[] = { 1, 2, 5, 10 };

enum volume { MINING, OTHER, VOLUMES };

struct bin {
    uint64_t no; /* BIN_US, or minutes, since 1970; 0: nothing */
    double bytes;
};

struct host {
    struct lamp_baseline b;
    struct lamp_baseline_body *body;
    char sensor[LAMP_NAME_MAX];
    int64_t miner_id;
    double quiet_s; /* so long without a packet is no chance; 0: not known */
    bool mines, by_asn;
    struct lamp_bounds bounds[VOLUMES][4];

    uint64_t from_us, until_us; /* what is known of it without a gap */
    uint64_t steady_us;         /* since when it has not been silent */
    uint64_t active_us;         /* newest packet */
    uint64_t minute;            /* the last that was looked at */
    struct bin bins[BINS], minutes[MINUTES];
    uint64_t beats[LAMP_BASELINE_ENTRIES]
                  [BEATS]; /* minutes of contact, the newest first; 0: none */

    struct lamp_baseline_news *news; /* LAMP_BASELINE_NEWS places */
    bool dirty[LAMP_BASELINE_NEWS];
    size_t n_news;

    bool silent, off, unrhythmic, met; /* alerts that last */
    bool settled;                      /* what the store had of before is put right */
    uint64_t off_us;                   /* when the volume was off last */
};

struct lamp_habits {
    struct lamp_habits_cfg cfg;
    struct host *hosts[LAMP_BASELINES_MAX];
    size_t n;
    uint16_t slots[SLOTS]; /* index + 1 by address and site; 0: empty */
    uint64_t refused;
};

/* ---- hosts ---- */

static size_t slot_of(const struct lamp_addr *a)
{
    uint32_t x = 2166136261U;
    for (size_t i = 0; i < sizeof(a->b); i++)
        x = (x ^ a->b[i]) * 16777619U;
    return x % SLOTS;
}

static struct host *find(const lamp_habits *h, const char *site, const struct lamp_addr *a)
{
    for (size_t at = slot_of(a); h->slots[at]; at = (at + 1) % SLOTS) {
        struct host *x = h->hosts[h->slots[at] - 1];
        if (lamp_addr_eq(&x->b.host, a) && streq(x->b.site, site))
            return x;
    }
    return NULL;
}

static void index_hosts(lamp_habits *h)
{
    memset(h->slots, 0, sizeof(h->slots));
    for (size_t i = 0; i < h->n; i++) {
        size_t at = slot_of(&h->hosts[i]->b.host);
        while (h->slots[at])
            at = (at + 1) % SLOTS;
        h->slots[at] = (uint16_t)(i + 1);
    }
}

static struct host *free_host(struct host *x)
{
    if (x) {
        free(x->body);
        free(x->news);
        free(x);
    }
    return NULL;
}

/* The sensor that saw it last is the first of the list. */
static bool take_miner(const struct lamp_miner_view *v, void *arg)
{
    struct host *x = arg;
    x->miner_id = v->id;
    if (!*x->sensor)
        snprintf(x->sensor, sizeof(x->sensor), "%.*s", (int)strcspn(v->sensors, "\n"), v->sensors);
    return false;
}

static bool take_news(const struct lamp_baseline_news *n, void *arg)
{
    struct host *x = arg;
    x->news[x->n_news++] = *n;
    return x->n_news < LAMP_BASELINE_NEWS;
}

static int read_news(lamp_habits *h, struct host *x)
{
    x->n_news = 0;
    memset(x->dirty, 0, sizeof(x->dirty));
    return lamp_store_baseline_news(h->cfg.store, x->b.id, take_news, x);
}

/* What follows from the version in force. */
static int read_body(lamp_habits *h, struct host *x)
{
    char host[LAMP_ADDR_STRLEN];
    const struct lamp_miner_filter miner = { .site = x->b.site,
                                             .host = lamp_addr_str(&x->b.host, host),
                                             .limit = 1 };
    int err = lamp_store_baseline_body(h->cfg.store, x->b.id, x->b.version, x->body);
    if (err == LAMP_OK)
        err = lamp_store_miners(h->cfg.store, &miner, 0, take_miner, x);
    if (err != LAMP_OK)
        return err;
    const struct lamp_baseline_body *b = x->body;
    x->mines = b->mining.mean > 0;
    x->quiet_s =
        lamp_spread_quiet_s(&b->packets, b->minutes, x->mines ? QUIET_MINING_S : QUIET_OTHER_S);
    for (size_t i = 0; i < 4; i++) {
        x->bounds[MINING][i] =
            lamp_spread_bounds(&b->mining, b->minutes, mining_windows_s[i] / 60.0);
        x->bounds[OTHER][i] = lamp_spread_bounds(&b->other, b->minutes, other_windows_min[i]);
    }
    x->by_asn = false;
    for (uint32_t i = 0; i < b->n_entries; i++)
        x->by_asn |= b->entries[i].by == LAMP_BASELINE_BY_ASN;
    memset(x->beats, 0, sizeof(x->beats));
    return LAMP_OK;
}

static int open_host(lamp_habits *h, const struct lamp_baseline *b, struct host **out)
{
    struct host *x = calloc(1, sizeof(*x));
    if (!x)
        return LAMP_ENOMEM;
    x->b = *b;
    x->body = calloc(1, sizeof(*x->body));
    x->news = calloc(LAMP_BASELINE_NEWS, sizeof(*x->news));
    int err = x->body && x->news ? read_body(h, x) : LAMP_ENOMEM;
    if (err == LAMP_OK)
        err = read_news(h, x);
    if (err != LAMP_OK) {
        free_host(x);
        return err;
    }
    *out = x;
    return LAMP_OK;
}

struct list {
    struct lamp_baseline *v;
    size_t n;
};

static bool collect(const struct lamp_baseline *b, void *arg)
{
    struct list *l = arg;
    if (b->version > 0)
        l->v[l->n++] = *b;
    return l->n < LAMP_BASELINES_MAX;
}

int lamp_habits_new(const struct lamp_habits_cfg *cfg, lamp_habits **out)
{
    const struct lamp_baseline_filter all = { .id = 0 };
    lamp_habits *h = calloc(1, sizeof(*h));
    struct list l = { .v = calloc(LAMP_BASELINES_MAX, sizeof(*l.v)) };
    int err = h && l.v ? LAMP_OK : LAMP_ENOMEM;
    if (err == LAMP_OK) {
        h->cfg = *cfg;
        err = lamp_store_baselines(cfg->store, &all, collect, &l);
    }
    for (size_t i = 0; i < l.n && err == LAMP_OK; i++) {
        err = open_host(h, &l.v[i], &h->hosts[h->n]);
        h->n += err == LAMP_OK;
    }
    free(l.v);
    if (err != LAMP_OK) {
        lamp_habits_free(h);
        return err;
    }
    index_hosts(h);
    *out = h;
    return LAMP_OK;
}

lamp_habits *lamp_habits_free(lamp_habits *h)
{
    if (!h)
        return NULL;
    for (size_t i = 0; i < h->n; i++)
        free_host(h->hosts[i]);
    free(h);
    return NULL;
}

uint64_t lamp_habits_refused(const lamp_habits *h)
{
    return h->refused;
}

/* ---- alerts ---- */

__attribute__((format(printf, 6, 7))) static int set(lamp_habits *h, const struct host *x,
                                                     enum lamp_alert_kind kind, bool holds,
                                                     uint64_t at_us, const char *fmt, ...)
{
    struct lamp_alert a = { .kind = kind, .miner_id = x->miner_id };
    char host[LAMP_ADDR_STRLEN], rest[LAMP_ALERT_TEXT / 2];
    va_list ap;
    snprintf(a.subject, sizeof(a.subject), "%s at %s", lamp_addr_str(&x->b.host, host), x->b.site);
    snprintf(a.site, sizeof(a.site), "%s", x->b.site);
    va_start(ap, fmt);
    vsnprintf(rest, sizeof(rest), fmt, ap);
    va_end(ap);
    snprintf(a.text, sizeof(a.text), "Rig %.200s %.250s.", a.subject, rest);
    return lamp_alarms_set(h->cfg.alarms, &a, holds, at_us);
}

/* "203.0.113.9 port 22 (host.example)". */
static const char *name_place(const struct lamp_baseline_place *at, char *buf, size_t size)
{
    char addr[LAMP_ADDR_STRLEN];
    const char *name = *at->name ? at->name : at->pool;
    snprintf(buf, size, "%s port %u%s%.80s%s", lamp_addr_str(&at->remote, addr), at->port,
             *name ? " (" : "", name, *name ? ")" : "");
    return buf;
}

/* Of the destinations that nobody said anything to the one met last; NULL: there is none. *out_n: how many. */
static const struct lamp_baseline_news *newest_news(const struct host *x, uint64_t at_us,
                                                    size_t *out_n)
{
    const struct lamp_baseline_news *newest = NULL;
    *out_n = 0;
    for (size_t i = 0; i < x->n_news; i++) {
        const struct lamp_baseline_news *v = &x->news[i];
        if (v->say != LAMP_BASELINE_NEW || v->last_us + FORGET_US < at_us)
            continue;
        newest = !newest || v->first_us > newest->first_us ? v : newest;
        ++*out_n;
    }
    return newest;
}

static int alert_news(lamp_habits *h, struct host *x, uint64_t at_us)
{
    char place[200], others[40] = "";
    size_t n;
    const struct lamp_baseline_news *newest = newest_news(x, at_us, &n);
    x->met = newest != NULL;
    if (!newest)
        return set(h, x, LAMP_ALERT_BASELINE_DESTINATION, false, at_us, "%s", "");
    if (n > 1)
        snprintf(others, sizeof(others), " and %zu more", n - 1);
    return set(h, x, LAMP_ALERT_BASELINE_DESTINATION, true, at_us,
               "speaks to %s%s, which its baseline does not know",
               name_place(&newest->at, place, sizeof(place)), others);
}

static int end_volume(lamp_habits *h, struct host *x, uint64_t at_us)
{
    x->off = false;
    return set(h, x, LAMP_ALERT_BASELINE_VOLUME, false, at_us, "%s", "");
}

static int end_rhythm(lamp_habits *h, struct host *x, uint64_t at_us)
{
    x->unrhythmic = false;
    return set(h, x, LAMP_ALERT_BASELINE_RHYTHM, false, at_us, "%s", "");
}

static int end_all(lamp_habits *h, struct host *x, uint64_t at_us)
{
    x->silent = false;
    int err = set(h, x, LAMP_ALERT_BASELINE_SILENT, false, at_us, "%s", "");
    if (err == LAMP_OK)
        err = end_volume(h, x, at_us);
    if (err == LAMP_OK)
        err = end_rhythm(h, x, at_us);
    return err == LAMP_OK ? set(h, x, LAMP_ALERT_BASELINE_DESTINATION, false, at_us, "%s", "")
                          : err;
}

static bool take_one(const struct lamp_baseline *b, void *arg)
{
    memcpy(arg, b, sizeof(*b));
    return false;
}

/* What was measured of a host stays: it is held against the new version from now on. */
int lamp_habits_reload(lamp_habits *h, int64_t id, uint64_t now_us)
{
    struct lamp_baseline b = { .id = 0 };
    size_t i = 0;
    int err = lamp_store_baselines(h->cfg.store, &(struct lamp_baseline_filter){ .id = id },
                                   take_one, &b);
    while (i < h->n && h->hosts[i]->b.id != id)
        i++;
    if (err == LAMP_OK && i < h->n && (b.id == 0 || b.version == 0)) {
        err = end_all(h, h->hosts[i], now_us);
        free_host(h->hosts[i]);
        h->hosts[i] = h->hosts[--h->n];
    } else if (err == LAMP_OK && i < h->n) {
        struct host *x = h->hosts[i];
        const bool newer = b.version != x->b.version;
        x->b = b;
        if (newer)
            err = read_body(h, x);
        if (err == LAMP_OK)
            err = read_news(h, x);
        if (err == LAMP_OK)
            err = alert_news(h, x, now_us);
        if (err == LAMP_OK && newer && x->off)
            err = end_volume(h, x, now_us);
        if (err == LAMP_OK && newer && x->unrhythmic)
            err = end_rhythm(h, x, now_us);
    } else if (err == LAMP_OK && b.version > 0 && h->n < LAMP_BASELINES_MAX) {
        err = open_host(h, &b, &h->hosts[h->n]);
        h->n += err == LAMP_OK;
    }
    index_hosts(h);
    return err;
}

enum lamp_habits_word lamp_habits_wallet(const lamp_habits *h, const char *site,
                                         const struct lamp_addr *host, const char *wallet)
{
    const struct host *x = find(h, site, host);
    if (!x || x->body->n_wallets == 0 || !*wallet)
        return LAMP_HABITS_NO_WORD;
    for (uint32_t i = 0; i < x->body->n_wallets; i++)
        if (streq(x->body->wallets[i], wallet))
            return LAMP_HABITS_KNOWN;
    return LAMP_HABITS_FOREIGN;
}

bool lamp_habits_listens(const lamp_habits *h, const char *site, const struct lamp_addr *host)
{
    const struct host *x = find(h, site, host);
    return x && x->quiet_s > 0;
}

bool lamp_habits_silent(const lamp_habits *h, const char *site, const struct lamp_addr *host)
{
    const struct host *x = find(h, site, host);
    return x && x->silent;
}

/* ---- what a host does ---- */

static void add_bytes(struct bin *ring, size_t n, uint64_t no, uint64_t bytes)
{
    struct bin *b = &ring[no % n];
    if (b->no > no)
        return;
    if (b->no < no)
        *b = (struct bin){ .no = no };
    b->bytes += (double)bytes;
}

static double sum_bytes(const struct bin *ring, size_t n, uint64_t from, uint64_t to)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += ring[i].no >= from && ring[i].no <= to ? ring[i].bytes : 0;
    return sum;
}

static void beat(struct host *x, size_t entry, uint64_t minute)
{
    uint64_t *b = x->beats[entry];
    if (minute <= b[0])
        return;
    memmove(b + 1, b, (BEATS - 1) * sizeof(*b));
    b[0] = minute;
}

/* One that is met for the first time is written down at once, news of it with the minute. */
static int meet(lamp_habits *h, struct host *x, const struct lamp_baseline_place *at,
                const struct lamp_baseline_news *seen, size_t *io_new)
{
    for (size_t i = 0; i < x->n_news; i++) {
        struct lamp_baseline_news *n = &x->news[i];
        if (!lamp_addr_eq(&n->at.remote, &at->remote) || n->at.port != at->port ||
            n->at.ip_proto != at->ip_proto)
            continue;
        const bool again = n->last_us + FORGET_US < seen->last_us;
        const uint32_t asn = n->at.asn;
        if (*at->name || *at->pool || *at->application) {
            n->at = *at;
            n->at.asn = asn;
        }
        n->last_us = seen->last_us > n->last_us ? seen->last_us : n->last_us;
        n->bytes += seen->bytes;
        n->packets += seen->packets;
        x->dirty[i] = true;
        return again ? alert_news(h, x, seen->last_us) : LAMP_OK;
    }
    if (*io_new >= NEWS_AT_ONCE) {
        h->refused++;
        return LAMP_OK;
    }
    struct lamp_baseline_news n = *seen;
    n.at = *at;
    n.at.asn = h->cfg.asn ? h->cfg.asn(&at->remote, h->cfg.arg) : 0;
    ++*io_new;
    int err = lamp_store_baseline_note(h->cfg.store, x->b.id, &n);
    if (err == LAMP_OK && x->n_news < LAMP_BASELINE_NEWS)
        x->news[x->n_news++] = n;
    else if (err == LAMP_OK)
        err = read_news(h, x);
    return err == LAMP_OK ? alert_news(h, x, seen->last_us) : err;
}

/* Whether the destination is one of the baseline's; if not it is noted. */
static int place(lamp_habits *h, struct host *x, struct lamp_baseline_place *at,
                 const struct lamp_baseline_news *seen, size_t *io_new, bool *out_known)
{
    *out_known = true;
    if (x->by_asn && h->cfg.asn)
        at->asn = h->cfg.asn(&at->remote, h->cfg.arg);
    for (uint32_t i = 0; i < x->body->n_entries; i++) {
        if (lamp_baseline_knows(&x->body->entries[i], at)) {
            beat(x, i, seen->last_us / MINUTE_US);
            return LAMP_OK;
        }
    }
    *out_known = false;
    return meet(h, x, at, seen, io_new);
}

int lamp_habits_mined(lamp_habits *h, const struct lamp_habits_news *n)
{
    const struct lamp_conn_row *d = n->delta, *c = &n->conn->row;
    struct host *x = find(h, n->site, &c->client_addr);
    size_t any = 0;
    bool known = true;
    const uint64_t packets = d->packets_up + d->packets_down;
    if (!x || packets == 0)
        return LAMP_OK;
    snprintf(x->sensor, sizeof(x->sensor), "%s", n->sensor);
    uint64_t at_us = d->last_us > n->from_us ? d->last_us : n->from_us;
    at_us = at_us < n->to_us ? at_us : n->to_us;
    x->active_us = at_us > x->active_us ? at_us : x->active_us;
    struct lamp_baseline_place at = {
        .remote = c->server_addr, .ip_proto = c->ip_proto, .port = c->server_port, .mining = true
    };
    snprintf(at.name, sizeof(at.name), "%.128s", n->conn->text[LAMP_TEXT_SERVER_NAME]);
    snprintf(at.pool, sizeof(at.pool), "%.128s", n->conn->text[LAMP_TEXT_POOL]);
    snprintf(at.application, sizeof(at.application), "%.128s", n->conn->text[LAMP_TEXT_FAMILY]);
    const struct lamp_baseline_news seen = { .first_us = at_us,
                                             .last_us = at_us,
                                             .bytes = d->bytes_up + d->bytes_down,
                                             .packets = packets };
    const int err = place(h, x, &at, &seen, &any, &known);
    if (known)
        add_bytes(x->bins, BINS, (n->to_us - 1) / BIN_US, seen.bytes);
    return err;
}

static int other_row(lamp_habits *h, const char *site, const char *sensor,
                     const struct lamp_rollup_row *r, size_t *io_new)
{
    struct host *x = find(h, site, &r->inside_addr);
    bool known = true;
    if (!x || r->packets_out == 0)
        return LAMP_OK;
    snprintf(x->sensor, sizeof(x->sensor), "%s", sensor);
    struct lamp_baseline_place at = { .remote = r->remote_addr,
                                      .ip_proto = r->ip_proto,
                                      .port = r->service_port };
    lamp_text_utf8(r->remote_name.data, r->remote_name.len, at.name, sizeof(at.name));
    lamp_text_utf8(r->application.data, r->application.len, at.application, sizeof(at.application));
    const struct lamp_baseline_news seen = { .first_us = r->minute * MINUTE_US,
                                             .last_us = r->minute * MINUTE_US,
                                             .bytes = r->bytes_out + r->bytes_in,
                                             .packets = r->packets_out + r->packets_in };
    if (!x->mines && (r->minute + 1) * MINUTE_US > x->active_us)
        x->active_us = (r->minute + 1) * MINUTE_US;
    const int err = place(h, x, &at, &seen, io_new, &known);
    if (known)
        add_bytes(x->minutes, MINUTES, r->minute, seen.bytes);
    return err;
}

/* A connection that is no mining, such as one of a node, in the form of the rest. */
static int other_conn(lamp_habits *h, const char *site, const char *sensor,
                      const struct lamp_batch *b, const struct lamp_conn_row *c, size_t *io_new)
{
    if (c->verdict >= LAMP_VERDICT_SUSPECTED)
        return LAMP_OK; /* lamp_habits_mined() had it */
    const struct lamp_rollup_row r = { .minute = (b->t_to_us - 1) / MINUTE_US,
                                       .inside_addr = c->client_addr,
                                       .remote_addr = c->server_addr,
                                       .ip_proto = c->ip_proto,
                                       .service_port = c->server_port,
                                       .application = c->family,
                                       .remote_name = c->server_name,
                                       .bytes_out = c->bytes_up,
                                       .bytes_in = c->bytes_down,
                                       .packets_out = c->packets_up,
                                       .packets_in = c->packets_down };
    return other_row(h, site, sensor, &r, io_new);
}

/* ---- the look at a host ---- */

/* Starts anew: what was before says nothing of now. */
static void start(struct host *x, uint64_t from_us)
{
    memset(x->bins, 0, sizeof(x->bins));
    memset(x->minutes, 0, sizeof(x->minutes));
    memset(x->beats, 0, sizeof(x->beats));
    x->from_us = x->steady_us = x->active_us = from_us;
    x->settled = false;
}

static int look_at_silence(lamp_habits *h, struct host *x, uint64_t to_us)
{
    const double quiet_s = to_us > x->active_us ? (double)(to_us - x->active_us) / SECOND_US : 0;
    if (x->silent) {
        if (to_us > x->active_us + BACK_US)
            return LAMP_OK;
        x->silent = false;
        start(x, x->active_us);
        return set(h, x, LAMP_ALERT_BASELINE_SILENT, false, to_us, "%s", "");
    }
    if (x->quiet_s <= 0 || quiet_s < x->quiet_s)
        return LAMP_OK;
    int err = x->off ? end_volume(h, x, to_us) : LAMP_OK;
    if (err == LAMP_OK && x->unrhythmic)
        err = end_rhythm(h, x, to_us);
    x->silent = err == LAMP_OK;
    return err ? err
               : set(h, x, LAMP_ALERT_BASELINE_SILENT, true, to_us,
                     "has sent and received nothing%s for %.0f seconds; after %.0f that is no "
                     "chance by its baseline",
                     x->mines ? " of its mining" : "", quiet_s, x->quiet_s);
}

/* Little traffic is that of a host that speaks now, or it is for look_at_silence(). */
static bool speaks(const struct host *x, uint64_t to_us)
{
    const double quiet_s = to_us > x->active_us ? (double)(to_us - x->active_us) / SECOND_US : 0;
    return !x->mines || quiet_s <= fmax(15, x->quiet_s / 3);
}

static int volume_off(lamp_habits *h, struct host *x, enum volume which, double bytes, double usual,
                      unsigned window_s, uint64_t to_us)
{
    x->off_us = to_us;
    if (x->off)
        return LAMP_OK;
    x->off = true;
    return set(
        h, x, LAMP_ALERT_BASELINE_VOLUME, true, to_us,
        "has %.2g times the %s traffic of its baseline: %.0f bytes in %u seconds, where %.0f "
        "are usual",
        bytes / usual, which == MINING ? "mining" : "other", bytes, window_s, usual);
}

/* Sums of the windows that end with an interval, or a minute, and that are known whole. */
static int look_at_volume(lamp_habits *h, struct host *x, enum volume which, uint64_t end_us,
                          uint64_t step_us)
{
    const struct lamp_spread *s = which == MINING ? &x->body->mining : &x->body->other;
    const bool mining = which == MINING;
    const uint64_t bin_us = mining ? BIN_US : MINUTE_US;
    int err = LAMP_OK;
    for (size_t i = 0; i < 4 && s->mean > 0 && err == LAMP_OK; i++) {
        const unsigned window_s = mining ? mining_windows_s[i] : 60 * other_windows_min[i];
        const uint64_t window_us = window_s * SECOND_US;
        if (window_us % step_us || end_us < x->steady_us + window_us)
            continue;
        const uint64_t last = (end_us - 1) / bin_us;
        const double bytes = sum_bytes(mining ? x->bins : x->minutes, mining ? BINS : MINUTES,
                                       last + 1 - window_us / bin_us, last);
        const struct lamp_bounds *b = &x->bounds[which][i];
        if (bytes > b->high || (bytes < b->low && speaks(x, end_us)))
            err = volume_off(h, x, which, bytes, s->mean * window_s / 60, window_s, end_us);
    }
    return err;
}

/* Two beats in a row that stay away, or eight in less than half the time. */
static bool is_off_beat(const struct host *x, size_t i, uint64_t minute, bool *out_often)
{
    const struct lamp_baseline_entry *e = &x->body->entries[i];
    const uint64_t *b = x->beats[i];
    const uint64_t known = x->steady_us / MINUTE_US;
    const double since = (double)minute - (double)(b[0] ? b[0] : known);
    if (e->period_min <= 0)
        return false;
    *out_often = b[BEATS - 1] &&
                 (double)(b[0] - b[BEATS - 1]) < (BEATS - 1) * e->period_min / 2 - e->jitter_min;
    return *out_often || since > 2 * e->period_min + e->jitter_min + 1;
}

static int look_at_rhythm(lamp_habits *h, struct host *x, uint64_t minute, uint64_t to_us)
{
    char place[200];
    bool often = false;
    for (size_t i = 0; i < x->body->n_entries; i++) {
        const struct lamp_baseline_entry *e = &x->body->entries[i];
        if (!is_off_beat(x, i, minute, &often))
            continue;
        if (x->unrhythmic)
            return LAMP_OK;
        x->unrhythmic = true;
        return set(h, x, LAMP_ALERT_BASELINE_RHYTHM, true, to_us,
                   often ? "speaks to %s more than twice as often as every %.0f minutes, as its "
                           "baseline has it"
                         : "has not spoken to %s, which it does every %.0f minutes by its baseline",
                   name_place(&e->at, place, sizeof(place)), e->period_min);
    }
    return x->unrhythmic ? end_rhythm(h, x, to_us) : LAMP_OK;
}

static int write_news(lamp_habits *h, struct host *x)
{
    int err = LAMP_OK;
    for (size_t i = 0; i < x->n_news && err == LAMP_OK; i++) {
        if (x->dirty[i])
            err = lamp_store_baseline_note(h->cfg.store, x->b.id, &x->news[i]);
        x->dirty[i] = false;
    }
    return err;
}

/* What of before lasts in the store and was not seen since the watch began is over. */
static int settle(lamp_habits *h, struct host *x, uint64_t to_us)
{
    int err = x->off ? LAMP_OK : end_volume(h, x, to_us);
    if (err == LAMP_OK && !x->unrhythmic)
        err = end_rhythm(h, x, to_us);
    if (err == LAMP_OK && !x->silent)
        err = set(h, x, LAMP_ALERT_BASELINE_SILENT, false, to_us, "%s", "");
    if (err == LAMP_OK)
        err = alert_news(h, x, to_us);
    x->settled = err == LAMP_OK;
    return err;
}

/* Minutes whose rows are all there. */
static int look_at_minutes(lamp_habits *h, struct host *x, uint64_t to_us)
{
    const uint64_t minute = (to_us - LATE_US) / MINUTE_US - 1;
    if (minute <= x->minute || to_us < LATE_US)
        return LAMP_OK;
    x->minute = minute;
    int err = write_news(h, x);
    if (err == LAMP_OK && !x->silent)
        err = look_at_volume(h, x, OTHER, (minute + 1) * MINUTE_US, MINUTE_US);
    if (err == LAMP_OK && !x->silent)
        err = look_at_rhythm(h, x, minute, to_us);
    if (err == LAMP_OK && x->off && to_us >= x->off_us + GOOD_US)
        err = end_volume(h, x, to_us);
    size_t n;
    if (err == LAMP_OK && x->met && !newest_news(x, to_us, &n))
        err = alert_news(h, x, to_us);
    if (err == LAMP_OK && !x->settled && to_us >= x->from_us + GOOD_US)
        err = settle(h, x, to_us);
    return err;
}

static int look(lamp_habits *h, struct host *x, uint64_t from_us, uint64_t to_us)
{
    if (to_us <= x->until_us || to_us <= from_us)
        return LAMP_OK;
    if (x->until_us == 0 || from_us > x->until_us + GAP_US)
        start(x, from_us);
    x->until_us = to_us;
    int err = look_at_silence(h, x, to_us);
    if (err == LAMP_OK && !x->silent && x->mines)
        err = look_at_volume(h, x, MINING, to_us, to_us - from_us);
    return err == LAMP_OK ? look_at_minutes(h, x, to_us) : err;
}

int lamp_habits_batch(lamp_habits *h, const char *site, const char *sensor,
                      const struct lamp_batch *b)
{
    size_t any = 0;
    int err = LAMP_OK;
    for (size_t i = 0; h->n > 0 && i < b->n_rollups && err == LAMP_OK; i++)
        err = other_row(h, site, sensor, &b->rollups[i], &any);
    for (size_t i = 0; h->n > 0 && i < b->n_conns && err == LAMP_OK; i++)
        err = other_conn(h, site, sensor, b, &b->conns[i], &any);
    for (size_t i = 0; i < h->n && err == LAMP_OK; i++)
        if (streq(h->hosts[i]->sensor, sensor))
            err = look(h, h->hosts[i], b->t_from_us, b->t_to_us);
    return err;
}
