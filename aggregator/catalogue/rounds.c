/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/catalogue/rounds.h"

#include "aggregator/catalogue/resolver.h"
#include "aggregator/catalogue/target.h"
#include "aggregator/store/store.h"
#include "common/clock.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <strings.h>

#define SECOND_US UINT64_C(1000000)
#define SWITCH_US (5 * SECOND_US)       /* how often the switches are looked at */
#define RELOAD_US (60 * SECOND_US)      /* and what there is to do */
#define SUSPECTS_US (10 * SECOND_US)    /* and who is suspected */
#define SUSPECTED_US (3600 * SECOND_US) /* of late */

enum {
    NAMES_AT_ONCE = 16,
    NAMES_A_TICK = 2, /* with TICK_MS: at most 8 a second */
    TICK_MS = 250,
    ORDERS_AT_ONCE = 8,
    SUSPECTS = 256,
    PORT_MAIL = 25, /* where strangers that connect are taken for senders of spam */
    RETRY_MS = 20,
};
/* Tags of look-ups and probes: above are orders. */
#define ORDER_TAG (INT64_C(1) << 40)

struct name {
    int64_t server_id, pool_id;
    uint64_t due_us;
    char fqdn[LAMP_POOL_FQDN];
};

struct job {
    struct lamp_probe_target target;
    uint64_t due_us;
};

struct order {
    bool busy;
    size_t waiting; /* probes that are to come */
    struct lamp_probe_order is;
};

struct lamp_rounds {
    struct lamp_rounds_cfg cfg;
    lamp_store *store;
    lamp_resolver *resolver;
    lamp_prober *prober;
    pthread_t thread;
    bool started;
    atomic_bool stop;

    struct lamp_probes_status status;
    uint64_t switches_us, reload_us; /* monotonic: when next */
    struct name *names;
    size_t n_names, names_room, next_name;
    struct job *jobs;
    size_t n_jobs, jobs_room, next_job;
    struct lamp_probe_target suspects[SUSPECTS];
    size_t n_suspects, next_suspect;
    uint64_t suspects_us; /* monotonic: when they are looked for next */
    int64_t refresh_pool; /* whose names and endpoints are due now; 0: none */
    struct order orders[ORDERS_AT_ONCE];
    bool held; /* a probe could not begin for want of room or a token */
};

/* ---- who is left alone ---- */

static const char *refuse(const struct lamp_addr *a, void *arg)
{
    const lamp_rounds *r = arg;
    const char *why = r->cfg.refusal ? r->cfg.refusal(a) : lamp_probe_refusal(a);
    for (size_t i = 0; i < r->cfg.n_never && !why; i++)
        if (lamp_prefix_has(&r->cfg.never[i], a))
            why = "on the list of what is never probed";
    return why;
}

static bool is_never_name(const char *name, void *arg)
{
    const lamp_rounds *r = arg;
    const size_t n = strlen(name);
    for (size_t i = 0; i < r->cfg.n_never_names; i++) {
        const char *never = r->cfg.never_names[i];
        const size_t m = strlen(never);
        if (n >= m && strcasecmp(name + n - m, never) == 0 && (n == m || name[n - m - 1] == '.'))
            return true;
    }
    return false;
}

/* ---- what was found ---- */

static void put_probed(lamp_rounds *r, const struct lamp_pool_endpoint *e, uint64_t now_us)
{
    struct lamp_finding f = { .kind = LAMP_FINDING_PROBED, .at_us = now_us, .probed = *e };
    f.probed.probed_us = now_us;
    if (e->state != LAMP_POOL_UNKNOWN)
        lamp_findings_put(r->cfg.findings, &f);
}

static void end_order(lamp_rounds *r, struct order *o, const char *error)
{
    o->is.done = true;
    if (error)
        snprintf(o->is.error, sizeof(o->is.error), "%s", error);
    lamp_probes_answer(r->cfg.probes, &o->is);
    o->busy = false;
}

