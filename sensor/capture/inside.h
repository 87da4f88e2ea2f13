/* SPDX-License-Identifier: Apache-2.0 */
/* inside: which networks are the branch's own. Reads the interfaces' addresses once. */
#pragma once

#include "common/addr.h"

enum { LAMP_INSIDE_MAX = 256 }; /* networks of interfaces taken; more are left out */

/* Fills out with the networks (IPv4 and IPv6, canonical) that the named interfaces of this
 * machine are in, and *out_n. Negated errno: the interfaces cannot be listed. */
LAMP_CHECK int lamp_inside_of_interfaces(const char *const *names, size_t n_names,
                                         struct lamp_prefix out[LAMP_INSIDE_MAX], size_t *out_n);
