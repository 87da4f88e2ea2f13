/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/api/json.h"

#include "aggregator/notify/ids.h"

#include "common/devices_json.h"
#include "common/fingerprint.h"
#include "common/version.h"

#include <netinet/in.h>
#include <stdio.h>

static const char *const mode_names[] = { "off", "dry-run", "enforce" };
static const char *const list_state_names[] = { "none",        "empty",     "staged",
                                                "applied",     "confirmed", "refused",
                                                "rolled-back", "expired",   "off" };

static const char *const approvals[] = { "none", "waiting", "approved", "refused" };

static const char *name_of(const char *const *names, size_t n, unsigned i)
{
    return names[i < n ? i : 0];
}

static void up_down(struct lamp_json *j, const char *key, uint64_t up, uint64_t down)
{
    lamp_json_object(j, key);
    lamp_json_uint(j, "up", up);
    lamp_json_uint(j, "down", down);
    lamp_json_end(j);
}

static void coordinates(struct lamp_json *j, bool known, double latitude, double longitude)
{
    if (known) {
        lamp_json_double(j, "latitude", latitude);
        lamp_json_double(j, "longitude", longitude);
    } else {
        lamp_json_null(j, "latitude");
        lamp_json_null(j, "longitude");
    }
}

static void shares(struct lamp_json *j, uint64_t submitted, uint64_t accepted, uint64_t rejected,
                   uint64_t stale)
{
    lamp_json_object(j, "shares");
    lamp_json_uint(j, "submitted", submitted);
    lamp_json_uint(j, "accepted", accepted);
    lamp_json_uint(j, "rejected", rejected);
    lamp_json_uint(j, "stale", stale);
    lamp_json_end(j);
}

static void totals(struct lamp_json *j, const struct lamp_totals *t)
{
    up_down(j, "bytes", t->bytes_up, t->bytes_down);
    up_down(j, "packets", t->packets_up, t->packets_down);
    lamp_json_uint(j, "jobs", t->jobs);
    shares(j, t->submitted, t->accepted, t->rejected, t->stale);
}

static void rate(struct lamp_json *j, const struct lamp_rate *r, struct lamp_bytes unit)
{
    const char *method = lamp_rate_method_name(r->method);
    if (!method) {
        lamp_json_null(j, "hashrate");
        return;
    }
    lamp_json_object(j, "hashrate");
    lamp_json_estimate(j, "value", r->value);
    lamp_json_estimate(j, "low", r->low);
    lamp_json_estimate(j, "high", r->high);
    if (unit.len)
        lamp_json_bytes(j, "unit", unit);
    else
        lamp_json_str(j, "unit", "H/s");
    lamp_json_str(j, "method", method);
    lamp_json_end(j);
}

/* "a\nb" as ["a","b"]. */
static void list(struct lamp_json *j, const char *key, const char *lines)
{
    lamp_json_array(j, key);
    while (lines && *lines) {
        const size_t n = strcspn(lines, "\n");
        if (n)
            lamp_json_bytes(j, NULL, (struct lamp_bytes){ (const uint8_t *)lines, n });
        lines += n + (lines[n] == '\n');
    }
    lamp_json_end(j);
}

/* The ids of lamp_conn_row.vlan, outermost first. */
static void vlans(struct lamp_json *j, uint32_t vlan)
{
    const unsigned depth = vlan >> 24;
    lamp_json_array(j, "vlan");
    if (depth > 0)
        lamp_json_uint(j, NULL, vlan & 0xfff);
    if (depth > 1)
        lamp_json_uint(j, NULL, vlan >> 12 & 0xfff);
    lamp_json_end(j);
}

static void address(struct lamp_json *j, const char *key, const struct lamp_addr *a)
{
    char text[LAMP_ADDR_STRLEN];
    lamp_json_str(j, key, lamp_addr_str(a, text));
}

/* A string that is there even when it is empty. */
static void text(struct lamp_json *j, const char *key, const char *s)
{
    if (s && *s)
        lamp_json_str(j, key, s);
    else
        lamp_json_raw(j, key, "\"\"", 2);
}

