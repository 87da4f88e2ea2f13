/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/fake_store.h"

#include "aggregator/store/safety.h"
#include "aggregator/store/write.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>

enum { BLOCKS_MAX = 16 };

struct lamp_store {
    bool read_only;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct lamp_block_view blocks[BLOCKS_MAX];
static size_t n_blocks;
static bool broken;

void fake_store_break(bool yes)
{
    broken = yes;
}

void fake_store_add_block(const struct lamp_command *cmd, int64_t id)
{
    static const struct lamp_block_view blank = { .site = "", .reason = "", .removed_by = "" };
    pthread_mutex_lock(&lock);
    if (n_blocks < BLOCKS_MAX) {
        struct lamp_block_view *b = &blocks[n_blocks++];
        *b = blank;
        b->id = id;
        b->kind = cmd->block_kind;
        static char names[BLOCKS_MAX][sizeof(cmd->name)];
        b->name = memcpy(names[n_blocks - 1], cmd->name, sizeof(cmd->name));
        b->prefix = cmd->prefix;
        b->port = cmd->port;
        b->ip_proto = cmd->ip_proto;
        b->created_by = streq(cmd->actor, "admin") ? "admin" : "cli";
        b->site = *cmd->site ? FAKE_SITE : "";
        b->created_us = FAKE_NOW_US;
        b->expires_us = FAKE_FAR_US;
    }
    pthread_mutex_unlock(&lock);
}

bool fake_store_remove_block(int64_t id)
{
    bool found = false;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n_blocks; i++) {
        if (blocks[i].id == id && !blocks[i].removed_us) {
            blocks[i].removed_us = FAKE_NOW_US;
            blocks[i].removed_by = "admin";
            found = true;
        }
    }
    pthread_mutex_unlock(&lock);
    return found;
}

static struct lamp_addr address(const char *text)
{
    struct lamp_addr a = { 0 };
    if (lamp_addr_parse(text, &a) != LAMP_OK)
        abort();
    return a;
}

const char *lamp_miner_state_name(enum lamp_miner_state s)
{
    return s == LAMP_MINER_CONFIRMED ? "confirmed" : "probable";
}

int lamp_store_open(const char *backend, const char *where, bool read_only, lamp_store **out,
                    char why[LAMP_STORE_WHY])
{
    (void)backend, (void)where, (void)why;
    lamp_store *s = calloc(1, sizeof(*s));
    if (!s)
        return LAMP_ENOMEM;
    s->read_only = read_only;
    *out = s;
    return LAMP_OK;
}

lamp_store *lamp_store_close(lamp_store *s)
{
    free(s);
    return NULL;
}

const char *lamp_store_why(const lamp_store *s)
{
    (void)s;
    return "disk I/O error";
}

int lamp_store_status(lamp_store *s, uint64_t now_us, struct lamp_status_view *out)
{
    (void)s, (void)now_us;
    *out = (struct lamp_status_view){ .sensors = 3,
                                      .sensors_online = 2,
                                      .sites = 3,
                                      .miners_confirmed = 1,
                                      .batches = 10,
                                      .bytes = 123456,
                                      .list_epoch = 1,
                                      .list_serial = 7 };
    return broken ? LAMP_ESTORE : LAMP_OK;
}

int lamp_store_sensors(lamp_store *s, uint64_t now_us, lamp_sensor_view_fn *fn, void *arg)
{
    (void)s, (void)now_us;
    const struct lamp_sensor_view v = { .id = FAKE_SENSOR,
                                        .site = FAKE_SITE,
                                        .version = "",
                                        .online = true,
                                        .last_seen_us = FAKE_NOW_US,
                                        .clock_offset_us = -1500000,
                                        .kernel_drops = 2,
                                        .interface_drops = 3,
                                        .mode = LAMP_ENFORCE_ON,
                                        .list_state = LAMP_SET_ROLLED_BACK,
                                        .list_error = "",
                                        .list_elements = 12,
                                        .list_repairs = 3,
                                        .list_flows_cut = 4,
                                        .about_epoch = 7,
                                        .about_serial = 42 };
    fn(&v, arg);
    return LAMP_OK;
}

static enum lamp_mark mark; /* of miner 3 */

bool fake_store_mark(const struct lamp_command *cmd)
{
    pthread_mutex_lock(&lock);
    if (cmd->miner_id == 3)
        mark = cmd->mark;
    pthread_mutex_unlock(&lock);
    return cmd->miner_id == 3;
}

int lamp_store_sites(lamp_store *s, lamp_site_view_fn *fn, void *arg)
{
    (void)s;
    const struct lamp_site_view v = { FAKE_SITE, "admin", "", FAKE_NOW_US, 7, 2 };
    fn(&v, arg);
    return LAMP_OK;
}

