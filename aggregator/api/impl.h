/* SPDX-License-Identifier: Apache-2.0 */
/* impl: what the files of the API share among themselves; nobody else includes it. */
#pragma once

#include "aggregator/api/api.h"
#include "aggregator/api/json.h"
#include "aggregator/http/stream.h"

#include <pthread.h>

enum { LAMP_API_THREADS = 4, LAMP_API_PULLS = 256, LAMP_API_PAGE_MAX = 1000 };

struct lamp_api {
    struct lamp_api_cfg cfg;
    lamp_http *http;
    lamp_static *files;
    lamp_streams *streams;

    pthread_mutex_t readers_lock;
    /* One of each kind for each HTTP thread: for those who see every site, and for those who see
     * some alone. */
    struct lamp_reader {
        lamp_store *store;
        bool busy;
    } readers[2][LAMP_API_THREADS];

    /* An answer that is read again takes some twelve times its length: one at a time. */
    pthread_mutex_t lists_lock;

    struct lamp_backup *backup;

    /* When bouncers last took the decision stream, by token. */
    pthread_mutex_t pulls_lock;
    struct lamp_pull {
        int64_t token_id;
        uint64_t at_us;
    } pulls[LAMP_API_PULLS];

    pthread_t ticker;
    bool ticking;
    int wake_fd, stop_fd; /* eventfds: an event came; end the ticker */
};

/* A store handle for the time of one request, that shows what belongs to the sites of a scope alone
 * (lamp_store_scope()); as many threads as handles, so one is free. Whatever the API shows of the
 * store comes through here. */
lamp_store *lamp_api_reader(lamp_api *api, const char *scope);
void lamp_api_reader_done(lamp_api *api, lamp_store *s);

/* Answers 503, where ClickHouse does not give what the store keeps no more, else 500. err: of lamp_past_traffic(),
 * lamp_past_minutes(), which gave why. */
void lamp_api_past_failed(const lamp_store *s, const struct lamp_identity *who, int err,
                          const char *why, struct lamp_reply *reply);

/* Whether somebody is told of history that leaves the store: whoever sees every site. Takes ClickHouse's own words out of
 * it for all but operators and admins. */
bool lamp_api_history_told(const struct lamp_identity *who, struct lamp_exporter_state *io);

/* The status, as somebody is told of it. LAMP_ESTORE. */
LAMP_CHECK int lamp_api_write_status(const lamp_api *api, lamp_store *s,
                                     const struct lamp_identity *who, uint64_t now_us,
                                     struct lamp_json *j);

/* Of history that leaves the store. */
void lamp_api_history_metrics(const lamp_api *api, FILE *out);

/* Answers 500 with what the store said. */
void lamp_api_store_failed(const lamp_store *s, struct lamp_reply *reply);

/* The handlers. */
lamp_route_fn lamp_api_get_health, lamp_api_get_session, lamp_api_login, lamp_api_logout,
    lamp_api_get_status, lamp_api_get_sensors, lamp_api_get_miners, lamp_api_get_miner,
    lamp_api_get_connections, lamp_api_get_traffic, lamp_api_get_blocks, lamp_api_add_block,
    lamp_api_remove_block, lamp_api_decide_block, lamp_api_get_sites, lamp_api_hold_site,
    lamp_api_get_audit, lamp_api_check_audit, lamp_api_get_events, lamp_api_get_addresses,
    lamp_api_get_geo, lamp_api_mark_miner, lamp_api_get_keys, lamp_api_add_enrollment,
    lamp_api_change_key, lamp_api_decide_pending, lamp_api_get_coins, lamp_api_get_coin_series,
    lamp_api_get_gaps, lamp_api_get_never, lamp_api_get_estimates, lamp_api_get_timeline,
    lamp_api_get_users, lamp_api_add_user, lamp_api_change_user, lamp_api_delete_user,
    lamp_api_get_tokens, lamp_api_add_token, lamp_api_revoke_token, lamp_api_get_sessions,
    lamp_api_end_session, lamp_api_set_password;

