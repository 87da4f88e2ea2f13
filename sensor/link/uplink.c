/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/link/uplink.h"

#include "sensor/process/channel.h"

#include <errno.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/socket.h>
#include <zmq.h>

enum {
    ENDPOINT_MAX = 256,
    EVENTS = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
             ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
             ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
};

struct lamp_uplink {
    struct lamp_key key;
    char endpoint[ENDPOINT_MAX], server_key[41];
    void *ctx, *socket, *monitor;
    bool shares_ctx;
    unsigned serial; /* a new monitor address for each socket */
    struct lamp_addr peer;
    bool has_peer;
};

int lamp_uplink_new(const struct lamp_key *key, const char *endpoint, const char *server_key_z85,
                    void *context, lamp_uplink **out)
{
    if (strlen(endpoint) >= ENDPOINT_MAX || strlen(server_key_z85) != 40)
        return LAMP_EINVAL;
    lamp_uplink *u = calloc(1, sizeof(*u));
    if (!u)
        return LAMP_ENOMEM;
    u->key = *key;
    memcpy(u->endpoint, endpoint, strlen(endpoint) + 1);
    memcpy(u->server_key, server_key_z85, sizeof(u->server_key));
    u->shares_ctx = context != NULL;
    u->ctx = context ? context : zmq_ctx_new();
    if (!u->ctx) {
        free(u);
        return LAMP_ENOMEM;
    }
    *out = u;
    return LAMP_OK;
}

lamp_uplink *lamp_uplink_free(lamp_uplink *u)
{
    if (!u)
        return NULL;
    lamp_uplink_close(u);
    if (!u->shares_ctx)
        zmq_ctx_term(u->ctx);
    sodium_memzero(&u->key, sizeof(u->key));
    free(u);
    return NULL;
}

const char *lamp_uplink_public_key(const lamp_uplink *u)
{
    return u->key.public_z85;
}

void lamp_uplink_set_keys(lamp_uplink *u, const struct lamp_key *key, const char *server_key_z85)
{
    u->key = *key;
    snprintf(u->server_key, sizeof(u->server_key), "%s", server_key_z85);
}

/* The reasons stand in docs/WIRE.md: the spool is the queue, so nothing waits in libzmq. */
static int set_options(lamp_uplink *u)
{
    static const struct {
        int name, value;
    } ints[] = {
        { ZMQ_IMMEDIATE, 1 },
        { ZMQ_LINGER, 0 },
        { ZMQ_SNDHWM, 64 },
        { ZMQ_RCVHWM, 64 },
        { ZMQ_HEARTBEAT_IVL, 5000 },
        { ZMQ_HEARTBEAT_TIMEOUT, 15000 },
        { ZMQ_HEARTBEAT_TTL, 15000 },
        { ZMQ_HANDSHAKE_IVL, 10000 },
        { ZMQ_RECONNECT_IVL, 1000 },
        { ZMQ_RECONNECT_IVL_MAX, 32000 },
        { ZMQ_CONNECT_TIMEOUT, 5000 },
        { ZMQ_TCP_MAXRT, 20000 },
        { ZMQ_TCP_KEEPALIVE, 1 },
        { ZMQ_TCP_KEEPALIVE_IDLE, 30 },
        { ZMQ_TCP_KEEPALIVE_INTVL, 10 },
        { ZMQ_TCP_KEEPALIVE_CNT, 3 },
        { ZMQ_IPV6, 1 },
    };
    for (size_t i = 0; i < ARRAY_LEN(ints); i++)
        if (zmq_setsockopt(u->socket, ints[i].name, &ints[i].value, sizeof(int)) != 0)
            return -errno;
    const int64_t max_message = LAMP_CHANNEL_MAX; /* it is passed on to enforce */
    if (zmq_setsockopt(u->socket, ZMQ_MAXMSGSIZE, &max_message, sizeof(max_message)) != 0 ||
        zmq_setsockopt(u->socket, ZMQ_CURVE_SERVERKEY, u->server_key, 41) != 0 ||
        zmq_setsockopt(u->socket, ZMQ_CURVE_PUBLICKEY, u->key.public_z85, 41) != 0 ||
        zmq_setsockopt(u->socket, ZMQ_CURVE_SECRETKEY, u->key.secret_z85, 41) != 0 ||
        zmq_setsockopt(u->socket, ZMQ_ZAP_DOMAIN, "sensors", 7) != 0)
        return -errno;
    return LAMP_OK;
}

static int open_monitor(lamp_uplink *u)
{
    char name[64];
    snprintf(name, sizeof(name), "inproc://uplink-%p-%u", (void *)u, u->serial++);
    if (zmq_socket_monitor(u->socket, name, EVENTS) != 0)
        return -errno;
    u->monitor = zmq_socket(u->ctx, ZMQ_PAIR);
    if (!u->monitor || zmq_connect(u->monitor, name) != 0)
        return -errno;
    return LAMP_OK;
}

int lamp_uplink_open(lamp_uplink *u)
{
    u->socket = zmq_socket(u->ctx, ZMQ_DEALER);
    if (!u->socket)
        return -errno;
    int err = set_options(u);
    if (!err)
        err = open_monitor(u);
    if (!err && zmq_connect(u->socket, u->endpoint) != 0)
        err = -errno;
    if (err)
        lamp_uplink_close(u);
    return err;
}

