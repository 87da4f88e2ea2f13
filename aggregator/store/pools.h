/* SPDX-License-Identifier: Apache-2.0 */
/* pools: the catalogue in the store: pools, their servers (host names), what a server listens for
 * (entries: port and coin), the addresses its name led to, and what a probe found at an address and
 * port (endpoints). Nothing is ever taken out that was once known, so that "was it one then?" has
 * an answer: entries have versions, addresses the first and the last time they were seen,
 * endpoints a row for each change of their state.
 *
 * Entries come with the program (origin installed) or from an operator, whose word overrides what
 * is installed and mutes it. Limits below; what they refuse is counted. */
#pragma once

#include "common/addr.h"
#include "common/catalogue.h"
#include "common/err.h"

typedef struct lamp_store lamp_store;

enum {
    LAMP_POOL_NAME = 65, /* texts with their NUL */
    LAMP_POOL_FQDN = 254,
    LAMP_POOL_WORD = 33, /* coin, algorithm, protocol, kind */
    LAMP_POOL_SOURCE = 161,
    LAMP_POOL_REASON = 161,
    LAMP_POOL_BANNER = 129,

    LAMP_POOL_ENTRIES_MAX = 65536,
    LAMP_POOL_SERVERS_MAX = 16384,
    LAMP_POOL_ADDRESSES_MAX = 64, /* of a server; the one last seen longest ago gives way */
    LAMP_POOL_ENDPOINTS_MAX = 131072,
    LAMP_POOL_CHANGES_MAX = 4096, /* of an endpoint; the oldest give way */
    LAMP_POOL_VERSIONS_MAX = 64,  /* of an entry, likewise */
    LAMP_POOL_RESOLVED = 32,      /* addresses of one answer */
};

/* For how long a suspected server that was found to be a pool, or none, counts as that and is left alone. */
#define LAMP_POOL_YES_US (7 * UINT64_C(86400) * 1000000)
#define LAMP_POOL_NO_US (UINT64_C(86400) * 1000000)

/* An address that was not seen for longer has left its name. */
#define LAMP_POOL_ADDRESS_US (UINT64_C(3) * 3600 * 1000000)

enum lamp_pool_tls {
    LAMP_POOL_TLS_UNKNOWN,
    LAMP_POOL_TLS_NO,
    LAMP_POOL_TLS_YES,
    LAMP_POOL_TLS_BOTH
};
const char *lamp_pool_tls_name(enum lamp_pool_tls t);

/* LAMP_EFORMAT: none of the names. */
LAMP_CHECK int lamp_pool_tls_parse(const char *name, enum lamp_pool_tls *out);

enum lamp_pool_state {
    LAMP_POOL_UNKNOWN, /* never probed */
    LAMP_POOL_UP,      /* answers as a pool does */
    LAMP_POOL_LISTEN,  /* takes connections, and says nothing of mining */
    LAMP_POOL_DOWN,
};
const char *lamp_pool_state_name(enum lamp_pool_state s);

/* What a server listens for. */
struct lamp_pool_entry {
    int64_t id, pool_id, server_id;
    char pool[LAMP_POOL_NAME], fqdn[LAMP_POOL_FQDN];      /* fqdn in lower case, or an address */
    uint16_t port;                                        /* 0: any, or unknown */
    char coin[LAMP_POOL_WORD], algorithm[LAMP_POOL_WORD]; /* "" unknown, as below */
    char protocol[LAMP_POOL_WORD], kind[LAMP_POOL_WORD];
    char source[LAMP_POOL_SOURCE];
    enum lamp_pool_tls tls;
    bool legacy;    /* said to serve no longer */
    bool installed; /* came with the program */
    bool edited;    /* an operator changed it: the program's own data leaves it alone */
    bool active;    /* false: deleted, or muted where it is installed */
    uint64_t created_us, changed_us;
    char changed_by[LAMP_POOL_NAME]; /* an account; "installed" */
    uint32_t versions;
};
typedef bool lamp_pool_entry_fn(const struct lamp_pool_entry *e, void *arg);

