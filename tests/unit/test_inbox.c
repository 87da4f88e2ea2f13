/* SPDX-License-Identifier: Apache-2.0 */
/* What capture hears from its link: over a real channel, both ways. */
#include "common/walletname.h"
#include "sensor/capture/inbox.h"
#include "sensor/process/channel.h"
#include "tests/support/test.h"

#include <sys/socket.h>

static int fds[2]; /* capture's end, the link's */
static lamp_inbox *inbox;

static int setup(void **state)
{
    (void)state;
    assert_int_equal(lamp_channel_pair(fds), LAMP_OK);
    return lamp_inbox_new(fds[0], &inbox);
}

static int teardown(void **state)
{
    (void)state;
    inbox = lamp_inbox_free(inbox);
    close(fds[0]);
    close(fds[1]);
    return 0;
}

static void say(const struct lamp_msg *m)
{
    uint8_t *data;
    size_t len;
    assert_int_equal(lamp_msg_pack(m, &data, &len), LAMP_OK);
    assert_int_equal(lamp_channel_send(fds[1], data, len), LAMP_OK);
    free(data);
}

/* The next message that capture sent; NULL: none. */
static struct lamp_msg *hear(void)
{
    static uint8_t buf[LAMP_CHANNEL_MAX];
    size_t len;
    struct lamp_msg *m = NULL;
    if (lamp_channel_recv(fds[1], buf, &len) == LAMP_OK)
        assert_int_equal(lamp_msg_unpack(buf, len, &m), LAMP_OK);
    return m;
}

static struct lamp_addr addr(const char *text)
{
    struct lamp_addr a;
    assert_int_equal(lamp_addr_parse(text, &a), LAMP_OK);
    return a;
}

static void say_set(enum lamp_set_kind kind, struct lamp_set_entry *entries, size_t n,
                    uint64_t serial)
{
    struct lamp_msg m = { .type = LAMP_MSG_SET_BEGIN };
    m.u.set_begin = (struct lamp_set_begin){ .kind = kind, .mode = LAMP_SET_FULL, .chunks = n > 0 };
    say(&m);
    m = (struct lamp_msg){ .type = LAMP_MSG_SET_CHUNK };
    m.u.set_chunk = (struct lamp_set_chunk){ .entries = entries, .n_entries = n };
    if (n)
        say(&m);
    uint8_t *packed = NULL;
    size_t len = 0;
    const struct lamp_set_manifest manifest = {
        .site = lamp_bytes_of("north"), .kind = kind, .epoch = 3, .serial = serial
    };
    assert_int_equal(lamp_set_manifest_pack(&manifest, &packed, &len), LAMP_OK);
    m = (struct lamp_msg){ .type = LAMP_MSG_SET_END };
    m.u.set_end.manifest = (struct lamp_bytes){ packed, n ? len : 0 };
    say(&m);
    free(packed);
    assert_int_equal(lamp_inbox_read(inbox), LAMP_OK);
}

static void expect_head(uint64_t serial)
{
    assert_int_equal(lamp_inbox_flush(inbox, false), LAMP_OK);
    struct lamp_msg *m = hear();
    assert_non_null(m);
    assert_int_equal(m->type, LAMP_MSG_LOCAL_REPLY);
    assert_int_equal(m->u.local_reply.head.kind, LAMP_SET_WATCH);
    assert_int_equal(m->u.local_reply.head.serial, serial);
    lamp_msg_free(m);
}

static void test_watch(void **state)
{
    (void)state;
    char wallet[LAMP_WALLET_NAME];
    struct lamp_set_entry e[] = {
        { .action = LAMP_SET_ADD,
          .name = lamp_bytes_of("pool.example"),
          .port = 3333,
          .text = lamp_bytes_of("60\tcatalogue\tXMR\tA Pool") },
        { .action = LAMP_SET_ADD,
          .prefix = { addr("203.0.113.7"), 128 },
          .port = 443,
          .text = lamp_bytes_of("30\tnorth\t\t") },
        { .action = LAMP_SET_ADD,
          .prefix = { addr("203.0.113.8"), 128 },
          .text = lamp_bytes_of("no such text") },
        { .action = LAMP_SET_ADD,
          .name = lamp_bytes_of(lamp_wallet_name("4wallet", wallet)),
          .ttl_s = 86400,
          .text = lamp_bytes_of("90\tnorth\tXMR\t") },
    };
    const struct lamp_addr seven = addr("203.0.113.7"), eight = addr("203.0.113.8");
    const lamp_watch *watch = NULL;
    expect_head(0); /* at the start: it holds none */
    assert_int_equal(lamp_inbox_flush(inbox, false), LAMP_OK);
    assert_null(hear());
    say_set(LAMP_SET_WATCH, e, ARRAY_LEN(e), 5);
    assert_true(lamp_inbox_watch(inbox, &watch));
    assert_false(lamp_inbox_watch(inbox, &watch));
    const struct lamp_identity named =
        lamp_identity_of_name(NULL, watch, lamp_bytes_of("pool.example"), 3333);
    assert_string_equal(named.pool, "A Pool");
    assert_string_equal(named.coin, "XMR");
    const struct lamp_identity stale = lamp_identity_of_address(watch, &seven, 443);
    assert_true(stale.mass.mining > 0 && stale.mass.mining < named.mass.mining);
    assert_null(stale.pool);
    assert_true(lamp_identity_of_address(watch, &seven, 444).mass.mining == 0);
    assert_true(lamp_identity_of_address(watch, &eight, 1).mass.mining == stale.mass.mining);
    const struct lamp_known_wallet met = lamp_identity_of_wallet(watch, "4wallet");
    assert_true(met.mass.mining > stale.mass.mining && met.mass.mining < named.mass.mining);
    assert_string_equal(met.origin, "north");
    assert_int_equal(met.ttl_s, 86400);
    assert_true(lamp_identity_of_wallet(watch, "4Wallet").mass.mining == 0);
    assert_true(lamp_identity_of_wallet(NULL, "4wallet").mass.mining == 0);
    expect_head(5);

    say_set(LAMP_SET_POLICY, e, 1, 6); /* not for this */
    assert_false(lamp_inbox_watch(inbox, &watch));
    say_set(LAMP_SET_WATCH, NULL, 0, 0); /* it expired */
    assert_true(lamp_inbox_watch(inbox, &watch));
    assert_null(watch);
    assert_string_equal(named.pool, "A Pool"); /* what was found keeps its names */
    expect_head(0);
}

