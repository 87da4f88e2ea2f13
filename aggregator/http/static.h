/* SPDX-License-Identifier: Apache-2.0 */
/* static: the dashboard's files. The folder is read into memory once, so a request can only
 * ever name a file of that list: no path is built from a URL. Limits: 512 files of together
 * 64 MiB, folders 8 deep; links and dot files are left out. Read-only after loading, so
 * threads may share it. */
#pragma once

#include "common/err.h"
#include "common/util.h"

enum { LAMP_STATIC_FILES_MAX = 512 };

typedef struct lamp_static lamp_static;

/* One representation of one file. All pointers live as long as the lamp_static. */
struct lamp_static_file {
    const char *path;     /* "/assets/index-B3kf.js" */
    const char *type;     /* media type */
    const char *encoding; /* "br", "gzip" or NULL */
    const char *etag;     /* with its quotes */
    bool immutable;       /* the name holds a hash of the content: under /assets/ */
    bool varies;          /* other encodings of it exist */
    const void *data;
    size_t len;
};

/* Reads a folder. Where it is missing or has no index.html, the list holds one page that says
 * how to build the dashboard (lamp_static_is_built() tells). LAMP_EFULL: a limit was passed.
 * LAMP_ENOMEM, negated errno (a file could not be read). */
LAMP_CHECK int lamp_static_load(const char *folder, lamp_static **out);
lamp_static *lamp_static_free(lamp_static *s);
bool lamp_static_is_built(const lamp_static *s);

/* The file for a URL path in the best encoding the client takes (its Accept-Encoding header,
 * NULL: none). Paths without a dot in their last part are pages of the dashboard: they get
 * index.html. NULL: there is no such file. */
const struct lamp_static_file *lamp_static_find(const lamp_static *s, const char *path,
                                                const char *accept_encoding);
