/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/cli/show.h"

#include "common/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum {
    CELL = 160,
    COLUMNS_MAX = 14,
    ROWS_MAX = 4096,
    WIDE = 48, /* longer cells are cut in tables */
};

/* ---- values ---- */

static const char *safe(const char *s, char buf[CELL])
{
    return lamp_text_safe((const uint8_t *)s, strlen(s), buf, CELL);
}

static const char *str(const json_t *o, const char *key, char buf[CELL])
{
    const char *s = json_string_value(json_object_get(o, key));
    return s && *s ? safe(s, buf) : "-";
}

static int64_t num(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

/* The newest entry of a list, and how many more there are: "wallet (+2)". */
static const char *newest(const json_t *o, const char *key, char buf[CELL])
{
    const json_t *list = json_object_get(o, key);
    const size_t n = json_array_size(list);
    const char *first = json_string_value(json_array_get(list, 0));
    if (!first)
        return "-";
    char text[CELL - 32];
    lamp_text_safe((const uint8_t *)first, strlen(first), text, sizeof(text));
    if (n > 1)
        snprintf(buf, CELL, "%s (+%zu)", text, n - 1);
    else
        snprintf(buf, CELL, "%s", text);
    return buf;
}

static const char *scaled(double v, double base, const char *const *units, size_t n, char buf[CELL])
{
    size_t i = 0;
    while (fabs(v) >= base && i + 1 < n) {
        v /= base;
        i++;
    }
    snprintf(buf, CELL, "%.*f %s",
             i == 0 || fabs(v) >= 100 ? 0
             : fabs(v) >= 10          ? 1
                                      : 2,
             v, units[i]);
    return buf;
}

static const char *bytes(double v, char buf[CELL])
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
    return scaled(v, 1024, units, ARRAY_LEN(units), buf);
}

static const char *hash_rate(const json_t *o, char buf[CELL])
{
    static const char *const prefixes[] = { "", "k", "M", "G", "T", "P", "E" };
    const json_t *r = json_object_get(o, "hashrate");
    if (!json_is_object(r))
        return "-";
    char value[CELL], unit[CELL];
    scaled(json_number_value(json_object_get(r, "value")), 1000, prefixes, ARRAY_LEN(prefixes),
           value);
    str(r, "unit", unit);
    snprintf(buf, CELL, "%.32s%.16s", value, unit);
    return buf;
}

/* "12 s", "5 min", "3 h", "2 d" between two times; "-" for an unknown one. */
static const char *span(double from, double to, char buf[CELL])
{
    static const struct {
        double seconds;
        const char *unit;
    } units[] = {
        { 86400, "d" },
        { 3600, "h" },
        { 60, "min" },
        { 1, "s" },
    };
    if (from <= 0 || to <= 0)
        return "-";
    const double d = to > from ? to - from : 0;
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(units) && d < 2 * units[i].seconds)
        i++;
    snprintf(buf, CELL, "%.0f %s", floor(d / units[i].seconds), units[i].unit);
    return buf;
}

static const char *age(const json_t *o, const char *key, double now, char buf[CELL])
{
    return span(json_number_value(json_object_get(o, key)), now, buf);
}

static double sum(const json_t *o, const char *key)
{
    const json_t *pair = json_object_get(o, key);
    return json_number_value(json_object_get(pair, "up")) +
           json_number_value(json_object_get(pair, "down"));
}

/* ---- tables ---- */

struct table {
    size_t n_columns, n_rows;
    char *cells[ROWS_MAX][COLUMNS_MAX]; /* row 0 holds the heads */
};

static void add_row(struct table *t, const char *const *cells)
{
    if (t->n_rows == ROWS_MAX)
        return;
    for (size_t i = 0; i < t->n_columns; i++)
        t->cells[t->n_rows][i] = strdup(cells[i]);
    t->n_rows++;
}

static struct table *new_table(const char *const *heads, size_t n)
{
    struct table *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->n_columns = n;
    add_row(t, heads);
    return t;
}

