/* SPDX-License-Identifier: Apache-2.0 */
/* wire: the messages of fleet.proto as plain structs, packed and unpacked. The only module
 * that sees generated code; docs/WIRE.md says what the messages mean.
 *
 * Packing borrows everything and returns bytes the caller frees. Unpacking takes hostile
 * bytes: it works under an allocation budget, enforces the maxima stated in fleet.proto and
 * returns one object that owns all memory behind its pointers (lamp_msg_free(),
 * lamp_batch_free()). Thread-safe: no shared state. */
#pragma once

#include "common/addr.h"
#include "common/err.h"
#include "common/estimate.h"
#include "common/util.h"
#include "common/verdict.h"

enum {
    LAMP_WIRE_PROTO = 1,                /* protocol version this build speaks */
    LAMP_WIRE_MSG_MAX = 1024 * 1024,    /* longest packed Envelope, bytes */
    LAMP_WIRE_BUDGET = 8 * 1024 * 1024, /* heap that unpacking one message may use */
    LAMP_WIRE_BATCH_MAX = 768 * 1024,
    LAMP_WIRE_CONN_ROWS_MAX = 2048,
    LAMP_WIRE_ROLLUP_ROWS_MAX = 4096,
    LAMP_WIRE_NAME_ROWS_MAX = 2048,
    LAMP_WIRE_STRINGS_MAX = 8192,
    LAMP_WIRE_STRING_MAX = 256,  /* bytes of one string of a batch */
    LAMP_WIRE_EVIDENCE_MAX = 16, /* of one connection row */
    LAMP_WIRE_DECODE_MAX = 64,
    LAMP_WIRE_RECORDS_MAX = 32,
    LAMP_WIRE_STREAMS_MAX = 64,
    LAMP_WIRE_SETS_MAX = 8,
    LAMP_WIRE_SET_CHUNKS_MAX = 64,
    LAMP_WIRE_SET_CHUNK_ENTRIES_MAX = 512,
    LAMP_WIRE_SET_ENTRIES_MAX = 10000,
    LAMP_WIRE_SET_NAME_MAX = 253,
    LAMP_WIRE_SET_TEXT_MAX = 256,
    LAMP_WIRE_SITE_MAX = 64,
    LAMP_WIRE_MANIFEST_MAX = 256,
    LAMP_WIRE_DETAIL_MAX = 256,
    LAMP_WIRE_HITS_MAX = 1024,
    LAMP_WIRE_LOCAL_NAMES_MAX = 1024,
    LAMP_WIRE_SESSION_LEN = 8,
    LAMP_WIRE_STREAM_LEN = 16,
    LAMP_WIRE_NONCE_LEN = 16,
    LAMP_WIRE_DIGEST_LEN = 32,
    LAMP_WIRE_SIGNATURE_LEN = 64,
    LAMP_WIRE_KEY_LEN = 32,
    LAMP_WIRE_TOKEN_LEN = 16,
    LAMP_WIRE_NAME_MAX = 64, /* of a sensor */
    LAMP_WIRE_COIN_MAX = 15,
    LAMP_WIRE_COIN_BLOCKS_MAX = 64,
    LAMP_WIRE_MATCHES_MAX = 16,
    LAMP_WIRE_TRACK_ROWS_MAX = 1024,
    LAMP_WIRE_TRACK_STEP_S = 10,
    LAMP_WIRE_EARLY_S = 90,
    LAMP_WIRE_CHUNK_MAX = 64 * 1024,         /* of a sample on its way to the aggregator */
    LAMP_WIRE_LOCAL_SAMPLE_MAX = 128 * 1024, /* of one on its way to link */
};

/* Highest count of bytes or packets of one row: sums of many rows stay below 2^63. */
#define LAMP_WIRE_COUNT_MAX (UINT64_C(1) << 48)

/* ---- session and delivery ---- */

struct lamp_stream_id {
    uint8_t b[LAMP_WIRE_STREAM_LEN];
};
struct lamp_session_id {
    uint8_t b[LAMP_WIRE_SESSION_LEN];
};

