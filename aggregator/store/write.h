/* SPDX-License-Identifier: Apache-2.0 */
/* write: what the writer thread (and nobody else) puts into a store. Every call works inside
 * the transaction opened by lamp_store_begin(); nothing counts before lamp_store_commit().
 * Rows are found and saved whole, as plain structs that own no memory. After LAMP_ESTORE roll
 * back; lamp_store_why() says what the database refused. Not thread-safe. */
#pragma once

#include "aggregator/store/pools.h"
#include "aggregator/store/store.h"

enum {
    LAMP_NAME_MAX = 65,       /* sensor and site names with NUL */
    LAMP_TRACK_TEXT = 257,    /* one string of a connection with NUL */
    LAMP_TRACK_LIST = 2048,   /* a '\n'-separated list with NUL */
    LAMP_RECENT_MINUTES = 15, /* the window that hash rates are taken over */
    LAMP_NAMES_MAX = 16,      /* names in one list of a miner */
    LAMP_STREAMS_KEPT = 1024, /* a sensor names at most 64 of them at a time */
};

/* ---- transactions and facts about the database ---- */

LAMP_CHECK int lamp_store_begin(lamp_store *s);
LAMP_CHECK int lamp_store_commit(lamp_store *s);
void lamp_store_rollback(lamp_store *s);

/* Seconds since 1970 at which the database was made: grows when it is made anew, so that no
 * serial of an older one is mistaken for newer. */
LAMP_CHECK int lamp_store_epoch(lamp_store *s, uint64_t *out);

/* Tells readers the summary interval, which "online" depends on. */
LAMP_CHECK int lamp_store_set_interval(lamp_store *s, uint64_t interval_us);

/* ---- keeping it small ---- */

/* How long what is kept. */
struct lamp_store_policy {
    uint32_t settle_minutes; /* rows stay as they came until their minute is over for so long */
    uint32_t days[3];        /* minutes, hours and days, by enum lamp_step; 0: for ever */
    uint32_t conn_days;      /* connections with their evidence; 0: for ever */
    uint64_t max_bytes;      /* of the database; 0: no limit */
    uint32_t slice_rows;     /* about so many rows are worked on at once; 0: 4096 */
};

struct lamp_maintained {
    bool more; /* there is more to do */
    /* Parts of rows that were damaged: the rows before the damage were added up, the others are lost. All that
     * there ever were are lamp_status_view.damaged_parts. */
    uint64_t damaged_parts, damaged_from_us; /* how many; the minute of the first */
};

/* One slice of what keeps a database small, inside the transaction at hand: rows of settled minutes are
 * added to their minutes, hours and days; what is older than the policy allows, or, oldest minutes first, than
 * max_bytes leaves room for, is deleted; room that nothing uses is given back to the disk. What is read is the same
 * before and after, but for what was deleted. */
LAMP_CHECK int lamp_store_maintain(lamp_store *s, const struct lamp_store_policy *p,
                                   uint64_t now_us, struct lamp_maintained *out);

/* ---- sensors and their streams ---- */

struct lamp_store_sensor {
    int64_t ref, site_ref;                    /* row numbers, for the calls below */
    int64_t clock_offset_us;                  /* its clock minus ours, when last told */
    uint64_t rejected_epoch, rejected_serial; /* the list it rolled back last; serial 0: none */
    char id[LAMP_NAME_MAX], site[LAMP_NAME_MAX];
};

/* What to add to a sensor's row; zero and NULL leave it as it is. */
struct lamp_sensor_delta {
    const char *version;
    bool has_clock_offset;
    int64_t clock_offset_us;
    uint64_t seen_us; /* when something of it arrived */
    uint64_t data_us; /* end of the newest interval it reported */
    uint64_t batches, rows, duplicates, lost_records, uplink_bytes;
    uint64_t shared_key_us; /* when two sensors were seen to use its key */
    bool has_server_key_serial;
    uint64_t server_key_serial;
};

/* Marks every sensor as not enrolled; lamp_store_enroll() brings back those of the allow list. */
LAMP_CHECK int lamp_store_unenroll_all(lamp_store *s);
LAMP_CHECK int lamp_store_enroll(lamp_store *s, const char *id, const char *site, uint64_t now_us);

LAMP_CHECK int lamp_store_unenroll(lamp_store *s, const char *id);

