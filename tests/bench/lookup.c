/* SPDX-License-Identifier: Apache-2.0 */
/* lookup [ENDPOINTS [CHANGES [QUESTIONS]]]: how long the questions of an investigator take over a catalogue
 * of so many endpoints (20,000) with so many changes of their states (10,000,000): by address, by address and port, by
 * port, by IPv6 address, by name and below a name, now and at a time in the past, and of what is not there. Each question is
 * asked QUESTIONS times (2,000) of endpoints drawn from a seed, through a read-only handle as the API has it. Fails where the
 * 99th percentile of one is above 20 ms, or an answer is not what was put in. The database is made in the folder at hand and
 * removed. The last column is the mean of CPU time. */
#include "aggregator/store/pools.h"
#include "aggregator/store/write.h"
#include "common/clock.h"
#include "common/text.h"

#include <sqlite3.h>
#include <stdio.h>
#include <time.h>

#define FILE_NAME "lookup-bench.db"
#define START_US UINT64_C(1700000000000000)
#define STEP_US UINT64_C(10800000000) /* between probes: 3 h */
#define MOST_US 20000

enum { PER_SERVER = 4, PER_POOL = 10 };

static uint64_t n_endpoints = 20000, n_changes = 10000000, n_questions = 2000;
static uint64_t seed = 1;
static lamp_store *s;

static void must(int err)
{
    if (!err)
        return;
    fprintf(stderr, "lookup: %s: %s\n", lamp_strerror(err), s ? lamp_store_why(s) : "");
    remove(FILE_NAME);
    exit(1);
}

static uint64_t draw(uint64_t below)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17; /* xorshift64, Marsaglia 2003 */
    return seed % below;
}

/* Each fourth server is at an IPv6 address. */
static struct lamp_addr addr_of(uint64_t server)
{
    struct lamp_addr a = { { 0x20, 0x01, 0x0d, 0xb8 } };
    const uint8_t v4[4] = { 198, (uint8_t)(server >> 16), (uint8_t)(server >> 8), (uint8_t)server };
    if (server % 4)
        return lamp_addr_from_v4(v4);
    for (size_t i = 0; i < 4; i++)
        a.b[12 + i] = (uint8_t)(server >> (24 - 8 * i));
    return a;
}

static uint16_t port_of(uint64_t endpoint)
{
    static const uint16_t ports[PER_SERVER] = { 3333, 4444, 5555, 443 };
    return endpoint % 50 ? ports[endpoint % PER_SERVER] : (uint16_t)(10000 + endpoint / 50);
}

static void name_of(uint64_t server, char *buf, size_t size)
{
    snprintf(buf, size, "s%llu.pool%llu.example", (unsigned long long)server,
             (unsigned long long)(server / PER_POOL));
}

/* ---- what is asked ---- */

/* By the store's own operations, but for the changes of the past, which nobody has the time to wait for. */
static void add_entries(void)
{
    char why[256];
    bool changed;
    int64_t id;
    must(lamp_store_begin(s));
    for (uint64_t e = 0; e < n_endpoints; e++) {
        const uint64_t server = e / PER_SERVER;
        struct lamp_pool_edit edit = { .action = LAMP_POOL_ADD, .port = port_of(e), .coin = "XMR" };
        name_of(server, edit.fqdn, sizeof(edit.fqdn));
        snprintf(edit.pool, sizeof(edit.pool), "Pool %llu",
                 (unsigned long long)(server / PER_POOL));
        must(lamp_store_pool_edit(s, &edit, "bench", START_US, why, sizeof(why), &id, &changed));
        if (e % PER_SERVER == 0) {
            const struct lamp_pool_resolution r = { .server_id = (int64_t)server + 1,
                                                    .addrs = { addr_of(server) },
                                                    .n = 1 };
            must(lamp_store_pool_resolved(s, &r, START_US, &changed));
        }
        const struct lamp_pool_endpoint x = { .addr = addr_of(server),
                                              .port = port_of(e),
                                              .state = LAMP_POOL_DOWN,
                                              .reason = "it refuses",
                                              .probed_us = START_US };
        must(lamp_store_pool_probed(s, &x, &changed));
    }
    must(lamp_store_commit(s));
}

/* The state of an endpoint after its k-th change: up, listens and down in turn. */
static int state_of(uint64_t k)
{
    static const int states[] = { LAMP_POOL_DOWN, LAMP_POOL_UP, LAMP_POOL_LISTEN };
    return states[k % 3];
}

