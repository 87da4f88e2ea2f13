/* SPDX-License-Identifier: Apache-2.0 */
/* accounts: who may log in, kept in two tables (account, api_token) of the aggregator's SQLite
 * database. Opened for a moment at start, before the writer thread runs; nothing is held open
 * afterwards. Passwords are argon2id strings, tokens BLAKE2b-256 digests: neither can be read
 * back. Not thread-safe. */
#pragma once

#include "common/err.h"
#include "common/util.h"

enum {
    LAMP_ACCOUNTS_MAX = 64,  /* of each kind; more are refused */
    LAMP_ACCOUNT_NAME = 65,  /* with NUL */
    LAMP_ACCOUNT_HASH = 128, /* argon2id string with NUL (crypto_pwhash_STRBYTES) */
    LAMP_TOKEN_DIGEST = 32,
};

/* Ordered: a role may do all that the ones before it may. NONE needs no login at all. */
enum lamp_role { LAMP_ROLE_NONE, LAMP_ROLE_VIEWER, LAMP_ROLE_OPERATOR, LAMP_ROLE_ADMIN };
const char *lamp_role_name(enum lamp_role r);

struct lamp_account {
    char name[LAMP_ACCOUNT_NAME];
    char hash[LAMP_ACCOUNT_HASH];
    enum lamp_role role;
};

struct lamp_api_token {
    char name[LAMP_ACCOUNT_NAME];
    uint8_t digest[LAMP_TOKEN_DIGEST];
    enum lamp_role role;
};

typedef struct lamp_accounts lamp_accounts;

/* Opens the database read-write and makes the tables where they are missing. `why` (size
 * bytes) says what failed. LAMP_ESTORE, LAMP_ENOMEM. */
LAMP_CHECK int lamp_accounts_open(const char *database, lamp_accounts **out, char *why,
                                  size_t size);
lamp_accounts *lamp_accounts_close(lamp_accounts *a);

/* Reads all of a kind, by name, into at most LAMP_ACCOUNTS_MAX places. LAMP_ESTORE: the
 * database refused. LAMP_EFULL: there are more. LAMP_EFORMAT: a row makes no sense. */
LAMP_CHECK int lamp_accounts_read(lamp_accounts *a, struct lamp_account out[LAMP_ACCOUNTS_MAX],
                                  size_t *out_n);
LAMP_CHECK int lamp_accounts_read_tokens(lamp_accounts *a,
                                         struct lamp_api_token out[LAMP_ACCOUNTS_MAX],
                                         size_t *out_n);

/* Adds one, or replaces the one of that name. LAMP_ESTORE. */
LAMP_CHECK int lamp_accounts_put(lamp_accounts *a, const struct lamp_account *account,
                                 uint64_t now_us);
LAMP_CHECK int lamp_accounts_put_token(lamp_accounts *a, const struct lamp_api_token *token,
                                       uint64_t now_us);
