/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/conf.h"

#include "aggregator/store/imports.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>

enum {
    NEVER_MAX = 256, /* what a sensor takes */
    OWN_MAX = 56,    /* of these, addresses of this machine */
};

#define OPT(key_, type_, member, ...)                                                              \
    {                                                                                              \
        .key = (key_), .type = LAMP_OPT_##type_,                                                   \
        .offset = offsetof(struct lamp_aggregator_conf, member), __VA_ARGS__                       \
    }

static const struct lamp_opt options[] = {
    OPT("listen.sensors", STR, listen_sensors, .def = "tcp://0.0.0.0:5667",
        .help = "Where sensors connect to: a ZeroMQ endpoint."),
    OPT("listen.enroll", STR, listen_enroll, .def = "",
        .help = "Where sensors that are not enrolled ask to be: a ZeroMQ endpoint; empty: the port "
                "after the one of listen.sensors; off: nowhere."),
    OPT("listen.http", STR, listen_http, .def = "127.0.0.1:8080",
        .help = "Where the API and the dashboard are served: address:port."),
    OPT("http.plain_ok", BOOL, http_plain_ok, .def = "false",
        .help = "Serve plain HTTP on an address that is not loopback."),
    OPT("http.behind_tls", BOOL, http_behind_tls, .def = "false",
        .help = "A TLS proxy is in front: mark cookies Secure."),
    OPT("http.certificate", STR, http_certificate, .def = "",
        .help = "PEM file to serve TLS with, the chain of certificates; with http.key. Read at the "
                "start."),
    OPT("http.key", STR, http_key, .def = "",
        .help = "PEM file with its key, which others may not read."),
    OPT("http.metrics_open", BOOL, metrics_open, .def = "false",
        .help =
            "Serve /metrics to everybody who can connect; else it needs the token of an account "
            "for every site."),
    OPT("state_dir", STR, state_dir, .def = "/var/lib/davylamp-aggregator",
        .help = "Folder of the database, the keys and the token of the command line."),
    OPT("sensors", STR, sensors, .def = "/etc/davylamp/sensors",
        .help = "File of keys to let in, a line KEY SITE NAME each; need not exist. Keys that are "
                "not known yet go into the database at the start and on SIGHUP."),
    OPT("keys.overlap", INT, overlap_s, .min = 1, .max = 86400, .def = "3600", .unit = "s",
        .help = "How long a sensor's old key holds after the first session with its new one."),
    OPT("store.backend", STR, store_backend, .def = "sqlite", .help = "How history is kept."),
    OPT("store.path", STR, store_path, .def = "",
        .help = "Database; empty: davylamp.db in state_dir."),
    OPT("store.check", INT, check_s, .max = 3600, .def = "10", .unit = "s",
        .help = "How long the database is looked over for damage before the start, at most; 0: not "
                "at all."),
    OPT("web", STR, web, .def = LAMP_WEB_FOLDER, .help = "Folder of the built dashboard."),
    OPT("geo.files", LIST, geo_files, .def = "",
        .help = "MaxMind DB files (.mmdb) that say where addresses are and whose; read again on "
                "SIGHUP. davylamp-geo-update fetches some."),
    OPT("geo.attribution", STR, geo_attribution, .def = "",
        .help = "What the licences of these files want said where their facts are shown."),
    OPT("sites.places", LIST, places, .def = "",
        .help =
            "Where sites are, for the map: \"LATITUDE LONGITUDE SITE\" each, in degrees, such as "
            "\"59.91 10.75 oslo\"."),
    OPT("names.reverse", BOOL, names_reverse, .def = "true",
        .help = "Ask DNS for the host names of public addresses that are looked at; never in "
                "sample mode."),
    OPT("names.servers", STR, names_servers, .def = "",
        .help = "DNS servers to ask, ADDRESS[:PORT] with commas between; empty: the system's."),
    OPT("catalogue", STR, catalogue, .def = LAMP_CATALOGUE_DIR,
        .help = "Folder of devices.csv, by which devices and power are estimated."),
    OPT("price", DOUBLE, price, .max = 1000, .def = "0",
        .help = "What a kWh costs, in any currency; 0: costs are not told."),
    OPT("sites.prices", LIST, site_prices, .def = "",
        .help = "What a kWh costs at sites where that differs: SITE=PRICE each."),
    OPT("pools.resolve", BOOL, pools_resolve, .def = "true",
        .help = "Look up the names of the pools in the catalogue every 30 minutes, until somebody "
                "says otherwise in the dashboard; never in sample mode."),
    OPT("pools.probe", BOOL, pools_probe, .def = "false",
        .help = "Ask the servers in the catalogue every 3 hours whether they are pools: connects "
                "to servers of others, so it is off until it is wanted; never in sample mode."),
    OPT("pools.rate", INT, pools_rate, .min = 1, .max = 100, .def = "10", .unit = "1/s",
        .help = "Connections of probes a second."),
    OPT("pools.never", LIST, pools_never, .def = "",
        .help = "Addresses, prefixes and host names (with all below them) that are never looked up "
                "or probed, on top of private, local and reserved ones and of block.never."),
    OPT("sample_mode", BOOL, sample_mode, .def = "false",
        .help = "The traffic is made up: the dashboard says so."),
    OPT("interval", INT, interval_s, .min = 1, .max = 300, .def = "10", .unit = "s",
        .help = "Time between two summaries of a sensor."),
    OPT("block.never", LIST, never, .def = "",
        .help = "Addresses and prefixes that are never blocked, on top of private, local and "
                "multicast ones; sensors get the list too, with this machine's own addresses."),
    OPT("block.list_ttl", INT, list_ttl_s, .min = 10, .max = 86400, .def = "7200", .unit = "s",
        .help = "How long sensors hold a block list without hearing from the aggregator."),
    OPT("block.approvals", BOOL, approvals, .def = "true",
        .help = "What is unusually wide or one of many is blocked only once a second person has "
                "approved it."),
    OPT("alerts.silent", INT, silent_s, .min = 10, .max = 86400, .def = "60", .unit = "s",
        .help = "A sensor that is not heard of for so long raises an alert."),
    OPT("alerts.drops", DOUBLE, drops, .max = 100, .def = "1", .unit = "%",
        .help = "A sensor that misses more of its packets within seconds raises an alert."),
    OPT("alerts.rejected", DOUBLE, rejected, .min = 1, .max = 100, .def = "10", .unit = "%",
        .help = "More of the shares of a sanctioned rig rejected raises an alert."),
    OPT("alerts.no_shares", INT, no_shares_s, .min = 60, .max = 86400, .def = "90", .unit = "s",
        .help = "A sanctioned rig without an accepted share for so long, if that is no chance, "
                "raises an alert."),
    OPT("alerts.rate_drop", DOUBLE, rate_drop, .min = 1, .max = 100, .def = "50", .unit = "%",
        .help = "A sanctioned rig whose hash rate falls by more, if that is no chance, raises an "
                "alert."),
    OPT("alerts.disk_free", DOUBLE, disk_free, .max = 100, .def = "5", .unit = "%",
        .help = "Less of the disk of state_dir free raises an alert."),
    OPT("notify.receivers", LIST, notify, .def = "",
        .help =
            "Who is told of alerts: \"NAME URL [KEY=VALUE]...\" each, by webhook (http, https), "
            "syslog (udp, tcp, tls) or e-mail (smtp, smtps). The keys are in the manual."),
    OPT("crowdsec.widen", BOOL, crowdsec_widen, .def = "false",
        .help = "Bouncers of CrowdSec know no ports: give them blocks of one port as blocks of the "
                "whole address; else they are left out."),
    OPT("retention.settle", INT, settle_minutes, .min = 1, .max = 100000, .def = "5", .unit = "min",
        .help =
            "How long rows of a minute that is over stay as they came before they are added up."),
    OPT("retention.minutes", INT, minute_days, .max = 36500, .def = "30", .unit = "days",
        .help = "How long history is kept minute by minute; 0: for ever."),
    OPT("retention.hours", INT, hour_days, .max = 36500, .def = "400", .unit = "days",
        .help = "How long it is kept hour by hour; 0: for ever."),
    OPT("retention.days", INT, day_days, .max = 36500, .def = "0", .unit = "days",
        .help = "How long it is kept day by day; 0: for ever."),
    OPT("retention.connections", INT, conn_days, .max = 36500, .def = "0", .unit = "days",
        .help = "How long connections that are over are kept with their evidence; 0: for ever."),
    OPT("samples.quota", INT, samples_mib, .min = 1, .max = INT32_MAX, .def = "1024", .unit = "MiB",
        .help = "Space for packet samples, in samples below state_dir; the oldest make room."),
    OPT("samples.days", INT, samples_days, .max = 36500, .def = "30", .unit = "days",
        .help = "Packet samples are kept so long; 0: for ever."),
    OPT("trackings.days", INT, tracking_days, .max = 36500, .def = "30", .unit = "days",
        .help = "What was tracked is kept so long after its end; 0: for ever."),
    OPT("retention.disk", INT, disk_mib, .max = INT32_MAX, .def = "0", .unit = "MiB",
        .help = "Size of the database at which the oldest minutes, then hours, then days go before "
                "their time; 0: no limit."),
    OPT("clickhouse.url", STR, clickhouse_url, .def = "",
        .help =
            "A ClickHouse server that history goes to, too, and that answers for what retention "
            "took here: http://HOST:8123 or https://HOST:8443; empty: none."),
    OPT("clickhouse.database", STR, clickhouse_database, .def = "davylamp",
        .help = "Its database; it and its tables are made where they are missing."),
    OPT("clickhouse.cluster", STR, clickhouse_cluster, .def = "",
        .help = "Cluster of which it is one; then rows go into and come from Distributed tables."),
    OPT("clickhouse.user", STR, clickhouse_user, .def = "", .help = "Its user; empty: default."),
    OPT("clickhouse.password_file", STR, clickhouse_password_file, .def = "",
        .help = "File whose first line is the password; read for each request."),
    OPT("clickhouse.ca", STR, clickhouse_ca, .def = "",
        .help = "File of the certificates it is known by; empty: the system's."),
    OPT("clickhouse.plain_ok", BOOL, clickhouse_plain_ok, .def = "false",
        .help = "Send the password over plain HTTP to an address that is not loopback."),
    OPT("imports.folder", STR, imports_folder, .def = "",
        .help =
            "Where uploaded captures lie until they are analysed; empty: imports in state_dir."),
    OPT("imports.root", STR, imports_root, .def = "",
        .help = "Folder below which operators may name captures on this machine; empty: none."),
    OPT("imports.analyzer", STR, imports_analyzer, .def = "",
        .help = "Program that analyses captures; empty: the davylamp-sensor beside this one."),
    OPT("imports.size", INT, imports_mib, .min = 1, .max = 1 << 20, .def = "2048", .unit = "MiB",
        .help = "Most bytes of one upload."),
    OPT("imports.quota", INT, imports_quota_mib, .min = 1, .max = 1 << 24, .def = "8192",
        .unit = "MiB", .help = "Most bytes of all uploads that are not analysed yet."),
    OPT("imports.waiting", INT, imports_waiting, .min = 1, .max = 1000, .def = "20",
        .help = "Most imports under way: one is analysed at a time, the others wait."),
    OPT("imports.files", INT, imports_files, .min = 1, .max = LAMP_IMPORT_FILES_MAX, .def = "1000",
        .help = "Most captures in one import."),
    OPT("imports.silent", INT, imports_silent_s, .min = 1, .max = 86400, .def = "600", .unit = "s",
        .help = "An upload of which nothing comes for so long has failed and is deleted."),
    OPT("imports.days", INT, imports_keep_days, .max = 36500, .def = "90", .unit = "days",
        .help = "How long results are kept; 0: for ever."),
    OPT("imports.results", INT, imports_keep, .min = 1, .max = 10000, .def = "200",
        .help = "How many of them; the oldest make room."),
    OPT("imports.memory", INT, imports_memory_mib, .max = 1 << 20, .def = "1024", .unit = "MiB",
        .help = "Memory of the process that analyses a capture; 0: what it allows itself."),
    OPT("imports.cpu", INT, imports_cpu_s, .min = 1, .max = 86400, .def = "600", .unit = "s",
        .help = "Processor time for one capture."),
    OPT("imports.time", INT, imports_wall_s, .min = 1, .max = 86400, .def = "1800", .unit = "s",
        .help = "Time for one capture."),
    OPT("log.level", ENUM, log_level, .values = "error|warn|info|debug", .def = "info",
        .help = "The least urgent lines shown."),
    OPT("log.format", ENUM, log_format, .values = "text|json", .def = "text",
        .help = "How lines look."),
};

