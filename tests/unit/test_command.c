/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/handover/command.h"
#include "tests/support/test.h"

#include <poll.h>
#include <pthread.h>

enum { CALLERS = 8, EACH = 200, WAIT_MS = 20000 };

struct writer {
    lamp_commands *q;
    unsigned left;
};

/* Answers `left` commands: a block gets its ttl back as id, an unblock LAMP_ENOENT. */
static void *write_answers(void *arg)
{
    struct writer *w = arg;
    struct pollfd fd = { .fd = lamp_commands_fd(w->q), .events = POLLIN };
    while (w->left) {
        struct lamp_command cmd;
        if (poll(&fd, 1, WAIT_MS) != 1)
            return NULL;
        while (lamp_commands_take(w->q, &cmd) == LAMP_OK) {
            struct lamp_command_result r = { .block_id = cmd.ttl_s };
            if (cmd.kind == LAMP_CMD_UNBLOCK)
                r = (struct lamp_command_result){ .err = LAMP_ENOENT, .why = "no such block" };
            lamp_commands_answer(w->q, &r);
            w->left--;
        }
    }
    return NULL;
}

struct caller {
    lamp_commands *q;
    uint32_t base;
    unsigned right;
};

static void *call_often(void *arg)
{
    struct caller *c = arg;
    for (uint32_t i = 0; i < EACH; i++) {
        const struct lamp_command cmd = { .kind = LAMP_CMD_BLOCK, .ttl_s = c->base + i };
        struct lamp_command_result r;
        if (lamp_commands_run(c->q, &cmd, WAIT_MS, &r) == LAMP_OK && r.block_id == cmd.ttl_s)
            c->right++;
    }
    return NULL;
}

static void test_each_caller_gets_its_own_answer(void **state)
{
    (void)state;
    struct writer w = { .left = CALLERS * EACH };
    assert_int_equal(lamp_commands_new(&w.q), LAMP_OK);
    pthread_t writer, callers[CALLERS];
    struct caller c[CALLERS];
    assert_int_equal(pthread_create(&writer, NULL, write_answers, &w), 0);
    for (size_t i = 0; i < CALLERS; i++) {
        c[i] = (struct caller){ .q = w.q, .base = (uint32_t)(1000 * (i + 1)) };
        assert_int_equal(pthread_create(&callers[i], NULL, call_often, &c[i]), 0);
    }
    for (size_t i = 0; i < CALLERS; i++) {
        pthread_join(callers[i], NULL);
        assert_int_equal(c[i].right, EACH);
    }
    pthread_join(writer, NULL);
    assert_int_equal(w.left, 0);
    lamp_commands_free(w.q);
}

static void test_refusal_reaches_the_caller(void **state)
{
    (void)state;
    struct writer w = { .left = 1 };
    struct lamp_command_result r;
    pthread_t writer;
    assert_int_equal(lamp_commands_new(&w.q), LAMP_OK);
    assert_int_equal(pthread_create(&writer, NULL, write_answers, &w), 0);
    const struct lamp_command cmd = { .kind = LAMP_CMD_UNBLOCK, .block_id = 7 };
    assert_int_equal(lamp_commands_run(w.q, &cmd, WAIT_MS, &r), LAMP_OK);
    assert_int_equal(r.err, LAMP_ENOENT);
    assert_string_equal(r.why, "no such block");
    pthread_join(writer, NULL);
    lamp_commands_free(w.q);
}

/* A caller that gave up must not have its place reused before the writer is through with it. */
static void test_timeouts_and_a_full_queue(void **state)
{
    (void)state;
    lamp_commands *q;
    struct lamp_command cmd = { .kind = LAMP_CMD_BLOCK };
    struct lamp_command_result r = { .block_id = 42 };
    assert_int_equal(lamp_commands_new(&q), LAMP_OK);
    for (uint32_t i = 0; i < 256; i++) {
        cmd.ttl_s = i;
        assert_int_equal(lamp_commands_run(q, &cmd, 0, &r), LAMP_ETIMEOUT);
    }
    assert_int_equal(r.block_id, 42);
    assert_int_equal(lamp_commands_run(q, &cmd, 0, &r), LAMP_EFULL);

    struct pollfd fd = { .fd = lamp_commands_fd(q), .events = POLLIN };
    assert_int_equal(poll(&fd, 1, 0), 1);
    for (uint32_t i = 0; i < 256; i++) {
        assert_int_equal(lamp_commands_take(q, &cmd), LAMP_OK);
        assert_int_equal(cmd.ttl_s, i);
        lamp_commands_answer(q, &r);
    }
    assert_int_equal(lamp_commands_take(q, &cmd), LAMP_EAGAIN);
    assert_int_equal(poll(&fd, 1, 0), 0);
    assert_int_equal(lamp_commands_run(q, &cmd, 0, &r), LAMP_ETIMEOUT);
    lamp_commands_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_caller_gets_its_own_answer),
        cmocka_unit_test(test_refusal_reaches_the_caller),
        cmocka_unit_test(test_timeouts_and_a_full_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
