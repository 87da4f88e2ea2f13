/* SPDX-License-Identifier: Apache-2.0 */
/* analyze_json: one object a line; every key always there, unknown is null. */
#include "sensor/analyze/report.h"

#include "common/devices_json.h"
#include "common/json.h"

enum { LINE_LIMIT = 1 << 20 };

static void put_line(FILE *out, struct lamp_json *j)
{
    lamp_json_newline(j);
    if (lamp_json_error(j) == LAMP_OK)
        (void)fwrite(j->buf, 1, j->len, out);
    lamp_json_done(j);
}

/* Text from outside (paths, error texts) may hold any bytes. */
static void text(struct lamp_json *j, const char *key, const char *s)
{
    lamp_json_bytes(j, key, lamp_bytes_of(s));
}

static void number(struct lamp_json *j, const char *key, double v)
{
    if (v > 0)
        lamp_json_double(j, key, v);
    else
        lamp_json_null(j, key);
}

static void endpoint(struct lamp_json *j, const char *key, const struct lamp_addr *a, uint16_t port)
{
    char buf[LAMP_ADDR_STRLEN];
    lamp_json_object(j, key);
    lamp_json_str(j, "ip", lamp_addr_str(a, buf));
    lamp_json_uint(j, "port", port);
}

static void names(struct lamp_json *j, const char *key, const struct lamp_conn_names *n)
{
    lamp_json_array(j, key);
    for (size_t i = 0; i < n->n; i++)
        lamp_json_str(j, NULL, n->v[i]);
    lamp_json_end(j);
}

static void both_ways(struct lamp_json *j, const char *key, const uint64_t v[2])
{
    lamp_json_object(j, key);
    lamp_json_uint(j, "up", v[LAMP_UP]);
    lamp_json_uint(j, "down", v[LAMP_DOWN]);
    lamp_json_end(j);
}

static void who(struct lamp_json *j, const struct lamp_conn *c)
{
    endpoint(j, "client", &c->client, c->client_port);
    lamp_json_end(j);
    endpoint(j, "server", &c->server, c->server_port);
    lamp_json_str(j, "name", *c->server_name ? c->server_name : c->sni);
    lamp_json_end(j);
    lamp_json_array(j, "vlan");
    for (size_t i = 0; i < c->n_vlans; i++)
        lamp_json_uint(j, NULL, c->vlans[i]);
    lamp_json_end(j);
    lamp_json_str(j, "transport", c->ip_proto == 17 ? "udp" : "tcp");
}

static void tunnel(struct lamp_json *j, const struct lamp_tunnel *t)
{
    if (!t->kind) {
        lamp_json_null(j, "tunnel");
        return;
    }
    lamp_json_object(j, "tunnel");
    lamp_json_str(j, "kind", t->kind);
    lamp_json_str(j, "host", t->host);
    if (t->port)
        lamp_json_uint(j, "port", t->port);
    else
        lamp_json_null(j, "port");
    lamp_json_end(j);
}

static void what(struct lamp_json *j, const struct lamp_conn *c)
{
    lamp_json_str(j, "verdict", lamp_verdict_name(c->verdict));
    lamp_json_double(j, "confidence", c->confidence);
    lamp_json_str(j, "family", c->family);
    lamp_json_str(j, "coin", c->coin);
    lamp_json_str(j, "algorithm", c->algorithm);
    lamp_json_str(j, "wallet", lamp_conn_current(&c->wallets));
    lamp_json_str(j, "worker", lamp_conn_current(&c->workers));
    lamp_json_str(j, "agent", c->agent);
    lamp_json_str(j, "pool", c->pool);
    lamp_json_str(j, "platform", c->platform);
    names(j, "wallets", &c->wallets);
    names(j, "workers", &c->workers);
    lamp_json_bool(j, "tls", c->tls);
    lamp_json_str(j, "sni", c->sni);
    lamp_json_str(j, "ja4", c->ja4);
    tunnel(j, &c->tunnel);
    lamp_json_bool(j, "midstream", c->midstream);
}

