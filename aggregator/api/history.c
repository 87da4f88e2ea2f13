/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of history that goes to ClickHouse, and of that which comes from there. */
#include "aggregator/api/impl.h"
#include "aggregator/api/metrics.h"

/* Its words may name hosts, tables and files. */
static bool may_read_why(const struct lamp_identity *who)
{
    return who->role >= LAMP_ROLE_OPERATOR && !*who->scope;
}

void lamp_api_past_failed(const lamp_store *s, const struct lamp_identity *who, int err,
                          const char *why, struct lamp_reply *reply)
{
    const bool told = may_read_why(who);
    if (err != LAMP_EIO && err != LAMP_EAGAIN) {
        lamp_api_store_failed(s, reply);
        return;
    }
    lamp_reply_error(reply, 503, "history_away", NULL,
                     "What is older than this aggregator keeps is in ClickHouse, which does not "
                     "give it now%s%s.",
                     told ? ": " : "", told ? why : "");
    reply->retry_after_s = 10;
}

bool lamp_api_history_told(const struct lamp_identity *who, struct lamp_exporter_state *io)
{
    if (!may_read_why(who))
        *io->why = '\0';
    return !*who->scope;
}

void lamp_api_json_history(struct lamp_json *j, const struct lamp_exporter_state *s)
{
    if (!s) {
        lamp_json_null(j, "history");
        return;
    }
    lamp_json_object(j, "history");
    lamp_json_bool(j, "connected", s->connected);
    if (!s->connected && s->faults[s->fault])
        lamp_json_str(j, "fault", lamp_clickhouse_fault_name(s->fault));
    else
        lamp_json_null(j, "fault");
    if (!s->connected && *s->why)
        lamp_json_str(j, "error", s->why);
    else
        lamp_json_null(j, "error");
    lamp_json_time(j, "since", s->since_us);
    lamp_json_uint(j, "rows", s->rows);
    lamp_json_uint(j, "blocks", s->blocks);
    lamp_json_uint(j, "waiting_rows", s->waiting_rows);
    lamp_json_uint(j, "lag", s->lag_us / 1000000);
    lamp_json_uint(j, "lost_rows", s->lost_rows);
    lamp_json_end(j);
}

int lamp_api_write_status(const lamp_api *api, lamp_store *s, const struct lamp_identity *who,
                          uint64_t now_us, struct lamp_json *j)
{
    struct lamp_status_view v;
    struct lamp_exporter_state history;
    const int err = lamp_store_status(s, now_us, &v);
    if (err)
        return err;
    if (api->cfg.exporter)
        lamp_exporter_state(api->cfg.exporter, &history);
    const bool told = api->cfg.exporter && lamp_api_history_told(who, &history);
    lamp_api_json_status(j, &v, api->cfg.started_us, now_us, api->cfg.sample_mode,
                         told ? &history : NULL);
    return LAMP_OK;
}

void lamp_api_history_metrics(const lamp_api *api, FILE *out)
{
    static const char faults[] = "davylamp_history_faults_total";
    struct lamp_exporter_state s;
    if (!api->cfg.exporter)
        return;
    lamp_exporter_state(api->cfg.exporter, &s);
    lamp_metric_one(out, LAMP_METRIC_GAUGE, "davylamp_history_connected",
                    "Whether ClickHouse takes history.", s.connected);
    lamp_metric_one(out, LAMP_METRIC_COUNTER, "davylamp_history_rows_total",
                    "Rows of history that ClickHouse took.", (double)s.rows);
    lamp_metric_one(out, LAMP_METRIC_COUNTER, "davylamp_history_blocks_total",
                    "Blocks of these rows.", (double)s.blocks);
    lamp_metric_one(out, LAMP_METRIC_GAUGE, "davylamp_history_waiting_rows",
                    "Minutes that wait for ClickHouse, up to 1,000,000.", (double)s.waiting_rows);
    lamp_metric_one(out, LAMP_METRIC_GAUGE, "davylamp_history_lag_seconds",
                    "Age of the oldest of them beyond what is usual.", (double)s.lag_us / 1e6);
    lamp_metric_one(out, LAMP_METRIC_COUNTER, "davylamp_history_lost_rows_total",
                    "Rows that went for want of room before they were sent.", (double)s.lost_rows);
    lamp_metric(out, LAMP_METRIC_COUNTER, faults, "Times that ClickHouse did not take history.");
    for (unsigned i = 0; i < LAMP_CLICKHOUSE_FAULTS; i++)
        lamp_metric_sample(out, faults, "kind",
                           lamp_clickhouse_fault_name((enum lamp_clickhouse_fault)i),
                           (double)s.faults[i]);
}
