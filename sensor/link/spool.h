/* SPDX-License-Identifier: Apache-2.0 */
/* spool: summaries on disk until the aggregator has them, and for a while after. One SQLite
 * database (WAL, synchronous=FULL), one writer. What lamp_spool_append() returned OK for survives
 * kill -9 and loss of power; a spool in memory (for routers without disk) survives neither. Records belong to streams; each opening starts a new one with a random id,
 * so a sequence number never stands for two different contents.
 *
 * Acknowledged records are retained for a day, within a quarter of the quota, so that they can
 * be sent again to an aggregator whose database was restored. Past the quota those go first, then
 * the oldest of the others gives way to a LOSS record in its place, never silently and never the
 * newest. A database that cannot be read is set aside and an empty one is begun.
 * Not thread-safe; never logs, never reads a clock. */
#pragma once

#include "proto/wire.h"

#include <limits.h>
#include <stdatomic.h>

typedef struct lamp_spool lamp_spool;

struct lamp_spool_stream {
    struct lamp_stream_id id;
    uint64_t first_seq; /* oldest record held; last_seq + 1: none */
    uint64_t last_seq;  /* newest ever written; 0: none */
    uint64_t next_seq;  /* the aggregator has every seq below; from 1 */
    bool current;       /* the one that appends go to */
};

enum lamp_spool_kind { LAMP_SPOOL_SUMMARY, LAMP_SPOOL_LOSS };

struct lamp_spool_record {
    enum lamp_spool_kind kind;
    uint64_t seq, to_seq; /* equal for a SUMMARY */
    uint64_t t_from_us, t_to_us, n_rows, n_bytes;
    enum lamp_loss_reason reason; /* of a LOSS */
    uint8_t *body;                /* packed Batch of a SUMMARY; free() it */
    size_t body_len;
};

/* Opens dir/spool.db, made if absent; dir NULL: a spool in memory. damaged (PATH_MAX bytes): where a database that could not
 * be read was moved to, else "". LAMP_ESTORE: cannot be opened or made; why (256 bytes) says
 * what the database said. LAMP_ENOMEM, negated errno. */
LAMP_CHECK int lamp_spool_open(const char *dir, uint64_t quota_bytes, uint64_t now_us,
                               lamp_spool **out, char damaged[PATH_MAX], char why[256]);
lamp_spool *lamp_spool_close(lamp_spool *s);

/* Makes the batches of n summaries durable, in one transaction, as the next records of the
 * current stream; *out_last gets the number of the last. LAMP_ESTORE: the disk is full or failing;
 * nothing was written. */
LAMP_CHECK int lamp_spool_append(lamp_spool *s, const struct lamp_summary *const *m, size_t n,
                                 uint64_t *out_last);

/* What a link process took from capture: how many summaries, and what the newest of them are, number i at
 * i % LAMP_SPOOL_GROUP. It lies in memory that outlives the process; a new one begins with the stream. */
enum { LAMP_SPOOL_GROUP = 16 }; /* summaries that are taken and not spooled yet, at most */
struct lamp_spool_taken {
    struct lamp_stream_id stream; /* that they went to */
    _Atomic size_t
        n; /* counted after its entry is written; no more bits than a processor stores at once */
    struct {
        uint64_t t_from_us, t_to_us, n_rows, n_bytes;
    } newest[LAMP_SPOOL_GROUP];
};

/* Declares lost (LAMP_LOSS_CRASH) what the process before took and did not spool, at the end of its
 * stream; *out_lost: so many. Once is enough, more often does no harm. A spool in memory went with
 * its process, which the aggregator notes by itself. LAMP_EPROTO: more than a group. LAMP_ESTORE. */
LAMP_CHECK int lamp_spool_declare(lamp_spool *s, const struct lamp_spool_taken *taken,
                                  uint64_t *out_lost);

/* The current stream. LAMP_ESTORE. */
LAMP_CHECK int lamp_spool_current(lamp_spool *s, struct lamp_stream_id *out);

/* The streams that are not finished, oldest first, the current one last; where there are more
 * than max, the oldest max - 1 and the current one. */
LAMP_CHECK int lamp_spool_streams(lamp_spool *s, struct lamp_spool_stream *out, size_t max,
                                  size_t *out_n);

/* The first record at or after seq (a LOSS also where it only ends there). LAMP_ENOENT: none. */
LAMP_CHECK int lamp_spool_read(lamp_spool *s, const struct lamp_stream_id *stream, uint64_t seq,
                               struct lamp_spool_record *out);

/* The aggregator has every seq below next_seq: those records are from now on only retained.
 * LAMP_EPROTO: next_seq is past the end of the stream. LAMP_ENOENT: no such stream. */
LAMP_CHECK int lamp_spool_ack(lamp_spool *s, const struct lamp_stream_id *stream, uint64_t next_seq,
                              uint64_t now_us);

/* The aggregator has less than it once said (its database was restored): what is retained is to
 * be sent again, what is no longer here becomes a LOSS record. Errors as lamp_spool_ack(). */
LAMP_CHECK int lamp_spool_rewind(lamp_spool *s, const struct lamp_stream_id *stream,
                                 uint64_t next_seq);

/* The aggregator knows that the stream ended. */
LAMP_CHECK int lamp_spool_finish(lamp_spool *s, const struct lamp_stream_id *stream);

/* The epoch of the aggregator's database. Where it differs from the one before, or the aggregator
 * lost something, the finished streams of which records are retained are streams again:
 * *out_reopened says that there are such. */
LAMP_CHECK int lamp_spool_epoch(lamp_spool *s, uint64_t epoch, bool lost_something,
                                bool *out_reopened);

/* The last of them; 0: none yet. */
uint64_t lamp_spool_known_epoch(const lamp_spool *s);

/* Bytes of records that the aggregator does not have, of those retained after it has them, and how many records the quota has cost since opening. */
uint64_t lamp_spool_bytes(const lamp_spool *s);
uint64_t lamp_spool_retained(const lamp_spool *s);
bool lamp_spool_memory_only(const lamp_spool *s);
uint64_t lamp_spool_quota(const lamp_spool *s);
uint64_t lamp_spool_dropped(const lamp_spool *s);

/* Whether the database turned out to be damaged while open: to be opened anew, which sets it aside. */
bool lamp_spool_is_damaged(const lamp_spool *s);

/* What the database said of its last failure; "" before one. */
const char *lamp_spool_error(const lamp_spool *s);
