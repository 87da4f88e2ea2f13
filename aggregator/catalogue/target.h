/* SPDX-License-Identifier: Apache-2.0 */
/* target: which addresses a probe may connect to at all: public unicast ones. Pure.
 *
 * Refused are (IANA's special-purpose registries, RFC 6890 and its updates): this network, private,
 * shared (100.64/10), loopback, link-local (with the metadata services of clouds, also those at
 * 100.100.100.200, 168.63.129.16, 192.0.0.192 and fd00:ec2::254), documentation, benchmarking,
 * 6to4 relays, multicast, reserved and broadcast; of IPv6 all but 2000::/3, and in that Teredo,
 * ORCHID, documentation and whatever carries an IPv4 address (6to4, 2002::/16), as do 64:ff9b::/96 and
 * ::/96 outside of it. An IPv4-mapped address is the IPv4 address. */
#pragma once

#include "common/addr.h"

/* Why the address is not connected to, a static text; NULL: it may be. */
const char *lamp_probe_refusal(const struct lamp_addr *a);
