/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enforce/sidesets.h"

#include <stdio.h>

#define STATUS_EVERY_US (UINT64_C(300) * 1000 * 1000)

static const enum lamp_set_kind kinds[] = { LAMP_SET_WATCH, LAMP_SET_NEVER, LAMP_SET_POLICY };
enum { N_SETS = ARRAY_LEN(kinds) };

struct lamp_sidesets {
    struct side {
        lamp_signedset *set;
        bool expired;
        int code; /* of a refusal; LAMP_OK: none since */
        char detail[LAMP_SIGNEDSET_DETAIL];
        struct lamp_set_head about;
        bool changed;
        uint64_t status_us;
        bool must_tell; /* capture holds another */
    } v[N_SETS];
    struct lamp_nonce nonce; /* of the answer under way */
    struct side *open;       /* the set it is for; NULL: not one of ours */
};

static struct side *side_of(lamp_sidesets *s, enum lamp_set_kind kind)
{
    for (size_t i = 0; i < N_SETS; i++)
        if (kinds[i] == kind)
            return &s->v[i];
    return NULL;
}

static struct lamp_set_head head_of(const struct side *side, enum lamp_set_kind kind)
{
    return side->expired ? (struct lamp_set_head){ .kind = kind } : lamp_signedset_head(side->set);
}

/* ---- life ---- */

int lamp_sidesets_new(const struct lamp_signedset_cfg *cfg, uint64_t now_us, lamp_sidesets **out)
{
    lamp_sidesets *s = calloc(1, sizeof(*s));
    if (!s)
        return LAMP_ENOMEM;
    for (size_t i = 0; i < N_SETS; i++) {
        struct lamp_signedset_cfg one = *cfg;
        int restore_err;
        one.kind = kinds[i];
        const int err = lamp_signedset_open(&one, now_us, &s->v[i].set, &restore_err);
        if (err) {
            lamp_sidesets_free(s);
            return err;
        }
        s->v[i].code = restore_err;
        s->v[i].changed = lamp_signedset_head(s->v[i].set).serial > 0 || restore_err;
        s->v[i].must_tell = kinds[i] == LAMP_SET_POLICY && s->v[i].changed;
    }
    *out = s;
    return LAMP_OK;
}

lamp_sidesets *lamp_sidesets_free(lamp_sidesets *s)
{
    if (!s)
        return NULL;
    for (size_t i = 0; i < N_SETS; i++)
        lamp_signedset_free(s->v[i].set);
    free(s);
    return NULL;
}

/* ---- what comes ---- */

static bool is_for(const lamp_sidesets *s, const struct lamp_nonce *nonce)
{
    return s->open && memcmp(&s->nonce, nonce, sizeof(*nonce)) == 0;
}

static struct side *addressee(lamp_sidesets *s, const struct lamp_msg *m)
{
    if (m->type == LAMP_MSG_SET_BEGIN) {
        s->open = side_of(s, m->u.set_begin.kind);
        s->nonce = m->u.set_begin.nonce;
        return s->open;
    }
    if (m->type == LAMP_MSG_SET_CHUNK)
        return is_for(s, &m->u.set_chunk.nonce) ? s->open : NULL;
    if (m->type == LAMP_MSG_SET_END)
        return is_for(s, &m->u.set_end.nonce) ? s->open : NULL;
    return NULL;
}

static int feed(struct side *side, const struct lamp_msg *m, uint64_t now_us)
{
    char detail[LAMP_SIGNEDSET_DETAIL];
    int err = lamp_signedset_feed(side->set, m, now_us, detail);
    if (err == LAMP_EAGAIN)
        return LAMP_OK;
    side->changed = true;
    if (err == LAMP_OK || err == LAMP_EEXIST) {
        side->expired = false;
        side->code = lamp_signedset_confirm(side->set);
        side->about = (struct lamp_set_head){ .kind = LAMP_SET_NONE };
        snprintf(side->detail, sizeof(side->detail), "%s",
                 side->code ? "the set in force could not be kept for a restart" : "");
        side->must_tell |= err == LAMP_OK;
        return LAMP_OK;
    }
    side->code = err;
    side->about = lamp_signedset_refused(side->set);
    snprintf(side->detail, sizeof(side->detail), "%s", detail);
    return err;
}

