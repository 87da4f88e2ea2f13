/* SPDX-License-Identifier: Apache-2.0 */
/* rules: holds what mining is seen against the policies, and carries out what those say that are on. A
 * block goes the way of every block (blocklist.h), so the never list, the limits and the approval by a
 * second person hold for it too; its origin is "policy NAME". Of one in dry run it is noted
 * what would have come of it, by the same questions. A server that a sanctioned rig uses is not blocked
 * where that would hit the rig. The writer thread's, inside its transactions. */
#pragma once

#include "aggregator/policy/alarms.h"
#include "aggregator/store/write.h"
#include "aggregator/writer/blocklist.h"

typedef struct lamp_rules lamp_rules;

/* A connection that mines, as it stands. */
struct lamp_rules_news {
    const char *site;
    const struct lamp_track_conn *conn;
    enum lamp_mark mark; /* of its pair */
    uint64_t now_us;
    unsigned weekday, minute; /* at the aggregator: 0 Monday; of the day */
};

struct lamp_rules_cfg {
    lamp_store *store; /* all borrowed */
    lamp_alarms *alarms;
    lamp_blocklist *blocks;
    void (*blocked)(int64_t block_id, void *arg); /* a block was entered */
    void *arg;                                    /* of both */

    /* Orders a packet sample, as lamp_policybook_sample(). NULL: none are taken. */
    int (*sample)(const struct lamp_policy *p, const struct lamp_rules_news *n, int64_t *out_id,
                  char *why, size_t size, void *arg);
};

/* Reads the policies. LAMP_ESTORE, LAMP_ENOMEM. */
LAMP_CHECK int lamp_rules_new(const struct lamp_rules_cfg *cfg, lamp_rules **out);
lamp_rules *lamp_rules_free(lamp_rules *r);

/* The policies have changed. */
LAMP_CHECK int lamp_rules_reload(lamp_rules *r);

/* LAMP_ESTORE. */
LAMP_CHECK int lamp_rules_mined(lamp_rules *r, const struct lamp_rules_news *n);

/* Whether a policy is about it; then `why` (size bytes) says what fits. Pure. */
bool lamp_rule_fits(const struct lamp_policy *p, const struct lamp_rules_news *n, char *why,
                    size_t size);

/* What is wrong with a policy, as a sentence; NULL: nothing. Pure. */
const char *lamp_rule_problem(const struct lamp_policy *p);
