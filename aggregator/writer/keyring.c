/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/writer/keyring.h"

#include "common/fingerprint.h"

#include <stdarg.h>
#include <stdio.h>
#include <zmq.h>

#define SECOND_US UINT64_C(1000000)

enum {
    KEYS_OF_SENSOR = 2,   /* active at a time */
    UNUSED_S = 24 * 3600, /* how long a next key waits for its first session */
    DETAIL = 300,
};

/* What the allow table takes over after the commit. */
struct change {
    struct lamp_allowed key;
    bool remove, lost;
};

struct lamp_keyring {
    lamp_store *store;
    lamp_allow *allow;
    uint64_t overlap_us, due_us;
    struct change *changes;
    size_t n, room;
};

/* ---- keys as they stand ---- */

/* The active keys of a sensor, newest first. */
struct active {
    struct lamp_sensor_key v[KEYS_OF_SENSOR + 1];
    size_t n;
};

static bool keep_active(const struct lamp_sensor_key *k, void *arg)
{
    struct active *a = arg;
    if (k->state == LAMP_KEY_ACTIVE)
        a->v[a->n++] = *k;
    return a->n < ARRAY_LEN(a->v);
}

static int active_keys(lamp_keyring *i, const char *sensor, struct active *out)
{
    *out = (struct active){ .n = 0 };
    return lamp_store_keys(i->store, sensor, keep_active, out);
}

static struct lamp_allowed allowed(const struct lamp_sensor_key *k)
{
    struct lamp_allowed a = { .active = k->state == LAMP_KEY_ACTIVE };
    memcpy(a.key, k->key, sizeof(a.key));
    memcpy(a.site, k->site, sizeof(a.site));
    memcpy(a.id, k->sensor, sizeof(a.id));
    return a;
}

struct load {
    lamp_allow *allow;
    int err;
};

static bool load_key(const struct lamp_sensor_key *k, void *arg)
{
    struct load *l = arg;
    const struct lamp_allowed a = allowed(k);
    l->err = lamp_allow_put(l->allow, &a);
    return l->err == LAMP_OK;
}

int lamp_keyring_load(lamp_store *s, lamp_allow *allow)
{
    struct load l = { .allow = allow };
    const int err = lamp_store_keys(s, NULL, load_key, &l);
    return err ? err : l.err;
}

static bool note_due(const struct lamp_sensor_key *k, void *arg)
{
    lamp_keyring *i = arg;
    if (k->state == LAMP_KEY_ACTIVE && k->expires_us && k->expires_us < i->due_us)
        i->due_us = k->expires_us;
    return true;
}

static int find_due(lamp_keyring *i)
{
    i->due_us = UINT64_MAX;
    return lamp_store_keys(i->store, NULL, note_due, i);
}

int lamp_keyring_new(lamp_store *s, lamp_allow *allow, uint32_t overlap_s, lamp_keyring **out)
{
    lamp_keyring *i = calloc(1, sizeof(*i));
    if (!i)
        return LAMP_ENOMEM;
    *i = (lamp_keyring){ .store = s, .allow = allow, .overlap_us = overlap_s * SECOND_US };
    const int err = find_due(i);
    if (err != LAMP_OK) {
        lamp_keyring_free(i);
        return err;
    }
    *out = i;
    return LAMP_OK;
}

lamp_keyring *lamp_keyring_free(lamp_keyring *i)
{
    if (i)
        free(i->changes);
    free(i);
    return NULL;
}

/* ---- changes ---- */

static int stage(lamp_keyring *i, const struct change *c)
{
    if (i->n == i->room) {
        struct change *v = realloc(i->changes, (i->room + 16) * sizeof(*v));
        if (!v)
            return LAMP_ENOMEM;
        i->changes = v;
        i->room += 16;
    }
    i->changes[i->n++] = *c;
    return LAMP_OK;
}

static int save(lamp_keyring *i, struct lamp_sensor_key *k)
{
    const int err = lamp_store_key_save(i->store, k);
    if (err != LAMP_OK)
        return err;
    if (k->state == LAMP_KEY_ACTIVE && k->expires_us && k->expires_us < i->due_us)
        i->due_us = k->expires_us;
    return stage(i, &(struct change){ .key = allowed(k), .lost = k->state != LAMP_KEY_ACTIVE });
}

