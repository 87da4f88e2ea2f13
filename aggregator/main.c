/* SPDX-License-Identifier: Apache-2.0 */
/* davylamp-aggregator: reads the configuration, opens the store, starts the threads (writer,
 * ingest, HTTP), waits for signals, and ends them in the order that loses nothing. */
#include "aggregator/api/api.h"
#include "aggregator/api/metrics.h"
#include "aggregator/catalogue/rounds.h"
#include "aggregator/conf.h"
#include "aggregator/history/exporter.h"
#include "aggregator/history/past.h"
#include "aggregator/imports/imports.h"
#include "aggregator/ingest/door.h"
#include "aggregator/ingest/ingest.h"
#include "aggregator/notify/notify.h"
#include "aggregator/recovery.h"
#include "aggregator/sensors_file.h"
#include "aggregator/writer/keyring.h"
#include "aggregator/writer/writer.h"
#include "common/clock.h"
#include "common/enroll.h"
#include "common/fingerprint.h"
#include "common/log.h"
#include "common/text.h"
#include "common/version.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define DAY_US UINT64_C(86400000000)
#define EXPIRES_SOON_US UINT64_C(1209600000000) /* 14 days */

enum {
    WHY = 600,
    INBOX_BYTES = 64 * 1024 * 1024,
    OUTBOX_BYTES = 64 * 1024 * 1024,
    DESCRIPTORS = 16384,
    COMMAND_WAIT_MS = 10000,
};

struct aggregator {
    struct lamp_aggregator_conf conf;
    struct lamp_keys keys;
    struct lamp_prefix *never;
    size_t n_never;
    char database[4096], token_file[4096], samples[4096], imports_folder[4096];
    const char *argument; /* of the command; NULL: none */
    lamp_store *store;
    lamp_allow *allow;
    struct lamp_prefix *opted_out; /* is not probed */
    const char **opted_names;      /* likewise */
    size_t n_opted_out, n_opted_names;
    struct lamp_site_place *places; /* of conf.places */
    lamp_geo *geo;
    lamp_devices *devices;
    lamp_catalogue *catalogue; /* NULL: the watch list has no pools but those that were seen */
    lamp_cdn *cdn;             /* NULL: every address counts for what it is */
    lamp_names *names;
    struct lamp_prices prices;
    struct lamp_http_tls tls;
    lamp_mailbox *inbox, *outbox;
    lamp_commands *commands;
    lamp_pending *pending;
    lamp_events *events;
    lamp_findings *findings;
    lamp_probes *probes;
    lamp_rounds *rounds;
    lamp_notify *notify; /* NULL: nobody is told of alerts */
    lamp_auth *auth;
    lamp_writer *writer;
    lamp_ingest *ingest;
    lamp_door *door;
    lamp_imports *imports;
    struct lamp_clickhouse_cfg clickhouse; /* of conf; url "": none */
    lamp_exporter *exporter;               /* NULL: history stays here */
    lamp_past *past;
    lamp_api *api;
};

/* ---- systemd (sd_notify(3), without its library) ---- */

static void notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    if (!path || (*path != '/' && *path != '@') || strlen(path) >= sizeof(to.sun_path))
        return;
    memcpy(to.sun_path, path, strlen(path) + 1);
    const socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (*path == '@')
        to.sun_path[0] = '\0'; /* the abstract namespace */
    LAMP_AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to, len);
}

/* ---- parts ---- */

static int complain(const char *why)
{
    fprintf(stderr, "davylamp-aggregator: %s\n", why);
    return 1;
}

/* Sockets cost descriptors before their owner is known. */
static void raise_limits(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < DESCRIPTORS) {
        r.rlim_cur = r.rlim_max < DESCRIPTORS ? r.rlim_max : DESCRIPTORS;
        (void)setrlimit(RLIMIT_NOFILE, &r);
    }
}

static int load_keys(struct aggregator *g)
{
    char why[WHY];
    if (lamp_keys_load(g->conf.state_dir, &g->keys, why, sizeof(why)) != LAMP_OK)
        return complain(why);
    return 0;
}

