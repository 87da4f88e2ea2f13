/* SPDX-License-Identifier: Apache-2.0 */
/* davylamp-aggregator: reads the configuration, opens the store, starts the threads (writer,
 * ingest, HTTP), waits for signals, and ends them in the order that loses nothing. */
#include "aggregator/api/api.h"
#include "aggregator/conf.h"
#include "aggregator/ingest/ingest.h"
#include "aggregator/writer/writer.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "common/version.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum {
    WHY = 600,
    INBOX_BYTES = 64 * 1024 * 1024,
    OUTBOX_BYTES = 64 * 1024 * 1024,
    DESCRIPTORS = 16384,
};

struct aggregator {
    struct lamp_aggregator_conf conf;
    struct lamp_keys keys;
    struct lamp_prefix *never;
    size_t n_never;
    char database[4096], token_file[4096];
    lamp_store *store;
    lamp_allow *allow;
    lamp_geo *geo;
    lamp_devices *devices;
    lamp_catalogue *catalogue; /* NULL: the watch list has no pools but those that were seen */
    lamp_names *names;
    lamp_mailbox *inbox, *outbox;
    lamp_commands *commands;
    lamp_events *events;
    lamp_auth *auth;
    lamp_writer *writer;
    lamp_ingest *ingest;
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

static int print_keys(const struct aggregator *g)
{
    char hex[2 * LAMP_LIST_PUBLIC + 1];
    printf("server %s\nlist %s\n", g->keys.curve_public,
           lamp_hex_encode(g->keys.list_public, sizeof(g->keys.list_public), hex));
    return 0;
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
}

static int open_files(struct aggregator *g)
{
    char why[WHY];
    if (lamp_aggregator_never(&g->conf, &g->never, &g->n_never) != LAMP_OK)
        return 2;
    if (lamp_allow_load(g->conf.sensors, stderr, &g->allow) != LAMP_OK)
        return complain("the sensors file has mistakes");
    if (*g->conf.store_path)
        snprintf(g->database, sizeof(g->database), "%s", g->conf.store_path);
    else
        snprintf(g->database, sizeof(g->database), "%.4000s/davylamp.db", g->conf.state_dir);
    snprintf(g->token_file, sizeof(g->token_file), "%.4000s/token", g->conf.state_dir);
    const int err =
        lamp_geo_new((const char *const *)g->conf.geo_files.v, g->conf.geo_files.n, &g->geo);
    if (err)
        return complain(err == LAMP_EFULL ? "geo.files names more than 8 files"
                                          : lamp_strerror(err));
    open_geo(g);
    open_devices(g);
    open_catalogue(g);
    (void)umask(0077);
    if (lamp_store_open(g->conf.store_backend, g->database, false, &g->store, why) != LAMP_OK)
        return complain(why);
    return 0;
}

static int open_accounts(struct aggregator *g)
{
    char why[WHY], password[LAMP_PASSWORD];
    if (lamp_auth_open(g->database, g->token_file, lamp_clock_real_us(), &g->auth, password, why,
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

static int start_threads(struct aggregator *g)
{
    char why[WHY];
    if (lamp_mailbox_new(INBOX_BYTES, &g->inbox) != LAMP_OK ||
        lamp_mailbox_new(OUTBOX_BYTES, &g->outbox) != LAMP_OK ||
        lamp_commands_new(&g->commands) != LAMP_OK || lamp_events_new(&g->events) != LAMP_OK)
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
        g->never,
        g->n_never,
        (uint32_t)g->conf.list_ttl_s,
        (uint32_t)g->conf.interval_s * 1000,
        g->catalogue,
        !g->conf.approvals,
    };
    const int err = lamp_writer_start(&writer, &g->writer);
    if (err != LAMP_OK)
        return complain(err == LAMP_ESTORE ? lamp_store_why(g->store) : lamp_strerror(err));
    code = open_names(g);
    if (code)
        return code;
    const struct lamp_api_cfg api = {
        .listen = g->conf.listen_http,
        .plain_ok = g->conf.http_plain_ok,
        .cookie_secure = g->conf.http_behind_tls,
        .web_folder = g->conf.web,
        .backend = g->conf.store_backend,
        .database = g->database,
        .sample_mode = g->conf.sample_mode,
        .started_us = lamp_clock_real_us(),
        .geo = g->geo,
        .names = g->names,
        .devices = g->devices,
        .price = g->conf.price,
        .geo_attribution = g->conf.geo_attribution,
        .auth = g->auth,
        .events = g->events,
        .commands = g->commands,
    };
    if (lamp_api_start(&api, &g->api, why) != LAMP_OK)
        return complain(why);
    return 0;
}

/* Reads the sensors file again and lets the writer know. */
static void reload_sensors(struct aggregator *g)
{
    if (lamp_allow_reload(g->allow, g->conf.sensors, stderr) != LAMP_OK) {
        lamp_log(LAMP_LOG_WARN, "main", "the sensors file has mistakes, keeping the old list");
        return;
    }
    struct lamp_letter *l = calloc(1, sizeof(*l));
    if (l && lamp_mailbox_put(g->inbox, &l) == LAMP_OK)
        lamp_log(LAMP_LOG_INFO, "main", "sensors file read again path=%s", g->conf.sensors);
    else
        lamp_log(LAMP_LOG_WARN, "main", "too busy to take over the sensors file, try again");
    lamp_letter_free(l);
}

/* In this order nothing is lost: no more input, what waits is committed, its acks go out. */
static void stop(struct aggregator *g)
{
    lamp_api_stop(g->api);
    if (g->ingest)
        lamp_ingest_quiesce(g->ingest);
    lamp_writer_stop(g->writer);
    lamp_ingest_stop(g->ingest);
    lamp_names_free(g->names);
    lamp_devices_free(g->devices);
    lamp_catalogue_free(g->catalogue);
    lamp_geo_free(g->geo);
    lamp_auth_close(g->auth);
    lamp_commands_free(g->commands);
    lamp_events_free(g->events);
    lamp_mailbox_free(g->inbox);
    lamp_mailbox_free(g->outbox);
    lamp_store_close(g->store);
    lamp_allow_free(g->allow);
    free(g->never);
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
        reload_sensors(g);
        open_geo(g);
    }
    notify("STOPPING=1");
    lamp_log(LAMP_LOG_INFO, "main", "stopping");
    return lamp_writer_failed(g->writer) ? 1 : 0;
}

int main(int argc, char **argv)
{
    static struct aggregator g;
    int first = 0;
    const enum lamp_conf_action action =
        lamp_conf_load(&lamp_aggregator_spec, argc, argv, &g.conf, &first);
    if (action != LAMP_CONF_RUN) {
        lamp_conf_free(&lamp_aggregator_spec, &g.conf);
        return action == LAMP_CONF_EXIT_OK ? 0 : 2;
    }
    lamp_log_setup((enum lamp_log_level)g.conf.log_level, g.conf.log_format == 1);
    const bool keys_only = first < argc && streq(argv[first], "keys") && first + 1 == argc;
    int code = 2;
    if (first < argc && !keys_only) {
        complain("there is no such command (see --help)");
    } else {
        raise_limits();
        code = load_keys(&g);
        if (code == 0)
            code = keys_only ? print_keys(&g) : serve(&g);
    }
    stop(&g);
    return code;
}
