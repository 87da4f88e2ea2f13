/* SPDX-License-Identifier: Apache-2.0 */
/* `poolsim pool`: listens, hands out jobs, answers shares. One process is one pool. */
#include "common/clock.h"
#include "common/json.h"
#include "common/text.h"
#include "tests/support/poolsim/commands.h"
#include "tests/support/poolsim/family.h"
#include "tests/support/poolsim/wrap.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

enum { MINERS_MAX = 256, GIVE_UP_MS = 40000, POLL_SIGNALS = 0, POLL_LISTEN = 1, POLL_FIRST = 2 };

struct miner {
    int fd;
    struct sim_pool pool;
    struct sim_lines in;
    struct sim_out out;
    struct sim_wrap wrap;
    uint64_t next_job_us, bytes_down;
};

struct totals {
    uint64_t connections, refused, jobs, bytes_up, bytes_down;
    struct sim_shares shares;
};

struct server {
    struct sim_endpoint listen;
    const char *family_name, *wrap_name;
    const struct sim_family *family;
    enum sim_wrap_kind wrap;
    double difficulty, job_every, reject;
    uint64_t seed;
    bool events;

    int listen_fd, signal_fd;
    struct miner *miners[MINERS_MAX];
    size_t n_miners;
    struct totals totals;
};

static void event(const struct server *s, const struct miner *m, const char *what)
{
    if (!s->events)
        return;
    struct lamp_json j;
    lamp_json_init(&j, 4096);
    lamp_json_object(&j, NULL);
    lamp_json_str(&j, "event", what);
    lamp_json_time(&j, "time", lamp_clock_real_us());
    lamp_json_str(&j, "user", m->pool.user);
    lamp_json_uint(&j, "submitted", m->pool.shares.submitted);
    lamp_json_uint(&j, "accepted", m->pool.shares.accepted);
    lamp_json_end(&j);
    if (!lamp_json_error(&j))
        puts(j.buf);
    fflush(stdout);
    lamp_json_done(&j);
}

static void drop(struct server *s, size_t at)
{
    struct miner *m = s->miners[at];
    event(s, m, "disconnect");
    s->totals.jobs += m->pool.jobs;
    s->totals.bytes_up += m->in.bytes;
    s->totals.bytes_down += m->bytes_down;
    s->totals.shares.submitted += m->pool.shares.submitted;
    s->totals.shares.accepted += m->pool.shares.accepted;
    s->totals.shares.rejected += m->pool.shares.rejected;
    close(m->fd);
    free(m);
    s->miners[at] = s->miners[--s->n_miners];
}

static void admit(struct server *s)
{
    const int fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct miner *m = s->n_miners < MINERS_MAX ? calloc(1, sizeof(*m)) : NULL;
    if (!m) {
        s->totals.refused++;
        close(fd);
        return;
    }
    m->fd = fd;
    m->wrap = (struct sim_wrap){ .kind = s->wrap,
                                 .is_pool = true,
                                 .family = s->family_name,
                                 .rng = { s->seed ^ s->totals.connections } };
    sim_give_up_after(fd, GIVE_UP_MS);
    sim_pool_init(&m->pool, s->family, s->difficulty, s->reject, s->seed + s->totals.connections++);
    s->miners[s->n_miners++] = m;
}

static int hear(struct server *s, struct miner *m, uint64_t now_us)
{
    const char *line;
    size_t len;
    int err = sim_wrap_read(&m->wrap, m->fd, &m->in);
    if (err)
        return err;
    const uint64_t shares = m->pool.shares.submitted;
    const bool known = m->pool.authorised;
    while (!err && sim_lines_next(&m->in, &line, &len))
        err = sim_pool_input(&m->pool, line, len, &m->out);
    if (!known && m->pool.authorised) {
        m->next_job_us = now_us + (uint64_t)(s->job_every * 1e6);
        event(s, m, "login");
    }
    if (m->pool.shares.submitted != shares)
        event(s, m, "share");
    return err;
}

static int serve_miner(struct server *s, struct miner *m, short revents, uint64_t now_us)
{
    int err = LAMP_OK;
    if (revents & (POLLIN | POLLHUP | POLLERR))
        err = hear(s, m, now_us);
    if (!err && m->pool.authorised && !s->family->asks && now_us >= m->next_job_us) {
        sim_pool_job(&m->pool, m->pool.jobs % 8 == 0, &m->out);
        m->next_job_us += (uint64_t)(s->job_every * 1e6);
    }
    return err ? err : sim_wrap_flush(&m->wrap, &m->out, m->fd, &m->bytes_down);
}

