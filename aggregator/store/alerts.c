/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store/alerts.h"

static const struct {
    const char *name, *about;
    enum lamp_severity severity;
} kinds[] = {
#define LAMP_ALERT(name, text, severity, about) { text, about, LAMP_SEVERITY_##severity },
#include "aggregator/store/alert_kinds.def"
#undef LAMP_ALERT
};

const char *lamp_alert_name(enum lamp_alert_kind k)
{
    return (size_t)k < ARRAY_LEN(kinds) ? kinds[k].name : "unknown";
}

const char *lamp_alert_about(enum lamp_alert_kind k)
{
    return (size_t)k < ARRAY_LEN(kinds) ? kinds[k].about : "unknown";
}

enum lamp_severity lamp_alert_severity(enum lamp_alert_kind k)
{
    return (size_t)k < ARRAY_LEN(kinds) ? kinds[k].severity : LAMP_SEVERITY_NOTICE;
}

const char *lamp_severity_name(enum lamp_severity s)
{
    static const char *const names[] = { "notice", "warning", "critical" };
    return names[(size_t)s < ARRAY_LEN(names) ? s : 0];
}

const char *lamp_own_name(enum lamp_own_kind k)
{
    static const char *const names[] = { "wallet", "pool", "worker" };
    return names[(size_t)k < ARRAY_LEN(names) ? k : 0];
}