static void on_probed(const struct lamp_probe_target *t, const struct lamp_pool_endpoint *e,
                      void *arg)
{
    lamp_rounds *r = arg;
    const uint64_t now_us = lamp_clock_real_us();
    put_probed(r, e, now_us);
    if (t->tag == 0 || t->tag > ORDERS_AT_ONCE)
        return;
    struct order *o = &r->orders[t->tag - 1];
    if (o->is.n < LAMP_ORDER_RESULTS) {
        o->is.results[o->is.n] = *e;
        o->is.results[o->is.n++].probed_us = now_us;
    }
    if (--o->waiting == 0)
        end_order(r, o, NULL);
}

/* Whether the address and port were probed so lately that they are left alone; then what was found. */
static bool known_of_late(lamp_rounds *r, const struct lamp_addr *a, uint16_t port,
                          struct lamp_pool_endpoint *out)
{
    char reason[LAMP_POOL_REASON];
    struct lamp_pool_change then = { .reason = reason };
    const uint64_t now_us = lamp_clock_real_us();
    return lamp_store_pool_endpoint(r->store, a, port, now_us, out, &then) == LAMP_OK &&
           out->probed_us + LAMP_PROBE_AGAIN_US > now_us;
}

/* The addresses of an ordered name. Those that were probed of late answer from memory. */
static void on_order_resolved(lamp_rounds *r, struct order *o, const struct lamp_pool_resolution *a)
{
    const char *why = NULL;
    if (*a->error)
        why = a->error;
    for (size_t i = 0; i < a->n && i < LAMP_ORDER_RESULTS; i++) {
        struct lamp_probe_target t = { .addr = a->addrs[i],
                                       .port = o->is.port,
                                       .tag = (uint64_t)(o - r->orders) + 1 };
        const char *refused = NULL;
        memcpy(t.name, o->is.host, sizeof(t.name));
        if (known_of_late(r, &t.addr, t.port, &o->is.results[o->is.n])) {
            o->is.n++;
            continue;
        }
        o->waiting++; /* before: a connection may fail within the call */
        const int err = lamp_prober_start(r->prober, &t, lamp_clock_mono_us(), &refused);
        if (!err)
            continue;
        o->waiting--;
        why = err == LAMP_EPROTECTED ? refused
              : err == LAMP_EEXIST   ? "probed within the last ten minutes"
                                     : "too many probes: try again";
    }
    if (o->waiting == 0 && o->busy)
        end_order(r, o, o->is.n ? NULL : why);
}

static void on_resolved(const struct lamp_pool_resolution *a, void *arg)
{
    lamp_rounds *r = arg;
    if (a->server_id > ORDER_TAG) {
        on_order_resolved(r, &r->orders[a->server_id - ORDER_TAG - 1], a);
        return;
    }
    const struct lamp_finding f = { .kind = LAMP_FINDING_RESOLVED,
                                    .at_us = lamp_clock_real_us(),
                                    .resolved = *a };
    r->status.names_failed += *a->error != '\0';
    lamp_findings_put(r->cfg.findings, &f);
}

/* ---- what there is to do ---- */

static void *grow(void *v, size_t n, size_t *room, size_t size)
{
    if (n < *room)
        return v;
    void *grown = realloc(v, (*room ? 2 * *room : 256) * size);
    if (grown)
        *room = *room ? 2 * *room : 256;
    return grown;
}

static bool load_name(const struct lamp_pool_server *v, void *arg)
{
    lamp_rounds *r = arg;
    struct name *grown = grow(r->names, r->n_names, &r->names_room, sizeof(*r->names));
    if (!grown)
        return false;
    r->names = grown;
    if (is_never_name(v->fqdn, r))
        return true;
    struct name *n = &r->names[r->n_names++];
    *n = (struct name){ .server_id = v->id, .pool_id = v->pool_id };
    n->due_us = v->resolved_us ? v->resolved_us + LAMP_ROUND_RESOLVE_US : 0;
    if (r->refresh_pool == v->pool_id)
        n->due_us = 0;
    snprintf(n->fqdn, sizeof(n->fqdn), "%s", v->fqdn);
    return true;
}

