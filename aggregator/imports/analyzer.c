/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/imports/analyzer.h"

#include "common/clock.h"
#include "common/text.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum {
    LINE_BYTES = 1 << 20,
    SAID_BYTES = 512, /* of standard error */
    POLL_MS = 200,
    END_POLL_MS = 10,
    LAST_MS = 5000,     /* for its end, once it has closed what it says things on */
    CANNOT_START = 125, /* exit status before the program is one */
    NICE = 10,
};

/* What a running process has said. */
struct talk {
    const struct lamp_analyzer_cfg *cfg;
    int out, err; /* pipes; -1: ended */
    pid_t pid;
    lamp_analyzer_line_fn *line;
    void *arg;
    char *buf; /* LINE_BYTES + 1 */
    size_t len;
    bool skipping; /* the rest of a line that is too long */
    uint64_t dropped;
    char said[SAID_BYTES];
    size_t n_said;
    bool given_up, too_slow;
};

/* ---- the child, between fork and exec: only what signal-safety(7) allows ---- */

/* Of processor time the first limit is told by SIGXCPU, so that it can be told from other ends. */
static bool set_limit(__rlimit_resource_t what, rlim_t most)
{
    const struct rlimit r = { most, what == RLIMIT_CPU ? most + 5 : most };
    return setrlimit(what, &r) == 0;
}

static void fail_child(const char *what)
{
    (void)!write(STDERR_FILENO, what, strlen(what));
    _exit(CANNOT_START);
}

static void become(const struct lamp_analyzer_cfg *cfg, char *const argv[], int in, int out,
                   int err)
{
    char locale[] = "LC_ALL=C", *const env[] = { locale, NULL };
    sigset_t none;
    sigemptyset(&none);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)setpriority(PRIO_PROCESS, 0,
                      NICE); /* it can wait; refused where priorities may not change */
    if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
        dup2(err, STDERR_FILENO) < 0 || syscall(SYS_close_range, 3, ~0U, 0) < 0 ||
        sigprocmask(SIG_SETMASK, &none, NULL) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        chdir("/") < 0)
        fail_child("it cannot be prepared");
    if (!set_limit(RLIMIT_CORE, 0) || !set_limit(RLIMIT_FSIZE, 0) ||
        !set_limit(RLIMIT_NOFILE, 64) || !set_limit(RLIMIT_CPU, cfg->cpu_s) ||
        (cfg->memory_bytes && !set_limit(RLIMIT_DATA, cfg->memory_bytes)))
        fail_child("its limits cannot be set");
    execve(cfg->program, argv, env);
    fail_child("the program cannot be started");
}

/* ---- the parent ---- */

static void take_lines(struct talk *t)
{
    size_t at = 0;
    for (char *end; (end = memchr(t->buf + at, '\n', t->len - at)) != NULL;) {
        *end = '\0';
        const size_t len = (size_t)(end - (t->buf + at));
        if (!t->skipping)
            t->line(t->buf + at, len, t->arg);
        t->skipping = false;
        at += len + 1;
    }
    memmove(t->buf, t->buf + at, t->len - at);
    t->len -= at;
    if (t->len == LINE_BYTES) {
        t->dropped += !t->skipping;
        t->skipping = true;
        t->len = 0;
    }
}

static void read_out(struct talk *t)
{
    const ssize_t n = read(t->out, t->buf + t->len, LINE_BYTES - t->len);
    if (n > 0) {
        t->len += (size_t)n;
        take_lines(t);
    } else if (n == 0 || errno != EINTR) {
        close(t->out);
        t->out = -1;
    }
}

/* The first words are kept, the rest is read so that it does not block. */
static void read_err(struct talk *t)
{
    char buf[1024];
    const ssize_t n = read(t->err, buf, sizeof(buf));
    if (n > 0) {
        const size_t take = lamp_min((size_t)n, sizeof(t->said) - 1 - t->n_said);
        memcpy(t->said + t->n_said, buf, take);
        t->n_said += take;
    } else if (n == 0 || errno != EINTR) {
        close(t->err);
        t->err = -1;
    }
}

/* Until it has nothing more to say, or is told to end. */
static void listen_to(struct talk *t, lamp_analyzer_idle_fn *idle)
{
    const uint64_t until_us = lamp_clock_mono_us() + t->cfg->wall_s * UINT64_C(1000000);
    uint64_t looked_us = 0;
    while (t->out >= 0 || t->err >= 0) {
        struct pollfd fds[] = { { t->out, POLLIN, 0 }, { t->err, POLLIN, 0 } };
        (void)poll(fds, ARRAY_LEN(fds), POLL_MS);
        if (fds[0].revents)
            read_out(t);
        if (fds[1].revents)
            read_err(t);
        const uint64_t now_us = lamp_clock_mono_us();
        t->too_slow = now_us > until_us;
        if (now_us - looked_us > POLL_MS * UINT64_C(1000)) {
            looked_us = now_us;
            t->given_up = idle(t->arg);
        }
        if (t->given_up || t->too_slow)
            return;
    }
}

