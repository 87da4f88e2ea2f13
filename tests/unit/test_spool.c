/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/link/spool.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define NOW UINT64_C(1000)
#define DAY (UINT64_C(24) * 3600 * 1000000)

static char dir[64];

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/lamp-spool-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char cmd[128];
    snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
    return system(cmd);
}

static lamp_spool *open_spool(uint64_t quota, char damaged[PATH_MAX])
{
    char why[256], unused[PATH_MAX];
    lamp_spool *s = NULL;
    const int err =
        lamp_spool_open(dir, quota, 1700000000000000, &s, damaged ? damaged : unused, why);
    if (err)
        fail_msg("open: %s: %s", lamp_strerror(err), why);
    return s;
}

static uint64_t append(lamp_spool *s, size_t size)
{
    uint8_t *body = calloc(1, size);
    assert_non_null(body);
    const struct lamp_summary m = {
        .t_from_us = 10, .t_to_us = 20, .n_rows = 3, .n_bytes = 100, .batch = { body, size }
    };
    uint64_t seq = 0;
    assert_int_equal(lamp_spool_append(s, &(const struct lamp_summary *){ &m }, 1, &seq), LAMP_OK);
    free(body);
    return seq;
}

static size_t streams(lamp_spool *s, struct lamp_spool_stream out[8])
{
    size_t n = 0;
    assert_int_equal(lamp_spool_streams(s, out, 8, &n), LAMP_OK);
    return n;
}

static void test_append_read_ack(void **state)
{
    (void)state;
    lamp_spool *s = open_spool(1 << 20, NULL);
    struct lamp_spool_stream st[8];
    for (uint64_t i = 1; i <= 5; i++)
        assert_int_equal(append(s, 100), i);
    assert_int_equal(streams(s, st), 1);
    assert_true(st[0].current);
    assert_int_equal(st[0].last_seq, 5);

    assert_int_equal(lamp_spool_ack(s, &st[0].id, 7, NOW), LAMP_EPROTO);
    assert_int_equal(lamp_spool_ack(s, &st[0].id, 4, NOW), LAMP_OK);
    struct lamp_spool_record r;
    assert_int_equal(lamp_spool_read(s, &st[0].id, 4, &r), LAMP_OK);
    assert_int_equal(r.seq, 4);
    assert_int_equal(r.n_rows, 3);
    assert_int_equal(r.body_len, 100);
    free(r.body);
    assert_int_equal(lamp_spool_ack(s, &st[0].id, 6, NOW), LAMP_OK);
    assert_int_equal(lamp_spool_bytes(s), 0);
    assert_int_equal(lamp_spool_retained(s), 5 * 164);

    /* The aggregator lost what it had: all of it is still here. */
    assert_int_equal(lamp_spool_rewind(s, &st[0].id, 2), LAMP_OK);
    assert_int_equal(lamp_spool_bytes(s), 4 * 164);
    assert_int_equal(lamp_spool_read(s, &st[0].id, 2, &r), LAMP_OK);
    assert_int_equal(r.kind, LAMP_SPOOL_SUMMARY);
    assert_int_equal(r.seq, 2);
    free(r.body);

    /* A day later it is not, and the hole is declared. */
    assert_int_equal(lamp_spool_ack(s, &st[0].id, 6, NOW + DAY), LAMP_OK);
    assert_int_equal(lamp_spool_retained(s), 0);
    assert_int_equal(lamp_spool_rewind(s, &st[0].id, 2), LAMP_OK);
    assert_int_equal(lamp_spool_read(s, &st[0].id, 2, &r), LAMP_OK);
    assert_int_equal(r.kind, LAMP_SPOOL_LOSS);
    assert_int_equal(r.seq, 2);
    assert_int_equal(r.to_seq, 5);
    assert_int_equal(r.reason, LAMP_LOSS_AGG_RESTORE);
    free(r.body);
    lamp_spool_close(s);
}

/* Retained records stay within a quarter of the quota, and are the first to go at its end. */
static void test_retention(void **state)
{
    (void)state;
    lamp_spool *s = open_spool(20 * 1064, NULL);
    struct lamp_spool_stream st[8];
    for (int i = 0; i < 10; i++)
        (void)append(s, 1000);
    assert_int_equal(streams(s, st), 1);
    assert_int_equal(lamp_spool_ack(s, &st[0].id, 11, NOW), LAMP_OK);
    assert_int_equal(lamp_spool_retained(s), 5 * 1064);
    for (int i = 0; i < 18; i++)
        (void)append(s, 1000);
    assert_int_equal(lamp_spool_dropped(s), 0);
    assert_int_equal(lamp_spool_retained(s), 2 * 1064);
    assert_int_equal(lamp_spool_rewind(s, &st[0].id, 7), LAMP_OK); /* 9 and 10 are left */
    struct lamp_spool_record r;
    assert_int_equal(lamp_spool_read(s, &st[0].id, 7, &r), LAMP_OK);
    assert_int_equal(r.kind, LAMP_SPOOL_LOSS);
    assert_int_equal(r.to_seq, 8);
    free(r.body);
    assert_int_equal(lamp_spool_bytes(s), 20 * 1064);
    lamp_spool_close(s);
}