__attribute__((format(printf, 6, 7))) static int audit(lamp_keyring *i, uint64_t now_us,
                                                       const char *actor, const char *action,
                                                       const char *object, const char *fmt, ...)
{
    char detail[DETAIL];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(detail, sizeof(detail), fmt, ap);
    va_end(ap);
    return lamp_store_audit(i->store, actor, action, object, detail, now_us);
}

static int audit_key(lamp_keyring *i, uint64_t now_us, const char *actor, const char *action,
                     const struct lamp_sensor_key *k)
{
    char print[LAMP_FINGERPRINT];
    return audit(i, now_us, actor, action, k->sensor, "site %s, key %s", k->site,
                 lamp_fingerprint_z85(k->key, print));
}

static int end_key(lamp_keyring *i, struct lamp_sensor_key *k, enum lamp_sensor_key_state state,
                   const char *by, uint64_t now_us)
{
    k->state = state;
    k->ended_us = now_us;
    k->expires_us = k->replace_us = 0;
    snprintf(k->ended_by, sizeof(k->ended_by), "%s", by);
    const int err = save(i, k);
    return err ? err
               : audit_key(i, now_us, by, state == LAMP_KEY_REVOKED ? "key.revoke" : "key.retire",
                           k);
}

/* Says what is wrong with a command; nothing of it was done. */
__attribute__((format(printf, 3, 4))) static int refuse(struct lamp_command_result *r, int err,
                                                        const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(r->why, sizeof(r->why), fmt, ap);
    va_end(ap);
    return err;
}

/* ---- letting a key in ---- */

/* Who a key is let in as, and by whom. */
struct admission {
    const char *key, *sensor, *site;
    char by[65];
    const char *action;
    bool may_join; /* the sensor may have another key already */
};

/* Makes the key active, beside at most one other of its sensor. `k` is its row, or a new one. */
static int activate(lamp_keyring *i, struct lamp_sensor_key *k, struct active *others,
                    const struct admission *a, uint64_t now_us)
{
    int err = LAMP_OK;
    for (size_t n = KEYS_OF_SENSOR - 1; n < others->n && err == LAMP_OK; n++)
        err = end_key(i, &others->v[n], LAMP_KEY_RETIRED, a->by, now_us);
    *k = (struct lamp_sensor_key){ .id = k->id, .state = LAMP_KEY_ACTIVE, .added_us = now_us };
    snprintf(k->key, sizeof(k->key), "%s", a->key);
    snprintf(k->sensor, sizeof(k->sensor), "%s", a->sensor);
    snprintf(k->site, sizeof(k->site), "%s", a->site);
    snprintf(k->added_by, sizeof(k->added_by), "%s", a->by);
    if (err == LAMP_OK)
        err = save(i, k);
    if (err == LAMP_OK && others->n == 0)
        err = lamp_store_enroll(i->store, a->sensor, a->site, now_us);
    return err ? err : audit_key(i, now_us, a->by, a->action, k);
}

static void tell(struct lamp_command_result *r, const struct lamp_sensor_key *k)
{
    r->key_id = k->id;
    memcpy(r->site, k->site, sizeof(r->site));
    memcpy(r->name, k->sensor, sizeof(r->name));
}

