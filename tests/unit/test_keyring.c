/* SPDX-License-Identifier: Apache-2.0 */
/* Who may connect: every way in and out, over every store. */
#include "aggregator/writer/keyring.h"

#include "tests/support/aggregator.h"

#include <sqlite3.h>
#include <zmq.h>

enum { OVERLAP_S = 100 };

#define SECOND UINT64_C(1000000)

struct fixture {
    char *folder;
    lamp_store *store;
    lamp_allow *allow;
    lamp_keyring *ring;
    uint64_t now_us;
    struct lamp_command_result result;
    char lost[8][65];
    size_t n_lost;
};

static void open_all(struct fixture *f)
{
    f->store = open_store("sqlite", f->folder, false);
    assert_int_equal(lamp_allow_new(&f->allow), LAMP_OK);
    ok(f->store, lamp_keyring_load(f->store, f->allow));
    ok(f->store, lamp_keyring_new(f->store, f->allow, OVERLAP_S, &f->ring));
}

static void close_all(struct fixture *f)
{
    lamp_keyring_free(f->ring);
    lamp_allow_free(f->allow);
    lamp_store_close(f->store);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->folder = new_folder();
    f->now_us = TEST_NOW_US;
    open_all(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    close_all(f);
    remove_folder(f->folder);
    free(f->folder);
    free(f);
    return 0;
}

static void note_lost(const char *sensor, void *arg)
{
    struct fixture *f = arg;
    assert_true(f->n_lost < ARRAY_LEN(f->lost));
    snprintf(f->lost[f->n_lost++], sizeof(f->lost[0]), "%s", sensor);
}

static void commit(struct fixture *f)
{
    ok(f->store, lamp_store_commit(f->store));
    f->n_lost = 0;
    lamp_keyring_committed(f->ring, note_lost, f);
}

/* The 32 bytes of a key, and its text. */
static void raw_key(unsigned n, uint8_t out[LAMP_WIRE_KEY_LEN])
{
    memset(out, 0, LAMP_WIRE_KEY_LEN);
    out[0] = (uint8_t)n;
    out[31] = 1;
}

static const char *key(unsigned n)
{
    static char text[4][LAMP_KEY_Z85];
    static unsigned turn;
    uint8_t raw[LAMP_WIRE_KEY_LEN];
    raw_key(n, raw);
    return zmq_z85_encode(text[turn++ % 4], raw, sizeof(raw));
}

static int command(struct fixture *f, struct lamp_command c)
{
    if (!*c.actor)
        snprintf(c.actor, sizeof(c.actor), "admin");
    f->result = (struct lamp_command_result){ 0 };
    ok(f->store, lamp_store_begin(f->store));
    const int err = lamp_keyring_command(f->ring, &c, f->now_us, &f->result);
    if (err == LAMP_ESTORE)
        fail_msg("%s", lamp_store_why(f->store));
    assert_int_equal(err == LAMP_OK, f->result.why[0] == '\0');
    commit(f);
    return err;
}

static struct lamp_command with(enum lamp_command_kind kind, unsigned n, const char *site,
                                const char *name)
{
    struct lamp_command c = { .kind = kind, .ttl_s = 900 };
    snprintf(c.key, sizeof(c.key), "%s", n ? key(n) : "");
    snprintf(c.site, sizeof(c.site), "%s", site);
    snprintf(c.name, sizeof(c.name), "%s", name);
    return c;
}

static int admit(struct fixture *f, unsigned n, const char *site, const char *name)
{
    return command(f, with(LAMP_CMD_ADMIT, n, site, name));
}

static int make_token(struct fixture *f, uint8_t secret, const char *site, const char *name)
{
    struct lamp_command c = with(LAMP_CMD_TOKEN, 0, site, name);
    c.digest[0] = secret;
    return command(f, c);
}

static int enroll(struct fixture *f, unsigned n, uint8_t secret, const char *name)
{
    struct lamp_command c = with(LAMP_CMD_ENROLL, n, "", name);
    c.digest[0] = secret;
    return command(f, c);
}

static int by_id(struct fixture *f, enum lamp_command_kind kind, int64_t id)
{
    return command(f, (struct lamp_command){ .kind = kind, .key_id = id });
}

static bool may_connect(struct fixture *f, unsigned n)
{
    struct lamp_allowed who;
    return lamp_allow_find(f->allow, key(n), &who) == LAMP_OK;
}

static bool is_enrolled(struct fixture *f, const char *sensor)
{
    struct lamp_store_sensor s;
    ok(f->store, lamp_store_begin(f->store));
    const int err = lamp_store_sensor(f->store, sensor, &s);
    ok(f->store, lamp_store_commit(f->store));
    return err == LAMP_OK;
}

static bool use(struct fixture *f, unsigned n)
{
    bool replace;
    ok(f->store, lamp_store_begin(f->store));
    ok(f->store, lamp_keyring_used(f->ring, key(n), f->now_us, &replace));
    commit(f);
    return replace;
}

static enum lamp_key_order next(struct fixture *f, unsigned now, unsigned next)
{
    enum lamp_key_order order;
    uint8_t raw[LAMP_WIRE_KEY_LEN];
    raw_key(next, raw);
    ok(f->store, lamp_store_begin(f->store));
    ok(f->store, lamp_keyring_next(f->ring, key(now), raw, f->now_us, &order));
    commit(f);
    return order;
}

static void expire(struct fixture *f)
{
    ok(f->store, lamp_store_begin(f->store));
    ok(f->store, lamp_keyring_expire(f->ring, f->now_us));
    commit(f);
}

/* ---- tests ---- */

static void test_admit(void **state)
{
    struct fixture *f = *state;
    const struct {
        const char *label;
        unsigned n;
        const char *site, *name;
        int want;
    } cases[] = {
        { "a new one", 1, "north", "s1", LAMP_OK },
        { "the same again", 1, "north", "s1", LAMP_OK },
        { "another name", 1, "north", "s2", LAMP_EEXIST },
        { "another site", 1, "south", "s1", LAMP_EEXIST },
        { "a name of another site", 2, "south", "s1", LAMP_ESITE },
        { "no name", 2, "south", "", LAMP_EINVAL },
        { "a bad site", 2, "so/uth", "s2", LAMP_ESITE },
        { "no key", 0, "south", "s2", LAMP_EINVAL },
        { "another sensor", 2, "south", "s2", LAMP_OK },
        { "a second key", 3, "south", "s2", LAMP_OK },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const int got = admit(f, cases[i].n, cases[i].site, cases[i].name);
        if (got != cases[i].want)
            fail_msg("%s: %s (%s)", cases[i].label, lamp_strerror(got), f->result.why);
    }
    assert_true(may_connect(f, 1) && may_connect(f, 2) && may_connect(f, 3));
    assert_true(is_enrolled(f, "s1") && is_enrolled(f, "s2"));
    assert_int_equal(admit(f, 4, "south", "s2"), LAMP_OK); /* two at a time: the oldest goes */
    assert_true(may_connect(f, 4) && may_connect(f, 3) && !may_connect(f, 2));
}

static void test_token(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(make_token(f, 1, "north", ""), LAMP_OK);
    assert_int_equal(f->result.expires_us, f->now_us + 900 * SECOND);
    assert_int_equal(make_token(f, 2, "north", "s1"), LAMP_OK);
    assert_int_equal(make_token(f, 3, "north", ""), LAMP_OK);
    assert_int_equal(make_token(f, 4, "", ""), LAMP_ESITE);

    assert_int_equal(enroll(f, 1, 99, "s1"), LAMP_EAUTH); /* nobody made that one */
    assert_int_equal(enroll(f, 1, 1, "bad name"), LAMP_EINVAL);
    assert_false(may_connect(f, 1));
    assert_int_equal(enroll(f, 1, 1, "s1"), LAMP_OK); /* what was refused did not use it up */
    assert_string_equal(f->result.site, "north");
    assert_string_equal(f->result.name, "s1");
    assert_true(may_connect(f, 1) && is_enrolled(f, "s1"));
    assert_int_equal(enroll(f, 2, 1, "s2"), LAMP_EAUTH); /* once */
    assert_int_equal(enroll(f, 1, 1, "s1"), LAMP_OK);    /* the answer was lost: asked again */

    /* Who may choose a name may not choose one that is taken; a token for the name may. */
    assert_int_equal(enroll(f, 2, 3, "s1"), LAMP_EEXIST);
    assert_int_equal(enroll(f, 2, 2, "whatever"), LAMP_OK);
    assert_string_equal(f->result.name, "s1");
    f->now_us += 901 * SECOND;
    assert_int_equal(enroll(f, 3, 3, "s3"), LAMP_EEXPIRED);
    assert_false(may_connect(f, 3));
}

static void test_reject(void **state)
{
    struct fixture *f = *state;
    struct lamp_allowed who;
    assert_int_equal(command(f, with(LAMP_CMD_REJECT, 1, "", "")), LAMP_OK);
    assert_int_equal(lamp_allow_known(f->allow, key(1), &who), LAMP_OK);
    assert_false(who.active);
    assert_int_equal(command(f, with(LAMP_CMD_REJECT, 1, "", "")), LAMP_OK);
    assert_int_equal(admit(f, 1, "north", "s1"), LAMP_OK); /* a second thought */
    assert_true(may_connect(f, 1));
    assert_int_equal(command(f, with(LAMP_CMD_REJECT, 1, "", "")), LAMP_EEXIST);
}

/* A revoked key is out at once, stays out over a restart, and no way leads it back in. */
static void test_revoke(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(admit(f, 1, "north", "s1"), LAMP_OK);
    const int64_t id = f->result.key_id;
    assert_int_equal(by_id(f, LAMP_CMD_REVOKE, id + 1), LAMP_ENOENT);
    assert_int_equal(by_id(f, LAMP_CMD_REVOKE, id), LAMP_OK);
    assert_int_equal(f->n_lost, 1);
    assert_string_equal(f->lost[0], "s1");
    close_all(f);
    open_all(f);
    assert_false(may_connect(f, 1));
    assert_false(is_enrolled(f, "s1"));
    assert_int_equal(by_id(f, LAMP_CMD_REVOKE, id), LAMP_ENOENT);
    assert_int_equal(admit(f, 1, "north", "s1"), LAMP_EREJECTED);
    assert_int_equal(make_token(f, 1, "north", ""), LAMP_OK);
    assert_int_equal(enroll(f, 1, 1, "s1"), LAMP_EREJECTED);
    assert_false(may_connect(f, 1));
    assert_int_equal(admit(f, 2, "south", "s1"), LAMP_OK); /* the name is free, at any site */
}

/* Of two keys one may be revoked; the sensor goes on with the other. */
static void test_revoke_one_of_two(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(admit(f, 1, "north", "s1"), LAMP_OK);
    const int64_t first = f->result.key_id;
    assert_int_equal(admit(f, 2, "north", "s1"), LAMP_OK);
    assert_int_equal(by_id(f, LAMP_CMD_REVOKE, first), LAMP_OK);
    assert_true(!may_connect(f, 1) && may_connect(f, 2) && is_enrolled(f, "s1"));
}

static void test_rotation(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(admit(f, 1, "north", "s1"), LAMP_OK);
    const int64_t id = f->result.key_id;
    assert_false(use(f, 1));
    assert_int_equal(next(f, 1, 2), LAMP_KEY_ORDER_REFUSED); /* too soon, and nobody asked */
    assert_int_equal(by_id(f, LAMP_CMD_ROTATE, id), LAMP_OK);
    assert_true(use(f, 1)); /* told again in each session until it is done */
    assert_int_equal(next(f, 1, 2), LAMP_KEY_ORDER_ACCEPTED);
    assert_int_equal(next(f, 1, 2), LAMP_KEY_ORDER_ACCEPTED); /* the answer was lost */
    assert_true(may_connect(f, 1) && may_connect(f, 2));

    /* Another next key takes the place of one that was never used. */
    assert_int_equal(next(f, 1, 3), LAMP_KEY_ORDER_ACCEPTED);
    assert_true(may_connect(f, 1) && !may_connect(f, 2) && may_connect(f, 3));

    /* The first session with the new key starts the clock of the old one. */
    assert_int_equal(lamp_keyring_due_us(f->ring), f->now_us + 86400 * SECOND);
    assert_false(use(f, 3));
    assert_int_equal(lamp_keyring_due_us(f->ring), f->now_us + OVERLAP_S * SECOND);
    assert_true(may_connect(f, 1) && may_connect(f, 3));
    assert_int_equal(next(f, 1, 4), LAMP_KEY_ORDER_REFUSED); /* not with the old one any more */
    f->now_us += OVERLAP_S * SECOND - 1;
    expire(f);
    assert_true(may_connect(f, 1));
    f->now_us += 1;
    expire(f);
    assert_true(!may_connect(f, 1) && may_connect(f, 3));
    assert_int_equal(f->n_lost, 1);
    assert_int_equal(lamp_keyring_due_us(f->ring), UINT64_MAX);
    assert_int_equal(next(f, 3, 1), LAMP_KEY_ORDER_REFUSED); /* an old key does not come back */

    close_all(f);
    open_all(f);
    assert_true(!may_connect(f, 1) && !may_connect(f, 2) && may_connect(f, 3));
}

/* A next key that no session ever used ends by itself, and the one in use stays. */
static void test_unused_next(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(admit(f, 1, "north", "s1"), LAMP_OK);
    assert_false(use(f, 1));
    f->now_us += OVERLAP_S * SECOND;
    assert_int_equal(next(f, 1, 2), LAMP_KEY_ORDER_ACCEPTED); /* of its own accord, by now */
    f->now_us = lamp_keyring_due_us(f->ring);
    expire(f);
    assert_true(may_connect(f, 1) && !may_connect(f, 2) && is_enrolled(f, "s1"));
}

/* A hostile sensor that rotates without end leaves a row for each overlap, no more, and cannot
 * take the key of another. */
static void test_hostile_rotation(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(admit(f, 1, "north", "s1"), LAMP_OK);
    assert_int_equal(admit(f, 200, "south", "s2"), LAMP_OK);
    assert_false(use(f, 1));
    assert_int_equal(next(f, 1, 200), LAMP_KEY_ORDER_REFUSED);
    f->now_us += OVERLAP_S * SECOND;
    for (unsigned n = 2; n < 100; n++)
        assert_int_equal(next(f, 1, n), LAMP_KEY_ORDER_ACCEPTED);
    assert_int_equal(lamp_allow_count(f->allow), 3);
    assert_false(use(f, 99));
    assert_int_equal(next(f, 99, 100), LAMP_KEY_ORDER_REFUSED);
    assert_int_equal(lamp_allow_count(f->allow), 3);
}

/* A transaction that fails changes nothing in memory. */
static void test_rollback(void **state)
{
    struct fixture *f = *state;
    const struct lamp_command c = with(LAMP_CMD_ADMIT, 1, "north", "s1");
    ok(f->store, lamp_store_begin(f->store));
    assert_int_equal(lamp_keyring_command(f->ring, &c, f->now_us, &f->result), LAMP_OK);
    assert_false(may_connect(f, 1)); /* not before the commit */
    lamp_store_rollback(f->store);
    lamp_keyring_dropped(f->ring);
    lamp_keyring_committed(f->ring, note_lost, f);
    assert_false(may_connect(f, 1));
}

struct trail {
    char text[2048];
};

static bool add_line(const struct lamp_audit_view *a, void *arg)
{
    struct trail *t = arg;
    const size_t n = strlen(t->text);
    snprintf(t->text + n, sizeof(t->text) - n, "%s %s %s\n", a->actor, a->action, a->object);
    return true;
}

/* What somebody does who has the database file. */
static void change(struct fixture *f, const char *sql)
{
    char path[256];
    sqlite3 *db = NULL;
    close_all(f);
    snprintf(path, sizeof(path), "%s/db", f->folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    open_all(f);
}

/* Every change has its row, and a row that is changed or taken away is noticed. */
static void test_audit(void **state)
{
    struct fixture *f = *state;
    struct trail t = { "" };
    int64_t bad = -1;
    assert_int_equal(make_token(f, 1, "north", ""), LAMP_OK);
    assert_int_equal(enroll(f, 1, 1, "s1"), LAMP_OK);
    assert_int_equal(by_id(f, LAMP_CMD_ROTATE, f->result.key_id), LAMP_OK);
    assert_int_equal(next(f, 1, 2), LAMP_KEY_ORDER_ACCEPTED);
    assert_int_equal(command(f, with(LAMP_CMD_REJECT, 9, "", "")), LAMP_OK);
    assert_int_equal(by_id(f, LAMP_CMD_REVOKE, 1), LAMP_OK);
    ok(f->store, lamp_store_audits(f->store, 100, add_line, &t));
    assert_string_equal(t.text, "admin key.revoke s1\n"
                                "admin key.reject \n"
                                "s1 key.next s1\n"
                                "admin key.rotate s1\n"
                                "token 1 key.enroll s1\n"
                                "admin token.create any name\n");
    ok(f->store, lamp_store_audit_check(f->store, &bad));
    assert_int_equal(bad, 0);
    static const struct {
        const char *change, *undo;
        int64_t bad;
    } cases[] = {
        { "UPDATE audit SET actor = 'eve' WHERE no = 3",
          "UPDATE audit SET actor = 'admin' WHERE no = 3", 3 },
        { "UPDATE audit SET at_us = at_us + 1 WHERE no = 1",
          "UPDATE audit SET at_us = at_us - 1 WHERE no = 1", 1 },
        { "DELETE FROM audit WHERE no = 6", "SELECT 1", 6 },
        { "DELETE FROM audit WHERE no = 2", "SELECT 1", 3 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        change(f, cases[i].change);
        ok(f->store, lamp_store_audit_check(f->store, &bad));
        if (bad != cases[i].bad)
            fail_msg("%s: says %lld", cases[i].change, (long long)bad);
        change(f, cases[i].undo);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_admit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_token, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reject, setup, teardown),
        cmocka_unit_test_setup_teardown(test_revoke, setup, teardown),
        cmocka_unit_test_setup_teardown(test_revoke_one_of_two, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rotation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unused_next, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile_rotation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rollback, setup, teardown),
        cmocka_unit_test_setup_teardown(test_audit, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
