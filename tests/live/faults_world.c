/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/live/faults.h"

#include "aggregator/keys.h"
#include "common/clock.h"
#include "common/io.h"
#include "sensor/link/key.h"
#include "tests/support/aggregator.h"
#include "tests/support/faults/cut.h"

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

static void show_log(const struct world *w, const char *name)
{
    char path[128], *text;
    size_t len;
    snprintf(path, sizeof(path), "%s/%s.log", w->dir, name);
    if (lamp_io_read_file(path, 64 << 20, &text, &len) != LAMP_OK)
        return;
    size_t from = len, lines = 0;
    while (from > 0 && lines < 40)
        lines += text[--from] == '\n';
    fprintf(stderr, "--- %s\n%s\n", name, text + from);
    free(text);
}

static void clear_away(struct world *w)
{
    for (size_t i = 0; i <= w->scenario->n_sensors; i++) {
        struct peer *p = i ? &w->sensors[i - 1] : &w->aggregator;
        if (p->pid > 0) {
            kill(p->pid, SIGKILL);
            (void)waitpid(p->pid, NULL, 0);
        }
    }
    w->proxy = lamp_proxy_stop(w->proxy);
    if (w->cfg->keep)
        printf("kept %s\n", w->dir);
    else
        remove_folder(w->dir);
}

void world_fail(struct world *w, const char *form, ...)
{
    va_list ap;
    va_start(ap, form);
    fprintf(stderr, "%s: FAILED (seed %llu): ", w->scenario->name,
            (unsigned long long)w->cfg->seed);
    vfprintf(stderr, form, ap);
    fputc('\n', stderr);
    va_end(ap);
    show_log(w, w->aggregator.name);
    for (size_t i = 0; i < w->scenario->n_sensors; i++)
        show_log(w, w->sensors[i].name);
    clear_away(w);
    exit(1);
}

static void must(struct world *w, int err, const char *what)
{
    if (err)
        world_fail(w, "%s: %s", what, lamp_strerror(err));
}

/* ---- time ---- */

uint64_t now_ms(void)
{
    return lamp_clock_mono_us() / 1000;
}

void all_alive(struct world *w)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (size_t i = 0; i <= w->scenario->n_sensors; i++) {
            struct peer *p = i ? &w->sensors[i - 1] : &w->aggregator;
            if (p->pid != pid)
                continue; /* a child that a killed sensor left behind */
            p->pid = 0;
            world_fail(w, "%s ended by itself: %s %d", p->name,
                       WIFSIGNALED(status) ? "signal" : "status",
                       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        }
}

void wait_ms(struct world *w, uint64_t ms)
{
    (void)poll(NULL, 0, (int)ms);
    all_alive(w);
}

/* ---- processes ---- */

static void run_peer(const struct world *w, const struct peer *p)
{
    char control[192], log[192], endpoint[64], quota[32], rows[32], conf[192], clock[32];
    snprintf(log, sizeof(log), "%s/%s.log", w->dir, p->name);
    snprintf(control, sizeof(control), "%s/%s.control", w->dir, p->name);
    const int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
        _exit(126);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(log, sizeof(log), "%s/%s.calls", w->dir, p->name);
    snprintf(clock, sizeof(clock), "%u", w->rate);
    setenv(FAULT_CONTROL, control, 1);
    setenv(FAULT_DISK, p->watched, 1);
    setenv("LAMP_CLOCK", clock, 1);
    if (p->cuts || w->scenario->unsynced)
        setenv(FAULT_LOG, p->cuts ? log : "/dev/null", 1);
    snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%u", lamp_proxy_port(w->proxy));
    snprintf(quota, sizeof(quota), "%llu",
             (unsigned long long)(w->scenario->quota ? w->scenario->quota : 64 << 20));
    snprintf(rows, sizeof(rows), "%llu", (unsigned long long)w->scenario->rows);
    snprintf(conf, sizeof(conf), "%s/aggregator.conf", w->dir);
    if (p == &w->aggregator)
        execl(w->cfg->aggregator, "davylamp-aggregator", "-c", conf, (char *)NULL);
    else
        execl(w->cfg->sensor, "fault_sensor", p->dir, endpoint, w->server_key, quota, rows,
              (char *)NULL);
    _exit(127);
}

