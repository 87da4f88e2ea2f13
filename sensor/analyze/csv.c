/* SPDX-License-Identifier: Apache-2.0 */
/* analyze_csv: a header row and a row per connection (RFC 4180). Every cell is quoted, and one
 * that a spreadsheet would take for a formula gets an apostrophe before it. */
#include "sensor/analyze/report.h"

#include <stdarg.h>

static const char *const columns[] = {
    "file",
    "client_ip",
    "client_port",
    "server_ip",
    "server_port",
    "server_name",
    "vlan",
    "transport",
    "verdict",
    "confidence",
    "family",
    "coin",
    "algorithm",
    "wallet",
    "worker",
    "agent",
    "pool",
    "platform",
    "tls",
    "sni",
    "ja4",
    "midstream",
    "jobs",
    "difficulty",
    "shares_submitted",
    "shares_accepted",
    "shares_rejected",
    "shares_stale",
    "hashrate",
    "hashrate_low",
    "hashrate_high",
    "hashrate_unit",
    "hashrate_method",
    "bytes_up",
    "bytes_down",
    "packets_up",
    "packets_down",
    "first",
    "last",
    "evidence",
    "device",
    "devices",
    "watts",
    "watts_low",
    "watts_high",
    "tunnel_kind",
    "tunnel_host",
    "tunnel_port",
};

struct row {
    FILE *out;
    bool begun;
};

static void cell(struct row *r, const char *s)
{
    fputs(r->begun ? ",\"" : "\"", r->out);
    r->begun = true;
    if (s && *s && strchr("=+-@\t\r", *s))
        putc('\'', r->out);
    for (; s && *s; s++) {
        if (*s == '"')
            putc('"', r->out);
        putc(*s, r->out);
    }
    putc('"', r->out);
}

__attribute__((format(printf, 2, 3))) static void cell_f(struct row *r, const char *fmt, ...)
{
    char buf[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(buf, sizeof(buf), fmt, args);
    va_end(args);
    cell(r, buf);
}

static void cell_endpoint(struct row *r, const struct lamp_addr *a, uint16_t port)
{
    char buf[LAMP_ADDR_STRLEN];
    cell(r, lamp_addr_str(a, buf));
    cell_f(r, "%u", port);
}

static void cell_vlans(struct row *r, const struct lamp_conn *c)
{
    char buf[8 * LAMP_VLAN_DEPTH] = "";
    size_t n = 0;
    for (size_t i = 0; i < c->n_vlans; i++)
        n += (size_t)snprintf(buf + n, sizeof(buf) - n, "%s%u", i ? " " : "", c->vlans[i]);
    cell(r, buf);
}

static void cells_rate(struct row *r, const struct lamp_conn *c,
                       const struct lamp_report_estimate *e)
{
    const struct lamp_rate rate = e->rate;
    if (rate.method == LAMP_RATE_NONE) {
        for (int i = 0; i < 5; i++)
            cell(r, "");
        return;
    }
    cell_f(r, "%.9g", rate.value);
    cell_f(r, "%.9g", rate.low);
    cell_f(r, "%.9g", rate.high);
    cell(r, c->unit ? c->unit : "H/s");
    cell(r, lamp_rate_method_name(rate.method));
}

static void cell_time(struct row *r, uint64_t t_us)
{
    cell_f(r, "%llu.%06u", (unsigned long long)(t_us / 1000000), (unsigned)(t_us % 1000000));
}

static void cell_evidence(struct row *r, const struct lamp_conn *c)
{
    char buf[LAMP_CONN_EVIDENCE * (LAMP_CONN_DETAIL + 2) + 1] = "";
    size_t n = 0;
    for (size_t i = 0; i < c->n_evidence; i++)
        n += (size_t)snprintf(buf + n, sizeof(buf) - n, "%s%s", i ? "; " : "",
                              c->evidence[i].detail);
    cell(r, buf);
}

static void cells_hardware(struct row *r, const struct lamp_report_estimate *e)
{
    const struct lamp_hardware *h = &e->hardware;
    cell(r, h->n ? h->guesses[0].model : "");
    const double v[] = { h->count.value, h->watts.value, h->watts.low, h->watts.high };
    for (size_t i = 0; i < ARRAY_LEN(v); i++)
        if (v[i] > 0)
            cell_f(r, "%.4g", v[i]);
        else
            cell(r, "");
}

static void cells_identity(struct row *r, const struct lamp_conn *c)
{
    cell(r, c->family);
    cell(r, c->coin);
    cell(r, c->algorithm);
    cell(r, lamp_conn_current(&c->wallets));
    cell(r, lamp_conn_current(&c->workers));
    cell(r, c->agent);
    cell(r, c->pool);
    cell(r, c->platform);
    cell(r, c->tls ? "yes" : "no");
    cell(r, c->sni);
    cell(r, c->ja4);
    cell(r, c->midstream ? "yes" : "no");
}

static void cells_numbers(struct row *r, const struct lamp_conn *c,
                          const struct lamp_report_estimate *e)
{
    cell_f(r, "%u", c->jobs);
    if (c->difficulty > 0)
        cell_f(r, "%.9g", c->difficulty);
    else
        cell(r, "");
    cell_f(r, "%u", c->shares.submitted);
    cell_f(r, "%u", c->shares.accepted);
    cell_f(r, "%u", c->shares.rejected);
    cell_f(r, "%u", c->shares.stale);
    cells_rate(r, c, e);
    cell_f(r, "%llu", (unsigned long long)c->bytes[LAMP_UP]);
    cell_f(r, "%llu", (unsigned long long)c->bytes[LAMP_DOWN]);
    cell_f(r, "%llu", (unsigned long long)c->packets[LAMP_UP]);
    cell_f(r, "%llu", (unsigned long long)c->packets[LAMP_DOWN]);
    cell_time(r, c->first_us);
    cell_time(r, c->last_us);
}

static void begin(FILE *out)
{
    struct row r = { out, false };
    for (size_t i = 0; i < ARRAY_LEN(columns); i++)
        cell(&r, columns[i]);
    fputs("\r\n", out);
}

static void connection(FILE *out, const char *file, const struct lamp_conn *c,
                       const struct lamp_report_estimate *e)
{
    struct row r = { out, false };
    cell(&r, file);
    cell_endpoint(&r, &c->client, c->client_port);
    cell_endpoint(&r, &c->server, c->server_port);
    cell(&r, *c->server_name ? c->server_name : c->sni);
    cell_vlans(&r, c);
    cell(&r, c->ip_proto == 17 ? "udp" : "tcp");
    cell(&r, lamp_verdict_name(c->verdict));
    cell_f(&r, "%.4f", c->confidence);
    cells_identity(&r, c);
    cells_numbers(&r, c, e);
    cell_evidence(&r, c);
    cells_hardware(&r, e);
    cell(&r, c->tunnel.kind);
    cell(&r, c->tunnel.host);
    if (c->tunnel.port)
        cell_f(&r, "%u", c->tunnel.port);
    else
        cell(&r, "");
    fputs("\r\n", out);
}

static void end(FILE *out, const struct lamp_report_summary *s)
{
    (void)out, (void)s;
}

const struct lamp_report_form lamp_report_csv = { begin, connection, end };
