/* SPDX-License-Identifier: Apache-2.0 */
/* conservation: every frame of a capture, to the byte, in exactly one place of the aggregator's
 * database: a connection, a rollup row ("other" included), a decode outcome that leads nowhere,
 * or the packets that found no room. The way is the daemon's: engine, summaries every 10 s of
 * the capture's time, packed and unpacked, merged by the tracker into SQLite; the sums are SQL.
 *
 * conservation shared: every capture of LAMP_CAPTURES (exit 77: none here).
 * conservation poolsim POOLSIM SCRIPT...: the captures that poolsim makes of the scripts; and once
 * more with so few rows that "other" is used.
 * conservation database FILE PATH...: compares an aggregator's database, into which one sensor has
 * replayed PATHs and nothing else, with what is in them. */
#include "aggregator/store/packs.h"
#include "aggregator/writer/tracker.h"
#include "sensor/capture/summarise.h"
#include "sensor/engine/decode.h"
#include "sensor/engine/engine.h"
#include "sensor/source/source.h"

#include <sqlite3.h>
#include <stdio.h>

#define INTERVAL_US UINT64_C(10000000)

struct sums {
    uint64_t packets, bytes;
};

struct run {
    lamp_store *store;
    sqlite3 *db; /* the same file, for the sums */
    const lamp_catalogue *catalogue;
    size_t memory_bytes, top;

    /* of the capture at hand */
    struct lamp_store_sensor sensor;
    lamp_engine *engine;
    lamp_summarise *summarise;
    struct sums truth;
    uint64_t seq, now_us, due_us;
    unsigned faults, files;
    struct sums in_conns, in_rollups, in_other, in_outcomes, refused; /* over all captures */
};

static void must(int err, const char *what)
{
    if (err == LAMP_OK)
        return;
    fprintf(stderr, "%s: %s\n", what, lamp_strerror(err));
    exit(1);
}

/* -- the daemon's way ---------------------------------------------------------------- */

static bool is_covered(const struct lamp_miner_target *t, void *arg)
{
    (void)t, (void)arg;
    return false;
}

static void on_touched(int64_t id, void *arg)
{
    (void)id, (void)arg;
}

static void on_record(const uint8_t *data, size_t len, size_t n_rows, uint64_t n_bytes, void *arg)
{
    struct run *r = arg;
    struct lamp_msg *m;
    struct lamp_batch *b;
    (void)n_rows, (void)n_bytes;
    must(lamp_msg_unpack(data, len, &m), "summary");
    must(lamp_batch_unpack(m->u.summary.batch, &b), "batch");
    const struct lamp_tracker t = { r->store, is_covered, on_touched, r, NULL, NULL };
    const struct lamp_record rec = { &r->sensor, r->sensor.ref, ++r->seq, r->now_us };
    must(lamp_tracker_merge(&t, &rec, b), "merge");
    must(lamp_store_counters(r->store, r->sensor.ref, b->cap_run, &b->counters), "counters");
    lamp_batch_free(b);
    lamp_msg_free(m);
}

static void on_conn(const struct lamp_conn *conn, void *arg)
{
    lamp_summarise_conn(((struct run *)arg)->summarise, conn);
}

static void on_rollup(const struct lamp_rollup_sum *row, void *arg)
{
    lamp_summarise_rollup(((struct run *)arg)->summarise, row);
}

static void summarise(struct run *r)
{
    struct lamp_engine_counters e;
    lamp_engine_conns(r->engine, on_conn, r);
    lamp_engine_rollups(r->engine, r->now_us, on_rollup, r);
    lamp_engine_counters(r->engine, &e);
    struct lamp_sensor_counters c = {
        .packets = e.packets,
        .bytes = e.bytes,
        .n_decode = LAMP_WIRE_DECODE_MAX,
        .n_decode_bytes = LAMP_WIRE_DECODE_MAX,
        .flows_refused = e.flows_refused,
        .refused_bytes = e.refused_bytes,
        .rollup_other = e.rollup.other_flows,
    };
    memcpy(c.decode, e.decode, sizeof(c.decode));
    memcpy(c.decode_bytes, e.decode_bytes, sizeof(c.decode_bytes));
    lamp_summarise_flush(&r->summarise, 1, &c, r->now_us, r->now_us);
}

static void feed(struct run *r, lamp_source *source)
{
    char why[LAMP_SOURCE_WHY];
    struct lamp_frame f;
    while (lamp_source_next(source, &f, why) == LAMP_OK) {
        r->truth.packets++;
        r->truth.bytes += f.orig_len;
        if (f.t_us > r->now_us && f.t_us < (uint64_t)INT64_MAX)
            r->now_us = f.t_us;
        if (r->now_us >= r->due_us) {
            if (r->due_us)
                summarise(r);
            r->due_us = r->now_us + INTERVAL_US;
        }
        lamp_engine_frame(r->engine, &f);
    }
    lamp_engine_finish(r->engine);
    summarise(r);
}

