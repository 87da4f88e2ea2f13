/* SPDX-License-Identifier: Apache-2.0 */
/* Strangers at the door, over loopback TCP with real keys: our own sensor's way of asking, and
 * those who mean harm. */
#include "aggregator/ingest/door.h"

#include "sensor/link/ask.h"
#include "tests/support/aggregator.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <zmq.h>

static struct {
    char *folder, endpoint[64];
    struct lamp_keys keys;
    lamp_allow *allow;
    lamp_pending *pending;
    lamp_commands *commands;
    lamp_door *door;
    pthread_t writer;
    atomic_bool stop;
    atomic_uint commands_seen;
    uint8_t good[32]; /* digest of the token that is known */
} t;

static const uint8_t token[LAMP_TOKEN_SECRET] = { 1, 2, 3 };

/* Knows one token, as the writer would. */
static void *play_writer(void *arg)
{
    (void)arg;
    struct pollfd fd = { .fd = lamp_commands_fd(t.commands), .events = POLLIN };
    while (!atomic_load(&t.stop)) {
        struct lamp_command c;
        poll(&fd, 1, 20);
        while (lamp_commands_take(t.commands, &c) == LAMP_OK) {
            struct lamp_command_result r = { .err = LAMP_EAUTH, .why = "The token is not known." };
            atomic_fetch_add(&t.commands_seen, 1);
            if (memcmp(c.digest, t.good, sizeof(t.good)) == 0) {
                r = (struct lamp_command_result){ .site = "north" };
                snprintf(r.name, sizeof(r.name), "%.64s", c.name);
            }
            lamp_commands_answer(t.commands, &r);
        }
    }
    return NULL;
}

static unsigned free_port(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof(a);
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    close(fd);
    return ntohs(a.sin_port);
}

