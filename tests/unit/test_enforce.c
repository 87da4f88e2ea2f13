/* SPDX-License-Identifier: Apache-2.0 */
/* enforce over a model of the kernel; the live tests have the real one. What makes a list good or
 * bad is in test_signedset, what of it is planned in test_plan. */
#include "sensor/enforce/enforce.h"
#include "tests/support/block_lists.h"
#include "tests/support/model_nft.h"

#define NOW LIST_NOW
#define HOUR LIST_HOUR
#define SECOND UINT64_C(1000000)
enum { CONFIRM_S = 5 };

static struct model_nft kernel;
static struct {
    unsigned calls;
    bool covers; /* the last call covered a connection to 203.0.113.7 */
} cuts;
static char dir[64];

static int count_cut(void *arg, const lamp_cut_index *x, size_t *out_n)
{
    struct lamp_cut_flow f = { .ip_proto = 6 };
    (void)arg;
    assert_int_equal(lamp_addr_parse("203.0.113.7", &f.dst[0]), LAMP_OK);
    cuts.calls++;
    cuts.covers = lamp_cut_covers(x, &f);
    *out_n = cuts.covers ? 3 : 0;
    return LAMP_OK;
}

static lamp_enforce *start(enum lamp_enforce_mode mode, uint64_t now_us)
{
    static struct lamp_prefix never, resolver;
    assert_int_equal(lamp_prefix_parse("198.51.100.0/24", &never), LAMP_OK);
    assert_int_equal(lamp_prefix_parse("192.0.2.53", &resolver), LAMP_OK);
    struct lamp_enforce_cfg cfg = {
        .set = { .site = "north", .dir = dir },
        .mode = mode,
        .priority = -10,
        .confirm_s = CONFIRM_S,
        .never = &never,
        .n_never = 1,
        .resolvers = &resolver,
        .n_resolvers = 1,
        .root = "/nonexistent",
        .backend = { &kernel, model_apply, model_list },
        .cut = { NULL, count_cut },
    };
    memcpy(cfg.set.list_key, list_public_key, sizeof(cfg.set.list_key));
    lamp_enforce *e = NULL;
    kernel.now_us = now_us;
    assert_int_equal(lamp_enforce_new(&cfg, now_us, &e), LAMP_OK);
    return e;
}

static int setup(void **state)
{
    (void)state;
    model_init(&kernel);
    memset(&cuts, 0, sizeof(cuts));
    snprintf(dir, sizeof(dir), "/tmp/lamp-enforce-XXXXXX");
    crypto_sign_keypair(list_public_key, list_secret_key);
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char cmd[128];
    snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
    model_done(&kernel);
    return system(cmd);
}

static int send(lamp_enforce *e, const struct lamp_msg *m, uint64_t now_us)
{
    uint8_t *data;
    size_t len;
    kernel.now_us = now_us;
    assert_int_equal(lamp_msg_pack(m, &data, &len), LAMP_OK);
    const int err = lamp_enforce_message(e, (struct lamp_bytes){ data, len }, now_us);
    free(data);
    return err;
}

static int send_list(lamp_enforce *e, const struct list *l, uint64_t now_us)
{
    static struct answer a;
    make_answer(l, &a);
    int err = send(e, &a.begin, now_us);
    for (uint32_t i = 0; !err && i < a.begin.u.set_begin.chunks; i++) {
        const struct lamp_msg m = list_chunk(&a, i);
        err = send(e, &m, now_us);
    }
    if (!err)
        err = send(e, &a.end, now_us);
    answer_done(&a);
    return err;
}

/* The aggregator answers a question asked with the list in hand. */
static void answer_came(lamp_enforce *e, uint64_t now_us)
{
    const struct lamp_msg m = { .type = LAMP_MSG_LOCAL_ANSWER,
                                .u.local_answer.have = lamp_enforce_head(e, LAMP_SET_BLOCK) };
    assert_int_equal(send(e, &m, now_us), LAMP_OK);
}

