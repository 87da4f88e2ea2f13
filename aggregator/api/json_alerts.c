/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/api/json_alerts.h"

/* MITRE ATT&CK: "Resource Hijacking" (attack.mitre.org/techniques/T1496). */
#define RESOURCE_HIJACKING "T1496"

void lamp_api_json_alert(struct lamp_json *j, const struct lamp_alert_view *v)
{
    lamp_json_object(j, NULL);
    lamp_json_int(j, "id", v->id);
    lamp_json_str(j, "kind", lamp_alert_name(v->kind));
    lamp_json_str(j, "severity", lamp_severity_name(lamp_alert_severity(v->kind)));
    lamp_json_str(j, "about", lamp_alert_about(v->kind));
    lamp_json_str(j, "subject", v->subject);
    lamp_json_str(j, "site", v->site);
    lamp_json_str(j, "text", v->text);
    if (v->miner_id)
        lamp_json_int(j, "miner", v->miner_id);
    else
        lamp_json_null(j, "miner");
    lamp_json_str(j, "technique", v->miner_id ? RESOURCE_HIJACKING : NULL);
    lamp_json_uint(j, "count", v->count);
    lamp_json_time(j, "first", v->first_us);
    lamp_json_time(j, "raised", v->raised_us);
    lamp_json_time(j, "last", v->last_us);
    lamp_json_time(j, "resolved", v->resolved_us);
    lamp_json_time(j, "acknowledged", v->acked_us);
    lamp_json_str(j, "acknowledged_by", v->acked_by);
    lamp_json_end(j);
}

void lamp_api_json_own(struct lamp_json *j, const struct lamp_own *o)
{
    lamp_json_object(j, NULL);
    lamp_json_int(j, "id", o->id);
    lamp_json_str(j, "kind", lamp_own_name(o->kind));
    lamp_json_str(j, "value", o->value);
    lamp_json_str(j, "site", o->site);
    lamp_json_str(j, "note", o->note);
    lamp_json_str(j, "added_by", o->added_by);
    lamp_json_time(j, "added", o->added_us);
    lamp_json_end(j);
}
