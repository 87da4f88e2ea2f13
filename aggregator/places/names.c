/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/places/names.h"

#include "common/clock.h"
#include "common/text.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>

enum {
    WAYS = 8, /* places of the cache an address may lie in */
    SETS = LAMP_NAMES_CACHE / WAYS,
    TIMEOUT_MS = 2000,
    TRIES = 2,
    REVERSE_NAME = 80, /* longest name asked for, with its NUL */
};

struct entry {
    struct lamp_addr addr;
    bool used, wanted, asked; /* wanted: to be asked; asked: with c-ares now */
    enum lamp_name_state state;
    uint64_t until_us;  /* good until */
    uint64_t looked_us; /* last look-up */
    char name[LAMP_NAME_TEXT];
};

/* One question under way; the entry it was for may have made room for another by now. */
struct question {
    lamp_names *names;
    struct lamp_addr addr;
    bool busy;
};

struct lamp_names {
    ares_channel channel; /* the thread's alone */
    pthread_t thread;
    bool started;
    int wake_fd;

    pthread_mutex_t lock; /* of all below */
    bool stop;
    struct lamp_names_counters counters;
    struct question questions[LAMP_NAMES_IN_FLIGHT];
    struct entry cache[SETS][WAYS];
};

const char *lamp_name_state_name(enum lamp_name_state s)
{
    static const char *const names[] = { "known", "none", "pending", "failed", "off" };
    return names[s];
}

/* ---- the cache; called with the lock held ---- */

static struct entry *set_of(lamp_names *n, const struct lamp_addr *a)
{
    uint32_t h = 2166136261u; /* FNV-1a: spreading, not security; a set is small and bounded */
    for (size_t i = 0; i < sizeof(a->b); i++)
        h = (h ^ a->b[i]) * 16777619u;
    return n->cache[(h ^ h >> 16) % SETS];
}

static struct entry *lookup(lamp_names *n, const struct lamp_addr *a)
{
    struct entry *set = set_of(n, a);
    for (size_t i = 0; i < WAYS; i++)
        if (set[i].used && lamp_addr_eq(&set[i].addr, a))
            return &set[i];
    return NULL;
}

static struct entry *make_entry(lamp_names *n, const struct lamp_addr *a)
{
    struct entry *set = set_of(n, a), *oldest = &set[0];
    for (size_t i = 0; i < WAYS && oldest->used; i++)
        if (!set[i].used || set[i].looked_us < oldest->looked_us)
            oldest = &set[i];
    if (oldest->used)
        n->counters.evicted++;
    *oldest = (struct entry){ .addr = *a, .used = true, .state = LAMP_NAME_PENDING };
    return oldest;
}

enum lamp_name_state lamp_names_find(lamp_names *n, const struct lamp_addr *a, uint64_t mono_us,
                                     char out[LAMP_NAME_TEXT])
{
    *out = '\0';
    if (!n || lamp_addr_is_private(a) || lamp_addr_is_multicast(a))
        return LAMP_NAME_OFF;
    bool wake = false;
    pthread_mutex_lock(&n->lock);
    struct entry *e = lookup(n, a);
    if (!e)
        e = make_entry(n, a);
    e->looked_us = mono_us;
    if (!e->wanted && !e->asked && e->until_us <= mono_us)
        wake = e->wanted = true;
    const enum lamp_name_state state = e->state;
    memcpy(out, e->name, sizeof(e->name));
    pthread_mutex_unlock(&n->lock);
    if (wake) {
        const uint64_t one = 1;
        (void)!write(n->wake_fd, &one, sizeof(one));
    }
    return state;
}

struct lamp_names_counters lamp_names_counters(lamp_names *n)
{
    pthread_mutex_lock(&n->lock);
    const struct lamp_names_counters c = n->counters;
    pthread_mutex_unlock(&n->lock);
    return c;
}

/* ---- questions and answers, on the thread ---- */

/* The name that is asked for (RFC 1035 section 3.5, RFC 3596 section 2.5). */
static void reverse_name(const struct lamp_addr *a, char out[REVERSE_NAME])
{
    const uint8_t *b = a->b;
    if (lamp_addr_is_v4(a)) {
        snprintf(out, REVERSE_NAME, "%u.%u.%u.%u.in-addr.arpa", b[15], b[14], b[13], b[12]);
        return;
    }
    size_t n = 0;
    for (size_t i = 16; i-- > 0;)
        n += (size_t)snprintf(out + n, REVERSE_NAME - n, "%x.%x.", b[i] & 15u, b[i] >> 4);
    snprintf(out + n, REVERSE_NAME - n, "ip6.arpa");
}

/* The name in an answer, which is anybody's words. Returns c-ares' status. */
static int read_name(const uint8_t *answer, int len, const struct lamp_addr *a,
                     char out[LAMP_NAME_TEXT])
{
    struct hostent *host = NULL;
    const bool v4 = lamp_addr_is_v4(a);
    const int status = ares_parse_ptr_reply(answer, len, v4 ? a->b + 12 : a->b, v4 ? 4 : 16,
                                            v4 ? AF_INET : AF_INET6, &host);
    const size_t size = host && host->h_name ? strlen(host->h_name) : 0;
    if (size)
        lamp_text_utf8((const uint8_t *)host->h_name, size, out, LAMP_NAME_TEXT);
    if (host)
        ares_free_hostent(host);
    return status == ARES_SUCCESS && !size ? ARES_ENODATA : status;
}