enum lamp_set_kind {
    LAMP_SET_NONE,
    LAMP_SET_WATCH,
    LAMP_SET_BLOCK,
    LAMP_SET_NEVER,
    LAMP_SET_POLICY
};

struct lamp_set_head {
    enum lamp_set_kind kind;
    uint64_t epoch, serial;
    uint8_t digest[LAMP_WIRE_DIGEST_LEN]; /* all zero: none */
};

struct lamp_stream_state {
    struct lamp_stream_id stream;
    uint64_t first_seq, last_seq, acked_seq;
};

struct lamp_stream_next {
    struct lamp_stream_id stream;
    uint64_t next_seq;
};

struct lamp_hello {
    uint32_t proto_min, proto_max;
    struct lamp_session_id session;
    struct lamp_bytes build, boot_id;
    uint64_t t_real_us, t_mono_us;
    struct lamp_stream_state *streams;
    size_t n_streams;
    struct lamp_set_head block_list;
    uint64_t spool_bytes, spool_quota_bytes;
    struct lamp_stream_id current_stream;
    bool memory_only, more_streams;
    uint64_t agg_epoch;
    uint64_t server_key_serial; /* of the newest SERVER_KEY it holds; 0: none */
};

struct lamp_welcome {
    uint32_t proto;
    struct lamp_session_id session;
    uint64_t agg_epoch;
    struct lamp_stream_next *streams;
    size_t n_streams;
    uint64_t credit_bytes, t_rx_us, t_tx_us;
    uint32_t interval_ms;
    struct lamp_set_head *sets;
    size_t n_sets;
};

struct lamp_ack {
    struct lamp_session_id session;
    struct lamp_stream_next *streams;
    size_t n_streams;
    uint64_t credit_bytes, t_us;
};

enum lamp_loss_reason {
    LAMP_LOSS_UNSPECIFIED,
    LAMP_LOSS_QUOTA,
    LAMP_LOSS_DAMAGED,
    LAMP_LOSS_AGG_RESTORE,
    LAMP_LOSS_MEMORY_ONLY,
    LAMP_LOSS_CRASH
};

struct lamp_loss {
    struct lamp_session_id session;
    struct lamp_stream_id stream;
    uint64_t from_seq, to_seq, t_from_us, t_to_us, n_flows, n_bytes;
    enum lamp_loss_reason reason;
};

struct lamp_close {
    struct lamp_session_id session;
    struct lamp_stream_id stream;
    uint64_t last_seq;
    bool clean;
};

enum lamp_bye_reason {
    LAMP_BYE_UNSPECIFIED,
    LAMP_BYE_UNKNOWN_SESSION,
    LAMP_BYE_SUPERSEDED,
    LAMP_BYE_REVOKED,
    LAMP_BYE_VERSION,
    LAMP_BYE_OVERLOAD,
    LAMP_BYE_PROTOCOL
};

struct lamp_bye {
    struct lamp_session_id session;
    enum lamp_bye_reason reason;
    uint32_t retry_after_ms;
};

struct lamp_ping {
    struct lamp_session_id session;
    uint64_t t_us;
    uint64_t t_agg_us, rtt_us; /* rtt_us 0: not known */
    uint64_t server_key_serial;
};
struct lamp_pong {
    struct lamp_session_id session;
    uint64_t t_ping_us, t_us;
};

struct lamp_summary {
    struct lamp_session_id session;
    struct lamp_stream_id stream;
    uint64_t seq, t_from_us, t_to_us, n_rows, n_bytes;
    struct lamp_bytes batch; /* packed Batch: lamp_batch_unpack() */
};

/* ---- sets ---- */

enum lamp_set_mode { LAMP_SET_MODE_NONE, LAMP_SET_FULL, LAMP_SET_DELTA };

