/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/process/channel.h"
#include "tests/support/test.h"

static uint8_t buf[LAMP_CHANNEL_MAX];

static void test_messages(void **state)
{
    (void)state;
    int ends[2];
    size_t len = 0;
    assert_int_equal(lamp_channel_pair(ends), LAMP_OK);
    assert_int_equal(lamp_channel_recv(ends[1], buf, &len), LAMP_EAGAIN);
    memset(buf, 'x', sizeof(buf));
    assert_int_equal(lamp_channel_send(ends[0], buf, sizeof(buf)), LAMP_OK);
    assert_int_equal(lamp_channel_recv(ends[1], buf, &len), LAMP_OK);
    assert_int_equal(len, sizeof(buf));
    assert_int_equal(lamp_channel_send(ends[0], buf, sizeof(buf) + 1), LAMP_EFULL);
    close(ends[1]);
    assert_int_equal(lamp_channel_send(ends[0], buf, 1), LAMP_ECLOSED);
    close(ends[0]);
}

/* An end that closes may leave messages unread; what it said before comes through all the same. */
static void test_last_words(void **state)
{
    (void)state;
    int ends[2];
    size_t len = 0;
    assert_int_equal(lamp_channel_pair(ends), LAMP_OK);
    assert_int_equal(lamp_channel_send(ends[1], "unread", 6), LAMP_OK);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(lamp_channel_send(ends[0], "last words", i + 1), LAMP_OK);
    close(ends[0]);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(lamp_channel_recv(ends[1], buf, &len), LAMP_OK);
        assert_int_equal(len, i + 1);
    }
    assert_int_equal(lamp_channel_recv(ends[1], buf, &len), LAMP_ECLOSED);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_messages),
                                        cmocka_unit_test(test_last_words) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
