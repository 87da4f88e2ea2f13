/* SPDX-License-Identifier: Apache-2.0 */
/* router: what the two server sockets share: a ROUTER with CURVE, its options (docs/WIRE.md says
 * why each), and receiving messages of exactly two frames. */
#pragma once

#include "aggregator/keys.h"

#include <stddef.h>
#include <zmq.h>

struct lamp_router_opt {
    int option, value;
};

struct lamp_router_cfg {
    void *context; /* in which a ZAP handler of the domain is bound already */
    const struct lamp_keys *keys;
    const char *zap_domain;
    int64_t message_max;                /* bytes; longer ones end the connection */
    const struct lamp_router_opt *opts; /* over the common ones */
    size_t n_opts;
};

/* Makes the socket and binds it. LAMP_EEXIST: something listens there already. LAMP_EINVAL: no such
 * address. LAMP_EIO: ZeroMQ refused; zmq_errno() says why in each case. */
LAMP_CHECK int lamp_router_bind(const struct lamp_router_cfg *cfg, const char *endpoint,
                                void **out);

enum lamp_router_got { LAMP_ROUTER_EMPTY, LAMP_ROUTER_HANDLED, LAMP_ROUTER_MALFORMED };

/* Takes the routing frame and the payload, which both stay the caller's; false: it made no sense. */
typedef bool lamp_router_fn(zmq_msg_t *routing, zmq_msg_t *payload, void *arg);

/* Receives one message, if there is one, and lends it to fn if it has exactly two frames. */
enum lamp_router_got lamp_router_receive(void *router, lamp_router_fn *fn, void *arg);
