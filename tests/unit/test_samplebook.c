/* SPDX-License-Identifier: Apache-2.0 */
/* Packet samples at the aggregator: orders, what honest and hostile sensors answer, files and their quota. The
 * sensors are s1 of north and s2 of south. */
#include "aggregator/writer/samplebook.h"
#include "tests/support/merging.h"

#define SECOND UINT64_C(1000000)
#define DAY (86400 * SECOND)

enum { BYTES = 10000 };

static struct merging g;
static char *folder, samples[160];
static lamp_samplebook *book;
static uint64_t now_us;

static void open_book(uint64_t quota)
{
    const struct lamp_samplebook_cfg cfg = { g.store, samples, quota, 30 };
    lamp_samplebook_free(book);
    assert_int_equal(lamp_samplebook_new(&cfg, &book), LAMP_OK);
    g.m.samples = book;
}

static int setup(void **state)
{
    (void)state;
    folder = new_folder();
    snprintf(samples, sizeof(samples), "%s/samples", folder);
    merging_open(&g, folder);
    now_us = TEST_NOW_US;
    open_book(1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    book = lamp_samplebook_free(book);
    merging_close(&g);
    remove_folder(folder);
    free(folder);
    return 0;
}

/* ---- what is asked and answered ---- */

static int run(const struct lamp_command *c, struct lamp_command_result *r)
{
    *r = (struct lamp_command_result){ 0 };
    ok(g.store, lamp_store_begin(g.store));
    const int err = lamp_samplebook_command(book, c, &g.answers, now_us, r);
    ok(g.store, lamp_store_commit(g.store));
    return err;
}

static struct lamp_command order_of(const char *site)
{
    struct lamp_command c = { .kind = LAMP_CMD_SAMPLE,
                              .actor = "ann",
                              .sample_change = LAMP_SAMPLE_ORDER,
                              .sample = { .packets_per_connection = 5,
                                          .packets = 100,
                                          .duration_s = 60,
                                          .snaplen = 65535,
                                          .bytes_max = BYTES,
                                          .expires_us = 3600 * SECOND,
                                          .matches = { { .remote_port = 3333 } },
                                          .n_matches = 1 } };
    snprintf(c.sample.site, sizeof(c.sample.site), "%s", site);
    return c;
}

static int64_t order(const char *site)
{
    const struct lamp_command c = order_of(site);
    struct lamp_command_result r;
    assert_int_equal(run(&c, &r), LAMP_OK);
    return r.key_id;
}

static bool take_sample(const struct lamp_sample *v, void *arg)
{
    memcpy(arg, v, sizeof(*v));
    return false;
}

static bool take_file(const struct lamp_sample_file *v, void *arg)
{
    memcpy(arg, v, sizeof(*v));
    return false;
}

static struct lamp_sample sample(int64_t id)
{
    struct lamp_sample v = { .id = 0 };
    ok(g.store,
       lamp_store_samples(g.store, &(struct lamp_sample_filter){ .id = id }, take_sample, &v));
    return v;
}

/* Of the first sensor of an order. */
static struct lamp_sample_file file(int64_t id)
{
    struct lamp_sample_file v = { .sample_id = 0 };
    ok(g.store, lamp_store_sample_files(
                    g.store, &(struct lamp_sample_file_filter){ .sample_id = id }, take_file, &v));
    return v;
}

/* How many messages of a type wait for a sensor ("": any); the last of them in *out, lamp_msg_free() it. */
static size_t answers(enum lamp_msg_type type, const char *sensor, struct lamp_msg **out)
{
    size_t n = 0;
    *out = NULL;
    for (const struct lamp_letter *l = g.answers.first; l; l = l->next) {
        struct lamp_msg *m;
        assert_int_equal(lamp_msg_unpack(l->data, l->len, &m), LAMP_OK);
        if (m->type == type && (!*sensor || streq(l->sensor, sensor))) {
            lamp_msg_free(*out);
            *out = m;
            n++;
        } else {
            lamp_msg_free(m);
        }
    }
    lamp_answers_drop(&g.answers);
    return n;
}

static void forget_answers(void)
{
    lamp_answers_drop(&g.answers);
}

/* What a sensor says, and the SAMPLE_ACK it gets: *out_next, *out_over; false: none. */
static bool say(const char *sensor, struct lamp_msg *m, uint64_t *out_next, bool *out_over)
{
    struct lamp_letter l = { .msg = m, .at_us = now_us, .cost = 100, .session_bytes = 100 };
    struct lamp_msg *ack;
    snprintf(l.sensor, sizeof(l.sensor), "%s", sensor);
    forget_answers();
    ok(g.store, lamp_store_begin(g.store));
    ok(g.store, lamp_merge_letter(&g.m, &l));
    ok(g.store, lamp_store_commit(g.store));
    const size_t n = answers(LAMP_MSG_SAMPLE_ACK, sensor, &ack);
    assert_true(n <= 1);
    if (n) {
        *out_next = ack->u.sample_ack.next_offset;
        *out_over = ack->u.sample_ack.over;
    }
    lamp_msg_free(ack);
    return n == 1;
}

static uint8_t content[2 * BYTES];

static bool chunk(const char *sensor, uint64_t wire, uint64_t offset, size_t len, bool last,
                  uint64_t *out_next, bool *out_over)
{
    struct lamp_msg m = { .type = LAMP_MSG_SAMPLE_CHUNK };
    m.u.sample_chunk =
        (struct lamp_sample_chunk){ wire, offset, { content + offset % BYTES, len }, last };
    return say(sensor, &m, out_next, out_over);
}

static bool status(const char *sensor, uint64_t wire, enum lamp_order_state st, const char *words,
                   bool *out_over)
{
    uint64_t next;
    struct lamp_msg m = { .type = LAMP_MSG_ORDER_STATUS };
    *out_over = false;
    m.u.order_status = (struct lamp_order_status){ wire, st, 0, lamp_bytes_of(words), 9, 900 };
    return say(sensor, &m, &next, out_over);
}

static long size_of(int64_t id)
{
    char path[400];
    struct stat st;
    const struct lamp_sample_file f = file(id);
    lamp_sample_path(samples, id, f.sensor_ref, path, sizeof(path));
    return stat(path, &st) == 0 ? (long)st.st_size : -1;
}

/* ---- tests ---- */

static void test_life(void **state)
{
    (void)state;
    struct lamp_msg *m;
    uint64_t next = 0;
    bool over = false;
    char path[400], read[BYTES];
    for (size_t i = 0; i < sizeof(content); i++)
        content[i] = (uint8_t)(i * 7);
    const int64_t id = order("north");
    assert_int_equal(answers(LAMP_MSG_ORDER, "s1", &m), 1);
    const uint64_t wire = m->u.order.id;
    assert_int_equal(m->u.order.packets, 100);
    assert_int_equal(m->u.order.matches[0].remote_port, 3333);
    lamp_msg_free(m);
    assert_true(wire && sample(id).wire == wire);
    assert_string_equal(sample(id).created_by, "ann");
    assert_int_equal(file(id).state, LAMP_SAMPLE_ORDERED);

    assert_false(status("s1", wire, LAMP_ORDER_RUNNING, "", &over));
    assert_int_equal(file(id).state, LAMP_SAMPLE_RUNNING);
    assert_int_equal(file(id).packets, 9);
    assert_false(status("s1", wire, LAMP_ORDER_DONE, "", &over));
    assert_int_equal(file(id).state, LAMP_SAMPLE_ARRIVING);
    assert_true(chunk("s1", wire, 0, 400, false, &next, &over));
    assert_true(next == 400 && !over);
    assert_true(chunk("s1", wire, 400, 500, true, &next, &over));
    assert_true(next == 900 && over);
    const struct lamp_sample_file f = file(id);
    assert_int_equal(f.state, LAMP_SAMPLE_DONE);
    assert_int_equal(f.landed, 900);
    lamp_sample_path(samples, id, f.sensor_ref, path, sizeof(path));
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    assert_int_equal(fread(read, 1, sizeof(read), in), 900);
    fclose(in);
    assert_memory_equal(read, content, 900);
}

/* What a sensor may send in place of the chunk of 100 bytes at 400, and what becomes of it. */
static const struct {
    const char *label, *sensor;
    uint64_t wire_off, offset;
    uint32_t len;
    bool last;
    uint64_t next;
    bool over;
    enum lamp_sample_state state;
    uint64_t landed;
} hostile[] = {
    { "what follows", "s1", 0, 400, 100, false, 500, false, LAMP_SAMPLE_ARRIVING, 500 },
    { "again", "s1", 0, 0, 400, false, 400, false, LAMP_SAMPLE_ARRIVING, 400 },
    { "half of it again", "s1", 0, 200, 300, false, 400, false, LAMP_SAMPLE_ARRIVING, 400 },
    { "a hole", "s1", 0, 500, 100, false, 400, false, LAMP_SAMPLE_ARRIVING, 400 },
    { "a hole at the end", "s1", 0, 500, 100, true, 400, false, LAMP_SAMPLE_ARRIVING, 400 },
    { "far away", "s1", 0, INT64_MAX, 100, true, 400, false, LAMP_SAMPLE_ARRIVING, 400 },
    { "nothing", "s1", 0, 400, 0, false, 400, false, LAMP_SAMPLE_ARRIVING, 400 },
    { "the end alone", "s1", 0, 400, 0, true, 400, true, LAMP_SAMPLE_DONE, 400 },
    { "all that is left", "s1", 0, 400, BYTES - 400, true, BYTES, true, LAMP_SAMPLE_DONE, BYTES },
    { "a byte too many", "s1", 0, 400, BYTES - 399, true, 400, true, LAMP_SAMPLE_FAILED, 400 },
    { "another's order", "s2", 0, 400, 100, false, 0, true, LAMP_SAMPLE_ARRIVING, 400 },
    { "no order", "s1", 1, 400, 100, false, 0, true, LAMP_SAMPLE_ARRIVING, 400 },
};

static void test_hostile_chunks(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
        const int64_t id = order("north");
        const uint64_t wire = sample(id).wire;
        uint64_t next = 0;
        bool over = false;
        assert_true(chunk("s1", wire, 0, 400, false, &next, &over));
        assert_true(chunk(hostile[i].sensor, wire ^ hostile[i].wire_off, hostile[i].offset,
                          hostile[i].len, hostile[i].last, &next, &over));
        const struct lamp_sample_file f = file(id);
        if (next != hostile[i].next || over != hostile[i].over || f.state != hostile[i].state ||
            f.landed != hostile[i].landed)
            fail_msg("%s: next %llu over %d state %d", hostile[i].label, (unsigned long long)next,
                     over, f.state);
        /* What is over stays so, whatever comes. */
        const enum lamp_sample_state st = f.state;
        if (st == LAMP_SAMPLE_DONE || st == LAMP_SAMPLE_FAILED) {
            assert_true(chunk("s1", wire, f.landed, 100, false, &next, &over));
            assert_true(over && next == 0);
            assert_true(status("s1", wire, LAMP_ORDER_RUNNING, "", &over));
            assert_true(over && file(id).state == st);
        }
        assert_int_equal(size_of(id), st == LAMP_SAMPLE_FAILED ? -1 : (long)f.landed);
        const struct lamp_command c = { .kind = LAMP_CMD_SAMPLE,
                                        .actor = "ann",
                                        .sample_change = LAMP_SAMPLE_CANCEL,
                                        .sample = { .id = id } };
        struct lamp_command_result r;
        assert_int_equal(run(&c, &r), LAMP_OK);
    }
    forget_answers();
}