bool lamp_sidesets_take(lamp_sidesets *s, const struct lamp_msg *m, uint64_t now_us, int *out_err)
{
    struct side *side = addressee(s, m);
    if (!side)
        return false;
    *out_err = feed(side, m, now_us);
    return true;
}

void lamp_sidesets_tick(lamp_sidesets *s, uint64_t now_us)
{
    for (size_t i = 0; i < N_SETS; i++) {
        struct side *side = &s->v[i];
        if (side->expired || kinds[i] == LAMP_SET_NEVER ||
            lamp_signedset_head(side->set).serial == 0 ||
            lamp_signedset_expires_us(side->set) > now_us)
            continue;
        side->expired = side->changed = side->must_tell = true;
    }
}

/* ---- what is there ---- */

struct lamp_set_head lamp_sidesets_head(const lamp_sidesets *s, enum lamp_set_kind kind)
{
    const struct side *side = side_of((lamp_sidesets *)(uintptr_t)s, kind);
    return side ? head_of(side, kind) : (struct lamp_set_head){ .kind = kind };
}

const struct lamp_set_entry *lamp_sidesets_entries(const lamp_sidesets *s, enum lamp_set_kind kind,
                                                   size_t *out_n)
{
    const struct side *side = side_of((lamp_sidesets *)(uintptr_t)s, kind);
    *out_n = 0;
    return side && !side->expired ? lamp_signedset_entries(side->set, out_n) : NULL;
}

static enum lamp_set_state state_of(const struct side *side)
{
    if (side->code && side->about.serial > 0)
        return LAMP_SET_REFUSED;
    if (side->expired)
        return LAMP_SET_EXPIRED;
    return lamp_signedset_head(side->set).serial > 0 ? LAMP_SET_CONFIRMED
           : side->code                              ? LAMP_SET_REFUSED
                                                     : LAMP_SET_EMPTY;
}

bool lamp_sidesets_status(lamp_sidesets *s, uint64_t now_us, struct lamp_set_status *out)
{
    for (size_t i = 0; i < N_SETS; i++) {
        struct side *side = &s->v[i];
        const bool again =
            lamp_signedset_head(side->set).serial > 0 &&
            (now_us < side->status_us || now_us - side->status_us >= STATUS_EVERY_US);
        if (!side->changed && !again)
            continue;
        side->changed = false;
        side->status_us = now_us;
        *out = (struct lamp_set_status){
            .head = head_of(side, kinds[i]),
            .state = state_of(side),
            .code = side->code,
            .detail = lamp_bytes_of(side->detail),
            .t_us = now_us,
            .about = side->about,
        };
        out->about.kind = kinds[i];
        return true;
    }
    return false;
}

void lamp_sidesets_repeat(lamp_sidesets *s)
{
    for (size_t i = 0; i < N_SETS; i++)
        s->v[i].changed = true;
}

/* ---- towards capture ---- */

void lamp_sidesets_holds(lamp_sidesets *s, const struct lamp_set_head *head)
{
    struct side *side = side_of(s, head->kind);
    if (!side || head->kind == LAMP_SET_NEVER)
        return;
    const struct lamp_set_head own = head_of(side, head->kind);
    side->must_tell |=
        own.epoch != head->epoch || own.serial != head->serial ||
        (own.serial > 0 && memcmp(own.digest, head->digest, sizeof(own.digest)) != 0);
}

static int tell_empty(enum lamp_set_kind kind, lamp_signedset_msg_fn *fn, void *arg)
{
    struct lamp_msg m = { .type = LAMP_MSG_SET_BEGIN };
    m.u.set_begin = (struct lamp_set_begin){ .kind = kind, .mode = LAMP_SET_FULL };
    const int err = fn(&m, arg);
    m = (struct lamp_msg){ .type = LAMP_MSG_SET_END };
    return err ? err : fn(&m, arg);
}

int lamp_sidesets_tell(lamp_sidesets *s, lamp_signedset_msg_fn *fn, void *arg)
{
    int err = LAMP_OK;
    for (size_t i = 0; i < N_SETS && !err; i++) {
        struct side *side = &s->v[i];
        if (!side->must_tell)
            continue;
        side->must_tell = false;
        if (kinds[i] == LAMP_SET_NEVER)
            continue;
        err = head_of(side, kinds[i]).serial == 0 ? tell_empty(kinds[i], fn, arg)
                                                  : lamp_signedset_tell(side->set, fn, arg);
    }
    return err;
}