void start(struct world *w, struct peer *p)
{
    char base[192], log[192];
    if (p->cuts) {
        snprintf(base, sizeof(base), "%s/%s.base", w->dir, p->name);
        snprintf(log, sizeof(log), "%s/%s.calls", w->dir, p->name);
        must(w, copy_folder(p->watched, base), base);
        (void)unlink(log);
    }
    atomic_store(&p->control->clock_us, 0);
    fflush(NULL);
    p->pid = fork();
    if (p->pid == 0)
        run_peer(w, p);
    if (p->pid < 0)
        world_fail(w, "fork failed");
}

void start_all(struct world *w)
{
    start(w, &w->aggregator);
    for (size_t i = 0; i < w->scenario->n_sensors; i++)
        start(w, &w->sensors[i]);
}

void end(struct world *w, struct peer *p, int signo)
{
    if (p->pid == 0)
        return;
    int status = 0;
    const uint64_t until_ms = now_ms() + 20000;
    /* One that only just starts knows no SIGTERM yet. */
    while (signo == SIGTERM && atomic_load(&p->control->clock_us) == 0 && now_ms() < until_ms)
        wait_ms(w, 5);
    all_alive(w);
    kill(p->pid, signo);
    pid_t got;
    while ((got = waitpid(p->pid, &status, signo == SIGKILL ? 0 : WNOHANG)) == 0) {
        if (now_ms() > until_ms)
            world_fail(w, "%s does not end", p->name);
        (void)poll(NULL, 0, 5);
    }
    p->pid = 0;
    if (got < 0 || (signo == SIGTERM && (!WIFEXITED(status) || WEXITSTATUS(status) != 0)))
        world_fail(w, "%s ended badly (status %x)", p->name, (unsigned)status);
}

void end_all(struct world *w, int signo)
{
    for (size_t i = 0; i < w->scenario->n_sensors; i++)
        end(w, &w->sensors[i], signo);
    end(w, &w->aggregator, signo);
}

void cut(struct world *w, struct peer *p)
{
    char base[192], log[192];
    end(w, p, SIGKILL);
    snprintf(base, sizeof(base), "%s/%s.base", w->dir, p->name);
    snprintf(log, sizeof(log), "%s/%s.calls", w->dir, p->name);
    must(w, cut_power(base, log, p->watched, &w->rng), log);
}

/* ---- what happened ---- */

void make_batches(struct world *w, uint64_t pause_us, uint64_t left)
{
    for (size_t i = 0; i < w->scenario->n_sensors; i++) {
        atomic_store(&w->sensors[i].control->left, left);
        atomic_store(&w->sensors[i].control->pause_us, pause_us);
    }
}

/* Adds up a sensor's trace by stream. */
struct sums {
    uint64_t spooled, acked, waiting;
};

static struct sums sum_up(const struct world *w, size_t sensor)
{
    struct {
        struct lamp_stream_id id;
        uint64_t last, acked;
    } *v = NULL;
    const struct control *c = w->sensors[sensor].control;
    const uint64_t n = atomic_load(&c->n);
    size_t n_streams = 0, at = 0;
    struct sums s = { 0 };
    for (uint64_t i = 0; i < n && i < TRACE_MAX; i++) {
        const struct trace *t = &c->trace[i];
        if (at >= n_streams || memcmp(&v[at].id, &t->stream, sizeof(t->stream)) != 0)
            for (at = 0; at < n_streams; at++)
                if (memcmp(&v[at].id, &t->stream, sizeof(t->stream)) == 0)
                    break;
        if (at == n_streams) {
            void *grown = realloc(v, (n_streams + 1) * sizeof(*v));
            if (!grown)
                abort();
            v = grown;
            v[n_streams].id = t->stream;
            v[n_streams].last = 0;
            v[n_streams++].acked = 1;
        }
        if (t->kind == TRACE_SPOOLED)
            v[at].last = t->seq;
        else
            v[at].acked = t->seq;
    }
    for (size_t i = 0; i < n_streams; i++) {
        s.spooled += v[i].last;
        s.acked += v[i].acked - 1;
        s.waiting += v[i].last >= v[i].acked ? v[i].last - v[i].acked + 1 : 0;
    }
    free(v);
    return s;
}

