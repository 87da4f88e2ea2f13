/* SPDX-License-Identifier: Apache-2.0 */
/* Packet samples at the link process: what it takes and refuses, and that a sample arrives whole whatever
 * happens to its chunks. The test is the capture process and the aggregator. */
#include "common/min.h"
#include "sensor/link/samples.h"
#include "tests/support/aggregator.h"

#define SECOND UINT64_C(1000000)

enum { SIZE = 200000, PART = 50000, ROOM = 1 << 20 };

static uint8_t content[SIZE];
static char *folder;

struct world {
    lamp_samples *s;
    uint64_t now_us;
    struct lamp_order ordered; /* by capture; id 0: none */
    bool cancelled;            /* at capture */
    struct lamp_order_status status;
    char words[LAMP_WIRE_DETAIL_MAX + 1];
    uint8_t data[SIZE];
    uint64_t have;      /* bytes that the aggregator has */
    struct lamp_msg *m; /* the last chunk, NULL: none since */
    unsigned chunks;
    bool deaf; /* nothing can be sent */
};
static struct world w;

static int to_capture(const uint8_t *data, size_t len, void *arg)
{
    struct lamp_msg *m;
    (void)arg;
    assert_int_equal(lamp_msg_unpack(data, len, &m), LAMP_OK);
    assert_int_equal(m->type, LAMP_MSG_ORDER);
    if (m->u.order.kind == LAMP_ORDER_CANCEL)
        w.cancelled = true;
    else
        w.ordered = m->u.order;
    lamp_msg_free(m);
    return LAMP_OK;
}

static int to_aggregator(const uint8_t *data, size_t len, void *arg)
{
    struct lamp_msg *m;
    (void)arg;
    if (w.deaf)
        return LAMP_EAGAIN;
    assert_int_equal(lamp_msg_unpack(data, len, &m), LAMP_OK);
    if (m->type == LAMP_MSG_ORDER_STATUS) {
        w.status = m->u.order_status;
        snprintf(w.words, sizeof(w.words), "%.*s", (int)w.status.detail.len,
                 w.status.detail.len ? (const char *)w.status.detail.data : "");
        lamp_msg_free(m);
        return LAMP_OK;
    }
    assert_int_equal(m->type, LAMP_MSG_SAMPLE_CHUNK);
    lamp_msg_free(w.m);
    w.m = m;
    w.chunks++;
    return LAMP_OK;
}

static uint64_t much_room(const char *at)
{
    (void)at;
    return UINT64_C(1) << 40;
}

static uint64_t little_room(const char *at)
{
    (void)at;
    return 5 << 20;
}

static struct lamp_samples_cfg cfg(void)
{
    return (struct lamp_samples_cfg){ .folder = folder,
                                      .quota_bytes = 16 << 20,
                                      .rate = UINT64_C(1) << 40,
                                      .free_bytes = much_room,
                                      .to_capture = to_capture,
                                      .to_aggregator = to_aggregator };
}

static void open_with(const struct lamp_samples_cfg *c)
{
    memset(&w, 0, sizeof(w));
    w.now_us = 1000 * SECOND;
    assert_int_equal(lamp_samples_open(c, w.now_us, &w.s), LAMP_OK);
}

static void reopen(void)
{
    const struct lamp_samples_cfg c = cfg();
    lamp_samples_close(w.s);
    assert_int_equal(lamp_samples_open(&c, w.now_us, &w.s), LAMP_OK);
    lamp_samples_session(w.s);
}

static int setup(void **state)
{
    (void)state;
    folder = new_folder();
    for (size_t i = 0; i < SIZE; i++)
        content[i] = (uint8_t)(i * 31 + i / 251);
    const struct lamp_samples_cfg c = cfg();
    open_with(&c);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lamp_msg_free(w.m);
    lamp_samples_close(w.s);
    remove_folder(folder);
    free(folder);
    return 0;
}

static size_t pump(void)
{
    return lamp_samples_pump(w.s, ROOM, w.now_us, w.now_us);
}

static const struct lamp_order plain = { 7, LAMP_ORDER_SAMPLE, 5, 100, 60, 65535, SIZE, NULL, 0 };

/* The sample is taken: what capture says of it. */
static void collect(uint64_t id, size_t len)
{
    for (size_t at = 0; at < len; at += PART) {
        const struct lamp_local_sample p = {
            id, 25, { content + at, lamp_min(PART, len - at) }, 0, at + PART >= len
        };
        lamp_samples_take(w.s, &p);
    }
}

static void ack(uint64_t id, uint64_t next, bool over)
{
    lamp_samples_ack(w.s, &(struct lamp_sample_ack){ id, next, over });
}

/* Takes the chunk that came, as the aggregator does: what does not follow changes nothing. */
static bool take_chunk(void)
{
    const struct lamp_sample_chunk *c = &w.m->u.sample_chunk;
    if (c->offset != w.have)
        return false;
    assert_true(c->data.len <= LAMP_SAMPLES_CHUNK && w.have + c->data.len <= SIZE);
    if (c->data.len)
        memcpy(w.data + w.have, c->data.data, c->data.len);
    w.have += c->data.len;
    return c->last;
}