/* LAMP_ENOENT: not enrolled. */
LAMP_CHECK int lamp_store_sensor(lamp_store *s, const char *id, struct lamp_store_sensor *out);
LAMP_CHECK int lamp_store_sensor_add(lamp_store *s, int64_t sensor_ref,
                                     const struct lamp_sensor_delta *d);

/* Newest cumulative counters of one capture run; older ones change nothing. */
LAMP_CHECK int lamp_store_counters(lamp_store *s, int64_t sensor_ref, const uint8_t cap_run[16],
                                   const struct lamp_sensor_counters *c);

struct lamp_store_stream {
    int64_t ref;
    struct lamp_stream_id id;
    uint64_t next_seq; /* every record below is merged */
    uint64_t to_us;    /* end of the newest interval merged; 0: none */
    bool closed;
};

/* Finds a stream. LAMP_ENOENT: nothing of it was ever merged, so its next_seq is 1. */
LAMP_CHECK int lamp_store_stream(lamp_store *s, int64_t sensor_ref, const struct lamp_stream_id *id,
                                 struct lamp_store_stream *out);

/* Makes a stream that is not there yet, with next_seq 1. Of each sensor the newest
 * LAMP_STREAMS_KEPT are remembered. */
LAMP_CHECK int lamp_store_stream_add(lamp_store *s, int64_t sensor_ref,
                                     const struct lamp_stream_id *id, uint64_t now_us,
                                     struct lamp_store_stream *out);
LAMP_CHECK int lamp_store_stream_put(lamp_store *s, const struct lamp_store_stream *st);

/* Lends fn the streams of a sensor that are not closed. fn must not call the store. */
typedef void lamp_store_stream_fn(const struct lamp_store_stream *st, void *arg);
LAMP_CHECK int lamp_store_streams_open(lamp_store *s, int64_t sensor_ref, lamp_store_stream_fn *fn,
                                       void *arg);

/* The end of the newest interval merged of any stream of a sensor; 0: none. */
LAMP_CHECK int lamp_store_streams_end(lamp_store *s, int64_t sensor_ref, uint64_t *out_us);

/* A hole in what is known: records a sensor declared lost, that made no sense here or that nobody
 * has any more, and times in which a sensor did not run. to_seq < from_seq: no record is known
 * to be missing, only the time. */
struct lamp_store_gap {
    int64_t sensor_ref, stream_ref;
    uint64_t from_seq, to_seq, from_us, to_us, flows, bytes, at_us;
    const char *reason;
};
LAMP_CHECK int lamp_store_gap(lamp_store *s, const struct lamp_store_gap *g);

/* ---- who may connect ---- */

/* Inserts (id 0, sets it) or replaces. */
LAMP_CHECK int lamp_store_key_save(lamp_store *s, struct lamp_sensor_key *k);

LAMP_CHECK int lamp_store_token_add(lamp_store *s, struct lamp_enroll_token *t);

/* A token by its digest, whether it can still be used or not. LAMP_ENOENT. */
LAMP_CHECK int lamp_store_token_find(lamp_store *s, const uint8_t digest[LAMP_WIRE_DIGEST_LEN],
                                     struct lamp_enroll_token *out);
LAMP_CHECK int lamp_store_token_use(lamp_store *s, int64_t id, uint64_t now_us);

/* ---- who may use the API ---- */

/* Inserts, or replaces the one of that name. */
LAMP_CHECK int lamp_store_account_save(lamp_store *s, const struct lamp_account *a);
LAMP_CHECK int lamp_store_account_delete(lamp_store *s, const char *name); /* LAMP_ENOENT */

/* Inserts (id 0, sets it) or replaces. */
LAMP_CHECK int lamp_store_api_token_save(lamp_store *s, struct lamp_api_token *t);
LAMP_CHECK int lamp_store_api_token_delete(lamp_store *s, int64_t id); /* LAMP_ENOENT */

/* ---- connections and miners ---- */

/* The work of one minute, for rates over the newest minutes. */
struct lamp_recent {
    uint64_t minute;
    double work, squares; /* of its shares: the sum, and the sum of the squares */
};

