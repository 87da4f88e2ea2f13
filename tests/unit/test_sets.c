/* SPDX-License-Identifier: Apache-2.0 */
/* What the aggregator answers, taken by what the sensor believes: after any walk of changes a sensor
 * that held any earlier list ends with the newest, by changes alone while the history reaches back. */
#include "aggregator/writer/sets.h"
#include "sensor/enforce/signedset.h"
#include "tests/support/aggregator.h"
#include "tests/support/rng.h"

#include <sys/stat.h>

enum { BUSY = 400, HOSTS = 600, SITES = 2 }; /* of the hosts some are there in one test alone */
static const char *const sites[SITES] = { "north", "south" };

struct fixture {
    char *folder, *sensor_folder;
    lamp_store *s;
    lamp_sets *sets;
    struct lamp_keys keys;
    uint32_t ttl_s[HOSTS]; /* 0: the host is not in the set */
    uint64_t now_us;
    unsigned published;
};

static int build(void *arg, const char *site, uint64_t now_us, struct lamp_set *out)
{
    const struct fixture *f = arg;
    static struct lamp_set_entry e[HOSTS];
    static char text[HOSTS][16];
    size_t n = 0;
    (void)now_us;
    for (unsigned i = 0; i < HOSTS; i++) {
        const uint8_t v4[] = { 198, 51, (uint8_t)(i >> 8), (uint8_t)i };
        if (f->ttl_s[i] == 0)
            continue;
        snprintf(text[n], sizeof(text[n]), "%s %u", site, i);
        e[n] = (struct lamp_set_entry){ .action = LAMP_SET_ADD,
                                        .prefix = { lamp_addr_from_v4(v4), 128 },
                                        .approved = true, /* growth is not what this is about */
                                        .ttl_s = f->ttl_s[i],
                                        .text = lamp_bytes_of(text[n]) };
        n++;
    }
    return lamp_set_copy(e, lamp_set_canonical(e, n), out);
}

