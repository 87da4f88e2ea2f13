/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test.h"

#include "sensor/process/channel.h"
#include "sensor/process/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

enum {
    CAPTURE = 1 << LAMP_SANDBOX_CAPTURE,
    LINK = 1 << LAMP_SANDBOX_LINK,
    ENFORCE = 1 << LAMP_SANDBOX_ENFORCE,
    ANALYZE = 1 << LAMP_SANDBOX_ANALYZE,
    READERS = CAPTURE | ANALYZE,
    ALL = READERS | LINK | ENFORCE,
    MIB = 1024 * 1024,
    NO_SANDBOX = 77, /* exit status of a child that could not enter */
    SKIPPED = 78,
};

static char folder[] = "/tmp/davylamp-test-sandbox.XXXXXX";
static int channel[2], other; /* `other`: a socket that capture may not write to */

/* ---- what the children try; 0: it worked as meant ---- */

static int try_execve(void)
{
    char *const argv[] = { "true", NULL };
    return execv("/bin/true", argv);
}

static int try_fork(void)
{
    const pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return pid < 0;
}

static int try_inet(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) < 0;
}

/* The kernel reads an int: bits above it must not get past the filter. */
static int try_inet_wide(void)
{
    return syscall(SYS_socket, (uint64_t)1 << 32 | AF_INET, SOCK_STREAM, 0) < 0;
}

static int try_packet(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0) < 0;
}

static int try_unix(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0) < 0;
}

static int try_netlink(void)
{
    return socket(AF_NETLINK, SOCK_RAW, 0) < 0;
}

static int try_open(void)
{
    return open("/etc/passwd", O_RDONLY) < 0;
}

static int try_ioctl(void)
{
    struct ifreq r = { .ifr_name = "lo" };
    return ioctl(channel[0], SIOCSIFFLAGS, &r) < 0;
}

/* libpcap's question; a unix socket does not know the answer, the packet socket does. */
static int try_interface_flags(void)
{
    struct ifreq r = { .ifr_name = "lo" };
    return ioctl(channel[0], SIOCGIFFLAGS, &r) < 0 && errno != ENOTTY;
}

static int try_ptrace(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0;
}

static int try_bpf(void)
{
    return syscall(SYS_bpf, 0, NULL, 0) < 0;
}

static int try_mount(void)
{
    return syscall(SYS_mount, "none", "/nowhere", "tmpfs", 0, NULL) < 0;
}

static int try_setuid(void)
{
    return setuid(getuid()) < 0;
}

static int try_code(void)
{
    void *p =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED;
}

static int try_code_later(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED || mprotect(p, 4096, PROT_READ | PROT_EXEC) < 0;
}

static int try_send_elsewhere(void)
{
    return send(other, "x", 1, MSG_NOSIGNAL) < 0;
}

static int try_write_elsewhere(void)
{
    return write(other, "x", 1) < 0;
}

static int try_kill(void)
{
    return kill(getppid(), 0) < 0;
}

#ifdef __x86_64__
/* The number of x32's getpid(): a call that is allowed, by the door of another architecture. */
static int try_x32(void)
{
    return syscall(0x40000000 | SYS_getpid) < 0;
}
#endif

static int try_channel(void)
{
    static uint8_t buf[LAMP_CHANNEL_MAX];
    size_t len;
    struct pollfd p = { .fd = channel[0], .events = POLLOUT };
    return poll(&p, 1, 0) != 1 || lamp_channel_send(channel[0], "hello", 5) != LAMP_OK ||
           lamp_channel_recv(channel[0], buf, &len) != LAMP_EAGAIN;
}

static int try_stderr(void)
{
    return write(STDERR_FILENO, "", 0) < 0;
}

/* As the process does for hours: large and small, up and down. */
static int try_memory(void)
{
    for (size_t size = 16; size <= 8 * MIB; size *= 2) {
        char *p = malloc(size);
        if (!p)
            return 1;
        memset(p, 1, size);
        char *q = realloc(p, size * 2);
        if (!q) {
            free(p);
            return 1;
        }
        free(q);
    }
    return 0;
}

