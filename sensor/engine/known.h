/* SPDX-License-Identifier: Apache-2.0 */
/* known: which client mined at which server and port of late, so that it is known at once when it
 * connects again, also where it takes minutes to find out anew. LAMP_KNOWN_PAIRS places of which four
 * may hold a pair; of those the one unheard of for longest makes room. Forgets after 24 hours
 * without a verdict. Embedded; zero-initialise. Not thread-safe. */
#pragma once

#include "sensor/engine/conn.h"

enum { LAMP_KNOWN_PAIRS = 1024 };
#define LAMP_KNOWN_US (UINT64_C(24) * 3600 * 1000000)

struct lamp_known {
    struct lamp_known_pair {
        struct lamp_addr client, server;
        uint16_t server_port;
        uint8_t ip_proto;
        enum lamp_verdict verdict; /* NONE: a free place */
        double confidence;
        uint64_t last_us; /* of the newest connection with that verdict or a higher one */
    } pairs[LAMP_KNOWN_PAIRS];
};

/* Remembers a connection that is probable or more by itself; a lower verdict changes nothing, and what was
 * only recalled prolongs nothing. */
void lamp_known_note(struct lamp_known *k, const struct lamp_conn *c);

/* The pair, if it had such a verdict within the last 24 hours before now_us; NULL: it had not. */
const struct lamp_known_pair *lamp_known_find(const struct lamp_known *k,
                                              const struct lamp_addr *client,
                                              const struct lamp_addr *server, uint16_t server_port,
                                              uint8_t ip_proto, uint64_t now_us);
