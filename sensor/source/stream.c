/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/source/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <zlib.h>
#include <zstd.h>

enum {
    BUFFER = 128 << 10,
    MAGIC = 4,
    GZIP_WINDOW = 15 + 16, /* the largest window, gzip header (zlib.h, inflateInit2) */
    ZSTD_WINDOW_LOG = 27,  /* what zstd(1) unpacks without being asked to: 128 MiB */
};

struct lamp_stream {
    int fd;
    enum { PLAIN, GZIP, ZSTD } packing;
    uint64_t size;
    bool ended;     /* fd has no more */
    bool over;      /* all was unpacked */
    bool in_member; /* compressed: something is begun and not complete */
    z_stream gzip;
    ZSTD_DStream *zstd;
    size_t begin, end; /* of what is in buf and was not used */
    uint8_t buf[BUFFER];
};

static int read_some(int fd, uint8_t *buf, size_t size, size_t *out_n)
{
    ssize_t n;
    do
        n = read(fd, buf, size);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    *out_n = (size_t)n;
    return LAMP_OK;
}

/* Puts more behind what is in buf, which is moved to the front. */
static int fill(lamp_stream *s)
{
    size_t n = 0;
    memmove(s->buf, s->buf + s->begin, s->end - s->begin);
    s->end -= s->begin;
    s->begin = 0;
    const int err = read_some(s->fd, s->buf + s->end, sizeof(s->buf) - s->end, &n);
    if (err)
        return err;
    s->end += n;
    s->ended = n == 0;
    return LAMP_OK;
}

/* Reads the first bytes and prepares for what they say. */
static int begin(lamp_stream *s)
{
    static const uint8_t gzip[] = { 0x1f, 0x8b }, zstd[] = { 0x28, 0xb5, 0x2f, 0xfd };
    while (s->end < MAGIC && !s->ended) {
        const int err = fill(s);
        if (err)
            return err;
    }
    if (s->end >= MAGIC && memcmp(s->buf, gzip, sizeof(gzip)) == 0) {
        s->packing = GZIP;
        return inflateInit2(&s->gzip, GZIP_WINDOW) == Z_OK ? LAMP_OK : LAMP_ENOMEM;
    }
    if (s->end >= MAGIC && memcmp(s->buf, zstd, sizeof(zstd)) == 0) {
        s->packing = ZSTD;
        s->zstd = ZSTD_createDStream();
        if (!s->zstd)
            return LAMP_ENOMEM;
        ZSTD_DCtx_setParameter(s->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG);
    }
    return LAMP_OK;
}

int lamp_stream_open(const char *path, lamp_stream **out, char why[LAMP_SOURCE_WHY])
{
    const int fd = streq(path, "-") ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        const int err = errno;
        return lamp_source_fail(err == ENOENT ? LAMP_ENOENT : -err, why, "%s: %s", path,
                                lamp_strerror(-err));
    }
    struct stat st;
    const bool known = fstat(fd, &st) == 0;
    if (known && S_ISDIR(st.st_mode)) {
        close(fd);
        return lamp_source_fail(LAMP_EFORMAT, why, "%s: a folder, not a capture file", path);
    }
    const int err = lamp_stream_open_fd(fd, path, out, why);
    if (!err && known && S_ISREG(st.st_mode) && (*out)->packing == PLAIN)
        (*out)->size = (uint64_t)st.st_size;
    return err;
}

int lamp_stream_open_fd(int fd, const char *path, lamp_stream **out, char why[LAMP_SOURCE_WHY])
{
    lamp_stream *s = calloc(1, sizeof(*s));
    if (!s) {
        if (fd != STDIN_FILENO)
            close(fd);
        return lamp_source_fail(LAMP_ENOMEM, why, "%s: %s", path, lamp_strerror(LAMP_ENOMEM));
    }
    s->fd = fd;
    s->size = UINT64_MAX;
    int err = begin(s);
    if (err) {
        lamp_source_fail(err, why, "%s: %s", path, lamp_strerror(err));
        goto fail;
    }
    if (s->end == 0) {
        err = lamp_source_fail(LAMP_EFORMAT, why, "%s: the file is empty", path);
        goto fail;
    }
    *out = s;
    return LAMP_OK;

fail:
    lamp_stream_close(s);
    return err;
}