/* Characters of UTF-8 text, which is close enough to columns. */
static size_t width(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

/* Writes a cell, cut to WIDE characters. */
static size_t put_cell(const char *s)
{
    size_t n = width(s), shown = 0;
    if (n <= WIDE) {
        fputs(s, stdout);
        return n;
    }
    while (shown < WIDE - 1) {
        do
            putchar(*s++);
        while (((unsigned char)*s & 0xc0) == 0x80);
        shown++;
    }
    fputs("…", stdout);
    return WIDE;
}

/* Prints the table and frees it. */
static void print_table(struct table *t)
{
    if (!t)
        return;
    size_t widths[COLUMNS_MAX] = { 0 };
    for (size_t r = 0; r < t->n_rows; r++)
        for (size_t c = 0; c < t->n_columns; c++) {
            const size_t w = lamp_min(width(t->cells[r][c] ? t->cells[r][c] : ""), WIDE);
            if (w > widths[c])
                widths[c] = w;
        }
    for (size_t r = 0; r < t->n_rows; r++) {
        for (size_t c = 0; c < t->n_columns; c++) {
            const size_t w = put_cell(t->cells[r][c] ? t->cells[r][c] : "");
            if (c + 1 < t->n_columns)
                printf("%*s", (int)(widths[c] - w + 2), "");
            free(t->cells[r][c]);
        }
        putchar('\n');
    }
    free(t);
}

/* ---- what is shown ---- */

void lamp_show_status(const json_t *s)
{
    char a[CELL], b[CELL];
    const json_t *sensors = json_object_get(s, "sensors"), *miners = json_object_get(s, "miners");
    const json_t *ingest = json_object_get(s, "ingest"), *traffic = json_object_get(s, "traffic");
    const double now = json_number_value(json_object_get(s, "now"));
    printf("aggregator   version %s, up %s%s\n", str(s, "version", a), age(s, "started", now, b),
           json_is_true(json_object_get(s, "sample_mode")) ? ", sample traffic" : "");
    printf("sensors      %" PRId64 " of %" PRId64 " online, %" PRId64 " sites\n",
           num(sensors, "online"), num(sensors, "total"), num(s, "sites"));
    printf("miners       %" PRId64 " confirmed, %" PRId64 " probable, %" PRId64
           " suspected, %" PRId64 " blocked\n",
           num(miners, "confirmed"), num(miners, "probable"), num(miners, "suspected"),
           num(miners, "blocked"));
    printf("blocks       %" PRId64 " in force\n", num(s, "blocks"));
    printf("traffic      %s watched, %s of mining\n", bytes((double)num(traffic, "bytes"), a),
           bytes((double)num(traffic, "mining_bytes"), b));
    printf("summaries    %" PRId64 " received, %" PRId64 " rows, %" PRId64 " repeated, %" PRId64
           " declared lost\n",
           num(ingest, "batches"), num(ingest, "rows"), num(ingest, "duplicates"),
           num(ingest, "lost"));
    printf("database     %s\n", bytes((double)num(s, "database_bytes"), a));
}

/* Whether another sensor was seen to use its key within the last hour. */
static bool shares_key(const json_t *s, double now)
{
    const json_t *t = json_object_get(s, "shared_key");
    return json_is_number(t) && now - json_number_value(t) < 3600;
}

/* "confirmed 41", "rolled-back 42, holds 41". */
static void list_state(const json_t *e, char buf[CELL])
{
    char state[CELL];
    const json_t *about = json_object_get(e, "about");
    if (json_is_object(about))
        snprintf(buf, CELL, "%.60s %" PRId64 ", holds %" PRId64, str(e, "state", state),
                 num(about, "serial"), num(e, "serial"));
    else
        snprintf(buf, CELL, "%.60s %" PRId64, str(e, "state", state), num(e, "serial"));
}

/* "watch 57, never refused". */
static void set_states(const json_t *sensor, char buf[CELL])
{
    size_t i, len = 0;
    json_t *v;
    snprintf(buf, CELL, "-");
    json_array_foreach(json_object_get(sensor, "sets"), i, v)
    {
        char kind[CELL], state[CELL], serial[CELL];
        snprintf(serial, CELL, "%" PRId64, num(v, "serial"));
        const char *word = str(v, "state", state);
        if (len < CELL)
            len += (size_t)snprintf(buf + len, CELL - len, "%s%.20s %.40s", len ? ", " : "",
                                    str(v, "kind", kind), streq(word, "confirmed") ? serial : word);
    }
}

void lamp_show_sensors(const json_t *list, double now)
{
    static const char *const heads[] = { "SITE",      "SENSOR", "STATE",   "SEEN",       "VERSION",
                                         "WATCHED",   "DROPS",  "LOST",    "BLOCKING",   "LIST",
                                         "IN KERNEL", "CUT",    "REPAIRS", "OTHER LISTS" };
    size_t i;
    json_t *s;
    struct table *t = new_table(heads, ARRAY_LEN(heads));
    json_array_foreach(list, i, s)
    {
        char site[CELL], id[CELL], seen[CELL], version[CELL], watched[CELL], drops[CELL],
            lost[CELL], mode[CELL], state[CELL], elements[CELL], cut[CELL], repairs[CELL],
            sets[CELL];
        const json_t *e = json_object_get(s, "enforcement");
        list_state(e, state);
        set_states(s, sets);
        snprintf(elements, CELL, "%" PRId64, num(e, "elements"));
        snprintf(cut, CELL, "%" PRId64, num(e, "flows_cut"));
        snprintf(repairs, CELL, "%" PRId64, num(e, "repairs"));
        snprintf(drops, CELL, "%" PRId64, num(s, "drops"));
        snprintf(lost, CELL, "%" PRId64, num(s, "lost"));
        const char *const cells[] = {
            str(s, "site", site),
            str(s, "id", id),
            shares_key(s, now)                           ? "shared key"
            : json_is_true(json_object_get(s, "online")) ? "online"
                                                         : "silent",
            age(s, "last_seen", now, seen),
            str(s, "version", version),
            bytes((double)num(s, "bytes"), watched),
            drops,
            lost,
            str(e, "mode", mode),
            state,
            elements,
            cut,
            repairs,
            sets,
        };
        if (t)
            add_row(t, cells);
    }
    print_table(t);
}

static void show_known_keys(const json_t *list, double now)
{
    static const char *const heads[] = { "ID",   "SITE",  "SENSOR", "STATE",
                                         "USED", "ADDED", "BY",     "FINGERPRINT" };
    size_t i;
    json_t *k;
    struct table *t = new_table(heads, ARRAY_LEN(heads));
    json_array_foreach(list, i, k)
    {
        char id[CELL], site[CELL], sensor[CELL], state[CELL], used[CELL], added[CELL], by[CELL],
            print[CELL];
        snprintf(id, CELL, "%" PRId64, num(k, "id"));
        const char *const cells[] = { id,
                                      str(k, "site", site),
                                      str(k, "sensor", sensor),
                                      json_is_null(json_object_get(k, "expires")) ||
                                              !json_is_null(json_object_get(k, "ended"))
                                          ? str(k, "state", state)
                                          : "being replaced",
                                      age(k, "used", now, used),
                                      age(k, "added", now, added),
                                      str(k, "added_by", by),
                                      str(k, "fingerprint", print) };
        if (t)
            add_row(t, cells);
    }
    print_table(t);
}

static void show_pending(const json_t *list, double now)
{
    static const char *const heads[] = { "ID",   "ASKS AS", "OF SITE", "FROM",
                                         "LAST", "ASKED",   "VERSION", "FINGERPRINT" };
    size_t i;
    json_t *p;
    struct table *t = new_table(heads, ARRAY_LEN(heads));
    json_array_foreach(list, i, p)
    {
        char id[CELL], name[CELL], site[CELL], from[CELL], last[CELL], asks[CELL], version[CELL],
            print[CELL];
        snprintf(id, CELL, "%" PRId64, num(p, "id"));
        snprintf(asks, CELL, "%" PRId64, num(p, "asks"));
        const char *const cells[] = { id,
                                      str(p, "name", name),
                                      str(p, "site", site),
                                      str(p, "address", from),
                                      age(p, "last", now, last),
                                      asks,
                                      str(p, "version", version),
                                      str(p, "fingerprint", print) };
        if (t)
            add_row(t, cells);
    }
    print_table(t);
}

/* How many sensors hold the newest key that the aggregator announced. */
static void show_announced(const json_t *sensors)
{
    int64_t newest = 0;
    size_t i, n = 0;
    json_t *s;
    json_array_foreach(sensors, i, s)
    {
        const int64_t serial = num(s, "server_key_serial");
        n = serial > newest ? 1 : n + (serial == newest);
        newest = serial > newest ? serial : newest;
    }
    if (newest)
        printf("The newest key that the aggregator announced is held by %zu of %zu sensors.\n", n,
               json_array_size(sensors));
}

void lamp_show_keys(const json_t *answer, const json_t *sensors, double now)
{
    const json_t *pending = json_object_get(answer, "pending");
    const int64_t refused = num(answer, "pending_refused");
    show_known_keys(json_object_get(answer, "keys"), now);
    if (json_array_size(pending) > 0) {
        puts("\nWaiting to be let in. Compare the fingerprint with what `davylamp-sensor key` says "
             "there:");
        show_pending(pending, now);
    }
    if (refused)
        printf("%" PRId64 " questions of strangers found the list of those who wait full.\n",
               refused);
    if (json_array_size(json_object_get(answer, "enrollments")) > 0)
        printf("%zu tokens of `davylamp enroll` can still be used.\n",
               json_array_size(json_object_get(answer, "enrollments")));
    show_announced(sensors);
}

void lamp_show_key(const char *done, const json_t *key)
{
    char sensor[CELL], site[CELL], print[CELL];
    printf("%s: sensor %s of site %s, fingerprint %s\n", done, str(key, "sensor", sensor),
           str(key, "site", site), str(key, "fingerprint", print));
}

void lamp_show_token(const json_t *token, double now)
{
    char text[CELL], left[CELL];
    puts(str(token, "token", text));
    fprintf(stderr,
            "Good for one sensor and %s. On it: davylamp-sensor --link-endpoint tcp://HOST:PORT "
            "enroll TOKEN\n",
            span(now, json_number_value(json_object_get(token, "expires")), left));
}

void lamp_show_miners(const json_t *list, double now)
{
    static const char *const heads[] = { "ID",     "SITE",   "HOST",   "STATE", "COIN", "HASH RATE",
                                         "SHARES", "WORKER", "WALLET", "POOL",  "LAST" };
    size_t i;
    json_t *m;
    struct table *t = new_table(heads, ARRAY_LEN(heads));
    json_array_foreach(list, i, m)
    {
        char id[CELL], site[CELL], host[CELL], state[CELL], coin[CELL], rate[CELL], shares[CELL],
            worker[CELL], wallet[CELL], pool[CELL], last[CELL];
        snprintf(id, CELL, "%" PRId64, num(m, "id"));
        snprintf(shares, CELL, "%" PRId64, num(json_object_get(m, "shares"), "submitted"));
        const char *const cells[] = {
            id,
            str(m, "site", site),
            str(m, "host", host),
            str(m, "state", state),
            newest(m, "coins", coin),
            hash_rate(m, rate),
            shares,
            newest(m, "workers", worker),
            newest(m, "wallets", wallet),
            newest(m, "pools", pool),
            age(m, "last", now, last),
        };
        if (t)
            add_row(t, cells);
    }
    print_table(t);
}

static void show_names(const char *label, const json_t *o, const char *key)
{
    size_t i;
    json_t *v;
    json_array_foreach(json_object_get(o, key), i, v)
    {
        char buf[CELL];
        printf("%-12s %s\n", i ? "" : label,
               safe(json_string_value(v) ? json_string_value(v) : "", buf));
    }
}

static void show_connections(const json_t *list, double now)
{
    static const char *const heads[] = { "SERVER", "PORT",      "VERDICT", "COIN", "FAMILY",
                                         "SHARES", "HASH RATE", "BYTES",   "LAST" };
    size_t i;
    json_t *c;
    struct table *t = new_table(heads, ARRAY_LEN(heads));
    json_array_foreach(list, i, c)
    {
        char ip[CELL], port[CELL], verdict[CELL], coin[CELL], family[CELL], shares[CELL],
            rate[CELL], size[CELL], last[CELL];
        const json_t *server = json_object_get(c, "server");
        snprintf(port, CELL, "%" PRId64, num(server, "port"));
        snprintf(shares, CELL, "%" PRId64, num(json_object_get(c, "shares"), "submitted"));
        const char *const cells[] = {
            str(server, "ip", ip),      port,
            str(c, "verdict", verdict), str(c, "coin", coin),
            str(c, "family", family),   shares,
            hash_rate(c, rate),         bytes(sum(c, "bytes"), size),
            age(c, "last", now, last),
        };
        if (t)
            add_row(t, cells);
    }
    print_table(t);
}

/* The evidence of the newest connection that has any. */
static void show_evidence(const json_t *list, double now)
{
    size_t i, k;
    json_t *c, *e;
    json_array_foreach(list, i, c)
    {
        const json_t *evidence = json_object_get(c, "evidence");
        if (json_array_size(evidence) == 0)
            continue;
        printf("\nevidence of the newest connection\n");
        json_array_foreach(evidence, k, e)
        {
            char kind[CELL], detail[CELL], from[CELL], field[CELL], seen[CELL], strength[CELL],
                refute[CELL];
            printf("  %-16s %s\n", str(e, "kind", kind), str(e, "detail", detail));
            printf("  %-16s %s, in: %s, sent by: %s %s ago; refuted by: %s\n", "",
                   str(e, "strength", strength), str(e, "seen_in", field), str(e, "from", from),
                   json_is_null(json_object_get(e, "time")) ? "-" : age(e, "time", now, seen),
                   str(e, "refuted_by", refute));
        }
        return;
    }
}

void lamp_show_miner(const json_t *m, double now)
{
    char a[CELL], b[CELL];
    const json_t *shares = json_object_get(m, "shares"), *rate = json_object_get(m, "hashrate");
    const json_t *connections = json_object_get(m, "connection_list");
    printf("miner        %" PRId64 ", %s at site %s\n", num(m, "id"), str(m, "host", a),
           str(m, "site", b));
    printf("state        %s, confidence %.0f %%\n", str(m, "state", a),
           100 * json_number_value(json_object_get(m, "confidence")));
    printf("since        %s ago, ", age(m, "since", now, a));
    printf("last seen %s ago\n", age(m, "last", now, a));
    show_names("coin", m, "coins");
    show_names("wallet", m, "wallets");
    show_names("worker", m, "workers");
    show_names("software", m, "agents");
    show_names("pool", m, "pools");
    show_names("platform", m, "platforms");
    if (json_is_object(rate))
        printf("hash rate    %s, by %s\n", hash_rate(m, a), str(rate, "method", b));
    printf("shares       %" PRId64 " submitted, %" PRId64 " accepted, %" PRId64
           " rejected, %" PRId64 " stale\n",
           num(shares, "submitted"), num(shares, "accepted"), num(shares, "rejected"),
           num(shares, "stale"));
    printf("traffic      %s, %" PRId64 " connections, %" PRId64 " open\n\n",
           bytes(sum(m, "bytes"), a), num(m, "connections"), num(m, "open_connections"));
    show_connections(connections, now);
    show_evidence(connections, now);
}

/* "2 applied, 1 failed". */
static void sensor_states(const json_t *block, char buf[CELL])
{
    static const char *const states[] = { "applied", "sent", "pending", "failed", "removed" };
    size_t len = 0;
    snprintf(buf, CELL, "-");
    for (size_t k = 0; k < ARRAY_LEN(states); k++) {
        size_t i, n = 0;
        json_t *s;
        json_array_foreach(json_object_get(block, "sensors"), i, s)
        {
            const char *state = json_string_value(json_object_get(s, "state"));
            n += state && streq(state, states[k]);
        }
        if (n && len < CELL)
            len +=
                (size_t)snprintf(buf + len, CELL - len, "%s%zu %s", len ? ", " : "", n, states[k]);
    }
}

static double hits(const json_t *block)
{
    double n = 0;
    size_t i;
    json_t *s;
    json_array_foreach(json_object_get(block, "sensors"), i, s) n +=
        json_number_value(json_object_get(json_object_get(s, "hits"), "packets"));
    return n;
}

static bool waits(const json_t *block)
{
    const char *state =
        json_string_value(json_object_get(json_object_get(block, "approval"), "state"));
    return state && streq(state, "waiting");
}

void lamp_show_entered(const json_t *block)
{
    char needs[CELL];
    if (waits(block))
        printf("block %" PRId64 " waits for the approval of another person: %s\n", num(block, "id"),
               str(json_object_get(block, "approval"), "needs", needs));
    else
        printf("block %" PRId64 " entered; 'davylamp blocks' shows when the sensors have it\n",
               num(block, "id"));
}

void lamp_show_sites(const json_t *list, double now)
{
    static const char *const heads[] = { "SITE", "SENSORS", "HELD", "BY", "RELEASE ASKED BY" };
    size_t i;
    json_t *v;
    struct table *t = new_table(heads, ARRAY_LEN(heads));
    json_array_foreach(list, i, v)
    {
        char site[CELL], sensors[CELL], since[CELL], by[CELL], release[CELL];
        const json_t *held = json_object_get(v, "held");
        snprintf(sensors, CELL, "%" PRId64, num(v, "sensors"));
        const char *const cells[] = {
            str(v, "site", site),
            sensors,
            json_is_object(held) ? age(held, "at", now, since) : "no",
            str(held, "by", by),
            str(held, "release_asked_by", release),
        };
        if (t)
            add_row(t, cells);
    }
    print_table(t);
}

/* "120 (90 to 160) W"; "-" where it is not known. */
static const char *range(const json_t *o, const char *key, const char *unit, char buf[CELL])
{
    const json_t *r = json_object_get(o, key);
    if (!json_is_object(r))
        return "-";
    snprintf(buf, CELL, "%.4g (%.4g to %.4g)%s%s", json_number_value(json_object_get(r, "value")),
             json_number_value(json_object_get(r, "low")),
             json_number_value(json_object_get(r, "high")), *unit ? " " : "", unit);
    return buf;
}

static void add_estimate(struct table *t, const char *name, const json_t *e)
{
    char miners[CELL], devices[CELL], watts[CELL], energy[CELL], cost[CELL];
    snprintf(miners, CELL, "%" PRId64, num(e, "miners"));
    const char *const cells[] = {
        name,
        miners,
        range(e, "devices", "", devices),
        range(e, "watts", "W", watts),
        range(e, "kwh_per_day", "kWh", energy),
        range(e, "cost_per_day", "", cost),
    };
    if (t)
        add_row(t, cells);
}

void lamp_show_estimates(const json_t *answer, const char *by)
{
    const char *const heads[] = { streq(by, "coin") ? "COIN" : "SITE",
                                  "MINERS",
                                  "DEVICES",
                                  "POWER",
                                  "ENERGY A DAY",
                                  "COST A DAY" };
    size_t i;
    json_t *e;
    struct table *t = new_table(heads, ARRAY_LEN(heads));
    json_array_foreach(json_object_get(answer, "estimates"), i, e)
    {
        char name[CELL];
        add_estimate(t, str(e, "name", name), e);
    }
    add_estimate(t, "all", json_object_get(answer, "total"));
    print_table(t);
}

void lamp_show_timeline(const json_t *answer, double now)
{
    static const char *const states[] = { "AGE", "STATE", "BY", "REASON" };
    static const char *const reasons[] = {
        "FIRST", "LAST", "SENSOR", "KIND", "DETAIL", "STRENGTH"
    };
    size_t i;
    json_t *v;
    struct table *t = new_table(states, ARRAY_LEN(states));
    json_array_foreach(json_object_get(answer, "states"), i, v)
    {
        char at[CELL], state[CELL], by[CELL], reason[CELL];
        const char *const cells[] = { age(v, "at", now, at), str(v, "state", state),
                                      str(v, "by", by), str(v, "reason", reason) };
        if (t)
            add_row(t, cells);
    }
    print_table(t);
    putchar('\n');
    t = new_table(reasons, ARRAY_LEN(reasons));
    json_array_foreach(json_object_get(answer, "reasons"), i, v)
    {
        char first[CELL], last[CELL], sensor[CELL], kind[CELL], detail[CELL], strength[CELL];
        const bool fleet = json_is_null(json_object_get(v, "sensor"));
        const char *const cells[] = {
            age(v, "first", now, first),
            age(v, "last", now, last),
            fleet ? "(several sites)" : str(v, "sensor", sensor),
            str(v, "kind", kind),
            str(v, "detail", detail),
            str(v, "strength", strength),
        };
        if (t)
            add_row(t, cells);
    }
    print_table(t);
    if (num(answer, "left_out"))
        printf("and %" PRId64 " more\n", num(answer, "left_out"));
}

void lamp_show_audit(const json_t *list, double now)
{
    static const char *const heads[] = { "AGE", "WHO", "DID", "TO", "DETAIL" };
    size_t i;
    json_t *v;
    struct table *t = new_table(heads, ARRAY_LEN(heads));
    json_array_foreach(list, i, v)
    {
        char at[CELL], actor[CELL], action[CELL], object[CELL], detail[CELL];
        const char *const cells[] = {
            age(v, "at", now, at),    str(v, "actor", actor),   str(v, "action", action),
            str(v, "object", object), str(v, "detail", detail),
        };
        if (t)
            add_row(t, cells);
    }
    print_table(t);
}

void lamp_show_blocks(const json_t *list, double now)
{
    static const char *const heads[] = { "ID", "KIND",    "TARGET",  "PORT",    "SITE",
                                         "BY", "ENDS IN", "SENSORS", "DROPPED", "REASON" };
    size_t i;
    json_t *b;
    struct table *t = new_table(heads, ARRAY_LEN(heads));
    json_array_foreach(list, i, b)
    {
        char id[CELL], kind[CELL], target[CELL], port[CELL], site[CELL], by[CELL], ends[CELL],
            sensors[CELL], dropped[CELL], reason[CELL];
        const json_int_t port_no = num(b, "port");
        const bool active = json_is_true(json_object_get(b, "active"));
        snprintf(id, CELL, "%" PRId64, num(b, "id"));
        snprintf(port, CELL, "%" PRId64, (int64_t)port_no);
        snprintf(dropped, CELL, "%.0f", hits(b));
        sensor_states(b, sensors);
        const char *const cells[] = {
            id,
            str(b, "kind", kind),
            str(b, "target", target),
            port_no ? port : "any",
            json_is_string(json_object_get(b, "site")) ? str(b, "site", site) : "all",
            str(b, "created_by", by),
            waits(b) ? "waits"
            : active ? span(now, json_number_value(json_object_get(b, "expires")), ends)
                     : "ended",
            sensors,
            dropped,
            str(b, "reason", reason),
        };
        if (t)
            add_row(t, cells);
    }
    print_table(t);
}

void lamp_show_traffic(const json_t *answer)
{
    static const char *const heads[] = { "SITE", "HOST", "REMOTE", "PORT", "APPLICATION",
                                         "NAME", "OUT",  "IN",     "FLOWS" };
    const json_t *total = json_object_get(answer, "total");
    size_t i;
    json_t *v;
    char out[CELL], in[CELL];
    struct table *t = new_table(heads, ARRAY_LEN(heads));
    json_array_foreach(json_object_get(answer, "traffic"), i, v)
    {
        char site[CELL], host[CELL], remote[CELL], port[CELL], app[CELL], name[CELL], flows[CELL];
        const bool other = json_is_null(json_object_get(v, "host"));
        if (other)
            snprintf(port, CELL, "-");
        else
            snprintf(port, CELL, "%" PRId64, num(v, "port"));
        snprintf(flows, CELL, "%" PRId64, num(v, "flows"));
        const char *const cells[] = {
            str(v, "site", site),
            other ? "other" : str(v, "host", host),
            str(v, "remote", remote),
            port,
            str(v, "application", app),
            str(v, "remote_name", name),
            bytes((double)num(json_object_get(v, "bytes"), "out"), out),
            bytes((double)num(json_object_get(v, "bytes"), "in"), in),
            flows,
        };
        if (t)
            add_row(t, cells);
    }
    print_table(t);
    printf("in all %s out, %s in, %" PRId64 " flows\n",
           bytes((double)num(json_object_get(total, "bytes"), "out"), out),
           bytes((double)num(json_object_get(total, "bytes"), "in"), in), num(total, "flows"));
}

/* "Nuremberg, Bavaria, DE": what of it is known. */
static const char *place(const json_t *a, char buf[CELL])
{
    static const char *const keys[] = { "city", "region", "country" };
    char part[CELL];
    *buf = '\0';
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const size_t len = strlen(buf);
        if (json_is_string(json_object_get(a, keys[i])))
            snprintf(buf + len, CELL - len, "%s%s", len ? ", " : "", str(a, keys[i], part));
    }
    if (!*buf)
        snprintf(buf, CELL, json_is_true(json_object_get(a, "private")) ? "private" : "-");
    return buf;
}

