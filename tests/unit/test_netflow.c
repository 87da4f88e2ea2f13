/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams in hexadecimal digits, as the documents draw them, and what is to come out of them. */
#include "common/text.h"
#include "sensor/records/netflow.h"
#include "tests/support/test.h"

#include <ctype.h>

enum {
    MAX_DATAGRAMS = 4,
    MAX_BYTES = 2048,
    PART = LAMP_NETFLOW_DOMAINS / LAMP_NETFLOW_PARTS,
};
#define NOW_S 1700000000 /* 0x6553f100 */

/* The example of RFC 7011, appendix A: a template, then three records of it. */
#define RFC7011_TEMPLATE "0002 001c 0100 0005 0008 0004 000c 0004 000f 0004 0002 0004 0001 0004 "
#define RFC7011_DATA                                                                               \
    "0100 0040 "                                                                                   \
    "c000020c c00002fe c0000201 00001391 00518c81 "                                                \
    "c000021b c0000217 c0000202 000002ec 0005ef46 "                                                \
    "c0000238 c0000241 c0000203 00000005 00001986 "

/* The same of NetFlow 9 (RFC 3954, section 9, with its own addresses). */
#define RFC3954_TEMPLATE "0000 001c 0100 0005 0008 0004 000c 0004 000f 0004 0002 0004 0001 0004 "
#define RFC3954_DATA                                                                               \
    "0100 0040 "                                                                                   \
    "c0a8010c 0a050cfe c0a80101 00001391 00518c81 "                                                \
    "c0a8011b 0a050c17 c0a80101 000002ec 0005ef46 "                                                \
    "c0a80138 0a050c41 c0a80101 00000005 00001986 "

#define IPFIX(len, sequence) "000a " len " 6553f100 " sequence " 00000007 "
#define V9(sequence) "0009 0001 00002710 6553f100 " sequence " 00000007 "
#define V5(count, sequence, sampling)                                                              \
    "0005 " count " 00002710 6553f100 00000000 " sequence " 01 02 " sampling " "
/* 10.0.0.1:49152 to 203.0.113.9:3333, 10 packets, 1500 bytes, from 4 s to 1 s ago, SYN PSH ACK */
#define V5_RECORD                                                                                  \
    "0a000001 cb007109 00000000 0001 0002 0000000a 000005dc 00001770 00002328 "                    \
    "c000 0d05 00 1a 06 00 0000 0000 18 18 0000 "

struct count {
    enum lamp_netflow_count what;
    uint64_t n;
};

