/* SPDX-License-Identifier: Apache-2.0 */
/* watchlist: the endpoints that sensors of every site watch for: those of the pools in the catalogue,
 * by name and by the addresses that the names led to within a day, and those where a connection of some
 * site was proved to be mining (confirmed, or probable by more than the watch list itself) within the
 * last LAMP_WATCH_DAYS days, by address. An address that several pools share, or that belongs to a content
 * network, is on it with a weight that says so. Bounded: LAMP_WATCH_PROVED proved ones, the one that was
 * silent longest gives way, and LAMP_WIRE_SET_ENTRIES_MAX in all: proved ones first, then names.
 * The writer thread's.
 *
 * The text of an entry is "WEIGHT\tORIGIN\tCOIN\tPOOL" (docs/WIRE.md). */
#pragma once

#include "aggregator/store/pools.h"
#include "aggregator/store/write.h"
#include "common/cdn.h"

typedef struct lamp_watchlist lamp_watchlist;

enum { LAMP_WATCH_DAYS = 7, LAMP_WATCH_PROVED = 4096 };

/* Loads what the store knows. Both are borrowed, cdn may be NULL. LAMP_ESTORE, LAMP_ENOMEM. */
LAMP_CHECK int lamp_watchlist_open(lamp_store *store, const lamp_cdn *cdn, uint64_t now_us,
                                   lamp_watchlist **out);
lamp_watchlist *lamp_watchlist_close(lamp_watchlist *w);

/* Notes a connection of a site. Returns whether the list is no longer what it was. */
bool lamp_watchlist_note(lamp_watchlist *w, const char *site, const struct lamp_conn_row *row);

/* What is on it now (lamp_set_build_fn of sets.h; arg is the watchlist). LAMP_ENOMEM. */
LAMP_CHECK int lamp_watchlist_build(void *arg, const char *site, uint64_t now_us,
                                    struct lamp_set *out);
