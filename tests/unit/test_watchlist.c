/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/writer/watchlist.h"
#include "common/catalogue.h"
#include "common/walletname.h"
#include "tests/support/aggregator.h"

#include <stdio.h>

#define DAY (UINT64_C(86400) * 1000000)
#define NOW (20000 * DAY + 1000000)

static char *folder;
static lamp_store *store;

static lamp_watchlist *new_list(const lamp_cdn *cdn)
{
    lamp_watchlist *w = NULL;
    folder = new_folder();
    store = open_store("sqlite", folder, false);
    ok(store, lamp_watchlist_open(store, cdn, &w));
    return w;
}

static void end_list(lamp_watchlist *w)
{
    lamp_watchlist_close(w);
    lamp_store_close(store);
    remove_folder(folder);
    free(folder);
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

/* Whether the list is another one then. */
static bool note(lamp_watchlist *w, const char *site, const struct lamp_conn_row *r)
{
    bool changed = false;
    ok(store, lamp_store_begin(store));
    ok(store, lamp_watchlist_note(w, site, r, &changed));
    ok(store, lamp_store_commit(store));
    return changed;
}

static void test_notes(void **state)
{
    (void)state;
    struct lamp_conn_row tunnel = row("203.0.113.1", LAMP_VERDICT_CONFIRMED, NOW),
                         circular = row("203.0.113.2", LAMP_VERDICT_PROBABLE, NOW),
                         circular_sure = row("203.0.113.3", LAMP_VERDICT_CONFIRMED, NOW),
                         by_wallet = row("203.0.113.4", LAMP_VERDICT_PROBABLE, NOW);
    tunnel.tunnel_kind = lamp_bytes_of("socks5");
    struct lamp_evidence by_list = { .kind = lamp_bytes_of("address") };
    struct lamp_evidence known_wallet[] = { { .kind = lamp_bytes_of("grammar-client") },
                                            { .kind = lamp_bytes_of("known-wallet") } };
    circular.evidence = circular_sure.evidence = &by_list;
    circular.n_evidence = circular_sure.n_evidence = 1;
    by_wallet.evidence = known_wallet;
    by_wallet.n_evidence = ARRAY_LEN(known_wallet);
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
        { "probable by a wallet of the list", by_wallet, false },
        { "confirmed, on the list too", circular_sure, true },
        { "the next day", row("203.0.113.7", LAMP_VERDICT_CONFIRMED, NOW + DAY), true },
    };
    lamp_watchlist *w = new_list(NULL);
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (note(w, "north", &table[i].row) != table[i].want)
            fail_msg("%s", table[i].label);
    struct lamp_set s = built(w, NOW);
    assert_int_equal(s.n, 3);
    assert_true(lamp_bytes_eq(s.entries[0].text, "90\tnorth\tXMR\tapool"));
    lamp_set_done(&s);
    end_list(w);
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
    assert_true(note(w, "north", &r));
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct lamp_set s = built(w, NOW + table[i].days * DAY);
        assert_int_equal(s.n, table[i].text ? 1 : 0);
        if (s.n && (!lamp_bytes_eq(s.entries[0].text, table[i].text) ||
                    s.entries[0].ttl_s != table[i].ttl_days * 86400))
            fail_msg("after %u days: %.*s", table[i].days, (int)s.entries[0].text.len,
                     (const char *)s.entries[0].text.data);
        lamp_set_done(&s);
    }
    end_list(w);
}

/* A full list gives up what was silent longest. */
static void test_full(void **state)
{
    (void)state;
    lamp_watchlist *w = new_list(NULL);
    struct lamp_conn_row r = row("203.0.113.8", LAMP_VERDICT_CONFIRMED, NOW - DAY);
    assert_true(note(w, "north", &r));
    r.last_us = NOW;
    bool changed = false;
    ok(store, lamp_store_begin(store));
    for (unsigned i = 0; i < LAMP_PROVED_MAX; i++) {
        const uint8_t v4[] = { 198, 51, (uint8_t)(i >> 8), (uint8_t)i };
        r.server_addr = lamp_addr_from_v4(v4);
        ok(store, lamp_watchlist_note(w, "north", &r, &changed));
    }
    ok(store, lamp_store_commit(store));
    struct lamp_set s = built(w, NOW);
    assert_int_equal(s.n, LAMP_PROVED_MAX);
    const struct lamp_addr first = test_addr("203.0.113.8");
    for (size_t i = 0; i < s.n; i++)
        assert_false(lamp_addr_eq(&s.entries[i].prefix.addr, &first));
    lamp_set_done(&s);
    end_list(w);
}

