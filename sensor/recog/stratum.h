/* SPDX-License-Identifier: Apache-2.0 */
/* stratum: what the dialects of mining.* share with their base, stratum1.c. */
#pragma once

#include "sensor/recog/recog.h"

extern const struct lamp_recog lamp_recog_stratum1, lamp_recog_ethereumstratum;

/* mining.notify [job, ..] in the difficulty in force. */
void lamp_stratum_on_notify(struct lamp_session *s, const struct lamp_jsonline *line,
                            const struct lamp_jsonvalue *params);

/* The same where item number `at` of params is the target of its shares. */
void lamp_stratum_job_with_target(struct lamp_session *s, const struct lamp_jsonline *line,
                                  const struct lamp_jsonvalue *params, size_t at);

/* mining.submit [user, job, ..]. */
void lamp_stratum_on_submit(struct lamp_session *s, const struct lamp_jsonline *line,
                            const struct lamp_jsonvalue *params);

/* A share for the job, given as the value that names it (NULL: unnamed). */
void lamp_stratum_share(struct lamp_session *s, const struct lamp_jsonline *line,
                        const struct lamp_jsonvalue *job);

/* [hash rate as hex, rig id]: eth_submitHashrate and what other coins call it. */
void lamp_stratum_on_hashrate(struct lamp_session *s, const struct lamp_jsonline *line,
                              const struct lamp_jsonvalue *params);

/* A request whose answer tells nothing but that it was understood. */
void lamp_stratum_on_request(struct lamp_session *s, const struct lamp_jsonline *line,
                             const struct lamp_jsonvalue *params);
