/* SPDX-License-Identifier: Apache-2.0 */
/* past: fetches what the store keeps no more from ClickHouse, and lends it to a reading handle of the store
 * (store/history.h), so that its answers are whole. Thread-safe; two at a time wait for ClickHouse, others
 * a few seconds for their turn. It asks for the sites that the handle sees, whoever recorded them. */
#pragma once

#include "aggregator/history/clickhouse.h"
#include "aggregator/store/store.h"

typedef struct lamp_past lamp_past;

/* cfg is borrowed for its life. LAMP_ENOMEM. */
LAMP_CHECK int lamp_past_new(const struct lamp_clickhouse_cfg *cfg, lamp_past **out);
lamp_past *lamp_past_free(lamp_past *p);

/* For lamp_store_traffic(), and lamp_store_traffic_total(), by the same filter. Nothing is fetched of minutes that the store
 * keeps, nor of hours and days that it keeps before all of them went there. Where ClickHouse does not answer, hours and days
 * that the store keeps do: LAMP_OK, with ends as wide as these. Of more than 50,000 conversations the smallest are left out of the first; the total counts all.
 * LAMP_EIO: ClickHouse does not answer as it should. LAMP_EAGAIN: it is busy with others. `why` says what.
 * LAMP_ESTORE, LAMP_ENOMEM. */
LAMP_CHECK int lamp_past_traffic(lamp_past *p, lamp_store *s, const struct lamp_traffic_filter *f,
                                 bool total, char why[LAMP_CLICKHOUSE_WHY]);

/* For lamp_store_minutes(). LAMP_ENOENT: no such miner. */
LAMP_CHECK int lamp_past_minutes(lamp_past *p, lamp_store *s, int64_t miner_id, enum lamp_step step,
                                 uint64_t from_us, uint64_t to_us, char why[LAMP_CLICKHOUSE_WHY]);
