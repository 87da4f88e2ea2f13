/* SPDX-License-Identifier: Apache-2.0 */
/* Host names asked of a small DNS server of our own on the loopback address. */
#include "aggregator/places/names.h"
#include "common/clock.h"
#include "tests/support/aggregator.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

enum { WAIT_US = 20 * 1000 * 1000 };

/* ---- a server that knows the names of three addresses ---- */

static struct {
    int fd;
    char where[64];
    pthread_t thread;
    atomic_bool stop;
    atomic_uint questions;
} dns;

static const struct {
    const char *question; /* as labels, dots between */
    const char *name;     /* NULL: there is none; "": no answer at all */
} zone[] = {
    { "9.113.0.203.in-addr.arpa", "pool-a.example.net" },
    { "10.113.0.203.in-addr.arpa", "<b>bold</b>.example" },
    { "11.113.0.203.in-addr.arpa", "" },
    { "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "six.example" },
};

/* Reads the name at offset 12 with dots; returns the offset behind it, or 0. */
static size_t read_question(const uint8_t *m, size_t len, char *out, size_t size)
{
    size_t at = 12, n = 0;
    while (at < len && m[at]) {
        if (at + m[at] >= len || n + m[at] + 2u > size)
            return 0;
        if (n)
            out[n++] = '.';
        memcpy(out + n, m + at + 1, m[at]);
        n += m[at];
        at += m[at] + 1u;
    }
    out[n] = '\0';
    return at + 5 <= len ? at + 5 : 0;
}

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

/* Makes the answer in place; 0: none is given. */
static size_t answer(uint8_t *m, size_t len)
{
    char name[256];
    const size_t end = read_question(m, len, name, sizeof(name));
    if (!end)
        return 0;
    const char *known = NULL;
    for (size_t i = 0; i < ARRAY_LEN(zone); i++)
        if (streq(zone[i].question, name))
            known = zone[i].name;
    if (known && !*known)
        return 0;
    m[2] = 0x81;
    m[3] = known ? 0x80 : 0x83; /* NXDOMAIN */
    m[7] = known ? 1 : 0;
    m[9] = m[11] = 0;
    if (!known)
        return end;
    static const uint8_t head[] = { 0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 60, 0 };
    memcpy(m + end, head, sizeof(head));
    const size_t n = put_name(m + end + sizeof(head) + 1, known);
    m[end + sizeof(head)] = (uint8_t)n;
    return end + sizeof(head) + 1 + n;
}

static void *serve(void *arg)
{
    (void)arg;
    while (!atomic_load(&dns.stop)) {
        uint8_t m[1024];
        struct sockaddr_in from;
        socklen_t size = sizeof(from);
        struct pollfd p = { .fd = dns.fd, .events = POLLIN };
        if (poll(&p, 1, 50) <= 0)
            continue;
        const ssize_t got = recvfrom(dns.fd, m, 512, 0, (struct sockaddr *)&from, &size);
        if (got < 17)
            continue;
        atomic_fetch_add(&dns.questions, 1);
        const size_t len = answer(m, (size_t)got);
        if (len)
            (void)sendto(dns.fd, m, len, 0, (const struct sockaddr *)&from, size);
    }
    return NULL;
}

static int start_server(void **state)
{
    (void)state;
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(at);
    dns.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (bind(dns.fd, (struct sockaddr *)&at, size) ||
        getsockname(dns.fd, (struct sockaddr *)&at, &size))
        return -1;
    snprintf(dns.where, sizeof(dns.where), "127.0.0.1:%u", ntohs(at.sin_port));
    return pthread_create(&dns.thread, NULL, serve, NULL);
}

static int stop_server(void **state)
{
    (void)state;
    atomic_store(&dns.stop, true);
    pthread_join(dns.thread, NULL);
    close(dns.fd);
    return 0;
}

/* ---- tests ---- */

static lamp_names *new_names(void)
{
    lamp_names *n = NULL;
    assert_int_equal(lamp_names_new(dns.where, &n), LAMP_OK);
    return n;
}

/* Looks until the answer has come. */
static enum lamp_name_state wait_for(lamp_names *n, const char *ip, char out[LAMP_NAME_TEXT])
{
    const struct lamp_addr a = test_addr(ip);
    const uint64_t until_us = lamp_clock_mono_us() + WAIT_US;
    for (;;) {
        const enum lamp_name_state s = lamp_names_find(n, &a, lamp_clock_mono_us(), out);
        if (s != LAMP_NAME_PENDING || lamp_clock_mono_us() > until_us)
            return s;
        poll(NULL, 0, 5);
    }
}

static void test_answers(void **state)
{
    (void)state;
    static const struct {
        const char *ip;
        enum lamp_name_state state;
        const char *name;
    } cases[] = {
        { "203.0.113.9", LAMP_NAME_KNOWN, "pool-a.example.net" },
        { "203.0.113.10", LAMP_NAME_FAILED, "" }, /* c-ares takes no answer that is no host name */
        { "203.0.113.200", LAMP_NAME_NONE, "" },
        { "203.0.113.11", LAMP_NAME_FAILED, "" },
        { "2001:db8::1", LAMP_NAME_KNOWN, "six.example" },
        { "10.0.0.1", LAMP_NAME_OFF, "" },
        { "224.0.0.1", LAMP_NAME_OFF, "" },
    };
    lamp_names *n = new_names();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char name[LAMP_NAME_TEXT];
        const enum lamp_name_state s = wait_for(n, cases[i].ip, name);
        if (s != cases[i].state || !streq(name, cases[i].name))
            fail_msg("%s: %s \"%s\"", cases[i].ip, lamp_name_state_name(s), name);
    }
    lamp_names_free(n);
}

