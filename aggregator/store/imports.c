/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store/imports.h"

#include "common/util.h"

const char *lamp_import_state_name(enum lamp_import_state s)
{
    static const char *const names[] = { "uploading", "waiting", "running",
                                         "done",      "failed",  "cancelled" };
    return names[(size_t)s < ARRAY_LEN(names) ? s : LAMP_IMPORT_FAILED];
}
