/* SPDX-License-Identifier: Apache-2.0 */
/* The threads of a run: what each is given of the configuration, and in which order they end. */
#include "aggregator/api/metrics.h"
#include "aggregator/program/program.h"
#include "common/clock.h"
#include "common/enroll.h"
#include "common/log.h"
#include "common/text.h"

#include <stdio.h>

enum {
    INBOX_BYTES = 64 * 1024 * 1024,
    OUTBOX_BYTES = 64 * 1024 * 1024,
};

static uint32_t asn_of(const struct lamp_addr *a, void *arg)
{
    struct lamp_place place;
    lamp_geo_find(arg, a, &place);
    return place.asn;
}

static int open_accounts(struct lamp_aggregator *g)
{
    char why[LAMP_PROGRAM_WHY], password[LAMP_PASSWORD];
    if (lamp_auth_open(g->store, g->token_file, lamp_clock_real_us(), &g->auth, password, why,
                       sizeof(why)) != LAMP_OK)
        return lamp_complain(why);
    if (*password)
        printf("The first account is \"admin\", its password is %s\n"
               "It is shown only now.\n",
               password);
    fflush(stdout);
    return 0;
}

/* Made-up traffic is about addresses that belong to somebody: nobody is asked about them. */
static int open_names(struct lamp_aggregator *g)
{
    if (!g->conf.names_reverse || g->conf.sample_mode)
        return 0;
    const int err = lamp_names_new(g->conf.names_servers, &g->names);
    if (err == LAMP_EFORMAT)
        return lamp_complain("names.servers is no list of ADDRESS[:PORT] with commas between");
    return err ? lamp_complain(lamp_strerror(err)) : 0;
}

/* The names and networks that the configuration keeps from being probed. */
static int read_opted_out(struct lamp_aggregator *g)
{
    const struct lamp_strlist *list = &g->conf.pools_never;
    g->opted_names = calloc(list->n + 1, sizeof(*g->opted_names));
    g->opted_out = calloc(list->n + g->n_never + 1, sizeof(*g->opted_out));
    if (!g->opted_names || !g->opted_out)
        return lamp_complain("out of memory");
    for (size_t i = 0; i < g->n_never; i++)
        g->opted_out[g->n_opted_out++] = g->never[i];
    for (size_t i = 0; i < list->n; i++) {
        if (lamp_prefix_parse(list->v[i], &g->opted_out[g->n_opted_out]) == LAMP_OK)
            g->n_opted_out++;
        else
            g->opted_names[g->n_opted_names++] = list->v[i];
    }
    return 0;
}

static int open_rounds(struct lamp_aggregator *g)
{
    char why[LAMP_PROGRAM_WHY];
    const int code = read_opted_out(g);
    if (code)
        return code;
    const struct lamp_rounds_cfg cfg = {
        .backend = g->conf.store_backend,
        .database = g->database,
        .servers = g->conf.names_servers,
        .resolve = g->conf.pools_resolve,
        .probe = g->conf.pools_probe,
        .offline = g->conf.sample_mode,
        .rate = (unsigned)g->conf.pools_rate,
        .never = g->opted_out,
        .n_never = g->n_opted_out,
        .never_names = g->opted_names,
        .n_never_names = g->n_opted_names,
        .findings = g->findings,
        .probes = g->probes,
    };
    return lamp_rounds_start(&cfg, &g->rounds, why) ? lamp_complain(why) : 0;
}

static int open_notify(struct lamp_aggregator *g)
{
    char why[LAMP_PROGRAM_WHY], queue[4096];
    snprintf(queue, sizeof(queue), "%.4000s/notify.db", g->conf.state_dir);
    const struct lamp_notify_cfg cfg = {
        .backend = g->conf.store_backend,
        .database = g->database,
        .queue = queue,
        .lines = (const char *const *)g->conf.notify.v,
        .n_lines = g->conf.notify.n,
    };
    return lamp_notify_start(&cfg, &g->notify, why) ? lamp_complain(why) : 0;
}

static int open_history(struct lamp_aggregator *g)
{
    if (!*g->clickhouse.url)
        return 0;
    const struct lamp_exporter_cfg cfg = {
        .backend = g->conf.store_backend,
        .database = g->database,
        .clickhouse = &g->clickhouse,
        .commands = g->commands,
        .settle_minutes = (uint32_t)g->conf.settle_minutes,
    };
    int err = lamp_past_new(&g->clickhouse, &g->past);
    if (!err)
        err = lamp_exporter_start(&cfg, &g->exporter);
    return err ? lamp_complain(lamp_strerror(err)) : 0;
}

static int open_door(struct lamp_aggregator *g)
{
    char endpoint[256], why[LAMP_PROGRAM_WHY];
    if (streq(g->conf.listen_enroll, "off"))
        return 0;
    snprintf(endpoint, sizeof(endpoint), "%s", g->conf.listen_enroll);
    if (!*endpoint &&
        lamp_enroll_endpoint(g->conf.listen_sensors, endpoint, sizeof(endpoint)) != LAMP_OK)
        return lamp_complain(
            "listen.enroll: listen.sensors has no port to follow: say where, or off");
    const struct lamp_door_cfg cfg = { endpoint, &g->keys, g->allow, g->pending, g->commands };
    if (lamp_door_start(&cfg, &g->door, why, sizeof(why)) != LAMP_OK)
        return lamp_complain(why);
    return 0;
}