static double seconds(int64_t us)
{
    return (double)us / 1e6;
}

void lamp_api_json_sensor_fields(struct lamp_json *j, const struct lamp_sensor_view *v)
{
    text(j, "id", v->id);
    text(j, "site", v->site);
    lamp_json_str(j, "version", v->version);
    lamp_json_bool(j, "online", v->online);
    lamp_json_time(j, "last_seen", v->last_seen_us);
    lamp_json_double(j, "clock_offset", seconds(v->clock_offset_us));
    lamp_json_uint(j, "batches", v->batches);
    lamp_json_uint(j, "duplicates", v->duplicates);
    lamp_json_uint(j, "lost", v->lost_records);
    lamp_json_uint(j, "packets", v->packets);
    lamp_json_uint(j, "bytes", v->bytes);
    lamp_json_uint(j, "drops", v->kernel_drops + v->interface_drops);
    lamp_json_uint(j, "flows", v->flows_live);
    lamp_json_uint(j, "evicted", v->flows_evicted);
    lamp_json_uint(j, "memory_bytes", v->memory_bytes);
    lamp_json_double(j, "cpu_seconds", (double)v->cpu_us / 1e6);
    lamp_json_uint(j, "uplink_bytes", v->uplink_bytes);
    lamp_json_time(j, "shared_key", v->shared_key_us);
    lamp_json_uint(j, "server_key_serial", v->server_key_serial);
    lamp_json_object(j, "enforcement");
    lamp_json_str(j, "mode", name_of(mode_names, ARRAY_LEN(mode_names), v->mode));
    lamp_json_str(j, "state",
                  name_of(list_state_names, ARRAY_LEN(list_state_names), v->list_state));
    lamp_json_uint(j, "epoch", v->list_epoch);
    lamp_json_uint(j, "serial", v->list_serial);
    lamp_json_time(j, "at", v->list_at_us);
    lamp_json_str(j, "error", v->list_error);
    lamp_json_uint(j, "elements", v->list_elements);
    lamp_json_uint(j, "repairs", v->list_repairs);
    lamp_json_uint(j, "flows_cut", v->list_flows_cut);
    if (v->about_serial > 0) {
        lamp_json_object(j, "about");
        lamp_json_uint(j, "epoch", v->about_epoch);
        lamp_json_uint(j, "serial", v->about_serial);
        lamp_json_end(j);
    } else {
        lamp_json_null(j, "about");
    }
    lamp_json_end(j);
}

void lamp_api_json_sensor_set(struct lamp_json *j, const struct lamp_sensor_set_view *v)
{
    static const char *const kinds[] = { "none", "watch", "block", "never", "policy" };
    lamp_json_object(j, NULL);
    lamp_json_str(j, "kind", name_of(kinds, ARRAY_LEN(kinds), v->kind));
    lamp_json_str(j, "state", name_of(list_state_names, ARRAY_LEN(list_state_names), v->state));
    lamp_json_uint(j, "epoch", v->epoch);
    lamp_json_uint(j, "serial", v->serial);
    lamp_json_time(j, "at", v->at_us);
    lamp_json_str(j, "error", v->error);
    lamp_json_end(j);
}

/* What the miner's rate stands for, by the algorithm it mined last. */
static void hardware(struct lamp_json *j, const struct lamp_miner_view *v,
                     const struct lamp_api_power *power)
{
    const char *all = v->algorithms ? v->algorithms : "";
    char algorithm[64];
    struct lamp_hardware h;
    snprintf(algorithm, sizeof(algorithm), "%.*s", (int)strcspn(all, "\n"), all);
    lamp_devices_estimate(power->devices, &v->rate, algorithm, v->devices, &h);
    lamp_devices_json(j, &h, lamp_facts_price(power->facts, v->site));
}

static void mark(struct lamp_json *j, const struct lamp_miner_view *v)
{
    if (v->mark == LAMP_MARK_NONE) {
        lamp_json_null(j, "mark");
        return;
    }
    lamp_json_object(j, "mark");
    lamp_json_str(j, "as", v->mark == LAMP_MARK_SANCTIONED ? "sanctioned" : "dismissed");
    text(j, "by", v->marked_by);
    lamp_json_time(j, "at", v->marked_us);
    lamp_json_str(j, "reason", v->mark_reason);
    lamp_json_end(j);
}

