/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/history/clickhouse.h"

#include "common/text.h"
#include "common/version.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <strings.h>

enum {
    CONNECT_S = 5,
    HEADERS_MAX = 32 * 1024,
    PASSWORD_MAX = 256,
    FIRST_BYTES = 4096,
};

struct lamp_clickhouse {
    const struct lamp_clickhouse_cfg *cfg;
    const atomic_bool *stop;
    CURL *curl;
    char error[CURL_ERROR_SIZE];
    char why[LAMP_CLICKHOUSE_WHY];
    enum lamp_clickhouse_fault fault;

    /* Of the answer at hand. */
    uint8_t *data;
    size_t len, size, most, header_bytes;
    bool is_clickhouse, too_long;
};

const char *lamp_clickhouse_fault_name(enum lamp_clickhouse_fault f)
{
    static const char *const names[LAMP_CLICKHOUSE_FAULTS] = { "away", "tls",     "login",
                                                               "full", "refused", "answer" };
    return names[f];
}

/* ---- the configuration ---- */

static bool is_name(const char *s)
{
    if (!isalpha((unsigned char)*s) && *s != '_')
        return false;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && *s != '_')
            return false;
    return true;
}

static int bad(char why[LAMP_CLICKHOUSE_WHY], const char *text)
{
    snprintf(why, LAMP_CLICKHOUSE_WHY, "%s", text);
    return LAMP_EINVAL;
}

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    return streq(host, "localhost") || streq(host, "[::1]") ||
           (inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET);
}

static int check_url(const struct lamp_clickhouse_cfg *cfg, char why[LAMP_CLICKHOUSE_WHY])
{
    char *scheme = NULL, *host = NULL, *user = NULL, *query = NULL;
    CURLU *u = curl_url();
    int err = LAMP_OK;
    if (!u)
        return LAMP_ENOMEM;
    if (curl_url_set(u, CURLUPART_URL, cfg->url, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        (!streq(scheme, "http") && !streq(scheme, "https")))
        err = bad(why, "clickhouse.url is no http:// or https:// address");
    else if (curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK ||
             curl_url_get(u, CURLUPART_QUERY, &query, 0) == CURLUE_OK)
        err = bad(why, "clickhouse.url: user and password have options of their own, and there is "
                       "no room for a query");
    else if (streq(scheme, "http") && *cfg->password_file && !cfg->plain_ok && !is_loopback(host))
        err = bad(why, "clickhouse.url: the password would go over plain HTTP: https://, or "
                       "clickhouse.plain_ok");
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    curl_free(query);
    curl_url_cleanup(u);
    return err;
}

/* Into a header it goes as it is. */
static bool is_header_text(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 127)
            return false;
    return true;
}

static int read_password(const struct lamp_clickhouse_cfg *cfg, char out[PASSWORD_MAX],
                         char why[LAMP_CLICKHOUSE_WHY])
{
    *out = '\0';
    if (!*cfg->password_file)
        return LAMP_OK;
    FILE *f = fopen(cfg->password_file, "re");
    const bool read = f && (fgets(out, PASSWORD_MAX, f) || !ferror(f));
    if (f)
        (void)fclose(f);
    if (!read)
        return bad(why, "clickhouse.password_file cannot be read");
    const size_t len = strcspn(out, "\r\n");
    if (len == PASSWORD_MAX - 1)
        return bad(why, "clickhouse.password_file: its first line is too long");
    out[len] = '\0';
    return is_header_text(out) ? LAMP_OK : bad(why, "clickhouse.password_file: control characters");
}

/* FNV-1a of 64 bits (draft-eastlake-fnv), each name with the NUL at its end; one bit less. */
uint64_t lamp_clickhouse_place(const struct lamp_clickhouse_cfg *cfg)
{
    const char *const names[] = { cfg->url, cfg->database, cfg->cluster };
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    if (!*cfg->url)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        for (size_t k = 0; k <= strlen(names[i]); k++)
            h = (h ^ (uint8_t)names[i][k]) * UINT64_C(0x100000001b3);
    return h >> 1 ? h >> 1 : 1;
}

