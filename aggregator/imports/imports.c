/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/imports/imports.h"

#include "aggregator/imports/beneath.h"
#include "aggregator/imports/result.h"
#include "aggregator/imports/spool.h"
#include "common/clock.h"
#include "common/io.h"
#include "common/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

enum {
    TICK_MS = 500,
    AGAIN_MS = 50,
    REFUSED_MAX = 20,
    HOUSEKEEPING_S = 60,
};

#define SECOND_US UINT64_C(1000000)
#define DAY_US (86400 * SECOND_US)
#define DISK_FLOOR (UINT64_C(256) << 20) /* of the disk, that is left to the database */

struct part {
    char *name;
    uint64_t size;
};

struct entry {
    struct entry *next;
    uint64_t ticket;
    int64_t id;         /* 0: the store does not know it yet */
    char *path;         /* on the server; NULL: an upload */
    struct part *parts; /* of an upload */
    size_t n_parts;
    uint64_t size, received;
    uint64_t heard_us; /* monotonic */
    bool busy;         /* bytes are being written, or it is being analysed */
    bool gone;         /* to be forgotten as soon as it is not busy */
    bool told;         /* the store knows that it waits */
    char why[160];     /* it has failed by this */
    /* of the one being analysed: */
    int fd;
    size_t at; /* capture, from 1 */
    uint64_t at_size;
};

struct lamp_imports {
    struct lamp_imports_cfg cfg;
    char analyzer[PATH_MAX]; /* where cfg names none */
    lamp_spool *spool;
    int root;             /* -1: none */
    pthread_mutex_t lock; /* guards the list and its entries */
    pthread_cond_t wake;
    struct entry *entries; /* in the order they came */
    uint64_t tickets;
    bool stopping;
    pthread_t thread;
    bool running;
    uint64_t kept_us; /* monotonic: when results were last looked over */
};

/* ---- entries; under the lock ---- */

static void free_entry(struct entry *e)
{
    for (size_t i = 0; e->parts && i < e->n_parts; i++)
        free(e->parts[i].name);
    free(e->parts);
    free(e->path);
    free(e);
}

static struct entry *by_id(lamp_imports *im, int64_t id)
{
    struct entry *e = im->entries;
    while (e && (e->id != id || e->gone))
        e = e->next;
    return e;
}

static struct entry *by_ticket(lamp_imports *im, uint64_t ticket)
{
    struct entry *e = im->entries;
    while (e && e->ticket != ticket)
        e = e->next;
    return e;
}

static bool is_ready(const struct entry *e)
{
    return e->id && !e->gone && !e->busy && e->received == e->size;
}

/* ---- the store, by way of the writer ---- */

/* Waits without end: what the command points to is the caller's. */
static int tell(lamp_imports *im, struct lamp_command *c)
{
    struct lamp_command_result r;
    int err;
    unsigned refused = 0;
    c->kind = LAMP_CMD_IMPORT;
    snprintf(c->actor, sizeof(c->actor), "aggregator");
    for (;;) {
        r = (struct lamp_command_result){ 0 };
        err = lamp_commands_run(im->cfg.commands, c, INT_MAX, &r);
        if (!err)
            err = r.err;
        /* The store refuses whole groups, also for what others in it asked. */
        if (err != LAMP_EFULL && (err != LAMP_ESTORE || ++refused == REFUSED_MAX))
            break;
        (void)poll(NULL, 0, AGAIN_MS);
    }
    if (err && err != LAMP_ENOENT)
        lamp_log_limited(LAMP_LOG_WARN, "imports", "not written down import=%" PRId64 ": %s",
                         c->import.id, *r.why ? r.why : lamp_strerror(err));
    return err;
}

static int move(lamp_imports *im, int64_t id, enum lamp_import_state state, const char *answer,
                const char *error)
{
    struct lamp_command c = { .import_change = LAMP_IMPORT_MOVE };
    c.import.id = id;
    c.import.state = state;
    snprintf(c.import.answer, sizeof(c.import.answer), "%s", answer);
    snprintf(c.import.error, sizeof(c.import.error), "%s", error);
    return tell(im, &c);
}

