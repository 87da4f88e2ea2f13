/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_unwrap: a conversation in wrappers to the classifier. Records of two bytes (which side, a gap
 * before, length) and as many bytes of theirs. Besides crashes it checks contracts: a verdict only
 * rises; what is found does not depend on how the bytes were cut. */
#include "sensor/engine/classify.h"
#include "tests/support/guarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is left of a conversation when it is over. */
struct found {
    enum lamp_verdict verdict;
    uint32_t jobs;
    struct lamp_shares shares;
    struct lamp_tunnel tunnel;
    lamp_conn_text agent, wallet;
};

static struct found converse(const uint8_t *data, size_t size, size_t step)
{
    const struct lamp_classify_cfg cfg = { .max_inspected = 1 };
    const struct lamp_flow_facts facts = { .ip_proto = 6, .saw_syn = size % 2 };
    struct found found = { .verdict = LAMP_VERDICT_NONE };
    lamp_classify *c;
    lamp_inspect *s;
    if (lamp_classify_new(&cfg, &c) || lamp_classify_open(c, &facts, &s))
        abort();
    for (size_t at = 0; at + 2 <= size;) {
        const enum lamp_dir dir = data[at] & 0x80 ? LAMP_DOWN : LAMP_UP;
        bool gap = data[at] & 0x40;
        size_t end = at + 2 + ((size_t)(data[at] & 0x3f) << 8 | data[at + 1]);
        end = end < size ? end : size;
        for (at += 2; at < end;) {
            const size_t len = end - at < step ? end - at : step;
            uint8_t *copy = guarded_dup(data + at, len);
            (void)lamp_classify_stream(c, s, dir, (struct lamp_bytes){ copy, len }, gap, at);
            guarded_free(copy);
            at += len;
            gap = false;
            const struct lamp_conn *conn = lamp_inspect_conn(s);
            if (conn && conn->verdict < found.verdict)
                abort();
            if (!conn)
                continue;
            found = (struct found){ conn->verdict, conn->jobs, conn->shares, conn->tunnel, "", "" };
            memcpy(found.agent, conn->agent, sizeof(found.agent));
            memcpy(found.wallet, lamp_conn_current(&conn->wallets),
                   strlen(lamp_conn_current(&conn->wallets)) + 1);
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
    const struct found whole = converse(data + 1, size - 1, size);
    const struct found cut = converse(data + 1, size - 1, step);
    if (whole.verdict != cut.verdict || whole.jobs != cut.jobs ||
        memcmp(&whole.shares, &cut.shares, sizeof(cut.shares)) != 0 ||
        whole.tunnel.kind != cut.tunnel.kind || whole.tunnel.port != cut.tunnel.port ||
        strcmp(whole.tunnel.host, cut.tunnel.host) != 0 || strcmp(whole.agent, cut.agent) != 0 ||
        strcmp(whole.wallet, cut.wallet) != 0)
        abort();
    return 0;
}
