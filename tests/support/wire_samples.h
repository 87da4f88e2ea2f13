/* SPDX-License-Identifier: Apache-2.0 */
/* wire_samples: one message of every type with a value in every field, and a batch with odd
 * values, for the tests of proto/. Header only; what the samples point to is static. */
#pragma once

#include "proto/wire.h"

static inline void wire_fill(void *p, size_t len, uint8_t seed)
{
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)p)[i] = (uint8_t)(seed + i * 7);
}

static const enum lamp_msg_type wire_sample_types[] = {
    LAMP_MSG_HELLO,       LAMP_MSG_WELCOME,     LAMP_MSG_SUMMARY,       LAMP_MSG_LOSS,
    LAMP_MSG_CLOSE,       LAMP_MSG_ACK,         LAMP_MSG_BYE,           LAMP_MSG_PING,
    LAMP_MSG_PONG,        LAMP_MSG_SET_NOTIFY,  LAMP_MSG_SET_QUERY,     LAMP_MSG_SET_BEGIN,
    LAMP_MSG_SET_CHUNK,   LAMP_MSG_SET_END,     LAMP_MSG_SET_RESET,     LAMP_MSG_SET_STATUS,
    LAMP_MSG_ENROLL,      LAMP_MSG_KEY_ROTATE,  LAMP_MSG_ENROLL_ANSWER, LAMP_MSG_KEY_STATE,
    LAMP_MSG_SERVER_KEY,  LAMP_MSG_LOCAL_STATE, LAMP_MSG_LOCAL_REPLY,   LAMP_MSG_LOCAL_ANSWER,
    LAMP_MSG_LOCAL_NAMES, LAMP_MSG_ORDER,       LAMP_MSG_ORDER_STATUS,  LAMP_MSG_SAMPLE_CHUNK,
    LAMP_MSG_SAMPLE_ACK,  LAMP_MSG_TRACK,       LAMP_MSG_LOCAL_SAMPLE,  LAMP_MSG_COIN_BLOCKS,
};

static inline size_t wire_sample_count(void)
{
    return ARRAY_LEN(wire_sample_types);
}

static inline struct lamp_set_head wire_sample_head(void)
{
    struct lamp_set_head head = { LAMP_SET_BLOCK, 3, 1ull << 40, { 0 } };
    wire_fill(head.digest, sizeof(head.digest), 90);
    return head;
}

static inline void wire_sample_session(struct lamp_msg *m)
{
    static struct lamp_stream_state states[2] = { { .first_seq = 1, .last_seq = 9, .acked_seq = 4 },
                                                  { .last_seq = INT64_MAX } };
    static struct lamp_stream_next nexts[2] = { { .next_seq = 5 }, { .next_seq = 1ull << 50 } };
    struct lamp_session_id session;
    struct lamp_stream_id stream;
    wire_fill(&session, sizeof(session), 1);
    wire_fill(&stream, sizeof(stream), 2);
    states[0].stream = states[1].stream = nexts[0].stream = stream;

    switch (m->type) {
    case LAMP_MSG_HELLO:
        m->u.hello =
            (struct lamp_hello){ .proto_min = 1,
                                 .proto_max = 2,
                                 .session = session,
                                 .build = lamp_bytes_of("davylamp 0.1.0"),
                                 .boot_id = lamp_bytes_of("3f7d0c2e-0000-4000-8000-0123456789ab"),
                                 .t_real_us = 1700000000000000,
                                 .t_mono_us = 5,
                                 .streams = states,
                                 .n_streams = 2,
                                 .block_list = wire_sample_head(),
                                 .spool_bytes = 0,
                                 .spool_quota_bytes = 1ull << 35,
                                 .current_stream = stream,
                                 .server_key_serial = 6 };
        break;
    case LAMP_MSG_WELCOME:
        m->u.welcome = (struct lamp_welcome){ .proto = 1,
                                              .session = session,
                                              .agg_epoch = 2,
                                              .streams = nexts,
                                              .n_streams = 2,
                                              .credit_bytes = 1 << 20,
                                              .t_rx_us = 8,
                                              .t_tx_us = 9,
                                              .interval_ms = 10000 };
        break;
    case LAMP_MSG_ACK:
        m->u.ack = (struct lamp_ack){ session, nexts, 2, 77, 88 };
        break;
    case LAMP_MSG_LOSS:
        m->u.loss = (struct lamp_loss){ session, stream, 1, 2, 3, 4, 5, 6, LAMP_LOSS_DAMAGED };
        break;
    case LAMP_MSG_CLOSE:
        m->u.close = (struct lamp_close){ session, stream, 42, true };
        break;
    case LAMP_MSG_BYE:
        m->u.bye = (struct lamp_bye){ session, LAMP_BYE_OVERLOAD, 5000 };
        break;
    case LAMP_MSG_PING:
        m->u.ping = (struct lamp_ping){ session, 1, 2, 3, 4 };
        break;
    case LAMP_MSG_PONG:
        m->u.pong = (struct lamp_pong){ session, 1, 2 };
        break;
    case LAMP_MSG_SUMMARY:
        m->u.summary =
            (struct lamp_summary){ session, stream, 1, 10, 20, 3, 4, lamp_bytes_of("any bytes") };
        break;
    default:
        break;
    }
}

