/* SPDX-License-Identifier: Apache-2.0 */
/* sensors_file: keys to let in, from a file of lines `KEY SITE NAME`: the sensor's CURVE public key
 * (40 characters Z85 or 64 hex digits), the site it stands at and the name it goes by. Lines that
 * begin with '#' are comments (unless they are KEY SITE NAME: Z85 has '#' too). At most
 * LAMP_ALLOW_MAX lines. */
#pragma once

#include "aggregator/allow.h"

#include <stdio.h>

/* Reads the file into an array to free(), all of them active; one that is not there is empty.
 * Each bad line is told on `errors` as FILE:LINE: what. LAMP_EFORMAT: there was one. LAMP_ENOMEM,
 * LAMP_EFULL, negated errno. */
LAMP_CHECK int lamp_sensors_file_read(const char *path, FILE *errors, struct lamp_allowed **out,
                                      size_t *out_n);