static void take(lamp_enforce *e, const struct list *l, uint64_t now_us)
{
    assert_int_equal(send_list(e, l, now_us), LAMP_OK);
    answer_came(e, now_us);
}

static struct lamp_set_status status(lamp_enforce *e, uint64_t now_us)
{
    struct lamp_set_status s = { 0 };
    assert_true(lamp_enforce_status(e, now_us, &s));
    return s;
}

/* Ticks once a second for that long; returns the time then. */
static uint64_t run_for(lamp_enforce *e, uint64_t now_us, unsigned seconds)
{
    for (unsigned i = 0; i < seconds; i++) {
        kernel.now_us = now_us += SECOND;
        lamp_enforce_tick(e, now_us);
    }
    return now_us;
}

static bool holds(const char *key)
{
    return model_find(&kernel, NULL, key) != NULL;
}

static unsigned timeout_of(const char *key)
{
    const struct model_element *e = model_find(&kernel, NULL, key);
    return e ? e->timeout_s : 0;
}

/* ---- lists in, lists out ---- */

static void test_refused(void **state)
{
    (void)state;
    lamp_enforce *e = start(LAMP_ENFORCE_ON, NOW);
    take(e, &(struct list){ .epoch = 1, .serial = 5, .targets = { "203.0.113.7" } }, NOW);
    const unsigned applied = kernel.applied;
    const struct list wide = { .epoch = 1, .serial = 6, .targets = { "203.0.0.0/16" } };
    assert_int_equal(send_list(e, &wide, NOW), LAMP_EPOLICY);
    struct lamp_set_status s = status(e, NOW);
    assert_int_equal(s.state, LAMP_SET_REFUSED);
    assert_int_equal(s.code, LAMP_EPOLICY);
    assert_int_equal(s.about.serial, 6);
    assert_int_equal(s.head.serial, 5); /* the list in force stays */
    assert_int_equal(kernel.applied, applied);
    take(e, &(struct list){ .epoch = 1, .serial = 7, .targets = { "203.0.113.8" } }, NOW);
    s = status(e, NOW);
    assert_int_equal(s.state, LAMP_SET_CONFIRMED);
    assert_int_equal(s.about.serial, 0);
    lamp_enforce_free(e);
}

static void test_never_list(void **state)
{
    (void)state;
    lamp_enforce *e = start(LAMP_ENFORCE_ON, NOW);
    const struct list l = { .epoch = 1,
                            .serial = 1,
                            .targets = { "127.0.0.1", "198.51.100.7", "203.0.113.7" } };
    assert_int_equal(send_list(e, &l, NOW), LAMP_OK);
    const struct lamp_set_status s = status(e, NOW);
    assert_int_equal(s.state, LAMP_SET_APPLIED);
    assert_int_equal(s.code, LAMP_EPROTECTED);
    assert_int_equal(s.n_refused_ids, 2);
    assert_int_equal(s.refused_ids[0], 1);
    assert_int_equal(s.refused_ids[1], 2);
    assert_int_equal(timeout_of("203.0.113.7"), 7200);
    assert_false(holds("198.51.100.7"));
    assert_true(holds("198.51.100.0/24")); /* in never4 */

    /* The aggregator's address becomes known: a block of it goes. */
    struct lamp_msg m = { .type = LAMP_MSG_LOCAL_STATE,
                          .u.local_state = { .has_addr = true, .session_up = true } };
    assert_int_equal(lamp_addr_parse("203.0.113.7", &m.u.local_state.aggregator_addr), LAMP_OK);
    assert_int_equal(send(e, &m, NOW), LAMP_OK);
    assert_null(model_find(&kernel, "outhost4", "203.0.113.7"));
    assert_non_null(model_find(&kernel, "never4", "203.0.113.7"));
    assert_int_equal(status(e, NOW).n_refused_ids, 3);
    lamp_enforce_free(e);
}

