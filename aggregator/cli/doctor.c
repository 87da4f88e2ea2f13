/* SPDX-License-Identifier: Apache-2.0 */
/* The command that says what is wrong with the fleet, and what to do about it. It looks at nothing that the
 * other commands do not show; it knows what it means. */
#include "aggregator/cli/cli.h"

#include "aggregator/cli/table.h"
#include "common/version.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { TEXT = 400 };

static const double SHARED_KEY_S = 3600;   /* two sensors were seen to use it within */
static const double EVICTED_SHARE = 0.001; /* a flow for so many packets */

/* What to do about an alert, by its kind. Those about mining are no fault of the fleet. */
static const struct {
    const char *kind, *advice;
} alert_advice[] = {
    { "sensor-silent", "on it: systemctl status davylamp-sensor, then davylamp-sensor doctor" },
    { "packets-dropped", "on it: more capture.threads, a larger capture.ring, or a capture.filter "
                         "that leaves out what "
                         "is of no interest" },
    { "clock-off", "on it: timedatectl; let chrony or systemd-timesyncd keep the time" },
    { "spool-filling",
      "the link is too slow or down: look at the uplink, or give link.spool_quota more" },
    { "records-lost",
      "what is lost stays lost; link.spool_quota says how long an outage may last" },
    { "list-refused", "davylamp sensors says why; lift the block that cuts it off" },
    { "disk-filling", "lower retention.disk or retention.*, or give the database another disk" },
};

static void find(json_t *all, const char *severity, const char *about, const char *advice,
                 const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static void find(json_t *all, const char *severity, const char *about, const char *advice,
                 const char *fmt, ...)
{
    char text[TEXT];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:s}", "severity", severity, "about",
                                         about, "found", text, "advice", advice));
}

/* ---- the questions ---- */

/* By kind of lamp_clickhouse_fault_name(). */
static void ask_history(json_t *all, const json_t *status)
{
    static const struct {
        const char *fault, *advice;
    } ways[] = {
        { "away",
          "start it, or look at clickhouse.url and what is between; nothing is lost as long "
          "as the database has room" },
        { "tls", "clickhouse.ca, or the certificate of the server" },
        { "login", "clickhouse.user and clickhouse.password_file, and what that user may do" },
        { "full", "give its disk room, or drop old partitions" },
        { "refused", "its log says more; docs/SCALE.md has what it must be able to do" },
        { "answer", "clickhouse.url names something else than a ClickHouse server" },
    };
    char text[LAMP_CELL];
    const char *fault = json_string_value(lamp_at(status, "history.fault"));
    for (size_t i = 0; fault && i < ARRAY_LEN(ways); i++)
        if (streq(ways[i].fault, fault))
            find(all, "warning", "ClickHouse", ways[i].advice, "history waits here: %s",
                 lamp_cell_text(status, "history.error", 0, text));
    if (lamp_number(status, "history.lost_rows"))
        find(all, "warning", "ClickHouse",
             "a larger retention.disk lasts for a longer time without ClickHouse",
             "%" PRId64 " rows went for want of room before they were sent",
             lamp_number(status, "history.lost_rows"));
}

static void ask_status(json_t *all, const json_t *status)
{
    if (lamp_number(status, "sensors.total") == 0)
        find(all, "warning", "fleet", "davylamp enroll --site SITE, and the token on the sensor",
             "no sensor is enrolled");
    if (json_is_true(lamp_at(status, "sample_mode")))
        find(all, "notice", "aggregator", "sample_mode = false, on a fleet of your own",
             "it shows sample traffic");
    ask_history(all, status);
}

static void ask_alerts(json_t *all, const json_t *answer)
{
    size_t i;
    json_t *alert;
    json_array_foreach(lamp_at(answer, "alerts"), i, alert)
    {
        char text[LAMP_CELL], subject[LAMP_CELL], severity[LAMP_CELL];
        const char *kind = json_string_value(lamp_at(alert, "kind"));
        for (size_t k = 0; kind && k < ARRAY_LEN(alert_advice); k++)
            if (streq(alert_advice[k].kind, kind))
                find(all, lamp_cell_text(alert, "severity", 0, severity),
                     lamp_cell_text(alert, "subject", 0, subject), alert_advice[k].advice, "%s",
                     lamp_cell_text(alert, "text", 0, text));
    }
}

