/* SPDX-License-Identifier: Apache-2.0 */
/* What is tracked in the capture process: which packets count to which side and step, and its limits. */
#include "sensor/capture/tracks.h"
#include "tests/support/test.h"

#define SECOND_US UINT64_C(1000000)
#define T0_US (UINT64_C(1790000000) * SECOND_US) /* a step begins */

static struct lamp_addr addr(const char *text)
{
    struct lamp_addr a = { { 0 } };
    if (text && lamp_addr_parse(text, &a) != LAMP_OK)
        fail_msg("%s", text);
    return a;
}

static lamp_tracks *make(void)
{
    lamp_tracks *t = NULL;
    assert_int_equal(lamp_tracks_new(&t), LAMP_OK);
    return t;
}

/* A packet of 100 bytes between 10.0.0.5:4000 and 203.0.113.9:3333 over TCP, or the way back. */
static void packet(lamp_tracks *t, uint64_t t_us, bool back)
{
    const struct lamp_frame f = { NULL, 0, 100, t_us, 1 };
    struct lamp_pkt p = { .src = addr("10.0.0.5"),
                          .dst = addr("203.0.113.9"),
                          .src_port = 4000,
                          .dst_port = 3333,
                          .ip_proto = 6 };
    if (back)
        p = (struct lamp_pkt){ .src = p.dst,
                               .dst = p.src,
                               .src_port = p.dst_port,
                               .dst_port = p.src_port,
                               .ip_proto = 6 };
    lamp_tracks_packet(&f, &p, t);
}

static struct lamp_order_status order(lamp_tracks *t, uint64_t id, enum lamp_order_kind kind,
                                      uint32_t duration_s, struct lamp_order_match *m, size_t n,
                                      uint64_t mono_us)
{
    const struct lamp_order o = {
        .id = id, .kind = kind, .duration_s = duration_s, .matches = m, .n_matches = n
    };
    struct lamp_order_status st;
    lamp_tracks_order(t, &o, mono_us, &st);
    assert_int_equal(st.id, id);
    return st;
}

static const struct {
    const char *label, *host, *remote;
    uint16_t host_port, remote_port;
    uint8_t ip_proto;
    unsigned out, in; /* of 3 packets there and 1 back */
} targets[] = {
    { "a host", "10.0.0.5", NULL, 0, 0, 0, 3, 1 },
    { "a remote", NULL, "203.0.113.9", 0, 0, 0, 3, 1 },
    { "a connection", "10.0.0.5", "203.0.113.9", 4000, 3333, 6, 3, 1 },
    { "the server as the host", "203.0.113.9", NULL, 3333, 0, 0, 1, 3 },
    { "another transport", "10.0.0.5", NULL, 0, 0, 17, 0, 0 },
    { "another host", "10.0.0.6", NULL, 0, 0, 0, 0, 0 },
};

static void test_sides(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        struct lamp_order_match m = { addr(targets[i].host), addr(targets[i].remote),
                                      targets[i].host_port, targets[i].remote_port,
                                      targets[i].ip_proto };
        lamp_tracks *t = make();
        size_t n;
        assert_int_equal(order(t, 7, LAMP_ORDER_SAMPLE, 60, &m, 1, 0).state, LAMP_ORDER_RUNNING);
        for (unsigned k = 0; k < 4; k++)
            packet(t, T0_US + k, k == 3);
        const struct lamp_track_row *r = lamp_tracks_take(t, 0, &n);
        const bool some = targets[i].out + targets[i].in > 0;
        if (n != some ||
            (some &&
             (r->packets_out != targets[i].out || r->packets_in != targets[i].in ||
              r->bytes_out != 100U * targets[i].out || r->bytes_in != 100U * targets[i].in ||
              r->order_id != 7 || r->step != T0_US / SECOND_US / LAMP_WIRE_TRACK_STEP_S)))
            fail_msg("%s", targets[i].label);
        assert_null(lamp_tracks_free(t));
    }
}

