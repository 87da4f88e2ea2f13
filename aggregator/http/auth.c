/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/http/auth.h"

#include "common/io.h"
#include "common/text.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>

enum {
    SESSIONS_MAX = 1024,
    FAILS_MAX = 1024,  /* accounts and addresses with a recent failure */
    FAILS_ALLOWED = 5, /* of each, in FAIL_WINDOW_US */
    HASHES_AT_ONCE = 2,
    TOKEN_FILE_MAX = 256,
    SECRET_BYTES = 32,
};

#define SECOND_US UINT64_C(1000000)
#define IDLE_US (30 * 60 * SECOND_US)
#define LIFETIME_US (12 * 3600 * SECOND_US)
#define FAIL_WINDOW_US (60 * SECOND_US)
#define HASH_OPS crypto_pwhash_argon2id_OPSLIMIT_INTERACTIVE
#define HASH_MEMORY crypto_pwhash_argon2id_MEMLIMIT_INTERACTIVE /* 64 MiB */

static const char token_prefix[] = "davylamp_";

struct session {
    uint8_t digest[LAMP_TOKEN_DIGEST];
    size_t account;
    uint64_t opened_us, used_us; /* opened_us 0: free place */
};

/* The last failures of an account or an address. */
struct fails {
    uint8_t key[16];
    uint64_t at_us[FAILS_ALLOWED]; /* a ring; 0: none */
    uint8_t next;
};

struct lamp_auth {
    pthread_mutex_t lock; /* guards sessions, fails and hashing */
    struct lamp_account accounts[LAMP_ACCOUNTS_MAX];
    size_t n_accounts;
    struct lamp_api_token tokens[LAMP_ACCOUNTS_MAX];
    size_t n_tokens;
    char no_such_user[LAMP_ACCOUNT_HASH]; /* checked for unknown users: the same time */
    struct session sessions[SESSIONS_MAX];
    struct fails fails[FAILS_MAX];
    unsigned hashing;
};

static_assert(LAMP_ACCOUNT_HASH == crypto_pwhash_STRBYTES, "size of an argon2id string");

static void digest_of(const void *data, size_t len, uint8_t out[LAMP_TOKEN_DIGEST])
{
    crypto_generichash(out, LAMP_TOKEN_DIGEST, data, len, NULL, 0);
}

/* 24 characters of 32, none of them easily mistaken: 120 bits. */
static void make_password(char out[LAMP_PASSWORD])
{
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
    for (size_t i = 0; i + 1 < LAMP_PASSWORD; i++)
        out[i] = letters[randombytes_uniform(sizeof(letters) - 1)];
    out[LAMP_PASSWORD - 1] = '\0';
}

static int make_admin(lamp_auth *a, lamp_accounts *db, uint64_t now_us,
                      char password[LAMP_PASSWORD])
{
    struct lamp_account admin = { .name = "admin", .role = LAMP_ROLE_ADMIN };
    char fresh[LAMP_PASSWORD];
    make_password(fresh);
    if (crypto_pwhash_str(admin.hash, fresh, strlen(fresh), HASH_OPS, HASH_MEMORY) != 0)
        return LAMP_ENOMEM;
    const int err = lamp_accounts_put(db, &admin, now_us);
    if (err)
        return err;
    a->accounts[a->n_accounts++] = admin;
    memcpy(password, fresh, sizeof(fresh));
    return LAMP_OK;
}

