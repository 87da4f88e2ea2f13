/* SPDX-License-Identifier: Apache-2.0 */
/* `poolsim noise`: an HTTP download at a steady rate. The server paces it, the client checks
 * every byte and measures the longest silence. */
#include "common/clock.h"
#include "common/json.h"
#include "tests/support/poolsim/commands.h"
#include "tests/support/poolsim/net.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

enum { TICK_US = 10000, READERS_MAX = 64, BLOCK = 65536, WAIT_MS = 15000, HEAD_MAX = 1024 };

/* Every byte follows from its place, so that a gap or a doubled piece is seen. */
static uint8_t byte_at(uint64_t offset)
{
    return (uint8_t)(offset * 167 + (offset >> 8) * 31);
}

struct reader {
    int fd;
    char request[HEAD_MAX];
    size_t request_len, head_len, head_sent;
    char head[256];
    bool asked;
    uint64_t total, sent, since_us;
};

struct noise {
    struct sim_endpoint serve, get;
    const char *bind;
    double rate;
    uint64_t bytes;
    int listen_fd, signal_fd;
    struct reader *readers[READERS_MAX];
    size_t n_readers;
};

static int take_request(const struct noise *n, struct reader *r, uint64_t now_us)
{
    const ssize_t got =
        read(r->fd, r->request + r->request_len, sizeof(r->request) - 1 - r->request_len);
    if (got == 0)
        return LAMP_ECLOSED;
    if (got < 0)
        return errno == EAGAIN ? LAMP_OK : -errno;
    r->request_len += (size_t)got;
    r->request[r->request_len] = '\0';
    if (!strstr(r->request, "\r\n\r\n"))
        return r->request_len + 1 < sizeof(r->request) ? LAMP_OK : LAMP_EFULL;
    r->total = n->bytes;
    r->head_len = (size_t)snprintf(r->head, sizeof(r->head),
                                   "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                                   "Content-Length: %llu\r\nConnection: close\r\n\r\n",
                                   (unsigned long long)r->total);
    r->since_us = now_us;
    r->asked = true;
    return LAMP_OK;
}

/* Sends what is due by now. LAMP_ECLOSED: all is sent. */
static int pace(const struct noise *n, struct reader *r, uint64_t now_us)
{
    static uint8_t block[BLOCK];
    const uint64_t due = (uint64_t)(n->rate * (double)(now_us - r->since_us) / 1e6);
    if (r->head_sent < r->head_len) {
        const ssize_t sent = write(r->fd, r->head + r->head_sent, r->head_len - r->head_sent);
        if (sent < 0)
            return errno == EAGAIN ? LAMP_OK : -errno;
        r->head_sent += (size_t)sent;
    }
    while (r->sent < r->total && r->sent < due) {
        const uint64_t left = (due < r->total ? due : r->total) - r->sent;
        const size_t len = left < BLOCK ? (size_t)left : BLOCK;
        for (size_t i = 0; i < len; i++)
            block[i] = byte_at(r->sent + i);
        const ssize_t sent = write(r->fd, block, len);
        if (sent < 0)
            return errno == EAGAIN ? LAMP_OK : -errno;
        r->sent += (uint64_t)sent;
    }
    return r->sent == r->total ? LAMP_ECLOSED : LAMP_OK;
}

static void admit(struct noise *n)
{
    const int fd = accept4(n->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct reader *r = fd >= 0 && n->n_readers < READERS_MAX ? calloc(1, sizeof(*r)) : NULL;
    if (!r) {
        if (fd >= 0)
            close(fd);
        return;
    }
    r->fd = fd;
    n->readers[n->n_readers++] = r;
}

static int serve(struct noise *n)
{
    for (;;) {
        struct pollfd p[2 + READERS_MAX] = { { .fd = n->signal_fd, .events = POLLIN },
                                             { .fd = n->listen_fd, .events = POLLIN } };
        const size_t count = n->n_readers;
        for (size_t i = 0; i < count; i++)
            p[2 + i] = (struct pollfd){ .fd = n->readers[i]->asked ? -1 : n->readers[i]->fd,
                                        .events = POLLIN };
        if (poll(p, 2 + count, count ? TICK_US / 1000 : 1000) < 0 && errno != EINTR)
            return -errno;
        if (p[0].revents)
            return LAMP_OK;
        const uint64_t now_us = lamp_clock_mono_us();
        for (size_t i = count; i-- > 0;) {
            struct reader *r = n->readers[i];
            const int err = r->asked           ? pace(n, r, now_us)
                            : p[2 + i].revents ? take_request(n, r, now_us)
                                               : LAMP_OK;
            if (err) {
                close(r->fd);
                free(r);
                n->readers[i] = n->readers[--n->n_readers];
            }
        }
        if (p[1].revents)
            admit(n);
    }
}

struct download {
    uint64_t bytes, wrong, stall_us, began_us, ended_us;
    uint64_t expected;
    bool head_done;
    char head[HEAD_MAX];
    size_t head_len;
};

/* Splits off the head; the rest is body, checked byte by byte. */
static void take(struct download *d, const uint8_t *data, size_t len)
{
    size_t at = 0;
    while (!d->head_done && at < len && d->head_len + 1 < sizeof(d->head)) {
        d->head[d->head_len++] = (char)data[at++];
        d->head[d->head_len] = '\0';
        d->head_done = d->head_len >= 4 && streq(d->head + d->head_len - 4, "\r\n\r\n");
    }
    if (d->head_done && d->expected == 0) {
        const char *length = strstr(d->head, "Content-Length: ");
        d->expected = length ? strtoull(length + 16, NULL, 10) : 0;
    }
    for (; at < len; at++)
        d->wrong += data[at] != byte_at(d->bytes++);
}

/* Reads to the end; the longest time between two arrivals counts as the stall. */
static int receive(int fd, struct download *d)
{
    static uint8_t block[BLOCK];
    uint64_t last_us = lamp_clock_mono_us();
    d->began_us = last_us;
    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        const int ready = poll(&p, 1, WAIT_MS);
        if (ready < 0 && errno == EINTR)
            continue;
        const uint64_t now_us = d->ended_us = lamp_clock_mono_us();
        if (now_us - last_us > d->stall_us)
            d->stall_us = now_us - last_us;
        if (ready <= 0)
            return LAMP_ETIMEOUT;
        const ssize_t n = read(fd, block, sizeof(block));
        if (n == 0)
            return LAMP_OK;
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        if (n > 0)
            take(d, block, (size_t)n);
        last_us = now_us;
    }
}

