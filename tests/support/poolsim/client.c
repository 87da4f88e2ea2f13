/* SPDX-License-Identifier: Apache-2.0 */
/* `poolsim client`: one miner of known hash rate. It stops finding shares while an answer is
 * overdue, so every share counted as submitted has been on the wire. */
#include "common/clock.h"
#include "common/json.h"
#include "tests/support/poolsim/commands.h"
#include "tests/support/poolsim/wrap.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

enum { STALL_US = 2000000, CONNECT_US = 5000000, RETRY_US = 1000000, DRAIN_US = 3000000 };

enum state {
    AWAY, /* no connection; try again at retry_us */
    CONNECTING,
    TALKING,
    DRAINING, /* waiting for the last answers */
    CLOSING,  /* our FIN is sent, waiting for theirs */
    DONE,
};

struct miner {
    struct sim_endpoint connect;
    const char *family_name, *wrap_name, *user, *agent, *password, *bind, *host;
    enum sim_wrap_kind kind;
    const struct sim_family *family;
    double hashrate, share_every, duration, idle_every, claim, timeout;
    uint64_t shares, seed;
    bool reconnect, events;

    struct lamp_addr source;
    enum state state;
    int fd;
    struct sim_client session;
    struct sim_lines in;
    struct sim_out out;
    struct sim_wrap wrap;
    struct lamp_rng pace;
    uint64_t since_us; /* of the state; monotonic, as all below */
    uint64_t end_us, share_us, idle_us, heard_us, waiting_us;
    bool stopping, failed;

    uint64_t connections, jobs, bytes_up, bytes_down, first_us, last_us; /* first, last: real */
    struct sim_shares total;
    double work;
};

static struct sim_shares counted(const struct miner *m)
{
    return (struct sim_shares){ m->total.submitted + m->session.shares.submitted,
                                m->total.accepted + m->session.shares.accepted,
                                m->total.rejected + m->session.shares.rejected };
}

static void put_shares(struct lamp_json *j, const struct miner *m)
{
    const struct sim_shares s = counted(m);
    lamp_json_object(j, "shares");
    lamp_json_uint(j, "submitted", s.submitted);
    lamp_json_uint(j, "accepted", s.accepted);
    lamp_json_uint(j, "rejected", s.rejected);
    lamp_json_end(j);
}

static void event(const struct miner *m, const char *what)
{
    if (!m->events)
        return;
    struct lamp_json j;
    lamp_json_init(&j, 4096);
    lamp_json_object(&j, NULL);
    lamp_json_str(&j, "event", what);
    lamp_json_time(&j, "time", lamp_clock_real_us());
    put_shares(&j, m);
    lamp_json_end(&j);
    if (!lamp_json_error(&j))
        puts(j.buf);
    fflush(stdout);
    lamp_json_done(&j);
}

static void enter(struct miner *m, enum state state, uint64_t now_us)
{
    m->state = state;
    m->since_us = now_us;
}

/* Ends the connection and goes away, or is done. */
static void leave(struct miner *m, uint64_t now_us, const char *what)
{
    event(m, what);
    if (m->fd >= 0)
        sim_abort(m->fd);
    m->fd = -1;
    m->total = counted(m);
    m->jobs += m->session.jobs;
    m->bytes_down += m->in.bytes;
    m->session = (struct sim_client){ .family = m->family };
    m->in.len = m->in.used = 0;
    m->in.bytes = 0;
    m->out.len = 0;
    const bool again = m->reconnect && !m->stopping;
    m->failed = !again && m->state != CLOSING;
    enter(m, again ? AWAY : DONE, now_us);
}

static void start(struct miner *m, uint64_t now_us)
{
    if (sim_connect(&m->connect, m->bind ? &m->source : NULL, &m->fd)) {
        m->fd = -1;
        leave(m, now_us, "refused");
        return;
    }
    if (m->first_us == 0)
        m->first_us = lamp_clock_real_us();
    sim_client_init(&m->session, m->family, m->user, m->agent, m->seed + ++m->connections);
    snprintf(m->session.password, sizeof(m->session.password), "%s", m->password);
    enter(m, CONNECTING, now_us);
}

