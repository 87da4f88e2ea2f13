/* SPDX-License-Identifier: Apache-2.0 */
/* rigs: watches the hosts whose mining is wanted (those with a server that is marked as sanctioned):
 * that they mine to wallets and pools and under names of the owner's lists, that their shares are
 * accepted, that they do not fall silent and keep their hash rate. Silence of a host with a baseline is for that
 * to tell (habits.h); of others how often packets of mining come is known from their hour. An hour of each is
 * remembered, in steps of 20 s of the sensors' time, so that a link that is down or a spool that is worked off
 * late raises nothing. At most LAMP_RIGS_MAX; of others nothing is told, and they are counted.
 *
 * Chance raises no alert. Where a share is found is a Poisson process, so how unlikely it is to see
 * n of m expected shares, or k of n rejected, is bounded by Chernoff's inequality (Mitzenmacher and
 * Upfal, Probability and Computing, theorems 4.5 and 5.4); an alert needs less than one in 10^9, or
 * one in 10^6 where shares are rejected. The writer thread's. */
#pragma once

#include "aggregator/policy/alarms.h"
#include "aggregator/policy/habits.h"

typedef struct lamp_rigs lamp_rigs;

enum { LAMP_RIGS_MAX = 2048 };

struct lamp_rigs_cfg {
    lamp_store *store; /* both borrowed */
    lamp_alarms *alarms;
    double rejected;     /* 0 to 1: more of the shares rejected is an alert */
    uint64_t silence_us; /* without an accepted share for so long is an alert */
    double drop;         /* 0 to 1: a hash rate lower by more is an alert */
    lamp_habits *habits; /* whose wallets are a rig's where no list says so; may be NULL */
};

/* Reads the owner's lists. LAMP_ESTORE, LAMP_ENOMEM. */
LAMP_CHECK int lamp_rigs_new(const struct lamp_rigs_cfg *cfg, lamp_rigs **out);
lamp_rigs *lamp_rigs_free(lamp_rigs *r);

/* A miner is no rig any more. */
void lamp_rigs_forget(lamp_rigs *r, int64_t miner_id);

/* The owner's lists have changed. */
LAMP_CHECK int lamp_rigs_reload(lamp_rigs *r);

/* What a record says of a connection of a rig. at_us: end of what it covers. *out_judged: the lists
 * say whether it is all right, so that nobody else needs to. LAMP_ESTORE. */
struct lamp_rig_news {
    const char *site, *sensor;
    const struct lamp_track_conn *conn;
    const struct lamp_conn_row *delta;
    uint64_t at_us;
};
LAMP_CHECK int lamp_rigs_mined(lamp_rigs *r, const struct lamp_rig_news *n, bool *out_judged);

/* All that a sensor saw between two times is known now: the look at the rigs it saw last. LAMP_ESTORE. */
LAMP_CHECK int lamp_rigs_interval(lamp_rigs *r, const char *sensor, uint64_t from_us,
                                  uint64_t to_us);

/* Rigs that found no room. */
uint64_t lamp_rigs_refused(const lamp_rigs *r);
