/* SPDX-License-Identifier: Apache-2.0 */
/* baselinebook: has baselines learned, accepted, changed and taken out, each accepted change as a version of
 * its own, and notes in the audit log who did so. The writer thread's, inside its transactions. */
#pragma once

#include "aggregator/handover/command.h"
#include "aggregator/policy/habits.h"

struct lamp_baselinebook {
    lamp_store *store; /* both borrowed */
    lamp_habits *habits;
    lamp_asn_fn *asn; /* may be NULL */
    void *arg;
    uint64_t due_us; /* when lamp_baselinebook_tick() has work next; 0: at once */
};

/* A command LAMP_CMD_BASELINE. LAMP_ENOENT: there is none of that number. LAMP_EPOLICY: the host's mining is
 * not wanted, or too little is known of the window. LAMP_EFULL. LAMP_EINVAL. LAMP_ESTORE, LAMP_ENOMEM. */
LAMP_CHECK int lamp_baselinebook_command(struct lamp_baselinebook *b, const struct lamp_command *c,
                                         uint64_t now_us, struct lamp_command_result *r);

/* Learns what was to be learned until now. LAMP_ESTORE, LAMP_ENOMEM. */
LAMP_CHECK int lamp_baselinebook_tick(struct lamp_baselinebook *b, uint64_t now_us);
