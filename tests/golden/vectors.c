/* SPDX-License-Identifier: Apache-2.0 */
/* vectors: every vector of tests/data/recog becomes a capture file (segments of 300 bytes, some
 * sent twice or out of order, some tagged, some IPv6), and what analyze says of all of them
 * has to be vectors.jsonl, byte for byte. With LAMP_GOLDEN_UPDATE=1 in the environment it
 * writes that file instead: read the difference before committing it. */
#include "common/io.h"
#include "tests/golden/run_analyze.h"
#include "tests/support/capfile.h"
#include "tests/support/vector.h"

#include <glob.h>
#include <stdio.h>

enum { START_S = 1700000000 };

static void must(int err, const char *what)
{
    if (err) {
        fprintf(stderr, "%s: %s\n", what, lamp_strerror(err));
        exit(1);
    }
}

static struct lamp_capflow_cfg ends(size_t i)
{
    struct lamp_capflow_cfg cfg = {
        .client_port = (uint16_t)(40000 + i),
        .server_port = 3333,
        .mss = 300,
        .rtt_us = 20000,
        .retransmit = 0.2,
        .reorder = 0.2,
        .seed = i + 1,
    };
    must(lamp_addr_parse(i % 3 ? "10.20.0.5" : "fd20::5", &cfg.client), "address");
    must(lamp_addr_parse(i % 3 ? "203.0.113.7" : "2001:db8::7", &cfg.server), "address");
    if (i % 2) {
        cfg.vlans[0] = 100;
        cfg.n_vlans = 1;
    }
    return cfg;
}

static void write_capture(const char *vector, size_t i, const char *path)
{
    struct lamp_vector v;
    struct lamp_capflow flow;
    lamp_capfile *file;
    must(lamp_vector_load(vector, &v), vector);
    must(lamp_capfile_new(&file), path);
    const struct lamp_capflow_cfg cfg = ends(i);
    lamp_capflow_init(&flow, file, &cfg);
    uint64_t t_us = (START_S + 1000 * i) * UINT64_C(1000000);
    if (!v.midstream)
        must(lamp_capflow_open(&flow, t_us), path);
    for (size_t k = 0; k < v.n_lines; k++)
        must(lamp_capflow_send(&flow, v.lines[k].up ? LAMP_CAPFLOW_UP : LAMP_CAPFLOW_DOWN,
                               t_us += 1000000, v.lines[k].text, v.lines[k].len),
             path);
    must(lamp_capflow_close(&flow, t_us + 1000000), path);
    must(lamp_capfile_save(file, path), path);
    lamp_capfile_free(file);
    lamp_vector_done(&v);
}

/* "stratum1-bitcoin.pcap" of ".../stratum1/bitcoin.txt". */
static char *capture_name(const char *vector)
{
    const char *base = strrchr(vector, '/'), *folder = base;
    while (folder[-1] != '/')
        folder--;
    char *name;
    if (asprintf(&name, "%.*s-%.*s.pcap", (int)(base - folder), folder,
                 (int)(strlen(base + 1) - strlen(".txt")), base + 1) < 0)
        abort();
    return name;
}

/* Shows the first line that differs. */
static int compare(const char *want, const char *got)
{
    for (int line = 1; *want || *got; line++) {
        const size_t w = strcspn(want, "\n"), g = strcspn(got, "\n");
        if (w != g || memcmp(want, got, w) != 0) {
            fprintf(stderr, "line %d differs\nwant %.*s\ngot  %.*s\n", line, (int)w, want, (int)g,
                    got);
            return 1;
        }
        want += w + (want[w] == '\n');
        got += g + (got[g] == '\n');
    }
    return 0;
}

int main(void)
{
    char folder[] = "/tmp/lamp-golden-XXXXXX";
    glob_t vectors;
    if (glob(LAMP_TEST_DATA "/recog/*/*.txt", 0, NULL, &vectors) != 0 || !mkdtemp(folder) ||
        chdir(folder) != 0) {
        fputs("no vectors, or no temporary folder\n", stderr);
        return 1;
    }
    char **names = calloc(vectors.gl_pathc, sizeof(*names));
    for (size_t i = 0; names && i < vectors.gl_pathc; i++) {
        names[i] = capture_name(vectors.gl_pathv[i]);
        write_capture(vectors.gl_pathv[i], i, names[i]);
    }
    char *got, *want = NULL;
    size_t len;
    int failed = run_analyze(names, vectors.gl_pathc, &got) != 0;
    if (getenv("LAMP_GOLDEN_UPDATE")) {
        must(lamp_io_replace_file(LAMP_GOLDEN "/vectors.jsonl", got, strlen(got), 0644), "update");
    } else {
        must(lamp_io_read_file(LAMP_GOLDEN "/vectors.jsonl", 1 << 24, &want, &len),
             "vectors.jsonl");
        failed |= compare(want, got);
    }
    for (size_t i = 0; i < vectors.gl_pathc; i++) {
        unlink(names[i]);
        free(names[i]);
    }
    failed |= chdir("/") | rmdir(folder);
    free(names);
    free(got);
    free(want);
    globfree(&vectors);
    return failed;
}
