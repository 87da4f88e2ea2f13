/* SPDX-License-Identifier: Apache-2.0 */
/* json: the views of store and places as the JSON objects of docs/api/openapi.yaml. Pure. */
#pragma once

#include "aggregator/api/facts.h"
#include "aggregator/handover/pending.h"
#include "aggregator/history/exporter.h"
#include "aggregator/http/auth.h"
#include "aggregator/places/geo.h"
#include "aggregator/places/names.h"
#include "aggregator/store/store.h"
#include "common/devices.h"
#include "common/json.h"

/* Writes the fields of a sensor without opening or closing the object; the caller adds its sets. */
void lamp_api_json_sensor_fields(struct lamp_json *j, const struct lamp_sensor_view *v);
void lamp_api_json_sensor_set(struct lamp_json *j, const struct lamp_sensor_set_view *v);

/* What devices and power are estimated with. */
struct lamp_api_power {
    const lamp_devices *devices; /* borrowed; NULL: no table, nothing is estimated */
    lamp_facts *facts;           /* what a kWh costs; NULL: not known */
};

/* Writes the fields of a miner without opening or closing the object, so that the detail call
 * can add to them. */
void lamp_api_json_miner_fields(struct lamp_json *j, const struct lamp_miner_view *v,
                                const struct lamp_api_power *power);
void lamp_api_json_sighting(struct lamp_json *j, const struct lamp_sighting_view *v);
void lamp_api_json_step(struct lamp_json *j, const struct lamp_step_view *v);
void lamp_api_json_connection(struct lamp_json *j, const struct lamp_conn_view *v);
void lamp_api_json_minute(struct lamp_json *j, const struct lamp_minute_view *v, const char *unit);
void lamp_api_json_traffic(struct lamp_json *j, const struct lamp_traffic_view *v);

/* Its sums alone, as the object `key`. */
void lamp_api_json_traffic_total(struct lamp_json *j, const char *key,
                                 const struct lamp_traffic_view *v);

/* The same for a block, whose sensors the caller adds. */
void lamp_api_json_block_fields(struct lamp_json *j, const struct lamp_block_view *v,
                                uint64_t now_us);

void lamp_api_json_site(struct lamp_json *j, const struct lamp_site_view *v, lamp_facts *facts);
void lamp_api_json_audit(struct lamp_json *j, const struct lamp_audit_view *v);
void lamp_api_json_block_sensor(struct lamp_json *j, const struct lamp_block_sensor_view *v);
/* Of history that leaves the store; NULL: null. */
void lamp_api_json_history(struct lamp_json *j, const struct lamp_exporter_state *s);
void lamp_api_json_status(struct lamp_json *j, const struct lamp_status_view *v,
                          uint64_t started_us, uint64_t now_us, bool sample_mode,
                          const struct lamp_exporter_state *history);

/* by: which of the view's fields are there. */
void lamp_api_json_coin(struct lamp_json *j, const struct lamp_coin_view *v, enum lamp_coin_by by);
void lamp_api_json_coin_point(struct lamp_json *j, const struct lamp_coin_view *v);
void lamp_api_json_gap(struct lamp_json *j, const struct lamp_gap_view *v);

/* What is known of an address. */
struct lamp_address_view {
    struct lamp_addr addr;
    struct lamp_place place;
    const char *host_name; /* "" unless KNOWN */
    enum lamp_name_state host_name_state;
};
void lamp_api_json_address(struct lamp_json *j, const struct lamp_address_view *v);

void lamp_api_json_key(struct lamp_json *j, const struct lamp_sensor_key *k);
void lamp_api_json_pending(struct lamp_json *j, const struct lamp_pending_row *r);

/* token: its text, shown once; NULL: not shown. */
void lamp_api_json_token(struct lamp_json *j, const struct lamp_enroll_token *t, const char *token);

/* The names of a scope as an array; null: every site. */
void lamp_api_json_scope(struct lamp_json *j, const char *key, const char *scope);
void lamp_api_json_account(struct lamp_json *j, const struct lamp_account *a);
void lamp_api_json_session(struct lamp_json *j, const struct lamp_session_view *v, bool current);

/* text: of the token, shown once; NULL: not shown. */
void lamp_api_json_api_token(struct lamp_json *j, const struct lamp_api_token *t, const char *text);
