/* SPDX-License-Identifier: Apache-2.0 */
/* fault_sensor: the link process as shipped (sensor/link), fed by a child in the place of capture
 * with numbered batches, at the pace that the control file says. What became durable and what was
 * acknowledged goes to the control file, through functions that the linker puts before those of
 * the spool. Killing this process kills the child.
 *
 *   fault_sensor STATE_DIR ENDPOINT SERVER_KEY QUOTA_BYTES ROWS */
#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "sensor/link/link.h"
#include "sensor/link/spool.h"
#include "sensor/process/channel.h"
#include "sensor/process/child.h"
#include "tests/support/faults/check.h"
#include "tests/support/faults/control.h"
#include "tests/support/faults/disk.h"

#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <zmq.h>

static struct control *control;
static bool is_link; /* not the child */

/* ---- what is written down ---- */

int __real_lamp_spool_open(const char *dir, uint64_t quota_bytes, uint64_t now_us, lamp_spool **out,
                           char damaged[PATH_MAX], char why[256]);
int __wrap_lamp_spool_open(const char *dir, uint64_t quota_bytes, uint64_t now_us, lamp_spool **out,
                           char damaged[PATH_MAX], char why[256]);
int __real_lamp_spool_append(lamp_spool *s, const struct lamp_summary *const *m, size_t n,
                             uint64_t *out_last);
int __wrap_lamp_spool_append(lamp_spool *s, const struct lamp_summary *const *m, size_t n,
                             uint64_t *out_last);
int __real_lamp_spool_ack(lamp_spool *s, const struct lamp_stream_id *stream, uint64_t next_seq,
                          uint64_t now_us);
int __wrap_lamp_spool_ack(lamp_spool *s, const struct lamp_stream_id *stream, uint64_t next_seq,
                          uint64_t now_us);
int __real_lamp_spool_rewind(lamp_spool *s, const struct lamp_stream_id *stream, uint64_t next_seq);
int __wrap_lamp_spool_rewind(lamp_spool *s, const struct lamp_stream_id *stream, uint64_t next_seq);
uint64_t __real_lamp_clock_real_us(void);
int __real_zmq_setsockopt(void *socket, int option, const void *value, size_t len);
int __wrap_zmq_setsockopt(void *socket, int option, const void *value, size_t len);
uint64_t __wrap_lamp_clock_real_us(void);

/* What the spool was told just before a kill is durable, but may not be written down yet. */
int __wrap_lamp_spool_open(const char *dir, uint64_t quota_bytes, uint64_t now_us, lamp_spool **out,
                           char damaged[PATH_MAX], char why[256])
{
    struct lamp_spool_stream streams[LAMP_WIRE_STREAMS_MAX];
    size_t n = 0;
    int err = __real_lamp_spool_open(dir, quota_bytes, now_us, out, damaged, why);
    if (err == LAMP_OK)
        err = lamp_spool_streams(*out, streams, ARRAY_LEN(streams), &n);
    for (size_t i = 0; i < n; i++)
        trace_add(control, TRACE_ACKED, &streams[i].id, streams[i].next_seq, 0);
    return err;
}

int __wrap_lamp_spool_append(lamp_spool *s, const struct lamp_summary *const *m, size_t n,
                             uint64_t *out_last)
{
    struct lamp_spool_stream streams[LAMP_WIRE_STREAMS_MAX];
    size_t n_streams;
    const int err = __real_lamp_spool_append(s, m, n, out_last);
    if (err || lamp_spool_streams(s, streams, ARRAY_LEN(streams), &n_streams) != LAMP_OK)
        return err;
    for (size_t i = 0; i < n; i++)
        trace_add(control, TRACE_SPOOLED, &streams[n_streams - 1].id, *out_last - n + 1 + i,
                  m[i]->n_bytes);
    return LAMP_OK;
}