/* Row texts in the order of lamp_conn_row's members. */
enum lamp_track_text {
    LAMP_TEXT_FAMILY,
    LAMP_TEXT_COIN,
    LAMP_TEXT_ALGORITHM,
    LAMP_TEXT_WALLET,
    LAMP_TEXT_WORKER,
    LAMP_TEXT_AGENT,
    LAMP_TEXT_POOL,
    LAMP_TEXT_SERVER_NAME,
    LAMP_TEXT_SNI,
    LAMP_TEXT_JA4,
    LAMP_TEXT_HASH_UNIT,
    LAMP_TEXT_TUNNEL_KIND,
    LAMP_TEXT_TUNNEL_HOST,
    LAMP_TEXT_PLATFORM,
    LAMP_TEXT_COUNT
};

/* What else of a connection is as it was said last; evidence is said whole. */
enum lamp_track_said {
    LAMP_SAID_TUNNEL_PORT = LAMP_TEXT_COUNT, /* those before are the texts */
    LAMP_SAID_DIFFICULTY,
    LAMP_SAID_SELF_RATE,
    LAMP_SAID_DEVICES,
    LAMP_SAID_WORK,
    LAMP_SAID_OTHER,
    LAMP_SAID_EVIDENCE,
    LAMP_SAID_COUNT
};

struct lamp_track_evidence {
    char kind[64], field[64], strength[64];
    char detail[LAMP_TRACK_TEXT], refute[LAMP_TRACK_TEXT];
    uint64_t t_us; /* of the packet; 0: unknown */
    enum lamp_side side;
};

/* A connection as it stands. `row` holds totals; its texts and evidence are not used, they are in
 * `text` and `evidence`. */
struct lamp_track_conn {
    int64_t id;       /* 0: not in the store yet */
    int64_t miner_id; /* 0: none (wallet traffic) */
    int64_t sensor_ref, site_ref;
    uint8_t cap_run[16];
    struct lamp_conn_row row;
    char text[LAMP_TEXT_COUNT][LAMP_TRACK_TEXT];
    struct lamp_track_evidence evidence[LAMP_WIRE_EVIDENCE_MAX];
    size_t n_evidence;
    uint64_t said_us[LAMP_SAID_COUNT]; /* newest packet of the row that said it; 0: none has */
    double squares;                    /* as in struct lamp_recent, of row.work_hashes */
    struct lamp_recent recent[LAMP_RECENT_MINUTES]; /* by minute modulo the length */
};

/* LAMP_ENOENT: new; *out is untouched. */
LAMP_CHECK int lamp_store_conn_find(lamp_store *s, int64_t sensor_ref, const uint8_t cap_run[16],
                                    uint64_t conn_id, struct lamp_track_conn *out);

/* Inserts (id 0, sets it) or replaces. Evidence is written where with_evidence. */
LAMP_CHECK int lamp_store_conn_save(lamp_store *s, struct lamp_track_conn *c, bool with_evidence);

enum lamp_track_list {
    LAMP_LIST_COINS,
    LAMP_LIST_FAMILIES,
    LAMP_LIST_ALGORITHMS,
    LAMP_LIST_WALLETS,
    LAMP_LIST_WORKERS,
    LAMP_LIST_AGENTS,
    LAMP_LIST_POOLS,
    LAMP_LIST_SENSORS,
    LAMP_LIST_PLATFORMS,
    LAMP_LIST_COUNT
};

struct lamp_track_miner {
    int64_t id; /* 0: not in the store yet */
    int64_t site_ref;
    struct lamp_addr host;
    uint32_t vlan;
    enum lamp_verdict verdict;
    uint32_t confidence;          /* 1/10000 */
    bool blocked;                 /* a block in force covers its newest connection */
    struct lamp_addr server_addr; /* of the newest connection */
    uint16_t server_port;
    uint8_t ip_proto;
    char list[LAMP_LIST_COUNT][LAMP_TRACK_LIST];       /* newest first, then by name */
    uint64_t list_us[LAMP_LIST_COUNT][LAMP_NAMES_MAX]; /* likewise, of each name */
    struct lamp_totals totals;
    uint64_t connections, since_us, last_us;
};

/* LAMP_ENOENT as above. */
LAMP_CHECK int lamp_store_miner_find(lamp_store *s, int64_t site_ref, const struct lamp_addr *host,
                                     uint32_t vlan, struct lamp_track_miner *out);
