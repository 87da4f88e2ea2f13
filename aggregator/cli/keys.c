/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/cli/keys.h"

#include "common/text.h"

#include <ctype.h>

enum { PRINT_LEAST = 8 };

/* Whether the hex digits of `text` begin the fingerprint. */
static bool begins_print(const char *print, const char *text)
{
    size_t n = 0;
    for (;; text++) {
        if (*text == '-')
            continue;
        if (*text == '\0')
            return n >= PRINT_LEAST;
        while (*print == '-')
            print++;
        if (tolower((unsigned char)*text) != *print)
            return false;
        print++;
        n++;
    }
}

bool lamp_cli_names(const json_t *object, const char *text, const char *name)
{
    int64_t id;
    const char *print = json_string_value(json_object_get(object, "fingerprint"));
    const char *key = json_string_value(json_object_get(object, "key"));
    const char *called = name ? json_string_value(json_object_get(object, name)) : NULL;
    if (lamp_text_int(text, 1, INT64_MAX, &id) == LAMP_OK &&
        json_integer_value(json_object_get(object, "id")) == id)
        return true;
    return (print && begins_print(print, text)) || (key && streq(key, text)) ||
           (called && streq(called, text));
}