static int print_keys(struct aggregator *g)
{
    char hex[2 * LAMP_LIST_PUBLIC + 1], print[LAMP_FINGERPRINT];
    printf("server %s\nlist %s\nfingerprint %s\n", g->keys.curve_public,
           lamp_hex_encode(g->keys.list_public, sizeof(g->keys.list_public), hex),
           lamp_fingerprint_z85(g->keys.curve_public, print));
    if (g->keys.next.serial)
        printf("next fingerprint %s\n", lamp_fingerprint(g->keys.next.public_key, print));
    return 0;
}

static int rotate_key(struct aggregator *g)
{
    const int err = lamp_keys_make_next(g->conf.state_dir, lamp_clock_real_us() / 1000000);
    if (err && err != LAMP_EEXIST)
        return complain(lamp_strerror(err));
    if (load_keys(g) != 0)
        return 1;
    (void)print_keys(g);
    fputs(
        "The next key is made. SIGHUP to the running aggregator has sensors told of it; when all\n"
        "have it (davylamp sensors keys), `davylamp-aggregator switch-key` and a restart.\n",
        stderr);
    return 0;
}

static int switch_key(struct aggregator *g)
{
    const int err = lamp_keys_switch(g->conf.state_dir);
    if (err)
        return complain(err == LAMP_ENOENT ? "there is no next key: rotate-key makes one"
                                           : lamp_strerror(err));
    if (load_keys(g) != 0)
        return 1;
    (void)print_keys(g);
    fputs("The next key is in use from the next start on; the former is kept as server.old.\n",
          stderr);
    return 0;
}

static int read_places(struct aggregator *g)
{
    char why[WHY];
    const struct lamp_strlist *l = &g->conf.places;
    g->places = calloc(l->n + 1, sizeof(*g->places));
    if (!g->places)
        return complain("out of memory");
    for (size_t i = 0; i < l->n; i++) {
        if (lamp_site_place_parse(l->v[i], &g->places[i]) == LAMP_OK)
            continue;
        snprintf(why, sizeof(why), "sites.places: \"%s\" is not LATITUDE LONGITUDE SITE", l->v[i]);
        (void)complain(why);
        return 2;
    }
    return 0;
}

static uint32_t asn_of(const struct lamp_addr *a, void *arg)
{
    struct lamp_place place;
    lamp_geo_find(arg, a, &place);
    return place.asn;
}

/* Without its geo files the aggregator is as good as ever, but for the map. */
static void open_geo(struct aggregator *g)
{
    char why[WHY];
    if (lamp_geo_reload(g->geo, why, sizeof(why)) != LAMP_OK)
        lamp_log(LAMP_LOG_WARN, "main", "geo file %s, going on with what was open before", why);
    else if (g->conf.geo_files.n)
        lamp_log(LAMP_LOG_INFO, "main", "geo files opened files=%zu", g->conf.geo_files.n);
}

/* So it is without the table of devices. */
static void open_devices(struct aggregator *g)
{
    char why[WHY];
    if (lamp_devices_load(g->conf.catalogue, &g->devices, why, sizeof(why)) != LAMP_OK)
        lamp_log(LAMP_LOG_WARN, "main", "catalogue: %s; devices and power are not estimated", why);
}

static void open_catalogue(struct aggregator *g)
{
    char why[WHY];
    if (lamp_catalogue_load(g->conf.catalogue, &g->catalogue, why, sizeof(why)) != LAMP_OK)
        lamp_log(LAMP_LOG_WARN, "main", "catalogue: %s; its pools are not on the watch list", why);
    if (lamp_cdn_load(g->conf.catalogue, &g->cdn, why, sizeof(why)) != LAMP_OK)
        lamp_log(LAMP_LOG_WARN, "main", "catalogue: %s; content networks are not known", why);
}

/* ---- the sensors file ---- */

