/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/catalogue/target.h"

struct range {
    uint8_t b[16];
    uint8_t len;
    const char *why;
};

#define V4(a, b, c, d, bits, why_)                                                                 \
    {                                                                                              \
        { [10] = 0xff, [11] = 0xff, [12] = (a), [13] = (b), [14] = (c), [15] = (d) }, 96 + (bits), \
            why_                                                                                   \
    }

static const struct range v4[] = {
    V4(0, 0, 0, 0, 8, "of this network"),
    V4(10, 0, 0, 0, 8, "private"),
    V4(100, 64, 0, 0, 10, "shared by customers of a provider"),
    V4(127, 0, 0, 0, 8, "loopback"),
    V4(168, 63, 129, 16, 32, "a metadata service"),
    V4(169, 254, 0, 0, 16, "link-local"),
    V4(172, 16, 0, 0, 12, "private"),
    V4(192, 0, 0, 0, 24, "reserved"),
    V4(192, 0, 2, 0, 24, "for documentation"),
    V4(192, 88, 99, 0, 24, "of 6to4 relays"),
    V4(192, 168, 0, 0, 16, "private"),
    V4(198, 18, 0, 0, 15, "for benchmarks"),
    V4(198, 51, 100, 0, 24, "for documentation"),
    V4(203, 0, 113, 0, 24, "for documentation"),
    V4(224, 0, 0, 0, 4, "multicast"),
    V4(240, 0, 0, 0, 4, "reserved"),
};

/* Within 2000::/3, which alone is public. */
static const struct range v6[] = {
    { { 0x20, 0x01 }, 23, "of a protocol (Teredo, ORCHID)" },
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32, "for documentation" },
    { { 0x20, 0x02 }, 16, "an IPv4 address in 6to4" },
    { { 0x3f, 0xff }, 20, "for documentation" },
};

static const char *why_in(const struct range *v, size_t n, const struct lamp_addr *a)
{
    for (size_t i = 0; i < n; i++) {
        struct lamp_prefix p = { .len = v[i].len };
        memcpy(p.addr.b, v[i].b, sizeof(p.addr.b));
        if (lamp_prefix_has(&p, a))
            return v[i].why;
    }
    return NULL;
}

const char *lamp_probe_refusal(const struct lamp_addr *a)
{
    if (lamp_addr_is_v4(a))
        return why_in(v4, ARRAY_LEN(v4), a);
    if (a->b[0] >> 5 != 1)
        return "not public";
    return why_in(v6, ARRAY_LEN(v6), a);
}
