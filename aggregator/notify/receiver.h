/* SPDX-License-Identifier: Apache-2.0 */
/* receiver: whom alerts are told to, as a line of the configuration says it:
 * "NAME URL [KEY=VALUE]...". The scheme of the URL says how: http, https (a webhook), udp, tcp, tls
 * (syslog), smtp, smtps (e-mail). Immutable once it is read. */
#pragma once

#include "aggregator/store/alerts.h"

enum lamp_receiver_kind { LAMP_RECEIVER_WEBHOOK, LAMP_RECEIVER_SYSLOG, LAMP_RECEIVER_MAIL };
const char *lamp_receiver_kind_name(enum lamp_receiver_kind k); /* "webhook", "syslog", "mail" */

enum lamp_transport { LAMP_TRANSPORT_UDP, LAMP_TRANSPORT_TCP, LAMP_TRANSPORT_TLS };
enum lamp_starttls { LAMP_STARTTLS_TRY, LAMP_STARTTLS_NO, LAMP_STARTTLS_YES };

enum {
    LAMP_RECEIVERS_MAX = 16,
    LAMP_RECEIVER_NAME = 33, /* with NUL, as below */
    LAMP_RECEIVER_URL = 512,
    LAMP_RECEIVER_SECRET = 257,
    LAMP_RECEIVER_TO = 16, /* of an e-mail */
    LAMP_RECEIVER_SITES = 16,
    LAMP_RECEIVER_WHY = 400,
};

struct lamp_receiver {
    char name[LAMP_RECEIVER_NAME]; /* of a-z, 0-9, '-' and '_' */
    enum lamp_receiver_kind kind;
    char url[LAMP_RECEIVER_URL];

    enum lamp_transport transport; /* of syslog, as the four below */
    char host[254], port[6];
    bool ecs; /* else CEF */

    char secret[LAMP_RECEIVER_SECRET]; /* of a webhook: signs the body; of mail: the password */
    char ca[LAMP_RECEIVER_URL];        /* file of certificates; "": those of the system */

    enum lamp_starttls starttls; /* of mail, as those below */
    char user[129], from[255], to[LAMP_RECEIVER_TO][255];
    size_t n_to;

    uint32_t rate;               /* messages within interval_us */
    uint64_t interval_us;        /* */
    uint64_t keep_us;            /* a message that cannot be delivered is given up after so long */
    enum lamp_severity severity; /* what is less severe is not told */
    char sites[LAMP_RECEIVER_SITES][65];
    size_t n_sites; /* 0: all */
};

/* Reads a line, and the files of secrets and certificates that it names. LAMP_EFORMAT; `why` says what is wrong and
 * what to do. LAMP_ENOMEM. */
LAMP_CHECK int lamp_receiver_parse(const char *line, struct lamp_receiver *out,
                                   char why[LAMP_RECEIVER_WHY]);

/* Whether it is told of such an alert. */
bool lamp_receiver_wants(const struct lamp_receiver *r, const struct lamp_alert_view *v);
