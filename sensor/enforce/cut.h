/* SPDX-License-Identifier: Apache-2.0 */
/* cut: ends connections that a new block covers by taking them out of the kernel's connection
 * tracking. Rules in the forward hook see every packet of a connection but those that a flow table
 * sends past them (in software or in the network card); a flow whose tracking entry is gone falls
 * out of the flow table too, and its next packet meets the rules. The kernel is behind struct
 * lamp_cut_backend. Not thread-safe; never logs. */
#pragma once

#include "sensor/enforce/plan.h"

/* The two directions of a tracked connection, as the kernel sees them (the second is what answers
 * look like, after translation of addresses). */
struct lamp_cut_flow {
    struct lamp_addr src[2], dst[2];
    uint16_t sport[2], dport[2];
    uint8_t ip_proto;
};

/* What to look for: elements by address, made once for many flows. */
typedef struct lamp_cut_index lamp_cut_index;

/* Copies what it needs. LAMP_ENOMEM. */
LAMP_CHECK int lamp_cut_index_new(const struct lamp_element *v, size_t n, lamp_cut_index **out);
lamp_cut_index *lamp_cut_index_free(lamp_cut_index *x);

/* Whether the rules of nft.h would drop a packet of the flow for one of the elements. */
bool lamp_cut_covers(const lamp_cut_index *x, const struct lamp_cut_flow *f);

struct lamp_cut_backend {
    void *arg;
    /* Ends every tracked connection that the index covers; *out_n: how many. LAMP_EKERNEL: cannot
     * be asked. LAMP_ENOMEM. */
    int (*cut)(void *arg, const lamp_cut_index *x, size_t *out_n);
};

/* The kernel's own table through libnetfilter_conntrack; needs CAP_NET_ADMIN. LAMP_EKERNEL: there is
 * none. */
LAMP_CHECK int lamp_cut_open(struct lamp_cut_backend *out);
void lamp_cut_close(struct lamp_cut_backend *b);
