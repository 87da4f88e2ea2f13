/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/handover/mailbox.h"

#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>

enum { LETTER_COST = sizeof(struct lamp_letter) };

struct lamp_mailbox {
    pthread_mutex_t lock;
    struct lamp_letter *first, **last;
    size_t bytes, limit;
    int fd; /* eventfd: above zero while letters wait */
};

int lamp_mailbox_new(size_t limit, lamp_mailbox **out)
{
    lamp_mailbox *m = calloc(1, sizeof(*m));
    if (!m)
        return LAMP_ENOMEM;
    m->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (m->fd < 0) {
        free(m);
        return -errno;
    }
    pthread_mutex_init(&m->lock, NULL);
    m->last = &m->first;
    m->limit = limit;
    *out = m;
    return LAMP_OK;
}

struct lamp_letter *lamp_letter_free(struct lamp_letter *l)
{
    if (l) {
        lamp_msg_free(l->msg);
        free(l->data);
        free(l);
    }
    return NULL;
}

lamp_mailbox *lamp_mailbox_free(lamp_mailbox *m)
{
    if (!m)
        return NULL;
    for (struct lamp_letter *l = m->first; l;) {
        struct lamp_letter *next = l->next;
        lamp_letter_free(l);
        l = next;
    }
    pthread_mutex_destroy(&m->lock);
    close(m->fd);
    free(m);
    return NULL;
}

int lamp_mailbox_put(lamp_mailbox *m, struct lamp_letter **l)
{
    int err = LAMP_EFULL;
    pthread_mutex_lock(&m->lock);
    if (m->bytes < m->limit) {
        m->bytes += (*l)->cost + LETTER_COST;
        if (!m->first)
            (void)eventfd_write(m->fd, 1);
        (*l)->next = NULL;
        *m->last = *l;
        m->last = &(*l)->next;
        *l = NULL;
        err = LAMP_OK;
    }
    pthread_mutex_unlock(&m->lock);
    return err;
}

struct lamp_letter *lamp_mailbox_take(lamp_mailbox *m)
{
    pthread_mutex_lock(&m->lock);
    struct lamp_letter *l = m->first;
    if (l) {
        m->first = l->next;
        m->bytes -= l->cost + LETTER_COST;
        l->next = NULL;
    }
    if (l && !m->first) {
        eventfd_t n;
        m->last = &m->first;
        (void)eventfd_read(m->fd, &n);
    }
    pthread_mutex_unlock(&m->lock);
    return l;
}

size_t lamp_mailbox_room(lamp_mailbox *m)
{
    pthread_mutex_lock(&m->lock);
    const size_t room = m->bytes < m->limit ? m->limit - m->bytes : 0;
    pthread_mutex_unlock(&m->lock);
    return room;
}

bool lamp_mailbox_has_room(lamp_mailbox *m)
{
    return lamp_mailbox_room(m) > 0;
}

int lamp_mailbox_fd(const lamp_mailbox *m)
{
    return m->fd;
}

size_t lamp_mailbox_waiting(lamp_mailbox *m)
{
    pthread_mutex_lock(&m->lock);
    const size_t bytes = m->bytes;
    pthread_mutex_unlock(&m->lock);
    return bytes;
}
