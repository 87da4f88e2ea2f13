/* SPDX-License-Identifier: Apache-2.0 */
/* inbox: what the capture process hears from its link and answers: the watch list to look servers up in, the settings of its site,
 * the names to look for in DNS answers, and what such answers said. It trusts its link: who signed a
 * list was checked before.
 * Bounded: LAMP_WIRE_LOCAL_NAMES_MAX names, LAMP_INBOX_ANSWERS answers between two flushes; more are
 * counted and come again with the next answer. Of pools and coins LAMP_INBOX_TEXTS names are known, for as
 * long as the inbox lives, since connections that were found by them keep them. lamp_inbox_answer() may be called by any thread, the
 * others by one. Never logs, never reads a clock. */
#pragma once

#include "proto/wire.h"
#include "sensor/engine/identity.h"
#include "sensor/settings.h"

typedef struct lamp_inbox lamp_inbox;

enum { LAMP_INBOX_ANSWERS = 256, LAMP_INBOX_TEXTS = 1024 };

/* fd: the channel to the link; borrowed. LAMP_ENOMEM. */
LAMP_CHECK int lamp_inbox_new(int fd, lamp_inbox **out);
lamp_inbox *lamp_inbox_free(lamp_inbox *b);

/* Reads what waits. LAMP_ECLOSED: the link is gone. */
LAMP_CHECK int lamp_inbox_read(lamp_inbox *b);

/* Has fn told of every order of a packet sample, and of what is to be tracked, which is lent. */
typedef void lamp_inbox_order_fn(enum lamp_msg_type type, const struct lamp_order *o, void *arg);
void lamp_inbox_on_order(lamp_inbox *b, lamp_inbox_order_fn *fn, void *arg);

/* Has fn told of blocks that the fleet has heard of, which are lent. */
typedef void lamp_inbox_blocks_fn(const struct lamp_coin_blocks *blocks, void *arg);
void lamp_inbox_on_blocks(lamp_inbox *b, lamp_inbox_blocks_fn *fn, void *arg);

/* Has the settings that the aggregator has for the site kept there; borrowed. */
void lamp_inbox_settings(lamp_inbox *b, struct lamp_settings *settings);

/* Whether there are other settings than at the last such call. */
bool lamp_inbox_set_anew(lamp_inbox *b);

/* Takes one packed Envelope, as lamp_inbox_read() does with each. */
void lamp_inbox_take(lamp_inbox *b, struct lamp_bytes packed);

/* Whether there is another watch list than at the last such call; *out gets it (NULL: none) and the
 * one before is over, so nobody may look into it any more. */
bool lamp_inbox_watch(lamp_inbox *b, const lamp_watch **out);

/* A DNS answer: name (lower case) has the address, the server said so. */
void lamp_inbox_answer(lamp_inbox *b, const char *name, const struct lamp_addr *addr,
                       const struct lamp_addr *server, uint32_t ttl_s);

/* Sends what answers said, and says which watch list and which settings are held: now where that is news, else where
 * `again`. What the link has no room for is lost and comes again. LAMP_ECLOSED. */
LAMP_CHECK int lamp_inbox_flush(lamp_inbox *b, bool again);

uint64_t lamp_inbox_dropped(const lamp_inbox *b);