static bool take_proved(const struct lamp_proved *p, void *arg)
{
    struct lamp_proved **at = arg;
    *(*at)++ = *p;
    return true;
}

/* What the store has, the newest first. */
static size_t proved(struct lamp_proved *out)
{
    struct lamp_proved *end = out;
    ok(store, lamp_store_proved(store, 0, take_proved, &end));
    return (size_t)(end - out);
}

static int say(lamp_watchlist *w, int64_t id, enum lamp_proved_say word, uint32_t days,
               uint64_t now_us)
{
    const struct lamp_command c = { .kind = LAMP_CMD_PROVED,
                                    .actor = "ann",
                                    .proved = { word, id, days, "because" } };
    struct lamp_command_result r = { 0 };
    ok(store, lamp_store_begin(store));
    const int err = lamp_watchlist_say(w, &c, now_us, &r);
    ok(store, lamp_store_commit(store));
    assert_int_equal(!*r.why, !err);
    return err;
}

/* What somebody said goes before what was seen, and outlives the program. */
static void test_words(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        enum lamp_proved_say say;
        uint32_t days;
        unsigned after_days;
        const char *text; /* NULL: it is not on the list */
        uint32_t ttl_days;
    } table[] = {
        { "nothing, fresh", LAMP_SAY_NOTHING, 0, 0, "60\tnorth\tXMR\tapool", 8 },
        { "nothing, a week later", LAMP_SAY_NOTHING, 0, 8, NULL, 0 },
        { "accepted", LAMP_SAY_ACCEPT, 0, 0, "90\tnorth\tXMR\tapool", 8 },
        { "accepted, a year later", LAMP_SAY_ACCEPT, 0, 365, "90\tnorth\tXMR\tapool", 8 },
        { "muted", LAMP_SAY_MUTE, 0, 0, NULL, 0 },
        { "extended", LAMP_SAY_EXTEND, 30, 0, "60\tnorth\tXMR\tapool", 30 },
        { "extended, later", LAMP_SAY_EXTEND, 30, 29, "60\tnorth\tXMR\tapool", 1 },
        { "extended, over", LAMP_SAY_EXTEND, 30, 31, NULL, 0 },
        { "taken back", LAMP_SAY_NOTHING, 0, 0, "60\tnorth\tXMR\tapool", 8 },
    };
    lamp_watchlist *w = new_list(NULL);
    const struct lamp_conn_row r = row("203.0.113.8", LAMP_VERDICT_PROBABLE, NOW);
    struct lamp_proved p[2];
    assert_true(note(w, "north", &r));
    assert_int_equal(proved(p), 1);
    assert_int_equal(say(w, p[0].id + 1, LAMP_SAY_MUTE, 0, NOW), LAMP_ENOENT);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        assert_int_equal(say(w, p[0].id, table[i].say, table[i].days, NOW), LAMP_OK);
        if (note(w, "south", &r))
            fail_msg("%s: seen again, it is another", table[i].label);
        lamp_watchlist_close(w);
        ok(store, lamp_watchlist_open(store, NULL, &w));
        struct lamp_set s = built(w, NOW + table[i].after_days * DAY);
        if (s.n != (table[i].text ? 1 : 0) ||
            (s.n && (!lamp_bytes_eq(s.entries[0].text, table[i].text) ||
                     s.entries[0].ttl_s != table[i].ttl_days * 86400)))
            fail_msg("%s: %zu, %.*s for %u s", table[i].label, s.n,
                     s.n ? (int)s.entries[0].text.len : 0,
                     s.n ? (const char *)s.entries[0].text.data : "", s.n ? s.entries[0].ttl_s : 0);
        lamp_set_done(&s);
        assert_int_equal(proved(p), 1);
        const bool nothing = table[i].say == LAMP_SAY_NOTHING;
        assert_string_equal(p[0].said_by, nothing ? "" : "ann");
        assert_string_equal(p[0].note, nothing ? "" : "because");
        assert_string_equal(p[0].site, "north");
    }
    end_list(w);
}

