/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/api/prices.h"

#include "common/text.h"

#include <stdio.h>
#include <stdlib.h>

#define PRICE_MAX 1000.0

int lamp_prices_parse(double all, const char *const *lines, size_t n, struct lamp_prices *out,
                      char *why, size_t size)
{
    struct lamp_prices p = { .all = all, .n = n };
    p.sites = calloc(n + 1, sizeof(*p.sites));
    if (!p.sites) {
        snprintf(why, size, "%s", lamp_strerror(LAMP_ENOMEM));
        return LAMP_ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        const char *equals = strrchr(lines[i], '=');
        const size_t len = equals ? (size_t)(equals - lines[i]) : 0;
        if (len == 0 || len >= sizeof(p.sites[i].site) ||
            lamp_text_double(equals + 1, 0, PRICE_MAX, &p.sites[i].price) != LAMP_OK) {
            snprintf(why, size, "sites.prices: \"%.100s\" is not SITE=PRICE", lines[i]);
            lamp_prices_free(&p);
            return LAMP_EFORMAT;
        }
        memcpy(p.sites[i].site, lines[i], len);
    }
    *out = p;
    return LAMP_OK;
}

void lamp_prices_free(struct lamp_prices *p)
{
    free(p->sites);
    *p = (struct lamp_prices){ 0 };
}

double lamp_prices_of(const struct lamp_prices *p, const char *site)
{
    for (size_t i = p && site ? p->n : 0; i > 0; i--)
        if (streq(p->sites[i - 1].site, site))
            return p->sites[i - 1].price;
    return p ? p->all : 0;
}
