/* SPDX-License-Identifier: Apache-2.0 */
/* What is read from the disk before the first thread starts, and how far it may be missing. */
#include "aggregator/program/program.h"
#include "common/clock.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#define DAY_US UINT64_C(86400000000)
#define EXPIRES_SOON_US UINT64_C(1209600000000) /* 14 days */

int lamp_complain(const char *why)
{
    fprintf(stderr, "davylamp-aggregator: %s\n", why);
    return 1;
}

void lamp_aggregator_open_geo(struct lamp_aggregator *g)
{
    char why[LAMP_PROGRAM_WHY];
    if (lamp_geo_reload(g->geo, why, sizeof(why)) != LAMP_OK)
        lamp_log(LAMP_LOG_WARN, "main", "geo file %s, going on with what was open before", why);
    else if (g->conf.geo_files.n)
        lamp_log(LAMP_LOG_INFO, "main", "geo files opened files=%zu", g->conf.geo_files.n);
}

/* Without its table of devices the aggregator is as good as ever, but for devices and power. */
static void open_devices(struct lamp_aggregator *g)
{
    char why[LAMP_PROGRAM_WHY];
    if (lamp_devices_load(g->conf.catalogue, &g->devices, why, sizeof(why)) != LAMP_OK)
        lamp_log(LAMP_LOG_WARN, "main", "catalogue: %s; devices and power are not estimated", why);
}

static void open_catalogue(struct lamp_aggregator *g)
{
    char why[LAMP_PROGRAM_WHY];
    if (lamp_catalogue_load(g->conf.catalogue, &g->catalogue, why, sizeof(why)) != LAMP_OK)
        lamp_log(LAMP_LOG_WARN, "main", "catalogue: %s; its pools are not on the watch list", why);
    if (lamp_cdn_load(g->conf.catalogue, &g->cdn, why, sizeof(why)) != LAMP_OK)
        lamp_log(LAMP_LOG_WARN, "main", "catalogue: %s; content networks are not known", why);
}

struct lamp_clickhouse_cfg lamp_aggregator_clickhouse(const struct lamp_aggregator_conf *c)
{
    return (struct lamp_clickhouse_cfg){
        .url = c->clickhouse_url,
        .database = c->clickhouse_database,
        .cluster = c->clickhouse_cluster,
        .user = c->clickhouse_user,
        .password_file = c->clickhouse_password_file,
        .ca = c->clickhouse_ca,
        .plain_ok = c->clickhouse_plain_ok,
    };
}

/* No certificate and no key: no TLS. */
static int load_tls(const struct lamp_aggregator_conf *c, struct lamp_http_tls *out, char *why,
                    size_t size)
{
    const bool has_key = *c->http_key;
    if (!*c->http_certificate && !has_key)
        return LAMP_OK;
    if (*c->http_certificate && has_key)
        return lamp_http_tls_load(c->http_certificate, c->http_key, out, why, size);
    snprintf(why, size, "http.certificate and http.key belong together: give both");
    return LAMP_EINVAL;
}

int lamp_aggregator_check(void *conf, char why[LAMP_CONF_WHY])
{
    const struct lamp_aggregator_conf *c = conf;
    const struct lamp_clickhouse_cfg history = lamp_aggregator_clickhouse(c);
    struct lamp_http_tls tls = { 0 };
    char what[LAMP_PROGRAM_WHY];
    int err = lamp_notify_check((const char *const *)c->notify.v, c->notify.n, what);
    if (err) {
        snprintf(why, LAMP_CONF_WHY, "notify.receivers: %.480s", what);
        return err;
    }
    if (*history.url)
        err = lamp_clickhouse_check(&history, what);
    if (!err)
        err = load_tls(c, &tls, what, sizeof(what));
    if (err)
        snprintf(why, LAMP_CONF_WHY, "%.500s", what);
    lamp_http_tls_wipe(&tls);
    if (err)
        return err;
    lamp_facts *facts = NULL;
    err = lamp_facts_new(c->price, &c->site_prices, &c->places, &facts, why, LAMP_CONF_WHY);
    lamp_facts_free(facts);
    return err;
}

