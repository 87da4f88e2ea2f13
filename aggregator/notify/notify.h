/* SPDX-License-Identifier: Apache-2.0 */
/* notify: tells receivers of alerts: a thread each, so that one that hangs holds up no other. It reads
 * alerts through store handles of its own, keeps what is still to be told in a database beside
 * (store/notices.h), tries again with growing pauses, and gives a message up after the receiver's time.
 * A message comes more than once only where its receiver took it and the answer was lost, then with the
 * same name. The other functions are thread-safe. */
#pragma once

#include "aggregator/notify/receiver.h"
#include "aggregator/store/store.h"

typedef struct lamp_notify lamp_notify;

struct lamp_notify_cfg {
    const char *backend, *database; /* as for lamp_store_open(); open by the writer */
    const char *queue;              /* the file of notices.h */
    const char *const *lines;       /* lamp_receiver_parse(), n_lines of them */
    size_t n_lines;
};

struct lamp_receiver_counts;
struct lamp_dead_view;

/* Reads the lines alone: whether they make sense. LAMP_EFORMAT; `why` (LAMP_STORE_WHY bytes) says the first
 * that does not. LAMP_EFULL, LAMP_ENOMEM. */
LAMP_CHECK int lamp_notify_check(const char *const *lines, size_t n_lines, char *why);

/* Opens the queue and starts the threads; without a line *out is NULL. Errors as above; LAMP_ESTORE, negated
 * errno. */
LAMP_CHECK int lamp_notify_start(const struct lamp_notify_cfg *cfg, lamp_notify **out, char *why);

/* Gives up what is being sent, which is tried again at the next start. Accepts NULL. Returns NULL. */
lamp_notify *lamp_notify_stop(lamp_notify *n);

/* The receivers in the order of the configuration; NULL past the last. n may be NULL. */
const struct lamp_receiver *lamp_notify_receiver(const lamp_notify *n, size_t i);

/* What became of one's messages (struct lamp_receiver_counts), and those that were given up. LAMP_ESTORE. */
LAMP_CHECK int lamp_notify_counts(lamp_notify *n, const char *name,
                                  struct lamp_receiver_counts *out);
LAMP_CHECK int lamp_notify_dead(lamp_notify *n, const char *name, uint32_t limit,
                                bool (*fn)(const struct lamp_dead_view *v, void *arg), void *arg);

/* Sends a test past the queue, now, and waits for what comes of it. LAMP_ENOENT: there is no such receiver;
 * LAMP_EAGAIN: another test is under way; else as lamp_notify_send(), whose word is in why (256 bytes). */
LAMP_CHECK int lamp_notify_test(lamp_notify *n, const char *name, char *why);

/* Has what was given up, and what waits after a failure, tried now. *out_n: messages. LAMP_ENOENT,
 * LAMP_ESTORE. */
LAMP_CHECK int lamp_notify_retry(lamp_notify *n, const char *name, uint64_t *out_n);