static void test_restart(void **state)
{
    (void)state;
    lamp_enforce *e = start(LAMP_ENFORCE_ON, NOW);
    take(e, &(struct list){ .epoch = 2, .serial = 9, .ttl_s = 3600, .targets = { "203.0.113.7" } },
         NOW);
    lamp_enforce_free(e);

    e = start(LAMP_ENFORCE_ON, NOW + HOUR / 2); /* what is left of it */
    assert_int_equal(status(e, NOW + HOUR / 2).state, LAMP_SET_CONFIRMED);
    assert_int_equal(timeout_of("203.0.113.7"), 1800);
    const struct list older = { .epoch = 2, .serial = 8, .targets = { "203.0.113.9" } };
    assert_int_equal(send_list(e, &older, NOW + HOUR / 2), LAMP_ESERIAL);
    lamp_enforce_free(e);

    e = start(LAMP_ENFORCE_ON, NOW - 24 * HOUR); /* the clock lost its battery */
    assert_int_equal(timeout_of("203.0.113.7"), 600);
    run_for(e, NOW - 24 * HOUR, 700); /* and it does not begin anew */
    assert_false(holds("203.0.113.7"));
    lamp_enforce_free(e);

    e = start(LAMP_ENFORCE_ON, NOW + 3 * HOUR);
    assert_int_equal(status(e, NOW + 3 * HOUR).state, LAMP_SET_EXPIRED);
    assert_false(holds("203.0.113.7"));
    assert_int_equal(send_list(e, &older, NOW), LAMP_ESERIAL); /* the serial outlives it */
    lamp_enforce_free(e);
}

/* Ended between the two durable files: the list that was in force is in force again, the next
 * one is taken, and none older than that. */