enum lamp_set_action { LAMP_SET_ACTION_NONE, LAMP_SET_ADD, LAMP_SET_REMOVE };
enum lamp_set_state {
    LAMP_SET_STATE_NONE,
    LAMP_SET_EMPTY,
    LAMP_SET_STAGED,
    LAMP_SET_APPLIED,
    LAMP_SET_CONFIRMED,
    LAMP_SET_REFUSED,
    LAMP_SET_ROLLED_BACK,
    LAMP_SET_EXPIRED,
    LAMP_SET_OFF
};
enum lamp_enforce_mode { LAMP_ENFORCE_OFF, LAMP_ENFORCE_DRY_RUN, LAMP_ENFORCE_ON };

struct lamp_nonce {
    uint8_t b[LAMP_WIRE_NONCE_LEN];
};

struct lamp_set_entry {
    enum lamp_set_action action;
    struct lamp_prefix prefix; /* all zero where name is set */
    uint16_t port;             /* 0: every port */
    uint8_t ip_proto;          /* 0: every protocol; else 6 or 17 */
    bool inside;               /* an inside host, else a remote address */
    bool approved;             /* by a second person, though unusually wide or one of many */
    uint32_t ttl_s;
    uint64_t id;
    struct lamp_bytes name, text;
};

struct lamp_set_notify {
    struct lamp_set_head head;
    struct lamp_nonce nonce; /* all zero: answers no question */
};
struct lamp_set_query {
    struct lamp_nonce nonce;
    struct lamp_set_head have;
};
struct lamp_set_begin {
    struct lamp_nonce nonce;
    enum lamp_set_kind kind;
    enum lamp_set_mode mode;
    uint64_t base_serial;
    uint32_t chunks;
};
struct lamp_set_chunk {
    struct lamp_nonce nonce;
    uint32_t index;
    struct lamp_set_entry *entries;
    size_t n_entries;
};
struct lamp_set_manifest {
    struct lamp_bytes site;
    enum lamp_set_kind kind;
    uint64_t epoch, serial, expires_us;
    uint32_t count, flags;
    uint8_t digest[LAMP_WIRE_DIGEST_LEN];
};
struct lamp_set_end {
    struct lamp_nonce nonce;
    struct lamp_bytes manifest; /* packed SetManifest: lamp_set_manifest_unpack() */
    uint8_t signature[LAMP_WIRE_SIGNATURE_LEN];
};
struct lamp_set_reset {
    struct lamp_nonce nonce;
    enum lamp_set_kind kind;
};
struct lamp_set_hits {
    uint64_t id, packets, bytes;
};
struct lamp_set_status {
    struct lamp_set_head head;
    enum lamp_set_state state;
    int32_t code;
    struct lamp_bytes detail;
    struct lamp_set_hits *hits;
    size_t n_hits;
    uint64_t *refused_ids;
    size_t n_refused_ids;
    enum lamp_enforce_mode mode;
    uint64_t t_us;
    struct lamp_set_head about;  /* what was refused or rolled back; serial 0: head itself */
    uint32_t elements;           /* in the kernel */
    uint64_t repairs, flows_cut; /* since the process started */
};

/* ---- enrolment and keys ---- */

struct lamp_enroll {
    uint8_t token[LAMP_WIRE_TOKEN_LEN]; /* all zero: none, an operator is to approve */
    struct lamp_bytes name, site, build;
};

enum lamp_enroll_state {
    LAMP_ENROLL_NONE,
    LAMP_ENROLL_ACCEPTED,
    LAMP_ENROLL_PENDING,
    LAMP_ENROLL_REFUSED,
    LAMP_ENROLL_LATER
};

struct lamp_enroll_answer {
    enum lamp_enroll_state state;
    int32_t code;
    struct lamp_bytes site, name;
    uint8_t list_key[LAMP_WIRE_KEY_LEN]; /* all zero: not said */
    uint32_t retry_after_ms;
};

struct lamp_key_rotate {
    uint8_t public_key[LAMP_WIRE_KEY_LEN];
};

enum lamp_key_order {
    LAMP_KEY_ORDER_NONE,
    LAMP_KEY_ORDER_REPLACE,
    LAMP_KEY_ORDER_ACCEPTED,
    LAMP_KEY_ORDER_REFUSED
};

