/* SPDX-License-Identifier: Apache-2.0 */
/* The fake store's trackings. */
#include "tests/support/fake_store.h"

#include "aggregator/store/trackings.h"

#include <stdio.h>

int lamp_store_trackings(lamp_store *s, const struct lamp_tracking_filter *f, lamp_tracking_fn *fn,
                         void *arg)
{
    struct lamp_tracking v = { .id = 2,
                               .order = { .wire = 7,
                                          .what = LAMP_SAMPLE_HOST,
                                          .site = FAKE_SITE,
                                          .matches = { { .remote_port = 3333, .ip_proto = 6 } },
                                          .n_matches = 1,
                                          .created_by = "ann",
                                          .created_us = FAKE_NOW_US,
                                          .expires_us = FAKE_NOW_US },
                               .ring = 4,
                               .ended_us = FAKE_NOW_US };
    (void)s;
    snprintf(v.order.reason, sizeof(v.order.reason), "%s", FAKE_HOSTILE);
    if ((!f->id || f->id == v.id) && (!f->after_id || v.id < f->after_id) && !f->miner_id)
        fn(&v, arg);
    return LAMP_OK;
}

int lamp_store_tracking_sensors(lamp_store *s, const struct lamp_tracking_sensor_filter *f,
                                lamp_tracking_sensor_fn *fn, void *arg)
{
    struct lamp_tracking_sensor v = { .tracking_id = 2,
                                      .sensor_ref = 1,
                                      .sensor = FAKE_SENSOR,
                                      .site = FAKE_SITE,
                                      .state = LAMP_TRACKING_REFUSED,
                                      .changed_us = FAKE_NOW_US };
    (void)s;
    snprintf(v.words, sizeof(v.words), "%s", FAKE_HOSTILE);
    if (f->tracking_id == v.tracking_id)
        fn(&v, arg);
    return LAMP_OK;
}

int lamp_store_tracking_steps(lamp_store *s, const struct lamp_tracking_step_filter *f,
                              lamp_tracking_step_fn *fn, void *arg)
{
    const struct lamp_tracking_step v = { f->from_us, 1, 2, 3, 4 };
    (void)s;
    fn(&v, arg);
    return LAMP_OK;
}

int lamp_store_tracking_totals(lamp_store *s, const char *site, struct lamp_tracking_totals *out)
{
    (void)s, (void)site;
    *out = (struct lamp_tracking_totals){ .kept = 1 };
    return LAMP_OK;
}