void lamp_api_json_miner_fields(struct lamp_json *j, const struct lamp_miner_view *v,
                                const struct lamp_api_power *power)
{
    lamp_json_int(j, "id", v->id);
    text(j, "site", v->site);
    address(j, "host", &v->host);
    vlans(j, v->vlan);
    lamp_json_str(j, "state", lamp_miner_state_name(v->state));
    lamp_json_str(j, "verdict", lamp_verdict_name(v->verdict));
    lamp_json_double(j, "confidence", v->confidence);
    mark(j, v);
    list(j, "coins", v->coins);
    list(j, "families", v->families);
    list(j, "algorithms", v->algorithms);
    list(j, "wallets", v->wallets);
    list(j, "workers", v->workers);
    list(j, "agents", v->agents);
    list(j, "pools", v->pools);
    list(j, "sensors", v->sensors);
    list(j, "platforms", v->platforms);
    rate(j, &v->rate, lamp_bytes_of(v->unit ? v->unit : ""));
    hardware(j, v, power);
    totals(j, &v->totals);
    lamp_json_uint(j, "connections", v->connections);
    lamp_json_uint(j, "open_connections", v->open_connections);
    lamp_json_time(j, "since", v->since_us);
    lamp_json_time(j, "last", v->last_us);
}

void lamp_api_json_sighting(struct lamp_json *j, const struct lamp_sighting_view *v)
{
    lamp_json_object(j, NULL);
    text(j, "kind", v->kind);
    lamp_json_str(j, "detail", v->detail);
    lamp_json_str(j, "from", lamp_side_name(v->side));
    lamp_json_str(j, "seen_in", v->field);
    lamp_json_str(j, "strength", v->strength);
    lamp_json_str(j, "refuted_by", v->refute);
    lamp_json_str(j, "sensor", v->sensor);
    lamp_json_time(j, "first", v->first_us);
    lamp_json_time(j, "last", v->last_us);
    lamp_json_end(j);
}

void lamp_api_json_step(struct lamp_json *j, const struct lamp_step_view *v)
{
    lamp_json_object(j, NULL);
    text(j, "state", v->state);
    lamp_json_time(j, "at", v->at_us);
    lamp_json_str(j, "by", v->by);
    lamp_json_str(j, "reason", v->reason);
    lamp_json_end(j);
}

/* What the aggregator itself knows. */
static void own_evidence(struct lamp_json *j, const char *kind, const char *detail)
{
    lamp_json_object(j, NULL);
    lamp_json_str(j, "kind", kind);
    lamp_json_str(j, "detail", detail);
    lamp_json_null(j, "from");
    lamp_json_str(j, "seen_in", "addresses and port");
    lamp_json_null(j, "time");
    lamp_json_str(j, "strength", "strong");
    lamp_json_str(j, "refuted_by",
                  "another service that has taken over the server's address and port");
    lamp_json_end(j);
}

static void evidence(struct lamp_json *j, const struct lamp_conn_row *r)
{
    bool sensor_recalled = false;
    lamp_json_array(j, "evidence");
    for (size_t i = 0; i < r->n_evidence && i < LAMP_WIRE_EVIDENCE_MAX; i++) {
        const struct lamp_evidence *e = &r->evidence[i];
        lamp_json_object(j, NULL);
        sensor_recalled |= lamp_bytes_eq(e->kind, "known-pair");
        lamp_json_bytes(j, "kind", e->kind);
        lamp_json_bytes(j, "detail", e->detail);
        lamp_json_str(j, "from", lamp_side_name(e->side));
        lamp_json_bytes(j, "seen_in", e->field);
        lamp_json_time(j, "time", e->t_us);
        lamp_json_bytes(j, "strength", e->strength);
        lamp_json_bytes(j, "refuted_by", e->refute);
        lamp_json_end(j);
    }
    if (r->flags & LAMP_CONN_RECALLED && !sensor_recalled)
        own_evidence(j, "known-pair",
                     "the same client had this verdict at this server within a day");
    if (r->flags & LAMP_CONN_PROBED)
        own_evidence(j, "probe", "asked, the server answers as a pool does");
    if (r->flags & LAMP_CONN_FLEET)
        own_evidence(j, "fleet",
                     "another client was confirmed to mine at this server within a day");
    lamp_json_end(j);
}

