/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/catalogue/resolver.h"

#include "common/text.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <ctype.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { TIMEOUT_MS = 2000, TRIES = 2 };

struct question {
    lamp_resolver *owner;
    unsigned pending; /* answers that are still to come; 0: free */
    bool answered;    /* one of them was no failure */
    int failure;      /* c-ares' status of one that was */
    unsigned hops[2]; /* aliases that were followed, of A and of AAAA */
    bool never, long_chain;
    char name[LAMP_POOL_FQDN];
    struct lamp_pool_resolution is;
};

struct lamp_resolver {
    ares_channel channel;
    lamp_resolver_fn *fn;
    lamp_resolver_never_fn *never;
    void *arg;
    bool closing;
    struct question questions[LAMP_RESOLVES];
};

static void add_addr(struct lamp_pool_resolution *r, const struct lamp_addr *a)
{
    for (size_t i = 0; i < r->n; i++)
        if (lamp_addr_eq(&r->addrs[i], a))
            return;
    if (r->n < LAMP_POOL_RESOLVED)
        r->addrs[r->n++] = *a;
}

static void take_host(struct question *q, const struct hostent *host, bool six)
{
    for (char **at = host->h_addr_list; at && *at; at++) {
        struct lamp_addr a;
        if (six) {
            memcpy(a.b, *at, sizeof(a.b));
            if (lamp_addr_is_v4(&a))
                continue;
        } else {
            uint8_t v4[4];
            memcpy(v4, *at, sizeof(v4));
            a = lamp_addr_from_v4(v4);
        }
        add_addr(&q->is, &a);
    }
    if (host->h_name && strcasecmp(host->h_name, q->name) != 0)
        lamp_text_utf8((const uint8_t *)host->h_name, strlen(host->h_name), q->is.cname,
                       sizeof(q->is.cname));
}

static void settle(struct question *q)
{
    lamp_resolver *r = q->owner;
    if (q->never || q->long_chain)
        q->is.n = 0;
    if (!q->answered || q->is.n == 0)
        snprintf(q->is.error, sizeof(q->is.error), "%.60s",
                 q->never        ? "its alias is on the list of what is never probed"
                 : q->long_chain ? "a chain of too many aliases"
                 : q->answered   ? "the name has no address"
                                 : ares_strerror(q->failure));
    if (!r->closing)
        r->fn(&q->is, r->arg);
}

static void on_a(void *arg, int status, int timeouts, uint8_t *answer, int len);
static void on_aaaa(void *arg, int status, int timeouts, uint8_t *answer, int len);

/* The names that an answer leads over: the last is h_name. */
static void look_at_chain(struct question *q, const struct hostent *host)
{
    const lamp_resolver *r = q->owner;
    size_t n = 0;
    for (char **at = host->h_aliases; at && *at; at++, n++)
        q->never |= r->never && r->never(*at, r->arg);
    q->never |= host->h_name && r->never && r->never(host->h_name, r->arg);
    q->long_chain |= n > LAMP_RESOLVER_CHAIN;
}

/* Asks where an alias leads, if the answer does not say it. */
static bool follow(struct question *q, const struct hostent *host, bool six)
{
    if (!host->h_name || host->h_addr_list[0] || strcasecmp(host->h_name, q->name) == 0 ||
        q->never || q->long_chain || q->owner->closing)
        return false;
    if (q->hops[six]++ == LAMP_RESOLVER_CHAIN) {
        q->long_chain = true;
        return false;
    }
    ares_query(q->owner->channel, host->h_name, ns_c_in, six ? ns_t_aaaa : ns_t_a,
               six ? on_aaaa : on_a, q);
    return true;
}

static void on_answer(struct question *q, int status, const uint8_t *answer, int len, bool six)
{
    struct hostent *host = NULL;
    bool followed = false;
    if (status == ARES_SUCCESS || (status == ARES_ENODATA && answer))
        status = six ? ares_parse_aaaa_reply(answer, len, &host, NULL, NULL)
                     : ares_parse_a_reply(answer, len, &host, NULL, NULL);
    if (host) {
        look_at_chain(q, host);
        take_host(q, host, six);
        followed = follow(q, host, six);
        ares_free_hostent(host);
    }
    if (followed)
        return;
    if (status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND)
        q->answered = true;
    else
        q->failure = status;
    if (--q->pending == 0)
        settle(q);
}

