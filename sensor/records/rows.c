/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/records/rows.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

enum { HOUR_TEXT = 13, DATE_TEXT = 19, NUMBER_DIGITS = 18 };

/* A number at the start of the text; what follows does not count ("3.0" of ICMP). */
static bool read_number(struct lamp_bytes text, uint64_t *out)
{
    size_t i = 0;
    uint64_t v = 0;
    while (i < text.len && text.data[i] == ' ')
        i++;
    const size_t from = i;
    for (; i < text.len && isdigit(text.data[i]) && i - from < NUMBER_DIGITS; i++)
        v = v * 10 + (uint64_t)(text.data[i] - '0');
    *out = v;
    return i > from;
}

static uint64_t number_or_0(struct lamp_bytes text)
{
    uint64_t v;
    return read_number(text, &v) ? v : 0;
}

/* The digits of a fraction of a second, in microseconds. */
static uint64_t fraction_us(struct lamp_bytes text)
{
    uint64_t us = 0, unit = 100000;
    for (size_t i = 0; i < text.len && isdigit(text.data[i]) && unit > 0; i++, unit /= 10)
        us += (uint64_t)(text.data[i] - '0') * unit;
    return us;
}

/* "12.345678" seconds. */
static bool read_seconds(struct lamp_bytes text, uint64_t *out_us)
{
    const uint8_t *dot = text.len ? memchr(text.data, '.', text.len) : NULL;
    uint64_t s;
    if (!read_number(text, &s) || s > UINT64_C(1) << 40)
        return false;
    const size_t at = dot ? (size_t)(dot - text.data) + 1 : text.len;
    *out_us = s * 1000000 + fraction_us((struct lamp_bytes){ text.data + at, text.len - at });
    return true;
}

static unsigned two(const uint8_t *p)
{
    return (unsigned)(p[0] - '0') * 10 + (unsigned)(p[1] - '0');
}

static bool is_date(struct lamp_bytes text)
{
    static const char form[] = "dddd-dd-dd?dd:dd:dd";
    for (size_t i = 0; i < DATE_TEXT; i++)
        if (i >= text.len || (form[i] == 'd'   ? !isdigit(text.data[i])
                              : form[i] == '?' ? text.data[i] != ' ' && text.data[i] != 'T'
                                               : text.data[i] != (uint8_t)form[i]))
            return false;
    return true;
}

/* Minutes that the offset "+0100" or "Z" behind a time names; false: none. */
static bool read_zone(struct lamp_bytes text, int *out_min)
{
    if (text.len == 1 && text.data[0] == 'Z') {
        *out_min = 0;
        return true;
    }
    if (text.len < 5 || (text.data[0] != '+' && text.data[0] != '-'))
        return false;
    const size_t colon = text.data[3] == ':';
    for (size_t i = 1; i < 5; i++)
        if (i + colon * (i > 2) >= text.len || !isdigit(text.data[i + colon * (i > 2)]))
            return false;
    const int min = (int)(two(text.data + 1) * 60 + two(text.data + 3 + colon));
    *out_min = text.data[0] == '-' ? -min : min;
    return true;
}

/* The begin of the hour that a date begins with. */
static uint64_t hour_of(const uint8_t *date, bool is_utc, struct lamp_row_memory *m)
{
    if (m->is_set && m->is_utc == is_utc && memcmp(m->hour, date, HOUR_TEXT) == 0)
        return m->hour_us;
    struct tm t = { .tm_year = (int)(two(date) * 100 + two(date + 2)) - 1900,
                    .tm_mon = (int)two(date + 5) - 1,
                    .tm_mday = (int)two(date + 8),
                    .tm_hour = (int)two(date + 11),
                    .tm_isdst = -1 };
    const time_t s = is_utc ? timegm(&t) : mktime(&t);
    memcpy(m->hour, date, HOUR_TEXT);
    m->hour_us = s > 0 ? (uint64_t)s * 1000000 : 0;
    m->is_set = true;
    m->is_utc = is_utc;
    return m->hour_us;
}