static void hashrate(struct lamp_json *j, const struct lamp_conn *c,
                     const struct lamp_report_estimate *e)
{
    const struct lamp_rate r = e->rate;
    if (r.method == LAMP_RATE_NONE) {
        lamp_json_null(j, "hashrate");
        return;
    }
    lamp_json_object(j, "hashrate");
    lamp_json_estimate(j, "value", r.value);
    lamp_json_estimate(j, "low", r.low);
    lamp_json_estimate(j, "high", r.high);
    lamp_json_str(j, "unit", c->unit ? c->unit : "H/s");
    lamp_json_str(j, "method", lamp_rate_method_name(r.method));
    lamp_json_end(j);
}

/* How long it took: packets of the connection and seconds since its first one. */
static void found(struct lamp_json *j, const struct lamp_conn *c)
{
    if (c->found_us == 0) {
        lamp_json_null(j, "found");
        return;
    }
    lamp_json_object(j, "found");
    lamp_json_uint(j, "packets", c->found_packets);
    lamp_json_double(j, "seconds",
                     c->found_us > c->first_us ? (double)(c->found_us - c->first_us) / 1e6 : 0);
    lamp_json_end(j);
}

static void how_much(struct lamp_json *j, const struct lamp_conn *c,
                     const struct lamp_report_estimate *e)
{
    lamp_json_uint(j, "jobs", c->jobs);
    number(j, "difficulty", c->difficulty);
    lamp_json_object(j, "shares");
    lamp_json_uint(j, "submitted", c->shares.submitted);
    lamp_json_uint(j, "accepted", c->shares.accepted);
    lamp_json_uint(j, "rejected", c->shares.rejected);
    lamp_json_uint(j, "stale", c->shares.stale);
    lamp_json_end(j);
    hashrate(j, c, e);
    lamp_devices_json(j, &e->hardware, e->price);
    found(j, c);
    both_ways(j, "bytes", c->bytes);
    both_ways(j, "packets", c->packets);
    lamp_json_time(j, "first", c->first_us);
    lamp_json_time(j, "last", c->last_us);
}

static void begin(FILE *out)
{
    (void)out;
}

static void connection(FILE *out, const char *file, const struct lamp_conn *c,
                       const struct lamp_report_estimate *e)
{
    struct lamp_json j;
    lamp_json_init(&j, LINE_LIMIT);
    lamp_json_object(&j, NULL);
    lamp_json_str(&j, "type", "connection");
    text(&j, "file", file);
    who(&j, c);
    what(&j, c);
    how_much(&j, c, e);
    lamp_json_array(&j, "evidence");
    for (size_t i = 0; i < c->n_evidence; i++) {
        lamp_json_object(&j, NULL);
        const struct lamp_conn_evidence *said = &c->evidence[i];
        lamp_json_str(&j, "kind", said->kind);
        lamp_json_str(&j, "detail", said->detail);
        lamp_json_str(&j, "from", said->dir == LAMP_UP ? "client" : "server");
        lamp_json_str(&j, "seen_in", said->field);
        lamp_json_time(&j, "time", said->t_us);
        lamp_json_str(&j, "strength", said->strength);
        lamp_json_str(&j, "refuted_by", said->refute);
        lamp_json_end(&j);
    }
    lamp_json_end(&j);
    lamp_json_end(&j);
    put_line(out, &j);
}

static void end(FILE *out, const struct lamp_report_summary *s)
{
    struct lamp_json j;
    lamp_json_init(&j, 64 * LINE_LIMIT);
    lamp_json_object(&j, NULL);
    lamp_json_str(&j, "type", "summary");
    lamp_json_uint(&j, "files", s->files);
    lamp_json_uint(&j, "packets", s->packets);
    lamp_json_uint(&j, "bytes", s->bytes);
    lamp_json_uint(&j, "flows", s->flows);
    lamp_json_uint(&j, "pool_records", s->pool_records);
    lamp_json_uint(&j, "connections", s->connections);
    for (int v = LAMP_VERDICT_CONFIRMED; v > LAMP_VERDICT_NONE; v--)
        lamp_json_uint(&j, lamp_verdict_name((enum lamp_verdict)v), s->verdicts[v]);
    lamp_json_array(&j, "errors");
    for (size_t i = 0; i < s->n_errors; i++) {
        lamp_json_object(&j, NULL);
        text(&j, "file", s->errors[i].file);
        text(&j, "error", s->errors[i].what);
        lamp_json_end(&j);
    }
    lamp_json_end(&j);
    lamp_json_end(&j);
    put_line(out, &j);
}

const struct lamp_report_form lamp_report_json = { begin, connection, end };