static void add_changes(void)
{
    static const char sql[] =
        "INSERT INTO pool_change VALUES (?, ?, ?, 'it answers', 'stratum-v1')";
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    bool good =
        sqlite3_open(FILE_NAME, &db) == SQLITE_OK &&
        sqlite3_exec(db, "PRAGMA synchronous = OFF; BEGIN", NULL, NULL, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK;
    for (uint64_t e = 0; e < n_endpoints && good; e++) {
        for (uint64_t k = 1; k < n_changes / n_endpoints && good; k++) {
            sqlite3_bind_int64(st, 1, (int64_t)e + 1);
            sqlite3_bind_int64(st, 2, (int64_t)(START_US + k * STEP_US));
            sqlite3_bind_int(st, 3, state_of(k));
            good = sqlite3_step(st) == SQLITE_DONE;
            sqlite3_reset(st);
        }
    }
    good = good && sqlite3_exec(db, "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL) ==
                       SQLITE_OK;
    sqlite3_finalize(st);
    sqlite3_close(db);
    must(good ? LAMP_OK : LAMP_ESTORE);
}

/* ---- asking ---- */

struct answer {
    uint64_t n, states; /* matches; those whose state at the time was the one put in */
    uint64_t at_us;
};

static bool take(const struct lamp_pool_match *m, void *arg)
{
    struct answer *a = arg;
    const uint64_t last = n_changes / n_endpoints - 1, k = (a->at_us - START_US) / STEP_US;
    a->n++;
    a->states += m->has_endpoint && (int)m->then.state == state_of(k < last ? k : last);
    return true;
}

enum question { BY_IP, BY_IP_PORT, BY_PORT, BY_IPV6, BY_NAME, BELOW_NAME, UNKNOWN_IP, QUESTIONS };

/* Asks once; whether the answer is right. */
static bool ask(lamp_store *from, enum question what, bool then)
{
    const uint64_t e = draw(n_endpoints), changes = n_changes / n_endpoints;
    uint64_t server = e / PER_SERVER, n = 0;
    char name[64];
    struct answer a = { .at_us = START_US + (then ? draw(changes) : changes) * STEP_US + 1 };
    if (what == BY_IPV6)
        server -= server % 4;
    else if (what != BY_NAME && what != BELOW_NAME && server % 4 == 0)
        server++;
    if (server >= n_endpoints / PER_SERVER)
        server = what == BY_IPV6 ? 0 : 1;
    struct lamp_pool_query q = { .by = LAMP_POOL_BY_ADDRESS, .at_us = a.at_us, .limit = 100 };
    q.addr = addr_of(what == UNKNOWN_IP ? server + n_endpoints * 16 + 1 : server);
    name_of(server, name, sizeof(name));
    if (what == BY_IP_PORT || what == BY_PORT)
        q.port = port_of(server * PER_SERVER + 1);
    if (what == BY_PORT)
        q.by = LAMP_POOL_BY_PORT;
    if (what == BY_NAME || what == BELOW_NAME) {
        q.by = what == BY_NAME ? LAMP_POOL_BY_NAME : LAMP_POOL_BELOW_NAME;
        q.name = what == BY_NAME ? name : strchr(name, '.') + 1;
    }
    must(lamp_store_pool_lookup(from, &q, take, &a, &n));
    if (what == UNKNOWN_IP)
        return n == 0;
    return a.n > 0 && n >= a.n && (a.states == a.n || what == BY_PORT);
}

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* What a busy machine does not add to. */
static uint64_t thread_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static bool measure(lamp_store *from)
{
    static const char *const names[QUESTIONS] = { "IP",   "IP:port",    "port",   "IPv6",
                                                  "name", "below name", "unknown" };
    uint64_t *took = calloc(n_questions, sizeof(*took));
    bool good = took != NULL;
    puts("question        p50 us   p99 us   max us   CPU us");
    for (unsigned i = 0; i < 2 * QUESTIONS && took; i++) {
        const enum question what = (enum question)(i / 2);
        const uint64_t cpu_us = thread_us();
        uint64_t wrong = 0;
        for (uint64_t k = 0; k < n_questions; k++) {
            const uint64_t from_us = lamp_clock_mono_us();
            wrong += !ask(from, what, i % 2);
            took[k] = lamp_clock_mono_us() - from_us;
        }
        qsort(took, n_questions, sizeof(*took), compare);
        const uint64_t p99 = took[n_questions * 99 / 100];
        printf("%-10s %s %8llu %8llu %8llu %8llu%s\n", names[what], i % 2 ? "then" : "now ",
               (unsigned long long)took[n_questions / 2], (unsigned long long)p99,
               (unsigned long long)took[n_questions - 1],
               (unsigned long long)((thread_us() - cpu_us) / n_questions),
               wrong ? "  WRONG ANSWERS" : "");
        good = good && p99 <= MOST_US && wrong == 0;
    }
    free(took);
    return good;
}

int main(int argc, char **argv)
{
    uint64_t *const sizes[] = { &n_endpoints, &n_changes, &n_questions };
    char why[LAMP_STORE_WHY];
    lamp_store *from = NULL;
    for (int i = 1; i < argc; i++) {
        int64_t n;
        if (i > 3 || lamp_text_int(argv[i], 100, INT64_C(1000000000), &n) != LAMP_OK)
            return 2;
        *sizes[i - 1] = (uint64_t)n;
    }
    if (n_changes < n_endpoints || n_endpoints > 10000000)
        return 2;
    remove(FILE_NAME);
    setlinebuf(stdout);
    must(lamp_store_open("sqlite", FILE_NAME, false, &s, why));
    add_entries();
    add_changes();
    must(lamp_store_open("sqlite", FILE_NAME, true, &from, why));
    const bool good = measure(from);
    lamp_store_close(from);
    lamp_store_close(s);
    remove(FILE_NAME);
    remove(FILE_NAME "-wal");
    remove(FILE_NAME "-shm");
    return good ? 0 : 1;
}
