/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/process/filter.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

/* clone(2): the flags stand in another argument on s390. */
#ifdef __s390__
enum { CLONE_FLAGS = 1 };
#else
enum { CLONE_FLAGS = 0 };
#endif

/* An int in a register of 64 bits: the kernel looks at these, whatever stands above them. */
static const uint32_t whole = UINT32_MAX;

/* What capture may do with any arguments. Names, since not every architecture has every call. */
static const char *const capture_calls[] = {
    /* packets and the time: libpcap polls, reads the ring, and asks why an interface fell silent */
    "poll", "ppoll", "read", "pread64", "recvfrom", "getsockopt", "getsockname", "clock_gettime",
    "gettimeofday",
    /* memory; mmap and mprotect have a rule of their own */
    "munmap", "mremap", "brk", "madvise", "sysinfo",
    /* threads that run already */
    "futex", "sched_yield", "sched_getaffinity", "set_robust_list", "rseq", "exit",
    /* itself */
    "getrandom", "getrusage", "getpid", "gettid", "getppid", "close", "rt_sigreturn",
    "rt_sigprocmask", "sigreturn", "sigprocmask", "restart_syscall", "exit_group",
    /* the same on 32 bits */
    "clock_gettime64", "ppoll_time64", "futex_time64"
};

/* What analysing standard input needs besides: it asks what kind of file that and its output are. */
static const char *const analyze_calls[] = { "fstat", "fstat64", "newfstatat", "fstatat64",
                                             "statx", "lseek",   "_llseek" };

/* What neither link nor enforce ever does: start programs, look into other processes, change the
 * machine. "clone", "socket", "mmap" and "mprotect" have rules of their own. */
static const char *const never_calls[] = {
    /* programs and other processes */
    "execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv", "process_vm_writev",
    "process_madvise", "pidfd_getfd", "kcmp",
    /* the kernel's machinery */
    "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter",
    "io_uring_register", "memfd_create", "memfd_secret", "lookup_dcookie", "personality",
    "modify_ldt", "add_key", "keyctl", "request_key", "nfsservctl", "uselib",
    /* what is mounted where */
    "mount", "umount", "umount2", "move_mount", "open_tree", "fsopen", "fsmount", "fsconfig",
    "fspick", "mount_setattr", "pivot_root", "chroot", "unshare", "setns", "mknod", "mknodat",
    "open_by_handle_at", "swapon", "swapoff", "quotactl", "quotactl_fd",
    /* the machine */
    "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "reboot",
    "settimeofday", "clock_settime", "clock_settime64", "clock_adjtime", "clock_adjtime64",
    "adjtimex", "stime", "sethostname", "setdomainname", "iopl", "ioperm", "acct", "syslog",
    "vhangup",
    /* who we are */
    "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups", "capset"
};

/* Adds one rule per name; what this architecture does not know needs none. */
static int each(scmp_filter_ctx ctx, uint32_t action, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const int number = seccomp_syscall_resolve_name(names[i]);
        if (number == __NR_SCMP_ERROR)
            continue;
        const int err = seccomp_rule_add(ctx, action, number, 0);
        if (err && err != -EDOM)
            return err;
    }
    return 0;
}

/* One rule, for calls whose argument arg (from 0), as far as the mask reaches, is the value. */
static int rule(scmp_filter_ctx ctx, uint32_t action, int number, unsigned arg, uint32_t mask,
                uint32_t value)
{
    const struct scmp_arg_cmp condition = {
        .arg = arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value
    };
    return seccomp_rule_add_array(ctx, action, number, 1, &condition);
}

static scmp_filter_ctx begin(uint32_t otherwise)
{
    scmp_filter_ctx ctx = seccomp_init(otherwise);
    if (!ctx)
        return NULL;
    /* Calls by the numbers of another architecture (x32, i386) get past no rule; TSYNC puts
     * threads that a library may have started under the filter too. */
    if (seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) ||
        seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1) ||
        seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2)) {
        seccomp_release(ctx);
        return NULL;
    }
    return ctx;
}

static int install(scmp_filter_ctx ctx, int err)
{
    if (!err)
        err = seccomp_load(ctx);
    seccomp_release(ctx);
    if (!err)
        return LAMP_OK;
    return err == -ENOMEM ? LAMP_ENOMEM : LAMP_EKERNEL;
}

/* pthread_create(3) tries clone3 first, whose flags a filter cannot see, and takes clone
 * where there is none. */
static int threads_only(scmp_filter_ctx ctx, uint32_t action, uint32_t want)
{
    const int err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (err)
        return err;
    return rule(ctx, action, SCMP_SYS(clone), CLONE_FLAGS, CLONE_THREAD, want);
}

