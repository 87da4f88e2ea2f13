/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of the catalogue in a store. */
#include "aggregator/store/pools.h"
#include "tests/support/aggregator.h"

#define HOUR (UINT64_C(3600) * 1000000)

struct fixture {
    char *folder;
    lamp_store *s;
};

static struct fixture fixture_new(void)
{
    struct fixture f = { new_folder(), NULL };
    f.s = open_store("sqlite", f.folder, false);
    return f;
}

static void fixture_free(struct fixture *f)
{
    lamp_store_close(f->s);
    remove_folder(f->folder);
    free(f->folder);
}

static lamp_catalogue *catalogue_of(const char *pools)
{
    static const char *const heads[][2] = {
        { "coins.csv", "symbol,name,algorithm,protocol,address_regex,status,n_pool_domains\n" },
        { "algorithms.csv", "name,aliases,unit,hashes_per_diff1\n" },
        { "pools.csv", "pool,fqdn,port,coin,algorithm,status,protocol,tls,kind,source\n" },
    };
    char *folder = new_folder(), path[256], why[256] = "";
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, heads[i][0]);
        FILE *out = fopen(path, "w");
        assert_non_null(out);
        fputs(heads[i][1], out);
        fputs(i == 2 ? pools : "", out);
        fclose(out);
    }
    lamp_catalogue *c = NULL;
    if (lamp_catalogue_load(folder, &c, why, sizeof(why)))
        fail_msg("%s", why);
    remove_folder(folder);
    free(folder);
    return c;
}

static void seed(lamp_store *s, const char *pools, uint64_t now_us)
{
    lamp_catalogue *c = catalogue_of(pools);
    ok(s, lamp_store_begin(s));
    ok(s, lamp_store_pool_seed(s, c, now_us));
    ok(s, lamp_store_commit(s));
    lamp_catalogue_free(c);
}

/* One line an entry, deleted ones with a '-' before. */
static bool list_entry(const struct lamp_pool_entry *e, void *arg)
{
    char *out = arg;
    const size_t n = strlen(out);
    snprintf(out + n, 1024 - n, "%s%s|%s|%u|%s|%s|%s|%s\n", e->active ? "" : "-", e->pool, e->fqdn,
             e->port, e->coin, e->algorithm, lamp_pool_tls_name(e->tls), e->changed_by);
    return true;
}

static void assert_entries(lamp_store *s, const char *want)
{
    char got[1024] = "";
    const struct lamp_pool_entry_filter f = { .with_deleted = true };
    ok(s, lamp_store_pool_entries(s, &f, list_entry, got));
    assert_string_equal(got, want);
}

static int edit(lamp_store *s, const struct lamp_pool_edit *e, uint64_t now_us, int64_t *id)
{
    char why[160] = "";
    bool changed;
    ok(s, lamp_store_begin(s));
    const int err = lamp_store_pool_edit(s, e, "ann", now_us, why, sizeof(why), id, &changed);
    assert_true(err == LAMP_OK || *why);
    ok(s, lamp_store_commit(s));
    return err;
}

static const char floor_1[] =
    "One,A.example,3333,XMR,randomx,active,cryptonote,no,pool-endpoint,us\n"
    "One,a.example,4444,BTC,sha256d,active,stratum-v1,yes,pool-endpoint,us\n"
    "Two,two.example,,,,legacy,unknown,unknown,pool-host,us\n"
    "Bad,not a host,1,,,active,,,,\n";

