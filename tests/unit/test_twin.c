/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test.h"

#include "sensor/engine/twin.h"

enum { START = 1700000000 };

static struct lamp_pkt segment(uint64_t t_us)
{
    return (struct lamp_pkt){
        .src_port = 40000,
        .dst_port = 3333,
        .ip_proto = LAMP_IPPROTO_TCP,
        .tcp_flags = LAMP_TCP_ACK,
        .tcp_seq = 1000,
        .tcp_ack = 2000,
        .ip_id = 77,
        .checksum = 0xbeef,
        .payload_orig_len = 100,
        .frame_len = 154,
        .t_us = UINT64_C(1000000) * START + t_us,
    };
}

static bool is_copy(lamp_twins *t, const struct lamp_pkt *pkt, bool src)
{
    const struct lamp_flow_aim aim = { .hash = 0x123456789abcdef, .src = src };
    enum lamp_decode outcome = LAMP_DECODE_TCP;
    lamp_twins_mark(t, pkt, &aim, 1, &outcome);
    return outcome == LAMP_DECODE_DUPLICATE;
}

/* What follows the same segment, and whether it is its copy. */
static void test_what_is_a_copy(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        uint64_t after_us;
        int id, seq, ack, checksum, flags, len, off; /* differences */
        uint16_t vlan;                               /* 0: none */
        bool other_way, want;
    } cases[] = {
        { .label = "at once", .want = true },
        { .label = "5 us later", .after_us = 5, .want = true },
        { .label = "2 ms later", .after_us = LAMP_TWIN_US, .want = true },
        { .label = "in a VLAN", .after_us = 30, .vlan = 7, .want = true },
        { .label = "too late", .after_us = LAMP_TWIN_US + 1 },
        { .label = "retransmission", .after_us = 500, .id = 1 },
        { .label = "next segment", .after_us = 5, .id = 1, .seq = 100 },
        { .label = "same id, next segment", .after_us = 5, .seq = 100 },
        { .label = "other acknowledgement", .after_us = 5, .ack = 1 },
        { .label = "other bytes", .after_us = 5, .checksum = 1 },
        { .label = "other flags", .after_us = 5, .flags = LAMP_TCP_PSH },
        { .label = "longer", .after_us = 5, .len = 1 },
        { .label = "another fragment", .after_us = 5, .off = 10 },
        { .label = "the other way", .after_us = 5, .other_way = true },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        lamp_twins *t;
        assert_int_equal(lamp_twins_new(&t), LAMP_OK);
        struct lamp_pkt pkt = segment(0);
        assert_false(is_copy(t, &pkt, false));
        pkt.t_us += cases[i].after_us;
        pkt.ip_id = (uint16_t)(pkt.ip_id + cases[i].id);
        pkt.tcp_seq += (uint32_t)cases[i].seq;
        pkt.tcp_ack += (uint32_t)cases[i].ack;
        pkt.checksum = (uint16_t)(pkt.checksum + cases[i].checksum);
        pkt.tcp_flags = (uint8_t)(pkt.tcp_flags | cases[i].flags);
        pkt.payload_orig_len += (uint32_t)cases[i].len;
        pkt.frag_off = (uint16_t)cases[i].off;
        if (cases[i].vlan) {
            pkt.n_vlans = 1;
            pkt.vlans[0] = cases[i].vlan;
        }
        if (is_copy(t, &pkt, cases[i].other_way) != cases[i].want)
            fail_msg("%s", cases[i].label);
        lamp_twins_free(t);
    }
}

/* Without an identification: data cannot come again so soon, but an acknowledgement or a
 * datagram can; another VLAN gives a copy away. */
static void test_without_id(void **state)
{
    (void)state;
    static const struct {
        uint8_t proto;
        uint32_t len;
        bool same_vlan, other_vlan;
    } cases[] = {
        { LAMP_IPPROTO_TCP, 100, true, true },
        { LAMP_IPPROTO_TCP, 0, false, true },
        { LAMP_IPPROTO_UDP, 48, false, true },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        lamp_twins *t;
        assert_int_equal(lamp_twins_new(&t), LAMP_OK);
        struct lamp_pkt pkt = segment(0);
        pkt.ip_id = 0;
        pkt.ip_proto = cases[i].proto;
        pkt.payload_orig_len = cases[i].len;
        assert_false(is_copy(t, &pkt, false));
        pkt.t_us += 10;
        assert_int_equal(is_copy(t, &pkt, false), cases[i].same_vlan);
        pkt.t_us += 10;
        pkt.n_vlans = 1;
        pkt.vlans[0] = 12;
        assert_int_equal(is_copy(t, &pkt, false), cases[i].other_vlan);
        lamp_twins_free(t);
    }
}

/* Copies of a stream at full rate, each some packets behind its original: all are found, and
 * nothing else. */
static void test_stream(void **state)
{
    (void)state;
    enum { N = 20000, BEHIND = 16 };
    lamp_twins *t;
    assert_int_equal(lamp_twins_new(&t), LAMP_OK);
    unsigned copies = 0, wrong = 0;
    for (unsigned i = 0; i < N; i++) {
        struct lamp_pkt pkt = segment(i);
        pkt.ip_id = (uint16_t)i;
        pkt.tcp_seq = 100 * i;
        wrong += is_copy(t, &pkt, false);
        if (i < BEHIND)
            continue;
        pkt.ip_id = (uint16_t)(i - BEHIND);
        pkt.tcp_seq = 100 * (i - BEHIND);
        copies += is_copy(t, &pkt, false);
    }
    assert_int_equal(wrong, 0);
    assert_true(copies > (N - BEHIND) * 99 / 100); /* some places are taken by another */
    lamp_twins_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_a_copy),
        cmocka_unit_test(test_without_id),
        cmocka_unit_test(test_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