/* -- the sums ------------------------------------------------------------------------ */

static struct sums ask(struct run *r, const char *sql, int64_t key)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(r->db, sql, -1, &st, NULL) != SQLITE_OK ||
        sqlite3_bind_int64(st, 1, key) != SQLITE_OK || sqlite3_step(st) != SQLITE_ROW) {
        fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(r->db));
        exit(1);
    }
    const struct sums s = { (uint64_t)sqlite3_column_int64(st, 0),
                            (uint64_t)sqlite3_column_int64(st, 1) };
    sqlite3_finalize(st);
    return s;
}

static void add(struct sums *to, struct sums s)
{
    to->packets += s.packets;
    to->bytes += s.bytes;
}

#define ROLLUP_SUMS                                                                                \
    "SELECT total(packets_out + packets_in), total(bytes_out + bytes_in) FROM traffic_minutes"     \
    " WHERE site = ? AND "

static void compare(struct run *r, const char *file)
{
    struct sums all = { 0 };
    const struct sums dropped =
        ask(r, "SELECT total(rows_dropped), total(bytes_dropped) FROM capture_run WHERE sensor = ?",
            r->sensor.ref);
    const struct sums conns =
        ask(r,
            "SELECT total(packets_up + packets_down), total(bytes_up + bytes_down) FROM conn"
            " WHERE site = ?",
            r->sensor.site_ref);
    const struct sums rows = ask(r, ROLLUP_SUMS "inside <> zeroblob(16)", r->sensor.site_ref);
    const struct sums other = ask(r, ROLLUP_SUMS "inside = zeroblob(16)", r->sensor.site_ref);
    const struct sums refused = ask(
        r, "SELECT total(refused_packets), total(refused_bytes) FROM capture_run WHERE sensor = ?",
        r->sensor.ref);
    struct sums outcomes = { 0 };
    for (enum lamp_decode i = 0; i < LAMP_DECODE_COUNT; i++) {
        char sql[160];
        snprintf(sql, sizeof(sql),
                 "SELECT total(packets), total(bytes) FROM capture_outcome"
                 " WHERE sensor = ? AND outcome = %d",
                 (int)i);
        if (!lamp_decode_is_packet(i))
            add(&outcomes, ask(r, sql, r->sensor.ref));
    }
    add(&all, conns), add(&all, rows), add(&all, other), add(&all, refused), add(&all, outcomes);
    if (all.packets != r->truth.packets || all.bytes != r->truth.bytes) {
        printf("FAIL %s: %llu packets, %llu bytes; the database has %llu, %llu\n", file,
               (unsigned long long)r->truth.packets, (unsigned long long)r->truth.bytes,
               (unsigned long long)all.packets, (unsigned long long)all.bytes);
        r->faults++;
    }
    if (dropped.packets || dropped.bytes) {
        printf("FAIL %s: rows were lost on the way to the database\n", file);
        r->faults++;
    }
    add(&r->in_conns, conns), add(&r->in_rollups, rows), add(&r->in_other, other);
    add(&r->in_outcomes, outcomes), add(&r->refused, refused);
}

static bool on_file(const char *file, void *arg)
{
    struct run *r = arg;
    char name[32], why[LAMP_SOURCE_WHY];
    lamp_source *source;
    if (lamp_source_open_file(file, &source, why) != LAMP_OK)
        return true; /* no capture, or of a kind that is read elsewhere */
    snprintf(name, sizeof(name), "f%u", r->files++);
    r->truth = (struct sums){ 0 };
    r->seq = r->now_us = r->due_us = 0;

    const struct lamp_rollup_cfg rollup = { .top = r->top };
    const struct lamp_engine_cfg engine = { .catalogue = r->catalogue,
                                            .memory_bytes = r->memory_bytes,
                                            .rollup = &rollup,
                                            .close_minutes = true };
    const struct lamp_summarise_cfg summaries = { .cap_run = { 1 },
                                                  .max_conns = 4096,
                                                  .max_record_bytes = 192 * 1024,
                                                  .emit = on_record,
                                                  .arg = r };
    must(lamp_engine_new(&engine, on_conn, r, &r->engine), "engine");
    must(lamp_summarise_new(&summaries, 0, 0, &r->summarise), "summarise");
    must(lamp_store_begin(r->store), "begin");
    must(lamp_store_enroll(r->store, name, name, 1), "enroll");
    must(lamp_store_sensor(r->store, name, &r->sensor), "sensor");
    feed(r, source);
    must(lamp_store_commit(r->store), "commit");
    compare(r, file);
    lamp_source_close(source);
    lamp_engine_free(r->engine);
    lamp_summarise_free(r->summarise);
    return true;
}

static void on_walk_error(const char *path, const char *why, void *arg)
{
    fprintf(stderr, "%s: %s\n", path, why);
    ((struct run *)arg)->faults++;
}