static void test_life(void **state)
{
    (void)state;
    bool last = false;
    lamp_samples_order(w.s, &plain, w.now_us);
    pump();
    assert_int_equal(w.ordered.id, 7);
    assert_int_equal(w.ordered.packets, 100);
    assert_int_equal(w.status.state, LAMP_ORDER_RUNNING);
    collect(7, SIZE);
    pump();
    assert_int_equal(w.status.state, LAMP_ORDER_DONE);
    assert_int_equal(w.status.packets, 100);
    assert_int_equal(w.status.bytes, SIZE);
    while (!last) {
        assert_non_null(w.m);
        last = take_chunk();
        w.m = lamp_msg_free(w.m);
        assert_int_equal(pump(), 0); /* one under way at a time */
        assert_null(w.m);
        ack(7, w.have, last);
        pump();
    }
    assert_null(w.m);
    assert_int_equal(w.have, SIZE);
    assert_memory_equal(w.data, content, SIZE);
    assert_int_equal(w.chunks,
                     (SIZE + LAMP_SAMPLES_CHUNK - 1) / LAMP_SAMPLES_CHUNK); /* full ones */
    /* What is over is not begun again by an order that comes late. */
    w.ordered.id = 0;
    lamp_samples_order(w.s, &plain, w.now_us);
    pump();
    assert_int_equal(w.ordered.id, 0);
    assert_int_equal(w.status.state, LAMP_ORDER_DONE);
}

/* Chunks and acknowledgements are lost, come twice and late, the connection breaks, both sides restart. */
static void test_faults(void **state)
{
    (void)state;
    unsigned turn = 0;
    uint64_t rng = 5, older = 0;
    bool over = false;
    lamp_samples_order(w.s, &plain, w.now_us);
    pump();
    collect(7, SIZE);
    while (!over) {
        assert_true(++turn < 1000);
        rng = rng * UINT64_C(6364136223846793005) + 1442695040888963407;
        const unsigned fault = (unsigned)(rng >> 33) % 8;
        w.now_us += SECOND;
        pump();
        if (fault == 0) { /* the chunk is lost */
            w.m = lamp_msg_free(w.m);
        } else if (fault == 1) { /* so is the session */
            lamp_samples_session(w.s);
        } else if (fault == 2) {
            reopen();
        } else if (fault == 3 && w.have > 0) { /* the aggregator's disk lost some */
            w.have -= lamp_min_u64(w.have, 10000);
            ack(7, w.have, false);
        } else if (fault == 4) {
            ack(7, older, false); /* of before */
        } else if (fault == 5) {
            ack(7, SIZE + 1, false); /* what cannot be */
            ack(8, 5, true);         /* another's */
        } else if (w.m) {
            over = take_chunk();
            older = w.have;
            if (fault == 6) /* the answer is lost */
                over = false;
            else
                ack(7, w.have, over);
            w.m = over ? w.m : lamp_msg_free(w.m);
        }
    }
    assert_int_equal(w.have, SIZE);
    assert_memory_equal(w.data, content, SIZE);
    w.m = lamp_msg_free(w.m);
    w.now_us += 100 * SECOND;
    reopen();
    pump();
    assert_null(w.m); /* it is forgotten */
}

static void test_again_and_rate(void **state)
{
    (void)state;
    struct lamp_samples_cfg c = cfg();
    lamp_samples_close(w.s);
    c.rate = LAMP_SAMPLES_CHUNK;
    open_with(&c);
    lamp_samples_order(w.s, &plain, w.now_us);
    pump();
    collect(7, SIZE);
    assert_int_equal(lamp_samples_pump(w.s, 0, w.now_us, w.now_us),
                     0); /* no room: nothing at all */
    pump();
    assert_int_equal(w.chunks, 1);
    ack(7, LAMP_SAMPLES_CHUNK, false);
    pump();
    assert_int_equal(w.chunks, 1); /* a chunk a second, and a little for what is around it */
    w.now_us += 2 * SECOND;
    assert_true(lamp_samples_pump(w.s, 1000, w.now_us, w.now_us) <= 1000);
    assert_int_equal(w.chunks, 1); /* no room for one */
    pump();
    assert_int_equal(w.chunks, 2);
    w.now_us += 9 * SECOND;
    pump();
    assert_int_equal(w.chunks, 2);
    w.now_us += SECOND;
    pump();
    assert_int_equal(w.chunks, 3); /* not acknowledged in 10 s: again */
    assert_int_equal(w.m->u.sample_chunk.offset, LAMP_SAMPLES_CHUNK);
}

/* ---- refusals ---- */

