/* SPDX-License-Identifier: Apache-2.0 */
/* Ingest and writer together, over real sockets, with a small sensor made of one DEALER. */
#include "tests/support/aggregator.h"

#include "aggregator/ingest/ingest.h"
#include "aggregator/writer/writer.h"

#include <sodium.h>
#include <zmq.h>

enum { TIMEOUT_MS = 10000 };

static const struct lamp_stream_id stream = { { 4, 2 } };

struct fixture {
    char *folder;
    char endpoint[64], public[41], secret[41]; /* of the sensor */
    struct lamp_keys keys;
    lamp_store *store;
    lamp_allow *allow;
    lamp_mailbox *inbox, *outbox;
    lamp_commands *commands;
    lamp_events *events;
    lamp_writer *writer;
    lamp_ingest *ingest;
    void *context, *socket;
    struct lamp_session_id session;
    int64_t key_id; /* of public */
};

static void start(struct fixture *f)
{
    char why[256] = "";
    f->store = open_store("sqlite", f->folder, false);
    assert_int_equal(lamp_allow_new(&f->allow), LAMP_OK);
    ok(f->store, lamp_keyring_load(f->store, f->allow));
    assert_int_equal(lamp_mailbox_new(1 << 20, &f->inbox), LAMP_OK);
    assert_int_equal(lamp_mailbox_new(1 << 20, &f->outbox), LAMP_OK);
    assert_int_equal(lamp_commands_new(&f->commands), LAMP_OK);
    assert_int_equal(lamp_events_new(&f->events), LAMP_OK);
    const struct lamp_ingest_cfg ingest = { f->endpoint, &f->keys, f->allow, f->inbox, f->outbox };
    if (lamp_ingest_start(&ingest, &f->ingest, why, sizeof(why)) != LAMP_OK)
        fail_msg("%s", why);
    const struct lamp_writer_cfg writer = { .store = f->store,
                                            .keys = &f->keys,
                                            .allow = f->allow,
                                            .inbox = f->inbox,
                                            .outbox = f->outbox,
                                            .commands = f->commands,
                                            .events = f->events,
                                            .list_ttl_s = 7200,
                                            .interval_ms = 10000,
                                            .overlap_s = 2 };
    assert_int_equal(lamp_writer_start(&writer, &f->writer), LAMP_OK);
}

static void stop(struct fixture *f)
{
    lamp_ingest_quiesce(f->ingest);
    lamp_writer_stop(f->writer);
    lamp_ingest_stop(f->ingest);
    lamp_commands_free(f->commands);
    lamp_events_free(f->events);
    lamp_mailbox_free(f->inbox);
    lamp_mailbox_free(f->outbox);
    lamp_store_close(f->store);
    lamp_allow_free(f->allow);
}

/* One that claims a routing id, and whose handshake is told at an endpoint; NULL: it does not, or is not. */
static void *dealer_as(struct fixture *f, const char *public, const char *secret,
                       const char *claimed, const char *told_at)
{
    void *s = zmq_socket(f->context, ZMQ_DEALER);
    assert_non_null(s);
    if (claimed)
        zmq_setsockopt(s, ZMQ_ROUTING_ID, claimed, strlen(claimed));
    if (told_at)
        assert_int_equal(zmq_socket_monitor(s, told_at, ZMQ_EVENT_HANDSHAKE_SUCCEEDED), 0);
    const int zero = 0, timeout = TIMEOUT_MS;
    zmq_setsockopt(s, ZMQ_LINGER, &zero, sizeof(zero));
    zmq_setsockopt(s, ZMQ_RCVTIMEO, &timeout, sizeof(timeout));
    zmq_setsockopt(s, ZMQ_CURVE_SERVERKEY, f->keys.curve_public, 41);
    zmq_setsockopt(s, ZMQ_CURVE_PUBLICKEY, public, 41);
    zmq_setsockopt(s, ZMQ_CURVE_SECRETKEY, secret, 41);
    assert_int_equal(zmq_connect(s, f->endpoint), 0);
    return s;
}

static void *dealer(struct fixture *f, const char *public, const char *secret)
{
    return dealer_as(f, public, secret, NULL, NULL);
}

