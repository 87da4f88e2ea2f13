/* SPDX-License-Identifier: Apache-2.0 */
/* key: the sensor's CURVE key pair in a file of mode 0600, made on the sensor and never sent.
 * The file is two lines, "public Z85" and "secret Z85". */
#pragma once

#include "common/err.h"

struct lamp_key {
    char public_z85[41], secret_z85[41];
};

/* Reads the pair. LAMP_EFORMAT: not such a file, or the halves do not belong together.
 * LAMP_EAUTH: others may read the file. Negated errno (-ENOENT: there is none yet). */
LAMP_CHECK int lamp_key_load(const char *path, struct lamp_key *out);

/* Makes a pair and its file, and the folder of the file. LAMP_EEXIST: there is a file.
 * LAMP_EIO: no randomness. Negated errno. */
LAMP_CHECK int lamp_key_create(const char *path, struct lamp_key *out);