static void serve(struct server *s)
{
    for (;;) {
        struct pollfd p[POLL_FIRST + MINERS_MAX] = {
            [POLL_SIGNALS] = { .fd = s->signal_fd, .events = POLLIN },
            [POLL_LISTEN] = { .fd = s->listen_fd, .events = POLLIN },
        };
        uint64_t now_us = lamp_clock_mono_us(), next_us = now_us + 1000000;
        const size_t n = s->n_miners;
        for (size_t i = 0; i < n; i++) {
            const struct miner *m = s->miners[i];
            p[POLL_FIRST + i].fd = m->fd;
            p[POLL_FIRST + i].events =
                sim_wrap_waits(&m->wrap, &m->out) ? POLLIN | POLLOUT : POLLIN;
            if (m->pool.authorised && !s->family->asks && m->next_job_us < next_us)
                next_us = m->next_job_us;
        }
        if (poll(p, POLL_FIRST + n, sim_poll_ms(now_us, next_us)) < 0 && errno != EINTR)
            return;
        if (p[POLL_SIGNALS].revents)
            return;
        now_us = lamp_clock_mono_us();
        for (size_t i = n; i-- > 0;) {
            if (serve_miner(s, s->miners[i], p[POLL_FIRST + i].revents, now_us))
                drop(s, i);
        }
        if (p[POLL_LISTEN].revents)
            admit(s);
    }
}

static void report(const struct totals *t)
{
    struct lamp_json j;
    lamp_json_init(&j, 4096);
    lamp_json_object(&j, NULL);
    lamp_json_str(&j, "event", "report");
    lamp_json_uint(&j, "connections", t->connections);
    lamp_json_uint(&j, "refused", t->refused);
    lamp_json_uint(&j, "jobs", t->jobs);
    lamp_json_object(&j, "shares");
    lamp_json_uint(&j, "submitted", t->shares.submitted);
    lamp_json_uint(&j, "accepted", t->shares.accepted);
    lamp_json_uint(&j, "rejected", t->shares.rejected);
    lamp_json_end(&j);
    lamp_json_object(&j, "payload");
    lamp_json_uint(&j, "up", t->bytes_up);
    lamp_json_uint(&j, "down", t->bytes_down);
    lamp_json_end(&j);
    lamp_json_end(&j);
    if (!lamp_json_error(&j))
        puts(j.buf);
    lamp_json_done(&j);
}

int sim_cmd_pool(int argc, char **argv)
{
    struct server s = { .job_every = 30, .seed = 1 };
    bool help = false;
    char why[SIM_WHY] = "";
    const struct sim_opt opts[] = {
        { "listen", SIM_OPT_ENDPOINT, &s.listen, "where miners connect" },
        { "family", SIM_OPT_STR, &s.family_name, "stratum-v1, cryptonote, eth-proxy, kaspa, ..." },
        { "wrap", SIM_OPT_STR, &s.wrap_name,
          "none, http, websocket, socks4a, socks5, http-connect, proxy-protocol, sv2" },
        { "difficulty", SIM_OPT_DOUBLE, &s.difficulty,
          "as announced, or hashes per share where that is a target" },
        { "job-every", SIM_OPT_DOUBLE, &s.job_every, "seconds between jobs (30)" },
        { "reject", SIM_OPT_DOUBLE, &s.reject, "probability that a share is refused (0)" },
        { "seed", SIM_OPT_UINT, &s.seed, "of everything random (1)" },
        { "events", SIM_OPT_FLAG, &s.events, "a JSON line for each login, share, disconnect" },
        { "help", SIM_OPT_FLAG, &help, "this text" },
    };
    const int bad = sim_opt_argv(opts, ARRAY_LEN(opts), argc, argv, 2, NULL, 0, why);
    if (help) {
        puts("poolsim pool --listen ADDRESS:PORT --family FAMILY [OPTION...]: serves until "
             "SIGTERM, then prints one JSON line.");
        sim_opt_help(opts, ARRAY_LEN(opts));
        return 0;
    }
    s.family = s.family_name ? sim_family_find(s.family_name) : NULL;
    s.wrap = s.family_name ? sim_wrap_of(s.family_name) : SIM_WRAP_NONE;
    const int odd = s.wrap_name ? sim_wrap_parse(s.wrap_name, &s.wrap) : LAMP_OK;
    if (bad || odd || !s.listen.port || !s.family || s.job_every <= 0) {
        fprintf(stderr, "poolsim pool: %s\n",
                bad ? why : "give --listen, a known --family and --wrap");
        return 2;
    }
    int err = sim_signals(&s.signal_fd);
    if (!err)
        err = sim_listen(&s.listen, &s.listen_fd);
    if (err) {
        fprintf(stderr, "poolsim pool: cannot listen on port %u: %s\n", s.listen.port,
                lamp_strerror(err));
        return 1;
    }
    serve(&s);
    while (s.n_miners)
        drop(&s, s.n_miners - 1);
    report(&s.totals);
    close(s.listen_fd);
    close(s.signal_fd);
    return 0;
}
