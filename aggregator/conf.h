/* SPDX-License-Identifier: Apache-2.0 */
/* conf: the aggregator's options. Used before threads start. */
#pragma once

#include "common/addr.h"
#include "common/conf.h"

struct lamp_aggregator_conf {
    char *listen_sensors;              /* ZeroMQ endpoint */
    char *listen_enroll;               /* likewise; "" or "off" */
    char *listen_http;                 /* address:port */
    char *http_certificate, *http_key; /* PEM files; both or none */
    bool crowdsec_widen, http_plain_ok, http_behind_tls, metrics_open;
    bool names_reverse, pools_resolve, pools_probe, approvals, sample_mode;
    char *state_dir;                  /* database, keys, token */
    char *sensors;                    /* keys to let in, lamp_sensors_file_read() */
    char *store_backend, *store_path; /* path "": state_dir/davylamp.db */
    int64_t check_s;                  /* the look at the database before a start; 0: none */
    char *web;                        /* folder of the built dashboard */
    struct lamp_strlist geo_files;    /* .mmdb */
    char *geo_attribution;
    struct lamp_strlist places; /* "LATITUDE LONGITUDE SITE" */
    char *names_servers;        /* "": the system's */
    char *catalogue;            /* folder of devices.csv */
    int64_t pools_rate;         /* connections a second */
    struct lamp_strlist pools_never;
    double price;                    /* of a kWh */
    struct lamp_strlist site_prices; /* "SITE=PRICE" */
    int64_t overlap_s;               /* of two keys of a sensor */
    int64_t interval_s;              /* between summaries */
    struct lamp_strlist never;       /* prefixes */
    int64_t list_ttl_s;
    struct lamp_strlist notify;                          /* lines of lamp_receiver_parse() */
    int64_t no_shares_s, silent_s;                       /* a sensor raises an alert */
    double drops, disk_free, rejected, rate_drop;        /* percent */
    int64_t settle_minutes;                              /* rows stay as they came for so long */
    int64_t minute_days, hour_days, day_days, conn_days; /* kept so long; 0: for ever */
    int64_t samples_mib, samples_days;                   /* of packet samples */
    int64_t tracking_days;                               /* of what was tracked */
    /* Imports of captures. */
    char *imports_folder, *imports_root, *imports_analyzer;
    int64_t imports_mib, imports_quota_mib, imports_waiting, imports_files, imports_silent_s;
    int64_t imports_keep_days, imports_keep, imports_memory_mib, imports_cpu_s, imports_wall_s;
    /* ClickHouse, for history past this machine; url "": none. */
    char *clickhouse_url, *clickhouse_database, *clickhouse_cluster, *clickhouse_user;
    char *clickhouse_password_file, *clickhouse_ca;
    bool clickhouse_plain_ok;
    int64_t disk_mib;          /* of the database; 0: no limit */
    int log_level, log_format; /* enum lamp_log_level; 0 text, 1 JSON */
};

extern const struct lamp_conf_spec lamp_aggregator_spec;

/* The prefixes of c->never and this machine's own addresses, free() them; each bad one is told on
 * stderr. LAMP_EFORMAT, LAMP_EFULL: more than sensors take; LAMP_ENOMEM, negated errno. */
LAMP_CHECK int lamp_aggregator_never(const struct lamp_aggregator_conf *c, struct lamp_prefix **out,
                                     size_t *out_n);