LAMP_CHECK int lamp_store_miner_save(lamp_store *s, struct lamp_track_miner *m);

/* A client and a server at which it mined. Verdicts are remembered for LAMP_PAIR_US after the newest
 * connection, marked pairs for good. */
struct lamp_track_pair {
    int64_t site_ref; /* the key */
    struct lamp_addr client, server;
    uint32_t vlan;
    uint16_t server_port;
    uint8_t ip_proto;
    enum lamp_verdict verdict;
    uint32_t confidence; /* 1/10000 */
    uint64_t last_us;
};
#define LAMP_PAIR_US (UINT64_C(24) * 3600 * 1000000)

/* Fills in what is known of the pair whose key is set. LAMP_ENOENT: nothing. */
LAMP_CHECK int lamp_store_pair_find(lamp_store *s, struct lamp_track_pair *p);

/* Inserts or replaces; a mark stays. Forgets unmarked pairs of more than LAMP_PAIR_US before. */
LAMP_CHECK int lamp_store_pair_save(lamp_store *s, const struct lamp_track_pair *p);

/* What the aggregator knows of a server besides what this client's sensor says: whether another client was
 * confirmed to mine there since from_us, and at which site, and what the newest probe found. */
struct lamp_server_known {
    bool mined;
    char site[65]; /* of that other client */
    enum lamp_pool_state state;
    uint64_t probed_us; /* 0: never */
    double difficulty;  /* that the server starts with, as the family counts it; 0: not told */
    char reason[LAMP_POOL_REASON], family[LAMP_POOL_WORD];
};
LAMP_CHECK int lamp_store_server_known(lamp_store *s, const struct lamp_track_pair *of,
                                       uint64_t from_us, struct lamp_server_known *out);

/* Only what the newest probe found, at the server of a connection: one row by its key, not a look through all
 * pairs of a busy server. Nothing is said of mined and site. */
LAMP_CHECK int lamp_store_server_probed(lamp_store *s, const struct lamp_conn_row *of,
                                        struct lamp_server_known *out);

/* What operators said of a pair (its key is looked at), and whether one of its client's is wanted. */
struct lamp_pair_mark {
    enum lamp_mark mark;
    bool rig; /* some pair of the client is sanctioned */
};
LAMP_CHECK int lamp_store_pair_mark(lamp_store *s, const struct lamp_track_pair *p,
                                    struct lamp_pair_mark *out);

/* Marks all servers that a miner mined at of late. LAMP_ENOENT: no such miner. */
LAMP_CHECK int lamp_store_miner_mark(lamp_store *s, int64_t miner_id, enum lamp_mark mark,
                                     const char *by, const char *reason, uint64_t now_us);

/* Notes that a sensor (0: the aggregator) saw a reason from first_us to last_us. Of each miner
 * LAMP_SIGHTINGS_MAX are kept, what comes later is counted. */
LAMP_CHECK int lamp_store_sighting(lamp_store *s, int64_t miner_id, int64_t sensor_ref,
                                   const struct lamp_track_evidence *e, uint64_t first_us,
                                   uint64_t last_us);

/* Notes that a miner's verdict stood at a level at a time, the first of which counts. */
LAMP_CHECK int lamp_store_level(lamp_store *s, int64_t miner_id, int64_t sensor_ref,
                                enum lamp_verdict verdict, uint64_t at_us);

/* Appends to the states of a miner; the LAMP_STEPS_MAX newest are kept. */
LAMP_CHECK int lamp_store_step(lamp_store *s, int64_t miner_id, const struct lamp_step_view *v);

/* What a block needs to know of a miner, and where the answer goes. */
struct lamp_miner_target {
    int64_t id;
    const char *site;
    struct lamp_addr host, server_addr;
    uint16_t server_port;
    uint8_t ip_proto;
    bool blocked;
};
typedef bool lamp_miner_target_fn(const struct lamp_miner_target *t, void *arg);

/* Lends every miner heard of since from_us. */
LAMP_CHECK int lamp_store_miner_targets(lamp_store *s, uint64_t from_us, lamp_miner_target_fn *fn,
                                        void *arg);
LAMP_CHECK int lamp_store_miner_blocked(lamp_store *s, int64_t miner_id, bool blocked);

/* ---- what several sites have in common ---- */

