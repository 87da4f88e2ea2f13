/* SPDX-License-Identifier: Apache-2.0 */
/* proxy: a TCP relay between a sensor and the aggregator that does to them what networks do. It knows
 * the frames of ZMTP 3 (ZeroMQ RFC 37), whose lengths are in the clear under CURVE, so it can lose
 * single messages, which CURVE allows (its nonces must grow, not follow one another), and cut a
 * connection in the middle of one. Everything is drawn from a seed. One thread of its own. */
#pragma once

#include "common/err.h"
#include "tests/support/poolsim/net.h"

#include <stdatomic.h>

/* Ways are named by where they lead: down is to the sensor (WELCOME, ACK), up is to the aggregator. */
enum proxy_way { PROXY_UP, PROXY_DOWN };

/* What may happen, as probabilities from 0 to 1. */
struct proxy_faults {
    double drop[2];    /* of a message after the handshake: lost alone, by way */
    double cut[2];     /* of a connection: reset within a message of this way */
    double stall[2];   /* of a connection: this way stands still for a while, then goes on */
    double deaf;       /* of a connection: the sensor hears nothing for a while, but is heard */
    double half_open;  /* of a connection: both ways end without a word; reset a while later */
    double refuse;     /* of a connection: reset at once */
    unsigned delay_ms; /* each connection is this late at most */
    unsigned within;   /* what befalls a connection does so within so many messages */
    unsigned stall_ms; /* how long "a while" is at most */
};

struct proxy_counts {
    uint64_t connections, refused, cut, stalled, half_open;
    uint64_t messages[2], dropped[2]; /* by way; messages include those dropped */
};

typedef struct lamp_proxy lamp_proxy;

/* Listens at `at` (port 0: any) for connections that it relays to `to`. Begins without faults.
 * Negated errno, LAMP_ENOMEM, LAMP_EIO. */
LAMP_CHECK int lamp_proxy_start(const struct sim_endpoint *at, const struct sim_endpoint *to,
                                uint64_t seed, lamp_proxy **out);
lamp_proxy *lamp_proxy_stop(lamp_proxy *p);

uint16_t lamp_proxy_port(const lamp_proxy *p);

/* Sets what may happen from now on, NULL: nothing. Connections that stand still are reset. */
void lamp_proxy_set(lamp_proxy *p, const struct proxy_faults *faults);

/* Resets every connection. */
void lamp_proxy_reset(lamp_proxy *p);

struct proxy_counts lamp_proxy_counts(lamp_proxy *p);
