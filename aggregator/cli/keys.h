/* SPDX-License-Identifier: Apache-2.0 */
/* keys: finding the key or stranger that an operator means. Pure. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

/* Whether `object`, a key or a stranger of the API, is what `text` names: its number, its
 * fingerprint or at least the first eight hex digits of it (with or without '-'), its key, or
 * (name not NULL) the member `name`. */
bool lamp_cli_names(const json_t *object, const char *text, const char *name);
