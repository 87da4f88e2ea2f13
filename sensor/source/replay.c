/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/source/replay.h"

#include "sensor/source/impl.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define SECOND_US UINT64_C(1000000)

enum { HOLD = 32 }; /* frames read ahead */

struct entry {
    char *name;
    int fd; /* -1: given to a source */
};

struct lamp_replay {
    unsigned speed;
    struct entry *files; /* LAMP_REPLAY_FILES */
    size_t n_files, next_file;
    lamp_source *source; /* of the file at hand; NULL: the next one comes */
    struct lamp_frame held[HOLD];
    size_t n_held, given;
    bool file_begins, begun; /* the next frame is the first of its file; any was given */
    uint64_t newest_us;      /* of the frames given of this recording */
    /* The capture's time and ours where they were last set against each other. */
    uint64_t base_us, base_mono_us;

    char *why; /* of the lamp_replay_add() in progress */
    int err;
};

int lamp_replay_new(unsigned speed, lamp_replay **out)
{
    lamp_replay *r = calloc(1, sizeof(*r));
    if (!r)
        return LAMP_ENOMEM;
    r->speed = speed;
    r->files = calloc(LAMP_REPLAY_FILES, sizeof(*r->files));
    if (!r->files) {
        free(r);
        return LAMP_ENOMEM;
    }
    *out = r;
    return LAMP_OK;
}

lamp_replay *lamp_replay_free(lamp_replay *r)
{
    if (!r)
        return NULL;
    for (size_t i = 0; i < r->n_files; i++) {
        if (r->files[i].fd >= 0)
            close(r->files[i].fd);
        free(r->files[i].name);
    }
    free(r->files);
    lamp_source_close(r->source);
    free(r);
    return NULL;
}

/* ---- the files ---- */

static int open_regular(const char *path, char why[LAMP_SOURCE_WHY])
{
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe is refused below */
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return fd;
    if (fd < 0)
        return lamp_source_fail(-errno, why, "%s: %s", path, lamp_strerror(-errno));
    close(fd);
    return lamp_source_fail(LAMP_EINVAL, why, "%s: not a regular file", path);
}

static bool add_file(const char *path, void *arg)
{
    lamp_replay *r = arg;
    if (r->n_files == LAMP_REPLAY_FILES) {
        r->err = lamp_source_fail(LAMP_EFULL, r->why, "%s: more than %d files at once", path,
                                  LAMP_REPLAY_FILES);
        return false;
    }
    const int fd = open_regular(path, r->why);
    if (fd < 0) {
        r->err = fd;
        return false;
    }
    struct entry *e = &r->files[r->n_files++];
    *e = (struct entry){ strdup(path), fd };
    if (!e->name)
        r->err = lamp_source_fail(LAMP_ENOMEM, r->why, "%s: %s", path, lamp_strerror(LAMP_ENOMEM));
    return r->err == LAMP_OK;
}

static void add_failed(const char *path, const char *what, void *arg)
{
    lamp_replay *r = arg;
    if (r->err == LAMP_OK)
        r->err = lamp_source_fail(LAMP_EIO, r->why, "%s: %s", path, what);
}

int lamp_replay_add(lamp_replay *r, const char *path, char why[LAMP_SOURCE_WHY])
{
    r->why = why;
    r->err = LAMP_OK;
    lamp_source_walk(path, add_file, add_failed, r);
    r->why = NULL;
    return r->err;
}

size_t lamp_replay_files(const lamp_replay *r)
{
    return r->n_files;
}

/* ---- reading ---- */

/* Reads ahead, opening the next file where none is at hand. */
static int refill(lamp_replay *r, char why[LAMP_SOURCE_WHY])
{
    for (;;) {
        if (!r->source) {
            if (r->next_file == r->n_files)
                return LAMP_ECLOSED;
            struct entry *e = &r->files[r->next_file++];
            const int fd = e->fd;
            e->fd = -1;
            const int err = lamp_source_open_fd(fd, e->name, &r->source, why);
            if (err)
                return err;
            r->file_begins = true;
        }
        const int err = lamp_source_read(r->source, r->held, HOLD, &r->n_held, why);
        r->given = 0;
        if (err == LAMP_OK)
            return LAMP_OK;
        r->n_held = 0;
        r->source = lamp_source_close(r->source);
        if (err != LAMP_ECLOSED)
            return err;
    }
}

/* Sets the capture's time against ours. */
static void set_base(lamp_replay *r, uint64_t t_us, uint64_t now_us)
{
    r->base_us = t_us;
    r->base_mono_us = now_us;
}

static uint64_t due_us(const lamp_replay *r, uint64_t t_us)
{
    return r->speed == 0 || t_us <= r->base_us ? 0
                                               : r->base_mono_us + (t_us - r->base_us) / r->speed;
}

/* Called with the first of the frames that were read ahead. Returns whether it begins another
 * recording. */
static bool place(lamp_replay *r, uint64_t now_us)
{
    const uint64_t t_us = r->held[r->given].t_us;
    const bool anew = r->begun && r->file_begins && t_us + SECOND_US < r->newest_us;
    if (anew || !r->begun) {
        set_base(r, t_us, now_us);
        r->newest_us = t_us;
    } else if (t_us > r->newest_us + LAMP_REPLAY_PAUSE_MAX_S * SECOND_US) {
        set_base(r, t_us, now_us);
    }
    return anew;
}

int lamp_replay_read(lamp_replay *r, uint64_t now_us, struct lamp_frame *frames, size_t max,
                     size_t *out_n, bool *out_anew, char why[LAMP_SOURCE_WHY])
{
    size_t n = 0;
    if (max == 0)
        return LAMP_EINVAL;
    if (r->given == r->n_held) {
        const int err = refill(r, why);
        if (err)
            return err;
    }
    const bool anew = place(r, now_us);
    while (n < max && r->given < r->n_held && due_us(r, r->held[r->given].t_us) <= now_us) {
        frames[n] = r->held[r->given++];
        if (frames[n].t_us > r->newest_us)
            r->newest_us = frames[n].t_us;
        r->begun = true;
        r->file_begins = false;
        n++;
    }
    if (n == 0)
        return LAMP_EAGAIN;
    *out_n = n;
    *out_anew = anew;
    return LAMP_OK;
}

uint64_t lamp_replay_wait_us(const lamp_replay *r, uint64_t now_us)
{
    if (r->given == r->n_held)
        return 0;
    const uint64_t due = due_us(r, r->held[r->given].t_us);
    return due > now_us ? due - now_us : 0;
}

uint64_t lamp_replay_clock(const lamp_replay *r, uint64_t now_us)
{
    if (r->speed == 0 || r->given == r->n_held)
        return r->newest_us;
    const uint64_t next_us = r->held[r->given].t_us;
    uint64_t t_us = r->base_us + (now_us - r->base_mono_us) * r->speed;
    t_us = t_us < next_us ? t_us : next_us;
    return t_us > r->newest_us ? t_us : r->newest_us;
}