static void expire(lamp_imports *im)
{
    struct lamp_command c = { .import_change = LAMP_IMPORT_EXPIRE };
    const uint64_t now_us = lamp_clock_real_us(), keep_us = im->cfg.keep_days * DAY_US;
    c.import.ended_us = keep_us && now_us > keep_us ? now_us - keep_us : 0;
    c.import.files = im->cfg.keep;
    (void)!tell(im, &c);
}

/* ---- keeping things in order, on the thread ---- */

static void fail_silent(lamp_imports *im, uint64_t mono_us)
{
    for (struct entry *e = im->entries; e; e = e->next) {
        const bool silent = e->received < e->size && !e->busy && !e->gone &&
                            mono_us > e->heard_us + im->cfg.silent_s * SECOND_US;
        if (!silent)
            continue;
        e->gone = true;
        snprintf(e->why, sizeof(e->why),
                 "The upload was broken off: nothing came for %u s, after %" PRIu64 " of %" PRIu64
                 " bytes.",
                 im->cfg.silent_s, e->received, e->size);
    }
}

/* Takes an entry that is over out of the list; NULL: none is. */
static struct entry *take_gone(lamp_imports *im)
{
    for (struct entry **p = &im->entries; *p; p = &(*p)->next) {
        struct entry *e = *p;
        if (!e->gone || e->busy)
            continue;
        *p = e->next;
        return e;
    }
    return NULL;
}

static struct entry *find_untold(lamp_imports *im)
{
    struct entry *e = im->entries;
    while (e && (e->told || !is_ready(e)))
        e = e->next;
    return e;
}

/* Everything but analysing. Called with the lock, which it gives up meanwhile. */
static void tend(lamp_imports *im)
{
    struct entry *e;
    const uint64_t mono_us = lamp_clock_mono_us();
    fail_silent(im, mono_us);
    while ((e = take_gone(im)) != NULL) {
        pthread_mutex_unlock(&im->lock);
        for (size_t i = 0; i < e->n_parts; i++)
            lamp_spool_remove(im->spool, e->ticket, i);
        if (e->id && *e->why)
            (void)!move(im, e->id, LAMP_IMPORT_FAILED, "", e->why);
        free_entry(e);
        pthread_mutex_lock(&im->lock);
    }
    while ((e = find_untold(im)) != NULL) {
        const int64_t id = e->id;
        e->told = true;
        pthread_mutex_unlock(&im->lock);
        (void)!move(im, id, LAMP_IMPORT_WAITING, "", "");
        pthread_mutex_lock(&im->lock);
    }
    if (mono_us > im->kept_us + HOUSEKEEPING_S * SECOND_US) {
        im->kept_us = mono_us;
        pthread_mutex_unlock(&im->lock);
        expire(im);
        pthread_mutex_lock(&im->lock);
    }
}

/* ---- analysing, on the thread ---- */

struct job {
    lamp_imports *im;
    struct entry *e; /* busy, so it stays */
    lamp_result *result;
    bool lost; /* the store knows it no more */
};

static void on_rows(const struct lamp_import_rows *rows, void *arg)
{
    struct job *job = arg;
    struct lamp_command c = { .import_change = LAMP_IMPORT_FOUND, .import_rows = rows };
    c.import.id = job->e->id;
    if (!job->lost && tell(job->im, &c) != LAMP_OK)
        job->lost = true;
}

static void on_line(const char *line, size_t len, void *arg)
{
    lamp_result_line(((struct job *)arg)->result, line, len);
}

static bool is_cancelled(const struct job *job)
{
    pthread_mutex_lock(&job->im->lock);
    const bool cancelled = job->e->gone || job->im->stopping || job->lost;
    pthread_mutex_unlock(&job->im->lock);
    return cancelled;
}

static bool on_idle(void *arg)
{
    struct job *job = arg;
    pthread_mutex_lock(&job->im->lock);
    tend(job->im);
    pthread_mutex_unlock(&job->im->lock);
    return is_cancelled(job);
}

