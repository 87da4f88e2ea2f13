/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/handover/findings.h"

#include "common/util.h"

#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>

struct lamp_findings {
    pthread_mutex_t lock;
    int fd;
    size_t first, n;
    uint64_t dropped;
    struct lamp_finding v[LAMP_FINDINGS_MAX];
};

int lamp_findings_new(lamp_findings **out)
{
    lamp_findings *q = calloc(1, sizeof(*q));
    if (!q)
        return LAMP_ENOMEM;
    pthread_mutex_init(&q->lock, NULL);
    q->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (q->fd < 0) {
        const int err = -errno;
        lamp_findings_free(q);
        return err;
    }
    *out = q;
    return LAMP_OK;
}

lamp_findings *lamp_findings_free(lamp_findings *q)
{
    if (!q)
        return NULL;
    if (q->fd >= 0)
        close(q->fd);
    pthread_mutex_destroy(&q->lock);
    free(q);
    return NULL;
}

void lamp_findings_put(lamp_findings *q, const struct lamp_finding *f)
{
    pthread_mutex_lock(&q->lock);
    if (q->n == LAMP_FINDINGS_MAX)
        q->dropped++;
    else
        q->v[(q->first + q->n++) % LAMP_FINDINGS_MAX] = *f;
    (void)eventfd_write(q->fd, 1);
    pthread_mutex_unlock(&q->lock);
}

int lamp_findings_fd(const lamp_findings *q)
{
    return q->fd;
}

int lamp_findings_take(lamp_findings *q, struct lamp_finding *out)
{
    int err = LAMP_EAGAIN;
    pthread_mutex_lock(&q->lock);
    if (q->n > 0) {
        *out = q->v[q->first];
        q->first = (q->first + 1) % LAMP_FINDINGS_MAX;
        q->n--;
        err = LAMP_OK;
    }
    if (q->n == 0) {
        eventfd_t waiting;
        (void)eventfd_read(q->fd, &waiting);
    }
    pthread_mutex_unlock(&q->lock);
    return err;
}

uint64_t lamp_findings_dropped(lamp_findings *q)
{
    pthread_mutex_lock(&q->lock);
    const uint64_t n = q->dropped;
    pthread_mutex_unlock(&q->lock);
    return n;
}
