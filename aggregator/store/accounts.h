/* SPDX-License-Identifier: Apache-2.0 */
/* accounts: who may use the API: people with passwords, and tokens for programs. They are rows of the
 * control store (lamp_store_accounts() and others); passwords are argon2id strings, tokens
 * BLAKE2b-256 digests: neither can be read back. */
#pragma once

#include "common/err.h"
#include "common/util.h"

enum {
    LAMP_ACCOUNTS_MAX = 64,  /* of each kind; more are refused */
    LAMP_ACCOUNT_NAME = 65,  /* with NUL */
    LAMP_ACCOUNT_HASH = 128, /* argon2id string with NUL (crypto_pwhash_STRBYTES) */
    LAMP_TOKEN_DIGEST = 32,
    LAMP_SCOPE = 1024, /* names of sites, '\n'-separated, with NUL; "": every site */
};

/* Ordered: a role may do all that the ones before it may. NONE needs no login at all. */
enum lamp_role { LAMP_ROLE_NONE, LAMP_ROLE_VIEWER, LAMP_ROLE_OPERATOR, LAMP_ROLE_ADMIN };
const char *lamp_role_name(enum lamp_role r);

/* The role of that name; LAMP_ROLE_NONE where there is none. */
enum lamp_role lamp_role_of(const char *name);

/* Whether a scope includes a site ("": every site, which only the whole scope includes). */
bool lamp_scope_has(const char *scope, const char *site, size_t site_len);

/* Whether a name fits an account or token: 1 to 64 letters, digits and . _ @ - */
bool lamp_account_name_ok(const char *name);

struct lamp_account {
    char name[LAMP_ACCOUNT_NAME];
    char hash[LAMP_ACCOUNT_HASH];
    enum lamp_role role;
    char scope[LAMP_SCOPE];
    bool disabled;
    uint64_t created_us, password_us; /* when the password was set: older sessions are over */
};

struct lamp_api_token {
    int64_t id; /* never given again; 0: not in the store yet */
    char name[LAMP_ACCOUNT_NAME];
    uint8_t digest[LAMP_TOKEN_DIGEST];
    enum lamp_role role;
    char scope[LAMP_SCOPE];
    char created_by[LAMP_ACCOUNT_NAME]; /* the person, also where another token asked for it */
    uint64_t created_us;
    uint64_t expires_us; /* 0: never */
    uint64_t used_us;    /* to the minute or so; 0: never */
};

typedef bool lamp_account_fn(const struct lamp_account *a, void *arg);
typedef bool lamp_api_token_fn(const struct lamp_api_token *t, void *arg);