static int open_imports(struct lamp_aggregator *g)
{
    char why[LAMP_IMPORTS_WHY];
    const struct lamp_aggregator_conf *c = &g->conf;
    if (*c->imports_folder)
        snprintf(g->imports_folder, sizeof(g->imports_folder), "%s", c->imports_folder);
    else
        snprintf(g->imports_folder, sizeof(g->imports_folder), "%.4000s/imports", c->state_dir);
    const struct lamp_imports_cfg cfg = {
        .folder = g->imports_folder,
        .root = c->imports_root,
        .import_bytes = (uint64_t)c->imports_mib << 20,
        .quota_bytes = (uint64_t)c->imports_quota_mib << 20,
        .waiting = (unsigned)c->imports_waiting,
        .files = (unsigned)c->imports_files,
        .silent_s = (unsigned)c->imports_silent_s,
        .keep_days = (unsigned)c->imports_keep_days,
        .keep = (unsigned)c->imports_keep,
        .analyzer = { .program = c->imports_analyzer,
                      .catalogue = c->catalogue,
                      .memory_bytes = (uint64_t)c->imports_memory_mib << 20,
                      .cpu_s = (unsigned)c->imports_cpu_s,
                      .wall_s = (unsigned)c->imports_wall_s },
        .commands = g->commands,
    };
    return lamp_imports_start(&cfg, &g->imports, why) ? lamp_complain(why) : 0;
}

/* On the writer's thread. Where memory is short the accounts stay as they were. */
static void take_accounts(lamp_store *store, void *arg)
{
    const struct lamp_aggregator *g = arg;
    const int err = lamp_auth_reload(g->auth, store);
    if (err)
        lamp_log(LAMP_LOG_ERROR, "main", "accounts were not read anew: %s", lamp_strerror(err));
}

static void write_ingest(FILE *out, void *arg)
{
    static const char name[] = "davylamp_ingest_refused_total";
    const struct lamp_aggregator *g = arg;
    struct lamp_ingest_counts c;
    lamp_ingest_counts(g->ingest, &c);
    const struct {
        const char *why;
        uint64_t n;
    } counts[] = { { "unknown_key", c.unknown_keys },
                   { "no_user", c.no_user },
                   { "revoked", c.revoked },
                   { "malformed", c.malformed },
                   { "unknown_type", c.unknown_type },
                   { "unknown_session", c.unknown_session },
                   { "greedy", c.greedy } };
    lamp_metric(out, LAMP_METRIC_COUNTER, name, "Connections and messages that were not taken.");
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        lamp_metric_sample(out, name, "why", counts[i].why, (double)counts[i].n);
    lamp_metric_one(out, LAMP_METRIC_COUNTER, "davylamp_ingest_unsent_total",
                    "Messages to sensors that could not be sent.", (double)c.unsent);
    lamp_metric_one(out, LAMP_METRIC_COUNTER, "davylamp_coin_blocks_refused_total",
                    "New blocks of coins that a sensor told of and that were not passed on.",
                    (double)lamp_writer_blocks_refused(g->writer));
}

static int open_writer(struct lamp_aggregator *g)
{
    const struct lamp_writer_cfg cfg = {
        .store = g->store,
        .keys = &g->keys,
        .allow = g->allow,
        .inbox = g->inbox,
        .outbox = g->outbox,
        .commands = g->commands,
        .events = g->events,
        .findings = g->findings,
        .never = g->never,
        .n_never = g->n_never,
        .list_ttl_s = (uint32_t)g->conf.list_ttl_s,
        .interval_ms = (uint32_t)g->conf.interval_s * 1000,
        .catalogue = g->catalogue,
        .cdn = g->cdn,
        .no_approvals = !g->conf.approvals,
        .overlap_s = (uint32_t)g->conf.overlap_s,
        .next_server_key = g->keys.next,
        .alarms = { .folder = g->conf.state_dir,
                    .silent_us = (uint64_t)g->conf.silent_s * 1000000,
                    .drops = g->conf.drops / 100,
                    .disk_free = g->conf.disk_free / 100 },
        .rigs = { .rejected = g->conf.rejected / 100,
                  .silence_us = (uint64_t)g->conf.no_shares_s * 1000000,
                  .drop = g->conf.rate_drop / 100 },
        .asn = asn_of,
        .asn_arg = g->geo,
        .policy = { .settle_minutes = (uint32_t)g->conf.settle_minutes,
                    .days = { (uint32_t)g->conf.minute_days, (uint32_t)g->conf.hour_days,
                              (uint32_t)g->conf.day_days },
                    .conn_days = (uint32_t)g->conf.conn_days,
                    .max_bytes = (uint64_t)g->conf.disk_mib << 20 },
        .samples = { .folder = g->samples,
                     .quota_bytes = (uint64_t)g->conf.samples_mib << 20,
                     .keep_days = (uint32_t)g->conf.samples_days },
        .tracking_days = (uint32_t)g->conf.tracking_days,
        .accounts_changed = take_accounts,
        .arg = g,
    };
    const int err = lamp_writer_start(&cfg, &g->writer);
    if (err != LAMP_OK)
        return lamp_complain(err == LAMP_ESTORE ? lamp_store_why(g->store) : lamp_strerror(err));
    return 0;
}

