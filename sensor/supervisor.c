/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/supervisor.h"

#include "common/catalogue.h"
#include "common/io.h"
#include "common/log.h"
#include "sensor/capture/capture.h"
#include "sensor/enforce/enforce.h"
#include "sensor/link/link.h"
#include "sensor/process/channel.h"
#include "sensor/process/child.h"
#include "sensor/process/privilege.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

enum {
    CAPTURE,
    LINK,
    ENFORCE,
    N_CHILDREN,
    BACKOFF_FIRST_MS = 500,
    BACKOFF_LAST_MS = 30000,
    STEADY_MS = 60000, /* ran this long: the next pause is short again */
    STOP_MS = 5000,    /* then SIGKILL */
};

struct child {
    const char *name;
    pid_t pid; /* 0: not running */
    uint64_t started_ms, start_at_ms;
    unsigned backoff_ms;
    bool renewed; /* was told to end so that another one begins */
};

struct parent {
    const struct lamp_sensor_conf *conf;
    struct child children[N_CHILDREN];
    int capture_link[2], link_enforce[2], ready[2], signal_fd;
    struct lamp_spool_taken *taken; /* shared with link alone; outlives it */
    unsigned n_ready;
    bool notified;
    bool replayed, replay_failed; /* capture has read its files to their end, or not */
    bool delivered;               /* and the aggregator has all of it */
};

/* Real time, not the test clock: pauses and deadlines of processes. */
static uint64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- folders ---- */

/* Makes state_dir/name and gives it and its files to the user, as far as we may. */
static int prepare_folder(const char *state_dir, const char *name, const char *user)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof(path), "%s/%s", state_dir, name) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    const int err = lamp_io_mkdirs(path, 0755);
    if (err || geteuid() != 0)
        return err;
    uid_t uid;
    gid_t gid;
    if (lamp_privilege_user(user, &uid, &gid) != LAMP_OK) {
        uid = gid = 0;
        lamp_log(LAMP_LOG_WARN, "sensor",
                 "no user '%s' on this machine: staying root, without "
                 "capabilities, in its place (sensor.user, enforce.user)",
                 user);
    }
    DIR *dir = opendir(path);
    if (!dir)
        return -errno;
    int rc = fchown(dirfd(dir), uid, gid) | fchmod(dirfd(dir), 0700);
    for (struct dirent *e = readdir(dir); e && rc == 0; e = readdir(dir))
        if (e->d_type == DT_REG)
            rc = fchownat(dirfd(dir), e->d_name, uid, gid, AT_SYMLINK_NOFOLLOW);
    const int code = rc ? -errno : LAMP_OK;
    closedir(dir);
    return code;
}

static int prepare_folders(const struct lamp_sensor_conf *conf)
{
    int err = prepare_folder(conf->state_dir, "spool", conf->user);
    if (!err)
        err = prepare_folder(conf->state_dir, LAMP_ENFORCE_DIR, conf->enforce.user);
    if (err)
        lamp_log(LAMP_LOG_ERROR, "sensor", "sensor.state_dir: cannot prepare %s: %s",
                 conf->state_dir, lamp_strerror(err));
    return err;
}

/* ---- children ---- */

static int run_child(struct parent *p, size_t which)
{
    const int ready_fd = p->ready[1];
    int keep[3] = { ready_fd, -1, -1 };
    if (which == CAPTURE) {
        keep[1] = p->capture_link[0];
    } else if (which == LINK) {
        keep[1] = p->capture_link[1];
        keep[2] = p->link_enforce[0];
    } else {
        keep[1] = p->link_enforce[1];
    }
    lamp_privilege_close_others(keep, ARRAY_LEN(keep));
    if (which != LINK)
        munmap(p->taken, sizeof(*p->taken));
    switch (which) {
    case CAPTURE:
        return lamp_capture_run(p->conf, keep[1], ready_fd);
    case LINK:
        return lamp_link_run(p->conf, keep[1], keep[2], p->taken, ready_fd);
    default:
        return lamp_enforce_run(p->conf, keep[1], ready_fd);
    }
}

