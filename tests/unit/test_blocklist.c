/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/aggregator.h"

#include "aggregator/writer/blocklist.h"
#include "aggregator/writer/sets.h"

struct fixture {
    char *folder;
    lamp_store *s;
    lamp_blocklist *l;
    lamp_sets *sets;
    struct lamp_keys keys;
    struct lamp_prefix never;
    uint64_t serial; /* newest announced */
    size_t entries;  /* in the last answer */
    size_t approved; /* of them */
    char name[64];   /* of the last one that has one */
    int64_t expired;
};

static void changed(const char *site, void *arg)
{
    const struct fixture *f = arg;
    if (f->sets)
        lamp_sets_mark(f->sets, LAMP_SET_BLOCK, site);
}

static void open_lists(struct fixture *f, uint64_t now_us)
{
    const struct lamp_blocklist_cfg cfg = {
        .store = f->s, .never = &f->never, .n_never = 1, .ttl_s = 7200, .changed = changed, .arg = f
    };
    ok(f->s, lamp_blocklist_open(&cfg, &f->l));
    const struct lamp_sets_cfg sets = {
        .store = f->s,
        .keys = &f->keys,
        .ttl_s = 7200,
        .sources = { { LAMP_SET_BLOCK, true, lamp_blocklist_build, f->l } },
        .n_sources = 1,
    };
    ok(f->s, lamp_sets_open(&sets, now_us, &f->sets));
    ok(f->s, lamp_blocklist_site(f->l, "north"));
    ok(f->s, lamp_sets_site(f->sets, "north", now_us));
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    char why[256];
    f->folder = new_folder();
    f->s = open_store("sqlite", f->folder, false);
    assert_int_equal(lamp_keys_load(f->folder, &f->keys, why, sizeof(why)), LAMP_OK);
    assert_int_equal(lamp_prefix_parse("198.51.100.0/24", &f->never), LAMP_OK);
    ok(f->s, lamp_store_begin(f->s));
    ok(f->s, lamp_store_enroll(f->s, "s1", "north", TEST_NOW_US));
    open_lists(f, TEST_NOW_US);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    lamp_sets_close(f->sets);
    lamp_blocklist_close(f->l);
    lamp_store_close(f->s);
    remove_folder(f->folder);
    free(f->folder);
    free(f);
    return 0;
}

static struct lamp_block block(const char *prefix, uint16_t port, enum lamp_block_kind kind,
                               const char *site)
{
    struct lamp_block b = { .kind = kind,
                            .port = port,
                            .created_us = TEST_NOW_US,
                            .expires_us = TEST_NOW_US + 3600 * UINT64_C(1000000) };
    assert_int_equal(lamp_prefix_parse(prefix, &b.prefix), LAMP_OK);
    snprintf(b.site, sizeof(b.site), "%s", site);
    return b;
}

static void on_list(const char *site, const struct lamp_set_head *head, void *arg)
{
    struct fixture *f = arg;
    assert_string_equal(site, "north");
    assert_true(head->serial > f->serial);
    f->serial = head->serial;
}

static void on_expired(int64_t id, void *arg)
{
    ((struct fixture *)arg)->expired = id;
}

static void publish(struct fixture *f, uint64_t now_us)
{
    ok(f->s, lamp_blocklist_expire(f->l, now_us, on_expired, f));
    ok(f->s, lamp_sets_publish(f->sets, now_us, on_list, f));
}

static uint64_t due_us(const struct fixture *f, uint64_t now_us)
{
    const uint64_t blocks = lamp_blocklist_due_us(f->l);
    const uint64_t sets = lamp_sets_due_us(f->sets, now_us);
    return blocks < sets ? blocks : sets;
}

static int count_entries(const struct lamp_msg *m, void *arg)
{
    struct fixture *f = arg;
    if (m->type != LAMP_MSG_SET_CHUNK)
        return LAMP_OK;
    const struct lamp_set_chunk *c = &m->u.set_chunk;
    f->entries += c->n_entries;
    for (size_t i = 0; i < c->n_entries; i++) {
        f->approved += c->entries[i].approved;
        if (c->entries[i].name.len > 0)
            snprintf(f->name, sizeof(f->name), "%.*s", (int)c->entries[i].name.len,
                     (const char *)c->entries[i].name.data);
    }
    return LAMP_OK;
}

