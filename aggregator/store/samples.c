/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store/samples.h"

#include <inttypes.h>
#include <stdio.h>

const char *lamp_sample_what_name(enum lamp_sample_what w)
{
    static const char *const names[] = { "everything", "host", "remote", "connection", "miner" };
    return names[(size_t)w < ARRAY_LEN(names) ? w : 0];
}

const char *lamp_sample_state_name(enum lamp_sample_state s)
{
    static const char *const names[] = { "ordered", "running", "arriving", "done",
                                         "refused", "failed",  "expired",  "cancelled" };
    return names[(size_t)s < ARRAY_LEN(names) ? (size_t)s : LAMP_SAMPLE_FAILED];
}

void lamp_sample_path(const char *folder, int64_t sample_id, int64_t sensor_ref, char *buf,
                      size_t size)
{
    snprintf(buf, size, "%s/%" PRId64 "-%" PRId64 ".blocks", folder, sample_id, sensor_ref);
}

struct lamp_msg lamp_sample_order(const struct lamp_sample *v)
{
    struct lamp_msg m = { .type = LAMP_MSG_ORDER };
    m.u.order = (struct lamp_order){
        .id = v->wire,
        .kind = LAMP_ORDER_SAMPLE,
        .packets_per_connection = v->packets_per_connection,
        .packets = v->packets,
        .duration_s = v->duration_s,
        .snaplen = v->snaplen,
        .bytes_max = v->bytes_max,
        .matches = (struct lamp_order_match *)(uintptr_t)v->matches,
        .n_matches = v->n_matches,
    };
    return m;
}
