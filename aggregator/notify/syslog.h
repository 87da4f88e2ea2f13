/* SPDX-License-Identifier: Apache-2.0 */
/* syslog: messages to a syslog server: a datagram each (RFC 5426), or over TCP and TLS with their lengths
 * before them (RFC 6587 section 3.4.1, RFC 5425). Every step waits at most until a deadline. One thread's. */
#pragma once

#include "aggregator/notify/receiver.h"

#include <stdatomic.h>

typedef struct lamp_syslog lamp_syslog;

/* Connects; with TLS the server's certificate must be of r->host.
 * Once *stop (NULL: never) is set, nothing is waited for any more. LAMP_EIO, and `why` (256 bytes) says what
 * failed, as of all below; LAMP_ENOMEM. */
LAMP_CHECK int lamp_syslog_open(const struct lamp_receiver *r, int timeout_ms,
                                const atomic_bool *stop, lamp_syslog **out, char *why);
LAMP_CHECK int lamp_syslog_send(lamp_syslog *s, const char *text, size_t len, char *why);

/* Says that nothing more comes, and waits a while for the end of the other side: a connection that was cut
 * shows itself here. */
LAMP_CHECK int lamp_syslog_finish(lamp_syslog *s, char *why);

/* Accepts NULL. Returns NULL. */
lamp_syslog *lamp_syslog_close(lamp_syslog *s);
