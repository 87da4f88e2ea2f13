/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/allow.h"

#include <ctype.h>
#include <pthread.h>

enum { Z85_LEN = 40 };

struct lamp_allow {
    pthread_mutex_t lock;
    struct lamp_allowed *v; /* by key */
    size_t n, n_active, room;
};

int lamp_allow_new(lamp_allow **out)
{
    lamp_allow *a = calloc(1, sizeof(*a));
    if (!a)
        return LAMP_ENOMEM;
    pthread_mutex_init(&a->lock, NULL);
    *out = a;
    return LAMP_OK;
}

lamp_allow *lamp_allow_free(lamp_allow *a)
{
    if (a) {
        pthread_mutex_destroy(&a->lock);
        free(a->v);
        free(a);
    }
    return NULL;
}

/* The place of a key, or where it belongs. */
static size_t place(const lamp_allow *a, const char *key, bool *out_found)
{
    size_t from = 0, to = a->n;
    *out_found = false;
    while (from < to) {
        const size_t mid = from + (to - from) / 2;
        const int c = strcmp(a->v[mid].key, key);
        if (c == 0) {
            *out_found = true;
            return mid;
        }
        if (c < 0)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

static int put(lamp_allow *a, const struct lamp_allowed *k)
{
    bool found;
    const size_t at = place(a, k->key, &found);
    if (found) {
        a->n_active = a->n_active - a->v[at].active + k->active;
        a->v[at] = *k;
        return LAMP_OK;
    }
    if (a->n == LAMP_ALLOW_MAX)
        return LAMP_EFULL;
    if (a->n == a->room) {
        struct lamp_allowed *v = realloc(a->v, (a->n + 64) * sizeof(*v));
        if (!v)
            return LAMP_ENOMEM;
        a->v = v;
        a->room = a->n + 64;
    }
    memmove(a->v + at + 1, a->v + at, (a->n - at) * sizeof(*a->v));
    a->v[at] = *k;
    a->n++;
    a->n_active += k->active;
    return LAMP_OK;
}

int lamp_allow_put(lamp_allow *a, const struct lamp_allowed *k)
{
    pthread_mutex_lock(&a->lock);
    const int err = put(a, k);
    pthread_mutex_unlock(&a->lock);
    return err;
}

void lamp_allow_remove(lamp_allow *a, const char *key)
{
    bool found;
    pthread_mutex_lock(&a->lock);
    const size_t at = place(a, key, &found);
    if (found) {
        a->n--;
        a->n_active -= a->v[at].active;
        memmove(a->v + at, a->v + at + 1, (a->n - at) * sizeof(*a->v));
    }
    pthread_mutex_unlock(&a->lock);
}

int lamp_allow_known(lamp_allow *a, const char *key, struct lamp_allowed *out)
{
    bool found;
    if (strlen(key) != Z85_LEN)
        return LAMP_ENOENT;
    pthread_mutex_lock(&a->lock);
    const size_t at = place(a, key, &found);
    if (found)
        *out = a->v[at];
    pthread_mutex_unlock(&a->lock);
    return found ? LAMP_OK : LAMP_ENOENT;
}

int lamp_allow_find(lamp_allow *a, const char *key, struct lamp_allowed *out)
{
    struct lamp_allowed got;
    if (lamp_allow_known(a, key, &got) != LAMP_OK || !got.active)
        return LAMP_ENOENT;
    *out = got;
    return LAMP_OK;
}

size_t lamp_allow_count(lamp_allow *a)
{
    pthread_mutex_lock(&a->lock);
    const size_t n = a->n;
    pthread_mutex_unlock(&a->lock);
    return n;
}

size_t lamp_allow_active(lamp_allow *a)
{
    pthread_mutex_lock(&a->lock);
    const size_t n = a->n_active;
    pthread_mutex_unlock(&a->lock);
    return n;
}

int lamp_allow_copy(lamp_allow *a, struct lamp_allowed **out, size_t *out_n)
{
    pthread_mutex_lock(&a->lock);
    struct lamp_allowed *v = calloc(a->n + 1, sizeof(*v));
    size_t n = 0;
    for (size_t i = 0; v && i < a->n; i++)
        if (a->v[i].active)
            v[n++] = a->v[i];
    pthread_mutex_unlock(&a->lock);
    if (!v)
        return LAMP_ENOMEM;
    *out = v;
    *out_n = n;
    return LAMP_OK;
}

bool lamp_allow_is_name(const char *text)
{
    const size_t len = strlen(text);
    if (len == 0 || len >= sizeof(((struct lamp_allowed *)0)->id))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("._-", text[i]))
            return false;
    return true;
}
