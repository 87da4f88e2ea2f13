/* SPDX-License-Identifier: Apache-2.0 */
/* mutations: 1,000 cuts and 10,000 changed bytes, seeded and spread over all captures of
 * LAMP_CAPTURES (LAMP_LONG=1: a hundred times as many), each read through the whole packet path. Under
 * the sanitizers it finds what reads too far; besides, every run has to end, to say why if not at
 * the end of the file, and to account for each frame and each flow.
 * Exit code 77: there are no captures. */
#include "sensor/engine/engine.h"
#include "sensor/source/source.h"
#include "tests/support/rng.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum {
    CUTS = 1000,
    CHANGES = 10000,
    LONG = 100,
    FILES_MAX = 16384,
    FILE_MAX = 64 << 20,
    FRAMES_MAX = 16 << 20,
    MEMORY = 2 << 20, /* so small that limits are met */
};

struct files {
    char *path[FILES_MAX];
    size_t n;
};

struct run {
    lamp_engine *engine;
    uint64_t frames, ended; /* of all runs */
    int fd;                 /* the changed file, in memory */
    char path[64];
    uint8_t *buf;
};

static bool add_file(const char *path, void *arg)
{
    struct files *f = arg;
    if (f->n < FILES_MAX)
        f->path[f->n++] = strdup(path);
    return true;
}

static void on_walk_error(const char *path, const char *why, void *arg)
{
    (void)arg;
    fprintf(stderr, "%s: %s\n", path, why);
}

static void on_end(const struct lamp_conn *c, void *arg)
{
    uint64_t *ended = arg;
    *ended += c->verdict != LAMP_VERDICT_NONE;
}

static void on_row(const struct lamp_rollup_sum *row, void *arg)
{
    uint64_t *bytes = arg;
    *bytes += row->bytes_in + row->bytes_out;
}

/* The file's bytes in r->buf; 0: it is empty, too large or gone. */
static size_t load(const struct run *r, const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? 0 : read(fd, r->buf, FILE_MAX);
    if (fd >= 0)
        close(fd);
    return n > 0 && n < FILE_MAX ? (size_t)n : 0;
}

/* Reads the changed file of `size` bytes to its end; NULL, or what was wrong. */
static const char *read_all(struct run *r, size_t size)
{
    if (ftruncate(r->fd, 0) < 0 || pwrite(r->fd, r->buf, size, 0) != (ssize_t)size)
        return "no memory for the changed file";
    char why[LAMP_SOURCE_WHY] = "";
    lamp_source *source;
    if (lamp_source_open_file(r->path, &source, why) != LAMP_OK)
        return *why ? NULL : "not opened, and nobody says why";
    struct lamp_frame frames[LAMP_ENGINE_BATCH];
    size_t n;
    uint64_t total = 0;
    int err;
    while ((err = lamp_source_read(source, frames, ARRAY_LEN(frames), &n, why)) == LAMP_OK &&
           total < FRAMES_MAX) {
        lamp_engine_frames(r->engine, frames, n);
        total += n;
    }
    lamp_engine_finish(r->engine);
    uint64_t bytes = 0;
    lamp_engine_rollups(r->engine, UINT64_MAX, on_row, &bytes);
    lamp_source_close(source);

    struct lamp_engine_counters c;
    lamp_engine_counters(r->engine, &c);
    r->frames += total;
    uint64_t sum = 0;
    for (size_t i = 0; i < ARRAY_LEN(c.decode); i++)
        sum += c.decode[i];
    if (total >= FRAMES_MAX)
        return "it never ends";
    if (err != LAMP_ECLOSED && !*why)
        return "an error without a reason";
    if (c.packets != r->frames || sum != r->frames)
        return "frames do not add up";
    if (c.flows_live != 0 || c.conns_live != 0 || c.flows_new != c.flows_ended)
        return "flows do not add up";
    return NULL;
}

static int all_runs(struct run *r, const struct files *f, unsigned times)
{
    struct lamp_rng rng = { .state = 20260 };
    size_t cuts = 0, changes = 0;
    for (size_t i = 0; cuts < (size_t)CUTS * times || changes < (size_t)CHANGES * times; i++) {
        const char *path = f->path[i % f->n];
        size_t size = load(r, path);
        const size_t at = size ? (size_t)(lamp_rng_u64(&rng) % size) : 0;
        const bool cut = cuts < (size_t)CUTS * times && (i % 11 == 0);
        const uint8_t before = r->buf[at];
        if (size == 0) {
            if (i > f->n && changes == 0)
                return 1; /* there is no capture at all */
            continue;
        }
        if (cut) {
            size = at;
            cuts++;
        } else {
            r->buf[at] ^= (uint8_t)(1 + lamp_rng_u64(&rng) % 255);
            changes++;
        }
        const char *wrong = read_all(r, size);
        if (wrong) {
            printf("FAILED: %s, %s byte %zu (%02x, now %02x): %s\n", path,
                   cut ? "cut before" : "changed", at, before, r->buf[at], wrong);
            return 1;
        }
    }
    printf("%zu cuts and %zu changed bytes over %zu captures: %llu frames, %llu connections found, "
           "everything accounted for\n",
           cuts, changes, f->n, (unsigned long long)r->frames, (unsigned long long)r->ended);
    return 0;
}

int main(void)
{
    const char *captures = getenv("LAMP_CAPTURES"), *wants_long = getenv("LAMP_LONG");
    if (!captures || access(captures, R_OK) != 0) {
        printf("skipped: no captures at %s\n", captures ? captures : "LAMP_CAPTURES");
        return 77;
    }
    static struct files files;
    lamp_source_walk(captures, add_file, on_walk_error, &files);
    struct run r = { .fd = memfd_create("changed", MFD_CLOEXEC), .buf = malloc(FILE_MAX) };
    snprintf(r.path, sizeof(r.path), "/proc/self/fd/%d", r.fd);
    const struct lamp_rollup_cfg rollup = { 0 };
    const struct lamp_engine_cfg cfg = { .memory_bytes = MEMORY, .rollup = &rollup };
    int status = 1;
    if (r.fd >= 0 && r.buf && files.n > 0 &&
        lamp_engine_new(&cfg, on_end, &r.ended, &r.engine) == LAMP_OK)
        status = all_runs(&r, &files, wants_long && streq(wants_long, "1") ? LONG : 1);
    lamp_engine_free(r.engine);
    free(r.buf);
    close(r.fd);
    for (size_t i = 0; i < files.n; i++)
        free(files.path[i]);
    return status;
}
