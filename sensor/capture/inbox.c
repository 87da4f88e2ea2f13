/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/capture/inbox.h"

#include "common/text.h"
#include "proto/collect.h"
#include "sensor/process/channel.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum { FRESH_FROM = 50 /* weight of an endpoint that is known to serve a pool now */ };

struct answer {
    char name[LAMP_WIRE_SET_NAME_MAX + 1];
    struct lamp_addr addr, server;
    uint32_t ttl_s;
};

struct lamp_inbox {
    int fd;
    uint8_t *buf; /* LAMP_CHANNEL_MAX */
    lamp_inbox_order_fn *on_order;
    void *on_order_arg;
    lamp_inbox_blocks_fn *on_blocks;
    void *on_blocks_arg;

    struct lamp_collect incoming;
    struct lamp_set_head head; /* of the watch list held */
    bool head_changed;
    struct lamp_settings *settings;  /* NULL: nobody asks */
    bool set_anew, settings_changed; /* to be used; to be told */
    lamp_watch *held, *next;         /* in use; to be used from the next lamp_inbox_watch() on */
    bool has_next;
    char *texts[LAMP_INBOX_TEXTS]; /* of pools and coins */
    size_t n_texts;

    pthread_mutex_t lock; /* of what follows */
    char (*names)[LAMP_WIRE_SET_NAME_MAX + 1];
    _Atomic size_t n_names;
    struct answer answers[LAMP_INBOX_ANSWERS];
    size_t n_answers;
    uint64_t dropped;
};

int lamp_inbox_new(int fd, lamp_inbox **out)
{
    lamp_inbox *b = calloc(1, sizeof(*b));
    if (!b)
        return LAMP_ENOMEM;
    b->fd = fd;
    b->head.kind = LAMP_SET_WATCH;
    b->head_changed = true;
    pthread_mutex_init(&b->lock, NULL);
    b->buf = malloc(LAMP_CHANNEL_MAX);
    b->names = calloc(LAMP_WIRE_LOCAL_NAMES_MAX, sizeof(*b->names));
    if (!b->buf || !b->names) {
        lamp_inbox_free(b);
        return LAMP_ENOMEM;
    }
    *out = b;
    return LAMP_OK;
}

lamp_inbox *lamp_inbox_free(lamp_inbox *b)
{
    if (!b)
        return NULL;
    lamp_collect_done(&b->incoming);
    lamp_watch_free(b->held);
    lamp_watch_free(b->next);
    for (size_t i = 0; i < b->n_texts; i++)
        free(b->texts[i]);
    pthread_mutex_destroy(&b->lock);
    free(b->names);
    free(b->buf);
    free(b);
    return NULL;
}

/* ---- the watch list ---- */

/* The text for good; NULL: none, or there are too many. */
static const char *lasting(lamp_inbox *b, const char *text)
{
    if (!text || !*text)
        return NULL;
    for (size_t i = 0; i < b->n_texts; i++)
        if (streq(b->texts[i], text))
            return b->texts[i];
    char *copy = b->n_texts < LAMP_INBOX_TEXTS ? strdup(text) : NULL;
    if (copy)
        b->texts[b->n_texts++] = copy;
    return copy;
}

/* The text of an entry, "WEIGHT\tORIGIN\tCOIN\tPOOL" (docs/WIRE.md). What makes no sense is
 * taken for stale and unnamed. The origin is then in buf. */
static void read_text(lamp_inbox *b, struct lamp_bytes text, char buf[LAMP_WIRE_SET_TEXT_MAX + 1],
                      struct lamp_watch_entry *out)
{
    char *field[4] = { buf, NULL, NULL, NULL };
    int64_t weight = 0;
    if (text.len)
        memcpy(buf, text.data, text.len);
    buf[text.len] = '\0';
    for (size_t i = 1; i < ARRAY_LEN(field) && field[i - 1]; i++) {
        field[i] = strchr(field[i - 1], '\t');
        if (field[i])
            *field[i]++ = '\0';
    }
    out->fresh = lamp_text_int(field[0], 0, 100, &weight) == LAMP_OK && weight >= FRESH_FROM;
    out->origin = field[1] && *field[1] ? field[1] : NULL;
    out->coin = lasting(b, field[2]);
    out->pool = lasting(b, field[3]);
}