static bool load_job(const struct lamp_pool_target *t, void *arg)
{
    lamp_rounds *r = arg;
    struct job *grown = grow(r->jobs, r->n_jobs, &r->jobs_room, sizeof(*r->jobs));
    if (!grown)
        return false;
    r->jobs = grown;
    if (is_never_name(t->fqdn, r) || refuse(&t->addr, r))
        return true;
    struct job *j = &r->jobs[r->n_jobs++];
    *j = (struct job){ .target = { .addr = t->addr, .port = t->port, .tls = t->tls } };
    const bool again = t->pool_id == r->refresh_pool;
    if (t->probed_us)
        j->due_us = t->probed_us + (again ? LAMP_PROBE_AGAIN_US : LAMP_ROUND_PROBE_US);
    snprintf(j->target.name, sizeof(j->target.name), "%s", t->fqdn);
    snprintf(j->target.protocol, sizeof(j->target.protocol), "%.32s", t->protocol);
    return true;
}

static void load(lamp_rounds *r, uint64_t now_us)
{
    const uint64_t from_us = now_us > LAMP_POOL_ADDRESS_US ? now_us - LAMP_POOL_ADDRESS_US : 0;
    r->n_names = r->n_jobs = r->next_name = r->next_job = 0;
    if (r->status.resolving && lamp_store_pool_servers(r->store, 0, load_name, r))
        r->n_names = 0;
    if (r->status.probing && lamp_store_pool_targets(r->store, from_us, load_job, r))
        r->n_jobs = 0;
    r->refresh_pool = 0;
}

static void look_at_switches(lamp_rounds *r)
{
    struct lamp_pool_totals t;
    struct lamp_probes_status *s = &r->status;
    if (lamp_store_pool_totals(r->store, &t))
        return;
    const bool resolving = !r->cfg.offline && (t.has_resolve ? t.resolve : r->cfg.resolve);
    const bool probing = !r->cfg.offline && (t.has_probe ? t.probe : r->cfg.probe);
    if (resolving != s->resolving || probing != s->probing)
        r->reload_us = 0;
    s->resolving = resolving;
    s->probing = probing;
    const struct lamp_prober_counters c = lamp_prober_counters(r->prober);
    s->probes = c.started;
    s->connections = c.connections;
    s->refused = c.refused;
    s->too_soon = c.too_soon;
    s->crowded = c.crowded;
    s->waiting = lamp_prober_busy(r->prober);
    s->dropped = lamp_findings_dropped(r->cfg.findings);
    lamp_probes_say(r->cfg.probes, s);
}

/* Asks for some names that are due; the rest waits, so that no resolver is flooded. */
static void resolve_some(lamp_rounds *r, uint64_t now_us)
{
    unsigned n = 0;
    for (; r->next_name < r->n_names && n < NAMES_A_TICK; r->next_name++) {
        struct name *name = &r->names[r->next_name];
        if (name->due_us > now_us)
            continue;
        if (lamp_resolver_busy(r->resolver) >= NAMES_AT_ONCE ||
            lamp_resolver_ask(r->resolver, name->fqdn, name->server_id))
            return;
        name->due_us = now_us + LAMP_ROUND_RESOLVE_US;
        r->status.names_asked++;
        n++;
    }
    if (r->next_name == r->n_names)
        r->next_name = 0;
}

