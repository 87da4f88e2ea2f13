/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enforce/signedset.h"

#include "common/io.h"
#include "common/text.h"
#include "proto/collect.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>

#define HOUR_US (UINT64_C(3600) * 1000 * 1000)
enum { RAW_MAX = 8 * 1024 * 1024 }; /* bytes of a durable copy */

static const char *const kind_names[] = { "none", "watch", "block", "never", "policy" };

/* A set that was accepted. Its durable copy: u64 time of acceptance, then each message of the whole
 * set as u32 length and packed bytes, little-endian. */
struct held {
    struct lamp_set set;
    struct lamp_set_head head;
    uint64_t accepted_us, expires_us;
    uint8_t manifest[LAMP_WIRE_MANIFEST_MAX], signature[LAMP_WIRE_SIGNATURE_LEN];
    size_t manifest_len;
};

struct lamp_signedset {
    enum lamp_set_kind kind;
    char site[65], dir[PATH_MAX - 16];
    uint8_t list_key[32];
    struct version {
        uint64_t epoch, serial;
    } high, rejected;       /* the highest accepted, the highest rolled back */
    struct held *current;   /* in hand */
    struct held *confirmed; /* to go back to; NULL where it is the current one, or none */
    struct lamp_collect incoming;
    bool is_confirmed;
    struct lamp_nonce refused_nonce; /* what still comes of it counts no more */
    bool has_refused_nonce;
    struct lamp_set_head refused;
    uint64_t growth_us; /* the hour of `grown` began */
    size_t grown;       /* entries that nobody approved and lists added in it */
};