void lamp_show_addresses(const json_t *list)
{
    static const char *const heads[] = { "ADDRESS", "PLACE", "AS", "AS NAME", "HOST NAME" };
    size_t i;
    json_t *a;
    struct table *t = new_table(heads, ARRAY_LEN(heads));
    json_array_foreach(list, i, a)
    {
        char ip[CELL], where[CELL], system[CELL] = "-", as_name[CELL], host[CELL];
        if (json_is_integer(json_object_get(a, "asn")))
            snprintf(system, CELL, "AS%" PRId64, num(a, "asn"));
        const char *state = json_string_value(json_object_get(a, "host_name_state"));
        const bool known = json_is_string(json_object_get(a, "host_name"));
        const bool open = state && (streq(state, "pending") || streq(state, "failed"));
        const char *const cells[] = {
            str(a, "ip", ip),
            place(a, where),
            system,
            str(a, "as_name", as_name),
            known || !open ? str(a, "host_name", host) : "no answer",
        };
        if (t)
            add_row(t, cells);
    }
    print_table(t);
}

void lamp_show_alerts(const json_t *answer, double now)
{
    static const char *const heads[] = { "ID",    "SEVERITY", "KIND",     "SITE",
                                         "LASTS", "SEEN",     "KNOWN TO", "TEXT" };
    size_t i;
    json_t *v;
    struct table *t = new_table(heads, ARRAY_LEN(heads));
    json_array_foreach(json_object_get(answer, "alerts"), i, v)
    {
        char id[CELL], severity[CELL], kind[CELL], site[CELL], lasts[CELL], seen[CELL], by[CELL],
            text[CELL];
        snprintf(id, CELL, "%" PRId64, num(v, "id"));
        snprintf(seen, CELL, "%" PRId64, num(v, "count"));
        const char *const cells[] = {
            id,
            str(v, "severity", severity),
            str(v, "kind", kind),
            str(v, "site", site),
            json_is_number(json_object_get(v, "resolved")) ? "ended" : age(v, "raised", now, lasts),
            seen,
            str(v, "acknowledged_by", by),
            str(v, "text", text),
        };
        if (t)
            add_row(t, cells);
    }
    print_table(t);
    if (num(answer, "refused"))
        printf("%" PRId64 " alerts found no room\n", num(answer, "refused"));
}