/* One that somebody spoke about never gives way, and not all can be such. */
static void test_words_full(void **state)
{
    (void)state;
    lamp_watchlist *w = new_list(NULL);
    struct lamp_conn_row r = row("203.0.113.8", LAMP_VERDICT_CONFIRMED, NOW - DAY);
    bool changed = false;
    assert_true(note(w, "north", &r));
    assert_int_equal(say(w, 1, LAMP_SAY_MUTE, 0, NOW), LAMP_OK);
    r.last_us = NOW;
    ok(store, lamp_store_begin(store));
    for (unsigned i = 0; i < LAMP_PROVED_MAX + 5; i++) {
        const uint8_t v4[] = { 198, 51, (uint8_t)(i >> 8), (uint8_t)i };
        r.server_addr = lamp_addr_from_v4(v4);
        ok(store, lamp_watchlist_note(w, "north", &r, &changed));
    }
    for (int64_t id = 100; id < 100 + LAMP_PROVED_SPOKEN - 1; id++) {
        const struct lamp_command c = { .kind = LAMP_CMD_PROVED,
                                        .proved = { LAMP_SAY_ACCEPT, id, 0, "" } };
        ok(store, lamp_watchlist_say(w, &c, NOW, &(struct lamp_command_result){ 0 }));
    }
    ok(store, lamp_store_commit(store));
    assert_int_equal(say(w, 99, LAMP_SAY_ACCEPT, 0, NOW), LAMP_EFULL);
    assert_int_equal(say(w, 1, LAMP_SAY_NOTHING, 0, NOW), LAMP_OK);
    assert_int_equal(say(w, 99, LAMP_SAY_EXTEND, 10, NOW), LAMP_OK);
    /* One that has run out makes room, and only once. */
    assert_int_equal(say(w, 98, LAMP_SAY_ACCEPT, 0, NOW + 9 * DAY), LAMP_EFULL);
    assert_int_equal(say(w, 98, LAMP_SAY_ACCEPT, 0, NOW + 11 * DAY), LAMP_OK);
    assert_int_equal(say(w, 97, LAMP_SAY_ACCEPT, 0, NOW + 11 * DAY), LAMP_EFULL);
    struct lamp_proved old = { .said_us = 1 }, *at = &old;
    ok(store, lamp_store_proved(store, 99, take_proved, &at));
    assert_true(old.id == 99 && old.said_us == 0 && old.until_us == 0 && !*old.said_by);
    end_list(w);
}

#define MONERO                                                                                     \
    "48edfHu7V9Z84YzzMa6fUueoELZ9ZRXq9VetWzYGzKt52XU5xvqgzYnDK9URnRoJMk1j8nLwEVsaSWJ4fhdUyZijBGUi" \
    "coD"

static const struct lamp_set_entry *wallet_in(const struct lamp_set *s, const char *wallet)
{
    char name[LAMP_WALLET_NAME];
    lamp_wallet_name(wallet, name);
    for (size_t i = 0; i < s->n; i++)
        if (lamp_bytes_eq(s->entries[i].name, name))
            return &s->entries[i];
    return NULL;
}

/* The wallet of a confirmed connection is on every sensor's list for 30 days: at once if it is one person's for
 * sure, else once somebody says so, and never while it is muted. */
