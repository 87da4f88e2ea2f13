/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/analyze/analyze.h"

#include "common/clock.h"
#include "common/io.h"
#include "common/text.h"
#include "common/version.h"
#include "sensor/analyze/minutes.h"
#include "sensor/analyze/report.h"
#include "sensor/engine/engine.h"
#include "sensor/process/sandbox.h"
#include "sensor/records/ledger.h"
#include "sensor/records/recordfile.h"
#include "sensor/source/source.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

enum {
    MAX_ERRORS = 10000, /* told in the summary; all are told on stderr */
    MIB = 1 << 20,
    MIN_MEMORY = 16 * MIB,       /* of a file's engine: this, and so many times the */
    MEMORY_PER_BYTE = 128,       /* file's size for its flows, */
    MAX_MEMORY = 256 * MIB,      /* up to this */
    CONFINED_MEMORY = 512 * MIB, /* the same, what unpacks files, and some room */
    PROGRESS_PACKETS = 1 << 14,  /* how often the clock is asked about a progress line */
    PROGRESS_US = 200 * 1000,
    TALKS = 1 << 16, /* conversations of flow records that may be mining, at once */
};

#define RECORDS_IDLE_US                                                                            \
    (UINT64_C(35) * 60 * 1000000) /* routers tell of a long flow every 30 minutes */

struct analysis {
    const struct lamp_report_form *form;
    FILE *out;
    lamp_catalogue *catalogue;
    lamp_endpoints *endpoints; /* NULL: none given */
    lamp_devices *devices;     /* NULL: no table installed */
    double price;
    const char *file; /* being read */
    struct lamp_report_summary sum;
    bool no_tunnels, minutes, confined;
    struct lamp_report_minutes series; /* of the file */
    bool progress, progress_shown;
    uint64_t progress_us;
};

static const char usage[] =
    "Usage: davylamp-sensor analyze [--json | --csv | --html FILE] PATH...\n"
    "\n"
    "Finds cryptocurrency mining in capture files (pcap, pcapng, also compressed by gzip or\n"
    "zstd), in files of flow records (nfcapd, nfdump -o csv, Zeek conn.log, Suricata EVE) and in\n"
    "folders of them; PATH - is a capture on standard input. Without an option it prints a table.\n"
    "\n"
    "      --json           one JSON object a line: each connection, then a summary\n"
    "      --csv            one row per connection\n"
    "      --html FILE      a page for a browser, written to FILE (- for standard output)\n"
    "      --catalogue DIR  folder of coins.csv, algorithms.csv, pools.csv and devices.csv\n"
    "      --endpoints FILE addresses that were pools', for flow records: a CSV file with the "
    "columns\n"
    "                       address, port, pool, coin, since and until\n"
    "      --price PRICE    of a kWh, to tell what the mining costs a day\n"
    "      --minutes        with --json, also one object per minute of a file\n"
    "      --confined       read standard input alone, in a sandbox: no files, no network\n"
    "      --no-tunnels     count the packets around tunnels, not those in them\n"
    "  -h, --help           show this and exit\n"
    "  -V, --version        show the version and exit\n"
    "\n"
    "Exit status: 0 done (also when mining was found), 1 some input could not be read,\n"
    "2 wrong usage.\n";

/* ---- what is told on the way ---- */

static void clear_progress(struct analysis *a)
{
    if (a->progress_shown)
        fputs("\r\033[K", stderr);
    a->progress_shown = false;
}

static void show_progress(struct analysis *a, uint64_t packets)
{
    const uint64_t now_us = lamp_clock_mono_us();
    char file[61];
    if (!a->progress || now_us - a->progress_us < PROGRESS_US)
        return;
    a->progress_us = now_us;
    a->progress_shown = true;
    lamp_text_safe((const uint8_t *)a->file, strlen(a->file), file, sizeof(file));
    fprintf(stderr, "\r\033[K%llu files, %llu packets, %llu connections; reading %s",
            (unsigned long long)a->sum.files, (unsigned long long)(a->sum.packets + packets),
            (unsigned long long)a->sum.connections, file);
}

