/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/writer/accounts.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- what is there ---- */

struct look {
    const char *name;
    int64_t id;
    struct lamp_account account; /* the one called so */
    struct lamp_api_token token; /* the one called so, or of that number */
    bool has_account, has_token;
    size_t n_accounts, n_tokens, n_masters;
};

/* Whether the account may change accounts. */
static bool is_master(const struct lamp_account *a)
{
    return a->role == LAMP_ROLE_ADMIN && !a->disabled && !*a->scope;
}

static bool look_at_account(const struct lamp_account *a, void *arg)
{
    struct look *l = arg;
    l->n_accounts++;
    l->n_masters += is_master(a);
    if (l->name && streq(a->name, l->name)) {
        l->account = *a;
        l->has_account = true;
    }
    return true;
}

static bool look_at_token(const struct lamp_api_token *t, void *arg)
{
    struct look *l = arg;
    l->n_tokens++;
    if ((l->id && t->id == l->id) || (l->name && streq(t->name, l->name))) {
        l->token = *t;
        l->has_token = true;
    }
    return true;
}

static int look(lamp_store *s, const char *name, int64_t id, struct look *out)
{
    *out = (struct look){ .name = name, .id = id };
    const int err = lamp_store_accounts(s, look_at_account, out);
    return err ? err : lamp_store_api_tokens(s, look_at_token, out);
}

__attribute__((format(printf, 3, 4))) static int refuse(struct lamp_command_result *r, int err,
                                                        const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(r->why, sizeof(r->why), fmt, ap);
    va_end(ap);
    return err;
}

/* ---- the audit log ---- */

struct note {
    char text[LAMP_SCOPE + 256];
    size_t len;
};

__attribute__((format(printf, 2, 3))) static void add(struct note *n, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (n->len)
        n->len += (size_t)snprintf(n->text + n->len, sizeof(n->text) - n->len, ", ");
    n->len += (size_t)vsnprintf(n->text + n->len, sizeof(n->text) - n->len, fmt, ap);
    n->len = lamp_min(n->len, sizeof(n->text) - 1);
    va_end(ap);
}

static void add_scope(struct note *n, const char *scope)
{
    char text[LAMP_SCOPE];
    snprintf(text, sizeof(text), "%s", scope);
    for (char *p = text; *p; p++)
        if (*p == '\n')
            *p = ' ';
    if (*text)
        add(n, "sites %s", text);
    else
        add(n, "every site");
}

/* ---- accounts ---- */

/* One name stands for one actor in the audit log, account or token. */
static int name_is_free(const struct look *l, struct lamp_command_result *r)
{
    if (l->has_account)
        return refuse(r, LAMP_EEXIST, "There is an account of that name.");
    if (l->has_token)
        return refuse(r, LAMP_EEXIST, "There is a token of that name.");
    return LAMP_OK;
}

static int on_add(lamp_store *s, const struct lamp_command *c, uint64_t now_us,
                  struct lamp_command_result *r)
{
    struct look l;
    struct note n = { .len = 0 };
    struct lamp_account a = c->account;
    int err = look(s, a.name, 0, &l);
    if (err == LAMP_OK)
        err = name_is_free(&l, r);
    if (err == LAMP_OK && l.n_accounts >= LAMP_ACCOUNTS_MAX)
        err = refuse(r, LAMP_EFULL, "There are %d accounts, which is all there can be.",
                     LAMP_ACCOUNTS_MAX);
    if (err)
        return err;
    a.created_us = a.password_us = now_us;
    add(&n, "role %s", lamp_role_name(a.role));
    add_scope(&n, a.scope);
    err = lamp_store_account_save(s, &a);
    return err ? err : lamp_store_audit(s, c->actor, "user.create", a.name, n.text, now_us);
}

static void apply(const struct lamp_command *c, uint64_t now_us, struct lamp_account *a,
                  struct note *n)
{
    if (c->change & LAMP_CHANGE_ROLE) {
        add(n, "role %s", lamp_role_name(c->account.role));
        a->role = c->account.role;
    }
    if (c->change & LAMP_CHANGE_SCOPE) {
        add_scope(n, c->account.scope);
        memcpy(a->scope, c->account.scope, sizeof(a->scope));
    }
    if (c->change & LAMP_CHANGE_DISABLED) {
        add(n, "%s", c->account.disabled ? "disabled" : "enabled");
        a->disabled = c->account.disabled;
    }
    if (c->change & LAMP_CHANGE_PASSWORD) {
        add(n, "password");
        memcpy(a->hash, c->account.hash, sizeof(a->hash));
        a->password_us = now_us > a->password_us ? now_us : a->password_us + 1;
    }
}

