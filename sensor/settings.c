/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/settings.h"

#include "common/settings.h"

#include <stdio.h>

/* Why an entry changes nothing; NULL: it was taken. */
static const char *apply_one(const struct lamp_sensor_conf *base, const char *name,
                             const char *value, struct lamp_sensor_conf *out,
                             char why[LAMP_CONF_WHY])
{
    if (!lamp_setting_find(name))
        return "not known here";
    if (lamp_conf_is_given(&lamp_sensor_conf_spec, base, name))
        return "set on this sensor";
    return lamp_conf_set(&lamp_sensor_conf_spec, out, name, value, why) == LAMP_OK ? NULL : why;
}

/* Text of the wire, cut to what a setting may have and without what is no printable ASCII. */
static void copy(struct lamp_bytes from, char *out, size_t size)
{
    size_t n = 0;
    for (; n < from.len && n + 1 < size; n++)
        out[n] = (char)(from.data[n] > ' ' && from.data[n] < 0x7f ? from.data[n] : '?');
    out[n] = '\0';
}

void lamp_settings_apply(const struct lamp_sensor_conf *base, const struct lamp_set_entry *v,
                         size_t n, struct lamp_sensor_conf *out, char detail[LAMP_SETTINGS_DETAIL])
{
    size_t len = 0;
    *out = *base;
    detail[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        char name[LAMP_SETTING_NAME], value[LAMP_SETTING_VALUE], why[LAMP_CONF_WHY];
        copy(v[i].name, name, sizeof(name));
        copy(v[i].text, value, sizeof(value));
        const char *reason = apply_one(base, name, value, out, why);
        if (!reason || len + 1 >= LAMP_SETTINGS_DETAIL)
            continue;
        const int more = snprintf(detail + len, LAMP_SETTINGS_DETAIL - len, "%s%s: %s",
                                  len ? "; " : "not taken: ", name, reason);
        len = lamp_min(len + (size_t)(more > 0 ? more : 0), (size_t)LAMP_SETTINGS_DETAIL - 1);
    }
}

void lamp_settings_init(struct lamp_settings *s, const struct lamp_sensor_conf *base)
{
    *s = (struct lamp_settings){ .base = base, .now = *base, .head.kind = LAMP_SET_POLICY };
}

void lamp_settings_done(struct lamp_settings *s)
{
    lamp_collect_done(&s->incoming);
}

bool lamp_settings_feed(struct lamp_settings *s, const struct lamp_msg *m)
{
    struct lamp_set set;
    char site[LAMP_WIRE_SITE_MAX + 1];
    struct lamp_set_manifest manifest;
    if (m->type == LAMP_MSG_SET_BEGIN)
        s->open = m->u.set_begin.kind == LAMP_SET_POLICY;
    if (!s->open || lamp_collect_feed(&s->incoming, m, &set) != LAMP_OK)
        return false;
    s->open = false;
    s->head = (struct lamp_set_head){ .kind = LAMP_SET_POLICY };
    if (lamp_set_manifest_unpack(m->u.set_end.manifest, site, &manifest) == LAMP_OK) {
        s->head.epoch = manifest.epoch;
        s->head.serial = manifest.serial;
        memcpy(s->head.digest, manifest.digest, sizeof(s->head.digest));
    }
    lamp_settings_apply(s->base, set.entries, set.n, &s->now, s->detail);
    lamp_set_done(&set);
    return true;
}