static int make_watch(lamp_inbox *b, const struct lamp_set *s, lamp_watch **out)
{
    struct lamp_watch_entry *e = calloc(s->n + 1, sizeof(*e));
    char(*names)[LAMP_WIRE_SET_NAME_MAX + 1] = calloc(s->n + 1, sizeof(*names));
    char(*texts)[LAMP_WIRE_SET_TEXT_MAX + 1] = calloc(s->n + 1, sizeof(*texts));
    int err = e && names && texts ? LAMP_OK : LAMP_ENOMEM;
    for (size_t i = 0; i < s->n && !err; i++) {
        const struct lamp_set_entry *from = &s->entries[i];
        e[i] = (struct lamp_watch_entry){ .addr = from->prefix.addr,
                                          .port = from->port,
                                          .ttl_s = from->ttl_s };
        read_text(b, from->text, texts[i], &e[i]);
        if (from->name.len > 0) {
            memcpy(names[i], from->name.data, from->name.len);
            e[i].name = names[i];
        }
    }
    if (!err)
        err = lamp_watch_new(e, s->n, out);
    free(e);
    free(names);
    free(texts);
    return err;
}

static void on_set(lamp_inbox *b, const struct lamp_msg *m)
{
    struct lamp_set set;
    const enum lamp_set_kind kind = b->incoming.begin.kind;
    if (lamp_collect_feed(&b->incoming, m, &set) != LAMP_OK)
        return;
    lamp_watch *watch = NULL;
    char site[LAMP_WIRE_SITE_MAX + 1];
    struct lamp_set_manifest manifest;
    struct lamp_set_head head = { .kind = LAMP_SET_WATCH };
    if (lamp_set_manifest_unpack(m->u.set_end.manifest, site, &manifest) == LAMP_OK) {
        head.epoch = manifest.epoch;
        head.serial = manifest.serial;
        memcpy(head.digest, manifest.digest, sizeof(head.digest));
    }
    if (kind == LAMP_SET_WATCH && (set.n == 0 || make_watch(b, &set, &watch) == LAMP_OK)) {
        lamp_watch_free(b->next);
        b->next = watch;
        b->has_next = b->head_changed = true;
        b->head = head;
    }
    lamp_set_done(&set);
}

bool lamp_inbox_watch(lamp_inbox *b, const lamp_watch **out)
{
    if (!b->has_next)
        return false;
    lamp_watch_free(b->held);
    b->held = b->next;
    b->next = NULL;
    b->has_next = false;
    *out = b->held;
    return true;
}

/* ---- names ---- */

static void on_names(lamp_inbox *b, const struct lamp_local_names *m)
{
    size_t n = 0;
    pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < m->n_names && n < LAMP_WIRE_LOCAL_NAMES_MAX; i++) {
        const struct lamp_bytes name = m->names[i].name;
        if (name.len == 0 || name.len >= sizeof(b->names[0]))
            continue;
        memcpy(b->names[n], name.data, name.len);
        b->names[n++][name.len] = '\0';
    }
    atomic_store(&b->n_names, n);
    pthread_mutex_unlock(&b->lock);
}

/* Whether name is one that is looked for, or lies below one. */
static bool is_wanted(const lamp_inbox *b, const char *name)
{
    const size_t len = strlen(name);
    for (size_t i = 0; i < b->n_names; i++) {
        const size_t n = strlen(b->names[i]);
        if (n <= len && streq(name + len - n, b->names[i]) &&
            (n == len || name[len - n - 1] == '.'))
            return true;
    }
    return false;
}

static void note(lamp_inbox *b, const char *name, const struct lamp_addr *addr,
                 const struct lamp_addr *server, uint32_t ttl_s)
{
    for (size_t i = 0; i < b->n_answers; i++)
        if (lamp_addr_eq(&b->answers[i].addr, addr) &&
            lamp_addr_eq(&b->answers[i].server, server) && streq(b->answers[i].name, name))
            return;
    if (b->n_answers == LAMP_INBOX_ANSWERS) {
        b->dropped++;
        return;
    }
    struct answer *a = &b->answers[b->n_answers++];
    *a = (struct answer){ .addr = *addr, .server = *server, .ttl_s = ttl_s };
    snprintf(a->name, sizeof(a->name), "%s", name);
}

void lamp_inbox_answer(lamp_inbox *b, const char *name, const struct lamp_addr *addr,
                       const struct lamp_addr *server, uint32_t ttl_s)
{
    if (atomic_load(&b->n_names) == 0)
        return;
    pthread_mutex_lock(&b->lock);
    if (is_wanted(b, name))
        note(b, name, addr, server, ttl_s);
    pthread_mutex_unlock(&b->lock);
}