static const struct lamp_api_token *find_token(const lamp_auth *a, const char *token)
{
    uint8_t digest[LAMP_TOKEN_DIGEST];
    const struct lamp_api_token *found = NULL;
    digest_of(token, strlen(token), digest);
    for (size_t i = 0; i < a->n_tokens; i++)
        if (sodium_memcmp(digest, a->tokens[i].digest, sizeof(digest)) == 0)
            found = &a->tokens[i];
    return found;
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

/* Makes the command line's token anew: the file first, since a token that the database knows
 * and no file holds would be of no use. */
static int make_token(lamp_auth *a, lamp_accounts *db, const char *path, uint64_t now_us)
{
    uint8_t secret[SECRET_BYTES];
    char hex[2 * SECRET_BYTES + 1], line[sizeof(token_prefix) + sizeof(hex)];
    randombytes_buf(secret, sizeof(secret));
    const int len = snprintf(line, sizeof(line), "%s%s\n", token_prefix,
                             lamp_hex_encode(secret, sizeof(secret), hex));
    struct lamp_api_token token = { .name = "cli", .role = LAMP_ROLE_ADMIN };
    digest_of(line, (size_t)len - 1, token.digest);

    size_t i = 0;
    while (i < a->n_tokens && !streq(a->tokens[i].name, token.name))
        i++;
    if (i == LAMP_ACCOUNTS_MAX)
        return LAMP_EFULL;
    int err = lamp_io_replace_file(path, line, (size_t)len, 0600);
    if (!err)
        err = lamp_accounts_put_token(db, &token, now_us);
    if (err)
        return err;
    a->tokens[i] = token;
    if (i == a->n_tokens)
        a->n_tokens++;
    return LAMP_OK;
}

static int load(lamp_auth *a, lamp_accounts *db, const char *token_file, uint64_t now_us,
                char password[LAMP_PASSWORD], char *why, size_t size)
{
    int err = lamp_accounts_read(db, a->accounts, &a->n_accounts);
    if (!err)
        err = lamp_accounts_read_tokens(db, a->tokens, &a->n_tokens);
    if (!err && a->n_accounts == 0)
        err = make_admin(a, db, now_us, password);
    if (err) {
        snprintf(why, size, "accounts: %s", lamp_strerror(err));
        return err;
    }
    if (!token_file_is_good(a, token_file))
        err = make_token(a, db, token_file, now_us);
    if (err)
        snprintf(why, size, "%s: %s", token_file, lamp_strerror(err));
    return err;
}

int lamp_auth_open(const char *database, const char *token_file, uint64_t now_us, lamp_auth **out,
                   char first_password[LAMP_PASSWORD], char *why, size_t size)
{
    assert(database && token_file && out && first_password && why && size);
    lamp_accounts *db = NULL;
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
    int err = lamp_accounts_open(database, &db, why, size);
    if (!err)
        err = load(a, db, token_file, now_us, password, why, size);
    if (!err && crypto_pwhash_str(a->no_such_user, "", 0, HASH_OPS, HASH_MEMORY) != 0) {
        snprintf(why, size, "out of memory");
        err = LAMP_ENOMEM;
    }
    lamp_accounts_close(db);
    if (err) {
        lamp_auth_close(a);
        return err;
    }
    memcpy(first_password, password, sizeof(password));
    sodium_memzero(password, sizeof(password));
    *out = a;
    return LAMP_OK;
}

lamp_auth *lamp_auth_close(lamp_auth *a)
{
    if (!a)
        return NULL;
    pthread_mutex_destroy(&a->lock);
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
    return f->at_us[(f->next + FAILS_ALLOWED - 1) % FAILS_ALLOWED];
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

static bool too_many(const struct fails *f, uint64_t now_us)
{
    const uint64_t oldest = f->at_us[f->next];
    return oldest && oldest + FAIL_WINDOW_US > now_us;
}

static void add_fail(struct fails *f, uint64_t now_us)
{
    f->at_us[f->next] = now_us;
    f->next = (uint8_t)((f->next + 1) % FAILS_ALLOWED);
}

static void take_back_fail(struct fails *f, uint64_t at_us)
{
    const uint8_t last = (uint8_t)((f->next + FAILS_ALLOWED - 1) % FAILS_ALLOWED);
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
        err = LAMP_EFULL;
    } else if (a->hashing == HASHES_AT_ONCE) {
        err = LAMP_EAGAIN;
    } else {
        a->hashing++;
        add_fail(fails_of(a, user_key), now_us);
        add_fail(fails_of(a, from_key), now_us);
    }
    pthread_mutex_unlock(&a->lock);
    return err;
}

/* A free place, or the session longest unused. */
static struct session *session_place(lamp_auth *a)
{
    struct session *best = &a->sessions[0];
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *s = &a->sessions[i];
        if (!s->opened_us)
            return s;
        if (s->used_us < best->used_us)
            best = s;
    }
    return best;
}

static void identify(const lamp_auth *a, const struct session *s, struct lamp_identity *out)
{
    const struct lamp_account *account = &a->accounts[s->account];
    *out = (struct lamp_identity){ .role = account->role };
    memcpy(out->user, account->name, sizeof(out->user));
    memcpy(out->session, s->digest, sizeof(out->session));
    const uint64_t idle_end = s->used_us + IDLE_US, end = s->opened_us + LIFETIME_US;
    out->expires_us = idle_end < end ? idle_end : end;
}

