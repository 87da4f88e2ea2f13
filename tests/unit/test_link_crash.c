/* SPDX-License-Identifier: Apache-2.0 */
/* A link process that ends with summaries in hand: the one after it declares them lost, exactly, once, and
 * goes on with what still waits in the channel. The spool's append stands still where the test says so. */
#include "common/log.h"
#include "sensor/link/key.h"
#include "sensor/link/link.h"
#include "sensor/process/channel.h"
#include "tests/support/aggregator.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static struct shared {
    struct lamp_spool_taken taken;
    _Atomic bool stand_still;
    _Atomic uint64_t appended;
} * shared;

int __real_lamp_spool_append(lamp_spool *s, const struct lamp_summary *const *m, size_t n,
                             uint64_t *out_last);
int __wrap_lamp_spool_append(lamp_spool *s, const struct lamp_summary *const *m, size_t n,
                             uint64_t *out_last);

int __wrap_lamp_spool_append(lamp_spool *s, const struct lamp_summary *const *m, size_t n,
                             uint64_t *out_last)
{
    while (atomic_load(&shared->stand_still))
        (void)poll(NULL, 0, 1000);
    const int err = __real_lamp_spool_append(s, m, n, out_last);
    if (!err)
        atomic_fetch_add(&shared->appended, n);
    return err;
}

struct fixture {
    char *folder, key[128], spool[128];
    int capture[2], enforce[2];
    uint64_t said;
    pid_t pid;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct lamp_key key;
    assert_non_null(f);
    f->folder = new_folder();
    snprintf(f->key, sizeof(f->key), "%s/key", f->folder);
    snprintf(f->spool, sizeof(f->spool), "%s/spool", f->folder);
    assert_int_equal(mkdir(f->spool, 0700), 0);
    assert_int_equal(lamp_key_create(f->key, &key), LAMP_OK);
    assert_int_equal(lamp_channel_pair(f->capture), LAMP_OK);
    assert_int_equal(lamp_channel_pair(f->enforce), LAMP_OK);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(shared, MAP_FAILED);
    *state = f;
    return 0;
}

static void end_link(struct fixture *f)
{
    kill(f->pid, SIGKILL);
    assert_int_equal(waitpid(f->pid, NULL, 0), f->pid);
    f->pid = 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    if (f->pid > 0)
        end_link(f);
    munmap(shared, sizeof(*shared));
    for (size_t i = 0; i < 2; i++) {
        close(f->capture[i]);
        close(f->enforce[i]);
    }
    remove_folder(f->folder);
    free(f->folder);
    free(f);
    return 0;
}

static void begin_link(struct fixture *f)
{
    fflush(NULL);
    f->pid = fork();
    assert_true(f->pid >= 0);
    if (f->pid > 0)
        return;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    lamp_log_setup(LAMP_LOG_ERROR, false);
    struct lamp_sensor_conf conf = { .state_dir = f->folder,
                                     .user = (char[]){ "" },
                                     .key_path = f->key,
                                     .link = { .endpoint = (char[]){ "tcp://127.0.0.1:1" },
                                               .enroll = (char[]){ "off" },
                                               .spool_quota_bytes = 1 << 20,
                                               .refresh_s = 60 } };
    memset(conf.server_key_z85, 'a', 40);
    const int ready = open("/dev/null", O_WRONLY | O_CLOEXEC);
    _exit(lamp_link_run(&conf, f->capture[1], f->enforce[0], &shared->taken, ready));
}

/* n summaries of capture; number i has i rows, 100 i bytes and ends at i s. */
static void say(struct fixture *f, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t number = ++f->said;
        struct lamp_msg m = { .type = LAMP_MSG_SUMMARY };
        m.u.summary = (struct lamp_summary){ .t_from_us = (number - 1) * 1000000,
                                             .t_to_us = number * 1000000,
                                             .n_rows = number,
                                             .n_bytes = 100 * number,
                                             .batch = lamp_bytes_of("a batch") };
        uint8_t *data;
        size_t len;
        assert_int_equal(lamp_msg_pack(&m, &data, &len), LAMP_OK);
        assert_int_equal(lamp_channel_send(f->capture[0], data, len), LAMP_OK);
        free(data);
    }
}

/* What the spool has of a stream's LOSS, by the numbers of records. */
struct found {
    uint64_t summaries, lost, losses, rows, bytes, from_us, to_us;
};

