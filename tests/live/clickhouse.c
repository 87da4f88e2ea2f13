/* SPDX-License-Identifier: Apache-2.0 */
/* clickhouse: history that goes to a real ClickHouse server (Debian's 18.16, as a stand-in for a newer one), and comes back
 * from there. Two stores get the same rows; one keeps all, the other sends its history away and forgets. Whatever befalls the way
 * there (nobody listens, answers are lost, the process is killed before or after the note), both answer the same
 * questions alike. Then what hostile servers say. Skipped where there is no clickhouse-server. */
#include "aggregator/history/exporter.h"
#include "aggregator/history/past.h"
#include "aggregator/store/history.h"
#include "aggregator/writer/tracker.h"
#include "tests/support/aggregator.h"
#include "tests/support/rng.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define MINUTE_US UINT64_C(60000000)
#define DAY_US (1440 * MINUTE_US)
#define PASSWORD "not-for-the-log"

/* ---- the server ---- */

static struct {
    pid_t pid;
    uint16_t http, tcp;
    char folder[200], password[256];
} server;

static uint16_t free_port(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);
    LAMP_AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    return ntohs(at.sin_port);
}

static int connect_to(uint16_t port)
{
    const struct sockaddr_in at = { .sin_family = AF_INET,
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                    .sin_port = htons(port) };
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static void write_file(const char *name, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void write_file(const char *name, const char *fmt, ...)
{
    char path[256];
    va_list ap;
    snprintf(path, sizeof(path), "%s/%s", server.folder, name);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    va_start(ap, fmt);
    vfprintf(f, fmt, ap);
    va_end(ap);
    assert_int_equal(fclose(f), 0);
}

/* Small caches: it is here for its answers. */
static void configure(void)
{
    const char *d = server.folder;
    write_file("config.xml",
               "<yandex><logger><level>warning</level><log>%s/log</log><errorlog>%s/err</errorlog>"
               "</logger><http_port>%u</http_port><tcp_port>%u</tcp_port>"
               "<listen_host>127.0.0.1</listen_host><path>%s/data/</path><tmp_path>%s/tmp/"
               "</tmp_path><users_config>users.xml</users_config><default_profile>default"
               "</default_profile><default_database>default</default_database>"
               "<mark_cache_size>16777216</mark_cache_size><timezone>UTC</timezone>"
               "<remote_servers><fleet><shard><replica><host>127.0.0.1</host><port>%u</port>"
               "<user>davy</user><password>" PASSWORD "</password></replica></shard></fleet>"
               "</remote_servers></yandex>",
               d, d, server.http, server.tcp, d, d, server.tcp);
    write_file("users.xml",
               "<yandex><profiles><default><max_memory_usage>1000000000</max_memory_usage>"
               "</default></profiles><users><davy><password>" PASSWORD "</password><networks><ip>"
               "127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></davy>"
               "</users><quotas><default></default></quotas></yandex>");
    write_file("password", PASSWORD "\n");
    write_file("wrong", "wrong\n");
    snprintf(server.password, sizeof(server.password), "%s/password", d);
}

static void start_server(void)
{
    char config[256], output[256];
    snprintf(config, sizeof(config), "--config-file=%s/config.xml", server.folder);
    snprintf(output, sizeof(output), "%s/output", server.folder);
    const pid_t test = getpid();
    server.pid = fork();
    assert_true(server.pid >= 0);
    if (server.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* it does not outlive the test */
        if (getppid() != test)
            _exit(1);
        const int fd = open(output, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        unsetenv("LD_PRELOAD");
        execlp("clickhouse-server", "clickhouse-server", config, (char *)NULL);
        _exit(127);
    }
    int fd = -1;
    WAIT_FOR((fd = connect_to(server.http)) >= 0);
    close(fd);
}

static void stop_server(void)
{
    if (server.pid > 0) {
        kill(server.pid, SIGKILL);
        (void)waitpid(server.pid, NULL, 0);
    }
    server.pid = 0;
}

/* ---- what stands between ---- */

enum way {
    WAY_PASS,
    WAY_REFUSE,  /* resets connections */
    WAY_LOSE,    /* passes each request, and loses the answers to the first two that insert */
    WAY_HEADERS, /* a header line without end */
    WAY_BODY,    /* a body without end */
    WAY_STATUS,  /* status 500 with a long text full of control characters */
    WAY_OTHER,   /* 200 from something that is no ClickHouse */
    WAY_NUMBER,  /* 200 from ClickHouse, which answers every question with a poem */
};

static struct {
    int fd;
    uint16_t port;
    pthread_t thread;
    atomic_int way;
    atomic_bool stop;
    atomic_uint lost;
} between;

/* Passes bytes both ways until one end closes. Losing an answer is closing where it begins: the rows are there. */
static void relay(int near, int far, bool lossy)
{
    char buf[65536];
    bool inserts = false;
    struct pollfd p[2] = { { .fd = near, .events = POLLIN }, { .fd = far, .events = POLLIN } };
    while (!atomic_load(&between.stop)) {
        if (poll(p, 2, 50) <= 0)
            continue;
        for (int i = 0; i < 2; i++) {
            if (!p[i].revents)
                continue;
            const ssize_t n = read(p[i].fd, buf, sizeof(buf));
            if (n <= 0)
                return;
            inserts |= i == 0 && memmem(buf, (size_t)n, "query=INSERT", 12);
            if (i == 1 && lossy && inserts && atomic_load(&between.lost) < 2) {
                atomic_fetch_add(&between.lost, 1);
                return;
            }
            inserts &= i == 0;
            for (ssize_t done = 0; done < n;) {
                const ssize_t w = send(p[1 - i].fd, buf + done, (size_t)(n - done), MSG_NOSIGNAL);
                if (w <= 0)
                    return;
                done += w;
            }
        }
        if (atomic_load(&between.way) == WAY_REFUSE)
            return;
    }
}

static bool say(int fd, const char *text, size_t len)
{
    return send(fd, text, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static void say_text(int fd, const char *text)
{
    (void)say(fd, text, strlen(text));
}

#define OWN "X-ClickHouse-Server-Display-Name: x\r\n"

/* Gives up where the other end does, after 1 GiB at the latest. */
static void be_hostile(int fd, enum way way)
{
    static char much[65536];
    char request[4096];
    (void)!read(fd, request, sizeof(request));
    memset(much, 'x', sizeof(much));
    if (way == WAY_HEADERS)
        say_text(fd, "HTTP/1.1 200 OK\r\nX-ClickHouse-Long: ");
    else if (way == WAY_BODY)
        say_text(fd, "HTTP/1.1 200 OK\r\n" OWN "Content-Length: 1073741824\r\n\r\n");
    else if (way == WAY_STATUS)
        say_text(fd, "HTTP/1.1 500 No\r\n" OWN "Content-Length: 24\r\n\r\nCode: 60, \033[2J\r\n\r\n"
                     "\001\002\003table");
    else if (way == WAY_OTHER)
        say_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nOk.");
    else
        say_text(fd, "HTTP/1.1 200 OK\r\n" OWN "Content-Length: 12\r\n\r\nO lamp, burn");
    if (way == WAY_HEADERS || way == WAY_BODY)
        for (size_t i = 0; i < (1u << 30) / sizeof(much) && say(fd, much, sizeof(much)); i++)
            ;
}

static void *stand_between(void *arg)
{
    (void)arg;
    while (!atomic_load(&between.stop)) {
        struct pollfd p = { .fd = between.fd, .events = POLLIN };
        if (poll(&p, 1, 50) <= 0)
            continue;
        const int near = accept4(between.fd, NULL, NULL, SOCK_CLOEXEC);
        const enum way way = (enum way)atomic_load(&between.way);
        if (near >= 0 && (way == WAY_PASS || way == WAY_LOSE)) {
            const int far = connect_to(server.http);
            if (far >= 0) {
                relay(near, far, way == WAY_LOSE);
                close(far);
            }
        } else if (near >= 0 && way != WAY_REFUSE) {
            be_hostile(near, way);
        }
        if (near >= 0)
            close(near);
    }
    return NULL;
}

static void start_between(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);
    between.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(between.fd, (const struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(between.fd, 16), 0);
    assert_int_equal(getsockname(between.fd, (struct sockaddr *)&at, &len), 0);
    between.port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&between.thread, NULL, stand_between, NULL), 0);
}

static void stop_between(void)
{
    atomic_store(&between.stop, true);
    pthread_join(between.thread, NULL);
    close(between.fd);
}

/* ---- two stores ---- */

struct fixture {
    char *folder;
    lamp_store *s;
    struct lamp_store_sensor sensor[2];
    uint64_t seq;
};

static struct fixture *fixture_new(void)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->folder = new_folder();
    f->s = open_store("sqlite", f->folder, false);
    ok(f->s, lamp_store_begin(f->s));
    ok(f->s, lamp_store_enroll(f->s, "s1", "north", TEST_NOW_US));
    ok(f->s, lamp_store_enroll(f->s, "s2", "sou'th\\", TEST_NOW_US));
    ok(f->s, lamp_store_sensor(f->s, "s1", &f->sensor[0]));
    ok(f->s, lamp_store_sensor(f->s, "s2", &f->sensor[1]));
    ok(f->s, lamp_store_commit(f->s));
    return f;
}

static void fixture_free(struct fixture *f)
{
    lamp_store_close(f->s);
    remove_folder(f->folder);
    free(f->folder);
    free(f);
}

static struct lamp_addr host_of(uint64_t i)
{
    static const char *const names[] = { "10.0.0.1", "10.0.0.2", "fd00::1" };
    return test_addr(names[i % 3]);
}

static struct lamp_addr remote_of(uint64_t i)
{
    static const char *const names[] = { "198.51.100.7", "2001:db8::7", "203.0.113.9" };
    return test_addr(names[i % 3]);
}

/* The same rows into both. */
static void give(struct fixture *const f[2], struct lamp_rng *rng, uint64_t minute)
{
    static const char *const applications[] = { "tls", "it's \\ d\tns" };
    const uint64_t r = lamp_rng_u64(rng);
    struct lamp_rollup_row row = { .minute = minute,
                                   .inside_addr = host_of(r >> 1 & 0xff),
                                   .remote_addr = remote_of(r >> 9 & 0xff),
                                   .ip_proto = 6,
                                   .service_port = 443,
                                   .application = lamp_bytes_of(applications[r >> 17 & 1]),
                                   .remote_name = lamp_bytes_of("a.example"),
                                   .bytes_out = (r >> 20) % 5000,
                                   .bytes_in = (r >> 33) % 5000,
                                   .packets_out = (r >> 40) % 50,
                                   .packets_in = (r >> 46) % 50,
                                   .flows = (uint32_t)(r >> 60) };
    if ((r >> 52) % 16 == 0) /* what the sensor kept no row for */
        row = (struct lamp_rollup_row){ .minute = minute, .bytes_in = 1 + (r >> 20) % 5000 };
    for (int i = 0; i < 2; i++)
        ok(f[i]->s,
           lamp_store_rollup(f[i]->s, f[i]->sensor[r & 1].site_ref, 1, ++f[i]->seq, 0, &row));
}

static bool never_covered(const struct lamp_miner_target *t, void *arg)
{
    (void)t, (void)arg;
    return false;
}

static void ignore_id(int64_t id, void *arg)
{
    (void)id, (void)arg;
}

static void give_shares(struct fixture *f, uint64_t start_us, unsigned minutes, unsigned every)
{
    const struct lamp_tracker t = {
        .store = f->s, .covered = never_covered, .touched = ignore_id, .mined = NULL
    };
    for (unsigned i = 0; i < minutes; i += every) {
        const uint64_t at = start_us + i * MINUTE_US;
        struct lamp_conn_row row = test_row(1 + i % 2, start_us, at + 1000000);
        row.bytes_up = i + 1;
        const struct lamp_batch b = test_batch(&row, 1, at, at + 2000000);
        const struct lamp_record rec = { &f->sensor[0], 1, ++f->seq, at + 2000000 };
        ok(f->s, lamp_tracker_merge(&t, &rec, &b));
    }
}

static void maintain(struct fixture *f, const struct lamp_store_policy *p, uint64_t now_us)
{
    struct lamp_maintained done = { .more = true };
    while (done.more) {
        ok(f->s, lamp_store_begin(f->s));
        ok(f->s, lamp_store_maintain(f->s, p, now_us, &done));
        ok(f->s, lamp_store_commit(f->s));
    }
}

/* ---- the exporter, with a writer that does nothing else ---- */

struct exporting {
    lamp_commands *commands;
    lamp_store *store;
    lamp_exporter *exporter;
    pthread_t writer;
    atomic_bool stop;
    unsigned kill_at; /* the process is, at this note; 0: never */
    bool kill_before; /* its commit */
};

static void *write_notes(void *arg)
{
    struct exporting *x = arg;
    unsigned n = 0;
    while (!atomic_load(&x->stop)) {
        struct pollfd p = { .fd = lamp_commands_fd(x->commands), .events = POLLIN };
        struct lamp_command c;
        if (poll(&p, 1, 20) <= 0)
            continue;
        while (lamp_commands_take(x->commands, &c) == LAMP_OK) {
            struct lamp_command_result r = { .err = lamp_store_begin(x->store) };
            if (!r.err)
                r.err = lamp_store_history_note(x->store, &c.history);
            if (++n == x->kill_at && x->kill_before)
                kill(getpid(), SIGKILL);
            if (!r.err)
                r.err = lamp_store_commit(x->store);
            if (n == x->kill_at)
                kill(getpid(), SIGKILL);
            lamp_commands_answer(x->commands, &r);
        }
    }
    return NULL;
}

static void start_exporting(struct exporting *x, struct fixture *f,
                            const struct lamp_clickhouse_cfg *c)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/db", f->folder);
    const struct lamp_exporter_cfg cfg = { .backend = "sqlite",
                                           .database = path,
                                           .clickhouse = c,
                                           .settle_minutes = 5,
                                           .block_rows = 150,
                                           .late_s = 1 };
    x->store = f->s;
    assert_int_equal(lamp_commands_new(&x->commands), LAMP_OK);
    struct lamp_exporter_cfg with = cfg;
    with.commands = x->commands;
    assert_int_equal(pthread_create(&x->writer, NULL, write_notes, x), 0);
    assert_int_equal(lamp_exporter_start(&with, &x->exporter), LAMP_OK);
}

/* The exporter first: it waits for the answers of the writer. */
static void stop_exporting(struct exporting *x)
{
    lamp_exporter_stop(x->exporter);
    atomic_store(&x->stop, true);
    pthread_join(x->writer, NULL);
    lamp_commands_free(x->commands);
}

static bool add_late(const struct lamp_history_late *l, void *arg)
{
    (void)l;
    (*(unsigned *)arg)++;
    return true;
}

static bool all_sent(lamp_store *s, uint64_t now_us)
{
    struct lamp_history_cursor c[LAMP_HISTORY_TABLES];
    unsigned late = 0;
    ok(s, lamp_store_history_cursors(s, c));
    for (unsigned i = 0; i < LAMP_HISTORY_TABLES; i++) {
        const int64_t end = (int64_t)(now_us / MINUTE_US - 6);
        const int64_t span = (int64_t)lamp_step_minutes(lamp_history_step_of(i));
        ok(s, lamp_store_history_lates(s, i, UINT64_MAX >> 1, 1000, add_late, &late));
        if (c[i].sent.time < end / span - 1 || c[i].sent.time != c[i].claimed.time)
            return false;
    }
    return late == 0;
}

/* ---- questions ---- */

static bool write_traffic(const struct lamp_traffic_view *v, void *arg)
{
    char a[LAMP_ADDR_STRLEN], b[LAMP_ADDR_STRLEN];
    fprintf(arg, "%s %s %s %d %u %u %s %s %llu %llu %llu %llu %llu %llu %llu\n", v->site,
            lamp_addr_str(&v->host, a), lamp_addr_str(&v->remote, b), v->is_other, v->ip_proto,
            v->service_port, v->application, v->remote_name, (unsigned long long)v->bytes_out,
            (unsigned long long)v->bytes_in, (unsigned long long)v->packets_out,
            (unsigned long long)v->packets_in, (unsigned long long)v->flows,
            (unsigned long long)v->first_us, (unsigned long long)v->last_us);
    return true;
}

static bool write_minute(const struct lamp_minute_view *v, void *arg)
{
    fprintf(arg, "%llu %llu %llu %llu %llu %.3f %.3f %.6g\n", (unsigned long long)v->minute,
            (unsigned long long)v->totals.bytes_up, (unsigned long long)v->totals.packets_down,
            (unsigned long long)v->totals.submitted, (unsigned long long)v->totals.accepted,
            v->work_hashes, v->self_rate, v->rate.value);
    return true;
}

static void must(lamp_store *s, int err, const char *why)
{
    if (err)
        fail_msg("%s: %s %s", lamp_strerror(err), why, lamp_store_why(s));
}

/* What a store says; past NULL: of itself. Of malloc(). */
static char *answer_of(lamp_store *s, lamp_past *past, const struct lamp_traffic_filter *q)
{
    char why[LAMP_CLICKHOUSE_WHY] = "", *text = NULL;
    size_t len = 0;
    struct lamp_traffic_view total;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    if (past)
        must(s, lamp_past_traffic(past, s, q, false, why), why);
    ok(s, lamp_store_traffic(s, q, write_traffic, out));
    if (past)
        must(s, lamp_past_traffic(past, s, q, true, why), why);
    ok(s, lamp_store_traffic_total(s, q, &total));
    ok(s, lamp_store_past_clear(s));
    total.site = total.application = total.remote_name = "";
    (void)write_traffic(&total, out);
    for (int step = 0; step < 3; step++) {
        if (past)
            must(s, lamp_past_minutes(past, s, 1, (enum lamp_step)step, q->from_us, q->to_us, why),
                 why);
        ok(s,
           lamp_store_minutes(s, 1, (enum lamp_step)step, q->from_us, q->to_us, write_minute, out));
        ok(s, lamp_store_past_clear(s));
    }
    assert_int_equal(fclose(out), 0);
    return text;
}

static void ask(lamp_store *keeps, lamp_store *sends, lamp_past *past, struct lamp_rng *rng,
                uint64_t start_us, uint64_t span_us)
{
    const uint64_t r = lamp_rng_u64(rng);
    const struct lamp_addr host = host_of(r), remote = remote_of(r >> 8);
    struct lamp_traffic_filter q = { .site = (r >> 16) % 3 == 0 ? "sou'th\\" : NULL,
                                     .host = (r >> 20) % 4 == 0 ? &host : NULL,
                                     .remote = (r >> 24) % 4 == 0 ? &remote : NULL,
                                     .application = (r >> 28) % 4 == 0 ? "it's \\ d\tns" : NULL,
                                     .limit = (r >> 32) % 2 ? 1000 : 3 };
    q.from_us = start_us + (uint64_t)(lamp_rng_unit(rng) * (double)span_us);
    q.to_us = q.from_us + (uint64_t)(lamp_rng_unit(rng) * (double)span_us);
    char *want = answer_of(keeps, NULL, &q), *got = answer_of(sends, past, &q);
    if (!streq(want, got))
        fail_msg("from %llu to %llu it is\n%s\nand should be\n%s",
                 (unsigned long long)(q.from_us / MINUTE_US),
                 (unsigned long long)(q.to_us / MINUTE_US), got, want);
    free(want);
    free(got);
}

/* ---- the tests ---- */

static struct lamp_clickhouse_cfg cfg_of(char url[64], uint16_t port, const char *database,
                                         const char *cluster)
{
    snprintf(url, 64, "http://127.0.0.1:%u/", port);
    return (struct lamp_clickhouse_cfg){ .url = url,
                                         .database = database,
                                         .cluster = cluster,
                                         .user = "davy",
                                         .password_file = server.password,
                                         .ca = "" };
}

static void start_history(struct fixture *f)
{
    ok(f->s, lamp_store_begin(f->s));
    ok(f->s, lamp_store_history_start(f->s, 1));
    ok(f->s, lamp_store_commit(f->s));
}

/* A process that is killed at its note number `at`, before or after the commit. */
static void be_killed(struct fixture *f, const struct lamp_clickhouse_cfg *c, unsigned at)
{
    int status = 0;
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        lamp_store_close(f->s); /* SQLite: a handle does not go with its process */
        f->s = open_store("sqlite", f->folder, false);
        struct exporting x = { .kill_at = at, .kill_before = at % 2 };
        start_exporting(&x, f, c);
        poll(NULL, 0, 60000);
        _exit(1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

/* roughly: with all that may befall the way there. */
static void run_history(const char *database, const char *cluster, bool roughly)
{
    char url[64], direct[64];
    const struct lamp_clickhouse_cfg c = cfg_of(url, between.port, database, cluster);
    const struct lamp_clickhouse_cfg d = cfg_of(direct, server.http, database, cluster);
    struct fixture *const f[2] = { fixture_new(), fixture_new() };
    struct fixture *const sends = f[1];
    struct lamp_rng rng = { 17 };
    const uint64_t now_us = lamp_clock_real_us(), today = now_us / DAY_US * 1440;
    const uint64_t start = today - 5 * 1440, span = 4 * 1440;
    const struct lamp_store_policy keep = { .settle_minutes = 5 };
    const struct lamp_store_policy forget = { .settle_minutes = 5, .days = { 2, 2, 2 } };
    lamp_past *past = NULL;
    assert_int_equal(lamp_past_new(&d, &past), LAMP_OK);

    for (int i = 0; i < 2; i++)
        ok(f[i]->s, lamp_store_begin(f[i]->s));
    for (unsigned i = 0; i < 700; i++)
        give(f, &rng, start + (uint64_t)(lamp_rng_unit(&rng) * (double)span));
    for (int i = 0; i < 2; i++) {
        give_shares(f[i], (start + 1350) * MINUTE_US, 3 * 1440, 9);
        ok(f[i]->s, lamp_store_commit(f[i]->s));
        maintain(f[i], &keep, now_us);
    }
    start_history(sends);

    /* Nothing goes before it was sent. */
    maintain(sends, &forget, now_us);
    for (unsigned i = 0; i < 5; i++)
        ask(f[0]->s, sends->s, NULL, &rng, start * MINUTE_US, span * MINUTE_US);

    /* Nobody is there; then there is, and answers get lost, and the process dies, time and again. */
    struct lamp_exporter_state state = { .connected = true };
    const unsigned times = roughly ? 5 : 0;
    atomic_store(&between.lost, 0);
    atomic_store(&between.way, WAY_REFUSE);
    struct exporting away = { .kill_at = 0 };
    start_exporting(&away, sends, &c);
    WAIT_FOR((lamp_exporter_state(away.exporter, &state), state.faults[LAMP_CLICKHOUSE_AWAY] > 0));
    assert_false(state.connected);
    stop_exporting(&away);
    assert_int_equal(state.rows, 0);
    atomic_store(&between.way, WAY_PASS);
    for (unsigned at = 1; at <= times; at++)
        be_killed(sends, &c, at);
    lamp_store_close(sends->s);
    sends->s = open_store("sqlite", sends->folder, false);
    start_history(sends);
    atomic_store(&between.way, roughly ? WAY_LOSE : WAY_PASS);
    struct exporting x = { .kill_at = 0 };
    start_exporting(&x, sends, &c);
    lamp_store *reader = open_store("sqlite", sends->folder, true);
    WAIT_FOR(all_sent(reader, now_us));
    lamp_exporter_state(x.exporter, &state);
    assert_int_equal(atomic_load(&between.lost), roughly ? 2 : 0);
    assert_true((state.faults[LAMP_CLICKHOUSE_AWAY] > 0) == roughly); /* libcurl tries again once */

    /* What comes late is sent once more, as a whole. */
    stop_exporting(&x);
    for (int i = 0; i < 2; i++)
        ok(f[i]->s, lamp_store_begin(f[i]->s));
    for (unsigned i = 0; i < 20; i++)
        give(f, &rng, start + (uint64_t)(lamp_rng_unit(&rng) * (double)span));
    for (int i = 0; i < 2; i++) {
        give_shares(f[i], (start + 1353) * MINUTE_US, 3 * 1440, 100);
        ok(f[i]->s, lamp_store_commit(f[i]->s));
        maintain(f[i], &keep, now_us);
    }
    assert_false(all_sent(reader, now_us));
    struct exporting again = { .kill_at = 0 };
    start_exporting(&again, sends, &c);
    WAIT_FOR(all_sent(reader, now_us));
    lamp_exporter_state(again.exporter, &state);
    stop_exporting(&again);
    assert_true(state.rows > 60 && state.blocks <= 12); /* not one for each */

    /* Now it may go, and answers are the same. */
    uint64_t kept[3], there[3];
    maintain(sends, &forget, now_us);
    ok(reader, lamp_store_kept_us(reader, kept));
    ok(reader, lamp_store_past_kept_us(reader, there));
    assert_true(kept[0] >= (today - 2 * 1440) * MINUTE_US && there[0] == 0);
    struct lamp_traffic_view left;
    const struct lamp_traffic_filter old = { .from_us = start * MINUTE_US,
                                             .to_us = (start + 1440) * MINUTE_US };
    ok(reader, lamp_store_traffic_total(reader, &old, &left));
    assert_int_equal(left.flows, 0);
    for (unsigned i = 0; i < (roughly ? 6 : 3); i++)
        ask(f[0]->s, reader, past, &rng, (start - 60) * MINUTE_US, (span + 120) * MINUTE_US);
    for (unsigned i = 0; i < (roughly ? 2 : 1); i++) /* short ones, around hours */
        ask(f[0]->s, reader, past, &rng, (start + 1420) * MINUTE_US, 40 * MINUTE_US);

    /* Whoever may see one site is told of that one. */
    char why[LAMP_CLICKHOUSE_WHY] = "";
    struct lamp_traffic_view one;
    const struct lamp_traffic_filter all = { .from_us = start * MINUTE_US, .to_us = now_us };
    const struct lamp_traffic_filter north = { .from_us = start * MINUTE_US,
                                               .to_us = now_us,
                                               .site = "north" };
    ok(f[0]->s, lamp_store_traffic_total(f[0]->s, &north, &one));
    ok(reader, lamp_store_scope(reader, "north"));
    must(reader, lamp_past_traffic(past, reader, &all, true, why), why);
    ok(reader, lamp_store_traffic_total(reader, &all, &left));
    assert_true(one.bytes_in > 0);
    assert_int_equal(left.bytes_in, one.bytes_in);
    lamp_store_close(reader);
    lamp_past_free(past);
    fixture_free(f[0]);
    fixture_free(f[1]);
}

static void test_history(void **arg)
{
    (void)arg;
    run_history("alone", "", true);
}

static void test_cluster(void **arg)
{
    (void)arg;
    run_history("shared", "fleet", false);
}

/* A disk that is full wins: what was not sent is counted. */
static void test_no_room(void **arg)
{
    (void)arg;
    struct fixture *const f[2] = { fixture_new(), fixture_new() };
    struct lamp_rng rng = { 5 };
    const uint64_t now_us = lamp_clock_real_us(), start = now_us / MINUTE_US - 5 * 1440;
    const struct lamp_store_policy p = { .settle_minutes = 5, .max_bytes = 1 };
    uint64_t id, lost = 0, other;
    start_history(f[1]);
    for (int i = 0; i < 2; i++)
        ok(f[i]->s, lamp_store_begin(f[i]->s));
    for (unsigned i = 0; i < 200; i++)
        give(f, &rng, start + i * 20);
    for (int i = 0; i < 2; i++) {
        ok(f[i]->s, lamp_store_commit(f[i]->s));
        maintain(f[i], &p, now_us);
    }
    ok(f[1]->s, lamp_store_history_id(f[1]->s, &id, &lost));
    assert_true(lost >= 200);
    ok(f[0]->s, lamp_store_history_id(f[0]->s, &other, &lost));
    assert_int_equal(lost, 0);
    assert_true(id != other);
    fixture_free(f[0]);
    fixture_free(f[1]);
}

static void make_unfit_table(const struct lamp_clickhouse_cfg *c)
{
    static const char *const sql[] = {
        "CREATE DATABASE unfit",
        "CREATE TABLE unfit.traffic_minute_local (other UInt8) ENGINE = Memory",
    };
    static const atomic_bool stop;
    const struct lamp_bytes none = { NULL, 0 };
    struct lamp_bytes answer;
    lamp_clickhouse *there = NULL;
    assert_int_equal(lamp_clickhouse_new(c, &stop, &there), LAMP_OK);
    for (size_t i = 0; i < ARRAY_LEN(sql); i++)
        if (lamp_clickhouse_run(there, sql[i], none, 30, 4096, &answer) != LAMP_OK)
            fail_msg("%s", lamp_clickhouse_why(there));
    lamp_clickhouse_free(there);
}

/* A table that takes nothing holds up no other, and is tried again more and more seldom: eight times within
 * what is waited for here (1, 2, 4, 8, 16 and 30 s in between), though the others have some 15 blocks. */
static void test_one_table(void **arg)
{
    (void)arg;
    char url[64];
    const struct lamp_clickhouse_cfg c = cfg_of(url, server.http, "unfit", "");
    struct fixture *const f[2] = { fixture_new(), fixture_new() };
    struct lamp_rng rng = { 6 };
    const uint64_t now_us = lamp_clock_real_us(), start = now_us / MINUTE_US - 6 * 1440;
    const struct lamp_store_policy keep = { .settle_minutes = 5 };
    const unsigned minutes = 5 * 1440;
    make_unfit_table(&c);
    start_history(f[1]);
    for (int i = 0; i < 2; i++)
        ok(f[i]->s, lamp_store_begin(f[i]->s));
    for (unsigned i = 0; i < minutes; i += 3)
        give(f, &rng, start + i);
    for (int i = 0; i < 2; i++) {
        ok(f[i]->s, lamp_store_commit(f[i]->s));
        maintain(f[i], &keep, now_us);
    }
    struct exporting x = { .kill_at = 0 };
    struct lamp_exporter_state state;
    struct lamp_history_cursor at[LAMP_HISTORY_TABLES];
    lamp_store *reader = open_store("sqlite", f[1]->folder, true);
    start_exporting(&x, f[1], &c);
    WAIT_FOR((ok(reader, lamp_store_history_cursors(reader, at)),
              at[2].sent.time >= (int64_t)((start + minutes - 3) / 1440) &&
                  at[1].sent.time >= (int64_t)((start + minutes - 3) / 60)));
    WAIT_FOR((lamp_exporter_state(x.exporter, &state),
              state.faults[LAMP_CLICKHOUSE_REFUSED] > 0 && !state.connected));
    stop_exporting(&x);
    ok(reader, lamp_store_history_cursors(reader, at));
    assert_true(at[0].sent.time < 0);
    assert_true(state.blocks > 10 && state.faults[LAMP_CLICKHOUSE_REFUSED] <= 8);
    lamp_store_close(reader);
    fixture_free(f[0]);
    fixture_free(f[1]);
}

static void test_hostile(void **arg)
{
    (void)arg;
    static const struct {
        enum way way;
        enum lamp_clickhouse_fault want;
    } cases[] = {
        { WAY_REFUSE, LAMP_CLICKHOUSE_AWAY },  { WAY_HEADERS, LAMP_CLICKHOUSE_ANSWER },
        { WAY_BODY, LAMP_CLICKHOUSE_ANSWER },  { WAY_STATUS, LAMP_CLICKHOUSE_REFUSED },
        { WAY_OTHER, LAMP_CLICKHOUSE_ANSWER }, { WAY_NUMBER, LAMP_CLICKHOUSE_ANSWER },
    };
    char url[64], wrong[256];
    struct lamp_clickhouse_cfg c = cfg_of(url, between.port, "alone", "");
    lamp_clickhouse *h = NULL;
    assert_int_equal(lamp_clickhouse_new(&c, NULL, &h), LAMP_OK);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        atomic_store(&between.way, (int)cases[i].way);
        const int err = lamp_clickhouse_make_schema(h);
        if (err != LAMP_EIO || lamp_clickhouse_fault_of(h) != cases[i].want)
            fail_msg("case %zu: %s, %s %s", i, lamp_strerror(err),
                     lamp_clickhouse_fault_name(lamp_clickhouse_fault_of(h)),
                     lamp_clickhouse_why(h));
        for (const char *p = lamp_clickhouse_why(h); *p; p++)
            assert_true(*p >= ' ');
    }
    lamp_clickhouse_free(h);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u", server.http);
    snprintf(wrong, sizeof(wrong), "%s/wrong", server.folder);
    c.password_file = wrong;
    assert_int_equal(lamp_clickhouse_new(&c, NULL, &h), LAMP_OK);
    assert_int_equal(lamp_clickhouse_make_schema(h), LAMP_EIO);
    assert_int_equal(lamp_clickhouse_fault_of(h), LAMP_CLICKHOUSE_LOGIN);
    lamp_clickhouse_free(h);
}

static void test_configuration(void **arg)
{
    (void)arg;
    static const struct {
        const char *url, *database, *cluster;
        bool plain_ok, good;
    } cases[] = {
        { "http://127.0.0.1:8123", "davylamp", "", false, true },
        { "https://history.example:8443/", "davylamp", "fleet", false, true },
        { "http://history.example:8123", "davylamp", "", false, false },
        { "http://history.example:8123", "davylamp", "", true, true },
        { "http://127.0.0.1.example:8123", "davylamp", "", false, false },
        { "ftp://127.0.0.1/", "davylamp", "", false, false },
        { "history.example", "davylamp", "", false, false },
        { "https://user:secret@history.example", "davylamp", "", false, false },
        { "https://history.example/?readonly=1", "davylamp", "", false, false },
        { "https://history.example", "davy lamp", "", false, false },
        { "https://history.example", "x; DROP DATABASE x", "", false, false },
        { "https://history.example", "davylamp", "a.b", false, false },
        { "https://history.example", "", "", false, false },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char why[LAMP_CLICKHOUSE_WHY] = "";
        const struct lamp_clickhouse_cfg c = { .url = cases[i].url,
                                               .database = cases[i].database,
                                               .cluster = cases[i].cluster,
                                               .user = "",
                                               .password_file = server.password,
                                               .ca = "",
                                               .plain_ok = cases[i].plain_ok };
        const int err = lamp_clickhouse_check(&c, why);
        if (err != (cases[i].good ? LAMP_OK : LAMP_EINVAL) || (err && !*why))
            fail_msg("%s %s: %s %s", cases[i].url, cases[i].database, lamp_strerror(err), why);
    }
}

static int set_up(void **arg)
{
    (void)arg;
    configure();
    start_server();
    start_between();
    return 0;
}

static int tear_down(void **arg)
{
    (void)arg;
    stop_between();
    stop_server();
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    if (system("command -v clickhouse-server >/dev/null 2>&1") != 0) { /* NOLINT(cert-env33-c) */
        puts("skipped: there is no clickhouse-server");
        return 77;
    }
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_history), cmocka_unit_test(test_cluster),
        cmocka_unit_test(test_no_room), cmocka_unit_test(test_one_table),
        cmocka_unit_test(test_hostile), cmocka_unit_test(test_configuration),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    char *folder = new_folder();
    snprintf(server.folder, sizeof(server.folder), "%s", folder);
    server.http = free_port();
    server.tcp = free_port();
    const int failed = cmocka_run_group_tests(tests, set_up, tear_down);
    remove_folder(folder);
    free(folder);
    return failed;
}