static const struct {
    const char *label;
    const char *datagrams[MAX_DATAGRAMS]; /* "@" first: of another exporter */
    const char *want;                     /* a line a record */
    struct count counts[4];
} cases[] = {
    { "version 5",
      { V5("0001", "00000005", "0000") V5_RECORD },
      "10.0.0.1:49152 203.0.113.9:3333 6 0/1a 10/1500 0/0 -4000 -1000 1:1\n",
      { { LAMP_NETFLOW_RECORDS, 1 } } },
    { "version 5, one in 100",
      { V5("0001", "00000005", "4064") V5_RECORD },
      "10.0.0.1:49152 203.0.113.9:3333 6 0/1a 1000/150000 0/0 -4000 -1000 1:100\n",
      { { LAMP_NETFLOW_RECORDS, 1 } } },
    { "version 5, a record is missing before the second datagram",
      { V5("0001", "00000005", "0000") V5_RECORD, V5("0001", "00000008", "0000") V5_RECORD,
        V5("0001", "00000001", "0000") V5_RECORD, "@" V5("0001", "00000064", "0000") V5_RECORD },
      "10.0.0.1:49152 203.0.113.9:3333 6 0/1a 10/1500 0/0 -4000 -1000 1:1\n"
      "10.0.0.1:49152 203.0.113.9:3333 6 0/1a 10/1500 0/0 -4000 -1000 1:1\n"
      "10.0.0.1:49152 203.0.113.9:3333 6 0/1a 10/1500 0/0 -4000 -1000 1:1\n"
      "10.0.0.1:49152 203.0.113.9:3333 6 0/1a 10/1500 0/0 -4000 -1000 1:1\n",
      { { LAMP_NETFLOW_GAPS, 2 }, { LAMP_NETFLOW_RESTARTS, 1 } } },
    { "version 5, fewer records than it says",
      { V5("0002", "00000000", "0000") V5_RECORD },
      "10.0.0.1:49152 203.0.113.9:3333 6 0/1a 10/1500 0/0 -4000 -1000 1:1\n",
      { { LAMP_NETFLOW_CUT, 1 } } },
    { "version 5, header cut", { "0005 0001 0000" }, "", { { LAMP_NETFLOW_CUT, 1 } } },
    { "RFC 7011, appendix A",
      { IPFIX("006c", "00000000") RFC7011_TEMPLATE RFC7011_DATA },
      "192.0.2.12:0 192.0.2.254:0 0 0/0 5009/5344385 0/0 0 0 1:1\n"
      "192.0.2.27:0 192.0.2.23:0 0 0/0 748/388934 0/0 0 0 1:1\n"
      "192.0.2.56:0 192.0.2.65:0 0 0/0 5/6534 0/0 0 0 1:1\n",
      { { LAMP_NETFLOW_TEMPLATES, 1 }, { LAMP_NETFLOW_RECORDS, 3 } } },
    { "RFC 3954",
      { V9("00000000") RFC3954_TEMPLATE RFC3954_DATA },
      "192.168.1.12:0 10.5.12.254:0 0 0/0 5009/5344385 0/0 0 0 1:1\n"
      "192.168.1.27:0 10.5.12.23:0 0 0/0 748/388934 0/0 0 0 1:1\n"
      "192.168.1.56:0 10.5.12.65:0 0 0/0 5/6534 0/0 0 0 1:1\n",
      { { LAMP_NETFLOW_TEMPLATES, 1 }, { LAMP_NETFLOW_RECORDS, 3 } } },
    { "data before its template, and of another exporter after it",
      { V9("00000000") RFC3954_DATA, V9("00000001") RFC3954_TEMPLATE,
        "@" V9("00000000") RFC3954_DATA,
        V9("00000002") "0100 0018 c0a80138 0a050c41 c0a80101 "
                       "00000005 00001986 " },
      "192.168.1.56:0 10.5.12.65:0 0 0/0 5/6534 0/0 0 0 1:1\n",
      { { LAMP_NETFLOW_NO_TEMPLATE, 2 }, { LAMP_NETFLOW_GAPS, 0 } } },
    { "version 9, datagrams missing",
      { V9("00000000") RFC3954_TEMPLATE, V9("00000004") },
      "",
      { { LAMP_NETFLOW_GAPS, 3 } } },
    { "IPFIX, records missing",
      { IPFIX("006c", "00000000") RFC7011_TEMPLATE RFC7011_DATA, IPFIX("0010", "0000000a") },
      "192.0.2.12:0 192.0.2.254:0 0 0/0 5009/5344385 0/0 0 0 1:1\n"
      "192.0.2.27:0 192.0.2.23:0 0 0/0 748/388934 0/0 0 0 1:1\n"
      "192.0.2.56:0 192.0.2.65:0 0 0/0 5/6534 0/0 0 0 1:1\n",
      { { LAMP_NETFLOW_GAPS, 7 } } },
    { "IPv6, VLAN, milliseconds, short numbers, an enterprise's field and one of variable length",
      { IPFIX("009e",
              "00000000") "0002 0044 0101 000d 001b 0010 001c 0010 0007 0002 000b 0002 0004 0001 "
                          "0006 0002 003a 0002 "
                          "0098 0008 0099 0008 8123 ffff 00007a69 0001 0003 0002 0002 8001 0002 "
                          "00007a69 "
                          "0101 004a "
                          "20010db8000000000000000000000001 20010db8000000000000000000000002 c001 "
                          "0d05 06 0018 0064 "
                          "0000018bcfe56418 0000018bcfe567fc 05 6d696e6572 0003e8 0004 0909 " },
      "[2001:db8::1]:49153 [2001:db8::2]:3333 6 100/18 4/1000 0/0 -1000 -4 1:1\n",
      { { LAMP_NETFLOW_RECORDS, 1 } } },
    { "both ways in one record (RFC 5103)",
      { IPFIX("0058",
              "00000000") "0002 002c 0102 0006 0008 0004 000c 0004 0001 0008 0002 0004 8001 0008 "
                          "00007279 "
                          "8002 0004 00007279 0000 0000 "
                          "0102 001c 0a000001 cb007109 00000000000005dc 0000000a 0000 0000" },
      "",
      { { LAMP_NETFLOW_TEMPLATES, 1 } } },
    { "the same, whole",
      { IPFIX("0060", "00000000") "0002 002c 0102 0006 0008 0004 000c 0004 0001 0008 0002 0004 "
                                  "8001 0008 00007279 "
                                  "8002 0004 00007279 0000 0000 "
                                  "0102 0024 0a000001 cb007109 00000000000005dc 0000000a "
                                  "0000000000000bb8 00000014 " },
      "10.0.0.1:0 203.0.113.9:0 0 0/0 10/1500 20/3000 0 0 1:1\n",
      { { LAMP_NETFLOW_RECORDS, 1 } } },
    { "version 9, sampling by an option (scope: the system), then data",
      { V9("00000000") "0001 0012 0110 0004 0004 0001 0004 0022 0004 "
                       "0110 000c 00000001 000003e8 ",
        V9("00000001") RFC3954_TEMPLATE "0100 0018 c0a80138 0a050c41 c0a80101 00000005 00001986 " },
      "192.168.1.56:0 10.5.12.65:0 0 0/0 5000/6534000 0/0 0 0 1:1000\n",
      { { LAMP_NETFLOW_OPTIONS, 1 }, { LAMP_NETFLOW_RECORDS, 1 } } },
    { "IPFIX, count-based sampling of two selectors, a record names one",
      { IPFIX("003c", "00000000") "0003 0018 0111 0003 0001 012e 0008 0131 0004 0132 0004 0000 "
                                  "0111 0014 0000000000000005 00000001 00000009 ",
        IPFIX("0024", "00000001") "0111 0014 0000000000000006 00000001 00000063 ",
        IPFIX("0041",
              "00000001") "0002 001c 0112 0005 0008 0004 000c 0004 0001 0004 0002 0004 012e 0001 "
                          "0112 0015 0a000001 cb007109 000005dc 0000000a 06 " },
      "10.0.0.1:0 203.0.113.9:0 0 0/0 1000/150000 0/0 0 0 1:100\n",
      { { LAMP_NETFLOW_RECORDS, 1 } } },
    { "a template of nothing, one with too low a number, one that is cut",
      { V9("00000000") "0000 000c 0100 0001 0001 0000 ",
        V9("00000001") "0000 000c 00ff 0001 0001 0004 ",
        V9("00000002") "0000 000c 0100 0002 0001 0004 " },
      "",
      { { LAMP_NETFLOW_TEMPLATES_REFUSED, 3 }, { LAMP_NETFLOW_TEMPLATES, 0 } } },
    { "a set that is longer than its datagram, or shorter than its head",
      { V9("00000000") "0100 0040 0000", V9("00000001") "0100 0002 0000" },
      "",
      { { LAMP_NETFLOW_CUT, 2 } } },
    { "an IPFIX message that is longer than its datagram",
      { IPFIX("0100", "00000000") RFC7011_TEMPLATE },
      "",
      { { LAMP_NETFLOW_CUT, 1 } } },
    { "no addresses; no traffic; more than a measurement has",
      { V9("00000000") "0000 0010 0100 0002 0001 0004 0002 0004 0100 000c 00000001 00000001 ",
        V9("00000001") RFC3954_TEMPLATE "0100 0018 c0a80138 0a050c41 c0a80101 00000000 00000000 ",
        V9("00000002") "0000 0018 0101 0004 0008 0004 000c 0004 0002 0004 0001 0008 "
                       "0101 0018 c0a80138 0a050c41 00000001 00ffffffffffffff " },
      "",
      { { LAMP_NETFLOW_NOT_FLOWS, 2 }, { LAMP_NETFLOW_IMPLAUSIBLE, 1 } } },
    { "more bytes than the packets have; more than a link carries in the time, then as much as it "
      "does",
      { V9("00000000") RFC3954_TEMPLATE "0100 0018 c0a80138 0a050c41 c0a80101 00000002 0001ffff ",
        V9("00000001") "0000 0014 0101 0003 0008 0004 000c 0004 0001 0008 "
                       "0101 0014 c0a80138 0a050c41 0000000ba43b7401 ",
        V9("00000002") "0101 0014 c0a80138 0a050c41 0000000ba43b7400 " },
      "192.168.1.56:0 10.5.12.65:0 0 0/0 1/50000000000 0/0 0 0 1:1\n",
      { { LAMP_NETFLOW_IMPLAUSIBLE, 2 }, { LAMP_NETFLOW_RECORDS, 1 } } },
    { "times of another year count as of now",
      { "0005 0001 00002710 00000000 00000000 00000000 00 00 0000 " V5_RECORD },
      "10.0.0.1:49152 203.0.113.9:3333 6 0/1a 10/1500 0/0 0 0 1:1\n",
      { { LAMP_NETFLOW_CLOCK, 1 } } },
    { "other versions and nothing at all",
      { "0008 0001", "", "00" },
      "",
      { { LAMP_NETFLOW_VERSION, 3 }, { LAMP_NETFLOW_DATAGRAMS, 3 } } },
};

