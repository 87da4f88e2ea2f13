/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/http/static.h"

#include "common/io.h"
#include "common/text.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>

enum {
    TOTAL_MAX = 64 * 1024 * 1024,
    DEPTH_MAX = 8,
    PATH_LEN = 256,
    ETAG_BYTES = 12,
};

struct entry {
    struct lamp_static_file file;
    char path[PATH_LEN]; /* of the file itself, without ".gz" or ".br" */
    char etag[2 * ETAG_BYTES + 3];
    char *data; /* owned; NULL for the page that is built in */
};

struct lamp_static {
    struct entry *entries; /* LAMP_STATIC_FILES_MAX places */
    size_t n, total;
    bool built;
};

static const char not_built[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width\"><title>Davylamp</title></head>\n"
    "<body><h1>Davylamp</h1>\n<p>The aggregator runs, but the dashboard is not there.</p>\n"
    "<p>Build it with <code>cmake --preset release &amp;&amp; cmake --build --preset "
    "release</code> "
    "(needs npm), or point the aggregator's dashboard folder at a built one, "
    "and restart the aggregator.</p>\n"
    "<p>The API is at <code>/api/v1</code>, and the command line program is "
    "<code>davylamp</code>.</p></body></html>\n";

static const struct {
    const char *ending, *type;
} types[] = {
    { ".html", "text/html; charset=utf-8" },
    { ".js", "text/javascript; charset=utf-8" },
    { ".mjs", "text/javascript; charset=utf-8" },
    { ".css", "text/css; charset=utf-8" },
    { ".json", "application/json" },
    { ".webmanifest", "application/manifest+json" },
    { ".svg", "image/svg+xml" },
    { ".png", "image/png" },
    { ".ico", "image/x-icon" },
    { ".woff2", "font/woff2" },
    { ".txt", "text/plain; charset=utf-8" },
    { ".wasm", "application/wasm" },
};

static bool ends_with(const char *s, const char *ending)
{
    const size_t n = strlen(s), m = strlen(ending);
    return n >= m && streq(s + n - m, ending);
}

static const char *type_of(const char *path)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (ends_with(path, types[i].ending))
            return types[i].type;
    return "application/octet-stream";
}

static void set_etag(struct entry *e)
{
    uint8_t digest[crypto_generichash_BYTES_MIN];
    char hex[2 * ETAG_BYTES + 1];
    crypto_generichash(digest, sizeof(digest), e->file.data, e->file.len, NULL, 0);
    snprintf(e->etag, sizeof(e->etag), "\"%s\"", lamp_hex_encode(digest, ETAG_BYTES, hex));
    e->file.etag = e->etag;
}

/* Adds a file whose URL path (with a compression ending, maybe) is given. */
static int add_file(lamp_static *s, const char *disk_path, const char *path)
{
    if (s->n == LAMP_STATIC_FILES_MAX)
        return LAMP_EFULL;
    struct entry *e = &s->entries[s->n];
    size_t len;
    const int err = lamp_io_read_file(disk_path, TOTAL_MAX - s->total, &e->data, &len);
    if (err)
        return err;
    s->n++;
    s->total += len;

    const char *encoding = ends_with(path, ".gz") ? "gzip" : ends_with(path, ".br") ? "br" : NULL;
    snprintf(e->path, sizeof(e->path), "%.*s", (int)(strlen(path) - (encoding ? 3 : 0)), path);
    e->file = (struct lamp_static_file){
        .path = e->path,
        .type = type_of(e->path),
        .encoding = encoding,
        .immutable = strncmp(e->path, "/assets/", 8) == 0,
        .data = e->data,
        .len = len,
    };
    set_etag(e);
    return LAMP_OK;
}

