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

static void test_frames(void **state)
{
    (void)state;
    int fd[2];
    uint8_t *data = NULL;
    size_t len = 0;
    assert_int_equal(pipe(fd), 0);
    assert_int_equal(lamp_io_write_frame(fd[1], "hello", 5), LAMP_OK);
    assert_int_equal(lamp_io_write_frame(fd[1], "", 0), LAMP_OK);
    assert_int_equal(lamp_io_write_frame(fd[1], "toolong", 7), LAMP_OK);
    assert_int_equal(lamp_io_read_frame(fd[0], 5, &data, &len), LAMP_OK);
    assert_int_equal(len, 5);
    assert_memory_equal(data, "hello", 5);
    free(data);
    assert_int_equal(lamp_io_read_frame(fd[0], 5, &data, &len), LAMP_OK);
    assert_int_equal(len, 0);
    free(data);
    data = NULL;
    assert_int_equal(lamp_io_read_frame(fd[0], 5, &data, &len), LAMP_EFULL);
    close(fd[1]);
    close(fd[0]);

    static const char *const cut[] = { "", "\x05", "\x05\0\0\0", "\x05\0\0\0hell" };
    static const size_t lengths[] = { 0, 1, 4, 8 };
    for (size_t i = 0; i < ARRAY_LEN(cut); i++) {
        assert_int_equal(pipe(fd), 0);
        assert_int_equal(lamp_io_write_full(fd[1], cut[i], lengths[i]), LAMP_OK);
        close(fd[1]);
        assert_int_equal(lamp_io_read_frame(fd[0], 100, &data, &len), LAMP_ECLOSED);
        close(fd[0]);
    }
    assert_null(data);
    assert_int_equal(lamp_io_read_full(-1, &len, 1), -EBADF);
}

static void *write_big(void *arg)
{
    static uint8_t big[300000];
    memset(big, 7, sizeof(big));
    return lamp_io_write_frame(*(int *)arg, big, sizeof(big)) == LAMP_OK ? arg : NULL;
}

/* A frame larger than the pipe, both ends non-blocking: each side waits for the other. */
static void test_non_blocking(void **state)
{
    (void)state;
    int fd[2];
    pthread_t thread;
    uint8_t *data = NULL;
    size_t len = 0;
    void *done = NULL;
    assert_int_equal(pipe2(fd, O_NONBLOCK), 0);
    assert_int_equal(pthread_create(&thread, NULL, write_big, &fd[1]), 0);
    assert_int_equal(lamp_io_read_frame(fd[0], 300000, &data, &len), LAMP_OK);
    assert_int_equal(pthread_join(thread, &done), 0);
    assert_ptr_equal(done, &fd[1]);
    assert_int_equal(len, 300000);
    assert_int_equal(data[len - 1], 7);
    free(data);
    close(fd[0]);
    close(fd[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),        cmocka_unit_test(test_large_file),
        cmocka_unit_test(test_mkdirs),       cmocka_unit_test(test_frames),
        cmocka_unit_test(test_non_blocking),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
