/* SPDX-License-Identifier: Apache-2.0 */
#include "common/io.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>

int lamp_io_read_file(const char *path, size_t limit, char **out, size_t *out_len)
{
    LAMP_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;

    char *buf = NULL;
    size_t len = 0, cap = 0;
    for (;;) {
        if (len == cap) {
            cap = cap ? 2 * cap : 4096;
            char *more = realloc(buf, cap + 1);
            if (!more) {
                free(buf);
                return LAMP_ENOMEM;
            }
            buf = more;
        }
        const ssize_t n = read(fd, buf + len, cap - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || len + (size_t)n > limit) {
            const int err = n < 0 ? -errno : LAMP_EFULL;
            free(buf);
            return err;
        }
        if (n == 0)
            break;
        len += (size_t)n;
    }
    buf[len] = '\0';
    *out = buf;
    *out_len = len;
    return LAMP_OK;
}

static int sync_folder_of(const char *path)
{
    char dir[PATH_MAX];
    snprintf(dir, sizeof(dir), "%s", path);
    char *slash = strrchr(dir, '/');
    if (slash == dir)
        slash[1] = '\0';
    else if (slash)
        *slash = '\0';
    LAMP_AUTO_CLOSE int fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return -errno;
    return LAMP_OK;
}

int lamp_io_replace_file(const char *path, const void *data, size_t len, int mode)
{
    char tmp[PATH_MAX];
    if (snprintf(tmp, sizeof(tmp), "%s.tmp", path) >= (int)sizeof(tmp))
        return -ENAMETOOLONG;
    unlink(tmp); /* a leftover of a crash; its mode may differ */
    int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode);
    if (fd < 0)
        return -errno;
    int err = lamp_io_write_full(fd, data, len);
    if (!err && fsync(fd) < 0)
        err = -errno;
    if (close(fd) < 0 && !err)
        err = -errno;
    if (!err && rename(tmp, path) < 0)
        err = -errno;
    if (err) {
        unlink(tmp);
        return err;
    }
    return sync_folder_of(path);
}

/* Waits until fd is ready where a call said EAGAIN; false for any other error. */
static bool wait_ready(int fd, short events)
{
    if (errno == EINTR)
        return true;
    if (errno != EAGAIN)
        return false;
    struct pollfd p = { .fd = fd, .events = events };
    return poll(&p, 1, -1) >= 0 || errno == EINTR;
}

int lamp_io_write_full(int fd, const void *buf, size_t len)
{
    const uint8_t *p = buf;
    while (len > 0) {
        const ssize_t n = write(fd, p, len);
        if (n < 0) {
            if (wait_ready(fd, POLLOUT))
                continue;
            return -errno;
        }
        p += n;
        len -= (size_t)n;
    }
    return LAMP_OK;
}

int lamp_io_mkdirs(const char *path, int mode)
{
    char buf[PATH_MAX];
    if (snprintf(buf, sizeof(buf), "%s", path) >= (int)sizeof(buf))
        return -ENAMETOOLONG;
    for (char *p = buf + 1;; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        const char was = *p;
        *p = '\0';
        if (mkdir(buf, (mode_t)mode) < 0 && errno != EEXIST)
            return -errno;
        if (was == '\0')
            return LAMP_OK;
        *p = was;
    }
}

int lamp_io_beside_program(const char *name, char *buf, size_t size)
{
    char program[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (n < 0)
        return -errno;
    program[n] = '\0';
    return snprintf(buf, size, "%s/%s", dirname(program), name) < (int)size ? LAMP_OK
                                                                            : -ENAMETOOLONG;
}

int lamp_io_give_to_folder(const char *path)
{
    char buf[PATH_MAX];
    struct stat st;
    if (geteuid() != 0)
        return LAMP_OK;
    if (snprintf(buf, sizeof(buf), "%s", path) >= (int)sizeof(buf))
        return -ENAMETOOLONG;
    if (stat(dirname(buf), &st) < 0 || lchown(path, st.st_uid, st.st_gid) < 0)
        return -errno;
    return LAMP_OK;
}