uint64_t spooled(const struct world *w, size_t sensor)
{
    return sum_up(w, sensor).spooled;
}

uint64_t acknowledged(const struct world *w, size_t sensor)
{
    return sum_up(w, sensor).acked;
}

uint64_t unacknowledged(struct world *w)
{
    uint64_t n = 0;
    for (size_t i = 0; i < w->scenario->n_sensors; i++)
        n += sum_up(w, i).waiting;
    return n;
}

void drain(struct world *w, uint64_t limit_ms)
{
    const uint64_t until_ms = now_ms() + limit_ms;
    lamp_proxy_set(w->proxy, NULL);
    make_batches(w, 0, 0);
    wait_ms(w, 50); /* what was made on its way to the spool */
    uint64_t n;
    while ((n = unacknowledged(w)) > 0) {
        if (now_ms() > until_ms)
            world_fail(w, "%llu records are not acknowledged after %llu ms", (unsigned long long)n,
                       (unsigned long long)limit_ms);
        wait_ms(w, 50);
    }
}

static void sensors_to_check(struct world *w, struct check_sensor out[WORLD_SENSORS_MAX])
{
    for (size_t i = 0; i < w->scenario->n_sensors; i++)
        out[i] = (struct check_sensor){ w->sensors[i].name, w->spools[i], w->sensors[i].control,
                                        w->scenario->rows };
}

void check_promises(struct world *w)
{
    struct check_sensor sensors[WORLD_SENSORS_MAX];
    struct check_result r;
    sensors_to_check(w, sensors);
    must(w, check_acked(w->database, sensors, w->scenario->n_sensors, &r), "check");
    if (r.residue)
        world_fail(w, "the aggregator acknowledged what it does not have");
}

struct check_result check_invariant(struct world *w, const char *when)
{
    struct check_sensor sensors[WORLD_SENSORS_MAX];
    struct check_result r;
    sensors_to_check(w, sensors);
    must(w, check_run(w->database, sensors, w->scenario->n_sensors, &r), "check");
    printf("%s: %s: spooled %llu = merged %llu, waiting %llu, declared lost %llu; duplicates "
           "refused %llu; residue %llu\n",
           w->scenario->name, when, (unsigned long long)r.spooled, (unsigned long long)r.merged,
           (unsigned long long)r.waiting, (unsigned long long)r.lost,
           (unsigned long long)r.duplicates, (unsigned long long)r.residue);
    fflush(stdout);
    if (r.residue)
        world_fail(w, "the invariant does not hold");
    if (r.spooled == 0 || r.merged == 0)
        world_fail(w, "nothing passed at all");
    return r;
}

uint64_t wait_until_listening(struct world *w, uint64_t limit_ms)
{
    const struct sockaddr_in to = { .sin_family = AF_INET,
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                    .sin_port = htons(w->port) };
    const uint64_t from_ms = now_ms();
    for (;;) {
        LAMP_AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
            return now_ms() - from_ms;
        if (now_ms() - from_ms > limit_ms)
            world_fail(w, "the aggregator does not listen after %llu ms",
                       (unsigned long long)limit_ms);
        wait_ms(w, 20);
    }
}

/* ---- the beginning ---- */

static uint16_t free_port(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(a);
    LAMP_AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) < 0)
        return 0;
    return ntohs(a.sin_port);
}

static void make_peer(struct world *w, struct peer *p, const char *name, bool is_sensor)
{
    char path[192];
    snprintf(p->name, sizeof(p->name), "%s", name);
    snprintf(p->dir, sizeof(p->dir), "%s/%s", w->dir, name);
    snprintf(p->watched, sizeof(p->watched), "%s%s", p->dir, is_sensor ? "/spool" : "");
    must(w, lamp_io_mkdirs(p->watched, 0700), p->watched);
    snprintf(path, sizeof(path), "%s/%s.control", w->dir, name);
    p->control = control_map(path);
    p->cuts = w->scenario->cuts;
    if (!p->control)
        world_fail(w, "cannot map %s", path);
}