struct heard {
    char text[4096];
    size_t len;
};

static int64_t ago_ms(uint64_t t_us)
{
    return (int64_t)(t_us / 1000) - (int64_t)NOW_S * 1000;
}

static const char *name(const struct lamp_addr *a, char buf[64])
{
    char ip[LAMP_ADDR_STRLEN];
    snprintf(buf, 64, lamp_addr_is_v4(a) ? "%s" : "[%s]", lamp_addr_str(a, ip));
    return buf;
}

static void on_record(const struct lamp_netflow_sender *from, const struct lamp_record *r,
                      void *arg)
{
    struct heard *h = arg;
    char src[64], dst[64];
    (void)from;
    h->len += (size_t)snprintf(
        h->text + h->len, sizeof(h->text) - h->len,
        "%s:%u %s:%u %u %u/%x %llu/%llu %llu/%llu %lld %lld 1:%u\n", name(&r->src, src),
        r->src_port, name(&r->dst, dst), r->dst_port, r->ip_proto, r->vlan, r->tcp_flags,
        (unsigned long long)r->packets[0], (unsigned long long)r->bytes[0],
        (unsigned long long)r->packets[1], (unsigned long long)r->bytes[1],
        (long long)ago_ms(r->first_us), (long long)ago_ms(r->last_us), r->sampling);
    assert_true(h->len < sizeof(h->text));
}

