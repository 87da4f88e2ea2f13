/* SPDX-License-Identifier: Apache-2.0 */
/* blocklist: which blocks are in force, and what of them is for a site's sensors: canonical, a
 * narrower entry gives way to a wider one. At most 10,000 over all sites. The writer thread's.
 *
 * What is unusually wide or one of many waits for a second person's approval before it is on any
 * list, and is then marked as approved there, which sensors ask for as well: a prefix wider than
 * /24 (IPv6 /48; never wider than /16, /32), more than LAMP_BLOCKLIST_HOUR blocks (or a twentieth of
 * those in force) within an hour for a site, more than LAMP_BLOCKLIST_HOSTS of a site's hosts, or more
 * than a tenth of those that were seen within an hour. Twice what may come in an hour is within what
 * a sensor takes, whenever its hours begin.
 *
 * A site that is held keeps the blocks that it has, as long as they last. */
#pragma once

#include "aggregator/store/write.h"

typedef struct lamp_blocklist lamp_blocklist;

/* Told that the list of a site ("" every site) is no longer what it was. */
typedef void lamp_blocklist_fn(const char *site, void *arg);

struct lamp_blocklist_cfg {
    lamp_store *store;               /* borrowed */
    const struct lamp_prefix *never; /* copied; on top of what is never blocked anyway */
    size_t n_never;
    uint32_t ttl_s;    /* of lists, and the longest of an entry */
    bool no_approvals; /* one person is enough: what is unusual counts as approved */
    lamp_blocklist_fn *changed;
    void *arg;
};

/* Loads the blocks in force. LAMP_ESTORE, LAMP_ENOMEM. */
LAMP_CHECK int lamp_blocklist_open(const struct lamp_blocklist_cfg *cfg, lamp_blocklist **out);
lamp_blocklist *lamp_blocklist_close(lamp_blocklist *l);

/* Who asks for something. A token acts under a name of its own, for the person that made it: the
 * two are one person where a second one is asked for. */
struct lamp_asker {
    const char *name;   /* account or token */
    const char *person; /* the account behind it */
};

enum { LAMP_BLOCKLIST_HOUR = 25, LAMP_BLOCKLIST_HOSTS = 5 };

/* Makes a site known, so that blocks may be for it. LAMP_ENOMEM, LAMP_ESTORE. */
LAMP_CHECK int lamp_blocklist_site(lamp_blocklist *l, const char *site);

/* Adds a block (sets id and approval) or ends one. `why` gets a sentence for a person when it is refused.
 * add: LAMP_EPROTECTED (never list), LAMP_EPOLICY (too wide), LAMP_EEXIST, LAMP_ENOENT (no such
 * site), LAMP_ECANON (host bits), LAMP_EFULL, LAMP_EINVAL. end: LAMP_ENOENT. Both LAMP_ESTORE. */
LAMP_CHECK int lamp_blocklist_add(lamp_blocklist *l, struct lamp_block *b, char *why, size_t size);
LAMP_CHECK int lamp_blocklist_end(lamp_blocklist *l, int64_t id, const char *by, uint64_t now_us,
                                  char *why, size_t size);

/* What lamp_blocklist_add() would say and what approval it would ask for (set in *b), without doing it. */
LAMP_CHECK int lamp_blocklist_check(const lamp_blocklist *l, struct lamp_block *b, char *why,
                                    size_t size);

/* A second person approves or refuses a block that waits. LAMP_ENOENT: none waits under that id.
 * LAMP_EAUTH: whoever entered it may not approve it. LAMP_ESTORE. */
LAMP_CHECK int lamp_blocklist_decide(lamp_blocklist *l, int64_t id, bool approve,
                                     const struct lamp_asker *by, uint64_t now_us, char *why,
                                     size_t size);

/* Holds a site at the list of a serial. LAMP_ENOENT: no such site; LAMP_EEXIST: it is held. */
LAMP_CHECK int lamp_blocklist_hold(lamp_blocklist *l, const char *site, uint64_t serial,
                                   const char *by, uint64_t now_us, char *why, size_t size);

/* Ends that. LAMP_ENOENT: it is not held. LAMP_EAGAIN: so much comes at once that another person has
 * to ask as well; that this one did is noted. LAMP_ESTORE, LAMP_ENOMEM. */
LAMP_CHECK int lamp_blocklist_release(lamp_blocklist *l, const char *site,
                                      const struct lamp_asker *by, uint64_t now_us, char *why,
                                      size_t size);

/* Whether a block in force covers what goes between the host and the server. */
bool lamp_blocklist_covers(const lamp_blocklist *l, const struct lamp_miner_target *t);

/* Ends expired blocks and lends fn their ids. LAMP_ESTORE. After an error and the roll-back, open the
 * blocklist anew. */
LAMP_CHECK int lamp_blocklist_expire(lamp_blocklist *l, uint64_t now_us, lamp_block_changed_fn *fn,
                                     void *arg);

/* When lamp_blocklist_expire() has work next; UINT64_MAX: never. */
uint64_t lamp_blocklist_due_us(const lamp_blocklist *l);

/* What is for a site (lamp_set_build_fn of sets.h; arg is the blocklist). LAMP_ENOMEM. */
LAMP_CHECK int lamp_blocklist_build(void *arg, const char *site, uint64_t now_us,
                                    struct lamp_set *out);
