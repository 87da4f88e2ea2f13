/* SPDX-License-Identifier: Apache-2.0 */
/* store: the interface every history backend implements (sqlite first): what the API asks
 * for; what the writer thread puts in is in write.h. One lamp_store handle per thread: the
 * writer's is read-write, all others are read-only. Names and texts in views are valid during
 * the callback only. docs/ADD_A_STORE.md says how to add a backend. */
#pragma once

#include "aggregator/store/accounts.h"
#include "aggregator/store/alerts.h"
#include "aggregator/store/imports.h"
#include "aggregator/store/policies.h"
#include "aggregator/store/proved.h"
#include "common/addr.h"
#include "common/err.h"
#include "common/estimate.h"
#include "common/settings.h"
#include "common/verdict.h"
#include "proto/wire.h"

typedef struct lamp_store lamp_store;

enum { LAMP_STORE_WHY = 512 };

/* ---- what readers see ---- */

struct lamp_sensor_view {
    const char *id, *site, *version;
    bool online;                        /* heard of within 3 intervals (30 s by default) */
    uint64_t enrolled_us, last_seen_us; /* 0: never heard of */
    int64_t clock_offset_us;
    uint64_t batches, rows, duplicates, lost_records;
    uint64_t packets, bytes, kernel_drops, interface_drops, flows_live, flows_evicted;
    uint64_t memory_bytes, cpu_us, uplink_bytes;
    enum lamp_enforce_mode mode; /* of block lists */
    enum lamp_set_state list_state;
    uint64_t list_epoch, list_serial, list_at_us;
    const char *list_error;                /* "" none */
    uint64_t list_elements;                /* in the kernel */
    uint64_t list_repairs, list_flows_cut; /* since its enforce process started */
    uint64_t about_epoch, about_serial;    /* the list it refused or rolled back; serial 0: none */
    uint64_t shared_key_us;     /* when two sensors were last seen to use its key; 0: never */
    uint64_t server_key_serial; /* of the aggregator's next key that it holds; 0: none */
};

/* What a sensor says of a set that is no block list. */
struct lamp_sensor_set_view {
    enum lamp_set_kind kind;
    enum lamp_set_state state;
    uint64_t epoch, serial, at_us;
    const char *error; /* "" none */
};

enum lamp_miner_state {
    LAMP_MINER_SUSPECTED,
    LAMP_MINER_PROBABLE,
    LAMP_MINER_CONFIRMED,
    LAMP_MINER_SANCTIONED,
    LAMP_MINER_BLOCKED,
    LAMP_MINER_DISMISSED,
    LAMP_MINER_ENDED
};
const char *lamp_miner_state_name(enum lamp_miner_state s);

/* Silence after which a miner has ended. */
#define LAMP_MINER_QUIET_US (UINT64_C(15) * 60 * 1000000)

/* When a reason to think that a host mines was seen, over all its connections. */
struct lamp_sighting_view {
    const char *kind, *detail, *field, *strength, *refute; /* as of connections */
    enum lamp_side side;
    const char *sensor; /* "" the aggregator itself, from what several sites saw */
    uint64_t first_us, last_us;
};

/* When a miner came into a state, and by whom. */
struct lamp_step_view {
    const char *state; /* of lamp_miner_state_name(), or "unmarked", "unblocked" */
    const char *by;    /* a sensor, an account; "" the aggregator */
    const char *reason;
    uint64_t at_us;
};
typedef bool lamp_sighting_view_fn(const struct lamp_sighting_view *v, void *arg);
typedef bool lamp_step_view_fn(const struct lamp_step_view *v, void *arg);

/* What an operator says of a host's connections to a server. Such a pair stays quiet. */
enum lamp_mark { LAMP_MARK_NONE, LAMP_MARK_SANCTIONED, LAMP_MARK_DISMISSED };

struct lamp_totals {
    uint64_t bytes_up, bytes_down, packets_up, packets_down;
    uint64_t jobs, submitted, accepted, rejected, stale;
};

/* A host inside one site that mines. Lists are '\n'-separated, newest first. */
struct lamp_miner_view {
    int64_t id;
    const char *site;
    struct lamp_addr host;
    uint32_t vlan;
    enum lamp_miner_state state;
    enum lamp_verdict verdict;
    double confidence;
    const char *coins, *families, *algorithms, *wallets, *workers, *agents, *pools, *sensors,
        *platforms;
    struct lamp_rate rate; /* over the last 15 min of shares, or since it began */
    const char *unit;
    struct lamp_totals totals;
    uint32_t connections, open_connections;
    enum lamp_mark mark; /* of the servers it mined at of late: all of them are marked */
    const char *marked_by, *mark_reason;
    uint64_t marked_us;
    uint32_t devices; /* that nonces tell of, of all open connections; 0: not all tell */
    uint64_t since_us, last_us;
};

