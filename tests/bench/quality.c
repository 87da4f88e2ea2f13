/* SPDX-License-Identifier: Apache-2.0 */
/* quality: how well analyze does on labelled captures. FOLDER has a TRUTH.tsv whose first line names
 * the columns (file, client_ip, client_port, server_ip, server_port, role, family, coin; also
 * true_hashrate_hs, accepted), one row per mining connection; files are relative to FOLDER. What is in
 * FOLDER/neg and FOLDER/malformed is not mining. Prints a table, and with --json the same as JSON.
 * Where ndpiReader is installed it is scored beside us (its 4.2 -C format), unless --no-ndpi. */
#include "tests/bench/quality_names.h"
#include "tests/golden/run_analyze.h"

#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>

enum { MAX_ROWS = 20000, MAX_CONNECTIONS = 200000, MAX_TALLIES = 128, MAX_COLUMNS = 64 };

struct row {
    char *key, *file;
    const char *role, *coin;
    char family[64], coins[64];
    enum quality_class class;
    double true_rate;
    long accepted;
    bool found, found_by_ndpi;
};

struct connection {
    char *key, *file;
    json_t *is;
};

/* What is counted of one family or coin. */
struct tally {
    char name[64];
    unsigned rows, found, right, wrong, unknown; /* of truth rows */
    unsigned alarms, true_alarms;                /* of ours under that name */
    unsigned ndpi;
};

struct list {
    struct tally v[MAX_TALLIES];
    size_t n;
};

static struct row rows[MAX_ROWS];
static struct connection connections[MAX_CONNECTIONS];
static size_t n_rows, n_connections;
static struct list families, coins;
static const char *folder;

static void die(const char *what)
{
    fprintf(stderr, "quality: %s\n", what);
    exit(2);
}

static struct tally *tally_of(struct list *l, const char *name)
{
    size_t i = 0;
    while (i < l->n && !streq(l->v[i].name, name))
        i++;
    if (i == MAX_TALLIES)
        die("too many names");
    if (i == l->n)
        snprintf(l->v[l->n++].name, sizeof(l->v[0].name), "%s", name);
    return &l->v[i];
}

static char *key_of(const char *file, const char *a, const char *a_port, const char *b,
                    const char *b_port)
{
    char *key;
    if (asprintf(&key, "%s %s %s %s %s", file, a, a_port, b, b_port) < 0)
        die("out of memory");
    return key;
}

/* ---- the truth ---- */

static char *columns[MAX_COLUMNS];
static size_t n_columns;

static const char *cell(char *const *v, const char *name)
{
    for (size_t i = 0; i < n_columns; i++)
        if (streq(columns[i], name))
            return v[i];
    return "";
}

static size_t split(char *line, char **out)
{
    size_t n = 0;
    line[strcspn(line, "\r\n")] = '\0';
    while (n < MAX_COLUMNS && (out[n] = strsep(&line, "\t")))
        n++;
    for (size_t i = n; i < MAX_COLUMNS; i++)
        out[i] = "";
    return n;
}

static void add_row(char *const *v)
{
    struct row *r = &rows[n_rows];
    if (++n_rows == MAX_ROWS)
        die("too many rows in TRUTH.tsv");
    *r = (struct row){
        .key = key_of(cell(v, "file"), cell(v, "client_ip"), cell(v, "client_port"),
                      cell(v, "server_ip"), cell(v, "server_port")),
        .file = strdup(cell(v, "file")),
        .role = strdup(cell(v, "role")),
        .coin = strdup(cell(v, "coin")),
        .true_rate = strtod(cell(v, "true_hashrate_hs"), NULL),
        .accepted = strtol(cell(v, "accepted"), NULL, 10),
    };
    snprintf(r->family, sizeof(r->family), "%s", quality_family(cell(v, "family"), &r->class));
    quality_coins(r->coin, r->coins, sizeof(r->coins));
}

static void read_truth(void)
{
    char path[4096], *v[MAX_COLUMNS];
    snprintf(path, sizeof(path), "%s/TRUTH.tsv", folder);
    FILE *f = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;
    if (!f || getline(&line, &size, f) < 0)
        die("cannot read TRUTH.tsv");
    n_columns = split(strdup(line), columns);
    while (getline(&line, &size, f) > 0) {
        split(line, v);
        add_row(v);
    }
    free(line);
    fclose(f);
}

/* ---- what we say ---- */