int lamp_store_audits(lamp_store *s, uint32_t limit, lamp_audit_view_fn *fn, void *arg)
{
    (void)s, (void)limit;
    const struct lamp_audit_view v = { 1, FAKE_NOW_US, "admin", "hold", "site x", "" };
    fn(&v, arg);
    return LAMP_OK;
}

int lamp_store_audit_check(lamp_store *s, int64_t *out_bad_no)
{
    (void)s;
    *out_bad_no = 0;
    return LAMP_OK;
}

int lamp_store_sensor_sets(lamp_store *s, const char *id, lamp_sensor_set_view_fn *fn, void *arg)
{
    (void)s, (void)id;
    const struct lamp_sensor_set_view v = {
        LAMP_SET_WATCH, LAMP_SET_CONFIRMED, 7, 43, FAKE_NOW_US, ""
    };
    fn(&v, arg);
    return LAMP_OK;
}

/* Miners 3, 2, 1, latest first. */
int lamp_store_miners(lamp_store *s, const struct lamp_miner_filter *f, uint64_t now_us,
                      lamp_miner_view_fn *fn, void *arg)
{
    (void)s, (void)now_us;
    uint32_t left = f->limit ? f->limit : 1000;
    for (int64_t id = 3; id > 0 && left; id--) {
        struct lamp_miner_view v = { .id = id,
                                     .site = FAKE_SITE,
                                     .host = address("10.1.0.23"),
                                     .vlan = 100 | 7 << 12 | 2u << 24,
                                     .state = LAMP_MINER_CONFIRMED,
                                     .verdict = LAMP_VERDICT_CONFIRMED,
                                     .confidence = 0.99,
                                     .mark = id == 3 ? mark : LAMP_MARK_NONE,
                                     .marked_by = "ann",
                                     .mark_reason = FAKE_HOSTILE,
                                     .marked_us = FAKE_NOW_US,
                                     .coins = "XMR",
                                     .families = "cryptonote",
                                     .algorithms = "randomx",
                                     .wallets = "47abc\n48def",
                                     .workers = FAKE_HOSTILE,
                                     .agents = "",
                                     .pools = "203.0.113.7:3333",
                                     .sensors = FAKE_SENSOR,
                                     .unit = "H/s",
                                     .since_us = FAKE_NOW_US - 60000000,
                                     .rate = { 1000, 900, 1100, LAMP_RATE_SHARES, 0 },
                                     .last_us = FAKE_NOW_US };
        if ((f->id && f->id != id) || (f->after_id && id >= f->after_id) ||
            (f->site && !streq(f->site, FAKE_SITE)))
            continue;
        left--;
        if (!fn(&v, arg))
            break;
    }
    return broken ? LAMP_ESTORE : LAMP_OK;
}

int lamp_store_conns(lamp_store *s, const struct lamp_conn_filter *f, uint64_t now_us,
                     lamp_conn_view_fn *fn, void *arg)
{
    (void)s, (void)now_us;
    if ((f->miner_id && f->miner_id != 3) || (f->id && f->id != 11) || f->after_id)
        return LAMP_OK;
    struct lamp_evidence evidence = { .kind = lamp_bytes_of("share"),
                                      .detail = lamp_bytes_of("4 shares \xff"),
                                      .field = lamp_bytes_of("JSON line"),
                                      .strength = lamp_bytes_of("certain"),
                                      .refute = lamp_bytes_of("an echo service"),
                                      .t_us = FAKE_NOW_US,
                                      .side = LAMP_SIDE_CLIENT };
    struct lamp_conn_view v = {
        .id = 11, .miner_id = 3, .site = FAKE_SITE, .sensor = FAKE_SENSOR, .open = true
    };
    v.row = (struct lamp_conn_row){ .client_addr = address("10.1.0.23"),
                                    .client_port = 40000,
                                    .server_addr = address("203.0.113.7"),
                                    .server_port = 3333,
                                    .ip_proto = IPPROTO_TCP,
                                    .first_us = FAKE_NOW_US - 60000000,
                                    .last_us = FAKE_NOW_US,
                                    .submitted = 4,
                                    .verdict = LAMP_VERDICT_CONFIRMED,
                                    .confidence = 9900,
                                    .worker = lamp_bytes_of(FAKE_HOSTILE),
                                    .flags = LAMP_CONN_MIDSTREAM,
                                    .platform = lamp_bytes_of("nicehash"),
                                    .devices = 3,
                                    .evidence = &evidence,
                                    .n_evidence = 1 };
    fn(&v, arg);
    return LAMP_OK;
}

