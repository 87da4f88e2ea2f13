/* SPDX-License-Identifier: Apache-2.0 */
/* behaviour: how much the lengths and times of a connection's messages are those of mining: few
 * message sizes, shares at random times or reports at fixed ones, each answered at once, and work
 * that the server sends unasked. Streaming, constant size, no history; plain data, not
 * thread-safe, time is passed in.
 * A message is a TLS record, or a run of payload in one direction. The points are those of
 * docs/DETECTION.md ("Rhythm"). */
#pragma once

#include "common/util.h"
#include "sensor/engine/conn.h"

enum {
    LAMP_BEHAVIOUR_SLOTS = 4, /* message sizes told apart in each direction */
    LAMP_BEHAVIOUR_SKIP = 4,  /* messages at the start that are login and the like */
    LAMP_BEHAVIOUR_STRONG = 11,
    LAMP_BEHAVIOUR_WEAK = 8,
    LAMP_BEHAVIOUR_NONE = 0,     /* and less: speaks against mining */
    LAMP_BEHAVIOUR_NEEDS = 12,   /* messages before there is a score */
    LAMP_BEHAVIOUR_EARLY_S = 90, /* before pools set another difficulty (miningcore's default) */
};
#define LAMP_BEHAVIOUR_AGE_US UINT64_C(120000000) /* and how old it has to be */

/* Mean and variance as they come (B. P. Welford, Technometrics 4, 1962). */
struct lamp_welford {
    float mean, m2;
    uint32_t n;
};

/* A message size and the times between messages of it. */
struct lamp_behaviour_slot {
    uint16_t len, count; /* bytes; count 0: free */
    uint64_t last_us;
    struct lamp_welford gap; /* seconds */
};

struct lamp_behaviour_side {
    struct lamp_behaviour_slot slots[LAMP_BEHAVIOUR_SLOTS];
    uint32_t n;       /* messages after the first few */
    uint16_t longest; /* of those, bytes */
};

struct lamp_behaviour {
    struct lamp_behaviour_side side[2]; /* by enum lamp_dir */
    uint64_t first_us, last_us, last_up_us, last_unasked_us;
    uint64_t bytes;    /* of all messages */
    uint32_t messages; /* all of them */
    uint32_t unasked, answers;
    uint32_t early; /* the client's messages of its usual size in the first EARLY_S */
    bool is_early_over;
    struct lamp_welford unasked_gap; /* seconds */
    bool last_was_down;
};

/* Takes a message of len bytes. Time that steps back counts as no time. */
void lamp_behaviour_message(struct lamp_behaviour *b, enum lamp_dir dir, uint32_t len,
                            uint64_t t_us);

/* Whether there is enough to judge by at now_us. */
bool lamp_behaviour_is_ripe(const struct lamp_behaviour *b, uint64_t now_us);

/* The points: at most 14. What they are worth: LAMP_BEHAVIOUR_STRONG and so on. */
int lamp_behaviour_score(const struct lamp_behaviour *b, uint64_t now_us);

/* Whether it moves more than a miner ever does: 64 KiB and 4 KiB/s above what its age allows. */
bool lamp_behaviour_is_bulk(const struct lamp_behaviour *b);

/* What a person should know of it: "38 messages/min, 24 of 62 bytes up, ..." */
void lamp_behaviour_tell(const struct lamp_behaviour *b, char *out, size_t size);
