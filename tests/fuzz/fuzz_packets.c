/* SPDX-License-Identifier: Apache-2.0 */
/* The whole packet path. The input is cut into frames, each after a head of four bytes: link
 * type (index), milliseconds since the frame before in units of 64, missing length, length
 * in units of 2. Beyond memory errors: frames and flows add up. */
#include "sensor/engine/engine.h"
#include "tests/support/guarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_end(const struct lamp_conn *conn, void *arg)
{
    unsigned *n = arg;
    ++*n;
    if (conn->verdict == LAMP_VERDICT_NONE || !conn->ended || conn->last_us < conn->first_us)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int links[] = { 1, 101, 113, 276, 0, 108, 228, 229 };
    static lamp_engine *e; /* one for all inputs: making it costs more than an input */
    static unsigned ended;
    static uint64_t t_us = 1700000000000000;
    struct lamp_engine_cfg cfg = { .memory_bytes = 1 << 20 };
    if (!e && lamp_engine_new(&cfg, on_end, &ended, &e) != LAMP_OK)
        abort();

    while (size > 4) {
        uint32_t len = (uint32_t)lamp_min(2U * data[3], size - 4);
        uint8_t *copy = guarded_dup(data + 4, len);
        t_us += data[1] * UINT64_C(64000);
        struct lamp_frame frame = { copy, len, len + data[2], t_us, links[data[0] % 8] };
        lamp_engine_frame(e, &frame);
        guarded_free(copy);
        data += 4 + len;
        size -= 4 + len;
    }
    lamp_engine_finish(e);

    struct lamp_engine_counters n;
    lamp_engine_counters(e, &n);
    uint64_t sum = 0;
    for (size_t i = 0; i < ARRAY_LEN(n.decode); i++)
        sum += n.decode[i];
    if (sum != n.packets || n.flows_new != n.flows_ended || n.flows_live || n.conns_live)
        abort();
    return 0;
}
