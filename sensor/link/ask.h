/* SPDX-License-Identifier: Apache-2.0 */
/* ask: a sensor that is not enrolled asks the aggregator to be (docs/WIRE.md, Enrolment): connects,
 * says ENROLL, hears the answer, closes; again when the answer says so. One thread. Never logs. */
#pragma once

#include "common/enroll.h"
#include "proto/wire.h"
#include "sensor/link/key.h"

typedef struct lamp_ask lamp_ask;

struct lamp_ask_cfg {
    const struct lamp_key *key; /* all borrowed for the call */
    const char *endpoint;       /* where the aggregator takes strangers */
    const char *server_key;     /* Z85 */
    const uint8_t *token;       /* LAMP_TOKEN_SECRET bytes; NULL: an operator is to approve */
    const char *name, *site, *build;
};

/* LAMP_EINVAL: something is too long. LAMP_ENOMEM. */
LAMP_CHECK int lamp_ask_new(const struct lamp_ask_cfg *cfg, lamp_ask **out);
lamp_ask *lamp_ask_free(lamp_ask *a);

/* Does what is due. LAMP_OK: an answer came; *out is valid until the next call. LAMP_EAGAIN: none yet.
 * LAMP_EAUTH: who answers there does not have that server key, or speaks no CURVE. LAMP_EFULL: it
 * takes no more strangers now. LAMP_ETIMEOUT: nobody answers. After each of these it asks again by
 * itself in a while. Else negated errno: no such endpoint. */
LAMP_CHECK int lamp_ask_turn(lamp_ask *a, uint64_t mono_us, struct lamp_enroll_answer *out);

/* Milliseconds that may pass before the next turn, at most 200. */
int lamp_ask_wait_ms(const lamp_ask *a, uint64_t mono_us);
