/* SPDX-License-Identifier: Apache-2.0 */
#include "common/io.h"
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sys/stat.h>

static char folder[] = "/tmp/lamp_test_io.XXXXXX";

static const char *path_of(const char *name)
{
    static char path[PATH_MAX];
    assert_true(snprintf(path, sizeof(path), "%s/%s", folder, name) < (int)sizeof(path));
    return path;
}

static int setup(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path_of("file"));
    rmdir(path_of("a/b"));
    rmdir(path_of("a"));
    return rmdir(folder);
}

static void test_files(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    struct stat st;
    assert_int_equal(lamp_io_read_file(path_of("file"), 10, &text, &len), -ENOENT);
    assert_int_equal(lamp_io_replace_file(path_of("file"), "first", 5, 0600), LAMP_OK);
    assert_int_equal(lamp_io_replace_file(path_of("file"), "other", 5, 0400), LAMP_OK);
    assert_int_equal(stat(path_of("file"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0400);
    assert_int_equal(access(path_of("file.tmp"), F_OK), -1);

    assert_int_equal(lamp_io_read_file(path_of("file"), 4, &text, &len), LAMP_EFULL);
    assert_null(text);
    assert_int_equal(lamp_io_read_file(path_of("file"), 5, &text, &len), LAMP_OK);
    assert_int_equal(len, 5);
    assert_string_equal(text, "other");
    free(text);

    assert_int_equal(lamp_io_replace_file(path_of("none/file"), "x", 1, 0600), -ENOENT);
    assert_int_equal(lamp_io_replace_file(path_of("file"), "", 0, 0600), LAMP_OK);
    assert_int_equal(lamp_io_read_file(path_of("file"), 0, &text, &len), LAMP_OK);
    assert_int_equal(len, 0);
    free(text);
}

static void test_large_file(void **state)
{
    (void)state;
    enum { SIZE = 100000 };
    char *data = malloc(SIZE), *text = NULL;
    size_t len = 0;
    assert_non_null(data);
    memset(data, 'x', SIZE);
    assert_int_equal(lamp_io_replace_file(path_of("file"), data, SIZE, 0600), LAMP_OK);
    assert_int_equal(lamp_io_read_file(path_of("file"), SIZE, &text, &len), LAMP_OK);
    assert_int_equal(len, SIZE);
    assert_memory_equal(text, data, SIZE);
    free(text);
    free(data);
}

static void test_mkdirs(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(lamp_io_mkdirs(path_of("a/b"), 0700), LAMP_OK);
    assert_int_equal(lamp_io_mkdirs(path_of("a/b"), 0700), LAMP_OK);
    assert_int_equal(stat(path_of("a/b"), &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(lamp_io_mkdirs(path_of("file/c"), 0700), -ENOTDIR);
}

static void *write_big(void *arg)
{
    static uint8_t big[300000];
    memset(big, 7, sizeof(big));
    const int err = lamp_io_write_full(*(int *)arg, big, sizeof(big));
    close(*(int *)arg);
    return err == LAMP_OK ? arg : NULL;
}

/* More than the pipe holds, and the writer's end does not block: it waits for the reader. */
static void test_non_blocking(void **state)
{
    (void)state;
    int fd[2];
    pthread_t thread;
    uint8_t buf[4096] = { 0 };
    size_t len = 0;
    void *done = NULL;
    assert_int_equal(pipe2(fd, 0), 0);
    assert_int_equal(fcntl(fd[1], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(pthread_create(&thread, NULL, write_big, &fd[1]), 0);
    for (ssize_t n = 1; n > 0; len += (size_t)n) {
        n = read(fd[0], buf, sizeof(buf));
        assert_true(n >= 0);
    }
    assert_int_equal(pthread_join(thread, &done), 0);
    assert_ptr_equal(done, &fd[1]);
    assert_int_equal(len, 300000);
    assert_int_equal(buf[0], 7);
    close(fd[0]);
    assert_int_equal(lamp_io_write_full(-1, "x", 1), -EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_large_file),
        cmocka_unit_test(test_mkdirs),
        cmocka_unit_test(test_non_blocking),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
