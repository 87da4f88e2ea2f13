/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enforce/enforce.h"
#include "tests/support/test.h"

#include <sodium.h>

#define NOW 1700000000000000ULL
#define HOUR 3600000000ULL

/* A kernel of our own: keeps the last transaction, refuses on demand. */
struct fake {
    char *text;
    unsigned applied;
    bool refuse;
    char json[512];
};

static int fake_apply(void *arg, const char *commands, char why[LAMP_NFT_WHY])
{
    struct fake *f = arg;
    if (f->refuse) {
        snprintf(why, LAMP_NFT_WHY, "Error: no");
        return LAMP_EKERNEL;
    }
    free(f->text);
    f->text = strdup(commands);
    f->applied++;
    return LAMP_OK;
}

static int fake_list(void *arg, char **out)
{
    struct fake *f = arg;
    *out = strdup(f->json[0] ? f->json : "{\"nftables\":[]}");
    return LAMP_OK;
}

static struct fake kernel;
static char dir[64];
static uint8_t public_key[32], secret_key[64];

static lamp_enforce *start(enum lamp_enforce_mode mode, uint64_t now_us)
{
    static struct lamp_prefix never;
    assert_int_equal(lamp_prefix_parse("198.51.100.0/24", &never), LAMP_OK);
    struct lamp_enforce_cfg cfg = {
        .set = { .site = "north", .dir = dir },
        .mode = mode,
        .priority = -10,
        .never = &never,
        .n_never = 1,
        .root = "/nonexistent",
        .backend = { &kernel, fake_apply, fake_list },
    };
    memcpy(cfg.set.list_key, public_key, sizeof(public_key));
    lamp_enforce *e = NULL;
    assert_int_equal(lamp_enforce_new(&cfg, now_us, &e), LAMP_OK);
    return e;
}

static int setup(void **state)
{
    (void)state;
    memset(&kernel, 0, sizeof(kernel));
    snprintf(dir, sizeof(dir), "/tmp/lamp-enforce-XXXXXX");
    crypto_sign_keypair(public_key, secret_key);
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char cmd[128];
    snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
    free(kernel.text);
    return system(cmd);
}

/* What a list is made of; the defaults make a good one. */
struct list {
    const char *site;
    uint64_t epoch, serial, expires_us;
    const char *targets[4];
    uint32_t flags, count_off, ttl_s;
    bool bad_signature, bad_digest, lose_chunk;
};

static int send(lamp_enforce *e, const struct lamp_msg *m, uint64_t now_us)
{
    uint8_t *data;
    size_t len;
    assert_int_equal(lamp_msg_pack(m, &data, &len), LAMP_OK);
    const int err = lamp_enforce_message(e, (struct lamp_bytes){ data, len }, now_us);
    free(data);
    return err;
}