/* An input that could not be read, or not to its end. */
static void add_error(struct analysis *a, const char *file, const char *what)
{
    char safe_file[1024], safe_what[1024];
    const size_t n = strlen(file);
    if (strncmp(what, file, n) == 0 && strncmp(what + n, ": ", 2) == 0)
        what += n + 2; /* the sentence names the file itself */
    clear_progress(a);
    lamp_text_safe((const uint8_t *)file, n, safe_file, sizeof(safe_file));
    lamp_text_safe((const uint8_t *)what, strlen(what), safe_what, sizeof(safe_what));
    fprintf(stderr, "davylamp-sensor: %s: %s\n", safe_file, safe_what);

    struct lamp_report_error *e = NULL;
    if (a->sum.n_errors < MAX_ERRORS)
        e = realloc(a->sum.errors, (a->sum.n_errors + 1) * sizeof(*e));
    if (!e) {
        a->sum.n_errors_left_out++;
        return;
    }
    a->sum.errors = e;
    e += a->sum.n_errors;
    *e = (struct lamp_report_error){ strdup(file), strdup(what) };
    if (e->file && e->what) {
        a->sum.n_errors++;
        return;
    }
    free(e->file);
    free(e->what);
    a->sum.n_errors_left_out++;
}

/* ---- one file ---- */

static void on_connection(const struct lamp_conn *c, void *arg)
{
    struct analysis *a = arg;
    a->sum.connections++;
    a->sum.verdicts[c->verdict]++;
    clear_progress(a);
    struct lamp_report_estimate e = { .rate = lamp_report_rate(c), .price = a->price };
    lamp_devices_estimate(a->devices, &e.rate, c->algorithm, c->devices, &e.hardware);
    a->form->connection(a->out, a->file, c, &e);
    lamp_report_minutes_ended(&a->series, c);
}

static size_t memory_for(const lamp_source *source)
{
    const uint64_t size = lamp_source_size(source);
    return size > (MAX_MEMORY - MIN_MEMORY) / MEMORY_PER_BYTE
               ? MAX_MEMORY
               : MIN_MEMORY + (size_t)size * MEMORY_PER_BYTE;
}

static void add_counters(struct analysis *a, const lamp_engine *e)
{
    struct lamp_engine_counters n;
    lamp_engine_counters(e, &n);
    a->sum.packets += n.packets;
    a->sum.bytes += n.bytes;
    a->sum.flows += n.flows_new;
    if (n.conns_refused || n.flows_refused || n.flows_evicted) {
        char what[160];
        snprintf(what, sizeof(what),
                 "too many flows at once: %llu were not inspected, %llu not tracked to their end",
                 (unsigned long long)n.conns_refused,
                 (unsigned long long)(n.flows_refused + n.flows_evicted));
        add_error(a, a->file, what);
    }
}

/* Feeds every frame of the source to the engine. */
static void read_frames(struct analysis *a, lamp_source *source, lamp_engine *e)
{
    char why[LAMP_SOURCE_WHY];
    struct lamp_frame frames[LAMP_ENGINE_BATCH];
    uint64_t done = 0, told = 0;
    size_t n;
    int err;
    while ((err = lamp_source_read(source, frames, ARRAY_LEN(frames), &n, why)) == LAMP_OK) {
        if (a->minutes)
            lamp_report_minutes_frames(&a->series, a->out, a->file, e, frames, n);
        else
            lamp_engine_frames(e, frames, n);
        done += n;
        if (done - told >= PROGRESS_PACKETS) {
            told = done;
            show_progress(a, done);
        }
    }
    lamp_engine_finish(e);
    if (a->minutes)
        lamp_report_minutes_end(&a->series, a->out, a->file);
    add_counters(a, e);
    if (err != LAMP_ECLOSED)
        add_error(a, a->file, why);
}

/* ---- one file of flow records ---- */

struct record_reader {
    struct analysis *a;
    lamp_ledger *ledger;
    const char *kind;
    uint64_t done, last_us;
};

static void on_record(const struct lamp_record *r, void *arg)
{
    struct record_reader *reader = arg;
    lamp_ledger_record(reader->ledger, r, r->last_us, reader->kind);
    if (r->last_us > reader->last_us)
        reader->last_us = r->last_us;
    if (++reader->done % PROGRESS_PACKETS == 0) {
        lamp_ledger_expire(reader->ledger, reader->last_us);
        show_progress(reader->a, reader->done);
    }
}

static void read_records(struct analysis *a, const char *file, const char *kind)
{
    const struct lamp_ledger_cfg cfg = { .catalogue = a->catalogue,
                                         .endpoints = a->endpoints,
                                         .max_talks = TALKS,
                                         .idle_us = RECORDS_IDLE_US,
                                         .first_id = 1 };
    struct record_reader reader = { .a = a, .kind = kind };
    struct lamp_recordfile_counts n;
    char why[LAMP_RECORDFILE_WHY];
    int err = lamp_ledger_new(&cfg, on_connection, a, &reader.ledger);
    if (err) {
        add_error(a, file, lamp_strerror(err));
        return;
    }
    a->sum.files++;
    err = lamp_recordfile_read(file, on_record, &reader, &n, why);
    lamp_ledger_finish(reader.ledger);
    const struct lamp_ledger_counters sums = lamp_ledger_counters(reader.ledger);
    a->sum.packets += sums.packets;
    a->sum.bytes += sums.bytes;
    a->sum.flows += sums.records;
    a->sum.pool_records += sums.pool_records;
    if (err)
        add_error(a, file, why);
    else if (n.unusable + sums.refused > 0) {
        snprintf(why, sizeof(why), "%llu records could not be used",
                 (unsigned long long)(n.unusable + sums.refused));
        add_error(a, file, why);
    }
    lamp_ledger_free(reader.ledger);
}

