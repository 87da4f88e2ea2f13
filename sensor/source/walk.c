/* SPDX-License-Identifier: Apache-2.0 */
/* walk: the capture files under a path. */
#include "sensor/source/source.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

enum { MAX_DEPTH = 64 };

struct walk {
    lamp_walk_fn *fn;
    lamp_walk_error_fn *fn_error;
    void *arg;
};

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name); /* bytes: the same order in every locale */
}

static int is_visible(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

static char *join(const char *folder, const char *name)
{
    size_t len = strlen(folder);
    const char *slash = len && folder[len - 1] == '/' ? "" : "/";
    char *path;
    return asprintf(&path, "%s%s%s", folder, slash, name) < 0 ? NULL : path;
}

static bool walk_folder(const struct walk *w, const char *folder, unsigned depth);

/* One entry of a folder. A link to a file is that file; a link to a folder is left alone, so
 * that no walk can run in circles. */
static bool walk_entry(const struct walk *w, const char *path, unsigned depth)
{
    struct stat st;
    if (lstat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return walk_folder(w, path, depth);
        if (!S_ISLNK(st.st_mode))
            return S_ISREG(st.st_mode) ? w->fn(path, w->arg) : true;
        if (stat(path, &st) == 0)
            return S_ISREG(st.st_mode) ? w->fn(path, w->arg) : true;
    }
    w->fn_error(path, lamp_strerror(-errno), w->arg);
    return true;
}

static bool walk_folder(const struct walk *w, const char *folder, unsigned depth)
{
    if (depth == MAX_DEPTH) {
        w->fn_error(folder, "folders are nested more than 64 levels deep", w->arg);
        return true;
    }
    struct dirent **names;
    int n = scandir(folder, &names, is_visible, by_name);
    if (n < 0) {
        w->fn_error(folder, lamp_strerror(-errno), w->arg);
        return true;
    }
    bool more = true;
    for (int i = 0; i < n; i++) {
        LAMP_AUTO_FREE char *path = more ? join(folder, names[i]->d_name) : NULL;
        free(names[i]);
        if (path)
            more = walk_entry(w, path, depth + 1);
        else if (more)
            w->fn_error(folder, lamp_strerror(LAMP_ENOMEM), w->arg);
    }
    free(names);
    return more;
}

void lamp_source_walk(const char *path, lamp_walk_fn *fn, lamp_walk_error_fn *fn_error, void *arg)
{
    struct walk w = { fn, fn_error, arg };
    struct stat st;
    if (stat(path, &st) != 0)
        fn_error(path, lamp_strerror(-errno), arg);
    else if (S_ISDIR(st.st_mode))
        walk_folder(&w, path, 0);
    else
        fn(path, arg); /* asked for by name: also a pipe, or a name with a dot */
}
