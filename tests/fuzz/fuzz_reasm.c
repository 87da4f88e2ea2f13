/* SPDX-License-Identifier: Apache-2.0 */
/* One stream put in order, with a store of few blocks. The input is cut into segments, each after a
 * head of five bytes: place (16 bits, from shortly before the sequence number wraps on), length,
 * missing bytes behind it, milliseconds since the segment before in units of 32. Checks what reasm.h
 * promises: bytes come in order and once, a jump is announced as a gap, and while nothing was
 * dropped for lack of room each byte is the first one captured at its place. */
#include "sensor/engine/reasm.h"
#include "tests/support/guarded.h"

enum { PLACES = 0x10000 + 512, BLOCKS = 6 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct model {
    const struct lamp_reasm *reasm;
    const struct lamp_stream *stream;
    int16_t first[PLACES]; /* the first byte captured at each place; -1: none */
    uint32_t end;          /* behind the last byte delivered */
    bool any;
};

static const uint32_t base = 0xffff8000;

static bool on_bytes(struct lamp_bytes bytes, bool gap, void *arg)
{
    struct model *m = arg;
    const uint32_t end = m->stream->next_seq - base, at = end - (uint32_t)bytes.len;
    if (bytes.len == 0 || end > PLACES || at > end)
        abort();
    if (m->any && (at < m->end || (at != m->end && !gap)))
        abort();
    const bool all = lamp_reasm_counters(m->reasm).dropped_bytes == 0;
    for (size_t i = 0; i < bytes.len; i++)
        if (all && m->first[at + i] != bytes.data[i])
            abort();
    m->end = end;
    m->any = true;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct model m;
    lamp_reasm *r = NULL;
    struct lamp_stream s;
    uint64_t t_us = 1700000000000000;
    if (lamp_reasm_new(BLOCKS * (LAMP_REASM_BLOCK_BYTES + 64), &r) != LAMP_OK)
        abort();
    lamp_stream_init(&s);
    m = (struct model){ .reasm = r, .stream = &s };
    memset(m.first, 0xff, sizeof(m.first));
    while (size > 5) {
        const uint32_t at = (uint32_t)data[0] << 8 | data[1];
        const size_t len = lamp_min(data[2], size - 5);
        t_us += data[4] * UINT64_C(32000);
        uint8_t *copy = guarded_dup(data + 5, len);
        for (size_t i = 0; i < len; i++)
            if (m.first[at + i] < 0)
                m.first[at + i] = copy[i];
        const struct lamp_segment seg = {
            base + at, { copy, len }, (uint32_t)len + data[3] % 32, t_us
        };
        lamp_reasm_segment(r, &s, &seg, on_bytes, &m);
        guarded_free(copy);
        data += 5 + len;
        size -= 5 + len;
    }
    lamp_reasm_flush(r, &s, on_bytes, &m);
    if (s.n_blocks != 0)
        abort();
    lamp_stream_done(r, &s);
    lamp_reasm_free(r);
    return 0;
}