/* A finished stream is a stream again when the aggregator turns out to be another one. */
static void test_epoch_reopens(void **state)
{
    (void)state;
    struct lamp_spool_stream st[8];
    bool reopened;
    lamp_spool *s = open_spool(1 << 20, NULL);
    (void)append(s, 100);
    assert_int_equal(lamp_spool_epoch(s, 5, false, &reopened), LAMP_OK);
    assert_false(reopened);
    lamp_spool_close(s);
    s = open_spool(1 << 20, NULL);
    assert_int_equal(lamp_spool_known_epoch(s), 5);
    (void)append(s, 100);
    assert_int_equal(streams(s, st), 2);
    assert_int_equal(lamp_spool_ack(s, &st[0].id, 2, NOW), LAMP_OK);
    assert_int_equal(lamp_spool_finish(s, &st[0].id), LAMP_OK);
    assert_int_equal(streams(s, st), 1);
    assert_int_equal(lamp_spool_epoch(s, 5, false, &reopened), LAMP_OK);
    assert_false(reopened);
    assert_int_equal(lamp_spool_epoch(s, 6, false, &reopened), LAMP_OK);
    assert_true(reopened);
    assert_int_equal(streams(s, st), 2);
    assert_int_equal(st[0].last_seq, 1);
    lamp_spool_close(s);
}

/* A spool in memory leaves nothing in the folder, and a group is spooled whole or not at all. */
static void test_memory_only_and_groups(void **state)
{
    (void)state;
    char damaged[PATH_MAX], why[256], path[128];
    lamp_spool *s = NULL;
    assert_int_equal(lamp_spool_open(NULL, 1 << 20, NOW, &s, damaged, why), LAMP_OK);
    assert_true(lamp_spool_memory_only(s));
    const struct lamp_summary m = { .t_to_us = 20, .batch = { (const uint8_t *)"abc", 3 } };
    const struct lamp_summary *group[] = { &m, &m, &m };
    uint64_t last = 0;
    assert_int_equal(lamp_spool_append(s, group, 3, &last), LAMP_OK);
    assert_int_equal(last, 3);
    assert_int_equal(append(s, 10), 4);
    snprintf(path, sizeof(path), "%s/spool.db", dir);
    assert_int_equal(access(path, F_OK), -1);
    lamp_spool_close(s);
}

/* A process that is killed right after append returned has lost nothing. */
static void test_survives_kill(void **state)
{
    (void)state;
    const pid_t pid = fork();
    if (pid == 0) {
        char why[256], damaged[PATH_MAX];
        lamp_spool *s = NULL;
        uint64_t seq;
        const struct lamp_summary m = { .batch = { (const uint8_t *)"abc", 3 } };
        if (lamp_spool_open(dir, 1 << 20, 1, &s, damaged, why) != LAMP_OK)
            _exit(1);
        for (int i = 0; i < 3; i++)
            if (lamp_spool_append(s, &(const struct lamp_summary *){ &m }, 1, &seq) != LAMP_OK)
                _exit(1);
        kill(getpid(), SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));

    lamp_spool *s = open_spool(1 << 20, NULL);
    struct lamp_spool_stream st[8];
    assert_int_equal(streams(s, st), 2);
    assert_false(st[0].current);
    assert_int_equal(st[0].last_seq, 3);
    assert_int_equal(st[0].first_seq, 1);
    assert_true(st[1].current);
    assert_memory_not_equal(&st[0].id, &st[1].id, sizeof(st[0].id));
    assert_int_equal(append(s, 10), 1);
    assert_int_equal(lamp_spool_ack(s, &st[0].id, 4, NOW), LAMP_OK);
    assert_int_equal(lamp_spool_finish(s, &st[0].id), LAMP_OK);
    assert_int_equal(streams(s, st), 1);
    lamp_spool_close(s);
}