/* Lets a key in: at the start through a keyring of main's own, later through the writer. */
static bool let_in(struct aggregator *g, lamp_keyring *ring, const struct lamp_allowed *k)
{
    struct lamp_command c = { .kind = LAMP_CMD_ADMIT, .actor = "file" };
    struct lamp_command_result r = { 0 };
    memcpy(c.key, k->key, sizeof(c.key));
    memcpy(c.site, k->site, sizeof(c.site));
    snprintf(c.name, sizeof(c.name), "%s", k->id);
    int err = ring ? lamp_keyring_command(ring, &c, lamp_clock_real_us(), &r)
                   : lamp_commands_run(g->commands, &c, COMMAND_WAIT_MS, &r);
    if (!err)
        err = r.err;
    if (err)
        lamp_log(LAMP_LOG_WARN, "main", "sensors file: %s of site %s was not let in: %s", k->id,
                 k->site, *r.why ? r.why : lamp_strerror(err));
    return !err;
}

/* The database says who may connect; the file only adds to it. A line that tells another story than
 * the database is pointed out, since taking a key out of the file does not revoke it. */
static void take_sensors_file(struct aggregator *g, lamp_keyring *ring)
{
    struct lamp_allowed *v = NULL, known;
    size_t n = 0, n_new = 0, n_ended = 0;
    if (lamp_sensors_file_read(g->conf.sensors, stderr, &v, &n) != LAMP_OK) {
        lamp_log(LAMP_LOG_WARN, "main", "the sensors file has mistakes, ignoring it path=%s",
                 g->conf.sensors);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (lamp_allow_known(g->allow, v[i].key, &known) != LAMP_OK)
            n_new += let_in(g, ring, &v[i]);
        else if (!known.active)
            n_ended++;
        else if (!streq(known.id, v[i].id) || !streq(known.site, v[i].site))
            lamp_log(LAMP_LOG_WARN, "main",
                     "sensors file: the key of %s at %s belongs to %s at %s, ignoring the line",
                     v[i].id, v[i].site, known.id, known.site);
    }
    if (n)
        lamp_log(LAMP_LOG_INFO, "main", "sensors file read path=%s lines=%zu new=%zu ended=%zu",
                 g->conf.sensors, n, n_new, n_ended);
    free(v);
}

static void nobody_is_connected(const char *sensor, void *arg)
{
    (void)sensor, (void)arg;
}

/* Who may connect, before anybody does: what the database knows, and what the file adds. */
static int load_sensors(struct aggregator *g)
{
    lamp_keyring *ring = NULL;
    int err = lamp_allow_new(&g->allow);
    if (!err)
        err = lamp_keyring_load(g->store, g->allow);
    if (!err)
        err = lamp_keyring_new(g->store, g->allow, (uint32_t)g->conf.overlap_s, &ring);
    if (!err)
        err = lamp_store_begin(g->store);
    if (!err) {
        take_sensors_file(g, ring);
        err = lamp_store_commit(g->store);
    }
    if (!err)
        lamp_keyring_committed(ring, nobody_is_connected, NULL);
    lamp_keyring_free(ring);
    if (err)
        return complain(err == LAMP_ESTORE ? lamp_store_why(g->store) : lamp_strerror(err));
    return 0;
}

static struct lamp_recovery recovery_of(struct aggregator *g)
{
    if (*g->conf.store_path)
        snprintf(g->database, sizeof(g->database), "%s", g->conf.store_path);
    else
        snprintf(g->database, sizeof(g->database), "%.4000s/davylamp.db", g->conf.state_dir);
    return (struct lamp_recovery){ g->conf.store_backend, g->database, g->conf.state_dir };
}

static int restore(struct aggregator *g)
{
    const struct lamp_recovery r = recovery_of(g);
    (void)umask(0077);
    return lamp_recovery_restore(&r, g->argument);
}

static int set_aside(struct aggregator *g)
{
    const struct lamp_recovery r = recovery_of(g);
    (void)umask(0077);
    return lamp_recovery_set_aside(&r);
}

