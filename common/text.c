/* SPDX-License-Identifier: Apache-2.0 */
#include "common/text.h"

#include <endian.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int lamp_text_int(const char *text, int64_t min, int64_t max, int64_t *out)
{
    const char *digits = *text == '-' || *text == '+' ? text + 1 : text;
    if (*digits < '0' || *digits > '9')
        return LAMP_EFORMAT; /* strtoll would take leading blanks */
    char *end;
    errno = 0;
    const long long v = strtoll(text, &end, 10);
    if (*end != '\0')
        return LAMP_EFORMAT;
    if (errno == ERANGE || v < min || v > max)
        return LAMP_ERANGE;
    *out = v;
    return LAMP_OK;
}

int lamp_text_double(const char *text, double min, double max, double *out)
{
    if (strspn(text, "0123456789+-.eE") != strlen(text) || *text == '\0')
        return LAMP_EFORMAT; /* keeps out nan, inf, hex floats and blanks */
    char *end;
    const double v = strtod(text, &end);
    if (*end != '\0')
        return LAMP_EFORMAT;
    if (!isfinite(v) || v < min || v > max)
        return LAMP_ERANGE;
    *out = v;
    return LAMP_OK;
}

size_t lamp_utf8_len(const uint8_t *p, size_t left)
{
    if (left == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    const size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || left < n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

/* Characters that move the cursor or reorder the line: C0, DEL, C1, and the
 * bidirectional controls (Unicode TR 9: U+061C, U+200E-F, U+202A-E, U+2066-9). */
static bool is_unprintable(const uint8_t *p, size_t n)
{
    if (n == 1)
        return p[0] < 0x20 || p[0] == 0x7f;
    if (n == 2)
        return (p[0] == 0xc2 && p[1] < 0xa0) || (p[0] == 0xd8 && p[1] == 0x9c);
    if (n == 3 && p[0] == 0xe2 && p[1] == 0x80)
        return p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xa8 && p[2] <= 0xae);
    return n == 3 && p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9;
}

/* ASCII that every form leaves as it is. */
static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x7f && c != '\\';
}

static char *escape(const uint8_t *data, size_t len, char *buf, size_t size, bool printable)
{
    size_t o = 0;
    for (; o < len && o + 1 < size && is_plain(data[o]); o++)
        buf[o] = (char)data[o];
    for (size_t i = o; i < len;) {
        size_t n = lamp_utf8_len(data + i, len - i);
        const bool hide = n == 0 || data[i] == '\0' || (printable && is_unprintable(data + i, n));
        const size_t step = n ? n : 1;
        const bool backslash = printable && data[i] == '\\';
        const size_t need = hide ? 4 * step : backslash ? 2 : step;
        if (o + need >= size)
            break;
        if (hide) {
            for (size_t k = 0; k < step; k++)
                o += (size_t)snprintf(buf + o, size - o, "\\x%02x", data[i + k]);
        } else {
            if (backslash)
                buf[o++] = '\\';
            memcpy(buf + o, data + i, step);
            o += step;
        }
        i += step;
    }
    buf[o] = '\0';
    return buf;
}

char *lamp_text_safe(const uint8_t *data, size_t len, char *buf, size_t size)
{
    return escape(data, len, buf, size, true);
}

char *lamp_text_utf8(const uint8_t *data, size_t len, char *buf, size_t size)
{
    return escape(data, len, buf, size, false);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

#define BYTES(b) (UINT64_C(0x0101010101010101) * (b))

/* Eight digits at once, the first in the lowest byte: *out_letters has the top bit of each byte set
 * that is a letter of one. False: some byte is no digit. No sum carries into the next byte, since
 * bytes from 0x80 on are refused first. */
static bool hex_eight(uint64_t digits, uint64_t *out_letters)
{
    const uint64_t top = BYTES(0x80), low = digits | BYTES(0x20);
    if (digits & top)
        return false;
    const uint64_t number = (digits + BYTES(0x80 - '0')) & ~(digits + BYTES(0x80 - ':'));
    *out_letters = (low + BYTES(0x80 - 'a')) & ~(low + BYTES(0x80 - 'g')) & top;
    return ((number & top) | *out_letters) == top;
}

static uint64_t eight(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof(word));
    return le64toh(word);
}

bool lamp_hex_is(const char *text, size_t len)
{
    size_t i = 0;
    for (uint64_t letters; i + 8 <= len; i += 8)
        if (!hex_eight(eight(text + i), &letters))
            return false;
    for (; i < len; i++)
        if (hex_value(text[i]) < 0)
            return false;
    return true;
}

int lamp_hex_decode(const char *hex, size_t len, uint8_t *out, size_t size, size_t *out_len)
{
    if (len >= 2 && hex[0] == '0' && (hex[1] == 'x' || hex[1] == 'X')) {
        hex += 2;
        len -= 2;
    }
    if (len % 2)
        return LAMP_EFORMAT;
    if (len / 2 > size)
        return LAMP_EFULL;
    size_t i = 0;
    for (uint64_t letters; 2 * i + 8 <= len; i += 4) {
        const uint64_t digits = eight(hex + 2 * i);
        if (!hex_eight(digits, &letters))
            return LAMP_EFORMAT;
        uint64_t v = (digits & BYTES(0x0f)) + 9 * (letters >> 7);
        v = (v << 4 | v >> 8) & UINT64_C(0x00ff00ff00ff00ff); /* two digits to a byte, */
        v = (v | v >> 8) & UINT64_C(0x0000ffff0000ffff);      /* and these together */
        const uint32_t four = htole32((uint32_t)(v | v >> 16));
        memcpy(out + i, &four, sizeof(four));
    }
    for (; i < len / 2; i++) {
        const int hi = hex_value(hex[2 * i]), lo = hex_value(hex[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return LAMP_EFORMAT;
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    *out_len = len / 2;
    return LAMP_OK;
}

char *lamp_hex_encode(const uint8_t *data, size_t len, char *buf)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        buf[2 * i] = digits[data[i] >> 4];
        buf[2 * i + 1] = digits[data[i] & 15];
    }
    buf[2 * len] = '\0';
    return buf;
}