static void endpoints(struct lamp_json *j, const struct lamp_conn_row *r)
{
    lamp_json_object(j, "client");
    address(j, "ip", &r->client_addr);
    lamp_json_uint(j, "port", r->client_port);
    lamp_json_end(j);
    lamp_json_object(j, "server");
    address(j, "ip", &r->server_addr);
    lamp_json_uint(j, "port", r->server_port);
    lamp_json_bytes(j, "name", r->server_name);
    lamp_json_end(j);
}

static void tunnel(struct lamp_json *j, const struct lamp_conn_row *r)
{
    if (!r->tunnel_kind.len) {
        lamp_json_null(j, "tunnel");
        return;
    }
    lamp_json_object(j, "tunnel");
    lamp_json_bytes(j, "kind", r->tunnel_kind);
    lamp_json_bytes(j, "host", r->tunnel_host);
    if (r->tunnel_port)
        lamp_json_uint(j, "port", r->tunnel_port);
    else
        lamp_json_null(j, "port");
    lamp_json_end(j);
}

void lamp_api_json_connection(struct lamp_json *j, const struct lamp_conn_view *v)
{
    const struct lamp_conn_row *r = &v->row;
    char community[LAMP_COMMUNITY_ID];
    lamp_json_object(j, NULL);
    lamp_json_int(j, "id", v->id);
    lamp_json_int(j, "miner", v->miner_id);
    text(j, "site", v->site);
    text(j, "sensor", v->sensor);
    endpoints(j, r);
    vlans(j, r->vlan);
    lamp_json_str(j, "transport", r->ip_proto == IPPROTO_UDP ? "udp" : "tcp");
    lamp_json_str(j, "community_id",
                  lamp_community_id(r->ip_proto, &r->client_addr, r->client_port, &r->server_addr,
                                    r->server_port, community));
    lamp_json_str(j, "verdict", lamp_verdict_name(r->verdict));
    lamp_json_double(j, "confidence", (double)r->confidence / 10000);
    lamp_json_bytes(j, "family", r->family);
    lamp_json_bytes(j, "coin", r->coin);
    lamp_json_bytes(j, "algorithm", r->algorithm);
    lamp_json_bytes(j, "wallet", r->wallet);
    lamp_json_bytes(j, "worker", r->worker);
    lamp_json_bytes(j, "agent", r->agent);
    lamp_json_bytes(j, "pool", r->pool);
    lamp_json_bytes(j, "platform", r->platform);
    lamp_json_bool(j, "tls", r->flags & LAMP_CONN_TLS);
    lamp_json_bytes(j, "sni", r->sni);
    lamp_json_bytes(j, "ja4", r->ja4);
    tunnel(j, r);
    lamp_json_bool(j, "midstream", r->flags & LAMP_CONN_MIDSTREAM);
    lamp_json_bool(j, "open", v->open);
    lamp_json_uint(j, "jobs", r->jobs);
    if (r->difficulty > 0)
        lamp_json_double(j, "difficulty", r->difficulty);
    else
        lamp_json_null(j, "difficulty");
    shares(j, r->submitted, r->accepted, r->rejected, r->stale);
    rate(j, &v->rate, r->hash_unit);
    if (r->devices)
        lamp_json_uint(j, "counted_devices", r->devices);
    else
        lamp_json_null(j, "counted_devices");
    up_down(j, "bytes", r->bytes_up, r->bytes_down);
    lamp_json_str(j, "bytes_kind", r->flags & LAMP_CONN_IP_BYTES ? "ip" : "frame");
    up_down(j, "packets", r->packets_up, r->packets_down);
    lamp_json_time(j, "first", r->first_us);
    lamp_json_time(j, "last", r->last_us);
    evidence(j, r);
    lamp_json_end(j);
}