static void test_crash_between_files(void **state)
{
    (void)state;
    lamp_enforce *e = start(LAMP_ENFORCE_ON, NOW);
    struct list l = { .epoch = 1, .serial = 5, .targets = { "203.0.113.7" } };
    take(e, &l, NOW);
    lamp_enforce_free(e);
    char path[128];
    snprintf(path, sizeof(path), "%s/block.high", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("1 6 0 0\n", f);
    fclose(f);

    e = start(LAMP_ENFORCE_ON, NOW);
    assert_int_equal(status(e, NOW).state, LAMP_SET_CONFIRMED);
    assert_true(holds("203.0.113.7"));
    assert_int_equal(send_list(e, &l, NOW), LAMP_ESERIAL);
    l.serial = 6;
    l.targets[0] = "203.0.113.8";
    assert_int_equal(send_list(e, &l, NOW), LAMP_OK);
    assert_true(holds("203.0.113.8"));
    lamp_enforce_free(e);
}

/* The clock jumps ahead and is set right again: blocks hold; and each session is told the state. */
static void test_clock_jump_and_new_session(void **state)
{
    (void)state;
    lamp_enforce *e = start(LAMP_ENFORCE_ON, NOW);
    take(e, &(struct list){ .epoch = 1, .serial = 1, .targets = { "203.0.113.7" } }, NOW);
    lamp_enforce_tick(e, NOW + 24 * HOUR);
    assert_int_equal(status(e, NOW + 24 * HOUR).state, LAMP_SET_EXPIRED);
    lamp_enforce_tick(e, NOW + SECOND);
    assert_int_equal(status(e, NOW + SECOND).state, LAMP_SET_CONFIRMED);
    assert_true(holds("203.0.113.7"));

    struct lamp_set_status s;
    assert_false(lamp_enforce_status(e, NOW + 2 * SECOND, &s));
    const struct lamp_msg m = { .type = LAMP_MSG_LOCAL_STATE, .u.local_state.session_up = true };
    assert_int_equal(send(e, &m, NOW + 2 * SECOND), LAMP_OK);
    assert_true(lamp_enforce_status(e, NOW + 2 * SECOND, &s));
    lamp_enforce_free(e);
}

static void set_flag(bool on)
{
    char flag[128];
    snprintf(flag, sizeof(flag), "%s/off", dir);
    if (!on) {
        assert_int_equal(unlink(flag), 0);
        return;
    }
    FILE *f = fopen(flag, "w");
    assert_non_null(f);
    fclose(f);
}

static void test_expiry_kernel_refusal_panic(void **state)
{
    (void)state;
    lamp_enforce *e = start(LAMP_ENFORCE_ON, NOW);
    kernel.refuse = true;
    const struct list l = { .epoch = 1, .serial = 1, .targets = { "203.0.113.7" } };
    assert_int_equal(send_list(e, &l, NOW), LAMP_EKERNEL);
    assert_int_equal(status(e, NOW).code, LAMP_EKERNEL);
    kernel.refuse = false;
    uint64_t now = run_for(e, NOW, 2); /* tries again by itself */
    assert_int_equal(status(e, now).state, LAMP_SET_APPLIED);
    answer_came(e, now);
    assert_int_equal(status(e, now).state, LAMP_SET_CONFIRMED);

    set_flag(true);
    now = run_for(e, now, 1);
    assert_int_equal(status(e, now).state, LAMP_SET_OFF);
    assert_false(kernel.table);
    set_flag(false);
    now = run_for(e, now, 1);
    assert_int_equal(status(e, now).state, LAMP_SET_CONFIRMED);
    assert_true(holds("203.0.113.7"));

    kernel.now_us = NOW + 2 * HOUR + 1;
    lamp_enforce_tick(e, NOW + 2 * HOUR + 1);
    assert_int_equal(status(e, NOW + 2 * HOUR).state, LAMP_SET_EXPIRED);
    assert_false(holds("203.0.113.7"));
    lamp_enforce_free(e);
}

/* ---- commit-confirm ---- */

static void test_roll_back(void **state)
{
    (void)state;
    lamp_enforce *e = start(LAMP_ENFORCE_ON, NOW);
    take(e, &(struct list){ .epoch = 1, .serial = 1, .targets = { "203.0.113.1" } }, NOW);
    const struct list cuts_us = { .epoch = 1, .serial = 2, .targets = { "203.0.113.2" } };
    assert_int_equal(send_list(e, &cuts_us, NOW), LAMP_OK);
    struct lamp_set_status s = status(e, NOW);
    assert_int_equal(s.state, LAMP_SET_APPLIED);

    /* An answer to a question from before it was in force proves nothing. */
    struct lamp_msg m = { .type = LAMP_MSG_LOCAL_ANSWER };
    m.u.local_answer.have = lamp_enforce_head(e, LAMP_SET_BLOCK);
    m.u.local_answer.have.serial = 1;
    assert_int_equal(send(e, &m, NOW), LAMP_OK);
    uint64_t now = run_for(e, NOW, CONFIRM_S - 1);
    assert_true(holds("203.0.113.2"));
    now = run_for(e, now, 1);
    s = status(e, now);
    assert_int_equal(s.state, LAMP_SET_ROLLED_BACK);
    assert_int_equal(s.code, LAMP_ETIMEOUT);
    assert_int_equal(s.head.serial, 1);
    assert_int_equal(s.about.serial, 2);
    assert_false(holds("203.0.113.2"));
    assert_true(holds("203.0.113.1"));
    assert_int_equal(send_list(e, &cuts_us, now), LAMP_EREJECTED);
    lamp_enforce_free(e);

    e = start(LAMP_ENFORCE_ON, now); /* nor after a restart */
    assert_true(holds("203.0.113.1"));
    assert_int_equal(send_list(e, &cuts_us, now), LAMP_EREJECTED);
    take(e, &(struct list){ .epoch = 1, .serial = 3, .targets = { "203.0.113.3" } }, now);
    now = run_for(e, now, 3 * CONFIRM_S);
    assert_true(holds("203.0.113.3"));
    lamp_enforce_free(e);
}

/* The first list of all cuts the way: nothing is what is gone back to. */
static void test_roll_back_first(void **state)
{
    (void)state;
    lamp_enforce *e = start(LAMP_ENFORCE_ON, NOW);
    const struct list l = { .epoch = 1, .serial = 1, .targets = { "203.0.113.2" } };
    assert_int_equal(send_list(e, &l, NOW), LAMP_OK);
    const uint64_t now = run_for(e, NOW, CONFIRM_S);
    const struct lamp_set_status s = status(e, now);
    assert_int_equal(s.state, LAMP_SET_ROLLED_BACK);
    assert_int_equal(s.head.serial, 0);
    assert_false(holds("203.0.113.2"));
    lamp_enforce_free(e);
    e = start(LAMP_ENFORCE_ON, now);
    assert_int_equal(status(e, now).state, LAMP_SET_EMPTY);
    lamp_enforce_free(e);
}

/* What drops nothing cuts nothing. */
static void test_no_roll_back_in_dry_run(void **state)
{
    (void)state;
    lamp_enforce *e = start(LAMP_ENFORCE_DRY_RUN, NOW);
    const struct list l = { .epoch = 1, .serial = 1, .targets = { "203.0.113.2" } };
    assert_int_equal(send_list(e, &l, NOW), LAMP_OK);
    run_for(e, NOW, 3 * CONFIRM_S);
    assert_true(holds("203.0.113.2"));
    assert_null(strstr(kernel.rules, "drop"));
    assert_int_equal(cuts.calls, 0);
    assert_int_equal(status(e, NOW).state, LAMP_SET_CONFIRMED);
    lamp_enforce_free(e);
}

/* ---- transactions ---- */

/* A small change touches what changes; a large one is a whole table; both are one transaction. */
static void test_changes(void **state)
{
    (void)state;
    lamp_enforce *e = start(LAMP_ENFORCE_ON, NOW);
    take(e, &(struct list){ .epoch = 1, .serial = 1, .many = 1000 }, NOW);
    unsigned applied = kernel.applied, whole = kernel.whole;
    assert_int_equal(cuts.calls, 1);
    model_find(&kernel, NULL, "192.0.0.5")->packets = 7;
    model_find(&kernel, NULL, "192.0.0.6")->packets = 8;
    /* One more, and all of them live a second longer: only the one is touched. */
    const struct list more = { .epoch = 1,
                               .serial = 2,
                               .many = 1000,
                               .targets = { "203.0.113.7", "203.0.113.8 3333" },
                               .expires_us = NOW + 2 * HOUR + SECOND };
    take(e, &more, NOW + SECOND);
    assert_int_equal(kernel.applied, applied + 1);
    assert_int_equal(kernel.whole, whole);
    assert_true(holds("203.0.113.7") && holds("203.0.113.8 . 6 . 3333"));
    assert_true(holds("203.0.113.8 . 17 . 3333"));
    assert_int_equal(model_find(&kernel, NULL, "192.0.0.5")->packets, 7);
    assert_int_equal(cuts.calls, 2);
    assert_true(cuts.covers);
    assert_int_equal(status(e, NOW + SECOND).flows_cut, 3);

    /* Some go. Nothing new: nothing to cut. */
    take(e, &(struct list){ .epoch = 1, .serial = 3, .many = 990 }, NOW + 2 * SECOND);
    assert_int_equal(kernel.applied, applied + 2);
    assert_int_equal(kernel.whole, whole);
    assert_int_equal(cuts.calls, 2);
    assert_false(holds("203.0.113.7"));
    /* Many go. */
    take(e, &(struct list){ .epoch = 1, .serial = 4, .many = 10 }, NOW + 3 * SECOND);
    assert_int_equal(kernel.applied, applied + 3);
    assert_int_equal(kernel.whole, whole + 1);

    /* Counts outlive both kinds of change. */
    struct lamp_set_status s = status(e, NOW + 3 * SECOND);
    assert_int_equal(s.n_hits, 2);
    assert_int_equal(s.hits[0].id, 6);
    assert_int_equal(s.hits[0].packets, 7);
    assert_int_equal(s.hits[1].bytes, 480);
    lamp_enforce_free(e);
}

/* Elements are renewed when half their life is over, so that they outlive the list before. */
static void test_renewal(void **state)
{
    (void)state;
    lamp_enforce *e = start(LAMP_ENFORCE_ON, NOW);
    struct list l = { .epoch = 1, .serial = 1, .many = 200, .expires_us = NOW + 2 * HOUR };
    take(e, &l, NOW);
    uint64_t now = NOW + HOUR + SECOND;
    l.serial = 2;
    l.expires_us = now + 2 * HOUR;
    take(e, &l, now);
    assert_int_equal(timeout_of("192.0.0.9"), 7200);
    /* A shorter life than the kernel knows is taken at once. */
    l.serial = 3;
    l.ttl_s = 100;
    take(e, &l, now);
    assert_int_equal(timeout_of("192.0.0.9"), 100);
    now = run_for(e, now, 99);
    assert_true(holds("192.0.0.9"));
    now = run_for(e, now, 2);
    assert_false(holds("192.0.0.9"));
    now = run_for(e, now, 20);
    assert_int_equal(status(e, now).repairs, 0); /* that they are gone is as it should be */
    lamp_enforce_free(e);
}

/* ---- drift ---- */

static void spoil_flush(void)
{
    kernel.n = 0;
}
static void spoil_table(void)
{
    kernel.n = 0;
    kernel.table = false;
}
static void spoil_rules(void)
{
    kernel.rules[10] ^= 1;
}
static void spoil_one(void)
{
    *model_find(&kernel, NULL, "203.0.113.7") = kernel.v[--kernel.n];
}
static void spoil_foreign(void)
{
    assert_true(model_one(&kernel, "outhost4", "8.8.8.8 timeout 60s", true));
}
static void spoil_never(void)
{
    *model_find(&kernel, "never4", "198.51.100.0/24") = kernel.v[--kernel.n];
}
static void spoil_timeout(void)
{
    model_find(&kernel, NULL, "203.0.113.7")->timeout_s = 99999;
}

static void test_repairs(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        void (*spoil)(void);
    } cases[] = {
        { "sets flushed", spoil_flush },        { "table deleted", spoil_table },
        { "a rule changed", spoil_rules },      { "an element deleted", spoil_one },
        { "a foreign element", spoil_foreign }, { "the never list changed", spoil_never },
        { "a longer timeout", spoil_timeout },
    };
    lamp_enforce *e = start(LAMP_ENFORCE_ON, NOW);
    take(e, &(struct list){ .epoch = 1, .serial = 1, .targets = { "203.0.113.7", "203.0.113.8" } },
         NOW);
    uint64_t now = run_for(e, NOW, 30);
    assert_int_equal(status(e, now).repairs, 0);
    char *rules = strdup(kernel.rules);
    const size_t n = kernel.n;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cases[i].spoil();
        now = run_for(e, now, 10);
        const struct lamp_set_status s = status(e, now);
        if (s.repairs != i + 1 || !kernel.table || kernel.n != n || !streq(kernel.rules, rules) ||
            !holds("203.0.113.7") || holds("8.8.8.8"))
            fail_msg("%s: not repaired", cases[i].label);
        assert_int_equal(s.state, LAMP_SET_CONFIRMED);
    }
    free(rules);
    lamp_enforce_free(e);
}

