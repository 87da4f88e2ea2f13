/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/process/sandbox.h"

#ifdef LAMP_NO_SANDBOX

int lamp_sandbox_enter(const struct lamp_sandbox *s, bool *out_landlock)
{
    (void)s;
    (void)out_landlock;
    return LAMP_EUNSUPPORTED;
}

#else

#include "common/io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

/* ---- resource limits (docs/OPERATIONS.md, "Privileges and limits") ---- */

enum { DESCRIPTORS = 256, STACK_BYTES = 8 * 1024 * 1024 };

static int limit(__rlimit_resource_t what, rlim_t most)
{
    struct rlimit r;
    if (getrlimit(what, &r) < 0)
        return -errno;
    if (r.rlim_max != RLIM_INFINITY && r.rlim_max < most)
        most = r.rlim_max;
    r = (struct rlimit){ most, most };
    return setrlimit(what, &r) < 0 ? -errno : LAMP_OK;
}

/* RLIMIT_DATA counts what is private and writable, so the capture rings, which have their own
 * setting, are not in it: proc(5), statm, the sixth field is what it counts, and the stack. */
static int limit_memory(const struct lamp_sandbox *s)
{
    LAMP_AUTO_FREE char *text = NULL;
    size_t len;
    unsigned long pages;
    int err = lamp_io_read_file("/proc/self/statm", 256, &text, &len);
    if (err)
        return err;
    if (sscanf(text, "%*u %*u %*u %*u %*u %lu", &pages) != 1)
        return LAMP_EFORMAT;
    const rlim_t have = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
    return limit(RLIMIT_DATA, have + s->memory_bytes + (rlim_t)s->threads * STACK_BYTES);
}

/* Whether it reads packets, which is all that it may do then. */
static bool is_reader(const struct lamp_sandbox *s)
{
    return s->kind == LAMP_SANDBOX_CAPTURE || s->kind == LAMP_SANDBOX_ANALYZE;
}

static int set_limits(const struct lamp_sandbox *s)
{
    int err = limit(RLIMIT_CORE, 0);
    /* The kernel counts the threads of all processes of a user, and link has some. */
    if (!err && s->kind != LAMP_SANDBOX_LINK && s->threads == 0)
        err = limit(RLIMIT_NPROC, 0);
    if (!err && is_reader(s))
        err = limit_memory(s);
    return err;
}

/* ---- landlock: Linux 5.13 and later ---- */

#ifndef LANDLOCK_ACCESS_FS_REFER /* ABI 2 */
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE /* ABI 3 */
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

/* ABI 1 has the first thirteen access rights, from EXECUTE to MAKE_SYM. */
static const uint64_t abi1_rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
static const uint64_t read_rights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;

/* What name resolution, libnftables and our own reading of routes and resolvers open. */
static const char *const readable[] = { "/etc", "/lib", "/lib64",    "/proc",       "/run",
                                        "/sys", "/usr", "/dev/null", "/dev/urandom" };

/* Lets the rule set grant rights below a path; a path that does not exist needs no rule. */
static int grant(int rules, const char *path, uint64_t rights)
{
    LAMP_AUTO_CLOSE int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == EACCES ? LAMP_OK : -errno;
    struct landlock_path_beneath_attr below = { .allowed_access = rights, .parent_fd = fd };
    if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &below, 0) == 0)
        return LAMP_OK;
    if (errno != EINVAL)
        return -errno;
    below.allowed_access &= ~LANDLOCK_ACCESS_FS_READ_DIR; /* a file */
    return syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &below, 0) == 0
               ? LAMP_OK
               : -errno;
}

static int grant_all(int rules, const struct lamp_sandbox *s, uint64_t all)
{
    int err = LAMP_OK;
    if (is_reader(s))
        return LAMP_OK;
    for (size_t i = 0; !err && i < ARRAY_LEN(readable); i++)
        err = grant(rules, readable[i], read_rights);
    const uint64_t changes = read_rights | LANDLOCK_ACCESS_FS_WRITE_FILE |
                             LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                             LANDLOCK_ACCESS_FS_TRUNCATE;
    if (!err && s->folder)
        err = grant(rules, s->folder, changes & all);
    return err;
}

/* Best effort: false where the kernel has no landlock or has it switched off. */
static bool close_files(const struct lamp_sandbox *s)
{
    const long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1)
        return false;
    uint64_t all = abi1_rights;
    if (abi >= 2)
        all |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= 3)
        all |= LANDLOCK_ACCESS_FS_TRUNCATE;
    const struct landlock_ruleset_attr attr = { .handled_access_fs = all };
    LAMP_AUTO_CLOSE int rules =
        (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0);
    return rules >= 0 && grant_all(rules, s, all) == LAMP_OK &&
           syscall(SYS_landlock_restrict_self, rules, 0) == 0;
}

/* ---- the whole ---- */

/* Does now what the C library would open files for later, when capture can open none. */
static void warm_up(void)
{
    tzset(); /* gmtime_r(3) reads the time zone at its first call */
    /* A second arena gives memory back only after a look into /proc/sys/vm/overcommit_memory,
     * so all threads share the first. */
    (void)mallopt(M_ARENA_MAX, 1);
}

int lamp_sandbox_enter(const struct lamp_sandbox *s, bool *out_landlock)
{
    int err = set_limits(s);
    if (err)
        return err;
    if (is_reader(s))
        warm_up();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    const bool landlock = close_files(s);
    /* After the last descriptor of our own: what a replay has opened may be more than this. */
    err = limit(RLIMIT_NOFILE, DESCRIPTORS);
    if (err)
        return err;
    switch (s->kind) {
    case LAMP_SANDBOX_CAPTURE:
        err = lamp_filter_capture(s->write_fds, s->threads > 0);
        break;
    case LAMP_SANDBOX_ANALYZE:
        err = lamp_filter_analyze(s->write_fds);
        break;
    case LAMP_SANDBOX_LINK:
        err = lamp_filter_link();
        break;
    case LAMP_SANDBOX_ENFORCE:
        err = lamp_filter_enforce();
        break;
    }
    if (!err)
        *out_landlock = landlock;
    return err;
}

#endif