/* Opens capture i; `why` says what is wrong with it. */
static int open_part(const struct job *job, size_t i, const struct part *p, int *out_fd,
                     uint64_t *out_size, char why[LAMP_ANALYZER_WHY])
{
    int err;
    *out_size = p->size;
    if (job->e->path)
        err = lamp_beneath_open(job->im->root, p->name, out_fd, out_size);
    else
        err = lamp_spool_read(job->im->spool, job->e->ticket, i, out_fd);
    if (err)
        snprintf(why, LAMP_ANALYZER_WHY, "%s",
                 err == LAMP_ENOENT && !job->e->path ? "the file is empty" : lamp_strerror(err));
    return err;
}

static void note_at(const struct job *job, size_t at, int fd, uint64_t size)
{
    pthread_mutex_lock(&job->im->lock);
    job->e->at = at;
    job->e->fd = fd;
    job->e->at_size = size;
    pthread_mutex_unlock(&job->im->lock);
}

static void analyse_part(struct job *job, size_t i, const struct part *p)
{
    char why[LAMP_ANALYZER_WHY] = "out of memory";
    uint64_t dropped = 0, size;
    int fd = -1;
    int err = open_part(job, i, p, &fd, &size, why);
    lamp_result_file(job->result, p->name, size);
    if (!err) {
        note_at(job, i + 1, fd, size);
        err = lamp_analyzer_run(&job->im->cfg.analyzer, fd, on_line, on_idle, job, &dropped, why);
        note_at(job, i + 1, -1, size);
        close(fd);
    }
    if (err != LAMP_ECLOSED)
        lamp_result_file_end(job->result, err ? why : NULL, dropped);
    if (!job->e->path)
        lamp_spool_remove(job->im->spool, job->e->ticket, i);
}

static void end_job(struct job *job, uint64_t left_out)
{
    char answer[LAMP_IMPORT_TEXT], error[LAMP_IMPORT_TEXT] = "";
    const struct lamp_import_sum *sum = lamp_result_sum(job->result);
    lamp_result_answer(job->result, answer, sizeof(answer));
    const uint64_t seen = sum->verdicts[LAMP_VERDICT_SUSPECTED] +
                          sum->verdicts[LAMP_VERDICT_PROBABLE] +
                          sum->verdicts[LAMP_VERDICT_CONFIRMED];
    const bool nothing = sum->packets == 0 && seen == 0 && sum->files_failed == sum->files_done;
    if (sum->files_done == 0)
        snprintf(error, sizeof(error), "There is no file to analyse.");
    else if (nothing)
        snprintf(error, sizeof(error), "%s", lamp_result_error(job->result));
    else if (left_out)
        snprintf(error, sizeof(error),
                 "%" PRIu64 " files or folders were left out: links, unreadable, too deep, or more "
                 "than %u.",
                 left_out, job->im->cfg.files);
    (void)!move(job->im, job->e->id, nothing ? LAMP_IMPORT_FAILED : LAMP_IMPORT_DONE,
                nothing ? "" : answer, error);
}

static void analyse_parts(struct job *job, const struct part *parts, size_t n, uint64_t left_out)
{
    if (lamp_result_new(n, on_rows, job, &job->result) != LAMP_OK) {
        (void)!move(job->im, job->e->id, LAMP_IMPORT_FAILED, "", "The aggregator has no memory.");
        return;
    }
    for (size_t i = 0; i < n && !is_cancelled(job); i++)
        analyse_part(job, i, &parts[i]);
    if (job->lost) /* or it was deleted, then nobody is told */
        (void)!move(job->im, job->e->id, LAMP_IMPORT_FAILED, "",
                    "What was found could not be kept: import it again.");
    if (!is_cancelled(job))
        end_job(job, left_out);
    lamp_result_free(job->result);
}

/* What is on the server is listed now, not when it was asked for. */
static void analyse_path(struct job *job)
{
    struct lamp_beneath_list list;
    char why[LAMP_IMPORT_TEXT];
    const int err = lamp_beneath_list(job->im->root, job->e->path, job->im->cfg.files, &list);
    struct part *parts = err ? NULL : calloc(list.n + 1, sizeof(*parts));
    for (size_t i = 0; parts && i < list.n; i++)
        parts[i].name = list.v[i];
    if (parts) {
        analyse_parts(job, parts, list.n, list.left_out);
    } else {
        snprintf(why, sizeof(why), "%.300s: %s", job->e->path,
                 lamp_strerror(err ? err : LAMP_ENOMEM));
        (void)!move(job->im, job->e->id, LAMP_IMPORT_FAILED, "", why);
    }
    free(parts);
    lamp_beneath_list_free(&list);
}

