/* SPDX-License-Identifier: Apache-2.0 */
/* facts: what operators may set of sites themselves, by the calls that set options of sensors: what a
 * kWh costs there and where they are. No sensor hears of it. Pure. */
#pragma once

#include "common/settings.h"

#define LAMP_FACT_PRICE "site.price"
#define LAMP_FACT_PLACE "site.place"

#define LAMP_PRICE_MAX 1000.0 /* of a kWh, in any currency */

/* All of them; the offsets are of nothing. */
const struct lamp_opt *lamp_facts_known(size_t *out_n);

/* NULL: none has this name. */
const struct lamp_opt *lamp_fact_find(const char *name);

/* Whether `value` can be set for the site ("": for all); `why` says what is expected. LAMP_EFORMAT. */
LAMP_CHECK int lamp_fact_check(const struct lamp_opt *o, const char *site, const char *value,
                               char why[LAMP_CONF_WHY]);

/* Reads the LATITUDE LONGITUDE that `text` begins with, in degrees (WGS 84); *out_rest, where it is not NULL, is
 * what stands behind the spaces after them, else nothing may. LAMP_EFORMAT: it is no such text.
 * LAMP_ERANGE: no such place on earth. */
LAMP_CHECK int lamp_fact_place(const char *text, double *out_latitude, double *out_longitude,
                               const char **out_rest);
