/* SPDX-License-Identifier: Apache-2.0 */
/* notices: what receivers of alerts are still to be told, in a database of its own beside the history's,
 * so that the writer is never waited for and never waits. It survives kill -9: an alert is put in once
 * for each receiver (a cursor over the numbers of alerts, in the same transaction), and leaves with the
 * message that told of it. What may be told when is decided here; the clock is the caller's.
 *
 * Limits: LAMP_NOTICES_MAX alerts that wait for one receiver, more are counted and told of as a number;
 * LAMP_DEAD_MAX messages that were given up, the oldest makes room. Not thread-safe. */
#pragma once

#include "aggregator/store/alerts.h"

typedef struct lamp_notices lamp_notices;

enum {
    LAMP_NOTICES_MAX = 20000,
    LAMP_DEAD_MAX = 100,
    LAMP_MESSAGE_ALERTS = 100, /* in one message */
    LAMP_NOTICES_WHY = 512,
};

/* An alert as it was when it was put in. */
struct lamp_notice {
    struct lamp_alert_view v; /* its texts point to those below */
    char subject[LAMP_ALERT_SUBJECT], site[65], text[LAMP_ALERT_TEXT];
};

/* One message to one receiver: the same alerts at every attempt. */
struct lamp_message {
    int64_t id;
    uint64_t made_us;
    uint64_t more;         /* alerts that it tells of as a number alone */
    char summary[256];     /* of these, by kind: "70 miner-confirmed, 3 policy"; "" none */
    uint32_t tries;        /* before this one */
    struct lamp_notice *v; /* n of them, of LAMP_MESSAGE_ALERTS places */
    size_t n;
};

/* What a receiver may be told. */
struct lamp_pace {
    uint32_t rate; /* attempts within interval_us; the last one of them tells of all that wait */
    uint64_t interval_us;
    uint64_t gather_us; /* an alert waits so long for others */
    uint32_t batch;     /* alerts in one message, at most LAMP_MESSAGE_ALERTS */
};

struct lamp_receiver_counts {
    uint64_t queued;                 /* alerts that wait, those of messages that failed too */
    uint64_t dead;                   /* messages given up, that are kept */
    uint64_t messages, alerts;       /* told, ever */
    uint64_t more;                   /* alerts told of as a number alone, ever */
    uint64_t failures, dead_dropped; /* attempts; messages given up for which there was no room */
    uint64_t sent_us, failed_us;     /* the last time; 0: never */
    uint64_t due_us;                 /* the next attempt after a failure; 0: none */
    char error[256];                 /* of the last attempt; "" it went well */
};

/* A message that was given up. */
struct lamp_dead_view {
    int64_t id;
    uint64_t made_us, alerts, more;
    uint32_t tries;
    const char *error;
};
typedef bool lamp_dead_view_fn(const struct lamp_dead_view *v, void *arg);

/* Opens or makes the database. LAMP_ESTORE; `why` says what failed. LAMP_ENOMEM. */
LAMP_CHECK int lamp_notices_open(const char *path, lamp_notices **out, char why[LAMP_NOTICES_WHY]);
lamp_notices *lamp_notices_close(lamp_notices *q);
const char *lamp_notices_why(const lamp_notices *q); /* what the last LAMP_ESTORE was about */

/* The number up to which a receiver has all alerts; one that is new has them up to newest_alert, and so
 * has one whose number is above that, since then the history is an older one. LAMP_ESTORE, as all below. */
LAMP_CHECK int lamp_notices_cursor(lamp_notices *q, const char *receiver, int64_t newest_alert,
                                   int64_t *out);

/* Puts alerts in, in any order, between begin and end; end notes that all up to `cursor` are in. */
LAMP_CHECK int lamp_notices_begin(lamp_notices *q);
LAMP_CHECK int lamp_notices_put(lamp_notices *q, const char *receiver,
                                const struct lamp_alert_view *v, uint64_t now_us);
LAMP_CHECK int lamp_notices_end(lamp_notices *q, const char *receiver, int64_t cursor);
void lamp_notices_rollback(lamp_notices *q);

/* The message that is due, into *m (whose v is the caller's): counted as an attempt of its pace. LAMP_EAGAIN:
 * none is; *out_due_us says when to ask again, UINT64_MAX: not before something is put in. */
LAMP_CHECK int lamp_notices_take(lamp_notices *q, const char *receiver,
                                 const struct lamp_pace *pace, uint64_t now_us,
                                 struct lamp_message *m, uint64_t *out_due_us);

/* It was told. */
LAMP_CHECK int lamp_notices_sent(lamp_notices *q, const char *receiver,
                                 const struct lamp_message *m, uint64_t now_us);

/* It was not: it is tried again at due_us, or (0) given up. */
LAMP_CHECK int lamp_notices_failed(lamp_notices *q, const char *receiver,
                                   const struct lamp_message *m, const char *error, uint64_t now_us,
                                   uint64_t due_us);

/* Has all that was given up or waits for its next attempt tried now. *out_n: how many messages. */
LAMP_CHECK int lamp_notices_retry(lamp_notices *q, const char *receiver, uint64_t now_us,
                                  uint64_t *out_n);

LAMP_CHECK int lamp_notices_counts(lamp_notices *q, const char *receiver,
                                   struct lamp_receiver_counts *out);

/* The newest first, at most `limit`. */
LAMP_CHECK int lamp_notices_dead(lamp_notices *q, const char *receiver, uint32_t limit,
                                 lamp_dead_view_fn *fn, void *arg);