int lamp_clickhouse_check(const struct lamp_clickhouse_cfg *cfg, char why[LAMP_CLICKHOUSE_WHY])
{
    char password[PASSWORD_MAX];
    if (!is_name(cfg->database))
        return bad(why, "clickhouse.database is a name of letters, digits and _");
    if (*cfg->cluster && !is_name(cfg->cluster))
        return bad(why, "clickhouse.cluster is a name of letters, digits and _");
    if (!is_header_text(cfg->user) || strlen(cfg->user) > 200)
        return bad(why, "clickhouse.user is no name");
    int err = check_url(cfg, why);
    if (!err)
        err = read_password(cfg, password, why);
    explicit_bzero(password, sizeof(password));
    return err;
}

/* ---- one request ---- */

static int is_stopped(void *arg, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
                      curl_off_t up)
{
    const struct lamp_clickhouse *c = arg;
    (void)down_all, (void)down, (void)up_all, (void)up;
    return c->stop && atomic_load(c->stop);
}

static size_t take_header(char *data, size_t size, size_t n, void *arg)
{
    static const char own[] = "X-ClickHouse-";
    struct lamp_clickhouse *c = arg;
    const size_t len = size * n;
    c->header_bytes += len;
    if (len > sizeof(own) && strncasecmp(data, own, sizeof(own) - 1) == 0)
        c->is_clickhouse = true;
    c->too_long |= c->header_bytes > HEADERS_MAX;
    return c->too_long ? 0 : len;
}

static size_t take_body(char *data, size_t size, size_t n, void *arg)
{
    struct lamp_clickhouse *c = arg;
    const size_t len = size * n;
    if (len > c->most - c->len) {
        c->too_long = true;
        return 0;
    }
    if (c->len + len > c->size) {
        size_t grown = c->size ? c->size : FIRST_BYTES;
        while (grown < c->len + len)
            grown *= 2;
        uint8_t *p = realloc(c->data, grown);
        if (!p)
            return 0;
        c->data = p;
        c->size = grown;
    }
    if (len)
        memcpy(c->data + c->len, data, len);
    c->len += len;
    return len;
}

int lamp_clickhouse_new(const struct lamp_clickhouse_cfg *cfg, const atomic_bool *stop,
                        lamp_clickhouse **out)
{
    lamp_clickhouse *c = calloc(1, sizeof(*c));
    if (!c)
        return LAMP_ENOMEM;
    c->cfg = cfg;
    c->stop = stop;
    c->curl = curl_easy_init();
    if (!c->curl) {
        free(c);
        return LAMP_ENOMEM;
    }
    *out = c;
    return LAMP_OK;
}

lamp_clickhouse *lamp_clickhouse_free(lamp_clickhouse *c)
{
    if (c) {
        curl_easy_cleanup(c->curl);
        free(c->data);
        free(c);
    }
    return NULL;
}

const char *lamp_clickhouse_why(const lamp_clickhouse *c)
{
    return c->why;
}

enum lamp_clickhouse_fault lamp_clickhouse_fault_of(const lamp_clickhouse *c)
{
    return c->fault;
}

/* What servers say is text from the network. */
static int fail(lamp_clickhouse *c, enum lamp_clickhouse_fault fault, const char *text, size_t len)
{
    c->fault = fault;
    lamp_text_safe((const uint8_t *)text, len, c->why, sizeof(c->why));
    return LAMP_EIO;
}

static int fail_text(lamp_clickhouse *c, enum lamp_clickhouse_fault fault, const char *text)
{
    return fail(c, fault, text, strlen(text));
}

static int failed_transfer(lamp_clickhouse *c, CURLcode code)
{
    const char *text = *c->error ? c->error : curl_easy_strerror(code);
    if (c->too_long)
        return fail_text(c, LAMP_CLICKHOUSE_ANSWER, "its answer is longer than any should be");
    switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
        return fail_text(c, LAMP_CLICKHOUSE_TLS, text);
    case CURLE_OUT_OF_MEMORY: /* libcurl says that of a header line without end, too */
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING:
        return fail_text(c, LAMP_CLICKHOUSE_ANSWER, text);
    default:
        return fail_text(c, LAMP_CLICKHOUSE_AWAY, text);
    }
}

