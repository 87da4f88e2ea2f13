/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/source/replay.h"
#include "tests/support/capfile.h"
#include "tests/support/test.h"

#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>

#define S UINT64_C(1000000)
#define T0 (UINT64_C(1700000000) * S)

static char folder[] = "/tmp/lamp_replay_XXXXXX";
static char path[512];

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static const char *at(const char *name)
{
    assert_true(snprintf(path, sizeof(path), "%s/%s", folder, name) < (int)sizeof(path));
    return path;
}

/* A capture of frames at these seconds after T0; a negative number ends the list. */
static void write_capture(const char *name, const double *seconds)
{
    static const uint8_t frame[60] = { 2 };
    lamp_capfile *c;
    assert_int_equal(lamp_capfile_new(&c), LAMP_OK);
    for (; *seconds >= 0; seconds++)
        assert_int_equal(lamp_capfile_add(c, T0 + (uint64_t)(*seconds * 1e6), frame, sizeof(frame)),
                         LAMP_OK);
    assert_int_equal(lamp_capfile_save(c, at(name)), LAMP_OK);
    lamp_capfile_free(c);
}

static lamp_replay *open_folder(unsigned speed)
{
    lamp_replay *r;
    char why[LAMP_SOURCE_WHY] = "";
    assert_int_equal(lamp_replay_new(speed, &r), LAMP_OK);
    assert_int_equal(lamp_replay_add(r, folder, why), LAMP_OK);
    return r;
}

static void empty_folder(void)
{
    static const char *const names[] = { "a.pcap", "b.pcap", "c.pcap", "pipe" };
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        unlink(at(names[i]));
}

/* Frame by frame: when it comes, on a clock that is asked for when to ask again. */
static void check_pace(unsigned speed, const double *want_s, size_t n)
{
    lamp_replay *r = open_folder(speed);
    const uint64_t start_us = 5 * S;
    uint64_t now_us = start_us;
    size_t got = 0;
    char why[LAMP_SOURCE_WHY];
    for (;;) {
        struct lamp_frame frames[8];
        size_t k;
        bool anew;
        const int err = lamp_replay_read(r, now_us, frames, ARRAY_LEN(frames), &k, &anew, why);
        if (err == LAMP_ECLOSED)
            break;
        if (err == LAMP_EAGAIN) {
            const uint64_t wait_us = lamp_replay_wait_us(r, now_us);
            assert_true(wait_us > 0);
            now_us += wait_us;
            continue;
        }
        assert_int_equal(err, LAMP_OK);
        for (size_t i = 0; i < k; i++, got++) {
            assert_true(got < n);
            assert_true(fabs((double)(now_us - start_us) / 1e6 - want_s[got]) < 1e-3);
            assert_true(lamp_replay_clock(r, now_us) >= frames[i].t_us);
        }
    }
    assert_int_equal(got, n);
    lamp_replay_free(r);
}

static void test_pace(void **state)
{
    (void)state;
    write_capture("a.pcap", (const double[]){ 0, 0.5, 10, -1 });
    write_capture("b.pcap", (const double[]){ 12, 30, -1 }); /* goes on with a */
    check_pace(1, (const double[]){ 0, 0.5, 10, 12, 30 }, 5);
    check_pace(10, (const double[]){ 0, 0.05, 1, 1.2, 3 }, 5);
    check_pace(0, (const double[]){ 0, 0, 0, 0, 0 }, 5);
    /* two hours of nothing are passed over */
    write_capture("b.pcap", (const double[]){ 7210, 7211, -1 });
    check_pace(1, (const double[]){ 0, 0.5, 10, 10, 11 }, 5);
    empty_folder();
}

/* The clock runs between frames, never past the next one, and steps back for another recording. */
static void test_clock(void **state)
{
    (void)state;
    write_capture("a.pcap", (const double[]){ 100, 110, -1 });
    write_capture("b.pcap", (const double[]){ 50, 51, -1 });
    lamp_replay *r = open_folder(2);
    struct lamp_frame frames[8];
    char why[LAMP_SOURCE_WHY];
    size_t n;
    bool anew = true;
    assert_int_equal(lamp_replay_clock(r, S), 0);
    assert_int_equal(lamp_replay_read(r, S, frames, 8, &n, &anew, why), LAMP_OK);
    assert_false(anew);
    assert_int_equal(n, 1);
    assert_int_equal(lamp_replay_clock(r, 2 * S), T0 + 102 * S);
    assert_int_equal(lamp_replay_clock(r, 60 * S), T0 + 110 * S);
    assert_int_equal(lamp_replay_read(r, 60 * S, frames, 8, &n, &anew, why), LAMP_OK);
    assert_false(anew);
    assert_int_equal(lamp_replay_read(r, 60 * S, frames, 8, &n, &anew, why), LAMP_OK);
    assert_true(anew);
    assert_int_equal(frames[0].t_us, T0 + 50 * S);
    assert_int_equal(lamp_replay_clock(r, 60 * S), T0 + 50 * S);
    assert_int_equal(lamp_replay_read(r, 70 * S, frames, 8, &n, &anew, why), LAMP_OK);
    assert_false(anew);
    assert_int_equal(lamp_replay_read(r, 70 * S, frames, 8, &n, &anew, why), LAMP_ECLOSED);
    assert_int_equal(lamp_replay_clock(r, 70 * S), T0 + 51 * S);
    lamp_replay_free(r);
    empty_folder();
}

/* A file that is no capture, or is cut, is told of by name; the others are read. */
static void test_bad_files(void **state)
{
    (void)state;
    write_capture("a.pcap", (const double[]){ 1, 2, -1 });
    write_capture("b.pcap", (const double[]){ 3, 4, -1 });
    write_capture("c.pcap", (const double[]){ 5, 6, -1 });
    struct stat st;
    assert_int_equal(stat(at("b.pcap"), &st), 0);
    assert_int_equal(truncate(path, st.st_size - 5), 0);
    assert_int_equal(truncate(at("a.pcap"), 3), 0);
    lamp_replay *r = open_folder(0);
    assert_int_equal(lamp_replay_files(r), 3);
    char why[LAMP_SOURCE_WHY] = "";
    struct lamp_frame frames[8];
    size_t n;
    bool anew;
    assert_int_equal(lamp_replay_read(r, 1, frames, 8, &n, &anew, why), LAMP_EFORMAT);
    assert_non_null(strstr(why, "a.pcap"));
    assert_int_equal(lamp_replay_read(r, 1, frames, 8, &n, &anew, why), LAMP_OK);
    assert_int_equal(n, 1);
    assert_int_equal(lamp_replay_read(r, 1, frames, 8, &n, &anew, why), LAMP_ETRUNC);
    assert_non_null(strstr(why, "b.pcap"));
    assert_int_equal(lamp_replay_read(r, 1, frames, 8, &n, &anew, why), LAMP_OK);
    assert_int_equal(n, 2);
    assert_int_equal(lamp_replay_read(r, 1, frames, 8, &n, &anew, why), LAMP_ECLOSED);
    assert_int_equal(lamp_replay_add(r, at("nosuch"), why), LAMP_EIO);
    assert_non_null(strstr(why, "nosuch"));
    assert_int_equal(mkfifo(at("pipe"), 0600), 0);
    assert_int_equal(lamp_replay_add(r, path, why), LAMP_EINVAL);
    lamp_replay_free(r);
    empty_folder();
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_pace), cmocka_unit_test(test_clock),
                                        cmocka_unit_test(test_bad_files) };
    return cmocka_run_group_tests(tests, make_folder, NULL);
}