static struct found look(struct fixture *f)
{
    char damaged[PATH_MAX], why[256];
    struct lamp_spool_stream streams[16];
    struct found got = { 0 };
    lamp_spool *s = NULL;
    size_t n;
    assert_int_equal(lamp_spool_open(f->spool, 1 << 20, TEST_NOW_US, &s, damaged, why), LAMP_OK);
    assert_int_equal(lamp_spool_streams(s, streams, ARRAY_LEN(streams), &n), LAMP_OK);
    for (size_t i = 0; i < n; i++) {
        struct lamp_spool_record r;
        for (uint64_t seq = 1; lamp_spool_read(s, &streams[i].id, seq, &r) == LAMP_OK;
             seq = r.to_seq + 1) {
            free(r.body);
            assert_int_equal(r.seq, seq);
            if (r.kind == LAMP_SPOOL_SUMMARY) {
                got.summaries++;
                continue;
            }
            assert_int_equal(r.reason, LAMP_LOSS_CRASH);
            got.losses++;
            got.lost += r.to_seq - r.seq + 1;
            got.rows = r.n_rows;
            got.bytes = r.n_bytes;
            got.from_us = r.t_from_us;
            got.to_us = r.t_to_us;
        }
    }
    lamp_spool_close(s);
    return got;
}

/* before: summaries that are safe; in_hand: that are taken when link ends; waiting: in the channel. */
static void crash(struct fixture *f, uint64_t before, uint64_t in_hand, uint64_t waiting)
{
    const uint64_t appended = atomic_load(&shared->appended);
    begin_link(f);
    say(f, before);
    WAIT_FOR(atomic_load(&shared->appended) == appended + before);
    atomic_store(&shared->stand_still, true);
    say(f, 1); /* taken alone, or with the rest: then a group is full */
    WAIT_FOR(atomic_load(&shared->taken.n) == before + 1);
    say(f, in_hand - 1 + waiting);
    end_link(f);
    atomic_store(&shared->stand_still, false);
}

static void test_loss_is_declared(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint64_t before, waiting;
    } cases[] = { { 20, 3 }, { 0, 0 }, { 1, 20 } };
    uint64_t lost = 0;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const uint64_t appended = atomic_load(&shared->appended);
        crash(f, cases[i].before, 1, cases[i].waiting);
        lost++;
        /* The next one takes up what still waited, and has declared the one that was in hand. */
        begin_link(f);
        WAIT_FOR(atomic_load(&shared->appended) == appended + cases[i].before + cases[i].waiting);
        WAIT_FOR(atomic_load(&shared->taken.n) == cases[i].waiting);
        const uint64_t number = f->said - cases[i].waiting;
        end_link(f);
        const struct found got = look(f);
        assert_int_equal(got.losses, i + 1);
        assert_int_equal(got.lost, lost);
        assert_int_equal(got.summaries, f->said - lost);
        assert_int_equal(got.rows, number);
        assert_int_equal(got.bytes, 100 * number);
        assert_int_equal(got.from_us, (number - 1) * 1000000);
        assert_int_equal(got.to_us, number * 1000000);
        atomic_store(&shared->taken.n, 0);
        memset(&shared->taken.stream, 0, sizeof(shared->taken.stream)); /* look() opened it */
    }
}

/* A whole group in hand; and a second look declares nothing again. */
static void test_whole_group(void **state)
{
    struct fixture *f = *state;
    char damaged[PATH_MAX], why[256];
    lamp_spool *s = NULL;
    uint64_t lost;
    atomic_store(&shared->stand_still, true);
    say(f, LAMP_SPOOL_GROUP + 4);
    begin_link(f);
    WAIT_FOR(atomic_load(&shared->taken.n) == LAMP_SPOOL_GROUP);
    end_link(f);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(lamp_spool_open(f->spool, 1 << 20, TEST_NOW_US, &s, damaged, why),
                         LAMP_OK);
        assert_int_equal(lamp_spool_declare(s, &shared->taken, &lost), LAMP_OK);
        assert_int_equal(lost, i ? 0 : LAMP_SPOOL_GROUP);
        lamp_spool_close(s);
    }
    const struct found got = look(f);
    assert_int_equal(got.lost, LAMP_SPOOL_GROUP);
    assert_int_equal(got.rows, 17 * 8);
    assert_int_equal(got.from_us, 0);
    assert_int_equal(got.to_us, 16 * 1000000);
    atomic_store(&shared->taken.n, 100); /* what no link process leaves behind */
    assert_int_equal(lamp_spool_open(f->spool, 1 << 20, TEST_NOW_US, &s, damaged, why), LAMP_OK);
    assert_int_equal(lamp_spool_declare(s, &shared->taken, &lost), LAMP_EPROTO);
    lamp_spool_close(s);
    atomic_store(&shared->stand_still, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_loss_is_declared, setup, teardown),
        cmocka_unit_test_setup_teardown(test_whole_group, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
