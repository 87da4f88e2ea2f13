/* SPDX-License-Identifier: Apache-2.0 */
/* session: what a recogniser learns while it follows a mining connection, and the bookkeeping
 * all families share: user names, jobs and their difficulty, requests and their answers,
 * shares and the work behind them. Fixed size, embedded in the inspection state; every
 * table is a ring that forgets its oldest entry. Not thread-safe. */
#pragma once

#include "common/catalogue.h"
#include "sensor/engine/conn.h"
#include "sensor/recog/jsonline.h"
#include "sensor/recog/odometer.h"
#include "sensor/unwrap/http.h"

enum {
    LAMP_SESSION_JOBS = 32,     /* jobs whose difficulty is remembered */
    LAMP_SESSION_REQUESTS = 48, /* requests that wait for their answer */
    LAMP_SESSION_SHARES = 64,   /* shares among which a repeated one is recognised */
};

/* The difficulty of a job in the units it came in; 0: unknown. */
struct lamp_weight {
    double difficulty; /* pool difficulty: the algorithm tells how many hashes it is */
    double hashes;     /* expected hashes of a share */
};

/* How the coin is known, the least trusted first. */
enum lamp_coin_source {
    LAMP_COIN_UNKNOWN,
    LAMP_COIN_BY_CUSTOM,    /* what is mostly mined with the algorithm */
    LAMP_COIN_BY_LIKENESS,  /* what is mostly paid to addresses of that form */
    LAMP_COIN_BY_POOL,      /* the pool's name */
    LAMP_COIN_BY_PORT,      /* the pool's name and port */
    LAMP_COIN_BY_ALGORITHM, /* the only coin mined with it, or by the protocol */
    LAMP_COIN_BY_FORM,      /* the only coin with that form of address */
    LAMP_COIN_BY_PASSWORD,  /* the miner names it */
    LAMP_COIN_BY_ADDRESS,   /* the same, and the address has the right checksum */
};

enum lamp_outcome {
    LAMP_OUTCOME_NONE,
    LAMP_OUTCOME_ACCEPTED,
    LAMP_OUTCOME_REJECTED,
    LAMP_OUTCOME_STALE
};

struct lamp_request {
    uint64_t id;      /* hash of the "id" as written; 0: free */
    const char *what; /* static: "answer to mining.submit" */
    struct lamp_weight weight;
    bool is_share;
};

struct lamp_session_job {
    uint64_t id; /* hash of the name shares give it by */
    struct lamp_weight weight;
    uint64_t t_us; /* when it came */
};

/* Sums over shares; the squares tell how unequal they are. */
struct lamp_work {
    double difficulty, hashes, difficulty_squares, hashes_squares;
    uint32_t by_difficulty, by_hashes;
};

/* What the newest HTTP request of a connection says around its body. */
struct lamp_web {
    uint32_t n;                                 /* requests so far */
    uint8_t n_user, n_password;                 /* bytes of */
    uint8_t user[LAMP_CONN_TEXT], password[32]; /* Basic authorization, cut */
    lamp_conn_text agent, target;               /* "" is unknown */
};

/* Takes a request in. */
void lamp_web_request(struct lamp_web *w, const struct lamp_http_head *head);

/* What the hashes of the first shares are, as fractions of 2^256 (proof.h). */
struct lamp_hash_values {
    uint32_t n, proven, failed; /* failed: above the target of their job */
    double greatest;
};

typedef struct lamp_proofs lamp_proofs;

struct lamp_session {
    struct lamp_conn conn;
    const lamp_catalogue *catalogue; /* borrowed, may be NULL */
    const struct lamp_web *web;      /* borrowed */
    const char *wallet_family;       /* family of catalogue coins; NULL: any */
    const char *algorithm_hint;      /* catalogue's or static; from what the pool said */
    const char *algorithm_default;   /* where nothing tells; NULL: unknown */
    /* Hashes of the user and algorithm names that were read last, and what the latter is in the
     * catalogue: nearly every line says the same again. */
    uint64_t user_said, algorithm_said;
    uint32_t new_wallets; /* how often the current wallet was one not remembered */
    const struct lamp_algorithm *algorithm_found;
    const struct lamp_coin *coin;
    enum lamp_coin_source coin_by;
    const struct lamp_algorithm *wallet_algorithm;
    const char *algorithm_looked_up;        /* the hint whose coin was looked up */
    const struct lamp_algorithm *algorithm; /* what conn.algorithm is in the catalogue */
    const struct lamp_pool *pool;
    uint8_t endpoint_known, wallet_looks; /* what look-ups have been made for */

    uint64_t now_us;            /* time of the line that is being followed */
    struct lamp_weight current; /* in force from the next job on */
    struct lamp_session_job jobs[LAMP_SESSION_JOBS];
    struct lamp_request requests[LAMP_SESSION_REQUESTS];
    uint64_t shares[LAMP_SESSION_SHARES]; /* hashes of the last submits */
    uint32_t next_job, next_request, next_share;
    uint32_t first_open; /* no request before this one waits for its answer */

    bool pool_spoke;  /* answers can be seen: count accepted shares */
    bool null_is_yes; /* a null result accepts a share, a text refuses it */
    struct lamp_work submitted, accepted;