void lamp_api_json_minute(struct lamp_json *j, const struct lamp_minute_view *v, const char *unit)
{
    lamp_json_object(j, NULL);
    lamp_json_uint(j, "t", v->minute * 60);
    totals(j, &v->totals);
    rate(j, &v->rate, lamp_bytes_of(unit));
    if (v->self_rate > 0)
        lamp_json_estimate(j, "self_reported", v->self_rate);
    else
        lamp_json_null(j, "self_reported");
    lamp_json_end(j);
}

static const char *transport_name(uint8_t ip_proto)
{
    return ip_proto == IPPROTO_TCP ? "tcp" : ip_proto == IPPROTO_UDP ? "udp" : NULL;
}

void lamp_api_json_block_fields(struct lamp_json *j, const struct lamp_block_view *v,
                                uint64_t now_us)
{
    static const char *const kinds[] = { "remote", "host", "domain" };
    char target[LAMP_PREFIX_STRLEN];
    lamp_json_int(j, "id", v->id);
    lamp_json_str(j, "kind", name_of(kinds, ARRAY_LEN(kinds), v->kind));
    lamp_json_str(j, "target",
                  v->kind == LAMP_BLOCK_DOMAIN ? v->name : lamp_prefix_str(&v->prefix, target));
    if (v->port)
        lamp_json_uint(j, "port", v->port);
    else
        lamp_json_null(j, "port");
    lamp_json_str(j, "transport", transport_name(v->ip_proto));
    lamp_json_str(j, "site", v->site);
    lamp_json_str(j, "reason", v->reason);
    text(j, "created_by", v->created_by);
    lamp_json_time(j, "created", v->created_us);
    lamp_json_time(j, "expires", v->expires_us);
    lamp_json_str(j, "removed_by", v->removed_by);
    lamp_json_time(j, "removed", v->removed_us);
    lamp_json_bool(j, "active",
                   v->removed_us == 0 && v->expires_us > now_us &&
                       v->approval != LAMP_APPROVAL_WAITING);
    if (v->approval == LAMP_APPROVAL_NONE) {
        lamp_json_null(j, "approval");
        return;
    }
    lamp_json_object(j, "approval");
    lamp_json_str(j, "state", name_of(approvals, ARRAY_LEN(approvals), v->approval));
    lamp_json_str(j, "needs", v->needs);
    lamp_json_str(j, "by", v->decided_by);
    lamp_json_time(j, "at", v->decided_us);
    lamp_json_end(j);
}

void lamp_api_json_site(struct lamp_json *j, const struct lamp_site_view *v, lamp_facts *facts)
{
    double latitude = 0, longitude = 0;
    const bool placed = lamp_facts_place(facts, v->name, &latitude, &longitude);
    const double price = lamp_facts_price(facts, v->name);
    lamp_json_object(j, NULL);
    text(j, "site", v->name);
    lamp_json_uint(j, "sensors", v->sensors);
    coordinates(j, placed, latitude, longitude);
    if (price > 0)
        lamp_json_double(j, "price", price);
    else
        lamp_json_null(j, "price");
    if (v->held_us > 0) {
        lamp_json_object(j, "held");
        text(j, "by", v->held_by);
        lamp_json_time(j, "at", v->held_us);
        lamp_json_uint(j, "serial", v->hold_serial);
        lamp_json_str(j, "release_asked_by", v->release_by);
        lamp_json_end(j);
    } else {
        lamp_json_null(j, "held");
    }
    lamp_json_end(j);
}

static void coin_bytes(struct lamp_json *j, const struct lamp_coin_view *v)
{
    lamp_json_str(j, "coin", v->coin);
    lamp_json_object(j, "bytes");
    lamp_json_uint(j, "mining", v->mining_bytes);
    lamp_json_uint(j, "wallet", v->wallet_bytes);
    lamp_json_end(j);
}

