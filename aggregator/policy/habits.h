/* SPDX-License-Identifier: Apache-2.0 */
/* habits: holds what hosts with a baseline do against it: whether they fall silent, speak to somebody that it
 * does not know, have far more or less traffic, or leave a regular contact out. What is mining is known every
 * interval of summaries, other traffic once its minute is over; both in the sensor's time, so that a link that
 * is down or a spool that is worked off late raises nothing. While a host is silent nothing else is said of it.
 * At most LAMP_BASELINES_MAX, of each the LAMP_BASELINE_NEWS destinations seen last. The writer thread's. */
#pragma once

#include "aggregator/policy/alarms.h"
#include "aggregator/policy/learner.h"

typedef struct lamp_habits lamp_habits;

struct lamp_habits_cfg {
    lamp_store *store; /* both borrowed */
    lamp_alarms *alarms;
    lamp_asn_fn *asn; /* may be NULL */
    void *arg;
};

/* Reads the baselines in force. LAMP_ESTORE, LAMP_ENOMEM. */
LAMP_CHECK int lamp_habits_new(const struct lamp_habits_cfg *cfg, lamp_habits **out);
lamp_habits *lamp_habits_free(lamp_habits *h);

/* One baseline, or what was said to its unexpected destinations, has changed, or it is gone. LAMP_ESTORE,
 * LAMP_ENOMEM. */
LAMP_CHECK int lamp_habits_reload(lamp_habits *h, int64_t id, uint64_t now_us);

/* What a record says of a connection that is at least suspected to mine. from_us, to_us: what the record
 * covers. LAMP_ESTORE. */
struct lamp_habits_news {
    const char *site, *sensor;
    const struct lamp_track_conn *conn;
    const struct lamp_conn_row *delta;
    uint64_t from_us, to_us;
};
LAMP_CHECK int lamp_habits_mined(lamp_habits *h, const struct lamp_habits_news *n);

/* The rest of a record: traffic that is no mining. Then all that the sensor saw until its end is known: the
 * look at the hosts that it saw last. LAMP_ESTORE. */
LAMP_CHECK int lamp_habits_batch(lamp_habits *h, const char *site, const char *sensor,
                                 const struct lamp_batch *b);

/* What the baseline of a host says of a wallet. */
enum lamp_habits_word { LAMP_HABITS_NO_WORD, LAMP_HABITS_KNOWN, LAMP_HABITS_FOREIGN };
enum lamp_habits_word lamp_habits_wallet(const lamp_habits *h, const char *site,
                                         const struct lamp_addr *host, const char *wallet);

/* Whether there is a baseline that says when a host is silent. */
bool lamp_habits_listens(const lamp_habits *h, const char *site, const struct lamp_addr *host);

/* Whether a host is silent, which its own alert says. */
bool lamp_habits_silent(const lamp_habits *h, const char *site, const struct lamp_addr *host);

/* Unexpected destinations that were too many in one record to be written down. */
uint64_t lamp_habits_refused(const lamp_habits *h);
