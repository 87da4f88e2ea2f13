/* SPDX-License-Identifier: Apache-2.0 */
/* err: the one list of error codes.
 * Functions return int: 0 is success, negative is an error. Codes above -1000 are
 * negated errno values, the rest come from err.def. Thread-safe. */
#pragma once

#define LAMP_CHECK __attribute__((warn_unused_result))

/* The place of each error in err.def, from 0. */
enum lamp_err_index {
#define LAMP_ERR(name, text) LAMP_ERR_INDEX_##name,
#include "common/err.def"
#undef LAMP_ERR
    LAMP_ERR_COUNT
};

enum lamp_err {
    LAMP_OK = 0,
    LAMP_ERR_BASE = -1001,
#define LAMP_ERR(name, text) LAMP_##name = LAMP_ERR_BASE - LAMP_ERR_INDEX_##name,
#include "common/err.def"
#undef LAMP_ERR
};

/* The text of an error code, one of ours or a negated errno. Never NULL; static storage
 * except for errno texts, which live in a thread-local buffer until the next call. */
const char *lamp_strerror(int err);
