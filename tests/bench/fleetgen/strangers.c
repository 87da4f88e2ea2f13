/* SPDX-License-Identifier: Apache-2.0 */
#include "common/clock.h"
#include "common/text.h"
#include "sensor/link/uplink.h"
#include "tests/bench/fleetgen/fleet.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/socket.h>
#include <zmq.h>

enum { AGAIN_US = 1000 * 1000, TURN_MS = 100 };

enum manners { SILENT, GREETS, STOPS_SHORT, WRONG_KEY };

struct stranger {
    enum manners manners;
    int fd;
    bool said;
    uint64_t again_us;
    lamp_uplink *uplink; /* of one with a wrong key */
};

/* The greeting of ZMTP 3 (ZeroMQ RFC 37) with the mechanism CURVE, and the beginning of its first
 * command. */
static const uint8_t greeting[64 + 10] = { 0xff, 0,   0,   0,   0,   0,   0,   0,   0,        1,
                                           0x7f, 3,   0,   'C', 'U', 'R', 'V', 'E', [64] = 4, 200,
                                           5,    'H', 'E', 'L', 'L', 'O', 1,   0 };

static bool address_of(const char *endpoint, struct sockaddr_in *out)
{
    struct lamp_addr addr;
    int64_t port;
    char host[64];
    const char *colon = strrchr(endpoint, ':');
    if (strncmp(endpoint, "tcp://", 6) != 0 || colon <= endpoint + 6 ||
        (size_t)(colon - endpoint - 6) >= sizeof(host))
        return false;
    snprintf(host, sizeof(host), "%.*s", (int)(colon - endpoint - 6), endpoint + 6);
    if (lamp_addr_parse(host, &addr) != LAMP_OK || !lamp_addr_is_v4(&addr) ||
        lamp_text_int(colon + 1, 1, 65535, &port) != LAMP_OK)
        return false;
    *out = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    memcpy(&out->sin_addr, addr.b + 12, 4);
    return true;
}

static void knock(struct stranger *s, const struct sockaddr_in *at, struct fleet_counts *counts)
{
    s->said = false;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0 ||
        (connect(s->fd, (const struct sockaddr *)at, sizeof(*at)) < 0 && errno != EINPROGRESS))
        return;
    atomic_fetch_add(&counts->sessions, 1);
}

static void go(struct stranger *s, uint64_t now_us)
{
    close(s->fd);
    s->fd = -1;
    s->again_us = now_us + AGAIN_US;
}

static void talk(struct stranger *s, short events, uint64_t now_us)
{
    uint8_t heard[256];
    const size_t len = s->manners == GREETS ? 64 : sizeof(greeting);
    if ((events & POLLOUT) && !s->said)
        s->said = s->manners == SILENT || send(s->fd, greeting, len, MSG_NOSIGNAL) == (ssize_t)len;
    if (events & POLLIN) {
        const ssize_t got = recv(s->fd, heard, sizeof(heard), 0);
        if (got > 0 || (got < 0 && errno == EAGAIN))
            return;
    }
    if (events & (POLLIN | POLLERR | POLLHUP))
        go(s, now_us);
}

static void show_key(struct stranger *s, uint64_t now_us, struct fleet_counts *counts)
{
    enum lamp_uplink_event event;
    if (!lamp_uplink_is_open(s->uplink) && now_us >= s->again_us &&
        lamp_uplink_open(s->uplink) == LAMP_OK)
        atomic_fetch_add(&counts->sessions, 1);
    while (lamp_uplink_is_open(s->uplink) && lamp_uplink_next_event(s->uplink, &event)) {
        if (event == LAMP_UPLINK_CONNECTED)
            continue;
        atomic_fetch_add(&counts->refused, event == LAMP_UPLINK_REFUSED);
        lamp_uplink_close(s->uplink);
        s->again_us = now_us + AGAIN_US;
    }
}

static int make(const struct fleet_cfg *cfg, void *context, size_t i, struct stranger *s)
{
    struct lamp_key key;
    *s = (struct stranger){ .manners = i % 10 == 0   ? WRONG_KEY
                                       : i % 10 == 1 ? STOPS_SHORT
                                       : i % 10 < 4  ? GREETS
                                                     : SILENT,
                            .fd = -1 };
    if (s->manners != WRONG_KEY)
        return LAMP_OK;
    const int err = fleet_key("a stranger", i, &key);
    return err ? err : lamp_uplink_new(&key, cfg->endpoint, cfg->server_key, context, &s->uplink);
}

int fleet_strangers(const struct fleet_cfg *cfg, struct fleet_counts *counts)
{
    struct sockaddr_in at;
    const size_t n = cfg->sensors;
    static struct stranger *v; /* for as long as the process lives */
    static struct pollfd *p;
    void *context = zmq_ctx_new();
    v = calloc(n + 1, sizeof(*v));
    p = calloc(n + 1, sizeof(*p));
    if (!v || !p || !context || zmq_ctx_set(context, ZMQ_MAX_SOCKETS, 65535) != 0)
        return 1;
    if (!address_of(cfg->endpoint, &at)) {
        fputs("fleetgen: strangers need tcp://ADDRESS:PORT\n", stderr);
        return 2;
    }
    for (size_t i = 0; i < n; i++)
        if (make(cfg, context, i, &v[i]) != LAMP_OK)
            return 1;
    while (!atomic_load(&counts->stop)) {
        const uint64_t now_us = lamp_clock_mono_us();
        uint64_t open = 0;
        for (size_t i = 0; i < n; i++) {
            struct stranger *s = &v[i];
            if (s->manners == WRONG_KEY)
                show_key(s, now_us, counts);
            else if (s->fd < 0 && now_us >= s->again_us)
                knock(s, &at, counts);
            p[i] = (struct pollfd){ .fd = s->fd, .events = s->said ? POLLIN : POLLIN | POLLOUT };
            open += s->fd >= 0 || (s->uplink && lamp_uplink_is_open(s->uplink));
        }
        atomic_store(&counts->up, open);
        (void)poll(p, n, TURN_MS);
        for (size_t i = 0; i < n; i++)
            if (v[i].fd >= 0 && p[i].fd == v[i].fd && p[i].revents)
                talk(&v[i], p[i].revents, now_us);
    }
    return 0;
}
