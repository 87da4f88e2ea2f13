/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/http/auth.h"

#include "aggregator/store/write.h"
#include "common/io.h"
#include "common/text.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>

enum {
    FAILS_MAX = 1024, /* accounts and addresses with a recent failure */
    FAILS_A_MINUTE = 5,
    FAILS_AN_HOUR = 20,
    HASHES_AT_ONCE = 2,
    TOKEN_FILE_MAX = 256,
    SECRET_BYTES = 32,
};

#define SECOND_US UINT64_C(1000000)
#define IDLE_US (30 * 60 * SECOND_US)
#define LIFETIME_US (12 * 3600 * SECOND_US)
#define HASH_OPS crypto_pwhash_argon2id_OPSLIMIT_INTERACTIVE
#define HASH_MEMORY crypto_pwhash_argon2id_MEMLIMIT_INTERACTIVE /* 64 MiB */

static const char token_prefix[] = "davylamp_";

struct session {
    int64_t id;
    uint8_t digest[LAMP_TOKEN_DIGEST];
    char user[LAMP_ACCOUNT_NAME];
    uint64_t password_us; /* of the password that opened it */
    struct lamp_addr from;
    uint64_t opened_us, used_us; /* opened_us 0: free place */
};

/* The last failures of an account or an address. */
struct fails {
    uint8_t key[16];
    uint64_t at_us[FAILS_AN_HOUR]; /* a ring; 0: none */
    uint8_t next;
};

/* What the store says. */
struct table {
    struct lamp_account accounts[LAMP_ACCOUNTS_MAX];
    size_t n_accounts;
    struct lamp_api_token tokens[LAMP_ACCOUNTS_MAX];
    size_t n_tokens;
    bool too_many;
};

struct lamp_auth {
    pthread_mutex_t lock;                 /* guards all below but no_such_user */
    char no_such_user[LAMP_ACCOUNT_HASH]; /* checked for unknown users: the same time */
    struct table *table;
    bool told[LAMP_ACCOUNTS_MAX]; /* by token: its used_us was asked for */
    struct session sessions[LAMP_SESSIONS_MAX];
    int64_t last_session_id;
    struct fails fails[FAILS_MAX];
    unsigned hashing;
    uint64_t logins, failures, limited, busy;
};

static_assert(LAMP_ACCOUNT_HASH == crypto_pwhash_STRBYTES, "size of an argon2id string");

static void digest_of(const void *data, size_t len, uint8_t out[LAMP_TOKEN_DIGEST])
{
    crypto_generichash(out, LAMP_TOKEN_DIGEST, data, len, NULL, 0);
}

/* ---- the table of the store ---- */

static bool add_account(const struct lamp_account *v, void *arg)
{
    struct table *t = arg;
    t->too_many |= t->n_accounts == LAMP_ACCOUNTS_MAX;
    if (!t->too_many)
        t->accounts[t->n_accounts++] = *v;
    return !t->too_many;
}

static bool add_token(const struct lamp_api_token *v, void *arg)
{
    struct table *t = arg;
    t->too_many |= t->n_tokens == LAMP_ACCOUNTS_MAX;
    if (!t->too_many)
        t->tokens[t->n_tokens++] = *v;
    return !t->too_many;
}

static int read_table(lamp_store *s, struct table **out)
{
    struct table *t = calloc(1, sizeof(*t));
    if (!t)
        return LAMP_ENOMEM;
    int err = lamp_store_accounts(s, add_account, t);
    if (!err)
        err = lamp_store_api_tokens(s, add_token, t);
    if (!err && t->too_many)
        err = LAMP_EFULL;
    if (err)
        free(t);
    else
        *out = t;
    return err;
}

static const struct lamp_account *find_account(const lamp_auth *a, const char *user)
{
    for (size_t i = 0; i < a->table->n_accounts; i++)
        if (streq(a->table->accounts[i].name, user))
            return &a->table->accounts[i];
    return NULL;
}

static struct lamp_api_token *token_by_id(const lamp_auth *a, int64_t id)
{
    for (size_t i = 0; i < a->table->n_tokens; i++)
        if (a->table->tokens[i].id == id)
            return &a->table->tokens[i];
    return NULL;
}

