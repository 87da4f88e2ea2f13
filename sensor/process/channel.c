/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/process/channel.h"

#include <errno.h>
#include <sys/socket.h>

int lamp_channel_pair(int out[2])
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
        return -errno;
    /* socket(7): the kernel doubles the value; a message must fit as a whole. As root past the
     * system's limit; without root the limit is taken, which holds LAMP_CHANNEL_MAX just so. */
    const int want = 2 * 1024 * 1024;
    for (int i = 0; i < 2; i++) {
        if (setsockopt(fds[i], SOL_SOCKET, SO_SNDBUFFORCE, &want, sizeof(want)) < 0)
            (void)setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &want, sizeof(want));
    }
    out[0] = fds[0];
    out[1] = fds[1];
    return LAMP_OK;
}

static int errno_code(void)
{
    switch (errno) {
    case EAGAIN:
    case ENOBUFS:
        return LAMP_EAGAIN;
    case EPIPE:
    case ECONNRESET:
    case ENOTCONN:
        return LAMP_ECLOSED;
    case EMSGSIZE:
        return LAMP_EFULL;
    default:
        return -errno;
    }
}

int lamp_channel_send(int fd, const void *data, size_t len)
{
    if (len > LAMP_CHANNEL_MAX)
        return LAMP_EFULL;
    ssize_t n;
    do
        n = send(fd, data, len, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? errno_code() : LAMP_OK;
}

int lamp_channel_recv(int fd, uint8_t *buf, size_t *out_len)
{
    ssize_t n;
    do
        n = recv(fd, buf, LAMP_CHANNEL_MAX, 0);
    while (n < 0 &&
           (errno == EINTR || errno == ECONNRESET)); /* said once, before what still waits */
    if (n < 0)
        return errno_code();
    if (n == 0)
        return LAMP_ECLOSED;
    *out_len = (size_t)n;
    return LAMP_OK;
}