static void ask_sensor(json_t *all, const json_t *sensor, double now)
{
    char about[LAMP_CELL], id[LAMP_CELL], text[LAMP_CELL];
    const json_t *shared = lamp_at(sensor, "shared_key"), *set;
    const char *version = json_string_value(lamp_at(sensor, "version"));
    const double packets = json_number_value(lamp_at(sensor, "packets"));
    const double evicted = json_number_value(lamp_at(sensor, "evicted"));
    size_t i;
    snprintf(about, sizeof(about), "sensor %.120s", lamp_cell_text(sensor, "id", 0, id));
    if (json_is_null(lamp_at(sensor, "last_seen")))
        find(all, "warning", about,
             "on it: systemctl start davylamp-sensor, or davylamp-sensor doctor",
             "it is enrolled and has never spoken");
    if (json_is_number(shared) && now - json_number_value(shared) < SHARED_KEY_S)
        find(
            all, "critical", about,
            "davylamp sensors revoke it, and enroll both machines anew: one is a copy of the other",
            "two machines use its key");
    if (version && !streq(version, LAMP_VERSION))
        find(all, "notice", about, "bring all to one version, the aggregator first",
             "it runs version %s, this is " LAMP_VERSION,
             lamp_cell_text(sensor, "version", 0, text));
    if (evicted > EVICTED_SHARE * packets)
        find(all, "warning", about, "more capture.memory, if it was no flood of made-up flows",
             "its flow table is too small: %.0f flows in %.0f packets were given up early", evicted,
             packets);
    json_array_foreach(lamp_at(sensor, "sets"), i, set)
    {
        /* What it says of a list that it took is a remark; of its block list there is an alert. */
        const char *state = json_string_value(lamp_at(set, "state"));
        char kind[LAMP_CELL];
        if (state && (streq(state, "refused") || streq(state, "rolled-back")))
            find(all, "warning", about, "on it: journalctl -u davylamp-sensor",
                 "it refuses its %.20s list: %s", lamp_cell_text(set, "kind", 0, kind),
                 lamp_cell_text(set, "error", 0, text));
    }
}

static void ask_sensors(json_t *all, const json_t *answer)
{
    size_t i;
    json_t *sensor;
    json_array_foreach(lamp_at(answer, "sensors"), i, sensor)
        ask_sensor(all, sensor, lamp_cli_now());
}

static void ask_keys(json_t *all, const json_t *answer)
{
    const size_t pending = json_array_size(lamp_at(answer, "pending"));
    if (pending)
        find(all, "notice", "keys",
             "davylamp sensors keys, then approve or reject: compare fingerprints first",
             "%zu sensors ask to be let in", pending);
    if (pending && lamp_number(answer, "pending_refused"))
        find(all, "notice", "keys", "reject those that are not yours; nobody else is kept out",
             "the list of those that ask was full for %" PRId64 " questions",
             lamp_number(answer, "pending_refused"));
}

static void ask_geo(json_t *all, const json_t *answer)
{
    size_t i;
    json_t *source;
    json_array_foreach(lamp_at(answer, "sources"), i, source)
    {
        char name[LAMP_CELL], about[LAMP_CELL], age[LAMP_CELL];
        snprintf(about, sizeof(about), "geo data %.120s", lamp_cell_text(source, "name", 0, name));
        if (json_is_true(lamp_at(source, "old")))
            find(all, "notice", about, "davylamp-geo-update, and let its timer run", "it is %s old",
                 lamp_cell_age(source, "built", lamp_cli_now(), age));
    }
}

