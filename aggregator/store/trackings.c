/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store/trackings.h"

const char *lamp_tracking_state_name(enum lamp_tracking_state s)
{
    static const char *const names[] = { "asked", "tracking", "refused", "unknown", "over" };
    return names[(size_t)s < ARRAY_LEN(names) ? (size_t)s : LAMP_TRACKING_OVER];
}
