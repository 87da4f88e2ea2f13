/* SPDX-License-Identifier: Apache-2.0 */
/* sort: what long lists can be read sorted by, page by page. */
#pragma once

#include "common/util.h"

/* by: an enum of below; {0} is the order stated for the call. Rows that are alike go by their numbers, the same
 * way. The page after a row (after_id) is what stands behind it when it is asked for. */
struct lamp_sort {
    unsigned by;
    bool up; /* from the smallest on */
};

enum lamp_miner_sort {
    LAMP_MINERS_BY_LAST,
    LAMP_MINERS_BY_SINCE,
    LAMP_MINERS_BY_SITE,
    LAMP_MINERS_BY_HOST,
    LAMP_MINERS_BY_CONFIDENCE,
    LAMP_MINERS_BY_BYTES,
    LAMP_MINERS_BY_SHARES,
    LAMP_MINERS_BY_CONNECTIONS,
    LAMP_MINER_SORTS
};
enum lamp_conn_sort {
    LAMP_CONNS_BY_ID,
    LAMP_CONNS_BY_LAST,
    LAMP_CONNS_BY_FIRST,
    LAMP_CONNS_BY_CLIENT,
    LAMP_CONNS_BY_SERVER,
    LAMP_CONNS_BY_CONFIDENCE,
    LAMP_CONNS_BY_BYTES,
    LAMP_CONNS_BY_SHARES,
    LAMP_CONN_SORTS
};
enum lamp_alert_sort {
    LAMP_ALERTS_BY_ID,
    LAMP_ALERTS_BY_LAST,
    LAMP_ALERTS_BY_FIRST,
    LAMP_ALERTS_BY_SITE,
    LAMP_ALERTS_BY_COUNT,
    LAMP_ALERT_SORTS
};

/* What they are called ("last", "since", ...), in the order of the enums; NULL at the end. Bytes are those of
 * both directions, shares the submitted ones. */
extern const char *const lamp_miner_sorts[LAMP_MINER_SORTS + 1];
extern const char *const lamp_conn_sorts[LAMP_CONN_SORTS + 1];
extern const char *const lamp_alert_sorts[LAMP_ALERT_SORTS + 1];