/* What is known is not asked for again before its time, and is shown while it is. */
static void test_remembers(void **state)
{
    (void)state;
    char name[LAMP_NAME_TEXT];
    lamp_names *n = new_names();
    const struct lamp_addr a = test_addr("203.0.113.9");
    assert_int_equal(wait_for(n, "203.0.113.9", name), LAMP_NAME_KNOWN);
    const unsigned before = atomic_load(&dns.questions);
    const uint64_t now_us = lamp_clock_mono_us();
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(lamp_names_find(n, &a, now_us, name), LAMP_NAME_KNOWN);
    assert_int_equal(atomic_load(&dns.questions), before);

    const uint64_t later_us = now_us + (LAMP_NAMES_KEEP_S + 1) * UINT64_C(1000000);
    assert_int_equal(lamp_names_find(n, &a, later_us, name), LAMP_NAME_KNOWN);
    assert_string_equal(name, "pool-a.example.net");
    const uint64_t until_us = lamp_clock_mono_us() + WAIT_US;
    while (atomic_load(&dns.questions) == before && lamp_clock_mono_us() < until_us)
        poll(NULL, 0, 5);
    assert_int_equal(atomic_load(&dns.questions), before + 1);
    lamp_names_free(n);
}

/* More addresses than the cache holds: the oldest go, and all of it ends while questions wait. */
static void test_bounds(void **state)
{
    (void)state;
    lamp_names *n = new_names();
    char name[LAMP_NAME_TEXT];
    for (uint32_t i = 0; i < 3 * LAMP_NAMES_CACHE; i++) {
        const uint8_t v4[4] = { 11, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };
        const struct lamp_addr a = lamp_addr_from_v4(v4);
        (void)lamp_names_find(n, &a, lamp_clock_mono_us(), name);
        const struct lamp_names_counters c = lamp_names_counters(n);
        assert_true(c.waiting <= LAMP_NAMES_IN_FLIGHT);
    }
    assert_true(lamp_names_counters(n).evicted >= 2 * LAMP_NAMES_CACHE);
    lamp_names_free(n);
}

static void test_servers(void **state)
{
    (void)state;
    static const char *const bad[] = { "no address", "127.0.0.1:port", "127.0.0.1,x" };
    lamp_names *n = NULL;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (lamp_names_new(bad[i], &n) != LAMP_EFORMAT)
            fail_msg("\"%s\" was taken", bad[i]);
    lamp_names_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_remembers),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_servers),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
