/* SPDX-License-Identifier: Apache-2.0 */
/* uplink: one CURVE-encrypted DEALER socket to the aggregator with the options of docs/WIRE.md,
 * and its monitor. Opened and closed many times; one thread. Never logs. */
#pragma once

#include "common/addr.h"
#include "sensor/link/key.h"

typedef struct lamp_uplink lamp_uplink;

enum lamp_uplink_event {
    LAMP_UPLINK_CONNECTED, /* and the handshake is done */
    LAMP_UPLINK_DISCONNECTED,
    LAMP_UPLINK_REFUSED,      /* the aggregator does not know our key */
    LAMP_UPLINK_NO_HANDSHAKE, /* it is not who we think, or speaks no CURVE */
};

/* context: of libzmq, shared with others and borrowed; NULL: one of its own. LAMP_ENOMEM, LAMP_EINVAL
 * (endpoint too long). */
LAMP_CHECK int lamp_uplink_new(const struct lamp_key *key, const char *endpoint,
                               const char *server_key_z85, void *context, lamp_uplink **out);
lamp_uplink *lamp_uplink_free(lamp_uplink *u);
const char *lamp_uplink_public_key(const lamp_uplink *u);

/* Whose keys the next lamp_uplink_open() uses: ours, and the aggregator's (Z85). */
void lamp_uplink_set_keys(lamp_uplink *u, const struct lamp_key *key, const char *server_key_z85);

/* Makes the socket; the connection comes up by itself later. Negated errno of libzmq. */
LAMP_CHECK int lamp_uplink_open(lamp_uplink *u);
void lamp_uplink_close(lamp_uplink *u);
bool lamp_uplink_is_open(const lamp_uplink *u);

/* Sends one payload frame. LAMP_EAGAIN: no connection, or its queue is full. */
LAMP_CHECK int lamp_uplink_send(lamp_uplink *u, const uint8_t *data, size_t len);

/* Receives one payload frame; *out is the caller's to free(). LAMP_EAGAIN: none.
 * Messages of several frames are dropped. LAMP_ENOMEM. */
LAMP_CHECK int lamp_uplink_recv(lamp_uplink *u, uint8_t **out, size_t *out_len);

/* The next event of the connection; false: none. */
bool lamp_uplink_next_event(lamp_uplink *u, enum lamp_uplink_event *out);

/* The address of the aggregator the last connection led to; false: none yet. */
bool lamp_uplink_peer(const lamp_uplink *u, struct lamp_addr *out);

/* To poll for reading (-1 while closed). libzmq's are edge-triggered: poll only where
 * lamp_uplink_is_ready() says that nothing is left to read (zmq_getsockopt(3), ZMQ_FD). */
void lamp_uplink_fds(const lamp_uplink *u, int *out_socket, int *out_monitor);
bool lamp_uplink_is_ready(const lamp_uplink *u);