static bool on_file(const char *file, void *arg)
{
    struct analysis *a = arg;
    char why[LAMP_SOURCE_WHY];
    lamp_source *source = NULL;
    lamp_engine *engine = NULL;
    a->file = file;
    a->series = (struct lamp_report_minutes){ 0 };
    show_progress(a, 0);
    const char *kind = streq(file, "-") ? NULL : lamp_recordfile_kind(file);
    if (kind) {
        read_records(a, file, kind);
        return !ferror(a->out);
    }
    if (lamp_source_open_file(file, &source, why) != LAMP_OK) {
        add_error(a, file, why);
        return true;
    }
    const struct lamp_rollup_cfg rollup = { 0 };
    const struct lamp_engine_cfg cfg = { .catalogue = a->catalogue,
                                         .rollup = &rollup,
                                         .no_tunnels = a->no_tunnels,
                                         .memory_bytes = memory_for(source) };
    const int err = lamp_engine_new(&cfg, on_connection, a, &engine);
    if (err) {
        add_error(a, file, lamp_strerror(err));
    } else {
        a->sum.files++;
        read_frames(a, source, engine);
    }
    lamp_engine_free(engine);
    lamp_source_close(source);
    return !ferror(a->out);
}

static void on_walk_error(const char *path, const char *why, void *arg)
{
    add_error(arg, path, why);
}

/* ---- the command ---- */

/* The folder of the installed catalogue; that of a program run from elsewhere (a build, an
 * unpacked package) is share/davylamp beside its own bin. */
static bool default_catalogue(char *buf, size_t size)
{
    const char *env = getenv("DAVYLAMP_CATALOGUE");
    if (env && *env)
        return snprintf(buf, size, "%s", env) < (int)size;
    if (lamp_io_beside_program("../share/davylamp", buf, size) == LAMP_OK && access(buf, R_OK) == 0)
        return true;
    snprintf(buf, size, "%s", LAMP_CATALOGUE_DIR);
    return access(buf, R_OK) == 0;
}

/* Loads the folder named, or the installed one; without that, coins stay unknown. */
static bool load_catalogue(struct analysis *a, const char *folder)
{
    char path[4096], why[512];
    const bool asked = folder != NULL;
    if (!asked && !default_catalogue(path, sizeof(path))) {
        fputs("davylamp-sensor: no catalogue installed; coins and pools will not be named "
              "(--catalogue DIR)\n",
              stderr);
        return true;
    }
    int err = lamp_catalogue_load(asked ? folder : path, &a->catalogue, why, sizeof(why));
    if (!err)
        err = lamp_devices_load(asked ? folder : path, &a->devices, why, sizeof(why));
    if (!err || (a->catalogue && err == LAMP_ENOENT)) /* devices may be missing */
        return true;
    fprintf(stderr, "davylamp-sensor: catalogue: %s\n", why);
    return false;
}

/* Which addresses were pools', and when; none need be given. */
static bool load_endpoints(struct analysis *a, const char *file)
{
    char why[512];
    if (!file || lamp_endpoints_load(file, &a->endpoints, why, sizeof(why)) == LAMP_OK)
        return true;
    fprintf(stderr, "davylamp-sensor: endpoints: %s\n", why);
    return false;
}

struct options {
    const char *html, *catalogue, *price, *endpoints;
    int n_forms;
    bool done; /* --help or --version */
};