static size_t entries(struct fixture *f)
{
    f->entries = f->approved = 0;
    const struct lamp_set_query whole = { .have.kind = LAMP_SET_BLOCK };
    ok(f->s, lamp_sets_answer(f->sets, "north", &whole, count_entries, f));
    return f->entries;
}

static const struct {
    const char *prefix;
    enum lamp_block_kind kind;
    const char *site;
    int want;
} refusals[] = {
    { "10.1.2.3", LAMP_BLOCK_REMOTE, "", LAMP_EPROTECTED },
    { "127.0.0.1", LAMP_BLOCK_REMOTE, "", LAMP_EPROTECTED },
    { "224.0.0.1", LAMP_BLOCK_REMOTE, "", LAMP_EPROTECTED },
    { "fe80::1", LAMP_BLOCK_REMOTE, "", LAMP_EPROTECTED },
    { "198.51.100.7", LAMP_BLOCK_REMOTE, "", LAMP_EPROTECTED },
    { "203.0.0.0/15", LAMP_BLOCK_REMOTE, "", LAMP_EPOLICY },
    { "2001:db8::/31", LAMP_BLOCK_REMOTE, "", LAMP_EPOLICY },
    { "::/0", LAMP_BLOCK_REMOTE, "", LAMP_EPROTECTED },
    { "203.0.113.1", LAMP_BLOCK_REMOTE, "nowhere", LAMP_ENOENT },
    { "10.1.2.3", LAMP_BLOCK_HOST, "", LAMP_EINVAL },
    { "10.1.2.0/24", LAMP_BLOCK_HOST, "north", LAMP_EPOLICY },
    { "127.0.0.1", LAMP_BLOCK_HOST, "north", LAMP_EPROTECTED },
    { "10.1.2.3", LAMP_BLOCK_HOST, "north", LAMP_OK },
    { "10.1.2.3", LAMP_BLOCK_HOST, "north", LAMP_EEXIST },
    { "203.0.113.0/24", LAMP_BLOCK_REMOTE, "", LAMP_OK },
    { "2001:db8::/48", LAMP_BLOCK_REMOTE, "north", LAMP_OK },
};

static void test_refusals(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        struct lamp_block b = block(refusals[i].prefix, 0, refusals[i].kind, refusals[i].site);
        char why[256] = "";
        const int got = lamp_blocklist_add(f->l, &b, why, sizeof(why));
        if (got != refusals[i].want)
            fail_msg("%s: got %s (%s)", refusals[i].prefix, lamp_strerror(got), why);
        assert_int_equal(*why != '\0', got != LAMP_OK);
    }
}

