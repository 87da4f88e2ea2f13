/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/handover/probes.h"

#include "common/util.h"

#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>

struct lamp_probes {
    pthread_mutex_t lock;
    int fd;
    int64_t last_id;
    struct lamp_probes_status status;
    struct slot {
        bool taken;
        struct lamp_probe_order order; /* id 0: free */
    } slots[LAMP_ORDERS_MAX];
};

int lamp_probes_new(lamp_probes **out)
{
    lamp_probes *p = calloc(1, sizeof(*p));
    if (!p)
        return LAMP_ENOMEM;
    pthread_mutex_init(&p->lock, NULL);
    p->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (p->fd < 0) {
        const int err = -errno;
        lamp_probes_free(p);
        return err;
    }
    *out = p;
    return LAMP_OK;
}

lamp_probes *lamp_probes_free(lamp_probes *p)
{
    if (!p)
        return NULL;
    if (p->fd >= 0)
        close(p->fd);
    pthread_mutex_destroy(&p->lock);
    free(p);
    return NULL;
}

int lamp_probes_order(lamp_probes *p, const struct lamp_probe_order *o, int64_t *out_id)
{
    int err = LAMP_EFULL;
    pthread_mutex_lock(&p->lock);
    struct slot *s = &p->slots[(p->last_id + 1) % LAMP_ORDERS_MAX];
    if (s->order.id == 0 || s->order.done) {
        s->order = *o;
        s->order.id = *out_id = ++p->last_id;
        s->order.done = s->taken = false;
        err = LAMP_OK;
        (void)eventfd_write(p->fd, 1);
    }
    pthread_mutex_unlock(&p->lock);
    return err;
}

int lamp_probes_get(lamp_probes *p, int64_t id, struct lamp_probe_order *out)
{
    int err = LAMP_ENOENT;
    pthread_mutex_lock(&p->lock);
    const struct slot *s = &p->slots[id > 0 ? id % LAMP_ORDERS_MAX : 0];
    if (id > 0 && s->order.id == id) {
        *out = s->order;
        err = LAMP_OK;
    }
    pthread_mutex_unlock(&p->lock);
    return err;
}

struct lamp_probes_status lamp_probes_status(lamp_probes *p)
{
    pthread_mutex_lock(&p->lock);
    const struct lamp_probes_status s = p->status;
    pthread_mutex_unlock(&p->lock);
    return s;
}

int lamp_probes_fd(const lamp_probes *p)
{
    return p->fd;
}

void lamp_probes_wake(lamp_probes *p)
{
    (void)eventfd_write(p->fd, 1);
}

int lamp_probes_take(lamp_probes *p, struct lamp_probe_order *out)
{
    eventfd_t n;
    int err = LAMP_EAGAIN;
    pthread_mutex_lock(&p->lock);
    (void)eventfd_read(p->fd, &n);
    for (size_t i = 0; i < LAMP_ORDERS_MAX && err; i++) {
        struct slot *s = &p->slots[i];
        if (s->order.id && !s->order.done && !s->taken) {
            s->taken = true;
            *out = s->order;
            err = LAMP_OK;
        }
    }
    pthread_mutex_unlock(&p->lock);
    return err;
}

void lamp_probes_answer(lamp_probes *p, const struct lamp_probe_order *o)
{
    pthread_mutex_lock(&p->lock);
    struct slot *s = &p->slots[o->id % LAMP_ORDERS_MAX];
    if (s->order.id == o->id)
        s->order = *o;
    pthread_mutex_unlock(&p->lock);
}

void lamp_probes_say(lamp_probes *p, const struct lamp_probes_status *st)
{
    pthread_mutex_lock(&p->lock);
    p->status = *st;
    pthread_mutex_unlock(&p->lock);
}