void lamp_show_own(const json_t *list, double now)
{
    static const char *const heads[] = { "ID", "KIND", "VALUE", "SITE", "AGE", "BY", "NOTE" };
    size_t i;
    json_t *v;
    struct table *t = new_table(heads, ARRAY_LEN(heads));
    json_array_foreach(list, i, v)
    {
        char id[CELL], kind[CELL], value[CELL], site[CELL], at[CELL], by[CELL], note[CELL];
        snprintf(id, CELL, "%" PRId64, num(v, "id"));
        const char *const cells[] = {
            id,
            str(v, "kind", kind),
            str(v, "value", value),
            json_is_string(json_object_get(v, "site")) ? str(v, "site", site) : "all",
            age(v, "added", now, at),
            str(v, "added_by", by),
            str(v, "note", note),
        };
        if (t)
            add_row(t, cells);
    }
    print_table(t);
}

/* ---- who may use the API ---- */

/* The sites of an account or token. */
static const char *scope(const json_t *v, char buf[CELL])
{
    const json_t *sites = json_object_get(v, "sites");
    size_t i;
    json_t *site;
    snprintf(buf, CELL, "%s", json_is_array(sites) ? "" : "all");
    json_array_foreach(sites, i, site)
    {
        const size_t len = strlen(buf);
        const char *text = json_string_value(site);
        char one[CELL];
        if (text)
            snprintf(buf + len, CELL - len, "%s%s", i ? ", " : "", safe(text, one));
    }
    return buf;
}