static void test_wallets_listed(void **state)
{
    (void)state;
    static const struct {
        const char *label, *wallet;
        enum lamp_proved_say say;
        unsigned after_days;
        const char *text; /* NULL: it is not on the list */
        uint32_t ttl_days;
    } table[] = {
        { "proved", MONERO, LAMP_SAY_NOTHING, 0, "90\tnorth\tXMR\tapool", 31 },
        { "a day later", MONERO, LAMP_SAY_NOTHING, 1, "90\tnorth\tXMR\tapool", 30 },
        { "a month later", MONERO, LAMP_SAY_NOTHING, 30, "30\tnorth\tXMR\tapool", 1 },
        { "over", MONERO, LAMP_SAY_NOTHING, 31, NULL, 0 },
        { "muted", MONERO, LAMP_SAY_MUTE, 0, NULL, 0 },
        { "accepted", MONERO, LAMP_SAY_ACCEPT, 365, "90\tnorth\tXMR\tapool", 31 },
        { "extended", MONERO, LAMP_SAY_EXTEND, 0, "90\tnorth\tXMR\tapool", 60 },
        { "many people's", "test", LAMP_SAY_NOTHING, 0, NULL, 0 },
        { "many people's, accepted", "test", LAMP_SAY_ACCEPT, 0, "90\tnorth\tXMR\tapool", 31 },
        { "many people's, extended", "test", LAMP_SAY_EXTEND, 0, "90\tnorth\tXMR\tapool", 60 },
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        lamp_watchlist *w = new_list(NULL);
        struct lamp_conn_row r = row("10.0.0.1", LAMP_VERDICT_CONFIRMED, NOW);
        r.wallet = lamp_bytes_of(table[i].wallet);
        if (note(w, "north", &r) != streq(table[i].wallet, MONERO) || note(w, "south", &r))
            fail_msg("%s: whether the list is another", table[i].label);
        assert_int_equal(say(w, 1, table[i].say, 60, NOW), LAMP_OK);
        struct lamp_set s = built(w, NOW + table[i].after_days * DAY);
        const struct lamp_set_entry *e = wallet_in(&s, table[i].wallet);
        assert_int_equal(s.n, table[i].text ? 1 : 0);
        if (table[i].text && (!e || !lamp_bytes_eq(e->text, table[i].text) ||
                              e->ttl_s != table[i].ttl_days * 86400 || e->port != 0))
            fail_msg("%s: %.*s for %u s", table[i].label, e ? (int)e->text.len : 0,
                     e ? (const char *)e->text.data : "", e ? e->ttl_s : 0);
        lamp_set_done(&s);
        r.last_us = NOW + DAY;
        const bool listed = table[i].say == LAMP_SAY_NOTHING ? streq(table[i].wallet, MONERO)
                                                             : table[i].say != LAMP_SAY_MUTE;
        if (note(w, "north", &r) != listed)
            fail_msg("%s: whether the list is another the next day", table[i].label);
        end_list(w);
    }
}

/* No more than so many wallets, and of them those that were spoken about and those that were seen last. */
static void test_wallets_full(void **state)
{
    (void)state;
    lamp_watchlist *w = new_list(NULL);
    struct lamp_conn_row r = row("10.0.0.1", LAMP_VERDICT_CONFIRMED, NOW - DAY);
    bool changed = false;
    char wallet[32];
    ok(store, lamp_store_begin(store));
    for (unsigned i = 1; i <= LAMP_PROVED_LISTED + 2; i++) {
        snprintf(wallet, sizeof(wallet), "rig-%u", i);
        r.wallet = lamp_bytes_of(wallet);
        ok(store, lamp_watchlist_note(w, "north", &r, &changed));
        r.last_us = NOW;
    }
    for (unsigned i = 1; i <= LAMP_PROVED_LISTED + 2; i++) {
        const struct lamp_command c = { .kind = LAMP_CMD_PROVED,
                                        .proved = { LAMP_SAY_ACCEPT, i, 0, "" } };
        ok(store, lamp_watchlist_say(w, &c, NOW, &(struct lamp_command_result){ 0 }));
    }
    r.wallet = lamp_bytes_of(MONERO);
    ok(store, lamp_watchlist_note(w, "north", &r, &changed));
    ok(store, lamp_store_commit(store));
    struct lamp_set s = built(w, NOW);
    assert_int_equal(s.n, LAMP_PROVED_LISTED);
    assert_null(wallet_in(&s, MONERO)); /* nobody spoke about it */
    assert_null(wallet_in(&s, "rig-1"));
    lamp_set_done(&s);
    end_list(w);
}

/* A wallet that is many people's is learned and is on no list; a muted one is no evidence between
 * sites, an accepted one is for longer than it would be. */