static bool parse_options(struct analysis *a, struct options *o, int argc, char **argv)
{
    static const struct option options[] = {
        { "json", no_argument, NULL, 'j' },        { "csv", no_argument, NULL, 'c' },
        { "html", required_argument, NULL, 'H' },  { "catalogue", required_argument, NULL, 'k' },
        { "price", required_argument, NULL, 'P' }, { "endpoints", required_argument, NULL, 'e' },
        { "no-tunnels", no_argument, NULL, 'T' },  { "minutes", no_argument, NULL, 'm' },
        { "confined", no_argument, NULL, 'C' },    { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },     { NULL, 0, NULL, 0 },
    };
    a->form = &lamp_report_table;
    optind = 0; /* getopt may have run before: start afresh */
    for (int opt; (opt = getopt_long(argc, argv, "hV", options, NULL)) != -1;) {
        switch (opt) {
        case 'j':
        case 'c':
        case 'H':
            a->form = opt == 'j'   ? &lamp_report_json
                      : opt == 'c' ? &lamp_report_csv
                                   : &lamp_report_html;
            o->html = opt == 'H' ? optarg : NULL;
            o->n_forms++;
            break;
        case 'T':
            a->no_tunnels = true;
            break;
        case 'm':
            a->minutes = true;
            break;
        case 'C':
            a->confined = true;
            break;
        case 'k':
            o->catalogue = optarg;
            break;
        case 'e':
            o->endpoints = optarg;
            break;
        case 'P':
            o->price = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            o->done = true;
            return true;
        case 'V':
            puts("davylamp-sensor " LAMP_VERSION);
            o->done = true;
            return true;
        default:
            fputs("Try 'davylamp-sensor analyze --help'.\n", stderr);
            return false;
        }
    }
    if (o->price && lamp_text_double(o->price, 0, 1e6, &a->price) != LAMP_OK) {
        fputs("davylamp-sensor: --price wants the price of a kWh as a number\n", stderr);
        return false;
    }
    if (a->minutes && a->form != &lamp_report_json) {
        fputs("davylamp-sensor: --minutes goes with --json\n", stderr);
        return false;
    }
    if (a->confined && (o->html || argc - optind != 1 || !streq(argv[optind], "-"))) {
        fputs("davylamp-sensor: --confined reads standard input (PATH is -) and writes no file\n",
              stderr);
        return false;
    }
    if (o->n_forms > 1 || optind == argc) {
        fprintf(stderr, "davylamp-sensor: %s\n%s",
                optind == argc ? "no PATH given" : "only one of --json, --csv and --html", usage);
        return false;
    }
    return true;
}

static bool open_output(struct analysis *a, const struct options *o)
{
    a->out = stdout;
    if (!o->html || streq(o->html, "-"))
        return true;
    a->out = fopen(o->html, "we");
    if (!a->out)
        fprintf(stderr, "davylamp-sensor: cannot write %s: %s\n", o->html, strerror(errno));
    return a->out != NULL;
}

/* Whether everything written has reached its file. */
static bool close_output(struct analysis *a)
{
    const bool failed = ferror(a->out) | (a->out == stdout ? fflush(stdout) : fclose(a->out));
    if (failed)
        fputs("davylamp-sensor: the report could not be written completely\n", stderr);
    return !failed;
}

static void free_analysis(struct analysis *a)
{
    for (size_t i = 0; i < a->sum.n_errors; i++) {
        free(a->sum.errors[i].file);
        free(a->sum.errors[i].what);
    }
    free(a->sum.errors);
    lamp_catalogue_free(a->catalogue);
    lamp_endpoints_free(a->endpoints);
    lamp_devices_free(a->devices);
}

/* From here on nothing can be opened any more. */
static bool confine(void)
{
    const struct lamp_sandbox s = { .kind = LAMP_SANDBOX_ANALYZE,
                                    .write_fds = { STDOUT_FILENO, STDERR_FILENO, -1, -1 },
                                    .memory_bytes = CONFINED_MEMORY };
    bool landlock;
    const int err = lamp_sandbox_enter(&s, &landlock);
    if (!err || err == LAMP_EUNSUPPORTED) /* a build with sanitizers has none */
        return true;
    fprintf(stderr, "davylamp-sensor: cannot enter the sandbox: %s\n", lamp_strerror(err));
    return false;
}

int lamp_analyze_main(int argc, char **argv)
{
    struct analysis a = { .progress = isatty(STDERR_FILENO) };
    struct options o = { 0 };
    if (!parse_options(&a, &o, argc, argv))
        return 2;
    if (o.done)
        return 0;
    if (!load_catalogue(&a, o.catalogue) || !load_endpoints(&a, o.endpoints) ||
        !open_output(&a, &o) || (a.confined && !confine())) {
        free_analysis(&a);
        return 2;
    }
    a.form->begin(a.out);
    for (int i = optind; i < argc && !ferror(a.out); i++)
        if (streq(argv[i], "-"))
            on_file(argv[i], &a);
        else
            lamp_source_walk(argv[i], on_file, on_walk_error, &a);
    clear_progress(&a);
    a.form->end(a.out, &a.sum);
    const bool ok = close_output(&a) && a.sum.n_errors == 0 && a.sum.n_errors_left_out == 0;
    free_analysis(&a);
    return ok ? 0 : 1;
}
