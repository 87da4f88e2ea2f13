/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/link/setsync.h"

#include <sodium.h>

enum {
    SECOND_US = 1000 * 1000,
    QUERY_GAP_US = SECOND_US,   /* between two questions that hints caused */
    CONFIRM_US = 5 * SECOND_US, /* between two questions while a list is not confirmed */
    N_SETS = LAMP_SET_POLICY - LAMP_SET_WATCH + 1,
};

struct lamp_setsync {
    struct lamp_setsync_cfg cfg;
    /* One kind: what enforce has of it and what is asked of the aggregator. */
    struct sync {
        struct lamp_set_head head;  /* what enforce says is in force */
        struct lamp_nonce nonce;    /* of the last question */
        struct lamp_set_head asked; /* what was in force then */
        uint64_t query_us;
        bool query_due, ask_whole;
        bool is_delta;    /* the last answer was */
        bool unconfirmed; /* enforce waits for an answer of the aggregator, else it goes back */
        uint8_t *status;  /* the newest SET_STATUS, packed, not yet sent */
        size_t status_len;
    } sets[N_SETS]; /* in the order of enum lamp_set_kind */
};

/* ---- life ---- */

int lamp_setsync_new(const struct lamp_setsync_cfg *cfg, lamp_setsync **out)
{
    lamp_setsync *s = calloc(1, sizeof(*s));
    if (!s)
        return LAMP_ENOMEM;
    s->cfg = *cfg;
    for (size_t i = 0; i < N_SETS; i++)
        s->sets[i].head.kind = (enum lamp_set_kind)(LAMP_SET_WATCH + i);
    *out = s;
    return LAMP_OK;
}

lamp_setsync *lamp_setsync_free(lamp_setsync *s)
{
    for (size_t i = 0; s && i < N_SETS; i++)
        free(s->sets[i].status);
    free(s);
    return NULL;
}

/* The set of a kind; NULL: a kind that this build does not know. */
static struct sync *sync_of(lamp_setsync *s, enum lamp_set_kind kind)
{
    for (size_t i = 0; i < N_SETS; i++)
        if (s->sets[i].head.kind == kind)
            return &s->sets[i];
    return NULL;
}

/* The set that our last question with the nonce was about; NULL: none of ours, or an older one. */
static struct sync *asked_with(lamp_setsync *s, const struct lamp_nonce *nonce)
{
    for (size_t i = 0; i < N_SETS; i++)
        if (s->sets[i].asked.kind && memcmp(nonce, &s->sets[i].nonce, sizeof(*nonce)) == 0)
            return &s->sets[i];
    return NULL;
}

const struct lamp_set_head *lamp_setsync_head(const lamp_setsync *s, enum lamp_set_kind kind)
{
    return &s->sets[kind - LAMP_SET_WATCH].head;
}

/* ---- questions ---- */

void lamp_setsync_session(lamp_setsync *s)
{
    for (size_t i = 0; i < N_SETS; i++) {
        s->sets[i].query_due = true;
        s->sets[i].query_us = 0;
    }
}

static void send_query(lamp_setsync *s, struct sync *y, uint64_t mono_us)
{
    struct lamp_msg m = { .type = LAMP_MSG_SET_QUERY };
    randombytes_buf(y->nonce.b, sizeof(y->nonce.b));
    m.u.set_query.nonce = y->nonce;
    m.u.set_query.have = y->head;
    y->asked = y->head;
    if (y->ask_whole)
        m.u.set_query.have.serial = 0;
    LAMP_AUTO_FREE uint8_t *data = NULL;
    size_t len;
    if (lamp_msg_pack(&m, &data, &len) != LAMP_OK ||
        s->cfg.to_aggregator(data, len, s->cfg.arg) != LAMP_OK)
        return; /* the next turn tries again */
    y->query_us = mono_us;
    y->query_due = y->ask_whole = false;
}

static void sync_set(lamp_setsync *s, struct sync *y, uint64_t mono_us)
{
    if (y->status && s->cfg.to_aggregator(y->status, y->status_len, s->cfg.arg) == LAMP_OK) {
        free(y->status);
        y->status = NULL;
    }
    const uint64_t since_us = mono_us - y->query_us;
    if ((y->query_due && since_us >= QUERY_GAP_US) || since_us >= s->cfg.refresh_us ||
        (y->unconfirmed && since_us >= CONFIRM_US))
        send_query(s, y, mono_us);
}