void lamp_show_users(const json_t *list, double now)
{
    static const char *const heads[] = { "NAME", "ROLE", "SITES", "STATE", "PASSWORD SET" };
    size_t i;
    json_t *v;
    struct table *t = new_table(heads, ARRAY_LEN(heads));
    json_array_foreach(list, i, v)
    {
        char name[CELL], role[CELL], sites[CELL], set[CELL];
        const char *const cells[] = {
            str(v, "name", name),
            str(v, "role", role),
            scope(v, sites),
            json_is_true(json_object_get(v, "disabled")) ? "disabled" : "enabled",
            age(v, "password_set", now, set),
        };
        if (t)
            add_row(t, cells);
    }
    print_table(t);
}

void lamp_show_tokens(const json_t *list, double now)
{
    static const char *const heads[] = {
        "ID", "NAME", "ROLE", "SITES", "MADE BY", "USED", "ENDS IN"
    };
    size_t i;
    json_t *v;
    struct table *t = new_table(heads, ARRAY_LEN(heads));
    json_array_foreach(list, i, v)
    {
        char id[CELL], name[CELL], role[CELL], sites[CELL], by[CELL], used[CELL], ends[CELL];
        const double expires = json_number_value(json_object_get(v, "expires"));
        snprintf(id, CELL, "%" PRId64, num(v, "id"));
        const char *const cells[] = {
            id,
            str(v, "name", name),
            str(v, "role", role),
            scope(v, sites),
            str(v, "created_by", by),
            age(v, "used", now, used),
            expires <= 0     ? "never"
            : expires <= now ? "ended"
                             : span(now, expires, ends),
        };
        if (t)
            add_row(t, cells);
    }
    print_table(t);
}