static void finish_connect(struct miner *m, uint64_t now_us)
{
    if (sim_connected(m->fd)) {
        leave(m, now_us, "refused");
        return;
    }
    event(m, "connected");
    enter(m, TALKING, now_us);
    m->share_us = 0;
    m->heard_us = now_us;
    m->idle_us = now_us + (uint64_t)(m->idle_every * 1e6);
    m->wrap = (struct sim_wrap){ .kind = m->kind,
                                 .host = m->host,
                                 .port = m->connect.port,
                                 .user = m->user,
                                 .password = m->password,
                                 .agent = m->agent,
                                 .family = m->family_name,
                                 .rng = { m->seed ^ m->connections << 8 } };
    sim_wrap_begin(&m->wrap);
    sim_client_hello(&m->session, &m->out);
}

static double share_mean(const struct miner *m)
{
    return m->hashrate > 0 ? m->session.work / m->hashrate : m->share_every;
}

static uint64_t next_share(struct miner *m, uint64_t from_us)
{
    return from_us + (uint64_t)(1e6 * lamp_rng_exponential(&m->pace, share_mean(m)));
}

static void hear(struct miner *m, uint64_t now_us)
{
    const struct sim_shares before = counted(m);
    const char *line;
    size_t len;
    const int err = sim_wrap_read(&m->wrap, m->fd, &m->in);
    if (err) {
        leave(m, now_us, err == LAMP_ECLOSED ? "closed" : "lost");
        return;
    }
    m->heard_us = now_us;
    while (sim_lines_next(&m->in, &line, &len)) {
        if (sim_client_input(&m->session, line, len, &m->out)) {
            leave(m, now_us, "garbled");
            return;
        }
    }
    const struct sim_shares after = counted(m);
    if (after.accepted != before.accepted)
        event(m, "accepted");
    if (after.rejected != before.rejected)
        event(m, "rejected");
    if (m->session.work > 0 && m->share_us == 0) {
        m->share_us = next_share(m, now_us);
        if (m->end_us == 0 && m->duration > 0)
            m->end_us = now_us + (uint64_t)(m->duration * 1e6);
        event(m, "mining");
    }
    if (m->session.in_flight == 0)
        m->waiting_us = 0;
}

static bool overdue(const struct miner *m, uint64_t now_us, uint64_t limit_us)
{
    return m->waiting_us && now_us - m->waiting_us > limit_us;
}

static void work(struct miner *m, uint64_t now_us)
{
    if (m->share_us && now_us >= m->share_us) {
        if (!overdue(m, now_us, STALL_US)) {
            sim_client_share(&m->session, &m->out);
            m->work += m->session.work;
            m->waiting_us = m->waiting_us ? m->waiting_us : now_us;
            event(m, "share");
        }
        m->share_us = next_share(m, m->share_us);
    }
    if (m->idle_every > 0 && m->session.logged_in && now_us >= m->idle_us) {
        if (!overdue(m, now_us, STALL_US))
            sim_client_idle(&m->session, m->claim, &m->out);
        m->idle_us += (uint64_t)(m->idle_every * 1e6);
    }
    const uint64_t timeout_us = (uint64_t)(m->timeout * 1e6);
    const bool no_work = m->share_us == 0 && now_us - m->since_us > timeout_us;
    if (no_work || overdue(m, now_us, timeout_us)) {
        leave(m, now_us, "timeout");
        return;
    }
    const bool enough = m->shares && counted(m).submitted >= m->shares;
    if (m->stopping || enough || (m->end_us && now_us >= m->end_us)) {
        m->stopping = true;
        enter(m, DRAINING, now_us);
    }
}

