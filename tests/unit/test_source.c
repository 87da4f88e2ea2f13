/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test.h"

#include "sensor/source/source.h"

#include <errno.h>
#include <sys/stat.h>
#include <zlib.h>
#include <zstd.h>

enum { MICRO = 0xa1b2c3d4, NANO = 0xa1b23c4d };

struct bytes {
    uint8_t b[1024];
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

static void add_block(struct bytes *f, uint32_t type, const struct bytes *body, bool big_endian)
{
    const uint32_t padded = (uint32_t)(body->len + 3) & ~3U;
    add(f, type, 4, big_endian);
    add(f, padded + 12, 4, big_endian);
    memcpy(f->b + f->len, body->b, padded);
    f->len += padded;
    add(f, padded + 12, 4, big_endian);
}

static void add_section(struct bytes *f, bool big_endian)
{
    struct bytes body = { .len = 0 };
    add(&body, 0x1a2b3c4d, 4, big_endian);
    add(&body, 1, 2, big_endian);
    add(&body, 0, 2, big_endian);
    add(&body, UINT32_MAX, 4, big_endian);
    add(&body, UINT32_MAX, 4, big_endian);
    add_block(f, 0x0a0d0d0a, &body, big_endian);
}

/* resolution 0: none said */
static void add_interface(struct bytes *f, uint32_t linktype, uint8_t resolution, bool big_endian)
{
    struct bytes body = { .len = 0 };
    add(&body, linktype, 2, big_endian);
    add(&body, 0, 2, big_endian);
    add(&body, 100, 4, big_endian);
    if (resolution) {
        add(&body, 9, 2, big_endian);
        add(&body, 1, 2, big_endian);
        add(&body, resolution, 1, big_endian);
        body.len += 3;
        add(&body, 0, 4, big_endian);
    }
    add_block(f, 1, &body, big_endian);
}

static void add_packet(struct bytes *f, uint32_t interface, uint64_t t, const char *data,
                       bool big_endian)
{
    struct bytes body = { .len = 0 };
    const uint32_t len = (uint32_t)strlen(data);
    add(&body, interface, 4, big_endian);
    add(&body, (uint32_t)(t >> 32), 4, big_endian);
    add(&body, (uint32_t)t, 4, big_endian);
    add(&body, len, 4, big_endian);
    add(&body, len + 7, 4, big_endian);
    memcpy(body.b + body.len, data, len);
    body.len += len;
    add_block(f, 6, &body, big_endian);
}

static void expect_frame(lamp_source *s, int linktype, uint64_t t_us, const char *data)
{
    struct lamp_frame frame;
    char why[LAMP_SOURCE_WHY] = "";
    if (lamp_source_next(s, &frame, why) != LAMP_OK)
        fail_msg("%s: %s", data, why);
    assert_int_equal(frame.linktype, linktype);
    assert_true(frame.t_us == t_us);
    assert_int_equal(frame.cap_len, strlen(data));
    assert_memory_equal(frame.data, data, strlen(data));
}

/* Interfaces of one file differ in link type and resolution, sections in byte order. */
static struct bytes mixed(bool big_endian)
{
    struct bytes f = { .len = 0 }, other = { .len = 8 }, simple = { .len = 0 };
    add_section(&f, big_endian);
    add_interface(&f, 1, 0, big_endian);
    add_interface(&f, 101, 9, big_endian);
    add_interface(&f, 113, 0x80 | 10, big_endian);
    add_packet(&f, 1, UINT64_C(1700000000123456789), "nano", big_endian);
    add_block(&f, 0xbad, &other, big_endian); /* a custom block: passed by */
    add_packet(&f, 0, UINT64_C(1700000000000005), "micro", big_endian);
    add_packet(&f, 2, UINT64_C(1024) * 1700000000 + 512, "binary", big_endian);
    add(&simple, 2, 4, big_endian);
    memcpy(simple.b + 4, "si", 2);
    simple.len = 6;
    add_block(&f, 3, &simple, big_endian);
    add_section(&f, !big_endian);
    add_interface(&f, 228, 0, !big_endian);
    add_packet(&f, 0, 9, "second", !big_endian);
    return f;
}

static void test_pcapng(void **state)
{
    (void)state;
    for (int big_endian = 0; big_endian < 2; big_endian++) {
        const struct bytes f = mixed(big_endian);
        lamp_source *s;
        char why[LAMP_SOURCE_WHY] = "";
        struct lamp_frame frame;
        assert_int_equal(lamp_source_open_file(write_file("mixed", f.b, f.len), &s, why), LAMP_OK);
        assert_true(lamp_source_size(s) == f.len);
        expect_frame(s, LAMP_LINK_RAW, 1700000000123456, "nano");
        expect_frame(s, LAMP_LINK_ETHERNET, 1700000000000005, "micro");
        expect_frame(s, LAMP_LINK_SLL, 1700000000500000, "binary");
        expect_frame(s, LAMP_LINK_ETHERNET, 0, "si");
        expect_frame(s, LAMP_LINK_IPV4, 9, "second");
        assert_int_equal(lamp_source_next(s, &frame, why), LAMP_ECLOSED);
        lamp_source_close(s);
    }
}

/* What is damaged is named with its place; what cannot be decoded is told at the end. */
static void test_damaged(void **state)
{
    (void)state;
    struct bytes longer = capture(MICRO, 1, false), widest = longer;
    longer.b[24 + 16 + 4 + 9] = 0xff;  /* the second packet: 65283 bytes */
    widest.b[24 + 16 + 4 + 11] = 0x7f; /* about two thousand million bytes */
    struct bytes stray = { .len = 0 }, lengths = mixed(false), strange = { .len = 0 };
    add_section(&stray, false);
    add_packet(&stray, 0, 0, "stray", false);
    lengths.b[24] ^= 4;
    add_section(&strange, false);
    add_interface(&strange, 147, 0, false);
    add_packet(&strange, 0, 0, "x", false);
    const struct {
        const struct bytes *f;
        unsigned frames;
        int want;
        const char *says;
    } cases[] = {
        { &longer, 1, LAMP_ETRUNC, "ends too early" },
        { &widest, 1, LAMP_EFORMAT, "at byte 44: a packet is longer than any can be" },
        { &stray, 0, LAMP_EFORMAT, "at byte 28: a packet of an interface" },
        { &lengths, 0, LAMP_EFORMAT, "at byte 0: a block whose two lengths differ" },
        { &strange, 1, LAMP_EUNSUPPORTED, "link type 147" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        lamp_source *s;
        char why[LAMP_SOURCE_WHY] = "";
        struct lamp_frame frame;
        unsigned n = 0;
        int err;
        const char *path = write_file("good", cases[i].f->b, cases[i].f->len);
        assert_int_equal(lamp_source_open_file(path, &s, why), LAMP_OK);
        while ((err = lamp_source_next(s, &frame, why)) == LAMP_OK)
            n++;
        if (err != cases[i].want || n != cases[i].frames || !strstr(why, cases[i].says) ||
            !strstr(why, path))
            fail_msg("case %zu: %u frames, %d %s", i, n, err, why);
        assert_int_equal(lamp_source_next(s, &frame, why), LAMP_ECLOSED);
        lamp_source_close(s);
    }
}

static struct bytes packed(const struct bytes *f, bool gzip)
{
    struct bytes out = { .len = 0 };
    if (!gzip) {
        out.len = ZSTD_compress(out.b, sizeof(out.b), f->b, f->len, 3);
        assert_false(ZSTD_isError(out.len));
        return out;
    }
    z_stream z = { .next_in = (uint8_t *)(uintptr_t)f->b,
                   .avail_in = (uInt)f->len,
                   .next_out = out.b,
                   .avail_out = sizeof(out.b) };
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    out.len = sizeof(out.b) - z.avail_out;
    deflateEnd(&z);
    return out;
}

static unsigned count_frames(const char *path, int *out_err)
{
    lamp_source *s;
    char why[LAMP_SOURCE_WHY] = "";
    struct lamp_frame frames[3];
    unsigned n = 0;
    size_t got;
    *out_err = lamp_source_open_file(path, &s, why);
    if (*out_err == LAMP_OK) {
        while ((*out_err = lamp_source_read(s, frames, ARRAY_LEN(frames), &got, why)) == LAMP_OK)
            n += (unsigned)got;
        lamp_source_close(s);
    }
    if (*out_err != LAMP_ECLOSED && !strstr(why, path))
        fail_msg("the file is not named: %s", why);
    return n;
}

/* Every format, packed or not, cut at every byte: never more frames than there are, an error
 * unless the cut is between two packets. */
static void test_packed_and_cut(void **state)
{
    (void)state;
    const struct bytes plain = mixed(false), classic = capture(NANO, 1, true);
    const struct bytes files[] = { plain, packed(&plain, true), packed(&plain, false),
                                   packed(&classic, true), packed(&classic, false) };
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        const unsigned all = i < 3 ? 5 : 2;
        int err;
        assert_int_equal(count_frames(write_file("cut", files[i].b, files[i].len), &err), all);
        assert_int_equal(err, LAMP_ECLOSED);
        for (size_t len = 0; len < files[i].len; len++) {
            const unsigned n = count_frames(write_file("cut", files[i].b, len), &err);
            assert_true(n <= all);
            assert_true(err == LAMP_ETRUNC || err == LAMP_EFORMAT ||
                        (i == 0 && err == LAMP_ECLOSED));
        }
    }
    /* members of gzip and frames of zstd, one after the other, are one file */
    for (int gzip = 0; gzip < 2; gzip++) {
        struct bytes two[2] = { { .len = 100 }, { .len = plain.len - 100 } };
        memcpy(two[0].b, plain.b, two[0].len);
        memcpy(two[1].b, plain.b + two[0].len, two[1].len);
        struct bytes a = packed(&two[0], gzip), b = packed(&two[1], gzip), both = a;
        memcpy(both.b + a.len, b.b, b.len);
        both.len += b.len;
        int err;
        assert_int_equal(count_frames(write_file("cut", both.b, both.len), &err), 5);
        assert_int_equal(err, LAMP_ECLOSED);
    }
}

/* A pipe: frames come as soon as they are complete. */
static void test_standard_input(void **state)
{
    (void)state;
    const struct bytes f = capture(MICRO, 1, false);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const int saved = dup(STDIN_FILENO);
    assert_true(dup2(ends[0], STDIN_FILENO) == STDIN_FILENO);
    assert_int_equal(write(ends[1], f.b, f.len - 1), f.len - 1);
    lamp_source *s;
    char why[LAMP_SOURCE_WHY] = "";
    struct lamp_frame frame;
    assert_int_equal(lamp_source_open_file("-", &s, why), LAMP_OK);
    expect_frame(s, LAMP_LINK_ETHERNET, 1700000000005000, "abcd"); /* before the end is there */
    assert_int_equal(write(ends[1], f.b + f.len - 1, 1), 1);
    close(ends[1]);
    expect_frame(s, LAMP_LINK_ETHERNET, 1700000001005000, "abc");
    assert_int_equal(lamp_source_next(s, &frame, why), LAMP_ECLOSED);
    assert_true(lamp_source_size(s) == UINT64_MAX);
    lamp_source_close(s);
    assert_true(dup2(saved, STDIN_FILENO) == STDIN_FILENO);
    close(saved);
    close(ends[0]);
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
#ifdef LAMP_EMULATED
    skip();
#endif
    struct lamp_live_cfg cfg = {
        .interface = "lamp-none0", .filter = "", .snaplen = 2048, .ring_bytes = 1 << 20
    };
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
        cmocka_unit_test(test_good_files),        cmocka_unit_test(test_pcapng),
        cmocka_unit_test(test_damaged),           cmocka_unit_test(test_packed_and_cut),
        cmocka_unit_test(test_standard_input),    cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_cut_files),         cmocka_unit_test(test_walk),
        cmocka_unit_test(test_unknown_interface),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
