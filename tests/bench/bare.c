/* SPDX-License-Identifier: Apache-2.0 */
/* bare [ROWS [SECONDS]]: what the parts of taking rows in reach alone, for the table beside `ingest`: receiving
 * messages of one batch of ROWS (800) over CURVE, unpacking such a batch with protobuf-c, inserting its rows into
 * SQLite in the order of their key, and inserting the batch whole; each commit with synchronous = FULL, 256 batches at
 * a time. A line each: NAME ROWS-PER-SECOND ROWS-PER-CPU-SECOND BYTES-PER-ROW. The database is made in the folder
 * at hand and removed. */
#include "common/clock.h"
#include "common/text.h"
#include "fleet.pb-c.h"
#include "proto/wire.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#define FILE_NAME "bare-bench.db"
#define MINUTE UINT64_C(29000000)

enum { GROUP = 256 };

static int64_t n_rows = 800, seconds = 3;

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "bare: %s\n", what);
    exit(1);
}

static double cpu_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

struct watch {
    uint64_t from_us;
    double cpu_s;
};

static struct watch begin(void)
{
    return (struct watch){ lamp_clock_mono_us(), cpu_s() };
}

static bool goes_on(const struct watch *w)
{
    return lamp_clock_mono_us() - w->from_us < (uint64_t)seconds * 1000000;
}

static void end(const char *name, const struct watch *w, uint64_t rows, double bytes)
{
    const double took_s = (double)(lamp_clock_mono_us() - w->from_us) / 1e6;
    printf("%s %.0f %.0f %.0f\n", name, (double)rows / took_s, (double)rows / (cpu_s() - w->cpu_s),
           bytes / (double)rows);
    fflush(stdout);
}

/* ---- the batch: as fleetgen makes it ---- */

static struct lamp_rollup_row row_of(size_t i)
{
    return (struct lamp_rollup_row){
        .minute = MINUTE,
        .inside_addr =
            lamp_addr_from_v4((const uint8_t[]){ 10, 0, (uint8_t)(i >> 4), (uint8_t)(1 + i % 16) }),
        .remote_addr =
            lamp_addr_from_v4((const uint8_t[]){ 198, 18, (uint8_t)(i >> 8), (uint8_t)i }),
        .ip_proto = 6,
        .service_port = 443,
        .application = lamp_bytes_of("tls"),
        .bytes_out = 1000 + i,
        .bytes_in = 20000 + i,
        .packets_out = 10,
        .packets_in = 20,
        .flows = 1,
    };
}

static void make_batch(uint8_t **out, size_t *out_len)
{
    struct lamp_rollup_row *rows = calloc((size_t)n_rows, sizeof(*rows));
    struct lamp_batch b = { .rollups = rows, .n_rollups = (size_t)n_rows };
    must(rows, "no memory");
    for (size_t i = 0; i < b.n_rollups; i++)
        rows[i] = row_of(i);
    must(lamp_batch_pack(&b, out, out_len) == LAMP_OK, "the batch");
    free(rows);
}

/* ---- CURVE ---- */

static void send_for_ever(const char *endpoint, const char *server_key, const void *data,
                          size_t len)
{
    char public_key[41], secret[41];
    void *dealer = zmq_socket(zmq_ctx_new(), ZMQ_DEALER);
    must(zmq_curve_keypair(public_key, secret) == 0 &&
             zmq_setsockopt(dealer, ZMQ_CURVE_SERVERKEY, server_key, 41) == 0 &&
             zmq_setsockopt(dealer, ZMQ_CURVE_PUBLICKEY, public_key, 41) == 0 &&
             zmq_setsockopt(dealer, ZMQ_CURVE_SECRETKEY, secret, 41) == 0 &&
             zmq_connect(dealer, endpoint) == 0,
         "connecting");
    while (zmq_send(dealer, data, len, 0) >= 0)
        continue;
    _exit(1);
}