/* What becomes of the answer of a list once it is there: lists that are `sorted` in lists.c are put in order and cut
 * to a page, and all are made files for a spreadsheet, where the request says so. */
void lamp_api_finish(void *app, const struct lamp_request *req, struct lamp_reply *reply);

/* Whether such a list is needed whole, since it is sorted afterwards. */
bool lamp_api_whole(const struct lamp_request *req);

/* The rows of a list that are asked for. */
struct lamp_api_page {
    uint32_t limit, most; /* in: where nothing is asked, and the most that may be; out: rows */
    int64_t after;        /* out: `next` of the page before; 0: from the beginning */
};

/* Reads `limit` and `after`; of a list that is needed whole, all. False after answering 400. */
bool lamp_api_page(const struct lamp_request *req, struct lamp_reply *reply,
                   struct lamp_api_page *io);

/* Ends the array of n rows and says what comes next: those behind `last`, where the page is full. */
void lamp_api_end_page(struct lamp_json *j, const struct lamp_api_page *p, uint32_t n,
                       int64_t last);

/* Answers 410: the row that a page is to begin behind is gone, and with it its place in the order. */
void lamp_api_gone(struct lamp_reply *reply);

/* Of the catalogue. */
lamp_route_fn lamp_api_get_catalogue, lamp_api_get_pools, lamp_api_get_pool,
    lamp_api_get_pool_history, lamp_api_get_pool_entries, lamp_api_add_pool_entry,
    lamp_api_change_pool_entry, lamp_api_delete_pool_entry, lamp_api_get_lookup,
    lamp_api_switch_catalogue, lamp_api_add_probe, lamp_api_get_probe;

lamp_route_fn lamp_api_get_alerts, lamp_api_acknowledge, lamp_api_get_own, lamp_api_add_own,
    lamp_api_remove_own, lamp_api_get_settings, lamp_api_put_setting, lamp_api_delete_setting,
    lamp_api_get_policies, lamp_api_get_dry_run, lamp_api_add_policy, lamp_api_change_policy,
    lamp_api_edit_policy, lamp_api_remove_policy;

lamp_route_fn lamp_api_get_backup, lamp_api_make_backup, lamp_api_delete_backup,
    lamp_api_read_backup, lamp_api_get_metrics;
lamp_route_fn lamp_api_get_samples, lamp_api_get_sample, lamp_api_add_sample,
    lamp_api_cancel_sample, lamp_api_get_sample_file;

lamp_route_fn lamp_api_get_trackings, lamp_api_get_tracking, lamp_api_get_tracking_steps,
    lamp_api_add_tracking, lamp_api_end_tracking, lamp_api_remove_tracking;

lamp_route_fn lamp_api_get_notify, lamp_api_test_notify, lamp_api_retry_notify, lamp_api_get_stix,
    lamp_api_get_misp, lamp_api_get_decisions;

/* Of imported captures. */
lamp_route_fn lamp_api_get_imports, lamp_api_add_import, lamp_api_get_import,
    lamp_api_get_import_conns, lamp_api_put_import, lamp_api_cancel_import, lamp_api_delete_import;

/* Of baselines. */
lamp_route_fn lamp_api_get_knowledge, lamp_api_say_knowledge;
lamp_route_fn lamp_api_get_baselines, lamp_api_add_baseline, lamp_api_get_baseline,
    lamp_api_delete_baseline, lamp_api_get_baseline_series, lamp_api_export_baseline,
    lamp_api_accept_baseline, lamp_api_copy_baseline, lamp_api_say_baseline;

/* The session cookie and who is logged in, as the answer of a login. */
void lamp_api_session_answer(const lamp_api *api, const char *session,
                             const struct lamp_identity *who, struct lamp_reply *reply);

/* Answers an error of lamp_auth_check(), login() or hash(). */
void lamp_api_auth_failed(int err, struct lamp_reply *reply);

/* A command in the name of whoever makes the request. */
struct lamp_command lamp_api_command(const struct lamp_request *req, enum lamp_command_kind kind);

/* Has the writer carry a command out, if it is about sites of the request's scope alone; false after
 * answering why not. Whatever the API changes in the store goes through here. */
