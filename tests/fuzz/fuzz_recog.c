/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_recog: one growing stream to every recogniser, then a conversation to the classifier.
 * Besides crashes it checks contracts: a final answer of a probe never changes when more bytes
 * arrive; a verdict only rises; what a line shows does not depend on how it was cut. */
#include "sensor/engine/classify.h"
#include "sensor/recog/registry.h"
#include "tests/support/guarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_probes(const uint8_t *data, size_t size, size_t step)
{
    size_t n;
    const struct lamp_recog *const *all = lamp_recogs(&n);
    lamp_registry *registry;
    if (lamp_registry_new(&registry))
        abort();
    for (size_t r = 0; r < n; r++) {
        enum lamp_probe before = LAMP_NEED_MORE;
        for (size_t len = 0;; len = len + step < size ? len + step : size) {
            uint8_t *copy = guarded_dup(data, len);
            struct lamp_hit hit = { 0 };
            const enum lamp_probe now =
                lamp_recog_probe(registry, all[r], (struct lamp_bytes){ copy, len }, &hit);
            guarded_free(copy);
            if (before != LAMP_NEED_MORE && now != before)
                abort();
            before = now;
            if (len == size)
                break;
        }
    }
    lamp_registry_free(registry);
}

/* What is left of a conversation when it is over. */
struct found {
    enum lamp_verdict verdict;
    uint32_t jobs;
    struct lamp_shares shares;
};

/* Line by line, the directions in turn by the byte before each line; pieces of `step`. */
static struct found converse(const uint8_t *data, size_t size, size_t step)
{
    const struct lamp_classify_cfg cfg = { .max_inspected = 1 };
    const struct lamp_flow_facts facts = { .ip_proto = 6, .saw_syn = size % 2 };
    struct found found = { .verdict = LAMP_VERDICT_NONE };
    lamp_classify *c;
    lamp_inspect *s;
    if (lamp_classify_new(&cfg, &c) || lamp_classify_open(c, &facts, &s))
        abort();
    for (size_t at = 0; at < size;) {
        const enum lamp_dir dir = data[at++] % 2 ? LAMP_UP : LAMP_DOWN;
        const uint8_t *lf = at < size ? memchr(data + at, '\n', size - at) : NULL;
        const size_t end = lf ? (size_t)(lf - data) + 1 : size;
        while (at < end) {
            const size_t len = end - at < step ? end - at : step;
            uint8_t *copy = guarded_dup(data + at, len);
            (void)lamp_classify_stream(c, s, dir, (struct lamp_bytes){ copy, len }, false, at);
            guarded_free(copy);
            at += len;
            const struct lamp_conn *conn = lamp_inspect_conn(s);
            if (conn && conn->verdict < found.verdict)
                abort();
            if (conn)
                found = (struct found){ conn->verdict, conn->jobs, conn->shares };
        }
    }
    lamp_classify_close(c, s);
    lamp_classify_free(c);
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 8192)
        return 0;
    const size_t step = 1 + data[0] % 64;
    check_probes(data + 1, size - 1, step);
    const struct found whole = converse(data + 1, size - 1, size);
    const struct found cut = converse(data + 1, size - 1, step);
    if (whole.verdict != cut.verdict || whole.jobs != cut.jobs ||
        memcmp(&whole.shares, &cut.shares, sizeof(cut.shares)) != 0)
        abort();
    return 0;
}