static void analyse(lamp_imports *im, struct entry *e)
{
    struct job job = { .im = im, .e = e };
    if (move(im, e->id, LAMP_IMPORT_RUNNING, "", "") != LAMP_OK)
        return;
    if (e->path)
        analyse_path(&job);
    else
        analyse_parts(&job, e->parts, e->n_parts, 0);
}

static struct entry *find_ready(lamp_imports *im)
{
    struct entry *e = im->entries;
    while (e && !is_ready(e))
        e = e->next;
    return e;
}

static void wait_a_little(lamp_imports *im)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += TICK_MS * 1000000L;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&im->wake, &im->lock, &t);
}

static void *run(void *arg)
{
    lamp_imports *im = arg;
    pthread_mutex_lock(&im->lock);
    while (!im->stopping) {
        tend(im);
        struct entry *e = find_ready(im);
        if (!e) {
            wait_a_little(im);
            continue;
        }
        e->busy = true;
        pthread_mutex_unlock(&im->lock);
        analyse(im, e);
        pthread_mutex_lock(&im->lock);
        e->busy = false;
        e->gone = true;
    }
    pthread_mutex_unlock(&im->lock);
    return NULL;
}

/* ---- start and stop ---- */

static int open_folders(lamp_imports *im, char why[LAMP_IMPORTS_WHY])
{
    const int err = lamp_spool_open(im->cfg.folder, &im->spool);
    if (err) {
        snprintf(why, LAMP_IMPORTS_WHY, "imports.folder: %.300s: %s", im->cfg.folder,
                 lamp_strerror(err));
        return err;
    }
    if (!*im->cfg.root)
        return LAMP_OK;
    im->root = open(im->cfg.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (im->root >= 0)
        return LAMP_OK;
    snprintf(why, LAMP_IMPORTS_WHY, "imports.root: %.300s: %s", im->cfg.root,
             lamp_strerror(-errno));
    return -errno;
}

/* The one beside this program, unless another is named. */
static int find_analyzer(lamp_imports *im, char why[LAMP_IMPORTS_WHY])
{
    if (*im->cfg.analyzer.program)
        return LAMP_OK;
    const int err = lamp_io_beside_program("davylamp-sensor", im->analyzer, sizeof(im->analyzer));
    if (err)
        snprintf(why, LAMP_IMPORTS_WHY, "imports.analyzer: %s", lamp_strerror(err));
    im->cfg.analyzer.program = im->analyzer;
    return err;
}

int lamp_imports_start(const struct lamp_imports_cfg *cfg, lamp_imports **out,
                       char why[LAMP_IMPORTS_WHY])
{
    lamp_imports *im = calloc(1, sizeof(*im));
    if (!im) {
        snprintf(why, LAMP_IMPORTS_WHY, "out of memory");
        return LAMP_ENOMEM;
    }
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&im->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&im->lock, NULL);
    im->cfg = *cfg;
    im->root = -1;
    int err = find_analyzer(im, why);
    if (!err)
        err = open_folders(im, why);
    if (!err) {
        err = -pthread_create(&im->thread, NULL, run, im);
        im->running = !err;
        if (err)
            snprintf(why, LAMP_IMPORTS_WHY, "no thread: %s", lamp_strerror(err));
    }
    if (err) {
        lamp_imports_stop(im);
        return err;
    }
    *out = im;
    return LAMP_OK;
}

lamp_imports *lamp_imports_stop(lamp_imports *im)
{
    if (!im)
        return NULL;
    pthread_mutex_lock(&im->lock);
    im->stopping = true;
    pthread_cond_signal(&im->wake);
    pthread_mutex_unlock(&im->lock);
    if (im->running)
        pthread_join(im->thread, NULL);
    while (im->entries) {
        struct entry *e = im->entries;
        im->entries = e->next;
        free_entry(e);
    }
    lamp_spool_close(im->spool);
    if (im->root >= 0)
        close(im->root);
    pthread_cond_destroy(&im->wake);
    pthread_mutex_destroy(&im->lock);
    free(im);
    return NULL;
}

