/* SPDX-License-Identifier: Apache-2.0 */
/* Lists in another order, and as files for a spreadsheet (RFC 4180): what the handlers of lists have written is
 * read again and sorted or turned into rows, so that no list has a form of its own for it. */
#include "aggregator/api/impl.h"

#include <inttypes.h>
#include <stdio.h>

/* columns: every value of a row that is no list of objects, by its path, in the order of openapi.yaml. */
struct list {
    const char *path, *name; /* of the route; of the array in its answer */
    bool sorted;             /* here, by any column; else by its handler, or not at all */
    int64_t page;            /* rows of a page by default; 0: there are no pages */
    const char *columns;
};

#define RATE "hashrate.value hashrate.low hashrate.high hashrate.unit hashrate.method "
#define BOTH_WAYS "bytes.up bytes.down packets.up packets.down "
#define SHARES "shares.submitted shares.accepted shares.rejected shares.stale "
#define RANGE(of) of ".value " of ".low " of ".high "

static const struct list lists[] = {
    { "/api/v1/sessions", "sessions", true, 0, "id user address opened used expires current" },
    { "/api/v1/users", "users", true, 0, "name role sites disabled created password_set" },
    { "/api/v1/tokens", "tokens", true, 0,
      "id name token role sites created created_by expires used" },
    { "/api/v1/sensors", "sensors", true, 0,
      "id site version online last_seen clock_offset batches duplicates lost packets bytes drops "
      "flows evicted memory_bytes cpu_seconds uplink_bytes shared_key server_key_serial "
      "enforcement.mode enforcement.state enforcement.epoch enforcement.serial enforcement.at "
      "enforcement.error enforcement.elements enforcement.repairs enforcement.flows_cut "
      "enforcement.about.epoch enforcement.about.serial" },
    { "/api/v1/miners", "miners", false, 200,
      "id site host vlan state verdict confidence mark.as mark.by mark.at mark.reason coins "
      "families algorithms wallets workers agents pools sensors platforms " RATE
          RANGE("devices.count") "devices.kinds.gpu devices.kinds.cpu devices.kinds.asic " RANGE(
              "power.watts") RANGE("power.kwh_per_day") RANGE("power.cost_per_day") BOTH_WAYS
      "jobs " SHARES "connections open_connections since last" },
    { "/api/v1/connections", "connections", false, 200,
      "id miner site sensor client.ip client.port server.ip server.port server.name vlan transport "
      "community_id verdict confidence family coin algorithm wallet worker agent pool platform tls "
      "sni ja4 tunnel.kind tunnel.host tunnel.port midstream bytes_kind open jobs "
      "difficulty " SHARES RATE "counted_devices " BOTH_WAYS "first last" },
    { "/api/v1/traffic", "traffic", false, 0,
      "site host remote port transport application remote_name bytes.out bytes.in packets.out "
      "packets.in flows first last" },
    { "/api/v1/blocks", "blocks", true, 0,
      "id kind target port transport site reason created_by created expires removed_by removed "
      "active approval.state approval.needs approval.by approval.at" },
    { "/api/v1/sites", "sites", true, 0,
      "site sensors latitude longitude price held.by held.at held.serial held.release_asked_by" },
    { "/api/v1/alerts", "alerts", false, 200,
      "id kind severity about subject site text miner technique count first raised last resolved "
      "acknowledged acknowledged_by" },
    { "/api/v1/baselines", "baselines", true, 0,
      "id site host miner state version learn_to by_asn unexpected left_out created created_by" },
    { "/api/v1/samples", "samples", true, 100,
      "id what state site sensor miner tracking packets packets_per_connection duration bytes "
      "snaplen "
      "reason "
      "created_by created expires" },
    { "/api/v1/trackings", "trackings", true, 100,
      "id what site sensor miner state ring duration reason created_by created until ended "
      "ended_by rows rows_refused" },
    { "/api/v1/policies", "policies", true, 0,
      "id name mode place verdict confidence coin pool site sanctioned hours days alert "
      "sample block everywhere lease longest grace created_by created mode_by mode_since" },
    { "/api/v1/imports", "imports", true, 100,
      "id name source site state answer error created_by created started ended size files "
      "files_done files_failed packets bytes connections verdicts.confirmed verdicts.probable "
      "verdicts.suspected verdicts.wallet connections_left_out minutes_left_out first last "
      "progress.received progress.file progress.file_size progress.file_read progress.before" },
    { "/api/v1/own", "own", true, 0, "id kind value site note added_by added" },
    { "/api/v1/audit", "audit", false, 500, "no at actor action object detail" },
    { "/api/v1/coins", "coins", false, 0,
      "coin of site bytes.mining bytes.wallet connections hosts last" },
    { "/api/v1/gaps", "gaps", true, 0, "sensor site from to at records flows bytes reason" },
    { "/api/v1/never", "never", true, 0, "target source" },
    { "/api/v1/knowledge", "knowledge", true, 1000,
      "id kind address port wallet verdict coin pool site first last expires state extended_to "
      "said_by said note" },
    { "/api/v1/pools", "pools", true, 1000,
      "id name coins servers addresses entries muted up listen down changed" },
    { "/api/v1/pool-entries", "entries", false, 1000,
      "id pool_id server_id pool fqdn port coin algorithm protocol tls kind source legacy "
      "installed "
      "edited active created changed changed_by can_undo" },
};

