/* SPDX-License-Identifier: Apache-2.0 */
/* The calls about imported captures. */
#include "aggregator/api/impl.h"

#include "aggregator/api/json_imports.h"
#include "common/text.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    LIMIT = 100,
    LIMIT_MAX = 1000,
    CONNS = 200,
    CONNS_MAX = 200, /* an answer stays well below what may be sent */
};

struct list {
    lamp_api *api;
    struct lamp_json *j;
    uint32_t n;
    int64_t last;
};

static bool add_import(const struct lamp_import *i, void *arg)
{
    struct list *l = arg;
    struct lamp_imports_progress p;
    const bool live = l->api->cfg.imports && i->state <= LAMP_IMPORT_RUNNING &&
                      lamp_imports_progress(l->api->cfg.imports, i->id, &p) == LAMP_OK;
    lamp_api_json_import(l->j, i, live ? &p : NULL);
    l->n++;
    l->last = i->id;
    return true;
}

static bool add_file(const struct lamp_import_file *f, void *arg)
{
    lamp_api_json_import_file(((struct list *)arg)->j, f);
    return true;
}

static bool add_minute(const struct lamp_import_minute *m, void *arg)
{
    lamp_api_json_import_minute(((struct list *)arg)->j, m);
    return true;
}

static bool add_conn(const struct lamp_import_conn *c, void *arg)
{
    struct list *l = arg;
    lamp_api_json_import_conn(l->j, c);
    l->n++;
    l->last = c->id;
    return true;
}

void lamp_api_get_imports(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct list l = { .api = app, .j = &reply->json };
    struct lamp_api_page page = { .limit = LIMIT, .most = LIMIT_MAX };
    if (!lamp_api_page(req, reply, &page))
        return;
    const struct lamp_import_filter f = { .limit = page.limit, .after_id = page.after };
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    lamp_json_object(l.j, NULL);
    lamp_json_array(l.j, "imports");
    const int err = lamp_store_imports(s, &f, add_import, &l);
    lamp_api_end_page(l.j, &page, l.n, l.last);
    lamp_json_end(l.j);
    if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}

static void no_such(const struct lamp_request *req, struct lamp_reply *reply)
{
    lamp_reply_error(reply, 404, "not_found", NULL, "There is no import %" PRId64 ".", req->id);
}

void lamp_api_get_import(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct list l = { .api = app, .j = &reply->json };
    const struct lamp_import_filter f = { .id = req->id };
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    lamp_json_object(l.j, NULL);
    lamp_json_array(l.j, "imports");
    int err = lamp_store_imports(s, &f, add_import, &l);
    lamp_json_end(l.j);
    lamp_json_array(l.j, "files");
    if (!err)
        err = lamp_store_import_files(s, req->id, add_file, &l);
    lamp_json_end(l.j);
    lamp_json_array(l.j, "minutes");
    if (!err)
        err = lamp_store_import_minutes(s, req->id, add_minute, &l);
    lamp_json_end(l.j);
    lamp_json_end(l.j);
    if (err)
        lamp_api_store_failed(s, reply);
    else if (l.n == 0)
        no_such(req, reply);
    lamp_api_reader_done(app, s);
}

void lamp_api_get_import_conns(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct list l = { .j = &reply->json };
    struct lamp_import_conn_filter f = { .import_id = req->id };
    const char *verdict = lamp_request_query(req, "verdict");
    struct lamp_api_page page = { .limit = CONNS, .most = CONNS_MAX };
    if (!lamp_api_page(req, reply, &page))
        return;
    if (verdict && lamp_verdict_parse(verdict, &f.least) != LAMP_OK) {
        lamp_api_bad(reply, "verdict", "wallet, suspected, probable or confirmed");
        return;
    }
    f.limit = page.limit;
    f.after_id = page.after;
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    lamp_json_object(l.j, NULL);
    lamp_json_array(l.j, "connections");
    const int err = lamp_store_import_conns(s, &f, add_conn, &l);
    lamp_api_end_page(l.j, &page, l.n, l.last);
    lamp_json_end(l.j);
    if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}

/* ---- changing ---- */

