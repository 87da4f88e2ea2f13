/* SPDX-License-Identifier: Apache-2.0 */
/* history: what of a store goes to another place for good (a column store of several machines), and what comes
 * back from there to answer for a time that the store itself keeps no more.
 *
 * Out: there are six tables, other traffic and miners' connections by minute, hour and day. Their rows are sums,
 * which only grow, of a group: a minute (hour, day) of a site. Groups leave in order of time and site, once their
 * time is over. A cursor per table says how far that went: it is *claimed* before the rows are read and *sent* once
 * they arrived, so that after any end what lies between is sent again. A group that grows after it was
 * claimed is noted as late, and sent once more as a whole. A row that arrives twice is the same row with the same
 * or larger sums: whoever keeps the larger one counts nothing twice.
 *
 * Back: rows of before the time that the store keeps are lent to a reading handle, which counts them with its
 * own until they are dropped. */
#pragma once

#include "aggregator/store/spans.h"
#include "aggregator/store/store.h"

enum lamp_history_kind { LAMP_HISTORY_TRAFFIC, LAMP_HISTORY_CONNS, LAMP_HISTORY_KINDS };

enum {
    LAMP_HISTORY_STEPS = 3,
    LAMP_HISTORY_TABLES = LAMP_HISTORY_KINDS * LAMP_HISTORY_STEPS, /* kind * STEPS + step */
    LAMP_HISTORY_COUNTS = 9,
    LAMP_HISTORY_LATE_MAX = 50000, /* groups; with more, their tables are gone through again */
};

static inline enum lamp_history_kind lamp_history_kind_of(unsigned table)
{
    return (enum lamp_history_kind)(table / LAMP_HISTORY_STEPS);
}

static inline enum lamp_step lamp_history_step_of(unsigned table)
{
    return (enum lamp_step)(table % LAMP_HISTORY_STEPS);
}

/* A group: the number of a minute (hour, day) since 1970, and of a site in this store. As a position: all groups
 * up to it and it. */
struct lamp_history_at {
    int64_t time, site;
};

struct lamp_history_cursor {
    bool on; /* history leaves this store */
    struct lamp_history_at sent, claimed;
};

struct lamp_history_row {
    struct lamp_history_at at;
    struct lamp_bytes site;
    struct lamp_addr host, remote; /* of traffic inside and remote; of connections the host alone */

    /* Traffic. counts: bytes out, in, packets out, in, flows. */
    uint8_t ip_proto;
    uint16_t service_port;
    struct lamp_bytes application, remote_name; /* the name: of days alone */
    uint64_t first_minute, last_minute;         /* since 1970 */

    /* Connections. counts: bytes up, down, packets up, down, jobs, submitted, accepted, rejected, stale. */
    uint32_t vlan;
    uint64_t conn;
    double work, squares, self_rate;

    uint64_t counts[LAMP_HISTORY_COUNTS];
};
typedef bool lamp_history_row_fn(const struct lamp_history_row *r, void *arg);

struct lamp_history_late {
    struct lamp_history_at at;
    int64_t no; /* larger when it grew again */
};
typedef bool lamp_history_late_fn(const struct lamp_history_late *l, void *arg);

/* Rows behind the group `from`, leaving out the first `skip` of them, up to and with the group `to`, in order. */
struct lamp_history_span {
    struct lamp_history_at from, to;
    uint64_t skip;
};

/* What has become of a table; the writer's. */
struct lamp_history_note {
    unsigned table;
    struct lamp_history_at
        expected; /* what was claimed; if that is otherwise by now, cursors stay as they are */
    struct lamp_history_at sent, claimed;
    bool has_late;                 /* instead: what lamp_store_history_lates() gave was sent */
    struct lamp_history_late late; /* the last of it; no: the largest of it */
    uint64_t late_before_us;       /* it was asked for */
};

/* ---- out: reading ---- */

/* A number of this store, made with it: what it sent is told from what others sent by it. And rows that went,
 * because of retention.disk, before they were sent. */
LAMP_CHECK int lamp_store_history_id(lamp_store *s, uint64_t *out, uint64_t *out_lost);

LAMP_CHECK int lamp_store_history_cursors(lamp_store *s,
                                          struct lamp_history_cursor out[LAMP_HISTORY_TABLES]);

/* The group that ends some `rows` rows behind `from`, or else all that is before `end` (a minute, hour or day). */
LAMP_CHECK int lamp_store_history_next(lamp_store *s, unsigned table, struct lamp_history_at from,
                                       int64_t end, uint32_t rows, struct lamp_history_at *out);

/* Lends fn the rows of a span, until it returns false. */
LAMP_CHECK int lamp_store_history_rows(lamp_store *s, unsigned table,
                                       const struct lamp_history_span *span,
                                       lamp_history_row_fn *fn, void *arg);

/* Groups of a table that grew after they were claimed, first before before_us, oldest first. */
LAMP_CHECK int lamp_store_history_lates(lamp_store *s, unsigned table, uint64_t before_us,
                                        uint32_t limit, lamp_history_late_fn *fn, void *arg);

/* Rows behind `from`, of which it counts no more than `most`. */
LAMP_CHECK int lamp_store_history_count(lamp_store *s, unsigned table, struct lamp_history_at from,
                                        uint32_t most, uint64_t *out);

/* ---- out: the writer's ---- */

/* From now on history leaves this store for a place, a number below 2^63 that tells it from others, or it does not (0). It begins
 * with all that is there where it went to another place before, or to none. */
LAMP_CHECK int lamp_store_history_start(lamp_store *s, uint64_t place);

LAMP_CHECK int lamp_store_history_note(lamp_store *s, const struct lamp_history_note *n);

/* ---- back ---- */

/* What of a span of time the store does not keep, minute by minute: what to fetch. Nothing where all.from is behind all.to, as
 * it is where no history leaves the store, or where not all of it went yet and hours or days are here. Until the next
 * lamp_store_past_clear() the handle's answers about traffic do not count what they have of that time themselves. */
struct lamp_past_traffic {
    struct lamp_pieces pieces;
    bool here; /* the store can answer alone, to hours or days */
};
LAMP_CHECK int lamp_store_past_traffic_span(lamp_store *s, uint64_t from_us, uint64_t to_us,
                                            struct lamp_past_traffic *out);

/* The same for a miner's history: whose it is, and the first and last minute (hour, day). LAMP_ENOENT: no such miner. */
struct lamp_past_miner {
    char site[65];
    struct lamp_addr host;
    uint32_t vlan;
    struct lamp_piece spans;
};
LAMP_CHECK int lamp_store_past_miner_span(lamp_store *s, int64_t miner_id, enum lamp_step step,
                                          uint64_t from_us, uint64_t to_us,
                                          struct lamp_past_miner *out);

/* The first moment of which there are minutes, hours and days, here or there. */
LAMP_CHECK int lamp_store_past_kept_us(lamp_store *s, uint64_t out[3]);

/* Adds a row of what was fetched: of traffic with first_minute and last_minute, of connections with at.time. Rows of sites that
 * the handle does not see are left out. */
LAMP_CHECK int lamp_store_past_add(lamp_store *s, enum lamp_history_kind kind,
                                   const struct lamp_history_row *r);

/* Drops them. */
LAMP_CHECK int lamp_store_past_clear(lamp_store *s);
