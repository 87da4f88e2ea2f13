/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store/policies.h"

const char *lamp_policy_mode_name(enum lamp_policy_mode m)
{
    static const char *const names[] = { "off", "dry-run", "on" };
    return names[(size_t)m < ARRAY_LEN(names) ? m : 0];
}

const char *lamp_policy_block_name(enum lamp_policy_block b)
{
    static const char *const names[] = { "nothing", "host", "server" };
    return names[(size_t)b < ARRAY_LEN(names) ? b : 0];
}