static void ask_receivers(json_t *all, const json_t *answer)
{
    size_t i;
    json_t *receiver;
    json_array_foreach(lamp_at(answer, "receivers"), i, receiver)
    {
        char name[LAMP_CELL], about[LAMP_CELL], text[LAMP_CELL];
        snprintf(about, sizeof(about), "receiver %.120s",
                 lamp_cell_text(receiver, "name", 0, name));
        if (json_is_string(lamp_at(receiver, "error")))
            find(all, "warning", about, "davylamp notify test NAME says whether it works again",
                 "it does not take alerts: %s", lamp_cell_text(receiver, "error", 0, text));
        if (lamp_number(receiver, "dead"))
            find(all, "notice", about, "davylamp notify retry NAME",
                 "%" PRId64 " messages were given up", lamp_number(receiver, "dead"));
    }
}

static void ask_sites(json_t *all, const json_t *answer)
{
    size_t i;
    json_t *site;
    json_array_foreach(lamp_at(answer, "sites"), i, site)
    {
        char name[LAMP_CELL], about[LAMP_CELL], since[LAMP_CELL], by[LAMP_CELL];
        snprintf(about, sizeof(about), "site %.120s", lamp_cell_text(site, "site", 0, name));
        if (json_is_object(lamp_at(site, "held")))
            find(all, "notice", about, "davylamp release SITE",
                 "its block list is held for %s, by %s",
                 lamp_cell_age(site, "held.at", lamp_cli_now(), since),
                 lamp_cell_text(site, "held.by", 0, by));
    }
}

static void ask_blocks(json_t *all, const json_t *answer)
{
    size_t i, waiting = 0;
    json_t *block;
    json_array_foreach(lamp_at(answer, "blocks"), i, block)
    {
        const char *state = json_string_value(lamp_at(block, "approval.state"));
        waiting += state && streq(state, "waiting");
    }
    if (waiting)
        find(all, "notice", "blocks", "davylamp blocks, then approve ID or refuse ID",
             "%zu wait for a second person", waiting);
}

static void ask_backup(json_t *all, const json_t *answer)
{
    char text[LAMP_CELL];
    if (json_is_string(lamp_at(answer, "error")))
        find(all, "warning", "backup", "davylamp backup, once the cause is away",
             "the last copy of the database failed: %s", lamp_cell_text(answer, "error", 0, text));
}

static void ask_audit(json_t *all, const json_t *answer)
{
    if (!json_is_true(lamp_at(answer, "whole")))
        find(all, "critical", "audit log", "somebody has changed the database: look who could",
             "it is broken at row %" PRId64, lamp_number(answer, "broken_at"));
}

static const struct {
    const char *path;
    void (*ask)(json_t *all, const json_t *answer);
} questions[] = {
    { "/status", ask_status },   { "/alerts?limit=1000&open=1", ask_alerts },
    { "/sensors", ask_sensors }, { "/keys", ask_keys },
    { "/geo", ask_geo },         { "/notify", ask_receivers },
    { "/sites", ask_sites },     { "/blocks", ask_blocks },
    { "/backup", ask_backup },   { "/audit/check", ask_audit },
};

int lamp_cli_doctor(lamp_client *c, const struct options *o, char **args, int n)
{
    json_t *all = json_array(), *found;
    size_t i;
    int result = all ? EXIT_GOOD : EXIT_FAILED;
    (void)args, (void)n;
    for (i = 0; i < ARRAY_LEN(questions) && result == EXIT_GOOD; i++) {
        json_t *answer = NULL;
        const int err = lamp_client_call(c, "GET", questions[i].path, NULL, &answer);
        if (err == LAMP_OK)
            questions[i].ask(all, answer);
        else if (err != LAMP_EPROTO) /* else this token may not ask that, which was said: go on */
            result = EXIT_FAILED;
        json_decref(answer);
    }
    if (o->json)
        lamp_cli_print_lines(all);
    else
        json_array_foreach(all, i, found) printf(
            "%-9s%s: %s\n%9sto do: %s\n", json_string_value(lamp_at(found, "severity")),
            json_string_value(lamp_at(found, "about")), json_string_value(lamp_at(found, "found")),
            "", json_string_value(lamp_at(found, "advice")));
    const bool well = json_array_size(all) == 0;
    json_decref(all);
    if (result == EXIT_GOOD && well)
        return lamp_cli_say(o, EXIT_GOOD, "nothing is wrong that the aggregator knows of");
    return EXIT_FAILED;
}
