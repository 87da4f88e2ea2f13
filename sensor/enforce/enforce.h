/* SPDX-License-Identifier: Apache-2.0 */
/* enforce: checks and keeps the sets that the aggregator sends (signedset, sidesets);
 * puts the accepted block list into the kernel and keeps it there, minus what the
 * never list protects; ends the connections it covers; goes back to the list before where a
 * list cuts the way to the aggregator; puts right what others change in our table; tells the
 * aggregator what is in force and what was hit. One per enforce process; the kernel is behind
 * backends, so tests need no privilege. Not thread-safe; the module itself never logs nor reads a
 * clock: the process loop does. */
#pragma once

#include "sensor/conf.h"
#include "sensor/enforce/cut.h"
#include "sensor/enforce/nft.h"
#include "sensor/enforce/signedset.h"

typedef struct lamp_enforce lamp_enforce;

struct lamp_enforce_cfg {
    struct lamp_signedset_cfg set;
    enum lamp_enforce_mode mode;
    int priority;
    unsigned confirm_s;              /* how long a new list waits for an answer of the aggregator */
    const struct lamp_prefix *never; /* from the configuration; borrowed */
    size_t n_never;
    const struct lamp_prefix *resolvers; /* whose DNS answers count, beside this machine's own */
    size_t n_resolvers;
    const char *root;                /* before /proc and /etc paths; "" outside tests */
    struct lamp_nft_backend backend; /* borrowed */
    struct lamp_cut_backend cut;     /* cut NULL: connections are not ended */
};

/* Restores the list held before the restart and applies what is left of it. LAMP_ENOMEM. */
LAMP_CHECK int lamp_enforce_new(const struct lamp_enforce_cfg *cfg, uint64_t now_us,
                                lamp_enforce **out);

/* Forgets everything but leaves the table in the kernel: its own timeouts empty it. */
lamp_enforce *lamp_enforce_free(lamp_enforce *e);

/* Takes one packed Envelope from the link: parts of a set, the path in use, an answer of the
 * aggregator, what DNS answers said, which set capture holds. LAMP_OK: nothing was refused. Otherwise why a list
 * was refused (lamp_signedset_feed(), LAMP_EKERNEL); the status says it too. */
LAMP_CHECK int lamp_enforce_message(lamp_enforce *e, struct lamp_bytes packed, uint64_t now_us);

/* To be called every second, which is also how the time for a confirmation is measured: follows
 * panic and resume and expiry. Every 10 s (30 s with more than LAMP_ENFORCE_MANY elements) reads
 * the table: counters, what others changed in it, what must never be blocked. */
void lamp_enforce_tick(lamp_enforce *e, uint64_t now_us);

enum { LAMP_ENFORCE_MANY = 2000 };

/* Fills *out (borrows from e until the next call) and returns true where capture must be told which
 * names to look for: after a change, and every 10 s while there are any. */
bool lamp_enforce_names(lamp_enforce *e, uint64_t now_us, struct lamp_local_names *out);

/* Fills *out (borrows from e until the next call) and returns true while a status is due:
 * of each set after a change, and every 5 minutes. */
bool lamp_enforce_status(lamp_enforce *e, uint64_t now_us, struct lamp_set_status *out);

/* The set of a kind that is in hand, whether or not it is in force. */
struct lamp_set_head lamp_enforce_head(const lamp_enforce *e, enum lamp_set_kind kind);

/* Lends fn the messages that capture is to get (lamp_sidesets_tell()). */
LAMP_CHECK int lamp_enforce_tell(lamp_enforce *e, lamp_signedset_msg_fn *fn, void *arg);

/* Where the durable files of the enforce process lie, and the flag that `panic` leaves there. */
#define LAMP_ENFORCE_DIR "enforce"
#define LAMP_ENFORCE_OFF_FLAG "off"

/* `panic` and `resume`: removes the table and leaves the durable flag; takes the flag away.
 * Negated errno, LAMP_EKERNEL with nft's words in why. */
LAMP_CHECK int lamp_enforce_panic(const char *state_dir, char why[LAMP_NFT_WHY]);
LAMP_CHECK int lamp_enforce_resume(const char *state_dir);

/* The enforce process: serves the link on fd until a signal ends it. Returns an exit status. */
int lamp_enforce_run(const struct lamp_sensor_conf *conf, int fd, int ready_fd);
