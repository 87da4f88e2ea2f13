/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enforce/blockset.h"

#include "common/io.h"
#include "common/text.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>

#define HOUR_US (UINT64_C(3600) * 1000 * 1000)
enum { RAW_MAX = 8 * 1024 * 1024 }; /* packed bytes of one answer */

static const char copy_name[] = "block.set", next_name[] = "block.next", high_name[] = "block.high";

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
    struct version {
        uint64_t epoch, serial;
    } high, rejected;         /* the highest accepted, the highest rolled back */
    struct answer *current;   /* in hand */
    struct answer *confirmed; /* to go back to; NULL where it is the current one, or none */
    struct answer *incoming;
    bool is_confirmed;
    struct lamp_nonce refused_nonce; /* what still comes of it counts no more */
    bool has_refused_nonce;
    struct lamp_set_head refused;
    uint64_t growth_us; /* the hour of `grown` began */
    size_t grown;       /* entries that lists without approval added in it */
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
    b->has_refused_nonce = false;
    if (m->kind != LAMP_SET_BLOCK)
        return LAMP_EUNSUPPORTED;
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
    if (!a || !belongs(a, &m->nonce) || m->index != a->next_chunk || m->index >= a->chunks)
        return LAMP_EPROTO;
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

static bool is_newer(uint64_t epoch, uint64_t serial, const struct version *than)
{
    return epoch > than->epoch || (epoch == than->epoch && serial > than->serial);
}

static int check_entry(const struct lamp_set_entry *e, uint32_t flags,
                       char detail[LAMP_BLOCKSET_DETAIL])
{
    if (e->action != LAMP_SET_ADD) {
        snprintf(detail, LAMP_BLOCKSET_DETAIL, "a whole list only adds id=%" PRIu64, e->id);
        return LAMP_EFORMAT;
    }
    if (e->name.len > 0) {
        /* A name of one label would be all that lies below a top-level domain. */
        const uint8_t *dot = memchr(e->name.data, '.', e->name.len);
        if (dot && dot != e->name.data && dot != e->name.data + e->name.len - 1 && !e->inside)
            return LAMP_OK;
        snprintf(detail, LAMP_BLOCKSET_DETAIL, "a name that is too short id=%" PRIu64, e->id);
        return LAMP_EPOLICY;
    }
    if (e->prefix.len == 0 && e->text.len > 0) {
        snprintf(detail, LAMP_BLOCKSET_DETAIL, "an entry that blocks nothing id=%" PRIu64, e->id);
        return LAMP_EFORMAT;
    }
    const bool v4 = e->prefix.len >= 96 && lamp_addr_is_v4(&e->prefix.addr);
    const unsigned usual = v4 ? 96 + 24 : 48, widest = v4 ? 96 + 16 : 32;
    if (e->prefix.len >= usual || (e->prefix.len >= widest && (flags & LAMP_SET_APPROVED)))
        return LAMP_OK;
    char text[LAMP_PREFIX_STRLEN];
    snprintf(detail, LAMP_BLOCKSET_DETAIL, "prefix %s is too wide id=%" PRIu64,
             lamp_prefix_str(&e->prefix, text), e->id);
    return LAMP_EPOLICY;
}

static int check_entries(const struct answer *a, uint32_t flags, char detail[LAMP_BLOCKSET_DETAIL])
{
    int err = LAMP_OK;
    for (size_t i = 0; i < a->n_entries && !err; i++)
        err = check_entry(&a->entries[i], flags, detail);
    return err;
}

/* How many entries of a (canonical, as is the other) are not in the list in hand. */
static size_t added(const lamp_blockset *b, const struct answer *a)
{
    size_t n = 0;
    for (size_t i = 0, j = 0; i < a->n_entries; i++) {
        int c = -1;
        while (j < b->current->n_entries &&
               (c = lamp_set_entry_cmp(&b->current->entries[j], &a->entries[i])) < 0)
            j++;
        n += j == b->current->n_entries || c != 0;
    }
    return n;
}

/* Against a hurried hand or a hijacked one at the centre. The first list a sensor gets has nothing
 * to be compared with; after a silence of hours as many hours' growth may have come together. */