static void receive(const uint8_t *data, size_t len)
{
    char public_key[41], secret[41], endpoint[64];
    size_t endpoint_len = sizeof(endpoint);
    const int on = 1, second_ms = 10000;
    must(zmq_curve_keypair(public_key, secret) == 0, "keys");
    int at[2];
    must(pipe(at) == 0, "a pipe");
    fflush(stdout);
    const pid_t child = fork(); /* before there are threads of ZeroMQ */
    must(child >= 0, "a process");
    if (child == 0) {
        must(read(at[0], endpoint, sizeof(endpoint)) > 0, "an endpoint");
        send_for_ever(endpoint, public_key, data, len);
    }
    void *context = zmq_ctx_new(), *router = zmq_socket(context, ZMQ_ROUTER);
    must(zmq_setsockopt(router, ZMQ_CURVE_SERVER, &on, sizeof(on)) == 0 &&
             zmq_setsockopt(router, ZMQ_CURVE_SECRETKEY, secret, 41) == 0 &&
             zmq_setsockopt(router, ZMQ_RCVTIMEO, &second_ms, sizeof(second_ms)) == 0 &&
             zmq_bind(router, "tcp://127.0.0.1:*") == 0 &&
             zmq_getsockopt(router, ZMQ_LAST_ENDPOINT, endpoint, &endpoint_len) == 0 &&
             write(at[1], endpoint, endpoint_len) == (ssize_t)endpoint_len,
         "binding");
    zmq_msg_t m;
    zmq_msg_init(&m);
    must(zmq_msg_recv(&m, router, 0) >= 0, "nothing came"); /* the handshake is over */
    const struct watch w = begin();
    uint64_t rows = 0;
    while (goes_on(&w)) {
        must(zmq_msg_recv(&m, router, 0) >= 0, "receiving");
        rows += zmq_msg_size(&m) == len ? (uint64_t)n_rows : 0;
    }
    end("curve", &w, rows, (double)len * (double)rows / (double)n_rows);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    zmq_msg_close(&m);
    close(at[0]);
    close(at[1]);
    const int zero = 0;
    zmq_setsockopt(router, ZMQ_LINGER, &zero, sizeof(zero));
    zmq_close(router);
    zmq_ctx_term(context);
}

/* ---- protobuf-c ---- */

static void unpack(const uint8_t *data, size_t len)
{
    const struct watch w = begin();
    uint64_t rows = 0;
    while (goes_on(&w)) {
        Davylamp__V1__Batch *b = davylamp__v1__batch__unpack(NULL, len, data);
        must(b && b->rollups, "unpacking");
        rows += b->rollups->n;
        davylamp__v1__batch__free_unpacked(b, NULL);
    }
    end("protobuf", &w, rows, (double)len * (double)rows / (double)n_rows);
}

/* ---- SQLite ---- */

static sqlite3 *db;

static void sql(const char *text)
{
    must(sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK, sqlite3_errmsg(db));
}

static sqlite3_stmt *open_with(const char *table, const char *insert)
{
    sqlite3_stmt *st = NULL;
    remove(FILE_NAME);
    must(sqlite3_open(FILE_NAME, &db) == SQLITE_OK, "opening");
    sql("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384");
    sql(table);
    must(sqlite3_prepare_v2(db, insert, -1, &st, NULL) == SQLITE_OK, sqlite3_errmsg(db));
    return st;
}

static double close_db(sqlite3_stmt *st)
{
    sqlite3_stmt *size = NULL;
    sqlite3_finalize(st);
    must(sqlite3_prepare_v2(db,
                            "SELECT page_count * page_size FROM pragma_page_count,"
                            " pragma_page_size",
                            -1, &size, NULL) == SQLITE_OK &&
             sqlite3_step(size) == SQLITE_ROW,
         "the size");
    const double bytes = sqlite3_column_double(size, 0);
    sqlite3_finalize(size);
    sqlite3_close(db);
    remove(FILE_NAME);
    return bytes;
}

