/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store/pools.h"

#include "common/util.h"

static const char *const tls_names[] = { "unknown", "no", "yes", "both" };

const char *lamp_pool_tls_name(enum lamp_pool_tls t)
{
    return tls_names[(size_t)t < ARRAY_LEN(tls_names) ? t : 0];
}

int lamp_pool_tls_parse(const char *name, enum lamp_pool_tls *out)
{
    for (size_t i = 0; i < ARRAY_LEN(tls_names); i++)
        if (streq(tls_names[i], name)) {
            *out = (enum lamp_pool_tls)i;
            return LAMP_OK;
        }
    return LAMP_EFORMAT;
}

const char *lamp_pool_state_name(enum lamp_pool_state s)
{
    static const char *const names[] = { "unknown", "up", "listen", "down" };
    return names[(size_t)s < ARRAY_LEN(names) ? s : 0];
}
