/* SPDX-License-Identifier: Apache-2.0 */
/* Damage, copies and the way back, over every backend of store.def. */
#include "tests/support/aggregator.h"

#include "aggregator/store/backend.h"

#include <fcntl.h>

enum { ROWS = 1200, PAGE = 4096 };

static const char *backend;

struct fixture {
    char *folder, path[256], copy[256], why[LAMP_STORE_WHY];
    lamp_store *s;
    unsigned n; /* rows written to the audit log */
};

static void add_rows(struct fixture *f, unsigned n)
{
    char detail[1024];
    memset(detail, 'x', sizeof(detail) - 1);
    detail[sizeof(detail) - 1] = '\0';
    ok(f->s, lamp_store_begin(f->s));
    for (unsigned i = 0; i < n; i++)
        ok(f->s, lamp_store_audit(f->s, "admin", "test", "row", detail, TEST_NOW_US + f->n++));
    ok(f->s, lamp_store_commit(f->s));
}

static struct fixture *fixture_new(void)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->folder = new_folder();
    snprintf(f->path, sizeof(f->path), "%s/db", f->folder);
    snprintf(f->copy, sizeof(f->copy), "%s/copy", f->folder);
    f->s = open_store(backend, f->folder, false);
    add_rows(f, ROWS);
    return f;
}

static void fixture_free(struct fixture *f)
{
    lamp_store_close(f->s);
    remove_folder(f->folder);
    free(f->folder);
    free(f);
}

static bool count_row(const struct lamp_audit_view *v, void *arg)
{
    unsigned *n = arg;
    (void)v;
    ++*n;
    return true;
}

/* How many rows the database at path has, and its epoch. */
static unsigned rows_in(const char *path, uint64_t *out_epoch)
{
    char why[LAMP_STORE_WHY] = "";
    lamp_store *s = NULL;
    unsigned n = 0;
    if (lamp_store_open(backend, path, true, &s, why) != LAMP_OK)
        fail_msg("%s", why);
    ok(s, lamp_store_audits(s, 100000, count_row, &n));
    if (out_epoch)
        ok(s, lamp_store_epoch(s, out_epoch));
    lamp_store_close(s);
    return n;
}

static enum lamp_store_health health_of(struct fixture *f, const char *path)
{
    enum lamp_store_health health = LAMP_STORE_UNFINISHED;
    if (lamp_store_check(backend, path, 0, &health, f->why) != LAMP_OK)
        fail_msg("%s", f->why);
    return health;
}

/* Writes rubbish over the pages of a file from the second one on, or over its first bytes. */
static void damage(const char *path, bool head)
{
    uint8_t rubbish[PAGE];
    memset(rubbish, 0xa5, sizeof(rubbish));
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    struct stat st = { .st_size = 0 };
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    assert_true(st.st_size > 20 * PAGE);
    for (off_t at = head ? 0 : PAGE; at + PAGE <= (head ? PAGE : st.st_size); at += PAGE)
        assert_int_equal(pwrite(fd, rubbish, sizeof(rubbish), at), PAGE);
    close(fd);
}

static void test_check(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    f->s = lamp_store_close(f->s);
    assert_int_equal(health_of(f, f->path), LAMP_STORE_WHOLE);
    assert_int_equal(health_of(f, f->copy), LAMP_STORE_WHOLE); /* is not there yet */
    damage(f->path, false);
    assert_int_equal(health_of(f, f->path), LAMP_STORE_DAMAGED);
    assert_non_null(strstr(f->why, f->path));
    damage(f->path, true);
    assert_int_equal(health_of(f, f->path), LAMP_STORE_DAMAGED);
    fixture_free(f);
}

struct busy {
    struct fixture *f;
    unsigned calls, stop_at;
    uint64_t done, all;
};

/* The writer goes on between the steps of a copy. */
static bool write_on(uint64_t done, uint64_t all, void *arg)
{
    struct busy *b = arg;
    assert_true(done >= b->done && done <= all);
    b->done = done;
    b->all = all;
    if (b->calls < 3)
        add_rows(b->f, ROWS);
    return ++b->calls != b->stop_at;
}

static void test_backup(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct busy b = { .f = f };
    if (lamp_store_backup(backend, f->path, f->copy, write_on, &b, f->why) != LAMP_OK)
        fail_msg("%s", f->why);
    assert_true(b.calls > 1 && b.done == b.all); /* in several steps */
    assert_true(f->n > ROWS);
    assert_int_equal(rows_in(f->copy, NULL), ROWS); /* as it was when it began */
    assert_int_equal(rows_in(f->path, NULL), f->n);
    assert_int_equal(health_of(f, f->copy), LAMP_STORE_WHOLE);
    assert_int_equal(lamp_store_backup(backend, f->path, f->copy, NULL, NULL, f->why), LAMP_EEXIST);
    fixture_free(f);
}

