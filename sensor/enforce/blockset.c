/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enforce/blockset.h"

#include "common/io.h"
#include "common/text.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>

enum { RAW_MAX = 8 * 1024 * 1024 }; /* packed bytes of one answer */

static const char copy_name[] = "block.set", high_name[] = "block.high";

/* An answer being collected, or the list accepted from one. The durable copy is `raw`: u64
 * time of acceptance, then each message as u32 length and bytes, little-endian. */
struct answer {
    struct lamp_nonce nonce;
    uint32_t chunks, next_chunk;
    struct lamp_msg *parts[LAMP_WIRE_SET_CHUNKS_MAX]; /* own what entries point to */
    struct lamp_set_entry *entries;
    size_t n_entries;
    uint8_t *raw;
    size_t raw_len, raw_cap;
    struct lamp_set_head head;
    uint64_t accepted_us, expires_us;
};

struct lamp_blockset {
    char site[65], dir[PATH_MAX - 16];
    uint8_t list_key[32];
    uint64_t high_epoch, high_serial;
    struct answer *current, *incoming;
};

static struct answer *answer_free(struct answer *a)
{
    if (!a)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(a->parts); i++)
        lamp_msg_free(a->parts[i]);
    free(a->entries);
    free(a->raw);
    free(a);
    return NULL;
}

