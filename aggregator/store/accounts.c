/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store/accounts.h"

#include <ctype.h>

static const char *const roles[] = { "none", "viewer", "operator", "admin" };

const char *lamp_role_name(enum lamp_role r)
{
    return roles[(size_t)r < ARRAY_LEN(roles) ? r : 0];
}

enum lamp_role lamp_role_of(const char *name)
{
    for (size_t i = 1; i < ARRAY_LEN(roles); i++)
        if (streq(roles[i], name))
            return (enum lamp_role)i;
    return LAMP_ROLE_NONE;
}

bool lamp_scope_has(const char *scope, const char *site, size_t site_len)
{
    if (!*scope)
        return true;
    for (const char *at = scope;; at++) {
        const size_t len = strcspn(at, "\n");
        if (len == site_len && site_len && memcmp(at, site, len) == 0)
            return true;
        at += len;
        if (!*at)
            return false;
    }
}

bool lamp_account_name_ok(const char *name)
{
    const size_t len = strlen(name);
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("._@-", name[i]))
            return false;
    return len > 0 && len < LAMP_ACCOUNT_NAME;
}
