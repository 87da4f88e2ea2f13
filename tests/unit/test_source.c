/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test.h"

#include "sensor/source/source.h"

#include <errno.h>
#include <sys/stat.h>

enum { MICRO = 0xa1b2c3d4, NANO = 0xa1b23c4d };

struct bytes {
    uint8_t b[512];
    size_t len;
};

static void add(struct bytes *f, uint32_t v, int size, bool big_endian)
{
    for (int i = 0; i < size; i++)
        f->b[f->len++] = (uint8_t)(v >> 8 * (big_endian ? size - 1 - i : i));
}

/* A pcap file of two frames of 4 and 3 bytes (the second cut from 60), one second apart. */
static struct bytes capture(uint32_t magic, uint32_t linktype, bool big_endian)
{
    struct bytes f = { .len = 0 };
    const uint32_t words[] = { magic, 2 | 4 << 16, 0, 0, 65535, linktype };
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (i == 1) {
            add(&f, 2, 2, big_endian);
            add(&f, 4, 2, big_endian);
        } else {
            add(&f, words[i], 4, big_endian);
        }
    }
    for (uint32_t i = 0; i < 2; i++) {
        add(&f, 1700000000 + i, 4, big_endian);
        add(&f, magic == NANO ? 5000999 : 5000, 4, big_endian);
        add(&f, 4 - i, 4, big_endian);
        add(&f, i ? 60 : 4, 4, big_endian);
        for (uint32_t n = 0; n < 4 - i; n++)
            add(&f, 'a' + n, 1, big_endian);
    }
    return f;
}

static char folder[] = "/tmp/lamp_source_XXXXXX";

static const char *path_of(const char *name)
{
    static char path[256];
    assert_true(snprintf(path, sizeof(path), "%s/%s", folder, name) < (int)sizeof(path));
    return path;
}

