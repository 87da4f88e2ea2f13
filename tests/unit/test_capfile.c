/* SPDX-License-Identifier: Apache-2.0 */
/* capfile and the sans-socket ends of poolsim: what they write is read back with libpcap, with
 * checksums and sequence numbers checked by code of this file alone. */
#include "tests/support/capfile.h"

#include "tests/support/poolsim/session.h"
#include "tests/support/test.h"

#include <pcap/pcap.h>

enum { MAX_FRAMES = 64 };

struct seen {
    uint64_t t_us;
    size_t len;
    uint8_t data[LAMP_CAPFILE_FRAME_BYTES];
};

struct fixture {
    char path[32];
    lamp_capfile *file;
    struct seen frames[MAX_FRAMES];
    size_t n;
};

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    assert_non_null(x);
    snprintf(x->path, sizeof(x->path), "/tmp/test_capfile_%ld", (long)getpid());
    assert_int_equal(lamp_capfile_new(&x->file), LAMP_OK);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    lamp_capfile_free(x->file);
    unlink(x->path);
    free(x);
    return 0;
}

static void save_and_read(struct fixture *x)
{
    char why[PCAP_ERRBUF_SIZE];
    struct pcap_pkthdr *h;
    const u_char *data;
    assert_int_equal(lamp_capfile_save(x->file, x->path), LAMP_OK);
    pcap_t *p = pcap_open_offline(x->path, why);
    assert_non_null(p);
    assert_int_equal(pcap_datalink(p), DLT_EN10MB);
    for (x->n = 0; pcap_next_ex(p, &h, &data) == 1; x->n++) {
        assert_true(x->n < MAX_FRAMES);
        assert_int_equal(h->caplen, h->len);
        struct seen *s = &x->frames[x->n];
        s->t_us = (uint64_t)h->ts.tv_sec * 1000000 + (uint64_t)h->ts.tv_usec;
        s->len = h->len;
        memcpy(s->data, data, h->len);
    }
    pcap_close(p);
    assert_int_equal(x->n, lamp_capfile_frames(x->file));
}

static struct lamp_capflow_cfg config(const char *client, const char *server)
{
    struct lamp_capflow_cfg cfg = {
        .client_port = 49152, .server_port = 3333, .rtt_us = 20000, .seed = 5
    };
    assert_int_equal(lamp_addr_parse(client, &cfg.client), LAMP_OK);
    assert_int_equal(lamp_addr_parse(server, &cfg.server), LAMP_OK);
    return cfg;
}

static uint32_t add16(uint32_t sum, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
    return sum;
}

