/* SPDX-License-Identifier: Apache-2.0 */
/* backup: copies of the database that somebody asked for by API, one at a time, on a thread of its own.
 * The last one that was finished stays beside the database as DATABASE.backup until it is taken away.
 * Thread-safe. */
#pragma once

#include "aggregator/store/safety.h"
#include "common/json.h"

typedef struct lamp_backup lamp_backup;

enum lamp_backup_state {
    LAMP_BACKUP_NONE,
    LAMP_BACKUP_RUNNING,
    LAMP_BACKUP_DONE,
    LAMP_BACKUP_FAILED,
};

struct lamp_backup_view {
    enum lamp_backup_state state;
    uint64_t done_bytes, all_bytes;
    uint64_t at_us;           /* when it began (RUNNING, FAILED), or the moment the file shows */
    char why[LAMP_STORE_WHY]; /* of FAILED */
};

/* Borrows its texts. LAMP_ENOMEM. */
LAMP_CHECK int lamp_backup_new(const char *backend, const char *database, lamp_backup **out);

/* Ends a copy that is being made, and waits for that. Accepts NULL. Returns NULL. */
lamp_backup *lamp_backup_free(lamp_backup *b);

/* Begins one. LAMP_EAGAIN: one is being made. LAMP_EIO: no thread. */
LAMP_CHECK int lamp_backup_start(lamp_backup *b, uint64_t now_us);

void lamp_backup_look(lamp_backup *b, struct lamp_backup_view *out);

/* Ends the one that is being made, else takes the file away. */
void lamp_backup_drop(lamp_backup *b);

/* The finished file, opened for reading: close it. LAMP_ENOENT: there is none. LAMP_EIO. */
LAMP_CHECK int lamp_backup_open(lamp_backup *b, int *out_fd, uint64_t *out_bytes);

/* Writes the object of docs/api/openapi.yaml; `file` is where the finished copy is. */
void lamp_api_json_backup(struct lamp_json *j, const struct lamp_backup_view *v, const char *file);