static int admit(lamp_keyring *i, const struct admission *a, uint64_t now_us,
                 struct lamp_command_result *r)
{
    struct lamp_sensor_key k = { 0 };
    struct active others;
    uint8_t raw[LAMP_KEY_BYTES];
    if (lamp_z85_key(a->key, raw) != LAMP_OK)
        return refuse(r, LAMP_EINVAL, "This is not the key of a sensor.");
    if (!lamp_allow_is_name(a->site))
        return refuse(r, LAMP_ESITE, "A site may have letters, digits, '.', '_', '-', at most 64.");
    if (!lamp_allow_is_name(a->sensor))
        return refuse(r, LAMP_EINVAL,
                      "A sensor's name may have letters, digits, '.', '_', '-', at most 64.");
    int err = lamp_store_key_find(i->store, a->key, 0, &k);
    if (err == LAMP_OK && k.state == LAMP_KEY_ACTIVE) {
        tell(r, &k);
        if (streq(k.sensor, a->sensor) && streq(k.site, a->site))
            return LAMP_OK;
        return refuse(r, LAMP_EEXIST, "This key belongs to sensor %s of site %s.", k.sensor,
                      k.site);
    }
    if (err == LAMP_OK && k.state != LAMP_KEY_REJECTED)
        return refuse(r, LAMP_EREJECTED,
                      "This key was %s and is not let in again: make a new one on the sensor.",
                      lamp_key_state_name(k.state));
    if (err == LAMP_ENOENT && lamp_allow_count(i->allow) + i->n >= LAMP_ALLOW_MAX)
        return refuse(r, LAMP_EFULL, "There are %d keys already.", LAMP_ALLOW_MAX);
    if (err == LAMP_OK || err == LAMP_ENOENT)
        err = active_keys(i, a->sensor, &others);
    if (err != LAMP_OK)
        return err;
    if (others.n > 0 && !streq(others.v[0].site, a->site))
        return refuse(
            r, LAMP_ESITE,
            "Sensor %s belongs to site %s: revoke it there first, or choose another name.",
            a->sensor, others.v[0].site);
    if (others.n > 0 && !a->may_join)
        return refuse(
            r, LAMP_EEXIST,
            "There is a sensor %s already: make a token for that name, or choose another.",
            a->sensor);
    err = activate(i, &k, &others, a, now_us);
    tell(r, &k);
    return err;
}

static int on_admit(lamp_keyring *i, const struct lamp_command *c, uint64_t now_us,
                    struct lamp_command_result *r)
{
    struct admission a = { c->key, c->name, c->site, "", "key.admit", true };
    snprintf(a.by, sizeof(a.by), "%s", c->actor);
    return admit(i, &a, now_us, r);
}

static int on_enroll(lamp_keyring *i, const struct lamp_command *c, uint64_t now_us,
                     struct lamp_command_result *r)
{
    struct lamp_enroll_token t;
    struct lamp_sensor_key known;
    int err = lamp_store_key_find(i->store, c->key, 0, &known);
    if (err == LAMP_OK && known.state == LAMP_KEY_ACTIVE) {
        tell(r, &known);
        return LAMP_OK;
    }
    if (err == LAMP_OK && known.state != LAMP_KEY_REJECTED)
        return refuse(r, LAMP_EREJECTED, "The key was %s.", lamp_key_state_name(known.state));
    if (err != LAMP_OK && err != LAMP_ENOENT)
        return err;
    err = lamp_store_token_find(i->store, c->digest, &t);
    if (err == LAMP_ENOENT)
        return refuse(r, LAMP_EAUTH, "The token is not known.");
    if (err != LAMP_OK)
        return err;
    if (t.used_us)
        return refuse(r, LAMP_EAUTH, "The token is used up.");
    if (t.expires_us <= now_us)
        return refuse(r, LAMP_EEXPIRED, "The token is too old.");
    struct admission a = { c->key, *t.name ? t.name : c->name, t.site, "", "key.enroll", *t.name };
    snprintf(a.by, sizeof(a.by), "token %lld", (long long)t.id);
    err = admit(i, &a, now_us, r);
    return err ? err : lamp_store_token_use(i->store, t.id, now_us);
}