static const char *str(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static char *port_text(const json_t *end, char buf[16])
{
    snprintf(buf, 16, "%d", (int)json_integer_value(json_object_get(end, "port")));
    return buf;
}

static bool is_alarm(const json_t *c)
{
    return streq(str(c, "verdict"), "probable") || streq(str(c, "verdict"), "confirmed");
}

static void add_connection(json_t *o)
{
    const char *file = str(o, "file");
    const size_t n = strlen(folder);
    if (strncmp(file, folder, n) == 0)
        file += n + strspn(file + n, "/");
    const json_t *client = json_object_get(o, "client"), *server = json_object_get(o, "server");
    char a[16], b[16];
    if (n_connections == MAX_CONNECTIONS)
        die("too many connections");
    connections[n_connections++] =
        (struct connection){ key_of(file, str(client, "ip"), port_text(client, a),
                                    str(server, "ip"), port_text(server, b)),
                             strdup(file), o };
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct connection *)a)->key, ((const struct connection *)b)->key);
}

static void analyze(void)
{
    char *out = NULL, *path = strdup(folder);
    if (!path || run_analyze(&path, 1, &out) == 2)
        die("analyze did not run");
    char *rest = out;
    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        json_t *o = json_loads(line, 0, NULL);
        if (!o)
            die("analyze wrote something that is not JSON");
        if (streq(str(o, "type"), "connection"))
            add_connection(o);
        else
            json_decref(o);
    }
    free(out);
    free(path);
    qsort(connections, n_connections, sizeof(connections[0]), by_key);
}

/* ---- scores ---- */

/* A distribution whose quantiles are shown. */
struct sample {
    double v[MAX_ROWS];
    size_t n;
};
static struct sample packets, seconds;

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(struct sample *s, double p)
{
    qsort(s->v, s->n, sizeof(s->v[0]), by_value);
    return s->n ? s->v[(size_t)(p * (double)(s->n - 1))] : 0;
}

static struct {
    unsigned rows, found, mislabelled;
} classes[QUALITY_CLASSES];

static struct {
    unsigned rows, inside;
} coverage, coverage_all;

static const char *const class_names[] = { "plaintext", "tls and stratum v2", "wss" };

static void score_rate(const struct row *r, const json_t *c)
{
    const json_t *rate = json_object_get(c, "hashrate");
    if (r->true_rate <= 0 || r->accepted < 4 || !json_is_object(rate))
        return;
    const bool inside = json_number_value(json_object_get(rate, "low")) <= r->true_rate &&
                        r->true_rate <= json_number_value(json_object_get(rate, "high"));
    coverage_all.rows++;
    coverage_all.inside += inside;
    if (!strstr(r->file, "_enc_")) {
        coverage.rows++;
        coverage.inside += inside;
    }
}

static void score_row(struct row *r)
{
    struct tally *family = tally_of(&families, r->family);
    const struct connection key = { .key = r->key };
    const struct connection *hit = bsearch(&key, connections, n_connections, sizeof(key), by_key);
    classes[r->class].rows++;
    family->rows++;
    family->ndpi += r->found_by_ndpi;
    struct tally *coin = *r->coins ? tally_of(&coins, r->coins) : NULL;
    if (coin)
        coin->rows++;
    r->found = hit && (r->class == QUALITY_PLAIN ? is_alarm(hit->is)
                                                 : !streq(str(hit->is, "verdict"), "wallet"));
    if (!r->found)
        return;
    classes[r->class].found++;
    family->found++;
    const bool fits = quality_family_fits(r->family, str(hit->is, "family"));
    family->right += fits;
    family->wrong += !fits;
    classes[r->class].mislabelled += !fits;
    if (coin) {
        const char *ours = str(hit->is, "coin");
        coin->found++;
        coin->right += quality_coin_fits(r->coins, ours);
        coin->unknown += !*ours;
        coin->wrong += *ours && !quality_coin_fits(r->coins, ours);
    }
    const json_t *found = json_object_get(hit->is, "found");
    if (r->class == QUALITY_PLAIN && json_is_object(found)) {
        packets.v[packets.n++] = json_number_value(json_object_get(found, "packets"));
        seconds.v[seconds.n++] = json_number_value(json_object_get(found, "seconds"));
    }
    score_rate(r, hit->is);
}

static const struct row *row_of(const char *key)
{
    for (size_t i = 0; i < n_rows; i++)
        if (streq(rows[i].key, key))
            return &rows[i];
    return NULL;
}

static unsigned false_probable, false_suspected, quiet_files, quiet_files_hit;
static unsigned ndpi_false;
static bool with_ndpi;

