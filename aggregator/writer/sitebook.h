/* SPDX-License-Identifier: Apache-2.0 */
/* sitebook: the settings that operators have for the sensors of sites, and for sites themselves: kept in the store,
 * and what of them is for the sensors of a site (its policy set). The writer thread's. */
#pragma once

#include "aggregator/handover/command.h"
#include "aggregator/store/write.h"

enum { LAMP_SITEBOOK_MAX = 10000 }; /* settings of all sites together */

/* Carries out a LAMP_CMD_SETTING. LAMP_ENOENT: no such setting, no such site, or nothing to take back.
 * LAMP_EFORMAT: not a value of it. LAMP_EFULL. All with a sentence in out->why. LAMP_ESTORE. */
LAMP_CHECK int lamp_sitebook_command(lamp_store *s, const struct lamp_command *c, uint64_t now_us,
                                     struct lamp_command_result *out);

/* What is for a site (lamp_set_build_fn of sets.h; arg is the store). LAMP_ENOMEM, LAMP_ESTORE. */
LAMP_CHECK int lamp_sitebook_build(void *arg, const char *site, uint64_t now_us,
                                   struct lamp_set *out);
