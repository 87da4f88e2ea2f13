/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/imports/spool.h"

#include "common/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/statvfs.h>

enum { NAME = 48 };

static const char suffix[] = ".import";

struct lamp_spool {
    int folder;
};

static const char *name_of(uint64_t upload, size_t no, char buf[NAME])
{
    snprintf(buf, NAME, "%" PRIu64 "-%zu%s", upload, no, suffix);
    return buf;
}

/* Only what looks like ours: the folder may have been named by mistake. */
static void sweep(int folder)
{
    const int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (struct dirent *e; (e = readdir(d));) {
        const size_t len = strlen(e->d_name), n = sizeof(suffix) - 1;
        if (len > n && streq(e->d_name + len - n, suffix))
            (void)unlinkat(folder, e->d_name, 0);
    }
    closedir(d);
}

int lamp_spool_open(const char *folder, lamp_spool **out)
{
    const int err = lamp_io_mkdirs(folder, 0700);
    if (err)
        return err;
    lamp_spool *s = calloc(1, sizeof(*s));
    if (!s)
        return LAMP_ENOMEM;
    s->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->folder < 0) {
        const int no = -errno;
        free(s);
        return no;
    }
    sweep(s->folder);
    *out = s;
    return LAMP_OK;
}

lamp_spool *lamp_spool_close(lamp_spool *s)
{
    if (!s)
        return NULL;
    sweep(s->folder);
    close(s->folder);
    free(s);
    return NULL;
}

uint64_t lamp_spool_free(const lamp_spool *s)
{
    struct statvfs v;
    return fstatvfs(s->folder, &v) == 0 ? (uint64_t)v.f_bavail * v.f_frsize : 0;
}

int lamp_spool_write(const lamp_spool *s, uint64_t upload, size_t no, uint64_t offset,
                     const void *data, size_t len)
{
    char name[NAME];
    LAMP_AUTO_CLOSE int fd = openat(s->folder, name_of(upload, no, name),
                                    O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    for (size_t done = 0; done < len;) {
        const ssize_t n = pwrite(fd, (const char *)data + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno != EINTR)
            return -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return LAMP_OK;
}

int lamp_spool_read(const lamp_spool *s, uint64_t upload, size_t no, int *out_fd)
{
    char name[NAME];
    const int fd = openat(s->folder, name_of(upload, no, name), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? LAMP_ENOENT : -errno;
    *out_fd = fd;
    return LAMP_OK;
}

void lamp_spool_remove(const lamp_spool *s, uint64_t upload, size_t no)
{
    char name[NAME];
    (void)unlinkat(s->folder, name_of(upload, no, name), 0);
}