static inline void wire_sample_set(struct lamp_msg *m)
{
    static struct lamp_set_entry entries[3];
    static struct lamp_set_hits hits[] = { { 11, 1, 1500 }, { 12, 0, 0 } };
    static uint64_t refused[] = { 0, INT64_MAX };
    static struct lamp_local_name names[2];
    names[0].name = lamp_bytes_of("pool.example");
    names[1] = (struct lamp_local_name){ lamp_bytes_of("a.pool.example"),
                                         lamp_addr_from_v4((uint8_t[]){ 198, 51, 100, 7 }),
                                         lamp_addr_from_v4((uint8_t[]){ 192, 0, 2, 53 }), 300 };
    struct lamp_nonce nonce;
    wire_fill(&nonce, sizeof(nonce), 3);

    entries[0] = (struct lamp_set_entry){ .action = LAMP_SET_ADD,
                                          .port = 3333,
                                          .ip_proto = 6,
                                          .ttl_s = 7200,
                                          .id = 11,
                                          .text = lamp_bytes_of("mining \xff\"") };
    entries[0].prefix = (struct lamp_prefix){ lamp_addr_from_v4((uint8_t[]){ 192, 0, 2, 0 }), 120 };
    entries[1] = (struct lamp_set_entry){
        .action = LAMP_SET_REMOVE, .inside = true, .ttl_s = UINT32_MAX, .prefix.len = 128
    };
    wire_fill(&entries[1].prefix.addr, 16, 0x20);
    entries[2] = (struct lamp_set_entry){ .name = lamp_bytes_of("pool.example"), .id = 1 };

    switch (m->type) {
    case LAMP_MSG_SET_NOTIFY:
        m->u.set_notify = (struct lamp_set_notify){ wire_sample_head(), nonce };
        break;
    case LAMP_MSG_SET_QUERY:
        m->u.set_query = (struct lamp_set_query){ nonce, wire_sample_head() };
        break;
    case LAMP_MSG_SET_BEGIN:
        m->u.set_begin = (struct lamp_set_begin){ nonce, LAMP_SET_WATCH, LAMP_SET_DELTA, 6, 64 };
        break;
    case LAMP_MSG_SET_CHUNK:
        m->u.set_chunk = (struct lamp_set_chunk){ nonce, 63, entries, ARRAY_LEN(entries) };
        break;
    case LAMP_MSG_SET_END:
        m->u.set_end = (struct lamp_set_end){ .nonce = nonce, .manifest = lamp_bytes_of("man") };
        wire_fill(m->u.set_end.signature, LAMP_WIRE_SIGNATURE_LEN, 4);
        break;
    case LAMP_MSG_SET_RESET:
        m->u.set_reset = (struct lamp_set_reset){ nonce, LAMP_SET_NEVER };
        break;
    case LAMP_MSG_SET_STATUS:
        m->u.set_status = (struct lamp_set_status){ .head = wire_sample_head(),
                                                    .state = LAMP_SET_REFUSED,
                                                    .code = LAMP_EPROTECTED,
                                                    .detail = lamp_bytes_of("gateway"),
                                                    .hits = hits,
                                                    .n_hits = ARRAY_LEN(hits),
                                                    .refused_ids = refused,
                                                    .n_refused_ids = ARRAY_LEN(refused),
                                                    .mode = LAMP_ENFORCE_DRY_RUN,
                                                    .t_us = 99,
                                                    .about = wire_sample_head(),
                                                    .elements = 10,
                                                    .repairs = 11,
                                                    .flows_cut = 12 };
        break;
    case LAMP_MSG_LOCAL_STATE:
        m->u.local_state =
            (struct lamp_local_state){ lamp_addr_from_v4((uint8_t[]){ 198, 51, 100, 7 }), true,
                                       true };
        break;
    case LAMP_MSG_LOCAL_REPLY:
        m->u.local_reply = (struct lamp_local_reply){ wire_sample_head(), LAMP_ENFORCE_ON };
        break;
    case LAMP_MSG_LOCAL_ANSWER:
        m->u.local_answer.have = wire_sample_head();
        break;
    case LAMP_MSG_LOCAL_NAMES:
        m->u.local_names = (struct lamp_local_names){ names, ARRAY_LEN(names) };
        break;
    default:
        break;
    }
}