static int open_store(struct aggregator *g)
{
    char why[WHY];
    const struct lamp_recovery r = recovery_of(g);
    (void)umask(0077);
    if (lamp_recovery_lock(&r) != LAMP_OK ||
        lamp_recovery_check(&r, (uint32_t)g->conf.check_s) != LAMP_OK)
        return 1;
    if (lamp_store_open(g->conf.store_backend, g->database, false, &g->store, why) != LAMP_OK)
        return complain(why);
    int err = lamp_store_begin(g->store);
    if (!err)
        err = lamp_store_history_start(g->store, lamp_clickhouse_place(&g->clickhouse));
    if (!err)
        err = lamp_store_commit(g->store);
    return err ? complain(lamp_store_why(g->store)) : 0;
}

static struct lamp_clickhouse_cfg clickhouse_of(const struct lamp_aggregator_conf *c)
{
    return (struct lamp_clickhouse_cfg){
        .url = c->clickhouse_url,
        .database = c->clickhouse_database,
        .cluster = c->clickhouse_cluster,
        .user = c->clickhouse_user,
        .password_file = c->clickhouse_password_file,
        .ca = c->clickhouse_ca,
        .plain_ok = c->clickhouse_plain_ok,
    };
}

/* No certificate and no key: no TLS. */
static int load_tls(const struct lamp_aggregator_conf *c, struct lamp_http_tls *out, char *why,
                    size_t size)
{
    const bool has_key = *c->http_key;
    if (!*c->http_certificate && !has_key)
        return LAMP_OK;
    if (*c->http_certificate && has_key)
        return lamp_http_tls_load(c->http_certificate, c->http_key, out, why, size);
    snprintf(why, size, "http.certificate and http.key belong together: give both");
    return LAMP_EINVAL;
}

/* What no option alone tells (lamp_conf_check_fn): whether alerts can be told to anybody, and the files
 * and places that options name can be used. Asked by --check-config, and before a start. */
static int check_conf(void *conf, char why[LAMP_CONF_WHY])
{
    const struct lamp_aggregator_conf *c = conf;
    const struct lamp_clickhouse_cfg history = clickhouse_of(c);
    struct lamp_http_tls tls = { 0 };
    char what[WHY];
    int err = lamp_notify_check((const char *const *)c->notify.v, c->notify.n, what);
    if (err) {
        snprintf(why, LAMP_CONF_WHY, "notify.receivers: %.480s", what);
        return err;
    }
    if (*history.url)
        err = lamp_clickhouse_check(&history, what);
    if (!err)
        err = load_tls(c, &tls, what, sizeof(what));
    if (err)
        snprintf(why, LAMP_CONF_WHY, "%.500s", what);
    lamp_http_tls_wipe(&tls);
    return err;
}

static int open_tls(struct aggregator *g)
{
    char why[WHY];
    const uint64_t now_us = lamp_clock_real_us();
    if (load_tls(&g->conf, &g->tls, why, sizeof(why)) != LAMP_OK)
        return complain(why);
    if (g->tls.certificate && g->tls.expires_us < now_us)
        lamp_log(LAMP_LOG_ERROR, "main", "http.certificate has ended: renew it, then restart");
    else if (g->tls.certificate && g->tls.expires_us < now_us + EXPIRES_SOON_US)
        lamp_log(LAMP_LOG_WARN, "main",
                 "http.certificate ends in %" PRIu64 " days: renew it, then restart",
                 (g->tls.expires_us - now_us) / DAY_US);
    return 0;
}

static int open_files(struct aggregator *g)
{
    char why[WHY];
    if (lamp_aggregator_never(&g->conf, &g->never, &g->n_never) != LAMP_OK)
        return 2;
    snprintf(g->samples, sizeof(g->samples), "%.4000s/samples", g->conf.state_dir);
    snprintf(g->token_file, sizeof(g->token_file), "%.4000s/token", g->conf.state_dir);
    const int err =
        lamp_geo_new((const char *const *)g->conf.geo_files.v, g->conf.geo_files.n, &g->geo);
    if (err)
        return complain(err == LAMP_EFULL ? "geo.files names more than 8 files"
                                          : lamp_strerror(err));
    if (check_conf(&g->conf, why) != LAMP_OK)
        return 2 * complain(why);
    int code = open_tls(g);
    if (!code)
        code = read_places(g);
    if (code)
        return code;
    open_geo(g);
    open_devices(g);
    open_catalogue(g);
    if (lamp_prices_parse(g->conf.price, (const char *const *)g->conf.site_prices.v,
                          g->conf.site_prices.n, &g->prices, why, sizeof(why)) != LAMP_OK)
        return complain(why);
    code = open_store(g);
    return code ? code : load_sensors(g);
}

