/* SPDX-License-Identifier: Apache-2.0 */
/* Packet samples in the capture process: which packets an order wants, that it keeps its limits to the
 * packet, and that libpcap reads what comes out. */
#include "common/pcapng_out.h"
#include "sensor/capture/sampler.h"
#include "sensor/process/channel.h"
#include "tests/support/test.h"

#include <pcap/pcap.h>

static struct lamp_addr addr(const char *text)
{
    struct lamp_addr a = { { 0 } };
    if (text && lamp_addr_parse(text, &a) != LAMP_OK)
        fail_msg("%s", text);
    return a;
}

static struct lamp_pkt pkt(const char *src, uint16_t src_port, const char *dst, uint16_t dst_port,
                           uint8_t ip_proto)
{
    return (struct lamp_pkt){ .src = addr(src),
                              .dst = addr(dst),
                              .src_port = src_port,
                              .dst_port = dst_port,
                              .ip_proto = ip_proto };
}

/* Of packets between 10.0.0.5:4000 and 203.0.113.9:3333 over TCP, either way. */
static const struct {
    const char *label, *host, *remote;
    uint16_t host_port, remote_port;
    uint8_t ip_proto;
    bool want;
} selectors[] = {
    { "its host", "10.0.0.5", NULL, 0, 0, 0, true },
    { "another host", "10.0.0.6", NULL, 0, 0, 0, false },
    { "its remote", NULL, "203.0.113.9", 0, 0, 0, true },
    { "its remote and port", NULL, "203.0.113.9", 0, 3333, 0, true },
    { "another port there", NULL, "203.0.113.9", 0, 3334, 0, false },
    { "another remote", NULL, "203.0.113.8", 0, 3333, 0, false },
    { "a port alone", NULL, NULL, 0, 3333, 0, true },
    { "both ends", "10.0.0.5", "203.0.113.9", 0, 0, 0, true },
    { "the connection", "10.0.0.5", "203.0.113.9", 4000, 3333, 6, true },
    { "the same over UDP", "10.0.0.5", "203.0.113.9", 4000, 3333, 17, false },
    { "another connection", "10.0.0.5", "203.0.113.9", 4001, 3333, 6, false },
    { "ports the wrong way round", "10.0.0.5", "203.0.113.9", 3333, 4000, 6, false },
    { "ends the other way round", "203.0.113.9", "10.0.0.5", 3333, 4000, 6, true },
    { "one end twice", "10.0.0.5", "10.0.0.5", 0, 0, 0, false },
};

static void test_selectors(void **state)
{
    (void)state;
    const struct lamp_pkt there = pkt("10.0.0.5", 4000, "203.0.113.9", 3333, 6);
    const struct lamp_pkt back = pkt("203.0.113.9", 3333, "10.0.0.5", 4000, 6);
    for (size_t i = 0; i < ARRAY_LEN(selectors); i++) {
        const struct lamp_order_match m = { addr(selectors[i].host), addr(selectors[i].remote),
                                            selectors[i].host_port, selectors[i].remote_port,
                                            selectors[i].ip_proto };
        if (lamp_sampler_wants(&m, 1, &there) != selectors[i].want ||
            lamp_sampler_wants(&m, 1, &back) != selectors[i].want)
            fail_msg("%s", selectors[i].label);
    }
    const struct lamp_order_match two[] = { { .remote_port = 1 }, { .remote_port = 3333 } };
    assert_true(lamp_sampler_wants(two, 2, &there));
    assert_false(lamp_sampler_wants(two, 1, &there));
    assert_true(lamp_sampler_wants(NULL, 0, &there)); /* everything */
}

/* ---- what comes out ---- */

struct outcome {
    uint8_t data[2 * 1024 * 1024];
    size_t len;
    uint32_t packets;
    uint64_t dropped;
    unsigned ends;
};
static struct outcome got;

static void drain(lamp_sampler *s, const int fds[2])
{
    static uint8_t buf[LAMP_CHANNEL_MAX];
    size_t len;
    bool any = true;
    while (any) {
        any = false;
        assert_int_equal(lamp_sampler_send(s, fds[0]), LAMP_OK);
        while (lamp_channel_recv(fds[1], buf, &len) == LAMP_OK) {
            struct lamp_msg *m;
            assert_int_equal(lamp_msg_unpack(buf, len, &m), LAMP_OK);
            assert_int_equal(m->type, LAMP_MSG_LOCAL_SAMPLE);
            const struct lamp_local_sample *p = &m->u.local_sample;
            assert_true(got.len + p->data.len <= sizeof(got.data));
            if (p->data.len)
                memcpy(got.data + got.len, p->data.data, p->data.len);
            got.len += p->data.len;
            got.packets += p->packets;
            got.dropped = p->dropped;
            got.ends += p->over;
            lamp_msg_free(m);
            any = true;
        }
    }
}

