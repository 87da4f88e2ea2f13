/* SPDX-License-Identifier: Apache-2.0 */
/* What analyze may say of an import and what it may not, the answer that is made of it, and how the
 * store keeps it. Uploads and analyses are in tests/api/imports.py. */
#include "aggregator/imports/result.h"
#include "tests/support/aggregator.h"

#define CONN(verdict, host)                                                                        \
    "{\"type\":\"connection\",\"file\":\"-\",\"client\":{\"ip\":\"" host "\",\"port\":1},"         \
    "\"server\":{\"ip\":\"203.0.113.9\",\"port\":3333,\"name\":\"pool.example\"},\"vlan\":[],"     \
    "\"transport\":\"tcp\",\"verdict\":\"" verdict "\",\"confidence\":0.97,\"family\":\"beam\","   \
    "\"coin\":\"BEAM\",\"algorithm\":null,\"wallet\":null,\"worker\":null,\"agent\":null,"         \
    "\"pool\":null,\"platform\":null,\"wallets\":[],\"workers\":[],\"tls\":false,\"sni\":null,"    \
    "\"ja4\":null,\"tunnel\":null,\"midstream\":false,\"jobs\":0,\"difficulty\":null,"             \
    "\"shares\":{},\"hashrate\":null,\"devices\":null,\"power\":null,\"found\":null,"              \
    "\"bytes\":{},\"packets\":{},\"first\":100.5,\"last\":200.25,"                                 \
    "\"evidence\":[{\"detail\":\"a word\"}]}"

/* What was handed on. */
struct seen {
    size_t conns, minutes, files;
    uint64_t submitted;
};

static void on_rows(const struct lamp_import_rows *rows, void *arg)
{
    struct seen *s = arg;
    for (size_t i = 0; i < rows->n_conns; i++) {
        s->conns++;
        assert_int_equal(rows->conns[i].id, s->conns);
        assert_null(strstr(rows->conns[i].json, "\"type\""));
    }
    for (size_t i = 0; i < rows->n_minutes; i++)
        s->submitted += rows->minutes[i].submitted;
    s->minutes += rows->n_minutes;
    s->files += rows->file != NULL;
}

static void say(lamp_result *r, const char *line)
{
    lamp_result_line(r, line, strlen(line));
}

/* A line, and whether a connection comes of it. */
static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *label, *line;
        size_t kept, left_out;
    } cases[] = {
        { "connection", CONN("confirmed", "10.0.0.5"), 1, 0 },
        { "no JSON", "{\"type\":\"connection\"", 0, 1 },
        { "empty", "", 0, 1 },
        { "of another type", "{\"type\":\"party\"}", 0, 1 },
        { "without its keys", "{\"type\":\"connection\",\"verdict\":\"confirmed\"}", 0, 1 },
        { "a key twice", "{\"type\":\"connection\",\"type\":\"minute\"}", 0, 1 },
        { "no text", "{\"type\":\"connection\xff\"}", 0, 1 },
        { "an array", "[1]", 0, 1 },
        { "minute", "{\"type\":\"minute\",\"time\":60}", 0, 0 },
        { "minute of nonsense", "{\"type\":\"minute\",\"time\":-1e300,\"packets\":-5}", 0, 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct seen s = { 0 };
        lamp_result *r;
        assert_int_equal(lamp_result_new(1, on_rows, &s, &r), LAMP_OK);
        lamp_result_file(r, "a.pcap", 10);
        say(r, cases[i].line);
        lamp_result_file_end(r, NULL, 0);
        if (s.conns != cases[i].kept || lamp_result_sum(r)->conns_left_out != cases[i].left_out)
            fail_msg("%s: kept %zu", cases[i].label, s.conns);
        assert_int_equal(s.files, 1);
        lamp_result_free(r);
    }
}