struct lamp_key_state {
    enum lamp_key_order order;
    uint8_t public_key[LAMP_WIRE_KEY_LEN]; /* all zero: none */
};

struct lamp_server_key {
    uint8_t public_key[LAMP_WIRE_KEY_LEN];
    uint64_t serial;
    uint8_t signature[LAMP_WIRE_SIGNATURE_LEN];
};

/* ---- blocks of coins ---- */

struct lamp_coin_block {
    struct lamp_bytes coin; /* symbol */
    uint64_t t_us;
};

struct lamp_coin_blocks {
    struct lamp_coin_block *blocks;
    size_t n_blocks;
};

/* ---- orders: packet samples ---- */

enum lamp_order_kind { LAMP_ORDER_NONE, LAMP_ORDER_SAMPLE, LAMP_ORDER_CANCEL };

/* Packets between a host and a remote, in either direction; what is zero says nothing. */
struct lamp_order_match {
    struct lamp_addr host, remote;
    uint16_t host_port, remote_port;
    uint8_t ip_proto;
};

struct lamp_order {
    uint64_t id;
    enum lamp_order_kind kind;
    uint32_t packets_per_connection, packets, duration_s, snaplen;
    uint64_t bytes_max;
    struct lamp_order_match *matches; /* none: everything */
    size_t n_matches;
};

enum lamp_order_state {
    LAMP_ORDER_STATE_NONE,
    LAMP_ORDER_ACCEPTED,
    LAMP_ORDER_RUNNING,
    LAMP_ORDER_DONE,
    LAMP_ORDER_REFUSED,
    LAMP_ORDER_FAILED
};

struct lamp_order_status {
    uint64_t id;
    enum lamp_order_state state;
    int32_t code;
    struct lamp_bytes detail;
    uint64_t packets, bytes;
};

struct lamp_sample_chunk {
    uint64_t order_id, offset;
    struct lamp_bytes data;
    bool last;
};

struct lamp_sample_ack {
    uint64_t order_id, next_offset;
    bool over;
};

/* ---- inside one sensor ---- */

struct lamp_local_state {
    struct lamp_addr aggregator_addr;
    bool has_addr, session_up;
};
struct lamp_local_reply {
    struct lamp_set_head head;
    enum lamp_enforce_mode mode;
};
struct lamp_local_answer {
    struct lamp_set_head have;
};
struct lamp_local_name {
    struct lamp_bytes name;
    struct lamp_addr addr, server; /* all zero: a name to look for */
    uint32_t ttl_s;
};
struct lamp_local_names {
    struct lamp_local_name *names;
    size_t n_names;
};
struct lamp_local_sample {
    uint64_t order_id;
    uint32_t packets; /* in data */
    struct lamp_bytes data;
    uint64_t dropped;
    bool over;
};

/* ---- the envelope ---- */

/* Numbers are those of Envelope's members. */
enum lamp_msg_type {
    LAMP_MSG_OTHER = 0, /* well-formed, but nothing this build knows: count and ignore */
    LAMP_MSG_HELLO = 1,
    LAMP_MSG_WELCOME,
    LAMP_MSG_SUMMARY,
    LAMP_MSG_LOSS,
    LAMP_MSG_CLOSE,
    LAMP_MSG_ACK,
    LAMP_MSG_BYE,
    LAMP_MSG_PING,
    LAMP_MSG_PONG,
    LAMP_MSG_SET_NOTIFY = 16,
    LAMP_MSG_SET_QUERY,
    LAMP_MSG_SET_BEGIN,
    LAMP_MSG_SET_CHUNK,
    LAMP_MSG_SET_END,
    LAMP_MSG_SET_RESET,
    LAMP_MSG_SET_STATUS,
    LAMP_MSG_ENROLL = 32,
    LAMP_MSG_KEY_ROTATE,
    LAMP_MSG_ENROLL_ANSWER,
    LAMP_MSG_KEY_STATE,
    LAMP_MSG_SERVER_KEY,
    LAMP_MSG_COIN_BLOCKS,
    LAMP_MSG_ORDER = 40,
    LAMP_MSG_ORDER_STATUS,
    LAMP_MSG_SAMPLE_CHUNK,
    LAMP_MSG_SAMPLE_ACK,
    LAMP_MSG_TRACK, /* u.order: of SAMPLE what is left of duration_s counts, and the matches */
    LAMP_MSG_LOCAL_STATE = 60,
    LAMP_MSG_LOCAL_REPLY,
    LAMP_MSG_LOCAL_ANSWER,
    LAMP_MSG_LOCAL_NAMES,
    LAMP_MSG_LOCAL_SAMPLE,
};