static void put_le(uint8_t *p, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get_le(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static int keep_raw(struct answer *a, struct lamp_bytes packed)
{
    const size_t need = a->raw_len + 4 + packed.len;
    if (need > RAW_MAX)
        return LAMP_EFULL;
    if (need > a->raw_cap) {
        uint8_t *more = realloc(a->raw, 2 * need);
        if (!more)
            return LAMP_ENOMEM;
        a->raw = more;
        a->raw_cap = 2 * need;
    }
    put_le(a->raw + a->raw_len, packed.len, 4);
    memcpy(a->raw + a->raw_len + 4, packed.data, packed.len);
    a->raw_len = need;
    return LAMP_OK;
}

static int begin(lamp_blockset *b, struct lamp_bytes packed, const struct lamp_set_begin *m)
{
    b->incoming = answer_free(b->incoming);
    if (m->kind != LAMP_SET_BLOCK)
        return LAMP_EAGAIN;
    if (m->mode != LAMP_SET_FULL)
        return LAMP_EUNSUPPORTED;
    if (m->chunks > LAMP_WIRE_SET_CHUNKS_MAX)
        return LAMP_EFULL;
    struct answer *a = calloc(1, sizeof(*a));
    if (!a)
        return LAMP_ENOMEM;
    a->nonce = m->nonce;
    a->chunks = m->chunks;
    a->raw = calloc(1, 4096);
    if (!a->raw) {
        answer_free(a);
        return LAMP_ENOMEM;
    }
    a->raw_cap = 4096;
    a->raw_len = 8; /* the time comes when it is accepted */
    const int err = keep_raw(a, packed);
    if (err) {
        answer_free(a);
        return err;
    }
    b->incoming = a;
    return LAMP_EAGAIN;
}

static bool belongs(const struct answer *a, const struct lamp_nonce *nonce)
{
    return memcmp(&a->nonce, nonce, sizeof(*nonce)) == 0;
}

/* The message is unpacked once more, since the list outlives the caller's. */
static int chunk(lamp_blockset *b, struct lamp_bytes packed, const struct lamp_set_chunk *m)
{
    struct answer *a = b->incoming;
    if (!a || !belongs(a, &m->nonce))
        return LAMP_EAGAIN;
    if (m->index != a->next_chunk || m->index >= a->chunks)
        return LAMP_EFORMAT;
    if (a->n_entries + m->n_entries > LAMP_WIRE_SET_ENTRIES_MAX)
        return LAMP_EFULL;

    int err = keep_raw(a, packed);
    if (!err)
        err = lamp_msg_unpack(packed.data, packed.len, &a->parts[m->index]);
    if (err)
        return err;
    const struct lamp_set_chunk *own = &a->parts[m->index]->u.set_chunk;
    if (own->n_entries > 0) {
        struct lamp_set_entry *more =
            realloc(a->entries, (a->n_entries + own->n_entries) * sizeof(*more));
        if (!more)
            return LAMP_ENOMEM;
        a->entries = more;
        memcpy(more + a->n_entries, own->entries, own->n_entries * sizeof(*more));
        a->n_entries += own->n_entries;
    }
    a->next_chunk++;
    return LAMP_EAGAIN;
}

static int check_lengths(const struct answer *a, uint32_t flags, char detail[LAMP_BLOCKSET_DETAIL])
{
    for (size_t i = 0; i < a->n_entries; i++) {
        const struct lamp_set_entry *e = &a->entries[i];
        if (e->name.len > 0)
            continue;
        const bool v4 = e->prefix.len >= 96 && lamp_addr_is_v4(&e->prefix.addr);
        const unsigned usual = v4 ? 96 + 24 : 48, widest = v4 ? 96 + 16 : 32;
        if (e->prefix.len >= usual || (e->prefix.len >= widest && (flags & LAMP_BLOCKSET_WIDE)))
            continue;
        char text[LAMP_PREFIX_STRLEN];
        snprintf(detail, LAMP_BLOCKSET_DETAIL, "prefix %s is too wide id=%" PRIu64,
                 lamp_prefix_str(&e->prefix, text), e->id);
        return LAMP_EPOLICY;
    }
    return LAMP_OK;
}

/* What the manifest claims, against what came and what is known; restoring: it is our own copy,
 * whose serial is the highest seen, or an older one after a crash in make_durable(). */
static int check_manifest(const lamp_blockset *b, const struct answer *a,
                          const struct lamp_set_manifest *m, uint64_t now_us, bool restoring,
                          char detail[LAMP_BLOCKSET_DETAIL])
{
    if (!lamp_bytes_eq(m->site, b->site)) {
        char safe[80];
        lamp_text_safe(m->site.data, m->site.len, safe, sizeof(safe));
        snprintf(detail, LAMP_BLOCKSET_DETAIL, "list is for site %s", safe);
        return LAMP_ESITE;
    }
    if (m->kind != LAMP_SET_BLOCK)
        return LAMP_EUNSUPPORTED;
    const bool same = m->epoch == b->high_epoch && m->serial == b->high_serial;
    const bool newer =
        m->epoch > b->high_epoch || (m->epoch == b->high_epoch && m->serial > b->high_serial);
    if (!newer && !same && !restoring) {
        snprintf(detail, LAMP_BLOCKSET_DETAIL,
                 "serial %" PRIu64 "/%" PRIu64 " is older than %" PRIu64 "/%" PRIu64, m->epoch,
                 m->serial, b->high_epoch, b->high_serial);
        return LAMP_ESERIAL;
    }
    if (same && !restoring && b->current && b->current->head.epoch == m->epoch &&
        b->current->head.serial == m->serial)
        return memcmp(m->digest, b->current->head.digest, sizeof(m->digest)) == 0 ? LAMP_EEXIST
                                                                                  : LAMP_ESERIAL;
    if (m->expires_us <= now_us) {
        snprintf(detail, LAMP_BLOCKSET_DETAIL, "expired %" PRIu64 " s ago",
                 (now_us - m->expires_us) / 1000000);
        return LAMP_EEXPIRED;
    }
    if (m->count != a->n_entries) {
        snprintf(detail, LAMP_BLOCKSET_DETAIL, "manifest counts %" PRIu32 " entries, %zu came",
                 m->count, a->n_entries);
        return LAMP_EFORMAT;
    }
    int err = check_lengths(a, m->flags, detail);
    if (err)
        return err;
    uint8_t digest[LAMP_WIRE_DIGEST_LEN];
    err = lamp_set_digest(a->entries, a->n_entries, digest);
    if (err)
        return err;
    return memcmp(digest, m->digest, sizeof(digest)) == 0 ? LAMP_OK : LAMP_EDIGEST;
}

static const char *path_of(const lamp_blockset *b, const char *name, char buf[PATH_MAX])
{
    snprintf(buf, PATH_MAX, "%s/%s", b->dir, name);
    return buf;
}

/* The highest serial goes first: after a crash between the two the old list stays in force
 * and cannot be replaced by one that is older still. */
static int make_durable(const lamp_blockset *b, const struct answer *a)
{
    char path[PATH_MAX], high[64];
    const int n =
        snprintf(high, sizeof(high), "%" PRIu64 " %" PRIu64 "\n", a->head.epoch, a->head.serial);
    const int err = lamp_io_replace_file(path_of(b, high_name, path), high, (size_t)n, 0600);
    if (err)
        return err;
    return lamp_io_replace_file(path_of(b, copy_name, path), a->raw, a->raw_len, 0600);
}

static int end(lamp_blockset *b, struct lamp_bytes packed, const struct lamp_set_end *m,
               uint64_t now_us, bool restoring, char detail[LAMP_BLOCKSET_DETAIL])
{
    struct answer *a = b->incoming;
    if (!a || !belongs(a, &m->nonce))
        return LAMP_EAGAIN;
    if (a->next_chunk != a->chunks) {
        snprintf(detail, LAMP_BLOCKSET_DETAIL, "%" PRIu32 " of %" PRIu32 " parts came",
                 a->next_chunk, a->chunks);
        return LAMP_EFORMAT;
    }
    if (crypto_sign_verify_detached(m->signature, m->manifest.data, m->manifest.len, b->list_key) !=
        0) {
        snprintf(detail, LAMP_BLOCKSET_DETAIL,
                 "list is not signed with link.list_key of this sensor");
        return LAMP_ESIGNATURE;
    }
    char site[65];
    struct lamp_set_manifest manifest;
    int err = lamp_set_manifest_unpack(m->manifest, site, &manifest);
    if (!err)
        err = check_manifest(b, a, &manifest, now_us, restoring, detail);
    if (!err && !restoring)
        err = keep_raw(a, packed);
    if (err)
        return err;

    a->head = (struct lamp_set_head){ .kind = LAMP_SET_BLOCK,
                                      .epoch = manifest.epoch,
                                      .serial = manifest.serial };
    memcpy(a->head.digest, manifest.digest, sizeof(a->head.digest));
    a->expires_us = manifest.expires_us;
    if (!restoring) {
        a->accepted_us = now_us;
        put_le(a->raw, now_us, 8);
        err = make_durable(b, a);
        if (err)
            return err;
    }
    if (manifest.epoch > b->high_epoch ||
        (manifest.epoch == b->high_epoch && manifest.serial > b->high_serial)) {
        b->high_epoch = manifest.epoch;
        b->high_serial = manifest.serial;
    }
    answer_free(b->current);
    b->current = a;
    b->incoming = NULL;
    return LAMP_OK;
}

static int feed(lamp_blockset *b, struct lamp_bytes packed, const struct lamp_msg *m,
                uint64_t now_us, bool restoring, char detail[LAMP_BLOCKSET_DETAIL])
{
    int err = LAMP_EAGAIN;
    detail[0] = '\0';
    if (m->type == LAMP_MSG_SET_BEGIN)
        err = begin(b, packed, &m->u.set_begin);
    else if (m->type == LAMP_MSG_SET_CHUNK)
        err = chunk(b, packed, &m->u.set_chunk);
    else if (m->type == LAMP_MSG_SET_END)
        err = end(b, packed, &m->u.set_end, now_us, restoring, detail);
    if (err && err != LAMP_EAGAIN) {
        if (!detail[0])
            snprintf(detail, LAMP_BLOCKSET_DETAIL, "%s", lamp_strerror(err));
        b->incoming = answer_free(b->incoming);
    }
    return err;
}

int lamp_blockset_feed(lamp_blockset *b, struct lamp_bytes packed, const struct lamp_msg *m,
                       uint64_t now_us, char detail[LAMP_BLOCKSET_DETAIL])
{
    return feed(b, packed, m, now_us, false, detail);
}

/* Plays the messages of the durable copy through the same checks as when they came. */
static int restore_copy(lamp_blockset *b, uint64_t now_us)
{
    char path[PATH_MAX];
    LAMP_AUTO_FREE char *text = NULL;
    size_t len;
    int err = lamp_io_read_file(path_of(b, copy_name, path), RAW_MAX, &text, &len);
    if (err)
        return err == -ENOENT ? LAMP_OK : err;
    const uint8_t *p = (const uint8_t *)text;
    if (len < 8)
        return LAMP_EFORMAT;
    const uint64_t accepted_us = get_le(p, 8);
    for (size_t at = 8; at < len;) {
        char detail[LAMP_BLOCKSET_DETAIL];
        const size_t left = len - at;
        const size_t n = left < 4 ? SIZE_MAX : (size_t)get_le(p + at, 4);
        if (left < 4 || n > left - 4)
            return LAMP_EFORMAT;
        struct lamp_msg *m;
        err = lamp_msg_unpack(p + at + 4, n, &m);
        if (err)
            return err;
        err = feed(b, (struct lamp_bytes){ p + at + 4, n }, m, now_us, true, detail);
        lamp_msg_free(m);
        if (err && err != LAMP_EAGAIN)
            return err;
        at += 4 + n;
    }
    if (err)
        return LAMP_EFORMAT; /* ends before SET_END */
    b->current->accepted_us = accepted_us;
    return LAMP_OK;
}

static int restore(lamp_blockset *b, uint64_t now_us)
{
    char path[PATH_MAX];
    LAMP_AUTO_FREE char *text = NULL;
    size_t len;
    const int err = lamp_io_read_file(path_of(b, high_name, path), 64, &text, &len);
    if (!err && sscanf(text, "%" SCNu64 " %" SCNu64, &b->high_epoch, &b->high_serial) != 2)
        return LAMP_EFORMAT;
    if (err && err != -ENOENT)
        return err;
    return restore_copy(b, now_us);
}

int lamp_blockset_open(const struct lamp_blockset_cfg *cfg, uint64_t now_us, lamp_blockset **out,
                       int *out_restore_err)
{
    lamp_blockset *b = calloc(1, sizeof(*b));
    if (!b)
        return LAMP_ENOMEM;
    snprintf(b->site, sizeof(b->site), "%s", cfg->site);
    snprintf(b->dir, sizeof(b->dir), "%s", cfg->dir);
    memcpy(b->list_key, cfg->list_key, sizeof(b->list_key));
    *out_restore_err = restore(b, now_us);
    b->incoming = answer_free(b->incoming);
    *out = b;
    return LAMP_OK;
}

lamp_blockset *lamp_blockset_free(lamp_blockset *b)
{
    if (!b)
        return NULL;
    answer_free(b->current);
    answer_free(b->incoming);
    free(b);
    return NULL;
}

struct lamp_set_head lamp_blockset_head(const lamp_blockset *b)
{
    return b->current ? b->current->head : (struct lamp_set_head){ .kind = LAMP_SET_BLOCK };
}

const struct lamp_set_entry *lamp_blockset_entries(const lamp_blockset *b, size_t *out_n)
{
    *out_n = b->current ? b->current->n_entries : 0;
    return b->current ? b->current->entries : NULL;
}

uint64_t lamp_blockset_accepted_us(const lamp_blockset *b)
{
    return b->current ? b->current->accepted_us : 0;
}

uint64_t lamp_blockset_expires_us(const lamp_blockset *b)
{
    return b->current ? b->current->expires_us : 0;
}
