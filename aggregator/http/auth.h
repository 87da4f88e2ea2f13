/* SPDX-License-Identifier: Apache-2.0 */
/* auth: accounts, web sessions and API tokens of the running aggregator.
 *
 * Accounts and tokens are read once at start (store/accounts.h). Web sessions live in memory
 * only, at most 1,024 of them (the longest unused gives way), so a restart logs everybody
 * out. A session ends after 30 minutes without a request, and after 12 hours in any case. Only
 * digests of session ids and tokens are kept. Passwords are argon2id with 64 MiB; at most two
 * are checked at a time, and each account and each address has 5 failures a minute.
 * Thread-safe after lamp_auth_open(). */
#pragma once

#include "aggregator/store/accounts.h"
#include "common/addr.h"

enum {
    LAMP_SESSION_ID = 65, /* 64 hex digits and NUL */
    LAMP_PASSWORD = 25,   /* a password of ours and NUL */
};

typedef struct lamp_auth lamp_auth;

/* Who makes a request. */
struct lamp_identity {
    char user[LAMP_ACCOUNT_NAME];
    enum lamp_role role;
    uint64_t expires_us;                /* end of the session; 0: a token */
    uint8_t session[LAMP_TOKEN_DIGEST]; /* digest of the session id; all zero: a token */
};

/* Loads accounts and tokens from the database. Where there is no account, makes `admin` and
 * puts its password into first_password ("" otherwise): the caller shows it, once. Where
 * token_file does not hold a known token, makes a new one for the command line, mode 0600.
 * `why` (size bytes) says what failed. LAMP_ESTORE, LAMP_ENOMEM, negated errno (token file). */
LAMP_CHECK int lamp_auth_open(const char *database, const char *token_file, uint64_t now_us,
                              lamp_auth **out, char first_password[LAMP_PASSWORD], char *why,
                              size_t size);
lamp_auth *lamp_auth_close(lamp_auth *a);

/* Checks a password and opens a session. LAMP_EAUTH: wrong user or password, nothing says
 * which. LAMP_EFULL: too many failures of this account or address in the last minute.
 * LAMP_EAGAIN: two other passwords are being checked right now. */
LAMP_CHECK int lamp_auth_login(lamp_auth *a, const char *user, const char *password,
                               const struct lamp_addr *from, uint64_t now_us,
                               char out_session[LAMP_SESSION_ID], struct lamp_identity *out);

/* Who a session id or a token belongs to; a session counts as used. LAMP_EAUTH: nobody. */
LAMP_CHECK int lamp_auth_session(lamp_auth *a, const char *session, uint64_t now_us,
                                 struct lamp_identity *out);
LAMP_CHECK int lamp_auth_token(lamp_auth *a, const char *token, struct lamp_identity *out);

/* Whether the identity's session is still open, without using it. Tokens always are. */
bool lamp_auth_alive(lamp_auth *a, const struct lamp_identity *id, uint64_t now_us);

/* Ends the identity's session; nothing for a token. */
void lamp_auth_logout(lamp_auth *a, const struct lamp_identity *id);