/* "Code: 193, e.displayText() = ..." (src/Common/ErrorCodes.cpp of ClickHouse). */
static int failed_status(lamp_clickhouse *c, long status)
{
    static const struct {
        int code;
        enum lamp_clickhouse_fault fault;
    } codes[] = {
        { 192, LAMP_CLICKHOUSE_LOGIN }, /* UNKNOWN_USER */
        { 193, LAMP_CLICKHOUSE_LOGIN }, /* WRONG_PASSWORD */
        { 194, LAMP_CLICKHOUSE_LOGIN }, /* REQUIRED_PASSWORD */
        { 195, LAMP_CLICKHOUSE_LOGIN }, /* IP_ADDRESS_NOT_ALLOWED */
        { 291, LAMP_CLICKHOUSE_LOGIN }, /* DATABASE_ACCESS_DENIED */
        { 497, LAMP_CLICKHOUSE_LOGIN }, /* ACCESS_DENIED */
        { 516, LAMP_CLICKHOUSE_LOGIN }, /* AUTHENTICATION_FAILED */
        { 164, LAMP_CLICKHOUSE_LOGIN }, /* READONLY */
        { 243, LAMP_CLICKHOUSE_FULL },  /* NOT_ENOUGH_SPACE */
    };
    char text[LAMP_CLICKHOUSE_WHY];
    int code = 0;
    snprintf(text, sizeof(text), "%.*s", (int)lamp_min(c->len, sizeof(text) - 1),
             c->len ? (const char *)c->data : "");
    if (strncmp(text, "Code: ", 6) == 0)
        for (const char *p = text + 6; isdigit((unsigned char)*p) && code < 10000; p++)
            code = 10 * code + (*p - '0');
    enum lamp_clickhouse_fault fault = !c->is_clickhouse                ? LAMP_CLICKHOUSE_ANSWER
                                       : status == 401 || status == 403 ? LAMP_CLICKHOUSE_LOGIN
                                                                        : LAMP_CLICKHOUSE_REFUSED;
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (code == codes[i].code)
            fault = codes[i].fault;
    if (strstr(text, "No space left"))
        fault = LAMP_CLICKHOUSE_FULL;
    if (c->is_clickhouse && *text)
        return fail_text(c, fault, text);
    snprintf(text, sizeof(text), "HTTP status %ld%s", status,
             c->is_clickhouse ? "" : ", from something that is no ClickHouse");
    return fail_text(c, fault, text);
}

/* The address with what makes answers whole: errors come with their status, not behind half an answer, and an INSERT
 * into a Distributed table is answered once its shard has the rows. */
static char *address_of(lamp_clickhouse *c, const char *sql, bool has_body)
{
    static const char settings[] =
        "wait_end_of_query=1&send_progress_in_http_headers=0&max_query_size=16777216"
        "&insert_distributed_sync=1";
    const size_t n = strlen(c->cfg->url);
    const bool slash = n > 0 && c->cfg->url[n - 1] == '/';
    char *quoted = has_body ? curl_easy_escape(c->curl, sql, 0) : NULL;
    char *out = NULL;
    if (!has_body || quoted) {
        const size_t size = n + sizeof(settings) + (quoted ? strlen(quoted) : 0) + 16;
        out = malloc(size);
        if (out)
            snprintf(out, size, "%s%s?%s%s%s", c->cfg->url, slash ? "" : "/", settings,
                     quoted ? "&query=" : "", quoted ? quoted : "");
    }
    curl_free(quoted);
    return out;
}

static struct curl_slist *add_header(struct curl_slist *list, const char *name, const char *value)
{
    char line[PASSWORD_MAX + 64];
    snprintf(line, sizeof(line), "%s: %s", name, value);
    struct curl_slist *more = curl_slist_append(list, line);
    explicit_bzero(line, sizeof(line));
    return more ? more : list;
}

static int headers_of(lamp_clickhouse *c, struct curl_slist **out)
{
    char password[PASSWORD_MAX], why[LAMP_CLICKHOUSE_WHY] = "";
    const int err = read_password(c->cfg, password, why);
    struct curl_slist *list = NULL;
    if (!err) {
        list = add_header(list, "X-ClickHouse-User", *c->cfg->user ? c->cfg->user : "default");
        if (*password)
            list = add_header(list, "X-ClickHouse-Key", password);
        list = add_header(list, "Expect", ""); /* no round trip for 100 Continue */
        list = add_header(list, "Content-Type", "application/octet-stream");
    }
    explicit_bzero(password, sizeof(password));
    *out = list;
    return err ? fail_text(c, LAMP_CLICKHOUSE_LOGIN, why) : LAMP_OK;
}