/* ---- the channel ---- */

void lamp_inbox_on_order(lamp_inbox *b, lamp_inbox_order_fn *fn, void *arg)
{
    b->on_order = fn;
    b->on_order_arg = arg;
}

void lamp_inbox_on_blocks(lamp_inbox *b, lamp_inbox_blocks_fn *fn, void *arg)
{
    b->on_blocks = fn;
    b->on_blocks_arg = arg;
}

void lamp_inbox_settings(lamp_inbox *b, struct lamp_settings *settings)
{
    b->settings = settings;
    b->settings_changed = true;
}

bool lamp_inbox_set_anew(lamp_inbox *b)
{
    const bool anew = b->set_anew;
    b->set_anew = false;
    return anew;
}

/* A part of a set. Who looks for another kind takes no notice of it. */
static void on_set_part(lamp_inbox *b, const struct lamp_msg *m)
{
    if (b->settings && lamp_settings_feed(b->settings, m))
        b->set_anew = b->settings_changed = true;
    on_set(b, m);
}

void lamp_inbox_take(lamp_inbox *b, struct lamp_bytes packed)
{
    struct lamp_msg *m;
    if (lamp_msg_unpack(packed.data, packed.len, &m) != LAMP_OK)
        return;
    if (m->type == LAMP_MSG_LOCAL_NAMES)
        on_names(b, &m->u.local_names);
    else if ((m->type == LAMP_MSG_ORDER || m->type == LAMP_MSG_TRACK) && b->on_order)
        b->on_order(m->type, &m->u.order, b->on_order_arg);
    else if (m->type == LAMP_MSG_COIN_BLOCKS && b->on_blocks)
        b->on_blocks(&m->u.coin_blocks, b->on_blocks_arg);
    else if (m->type == LAMP_MSG_SET_BEGIN || m->type == LAMP_MSG_SET_CHUNK ||
             m->type == LAMP_MSG_SET_END)
        on_set_part(b, m);
    lamp_msg_free(m);
}

int lamp_inbox_read(lamp_inbox *b)
{
    size_t len;
    int err;
    while ((err = lamp_channel_recv(b->fd, b->buf, &len)) == LAMP_OK)
        lamp_inbox_take(b, (struct lamp_bytes){ b->buf, len });
    return err == LAMP_EAGAIN ? LAMP_OK : err;
}

static int send_msg(const lamp_inbox *b, const struct lamp_msg *m)
{
    LAMP_AUTO_FREE uint8_t *data = NULL;
    size_t len;
    const int err = lamp_msg_pack(m, &data, &len);
    return err ? err : lamp_channel_send(b->fd, data, len);
}

static int send_answers(lamp_inbox *b)
{
    struct lamp_local_name names[LAMP_INBOX_ANSWERS];
    struct lamp_msg m = { .type = LAMP_MSG_LOCAL_NAMES, .u.local_names = { names, 0 } };
    int err = LAMP_OK;
    pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < b->n_answers; i++) {
        const struct answer *a = &b->answers[i];
        names[i] = (struct lamp_local_name){ lamp_bytes_of(a->name), a->addr, a->server, a->ttl_s };
    }
    m.u.local_names.n_names = b->n_answers;
    if (b->n_answers > 0)
        err = send_msg(b, &m);
    b->n_answers = 0;
    pthread_mutex_unlock(&b->lock);
    return err;
}

static int send_head(const lamp_inbox *b, const struct lamp_set_head *head, bool *io_changed)
{
    const struct lamp_msg m = { .type = LAMP_MSG_LOCAL_REPLY, .u.local_reply.head = *head };
    const int err = send_msg(b, &m);
    *io_changed &= err != LAMP_OK;
    return err;
}

int lamp_inbox_flush(lamp_inbox *b, bool again)
{
    int err = send_answers(b);
    if (err != LAMP_ECLOSED && (again || b->head_changed))
        err = send_head(b, &b->head, &b->head_changed);
    if (err != LAMP_ECLOSED && b->settings && (again || b->settings_changed))
        err = send_head(b, &b->settings->head, &b->settings_changed);
    return err == LAMP_ECLOSED ? err : LAMP_OK;
}

uint64_t lamp_inbox_dropped(const lamp_inbox *b)
{
    return b->dropped;
}
