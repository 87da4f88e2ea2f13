/* SPDX-License-Identifier: Apache-2.0 */
/* The prober against servers of the test's own, on loopback, which it refuses but for an address check of
 * the test's own: pools of every family (poolsim), and servers that mean no good. */
#include "aggregator/catalogue/prober.h"
#include "aggregator/catalogue/target.h"
#include "tests/support/aggregator.h"

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { BIG = 1 << 16 };

/* ---- servers ---- */

enum manner { ONCE, ENDLESS, DRIP, GREET, HANG_UP, SECURE };

struct server {
    const char *answer; /* to the first bytes; NULL: nothing */
    enum manner manner;
    int fd;
    uint16_t port;
    pthread_t thread;
    atomic_uint connections;
    atomic_size_t received;
    atomic_bool stop;
    gnutls_certificate_credentials_t credentials;
};

static uint16_t listen_on_loopback(int *out_fd)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(a);
    *out_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(*out_fd >= 0);
    assert_int_equal(bind(*out_fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(*out_fd, 8), 0);
    assert_int_equal(getsockname(*out_fd, (struct sockaddr *)&a, &len), 0);
    return ntohs(a.sin_port);
}

static void endless(struct server *s, int fd)
{
    static char block[BIG];
    memset(block, 'A', sizeof(block));
    while (!atomic_load(&s->stop) && send(fd, block, sizeof(block), MSG_NOSIGNAL) > 0)
        continue;
}

/* Waits for what the client says; false: it hung up. */
static bool hear(struct server *s, int fd)
{
    char buf[2048];
    struct pollfd p = { fd, POLLIN, 0 };
    while (!atomic_load(&s->stop)) {
        if (poll(&p, 1, 20) <= 0)
            continue;
        const ssize_t n = recv(fd, buf, sizeof(buf), 0);
        if (n > 0)
            atomic_fetch_add(&s->received, (size_t)n);
        return n > 0;
    }
    return false;
}

static void drip(struct server *s, int fd)
{
    struct pollfd p = { fd, POLLIN, 0 };
    while (!atomic_load(&s->stop) && send(fd, "{", 1, MSG_NOSIGNAL) > 0)
        poll(&p, 0, 20);
}

static void secure(struct server *s, int fd)
{
    gnutls_session_t tls;
    char buf[2048];
    gnutls_init(&tls, GNUTLS_SERVER | GNUTLS_NO_SIGNAL);
    gnutls_set_default_priority(tls);
    gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, s->credentials);
    gnutls_transport_set_int(tls, fd);
    gnutls_handshake_set_timeout(tls, 3000);
    if (gnutls_handshake(tls) == GNUTLS_E_SUCCESS && gnutls_record_recv(tls, buf, sizeof(buf)) > 0)
        (void)gnutls_record_send(tls, s->answer, strlen(s->answer));
    (void)gnutls_bye(tls, GNUTLS_SHUT_WR);
    gnutls_deinit(tls);
}

static void serve(struct server *s, int fd)
{
    switch (s->manner) {
    case ENDLESS:
        endless(s, fd);
        break;
    case DRIP:
        drip(s, fd);
        break;
    case GREET:
        (void)send(fd, s->answer, strlen(s->answer), MSG_NOSIGNAL);
        while (hear(s, fd))
            continue;
        break;
    case HANG_UP:
        break;
    case SECURE:
        secure(s, fd);
        break;
    case ONCE:
        if (hear(s, fd) && s->answer)
            (void)send(fd, s->answer, strlen(s->answer), MSG_NOSIGNAL);
        while (hear(s, fd))
            continue;
        break;
    }
}

static void *accept_all(void *arg)
{
    struct server *s = arg;
    struct pollfd p = { s->fd, POLLIN, 0 };
    while (!atomic_load(&s->stop)) {
        if (poll(&p, 1, 20) <= 0)
            continue;
        const int fd = accept(s->fd, NULL, NULL);
        if (fd < 0)
            continue;
        atomic_fetch_add(&s->connections, 1);
        serve(s, fd);
        close(fd);
    }
    return NULL;
}

static void start_server(struct server *s)
{
    s->port = listen_on_loopback(&s->fd);
    assert_int_equal(pthread_create(&s->thread, NULL, accept_all, s), 0);
}

