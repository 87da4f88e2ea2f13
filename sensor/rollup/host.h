/* SPDX-License-Identifier: Apache-2.0 */
/* host: what may stand in a host name that came from the network (DNS, SNI, Host). Header
 * only, pure. */
#pragma once

#include "common/util.h"

/* The character in lower case if host names have it (letters, digits, '-', '_', '.'), else 0.
 * Internationalised names travel in their ASCII form (RFC 5890). */
static inline char lamp_host_char(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c + ('a' - 'A'));
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.')
        return (char)c;
    return 0;
}