void lamp_show_sessions(const json_t *list, double now)
{
    static const char *const heads[] = { "ID", "USER", "FROM", "LOGGED IN", "USED", "ENDS IN" };
    size_t i;
    json_t *v;
    struct table *t = new_table(heads, ARRAY_LEN(heads));
    json_array_foreach(list, i, v)
    {
        char id[CELL], user[CELL], from[CELL], opened[CELL], used[CELL], ends[CELL];
        snprintf(id, CELL, "%" PRId64, num(v, "id"));
        const char *const cells[] = {
            id,
            str(v, "user", user),
            str(v, "address", from),
            age(v, "opened", now, opened),
            age(v, "used", now, used),
            span(now, json_number_value(json_object_get(v, "expires")), ends),
        };
        if (t)
            add_row(t, cells);
    }
    print_table(t);
}

void lamp_show_receivers(const json_t *list, double now)
{
    static const char *const heads[] = { "NAME", "KIND", "TO",   "MESSAGES", "ALERTS",
                                         "MORE", "SENT", "WAIT", "DEAD",     "LAST ERROR" };
    size_t i;
    json_t *v;
    struct table *t = new_table(heads, ARRAY_LEN(heads));
    json_array_foreach(list, i, v)
    {
        char name[CELL], kind[CELL], url[CELL], messages[CELL], alerts[CELL], more[CELL],
            sent[CELL], queued[CELL], dead[CELL], error[CELL];
        snprintf(messages, CELL, "%" PRId64, num(v, "messages"));
        snprintf(alerts, CELL, "%" PRId64, num(v, "alerts"));
        snprintf(more, CELL, "%" PRId64, num(v, "more"));
        snprintf(queued, CELL, "%" PRId64, num(v, "queued"));
        snprintf(dead, CELL, "%" PRId64, num(v, "dead"));
        const char *const cells[] = {
            str(v, "name", name),
            str(v, "kind", kind),
            str(v, "url", url),
            messages,
            alerts,
            more,
            age(v, "sent", now, sent),
            queued,
            dead,
            str(v, "error", error),
        };
        if (t)
            add_row(t, cells);
    }
    print_table(t);
}

