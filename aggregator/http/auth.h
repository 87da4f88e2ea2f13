/* SPDX-License-Identifier: Apache-2.0 */
/* auth: accounts, web sessions and API tokens of the running aggregator.
 *
 * Accounts and tokens are those of the store (store/accounts.h), copied at the start and by every
 * lamp_auth_reload(): a change holds for the next request. Web sessions live in memory only, at most
 * 1,024 of them (the longest unused gives way), so a restart logs everybody out. A session ends after
 * 30 minutes without a request, after 12 hours in any case, and when its account is disabled, deleted
 * or gets another password. Only digests of session ids and tokens are kept. Passwords are argon2id
 * with 64 MiB; at most two are worked on at a time. Each account and each address, whether such an
 * account exists or not, has 5 failures a minute and 20 an hour.
 * Thread-safe after lamp_auth_open(). */
#pragma once

#include "aggregator/store/store.h"

enum {
    LAMP_SESSION_ID = 65, /* 64 hex digits and NUL */
    LAMP_PASSWORD = 25,   /* a password of ours and NUL */
    LAMP_API_TOKEN_TEXT = 80,
    LAMP_SESSIONS_MAX = 1024,
};

typedef struct lamp_auth lamp_auth;

/* Who makes a request, and what it may be about. */
struct lamp_identity {
    char user[LAMP_ACCOUNT_NAME];   /* account or token */
    char person[LAMP_ACCOUNT_NAME]; /* the account itself, or who made the token */
    enum lamp_role role;
    char scope[LAMP_SCOPE];             /* "": every site */
    uint64_t expires_us;                /* end of the session or token; 0: a token without end */
    uint8_t session[LAMP_TOKEN_DIGEST]; /* digest of the session id; all zero: a token */
    int64_t session_id, token_id;       /* for lists; one of them is 0 */
};

/* A web session as lists show it. */
struct lamp_session_view {
    int64_t id;
    char user[LAMP_ACCOUNT_NAME];
    struct lamp_addr from; /* where it logged in */
    uint64_t opened_us, used_us, expires_us;
};

/* Loads accounts and tokens. Where there is no account, makes `admin` and puts its password into
 * first_password ("" otherwise): the caller shows it, once. Where token_file does not hold a known
 * token, makes a new one for the command line, mode 0600. The store must be open for writing, and
 * not be used by another thread until the return. `why` (size bytes) says what failed. LAMP_ESTORE,
 * LAMP_ENOMEM, negated errno (token file). */
LAMP_CHECK int lamp_auth_open(lamp_store *s, const char *token_file, uint64_t now_us,
                              lamp_auth **out, char first_password[LAMP_PASSWORD], char *why,
                              size_t size);
lamp_auth *lamp_auth_close(lamp_auth *a);

/* Takes accounts and tokens as they stand in the store now. On an error those from before stay. */
LAMP_CHECK int lamp_auth_reload(lamp_auth *a, lamp_store *s);

/* Checks a password and opens a session. LAMP_EAUTH: wrong user or password, or a disabled account:
 * nothing says which. LAMP_EFULL: too many failures of this account or address of late.
 * LAMP_EAGAIN: two other passwords are being worked on right now. */
LAMP_CHECK int lamp_auth_login(lamp_auth *a, const char *user, const char *password,
                               const struct lamp_addr *from, uint64_t now_us,
                               char out_session[LAMP_SESSION_ID], struct lamp_identity *out);

/* Checks a password as a login does, and opens nothing. */
LAMP_CHECK int lamp_auth_check(lamp_auth *a, const char *user, const char *password,
                               const struct lamp_addr *from, uint64_t now_us);

/* Opens a session without a password: after its change. LAMP_EAUTH: no such account any more. */
LAMP_CHECK int lamp_auth_renew(lamp_auth *a, const char *user, const struct lamp_addr *from,
                               uint64_t now_us, char out_session[LAMP_SESSION_ID],
                               struct lamp_identity *out);

/* The argon2id string of a password. LAMP_EAGAIN as above. LAMP_ENOMEM. */
LAMP_CHECK int lamp_auth_hash(lamp_auth *a, const char *password, char out[LAMP_ACCOUNT_HASH]);

/* Makes a token of the API: its text, for whoever asked, and the digest to keep. */
void lamp_auth_make_token(char out[LAMP_API_TOKEN_TEXT], uint8_t out_digest[LAMP_TOKEN_DIGEST]);

/* Who a session id or a token belongs to; both count as used. LAMP_EAUTH: nobody. */
LAMP_CHECK int lamp_auth_session(lamp_auth *a, const char *session, uint64_t now_us,
                                 struct lamp_identity *out);
LAMP_CHECK int lamp_auth_token(lamp_auth *a, const char *token, uint64_t now_us,
                               struct lamp_identity *out);

/* Whether the identity's session or token still holds, and gives what it gave, without using it. */
bool lamp_auth_alive(lamp_auth *a, const struct lamp_identity *id, uint64_t now_us);

/* Ends the identity's session; nothing for a token. */
void lamp_auth_logout(lamp_auth *a, const struct lamp_identity *id);

/* Copies the open sessions of a user, or (NULL) of all; returns how many. */
size_t lamp_auth_sessions(lamp_auth *a, const char *user, uint64_t now_us,
                          struct lamp_session_view out[LAMP_SESSIONS_MAX]);

/* Ends a session by its number, of a user or (NULL) of anybody. *out_user: whose. LAMP_ENOENT. */
LAMP_CHECK int lamp_auth_end_session(lamp_auth *a, int64_t id, const char *user, uint64_t now_us,
                                     char out_user[LAMP_ACCOUNT_NAME]);

/* A token that was used since it was last asked for here: its number and when; 0: none. Lets the
 * caller write down "last used" now and then rather than at every request. */
int64_t lamp_auth_used_token(lamp_auth *a, uint64_t *out_used_us);

/* When a token was last used, as far as is known here since the start; 0: not. */
uint64_t lamp_auth_token_used(lamp_auth *a, int64_t id);

struct lamp_auth_counts {
    uint64_t logins, failures, limited, busy; /* since the start */
    size_t sessions, accounts, tokens;        /* as of now */
};
void lamp_auth_count(lamp_auth *a, uint64_t now_us, struct lamp_auth_counts *out);
