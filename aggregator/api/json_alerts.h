/* SPDX-License-Identifier: Apache-2.0 */
/* json_alerts: alerts and what belongs to them as the JSON objects of docs/api/openapi.yaml. Pure. */
#pragma once

#include "aggregator/store/store.h"
#include "common/json.h"

/* The members of an alert, into an object that is open; and the whole object. */
void lamp_api_json_alert_fields(struct lamp_json *j, const struct lamp_alert_view *v);
void lamp_api_json_alert(struct lamp_json *j, const struct lamp_alert_view *v);
void lamp_api_json_own(struct lamp_json *j, const struct lamp_own *o);
void lamp_api_json_policy(struct lamp_json *j, const struct lamp_policy *p);
void lamp_api_json_policy_hit(struct lamp_json *j, const struct lamp_policy_hit *h);