struct lamp_conn_view {
    int64_t id, miner_id;
    const char *site, *sensor;
    struct lamp_conn_row row; /* counts are totals of the connection */
    struct lamp_rate rate;
    bool open;
};

/* What rows of history are of. Minutes are added up to hours and days (UTC) as they come. */
enum lamp_step { LAMP_STEP_MINUTE, LAMP_STEP_HOUR, LAMP_STEP_DAY };
const char *lamp_step_name(enum lamp_step s);
uint64_t lamp_step_minutes(enum lamp_step s);

struct lamp_minute_view {
    uint64_t minute; /* minutes since 1970; the first of the hour or day */
    struct lamp_totals totals;
    double work_hashes, self_rate;
    struct lamp_rate rate; /* of the shares of that time */
};

enum lamp_block_kind { LAMP_BLOCK_REMOTE, LAMP_BLOCK_HOST, LAMP_BLOCK_DOMAIN };

/* What a second person says to a block that is unusually wide or one of many. */
enum lamp_approval {
    LAMP_APPROVAL_NONE, /* none is needed */
    LAMP_APPROVAL_WAITING,
    LAMP_APPROVAL_GIVEN,
    LAMP_APPROVAL_REFUSED,
};

struct lamp_block_view {
    int64_t id;
    enum lamp_block_kind kind; /* a remote address, an inside host of one site, a domain */
    struct lamp_prefix prefix;
    const char *name; /* of a domain; else "" */
    uint16_t port;
    uint8_t ip_proto;
    const char *site; /* "" every site */
    const char *reason, *created_by, *removed_by;
    const char *person;                          /* the account behind created_by; a policy: "" */
    uint64_t created_us, expires_us, removed_us; /* removed_us 0: in force, or waiting */
    enum lamp_approval approval;
    const char *needs, *decided_by; /* why it needs an approval; "" none */
    uint64_t decided_us;
};

struct lamp_block_sensor_view {
    const char *sensor, *site, *state; /* "pending", "sent", "applied", "failed", "removed" */
    const char *error;                 /* "" none */
    uint64_t serial, at_us, hit_packets, hit_bytes;
};

/* Traffic that is not mining, added up over some minutes. */
struct lamp_traffic_view {
    const char *site;
    bool is_other; /* what the sensors kept no row for; without addresses, port, application */
    struct lamp_addr host, remote;
    uint8_t ip_proto;
    uint16_t service_port;
    const char *application, *remote_name; /* "" unknown */
    uint64_t bytes_out, bytes_in, packets_out, packets_in, flows;
    uint64_t first_us, last_us; /* starts of the first and the last minute with traffic */
};

struct lamp_status_view {
    uint32_t sensors, sensors_online, sites;
    uint32_t miners_confirmed, miners_probable, miners_suspected, miners_blocked, blocks;
    uint64_t batches, rows, duplicates, lost_records;
    uint64_t packets, bytes, mining_bytes;
    uint64_t list_epoch, list_serial;
    uint64_t database_bytes;
    uint64_t damaged_parts; /* since the database was made, see struct lamp_maintained */
};

/* ---- reading; each calls fn once a row, in the stated order; fn returns false to stop ---- */

struct lamp_miner_filter {
    const char *site, *host; /* NULL: any; host as text */
    int64_t id;              /* 0: any */
    int64_t after_id;        /* keyset paging: rows after this id in the order */
    uint64_t from_us;        /* only those heard of since */
    uint32_t limit;          /* 0: 1000 */
    struct lamp_sort sort;
};

struct lamp_conn_filter {
    int64_t id, miner_id; /* 0: any */
    const char *site;
    int64_t after_id;
    uint32_t limit;
    struct lamp_sort sort;
};

struct lamp_traffic_filter {
    const char *site;                      /* NULL: any */
    const struct lamp_addr *host, *remote; /* NULL: any */
    const char *application;               /* NULL: any */
    /* The minutes of both and those between; where minutes are not kept any more, their hours, else days. */
    uint64_t from_us, to_us;
    uint32_t limit; /* 0: 100 */
};

typedef bool lamp_traffic_view_fn(const struct lamp_traffic_view *v, void *arg);