static struct held *held_free(struct held *h)
{
    if (!h)
        return NULL;
    lamp_set_done(&h->set);
    free(h);
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

static struct lamp_set_head no_head(const lamp_signedset *b)
{
    return (struct lamp_set_head){ .kind = b->kind };
}

/* What must hold of the beginning before anything is collected. */
static int check_begin(const lamp_signedset *b, const struct lamp_set_begin *m,
                       char detail[LAMP_SIGNEDSET_DETAIL])
{
    if (m->kind != b->kind)
        return LAMP_EUNSUPPORTED;
    if (m->mode == LAMP_SET_FULL)
        return LAMP_OK;
    if (m->mode == LAMP_SET_DELTA && b->current && b->current->head.serial == m->base_serial)
        return LAMP_OK;
    snprintf(detail, LAMP_SIGNEDSET_DETAIL, "changes to serial %" PRIu64 ", which is not held",
             m->base_serial);
    return LAMP_EUNSUPPORTED;
}

static bool is_newer(uint64_t epoch, uint64_t serial, const struct version *than)
{
    return epoch > than->epoch || (epoch == than->epoch && serial > than->serial);
}

static bool is_v4(const struct lamp_prefix *p)
{
    return p->len >= 96 && lamp_addr_is_v4(&p->addr);
}

/* A name of one label would be all that lies below a top-level domain. */
static bool is_long_enough(struct lamp_bytes name)
{
    const uint8_t *dot = name.len ? memchr(name.data, '.', name.len) : NULL;
    return dot && dot != name.data && name.data[name.len - 1] != '.';
}

static int refuse_prefix(const struct lamp_set_entry *e, const char *why,
                         char detail[LAMP_SIGNEDSET_DETAIL])
{
    char text[LAMP_PREFIX_STRLEN];
    snprintf(detail, LAMP_SIGNEDSET_DETAIL, "prefix %s %s id=%" PRIu64,
             lamp_prefix_str(&e->prefix, text), why, e->id);
    return LAMP_EPOLICY;
}

static int refuse_name(const struct lamp_set_entry *e, char detail[LAMP_SIGNEDSET_DETAIL])
{
    snprintf(detail, LAMP_SIGNEDSET_DETAIL, "a name that is too short id=%" PRIu64, e->id);
    return LAMP_EPOLICY;
}

static int check_block(const struct lamp_set_entry *e, char detail[LAMP_SIGNEDSET_DETAIL])
{
    if (e->name.len > 0)
        return is_long_enough(e->name) && !e->inside ? LAMP_OK : refuse_name(e, detail);
    if (e->prefix.len == 0 && e->text.len > 0) {
        snprintf(detail, LAMP_SIGNEDSET_DETAIL, "an entry that blocks nothing id=%" PRIu64, e->id);
        return LAMP_EFORMAT;
    }
    const unsigned usual = is_v4(&e->prefix) ? 96 + 24 : 48;
    const unsigned widest = is_v4(&e->prefix) ? 96 + 16 : 32;
    return e->prefix.len >= usual || (e->prefix.len >= widest && e->approved)
               ? LAMP_OK
               : refuse_prefix(e, "is too wide", detail);
}

static int check_watch(const struct lamp_set_entry *e, char detail[LAMP_SIGNEDSET_DETAIL])
{
    if (e->name.len > 0)
        return is_long_enough(e->name) ? LAMP_OK : refuse_name(e, detail);
    return e->prefix.len == 128 ? LAMP_OK : refuse_prefix(e, "is not one address", detail);
}

static int check_never(const struct lamp_set_entry *e, char detail[LAMP_SIGNEDSET_DETAIL])
{
    if (e->name.len > 0)
        return refuse_name(e, detail);
    return e->prefix.len >= (is_v4(&e->prefix) ? 96 + 8 : 16)
               ? LAMP_OK
               : refuse_prefix(e, "is too wide", detail);
}

/* What the setting means is looked at where it is taken: one of a newer aggregator refuses no set. */
static int check_policy(const struct lamp_set_entry *e, char detail[LAMP_SIGNEDSET_DETAIL])
{
    if (e->name.len > 0 && e->prefix.len == 0)
        return LAMP_OK;
    snprintf(detail, LAMP_SIGNEDSET_DETAIL, "a policy without a name id=%" PRIu64, e->id);
    return LAMP_EFORMAT;
}

static int check_entries(const lamp_signedset *b, const struct lamp_set *s,
                         char detail[LAMP_SIGNEDSET_DETAIL])
{
    static int (*const checks[])(const struct lamp_set_entry *, char[LAMP_SIGNEDSET_DETAIL]) = {
        [LAMP_SET_WATCH] = check_watch,
        [LAMP_SET_BLOCK] = check_block,
        [LAMP_SET_NEVER] = check_never,
        [LAMP_SET_POLICY] = check_policy,
    };
    int err = b->kind == LAMP_SET_NEVER && s->n > LAMP_SIGNEDSET_NEVER_MAX ? LAMP_EFULL : LAMP_OK;
    for (size_t i = 0; i < s->n && !err; i++) {
        if (s->entries[i].action != LAMP_SET_ADD) {
            snprintf(detail, LAMP_SIGNEDSET_DETAIL, "a whole set only adds id=%" PRIu64,
                     s->entries[i].id);
            return LAMP_EFORMAT;
        }
        err = checks[b->kind](&s->entries[i], detail);
    }
    return err;
}

/* How many entries of s (canonical, as is the other) that nobody approved are not in hand. */
static size_t added(const lamp_signedset *b, const struct lamp_set *s)
{
    const struct lamp_set *have = &b->current->set;
    size_t n = 0;
    for (size_t i = 0, j = 0; i < s->n; i++) {
        int c = -1;
        while (j < have->n && (c = lamp_set_entry_cmp(&have->entries[j], &s->entries[i])) < 0)
            j++;
        n += (j == have->n || c != 0) && !s->entries[i].approved;
    }
    return n;
}

/* Against a hurried hand or a hijacked one at the centre. The first list a sensor gets has nothing
 * to be compared with; after a silence of hours as many hours' growth may have come together. */
static int check_growth(lamp_signedset *b, const struct lamp_set *s, uint64_t now_us,
                        char detail[LAMP_SIGNEDSET_DETAIL])
{
    if (!b->current || b->kind != LAMP_SET_BLOCK)
        return LAMP_OK;
    if (now_us < b->growth_us || now_us - b->growth_us >= HOUR_US) {
        b->growth_us = now_us;
        b->grown = 0;
    }
    const uint64_t silent_us =
        now_us > b->current->accepted_us ? now_us - b->current->accepted_us : 0;
    const size_t an_hour = s->n / 10 > LAMP_SIGNEDSET_GROWTH ? s->n / 10 : LAMP_SIGNEDSET_GROWTH;
    const size_t most = an_hour * (1 + (size_t)(silent_us / HOUR_US)), n = added(b, s);
    if (n == 0 || b->grown + n <= most) {
        b->grown += silent_us < HOUR_US ? n : 0; /* what came while it was silent is in `most` */
        return LAMP_OK;
    }
    snprintf(detail, LAMP_SIGNEDSET_DETAIL, "%zu more entries at once, and nobody approved", n);
    return LAMP_EPOLICY;
}

/* What the manifest says of the set's age, against what is known; restoring: it is our own copy,
 * whose serial is the highest seen, or an older one after a crash in make_durable(). */
static int check_version(const lamp_signedset *b, const struct lamp_set_manifest *m,
                         uint64_t now_us, bool restoring, char detail[LAMP_SIGNEDSET_DETAIL])
{
    if (!restoring && !is_newer(m->epoch, m->serial, &b->rejected)) {
        snprintf(detail, LAMP_SIGNEDSET_DETAIL,
                 "serial %" PRIu64 "/%" PRIu64 " was rolled back here", m->epoch, m->serial);
        return LAMP_EREJECTED;
    }
    const bool same = m->epoch == b->high.epoch && m->serial == b->high.serial;
    if (!is_newer(m->epoch, m->serial, &b->high) && !same && !restoring) {
        snprintf(detail, LAMP_SIGNEDSET_DETAIL,
                 "serial %" PRIu64 "/%" PRIu64 " is older than %" PRIu64 "/%" PRIu64, m->epoch,
                 m->serial, b->high.epoch, b->high.serial);
        return LAMP_ESERIAL;
    }
    if (same && !restoring && b->current && b->current->head.epoch == m->epoch &&
        b->current->head.serial == m->serial)
        return memcmp(m->digest, b->current->head.digest, sizeof(m->digest)) == 0 ? LAMP_EEXIST
                                                                                  : LAMP_ESERIAL;
    if (m->expires_us <= now_us && !(restoring && b->kind == LAMP_SET_NEVER)) {
        snprintf(detail, LAMP_SIGNEDSET_DETAIL, "expired %" PRIu64 " s ago",
                 (now_us - m->expires_us) / 1000000);
        return LAMP_EEXPIRED;
    }
    return LAMP_OK;
}

static int check_manifest(const lamp_signedset *b, const struct lamp_set_manifest *m,
                          uint64_t now_us, bool restoring, char detail[LAMP_SIGNEDSET_DETAIL])
{
    if (!lamp_bytes_eq(m->site, b->site)) {
        char safe[80];
        lamp_text_safe(m->site.data, m->site.len, safe, sizeof(safe));
        snprintf(detail, LAMP_SIGNEDSET_DETAIL, "list is for site %s", safe);
        return LAMP_ESITE;
    }
    if (m->kind != b->kind)
        return LAMP_EUNSUPPORTED;
    return check_version(b, m, now_us, restoring, detail);
}

/* Whether the whole set is the one that the manifest is of. */
static int check_set(lamp_signedset *b, const struct lamp_set *s, const struct lamp_set_manifest *m,
                     uint64_t now_us, bool restoring, char detail[LAMP_SIGNEDSET_DETAIL])
{
    if (m->count != s->n) {
        snprintf(detail, LAMP_SIGNEDSET_DETAIL, "manifest counts %" PRIu32 " entries, %zu came",
                 m->count, s->n);
        return LAMP_EFORMAT;
    }
    int err = check_entries(b, s, detail);
    uint8_t digest[LAMP_WIRE_DIGEST_LEN];
    if (!err)
        err = lamp_set_digest(s->entries, s->n, digest);
    if (!err && memcmp(digest, m->digest, sizeof(digest)) != 0)
        err = LAMP_EDIGEST;
    return err || restoring ? err : check_growth(b, s, now_us, detail);
}

/* ---- durable state ---- */

/* .set: the confirmed set; .next: the candidate; .high: the highest serials. */
static const char *path_of(const lamp_signedset *b, const char *end, char buf[PATH_MAX])
{
    snprintf(buf, PATH_MAX, "%s/%s%s", b->dir, kind_names[b->kind], end);
    return buf;
}

struct raw {
    uint8_t *data;
    size_t len, cap;
};

static int put_message(const struct lamp_msg *m, void *arg)
{
    struct raw *raw = arg;
    LAMP_AUTO_FREE uint8_t *packed = NULL;
    size_t len;
    const int err = lamp_msg_pack(m, &packed, &len);
    if (err)
        return err;
    const size_t need = raw->len + 4 + len;
    if (need > RAW_MAX)
        return LAMP_EFULL;
    if (need > raw->cap) {
        uint8_t *more = realloc(raw->data, 2 * need);
        if (!more)
            return LAMP_ENOMEM;
        raw->data = more;
        raw->cap = 2 * need;
    }
    put_le(raw->data + raw->len, len, 4);
    memcpy(raw->data + raw->len + 4, packed, len);
    raw->len = need;
    return LAMP_OK;
}

static int tell(const lamp_signedset *b, const struct held *h, lamp_signedset_msg_fn *fn, void *arg)
{
    const struct lamp_set_begin begin = { .kind = b->kind, .mode = LAMP_SET_FULL };
    struct lamp_msg end = { .type = LAMP_MSG_SET_END };
    end.u.set_end.manifest = (struct lamp_bytes){ h->manifest, h->manifest_len };
    memcpy(end.u.set_end.signature, h->signature, sizeof(h->signature));
    const int err = lamp_collect_send(&begin, &h->set, fn, arg);
    return err ? err : fn(&end, arg);
}

int lamp_signedset_tell(const lamp_signedset *b, lamp_signedset_msg_fn *fn, void *arg)
{
    return b->current ? tell(b, b->current, fn, arg) : LAMP_EAGAIN;
}

static int write_copy(const lamp_signedset *b, const struct held *h, const char *end)
{
    char path[PATH_MAX];
    struct raw raw = { calloc(1, 4096), 8, 4096 };
    if (!raw.data)
        return LAMP_ENOMEM;
    put_le(raw.data, h->accepted_us, 8);
    int err = tell(b, h, put_message, &raw);
    if (!err)
        err = lamp_io_replace_file(path_of(b, end, path), raw.data, raw.len, 0600);
    free(raw.data);
    return err;
}

static int write_versions(const lamp_signedset *b)
{
    char path[PATH_MAX], text[96];
    const int n = snprintf(text, sizeof(text), "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
                           b->high.epoch, b->high.serial, b->rejected.epoch, b->rejected.serial);
    return lamp_io_replace_file(path_of(b, ".high", path), text, (size_t)n, 0600);
}

/* The highest serial goes first: after a crash between the two the old list stays in force
 * and cannot be replaced by one that is older still. */
static int make_durable(lamp_signedset *b, const struct held *a)
{
    const struct version before = b->high;
    if (is_newer(a->head.epoch, a->head.serial, &b->high))
        b->high = (struct version){ a->head.epoch, a->head.serial };
    int err = write_versions(b);
    if (!err)
        err = write_copy(b, a, ".next");
    if (err)
        b->high = before;
    return err;
}

int lamp_signedset_confirm(lamp_signedset *b)
{
    char next[PATH_MAX];
    if (!b->current || b->is_confirmed)
        return LAMP_OK;
    b->is_confirmed = true;
    b->confirmed = held_free(b->confirmed);
    const int err = write_copy(b, b->current, ".set");
    if (!err)
        (void)unlink(path_of(b, ".next", next));
    return err;
}

bool lamp_signedset_is_confirmed(const lamp_signedset *b)
{
    return b->is_confirmed;
}

int lamp_signedset_rollback(lamp_signedset *b)
{
    char path[PATH_MAX];
    if (!b->current || b->is_confirmed)
        return LAMP_OK;
    b->refused = b->current->head;
    b->rejected = (struct version){ b->current->head.epoch, b->current->head.serial };
    held_free(b->current);
    b->current = b->confirmed;
    b->confirmed = NULL;
    b->is_confirmed = b->current != NULL;
    (void)unlink(path_of(b, ".next", path));
    return write_versions(b);
}

struct lamp_set_head lamp_signedset_refused(const lamp_signedset *b)
{
    return b->refused;
}

/* ---- an answer comes to its end ---- */

/* The accepted set takes the place of the one in hand, which is kept if it was confirmed. */
static void take_over(lamp_signedset *b, struct held *h, bool restoring)
{
    if (b->is_confirmed)
        b->confirmed = b->current;
    else /* a candidate that was never confirmed is not one to go back to */
        held_free(b->current);
    b->current = h;
    b->is_confirmed = restoring;
    b->refused = no_head(b);
}

/* *set is what came: a whole set, or changes to the one in hand. It takes the entries. */
static int accept(lamp_signedset *b, enum lamp_set_mode mode, const struct lamp_set_end *m,
                  struct lamp_set *set, uint64_t now_us, bool restoring,
                  char detail[LAMP_SIGNEDSET_DETAIL])
{
    char site[65];
    struct lamp_set_manifest manifest;
    int err = lamp_set_manifest_unpack(m->manifest, site, &manifest);
    if (err)
        return err;
    struct lamp_set_head head = { b->kind, manifest.epoch, manifest.serial, { 0 } };
    memcpy(head.digest, manifest.digest, sizeof(head.digest));
    b->refused = head;
    err = check_manifest(b, &manifest, now_us, restoring, detail);
    if (!err && mode == LAMP_SET_DELTA) {
        struct lamp_set whole;
        err = manifest.epoch != b->current->head.epoch
                  ? LAMP_EUNSUPPORTED
                  : lamp_set_patch(&b->current->set, set->entries, set->n, &whole);
        if (!err) {
            lamp_set_done(set);
            *set = whole;
        }
    }
    if (!err)
        err = check_set(b, set, &manifest, now_us, restoring, detail);
    struct held *h = err ? NULL : calloc(1, sizeof(*h));
    if (!h)
        return err ? err : LAMP_ENOMEM;
    h->head = head;
    h->set = *set;
    h->accepted_us = now_us;
    h->expires_us = manifest.expires_us;
    h->manifest_len = m->manifest.len;
    memcpy(h->manifest, m->manifest.data, m->manifest.len);
    memcpy(h->signature, m->signature, sizeof(h->signature));
    if (restoring && is_newer(head.epoch, head.serial, &b->high))
        b->high = (struct version){ head.epoch, head.serial };
    err = restoring ? LAMP_OK : make_durable(b, h);
    if (err) {
        free(h);
        return err;
    }
    *set = (struct lamp_set){ NULL, 0, NULL };
    take_over(b, h, restoring);
    return LAMP_OK;
}

static int end(lamp_signedset *b, const struct lamp_msg *m, uint64_t now_us, bool restoring,
               char detail[LAMP_SIGNEDSET_DETAIL])
{
    const enum lamp_set_mode mode = b->incoming.begin.mode;
    const struct lamp_set_end *e = &m->u.set_end;
    struct lamp_set set;
    int err = lamp_collect_feed(&b->incoming, m, &set);
    if (err)
        return err;
    if (crypto_sign_verify_detached(e->signature, e->manifest.data, e->manifest.len, b->list_key) !=
        0) {
        snprintf(detail, LAMP_SIGNEDSET_DETAIL,
                 "list is not signed with link.list_key of this sensor");
        err = LAMP_ESIGNATURE;
    }
    if (!err)
        err = accept(b, mode, e, &set, now_us, restoring, detail);
    lamp_set_done(&set);
    return err;
}

/* The nonce of a message that belongs to an answer. */
static const struct lamp_nonce *nonce_of(const struct lamp_msg *m)
{
    return m->type == LAMP_MSG_SET_BEGIN   ? &m->u.set_begin.nonce
           : m->type == LAMP_MSG_SET_CHUNK ? &m->u.set_chunk.nonce
                                           : &m->u.set_end.nonce;
}

static int feed(lamp_signedset *b, const struct lamp_msg *m, uint64_t now_us, bool restoring,
                char detail[LAMP_SIGNEDSET_DETAIL])
{
    const struct lamp_nonce *nonce = nonce_of(m);
    int err = LAMP_OK;
    detail[0] = '\0';
    if (m->type == LAMP_MSG_SET_BEGIN)
        b->has_refused_nonce = false;
    else if (b->has_refused_nonce && memcmp(nonce, &b->refused_nonce, sizeof(*nonce)) == 0)
        return LAMP_EAGAIN;
    b->refused = no_head(b);
    if (m->type == LAMP_MSG_SET_BEGIN)
        err = check_begin(b, &m->u.set_begin, detail);
    if (!err)
        err = m->type == LAMP_MSG_SET_END ? end(b, m, now_us, restoring, detail)
                                          : lamp_collect_feed(&b->incoming, m, NULL);
    if (err && err != LAMP_EAGAIN) {
        if (!detail[0])
            snprintf(detail, LAMP_SIGNEDSET_DETAIL, "%s", lamp_strerror(err));
        lamp_collect_done(&b->incoming);
        b->refused_nonce = *nonce;
        b->has_refused_nonce = true;
    }
    return err;
}

int lamp_signedset_feed(lamp_signedset *b, const struct lamp_msg *m, uint64_t now_us,
                        char detail[LAMP_SIGNEDSET_DETAIL])
{
    return feed(b, m, now_us, false, detail);
}

/* Plays the messages of the durable copy through the same checks as when they came. */
static int restore_copy(lamp_signedset *b, uint64_t now_us)
{
    char path[PATH_MAX];
    LAMP_AUTO_FREE char *text = NULL;
    size_t len;
    int err = lamp_io_read_file(path_of(b, ".set", path), RAW_MAX, &text, &len);
    if (err)
        return err == -ENOENT ? LAMP_OK : err;
    const uint8_t *p = (const uint8_t *)text;
    if (len < 8)
        return LAMP_EFORMAT;
    const uint64_t accepted_us = get_le(p, 8);
    for (size_t at = 8; at < len;) {
        char detail[LAMP_SIGNEDSET_DETAIL];
        const size_t left = len - at;
        const size_t n = left < 4 ? SIZE_MAX : (size_t)get_le(p + at, 4);
        if (left < 4 || n > left - 4)
            return LAMP_EFORMAT;
        struct lamp_msg *m;
        err = lamp_msg_unpack(p + at + 4, n, &m);
        if (err)
            return err;
        err = feed(b, m, now_us, true, detail);
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

static int restore(lamp_signedset *b, uint64_t now_us)
{
    char path[PATH_MAX];
    LAMP_AUTO_FREE char *text = NULL;
    size_t len;
    const int err = lamp_io_read_file(path_of(b, ".high", path), 96, &text, &len);
    if (!err && sscanf(text, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &b->high.epoch,
                       &b->high.serial, &b->rejected.epoch, &b->rejected.serial) < 2)
        return LAMP_EFORMAT;
    if (err && err != -ENOENT)
        return err;
    /* Whether the one that was never confirmed cut us off, nobody knows: the aggregator has it. */
    (void)unlink(path_of(b, ".next", path));
    return restore_copy(b, now_us);
}

int lamp_signedset_open(const struct lamp_signedset_cfg *cfg, uint64_t now_us, lamp_signedset **out,
                        int *out_restore_err)
{
    lamp_signedset *b = calloc(1, sizeof(*b));
    if (!b)
        return LAMP_ENOMEM;
    b->kind = cfg->kind;
    snprintf(b->site, sizeof(b->site), "%s", cfg->site);
    snprintf(b->dir, sizeof(b->dir), "%s", cfg->dir);
    memcpy(b->list_key, cfg->list_key, sizeof(b->list_key));
    *out_restore_err = restore(b, now_us);
    lamp_collect_done(&b->incoming);
    b->has_refused_nonce = false;
    b->refused = no_head(b);
    *out = b;
    return LAMP_OK;
}

lamp_signedset *lamp_signedset_free(lamp_signedset *b)
{
    if (!b)
        return NULL;
    held_free(b->current);
    held_free(b->confirmed);
    lamp_collect_done(&b->incoming);
    free(b);
    return NULL;
}

struct lamp_set_head lamp_signedset_head(const lamp_signedset *b)
{
    return b->current ? b->current->head : no_head(b);
}

const struct lamp_set_entry *lamp_signedset_entries(const lamp_signedset *b, size_t *out_n)
{
    *out_n = b->current ? b->current->set.n : 0;
    return b->current ? b->current->set.entries : NULL;
}

uint64_t lamp_signedset_accepted_us(const lamp_signedset *b)
{
    return b->current ? b->current->accepted_us : 0;
}

uint64_t lamp_signedset_expires_us(const lamp_signedset *b)
{
    return b->current ? b->current->expires_us : 0;
}
