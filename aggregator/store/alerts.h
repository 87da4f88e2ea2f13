/* SPDX-License-Identifier: Apache-2.0 */
/* alerts: what a person should know of and what became of it. One alert stands for a condition
 * (a kind and what it is about) from when it begins until it ends, however often it is seen.
 * At most LAMP_ALERTS_MAX are kept: the oldest that ended make room; where none has ended, what is
 * new is refused and counted. */
#pragma once

#include "aggregator/store/sort.h"
#include "common/err.h"
#include "common/util.h"

enum lamp_severity { LAMP_SEVERITY_NOTICE, LAMP_SEVERITY_WARNING, LAMP_SEVERITY_CRITICAL };

enum lamp_alert_kind {
#define LAMP_ALERT(name, text, severity, about) LAMP_ALERT_##name,
#include "aggregator/store/alert_kinds.def"
#undef LAMP_ALERT
    LAMP_ALERT_KINDS
};

enum {
    LAMP_ALERTS_MAX = 20000,
    LAMP_ALERT_SUBJECT = 256, /* with NUL, as below */
    LAMP_ALERT_TEXT = 512,
};

/* "miner-confirmed", and a sentence; of a kind that does not exist: "unknown". */
const char *lamp_alert_name(enum lamp_alert_kind k);
const char *lamp_alert_about(enum lamp_alert_kind k);
enum lamp_severity lamp_alert_severity(enum lamp_alert_kind k);
const char *lamp_severity_name(enum lamp_severity s); /* "notice", "warning", "critical" */

/* A condition as the writer sees it. */
struct lamp_alert {
    enum lamp_alert_kind kind;
    char subject[LAMP_ALERT_SUBJECT]; /* what it is about: with the kind, what makes it one */
    char site[65];                    /* "" no site in particular */
    char text[LAMP_ALERT_TEXT]; /* a sentence for a person; from the network: UTF-8 at least */
    int64_t miner_id;           /* 0: none */
};

struct lamp_alert_view {
    int64_t id;
    enum lamp_alert_kind kind;
    const char *subject, *site, *text;
    int64_t miner_id;
    uint64_t count;              /* times it was seen, a minute apart at least */
    uint64_t first_us;           /* when the condition was first seen, ever */
    uint64_t raised_us, last_us; /* this time: when it began, when it was last seen */
    uint64_t resolved_us;        /* 0: it lasts */
    uint64_t acked_us;           /* 0: nobody acknowledged it */
    const char *acked_by;
};
typedef bool lamp_alert_view_fn(const struct lamp_alert_view *v, void *arg);

/* What the owner of rigs says is theirs: wallets, pools that they trust, workers that they expect. */
enum lamp_own_kind { LAMP_OWN_WALLET, LAMP_OWN_POOL, LAMP_OWN_WORKER, LAMP_OWN_KINDS };
const char *lamp_own_name(enum lamp_own_kind k); /* "wallet", "pool", "worker" */

enum { LAMP_OWN_MAX = 4096 }; /* entries */

struct lamp_own {
    int64_t id; /* 0: not in the store yet */
    enum lamp_own_kind kind;
    char site[65]; /* "" every site */
    char value
        [257]; /* a pool: a name and all below it, an address, ADDRESS:PORT; a worker: may end in '*' */
    char note[129], added_by[65];
    uint64_t added_us;
};
typedef bool lamp_own_fn(const struct lamp_own *o, void *arg);

struct lamp_alert_filter {
    int64_t id;       /* 0: any */
    int64_t after_id; /* 0: all; else those behind this one in the order */
    bool open;        /* only those that last */
    const char *site; /* NULL: any */
    uint32_t limit;   /* 0: 200 */
    struct lamp_sort sort;
};

struct lamp_alert_counts {
    uint64_t kept, open, unacknowledged; /* the last of those that last */
    uint64_t refused;                    /* for want of room, since the database was made */
};
