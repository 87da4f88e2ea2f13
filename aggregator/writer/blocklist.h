/* SPDX-License-Identifier: Apache-2.0 */
/* blocklist: which blocks are in force, and for each site the signed list that its sensors
 * enforce. A site's list is canonical (sorted, no overlaps: a narrower entry gives way to a
 * wider one), has an epoch (that of the database) and a serial that grows with each change,
 * fleet-wide; its manifest expires after the list time to live and is renewed at half of it.
 * At most 10,000 entries a site. The writer thread's. */
#pragma once

#include "aggregator/keys.h"
#include "aggregator/store/write.h"

typedef struct lamp_blocklist lamp_blocklist;

struct lamp_blocklist_cfg {
    lamp_store *store; /* borrowed, as is keys */
    const struct lamp_keys *keys;
    const struct lamp_prefix *never; /* copied; on top of what is never blocked anyway */
    size_t n_never;
    uint32_t ttl_s; /* of lists, and the longest of an entry */
};

/* Loads the blocks in force. LAMP_ESTORE, LAMP_ENOMEM. */
LAMP_CHECK int lamp_blocklist_open(const struct lamp_blocklist_cfg *cfg, lamp_blocklist **out);
lamp_blocklist *lamp_blocklist_close(lamp_blocklist *l);

/* Adds a block (sets id) or ends one. `why` gets a sentence for a person when it is refused.
 * add: LAMP_EPROTECTED (never list), LAMP_EPOLICY (too wide), LAMP_EEXIST, LAMP_ENOENT (no such
 * site), LAMP_ECANON (host bits), LAMP_EFULL, LAMP_EINVAL. end: LAMP_ENOENT. Both LAMP_ESTORE.
 * Sites learn of it from the next lamp_blocklist_publish(). */
LAMP_CHECK int lamp_blocklist_add(lamp_blocklist *l, struct lamp_block *b, char *why, size_t size);
LAMP_CHECK int lamp_blocklist_end(lamp_blocklist *l, int64_t id, const char *by, uint64_t now_us,
                                  char *why, size_t size);

/* Whether a block in force covers what goes between the host and the server. */
bool lamp_blocklist_covers(const lamp_blocklist *l, const struct lamp_miner_target *t);

/* Makes a site's list if there is none yet. */
LAMP_CHECK int lamp_blocklist_site(lamp_blocklist *l, const char *site, uint64_t now_us);

/* What changed: a block that expired, or a site's list (head is the new one). */
struct lamp_blocklist_news {
    int64_t expired_id; /* 0: this is about a list */
    const char *site;
    struct lamp_set_head head;
};
typedef void lamp_blocklist_fn(const struct lamp_blocklist_news *news, void *arg);

/* Ends expired blocks, then makes the lists that a change or their age call for. Inside a
 * transaction. After an error and the roll-back, open the blocklist anew. */
LAMP_CHECK int lamp_blocklist_publish(lamp_blocklist *l, uint64_t now_us, lamp_blocklist_fn *fn,
                                      void *arg);

/* When lamp_blocklist_publish() has work next; UINT64_MAX: never. */
uint64_t lamp_blocklist_due_us(const lamp_blocklist *l, uint64_t now_us);

/* The head of a site's list. LAMP_ENOENT: none. */
LAMP_CHECK int lamp_blocklist_head(const lamp_blocklist *l, const char *site,
                                   struct lamp_set_head *out);

/* Lends fn the messages of the whole list of a site as the answer to a query: SET_BEGIN,
 * SET_CHUNK..., SET_END. LAMP_ENOENT, LAMP_ENOMEM, or what fn returned. */
typedef int lamp_blocklist_send_fn(const struct lamp_msg *m, void *arg);
LAMP_CHECK int lamp_blocklist_answer(const lamp_blocklist *l, const char *site,
                                     const struct lamp_nonce *nonce, lamp_blocklist_send_fn *fn,
                                     void *arg);