static void start_child(struct parent *p, size_t which)
{
    struct child *c = &p->children[which];
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid == 0) {
        lamp_child_begin(c->name);
        _exit(getppid() == parent ? run_child(p, which) : 1);
    }
    c->started_ms = now_ms();
    if (pid < 0) {
        lamp_log(LAMP_LOG_ERROR, "sensor", "cannot start process=%s: %s", c->name,
                 lamp_strerror(-errno));
        c->start_at_ms = c->started_ms + BACKOFF_LAST_MS;
        return;
    }
    c->pid = pid;
}

static int open_parent(struct parent *p)
{
    static const char *const names[] = { "lamp-capture", "lamp-link", "lamp-enforce" };
    for (size_t i = 0; i < N_CHILDREN; i++)
        p->children[i] = (struct child){ .name = names[i], .backoff_ms = BACKOFF_FIRST_MS };
    signal(SIGPIPE, SIG_IGN); /* a reader of our log lines who goes away is no reason to end */
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    p->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (p->signal_fd < 0 || pipe2(p->ready, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    p->taken =
        mmap(NULL, sizeof(*p->taken), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p->taken == MAP_FAILED)
        return -errno;
    const int err = lamp_channel_pair(p->capture_link);
    return err ? err : lamp_channel_pair(p->link_enforce);
}

/* sd_notify(3) by hand: one datagram to the socket that the environment names. */
static void notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    if (!path || strlen(path) >= sizeof(a.sun_path) || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(a.sun_path, path, strlen(path));
    if (path[0] == '@')
        a.sun_path[0] = '\0';
    LAMP_AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&a,
                         (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))) < 0)
        lamp_log(LAMP_LOG_WARN, "sensor", "cannot notify the service manager");
}

static void check_ready(struct parent *p)
{
    char bytes[16];
    const ssize_t n = read(p->ready[0], bytes, sizeof(bytes));
    if (n > 0)
        p->n_ready += (unsigned)n;
    if (p->notified || p->n_ready < N_CHILDREN)
        return;
    p->notified = true;
    notify("READY=1");
    lamp_log(LAMP_LOG_INFO, "sensor", "running name=%s site=%s", p->conf->name, p->conf->site);
}

/* ---- ends ---- */

static void describe_end(int status, char *buf, size_t size)
{
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        snprintf(buf, size, "killed by its sandbox (signal %d)", WTERMSIG(status));
    else if (WIFSIGNALED(status))
        snprintf(buf, size, "signal=%d", WTERMSIG(status));
    else
        snprintf(buf, size, "status=%d", WEXITSTATUS(status));
}

static bool replays(const struct parent *p)
{
    return p->conf->replay.files.n > 0;
}

/* Capture is done with its files. It is not begun again whatever ended it, since what it had read would
 * count twice. Without an end to hold, its channel tells link that nothing more comes. */
static void on_replay_end(struct parent *p, struct child *c, int status, const char *how)
{
    p->replayed = true;
    p->replay_failed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    c->start_at_ms = UINT64_MAX;
    close(p->capture_link[0]);
    p->capture_link[0] = -1;
    if (p->replay_failed)
        lamp_log(LAMP_LOG_ERROR, "sensor", "not all of replay.files was read %s", how);
    lamp_log(LAMP_LOG_INFO, "sensor", "replay done, waiting until the aggregator has all of it");
}

/* Returns whether the program must end: a process that never worked will not work now. */
static bool on_child_end(struct parent *p, struct child *c, int status)
{
    char how[64];
    describe_end(status, how, sizeof(how));
    c->pid = 0;
    if (c->renewed && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        c->renewed = false;
        c->start_at_ms = 0;
        lamp_log(LAMP_LOG_INFO, "sensor", "process renewed process=%s", c->name);
        return false;
    }
    c->renewed = false;
    if (!p->notified && WIFEXITED(status) && WEXITSTATUS(status) == LAMP_EXIT_CONFIG)
        return true;
    if (replays(p) && c == &p->children[CAPTURE]) {
        on_replay_end(p, c, status, how);
        return false;
    }
    if (p->replayed && c == &p->children[LINK] && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        c->start_at_ms = UINT64_MAX;
        p->delivered = true;
        return false;
    }
    const uint64_t t = now_ms();
    if (t - c->started_ms >= STEADY_MS)
        c->backoff_ms = BACKOFF_FIRST_MS;
    c->start_at_ms = t + c->backoff_ms;
    lamp_log(LAMP_LOG_ERROR, "sensor", "process ended, starting it again process=%s %s pause_ms=%u",
             c->name, how, c->backoff_ms);
    c->backoff_ms = c->backoff_ms * 2 < BACKOFF_LAST_MS ? c->backoff_ms * 2 : BACKOFF_LAST_MS;
    return false;
}