/* The data of the program are the floor; what an operator changes or mutes stays so. */
static void test_seed(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    seed(f.s, floor_1, TEST_NOW_US);
    assert_entries(f.s, "One|a.example|3333|XMR|randomx|no|installed\n"
                        "One|a.example|4444|BTC|sha256d|yes|installed\n"
                        "Two|two.example|0|||unknown|installed\n");
    int64_t id = 0;
    const struct lamp_pool_edit mute = { .action = LAMP_POOL_DELETE, .id = 1 }, change = {
        .action = LAMP_POOL_EDIT, .id = 2, .set = LAMP_POOL_SET_ALGORITHM, .algorithm = "scrypt"
    };
    assert_int_equal(edit(f.s, &mute, TEST_NOW_US + 1, &id), LAMP_OK);
    assert_int_equal(edit(f.s, &change, TEST_NOW_US + 1, &id), LAMP_OK);
    seed(f.s,
         "One,a.example,3333,XMR,rx2,active,cryptonote,no,pool-endpoint,us\n"
         "One,a.example,4444,BTC,sha256d,active,stratum-v1,no,pool-endpoint,us\n"
         "One,b.example,5555,BTC,sha256d,active,stratum-v1,no,pool-endpoint,us\n",
         TEST_NOW_US + 2);
    assert_entries(f.s, "-One|a.example|3333|XMR|randomx|no|ann\n"
                        "One|a.example|4444|BTC|scrypt|yes|ann\n"
                        "-Two|two.example|0|||unknown|installed\n"
                        "One|b.example|5555|BTC|sha256d|no|installed\n");
    fixture_free(&f);
}

static void test_edits(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    seed(f.s, floor_1, TEST_NOW_US);
    struct lamp_pool_edit add = { .action = LAMP_POOL_ADD,
                                  .pool = "one",
                                  .fqdn = "New.Example.",
                                  .port = 3333,
                                  .coin = "XMR",
                                  .tls = LAMP_POOL_TLS_BOTH };
    const struct lamp_pool_edit undo_4 = { .action = LAMP_POOL_UNDO, .id = 4 },
                                undo_1 = { .action = LAMP_POOL_UNDO, .id = 1 },
                                mute_1 = { .action = LAMP_POOL_DELETE, .id = 1 },
                                gone = { .action = LAMP_POOL_DELETE, .id = 99 },
                                clash = { .action = LAMP_POOL_EDIT,
                                          .id = 2,
                                          .set = LAMP_POOL_SET_PORT | LAMP_POOL_SET_COIN,
                                          .port = 3333,
                                          .coin = "XMR" };
    struct lamp_pool_edit literal = { .action = LAMP_POOL_ADD, .pool = "P", .fqdn = "2001:DB8::7" };
    struct lamp_pool_edit nonames[] = { { .pool = "P", .fqdn = "localhost" },
                                        { .pool = "P", .fqdn = "a..example" },
                                        { .pool = "P", .fqdn = "a b.example" },
                                        { .pool = "", .fqdn = "a.example" },
                                        { .pool = "a\tb", .fqdn = "a.example" } };
    int64_t id = 0;
    assert_int_equal(edit(f.s, &add, TEST_NOW_US + 1, &id), LAMP_OK);
    assert_int_equal(id, 4);
    assert_entries(f.s, "One|a.example|3333|XMR|randomx|no|installed\n"
                        "One|a.example|4444|BTC|sha256d|yes|installed\n"
                        "Two|two.example|0|||unknown|installed\n"
                        "One|new.example|3333|XMR||both|ann\n");
    assert_int_equal(edit(f.s, &undo_4, TEST_NOW_US + 2, &id), LAMP_OK); /* taken away */
    assert_int_equal(edit(f.s, &undo_4, TEST_NOW_US + 3, &id), LAMP_OK); /* and back */
    assert_int_equal(edit(f.s, &undo_1, TEST_NOW_US + 4, &id), LAMP_ENOENT);
    assert_int_equal(edit(f.s, &mute_1, TEST_NOW_US + 5, &id), LAMP_OK);
    assert_int_equal(edit(f.s, &undo_1, TEST_NOW_US + 6, &id), LAMP_OK);
    assert_int_equal(edit(f.s, &gone, TEST_NOW_US + 7, &id), LAMP_ENOENT);
    assert_int_equal(edit(f.s, &clash, TEST_NOW_US + 8, &id), LAMP_EEXIST);
    assert_int_equal(edit(f.s, &undo_1, TEST_NOW_US + 9, &id), LAMP_OK);
    for (size_t i = 0; i < ARRAY_LEN(nonames); i++)
        if (edit(f.s, &nonames[i], TEST_NOW_US, &id) != LAMP_EFORMAT)
            fail_msg("%s at %s was taken", nonames[i].pool, nonames[i].fqdn);
    assert_int_equal(edit(f.s, &literal, TEST_NOW_US + 9, &id), LAMP_OK);
    fixture_free(&f);
}

