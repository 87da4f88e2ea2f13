/* SPDX-License-Identifier: Apache-2.0 */
#include "common/conf.h"
#include "common/io.h"
#include "tests/support/test.h"

#include <limits.h>

struct settings {
    bool flag;
    int64_t port;
    double ratio;
    char *name;
    struct lamp_strlist list;
    int mode;
};

static const struct lamp_opt options[] = {
    { "flag", LAMP_OPT_BOOL, offsetof(struct settings, flag), 0, 0, "false", NULL, NULL, "A." },
    { "link.port", LAMP_OPT_INT, offsetof(struct settings, port), 1, 65535, "5556", NULL, NULL,
      "Port of the aggregator." },
    { "link.ratio", LAMP_OPT_DOUBLE, offsetof(struct settings, ratio), 0, 10, "0.5", "s", NULL,
      "B." },
    { "link.site_name", LAMP_OPT_STR, offsetof(struct settings, name), 0, 16, "here", NULL, NULL,
      "C." },
    { "never.list", LAMP_OPT_LIST, offsetof(struct settings, list), 0, 0, "a,b", NULL, NULL, "D." },
    { "never.mode", LAMP_OPT_ENUM, offsetof(struct settings, mode), 0, 0, "dry-run", NULL,
      "off|dry-run|enforce", "E." },
};

static const struct lamp_conf_spec spec = {
    .program = "prog",
    .usage = "prog [OPTION]...",
    .about = "Does things.",
    .opts = options,
    .n_opts = ARRAY_LEN(options),
};

static char folder[] = "/tmp/lamp_test_conf.XXXXXX";
static char file[PATH_MAX], part[PATH_MAX];

static int setup(void **state)
{
    (void)state;
    char dir[PATH_MAX];
    if (!mkdtemp(folder) || snprintf(file, sizeof(file), "%s/prog.conf", folder) < 0 ||
        snprintf(dir, sizeof(dir), "%s/conf.d", folder) < 0 ||
        snprintf(part, sizeof(part), "%s/conf.d/50-part.conf", folder) < 0)
        return -1;
    return lamp_io_mkdirs(dir, 0700);
}

static int teardown(void **state)
{
    (void)state;
    char dir[PATH_MAX];
    unlink(file);
    unlink(part);
    assert_true(snprintf(dir, sizeof(dir), "%s/conf.d", folder) > 0);
    rmdir(dir);
    return rmdir(folder);
}

static void write_text(const char *path, const char *text)
{
    assert_int_equal(lamp_io_replace_file(path, text, strlen(text), 0600), LAMP_OK);
}

/* What a load printed on one of the standard streams. */
struct capture {
    int fd, saved, which;
    char text[8192];
};

static void capture_start(struct capture *c, int which)
{
    char name[] = "/tmp/lamp_test_conf_out.XXXXXX";
    fflush(NULL);
    c->which = which;
    c->saved = dup(which);
    c->fd = mkstemp(name);
    assert_true(c->saved >= 0 && c->fd >= 0);
    unlink(name);
    assert_int_equal(dup2(c->fd, which), which);
}

static void capture_stop(struct capture *c)
{
    fflush(NULL);
    assert_int_equal(dup2(c->saved, c->which), c->which);
    close(c->saved);
    ssize_t n = pread(c->fd, c->text, sizeof(c->text) - 1, 0);
    close(c->fd);
    assert_true(n >= 0);
    c->text[n] = '\0';
}

/* Runs lamp_conf_load() on arguments ending in NULL. */
static enum lamp_conf_action load(struct settings *s, char **argv, struct capture *errors,
                                  struct capture *out, int *first)
{
    int argc = 0;
    while (argv[argc])
        argc++;
    *s = (struct settings){ 0 };
    capture_start(out, STDOUT_FILENO);
    capture_start(errors, STDERR_FILENO);
    enum lamp_conf_action action = lamp_conf_load(&spec, argc, argv, s, first);
    capture_stop(errors);
    capture_stop(out);
    return action;
}
#define ARGS(...)                                                                                  \
    (char *[])                                                                                     \
    {                                                                                              \
        "prog", __VA_ARGS__, NULL                                                                  \
    }

static void test_defaults(void **state)
{
    (void)state;
    struct settings s;
    struct capture errors, out;
    int first = 0;
    assert_int_equal(load(&s, (char *[]){ "prog", NULL }, &errors, &out, &first), LAMP_CONF_RUN);
    assert_string_equal(errors.text, "");
    assert_false(s.flag);
    assert_int_equal(s.port, 5556);
    assert_true(s.ratio == 0.5);
    assert_string_equal(s.name, "here");
    assert_int_equal(s.list.n, 2);
    assert_string_equal(s.list.v[1], "b");
    assert_int_equal(s.mode, 1);
    assert_int_equal(first, 1);
    lamp_conf_free(&spec, &s);
    assert_null(s.name);
    lamp_conf_free(&spec, &s);
}