static const struct {
    const char *label;
    struct lamp_order o;
    uint64_t quota;
    uint64_t (*free_bytes)(const char *folder);
    const char *words;
} refusals[] = {
    { "a full disk",
      { 7, LAMP_ORDER_SAMPLE, 5, 100, 60, 65535, 2 << 20, NULL, 0 },
      16 << 20,
      little_room,
      "the disk has 5120 KiB free, the sample may need 6144 KiB" },
    { "the quota",
      { 7, LAMP_ORDER_SAMPLE, 5, 100, 60, 65535, 2 << 20, NULL, 0 },
      1 << 20,
      much_room,
      "link.sample_quota" },
    { "switched off",
      { 7, LAMP_ORDER_SAMPLE, 5, 100, 60, 65535, 1000, NULL, 0 },
      0,
      much_room,
      "switched off" },
    { "no packets",
      { 7, LAMP_ORDER_SAMPLE, 5, 0, 60, 65535, 1000, NULL, 0 },
      1 << 20,
      much_room,
      "a limit" },
    { "for ever",
      { 7, LAMP_ORDER_SAMPLE, 5, 10, 100000, 65535, 1000, NULL, 0 },
      1 << 20,
      much_room,
      "a limit" },
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        struct lamp_samples_cfg c = cfg();
        c.quota_bytes = refusals[i].quota;
        c.free_bytes = refusals[i].free_bytes;
        lamp_samples_close(w.s);
        open_with(&c);
        lamp_samples_order(w.s, &refusals[i].o, w.now_us);
        pump();
        if (w.status.state != LAMP_ORDER_REFUSED || !strstr(w.words, refusals[i].words) ||
            w.status.code >= 0 || w.ordered.id)
            fail_msg("%s: state %d: %s", refusals[i].label, w.status.state, w.words);
        /* Asked again it says so again; when the aggregator knows, it is quiet. */
        w.status.state = LAMP_ORDER_STATE_NONE;
        lamp_samples_order(w.s, &refusals[i].o, w.now_us);
        pump();
        assert_int_equal(w.status.state, LAMP_ORDER_REFUSED);
        ack(7, 0, true);
        assert_int_equal(pump(), 0);
    }
}

/* A folder that is no folder: there is no database, and every order hears of it. */
static void test_no_database(void **state)
{
    (void)state;
    struct lamp_samples_cfg c = cfg();
    c.folder = "/dev/null";
    lamp_samples_close(w.s);
    open_with(&c);
    assert_true(*lamp_samples_error(w.s));
    lamp_samples_order(w.s, &plain, w.now_us);
    pump();
    assert_int_equal(w.status.state, LAMP_ORDER_REFUSED);
    assert_non_null(strstr(w.words, "no database for samples"));
}

static void test_many(void **state)
{
    (void)state;
    struct lamp_order o = plain;
    for (o.id = 1; o.id <= LAMP_SAMPLES_RUNNING; o.id++)
        lamp_samples_order(w.s, &o, w.now_us);
    pump();
    assert_int_equal(w.status.state, LAMP_ORDER_RUNNING);
    lamp_samples_order(w.s, &o, w.now_us);
    pump();
    assert_int_equal(w.status.state, LAMP_ORDER_REFUSED);
    for (o.id = 6; o.id < 1000; o.id++) /* however many come, there is a bound */
        lamp_samples_order(w.s, &o, w.now_us);
    pump();
    o.kind = LAMP_ORDER_CANCEL;
    o.id = 2;
    lamp_samples_order(w.s, &o, w.now_us);
    assert_true(w.cancelled);
    o.kind = LAMP_ORDER_SAMPLE;
    o.id = 1001;
    lamp_samples_order(w.s, &o, w.now_us);
    pump();
    assert_int_equal(w.ordered.id, 1001);
}

/* Capture is gone, or collects more than it should. */
static void test_ends(void **state)
{
    (void)state;
    lamp_samples_order(w.s, &plain, w.now_us);
    pump();
    w.now_us += 64 * SECOND;
    pump();
    assert_int_equal(w.status.state, LAMP_ORDER_RUNNING);
    w.now_us += SECOND;
    pump();
    assert_int_equal(w.status.state, LAMP_ORDER_DONE);
    assert_true(w.cancelled); /* capture goes by another clock */
    assert_non_null(w.m);     /* an empty sample is one chunk without data */
    assert_true(w.m->u.sample_chunk.last && w.m->u.sample_chunk.data.len == 0);

    struct lamp_order o = plain;
    o.id = 8;
    lamp_samples_order(w.s, &o, w.now_us);
    pump();
    collect(8, SIZE - PART);
    o.id = 9;
    o.bytes_max = PART - 1;
    w.cancelled = false;
    lamp_samples_order(w.s, &o, w.now_us);
    pump();
    collect(9, PART);
    pump();
    assert_int_equal(w.status.id, 9);
    assert_int_equal(w.status.state, LAMP_ORDER_FAILED);
    assert_non_null(strstr(w.words, "more than was ordered"));
    assert_true(w.cancelled); /* its place is free at both */
    collect(10, PART);        /* of nobody */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_again_and_rate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_database, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ends, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