/* Runs a command that must succeed. */
static struct lamp_command_result run(struct fixture *f, const struct lamp_command *c)
{
    struct lamp_command_result r = { 0 };
    assert_int_equal(lamp_commands_run(f->commands, c, TIMEOUT_MS, &r), LAMP_OK);
    if (r.err)
        fail_msg("%s: %s", lamp_strerror(r.err), r.why);
    return r;
}

static int64_t admit(struct fixture *f, const char *key, const char *site, const char *name)
{
    struct lamp_command c = { .kind = LAMP_CMD_ADMIT, .actor = "test" };
    snprintf(c.key, sizeof(c.key), "%s", key);
    snprintf(c.site, sizeof(c.site), "%s", site);
    snprintf(c.name, sizeof(c.name), "%s", name);
    return run(f, &c).key_id;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    char why[256];
    f->folder = new_folder();
    snprintf(f->endpoint, sizeof(f->endpoint), "ipc://%s/socket", f->folder);
    assert_int_equal(lamp_keys_load(f->folder, &f->keys, why, sizeof(why)), LAMP_OK);
    assert_int_equal(zmq_curve_keypair(f->public, f->secret), 0);
    f->context = zmq_ctx_new();
    start(f);
    f->key_id = admit(f, f->public, "north", "s1");
    f->socket = dealer(f, f->public, f->secret);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    zmq_close(f->socket);
    stop(f);
    zmq_ctx_term(f->context);
    remove_folder(f->folder);
    free(f->folder);
    free(f);
    return 0;
}

/* ---- the sensor's side ---- */

static void say(void *socket, const struct lamp_msg *m)
{
    uint8_t *data = NULL;
    size_t len = 0;
    assert_int_equal(lamp_msg_pack(m, &data, &len), LAMP_OK);
    assert_int_equal(zmq_send(socket, data, len, 0), (int)len);
    free(data);
}

static struct lamp_msg *hear(void *socket, enum lamp_msg_type want)
{
    zmq_msg_t in;
    zmq_msg_init(&in);
    if (zmq_msg_recv(&in, socket, 0) < 0)
        fail_msg("no answer, waiting for %s", lamp_msg_name(want));
    struct lamp_msg *m = NULL;
    assert_int_equal(lamp_msg_unpack(zmq_msg_data(&in), zmq_msg_size(&in), &m), LAMP_OK);
    zmq_msg_close(&in);
    if (m->type != want)
        fail_msg("got %s, want %s", lamp_msg_name(m->type), lamp_msg_name(want));
    return m;
}

/* Says HELLO with the time that the sensor has, and returns next_seq of the stream. */
static uint64_t hello_at(struct fixture *f, uint64_t t_us)
{
    f->session.b[0]++;
    struct lamp_stream_state st = { .stream = stream };
    struct lamp_msg m = { .type = LAMP_MSG_HELLO };
    m.u.hello = (struct lamp_hello){ .proto_min = 1,
                                     .proto_max = 1,
                                     .session = f->session,
                                     .build = lamp_bytes_of("test"),
                                     .t_real_us = t_us,
                                     .streams = &st,
                                     .n_streams = 1,
                                     .current_stream = stream };
    say(f->socket, &m);
    struct lamp_msg *w = hear(f->socket, LAMP_MSG_WELCOME);
    assert_memory_equal(&w->u.welcome.session, &f->session, sizeof(f->session));
    assert_int_equal(w->u.welcome.n_streams, 1);
    assert_int_equal(w->u.welcome.n_sets, 4); /* watch, block, never, policy */
    assert_true(w->u.welcome.credit_bytes > 0);
    const uint64_t next = w->u.welcome.streams[0].next_seq;
    lamp_msg_free(w);
    return next;
}

static uint64_t hello(struct fixture *f)
{
    return hello_at(f, lamp_clock_real_us());
}

