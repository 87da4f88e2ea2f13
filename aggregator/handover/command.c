/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/handover/command.h"

#include "common/util.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <time.h>

enum { QUEUE_MAX = 256 };

/* One command on its way, first in the writer's line, then (taken) waiting for the answer,
 * which comes in the same order. Owned by its caller until that gives up (abandoned); then
 * by the queue. */
struct request {
    struct request *next;
    bool answered, abandoned;
    struct lamp_command cmd;
    struct lamp_command_result result;
};

struct line {
    struct request *first, **last;
};

struct lamp_commands {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    int fd; /* eventfd, readable while commands wait */
    struct line waiting, taken;
    size_t n; /* in both lines; at most QUEUE_MAX */
};

static void line_add(struct line *l, struct request *r)
{
    r->next = NULL;
    *l->last = r;
    l->last = &r->next;
}

static struct request *line_pop(struct line *l)
{
    struct request *r = l->first;
    l->first = r->next;
    if (!l->first)
        l->last = &l->first;
    return r;
}

static void request_free(struct request *r)
{
    free(r->cmd.edits);
    free(r->cmd.baseline.body);
    free(r);
}

static void line_free(struct line *l)
{
    while (l->first)
        request_free(line_pop(l));
}

int lamp_commands_new(lamp_commands **out)
{
    assert(out);
    lamp_commands *q = calloc(1, sizeof(*q));
    if (!q)
        return LAMP_ENOMEM;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->answered, &attr);
    pthread_condattr_destroy(&attr);
    q->waiting.last = &q->waiting.first;
    q->taken.last = &q->taken.first;
    q->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (q->fd < 0) {
        const int err = -errno;
        lamp_commands_free(q);
        return err;
    }
    *out = q;
    return LAMP_OK;
}

lamp_commands *lamp_commands_free(lamp_commands *q)
{
    if (!q)
        return NULL;
    if (q->fd >= 0)
        close(q->fd);
    line_free(&q->waiting);
    line_free(&q->taken);
    pthread_cond_destroy(&q->answered);
    pthread_mutex_destroy(&q->lock);
    free(q);
    return NULL;
}

static struct timespec deadline_in(int timeout_ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += timeout_ms / 1000;
    t.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

int lamp_commands_run(lamp_commands *q, const struct lamp_command *cmd, int timeout_ms,
                      struct lamp_command_result *out)
{
    assert(q && cmd && out && timeout_ms >= 0);
    const struct timespec deadline = deadline_in(timeout_ms);
    const uint64_t one = 1;
    struct request *r = calloc(1, sizeof(*r));
    if (!r) {
        free(cmd->edits);
        free(cmd->baseline.body);
        return LAMP_ENOMEM;
    }
    r->cmd = *cmd;

    pthread_mutex_lock(&q->lock);
    if (q->n == QUEUE_MAX) {
        pthread_mutex_unlock(&q->lock);
        request_free(r);
        return LAMP_EFULL;
    }
    q->n++;
    line_add(&q->waiting, r);
    /* Cannot fail: the counter is far from its end and the descriptor is ours. */
    (void)!write(q->fd, &one, sizeof(one));

    int err = 0;
    while (!r->answered && err == 0)
        err = pthread_cond_timedwait(&q->answered, &q->lock, &deadline);
    if (r->answered)
        *out = r->result;
    else
        r->abandoned = true;
    const bool answered = r->answered;
    pthread_mutex_unlock(&q->lock);
    if (!answered)
        return LAMP_ETIMEOUT;
    request_free(r);
    return LAMP_OK;
}

int lamp_commands_fd(const lamp_commands *q)
{
    return q->fd;
}

int lamp_commands_take(lamp_commands *q, struct lamp_command *out)
{
    assert(q && out);
    int err = LAMP_EAGAIN;
    pthread_mutex_lock(&q->lock);
    if (q->waiting.first) {
        struct request *r = line_pop(&q->waiting);
        *out = r->cmd;
        line_add(&q->taken, r);
        err = LAMP_OK;
    }
    if (!q->waiting.first) {
        uint64_t n;
        (void)!read(q->fd, &n, sizeof(n));
    }
    pthread_mutex_unlock(&q->lock);
    return err;
}

void lamp_commands_answer(lamp_commands *q, const struct lamp_command_result *result)
{
    assert(q && result);
    pthread_mutex_lock(&q->lock);
    assert(q->taken.first);
    struct request *r = line_pop(&q->taken);
    q->n--;
    if (r->abandoned) {
        request_free(r);
    } else {
        r->result = *result;
        r->answered = true;
        pthread_cond_broadcast(&q->answered);
    }
    pthread_mutex_unlock(&q->lock);
}
