/* SPDX-License-Identifier: Apache-2.0 */
/* block_lists: signed block lists for tests, as the aggregator would send them, in parts that a test
 * can bend before they are sent. Header only. */
#pragma once

#include "proto/wire.h"
#include "tests/support/test.h"

#include <sodium.h>

#define LIST_NOW UINT64_C(1700000000000000)
#define LIST_HOUR UINT64_C(3600000000)
enum { LIST_ENTRIES = 10240 };

static uint8_t list_public_key[32], list_secret_key[64];

/* What a list is made of; the defaults make a good one, of site north. */
struct list {
    const char *site;
    uint64_t epoch, serial, expires_us;
    const char *targets[4]; /* "PREFIX", "PREFIX PORT", "in PREFIX", or "name NAME"; in order */
    unsigned many;          /* before them, that many hosts from 192.0.0.0 on */
    uint32_t ttl_s;
    bool approved;           /* every entry */
    enum lamp_set_kind kind; /* none: a block list */
};

/* An answer on its way. After a change to entries or manifest: seal() or sign(). */
struct answer {
    struct lamp_set_entry entries[LIST_ENTRIES];
    size_t n;
    struct lamp_set_manifest manifest;
    struct lamp_nonce nonce;
    struct lamp_msg begin, end;
    uint8_t *packed; /* the manifest */
};

static inline struct lamp_set_entry list_entry(const char *text, uint64_t id)
{
    struct lamp_set_entry e = { .action = LAMP_SET_ADD, .id = id };
    char prefix[64];
    unsigned port = 0;
    if (strncmp(text, "name ", 5) == 0) {
        e.name = lamp_bytes_of(text + 5);
        return e;
    }
    e.inside = strncmp(text, "in ", 3) == 0;
    assert_true(sscanf(text + (e.inside ? 3 : 0), "%63s %u", prefix, &port) >= 1);
    e.port = (uint16_t)port;
    assert_int_equal(lamp_prefix_parse(prefix, &e.prefix), LAMP_OK);
    return e;
}

static inline size_t list_entries(const struct list *l, struct lamp_set_entry out[LIST_ENTRIES])
{
    size_t n = 0;
    for (; n < l->many; n++) {
        const uint8_t v4[] = { 192, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };
        out[n] = (struct lamp_set_entry){ .action = LAMP_SET_ADD,
                                          .prefix = { lamp_addr_from_v4(v4), 128 },
                                          .id = n + 1 };
    }
    for (size_t i = 0; i < ARRAY_LEN(l->targets) && l->targets[i]; i++, n++)
        out[n] = list_entry(l->targets[i], n + 1);
    for (size_t i = 0; i < n; i++) {
        out[i].ttl_s = l->ttl_s;
        out[i].approved = l->approved;
    }
    return n;
}

/* Signs the manifest as it stands. */
static inline void sign(struct answer *a)
{
    size_t len;
    free(a->packed);
    a->packed = NULL;
    assert_int_equal(lamp_set_manifest_pack(&a->manifest, &a->packed, &len), LAMP_OK);
    a->end.u.set_end.manifest = (struct lamp_bytes){ a->packed, len };
    crypto_sign_detached(a->end.u.set_end.signature, NULL, a->packed, len, list_secret_key);
}

/* Counts and digests the entries as they stand (a digest of sevens where they have none), signs. */
static inline void seal(struct answer *a)
{
    a->manifest.count = (uint32_t)a->n;
    if (lamp_set_digest(a->entries, a->n, a->manifest.digest) != LAMP_OK)
        memset(a->manifest.digest, 7, sizeof(a->manifest.digest));
    sign(a);
}

static inline void make_answer(const struct list *l, struct answer *a)
{
    static uint8_t run;
    a->nonce = (struct lamp_nonce){ { 1, 2, ++run } };
    a->packed = NULL;
    a->n = list_entries(l, a->entries);
    a->manifest = (struct lamp_set_manifest){
        .site = lamp_bytes_of(l->site ? l->site : "north"),
        .kind = l->kind ? l->kind : LAMP_SET_BLOCK,
        .epoch = l->epoch,
        .serial = l->serial,
        .expires_us = l->expires_us ? l->expires_us : LIST_NOW + 2 * LIST_HOUR,
    };
    const size_t each = LAMP_WIRE_SET_CHUNK_ENTRIES_MAX;
    const uint32_t chunks = (uint32_t)((a->n + each - 1) / each);
    a->begin = (struct lamp_msg){ .type = LAMP_MSG_SET_BEGIN,
                                  .u.set_begin = { a->nonce, a->manifest.kind, LAMP_SET_FULL, 0,
                                                   chunks } };
    a->end = (struct lamp_msg){ .type = LAMP_MSG_SET_END, .u.set_end = { .nonce = a->nonce } };
    seal(a);
}

/* The part of that index. */
static inline struct lamp_msg list_chunk(struct answer *a, uint32_t index)
{
    const size_t from = (size_t)index * LAMP_WIRE_SET_CHUNK_ENTRIES_MAX;
    assert_true(from <= a->n);
    return (struct lamp_msg){ .type = LAMP_MSG_SET_CHUNK,
                              .u.set_chunk = {
                                  a->nonce, index, a->entries + from,
                                  lamp_min(a->n - from, LAMP_WIRE_SET_CHUNK_ENTRIES_MAX) } };
}

static inline void answer_done(struct answer *a)
{
    free(a->packed);
    a->packed = NULL;
}
