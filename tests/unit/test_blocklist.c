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
    const struct lamp_blocklist_cfg cfg = { f->s, &f->never, 1, 7200, changed, f };
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
    if (m->type == LAMP_MSG_SET_CHUNK)
        f->entries += m->u.set_chunk.n_entries;
    return LAMP_OK;
}

static size_t entries(struct fixture *f)
{
    f->entries = 0;
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
    { "203.0.112.0/23", LAMP_BLOCK_REMOTE, "", LAMP_EPOLICY },
    { "2001:db8::/47", LAMP_BLOCK_REMOTE, "", LAMP_EPOLICY },
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_canonical, setup, teardown),
        cmocka_unit_test_setup_teardown(test_serials, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