static void close_socket(void **socket)
{
    const int linger = 0;
    if (!*socket)
        return;
    (void)zmq_setsockopt(*socket, ZMQ_LINGER, &linger, sizeof(linger));
    (void)zmq_close(*socket);
    *socket = NULL;
}

void lamp_uplink_close(lamp_uplink *u)
{
    if (u->socket)
        (void)zmq_socket_monitor(u->socket, NULL, 0);
    close_socket(&u->monitor);
    close_socket(&u->socket);
}

bool lamp_uplink_is_open(const lamp_uplink *u)
{
    return u->socket != NULL;
}

static int code_of(int zmq_err)
{
    return zmq_err == EAGAIN || zmq_err == EINTR ? LAMP_EAGAIN : -zmq_err;
}

int lamp_uplink_send(lamp_uplink *u, const uint8_t *data, size_t len)
{
    if (!u->socket)
        return LAMP_EAGAIN;
    return zmq_send(u->socket, data, len, ZMQ_DONTWAIT) < 0 ? code_of(zmq_errno()) : LAMP_OK;
}

/* Reads one message; *out_frames counts its frames, the first of which is kept. */
static int recv_frames(void *socket, zmq_msg_t *first, unsigned *out_frames)
{
    zmq_msg_init(first);
    if (zmq_msg_recv(first, socket, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(first);
        return code_of(zmq_errno());
    }
    unsigned frames = 1;
    for (bool more = zmq_msg_more(first); more; frames++) {
        zmq_msg_t rest;
        zmq_msg_init(&rest);
        more = zmq_msg_recv(&rest, socket, ZMQ_DONTWAIT) >= 0 && zmq_msg_more(&rest);
        zmq_msg_close(&rest);
    }
    *out_frames = frames;
    return LAMP_OK;
}

int lamp_uplink_recv(lamp_uplink *u, uint8_t **out, size_t *out_len)
{
    for (;;) {
        zmq_msg_t msg;
        unsigned frames;
        int err = recv_frames(u->socket, &msg, &frames);
        if (err)
            return err;
        if (frames > 1) {
            zmq_msg_close(&msg);
            continue;
        }
        const size_t len = zmq_msg_size(&msg);
        uint8_t *copy = malloc(len ? len : 1);
        if (copy && len)
            memcpy(copy, zmq_msg_data(&msg), len);
        zmq_msg_close(&msg);
        if (!copy)
            return LAMP_ENOMEM;
        *out = copy;
        *out_len = len;
        return LAMP_OK;
    }
}

static void remember_peer(lamp_uplink *u, int fd)
{
    struct sockaddr_storage ss = { 0 };
    socklen_t len = sizeof(ss);
    if (getpeername(fd, (struct sockaddr *)&ss, &len) < 0)
        return; /* gone again before we looked */
    if (ss.ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, &ss, sizeof(in));
        u->peer = lamp_addr_from_v4((const uint8_t *)&in.sin_addr);
    } else if (ss.ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, &ss, sizeof(in6));
        memcpy(u->peer.b, &in6.sin6_addr, sizeof(u->peer.b));
    } else {
        return;
    }
    u->has_peer = true;
}

/* Whether a monitor event is one of ours (zmq_socket_monitor(3): u16 event, u32 value). */
static bool translate(lamp_uplink *u, uint16_t event, uint32_t value, enum lamp_uplink_event *out)
{
    switch (event) {
    case ZMQ_EVENT_CONNECTED:
        remember_peer(u, (int)value);
        return false;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        *out = LAMP_UPLINK_CONNECTED;
        return true;
    case ZMQ_EVENT_DISCONNECTED:
        *out = LAMP_UPLINK_DISCONNECTED;
        return true;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        *out = LAMP_UPLINK_REFUSED;
        return true;
    default:
        *out = LAMP_UPLINK_NO_HANDSHAKE;
        return true;
    }
}

bool lamp_uplink_next_event(lamp_uplink *u, enum lamp_uplink_event *out)
{
    for (;;) {
        zmq_msg_t msg;
        unsigned frames;
        if (!u->monitor || recv_frames(u->monitor, &msg, &frames) != LAMP_OK)
            return false;
        uint16_t event = 0;
        uint32_t value = 0;
        if (zmq_msg_size(&msg) >= 6) {
            memcpy(&event, zmq_msg_data(&msg), 2);
            memcpy(&value, (const uint8_t *)zmq_msg_data(&msg) + 2, 4);
        }
        zmq_msg_close(&msg);
        if (translate(u, event, value, out))
            return true;
    }
}

bool lamp_uplink_peer(const lamp_uplink *u, struct lamp_addr *out)
{
    if (u->has_peer)
        *out = u->peer;
    return u->has_peer;
}

static int fd_of(void *socket)
{
    int fd = -1;
    size_t size = sizeof(fd);
    if (!socket || zmq_getsockopt(socket, ZMQ_FD, &fd, &size) != 0)
        return -1;
    return fd;
}

void lamp_uplink_fds(const lamp_uplink *u, int *out_socket, int *out_monitor)
{
    *out_socket = fd_of(u->socket);
    *out_monitor = fd_of(u->monitor);
}

static bool has_input(void *socket)
{
    int events = 0;
    size_t size = sizeof(events);
    return socket && zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) == 0 &&
           (events & ZMQ_POLLIN);
}

bool lamp_uplink_is_ready(const lamp_uplink *u)
{
    return has_input(u->socket) || has_input(u->monitor);
}