static void test_backup_ended(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct busy b = { .f = f, .stop_at = 1 };
    assert_int_equal(lamp_store_backup(backend, f->path, f->copy, write_on, &b, f->why),
                     LAMP_ECLOSED);
    assert_int_equal(access(f->copy, F_OK), -1);
    char part[300];
    snprintf(part, sizeof(part), "%s.part", f->copy);
    assert_int_equal(access(part, F_OK), -1);
    fixture_free(f);
}

static void make_copy(struct fixture *f)
{
    if (lamp_store_backup(backend, f->path, f->copy, NULL, NULL, f->why) != LAMP_OK)
        fail_msg("%s", f->why);
}

static void test_restore(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct lamp_restored got = { .version = 0 };
    uint64_t before = 0, after = 0;
    make_copy(f);
    add_rows(f, ROWS);
    f->s = lamp_store_close(f->s);
    (void)rows_in(f->path, &before);
    /* A clock that is behind does not lead back to an epoch that was. */
    if (lamp_store_restore(backend, f->path, f->copy, 1000000, &got, f->why) != LAMP_OK)
        fail_msg("%s", f->why);
    assert_int_equal(rows_in(f->path, &after), ROWS);
    assert_true(after == got.epoch && after == before + 1);
    assert_int_equal(rows_in(got.kept, NULL), 2 * ROWS);
    assert_int_equal(rows_in(f->copy, NULL), ROWS);
    f->s = open_store(backend, f->folder, false); /* and it is a database to go on with */
    f->n = ROWS;
    add_rows(f, 1);
    assert_int_equal(rows_in(f->path, NULL), ROWS + 1);
    fixture_free(f);
}

/* With a clock that is right the epoch is the time; over a damaged database, and where there is none. */
static void test_restore_over_damage(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct lamp_restored got = { .version = 0 };
    make_copy(f);
    f->s = lamp_store_close(f->s);
    damage(f->path, true);
    const uint64_t far_us = UINT64_C(4000000000000000);
    assert_int_equal(lamp_store_restore(backend, f->path, f->copy, far_us, &got, f->why), LAMP_OK);
    assert_true(got.epoch == far_us / 1000000 && *got.kept);
    assert_int_equal(rows_in(f->path, NULL), ROWS);
    assert_int_equal(remove(f->path), 0);
    assert_int_equal(lamp_store_restore(backend, f->path, f->copy, far_us, &got, f->why), LAMP_OK);
    assert_string_equal(got.kept, "");
    assert_int_equal(rows_in(f->path, NULL), ROWS);
    fixture_free(f);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void test_restore_refused(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct lamp_restored got = { .version = 0 };
    char rubbish[300];
    make_copy(f);
    f->s = lamp_store_close(f->s);
    damage(f->copy, false);
    assert_int_equal(lamp_store_restore(backend, f->path, f->copy, 1, &got, f->why), LAMP_EDIGEST);
    snprintf(rubbish, sizeof(rubbish), "%s/rubbish", f->folder);
    assert_int_equal(lamp_store_restore(backend, f->path, rubbish, 1, &got, f->why), LAMP_EIO);
    write_file(rubbish, "");
    assert_int_equal(lamp_store_restore(backend, f->path, rubbish, 1, &got, f->why), LAMP_EFORMAT);
    write_file(rubbish,
               "not a database, and long enough to be taken for one by its size alone....."
               "..........................................................................");
    assert_int_equal(lamp_store_restore(backend, f->path, rubbish, 1, &got, f->why), LAMP_EDIGEST);
    assert_int_equal(rows_in(f->path, NULL), ROWS); /* nothing of it did harm */
    assert_true(got.version == 0);
    fixture_free(f);
}

static void test_set_aside(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    char kept[LAMP_STORE_PATH];
    f->s = lamp_store_close(f->s);
    assert_int_equal(lamp_store_set_aside(backend, f->path, TEST_NOW_US, kept, f->why), LAMP_OK);
    assert_int_equal(rows_in(kept, NULL), ROWS);
    assert_int_equal(lamp_store_set_aside(backend, f->path, TEST_NOW_US, kept, f->why),
                     LAMP_ENOENT);
    f->s = open_store(backend, f->folder, false);
    assert_int_equal(rows_in(f->path, NULL), 0);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),           cmocka_unit_test(test_backup),
        cmocka_unit_test(test_backup_ended),    cmocka_unit_test(test_restore),
        cmocka_unit_test(test_restore_refused), cmocka_unit_test(test_restore_over_damage),
        cmocka_unit_test(test_set_aside),
    };
    size_t n = 0;
    int failed = 0;
    const struct lamp_store_ops *const *all = lamp_store_backends(&n);
    for (size_t i = 0; i < n; i++) {
        backend = all[i]->name;
        failed += cmocka_run_group_tests_name(backend, tests, NULL, NULL);
    }
    return failed;
}
