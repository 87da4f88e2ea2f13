/* SPDX-License-Identifier: Apache-2.0 */
/* The commands about the fleet as a whole: its figures, its traffic, what it comes to, its alerts. */
#include "aggregator/cli/cli.h"

#include "aggregator/cli/table.h"

#include <inttypes.h>
#include <stdio.h>

static void show_status(const json_t *s)
{
    char a[LAMP_CELL], b[LAMP_CELL];
    const double now = json_number_value(lamp_at(s, "now"));
    printf("aggregator   version %s, up %s%s\n", lamp_cell_text(s, "version", now, a),
           lamp_cell_age(s, "started", now, b),
           json_is_true(lamp_at(s, "sample_mode")) ? ", sample traffic" : "");
    printf("sensors      %" PRId64 " of %" PRId64 " online, %" PRId64 " sites\n",
           lamp_number(s, "sensors.online"), lamp_number(s, "sensors.total"),
           lamp_number(s, "sites"));
    printf("miners       %" PRId64 " confirmed, %" PRId64 " probable, %" PRId64
           " suspected, %" PRId64 " blocked\n",
           lamp_number(s, "miners.confirmed"), lamp_number(s, "miners.probable"),
           lamp_number(s, "miners.suspected"), lamp_number(s, "miners.blocked"));
    printf("blocks       %" PRId64 " in force\n", lamp_number(s, "blocks"));
    printf("traffic      %s watched, %s of mining\n", lamp_cell_bytes(s, "traffic.bytes", now, a),
           lamp_cell_bytes(s, "traffic.mining_bytes", now, b));
    printf("summaries    %" PRId64 " received, %" PRId64 " rows, %" PRId64 " repeated, %" PRId64
           " declared lost\n",
           lamp_number(s, "ingest.batches"), lamp_number(s, "ingest.rows"),
           lamp_number(s, "ingest.duplicates"), lamp_number(s, "ingest.lost"));
    printf("database     %s\n", lamp_cell_bytes(s, "database_bytes", now, a));
    if (json_is_object(lamp_at(s, "history")))
        printf("history      %s, %" PRId64 " rows sent, %" PRId64 " waiting\n",
               json_is_true(lamp_at(s, "history.connected")) ? "ClickHouse takes it"
                                                             : "ClickHouse does not take it",
               lamp_number(s, "history.rows"), lamp_number(s, "history.waiting_rows"));
}

int lamp_cli_status(lamp_client *c, const struct options *o, char **args, int n)
{
    (void)args, (void)n;
    return lamp_cli_get(c, o, "/status", show_status);
}

/* The smallest of a site's traffic is one row without a host and a port. */
static const char *traffic_host(const json_t *row, const char *path, double now,
                                char buf[LAMP_CELL])
{
    return json_is_null(lamp_at(row, path)) ? "other" : lamp_cell_text(row, path, now, buf);
}

static const char *traffic_port(const json_t *row, const char *path, double now,
                                char buf[LAMP_CELL])
{
    return json_is_null(lamp_at(row, "host")) ? "-" : lamp_cell_number(row, path, now, buf);
}

static const struct lamp_column traffic_columns[] = {
    { "SITE", "site", lamp_cell_text },
    { "HOST", "host", traffic_host },
    { "REMOTE", "remote", lamp_cell_text },
    { "PORT", "port", traffic_port },
    { "APPLICATION", "application", lamp_cell_text },
    { "NAME", "remote_name", lamp_cell_text },
    { "OUT", "bytes.out", lamp_cell_bytes },
    { "IN", "bytes.in", lamp_cell_bytes },
    { "FLOWS", "flows", lamp_cell_number },
    { NULL, NULL, NULL },
};

static void show_traffic(const json_t *answer)
{
    char out[LAMP_CELL], in[LAMP_CELL];
    const json_t *total = lamp_at(answer, "total");
    lamp_table_print(lamp_at(answer, "traffic"), traffic_columns, 0);
    printf("in all %s out, %s in, %" PRId64 " flows\n", lamp_cell_bytes(total, "bytes.out", 0, out),
           lamp_cell_bytes(total, "bytes.in", 0, in), lamp_number(total, "flows"));
}

/* The last hour; in JSON the rows come one a line and the total last. */
int lamp_cli_traffic(lamp_client *c, const struct options *o, char **args, int n)
{
    (void)args, (void)n;
    json_t *answer = NULL;
    if (o->csv)
        return lamp_cli_csv(c, o, "/traffic?limit=1000");
    if (lamp_client_call(c, "GET", "/traffic", NULL, &answer) != LAMP_OK)
        return EXIT_FAILED;
    if (o->json) {
        lamp_cli_print_lines(json_object_get(answer, "traffic"));
        json_t *total = json_pack("{s:O}", "total", json_object_get(answer, "total"));
        if (total)
            lamp_cli_print(total);
        json_decref(total);
    } else {
        show_traffic(answer);
    }
    json_decref(answer);
    return EXIT_GOOD;
}