/* ---- look-up ---- */

struct seen {
    char text[2048];
};

static bool see(const struct lamp_pool_match *m, void *arg)
{
    struct seen *s = arg;
    const size_t n = strlen(s->text);
    snprintf(s->text + n, sizeof(s->text) - n, "%s:%u %s%s%s\n", m->entry->fqdn, m->entry->port,
             m->listed ? "listed" : "not listed", m->has_endpoint ? " " : "",
             m->has_endpoint ? lamp_pool_state_name(m->then.state) : "");
    return true;
}

static void assert_lookup(lamp_store *s, const struct lamp_pool_query *q, const char *want)
{
    struct seen got = { "" };
    uint64_t n = 0, lines = 0;
    ok(s, lamp_store_pool_lookup(s, q, see, &got, &n));
    for (const char *c = want; *c; c++)
        lines += *c == '\n';
    assert_string_equal(got.text, want);
    assert_int_equal(n, lines);
}

static void resolve(lamp_store *s, int64_t server, const char *addr, uint64_t at_us, bool want)
{
    struct lamp_pool_resolution r = { .server_id = server, .addrs = { test_addr(addr) }, .n = 1 };
    bool changed = !want;
    ok(s, lamp_store_begin(s));
    ok(s, lamp_store_pool_resolved(s, &r, at_us, &changed));
    ok(s, lamp_store_commit(s));
    assert_int_equal(changed, want);
}

static void probe(lamp_store *s, const char *addr, uint16_t port, enum lamp_pool_state state,
                  uint64_t at_us, bool want)
{
    const struct lamp_pool_endpoint e = {
        .addr = test_addr(addr), .port = port, .state = state, .probed_us = at_us, .reason = "so"
    };
    bool changed = !want;
    ok(s, lamp_store_begin(s));
    ok(s, lamp_store_pool_probed(s, &e, &changed));
    ok(s, lamp_store_commit(s));
    assert_int_equal(changed, want);
}

