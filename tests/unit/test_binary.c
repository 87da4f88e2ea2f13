/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/recog/binary.h"
#include "tests/support/test.h"

enum { MOST = 8 };

/* What one side sends: bytes, filled up to `len` with noise. */
struct part {
    enum lamp_dir dir;
    const char *bytes;
    size_t n, len;
};
#define UP(s, len)                                                                                 \
    {                                                                                              \
        LAMP_UP, s, sizeof(s) - 1, len                                                             \
    }
#define DOWN(s, len)                                                                               \
    {                                                                                              \
        LAMP_DOWN, s, sizeof(s) - 1, len                                                           \
    }

#define VERSION "version\0\0\0\0\0\x66\0\0\0\x01\x02\x03\x04"
#define LEVIN "\x01\x21\x01\x01\x01\x01\x01\x01"
#define LEVIN_REST "\xe4\0\0\0\0\0\0\0\x01\xe9\x03\0\0\0\0\0\0\x01\0\0\0\x01\0\0\0"
#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define SETTINGS "\0\0\x06\x04\0\0\0\0\0"
#define MONERO "\x12\x30\xf1\x71\x61\x04\x41\x61\x17\x31\0\x82\x16\xa1\xa1\x10"

static const struct {
    const char *label;
    uint8_t ip_proto;
    uint16_t port;
    struct part parts[MOST];
    const char *family; /* NULL: nothing */
    const char *coin;
    bool weak;
} cases[] = {
    { "Bitcoin", 6, 8333, { UP("\xf9\xbe\xb4\xd9" VERSION, 126) }, "bitcoin-p2p", "BTC", false },
    { "Bitcoin, from the server",
      6,
      8333,
      { DOWN("\xf9\xbe\xb4\xd9" VERSION, 126) },
      "bitcoin-p2p",
      "BTC",
      false },
    { "testnet", 6, 18333, { UP("\x0b\x11\x09\x07" VERSION, 126) }, "bitcoin-p2p", "BTC", false },
    { "regtest", 6, 18444, { UP("\xfa\xbf\xb5\xda" VERSION, 126) }, "bitcoin-p2p", "BTC", false },
    { "signet", 6, 38333, { UP("\x0a\x03\xcf\x40" VERSION, 126) }, "bitcoin-p2p", "BTC", false },
    { "Namecoin", 6, 8334, { UP("\xf9\xbe\xb4\xfe" VERSION, 126) }, "bitcoin-p2p", "NMC", false },
    { "Dash", 6, 9999, { UP("\xbf\x0c\x6b\xbd" VERSION, 126) }, "bitcoin-p2p", "DASH", false },
    { "Kaspa's gRPC",
      6,
      16110,
      { UP(PREFACE, 60), DOWN(SETTINGS, 40) },
      "kaspa-grpc",
      "KAS",
      false },
    { "between Kaspa's nodes",
      6,
      16111,
      { UP(PREFACE, 24), DOWN(SETTINGS, 9) },
      "kaspa-grpc",
      "KAS",
      false },
    { "gRPC elsewhere", 6, 50051, { UP(PREFACE, 60), DOWN(SETTINGS, 40) }, NULL, NULL, false },
    { "HTTP/2 that is not taken up",
      6,
      16110,
      { UP(PREFACE, 60), DOWN("HTTP/1.1 400 Bad Request\r\n", 60) },
      NULL,
      NULL,
      false },
    { "a network nobody knows",
      6,
      4444,
      { UP("\x01\x02\x03\x04" VERSION, 126) },
      "bitcoin-p2p",
      NULL,
      false },
    { "in mid-stream",
      6,
      8333,
      { UP("\xf9\xbe\xb4\xd9inv\0\0\0\0\0\0\0\0\0\x25\0\0\0\x01\x02\x03\x04", 61) },
      "bitcoin-p2p",
      "BTC",
      false },
    { "the magic and nonsense",
      6,
      80,
      { UP("\xf9\xbe\xb4\xd9\xff\xff", 60), DOWN("\0\0\0\0\0\0\0\0", 60), UP("", 60) },
      NULL,
      NULL,
      false },
    { "a command with a hole",
      6,
      80,
      { UP("\xf9\xbe\xb4\xd9ve\0sion\0\0\0\0\0\x66\0\0\0", 60), DOWN("\0\0\0\0\0\0\0\0", 60),
        UP("", 60) },
      NULL,
      NULL,
      false },
    { "Monero", 6, 28080, { UP(LEVIN LEVIN_REST MONERO, 260) }, "monero-p2p", "XMR", false },
    { "Levin of another coin", 6, 19080, { UP(LEVIN LEVIN_REST, 60) }, "monero-p2p", NULL, false },
    { "the signature alone",
      6,
      80,
      { UP(LEVIN "\xff\xff\xff\xff\xff\xff\xff\xff\x01\xe9\x03\0\0\0\0\0\0\x01\0\0\0\x01\0\0\0",
           60),
        DOWN("\0\0", 60), UP("", 60) },
      NULL,
      NULL,
      false },
    { "RLPx",
      6,
      30303,
      { UP("\x01\xd0\x04\x55", 466), DOWN("\x01\xa0\x04\x55", 418) },
      "ethereum-rlpx",
      "ETH",
      false },
    { "RLPx of another length",
      6,
      80,
      { UP("\x01\xd0\x04\x55", 465), DOWN("\x01\xa0\x04\x55", 418), UP("", 60) },
      NULL,
      NULL,
      false },
    { "discovery", 17, 30303, { UP("", 0) }, "ethereum-discv4", "ETH", false },
    { "Stratum V2",
      6,
      3336,
      { UP("", 64), DOWN("", 234), UP("", 131), DOWN("", 44), UP("", 90) },
      "stratum-v2",
      NULL,
      false },
    { "Stratum V2, older",
      6,
      443,
      { UP("", 64), DOWN("", 170), UP("", 60), DOWN("", 44), UP("", 90) },
      "stratum-v2",
      NULL,
      false },
    { "BIP 324 with garbage of just that length",
      6,
      9000,
      { UP("", 64), DOWN("", 234), UP("", 45), DOWN("", 61), UP("", 90) },
      NULL,
      NULL,
      false },
    { "BIP 324", 6, 8333, { UP("", 1234), DOWN("", 777), UP("", 60) }, "node-port", "BTC", true },
    { "64 bytes of text",
      6,
      9000,
      { UP("GET / HTTP/1.0\r\nHost: a.example\r\nUser-Agent: something long\r\n\r\n", 0),
        DOWN("", 234), UP("", 131), DOWN("", 44), UP("", 9) },
      NULL,
      NULL,
      false },
    { "another Dash protocol",
      6,
      9999,
      { UP("\x80\x90\xa0\xb0\xc0\xd0\xe0\xf0", 40), DOWN("\x80\x90\xa0\xb0\xc0\xd0\xe0\xf0", 40),
        UP("", 40) },
      "node-port",
      "DASH",
      true },
    { "JSON at a node's port",
      6,
      9999,
      { UP("{\"id\":1}", 0), DOWN("\x80\x90\xa0\xb0\xc0\xd0\xe0\xf0", 40), UP("", 40) },
      NULL,
      NULL,
      false },
    { "TLS at a node's port",
      6,
      9999,
      { UP("\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", 517),
        DOWN("\x16\x03\x03\0\x7a\x02\0\0\x76\x03\x03", 900),
        UP("\x14\x03\x03\0\x01\x01\x80\x90", 60) },
      NULL,
      NULL,
      false },
    { "noise elsewhere",
      6,
      5555,
      { UP("", 80), DOWN("", 90), UP("", 40), DOWN("", 44), UP("", 40) },
      NULL,
      NULL,
      false },
};

