/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/poolsim/net.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t to_sockaddr(const struct lamp_addr *addr, uint16_t port, union address *out)
{
    memset(out, 0, sizeof(*out));
    if (lamp_addr_is_v4(addr)) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(port);
        memcpy(&out->v4.sin_addr, addr->b + 12, 4);
        return sizeof(out->v4);
    }
    out->v6.sin6_family = AF_INET6;
    out->v6.sin6_port = htons(port);
    memcpy(&out->v6.sin6_addr, addr->b, 16);
    return sizeof(out->v6);
}

static int new_socket(const union address *a, int *out_fd)
{
    const int one = 1;
    const int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0) {
        const int err = -errno;
        close(fd);
        return err;
    }
    *out_fd = fd;
    return LAMP_OK;
}

int sim_listen(const struct sim_endpoint *at, int *out_fd)
{
    union address a;
    const socklen_t len = to_sockaddr(&at->addr, at->port, &a);
    int fd;
    int err = new_socket(&a, &fd);
    if (err)
        return err;
    if (bind(fd, &a.any, len) < 0 || listen(fd, 128) < 0) {
        err = -errno;
        close(fd);
        return err;
    }
    *out_fd = fd;
    return LAMP_OK;
}

int sim_connect(const struct sim_endpoint *to, const struct lamp_addr *source, int *out_fd)
{
    union address a, from;
    const socklen_t len = to_sockaddr(&to->addr, to->port, &a);
    int fd;
    int err = new_socket(&a, &fd);
    if (err)
        return err;
    if (source) {
        const socklen_t from_len = to_sockaddr(source, 0, &from);
        if (bind(fd, &from.any, from_len) < 0)
            goto fail;
    }
    if (connect(fd, &a.any, len) < 0 && errno != EINPROGRESS)
        goto fail;
    *out_fd = fd;
    return LAMP_OK;
fail:
    err = -errno;
    close(fd);
    return err;
}

int sim_connected(int fd)
{
    int err = 0;
    socklen_t len = sizeof(err);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
        return -errno;
    return -err;
}

void sim_give_up_after(int fd, unsigned ms)
{
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

void sim_abort(int fd)
{
    const struct linger now = { .l_onoff = 1, .l_linger = 0 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(fd);
}

int sim_signals(int *out_fd)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    const int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    *out_fd = fd;
    return LAMP_OK;
}

bool sim_lines_next(struct sim_lines *l, const char **out_line, size_t *out_len)
{
    const char *start = l->buf + l->used;
    const char *end = memchr(start, '\n', l->len - l->used);
    if (!end)
        return false;
    *out_line = start;
    *out_len = (size_t)(end - start);
    l->used += *out_len + 1;
    return true;
}

int sim_poll_ms(uint64_t now_us, uint64_t until_us)
{
    if (until_us <= now_us)
        return 0;
    const uint64_t ms = (until_us - now_us) / 1000 + 1;
    return ms > 1000 ? 1000 : (int)ms;
}
