/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enforce/enforce.h"

#include "common/io.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

enum {
    SECOND_US = 1000 * 1000,
    READ_EVERY_US = 10 * SECOND_US, /* counters, never list, reconciliation */
    STATUS_EVERY_US = 300 * SECOND_US,
    UNPROVED_AGE_TTL_S = 600, /* a restored list whose age the clock denies */
    HITS_MAX = 1024,
    REFUSED_MAX = 1024,
};

struct lamp_enforce {
    struct lamp_enforce_cfg cfg;
    char off_flag[PATH_MAX];
    lamp_blockset *set;

    struct lamp_never never;
    struct lamp_addr aggregator;
    bool has_aggregator;

    /* What is in the kernel: entries in canonical order, their counters, and what the same
     * ids had counted in tables before this one. */
    struct lamp_set_entry *entries;
    struct lamp_set_hits *hits, *before;
    size_t n;
    uint64_t refused_ids[REFUSED_MAX];
    size_t n_refused;

    enum lamp_set_state state;
    int code;
    char detail[LAMP_NFT_WHY];
    bool off, in_kernel, changed;
    uint64_t read_us, status_us;
    struct lamp_set_hits report[HITS_MAX];
};

static bool elapsed(uint64_t now_us, uint64_t since_us, uint64_t span_us)
{
    return since_us == 0 || now_us < since_us || now_us - since_us >= span_us;
}

static void set_state(lamp_enforce *e, enum lamp_set_state state, int code, const char *detail)
{
    e->state = state;
    e->code = code;
    e->changed = true;
    snprintf(e->detail, sizeof(e->detail), "%s", detail);
}

/* ---- what must never be blocked ---- */

/* Builds the never list anew; true if it differs from the one in use. */
static bool refresh_never(lamp_enforce *e)
{
    struct lamp_never fresh = { .n = 0 };
    lamp_never_add_fixed(&fresh);
    for (size_t i = 0; i < e->cfg.n_never; i++)
        lamp_never_add(&fresh, &e->cfg.never[i], "enforce.never");
    if (e->has_aggregator)
        lamp_never_add_addr(&fresh, &e->aggregator, "aggregator");
    (void)lamp_never_add_machine(&fresh,
                                 e->cfg.root); /* a part that cannot be read protects nothing */
    if (lamp_never_same(&fresh, &e->never))
        return false;
    e->never = fresh;
    return true;
}

/* ---- the plan ---- */

static void refuse(lamp_enforce *e, uint64_t id)
{
    if (e->n_refused < REFUSED_MAX)
        e->refused_ids[e->n_refused++] = id;
}

/* Seconds an entry accepted at accepted_us still holds; 0: over. */
static uint32_t time_left_s(const lamp_enforce *e, uint32_t ttl_s, uint64_t now_us)
{
    const uint64_t expires_us = lamp_blockset_expires_us(e->set);
    const uint64_t accepted_us = lamp_blockset_accepted_us(e->set);
    uint64_t until_us = expires_us;
    if (ttl_s > 0 && accepted_us + (uint64_t)ttl_s * SECOND_US < until_us)
        until_us = accepted_us + (uint64_t)ttl_s * SECOND_US;
    if (until_us <= now_us)
        return 0;
    const uint64_t left_s = (until_us - now_us + SECOND_US - 1) / SECOND_US;
    if (now_us + SECOND_US < accepted_us && left_s > UNPROVED_AGE_TTL_S)
        return UNPROVED_AGE_TTL_S;
    return left_s > UINT32_MAX ? UINT32_MAX : (uint32_t)left_s;
}