/* ---- what the API asks ---- */

static int copy_parts(struct entry *e, const struct lamp_imports_file *files, size_t n)
{
    e->parts = calloc(n, sizeof(*e->parts));
    if (!e->parts)
        return LAMP_ENOMEM;
    e->n_parts = n;
    for (size_t i = 0; i < n; i++) {
        e->parts[i] = (struct part){ strdup(files[i].name), files[i].size };
        e->size += files[i].size;
        if (!e->parts[i].name)
            return LAMP_ENOMEM;
    }
    return LAMP_OK;
}

static int check_path(lamp_imports *im, const char *path, char why[LAMP_IMPORTS_WHY])
{
    struct lamp_beneath_list list;
    if (im->root < 0) {
        snprintf(why, LAMP_IMPORTS_WHY,
                 "No folder of this server is open to imports: imports.root in its configuration "
                 "names one.");
        return LAMP_EAUTH;
    }
    const int err = lamp_beneath_list(im->root, path, 1, &list);
    lamp_beneath_list_free(&list);
    if (err == LAMP_EAUTH)
        snprintf(why, LAMP_IMPORTS_WHY,
                 "The path leads out of the folder for imports, or over a symbolic link.");
    else if (err == LAMP_ENOENT)
        snprintf(why, LAMP_IMPORTS_WHY, "There is no such file in the folder for imports.");
    else if (err == LAMP_EFORMAT)
        snprintf(why, LAMP_IMPORTS_WHY, "This is neither a file nor a folder.");
    else if (err)
        snprintf(why, LAMP_IMPORTS_WHY, "The path cannot be read: %s.", lamp_strerror(err));
    return err < -999 || !err ? err : LAMP_EAUTH;
}

/* Whether there is room; under the lock. */
static int check_room(lamp_imports *im, const struct entry *e, char why[LAMP_IMPORTS_WHY])
{
    uint64_t held = 0, to_come = 0;
    unsigned n = 0;
    for (const struct entry *o = im->entries; o; o = o->next) {
        held += o->size;
        to_come += o->size - o->received;
        n++;
    }
    const uint64_t disk = lamp_spool_free(im->spool);
    if (n >= im->cfg.waiting)
        snprintf(why, LAMP_IMPORTS_WHY, "%u imports are under way, which is the most there may be.",
                 n);
    else if (e->size > im->cfg.import_bytes)
        snprintf(why, LAMP_IMPORTS_WHY,
                 "%" PRIu64 " bytes are more than an import may have, which is %" PRIu64
                 " (imports.size).",
                 e->size, im->cfg.import_bytes);
    else if (held + e->size > im->cfg.quota_bytes)
        snprintf(why, LAMP_IMPORTS_WHY,
                 "%" PRIu64 " bytes are under way and %" PRIu64
                 " more are wanted; together they may be %" PRIu64
                 " (imports.quota): wait for the others.",
                 held, e->size, im->cfg.quota_bytes);
    else if (e->size && disk < to_come + e->size + DISK_FLOOR)
        snprintf(why, LAMP_IMPORTS_WHY,
                 "The disk of the aggregator has no room for %" PRIu64 " bytes more.", e->size);
    else
        return LAMP_OK;
    return LAMP_EFULL;
}

int lamp_imports_reserve(lamp_imports *im, const char *path, const struct lamp_imports_file *files,
                         size_t n, uint64_t *out_ticket, char why[LAMP_IMPORTS_WHY])
{
    if (n > im->cfg.files) {
        snprintf(why, LAMP_IMPORTS_WHY, "An import may have %u files.", im->cfg.files);
        return LAMP_EFULL;
    }
    int err = n == 0 ? check_path(im, path, why) : LAMP_OK;
    if (err)
        return err;
    snprintf(why, LAMP_IMPORTS_WHY, "The aggregator has no memory.");
    struct entry *e = calloc(1, sizeof(*e));
    if (!e)
        return LAMP_ENOMEM;
    e->fd = -1;
    e->heard_us = lamp_clock_mono_us();
    e->path = n == 0 ? strdup(path) : NULL;
    err = n ? copy_parts(e, files, n) : e->path ? LAMP_OK : LAMP_ENOMEM;
    pthread_mutex_lock(&im->lock);
    if (!err)
        err = check_room(im, e, why);
    if (!err) {
        struct entry **last = &im->entries;
        while (*last)
            last = &(*last)->next;
        *last = e;
        *out_ticket = e->ticket = ++im->tickets;
    }
    pthread_mutex_unlock(&im->lock);
    if (err)
        free_entry(e);
    return err;
}