int lamp_store_sightings(lamp_store *s, int64_t miner_id, lamp_sighting_view_fn *fn, void *arg,
                         uint64_t *out_left_out)
{
    (void)s;
    const struct lamp_sighting_view v = { .kind = "share",
                                          .detail = FAKE_HOSTILE,
                                          .sensor = FAKE_SENSOR,
                                          .side = LAMP_SIDE_CLIENT,
                                          .first_us = FAKE_NOW_US - 60000000,
                                          .last_us = FAKE_NOW_US };
    *out_left_out = 2;
    if (miner_id == 3)
        fn(&v, arg);
    return miner_id == 3 ? LAMP_OK : LAMP_ENOENT;
}

int lamp_store_steps(lamp_store *s, int64_t miner_id, uint64_t now_us, lamp_step_view_fn *fn,
                     void *arg)
{
    (void)s, (void)now_us;
    const struct lamp_step_view v[] = { { "suspected", FAKE_SENSOR, "", FAKE_NOW_US - 60000000 },
                                        { "dismissed", "admin", "a test", FAKE_NOW_US } };
    for (size_t i = 0; miner_id == 3 && i < ARRAY_LEN(v); i++)
        fn(&v[i], arg);
    return miner_id == 3 ? LAMP_OK : LAMP_ENOENT;
}

const char *lamp_step_name(enum lamp_step s)
{
    return s == LAMP_STEP_MINUTE ? "minute" : s == LAMP_STEP_HOUR ? "hour" : "day";
}

int lamp_store_kept_us(lamp_store *s, uint64_t out[3])
{
    (void)s;
    out[0] = out[1] = out[2] = 0;
    return LAMP_OK;
}

int lamp_store_minutes(lamp_store *s, int64_t miner_id, enum lamp_step step, uint64_t from_us,
                       uint64_t to_us, lamp_minute_view_fn *fn, void *arg)
{
    (void)s, (void)miner_id, (void)step, (void)from_us, (void)to_us;
    const struct lamp_minute_view v = { .minute = 28333333, .totals = { .submitted = 4 } };
    fn(&v, arg);
    return LAMP_OK;
}

int lamp_store_traffic(lamp_store *s, const struct lamp_traffic_filter *f, lamp_traffic_view_fn *fn,
                       void *arg)
{
    (void)s;
    const struct lamp_traffic_view rows[] = {
        { .site = FAKE_SITE,
          .host = address("10.1.0.23"),
          .remote = address("203.0.113.9"),
          .ip_proto = IPPROTO_TCP,
          .service_port = 443,
          .application = "https",
          .remote_name = FAKE_HOSTILE,
          .bytes_out = 100,
          .bytes_in = 900,
          .flows = 1 },
        { .site = FAKE_SITE, .is_other = true, .bytes_in = 7, .packets_in = 1 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows) && i < f->limit; i++)
        if ((!f->host || lamp_addr_eq(f->host, &rows[i].host)) && !fn(&rows[i], arg))
            break;
    return broken ? LAMP_ESTORE : LAMP_OK;
}

int lamp_store_traffic_total(lamp_store *s, const struct lamp_traffic_filter *f,
                             struct lamp_traffic_view *out)
{
    (void)s, (void)f;
    *out = (struct lamp_traffic_view){ .bytes_out = 100, .bytes_in = 907, .flows = 1 };
    return LAMP_OK;
}

int lamp_store_blocks(lamp_store *s, const struct lamp_block_filter *f, lamp_block_view_fn *fn,
                      void *arg)
{
    (void)s;
    struct lamp_block_view copy[BLOCKS_MAX];
    pthread_mutex_lock(&lock);
    const size_t n = n_blocks;
    memcpy(copy, blocks, sizeof(copy));
    pthread_mutex_unlock(&lock);
    for (size_t i = 0; i < n; i++)
        if ((f->id ? copy[i].id == f->id : f->with_removed || !copy[i].removed_us) &&
            !fn(&copy[i], arg))
            break;
    return LAMP_OK;
}

int lamp_store_block_sensors(lamp_store *s, int64_t block_id, lamp_block_sensor_view_fn *fn,
                             void *arg)
{
    (void)s, (void)block_id;
    const struct lamp_block_sensor_view v = { .sensor = FAKE_SENSOR,
                                              .site = FAKE_SITE,
                                              .state = "applied",
                                              .error = "",
                                              .serial = 7,
                                              .at_us = FAKE_NOW_US,
                                              .hit_packets = 12 };
    fn(&v, arg);
    return LAMP_OK;
}

int lamp_store_coins(lamp_store *s, const struct lamp_coin_filter *f, lamp_coin_view_fn *fn,
                     void *arg)
{
    (void)s;
    const struct lamp_coin_view rows[] = {
        { .coin = "XMR",
          .site = FAKE_SITE,
          .addr = address("2001:db8::9"),
          .port = 3333,
          .text = FAKE_HOSTILE,
          .start_us = f->step_minutes * UINT64_C(60000000),
          .mining_bytes = 900,
          .wallet_bytes = 50,
          .connections = 3,
          .hosts = 2,
          .last_us = FAKE_NOW_US },
        { .coin = "", .site = "", .text = "", .wallet_bytes = 7, .addr = address("203.0.113.9") },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows) && i < f->limit; i++)
        if ((!f->site || streq(f->site, FAKE_SITE)) && !fn(&rows[i], arg))
            break;
    return broken ? LAMP_ESTORE : LAMP_OK;
}

