/* SPDX-License-Identifier: Apache-2.0 */
/* The fake store's baselines: number 2, in force, with a draft and one unexpected destination. */
#include "tests/support/fake_store.h"

#include "aggregator/store/baselines.h"

#include <stdio.h>

static struct lamp_addr addr(uint8_t last)
{
    return lamp_addr_from_v4((const uint8_t[]){ 203, 0, 113, last });
}

int lamp_store_baselines(lamp_store *s, const struct lamp_baseline_filter *f, lamp_baseline_fn *fn,
                         void *arg)
{
    struct lamp_baseline b = { .id = 2,
                               .site = FAKE_SITE,
                               .host = lamp_addr_from_v4((const uint8_t[]){ 10, 0, 0, 7 }),
                               .version = 3,
                               .has_draft = true,
                               .created_us = FAKE_NOW_US,
                               .created_by = "ann" };
    (void)s;
    if ((!f->id || f->id == b.id) && (!f->site || streq(f->site, FAKE_SITE)))
        fn(&b, arg);
    return LAMP_OK;
}

int lamp_store_baseline_body(lamp_store *s, int64_t id, uint32_t version,
                             struct lamp_baseline_body *out)
{
    (void)s;
    if (id != 2 || (version != 0 && version != 3))
        return LAMP_ENOENT;
    *out = (struct lamp_baseline_body){ .from_us = FAKE_NOW_US - 1800000000,
                                        .to_us = FAKE_NOW_US,
                                        .minutes = 30,
                                        .mining = { 32000, 4000, 41000, 0 },
                                        .other = { 1400, 900, 6000, 0 },
                                        .packets = { 180, 24, 240, 0 },
                                        .wallets = { "4mine" },
                                        .n_wallets = 1,
                                        .n_entries = 1 };
    struct lamp_baseline_entry *e = &out->entries[0];
    *e = (struct lamp_baseline_entry){
        .at = { .remote = addr(9), .ip_proto = 6, .port = 3333, .mining = true },
        .by = LAMP_BASELINE_BY_NAME,
        .bytes = 960000,
        .packets = 5400,
        .minutes = 30
    };
    snprintf(e->at.name, sizeof(e->at.name), "%s", FAKE_HOSTILE);
    return LAMP_OK;
}

int lamp_store_baseline_versions(lamp_store *s, int64_t id, lamp_baseline_version_fn *fn, void *arg)
{
    const struct lamp_baseline_version v = { .version = 3,
                                             .from_us = FAKE_NOW_US - 1800000000,
                                             .to_us = FAKE_NOW_US,
                                             .at_us = FAKE_NOW_US,
                                             .minutes = 30,
                                             .entries = 1,
                                             .by = "ann",
                                             .note = "learned" };
    (void)s;
    if (id == 2)
        fn(&v, arg);
    return LAMP_OK;
}

int lamp_store_baseline_news(lamp_store *s, int64_t id, lamp_baseline_news_fn *fn, void *arg)
{
    struct lamp_baseline_news n = { .id = 5,
                                    .at = { .remote = addr(99), .ip_proto = 6, .port = 22 },
                                    .first_us = FAKE_NOW_US,
                                    .last_us = FAKE_NOW_US,
                                    .bytes = 400,
                                    .packets = 8 };
    (void)s;
    snprintf(n.at.application, sizeof(n.at.application), "%s", FAKE_HOSTILE);
    if (id == 2)
        fn(&n, arg);
    return LAMP_OK;
}

int lamp_store_host_minutes(lamp_store *s, const char *site, const struct lamp_addr *host,
                            uint64_t from_us, uint64_t to_us, lamp_host_minute_fn *fn, void *arg)
{
    struct lamp_host_minute m = {
        .minute = to_us / 60000000,
        .at = { .remote = addr(9), .ip_proto = 6, .port = 3333, .mining = true },
        .bytes = 32100,
        .packets = 181,
        .packets_out = 121,
        .wallet = "4mine"
    };
    (void)s, (void)site, (void)host, (void)from_us;
    if (fn(&m, arg)) {
        m.at = (struct lamp_baseline_place){ .remote = addr(99), .ip_proto = 6, .port = 22 };
        m.bytes = 400;
        fn(&m, arg);
    }
    return LAMP_OK;
}