static void stop_server(struct server *s)
{
    atomic_store(&s->stop, true);
    pthread_join(s->thread, NULL);
    close(s->fd);
}

/* ---- probing ---- */

static struct {
    struct lamp_pool_endpoint found;
    unsigned n;
    const char *refuse_with; /* NULL: loopback is allowed */
} r;

static const char *only_loopback(const struct lamp_addr *a, void *arg)
{
    (void)arg;
    struct lamp_addr loopback = test_addr("127.0.0.1");
    if (r.refuse_with)
        return r.refuse_with;
    return lamp_addr_eq(a, &loopback) ? NULL : lamp_probe_refusal(a);
}

static void on_found(const struct lamp_probe_target *t, const struct lamp_pool_endpoint *e,
                     void *arg)
{
    (void)arg;
    assert_int_equal(t->tag, 7);
    r.found = *e;
    r.n++;
}

static lamp_prober *new_prober(void)
{
    lamp_prober *p = NULL;
    const struct lamp_prober_cfg cfg = { .rate = 100,
                                         .refuse = only_loopback,
                                         .found = on_found,
                                         .connect_us = 2000000,
                                         .hush_us = 100000,
                                         .answer_us = 300000,
                                         .more_us = 200000 };
    assert_int_equal(lamp_prober_new(&cfg, &p), LAMP_OK);
    return p;
}

static void step(lamp_prober *p)
{
    struct pollfd fds[LAMP_PROBES];
    uint64_t due_us;
    const size_t n = lamp_prober_fds(p, fds, &due_us);
    const uint64_t now_us = lamp_clock_mono_us();
    const uint64_t wait_us = due_us > now_us ? due_us - now_us : 0;
    poll(fds, n, wait_us > 50000 ? 50 : (int)(wait_us / 1000 + 1));
    lamp_prober_run(p, fds, n, lamp_clock_mono_us());
}

static struct lamp_probe_target target(uint16_t port, const char *protocol, enum lamp_pool_tls tls)
{
    struct lamp_probe_target t = {
        .addr = test_addr("127.0.0.1"), .port = port, .tls = tls, .tag = 7
    };
    snprintf(t.protocol, sizeof(t.protocol), "%s", protocol);
    snprintf(t.name, sizeof(t.name), "pool.example");
    return t;
}

static void probe(lamp_prober *p, uint16_t port, const char *protocol, enum lamp_pool_tls tls)
{
    const struct lamp_probe_target t = target(port, protocol, tls);
    const char *why;
    r.n = 0;
    assert_int_equal(lamp_prober_start(p, &t, lamp_clock_mono_us(), &why), LAMP_OK);
    const uint64_t until_us = lamp_clock_mono_us() + 20000000;
    while (r.n == 0) {
        if (lamp_clock_mono_us() > until_us)
            fail_msg("the probe of port %u does not end", port);
        step(p);
    }
}

#define NOTIFY "{\"id\":null,\"method\":\"mining.notify\",\"params\":[\"1\"]}\n"
#define DIFFICULTY "{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[2048]}\n"
#define SUBSCRIBED                                                                                 \
    "{\"id\":1,\"result\":[[[\"mining.notify\",\"1\"]],\"22004213\",4],\"error\":null}\n"

