/* SPDX-License-Identifier: Apache-2.0 */
/* session: the two ends of a mining conversation, without sockets or clock: lines in, lines
 * out. The live programs put them on sockets, the capture writer lets them talk to each other
 * in made-up time. Nothing is hashed: a share is random digits of the right shape, and whoever
 * drives a client decides when it has found one. Same seed, same lines.
 * Plain data, no allocation that outlives a call, not thread-safe. */
#pragma once

#include "common/err.h"
#include "common/util.h"
#include "tests/support/rng.h"

enum { SIM_OUT_BYTES = 16384, SIM_TEXT = 160, SIM_LINE_BYTES = 16384 };

/* Lines waiting to be sent, each with its LF. */
struct sim_out {
    char buf[SIM_OUT_BYTES];
    size_t len;
};

/* One line of printf-formatted text plus LF; dropped whole when there is no room. */
void sim_line(struct sim_out *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

struct sim_family;

/* By the name the verdicts give the family ("stratum-v1", "kaspa"); NULL: there is none. */
const struct sim_family *sim_family_find(const char *name);

struct sim_shares {
    uint64_t submitted, accepted, rejected;
};

/* The pool's end of one connection. */
struct sim_pool {
    const struct sim_family *family;
    struct lamp_rng rng;
    double difficulty;   /* stratum-v1: as announced; otherwise hashes per share */
    double reject;       /* probability that a share is refused */
    bool authorised;     /* the miner has logged in, jobs may be sent */
    char session[33];    /* session or subscription id */
    char user[SIM_TEXT]; /* as sent by the miner */
    uint64_t job;        /* number of the newest job */
    uint64_t jobs;       /* jobs sent */
    struct sim_shares shares;
};

/* The miner's end. */
struct sim_client {
    const struct sim_family *family;
    struct lamp_rng rng;
    char user[SIM_TEXT], agent[SIM_TEXT], password[SIM_TEXT];
    char session[65]; /* id the pool gave */
    char job[80];     /* newest job: id, or header hash for eth-proxy */
    char ntime[9];
    unsigned extranonce2_bytes;
    double difficulty; /* in force, as the pool announced it; 0: none yet */
    double work;       /* expected hashes of a share of the newest job; 0: no job */
    bool logged_in;
    uint64_t next_id;
    uint64_t jobs;      /* messages that handed out work */
    uint64_t in_flight; /* shares without an answer */
    struct sim_shares shares;
};

void sim_pool_init(struct sim_pool *p, const struct sim_family *family, double difficulty,
                   double reject, uint64_t seed);

/* One line from the miner (no LF); answers go to out. LAMP_EFORMAT: not a JSON object. */
LAMP_CHECK int sim_pool_input(struct sim_pool *p, const char *line, size_t len,
                              struct sim_out *out);

/* A new job for a miner that has logged in; clean: the work before it is worthless. */
void sim_pool_job(struct sim_pool *p, bool clean, struct sim_out *out);

/* Changes the difficulty: in force from the next job on. */
void sim_pool_retarget(struct sim_pool *p, double difficulty, struct sim_out *out);

void sim_client_init(struct sim_client *c, const struct sim_family *family, const char *user,
                     const char *agent, uint64_t seed);

/* What a miner says first. */
void sim_client_hello(struct sim_client *c, struct sim_out *out);

/* One line from the pool (no LF). LAMP_EFORMAT: not a JSON object. */
LAMP_CHECK int sim_client_input(struct sim_client *c, const char *line, size_t len,
                                struct sim_out *out);

/* Submits a share of the newest job. Only when c->work > 0. */
void sim_client_share(struct sim_client *c, struct sim_out *out);

/* What the family's miners say now and then although nothing happened: a keep-alive, a request
 * for work, the hash rate they claim to have (hashes/s, 0: unknown). */
void sim_client_idle(struct sim_client *c, double hashrate, struct sim_out *out);

/* The expected hashes of one share at a difficulty as announced (detection reference 2.2). */
double sim_work(const struct sim_family *family, double difficulty);
