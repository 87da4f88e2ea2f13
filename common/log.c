/* SPDX-License-Identifier: Apache-2.0 */
#include "common/log.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

enum { LINE_MAX_BYTES = 1024, LIMIT_LINES = 5, LIMIT_WINDOW_US = 60 * 1000 * 1000 };

static enum lamp_log_level shown_level = LAMP_LOG_INFO;
static bool as_json, with_prefix;

static const char *const names[] = { "error", "warn", "info", "debug" };
static const int priorities[] = { 3, 4, 6, 7 }; /* syslog(3) numbers */

void lamp_log_setup(enum lamp_log_level level, bool json)
{
    shown_level = level;
    as_json = json;
    with_prefix = getenv("JOURNAL_STREAM") != NULL;
}

static void stamp(uint64_t now_us, char *buf, size_t size)
{
    const time_t s = (time_t)(now_us / 1000000);
    struct tm tm;
    gmtime_r(&s, &tm);
    const size_t n = strftime(buf, size, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(buf + n, size - n, ".%03uZ", (unsigned)(now_us / 1000 % 1000));
}

void lamp_log(enum lamp_log_level level, const char *component, const char *fmt, ...)
{
    if (level > shown_level)
        return;
    char raw[LINE_MAX_BYTES], safe[2 * LINE_MAX_BYTES], when[40];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(raw, sizeof(raw), fmt, ap);
    va_end(ap);
    stamp(lamp_clock_real_us(), when, sizeof(when));

    char line[8 * LINE_MAX_BYTES]; /* JSON writes a control character as six */
    size_t n = 0;
    if (with_prefix)
        n = (size_t)snprintf(line, sizeof(line), "<%d>", priorities[level]);
    if (as_json) {
        struct lamp_json j;
        lamp_json_init_fixed(&j, line + n, sizeof(line) - n - 1);
        lamp_json_object(&j, NULL);
        lamp_json_str(&j, "@timestamp", when);
        lamp_json_str(&j, "log.level", names[level]);
        lamp_json_str(&j, "component", component);
        lamp_json_str(&j, "message", raw);
        lamp_json_end(&j);
        n += j.len;
        line[n++] = '\n';
    } else {
        lamp_text_safe((const uint8_t *)raw, strlen(raw), safe, sizeof(safe));
        n += (size_t)snprintf(line + n, sizeof(line) - n, "%s %-5s %s: %s\n", when, names[level],
                              component, safe);
    }
    if (write(STDERR_FILENO, line, lamp_min(n, sizeof(line))) < 0)
        return; /* nobody left to tell */
}

bool lamp_log_allow(struct lamp_log_limit *limit, const char *component)
{
    const uint64_t now_us = lamp_clock_mono_us();
    if (now_us - limit->window_us >= LIMIT_WINDOW_US || limit->window_us == 0) {
        const unsigned hidden = limit->hidden;
        *limit = (struct lamp_log_limit){ .window_us = now_us };
        if (hidden)
            lamp_log(LAMP_LOG_WARN, component, "similar lines left out count=%u", hidden);
    }
    if (limit->shown >= LIMIT_LINES) {
        limit->hidden++;
        return false;
    }
    limit->shown++;
    return true;
}