static unsigned folded(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* RFC 1071: header or pseudo header and data with their checksum sum up to 0xffff. */
static void check_sums(const struct seen *s, size_t ip_at)
{
    const uint8_t *ip = s->data + ip_at;
    const bool v4 = ip[0] >> 4 == 4;
    const size_t head = v4 ? 20 : 40;
    const size_t l4_len = s->len - ip_at - head;
    const unsigned proto = v4 ? ip[9] : ip[6];
    const unsigned told = v4 ? (unsigned)(ip[2] << 8 | ip[3]) - 20 : (unsigned)(ip[4] << 8 | ip[5]);
    assert_int_equal(told, l4_len);
    if (v4)
        assert_int_equal(folded(add16(0, ip, 20)), 0xffff);
    uint32_t sum = add16(proto + (uint32_t)l4_len, v4 ? ip + 12 : ip + 8, v4 ? 8 : 32);
    assert_int_equal(folded(add16(sum, ip + head, l4_len)), 0xffff);
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void test_frames_parse_back(void **state)
{
    static const struct {
        const char *label, *client, *server;
        uint8_t n_vlans;
        size_t ip_at;
    } cases[] = {
        { "IPv4", "10.1.0.21", "203.0.113.9", 0, 14 },
        { "IPv4 in two tags", "10.1.0.21", "203.0.113.9", 2, 22 },
        { "IPv6 in a tag", "2001:db8::21", "2001:db8:9::1", 1, 18 },
    };
    struct fixture *x = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct lamp_capflow_cfg cfg = config(cases[i].client, cases[i].server);
        struct lamp_capflow f;
        lamp_capfile_free(x->file);
        assert_int_equal(lamp_capfile_new(&x->file), LAMP_OK);
        cfg.n_vlans = cases[i].n_vlans;
        cfg.vlans[0] = 100;
        cfg.vlans[1] = 7;
        lamp_capflow_init(&f, x->file, &cfg);
        assert_int_equal(lamp_capflow_open(&f, 1000000), LAMP_OK);
        assert_int_equal(lamp_capflow_send(&f, LAMP_CAPFLOW_UP, 1100000, "odd", 3), LAMP_OK);
        assert_int_equal(lamp_capflow_send(&f, LAMP_CAPFLOW_DOWN, 1200000, "even", 4), LAMP_OK);
        assert_int_equal(lamp_capflow_close(&f, 1300000), LAMP_OK);
        save_and_read(x);

        assert_int_equal(x->n, 10);
        assert_int_equal(f.packets[0] + f.packets[1], 10);
        uint64_t bytes = 0;
        for (size_t k = 0; k < x->n; k++) {
            check_sums(&x->frames[k], cases[i].ip_at);
            bytes += x->frames[k].len;
        }
        assert_int_equal(bytes, f.bytes[0] + f.bytes[1]);
        assert_int_equal(x->frames[0].t_us, 1000000);
        assert_int_equal(x->frames[9].t_us, 1320000);
        assert_memory_equal(x->frames[3].data + x->frames[3].len - 3, "odd", 3);
        if (cfg.n_vlans)
            assert_int_equal((x->frames[0].data[14] & 15) << 8 | x->frames[0].data[15], 100);
    }
}

static void test_udp_parses_back(void **state)
{
    struct fixture *x = *state;
    const struct lamp_capflow_cfg cfg = config("10.1.0.21", "192.0.2.53");
    struct lamp_capflow f;
    lamp_capflow_init(&f, x->file, &cfg);
    assert_int_equal(lamp_capflow_datagram(&f, LAMP_CAPFLOW_UP, 5, "question", 8), LAMP_OK);
    save_and_read(x);
    assert_int_equal(x->n, 1);
    check_sums(&x->frames[0], 14);
    assert_int_equal(x->frames[0].data[23], 17);
}

/* Segments, retransmissions and swaps: every byte of the message arrives, in whatever order. */
static void test_segments_cover_the_message(void **state)
{
    struct fixture *x = *state;
    struct lamp_capflow_cfg cfg = config("10.1.0.21", "203.0.113.9");
    struct lamp_capflow f;
    char message[1000];
    uint8_t got[1000] = { 0 };
    for (size_t i = 0; i < sizeof(message); i++)
        message[i] = (char)('a' + i % 26);
    cfg.mss = 100;
    cfg.retransmit = 0.5;
    cfg.reorder = 0.9;
    lamp_capflow_init(&f, x->file, &cfg);
    const uint32_t base = f.seq[LAMP_CAPFLOW_UP];
    assert_int_equal(lamp_capflow_send(&f, LAMP_CAPFLOW_UP, 10, message, sizeof(message)), LAMP_OK);
    save_and_read(x);
    assert_true(x->n > 11);
    bool swapped = false;
    uint32_t last = base;
    for (size_t i = 0; i < x->n; i++) {
        const struct seen *s = &x->frames[i];
        const size_t at = 14 + 20 + 20;
        check_sums(s, 14);
        if (s->len == at)
            continue;
        const uint32_t seq = be32(s->data + 38);
        swapped |= seq < last;
        last = seq;
        assert_true(seq - base + (s->len - at) <= sizeof(got));
        memcpy(got + (seq - base), s->data + at, s->len - at);
    }
    assert_true(swapped);
    assert_memory_equal(got, message, sizeof(got));
    assert_int_equal(f.seq[LAMP_CAPFLOW_UP], base + sizeof(message));
}

static void test_hidden_direction(void **state)
{
    struct fixture *x = *state;
    struct lamp_capflow_cfg cfg = config("10.1.0.21", "203.0.113.9");
    struct lamp_capflow f;
    cfg.hide_down = true;
    lamp_capflow_init(&f, x->file, &cfg);
    assert_int_equal(lamp_capflow_open(&f, 10), LAMP_OK);
    save_and_read(x);
    assert_int_equal(x->n, 2);
    assert_int_equal(f.packets[LAMP_CAPFLOW_DOWN], 0);
}

static void test_refuses_what_does_not_fit(void **state)
{
    struct fixture *x = *state;
    static const uint8_t big[LAMP_CAPFILE_FRAME_BYTES + 1];
    assert_int_equal(lamp_capfile_add(x->file, 1, big, sizeof(big)), LAMP_EFULL);
    assert_int_equal(lamp_capfile_frames(x->file), 0);
    assert_int_equal(lamp_capfile_save(x->file, "/nonexistent/x.pcap"), -2);
}

/* Lets both ends of a family talk for some shares; returns the words in one piece. */
static size_t play(const char *name, uint64_t seed, char *buf, size_t size,
                   struct sim_client *out_client, struct sim_pool *out_pool)
{
    const struct sim_family *family = sim_family_find(name);
    struct sim_client c;
    struct sim_pool p;
    static struct sim_out up, down;
    size_t n = 0;
    assert_non_null(family);
    sim_client_init(&c, family, "wallet.worker", "agent/1", seed);
    sim_pool_init(&p, family, 0, 0.3, seed);
    up.len = down.len = 0;
    sim_client_hello(&c, &up);
    for (int shares = 0; shares <= 20;) {
        while (up.len || down.len) {
            struct sim_out *from = up.len ? &up : &down;
            static struct sim_out said;
            said = *from;
            from->len = 0;
            assert_true(n + said.len <= size);
            memcpy(buf + n, said.buf, said.len);
            n += said.len;
            for (char *line = said.buf, *end; line < said.buf + said.len; line = end + 1) {
                end = memchr(line, '\n', said.len);
                assert_non_null(end);
                const size_t len = (size_t)(end - line);
                assert_int_equal(from == &up ? sim_pool_input(&p, line, len, &down)
                                             : sim_client_input(&c, line, len, &up),
                                 LAMP_OK);
            }
        }
        assert_true(c.work > 0);
        if (shares++ < 20)
            sim_client_share(&c, &up);
        if (shares == 10)
            sim_pool_job(&p, true, &down);
    }
    *out_client = c;
    *out_pool = p;
    return n;
}

static void test_families_count_alike_at_both_ends(void **state)
{
    (void)state;
    static const char *const names[] = {
        "stratum-v1", "cryptonote", "eth-proxy", "ethereum-stratum", "zcash", "kawpow",
        "kaspa",      "ergo",       "alephium",  "conflux",          "ckb",   "ironfish",
        "xelis",      "warthog",    "nexa",      "handshake",        "beam",  "grin",
        "qatum",
    };
    static char first[200000], again[200000], other[200000];
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct sim_client c;
        struct sim_pool p;
        const size_t n = play(names[i], 3, first, sizeof(first), &c, &p);
        assert_int_equal(c.shares.submitted, 20);
        assert_int_equal(p.shares.submitted, 20);
        assert_int_equal(c.shares.accepted, p.shares.accepted);
        assert_int_equal(c.shares.rejected, p.shares.rejected);
        assert_true(c.shares.rejected > 0 && c.shares.accepted > 0);
        assert_int_equal(c.jobs, 2);
        assert_int_equal(p.jobs, 2);
        assert_int_equal(c.in_flight, 0);
        assert_true(streq(p.user, "wallet.worker") || streq(p.user, "wallet"));

        assert_int_equal(play(names[i], 3, again, sizeof(again), &c, &p), n);
        assert_memory_equal(first, again, n);
        const size_t m = play(names[i], 4, other, sizeof(other), &c, &p);
        assert_true(m != n || memcmp(first, other, n) != 0);
    }
}

static void test_work_of_a_share(void **state)
{
    (void)state;
    static const struct {
        const char *family;
        double difficulty, work;
    } cases[] = {
        { "stratum-v1", 65536, 65536.0 * 4294967296.0 },
        { "stratum-v1", 0.5, 2147483648.0 },
        { "cryptonote", 10000, 10000 },
        { "eth-proxy", 4e9, 4e9 },
        { "kaspa", 2, 2 * 4294967296.0 },
        { "zcash", 16000, 16000 },
        { "qatum", 120, 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const double got = sim_work(sim_family_find(cases[i].family), cases[i].difficulty);
        if (fabs(got - cases[i].work) > 1e-4 * cases[i].work)
            fail_msg("%s at %g: %g", cases[i].family, cases[i].difficulty, got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_frames_parse_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_udp_parses_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_segments_cover_the_message, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hidden_direction, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses_what_does_not_fit, setup, teardown),
        cmocka_unit_test(test_families_count_alike_at_both_ends),
        cmocka_unit_test(test_work_of_a_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