/* What reading hostile packets needs, whatever they come from; 0 or a negated errno. */
static int allow_reading(scmp_filter_ctx ctx, const int write_fds[LAMP_FILTER_WRITE_FDS])
{
    int err = each(ctx, SCMP_ACT_ALLOW, capture_calls, ARRAY_LEN(capture_calls));

    static const int memory[] = { SCMP_SYS(mmap), SCMP_SYS(mmap2), SCMP_SYS(mprotect) };
    for (size_t i = 0; !err && i < ARRAY_LEN(memory); i++)
        err = rule(ctx, SCMP_ACT_ALLOW, memory[i], 2, PROT_EXEC, 0);

    static const int writes[] = { SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(sendto),
                                  SCMP_SYS(sendmsg) };
    for (size_t i = 0; !err && i < LAMP_FILTER_WRITE_FDS * ARRAY_LEN(writes); i++) {
        const int fd = write_fds[i / ARRAY_LEN(writes)];
        if (fd >= 0)
            err = rule(ctx, SCMP_ACT_ALLOW, writes[i % ARRAY_LEN(writes)], 0, whole, (uint32_t)fd);
    }
    /* abort(3), so that a broken assertion is told from a broken sandbox. */
    if (!err)
        err = rule(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 0, whole, (uint32_t)getpid());
    return err;
}

int lamp_filter_capture(const int write_fds[LAMP_FILTER_WRITE_FDS], bool threads)
{
    scmp_filter_ctx ctx = begin(SCMP_ACT_KILL_PROCESS);
    if (!ctx)
        return LAMP_ENOMEM;
    int err = allow_reading(ctx, write_fds);
    /* libpcap asks whether an interface that fell silent is still up. */
    if (!err)
        err = rule(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, whole, SIOCGIFFLAGS);
    /* pcap_close(3PCAP) asks for the ring to be taken down, and does without. */
    if (!err)
        err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(setsockopt), 0);
    if (!err && threads)
        err = threads_only(ctx, SCMP_ACT_ALLOW, CLONE_THREAD);
    if (!err && threads) /* the first pthread_create(3) sets up two signals of its own */
        err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(rt_sigaction), 0);
    return install(ctx, err);
}

int lamp_filter_analyze(const int write_fds[LAMP_FILTER_WRITE_FDS])
{
    scmp_filter_ctx ctx = begin(SCMP_ACT_KILL_PROCESS);
    if (!ctx)
        return LAMP_ENOMEM;
    int err = allow_reading(ctx, write_fds);
    if (!err)
        err = each(ctx, SCMP_ACT_ALLOW, analyze_calls, ARRAY_LEN(analyze_calls));
    if (!err) /* whether the output is a terminal */
        err = rule(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, whole, TCGETS);
    return install(ctx, err);
}

/* Memory that is writable and executable at once. */
static int no_writable_code(scmp_filter_ctx ctx)
{
    static const int calls[] = { SCMP_SYS(mmap), SCMP_SYS(mmap2), SCMP_SYS(mprotect),
                                 SCMP_SYS(pkey_mprotect) };
    const uint32_t both = PROT_WRITE | PROT_EXEC;
    int err = 0;
    for (size_t i = 0; !err && i < ARRAY_LEN(calls); i++)
        err = rule(ctx, SCMP_ACT_KILL_PROCESS, calls[i], 2, both, both);
    return err;
}

static int deny_list(bool inet)
{
    scmp_filter_ctx ctx = begin(SCMP_ACT_ALLOW);
    if (!ctx)
        return LAMP_ENOMEM;
    int err = each(ctx, SCMP_ACT_KILL_PROCESS, never_calls, ARRAY_LEN(never_calls));
    if (!err)
        err = no_writable_code(ctx);
    if (!err)
        err = threads_only(ctx, SCMP_ACT_KILL_PROCESS, 0);
    for (uint32_t family = AF_UNIX + 1; !err && family < AF_NETLINK; family++)
        if (!inet || (family != AF_INET && family != AF_INET6))
            err = rule(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(socket), 0, whole, family);
    const struct scmp_arg_cmp later = { .op = SCMP_CMP_GT, .datum_a = AF_NETLINK, .datum_b = 0 };
    if (!err)
        err = seccomp_rule_add_array(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(socket), 1, &later);
    return install(ctx, err);
}

int lamp_filter_link(void)
{
    return deny_list(true);
}

int lamp_filter_enforce(void)
{
    return deny_list(false);
}