/* ---- hits ---- */

static void test_hits(void **state)
{
    (void)state;
    lamp_enforce *e = start(LAMP_ENFORCE_DRY_RUN, NOW);
    struct list l = { .epoch = 1, .serial = 1, .targets = { "203.0.113.7", "203.0.113.8 53" } };
    take(e, &l, NOW);
    (void)status(e, NOW);
    model_find(&kernel, NULL, "203.0.113.8 . 17 . 53")->packets = 5;
    model_find(&kernel, NULL, "203.0.113.8 . 6 . 53")->packets = 2;
    uint64_t now = run_for(e, NOW, 11);
    struct lamp_set_status s = status(e, now);
    assert_int_equal(s.elements, 3);
    assert_int_equal(s.n_hits, 1);
    assert_int_equal(s.hits[0].id, 2);
    assert_int_equal(s.hits[0].packets, 7);
    assert_false(lamp_enforce_status(e, now, &s));
    assert_true(lamp_enforce_status(e, now + HOUR / 12, &s));

    /* Somebody removes the table: what it had counted since the last look is lost, the rest not. */
    spoil_table();
    now = run_for(e, now, 10);
    model_find(&kernel, NULL, "203.0.113.8 . 17 . 53")->packets = 3;
    now = run_for(e, now, 10);
    assert_int_equal(status(e, now).hits[0].packets, 10);
    lamp_enforce_free(e);
}