/* default < file < conf.d < environment < command line */
static void test_precedence(void **state)
{
    (void)state;
    struct settings s;
    struct capture errors, out;
    int first = 0;
    write_text(file, "link = { port = 1001; ratio = 1; site_name = \"file\"; };\n"
                     "never = { list = [\"x\"]; mode = \"off\"; };\n");
    write_text(part, "link = { ratio = 2.5; site_name = \"part\"; };\nflag = true;\n");
    assert_int_equal(setenv("DAVYLAMP_LINK_SITE_NAME", "environment", 1), 0);
    assert_int_equal(setenv("DAVYLAMP_NEVER_LIST", " p , ,q r,", 1), 0);
    assert_int_equal(
        load(&s, ARGS("--config", file, "--never-list=z", "--link-port", "7", "rest", "--flag"),
             &errors, &out, &first),
        LAMP_CONF_RUN);
    assert_string_equal(errors.text, "");
    assert_int_equal(s.port, 7); /* command line */
    assert_true(s.ratio == 2.5); /* conf.d */
    assert_string_equal(s.name, "environment");
    assert_int_equal(s.list.n, 1);
    assert_string_equal(s.list.v[0], "z");
    assert_int_equal(s.mode, 0); /* file */
    assert_true(s.flag);
    assert_int_equal(first, 6); /* "rest": what follows is not an option */
    lamp_conf_free(&spec, &s);

    assert_int_equal(load(&s, ARGS("-c", file), &errors, &out, &first), LAMP_CONF_RUN);
    assert_int_equal(s.list.n, 2);
    assert_string_equal(s.list.v[0], "p");
    assert_string_equal(s.list.v[1], "q r");
    lamp_conf_free(&spec, &s);
    unsetenv("DAVYLAMP_LINK_SITE_NAME");
    unsetenv("DAVYLAMP_NEVER_LIST");
    unlink(part);
}

static void test_file_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "\n\nlink = { prot = 1; };\n", ":3: link.prot: unknown key" },
        { "wrong = 1;\n", ":1: wrong: unknown key" },
        { "link = 5;\n", ":1: link: unknown key" },
        { "link = { port = 0; };\n", ":1: link.port: expected 1..65535, got '0'" },
        { "link = {\n port = 65536; };\n", ":2: link.port: expected 1..65535, got '65536'" },
        { "link = { port = \"80x\"; };\n", ":1: link.port: expected 1..65535, got '80x'" },
        { "link = { port = 1.5; };\n", ":1: link.port: expected 1..65535, got '1.5'" },
        { "link = { port = [1]; };\n", ":1: link.port: expected a single value" },
        { "link = { ratio = 11; };\n", ":1: link.ratio: expected 0..10 s, got '11'" },
        { "link = { site_name = 5; };\n", ":1: link.site_name: expected text in quotes" },
        { "link = { site_name = \"12345678901234567\"; };\n",
          ":1: link.site_name: longer than 16 bytes" },
        { "never = { mode = \"on\"; };\n",
          ":1: never.mode: expected off|dry-run|enforce, got 'on'" },
        { "never = { list = [1]; };\n", ":1: never.list: expected a list of strings" },
        { "flag = 2;\n", ":1: flag: expected true|false, got '2'" },
        { "flag = \n\n}\n", ":3: syntax: " },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct settings s = { 0 };
        char *errors = NULL;
        size_t len = 0;
        FILE *sink = open_memstream(&errors, &len);
        write_text(file, cases[i].text);
        assert_int_equal(lamp_conf_load_file(&spec, file, &s, sink), LAMP_EFORMAT);
        fclose(sink);
        if (!strstr(errors, file) || !strstr(errors, cases[i].want))
            fail_msg("wanted '%s', got '%s'", cases[i].want, errors);
        free(errors);
        lamp_conf_free(&spec, &s);
    }
}

