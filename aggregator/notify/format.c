/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/notify/format.h"

#include "aggregator/api/json_alerts.h"
#include "aggregator/notify/ids.h"
#include "common/text.h"
#include "common/version.h"

#include <netinet/in.h>
#include <sodium.h>
#include <stdio.h>
#include <time.h>

#define PRODUCT "davylamp-aggregator"
#define SUMMARY_KIND "more-alerts"

/* MITRE ATT&CK: "Resource Hijacking" (attack.mitre.org/techniques/T1496). */
#define TECHNIQUE "T1496"

const char *lamp_notify_id(const struct lamp_notify_body *b, char out[LAMP_NOTIFY_ID])
{
    snprintf(out, LAMP_NOTIFY_ID, "%.32s-%llx-%lld", b->receiver,
             (unsigned long long)(b->m->made_us / 1000000), (long long)b->m->id);
    return out;
}

static const char *community_id(const struct lamp_notify_conn *c, char out[LAMP_COMMUNITY_ID])
{
    return lamp_community_id(c->ip_proto, &c->client, c->client_port, &c->server, c->server_port,
                             out);
}

static const char *transport(const struct lamp_notify_conn *c)
{
    return c->ip_proto == IPPROTO_UDP ? "udp" : "tcp";
}

/* What a message says of alerts that it only counts; "" nothing. */
static const char *more_text(const struct lamp_notify_body *b, char *buf, size_t size)
{
    const struct lamp_message *m = b->m;
    *buf = '\0';
    if (b->test)
        snprintf(buf, size, "This is a test: what Davylamp tells arrives here.");
    else if (m->more)
        snprintf(buf, size, "and %llu more alert%s%s%s: see the list of alerts",
                 (unsigned long long)m->more, m->more == 1 ? "" : "s", *m->summary ? ": " : "",
                 m->summary);
    return buf;
}

/* ---- webhook ---- */

static void write_connection(struct lamp_json *j, const struct lamp_notify_conn *c)
{
    char addr[LAMP_ADDR_STRLEN], id[LAMP_COMMUNITY_ID];
    if (!c || !c->known) {
        lamp_json_null(j, "connection");
        return;
    }
    lamp_json_object(j, "connection");
    lamp_json_str(j, "client", lamp_addr_str(&c->client, addr));
    lamp_json_uint(j, "client_port", c->client_port);
    lamp_json_str(j, "server", lamp_addr_str(&c->server, addr));
    lamp_json_uint(j, "server_port", c->server_port);
    lamp_json_str(j, "transport", transport(c));
    lamp_json_str(j, "community_id", community_id(c, id));
    lamp_json_end(j);
}

void lamp_notify_json(struct lamp_json *j, const struct lamp_notify_body *b)
{
    char id[LAMP_NOTIFY_ID], more[400] = "";
    lamp_json_object(j, NULL);
    lamp_json_str(j, "message", lamp_notify_id(b, id));
    lamp_json_time(j, "sent", b->now_us);
    lamp_json_bool(j, "test", b->test);
    lamp_json_array(j, "alerts");
    for (size_t i = 0; i < b->m->n; i++) {
        lamp_json_object(j, NULL);
        lamp_api_json_alert_fields(j, &b->m->v[i].v);
        write_connection(j, b->conns ? &b->conns[i] : NULL);
        lamp_json_end(j);
    }
    lamp_json_end(j);
    lamp_json_uint(j, "more", b->m->more);
    lamp_json_str(j, "summary", more_text(b, more, sizeof(more)));
    lamp_json_end(j);
}

const char *lamp_notify_sign(const char *secret, uint64_t seconds, struct lamp_bytes body,
                             char out[LAMP_NOTIFY_SIGNATURE])
{
    crypto_auth_hmacsha256_state st;
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    char at[32], hex[2 * sizeof(mac) + 1];
    const int n = snprintf(at, sizeof(at), "%llu.", (unsigned long long)seconds);
    crypto_auth_hmacsha256_init(&st, (const uint8_t *)secret, strlen(secret));
    crypto_auth_hmacsha256_update(&st, (const uint8_t *)at, (unsigned long long)n);
    crypto_auth_hmacsha256_update(&st, body.data, body.len);
    crypto_auth_hmacsha256_final(&st, mac);
    sodium_memzero(&st, sizeof(st));
    snprintf(out, LAMP_NOTIFY_SIGNATURE, "sha256=%s", lamp_hex_encode(mac, sizeof(mac), hex));
    return out;
}

/* ---- syslog ---- */

/* RFC 3339 with microseconds, UTC, as RFC 5424 section 6.2.3 has it. */
static void write_time(uint64_t t_us, char *buf, size_t size)
{
    const time_t t = (time_t)(t_us / 1000000);
    struct tm tm;
    char day[32];
    gmtime_r(&t, &tm);
    strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(buf, size, "%s.%06uZ", day, (unsigned)(t_us % 1000000));
}