void lamp_show_policies(const json_t *list, double now)
{
    static const char *const heads[] = { "ID",   "NAME", "MODE",  "SINCE", "VERDICT", "COIN",
                                         "POOL", "SITE", "HOURS", "ALERT", "BLOCK",   "LEASE S" };
    size_t i;
    json_t *v;
    struct table *t = new_table(heads, ARRAY_LEN(heads));
    json_array_foreach(list, i, v)
    {
        char id[CELL], name[CELL], mode[CELL], since[CELL], verdict[CELL], coin[CELL], pool[CELL],
            site[CELL], hours[CELL], block[CELL], lease[CELL];
        snprintf(id, CELL, "%" PRId64, num(v, "id"));
        snprintf(lease, CELL, "%" PRId64 "-%" PRId64, num(v, "lease"), num(v, "longest"));
        const char *const cells[] = {
            id,
            str(v, "name", name),
            str(v, "mode", mode),
            age(v, "mode_since", now, since),
            str(v, "verdict", verdict),
            str(v, "coin", coin),
            str(v, "pool", pool),
            json_is_string(json_object_get(v, "site")) ? str(v, "site", site) : "all",
            str(v, "hours", hours),
            json_is_true(json_object_get(v, "alert")) ? "yes" : "no",
            str(v, "block", block),
            lease,
        };
        if (t)
            add_row(t, cells);
    }
    print_table(t);
}

void lamp_show_hits(const json_t *list, double now)
{
    static const char *const heads[] = { "AGE",  "SITE", "HOST",    "SERVER",
                                         "PORT", "SEEN", "OUTCOME", "WHY" };
    size_t i;
    json_t *v;
    struct table *t = new_table(heads, ARRAY_LEN(heads));
    json_array_foreach(list, i, v)
    {
        char at[CELL], site[CELL], host[CELL], server[CELL], port[CELL], seen[CELL], outcome[CELL],
            why[CELL];
        snprintf(port, CELL, "%" PRId64, num(v, "port"));
        snprintf(seen, CELL, "%" PRId64, num(v, "count"));
        const char *const cells[] = {
            age(v, "last", now, at),
            str(v, "site", site),
            str(v, "host", host),
            str(v, "server", server),
            port,
            seen,
            str(v, "outcome", outcome),
            str(v, "why", why),
        };
        if (t)
            add_row(t, cells);
    }
    print_table(t);
}

/* "remote 203.0.113.11:10300", of a sample. */
static const char *what_of(const json_t *v, char buf[CELL])
{
    char what[CELL], host[CELL], remote[CELL];
    const json_t *m = json_array_get(json_object_get(v, "matches"), 0);
    str(v, "what", what);
    const bool host_said = json_is_string(json_object_get(m, "host"));
    const bool remote_said = json_is_string(json_object_get(m, "remote"));
    if (json_is_integer(json_object_get(v, "miner")))
        snprintf(buf, CELL, "miner %" PRId64, num(v, "miner"));
    else
        snprintf(buf, CELL, "%.12s%s%.40s%s%.40s", what, host_said ? " " : "",
                 host_said ? str(m, "host", host) : "", remote_said ? " " : "",
                 remote_said ? str(m, "remote", remote) : "");
    return buf;
}

