/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/capture/crew.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

struct helper {
    lamp_crew *crew;
    size_t index;
    pthread_t thread;
};

struct lamp_crew {
    size_t n, n_running;
    lamp_crew_fn *fn;
    void *arg;
    int bell_fd;
    atomic_bool halting, ending;
    pthread_barrier_t stand, go; /* of the helpers and the caller */
    struct helper helpers[];
};

int lamp_crew_new(size_t n, lamp_crew_fn *fn, void *arg, lamp_crew **out)
{
    lamp_crew *c = calloc(1, sizeof(*c) + n * sizeof(c->helpers[0]));
    if (!c)
        return LAMP_ENOMEM;
    c->n = n;
    c->fn = fn;
    c->arg = arg;
    c->bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    const int err = c->bell_fd < 0 ? errno
                                   : pthread_barrier_init(&c->stand, NULL, (unsigned)n + 1) |
                                         pthread_barrier_init(&c->go, NULL, (unsigned)n + 1);
    if (err) {
        if (c->bell_fd >= 0)
            close(c->bell_fd);
        free(c);
        return -err;
    }
    *out = c;
    return LAMP_OK;
}

int lamp_crew_bell(const lamp_crew *c)
{
    return c ? c->bell_fd : -1;
}

static void *run(void *arg)
{
    const struct helper *h = arg;
    lamp_crew *c = h->crew;
    while (!atomic_load(&c->ending)) {
        c->fn(h->index, c->bell_fd, c->arg);
        if (atomic_load(&c->halting)) {
            pthread_barrier_wait(&c->stand);
            pthread_barrier_wait(&c->go);
        }
    }
    return NULL;
}

/* Wakes those that wait. It cannot be full, and a turn ends by itself besides. */
static void ring(lamp_crew *c)
{
    const uint64_t one = 1;
    (void)!write(c->bell_fd, &one, sizeof(one));
}

int lamp_crew_start(lamp_crew *c)
{
    if (!c)
        return LAMP_OK;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = 0;
    while (!err && c->n_running < c->n) {
        struct helper *h = &c->helpers[c->n_running];
        *h = (struct helper){ .crew = c, .index = c->n_running };
        err = pthread_create(&h->thread, NULL, run, h);
        if (!err)
            c->n_running++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -err;
}

void lamp_crew_halt(lamp_crew *c)
{
    if (!c)
        return;
    atomic_store(&c->halting, true);
    ring(c);
    pthread_barrier_wait(&c->stand);
}

void lamp_crew_resume(lamp_crew *c)
{
    if (!c)
        return;
    uint64_t rung;
    atomic_store(&c->halting, false);
    (void)!read(c->bell_fd, &rung, sizeof(rung));
    pthread_barrier_wait(&c->go);
}

lamp_crew *lamp_crew_free(lamp_crew *c)
{
    if (!c)
        return NULL;
    atomic_store(&c->ending, true);
    ring(c);
    for (size_t i = 0; i < c->n_running; i++)
        pthread_join(c->helpers[i].thread, NULL);
    pthread_barrier_destroy(&c->stand);
    pthread_barrier_destroy(&c->go);
    close(c->bell_fd);
    free(c);
    return NULL;
}
