/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/places/sites.h"

#include "common/text.h"

#include <stdio.h>

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

int lamp_site_place_parse(const char *text, struct lamp_site_place *out)
{
    struct lamp_site_place p;
    int err = take_degrees(&text, 90, &p.latitude);
    if (!err)
        err = take_degrees(&text, 180, &p.longitude);
    if (err)
        return err;
    if (!*text)
        return LAMP_EFORMAT;
    if (strlen(text) >= sizeof(p.name))
        return LAMP_ERANGE;
    snprintf(p.name, sizeof(p.name), "%s", text);
    *out = p;
    return LAMP_OK;
}

const struct lamp_site_place *lamp_site_place_find(const struct lamp_site_place *places, size_t n,
                                                   const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (streq(places[i].name, name))
            return &places[i];
    return NULL;
}