static int send_list(lamp_enforce *e, const struct list *l, uint64_t now_us)
{
    struct lamp_set_entry entries[4] = { 0 };
    size_t n = 0;
    for (; n < 4 && l->targets[n]; n++) {
        entries[n] =
            (struct lamp_set_entry){ .action = LAMP_SET_ADD, .ttl_s = l->ttl_s, .id = n + 1 };
        assert_int_equal(lamp_prefix_parse(l->targets[n], &entries[n].prefix), LAMP_OK);
    }
    struct lamp_set_manifest manifest = {
        .site = lamp_bytes_of(l->site ? l->site : "north"),
        .kind = LAMP_SET_BLOCK,
        .epoch = l->epoch,
        .serial = l->serial,
        .count = (uint32_t)n + l->count_off,
        .expires_us = l->expires_us ? l->expires_us : NOW + 2 * HOUR,
        .flags = l->flags,
    };
    if (lamp_set_digest(entries, n, manifest.digest) != LAMP_OK)
        memset(manifest.digest, 7, sizeof(manifest.digest));
    manifest.digest[0] ^= l->bad_digest;

    const struct lamp_nonce nonce = { { 1, 2, 3 } };
    const uint32_t chunks = n ? 1 : 0;
    struct lamp_msg m = { .type = LAMP_MSG_SET_BEGIN,
                          .u.set_begin = { nonce, LAMP_SET_BLOCK, LAMP_SET_FULL, 0, chunks } };
    int err = send(e, &m, now_us);
    if (!err && chunks && !l->lose_chunk) {
        m = (struct lamp_msg){ .type = LAMP_MSG_SET_CHUNK,
                               .u.set_chunk = { nonce, 0, entries, n } };
        err = send(e, &m, now_us);
    }
    if (err)
        return err;
    uint8_t *packed;
    size_t len;
    assert_int_equal(lamp_set_manifest_pack(&manifest, &packed, &len), LAMP_OK);
    m = (struct lamp_msg){ .type = LAMP_MSG_SET_END,
                           .u.set_end = { nonce, { packed, len }, { 0 } } };
    crypto_sign_detached(m.u.set_end.signature, NULL, packed, len, secret_key);
    m.u.set_end.signature[5] ^= l->bad_signature;
    err = send(e, &m, now_us);
    free(packed);
    return err;
}

static struct lamp_set_status status(lamp_enforce *e, uint64_t now_us)
{
    struct lamp_set_status s = { 0 };
    assert_true(lamp_enforce_status(e, now_us, &s));
    return s;
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        struct list list;
        int want;
    } cases[] = {
        { "bad signature", { .epoch = 1, .serial = 6, .bad_signature = true }, LAMP_ESIGNATURE },
        { "other site", { .site = "south", .epoch = 1, .serial = 6 }, LAMP_ESITE },
        { "old serial", { .epoch = 1, .serial = 4 }, LAMP_ESERIAL },
        { "same serial, other content",
          { .epoch = 1, .serial = 5, .targets = { "203.0.113.9" } },
          LAMP_ESERIAL },
        { "old epoch", { .epoch = 0, .serial = 99 }, LAMP_ESERIAL },
        { "expired", { .epoch = 1, .serial = 6, .expires_us = NOW - 1 }, LAMP_EEXPIRED },
        { "wrong digest",
          { .epoch = 1, .serial = 6, .bad_digest = true, .targets = { "203.0.113.9" } },
          LAMP_EDIGEST },
        { "wrong count", { .epoch = 1, .serial = 6, .count_off = 1 }, LAMP_EFORMAT },
        { "a part missing",
          { .epoch = 1, .serial = 6, .lose_chunk = true, .targets = { "203.0.113.9" } },
          LAMP_EFORMAT },
        { "overlap",
          { .epoch = 1, .serial = 6, .targets = { "203.0.113.0/24", "203.0.113.9" } },
          LAMP_EOVERLAP },
        { "not sorted",
          { .epoch = 1, .serial = 6, .targets = { "203.0.113.9", "203.0.113.8" } },
          LAMP_ECANON },
        { "too wide", { .epoch = 1, .serial = 6, .targets = { "203.0.0.0/16" } }, LAMP_EPOLICY },
        { "far too wide",
          { .epoch = 1, .serial = 6, .flags = LAMP_BLOCKSET_WIDE, .targets = { "203.0.0.0/12" } },
          LAMP_EPOLICY },
    };
    lamp_enforce *e = start(LAMP_ENFORCE_ON, NOW);
    const struct list good = { .epoch = 1, .serial = 5, .targets = { "203.0.113.7" } };
    assert_int_equal(send_list(e, &good, NOW), LAMP_OK);
    const unsigned applied = kernel.applied;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const int got = send_list(e, &cases[i].list, NOW);
        if (got != cases[i].want)
            fail_msg("%s: got %s", cases[i].label, lamp_strerror(got));
        const struct lamp_set_status s = status(e, NOW);
        assert_int_equal(s.state, LAMP_SET_REFUSED);
        assert_int_equal(s.code, cases[i].want);
        assert_int_equal(s.head.serial, 5); /* the list in force stays */
    }
    assert_int_equal(kernel.applied, applied);
    const struct list newer = {
        .epoch = 1, .serial = 6, .flags = LAMP_BLOCKSET_WIDE, .targets = { "203.0.0.0/16" }
    };
    assert_int_equal(send_list(e, &newer, NOW), LAMP_OK);
    assert_int_equal(status(e, NOW).state, LAMP_SET_APPLIED);
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
    assert_non_null(strstr(kernel.text, "203.0.113.7 timeout 7200s"));
    assert_null(strstr(kernel.text, "198.51.100.7"));

    /* The aggregator's address becomes known: a block of it goes. */
    struct lamp_msg m = { .type = LAMP_MSG_LOCAL_STATE,
                          .u.local_state = { .has_addr = true, .session_up = true } };
    assert_int_equal(lamp_addr_parse("203.0.113.7", &m.u.local_state.aggregator_addr), LAMP_OK);
    assert_int_equal(send(e, &m, NOW), LAMP_OK);
    assert_null(strstr(kernel.text, "203.0.113.7 timeout"));
    assert_int_equal(status(e, NOW).n_refused_ids, 3);
    lamp_enforce_free(e);
}

