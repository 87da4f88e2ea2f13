/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/api/metrics.h"

#include "aggregator/api/impl.h"
#include "common/version.h"

#include <dirent.h>
#include <math.h>
#include <microhttpd.h>
#include <sys/resource.h>

/* ---- the format ---- */

void lamp_metric(FILE *out, enum lamp_metric_type type, const char *name, const char *help)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
            type == LAMP_METRIC_COUNTER ? "counter" : "gauge");
}

void lamp_metric_sample(FILE *out, const char *name, const char *label, const char *value,
                        double sample)
{
    fputs(name, out);
    if (label)
        fprintf(out, "{%s=\"%s\"}", label, value);
    fprintf(out, sample == floor(sample) && fabs(sample) < 1e15 ? " %.0f\n" : " %.17g\n", sample);
}

void lamp_metric_one(FILE *out, enum lamp_metric_type type, const char *name, const char *help,
                     double sample)
{
    lamp_metric(out, type, name, help);
    lamp_metric_sample(out, name, NULL, NULL, sample);
}

/* ---- the figures ---- */

#define GAUGE(name, help, value)                                                                   \
    lamp_metric_one(out, LAMP_METRIC_GAUGE, "davylamp_" name, help, (double)(value))
#define COUNTER(name, help, value)                                                                 \
    lamp_metric_one(out, LAMP_METRIC_COUNTER, "davylamp_" name "_total", help, (double)(value))

static void write_store(FILE *out, const struct lamp_status_view *v,
                        const struct lamp_alert_counts *alerts,
                        const struct lamp_tracking_totals *trackings)
{
    static const char miners[] = "davylamp_miners";
    GAUGE("sensors", "Sensors that are enrolled.", v->sensors);
    GAUGE("sensors_online", "Sensors heard of within three intervals.", v->sensors_online);
    GAUGE("sites", "Sites.", v->sites);
    lamp_metric(out, LAMP_METRIC_GAUGE, miners, "Miners heard of lately, by state.");
    lamp_metric_sample(out, miners, "state", "confirmed", v->miners_confirmed);
    lamp_metric_sample(out, miners, "state", "probable", v->miners_probable);
    lamp_metric_sample(out, miners, "state", "suspected", v->miners_suspected);
    lamp_metric_sample(out, miners, "state", "blocked", v->miners_blocked);
    GAUGE("blocks", "Blocks in force.", v->blocks);
    COUNTER("batches", "Batches merged.", v->batches);
    COUNTER("rows", "Rows of these batches.", v->rows);
    COUNTER("duplicates", "Records that came again and were not merged twice.", v->duplicates);
    COUNTER("lost_records", "Records that sensors declared lost.", v->lost_records);
    COUNTER("sensor_packets", "Packets that sensors watched.", v->packets);
    COUNTER("sensor_bytes", "Bytes of these packets.", v->bytes);
    COUNTER("mining_bytes", "Bytes of mining connections.", v->mining_bytes);
    GAUGE("database_bytes", "Size of the database.", v->database_bytes);
    COUNTER("damaged_parts", "Parts of rows of traffic that the disk gave back damaged.",
            v->damaged_parts);
    GAUGE("alerts_open", "Alerts that last.", alerts->open);
    GAUGE("alerts_unacknowledged", "Of these, those nobody has acknowledged.",
          alerts->unacknowledged);
    COUNTER("alerts_refused", "Alerts there was no room for.", alerts->refused);
    GAUGE("trackings_open", "Trackings that go on.", trackings->open);
    COUNTER("trackings_refused", "Trackings there was no room for.", trackings->refused);
    COUNTER("tracking_rows_refused",
            "Rows of trackings that found no room, or that nobody asked for.",
            trackings->rows_refused);
}

static void write_queues(FILE *out, lamp_api *api)
{
    static const char queue[] = "davylamp_queue_bytes";
    static const char requests[] = "davylamp_http_responses_total";
    static const char *const classes[] = { "1xx", "2xx", "3xx", "4xx", "5xx" };
    uint64_t counts[LAMP_HTTP_CLASSES];
    lamp_metric(out, LAMP_METRIC_GAUGE, queue, "What waits between the threads.");
    if (api->cfg.inbox)
        lamp_metric_sample(out, queue, "queue", "to_writer",
                           (double)lamp_mailbox_waiting(api->cfg.inbox));
    if (api->cfg.outbox)
        lamp_metric_sample(out, queue, "queue", "to_sensors",
                           (double)lamp_mailbox_waiting(api->cfg.outbox));
    GAUGE("event_streams", "Open event streams.", lamp_streams_count(api->streams));
    lamp_http_counts(api->http, counts);
    lamp_metric(out, LAMP_METRIC_COUNTER, requests,
                "Answers of the web server, by class of status.");
    for (size_t i = 0; i < ARRAY_LEN(classes); i++)
        lamp_metric_sample(out, requests, "class", classes[i], (double)counts[i]);
}

