/* SPDX-License-Identifier: Apache-2.0 */
/* The fake store's history: none leaves it. */
#include "aggregator/store/history.h"
#include "tests/support/fake_store.h"

uint64_t lamp_step_minutes(enum lamp_step s)
{
    static const uint64_t minutes[] = { 1, 60, 1440 };
    return minutes[s];
}

int lamp_store_past_kept_us(lamp_store *s, uint64_t out[3])
{
    return lamp_store_kept_us(s, out);
}

int lamp_store_past_clear(lamp_store *s)
{
    (void)s;
    return LAMP_OK;
}

int lamp_store_past_add(lamp_store *s, enum lamp_history_kind kind,
                        const struct lamp_history_row *r)
{
    (void)s, (void)kind, (void)r;
    return LAMP_OK;
}

int lamp_store_past_traffic_span(lamp_store *s, uint64_t from_us, uint64_t to_us,
                                 struct lamp_past_traffic *out)
{
    (void)s, (void)from_us, (void)to_us;
    *out = (struct lamp_past_traffic){ .pieces.all = { 1, 0 }, .here = true };
    return LAMP_OK;
}

int lamp_store_past_miner_span(lamp_store *s, int64_t miner_id, enum lamp_step step,
                               uint64_t from_us, uint64_t to_us, struct lamp_past_miner *out)
{
    (void)s, (void)miner_id, (void)step, (void)from_us, (void)to_us;
    *out = (struct lamp_past_miner){ .spans = { 1, 0 } };
    return LAMP_OK;
}

int lamp_store_history_id(lamp_store *s, uint64_t *out, uint64_t *out_lost)
{
    (void)s;
    *out = 1;
    *out_lost = 0;
    return LAMP_OK;
}

int lamp_store_history_cursors(lamp_store *s, struct lamp_history_cursor out[LAMP_HISTORY_TABLES])
{
    (void)s;
    for (size_t i = 0; i < LAMP_HISTORY_TABLES; i++)
        out[i] = (struct lamp_history_cursor){ .on = false };
    return LAMP_OK;
}

int lamp_store_history_next(lamp_store *s, unsigned table, struct lamp_history_at from, int64_t end,
                            uint32_t rows, struct lamp_history_at *out)
{
    (void)s, (void)table, (void)end, (void)rows;
    *out = from;
    return LAMP_OK;
}

int lamp_store_history_rows(lamp_store *s, unsigned table, const struct lamp_history_span *span,
                            lamp_history_row_fn *fn, void *arg)
{
    (void)s, (void)table, (void)span, (void)fn, (void)arg;
    return LAMP_OK;
}

int lamp_store_history_lates(lamp_store *s, unsigned table, uint64_t before_us, uint32_t limit,
                             lamp_history_late_fn *fn, void *arg)
{
    (void)s, (void)table, (void)before_us, (void)limit, (void)fn, (void)arg;
    return LAMP_OK;
}

int lamp_store_history_count(lamp_store *s, unsigned table, struct lamp_history_at from,
                             uint32_t most, uint64_t *out)
{
    (void)s, (void)table, (void)from, (void)most;
    *out = 0;
    return LAMP_OK;
}