/* "120 (90 to 160) W"; "-" where it is not known. */
static const char *range(const json_t *row, const char *path, const char *unit, char buf[LAMP_CELL])
{
    const json_t *r = lamp_at(row, path);
    if (!json_is_object(r))
        return "-";
    snprintf(buf, LAMP_CELL, "%.4g (%.4g to %.4g)%s", json_number_value(lamp_at(r, "value")),
             json_number_value(lamp_at(r, "low")), json_number_value(lamp_at(r, "high")), unit);
    return buf;
}

static const char *plain_range(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    (void)now;
    return range(row, path, "", buf);
}

static const char *watts(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    (void)now;
    return range(row, path, " W", buf);
}

static const char *energy(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    (void)now;
    return range(row, path, " kWh", buf);
}

static const struct lamp_column estimate_columns[] = {
    { "OF", "name", lamp_cell_all },
    { "MINERS", "miners", lamp_cell_number },
    { "DEVICES", "devices", plain_range },
    { "POWER", "watts", watts },
    { "ENERGY A DAY", "kwh_per_day", energy },
    { "COST A DAY", "cost_per_day", plain_range },
    { NULL, NULL, NULL },
};

static void show_estimates(const json_t *answer)
{
    json_t *all = json_deep_copy(lamp_at(answer, "estimates"));
    if (all && json_array_append(all, json_object_get(answer, "total")) == 0)
        lamp_table_print(all, estimate_columns, 0);
    json_decref(all);
}

int lamp_cli_estimates(lamp_client *c, const struct options *o, char **args, int n)
{
    const char *by = n > 0 ? args[0] : "site";
    if (!streq(by, "site") && !streq(by, "coin"))
        return lamp_cli_usage("'estimates' are by site or by coin, not by '%.40s'", by);
    return lamp_cli_get(c, o, streq(by, "site") ? "/estimates?by=site" : "/estimates?by=coin",
                        show_estimates);
}

static const char *lasts(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    return json_is_number(lamp_at(row, "resolved")) ? "ended" : lamp_cell_age(row, path, now, buf);
}

static const struct lamp_column alert_columns[] = {
    { "ID", "id", lamp_cell_number },
    { "SEVERITY", "severity", lamp_cell_text },
    { "KIND", "kind", lamp_cell_text },
    { "SITE", "site", lamp_cell_text },
    { "LASTS", "raised", lasts },
    { "SEEN", "count", lamp_cell_number },
    { "KNOWN TO", "acknowledged_by", lamp_cell_text },
    { "TEXT", "text", lamp_cell_text },
    { NULL, NULL, NULL },
};

static void show_alerts(const json_t *answer)
{
    const int64_t refused = lamp_number(answer, "refused");
    lamp_table_print(lamp_at(answer, "alerts"), alert_columns, lamp_cli_now());
    if (refused)
        printf("%" PRId64 " alerts found no room\n", refused);
}

static int acknowledge(lamp_client *c, const struct options *o, const char *id_text)
{
    char path[64];
    int64_t id;
    if (lamp_cli_number(id_text, "an alert", &id) != EXIT_GOOD)
        return EXIT_USAGE;
    snprintf(path, sizeof(path), "/alerts/%" PRId64 "/acknowledge", id);
    return lamp_cli_say(o, lamp_cli_call(c, o, "POST", path, NULL),
                        "alert %" PRId64 " acknowledged", id);
}

/* The alerts that last, all that are kept (up to 1,000), or a word of who knows of one. */
int lamp_cli_alerts(lamp_client *c, const struct options *o, char **args, int n)
{
    json_t *answer = NULL;
    const bool all = n == 1 && streq(args[0], "all");
    if (n == 2 && streq(args[0], "ack"))
        return acknowledge(c, o, args[1]);
    if (n > 0 && !all)
        return lamp_cli_usage("'alerts' takes: all, ack ID");
    const char *path = all ? "/alerts?limit=1000" : "/alerts?limit=1000&open=1";
    char sorted[128];
    if (o->csv)
        return lamp_cli_csv(c, o, path);
    if (o->sort) {
        snprintf(sorted, sizeof(sorted), "%s&sort=%.60s", path, o->sort);
        path = sorted;
    }
    if (lamp_client_call(c, "GET", path, NULL, &answer) != LAMP_OK)
        return EXIT_FAILED;
    if (o->json)
        lamp_cli_print_lines(json_object_get(answer, "alerts"));
    else
        show_alerts(answer);
    json_decref(answer);
    return EXIT_GOOD;
}
