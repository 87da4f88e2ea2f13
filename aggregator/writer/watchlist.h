/* SPDX-License-Identifier: Apache-2.0 */
/* watchlist: the endpoints that sensors of every site watch for: those of the pools in the catalogue,
 * by name and by the addresses that the names led to within a day, and those where a connection of some
 * site was proved to be mining (confirmed, or probable by more than the watch list itself) within the
 * last LAMP_PROVED_SERVER_DAYS days, by address; and the wallets that confirmed connections were mining to within
 * LAMP_PROVED_WALLET_DAYS, by lamp_wallet_name(): those whose checksum is right, or that an operator accepted or
 * extended, since "test" is many people's. An address that several pools share, or that belongs to a content
 * network, is on it with a weight that says so. What was proved, and the wallets of confirmed connections, is
 * written down (store/proved.h), and operators may accept, mute or extend it. Bounded: LAMP_PROVED_MAX of each
 * kind, the one that was silent longest gives way, and LAMP_WIRE_SET_ENTRIES_MAX in all: proved ones first, with
 * LAMP_PROVED_LISTED wallets, then names. The writer thread's, inside its transactions.
 *
 * The text of an entry is "WEIGHT\tORIGIN\tCOIN\tPOOL" (docs/WIRE.md). */
#pragma once

#include "aggregator/handover/command.h"
#include "aggregator/store/pools.h"
#include "aggregator/store/write.h"
#include "common/cdn.h"

typedef struct lamp_watchlist lamp_watchlist;

/* Loads what the store knows. Both are borrowed, cdn may be NULL. LAMP_ESTORE, LAMP_ENOMEM. */
LAMP_CHECK int lamp_watchlist_open(lamp_store *store, const lamp_cdn *cdn, lamp_watchlist **out);
lamp_watchlist *lamp_watchlist_close(lamp_watchlist *w);

/* Notes a connection of a site. *io_changed becomes true where the list is no longer what it was.
 * LAMP_ESTORE. */
LAMP_CHECK int lamp_watchlist_note(lamp_watchlist *w, const char *site,
                                   const struct lamp_conn_row *row, bool *io_changed);

/* A command LAMP_CMD_PROVED: what an operator says to something proved; it is in the audit log then.
 * LAMP_ENOENT: nothing has that number. LAMP_EFULL: too many have a word. LAMP_ESTORE. */
LAMP_CHECK int lamp_watchlist_say(lamp_watchlist *w, const struct lamp_command *c, uint64_t now_us,
                                  struct lamp_command_result *r);

/* What is on it now (lamp_set_build_fn of sets.h; arg is the watchlist). LAMP_ENOMEM. */
LAMP_CHECK int lamp_watchlist_build(void *arg, const char *site, uint64_t now_us,
                                    struct lamp_set *out);
