/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store/sort.h"

const char *const lamp_miner_sorts[LAMP_MINER_SORTS + 1] = {
    "last", "since", "site", "host", "confidence", "bytes", "shares", "connections",
};

const char *const lamp_conn_sorts[LAMP_CONN_SORTS + 1] = {
    "id", "last", "first", "client", "server", "confidence", "bytes", "shares",
};

const char *const lamp_alert_sorts[LAMP_ALERT_SORTS + 1] = { "id", "last", "first", "site",
                                                             "count" };