/* The wider of two overlapping entries stands; entries with a port are apart from it. */
static void test_canonical(void **state)
{
    struct fixture *f = *state;
    char why[256];
    static const struct {
        const char *prefix;
        uint16_t port;
    } add[] = {
        { "203.0.113.9", 0 },    { "203.0.113.8/30", 0 }, { "203.0.113.9", 3333 },
        { "203.0.113.0/24", 0 }, { "192.0.2.1", 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(add); i++) {
        struct lamp_block b = block(add[i].prefix, add[i].port, LAMP_BLOCK_REMOTE, "");
        ok(f->s, lamp_blocklist_add(f->l, &b, why, sizeof(why)));
    }
    publish(f, TEST_NOW_US);
    assert_int_equal(entries(f), 3);

    struct lamp_miner_target t = { .site = "north",
                                   .host = test_addr("10.0.0.1"),
                                   .server_addr = test_addr("203.0.113.77"),
                                   .server_port = 1,
                                   .ip_proto = 6 };
    assert_true(lamp_blocklist_covers(f->l, &t));
    t.server_addr = test_addr("203.0.114.77");
    assert_false(lamp_blocklist_covers(f->l, &t));
}

/* Serials grow with changes and at half of the time to live; leases end by themselves. */
static void test_serials(void **state)
{
    struct fixture *f = *state;
    char why[256];
    const uint64_t s = 1000000;
    publish(f, TEST_NOW_US);
    assert_int_equal(f->serial, 1);
    publish(f, TEST_NOW_US + s);
    assert_int_equal(f->serial, 1); /* nothing changed */

    struct lamp_block b = block("203.0.113.9", 0, LAMP_BLOCK_REMOTE, "");
    b.expires_us = TEST_NOW_US + 60 * s;
    ok(f->s, lamp_blocklist_add(f->l, &b, why, sizeof(why)));
    publish(f, TEST_NOW_US + s);
    assert_int_equal(f->serial, 2);
    assert_int_equal(due_us(f, TEST_NOW_US + s), b.expires_us);
    publish(f, b.expires_us);
    assert_int_equal(f->expired, b.id);
    assert_int_equal(f->serial, 3);
    assert_int_equal(entries(f), 0);
    assert_int_equal(lamp_blocklist_end(f->l, b.id, "x", TEST_NOW_US, why, sizeof(why)),
                     LAMP_ENOENT);
    publish(f, b.expires_us + 3600 * s);
    assert_int_equal(f->serial, 4); /* renewed */
    publish(f, TEST_NOW_US - 10 * 3600 * s);
    assert_int_equal(f->serial, 5); /* the clock was set back: sensors would run out of time */
    publish(f, TEST_NOW_US - 10 * 3600 * s);
    assert_int_equal(f->serial, 5);
}

/* After a restart an unchanged list goes on under its serial. */
static void test_restart(void **state)
{
    struct fixture *f = *state;
    char why[256];
    struct lamp_block b = block("203.0.113.9", 0, LAMP_BLOCK_REMOTE, "");
    b.expires_us = TEST_NOW_US + 86400 * UINT64_C(1000000);
    ok(f->s, lamp_blocklist_add(f->l, &b, why, sizeof(why)));
    publish(f, TEST_NOW_US);
    lamp_sets_close(f->sets);
    lamp_blocklist_close(f->l);
    f->sets = NULL;
    open_lists(f, TEST_NOW_US + 5);
    const uint64_t serial = f->serial;
    publish(f, TEST_NOW_US + 5);
    assert_int_equal(f->serial, serial);
    assert_int_equal(entries(f), 1);
}

static struct lamp_block add(struct fixture *f, struct lamp_block b, const char *by)
{
    char why[256] = "";
    snprintf(b.created_by, sizeof(b.created_by), "%s", by);
    snprintf(b.person, sizeof(b.person), "%s", by);
    const int err = lamp_blocklist_add(f->l, &b, why, sizeof(why));
    if (err)
        fail_msg("%s", why);
    return b;
}

static struct lamp_block numbered(unsigned i)
{
    struct lamp_block b = block("192.0.2.0", 0, LAMP_BLOCK_REMOTE, "");
    b.prefix.addr.b[14] = (uint8_t)(100 + i / 256);
    b.prefix.addr.b[15] = (uint8_t)i;
    return b;
}

/* Two people, and a token of each. */
static const struct lamp_asker anna = { "a", "a" }, bert = { "b", "b" }, tool = { "a-tool", "a" };

/* What is unusual waits for a second person; the rest goes on meanwhile. */
static void test_approvals(void **state)
{
    struct fixture *f = *state;
    char why[256] = "";
    const struct lamp_block wide = add(f, block("203.0.112.0/23", 0, LAMP_BLOCK_REMOTE, ""), "a");
    assert_int_equal(wide.approval, LAMP_APPROVAL_WAITING);
    assert_true(wide.needs[0] != '\0');
    for (unsigned i = 0; i < LAMP_BLOCKLIST_HOUR; i++)
        assert_int_equal(add(f, numbered(i), "a").approval, LAMP_APPROVAL_NONE);
    const struct lamp_block many = add(f, numbered(99), "a");
    assert_int_equal(many.approval, LAMP_APPROVAL_WAITING);
    publish(f, TEST_NOW_US);
    assert_int_equal(entries(f), LAMP_BLOCKLIST_HOUR);

    struct lamp_miner_target t = { .site = "north",
                                   .host = test_addr("10.0.0.1"),
                                   .server_addr = test_addr("203.0.113.77") };
    assert_false(lamp_blocklist_covers(f->l, &t));
    assert_int_equal(lamp_blocklist_decide(f->l, wide.id, true, &anna, TEST_NOW_US, why, 256),
                     LAMP_EAUTH);
    assert_int_equal(lamp_blocklist_decide(f->l, wide.id, true, &tool, TEST_NOW_US, why, 256),
                     LAMP_EAUTH);
    ok(f->s, lamp_blocklist_decide(f->l, wide.id, true, &bert, TEST_NOW_US, why, sizeof(why)));
    assert_int_equal(lamp_blocklist_decide(f->l, wide.id, true, &bert, TEST_NOW_US, why, 256),
                     LAMP_ENOENT);
    assert_true(lamp_blocklist_covers(f->l, &t));
    ok(f->s, lamp_blocklist_decide(f->l, many.id, false, &bert, TEST_NOW_US, why, sizeof(why)));
    publish(f, TEST_NOW_US);
    assert_int_equal(entries(f), LAMP_BLOCKLIST_HOUR + 1);
    assert_int_equal(lamp_blocklist_decide(f->l, 1000, true, &bert, TEST_NOW_US, why, 256),
                     LAMP_ENOENT);

    /* What was said is there after a restart. */
    lamp_sets_close(f->sets);
    lamp_blocklist_close(f->l);
    f->sets = NULL;
    open_lists(f, TEST_NOW_US);
    assert_true(lamp_blocklist_covers(f->l, &t));
    /* An hour later there is room again. */
    struct lamp_block later = numbered(100);
    later.created_us += 3601 * UINT64_C(1000000);
    assert_int_equal(add(f, later, "a").approval, LAMP_APPROVAL_NONE);
}

/* Of a site's hosts two, then as many as a tenth of those seen, and no more than five. */
static void test_hosts(void **state)
{
    struct fixture *f = *state;
    struct lamp_store_sensor sensor;
    struct lamp_store_stream stream;
    ok(f->s, lamp_store_sensor(f->s, "s1", &sensor));
    ok(f->s, lamp_store_stream_add(f->s, sensor.ref, &(struct lamp_stream_id){ { 1 } }, TEST_NOW_US,
                                   &stream));
    const struct lamp_block_hosts {
        const char *host;
        unsigned seen; /* from then on */
        enum lamp_approval want;
    } steps[] = {
        { "10.0.0.1", 0, LAMP_APPROVAL_NONE },    { "10.0.0.2", 0, LAMP_APPROVAL_NONE },
        { "10.0.0.3", 0, LAMP_APPROVAL_WAITING }, { "10.0.0.4", 40, LAMP_APPROVAL_NONE },
        { "10.0.0.5", 0, LAMP_APPROVAL_WAITING }, { "10.0.0.6", 90, LAMP_APPROVAL_WAITING },
    };
    uint32_t index = 0;
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        for (; index < steps[i].seen; index++) {
            struct lamp_rollup_row row = { .minute = TEST_NOW_US / 60000000,
                                           .inside_addr = test_addr("10.1.0.0"),
                                           .remote_addr = test_addr("198.18.0.1") };
            row.inside_addr.b[15] = (uint8_t)(index + 1);
            ok(f->s, lamp_store_rollup(f->s, sensor.site_ref, stream.ref, 1, index, &row));
        }
        const struct lamp_block b = add(f, block(steps[i].host, 0, LAMP_BLOCK_HOST, "north"), "a");
        if (b.approval != steps[i].want)
            fail_msg("%s: %d (%s)", steps[i].host, b.approval, b.needs);
    }
}

