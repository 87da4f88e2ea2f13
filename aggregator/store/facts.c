/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store/facts.h"

#include "common/text.h"

#include <stdio.h>

static const struct lamp_opt known[] = {
    { LAMP_FACT_PRICE, LAMP_OPT_DOUBLE, 0, 0, (int64_t)LAMP_PRICE_MAX, "0", NULL, NULL,
      "What a kWh costs, in the currency you pay in; 0: not known." },
    { LAMP_FACT_PLACE, LAMP_OPT_STR, 0, 0, LAMP_SETTING_VALUE - 1, "", NULL, NULL,
      "Where the site is, for the map: LATITUDE LONGITUDE in degrees." },
};

const struct lamp_opt *lamp_facts_known(size_t *out_n)
{
    *out_n = ARRAY_LEN(known);
    return known;
}

const struct lamp_opt *lamp_fact_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (streq(known[i].key, name))
            return &known[i];
    return NULL;
}

int lamp_fact_check(const struct lamp_opt *o, const char *site, const char *value,
                    char why[LAMP_CONF_WHY])
{
    double latitude, longitude;
    if (o->type == LAMP_OPT_DOUBLE)
        return lamp_opt_check(o, value, why);
    if (!*site) {
        snprintf(why, LAMP_CONF_WHY, "a place is one site's: say which");
        return LAMP_EFORMAT;
    }
    if (lamp_fact_place(value, &latitude, &longitude, NULL) == LAMP_OK)
        return LAMP_OK;
    snprintf(
        why, LAMP_CONF_WHY,
        "expected degrees of latitude and longitude with a space between, such as 59.91 10.75");
    return LAMP_EFORMAT;
}

/* The number at *at; *at moves past it and the spaces behind it. */
static int take_degrees(const char **at, double limit, double *out)
{
    char number[32];
    const size_t len = strcspn(*at, " ");
    if (len == 0 || len >= sizeof(number))
        return LAMP_EFORMAT;
    snprintf(number, sizeof(number), "%.*s", (int)len, *at);
    *at += len + strspn(*at + len, " ");
    return lamp_text_double(number, -limit, limit, out);
}

int lamp_fact_place(const char *text, double *out_latitude, double *out_longitude,
                    const char **out_rest)
{
    double latitude, longitude;
    int err = take_degrees(&text, 90, &latitude);
    if (!err)
        err = take_degrees(&text, 180, &longitude);
    if (err)
        return err;
    if (out_rest)
        *out_rest = text;
    else if (*text)
        return LAMP_EFORMAT;
    *out_latitude = latitude;
    *out_longitude = longitude;
    return LAMP_OK;
}