/* Of a pool, for lists; counts are of active entries, addresses of those seen of late. */
struct lamp_pool_view {
    int64_t id;
    const char *name;
    const char *coins; /* '\n'-separated */
    uint32_t servers, addresses, entries, muted;
    uint32_t up, listen, down; /* endpoints by their state */
    uint64_t changed_us;
};
typedef bool lamp_pool_view_fn(const struct lamp_pool_view *v, void *arg);

struct lamp_pool_server {
    int64_t id, pool_id;
    const char *fqdn, *cname, *error; /* cname: where its name leads, error: of the last look-up */
    uint64_t resolved_us;             /* 0: never */
};
typedef bool lamp_pool_server_fn(const struct lamp_pool_server *v, void *arg);

struct lamp_pool_address {
    int64_t server_id;
    struct lamp_addr addr;
    uint64_t first_us, last_us; /* UINT64_MAX / 2: the entry names the address itself */
    uint32_t pools;             /* whose names lead, or led, to it */
    const char *cname;          /* of the server */
};
typedef bool lamp_pool_address_fn(const struct lamp_pool_address *v, void *arg);
#define LAMP_POOL_LITERAL_US (UINT64_MAX / 4)

struct lamp_pool_endpoint {
    int64_t id;
    struct lamp_addr addr;
    uint16_t port;
    enum lamp_pool_state state;
    uint64_t since_us, probed_us, up_us; /* up_us: when it last was; 0: never */
    char reason[LAMP_POOL_REASON];       /* a sentence */
    char family[LAMP_POOL_WORD];         /* of the dialect that it answered in; "" none */
    bool tls;
    char banner[LAMP_POOL_BANNER];      /* the server's own words */
    char certificate[LAMP_POOL_BANNER]; /* name in its certificate, which nobody verified */
    double difficulty;                  /* that it starts with; 0: not told */
    uint32_t latency_us;                /* of the TCP handshake; 0: none */
};
typedef bool lamp_pool_endpoint_fn(const struct lamp_pool_endpoint *v, void *arg);

struct lamp_pool_change {
    int64_t endpoint_id;
    uint64_t at_us;
    enum lamp_pool_state state;
    const char *reason, *family;
};
typedef bool lamp_pool_change_fn(const struct lamp_pool_change *c, void *arg);

/* One version of an entry. */
struct lamp_pool_version {
    int64_t entry_id;
    uint32_t no;
    uint64_t at_us;
    const char *actor, *action, *fqdn; /* action: "install", "add", "edit", "delete", "undo" */
    uint16_t port;
    const char *coin, *algorithm, *protocol;
    enum lamp_pool_tls tls;
    bool active;
};
typedef bool lamp_pool_version_fn(const struct lamp_pool_version *v, void *arg);

struct lamp_pool_totals {
    uint64_t pools, servers, addresses, entries, muted, endpoints, up, listen, down, changes;
    uint64_t refused; /* rows that a limit kept out, ever */
    bool has_resolve, has_probe, resolve,
        probe; /* the operator's switches; without has_: not set */
};

/* ---- what the writer puts in (see write.h for its rules) ---- */

/* Brings in what the program ships with: adds new entries, changes those that no operator edited,
 * takes back those that are gone. Does nothing where the data are those of last time. */
LAMP_CHECK int lamp_store_pool_seed(lamp_store *s, const lamp_catalogue *c, uint64_t now_us);

enum lamp_pool_action { LAMP_POOL_ADD, LAMP_POOL_EDIT, LAMP_POOL_DELETE, LAMP_POOL_UNDO };

/* What an operator wants of an entry. ADD: pool, fqdn and what follows; where there is such an entry
 * already (server, port, coin) that one is changed and made active. EDIT: id and the fields of `set`.
 * DELETE, UNDO (back to the version before; adding undone is deleting): id. */
struct lamp_pool_edit {
    enum lamp_pool_action action;
    enum {
        LAMP_POOL_SET_PORT = 1,
        LAMP_POOL_SET_COIN = 2,
        LAMP_POOL_SET_ALGORITHM = 4,
        LAMP_POOL_SET_PROTOCOL = 8,
        LAMP_POOL_SET_TLS = 16,
    } set;
    int64_t id;
    char pool[LAMP_POOL_NAME], fqdn[LAMP_POOL_FQDN];
    uint16_t port;
    char coin[LAMP_POOL_WORD], algorithm[LAMP_POOL_WORD], protocol[LAMP_POOL_WORD];
    enum lamp_pool_tls tls;
};

