/* SPDX-License-Identifier: Apache-2.0 */
/* The corpus of addresses that a probe must not reach, in every guise, and of some that it may. */
#include "aggregator/catalogue/target.h"
#include "tests/support/test.h"

static const struct {
    const char *addr;
    bool refused;
} corpus[] = {
    { "0.0.0.0", true },
    { "0.1.2.3", true },
    { "10.0.0.1", true },
    { "10.255.255.255", true },
    { "11.0.0.1", false },
    { "100.63.255.255", false },
    { "100.64.0.1", true },
    { "100.100.100.200", true }, /* metadata of Alibaba Cloud */
    { "100.128.0.1", false },
    { "127.0.0.1", true },
    { "127.255.255.254", true },
    { "168.63.129.16", true }, /* Azure */
    { "168.63.129.17", false },
    { "169.254.169.254", true }, /* metadata of most clouds */
    { "169.254.170.2", true },
    { "172.15.255.255", false },
    { "172.16.0.1", true },
    { "172.31.255.255", true },
    { "172.32.0.1", false },
    { "192.0.0.192", true }, /* Oracle */
    { "192.0.2.1", true },
    { "192.88.99.1", true },
    { "192.168.0.1", true },
    { "192.169.0.1", false },
    { "198.18.0.1", true },
    { "198.19.255.255", true },
    { "198.51.100.1", true },
    { "203.0.113.1", true },
    { "223.255.255.255", false },
    { "224.0.0.1", true },
    { "239.255.255.255", true },
    { "240.0.0.1", true },
    { "255.255.255.255", true },
    { "8.8.8.8", false },
    { "::", true },
    { "::1", true },
    { "::10.0.0.1", true },      /* IPv4-compatible */
    { "::8.8.8.8", true },       /* no such thing on today's Internet */
    { "::ffff:10.0.0.1", true }, /* mapped: is 10.0.0.1 */
    { "::ffff:127.0.0.1", true },
    { "::ffff:169.254.169.254", true },
    { "::ffff:8.8.8.8", false },   /* mapped: is 8.8.8.8 */
    { "::ffff:0:10.0.0.1", true }, /* translated, RFC 2765 */
    { "64:ff9b::a00:1", true },    /* NAT64 of 10.0.0.1 */
    { "64:ff9b::808:808", true },  /* NAT64 hides who answers */
    { "64:ff9b:1::a00:1", true },
    { "100::1", true },
    { "2001::1", true }, /* Teredo */
    { "2001:0:a00:1::", true },
    { "2001:10::1", true },
    { "2001:20::1", true },
    { "2001:db8::1", true },
    { "2001:200::1", false },
    { "2001:4860:4860::8888", false },
    { "2002:a00:1::1", true }, /* 6to4 of 10.0.0.1 */
    { "2002:7f00:1::1", true },
    { "2002:808:808::1", true },
    { "2606:4700::1111", false },
    { "3fff::1", true },
    { "3ffe::1", false },
    { "4000::1", true },
    { "5f00::1", true },
    { "fc00::1", true },
    { "fd00:ec2::254", true }, /* metadata of AWS */
    { "fe80::1", true },
    { "fec0::1", true },
    { "ff02::1", true },
    { "ff0e::1", true },
};

static void test_corpus(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(corpus); i++) {
        struct lamp_addr a;
        assert_int_equal(lamp_addr_parse(corpus[i].addr, &a), LAMP_OK);
        const char *why = lamp_probe_refusal(&a);
        if ((why != NULL) != corpus[i].refused)
            fail_msg("%s: %s", corpus[i].addr, why ? why : "allowed");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_corpus) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
