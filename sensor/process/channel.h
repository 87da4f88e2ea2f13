/* SPDX-License-Identifier: Apache-2.0 */
/* channel: one Envelope per message between two processes of a sensor, over a SOCK_SEQPACKET
 * pair. The kernel keeps message borders, so a process that dies in the middle of its work and
 * is started anew never meets half a message. Non-blocking. Thread-safe. */
#pragma once

#include "common/err.h"
#include "common/util.h"

enum { LAMP_CHANNEL_MAX = 384 * 1024 }; /* longest message; the send buffer holds one */

/* Makes a pair of connected ends. Negated errno. */
LAMP_CHECK int lamp_channel_pair(int out[2]);

/* Sends one message. LAMP_EAGAIN: the other side is behind. LAMP_EFULL: longer than
 * LAMP_CHANNEL_MAX. LAMP_ECLOSED, negated errno. */
LAMP_CHECK int lamp_channel_send(int fd, const void *data, size_t len);

/* Receives one message into buf (LAMP_CHANNEL_MAX bytes). LAMP_EAGAIN: none is waiting.
 * LAMP_ECLOSED: the other side is gone. Negated errno. */
LAMP_CHECK int lamp_channel_recv(int fd, uint8_t *buf, size_t *out_len);