struct lamp_msg {
    enum lamp_msg_type type;
    union {
        struct lamp_hello hello;
        struct lamp_welcome welcome;
        struct lamp_summary summary;
        struct lamp_loss loss;
        struct lamp_close close;
        struct lamp_ack ack;
        struct lamp_bye bye;
        struct lamp_ping ping;
        struct lamp_pong pong;
        struct lamp_set_notify set_notify;
        struct lamp_set_query set_query;
        struct lamp_set_begin set_begin;
        struct lamp_set_chunk set_chunk;
        struct lamp_set_end set_end;
        struct lamp_set_reset set_reset;
        struct lamp_set_status set_status;
        struct lamp_enroll enroll;
        struct lamp_key_rotate key_rotate;
        struct lamp_enroll_answer enroll_answer;
        struct lamp_key_state key_state;
        struct lamp_server_key server_key;
        struct lamp_coin_blocks coin_blocks;
        struct lamp_local_state local_state;
        struct lamp_local_reply local_reply;
        struct lamp_local_answer local_answer;
        struct lamp_local_names local_names;
        struct lamp_order order;
        struct lamp_order_status order_status;
        struct lamp_sample_chunk sample_chunk;
        struct lamp_sample_ack sample_ack;
        struct lamp_local_sample local_sample;
    } u;
};

/* Packs one Envelope. *out is the caller's to free(). LAMP_EFULL: longer than
 * LAMP_WIRE_MSG_MAX, or a list or bytes above their maximum. LAMP_EINVAL: OTHER, or a number
 * outside its range (uint64 values are below 2^63). LAMP_ENOMEM. */
LAMP_CHECK int lamp_msg_pack(const struct lamp_msg *m, uint8_t **out, size_t *out_len);

/* Unpacks one Envelope; lamp_msg_free() releases it. LAMP_EFORMAT: not protobuf, or a value
 * outside its type (wrong id length, bad prefix). LAMP_EFULL: a maximum or the budget was
 * passed. LAMP_ENOMEM. On error *out is untouched. */
LAMP_CHECK int lamp_msg_unpack(const uint8_t *data, size_t len, struct lamp_msg **out);
struct lamp_msg *lamp_msg_free(struct lamp_msg *m);

/* The message's name as in docs/WIRE.md ("SET_BEGIN"). */
const char *lamp_msg_name(enum lamp_msg_type t);

/* ---- the batch ---- */

struct lamp_sensor_counters {
    uint64_t packets, bytes, kernel_drops, interface_drops;
    uint64_t decode[LAMP_WIRE_DECODE_MAX], decode_bytes[LAMP_WIRE_DECODE_MAX];
    size_t n_decode, n_decode_bytes;
    uint64_t flows_new, flows_evicted, flows_refused, flows_live, conns_live, conns_refused;
    uint64_t reasm_dropped_bytes, summary_rows_dropped, memory_bytes, cpu_us;
    uint64_t refused_bytes, rollup_other, names_dropped, summary_bytes_dropped;
    uint64_t records[LAMP_WIRE_RECORDS_MAX];
    size_t n_records;
};