static inline void wire_sample_key(struct lamp_msg *m)
{
    switch (m->type) {
    case LAMP_MSG_ENROLL:
        wire_fill(m->u.enroll.token, LAMP_WIRE_TOKEN_LEN, 5);
        m->u.enroll.name = lamp_bytes_of("router-17");
        m->u.enroll.site = lamp_bytes_of("branch-17");
        m->u.enroll.build = lamp_bytes_of("0.1.0");
        break;
    case LAMP_MSG_KEY_ROTATE:
        wire_fill(m->u.key_rotate.public_key, LAMP_WIRE_KEY_LEN, 6);
        break;
    case LAMP_MSG_ENROLL_ANSWER:
        m->u.enroll_answer = (struct lamp_enroll_answer){ .state = LAMP_ENROLL_ACCEPTED,
                                                          .code = LAMP_EEXPIRED,
                                                          .site = lamp_bytes_of("branch-17"),
                                                          .name = lamp_bytes_of("router-17"),
                                                          .retry_after_ms = 5000 };
        wire_fill(m->u.enroll_answer.list_key, LAMP_WIRE_KEY_LEN, 7);
        break;
    case LAMP_MSG_KEY_STATE:
        m->u.key_state.order = LAMP_KEY_ORDER_ACCEPTED;
        wire_fill(m->u.key_state.public_key, LAMP_WIRE_KEY_LEN, 8);
        break;
    case LAMP_MSG_SERVER_KEY:
        m->u.server_key.serial = 1790000000;
        wire_fill(m->u.server_key.public_key, LAMP_WIRE_KEY_LEN, 9);
        wire_fill(m->u.server_key.signature, LAMP_WIRE_SIGNATURE_LEN, 10);
        break;
    case LAMP_MSG_COIN_BLOCKS: {
        static struct lamp_coin_block blocks[2] = { { .t_us = 1700000000000000 }, { .t_us = 1 } };
        blocks[0].coin = lamp_bytes_of("XMR");
        m->u.coin_blocks = (struct lamp_coin_blocks){ blocks, ARRAY_LEN(blocks) };
        break;
    }
    default:
        break;
    }
}

static inline void wire_sample_order(struct lamp_msg *m)
{
    static struct lamp_order_match matches[2];
    matches[0] =
        (struct lamp_order_match){ .host = lamp_addr_from_v4((uint8_t[]){ 10, 1, 0, 21 }),
                                   .remote = lamp_addr_from_v4((uint8_t[]){ 203, 0, 113, 11 }),
                                   .host_port = 40000,
                                   .remote_port = 10300,
                                   .ip_proto = 6 };
    matches[1] = (struct lamp_order_match){ .remote_port = 3333 };
    switch (m->type) {
    case LAMP_MSG_ORDER:
    case LAMP_MSG_TRACK:
        m->u.order = (struct lamp_order){ INT64_MAX, LAMP_ORDER_SAMPLE, 5,       100, 60,
                                          65535,     1 << 20,           matches, 2 };
        break;
    case LAMP_MSG_ORDER_STATUS:
        m->u.order_status = (struct lamp_order_status){ 7,          LAMP_ORDER_REFUSED,
                                                        LAMP_EFULL, lamp_bytes_of("no room"),
                                                        99,         1 << 20 };
        break;
    case LAMP_MSG_SAMPLE_CHUNK:
        m->u.sample_chunk = (struct lamp_sample_chunk){ 7, 1 << 16, lamp_bytes_of("part"), true };
        break;
    case LAMP_MSG_SAMPLE_ACK:
        m->u.sample_ack = (struct lamp_sample_ack){ 7, (1 << 16) + 4, true };
        break;
    case LAMP_MSG_LOCAL_SAMPLE:
        m->u.local_sample =
            (struct lamp_local_sample){ 7, 3, lamp_bytes_of("blocks"), 1ull << 40, true };
        break;
    default:
        break;
    }
}

static inline void wire_sample_of(enum lamp_msg_type type, struct lamp_msg *out)
{
    *out = (struct lamp_msg){ .type = type };
    if (type < LAMP_MSG_SET_NOTIFY)
        wire_sample_session(out);
    else if (type >= LAMP_MSG_ENROLL && type <= LAMP_MSG_SERVER_KEY)
        wire_sample_key(out);
    else if ((type >= LAMP_MSG_ORDER && type < LAMP_MSG_LOCAL_STATE) ||
             type == LAMP_MSG_LOCAL_SAMPLE)
        wire_sample_order(out);
    else
        wire_sample_set(out);
}

static inline void wire_sample(size_t i, struct lamp_msg *out)
{
    wire_sample_of(wire_sample_types[i], out);
}
