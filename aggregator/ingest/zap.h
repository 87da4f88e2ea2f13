/* SPDX-License-Identifier: Apache-2.0 */
/* zap: answers libzmq's question who may connect (ZAP, ZeroMQ RFC 27), on a thread of its own.
 * It must be bound before any server socket binds: libzmq lets everybody in where nobody
 * answers. The User-Id of an accepted connection is its CURVE public key as Z85. */
#pragma once

#include "common/err.h"
#include "common/util.h"

typedef struct lamp_zap lamp_zap;

/* Whether a key (Z85) may connect from an address (text). On the thread of the zap. */
typedef bool lamp_zap_admit_fn(const char *key, const char *address, void *arg);

/* Starts answering for the sockets of a ZeroMQ context that are of the domain; those of another are
 * refused. LAMP_EIO, LAMP_ENOMEM. */
LAMP_CHECK int lamp_zap_start(void *context, const char *domain, lamp_zap_admit_fn *admit,
                              void *arg, lamp_zap **out);

/* Stops the thread. Accepts NULL. Returns NULL. */
lamp_zap *lamp_zap_stop(lamp_zap *z);

/* Connections refused so far. */
uint64_t lamp_zap_refused(const lamp_zap *z);