static void make_files(struct world *w)
{
    char path[192], why[256];
    struct lamp_keys keys;
    if (lamp_keys_load(w->aggregator.dir, &keys, why, sizeof(why)) != LAMP_OK)
        world_fail(w, "%s", why);
    memcpy(w->server_key, keys.curve_public, sizeof(w->server_key));
    lamp_keys_wipe(&keys);
    snprintf(path, sizeof(path), "%s/sensors", w->dir);
    FILE *f = fopen(path, "we");
    for (size_t i = 0; f && i < w->scenario->n_sensors; i++) {
        struct lamp_key key;
        char key_path[192];
        snprintf(key_path, sizeof(key_path), "%s/key", w->sensors[i].dir);
        must(w, lamp_key_create(key_path, &key), key_path);
        fprintf(f, "%s site%zu %s\n", key.public_z85, i, w->sensors[i].name);
    }
    if (!f || fclose(f) != 0)
        world_fail(w, "cannot write %s", path);
    snprintf(path, sizeof(path), "%s/aggregator.conf", w->dir);
    f = fopen(path, "we");
    if (f)
        fprintf(f,
                "state_dir = \"%s\";\nsensors = \"%s/sensors\";\nweb = \"%s/web\";\n"
                "catalogue = \"%s\";\nsample_mode = true;\n"
                "listen = { sensors = \"tcp://127.0.0.1:%u\"; enroll = \"off\"; http = "
                "\"127.0.0.1:%u\"; };\n"
                /* the check wants to see every row as it came */
                "retention = { settle = 100000; };\n",
                w->aggregator.dir, w->dir, w->dir, LAMP_DATA, w->port, free_port());
    if (!f || fclose(f) != 0)
        world_fail(w, "cannot write %s", path);
}

static void make_world(struct world *w)
{
    const struct sim_endpoint any = { .addr =
                                          lamp_addr_from_v4((const uint8_t[]){ 127, 0, 0, 1 }) };
    struct sim_endpoint to = any;
    char name[32];
    snprintf(w->dir, sizeof(w->dir), "/tmp/lamp-faults-XXXXXX");
    if (!mkdtemp(w->dir)) {
        perror(w->dir);
        exit(1);
    }
    to.port = w->port = free_port();
    must(w, lamp_proxy_start(&any, &to, w->cfg->seed, &w->proxy), "proxy");
    make_peer(w, &w->aggregator, "aggregator", false);
    snprintf(w->database, sizeof(w->database), "%s/davylamp.db", w->aggregator.dir);
    for (size_t i = 0; i < w->scenario->n_sensors; i++) {
        snprintf(name, sizeof(name), "sensor%zu", i);
        make_peer(w, &w->sensors[i], name, true);
        snprintf(w->spools[i], sizeof(w->spools[i]), "%s/spool.db", w->sensors[i].watched);
    }
    make_files(w);
}

int world_run(const struct world_cfg *cfg, const struct scenario *s, unsigned count)
{
    static struct world w;
    w = (struct world){ .cfg = cfg, .scenario = s, .rng.state = cfg->seed, .rate = s->rate };
    const uint64_t began_ms = now_ms();
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    make_world(&w);
    s->run(&w, count);
    const struct proxy_counts c = lamp_proxy_counts(w.proxy);
    printf("%s: proxy: %llu connections, %llu refused, %llu cut, %llu stalled, %llu half open; "
           "lost alone: %llu of %llu up, %llu of %llu down\n",
           s->name, (unsigned long long)c.connections, (unsigned long long)c.refused,
           (unsigned long long)c.cut, (unsigned long long)c.stalled,
           (unsigned long long)c.half_open, (unsigned long long)c.dropped[PROXY_UP],
           (unsigned long long)c.messages[PROXY_UP], (unsigned long long)c.dropped[PROXY_DOWN],
           (unsigned long long)c.messages[PROXY_DOWN]);
    printf("%s: passed in %llu ms\n", s->name, (unsigned long long)(now_ms() - began_ms));
    clear_away(&w);
    return 0;
}