static int on_token(lamp_keyring *i, const struct lamp_command *c, uint64_t now_us,
                    struct lamp_command_result *r)
{
    struct lamp_enroll_token t = { .created_us = now_us,
                                   .expires_us = now_us + c->ttl_s * SECOND_US };
    struct active others = { .n = 0 };
    if (!lamp_allow_is_name(c->site))
        return refuse(r, LAMP_ESITE, "A site may have letters, digits, '.', '_', '-', at most 64.");
    if (*c->name && !lamp_allow_is_name(c->name))
        return refuse(r, LAMP_EINVAL,
                      "A sensor's name may have letters, digits, '.', '_', '-', at most 64.");
    int err = *c->name ? active_keys(i, c->name, &others) : LAMP_OK;
    if (err == LAMP_OK && others.n > 0 && !streq(others.v[0].site, c->site))
        return refuse(r, LAMP_ESITE, "Sensor %s belongs to site %s.", c->name, others.v[0].site);
    memcpy(t.digest, c->digest, sizeof(t.digest));
    snprintf(t.site, sizeof(t.site), "%s", c->site);
    snprintf(t.name, sizeof(t.name), "%.64s", c->name);
    snprintf(t.created_by, sizeof(t.created_by), "%s", c->actor);
    if (err == LAMP_OK)
        err = lamp_store_token_add(i->store, &t);
    if (err == LAMP_OK)
        err = audit(i, now_us, c->actor, "token.create", *t.name ? t.name : "any name",
                    "site %s, token %lld, valid for %u s", t.site, (long long)t.id, c->ttl_s);
    r->key_id = t.id;
    r->expires_us = t.expires_us;
    memcpy(r->site, t.site, sizeof(r->site));
    memcpy(r->name, t.name, sizeof(r->name));
    return err;
}

/* ---- keeping a key out ---- */

static int on_reject(lamp_keyring *i, const struct lamp_command *c, uint64_t now_us,
                     struct lamp_command_result *r)
{
    struct lamp_sensor_key k = { 0 };
    char print[LAMP_FINGERPRINT];
    int err = lamp_store_key_find(i->store, c->key, 0, &k);
    if (err == LAMP_OK && k.state == LAMP_KEY_ACTIVE)
        return refuse(r, LAMP_EEXIST, "This key was let in meanwhile: revoke it.");
    if (err != LAMP_ENOENT)
        return err; /* it is refused already */
    if (lamp_allow_count(i->allow) + i->n >= LAMP_ALLOW_MAX)
        return refuse(r, LAMP_EFULL, "There are %d keys already.", LAMP_ALLOW_MAX);
    k.state = LAMP_KEY_REJECTED;
    k.added_us = k.ended_us = now_us;
    snprintf(k.key, sizeof(k.key), "%s", c->key);
    snprintf(k.ended_by, sizeof(k.ended_by), "%s", c->actor);
    err = save(i, &k);
    r->key_id = k.id;
    return err ? err
               : audit(i, now_us, c->actor, "key.reject", "", "key %s",
                       lamp_fingerprint_z85(c->key, print));
}

static int on_revoke(lamp_keyring *i, const struct lamp_command *c, uint64_t now_us,
                     struct lamp_command_result *r)
{
    struct lamp_sensor_key k;
    struct active left;
    int err = lamp_store_key_find(i->store, NULL, c->key_id, &k);
    if (err == LAMP_ENOENT || (err == LAMP_OK && k.state != LAMP_KEY_ACTIVE))
        return refuse(r, LAMP_ENOENT, "No active key has this number.");
    if (err == LAMP_OK)
        err = end_key(i, &k, LAMP_KEY_REVOKED, c->actor, now_us);
    if (err == LAMP_OK)
        err = active_keys(i, k.sensor, &left);
    if (err == LAMP_OK && left.n == 0)
        err = lamp_store_unenroll(i->store, k.sensor);
    tell(r, &k);
    return err;
}

/* ---- rotation ---- */

static int on_rotate(lamp_keyring *i, const struct lamp_command *c, uint64_t now_us,
                     struct lamp_command_result *r)
{
    struct lamp_sensor_key k;
    int err = lamp_store_key_find(i->store, NULL, c->key_id, &k);
    if (err == LAMP_ENOENT || (err == LAMP_OK && k.state != LAMP_KEY_ACTIVE))
        return refuse(r, LAMP_ENOENT, "No active key has this number.");
    if (err == LAMP_OK && k.expires_us)
        return refuse(r, LAMP_EEXIST, "This key is being replaced already.");
    if (err == LAMP_OK) {
        k.replace_us = now_us;
        err = save(i, &k);
    }
    tell(r, &k);
    return err ? err : audit_key(i, now_us, c->actor, "key.rotate", &k);
}