static int open_api(struct lamp_aggregator *g)
{
    char why[LAMP_PROGRAM_WHY];
    const struct lamp_api_cfg cfg = {
        .listen = g->conf.listen_http,
        .plain_ok = g->conf.http_plain_ok,
        .widen_decisions = g->conf.crowdsec_widen,
        .behind_tls = g->conf.http_behind_tls,
        .tls = g->tls.certificate ? &g->tls : NULL,
        .web_folder = g->conf.web,
        .backend = g->conf.store_backend,
        .database = g->database,
        .sample_mode = g->conf.sample_mode,
        .samples = g->samples,
        .started_us = lamp_clock_real_us(),
        .geo = g->geo,
        .names = g->names,
        .devices = g->devices,
        .facts = g->facts,
        .cdn = g->cdn,
        .geo_attribution = g->conf.geo_attribution,
        .never = g->never,
        .n_never = g->n_never,
        .n_never_said = g->conf.never.n,
        .auth = g->auth,
        .events = g->events,
        .commands = g->commands,
        .pending = g->pending,
        .probes = g->probes,
        .notify = g->notify,
        .imports = g->imports,
        .exporter = g->exporter,
        .past = g->past,
        .server_key = g->keys.curve_public_raw,
        .metrics_open = g->conf.metrics_open,
        .inbox = g->inbox,
        .outbox = g->outbox,
        .more_metrics = write_ingest,
        .arg = g,
    };
    return lamp_api_start(&cfg, &g->api, why) ? lamp_complain(why) : 0;
}

/* What passes between the threads. */
static int open_handover(struct lamp_aggregator *g)
{
    int err = lamp_mailbox_new(INBOX_BYTES, &g->inbox);
    if (!err)
        err = lamp_mailbox_new(OUTBOX_BYTES, &g->outbox);
    if (!err)
        err = lamp_commands_new(&g->commands);
    if (!err)
        err = lamp_pending_new(&g->pending);
    if (!err)
        err = lamp_events_new(&g->events);
    if (!err)
        err = lamp_findings_new(&g->findings);
    if (!err)
        err = lamp_probes_new(&g->probes);
    return err ? lamp_complain(lamp_strerror(err)) : 0;
}

static int open_ingest(struct lamp_aggregator *g)
{
    char why[LAMP_PROGRAM_WHY];
    const struct lamp_ingest_cfg cfg = { g->conf.listen_sensors, &g->keys, g->allow, g->inbox,
                                         g->outbox };
    return lamp_ingest_start(&cfg, &g->ingest, why, sizeof(why)) ? lamp_complain(why) : 0;
}

int lamp_aggregator_start(struct lamp_aggregator *g)
{
    /* Ingest's port first: a second aggregator stops there, before it changes accounts or lists. */
    static int (*const steps[])(struct lamp_aggregator * g) = {
        open_handover, open_ingest,  open_accounts, open_writer,  open_names, open_rounds,
        open_notify,   open_history, open_door,     open_imports, open_api,
    };
    int code = 0;
    for (size_t i = 0; i < ARRAY_LEN(steps) && code == 0; i++)
        code = steps[i](g);
    return code;
}

void lamp_aggregator_stop(struct lamp_aggregator *g)
{
    lamp_api_stop(g->api);
    lamp_imports_stop(g->imports);
    lamp_door_stop(g->door);
    lamp_rounds_stop(g->rounds);
    lamp_notify_stop(g->notify);
    lamp_exporter_stop(g->exporter);
    lamp_past_free(g->past);
    if (g->ingest)
        lamp_ingest_quiesce(g->ingest);
    lamp_writer_stop(g->writer);
    lamp_ingest_stop(g->ingest);
    lamp_names_free(g->names);
    lamp_facts_free(g->facts);
    lamp_http_tls_wipe(&g->tls);
    lamp_devices_free(g->devices);
    lamp_catalogue_free(g->catalogue);
    lamp_cdn_free(g->cdn);
    lamp_geo_free(g->geo);
    lamp_auth_close(g->auth);
    lamp_commands_free(g->commands);
    lamp_pending_free(g->pending);
    lamp_events_free(g->events);
    lamp_findings_free(g->findings);
    lamp_probes_free(g->probes);
    free(g->opted_out);
    free(g->opted_names);
    lamp_mailbox_free(g->inbox);
    lamp_mailbox_free(g->outbox);
    lamp_store_close(g->store);
    lamp_allow_free(g->allow);
    free(g->never);
    lamp_keys_wipe(&g->keys);
    lamp_conf_free(&lamp_aggregator_spec, &g->conf);
}