    lamp_proofs *proofs; /* borrowed; NULL: no headers are rebuilt */
    uint8_t extranonce[32], extranonce_len;
    uint32_t version_mask;
    struct lamp_hash_values values;
    struct lamp_odometer odometer;
};

/* A 64-bit hash, never 0: for telling messages apart, not for security. */
uint64_t lamp_session_hash(struct lamp_bytes b);

/* Takes the coin (NULL: none) unless it is known by a better source; why becomes the evidence. */
void lamp_session_coin(struct lamp_session *s, const struct lamp_coin *coin,
                       enum lamp_coin_source by, const char *why);

/* The user name of a login as sent ("wallet.worker", "wallet/worker/mail", "wallet+diff"):
 * wallet up to the first separator, the rest the worker; both join the lists. */
void lamp_session_user(struct lamp_session *s, const struct lamp_jsonvalue *user);
void lamp_session_worker(struct lamp_session *s, const struct lamp_jsonvalue *worker);
void lamp_session_agent(struct lamp_session *s, const struct lamp_jsonvalue *agent);

/* The same of a user name in bytes of its own. */
void lamp_session_account(struct lamp_session *s, struct lamp_bytes user);

/* User, password and agent of the HTTP requests around the lines. */
void lamp_session_web(struct lamp_session *s);

/* The pool's host name as the miner says it, or a URL with it; kept unless the engine knew one. */
void lamp_session_host(struct lamp_session *s, const struct lamp_jsonvalue *host);

/* What the miner reports of itself, hashes/s; values that cannot be are ignored. */
void lamp_session_self_rate(struct lamp_session *s, double rate);

/* What a session of another family is as long as nothing tells more: the family of catalogue
 * coins, the algorithm, and the only coin that is mined so; each may be NULL. The wallet is looked up
 * anew. */
void lamp_session_family(struct lamp_session *s, const char *wallet_family, const char *algorithm,
                         const char *coin);

/* What a password such as "mc=LTC,c=BTC,d=4096" names: the coin mined (c= is what is paid in) and a
 * difficulty, which holds until the pool sets one. */
void lamp_session_password(struct lamp_session *s, const struct lamp_jsonvalue *password);

/* The algorithm as the pool or miner names it ("rx/0"); kept if the catalogue knows it. */
void lamp_session_algorithm(struct lamp_session *s, struct lamp_bytes name);

/* Sets the difficulty of the jobs from now on. Values that cannot be (not positive, from 2^100 on)
 * are taken for unknown. */
void lamp_session_weight(struct lamp_session *s, struct lamp_weight w);

/* A job message: counted, and its weight kept under `id`, the name that shares use. weight NULL:
 * the one in force. */
void lamp_session_job(struct lamp_session *s, struct lamp_bytes id,
                      const struct lamp_weight *weight);

/* The weight of the newest job of that name, or the one in force. */
struct lamp_weight lamp_session_weight_of(const struct lamp_session *s, struct lamp_bytes job);

/* The nonce of a share, as hex: what it tells of the miner's rate and devices (odometer.h). hashes:
 * each nonce is one hash, as in CryptoNote. */
void lamp_session_nonce(struct lamp_session *s, struct lamp_bytes job, struct lamp_bytes hex,
                        bool hashes);

/* A request of the miner with its "id", so that the answer is known when it comes. */
void lamp_session_request(struct lamp_session *s, const struct lamp_jsonline *line,
                          const char *what);

/* A share for the named job: counted once unless the very same line came before. Returns whether it
 * was counted. */
bool lamp_session_share(struct lamp_session *s, const struct lamp_jsonline *line,
                        struct lamp_bytes job, const char *what);

/* A line of the pool without "method": finds the request it answers, books the outcome of a
 * share. Returns the request's `what` and the outcome; NULL: it answers nothing known. */
const char *lamp_session_answer(struct lamp_session *s, const struct lamp_jsonline *line,
                                enum lamp_outcome *out);

/* Books the outcome of the oldest open request whose id is written like this one. Returns the
 * request's `what`; NULL: there is none. */
const char *lamp_session_book(struct lamp_session *s, const struct lamp_jsonvalue *id,
                              enum lamp_outcome outcome);

/* Whether the reason a pool gives for refusing a share is that its job was over. */
bool lamp_session_is_stale(struct lamp_bytes message);

/* The value of hex digits, most significant first, after "0x" or not; 0 if it is not hex. */
double lamp_hex_value(struct lamp_bytes hex);

/* What became of the oldest share that nothing was heard of, where answers name none. */
void lamp_session_outcome(struct lamp_session *s, enum lamp_outcome outcome);

/* Expected hashes by CryptoNote's compact target: 8 digits are a little-endian 32-bit number t and
 * mean 2^32 / t, 16 digits the same in 64 bits (STRATUM.md of xmrig-proxy); 0: neither. */
double lamp_compact_target_hashes(struct lamp_bytes hex);

/* Expected hashes of a share by its target: 2^256 / target for hex digits most significant
 * first (64 as a rule); 0 if it is not hex or zero. */
double lamp_target_hashes(struct lamp_bytes hex);

/* Brings coin, algorithm, unit, pool and platform of s->conn up to date. */
void lamp_session_identify(struct lamp_session *s);

/* Brings coin, algorithm, unit, pool, work and difficulty of s->conn up to date. */
void lamp_session_refresh(struct lamp_session *s);
