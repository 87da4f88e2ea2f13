/* SPDX-License-Identifier: Apache-2.0 */
/* The safety of a SQLite database: whether it is whole, copies of it, and the way back to one. */
#include "aggregator/store/safety.h"

#include "aggregator/store/sqlite.h"
#include "common/clock.h"
#include "common/io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

enum {
    STEP_PAGES = 256,
    PAUSE_MS_MAX = 100,
    WATCH_MS = 50,
    BUSY_MS = 5000,
};

#define LOG_GROWTH_MAX (UINT64_C(1) << 30)

extern const struct lamp_store_ops lamp_store_backend_sqlite;

/* ---- connections of our own ---- */

static int said(sqlite3 *db, const char *where, char why[LAMP_STORE_WHY])
{
    snprintf(why, LAMP_STORE_WHY, "%.200s: %.300s", where, sqlite3_errmsg(db));
    return LAMP_ESTORE;
}

static int failed(const char *path, char why[LAMP_STORE_WHY])
{
    const int err = -errno;
    snprintf(why, LAMP_STORE_WHY, "%.300s: %s", path, lamp_strerror(err));
    return LAMP_EIO;
}

/* Closes it again where this fails. */
static int open_db(const char *where, int flags, sqlite3 **out, char why[LAMP_STORE_WHY])
{
    sqlite3 *db = NULL;
    int on = 0, err = LAMP_OK;
    if (sqlite3_open_v2(where, &db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        err = said(db, where, why);
        sqlite3_close(db);
        return err;
    }
    sqlite3_busy_timeout(db, BUSY_MS);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, &on);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, &on);
    *out = db;
    return LAMP_OK;
}

/* The first column of the first row. A SQLite result: SQLITE_ROW where there is one. */
static int first_value(sqlite3 *db, const char *sql, uint64_t *out)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        *out = lamp_col_uint(st, 0);
    sqlite3_finalize(st);
    return rc;
}

