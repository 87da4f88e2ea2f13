/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/api/json_alerts.h"

#include <stdio.h>

/* MITRE ATT&CK: "Resource Hijacking" (attack.mitre.org/techniques/T1496). */
#define RESOURCE_HIJACKING "T1496"

void lamp_api_json_alert_fields(struct lamp_json *j, const struct lamp_alert_view *v)
{
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
}

void lamp_api_json_alert(struct lamp_json *j, const struct lamp_alert_view *v)
{
    lamp_json_object(j, NULL);
    lamp_api_json_alert_fields(j, v);
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

static const char *const weekdays[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };

static void write_hours(struct lamp_json *j, const struct lamp_policy *p)
{
    char text[32] = "";
    if (p->from_minute != p->to_minute)
        snprintf(text, sizeof(text), "%02u:%02u-%02u:%02u", p->from_minute / 60U,
                 p->from_minute % 60U, p->to_minute / 60U, p->to_minute % 60U);
    lamp_json_str(j, "hours", text);
    lamp_json_array(j, "days");
    for (size_t i = 0; i < ARRAY_LEN(weekdays); i++)
        if (p->days >> i & 1)
            lamp_json_str(j, NULL, weekdays[i]);
    lamp_json_end(j);
}

void lamp_api_json_policy(struct lamp_json *j, const struct lamp_policy *p)
{
    lamp_json_object(j, NULL);
    lamp_json_int(j, "id", p->id);
    lamp_json_str(j, "name", p->name);
    lamp_json_str(j, "mode", lamp_policy_mode_name(p->mode));
    lamp_json_uint(j, "place", p->place);
    lamp_json_str(j, "verdict", lamp_verdict_name(p->verdict));
    lamp_json_double(j, "confidence", p->confidence / (double)LAMP_POLICY_SURE);
    lamp_json_str(j, "coin", p->coin);
    lamp_json_str(j, "pool", p->pool);
    lamp_json_str(j, "site", p->site);
    lamp_json_bool(j, "sanctioned", p->sanctioned);
    write_hours(j, p);
    lamp_json_bool(j, "alert", p->alert);
    lamp_json_uint(j, "sample", p->sample);
    lamp_json_str(j, "block", lamp_policy_block_name(p->block));
    lamp_json_bool(j, "everywhere", p->everywhere);
    lamp_json_uint(j, "lease", p->lease_s);
    lamp_json_uint(j, "longest", p->longest_s);
    lamp_json_uint(j, "grace", p->grace_s);
    lamp_json_str(j, "created_by", p->created_by);
    lamp_json_time(j, "created", p->created_us);
    lamp_json_str(j, "mode_by", p->mode_by);
    lamp_json_time(j, "mode_since", p->mode_us);
    lamp_json_end(j);
}

void lamp_api_json_policy_hit(struct lamp_json *j, const struct lamp_policy_hit *h)
{
    char addr[LAMP_ADDR_STRLEN];
    lamp_json_object(j, NULL);
    lamp_json_bool(j, "dry_run", h->dry_run);
    lamp_json_str(j, "site", h->site);
    lamp_json_str(j, "host", lamp_addr_str(&h->host, addr));
    lamp_json_uint(j, "vlan", h->vlan & 0xfff);
    lamp_json_str(j, "server", lamp_addr_str(&h->server, addr));
    lamp_json_uint(j, "port", h->server_port);
    lamp_json_str(j, "transport", h->ip_proto == 17 ? "udp" : "tcp");
    lamp_json_int(j, "miner", h->miner_id);
    lamp_json_int(j, "connection", h->conn_id);
    if (h->block_id)
        lamp_json_int(j, "block", h->block_id);
    else
        lamp_json_null(j, "block");
    lamp_json_str(j, "why", h->why);
    lamp_json_str(j, "outcome", h->outcome);
    lamp_json_time(j, "first", h->first_us);
    lamp_json_time(j, "last", h->last_us);
    lamp_json_uint(j, "count", h->count);
    lamp_json_end(j);
}
