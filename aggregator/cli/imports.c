/* SPDX-License-Identifier: Apache-2.0 */
/* The commands about imported captures. */
#include "aggregator/cli/cli.h"

#include "aggregator/cli/table.h"
#include "common/text.h"

#include <errno.h>
#include <fts.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>

enum {
    PIECE = 1 << 20,
    FILES_MAX = 1000,
    NAME_MAX_BYTES = 256,
    AGAIN_MS = 300,
    TRIES = 20, /* of a piece, where the aggregator has no room for it just now */
};

struct upload {
    char **paths;
    uint64_t *sizes;
    size_t n;
    uint64_t size;
};

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int add_path(struct upload *u, const FTSENT *e)
{
    if (u->n == FILES_MAX) {
        fprintf(stderr, "davylamp: more than %d files: import a part of the folder at a time\n",
                FILES_MAX);
        return LAMP_EFULL;
    }
    u->paths[u->n] = strdup(e->fts_path);
    u->sizes[u->n] = (uint64_t)e->fts_statp->st_size;
    u->size += u->sizes[u->n];
    return u->paths[u->n++] ? LAMP_OK : LAMP_ENOMEM;
}

/* The regular files that are named, and those below the folders that are. Says what is wrong. */
static int find_files(struct upload *u, char *const *args)
{
    FTS *fts = fts_open(args, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
    int err = fts ? LAMP_OK : LAMP_ENOMEM;
    for (FTSENT *e; !err && (e = fts_read(fts)) != NULL;) {
        if (e->fts_info == FTS_F)
            err = add_path(u, e);
        else if (e->fts_info == FTS_ERR || e->fts_info == FTS_NS || e->fts_info == FTS_DNR) {
            fprintf(stderr, "davylamp: %s: %s\n", e->fts_path, lamp_strerror(-e->fts_errno));
            err = LAMP_EIO;
        }
    }
    if (fts)
        fts_close(fts);
    if (!err && u->n == 0) {
        fprintf(stderr, "davylamp: %s: there is no file in it\n", args[0]);
        err = LAMP_ENOENT;
    }
    return err;
}

/* The end of a path, if it is too long. */
static const char *name_of(const char *path)
{
    const size_t n = strlen(path);
    return n > NAME_MAX_BYTES ? path + n - NAME_MAX_BYTES : path;
}

static json_t *announce(const struct upload *u, const struct options *o, const char *name)
{
    json_t *body = json_pack("{s:s?, s:s?, s:[]}", "name", name, "site", o->site, "files");
    json_t *files = json_object_get(body, "files");
    for (size_t i = 0; i < u->n && body; i++) {
        json_t *f =
            json_pack("{s:s, s:I}", "name", name_of(u->paths[i]), "size", (json_int_t)u->sizes[i]);
        if (!f || json_array_append_new(files, f) != 0) {
            fprintf(stderr, "davylamp: %s: the name is not UTF-8\n", u->paths[i]);
            json_decref(body);
            body = NULL;
        }
    }
    return body;
}

/* A line that the next one takes the place of. */
static void show_progress(const char *what, uint64_t done, uint64_t all)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K%s %" PRIu64 " of %" PRIu64 "%s", what, done, all,
                done == all ? "\r\033[K" : "");
}

static int send_piece(lamp_client *c, int64_t id, uint64_t offset, const char *data, size_t len)
{
    char path[96];
    json_t *answer = NULL;
    snprintf(path, sizeof(path), "/imports/%" PRId64 "/data?offset=%" PRIu64, id, offset);
    int err = LAMP_EAGAIN;
    for (int i = 0; i < TRIES && err == LAMP_EAGAIN; i++) {
        if (i)
            (void)poll(NULL, 0, AGAIN_MS);
        err = lamp_client_put(c, path, data, len, &answer);
    }
    json_decref(answer);
    return err;
}

/* Sends one file as a part of the stream. It may have changed since: what was announced counts. */
static int send_file(lamp_client *c, int64_t id, const struct upload *u, size_t i,
                     uint64_t *io_offset)
{
    uint64_t left = u->sizes[i];
    int err = LAMP_OK;
    char *buf = malloc(PIECE);
    FILE *f = fopen(u->paths[i], "rbe");
    if (!f || !buf) {
        fprintf(stderr, "davylamp: %s: %s\n", u->paths[i], lamp_strerror(-errno));
        err = LAMP_EIO;
    }
    while (!err && left) {
        const size_t n = fread(buf, 1, (size_t)lamp_min((uint64_t)PIECE, left), f);
        if (n == 0) {
            fprintf(stderr, "davylamp: %s: it has become shorter\n", u->paths[i]);
            err = LAMP_ETRUNC;
        } else {
            err = send_piece(c, id, *io_offset, buf, n);
        }
        left -= n;
        *io_offset += n;
        show_progress("sent", *io_offset, u->size);
    }
    if (f)
        fclose(f);
    free(buf);
    return err;
}

