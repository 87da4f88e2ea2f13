/* SPDX-License-Identifier: Apache-2.0 */
/* format: alerts as receivers want them. What came from the network is made safe for each form: it can end
 * no line, field or header. Pure. */
#pragma once

#include "aggregator/store/notices.h"
#include "common/addr.h"
#include "common/json.h"

/* The newest connection of an alert's miner. */
struct lamp_notify_conn {
    bool known;
    struct lamp_addr client, server;
    uint16_t client_port, server_port;
    uint8_t ip_proto;
};

/* What one message says. */
struct lamp_notify_body {
    const struct lamp_message *m;
    const struct lamp_notify_conn *conns; /* of m's alerts; NULL: of none anything is known */
    const char *receiver, *host;          /* its name; ours */
    uint64_t now_us;
    bool test; /* says that it is one, and has no alerts */
};

enum { LAMP_NOTIFY_LINE = 4096, LAMP_NOTIFY_SIGNATURE = 72, LAMP_NOTIFY_ID = 64 };

/* The name of a message, the same at each attempt: "RECEIVER-MADE-NUMBER". Returns out. */
const char *lamp_notify_id(const struct lamp_notify_body *b, char out[LAMP_NOTIFY_ID]);

/* {"message", "sent", "test", "alerts": [Alert of openapi.yaml and its "connection"], "more", "summary"} */
void lamp_notify_json(struct lamp_json *j, const struct lamp_notify_body *b);

/* "sha256=" and in hex the HMAC-SHA256 (RFC 2104) under a secret of: the seconds in decimal, '.', the body. */
const char *lamp_notify_sign(const char *secret, uint64_t seconds, struct lamp_bytes body,
                             char out[LAMP_NOTIFY_SIGNATURE]);

/* Alert i of the message, or (i = m->n) what it says of those that it only counts, as a message of RFC 5424
 * without framing, facility 4 (security): with CEF (ArcSight Common Event Format, version 0) or one object
 * of the Elastic Common Schema 8. Returns its length; cut to LAMP_NOTIFY_LINE. */
size_t lamp_notify_syslog(const struct lamp_notify_body *b, size_t i, bool ecs,
                          char out[LAMP_NOTIFY_LINE]);

/* A whole e-mail (RFC 5322, MIME), free() it: the texts stand in its body, in base64, alone. NULL: out of
 * memory. */
char *lamp_notify_mail(const struct lamp_notify_body *b, const char *from, const char (*to)[255],
                       size_t n_to, size_t *out_len);