static void test_lookup(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    const uint64_t t0 = TEST_NOW_US;
    int64_t id;
    seed(f.s, floor_1, t0);
    resolve(f.s, 1, "203.0.113.7", t0 + HOUR, true);
    resolve(f.s, 1, "203.0.113.7", t0 + 2 * HOUR, false);
    resolve(f.s, 1, "2001:db8::7", t0 + 2 * HOUR, true);
    resolve(f.s, 1, "2001:db8::7", t0 + 9 * HOUR, true); /* it was away */
    probe(f.s, "203.0.113.7", 3333, LAMP_POOL_UP, t0 + 3 * HOUR, true);
    probe(f.s, "203.0.113.7", 3333, LAMP_POOL_UP, t0 + 4 * HOUR, false);
    probe(f.s, "203.0.113.7", 3333, LAMP_POOL_DOWN, t0 + 5 * HOUR, true);
    const struct lamp_pool_edit mute = { .action = LAMP_POOL_DELETE, .id = 2 };
    assert_int_equal(edit(f.s, &mute, t0 + 6 * HOUR, &id), LAMP_OK);

    struct lamp_pool_query q = { .by = LAMP_POOL_BY_ADDRESS,
                                 .addr = test_addr("203.0.113.7"),
                                 .limit = 10 };
    const struct {
        uint64_t at_us;
        uint16_t port;
        const char *want;
    } at[] = {
        { t0 + 4 * HOUR, 3333, "a.example:3333 listed up\n" },
        { t0 + 2 * HOUR, 3333, "a.example:3333 listed unknown\n" },
        { t0 + 7 * HOUR, 3333, "a.example:3333 listed down\n" },
        { t0 - 1, 3333, "a.example:3333 not listed unknown\n" },
        { t0 + 4 * HOUR, 0, "a.example:3333 listed up\na.example:4444 listed\n" },
        { t0 + 7 * HOUR, 0, "a.example:3333 listed down\na.example:4444 not listed\n" },
        { t0 + 7 * HOUR, 5, "" },
    };
    for (size_t i = 0; i < ARRAY_LEN(at); i++) {
        q.at_us = at[i].at_us;
        q.port = at[i].port;
        assert_lookup(f.s, &q, at[i].want);
    }
    q = (struct lamp_pool_query){ .at_us = t0 + 7 * HOUR, .limit = 10 };
    q.addr = test_addr("2001:db8::7");
    assert_lookup(f.s, &q, "a.example:3333 listed\na.example:4444 not listed\n");
    q.addr = test_addr("2001:db8::8");
    assert_lookup(f.s, &q, "");
    q.by = LAMP_POOL_BY_PORT;
    q.port = 4444;
    assert_lookup(f.s, &q, "a.example:4444 not listed\n");
    q.by = LAMP_POOL_BY_NAME;
    q.port = 0;
    q.name = "two.example";
    assert_lookup(f.s, &q, "two.example:0 listed\n");
    q.by = LAMP_POOL_BELOW_NAME;
    q.name = "example";
    q.port = 3333;
    assert_lookup(f.s, &q, "two.example:0 listed\na.example:3333 listed\n");
    q.name = "xample";
    assert_lookup(f.s, &q, "");
    q.name = "a.example";
    assert_lookup(f.s, &q, "");
    fixture_free(&f);
}

/* ---- limits ---- */

static bool count_addresses(const struct lamp_pool_address *v, void *arg)
{
    (void)v;
    ++*(int *)arg;
    return true;
}

static bool count_changes(const struct lamp_pool_change *v, void *arg)
{
    (void)v;
    ++*(int *)arg;
    return true;
}

static void test_limits(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    seed(f.s, floor_1, TEST_NOW_US);
    bool changed;
    ok(f.s, lamp_store_begin(f.s));
    for (unsigned i = 0; i < LAMP_POOL_ADDRESSES_MAX + 10; i++) {
        struct lamp_pool_resolution r = { .server_id = 1, .n = 1 };
        const uint8_t v4[] = { 203, 0, 113, (uint8_t)i };
        r.addrs[0] = lamp_addr_from_v4(v4);
        ok(f.s, lamp_store_pool_resolved(f.s, &r, TEST_NOW_US + i, &changed));
    }
    for (unsigned i = 0; i < LAMP_POOL_CHANGES_MAX + 10; i++) {
        const struct lamp_pool_endpoint e = { .addr = test_addr("203.0.113.70"),
                                              .port = 3333,
                                              .state = i % 2 ? LAMP_POOL_UP : LAMP_POOL_DOWN,
                                              .probed_us = TEST_NOW_US + i };
        ok(f.s, lamp_store_pool_probed(f.s, &e, &changed));
    }
    ok(f.s, lamp_store_commit(f.s));
    int addresses = 0, changes = 0;
    ok(f.s, lamp_store_pool_addresses(f.s, 1, 0, count_addresses, &addresses));
    assert_int_equal(addresses, LAMP_POOL_ADDRESSES_MAX);
    ok(f.s, lamp_store_pool_changes(f.s, 1, 0, 100000, count_changes, &changes));
    assert_int_equal(changes, LAMP_POOL_CHANGES_MAX);
    fixture_free(&f);
}