static int by_id(const void *a, const void *b)
{
    const struct lamp_set_hits *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Carries the counts of entries that stay over to the new table, whose counters start at 0. */
static void carry_hits(const lamp_enforce *e, const struct lamp_set_entry *entries, size_t n,
                       struct lamp_set_hits *before)
{
    struct lamp_set_hits *old = calloc(e->n + 1, sizeof(*old));
    if (!old)
        return; /* the counts start anew: better than no block */
    for (size_t i = 0; i < e->n; i++)
        old[i] =
            (struct lamp_set_hits){ e->entries[i].id, e->before[i].packets + e->hits[i].packets,
                                    e->before[i].bytes + e->hits[i].bytes };
    qsort(old, e->n, sizeof(*old), by_id);
    for (size_t i = 0; i < n; i++) {
        const struct lamp_set_hits key = { .id = entries[i].id };
        const struct lamp_set_hits *found = bsearch(&key, old, e->n, sizeof(*old), by_id);
        if (found)
            before[i] = *found;
    }
    free(old);
}

/* The entries of the accepted list that may go into the kernel now, into e->entries. */
static int plan_entries(lamp_enforce *e, uint64_t now_us)
{
    size_t n_all, n = 0;
    const struct lamp_set_entry *all = lamp_blockset_entries(e->set, &n_all);
    struct lamp_set_entry *entries = calloc(n_all + 1, sizeof(*entries));
    struct lamp_set_hits *hits = calloc(n_all + 1, sizeof(*hits));
    struct lamp_set_hits *before = calloc(n_all + 1, sizeof(*before));
    if (!entries || !hits || !before) {
        free(entries);
        free(hits);
        free(before);
        return LAMP_ENOMEM;
    }
    e->n_refused = 0;
    e->code = LAMP_OK;
    e->detail[0] = '\0';
    for (size_t i = 0; i < n_all; i++) {
        const uint32_t left_s = time_left_s(e, all[i].ttl_s, now_us);
        if (left_s == 0)
            continue;
        if (all[i].name.len > 0) {
            refuse(e, all[i].id);
            if (!e->code) {
                e->code = LAMP_EUNSUPPORTED;
                snprintf(e->detail, sizeof(e->detail), "blocks by name are not supported");
            }
            continue;
        }
        const struct lamp_never_entry *never = lamp_never_hit(&e->never, &all[i].prefix);
        if (never) {
            refuse(e, all[i].id);
            if (e->code != LAMP_EPROTECTED) {
                char text[LAMP_PREFIX_STRLEN];
                snprintf(e->detail, sizeof(e->detail), "%s is protected here: %s",
                         lamp_prefix_str(&all[i].prefix, text), never->reason);
                e->code = LAMP_EPROTECTED;
            }
            continue;
        }
        entries[n] = all[i];
        entries[n++].ttl_s = left_s;
    }
    carry_hits(e, entries, n, before);
    free(e->entries);
    free(e->hits);
    free(e->before);
    e->entries = entries;
    e->hits = hits;
    e->before = before;
    e->n = n;
    return LAMP_OK;
}

static int run_plan(lamp_enforce *e, enum lamp_enforce_mode mode, char why[LAMP_NFT_WHY])
{
    const struct lamp_nft_plan plan = { mode, e->cfg.priority, &e->never, e->entries, e->n };
    char *text;
    int err = lamp_nft_render(&plan, &text);
    if (err) {
        snprintf(why, LAMP_NFT_WHY, "%s", lamp_strerror(err));
        return err;
    }
    err = e->cfg.backend.apply(e->cfg.backend.arg, text, why);
    free(text);
    return err;
}

static void read_hits(lamp_enforce *e)
{
    char *json;
    const int err = e->cfg.backend.list(e->cfg.backend.arg, &json);
    if (err) {
        e->in_kernel = false;
        return;
    }
    struct lamp_set_hits *fresh = calloc(e->n + 1, sizeof(*fresh));
    if (fresh && lamp_nft_parse_hits(json, e->entries, e->n, fresh) == LAMP_OK) {
        for (size_t i = 0; i < e->n; i++) {
            /* An element whose time is over is gone, its count stays. */
            if (fresh[i].packets <= e->hits[i].packets)
                continue;
            e->hits[i] = fresh[i];
            e->changed = true;
        }
    }
    free(fresh);
    free(json);
}

/* Brings the kernel in line with the accepted list. */
static int apply(lamp_enforce *e, uint64_t now_us)
{
    if (e->in_kernel)
        read_hits(e);
    const enum lamp_enforce_mode mode = e->off ? LAMP_ENFORCE_OFF : e->cfg.mode;
    char why[LAMP_NFT_WHY] = "";
    int err = plan_entries(e, now_us);
    if (err)
        return err;
    const int code = e->code;
    char detail[LAMP_NFT_WHY];
    memcpy(detail, e->detail, sizeof(detail));
    err = run_plan(e, mode, why);
    if (err) {
        e->in_kernel = false;
        set_state(e, LAMP_SET_REFUSED, err, why);
        return err;
    }
    e->in_kernel = mode != LAMP_ENFORCE_OFF;
    if (mode == LAMP_ENFORCE_OFF)
        set_state(e, LAMP_SET_OFF, LAMP_OK, e->off ? "panic on this router" : "");
    else if (lamp_blockset_head(e->set).serial == 0)
        set_state(e, LAMP_SET_EMPTY, LAMP_OK, "");
    else if (lamp_blockset_expires_us(e->set) <= now_us)
        set_state(e, LAMP_SET_EXPIRED, LAMP_EEXPIRED, "nobody renewed the list");
    else
        set_state(e, LAMP_SET_APPLIED, code, detail);
    return LAMP_OK;
}

/* ---- life ---- */

int lamp_enforce_new(const struct lamp_enforce_cfg *cfg, uint64_t now_us, lamp_enforce **out)
{
    lamp_enforce *e = calloc(1, sizeof(*e));
    if (!e)
        return LAMP_ENOMEM;
    e->cfg = *cfg;
    snprintf(e->off_flag, sizeof(e->off_flag), "%s/%s", cfg->set.dir, LAMP_ENFORCE_OFF_FLAG);
    int restore_err;
    int err = lamp_blockset_open(&cfg->set, now_us, &e->set, &restore_err);
    if (err)
        goto fail;
    e->off = access(e->off_flag, F_OK) == 0;
    (void)refresh_never(e);
    err = apply(e, now_us);
    if (err == LAMP_ENOMEM)
        goto fail;
    if (!err && restore_err && !e->off && e->cfg.mode != LAMP_ENFORCE_OFF)
        set_state(e, restore_err == LAMP_EEXPIRED ? LAMP_SET_EXPIRED : LAMP_SET_EMPTY, restore_err,
                  "the list kept from before the restart cannot be used");
    *out = e;
    return LAMP_OK;
fail:
    lamp_enforce_free(e);
    return err;
}

lamp_enforce *lamp_enforce_free(lamp_enforce *e)
{
    if (!e)
        return NULL;
    lamp_blockset_free(e->set);
    free(e->entries);
    free(e->hits);
    free(e->before);
    free(e);
    return NULL;
}

static int on_set(lamp_enforce *e, struct lamp_bytes packed, const struct lamp_msg *m,
                  uint64_t now_us)
{
    char detail[LAMP_BLOCKSET_DETAIL];
    const int err = lamp_blockset_feed(e->set, packed, m, now_us, detail);
    if (err == LAMP_EAGAIN)
        return LAMP_OK;
    if (err == LAMP_EEXIST) {
        e->changed = true; /* somebody asked: say again what is in force */
        return e->state == LAMP_SET_REFUSED ? apply(e, now_us) : LAMP_OK;
    }
    if (err) {
        set_state(e, LAMP_SET_REFUSED, err, detail);
        return err;
    }
    (void)refresh_never(e);
    return apply(e, now_us);
}

static int on_local_state(lamp_enforce *e, const struct lamp_local_state *s, uint64_t now_us)
{
    e->changed |= s->session_up; /* a new session: the aggregator may not know what is in force */
    if (!s->has_addr)
        return LAMP_OK;
    e->aggregator = s->aggregator_addr;
    e->has_aggregator = true;
    return refresh_never(e) ? apply(e, now_us) : LAMP_OK;
}

int lamp_enforce_message(lamp_enforce *e, struct lamp_bytes packed, uint64_t now_us)
{
    struct lamp_msg *m;
    int err = lamp_msg_unpack(packed.data, packed.len, &m);
    if (err)
        return err;
    switch (m->type) {
    case LAMP_MSG_SET_BEGIN:
    case LAMP_MSG_SET_CHUNK:
    case LAMP_MSG_SET_END:
        err = on_set(e, packed, m, now_us);
        break;
    case LAMP_MSG_LOCAL_STATE:
        err = on_local_state(e, &m->u.local_state, now_us);
        break;
    default:
        err = LAMP_OK;
    }
    lamp_msg_free(m);
    return err;
}

void lamp_enforce_tick(lamp_enforce *e, uint64_t now_us)
{
    const bool off = access(e->off_flag, F_OK) == 0;
    bool again = off != e->off;
    e->off = off;
    const bool over = lamp_blockset_expires_us(e->set) <= now_us;
    if ((e->state == LAMP_SET_APPLIED && over) || (e->state == LAMP_SET_EXPIRED && !over))
        again = true; /* the second where the clock was set back */
    if (elapsed(now_us, e->read_us, READ_EVERY_US)) {
        e->read_us = now_us;
        again |= refresh_never(e);
        if (!e->off && e->cfg.mode != LAMP_ENFORCE_OFF) {
            read_hits(e);
            again |= !e->in_kernel; /* removed by somebody, or refused before */
        }
    }
    if (again)
        (void)apply(e, now_us); /* the state says it; next try in 10 s */
}

/* The entries that were hit, at most HITS_MAX. */
static size_t collect_hits(lamp_enforce *e)
{
    size_t n = 0;
    for (size_t i = 0; i < e->n && n < HITS_MAX; i++) {
        const uint64_t packets = e->before[i].packets + e->hits[i].packets;
        if (packets > 0)
            e->report[n++] = (struct lamp_set_hits){ e->entries[i].id, packets,
                                                     e->before[i].bytes + e->hits[i].bytes };
    }
    return n;
}

bool lamp_enforce_status(lamp_enforce *e, uint64_t now_us, struct lamp_set_status *out)
{
    if (!e->changed && !elapsed(now_us, e->status_us, STATUS_EVERY_US))
        return false;
    e->changed = false;
    e->status_us = now_us;
    *out = (struct lamp_set_status){
        .head = lamp_blockset_head(e->set),
        .state = e->state,
        .code = e->code,
        .detail = lamp_bytes_of(e->detail),
        .hits = e->report,
        .n_hits = collect_hits(e),
        .refused_ids = e->refused_ids,
        .n_refused_ids = e->n_refused,
        .mode = e->off ? LAMP_ENFORCE_OFF : e->cfg.mode,
        .t_us = now_us,
    };
    return true;
}

struct lamp_set_head lamp_enforce_head(const lamp_enforce *e)
{
    return lamp_blockset_head(e->set);
}

/* ---- panic ---- */

static int flag_path(const char *state_dir, char path[PATH_MAX])
{
    const int n =
        snprintf(path, PATH_MAX, "%s/" LAMP_ENFORCE_DIR "/" LAMP_ENFORCE_OFF_FLAG, state_dir);
    return n >= PATH_MAX ? -ENAMETOOLONG : LAMP_OK;
}

int lamp_enforce_panic(const char *state_dir, char why[LAMP_NFT_WHY])
{
    /* The table first: whatever happens to the flag, traffic flows again at once. */
    const struct lamp_nft_plan plan = { .mode = LAMP_ENFORCE_OFF };
    struct lamp_nft_backend kernel;
    char *text = NULL;
    int err = lamp_nft_open(&kernel);
    if (err)
        return err;
    err = lamp_nft_render(&plan, &text);
    if (!err)
        err = kernel.apply(kernel.arg, text, why);
    free(text);
    lamp_nft_close(&kernel);

    char path[PATH_MAX];
    int flag_err = flag_path(state_dir, path);
    if (!flag_err) {
        char *slash = strrchr(path, '/');
        *slash = '\0';
        flag_err = lamp_io_mkdirs(path, 0755);
        *slash = '/';
    }
    if (!flag_err)
        flag_err = lamp_io_replace_file(path, "panic\n", 6, 0644);
    return err ? err : flag_err;
}

int lamp_enforce_resume(const char *state_dir)
{
    char path[PATH_MAX];
    const int err = flag_path(state_dir, path);
    if (err)
        return err;
    return unlink(path) < 0 && errno != ENOENT ? -errno : LAMP_OK;
}