static bool is_quiet(const char *file)
{
    return strncmp(file, "neg/", 4) == 0 || strncmp(file, "malformed/", 10) == 0;
}

/* Precision, and alarms where nothing mines. Rows of other roles count neither way. */
static void score_alarms(void)
{
    const char *last = "";
    for (size_t i = 0; i < n_connections; i++) {
        const struct connection *c = &connections[i];
        const struct row *r = row_of(c->key);
        const bool alarm = is_alarm(c->is), ours = r && streq(r->role, "mining");
        if ((r && !ours) || streq(str(c->is, "verdict"), "wallet"))
            continue;
        struct tally *t = tally_of(&families, str(c->is, "family"));
        t->alarms += alarm;
        t->true_alarms += alarm && ours;
        if (ours)
            continue;
        false_probable += alarm;
        false_suspected += !alarm;
        if (is_quiet(c->file) && !streq(last, c->file))
            quiet_files_hit++;
        last = c->file;
        printf("not in TRUTH.tsv: %s: %s %s\n", c->key, str(c->is, "verdict"),
               str(c->is, "family"));
    }
}

/* ---- ndpiReader ---- */

static void mark_ndpi(const char *file, char *const *v)
{
    bool known = false;
    for (int turned = 0; turned < 2; turned++) {
        char *key =
            turned ? key_of(file, v[7], v[8], v[5], v[6]) : key_of(file, v[5], v[6], v[7], v[8]);
        for (size_t i = 0; i < n_rows; i++)
            if (streq(rows[i].key, key)) {
                rows[i].found_by_ndpi = known = true;
            }
        free(key);
    }
    ndpi_false += !known;
}

static void ndpi_on(const char *file)
{
    char command[8192], out[] = "/tmp/quality-ndpi-XXXXXX", *line = NULL;
    const int fd = mkstemp(out);
    if (fd < 0 || strchr(file, '\'') || strchr(folder, '\''))
        return;
    snprintf(command, sizeof(command), "ndpiReader -q -i '%s/%s' -C %s >/dev/null 2>&1", folder,
             file, out);
    size_t size = 0;
    FILE *f = system(command) == 0 ? fopen(out, "re") : NULL;
    while (f && getline(&line, &size, f) > 0) {
        char *rest = line, *v[16] = { NULL };
        for (size_t i = 0; i < ARRAY_LEN(v); i++) {
            v[i] = strsep(&rest, ",");
            if (!v[i])
                v[i] = "";
        }
        if (strstr(v[10], "Mining"))
            mark_ndpi(file, v);
    }
    free(line);
    if (f)
        fclose(f);
    close(fd);
    unlink(out);
}

/* Counts the captures of a folder, and shows them to ndpiReader where wanted. */
static void visit(const char *sub)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", folder, sub);
    DIR *dir = opendir(path);
    for (const struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", sub, e->d_name);
        quiet_files += is_quiet(path);
        if (with_ndpi)
            ndpi_on(path);
    }
    if (dir)
        closedir(dir);
}

/* ---- output ---- */

static double percent(unsigned a, unsigned b)
{
    return b ? 100.0 * a / b : 0;
}

static void print_table(void)
{
    printf("\n%-20s %6s %6s %8s %8s %9s %6s\n", "FAMILY", "ROWS", "FOUND", "RECALL", "NAMED",
           "PRECISION", with_ndpi ? "NDPI" : "");
    for (size_t i = 0; i < families.n; i++) {
        const struct tally *t = &families.v[i];
        printf("%-20s %6u %6u %7.1f%% %7.1f%% ", t->name, t->rows, t->found,
               percent(t->found, t->rows), percent(t->right, t->found));
        if (t->alarms)
            printf("%8.1f%% ", percent(t->true_alarms, t->alarms));
        else
            printf("%9s ", "-");
        if (with_ndpi)
            printf("%6u", t->ndpi);
        putchar('\n');
    }
    printf("\n%-20s %6s %6s %6s %6s %6s\n", "COIN", "ROWS", "FOUND", "RIGHT", "WRONG", "UNKNOWN");
    for (size_t i = 0; i < coins.n; i++) {
        const struct tally *t = &coins.v[i];
        printf("%-20.*s %6u %6u %6u %6u %6u\n", (int)strlen(t->name) - 1, t->name, t->rows,
               t->found, t->right, t->wrong, t->unknown);
    }
    printf("\n");
    for (size_t i = 0; i < QUALITY_CLASSES; i++)
        if (classes[i].rows)
            printf("%s: %u of %u found (%.1f %%), %u under another family's name\n", class_names[i],
                   classes[i].found, classes[i].rows, percent(classes[i].found, classes[i].rows),
                   classes[i].mislabelled);
    printf("not mining: %u alarms, %u suspected, in %u of %u quiet files\n", false_probable,
           false_suspected, quiet_files_hit, quiet_files);
    if (with_ndpi)
        printf("not mining, by ndpiReader: %u\n", ndpi_false);
    if (packets.n)
        printf("first verdict: packets %g median, %g 95 %%, %g most; seconds %.3g, %.3g, %.3g\n",
               quantile(&packets, 0.5), quantile(&packets, 0.95), quantile(&packets, 1),
               quantile(&seconds, 0.5), quantile(&seconds, 0.95), quantile(&seconds, 1));
    if (coverage.rows)
        printf("true hash rate within the 95 %% interval: %u of %u rows (%.1f %%), with variants "
               "%u of %u\n",
               coverage.inside, coverage.rows, percent(coverage.inside, coverage.rows),
               coverage_all.inside, coverage_all.rows);
}