static int open_tls(struct lamp_aggregator *g)
{
    char why[LAMP_PROGRAM_WHY];
    const uint64_t now_us = lamp_clock_real_us();
    if (load_tls(&g->conf, &g->tls, why, sizeof(why)) != LAMP_OK)
        return lamp_complain(why);
    if (g->tls.certificate && g->tls.expires_us < now_us)
        lamp_log(LAMP_LOG_ERROR, "main", "http.certificate has ended: renew it, then restart");
    else if (g->tls.certificate && g->tls.expires_us < now_us + EXPIRES_SOON_US)
        lamp_log(LAMP_LOG_WARN, "main",
                 "http.certificate ends in %" PRIu64 " days: renew it, then restart",
                 (g->tls.expires_us - now_us) / DAY_US);
    return 0;
}

struct lamp_recovery lamp_aggregator_recovery(struct lamp_aggregator *g)
{
    if (*g->conf.store_path)
        snprintf(g->database, sizeof(g->database), "%s", g->conf.store_path);
    else
        snprintf(g->database, sizeof(g->database), "%.4000s/davylamp.db", g->conf.state_dir);
    return (struct lamp_recovery){ g->conf.store_backend, g->database, g->conf.state_dir };
}

static int open_store(struct lamp_aggregator *g)
{
    char why[LAMP_PROGRAM_WHY];
    const struct lamp_recovery r = lamp_aggregator_recovery(g);
    (void)umask(0077);
    if (lamp_recovery_lock(&r) != LAMP_OK ||
        lamp_recovery_check(&r, (uint32_t)g->conf.check_s) != LAMP_OK)
        return 1;
    lamp_log(LAMP_LOG_INFO, "main",
             "opening the database (one of an earlier version is upgraded now)");
    const uint64_t begin_us = lamp_clock_mono_us();
    if (lamp_store_open(g->conf.store_backend, g->database, false, &g->store, why) != LAMP_OK)
        return lamp_complain(why);
    lamp_log(LAMP_LOG_INFO, "main", "database open after seconds=%" PRIu64,
             (lamp_clock_mono_us() - begin_us) / 1000000);
    int err = lamp_store_begin(g->store);
    if (!err)
        err = lamp_store_history_start(g->store, lamp_clickhouse_place(&g->clickhouse));
    if (!err)
        err = lamp_store_commit(g->store);
    return err ? lamp_complain(lamp_store_why(g->store)) : 0;
}

int lamp_aggregator_open(struct lamp_aggregator *g)
{
    char why[LAMP_PROGRAM_WHY];
    if (lamp_aggregator_never(&g->conf, &g->never, &g->n_never) != LAMP_OK)
        return 2;
    snprintf(g->samples, sizeof(g->samples), "%.4000s/samples", g->conf.state_dir);
    snprintf(g->token_file, sizeof(g->token_file), "%.4000s/token", g->conf.state_dir);
    const int err =
        lamp_geo_new((const char *const *)g->conf.geo_files.v, g->conf.geo_files.n, &g->geo);
    if (err)
        return lamp_complain(err == LAMP_EFULL ? "geo.files names more than 8 files"
                                               : lamp_strerror(err));
    if (lamp_aggregator_check(&g->conf, why) != LAMP_OK)
        return 2 * lamp_complain(why);
    int code = open_tls(g);
    if (code)
        return code;
    lamp_aggregator_open_geo(g);
    open_devices(g);
    open_catalogue(g);
    if (lamp_facts_new(g->conf.price, &g->conf.site_prices, &g->conf.places, &g->facts, why,
                       sizeof(why)) != LAMP_OK)
        return 2 * lamp_complain(why);
    code = open_store(g);
    return code ? code : lamp_aggregator_load_sensors(g);
}
