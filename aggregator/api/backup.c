/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/api/backup.h"

#include "aggregator/api/impl.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <sys/stat.h>

struct lamp_backup {
    const char *backend, *database;
    char file[LAMP_STORE_PATH], making[LAMP_STORE_PATH];
    pthread_mutex_t lock;
    pthread_t thread;
    bool started; /* the thread is to be joined */
    bool running, failed, ending;
    uint64_t done_bytes, all_bytes, at_us;
    char why[LAMP_STORE_WHY];
};

int lamp_backup_new(const char *backend, const char *database, lamp_backup **out)
{
    lamp_backup *b = calloc(1, sizeof(*b));
    if (!b)
        return LAMP_ENOMEM;
    b->backend = backend;
    b->database = database;
    snprintf(b->file, sizeof(b->file), "%.4000s.backup", database);
    snprintf(b->making, sizeof(b->making), "%.4000s.backup-new", database);
    pthread_mutex_init(&b->lock, NULL);
    *out = b;
    return LAMP_OK;
}

lamp_backup *lamp_backup_free(lamp_backup *b)
{
    if (!b)
        return NULL;
    pthread_mutex_lock(&b->lock);
    b->ending = true;
    pthread_mutex_unlock(&b->lock);
    if (b->started)
        pthread_join(b->thread, NULL);
    pthread_mutex_destroy(&b->lock);
    free(b);
    return NULL;
}

static bool going(uint64_t done_bytes, uint64_t all_bytes, void *arg)
{
    lamp_backup *b = arg;
    pthread_mutex_lock(&b->lock);
    b->done_bytes = done_bytes;
    b->all_bytes = all_bytes;
    const bool on = !b->ending;
    pthread_mutex_unlock(&b->lock);
    return on;
}

