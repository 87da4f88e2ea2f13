/* SPDX-License-Identifier: Apache-2.0 */
/* growth [MILLIONS [SITES [FILE.svg|- [KEEP.db]]]]: how the store's time per row, the memory of the process and the file grow with
 * history: SITES (50) sites send the rows of one minute after another (HOSTS hosts of a site talk to some of 5,000
 * remote addresses, a few to most of them), each minute is added up when it is over, as the writer does it, until there
 * are MILLIONS (20) of them. Prints a line of CSV for each million: rows, CPU microseconds a row to take in and to add
 * up, resident MiB, bytes of the file a row; and draws it. The database is made in the folder at hand and removed; or
 * in KEEP.db, with MINERS miners at each site, and a past that ends now, for `pages` to look at. */
#include "aggregator/writer/tracker.h"
#include "common/clock.h"
#include "common/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define MINUTE_US UINT64_C(60000000)

enum {
    MILLION = 1000000,
    HOSTS = 40,
    REMOTES = 5000,
    RECORD_ROWS = 400,
    SITES_MAX = 1000,
    MINERS = 8,
    MOST = 1000
};

struct point {
    double take_us, add_us, rss_mib, bytes;
};

static lamp_store *s;
static int64_t millions = 20, n_sites = 50;
static const char *file = "growth-bench.db";
static bool keeps;
static uint64_t seed = 1, rows_taken, first_minute = 29000160; /* an hour begins */
static struct lamp_store_sensor sensors[SITES_MAX];
static int64_t stream_ref[SITES_MAX];

static void must(int err)
{
    if (!err)
        return;
    fprintf(stderr, "growth: %s: %s\n", lamp_strerror(err), s ? lamp_store_why(s) : "");
    exit(1);
}

static uint64_t draw(uint64_t below)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17; /* xorshift64, Marsaglia 2003 */
    return seed % below;
}

