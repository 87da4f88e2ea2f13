/* SPDX-License-Identifier: Apache-2.0 */
#include "common/verdict.h"

static const char *const names[] = { "none", "wallet", "suspected", "probable", "confirmed" };

const char *lamp_verdict_name(enum lamp_verdict v)
{
    return (size_t)v < ARRAY_LEN(names) ? names[v] : names[0];
}

int lamp_verdict_parse(const char *name, enum lamp_verdict *out)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (streq(name, names[i])) {
            *out = (enum lamp_verdict)i;
            return LAMP_OK;
        }
    }
    return LAMP_EFORMAT;
}

const char *lamp_side_name(enum lamp_side s)
{
    return s == LAMP_SIDE_CLIENT ? "client" : s == LAMP_SIDE_SERVER ? "server" : NULL;
}