static void set_options(lamp_clickhouse *c, unsigned limit_s)
{
    curl_easy_reset(c->curl); /* keeps its connections */
    curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, c->error);
    curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(c->curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c->curl, CURLOPT_USERAGENT, "davylamp/" LAMP_VERSION);
    curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, (long)limit_s);
    curl_easy_setopt(c->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c->curl, CURLOPT_XFERINFOFUNCTION, is_stopped);
    curl_easy_setopt(c->curl, CURLOPT_XFERINFODATA, c);
    curl_easy_setopt(c->curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(c->curl, CURLOPT_HEADERDATA, c);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, c);
    if (*c->cfg->ca)
        curl_easy_setopt(c->curl, CURLOPT_CAINFO, c->cfg->ca);
}

int lamp_clickhouse_run(lamp_clickhouse *c, const char *sql, struct lamp_bytes body,
                        unsigned limit_s, size_t most, struct lamp_bytes *out)
{
    struct curl_slist *headers = NULL;
    long status = 0;
    *c->error = '\0';
    c->len = c->header_bytes = 0;
    c->most = most;
    c->is_clickhouse = c->too_long = false;
    const int err = headers_of(c, &headers);
    if (err)
        return err;
    char *address = address_of(c, sql, body.len > 0);
    if (!address) {
        curl_slist_free_all(headers);
        return LAMP_ENOMEM;
    }
    set_options(c, limit_s);
    curl_easy_setopt(c->curl, CURLOPT_URL, address);
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE,
                     (curl_off_t)(body.len ? body.len : strlen(sql)));
    curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body.len ? (const char *)body.data : sql);
    const CURLcode code = curl_easy_perform(c->curl);
    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    free(address);
    curl_slist_free_all(headers);
    if (code != CURLE_OK)
        return failed_transfer(c, code);
    if (status != 200 || !c->is_clickhouse)
        return failed_status(c, status);
    *out = (struct lamp_bytes){ c->data, c->len };
    return LAMP_OK;
}

/* ---- tables ---- */

void lamp_clickhouse_quote(FILE *out, struct lamp_bytes text)
{
    putc('\'', out);
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t b = text.data[i];
        if (b == '\'' || b == '\\')
            putc('\\', out);
        if (b < ' ')
            fprintf(out, "\\x%02X", b);
        else
            putc(b, out);
    }
    putc('\'', out);
}

#define TRAFFIC_COLUMNS                                                                            \
    "time DateTime, site String, inside FixedString(16), remote FixedString(16),"                  \
    " ip_proto UInt8, service_port UInt16, application String, remote_name String,"                \
    " bytes_out UInt64, bytes_in UInt64, packets_out UInt64, packets_in UInt64, flows UInt64,"     \
    " first DateTime, last DateTime, aggregator UInt64, version UInt64"
#define TRAFFIC_KEY "time, site, inside, remote, ip_proto, service_port, application, aggregator"
#define CONN_COLUMNS                                                                               \
    "time DateTime, site String, host FixedString(16), vlan UInt32, conn UInt64,"                  \
    " bytes_up UInt64, bytes_down UInt64, packets_up UInt64, packets_down UInt64, jobs UInt64,"    \
    " submitted UInt64, accepted UInt64, rejected UInt64, stale UInt64, work Float64,"             \
    " squares Float64, self_rate Float64, aggregator UInt64, version UInt64"
#define CONN_KEY "time, site, host, vlan, conn, aggregator"

static const struct {
    const char *name, *columns, *partition, *key;
} tables[] = {
    { "traffic_minute", TRAFFIC_COLUMNS, "toYYYYMM(time)", TRAFFIC_KEY },
    { "traffic_hour", TRAFFIC_COLUMNS, "toYYYYMM(time)", TRAFFIC_KEY },
    { "traffic_day", TRAFFIC_COLUMNS, "toYear(time)", TRAFFIC_KEY },
    { "conn_minute", CONN_COLUMNS, "toYYYYMM(time)", CONN_KEY },
    { "conn_hour", CONN_COLUMNS, "toYYYYMM(time)", CONN_KEY },
    { "conn_day", CONN_COLUMNS, "toYear(time)", CONN_KEY },
};

typedef int statement_fn(const char *sql, void *arg);

/* The larger of two rows of the same key is the later one, since sums only grow: whatever arrives twice, or in
 * another order, counts once. A site's rows are on one shard, so that they meet. */