void lamp_api_json_coin(struct lamp_json *j, const struct lamp_coin_view *v, enum lamp_coin_by by)
{
    char of[LAMP_ADDR_STRLEN + sizeof("[]:65535")];
    char addr[LAMP_ADDR_STRLEN];
    lamp_json_object(j, NULL);
    coin_bytes(j, v);
    lamp_json_str(j, "site", v->site);
    if (by == LAMP_COINS_BY_POOL) {
        snprintf(of, sizeof(of), lamp_addr_is_v4(&v->addr) ? "%s:%u" : "[%s]:%u",
                 lamp_addr_str(&v->addr, addr), v->port);
        lamp_json_str(j, "of", of);
    } else if (by == LAMP_COINS_BY_HOST) {
        lamp_json_str(j, "of", lamp_addr_str(&v->addr, addr));
    } else {
        lamp_json_str(j, "of", by == LAMP_COINS_BY_SITE ? v->site : v->text);
    }
    lamp_json_uint(j, "connections", v->connections);
    lamp_json_uint(j, "hosts", v->hosts);
    lamp_json_time(j, "last", v->last_us);
    lamp_json_end(j);
}

void lamp_api_json_coin_point(struct lamp_json *j, const struct lamp_coin_view *v)
{
    lamp_json_object(j, NULL);
    lamp_json_time(j, "t", v->start_us);
    coin_bytes(j, v);
    lamp_json_end(j);
}

void lamp_api_json_gap(struct lamp_json *j, const struct lamp_gap_view *v)
{
    lamp_json_object(j, NULL);
    text(j, "sensor", v->sensor);
    text(j, "site", v->site);
    lamp_json_time(j, "from", v->from_us);
    lamp_json_time(j, "to", v->to_us);
    lamp_json_time(j, "at", v->at_us);
    lamp_json_uint(j, "records", v->records);
    lamp_json_uint(j, "flows", v->flows);
    lamp_json_uint(j, "bytes", v->bytes);
    text(j, "reason", v->reason);
    lamp_json_end(j);
}

void lamp_api_json_audit(struct lamp_json *j, const struct lamp_audit_view *v)
{
    lamp_json_object(j, NULL);
    lamp_json_int(j, "no", v->no);
    lamp_json_time(j, "at", v->at_us);
    text(j, "actor", v->actor);
    text(j, "action", v->action);
    text(j, "object", v->object);
    text(j, "detail", v->detail);
    lamp_json_end(j);
}

void lamp_api_json_block_sensor(struct lamp_json *j, const struct lamp_block_sensor_view *v)
{
    lamp_json_object(j, NULL);
    text(j, "sensor", v->sensor);
    text(j, "site", v->site);
    text(j, "state", v->state);
    lamp_json_str(j, "error", v->error);
    lamp_json_uint(j, "serial", v->serial);
    lamp_json_time(j, "at", v->at_us);
    lamp_json_object(j, "hits");
    lamp_json_uint(j, "packets", v->hit_packets);
    lamp_json_uint(j, "bytes", v->hit_bytes);
    lamp_json_end(j);
    lamp_json_end(j);
}

void lamp_api_json_status(struct lamp_json *j, const struct lamp_status_view *v,
                          uint64_t started_us, uint64_t now_us, bool sample_mode,
                          const struct lamp_exporter_state *history)
{
    lamp_json_object(j, NULL);
    lamp_json_str(j, "version", LAMP_VERSION);
    lamp_json_time(j, "started", started_us);
    lamp_json_time(j, "now", now_us);
    lamp_json_bool(j, "sample_mode", sample_mode);
    lamp_json_object(j, "sensors");
    lamp_json_uint(j, "total", v->sensors);
    lamp_json_uint(j, "online", v->sensors_online);
    lamp_json_end(j);
    lamp_json_uint(j, "sites", v->sites);
    lamp_json_object(j, "miners");
    lamp_json_uint(j, "confirmed", v->miners_confirmed);
    lamp_json_uint(j, "probable", v->miners_probable);
    lamp_json_uint(j, "suspected", v->miners_suspected);
    lamp_json_uint(j, "blocked", v->miners_blocked);
    lamp_json_end(j);
    lamp_json_uint(j, "blocks", v->blocks);
    lamp_json_object(j, "ingest");
    lamp_json_uint(j, "batches", v->batches);
    lamp_json_uint(j, "rows", v->rows);
    lamp_json_uint(j, "duplicates", v->duplicates);
    lamp_json_uint(j, "lost", v->lost_records);
    lamp_json_end(j);
    lamp_json_object(j, "traffic");
    lamp_json_uint(j, "packets", v->packets);
    lamp_json_uint(j, "bytes", v->bytes);
    lamp_json_uint(j, "mining_bytes", v->mining_bytes);
    lamp_json_end(j);
    lamp_json_uint(j, "database_bytes", v->database_bytes);
    lamp_api_json_history(j, history);
    lamp_json_end(j);
}

