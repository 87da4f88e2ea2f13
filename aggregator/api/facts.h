/* SPDX-License-Identifier: Apache-2.0 */
/* facts: what a kWh costs at sites and where they are, as the configuration says and as operators set it (store/facts.h).
 * What is set goes before what the configuration says, and what is of a site before what is of all.
 * Thread-safe. */
#pragma once

#include "aggregator/store/store.h"

typedef struct lamp_facts lamp_facts;

/* price: of a kWh everywhere, 0: not known. prices: lines SITE=PRICE. places: lines LATITUDE LONGITUDE SITE. The last line
 * for a site counts. On failure says in `why` (size bytes) which one makes no sense. LAMP_EFORMAT, LAMP_ENOMEM. */
LAMP_CHECK int lamp_facts_new(double price, const struct lamp_strlist *prices,
                              const struct lamp_strlist *places, lamp_facts **out, char *why,
                              size_t size);
/* Accepts NULL. Returns NULL. */
lamp_facts *lamp_facts_free(lamp_facts *f);

/* Takes what is set from a store handle that sees every site. On failure what was known stays. LAMP_ESTORE, LAMP_ENOMEM. */
LAMP_CHECK int lamp_facts_load(lamp_facts *f, lamp_store *s);

/* What a kWh costs at a site (NULL: at none); 0: not known. Accepts NULL for f. */
double lamp_facts_price(lamp_facts *f, const char *site);

/* Where it is, in degrees (WGS 84); false: nobody said. Accepts NULL for f. */
bool lamp_facts_place(lamp_facts *f, const char *site, double *out_latitude, double *out_longitude);
