/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams of two exporters, one after another, each behind its length (16 bits): the high bit says who sends. Every
 * record that comes out is counted, plausible and of the day, whatever templates there were before. */
#include "common/cursor.h"
#include "sensor/records/netflow.h"
#include "tests/support/guarded.h"

static const uint64_t now_us = UINT64_C(1790000000) * 1000000;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_record(const struct lamp_netflow_sender *from, const struct lamp_record *r,
                      void *arg)
{
    const uint64_t day_us = UINT64_C(24) * 3600 * 1000000;
    const bool is_now = r->last_us + day_us >= now_us && r->last_us <= now_us + day_us;
    (*(uint64_t *)arg)++;
    if ((from->version != 5 && from->version != 9 && from->version != 10) || r->sampling == 0 ||
        r->bytes[0] > LAMP_RECORD_MAX || r->bytes[1] > LAMP_RECORD_MAX ||
        r->packets[0] > LAMP_RECORD_MAX || r->packets[1] > LAMP_RECORD_MAX ||
        r->packets[0] + r->packets[1] == 0 || r->first_us > r->last_us || !is_now)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lamp_netflow *n;
    uint64_t records = 0, datagrams = 0;
    struct lamp_cursor c = lamp_cursor_of(data, size);
    if (size > 1 << 16 || lamp_netflow_new(on_record, &records, &n) != LAMP_OK)
        return 0;
    while (lamp_cursor_left(&c) > 2) {
        const uint16_t head = lamp_cursor_be16(&c);
        const size_t len = lamp_min(head & 0x7fff, lamp_cursor_left(&c));
        const struct lamp_addr exporter = { { [15] = (uint8_t)(1 + (head >> 15)) } };
        uint8_t *copy = guarded_dup(lamp_cursor_take(&c, len), len);
        lamp_netflow_datagram(n, &exporter, (struct lamp_bytes){ copy, len }, now_us);
        guarded_free(copy);
        datagrams++;
    }
    const uint64_t *counts = lamp_netflow_counts(n);
    if (counts[LAMP_NETFLOW_RECORDS] != records || counts[LAMP_NETFLOW_DATAGRAMS] != datagrams)
        abort();
    lamp_netflow_free(n);
    return 0;
}
