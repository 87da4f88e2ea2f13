/* SPDX-License-Identifier: Apache-2.0 */
/* cdn: addresses and names behind which anybody's servers stand (content networks, load balancers),
 * read from cdn.csv of the folder of the catalogue: an address of theirs says little about who
 * answers there. Read-only after loading, so threads may share it. At most 4,096 rows. */
#pragma once

#include "common/addr.h"
#include "common/err.h"

typedef struct lamp_cdn lamp_cdn;

/* On failure says in `why` (size bytes) which file and line. As lamp_csv_load(). */
LAMP_CHECK int lamp_cdn_load(const char *folder, lamp_cdn **out, char *why, size_t size);
lamp_cdn *lamp_cdn_free(lamp_cdn *c);

/* Whose the address is, or the host name that a name leads to (a CNAME; "": none). NULL: nobody's that
 * is known; c may be NULL. */
const char *lamp_cdn_find(const lamp_cdn *c, const struct lamp_addr *a, const char *cname);