/* Packets of connections 0, 1, ..., n_conns - 1 in turn, each frame of len bytes. */
static void feed(lamp_sampler *s, unsigned n, unsigned n_conns, uint32_t len, int linktype)
{
    static uint8_t frame[65535];
    for (unsigned i = 0; i < n; i++) {
        const uint16_t port = (uint16_t)(4000 + i % n_conns);
        struct lamp_pkt p = i / n_conns % 2 ? pkt("203.0.113.9", 3333, "10.0.0.5", port, 6)
                                            : pkt("10.0.0.5", port, "203.0.113.9", 3333, 6);
        frame[0] = (uint8_t)i;
        const struct lamp_frame f = { frame, len, len + 7, UINT64_C(1790000000123456) + i,
                                      linktype };
        lamp_sampler_packet(&f, &p, s);
    }
}

/* Reads the sample as a file and returns its packets, of which the first has first_len bytes. */
static unsigned read_back(uint32_t *first_len)
{
    static const char *const comments[] = { "site north", "why not" };
    static uint8_t file[sizeof(got.data) + 1024];
    char why[PCAP_ERRBUF_SIZE];
    size_t len = lamp_pcapng_out_section(file, sizeof(file), comments, 2);
    assert_true(len > 0 && len % 4 == 0);
    memcpy(file + len, got.data, got.len);
    len += got.len;
    FILE *f = fmemopen(file, len, "rb");
    assert_non_null(f);
    pcap_t *p = pcap_fopen_offline(f, why);
    if (!p)
        fail_msg("%s", why);
    struct pcap_pkthdr *h;
    const u_char *data;
    unsigned n = 0;
    int rc;
    while ((rc = pcap_next_ex(p, &h, &data)) == 1) {
        if (n++ > 0)
            continue;
        *first_len = h->caplen;
        assert_int_equal(h->ts.tv_sec, 1790000000);
        assert_int_equal(h->ts.tv_usec, 123456);
        assert_int_equal(data[0], 0);
    }
    assert_int_equal(rc, PCAP_ERROR_BREAK); /* its end, and no error */
    pcap_close(p);
    return n;
}

static const struct {
    const char *label;
    struct lamp_order o;
    unsigned n, n_conns;
    uint32_t len;
    uint32_t want, want_len;
    bool over; /* by a limit, before the time is up */
} limits[] = {
    { "five of each connection",
      { 1, LAMP_ORDER_SAMPLE, 5, 100, 60, 65535, 1 << 20, NULL, 0 },
      30,
      3,
      100,
      15,
      100,
      false },
    { "so many of all",
      { 1, LAMP_ORDER_SAMPLE, 5, 100, 60, 65535, 1 << 20, NULL, 0 },
      1000,
      50,
      100,
      100,
      100,
      true },
    { "one", { 1, LAMP_ORDER_SAMPLE, 1, 1, 60, 65535, 1 << 20, NULL, 0 }, 9, 3, 60, 1, 60, true },
    { "a length",
      { 1, LAMP_ORDER_SAMPLE, 100, 10, 60, 64, 1 << 20, NULL, 0 },
      20,
      1,
      1500,
      10,
      64,
      true },
    /* 20 for the interface, 132 for each packet */
    { "bytes",
      { 1, LAMP_ORDER_SAMPLE, 100, 100, 60, 65535, 20 + 3 * 132, NULL, 0 },
      9,
      1,
      100,
      3,
      100,
      true },
    { "bytes less one",
      { 1, LAMP_ORDER_SAMPLE, 100, 100, 60, 65535, 19 + 3 * 132, NULL, 0 },
      9,
      1,
      100,
      2,
      100,
      true },
    { "messages that are split",
      { 1, LAMP_ORDER_SAMPLE, 50, 50, 60, 65535, 1 << 20, NULL, 0 },
      50,
      1,
      20000,
      50,
      20000,
      true },
};

static void test_limits(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        int fds[2];
        lamp_sampler *s = NULL;
        uint32_t len = 0;
        memset(&got, 0, sizeof(got));
        assert_int_equal(lamp_channel_pair(fds), LAMP_OK);
        assert_int_equal(lamp_sampler_new(&s), LAMP_OK);
        assert_false(lamp_sampler_is_running(s, 0));
        assert_int_equal(lamp_sampler_order(s, &limits[i].o, 1000000), LAMP_OK);
        feed(s, limits[i].n, limits[i].n_conns, limits[i].len, LAMP_LINK_ETHERNET);
        if (lamp_sampler_is_running(s, 60999999) == limits[i].over)
            fail_msg("%s: over %d", limits[i].label, limits[i].over);
        assert_false(lamp_sampler_is_running(s, 61000000));
        feed(s, 5, 1, 60, LAMP_LINK_ETHERNET); /* after the end */
        drain(s, fds);
        assert_false(lamp_sampler_waits(s));
        if (got.packets != limits[i].want || got.ends != 1 || got.len > limits[i].o.bytes_max ||
            read_back(&len) != limits[i].want || len != limits[i].want_len)
            fail_msg("%s: %u packets of %u bytes", limits[i].label, got.packets, len);
        assert_int_equal(got.dropped, 0);
        lamp_sampler_free(s);
        close(fds[0]);
        close(fds[1]);
    }
}