static void step(struct miner *m, short revents, uint64_t now_us)
{
    if (m->state == CONNECTING && revents)
        finish_connect(m, now_us);
    else if (m->state >= TALKING && (revents & (POLLIN | POLLHUP | POLLERR)))
        hear(m, now_us);

    if (m->state == AWAY && (m->connections == 0 || now_us - m->since_us > RETRY_US))
        start(m, now_us);
    else if (m->state == CONNECTING && now_us - m->since_us > CONNECT_US)
        leave(m, now_us, "timeout");
    else if (m->state == TALKING)
        work(m, now_us);

    if ((m->state == TALKING || m->state == DRAINING) &&
        sim_wrap_flush(&m->wrap, &m->out, m->fd, &m->bytes_up)) {
        leave(m, now_us, "lost");
        return;
    }
    if (m->state == DRAINING && (m->session.in_flight == 0 || now_us - m->since_us > DRAIN_US)) {
        shutdown(m->fd, SHUT_WR);
        enter(m, CLOSING, now_us);
    }
    if (m->state == CLOSING && now_us - m->since_us > DRAIN_US)
        leave(m, now_us, "timeout");
}

static uint64_t next_moment(const struct miner *m, uint64_t now_us)
{
    uint64_t next = now_us + 200000;
    if (m->state == TALKING && m->share_us && m->share_us < next)
        next = m->share_us;
    return next;
}

static int run(struct miner *m, int signal_fd)
{
    while (m->state != DONE) {
        uint64_t now_us = lamp_clock_mono_us();
        const bool writing = m->state == CONNECTING || sim_wrap_waits(&m->wrap, &m->out);
        struct pollfd p[2] = { { .fd = signal_fd, .events = POLLIN },
                               { .fd = m->fd, .events = writing ? POLLIN | POLLOUT : POLLIN } };
        if (poll(p, 2, sim_poll_ms(now_us, next_moment(m, now_us))) < 0 && errno != EINTR)
            return -errno;
        now_us = lamp_clock_mono_us();
        const bool asked = p[0].revents != 0 || (m->end_us && now_us >= m->end_us);
        if (asked && !m->stopping) {
            m->stopping = true;
            if (m->state < TALKING)
                leave(m, now_us, "stopped");
        }
        if (p[0].revents)
            signal_fd = -1;
        if (m->state != DONE)
            step(m, p[1].revents, now_us);
    }
    m->last_us = lamp_clock_real_us();
    return LAMP_OK;
}

static void report(const struct miner *m)
{
    struct lamp_json j;
    lamp_json_init(&j, 4096);
    lamp_json_object(&j, NULL);
    lamp_json_str(&j, "event", "report");
    lamp_json_str(&j, "family", m->family_name);
    lamp_json_str(&j, "user", m->user);
    lamp_json_uint(&j, "connections", m->connections);
    put_shares(&j, m);
    lamp_json_uint(&j, "jobs", m->jobs);
    lamp_json_object(&j, "payload");
    lamp_json_uint(&j, "up", m->bytes_up);
    lamp_json_uint(&j, "down", m->bytes_down);
    lamp_json_end(&j);
    lamp_json_double(&j, "work", m->work);
    if (m->hashrate > 0)
        lamp_json_double(&j, "hashrate", m->hashrate);
    else if (m->total.submitted)
        lamp_json_double(&j, "hashrate", m->work / (double)m->total.submitted / m->share_every);
    lamp_json_time(&j, "first", m->first_us);
    lamp_json_time(&j, "last", m->last_us);
    lamp_json_end(&j);
    if (!lamp_json_error(&j))
        puts(j.buf);
    lamp_json_done(&j);
}