/* Bytes of a part; noise is the same for the same place, and no text. */
static size_t fill(const struct part *p, uint8_t *out)
{
    const size_t len = p->len > p->n ? p->len : p->n;
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(0x80 | (i * 37 + 11));
    memcpy(out, p->bytes, p->n);
    return len;
}

/* A ping: hash, signature, type 1, a list of 27 bytes. */
static size_t fill_ping(uint8_t *out)
{
    for (size_t i = 0; i < 98 + 28; i++)
        out[i] = (uint8_t)(i * 37);
    out[96] = 1;
    out[97] = 1;
    out[98] = 0xc0 + 27;
    return 98 + 28;
}

/* Plays a case in segments of so many bytes (0: whole), and checks that no answer changes once it is
 * final. */
static void play(size_t c, size_t segment)
{
    size_t n_all, found = SIZE_MAX;
    const struct lamp_binary *const *all = lamp_binaries(&n_all);
    enum lamp_probe last[16] = { LAMP_NEED_MORE };
    struct lamp_binary_hit hit = { 0 };
    uint8_t side[2][4096], bytes[4096];
    size_t n_side[2] = { 0 };
    struct lamp_first first = { .ip_proto = cases[c].ip_proto, .server_port = cases[c].port };
    for (size_t i = 0; i < MOST && cases[c].parts[i].bytes; i++) {
        const struct part *p = &cases[c].parts[i];
        const size_t len = cases[c].ip_proto == 17 ? fill_ping(bytes) : fill(p, bytes);
        for (size_t at = 0; at < len;) {
            const size_t n = segment ? lamp_min(segment, len - at) : len;
            memcpy(side[p->dir] + n_side[p->dir], bytes + at, n);
            n_side[p->dir] += n;
            at += n;
            if (first.n_runs && first.runs[first.n_runs - 1].dir == p->dir)
                first.runs[first.n_runs - 1].len += (uint32_t)n;
            else
                first.runs[first.n_runs++] = (struct lamp_run){ (uint8_t)p->dir, (uint32_t)n };
            uint8_t *copy[2];
            for (int d = 0; d < 2; d++) {
                copy[d] = guarded_dup(side[d], n_side[d]);
                first.side[d] = (struct lamp_bytes){ copy[d], n_side[d] };
            }
            for (size_t b = 0; b < n_all; b++) {
                struct lamp_binary_hit h;
                const enum lamp_probe v = all[b]->probe(&first, &h);
                if (last[b] != LAMP_NEED_MORE && v != last[b])
                    fail_msg("%s: %s changes its mind", cases[c].label, all[b]->name);
                last[b] = v;
                if (v == LAMP_MATCH && found == SIZE_MAX) {
                    found = b;
                    hit = h;
                }
            }
            guarded_free(copy[0]);
            guarded_free(copy[1]);
        }
    }
    const char *family = found == SIZE_MAX ? NULL : all[found]->family;
    if (!family != !cases[c].family || (family && !streq(family, cases[c].family)))
        fail_msg("%s by %zu: %s", cases[c].label, segment, family ? family : "nothing");
    if (!family)
        return;
    if (segment)
        return; /* Levin's header comes before the name of its network */
    if (!hit.coin != !cases[c].coin || (hit.coin && !streq(hit.coin, cases[c].coin)))
        fail_msg("%s: coin %s", cases[c].label, hit.coin ? hit.coin : "unknown");
    if (!all[found]->mining)
        assert_int_equal(hit.confidence < 0.5, cases[c].weak);
}

