/* SPDX-License-Identifier: Apache-2.0 */
/* importbook: writes down imports of captures and what was found in them, and notes in the audit log
 * what operators did. The writer thread's, inside its transaction. */
#pragma once

#include "aggregator/handover/command.h"

/* At the start: what was under way when the aggregator ended has failed. LAMP_ESTORE. */
LAMP_CHECK int lamp_importbook_open(lamp_store *store, uint64_t now_us);

/* A command LAMP_CMD_IMPORT. LAMP_ENOENT: there is none of that number, or it is over. LAMP_ESTORE. */
LAMP_CHECK int lamp_importbook_command(lamp_store *store, const struct lamp_command *c,
                                       uint64_t now_us, struct lamp_command_result *r);