static int open_accounts(struct aggregator *g)
{
    char why[WHY], password[LAMP_PASSWORD];
    if (lamp_auth_open(g->store, g->token_file, lamp_clock_real_us(), &g->auth, password, why,
                       sizeof(why)) != LAMP_OK)
        return complain(why);
    if (*password)
        printf("The first account is \"admin\", its password is %s\n"
               "It is shown only now.\n",
               password);
    fflush(stdout);
    return 0;
}

/* Made-up traffic is about addresses that belong to somebody: nobody is asked about them. */
static int open_names(struct aggregator *g)
{
    if (!g->conf.names_reverse || g->conf.sample_mode)
        return 0;
    const int err = lamp_names_new(g->conf.names_servers, &g->names);
    if (err == LAMP_EFORMAT)
        return complain("names.servers is no list of ADDRESS[:PORT] with commas between");
    return err ? complain(lamp_strerror(err)) : 0;
}

/* The names and networks that the configuration keeps from being probed. */
static int read_opted_out(struct aggregator *g)
{
    const struct lamp_strlist *list = &g->conf.pools_never;
    g->opted_names = calloc(list->n + 1, sizeof(*g->opted_names));
    g->opted_out = calloc(list->n + g->n_never + 1, sizeof(*g->opted_out));
    if (!g->opted_names || !g->opted_out)
        return complain("out of memory");
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

static int open_rounds(struct aggregator *g)
{
    char why[WHY];
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
    return lamp_rounds_start(&cfg, &g->rounds, why) ? complain(why) : 0;
}

static int open_notify(struct aggregator *g)
{
    char why[WHY], queue[4096];
    snprintf(queue, sizeof(queue), "%.4000s/notify.db", g->conf.state_dir);
    const struct lamp_notify_cfg cfg = {
        .backend = g->conf.store_backend,
        .database = g->database,
        .queue = queue,
        .lines = (const char *const *)g->conf.notify.v,
        .n_lines = g->conf.notify.n,
    };
    return lamp_notify_start(&cfg, &g->notify, why) ? complain(why) : 0;
}

static int print_clickhouse_schema(struct aggregator *g)
{
    char why[WHY];
    struct lamp_clickhouse_cfg named = g->clickhouse;
    named.url = *named.url ? named.url : "http://localhost:8123";
    if (lamp_clickhouse_check(&named, why) != LAMP_OK)
        return complain(why);
    lamp_clickhouse_print_schema(&named, stdout);
    return 0;
}

static int open_history(struct aggregator *g)
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
    return err ? complain(lamp_strerror(err)) : 0;
}

static int open_door(struct aggregator *g)
{
    char endpoint[256], why[WHY];
    if (streq(g->conf.listen_enroll, "off"))
        return 0;
    snprintf(endpoint, sizeof(endpoint), "%s", g->conf.listen_enroll);
    if (!*endpoint &&
        lamp_enroll_endpoint(g->conf.listen_sensors, endpoint, sizeof(endpoint)) != LAMP_OK)
        return complain("listen.enroll: listen.sensors has no port to follow: say where, or off");
    const struct lamp_door_cfg cfg = { endpoint, &g->keys, g->allow, g->pending, g->commands };
    if (lamp_door_start(&cfg, &g->door, why, sizeof(why)) != LAMP_OK)
        return complain(why);
    return 0;
}

static int open_imports(struct aggregator *g)
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
    return lamp_imports_start(&cfg, &g->imports, why) ? complain(why) : 0;
}

/* On the writer's thread. Where memory is short the accounts stay as they were. */
static void take_accounts(lamp_store *store, void *arg)
{
    const struct aggregator *g = arg;
    const int err = lamp_auth_reload(g->auth, store);
    if (err)
        lamp_log(LAMP_LOG_ERROR, "main", "accounts were not read anew: %s", lamp_strerror(err));
}