static size_t unhex(const char *text, uint8_t out[MAX_BYTES])
{
    char digits[2 * MAX_BYTES + 1];
    size_t n = 0, len;
    for (; *text; text++)
        if (isxdigit((unsigned char)*text))
            digits[n++] = *text;
    assert_int_equal(lamp_hex_decode(digits, n, out, MAX_BYTES, &len), LAMP_OK);
    return len;
}

static void hear_of(lamp_netflow *n, uint8_t from, const char *hex, uint64_t now_us)
{
    uint8_t bytes[MAX_BYTES];
    const size_t len = unhex(hex, bytes);
    uint8_t *copy = guarded_dup(bytes, len);
    const struct lamp_addr exporter = { { [15] = from } };
    lamp_netflow_datagram(n, &exporter, (struct lamp_bytes){ copy, len }, now_us);
    guarded_free(copy);
}

static void hear(lamp_netflow *n, const char *hex, uint64_t now_us)
{
    const bool other = hex[0] == '@';
    hear_of(n, (uint8_t)(1 + other), hex + other, now_us);
}

static void test_datagrams(void **state)
{
    (void)state;
    unsigned wrong = 0;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct heard h = { .len = 0 };
        lamp_netflow *n;
        assert_int_equal(lamp_netflow_new(on_record, &h, &n), LAMP_OK);
        for (size_t k = 0; k < MAX_DATAGRAMS && cases[i].datagrams[k]; k++)
            hear(n, cases[i].datagrams[k], UINT64_C(1000000) * NOW_S);
        if (strcmp(h.text, cases[i].want) != 0)
            wrong++, print_error("%s: got\n%swant\n%s\n", cases[i].label, h.text, cases[i].want);
        for (size_t k = 0; k < ARRAY_LEN(cases[i].counts); k++) {
            const struct count *c = &cases[i].counts[k];
            const uint64_t got = lamp_netflow_counts(n)[c->what];
            if ((c->what || c->n) && got != c->n)
                wrong++, print_error("%s: %s: %llu\n", cases[i].label,
                                     lamp_netflow_count_text(c->what), (unsigned long long)got);
        }
        lamp_netflow_free(n);
    }
    assert_int_equal(wrong, 0);
}