/* The first line that it said of itself, without its name. */
static const char *last_words(struct talk *t, char *buf, size_t size)
{
    static const char name[] = "davylamp-sensor: ";
    const char *text =
        strncmp(t->said, name, sizeof(name) - 1) == 0 ? t->said + sizeof(name) - 1 : t->said;
    return lamp_text_safe((const uint8_t *)text, strcspn(text, "\n"), buf, size);
}

static int judge(struct talk *t, int status, char why[LAMP_ANALYZER_WHY])
{
    char words[200];
    if (t->given_up)
        return LAMP_ECLOSED;
    if (WIFEXITED(status) && WEXITSTATUS(status) <= 1 && !t->too_slow)
        return LAMP_OK;
    const int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (t->too_slow)
        snprintf(why, LAMP_ANALYZER_WHY, "the analysis took longer than %u s and was ended",
                 t->cfg->wall_s);
    else if (sig == SIGXCPU)
        snprintf(why, LAMP_ANALYZER_WHY,
                 "the analysis needed more than %u s of processor time and was ended",
                 t->cfg->cpu_s);
    else if (sig == SIGKILL)
        snprintf(why, LAMP_ANALYZER_WHY,
                 "the system ended the analysis, most likely for want of memory");
    else if (sig == SIGSYS)
        snprintf(why, LAMP_ANALYZER_WHY,
                 "the analysis tried what its sandbox forbids and was ended");
    else if (sig)
        snprintf(why, LAMP_ANALYZER_WHY, "the analysis broke down (signal %d: %s)%s%s", sig,
                 sigdescr_np(sig) ? sigdescr_np(sig) : "?", *t->said ? ": " : "",
                 last_words(t, words, sizeof(words)));
    else
        snprintf(why, LAMP_ANALYZER_WHY, "%.120s did not run (exit status %d)%s%s", t->cfg->program,
                 WEXITSTATUS(status), *t->said ? ": " : "", last_words(t, words, sizeof(words)));
    return LAMP_EIO;
}

static int start(struct talk *t, int fd, char why[LAMP_ANALYZER_WHY])
{
    char *const argv[] = { (char *)(uintptr_t)t->cfg->program,
                           (char[]){ "analyze" },
                           (char[]){ "--json" },
                           (char[]){ "--minutes" },
                           (char[]){ "--confined" },
                           (char[]){ "--catalogue" },
                           (char *)(uintptr_t)t->cfg->catalogue,
                           (char[]){ "-" },
                           NULL };
    int out[2] = { -1, -1 }, err[2] = { -1, -1 };
    if (pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0)
        t->pid = fork();
    if (t->pid == 0)
        become(t->cfg, argv, fd, out[1], err[1]);
    for (int i = 0; i < 2; i++) {
        const int ends[] = { out[1], err[1] };
        if (ends[i] >= 0)
            close(ends[i]);
    }
    t->out = out[0];
    t->err = err[0];
    if (t->pid > 0)
        return LAMP_OK;
    snprintf(why, LAMP_ANALYZER_WHY, "no process for the analysis: %s", lamp_strerror(-errno));
    return LAMP_EIO;
}

/* It has said all it has to say, so it ends; one that does not is ended. */
static void await_end(struct talk *t, int *out_status)
{
    const uint64_t until_us = lamp_clock_mono_us() + LAST_MS * UINT64_C(1000);
    pid_t got;
    while ((got = waitpid(t->pid, out_status, WNOHANG)) == 0 || (got < 0 && errno == EINTR)) {
        if (!t->too_slow && lamp_clock_mono_us() > until_us) {
            t->too_slow = true;
            (void)kill(t->pid, SIGKILL);
        }
        (void)poll(NULL, 0, END_POLL_MS);
    }
}

int lamp_analyzer_run(const struct lamp_analyzer_cfg *cfg, int fd, lamp_analyzer_line_fn *line,
                      lamp_analyzer_idle_fn *idle, void *arg, uint64_t *out_dropped,
                      char why[LAMP_ANALYZER_WHY])
{
    struct talk t = { .cfg = cfg, .out = -1, .err = -1, .pid = -1, .line = line, .arg = arg };
    int status = 0;
    t.buf = malloc(LINE_BYTES + 1);
    if (!t.buf)
        return LAMP_ENOMEM;
    int err = start(&t, fd, why);
    if (!err) {
        listen_to(&t, idle);
        if (t.given_up || t.too_slow)
            (void)kill(t.pid, SIGKILL);
        await_end(&t, &status);
        err = judge(&t, status, why);
    }
    if (t.out >= 0)
        close(t.out);
    if (t.err >= 0)
        close(t.err);
    free(t.buf);
    *out_dropped = t.dropped;
    return err;
}
