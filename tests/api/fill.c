/* SPDX-License-Identifier: Apache-2.0 */
/* fill DATABASE: a database of two sites, each with a sensor, a key, a token, a miner with two
 * connections, traffic and blocks, as an aggregator could have left it. Every text of the site
 * "porto" says porto, so that a test can look for what somebody who may see berlin alone must not. */
#include "aggregator/store/write.h"
#include "common/clock.h"

#include <sodium.h>
#include <stdio.h>
#include <zmq.h>

#define SECOND UINT64_C(1000000)
#define HOUR (3600 * SECOND)

static lamp_store *s;
static uint64_t now_us;

static void must(int err)
{
    if (!err)
        return;
    fprintf(stderr, "fill: %s: %s\n", lamp_strerror(err), lamp_store_why(s));
    exit(1);
}

static struct lamp_addr addr(const char *text)
{
    struct lamp_addr a = { { 0 } };
    must(lamp_addr_parse(text, &a));
    return a;
}

static void add_key(const char *site, const char *sensor)
{
    struct lamp_sensor_key k = { .state = LAMP_KEY_ACTIVE, .added_by = "file", .added_us = now_us };
    char secret[41];
    if (zmq_curve_keypair(k.key, secret) != 0)
        exit(1);
    snprintf(k.sensor, sizeof(k.sensor), "%s", sensor);
    snprintf(k.site, sizeof(k.site), "%s", site);
    must(lamp_store_key_save(s, &k));
    struct lamp_enroll_token t = { .created_by = "admin",
                                   .created_us = now_us,
                                   .expires_us = now_us + HOUR };
    snprintf(t.site, sizeof(t.site), "%s", site);
    snprintf(t.name, sizeof(t.name), "new-%s", site);
    randombytes_buf(t.digest, sizeof(t.digest));
    must(lamp_store_token_add(s, &t));
}

static struct lamp_track_conn connection(const struct lamp_store_sensor *at, int64_t miner,
                                         const char *host, const char *server, uint64_t no)
{
    struct lamp_track_conn c = { .miner_id = miner,
                                 .sensor_ref = at->ref,
                                 .site_ref = at->site_ref,
                                 .n_evidence = 1,
                                 .squares = 1e6 };
    c.row = (struct lamp_conn_row){ .conn_id = no,
                                    .client_addr = addr(host),
                                    .server_addr = addr(server),
                                    .client_port = (uint16_t)(40000 + no),
                                    .server_port = 3333,
                                    .ip_proto = 6,
                                    .first_us = now_us - HOUR,
                                    .last_us = now_us - no * SECOND,
                                    .bytes_up = 100,
                                    .bytes_down = 200,
                                    .packets_up = 1,
                                    .packets_down = 2,
                                    .jobs = 1,
                                    .submitted = 1,
                                    .accepted = 1,
                                    .work_hashes = 1000,
                                    .verdict = LAMP_VERDICT_CONFIRMED,
                                    .confidence = 9900,
                                    .difficulty = 1000 };
    snprintf(c.text[LAMP_TEXT_FAMILY], LAMP_TRACK_TEXT, "cryptonote");
    snprintf(c.text[LAMP_TEXT_COIN], LAMP_TRACK_TEXT, "XMR");
    snprintf(c.text[LAMP_TEXT_WALLET], LAMP_TRACK_TEXT, "4wallet-%s", at->site);
    snprintf(c.text[LAMP_TEXT_WORKER], LAMP_TRACK_TEXT, "=cmd|' /C calc'!%s", at->site);
    snprintf(c.text[LAMP_TEXT_HASH_UNIT], LAMP_TRACK_TEXT, "H/s");
    snprintf(c.evidence[0].kind, sizeof(c.evidence[0].kind), "grammar");
    snprintf(c.evidence[0].detail, sizeof(c.evidence[0].detail), "login at %s", at->site);
    return c;
}

