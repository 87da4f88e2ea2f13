/* SPDX-License-Identifier: Apache-2.0 */
#include "common/err.h"

#include <stdio.h>
#include <string.h>

static const char *const texts[] = {
#define LAMP_ERR(name, text) text,
#include "common/err.def"
#undef LAMP_ERR
};

const char *lamp_strerror(int err)
{
    if (err >= 0)
        return "success";
    if (err <= LAMP_ERR_BASE && err > LAMP_ERR_BASE - LAMP_ERR_COUNT)
        return texts[LAMP_ERR_BASE - err];

    static _Thread_local char buf[128];
    return strerror_r(-err, buf, sizeof(buf));
}