static void print(const char *what, struct sums s)
{
    printf("%-12s %12llu packets %14llu bytes\n", what, (unsigned long long)s.packets,
           (unsigned long long)s.bytes);
}

/* -- a database that the programs have filled ---------------------------------------- */

static bool count_file(const char *file, void *arg)
{
    struct run *r = arg;
    char why[LAMP_SOURCE_WHY];
    lamp_source *source;
    struct lamp_frame f;
    if (lamp_source_open_file(file, &source, why) != LAMP_OK)
        return true; /* as the sensor does */
    while (lamp_source_next(source, &f, why) == LAMP_OK) {
        r->truth.packets++;
        r->truth.bytes += f.orig_len;
    }
    lamp_source_close(source);
    r->files++;
    return true;
}

static void print_all(const struct run *r)
{
    print("connections", r->in_conns);
    print("rollups", r->in_rollups);
    print("other", r->in_other);
    print("outcomes", r->in_outcomes);
    print("refused", r->refused);
    printf("%u captures, %u faults\n", r->files, r->faults);
}

static int run_database(const char *file, char *const *paths, int n)
{
    struct run r = { 0 };
    if (sqlite3_open_v2(file, &r.db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
        lamp_packs_register(r.db) != LAMP_OK)
        return 1;
    for (int i = 0; i < n; i++)
        lamp_source_walk(paths[i], count_file, on_walk_error, &r);
    const struct sums who = ask(&r, "SELECT no, site FROM sensor WHERE no >= ? LIMIT 1", 0);
    r.sensor.ref = (int64_t)who.packets;
    r.sensor.site_ref = (int64_t)who.bytes;
    compare(&r, file);
    print("sent", r.truth);
    print_all(&r);
    sqlite3_close(r.db);
    return r.faults == 0 && r.truth.packets > 0 ? 0 : 1;
}

/* Everything below path, in a database of its own; returns whether it adds up. */
static bool run(const char *path, size_t memory_bytes, size_t top, bool *out_used_other)
{
    char folder[] = "/tmp/lamp-conservation-XXXXXX", file[64], why[LAMP_STORE_WHY], text[512];
    struct run r = { .memory_bytes = memory_bytes, .top = top };
    lamp_catalogue *catalogue = NULL;
    if (!mkdtemp(folder))
        return false;
    snprintf(file, sizeof(file), "%s/fleet.db", folder);
    must(lamp_catalogue_load(LAMP_DATA, &catalogue, text, sizeof(text)), "catalogue");
    must(lamp_store_open("sqlite", file, false, &r.store, why), "store");
    r.catalogue = catalogue;
    if (sqlite3_open_v2(file, &r.db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
        lamp_packs_register(r.db) != LAMP_OK)
        return false;
    lamp_source_walk(path, on_file, on_walk_error, &r);
    print_all(&r);
    sqlite3_close(r.db);
    lamp_store_close(r.store);
    lamp_catalogue_free(catalogue);
    static const char *const leave[] = { "", "-wal", "-shm" };
    for (size_t i = 0; i < ARRAY_LEN(leave); i++) {
        snprintf(text, sizeof(text), "%s%s", file, leave[i]);
        unlink(text);
    }
    rmdir(folder);
    *out_used_other = r.in_other.packets > 0;
    return r.faults == 0 && r.files > 0 && r.in_rollups.packets > 0;
}

static int run_poolsim(const char *poolsim, char *const *scripts, int n)
{
    char folder[] = "/tmp/lamp-conserve-pcap-XXXXXX", path[64], command[8192];
    bool good = mkdtemp(folder), other = false, full = false;
    for (int i = 0; i < n && good; i++) {
        snprintf(command, sizeof(command), "'%s' write --out '%s/%d.pcap' '%s' > /dev/null",
                 poolsim, folder, i, scripts[i]);
        good = system(command) == 0;
    }
    good = good && run(folder, 32 << 20, 0, &other) && !other;
    good = good && run(folder, 1 << 20, 5, &full) && full;
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof(path), "%s/%d.pcap", folder, i);
        unlink(path);
    }
    rmdir(folder);
    return good ? 0 : 1;
}

int main(int argc, char **argv)
{
    const char *captures = getenv("LAMP_CAPTURES");
    bool used_other;
    if (argc >= 4 && streq(argv[1], "poolsim"))
        return run_poolsim(argv[2], argv + 3, argc - 3);
    if (argc >= 4 && streq(argv[1], "database"))
        return run_database(argv[2], argv + 3, argc - 3);
    if (argc != 2 || !streq(argv[1], "shared"))
        return 2;
    if (!captures || access(captures, R_OK) != 0) {
        printf("no captures at %s\n", captures ? captures : "LAMP_CAPTURES");
        return 77;
    }
    return run(captures, 8 << 20, 0, &used_other) ? 0 : 1;
}
