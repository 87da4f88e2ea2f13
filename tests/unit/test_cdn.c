/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cdn.h"
#include "tests/support/test.h"

static void test_find(void **state)
{
    (void)state;
    static const struct {
        const char *addr, *cname, *want;
    } cases[] = {
        { "104.16.3.4", "", "Cloudflare" },
        { "104.15.3.4", "", NULL },
        { "2606:4700::6810:1", "", "Cloudflare" },
        { "151.101.1.1", "", "Fastly" },
        { "203.0.113.7", "", NULL },
        { "203.0.113.7", "x.CDN.cloudflare.net", "Cloudflare" },
        { "203.0.113.7", "cloudfront.net", NULL },
        { "203.0.113.7", "d1.cloudfront.net", "Amazon CloudFront" },
    };
    lamp_cdn *c = NULL;
    char why[256] = "";
    if (lamp_cdn_load(LAMP_DATA, &c, why, sizeof(why)))
        fail_msg("%s", why);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct lamp_addr a;
        assert_int_equal(lamp_addr_parse(cases[i].addr, &a), LAMP_OK);
        const char *got = lamp_cdn_find(c, &a, cases[i].cname);
        if (!got != !cases[i].want || (got && !streq(got, cases[i].want)))
            fail_msg("%s %s: %s", cases[i].addr, cases[i].cname, got ? got : "none");
        assert_null(lamp_cdn_find(NULL, &a, cases[i].cname));
    }
    lamp_cdn_free(c);
    assert_int_equal(lamp_cdn_load("/nonexistent", &c, why, sizeof(why)), LAMP_ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_find) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