static int check_growth(lamp_blockset *b, const struct answer *a, uint32_t flags, uint64_t now_us,
                        char detail[LAMP_BLOCKSET_DETAIL])
{
    if (!b->current || (flags & LAMP_SET_APPROVED))
        return LAMP_OK;
    if (now_us < b->growth_us || now_us - b->growth_us >= HOUR_US) {
        b->growth_us = now_us;
        b->grown = 0;
    }
    const uint64_t silent_us =
        now_us > b->current->accepted_us ? now_us - b->current->accepted_us : 0;
    const size_t an_hour =
        a->n_entries / 10 > LAMP_BLOCKSET_GROWTH ? a->n_entries / 10 : LAMP_BLOCKSET_GROWTH;
    const size_t most = an_hour * (1 + (size_t)(silent_us / HOUR_US)), n = added(b, a);
    if (n == 0 || b->grown + n <= most) {
        b->grown += silent_us < HOUR_US ? n : 0; /* what came while it was silent is in `most` */
        return LAMP_OK;
    }
    snprintf(detail, LAMP_BLOCKSET_DETAIL, "%zu more entries at once, and nobody approved", n);
    return LAMP_EPOLICY;
}

/* What the manifest claims, against what came and what is known; restoring: it is our own copy,
 * whose serial is the highest seen, or an older one after a crash in make_durable(). */
