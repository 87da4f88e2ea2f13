/* SPDX-License-Identifier: Apache-2.0 */
/* safety: whether a database is whole, copies of it that are made while it is in use, and the way
 * back to one of them. All take a place as lamp_store_open() does, and open what they need
 * themselves; any thread may call them. */
#pragma once

#include "aggregator/store/store.h"

enum lamp_store_health {
    LAMP_STORE_WHOLE,      /* or not there yet */
    LAMP_STORE_DAMAGED,    /* `why` says where */
    LAMP_STORE_UNFINISHED, /* there was not time enough to look at all of it */
};

/* Asked now and then while something takes long: how much of it is done. False ends it. */
typedef bool lamp_store_going_fn(uint64_t done_bytes, uint64_t all_bytes, void *arg);

enum { LAMP_STORE_PATH = 4200 };

struct lamp_restored {
    uint64_t version;           /* of the copy, before it was brought up to this program's */
    uint64_t epoch;             /* the new one */
    char kept[LAMP_STORE_PATH]; /* where the database before is; "" there was none */
};

/* What a backend has for this. */
struct lamp_store_safety {
    int (*check)(const char *where, uint32_t limit_ms, enum lamp_store_health *out,
                 char why[LAMP_STORE_WHY]);
    int (*backup)(const char *where, const char *file, lamp_store_going_fn *going, void *arg,
                  char why[LAMP_STORE_WHY]);
    int (*restore)(const char *where, const char *file, uint64_t now_us, struct lamp_restored *out,
                   char why[LAMP_STORE_WHY]);
    int (*set_aside)(const char *where, uint64_t now_us, char kept[LAMP_STORE_PATH],
                     char why[LAMP_STORE_WHY]);
};

/* Looks a database over that nobody writes to, for limit_ms at most (0: to the end). LAMP_ESTORE: it
 * cannot be opened for a reason that is no damage (permissions, too new). LAMP_ENOENT: no such backend.
 * `why` (LAMP_STORE_WHY bytes) says what is damaged or failed. */
LAMP_CHECK int lamp_store_check(const char *backend, const char *where, uint32_t limit_ms,
                                enum lamp_store_health *out, char why[LAMP_STORE_WHY]);

/* Copies the database as it is at one moment into a new file, while the writer goes on. The writer waits
 * for it nowhere; what it costs is room on the disk for what changes meanwhile, 1 GiB at most, and half of
 * the time of one disk. The copy is looked over before it gets its name. LAMP_EEXIST: `file` is there.
 * LAMP_EFULL: no room, or too much changed. LAMP_ECLOSED: `going` ended it. LAMP_ESTORE, LAMP_EIO. */
LAMP_CHECK int lamp_store_backup(const char *backend, const char *where, const char *file,
                                 lamp_store_going_fn *going, void *arg, char why[LAMP_STORE_WHY]);

/* Puts a copy in the place of a database that nobody has open, in one step, under a new epoch, by which
 * sensors know that they have to send again what they still hold. What was there before is kept beside it. LAMP_EVERSION: the copy
 * is of a newer program. LAMP_EDIGEST: it is damaged. LAMP_EFORMAT: it is no such database. LAMP_ESTORE,
 * LAMP_EIO. Unless LAMP_OK the database is as it was. */
LAMP_CHECK int lamp_store_restore(const char *backend, const char *where, const char *file,
                                  uint64_t now_us, struct lamp_restored *out,
                                  char why[LAMP_STORE_WHY]);

/* Gives a database that nobody has open another name, so that the next start begins with a new one;
 * `kept` is that name. LAMP_ENOENT: there is none. LAMP_EIO. */
LAMP_CHECK int lamp_store_set_aside(const char *backend, const char *where, uint64_t now_us,
                                    char kept[LAMP_STORE_PATH], char why[LAMP_STORE_WHY]);