static void insert_row(sqlite3_stmt *st, uint64_t no)
{
    const struct lamp_rollup_row r = row_of(no % (uint64_t)n_rows);
    sqlite3_bind_int64(st, 1, (int64_t)(MINUTE + no / 1000000));
    sqlite3_bind_int64(st, 2, (int64_t)no);
    sqlite3_bind_blob(st, 3, r.inside_addr.b + 12, 4, SQLITE_STATIC);
    sqlite3_bind_blob(st, 4, r.remote_addr.b + 12, 4, SQLITE_STATIC);
    sqlite3_bind_int(st, 5, r.ip_proto);
    sqlite3_bind_int(st, 6, r.service_port);
    sqlite3_bind_text(st, 7, "tls", 3, SQLITE_STATIC);
    sqlite3_bind_int64(st, 8, (int64_t)r.bytes_out);
    sqlite3_bind_int64(st, 9, (int64_t)r.bytes_in);
    sqlite3_bind_int64(st, 10, (int64_t)r.packets_out);
    sqlite3_bind_int64(st, 11, (int64_t)r.packets_in);
    sqlite3_bind_int64(st, 12, r.flows);
    must(sqlite3_step(st) == SQLITE_DONE, sqlite3_errmsg(db));
    sqlite3_reset(st);
}

static void insert_rows(void)
{
    sqlite3_stmt *st = open_with(
        "CREATE TABLE t (minute INTEGER, no INTEGER, inside BLOB, remote BLOB, ip_proto INTEGER,"
        " service_port INTEGER, application TEXT, bytes_out INTEGER, bytes_in INTEGER,"
        " packets_out INTEGER, packets_in INTEGER, flows INTEGER, PRIMARY KEY (minute, no))"
        " WITHOUT ROWID",
        "INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    const struct watch w = begin();
    uint64_t rows = 0;
    while (goes_on(&w)) {
        sql("BEGIN");
        for (int64_t i = 0; i < GROUP * n_rows; i++)
            insert_row(st, rows++);
        sql("COMMIT");
    }
    end("rows", &w, rows, close_db(st));
}

static void insert_batches(const uint8_t *data, size_t len)
{
    sqlite3_stmt *st = open_with("CREATE TABLE t (minute INTEGER, no INTEGER, body BLOB,"
                                 " PRIMARY KEY (minute, no)) WITHOUT ROWID",
                                 "INSERT INTO t VALUES (?, ?, ?)");
    const struct watch w = begin();
    uint64_t batches = 0;
    while (goes_on(&w)) {
        sql("BEGIN");
        for (int i = 0; i < GROUP; i++, batches++) {
            sqlite3_bind_int64(st, 1, (int64_t)(MINUTE + batches / 10000));
            sqlite3_bind_int64(st, 2, (int64_t)batches);
            sqlite3_bind_blob64(st, 3, data, len, SQLITE_STATIC);
            must(sqlite3_step(st) == SQLITE_DONE, sqlite3_errmsg(db));
            sqlite3_reset(st);
        }
        sql("COMMIT");
    }
    end("batches", &w, batches * (uint64_t)n_rows, close_db(st));
}

int main(int argc, char **argv)
{
    if ((argc > 1 && lamp_text_int(argv[1], 1, 4096, &n_rows) != LAMP_OK) ||
        (argc > 2 && lamp_text_int(argv[2], 1, 600, &seconds) != LAMP_OK) || argc > 3) {
        fputs("usage: bare [ROWS [SECONDS]]\n", stderr);
        return 2;
    }
    LAMP_AUTO_FREE uint8_t *data = NULL;
    size_t len = 0;
    make_batch(&data, &len);
    receive(data, len);
    unpack(data, len);
    insert_rows();
    insert_batches(data, len);
    return 0;
}