int lamp_store_gaps(lamp_store *s, const char *sensor, uint32_t limit, lamp_gap_view_fn *fn,
                    void *arg)
{
    (void)s, (void)limit;
    const struct lamp_gap_view v = { .sensor = FAKE_SENSOR,
                                     .site = FAKE_SITE,
                                     .reason = FAKE_HOSTILE,
                                     .from_us = FAKE_NOW_US,
                                     .to_us = FAKE_NOW_US,
                                     .at_us = FAKE_NOW_US,
                                     .records = 4 };
    if (!sensor || streq(sensor, FAKE_SENSOR))
        fn(&v, arg);
    return broken ? LAMP_ESTORE : LAMP_OK;
}

const char *lamp_key_state_name(enum lamp_sensor_key_state s)
{
    return s == LAMP_KEY_ACTIVE ? "active" : "revoked";
}

static struct lamp_sensor_key fake_key(int64_t id)
{
    return (struct lamp_sensor_key){ .id = id,
                                     .key = FAKE_KEY,
                                     .sensor = FAKE_SENSOR,
                                     .site = FAKE_SITE,
                                     .state = id == 1 ? LAMP_KEY_ACTIVE : LAMP_KEY_REVOKED,
                                     .added_by = "admin",
                                     .added_us = FAKE_NOW_US };
}

int lamp_store_keys(lamp_store *s, const char *sensor, lamp_sensor_key_fn *fn, void *arg)
{
    (void)s, (void)sensor;
    for (int64_t id = 1; id <= 2; id++) {
        const struct lamp_sensor_key k = fake_key(id);
        if (!fn(&k, arg))
            break;
    }
    return broken ? LAMP_ESTORE : LAMP_OK;
}

int lamp_store_key_find(lamp_store *s, const char *key, int64_t id, struct lamp_sensor_key *out)
{
    (void)s, (void)key;
    *out = fake_key(id);
    return LAMP_OK;
}

int lamp_store_tokens(lamp_store *s, uint64_t now_us, lamp_enroll_token_fn *fn, void *arg)
{
    (void)s, (void)now_us;
    const struct lamp_enroll_token t = { .id = 5, .site = FAKE_SITE, .expires_us = FAKE_FAR_US };
    fn(&t, arg);
    return LAMP_OK;
}

/* ---- who may use the API ---- */

static struct lamp_account accounts[LAMP_ACCOUNTS_MAX];
static struct lamp_api_token api_tokens[LAMP_ACCOUNTS_MAX];
static size_t n_accounts, n_api_tokens;

int lamp_store_begin(lamp_store *s)
{
    (void)s;
    return LAMP_OK;
}

int lamp_store_commit(lamp_store *s)
{
    (void)s;
    return LAMP_OK;
}

void lamp_store_rollback(lamp_store *s)
{
    (void)s;
}

int lamp_store_scope(lamp_store *s, const char *scope)
{
    (void)s, (void)scope;
    return LAMP_OK;
}

int lamp_store_accounts(lamp_store *s, lamp_account_fn *fn, void *arg)
{
    (void)s;
    for (size_t i = 0; i < n_accounts && fn(&accounts[i], arg); i++)
        ;
    return LAMP_OK;
}

int lamp_store_account_save(lamp_store *s, const struct lamp_account *a)
{
    (void)s;
    size_t i = 0;
    while (i < n_accounts && !streq(accounts[i].name, a->name))
        i++;
    n_accounts += i == n_accounts;
    accounts[i] = *a;
    return LAMP_OK;
}

int lamp_store_api_tokens(lamp_store *s, lamp_api_token_fn *fn, void *arg)
{
    (void)s;
    for (size_t i = 0; i < n_api_tokens && fn(&api_tokens[i], arg); i++)
        ;
    return LAMP_OK;
}

int lamp_store_api_token_save(lamp_store *s, struct lamp_api_token *t)
{
    (void)s;
    if (t->id == 0)
        t->id = (int64_t)++n_api_tokens;
    api_tokens[t->id - 1] = *t;
    return LAMP_OK;
}

int lamp_store_backup(const char *backend, const char *where, const char *file,
                      lamp_store_going_fn *going, void *arg, char why[LAMP_STORE_WHY])
{
    (void)backend, (void)where, (void)file, (void)going, (void)arg;
    snprintf(why, LAMP_STORE_WHY, "made up");
    return LAMP_ESTORE;
}