void lamp_imports_begin(lamp_imports *im, uint64_t ticket, int64_t id)
{
    pthread_mutex_lock(&im->lock);
    struct entry *e = by_ticket(im, ticket);
    if (e) {
        e->id = id;
        e->heard_us = lamp_clock_mono_us();
    }
    pthread_cond_signal(&im->wake);
    pthread_mutex_unlock(&im->lock);
}

void lamp_imports_drop(lamp_imports *im, uint64_t ticket)
{
    pthread_mutex_lock(&im->lock);
    struct entry *e = by_ticket(im, ticket);
    if (e)
        e->gone = true;
    pthread_cond_signal(&im->wake);
    pthread_mutex_unlock(&im->lock);
}

/* Writes a piece of the stream into the captures that it belongs to. The entry is busy. */
static int write_piece(lamp_imports *im, const struct entry *e, uint64_t offset, const char *data,
                       size_t len)
{
    uint64_t begin = 0; /* of the capture, in the stream */
    for (size_t i = 0; i < e->n_parts && len; i++) {
        const uint64_t end = begin + e->parts[i].size;
        if (offset < end) {
            const size_t n = (size_t)lamp_min(len, end - offset);
            const int err = lamp_spool_write(im->spool, e->ticket, i, offset - begin, data, n);
            if (err)
                return err;
            offset += n;
            data += n;
            len -= n;
        }
        begin = end;
    }
    return LAMP_OK;
}

int lamp_imports_put(lamp_imports *im, int64_t id, uint64_t offset, const void *data, size_t len,
                     uint64_t *out_received)
{
    pthread_mutex_lock(&im->lock);
    struct entry *e = by_id(im, id);
    int err = !e || e->path || e->received == e->size ? LAMP_ENOENT
              : e->busy                               ? LAMP_EAGAIN
              : offset != e->received                 ? LAMP_ERANGE
              : len > e->size - offset                ? LAMP_EFULL
                                                      : LAMP_OK;
    *out_received = e ? e->received : 0;
    if (!err)
        e->busy = true;
    pthread_mutex_unlock(&im->lock);
    if (err)
        return err;
    const int bad = write_piece(im, e, offset, data, len);
    pthread_mutex_lock(&im->lock);
    e->busy = false;
    e->heard_us = lamp_clock_mono_us();
    if (bad) {
        e->gone = true;
        snprintf(e->why, sizeof(e->why), "The aggregator cannot keep the upload: %s.",
                 lamp_strerror(bad));
    } else {
        e->received += len;
    }
    *out_received = e->received;
    pthread_cond_signal(&im->wake);
    pthread_mutex_unlock(&im->lock);
    return bad ? LAMP_EIO : LAMP_OK;
}

void lamp_imports_cancel(lamp_imports *im, int64_t id)
{
    pthread_mutex_lock(&im->lock);
    struct entry *e = by_id(im, id);
    if (e)
        e->gone = true;
    pthread_cond_signal(&im->wake);
    pthread_mutex_unlock(&im->lock);
}

int lamp_imports_progress(lamp_imports *im, int64_t id, struct lamp_imports_progress *out)
{
    pthread_mutex_lock(&im->lock);
    const struct entry *e = by_id(im, id);
    if (e) {
        const off_t at = e->fd >= 0 ? lseek(e->fd, 0, SEEK_CUR) : 0;
        *out = (struct lamp_imports_progress){ .received = e->received,
                                               .analysed = at > 0 ? (uint64_t)at : 0,
                                               .file_size = e->at_size,
                                               .file = e->at };
        for (const struct entry *o = im->entries; o && o != e; o = o->next)
            out->before += !o->gone && o->received == o->size;
    }
    pthread_mutex_unlock(&im->lock);
    return e ? LAMP_OK : LAMP_ENOENT;
}