static int keeps_a_master(const struct look *l, const struct lamp_account *after,
                          struct lamp_command_result *r)
{
    if (!is_master(&l->account) || (after && is_master(after)) || l->n_masters > 1)
        return LAMP_OK;
    return refuse(r, LAMP_EPOLICY, "This is the last account that may change accounts.");
}

static int on_change(lamp_store *s, const struct lamp_command *c, uint64_t now_us,
                     struct lamp_command_result *r)
{
    struct look l;
    struct note n = { .len = 0 };
    int err = look(s, c->account.name, 0, &l);
    if (err)
        return err;
    if (!l.has_account)
        return refuse(r, LAMP_ENOENT, "There is no account of that name.");
    struct lamp_account a = l.account;
    apply(c, now_us, &a, &n);
    err = keeps_a_master(&l, &a, r);
    if (err == LAMP_OK)
        err = lamp_store_account_save(s, &a);
    return err ? err : lamp_store_audit(s, c->actor, "user.change", a.name, n.text, now_us);
}

static int on_delete(lamp_store *s, const struct lamp_command *c, uint64_t now_us,
                     struct lamp_command_result *r)
{
    struct look l;
    int err = look(s, c->account.name, 0, &l);
    if (err)
        return err;
    if (!l.has_account)
        return refuse(r, LAMP_ENOENT, "There is no account of that name.");
    err = keeps_a_master(&l, NULL, r);
    if (err == LAMP_OK)
        err = lamp_store_account_delete(s, l.account.name);
    return err ? err : lamp_store_audit(s, c->actor, "user.delete", l.account.name, "", now_us);
}

/* ---- tokens ---- */

static int on_token(lamp_store *s, const struct lamp_command *c, uint64_t now_us,
                    struct lamp_command_result *r)
{
    struct look l;
    struct note n = { .len = 0 };
    struct lamp_api_token t = c->api_token;
    int err = look(s, t.name, 0, &l);
    if (err == LAMP_OK)
        err = name_is_free(&l, r);
    if (err == LAMP_OK && l.n_tokens >= LAMP_ACCOUNTS_MAX)
        err = refuse(r, LAMP_EFULL, "There are %d tokens: revoke one first.", LAMP_ACCOUNTS_MAX);
    if (err)
        return err;
    t.id = 0;
    t.created_us = now_us;
    memcpy(t.created_by, c->person, sizeof(t.created_by));
    add(&n, "role %s", lamp_role_name(t.role));
    add_scope(&n, t.scope);
    add(&n, "%s", t.expires_us ? "for a time" : "without end");
    err = lamp_store_api_token_save(s, &t);
    r->key_id = t.id;
    return err ? err : lamp_store_audit(s, c->actor, "api-token.create", t.name, n.text, now_us);
}

static int on_revoke(lamp_store *s, const struct lamp_command *c, uint64_t now_us,
                     struct lamp_command_result *r)
{
    struct look l;
    int err = look(s, NULL, c->api_token.id, &l);
    if (err)
        return err;
    if (!l.has_token)
        return refuse(r, LAMP_ENOENT, "There is no token of that number.");
    err = lamp_store_api_token_delete(s, l.token.id);
    return err ? err : lamp_store_audit(s, c->actor, "api-token.revoke", l.token.name, "", now_us);
}

/* Comes from a table in memory: the token may be gone by now. */
static int on_used(lamp_store *s, const struct lamp_command *c)
{
    struct look l;
    const int err = look(s, NULL, c->api_token.id, &l);
    if (err || !l.has_token || l.token.used_us >= c->api_token.used_us)
        return err;
    l.token.used_us = c->api_token.used_us;
    return lamp_store_api_token_save(s, &l.token);
}

int lamp_accounts_command(lamp_store *s, const struct lamp_command *c, uint64_t now_us,
                          struct lamp_command_result *r)
{
    switch (c->kind) {
    case LAMP_CMD_USER_ADD:
        return on_add(s, c, now_us, r);
    case LAMP_CMD_USER_CHANGE:
        return on_change(s, c, now_us, r);
    case LAMP_CMD_USER_DELETE:
        return on_delete(s, c, now_us, r);
    case LAMP_CMD_API_TOKEN:
        return on_token(s, c, now_us, r);
    case LAMP_CMD_API_REVOKE:
        return on_revoke(s, c, now_us, r);
    case LAMP_CMD_API_USED:
        return on_used(s, c);
    case LAMP_CMD_SESSION_END:
        return lamp_store_audit(s, c->actor, "session.end", c->account.name, "", now_us);
    default:
        return LAMP_EINVAL;
    }
}