/* One line of valid UTF-8 without control characters, in which the characters of `special` stand behind
 * a backslash. */
static const char *escape(const char *text, const char *special, char *buf, size_t size)
{
    size_t n = 0;
    const size_t all = strlen(text);
    for (size_t i = 0; i < all;) {
        const uint8_t *p = (const uint8_t *)text + i;
        const size_t len = lamp_utf8_len(p, all - i);
        const bool control = len == 0 || *p < 0x20 || *p == 0x7f ||
                             (len == 2 && p[0] == 0xc2 && p[1] < 0xa0); /* C1 */
        const bool quoted = !control && len == 1 && strchr(special, *p);
        if (n + len + 2 > size)
            break;
        if (quoted)
            buf[n++] = '\\';
        if (control)
            buf[n++] = ' ';
        else
            memcpy(buf + n, p, len);
        n += control ? 0 : len;
        i += len ? len : 1;
    }
    buf[n] = '\0';
    return buf;
}

/* Addresses have keys of their own where they are IPv6 (CEF, "Extension Dictionary"). */
static void write_cef_ends(const struct lamp_notify_conn *c, char *buf, size_t size)
{
    char client[LAMP_ADDR_STRLEN], server[LAMP_ADDR_STRLEN], id[LAMP_COMMUNITY_ID];
    const bool v4 = lamp_addr_is_v4(&c->client) && lamp_addr_is_v4(&c->server);
    snprintf(buf, size,
             v4 ? " src=%s dst=%s spt=%u dpt=%u proto=%s cs4Label=communityId cs4=%s"
                : " c6a2Label=source c6a2=%s c6a3Label=destination c6a3=%s spt=%u dpt=%u proto=%s"
                  " cs4Label=communityId cs4=%s",
             lamp_addr_str(&c->client, client), lamp_addr_str(&c->server, server), c->client_port,
             c->server_port, transport(c), community_id(c, id));
}

/* Header fields escape '|' and '\', extension values '=' and '\' (CEF, "Character Encoding"). */
static void write_cef(const struct lamp_notice *a, const struct lamp_notify_conn *c, char *buf,
                      size_t size)
{
    static const unsigned severities[] = { 3, 6, 9 };
    char about[160], text[2 * LAMP_ALERT_TEXT], subject[2 * LAMP_ALERT_SUBJECT], site[140];
    char ends[320] = "";
    if (c && c->known)
        write_cef_ends(c, ends, sizeof(ends));
    snprintf(buf, size,
             "CEF:0|Davylamp|" PRODUCT "|%s|%s|%s|%u|externalId=%lld rt=%llu cnt=%llu"
             " cs1Label=subject cs1=%s cs2Label=site cs2=%s%s%s msg=%s",
             LAMP_VERSION, lamp_alert_name(a->v.kind),
             escape(lamp_alert_about(a->v.kind), "|\\", about, sizeof(about)),
             severities[lamp_alert_severity(a->v.kind)], (long long)a->v.id,
             (unsigned long long)(a->v.raised_us / 1000), (unsigned long long)a->v.count,
             escape(a->subject, "=\\", subject, sizeof(subject)),
             escape(a->site, "=\\", site, sizeof(site)),
             a->v.miner_id ? " cs3Label=technique cs3=" TECHNIQUE : "", ends,
             escape(a->text, "=\\", text, sizeof(text)));
}

static void write_cef_more(const struct lamp_notify_body *b, char *buf, size_t size)
{
    char more[400] = "", text[800];
    snprintf(buf, size, "CEF:0|Davylamp|" PRODUCT "|%s|%s|%s|%u|rt=%llu cnt=%llu msg=%s",
             LAMP_VERSION, b->test ? "test" : SUMMARY_KIND, b->test ? "A test" : "More alerts",
             b->test ? 0u : 6u, (unsigned long long)(b->now_us / 1000),
             (unsigned long long)b->m->more,
             escape(more_text(b, more, sizeof(more)), "=\\", text, sizeof(text)));
}

static void write_ecs_ends(struct lamp_json *j, const struct lamp_notify_conn *c)
{
    char addr[LAMP_ADDR_STRLEN], id[LAMP_COMMUNITY_ID];
    lamp_json_object(j, "source");
    lamp_json_str(j, "ip", lamp_addr_str(&c->client, addr));
    lamp_json_uint(j, "port", c->client_port);
    lamp_json_end(j);
    lamp_json_object(j, "destination");
    lamp_json_str(j, "ip", lamp_addr_str(&c->server, addr));
    lamp_json_uint(j, "port", c->server_port);
    lamp_json_end(j);
    lamp_json_object(j, "network");
    lamp_json_str(j, "transport", transport(c));
    lamp_json_str(j, "community_id", community_id(c, id));
    lamp_json_end(j);
}

