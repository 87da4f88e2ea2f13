/* SPDX-License-Identifier: Apache-2.0 */
/* poolbook: carries out what operators want of the catalogue, and notes it in the audit log. The
 * writer thread's, inside its transaction. */
#pragma once

#include "aggregator/handover/command.h"
#include "aggregator/handover/findings.h"

/* What the catalogue's thread found. *out_changed: the watch list is no longer what it was. LAMP_ESTORE. */
LAMP_CHECK int lamp_poolbook_finding(lamp_store *store, const struct lamp_finding *f,
                                     bool *out_changed);

/* A command LAMP_CMD_POOLS or LAMP_CMD_SWITCH. One edit alone fails as lamp_store_pool_edit() says; of
 * several each bad one is counted and left out. LAMP_ESTORE. */
LAMP_CHECK int lamp_poolbook_command(lamp_store *store, const struct lamp_command *c,
                                     uint64_t now_us, struct lamp_command_result *r);
