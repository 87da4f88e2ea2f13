/* SPDX-License-Identifier: Apache-2.0 */
/* policybook: what operators change of the policies, and the packet samples that policies order. The writer
 * thread's, inside its transaction. */
#pragma once

#include "aggregator/policy/rules.h"
#include "aggregator/writer/samplebook.h"

/* A command LAMP_CMD_POLICY; whoever holds policies reads them again afterwards. A new policy, and one whose
 * terms change, is in dry run, whatever is asked for. LAMP_EINVAL, LAMP_EEXIST, LAMP_EFULL, LAMP_ENOENT: `why`
 * of *r says it. LAMP_ESTORE. */
LAMP_CHECK int lamp_policybook_command(lamp_store *store, const struct lamp_command *c,
                                       uint64_t now_us, struct lamp_command_result *r);

/* Orders a sample of the host's traffic with the server, unless the policy ordered one of the miner's within a
 * day. *out_id: of the sample; 0: none, and `why` (size bytes) says why not. LAMP_ESTORE, LAMP_ENOMEM. */
LAMP_CHECK int lamp_policybook_sample(lamp_store *store, lamp_samplebook *samples,
                                      struct lamp_answers *answers, const struct lamp_policy *p,
                                      const struct lamp_rules_news *n, int64_t *out_id, char *why,
                                      size_t size);