/* A held site keeps its blocks, whatever is added and lifted, over a restart; what ends by itself
 * ends. Many at once need a second person. */
static void test_hold(void **state)
{
    struct fixture *f = *state;
    char why[256] = "";
    const uint64_t s = 1000000;
    struct lamp_block kept = numbered(0), brief = numbered(1);
    kept.expires_us = TEST_NOW_US + 86400 * s;
    kept = add(f, kept, "a");
    brief.expires_us = TEST_NOW_US + 600 * s;
    (void)add(f, brief, "a");
    publish(f, TEST_NOW_US);
    ok(f->s, lamp_blocklist_hold(f->l, "north", f->serial, "a", TEST_NOW_US, why, sizeof(why)));
    assert_int_equal(lamp_blocklist_hold(f->l, "north", 1, "a", TEST_NOW_US, why, 256),
                     LAMP_EEXIST);
    assert_int_equal(lamp_blocklist_hold(f->l, "nowhere", 1, "a", TEST_NOW_US, why, 256),
                     LAMP_ENOENT);
    ok(f->s, lamp_blocklist_end(f->l, kept.id, "a", TEST_NOW_US + s, why, sizeof(why)));
    for (unsigned i = 0; i < 20; i++)
        (void)add(f, numbered(10 + i), "a");
    publish(f, TEST_NOW_US + s);
    assert_int_equal(entries(f), 2);
    lamp_sets_close(f->sets);
    lamp_blocklist_close(f->l);
    f->sets = NULL;
    open_lists(f, TEST_NOW_US + 2 * s);
    publish(f, TEST_NOW_US + 2 * s);
    assert_int_equal(entries(f), 2);
    for (unsigned i = 0; i < 10; i++) {
        struct lamp_block b = numbered(40 + i);
        b.created_us = TEST_NOW_US + 3700 * s;
        b.expires_us = b.created_us + 7200 * s;
        assert_int_equal(add(f, b, "a").approval, LAMP_APPROVAL_NONE);
    }
    publish(f, TEST_NOW_US + 3000 * s);
    assert_int_equal(entries(f), 1); /* the brief one is over */

    /* 30 more at once. */
    const uint64_t now = TEST_NOW_US + 3000 * s;
    assert_int_equal(lamp_blocklist_release(f->l, "north", &anna, now, why, sizeof(why)),
                     LAMP_EAGAIN);
    assert_int_equal(lamp_blocklist_release(f->l, "north", &anna, now, why, sizeof(why)),
                     LAMP_EAGAIN);
    assert_int_equal(lamp_blocklist_release(f->l, "north", &tool, now, why, sizeof(why)),
                     LAMP_EAGAIN);
    ok(f->s, lamp_blocklist_release(f->l, "north", &bert, now, why, sizeof(why)));
    publish(f, now);
    assert_int_equal(entries(f), 30);
    assert_int_equal(f->approved, 30);
    assert_int_equal(lamp_blocklist_release(f->l, "north", &bert, now, why, sizeof(why)),
                     LAMP_ENOENT);
}