/* ---- names ---- */

static int say(lamp_enforce *e, const char *name, const char *addr, const char *server,
               uint64_t now_us)
{
    struct lamp_local_name n = { .name = lamp_bytes_of(name), .ttl_s = 600 };
    assert_int_equal(lamp_addr_parse(addr, &n.addr), LAMP_OK);
    assert_int_equal(lamp_addr_parse(server, &n.server), LAMP_OK);
    const struct lamp_msg m = { .type = LAMP_MSG_LOCAL_NAMES, .u.local_names = { &n, 1 } };
    return send(e, &m, now_us);
}

static void test_names(void **state)
{
    (void)state;
    struct lamp_local_names wanted;
    lamp_enforce *e = start(LAMP_ENFORCE_ON, NOW);
    assert_true(lamp_enforce_names(e, NOW, &wanted)); /* capture may know of names from before */
    assert_int_equal(wanted.n_names, 0);
    assert_false(lamp_enforce_names(e, NOW + HOUR, &wanted));
    const struct list l = { .epoch = 1,
                            .serial = 1,
                            .targets = { "name pool.example", "203.0.113.9" } };
    take(e, &l, NOW);
    assert_true(lamp_enforce_names(e, NOW, &wanted));
    assert_int_equal(wanted.n_names, 1);
    assert_true(lamp_bytes_eq(wanted.names[0].name, "pool.example"));
    assert_false(lamp_enforce_names(e, NOW + SECOND, &wanted));
    assert_true(lamp_enforce_names(e, NOW + 11 * SECOND, &wanted)); /* capture may be a new one */

    static const struct {
        const char *name, *addr, *server;
        bool want;
    } cases[] = {
        { "pool.example", "203.0.113.50", "192.0.2.53", true },
        { "eu.pool.example", "203.0.113.51", "192.0.2.53", true },
        { "pool.example", "2001:db8::50", "192.0.2.53", true },
        { "pool.example", "203.0.113.52", "192.0.2.54", false }, /* some server */
        { "other.example", "203.0.113.53", "192.0.2.53", false },
        { "pool.example", "198.51.100.9", "192.0.2.53", false }, /* on the never list */
        { "pool.example", "10.9.9.9", "192.0.2.53", false },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(say(e, cases[i].name, cases[i].addr, cases[i].server, NOW), LAMP_OK);
    const unsigned applied = kernel.applied;
    uint64_t now = run_for(e, NOW, 1);
    assert_int_equal(kernel.applied, applied + 1); /* together */
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (holds(cases[i].addr) != cases[i].want)
            fail_msg("%s by %s: not %d", cases[i].addr, cases[i].server, cases[i].want);
    assert_int_equal(timeout_of("203.0.113.50"), 599);
    now = run_for(e, now, 10);
    lamp_enforce_free(e);

    e = start(LAMP_ENFORCE_ON, now); /* programs will not ask DNS again because we restarted */
    assert_true(holds("203.0.113.51"));
    now = run_for(e, now, 600);
    assert_false(holds("203.0.113.51"));
    lamp_enforce_free(e);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_refused),
        TEST(test_never_list),
        TEST(test_restart),
        TEST(test_crash_between_files),
        TEST(test_clock_jump_and_new_session),
        TEST(test_expiry_kernel_refusal_panic),
        TEST(test_roll_back),
        TEST(test_roll_back_first),
        TEST(test_no_roll_back_in_dry_run),
        TEST(test_changes),
        TEST(test_renewal),
        TEST(test_repairs),
        TEST(test_hits),
        TEST(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
