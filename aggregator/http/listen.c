/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/http/listen.h"

#include "common/addr.h"
#include "common/text.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

enum { BACKLOG = 128 };

/* As lamp_endpoint_parse(), but port 0 (any free one) is fine. */
static int parse_listen(const char *text, struct lamp_addr *out_addr, uint16_t *out_port)
{
    char host[LAMP_ADDR_STRLEN];
    int64_t port;
    const char *colon = strrchr(text, ':');
    if (!colon || lamp_text_int(colon + 1, 0, UINT16_MAX, &port) != LAMP_OK)
        return LAMP_EFORMAT;
    const bool brackets = text[0] == '[' && colon[-1] == ']';
    const size_t len = (size_t)(colon - text) - (brackets ? 2 : 0);
    if (len >= sizeof(host))
        return LAMP_EFORMAT;
    memcpy(host, text + (brackets ? 1 : 0), len);
    host[len] = '\0';
    *out_port = (uint16_t)port;
    return lamp_addr_parse(host, out_addr);
}

int lamp_http_listen(const char *listen_at, bool plain_ok, int *out_fd, uint16_t *out_port,
                     char *why, size_t size)
{
    static const uint8_t v6_loopback[16] = { [15] = 1 };
    struct lamp_addr a;
    uint16_t port;
    if (parse_listen(listen_at, &a, &port) != LAMP_OK) {
        snprintf(why, size, "'%.64s' is not an address and port such as 127.0.0.1:8080", listen_at);
        return LAMP_EINVAL;
    }
    const bool v4 = lamp_addr_is_v4(&a);
    const bool loopback = v4 ? a.b[12] == 127 : memcmp(a.b, v6_loopback, 16) == 0;
    if (!loopback && !plain_ok) {
        snprintf(why, size,
                 "%.64s would carry passwords in clear text: give http.certificate and http.key, "
                 "or listen on loopback behind a TLS proxy",
                 listen_at);
        return LAMP_EINVAL;
    }
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } sa = { 0 };
    socklen_t len = v4 ? sizeof(sa.in) : sizeof(sa.in6);
    if (v4) {
        sa.in.sin_family = AF_INET;
        sa.in.sin_port = htons(port);
        memcpy(&sa.in.sin_addr, a.b + 12, 4);
    } else {
        sa.in6.sin6_family = AF_INET6;
        sa.in6.sin6_port = htons(port);
        memcpy(&sa.in6.sin6_addr, a.b, 16);
    }
    const int on = 1;
    const int fd = socket(sa.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, &sa.any, len) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, &sa.any, &len) != 0) {
        snprintf(why, size, "cannot listen on %.64s: %s", listen_at, lamp_strerror(-errno));
        if (fd >= 0)
            close(fd);
        return LAMP_EIO;
    }
    *out_fd = fd;
    *out_port = ntohs(v4 ? sa.in.sin_port : sa.in6.sin6_port);
    return LAMP_OK;
}