/* More than the sandbox was told: refused, not killed. */
static int try_too_much_memory(void)
{
    void *p =
        mmap(NULL, 256 * (size_t)MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p != MAP_FAILED || errno != ENOMEM;
}

static int try_stat(void)
{
    struct stat st;
    return fstat(STDERR_FILENO, &st) < 0;
}

static int try_time(void)
{
    struct timespec ts;
    struct tm tm;
    struct rusage u;
    /* The system call itself, where the kernel's shared page cannot answer. */
    if (syscall(SYS_clock_gettime, CLOCK_REALTIME, &ts) < 0 || getrusage(RUSAGE_SELF, &u) < 0)
        return 1;
    return !gmtime_r(&ts.tv_sec, &tm);
}

static int try_limits(void)
{
    struct rlimit core, fds;
    if (getrlimit(RLIMIT_CORE, &core) < 0 || getrlimit(RLIMIT_NOFILE, &fds) < 0)
        return 1;
    return core.rlim_max != 0 || fds.rlim_max > 256;
}

static void *in_thread(void *arg)
{
    return arg;
}

static int try_thread(void)
{
    pthread_t t;
    return pthread_create(&t, NULL, in_thread, NULL) != 0 || pthread_join(t, NULL) != 0;
}

/* Files: what was not granted is refused where the kernel has landlock. */
static int write_at(const char *path)
{
    const int fd = open(path, O_WRONLY | O_CREAT, 0600);
    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}

static bool has_landlock;

static int try_own_folder(void)
{
    char path[64];
    snprintf(path, sizeof(path), "%s/file", folder);
    return write_at(path) || unlink(path) < 0;
}

static int try_other_folder(void)
{
    if (!has_landlock)
        _exit(SKIPPED);
    char path[80];
    snprintf(path, sizeof(path), "%s-other", folder);
    return write_at(path) != -EACCES;
}

static int try_read_etc(void)
{
    const int fd = open("/etc/passwd", O_RDONLY);
    return fd < 0;
}

static const struct {
    const char *label;
    int (*act)(void);
    int in; /* sandboxes in which it is tried */
    bool killed;
} cases[] = {
    { "start a program", try_execve, ALL, true },
    { "start a process", try_fork, ALL, true },
    { "inet socket", try_inet, READERS | ENFORCE, true },
    { "inet socket with bits above", try_inet_wide, READERS | ENFORCE, true },
    { "inet socket of link", try_inet, LINK, false },
    { "packet socket", try_packet, ALL, true },
    { "unix socket", try_unix, READERS, true },
    { "unix socket of link and enforce", try_unix, LINK | ENFORCE, false },
    { "netlink socket", try_netlink, READERS, true },
    { "netlink socket of enforce", try_netlink, LINK | ENFORCE, false },
    { "open", try_open, READERS, true },
    { "change an interface", try_ioctl, READERS, true },
    { "flags of an interface", try_interface_flags, CAPTURE, false },
    { "flags of an interface, to analyze", try_interface_flags, ANALYZE, true },
    { "ptrace", try_ptrace, ALL, true },
    { "bpf", try_bpf, ALL, true },
    { "mount", try_mount, ALL, true },
    { "setuid", try_setuid, ALL, true },
    { "writable code", try_code, ALL, true },
    { "code later", try_code_later, READERS, true },
    { "send on another socket", try_send_elsewhere, READERS, true },
    { "write to another descriptor", try_write_elsewhere, READERS, true },
    { "signal to the parent", try_kill, READERS, true },
#ifdef __x86_64__
    { "x32", try_x32, ALL, true },
#endif
    { "thread where none is due", try_thread, READERS, true },
    { "thread", try_thread, LINK, false },
    { "channel", try_channel, ALL, false },
    { "standard error", try_stderr, ALL, false },
    { "memory", try_memory, ALL, false },
    { "too much memory", try_too_much_memory, READERS, false },
    { "kind of a descriptor", try_stat, ANALYZE, false },
    { "time", try_time, ALL, false },
    { "limits", try_limits, LINK | ENFORCE, false },
    { "own folder", try_own_folder, LINK | ENFORCE, false },
    { "another folder", try_other_folder, LINK | ENFORCE, false },
    { "configuration of the machine", try_read_etc, LINK | ENFORCE, false },
};

static const char *const kinds[] = { "capture", "link", "enforce", "analyze" };

static struct lamp_sandbox sandbox_of(unsigned kind, unsigned threads)
{
    return (struct lamp_sandbox){
        .kind = (enum lamp_sandbox_kind)kind,
        .folder = folder,
        .write_fds = { STDERR_FILENO, channel[0], -1, -1 },
        .threads = threads,
        .memory_bytes = 32 * MIB,
    };
}

/* Runs act in a process of its own in the sandbox; the status as waitpid() gives it. */
static int in_sandbox(const struct lamp_sandbox *s, int (*act)(void))
{
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        if (lamp_sandbox_enter(s, &has_landlock) != LAMP_OK)
            _exit(NO_SANDBOX);
        _exit(act() ? 1 : 0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void test_calls(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (unsigned kind = 0; kind < ARRAY_LEN(kinds); kind++) {
            if (!(cases[i].in & 1 << kind))
                continue;
            const struct lamp_sandbox s = sandbox_of(kind, 0);
            const int status = in_sandbox(&s, cases[i].act);
            if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) {
                print_message("%s: left out, this kernel has no landlock\n", cases[i].label);
                continue;
            }
            const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
            const bool fine = WIFEXITED(status) && WEXITSTATUS(status) == 0;
            if (cases[i].killed ? !killed : !fine)
                fail_msg("%s, %s: %s %d", kinds[kind], cases[i].label,
                         WIFSIGNALED(status) ? "signal" : "status",
                         WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        }
    }
}

/* Capture with threads: they start, are under the same filter, and take the process with them. */
static void *open_in_thread(void *arg)
{
    (void)try_open();
    return arg;
}

static int try_threads_that_open(void)
{
    pthread_t t;
    return pthread_create(&t, NULL, open_in_thread, NULL) != 0 || pthread_join(t, NULL) != 0;
}

static void *allocate_in_thread(void *arg)
{
    return try_memory() ? arg : NULL;
}

/* Threads that allocate and free at once, as those of a busy capture. */
static int try_threads_that_allocate(void)
{
    pthread_t t[4];
    int bad = 0;
    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        if (pthread_create(&t[i], NULL, allocate_in_thread, &bad) != 0)
            return 1;
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        void *r;
        if (pthread_join(t[i], &r) != 0 || r)
            bad = 1;
    }
    return bad;
}

static void test_threads(void **state)
{
    (void)state;
    struct lamp_sandbox s = sandbox_of(LAMP_SANDBOX_CAPTURE, 4);
    s.memory_bytes = 128 * MIB;
    assert_int_equal(in_sandbox(&s, try_thread), 0);
    assert_int_equal(in_sandbox(&s, try_threads_that_allocate), 0);
    int status = in_sandbox(&s, try_threads_that_open);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    status = in_sandbox(&s, try_fork);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

/* A broken assertion is told from a forbidden call. */
static int try_abort(void)
{
    abort();
}

static void test_abort(void **state)
{
    (void)state;
    const struct lamp_sandbox s = sandbox_of(LAMP_SANDBOX_CAPTURE, 0);
    const int status = in_sandbox(&s, try_abort);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_abort),
    };
    int other_pair[2];
#ifdef LAMP_NO_SANDBOX
    puts("skipped: a build with sanitizers has no sandbox");
    return 77;
#endif
    if (!mkdtemp(folder) || lamp_channel_pair(channel) != LAMP_OK ||
        socketpair(AF_UNIX, SOCK_STREAM, 0, other_pair) < 0)
        return 1;
    other = other_pair[0];
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)rmdir(folder);
    return failed;
}