static void on_answer(void *arg, int status, int timeouts, uint8_t *answer, int len)
{
    (void)timeouts;
    struct question *q = arg;
    lamp_names *n = q->names;
    char name[LAMP_NAME_TEXT] = "";
    if (status == ARES_SUCCESS)
        status = read_name(answer, len, &q->addr, name);
    const bool known = status == ARES_SUCCESS;
    const bool none = status == ARES_ENOTFOUND || status == ARES_ENODATA;
    pthread_mutex_lock(&n->lock);
    q->busy = false;
    n->counters.waiting--;
    if (known || none)
        n->counters.answered++;
    else
        n->counters.failed++;
    struct entry *e = lookup(n, &q->addr);
    if (e) {
        memcpy(e->name, name, sizeof(name));
        e->asked = false;
        e->state = known ? LAMP_NAME_KNOWN : none ? LAMP_NAME_NONE : LAMP_NAME_FAILED;
        const uint64_t keep_s = known ? LAMP_NAMES_KEEP_S : LAMP_NAMES_RETRY_S;
        e->until_us = lamp_clock_mono_us() + keep_s * 1000000;
    }
    pthread_mutex_unlock(&n->lock);
}

/* A free question for the next wanted address; NULL: none is free or nothing is wanted. */
static struct question *next_question(lamp_names *n)
{
    struct question *free = NULL;
    for (size_t i = 0; i < LAMP_NAMES_IN_FLIGHT && !free; i++)
        if (!n->questions[i].busy)
            free = &n->questions[i];
    for (size_t s = 0; s < SETS && free; s++) {
        for (size_t w = 0; w < WAYS; w++) {
            struct entry *e = &n->cache[s][w];
            if (!e->used || !e->wanted)
                continue;
            e->wanted = false;
            e->asked = true;
            *free = (struct question){ n, e->addr, true };
            n->counters.asked++;
            n->counters.waiting++;
            return free;
        }
    }
    return NULL;
}

static void ask(lamp_names *n)
{
    for (;;) {
        pthread_mutex_lock(&n->lock);
        struct question *q = n->stop ? NULL : next_question(n);
        pthread_mutex_unlock(&n->lock);
        if (!q)
            return;
        char name[REVERSE_NAME];
        reverse_name(&q->addr, name);
        ares_query(n->channel, name, ns_c_in, ns_t_ptr, on_answer, q);
    }
}

static bool stopping(lamp_names *n)
{
    pthread_mutex_lock(&n->lock);
    const bool stop = n->stop;
    pthread_mutex_unlock(&n->lock);
    return stop;
}

static void *run(void *arg)
{
    lamp_names *n = arg;
    while (!stopping(n)) {
        ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
        struct pollfd fds[1 + ARES_GETSOCK_MAXNUM] = { { .fd = n->wake_fd, .events = POLLIN } };
        struct timeval wait;
        /* bit i: readable, bit 16 + i: writable; c-ares' own macros shift into the sign */
        const uint32_t bits = (uint32_t)ares_getsock(n->channel, sockets, ARES_GETSOCK_MAXNUM);
        nfds_t k = 1;
        for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
            const short events =
                (short)((bits >> i & 1 ? POLLIN : 0) | (bits >> (16 + i) & 1 ? POLLOUT : 0));
            if (events)
                fds[k++] = (struct pollfd){ .fd = sockets[i], .events = events };
        }
        const struct timeval *next = ares_timeout(n->channel, NULL, &wait);
        poll(fds, k, next ? (int)(next->tv_sec * 1000 + next->tv_usec / 1000 + 1) : -1);
        uint64_t woken;
        (void)!read(n->wake_fd, &woken, sizeof(woken));
        for (nfds_t i = 1; i < k; i++)
            ares_process_fd(n->channel,
                            fds[i].revents & (POLLIN | POLLERR | POLLHUP) ? fds[i].fd
                                                                          : ARES_SOCKET_BAD,
                            fds[i].revents & POLLOUT ? fds[i].fd : ARES_SOCKET_BAD);
        ares_process_fd(n->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* what timed out */
        ask(n);
    }
    ares_cancel(n->channel);
    return NULL;
}

/* ---- start and end ---- */

static int open_channel(lamp_names *n, const char *servers)
{
    struct ares_options o = { .timeout = TIMEOUT_MS, .tries = TRIES };
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
        return LAMP_ENOMEM;
    const int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES;
    if (ares_init_options(&n->channel, &o, mask) != ARES_SUCCESS) {
        n->channel = NULL;
        return LAMP_ENOMEM;
    }
    if (servers && *servers && ares_set_servers_ports_csv(n->channel, servers) != ARES_SUCCESS)
        return LAMP_EFORMAT;
    return LAMP_OK;
}

static int start_thread(lamp_names *n)
{
    sigset_t all, before; /* signals are main's */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int err = -pthread_create(&n->thread, NULL, run, n);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    n->started = !err;
    return err;
}

int lamp_names_new(const char *servers, lamp_names **out)
{
    lamp_names *n = calloc(1, sizeof(*n));
    if (!n)
        return LAMP_ENOMEM;
    pthread_mutex_init(&n->lock, NULL);
    n->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int err = n->wake_fd < 0 ? -errno : open_channel(n, servers);
    if (!err)
        err = start_thread(n);
    if (err) {
        lamp_names_free(n);
        return err;
    }
    *out = n;
    return LAMP_OK;
}

lamp_names *lamp_names_free(lamp_names *n)
{
    if (!n)
        return NULL;
    if (n->started) {
        const uint64_t one = 1;
        pthread_mutex_lock(&n->lock);
        n->stop = true;
        pthread_mutex_unlock(&n->lock);
        (void)!write(n->wake_fd, &one, sizeof(one));
        pthread_join(n->thread, NULL);
    }
    if (n->channel)
        ares_destroy(n->channel);
    ares_library_cleanup();
    if (n->wake_fd >= 0)
        close(n->wake_fd);
    pthread_mutex_destroy(&n->lock);
    free(n);
    return NULL;
}