static bool is_over(const json_t *import)
{
    const char *state = json_string_value(json_object_get(import, "state"));
    return state && !streq(state, "uploading") && !streq(state, "waiting") &&
           !streq(state, "running");
}

/* Waits until an import is over. Its answer, to be freed; NULL: said why not. */
static json_t *await(lamp_client *c, int64_t id)
{
    char path[64];
    snprintf(path, sizeof(path), "/imports/%" PRId64, id);
    for (;;) {
        json_t *answer = NULL;
        if (lamp_client_call(c, "GET", path, NULL, &answer) != LAMP_OK)
            return NULL;
        const json_t *i = json_array_get(json_object_get(answer, "imports"), 0);
        if (is_over(i))
            return answer;
        const uint64_t all = (uint64_t)json_integer_value(json_object_get(i, "files"));
        const uint64_t done = (uint64_t)json_integer_value(json_object_get(i, "files_done"));
        if (all > done)
            show_progress("analysed", done, all);
        json_decref(answer);
        (void)poll(NULL, 0, AGAIN_MS);
    }
}

/* A text of any length. */
static void print_long(const char *before, const json_t *o, const char *key)
{
    char text[1024];
    const char *s = json_string_value(json_object_get(o, key));
    if (s)
        printf("%s%s\n", before, lamp_text_safe((const uint8_t *)s, strlen(s), text, sizeof(text)));
}

static void show_import(const json_t *answer)
{
    char name[LAMP_CELL], state[LAMP_CELL];
    size_t i;
    json_t *f;
    const json_t *v = json_array_get(json_object_get(answer, "imports"), 0);
    printf("import %" PRId64 " of %s: %s, %" PRId64 " files, %" PRId64 " packets\n",
           lamp_number(v, "id"), lamp_cell_text(v, "name", 0, name),
           lamp_cell_text(v, "state", 0, state), lamp_number(v, "files"),
           lamp_number(v, "packets"));
    print_long("", v, "answer");
    print_long("", v, "error");
    json_array_foreach(json_object_get(answer, "files"), i, f)
    {
        char before[LAMP_CELL + 8];
        snprintf(before, sizeof(before), "  %s: ", lamp_cell_text(f, "name", 0, name));
        print_long(before, f, "error");
    }
}

static int show_end(lamp_client *c, const struct options *o, int64_t id)
{
    json_t *answer = await(c, id);
    if (!answer)
        return EXIT_FAILED;
    show_progress("", 1, 1);
    const json_t *i = json_array_get(json_object_get(answer, "imports"), 0);
    const char *state = json_string_value(json_object_get(i, "state"));
    const bool done = state && streq(state, "done");
    if (o->json)
        lamp_cli_print(i);
    else
        show_import(answer);
    json_decref(answer);
    return done ? EXIT_GOOD : EXIT_FAILED;
}

/* Begins an import; its number, 0: said why not. Takes body. */
static int64_t begin(lamp_client *c, json_t *body)
{
    json_t *answer = NULL;
    if (!body || lamp_client_call(c, "POST", "/imports", body, &answer) != LAMP_OK) {
        json_decref(body);
        return 0;
    }
    const int64_t id = json_integer_value(json_object_get(answer, "id"));
    json_decref(body);
    json_decref(answer);
    return id;
}

static int upload(lamp_client *c, const struct options *o, const struct upload *u, const char *name)
{
    uint64_t offset = 0;
    const int64_t id = begin(c, announce(u, o, name));
    int err = id ? LAMP_OK : LAMP_EPROTO;
    for (size_t i = 0; i < u->n && !err; i++)
        err = send_file(c, id, u, i, &offset);
    if (id && err) { /* leave nothing half done */
        char path[64];
        json_t *answer = NULL;
        snprintf(path, sizeof(path), "/imports/%" PRId64, id);
        (void)!lamp_client_call(c, "DELETE", path, NULL, &answer);
        json_decref(answer);
    }
    return err ? EXIT_FAILED : show_end(c, o, id);
}

