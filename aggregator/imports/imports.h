/* SPDX-License-Identifier: Apache-2.0 */
/* imports: captures that somebody uploads, or names on the server, on their way through analysis: a
 * thread that takes one after the other, each capture in a process of its own (analyzer.h), and has the
 * writer note what was found. What comes over the API is kept in a spool until then.
 *
 * Thread-safe. Limits: bytes of one import and of all in the spool, imports under way, captures of one
 * import, and for how long an upload may be silent; what is refused is said in a sentence. */
#pragma once

#include "aggregator/handover/command.h"
#include "aggregator/imports/analyzer.h"

typedef struct lamp_imports lamp_imports;

enum { LAMP_IMPORTS_WHY = 512, LAMP_IMPORTS_CHUNK = 1 << 20 };

struct lamp_imports_cfg {
    const char *folder;                 /* of the spool */
    const char *root;                   /* what is named on the server is below it; "": nothing */
    uint64_t import_bytes, quota_bytes; /* of one upload; of all */
    unsigned waiting;                   /* imports under way, the one that is analysed included */
    unsigned files;                     /* captures of one import */
    unsigned silent_s;                  /* an upload that says nothing for so long has failed */
    unsigned keep_days, keep;           /* results; 0 days: for ever; so many imports */
    struct lamp_analyzer_cfg analyzer;  /* program "": davylamp-sensor beside our own */
    lamp_commands *commands;
};

struct lamp_imports_file {
    const char *name;
    uint64_t size;
};

/* Starts the thread. `why` says what failed. */
LAMP_CHECK int lamp_imports_start(const struct lamp_imports_cfg *cfg, lamp_imports **out,
                                  char why[LAMP_IMPORTS_WHY]);

/* Ends what is under way, and the thread. Accepts NULL. Returns NULL. */
lamp_imports *lamp_imports_stop(lamp_imports *im);

/* Makes room for an import: of uploads (n files), or of a path on the server (n is 0). The ticket is
 * given to lamp_imports_begin() with the number that the store has given it, or to lamp_imports_drop().
 * LAMP_EFULL, LAMP_EFORMAT, LAMP_EAUTH, LAMP_ENOENT: `why` says it in a sentence. LAMP_ENOMEM. */
LAMP_CHECK int lamp_imports_reserve(lamp_imports *im, const char *path,
                                    const struct lamp_imports_file *files, size_t n,
                                    uint64_t *out_ticket, char why[LAMP_IMPORTS_WHY]);
void lamp_imports_begin(lamp_imports *im, uint64_t ticket, int64_t id);
void lamp_imports_drop(lamp_imports *im, uint64_t ticket);

/* Takes bytes of an upload; all captures are one stream in the order they were named. *out_received is
 * how many there are now, also on failure. LAMP_ERANGE: offset is not what was received. LAMP_ENOENT: no
 * upload of that number is under way. LAMP_EAGAIN: another piece is being written. LAMP_EFULL: more than was
 * announced. LAMP_EIO: the disk refused, the import has failed. */
LAMP_CHECK int lamp_imports_put(lamp_imports *im, int64_t id, uint64_t offset, const void *data,
                                size_t len, uint64_t *out_received);

/* Ends an import that the store knows to be cancelled or deleted; no other does nothing. */
void lamp_imports_cancel(lamp_imports *im, int64_t id);

/* How far an import is that is not over. LAMP_ENOENT: it is, or there never was one. */
struct lamp_imports_progress {
    uint64_t received; /* bytes of an upload */
    uint64_t analysed; /* bytes of the capture at hand, as far as its analysis has read */
    uint64_t file_size;
    size_t file;     /* from 1; 0: none yet */
    unsigned before; /* imports that are first in line */
};
LAMP_CHECK int lamp_imports_progress(lamp_imports *im, int64_t id,
                                     struct lamp_imports_progress *out);
