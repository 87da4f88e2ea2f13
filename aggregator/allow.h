/* SPDX-License-Identifier: Apache-2.0 */
/* allow: the sensors that may connect, from a file of lines `KEY SITE NAME`: the sensor's CURVE
 * public key (40 characters Z85 or 64 hex digits), the site it stands at and the name it goes
 * by. Lines that begin with '#' are comments (unless they are KEY SITE NAME: Z85 has '#' too).
 * Site and name: letters, digits, '.', '_', '-', at most 64. At most 16,384 sensors.
 * Thread-safe. */
#pragma once

#include "common/err.h"
#include "common/util.h"

#include <stdio.h>

struct lamp_allowed {
    char key[41]; /* Z85 */
    char site[65], id[65];
};

typedef struct lamp_allow lamp_allow;

/* Reads the list; a file that is not there is an empty list. Each bad line is told on `errors`
 * as FILE:LINE: what. LAMP_EFORMAT: there was one. LAMP_ENOMEM, LAMP_EFULL, negated errno. */
LAMP_CHECK int lamp_allow_load(const char *path, FILE *errors, lamp_allow **out);
lamp_allow *lamp_allow_free(lamp_allow *a);

/* Reads the file again; after an error the list stays as it was. */
LAMP_CHECK int lamp_allow_reload(lamp_allow *a, const char *path, FILE *errors);

/* The sensor with a key. LAMP_ENOENT. */
LAMP_CHECK int lamp_allow_find(lamp_allow *a, const char *key, struct lamp_allowed *out);

/* A copy of the whole list, free() it. LAMP_ENOMEM. */
LAMP_CHECK int lamp_allow_copy(lamp_allow *a, struct lamp_allowed **out, size_t *out_n);
