/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/imports/beneath.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { DEPTH_MAX = 16, PATH_BYTES = 1024 };

/* A FIFO or device is opened without waiting, and then refused. */
static int open_any(int folder, const char *path, int *out_fd, struct stat *out)
{
    struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                            .resolve =
                                RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
    const int fd = (int)syscall(SYS_openat2, folder, path, &how, sizeof(how));
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? LAMP_ENOENT
               : errno == EXDEV || errno == ELOOP  ? LAMP_EAUTH
                                                   : -errno;
    if (fstat(fd, out) < 0) {
        const int err = -errno;
        close(fd);
        return err;
    }
    *out_fd = fd;
    return LAMP_OK;
}

int lamp_beneath_open(int folder, const char *path, int *out_fd, uint64_t *out_size)
{
    struct stat st = { 0 };
    int fd = -1;
    const int err = open_any(folder, path, &fd, &st);
    if (err)
        return err;
    if (!S_ISREG(st.st_mode)) {
        close(fd);
        return LAMP_EFORMAT;
    }
    *out_size = (uint64_t)st.st_size;
    *out_fd = fd;
    return LAMP_OK;
}

static int add(struct lamp_beneath_list *l, const char *path, size_t max)
{
    if (l->n >= max) {
        l->left_out++;
        return LAMP_OK;
    }
    char **v = realloc(l->v, (l->n + 1) * sizeof(*v));
    char *copy = strdup(path);
    if (v)
        l->v = v;
    if (!v || !copy) {
        free(copy);
        return LAMP_ENOMEM;
    }
    l->v[l->n++] = copy;
    return LAMP_OK;
}

static int walk(int root, const char *path, size_t max, unsigned depth,
                struct lamp_beneath_list *l);

/* Takes fd, of a folder. */
static int walk_folder(int root, int fd, const char *path, size_t max, unsigned depth,
                       struct lamp_beneath_list *l)
{
    char below[PATH_BYTES];
    int err = LAMP_OK;
    DIR *d = fdopendir(fd);
    if (!d) {
        close(fd);
        return LAMP_ENOMEM;
    }
    for (struct dirent *e; !err && (e = readdir(d));) {
        if (streq(e->d_name, ".") || streq(e->d_name, ".."))
            continue;
        const int n = snprintf(below, sizeof(below), "%s%s%s", streq(path, ".") ? "" : path,
                               streq(path, ".") ? "" : "/", e->d_name);
        if (l->n >= max || n < 0 || (size_t)n >= sizeof(below)) {
            l->left_out++;
            if (l->left_out > max) /* enough to say that there are many */
                break;
            continue;
        }
        err = walk(root, below, max, depth + 1, l);
        /* What cannot be opened, or only over a link, does not end the walk. */
        if (err && err != LAMP_ENOMEM) {
            l->left_out += err != LAMP_EFORMAT;
            err = LAMP_OK;
        }
    }
    closedir(d);
    return err;
}

static int walk(int root, const char *path, size_t max, unsigned depth, struct lamp_beneath_list *l)
{
    struct stat st = { 0 };
    int fd = -1;
    int err = open_any(root, path, &fd, &st);
    if (err)
        return err;
    if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
        return walk_folder(root, fd, path, max, depth, l);
    if (S_ISDIR(st.st_mode))
        l->left_out++;
    else
        err = S_ISREG(st.st_mode) ? add(l, path, max) : LAMP_EFORMAT;
    close(fd);
    return err;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int lamp_beneath_list(int folder, const char *path, size_t max, struct lamp_beneath_list *out)
{
    *out = (struct lamp_beneath_list){ 0 };
    const int err = walk(folder, path, max, 0, out);
    if (out->n)
        qsort(out->v, out->n, sizeof(*out->v), by_name);
    return err;
}

void lamp_beneath_list_free(struct lamp_beneath_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->v[i]);
    free(l->v);
    *l = (struct lamp_beneath_list){ 0 };
}