static void test_refused_and_failed(void **state)
{
    (void)state;
    bool over;
    const int64_t id = order("north"), other = order("north");
    assert_true(status("s1", sample(id).wire, LAMP_ORDER_REFUSED, "no \x1b[31mroom", &over));
    assert_true(over);
    assert_int_equal(file(id).state, LAMP_SAMPLE_REFUSED);
    assert_non_null(strstr(file(id).words, "room"));
    assert_null(strchr(file(id).words, '\x1b'));
    assert_true(status("s1", sample(other).wire, LAMP_ORDER_FAILED, "disk full", &over));
    assert_int_equal(file(other).state, LAMP_SAMPLE_FAILED);
    assert_string_equal(file(other).words, "disk full");
    assert_true(status("s1", 12345, LAMP_ORDER_RUNNING, "", &over)); /* of none of ours */
    assert_true(over);
}

static void hello(const char *sensor)
{
    struct lamp_msg m = { .type = LAMP_MSG_HELLO };
    struct lamp_letter l = { .msg = &m, .at_us = now_us, .cost = 100, .session_bytes = 100 };
    m.u.hello = (struct lamp_hello){ .proto_min = 1, .proto_max = 1 };
    snprintf(l.sensor, sizeof(l.sensor), "%s", sensor);
    snprintf(l.key, sizeof(l.key), "%s", streq(sensor, "s1") ? MERGING_KEY_1 : MERGING_KEY_2);
    forget_answers();
    ok(g.store, lamp_store_begin(g.store));
    ok(g.store, lamp_merge_letter(&g.m, &l));
    ok(g.store, lamp_store_commit(g.store));
}