void lamp_setsync_turn(lamp_setsync *s, uint64_t mono_us)
{
    for (size_t i = 0; i < N_SETS; i++)
        sync_set(s, &s->sets[i], mono_us);
}

/* ---- answers ---- */

static void tell_enforce(lamp_setsync *s, const struct lamp_msg *m)
{
    LAMP_AUTO_FREE uint8_t *data = NULL;
    size_t len;
    if (lamp_msg_pack(m, &data, &len) == LAMP_OK)
        s->cfg.to_enforce(data, len, s->cfg.arg);
}

/* Whatever answers our last question says that the list in force then leaves the way open. */
static struct sync *on_answer(lamp_setsync *s, const struct lamp_nonce *nonce)
{
    struct sync *y = asked_with(s, nonce);
    if (y && y->head.kind == LAMP_SET_BLOCK) {
        const struct lamp_msg m = { .type = LAMP_MSG_LOCAL_ANSWER,
                                    .u.local_answer.have = y->asked };
        tell_enforce(s, &m);
    }
    return y;
}

static bool same_head(const struct lamp_set_head *a, const struct lamp_set_head *b)
{
    return a->epoch == b->epoch && a->serial == b->serial &&
           memcmp(a->digest, b->digest, sizeof(a->digest)) == 0;
}

/* One that answers a question is no hint: there is nothing for us, whatever its head. */
static void on_notify(lamp_setsync *s, const struct lamp_set_notify *m)
{
    struct sync *y = sync_of(s, m->head.kind);
    if (!on_answer(s, &m->nonce) && sodium_is_zero(m->nonce.b, sizeof(m->nonce.b)) && y &&
        !same_head(&m->head, &y->head))
        y->query_due = true;
}

bool lamp_setsync_take(lamp_setsync *s, const struct lamp_msg *m, struct lamp_bytes packed)
{
    struct sync *y = NULL;
    switch (m->type) {
    case LAMP_MSG_SET_NOTIFY:
        on_notify(s, &m->u.set_notify);
        return true;
    case LAMP_MSG_SET_RESET:
        y = on_answer(s, &m->u.set_reset.nonce);
        if (y)
            y->query_due = y->ask_whole = true;
        return true;
    case LAMP_MSG_SET_BEGIN:
        y = on_answer(s, &m->u.set_begin.nonce);
        if (y)
            y->is_delta = m->u.set_begin.mode == LAMP_SET_DELTA;
        break;
    case LAMP_MSG_SET_CHUNK:
        y = asked_with(s, &m->u.set_chunk.nonce);
        break;
    case LAMP_MSG_SET_END:
        y = asked_with(s, &m->u.set_end.nonce);
        break;
    default:
        return false;
    }
    if (y)
        s->cfg.to_enforce(packed.data, packed.len, s->cfg.arg);
    return true;
}

/* ---- what enforce says ---- */

static void keep_status(struct sync *y, struct lamp_bytes packed)
{
    uint8_t *copy = malloc(packed.len ? packed.len : 1);
    if (!copy)
        return; /* another follows within 5 minutes */
    memcpy(copy, packed.data, packed.len);
    free(y->status);
    y->status = copy;
    y->status_len = packed.len;
}

void lamp_setsync_status(lamp_setsync *s, const struct lamp_set_status *m, struct lamp_bytes packed)
{
    struct sync *y = sync_of(s, m->head.kind);
    if (!y)
        return;
    y->head = m->head;
    y->unconfirmed = m->head.kind == LAMP_SET_BLOCK && m->state == LAMP_SET_APPLIED;
    y->query_due |= y->unconfirmed;
    if (m->state == LAMP_SET_REFUSED && y->is_delta)
        y->ask_whole = y->query_due = true;
    y->is_delta = false;
    keep_status(y, packed);
}

void lamp_setsync_holds(lamp_setsync *s, const struct lamp_set_head *head)
{
    struct sync *y = sync_of(s, head->kind);
    if (y)
        y->head = *head;
}