/* Whatever is cut off or changed, nothing is read past the end (the sanitizer sees it), and every record is counted. */
static void test_cuts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t bytes[MAX_BYTES];
        const size_t len = unhex(cases[i].datagrams[0], bytes);
        size_t lines = 0;
        lamp_netflow *n;
        struct heard h;
        const struct lamp_addr exporter = { { 1 } };
        assert_int_equal(lamp_netflow_new(on_record, &h, &n), LAMP_OK);
        for (size_t cut = 0; cut <= len; cut++) {
            uint8_t *copy = guarded_dup(bytes, cut);
            h.len = 0;
            lamp_netflow_datagram(n, &exporter, (struct lamp_bytes){ copy, cut },
                                  UINT64_C(1000000) * NOW_S);
            guarded_free(copy);
            for (size_t k = 0; k < h.len; k++)
                lines += h.text[k] == '\n';
        }
        assert_int_equal(lamp_netflow_counts(n)[LAMP_NETFLOW_RECORDS], lines);
        lamp_netflow_free(n);
    }
}

static void test_limits(void **state)
{
    (void)state;
    struct heard h = { .len = 0 };
    lamp_netflow *n;
    char hex[256];
    const uint64_t now_us = UINT64_C(1000000) * NOW_S;
    assert_int_equal(lamp_netflow_new(on_record, &h, &n), LAMP_OK);
    const uint64_t *counts = lamp_netflow_counts(n);
    for (unsigned i = 0; i < LAMP_NETFLOW_SHARE + 10; i++) { /* templates of one domain */
        snprintf(hex, sizeof(hex), V9("%08x") "0000 000c %04x 0001 0001 0004", i, 256 + i);
        hear(n, hex, now_us);
    }
    assert_int_equal(counts[LAMP_NETFLOW_TEMPLATES], LAMP_NETFLOW_SHARE);
    assert_int_equal(counts[LAMP_NETFLOW_TEMPLATES_REFUSED], 10);
    for (unsigned i = 0; i < PART + 10; i++) { /* domains of one exporter; the first is there */
        snprintf(hex, sizeof(hex), "0009 0000 00000000 6553f100 00000000 %08x", i);
        hear(n, hex, now_us);
    }
    assert_int_equal(counts[LAMP_NETFLOW_EXPORTERS_REFUSED], 10);
    for (unsigned i = 0; i < LAMP_NETFLOW_DOMAINS - PART + 10; i++) { /* of all of them */
        snprintf(hex, sizeof(hex), "0009 0000 00000000 6553f100 00000000 %08x", i);
        hear_of(n, (uint8_t)(2 + i / PART), hex, now_us);
    }
    assert_int_equal(counts[LAMP_NETFLOW_EXPORTERS_REFUSED], 20);

    /* what is silent for long enough makes room, and its templates are no more */
    const uint64_t later_us = now_us + LAMP_NETFLOW_TEMPLATE_US + 1000000;
    hear(n, V9("00000200") RFC3954_DATA, later_us);
    assert_int_equal(counts[LAMP_NETFLOW_EXPIRED], 1);
    hear(n, "0009 0000 00000000 6553f100 00000000 00001000", later_us);
    assert_int_equal(counts[LAMP_NETFLOW_EXPORTERS_REFUSED], 20);
    lamp_netflow_free(n);
}