static int get(const struct noise *n, struct download *d)
{
    static const char request[] = "GET /sample.bin HTTP/1.1\r\nHost: downloads.example.org\r\n"
                                  "User-Agent: sample/1.0\r\nConnection: close\r\n\r\n";
    struct lamp_addr source;
    LAMP_AUTO_CLOSE int fd = -1;
    if (n->bind && lamp_addr_parse(n->bind, &source))
        return LAMP_EINVAL;
    int err = sim_connect(&n->get, n->bind ? &source : NULL, &fd);
    if (err)
        return err;
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    if (poll(&p, 1, WAIT_MS) <= 0)
        return LAMP_ETIMEOUT;
    err = sim_connected(fd);
    if (err)
        return err;
    if (write(fd, request, sizeof(request) - 1) != sizeof(request) - 1)
        return LAMP_EIO;
    return receive(fd, d);
}

static int download(const struct noise *n)
{
    struct download d = { 0 };
    const int err = get(n, &d);
    const double seconds = (double)(d.ended_us - d.began_us) / 1e6;
    printf("{\"event\":\"report\",\"bytes\":%llu,\"expected\":%llu,\"wrong\":%llu,"
           "\"longest_stall_ms\":%llu,\"seconds\":%.3f,\"error\":%s%s%s}\n",
           (unsigned long long)d.bytes, (unsigned long long)d.expected, (unsigned long long)d.wrong,
           (unsigned long long)(d.stall_us / 1000), seconds, err ? "\"" : "",
           err ? lamp_strerror(err) : "null", err ? "\"" : "");
    return err || d.wrong || d.bytes != d.expected ? 1 : 0;
}

int sim_cmd_noise(int argc, char **argv)
{
    static struct noise n = { .rate = 200000, .bytes = 2000000 };
    bool help = false;
    char why[SIM_WHY] = "";
    const struct sim_opt opts[] = {
        { "serve", SIM_OPT_ENDPOINT, &n.serve, "be the server" },
        { "get", SIM_OPT_ENDPOINT, &n.get, "be the client" },
        { "bind", SIM_OPT_STR, &n.bind, "client: own address to connect from" },
        { "rate", SIM_OPT_DOUBLE, &n.rate, "server: bytes per second (200000)" },
        { "bytes", SIM_OPT_UINT, &n.bytes, "server: size of the answer (2000000)" },
        { "help", SIM_OPT_FLAG, &help, "this text" },
    };
    const int bad = sim_opt_argv(opts, ARRAY_LEN(opts), argc, argv, 2, NULL, 0, why);
    if (help) {
        puts("poolsim noise --serve ADDRESS:PORT | --get ADDRESS:PORT [OPTION...]");
        sim_opt_help(opts, ARRAY_LEN(opts));
        return 0;
    }
    if (bad || !n.serve.port == !n.get.port) {
        fprintf(stderr, "poolsim noise: %s\n", bad ? why : "give either --serve or --get");
        return 2;
    }
    if (n.get.port)
        return download(&n);
    int err = sim_signals(&n.signal_fd);
    if (!err)
        err = sim_listen(&n.serve, &n.listen_fd);
    if (!err)
        err = serve(&n);
    if (err)
        fprintf(stderr, "poolsim noise: port %u: %s\n", n.serve.port, lamp_strerror(err));
    return err ? 1 : 0;
}
