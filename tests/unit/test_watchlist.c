/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/writer/watchlist.h"
#include "tests/support/aggregator.h"

#include <stdio.h>

#define DAY (UINT64_C(86400) * 1000000)
#define NOW (20000 * DAY + 1000000)

static lamp_watchlist *new_list(const lamp_catalogue *catalogue)
{
    char *folder = new_folder();
    lamp_store *s = open_store("sqlite", folder, false);
    lamp_watchlist *w = NULL;
    ok(s, lamp_watchlist_open(s, catalogue, NOW, &w));
    lamp_store_close(s);
    remove_folder(folder);
    free(folder);
    return w;
}

static struct lamp_conn_row row(const char *server, enum lamp_verdict verdict, uint64_t last_us)
{
    return (struct lamp_conn_row){ .server_addr = test_addr(server),
                                   .server_port = 3333,
                                   .ip_proto = 6,
                                   .verdict = verdict,
                                   .last_us = last_us,
                                   .coin = lamp_bytes_of("XMR"),
                                   .pool = lamp_bytes_of("a\tpool") };
}

static struct lamp_set built(lamp_watchlist *w, uint64_t now_us)
{
    struct lamp_set s;
    uint8_t digest[LAMP_WIRE_DIGEST_LEN];
    assert_int_equal(lamp_watchlist_build(w, "", now_us, &s), LAMP_OK);
    assert_int_equal(lamp_set_digest(s.entries, s.n, digest), LAMP_OK);
    return s;
}

static void test_notes(void **state)
{
    (void)state;
    struct lamp_conn_row tunnel = row("203.0.113.1", LAMP_VERDICT_CONFIRMED, NOW),
                         circular = row("203.0.113.2", LAMP_VERDICT_PROBABLE, NOW),
                         circular_sure = row("203.0.113.3", LAMP_VERDICT_CONFIRMED, NOW);
    tunnel.tunnel_kind = lamp_bytes_of("socks5");
    struct lamp_evidence by_list = { .kind = lamp_bytes_of("address") };
    circular.evidence = circular_sure.evidence = &by_list;
    circular.n_evidence = circular_sure.n_evidence = 1;
    const struct {
        const char *label;
        struct lamp_conn_row row;
        bool want;
    } table[] = {
        { "confirmed", row("203.0.113.7", LAMP_VERDICT_CONFIRMED, NOW), true },
        { "the same again", row("203.0.113.7", LAMP_VERDICT_CONFIRMED, NOW + 5), false },
        { "probable", row("203.0.113.8", LAMP_VERDICT_PROBABLE, NOW), true },
        { "then confirmed", row("203.0.113.8", LAMP_VERDICT_CONFIRMED, NOW), true },
        { "suspected", row("203.0.113.9", LAMP_VERDICT_SUSPECTED, NOW), false },
        { "a wallet", row("203.0.113.10", LAMP_VERDICT_WALLET, NOW), false },
        { "private", row("10.0.0.1", LAMP_VERDICT_CONFIRMED, NOW), false },
        { "multicast", row("224.0.0.1", LAMP_VERDICT_CONFIRMED, NOW), false },
        { "a proxy", tunnel, false },
        { "probable by the list itself", circular, false },
        { "confirmed, on the list too", circular_sure, true },
        { "the next day", row("203.0.113.7", LAMP_VERDICT_CONFIRMED, NOW + DAY), true },
    };
    lamp_watchlist *w = new_list(NULL);
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (lamp_watchlist_note(w, "north", &table[i].row) != table[i].want)
            fail_msg("%s", table[i].label);
    struct lamp_set s = built(w, NOW);
    assert_int_equal(s.n, 3);
    assert_true(lamp_bytes_eq(s.entries[0].text, "90\tnorth\tXMR\tapool"));
    lamp_set_done(&s);
    lamp_watchlist_close(w);
}

/* Fresh today and tomorrow, stale after that, gone after a week. */
static void test_ages(void **state)
{
    (void)state;
    static const struct {
        unsigned days;
        const char *text; /* NULL: gone */
        uint32_t ttl_days;
    } table[] = {
        { 0, "60\tnorth\tXMR\tapool", 8 },
        { 1, "60\tnorth\tXMR\tapool", 7 },
        { 2, "30\tnorth\tXMR\tapool", 6 },
        { 7, "30\tnorth\tXMR\tapool", 1 },
        { 8, NULL, 0 },
    };
    lamp_watchlist *w = new_list(NULL);
    const struct lamp_conn_row r = row("203.0.113.8", LAMP_VERDICT_PROBABLE, NOW);
    assert_true(lamp_watchlist_note(w, "north", &r));
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct lamp_set s = built(w, NOW + table[i].days * DAY);
        assert_int_equal(s.n, table[i].text ? 1 : 0);
        if (s.n && (!lamp_bytes_eq(s.entries[0].text, table[i].text) ||
                    s.entries[0].ttl_s != table[i].ttl_days * 86400))
            fail_msg("after %u days: %.*s", table[i].days, (int)s.entries[0].text.len,
                     (const char *)s.entries[0].text.data);
        lamp_set_done(&s);
    }
    lamp_watchlist_close(w);
}

/* A full list gives up what was silent longest. */
static void test_full(void **state)
{
    (void)state;
    lamp_watchlist *w = new_list(NULL);
    struct lamp_conn_row r = row("203.0.113.8", LAMP_VERDICT_CONFIRMED, NOW - DAY);
    assert_true(lamp_watchlist_note(w, "north", &r));
    r.last_us = NOW;
    for (unsigned i = 0; i < LAMP_WATCH_PROVED; i++) {
        const uint8_t v4[] = { 198, 51, (uint8_t)(i >> 8), (uint8_t)i };
        r.server_addr = lamp_addr_from_v4(v4);
        assert_true(lamp_watchlist_note(w, "north", &r));
    }
    struct lamp_set s = built(w, NOW);
    assert_int_equal(s.n, LAMP_WATCH_PROVED);
    const struct lamp_addr first = test_addr("203.0.113.8");
    for (size_t i = 0; i < s.n; i++)
        assert_false(lamp_addr_eq(&s.entries[i].prefix.addr, &first));
    lamp_set_done(&s);
    lamp_watchlist_close(w);
}

static void test_catalogue(void **state)
{
    (void)state;
    lamp_catalogue *c = NULL;
    char why[256];
    assert_int_equal(lamp_catalogue_load(LAMP_DATA, &c, why, sizeof(why)), LAMP_OK);
    lamp_watchlist *w = new_list(c);
    struct lamp_set s = built(w, NOW);
    size_t n_pools, found = 0;
    const struct lamp_pool *pools = lamp_catalogue_pools(c, &n_pools);
    assert_true(s.n > n_pools * 9 / 10 && s.n <= n_pools);
    for (size_t i = 0; i < s.n; i++)
        found +=
            lamp_bytes_eq(s.entries[i].name, pools[0].fqdn) && s.entries[i].port == pools[0].port;
    assert_int_equal(found, 1);
    lamp_set_done(&s);
    lamp_watchlist_close(w);
    lamp_catalogue_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_notes),
        cmocka_unit_test(test_ages),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_catalogue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
