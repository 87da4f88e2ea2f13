/* SPDX-License-Identifier: Apache-2.0 */
/* newblock: whether a job message means that the coin's chain has a new block, in the families that
 * say so: a height that grew, or "forget older work" (clean_jobs of mining.notify). Pure. */
#pragma once

#include "sensor/recog/jsonline.h"

/* *io_height: the height seen last in the session, 0 at its start; updated. The first job of a
 * session tells of no new block. */
bool lamp_newblock(const struct lamp_jsonline *line, double *io_height);