const struct lamp_conf_spec lamp_aggregator_spec = {
    .program = "davylamp-aggregator",
    .usage = "davylamp-aggregator [OPTION...]\n"
             "       davylamp-aggregator [OPTION...] keys|rotate-key|switch-key|set-aside\n"
             "       davylamp-aggregator [OPTION...] clickhouse-schema\n"
             "       davylamp-aggregator [OPTION...] restore FILE",
    .about =
        "Receives what the sensors of all sites see, keeps history, serves the API and the "
        "dashboard,\nand sends block lists back.\n"
        "  keys        print the public keys that a sensor's configuration needs\n"
        "  rotate-key  make the key that this aggregator will have next; SIGHUP announces it\n"
        "  switch-key  use that key from the next start on\n"
        "  clickhouse-schema  print the statements that make the tables of clickhouse.database\n"
        "  restore     put a backup in the place of the database\n"
        "  set-aside   give a damaged database another name, so that a start makes a new one",
    .default_file = "/etc/davylamp/aggregator.conf",
    .opts = options,
    .n_opts = ARRAY_LEN(options),
};

/* A sensor takes no list with a wider one, since a mistake here would end all blocking. */
static bool is_narrow_enough(const struct lamp_prefix *p)
{
    return p->len >= (lamp_addr_is_v4(&p->addr) ? 96 + 8 : 16);
}