static bool is_damage(int rc)
{
    return (rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB;
}

/* ---- is it whole? ---- */

/* Interrupts a connection that takes too long, or whose caller has had enough. */
struct watch {
    sqlite3 *db;
    uint64_t until_us; /* monotonic; 0: for ever */
    lamp_store_going_fn *going;
    void *arg;
    uint64_t bytes;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool over, fired;
};

static void *watch(void *arg)
{
    struct watch *w = arg;
    pthread_mutex_lock(&w->lock);
    while (!w->over) {
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        t.tv_nsec += WATCH_MS * 1000000L;
        t.tv_sec += t.tv_nsec / 1000000000;
        t.tv_nsec %= 1000000000;
        (void)pthread_cond_timedwait(&w->ended, &w->lock, &t);
        w->fired |= w->until_us && lamp_clock_mono_us() >= w->until_us;
        w->fired |= w->going && !w->going(w->bytes, w->bytes, w->arg);
        if (w->fired && !w->over)
            sqlite3_interrupt(w->db);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static int look_over(sqlite3 *db, const char *where, enum lamp_store_health *out,
                     char why[LAMP_STORE_WHY])
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    int err = LAMP_OK;
    *out = LAMP_STORE_WHOLE;
    if (rc == SQLITE_ROW && !streq(lamp_col_str(st, 0), "ok")) {
        const char *text = lamp_col_str(st, 0), *second = strchr(text, '\n');
        *out = LAMP_STORE_DAMAGED;
        snprintf(why, LAMP_STORE_WHY, "%.200s: %.300s", where, second ? second + 1 : text);
    } else if (rc == SQLITE_INTERRUPT) {
        *out = LAMP_STORE_UNFINISHED;
    } else if (rc != SQLITE_ROW) {
        err = said(db, where, why);
        *out = is_damage(rc) ? LAMP_STORE_DAMAGED : LAMP_STORE_UNFINISHED;
        err = is_damage(rc) ? LAMP_OK : err;
    }
    sqlite3_finalize(st);
    return err;
}

static int check_db(sqlite3 *db, const char *where, struct watch *w, enum lamp_store_health *out,
                    char why[LAMP_STORE_WHY])
{
    pthread_t thread;
    w->db = db;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->ended, NULL);
    const bool watched = (w->until_us || w->going) && pthread_create(&thread, NULL, watch, w) == 0;
    int err = look_over(db, where, out, why);
    if (watched) {
        pthread_mutex_lock(&w->lock);
        w->over = true;
        pthread_cond_signal(&w->ended);
        pthread_mutex_unlock(&w->lock);
        pthread_join(thread, NULL);
    }
    if (!err &&
        w->fired) /* what an interrupted check says of pages it did not get to is no damage */
        *out = LAMP_STORE_UNFINISHED;
    pthread_cond_destroy(&w->ended);
    pthread_mutex_destroy(&w->lock);
    return err;
}

static int op_check(const char *where, uint32_t limit_ms, enum lamp_store_health *out,
                    char why[LAMP_STORE_WHY])
{
    struct watch w = { .until_us =
                           limit_ms ? lamp_clock_mono_us() + limit_ms * UINT64_C(1000) : 0 };
    sqlite3 *db = NULL;
    uint64_t tables;
    *out = LAMP_STORE_WHOLE;
    if (access(where, F_OK) != 0 && errno == ENOENT)
        return LAMP_OK;
    int err = open_db(where, SQLITE_OPEN_READONLY, &db, why);
    if (err)
        return err;
    const int rc = first_value(db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (is_damage(rc)) {
        *out = LAMP_STORE_DAMAGED;
        (void)said(db, where, why);
    } else if (rc != SQLITE_ROW) {
        err = said(db, where, why);
    } else {
        err = check_db(db, where, &w, out, why);
    }
    sqlite3_close(db);
    return err;
}

/* ---- a copy ---- */

static uint64_t size_of(const char *path, const char *suffix)
{
    char name[LAMP_STORE_PATH];
    struct stat st;
    snprintf(name, sizeof(name), "%.4096s%s", path, suffix);
    return stat(name, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void remove_with(const char *path, const char *suffix)
{
    char name[LAMP_STORE_PATH];
    snprintf(name, sizeof(name), "%.4096s%s", path, suffix);
    (void)unlink(name);
}

static int sync_path(const char *path, char why[LAMP_STORE_WHY])
{
    LAMP_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0 ? LAMP_OK : failed(path, why);
}

/* What a rename or link did in the folder of path is on the disk. */
static int sync_folder(const char *path, char why[LAMP_STORE_WHY])
{
    char copy[LAMP_STORE_PATH];
    snprintf(copy, sizeof(copy), "%.4096s", path);
    return sync_path(dirname(copy), why);
}

static int check_room(const char *file, uint64_t bytes, char why[LAMP_STORE_WHY])
{
    char copy[LAMP_STORE_PATH];
    struct statvfs fs;
    snprintf(copy, sizeof(copy), "%.4096s", file);
    if (statvfs(dirname(copy), &fs) != 0)
        return failed(file, why);
    if ((uint64_t)fs.f_bavail * fs.f_frsize > bytes)
        return LAMP_OK;
    snprintf(why, LAMP_STORE_WHY, "%.200s: the copy needs %" PRIu64 " MiB, there is less room",
             file, (bytes >> 20) + 1);
    return LAMP_EFULL;
}

/* Copies page by page out of one snapshot, which src holds open; after each step the disk is left to
 * others for as long as the step took. */
static int copy_pages(sqlite3 *src, sqlite3 *dst, const char *where, const char *file,
                      lamp_store_going_fn *going, void *arg, char why[LAMP_STORE_WHY])
{
    uint64_t page_size = 0, log_bytes = size_of(where, "-wal");
    sqlite3_backup *b = sqlite3_backup_init(dst, "main", src, "main");
    if (!b)
        return said(dst, file, why);
    if (first_value(src, "PRAGMA page_size", &page_size) != SQLITE_ROW)
        page_size = 4096;
    int err = LAMP_OK, rc = SQLITE_OK;
    while (!err && rc != SQLITE_DONE) {
        const uint64_t from_us = lamp_clock_mono_us();
        rc = sqlite3_backup_step(b, STEP_PAGES);
        const uint64_t took_ms = (lamp_clock_mono_us() - from_us) / 1000;
        const uint64_t all = (uint64_t)sqlite3_backup_pagecount(b);
        const uint64_t left = (uint64_t)sqlite3_backup_remaining(b);
        if (rc != SQLITE_OK && rc != SQLITE_DONE) {
            snprintf(why, LAMP_STORE_WHY, "%.200s: %s", file, sqlite3_errstr(rc));
            err = rc == SQLITE_FULL ? LAMP_EFULL : LAMP_ESTORE;
        } else if (going && !going((all - left) * page_size, all * page_size, arg)) {
            snprintf(why, LAMP_STORE_WHY, "%.200s: ended before it was done", file);
            err = LAMP_ECLOSED;
        } else if (size_of(where, "-wal") > log_bytes + LOG_GROWTH_MAX) {
            snprintf(why, LAMP_STORE_WHY,
                     "%.200s: the database changed by more than 1 GiB before it was copied", where);
            err = LAMP_EFULL;
        } else if (going && rc == SQLITE_OK) {
            (void)poll(NULL, 0, (int)lamp_min(took_ms, PAUSE_MS_MAX));
        }
    }
    (void)sqlite3_backup_finish(b);
    return err;
}

/* `where` as it is now into a new file of its own, which is whole and on the disk if this is LAMP_OK. */
static int copy_db(const char *where, const char *file, lamp_store_going_fn *going, void *arg,
                   char why[LAMP_STORE_WHY])
{
    sqlite3 *src = NULL, *dst = NULL;
    uint64_t pages = 0, page_size = 0;
    struct watch w = { .going = going, .arg = arg };
    enum lamp_store_health health = LAMP_STORE_WHOLE;
    remove_with(file, "");
    int err = open_db(where, SQLITE_OPEN_READONLY, &src, why);
    if (!err && sqlite3_exec(src, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
        err = said(src, where, why);
    if (!err && (first_value(src, "PRAGMA page_count", &pages) != SQLITE_ROW ||
                 first_value(src, "PRAGMA page_size", &page_size) != SQLITE_ROW))
        err = said(src, where, why);
    w.bytes = pages * page_size;
    if (!err)
        err = check_room(file, w.bytes, why);
    if (!err)
        err = open_db(file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &dst, why);
    if (!err && sqlite3_exec(dst, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", NULL, NULL,
                             NULL) != SQLITE_OK)
        err = said(dst, file, why);
    if (!err)
        err = copy_pages(src, dst, where, file, going, arg, why);
    sqlite3_close(src);
    sqlite3_close(dst);
    dst = NULL;
    if (!err)
        err = open_db(file, SQLITE_OPEN_READWRITE, &dst, why);
    if (!err && sqlite3_exec(dst, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL) != SQLITE_OK)
        err = said(dst, file, why);
    if (!err)
        err = check_db(dst, file, &w, &health, why);
    sqlite3_close(dst);
    if (!err && health != LAMP_STORE_WHOLE)
        err = health == LAMP_STORE_DAMAGED ? LAMP_EDIGEST : LAMP_ECLOSED;
    if (!err)
        err = sync_path(file, why);
    if (err)
        remove_with(file, "");
    return err;
}

static int op_backup(const char *where, const char *file, lamp_store_going_fn *going, void *arg,
                     char why[LAMP_STORE_WHY])
{
    char part[LAMP_STORE_PATH];
    snprintf(part, sizeof(part), "%.4096s.part", file);
    if (access(file, F_OK) == 0) {
        snprintf(why, LAMP_STORE_WHY, "%.300s: %s", file, lamp_strerror(-EEXIST));
        return LAMP_EEXIST;
    }
    int err = copy_db(where, part, going, arg, why);
    if (!err && link(part, file) != 0)
        err = errno == EEXIST ? LAMP_EEXIST : failed(file, why);
    if (!err)
        err = sync_folder(file, why);
    remove_with(part, "");
    return err;
}

/* ---- the way back ---- */

/* The name that a database has from now on: "PATH.WHAT-20261127T101500Z". */
static void name_kept(const char *where, const char *what, uint64_t now_us,
                      char out[LAMP_STORE_PATH])
{
    const time_t now = (time_t)(now_us / 1000000);
    struct tm tm;
    char stamp[32];
    gmtime_r(&now, &tm);
    strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
    snprintf(out, LAMP_STORE_PATH, "%.4000s.%s-%s", where, what, stamp);
}

/* The log of a database goes with it: under a file it does not belong to it would be taken for its own. */
static int move_log(const char *from, const char *to, char why[LAMP_STORE_WHY])
{
    char a[LAMP_STORE_PATH], b[LAMP_STORE_PATH];
    snprintf(a, sizeof(a), "%.4096s-wal", from);
    snprintf(b, sizeof(b), "%.4096s-wal", to);
    if (rename(a, b) != 0 && errno != ENOENT)
        return failed(a, why);
    remove_with(from, "-shm");
    return LAMP_OK;
}

static int op_set_aside(const char *where, uint64_t now_us, char kept[LAMP_STORE_PATH],
                        char why[LAMP_STORE_WHY])
{
    if (access(where, F_OK) != 0 && errno == ENOENT) {
        snprintf(why, LAMP_STORE_WHY, "%.300s: there is no such file", where);
        return LAMP_ENOENT;
    }
    name_kept(where, "aside", now_us, kept);
    const int err = move_log(where, kept, why);
    if (err)
        return err;
    if (rename(where, kept) != 0)
        return failed(where, why);
    return sync_folder(where, why);
}

/* Whether the copy is one of ours, and none of a later program. */
static int know_copy(const char *copy, const char *file, struct lamp_restored *out,
                     uint64_t *out_epoch, char why[LAMP_STORE_WHY])
{
    sqlite3 *db = NULL;
    int err = open_db(copy, SQLITE_OPEN_READONLY, &db, why);
    if (err)
        return err;
    if (first_value(db, "PRAGMA user_version", &out->version) != SQLITE_ROW || !out->version ||
        first_value(db, "SELECT value FROM meta WHERE key = 'epoch'", out_epoch) != SQLITE_ROW) {
        snprintf(why, LAMP_STORE_WHY, "%.300s is no database of an aggregator", file);
        err = LAMP_EFORMAT;
    } else if (out->version > lamp_sqlite_version) {
        snprintf(why, LAMP_STORE_WHY,
                 "%.200s was made by a later davylamp-aggregator (its database has version %" PRIu64
                 ", this program knows %" PRIu64
                 "): install that version, or a later one, and restore "
                 "with it",
                 file, out->version, lamp_sqlite_version);
        err = LAMP_EVERSION;
    }
    sqlite3_close(db);
    return err;
}

/* The epoch of the database that is there; its log is taken into it. 0: it cannot be read. */
static uint64_t close_old(const char *where)
{
    char why[LAMP_STORE_WHY];
    sqlite3 *db = NULL;
    uint64_t epoch = 0;
    if (access(where, F_OK) != 0 || open_db(where, SQLITE_OPEN_READWRITE, &db, why) != LAMP_OK)
        return 0;
    if (first_value(db, "SELECT value FROM meta WHERE key = 'epoch'", &epoch) != SQLITE_ROW)
        epoch = 0;
    sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
    sqlite3_close(db);
    return epoch;
}

/* Brings the copy up to this program's version, under its new epoch. */
static int make_new(const char *copy, uint64_t epoch, char why[LAMP_STORE_WHY])
{
    lamp_store *s = NULL;
    int err = lamp_store_backend_sqlite.open(copy, false, &s, why);
    if (err)
        return err;
    err = lamp_store_begin(s);
    if (!err)
        err = LAMP_EXEC((struct lamp_sqlite *)s, "UPDATE meta SET value = ? WHERE key = 'epoch'",
                        lamp_uint(epoch));
    if (!err)
        err = lamp_store_commit(s);
    if (err)
        snprintf(why, LAMP_STORE_WHY, "%.200s: %.300s", copy, lamp_store_why(s));
    lamp_store_close(s);
    if (!err && size_of(copy, "-wal") > 0) {
        snprintf(why, LAMP_STORE_WHY, "%.300s: its log was not taken into it", copy);
        err = LAMP_ESTORE;
    }
    return err ? err : sync_path(copy, why);
}

/* In one step: whoever looks finds the old database or the new one. */
static int swap(const char *where, const char *copy, uint64_t now_us, struct lamp_restored *out,
                char why[LAMP_STORE_WHY])
{
    char kept[LAMP_STORE_PATH];
    name_kept(where, "before", now_us, kept);
    if (link(where, kept) == 0) {
        snprintf(out->kept, sizeof(out->kept), "%s", kept);
        const int err = move_log(where, kept, why);
        if (err)
            return err;
    } else if (errno != ENOENT) {
        return failed(kept, why);
    }
    if (rename(copy, where) != 0) {
        const int err = failed(where, why);
        (void)!move_log(kept, where, why);
        (void)unlink(kept);
        return err;
    }
    return sync_folder(where, why);
}

static int op_restore(const char *where, const char *file, uint64_t now_us,
                      struct lamp_restored *out, char why[LAMP_STORE_WHY])
{
    char copy[LAMP_STORE_PATH];
    uint64_t epoch = 0;
    enum lamp_store_health health;
    struct lamp_restored r = { .version = 0 };
    snprintf(copy, sizeof(copy), "%.4000s.restoring", where);
    if (access(file, F_OK) != 0)
        return failed(file, why);
    int err = op_check(file, 0, &health, why);
    if (!err && health != LAMP_STORE_WHOLE)
        err = LAMP_EDIGEST;
    if (!err)
        err = know_copy(file, file, &r, &epoch, why);
    if (!err)
        err = copy_db(file, copy, NULL, NULL, why);
    if (!err) {
        const uint64_t old = close_old(where);
        r.epoch = (old > epoch ? old : epoch) + 1;
        if (r.epoch < now_us / 1000000)
            r.epoch = now_us / 1000000;
        err = make_new(copy, r.epoch, why);
    }
    if (!err && lamp_io_give_to_folder(copy) != LAMP_OK)
        err = failed(copy, why);
    if (!err)
        err = swap(where, copy, now_us, &r, why);
    remove_with(copy, "");
    remove_with(copy, "-wal");
    remove_with(copy, "-shm");
    if (!err)
        *out = r;
    return err;
}

const struct lamp_store_safety lamp_sqlite_safety = {
    .check = op_check,
    .backup = op_backup,
    .restore = op_restore,
    .set_aside = op_set_aside,
};
