/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/capture/recordlane.h"

#include "sensor/engine/decode.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

/* linux/sock_diag.h; of the values that getsockopt(2) gives for SO_MEMINFO. */
enum { MEMINFO_DROPS = 8, MEMINFO_VALUES = 9 };

enum {
    DATAGRAM_MAX = 65536,
    DATAGRAMS_PER_TURN = 256, /* of one socket, so that none starves the others */
    BYTES_PER_TURN = 1 << 18, /* of all sockets, an equal part each: frames wait meanwhile */
    SOCKET_BYTES = 4 << 20,   /* datagrams that wait in the kernel */
    TALKS = 16384,
    ROLLUP_BYTES = 4 << 20,
    OF_TEXT = 72,
};
#define IDLE_US                                                                                    \
    (UINT64_C(35) * 60 * 1000000) /* routers tell of a long flow every 30 minutes, or more often */
#define FIRST_ID (UINT64_C(1) << 63) /* lanes of frames count from 1 */
#define MINUTE_US UINT64_C(60000000)

static_assert((int)LAMP_NETFLOW_COUNTS <= (int)LAMP_WIRE_RECORDS_MAX, "every count has a place");

struct lamp_record_lane {
    int fds[LAMP_RECORD_LISTEN_MAX];
    size_t n_fds;
    const struct lamp_prefix *exporters;
    size_t n_exporters;
    lamp_netflow *netflow;
    lamp_ledger *ledger;
    lamp_summarise *summarise;
    uint64_t minute, strangers;
    uint64_t now_us; /* of the turn */
    uint8_t datagram[DATAGRAM_MAX];
};

static void on_conn(const struct lamp_conn *conn, void *arg)
{
    lamp_summarise_conn(((lamp_record_lane *)arg)->summarise, conn);
}

static void on_rollup(const struct lamp_rollup_sum *row, void *arg)
{
    lamp_summarise_rollup(((lamp_record_lane *)arg)->summarise, row);
}

static void on_record(const struct lamp_netflow_sender *from, const struct lamp_record *r,
                      void *arg)
{
    lamp_record_lane *l = arg;
    char ip[LAMP_ADDR_STRLEN], of[OF_TEXT];
    lamp_addr_str(&from->exporter, ip);
    if (from->version == 10)
        snprintf(of, sizeof(of), "IPFIX of %s", ip);
    else
        snprintf(of, sizeof(of), "NetFlow %u of %s", from->version, ip);
    lamp_ledger_record(l->ledger, r, l->now_us, of);
}

/* ---- sockets ---- */

static socklen_t socket_address(const struct lamp_addr *addr, uint16_t port,
                                struct sockaddr_storage *out)
{
    *out = (struct sockaddr_storage){ 0 };
    if (lamp_addr_is_v4(addr)) {
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
        memcpy(&in.sin_addr, addr->b + 12, 4);
        memcpy(out, &in, sizeof(in));
        return sizeof(in);
    }
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    memcpy(&in6.sin6_addr, addr->b, sizeof(addr->b));
    memcpy(out, &in6, sizeof(in6));
    return sizeof(in6);
}

static struct lamp_addr sender_of(const struct sockaddr_storage *from)
{
    struct lamp_addr a = { { 0 } };
    if (from->ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, from, sizeof(in));
        return lamp_addr_from_v4((const uint8_t *)&in.sin_addr);
    }
    struct sockaddr_in6 in6;
    memcpy(&in6, from, sizeof(in6));
    memcpy(a.b, &in6.sin6_addr, sizeof(a.b));
    return a;
}

static int listen_at(lamp_record_lane *l, const char *text, char why[LAMP_RECORD_LANE_WHY])
{
    struct lamp_addr addr;
    struct sockaddr_storage sa;
    uint16_t port;
    int bytes = SOCKET_BYTES;
    if (l->n_fds == LAMP_RECORD_LISTEN_MAX || lamp_endpoint_parse(text, &addr, &port) != LAMP_OK) {
        snprintf(why, LAMP_RECORD_LANE_WHY, "%.100s: %s", text,
                 l->n_fds == LAMP_RECORD_LISTEN_MAX ? "more than there is room for"
                                                    : "expected ADDRESS:PORT");
        return LAMP_EINVAL;
    }
    const socklen_t len = socket_address(&addr, port, &sa);
    const int fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&sa, len) == 0) {
        if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
            (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes,
                             sizeof(bytes)); /* what is allowed */
        l->fds[l->n_fds++] = fd;
        return LAMP_OK;
    }
    const int err = -errno;
    snprintf(why, LAMP_RECORD_LANE_WHY, "cannot listen at %.100s: %s", text, lamp_strerror(err));
    if (fd >= 0)
        close(fd);
    return err;
}

int lamp_record_lane_new(const struct lamp_record_lane_cfg *cfg, lamp_record_lane **out,
                         char why[LAMP_RECORD_LANE_WHY])
{
    snprintf(why, LAMP_RECORD_LANE_WHY, "out of memory");
    lamp_record_lane *l = calloc(1, sizeof(*l));
    if (!l)
        return LAMP_ENOMEM;
    struct lamp_rollup_cfg rollup = cfg->rollup;
    rollup.memory_bytes = ROLLUP_BYTES;
    const struct lamp_ledger_cfg ledger = { .catalogue = cfg->catalogue,
                                            .max_talks = TALKS,
                                            .idle_us = IDLE_US,
                                            .rollup = &rollup,
                                            .first_id = FIRST_ID };
    l->exporters = cfg->exporters;
    l->n_exporters = cfg->n_exporters;
    int err = lamp_netflow_new(on_record, l, &l->netflow);
    if (!err)
        err = lamp_ledger_new(&ledger, on_conn, l, &l->ledger);
    if (!err)
        err = lamp_summarise_new(&cfg->summaries, cfg->now_us, cfg->mono_us, &l->summarise);
    for (size_t i = 0; !err && i < cfg->n_listen; i++)
        err = listen_at(l, cfg->listen[i], why);
    if (err) {
        lamp_record_lane_free(l);
        return err;
    }
    *out = l;
    return LAMP_OK;
}

