/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/notify/syslog.h"

#include "common/addr.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

enum {
    WHY = 256,
    END_MS = 2000, /* for the other side's end; some servers keep their half open */
    ICMP_MS = 10,  /* for the word that no one listens to datagrams */
    TRIES_MAX = 8, /* addresses of one name */
    STOP_MS = 200, /* the longest wait without a look at stop */
    FOREVER_MS = 3600 * 1000,
};

struct lamp_syslog {
    enum lamp_transport transport;
    int fd;
    uint64_t deadline_us;    /* by real_us() */
    const atomic_bool *stop; /* may be NULL */
    gnutls_certificate_credentials_t credentials;
    gnutls_session_t tls;
};

static int fail(char *why, const char *what, const char *detail)
{
    snprintf(why, WHY, "%s: %.200s", what, detail);
    return LAMP_EIO;
}

/* Networks know nothing of clocks that run faster in tests. */
static uint64_t real_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Waits for events until the deadline, or at most_ms. Above 0: there are some, or an error. */
static int wait_for(const lamp_syslog *s, short events, int most_ms)
{
    const uint64_t start_us = real_us(), most_us = (uint64_t)most_ms * 1000;
    if (start_us >= s->deadline_us || (s->stop && atomic_load(s->stop)))
        return 0;
    const uint64_t until_us = lamp_min(s->deadline_us, start_us + most_us);
    struct pollfd fd = { .fd = s->fd, .events = events };
    for (;;) {
        const uint64_t now_us = real_us();
        const int left_ms = now_us < until_us ? (int)((until_us - now_us) / 1000 + 1) : 0;
        const int n = poll(&fd, 1, left_ms < STOP_MS ? left_ms : STOP_MS);
        if (n > 0 || (n < 0 && errno != EINTR) || left_ms == 0 || (s->stop && atomic_load(s->stop)))
            return n;
    }
}

static int socket_error(int fd)
{
    int err = 0;
    socklen_t len = sizeof(err);
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 ? errno : err;
}

/* ---- connecting ---- */

static int connect_one(lamp_syslog *s, const struct addrinfo *a, char *why)
{
    s->fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
    if (s->fd < 0)
        return fail(why, "socket", lamp_strerror(-errno));
    int err = connect(s->fd, a->ai_addr, a->ai_addrlen) < 0 ? errno : 0;
    if (err == EINPROGRESS)
        err = wait_for(s, POLLOUT, FOREVER_MS) > 0 ? socket_error(s->fd) : ETIMEDOUT;
    if (!err)
        return LAMP_OK;
    close(s->fd);
    s->fd = -1;
    return fail(why, "connect", lamp_strerror(-err));
}

static int connect_any(lamp_syslog *s, const struct lamp_receiver *r, char *why)
{
    const struct addrinfo hints = {
        .ai_socktype = r->transport == LAMP_TRANSPORT_UDP ? SOCK_DGRAM : SOCK_STREAM,
        .ai_flags = AI_NUMERICSERV,
    };
    struct addrinfo *all = NULL;
    const int rc = getaddrinfo(r->host, r->port, &hints, &all);
    if (rc != 0)
        return fail(why, r->host, gai_strerror(rc));
    int err = LAMP_EIO, n = 0;
    for (const struct addrinfo *a = all; a && err && n < TRIES_MAX; a = a->ai_next, n++)
        err = connect_one(s, a, why);
    freeaddrinfo(all);
    return err;
}

/* ---- TLS ---- */

/* Runs a step again while it only waits; false at the deadline or an error of the session. */
#define LAMP_TLS_RETRY(s, rc, step)                                                                \
    do {                                                                                           \
        (rc) = (step);                                                                             \
        if (((rc) == GNUTLS_E_AGAIN || (rc) == GNUTLS_E_INTERRUPTED) &&                            \
            wait_for((s), gnutls_record_get_direction((s)->tls) ? POLLOUT : POLLIN, FOREVER_MS) <= \
                0) {                                                                               \
            (rc) = GNUTLS_E_TIMEDOUT;                                                              \
            break;                                                                                 \
        }                                                                                          \
    } while ((rc) == GNUTLS_E_AGAIN || (rc) == GNUTLS_E_INTERRUPTED)