static void test_answers(void **state)
{
    (void)state;
    static const struct {
        const char *label, *protocol, *answer;
        enum manner manner;
        enum lamp_pool_state state;
        const char *family, *reason; /* part of it */
        double difficulty;
    } table[] = {
        { "subscribed", "stratum-v1", SUBSCRIBED DIFFICULTY, ONCE, LAMP_POOL_UP, "stratum-v1",
          "answered", 2048 },
        { "pushes before it is asked", "", DIFFICULTY NOTIFY, GREET, LAMP_POOL_UP, "stratum-v1",
          "sent", 2048 },
        { "no newline", "cryptonote",
          "{\"id\":1,\"error\":{\"code\":-1,\"message\":\"Invalid address used for login\"}}", ONCE,
          LAMP_POOL_UP, "cryptonote", "refused: Invalid address", 0 },
        { "a job", "cryptonote",
          "{\"id\":1,\"result\":{\"id\":\"a\",\"job\":{\"blob\":\"07\",\"job_id\":\"1\",\"target\":"
          "\"b88d0600\"},\"status\":\"OK\"}}\n",
          ONCE, LAMP_POOL_UP, "cryptonote", "answered", 10000 },
        { "wrong id", "stratum-v1", "{\"id\":77,\"result\":true}\n", ONCE, LAMP_POOL_LISTEN, "",
          "speaks JSON", 0 },
        { "another JSON-RPC", "stratum-v1",
          "{\"id\":1,\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}\n", ONCE,
          LAMP_POOL_LISTEN, "", "Method not found", 0 },
        { "a web server", "stratum-v1",
          "HTTP/1.1 400 Bad Request\r\nServer: web\r\nContent-Length: 0\r\n\r\n", ONCE,
          LAMP_POOL_LISTEN, "", "web server (400)", 0 },
        { "a redirect", "getwork",
          "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\n\r\n", ONCE, LAMP_POOL_LISTEN,
          "", "redirects (302), which is not followed", 0 },
        { "a node that asks for a password", "getblocktemplate",
          "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"jsonrpc\"\r\n\r\n", ONCE,
          LAMP_POOL_LISTEN, "", "asks for a password", 0 },
        { "a template", "getblocktemplate",
          "HTTP/1.1 200 OK\r\nServer: "
          "btc\r\n\r\n{\"id\":1,\"result\":{\"previousblockhash\":\"00\"}}",
          ONCE, LAMP_POOL_UP, "getblocktemplate", "answered", 0 },
        { "a Monero template refused", "getblocktemplate-cryptonote",
          "HTTP/1.1 200 OK\r\n\r\n{\"id\":1,\"error\":{\"code\":-4,\"message\":"
          "\"Failed to parse wallet address\"}}",
          ONCE, LAMP_POOL_UP, "getblocktemplate-cryptonote", "refused", 0 },
        { "work", "getwork",
          "HTTP/1.1 200 OK\r\n\r\n{\"id\":1,\"result\":{\"data\":\"00\",\"target\":\"ff\"}}", ONCE,
          LAMP_POOL_UP, "getwork", "answered", 0 },
        { "nothing", "stratum-v1", NULL, ONCE, LAMP_POOL_LISTEN, "", "says nothing", 0 },
        { "hangs up", "stratum-v1", NULL, HANG_UP, LAMP_POOL_LISTEN, "", "says nothing", 0 },
        { "an endless line", "stratum-v1", NULL, ENDLESS, LAMP_POOL_LISTEN, "", "more than a pool",
          0 },
        { "an endless answer over HTTP", "getwork", NULL, ENDLESS, LAMP_POOL_LISTEN, "",
          "more than a pool", 0 },
        { "slow bytes", "stratum-v1", NULL, DRIP, LAMP_POOL_LISTEN, "", "not as a pool", 0 },
        { "deep JSON", "stratum-v1",
          "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
          "\n",
          ONCE, LAMP_POOL_LISTEN, "", "not as a pool", 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct server s = { .answer = table[i].answer, .manner = table[i].manner };
        lamp_prober *p = new_prober();
        start_server(&s);
        const uint64_t from_us = lamp_clock_mono_us();
        probe(p, s.port, table[i].protocol, LAMP_POOL_TLS_NO);
        const uint64_t took_us = lamp_clock_mono_us() - from_us;
        if (r.found.state != table[i].state || !strstr(r.found.reason, table[i].reason) ||
            !streq(r.found.family, table[i].family) ||
            (r.found.difficulty - table[i].difficulty) > 1 ||
            (table[i].difficulty - r.found.difficulty) > 1)
            fail_msg("%s: %s %s \"%s\" difficulty %g", table[i].label,
                     lamp_pool_state_name(r.found.state), r.found.family, r.found.reason,
                     r.found.difficulty);
        if (took_us > 8000000 || atomic_load(&s.connections) > 3)
            fail_msg("%s: %llu us, %u connections", table[i].label, (unsigned long long)took_us,
                     atomic_load(&s.connections));
        assert_true(r.found.latency_us > 0);
        assert_true(atomic_load(&s.received) < 4096); /* one short conversation */
        lamp_prober_free(p);
        stop_server(&s);
    }
}

/* ---- TLS ---- */

static gnutls_certificate_credentials_t make_credentials(void)
{
    gnutls_certificate_credentials_t c;
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t crt;
    gnutls_x509_privkey_init(&key);
    assert_true(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                             GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
                                             0) >= 0);
    gnutls_x509_crt_init(&crt);
    gnutls_x509_crt_set_version(crt, 3);
    gnutls_x509_crt_set_serial(crt, "\1", 1);
    gnutls_x509_crt_set_activation_time(crt, time(NULL) - 3600);
    gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 3600);
    gnutls_x509_crt_set_key(crt, key);
    gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, "cn.example", 10);
    gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, "tls.pool.example", 16,
                                         GNUTLS_FSAN_SET);
    assert_true(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0) >= 0);
    gnutls_certificate_allocate_credentials(&c);
    assert_true(gnutls_certificate_set_x509_key(c, &crt, 1, key) >= 0);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(key);
    return c;
}

