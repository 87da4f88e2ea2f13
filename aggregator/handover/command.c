/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/handover/command.h"

#include "common/util.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <time.h>

enum { QUEUE_MAX = 256 };

enum slot_state { SLOT_FREE, SLOT_WAITING, SLOT_TAKEN, SLOT_ANSWERED, SLOT_ABANDONED };

/* One command on its way. Slots are taken and answered in ring order; one whose caller gave up
 * (ABANDONED) is freed by the answer, any other by its caller. */
struct slot {
    enum slot_state state;
    struct lamp_command cmd;
    struct lamp_command_result result;
};

struct lamp_commands {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    int fd; /* eventfd, readable while commands wait */
    struct slot slots[QUEUE_MAX];
    uint64_t put, taken, done; /* running counts; place = count % QUEUE_MAX */
};

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
    int err = LAMP_OK;

    pthread_mutex_lock(&q->lock);
    struct slot *s = &q->slots[q->put % QUEUE_MAX];
    if (s->state != SLOT_FREE) {
        pthread_mutex_unlock(&q->lock);
        return LAMP_EFULL;
    }
    s->cmd = *cmd;
    s->state = SLOT_WAITING;
    q->put++;
    /* Cannot fail: the counter is far from its end and the descriptor is ours. */
    (void)!write(q->fd, &one, sizeof(one));

    while (s->state != SLOT_ANSWERED && err == 0)
        err = pthread_cond_timedwait(&q->answered, &q->lock, &deadline);
    if (s->state == SLOT_ANSWERED) {
        *out = s->result;
        s->state = SLOT_FREE;
        err = LAMP_OK;
    } else {
        s->state = SLOT_ABANDONED;
        err = LAMP_ETIMEOUT;
    }
    pthread_mutex_unlock(&q->lock);
    return err;
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
    if (q->taken < q->put) {
        struct slot *s = &q->slots[q->taken++ % QUEUE_MAX];
        *out = s->cmd;
        if (s->state == SLOT_WAITING)
            s->state = SLOT_TAKEN;
        err = LAMP_OK;
    }
    if (q->taken == q->put) {
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
    assert(q->done < q->taken);
    struct slot *s = &q->slots[q->done++ % QUEUE_MAX];
    if (s->state == SLOT_ABANDONED) {
        s->state = SLOT_FREE;
    } else {
        s->result = *result;
        s->state = SLOT_ANSWERED;
        pthread_cond_broadcast(&q->answered);
    }
    pthread_mutex_unlock(&q->lock);
}
