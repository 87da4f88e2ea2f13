/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/analyze/minutes.h"

#include "common/json.h"

enum { MINUTES_MAX = 20000, LINE_MAX_BYTES = 16 * 1024 };

#define MINUTE_US UINT64_C(60000000)

static void add(struct lamp_report_mining *m, const struct lamp_conn *c)
{
    if (c->verdict < LAMP_VERDICT_SUSPECTED)
        return;
    for (int dir = 0; dir < 2; dir++) {
        m->bytes[dir] += c->bytes[dir];
        m->packets[dir] += c->packets[dir];
    }
    m->submitted += c->shares.submitted;
    m->accepted += c->shares.accepted;
    m->rejected += c->shares.rejected;
    m->jobs += c->jobs;
}

static void add_live(const struct lamp_conn *c, void *arg)
{
    add(arg, c);
}

/* A connection may have become mining late, then what it did before counts where that was seen; one that
 * turned out to be none takes nothing back. */
static uint64_t since(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

static void both_ways(struct lamp_json *j, const char *key, const uint64_t now[2],
                      const uint64_t before[2])
{
    lamp_json_object(j, key);
    lamp_json_uint(j, "up", since(now[LAMP_UP], before[LAMP_UP]));
    lamp_json_uint(j, "down", since(now[LAMP_DOWN], before[LAMP_DOWN]));
    lamp_json_end(j);
}

static void tell(struct lamp_report_minutes *m, FILE *out, const char *file,
                 const struct lamp_report_mining *now)
{
    struct lamp_json j;
    lamp_json_init(&j, LINE_MAX_BYTES);
    lamp_json_object(&j, NULL);
    lamp_json_str(&j, "type", "minute");
    lamp_json_bytes(&j, "file", lamp_bytes_of(file));
    lamp_json_time(&j, "time", m->minute * MINUTE_US);
    lamp_json_uint(&j, "packets", m->packets);
    lamp_json_uint(&j, "bytes", m->bytes);
    lamp_json_object(&j, "mining");
    both_ways(&j, "bytes", now->bytes, m->told.bytes);
    both_ways(&j, "packets", now->packets, m->told.packets);
    lamp_json_object(&j, "shares");
    lamp_json_uint(&j, "submitted", since(now->submitted, m->told.submitted));
    lamp_json_uint(&j, "accepted", since(now->accepted, m->told.accepted));
    lamp_json_uint(&j, "rejected", since(now->rejected, m->told.rejected));
    lamp_json_end(&j);
    lamp_json_uint(&j, "jobs", since(now->jobs, m->told.jobs));
    lamp_json_end(&j);
    lamp_json_end(&j);
    lamp_json_newline(&j);
    if (lamp_json_error(&j) == LAMP_OK)
        (void)fwrite(j.buf, 1, j.len, out);
    lamp_json_done(&j);
    m->told = *now;
    m->packets = m->bytes = 0;
    m->n++;
}

/* How many of the frames belong to the minute being counted: up to the first of a later one. */
static size_t of_minute(const struct lamp_report_minutes *m, const struct lamp_frame *frames,
                        size_t n)
{
    size_t i = 0;
    while (i < n && (frames[i].t_us / MINUTE_US <= m->minute || m->n >= MINUTES_MAX - 1))
        i++;
    return i;
}

void lamp_report_minutes_frames(struct lamp_report_minutes *m, FILE *out, const char *file,
                                lamp_engine *e, const struct lamp_frame *frames, size_t n)
{
    if (m->minute == 0)
        m->minute = frames[0].t_us / MINUTE_US;
    for (size_t done = 0; done < n;) {
        const size_t k = of_minute(m, frames + done, n - done);
        if (k == 0) {
            struct lamp_report_mining now = m->ended;
            lamp_engine_conns(e, add_live, &now);
            tell(m, out, file, &now);
            m->minute = frames[done].t_us / MINUTE_US;
            continue;
        }
        for (size_t i = 0; i < k; i++)
            m->bytes += frames[done + i].orig_len;
        m->packets += k;
        lamp_engine_frames(e, frames + done, k);
        done += k;
    }
}

void lamp_report_minutes_ended(struct lamp_report_minutes *m, const struct lamp_conn *c)
{
    add(&m->ended, c);
}

void lamp_report_minutes_end(struct lamp_report_minutes *m, FILE *out, const char *file)
{
    if (m->packets)
        tell(m, out, file, &m->ended);
}