static void out_in(struct lamp_json *j, const char *key, uint64_t out, uint64_t in)
{
    lamp_json_object(j, key);
    lamp_json_uint(j, "out", out);
    lamp_json_uint(j, "in", in);
    lamp_json_end(j);
}

static void traffic_sums(struct lamp_json *j, const struct lamp_traffic_view *v)
{
    out_in(j, "bytes", v->bytes_out, v->bytes_in);
    out_in(j, "packets", v->packets_out, v->packets_in);
    lamp_json_uint(j, "flows", v->flows);
}

void lamp_api_json_traffic(struct lamp_json *j, const struct lamp_traffic_view *v)
{
    lamp_json_object(j, NULL);
    lamp_json_str(j, "site", v->site);
    if (v->is_other) {
        lamp_json_null(j, "host");
        lamp_json_null(j, "remote");
        lamp_json_null(j, "port");
    } else {
        address(j, "host", &v->host);
        address(j, "remote", &v->remote);
        lamp_json_uint(j, "port", v->service_port);
    }
    lamp_json_str(j, "transport", transport_name(v->ip_proto));
    lamp_json_str(j, "application", v->application && *v->application ? v->application : NULL);
    lamp_json_str(j, "remote_name", v->remote_name && *v->remote_name ? v->remote_name : NULL);
    traffic_sums(j, v);
    lamp_json_time(j, "first", v->first_us);
    lamp_json_time(j, "last", v->last_us);
    lamp_json_end(j);
}

void lamp_api_json_traffic_total(struct lamp_json *j, const char *key,
                                 const struct lamp_traffic_view *v)
{
    lamp_json_object(j, key);
    traffic_sums(j, v);
    lamp_json_end(j);
}

void lamp_api_json_address(struct lamp_json *j, const struct lamp_address_view *v)
{
    const struct lamp_place *p = &v->place;
    const bool placed = *p->country || *p->city || p->has_coordinates;
    lamp_json_object(j, NULL);
    address(j, "ip", &v->addr);
    lamp_json_bool(j, "private", lamp_addr_is_private(&v->addr));
    lamp_json_str(j, "country", p->country);
    lamp_json_str(j, "region", p->region);
    lamp_json_str(j, "city", p->city);
    coordinates(j, p->has_coordinates, p->latitude, p->longitude);
    if (placed)
        lamp_json_uint(j, "place_source", p->place_source);
    else
        lamp_json_null(j, "place_source");
    if (p->asn) {
        lamp_json_uint(j, "asn", p->asn);
        lamp_json_str(j, "as_name", p->as_name);
        lamp_json_uint(j, "as_source", p->as_source);
    } else {
        lamp_json_null(j, "asn");
        lamp_json_null(j, "as_name");
        lamp_json_null(j, "as_source");
    }
    lamp_json_str(j, "host_name", v->host_name);
    lamp_json_str(j, "host_name_state", lamp_name_state_name(v->host_name_state));
    lamp_json_end(j);
}

/* ---- keys ---- */

static void fingerprint(struct lamp_json *j, const char *key)
{
    char print[LAMP_FINGERPRINT];
    lamp_json_str(j, "key", key);
    lamp_json_str(j, "fingerprint", lamp_fingerprint_z85(key, print));
}