/* The files of an upload, borrowed from the body; NULL: none are named, or what is wrong was said. */
static struct lamp_imports_file *read_files(struct lamp_body *b, size_t *out_n)
{
    const json_t *array = json_object_get(b->object, "files"), *f;
    struct lamp_imports_file *files = NULL;
    size_t i;
    if (!array || json_is_null(array))
        return NULL;
    const size_t n = json_array_size(array);
    if (n == 0 || n > LAMP_IMPORT_FILES_MAX || !(files = calloc(n, sizeof(*files)))) {
        lamp_body_fail(b, "files", "This must be an array of 1 to 1000 files.");
        return NULL;
    }
    json_array_foreach(array, i, f)
    {
        const char *name = json_string_value(json_object_get(f, "name"));
        const json_int_t size = json_integer_value(json_object_get(f, "size"));
        const bool fits = name && *name && strlen(name) < LAMP_IMPORT_NAME && size >= 0 &&
                          size <= INT64_MAX / LAMP_IMPORT_FILES_MAX &&
                          json_is_integer(json_object_get(f, "size")) && json_object_size(f) == 2;
        if (!fits && !b->failed)
            lamp_body_fail(b, "files",
                           "Each must be an object of name (up to 256 bytes) and size.");
        files[i] = (struct lamp_imports_file){ name, fits ? (uint64_t)size : 0 };
    }
    *out_n = n;
    return files;
}

static void refuse(int err, const char *why, struct lamp_reply *reply)
{
    if (err == LAMP_ENOENT)
        lamp_reply_error(reply, 404, "not_found", "path", "%s", why);
    else if (err == LAMP_EAUTH)
        lamp_reply_error(reply, 403, "forbidden", "path", "%s", why);
    else if (err == LAMP_EFORMAT)
        lamp_reply_error(reply, 400, "invalid", "path", "%s", why);
    else if (err == LAMP_EFULL)
        lamp_reply_error(reply, 409, "conflict", NULL, "%s", why);
    else
        lamp_reply_error(reply, 503, "unavailable", NULL, "%s", why);
}

static void answer_import(lamp_api *api, const struct lamp_request *req, int64_t id,
                          struct lamp_reply *reply)
{
    struct list l = { .api = api, .j = &reply->json };
    lamp_store *s = lamp_api_reader(api, req->who.scope);
    if (lamp_store_imports(s, &(struct lamp_import_filter){ .id = id }, add_import, &l) != LAMP_OK)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(api, s);
}

static void name_import(struct lamp_import *i, const char *name, const char *path,
                        const struct lamp_imports_file *files, size_t n)
{
    if (name)
        snprintf(i->name, sizeof(i->name), "%s", name);
    else if (path)
        snprintf(i->name, sizeof(i->name), "%s", path);
    else if (n == 1)
        snprintf(i->name, sizeof(i->name), "%s", files[0].name);
    else
        snprintf(i->name, sizeof(i->name), "%.200s and %zu more", files[0].name, n - 1);
}

/* Room first, then the store, then the room is known by the store's number. */
static void start_import(lamp_api *api, const struct lamp_request *req, struct lamp_command *cmd,
                         const char *path, const struct lamp_imports_file *files, size_t n,
                         struct lamp_reply *reply)
{
    char why[LAMP_IMPORTS_WHY] = "";
    struct lamp_command_result result;
    uint64_t ticket;
    if (path && *req->who.scope) {
        lamp_reply_error(reply, 403, "forbidden", "path",
                         "Files on the server are of no site: upload yours.");
        return;
    }
    const int err = lamp_imports_reserve(api->cfg.imports, path, files, n, &ticket, why);
    if (err) {
        refuse(err, why, reply);
        return;
    }
    for (size_t i = 0; i < n; i++)
        cmd->import.size += files[i].size;
    cmd->import.files = n;
    cmd->import.from_server = path != NULL;
    cmd->import.state = path ? LAMP_IMPORT_WAITING : LAMP_IMPORT_UPLOADING;
    if (!lamp_api_run(api, req, cmd, reply, &result)) {
        lamp_imports_drop(api->cfg.imports, ticket);
        return;
    }
    lamp_imports_begin(api->cfg.imports, ticket, result.key_id);
    reply->status = 201;
    answer_import(api, req, result.key_id, reply);
}