static void tick(void)
{
    forget_answers();
    assert_true(lamp_samplebook_due_us(book) <= now_us);
    ok(g.store, lamp_store_begin(g.store));
    ok(g.store, lamp_samplebook_tick(book, &g.answers, now_us));
    ok(g.store, lamp_store_commit(g.store));
}

/* An order is said when it is given, when a session begins, and now and then until it is over. */
static void test_said_again(void **state)
{
    (void)state;
    struct lamp_msg *m;
    bool over;
    const int64_t id = order("");
    assert_int_equal(answers(LAMP_MSG_ORDER, "", &m), 2); /* of every site */
    lamp_msg_free(m);
    hello("s2");
    assert_int_equal(answers(LAMP_MSG_ORDER, "s2", &m), 1);
    lamp_msg_free(m);
    tick();
    assert_int_equal(answers(LAMP_MSG_ORDER, "", &m), 2);
    lamp_msg_free(m);
    assert_true(lamp_samplebook_due_us(book) > now_us);
    assert_true(status("s2", sample(id).wire, LAMP_ORDER_REFUSED, "no", &over));
    hello("s2");
    assert_int_equal(answers(LAMP_MSG_ORDER, "s2", &m), 0);

    /* Who never said a word is not waited for; who did gets a day more. */
    const int64_t later = order("south");
    assert_false(status("s2", sample(later).wire, LAMP_ORDER_RUNNING, "", &over));
    now_us += 3601 * SECOND;
    tick();
    struct lamp_sample_file_filter f = { .sample_id = id, .open = true };
    struct lamp_sample_file found = { .sample_id = 0 };
    ok(g.store, lamp_store_sample_files(g.store, &f, take_file, &found));
    assert_int_equal(found.sample_id, 0);
    assert_int_equal(file(later).state, LAMP_SAMPLE_RUNNING);
    now_us += DAY + 60 * SECOND;
    tick();
    assert_int_equal(file(later).state, LAMP_SAMPLE_EXPIRED);
}