int lamp_auth_login(lamp_auth *a, const char *user, const char *password,
                    const struct lamp_addr *from, uint64_t now_us,
                    char out_session[LAMP_SESSION_ID], struct lamp_identity *out)
{
    assert(a && user && password && from && out_session && out);
    uint8_t user_key[16], from_key[16], secret[SECRET_BYTES];
    fail_key('u', user, strlen(user), user_key);
    fail_key('a', from->b, sizeof(from->b), from_key);
    const int err = begin_attempt(a, user_key, from_key, now_us);
    if (err)
        return err;

    size_t account = 0;
    while (account < a->n_accounts && !streq(a->accounts[account].name, user))
        account++;
    const bool known = account < a->n_accounts;
    const char *hash = known ? a->accounts[account].hash : a->no_such_user;
    const bool right = crypto_pwhash_str_verify(hash, password, strlen(password)) == 0 && known;

    pthread_mutex_lock(&a->lock);
    a->hashing--;
    if (right) {
        take_back_fail(fails_of(a, user_key), now_us);
        take_back_fail(fails_of(a, from_key), now_us);
        randombytes_buf(secret, sizeof(secret));
        struct session *s = session_place(a);
        *s = (struct session){ .account = account, .opened_us = now_us, .used_us = now_us };
        digest_of(secret, sizeof(secret), s->digest);
        lamp_hex_encode(secret, sizeof(secret), out_session);
        identify(a, s, out);
        sodium_memzero(secret, sizeof(secret));
    }
    pthread_mutex_unlock(&a->lock);
    return right ? LAMP_OK : LAMP_EAUTH;
}

/* ---- sessions and tokens ---- */

/* The open session of a digest; one past its time is dropped. Called with the lock held. */
static struct session *find_session(lamp_auth *a, const uint8_t digest[LAMP_TOKEN_DIGEST],
                                    uint64_t now_us)
{
    struct session *found = NULL;
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        if (a->sessions[i].opened_us &&
            sodium_memcmp(a->sessions[i].digest, digest, LAMP_TOKEN_DIGEST) == 0)
            found = &a->sessions[i];
    if (found && (now_us >= found->used_us + IDLE_US || now_us >= found->opened_us + LIFETIME_US)) {
        *found = (struct session){ 0 };
        found = NULL;
    }
    return found;
}

int lamp_auth_session(lamp_auth *a, const char *session, uint64_t now_us, struct lamp_identity *out)
{
    uint8_t secret[SECRET_BYTES], digest[LAMP_TOKEN_DIGEST];
    size_t len;
    if (strlen(session) != 2 * SECRET_BYTES ||
        lamp_hex_decode(session, 2 * SECRET_BYTES, secret, sizeof(secret), &len) != LAMP_OK ||
        len != SECRET_BYTES)
        return LAMP_EAUTH;
    digest_of(secret, sizeof(secret), digest);

    pthread_mutex_lock(&a->lock);
    struct session *s = find_session(a, digest, now_us);
    if (s) {
        if (now_us > s->used_us)
            s->used_us = now_us;
        identify(a, s, out);
    }
    pthread_mutex_unlock(&a->lock);
    return s ? LAMP_OK : LAMP_EAUTH;
}

int lamp_auth_token(lamp_auth *a, const char *token, struct lamp_identity *out)
{
    const struct lamp_api_token *t = find_token(a, token);
    if (!t)
        return LAMP_EAUTH;
    *out = (struct lamp_identity){ .role = t->role };
    memcpy(out->user, t->name, sizeof(out->user));
    return LAMP_OK;
}

bool lamp_auth_alive(lamp_auth *a, const struct lamp_identity *id, uint64_t now_us)
{
    if (!id->expires_us)
        return true;
    pthread_mutex_lock(&a->lock);
    const bool alive = find_session(a, id->session, now_us) != NULL;
    pthread_mutex_unlock(&a->lock);
    return alive;
}

void lamp_auth_logout(lamp_auth *a, const struct lamp_identity *id)
{
    if (!id->expires_us)
        return;
    pthread_mutex_lock(&a->lock);
    struct session *s = find_session(a, id->session, 0);
    if (s)
        *s = (struct session){ 0 };
    pthread_mutex_unlock(&a->lock);
}
