/* SPDX-License-Identifier: Apache-2.0 */
/* analyze_html: one page that needs nothing else: no script, no outside file, light and dark as
 * the reader's system has it. All text is escaped; the page forbids scripts besides. */
#include "sensor/analyze/report.h"

#include "common/text.h"

#include <time.h>

static const char head[] =
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
    "'unsafe-inline'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<title>Davylamp: mining in captures</title>\n<style>\n"
    ":root { color-scheme: light dark; --line: #d5d9e0; --soft: #5b6472; --head: #f2f4f7;\n"
    "  --bad: #b3261e; --warn: #8a5300; }\n"
    "@media (prefers-color-scheme: dark) { :root { --line: #3a404a; --soft: #a0a8b5;\n"
    "  --head: #23272e; --bad: #ff8a80; --warn: #ffc46b; } }\n"
    "body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem; }\n"
    "h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }\n"
    ".scroll { overflow-x: auto; }\n"
    "table { border-collapse: collapse; }\n"
    "th, td { text-align: left; vertical-align: top; padding: .4rem .7rem;\n"
    "  border-bottom: 1px solid var(--line); }\n"
    "th { background: var(--head); white-space: nowrap; }\n"
    "td.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }\n"
    "td.t { overflow-wrap: anywhere; min-width: 14rem; }\n"
    "tr.more td { padding-top: 0; } tr:has(+ tr.more) td { border-bottom: 0; }\n"
    "small, summary { color: var(--soft); } summary { font-size: .85rem; cursor: pointer; }\n"
    "ul { margin: .3rem 0; padding-left: 1.1rem; }\n"
    ".confirmed { color: var(--bad); font-weight: 600; }\n"
    ".probable { color: var(--warn); font-weight: 600; }\n"
    "</style>\n</head>\n<body>\n<h1>Mining found in captures</h1>\n"
    "<div class=\"scroll\"><table>\n<thead><tr><th>Verdict</th><th>Client</th><th>Server</th>"
    "<th>Family, coin</th><th>Wallet, worker</th><th>Shares</th><th>Hash rate</th>"
    "<th>Seen (UTC)</th></tr></thead>\n<tbody>\n";

static void escaped(FILE *out, const char *s)
{
    static const struct {
        char c;
        const char *is;
    } entities[] = {
        { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '"', "&quot;" }, { '\'', "&#39;" },
    };
    char safe[4 * 4096];
    lamp_text_safe((const uint8_t *)s, strlen(s), safe, sizeof(safe));
    for (const char *p = safe; *p; p++) {
        size_t i = 0;
        while (i < ARRAY_LEN(entities) && entities[i].c != *p)
            i++;
        if (i < ARRAY_LEN(entities))
            fputs(entities[i].is, out);
        else
            putc(*p, out);
    }
}

/* A cell of two texts, the second below and smaller; either may be missing. */
static void cell(FILE *out, const char *first, const char *second)
{
    fputs("<td class=\"t\">", out);
    escaped(out, *first ? first : "unknown");
    if (*second) {
        fputs("<br><small>", out);
        escaped(out, second);
        fputs("</small>", out);
    }
    fputs("</td>", out);
}

static void cell_endpoint(FILE *out, const struct lamp_addr *a, uint16_t port, const char *name)
{
    char ip[LAMP_ADDR_STRLEN];
    fprintf(out, lamp_addr_is_v4(a) ? "<td>%s:%u" : "<td>[%s]:%u", lamp_addr_str(a, ip), port);
    if (*name) {
        fputs("<br><small>", out);
        escaped(out, name);
        fputs("</small>", out);
    }
    fputs("</td>", out);
}

static void utc(uint64_t t_us, char *buf, size_t size)
{
    const time_t t = (time_t)(t_us / 1000000);
    struct tm tm;
    if (!gmtime_r(&t, &tm) || strftime(buf, size, "%Y-%m-%d %H:%M:%S", &tm) == 0)
        buf[0] = '\0';
}

static void cell_times(FILE *out, const struct lamp_conn *c)
{
    char first[40], last[40];
    utc(c->first_us, first, sizeof(first));
    utc(c->last_us, last, sizeof(last));
    fprintf(out, "<td class=\"n\">%s<br><small>to %s</small></td>", first, last);
}

