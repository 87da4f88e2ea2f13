/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/policy/match.h"

#include <stdio.h>
#include <strings.h>

/* The name itself, or what ends with it after a dot. */
static bool is_below(const char *name, const char *domain)
{
    const size_t n = strlen(name), d = strlen(domain);
    return n >= d && d > 0 && strcasecmp(name + n - d, domain) == 0 &&
           (n == d || name[n - d - 1] == '.');
}

bool lamp_match_pool(const char *pool, const struct lamp_track_conn *c)
{
    static const enum lamp_track_text names[] = { LAMP_TEXT_SERVER_NAME, LAMP_TEXT_SNI,
                                                  LAMP_TEXT_TUNNEL_HOST };
    char addr[LAMP_ADDR_STRLEN], with_port[LAMP_ADDR_STRLEN + 10];
    lamp_addr_str(&c->row.server_addr, addr);
    snprintf(with_port, sizeof(with_port),
             lamp_addr_is_v4(&c->row.server_addr) ? "%s:%u" : "[%s]:%u", addr, c->row.server_port);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (is_below(c->text[names[i]], pool))
            return true;
    return streq(pool, addr) || streq(pool, with_port) ||
           (*c->text[LAMP_TEXT_POOL] && strcasecmp(pool, c->text[LAMP_TEXT_POOL]) == 0);
}