void lamp_api_json_key(struct lamp_json *j, const struct lamp_sensor_key *k)
{
    lamp_json_object(j, NULL);
    lamp_json_int(j, "id", k->id);
    lamp_json_str(j, "sensor", k->sensor);
    lamp_json_str(j, "site", k->site);
    fingerprint(j, k->key);
    lamp_json_str(j, "state", lamp_key_state_name(k->state));
    lamp_json_time(j, "added", k->added_us);
    lamp_json_str(j, "added_by", k->added_by);
    lamp_json_time(j, "used", k->used_us);
    lamp_json_time(j, "expires", k->expires_us);
    lamp_json_time(j, "ended", k->ended_us);
    lamp_json_str(j, "ended_by", k->ended_by);
    lamp_json_time(j, "replace", k->replace_us);
    lamp_json_end(j);
}

void lamp_api_json_pending(struct lamp_json *j, const struct lamp_pending_row *r)
{
    lamp_json_object(j, NULL);
    lamp_json_int(j, "id", r->id);
    fingerprint(j, r->key);
    lamp_json_str(j, "name", r->name);
    lamp_json_str(j, "site", r->site);
    lamp_json_str(j, "version", r->version);
    address(j, "address", &r->from);
    lamp_json_time(j, "first", r->first_us);
    lamp_json_time(j, "last", r->last_us);
    lamp_json_uint(j, "asks", r->asks);
    lamp_json_end(j);
}

void lamp_api_json_token(struct lamp_json *j, const struct lamp_enroll_token *t, const char *token)
{
    lamp_json_object(j, NULL);
    lamp_json_int(j, "id", t->id);
    lamp_json_str(j, "token", token);
    lamp_json_str(j, "site", t->site);
    lamp_json_str(j, "name", t->name);
    lamp_json_time(j, "created", t->created_us);
    lamp_json_str(j, "created_by", t->created_by);
    lamp_json_time(j, "expires", t->expires_us);
    lamp_json_end(j);
}

/* ---- who may use the API ---- */

void lamp_api_json_scope(struct lamp_json *j, const char *key, const char *scope)
{
    if (!*scope) {
        lamp_json_null(j, key);
        return;
    }
    lamp_json_array(j, key);
    for (const char *at = scope; *at;) {
        const size_t len = strcspn(at, "\n");
        lamp_json_bytes(j, NULL, (struct lamp_bytes){ (const uint8_t *)at, len });
        at += len + (at[len] == '\n');
    }
    lamp_json_end(j);
}

void lamp_api_json_account(struct lamp_json *j, const struct lamp_account *a)
{
    lamp_json_object(j, NULL);
    lamp_json_str(j, "name", a->name);
    lamp_json_str(j, "role", lamp_role_name(a->role));
    lamp_api_json_scope(j, "sites", a->scope);
    lamp_json_bool(j, "disabled", a->disabled);
    lamp_json_time(j, "created", a->created_us);
    lamp_json_time(j, "password_set", a->password_us);
    lamp_json_end(j);
}

void lamp_api_json_session(struct lamp_json *j, const struct lamp_session_view *v, bool current)
{
    char from[LAMP_ADDR_STRLEN];
    lamp_json_object(j, NULL);
    lamp_json_int(j, "id", v->id);
    lamp_json_str(j, "user", v->user);
    lamp_json_str(j, "address", lamp_addr_str(&v->from, from));
    lamp_json_time(j, "opened", v->opened_us);
    lamp_json_time(j, "used", v->used_us);
    lamp_json_time(j, "expires", v->expires_us);
    lamp_json_bool(j, "current", current);
    lamp_json_end(j);
}

void lamp_api_json_api_token(struct lamp_json *j, const struct lamp_api_token *t, const char *text)
{
    lamp_json_object(j, NULL);
    lamp_json_int(j, "id", t->id);
    lamp_json_str(j, "name", t->name);
    lamp_json_str(j, "token", text);
    lamp_json_str(j, "role", lamp_role_name(t->role));
    lamp_api_json_scope(j, "sites", t->scope);
    lamp_json_time(j, "created", t->created_us);
    lamp_json_str(j, "created_by", t->created_by);
    lamp_json_time(j, "expires", t->expires_us);
    lamp_json_time(j, "used", t->used_us);
    lamp_json_end(j);
}
