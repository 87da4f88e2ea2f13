/* SPDX-License-Identifier: Apache-2.0 */
/* sites: where the sites are, as the operator says in the configuration; for maps. Pure. */
#pragma once

#include "common/err.h"
#include "common/util.h"

struct lamp_site_place {
    char name[65];
    double latitude, longitude; /* degrees, WGS 84 */
};

/* Reads "LATITUDE LONGITUDE NAME" ("59.91 10.75 oslo"; the rest of the text is the name). LAMP_EFORMAT:
 * it is not such a text; LAMP_ERANGE: no such place on earth, or a name above 64 bytes. */
LAMP_CHECK int lamp_site_place_parse(const char *text, struct lamp_site_place *out);

/* The place of the site of this name; NULL: nobody said. */
const struct lamp_site_place *lamp_site_place_find(const struct lamp_site_place *places, size_t n,
                                                   const char *name);