static int set_up_tls(lamp_syslog *s, const struct lamp_receiver *r)
{
    struct lamp_addr addr;
    int rc = gnutls_certificate_allocate_credentials(&s->credentials);
    if (rc >= 0)
        rc = *r->ca ? gnutls_certificate_set_x509_trust_file(s->credentials, r->ca,
                                                             GNUTLS_X509_FMT_PEM)
                    : gnutls_certificate_set_x509_system_trust(s->credentials);
    if (rc >= 0)
        rc = gnutls_init(&s->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
    if (rc >= 0)
        rc = gnutls_set_default_priority(s->tls);
    if (rc >= 0)
        rc = gnutls_credentials_set(s->tls, GNUTLS_CRD_CERTIFICATE, s->credentials);
    if (rc >= 0 &&
        lamp_addr_parse(r->host, &addr) != LAMP_OK) /* RFC 6066 section 3: no addresses */
        rc = gnutls_server_name_set(s->tls, GNUTLS_NAME_DNS, r->host, strlen(r->host));
    if (rc < 0)
        return rc;
    gnutls_session_set_verify_cert(s->tls, r->host, 0);
    gnutls_transport_set_int(s->tls, s->fd);
    return 0;
}

static int start_tls(lamp_syslog *s, const struct lamp_receiver *r, char *why)
{
    int rc = set_up_tls(s, r);
    if (rc >= 0)
        LAMP_TLS_RETRY(s, rc, gnutls_handshake(s->tls));
    return rc < 0 ? fail(why, "TLS", gnutls_strerror(rc)) : LAMP_OK;
}

int lamp_syslog_open(const struct lamp_receiver *r, int timeout_ms, const atomic_bool *stop,
                     lamp_syslog **out, char *why)
{
    lamp_syslog *s = calloc(1, sizeof(*s));
    if (!s)
        return LAMP_ENOMEM;
    s->fd = -1;
    s->transport = r->transport;
    s->stop = stop;
    s->deadline_us = real_us() + (uint64_t)timeout_ms * 1000;
    int err = connect_any(s, r, why);
    if (!err && s->transport == LAMP_TRANSPORT_TLS)
        err = start_tls(s, r, why);
    if (err) {
        lamp_syslog_close(s);
        return err;
    }
    *out = s;
    return LAMP_OK;
}

lamp_syslog *lamp_syslog_close(lamp_syslog *s)
{
    if (!s)
        return NULL;
    if (s->tls)
        gnutls_deinit(s->tls);
    if (s->credentials)
        gnutls_certificate_free_credentials(s->credentials);
    if (s->fd >= 0)
        close(s->fd);
    free(s);
    return NULL;
}

/* ---- sending ---- */

static int write_tls(lamp_syslog *s, const char *data, size_t len, char *why)
{
    while (len > 0) {
        ssize_t rc;
        LAMP_TLS_RETRY(s, rc, gnutls_record_send(s->tls, data, len));
        if (rc < 0)
            return fail(why, "TLS", gnutls_strerror((int)rc));
        data += rc;
        len -= (size_t)rc;
    }
    return LAMP_OK;
}

static int write_tcp(lamp_syslog *s, const char *data, size_t len, char *why)
{
    while (len > 0) {
        const ssize_t n = send(s->fd, data, len, MSG_NOSIGNAL);
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        } else if (errno != EAGAIN && errno != EINTR) {
            return fail(why, "send", lamp_strerror(-errno));
        } else if (wait_for(s, POLLOUT, FOREVER_MS) <= 0) {
            return fail(why, "send", lamp_strerror(-ETIMEDOUT));
        }
    }
    return LAMP_OK;
}

int lamp_syslog_send(lamp_syslog *s, const char *text, size_t len, char *why)
{
    char count[24];
    if (s->transport == LAMP_TRANSPORT_UDP)
        return send(s->fd, text, len, MSG_NOSIGNAL) < 0 ? fail(why, "send", lamp_strerror(-errno))
                                                        : LAMP_OK;
    const int n = snprintf(count, sizeof(count), "%zu ", len);
    const bool tls = s->transport == LAMP_TRANSPORT_TLS;
    const int err = tls ? write_tls(s, count, (size_t)n, why) : write_tcp(s, count, (size_t)n, why);
    return err ? err : tls ? write_tls(s, text, len, why) : write_tcp(s, text, len, why);
}

/* What the other side says is of no use, but that it ends (0), or refuses (below 0; 1: not yet). */
static int read_scrap(lamp_syslog *s, char *why)
{
    char scrap[512];
    if (s->tls) {
        const ssize_t rc = gnutls_record_recv(s->tls, scrap, sizeof(scrap));
        if (rc == 0 || rc == GNUTLS_E_PREMATURE_TERMINATION)
            return 0;
        return rc < 0 && gnutls_error_is_fatal((int)rc)
                   ? fail(why, "TLS",
                          rc == GNUTLS_E_FATAL_ALERT_RECEIVED
                              ? gnutls_alert_get_name(gnutls_alert_get(s->tls))
                              : gnutls_strerror((int)rc))
                   : 1;
    }
    const ssize_t n = recv(s->fd, scrap, sizeof(scrap), 0);
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        return fail(why, "the connection was cut", lamp_strerror(-errno));
    return n != 0;
}

static int await_end(lamp_syslog *s, char *why)
{
    const uint64_t until_us = real_us() + END_MS * UINT64_C(1000);
    if (until_us < s->deadline_us)
        s->deadline_us = until_us;
    while (wait_for(s, POLLIN, END_MS) > 0) {
        const int rc = read_scrap(s, why);
        if (rc <= 0)
            return rc;
    }
    return LAMP_OK;
}

int lamp_syslog_finish(lamp_syslog *s, char *why)
{
    if (s->transport == LAMP_TRANSPORT_UDP) {
        const int err = wait_for(s, 0, ICMP_MS) > 0 ? socket_error(s->fd) : 0;
        return err ? fail(why, "send", lamp_strerror(-err)) : LAMP_OK;
    }
    if (s->transport == LAMP_TRANSPORT_TLS) {
        int rc;
        LAMP_TLS_RETRY(s, rc, gnutls_bye(s->tls, GNUTLS_SHUT_WR));
        if (rc < 0)
            return fail(why, "TLS", gnutls_strerror(rc));
    }
    (void)shutdown(s->fd, SHUT_WR);
    return await_end(s, why);
}
