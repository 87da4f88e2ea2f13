/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/history/rowbin.h"

enum {
    TEXT_MAX = 4 * LAMP_WIRE_STRING_MAX + 1, /* as the tracker makes it storable */
    ROW_MAX = 256 + 3 * (TEXT_MAX + 10),
    GROW = 256 * 1024,
};

const char *lamp_rowbin_columns(enum lamp_history_kind kind)
{
    return kind == LAMP_HISTORY_TRAFFIC
               ? "time, site, inside, remote, ip_proto, service_port, application, remote_name,"
                 " bytes_out, bytes_in, packets_out, packets_in, flows, first, last, aggregator,"
                 " version"
               : "time, site, host, vlan, conn, bytes_up, bytes_down, packets_up, packets_down,"
                 " jobs, submitted, accepted, rejected, stale, work, squares, self_rate,"
                 " aggregator, version";
}

/* ---- writing ---- */

static uint8_t *put_uint(uint8_t *p, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        *p++ = (uint8_t)(v >> 8 * i);
    return p;
}

static uint8_t *put_text(uint8_t *p, struct lamp_bytes t)
{
    size_t n = t.len;
    for (; n >= 0x80; n >>= 7)
        *p++ = (uint8_t)(n | 0x80);
    *p++ = (uint8_t)n;
    if (t.len)
        memcpy(p, t.data, t.len);
    return p + t.len;
}

static uint8_t *put_addr(uint8_t *p, const struct lamp_addr *a)
{
    memcpy(p, a->b, sizeof(a->b));
    return p + sizeof(a->b);
}

static uint8_t *put_double(uint8_t *p, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return put_uint(p, bits, 8);
}

static uint8_t *put_time(uint8_t *p, uint64_t minute)
{
    return put_uint(p, lamp_min(minute, UINT32_MAX / 60) * 60, 4);
}

static int make_room(struct lamp_rowbin *b)
{
    if (b->size - b->len >= ROW_MAX)
        return LAMP_OK;
    const size_t size = b->size ? 2 * b->size : GROW;
    uint8_t *data = realloc(b->data, size);
    if (!data)
        return LAMP_ENOMEM;
    b->data = data;
    b->size = size;
    return LAMP_OK;
}

/* Of two states of a row, the one with the larger sum of its counts is the later one. */
static uint64_t version_of(const struct lamp_history_row *r, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        if (__builtin_add_overflow(sum, r->counts[i], &sum))
            return UINT64_MAX;
    return sum;
}

int lamp_rowbin_add(struct lamp_rowbin *b, unsigned table, uint64_t aggregator,
                    const struct lamp_history_row *r)
{
    const bool traffic = lamp_history_kind_of(table) == LAMP_HISTORY_TRAFFIC;
    const size_t n = traffic ? 5 : LAMP_HISTORY_COUNTS;
    if (r->site.len > TEXT_MAX || r->application.len > TEXT_MAX || r->remote_name.len > TEXT_MAX)
        return LAMP_EFULL;
    const int err = make_room(b);
    if (err)
        return err;
    uint8_t *p = b->data + b->len;
    p = put_time(p, (uint64_t)r->at.time * lamp_step_minutes(lamp_history_step_of(table)));
    p = put_text(p, r->site);
    p = put_addr(p, &r->host);
    if (traffic) {
        p = put_addr(p, &r->remote);
        p = put_uint(p, r->ip_proto, 1);
        p = put_uint(p, r->service_port, 2);
        p = put_text(p, r->application);
        p = put_text(p, r->remote_name);
    } else {
        p = put_uint(p, r->vlan, 4);
        p = put_uint(p, r->conn, 8);
    }
    for (size_t i = 0; i < n; i++)
        p = put_uint(p, r->counts[i], 8);
    if (traffic) {
        p = put_time(p, r->first_minute);
        p = put_time(p, r->last_minute);
    } else {
        p = put_double(p, r->work);
        p = put_double(p, r->squares);
        p = put_double(p, r->self_rate);
    }
    p = put_uint(p, aggregator, 8);
    p = put_uint(p, version_of(r, n), 8);
    b->len = (size_t)(p - b->data);
    b->rows++;
    return LAMP_OK;
}

void lamp_rowbin_done(struct lamp_rowbin *b)
{
    free(b->data);
    *b = (struct lamp_rowbin){ 0 };
}

/* ---- reading ---- */

static uint64_t get_uint(struct lamp_cursor *c, size_t bytes)
{
    const uint8_t *p = lamp_cursor_take(c, bytes);
    uint64_t v = 0;
    for (size_t i = 0; p && i < bytes; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

static struct lamp_bytes get_text(struct lamp_cursor *c)
{
    uint64_t len = 0;
    for (unsigned shift = 0; shift < 21; shift += 7) {
        const uint64_t b = get_uint(c, 1);
        len |= (b & 0x7f) << shift;
        if (b < 0x80)
            break;
        c->bad |= shift == 14;
    }
    c->bad |= len > TEXT_MAX;
    const uint8_t *p = c->bad ? NULL : lamp_cursor_take(c, len);
    return (struct lamp_bytes){ p ? p : (const uint8_t *)"", p ? len : 0 };
}

static struct lamp_addr get_addr(struct lamp_cursor *c)
{
    struct lamp_addr a = { .b = { 0 } };
    const uint8_t *p = lamp_cursor_take(c, sizeof(a.b));
    if (p)
        memcpy(a.b, p, sizeof(a.b));
    return a;
}

static double get_double(struct lamp_cursor *c)
{
    const uint64_t bits = get_uint(c, 8);
    double v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

bool lamp_rowbin_get(struct lamp_cursor *c, enum lamp_history_kind kind,
                     struct lamp_history_row *out)
{
    struct lamp_history_row r = { .at = { 0, 0 } };
    if (lamp_cursor_left(c) == 0)
        return false;
    if (kind == LAMP_HISTORY_TRAFFIC) {
        r.site = get_text(c);
        r.host = get_addr(c);
        r.remote = get_addr(c);
        r.ip_proto = (uint8_t)get_uint(c, 1);
        r.service_port = (uint16_t)get_uint(c, 2);
        r.application = get_text(c);
        r.remote_name = get_text(c);
        for (size_t i = 0; i < 5; i++)
            r.counts[i] = get_uint(c, 8);
        r.first_minute = get_uint(c, 4) / 60;
        r.last_minute = get_uint(c, 4) / 60;
    } else {
        r.at.time = (int64_t)(get_uint(c, 4) / 60);
        for (size_t i = 0; i < LAMP_HISTORY_COUNTS; i++)
            r.counts[i] = get_uint(c, 8);
        r.work = get_double(c);
        r.squares = get_double(c);
        r.self_rate = get_double(c);
    }
    *out = r;
    return !c->bad;
}