static void send_summary_at(struct fixture *f, uint64_t seq, uint64_t from_us)
{
    struct lamp_conn_row row = test_row(seq, from_us, from_us + 1);
    const struct lamp_batch b = test_batch(&row, 1, from_us, from_us + 10000000);
    uint8_t *packed = NULL;
    size_t len = 0;
    assert_int_equal(lamp_batch_pack(&b, &packed, &len), LAMP_OK);
    struct lamp_msg m = { .type = LAMP_MSG_SUMMARY };
    m.u.summary = (struct lamp_summary){ .session = f->session,
                                         .stream = stream,
                                         .seq = seq,
                                         .t_from_us = from_us,
                                         .t_to_us = from_us + 10000000,
                                         .n_rows = 1,
                                         .batch = { packed, len } };
    say(f->socket, &m);
    free(packed);
}

static void send_summary(struct fixture *f, uint64_t seq)
{
    send_summary_at(f, seq, TEST_NOW_US + seq * 10000000);
}

static uint64_t hear_ack(struct fixture *f)
{
    struct lamp_msg *m = hear(f->socket, LAMP_MSG_ACK);
    assert_int_equal(m->u.ack.n_streams, 1);
    assert_memory_equal(&m->u.ack.streams[0].stream, &stream, sizeof(stream));
    const uint64_t next = m->u.ack.streams[0].next_seq;
    lamp_msg_free(m);
    return next;
}

static struct lamp_status_view status(struct fixture *f)
{
    struct lamp_status_view v;
    lamp_store *r = open_store("sqlite", f->folder, true);
    ok(r, lamp_store_status(r, lamp_clock_real_us(), &v));
    lamp_store_close(r);
    return v;
}

/* ---- tests ---- */

/* Whatever is acknowledged can be read at that moment; duplicates and gaps change nothing. */
static void test_delivery(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(hello(f), 1);
    send_summary(f, 1);
    assert_int_equal(hear_ack(f), 2);
    assert_int_equal(status(f).batches, 1);
    assert_int_equal(status(f).mining_bytes, 300);

    send_summary(f, 1); /* a duplicate */
    assert_int_equal(hear_ack(f), 2);
    send_summary(f, 4); /* a gap: not merged */
    assert_int_equal(hear_ack(f), 2);
    assert_int_equal(status(f).batches, 1);
    assert_int_equal(status(f).duplicates, 1);
    assert_int_equal(status(f).mining_bytes, 300);

    struct lamp_msg m = { .type = LAMP_MSG_LOSS };
    m.u.loss = (struct lamp_loss){ .session = f->session,
                                   .stream = stream,
                                   .from_seq = 2,
                                   .to_seq = 3,
                                   .reason = LAMP_LOSS_QUOTA };
    say(f->socket, &m);
    assert_int_equal(hear_ack(f), 4);
    send_summary(f, 4);
    assert_int_equal(hear_ack(f), 5);
    assert_int_equal(status(f).lost_records, 2);

    m = (struct lamp_msg){ .type = LAMP_MSG_CLOSE };
    m.u.close = (struct lamp_close){ f->session, stream, 4, true };
    say(f->socket, &m);
    assert_int_equal(hear_ack(f), 5);
}

/* What needs no acknowledgement counts as well, so a session that sends nothing else is given credit
 * by its PINGs, and does not end as one that is past it. */
static void test_credit_without_records(void **state)
{
    struct fixture *f = *state;
    static struct lamp_set_hits hits[LAMP_WIRE_HITS_MAX];
    struct lamp_msg status = { .type = LAMP_MSG_SET_STATUS };
    struct lamp_msg ping = { .type = LAMP_MSG_PING };
    uint64_t given = 0;
    assert_int_equal(hello(f), 1);
    for (size_t i = 0; i < ARRAY_LEN(hits); i++)
        hits[i] = (struct lamp_set_hits){ i + 1, INT64_MAX, INT64_MAX };
    status.u.set_status.head.kind = LAMP_SET_WATCH;
    status.u.set_status.hits = hits;
    status.u.set_status.n_hits = ARRAY_LEN(hits);
    ping.u.ping = (struct lamp_ping){ .session = f->session, .t_us = lamp_clock_real_us() };
    uint8_t *data = NULL;
    size_t len = 0;
    assert_int_equal(lamp_msg_pack(&status, &data, &len), LAMP_OK);
    free(data);
    for (unsigned round = 0; round < 2; round++) {
        /* More than the 4 MiB that a session is given at once, twice: past the slack too. */
        for (size_t n = 0; n <= ((size_t)9 << 19) / len; n++)
            say(f->socket, &status);
        say(f->socket, &ping);
        lamp_msg_free(hear(f->socket, LAMP_MSG_PONG));
        struct lamp_msg *m = hear(f->socket, LAMP_MSG_ACK);
        assert_int_equal(m->u.ack.n_streams, 0);
        assert_true(m->u.ack.credit_bytes > given);
        given = m->u.ack.credit_bytes;
        lamp_msg_free(m);
    }
}