static struct lamp_api_token *find_token(const lamp_auth *a, const char *token)
{
    uint8_t digest[LAMP_TOKEN_DIGEST];
    struct lamp_api_token *found = NULL;
    digest_of(token, strlen(token), digest);
    for (size_t i = 0; i < a->table->n_tokens; i++)
        if (sodium_memcmp(digest, a->table->tokens[i].digest, sizeof(digest)) == 0)
            found = &a->table->tokens[i];
    return found;
}

int lamp_auth_reload(lamp_auth *a, lamp_store *s)
{
    struct table *fresh = NULL;
    const int err = read_table(s, &fresh);
    if (err)
        return err;
    pthread_mutex_lock(&a->lock);
    for (size_t i = 0; i < fresh->n_tokens; i++) {
        struct lamp_api_token *t = &fresh->tokens[i];
        const struct lamp_api_token *before = token_by_id(a, t->id);
        a->told[i] = !before || before->used_us <= t->used_us;
        if (!a->told[i])
            t->used_us = before->used_us;
    }
    free(a->table);
    a->table = fresh;
    pthread_mutex_unlock(&a->lock);
    return LAMP_OK;
}

/* ---- the first start ---- */

/* 24 characters of 32, none of them easily mistaken: 120 bits. */
static void make_password(char out[LAMP_PASSWORD])
{
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
    for (size_t i = 0; i + 1 < LAMP_PASSWORD; i++)
        out[i] = letters[randombytes_uniform(sizeof(letters) - 1)];
    out[LAMP_PASSWORD - 1] = '\0';
}

static int make_admin(lamp_store *s, uint64_t now_us, char password[LAMP_PASSWORD])
{
    struct lamp_account admin = {
        .name = "admin", .role = LAMP_ROLE_ADMIN, .created_us = now_us, .password_us = now_us
    };
    char fresh[LAMP_PASSWORD];
    make_password(fresh);
    if (crypto_pwhash_str(admin.hash, fresh, strlen(fresh), HASH_OPS, HASH_MEMORY) != 0)
        return LAMP_ENOMEM;
    const int err = lamp_store_account_save(s, &admin);
    if (!err)
        memcpy(password, fresh, sizeof(fresh));
    return err;
}

/* Whether the file holds a token we know. */
static bool token_file_is_good(const lamp_auth *a, const char *path)
{
    LAMP_AUTO_FREE char *text = NULL;
    size_t len;
    if (lamp_io_read_file(path, TOKEN_FILE_MAX, &text, &len) != LAMP_OK)
        return false;
    text[strcspn(text, "\r\n")] = '\0';
    return find_token(a, text) != NULL;
}

void lamp_auth_make_token(char out[LAMP_API_TOKEN_TEXT], uint8_t out_digest[LAMP_TOKEN_DIGEST])
{
    uint8_t secret[SECRET_BYTES];
    char hex[2 * SECRET_BYTES + 1];
    randombytes_buf(secret, sizeof(secret));
    const int len = snprintf(out, LAMP_API_TOKEN_TEXT, "%s%s", token_prefix,
                             lamp_hex_encode(secret, sizeof(secret), hex));
    digest_of(out, (size_t)len, out_digest);
    sodium_memzero(secret, sizeof(secret));
    sodium_memzero(hex, sizeof(hex));
}

/* Makes the command line's token anew: the file first, since a token that the database knows
 * and no file holds would be of no use. */
static int make_token(const lamp_auth *a, lamp_store *s, const char *path, uint64_t now_us)
{
    char line[LAMP_API_TOKEN_TEXT + 1];
    struct lamp_api_token token = {
        .name = "cli", .role = LAMP_ROLE_ADMIN, .created_by = "aggregator", .created_us = now_us
    };
    for (size_t i = 0; i < a->table->n_tokens; i++)
        if (streq(a->table->tokens[i].name, token.name))
            token.id = a->table->tokens[i].id;
    if (token.id == 0 && a->table->n_tokens == LAMP_ACCOUNTS_MAX)
        return LAMP_EFULL;
    lamp_auth_make_token(line, token.digest);
    const size_t len = strlen(line);
    line[len] = '\n';
    const int err = lamp_io_replace_file(path, line, len + 1, 0600);
    return err ? err : lamp_store_api_token_save(s, &token);
}