static bool reap(struct parent *p)
{
    bool fatal = false;
    int status;
    for (pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0; pid = waitpid(-1, &status, WNOHANG))
        for (size_t i = 0; i < N_CHILDREN; i++)
            if (p->children[i].pid == pid)
                fatal |= on_child_end(p, &p->children[i], status);
    return fatal;
}

/* Ends one child and waits for it: SIGTERM, then SIGKILL. */
static void stop_child(struct child *c)
{
    if (c->pid == 0)
        return;
    kill(c->pid, SIGTERM);
    const uint64_t until_ms = now_ms() + STOP_MS;
    while (waitpid(c->pid, NULL, WNOHANG) == 0) {
        if (now_ms() > until_ms) {
            lamp_log(LAMP_LOG_WARN, "sensor", "process did not end, killed process=%s", c->name);
            kill(c->pid, SIGKILL);
            (void)waitpid(c->pid, NULL, 0);
            break;
        }
        poll(NULL, 0, 10);
    }
    c->pid = 0;
}

/* Takes over a new catalogue. The capture process can open no file, so another one takes its place: the
 * old one first hands over all it has counted; what passes until the new one watches, some tenths of
 * a second, is not seen. A catalogue with a mistake changes nothing. */
static void reload_catalogue(struct parent *p)
{
    struct child *c = &p->children[CAPTURE];
    lamp_catalogue *catalogue = NULL;
    char why[512];
    if (replays(p)) {
        lamp_log(LAMP_LOG_WARN, "sensor", "SIGHUP: a replay keeps the catalogue it began with");
        return;
    }
    if (lamp_catalogue_load(p->conf->catalogue, &catalogue, why, sizeof(why)) != LAMP_OK) {
        lamp_log(LAMP_LOG_WARN, "sensor", "sensor.catalogue: %s, keeping the old one", why);
        return;
    }
    lamp_catalogue_free(catalogue);
    if (c->pid == 0 || c->renewed)
        return; /* the next one reads it anyway */
    c->renewed = true;
    kill(c->pid, SIGTERM);
    lamp_log(LAMP_LOG_INFO, "sensor",
             "SIGHUP: taking over the catalogue; a new configuration needs a restart");
}

/* Handles what signals came. Returns whether the program must end. */
static bool on_signals(struct parent *p, bool *out_failed)
{
    struct signalfd_siginfo info;
    bool end = false;
    while (read(p->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
            end = true;
        else if (info.ssi_signo == SIGHUP)
            reload_catalogue(p);
    }
    /* SIGCHLD may stand for several ends, so look in any case. */
    *out_failed = reap(p);
    return end || *out_failed || p->delivered;
}

static void start_due(struct parent *p)
{
    const uint64_t t = now_ms();
    for (size_t i = 0; i < N_CHILDREN; i++)
        if (p->children[i].pid == 0 && t >= p->children[i].start_at_ms)
            start_child(p, i);
}

int lamp_supervise(const struct lamp_sensor_conf *conf)
{
    struct parent p = { .conf = conf,
                        .signal_fd = -1,
                        .ready = { -1, -1 },
                        .capture_link = { -1, -1 },
                        .link_enforce = { -1, -1 } };
    if (prepare_folders(conf) != LAMP_OK)
        return 1;
    int err = open_parent(&p);
    if (err) {
        lamp_log(LAMP_LOG_ERROR, "sensor", "cannot start: %s", lamp_strerror(err));
        return 1;
    }
    bool failed = false, end = false;
    while (!end) {
        start_due(&p);
        struct pollfd fds[] = { { .fd = p.signal_fd, .events = POLLIN },
                                { .fd = p.ready[0], .events = POLLIN } };
        (void)poll(fds, ARRAY_LEN(fds), 250);
        end = on_signals(&p, &failed);
        check_ready(&p);
    }
    notify("STOPPING=1");
    /* In the order of the data, so that each hands over what it has. */
    for (size_t i = 0; i < N_CHILDREN; i++)
        stop_child(&p.children[i]);
    lamp_log(LAMP_LOG_INFO, "sensor", "ended");
    return failed || p.replay_failed ? 1 : 0;
}