int lamp_keyring_used(lamp_keyring *i, const char *key, uint64_t now_us, bool *out_replace)
{
    struct lamp_sensor_key k;
    struct active keys;
    int err = lamp_store_key_find(i->store, key, 0, &k);
    *out_replace = err == LAMP_OK && k.replace_us && !k.expires_us;
    if (err == LAMP_ENOENT || (err == LAMP_OK && (k.used_us || k.state != LAMP_KEY_ACTIVE)))
        return LAMP_OK;
    if (err == LAMP_OK) {
        k.used_us = now_us;
        k.expires_us = 0; /* it was proven in time */
        err = save(i, &k);
    }
    if (err == LAMP_OK)
        err = active_keys(i, k.sensor, &keys);
    for (size_t n = 0; err == LAMP_OK && n < keys.n; n++) {
        if (keys.v[n].id == k.id)
            continue;
        keys.v[n].expires_us = now_us + i->overlap_us;
        keys.v[n].replace_us = 0;
        err = save(i, &keys.v[n]);
    }
    return err;
}

/* Puts the next key beside the one in use, in the place of a next key that was never used. */
static int put_next(lamp_keyring *i, const struct lamp_sensor_key *now_in_use, const char *next,
                    uint64_t now_us)
{
    struct active keys;
    int err = active_keys(i, now_in_use->sensor, &keys);
    struct lamp_sensor_key k = { .state = LAMP_KEY_ACTIVE, .added_by = "rotation" };
    for (size_t n = 0; err == LAMP_OK && n < keys.n; n++) {
        struct lamp_sensor_key *other = &keys.v[n];
        if (other->id == now_in_use->id)
            continue;
        if (other->used_us) {
            err = end_key(i, other, LAMP_KEY_RETIRED, "rotation", now_us);
        } else if (k.id == 0) {
            k.id = other->id;
            err = stage(i, &(struct change){ .key = allowed(other), .remove = true });
        }
    }
    if (err == LAMP_OK && k.id == 0 && lamp_allow_count(i->allow) + i->n >= LAMP_ALLOW_MAX)
        return LAMP_EFULL;
    memcpy(k.sensor, now_in_use->sensor, sizeof(k.sensor));
    memcpy(k.site, now_in_use->site, sizeof(k.site));
    snprintf(k.key, sizeof(k.key), "%s", next);
    k.added_us = now_us;
    k.expires_us = now_us + UNUSED_S * SECOND_US;
    if (err == LAMP_OK)
        err = save(i, &k);
    return err ? err : audit_key(i, now_us, k.sensor, "key.next", &k);
}

/* A sensor may take a new key when an operator asks for it, and by itself once its key has served
 * for the time of an overlap, so that a hostile one cannot fill the table. */
int lamp_keyring_next(lamp_keyring *i, const char *key, const uint8_t next[LAMP_WIRE_KEY_LEN],
                      uint64_t now_us, enum lamp_key_order *out_order)
{
    struct lamp_sensor_key k, other;
    char text[LAMP_KEY_Z85];
    *out_order = LAMP_KEY_ORDER_REFUSED;
    if (!zmq_z85_encode(text, next, LAMP_WIRE_KEY_LEN))
        return LAMP_OK;
    int err = lamp_store_key_find(i->store, key, 0, &k);
    if (err != LAMP_OK)
        return err == LAMP_ENOENT ? LAMP_OK : err;
    err = lamp_store_key_find(i->store, text, 0, &other);
    if (err == LAMP_OK) {
        if (other.state == LAMP_KEY_ACTIVE && streq(other.sensor, k.sensor))
            *out_order = LAMP_KEY_ORDER_ACCEPTED;
        return LAMP_OK;
    }
    if (err != LAMP_ENOENT)
        return err;
    const bool due = k.replace_us || now_us >= k.added_us + i->overlap_us;
    if (k.state != LAMP_KEY_ACTIVE || k.expires_us || !due)
        return LAMP_OK;
    err = put_next(i, &k, text, now_us);
    if (err == LAMP_OK)
        *out_order = LAMP_KEY_ORDER_ACCEPTED;
    return err == LAMP_EFULL ? LAMP_OK : err;
}