/* *out_id: of the entry; *out_changed: false where all was so already. LAMP_EFORMAT: no host name or
 * address, or a text with control characters; LAMP_EEXIST: another entry has that port and coin;
 * LAMP_ENOENT: no such entry, or nothing to undo; LAMP_EFULL. `why` says it in a sentence. */
LAMP_CHECK int lamp_store_pool_edit(lamp_store *s, const struct lamp_pool_edit *e,
                                    const char *actor, uint64_t now_us, char *why, size_t why_size,
                                    int64_t *out_id, bool *out_changed);

/* What looking a server's name up gave. */
struct lamp_pool_resolution {
    int64_t server_id;
    struct lamp_addr addrs[LAMP_POOL_RESOLVED];
    size_t n;
    char cname[LAMP_POOL_FQDN]; /* "" none */
    char error[64];             /* "" none */
};

/* *out_changed: an address is new, or came back after LAMP_POOL_ADDRESS_US. */
LAMP_CHECK int lamp_store_pool_resolved(lamp_store *s, const struct lamp_pool_resolution *r,
                                        uint64_t now_us, bool *out_changed);

/* What a probe found: address, port and all from state on but since_us, up_us, id. A row of history
 * only where state, family or reason changed. */
LAMP_CHECK int lamp_store_pool_probed(lamp_store *s, const struct lamp_pool_endpoint *e,
                                      bool *out_changed);

enum lamp_pool_switch { LAMP_POOL_RESOLVE, LAMP_POOL_PROBE };
LAMP_CHECK int lamp_store_pool_switch(lamp_store *s, enum lamp_pool_switch which, bool on);

/* ---- reading ---- */

struct lamp_pool_filter {
    const char *text, *coin; /* part of the pool's or a server's name; a coin. NULL: any */
    const char *state;       /* "up", "listen", "down": has such an endpoint; NULL: any */
    int64_t id;              /* 0: any */
    int64_t after_id;
    uint32_t limit; /* 0: 1000 */
    uint64_t now_us;
};
/* By id. */
LAMP_CHECK int lamp_store_pools(lamp_store *s, const struct lamp_pool_filter *f,
                                lamp_pool_view_fn *fn, void *arg);
LAMP_CHECK int lamp_store_pool_totals(lamp_store *s, struct lamp_pool_totals *out);

struct lamp_pool_entry_filter {
    int64_t id, pool_id; /* 0: any */
    int64_t after_id;
    uint32_t limit;    /* 0: LAMP_POOL_ENTRIES_MAX */
    bool with_deleted; /* also those that are not active */
};
/* By id. */
LAMP_CHECK int lamp_store_pool_entries(lamp_store *s, const struct lamp_pool_entry_filter *f,
                                       lamp_pool_entry_fn *fn, void *arg);

/* Of one pool, or (0) of all; by name. */
LAMP_CHECK int lamp_store_pool_servers(lamp_store *s, int64_t pool_id, lamp_pool_server_fn *fn,
                                       void *arg);

/* Of one pool, or (0) of all, seen since from_us; by server, newest first. */
LAMP_CHECK int lamp_store_pool_addresses(lamp_store *s, int64_t pool_id, uint64_t from_us,
                                         lamp_pool_address_fn *fn, void *arg);

/* Those at an address of the pool and a port of its, or (0) at addr (NULL: any). */
LAMP_CHECK int lamp_store_pool_endpoints(lamp_store *s, int64_t pool_id,
                                         const struct lamp_addr *addr, lamp_pool_endpoint_fn *fn,
                                         void *arg);

/* The newest changes of the endpoints of a pool since from_us, oldest first of each endpoint, with
 * the one before from_us. */
LAMP_CHECK int lamp_store_pool_changes(lamp_store *s, int64_t pool_id, uint64_t from_us,
                                       uint32_t limit, lamp_pool_change_fn *fn, void *arg);

