/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/api/pools_json.h"

#include <stdio.h>

static void write_lines(struct lamp_json *j, const char *key, const char *list)
{
    lamp_json_array(j, key);
    while (*list) {
        const size_t n = strcspn(list, "\n");
        lamp_json_bytes(j, NULL, (struct lamp_bytes){ (const uint8_t *)list, n });
        list += n + (list[n] == '\n');
    }
    lamp_json_end(j);
}

static void write_port(struct lamp_json *j, uint16_t port)
{
    if (port)
        lamp_json_uint(j, "port", port);
    else
        lamp_json_null(j, "port");
}

static void write_addr(struct lamp_json *j, const char *key, const struct lamp_addr *a)
{
    char text[LAMP_ADDR_STRLEN];
    lamp_json_str(j, key, lamp_addr_str(a, text));
}

void lamp_api_json_pool(struct lamp_json *j, const char *key, const struct lamp_pool_view *v)
{
    lamp_json_object(j, key);
    lamp_json_int(j, "id", v->id);
    lamp_json_str(j, "name", v->name);
    write_lines(j, "coins", v->coins);
    lamp_json_uint(j, "servers", v->servers);
    lamp_json_uint(j, "addresses", v->addresses);
    lamp_json_uint(j, "entries", v->entries);
    lamp_json_uint(j, "muted", v->muted);
    lamp_json_uint(j, "up", v->up);
    lamp_json_uint(j, "listen", v->listen);
    lamp_json_uint(j, "down", v->down);
    lamp_json_time(j, "changed", v->changed_us);
    lamp_json_end(j);
}

void lamp_api_json_pool_entry(struct lamp_json *j, const char *key, const struct lamp_pool_entry *e)
{
    lamp_json_object(j, key);
    lamp_json_int(j, "id", e->id);
    lamp_json_int(j, "pool_id", e->pool_id);
    lamp_json_int(j, "server_id", e->server_id);
    lamp_json_str(j, "pool", e->pool);
    lamp_json_str(j, "fqdn", e->fqdn);
    write_port(j, e->port);
    lamp_json_str(j, "coin", e->coin);
    lamp_json_str(j, "algorithm", e->algorithm);
    lamp_json_str(j, "protocol", e->protocol);
    lamp_json_str(j, "tls", lamp_pool_tls_name(e->tls));
    lamp_json_str(j, "kind", e->kind);
    lamp_json_str(j, "source", e->source);
    lamp_json_bool(j, "legacy", e->legacy);
    lamp_json_bool(j, "installed", e->installed);
    lamp_json_bool(j, "edited", e->edited);
    lamp_json_bool(j, "active", e->active);
    lamp_json_time(j, "created", e->created_us);
    lamp_json_time(j, "changed", e->changed_us);
    lamp_json_str(j, "changed_by", e->changed_by);
    lamp_json_bool(j, "can_undo", e->versions > 1 || !e->installed);
    lamp_json_end(j);
}

void lamp_api_json_pool_server_fields(struct lamp_json *j, const struct lamp_pool_server *v)
{
    lamp_json_int(j, "id", v->id);
    lamp_json_str(j, "fqdn", v->fqdn);
    lamp_json_str(j, "cname", v->cname);
    lamp_json_str(j, "error", v->error);
    lamp_json_time(j, "resolved", v->resolved_us);
}

const char *lamp_api_pool_weak(const lamp_cdn *cdn, const struct lamp_addr *a, const char *cname,
                               uint32_t pools, char *buf, size_t size)
{
    const char *whose = lamp_cdn_find(cdn, a, cname);
    if (!whose && pools < 2)
        return NULL;
    if (whose)
        snprintf(buf, size, "it is of %s, behind which anybody's servers stand", whose);
    else
        snprintf(buf, size, "the names of %u pools lead to it", pools);
    return buf;
}

void lamp_api_json_pool_address(struct lamp_json *j, const char *key,
                                const struct lamp_pool_address *v, const lamp_cdn *cdn)
{
    char why[160];
    lamp_json_object(j, key);
    write_addr(j, "address", &v->addr);
    lamp_json_time(j, "first", v->first_us);
    lamp_json_time(j, "last", v->last_us < LAMP_POOL_LITERAL_US ? v->last_us : 0);
    lamp_json_uint(j, "pools", v->pools);
    lamp_json_str(j, "weak",
                  lamp_api_pool_weak(cdn, &v->addr, v->cname, v->pools, why, sizeof(why)));
    lamp_json_end(j);
}

void lamp_api_json_pool_endpoint(struct lamp_json *j, const char *key,
                                 const struct lamp_pool_endpoint *e)
{
    lamp_json_object(j, key);
    lamp_json_int(j, "id", e->id);
    write_addr(j, "address", &e->addr);
    lamp_json_uint(j, "port", e->port);
    lamp_json_str(j, "state", lamp_pool_state_name(e->state));
    lamp_json_time(j, "since", e->since_us);
    lamp_json_time(j, "probed", e->probed_us);
    lamp_json_time(j, "up", e->up_us);
    lamp_json_str(j, "reason", e->reason);
    lamp_json_str(j, "family", e->family);
    lamp_json_bool(j, "tls", e->tls);
    lamp_json_str(j, "banner", e->banner);
    lamp_json_str(j, "certificate", e->certificate);
    if (e->difficulty > 0)
        lamp_json_double(j, "difficulty", e->difficulty);
    else
        lamp_json_null(j, "difficulty");
    if (e->latency_us)
        lamp_json_double(j, "latency_ms", e->latency_us / 1e3);
    else
        lamp_json_null(j, "latency_ms");
    lamp_json_end(j);
}

void lamp_api_json_pool_change(struct lamp_json *j, const char *key,
                               const struct lamp_pool_change *c)
{
    lamp_json_object(j, key);
    lamp_json_time(j, "at", c->at_us);
    lamp_json_str(j, "state", lamp_pool_state_name(c->state));
    lamp_json_str(j, "reason", c->reason);
    lamp_json_end(j);
}

void lamp_api_json_pool_version(struct lamp_json *j, const struct lamp_pool_version *v)
{
    lamp_json_object(j, NULL);
    lamp_json_int(j, "entry_id", v->entry_id);
    lamp_json_uint(j, "no", v->no);
    lamp_json_time(j, "at", v->at_us);
    lamp_json_str(j, "actor", v->actor);
    lamp_json_str(j, "action", v->action);
    lamp_json_str(j, "fqdn", v->fqdn);
    write_port(j, v->port);
    lamp_json_str(j, "coin", v->coin);
    lamp_json_str(j, "algorithm", v->algorithm);
    lamp_json_str(j, "protocol", v->protocol);
    lamp_json_str(j, "tls", lamp_pool_tls_name(v->tls));
    lamp_json_bool(j, "active", v->active);
    lamp_json_end(j);
}