static const struct list *find_list(const char *path)
{
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        if (streq(lists[i].path, path))
            return &lists[i];
    return NULL;
}

/* The next word at *at as bytes; false at the end. */
static bool next_column(const char **at, struct lamp_bytes *out)
{
    *at += strspn(*at, " ");
    *out = (struct lamp_bytes){ (const uint8_t *)*at, strcspn(*at, " ") };
    *at += out->len;
    return out->len > 0;
}

static bool has_column(const struct list *l, const char *name)
{
    struct lamp_bytes c;
    for (const char *at = l->columns; next_column(&at, &c);)
        if (c.len == strlen(name) && memcmp(c.data, name, c.len) == 0)
            return true;
    return false;
}

/* The value at a path such as bytes.up; NULL where an object on the way is null. */
static const json_t *value_at(const json_t *row, struct lamp_bytes path)
{
    const char *at = (const char *)path.data, *end = at + path.len;
    while (row && at < end) {
        const char *dot = memchr(at, '.', (size_t)(end - at));
        const size_t len = (size_t)((dot ? dot : end) - at);
        row = json_object_getn(row, at, len);
        at += len + 1;
    }
    return row;
}

/* ---- order ---- */

struct key {
    const json_t *value; /* NULL: none, which comes last */
    json_t *row;
    size_t place; /* keys that are alike stay as they were */
    bool down;
};

static const json_t *first_of(const json_t *v)
{
    if (json_is_array(v))
        v = json_array_get(v, 0);
    return json_is_null(v) ? NULL : v;
}

static int compare_values(const json_t *a, const json_t *b)
{
    if (json_is_string(a) && json_is_string(b))
        return strcmp(json_string_value(a), json_string_value(b));
    const double x = json_is_true(a) ? 1 : json_number_value(a);
    const double y = json_is_true(b) ? 1 : json_number_value(b);
    return (x > y) - (x < y);
}

static int compare_keys(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    int c = !x->value - !y->value;
    if (c == 0 && x->value)
        c = x->down ? compare_values(y->value, x->value) : compare_values(x->value, y->value);
    return c ? c : x->place < y->place ? -1 : x->place > y->place;
}

/* Puts the rows in the order of a column. LAMP_ENOMEM. */
static int sort_rows(json_t *rows, const char *column, bool down)
{
    const size_t n = json_array_size(rows);
    struct key *keys = calloc(n + 1, sizeof(*keys));
    if (!keys)
        return LAMP_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        json_t *row = json_incref(json_array_get(rows, i));
        const struct lamp_bytes path = { (const uint8_t *)column, strlen(column) };
        keys[i] = (struct key){ first_of(value_at(row, path)), row, i, down };
    }
    qsort(keys, n, sizeof(*keys), compare_keys);
    int err = json_array_clear(rows) ? LAMP_ENOMEM : LAMP_OK;
    for (size_t i = 0; i < n; i++)
        if (json_array_append_new(rows, keys[i].row))
            err = LAMP_ENOMEM;
    free(keys);
    return err;
}

static int64_t id_of(const json_t *row)
{
    return json_integer_value(json_object_get(row, "id"));
}