/* An unknown verdict counts as none; one more than there is room for is counted. */
static void test_limits(void **state)
{
    (void)state;
    struct seen s = { 0 };
    lamp_result *r;
    assert_int_equal(lamp_result_new(1, on_rows, &s, &r), LAMP_OK);
    lamp_result_file(r, "a.pcap", 10);
    say(r, CONN("certain", "10.0.0.5"));
    for (size_t i = 0; i < LAMP_IMPORT_CONNS_MAX; i++)
        say(r, CONN("wallet", "10.0.0.5"));
    for (size_t i = 0; i < LAMP_IMPORT_MINUTES_MAX + 2; i++)
        say(r, "{\"type\":\"minute\",\"time\":60,\"mining\":{\"shares\":{\"submitted\":2}}}");
    lamp_result_file_end(r, NULL, 3);
    assert_int_equal(s.conns, LAMP_IMPORT_CONNS_MAX);
    assert_int_equal(s.minutes, LAMP_IMPORT_MINUTES_MAX);
    assert_int_equal(s.submitted, 2 * LAMP_IMPORT_MINUTES_MAX);
    const struct lamp_import_sum *sum = lamp_result_sum(r);
    assert_int_equal(sum->connections, LAMP_IMPORT_CONNS_MAX + 1);
    assert_int_equal(sum->verdicts[LAMP_VERDICT_WALLET], LAMP_IMPORT_CONNS_MAX);
    assert_int_equal(sum->conns_left_out, 1 + 3);
    assert_int_equal(sum->minutes_left_out, 2);
    assert_int_equal(sum->first_us, 60000000);
    assert_int_equal(sum->last_us, 200250000);
    lamp_result_free(r);
}

static void test_answers(void **state)
{
    (void)state;
    static const struct {
        const char *lines[4];
        const char *error, *want;
    } cases[] = {
        { { NULL }, NULL, "No: no mining in 7 packets of 1 file." },
        { { NULL },
          "it is cut",
          "No: no mining in 0 packets of 1 file. 1 file could not be read to the end." },
        { { CONN("wallet", "10.0.0.5") },
          NULL,
          "No: no mining in 7 packets of 1 file, but traffic of a node or wallet." },
        { { CONN("suspected", "10.0.0.5") },
          NULL,
          "Perhaps: there is something suspicious and no proof, BEAM at pool.example port 3333 by "
          "beam. Seen: a word." },
        { { CONN("probable", "10.0.0.5"), CONN("wallet", "10.0.0.6") },
          "it is cut",
          "Probably: 1 host mines (10.0.0.5), BEAM at pool.example port 3333 by beam. Seen: a "
          "word. 1 file could not be read to the end." },
        { { CONN("confirmed", "10.0.0.5"), CONN("probable", "10.0.0.6"),
            CONN("confirmed", "\\u001b[2J"), CONN("confirmed", "10.0.0.8") },
          NULL,
          "Yes: 4 hosts mine (10.0.0.5, 10.0.0.6, \\x1b[2J, ...), BEAM at pool.example port 3333 "
          "by beam. Seen: a word." },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char buf[LAMP_IMPORT_TEXT];
        struct seen s = { 0 };
        lamp_result *r;
        assert_int_equal(lamp_result_new(1, on_rows, &s, &r), LAMP_OK);
        lamp_result_file(r, "a.pcap", 10);
        for (size_t k = 0; k < ARRAY_LEN(cases[i].lines) && cases[i].lines[k]; k++)
            say(r, cases[i].lines[k]);
        if (!cases[i].error)
            say(r, "{\"type\":\"summary\",\"packets\":7}");
        lamp_result_file_end(r, cases[i].error, 0);
        assert_string_equal(lamp_result_answer(r, buf, sizeof(buf)), cases[i].want);
        assert_string_equal(lamp_result_error(r), cases[i].error ? "a.pcap: it is cut" : "");
        lamp_result_free(r);
    }
}

/* An analysis that ends well without its summary has not read all of it. */
static void test_no_summary(void **state)
{
    (void)state;
    char buf[LAMP_IMPORT_TEXT];
    struct seen s = { 0 };
    lamp_result *r;
    assert_int_equal(lamp_result_new(1, on_rows, &s, &r), LAMP_OK);
    lamp_result_file(r, "a.pcap", 10);
    lamp_result_file_end(r, NULL, 0);
    assert_int_equal(lamp_result_sum(r)->files_failed, 1);
    assert_non_null(strstr(lamp_result_answer(r, buf, sizeof(buf)), "could not be read"));
    lamp_result_free(r);
}

/* ---- the store ---- */

static bool copy_import(const struct lamp_import *i, void *arg)
{
    *(struct lamp_import *)arg = *i;
    return false;
}

static int find(lamp_store *s, int64_t id, struct lamp_import *out)
{
    out->id = 0;
    assert_int_equal(
        lamp_store_imports(s, &(struct lamp_import_filter){ .id = id }, copy_import, out), LAMP_OK);
    return out->id ? LAMP_OK : LAMP_ENOENT;
}

static bool count(const struct lamp_import_conn *c, void *arg)
{
    assert_string_equal(c->json, "{}");
    ++*(size_t *)arg;
    return true;
}