static void test_domains(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *name;
        int want;
    } table[] = {
        { "pool.example", LAMP_OK },
        { "pool.example", LAMP_EEXIST },
        { "a-b_c.1.example", LAMP_OK },
        { "example", LAMP_EINVAL },
        { "", LAMP_EINVAL },
        { ".example", LAMP_EINVAL },
        { "pool..x", LAMP_EINVAL },
        { "pool.example.", LAMP_EINVAL },
        { "Pool.example", LAMP_EINVAL },
        { "p ol.example", LAMP_EINVAL },
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct lamp_block b = { .kind = LAMP_BLOCK_DOMAIN,
                                .created_us = TEST_NOW_US,
                                .expires_us = TEST_NOW_US + 3600 * UINT64_C(1000000) };
        char why[256];
        snprintf(b.name, sizeof(b.name), "%s", table[i].name);
        const int got = lamp_blocklist_add(f->l, &b, why, sizeof(why));
        if (got != table[i].want)
            fail_msg("'%s': %s", table[i].name, lamp_strerror(got));
    }
    publish(f, TEST_NOW_US);
    assert_int_equal(entries(f), 2);
    assert_string_equal(f->name, "pool.example");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_canonical, setup, teardown),
        cmocka_unit_test_setup_teardown(test_serials, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_approvals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hosts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hold, setup, teardown),
        cmocka_unit_test_setup_teardown(test_domains, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
