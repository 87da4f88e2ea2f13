/* SPDX-License-Identifier: Apache-2.0 */
/* file: a capture file, or one that comes in on standard input. */
#include "sensor/source/impl.h"
#include "sensor/source/records.h"

struct file {
    lamp_source base;
    lamp_stream *stream;
    lamp_records *records;
    char *name;
};

static void file_close(lamp_source *s)
{
    struct file *f = (struct file *)s;
    lamp_records_free(f->records);
    lamp_stream_close(f->stream);
    free(f->name);
    free(f);
}

static int file_read(lamp_source *s, struct lamp_frame *frames, size_t max, size_t *out_n,
                     char why[LAMP_SOURCE_WHY])
{
    return lamp_records_read(((struct file *)s)->records, frames, max, out_n, why);
}

static int file_next(lamp_source *s, struct lamp_frame *out, char why[LAMP_SOURCE_WHY])
{
    size_t n;
    return file_read(s, out, 1, &n, why);
}

static uint64_t file_size(const lamp_source *s)
{
    return lamp_stream_size(((const struct file *)s)->stream);
}

static const struct lamp_source_ops file_ops = {
    .next = file_next, .read = file_read, .size = file_size, .close = file_close
};

/* Takes the stream. */
static int open_stream(lamp_stream *stream, const char *path, lamp_source **out,
                       char why[LAMP_SOURCE_WHY])
{
    struct file *f = calloc(1, sizeof(*f));
    char *name = strdup(path);
    if (!f || !name) {
        free(f);
        free(name);
        lamp_stream_close(stream);
        return lamp_source_fail(LAMP_ENOMEM, why, "%s: %s", path, lamp_strerror(LAMP_ENOMEM));
    }
    *f = (struct file){ .base = { &file_ops }, .stream = stream, .name = name };
    const int err = lamp_records_new(stream, f->name, &f->records, why);
    if (err) {
        file_close(&f->base);
        return err;
    }
    *out = &f->base;
    return LAMP_OK;
}

int lamp_source_open_file(const char *path, lamp_source **out, char why[LAMP_SOURCE_WHY])
{
    lamp_stream *stream;
    const int err = lamp_stream_open(path, &stream, why);
    return err ? err : open_stream(stream, path, out, why);
}

int lamp_source_open_fd(int fd, const char *name, lamp_source **out, char why[LAMP_SOURCE_WHY])
{
    lamp_stream *stream;
    const int err = lamp_stream_open_fd(fd, name, &stream, why);
    return err ? err : open_stream(stream, name, out, why);
}
