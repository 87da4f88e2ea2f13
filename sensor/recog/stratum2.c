/* SPDX-License-Identifier: Apache-2.0 */
/* stratum2: Stratum V2 by the lengths of its handshake and first frames; all of it is encrypted.
 * Stratum V2 specification, 04-Protocol-Security: the initiator sends 64 bytes (an ElligatorSwift
 * key), the responder 234 (key, static key and signature message, each with its MAC; 170 in drafts
 * with x-only keys); then each frame is a header of 6 bytes and a payload, each with a MAC of
 * 16. The first of the client is SetupConnection, that of the server SetupConnection.Success with 6
 * bytes: 44 on the wire. Bitcoin's v2 transport (BIP 324) begins with 64 bytes too, but adds
 * garbage of random length on both sides. */
#include "sensor/recog/binary.h"

enum {
    ACT_1 = 64,
    ACT_2 = 234,
    ACT_2_DRAFT = 170,
    FRAME = 6 + 16 + 16,
    SETUP_MIN = FRAME + 17, /* five fixed fields and five empty strings */
    SETUP_MAX = FRAME + 12 + 5 * 256,
    SUCCESS = FRAME + 6,
};

static bool opens(struct lamp_bytes payload, uint32_t len, uint16_t server_port)
{
    (void)server_port;
    if (len != ACT_1)
        return false;
    size_t odd = 0; /* a key is no text */
    for (size_t i = 0; i < payload.len; i++)
        odd += payload.data[i] < 0x20 || payload.data[i] >= 0x7f;
    return odd > payload.len / 4;
}

static bool fits(const struct lamp_run *r, size_t i)
{
    switch (i) {
    case 0:
        return r->len == ACT_1;
    case 1:
        return r->len == ACT_2 || r->len == ACT_2_DRAFT;
    case 2:
        return r->len >= SETUP_MIN && r->len <= SETUP_MAX;
    default:
        return r->len == SUCCESS;
    }
}

/* A run that still may grow fits or may yet fit. */
static enum lamp_probe probe(const struct lamp_first *f, struct lamp_binary_hit *out)
{
    static const uint32_t longest[] = { ACT_1, ACT_2, SETUP_MAX, SUCCESS };
    for (size_t i = 0; i < ARRAY_LEN(longest); i++) {
        if (i >= f->n_runs)
            return LAMP_NEED_MORE;
        const struct lamp_run *r = &f->runs[i];
        const bool over = i + 1 < f->n_runs;
        if (r->dir != (i % 2 ? LAMP_DOWN : LAMP_UP) || r->len > longest[i] || (over && !fits(r, i)))
            return LAMP_NO_MATCH;
    }
    if (f->n_runs == ARRAY_LEN(longest))
        return LAMP_NEED_MORE; /* the last may still grow */
    *out = (struct lamp_binary_hit){
        .what = "Noise handshake of 64 and 234 bytes, then SetupConnection and 44 bytes",
        .dir = LAMP_DOWN,
    };
    return LAMP_MATCH;
}

const struct lamp_binary lamp_binary_stratum2 = {
    .name = "stratum2", .family = "stratum-v2", .mining = true, .opens = opens, .probe = probe
};
