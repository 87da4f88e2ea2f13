/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/faults/disk.h"

#include "tests/support/faults/control.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

/* The functions below stand before those of the C library for every library of the program, since
 * the program exports them; the kernel is asked directly. */
#define EXPORT __attribute__((visibility("default")))

enum { FDS = 1024, FILES = 64, DIR_FD = 1 << 30 };

static struct {
    char folder[PATH_MAX];
    size_t folder_len;
    int log_fd;
    char names[FILES][64];
    int n_names;
    int file_of[FDS]; /* 1 + index in names; DIR_FD: the folder itself; 0: none of ours */
    uint64_t calls, fail_at;
    int error;
    bool all, watching;
    const _Atomic bool *full;
} d = { .log_fd = -1 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- failing ---- */

static bool fails(int fd_file)
{
    if (!fd_file)
        return false;
    const uint64_t n = __atomic_add_fetch(&d.calls, 1, __ATOMIC_RELAXED);
    if (!d.fail_at || (d.all ? n < d.fail_at : n != d.fail_at))
        return false;
    errno = d.error;
    return true;
}

static bool write_fails(int fd_file)
{
    if (fd_file && d.full && atomic_load(d.full)) {
        errno = ENOSPC;
        return true;
    }
    return fails(fd_file);
}

/* ---- writing down ---- */

static void put(enum disk_op op, int file, uint64_t at, const void *data, uint64_t len)
{
    if (d.log_fd < 0)
        return;
    struct disk_entry e = { op, (uint32_t)file, at, len };
    struct iovec v[2] = { { &e, sizeof(e) }, { (void *)(uintptr_t)data, (size_t)len } };
    const long n = syscall(SYS_writev, d.log_fd, v, len ? 2 : 1);
    if (n != (long)(sizeof(e) + len))
        abort(); /* the test's own disk is full */
}

/* The number of a path in the folder, DIR_FD for the folder itself, 0: elsewhere. Locked. */
static int number_of(const char *path)
{
    if (!d.watching || strncmp(path, d.folder, d.folder_len) != 0)
        return 0;
    if (path[d.folder_len] == '\0')
        return DIR_FD;
    if (path[d.folder_len] != '/')
        return 0;
    const char *name = path + d.folder_len + 1;
    const size_t len = strlen(name);
    if (len == 0)
        return DIR_FD;
    if (len >= sizeof(d.names[0]) || strchr(name, '/') ||
        (len > 4 && streq(name + len - 4, "-shm"))) /* mapped, and made anew after a crash */
        return 0;
    for (int i = 0; i < d.n_names; i++)
        if (streq(d.names[i], name))
            return i + 1;
    if (d.n_names == FILES)
        abort();
    memcpy(d.names[d.n_names++], name, len + 1);
    put(DISK_NAME, d.n_names, 0, name, len);
    return d.n_names;
}

static int file_of(int fd)
{
    return fd >= 0 && fd < FDS ? d.file_of[fd] : 0;
}

/* ---- the calls ---- */

static int open_any(const char *path, int flags, mode_t mode)
{
    pthread_mutex_lock(&lock);
    const int file = number_of(path);
    int fd = -1;
    if (!fails(file)) {
        const bool must_make = (flags & O_CREAT) && (flags & O_EXCL);
        fd = (int)syscall(SYS_openat, AT_FDCWD, path, must_make ? flags : flags & ~O_CREAT, mode);
        const bool fresh = must_make || (fd < 0 && errno == ENOENT && (flags & O_CREAT));
        if (fresh && !must_make)
            fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
        if (fd >= 0 && fd < FDS)
            d.file_of[fd] = file;
        if (fd >= 0 && file && file != DIR_FD && fresh)
            put(DISK_CREATE, file, 0, NULL, 0);
        if (fd >= 0 && file && file != DIR_FD && (flags & O_TRUNC) && !fresh)
            put(DISK_TRUNCATE, file, 0, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

EXPORT int open(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    const mode_t mode = (mode_t)va_arg(ap, int);
    va_end(ap);
    return open_any(path, flags, flags & (O_CREAT | O_TMPFILE) ? mode : 0);
}

EXPORT int open64(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    const mode_t mode = (mode_t)va_arg(ap, int);
    va_end(ap);
    return open_any(path, flags | O_LARGEFILE, flags & (O_CREAT | O_TMPFILE) ? mode : 0);
}

EXPORT int close(int fd)
{
    if (fd >= 0 && fd < FDS)
        d.file_of[fd] = 0;
    return (int)syscall(SYS_close, fd);
}

EXPORT ssize_t pread64(int fd, void *buf, size_t n, off64_t at)
{
    return fails(file_of(fd)) ? -1 : (ssize_t)syscall(SYS_pread64, fd, buf, n, at);
}

EXPORT ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t at)
{
    const int file = file_of(fd);
    if (write_fails(file))
        return -1;
    if (file && file != DIR_FD)
        put(DISK_WRITE, file, (uint64_t)at, buf, n);
    return (ssize_t)syscall(SYS_pwrite64, fd, buf, n, at);
}

EXPORT ssize_t write(int fd, const void *buf, size_t n)
{
    const int file = file_of(fd);
    if (write_fails(file))
        return -1;
    if (file && file != DIR_FD) {
        const long at = syscall(SYS_lseek, fd, 0, SEEK_CUR);
        put(DISK_WRITE, file, (uint64_t)at, buf, n);
    }
    return (ssize_t)syscall(SYS_write, fd, buf, n);
}

static int truncate_any(int fd, off64_t size)
{
    const int file = file_of(fd);
    if (fails(file))
        return -1;
    if (file && file != DIR_FD)
        put(DISK_TRUNCATE, file, (uint64_t)size, NULL, 0);
    return (int)syscall(SYS_ftruncate, fd, size);
}

EXPORT int ftruncate(int fd, off_t size)
{
    return truncate_any(fd, size);
}

EXPORT int ftruncate64(int fd, off64_t size)
{
    return truncate_any(fd, size);
}

/* Where the calls are written down nothing need wait for the disk: cut.h has the say. */
static int sync_any(int fd, long call)
{
    const int file = file_of(fd);
    if (fails(file))
        return -1;
    if (!file || d.log_fd < 0)
        return (int)syscall(call, fd);
    put(file == DIR_FD ? DISK_SYNC_DIR : DISK_SYNC, file, 0, NULL, 0);
    return 0;
}

EXPORT int fsync(int fd)
{
    return sync_any(fd, SYS_fsync);
}

EXPORT int fdatasync(int fd)
{
    return sync_any(fd, SYS_fdatasync);
}

EXPORT int unlink(const char *path)
{
    pthread_mutex_lock(&lock);
    const int file = number_of(path);
    int rc = -1;
    if (!fails(file)) {
        rc = (int)syscall(SYS_unlink, path);
        if (rc == 0 && file)
            put(DISK_UNLINK, file, 0, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

EXPORT int rename(const char *from, const char *to)
{
    pthread_mutex_lock(&lock);
    const int file = number_of(from), other = number_of(to);
    int rc = -1;
    if (!fails(file)) {
        rc = (int)syscall(SYS_rename, from, to);
        if (rc == 0 && file && other)
            put(DISK_RENAME, file, (uint64_t)other, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

/* ---- what the test says ---- */

void disk_watch(const char *folder, int log_fd)
{
    snprintf(d.folder, sizeof(d.folder), "%s", folder);
    d.folder_len = strlen(d.folder);
    d.log_fd = log_fd;
    d.n_names = 0;
    d.watching = true;
}

void disk_fail(uint64_t n, int error, bool all)
{
    d.calls = 0;
    d.fail_at = n;
    d.error = error;
    d.all = all;
}

uint64_t disk_calls(void)
{
    return d.calls;
}

void disk_full_flag(const _Atomic bool *flag)
{
    d.full = flag;
}

__attribute__((constructor)) static void begin(void)
{
    const char *folder = getenv(FAULT_DISK), *log = getenv(FAULT_LOG);
    if (!folder)
        return;
    const int fd = log ? (int)syscall(SYS_openat, AT_FDCWD, log,
                                      O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)
                       : -1;
    if (log && fd < 0)
        abort();
    disk_watch(folder, fd);
}