/* Every mistake is told, not only the first. */
static void test_all_errors(void **state)
{
    (void)state;
    struct settings s;
    struct capture errors, out;
    int first = -1;
    write_text(file, "a = 1;\nlink = { port = 0; };\n");
    assert_int_equal(setenv("DAVYLAMP_FLAG", "maybe", 1), 0);
    assert_int_equal(load(&s, ARGS("-c", file, "--nope", "--never-mode=x", "--link-port"), &errors,
                          &out, &first),
                     LAMP_CONF_EXIT_USAGE);
    static const char *const want[] = {
        "prog.conf:1: a: unknown key",
        "prog.conf:2: link.port: expected",
        "DAVYLAMP_FLAG: flag: expected true|false, got 'maybe'",
        "command line: --nope: unknown option",
        "command line: never.mode: expected off|dry-run|enforce, got 'x'",
        "command line: --link-port: needs a value",
    };
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        if (!strstr(errors.text, want[i]))
            fail_msg("'%s' is missing from '%s'", want[i], errors.text);
    assert_int_equal(first, -1);
    lamp_conf_free(&spec, &s);
    unsetenv("DAVYLAMP_FLAG");

    assert_int_equal(load(&s, ARGS("-c", "/nonexistent/x.conf"), &errors, &out, &first),
                     LAMP_CONF_EXIT_USAGE);
    assert_non_null(strstr(errors.text, "/nonexistent/x.conf: cannot be read: No such file"));
    lamp_conf_free(&spec, &s);
}

/* What --print-config prints loads to the same, odd characters included. */
static void test_print_round_trip(void **state)
{
    (void)state;
    struct settings s;
    struct capture errors, once, twice;
    int first = 0;
    char *odd[] = { "prog",
                    "--print-config",
                    "--flag",
                    "--link-port=65535",
                    "--link-ratio=0.1",
                    "--link-site-name=a\"b\\c\n\x01",
                    "--never-list=one,t w o,\"",
                    "--never-mode",
                    "enforce",
                    NULL };
    assert_int_equal(load(&s, odd, &errors, &once, &first), LAMP_CONF_EXIT_OK);
    assert_string_equal(errors.text, "");
    assert_non_null(strstr(once.text, "    # Port of the aggregator.\n    port = 65535;\n"));
    assert_non_null(strstr(once.text, "ratio = 0.1;"));
    lamp_conf_free(&spec, &s);

    write_text(file, once.text);
    assert_int_equal(load(&s, ARGS("-c", file, "--print-config"), &errors, &twice, &first),
                     LAMP_CONF_EXIT_OK);
    assert_string_equal(errors.text, "");
    assert_string_equal(twice.text, once.text);
    assert_string_equal(s.name, "a\"b\\c\n\x01");
    assert_int_equal(s.list.n, 3);
    assert_int_equal(s.mode, 2);
    lamp_conf_free(&spec, &s);
}

static void test_actions(void **state)
{
    (void)state;
    struct settings s;
    struct capture errors, out;
    int first = 0;
    write_text(file, "flag = true;\n");
    assert_int_equal(load(&s, ARGS("-c", file, "--check-config"), &errors, &out, &first),
                     LAMP_CONF_EXIT_OK);
    assert_string_equal(out.text, "prog: configuration is good\n");
    lamp_conf_free(&spec, &s);
    write_text(file, "flog = true;\n");
    assert_int_equal(load(&s, ARGS("-c", file, "--check-config"), &errors, &out, &first),
                     LAMP_CONF_EXIT_USAGE);
    assert_string_equal(out.text, "");
    lamp_conf_free(&spec, &s);

    assert_int_equal(load(&s, ARGS("--help"), &errors, &out, &first), LAMP_CONF_EXIT_OK);
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        assert_non_null(strstr(out.text, options[i].help));
    assert_non_null(strstr(out.text, "--link-site-name"));
    assert_non_null(strstr(out.text, "0..10 s"));
    assert_int_equal(load(&s, ARGS("-V"), &errors, &out, &first), LAMP_CONF_EXIT_OK);
    assert_int_equal(strncmp(out.text, "prog ", 5), 0);

    assert_int_equal(load(&s, ARGS("--flag=no", "--", "--flag"), &errors, &out, &first),
                     LAMP_CONF_RUN);
    assert_false(s.flag);
    assert_int_equal(first, 3);
    lamp_conf_free(&spec, &s);
}

static void test_long_list(void **state)
{
    (void)state;
    struct settings s;
    struct capture errors, out;
    int first = 0;
    char text[1024] = "--never-list=";
    for (size_t n = strlen(text), i = 0; i < 257; i++, n += 2)
        memcpy(text + n, "x,", 3);
    assert_int_equal(load(&s, ARGS(text), &errors, &out, &first), LAMP_CONF_EXIT_USAGE);
    assert_non_null(strstr(errors.text, "more than 256 entries"));
    lamp_conf_free(&spec, &s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),         cmocka_unit_test(test_precedence),
        cmocka_unit_test(test_file_errors),      cmocka_unit_test(test_all_errors),
        cmocka_unit_test(test_print_round_trip), cmocka_unit_test(test_actions),
        cmocka_unit_test(test_long_list),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
