/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/zap.h"

#include "common/log.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <zmq.h>

/* Frames of a request: version, request id, domain, address, identity, mechanism, key. */
enum { VERSION, REQUEST, DOMAIN, ADDRESS, IDENTITY, MECHANISM, KEY, FRAMES, FRAME_MAX = 256 };

struct lamp_zap {
    char domain[32];
    lamp_zap_admit_fn *admit;
    void *arg;
    void *socket;
    int stop_fd;
    pthread_t thread;
    _Atomic uint64_t refused;
};

struct frame {
    char data[FRAME_MAX];
    size_t len;
};

/* Receives one request whole; true if it has the right shape. */
static bool receive(void *socket, struct frame f[FRAMES])
{
    bool good = true;
    size_t n = 0;
    int more = 1;
    while (more) {
        struct frame extra, *to = n < FRAMES ? &f[n] : &extra;
        const int len = zmq_recv(socket, to->data, FRAME_MAX - 1, 0);
        if (len < 0)
            return false;
        good &= n < FRAMES && len < FRAME_MAX;
        to->len = lamp_min((size_t)len, FRAME_MAX - 1);
        to->data[to->len] = '\0';
        n++;
        size_t size = sizeof(more);
        zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size);
    }
    return good && n == FRAMES;
}

static void answer(void *socket, const struct frame *request, const char *code, const char *text,
                   const char *user)
{
    zmq_send(socket, "1.0", 3, ZMQ_SNDMORE);
    zmq_send(socket, request->data, request->len, ZMQ_SNDMORE);
    zmq_send(socket, code, strlen(code), ZMQ_SNDMORE);
    zmq_send(socket, text, strlen(text), ZMQ_SNDMORE);
    zmq_send(socket, user, strlen(user), ZMQ_SNDMORE);
    zmq_send(socket, "", 0, 0);
}

static void decide(lamp_zap *z, const struct frame f[FRAMES])
{
    char key[41] = "";
    if (!streq(f[DOMAIN].data, z->domain) || !streq(f[MECHANISM].data, "CURVE") ||
        f[KEY].len != 32 || !zmq_z85_encode(key, (const uint8_t *)f[KEY].data, 32)) {
        answer(z->socket, &f[REQUEST], "400", "CURVE only", "");
    } else if (z->admit(key, f[ADDRESS].data, z->arg)) {
        answer(z->socket, &f[REQUEST], "200", "", key);
        return;
    } else {
        answer(z->socket, &f[REQUEST], "400", "not admitted", "");
    }
    atomic_fetch_add(&z->refused, 1);
}

static void *run(void *arg)
{
    lamp_zap *z = arg;
    for (;;) {
        zmq_pollitem_t items[] = { { z->socket, 0, ZMQ_POLLIN, 0 },
                                   { NULL, z->stop_fd, ZMQ_POLLIN, 0 } };
        if (zmq_poll(items, ARRAY_LEN(items), -1) < 0 && zmq_errno() != EINTR)
            break;
        if (items[1].revents)
            return NULL;
        struct frame f[FRAMES] = { 0 };
        if (!items[0].revents)
            continue;
        if (receive(z->socket, f))
            decide(z, f);
        else
            answer(z->socket, &f[REQUEST], "500", "bad request", "");
    }
    /* Without this thread libzmq would admit everybody. */
    lamp_log(LAMP_LOG_ERROR, "ingest", "the authentication thread failed error=\"%s\"",
             zmq_strerror(zmq_errno()));
    abort();
}

int lamp_zap_start(void *context, const char *domain, lamp_zap_admit_fn *admit, void *arg,
                   lamp_zap **out)
{
    lamp_zap *z = calloc(1, sizeof(*z));
    if (!z)
        return LAMP_ENOMEM;
    snprintf(z->domain, sizeof(z->domain), "%s", domain);
    z->admit = admit;
    z->arg = arg;
    z->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    z->socket = zmq_socket(context, ZMQ_REP);
    const int zero = 0;
    if (z->stop_fd < 0 || !z->socket ||
        zmq_setsockopt(z->socket, ZMQ_LINGER, &zero, sizeof(zero)) != 0 ||
        zmq_bind(z->socket, "inproc://zeromq.zap.01") != 0 ||
        pthread_create(&z->thread, NULL, run, z) != 0) {
        if (z->socket)
            zmq_close(z->socket);
        if (z->stop_fd >= 0)
            close(z->stop_fd);
        free(z);
        return LAMP_EIO;
    }
    *out = z;
    return LAMP_OK;
}

lamp_zap *lamp_zap_stop(lamp_zap *z)
{
    if (!z)
        return NULL;
    (void)eventfd_write(z->stop_fd, 1);
    pthread_join(z->thread, NULL);
    zmq_close(z->socket);
    close(z->stop_fd);
    free(z);
    return NULL;
}

uint64_t lamp_zap_refused(const lamp_zap *z)
{
    return atomic_load(&z->refused);
}