static int first_start(lamp_auth *a, lamp_store *s, const char *token_file, uint64_t now_us,
                       char password[LAMP_PASSWORD], char *why, size_t size)
{
    int err = read_table(s, &a->table);
    if (!err && a->table->n_accounts == 0)
        err = make_admin(s, now_us, password);
    if (err) {
        snprintf(why, size, "accounts: %s",
                 err == LAMP_ESTORE ? lamp_store_why(s) : lamp_strerror(err));
        return err;
    }
    if (!token_file_is_good(a, token_file))
        err = make_token(a, s, token_file, now_us);
    if (err)
        snprintf(why, size, "%s: %s", token_file,
                 err == LAMP_ESTORE ? lamp_store_why(s) : lamp_strerror(err));
    return err;
}

static int load(lamp_auth *a, lamp_store *s, const char *token_file, uint64_t now_us,
                char password[LAMP_PASSWORD], char *why, size_t size)
{
    int err = lamp_store_begin(s);
    if (err) {
        snprintf(why, size, "accounts: %s", lamp_store_why(s));
        return err;
    }
    err = first_start(a, s, token_file, now_us, password, why, size);
    if (err) {
        lamp_store_rollback(s);
        return err;
    }
    err = lamp_store_commit(s);
    if (!err)
        err = lamp_auth_reload(a, s);
    if (err)
        snprintf(why, size, "accounts: %s",
                 err == LAMP_ESTORE ? lamp_store_why(s) : lamp_strerror(err));
    return err;
}

int lamp_auth_open(lamp_store *s, const char *token_file, uint64_t now_us, lamp_auth **out,
                   char first_password[LAMP_PASSWORD], char *why, size_t size)
{
    assert(s && token_file && out && first_password && why && size);
    char password[LAMP_PASSWORD] = "";
    if (sodium_init() < 0) {
        snprintf(why, size, "no source of random numbers");
        return LAMP_EIO;
    }
    lamp_auth *a = calloc(1, sizeof(*a));
    if (!a) {
        snprintf(why, size, "out of memory");
        return LAMP_ENOMEM;
    }
    pthread_mutex_init(&a->lock, NULL);
    int err = crypto_pwhash_str(a->no_such_user, "", 0, HASH_OPS, HASH_MEMORY) == 0 ? LAMP_OK
                                                                                    : LAMP_ENOMEM;
    if (err)
        snprintf(why, size, "out of memory");
    else
        err = load(a, s, token_file, now_us, password, why, size);
    if (err) {
        lamp_auth_close(a);
        return err;
    }
    memcpy(first_password, password, sizeof(password));
    *out = a;
    return LAMP_OK;
}

lamp_auth *lamp_auth_close(lamp_auth *a)
{
    if (!a)
        return NULL;
    pthread_mutex_destroy(&a->lock);
    free(a->table);
    sodium_memzero(a, sizeof(*a));
    free(a);
    return NULL;
}

/* ---- failures ---- */

static void fail_key(char kind, const void *data, size_t len, uint8_t out[16])
{
    crypto_generichash_state st;
    crypto_generichash_init(&st, NULL, 0, 16);
    crypto_generichash_update(&st, (const uint8_t *)&kind, 1);
    crypto_generichash_update(&st, data, len);
    crypto_generichash_final(&st, out, 16);
}

static uint64_t newest_fail(const struct fails *f)
{
    return f->at_us[(f->next + FAILS_AN_HOUR - 1) % FAILS_AN_HOUR];
}

/* The record of a key; an unknown one takes the place whose last failure is longest ago. */
static struct fails *fails_of(lamp_auth *a, const uint8_t key[16])
{
    struct fails *coldest = &a->fails[0];
    for (size_t i = 0; i < FAILS_MAX; i++) {
        struct fails *f = &a->fails[i];
        if (memcmp(f->key, key, sizeof(f->key)) == 0)
            return f;
        if (newest_fail(f) < newest_fail(coldest))
            coldest = f;
    }
    *coldest = (struct fails){ 0 };
    memcpy(coldest->key, key, sizeof(coldest->key));
    return coldest;
}

/* Whether the n-th newest failure is younger than span_us. */
static bool younger(const struct fails *f, size_t n, uint64_t span_us, uint64_t now_us)
{
    const uint64_t at_us = f->at_us[(f->next + FAILS_AN_HOUR - n) % FAILS_AN_HOUR];
    return at_us && at_us + span_us > now_us;
}

static bool too_many(const struct fails *f, uint64_t now_us)
{
    return younger(f, FAILS_A_MINUTE, 60 * SECOND_US, now_us) ||
           younger(f, FAILS_AN_HOUR, 3600 * SECOND_US, now_us);
}

