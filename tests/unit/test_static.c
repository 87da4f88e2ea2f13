/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/http/static.h"
#include "common/io.h"
#include "tests/support/test.h"

#include <sys/stat.h>

static char root[64];

static void put(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", root, name);
    assert_int_equal(lamp_io_replace_file(path, text, strlen(text), 0644), LAMP_OK);
}

static int make_folder(void **state)
{
    (void)state;
    char path[256];
    snprintf(root, sizeof(root), "/tmp/lamp-static-XXXXXX");
    assert_non_null(mkdtemp(root));
    snprintf(path, sizeof(path), "%s/assets", root);
    assert_int_equal(mkdir(path, 0755), 0);
    put("index.html", "<!doctype html>");
    put("favicon.svg", "<svg/>");
    put("assets/app-1a2b.js", "plain");
    put("assets/app-1a2b.js.gz", "gz");
    put("assets/app-1a2b.js.br", "br");
    put(".secret", "dot files stay");
    snprintf(path, sizeof(path), "%s/link.txt", root);
    assert_int_equal(symlink("/etc/hostname", path), 0);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = { "index.html",
                                         "favicon.svg",
                                         "assets/app-1a2b.js",
                                         "assets/app-1a2b.js.gz",
                                         "assets/app-1a2b.js.br",
                                         ".secret",
                                         "link.txt",
                                         "assets",
                                         "" };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[256];
        snprintf(path, sizeof(path), "%s/%s", root, names[i]);
        if (remove(path) != 0)
            return -1;
    }
    return 0;
}

static const struct {
    const char *path, *accept, *want; /* want NULL: not found */
} cases[] = {
    { "/", NULL, "<!doctype html>" },
    { "/index.html", NULL, "<!doctype html>" },
    { "/miners/12", NULL, "<!doctype html>" },
    { "/favicon.svg", "gzip", "<svg/>" },
    { "/assets/app-1a2b.js", NULL, "plain" },
    { "/assets/app-1a2b.js", "", "plain" },
    { "/assets/app-1a2b.js", "gzip", "gz" },
    { "/assets/app-1a2b.js", "gzip, deflate, br", "br" },
    { "/assets/app-1a2b.js", "deflate, GZIP;q=0.5", "gz" },
    { "/assets/app-1a2b.js", "br;q=0, gzip", "gz" },
    { "/assets/app-1a2b.js", "br;q=0.000,gzip;q=0", "plain" },
    { "/assets/app-1a2b.js", "brotli", "plain" },
    { "/assets/app-1a2b.js.gz", NULL, NULL },
    { "/assets/missing.js", NULL, NULL },
    { "/.secret", NULL, NULL },
    { "/link.txt", NULL, NULL },
    { "/../etc/passwd.txt", NULL, NULL },
    { "/assets/../.secret", NULL, NULL },
    { "//etc/hosts.txt", NULL, NULL },
    { "index.html", NULL, NULL },
    { "", NULL, NULL },
};

static void test_files(void **state)
{
    (void)state;
    lamp_static *s;
    assert_int_equal(lamp_static_load(root, &s), LAMP_OK);
    assert_true(lamp_static_is_built(s));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct lamp_static_file *f = lamp_static_find(s, cases[i].path, cases[i].accept);
        if (!f != !cases[i].want)
            fail_msg("%s: %s", cases[i].path, f ? "found" : "not found");
        if (f && (f->len != strlen(cases[i].want) || memcmp(f->data, cases[i].want, f->len) != 0))
            fail_msg("%s (%s): wrong content", cases[i].path, cases[i].accept);
    }
    const struct lamp_static_file *js = lamp_static_find(s, "/assets/app-1a2b.js", "br");
    assert_true(js->immutable);
    assert_true(js->varies);
    assert_string_equal(js->encoding, "br");
    assert_string_equal(js->type, "text/javascript; charset=utf-8");
    const struct lamp_static_file *plain = lamp_static_find(s, "/assets/app-1a2b.js", NULL);
    assert_string_not_equal(js->etag, plain->etag);
    assert_false(lamp_static_find(s, "/", NULL)->immutable);
    lamp_static_free(s);
}

static void test_a_missing_dashboard_says_how_to_get_it(void **state)
{
    (void)state;
    lamp_static *s;
    assert_int_equal(lamp_static_load("/tmp/lamp-no-such-folder", &s), LAMP_OK);
    assert_false(lamp_static_is_built(s));
    const struct lamp_static_file *f = lamp_static_find(s, "/", "gzip");
    assert_non_null(f);
    assert_non_null(memmem(f->data, f->len, "cmake", 5));
    assert_null(lamp_static_find(s, "/x.js", NULL));
    lamp_static_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_a_missing_dashboard_says_how_to_get_it),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
