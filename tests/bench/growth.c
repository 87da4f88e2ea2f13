/* SPDX-License-Identifier: Apache-2.0 */
/* growth [MILLIONS [SITES [FILE.svg]]]: how the store's time per row, the memory of the process and the file grow with
 * history: SITES (50) sites send the rows of one minute after another (HOSTS hosts of a site talk to some of 5,000
 * remote addresses, a few to most of them), each minute is added up when it is over, as the writer does it, until there
 * are MILLIONS (20) of them. Prints a line of CSV for each million: rows, CPU microseconds a row to take in and to add
 * up, resident MiB, bytes of the file a row; and draws it. The database is made in the folder at hand and removed. */
#include "aggregator/store/write.h"
#include "common/clock.h"
#include "common/text.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "growth-bench.db"
#define MINUTE_US UINT64_C(60000000)
#define FIRST_MINUTE UINT64_C(29000160) /* an hour begins */

enum {
    MILLION = 1000000,
    HOSTS = 40,
    REMOTES = 5000,
    RECORD_ROWS = 400,
    SITES_MAX = 1000,
    MOST = 1000
};

struct point {
    double take_us, add_us, rss_mib, bytes;
};

static lamp_store *s;
static int64_t millions = 20, n_sites = 50;
static uint64_t seed = 1, rows_taken;
static int64_t site_ref[SITES_MAX], stream_ref[SITES_MAX];

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
    remove(FILE_NAME);
    if (lamp_store_open("sqlite", FILE_NAME, false, &s, why) != LAMP_OK) {
        fprintf(stderr, "growth: %s\n", why);
        exit(1);
    }
    must(lamp_store_begin(s));
    for (int64_t i = 0; i < n_sites; i++) {
        struct lamp_store_sensor sensor;
        struct lamp_store_stream stream;
        snprintf(name, sizeof(name), "site%lld", (long long)i);
        must(lamp_store_enroll(s, name, name, FIRST_MINUTE * MINUTE_US));
        must(lamp_store_sensor(s, name, &sensor));
        must(lamp_store_stream_add(s, sensor.ref, &(struct lamp_stream_id){ { 1 } },
                                   FIRST_MINUTE * MINUTE_US, &stream));
        site_ref[i] = sensor.site_ref;
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

static void take_minute(uint64_t minute)
{
    must(lamp_store_begin(s));
    for (uint64_t site = 0; site < (uint64_t)n_sites; site++)
        for (uint64_t i = 0; i < RECORD_ROWS; i++, rows_taken++) {
            const struct lamp_rollup_row r = row_of(minute, site, i);
            must(lamp_store_rollup(s, site_ref[site], stream_ref[site], minute, (uint32_t)i, &r));
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
        (argc > 2 && lamp_text_int(argv[2], 1, SITES_MAX, &n_sites) != LAMP_OK) || argc > 4) {
        fputs("usage: growth [MILLIONS [SITES [FILE.svg]]]\n", stderr);
        return 2;
    }
    open_all();
    puts("million_rows,take_us,add_us,rss_mib,bytes_a_row");
    uint64_t minute = FIRST_MINUTE;
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
        must(stat(FILE_NAME, &st) == 0 ? LAMP_OK : LAMP_EIO);
        v[m] = (struct point){ take_us / n, add_us / n, rss_mib(),
                               (double)st.st_size / (double)rows_taken };
        printf("%lld,%.2f,%.2f,%.0f,%.1f\n", (long long)m + 1, v[m].take_us, v[m].add_us,
               v[m].rss_mib, v[m].bytes);
        fflush(stdout);
    }
    lamp_store_close(s);
    remove(FILE_NAME);
    if (argc > 3)
        plot(argv[3], v, (size_t)millions);
    return 0;
}
