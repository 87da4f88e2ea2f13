/* SPDX-License-Identifier: Apache-2.0 */
/* crew and queue: what capture's threads share. Under ThreadSanitizer (label tsan) this also shows that
 * what a halted helper owns is the caller's, and that records may come from any thread. */
#include "sensor/capture/crew.h"
#include "sensor/capture/queue.h"
#include "sensor/process/channel.h"
#include "tests/support/test.h"

#include <poll.h>

enum { HELPERS = 3, ROUNDS = 200 };

/* Plain numbers: nothing but the crew keeps two threads from them at once. */
struct lane {
    uint64_t turns, taken;
};

struct shared {
    struct lane lanes[HELPERS];
    lamp_queue *queue;
    bool lazy; /* helpers wait for the bell, for a minute */
};

static void work(size_t i, int bell_fd, void *arg)
{
    struct shared *s = arg;
    s->lanes[i].turns++;
    if (s->queue && s->lanes[i].turns % 64 == 0)
        lamp_queue_add(s->queue, (const uint8_t *)"record", 6, 1, 10);
    if (s->lazy)
        (void)poll(&(struct pollfd){ .fd = bell_fd, .events = POLLIN }, 1, 60000);
}

static void test_rounds(void **state)
{
    (void)state;
    for (int lazy = 0; lazy < 2; lazy++) {
        struct shared s = { .lazy = lazy };
        uint64_t turns = 0, in_all = 0;
        lamp_crew *crew;
        assert_int_equal(lamp_crew_new(HELPERS, work, &s, &crew), LAMP_OK);
        assert_true(lamp_crew_bell(crew) >= 0);
        assert_int_equal(lamp_crew_start(crew), LAMP_OK);
        for (unsigned round = 0; round < ROUNDS; round++) {
            lamp_crew_halt(crew);
            for (size_t i = 0; i < HELPERS; i++) {
                assert_true(s.lanes[i].turns > s.lanes[i].taken); /* each had a turn since */
                turns += s.lanes[i].turns - s.lanes[i].taken;
                s.lanes[i].taken = s.lanes[i].turns;
            }
            lamp_crew_resume(crew);
        }
        assert_null(lamp_crew_free(crew));
        for (size_t i = 0; i < HELPERS; i++) {
            in_all += s.lanes[i].turns;
            turns += s.lanes[i].turns - s.lanes[i].taken;
        }
        assert_int_equal(turns, in_all);
    }
}

/* Ends also where no round was made, where nobody was started, and where there is no crew. */
static void test_ends(void **state)
{
    (void)state;
    struct shared s = { .lazy = true };
    lamp_crew *crew;
    assert_int_equal(lamp_crew_new(HELPERS, work, &s, &crew), LAMP_OK);
    assert_null(lamp_crew_free(crew));
    assert_int_equal(lamp_crew_new(HELPERS, work, &s, &crew), LAMP_OK);
    assert_int_equal(lamp_crew_start(crew), LAMP_OK);
    assert_null(lamp_crew_free(crew));
    assert_int_equal(lamp_crew_bell(NULL), -1);
    assert_int_equal(lamp_crew_start(NULL), LAMP_OK);
    lamp_crew_halt(NULL);
    lamp_crew_resume(NULL);
    assert_null(lamp_crew_free(NULL));
}

/* Every record of every thread is sent, waits or is counted as lost. */
static void test_queue(void **state)
{
    (void)state;
    struct shared s = { 0 };
    int ends[2];
    uint64_t sent = 0, rows = 0, bytes = 0, added = 0;
    static uint8_t buf[LAMP_CHANNEL_MAX];
    size_t len;
    lamp_crew *crew;
    assert_int_equal(lamp_channel_pair(ends), LAMP_OK);
    assert_int_equal(lamp_queue_new(&s.queue), LAMP_OK);
    assert_int_equal(lamp_crew_new(HELPERS, work, &s, &crew), LAMP_OK);
    assert_int_equal(lamp_crew_start(crew), LAMP_OK);
    for (unsigned round = 0; round < ROUNDS; round++) {
        assert_int_equal(lamp_queue_send(s.queue, ends[0]), LAMP_OK);
        while (lamp_channel_recv(ends[1], buf, &len) == LAMP_OK)
            sent++;
    }
    lamp_crew_free(crew);
    for (size_t i = 0; i < HELPERS; i++)
        added += s.lanes[i].turns / 64;
    lamp_queue_lost(s.queue, &rows, &bytes);
    assert_int_equal(bytes, 10 * rows);
    assert_int_equal(sent + lamp_queue_bytes(s.queue) / 6 + rows, added);
    lamp_queue_free(s.queue);
    close(ends[0]);
    close(ends[1]);
}

/* The oldest go first, and are counted. */
static void test_queue_limit(void **state)
{
    (void)state;
    enum { SIZE = 64 * 1024, MOST = LAMP_QUEUE_MAX_BYTES / SIZE };
    static uint8_t record[SIZE], buf[LAMP_CHANNEL_MAX];
    lamp_queue *q;
    uint64_t rows, bytes;
    size_t len;
    int ends[2];
    assert_int_equal(lamp_channel_pair(ends), LAMP_OK);
    assert_int_equal(lamp_queue_new(&q), LAMP_OK);
    for (unsigned i = 0; i < MOST + 5; i++) {
        record[0] = (uint8_t)i;
        lamp_queue_add(q, record, SIZE, 2, 100);
    }
    lamp_queue_lost(q, &rows, &bytes);
    assert_int_equal(rows, 10);
    assert_int_equal(bytes, 500);
    assert_int_equal(lamp_queue_bytes(q), MOST * SIZE);
    for (unsigned i = 5; i < MOST + 5; i++) {
        assert_int_equal(lamp_queue_send(q, ends[0]), LAMP_OK);
        assert_int_equal(lamp_channel_recv(ends[1], buf, &len), LAMP_OK);
        assert_int_equal(buf[0], i);
    }
    assert_int_equal(lamp_queue_bytes(q), 0);
    close(ends[1]);
    lamp_queue_add(q, record, SIZE, 2, 100);
    assert_int_equal(lamp_queue_send(q, ends[0]), LAMP_ECLOSED);
    close(ends[0]);
    lamp_queue_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rounds), cmocka_unit_test(test_ends),
                                        cmocka_unit_test(test_queue),
                                        cmocka_unit_test(test_queue_limit) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