/* One reason for a verdict. Empty bytes: not said. */
struct lamp_evidence {
    struct lamp_bytes kind, detail;
    struct lamp_bytes field;            /* the part of the traffic it was seen in */
    struct lamp_bytes strength, refute; /* how far it goes, and what would gainsay it */
    uint64_t t_us;                      /* of the packet; 0: unknown */
    enum lamp_side side;                /* who sent it */
};

/* One connection in one interval. Counts from bytes_up to work_shares cover the interval
 * only, up is from the mining side; the rest is the newest value. Empty bytes: unknown. */
struct lamp_conn_row {
    uint64_t conn_id; /* unique within cap_run */
    struct lamp_addr client_addr, server_addr;
    uint16_t client_port, server_port;
    uint8_t ip_proto;
    uint32_t vlan;              /* outermost id | next << 12 | depth << 24 */
    uint64_t first_us, last_us; /* first packet of the connection, newest packet */
    uint64_t bytes_up, bytes_down, packets_up, packets_down;
    uint32_t jobs, submitted, accepted, rejected, stale;
    double work_hashes;   /* expected hashes of the counted shares */
    uint32_t work_shares; /* how many shares these are */
    enum lamp_verdict verdict;
    uint32_t confidence; /* 1/10000 */
    struct lamp_bytes family, coin, algorithm, wallet, worker, agent, pool, server_name, sni, ja4,
        hash_unit;
    struct lamp_bytes tunnel_kind, tunnel_host; /* what the server passes on, and where to */
    uint16_t tunnel_port;                       /* 0: unknown */
    double difficulty, self_rate;               /* 0: unknown */
    uint32_t flags;                             /* enum lamp_conn_flag */
    struct lamp_bytes platform;                 /* "minergate", "nicehash" */
    uint32_t devices;                           /* that the nonces of shares tell of; 0: unknown */
    enum lamp_rate_method work_method;          /* of work_hashes: NONE, SHARES or HASH_VALUE */
    uint32_t hash_values;                       /* of HASH_VALUE: read from so many hashes */
    enum lamp_rate_method other_method;         /* NONE, NONCE or TIMING */
    double other_rate, other_low, other_high;   /* hashes/s by other_method */
    uint32_t early_shares; /* encrypted: 1 + messages of the size that shares have, in the first
                            * LAMP_WIRE_EARLY_S; 0: too early, or its start was not seen */
    uint32_t block_ms;     /* its newest job of a new block: 1 + ms after t_from_us; 0: none came */
    struct lamp_evidence *evidence; /* at most LAMP_WIRE_EVIDENCE_MAX */
    size_t n_evidence;
};

struct lamp_rollup_row {
    uint64_t minute; /* minutes since 1970 */
    struct lamp_addr inside_addr, remote_addr;
    struct lamp_bytes application, remote_name;
    uint64_t bytes_out, bytes_in, packets_out, packets_in;
    uint32_t flows;
    uint16_t service_port;
    uint8_t ip_proto;
};

struct lamp_name_row {
    struct lamp_addr addr;
    struct lamp_bytes name;
    uint32_t ttl_s;
    uint64_t seen_us;
};

/* What was seen of something tracked within LAMP_WIRE_TRACK_STEP_S; out is from the host. */
struct lamp_track_row {
    uint64_t order_id; /* of the TRACK */
    uint64_t step;     /* LAMP_WIRE_TRACK_STEP_S since 1970 */
    uint64_t bytes_out, bytes_in, packets_out, packets_in;
};

struct lamp_batch {
    uint8_t cap_run[16];
    uint64_t t_from_us, t_to_us, mono_from_us, mono_to_us;
    bool recorded; /* of a capture file: no clock of the sensor's stands behind the times */
    struct lamp_sensor_counters counters;
    struct lamp_conn_row *conns;
    size_t n_conns;
    struct lamp_rollup_row *rollups;
    size_t n_rollups;
    struct lamp_name_row *names;
    size_t n_names;
    struct lamp_track_row *tracks;
    size_t n_tracks;
};