static bool takes_imports(const lamp_api *api, struct lamp_reply *reply)
{
    if (!api->cfg.imports)
        lamp_reply_error(reply, 503, "unavailable", NULL, "This aggregator takes no captures.");
    return api->cfg.imports != NULL;
}

void lamp_api_add_import(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    static const char *const names[] = { "name", "site", "path", "files" };
    struct lamp_command cmd = lamp_api_command(req, LAMP_CMD_IMPORT);
    struct lamp_body b = { req->body, reply, false };
    size_t n = 0;
    lamp_body_known(&b, names, ARRAY_LEN(names));
    const char *name = lamp_body_str(&b, "name", LAMP_IMPORT_NAME - 1, false);
    const char *site = lamp_body_str(&b, "site", sizeof(cmd.import.site) - 1, false);
    const char *path = lamp_body_str(&b, "path", LAMP_IMPORT_NAME - 1, false);
    struct lamp_imports_file *files = b.failed ? NULL : read_files(&b, &n);
    if (!b.failed && !path == !files)
        lamp_body_fail(&b, "files", "Name either files to upload or a path on the server.");
    if (!b.failed && takes_imports(app, reply)) {
        cmd.import_change = LAMP_IMPORT_ADD;
        snprintf(cmd.import.site, sizeof(cmd.import.site), "%s", site ? site : "");
        name_import(&cmd.import, name, path, files, n);
        start_import(app, req, &cmd, path, files, n, reply);
    }
    free(files);
}

/* What came of a piece, with how much there is now, from which to go on. */
static void answer_piece(int err, uint64_t received, struct lamp_reply *reply)
{
    if (!err) {
        lamp_json_object(&reply->json, NULL);
        lamp_json_uint(&reply->json, "received", received);
        lamp_json_end(&reply->json);
    } else if (err == LAMP_ERANGE) {
        lamp_reply_error(reply, 409, "conflict", "offset",
                         "%" PRIu64 " bytes are here: go on from there.", received);
    } else if (err == LAMP_EFULL) {
        lamp_reply_error(reply, 400, "invalid", "offset", "This is more than was announced.");
    } else if (err == LAMP_EAGAIN) {
        reply->retry_after_s = 1;
        lamp_reply_error(reply, 409, "conflict", NULL, "Another piece is being written.");
    } else if (err == LAMP_EIO) {
        lamp_reply_error(reply, 500, "internal", NULL, "The aggregator cannot keep the upload.");
    } else {
        lamp_reply_error(reply, 404, "not_found", NULL, "There is no upload of that number.");
    }
}

void lamp_api_put_import(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    lamp_api *api = app;
    struct lamp_command cmd = lamp_api_command(req, LAMP_CMD_IMPORT);
    int64_t offset = 0;
    uint64_t received = 0;
    cmd.import_change = LAMP_IMPORT_FOUND;
    cmd.import.id = req->id;
    if (!lamp_api_int(req, reply, "offset", 0, INT64_MAX, &offset) || !takes_imports(api, reply))
        return;
    if (lamp_api_in_scope(api, req, &cmd) != LAMP_OK) {
        no_such(req, reply);
        return;
    }
    const int err = lamp_imports_put(api->cfg.imports, req->id, (uint64_t)offset, req->piece.data,
                                     req->piece.len, &received);
    answer_piece(err, received, reply);
}

/* The store first, then what is under way. */
static bool end_import(lamp_api *api, const struct lamp_request *req,
                       enum lamp_import_change change, struct lamp_reply *reply)
{
    struct lamp_command cmd = lamp_api_command(req, LAMP_CMD_IMPORT);
    struct lamp_command_result result;
    cmd.import_change = change;
    cmd.import.id = req->id;
    if (!lamp_api_run(api, req, &cmd, reply, &result))
        return false;
    if (api->cfg.imports)
        lamp_imports_cancel(api->cfg.imports, req->id);
    return true;
}

void lamp_api_cancel_import(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    if (end_import(app, req, LAMP_IMPORT_CANCEL, reply))
        answer_import(app, req, req->id, reply);
}

void lamp_api_delete_import(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    if (end_import(app, req, LAMP_IMPORT_DELETE, reply))
        reply->status = 204;
}
