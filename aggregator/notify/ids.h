/* SPDX-License-Identifier: Apache-2.0 */
/* ids: names by which other tools know the same thing again. Pure, thread-safe. */
#pragma once

#include "common/addr.h"

enum {
    LAMP_COMMUNITY_ID = 32, /* "1:" and 28 characters of base64, with NUL */
    LAMP_UUID = 37,         /* likewise, of the text of a UUID */
};

/* The Community ID of a connection, version 1 with seed 0 (github.com/corelight/community-id-spec):
 * SHA-1 over both ends in their order. "" where SHA-1 cannot be had. Returns out. */
const char *lamp_community_id(uint8_t ip_proto, const struct lamp_addr *a, uint16_t a_port,
                              const struct lamp_addr *b, uint16_t b_port,
                              char out[LAMP_COMMUNITY_ID]);

/* The UUID of a name, version 5 (RFC 9562 section 5.5) in a namespace of our own: the same name always
 * gives the same. Returns out. */
const char *lamp_uuid_of(const char *name, char out[LAMP_UUID]);
