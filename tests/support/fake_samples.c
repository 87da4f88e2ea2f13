/* SPDX-License-Identifier: Apache-2.0 */
/* The fake store's packet samples. */
#include "tests/support/fake_store.h"

#include "aggregator/store/samples.h"

#include <stdio.h>

int lamp_store_samples(lamp_store *s, const struct lamp_sample_filter *f, lamp_sample_fn *fn,
                       void *arg)
{
    struct lamp_sample v = { .id = 2,
                             .wire = 7,
                             .what = LAMP_SAMPLE_REMOTE,
                             .site = FAKE_SITE,
                             .packets_per_connection = 5,
                             .packets = 100,
                             .duration_s = 60,
                             .snaplen = 65535,
                             .bytes_max = 1024 * 1024,
                             .matches = { { .remote_port = 3333, .ip_proto = 6 } },
                             .n_matches = 1,
                             .created_by = "ann",
                             .created_us = FAKE_NOW_US,
                             .expires_us = FAKE_NOW_US };
    (void)s;
    snprintf(v.reason, sizeof(v.reason), "%s", FAKE_HOSTILE);
    if ((!f->id || f->id == v.id) && (!f->after_id || v.id < f->after_id) && !f->miner_id)
        fn(&v, arg);
    return LAMP_OK;
}

int lamp_store_sample_files(lamp_store *s, const struct lamp_sample_file_filter *f,
                            lamp_sample_file_fn *fn, void *arg)
{
    struct lamp_sample_file v = { .sample_id = 2,
                                  .sensor_ref = 1,
                                  .sensor = FAKE_SENSOR,
                                  .site = FAKE_SITE,
                                  .state = LAMP_SAMPLE_REFUSED,
                                  .changed_us = FAKE_NOW_US };
    (void)s;
    snprintf(v.words, sizeof(v.words), "%s", FAKE_HOSTILE);
    if (f->sample_id == v.sample_id)
        fn(&v, arg);
    return LAMP_OK;
}
