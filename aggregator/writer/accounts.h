/* SPDX-License-Identifier: Apache-2.0 */
/* accounts: changes of who may use the API, each with its line in the audit log. Works inside the
 * writer's transaction. No state. */
#pragma once

#include "aggregator/handover/command.h"
#include "aggregator/store/write.h"

/* Carries out one of LAMP_CMD_USER_ADD and those after it. LAMP_EEXIST: an account or token has that
 * name. LAMP_ENOENT. LAMP_EFULL: LAMP_ACCOUNTS_MAX of the kind are there. LAMP_EPOLICY: nobody would be
 * left who may change accounts. LAMP_ESTORE, LAMP_ENOMEM. r->why says it in a sentence. */
LAMP_CHECK int lamp_accounts_command(lamp_store *s, const struct lamp_command *c, uint64_t now_us,
                                     struct lamp_command_result *r);
