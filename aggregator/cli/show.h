/* SPDX-License-Identifier: Apache-2.0 */
/* show: answers of the API for people: tables, units, ages. Text from the network is made safe
 * for a terminal. Everything goes to stdout. */
#pragma once

#include <jansson.h>

void lamp_show_status(const json_t *status);
void lamp_show_sensors(const json_t *list, double now);
void lamp_show_keys(const json_t *answer, const json_t *sensors, double now);
void lamp_show_key(const char *done, const json_t *key);
void lamp_show_token(const json_t *token, double now);
void lamp_show_miners(const json_t *list, double now);
void lamp_show_miner(const json_t *miner, double now);
void lamp_show_traffic(const json_t *answer);
void lamp_show_addresses(const json_t *list);
void lamp_show_blocks(const json_t *list, double now);
void lamp_show_sites(const json_t *list, double now);
void lamp_show_estimates(const json_t *answer, const char *by);
void lamp_show_timeline(const json_t *answer, double now);
void lamp_show_users(const json_t *list, double now);
void lamp_show_tokens(const json_t *list, double now);
void lamp_show_sessions(const json_t *list, double now);
void lamp_show_audit(const json_t *list, double now);
void lamp_show_receivers(const json_t *list, double now);
void lamp_show_policies(const json_t *list, double now);
void lamp_show_hits(const json_t *list, double now);
void lamp_show_samples(const json_t *list, double now);
void lamp_show_sample_files(const json_t *list, double now);
void lamp_show_own(const json_t *list, double now);
void lamp_show_imports(const json_t *list, double now);
void lamp_show_import(const json_t *answer);
void lamp_show_import_connections(const json_t *answer);
void lamp_show_alerts(const json_t *answer, double now);

/* What became of a block that was entered. */
void lamp_show_entered(const json_t *block);
