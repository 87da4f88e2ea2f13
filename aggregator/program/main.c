/* SPDX-License-Identifier: Apache-2.0 */
/* davylamp-aggregator: reads the configuration and does what the command says: a run until a signal
 * ends it, or something about keys and database that wants no run. */
#include "aggregator/program/program.h"
#include "common/clock.h"
#include "common/fingerprint.h"
#include "common/log.h"
#include "common/text.h"
#include "common/version.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { DESCRIPTORS = 16384 };

/* systemd (sd_notify(3), without its library). */
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

/* Sockets cost descriptors before their owner is known. */
static void raise_limits(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < DESCRIPTORS) {
        r.rlim_cur = r.rlim_max < DESCRIPTORS ? r.rlim_max : DESCRIPTORS;
        (void)setrlimit(RLIMIT_NOFILE, &r);
    }
}

static int load_keys(struct lamp_aggregator *g)
{
    char why[LAMP_PROGRAM_WHY];
    if (lamp_keys_load(g->conf.state_dir, &g->keys, why, sizeof(why)) != LAMP_OK)
        return lamp_complain(why);
    return 0;
}

static int print_keys(struct lamp_aggregator *g)
{
    char hex[2 * LAMP_LIST_PUBLIC + 1], print[LAMP_FINGERPRINT];
    printf("server %s\nlist %s\nfingerprint %s\n", g->keys.curve_public,
           lamp_hex_encode(g->keys.list_public, sizeof(g->keys.list_public), hex),
           lamp_fingerprint_z85(g->keys.curve_public, print));
    if (g->keys.next.serial)
        printf("next fingerprint %s\n", lamp_fingerprint(g->keys.next.public_key, print));
    return 0;
}

static int rotate_key(struct lamp_aggregator *g)
{
    const int err = lamp_keys_make_next(g->conf.state_dir, lamp_clock_real_us() / 1000000);
    if (err && err != LAMP_EEXIST)
        return lamp_complain(lamp_strerror(err));
    if (load_keys(g) != 0)
        return 1;
    (void)print_keys(g);
    fputs(
        "The next key is made. SIGHUP to the running aggregator has sensors told of it; when all\n"
        "have it (davylamp sensors keys), `davylamp-aggregator switch-key` and a restart.\n",
        stderr);
    return 0;
}

static int switch_key(struct lamp_aggregator *g)
{
    const int err = lamp_keys_switch(g->conf.state_dir);
    if (err)
        return lamp_complain(err == LAMP_ENOENT ? "there is no next key: rotate-key makes one"
                                                : lamp_strerror(err));
    if (load_keys(g) != 0)
        return 1;
    (void)print_keys(g);
    fputs("The next key is in use from the next start on; the former is kept as server.old.\n",
          stderr);
    return 0;
}

static int restore(struct lamp_aggregator *g)
{
    const struct lamp_recovery r = lamp_aggregator_recovery(g);
    (void)umask(0077);
    return lamp_recovery_restore(&r, g->argument);
}

static int set_aside(struct lamp_aggregator *g)
{
    const struct lamp_recovery r = lamp_aggregator_recovery(g);
    (void)umask(0077);
    return lamp_recovery_set_aside(&r);
}

static int print_clickhouse_schema(struct lamp_aggregator *g)
{
    char why[LAMP_PROGRAM_WHY];
    struct lamp_clickhouse_cfg named = g->clickhouse;
    named.url = *named.url ? named.url : "http://localhost:8123";
    if (lamp_clickhouse_check(&named, why) != LAMP_OK)
        return lamp_complain(why);
    lamp_clickhouse_print_schema(&named, stdout);
    return 0;
}

/* Looks for a next key of ours that `rotate-key` made, and has sensors told of it. */
static void announce_next_key(struct lamp_aggregator *g)
{
    struct lamp_keys k;
    char why[LAMP_PROGRAM_WHY], print[LAMP_FINGERPRINT];
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
    const int err = lamp_commands_run(g->commands, &c, LAMP_PROGRAM_WAIT_MS, &r);
    if (err || r.err) {
        lamp_log(LAMP_LOG_WARN, "main", "the next key was not announced: %s",
                 lamp_strerror(err ? err : r.err));
        return;
    }
    g->keys.next = c.server_key;
    lamp_log(LAMP_LOG_INFO, "main", "sensors are told of the next key fingerprint=%s",
             lamp_fingerprint(c.server_key.public_key, print));
}

static int serve(struct lamp_aggregator *g)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* all threads inherit this */
    (void)signal(SIGPIPE, SIG_IGN);
    int code = lamp_aggregator_open(g);
    if (code == 0)
        code = lamp_aggregator_start(g);
    if (code)
        return code;
    lamp_log(LAMP_LOG_INFO, "main", "running version=%s sensors=%s http=%s", LAMP_VERSION,
             g->conf.listen_sensors, g->conf.listen_http);
    notify("READY=1");
    int sig = 0;
    while (sigwait(&set, &sig) == 0 && sig == SIGHUP) {
        lamp_aggregator_take_sensors(g, NULL);
        announce_next_key(g);
        lamp_aggregator_open_geo(g);
    }
    notify("STOPPING=1");
    lamp_log(LAMP_LOG_INFO, "main", "stopping");
    return lamp_writer_failed(g->writer) ? 1 : 0;
}

static const struct {
    const char *name;
    int (*fn)(struct lamp_aggregator *g);
    bool with_keys; /* makes those that are missing */
    int n_args;
} commands[] = { { "serve", serve, true, 0 },
                 { "keys", print_keys, true, 0 },
                 { "rotate-key", rotate_key, true, 0 },
                 { "switch-key", switch_key, true, 0 },
                 { "clickhouse-schema", print_clickhouse_schema, false, 0 },
                 { "restore", restore, false, 1 },
                 { "set-aside", set_aside, false, 0 } };

static int run_command(struct lamp_aggregator *g, const char *name, int n_args)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (!streq(commands[i].name, name))
            continue;
        if (n_args != commands[i].n_args) {
            lamp_complain(commands[i].n_args ? "restore takes a file (see --help)"
                                             : "this command takes no argument (see --help)");
            return 2;
        }
        raise_limits();
        const int code = commands[i].with_keys ? load_keys(g) : 0;
        return code ? code : commands[i].fn(g);
    }
    lamp_complain("there is no such command (see --help)");
    return 2;
}

int main(int argc, char **argv)
{
    static struct lamp_aggregator g;
    int first = 0;
    struct lamp_conf_spec spec = lamp_aggregator_spec;
    spec.check = lamp_aggregator_check;
    const enum lamp_conf_action action = lamp_conf_load(&spec, argc, argv, &g.conf, &first);
    if (action != LAMP_CONF_RUN) {
        lamp_conf_free(&lamp_aggregator_spec, &g.conf);
        return action == LAMP_CONF_EXIT_OK ? 0 : 2;
    }
    lamp_log_setup((enum lamp_log_level)g.conf.log_level, g.conf.log_format == 1);
    g.clickhouse = lamp_aggregator_clickhouse(&g.conf);
    const int n_args = first < argc ? argc - first - 1 : 0;
    g.argument = n_args ? argv[first + 1] : NULL;
    const int code = run_command(&g, first < argc ? argv[first] : "serve", n_args);
    lamp_aggregator_stop(&g);
    return code;
}
