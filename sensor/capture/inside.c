/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/capture/inside.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>

/* The leading one bits of a mask; what follows the first zero does not count. */
static uint8_t mask_bits(const uint8_t *mask, size_t len)
{
    uint8_t n = 0;
    while (n < 8 * len && mask[n / 8] >> (7 - n % 8) & 1)
        n++;
    return n;
}

/* Whether the entry has an address of a family we know; then its network. */
static bool network_of(const struct ifaddrs *i, struct lamp_prefix *out)
{
    if (!i->ifa_addr || !i->ifa_netmask)
        return false;
    struct lamp_prefix p;
    if (i->ifa_addr->sa_family == AF_INET) {
        struct sockaddr_in addr, mask;
        memcpy(&addr, i->ifa_addr, sizeof(addr));
        memcpy(&mask, i->ifa_netmask, sizeof(mask));
        p.addr = lamp_addr_from_v4((const uint8_t *)&addr.sin_addr);
        p.len = (uint8_t)(96 + mask_bits((const uint8_t *)&mask.sin_addr, 4));
    } else if (i->ifa_addr->sa_family == AF_INET6) {
        struct sockaddr_in6 addr, mask;
        memcpy(&addr, i->ifa_addr, sizeof(addr));
        memcpy(&mask, i->ifa_netmask, sizeof(mask));
        memcpy(p.addr.b, &addr.sin6_addr, sizeof(p.addr.b));
        p.len = mask_bits((const uint8_t *)&mask.sin6_addr, 16);
    } else {
        return false;
    }
    for (unsigned bit = p.len; bit < 128; bit++)
        p.addr.b[bit / 8] &= (uint8_t) ~(0x80U >> bit % 8);
    *out = p;
    return true;
}

static bool is_named(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (streq(names[i], name))
            return true;
    return false;
}

int lamp_inside_of_interfaces(const char *const *names, size_t n_names,
                              struct lamp_prefix out[LAMP_INSIDE_MAX], size_t *out_n)
{
    struct ifaddrs *all;
    if (getifaddrs(&all) < 0)
        return -errno;
    size_t n = 0;
    for (const struct ifaddrs *i = all; i && n < LAMP_INSIDE_MAX; i = i->ifa_next)
        if (is_named(names, n_names, i->ifa_name) && network_of(i, &out[n]))
            n++;
    freeifaddrs(all);
    *out_n = n;
    return LAMP_OK;
}
