/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/imports/result.h"

#include "common/text.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

enum {
    HOSTS_MAX = 256, /* told apart; more are "more than" so many */
    HOSTS_SAID = 3,
    EVIDENCE_SAID = 2,
    HOST = 48,
};

#define MINUTE_S 60
#define TIME_MAX_S 32503680000.0 /* the year 3000 */

/* The connection that the answer tells of. */
struct best {
    enum lamp_verdict verdict;
    double confidence;
    char text[200];     /* "XMR at pool.example:3333 (stratum-v1)" */
    char evidence[240]; /* "client line 1: method login; ..." */
};

struct lamp_result {
    lamp_result_rows_fn *fn;
    void *arg;
    struct lamp_import_rows rows;
    struct lamp_import_file file;
    uint64_t conns, minutes, json_bytes; /* kept */
    struct best best;
    char hosts[HOSTS_MAX][HOST]; /* that mine */
    size_t n_hosts;
    bool more_hosts;
    bool summed; /* the capture under way has its summary */
    char error[LAMP_IMPORT_TEXT];
};

int lamp_result_new(uint64_t files, lamp_result_rows_fn *fn, void *arg, lamp_result **out)
{
    lamp_result *r = calloc(1, sizeof(*r));
    if (!r)
        return LAMP_ENOMEM;
    r->rows.files = files;
    r->fn = fn;
    r->arg = arg;
    *out = r;
    return LAMP_OK;
}

static void forget_rows(lamp_result *r)
{
    for (size_t i = 0; i < r->rows.n_conns; i++)
        free((char *)(uintptr_t)r->rows.conns[i].json);
    r->rows.n_conns = r->rows.n_minutes = 0;
    r->rows.file = NULL;
}

lamp_result *lamp_result_free(lamp_result *r)
{
    if (r)
        forget_rows(r);
    free(r);
    return NULL;
}

static void flush(lamp_result *r)
{
    r->fn(&r->rows, r->arg);
    forget_rows(r);
}

void lamp_result_file(lamp_result *r, const char *name, uint64_t size)
{
    const uint32_t no = r->file.no + 1;
    r->summed = false;
    r->file = (struct lamp_import_file){ .no = no, .size = size };
    snprintf(r->file.name, sizeof(r->file.name), "%s", name);
}

/* ---- what analyze says, held against what it may say ---- */

enum { NUL = 1, STR = 2, NUM = 4, OBJ = 8, ARR = 16, BOOL = 32 };

static const struct {
    const char *key;
    unsigned types;
} conn_keys[] = {
    { "client", OBJ },
    { "server", OBJ },
    { "vlan", ARR },
    { "transport", STR },
    { "verdict", STR },
    { "confidence", NUM },
    { "family", STR | NUL },
    { "coin", STR | NUL },
    { "algorithm", STR | NUL },
    { "wallet", STR | NUL },
    { "worker", STR | NUL },
    { "agent", STR | NUL },
    { "pool", STR | NUL },
    { "platform", STR | NUL },
    { "wallets", ARR },
    { "workers", ARR },
    { "tls", BOOL },
    { "sni", STR | NUL },
    { "ja4", STR | NUL },
    { "tunnel", OBJ | NUL },
    { "midstream", BOOL },
    { "jobs", NUM },
    { "difficulty", NUM | NUL },
    { "shares", OBJ },
    { "hashrate", OBJ | NUL },
    { "devices", OBJ | NUL },
    { "power", OBJ | NUL },
    { "found", OBJ | NUL },
    { "bytes", OBJ },
    { "packets", OBJ },
    { "first", NUM | NUL },
    { "last", NUM | NUL },
    { "evidence", ARR },
};

static unsigned type_of(const json_t *v)
{
    return json_is_string(v)    ? STR
           : json_is_number(v)  ? NUM
           : json_is_object(v)  ? OBJ
           : json_is_array(v)   ? ARR
           : json_is_boolean(v) ? BOOL
                                : NUL;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s ? s : "";
}

static uint64_t count_of(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    return json_is_integer(v) && json_integer_value(v) > 0 ? (uint64_t)json_integer_value(v) : 0;
}

static uint64_t time_of(const json_t *object, const char *key)
{
    const double t = json_number_value(json_object_get(object, key));
    return t > 0 && t < TIME_MAX_S ? (uint64_t)llround(t * 1e6) : 0;
}

/* A new object of the keys that a connection has; NULL: it is none. */
static json_t *checked_conn(const json_t *line)
{
    json_t *c = json_object();
    for (size_t i = 0; c && i < ARRAY_LEN(conn_keys); i++) {
        json_t *v = json_object_get(line, conn_keys[i].key);
        if (!v || !(type_of(v) & conn_keys[i].types) ||
            json_object_set(c, conn_keys[i].key, v) != 0) {
            json_decref(c);
            c = NULL;
        }
    }
    return c;
}