static void *make(void *arg)
{
    lamp_backup *b = arg;
    char why[LAMP_STORE_WHY] = "";
    (void)unlink(b->making); /* of a process that was killed */
    int err = lamp_store_backup(b->backend, b->database, b->making, going, b, why);
    if (!err && rename(b->making, b->file) != 0) {
        err = -errno;
        snprintf(why, sizeof(why), "%.300s: %s", b->file, lamp_strerror(err));
    }
    pthread_mutex_lock(&b->lock);
    b->running = false;
    b->failed = err != LAMP_OK;
    snprintf(b->why, sizeof(b->why), "%s", err && !*why ? lamp_strerror(err) : why);
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

int lamp_backup_start(lamp_backup *b, uint64_t now_us)
{
    int err = LAMP_OK;
    pthread_mutex_lock(&b->lock);
    if (b->running) {
        err = LAMP_EAGAIN;
    } else {
        if (b->started)
            pthread_join(b->thread, NULL); /* at its end, if not over */
        b->started = b->running = b->failed = b->ending = false;
        b->done_bytes = b->all_bytes = 0;
        b->at_us = now_us;
        if (pthread_create(&b->thread, NULL, make, b) == 0)
            b->started = b->running = true;
        else
            err = LAMP_EIO;
    }
    pthread_mutex_unlock(&b->lock);
    return err;
}

void lamp_backup_look(lamp_backup *b, struct lamp_backup_view *out)
{
    struct stat st;
    *out = (struct lamp_backup_view){ .state = LAMP_BACKUP_NONE };
    pthread_mutex_lock(&b->lock);
    if (b->running || b->failed) {
        out->state = b->running ? LAMP_BACKUP_RUNNING : LAMP_BACKUP_FAILED;
        out->done_bytes = b->done_bytes;
        out->all_bytes = b->all_bytes;
        out->at_us = b->at_us;
        memcpy(out->why, b->why, sizeof(out->why));
    } else if (stat(b->file, &st) == 0) {
        out->state = LAMP_BACKUP_DONE;
        out->done_bytes = out->all_bytes = (uint64_t)st.st_size;
        out->at_us = b->at_us ? b->at_us : (uint64_t)st.st_mtime * 1000000;
    }
    pthread_mutex_unlock(&b->lock);
}

void lamp_backup_drop(lamp_backup *b)
{
    pthread_mutex_lock(&b->lock);
    b->ending = b->running;
    b->failed = false;
    if (!b->running)
        (void)unlink(b->file);
    pthread_mutex_unlock(&b->lock);
}

int lamp_backup_open(lamp_backup *b, int *out_fd, uint64_t *out_bytes)
{
    struct stat st;
    const int fd = open(b->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? LAMP_ENOENT : LAMP_EIO;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return LAMP_EIO;
    }
    *out_fd = fd;
    *out_bytes = (uint64_t)st.st_size;
    return LAMP_OK;
}

/* ---- routes ---- */

/* What a move to another machine takes besides: the keys, by which sensors know the aggregator. */
static const char *const other_files[] = { "server.key", "list.key" };

void lamp_api_json_backup(struct lamp_json *j, const struct lamp_backup_view *v, const char *file)
{
    static const char *const names[] = { "none", "running", "done", "failed" };
    lamp_json_object(j, NULL);
    lamp_json_str(j, "state", names[v->state]);
    lamp_json_uint(j, "bytes_done", v->done_bytes);
    lamp_json_uint(j, "bytes", v->all_bytes);
    lamp_json_time(j, "at", v->at_us);
    if (v->state == LAMP_BACKUP_DONE)
        lamp_json_str(j, "file", file);
    else
        lamp_json_null(j, "file");
    if (v->state == LAMP_BACKUP_FAILED)
        lamp_json_str(j, "error", v->why);
    else
        lamp_json_null(j, "error");
    lamp_json_array(j, "other_files");
    for (size_t i = 0; i < ARRAY_LEN(other_files); i++)
        lamp_json_str(j, NULL, other_files[i]);
    lamp_json_end(j);
    lamp_json_end(j);
}

static void answer(const lamp_api *api, struct lamp_reply *reply)
{
    struct lamp_backup_view v;
    lamp_backup_look(api->backup, &v);
    lamp_api_json_backup(&reply->json, &v, api->backup->file);
}

/* Writes down who did it: a copy has the hashes of all passwords in it. */
static bool note(lamp_api *api, const struct lamp_request *req, const char *action,
                 struct lamp_reply *reply)
{
    struct lamp_command_result r;
    struct lamp_command c = lamp_api_command(req, LAMP_CMD_NOTE);
    snprintf(c.name, sizeof(c.name), "%s", action);
    snprintf(c.reason, sizeof(c.reason), "database");
    return lamp_api_run(api, req, &c, reply, &r);
}

void lamp_api_get_backup(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    (void)req;
    answer(app, reply);
}

void lamp_api_make_backup(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    lamp_api *api = app;
    if (!note(api, req, "backup.make", reply))
        return;
    const int err = lamp_backup_start(api->backup, req->now_us);
    if (err == LAMP_EAGAIN) {
        lamp_reply_error(reply, 409, "conflict", NULL, "A backup is being made.");
    } else if (err) {
        lamp_reply_error(reply, 500, "internal", NULL, "There is no thread for it.");
    } else {
        reply->status = 202;
        answer(api, reply);
    }
}

void lamp_api_delete_backup(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    lamp_api *api = app;
    if (!note(api, req, "backup.delete", reply))
        return;
    lamp_backup_drop(api->backup);
    reply->status = 204;
}

void lamp_api_read_backup(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    lamp_api *api = app;
    int fd;
    uint64_t bytes;
    const int err = lamp_backup_open(api->backup, &fd, &bytes);
    if (err == LAMP_ENOENT) {
        lamp_reply_error(reply, 404, "not_found", NULL, "There is no backup: make one first.");
    } else if (err) {
        lamp_reply_error(reply, 500, "internal", NULL, "The backup cannot be read.");
    } else if (!note(api, req, "backup.read", reply)) {
        close(fd);
    } else {
        reply->stream = MHD_create_response_from_fd64(bytes, fd);
        if (!reply->stream) {
            close(fd);
            lamp_reply_error(reply, 503, "unavailable", NULL, "Out of memory: try again.");
        } else if (MHD_add_response_header(reply->stream, "Content-Type",
                                           "application/vnd.sqlite3") != MHD_YES) {
            MHD_destroy_response(reply->stream);
            reply->stream = NULL;
            lamp_reply_error(reply, 503, "unavailable", NULL, "Out of memory: try again.");
        }
    }
}