static void on_a(void *arg, int status, int timeouts, uint8_t *answer, int len)
{
    (void)timeouts;
    on_answer(arg, status, answer, len, false);
}

static void on_aaaa(void *arg, int status, int timeouts, uint8_t *answer, int len)
{
    (void)timeouts;
    on_answer(arg, status, answer, len, true);
}

int lamp_resolver_new(const char *servers, lamp_resolver_fn *fn, lamp_resolver_never_fn *never,
                      void *arg, lamp_resolver **out)
{
    struct ares_options o = { .timeout = TIMEOUT_MS, .tries = TRIES };
    lamp_resolver *r = calloc(1, sizeof(*r));
    if (!r)
        return LAMP_ENOMEM;
    r->fn = fn;
    r->never = never;
    r->arg = arg;
    int err = LAMP_OK;
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS ||
        ares_init_options(&r->channel, &o, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES) != ARES_SUCCESS) {
        r->channel = NULL;
        err = LAMP_ENOMEM;
    } else if (servers && *servers &&
               ares_set_servers_ports_csv(r->channel, servers) != ARES_SUCCESS) {
        err = LAMP_EFORMAT;
    }
    if (err)
        lamp_resolver_free(r);
    else
        *out = r;
    return err;
}

lamp_resolver *lamp_resolver_free(lamp_resolver *r)
{
    if (!r)
        return NULL;
    r->closing = true;
    if (r->channel)
        ares_destroy(r->channel);
    ares_library_cleanup();
    free(r);
    return NULL;
}

int lamp_resolver_ask(lamp_resolver *r, const char *name, int64_t tag)
{
    struct question *q = NULL;
    for (size_t i = 0; i < LAMP_RESOLVES && !q; i++)
        if (r->questions[i].pending == 0)
            q = &r->questions[i];
    if (!q)
        return LAMP_EAGAIN;
    *q = (struct question){ .owner = r, .is = { .server_id = tag } };
    snprintf(q->name, sizeof(q->name), "%s", name);
    if (lamp_addr_parse(name, &q->is.addrs[0]) == LAMP_OK) {
        q->is.n = 1;
        q->answered = true;
        settle(q);
        return LAMP_OK;
    }
    q->pending = 2;
    ares_query(r->channel, q->name, ns_c_in, ns_t_a, on_a, q);
    ares_query(r->channel, q->name, ns_c_in, ns_t_aaaa, on_aaaa, q);
    return LAMP_OK;
}

size_t lamp_resolver_fds(lamp_resolver *r, struct pollfd fds[LAMP_RESOLVER_FDS], int *out_ms)
{
    ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
    struct timeval wait;
    /* bit i: readable, bit 16 + i: writable; c-ares' own macros shift into the sign */
    const uint32_t bits = (uint32_t)ares_getsock(r->channel, sockets, ARES_GETSOCK_MAXNUM);
    size_t n = 0;
    for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
        const short events =
            (short)((bits >> i & 1 ? POLLIN : 0) | (bits >> (16 + i) & 1 ? POLLOUT : 0));
        if (events)
            fds[n++] = (struct pollfd){ .fd = sockets[i], .events = events };
    }
    const struct timeval *next = ares_timeout(r->channel, NULL, &wait);
    *out_ms = next ? (int)(next->tv_sec * 1000 + next->tv_usec / 1000 + 1) : -1;
    return n;
}

void lamp_resolver_run(lamp_resolver *r, const struct pollfd *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (fds[i].revents)
            ares_process_fd(r->channel,
                            fds[i].revents & (POLLIN | POLLERR | POLLHUP) ? fds[i].fd
                                                                          : ARES_SOCKET_BAD,
                            fds[i].revents & POLLOUT ? fds[i].fd : ARES_SOCKET_BAD);
    ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* what timed out */
}

size_t lamp_resolver_busy(const lamp_resolver *r)
{
    size_t n = 0;
    for (size_t i = 0; i < LAMP_RESOLVES; i++)
        n += r->questions[i].pending > 0;
    return n;
}