/* ---- lists ---- */

static bool list_pool(const struct lamp_pool_view *v, void *arg)
{
    char *out = arg;
    const size_t n = strlen(out);
    snprintf(out + n, 512 - n, "%s %s servers=%u addresses=%u entries=%u muted=%u up=%u down=%u\n",
             v->name, v->coins, v->servers, v->addresses, v->entries, v->muted, v->up, v->down);
    return true;
}

static bool list_port(const struct lamp_pool_port *v, void *arg)
{
    char *out = arg;
    const size_t n = strlen(out);
    snprintf(out + n, 512 - n, "%s %s %u\n", v->pool, v->coin, v->servers);
    return true;
}

static bool list_target(const struct lamp_pool_target *t, void *arg)
{
    char *out = arg, text[LAMP_ADDR_STRLEN];
    const size_t n = strlen(out);
    snprintf(out + n, 512 - n, "%s:%u %s %s %s\n", lamp_addr_str(&t->addr, text), t->port, t->fqdn,
             t->protocol, lamp_pool_tls_name(t->tls));
    return true;
}

static void test_lists(void **state)
{
    (void)state;
    struct fixture f = fixture_new();
    seed(f.s, floor_1, TEST_NOW_US);
    resolve(f.s, 1, "203.0.113.7", TEST_NOW_US, true);
    probe(f.s, "203.0.113.7", 3333, LAMP_POOL_UP, TEST_NOW_US, true);
    probe(f.s, "203.0.113.7", 9999, LAMP_POOL_UP, TEST_NOW_US, true); /* of no pool */
    static const char one[] = "One BTC\nXMR servers=1 addresses=1 entries=2 muted=0 up=1 down=0\n";
    static const char two[] = "Two  servers=1 addresses=0 entries=1 muted=0 up=0 down=0\n";
    const struct {
        struct lamp_pool_filter filter;
        bool has_one, has_two;
    } filters[] = {
        { { .text = NULL }, true, true },    { { .text = "WO" }, false, true },
        { { .text = "a.ex" }, true, false }, { { .coin = "xmr" }, true, false },
        { { .state = "up" }, true, false },  { { .state = "down" }, false, false },
        { { .after_id = 1 }, false, true },  { { .id = 1 }, true, false },
        { { .limit = 1 }, true, false },
    };
    for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
        char got[512] = "", want[512];
        struct lamp_pool_filter filter = filters[i].filter;
        filter.now_us = TEST_NOW_US;
        snprintf(want, sizeof(want), "%s%s", filters[i].has_one ? one : "",
                 filters[i].has_two ? two : "");
        ok(f.s, lamp_store_pools(f.s, &filter, list_pool, got));
        assert_string_equal(got, want);
    }
    char ports[512] = "", targets[512] = "";
    ok(f.s, lamp_store_pool_port(f.s, 3333, 10, list_port, ports));
    assert_string_equal(ports, "One XMR 1\n");
    ok(f.s, lamp_store_pool_targets(f.s, TEST_NOW_US, list_target, targets));
    assert_string_equal(targets, "203.0.113.7:4444 a.example stratum-v1 yes\n"
                                 "203.0.113.7:3333 a.example cryptonote no\n");
    struct lamp_pool_totals t;
    ok(f.s, lamp_store_begin(f.s));
    ok(f.s, lamp_store_pool_switch(f.s, LAMP_POOL_PROBE, true));
    ok(f.s, lamp_store_commit(f.s));
    ok(f.s, lamp_store_pool_totals(f.s, &t));
    assert_int_equal(t.pools, 2);
    assert_int_equal(t.entries, 3);
    assert_int_equal(t.up, 2);
    assert_true(t.has_probe && t.probe && !t.has_resolve);
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seed),   cmocka_unit_test(test_edits), cmocka_unit_test(test_lookup),
        cmocka_unit_test(test_limits), cmocka_unit_test(test_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