static void test_quota_declares_loss(void **state)
{
    (void)state;
    lamp_spool *s = open_spool(10 * 1064, NULL);
    struct lamp_spool_stream st[8];
    for (int i = 0; i < 25; i++)
        (void)append(s, 1000);
    assert_true(lamp_spool_bytes(s) <= 10 * 1064);
    assert_int_equal(lamp_spool_dropped(s), 15);
    assert_int_equal(streams(s, st), 1);
    struct lamp_spool_record r;
    assert_int_equal(lamp_spool_read(s, &st[0].id, 1, &r), LAMP_OK);
    assert_int_equal(r.kind, LAMP_SPOOL_LOSS);
    assert_int_equal(r.seq, 1);
    assert_int_equal(r.to_seq, 15);
    assert_int_equal(r.n_rows, 45);
    assert_int_equal(r.n_bytes, 1500);
    free(r.body);
    /* produced = declared lost + still spooled */
    for (uint64_t seq = 16; seq <= 25; seq++) {
        assert_int_equal(lamp_spool_read(s, &st[0].id, seq, &r), LAMP_OK);
        assert_int_equal(r.kind, LAMP_SPOOL_SUMMARY);
        assert_int_equal(r.seq, seq);
        free(r.body);
    }
    lamp_spool_close(s);
}

static void test_damaged_is_set_aside(void **state)
{
    (void)state;
    lamp_spool *s = open_spool(1 << 20, NULL);
    (void)append(s, 5000);
    lamp_spool_close(s);
    char path[128], damaged[PATH_MAX];
    snprintf(path, sizeof(path), "%s/spool.db", dir);
    const int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    static const char rubbish[200] = "this is no database";
    assert_int_equal(write(fd, rubbish, sizeof(rubbish)), (ssize_t)sizeof(rubbish));
    close(fd);

    s = open_spool(1 << 20, damaged);
    assert_non_null(strstr(damaged, "spool.db.damaged-1700000000"));
    assert_int_equal(access(damaged, F_OK), 0);
    assert_int_equal(append(s, 10), 1);
    lamp_spool_close(s);
}

static void test_damage_while_open(void **state)
{
    (void)state;
    lamp_spool *s = open_spool(1 << 24, NULL);
    struct lamp_spool_stream st[8];
    for (int i = 0; i < 40; i++) /* more than the database keeps in memory */
        (void)append(s, 100000);
    assert_int_equal(streams(s, st), 1);
    char path[128], damaged[PATH_MAX];
    snprintf(path, sizeof(path), "%s/spool.db", dir);
    uint8_t junk[4096];
    memset(junk, 0xa5, sizeof(junk));
    const int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    for (off_t at = 4096; at < 3000000; at += 4096)
        assert_int_equal(pwrite(fd, junk, sizeof(junk), at), (ssize_t)sizeof(junk));
    close(fd);
    int err = LAMP_OK;
    for (uint64_t seq = 1; !err && seq <= 40; seq++) {
        struct lamp_spool_record r = { .body = NULL };
        err = lamp_spool_read(s, &st[0].id, seq, &r);
        free(r.body);
    }
    assert_int_equal(err, LAMP_ESTORE);
    assert_true(lamp_spool_is_damaged(s));
    lamp_spool_close(s);
    s = open_spool(1 << 24, damaged);
    assert_string_not_equal(damaged, "");
    assert_false(lamp_spool_is_damaged(s));
    lamp_spool_close(s);
}

/* What could not be written is not there, and can be tried again: nothing is lost or doubled. */
static void test_full_disk(void **state)
{
    (void)state;
    lamp_spool *s = open_spool(1 << 20, NULL);
    assert_int_equal(append(s, 100), 1);
    struct rlimit was, none;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    none = (struct rlimit){ 0, was.rlim_max };
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    uint8_t body[100] = { 0 };
    const struct lamp_summary m = { .batch = { body, sizeof(body) } };
    uint64_t seq = 0;
    const int err = lamp_spool_append(s, &(const struct lamp_summary *){ &m }, 1, &seq);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    assert_int_equal(err, LAMP_ESTORE);
    assert_non_null(strstr(lamp_spool_error(s), "disk"));
    assert_int_equal(append(s, 100), 2);
    assert_int_equal(lamp_spool_bytes(s), 2 * (100 + 64));
    struct lamp_spool_stream st[8];
    assert_int_equal(streams(s, st), 1);
    assert_int_equal(st[0].last_seq, 2);
    lamp_spool_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_append_read_ack, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retention, setup, teardown),
        cmocka_unit_test_setup_teardown(test_epoch_reopens, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory_only_and_groups, setup, teardown),
        cmocka_unit_test_setup_teardown(test_survives_kill, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quota_declares_loss, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_is_set_aside, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage_while_open, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
