/* SPDX-License-Identifier: Apache-2.0 */
/* zap: answers libzmq's question who may connect (ZAP, ZeroMQ RFC 27), on a thread of its own.
 * It must be bound before any server socket binds: libzmq lets everybody in where nobody
 * answers. The User-Id of an accepted connection is its CURVE public key as Z85. */
#pragma once

#include "aggregator/allow.h"

#define LAMP_ZAP_DOMAIN "sensors"

typedef struct lamp_zap lamp_zap;

/* Starts answering for the sockets of a ZeroMQ context. LAMP_EIO, LAMP_ENOMEM. */
LAMP_CHECK int lamp_zap_start(void *context, lamp_allow *allow, lamp_zap **out);

/* Stops the thread. Accepts NULL. Returns NULL. */
lamp_zap *lamp_zap_stop(lamp_zap *z);

/* Connections refused so far. */
uint64_t lamp_zap_refused(const lamp_zap *z);