int __wrap_lamp_spool_ack(lamp_spool *s, const struct lamp_stream_id *stream, uint64_t next_seq,
                          uint64_t now_us)
{
    const int err = __real_lamp_spool_ack(s, stream, next_seq, now_us);
    if (!err)
        trace_add(control, TRACE_ACKED, stream, next_seq, 0);
    return err;
}

int __wrap_lamp_spool_rewind(lamp_spool *s, const struct lamp_stream_id *stream, uint64_t next_seq)
{
    const int err = __real_lamp_spool_rewind(s, stream, next_seq);
    if (!err)
        trace_add(control, TRACE_REWOUND, stream, next_seq, 0);
    return err;
}

uint64_t __wrap_lamp_clock_real_us(void)
{
    if (is_link)
        atomic_store(&control->clock_us, lamp_clock_mono_us());
    return __real_lamp_clock_real_us() + (uint64_t)atomic_load(&control->step_us);
}

/* libzmq's pauses are of real time: those between connections are made as short as ours. */
int __wrap_zmq_setsockopt(void *socket, int option, const void *value, size_t len)
{
    double rate;
    const char *clock = getenv("LAMP_CLOCK");
    int ms;
    if ((option != ZMQ_RECONNECT_IVL && option != ZMQ_RECONNECT_IVL_MAX) || !clock ||
        lamp_text_double(clock, 1, 1000, &rate) != LAMP_OK || len != sizeof(ms))
        return __real_zmq_setsockopt(socket, option, value, len);
    memcpy(&ms, value, sizeof(ms));
    ms = 1 + (int)(ms / rate);
    return __real_zmq_setsockopt(socket, option, &ms, sizeof(ms));
}

/* ---- in the place of capture ---- */

/* Batch `number`: one connection with one share, and rows that name the number. */
static int pack(const uint8_t run[16], uint64_t number, uint64_t from_us, uint64_t to_us,
                size_t n_rows, uint8_t **out, size_t *out_len)
{
    struct lamp_rollup_row rows[FAULT_ROWS_MAX];
    char names[FAULT_ROWS_MAX][48];
    for (size_t i = 0; i < n_rows; i++) {
        snprintf(names[i], sizeof(names[i]), "%llu.%zu.batch.example", (unsigned long long)number,
                 i);
        rows[i] = (struct lamp_rollup_row){ .minute = to_us / 60000000,
                                            .inside_addr = { { 10, 0, 0, 7 } },
                                            .remote_addr = fault_address(number, (uint16_t)i),
                                            .ip_proto = 6,
                                            .service_port = 443,
                                            .application = lamp_bytes_of("tls"),
                                            .remote_name = lamp_bytes_of(names[i]),
                                            .bytes_out = number,
                                            .packets_out = 1,
                                            .flows = 1 };
    }
    struct lamp_conn_row conn = { .conn_id = 1,
                                  .client_addr = fault_address(0, 1),
                                  .server_addr = fault_address(0, 2),
                                  .client_port = 40000,
                                  .server_port = 3333,
                                  .ip_proto = 6,
                                  .first_us = from_us,
                                  .last_us = to_us,
                                  .bytes_up = number,
                                  .packets_up = 1,
                                  .submitted = 1,
                                  .accepted = 1,
                                  .work_hashes = 1000,
                                  .work_shares = 1,
                                  .verdict = LAMP_VERDICT_CONFIRMED,
                                  .confidence = 9900,
                                  .family = lamp_bytes_of("cryptonote"),
                                  .coin = lamp_bytes_of("XMR") };
    struct lamp_batch b = { .t_from_us = from_us,
                            .t_to_us = to_us,
                            .conns = &conn,
                            .n_conns = 1,
                            .rollups = rows,
                            .n_rollups = n_rows };
    memcpy(b.cap_run, run, sizeof(b.cap_run));
    LAMP_AUTO_FREE uint8_t *batch = NULL;
    size_t len;
    const int err = lamp_batch_pack(&b, &batch, &len);
    if (err)
        return err;
    const struct lamp_msg m = { .type = LAMP_MSG_SUMMARY,
                                .u.summary = { .t_from_us = from_us,
                                               .t_to_us = to_us,
                                               .n_rows = n_rows + 1,
                                               .n_bytes = number,
                                               .batch = { batch, len } } };
    return lamp_msg_pack(&m, out, out_len);
}