enum lamp_trace_kind {
    LAMP_TRACE_REMOTE, /* ADDRESS:PORT */
    LAMP_TRACE_WALLET,
    LAMP_TRACE_WORKER,
    LAMP_TRACE_AGENT,
    LAMP_TRACE_JA4,
    LAMP_TRACE_COUNT
};

enum {
    LAMP_TRACES_MAX = 200000, /* values times sites; the oldest go, and are counted */
    LAMP_TRACE_SITES = 16,
};
#define LAMP_TRACE_US (UINT64_C(30) * 24 * 3600 * 1000000)

/* Something that a miner showed. */
struct lamp_trace {
    enum lamp_trace_kind kind;
    const char *value;
    int64_t site_ref, miner_id;
    uint64_t at_us;
};

/* Notes it. *out_n: how many miners of the fleet this is news for, because several sites showed the value
 * within LAMP_TRACE_US: none; the miner itself, which comes first; or, where its site had not shown it before,
 * also the one of each other site that showed it last. */
LAMP_CHECK int lamp_store_trace(lamp_store *s, const struct lamp_trace *t,
                                int64_t miners[LAMP_TRACE_SITES], size_t *out_n);

/* Lends the miners that were heard of last after from_us and not after to_us. fn must not call the store. */
typedef void lamp_miner_id_fn(int64_t id, void *arg);
LAMP_CHECK int lamp_store_miners_quiet(lamp_store *s, uint64_t from_us, uint64_t to_us,
                                       lamp_miner_id_fn *fn, void *arg);

/* Writes down something that the fleet learned: a new one, whose id it sets, or what changed of one that is known
 * (all but what it was met as first). */
LAMP_CHECK int lamp_store_proved_put(lamp_store *s, struct lamp_proved *p);
LAMP_CHECK int lamp_store_proved_remove(lamp_store *s, int64_t id);

/* What one record adds to one minute of one connection. (minute, conn, stream, seq) is written
 * once; reads add the parts up. `delta` is the row as received, `squares` of its work. */
LAMP_CHECK int lamp_store_minute(lamp_store *s, const struct lamp_track_conn *c, uint64_t minute,
                                 int64_t stream_ref, uint64_t seq,
                                 const struct lamp_conn_row *delta, double squares);

/* One row of other traffic of one record; index is its place there. */
LAMP_CHECK int lamp_store_rollup(lamp_store *s, int64_t site_ref, int64_t stream_ref, uint64_t seq,
                                 uint32_t index, const struct lamp_rollup_row *row);

/* ---- blocks and sets ---- */

/* A block as the list builder keeps it. */
struct lamp_block {
    int64_t id;
    enum lamp_block_kind kind;
    struct lamp_prefix prefix;
    char name[254]; /* of a domain, lower case */
    uint16_t port;
    uint8_t ip_proto;
    enum lamp_approval approval;
    char needs[160];
    char site[LAMP_NAME_MAX]; /* "" every site */
    char reason[257], created_by[LAMP_NAME_MAX];
    char person[LAMP_NAME_MAX]; /* the account behind created_by; a policy: "" */
    uint64_t created_us, expires_us;
};

/* Inserts (sets id), with a "pending" state for each enrolled sensor it is meant for. */
LAMP_CHECK int lamp_store_block_add(lamp_store *s, struct lamp_block *b);

/* Notes what a second person says to a block; refused: it is ended. LAMP_ENOENT: none of that id is in
 * force or waits, or somebody has said so before. */
LAMP_CHECK int lamp_store_block_decide(lamp_store *s, int64_t id, bool approve, const char *by,
                                       uint64_t now_us);

/* How many blocks that nobody had to approve were added since from_us, those that ended included: in
 * the busiest site of those that a block for `site` ("": every one) would be for. */
LAMP_CHECK int lamp_store_blocks_since(lamp_store *s, const char *site, uint64_t from_us,
                                       uint32_t *out);

/* How many hosts of a site had any traffic since from_us. */
LAMP_CHECK int lamp_store_site_hosts(lamp_store *s, const char *site, uint64_t from_us,
                                     uint32_t *out);

/* Holds the list of a site at a serial, notes who asks to end that, or ends it (by NULL). */
LAMP_CHECK int lamp_store_site_hold(lamp_store *s, const char *site, const char *by,
                                    uint64_t serial, uint64_t now_us);