static void test_cancel(void **state)
{
    (void)state;
    struct lamp_msg *m;
    struct lamp_command_result r;
    uint64_t next = 0;
    bool over = false;
    const int64_t id = order("north");
    const uint64_t wire = sample(id).wire;
    struct lamp_command c = { .kind = LAMP_CMD_SAMPLE,
                              .actor = "ann",
                              .sample_change = LAMP_SAMPLE_CANCEL,
                              .sample = { .id = id } };
    assert_true(chunk("s1", wire, 0, 400, false, &next, &over));
    assert_int_equal(size_of(id), 400);
    assert_int_equal(run(&c, &r), LAMP_OK);
    assert_int_equal(answers(LAMP_MSG_ORDER, "s1", &m), 1);
    assert_int_equal(m->u.order.kind, LAMP_ORDER_CANCEL);
    assert_true(m->u.order.id == wire);
    lamp_msg_free(m);
    assert_int_equal(file(id).state, LAMP_SAMPLE_CANCELLED);
    assert_int_equal(size_of(id), -1);
    assert_int_equal(run(&c, &r), LAMP_OK); /* it is over: it goes */
    assert_int_equal(sample(id).id, 0);
    assert_int_equal(run(&c, &r), LAMP_ENOENT);
}

/* A sample that is all here. */
static int64_t landed(size_t len)
{
    uint64_t next = 0;
    bool over = false;
    const int64_t id = order("north");
    now_us += SECOND;
    assert_true(chunk("s1", sample(id).wire, 0, len, true, &next, &over));
    assert_true(over);
    return id;
}