static void write_ecs_technique(struct lamp_json *j)
{
    lamp_json_object(j, "threat");
    lamp_json_str(j, "framework", "MITRE ATT&CK");
    lamp_json_object(j, "technique");
    lamp_json_array(j, "id");
    lamp_json_str(j, NULL, TECHNIQUE);
    lamp_json_end(j);
    lamp_json_array(j, "name");
    lamp_json_str(j, NULL, "Resource Hijacking");
    lamp_json_end(j);
    lamp_json_end(j);
    lamp_json_end(j);
}

/* a NULL: what a message says of those that it only counts. */
static void write_ecs(const struct lamp_notify_body *b, const struct lamp_notice *a,
                      const struct lamp_notify_conn *c, char *buf, size_t size)
{
    struct lamp_json j;
    char at[48], id[24], more[400] = "";
    write_time(a ? a->v.raised_us : b->now_us, at, sizeof(at));
    snprintf(id, sizeof(id), "%lld", a ? (long long)a->v.id : (long long)b->m->id);
    lamp_json_init_fixed(&j, buf, size);
    lamp_json_object(&j, NULL);
    lamp_json_str(&j, "@timestamp", at);
    lamp_json_str(&j, "message", a ? a->text : more_text(b, more, sizeof(more)));
    lamp_json_object(&j, "ecs");
    lamp_json_str(&j, "version", "8.11.0");
    lamp_json_end(&j);
    lamp_json_object(&j, "event");
    lamp_json_str(&j, "kind", b->test ? "event" : "alert");
    lamp_json_str(&j, "id", id);
    lamp_json_str(&j, "code", a ? lamp_alert_name(a->v.kind) : b->test ? "test" : SUMMARY_KIND);
    if (a)
        lamp_json_str(&j, "reason", lamp_alert_about(a->v.kind));
    lamp_json_int(&j, "severity", a ? (int64_t)lamp_alert_severity(a->v.kind) : 0);
    lamp_json_str(&j, "provider", "davylamp");
    lamp_json_end(&j);
    lamp_json_object(&j, "observer");
    lamp_json_str(&j, "vendor", "Davylamp");
    lamp_json_str(&j, "hostname", b->host);
    lamp_json_end(&j);
    if (a) {
        lamp_json_object(&j, "davylamp");
        lamp_json_str(&j, "subject", a->subject);
        lamp_json_str(&j, "site", a->site);
        lamp_json_uint(&j, "count", a->v.count);
        lamp_json_end(&j);
    }
    if (c && c->known)
        write_ecs_ends(&j, c);
    if (a && a->v.miner_id)
        write_ecs_technique(&j);
    lamp_json_end(&j);
    if (lamp_json_error(&j) != LAMP_OK)
        snprintf(buf, size, "{\"message\":\"an alert too long to be told: see the list\"}");
}

/* PRINTUSASCII (RFC 5424 section 6), "-" where nothing is left. */
static const char *host_field(const char *host, char *buf, size_t size)
{
    size_t n = 0;
    for (; *host && n + 1 < size; host++)
        if (*host > ' ' && *host <= '~')
            buf[n++] = *host;
    snprintf(buf + n, size - n, "%s", n ? "" : "-");
    return buf;
}

size_t lamp_notify_syslog(const struct lamp_notify_body *b, size_t i, bool ecs,
                          char out[LAMP_NOTIFY_LINE])
{
    static const unsigned levels[] = { 5, 4, 2 }; /* notice, warning, critical */
    const struct lamp_notice *a = i < b->m->n ? &b->m->v[i] : NULL;
    const struct lamp_notify_conn *c = a && b->conns ? &b->conns[i] : NULL;
    char at[48], text[LAMP_NOTIFY_LINE - 400], name[256];
    write_time(a ? a->v.raised_us : b->now_us, at, sizeof(at));
    if (ecs)
        write_ecs(b, a, c, text, sizeof(text));
    else if (a)
        write_cef(a, c, text, sizeof(text));
    else
        write_cef_more(b, text, sizeof(text));
    const int n = snprintf(out, LAMP_NOTIFY_LINE, "<%u>1 %s %s " PRODUCT " - %s - %s",
                           4 * 8 + (a         ? levels[lamp_alert_severity(a->v.kind)]
                                    : b->test ? 6
                                              : levels[1]),
                           at, host_field(b->host, name, sizeof(name)),
                           a         ? lamp_alert_name(a->v.kind)
                           : b->test ? "test"
                                     : SUMMARY_KIND,
                           text);
    return lamp_min((size_t)n, LAMP_NOTIFY_LINE - 1);
}

/* ---- e-mail ---- */