/* Leaves the page of all rows that begins behind the one of number `after` (0: with the first). LAMP_ENOENT: that
 * row is gone. */
static int cut_page(json_t *answer, json_t *rows, int64_t after, size_t limit)
{
    size_t skip = 0;
    while (after && skip < json_array_size(rows) && id_of(json_array_get(rows, skip)) != after)
        skip++;
    if (after && skip == json_array_size(rows))
        return LAMP_ENOENT;
    for (skip += after != 0; skip > 0 && json_array_size(rows) > 0; skip--)
        json_array_remove(rows, 0);
    const bool more = json_array_size(rows) > limit;
    while (json_array_size(rows) > limit)
        json_array_remove(rows, json_array_size(rows) - 1);
    json_object_set_new(answer, "next",
                        more ? json_integer(id_of(json_array_get(rows, limit - 1))) : json_null());
    return LAMP_OK;
}

void lamp_api_gone(struct lamp_reply *reply)
{
    lamp_reply_error(reply, 410, "gone", "after",
                     "The last row of the page before is gone: begin anew with the first page.");
}

bool lamp_api_whole(const struct lamp_request *req)
{
    return lamp_request_query(req, "sort") != NULL;
}

bool lamp_api_page(const struct lamp_request *req, struct lamp_reply *reply,
                   struct lamp_api_page *io)
{
    int64_t limit = io->limit;
    io->after = 0;
    if (!lamp_api_int(req, reply, "limit", 1, io->most, &limit) ||
        !lamp_api_int(req, reply, "after", 0, INT64_MAX, &io->after))
        return false;
    io->limit = (uint32_t)limit;
    if (lamp_api_whole(req)) {
        io->limit = UINT32_MAX;
        io->after = 0;
    }
    return true;
}

void lamp_api_end_page(struct lamp_json *j, const struct lamp_api_page *p, uint32_t n, int64_t last)
{
    lamp_json_end(j);
    if (n == p->limit)
        lamp_json_int(j, "next", last);
    else
        lamp_json_null(j, "next");
}

/* ---- files for a spreadsheet ---- */

/* A spreadsheet takes a text that begins with one of = + - @, also in their wide forms, for a formula,
 * and some skip white space before it (OWASP, "CSV Injection"): such texts, which may come from the
 * wire, get a ' in front. */
static bool may_be_formula(const char *s)
{
    static const char *const wide[] = { "\xef\xbc\x9d", "\xef\xbc\x8b", "\xef\xbc\x8d",
                                        "\xef\xbc\xa0" }; /* U+FF1D, FF0B, FF0D, FF20 */
    if (*s && strchr("\t\r\n", *s))
        return true;
    s += strspn(s, " ");
    for (size_t i = 0; i < ARRAY_LEN(wide); i++)
        if (strncmp(s, wide[i], 3) == 0)
            return true;
    return *s && strchr("=+-@", *s);
}

static void put_quoted(FILE *f, const char *s)
{
    for (; *s; s++) {
        if (*s == '"')
            putc('"', f);
        putc(*s, f);
    }
}

/* Texts are always quoted, so that no separator of another locale splits one. */
static void put_text(FILE *f, const char *s)
{
    fputs(may_be_formula(s) ? "\"'" : "\"", f);
    put_quoted(f, s);
    putc('"', f);
}

/* Lists of texts or numbers as one text, which begins as its first does. */
static void put_list(FILE *f, const json_t *v)
{
    size_t i;
    json_t *item;
    json_array_foreach(v, i, item)
    {
        const char *text = json_string_value(item);
        const bool formula = text ? may_be_formula(text) : json_integer_value(item) < 0;
        fputs(i ? "; " : formula ? "\"'" : "\"", f);
        if (text)
            put_quoted(f, text);
        else
            fprintf(f, "%" JSON_INTEGER_FORMAT, json_integer_value(item));
    }
    if (json_array_size(v) > 0)
        putc('"', f);
}

/* False where there was no memory. */
static bool put_value(FILE *f, const json_t *v)
{
    if (json_is_string(v))
        put_text(f, json_string_value(v));
    else if (json_is_array(v))
        put_list(f, v);
    else if (v && !json_is_null(v) && !json_is_object(v))
        return json_dumpf(v, f, JSON_ENCODE_ANY | JSON_REAL_PRECISION(16)) == 0;
    return true;
}