static void probe_some(lamp_rounds *r, uint64_t now_us)
{
    r->held = false;
    for (size_t seen = 0; seen < r->n_jobs; seen++) {
        struct job *j = &r->jobs[r->next_job];
        const char *why;
        if (j->due_us <= now_us) {
            /* Some room is kept for orders. */
            const int err =
                lamp_prober_busy(r->prober) < LAMP_PROBES * 3 / 4
                    ? lamp_prober_start(r->prober, &j->target, lamp_clock_mono_us(), &why)
                    : LAMP_EAGAIN;
            if (err == LAMP_EAGAIN) {
                r->held = true;
                return;
            }
            j->due_us = now_us + (err == LAMP_EEXIST ? LAMP_PROBE_AGAIN_US : LAMP_ROUND_PROBE_US);
        }
        r->next_job = r->next_job + 1 < r->n_jobs ? r->next_job + 1 : 0;
    }
}

/* A server that is suspected is asked once: what it was found to be counts for days. */
static bool load_suspect(const struct lamp_suspect *v, void *arg)
{
    lamp_rounds *r = arg;
    const uint64_t now_us = lamp_clock_real_us();
    const uint64_t fresh_us = v->state == LAMP_POOL_UP ? LAMP_POOL_YES_US : LAMP_POOL_NO_US;
    if ((v->probed_us && now_us < v->probed_us + fresh_us) || v->port == PORT_MAIL ||
        is_never_name(v->name, r) || refuse(&v->addr, r))
        return true;
    struct lamp_probe_target *t = &r->suspects[r->n_suspects++];
    *t = (struct lamp_probe_target){ .addr = v->addr,
                                     .port = v->port,
                                     .tls = v->tls ? LAMP_POOL_TLS_YES : LAMP_POOL_TLS_UNKNOWN };
    snprintf(t->name, sizeof(t->name), "%s", v->name);
    return r->n_suspects < SUSPECTS;
}

/* Half of the room is theirs, and never more than one connection to a destination in ten minutes. */
static void probe_suspects(lamp_rounds *r, uint64_t now_us, uint64_t mono_us)
{
    if (mono_us >= r->suspects_us) {
        r->suspects_us = mono_us + SUSPECTS_US;
        r->n_suspects = r->next_suspect = 0;
        if (lamp_store_suspects(r->store, now_us > SUSPECTED_US ? now_us - SUSPECTED_US : 0,
                                4 * SUSPECTS, load_suspect, r))
            r->n_suspects = 0;
    }
    for (; r->next_suspect < r->n_suspects; r->next_suspect++) {
        const char *why;
        const int err =
            lamp_prober_busy(r->prober) < LAMP_PROBES / 2
                ? lamp_prober_start(r->prober, &r->suspects[r->next_suspect], mono_us, &why)
                : LAMP_EAGAIN;
        if (err == LAMP_EAGAIN)
            return;
        r->status.suspects += err == LAMP_OK;
    }
}

static struct order *free_order(lamp_rounds *r)
{
    for (size_t i = 0; i < ORDERS_AT_ONCE; i++)
        if (!r->orders[i].busy)
            return &r->orders[i];
    return NULL;
}

static void take_orders(lamp_rounds *r)
{
    struct order *o;
    while ((o = free_order(r)) && lamp_probes_take(r->cfg.probes, &o->is) == LAMP_OK) {
        o->busy = true;
        o->waiting = 0;
        if (r->cfg.offline) {
            end_order(r, o, "the traffic is made up: nothing is probed");
        } else if (o->is.pool_id) {
            r->refresh_pool = o->is.pool_id;
            r->reload_us = 0;
            end_order(r, o, r->status.resolving ? NULL : "looking up names is off");
        } else if (!r->status.probing) {
            end_order(r, o, "probing is off: turn it on first");
        } else if (is_never_name(o->is.host, r)) {
            end_order(r, o, "on the list of what is never probed");
        } else if (lamp_resolver_ask(r->resolver, o->is.host,
                                     ORDER_TAG + 1 + (int64_t)(o - r->orders))) {
            end_order(r, o, "too many look-ups: try again");
        }
    }
}

/* ---- the thread ---- */

static int shorter(int a_ms, int b_ms)
{
    return a_ms < 0 || (b_ms >= 0 && b_ms < a_ms) ? b_ms : a_ms;
}