/* What coins are told apart by; with WALLET and TIME the address that is paid, and steps of time. */
enum lamp_coin_by {
    LAMP_COINS_BY_SITE,
    LAMP_COINS_BY_HOST,
    LAMP_COINS_BY_POOL,
    LAMP_COINS_BY_PLATFORM,
    LAMP_COINS_BY_WALLET,
    LAMP_COINS_BY_TIME,
};

struct lamp_coin_filter {
    const char *site; /* NULL: any */
    enum lamp_coin_by by;
    uint32_t step_minutes;   /* with TIME: length of one step, from a multiple of it since 1970 */
    uint64_t from_us, to_us; /* the minutes of both and those between */
    uint32_t limit;          /* 0: 1000 */
};

/* Traffic of one coin ("" unknown) with one of what it is told apart by. */
struct lamp_coin_view {
    const char *coin;
    const char *site;                    /* with SITE and HOST; else "" */
    struct lamp_addr addr;               /* with HOST the inside address, with POOL the server's */
    uint16_t port;                       /* with POOL */
    const char *text;                    /* with PLATFORM and WALLET; "" unknown */
    uint64_t start_us;                   /* with TIME */
    uint64_t mining_bytes, wallet_bytes; /* both ways; wallet: of nodes and wallets, no mining */
    uint64_t connections, hosts;
    uint64_t last_us; /* start of the last minute with traffic */
};
typedef bool lamp_coin_view_fn(const struct lamp_coin_view *v, void *arg);

/* What a sensor said that it lost. */
struct lamp_gap_view {
    const char *sensor, *site, *reason;
    uint64_t from_us, to_us, at_us; /* the time it is about; when it was told */
    uint64_t records, flows, bytes;
};
typedef bool lamp_gap_view_fn(const struct lamp_gap_view *v, void *arg);

enum { LAMP_BLOCKS_ENDED_MAX = 1000 };

struct lamp_block_filter {
    int64_t id;       /* 0: any; else this one, in force or not */
    uint64_t in_list; /* 0: any; else those that the list of this serial has for `site` */
    const char *site;
    bool with_removed; /* also the LAMP_BLOCKS_ENDED_MAX newest of those not in force any more */
};

/* A site, and whether its block list is held. */
struct lamp_site_view {
    const char *name, *held_by, *release_by; /* "" not held; nobody asked to release it */
    uint64_t held_us, hold_serial;
    uint32_t sensors; /* enrolled */
};
typedef bool lamp_site_view_fn(const struct lamp_site_view *v, void *arg);

/* What an operator set for the sensors of a site ("": of every site; a site's own goes before that). */
struct lamp_site_setting {
    char name[LAMP_SETTING_NAME], value[LAMP_SETTING_VALUE], site[65], set_by[65];
    uint64_t set_us;
};
typedef bool lamp_site_setting_fn(const struct lamp_site_setting *x, void *arg);

/* What an operator did. */
struct lamp_audit_view {
    int64_t no;
    uint64_t at_us;
    const char *actor, *action, *object, *detail;
};
typedef bool lamp_audit_view_fn(const struct lamp_audit_view *v, void *arg);

typedef bool lamp_sensor_view_fn(const struct lamp_sensor_view *v, void *arg);
typedef bool lamp_sensor_set_view_fn(const struct lamp_sensor_set_view *v, void *arg);
typedef bool lamp_miner_view_fn(const struct lamp_miner_view *v, void *arg);
typedef bool lamp_conn_view_fn(const struct lamp_conn_view *v, void *arg);
typedef bool lamp_minute_view_fn(const struct lamp_minute_view *v, void *arg);
typedef bool lamp_block_view_fn(const struct lamp_block_view *v, void *arg);
typedef bool lamp_block_sensor_view_fn(const struct lamp_block_sensor_view *v, void *arg);

/* ---- who may connect, and what operators did ---- */

enum lamp_sensor_key_state {
    LAMP_KEY_ACTIVE = 1,
    LAMP_KEY_RETIRED,  /* another key of the sensor took its place */
    LAMP_KEY_REVOKED,  /* by an operator */
    LAMP_KEY_REJECTED, /* asked to be let in, and was not */
};
const char *lamp_key_state_name(enum lamp_sensor_key_state s);

enum { LAMP_KEY_Z85 = 41 }; /* a CURVE public key as Z85 (ZeroMQ RFC 32) with NUL */