static size_t conns(lamp_store *s, int64_t id, enum lamp_verdict least)
{
    size_t n = 0;
    const struct lamp_import_conn_filter f = { .import_id = id, .least = least };
    assert_int_equal(lamp_store_import_conns(s, &f, count, &n), LAMP_OK);
    return n;
}

static bool add_up(const struct lamp_import_minute *m, void *arg)
{
    *(uint64_t *)arg += m->packets;
    return true;
}

static void test_store(void **state)
{
    (void)state;
    char *folder = new_folder();
    lamp_store *s = open_store("sqlite", folder, false);
    assert_int_equal(lamp_store_begin(s), LAMP_OK);
    struct lamp_import a = { .state = LAMP_IMPORT_WAITING, .name = "a", .site = "x" }, b = a, got;
    assert_int_equal(lamp_store_import_add(s, &a), LAMP_OK);
    assert_int_equal(lamp_store_import_add(s, &b), LAMP_OK);
    static const struct lamp_import_file file = { .no = 1, .name = "f", .error = "cut" };
    struct lamp_import_rows rows = { .sum = { .packets = 9, .files_done = 1 },
                                     .files = 1,
                                     .file = &file,
                                     .n_conns = 2,
                                     .n_minutes = 2 };
    rows.conns[0] = (struct lamp_import_conn){ 1, 1, LAMP_VERDICT_WALLET, "{}", 2 };
    rows.conns[1] = (struct lamp_import_conn){ 2, 1, LAMP_VERDICT_CONFIRMED, "{}", 2 };
    rows.minutes[0] = (struct lamp_import_minute){ .file = 1, .minute = 5, .packets = 4 };
    rows.minutes[1] = (struct lamp_import_minute){ .file = 1, .minute = 6, .packets = 5 };
    assert_int_equal(lamp_store_import_rows(s, a.id, &rows), LAMP_ENOENT); /* does not run */
    assert_int_equal(lamp_store_import_state(s, a.id, LAMP_IMPORT_RUNNING, "", "", 7), LAMP_OK);
    assert_int_equal(lamp_store_import_rows(s, a.id, &rows), LAMP_OK);
    assert_int_equal(lamp_store_import_state(s, a.id, LAMP_IMPORT_DONE, "No.", "", 9), LAMP_OK);
    assert_int_equal(lamp_store_import_state(s, a.id, LAMP_IMPORT_FAILED, "", "", 9), LAMP_ENOENT);
    assert_int_equal(find(s, a.id, &got), LAMP_OK);
    assert_int_equal(got.sum.packets, 9);
    assert_true(got.started_us == 7 && got.ended_us == 9 && got.state == LAMP_IMPORT_DONE);
    assert_string_equal(got.answer, "No.");
    assert_int_equal(conns(s, a.id, LAMP_VERDICT_NONE), 2);
    assert_int_equal(conns(s, a.id, LAMP_VERDICT_PROBABLE), 1);
    assert_int_equal(conns(s, b.id, LAMP_VERDICT_NONE), 0);
    uint64_t packets = 0;
    assert_int_equal(lamp_store_import_minutes(s, a.id, add_up, &packets), LAMP_OK);
    assert_int_equal(packets, 9);

    assert_int_equal(lamp_store_imports_interrupted(s, "ended", 11), LAMP_OK);
    assert_int_equal(find(s, b.id, &got), LAMP_OK);
    assert_true(got.state == LAMP_IMPORT_FAILED && got.ended_us == 11);
    int64_t oldest = 0;
    assert_int_equal(lamp_store_import_oldest(s, 9, 2, &oldest), LAMP_ENOENT);
    assert_int_equal(lamp_store_import_oldest(s, 10, 2, &oldest), LAMP_OK);
    assert_int_equal(oldest, a.id);
    assert_int_equal(lamp_store_import_oldest(s, 0, 1, &oldest), LAMP_OK);
    assert_int_equal(lamp_store_import_delete(s, a.id), LAMP_OK);
    assert_int_equal(lamp_store_import_delete(s, a.id), LAMP_ENOENT);
    assert_int_equal(conns(s, a.id, LAMP_VERDICT_NONE), 0);
    assert_int_equal(lamp_store_commit(s), LAMP_OK);
    lamp_store_close(s);
    remove_folder(folder);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),   cmocka_unit_test(test_limits),
        cmocka_unit_test(test_answers), cmocka_unit_test(test_no_summary),
        cmocka_unit_test(test_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