static void add_miner(const struct lamp_store_sensor *at, const char *host, const char *server)
{
    struct lamp_track_miner m = { .site_ref = at->site_ref,
                                  .host = addr(host),
                                  .verdict = LAMP_VERDICT_CONFIRMED,
                                  .confidence = 9900,
                                  .server_addr = addr(server),
                                  .server_port = 3333,
                                  .ip_proto = 6,
                                  .totals = { 200, 400, 2, 4, 2, 2, 2, 0, 0 },
                                  .connections = 2,
                                  .since_us = now_us - HOUR,
                                  .last_us = now_us - SECOND };
    snprintf(m.list[LAMP_LIST_COINS], LAMP_TRACK_LIST, "XMR");
    snprintf(m.list[LAMP_LIST_WALLETS], LAMP_TRACK_LIST, "4wallet-%s", at->site);
    snprintf(m.list[LAMP_LIST_WORKERS], LAMP_TRACK_LIST, "=cmd|' /C calc'!%s", at->site);
    snprintf(m.list[LAMP_LIST_SENSORS], LAMP_TRACK_LIST, "%s", at->id);
    snprintf(m.list[LAMP_LIST_POOLS], LAMP_TRACK_LIST, "%s:3333", server);
    must(lamp_store_miner_save(s, &m));
    struct lamp_track_pair p = { .site_ref = at->site_ref,
                                 .client = m.host,
                                 .server = m.server_addr,
                                 .server_port = 3333,
                                 .ip_proto = 6,
                                 .verdict = m.verdict,
                                 .confidence = m.confidence,
                                 .last_us = m.last_us };
    must(lamp_store_pair_save(s, &p));
    const struct lamp_stream_id id = { { (uint8_t)at->ref } };
    struct lamp_store_stream stream;
    must(lamp_store_stream_add(s, at->ref, &id, now_us, &stream));
    for (uint64_t no = 1; no <= 2; no++) {
        struct lamp_track_conn c = connection(at, m.id, host, server, no);
        must(lamp_store_conn_save(s, &c, true));
        must(lamp_store_minute(s, &c, now_us / (60 * SECOND) - no, stream.ref, no, &c.row, 1e6));
        char name[100];
        snprintf(name, sizeof(name), "+www.%s.example", at->site);
        const struct lamp_rollup_row r = { .minute = now_us / (60 * SECOND) - no,
                                           .inside_addr = m.host,
                                           .remote_addr = addr("198.51.100.80"),
                                           .ip_proto = 6,
                                           .service_port = 443,
                                           .application = lamp_bytes_of("https"),
                                           .remote_name = lamp_bytes_of(name),
                                           .bytes_out = 1000 * no,
                                           .bytes_in = 5000,
                                           .packets_out = 7,
                                           .packets_in = 9,
                                           .flows = 1 };
        must(lamp_store_rollup(s, at->site_ref, stream.ref, no, 0, &r));
    }
}

static void add_proved(const struct lamp_store_sensor *at, const char *server)
{
    struct lamp_proved p = { .kind = LAMP_PROVED_SERVER,
                             .addr = addr(server),
                             .port = 3333,
                             .confirmed = true,
                             .first_us = now_us - HOUR,
                             .last_us = now_us - SECOND,
                             .coin = "XMR" };
    snprintf(p.site, sizeof(p.site), "%s", at->site);
    must(lamp_store_proved_put(s, &p));
    p = (struct lamp_proved){ .kind = LAMP_PROVED_WALLET,
                              .confirmed = true,
                              .first_us = now_us - HOUR,
                              .last_us = now_us - SECOND };
    snprintf(p.site, sizeof(p.site), "%s", at->site);
    snprintf(p.wallet, sizeof(p.wallet), "4wallet-%s", at->site);
    must(lamp_store_proved_put(s, &p));
}

static void add_block(const char *site, const char *target)
{
    struct lamp_block b = { .kind = LAMP_BLOCK_REMOTE,
                            .created_us = now_us - SECOND,
                            .expires_us = now_us + 24 * HOUR };
    must(lamp_prefix_parse(target, &b.prefix));
    snprintf(b.site, sizeof(b.site), "%s", site);
    snprintf(b.reason, sizeof(b.reason), "-2+3 %s", *site ? site : "everywhere");
    snprintf(b.created_by, sizeof(b.created_by), "admin");
    must(lamp_store_block_add(s, &b));
}

static void add_site(const char *site, const char *sensor, const char *host, const char *server)
{
    struct lamp_store_sensor at;
    add_key(site, sensor);
    must(lamp_store_enroll(s, sensor, site, now_us));
    must(lamp_store_sensor(s, sensor, &at));
    const struct lamp_sensor_delta d = { .version = "0.1.0",
                                         .seen_us = now_us - SECOND,
                                         .data_us = now_us - SECOND,
                                         .batches = 1,
                                         .rows = 4 };
    must(lamp_store_sensor_add(s, at.ref, &d));
    add_miner(&at, host, server);
    add_proved(&at, server);
    add_block(site, server);
}

int main(int argc, char **argv)
{
    char why[LAMP_STORE_WHY];
    if (argc != 2 || sodium_init() < 0)
        return 2;
    if (lamp_store_open("sqlite", argv[1], false, &s, why) != LAMP_OK) {
        fprintf(stderr, "fill: %s\n", why);
        return 1;
    }
    now_us = lamp_clock_real_us();
    must(lamp_store_begin(s));
    add_site("berlin", "sensor-berlin", "10.1.0.23", "203.0.113.7");
    add_site("porto", "sensor-porto", "10.2.0.42", "203.0.113.77");
    add_block("", "198.51.100.9");
    must(lamp_store_audit(s, "admin", "block", "block 2", "203.0.113.77 at porto", now_us));
    must(lamp_store_commit(s));
    lamp_store_close(s);
    return 0;
}