static int scan(lamp_static *s, const char *folder, const char *path, int depth)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return -errno;
    int err = depth > DEPTH_MAX ? LAMP_EFULL : LAMP_OK;
    const struct dirent *d;
    while (!err && (d = readdir(dir))) {
        char disk_path[PATH_MAX], url_path[PATH_LEN];
        struct stat st;
        if (d->d_name[0] == '.')
            continue;
        const int n = snprintf(disk_path, sizeof(disk_path), "%s/%s", folder, d->d_name);
        const int m = snprintf(url_path, sizeof(url_path), "%s/%s", path, d->d_name);
        if (n < 0 || (size_t)n >= sizeof(disk_path) || m < 0 || (size_t)m >= sizeof(url_path))
            err = LAMP_EFULL;
        else if (lstat(disk_path, &st) != 0)
            err = -errno;
        else if (S_ISDIR(st.st_mode))
            err = scan(s, disk_path, url_path, depth + 1);
        else if (S_ISREG(st.st_mode))
            err = add_file(s, disk_path, url_path);
    }
    closedir(dir);
    return err;
}

/* The place of an encoding of a path, or NULL. */
static const struct lamp_static_file *find_exact(const lamp_static *s, const char *path,
                                                 const char *encoding)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct lamp_static_file *f = &s->entries[i].file;
        const bool same =
            encoding && f->encoding ? streq(encoding, f->encoding) : encoding == f->encoding;
        if (same && streq(f->path, path))
            return f;
    }
    return NULL;
}

static void use_built_in_page(lamp_static *s)
{
    struct entry *e = &s->entries[0];
    for (size_t i = 0; i < s->n; i++)
        free(s->entries[i].data);
    memset(s->entries, 0, LAMP_STATIC_FILES_MAX * sizeof(*s->entries));
    snprintf(e->path, sizeof(e->path), "/index.html");
    e->file = (struct lamp_static_file){
        .path = e->path, .type = type_of(e->path), .data = not_built, .len = sizeof(not_built) - 1
    };
    set_etag(e);
    s->n = 1;
}

int lamp_static_load(const char *folder, lamp_static **out)
{
    assert(folder && out);
    int err = sodium_init() < 0 ? LAMP_EIO : LAMP_OK;
    lamp_static *s = calloc(1, sizeof(*s));
    if (!s)
        return LAMP_ENOMEM;
    s->entries = calloc(LAMP_STATIC_FILES_MAX, sizeof(*s->entries));
    if (!s->entries)
        err = LAMP_ENOMEM;
    if (!err)
        err = scan(s, folder, "", 0);
    if (err && err != -ENOENT && err != -ENOTDIR) {
        lamp_static_free(s);
        return err;
    }
    s->built = find_exact(s, "/index.html", NULL) != NULL;
    if (!s->built)
        use_built_in_page(s);
    for (size_t i = 0; i < s->n; i++) {
        struct lamp_static_file *f = &s->entries[i].file;
        f->varies = find_exact(s, f->path, "gzip") || find_exact(s, f->path, "br");
    }
    *out = s;
    return LAMP_OK;
}

lamp_static *lamp_static_free(lamp_static *s)
{
    if (!s)
        return NULL;
    for (size_t i = 0; i < s->n; i++)
        free(s->entries[i].data);
    free(s->entries);
    free(s);
    return NULL;
}

bool lamp_static_is_built(const lamp_static *s)
{
    return s->built;
}

/* Whether a list such as "gzip, br;q=0.9" names the coding and does not refuse it (q=0, RFC
 * 9110 section 12.5.3; "*" is not taken up, the plain file is always right). */
static bool accepts(const char *list, const char *coding)
{
    const size_t want = strlen(coding);
    while (list && *list) {
        list += strspn(list, ", \t");
        const size_t item = strcspn(list, ","), name = strcspn(list, ",; \t");
        if (name == want && strncasecmp(list, coding, want) == 0) {
            const char *q = memmem(list, item, "q=", 2);
            return !q || strspn(q + 2, "0.") != strcspn(q + 2, ", \t");
        }
        list += item;
    }
    return false;
}

const struct lamp_static_file *lamp_static_find(const lamp_static *s, const char *path,
                                                const char *accept_encoding)
{
    const char *last = strrchr(path, '/');
    if (!last)
        return NULL;
    if (!strchr(last, '.'))
        path = "/index.html";
    const struct lamp_static_file *f = NULL;
    if (accepts(accept_encoding, "br"))
        f = find_exact(s, path, "br");
    if (!f && accepts(accept_encoding, "gzip"))
        f = find_exact(s, path, "gzip");
    return f ? f : find_exact(s, path, NULL);
}
