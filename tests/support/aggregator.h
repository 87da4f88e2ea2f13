/* SPDX-License-Identifier: Apache-2.0 */
/* aggregator: what the tests of the aggregator share: a folder for a database, batches with one
 * connection, waiting for a condition. Header only. */
#pragma once

#include "aggregator/store/write.h"
#include "common/clock.h"
#include "tests/support/test.h"

#include <ftw.h>
#include <poll.h>
#include <sys/stat.h>

#define TEST_NOW_US UINT64_C(1790000000000000)

static inline int rm_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline void remove_folder(const char *path)
{
    nftw(path, rm_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* A new folder below /tmp; remove_folder() and free() it. */
static inline char *new_folder(void)
{
    char *path = strdup("/tmp/lamp-test-XXXXXX");
    assert_non_null(path);
    assert_non_null(mkdtemp(path));
    return path;
}

static inline lamp_store *open_store(const char *backend, const char *folder, bool read_only)
{
    char path[256], why[LAMP_STORE_WHY] = "";
    lamp_store *s = NULL;
    snprintf(path, sizeof(path), "%s/db", folder);
    if (lamp_store_open(backend, path, read_only, &s, why) != LAMP_OK)
        fail_msg("%s", why);
    return s;
}

static inline void ok(lamp_store *s, int err)
{
    if (err != LAMP_OK)
        fail_msg("%s: %s", lamp_strerror(err), s ? lamp_store_why(s) : "");
}

static inline struct lamp_addr test_addr(const char *text)
{
    struct lamp_addr a;
    assert_int_equal(lamp_addr_parse(text, &a), LAMP_OK);
    return a;
}

/* A confirmed XMR connection with one share of work 1000 in this interval. */
static inline struct lamp_conn_row test_row(uint64_t conn_id, uint64_t from_us, uint64_t to_us)
{
    static struct lamp_evidence evidence;
    struct lamp_conn_row r = {
        .conn_id = conn_id,
        .client_addr = test_addr("10.0.0.7"),
        .server_addr = test_addr("203.0.113.9"),
        .client_port = 40000,
        .server_port = 3333,
        .ip_proto = 6,
        .first_us = from_us,
        .last_us = to_us,
        .bytes_up = 100,
        .bytes_down = 200,
        .packets_up = 1,
        .packets_down = 2,
        .jobs = 1,
        .submitted = 1,
        .accepted = 1,
        .work_hashes = 1000,
        .work_shares = 1,
        .verdict = LAMP_VERDICT_CONFIRMED,
        .confidence = 9900,
        .family = lamp_bytes_of("cryptonote"),
        .coin = lamp_bytes_of("XMR"),
        .wallet = lamp_bytes_of("4wallet"),
        .worker = lamp_bytes_of("rig1"),
        .hash_unit = lamp_bytes_of("H/s"),
        .difficulty = 1000,
        .evidence = &evidence,
        .n_evidence = 1,
    };
    evidence = (struct lamp_evidence){
        lamp_bytes_of("grammar"), lamp_bytes_of("login"),   lamp_bytes_of("JSON line"),
        lamp_bytes_of("certain"), lamp_bytes_of("no pool"), TEST_NOW_US,
        LAMP_SIDE_CLIENT
    };
    return r;
}

static inline struct lamp_batch test_batch(struct lamp_conn_row *rows, size_t n, uint64_t from_us,
                                           uint64_t to_us)
{
    struct lamp_batch b = {
        .cap_run = { 1, 2, 3 }, .t_from_us = from_us, .t_to_us = to_us, .conns = rows, .n_conns = n
    };
    b.counters.packets = 10;
    b.counters.bytes = 1000;
    return b;
}

/* Waits until cond is true, at most 60 s. */
#define WAIT_FOR(cond)                                                                             \
    do {                                                                                           \
        const uint64_t until_ = lamp_clock_mono_us() + 60 * 1000000U;                              \
        while (!(cond)) {                                                                          \
            if (lamp_clock_mono_us() > until_)                                                     \
                fail_msg("waited in vain for " #cond);                                             \
            poll(NULL, 0, 5);                                                                      \
        }                                                                                          \
    } while (0)