/* Templates of one exporter in several domains, in any order: it gets its part, another one its own, and each is found
 * again. */
static void test_templates(void **state)
{
    (void)state;
    const unsigned part = LAMP_NETFLOW_TEMPLATES_MAX / LAMP_NETFLOW_PARTS, domains = 8;
    const uint64_t now_us = UINT64_C(1000000) * NOW_S;
    struct heard h = { .len = 0 };
    lamp_netflow *n;
    char hex[256];
    assert_int_equal(lamp_netflow_new(on_record, &h, &n), LAMP_OK);
    const uint64_t *counts = lamp_netflow_counts(n);
    for (unsigned i = 0; i < part + 10; i++) {
        const unsigned id = 256 + i * 40503 % 65280;
        snprintf(hex, sizeof(hex),
                 "0009 0001 00002710 6553f100 00000000 %08x"
                 "0000 0014 %04x 0003 0008 0004 000c 0004 0001 0004",
                 i % domains, id);
        hear(n, hex, now_us);
    }
    assert_int_equal(counts[LAMP_NETFLOW_TEMPLATES], part);
    assert_int_equal(counts[LAMP_NETFLOW_TEMPLATES_REFUSED], 10);
    hear(n, "@" V9("00000000") RFC3954_TEMPLATE, now_us);
    assert_int_equal(counts[LAMP_NETFLOW_TEMPLATES], part + 1);
    for (unsigned i = 0; i < part + 10; i++) {
        const unsigned id = 256 + i * 40503 % 65280;
        h.len = 0;
        snprintf(hex, sizeof(hex),
                 "0009 0001 00002710 6553f100 00000000 %08x"
                 "%04x 0010 0a000001 0a000002 00000009",
                 i % domains, id);
        hear(n, hex, now_us);
        assert_int_equal(h.len > 0, i < part);
    }
    assert_int_equal(counts[LAMP_NETFLOW_NO_TEMPLATE], 10);
    lamp_netflow_free(n);
}

/* A datagram of nothing but heads of sets. */
static void test_many_sets(void **state)
{
    (void)state;
    static uint8_t bytes[20 + 4 * (LAMP_NETFLOW_SETS + 100)] = { 0, 9 };
    const struct lamp_addr exporter = { { 1 } };
    struct heard h = { .len = 0 };
    lamp_netflow *n;
    assert_int_equal(lamp_netflow_new(on_record, &h, &n), LAMP_OK);
    for (size_t at = 20; at < sizeof(bytes); at += 4) {
        bytes[at] = 1;
        bytes[at + 3] = 4;
    }
    for (unsigned extra = 0; extra < 2; extra++) {
        const size_t len = 20 + 4 * (LAMP_NETFLOW_SETS + (size_t)extra);
        lamp_netflow_datagram(n, &exporter, (struct lamp_bytes){ bytes, len }, 0);
        assert_int_equal(lamp_netflow_counts(n)[LAMP_NETFLOW_NO_TEMPLATE],
                         LAMP_NETFLOW_SETS * (1 + extra));
        assert_int_equal(lamp_netflow_counts(n)[LAMP_NETFLOW_SETS_REFUSED], extra);
    }
    lamp_netflow_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_datagrams), cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_limits),    cmocka_unit_test(test_templates),
        cmocka_unit_test(test_many_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
