/* SPDX-License-Identifier: Apache-2.0 */
/* match: what names a pool in the owner's lists and in policies. Pure. */
#pragma once

#include "aggregator/store/write.h"

/* Whether `pool` names the server of a connection: its address, ADDRESS:PORT ([ADDRESS]:PORT), the
 * catalogue's name of the pool, or the host name it goes by or a domain above it. */
bool lamp_match_pool(const char *pool, const struct lamp_track_conn *c);
