/* SPDX-License-Identifier: Apache-2.0 */
/* The forms of a report with hostile text in it, and the exit codes of the command. */
#include "tests/support/test.h"

#include "sensor/analyze/analyze.h"
#include "sensor/analyze/report.h"

#include <fcntl.h>
#include <math.h>

static void fill(struct lamp_conn *c)
{
    *c = (struct lamp_conn){
        .client = lamp_addr_from_v4((const uint8_t[]){ 10, 0, 0, 1 }),
        .client_port = 4000,
        .server = lamp_addr_from_v4((const uint8_t[]){ 192, 0, 2, 1 }),
        .server_port = 3333,
        .ip_proto = 6,
        .first_us = 1000000,
        .last_us = 101500000,
        .work_from_us = 1500000,
        .verdict = LAMP_VERDICT_CONFIRMED,
        .confidence = 0.9999,
        .family = "stratum-v1",
        .work = 6000,
        .work_squares = 600000,
        .work_shares = 60,
        .shares = { 61, 60, 1, 0 },
    };
    c->wallets.n = c->workers.n = 1;
    snprintf(c->wallets.v[0], sizeof(c->wallets.v[0]), "=HYPERLINK(\"x\")");
    snprintf(c->workers.v[0], sizeof(c->workers.v[0]), "<script>\x1b[2J");
}

static char *report(const struct lamp_report_form *form)
{
    char *text;
    size_t size;
    struct lamp_conn c;
    struct lamp_report_error error = { (char[]){ "a\xff<b>" }, (char[]){ "bad" } };
    const struct lamp_report_summary sum = {
        .files = 1, .connections = 1, .errors = &error, .n_errors = 1
    };
    FILE *f = open_memstream(&text, &size);
    assert_non_null(f);
    fill(&c);
    const struct lamp_report_estimate estimate = { .rate = lamp_report_rate(&c) };
    form->begin(f);
    form->connection(f, "-x.pcap", &c, &estimate);
    form->end(f, &sum);
    fclose(f);
    return text;
}

static void test_csv_is_no_formula(void **state)
{
    (void)state;
    char *text = report(&lamp_report_csv);
    assert_non_null(strstr(text, "\"'=HYPERLINK(\"\"x\"\")\""));
    assert_non_null(strstr(text, "\r\n\"'-x.pcap\",\"10.0.0.1\",\"4000\""));
    size_t lines = 0, columns[2] = { 0, 0 };
    bool quoted = false;
    for (const char *p = text; *p; p++) {
        quoted ^= *p == '"';
        lines += *p == '\n' && !quoted;
        if (*p == ',' && !quoted && lines < 2)
            columns[lines]++;
    }
    assert_int_equal(lines, 2);
    assert_int_equal(columns[0], columns[1]);
    free(text);
}

static void test_html_is_escaped(void **state)
{
    (void)state;
    char *text = report(&lamp_report_html);
    assert_null(strstr(text, "<script"));
    assert_null(strchr(text, '\x1b'));
    assert_non_null(strstr(text, "&lt;script&gt;\\x1b[2J"));
    assert_non_null(strstr(text, "a\\xff&lt;b&gt;: bad"));
    assert_non_null(strstr(text, "default-src 'none'"));
    free(text);
}

static void test_table_is_terminal_safe(void **state)
{
    (void)state;
    char *text = report(&lamp_report_table);
    assert_null(strchr(text, '\x1b'));
    assert_non_null(strstr(text, "60/61"));
    free(text);
}

static void test_json_escapes_what_is_not_text(void **state)
{
    (void)state;
    char *text = report(&lamp_report_json);
    assert_non_null(strstr(text, "\"errors\":[{\"file\":\"a\\\\xff<b>\",\"error\":\"bad\"}]"));
    assert_non_null(strstr(text, "\"agent\":null"));
    assert_non_null(strstr(text, "\"tunnel\":null"));
    free(text);
}

static void test_rate(void **state)
{
    (void)state;
    struct lamp_conn c;
    char buf[48];
    fill(&c);
    struct lamp_rate r = lamp_report_rate(&c);
    assert_true(r.method == LAMP_RATE_SHARES && fabs(r.value - 60) < 1e-9);
    assert_true(r.low < 60 && r.high > 60);
    c.work_shares = 0;
    c.work = c.work_squares = 0;
    assert_int_equal(lamp_report_rate(&c).method, LAMP_RATE_NONE);
    c.self_rate = 30444129;
    r = lamp_report_rate(&c);
    assert_int_equal(r.method, LAMP_RATE_SELF_REPORTED);
    assert_string_equal(lamp_report_rate_text(&r, NULL, buf, sizeof(buf)), "30.4 MH/s");
    assert_string_equal(lamp_report_rate_text(&r, "Sol/s", buf, sizeof(buf)), "30.4 MSol/s");
}

/* The command with its output thrown away. */
static int run(char **argv)
{
    int argc = 0;
    while (argv[argc])
        argc++;
    fflush(stdout);
    fflush(stderr);
    const int out = dup(1), err = dup(2), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_true(dup2(null, 1) == 1 && dup2(null, 2) == 2);
    const int code = lamp_analyze_main(argc, argv);
    fflush(stdout);
    fflush(stderr);
    assert_true(dup2(out, 1) == 1 && dup2(err, 2) == 2);
    close(out);
    close(err);
    close(null);
    return code;
}

static void test_exit_codes(void **state)
{
    (void)state;
    static const struct {
        const char *argv[8];
        int want;
    } cases[] = {
        { { "analyze", NULL }, 2 },
        { { "analyze", "--help", NULL }, 0 },
        { { "analyze", "--version", NULL }, 0 },
        { { "analyze", "--jsonn", "x", NULL }, 2 },
        { { "analyze", "--json", "--csv", "x", NULL }, 2 },
        { { "analyze", "--minutes", "x", NULL }, 2 },
        { { "analyze", "--confined", "x", NULL }, 2 },
        { { "analyze", "--confined", "--html", "y", "-", NULL }, 2 },
        { { "analyze", "--confined", "-", "-", NULL }, 2 },
        { { "analyze", "--catalogue", "/nonexistent", "x", NULL }, 2 },
        { { "analyze", "--catalogue", LAMP_DATA, "--html", "/nonexistent/x", "y", NULL }, 2 },
        { { "analyze", "--catalogue", LAMP_DATA, "/nonexistent.pcap", NULL }, 1 },
        { { "analyze", "--catalogue", LAMP_DATA, "--json", "/dev/null", NULL }, 1 },
        { { "analyze", "--catalogue", LAMP_DATA, LAMP_DATA "/coins.csv", NULL }, 1 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *argv[ARRAY_LEN(cases[i].argv)];
        memcpy(argv, cases[i].argv, sizeof(argv));
        const int code = run(argv);
        if (code != cases[i].want)
            fail_msg("case %zu: exit %d, want %d", i, code, cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv_is_no_formula),
        cmocka_unit_test(test_html_is_escaped),
        cmocka_unit_test(test_table_is_terminal_safe),
        cmocka_unit_test(test_json_escapes_what_is_not_text),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_exit_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