int lamp_cli_import(lamp_client *c, const struct options *o, char **args, int n)
{
    if (!o->server == !n)
        return lamp_cli_usage("'import' takes FILE or FOLDER, or --server PATH");
    if (o->server) {
        const int64_t id = begin(c, json_pack("{s:s, s:s?}", "path", o->server, "site", o->site));
        return id ? show_end(c, o, id) : EXIT_FAILED;
    }
    struct upload u = { .paths = calloc(FILES_MAX, sizeof(*u.paths)),
                        .sizes = calloc(FILES_MAX, sizeof(*u.sizes)) };
    int result = EXIT_FAILED;
    if (u.paths && u.sizes && find_files(&u, args) == LAMP_OK)
        result = upload(c, o, &u, n == 1 ? name_of(args[0]) : NULL);
    for (size_t i = 0; i < u.n; i++)
        free(u.paths[i]);
    free(u.paths);
    free(u.sizes);
    return result;
}

/* By name where it is known. */
static const char *server(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    return lamp_cell_text(row, json_is_string(lamp_at(row, path)) ? path : "connection.server.ip",
                          now, buf);
}

static const struct lamp_column connection_columns[] = {
    { "HOST", "connection.client.ip", lamp_cell_text },
    { "SERVER", "connection.server.name", server },
    { "PORT", "connection.server.port", lamp_cell_number },
    { "VERDICT", "connection.verdict", lamp_cell_text },
    { "FAMILY", "connection.family", lamp_cell_text },
    { "COIN", "connection.coin", lamp_cell_text },
    { "WALLET", "connection.wallet", lamp_cell_text },
    { "WORKER", "connection.worker", lamp_cell_text },
    { "HASHRATE", "connection.hashrate", lamp_cell_rate },
    { NULL, NULL, NULL },
};

static void show_connections(const json_t *answer)
{
    lamp_table_print(json_object_get(answer, "connections"), connection_columns, 0);
    if (json_is_integer(json_object_get(answer, "next")))
        puts("and more: --json and the API have all");
}

static int show_one(lamp_client *c, const struct options *o, int64_t id)
{
    char path[80];
    json_t *answer = NULL, *conns = NULL;
    snprintf(path, sizeof(path), "/imports/%" PRId64, id);
    if (lamp_client_call(c, "GET", path, NULL, &answer) != LAMP_OK)
        return EXIT_FAILED;
    snprintf(path, sizeof(path), "/imports/%" PRId64 "/connections?verdict=suspected", id);
    const int err = lamp_client_call(c, "GET", path, NULL, &conns);
    if (!err && o->json) {
        lamp_cli_print(answer);
        lamp_cli_print_lines(json_object_get(conns, "connections"));
    } else if (!err) {
        show_import(answer);
        show_connections(conns);
    }
    json_decref(answer);
    json_decref(conns);
    return err ? EXIT_FAILED : EXIT_GOOD;
}

static const char *progress(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    (void)now;
    snprintf(buf, LAMP_CELL, "%" PRId64 "/%" PRId64, lamp_number(row, "files_done"),
             lamp_number(row, path));
    return buf;
}

static const struct lamp_column import_columns[] = {
    { "ID", "id", lamp_cell_number },
    { "NAME", "name", lamp_cell_text },
    { "SITE", "site", lamp_cell_text },
    { "STATE", "state", lamp_cell_text },
    { "FILES", "files", progress },
    { "BYTES", "bytes", lamp_cell_bytes },
    { "CONNECTIONS", "connections", lamp_cell_number },
    { "CONFIRMED", "verdicts.confirmed", lamp_cell_number },
    { "AGE", "created", lamp_cell_age },
    { NULL, NULL, NULL },
};

int lamp_cli_imports(lamp_client *c, const struct options *o, char **args, int n)
{
    char path[64];
    int64_t id;
    if (n == 0)
        return lamp_cli_list(c, o, "/imports", "imports", import_columns);
    if (n == 1 && lamp_text_int(args[0], 1, INT64_MAX, &id) == LAMP_OK)
        return show_one(c, o, id);
    const bool cancel = streq(args[0], "cancel");
    if (n != 2 || (!cancel && !streq(args[0], "delete")) ||
        lamp_text_int(args[1], 1, INT64_MAX, &id) != LAMP_OK)
        return lamp_cli_usage("'imports' takes: ID, cancel ID, delete ID");
    snprintf(path, sizeof(path), "/imports/%" PRId64 "%s", id, cancel ? "/cancel" : "");
    return lamp_cli_say(o, lamp_cli_call(c, o, cancel ? "POST" : "DELETE", path, NULL),
                        "import %" PRId64 " is %s", id, cancel ? "cancelled" : "deleted");
}