/* What is noted of a site's hold; all zero: it is not held, or not known. */
struct lamp_site_hold {
    uint64_t serial;
    char release_by[LAMP_NAME_MAX];
};
LAMP_CHECK int lamp_store_site_held(lamp_store *s, const char *site, struct lamp_site_hold *out);
LAMP_CHECK int lamp_store_site_release_asked(lamp_store *s, const char *site, const char *by);

/* Appends a row to the audit log and links it to the one before. */
LAMP_CHECK int lamp_store_audit(lamp_store *s, const char *actor, const char *action,
                                const char *object, const char *detail, uint64_t now_us);

/* Ends a block; `by` is an account or "expired". LAMP_ENOENT: not in force. */
LAMP_CHECK int lamp_store_block_end(lamp_store *s, int64_t id, const char *by, uint64_t now_us);

/* A site's list of one kind as last published; site "": a list for all. */
struct lamp_store_list {
    uint64_t serial, expires_us;
    uint8_t digest[LAMP_WIRE_DIGEST_LEN];
};
/* LAMP_ENOENT: never published. */
LAMP_CHECK int lamp_store_list(lamp_store *s, enum lamp_set_kind kind, const char *site,
                               struct lamp_store_list *out);

/* Publishes a list: keeps it and its line in set_history; a block list of a site that is not held gives
 * its serial to the blocks of the site that were added or ended since. */
LAMP_CHECK int lamp_store_list_put(lamp_store *s, enum lamp_set_kind kind, const char *site,
                                   const struct lamp_store_list *l, uint32_t count,
                                   uint64_t now_us);

/* The way back from a list to the one before it. */
struct lamp_store_set_step {
    uint64_t from_serial; /* of the one before */
    uint8_t from_digest[LAMP_WIRE_DIGEST_LEN];
    struct lamp_bytes changes; /* that lead there: a packed SET_CHUNK */
};
typedef bool lamp_store_set_step_fn(const struct lamp_store_set_step *x, void *arg);

/* The steps kept of a list, the newest first; one more; and none from before a serial any more. */
LAMP_CHECK int lamp_store_set_steps(lamp_store *s, enum lamp_set_kind kind, const char *site,
                                    lamp_store_set_step_fn *fn, void *arg);
LAMP_CHECK int lamp_store_set_step_put(lamp_store *s, enum lamp_set_kind kind, const char *site,
                                       const struct lamp_store_set_step *x);
LAMP_CHECK int lamp_store_set_steps_forget(lamp_store *s, enum lamp_set_kind kind, const char *site,
                                           uint64_t before_serial);

/* The newest serial of any list; 0: none. */
LAMP_CHECK int lamp_store_serial(lamp_store *s, uint64_t *out);

/* Told of each block whose state at the sensor changed. Must not call the store. */
typedef void lamp_block_changed_fn(int64_t block_id, void *arg);

/* Notes that a list went out: pending blocks become "sent". */
LAMP_CHECK int lamp_store_list_sent(lamp_store *s, int64_t sensor_ref, uint64_t serial,
                                    uint64_t now_us, lamp_block_changed_fn *fn, void *arg);

/* Notes what a sensor says of its list (SET_STATUS): its own state, and of each block "applied",
 * "failed" (refused by its never list, or the whole list refused) or "removed", with hits. */
LAMP_CHECK int lamp_store_list_status(lamp_store *s, int64_t sensor_ref,
                                      const struct lamp_set_status *st, uint64_t now_us,
                                      lamp_block_changed_fn *fn, void *arg);

/* Notes what a sensor says of a set that is no block list. */
LAMP_CHECK int lamp_store_set_status(lamp_store *s, int64_t sensor_ref,
                                     const struct lamp_set_status *st, uint64_t now_us);

/* ---- alerts ---- */

/* Notes that a condition holds. *out_new: it did not before. *out_id: of the alert; 0: nothing changed,
 * since it was seen less than a minute ago. LAMP_EFULL: no room; counted. */
LAMP_CHECK int lamp_store_alert_raise(lamp_store *s, const struct lamp_alert *a, uint64_t now_us,
                                      int64_t *out_id, bool *out_new);

/* Notes that it holds no longer. *out_id 0: it did not. */
LAMP_CHECK int lamp_store_alert_resolve(lamp_store *s, enum lamp_alert_kind kind,
                                        const char *subject, uint64_t now_us, int64_t *out_id);