static void test_whole(void **state)
{
    (void)state;
    for (size_t c = 0; c < ARRAY_LEN(cases); c++)
        play(c, 0);
}

static void test_in_segments(void **state)
{
    (void)state;
    for (size_t c = 0; c < ARRAY_LEN(cases); c++)
        for (size_t segment = 1; segment < 70 && cases[c].ip_proto == 6; segment++)
            play(c, segment);
}

/* A first payload that begins one of them is worth a look, others are not. */
static void test_opens(void **state)
{
    (void)state;
    for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
        uint8_t bytes[4096];
        const struct part *p = &cases[c].parts[0];
        const size_t len = cases[c].ip_proto == 17 ? fill_ping(bytes) : fill(p, bytes);
        const bool opens = lamp_binary_opens(cases[c].ip_proto, (struct lamp_bytes){ bytes, len },
                                             (uint32_t)len, cases[c].port);
        if (cases[c].family && !opens)
            fail_msg("%s is not looked at", cases[c].label);
    }
    static const char *const others[] = { "GET / HTTP/1.1\r\n", "SSH-2.0-x\r\n", "{\"id\":1}\n",
                                          "\x16\x03\x01\x02" };
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        assert_false(lamp_binary_opens(6, lamp_bytes_of(others[i]), 517, 443));
    assert_false(lamp_binary_opens(17, lamp_bytes_of("\x12\x34\x01"), 40, 53));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_in_segments),
        cmocka_unit_test(test_opens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
