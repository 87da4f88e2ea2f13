/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/process/privilege.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

int lamp_privilege_user(const char *user, uid_t *out_uid, gid_t *out_gid)
{
    const struct passwd *pw = getpwnam(user);
    *out_uid = pw ? pw->pw_uid : 0;
    *out_gid = pw ? pw->pw_gid : 0;
    return pw ? LAMP_OK : LAMP_ENOENT;
}

/* Reads or sets both halves of the 64 capability bits (capget(2)). */
static int set_capabilities(uint64_t mask)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct have[2] = { { 0 } };
    if (syscall(SYS_capget, &head, have) < 0)
        return -errno;
    for (unsigned i = 0; i < 2; i++) {
        const uint32_t half = (uint32_t)(mask >> (32 * i)) & have[i].permitted;
        have[i] = (struct __user_cap_data_struct){ .effective = half, .permitted = half };
    }
    return syscall(SYS_capset, &head, have) < 0 ? -errno : LAMP_OK;
}

static int become(uid_t uid, gid_t gid)
{
    if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
        return -errno;
    return LAMP_OK;
}

int lamp_privilege_drop(uid_t uid, gid_t gid, uint64_t capabilities)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        return -errno;
    /* Kernels before 4.3 have no ambient set; capset below empties it in any case, since it
     * empties the inheritable set. */
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    /* EINVAL marks the end of the capabilities this kernel knows; EPERM: we do not have
     * CAP_SETPCAP, and capset below still empties what counts. */
    for (unsigned long cap = 0; cap < 64; cap++)
        if (!(capabilities >> cap & 1) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 &&
            errno == EINVAL)
            break;
    if (geteuid() == 0) {
        const int err = become(uid, gid);
        if (err)
            return err;
    }
    const int err = set_capabilities(capabilities);
    if (err)
        return err;
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : LAMP_OK;
}

static bool listed(int fd, const int *keep, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (keep[i] == fd)
            return true;
    return false;
}

void lamp_privilege_close_others(const int *keep, size_t n)
{
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return;
    int found[256];
    size_t n_found = 0;
    for (struct dirent *e = readdir(dir); e && n_found < ARRAY_LEN(found); e = readdir(dir)) {
        const long fd = strtol(e->d_name, NULL, 10);
        if (fd > STDERR_FILENO && (int)fd != dirfd(dir) && !listed((int)fd, keep, n))
            found[n_found++] = (int)fd;
    }
    closedir(dir);
    for (size_t i = 0; i < n_found; i++)
        close(found[i]);
}