static json_t *list_json(const struct list *l)
{
    json_t *array = json_array();
    for (size_t i = 0; i < l->n; i++) {
        const struct tally *t = &l->v[i];
        json_array_append_new(array,
                              json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "name",
                                        t->name, "rows", (int)t->rows, "found", (int)t->found,
                                        "right", (int)t->right, "wrong", (int)t->wrong, "unknown",
                                        (int)t->unknown, "alarms", (int)t->alarms, "true_alarms",
                                        (int)t->true_alarms, "ndpi", (int)t->ndpi));
    }
    return array;
}

static int write_json(const char *path)
{
    json_t *by_class = json_object();
    for (size_t i = 0; i < QUALITY_CLASSES; i++)
        json_object_set_new(by_class, class_names[i],
                            json_pack("{s:i, s:i, s:i}", "rows", (int)classes[i].rows, "found",
                                      (int)classes[i].found, "mislabelled",
                                      (int)classes[i].mislabelled));
    json_t *o =
        json_pack("{s:o, s:o, s:o, s:{s:i, s:i, s:i, s:i}, s:{s:f, s:f, s:f, s:f}, s:{s:i, s:i}}",
                  "families", list_json(&families), "coins", list_json(&coins), "classes", by_class,
                  "not_mining", "alarms", (int)false_probable, "suspected", (int)false_suspected,
                  "files", (int)quiet_files, "files_hit", (int)quiet_files_hit, "first_verdict",
                  "packets_median", quantile(&packets, 0.5), "packets_95", quantile(&packets, 0.95),
                  "seconds_median", quantile(&seconds, 0.5), "seconds_95", quantile(&seconds, 0.95),
                  "hashrate", "rows", (int)coverage.rows, "inside", (int)coverage.inside);
    if (with_ndpi)
        json_object_set_new(o, "ndpi_not_mining", json_integer((json_int_t)ndpi_false));
    const int failed = o ? json_dump_file(o, path, JSON_INDENT(1)) : -1;
    json_decref(o);
    return failed;
}

static void free_all(void)
{
    for (size_t i = 0; i < n_rows; i++) {
        free(rows[i].key);
        free(rows[i].file);
    }
    for (size_t i = 0; i < n_connections; i++) {
        free(connections[i].key);
        free(connections[i].file);
        json_decref(connections[i].is);
    }
}

int main(int argc, char **argv)
{
    const char *json = NULL;
    with_ndpi = system("ndpiReader -h >/dev/null 2>&1") == 0;
    for (int i = 1; i < argc; i++)
        if (streq(argv[i], "--no-ndpi"))
            with_ndpi = false;
        else if (streq(argv[i], "--json") && i + 1 < argc)
            json = argv[++i];
        else
            folder = argv[i];
    if (!folder)
        die("usage: quality [--json FILE] [--no-ndpi] FOLDER (with a TRUTH.tsv)");
    read_truth();
    analyze();
    static const char *const subs[] = { "pos", "neg", "malformed" };
    for (size_t i = 0; i < ARRAY_LEN(subs); i++)
        visit(subs[i]);
    for (size_t i = 0; i < n_rows; i++)
        if (streq(rows[i].role, "mining"))
            score_row(&rows[i]);
    score_alarms();
    print_table();
    const int failed = json ? write_json(json) : 0;
    free_all();
    if (failed)
        die("cannot write the JSON file");
    return 0;
}