lamp_record_lane *lamp_record_lane_free(lamp_record_lane *l)
{
    if (!l)
        return NULL;
    for (size_t i = 0; i < l->n_fds; i++)
        close(l->fds[i]);
    lamp_netflow_free(l->netflow);
    lamp_ledger_free(l->ledger);
    lamp_summarise_free(l->summarise);
    free(l);
    return NULL;
}

size_t lamp_record_lane_poll(const lamp_record_lane *l, struct pollfd out[LAMP_RECORD_LISTEN_MAX])
{
    for (size_t i = 0; l && i < l->n_fds; i++)
        out[i] = (struct pollfd){ .fd = l->fds[i], .events = POLLIN };
    return l ? l->n_fds : 0;
}

/* ---- reading ---- */

static bool may_send(const lamp_record_lane *l, const struct lamp_addr *a)
{
    for (size_t i = 0; i < l->n_exporters; i++)
        if (lamp_prefix_has(&l->exporters[i], a))
            return true;
    return false;
}

/* Takes one datagram and adds its size to *io_bytes; false: there is none. */
static bool take(lamp_record_lane *l, int fd, size_t *io_bytes)
{
    struct sockaddr_storage sa = { 0 };
    socklen_t len = sizeof(sa);
    const ssize_t n =
        recvfrom(fd, l->datagram, sizeof(l->datagram), MSG_DONTWAIT, (struct sockaddr *)&sa, &len);
    if (n < 0)
        return errno == EINTR || errno == ECONNREFUSED; /* an ICMP message: nothing of ours */
    *io_bytes += (size_t)n;
    const struct lamp_addr from = sender_of(&sa);
    if (may_send(l, &from))
        lamp_netflow_datagram(l->netflow, &from, (struct lamp_bytes){ l->datagram, (size_t)n },
                              l->now_us);
    else
        l->strangers++;
    return true;
}

bool lamp_record_lane_read(lamp_record_lane *l, uint64_t now_us)
{
    bool more = false;
    if (!l)
        return false;
    l->now_us = now_us;
    for (size_t i = 0; i < l->n_fds; i++) {
        size_t bytes = 0;
        unsigned n = 0;
        bool has_more = true;
        while (has_more && n++ < DATAGRAMS_PER_TURN && bytes < BYTES_PER_TURN / l->n_fds)
            has_more = take(l, l->fds[i], &bytes);
        more |= has_more;
    }
    return more;
}

void lamp_record_lane_watch(lamp_record_lane *l, const lamp_watch *watch)
{
    if (l)
        lamp_ledger_watch(l->ledger, watch);
}

void lamp_record_lane_adjust(lamp_record_lane *l, size_t traffic_rows)
{
    if (l)
        lamp_ledger_limit(l->ledger, traffic_rows);
}

lamp_summarise *lamp_record_lane_collect(lamp_record_lane *l, uint64_t now_us)
{
    if (!l)
        return NULL;
    lamp_ledger_expire(l->ledger, now_us);
    lamp_ledger_conns(l->ledger, on_conn, l);
    if (now_us / MINUTE_US != l->minute)
        lamp_ledger_rollups(l->ledger, on_rollup, l);
    l->minute = now_us / MINUTE_US;
    return l->summarise;
}

void lamp_record_lane_finish(lamp_record_lane *l)
{
    if (!l)
        return;
    lamp_ledger_finish(l->ledger);
    l->minute = 0; /* of 1970: the rollups are due */
}

/* ---- counters ---- */

/* Datagrams that found no room in the kernel. */
static uint64_t dropped(int fd)
{
    uint32_t v[MEMINFO_VALUES] = { 0 };
    socklen_t len = sizeof(v);
    return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, v, &len) == 0 ? v[MEMINFO_DROPS] : 0;
}

void lamp_record_lane_count(lamp_record_lane *l, struct lamp_sensor_counters *io)
{
    if (!l)
        return;
    const struct lamp_ledger_counters n = lamp_ledger_counters(l->ledger);
    io->packets += n.packets;
    io->bytes += n.bytes;
    io->decode[LAMP_DECODE_RECORD] += n.packets;
    io->decode_bytes[LAMP_DECODE_RECORD] += n.bytes;
    if (n.packets > 0 && io->n_decode <= LAMP_DECODE_RECORD)
        io->n_decode = io->n_decode_bytes = LAMP_DECODE_RECORD + 1;
    io->conns_live += n.conns_live;
    io->rollup_other += n.rollup.other_flows;
    io->names_dropped += n.rollup.names_refused + n.rollup.names_evicted;
    for (size_t i = 0; i < l->n_fds; i++)
        io->kernel_drops += dropped(l->fds[i]);
    memcpy(io->records, lamp_netflow_counts(l->netflow), LAMP_NETFLOW_COUNTS * sizeof(uint64_t));
    io->records[LAMP_NETFLOW_STRANGERS] = l->strangers;
    io->records[LAMP_NETFLOW_IMPLAUSIBLE] += n.refused;
    io->n_records = LAMP_NETFLOW_COUNTS;
}

void lamp_record_lane_exporters(const lamp_record_lane *l, lamp_netflow_sender_fn *fn, void *arg)
{
    if (l)
        lamp_netflow_senders(l->netflow, fn, arg);
}