bool lamp_api_run(lamp_api *api, const struct lamp_request *req, const struct lamp_command *cmd,
                  struct lamp_reply *reply, struct lamp_command_result *result);

/* Whether a command of a request is about what its scope shows. LAMP_ENOENT: what it is about is
 * not there for that scope. LAMP_EAUTH: it is about other sites too. LAMP_ESTORE. */
LAMP_CHECK int lamp_api_in_scope(lamp_api *api, const struct lamp_request *req,
                                 const struct lamp_command *cmd);

/* Parameters of a query. Each answers 400, naming it, and returns false where the value is not what it
 * must be; what is not given leaves *io as it is. */
bool lamp_api_bad(struct lamp_reply *reply, const char *name, const char *what);
bool lamp_api_int(const struct lamp_request *req, struct lamp_reply *reply, const char *name,
                  int64_t min, int64_t max, int64_t *io);
bool lamp_api_site_of(const struct lamp_request *req, struct lamp_reply *reply, const char **out);
bool lamp_api_name_of(const struct lamp_request *req, struct lamp_reply *reply, const char *name,
                      const char **out); /* of a site or sensor */

/* What rows are to be sorted by, of the names of store.h. */
bool lamp_api_sort_of(const struct lamp_request *req, struct lamp_reply *reply,
                      const char *const *names, struct lamp_sort *out);

/* A time in seconds since 1970. */
bool lamp_api_time(const struct lamp_request *req, struct lamp_reply *reply, const char *name,
                   uint64_t *io_us);

/* from and to, at most 7 days apart; the hour before now, or before `to`, where not given. */
bool lamp_api_span(const struct lamp_request *req, struct lamp_reply *reply, uint64_t *out_from_us,
                   uint64_t *out_to_us);

/* The same, at most max_us apart. */
bool lamp_api_span_of(const struct lamp_request *req, struct lamp_reply *reply, uint64_t max_us,
                      uint64_t *out_from_us, uint64_t *out_to_us);

/* What devices, power and costs are estimated with. */
struct lamp_api_power lamp_api_power_of(const lamp_api *api);

/* Writes one sensor, miner or block as events carry it. LAMP_ENOENT: there is none. */
LAMP_CHECK int lamp_api_write_sensor(lamp_store *s, const char *id, uint64_t now_us,
                                     struct lamp_json *j);
LAMP_CHECK int lamp_api_write_miner(const lamp_api *api, lamp_store *s, int64_t id, uint64_t now_us,
                                    struct lamp_json *j);
LAMP_CHECK int lamp_api_write_block(lamp_store *s, int64_t id, uint64_t now_us,
                                    struct lamp_json *j);

LAMP_CHECK int lamp_api_write_alert(lamp_store *s, int64_t id, struct lamp_json *j);

/* Reading a body's fields. Each takes a name that may be missing or null (then the default
 * stays), and answers 400 with the field's name where the value is not what it must be. */
struct lamp_body {
    const json_t *object;
    struct lamp_reply *reply;
    bool failed;
};
void lamp_body_known(struct lamp_body *b, const char *const *names, size_t n);
const char *lamp_body_str(struct lamp_body *b, const char *name, size_t max, bool required);
int64_t lamp_body_int(struct lamp_body *b, const char *name, int64_t min, int64_t max, int64_t def);
bool lamp_body_bool(struct lamp_body *b, const char *name);
void lamp_body_fail(struct lamp_body *b, const char *field, const char *message);

/* ---- what samples and trackings are of (samples.c) ---- */

/* Reads what, host, remote, transport, miner, site, sensor and reason into an empty *v. */
void lamp_api_read_target(struct lamp_body *b, struct lamp_sample *v);

/* Finds the site of a sensor or miner, and what a miner is. What the scope does not show is not there. False after
 * answering. */
bool lamp_api_resolve_target(lamp_api *api, const struct lamp_request *req,
                             struct lamp_reply *reply, struct lamp_sample *v);

/* Its fields, of the object at hand. */
void lamp_api_write_target(struct lamp_json *j, const struct lamp_sample *v);