void lamp_show_samples(const json_t *list, double now)
{
    static const char *const heads[] = { "ID",      "AGE",   "WHAT", "SITE",
                                         "SENSORS", "STATE", "BY",   "REASON" };
    size_t i;
    json_t *v;
    struct table *t = new_table(heads, ARRAY_LEN(heads));
    json_array_foreach(list, i, v)
    {
        char id[CELL], at[CELL], what[CELL], site[CELL], sensors[CELL], state[CELL], by[CELL],
            reason[CELL];
        snprintf(id, CELL, "%" PRId64, num(v, "id"));
        snprintf(sensors, CELL, "%zu", json_array_size(json_object_get(v, "sensors")));
        const char *const cells[] = {
            id,
            age(v, "created", now, at),
            what_of(v, what),
            json_is_string(json_object_get(v, "site")) ? str(v, "site", site) : "all",
            sensors,
            str(v, "state", state),
            str(v, "created_by", by),
            str(v, "reason", reason),
        };
        if (t)
            add_row(t, cells);
    }
    print_table(t);
}

void lamp_show_sample_files(const json_t *list, double now)
{
    static const char *const heads[] = { "SENSOR",  "SITE",  "STATE", "AGE",
                                         "PACKETS", "BYTES", "HERE",  "WORDS" };
    size_t i;
    json_t *v;
    struct table *t = new_table(heads, ARRAY_LEN(heads));
    json_array_foreach(list, i, v)
    {
        char sensor[CELL], site[CELL], state[CELL], at[CELL], packets[CELL], bytes[CELL],
            landed[CELL], words[CELL];
        snprintf(packets, CELL, "%" PRId64, num(v, "packets"));
        snprintf(bytes, CELL, "%" PRId64, num(v, "bytes"));
        snprintf(landed, CELL, "%" PRId64, num(v, "landed"));
        const char *const cells[] = {
            str(v, "sensor", sensor),
            str(v, "site", site),
            str(v, "state", state),
            age(v, "changed", now, at),
            packets,
            bytes,
            landed,
            str(v, "words", words),
        };
        if (t)
            add_row(t, cells);
    }
    print_table(t);
}

void lamp_show_imports(const json_t *list, double now)
{
    static const char *const heads[] = { "ID",    "NAME",        "SITE",      "STATE", "FILES",
                                         "BYTES", "CONNECTIONS", "CONFIRMED", "AGE" };
    size_t i;
    json_t *v;
    struct table *t = new_table(heads, ARRAY_LEN(heads));
    json_array_foreach(list, i, v)
    {
        char id[CELL], name[CELL], site[CELL], state[CELL], files[CELL], size[CELL], conns[CELL],
            confirmed[CELL], created[CELL];
        snprintf(id, CELL, "%" PRId64, num(v, "id"));
        snprintf(files, CELL, "%" PRId64 "/%" PRId64, num(v, "files_done"), num(v, "files"));
        snprintf(conns, CELL, "%" PRId64, num(v, "connections"));
        snprintf(confirmed, CELL, "%" PRId64, num(json_object_get(v, "verdicts"), "confirmed"));
        const char *const cells[] = { id,
                                      str(v, "name", name),
                                      str(v, "site", site),
                                      str(v, "state", state),
                                      files,
                                      bytes((double)num(v, "bytes"), size),
                                      conns,
                                      confirmed,
                                      age(v, "created", now, created) };
        add_row(t, cells);
    }
    print_table(t);
}

/* A text of any length. */
static void print_long(const char *before, const json_t *o, const char *key)
{
    char text[1024];
    const char *s = json_string_value(json_object_get(o, key));
    if (s)
        printf("%s%s\n", before, lamp_text_safe((const uint8_t *)s, strlen(s), text, sizeof(text)));
}

void lamp_show_import(const json_t *answer)
{
    char name[CELL], state[CELL];
    size_t i;
    json_t *f;
    const json_t *v = json_array_get(json_object_get(answer, "imports"), 0);
    printf("import %" PRId64 " of %s: %s, %" PRId64 " files, %" PRId64 " packets\n", num(v, "id"),
           str(v, "name", name), str(v, "state", state), num(v, "files"), num(v, "packets"));
    print_long("", v, "answer");
    print_long("", v, "error");
    json_array_foreach(json_object_get(answer, "files"), i, f)
    {
        char before[CELL + 8];
        snprintf(before, sizeof(before), "  %s: ", str(f, "name", name));
        print_long(before, f, "error");
    }
}

void lamp_show_import_connections(const json_t *answer)
{
    static const char *const heads[] = { "HOST", "SERVER", "PORT",   "VERDICT", "FAMILY",
                                         "COIN", "WALLET", "WORKER", "HASHRATE" };
    size_t i;
    json_t *row;
    struct table *t = new_table(heads, ARRAY_LEN(heads));
    json_array_foreach(json_object_get(answer, "connections"), i, row)
    {
        char host[CELL], server[CELL], port[CELL], verdict[CELL], family[CELL], coin[CELL],
            wallet[CELL], worker[CELL], rate[CELL];
        const json_t *v = json_object_get(row, "connection");
        const json_t *to = json_object_get(v, "server");
        snprintf(port, CELL, "%" PRId64, num(to, "port"));
        const char *const cells[] = {
            str(json_object_get(v, "client"), "ip", host),
            str(to, json_is_string(json_object_get(to, "name")) ? "name" : "ip", server),
            port,
            str(v, "verdict", verdict),
            str(v, "family", family),
            str(v, "coin", coin),
            str(v, "wallet", wallet),
            str(v, "worker", worker),
            hash_rate(v, rate),
        };
        add_row(t, cells);
    }
    print_table(t);
    if (json_is_integer(json_object_get(answer, "next")))
        puts("and more: --json and the API have all");
}