static void test_steps(void **state)
{
    (void)state;
    struct lamp_order_match m = { .host = addr("10.0.0.5") };
    lamp_tracks *t = make();
    size_t n;
    order(t, 7, LAMP_ORDER_SAMPLE, 3600, &m, 1, 0);
    static const struct {
        uint64_t at_us;
        size_t steps; /* so far */
    } packets[] = { { T0_US, 1 },
                    { T0_US + 9999999, 1 },
                    { T0_US + 10 * SECOND_US, 2 },
                    { T0_US + 5 * SECOND_US, 2 }, /* late */
                    { T0_US + 60 * SECOND_US, 3 } };
    uint64_t sum = 0;
    for (size_t i = 0; i < ARRAY_LEN(packets); i++)
        packet(t, packets[i].at_us, false);
    const struct lamp_track_row *r = lamp_tracks_take(t, 0, &n);
    assert_int_equal(n, 3);
    assert_int_equal(r[0].packets_out, 3);
    lamp_tracks_take(t, 0, &n);
    assert_int_equal(n, 0); /* each is handed out once */

    /* More steps than there is room for: what came is told, and that some did not. */
    for (uint64_t i = 0; i < LAMP_TRACK_STEPS + 5; i++)
        packet(t, T0_US + i * 10 * SECOND_US, false);
    const struct lamp_order_status st = order(t, 7, LAMP_ORDER_SAMPLE, 3600, &m, 1, 0);
    assert_int_equal(st.packets, ARRAY_LEN(packets) + LAMP_TRACK_STEPS);
    assert_true(st.detail.len > 0);
    r = lamp_tracks_take(t, 0, &n);
    for (size_t i = 0; i < n; i++)
        sum += r[i].packets_out;
    assert_int_equal(n, LAMP_TRACK_STEPS);
    assert_int_equal(sum, LAMP_TRACK_STEPS);
    lamp_tracks_free(t);
}

static void test_ends(void **state)
{
    (void)state;
    struct lamp_order_match m = { .host = addr("10.0.0.5") };
    lamp_tracks *t = make();
    size_t n;
    assert_false(lamp_tracks_is_running(t, 0));
    order(t, 7, LAMP_ORDER_SAMPLE, 60, &m, 1, 0);
    assert_true(lamp_tracks_is_running(t, 60 * SECOND_US - 1));
    assert_false(lamp_tracks_is_running(t, 60 * SECOND_US));
    order(t, 7, LAMP_ORDER_SAMPLE, 60, &m, 1, 30 * SECOND_US); /* said again: so long from then */
    assert_true(lamp_tracks_is_running(t, 89 * SECOND_US));
    packet(t, T0_US, false);
    assert_int_equal(order(t, 7, LAMP_ORDER_CANCEL, 0, NULL, 0, 40 * SECOND_US).state,
                     LAMP_ORDER_DONE);
    assert_false(lamp_tracks_is_running(t, 40 * SECOND_US));
    lamp_tracks_take(t, 40 * SECOND_US, &n);
    assert_int_equal(n, 1); /* what was counted before it ended is not lost */
    packet(t, T0_US, false);
    lamp_tracks_take(t, 41 * SECOND_US, &n);
    assert_int_equal(n, 0);
    assert_int_equal(order(t, 8, LAMP_ORDER_CANCEL, 0, NULL, 0, 0).state, LAMP_ORDER_DONE);
    lamp_tracks_free(t);
}

static void test_refused(void **state)
{
    (void)state;
    struct lamp_order_match m = { .host = addr("10.0.0.5") };
    static const struct {
        const char *label;
        uint64_t id;
        enum lamp_order_kind kind;
        uint32_t duration_s;
        size_t n;
    } wrong[] = { { "no id", 0, LAMP_ORDER_SAMPLE, 60, 1 },
                  { "no time", 1, LAMP_ORDER_SAMPLE, 0, 1 },
                  { "too long", 1, LAMP_ORDER_SAMPLE, LAMP_TRACK_DURATION_MAX_S + 1, 1 },
                  { "everything", 1, LAMP_ORDER_SAMPLE, 60, 0 },
                  { "no kind", 1, LAMP_ORDER_NONE, 60, 1 } };
    lamp_tracks *t = make();
    size_t n;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        const struct lamp_order_status st =
            order(t, wrong[i].id, wrong[i].kind, wrong[i].duration_s, &m, wrong[i].n, 0);
        if (st.state != LAMP_ORDER_REFUSED || st.code != LAMP_EINVAL || st.detail.len == 0)
            fail_msg("%s", wrong[i].label);
    }
    assert_false(lamp_tracks_is_running(t, 0));
    for (uint64_t id = 1; id <= LAMP_TRACKS_MAX; id++)
        assert_int_equal(order(t, id, LAMP_ORDER_SAMPLE, 60, &m, 1, 0).state, LAMP_ORDER_RUNNING);
    assert_int_equal(order(t, 99, LAMP_ORDER_SAMPLE, 60, &m, 1, 0).code, LAMP_EFULL);
    order(t, 3, LAMP_ORDER_CANCEL, 0, NULL, 0, SECOND_US);
    lamp_tracks_take(t, SECOND_US, &n);
    assert_int_equal(order(t, 99, LAMP_ORDER_SAMPLE, 60, &m, 1, SECOND_US).state,
                     LAMP_ORDER_RUNNING);
    lamp_tracks_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sides),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