static void cell_rate(FILE *out, const struct lamp_conn *c, const struct lamp_report_estimate *e)
{
    const struct lamp_rate r = e->rate;
    const struct lamp_rate low = { .value = r.low, .method = r.method };
    const struct lamp_rate high = { .value = r.high, .method = r.method };
    char value[48], from[48], to[48];
    if (r.method == LAMP_RATE_NONE) {
        fputs("<td class=\"n\">unknown</td>", out);
        return;
    }
    fprintf(out, "<td class=\"n\">%s<br><small>%s to %s<br>by %s</small></td>",
            lamp_report_rate_text(&r, c->unit, value, sizeof(value)),
            lamp_report_rate_text(&low, c->unit, from, sizeof(from)),
            lamp_report_rate_text(&high, c->unit, to, sizeof(to)), lamp_rate_method_name(r.method));
}

/* The row below: why we say so, and where it was. */
static void more(FILE *out, const char *file, const struct lamp_conn *c,
                 const struct lamp_report_estimate *e)
{
    char power[256];
    fputs("<tr class=\"more\"><td colspan=\"8\"><details><summary>Evidence</summary><ul>", out);
    for (size_t i = 0; i < c->n_evidence; i++) {
        fputs("<li>", out);
        escaped(out, c->evidence[i].detail);
        if (c->evidence[i].strength)
            fprintf(out, " (%s)", c->evidence[i].strength);
        fputs("</li>", out);
    }
    fputs("</ul>Software: ", out);
    escaped(out, *c->agent ? c->agent : "unknown");
    if (*lamp_report_power_text(e, power, sizeof(power))) {
        fputs("<br>Devices and power: ", out);
        escaped(out, power);
    }
    if (c->tunnel.kind) {
        fprintf(out, "<br>Through: %s, ", c->tunnel.kind);
        escaped(out, c->tunnel.host);
        fprintf(out, " port %u", c->tunnel.port);
    }
    fputs("<br>File: ", out);
    escaped(out, file);
    fputs("</details></td></tr>\n", out);
}

static void begin(FILE *out)
{
    fputs(head, out);
}

static void connection(FILE *out, const char *file, const struct lamp_conn *c,
                       const struct lamp_report_estimate *e)
{
    const char *verdict = lamp_verdict_name(c->verdict);
    fprintf(out, "<tr><td class=\"%s\">%s</td>", verdict, verdict);
    cell_endpoint(out, &c->client, c->client_port, "");
    cell_endpoint(out, &c->server, c->server_port, c->server_name);
    fprintf(out, "<td>%s<br><small>%s</small></td>", c->family ? c->family : "unknown",
            c->coin        ? c->coin
            : c->algorithm ? c->algorithm
                           : "coin unknown");
    cell(out, lamp_conn_current(&c->wallets), lamp_conn_current(&c->workers));
    fprintf(out, "<td class=\"n\">%u<br><small>%u accepted<br>%u rejected<br>%u stale</small></td>",
            c->shares.submitted, c->shares.accepted, c->shares.rejected, c->shares.stale);
    cell_rate(out, c, e);
    cell_times(out, c);
    fputs("</tr>\n", out);
    more(out, file, c, e);
}

static void end(FILE *out, const struct lamp_report_summary *s)
{
    fputs("</tbody></table></div>\n<h2>Summary</h2>\n<table>\n", out);
    const struct {
        const char *what;
        uint64_t n;
    } rows[] = {
        { "Connections", s->connections },
        { "Confirmed", s->verdicts[LAMP_VERDICT_CONFIRMED] },
        { "Probable", s->verdicts[LAMP_VERDICT_PROBABLE] },
        { "Suspected", s->verdicts[LAMP_VERDICT_SUSPECTED] },
        { "Wallet or node traffic", s->verdicts[LAMP_VERDICT_WALLET] },
        { "Files read", s->files },
        { "Packets", s->packets },
        { "Bytes", s->bytes },
        { "Flows", s->flows },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        fprintf(out, "<tr><th scope=\"row\">%s</th><td class=\"n\">%llu</td></tr>\n", rows[i].what,
                (unsigned long long)rows[i].n);
    fputs("</table>\n", out);
    if (s->n_errors)
        fputs("<h2>Not read, or not to the end</h2>\n<ul>\n", out);
    for (size_t i = 0; i < s->n_errors; i++) {
        fputs("<li>", out);
        escaped(out, s->errors[i].file);
        fputs(": ", out);
        escaped(out, s->errors[i].what);
        fputs("</li>\n", out);
    }
    if (s->n_errors_left_out)
        fprintf(out, "<li>and %zu more</li>\n", s->n_errors_left_out);
    fputs(s->n_errors ? "</ul>\n</body>\n</html>\n" : "</body>\n</html>\n", out);
}

const struct lamp_report_form lamp_report_html = { begin, connection, end };
