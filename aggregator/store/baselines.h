/* SPDX-License-Identifier: Apache-2.0 */
/* baselines: what a host whose mining is wanted does when all is well: where it speaks to, with what, how
 * much and how regularly. One baseline a host of a site. What was accepted is a version; a draft (version 0) is
 * what was learned and nobody has accepted yet. Plain data and the store's calls for it.
 * Bounded: LAMP_BASELINES_MAX of them, each with LAMP_BASELINE_ENTRIES destinations in each of its newest
 * LAMP_BASELINE_VERSIONS versions and LAMP_BASELINE_NEWS unexpected ones; what finds no room is counted. */
#pragma once

#include "aggregator/store/write.h"

enum {
    LAMP_BASELINES_MAX = 256,
    LAMP_BASELINE_ENTRIES = 128,
    LAMP_BASELINE_VERSIONS = 10, /* accepted ones that are kept */
    LAMP_BASELINE_NEWS = 128,
    LAMP_BASELINE_WALLETS = 8,
    LAMP_BASELINE_TEXT = 129, /* a name, a pool, an application; with NUL */
    LAMP_BASELINE_NOTE = 257,
    LAMP_BASELINE_MINUTES_LEAST = 10,
    LAMP_BASELINE_DAYS_MOST = 7,
};

/* By what a destination is known again. Its address alone is always enough. */
enum lamp_baseline_by {
    LAMP_BASELINE_BY_ADDRESS,
    LAMP_BASELINE_BY_NAME, /* as DNS, TLS or HTTP called it */
    LAMP_BASELINE_BY_POOL, /* as the catalogue calls it */
    LAMP_BASELINE_BY_ASN,  /* whose network it is in */
    LAMP_BASELINE_BYS
};
const char *lamp_baseline_by_name(enum lamp_baseline_by by); /* "address", "name", "pool", "asn" */

/* Somewhere a host speaks to; ports and protocol are the service's. */
struct lamp_baseline_place {
    struct lamp_addr remote;
    uint8_t ip_proto;
    uint16_t port;
    uint32_t asn; /* 0: unknown */
    bool mining;
    char name[LAMP_BASELINE_TEXT], pool[LAMP_BASELINE_TEXT]; /* "" unknown */
    char application[LAMP_BASELINE_TEXT];                    /* of mining: the protocol family */
};

/* One that was learned. */
struct lamp_baseline_entry {
    struct lamp_baseline_place at;
    enum lamp_baseline_by by;
    uint64_t bytes, packets; /* both ways, within the window */
    uint32_t minutes;        /* with traffic */
    double period_min; /* minutes from one contact to the next; 0: no rhythm, or every minute */
    double jitter_min; /* how much the longest and shortest such time are off it at most */
};

/* A quantity per minute. */
struct lamp_spread {
    double mean, sd, most;
    double carry; /* how much of a minute's deviation the next one shares, 0 to 0.9 */
};

/* Whether what is at hand is the destination that was learned. */
bool lamp_baseline_knows(const struct lamp_baseline_entry *e, const struct lamp_baseline_place *at);

/* By what a destination is known again: its pool, else its name, else its address; with by_asn its network before
 * its name. */
enum lamp_baseline_by lamp_baseline_by_of(const struct lamp_baseline_place *at, bool by_asn);

struct lamp_baseline_body {
    uint64_t from_us, to_us;          /* the window it was learned over */
    uint32_t minutes;                 /* of it, that something is known of */
    struct lamp_spread mining, other; /* bytes both ways */
    struct lamp_spread packets;       /* of mining, both ways; of all where it does not mine */
    char wallets[LAMP_BASELINE_WALLETS][LAMP_TRACK_TEXT];
    uint32_t n_wallets, n_entries;
    uint32_t left_out;                                         /* destinations that found no room */
    struct lamp_baseline_entry entries[LAMP_BASELINE_ENTRIES]; /* largest first */
};

struct lamp_baseline {
    int64_t id; /* 0: not in the store yet */
    char site[LAMP_NAME_MAX];
    struct lamp_addr host;
    uint32_t version; /* the one in force; 0: none was accepted yet */
    uint64_t learn_from_us,
        learn_to_us;        /* window of a draft that is still to be learned; 0: none */
    bool has_draft, by_asn; /* by_asn: the draft knows destinations again by their network */
    uint64_t created_us;
    char created_by[LAMP_NAME_MAX];
    uint64_t news_left_out; /* unexpected destinations that found no room */
};
typedef bool lamp_baseline_fn(const struct lamp_baseline *b, void *arg);