/* ---- the aggregator's own key ---- */

static bool find_server(const struct lamp_audit_view *a, void *arg)
{
    if (!streq(a->action, "server.key"))
        return true;
    snprintf(arg, LAMP_FINGERPRINT, "%s", a->object);
    return false;
}

int lamp_keyring_note_server(lamp_keyring *i, const char *key, uint64_t now_us)
{
    char last[LAMP_FINGERPRINT] = "", print[LAMP_FINGERPRINT];
    const int err = lamp_store_audits(i->store, UINT32_MAX, find_server, last);
    if (err != LAMP_OK || streq(last, lamp_fingerprint_z85(key, print)))
        return err;
    return audit(i, now_us, "aggregator", "server.key", print, "in use, before: %s",
                 *last ? last : "none");
}

static int on_announce(lamp_keyring *i, const struct lamp_command *c, uint64_t now_us)
{
    char print[LAMP_FINGERPRINT];
    return audit(i, now_us, c->actor, "server.next",
                 lamp_fingerprint(c->server_key.public_key, print), "serial %llu",
                 (unsigned long long)c->server_key.serial);
}

/* ---- time ---- */

uint64_t lamp_keyring_due_us(const lamp_keyring *i)
{
    return i->due_us;
}

struct due {
    uint64_t now_us;
    struct lamp_sensor_key v[64];
    size_t n;
};

static bool keep_due(const struct lamp_sensor_key *k, void *arg)
{
    struct due *d = arg;
    if (k->state == LAMP_KEY_ACTIVE && k->expires_us && k->expires_us <= d->now_us)
        d->v[d->n++] = *k;
    return d->n < ARRAY_LEN(d->v);
}

int lamp_keyring_expire(lamp_keyring *i, uint64_t now_us)
{
    struct due *d = calloc(1, sizeof(*d));
    if (!d)
        return LAMP_ENOMEM;
    d->now_us = now_us;
    int err = lamp_store_keys(i->store, NULL, keep_due, d);
    for (size_t n = 0; err == LAMP_OK && n < d->n; n++)
        err = end_key(i, &d->v[n], LAMP_KEY_RETIRED, "expired", now_us);
    free(d);
    return err ? err : find_due(i);
}

/* ---- after the transaction ---- */

void lamp_keyring_committed(lamp_keyring *i, lamp_keyring_lost_fn *fn, void *arg)
{
    size_t left = 0;
    for (size_t n = 0; n < i->n; n++) {
        const struct change *c = &i->changes[n];
        if (c->remove)
            lamp_allow_remove(i->allow, c->key.key);
        else if (lamp_allow_put(i->allow, &c->key) != LAMP_OK)
            i->changes[left++] = *c; /* no memory for a new key: again after the next commit */
        if (c->lost && c->key.id[0])
            fn(c->key.id, arg);
    }
    i->n = left;
}

void lamp_keyring_dropped(lamp_keyring *i)
{
    i->n = 0;
    if (find_due(i) != LAMP_OK)
        i->due_us = 0; /* ask again at once: the store says what is wrong */
}

int lamp_keyring_command(lamp_keyring *i, const struct lamp_command *c, uint64_t now_us,
                         struct lamp_command_result *r)
{
    switch (c->kind) {
    case LAMP_CMD_TOKEN:
        return on_token(i, c, now_us, r);
    case LAMP_CMD_ENROLL:
        return on_enroll(i, c, now_us, r);
    case LAMP_CMD_ADMIT:
        return on_admit(i, c, now_us, r);
    case LAMP_CMD_REJECT:
        return on_reject(i, c, now_us, r);
    case LAMP_CMD_REVOKE:
        return on_revoke(i, c, now_us, r);
    case LAMP_CMD_ROTATE:
        return on_rotate(i, c, now_us, r);
    case LAMP_CMD_ANNOUNCE:
        return on_announce(i, c, now_us);
    default:
        return LAMP_EINVAL;
    }
}