/* Packs a Batch; the strings of all rows share one table, which hashes with cap_run as its
 * secret. Strings longer than LAMP_WIRE_STRING_MAX are cut. *out is the caller's to free().
 * LAMP_EFULL: too many rows or strings, or longer than LAMP_WIRE_BATCH_MAX: split the rows.
 * LAMP_EINVAL: a number outside its range (NaN, a negative difficulty, a confidence above
 * 10000). LAMP_ENOMEM. */
LAMP_CHECK int lamp_batch_pack(const struct lamp_batch *b, uint8_t **out, size_t *out_len);

/* Unpacks a Batch; lamp_batch_free() releases it. Errors as lamp_msg_unpack(); columns of
 * unequal length are LAMP_EFORMAT. */
LAMP_CHECK int lamp_batch_unpack(struct lamp_bytes packed, struct lamp_batch **out);
struct lamp_batch *lamp_batch_free(struct lamp_batch *b);

/* ---- the manifest of a set ---- */

/* Packs the bytes that are signed. *out is the caller's to free(). LAMP_ENOMEM, LAMP_EFULL. */
LAMP_CHECK int lamp_set_manifest_pack(const struct lamp_set_manifest *m, uint8_t **out,
                                      size_t *out_len);

/* Unpacks into *out; site borrows from `site` (64 bytes, the caller's). Errors as above. */
LAMP_CHECK int lamp_set_manifest_unpack(struct lamp_bytes packed, char site[65],
                                        struct lamp_set_manifest *out);

/* The order of entries in canonical form: by inside, address, length, port, protocol, name. */
int lamp_set_entry_cmp(const void *a, const void *b);

/* Brings entries into canonical form: sorts them, and where prefixes of the same side, port and
 * protocol overlap leaves the widest, of equal ones that with the longest life. Returns how many
 * are left. */
size_t lamp_set_canonical(struct lamp_set_entry *entries, size_t n);

/* BLAKE2b-256 over the entries in their order, each as a fixed layout of everything but its
 * action (docs/WIRE.md). The entries must be canonical: sorted by lamp_set_entry_cmp(), host
 * bits zero, names in lower case, none twice (LAMP_ECANON), none overlapping another of the
 * same side, port and protocol (LAMP_EOVERLAP). LAMP_EFULL: more than
 * LAMP_WIRE_SET_ENTRIES_MAX, or a name or text too long. LAMP_ENOMEM. */
LAMP_CHECK int lamp_set_digest(const struct lamp_set_entry *entries, size_t n,
                               uint8_t out[LAMP_WIRE_DIGEST_LEN]);

/* The bytes of a SERVER_KEY that the list key signs (docs/WIRE.md). */
enum { LAMP_SERVER_KEY_SIGNED = 20 + 8 + LAMP_WIRE_KEY_LEN };
void lamp_server_key_signed(const struct lamp_server_key *k, uint8_t out[LAMP_SERVER_KEY_SIGNED]);

/* A set that owns its memory; lamp_set_done() releases it. */
struct lamp_set {
    struct lamp_set_entry *entries;
    size_t n;
    uint8_t *text; /* names and texts of the entries */
};

/* Copies entries and what they point to. LAMP_ENOMEM. */
LAMP_CHECK int lamp_set_copy(const struct lamp_set_entry *entries, size_t n, struct lamp_set *out);
void lamp_set_done(struct lamp_set *s);

/* What leads from one canonical set to another: what goes (REMOVE) and what comes or takes the place
 * of an entry with its key (ADD), in canonical order. LAMP_ENOMEM. */
LAMP_CHECK int lamp_set_diff(const struct lamp_set *from, const struct lamp_set *to,
                             struct lamp_set *out);

/* The set that such changes make of a canonical one; canonical too, but overlaps may have come
 * about. LAMP_ECANON: changes not in order, or two of a key. LAMP_EFORMAT: one removes what is not
 * there, or does nothing. LAMP_ENOMEM. */
LAMP_CHECK int lamp_set_patch(const struct lamp_set *base, const struct lamp_set_entry *delta,
                              size_t n_delta, struct lamp_set *out);
