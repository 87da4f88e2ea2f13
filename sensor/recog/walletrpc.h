/* SPDX-License-Identifier: Apache-2.0 */
/* walletrpc: what the recognisers of wallets and nodes share: a list of method names that only their
 * coin's software has. */
#pragma once

#include "sensor/recog/recog.h"

/* Whether the line's method is one of the table. */
struct lamp_finding lamp_walletrpc_judge(const struct lamp_method *table, size_t n,
                                         const struct lamp_jsonline *line);

/* Answers count with the id of such a request. */
struct lamp_finding lamp_walletrpc_follow(struct lamp_session *s, const struct lamp_jsonline *line,
                                          enum lamp_dir dir);