static int setup(void **state)
{
    (void)state;
    char why[256] = "";
    atomic_store(&t.stop, false);
    t.folder = new_folder();
    snprintf(t.endpoint, sizeof(t.endpoint), "tcp://127.0.0.1:%u", free_port());
    lamp_token_digest(token, t.good);
    assert_int_equal(lamp_keys_load(t.folder, &t.keys, why, sizeof(why)), LAMP_OK);
    assert_int_equal(lamp_allow_new(&t.allow), LAMP_OK);
    assert_int_equal(lamp_pending_new(&t.pending), LAMP_OK);
    assert_int_equal(lamp_commands_new(&t.commands), LAMP_OK);
    const struct lamp_door_cfg cfg = { t.endpoint, &t.keys, t.allow, t.pending, t.commands };
    if (lamp_door_start(&cfg, &t.door, why, sizeof(why)) != LAMP_OK)
        fail_msg("%s", why);
    assert_int_equal(pthread_create(&t.writer, NULL, play_writer, NULL), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lamp_door_stop(t.door);
    atomic_store(&t.stop, true);
    pthread_join(t.writer, NULL);
    lamp_commands_free(t.commands);
    lamp_pending_free(t.pending);
    lamp_allow_free(t.allow);
    remove_folder(t.folder);
    free(t.folder);
    return 0;
}

static struct lamp_key new_key(void)
{
    struct lamp_key k;
    assert_int_equal(zmq_curve_keypair(k.public_z85, k.secret_z85), 0);
    return k;
}

static lamp_ask *asker(const struct lamp_key *k, const uint8_t *with, const char *server)
{
    const struct lamp_ask_cfg cfg = { .key = k,
                                      .endpoint = t.endpoint,
                                      .server_key = server ? server : t.keys.curve_public,
                                      .token = with,
                                      .name = "router-1",
                                      .site = "",
                                      .build = "test" };
    lamp_ask *a = NULL;
    assert_int_equal(lamp_ask_new(&cfg, &a), LAMP_OK);
    return a;
}

/* Turns until something other than "not yet" comes, at most 60 s. */
static int turn(lamp_ask *a, struct lamp_enroll_answer *out)
{
    const uint64_t until_us = lamp_clock_mono_us() + 60 * 1000000U;
    int err = LAMP_EAGAIN;
    while (err == LAMP_EAGAIN && lamp_clock_mono_us() < until_us) {
        err = lamp_ask_turn(a, lamp_clock_mono_us(), out);
        if (err == LAMP_EAGAIN)
            poll(NULL, 0, 5);
    }
    return err;
}

static struct lamp_enroll_answer ask_once(const struct lamp_key *k, const uint8_t *with)
{
    static struct lamp_enroll_answer answer; /* its texts go with the asker */
    lamp_ask *a = asker(k, with, NULL);
    const int err = turn(a, &answer);
    if (err)
        fail_msg("no answer: %s", lamp_strerror(err));
    lamp_ask_free(a);
    return answer;
}

static void let_in(const struct lamp_key *k, bool active)
{
    struct lamp_allowed who = { .site = "north", .id = "router-1", .active = active };
    memcpy(who.key, k->public_z85, sizeof(who.key));
    assert_int_equal(lamp_allow_put(t.allow, &who), LAMP_OK);
}

static void test_approval(void **state)
{
    (void)state;
    static struct lamp_pending_row rows[LAMP_PENDING_MAX];
    uint64_t refused;
    const struct lamp_key k = new_key();
    struct lamp_enroll_answer a;
    lamp_ask *ask = asker(&k, NULL, NULL);
    assert_int_equal(turn(ask, &a), LAMP_OK);
    assert_int_equal(a.state, LAMP_ENROLL_PENDING);
    assert_int_equal(a.site.len, 0); /* nothing is told to a stranger */
    assert_int_equal(lamp_pending_copy(t.pending, rows, &refused), 1);
    assert_string_equal(rows[0].key, k.public_z85);
    assert_string_equal(rows[0].name, "router-1");
    let_in(&k, true);
    assert_int_equal(turn(ask, &a), LAMP_OK); /* asks again by itself */
    assert_int_equal(a.state, LAMP_ENROLL_ACCEPTED);
    assert_memory_equal(a.site.data, "north", a.site.len);
    assert_memory_equal(a.list_key, t.keys.list_public, sizeof(a.list_key));
    lamp_ask_free(ask);
    assert_int_equal(atomic_load(&t.commands_seen), 0); /* the writer was not troubled */
}

static void test_token(void **state)
{
    (void)state;
    const struct lamp_key k = new_key();
    static const uint8_t wrong[LAMP_TOKEN_SECRET] = { 9 };
    struct lamp_enroll_answer a = ask_once(&k, wrong);
    assert_int_equal(a.state, LAMP_ENROLL_REFUSED);
    assert_int_equal(a.code, LAMP_EAUTH);
    assert_int_equal(ask_once(&k, token).state, LAMP_ENROLL_ACCEPTED);
}

static void test_kept_out(void **state)
{
    (void)state;
    static struct lamp_pending_row rows[LAMP_PENDING_MAX];
    uint64_t refused;
    const struct lamp_key k = new_key();
    let_in(&k, false);
    const struct lamp_enroll_answer a = ask_once(&k, NULL);
    assert_int_equal(a.state, LAMP_ENROLL_REFUSED);
    assert_int_equal(a.code, LAMP_EREJECTED);
    assert_int_equal(lamp_pending_copy(t.pending, rows, &refused), 0);
}

/* Somebody in between who does not have the key that the token names gets nothing out of us. */
static void test_man_in_the_middle(void **state)
{
    (void)state;
    const struct lamp_key k = new_key(), other = new_key();
    struct lamp_enroll_answer a;
    lamp_ask *ask = asker(&k, token, other.public_z85);
    const int err = turn(ask, &a);
    assert_true(err == LAMP_EAUTH || err == LAMP_ETIMEOUT);
    lamp_ask_free(ask);
    struct lamp_door_counts c;
    lamp_door_counts(t.door, &c);
    assert_int_equal(c.asked, 0);
}

static void *dealer(void *context, const struct lamp_key *k)
{
    void *s = zmq_socket(context, ZMQ_DEALER);
    const int zero = 0, wait_ms = 60000;
    zmq_setsockopt(s, ZMQ_LINGER, &zero, sizeof(zero));
    zmq_setsockopt(s, ZMQ_RCVTIMEO, &wait_ms, sizeof(wait_ms));
    zmq_setsockopt(s, ZMQ_CURVE_SERVERKEY, t.keys.curve_public, 41);
    zmq_setsockopt(s, ZMQ_CURVE_PUBLICKEY, k->public_z85, 41);
    zmq_setsockopt(s, ZMQ_CURVE_SECRETKEY, k->secret_z85, 41);
    assert_int_equal(zmq_connect(s, t.endpoint), 0);
    return s;
}

/* Anything but ENROLL is counted and not answered; who asks too often is told to wait. */
static void test_hostile(void **state)
{
    (void)state;
    const struct lamp_key k = new_key();
    void *context = zmq_ctx_new(), *s = dealer(context, &k);
    struct lamp_msg hello = { .type = LAMP_MSG_PING }, ask = { .type = LAMP_MSG_ENROLL };
    uint8_t *data = NULL;
    size_t len = 0;
    assert_int_equal(lamp_msg_pack(&hello, &data, &len), LAMP_OK);
    assert_int_equal(zmq_send(s, data, len, 0), (int)len);
    free(data);
    assert_int_equal(zmq_send(s, "nonsense", 8, 0), 8);
    assert_int_equal(zmq_send(s, "two", 3, ZMQ_SNDMORE), 3);
    assert_int_equal(zmq_send(s, "frames", 6, 0), 6);
    struct lamp_door_counts c;
    WAIT_FOR((lamp_door_counts(t.door, &c), c.malformed == 3));
    assert_int_equal(c.asked, 0);

    unsigned later = 0;
    assert_int_equal(lamp_msg_pack(&ask, &data, &len), LAMP_OK);
    for (unsigned i = 0; i < 40; i++) {
        struct lamp_msg *m = NULL;
        zmq_msg_t in;
        assert_int_equal(zmq_send(s, data, len, 0), (int)len);
        zmq_msg_init(&in);
        assert_true(zmq_msg_recv(&in, s, 0) > 0);
        assert_int_equal(lamp_msg_unpack(zmq_msg_data(&in), zmq_msg_size(&in), &m), LAMP_OK);
        assert_int_equal(m->type, LAMP_MSG_ENROLL_ANSWER);
        later += m->u.enroll_answer.state == LAMP_ENROLL_LATER;
        lamp_msg_free(m);
        zmq_msg_close(&in);
    }
    free(data);
    assert_true(later >= 10);
    zmq_close(s);
    zmq_ctx_term(context);
}

/* Strangers who stay are all shown out, and a sensor that asks afterwards is heard. */
static void test_crowd(void **state)
{
    (void)state;
    enum { CROWD = 300 };
    static void *crowd[CROWD];
    void *context = zmq_ctx_new();
    const struct lamp_key k = new_key();
    zmq_ctx_set(context, ZMQ_MAX_SOCKETS, 1024);
    for (size_t i = 0; i < CROWD; i++)
        crowd[i] = dealer(context, &k);
    struct lamp_door_counts c;
    WAIT_FOR((lamp_door_counts(t.door, &c), c.renewed > 0));
    for (size_t i = 0; i < CROWD; i++)
        zmq_close(crowd[i]);
    zmq_ctx_term(context);
    const struct lamp_key late = new_key();
    lamp_ask *a = asker(&late, NULL, NULL);
    struct lamp_enroll_answer answer = { .state = LAMP_ENROLL_NONE };
    const uint64_t until_us = lamp_clock_mono_us() + 60 * 1000000U;
    while (lamp_clock_mono_us() < until_us && turn(a, &answer) != LAMP_OK)
        continue; /* it was shown out with the crowd, or the port was not free again yet */
    assert_int_equal(answer.state, LAMP_ENROLL_PENDING);
    lamp_ask_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_approval, setup, teardown),
        cmocka_unit_test_setup_teardown(test_token, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kept_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_man_in_the_middle, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_crowd, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
