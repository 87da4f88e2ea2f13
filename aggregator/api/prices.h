/* SPDX-License-Identifier: Apache-2.0 */
/* prices: what a kWh costs, at all sites or at one. Read-only once parsed, so threads may share it. */
#pragma once

#include "common/err.h"
#include "common/util.h"

struct lamp_site_price {
    char site[65];
    double price;
};

struct lamp_prices {
    double all; /* where no site's own is given; 0: not known */
    struct lamp_site_price *sites;
    size_t n;
};

/* Reads lines SITE=PRICE, of which the last for a site counts. On failure says in `why` (size bytes)
 * which one makes no sense. LAMP_EFORMAT, LAMP_ENOMEM. */
LAMP_CHECK int lamp_prices_parse(double all, const char *const *lines, size_t n,
                                 struct lamp_prices *out, char *why, size_t size);
void lamp_prices_free(struct lamp_prices *p);

/* The price at a site; 0: not known. Accepts NULL. */
double lamp_prices_of(const struct lamp_prices *p, const char *site);
