/* SPDX-License-Identifier: Apache-2.0 */
/* log: lines on stderr, as text (`level component key=value`) or JSON. Only main(), the
 * process and thread loops log; modules return codes. Anything a packet can trigger is a
 * counter; where such a thing must be told, lamp_log_limited() is the way. A line under
 * systemd gets its <N> priority prefix (sd-daemon(3)). Thread-safe: one write per line. */
#pragma once

#include "common/util.h"

enum lamp_log_level { LAMP_LOG_ERROR, LAMP_LOG_WARN, LAMP_LOG_INFO, LAMP_LOG_DEBUG };

/* Sets the least urgent level shown and the format, before threads start. */
void lamp_log_setup(enum lamp_log_level level, bool json);

/* Writes one line. component is a short constant ("ingest"); the text is a sentence
 * followed by key=value pairs. Untrusted strings go through lamp_text_safe() first; the
 * line as a whole is made printable once more. At most 1 KiB is kept. */
void lamp_log(enum lamp_log_level level, const char *component, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As lamp_log(), but at most 5 lines a minute per call site; then one line says how many
 * were left out. */
struct lamp_log_limit {
    uint64_t window_us;
    unsigned shown, hidden;
};
bool lamp_log_allow(struct lamp_log_limit *limit, const char *component);
#define lamp_log_limited(level, component, ...)                                                    \
    do {                                                                                           \
        static _Thread_local struct lamp_log_limit limit_;                                         \
        if (lamp_log_allow(&limit_, (component)))                                                  \
            lamp_log((level), (component), __VA_ARGS__);                                           \
    } while (0)