static const char *write_file(const char *name, const void *data, size_t len)
{
    const char *path = path_of(name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
    return path;
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static void test_good_files(void **state)
{
    (void)state;
    static const struct {
        uint32_t magic, linktype;
        bool big_endian;
        int want;
    } cases[] = {
        { MICRO, 1, false, LAMP_LINK_ETHERNET }, { MICRO, 1, true, LAMP_LINK_ETHERNET },
        { NANO, 113, false, LAMP_LINK_SLL },     { NANO, 276, true, LAMP_LINK_SLL2 },
        { MICRO, 101, false, LAMP_LINK_RAW },    { MICRO, 0, false, LAMP_LINK_NULL },
        { MICRO, 229, false, LAMP_LINK_IPV6 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bytes f = capture(cases[i].magic, cases[i].linktype, cases[i].big_endian);
        char why[LAMP_SOURCE_WHY] = "";
        lamp_source *s;
        if (lamp_source_open_file(write_file("good", f.b, f.len), &s, why) != LAMP_OK)
            fail_msg("case %zu: %s", i, why);
        struct lamp_frame frame;
        assert_int_equal(lamp_source_fd(s), -1);
        assert_int_equal(lamp_source_next(s, &frame, why), LAMP_OK);
        assert_int_equal(frame.linktype, cases[i].want);
        assert_true(frame.t_us == 1700000000005000);
        assert_int_equal(frame.cap_len, 4);
        assert_int_equal(frame.orig_len, 4);
        assert_memory_equal(frame.data, "abcd", 4);
        assert_int_equal(lamp_source_next(s, &frame, why), LAMP_OK);
        assert_true(frame.t_us == 1700000001005000);
        assert_int_equal(frame.cap_len, 3);
        assert_int_equal(frame.orig_len, 60);
        assert_int_equal(lamp_source_next(s, &frame, why), LAMP_ECLOSED);
        assert_int_equal(lamp_source_next(s, &frame, why), LAMP_ECLOSED);
        lamp_source_close(s);
    }
}

static void test_pcapng(void **state)
{
    (void)state;
    static const uint8_t file[] = {
        0x0a, 0x0d, 0x0d, 0x0a, 28,   0,    0,    0,    0x4d, 0x3c, 0x2b, 0x1a, 1, 0,
        0,    0,    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 28,   0,    0, 0, /* section */
        1,    0,    0,    0,    20,   0,    0,    0,    1,    0,    0,    0,    0, 0,
        4,    0,    20,   0,    0,    0, /* Ethernet */
        6,    0,    0,    0,    36,   0,    0,    0,    0,    0,    0,    0,    0, 0,
        0,    0,    64,   0,    0,    0,    2,    0,    0,    0,    2,    0,    0, 0,
        'h',  'i',  0,    0,    36,   0,    0,    0, /* a packet */
        1,    0,    0,    0,    20,   0,    0,    0,    101,  0,    0,    0,    0, 0,
        4,    0,    20,   0,    0,    0, /* raw IP */
    };
    lamp_source *s;
    struct lamp_frame frame;
    char why[LAMP_SOURCE_WHY] = "";
    const char *path = write_file("mixed", file, sizeof(file));
    assert_int_equal(lamp_source_open_file(path, &s, why), LAMP_OK);
    assert_int_equal(lamp_source_next(s, &frame, why), LAMP_OK);
    assert_int_equal(frame.cap_len, 2);
    assert_int_equal(frame.t_us, 64);
    assert_int_equal(lamp_source_next(s, &frame, why), LAMP_EUNSUPPORTED);
    assert_non_null(strstr(why, "different link types"));
    lamp_source_close(s);
}

/* Each bad input has its code and a sentence that names the file. */
static void test_bad_files(void **state)
{
    (void)state;
    struct bytes good = capture(MICRO, 1, false), strange = capture(MICRO, 147, false);
    static const char text[] = "This is a text file and no capture, whatever its name says.\n";
    const struct {
        const char *name;
        const void *data;
        size_t len;
        int want;
        const char *says;
    } cases[] = {
        { "empty", "", 0, LAMP_EFORMAT, "empty" },
        { "text.pcap", text, sizeof(text) - 1, LAMP_EFORMAT, "not a capture file" },
        { "short", good.b, 10, LAMP_ETRUNC, "ends too early" },
        { "strange", strange.b, strange.len, LAMP_EUNSUPPORTED, "link type 147" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        lamp_source *s = NULL;
        char why[LAMP_SOURCE_WHY] = "";
        const char *path = write_file(cases[i].name, cases[i].data, cases[i].len);
        int err = lamp_source_open_file(path, &s, why);
        if (err != cases[i].want || !strstr(why, cases[i].says) || !strstr(why, path))
            fail_msg("%s: %d %s", cases[i].name, err, why);
        assert_null(s);
    }
    lamp_source *s = NULL;
    char why[LAMP_SOURCE_WHY] = "";
    assert_int_equal(lamp_source_open_file(path_of("missing"), &s, why), LAMP_ENOENT);
    assert_int_equal(lamp_source_open_file(folder, &s, why), LAMP_EFORMAT);
    assert_non_null(strstr(why, "folder"));
    assert_null(lamp_source_close(NULL));
}

/* Cut anywhere: the frames before the cut come, then one error that names the file. */
static void test_cut_files(void **state)
{
    (void)state;
    struct bytes f = capture(MICRO, 1, false);
    const size_t header = 24, first = header + 16 + 4;
    for (size_t len = header; len < f.len; len++) {
        const char *path = write_file("cut", f.b, len);
        lamp_source *s;
        struct lamp_frame frame;
        char why[LAMP_SOURCE_WHY] = "";
        unsigned frames = 0;
        assert_int_equal(lamp_source_open_file(path, &s, why), LAMP_OK);
        int err;
        while ((err = lamp_source_next(s, &frame, why)) == LAMP_OK)
            frames++;
        assert_int_equal(frames, len >= first);
        assert_int_equal(err, len == header || len == first ? LAMP_ECLOSED : LAMP_ETRUNC);
        if (err == LAMP_ETRUNC)
            assert_non_null(strstr(why, path));
        lamp_source_close(s);
    }
}

struct names {
    char text[1024];
    size_t stop_after;
};

static void remember(struct names *n, char mark, const char *path)
{
    size_t len = strlen(n->text);
    assert_true(strncmp(path, folder, strlen(folder)) == 0);
    assert_true(snprintf(n->text + len, sizeof(n->text) - len, "%c%s ", mark,
                         path + strlen(folder)) < (int)(sizeof(n->text) - len));
}

static bool on_file(const char *file, void *arg)
{
    struct names *n = arg;
    remember(n, '+', file);
    return n->stop_after == 0 || --n->stop_after > 0;
}

static void on_error(const char *path, const char *why, void *arg)
{
    assert_true(strlen(why) > 0);
    remember(arg, '!', path);
}

static void test_walk(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path_of("w"), 0700), 0);
    assert_int_equal(mkdir(path_of("w/b"), 0700), 0);
    assert_int_equal(mkdir(path_of("w/.git"), 0700), 0);
    static const char *const files[] = { "w/c", "w/a", "w/b/2", "w/b/10", "w/.hidden", "w/.git/x" };
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        write_file(files[i], "", 0);
    assert_int_equal(mkfifo(path_of("w/fifo"), 0600), 0);
    assert_int_equal(symlink("..", path_of("w/loop")), 0);
    assert_int_equal(symlink("a", path_of("w/link")), 0);
    assert_int_equal(symlink("gone", path_of("w/nowhere")), 0);

    struct names n = { .stop_after = 0 };
    lamp_source_walk(path_of("w"), on_file, on_error, &n);
    assert_string_equal(n.text, "+/w/a +/w/b/10 +/w/b/2 +/w/c +/w/link !/w/nowhere ");
    n = (struct names){ .stop_after = 2 };
    lamp_source_walk(path_of("w/"), on_file, on_error, &n);
    assert_string_equal(n.text, "+/w/a +/w/b/10 ");
    n = (struct names){ .stop_after = 0 };
    lamp_source_walk(path_of("w/.hidden"), on_file, on_error, &n);
    lamp_source_walk(path_of("missing"), on_file, on_error, &n);
    assert_string_equal(n.text, "+/w/.hidden !/missing ");
}

static void test_unknown_interface(void **state)
{
    (void)state;
    struct lamp_live_cfg cfg = { "lamp-none0", "", 2048, 1 << 20, false };
    lamp_source *s = NULL;
    char why[LAMP_SOURCE_WHY] = "";
    int err = lamp_source_open_live(&cfg, &s, why);
    assert_true(err == LAMP_ENOENT || err == LAMP_EAUTH); /* without root libpcap cannot look */
    assert_non_null(strstr(why, "lamp-none0"));
    assert_null(s);
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = {
        "w/c",    "w/a",    "w/b/2",     "w/b/10", "w/b",       "w/.hidden", "w/.git/x",
        "w/.git", "w/fifo", "w/loop",    "w/link", "w/nowhere", "w",         "good",
        "mixed",  "empty",  "text.pcap", "short",  "strange",   "cut",
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (remove(path_of(names[i])) != 0 && errno != ENOENT)
            return -1;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_files), cmocka_unit_test(test_pcapng),
        cmocka_unit_test(test_bad_files),  cmocka_unit_test(test_cut_files),
        cmocka_unit_test(test_walk),       cmocka_unit_test(test_unknown_interface),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