/* Newest first. */
LAMP_CHECK int lamp_store_pool_versions(lamp_store *s, int64_t pool_id, uint32_t limit,
                                        lamp_pool_version_fn *fn, void *arg);

/* ---- look-up ---- */

struct lamp_pool_query {
    enum { LAMP_POOL_BY_ADDRESS, LAMP_POOL_BY_PORT, LAMP_POOL_BY_NAME, LAMP_POOL_BELOW_NAME } by;
    struct lamp_addr addr;
    uint16_t port;    /* BY_ADDRESS, names: 0: any */
    const char *name; /* lower case. BELOW_NAME: servers whose names end in "." and this */
    uint64_t at_us;   /* the time that is asked about */
    uint32_t limit;
};

struct lamp_pool_match {
    const struct lamp_pool_entry *entry;
    bool listed;             /* at the time asked about */
    uint64_t listed_from_us; /* when it first was */
    bool has_address;        /* the entry was found by an address, of which: */
    struct lamp_addr addr;
    uint64_t first_us, last_us; /* when the name led to it */
    uint32_t pools;             /* whose names lead to it */
    const char *cname;
    bool has_endpoint; /* probed, of which: */
    struct lamp_pool_endpoint endpoint;
    struct lamp_pool_change then; /* its state at the time asked about; UNKNOWN: not probed yet */
};
typedef bool lamp_pool_match_fn(const struct lamp_pool_match *m, void *arg);

/* Active entries first, then those by port and pool. *out_n: of all that fit, whatever the limit. */
LAMP_CHECK int lamp_store_pool_lookup(lamp_store *s, const struct lamp_pool_query *q,
                                      lamp_pool_match_fn *fn, void *arg, uint64_t *out_n);

/* The probed endpoint of an address and port, in the catalogue or not, with its state at at_us (reason
 * in then's buffer of LAMP_POOL_REASON bytes). LAMP_ENOENT. */
LAMP_CHECK int lamp_store_pool_endpoint(lamp_store *s, const struct lamp_addr *addr, uint16_t port,
                                        uint64_t at_us, struct lamp_pool_endpoint *out,
                                        struct lamp_pool_change *then);

/* How many active entries listen at a port, by pool and coin, most first. */
struct lamp_pool_port {
    const char *pool, *coin;
    int64_t pool_id;
    uint32_t servers;
};
typedef bool lamp_pool_port_fn(const struct lamp_pool_port *p, void *arg);
LAMP_CHECK int lamp_store_pool_port(lamp_store *s, uint16_t port, uint32_t limit,
                                    lamp_pool_port_fn *fn, void *arg);

/* ---- for the thread that resolves and probes ---- */

/* The server of a connection that is suspected to mine. */
struct lamp_suspect {
    struct lamp_addr addr;
    uint16_t port;
    bool tls;
    const char *name;           /* that its clients ask for; "" none known */
    enum lamp_pool_state state; /* of the newest probe, at: */
    uint64_t probed_us;         /* 0: never */
};
typedef bool lamp_suspect_fn(const struct lamp_suspect *v, void *arg);

/* Those heard of since from_us, newest first: TCP, not in a tunnel, and no operator has marked its pair. */
LAMP_CHECK int lamp_store_suspects(lamp_store *s, uint64_t from_us, uint32_t limit,
                                   lamp_suspect_fn *fn, void *arg);

/* What may be probed: an active entry at an address that was seen since from_us. */
struct lamp_pool_target {
    struct lamp_addr addr;
    uint16_t port;
    const char *fqdn, *protocol, *pool, *coin, *cname;
    enum lamp_pool_tls tls;
    bool legacy; /* all entries there are */
    int64_t pool_id;
    uint32_t pools;            /* whose names lead to the address */
    uint64_t probed_us, up_us; /* 0: never */
};
typedef bool lamp_pool_target_fn(const struct lamp_pool_target *t, void *arg);

/* Each address and port once. */
LAMP_CHECK int lamp_store_pool_targets(lamp_store *s, uint64_t from_us, lamp_pool_target_fn *fn,
                                       void *arg);
