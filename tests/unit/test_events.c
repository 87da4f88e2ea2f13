/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/handover/events.h"
#include "tests/support/test.h"

#include <pthread.h>
#include <stdatomic.h>

static void count_wake(void *arg)
{
    atomic_fetch_add((atomic_uint *)arg, 1);
}

static void test_events_come_in_order(void **state)
{
    (void)state;
    lamp_events *e;
    struct lamp_event ev;
    uint64_t seq = 0;
    atomic_uint wakes = 0;
    assert_int_equal(lamp_events_new(&e), LAMP_OK);
    lamp_events_set_waker(e, count_wake, &wakes);
    assert_int_equal(lamp_events_next(e, 0, &ev, &seq), LAMP_EAGAIN);
    lamp_events_publish(e, LAMP_EVENT_MINER, 5, NULL);
    lamp_events_publish(e, LAMP_EVENT_SENSOR, 0, "berlin");
    assert_int_equal(atomic_load(&wakes), 2);
    assert_int_equal(lamp_events_newest(e), 2);

    assert_int_equal(lamp_events_next(e, 0, &ev, &seq), LAMP_OK);
    assert_int_equal(ev.kind, LAMP_EVENT_MINER);
    assert_int_equal(ev.id, 5);
    assert_string_equal(ev.name, "");
    assert_int_equal(seq, 1);
    assert_int_equal(lamp_events_next(e, seq, &ev, &seq), LAMP_OK);
    assert_int_equal(ev.kind, LAMP_EVENT_SENSOR);
    assert_string_equal(ev.name, "berlin");
    assert_int_equal(lamp_events_next(e, seq, &ev, &seq), LAMP_EAGAIN);
    lamp_events_free(e);
}

/* A repeat waits with the first one, until somebody was given that. */
static void test_repeats_merge_until_seen(void **state)
{
    (void)state;
    lamp_events *e;
    struct lamp_event ev;
    uint64_t seq = 0;
    assert_int_equal(lamp_events_new(&e), LAMP_OK);
    lamp_events_publish(e, LAMP_EVENT_MINER, 5, NULL);
    lamp_events_publish(e, LAMP_EVENT_MINER, 6, NULL);
    lamp_events_publish(e, LAMP_EVENT_MINER, 5, NULL);
    lamp_events_publish(e, LAMP_EVENT_BLOCK, 5, NULL);
    assert_int_equal(lamp_events_newest(e), 3);
    assert_int_equal(lamp_events_next(e, 0, &ev, &seq), LAMP_OK);
    lamp_events_publish(e, LAMP_EVENT_MINER, 6, NULL);
    assert_int_equal(lamp_events_newest(e), 3);
    lamp_events_publish(e, LAMP_EVENT_MINER, 5, NULL);
    assert_int_equal(lamp_events_newest(e), 4);
    lamp_events_free(e);
}

/* What nobody was there for is seen by who joins after it, and by who is told to load again:
 * both start behind it, and the next change of the same object must reach them. */
static void test_no_change_merges_behind_a_reader(void **state)
{
    (void)state;
    lamp_events *e;
    struct lamp_event ev;
    assert_int_equal(lamp_events_new(&e), LAMP_OK);
    lamp_events_publish(e, LAMP_EVENT_MINER, 5, NULL);
    uint64_t seq = lamp_events_join(e);
    assert_int_equal(seq, 1);
    lamp_events_publish(e, LAMP_EVENT_MINER, 5, NULL);
    assert_int_equal(lamp_events_next(e, seq, &ev, &seq), LAMP_OK);
    assert_int_equal(ev.id, 5);

    lamp_events_publish(e, LAMP_EVENT_MINER, 6, NULL);
    assert_int_equal(lamp_events_next(e, UINT64_MAX - 1, &ev, &seq), LAMP_ENOENT);
    assert_int_equal(seq, 3);
    lamp_events_publish(e, LAMP_EVENT_MINER, 6, NULL);
    assert_int_equal(lamp_events_next(e, seq, &ev, &seq), LAMP_OK);
    assert_int_equal(ev.id, 6);
    lamp_events_free(e);
}

static void test_a_late_reader_learns_of_the_gap(void **state)
{
    (void)state;
    lamp_events *e;
    struct lamp_event ev;
    uint64_t seq = 0;
    assert_int_equal(lamp_events_new(&e), LAMP_OK);
    for (int64_t i = 1; i <= 1025; i++)
        lamp_events_publish(e, LAMP_EVENT_MINER, i, NULL);
    assert_int_equal(lamp_events_next(e, 0, &ev, &seq), LAMP_ENOENT);
    assert_int_equal(seq, 1025);
    assert_int_equal(lamp_events_next(e, 1, &ev, &seq), LAMP_OK);
    assert_int_equal(ev.id, 2);
    assert_int_equal(lamp_events_next(e, 1026, &ev, &seq), LAMP_ENOENT);
    assert_int_equal(lamp_events_next(e, UINT64_MAX, &ev, &seq), LAMP_ENOENT);
    lamp_events_free(e);
}

enum { PUBLISHERS = 4, EACH = 5000 };

struct publisher {
    lamp_events *events;
    atomic_uint running;
};

static void *publish_many(void *arg)
{
    struct publisher *p = arg;
    for (int64_t i = 0; i < EACH; i++)
        lamp_events_publish(p->events, LAMP_EVENT_MINER, i, NULL);
    atomic_fetch_sub(&p->running, 1);
    return NULL;
}

/* A reader beside the publishers sees rising numbers, with gaps or without, up to the last. */
static void test_threads(void **state)
{
    (void)state;
    struct publisher p = { .running = PUBLISHERS };
    pthread_t threads[PUBLISHERS];
    assert_int_equal(lamp_events_new(&p.events), LAMP_OK);
    for (size_t i = 0; i < PUBLISHERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, publish_many, &p), 0);
    uint64_t seq = 0, last = 0;
    for (;;) {
        struct lamp_event ev;
        const bool over = atomic_load(&p.running) == 0;
        const int err = lamp_events_next(p.events, seq, &ev, &seq);
        if (err == LAMP_EAGAIN && over)
            break;
        if (err == LAMP_OK)
            assert_int_equal(ev.seq, seq);
        assert_true(seq > last || err == LAMP_EAGAIN);
        last = seq;
    }
    for (size_t i = 0; i < PUBLISHERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(last, lamp_events_newest(p.events));
    lamp_events_free(p.events);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_come_in_order),
        cmocka_unit_test(test_repeats_merge_until_seen),
        cmocka_unit_test(test_no_change_merges_behind_a_reader),
        cmocka_unit_test(test_a_late_reader_learns_of_the_gap),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