static void write_ingest(FILE *out, void *arg)
{
    static const char name[] = "davylamp_ingest_refused_total";
    const struct aggregator *g = arg;
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
}

static int start_threads(struct aggregator *g)
{
    char why[WHY];
    if (lamp_mailbox_new(INBOX_BYTES, &g->inbox) != LAMP_OK ||
        lamp_mailbox_new(OUTBOX_BYTES, &g->outbox) != LAMP_OK ||
        lamp_commands_new(&g->commands) != LAMP_OK || lamp_pending_new(&g->pending) != LAMP_OK ||
        lamp_events_new(&g->events) != LAMP_OK || lamp_findings_new(&g->findings) != LAMP_OK ||
        lamp_probes_new(&g->probes) != LAMP_OK)
        return complain("out of memory");
    /* The port first: a second aggregator stops here, before it changes accounts or lists. */
    const struct lamp_ingest_cfg ingest = { g->conf.listen_sensors, &g->keys, g->allow, g->inbox,
                                            g->outbox };
    if (lamp_ingest_start(&ingest, &g->ingest, why, sizeof(why)) != LAMP_OK)
        return complain(why);
    int code = open_accounts(g);
    if (code)
        return code;
    const struct lamp_writer_cfg writer = {
        g->store,
        &g->keys,
        g->allow,
        g->inbox,
        g->outbox,
        g->commands,
        g->events,
        g->findings,
        g->never,
        g->n_never,
        (uint32_t)g->conf.list_ttl_s,
        (uint32_t)g->conf.interval_s * 1000,
        g->catalogue,
        g->cdn,
        !g->conf.approvals,
        (uint32_t)g->conf.overlap_s,
        g->keys.next,
        { .folder = g->conf.state_dir,
          .silent_us = (uint64_t)g->conf.silent_s * 1000000,
          .drops = g->conf.drops / 100,
          .disk_free = g->conf.disk_free / 100 },
        { .rejected = g->conf.rejected / 100,
          .silence_us = (uint64_t)g->conf.no_shares_s * 1000000,
          .drop = g->conf.rate_drop / 100 },
        asn_of,
        g->geo,
        { .settle_minutes = (uint32_t)g->conf.settle_minutes,
          .days = { (uint32_t)g->conf.minute_days, (uint32_t)g->conf.hour_days,
                    (uint32_t)g->conf.day_days },
          .conn_days = (uint32_t)g->conf.conn_days,
          .max_bytes = (uint64_t)g->conf.disk_mib << 20 },
        { .folder = g->samples,
          .quota_bytes = (uint64_t)g->conf.samples_mib << 20,
          .keep_days = (uint32_t)g->conf.samples_days },
        (uint32_t)g->conf.tracking_days,
        take_accounts,
        g,
    };
    const int err = lamp_writer_start(&writer, &g->writer);
    if (err != LAMP_OK)
        return complain(err == LAMP_ESTORE ? lamp_store_why(g->store) : lamp_strerror(err));
    code = open_names(g);
    if (!code)
        code = open_rounds(g);
    if (!code)
        code = open_notify(g);
    if (!code)
        code = open_history(g);
    if (!code)
        code = open_door(g);
    if (!code)
        code = open_imports(g);
    if (code)
        return code;
    const struct lamp_api_cfg api = {
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
        .prices = g->prices,
        .cdn = g->cdn,
        .geo_attribution = g->conf.geo_attribution,
        .places = g->places,
        .n_places = g->conf.places.n,
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
    if (lamp_api_start(&api, &g->api, why) != LAMP_OK)
        return complain(why);
    return 0;
}

/* Looks for a next key of ours that `rotate-key` made, and has sensors told of it. */
static void announce_next_key(struct aggregator *g)
{
    struct lamp_keys k;
    char why[WHY], print[LAMP_FINGERPRINT];
    struct lamp_command c = { .kind = LAMP_CMD_ANNOUNCE, .actor = "aggregator" };
    struct lamp_command_result r;
    if (lamp_keys_load(g->conf.state_dir, &k, why, sizeof(why)) != LAMP_OK) {
        lamp_log(LAMP_LOG_WARN, "main", "keys: %s", why);
        return;
    }
    c.server_key = k.next;
    lamp_keys_wipe(&k);
    if (c.server_key.serial == 0 || c.server_key.serial == g->keys.next.serial)
        return;
    const int err = lamp_commands_run(g->commands, &c, COMMAND_WAIT_MS, &r);
    if (err || r.err) {
        lamp_log(LAMP_LOG_WARN, "main", "the next key was not announced: %s",
                 lamp_strerror(err ? err : r.err));
        return;
    }
    g->keys.next = c.server_key;
    lamp_log(LAMP_LOG_INFO, "main", "sensors are told of the next key fingerprint=%s",
             lamp_fingerprint(c.server_key.public_key, print));
}

/* In this order nothing is lost: no more input, what waits is committed, its acks go out. */
static void stop(struct aggregator *g)
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
    lamp_prices_free(&g->prices);
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
    free(g->places);
    lamp_keys_wipe(&g->keys);
    lamp_conf_free(&lamp_aggregator_spec, &g->conf);
}