/* Of words of ours alone, so that nothing from the network stands in a header. */
static void write_subject(const struct lamp_notify_body *b, FILE *f)
{
    const struct lamp_message *m = b->m;
    enum lamp_severity worst = LAMP_SEVERITY_NOTICE;
    const uint64_t all = m->n + m->more;
    for (size_t i = 0; i < m->n; i++)
        if (lamp_alert_severity(m->v[i].v.kind) > worst)
            worst = lamp_alert_severity(m->v[i].v.kind);
    if (b->test)
        fputs("Subject: [davylamp] A test\r\n", f);
    else if (all == 1 && m->n == 1)
        fprintf(f, "Subject: [davylamp] %s: %s\r\n", lamp_severity_name(worst),
                lamp_alert_about(m->v[0].v.kind));
    else
        fprintf(f, "Subject: [davylamp] %s: %llu alerts\r\n", lamp_severity_name(worst),
                (unsigned long long)all);
}

static void write_headers(const struct lamp_notify_body *b, const char *from, const char (*to)[255],
                          size_t n_to, FILE *f)
{
    const time_t t = (time_t)(b->now_us / 1000000);
    struct tm tm;
    char date[64], id[LAMP_NOTIFY_ID], name[256];
    gmtime_r(&t, &tm);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S +0000", &tm); /* the locale is "C" */
    fprintf(f, "Date: %s\r\nFrom: %s\r\nTo: ", date, from);
    for (size_t i = 0; i < n_to; i++)
        fprintf(f, "%s%s", i ? ",\r\n " : "", to[i]);
    fputs("\r\n", f);
    write_subject(b, f);
    fprintf(f,
            "Message-ID: <%s@%s>\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n",
            lamp_notify_id(b, id),
            streq(host_field(b->host, name, sizeof(name)), "-") ? "localhost" : name);
}

static void write_alert(const struct lamp_notice *a, const struct lamp_notify_conn *c, FILE *f)
{
    char at[48], text[2 * LAMP_ALERT_TEXT], site[140], client[LAMP_ADDR_STRLEN],
        server[LAMP_ADDR_STRLEN], id[LAMP_COMMUNITY_ID];
    write_time(a->v.raised_us, at, sizeof(at));
    fprintf(f, "%s  %s  %s%s%s\n    %s\n", at, lamp_severity_name(lamp_alert_severity(a->v.kind)),
            lamp_alert_about(a->v.kind), *a->site ? ", at " : "",
            lamp_text_safe((const uint8_t *)a->site, strlen(a->site), site, sizeof(site)),
            lamp_text_safe((const uint8_t *)a->text, strlen(a->text), text, sizeof(text)));
    if (c && c->known)
        fprintf(f, "    %s port %u to %s port %u (%s), Community ID %s\n",
                lamp_addr_str(&c->client, client), c->client_port,
                lamp_addr_str(&c->server, server), c->server_port, transport(c),
                community_id(c, id));
    fprintf(f, "    alert %lld, %s%s\n\n", (long long)a->v.id, lamp_alert_name(a->v.kind),
            a->v.miner_id ? ", MITRE ATT&CK " TECHNIQUE : "");
}

static char *write_text(const struct lamp_notify_body *b, size_t *out_len)
{
    char *text = NULL, more[400] = "";
    FILE *f = open_memstream(&text, out_len);
    if (!f)
        return NULL;
    for (size_t i = 0; i < b->m->n; i++)
        write_alert(&b->m->v[i], b->conns ? &b->conns[i] : NULL, f);
    if (*more_text(b, more, sizeof(more)))
        fprintf(f, "%s\n", more);
    if (fclose(f) == 0)
        return text;
    free(text);
    return NULL;
}

/* RFC 2045 section 6.8: lines of at most 76 characters. */
static void write_base64(const char *text, size_t len, FILE *f)
{
    enum { LINE = 57 };
    char line[sodium_base64_ENCODED_LEN(LINE, sodium_base64_VARIANT_ORIGINAL)];
    for (size_t i = 0; i < len; i += LINE) {
        sodium_bin2base64(line, sizeof(line), (const uint8_t *)text + i, lamp_min(LINE, len - i),
                          sodium_base64_VARIANT_ORIGINAL);
        fprintf(f, "%s\r\n", line);
    }
}

char *lamp_notify_mail(const struct lamp_notify_body *b, const char *from, const char (*to)[255],
                       size_t n_to, size_t *out_len)
{
    char *mail = NULL;
    size_t text_len = 0;
    LAMP_AUTO_FREE char *text = write_text(b, &text_len);
    FILE *f = text ? open_memstream(&mail, out_len) : NULL;
    if (!f)
        return NULL;
    write_headers(b, from, to, n_to, f);
    write_base64(text, text_len, f);
    if (fclose(f) == 0)
        return mail;
    free(mail);
    return NULL;
}