static void test_restart(void **state)
{
    (void)state;
    lamp_enforce *e = start(LAMP_ENFORCE_ON, NOW);
    const struct list l = { .epoch = 2, .serial = 9, .ttl_s = 3600, .targets = { "203.0.113.7" } };
    assert_int_equal(send_list(e, &l, NOW), LAMP_OK);
    lamp_enforce_free(e);

    e = start(LAMP_ENFORCE_ON, NOW + HOUR / 2); /* what is left of it */
    assert_int_equal(status(e, NOW + HOUR / 2).state, LAMP_SET_APPLIED);
    assert_non_null(strstr(kernel.text, "203.0.113.7 timeout 1800s"));
    const struct list older = { .epoch = 2, .serial = 8, .targets = { "203.0.113.9" } };
    assert_int_equal(send_list(e, &older, NOW + HOUR / 2), LAMP_ESERIAL);
    lamp_enforce_free(e);

    e = start(LAMP_ENFORCE_ON, NOW - 24 * HOUR); /* the clock lost its battery */
    assert_non_null(strstr(kernel.text, "203.0.113.7 timeout 600s"));
    lamp_enforce_free(e);

    e = start(LAMP_ENFORCE_ON, NOW + 3 * HOUR);
    assert_int_equal(status(e, NOW + 3 * HOUR).state, LAMP_SET_EXPIRED);
    assert_null(strstr(kernel.text, "203.0.113.7"));
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
    assert_int_equal(send_list(e, &l, NOW), LAMP_OK);
    lamp_enforce_free(e);
    char path[128];
    snprintf(path, sizeof(path), "%s/block.high", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("1 6\n", f);
    fclose(f);

    e = start(LAMP_ENFORCE_ON, NOW);
    assert_int_equal(status(e, NOW).state, LAMP_SET_APPLIED);
    assert_non_null(strstr(kernel.text, "203.0.113.7"));
    assert_int_equal(send_list(e, &l, NOW), LAMP_ESERIAL);
    l.serial = 6;
    l.targets[0] = "203.0.113.8";
    assert_int_equal(send_list(e, &l, NOW), LAMP_OK);
    assert_non_null(strstr(kernel.text, "203.0.113.8"));
    lamp_enforce_free(e);
}

/* The clock jumps ahead and is set right again: blocks hold; and each session is told the state. */
static void test_clock_jump_and_new_session(void **state)
{
    (void)state;
    lamp_enforce *e = start(LAMP_ENFORCE_ON, NOW);
    const struct list l = { .epoch = 1, .serial = 1, .targets = { "203.0.113.7" } };
    assert_int_equal(send_list(e, &l, NOW), LAMP_OK);
    lamp_enforce_tick(e, NOW + 24 * HOUR);
    assert_int_equal(status(e, NOW + 24 * HOUR).state, LAMP_SET_EXPIRED);
    lamp_enforce_tick(e, NOW + 1000000);
    assert_int_equal(status(e, NOW + 1000000).state, LAMP_SET_APPLIED);
    assert_non_null(strstr(kernel.text, "203.0.113.7"));

    struct lamp_set_status s;
    assert_false(lamp_enforce_status(e, NOW + 2000000, &s));
    const struct lamp_msg m = { .type = LAMP_MSG_LOCAL_STATE, .u.local_state.session_up = true };
    assert_int_equal(send(e, &m, NOW + 2000000), LAMP_OK);
    assert_true(lamp_enforce_status(e, NOW + 2000000, &s));
    lamp_enforce_free(e);
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
    lamp_enforce_tick(e, NOW + 11000000); /* tries again by itself */
    assert_int_equal(status(e, NOW).state, LAMP_SET_APPLIED);

    char flag[128];
    snprintf(flag, sizeof(flag), "%s/off", dir);
    FILE *f = fopen(flag, "w");
    assert_non_null(f);
    fclose(f);
    lamp_enforce_tick(e, NOW + 12000000);
    assert_int_equal(status(e, NOW).state, LAMP_SET_OFF);
    assert_null(strstr(kernel.text, "chain"));
    assert_int_equal(unlink(flag), 0);
    lamp_enforce_tick(e, NOW + 13000000);
    assert_int_equal(status(e, NOW).state, LAMP_SET_APPLIED);

    lamp_enforce_tick(e, NOW + 2 * HOUR + 1);
    assert_int_equal(status(e, NOW + 2 * HOUR).state, LAMP_SET_EXPIRED);
    assert_null(strstr(kernel.text, "203.0.113.7"));
    lamp_enforce_free(e);
}

static void test_hits(void **state)
{
    (void)state;
    lamp_enforce *e = start(LAMP_ENFORCE_DRY_RUN, NOW);
    struct list l = { .epoch = 1, .serial = 1, .targets = { "203.0.113.7", "203.0.113.8" } };
    assert_int_equal(send_list(e, &l, NOW), LAMP_OK);
    assert_null(strstr(kernel.text, " drop\n"));
    (void)status(e, NOW);
    snprintf(kernel.json, sizeof(kernel.json),
             "{\"nftables\":[{\"set\":{\"name\":\"outhost4\",\"elem\":[{\"elem\":{\"val\":"
             "\"203.0.113.8\",\"counter\":{\"packets\":5,\"bytes\":300}}}]}}]}");
    lamp_enforce_tick(e, NOW + 11000000);
    struct lamp_set_status s = status(e, NOW + 11000000);
    assert_int_equal(s.n_hits, 1);
    assert_int_equal(s.hits[0].id, 2);
    assert_int_equal(s.hits[0].packets, 5);
    assert_false(lamp_enforce_status(e, NOW + 12000000, &s));
    assert_true(lamp_enforce_status(e, NOW + 12000000 + HOUR / 12, &s));

    /* A new list means new counters in the kernel; what was counted is not lost. */
    l.serial = 2;
    assert_int_equal(send_list(e, &l, NOW + 12000000), LAMP_OK);
    s = status(e, NOW + 12000000);
    assert_int_equal(s.hits[0].packets, 5);
    lamp_enforce_tick(e, NOW + 23000000);
    s = status(e, NOW + 23000000);
    assert_int_equal(s.hits[0].packets, 10);
    lamp_enforce_free(e);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_never_list, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_crash_between_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clock_jump_and_new_session, setup, teardown),
        cmocka_unit_test_setup_teardown(test_expiry_kernel_refusal_panic, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hits, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