static int check_manifest(lamp_blockset *b, const struct answer *a,
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
    if (!restoring && !is_newer(m->epoch, m->serial, &b->rejected)) {
        snprintf(detail, LAMP_BLOCKSET_DETAIL,
                 "serial %" PRIu64 "/%" PRIu64 " was rolled back here", m->epoch, m->serial);
        return LAMP_EREJECTED;
    }
    const bool same = m->epoch == b->high.epoch && m->serial == b->high.serial;
    if (!is_newer(m->epoch, m->serial, &b->high) && !same && !restoring) {
        snprintf(detail, LAMP_BLOCKSET_DETAIL,
                 "serial %" PRIu64 "/%" PRIu64 " is older than %" PRIu64 "/%" PRIu64, m->epoch,
                 m->serial, b->high.epoch, b->high.serial);
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
    int err = check_entries(a, m->flags, detail);
    if (err)
        return err;
    uint8_t digest[LAMP_WIRE_DIGEST_LEN];
    err = lamp_set_digest(a->entries, a->n_entries, digest);
    if (err)
        return err;
    if (memcmp(digest, m->digest, sizeof(digest)) != 0)
        return LAMP_EDIGEST;
    return restoring ? LAMP_OK : check_growth(b, a, m->flags, now_us, detail);
}

/* ---- durable state ---- */

static const char *path_of(const lamp_blockset *b, const char *name, char buf[PATH_MAX])
{
    snprintf(buf, PATH_MAX, "%s/%s", b->dir, name);
    return buf;
}

static int write_versions(const lamp_blockset *b)
{
    char path[PATH_MAX], text[96];
    const int n = snprintf(text, sizeof(text), "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
                           b->high.epoch, b->high.serial, b->rejected.epoch, b->rejected.serial);
    return lamp_io_replace_file(path_of(b, high_name, path), text, (size_t)n, 0600);
}

/* The highest serial goes first: after a crash between the two the old list stays in force
 * and cannot be replaced by one that is older still. */
static int make_durable(lamp_blockset *b, const struct answer *a)
{
    char path[PATH_MAX];
    const struct version before = b->high;
    if (is_newer(a->head.epoch, a->head.serial, &b->high))
        b->high = (struct version){ a->head.epoch, a->head.serial };
    int err = write_versions(b);
    if (!err)
        err = lamp_io_replace_file(path_of(b, next_name, path), a->raw, a->raw_len, 0600);
    if (err)
        b->high = before;
    return err;
}

int lamp_blockset_confirm(lamp_blockset *b)
{
    char path[PATH_MAX], next[PATH_MAX];
    if (!b->current || b->is_confirmed)
        return LAMP_OK;
    b->is_confirmed = true;
    b->confirmed = answer_free(b->confirmed);
    const int err = lamp_io_replace_file(path_of(b, copy_name, path), b->current->raw,
                                         b->current->raw_len, 0600);
    if (!err)
        (void)unlink(path_of(b, next_name, next));
    return err;
}

bool lamp_blockset_is_confirmed(const lamp_blockset *b)
{
    return b->is_confirmed;
}

int lamp_blockset_rollback(lamp_blockset *b)
{
    char path[PATH_MAX];
    if (!b->current || b->is_confirmed)
        return LAMP_OK;
    b->refused = b->current->head;
    b->rejected = (struct version){ b->current->head.epoch, b->current->head.serial };
    answer_free(b->current);
    b->current = b->confirmed;
    b->confirmed = NULL;
    b->is_confirmed = b->current != NULL;
    (void)unlink(path_of(b, next_name, path));
    return write_versions(b);
}

struct lamp_set_head lamp_blockset_refused(const lamp_blockset *b)
{
    return b->refused;
}

/* ---- an answer comes to its end ---- */

static int end(lamp_blockset *b, struct lamp_bytes packed, const struct lamp_set_end *m,
               uint64_t now_us, bool restoring, char detail[LAMP_BLOCKSET_DETAIL])
{
    struct answer *a = b->incoming;
    if (!a || !belongs(a, &m->nonce))
        return LAMP_EPROTO;
    if (a->next_chunk != a->chunks) {
        snprintf(detail, LAMP_BLOCKSET_DETAIL, "%" PRIu32 " of %" PRIu32 " parts came",
                 a->next_chunk, a->chunks);
        return LAMP_ETRUNC;
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
    if (err)
        return err;
    b->refused = (struct lamp_set_head){ .kind = LAMP_SET_BLOCK,
                                         .epoch = manifest.epoch,
                                         .serial = manifest.serial };
    memcpy(b->refused.digest, manifest.digest, sizeof(b->refused.digest));
    err = check_manifest(b, a, &manifest, now_us, restoring, detail);
    if (!err && !restoring)
        err = keep_raw(a, packed);
    if (err)
        return err;

    a->head = b->refused;
    b->refused = (struct lamp_set_head){ .kind = LAMP_SET_BLOCK };
    a->expires_us = manifest.expires_us;
    if (restoring) {
        if (is_newer(a->head.epoch, a->head.serial, &b->high))
            b->high = (struct version){ a->head.epoch, a->head.serial };
    } else {
        a->accepted_us = now_us;
        put_le(a->raw, now_us, 8);
        err = make_durable(b, a);
        if (err)
            return err;
    }
    /* A candidate that was never confirmed is not one to go back to. */
    if (b->is_confirmed)
        b->confirmed = b->current;
    else
        answer_free(b->current);
    b->current = a;
    b->is_confirmed = restoring;
    b->incoming = NULL;
    return LAMP_OK;
}

/* The nonce of a message that belongs to an answer. */
static const struct lamp_nonce *nonce_of(const struct lamp_msg *m)
{
    return m->type == LAMP_MSG_SET_BEGIN   ? &m->u.set_begin.nonce
           : m->type == LAMP_MSG_SET_CHUNK ? &m->u.set_chunk.nonce
                                           : &m->u.set_end.nonce;
}

static int feed(lamp_blockset *b, struct lamp_bytes packed, const struct lamp_msg *m,
                uint64_t now_us, bool restoring, char detail[LAMP_BLOCKSET_DETAIL])
{
    const struct lamp_nonce *nonce = nonce_of(m);
    int err;
    detail[0] = '\0';
    if (m->type != LAMP_MSG_SET_BEGIN && b->has_refused_nonce &&
        memcmp(nonce, &b->refused_nonce, sizeof(*nonce)) == 0)
        return LAMP_EAGAIN;
    b->refused = (struct lamp_set_head){ .kind = LAMP_SET_BLOCK };
    if (m->type == LAMP_MSG_SET_BEGIN)
        err = begin(b, packed, &m->u.set_begin);
    else if (m->type == LAMP_MSG_SET_CHUNK)
        err = chunk(b, packed, &m->u.set_chunk);
    else
        err = end(b, packed, &m->u.set_end, now_us, restoring, detail);
    if (err && err != LAMP_EAGAIN) {
        if (!detail[0])
            snprintf(detail, LAMP_BLOCKSET_DETAIL, "%s", lamp_strerror(err));
        b->incoming = answer_free(b->incoming);
        b->refused_nonce = *nonce;
        b->has_refused_nonce = true;
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
    const int err = lamp_io_read_file(path_of(b, high_name, path), 96, &text, &len);
    if (!err && sscanf(text, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &b->high.epoch,
                       &b->high.serial, &b->rejected.epoch, &b->rejected.serial) < 2)
        return LAMP_EFORMAT;
    if (err && err != -ENOENT)
        return err;
    /* Whether the one that was never confirmed cut us off, nobody knows: the aggregator has it. */
    (void)unlink(path_of(b, next_name, path));
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
    b->has_refused_nonce = false;
    b->refused = (struct lamp_set_head){ .kind = LAMP_SET_BLOCK };
    *out = b;
    return LAMP_OK;
}

lamp_blockset *lamp_blockset_free(lamp_blockset *b)
{
    if (!b)
        return NULL;
    answer_free(b->current);
    answer_free(b->confirmed);
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