static void test_tls(void **state)
{
    (void)state;
    struct server s = { .answer = SUBSCRIBED, .manner = SECURE, .credentials = make_credentials() };
    lamp_prober *p = new_prober();
    start_server(&s);
    probe(p, s.port, "stratum-v1", LAMP_POOL_TLS_YES);
    if (r.found.state != LAMP_POOL_UP)
        fail_msg("%s", r.found.reason);
    assert_true(r.found.tls);
    assert_string_equal(r.found.certificate, "tls.pool.example");
    lamp_prober_free(p);
    stop_server(&s);
    gnutls_certificate_free_credentials(s.credentials);
}

/* ---- who is refused, and how often anybody is asked ---- */

static void test_refusals(void **state)
{
    (void)state;
    static const char *const addrs[] = { "10.0.0.1",       "::1",           "169.254.169.254",
                                         "64:ff9b::a00:1", "2002:a00:1::1", "::ffff:127.0.0.2",
                                         "100.64.0.1",     "224.0.0.1" };
    lamp_prober *p = new_prober();
    const char *why = NULL;
    for (size_t i = 0; i < ARRAY_LEN(addrs); i++) {
        struct lamp_probe_target t = target(3333, "", LAMP_POOL_TLS_NO);
        t.addr = test_addr(addrs[i]);
        assert_int_equal(lamp_prober_start(p, &t, 1, &why), LAMP_EPROTECTED);
        assert_non_null(why);
    }
    assert_int_equal(lamp_prober_counters(p).refused, ARRAY_LEN(addrs));
    assert_int_equal(lamp_prober_counters(p).connections, 0);
    assert_int_equal(lamp_prober_busy(p), 0);
    lamp_prober_free(p);
}

/* An address that becomes refused between two connections of a probe is not connected to again. */
static void test_refused_later(void **state)
{
    (void)state;
    struct server s = { .manner = HANG_UP };
    lamp_prober *p = new_prober();
    const char *why;
    start_server(&s);
    const struct lamp_probe_target t = target(s.port, "stratum-v1", LAMP_POOL_TLS_NO);
    r.n = 0;
    assert_int_equal(lamp_prober_start(p, &t, lamp_clock_mono_us(), &why), LAMP_OK);
    r.refuse_with = "opted out";
    const uint64_t until_us = lamp_clock_mono_us() + 10000000;
    while (r.n == 0 && lamp_clock_mono_us() < until_us)
        step(p);
    r.refuse_with = NULL;
    assert_int_equal(r.n, 1);
    assert_int_equal(lamp_prober_counters(p).connections, 1);
    lamp_prober_free(p);
    stop_server(&s);
}

