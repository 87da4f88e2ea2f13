/* SPDX-License-Identifier: Apache-2.0 */
/* names: the host names of addresses as reverse DNS (PTR, RFC 1035 section 3.5) tells them, asked
 * with c-ares on a thread of its own and remembered. Nobody waits for an answer: a look-up says
 * what is known now and has the rest asked. Bounded: LAMP_NAMES_CACHE addresses (the one that
 * was looked up longest ago makes room), LAMP_NAMES_IN_FLIGHT questions at once. Only public
 * addresses are asked for: private ones mean something else at every site. Thread-safe. */
#pragma once

#include "common/addr.h"
#include "common/err.h"

typedef struct lamp_names lamp_names;

enum {
    LAMP_NAMES_CACHE = 4096,
    LAMP_NAMES_IN_FLIGHT = 32,
    LAMP_NAME_TEXT = 256,
    LAMP_NAMES_KEEP_S = 3600, /* a name */
    LAMP_NAMES_RETRY_S = 600, /* that there is none, or no answer */
};

enum lamp_name_state {
    LAMP_NAME_KNOWN,
    LAMP_NAME_NONE,    /* there is none */
    LAMP_NAME_PENDING, /* asked, no answer yet */
    LAMP_NAME_FAILED,  /* no resolver answered; asked again after LAMP_NAMES_RETRY_S */
    LAMP_NAME_OFF,     /* not asked: switched off, or not a public address */
};
const char *lamp_name_state_name(enum lamp_name_state s);

struct lamp_names_counters {
    uint64_t asked, answered, failed;
    uint64_t evicted; /* forgotten for lack of room */
    uint64_t waiting; /* now */
};

/* Starts the thread. servers: "192.0.2.53,[2001:db8::53]:5353", as ares_set_servers_ports_csv(3)
 * takes them; NULL or "": the system's. LAMP_EFORMAT: not such a list. LAMP_ENOMEM, negated errno. */
LAMP_CHECK int lamp_names_new(const char *servers, lamp_names **out);

/* Ends the thread; what is asked is given up. Accepts NULL. Returns NULL. */
lamp_names *lamp_names_free(lamp_names *n);

/* The name of a (in out, "" unless KNOWN) at mono_us of the monotonic clock. n NULL: OFF. */
enum lamp_name_state lamp_names_find(lamp_names *n, const struct lamp_addr *a, uint64_t mono_us,
                                     char out[LAMP_NAME_TEXT]);

struct lamp_names_counters lamp_names_counters(lamp_names *n);
