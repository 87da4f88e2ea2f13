/* SPDX-License-Identifier: Apache-2.0 */
/* The fake store's alerts and what belongs to them. */
#include "tests/support/fake_store.h"

int lamp_store_alerts(lamp_store *s, const struct lamp_alert_filter *f, lamp_alert_view_fn *fn,
                      void *arg)
{
    static const struct lamp_alert_view rows[] = {
        { .id = 2,
          .kind = LAMP_ALERT_MINER_CONFIRMED,
          .subject = "10.1.0.23 at " FAKE_SITE,
          .site = FAKE_SITE,
          .text = FAKE_HOSTILE,
          .miner_id = 3,
          .count = 4,
          .first_us = FAKE_NOW_US,
          .raised_us = FAKE_NOW_US,
          .last_us = FAKE_NOW_US },
        { .id = 1,
          .kind = LAMP_ALERT_SENSOR_SILENT,
          .subject = "sensor " FAKE_SENSOR,
          .site = FAKE_SITE,
          .text = "Nothing was heard.",
          .count = 1,
          .first_us = FAKE_NOW_US,
          .raised_us = FAKE_NOW_US,
          .last_us = FAKE_NOW_US,
          .acked_us = FAKE_NOW_US,
          .acked_by = "ann" },
    };
    (void)s;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct lamp_alert_view v = rows[i];
        if (!f->open && !f->id && v.id == 1)
            v.resolved_us = FAKE_NOW_US;
        if ((!f->id || f->id == v.id) && (!f->after_id || v.id < f->after_id) && !fn(&v, arg))
            break;
    }
    return LAMP_OK;
}

int lamp_store_alert_counts(lamp_store *s, struct lamp_alert_counts *out)
{
    (void)s;
    *out = (struct lamp_alert_counts){ .kept = 2, .open = 2, .unacknowledged = 1, .refused = 5 };
    return LAMP_OK;
}

int lamp_store_proved(lamp_store *s, int64_t id, lamp_proved_fn *fn, void *arg)
{
    static const struct lamp_proved rows[] = {
        { .id = 2,
          .kind = LAMP_PROVED_WALLET,
          .wallet = FAKE_HOSTILE,
          .confirmed = true,
          .first_us = FAKE_NOW_US,
          .last_us = FAKE_NOW_US,
          .site = FAKE_SITE,
          .word = LAMP_PROVED_MUTED,
          .said_by = "ann",
          .said_us = FAKE_NOW_US },
        { .id = 1,
          .kind = LAMP_PROVED_SERVER,
          .port = 443,
          .first_us = FAKE_NOW_US,
          .last_us = FAKE_NOW_US,
          .site = FAKE_SITE },
    };
    (void)s;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if ((id == 0 || id == rows[i].id) && !fn(&rows[i], arg))
            break;
    return LAMP_OK;
}

int lamp_store_own(lamp_store *s, lamp_own_fn *fn, void *arg)
{
    (void)s;
    const struct lamp_own o = { .id = 1,
                                .kind = LAMP_OWN_WALLET,
                                .value = "4mine",
                                .added_by = "ann",
                                .added_us = FAKE_NOW_US };
    fn(&o, arg);
    return LAMP_OK;
}

int lamp_store_settings(lamp_store *s, lamp_site_setting_fn *fn, void *arg)
{
    (void)s, (void)fn, (void)arg;
    return LAMP_OK;
}

int lamp_store_policies(lamp_store *s, lamp_policy_fn *fn, void *arg)
{
    (void)s;
    const struct lamp_policy p = { .id = 1,
                                   .name = "no-xmr",
                                   .mode = LAMP_POLICY_DRY_RUN,
                                   .verdict = LAMP_VERDICT_CONFIRMED,
                                   .coin = "XMR",
                                   .days = 0x7f,
                                   .block = LAMP_POLICY_HOST,
                                   .lease_s = 3600,
                                   .longest_s = 7200,
                                   .created_us = FAKE_NOW_US,
                                   .mode_us = FAKE_NOW_US };
    fn(&p, arg);
    return LAMP_OK;
}

int lamp_store_policy_hits(lamp_store *s, int64_t policy_id, lamp_policy_hit_fn *fn, void *arg)
{
    (void)s;
    const struct lamp_policy_hit h = { .policy_id = policy_id,
                                       .site = FAKE_SITE,
                                       .miner_id = 3,
                                       .dry_run = true,
                                       .why = FAKE_HOSTILE,
                                       .outcome = "would be blocked for 3600 s",
                                       .last_us = FAKE_NOW_US,
                                       .count = 1 };
    fn(&h, arg);
    return LAMP_OK;
}
