/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/writer/answers.h"

#include "tests/support/test.h"

#include <stdio.h>

struct fixture {
    struct lamp_answers answers;
    lamp_mailbox *outbox;
    struct lamp_letter from; /* what is answered */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    assert_int_equal(lamp_mailbox_new(1 << 20, &f->outbox), LAMP_OK);
    lamp_answers_init(&f->answers);
    snprintf(f->from.sensor, sizeof(f->from.sensor), "s1");
    f->from.session.b[0] = 1;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    lamp_answers_drop(&f->answers);
    lamp_mailbox_free(f->outbox);
    free(f);
    return 0;
}

static struct lamp_msg *take(struct fixture *f, const char *sensor, const char *site)
{
    struct lamp_msg *m = NULL;
    struct lamp_letter *l = lamp_mailbox_take(f->outbox);
    assert_non_null(l);
    assert_string_equal(l->sensor, sensor);
    assert_string_equal(l->site, site);
    assert_int_equal(lamp_msg_unpack(l->data, l->len, &m), LAMP_OK);
    lamp_letter_free(l);
    return m;
}

/* Of the acknowledgements of a stream the newest goes out; other streams have their own. */
static void test_acks(void **state)
{
    struct fixture *f = *state;
    struct lamp_stream_next next = { { { 5 } }, 2 };
    lamp_answers_ack(&f->answers, &f->from, &next, 100);
    next.next_seq = 9;
    lamp_answers_ack(&f->answers, &f->from, &next, 300);
    next = (struct lamp_stream_next){ { { 6 } }, 4 };
    lamp_answers_ack(&f->answers, &f->from, &next, 300);
    lamp_answers_send(&f->answers, f->outbox, 1);
    static const uint64_t want[] = { 9, 4 };
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        struct lamp_msg *m = take(f, "s1", "");
        assert_int_equal(m->type, LAMP_MSG_ACK);
        assert_int_equal(m->u.ack.streams[0].next_seq, want[i]);
        assert_int_equal(m->u.ack.credit_bytes, 300);
        lamp_msg_free(m);
    }
    assert_null(lamp_mailbox_take(f->outbox));
    lamp_answers_send(&f->answers, f->outbox, 1); /* nothing twice */
    assert_null(lamp_mailbox_take(f->outbox));
}

/* What is dropped never goes out. */
static void test_drop(void **state)
{
    struct fixture *f = *state;
    const struct lamp_stream_next next = { { { 5 } }, 2 };
    const struct lamp_msg m = { .type = LAMP_MSG_SET_NOTIFY };
    lamp_answers_ack(&f->answers, &f->from, &next, 100);
    lamp_answers_add(&f->answers, &f->from, &m);
    lamp_answers_drop(&f->answers);
    lamp_answers_send(&f->answers, f->outbox, 1);
    assert_null(lamp_mailbox_take(f->outbox));
}

static void test_sites(void **state)
{
    struct fixture *f = *state;
    struct lamp_msg m = { .type = LAMP_MSG_SET_NOTIFY };
    m.u.set_notify.head.kind = LAMP_SET_BLOCK;
    lamp_answers_add_site(&f->answers, "north", &m);
    lamp_answers_send(&f->answers, f->outbox, 1);
    lamp_msg_free(take(f, "", "north"));
}

/* A session that asks for the list again and again gets it once in each transaction. */
static void test_lists(void **state)
{
    struct fixture *f = *state;
    struct lamp_letter other = f->from;
    other.session.b[0] = 2;
    assert_true(lamp_answers_may_list(&f->answers, &f->from, LAMP_SET_BLOCK));
    assert_false(lamp_answers_may_list(&f->answers, &f->from, LAMP_SET_BLOCK));
    assert_true(lamp_answers_may_list(&f->answers, &f->from, LAMP_SET_WATCH)); /* of each kind */
    assert_true(lamp_answers_may_list(&f->answers, &other, LAMP_SET_BLOCK));
    lamp_answers_send(&f->answers, f->outbox, 1);
    assert_true(lamp_answers_may_list(&f->answers, &f->from, LAMP_SET_BLOCK));
    lamp_answers_drop(&f->answers);
    assert_true(lamp_answers_may_list(&f->answers, &f->from, LAMP_SET_BLOCK));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_acks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_drop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sites, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lists, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
