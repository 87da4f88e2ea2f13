/* SPDX-License-Identifier: Apache-2.0 */
/* Names and what they are aliases of, asked of a small name server of our own on the loopback address. */
#include "aggregator/catalogue/resolver.h"
#include "tests/support/aggregator.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

/* What it answers to questions for A; others, and those for AAAA, have no records. */
static const struct record {
    const char *name, *alias,
        *addr; /* alias NULL: addr is the name's own; addr NULL: it is left to us to ask */
} zone[] = {
    { "plain.example", NULL, "203.0.113.1" },
    { "whole.example", "plain.example", "203.0.113.1" },
    { "bare.example", "plain.example", NULL },
    { "far.example", "bare.example", NULL },
    { "loop.example", "back.example", NULL },
    { "into.example", "loop.example", NULL },
    { "back.example", "loop.example", NULL },
    { "hidden.example", "pool.never.example", "203.0.113.9" },
    { "astray.example", "pool.never.example", NULL },
    { "pool.never.example", NULL, "203.0.113.9" },
    { "c1.example", "c2.example", NULL },
    { "c2.example", "c3.example", NULL },
    { "c3.example", "c4.example", NULL },
    { "c4.example", "c5.example", NULL },
    { "c5.example", "c6.example", NULL },
    { "c6.example", "c7.example", NULL },
    { "c7.example", "c8.example", NULL },
    { "c8.example", "c9.example", NULL },
    { "c9.example", "plain.example", NULL },
};

static struct {
    int fd;
    unsigned questions, never_asked;
    bool done;
    struct lamp_pool_resolution is;
} t;

static size_t put_name(uint8_t *to, const char *name)
{
    size_t at = 0;
    for (const char *p = name; *p;) {
        const size_t label = strcspn(p, ".");
        to[at++] = (uint8_t)label;
        memcpy(to + at, p, label);
        at += label;
        p += label + (p[label] == '.');
    }
    to[at++] = 0;
    return at;
}

/* One record (RFC 1035 section 4.1.3); returns where the next begins. */
static size_t put_record(uint8_t *m, size_t at, const char *owner, uint8_t type,
                         const uint8_t *data, size_t len)
{
    const uint8_t rest[] = { 0, type, 0, 1, 0, 0, 1, 44, (uint8_t)(len >> 8), (uint8_t)len };
    at += put_name(m + at, owner);
    memcpy(m + at, rest, sizeof(rest));
    memcpy(m + at + sizeof(rest), data, len);
    return at + sizeof(rest) + len;
}

static const struct record *find(const uint8_t *m, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(zone); i++) {
        uint8_t name[256];
        const size_t n = put_name(name, zone[i].name);
        if (12 + n + 4 <= len && memcmp(m + 12, name, n) == 0 && m[12 + n + 1] == 1)
            return &zone[i];
    }
    return NULL;
}

static void answer(void)
{
    uint8_t m[1024], name[256], v4[4];
    struct sockaddr_in who;
    socklen_t size = sizeof(who);
    const ssize_t got = recvfrom(t.fd, m, 512, 0, (struct sockaddr *)&who, &size);
    if (got < 17)
        return;
    size_t end = 12;
    while (end < (size_t)got && m[end])
        end += m[end] + 1U;
    size_t at = end + 5; /* what follows the question, such as EDNS, is cut off */
    const struct record *r = find(m, (size_t)got);
    t.questions++;
    t.never_asked += r && streq(r->name, "pool.never.example");
    m[2] = 0x81;
    m[3] = 0x80;
    memset(m + 6, 0, 6);
    if (r && r->alias) {
        at = put_record(m, at, r->name, 5, name, put_name(name, r->alias));
        m[7]++;
    }
    if (r && r->addr) {
        assert_int_equal(inet_pton(AF_INET, r->addr, v4), 1);
        at = put_record(m, at, r->alias ? r->alias : r->name, 1, v4, 4);
        m[7]++;
    }
    (void)sendto(t.fd, m, at, 0, (struct sockaddr *)&who, size);
}

static void on_resolved(const struct lamp_pool_resolution *r, void *arg)
{
    (void)arg;
    t.is = *r;
    t.done = true;
}

static bool is_never(const char *name, void *arg)
{
    const size_t n = strlen(name), m = strlen(".never.example");
    (void)arg;
    return n > m && streq(name + n - m, ".never.example");
}

/* Drives both sides until the answer is there. */
static void resolve(lamp_resolver *r, const char *name)
{
    t.done = false;
    t.questions = t.never_asked = 0;
    assert_int_equal(lamp_resolver_ask(r, name, 7), LAMP_OK);
    while (!t.done) {
        struct pollfd fds[LAMP_RESOLVER_FDS + 1];
        int wait_ms;
        const size_t n = lamp_resolver_fds(r, fds, &wait_ms);
        fds[n] = (struct pollfd){ .fd = t.fd, .events = POLLIN };
        (void)poll(fds, n + 1, wait_ms);
        if (fds[n].revents)
            answer();
        lamp_resolver_run(r, fds, n);
    }
}

static void test_aliases(void **state)
{
    static const struct {
        const char *name, *addr, *cname, *error; /* addr NULL: none, and error says why */
        unsigned never_asked;
    } cases[] = {
        { "plain.example", "203.0.113.1", "", "", 0 },
        { "whole.example", "203.0.113.1", "plain.example", "", 0 },
        { "bare.example", "203.0.113.1", "plain.example", "", 0 },
        { "far.example", "203.0.113.1", "plain.example", "", 0 },
        { "loop.example", NULL, "", "no address", 0 }, /* back where it began */
        { "into.example", NULL, "", "too many aliases", 0 },
        { "c2.example", "203.0.113.1", "plain.example", "", 0 }, /* eight of them */
        { "c1.example", NULL, "", "too many aliases", 0 },
        { "hidden.example", NULL, "", "never probed", 0 },
        { "astray.example", NULL, "", "never probed", 0 },
        { "nobody.example", NULL, "", "no address", 0 },
        { "198.51.100.7", "198.51.100.7", "", "", 0 },
    };
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(a);
    char where[64];
    lamp_resolver *r = NULL;
    (void)state;
    t.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(t.fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(getsockname(t.fd, (struct sockaddr *)&a, &len), 0);
    snprintf(where, sizeof(where), "127.0.0.1:%u", ntohs(a.sin_port));
    assert_int_equal(lamp_resolver_new(where, on_resolved, is_never, NULL, &r), LAMP_OK);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        resolve(r, cases[i].name);
        const bool found = t.is.n == 1 && cases[i].addr;
        const struct lamp_addr want = test_addr(cases[i].addr ? cases[i].addr : "::");
        if (t.is.server_id != 7 || (t.is.n > 0) != (cases[i].addr != NULL) ||
            (found &&
             (!lamp_addr_eq(&t.is.addrs[0], &want) || !streq(t.is.cname, cases[i].cname))) ||
            (*cases[i].error ? !strstr(t.is.error, cases[i].error) : *t.is.error != '\0') ||
            t.never_asked != cases[i].never_asked)
            fail_msg("%s: %zu addresses, alias \"%s\", error \"%s\", %u questions", cases[i].name,
                     t.is.n, t.is.cname, t.is.error, t.questions);
        /* Of A and AAAA, each asked again where the answer was slow. */
        assert_true(t.questions <= 2 * 2 * (LAMP_RESOLVER_CHAIN + 1));
    }
    lamp_resolver_free(r);
    close(t.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_aliases) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