lamp_stream *lamp_stream_close(lamp_stream *s)
{
    if (!s)
        return NULL;
    if (s->packing == GZIP)
        inflateEnd(&s->gzip);
    ZSTD_freeDStream(s->zstd);
    if (s->fd != STDIN_FILENO)
        close(s->fd);
    free(s);
    return NULL;
}

static int read_plain(lamp_stream *s, uint8_t *buf, size_t size, size_t *out_n)
{
    if (s->begin == s->end)
        return read_some(s->fd, buf, size, out_n);
    const size_t n = lamp_min(size, s->end - s->begin);
    memcpy(buf, s->buf + s->begin, n);
    s->begin += n;
    *out_n = n;
    return LAMP_OK;
}

/* Unpacks from buf. A member that ends may have another one behind it; what is not one is
 * left alone, as gzip(1) does. */
static int unpack_gzip(lamp_stream *s, uint8_t *buf, size_t size, size_t *out_n)
{
    if (!s->in_member && s->gzip.total_in > 0) {
        s->over = s->buf[s->begin] != 0x1f;
        if (s->over)
            return LAMP_OK;
        inflateReset(&s->gzip);
    }
    s->in_member = true;
    s->gzip.next_in = s->buf + s->begin;
    s->gzip.avail_in = (uInt)(s->end - s->begin);
    s->gzip.next_out = buf;
    s->gzip.avail_out = (uInt)size;
    const int rc = inflate(&s->gzip, Z_NO_FLUSH);
    s->begin = s->end - s->gzip.avail_in;
    *out_n = size - s->gzip.avail_out;
    if (rc == Z_STREAM_END)
        s->in_member = false;
    else if (rc == Z_MEM_ERROR)
        return LAMP_ENOMEM;
    else if (rc != Z_OK && rc != Z_BUF_ERROR)
        return LAMP_EFORMAT;
    return LAMP_OK;
}

static int unpack_zstd(lamp_stream *s, uint8_t *buf, size_t size, size_t *out_n)
{
    ZSTD_inBuffer in = { s->buf + s->begin, s->end - s->begin, 0 };
    ZSTD_outBuffer to = { buf, size, 0 };
    const size_t rc = ZSTD_decompressStream(s->zstd, &to, &in);
    if (ZSTD_isError(rc))
        return LAMP_EFORMAT;
    s->begin += in.pos;
    s->in_member = rc != 0;
    *out_n = to.pos;
    return LAMP_OK;
}

int lamp_stream_read(lamp_stream *s, uint8_t *buf, size_t size, size_t *out_n,
                     const char **out_what)
{
    size_t n = 0;
    int err = LAMP_OK;
    if (s->packing == PLAIN) {
        err = read_plain(s, buf, size, &n);
    } else {
        while (!err && n == 0 && !s->over) {
            if (s->begin == s->end && !s->ended)
                err = fill(s);
            if (!err && s->begin == s->end && s->ended && !s->in_member)
                break;
            if (!err)
                err = s->packing == GZIP ? unpack_gzip(s, buf, size, &n)
                                         : unpack_zstd(s, buf, size, &n);
            if (!err && n == 0 && s->begin == s->end && s->ended) {
                s->over = true;
                err = s->in_member ? LAMP_ETRUNC : LAMP_OK;
            }
        }
        if (err == LAMP_ETRUNC)
            *out_what = "the compressed data end too early";
        else if (err == LAMP_EFORMAT)
            *out_what = "the compressed data are damaged";
    }
    if (err && err != LAMP_ETRUNC && err != LAMP_EFORMAT)
        *out_what = lamp_strerror(err);
    if (err)
        return err;
    *out_n = n;
    return LAMP_OK;
}

uint64_t lamp_stream_size(const lamp_stream *s)
{
    return s->size;
}
