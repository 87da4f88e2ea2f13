/* SPDX-License-Identifier: Apache-2.0 */
/* What is encrypted or binary. The input is cut into segments, each after a head of three bytes:
 * direction, lost bytes and seconds passed, then its length. A verdict never falls, nor does a
 * connection that has one go away; a score stays within its bounds. The first byte tells port and
 * transport. */
#include "sensor/engine/behaviour.h"
#include "sensor/engine/opaque.h"
#include "sensor/tls/certificate.h"
#include "tests/support/guarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_certificate(const uint8_t *data, size_t size)
{
    struct lamp_certificate cert;
    uint8_t *copy = guarded_dup(data, size);
    if (lamp_certificate_message((struct lamp_bytes){ copy, size }, &cert) == LAMP_OK)
        for (size_t i = 0; i < cert.n_names; i++)
            if (cert.names[i].data < copy || cert.names[i].data + cert.names[i].len > copy + size)
                abort();
    guarded_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t ports[] = { 443, 8333, 9999, 30303, 16060 };
    static lamp_opaque *o;
    static struct lamp_blockclock clock;
    const struct lamp_opaque_cfg cfg = { .clock = &clock, .max_states = 1 };
    if (size < 1 || size > 1 << 16)
        return 0;
    if (!o && lamp_opaque_new(&cfg, &o) != LAMP_OK)
        abort();
    check_certificate(data, size);
    struct lamp_flow_facts facts = {
        .server_port = ports[data[0] % 5],
        .ip_proto = data[0] & 0x80 ? 17 : 6,
        .saw_syn = data[0] & 0x40,
        .first_us = UINT64_C(1700000000000000),
    };
    lamp_dim *d;
    if (lamp_opaque_open(o, &facts, data[0] & 0x20 ? "btc.pool.example" : "", &d) != LAMP_OK)
        abort();
    struct lamp_behaviour b = { 0 };
    uint32_t seq[2] = { 0 };
    uint64_t now_us = facts.first_us;
    enum lamp_verdict verdict = LAMP_VERDICT_NONE;
    data++, size--;
    while (size > 3) {
        const enum lamp_dir dir = data[0] & 1 ? LAMP_DOWN : LAMP_UP;
        const uint32_t len = (uint32_t)lamp_min(data[2] + 1U, size - 3);
        seq[dir] += data[0] & 2 ? data[0] : 0;
        now_us += data[1] * UINT64_C(250000);
        uint8_t *copy = guarded_dup(data + 3, len);
        const enum lamp_interest more =
            lamp_opaque_stream(o, d, dir, (struct lamp_bytes){ copy, len }, len, seq[dir], now_us);
        guarded_free(copy);
        lamp_behaviour_message(&b, dir, (uint32_t)data[1] * len, now_us);
        const int score = lamp_behaviour_score(&b, now_us);
        if (score < -20 || score > 14)
            abort();
        seq[dir] += len;
        const struct lamp_conn *c = lamp_opaque_conn(d);
        const enum lamp_verdict v = c ? c->verdict : LAMP_VERDICT_NONE;
        if (v < verdict || (c && more == LAMP_INTEREST_NEVER))
            abort();
        verdict = v;
        data += 3 + len;
        size -= 3 + len;
        if (more == LAMP_INTEREST_NEVER)
            break;
    }
    lamp_opaque_finish(o, d, now_us);
    const struct lamp_conn *c = lamp_opaque_conn(d);
    if ((c ? c->verdict : LAMP_VERDICT_NONE) < verdict)
        abort();
    lamp_opaque_close(o, d);
    return 0;
}