/* A restart of the aggregator asks for a new HELLO and goes on where it was. */
static void test_restart(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(hello(f), 1);
    send_summary(f, 1);
    assert_int_equal(hear_ack(f), 2);
    stop(f);
    start(f);
    send_summary(f, 2); /* reaches the new one over the new connection */
    struct lamp_msg *bye = hear(f->socket, LAMP_MSG_BYE);
    assert_int_equal(bye->u.bye.reason, LAMP_BYE_UNKNOWN_SESSION);
    lamp_msg_free(bye);
    assert_int_equal(hello(f), 2);
    send_summary(f, 2);
    assert_int_equal(hear_ack(f), 3);
    assert_int_equal(status(f).batches, 2);
}

struct times {
    uint64_t since_us, last_us;
};

static bool take_times(const struct lamp_miner_view *v, void *arg)
{
    *(struct times *)arg = (struct times){ v->since_us, v->last_us };
    return true;
}

static uint64_t apart(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

/* Sensors whose clocks are off: what they see now is shown as of now; a record that waited in
 * a spool keeps its age. */
static void test_clocks(void **state)
{
    struct fixture *f = *state;
    static const int64_t hour = 3600 * INT64_C(1000000);
    const struct {
        int64_t offset_us, stamp_us, want_us; /* against the aggregator's clock */
    } cases[] = {
        { 0, -20000000, -20000000 },            /* right */
        { -hour, -hour, 0 },                    /* an hour behind */
        { 2 * hour, 2 * hour, 0 },              /* two hours ahead */
        { -hour, -hour - hour / 2, -hour / 2 }, /* behind, and half an hour in the spool */
        { -hour, 0, 0 },                        /* set right since HELLO */
        { 0, 24 * hour, 0 },                    /* set wrong since HELLO */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct times got = { 0 };
        const uint64_t now_us = lamp_clock_real_us();
        const uint64_t next = hello_at(f, now_us + (uint64_t)cases[i].offset_us);
        send_summary_at(f, next, now_us + (uint64_t)cases[i].stamp_us - 10000000);
        assert_int_equal(hear_ack(f), next + 1);
        lamp_store *r = open_store("sqlite", f->folder, true);
        ok(r, lamp_store_miners(r, &(struct lamp_miner_filter){ 0 }, now_us, take_times, &got));
        lamp_store_close(r);
        const uint64_t want_us = now_us + (uint64_t)cases[i].want_us;
        /* last never falls: an older record shows in since */
        if (apart(cases[i].want_us < -hour / 4 ? got.since_us : got.last_us, want_us) >
            30 * UINT64_C(1000000))
            fail_msg("case %zu: off by %lld s", i,
                     (long long)((int64_t)(got.last_us - want_us) / 1000000));
    }
}

/* A HELLO may name any number of streams; nothing is kept of them. */
static void test_made_up_streams(void **state)
{
    struct fixture *f = *state;
    struct lamp_stream_state st[LAMP_WIRE_STREAMS_MAX] = { 0 };
    for (size_t i = 0; i < ARRAY_LEN(st); i++)
        st[i].stream.b[0] = (uint8_t)(i + 1);
    struct lamp_msg m = { .type = LAMP_MSG_HELLO };
    m.u.hello = (struct lamp_hello){
        .proto_min = 1, .proto_max = 1, .streams = st, .n_streams = ARRAY_LEN(st)
    };
    m.u.hello.session.b[0] = 1;
    say(f->socket, &m);
    struct lamp_msg *w = hear(f->socket, LAMP_MSG_WELCOME);
    assert_int_equal(w->u.welcome.n_streams, ARRAY_LEN(st));
    assert_int_equal(w->u.welcome.streams[9].next_seq, 1);
    lamp_msg_free(w);
    stop(f);
    lamp_store *s = open_store("sqlite", f->folder, false);
    struct lamp_store_sensor sensor;
    struct lamp_store_stream found;
    ok(s, lamp_store_begin(s));
    ok(s, lamp_store_sensor(s, "s1", &sensor));
    assert_int_equal(lamp_store_stream(s, sensor.ref, &st[0].stream, &found), LAMP_ENOENT);
    lamp_store_rollback(s);
    lamp_store_close(s);
    start(f);
}

static void test_unknown_session(void **state)
{
    struct fixture *f = *state;
    send_summary(f, 1);
    struct lamp_msg *bye = hear(f->socket, LAMP_MSG_BYE);
    assert_int_equal(bye->u.bye.reason, LAMP_BYE_UNKNOWN_SESSION);
    lamp_msg_free(bye);
    assert_int_equal(zmq_send(f->socket, "nonsense", 8, 0), 8);
    hello(f);
    struct lamp_ingest_counts c;
    lamp_ingest_counts(f->ingest, &c);
    assert_int_equal(c.malformed, 1);
    assert_int_equal(c.unknown_session, 1);
}

static void test_unknown_key(void **state)
{
    struct fixture *f = *state;
    char public[41], secret[41];
    assert_int_equal(zmq_curve_keypair(public, secret), 0);
    void *stranger = dealer(f, public, secret);
    struct lamp_msg m = { .type = LAMP_MSG_PING };
    say(stranger, &m);
    struct lamp_ingest_counts c = { 0 };
    WAIT_FOR((lamp_ingest_counts(f->ingest, &c), c.unknown_keys > 0));
    assert_int_equal(zmq_recv(stranger, &m, 1, ZMQ_DONTWAIT), -1);
    zmq_close(stranger);
}

static void hear_revoked(void *socket)
{
    struct lamp_msg *bye = hear(socket, LAMP_MSG_BYE);
    assert_int_equal(bye->u.bye.reason, LAMP_BYE_REVOKED);
    lamp_msg_free(bye);
}

/* A revoked key is told so at once and refused on the open connection: of all that is sent after
 * the command was answered nothing counts. A restart changes nothing of that. */
static void test_revoked(void **state)
{
    struct fixture *f = *state;
    hello(f);
    send_summary(f, 1);
    assert_int_equal(hear_ack(f), 2);
    const uint64_t began_us = lamp_clock_mono_us();
    run(f,
        &(struct lamp_command){ .kind = LAMP_CMD_REVOKE, .actor = "admin", .key_id = f->key_id });
    hear_revoked(f->socket);
    const uint64_t took_us = lamp_clock_mono_us() - began_us;
    if (took_us > 2000000)
        fail_msg("the session ended after %llu us", (unsigned long long)took_us);
    for (uint64_t seq = 2; seq < 50; seq++)
        send_summary(f, seq);
    for (uint64_t seq = 2; seq < 50; seq++)
        hear_revoked(f->socket);
    assert_int_equal(status(f).batches, 1);
    assert_int_equal(status(f).sensors, 0);

    stop(f);
    start(f);
    void *again = dealer(f, f->public, f->secret);
    struct lamp_ingest_counts c = { 0 };
    WAIT_FOR((lamp_ingest_counts(f->ingest, &c), c.unknown_keys > 0));
    zmq_close(again);
    struct lamp_command_result r;
    const struct lamp_command twice = { .kind = LAMP_CMD_REVOKE, .key_id = f->key_id };
    assert_int_equal(lamp_commands_run(f->commands, &twice, TIMEOUT_MS, &r), LAMP_OK);
    assert_int_equal(r.err, LAMP_ENOENT);
}

/* A newer session ends the older one. */
static void test_superseded(void **state)
{
    struct fixture *f = *state;
    hello(f);
    void *old = f->socket;
    f->socket = dealer(f, f->public, f->secret);
    hello(f);
    struct lamp_msg *bye = hear(old, LAMP_MSG_BYE);
    assert_int_equal(bye->u.bye.reason, LAMP_BYE_SUPERSEDED);
    lamp_msg_free(bye);
    zmq_close(old);
}

/* Who connects claims a routing id (libzmq issue 4503), so it is nobody's name: another enrolled sensor
 * that claims the one of s1 hears nothing of what is for s1, and changes nothing for it. */
static void test_claimed_routing_id(void **state)
{
    struct fixture *f = *state;
    char public[41], secret[41], byte;
    const int timeout = TIMEOUT_MS, short_ms = 300;
    zmq_close(f->socket);
    f->socket = dealer_as(f, f->public, f->secret, "branch-1", NULL);
    assert_int_equal(hello(f), 1);

    assert_int_equal(zmq_curve_keypair(public, secret), 0);
    admit(f, public, "south", "s2");
    void *thief = dealer_as(f, public, secret, "branch-1", "inproc://told");
    void *monitor = zmq_socket(f->context, ZMQ_PAIR);
    zmq_setsockopt(monitor, ZMQ_RCVTIMEO, &timeout, sizeof(timeout));
    assert_int_equal(zmq_connect(monitor, "inproc://told"), 0);
    assert_true(zmq_recv(monitor, &byte, 1, 0) >= 0); /* it is in, by its own key */
    struct lamp_msg m = { .type = LAMP_MSG_HELLO };
    m.u.hello = (struct lamp_hello){ .proto_min = 1, .proto_max = 1, .session = { { 66 } } };
    say(thief, &m);

    struct lamp_command c = { .kind = LAMP_CMD_BLOCK,
                              .actor = "test",
                              .site = "north",
                              .ttl_s = 600,
                              .prefix = { test_addr("203.0.113.9"), 128 },
                              .port = 3333 };
    run(f, &c);
    lamp_msg_free(hear(f->socket, LAMP_MSG_SET_NOTIFY));
    send_summary(f, 1);
    assert_int_equal(hear_ack(f), 2);
    zmq_setsockopt(thief, ZMQ_RCVTIMEO, &short_ms, sizeof(short_ms));
    assert_int_equal(zmq_recv(thief, &byte, 1, 0), -1);
    assert_int_equal(status(f).batches, 1);
    zmq_close(monitor);
    zmq_socket_monitor(thief, NULL, 0);
    zmq_close(thief);
}

static struct lamp_msg *query(struct fixture *f, const struct lamp_set_head *have,
                              enum lamp_msg_type want)
{
    struct lamp_msg m = { .type = LAMP_MSG_SET_QUERY };
    m.u.set_query = (struct lamp_set_query){ { { 7 } }, *have };
    say(f->socket, &m);
    return hear(f->socket, want);
}

/* A block is announced, its list is signed for the site, and a report marks it applied. */
static void test_block_list(void **state)
{
    struct fixture *f = *state;
    hello(f);
    const struct lamp_command cmd = { .kind = LAMP_CMD_BLOCK,
                                      .actor = "admin",
                                      .ttl_s = 3600,
                                      .prefix = { test_addr("203.0.113.9"), 128 },
                                      .port = 3333 };
    struct lamp_command_result r;
    assert_int_equal(lamp_commands_run(f->commands, &cmd, TIMEOUT_MS, &r), LAMP_OK);
    assert_int_equal(r.err, LAMP_OK);
    struct lamp_msg *m = hear(f->socket, LAMP_MSG_SET_NOTIFY);
    const struct lamp_set_head head = m->u.set_notify.head;
    lamp_msg_free(m);

    m = query(f, &(struct lamp_set_head){ .kind = LAMP_SET_BLOCK }, LAMP_MSG_SET_BEGIN);
    assert_int_equal(m->u.set_begin.chunks, 1);
    lamp_msg_free(m);
    struct lamp_msg *chunk = hear(f->socket, LAMP_MSG_SET_CHUNK);
    assert_int_equal(chunk->u.set_chunk.n_entries, 1);
    assert_int_equal(chunk->u.set_chunk.entries[0].port, 3333);
    assert_int_equal(chunk->u.set_chunk.entries[0].ttl_s, 3600);
    uint8_t digest[LAMP_WIRE_DIGEST_LEN];
    assert_int_equal(lamp_set_digest(chunk->u.set_chunk.entries, 1, digest), LAMP_OK);
    m = hear(f->socket, LAMP_MSG_SET_END);
    assert_int_equal(crypto_sign_verify_detached(m->u.set_end.signature, m->u.set_end.manifest.data,
                                                 m->u.set_end.manifest.len, f->keys.list_public),
                     0);
    char site[65];
    struct lamp_set_manifest manifest;
    assert_int_equal(lamp_set_manifest_unpack(m->u.set_end.manifest, site, &manifest), LAMP_OK);
    assert_string_equal(site, "north");
    assert_int_equal(manifest.serial, head.serial);
    assert_int_equal(manifest.count, 1);
    assert_memory_equal(manifest.digest, digest, sizeof(digest));
    lamp_msg_free(m);
    lamp_msg_free(chunk);

    m = query(f, &head, LAMP_MSG_SET_NOTIFY); /* nothing newer: the head alone */
    lamp_msg_free(m);

    /* The same again, then a protected one: both are refused with a reason. */
    assert_int_equal(lamp_commands_run(f->commands, &cmd, TIMEOUT_MS, &r), LAMP_OK);
    assert_int_equal(r.err, LAMP_EEXIST);
    const struct lamp_command private = { .kind = LAMP_CMD_BLOCK,
                                          .ttl_s = 60,
                                          .prefix = { test_addr("192.168.1.1"), 128 } };
    assert_int_equal(lamp_commands_run(f->commands, &private, TIMEOUT_MS, &r), LAMP_OK);
    assert_int_equal(r.err, LAMP_EPROTECTED);
    assert_true(r.why[0] != '\0');

    struct lamp_msg st = { .type = LAMP_MSG_SET_STATUS };
    st.u.set_status = (struct lamp_set_status){ .head = head,
                                                .state = LAMP_SET_APPLIED,
                                                .mode = LAMP_ENFORCE_ON };
    const struct lamp_command lift = { .kind = LAMP_CMD_UNBLOCK, .actor = "admin", .block_id = 1 };
    say(f->socket, &st);

    /* What was rolled back is not offered again; the answer is the head alone. */
    const struct lamp_set_head none = { .kind = LAMP_SET_BLOCK };
    lamp_msg_free(query(f, &none, LAMP_MSG_SET_BEGIN));
    lamp_msg_free(hear(f->socket, LAMP_MSG_SET_CHUNK));
    lamp_msg_free(hear(f->socket, LAMP_MSG_SET_END));
    struct lamp_msg back = { .type = LAMP_MSG_SET_STATUS };
    back.u.set_status = (struct lamp_set_status){ .head = none,
                                                  .state = LAMP_SET_ROLLED_BACK,
                                                  .code = LAMP_ETIMEOUT,
                                                  .mode = LAMP_ENFORCE_ON,
                                                  .about = head };
    say(f->socket, &back);
    lamp_msg_free(query(f, &none, LAMP_MSG_SET_NOTIFY));
    assert_int_equal(lamp_commands_run(f->commands, &lift, TIMEOUT_MS, &r), LAMP_OK);
    assert_int_equal(r.err, LAMP_OK);
    m = hear(f->socket, LAMP_MSG_SET_NOTIFY);
    assert_true(m->u.set_notify.head.serial > head.serial);
    lamp_msg_free(m);
    assert_int_equal(status(f).blocks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_delivery, setup, teardown),
        cmocka_unit_test_setup_teardown(test_credit_without_records, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clocks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_made_up_streams, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown_session, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown_key, setup, teardown),
        cmocka_unit_test_setup_teardown(test_revoked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_superseded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_claimed_routing_id, setup, teardown),
        cmocka_unit_test_setup_teardown(test_block_list, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