static int read_never(const struct lamp_aggregator_conf *c, struct lamp_prefix *out)
{
    int err = LAMP_OK;
    for (size_t i = 0; i < c->never.n; i++) {
        const int bad = lamp_prefix_parse(c->never.v[i], &out[i]);
        if (!bad && is_narrow_enough(&out[i]))
            continue;
        fprintf(stderr, "davylamp-aggregator: block.never: \"%s\" is %s\n", c->never.v[i],
                bad ? "no address or prefix" : "wider than /8 (IPv6: /16)");
        err = LAMP_EFORMAT;
    }
    return err;
}

/* The address of an interface; false for loopback, link-local and other families. */
static bool is_own(const struct ifaddrs *i, struct lamp_addr *out)
{
    if (!i->ifa_addr || (i->ifa_flags & IFF_LOOPBACK))
        return false;
    if (i->ifa_addr->sa_family == AF_INET) {
        const struct sockaddr_in *sin = (const void *)i->ifa_addr;
        *out = lamp_addr_from_v4((const uint8_t *)&sin->sin_addr);
        return true;
    }
    const struct sockaddr_in6 *sin6 = (const void *)i->ifa_addr;
    if (i->ifa_addr->sa_family != AF_INET6 || IN6_IS_ADDR_LINKLOCAL(&sin6->sin6_addr))
        return false;
    memcpy(out->b, &sin6->sin6_addr, sizeof(out->b));
    return true;
}

static int add_own(struct lamp_prefix *out, size_t *io_n)
{
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) < 0)
        return -errno;
    struct lamp_prefix own = { .len = 128 };
    for (const struct ifaddrs *i = all; i && *io_n < NEVER_MAX; i = i->ifa_next)
        if (is_own(i, &own.addr))
            out[(*io_n)++] = own;
    freeifaddrs(all);
    return LAMP_OK;
}

int lamp_aggregator_never(const struct lamp_aggregator_conf *c, struct lamp_prefix **out,
                          size_t *out_n)
{
    if (c->never.n > NEVER_MAX - OWN_MAX) {
        fprintf(stderr, "davylamp-aggregator: block.never has more than %d entries\n",
                NEVER_MAX - OWN_MAX);
        return LAMP_EFULL;
    }
    struct lamp_prefix *p = calloc(NEVER_MAX, sizeof(*p));
    if (!p)
        return LAMP_ENOMEM;
    size_t n = c->never.n;
    int err = read_never(c, p);
    if (err == LAMP_OK)
        err = add_own(p, &n);
    if (err != LAMP_OK) {
        free(p);
        return err;
    }
    *out = p;
    *out_n = n;
    return LAMP_OK;
}