static int serve(struct aggregator *g)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* all threads inherit this */
    (void)signal(SIGPIPE, SIG_IGN);
    int code = open_files(g);
    if (code == 0)
        code = start_threads(g);
    if (code)
        return code;
    lamp_log(LAMP_LOG_INFO, "main", "running version=%s sensors=%s http=%s", LAMP_VERSION,
             g->conf.listen_sensors, g->conf.listen_http);
    notify("READY=1");
    int sig = 0;
    while (sigwait(&set, &sig) == 0 && sig == SIGHUP) {
        take_sensors_file(g, NULL);
        announce_next_key(g);
        open_geo(g);
    }
    notify("STOPPING=1");
    lamp_log(LAMP_LOG_INFO, "main", "stopping");
    return lamp_writer_failed(g->writer) ? 1 : 0;
}

static const struct {
    const char *name;
    int (*fn)(struct aggregator *g);
    bool with_keys; /* makes those that are missing */
    int n_args;
} commands[] = { { "serve", serve, true, 0 },
                 { "keys", print_keys, true, 0 },
                 { "rotate-key", rotate_key, true, 0 },
                 { "switch-key", switch_key, true, 0 },
                 { "clickhouse-schema", print_clickhouse_schema, false, 0 },
                 { "restore", restore, false, 1 },
                 { "set-aside", set_aside, false, 0 } };

static int run_command(struct aggregator *g, const char *name, int n_args)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (!streq(commands[i].name, name))
            continue;
        if (n_args != commands[i].n_args) {
            complain(commands[i].n_args ? "restore takes a file (see --help)"
                                        : "this command takes no argument (see --help)");
            return 2;
        }
        raise_limits();
        const int code = commands[i].with_keys ? load_keys(g) : 0;
        return code ? code : commands[i].fn(g);
    }
    complain("there is no such command (see --help)");
    return 2;
}

int main(int argc, char **argv)
{
    static struct aggregator g;
    int first = 0;
    struct lamp_conf_spec spec = lamp_aggregator_spec;
    spec.check = check_conf;
    const enum lamp_conf_action action = lamp_conf_load(&spec, argc, argv, &g.conf, &first);
    if (action != LAMP_CONF_RUN) {
        lamp_conf_free(&lamp_aggregator_spec, &g.conf);
        return action == LAMP_CONF_EXIT_OK ? 0 : 2;
    }
    lamp_log_setup((enum lamp_log_level)g.conf.log_level, g.conf.log_format == 1);
    g.clickhouse = clickhouse_of(&g.conf);
    const int n_args = first < argc ? argc - first - 1 : 0;
    g.argument = n_args ? argv[first + 1] : NULL;
    const int code = run_command(&g, first < argc ? argv[first] : "serve", n_args);
    stop(&g);
    return code;
}