static bool put_rows(FILE *f, const struct list *l, const json_t *rows)
{
    bool ok = true;
    struct lamp_bytes c;
    size_t i;
    json_t *row;
    for (const char *at = l->columns; next_column(&at, &c);)
        fprintf(f, "%s%.*s", (const char *)c.data == l->columns ? "" : ",", (int)c.len,
                (const char *)c.data);
    fputs("\r\n", f);
    json_array_foreach(rows, i, row)
    {
        for (const char *at = l->columns; next_column(&at, &c);) {
            if ((const char *)c.data != l->columns)
                putc(',', f);
            ok &= put_value(f, value_at(row, c));
        }
        fputs("\r\n", f);
    }
    return ok && !ferror(f);
}

/* The file, whole, and where the next page is. LAMP_ENOMEM. */
static int answer_csv(const struct list *l, const struct lamp_request *req, const json_t *answer,
                      struct lamp_reply *reply)
{
    size_t len;
    char *text = NULL, *link = NULL;
    const json_t *next = json_object_get(answer, "next");
    FILE *f = open_memstream(&text, &len);
    bool ok = f && put_rows(f, l, json_object_get(answer, l->name));
    if (f)
        ok &= fclose(f) == 0;
    if (ok && json_is_integer(next))
        ok = (link = lamp_request_next(req, json_integer_value(next))) != NULL;
    if (!ok) {
        free(text);
        return LAMP_ENOMEM;
    }
    reply->text = text;
    reply->next = link;
    reply->type = "text/csv; charset=utf-8; header=present";
    reply->save_as = l->name;
    return LAMP_OK;
}

struct order {
    const char *column; /* NULL: as it is */
    bool down, csv;
    int64_t after;
    size_t limit;
};

/* The answer again, as is asked for. LAMP_ENOENT: the row that it is to begin behind is gone. LAMP_ENOMEM. */
static int work_on(const struct list *l, const struct order *o, const struct lamp_request *req,
                   struct lamp_reply *reply)
{
    size_t len;
    char *text = lamp_json_take(&reply->json, &len);
    json_t *answer = text ? json_loadb(text, len, 0, NULL) : NULL;
    json_t *rows = json_object_get(answer, l->name);
    free(text);
    int err = rows ? LAMP_OK : LAMP_ENOMEM;
    if (!err && o->column)
        err = sort_rows(rows, o->column, o->down);
    if (!err && o->column && l->page)
        err = cut_page(answer, rows, o->after, o->limit);
    if (!err && o->csv)
        err = answer_csv(l, req, answer, reply);
    else if (!err && !(reply->text = json_dumps(answer, JSON_COMPACT | JSON_REAL_PRECISION(16))))
        err = LAMP_ENOMEM;
    json_decref(answer);
    return err;
}

void lamp_api_finish(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    lamp_api *api = app;
    const char *format = lamp_request_query(req, "format"), *sort = lamp_request_query(req, "sort");
    const struct list *l = format || sort ? find_list(req->route->path) : NULL;
    if (!l || lamp_json_error(&reply->json) != LAMP_OK)
        return;
    const bool csv = format && streq(format, "csv"), sorts = sort && l->sorted;
    const bool down = sort && *sort == '-';
    int64_t limit = l->page, after = 0;
    if (format && !csv && !streq(format, "json")) {
        lamp_api_bad(reply, "format", "json or csv");
        return;
    }
    if (sorts && !has_column(l, sort + down)) {
        lamp_api_bad(reply, "sort", "a column of this list, or - and a column");
        return;
    }
    if ((!csv && !sorts) || !lamp_api_int(req, reply, "limit", 1, LAMP_API_PAGE_MAX, &limit) ||
        !lamp_api_int(req, reply, "after", 0, INT64_MAX, &after))
        return;
    const struct order o = { sorts ? sort + down : NULL, down, csv, after, (size_t)limit };
    pthread_mutex_lock(&api->lists_lock);
    const int err = work_on(l, &o, req, reply);
    pthread_mutex_unlock(&api->lists_lock);
    if (err == LAMP_ENOENT)
        lamp_api_gone(reply);
    else if (err)
        lamp_reply_error(reply, 500, "internal", NULL, "Out of memory: try again.");
}