/* Ends those of a miner that last and are of some kinds (bit k: kind k); why, a sentence, is added to their texts.
 * Lends the id of each to fn. */
typedef void lamp_alert_id_fn(int64_t id, void *arg);
LAMP_CHECK int lamp_store_alerts_end(lamp_store *s, int64_t miner_id, uint32_t kinds,
                                     const char *why, uint64_t now_us, lamp_alert_id_fn *fn,
                                     void *arg);

/* Notes that a person knows of it; who did so first stays. LAMP_ENOENT. */
LAMP_CHECK int lamp_store_alert_ack(lamp_store *s, int64_t id, const char *by, uint64_t now_us);

/* Lends kind and subject of alerts that last and whose miner was last heard of before before_us. fn must
 * not call the store. */
LAMP_CHECK int lamp_store_alerts_quiet(lamp_store *s, uint64_t before_us, lamp_alert_view_fn *fn,
                                       void *arg);

/* The owner's lists. add sets id. LAMP_EEXIST: it is there already; LAMP_EFULL: LAMP_OWN_MAX are; remove: LAMP_ENOENT. */
LAMP_CHECK int lamp_store_own_add(lamp_store *s, struct lamp_own *o);
LAMP_CHECK int lamp_store_own_remove(lamp_store *s, int64_t id);

/* Sets, or sets anew; takes back (LAMP_ENOENT: there is none). */
LAMP_CHECK int lamp_store_setting_put(lamp_store *s, const struct lamp_site_setting *x);
LAMP_CHECK int lamp_store_setting_remove(lamp_store *s, const char *name, const char *site);

/* Policies. add, which comes last, sets id and place; edit takes new terms, and what came of the old ones is
 * gone; LAMP_EEXIST: another one has this name. place moves one there, or to the end. edit, mode, place,
 * remove: LAMP_ENOENT. */
LAMP_CHECK int lamp_store_policy_add(lamp_store *s, struct lamp_policy *p);
LAMP_CHECK int lamp_store_policy_edit(lamp_store *s, const struct lamp_policy *p);
LAMP_CHECK int lamp_store_policy_place(lamp_store *s, int64_t id, uint32_t place);
LAMP_CHECK int lamp_store_policy_mode(lamp_store *s, int64_t id, enum lamp_policy_mode mode,
                                      const char *by, uint64_t now_us);
LAMP_CHECK int lamp_store_policy_remove(lamp_store *s, int64_t id);

/* Notes what came of a policy at last_us; its first_us and count are not used. */
LAMP_CHECK int lamp_store_policy_hit(lamp_store *s, const struct lamp_policy_hit *h);

/* What became of the blocks of b's target entered since from_us that were for b's site too. */
LAMP_CHECK int lamp_store_block_past(lamp_store *s, const struct lamp_block *b, uint64_t from_us,
                                     struct lamp_block_past *out);

/* Whether a pair with this server is sanctioned at the site ("": at any). */
LAMP_CHECK int lamp_store_server_wanted(lamp_store *s, const struct lamp_addr *server,
                                        uint16_t port, const char *site, bool *out);

/* Imports. add sets id. state: of one that is not over yet; a state from DONE on ends it. rows: of a
 * running one. Both: LAMP_ENOENT if it is not so any more. delete: with all that was found. oldest: one
 * that is over and ended before before_us, or while there are more than `most`. interrupted: those that were
 * not over when the aggregator ended have failed. */
LAMP_CHECK int lamp_store_import_add(lamp_store *s, struct lamp_import *i);
LAMP_CHECK int lamp_store_import_state(lamp_store *s, int64_t id, enum lamp_import_state state,
                                       const char *answer, const char *error, uint64_t now_us);
LAMP_CHECK int lamp_store_import_rows(lamp_store *s, int64_t id, const struct lamp_import_rows *r);
LAMP_CHECK int lamp_store_import_delete(lamp_store *s, int64_t id);
LAMP_CHECK int lamp_store_import_oldest(lamp_store *s, uint64_t before_us, uint32_t most,
                                        int64_t *out_id);
LAMP_CHECK int lamp_store_imports_interrupted(lamp_store *s, const char *error, uint64_t now_us);
