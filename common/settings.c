/* SPDX-License-Identifier: Apache-2.0 */
#include "common/settings.h"

static const struct lamp_opt settings[] = {
    { "capture.interval", LAMP_OPT_INT, 0, 1, 300, "10", "s", NULL, "Time between summaries." },
    { "capture.traffic_rows", LAMP_OPT_INT, 0, 1, 100000, "2000", NULL, NULL,
      "Most rows of traffic figures a minute; the rest is summed up as other." },
    { "capture.tunnels", LAMP_OPT_BOOL, 0, 0, 0, "true", NULL, NULL,
      "Look into tunnels: the packets in them count, not the packets around them." },
    { "link.sample_rate", LAMP_OPT_INT, 0, 1024, 1073741824, "131072", "bytes", NULL,
      "Bytes a second that packet samples may take of the way to the aggregator." },
    { "log.level", LAMP_OPT_ENUM, 0, 0, 0, "info", NULL, "error|warn|info|debug",
      "Least urgent line that a sensor logs." },
};

const struct lamp_opt *lamp_settings(size_t *out_n)
{
    *out_n = ARRAY_LEN(settings);
    return settings;
}

const struct lamp_opt *lamp_setting_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(settings); i++)
        if (streq(settings[i].key, name))
            return &settings[i];
    return NULL;
}