static void test_wallets(void **state)
{
    (void)state;
    static const struct {
        enum lamp_proved_say say;
        uint64_t later_us;
        size_t want;
    } table[] = {
        { LAMP_SAY_NOTHING, 0, 2 },       { LAMP_SAY_NOTHING, 31 * DAY, 0 },
        { LAMP_SAY_MUTE, 0, 0 },          { LAMP_SAY_ACCEPT, 0, 2 },
        { LAMP_SAY_ACCEPT, 31 * DAY, 2 }, { LAMP_SAY_EXTEND, 31 * DAY, 2 },
        { LAMP_SAY_EXTEND, 41 * DAY, 0 },
    };
    lamp_watchlist *w = new_list(NULL);
    struct lamp_conn_row r = row("10.0.0.1", LAMP_VERDICT_CONFIRMED, NOW);
    struct lamp_proved p[2];
    r.wallet = lamp_bytes_of("4wallet");
    assert_false(note(w, "north", &r));
    r.verdict = LAMP_VERDICT_PROBABLE;
    r.wallet = lamp_bytes_of("4guess");
    assert_false(note(w, "north", &r));
    assert_int_equal(proved(p), 1);
    assert_true(p[0].kind == LAMP_PROVED_WALLET && streq(p[0].wallet, "4wallet"));
    struct lamp_set s = built(w, NOW);
    assert_int_equal(s.n, 0);
    lamp_set_done(&s);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        int64_t miners[LAMP_TRACE_SITES];
        size_t n = 0;
        char wallet[16] = "4wallet";
        assert_int_equal(say(w, p[0].id, table[i].say, 40, NOW), LAMP_OK);
        ok(store, lamp_store_begin(store));
        struct lamp_trace t = { LAMP_TRACE_WALLET, wallet, (int64_t)(2 * i + 10), 1, NOW };
        ok(store, lamp_store_trace(store, &t, miners, &n));
        t.site_ref++;
        t.at_us += table[i].later_us;
        ok(store, lamp_store_trace(store, &t, miners, &n));
        if ((n > 0) != (table[i].want > 0))
            fail_msg("%zu: %zu miners", i, n);
        lamp_store_rollback(store);
    }
    end_list(w);
}

/* A server that is muted is no reason to suspect others that speak to it either. */
static void test_muted_between_sites(void **state)
{
    (void)state;
    lamp_watchlist *w = new_list(NULL);
    const struct lamp_conn_row r = row("203.0.113.8", LAMP_VERDICT_CONFIRMED, NOW);
    struct lamp_track_pair pair = { .site_ref = 1,
                                    .client = test_addr("10.0.0.7"),
                                    .server = r.server_addr,
                                    .server_port = 3333,
                                    .ip_proto = 6,
                                    .verdict = LAMP_VERDICT_CONFIRMED,
                                    .last_us = NOW };
    struct lamp_server_known known;
    assert_true(note(w, "north", &r));
    ok(store, lamp_store_begin(store));
    ok(store, lamp_store_enroll(store, "s1", "north", NOW));
    ok(store, lamp_store_pair_save(store, &pair));
    ok(store, lamp_store_commit(store));
    pair.client = test_addr("10.0.0.8");
    ok(store, lamp_store_server_known(store, &pair, 0, &known));
    assert_true(known.mined);
    assert_int_equal(say(w, 1, LAMP_SAY_MUTE, 0, NOW), LAMP_OK);
    ok(store, lamp_store_server_known(store, &pair, 0, &known));
    assert_false(known.mined);
    end_list(w);
}

static void test_catalogue(void **state)
{
    (void)state;
    lamp_catalogue *c = NULL;
    char why[256];
    assert_int_equal(lamp_catalogue_load(LAMP_DATA, &c, why, sizeof(why)), LAMP_OK);
    lamp_watchlist *w = new_list(NULL);
    ok(store, lamp_store_begin(store));
    ok(store, lamp_store_pool_seed(store, c, NOW));
    ok(store, lamp_store_commit(store));
    struct lamp_set s = built(w, NOW);
    size_t n_pools, found = 0;
    const struct lamp_pool *pools = lamp_catalogue_pools(c, &n_pools);
    assert_true(s.n > n_pools * 9 / 10 && s.n <= n_pools);
    for (size_t i = 0; i < s.n; i++)
        found +=
            lamp_bytes_eq(s.entries[i].name, pools[0].fqdn) && s.entries[i].port == pools[0].port;
    assert_int_equal(found, 1);
    lamp_set_done(&s);
    end_list(w);
    lamp_catalogue_free(c);
}

