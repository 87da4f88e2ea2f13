/* SPDX-License-Identifier: Apache-2.0 */
/* imports: captures that somebody handed in, and what was found in them. They are kept apart from
 * live history, under the time of the captures. */
#pragma once

#include "common/verdict.h"

enum {
    LAMP_IMPORT_NAME = 257,       /* with NUL: of an import, of a file */
    LAMP_IMPORT_TEXT = 513,       /* with NUL: an answer, an error */
    LAMP_IMPORT_FILES_MAX = 1000, /* of an import */
    LAMP_IMPORT_CONNS_MAX = 10000,
    LAMP_IMPORT_MINUTES_MAX = 20000,
    LAMP_IMPORT_BYTES_MAX = 64 << 20, /* of all its connections, as analyze told them */
    LAMP_IMPORT_ROWS = 64,            /* connections, and minutes, written at once */
    LAMP_IMPORT_JSON_MAX = 65536,     /* bytes of a connection as analyze told it */
};

enum lamp_import_state {
    LAMP_IMPORT_UPLOADING, /* bytes are on their way */
    LAMP_IMPORT_WAITING,   /* for those before it */
    LAMP_IMPORT_RUNNING,
    LAMP_IMPORT_DONE,   /* from here on it is over */
    LAMP_IMPORT_FAILED, /* `error` says why */
    LAMP_IMPORT_CANCELLED,
    LAMP_IMPORT_STATES
};
const char *lamp_import_state_name(enum lamp_import_state s); /* "uploading", ... */

/* What was found, over all files so far. */
struct lamp_import_sum {
    uint64_t files_done, files_failed; /* failed: not read, or not to their end */
    uint64_t packets, bytes;           /* in the captures */
    uint64_t connections;              /* that analyze told of */
    uint64_t verdicts[LAMP_VERDICT_CONFIRMED + 1];
    uint64_t conns_left_out, minutes_left_out; /* that found no room */
    uint64_t first_us, last_us;                /* of connections and minutes; 0: nothing */
};

struct lamp_import {
    int64_t id; /* 0: not in the store yet */
    enum lamp_import_state state;
    bool from_server;            /* a path on the server, else uploaded */
    char name[LAMP_IMPORT_NAME]; /* of the file or folder, or what the caller calls it */
    char site[65];               /* "" none in particular */
    char created_by[65];
    uint64_t created_us, started_us, ended_us; /* 0: not yet */
    uint64_t files, size;                      /* of an upload: bytes to come */
    struct lamp_import_sum sum;
    char answer[LAMP_IMPORT_TEXT]; /* "is there a miner in it?"; "" not known yet */
    char error[LAMP_IMPORT_TEXT];  /* "" none */
};
typedef bool lamp_import_fn(const struct lamp_import *i, void *arg);

struct lamp_import_file {
    uint32_t no;                 /* from 1 */
    char name[LAMP_IMPORT_NAME]; /* below the import's */
    uint64_t size, packets, connections;
    enum lamp_verdict verdict;    /* the gravest in it */
    char error[LAMP_IMPORT_TEXT]; /* "" none */
};
typedef bool lamp_import_file_fn(const struct lamp_import_file *f, void *arg);

/* A connection: what is asked about in columns, all of it in the words of analyze. */
struct lamp_import_conn {
    int64_t id; /* of an import, in the order they were found */
    uint32_t file;
    enum lamp_verdict verdict;
    const char *json;
    size_t json_len;
};
typedef bool lamp_import_conn_fn(const struct lamp_import_conn *c, void *arg);

struct lamp_import_minute {
    uint32_t file;
    uint64_t minute; /* since 1970 */
    uint64_t packets, bytes;
    uint64_t mining_up, mining_down; /* bytes */
    uint64_t submitted, accepted, rejected, jobs;
};
typedef bool lamp_import_minute_fn(const struct lamp_import_minute *m, void *arg);

/* Some of what was found, with the sum so far. */
struct lamp_import_rows {
    struct lamp_import_sum sum;
    uint64_t files;                      /* in all */
    const struct lamp_import_file *file; /* NULL: it is not over yet */
    struct lamp_import_conn conns[LAMP_IMPORT_ROWS];
    struct lamp_import_minute minutes[LAMP_IMPORT_ROWS];
    size_t n_conns, n_minutes;
};

struct lamp_import_filter {
    int64_t id;       /* 0: any */
    int64_t after_id; /* 0: from the newest on; else those before this one */
    uint32_t limit;   /* 0: 100 */
};

struct lamp_import_conn_filter {
    int64_t import_id, after_id;
    enum lamp_verdict least;
    uint32_t limit; /* 0: 200 */
};