static void add_fail(struct fails *f, uint64_t now_us)
{
    f->at_us[f->next] = now_us;
    f->next = (uint8_t)((f->next + 1) % FAILS_AN_HOUR);
}

static void take_back_fail(struct fails *f, uint64_t at_us)
{
    const uint8_t last = (uint8_t)((f->next + FAILS_AN_HOUR - 1) % FAILS_AN_HOUR);
    if (f->at_us[last] == at_us) {
        f->at_us[last] = 0;
        f->next = last;
    }
}

/* ---- login ---- */

/* An attempt counts as failed from its beginning, so that many at once gain nothing. */
static int begin_attempt(lamp_auth *a, const uint8_t user_key[16], const uint8_t from_key[16],
                         uint64_t now_us)
{
    int err = LAMP_OK;
    pthread_mutex_lock(&a->lock);
    if (too_many(fails_of(a, user_key), now_us) || too_many(fails_of(a, from_key), now_us)) {
        a->limited++;
        err = LAMP_EFULL;
    } else if (a->hashing == HASHES_AT_ONCE) {
        a->busy++;
        err = LAMP_EAGAIN;
    } else {
        a->hashing++;
        add_fail(fails_of(a, user_key), now_us);
        add_fail(fails_of(a, from_key), now_us);
    }
    pthread_mutex_unlock(&a->lock);
    return err;
}

/* ---- passwords ---- */

int lamp_auth_check(lamp_auth *a, const char *user, const char *password,
                    const struct lamp_addr *from, uint64_t now_us)
{
    assert(a && user && password && from);
    uint8_t user_key[16], from_key[16];
    char hash[LAMP_ACCOUNT_HASH];
    fail_key('u', user, strlen(user), user_key);
    fail_key('a', from->b, sizeof(from->b), from_key);
    const int err = begin_attempt(a, user_key, from_key, now_us);
    if (err)
        return err;

    pthread_mutex_lock(&a->lock);
    const struct lamp_account *known = find_account(a, user);
    const bool usable = known && !known->disabled;
    memcpy(hash, usable ? known->hash : a->no_such_user, sizeof(hash));
    pthread_mutex_unlock(&a->lock);
    bool right = crypto_pwhash_str_verify(hash, password, strlen(password)) == 0 && usable;

    pthread_mutex_lock(&a->lock);
    a->hashing--;
    known = find_account(a, user); /* it may have been changed meanwhile */
    right = right && known && !known->disabled && memcmp(known->hash, hash, sizeof(hash)) == 0;
    if (right) {
        take_back_fail(fails_of(a, user_key), now_us);
        take_back_fail(fails_of(a, from_key), now_us);
    } else {
        a->failures++;
    }
    pthread_mutex_unlock(&a->lock);
    sodium_memzero(hash, sizeof(hash));
    return right ? LAMP_OK : LAMP_EAUTH;
}

int lamp_auth_hash(lamp_auth *a, const char *password, char out[LAMP_ACCOUNT_HASH])
{
    pthread_mutex_lock(&a->lock);
    const bool busy = a->hashing == HASHES_AT_ONCE;
    a->busy += busy;
    a->hashing += !busy;
    pthread_mutex_unlock(&a->lock);
    if (busy)
        return LAMP_EAGAIN;
    const int rc = crypto_pwhash_str(out, password, strlen(password), HASH_OPS, HASH_MEMORY);
    pthread_mutex_lock(&a->lock);
    a->hashing--;
    pthread_mutex_unlock(&a->lock);
    return rc == 0 ? LAMP_OK : LAMP_ENOMEM;
}

/* ---- sessions ---- */

/* A free place, or the session longest unused. */
static struct session *session_place(lamp_auth *a)
{
    struct session *best = &a->sessions[0];
    for (size_t i = 0; i < LAMP_SESSIONS_MAX; i++) {
        struct session *s = &a->sessions[i];
        if (!s->opened_us)
            return s;
        if (s->used_us < best->used_us)
            best = s;
    }
    return best;
}

static uint64_t end_of(const struct session *s)
{
    const uint64_t idle_end = s->used_us + IDLE_US, end = s->opened_us + LIFETIME_US;
    return idle_end < end ? idle_end : end;
}

/* The account of a session that still holds; one that does not is dropped, and NULL returned. Called
 * with the lock held. */