/* A key that is known. One sensor may have two active ones while one takes the other's place. */
struct lamp_sensor_key {
    int64_t id; /* 0: not in the store yet */
    char key[LAMP_KEY_Z85];
    char sensor[65], site[65]; /* "" of a key that was rejected */
    enum lamp_sensor_key_state state;
    char added_by[65], ended_by[65]; /* an account, "token N", "file", "rotation", "expired" */
    uint64_t added_us;
    uint64_t used_us;    /* first session with it; 0: none yet */
    uint64_t expires_us; /* when it ends by itself; 0: never */
    uint64_t ended_us;   /* 0: active */
    uint64_t replace_us; /* since when the sensor is asked to make another; 0: it is not */
};
typedef bool lamp_sensor_key_fn(const struct lamp_sensor_key *k, void *arg);

/* A token that lets one key in, once. Of the token itself only the digest is kept. */
struct lamp_enroll_token {
    int64_t id; /* 0: not in the store yet */
    uint8_t digest[LAMP_WIRE_DIGEST_LEN];
    char site[65], name[65]; /* name "": a new sensor may choose its own */
    char created_by[65];
    uint64_t created_us, expires_us, used_us; /* used_us 0: not used */
};
typedef bool lamp_enroll_token_fn(const struct lamp_enroll_token *t, void *arg);

/* All return LAMP_ESTORE where the database refused (lamp_store_why() says what). */
LAMP_CHECK int lamp_store_status(lamp_store *s, uint64_t now_us, struct lamp_status_view *out);
LAMP_CHECK int lamp_store_sensors(lamp_store *s, uint64_t now_us, lamp_sensor_view_fn *fn,
                                  void *arg);
LAMP_CHECK int lamp_store_sensor_sets(lamp_store *s, const char *id, lamp_sensor_set_view_fn *fn,
                                      void *arg);
LAMP_CHECK int lamp_store_miners(lamp_store *s, const struct lamp_miner_filter *f, uint64_t now_us,
                                 lamp_miner_view_fn *fn, void *arg);

/* The reasons of a miner in the order in which they were first seen, at most LAMP_SIGHTINGS_MAX;
 * *out_left_out: how many more there were. And its states in order, at most LAMP_STEPS_MAX.
 * LAMP_ENOENT: there is no such miner. */
enum { LAMP_SIGHTINGS_MAX = 256, LAMP_STEPS_MAX = 256 };
LAMP_CHECK int lamp_store_sightings(lamp_store *s, int64_t miner_id, lamp_sighting_view_fn *fn,
                                    void *arg, uint64_t *out_left_out);
LAMP_CHECK int lamp_store_steps(lamp_store *s, int64_t miner_id, uint64_t now_us,
                                lamp_step_view_fn *fn, void *arg);
LAMP_CHECK int lamp_store_conns(lamp_store *s, const struct lamp_conn_filter *f, uint64_t now_us,
                                lamp_conn_view_fn *fn, void *arg);
LAMP_CHECK int lamp_store_minutes(lamp_store *s, int64_t miner_id, enum lamp_step step,
                                  uint64_t from_us, uint64_t to_us, lamp_minute_view_fn *fn,
                                  void *arg);

/* The first moment of which minutes, hours or days are kept, by enum lamp_step. */
LAMP_CHECK int lamp_store_kept_us(lamp_store *s, uint64_t out[3]);
LAMP_CHECK int lamp_store_blocks(lamp_store *s, const struct lamp_block_filter *f,
                                 lamp_block_view_fn *fn, void *arg);
LAMP_CHECK int lamp_store_block_sensors(lamp_store *s, int64_t block_id,
                                        lamp_block_sensor_view_fn *fn, void *arg);

/* By name; and the newest deeds, newest first. */
LAMP_CHECK int lamp_store_sites(lamp_store *s, lamp_site_view_fn *fn, void *arg);
LAMP_CHECK int lamp_store_audits(lamp_store *s, uint32_t limit, lamp_audit_view_fn *fn, void *arg);

/* Largest first; the total of all rows that fit the filter, whatever its limit, has no keys. */
LAMP_CHECK int lamp_store_traffic(lamp_store *s, const struct lamp_traffic_filter *f,
                                  lamp_traffic_view_fn *fn, void *arg);
LAMP_CHECK int lamp_store_traffic_total(lamp_store *s, const struct lamp_traffic_filter *f,
                                        struct lamp_traffic_view *out);

/* With TIME by time, else by bytes, largest first. */
LAMP_CHECK int lamp_store_coins(lamp_store *s, const struct lamp_coin_filter *f,
                                lamp_coin_view_fn *fn, void *arg);