/* Addresses of pools: strong where a pool is alone, weak where it is not, or behind a content network;
 * none of what an operator muted, and none that its name left. */
static void test_addresses(void **state)
{
    (void)state;
    static const struct lamp_pool_edit edits[] = {
        { .action = LAMP_POOL_ADD, .pool = "A", .fqdn = "a.example", .port = 1, .coin = "XMR" },
        { .action = LAMP_POOL_ADD, .pool = "B", .fqdn = "b.example", .port = 1, .coin = "BTC" },
        { .action = LAMP_POOL_ADD, .pool = "C", .fqdn = "198.51.100.9", .port = 1 },
        { .action = LAMP_POOL_ADD, .pool = "D", .fqdn = "d.example", .port = 1 },
        { .action = LAMP_POOL_DELETE, .id = 4 },
    };
    static const struct {
        int64_t server;
        const char *addr;
        uint64_t at_us;
    } names[] = {
        { 1, "203.0.113.1", NOW }, { 1, "203.0.113.2", NOW },           { 2, "203.0.113.2", NOW },
        { 2, "104.16.0.1", NOW },  { 1, "203.0.113.3", NOW - 2 * DAY }, { 4, "203.0.113.4", NOW },
        { 1, "10.0.0.1", NOW },    { 2, "2001:db8::2", NOW },
    };
    static const struct {
        const char *addr, *text; /* NULL: not on it */
    } want[] = {
        { "203.0.113.1", "60\tcatalogue\tXMR\tA" },
        { "203.0.113.2", "30\tcatalogue\t\tB" },
        { "104.16.0.1", "30\tcatalogue\tBTC\tB" },
        { "198.51.100.9", "60\tcatalogue\t\tC" },
        { "2001:db8::2", "60\tcatalogue\tBTC\tB" },
        { "203.0.113.3", NULL },
        { "203.0.113.4", NULL },
        { "10.0.0.1", NULL },
    };
    lamp_cdn *cdn = NULL;
    char why[256];
    int64_t id;
    bool changed;
    assert_int_equal(lamp_cdn_load(LAMP_DATA, &cdn, why, sizeof(why)), LAMP_OK);
    lamp_watchlist *w = new_list(cdn);
    ok(store, lamp_store_begin(store));
    for (size_t i = 0; i < ARRAY_LEN(edits); i++)
        ok(store,
           lamp_store_pool_edit(store, &edits[i], "ann", NOW, why, sizeof(why), &id, &changed));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct lamp_pool_resolution r = { .server_id = names[i].server,
                                                .addrs = { test_addr(names[i].addr) },
                                                .n = 1 };
        ok(store, lamp_store_pool_resolved(store, &r, names[i].at_us, &changed));
    }
    ok(store, lamp_store_commit(store));
    struct lamp_set s = built(w, NOW);
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        const struct lamp_addr addr = test_addr(want[i].addr);
        const struct lamp_set_entry *found = NULL;
        for (size_t k = 0; k < s.n; k++)
            if (s.entries[k].name.len == 0 && lamp_addr_eq(&s.entries[k].prefix.addr, &addr))
                found = &s.entries[k];
        if (!found != !want[i].text || (found && !lamp_bytes_eq(found->text, want[i].text)))
            fail_msg("%s: %.*s", want[i].addr, found ? (int)found->text.len : 0,
                     found ? (const char *)found->text.data : "");
    }
    lamp_set_done(&s);
    end_list(w);
    lamp_cdn_free(cdn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_notes),
        cmocka_unit_test(test_ages),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_catalogue),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_words_full),
        cmocka_unit_test(test_wallets),
        cmocka_unit_test(test_wallets_listed),
        cmocka_unit_test(test_wallets_full),
        cmocka_unit_test(test_muted_between_sites),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
