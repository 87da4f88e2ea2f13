/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/faults/cut.h"

#include "common/io.h"
#include "tests/support/faults/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

enum { FILES = 64, SECTOR = 512, FILE_LIMIT = 1 << 30 };

/* One call that nothing was synced for yet. */
struct call {
    enum disk_op op;
    uint64_t at, len;
    const uint8_t *data; /* in the log */
};

/* A file's content, which outlives its names. */
struct file {
    uint8_t *data;
    size_t len, room;
    struct call *calls;
    size_t n_calls;
};

/* A change of names that the folder was not synced for yet. */
struct naming {
    enum disk_op op;
    int name, to;
    struct file *file;
};

struct disk {
    char names[FILES][64];
    struct file *kept[FILES], *seen[FILES]; /* by name: after a cut, and without one */
    struct file *all[4 * FILES];
    size_t n_all;
    struct naming *namings;
    size_t n_namings;
};

/* ---- files ---- */

static struct file *new_file(struct disk *d)
{
    if (d->n_all == ARRAY_LEN(d->all))
        return NULL;
    struct file *f = calloc(1, sizeof(*f));
    if (f)
        d->all[d->n_all++] = f;
    return f;
}

static int resize(struct file *f, size_t len)
{
    if (len > FILE_LIMIT)
        return LAMP_EFULL;
    if (len > f->room) {
        uint8_t *data = realloc(f->data, 2 * len);
        if (!data)
            return LAMP_ENOMEM;
        f->data = data;
        f->room = 2 * len;
    }
    if (len > f->len)
        memset(f->data + f->len, 0, len - f->len);
    f->len = len;
    return LAMP_OK;
}

static int put_bytes(struct file *f, uint64_t at, const uint8_t *data, uint64_t len)
{
    if (at > FILE_LIMIT || len > FILE_LIMIT)
        return LAMP_EFULL;
    int err = at + len > f->len ? resize(f, (size_t)(at + len)) : LAMP_OK;
    if (!err)
        memcpy(f->data + at, data, (size_t)len);
    return err;
}

static int apply(struct file *f, const struct call *c)
{
    return c->op == DISK_TRUNCATE ? resize(f, (size_t)c->at) : put_bytes(f, c->at, c->data, c->len);
}

/* The sectors of a write that reached the disk. */
static int apply_torn(struct file *f, const struct call *c, struct lamp_rng *rng)
{
    if (c->op == DISK_TRUNCATE)
        return lamp_rng_u64(rng) & 1 ? apply(f, c) : LAMP_OK;
    int err = LAMP_OK;
    for (uint64_t at = 0; at < c->len && !err;) {
        const uint64_t to_border = SECTOR - (c->at + at) % SECTOR;
        const uint64_t len = c->len - at < to_border ? c->len - at : to_border;
        if (lamp_rng_u64(rng) & 1)
            err = put_bytes(f, c->at + at, c->data + at, len);
        at += len;
    }
    return err;
}

static int add_call(struct file *f, const struct call *c)
{
    if (f->n_calls % 64 == 0) {
        struct call *grown = realloc(f->calls, (f->n_calls + 64) * sizeof(*grown));
        if (!grown)
            return LAMP_ENOMEM;
        f->calls = grown;
    }
    f->calls[f->n_calls++] = *c;
    return LAMP_OK;
}

static int sync_file(struct file *f)
{
    int err = LAMP_OK;
    for (size_t i = 0; i < f->n_calls && !err; i++)
        err = apply(f, &f->calls[i]);
    f->n_calls = 0;
    return err;
}

/* What was not synced: nothing of it, all of it, the first calls of it, or anything. */
static int lose(struct file *f, struct lamp_rng *rng)
{
    const uint64_t way = lamp_rng_u64(rng) % 4;
    const size_t first = f->n_calls ? (size_t)(lamp_rng_u64(rng) % (f->n_calls + 1)) : 0;
    int err = LAMP_OK;
    for (size_t i = 0; i < f->n_calls && !err; i++) {
        if (way == 1 || (way == 2 && i < first))
            err = apply(f, &f->calls[i]);
        else if (way == 3)
            err = apply_torn(f, &f->calls[i], rng);
    }
    f->n_calls = 0;
    return err;
}

/* ---- names ---- */

static void rename_now(struct file **map, const struct naming *n)
{
    if (n->op == DISK_CREATE) {
        map[n->name] = n->file;
    } else if (n->op == DISK_UNLINK) {
        map[n->name] = NULL;
    } else {
        map[n->to] = map[n->name];
        map[n->name] = NULL;
    }
}

static int add_naming(struct disk *d, const struct naming *n)
{
    if (d->n_namings % 64 == 0) {
        struct naming *grown = realloc(d->namings, (d->n_namings + 64) * sizeof(*grown));
        if (!grown)
            return LAMP_ENOMEM;
        d->namings = grown;
    }
    d->namings[d->n_namings++] = *n;
    rename_now(d->seen, n);
    return LAMP_OK;
}

static void sync_names(struct disk *d, size_t n)
{
    for (size_t i = 0; i < n; i++)
        rename_now(d->kept, &d->namings[i]);
    d->n_namings = 0;
}

/* ---- the log ---- */

