/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/capture/queue.h"

#include "sensor/process/channel.h"

#include <pthread.h>

struct waiting {
    struct waiting *next;
    size_t len, n_rows;
    uint64_t n_bytes;
    uint8_t data[];
};

struct lamp_queue {
    pthread_mutex_t lock; /* of everything below */
    struct waiting *first, **last;
    size_t bytes;
    uint64_t rows_lost, bytes_lost;
};

int lamp_queue_new(lamp_queue **out)
{
    lamp_queue *q = calloc(1, sizeof(*q));
    if (!q)
        return LAMP_ENOMEM;
    pthread_mutex_init(&q->lock, NULL); /* POSIX: cannot fail with default attributes on Linux */
    q->last = &q->first;
    *out = q;
    return LAMP_OK;
}

static void drop_first(lamp_queue *q)
{
    struct waiting *w = q->first;
    q->first = w->next;
    if (!q->first)
        q->last = &q->first;
    q->bytes -= w->len;
    free(w);
}

static void lose(lamp_queue *q, size_t n_rows, uint64_t n_bytes)
{
    q->rows_lost += n_rows;
    q->bytes_lost += n_bytes;
}

lamp_queue *lamp_queue_free(lamp_queue *q)
{
    if (!q)
        return NULL;
    while (q->first)
        drop_first(q);
    pthread_mutex_destroy(&q->lock);
    free(q);
    return NULL;
}

void lamp_queue_add(lamp_queue *q, const uint8_t *data, size_t len, size_t n_rows, uint64_t n_bytes)
{
    struct waiting *w = malloc(sizeof(*w) + len);
    if (w) {
        *w = (struct waiting){ .len = len, .n_rows = n_rows, .n_bytes = n_bytes };
        memcpy(w->data, data, len);
    }
    pthread_mutex_lock(&q->lock);
    if (w) {
        *q->last = w;
        q->last = &w->next;
        q->bytes += len;
    } else {
        lose(q, n_rows, n_bytes);
    }
    while (q->bytes > LAMP_QUEUE_MAX_BYTES) {
        lose(q, q->first->n_rows, q->first->n_bytes);
        drop_first(q);
    }
    pthread_mutex_unlock(&q->lock);
}

int lamp_queue_send(lamp_queue *q, int channel_fd)
{
    int err = LAMP_OK;
    pthread_mutex_lock(&q->lock);
    while (q->first) {
        err = lamp_channel_send(channel_fd, q->first->data, q->first->len);
        if (err == LAMP_EAGAIN || err == LAMP_ECLOSED)
            break;
        if (err)
            lose(q, q->first->n_rows, q->first->n_bytes);
        drop_first(q);
    }
    pthread_mutex_unlock(&q->lock);
    return err == LAMP_ECLOSED ? err : LAMP_OK;
}

size_t lamp_queue_bytes(lamp_queue *q)
{
    pthread_mutex_lock(&q->lock);
    const size_t n = q->bytes;
    pthread_mutex_unlock(&q->lock);
    return n;
}

void lamp_queue_lost(lamp_queue *q, uint64_t *out_rows, uint64_t *out_bytes)
{
    pthread_mutex_lock(&q->lock);
    *out_rows = q->rows_lost;
    *out_bytes = q->bytes_lost;
    pthread_mutex_unlock(&q->lock);
}
