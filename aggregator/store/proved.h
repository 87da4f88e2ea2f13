/* SPDX-License-Identifier: Apache-2.0 */
/* proved: what the fleet learned by itself: servers at which a connection of some site was proved to be mining,
 * and wallets that were mined to, with where each was met first and what an operator said to it. */
#pragma once

#include "common/addr.h"
#include "common/err.h"
#include "common/util.h"

enum lamp_proved_kind { LAMP_PROVED_SERVER, LAMP_PROVED_WALLET, LAMP_PROVED_KINDS };
const char *lamp_proved_kind_name(enum lamp_proved_kind k); /* "server", "wallet" */

enum lamp_proved_word {
    LAMP_PROVED_NOTHING,
    LAMP_PROVED_ACCEPTED, /* holds until this is taken back */
    LAMP_PROVED_MUTED,    /* is no evidence, whatever is seen, until this is taken back */
};

/* How it stands at some time. */
enum lamp_proved_state {
    LAMP_PROVED_FRESH,
    LAMP_PROVED_OLD, /* not seen since the day before: weak evidence */
    LAMP_PROVED_OVER,
    LAMP_PROVED_KEPT, /* accepted */
    LAMP_PROVED_SILENCED,
};
const char *lamp_proved_state_name(enum lamp_proved_state s); /* "fresh", ... */

enum {
    LAMP_PROVED_MAX = 4096,    /* of each kind; the one that was silent longest gives way */
    LAMP_PROVED_SPOKEN = 2048, /* of each kind with a word of an operator: those never give way; one
                                  that has run out makes room for another */
    LAMP_PROVED_LISTED =
        1024, /* wallets on the watch list: the newest, those that were spoken about before */
    LAMP_PROVED_SERVER_DAYS = 7,
    LAMP_PROVED_WALLET_DAYS = 30, /* LAMP_TRACE_US */
    LAMP_PROVED_DAYS_MAX = 365,   /* for so long one may be extended */
};

struct lamp_proved {
    int64_t id; /* 0: not in the store yet */
    enum lamp_proved_kind kind;
    struct lamp_addr addr; /* of a server */
    uint16_t port;
    char wallet[129];           /* of a wallet; "" */
    bool confirmed;             /* else probable */
    uint64_t first_us, last_us; /* last_us: of the newest day */
    char site[65];              /* that met it first */
    char coin[24], pool[80];
    enum lamp_proved_word word;
    uint64_t until_us; /* extended to; 0: it is not */
    char said_by[65], note[129];
    uint64_t said_us; /* 0: nobody said anything */
};
typedef bool lamp_proved_fn(const struct lamp_proved *p, void *arg);

/* When it ends by itself; UINT64_MAX: never, since somebody said so. */
uint64_t lamp_proved_end_us(const struct lamp_proved *p);
enum lamp_proved_state lamp_proved_state_of(const struct lamp_proved *p, uint64_t now_us);