static void open_sets(struct fixture *f)
{
    const struct lamp_sets_cfg cfg = {
        .store = f->s,
        .keys = &f->keys,
        .ttl_s = 7200,
        .sources = { { LAMP_SET_BLOCK, true, build, f }, { LAMP_SET_WATCH, false, build, f } },
        .n_sources = 2,
    };
    ok(f->s, lamp_sets_open(&cfg, f->now_us, &f->sets));
    for (size_t i = 0; i < SITES; i++)
        ok(f->s, lamp_sets_site(f->sets, sites[i], f->now_us));
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    char why[256];
    f->now_us = TEST_NOW_US;
    f->folder = new_folder();
    f->sensor_folder = new_folder();
    f->s = open_store("sqlite", f->folder, false);
    assert_int_equal(lamp_keys_load(f->folder, &f->keys, why, sizeof(why)), LAMP_OK);
    ok(f->s, lamp_store_begin(f->s));
    open_sets(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    lamp_sets_close(f->sets);
    lamp_store_close(f->s);
    remove_folder(f->folder);
    remove_folder(f->sensor_folder);
    free(f->folder);
    free(f->sensor_folder);
    free(f);
    return 0;
}

static void on_list(const char *site, const struct lamp_set_head *head, void *arg)
{
    (void)site, (void)head;
    ((struct fixture *)arg)->published++;
}

static void publish(struct fixture *f)
{
    lamp_sets_mark(f->sets, LAMP_SET_BLOCK, "");
    lamp_sets_mark(f->sets, LAMP_SET_WATCH, "");
    f->published = 0;
    ok(f->s, lamp_sets_publish(f->sets, f->now_us, on_list, f));
    assert_int_equal(f->published, SITES + 1);
}

/* ---- a sensor ---- */

static lamp_signedset *new_sensor(const struct fixture *f, enum lamp_set_kind kind,
                                  const char *site, unsigned number)
{
    static char dir[256];
    snprintf(dir, sizeof(dir), "%s/%u", f->sensor_folder, number);
    assert_int_equal(mkdir(dir, 0700), 0);
    struct lamp_signedset_cfg cfg = { .kind = kind, .site = site, .dir = dir };
    memcpy(cfg.list_key, f->keys.list_public, sizeof(cfg.list_key));
    lamp_signedset *s = NULL;
    int restored;
    assert_int_equal(lamp_signedset_open(&cfg, f->now_us, &s, &restored), LAMP_OK);
    return s;
}

struct feed {
    lamp_signedset *set;
    uint64_t now_us;
    int err;
    enum lamp_set_mode mode;
    size_t n_entries;
};

static int feed(const struct lamp_msg *m, void *arg)
{
    struct feed *x = arg;
    char detail[LAMP_SIGNEDSET_DETAIL];
    if (m->type == LAMP_MSG_SET_BEGIN)
        x->mode = m->u.set_begin.mode;
    if (m->type == LAMP_MSG_SET_CHUNK)
        x->n_entries += m->u.set_chunk.n_entries;
    x->err = lamp_signedset_feed(x->set, m, x->now_us, detail);
    return LAMP_OK;
}

/* Asks and takes the answer; returns what the answer was like. */
static struct feed refresh(struct fixture *f, lamp_signedset *set, const char *site)
{
    struct feed x = { .set = set, .now_us = f->now_us };
    const struct lamp_set_query q = { .have = lamp_signedset_head(set) };
    ok(f->s, lamp_sets_answer(f->sets, site, &q, feed, &x));
    assert_int_equal(x.err, LAMP_OK);
    assert_int_equal(lamp_signedset_confirm(set), LAMP_OK);

    struct lamp_set want;
    size_t n;
    const struct lamp_set_entry *have = lamp_signedset_entries(set, &n);
    assert_int_equal(build(f, q.have.kind == LAMP_SET_BLOCK ? site : "", 0, &want), LAMP_OK);
    assert_int_equal(n, want.n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(lamp_set_entry_cmp(&have[i], &want.entries[i]), 0);
        assert_int_equal(have[i].ttl_s, want.entries[i].ttl_s);
    }
    lamp_set_done(&want);
    return x;
}

static unsigned below(struct lamp_rng *rng, unsigned n)
{
    return (unsigned)(lamp_rng_u64(rng) % n);
}

static void change_some(struct fixture *f, struct lamp_rng *rng, unsigned n)
{
    while (n-- > 0)
        f->ttl_s[below(rng, BUSY)] = below(rng, 3) ? 1 + n : 0;
}

static void test_any_base(void **state)
{
    struct fixture *f = *state;
    struct lamp_rng rng = { 77 };
    enum { SENSORS = 6, ROUNDS = 120 };
    lamp_signedset *sensors[SENSORS];
    unsigned missed[SENSORS] = { 0 }, deltas = 0;
    for (unsigned i = 0; i < SENSORS; i++)
        sensors[i] = new_sensor(f, i % 2 ? LAMP_SET_WATCH : LAMP_SET_BLOCK, sites[i % SITES], i);
    for (unsigned i = 0; i < BUSY; i += 4)
        f->ttl_s[i] = 1;
    publish(f);
    for (unsigned i = 0; i < SENSORS; i++)
        assert_int_equal(refresh(f, sensors[i], sites[i % SITES]).mode, LAMP_SET_FULL);
    for (unsigned round = 0; round < ROUNDS; round++) {
        f->now_us += 600 * UINT64_C(1000000);
        change_some(f, &rng, below(&rng, 12));
        publish(f);
        for (unsigned i = 0; i < SENSORS; i++) {
            missed[i]++;
            if (below(&rng, 1 + 3 * i) != 0)
                continue;
            const struct feed x = refresh(f, sensors[i], sites[i % SITES]);
            deltas += x.mode == LAMP_SET_DELTA;
            if (missed[i] <= LAMP_SETS_HISTORY / 4 && x.mode != LAMP_SET_DELTA)
                fail_msg("%u lists behind, and the whole came", missed[i]);
            missed[i] = 0;
        }
    }
    assert_true(deltas > ROUNDS);
    for (unsigned i = 0; i < SENSORS; i++)
        lamp_signedset_free(sensors[i]);
}

static void reopen(struct fixture *f)
{
    lamp_sets_close(f->sets);
    f->sets = NULL;
    open_sets(f);
}

/* A sensor that is some lists behind gets the changes, though the aggregator was restarted in between
 * (which the disk outlives, too: the store is opened anew); not where a step was too long to be kept. */
static void test_restart(void **state)
{
    struct fixture *f = *state;
    enum { BEHIND = 20 };
    lamp_signedset *old = new_sensor(f, LAMP_SET_BLOCK, "north", 0);
    lamp_signedset *ancient = new_sensor(f, LAMP_SET_BLOCK, "south", 1);
    lamp_signedset *watch = new_sensor(f, LAMP_SET_WATCH, "south", 2);
    for (unsigned i = 0; i < 40; i++)
        f->ttl_s[i] = 1;
    publish(f);
    (void)refresh(f, ancient, "south");
    for (unsigned i = 0; i <= LAMP_SETS_HISTORY - BEHIND; i++)
        publish(f);
    (void)refresh(f, old, "north");
    (void)refresh(f, watch, "south");
    for (unsigned i = 0; i < BEHIND; i++) {
        f->ttl_s[i] = i % 3;
        f->ttl_s[100 + i] = 5;
        publish(f);
    }
    ok(f->s, lamp_store_commit(f->s));
    f->sets = lamp_sets_close(f->sets);
    lamp_store_close(f->s);
    f->s = open_store("sqlite", f->folder, false);
    ok(f->s, lamp_store_begin(f->s));
    open_sets(f);
    assert_int_equal(refresh(f, watch, "south").mode, LAMP_SET_DELTA);
    struct feed x = refresh(f, old, "north");
    assert_int_equal(x.mode, LAMP_SET_DELTA);
    assert_in_range(x.n_entries, BEHIND, 2 * BEHIND);
    assert_int_equal(refresh(f, ancient, "south").mode, LAMP_SET_FULL); /* past the bound */
    publish(f);                                                         /* and goes on from there */
    reopen(f);
    x = refresh(f, old, "north");
    assert_int_equal(x.mode, LAMP_SET_DELTA);
    assert_int_equal(x.n_entries, 0);

    /* A step of more than a chunk. */
    for (unsigned i = 0; i < HOSTS; i++)
        f->ttl_s[i] = 78;
    publish(f);
    reopen(f);
    assert_int_equal(refresh(f, old, "north").mode, LAMP_SET_FULL);
    publish(f);
    reopen(f);
    assert_int_equal(refresh(f, old, "north").mode, LAMP_SET_DELTA);
    lamp_signedset_free(watch);
    lamp_signedset_free(ancient);
    lamp_signedset_free(old);
}

/* Renewal alone travels without an entry; too far behind, or a set that never was: the whole. */
static void test_answers(void **state)
{
    struct fixture *f = *state;
    lamp_signedset *set = new_sensor(f, LAMP_SET_BLOCK, "north", 0);
    lamp_signedset *old = new_sensor(f, LAMP_SET_BLOCK, "north", 1);
    for (unsigned i = 0; i < 40; i++)
        f->ttl_s[i] = 1;
    publish(f);
    assert_int_equal(refresh(f, set, "north").n_entries, 40);
    assert_int_equal(refresh(f, old, "north").n_entries, 40);
    publish(f);
    struct feed x = refresh(f, set, "north");
    assert_int_equal(x.mode, LAMP_SET_DELTA);
    assert_int_equal(x.n_entries, 0);
    for (unsigned i = 0; i < LAMP_SETS_HISTORY; i++)
        publish(f);
    assert_int_equal(refresh(f, old, "north").mode, LAMP_SET_FULL);

    reopen(f);
    struct lamp_set_head head;
    assert_int_equal(lamp_sets_head(f->sets, LAMP_SET_BLOCK, "north", &head), LAMP_OK);
    assert_int_equal(head.serial, lamp_signedset_head(old).serial);
    publish(f);
    assert_int_equal(refresh(f, old, "north").mode, LAMP_SET_DELTA); /* it was the same list */
    f->ttl_s[0] = 9;
    reopen(f); /* another one than published */
    publish(f);
    assert_int_equal(refresh(f, old, "north").mode, LAMP_SET_FULL);

    /* A manifest is for one site, though the list be for all. */
    lamp_signedset *watch = new_sensor(f, LAMP_SET_WATCH, "north", 2);
    x = (struct feed){ .set = watch, .now_us = f->now_us };
    const struct lamp_set_query q = { .have.kind = LAMP_SET_WATCH };
    ok(f->s, lamp_sets_answer(f->sets, "south", &q, feed, &x));
    assert_int_equal(x.err, LAMP_ESITE);
    const struct lamp_set_query unknown = { .have.kind = LAMP_SET_POLICY };
    assert_int_equal(lamp_sets_answer(f->sets, "north", &unknown, feed, &x), LAMP_ENOENT);
    lamp_signedset_free(watch);
    lamp_signedset_free(set);
    lamp_signedset_free(old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_any_base, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
