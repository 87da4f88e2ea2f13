/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte chooses what the rest is: an envelope, a batch or a manifest. Whatever
 * unpacks must pack again, and what was packed is stable: pack(unpack(x)) == x. */
#include "proto/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct packed {
    uint8_t *data;
    size_t len;
};

/* Unpacks and packs again; false where the bytes are refused. */
static bool again_msg(struct lamp_bytes in, struct packed *out)
{
    struct lamp_msg *m;
    if (lamp_msg_unpack(in.data, in.len, &m) != LAMP_OK)
        return false;
    const bool known = m->type != LAMP_MSG_OTHER;
    if (known && lamp_msg_pack(m, &out->data, &out->len) != LAMP_OK)
        abort();
    lamp_msg_free(m);
    return known;
}

static bool again_batch(struct lamp_bytes in, struct packed *out)
{
    struct lamp_batch *b;
    if (lamp_batch_unpack(in, &b) != LAMP_OK)
        return false;
    /* A batch at the limit may grow past it: its strings were stored once, its rows' default
     * columns not at all, but varints may have been shorter than the canonical ones. */
    const int rc = lamp_batch_pack(b, &out->data, &out->len);
    if (rc != LAMP_OK && rc != LAMP_EFULL)
        abort();
    lamp_batch_free(b);
    return rc == LAMP_OK;
}

static bool again_manifest(struct lamp_bytes in, struct packed *out)
{
    struct lamp_set_manifest m;
    char site[65];
    if (lamp_set_manifest_unpack(in, site, &m) != LAMP_OK)
        return false;
    if (lamp_set_manifest_pack(&m, &out->data, &out->len) != LAMP_OK)
        abort();
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool (*const again[])(struct lamp_bytes, struct packed *) = {
        again_msg,
        again_batch,
        again_manifest,
    };
    struct packed once = { 0 }, twice = { 0 };
    if (size < 1)
        return 0;
    bool (*f)(struct lamp_bytes, struct packed *) = again[data[0] % ARRAY_LEN(again)];
    if (f((struct lamp_bytes){ data + 1, size - 1 }, &once)) {
        if (!f((struct lamp_bytes){ once.data, once.len }, &twice))
            abort();
        if (once.len != twice.len || memcmp(once.data, twice.data, once.len) != 0)
            abort();
    }
    free(once.data);
    free(twice.data);
    return 0;
}
