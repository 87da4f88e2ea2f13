/* SPDX-License-Identifier: Apache-2.0 */
/* packed: what leaves this machine, as digests (BLAKE2b, 16 bytes), to compare with those of another
 * processor (tests/cross/same): one line for each message of tests/support/wire_samples.h as packed; and for
 * each capture file one of the summaries that the daemon would send, and one of what analyze says of it.
 *
 * packed SHARE SEED PATH...: one in SHARE of the files below PATHs, drawn by SEED and the file's name. */
#include "common/text.h"
#include "sensor/capture/summarise.h"
#include "sensor/engine/engine.h"
#include "sensor/source/source.h"
#include "tests/golden/run_analyze.h"
#include "tests/support/wire_samples.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

#define INTERVAL_US UINT64_C(10000000)

struct run {
    const lamp_catalogue *catalogue;
    int64_t share, seed;
    unsigned files;

    /* of the capture at hand */
    lamp_engine *engine;
    lamp_summarise *summarise;
    crypto_generichash_state hash;
    uint64_t packets, records, bytes, now_us, due_us;
};

static void must(int err, const char *what)
{
    if (err == LAMP_OK)
        return;
    fprintf(stderr, "%s: %s\n", what, lamp_strerror(err));
    exit(1);
}

static void begin(crypto_generichash_state *hash)
{
    crypto_generichash_init(hash, NULL, 0, 16);
}

static void end(crypto_generichash_state *hash)
{
    uint8_t digest[16];
    crypto_generichash_final(hash, digest, sizeof(digest));
    for (size_t i = 0; i < sizeof(digest); i++)
        printf("%02x", digest[i]);
    putchar('\n');
}

static void print_messages(void)
{
    for (size_t i = 0; i < wire_sample_count(); i++) {
        struct lamp_msg m;
        uint8_t *packed;
        size_t len;
        crypto_generichash_state hash;
        wire_sample(i, &m);
        must(lamp_msg_pack(&m, &packed, &len), "pack");
        begin(&hash);
        crypto_generichash_update(&hash, packed, len);
        printf("message %d: %zu bytes ", (int)m.type, len);
        end(&hash);
        free(packed);
    }
}

/* -- the daemon's way ---------------------------------------------------------------- */

static void on_record(const uint8_t *data, size_t len, size_t n_rows, uint64_t n_bytes, void *arg)
{
    struct run *r = arg;
    (void)n_rows, (void)n_bytes;
    crypto_generichash_update(&r->hash, data, len);
    r->records++;
    r->bytes += len;
}

static void on_conn(const struct lamp_conn *conn, void *arg)
{
    lamp_summarise_conn(((struct run *)arg)->summarise, conn);
}

static void on_rollup(const struct lamp_rollup_sum *row, void *arg)
{
    lamp_summarise_rollup(((struct run *)arg)->summarise, row);
}

static void summarise(struct run *r)
{
    struct lamp_engine_counters e;
    lamp_engine_conns(r->engine, on_conn, r);
    lamp_engine_rollups(r->engine, r->now_us, on_rollup, r);
    lamp_engine_counters(r->engine, &e);
    struct lamp_sensor_counters c = { .packets = e.packets,
                                      .bytes = e.bytes,
                                      .n_decode = LAMP_WIRE_DECODE_MAX };
    memcpy(c.decode, e.decode, sizeof(c.decode));
    lamp_summarise_flush(&r->summarise, 1, &c, r->now_us, r->now_us);
}

static void feed(struct run *r, lamp_source *source)
{
    char why[LAMP_SOURCE_WHY];
    struct lamp_frame f;
    while (lamp_source_next(source, &f, why) == LAMP_OK) {
        r->packets++;
        if (f.t_us > r->now_us && f.t_us < (uint64_t)INT64_MAX)
            r->now_us = f.t_us;
        if (r->now_us >= r->due_us) {
            if (r->due_us)
                summarise(r);
            r->due_us = r->now_us + INTERVAL_US;
        }
        lamp_engine_frame(r->engine, &f);
    }
    lamp_engine_finish(r->engine);
    summarise(r);
}

static bool is_drawn(const struct run *r, const char *file)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)r->seed; /* FNV-1a */
    for (const char *c = file; *c; c++)
        h = (h ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
    return (h >> 32) % (uint64_t)r->share == 0;
}

static bool on_file(const char *file, void *arg)
{
    struct run *r = arg;
    char why[LAMP_SOURCE_WHY];
    lamp_source *source;
    if (!is_drawn(r, file) || lamp_source_open_file(file, &source, why) != LAMP_OK)
        return true; /* no capture, or of a kind that is read elsewhere */
    r->packets = r->records = r->bytes = r->now_us = r->due_us = 0;
    r->files++;

    static const struct lamp_rollup_cfg rollup = { 0 };
    const struct lamp_engine_cfg engine = {
        .catalogue = r->catalogue, .memory_bytes = 8 << 20, .rollup = &rollup, .close_minutes = true
    };
    const struct lamp_summarise_cfg summaries = { .cap_run = { 1 },
                                                  .max_conns = 4096,
                                                  .max_record_bytes = 192 * 1024,
                                                  .emit = on_record,
                                                  .arg = r };
    must(lamp_engine_new(&engine, on_conn, r, &r->engine), "engine");
    must(lamp_summarise_new(&summaries, 0, 0, &r->summarise), "summarise");
    begin(&r->hash);
    feed(r, source);
    printf("%s: %" PRIu64 " packets, %" PRIu64 " records, %" PRIu64 " bytes ", file, r->packets,
           r->records, r->bytes);
    end(&r->hash);
    lamp_source_close(source);
    lamp_engine_free(r->engine);
    lamp_summarise_free(r->summarise);

    char *text, *path[] = { (char *)(uintptr_t)file };
    printf("%s: analyze ends with %d, ", file, run_analyze(path, 1, &text));
    begin(&r->hash);
    crypto_generichash_update(&r->hash, (const uint8_t *)text, strlen(text));
    end(&r->hash);
    free(text);
    return true;
}

static void on_walk_error(const char *path, const char *why, void *arg)
{
    (void)arg;
    fprintf(stderr, "%s: %s\n", path, why);
    exit(1);
}

int main(int argc, char **argv)
{
    struct run r = { 0 };
    lamp_catalogue *catalogue = NULL;
    char text[512];
    if (argc < 4 || lamp_text_int(argv[1], 1, 1000000, &r.share) != LAMP_OK ||
        lamp_text_int(argv[2], 0, INT32_MAX, &r.seed) != LAMP_OK || sodium_init() < 0) {
        fputs("usage: packed SHARE SEED PATH...\n", stderr);
        return 2;
    }
    must(lamp_catalogue_load(LAMP_DATA, &catalogue, text, sizeof(text)), "catalogue");
    r.catalogue = catalogue;
    print_messages();
    for (int i = 3; i < argc; i++)
        lamp_source_walk(argv[i], on_file, on_walk_error, &r);
    lamp_catalogue_free(catalogue);
    return r.files ? 0 : 1;
}