static const struct lamp_account *holder(lamp_auth *a, struct session *s, uint64_t now_us)
{
    const struct lamp_account *account = s->opened_us ? find_account(a, s->user) : NULL;
    if (account && !account->disabled && account->password_us == s->password_us &&
        now_us < end_of(s))
        return account;
    *s = (struct session){ 0 };
    return NULL;
}

static void identify(const struct lamp_account *account, const struct session *s,
                     struct lamp_identity *out)
{
    *out = (struct lamp_identity){ .role = account->role,
                                   .expires_us = end_of(s),
                                   .session_id = s->id };
    memcpy(out->user, account->name, sizeof(out->user));
    memcpy(out->person, account->name, sizeof(out->person));
    memcpy(out->scope, account->scope, sizeof(out->scope));
    memcpy(out->session, s->digest, sizeof(out->session));
}

int lamp_auth_renew(lamp_auth *a, const char *user, const struct lamp_addr *from, uint64_t now_us,
                    char out_session[LAMP_SESSION_ID], struct lamp_identity *out)
{
    uint8_t secret[SECRET_BYTES];
    pthread_mutex_lock(&a->lock);
    const struct lamp_account *account = find_account(a, user);
    const bool ok = account && !account->disabled;
    if (ok) {
        randombytes_buf(secret, sizeof(secret));
        struct session *s = session_place(a);
        *s = (struct session){ .id = ++a->last_session_id,
                               .password_us = account->password_us,
                               .from = *from,
                               .opened_us = now_us,
                               .used_us = now_us };
        memcpy(s->user, account->name, sizeof(s->user));
        digest_of(secret, sizeof(secret), s->digest);
        lamp_hex_encode(secret, sizeof(secret), out_session);
        identify(account, s, out);
        sodium_memzero(secret, sizeof(secret));
        a->logins++;
    }
    pthread_mutex_unlock(&a->lock);
    return ok ? LAMP_OK : LAMP_EAUTH;
}

int lamp_auth_login(lamp_auth *a, const char *user, const char *password,
                    const struct lamp_addr *from, uint64_t now_us,
                    char out_session[LAMP_SESSION_ID], struct lamp_identity *out)
{
    assert(out_session && out);
    const int err = lamp_auth_check(a, user, password, from, now_us);
    return err ? err : lamp_auth_renew(a, user, from, now_us, out_session, out);
}

/* The open session of a digest. Called with the lock held. */
static struct session *find_session(lamp_auth *a, const uint8_t digest[LAMP_TOKEN_DIGEST],
                                    uint64_t now_us, const struct lamp_account **out_account)
{
    struct session *found = NULL;
    for (size_t i = 0; i < LAMP_SESSIONS_MAX; i++)
        if (a->sessions[i].opened_us &&
            sodium_memcmp(a->sessions[i].digest, digest, LAMP_TOKEN_DIGEST) == 0)
            found = &a->sessions[i];
    if (found)
        *out_account = holder(a, found, now_us);
    return found && *out_account ? found : NULL;
}

int lamp_auth_session(lamp_auth *a, const char *session, uint64_t now_us, struct lamp_identity *out)
{
    uint8_t secret[SECRET_BYTES], digest[LAMP_TOKEN_DIGEST];
    const struct lamp_account *account = NULL;
    size_t len;
    if (strlen(session) != 2 * SECRET_BYTES ||
        lamp_hex_decode(session, 2 * SECRET_BYTES, secret, sizeof(secret), &len) != LAMP_OK ||
        len != SECRET_BYTES)
        return LAMP_EAUTH;
    digest_of(secret, sizeof(secret), digest);

    pthread_mutex_lock(&a->lock);
    struct session *s = find_session(a, digest, now_us, &account);
    if (s) {
        if (now_us > s->used_us)
            s->used_us = now_us;
        identify(account, s, out);
    }
    pthread_mutex_unlock(&a->lock);
    return s ? LAMP_OK : LAMP_EAUTH;
}

size_t lamp_auth_sessions(lamp_auth *a, const char *user, uint64_t now_us,
                          struct lamp_session_view out[LAMP_SESSIONS_MAX])
{
    size_t n = 0;
    pthread_mutex_lock(&a->lock);
    for (size_t i = 0; i < LAMP_SESSIONS_MAX; i++) {
        struct session *s = &a->sessions[i];
        if (!holder(a, s, now_us) || (user && !streq(user, s->user)))
            continue;
        out[n] = (struct lamp_session_view){ .id = s->id,
                                             .from = s->from,
                                             .opened_us = s->opened_us,
                                             .used_us = s->used_us,
                                             .expires_us = end_of(s) };
        memcpy(out[n++].user, s->user, sizeof(s->user));
    }
    pthread_mutex_unlock(&a->lock);
    return n;
}

