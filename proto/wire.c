/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/wire.h"

#include "fleet.pb-c.h"
#include "proto/shape.h"
#include "proto/wire_priv.h"

/* ---- the field tables: one line per field, in the order of fleet.proto ---- */

#define LAMP_OURS struct lamp_set_head
#define LAMP_THEIRS Davylamp__V1__SetHead
static const struct lamp_field set_head_fields[] = {
    LAMP_UPTO(kind, LAMP_SET_POLICY),
    LAMP_U64(epoch),
    LAMP_U64(serial),
    LAMP_OPT_ID(digest),
};
LAMP_SHAPE(set_head, set_head, set_head, set_head_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_stream_state
#define LAMP_THEIRS Davylamp__V1__StreamState
static const struct lamp_field stream_state_fields[] = {
    LAMP_ID(stream),
    LAMP_U64(first_seq),
    LAMP_U64(last_seq),
    LAMP_U64(acked_seq),
};
LAMP_SHAPE(stream_state, stream_state, stream_state, stream_state_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_hello
#define LAMP_THEIRS Davylamp__V1__Hello
static const struct lamp_field hello_fields[] = {
    LAMP_U32(proto_min),
    LAMP_U32(proto_max),
    LAMP_ID(session),
    LAMP_BYTES(build, 64),
    LAMP_BYTES(boot_id, 36),
    LAMP_U64(t_real_us),
    LAMP_U64(t_mono_us),
    LAMP_LIST(streams, LAMP_WIRE_STREAMS_MAX, stream_state),
    LAMP_SUB(block_list, set_head),
    LAMP_U64(spool_bytes),
    LAMP_U64(spool_quota_bytes),
    LAMP_OPT_ID(current_stream),
    LAMP_FLAG(memory_only),
    LAMP_FLAG(more_streams),
    LAMP_U64(agg_epoch),
    LAMP_U64(server_key_serial),
};
LAMP_SHAPE(hello, hello, hello, hello_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_stream_next
#define LAMP_THEIRS Davylamp__V1__StreamNext
static const struct lamp_field stream_next_fields[] = {
    LAMP_ID(stream),
    LAMP_U64(next_seq),
};
LAMP_SHAPE(stream_next, stream_next, stream_next, stream_next_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_welcome
#define LAMP_THEIRS Davylamp__V1__Welcome
static const struct lamp_field welcome_fields[] = {
    LAMP_U32(proto),
    LAMP_ID(session),
    LAMP_U64(agg_epoch),
    LAMP_LIST(streams, LAMP_WIRE_STREAMS_MAX, stream_next),
    LAMP_U64(credit_bytes),
    LAMP_U64(t_rx_us),
    LAMP_U64(t_tx_us),
    LAMP_U32(interval_ms),
    LAMP_LIST(sets, LAMP_WIRE_SETS_MAX, set_head),
};
LAMP_SHAPE(welcome, welcome, welcome, welcome_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_ack
#define LAMP_THEIRS Davylamp__V1__Ack
static const struct lamp_field ack_fields[] = {
    LAMP_ID(session),
    LAMP_LIST(streams, LAMP_WIRE_STREAMS_MAX, stream_next),
    LAMP_U64(credit_bytes),
    LAMP_U64(t_us),
};
LAMP_SHAPE(ack, ack, ack, ack_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_loss
#define LAMP_THEIRS Davylamp__V1__Loss
static const struct lamp_field loss_fields[] = {
    LAMP_OPT_ID(session), LAMP_ID(stream),     LAMP_U64(from_seq),
    LAMP_U64(to_seq),     LAMP_U64(t_from_us), LAMP_U64(t_to_us),
    LAMP_U64(n_flows),    LAMP_U64(n_bytes),   LAMP_REASON(reason, LAMP_LOSS_CRASH),
};
LAMP_SHAPE(loss, loss, loss, loss_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_close
#define LAMP_THEIRS Davylamp__V1__Close
static const struct lamp_field close_fields[] = {
    LAMP_OPT_ID(session),
    LAMP_ID(stream),
    LAMP_U64(last_seq),
    LAMP_FLAG(clean),
};
LAMP_SHAPE(stream_close, close, close, close_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_bye
#define LAMP_THEIRS Davylamp__V1__Bye
static const struct lamp_field bye_fields[] = {
    LAMP_OPT_ID(session),
    LAMP_REASON(reason, LAMP_BYE_PROTOCOL),
    LAMP_U32(retry_after_ms),
};
LAMP_SHAPE(bye, bye, bye, bye_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_ping
#define LAMP_THEIRS Davylamp__V1__Ping
static const struct lamp_field ping_fields[] = {
    LAMP_ID(session),
    LAMP_U64(t_us),
    LAMP_U64(t_agg_us),
    LAMP_U64(rtt_us),
    LAMP_U64(server_key_serial),
};
LAMP_SHAPE(ping, ping, ping, ping_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_pong
#define LAMP_THEIRS Davylamp__V1__Pong
static const struct lamp_field pong_fields[] = {
    LAMP_ID(session),
    LAMP_U64(t_ping_us),
    LAMP_U64(t_us),
};
LAMP_SHAPE(pong, pong, pong, pong_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_summary
#define LAMP_THEIRS Davylamp__V1__Summary
static const struct lamp_field summary_fields[] = {
    LAMP_OPT_ID(session), LAMP_OPT_ID(stream),
    LAMP_U64(seq),        LAMP_U64(t_from_us),
    LAMP_U64(t_to_us),    LAMP_U64(n_rows),
    LAMP_U64(n_bytes),    LAMP_BYTES(batch, LAMP_WIRE_BATCH_MAX),
};
LAMP_SHAPE(summary, summary, summary, summary_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_set_notify
#define LAMP_THEIRS Davylamp__V1__SetNotify
static const struct lamp_field set_notify_fields[] = {
    LAMP_SUB(head, set_head),
    LAMP_OPT_ID(nonce),
};
LAMP_SHAPE(set_notify, set_notify, set_notify, set_notify_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_set_query
#define LAMP_THEIRS Davylamp__V1__SetQuery
static const struct lamp_field set_query_fields[] = {
    LAMP_ID(nonce),
    LAMP_SUB(have, set_head),
};
LAMP_SHAPE(set_query, set_query, set_query, set_query_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_set_begin
#define LAMP_THEIRS Davylamp__V1__SetBegin
static const struct lamp_field set_begin_fields[] = {
    LAMP_ID(nonce),
    LAMP_UPTO(kind, LAMP_SET_POLICY),
    LAMP_UPTO(mode, LAMP_SET_DELTA),
    LAMP_U64(base_serial),
    LAMP_UPTO(chunks, LAMP_WIRE_SET_CHUNKS_MAX),
};
LAMP_SHAPE(set_begin, set_begin, set_begin, set_begin_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

/* An address or a name (or, in a policy, a text), and never a prefix that cuts into the
 * ::ffff:0:0/96 of a mapped IPv4 address. */
static int check_entry(void *ours)
{
    const struct lamp_set_entry *e = ours;
    if (e->ip_proto != 0 && e->ip_proto != 6 && e->ip_proto != 17)
        return LAMP_EFORMAT;
    if (lamp_addr_is_v4(&e->prefix.addr) && e->prefix.len < 96)
        return LAMP_EFORMAT;
    bool has_addr = e->prefix.len > 0 || !lamp_is_zero(&e->prefix.addr, sizeof(e->prefix.addr));
    if (has_addr == (e->name.len > 0) && (has_addr || e->text.len == 0))
        return LAMP_EFORMAT;
    return LAMP_OK;
}

#define LAMP_OURS struct lamp_set_entry
#define LAMP_THEIRS Davylamp__V1__SetEntry
static const struct lamp_field set_entry_fields[] = {
    LAMP_UPTO(action, LAMP_SET_REMOVE),
    LAMP_PAIR(OPT_ID, prefix.addr, addr, sizeof(struct lamp_addr)),
    LAMP_PAIR(INT, prefix.len, prefix_len, 128),
    LAMP_UPTO(port, UINT16_MAX),
    LAMP_UPTO(ip_proto, UINT8_MAX),
    LAMP_FLAG(inside),
    LAMP_FLAG(approved),
    LAMP_BYTES(name, LAMP_WIRE_SET_NAME_MAX),
    LAMP_U32(ttl_s),
    LAMP_U64(id),
    LAMP_BYTES(text, LAMP_WIRE_SET_TEXT_MAX),
};
LAMP_SHAPE(set_entry, set_entry, set_entry, set_entry_fields, .check = check_entry);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_set_chunk
#define LAMP_THEIRS Davylamp__V1__SetChunk
static const struct lamp_field set_chunk_fields[] = {
    LAMP_ID(nonce),
    LAMP_UPTO(index, LAMP_WIRE_SET_CHUNKS_MAX - 1),
    LAMP_LIST(entries, LAMP_WIRE_SET_CHUNK_ENTRIES_MAX, set_entry),
};
LAMP_SHAPE(set_chunk, set_chunk, set_chunk, set_chunk_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_set_manifest
#define LAMP_THEIRS Davylamp__V1__SetManifest
static const struct lamp_field set_manifest_fields[] = {
    LAMP_BYTES(site, LAMP_WIRE_SITE_MAX),
    LAMP_UPTO(kind, LAMP_SET_POLICY),
    LAMP_U64(epoch),
    LAMP_U64(serial),
    LAMP_U64(expires_us),
    LAMP_UPTO(count, LAMP_WIRE_SET_ENTRIES_MAX),
    LAMP_ID(digest),
    LAMP_U32(flags),
};
LAMP_SHAPE(set_manifest, set_manifest, set_manifest, set_manifest_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_set_end
#define LAMP_THEIRS Davylamp__V1__SetEnd
static const struct lamp_field set_end_fields[] = {
    LAMP_ID(nonce),
    LAMP_BYTES(manifest, LAMP_WIRE_MANIFEST_MAX),
    LAMP_ID(signature),
};
LAMP_SHAPE(set_end, set_end, set_end, set_end_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_set_reset
#define LAMP_THEIRS Davylamp__V1__SetReset
static const struct lamp_field set_reset_fields[] = {
    LAMP_ID(nonce),
    LAMP_UPTO(kind, LAMP_SET_POLICY),
};
LAMP_SHAPE(set_reset, set_reset, set_reset, set_reset_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_set_hits
#define LAMP_THEIRS Davylamp__V1__SetHits
static const struct lamp_field set_hits_fields[] = {
    LAMP_U64(id),
    LAMP_U64(packets),
    LAMP_U64(bytes),
};
LAMP_SHAPE(set_hits, set_hits, set_hits, set_hits_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_set_status
#define LAMP_THEIRS Davylamp__V1__SetStatus
static const struct lamp_field set_status_fields[] = {
    LAMP_SUB(head, set_head),
    LAMP_UPTO(state, LAMP_SET_OFF),
    LAMP_U32(code),
    LAMP_BYTES(detail, LAMP_WIRE_DETAIL_MAX),
    LAMP_LIST(hits, LAMP_WIRE_HITS_MAX, set_hits),
    LAMP_U64_LIST(refused_ids, LAMP_WIRE_HITS_MAX),
    LAMP_UPTO(mode, LAMP_ENFORCE_ON),
    LAMP_U64(t_us),
    LAMP_SUB(about, set_head),
    LAMP_U32(elements),
    LAMP_U64(repairs),
    LAMP_U64(flows_cut),
};
LAMP_SHAPE(set_status, set_status, set_status, set_status_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

static int check_local_state(void *ours)
{
    struct lamp_local_state *s = ours;
    s->has_addr = !lamp_is_zero(&s->aggregator_addr, sizeof(s->aggregator_addr));
    return LAMP_OK;
}

#define LAMP_OURS struct lamp_enroll
#define LAMP_THEIRS Davylamp__V1__Enroll
static const struct lamp_field enroll_fields[] = {
    LAMP_OPT_ID(token),
    LAMP_BYTES(name, LAMP_WIRE_NAME_MAX),
    LAMP_BYTES(site, LAMP_WIRE_SITE_MAX),
    LAMP_BYTES(build, 64),
};
LAMP_SHAPE(enroll, enroll, enroll, enroll_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_enroll_answer
#define LAMP_THEIRS Davylamp__V1__EnrollAnswer
static const struct lamp_field enroll_answer_fields[] = {
    LAMP_UPTO(state, LAMP_ENROLL_LATER),
    LAMP_U32(code),
    LAMP_BYTES(site, LAMP_WIRE_SITE_MAX),
    LAMP_BYTES(name, LAMP_WIRE_NAME_MAX),
    LAMP_OPT_ID(list_key),
    LAMP_U32(retry_after_ms),
};
LAMP_SHAPE(enroll_answer, enroll_answer, enroll_answer, enroll_answer_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_key_rotate
#define LAMP_THEIRS Davylamp__V1__KeyRotate
static const struct lamp_field key_rotate_fields[] = { LAMP_ID(public_key) };
LAMP_SHAPE(key_rotate, key_rotate, key_rotate, key_rotate_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_key_state
#define LAMP_THEIRS Davylamp__V1__KeyState
static const struct lamp_field key_state_fields[] = {
    LAMP_UPTO(order, LAMP_KEY_ORDER_REFUSED),
    LAMP_OPT_ID(public_key),
};
LAMP_SHAPE(key_state, key_state, key_state, key_state_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_server_key
#define LAMP_THEIRS Davylamp__V1__ServerKey
static const struct lamp_field server_key_fields[] = {
    LAMP_ID(public_key),
    LAMP_U64(serial),
    LAMP_ID(signature),
};
LAMP_SHAPE(server_key, server_key, server_key, server_key_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_coin_block
#define LAMP_THEIRS Davylamp__V1__CoinBlock
static const struct lamp_field coin_block_fields[] = {
    LAMP_BYTES(coin, LAMP_WIRE_COIN_MAX),
    LAMP_U64(t_us),
};
LAMP_SHAPE(coin_block, coin_block, coin_block, coin_block_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_coin_blocks
#define LAMP_THEIRS Davylamp__V1__CoinBlocks
static const struct lamp_field coin_blocks_fields[] = {
    LAMP_LIST(blocks, LAMP_WIRE_COIN_BLOCKS_MAX, coin_block),
};
LAMP_SHAPE(coin_blocks, coin_blocks, coin_blocks, coin_blocks_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_local_state
#define LAMP_THEIRS Davylamp__V1__LocalState
static const struct lamp_field local_state_fields[] = {
    LAMP_OPT_ID(aggregator_addr),
    LAMP_FLAG(session_up),
};
LAMP_SHAPE(local_state, local_state, local_state, local_state_fields, .check = check_local_state);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_local_reply
#define LAMP_THEIRS Davylamp__V1__LocalReply
static const struct lamp_field local_reply_fields[] = {
    LAMP_SUB(head, set_head),
    LAMP_UPTO(mode, LAMP_ENFORCE_ON),
};
LAMP_SHAPE(local_reply, local_reply, local_reply, local_reply_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_local_answer
#define LAMP_THEIRS Davylamp__V1__LocalAnswer
static const struct lamp_field local_answer_fields[] = {
    LAMP_SUB(have, set_head),
};
LAMP_SHAPE(local_answer, local_answer, local_answer, local_answer_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_local_name
#define LAMP_THEIRS Davylamp__V1__LocalName
static const struct lamp_field local_name_fields[] = {
    LAMP_BYTES(name, LAMP_WIRE_SET_NAME_MAX),
    LAMP_OPT_ID(addr),
    LAMP_OPT_ID(server),
    LAMP_U32(ttl_s),
};
LAMP_SHAPE(local_name, local_name, local_name, local_name_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_local_names
#define LAMP_THEIRS Davylamp__V1__LocalNames
static const struct lamp_field local_names_fields[] = {
    LAMP_LIST(names, LAMP_WIRE_LOCAL_NAMES_MAX, local_name),
};
LAMP_SHAPE(local_names, local_names, local_names, local_names_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

static int check_match(void *ours)
{
    const struct lamp_order_match *m = ours;
    const bool known = m->ip_proto == 0 || m->ip_proto == 6 || m->ip_proto == 17;
    return known ? LAMP_OK : LAMP_EFORMAT;
}

#define LAMP_OURS struct lamp_order_match
#define LAMP_THEIRS Davylamp__V1__OrderMatch
static const struct lamp_field order_match_fields[] = {
    LAMP_OPT_ID(host),
    LAMP_OPT_ID(remote),
    LAMP_UPTO(host_port, UINT16_MAX),
    LAMP_UPTO(remote_port, UINT16_MAX),
    LAMP_UPTO(ip_proto, UINT8_MAX),
};
LAMP_SHAPE(order_match, order_match, order_match, order_match_fields, .check = check_match);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_order
#define LAMP_THEIRS Davylamp__V1__Order
static const struct lamp_field order_fields[] = {
    LAMP_U64(id),
    LAMP_UPTO(kind, LAMP_ORDER_CANCEL),
    LAMP_U32(packets_per_connection),
    LAMP_U32(packets),
    LAMP_U32(duration_s),
    LAMP_U32(snaplen),
    LAMP_U64(bytes_max),
    LAMP_LIST(matches, LAMP_WIRE_MATCHES_MAX, order_match),
};
LAMP_SHAPE(order, order, order, order_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_order_status
#define LAMP_THEIRS Davylamp__V1__OrderStatus
static const struct lamp_field order_status_fields[] = {
    LAMP_U64(id),      LAMP_UPTO(state, LAMP_ORDER_FAILED),
    LAMP_U32(code),    LAMP_BYTES(detail, LAMP_WIRE_DETAIL_MAX),
    LAMP_U64(packets), LAMP_U64(bytes),
};
LAMP_SHAPE(order_status, order_status, order_status, order_status_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_sample_chunk
#define LAMP_THEIRS Davylamp__V1__SampleChunk
static const struct lamp_field sample_chunk_fields[] = {
    LAMP_U64(order_id),
    LAMP_U64(offset),
    LAMP_BYTES(data, LAMP_WIRE_CHUNK_MAX),
    LAMP_FLAG(last),
};
LAMP_SHAPE(sample_chunk, sample_chunk, sample_chunk, sample_chunk_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_sample_ack
#define LAMP_THEIRS Davylamp__V1__SampleAck
static const struct lamp_field sample_ack_fields[] = {
    LAMP_U64(order_id),
    LAMP_U64(next_offset),
    LAMP_FLAG(over),
};
LAMP_SHAPE(sample_ack, sample_ack, sample_ack, sample_ack_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

#define LAMP_OURS struct lamp_local_sample
#define LAMP_THEIRS Davylamp__V1__LocalSample
static const struct lamp_field local_sample_fields[] = {
    LAMP_U64(order_id), LAMP_U32(packets), LAMP_BYTES(data, LAMP_WIRE_LOCAL_SAMPLE_MAX),
    LAMP_U64(dropped),  LAMP_FLAG(over),
};
LAMP_SHAPE(local_sample, local_sample, local_sample, local_sample_fields);
#undef LAMP_OURS
#undef LAMP_THEIRS

/* ---- the messages ---- */

struct message {
    enum lamp_msg_type type;
    const char *name;
    const struct lamp_shape *shape;
};

/* A type is the number of its Envelope member. */
#define MESSAGE(type, shape)                                                                       \
    {                                                                                              \
        LAMP_MSG_##type, #type, &(shape)                                                           \
    }
static const struct message messages[] = {
    MESSAGE(HELLO, hello),
    MESSAGE(WELCOME, welcome),
    MESSAGE(SUMMARY, summary),
    MESSAGE(LOSS, loss),
    MESSAGE(CLOSE, stream_close),
    MESSAGE(ACK, ack),
    MESSAGE(BYE, bye),
    MESSAGE(PING, ping),
    MESSAGE(PONG, pong),
    MESSAGE(SET_NOTIFY, set_notify),
    MESSAGE(SET_QUERY, set_query),
    MESSAGE(SET_BEGIN, set_begin),
    MESSAGE(SET_CHUNK, set_chunk),
    MESSAGE(SET_END, set_end),
    MESSAGE(SET_RESET, set_reset),
    MESSAGE(SET_STATUS, set_status),
    MESSAGE(ENROLL, enroll),
    MESSAGE(KEY_ROTATE, key_rotate),
    MESSAGE(ENROLL_ANSWER, enroll_answer),
    MESSAGE(KEY_STATE, key_state),
    MESSAGE(SERVER_KEY, server_key),
    MESSAGE(COIN_BLOCKS, coin_blocks),
    MESSAGE(LOCAL_STATE, local_state),
    MESSAGE(LOCAL_REPLY, local_reply),
    MESSAGE(LOCAL_ANSWER, local_answer),
    MESSAGE(LOCAL_NAMES, local_names),
    MESSAGE(ORDER, order),
    MESSAGE(ORDER_STATUS, order_status),
    MESSAGE(SAMPLE_CHUNK, sample_chunk),
    MESSAGE(SAMPLE_ACK, sample_ack),
    MESSAGE(TRACK, order),
    MESSAGE(LOCAL_SAMPLE, local_sample),
};

static const struct message *message_of(unsigned type)
{
    for (size_t i = 0; i < ARRAY_LEN(messages); i++)
        if ((unsigned)messages[i].type == type)
            return &messages[i];
    return NULL;
}

const char *lamp_msg_name(enum lamp_msg_type t)
{
    const struct message *m = message_of(t);
    return m ? m->name : "OTHER";
}

/* All members of the union begin where it begins, ours as well as theirs. */
_Static_assert(offsetof(struct lamp_msg, u.hello) == offsetof(struct lamp_msg, u), "union");

int lamp_msg_pack(const struct lamp_msg *m, uint8_t **out, size_t *out_len)
{
    const struct message *kind = message_of(m->type);
    if (!kind)
        return LAMP_EINVAL;

    Davylamp__V1__Envelope envelope = DAVYLAMP__V1__ENVELOPE__INIT;
    struct lamp_local_state bare;
    const void *body = &m->u;
    if (m->type == LAMP_MSG_LOCAL_STATE && !m->u.local_state.has_addr) {
        bare = m->u.local_state;
        bare.aggregator_addr = (struct lamp_addr){ 0 };
        body = &bare;
    }

    struct lamp_arena arena;
    ProtobufCMessage *pb = NULL;
    lamp_arena_init(&arena, LAMP_WIRE_BUDGET);
    int rc = lamp_shape_to_pb(kind->shape, body, &arena, &pb);
    if (!rc) {
        envelope.body_case = (Davylamp__V1__Envelope__BodyCase)m->type;
        memcpy(&envelope.hello, &pb, sizeof(pb));
        rc = lamp_shape_pack(&envelope.base, LAMP_WIRE_MSG_MAX, out, out_len);
    }
    lamp_arena_done(&arena);
    return rc;
}

/* What lamp_msg_unpack() hands out is the first member of this. */
struct owned_msg {
    struct lamp_msg msg;
    struct lamp_arena arena;
};

int lamp_msg_unpack_within(size_t budget, const uint8_t *data, size_t len, struct lamp_msg **out)
{
    struct owned_msg *o = calloc(1, sizeof(*o));
    if (!o)
        return LAMP_ENOMEM;
    lamp_arena_init(&o->arena, budget);

    ProtobufCMessage *pb = NULL;
    int rc = lamp_shape_unpack(&davylamp__v1__envelope__descriptor,
                               (struct lamp_bytes){ data, len }, LAMP_WIRE_MSG_MAX, &o->arena, &pb);
    if (rc)
        goto fail;
    const Davylamp__V1__Envelope *envelope = (const Davylamp__V1__Envelope *)pb;
    const struct message *kind = message_of(envelope->body_case);
    if (kind && envelope->hello) {
        o->msg.type = kind->type;
        rc = lamp_shape_from_pb(kind->shape, &envelope->hello->base, &o->arena, &o->msg.u);
        if (rc)
            goto fail;
    }
    *out = &o->msg;
    return LAMP_OK;
fail:
    lamp_msg_free(&o->msg);
    return rc;
}

int lamp_msg_unpack(const uint8_t *data, size_t len, struct lamp_msg **out)
{
    return lamp_msg_unpack_within(LAMP_WIRE_BUDGET, data, len, out);
}

struct lamp_msg *lamp_msg_free(struct lamp_msg *m)
{
    if (m) {
        struct owned_msg *o = (struct owned_msg *)m;
        lamp_arena_done(&o->arena);
        free(o);
    }
    return NULL;
}

/* ---- the manifest ---- */

int lamp_set_manifest_pack(const struct lamp_set_manifest *m, uint8_t **out, size_t *out_len)
{
    struct lamp_arena arena;
    ProtobufCMessage *pb = NULL;
    lamp_arena_init(&arena, LAMP_WIRE_BUDGET);
    int rc = lamp_shape_to_pb(&set_manifest, m, &arena, &pb);
    if (!rc)
        rc = lamp_shape_pack(pb, LAMP_WIRE_MANIFEST_MAX, out, out_len);
    lamp_arena_done(&arena);
    return rc;
}

int lamp_set_manifest_unpack(struct lamp_bytes packed, char site[65], struct lamp_set_manifest *out)
{
    struct lamp_arena arena;
    struct lamp_set_manifest m;
    ProtobufCMessage *pb = NULL;
    lamp_arena_init(&arena, LAMP_WIRE_BUDGET);
    int rc = lamp_shape_unpack(&davylamp__v1__set_manifest__descriptor, packed,
                               LAMP_WIRE_MANIFEST_MAX, &arena, &pb);
    if (!rc)
        rc = lamp_shape_from_pb(&set_manifest, pb, &arena, &m);
    if (!rc) {
        if (m.site.len > 0)
            memcpy(site, m.site.data, m.site.len);
        site[m.site.len] = '\0';
        m.site.data = (const uint8_t *)site;
        *out = m;
    }
    lamp_arena_done(&arena);
    return rc;
}

/* ---- the key of the server ---- */

void lamp_server_key_signed(const struct lamp_server_key *k, uint8_t out[LAMP_SERVER_KEY_SIGNED])
{
    static const char domain[] = "davylamp server key"; /* with its NUL 20 bytes */
    _Static_assert(sizeof(domain) + 8 + LAMP_WIRE_KEY_LEN == LAMP_SERVER_KEY_SIGNED, "layout");
    memcpy(out, domain, sizeof(domain));
    for (size_t i = 0; i < 8; i++)
        out[sizeof(domain) + i] = (uint8_t)(k->serial >> (8 * i));
    memcpy(out + sizeof(domain) + 8, k->public_key, LAMP_WIRE_KEY_LEN);
}
