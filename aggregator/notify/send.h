/* SPDX-License-Identifier: Apache-2.0 */
/* send: one message to one receiver, over the network, within LAMP_SEND_S seconds. Blocks; thread-safe. What
 * it connects to is what the configuration says, private addresses too; a redirect is not followed, no
 * proxy of the environment is used, and certificates are verified. */
#pragma once

#include "aggregator/notify/format.h"
#include "aggregator/notify/receiver.h"

#include <stdatomic.h>

enum { LAMP_SEND_S = 15, LAMP_SEND_WHY = 256 };

/* LAMP_EPROTO: the receiver says that it will never take this one (HTTP 400, 413, 422). LAMP_EIO: not this
 * time. LAMP_ENOMEM. `why` says what happened, as one printable line.
 * Once *stop (NULL: never) is set it is given up.
 *
 * A webhook has it with a 2xx. Syslog has no word for that: over TCP and TLS each message is a connection
 * of its own, which we close to the other's end and which must end without an error; over UDP nothing but
 * the word of the receiver's machine that nobody listens is known. */
LAMP_CHECK int lamp_notify_send(const struct lamp_receiver *r, const struct lamp_notify_body *b,
                                const atomic_bool *stop, char why[LAMP_SEND_WHY]);
