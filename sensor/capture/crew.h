/* SPDX-License-Identifier: Apache-2.0 */
/* crew: helper threads that each work on something of their own in turns, and can be halted all at once:
 * between lamp_crew_halt() and lamp_crew_resume() everything they own is the caller's. All functions are
 * for the one thread that made the crew, and accept NULL, a crew of nobody. Never logs. */
#pragma once

#include "common/err.h"
#include "common/util.h"

typedef struct lamp_crew lamp_crew;

/* One turn of helper i (from 0): does what there is to do, then waits for more, but not longer than some
 * tenths of a second and not past bell_fd becoming readable. */
typedef void lamp_crew_fn(size_t i, int bell_fd, void *arg);

/* Makes a crew of n helpers, which do not run yet. LAMP_ENOMEM, negated errno. */
LAMP_CHECK int lamp_crew_new(size_t n, lamp_crew_fn *fn, void *arg, lamp_crew **out);

/* The descriptor that lamp_crew_halt() writes to. -1: nobody. */
int lamp_crew_bell(const lamp_crew *c);

/* Starts the helpers, which get no signals. Negated errno. */
LAMP_CHECK int lamp_crew_start(lamp_crew *c);

/* Waits until every helper is at the end of a turn and stands still. */
void lamp_crew_halt(lamp_crew *c);
void lamp_crew_resume(lamp_crew *c);

/* Ends the helpers after their turn. */
lamp_crew *lamp_crew_free(lamp_crew *c);
