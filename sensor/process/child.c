/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/process/child.h"

#include "common/log.h"
#include "sensor/process/privilege.h"

#include <signal.h>
#include <sys/prctl.h>

static volatile sig_atomic_t stop_flag;

static void on_stop(int signo)
{
    (void)signo;
    stop_flag = 1;
}

void lamp_child_begin(const char *name)
{
    /* The parent's end must be ours too: SIGTERM for what cannot end by its channel. */
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    (void)prctl(PR_SET_NAME, name);
    struct sigaction sa = { .sa_handler = on_stop };
    sigemptyset(&sa.sa_mask);
    sigaction(SIGTERM, &sa, NULL);
    signal(SIGINT, SIG_IGN); /* Ctrl-C reaches the group; the parent decides */
    signal(SIGHUP, SIG_IGN);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

bool lamp_child_stopping(void)
{
    return stop_flag != 0;
}

void lamp_child_ready(int ready_fd)
{
    if (write(ready_fd, "r", 1) != 1)
        lamp_log(LAMP_LOG_WARN, "sensor", "cannot tell the parent that all is open");
}

int lamp_child_drop(const char *name, const char *user, uint64_t capabilities)
{
    uid_t uid = 0;
    gid_t gid = 0;
    if (geteuid() == 0 && lamp_privilege_user(user, &uid, &gid) != LAMP_OK)
        uid = gid = 0; /* the parent said so */
    const pid_t parent = getppid();
    const int err = lamp_privilege_drop(uid, gid, capabilities);
    if (!err) {
        /* prctl(2): a change of user takes this back. */
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        return getppid() == parent ? LAMP_OK : LAMP_ECLOSED;
    }
    lamp_log(LAMP_LOG_ERROR, name, "cannot give up privileges: %s", lamp_strerror(err));
    return LAMP_EAUTH;
}

int lamp_child_confine(const char *name, const struct lamp_sandbox *sandbox)
{
    bool landlock = false;
    const int err = lamp_sandbox_enter(sandbox, &landlock);
    if (err == LAMP_EUNSUPPORTED) {
        lamp_log(LAMP_LOG_DEBUG, name, "a build with sanitizers: no sandbox");
        return LAMP_OK;
    }
    if (err) {
        lamp_log(LAMP_LOG_ERROR, name, "cannot enter the sandbox: %s", lamp_strerror(err));
        return LAMP_EKERNEL;
    }
    lamp_log(LAMP_LOG_DEBUG, name, "in the sandbox landlock=%s",
             landlock ? "yes" : "no (this kernel has none)");
    return LAMP_OK;
}