static int on_entry(struct disk *d, const struct disk_entry *e, const uint8_t *data)
{
    if (e->op == DISK_SYNC_DIR) {
        sync_names(d, d->n_namings);
        return LAMP_OK;
    }
    if (e->file == 0 || e->file >= FILES || (e->op == DISK_RENAME && e->at >= FILES))
        return LAMP_EFORMAT;
    struct file *f = d->seen[e->file];
    const struct naming naming = { (enum disk_op)e->op, (int)e->file, (int)e->at, NULL };
    switch (e->op) {
    case DISK_CREATE:
        f = new_file(d);
        return f ? add_naming(d, &(struct naming){ DISK_CREATE, (int)e->file, 0, f }) : LAMP_EFULL;
    case DISK_UNLINK:
    case DISK_RENAME:
        return add_naming(d, &naming);
    case DISK_SYNC:
        return f ? sync_file(f) : LAMP_EFORMAT;
    case DISK_WRITE:
    case DISK_TRUNCATE:
        return f ? add_call(f, &(struct call){ (enum disk_op)e->op, e->at, e->len, data })
                 : LAMP_EFORMAT;
    default:
        return LAMP_EFORMAT;
    }
}

static int load(struct disk *d, const char *base, int name)
{
    char path[PATH_MAX];
    struct stat st;
    snprintf(path, sizeof(path), "%s/%s", base, d->names[name]);
    if (stat(path, &st) != 0)
        return LAMP_OK;
    struct file *f = new_file(d);
    char *data;
    size_t len;
    int err = f ? lamp_io_read_file(path, FILE_LIMIT, &data, &len) : LAMP_ENOMEM;
    if (err)
        return err;
    f->data = (uint8_t *)data;
    f->len = f->room = len;
    d->kept[name] = d->seen[name] = f;
    return LAMP_OK;
}

static int replay(struct disk *d, const char *base, const uint8_t *log, size_t len)
{
    int err = LAMP_OK;
    for (size_t at = 0; !err && at < len;) {
        struct disk_entry e;
        if (len - at < sizeof(e))
            return LAMP_OK; /* killed while it wrote this */
        memcpy(&e, log + at, sizeof(e));
        at += sizeof(e);
        if (e.len > len - at)
            return LAMP_OK;
        if (e.op == DISK_NAME) {
            if (e.file >= FILES || e.len >= sizeof(d->names[0]))
                return LAMP_EFORMAT;
            memcpy(d->names[e.file], log + at, (size_t)e.len);
            err = load(d, base, (int)e.file);
        } else {
            err = on_entry(d, &e, log + at);
        }
        at += (size_t)e.len;
    }
    return err;
}

/* ---- folders ---- */

static bool is_mapped(const char *name)
{
    const size_t len = strlen(name);
    return len > 4 && streq(name + len - 4, "-shm");
}

/* Every file of `from`, copied to `to`, or removed where that is NULL. */
static int for_files(const char *from, const char *to)
{
    DIR *dir = opendir(from);
    if (!dir)
        return -errno;
    int err = LAMP_OK;
    for (struct dirent *e = readdir(dir); e && !err; e = readdir(dir)) {
        char path[PATH_MAX], copy[PATH_MAX], *data;
        size_t len;
        if (e->d_type != DT_REG || snprintf(path, sizeof(path), "%s/%s", from, e->d_name) < 0)
            continue;
        if (!to) {
            err = unlink(path) == 0 ? LAMP_OK : -errno;
            continue;
        }
        if (is_mapped(e->d_name))
            continue;
        snprintf(copy, sizeof(copy), "%s/%s", to, e->d_name);
        err = lamp_io_read_file(path, FILE_LIMIT, &data, &len);
        if (!err) {
            LAMP_AUTO_CLOSE int fd = open(copy, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
            err = fd >= 0 ? lamp_io_write_full(fd, data, len) : -errno;
            free(data);
        }
    }
    closedir(dir);
    return err;
}

int copy_folder(const char *from, const char *to)
{
    int err = lamp_io_mkdirs(to, 0700);
    if (!err)
        err = for_files(to, NULL);
    return err ? err : for_files(from, to);
}

static int write_out(struct disk *d, const char *folder)
{
    int err = LAMP_OK;
    for (int i = 1; i < FILES && !err; i++) {
        char path[PATH_MAX];
        if (!d->names[i][0])
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, d->names[i]);
        if (!d->kept[i]) {
            (void)unlink(path);
            continue;
        }
        LAMP_AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        err = fd >= 0 ? lamp_io_write_full(fd, d->kept[i]->data, d->kept[i]->len) : -errno;
    }
    return err;
}

int cut_power(const char *base, const char *log, const char *folder, struct lamp_rng *rng)
{
    char *text;
    size_t len;
    int err = lamp_io_read_file(log, FILE_LIMIT, &text, &len);
    if (err)
        return err;
    struct disk *d = calloc(1, sizeof(*d));
    err = d ? replay(d, base, (const uint8_t *)text, len) : LAMP_ENOMEM;
    if (!err)
        sync_names(d, d->n_namings ? (size_t)(lamp_rng_u64(rng) % (d->n_namings + 1)) : 0);
    for (size_t i = 0; d && i < d->n_all && !err; i++)
        err = lose(d->all[i], rng);
    if (!err)
        err = copy_folder(base, folder); /* for the files that nothing was done to */
    if (!err)
        err = write_out(d, folder);
    for (size_t i = 0; d && i < d->n_all; i++) {
        free(d->all[i]->data);
        free(d->all[i]->calls);
        free(d->all[i]);
    }
    if (d)
        free(d->namings);
    free(d);
    free(text);
    return err;
}
