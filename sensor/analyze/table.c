/* SPDX-License-Identifier: Apache-2.0 */
/* analyze_table: for a person at a terminal. Rows appear as they are found, so columns have
 * fixed widths; text from the wire is made safe to show. */
#include "sensor/analyze/report.h"

#include "common/text.h"

static const struct {
    const char *title;
    size_t width;
} columns[] = {
    { "VERDICT", 9 }, { "CLIENT", 21 }, { "SERVER", 21 }, { "FAMILY", 11 }, { "COIN", 5 },
    { "WALLET", 24 }, { "WORKER", 16 }, { "SHARES", 10 }, { "RATE", 10 },
};

static size_t characters(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += ((uint8_t)*s & 0xc0) != 0x80;
    return n;
}

static void cell(FILE *out, size_t column, const char *text)
{
    const size_t n = characters(text), width = columns[column].width;
    const bool last = column + 1 == ARRAY_LEN(columns);
    fprintf(out, "%s%*s", text, last ? 0 : (int)(n < width ? width - n + 2 : 2), "");
    if (last)
        putc('\n', out);
}

/* Untrusted text, cut to the column; "-" for none. */
static void cell_text(FILE *out, size_t column, const char *text)
{
    char safe[LAMP_CONN_TEXT];
    if (!text || !*text) {
        cell(out, column, "-");
        return;
    }
    lamp_text_safe((const uint8_t *)text, strlen(text), safe, sizeof(safe));
    if (characters(safe) > columns[column].width) {
        size_t end = 0;
        for (size_t n = 0; n + 1 < columns[column].width; n++)
            end += lamp_utf8_len((const uint8_t *)safe + end, strlen(safe + end));
        safe[end] = '~';
        safe[end + 1] = '\0';
    }
    cell(out, column, safe);
}

static const char *endpoint(const struct lamp_addr *a, uint16_t port, char *buf, size_t size)
{
    char ip[LAMP_ADDR_STRLEN];
    snprintf(buf, size, lamp_addr_is_v4(a) ? "%s:%u" : "[%s]:%u", lamp_addr_str(a, ip), port);
    return buf;
}

static void begin(FILE *out)
{
    for (size_t i = 0; i < ARRAY_LEN(columns); i++)
        cell(out, i, columns[i].title);
}

static void connection(FILE *out, const char *file, const struct lamp_conn *c,
                       const struct lamp_report_estimate *e)
{
    char client[64], server[64], shares[32] = "-", rate_text[48], power[256];
    (void)file;
    if (c->shares.submitted)
        snprintf(shares, sizeof(shares), "%u/%u", c->shares.accepted, c->shares.submitted);
    lamp_report_rate_text(&e->rate, c->unit, rate_text, sizeof(rate_text));
    cell(out, 0, lamp_verdict_name(c->verdict));
    cell(out, 1, endpoint(&c->client, c->client_port, client, sizeof(client)));
    cell(out, 2, endpoint(&c->server, c->server_port, server, sizeof(server)));
    cell_text(out, 3, c->family);
    cell_text(out, 4, c->coin);
    cell_text(out, 5, lamp_conn_current(&c->wallets));
    cell_text(out, 6, lamp_conn_current(&c->workers));
    cell(out, 7, shares);
    cell_text(out, 8, rate_text);
    if (*lamp_report_power_text(e, power, sizeof(power)))
        fprintf(out, "%*s%s\n", (int)columns[0].width + 2, "", power);
}

static void end(FILE *out, const struct lamp_report_summary *s)
{
    fprintf(
        out,
        "\n%llu connections: %llu confirmed, %llu probable, %llu suspected, %llu wallet; "
        "%llu files, %llu packets, %llu bytes, %llu flows\n",
        (unsigned long long)s->connections, (unsigned long long)s->verdicts[LAMP_VERDICT_CONFIRMED],
        (unsigned long long)s->verdicts[LAMP_VERDICT_PROBABLE],
        (unsigned long long)s->verdicts[LAMP_VERDICT_SUSPECTED],
        (unsigned long long)s->verdicts[LAMP_VERDICT_WALLET], (unsigned long long)s->files,
        (unsigned long long)s->packets, (unsigned long long)s->bytes, (unsigned long long)s->flows);
    if (s->pool_records)
        fprintf(out, "%llu flow records with an address that was a pool's then\n",
                (unsigned long long)s->pool_records);
    if (s->n_errors)
        fprintf(out, "%zu inputs could not be read or not to their end (named above)\n",
                s->n_errors + s->n_errors_left_out);
}

const struct lamp_report_form lamp_report_table = { begin, connection, end };