/* A version without its body. */
struct lamp_baseline_version {
    uint32_t version;
    uint64_t from_us, to_us, at_us; /* window; when it was accepted */
    uint32_t minutes, entries;
    char by[LAMP_NAME_MAX], note[LAMP_BASELINE_NOTE]; /* who accepted it, and what changed */
};
typedef bool lamp_baseline_version_fn(const struct lamp_baseline_version *v, void *arg);

/* What was said to an unexpected destination. One that is accepted is one no longer. */
enum lamp_baseline_say { LAMP_BASELINE_NEW, LAMP_BASELINE_WATCHED, LAMP_BASELINE_BLOCKED };
const char *lamp_baseline_say_name(enum lamp_baseline_say s); /* "new", "watched", "blocked" */

struct lamp_baseline_news {
    int64_t id; /* 0: not in the store yet */
    struct lamp_baseline_place at;
    enum lamp_baseline_say say;
    uint64_t first_us, last_us, bytes, packets;
    char by[LAMP_NAME_MAX]; /* who said it; "" nobody has */
};
typedef bool lamp_baseline_news_fn(const struct lamp_baseline_news *n, void *arg);

/* What a host did in one minute with one destination. */
struct lamp_host_minute {
    uint64_t minute;               /* since 1970 */
    struct lamp_baseline_place at; /* asn is not filled in */
    uint64_t bytes, packets, packets_out;
    const char *wallet; /* of mining; "" unknown; valid during the call */
};
typedef bool lamp_host_minute_fn(const struct lamp_host_minute *m, void *arg);

struct lamp_baseline_filter {
    int64_t id;                   /* 0: any */
    const char *site;             /* NULL: any */
    const struct lamp_addr *host; /* NULL: any */
};

/* Baselines by number. LAMP_ESTORE, as from all below. */
LAMP_CHECK int lamp_store_baselines(lamp_store *s, const struct lamp_baseline_filter *f,
                                    lamp_baseline_fn *fn, void *arg);

/* The body of a version (0: the draft) of a baseline that the handle shows. LAMP_ENOENT. */
LAMP_CHECK int lamp_store_baseline_body(lamp_store *s, int64_t id, uint32_t version,
                                        struct lamp_baseline_body *out);

/* Accepted versions, the newest first. */
LAMP_CHECK int lamp_store_baseline_versions(lamp_store *s, int64_t id, lamp_baseline_version_fn *fn,
                                            void *arg);
/* Unexpected destinations, the newest seen first. */
LAMP_CHECK int lamp_store_baseline_news(lamp_store *s, int64_t id, lamp_baseline_news_fn *fn,
                                        void *arg);

/* The one of them that has a number. LAMP_ENOENT. */
LAMP_CHECK int lamp_baseline_news_find(lamp_store *s, int64_t id, int64_t news_id,
                                       struct lamp_baseline_news *out);

/* What a host of a site did in the minutes of both times and those between, as far as minutes are kept, by
 * minute. */
LAMP_CHECK int lamp_store_host_minutes(lamp_store *s, const char *site,
                                       const struct lamp_addr *host, uint64_t from_us,
                                       uint64_t to_us, lamp_host_minute_fn *fn, void *arg);

/* Inserts (id 0, sets it) or replaces. */
LAMP_CHECK int lamp_store_baseline_save(lamp_store *s, struct lamp_baseline *b);

/* Keeps a body as a version (0: the draft) in the place of one of that number, and forgets all but the
 * newest LAMP_BASELINE_VERSIONS. v: version, at_us, by and note of it. */
LAMP_CHECK int lamp_store_baseline_put(lamp_store *s, int64_t id,
                                       const struct lamp_baseline_version *v,
                                       const struct lamp_baseline_body *body);

/* Takes a draft, or all of a baseline, out. */
LAMP_CHECK int lamp_store_baseline_undraft(lamp_store *s, int64_t id);
LAMP_CHECK int lamp_store_baseline_remove(lamp_store *s, int64_t id);

/* Inserts (id 0, sets it; those seen longest ago make room) or replaces; takes one out. */
LAMP_CHECK int lamp_store_baseline_note(lamp_store *s, int64_t baseline_id,
                                        struct lamp_baseline_news *n);
LAMP_CHECK int lamp_store_baseline_forget(lamp_store *s, int64_t news_id);

/* Whether some mining of a host was marked as sanctioned. */
LAMP_CHECK int lamp_store_host_wanted(lamp_store *s, const char *site, const struct lamp_addr *host,
                                      bool *out);