static bool read_time(struct lamp_bytes text, struct lamp_row_memory *m, uint64_t *out_us)
{
    if (!is_date(text))
        return read_seconds(text, out_us);
    struct lamp_bytes rest = { text.data + DATE_TEXT, text.len - DATE_TEXT };
    uint64_t us = 0;
    int zone_min = 0;
    if (rest.len > 0 && (*rest.data == '.' || *rest.data == ',')) {
        rest.data++, rest.len--;
        us = fraction_us(rest);
        while (rest.len > 0 && isdigit(*rest.data))
            rest.data++, rest.len--;
    }
    const bool is_utc = read_zone(rest, &zone_min);
    us += hour_of(text.data, is_utc, m);
    us += (two(text.data + 14) * 60 + two(text.data + 17)) * UINT64_C(1000000);
    *out_us = us - (uint64_t)((int64_t)zone_min * 60000000);
    return us > UINT64_C(86400000000);
}

static bool read_addr(struct lamp_bytes text, struct lamp_addr *out)
{
    char buf[LAMP_ADDR_STRLEN];
    while (text.len > 0 && *text.data == ' ')
        text.data++, text.len--;
    if (text.len == 0 || text.len >= sizeof(buf))
        return false;
    memcpy(buf, text.data, text.len);
    buf[text.len] = '\0';
    return lamp_addr_parse(buf, out) == LAMP_OK;
}

static uint8_t proto_of(struct lamp_bytes text)
{
    static const struct {
        const char *name;
        uint8_t proto;
    } protos[] = { { "tcp", 6 },  { "udp", 17 },       { "icmp", 1 }, { "icmp6", 58 },
                   { "gre", 47 }, { "ipv6-icmp", 58 }, { "esp", 50 }, { "sctp", 132 } };
    for (size_t i = 0; i < ARRAY_LEN(protos); i++)
        if (text.len >= strlen(protos[i].name) &&
            strncasecmp(protos[i].name, (const char *)text.data, strlen(protos[i].name)) == 0 &&
            (text.len == strlen(protos[i].name) || text.data[strlen(protos[i].name)] == ' '))
            return protos[i].proto;
    return (uint8_t)number_or_0(text);
}

bool lamp_row_record(const struct lamp_row *row, struct lamp_row_memory *m, struct lamp_record *out)
{
    const struct lamp_bytes *p = row->parts;
    struct lamp_record r = { .ip_proto = proto_of(p[LAMP_ROW_PROTO]), .sampling = 1 };
    uint64_t lasted;
    if (!read_addr(p[LAMP_ROW_SRC], &r.src) || !read_addr(p[LAMP_ROW_DST], &r.dst) ||
        !read_time(p[LAMP_ROW_FIRST], m, &r.first_us))
        return false;
    /* nfdump cuts what it prints to seconds, but not how long it was */
    if (read_seconds(p[LAMP_ROW_DURATION], &lasted) && lasted < UINT64_C(1) << 50)
        r.last_us = r.first_us + lasted;
    else if (!read_time(p[LAMP_ROW_LAST], m, &r.last_us) || r.last_us < r.first_us)
        r.last_us = r.first_us;
    r.src_port = (uint16_t)number_or_0(p[LAMP_ROW_SRC_PORT]);
    r.dst_port = (uint16_t)number_or_0(p[LAMP_ROW_DST_PORT]);
    r.vlan = (uint16_t)(number_or_0(p[LAMP_ROW_VLAN]) & 0xfff);
    for (unsigned i = 0; i < 2; i++) {
        r.bytes[i] = number_or_0(p[i ? LAMP_ROW_BYTES_BACK : LAMP_ROW_BYTES]);
        r.packets[i] = number_or_0(p[i ? LAMP_ROW_PACKETS_BACK : LAMP_ROW_PACKETS]);
    }
    *out = r;
    return lamp_record_is_plausible(&r) && r.packets[0] + r.packets[1] > 0;
}