static void test_quota_and_age(void **state)
{
    (void)state;
    uint64_t next = 0;
    bool over = false;
    open_book(2 * BYTES);
    const int64_t first = landed(BYTES), second = landed(BYTES), third = landed(BYTES / 2);
    assert_true(file(first).removed && size_of(first) == -1); /* the oldest made room */
    assert_true(!file(second).removed && size_of(second) == BYTES);
    assert_int_equal(file(first).state, LAMP_SAMPLE_DONE); /* that it was is not forgotten */

    /* Where nothing is left to go, it is said. */
    open_book(100);
    const int64_t none = order("north");
    assert_true(chunk("s1", sample(none).wire, 0, 101, false, &next, &over));
    assert_true(over);
    assert_int_equal(file(none).state, LAMP_SAMPLE_FAILED);
    assert_non_null(strstr(file(none).words, "samples.quota"));

    open_book(2 * BYTES);
    const int64_t young = landed(100);
    now_us += 29 * DAY;
    tick();
    assert_false(file(young).removed);
    now_us += 2 * DAY;
    tick();
    assert_true(file(young).removed && size_of(young) == -1);
    (void)third;
}

static void test_limits(void **state)
{
    (void)state;
    struct lamp_command_result r;
    struct lamp_command c = order_of("nowhere");
    assert_int_equal(run(&c, &r), LAMP_ENOENT);
    assert_non_null(strstr(r.why, "nowhere"));
    for (int i = 0; i < LAMP_SAMPLES_OPEN; i++)
        order("north");
    c = order_of("north");
    assert_int_equal(run(&c, &r), LAMP_EFULL);
    snprintf(c.sample.sensor, sizeof(c.sample.sensor), "s2"); /* which is not at north */
    assert_int_equal(run(&c, &r), LAMP_ENOENT);
    forget_answers();
}

/* Rings leave room for people: half of what may be under way, and what people had taken. */
static void test_rings(void **state)
{
    (void)state;
    struct lamp_command_result r = { 0 };
    struct lamp_command c = order_of("north");
    const int64_t mine = landed(100);
    ok(g.store, lamp_store_begin(g.store));
    for (int i = 0; i < 2; i++) {
        struct lamp_sample_totals t;
        int err = LAMP_OK;
        c.sample.tracking_id = 1;
        for (int k = 0; k < LAMP_SAMPLES_RINGS && !err; k++)
            err = lamp_samplebook_order(book, &c.sample, &g.answers, now_us, &r);
        assert_int_equal(err, i ? LAMP_EFULL : LAMP_OK);
        ok(g.store, lamp_store_sample_totals(g.store, &t));
        assert_int_equal(t.rings_open, LAMP_SAMPLES_RINGS);
        assert_int_equal(t.open, LAMP_SAMPLES_RINGS);
        forget_answers();
    }
    ok(g.store, lamp_samplebook_remove(book, r.key_id, &g.answers)); /* one is free */
    forget_answers();

    /* As many as are kept: without one of a ring that is over none goes; with one, that does. */
    struct lamp_sample_totals t;
    ok(g.store, lamp_store_sample_totals(g.store, &t));
    for (uint64_t i = t.kept; i < LAMP_SAMPLES_KEPT; i++) {
        struct lamp_sample over = { .wire = i + 1 };
        ok(g.store, lamp_store_sample_add(g.store, &over));
    }
    assert_int_equal(lamp_samplebook_order(book, &c.sample, &g.answers, now_us, &r), LAMP_EFULL);
    assert_int_equal(sample(mine).id, mine);
    ok(g.store, lamp_samplebook_remove(book, mine + 1, &g.answers));
    struct lamp_sample over = { .wire = 2000, .tracking_id = 1 };
    ok(g.store, lamp_store_sample_add(g.store, &over));
    ok(g.store, lamp_samplebook_order(book, &c.sample, &g.answers, now_us, &r));
    assert_int_equal(sample(over.id).id, 0);
    assert_int_equal(sample(mine).id, mine);
    c.sample.tracking_id = 0;
    ok(g.store, lamp_samplebook_order(book, &c.sample, &g.answers, now_us, &r));
    assert_int_equal(sample(mine).id, 0); /* was the oldest */
    ok(g.store, lamp_store_commit(g.store));
    forget_answers();
}

/* A folder that is gone is no failure of the store's. */
static void test_no_folder(void **state)
{
    (void)state;
    uint64_t next = 0;
    bool over = false;
    const int64_t id = order("north");
    assert_int_equal(rmdir(samples), 0);
    assert_true(chunk("s1", sample(id).wire, 0, 100, false, &next, &over));
    assert_true(over);
    assert_int_equal(file(id).state, LAMP_SAMPLE_FAILED);
    assert_non_null(strstr(file(id).words, "the aggregator cannot keep it"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile_chunks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_and_failed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_said_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quota_and_age, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_folder, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
