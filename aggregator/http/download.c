/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/http/download.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <sys/stat.h>

enum { BLOCK = 32 * 1024 };

struct reading {
    int fd;
    uint64_t size;
    size_t head_len;
    uint8_t head[];
};

static ssize_t read_some(void *arg, uint64_t pos, char *buf, size_t max)
{
    const struct reading *r = arg;
    if (pos < r->head_len) {
        const size_t n = lamp_min(max, r->head_len - (size_t)pos);
        memcpy(buf, r->head + pos, n);
        return (ssize_t)n;
    }
    const uint64_t at = pos - r->head_len;
    if (at >= r->size)
        return MHD_CONTENT_READER_END_OF_STREAM;
    const ssize_t n = pread(r->fd, buf, lamp_min(max, (size_t)(r->size - at)), (off_t)at);
    return n > 0 ? n : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void end_reading(void *arg)
{
    struct reading *r = arg;
    close(r->fd);
    free(r);
}

int lamp_reply_download(struct lamp_reply *reply, const struct lamp_download *d)
{
    struct stat st;
    char disposition[200];
    const int fd = open(d->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? LAMP_ENOENT : -errno;
    struct reading *r = NULL;
    int err = fstat(fd, &st) < 0 ? -errno : (uint64_t)st.st_size < d->size ? LAMP_ENOENT : LAMP_OK;
    if (!err) {
        r = malloc(sizeof(*r) + d->head_len);
        err = r ? LAMP_OK : LAMP_ENOMEM;
    }
    if (err) {
        close(fd);
        return err;
    }
    *r = (struct reading){ .fd = fd, .size = d->size, .head_len = d->head_len };
    if (d->head_len)
        memcpy(r->head, d->head, d->head_len);
    reply->stream =
        MHD_create_response_from_callback(d->head_len + d->size, BLOCK, read_some, r, end_reading);
    if (!reply->stream) {
        end_reading(r);
        return LAMP_ENOMEM;
    }
    snprintf(disposition, sizeof(disposition), "attachment; filename=\"%.150s\"", d->name);
    MHD_add_response_header(reply->stream, "Content-Type", d->type);
    MHD_add_response_header(reply->stream, "Content-Disposition", disposition);
    return LAMP_OK;
}