static int parse(struct miner *m, int argc, char **argv, char why[SIM_WHY], bool *help)
{
    const struct sim_opt opts[] = {
        { "connect", SIM_OPT_ENDPOINT, &m->connect, "the pool" },
        { "bind", SIM_OPT_STR, &m->bind, "own address to connect from" },
        { "family", SIM_OPT_STR, &m->family_name, "stratum-v1, cryptonote, eth-proxy, kaspa, ..." },
        { "wrap", SIM_OPT_STR, &m->wrap_name,
          "none, http, websocket, socks4a, socks5, http-connect, proxy-protocol, sv2" },
        { "host", SIM_OPT_STR, &m->host, "name of the pool in the wrapper (pool.example.org)" },
        { "user", SIM_OPT_STR, &m->user, "WALLET.WORKER" },
        { "agent", SIM_OPT_STR, &m->agent, "mining software as it names itself" },
        { "password", SIM_OPT_STR, &m->password, "password field (x)" },
        { "hashrate", SIM_OPT_DOUBLE, &m->hashrate, "true hashes per second" },
        { "share-every", SIM_OPT_DOUBLE, &m->share_every, "mean seconds, instead of --hashrate" },
        { "duration", SIM_OPT_DOUBLE, &m->duration, "seconds from the first job on (no end)" },
        { "shares", SIM_OPT_UINT, &m->shares, "end after so many" },
        { "seed", SIM_OPT_UINT, &m->seed, "of everything random (1)" },
        { "reconnect", SIM_OPT_FLAG, &m->reconnect, "come back when the connection ends" },
        { "timeout", SIM_OPT_DOUBLE, &m->timeout, "seconds without an answer until it ends (20)" },
        { "idle-every", SIM_OPT_DOUBLE, &m->idle_every, "seconds between keep-alives, polls (0)" },
        { "claim", SIM_OPT_DOUBLE, &m->claim, "hash rate to report (eth-proxy)" },
        { "events", SIM_OPT_FLAG, &m->events, "a JSON line for everything that happens" },
        { "help", SIM_OPT_FLAG, help, "this text" },
    };
    const int bad = sim_opt_argv(opts, ARRAY_LEN(opts), argc, argv, 2, NULL, 0, why);
    if (*help) {
        puts("poolsim client --connect ADDRESS:PORT --family FAMILY --user WALLET.WORKER "
             "(--hashrate H | --share-every S) [OPTION...]: mines, then prints one JSON line.");
        sim_opt_help(opts, ARRAY_LEN(opts));
        return LAMP_OK;
    }
    if (bad)
        return bad;
    m->family = m->family_name ? sim_family_find(m->family_name) : NULL;
    m->kind = m->family_name ? sim_wrap_of(m->family_name) : SIM_WRAP_NONE;
    if (m->wrap_name && sim_wrap_parse(m->wrap_name, &m->kind)) {
        snprintf(why, SIM_WHY, "--wrap: there is no %.100s", m->wrap_name);
        return LAMP_ENOENT;
    }
    if (!m->connect.port || !m->family || (m->hashrate <= 0 && m->share_every <= 0)) {
        snprintf(why, SIM_WHY, "give --connect, a known --family, --hashrate or --share-every");
        return LAMP_EINVAL;
    }
    if (m->bind && lamp_addr_parse(m->bind, &m->source)) {
        snprintf(why, SIM_WHY, "--bind: not an address: %.100s", m->bind);
        return LAMP_EFORMAT;
    }
    return LAMP_OK;
}

int sim_cmd_client(int argc, char **argv)
{
    static struct miner m = { .fd = -1,
                              .user = "account.worker",
                              .agent = "miner/1.0",
                              .password = "x",
                              .host = "pool.example.org",
                              .timeout = 20,
                              .seed = 1 };
    bool help = false;
    char why[SIM_WHY] = "";
    if (parse(&m, argc, argv, why, &help)) {
        fprintf(stderr, "poolsim client: %s\n", why);
        return 2;
    }
    if (help)
        return 0;
    int signal_fd;
    int err = sim_signals(&signal_fd);
    m.pace = (struct lamp_rng){ m.seed ^ 0x5ca1ab1e };
    m.session.family = m.family;
    if (!err) {
        err = run(&m, signal_fd);
        report(&m);
        close(signal_fd);
    }
    return err || m.failed ? 1 : 0;
}