static double open_descriptors(void)
{
    double n = -3; /* ".", ".." and the folder itself */
    DIR *d = opendir("/proc/self/fd");
    if (!d)
        return 0;
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void write_process(FILE *out, const lamp_api *api)
{
    struct rusage use = { .ru_maxrss = 0 };
    unsigned long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    if (statm && fscanf(statm, "%*s %lu", &pages) != 1)
        pages = 0;
    if (statm)
        (void)fclose(statm);
    (void)getrusage(RUSAGE_SELF, &use);
    lamp_metric(out, LAMP_METRIC_GAUGE, "davylamp_build_info", "The version that runs.");
    lamp_metric_sample(out, "davylamp_build_info", "version", LAMP_VERSION, 1);
    lamp_metric_one(out, LAMP_METRIC_GAUGE, "process_start_time_seconds",
                    "Start of the process, in seconds since 1970.",
                    (double)api->cfg.started_us / 1e6);
    lamp_metric_one(out, LAMP_METRIC_COUNTER, "process_cpu_seconds_total",
                    "CPU time of user and system.",
                    (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                        (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6);
    lamp_metric_one(out, LAMP_METRIC_GAUGE, "process_resident_memory_bytes", "Resident memory.",
                    (double)pages * (double)sysconf(_SC_PAGESIZE));
    lamp_metric_one(out, LAMP_METRIC_GAUGE, "process_open_fds", "Open descriptors.",
                    open_descriptors());
    if (api->cfg.tls)
        lamp_metric_one(out, LAMP_METRIC_GAUGE, "davylamp_http_certificate_end_time_seconds",
                        "When the certificate of the web server ends, in seconds since 1970.",
                        (double)api->cfg.tls->expires_us / 1e6);
}

/* Figures of every site: not for whoever may see some alone. */
static bool may_see(const lamp_api *api, const struct lamp_request *req, struct lamp_reply *reply)
{
    if (api->cfg.metrics_open || (req->who.role >= LAMP_ROLE_VIEWER && !*req->who.scope))
        return true;
    if (req->who.role < LAMP_ROLE_VIEWER)
        lamp_reply_error(reply, 401, "unauthorized", NULL, "Log in, or send a token.");
    else
        lamp_reply_error(reply, 403, "forbidden", NULL,
                         "This is about the whole fleet, and you may see some sites alone.");
    return false;
}

static int write_all(lamp_api *api, FILE *out, const struct lamp_request *req,
                     struct lamp_reply *reply)
{
    struct lamp_status_view status;
    struct lamp_alert_counts alerts;
    struct lamp_tracking_totals trackings;
    lamp_store *s = lamp_api_reader(api, "");
    int err = lamp_store_status(s, req->now_us, &status);
    if (!err)
        err = lamp_store_alert_counts(s, &alerts);
    if (!err)
        err = lamp_store_tracking_totals(s, "", &trackings);
    if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(api, s);
    if (err)
        return err;
    write_store(out, &status, &alerts, &trackings);
    write_queues(out, api);
    lamp_api_history_metrics(api, out);
    write_process(out, api);
    if (api->cfg.more_metrics)
        api->cfg.more_metrics(out, api->cfg.arg);
    return LAMP_OK;
}

void lamp_api_get_metrics(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    lamp_api *api = app;
    char *text = NULL;
    size_t len = 0;
    if (!may_see(api, req, reply))
        return;
    FILE *out = open_memstream(&text, &len);
    const int err = out ? write_all(api, out, req, reply) : LAMP_OK;
    const bool written = out && fclose(out) == 0;
    if (!err && written)
        reply->stream = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
    if (!reply->stream)
        free(text);
    if (!err && (!reply->stream ||
                 MHD_add_response_header(reply->stream, "Content-Type",
                                         "text/plain; version=0.0.4; charset=utf-8") != MHD_YES)) {
        if (reply->stream)
            MHD_destroy_response(reply->stream);
        reply->stream = NULL;
        lamp_reply_error(reply, 503, "unavailable", NULL, "Out of memory: try again.");
    }
}