static void wait_and_run(lamp_rounds *r)
{
    struct pollfd fds[1 + LAMP_PROBES + LAMP_RESOLVER_FDS] = {
        { .fd = lamp_probes_fd(r->cfg.probes), .events = POLLIN }
    };
    uint64_t due_us;
    int wait_ms;
    const size_t n = lamp_prober_fds(r->prober, fds + 1, &due_us);
    const size_t m = lamp_resolver_fds(r->resolver, fds + 1 + n, &wait_ms);
    const uint64_t now_us = lamp_clock_mono_us();
    if (due_us != UINT64_MAX)
        wait_ms = shorter(wait_ms, lamp_clock_poll_ms(due_us > now_us ? due_us - now_us : 1));
    wait_ms = shorter(wait_ms, r->held ? RETRY_MS : TICK_MS);
    (void)poll(fds, (nfds_t)(1 + n + m), wait_ms);
    lamp_prober_run(r->prober, fds + 1, n, lamp_clock_mono_us());
    lamp_resolver_run(r->resolver, fds + 1 + n, m);
}

static void *run(void *arg)
{
    lamp_rounds *r = arg;
    uint64_t tick_us = 0;
    while (!atomic_load(&r->stop)) {
        const uint64_t mono_us = lamp_clock_mono_us(), now_us = lamp_clock_real_us();
        if (mono_us >= r->switches_us) {
            look_at_switches(r);
            r->switches_us = mono_us + SWITCH_US;
        }
        take_orders(r);
        if (mono_us >= r->reload_us) {
            load(r, now_us);
            r->reload_us = mono_us + RELOAD_US;
        }
        if (r->status.resolving && mono_us >= tick_us) {
            resolve_some(r, now_us);
            tick_us = mono_us + TICK_MS * 1000;
        }
        if (r->status.probing) {
            probe_suspects(r, now_us, mono_us);
            probe_some(r, now_us);
        }
        wait_and_run(r);
    }
    return NULL;
}

static int start_thread(lamp_rounds *r)
{
    sigset_t all, before; /* signals are main's */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int err = -pthread_create(&r->thread, NULL, run, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    r->started = !err;
    return err;
}

int lamp_rounds_start(const struct lamp_rounds_cfg *cfg, lamp_rounds **out, char *why)
{
    lamp_rounds *r = calloc(1, sizeof(*r));
    snprintf(why, LAMP_STORE_WHY, "out of memory");
    if (!r)
        return LAMP_ENOMEM;
    r->cfg = *cfg;
    r->status.resolve_default = cfg->resolve;
    r->status.probe_default = cfg->probe;
    r->status.offline = cfg->offline;
    const struct lamp_prober_cfg prober = {
        .rate = cfg->rate, .refuse = refuse, .found = on_probed, .arg = r
    };
    int err = lamp_store_open(cfg->backend, cfg->database, true, &r->store, why);
    if (!err)
        err = lamp_prober_new(&prober, &r->prober);
    if (!err)
        err = lamp_resolver_new(cfg->servers, on_resolved, is_never_name, r, &r->resolver);
    if (!err)
        err = start_thread(r);
    if (err) {
        if (err != LAMP_ESTORE)
            snprintf(why, LAMP_STORE_WHY, "the catalogue's thread: %s", lamp_strerror(err));
        lamp_rounds_stop(r);
        return err;
    }
    *out = r;
    return LAMP_OK;
}

lamp_rounds *lamp_rounds_stop(lamp_rounds *r)
{
    if (!r)
        return NULL;
    if (r->started) {
        atomic_store(&r->stop, true);
        lamp_probes_wake(r->cfg.probes);
        pthread_join(r->thread, NULL);
    }
    lamp_resolver_free(r->resolver);
    lamp_prober_free(r->prober);
    lamp_store_close(r->store);
    free(r->names);
    free(r->jobs);
    free(r);
    return NULL;
}