/* What waits is bounded; what finds no room is counted and not in the limits. */
static void test_room_and_links(void **state)
{
    (void)state;
    int fds[2];
    uint32_t len = 0;
    lamp_sampler *s = NULL;
    const struct lamp_order o = { 1, LAMP_ORDER_SAMPLE, 100, 40, 60, 65535, 16 << 20, NULL, 0 };
    memset(&got, 0, sizeof(got));
    assert_int_equal(lamp_channel_pair(fds), LAMP_OK);
    assert_int_equal(lamp_sampler_new(&s), LAMP_OK);
    assert_int_equal(lamp_sampler_order(s, &o, 0), LAMP_OK);
    feed(s, 20, 1, 60000, LAMP_LINK_ETHERNET); /* 17 of them are 1 MiB */
    drain(s, fds);
    assert_int_equal(got.packets, 17);
    feed(s, 2, 1, 60, LAMP_LINK_RAW);
    feed(s, 30, 1, 60, LAMP_LINK_ETHERNET);
    drain(s, fds);
    assert_int_equal(got.packets, 40);
    assert_int_equal(got.dropped, 3);
    assert_int_equal(got.ends, 1);
    (void)len; /* libpcap refuses a file of two link types, so it is not read back */
    lamp_sampler_free(s);
    close(fds[0]);
    close(fds[1]);
}

static void test_orders(void **state)
{
    (void)state;
    int fds[2];
    lamp_sampler *s = NULL;
    struct lamp_order o = { 1, LAMP_ORDER_SAMPLE, 5, 100, 60, 65535, 1 << 20, NULL, 0 };
    assert_int_equal(lamp_channel_pair(fds), LAMP_OK);
    assert_int_equal(lamp_sampler_new(&s), LAMP_OK);
    for (o.id = 1; o.id <= LAMP_SAMPLER_ORDERS; o.id++) {
        assert_int_equal(lamp_sampler_order(s, &o, 0), LAMP_OK);
        assert_int_equal(lamp_sampler_order(s, &o, 0), LAMP_OK); /* it has it */
    }
    assert_int_equal(lamp_sampler_order(s, &o, 0), LAMP_EFULL);
    feed(s, 3, 1, 60, LAMP_LINK_ETHERNET);
    memset(&got, 0, sizeof(got));
    o.kind = LAMP_ORDER_CANCEL;
    o.id = 2;
    assert_int_equal(lamp_sampler_order(s, &o, 0), LAMP_OK);
    drain(s, fds);
    assert_int_equal(got.packets, 3 * (LAMP_SAMPLER_ORDERS - 1)); /* nothing more of that one */
    assert_int_equal(got.ends, 0);
    o.kind = LAMP_ORDER_SAMPLE;
    o.id = 9;
    assert_int_equal(lamp_sampler_order(s, &o, 0), LAMP_OK); /* there is room again */
    close(fds[1]);
    feed(s, 1, 1, 60, LAMP_LINK_ETHERNET);
    assert_int_equal(lamp_sampler_send(s, fds[0]), LAMP_ECLOSED);
    lamp_sampler_free(s);
    close(fds[0]);
}

static const struct {
    const char *label;
    struct lamp_order o;
} bad[] = {
    { "no id", { 0, LAMP_ORDER_SAMPLE, 5, 100, 60, 65535, 1 << 20, NULL, 0 } },
    { "no packets", { 1, LAMP_ORDER_SAMPLE, 5, 0, 60, 65535, 1 << 20, NULL, 0 } },
    { "too many packets", { 1, LAMP_ORDER_SAMPLE, 5, 10001, 60, 65535, 1 << 20, NULL, 0 } },
    { "none of a connection", { 1, LAMP_ORDER_SAMPLE, 0, 100, 60, 65535, 1 << 20, NULL, 0 } },
    { "no time", { 1, LAMP_ORDER_SAMPLE, 5, 100, 0, 65535, 1 << 20, NULL, 0 } },
    { "no length", { 1, LAMP_ORDER_SAMPLE, 5, 100, 60, 0, 1 << 20, NULL, 0 } },
    { "too long", { 1, LAMP_ORDER_SAMPLE, 5, 100, 60, 65536, 1 << 20, NULL, 0 } },
    { "no bytes", { 1, LAMP_ORDER_SAMPLE, 5, 100, 60, 65535, 0, NULL, 0 } },
};

static void test_bad_orders(void **state)
{
    (void)state;
    lamp_sampler *s = NULL;
    assert_int_equal(lamp_sampler_new(&s), LAMP_OK);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (lamp_sampler_order(s, &bad[i].o, 0) != LAMP_EINVAL)
            fail_msg("%s", bad[i].label);
    assert_false(lamp_sampler_is_running(s, 0));
    lamp_sampler_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selectors),      cmocka_unit_test(test_limits),
        cmocka_unit_test(test_room_and_links), cmocka_unit_test(test_orders),
        cmocka_unit_test(test_bad_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
