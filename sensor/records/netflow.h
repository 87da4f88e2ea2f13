/* SPDX-License-Identifier: Apache-2.0 */
/* netflow: flow records out of the datagrams of routers: NetFlow 5 (Cisco, NetFlow Export Datagram Format), NetFlow 9
 * (RFC 3954) and IPFIX (RFC 7011, both directions in one record: RFC 5103). Templates, options and sequence numbers
 * are kept for each exporter and observation domain. Sampling that the exporter tells of (header of version 5, options
 * or fields of the others) is multiplied in. Every datagram, set and record that comes to nothing is a counter.
 * Memory is fixed at creation. Not thread-safe; never logs, never reads a clock. */
#pragma once

#include "common/err.h"
#include "sensor/records/record.h"

typedef struct lamp_netflow lamp_netflow;

enum {
    LAMP_NETFLOW_DOMAINS = 256,        /* exporters times domains at once */
    LAMP_NETFLOW_TEMPLATES_MAX = 2048, /* of all of them */
    LAMP_NETFLOW_PARTS = 4,            /* of both, an exporter has one part at most */
    LAMP_NETFLOW_SHARE = 256,          /* templates of one domain */
    LAMP_NETFLOW_SETS = 1024,          /* of one datagram; the rest of it is passed over */
    LAMP_NETFLOW_FIELDS = 96,          /* of one template */
    LAMP_NETFLOW_SAMPLERS = 8,         /* of one domain */
};
#define LAMP_NETFLOW_TEMPLATE_US (UINT64_C(2) * 3600 * 1000000) /* without being repeated */

enum lamp_netflow_count {
#define LAMP_NETFLOW(name, text) LAMP_NETFLOW_##name,
#include "sensor/records/netflow.def"
#undef LAMP_NETFLOW
    LAMP_NETFLOW_COUNTS
};

/* Who sends: lent with each record. */
struct lamp_netflow_sender {
    struct lamp_addr exporter;
    uint32_t domain;  /* of version 5: engine type and id */
    uint16_t version; /* 5, 9, 10 */
};

typedef void lamp_netflow_fn(const struct lamp_netflow_sender *from, const struct lamp_record *r,
                             void *arg);

/* LAMP_ENOMEM. fn gets each record. */
LAMP_CHECK int lamp_netflow_new(lamp_netflow_fn *fn, void *arg, lamp_netflow **out);
lamp_netflow *lamp_netflow_free(lamp_netflow *n);

/* Takes one datagram, whatever is in it, that came at now_us. */
void lamp_netflow_datagram(lamp_netflow *n, const struct lamp_addr *exporter,
                           struct lamp_bytes datagram, uint64_t now_us);

/* Lends each exporter and domain that was heard of, with what it sent: records used, and how many (of version 9:
 * datagrams) are missing by their sequence numbers. */
typedef void lamp_netflow_sender_fn(const struct lamp_netflow_sender *from, uint64_t records,
                                    uint64_t missing, void *arg);
void lamp_netflow_senders(const lamp_netflow *n, lamp_netflow_sender_fn *fn, void *arg);

/* Cumulative; by enum lamp_netflow_count. */
const uint64_t *lamp_netflow_counts(const lamp_netflow *n);

/* The text of a counter. */
const char *lamp_netflow_count_text(enum lamp_netflow_count c);