static void note_times(struct lamp_import_sum *sum, uint64_t first_us, uint64_t last_us)
{
    if (first_us && (sum->first_us == 0 || first_us < sum->first_us))
        sum->first_us = first_us;
    if (last_us > sum->last_us)
        sum->last_us = last_us;
}

/* ---- what the answer is made of ---- */

static void append(char *buf, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void append(char *buf, size_t size, const char *fmt, ...)
{
    const size_t n = strlen(buf);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(buf + n, size - n, fmt, ap);
    va_end(ap);
}

static void safe(const char *text, char *buf, size_t size)
{
    lamp_text_safe((const uint8_t *)text, strlen(text), buf, size);
}

static void note_host(lamp_result *r, const json_t *c)
{
    char host[HOST];
    safe(text_of(json_object_get(c, "client"), "ip"), host, sizeof(host));
    for (size_t i = 0; i < r->n_hosts; i++)
        if (streq(r->hosts[i], host))
            return;
    if (r->n_hosts < HOSTS_MAX)
        snprintf(r->hosts[r->n_hosts++], HOST, "%s", host);
    else
        r->more_hosts = true;
}

static void describe(struct best *b, const json_t *c)
{
    const json_t *server = json_object_get(c, "server"), *e;
    const char *name = text_of(server, "name");
    char coin[24], at[96], family[40], detail[100];
    size_t i;
    safe(text_of(c, "coin"), coin, sizeof(coin));
    safe(*text_of(c, "pool") ? text_of(c, "pool")
         : *name             ? name
                             : text_of(server, "ip"),
         at, sizeof(at));
    safe(text_of(c, "family"), family, sizeof(family));
    snprintf(b->text, sizeof(b->text), "%s%sat %s port %" PRIu64 "%s%s", coin, *coin ? " " : "", at,
             count_of(server, "port"), *family ? " by " : "", family);
    b->evidence[0] = '\0';
    unsigned said = 0;
    json_array_foreach(json_object_get(c, "evidence"), i, e)
    {
        if (said == EVIDENCE_SAID || !*text_of(e, "detail"))
            continue;
        safe(text_of(e, "detail"), detail, sizeof(detail));
        append(b->evidence, sizeof(b->evidence), "%s%s", said ? "; " : "", detail);
        said++;
    }
}

static void note_best(lamp_result *r, const json_t *c, enum lamp_verdict v)
{
    const double confidence = json_number_value(json_object_get(c, "confidence"));
    if (v >= LAMP_VERDICT_PROBABLE)
        note_host(r, c);
    if (v < r->best.verdict || (v == r->best.verdict && confidence <= r->best.confidence))
        return;
    r->best.verdict = v;
    r->best.confidence = confidence;
    describe(&r->best, c);
}

/* ---- lines ---- */

static void on_connection(lamp_result *r, const json_t *line)
{
    struct lamp_import_sum *sum = &r->rows.sum;
    enum lamp_verdict v = LAMP_VERDICT_NONE;
    json_t *c = checked_conn(line);
    char *text = NULL;
    sum->connections++;
    r->file.connections++;
    if (c && lamp_verdict_parse(text_of(c, "verdict"), &v) == LAMP_OK) {
        sum->verdicts[v]++;
        note_times(sum, time_of(c, "first"), time_of(c, "last"));
        note_best(r, c, v);
        if (v > r->file.verdict)
            r->file.verdict = v;
        if (r->conns < LAMP_IMPORT_CONNS_MAX)
            text = json_dumps(c, JSON_COMPACT);
    }
    json_decref(c);
    const size_t len = text ? strlen(text) : 0;
    if (!text || len > LAMP_IMPORT_JSON_MAX || r->json_bytes + len > LAMP_IMPORT_BYTES_MAX) {
        free(text);
        sum->conns_left_out++;
        return;
    }
    r->json_bytes += len;
    r->rows.conns[r->rows.n_conns++] = (struct lamp_import_conn){
        .id = (int64_t)++r->conns, .file = r->file.no, .verdict = v, .json = text, .json_len = len
    };
    if (r->rows.n_conns == LAMP_IMPORT_ROWS)
        flush(r);
}

static void on_minute(lamp_result *r, const json_t *line)
{
    struct lamp_import_sum *sum = &r->rows.sum;
    const json_t *mining = json_object_get(line, "mining");
    const json_t *bytes = json_object_get(mining, "bytes");
    const json_t *shares = json_object_get(mining, "shares");
    const uint64_t t_us = time_of(line, "time");
    if (r->minutes == LAMP_IMPORT_MINUTES_MAX) {
        sum->minutes_left_out++;
        return;
    }
    r->minutes++;
    note_times(sum, t_us, t_us);
    r->rows.minutes[r->rows.n_minutes++] = (struct lamp_import_minute){
        .file = r->file.no,
        .minute = t_us / (MINUTE_S * UINT64_C(1000000)),
        .packets = count_of(line, "packets"),
        .bytes = count_of(line, "bytes"),
        .mining_up = count_of(bytes, "up"),
        .mining_down = count_of(bytes, "down"),
        .submitted = count_of(shares, "submitted"),
        .accepted = count_of(shares, "accepted"),
        .rejected = count_of(shares, "rejected"),
        .jobs = count_of(mining, "jobs"),
    };
    if (r->rows.n_minutes == LAMP_IMPORT_ROWS)
        flush(r);
}

static void note_error(lamp_result *r, const char *text)
{
    static const char name[] = "-: "; /* what analyze calls standard input */
    if (*r->file.error)
        return;
    if (strncmp(text, name, sizeof(name) - 1) == 0)
        text += sizeof(name) - 1;
    safe(text, r->file.error, sizeof(r->file.error));
}

static void on_summary(lamp_result *r, const json_t *line)
{
    r->summed = true;
    r->file.packets = count_of(line, "packets");
    r->rows.sum.packets += r->file.packets;
    r->rows.sum.bytes += count_of(line, "bytes");
    const json_t *first = json_array_get(json_object_get(line, "errors"), 0);
    if (first)
        note_error(r, text_of(first, "error"));
}

void lamp_result_line(lamp_result *r, const char *line, size_t len)
{
    json_t *j = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    const char *type = text_of(j, "type");
    if (streq(type, "connection"))
        on_connection(r, j);
    else if (streq(type, "minute"))
        on_minute(r, j);
    else if (streq(type, "summary"))
        on_summary(r, j);
    else
        r->rows.sum.conns_left_out++;
    json_decref(j);
}

void lamp_result_file_end(lamp_result *r, const char *error, uint64_t dropped)
{
    struct lamp_import_sum *sum = &r->rows.sum;
    if (error)
        note_error(r, error);
    else if (!r->summed)
        note_error(r, "the analysis ended without a word of what it read");
    sum->conns_left_out += dropped;
    sum->files_done++;
    if (*r->file.error) {
        sum->files_failed++;
        if (!*r->error)
            snprintf(r->error, sizeof(r->error), "%.200s: %.300s", r->file.name, r->file.error);
    }
    r->rows.file = &r->file;
    flush(r);
}

const struct lamp_import_sum *lamp_result_sum(const lamp_result *r)
{
    return &r->rows.sum;
}

const char *lamp_result_error(const lamp_result *r)
{
    return r->error;
}

/* ---- the answer ---- */

static void add_hosts(const lamp_result *r, char *buf, size_t size)
{
    append(buf, size, "%s%zu host%s mine%s (", r->more_hosts ? "more than " : "", r->n_hosts,
           r->n_hosts == 1 ? "" : "s", r->n_hosts == 1 ? "s" : "");
    for (size_t i = 0; i < r->n_hosts && i < HOSTS_SAID; i++)
        append(buf, size, "%s%s", i ? ", " : "", r->hosts[i]);
    append(buf, size, "%s)", r->n_hosts > HOSTS_SAID ? ", ..." : "");
}

const char *lamp_result_answer(const lamp_result *r, char *buf, size_t size)
{
    const struct lamp_import_sum *sum = &r->rows.sum;
    const struct best *b = &r->best;
    buf[0] = '\0';
    switch (b->verdict) {
    case LAMP_VERDICT_CONFIRMED:
    case LAMP_VERDICT_PROBABLE:
        append(buf, size, b->verdict == LAMP_VERDICT_CONFIRMED ? "Yes: " : "Probably: ");
        add_hosts(r, buf, size);
        append(buf, size, ", %s.", b->text);
        break;
    case LAMP_VERDICT_SUSPECTED:
        append(buf, size, "Perhaps: there is something suspicious and no proof, %s.", b->text);
        break;
    default:
        append(buf, size, "No: no mining in %" PRIu64 " packets of %" PRIu64 " file%s%s.",
               sum->packets, sum->files_done, sum->files_done == 1 ? "" : "s",
               b->verdict == LAMP_VERDICT_WALLET ? ", but traffic of a node or wallet" : "");
    }
    if (b->verdict > LAMP_VERDICT_WALLET && *b->evidence)
        append(buf, size, " Seen: %s.", b->evidence);
    if (sum->files_failed)
        append(buf, size, " %" PRIu64 " file%s could not be read to the end.", sum->files_failed,
               sum->files_failed == 1 ? "" : "s");
    return buf;
}