static void test_names(void **state)
{
    (void)state;
    struct lamp_local_name wanted[] = { { .name = lamp_bytes_of("pool.example") },
                                        { .name = lamp_bytes_of("b.example") } };
    static const struct {
        const char *name;
        bool want;
    } answers[] = {
        { "pool.example", true },      { "eu.pool.example", true }, { "xpool.example", false },
        { "pool.example.net", false }, { "example", false },        { "b.example", true },
    };
    const struct lamp_addr host = addr("203.0.113.7"), server = addr("192.0.2.53");
    lamp_inbox_answer(inbox, "pool.example", &host, &server, 60); /* before anybody asked */
    expect_head(0);
    const struct lamp_msg m = { .type = LAMP_MSG_LOCAL_NAMES,
                                .u.local_names = { wanted, ARRAY_LEN(wanted) } };
    say(&m);
    assert_int_equal(lamp_inbox_read(inbox), LAMP_OK);
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        lamp_inbox_answer(inbox, answers[i].name, &host, &server, 60);
        lamp_inbox_answer(inbox, answers[i].name, &host, &server, 60); /* once is enough */
        assert_int_equal(lamp_inbox_flush(inbox, false), LAMP_OK);
        struct lamp_msg *got = hear();
        if ((got != NULL) != answers[i].want)
            fail_msg("%s", answers[i].name);
        if (got) {
            const struct lamp_local_names *n = &got->u.local_names;
            assert_int_equal(n->n_names, 1);
            assert_true(lamp_bytes_eq(n->names[0].name, answers[i].name));
            assert_true(lamp_addr_eq(&n->names[0].server, &server));
            assert_int_equal(n->names[0].ttl_s, 60);
        }
        lamp_msg_free(got);
    }
    for (unsigned i = 0; i <= LAMP_INBOX_ANSWERS; i++) {
        const uint8_t v4[] = { 198, 51, (uint8_t)(i >> 8), (uint8_t)i };
        const struct lamp_addr a = lamp_addr_from_v4(v4);
        lamp_inbox_answer(inbox, "b.example", &a, &server, 60);
    }
    assert_int_equal(lamp_inbox_dropped(inbox), 1);
}

static void on_blocks(const struct lamp_coin_blocks *told, void *arg)
{
    uint64_t *sum = arg;
    for (size_t i = 0; i < told->n_blocks; i++)
        if (lamp_bytes_eq(told->blocks[i].coin, "XMR"))
            *sum += told->blocks[i].t_us;
}

static void test_blocks(void **state)
{
    (void)state;
    uint64_t sum = 0;
    struct lamp_coin_block blocks[] = { { lamp_bytes_of("XMR"), 100 },
                                        { lamp_bytes_of("XMR"), 20 } };
    const struct lamp_msg m = { .type = LAMP_MSG_COIN_BLOCKS, .u.coin_blocks = { blocks, 2 } };
    say(&m);
    assert_int_equal(lamp_inbox_read(inbox), LAMP_OK); /* nobody asks */
    lamp_inbox_on_blocks(inbox, on_blocks, &sum);
    say(&m);
    assert_int_equal(lamp_inbox_read(inbox), LAMP_OK);
    assert_int_equal(sum, 120);
}

static void test_closed(void **state)
{
    (void)state;
    shutdown(fds[1], SHUT_RDWR);
    assert_int_equal(lamp_inbox_read(inbox), LAMP_ECLOSED);
    assert_int_equal(lamp_inbox_flush(inbox, true), LAMP_ECLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_watch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_closed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