/* Of one sensor, or (NULL) all; the newest first, at most limit (0: 1000). */
LAMP_CHECK int lamp_store_gaps(lamp_store *s, const char *sensor, uint32_t limit,
                               lamp_gap_view_fn *fn, void *arg);

/* Known keys by sensor, newest first; of one sensor, or (NULL) all. */
LAMP_CHECK int lamp_store_keys(lamp_store *s, const char *sensor, lamp_sensor_key_fn *fn,
                               void *arg);

/* A key by its text, or (key NULL) by its number. LAMP_ENOENT. */
LAMP_CHECK int lamp_store_key_find(lamp_store *s, const char *key, int64_t id,
                                   struct lamp_sensor_key *out);

/* Tokens that can still be used, newest first. */
LAMP_CHECK int lamp_store_tokens(lamp_store *s, uint64_t now_us, lamp_enroll_token_fn *fn,
                                 void *arg);

/* Alerts, the newest first. */
LAMP_CHECK int lamp_store_alerts(lamp_store *s, const struct lamp_alert_filter *f,
                                 lamp_alert_view_fn *fn, void *arg);
LAMP_CHECK int lamp_store_alert_counts(lamp_store *s, struct lamp_alert_counts *out);

/* What the fleet learned by itself, the newest first; id 0: all. */
LAMP_CHECK int lamp_store_proved(lamp_store *s, int64_t id, lamp_proved_fn *fn, void *arg);

/* The owner's lists, by kind and value. */
LAMP_CHECK int lamp_store_own(lamp_store *s, lamp_own_fn *fn, void *arg);

/* Policies, and what came of one, the newest first. */
/* By name, then site, that of every site first. */
LAMP_CHECK int lamp_store_settings(lamp_store *s, lamp_site_setting_fn *fn, void *arg);

LAMP_CHECK int lamp_store_policies(lamp_store *s, lamp_policy_fn *fn, void *arg);
LAMP_CHECK int lamp_store_policy_hits(lamp_store *s, int64_t policy_id, lamp_policy_hit_fn *fn,
                                      void *arg);

/* Who may use the API: accounts by name, tokens by number. A row without a known role is LAMP_ESTORE. */
LAMP_CHECK int lamp_store_accounts(lamp_store *s, lamp_account_fn *fn, void *arg);
LAMP_CHECK int lamp_store_api_tokens(lamp_store *s, lamp_api_token_fn *fn, void *arg);

/* From now on a read-only handle shows what belongs to the sites of a scope alone, in every call:
 * other sites, their sensors, miners, traffic and keys are not there. Blocks for every site are.
 * Accounts, tokens and the audit log are not, unless the scope is "" (every site). Once it was
 * given another scope than "" a handle is slower with "". LAMP_ENOMEM. */
LAMP_CHECK int lamp_store_scope(lamp_store *s, const char *scope);

/* Goes through the chain of hashes. *out_bad_no: the first row that was changed, or before which
 * one is missing; 0: the chain holds. */
LAMP_CHECK int lamp_store_audit_check(lamp_store *s, int64_t *out_bad_no);

/* ---- opening ---- */

/* Opens the store named by backend ("sqlite") at `where` (a path). read_only handles need
 * the writer's to have been opened once. `why` (LAMP_STORE_WHY bytes) says what failed.
 * LAMP_ENOENT: no such backend. LAMP_ESTORE. LAMP_ENOMEM. */
LAMP_CHECK int lamp_store_open(const char *backend, const char *where, bool read_only,
                               lamp_store **out, char why[LAMP_STORE_WHY]);
lamp_store *lamp_store_close(lamp_store *s);

/* What the last failed call of this handle said. */
const char *lamp_store_why(const lamp_store *s);

/* Imports, newest first; files, connections (in the order they were found) and minutes (all files
 * together) of one. */
LAMP_CHECK int lamp_store_imports(lamp_store *s, const struct lamp_import_filter *f,
                                  lamp_import_fn *fn, void *arg);
LAMP_CHECK int lamp_store_import_files(lamp_store *s, int64_t id, lamp_import_file_fn *fn,
                                       void *arg);
LAMP_CHECK int lamp_store_import_conns(lamp_store *s, const struct lamp_import_conn_filter *f,
                                       lamp_import_conn_fn *fn, void *arg);
LAMP_CHECK int lamp_store_import_minutes(lamp_store *s, int64_t id, lamp_import_minute_fn *fn,
                                         void *arg);