static void send_all(int fd, const uint8_t *data, size_t len)
{
    int err;
    while ((err = lamp_channel_send(fd, data, len)) == LAMP_EAGAIN)
        (void)poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, -1);
    if (err)
        _exit(0); /* link is gone */
}

static void make_batches(int link_fd, int enforce_fd, size_t n_rows)
{
    uint8_t run[16], *scratch = malloc(LAMP_CHANNEL_MAX);
    randombytes_buf(run, sizeof(run));
    uint64_t last_us = lamp_clock_real_us();
    if (!scratch)
        _exit(1);
    for (;;) {
        const uint64_t pause_us = atomic_load(&control->pause_us);
        const bool make = pause_us && atomic_load(&control->left) > 0;
        struct pollfd p[] = { { .fd = enforce_fd, .events = POLLIN }, { .fd = link_fd } };
        (void)poll(p, ARRAY_LEN(p), make ? (int)(pause_us / 1000) : 5);
        if (p[1].revents)
            _exit(0);
        size_t len;
        while (lamp_channel_recv(enforce_fd, scratch, &len) == LAMP_OK)
            continue; /* no enforce process here: block lists are another test */
        if (!make)
            continue;
        const uint64_t now_us = lamp_clock_real_us();
        uint8_t *data = NULL;
        const uint64_t number = atomic_fetch_add(&control->next_number, 1);
        if (pack(run, number, lamp_min(last_us, now_us), now_us, n_rows, &data, &len) != LAMP_OK)
            _exit(1);
        send_all(link_fd, data, len);
        free(data);
        last_us = now_us;
        atomic_fetch_sub(&control->left, 1);
    }
}

/* ---- the process ---- */

static int usage(void)
{
    fputs("usage: fault_sensor STATE_DIR ENDPOINT SERVER_KEY QUOTA_BYTES ROWS\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    int capture[2], enforce[2];
    int64_t quota, rows;
    char key_path[PATH_MAX];
    const char *path = getenv(FAULT_CONTROL);
    if (argc != 6 || !path || strlen(argv[3]) != 40 ||
        lamp_text_int(argv[4], 1, INT64_MAX, &quota) != LAMP_OK ||
        lamp_text_int(argv[5], 1, FAULT_ROWS_MAX, &rows) != LAMP_OK)
        return usage();
    control = control_map(path);
    if (!control || sodium_init() < 0 || lamp_channel_pair(capture) || lamp_channel_pair(enforce))
        return 1;
    uint64_t none = 0;
    atomic_compare_exchange_strong(&control->next_number, &none, 1);
    disk_full_flag(&control->disk_full);
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid < 0)
        return 1;
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(0);
        close(capture[1]);
        close(enforce[0]);
        make_batches(capture[0], enforce[1], (size_t)rows);
    }
    close(capture[0]);
    close(enforce[1]);
    lamp_child_begin("fault-sensor");
    is_link = true;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    lamp_log_setup(LAMP_LOG_INFO, false);
    snprintf(key_path, sizeof(key_path), "%s/key", argv[1]);
    struct lamp_sensor_conf conf = { .state_dir = argv[1],
                                     .user = (char[]){ "" },
                                     .key_path = key_path,
                                     .link = { .endpoint = argv[2],
                                               .enroll = (char[]){ "off" },
                                               .spool_quota_bytes = quota,
                                               .refresh_s = 60 } };
    memcpy(conf.server_key_z85, argv[3], sizeof(conf.server_key_z85));
    const int ready_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    return lamp_link_run(&conf, capture[1], enforce[0], NULL, ready_fd);
}