static int each_statement(const struct lamp_clickhouse_cfg *cfg, statement_fn *fn, void *arg)
{
    char sql[2048];
    snprintf(sql, sizeof(sql), "CREATE DATABASE IF NOT EXISTS %s", cfg->database);
    int err = fn(sql, arg);
    for (size_t i = 0; i < ARRAY_LEN(tables) && !err; i++) {
        snprintf(sql, sizeof(sql),
                 "CREATE TABLE IF NOT EXISTS %s.%s_local (%s) ENGINE = ReplacingMergeTree(version)"
                 " PARTITION BY %s ORDER BY (%s)",
                 cfg->database, tables[i].name, tables[i].columns, tables[i].partition,
                 tables[i].key);
        err = fn(sql, arg);
        if (err || !*cfg->cluster)
            continue;
        snprintf(sql, sizeof(sql),
                 "CREATE TABLE IF NOT EXISTS %s.%s AS %s.%s_local ENGINE = Distributed(%s, %s,"
                 " %s_local, cityHash64(site))",
                 cfg->database, tables[i].name, cfg->database, tables[i].name, cfg->cluster,
                 cfg->database, tables[i].name);
        err = fn(sql, arg);
    }
    snprintf(sql, sizeof(sql),
             "CREATE TABLE IF NOT EXISTS %s.davylamp_schema (version UInt32, since DateTime)"
             " ENGINE = ReplacingMergeTree() PARTITION BY tuple() ORDER BY version",
             cfg->database);
    if (!err)
        err = fn(sql, arg);
    snprintf(sql, sizeof(sql), "INSERT INTO %s.davylamp_schema SELECT %d, now()", cfg->database,
             LAMP_CLICKHOUSE_SCHEMA);
    return err ? err : fn(sql, arg);
}

enum { SHORT_S = 15, SHORT_BYTES = 4096 };

static int run_short(lamp_clickhouse *c, const char *sql, struct lamp_bytes *out)
{
    return lamp_clickhouse_run(c, sql, (struct lamp_bytes){ NULL, 0 }, SHORT_S, SHORT_BYTES, out);
}

static int run_statement(const char *sql, void *arg)
{
    struct lamp_bytes answer;
    return run_short(arg, sql, &answer);
}

static int number_of(lamp_clickhouse *c, const char *sql, uint64_t *out)
{
    struct lamp_bytes a = { NULL, 0 };
    const int err = run_short(c, sql, &a);
    uint64_t v = 0;
    size_t i = 0;
    if (err)
        return err;
    for (; i < a.len && i < 10 && a.data[i] >= '0' && a.data[i] <= '9'; i++)
        v = 10 * v + (uint64_t)(a.data[i] - '0');
    if (i == 0 || i + 1 != a.len || a.data[i] != '\n')
        return fail_text(c, LAMP_CLICKHOUSE_ANSWER, "its answer is no number");
    *out = v;
    return LAMP_OK;
}

int lamp_clickhouse_make_schema(lamp_clickhouse *c)
{
    char sql[256], why[128];
    uint64_t there = 0, version = 0;
    snprintf(sql, sizeof(sql),
             "SELECT count() FROM system.tables WHERE database = '%s' AND name = 'davylamp_schema'",
             c->cfg->database);
    int err = number_of(c, sql, &there);
    snprintf(sql, sizeof(sql), "SELECT max(version) FROM %s.davylamp_schema", c->cfg->database);
    if (!err && there)
        err = number_of(c, sql, &version);
    if (err)
        return err;
    if (version > LAMP_CLICKHOUSE_SCHEMA) {
        snprintf(why, sizeof(why), "its tables have version %llu, this program knows %d",
                 (unsigned long long)version, LAMP_CLICKHOUSE_SCHEMA);
        return fail_text(c, LAMP_CLICKHOUSE_REFUSED, why);
    }
    return version == LAMP_CLICKHOUSE_SCHEMA ? LAMP_OK : each_statement(c->cfg, run_statement, c);
}

static int print_statement(const char *sql, void *arg)
{
    fprintf(arg, "%s;\n", sql);
    return LAMP_OK;
}

void lamp_clickhouse_print_schema(const struct lamp_clickhouse_cfg *cfg, FILE *out)
{
    (void)each_statement(cfg, print_statement, out);
}