/* In time that is made up: the rate, and one probe of a destination in ten minutes. */
static void test_limits(void **state)
{
    (void)state;
    int fd;
    const uint16_t port = listen_on_loopback(&fd);
    close(fd); /* nobody listens: each connection is over at once */
    lamp_prober *p = NULL;
    const struct lamp_prober_cfg cfg = { .rate = 10, .refuse = only_loopback, .found = on_found };
    assert_int_equal(lamp_prober_new(&cfg, &p), LAMP_OK);
    const struct lamp_probe_target t = target(port, "stratum-v1", LAMP_POOL_TLS_NO);
    const char *why;
    uint64_t now_us = 1000000;
    assert_int_equal(lamp_prober_start(p, &t, now_us, &why), LAMP_OK);
    assert_int_equal(lamp_prober_start(p, &t, now_us + 599000000, &why), LAMP_EEXIST);
    assert_int_equal(lamp_prober_counters(p).too_soon, 1);
    /* many destinations at once: in a second no more connections than the rate, and its burst */
    unsigned last = 0;
    for (unsigned i = 0; i < LAMP_PROBES - 1; i++) {
        struct lamp_probe_target other = t;
        other.port = (uint16_t)(1 + i);
        assert_int_equal(lamp_prober_start(p, &other, now_us, &why), LAMP_OK);
    }
    struct lamp_probe_target more = t;
    more.port = 500;
    assert_int_equal(lamp_prober_start(p, &more, now_us, &why), LAMP_EAGAIN);
    for (unsigned i = 1; i <= 10; i++) {
        struct pollfd fds[LAMP_PROBES];
        uint64_t due_us;
        now_us += 1000000;
        const size_t n = lamp_prober_fds(p, fds, &due_us);
        poll(fds, n, 0);
        lamp_prober_run(p, fds, n, now_us);
        const unsigned made = (unsigned)lamp_prober_counters(p).connections;
        assert_true(made - last <= 10 || (i == 1 && made <= 21));
        assert_true(made <= 1 + 10 * i + 10);
        last = made;
    }
    assert_true(last >= 50);
    lamp_prober_free(p);
}

static void test_down(void **state)
{
    (void)state;
    int fd;
    const uint16_t port = listen_on_loopback(&fd);
    close(fd);
    lamp_prober *p = new_prober();
    probe(p, port, "stratum-v1", LAMP_POOL_TLS_BOTH);
    assert_int_equal(r.found.state, LAMP_POOL_DOWN);
    assert_non_null(strstr(r.found.reason, "refused"));
    assert_int_equal(lamp_prober_counters(p).connections, 1);
    lamp_prober_free(p);
}

/* ---- pools that poolsim plays ---- */

static pid_t start_pool(const char *family, uint16_t port)
{
    char listen[32];
    snprintf(listen, sizeof(listen), "127.0.0.1:%u", port);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stdout))
            _exit(126);
        execl(LAMP_POOLSIM, "poolsim", "pool", "--listen", listen, "--family", family,
              "--job-every", "1", (char *)NULL);
        _exit(127);
    }
    return pid;
}

static bool answers(uint16_t port)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    LAMP_AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM, 0);
    return connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
}

static void test_pools(void **state)
{
    (void)state;
    static const struct {
        const char *family, *protocol;
    } table[] = {
        { "stratum-v1", "stratum-v1" },     { "stratum-v1", "" },
        { "cryptonote", "cryptonote" },     { "cryptonote", "" },
        { "eth-proxy", "eth-proxy" },       { "kaspa", "kaspa-stratum" },
        { "zcash", "zcash-stratum" },       { "kawpow", "kawpow-stratum" },
        { "beam", "beam-stratum" },         { "grin", "grin-stratum" },
        { "alephium", "alephium-stratum" },
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        int fd;
        const uint16_t port = listen_on_loopback(&fd);
        close(fd);
        const pid_t pid = start_pool(table[i].family, port);
        WAIT_FOR(answers(port) || waitpid(pid, NULL, WNOHANG) == pid);
        lamp_prober *p = new_prober();
        probe(p, port, table[i].protocol, LAMP_POOL_TLS_NO);
        lamp_prober_free(p);
        kill(pid, SIGTERM);
        waitpid(pid, NULL, 0);
        if (r.found.state != LAMP_POOL_UP)
            fail_msg("a %s pool probed as \"%s\": %s, %s", table[i].family, table[i].protocol,
                     lamp_pool_state_name(r.found.state), r.found.reason);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),  cmocka_unit_test(test_tls),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_refused_later),
        cmocka_unit_test(test_limits),   cmocka_unit_test(test_down),
        cmocka_unit_test(test_pools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
