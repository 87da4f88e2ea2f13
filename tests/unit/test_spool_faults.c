/* SPDX-License-Identifier: Apache-2.0 */
/* Every file call and every allocation of a spool's life fails in turn: the error is a code, what
 * was promised is there afterwards, and nothing is set aside that is not damaged. */
#include "sensor/link/spool.h"
#include "tests/support/aggregator.h"
#include "tests/support/faults/alloc.h"
#include "tests/support/faults/cut.h"
#include "tests/support/faults/disk.h"

#include <errno.h>

enum { BEFORE = 5, APPENDS = 3 };

static char *folder, base[128], work[128];

static int append(lamp_spool *s, uint8_t number)
{
    uint64_t last;
    const uint8_t body[40] = { number };
    const struct lamp_summary m = { .t_to_us = TEST_NOW_US,
                                    .n_bytes = number,
                                    .batch = { body, sizeof(body) } };
    return lamp_spool_append(s, &(const struct lamp_summary *){ &m }, 1, &last);
}

static int open_spool(lamp_spool **out)
{
    char damaged[PATH_MAX], why[256];
    const int err = lamp_spool_open(work, 1 << 20, TEST_NOW_US, out, damaged, why);
    if (damaged[0])
        fail_msg("set aside: %s", damaged);
    return err;
}

/* What one life of a spool was promised. */
struct promised {
    bool failed, acked;
    size_t n;
    uint8_t numbers[APPENDS];
};

/* Opens, appends, reads, acknowledges the old stream, goes back in it. */
static void live(struct promised *p)
{
    lamp_spool *s = NULL;
    *p = (struct promised){ .failed = open_spool(&s) != LAMP_OK };
    if (p->failed)
        return;
    for (uint8_t i = 0; i < APPENDS; i++) {
        if (append(s, 100 + i) == LAMP_OK)
            p->numbers[p->n++] = 100 + i;
        else
            p->failed = true;
    }
    struct lamp_spool_stream streams[8];
    struct lamp_spool_record r;
    size_t n = 0;
    p->failed |= lamp_spool_streams(s, streams, ARRAY_LEN(streams), &n) != LAMP_OK;
    if (n > 0) {
        if (lamp_spool_read(s, &streams[0].id, 1, &r) == LAMP_OK)
            free(r.body);
        else
            p->failed = true;
        p->acked = lamp_spool_ack(s, &streams[0].id, 4, TEST_NOW_US) == LAMP_OK;
        p->failed |= !p->acked;
    }
    lamp_spool_close(s);
}

/* Whether the record is in one of the streams. */
static bool holds(lamp_spool *s, const struct lamp_spool_stream *streams, size_t n, uint8_t number)
{
    for (size_t i = 0; i < n; i++) {
        for (uint64_t seq = 1; seq <= streams[i].last_seq; seq++) {
            struct lamp_spool_record r;
            assert_int_equal(lamp_spool_read(s, &streams[i].id, seq, &r), LAMP_OK);
            const bool same = r.body_len == 40 && r.body[0] == number && r.n_bytes == number;
            free(r.body);
            if (same)
                return true;
        }
    }
    return false;
}

static void check(const struct promised *p, const char *what, uint64_t at)
{
    lamp_spool *s = NULL;
    struct lamp_spool_stream streams[8];
    size_t n;
    if (open_spool(&s) != LAMP_OK || lamp_spool_streams(s, streams, ARRAY_LEN(streams), &n))
        fail_msg("%s %llu: the spool does not open any more", what, (unsigned long long)at);
    for (uint8_t i = 0; i < BEFORE; i++)
        if (!holds(s, streams, n, 1 + i))
            fail_msg("%s %llu: record %u is lost", what, (unsigned long long)at, 1 + i);
    for (size_t i = 0; i < p->n; i++)
        if (!holds(s, streams, n, p->numbers[i]))
            fail_msg("%s %llu: record %u was promised", what, (unsigned long long)at,
                     p->numbers[i]);
    if (p->acked && streams[0].next_seq != 4)
        fail_msg("%s %llu: an acknowledgement is forgotten", what, (unsigned long long)at);
    lamp_spool_close(s);
}

static int setup(void **state)
{
    (void)state;
    lamp_spool *s = NULL;
    folder = new_folder();
    snprintf(base, sizeof(base), "%s/base", folder);
    snprintf(work, sizeof(work), "%s/work", folder);
    assert_int_equal(mkdir(work, 0700), 0);
    assert_int_equal(open_spool(&s), LAMP_OK);
    for (uint8_t i = 0; i < BEFORE; i++)
        assert_int_equal(append(s, 1 + i), LAMP_OK);
    lamp_spool_close(s);
    assert_int_equal(copy_folder(work, base), LAMP_OK);
    disk_watch(work, -1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    remove_folder(folder);
    free(folder);
    return 0;
}

static void test_file_calls(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        int error;
        bool all;
    } ways[] = {
        { "one call fails, number", EIO, false },
        { "the disk fails from call", EIO, true },
        { "the disk is full from call", ENOSPC, true },
    };
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        uint64_t n = 0, calls;
        do {
            struct promised p;
            assert_int_equal(copy_folder(base, work), LAMP_OK);
            disk_fail(++n, ways[i].error, ways[i].all);
            live(&p);
            calls = disk_calls();
            disk_fail(0, 0, false);
            check(&p, ways[i].label, n);
        } while (n <= calls);
        assert_true(n > 50); /* it did fail at many places */
    }
}

static void test_allocations(void **state)
{
    (void)state;
    uint64_t n = 0, calls, failed = 0;
    do {
        struct promised p;
        assert_int_equal(copy_folder(base, work), LAMP_OK);
        alloc_fail(++n);
        live(&p);
        calls = alloc_calls;
        alloc_fail(0);
        failed += p.failed;
        check(&p, "no memory at allocation", n);
    } while (n <= calls);
    assert_true(failed > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_file_calls, setup, teardown),
        cmocka_unit_test_setup_teardown(test_allocations, setup, teardown),
    };
    if (faulty_sqlite() != SQLITE_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