int lamp_auth_end_session(lamp_auth *a, int64_t id, const char *user, uint64_t now_us,
                          char out_user[LAMP_ACCOUNT_NAME])
{
    int err = LAMP_ENOENT;
    pthread_mutex_lock(&a->lock);
    for (size_t i = 0; i < LAMP_SESSIONS_MAX; i++) {
        struct session *s = &a->sessions[i];
        if (s->id != id || !holder(a, s, now_us) || (user && !streq(user, s->user)))
            continue;
        memcpy(out_user, s->user, sizeof(s->user));
        *s = (struct session){ 0 };
        err = LAMP_OK;
    }
    pthread_mutex_unlock(&a->lock);
    return err;
}

void lamp_auth_logout(lamp_auth *a, const struct lamp_identity *id)
{
    char user[LAMP_ACCOUNT_NAME];
    if (id->session_id)
        (void)!lamp_auth_end_session(a, id->session_id, id->user, 0, user);
}

/* ---- tokens ---- */

int lamp_auth_token(lamp_auth *a, const char *token, uint64_t now_us, struct lamp_identity *out)
{
    pthread_mutex_lock(&a->lock);
    struct lamp_api_token *t = find_token(a, token);
    const bool ok = t && (!t->expires_us || now_us < t->expires_us);
    if (ok) {
        *out = (struct lamp_identity){ .role = t->role,
                                       .expires_us = t->expires_us,
                                       .token_id = t->id };
        memcpy(out->user, t->name, sizeof(out->user));
        memcpy(out->person, t->created_by, sizeof(out->person));
        memcpy(out->scope, t->scope, sizeof(out->scope));
        if (now_us > t->used_us) {
            t->used_us = now_us;
            a->told[t - a->table->tokens] = false;
        }
    }
    pthread_mutex_unlock(&a->lock);
    return ok ? LAMP_OK : LAMP_EAUTH;
}

int64_t lamp_auth_used_token(lamp_auth *a, uint64_t *out_used_us)
{
    int64_t id = 0;
    pthread_mutex_lock(&a->lock);
    for (size_t i = 0; i < a->table->n_tokens && !id; i++) {
        if (a->told[i])
            continue;
        id = a->table->tokens[i].id;
        *out_used_us = a->table->tokens[i].used_us;
        a->told[i] = true;
    }
    pthread_mutex_unlock(&a->lock);
    return id;
}

uint64_t lamp_auth_token_used(lamp_auth *a, int64_t id)
{
    pthread_mutex_lock(&a->lock);
    const struct lamp_api_token *t = token_by_id(a, id);
    const uint64_t used_us = t ? t->used_us : 0;
    pthread_mutex_unlock(&a->lock);
    return used_us;
}

/* ---- both ---- */

bool lamp_auth_alive(lamp_auth *a, const struct lamp_identity *id, uint64_t now_us)
{
    const struct lamp_account *account = NULL;
    bool alive;
    pthread_mutex_lock(&a->lock);
    if (id->token_id) {
        const struct lamp_api_token *t = token_by_id(a, id->token_id);
        alive = t && (!t->expires_us || now_us < t->expires_us);
    } else {
        alive = find_session(a, id->session, now_us, &account) && account->role == id->role &&
                streq(account->scope, id->scope);
    }
    pthread_mutex_unlock(&a->lock);
    return alive;
}

void lamp_auth_count(lamp_auth *a, uint64_t now_us, struct lamp_auth_counts *out)
{
    pthread_mutex_lock(&a->lock);
    *out = (struct lamp_auth_counts){ .logins = a->logins,
                                      .failures = a->failures,
                                      .limited = a->limited,
                                      .busy = a->busy,
                                      .accounts = a->table->n_accounts,
                                      .tokens = a->table->n_tokens };
    for (size_t i = 0; i < LAMP_SESSIONS_MAX; i++)
        out->sessions += holder(a, &a->sessions[i], now_us) != NULL;
    pthread_mutex_unlock(&a->lock);
}