static double cpu_us(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static double rss_mib(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f && fscanf(f, "%*d %ld", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1048576;
}

static void open_all(void)
{
    char why[LAMP_STORE_WHY], name[32];
    remove(file);
    if (lamp_store_open("sqlite", file, false, &s, why) != LAMP_OK) {
        fprintf(stderr, "growth: %s\n", why);
        exit(1);
    }
    must(lamp_store_begin(s));
    for (int64_t i = 0; i < n_sites; i++) {
        struct lamp_store_stream stream;
        snprintf(name, sizeof(name), "site%lld", (long long)i);
        must(lamp_store_enroll(s, name, name, first_minute * MINUTE_US));
        must(lamp_store_sensor(s, name, &sensors[i]));
        must(lamp_store_stream_add(s, sensors[i].ref, &(struct lamp_stream_id){ { 1 } },
                                   first_minute * MINUTE_US, &stream));
        stream_ref[i] = stream.ref;
    }
    must(lamp_store_commit(s));
}

/* A host and a remote address of a site, the low numbers much more often. */
static struct lamp_rollup_row row_of(uint64_t minute, uint64_t site, uint64_t i)
{
    const uint64_t u = draw(REMOTES), remote = u * u / REMOTES;
    return (struct lamp_rollup_row){
        .minute = minute,
        .inside_addr =
            lamp_addr_from_v4((const uint8_t[]){ 10, (uint8_t)site, 0, (uint8_t)(1 + i % HOSTS) }),
        .remote_addr = lamp_addr_from_v4(
            (const uint8_t[]){ 198, 18, (uint8_t)(remote >> 8), (uint8_t)remote }),
        .ip_proto = 6,
        .service_port = (uint16_t)(u % 4 ? 443 : 80),
        .application = lamp_bytes_of(u % 4 ? "tls" : "http"),
        .remote_name = lamp_bytes_of(""),
        .bytes_out = 200 + draw(3000),
        .bytes_in = 500 + draw(60000),
        .packets_out = 2 + draw(40),
        .packets_in = 2 + draw(60),
        .flows = 1,
    };
}

static bool not_covered(const struct lamp_miner_target *t, void *arg)
{
    (void)t, (void)arg;
    return false;
}

static void ignore(int64_t miner_id, void *arg)
{
    (void)miner_id, (void)arg;
}

/* What the miners of a site did in a minute; each keeps its connection for an hour. */
static void take_miners(uint64_t minute, uint64_t site)
{
    static const char *const coins[] = { "XMR", "BTC", "ETC", "RVN" };
    const struct lamp_tracker tracker = { s, not_covered, ignore, NULL, NULL, NULL };
    const uint64_t now_us = (minute + 1) * MINUTE_US, hour = minute / 60;
    struct lamp_conn_row *rows = calloc(MINERS, sizeof(*rows));
    char worker[MINERS][16];
    must(rows ? LAMP_OK : LAMP_ENOMEM);
    for (uint64_t i = 0; rows && i < MINERS; i++) {
        snprintf(worker[i], sizeof(worker[i]), "rig-%u", (unsigned)(site * MINERS + i));
        rows[i] = (struct lamp_conn_row){
            .conn_id = hour * MINERS + i,
            .client_addr =
                lamp_addr_from_v4((const uint8_t[]){ 10, (uint8_t)site, 1, (uint8_t)(1 + i) }),
            .server_addr =
                lamp_addr_from_v4((const uint8_t[]){ 203, 0, 113, (uint8_t)(1 + site % 40) }),
            .client_port = (uint16_t)(40000 + hour % 10000),
            .server_port = 3333,
            .ip_proto = 6,
            .first_us = hour * 60 * MINUTE_US,
            .last_us = now_us - 1000000,
            .bytes_up = 2000 + draw(2000),
            .bytes_down = 9000 + draw(9000),
            .packets_up = 20,
            .packets_down = 24,
            .jobs = 2,
            .submitted = 6,
            .accepted = 6,
            .work_hashes = 6e5,
            .work_shares = 6,
            .work_method = LAMP_RATE_SHARES,
            .verdict = LAMP_VERDICT_CONFIRMED,
            .confidence = 9900,
            .family = lamp_bytes_of("cryptonote"),
            .coin = lamp_bytes_of(coins[(site + i) % ARRAY_LEN(coins)]),
            .hash_unit = lamp_bytes_of("H/s"),
            .wallet =
                lamp_bytes_of("48edfHu7V9Z84YzzMa6fUueoELZ9ZRXq9VetWzYGzKt52XU5xvqgzYnDK9URn"),
            .worker = lamp_bytes_of(worker[i]),
        };
    }
    const struct lamp_batch batch = { .cap_run = { (uint8_t)(hour >> 8), (uint8_t)hour },
                                      .t_from_us = minute * MINUTE_US,
                                      .t_to_us = now_us,
                                      .conns = rows,
                                      .n_conns = MINERS };
    const struct lamp_record rec = { &sensors[site], stream_ref[site], minute, now_us };
    must(lamp_tracker_merge(&tracker, &rec, &batch));
    rows_taken += MINERS;
    free(rows);
}

static void take_minute(uint64_t minute)
{
    must(lamp_store_begin(s));
    for (uint64_t site = 0; keeps && site < (uint64_t)n_sites; site++)
        take_miners(minute, site);
    for (uint64_t site = 0; site < (uint64_t)n_sites; site++)
        for (uint64_t i = 0; i < RECORD_ROWS; i++, rows_taken++) {
            const struct lamp_rollup_row r = row_of(minute, site, i);
            must(lamp_store_rollup(s, sensors[site].site_ref, stream_ref[site], minute, (uint32_t)i,
                                   &r));
        }
    must(lamp_store_commit(s));
}

static void add_up(uint64_t minute)
{
    const struct lamp_store_policy policy = { .settle_minutes = 1 };
    for (struct lamp_maintained done = { .more = true }; done.more;) {
        must(lamp_store_begin(s));
        must(lamp_store_maintain(s, &policy, minute * MINUTE_US, &done));
        must(lamp_store_commit(s));
    }
}

/* ---- the plot ---- */

static void draw_line(FILE *f, const struct point *v, size_t n, double top, size_t member,
                      const char *class)
{
    fprintf(f, "<polyline class=\"%s\" points=\"", class);
    for (size_t i = 0; i < n; i++) {
        double y;
        memcpy(&y, (const uint8_t *)&v[i] + member, sizeof(y));
        fprintf(f, "%.1f,%.1f ", 60 + 560.0 * (double)(i + 1) / (double)n, 260 - 220 * y / top);
    }
    fputs("\"/>\n", f);
}

static void plot(const char *path, const struct point *v, size_t n)
{
    FILE *f = fopen(path, "we");
    double top = 0;
    if (!f) {
        perror(path);
        exit(1);
    }
    for (size_t i = 0; i < n; i++) {
        const double most[] = { v[i].take_us, v[i].add_us };
        for (size_t k = 0; k < ARRAY_LEN(most); k++)
            top = most[k] > top ? most[k] : top;
    }
    top *= 1.1;
    fputs("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 300\" role=\"img\""
          " font-family=\"sans-serif\" font-size=\"12\">\n<title>CPU time per row over rows of"
          " history</title>\n<style>polyline{fill:none;stroke-width:2}.take{stroke:#0a6fb8}"
          ".add{stroke:#c2571a}.axis{stroke:#888}text{fill:#888}</style>\n"
          "<path class=\"axis\" fill=\"none\" d=\"M60 40V260H620\"/>\n",
          f);
    for (int i = 0; i <= 4; i++)
        fprintf(f, "<text x=\"54\" y=\"%d\" text-anchor=\"end\">%.1f</text>\n", 264 - 55 * i,
                top * i / 4);
    for (int i = 1; i <= 4; i++)
        fprintf(f, "<text x=\"%d\" y=\"278\" text-anchor=\"middle\">%.3g</text>\n", 60 + 140 * i,
                (double)n * i / 4);
    fputs("<text x=\"340\" y=\"294\" text-anchor=\"middle\">million rows</text>\n"
          "<text x=\"60\" y=\"30\">CPU microseconds a row: taken in (blue), added up to minutes,"
          " hours and days (orange)</text>\n",
          f);
    draw_line(f, v, n, top, offsetof(struct point, take_us), "take");
    draw_line(f, v, n, top, offsetof(struct point, add_us), "add");
    fputs("</svg>\n", f);
    fclose(f);
}

int main(int argc, char **argv)
{
    static struct point v[MOST];
    if ((argc > 1 && lamp_text_int(argv[1], 1, MOST, &millions) != LAMP_OK) ||
        (argc > 2 && lamp_text_int(argv[2], 1, SITES_MAX, &n_sites) != LAMP_OK) || argc > 5) {
        fputs("usage: growth [MILLIONS [SITES [FILE.svg|- [KEEP.db]]]]\n", stderr);
        return 2;
    }
    if (argc > 4) {
        const uint64_t a_minute = (uint64_t)n_sites * (RECORD_ROWS + MINERS);
        file = argv[4];
        keeps = true;
        first_minute =
            lamp_clock_real_us() / MINUTE_US - (uint64_t)millions * MILLION / a_minute - 1;
    }
    open_all();
    puts("million_rows,take_us,add_us,rss_mib,bytes_a_row");
    uint64_t minute = first_minute;
    for (int64_t m = 0; m < millions; m++) {
        double take_us = 0, add_us = 0;
        const uint64_t from = rows_taken;
        for (; rows_taken < (uint64_t)(m + 1) * MILLION; minute++) {
            const double t0 = cpu_us();
            take_minute(minute);
            const double t1 = cpu_us();
            add_up(minute);
            take_us += t1 - t0;
            add_us += cpu_us() - t1;
        }
        struct stat st;
        const double n = (double)(rows_taken - from);
        must(stat(file, &st) == 0 ? LAMP_OK : LAMP_EIO);
        v[m] = (struct point){ take_us / n, add_us / n, rss_mib(),
                               (double)st.st_size / (double)rows_taken };
        printf("%lld,%.2f,%.2f,%.0f,%.1f\n", (long long)m + 1, v[m].take_us, v[m].add_us,
               v[m].rss_mib, v[m].bytes);
        fflush(stdout);
    }
    lamp_store_close(s);
    if (!keeps)
        remove(file);
    if (argc > 3 && !streq(argv[3], "-"))
        plot(argv[3], v, (size_t)millions);
    return 0;
}
