/* SPDX-License-Identifier: Apache-2.0 */
/* The writer's side of the SQLite store: sensors, streams, connections, miners, minutes. */
#include "aggregator/store/sqlite.h"

#include <stdio.h>

/* ---- sensors ---- */

int lamp_sqlite_op_unenroll_all(lamp_store *s)
{
    return lamp_sqlite_exec((struct lamp_sqlite *)s, "UPDATE sensor SET enrolled = 0", NULL, 0);
}

int lamp_sqlite_op_unenroll(lamp_store *s, const char *id)
{
    return LAMP_EXEC((struct lamp_sqlite *)s, "UPDATE sensor SET enrolled = 0 WHERE id = ?",
                     lamp_str(id));
}

int lamp_sqlite_op_enroll(lamp_store *s, const char *id, const char *site, uint64_t now_us)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    int err = LAMP_EXEC(q, "INSERT INTO site (name) VALUES (?) ON CONFLICT (name) DO NOTHING",
                        lamp_str(site));
    if (err == LAMP_OK)
        err = LAMP_EXEC(q,
                        "INSERT INTO sensor (id, site, enrolled, enrolled_us)"
                        " SELECT ?1, no, 1, ?3 FROM site WHERE name = ?2"
                        " ON CONFLICT (id) DO UPDATE SET enrolled = 1, site = excluded.site",
                        lamp_str(id), lamp_str(site), lamp_uint(now_us));
    if (err == LAMP_OK)
        err = LAMP_EXEC(q,
                        "INSERT INTO block_sensor (block, sensor, at_us)"
                        " SELECT b.id, s.no, ?3 FROM block b, sensor s WHERE b.removed_us = 0"
                        " AND (b.site = '' OR b.site = ?2) AND s.id = ?1"
                        " ON CONFLICT DO UPDATE SET state = 0, at_us = excluded.at_us"
                        " WHERE state = 4",
                        lamp_str(id), lamp_str(site), lamp_uint(now_us));
    if (err == LAMP_OK) /* a sensor that was moved leaves the blocks of its old site behind */
        err = LAMP_EXEC(q,
                        "UPDATE block_sensor SET state = 4, error = '', at_us = ?3"
                        " WHERE state <> 4 AND sensor = (SELECT no FROM sensor WHERE id = ?1)"
                        " AND block IN (SELECT id FROM block WHERE site NOT IN ('', ?2))",
                        lamp_str(id), lamp_str(site), lamp_uint(now_us));
    return err;
}

int lamp_sqlite_op_sensor(lamp_store *s, const char *id, struct lamp_store_sensor *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st =
        LAMP_QUERY(q,
                   "SELECT s.no, s.site, t.name, s.clock_offset_us, s.list_rejected_epoch,"
                   " s.list_rejected_serial FROM sensor s JOIN site t"
                   " ON t.no = s.site WHERE s.id = ? AND s.enrolled = 1",
                   lamp_str(id));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ENOENT;
    out->ref = sqlite3_column_int64(st, 0);
    out->site_ref = sqlite3_column_int64(st, 1);
    lamp_col_copy(st, 2, out->site, sizeof(out->site));
    out->clock_offset_us = sqlite3_column_int64(st, 3);
    out->rejected_epoch = lamp_col_uint(st, 4);
    out->rejected_serial = lamp_col_uint(st, 5);
    snprintf(out->id, sizeof(out->id), "%s", id);
    sqlite3_reset(st);
    return LAMP_OK;
}

int lamp_sqlite_op_sensor_add(lamp_store *s, int64_t sensor_ref, const struct lamp_sensor_delta *d)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    int err = LAMP_EXEC(q,
                        "UPDATE sensor SET last_seen_us = max(last_seen_us, ?2),"
                        " data_us = max(data_us, ?3), batches = batches + ?4, rows = rows + ?5,"
                        " duplicates = duplicates + ?6, lost_records = lost_records + ?7,"
                        " uplink_bytes = uplink_bytes + ?8 WHERE no = ?1",
                        lamp_int(sensor_ref), lamp_uint(d->seen_us), lamp_uint(d->data_us),
                        lamp_uint(d->batches), lamp_uint(d->rows), lamp_uint(d->duplicates),
                        lamp_uint(d->lost_records), lamp_uint(d->uplink_bytes));
    if (err == LAMP_OK && d->version)
        err = LAMP_EXEC(q, "UPDATE sensor SET version = ?2 WHERE no = ?1", lamp_int(sensor_ref),
                        lamp_str(d->version));
    if (err == LAMP_OK && d->shared_key_us)
        err = LAMP_EXEC(q, "UPDATE sensor SET shared_key_us = ?2 WHERE no = ?1",
                        lamp_int(sensor_ref), lamp_uint(d->shared_key_us));
    if (err == LAMP_OK && d->has_server_key_serial)
        err = LAMP_EXEC(q,
                        "UPDATE sensor SET server_key_serial = ?2 WHERE no = ?1"
                        " AND server_key_serial <> ?2",
                        lamp_int(sensor_ref), lamp_uint(d->server_key_serial));
    if (err == LAMP_OK && d->has_clock_offset)
        err = LAMP_EXEC(q, "UPDATE sensor SET clock_offset_us = ?2 WHERE no = ?1",
                        lamp_int(sensor_ref), lamp_int(d->clock_offset_us));
    return err;
}

static int put_outcome(struct lamp_sqlite *q, int64_t sensor_ref, const uint8_t cap_run[16],
                       size_t outcome, uint64_t packets, uint64_t bytes)
{
    if (packets == 0)
        return LAMP_OK;
    return LAMP_EXEC(q,
                     "INSERT INTO capture_outcome VALUES (?, ?, ?, ?, ?)"
                     " ON CONFLICT DO UPDATE SET packets = excluded.packets,"
                     " bytes = excluded.bytes WHERE packets < excluded.packets",
                     lamp_int(sensor_ref), lamp_blob(cap_run, 16), lamp_int((int64_t)outcome),
                     lamp_uint(packets), lamp_uint(bytes));
}

/* Where frames ended, of the outcomes that happened; behind them what was counted of flow records. */
static int put_outcomes(struct lamp_sqlite *q, int64_t sensor_ref, const uint8_t cap_run[16],
                        const struct lamp_sensor_counters *c)
{
    int err = LAMP_OK;
    for (size_t i = 0; !err && i < c->n_decode; i++)
        err = put_outcome(q, sensor_ref, cap_run, i, c->decode[i],
                          i < c->n_decode_bytes ? c->decode_bytes[i] : 0);
    for (size_t i = 0; !err && i < c->n_records; i++)
        err = put_outcome(q, sensor_ref, cap_run, LAMP_WIRE_DECODE_MAX + i, c->records[i], 0);
    return err;
}

int lamp_sqlite_op_counters(lamp_store *s, int64_t sensor_ref, const uint8_t cap_run[16],
                            const struct lamp_sensor_counters *c)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    int err =
        LAMP_EXEC(q,
                  "INSERT INTO capture_run VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                  " ON CONFLICT DO UPDATE SET packets = max(packets, excluded.packets),"
                  " bytes = max(bytes, excluded.bytes),"
                  " kernel_drops = max(kernel_drops, excluded.kernel_drops),"
                  " interface_drops = max(interface_drops, excluded.interface_drops),"
                  " flows_evicted = max(flows_evicted, excluded.flows_evicted),"
                  " cpu_us = max(cpu_us, excluded.cpu_us),"
                  " refused_packets = max(refused_packets, excluded.refused_packets),"
                  " refused_bytes = max(refused_bytes, excluded.refused_bytes),"
                  " rows_dropped = max(rows_dropped, excluded.rows_dropped),"
                  " bytes_dropped = max(bytes_dropped, excluded.bytes_dropped),"
                  " rollup_other = max(rollup_other, excluded.rollup_other)",
                  lamp_int(sensor_ref), lamp_blob(cap_run, 16), lamp_uint(c->packets),
                  lamp_uint(c->bytes), lamp_uint(c->kernel_drops), lamp_uint(c->interface_drops),
                  lamp_uint(c->flows_evicted), lamp_uint(c->cpu_us), lamp_uint(c->flows_refused),
                  lamp_uint(c->refused_bytes), lamp_uint(c->summary_rows_dropped),
                  lamp_uint(c->summary_bytes_dropped), lamp_uint(c->rollup_other));
    if (err == LAMP_OK)
        err = put_outcomes(q, sensor_ref, cap_run, c);
    if (err == LAMP_OK)
        err = LAMP_EXEC(q, "UPDATE sensor SET flows_live = ?2, memory_bytes = ?3 WHERE no = ?1",
                        lamp_int(sensor_ref), lamp_uint(c->flows_live), lamp_uint(c->memory_bytes));
    return err;
}

/* ---- streams ---- */

int lamp_sqlite_op_stream(lamp_store *s, int64_t sensor_ref, const struct lamp_stream_id *id,
                          struct lamp_store_stream *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st =
        LAMP_QUERY(q, "SELECT no, next_seq, closed, to_us FROM stream WHERE sensor = ? AND id = ?",
                   lamp_int(sensor_ref), lamp_blob(id->b, sizeof(id->b)));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ENOENT;
    *out = (struct lamp_store_stream){
        .ref = sqlite3_column_int64(st, 0),
        .id = *id,
        .next_seq = lamp_col_uint(st, 1),
        .to_us = lamp_col_uint(st, 3),
        .closed = sqlite3_column_int(st, 2) != 0,
    };
    sqlite3_reset(st);
    return LAMP_OK;
}

int lamp_sqlite_op_streams_open(lamp_store *s, int64_t sensor_ref, lamp_store_stream_fn *fn,
                                void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(q,
                                  "SELECT no, id, next_seq, to_us FROM stream"
                                  " WHERE sensor = ? AND closed = 0",
                                  lamp_int(sensor_ref));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        struct lamp_store_stream v = { .ref = sqlite3_column_int64(st, 0),
                                       .next_seq = lamp_col_uint(st, 2),
                                       .to_us = lamp_col_uint(st, 3) };
        lamp_col_blob(st, 1, v.id.b, sizeof(v.id.b));
        fn(&v, arg);
    }
    return got;
}

int lamp_sqlite_op_streams_end(lamp_store *s, int64_t sensor_ref, uint64_t *out_us)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(q, "SELECT ifnull(max(to_us), 0) FROM stream WHERE sensor = ?",
                                  lamp_int(sensor_ref));
    const int got = lamp_sqlite_step(q, st);
    if (got < 0)
        return got;
    *out_us = got ? lamp_col_uint(st, 0) : 0;
    sqlite3_reset(st);
    return LAMP_OK;
}

int lamp_sqlite_op_stream_add(lamp_store *s, int64_t sensor_ref, const struct lamp_stream_id *id,
                              uint64_t now_us, struct lamp_store_stream *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    int err = LAMP_EXEC(q,
                        "INSERT INTO stream (sensor, id, next_seq, closed, created_us)"
                        " VALUES (?, ?, 1, 0, ?)",
                        lamp_int(sensor_ref), lamp_blob(id->b, sizeof(id->b)), lamp_uint(now_us));
    if (err != LAMP_OK)
        return err;
    *out = (struct lamp_store_stream){ .ref = sqlite3_last_insert_rowid(q->db),
                                       .id = *id,
                                       .next_seq = 1 };
    return LAMP_EXEC(q,
                     "DELETE FROM stream WHERE sensor = ?1 AND no NOT IN"
                     " (SELECT no FROM stream WHERE sensor = ?1 ORDER BY no DESC LIMIT ?2)",
                     lamp_int(sensor_ref), lamp_int(LAMP_STREAMS_KEPT));
}

int lamp_sqlite_op_stream_put(lamp_store *s, const struct lamp_store_stream *stream)
{
    return LAMP_EXEC((struct lamp_sqlite *)s,
                     "UPDATE stream SET next_seq = ?2, closed = ?3, to_us = ?4 WHERE no = ?1",
                     lamp_int(stream->ref), lamp_uint(stream->next_seq), lamp_int(stream->closed),
                     lamp_uint(stream->to_us));
}

int lamp_sqlite_op_gap(lamp_store *s, const struct lamp_store_gap *g)
{
    return LAMP_EXEC((struct lamp_sqlite *)s,
                     "INSERT INTO gap (sensor, stream, from_seq, to_seq, from_us, to_us, flows,"
                     " bytes, reason, at_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                     lamp_int(g->sensor_ref), lamp_int(g->stream_ref), lamp_uint(g->from_seq),
                     lamp_uint(g->to_seq), lamp_uint(g->from_us), lamp_uint(g->to_us),
                     lamp_uint(g->flows), lamp_uint(g->bytes), lamp_str(g->reason),
                     lamp_uint(g->at_us));
}

/* ---- connections ---- */

int lamp_sqlite_evidence(struct lamp_sqlite *q, int64_t conn_id, struct lamp_track_evidence *out,
                         size_t *out_n)
{
    sqlite3_stmt *st = LAMP_QUERY(q,
                                  "SELECT kind, detail, field, strength, refute, t_us, side"
                                  " FROM evidence WHERE conn = ? ORDER BY place LIMIT 16",
                                  lamp_int(conn_id));
    int got;
    *out_n = 0;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        struct lamp_track_evidence *e = &out[(*out_n)++];
        lamp_col_copy(st, 0, e->kind, sizeof(e->kind));
        lamp_col_copy(st, 1, e->detail, sizeof(e->detail));
        lamp_col_copy(st, 2, e->field, sizeof(e->field));
        lamp_col_copy(st, 3, e->strength, sizeof(e->strength));
        lamp_col_copy(st, 4, e->refute, sizeof(e->refute));
        e->t_us = lamp_col_uint(st, 5);
        e->side = (enum lamp_side)sqlite3_column_int(st, 6);
    }
    return got;
}

#define CONN_COLUMNS                                                                               \
    "id, miner, site, client, server, client_port, server_port, ip_proto, vlan, first_us,"         \
    " last_us, bytes_up, bytes_down, packets_up, packets_down, jobs, submitted, accepted,"         \
    " rejected, stale, work, squares, verdict, confidence, difficulty, self_rate, flags, recent,"  \
    " family, coin, algorithm, wallet, worker, agent, pool, server_name, sni, ja4, hash_unit,"     \
    " tunnel_kind, tunnel_host, platform, tunnel_port, devices, work_method, hash_values,"         \
    " other_method, other_rate, other_low, other_high, said"

enum { CONN_FIRST_TEXT = 28 };

/* Whether there is a value for each of enum lamp_track_text and lamp_track_said. */
static bool is_said(const struct lamp_track_conn *c, int what)
{
    const struct lamp_conn_row *r = &c->row;
    switch (what) {
    case LAMP_SAID_TUNNEL_PORT:
        return r->tunnel_port > 0;
    case LAMP_SAID_DIFFICULTY:
        return r->difficulty > 0;
    case LAMP_SAID_SELF_RATE:
        return r->self_rate > 0;
    case LAMP_SAID_DEVICES:
        return r->devices > 0;
    case LAMP_SAID_WORK:
        return r->work_method != LAMP_RATE_NONE;
    case LAMP_SAID_OTHER:
        return r->other_method != LAMP_RATE_NONE;
    case LAMP_SAID_EVIDENCE:
        return c->n_evidence > 0;
    default:
        return *c->text[what] != '\0';
    }
}

/* When each value was said, or one time for all that there are, since most rows say everything that is known.
 * Returns how many bytes of out count. */
static size_t pack_said(const struct lamp_track_conn *c, uint64_t out[LAMP_SAID_COUNT])
{
    uint64_t one = 0;
    for (int i = 0; i < LAMP_SAID_COUNT; i++) {
        if (!is_said(c, i) || c->said_us[i] == one)
            continue;
        if (one) {
            memcpy(out, c->said_us, sizeof(c->said_us));
            return sizeof(c->said_us);
        }
        one = c->said_us[i];
    }
    out[0] = one;
    return sizeof(one);
}

/* What an earlier version wrote has no times: whatever comes is newer. */
static void unpack_said(sqlite3_stmt *st, int column, struct lamp_track_conn *c)
{
    uint64_t one = 0;
    if (sqlite3_column_bytes(st, column) == (int)sizeof(one)) {
        lamp_col_blob(st, column, &one, sizeof(one));
        for (int i = 0; i < LAMP_SAID_COUNT; i++)
            c->said_us[i] = is_said(c, i) ? one : 0;
    } else {
        lamp_col_blob(st, column, c->said_us, sizeof(c->said_us));
    }
}

int lamp_sqlite_op_conn_find(lamp_store *s, int64_t sensor_ref, const uint8_t cap_run[16],
                             uint64_t conn_id, struct lamp_track_conn *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(
        q, "SELECT " CONN_COLUMNS " FROM conn WHERE sensor = ? AND run = ? AND conn_id = ?",
        lamp_int(sensor_ref), lamp_blob(cap_run, 16), lamp_int((int64_t)conn_id));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ENOENT;
    memset(out, 0, sizeof(*out));
    out->sensor_ref = sensor_ref;
    memcpy(out->cap_run, cap_run, 16);
    struct lamp_conn_row *r = &out->row;
    r->conn_id = conn_id;
    int i = 0;
    out->id = sqlite3_column_int64(st, i++);
    out->miner_id = sqlite3_column_int64(st, i++);
    out->site_ref = sqlite3_column_int64(st, i++);
    r->client_addr = lamp_col_addr(st, i++);
    r->server_addr = lamp_col_addr(st, i++);
    r->client_port = (uint16_t)sqlite3_column_int(st, i++);
    r->server_port = (uint16_t)sqlite3_column_int(st, i++);
    r->ip_proto = (uint8_t)sqlite3_column_int(st, i++);
    r->vlan = (uint32_t)sqlite3_column_int64(st, i++);
    r->first_us = lamp_col_uint(st, i++);
    r->last_us = lamp_col_uint(st, i++);
    r->bytes_up = lamp_col_uint(st, i++);
    r->bytes_down = lamp_col_uint(st, i++);
    r->packets_up = lamp_col_uint(st, i++);
    r->packets_down = lamp_col_uint(st, i++);
    r->jobs = (uint32_t)sqlite3_column_int64(st, i++);
    r->submitted = (uint32_t)sqlite3_column_int64(st, i++);
    r->accepted = (uint32_t)sqlite3_column_int64(st, i++);
    r->rejected = (uint32_t)sqlite3_column_int64(st, i++);
    r->stale = (uint32_t)sqlite3_column_int64(st, i++);
    r->work_hashes = sqlite3_column_double(st, i++);
    out->squares = sqlite3_column_double(st, i++);
    r->verdict = (enum lamp_verdict)sqlite3_column_int(st, i++);
    r->confidence = (uint32_t)sqlite3_column_int(st, i++);
    r->difficulty = sqlite3_column_double(st, i++);
    r->self_rate = sqlite3_column_double(st, i++);
    r->flags = (uint32_t)sqlite3_column_int64(st, i++);
    lamp_col_blob(st, i++, out->recent, sizeof(out->recent));
    for (int t = 0; t < LAMP_TEXT_COUNT; t++)
        lamp_col_copy(st, CONN_FIRST_TEXT + t, out->text[t], sizeof(out->text[t]));
    i = CONN_FIRST_TEXT + LAMP_TEXT_COUNT;
    r->tunnel_port = (uint16_t)sqlite3_column_int(st, i++);
    r->devices = (uint32_t)sqlite3_column_int64(st, i++);
    r->work_method = (enum lamp_rate_method)sqlite3_column_int(st, i++);
    r->hash_values = (uint32_t)sqlite3_column_int64(st, i++);
    r->other_method = (enum lamp_rate_method)sqlite3_column_int(st, i++);
    r->other_rate = sqlite3_column_double(st, i++);
    r->other_low = sqlite3_column_double(st, i++);
    r->other_high = sqlite3_column_double(st, i++);
    const int err = lamp_sqlite_evidence(q, out->id, out->evidence, &out->n_evidence);
    unpack_said(st, i, out);
    sqlite3_reset(st);
    return err;
}

static int save_evidence(struct lamp_sqlite *q, const struct lamp_track_conn *c)
{
    int err = LAMP_EXEC(q, "DELETE FROM evidence WHERE conn = ?", lamp_int(c->id));
    for (size_t i = 0; i < c->n_evidence && err == LAMP_OK; i++)
        err = LAMP_EXEC(q, "INSERT INTO evidence VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        lamp_int(c->id), lamp_int((int64_t)i), lamp_str(c->evidence[i].kind),
                        lamp_str(c->evidence[i].detail), lamp_str(c->evidence[i].field),
                        lamp_str(c->evidence[i].strength), lamp_str(c->evidence[i].refute),
                        lamp_uint(c->evidence[i].t_us), lamp_int((int64_t)c->evidence[i].side));
    return err;
}

int lamp_sqlite_op_conn_save(lamp_store *s, struct lamp_track_conn *c, bool with_evidence)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const struct lamp_conn_row *r = &c->row;
    if (c->id == 0) {
        const int err = LAMP_EXEC(
            q,
            "INSERT INTO conn (miner, sensor, site, run, conn_id, client, server, client_port,"
            " server_port, ip_proto, vlan, first_us, last_us, bytes_up, bytes_down, packets_up,"
            " packets_down, jobs, submitted, accepted, rejected, stale, work, squares, verdict,"
            " confidence, difficulty, self_rate, flags, family, coin, algorithm, wallet, worker,"
            " agent, pool, server_name, sni, ja4, hash_unit, recent) VALUES (0, ?, ?, ?, ?, ?, ?,"
            " ?, ?, ?, ?, ?, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '', '', '', '', '',"
            " '', '', '', '', '', '', x'')",
            lamp_int(c->sensor_ref), lamp_int(c->site_ref), lamp_blob(c->cap_run, 16),
            lamp_int((int64_t)r->conn_id), lamp_addr_blob(&r->client_addr),
            lamp_addr_blob(&r->server_addr), lamp_int(r->client_port), lamp_int(r->server_port),
            lamp_int(r->ip_proto), lamp_int(r->vlan), lamp_uint(r->first_us));
        if (err != LAMP_OK)
            return err;
        c->id = sqlite3_last_insert_rowid(q->db);
    }
    uint64_t said[LAMP_SAID_COUNT];
    const size_t said_len = pack_said(c, said);
    const char(*t)[LAMP_TRACK_TEXT] = (const char(*)[LAMP_TRACK_TEXT])c->text;
    const int err = LAMP_EXEC(
        q,
        "UPDATE conn SET miner = ?2, last_us = ?3, bytes_up = ?4, bytes_down = ?5,"
        " packets_up = ?6, packets_down = ?7, jobs = ?8, submitted = ?9, accepted = ?10,"
        " rejected = ?11, stale = ?12, work = ?13, squares = ?14, verdict = ?15,"
        " confidence = ?16, difficulty = ?17, self_rate = ?18, flags = ?19, recent = ?20,"
        " family = ?21, coin = ?22, algorithm = ?23, wallet = ?24, worker = ?25, agent = ?26,"
        " pool = ?27, server_name = ?28, sni = ?29, ja4 = ?30, hash_unit = ?31, first_us = ?32,"
        " tunnel_kind = ?33, tunnel_host = ?34, tunnel_port = ?35, platform = ?36,"
        " devices = ?37, work_method = ?38, hash_values = ?39, other_method = ?40,"
        " other_rate = ?41, other_low = ?42, other_high = ?43, said = ?44"
        " WHERE id = ?1",
        lamp_int(c->id), lamp_int(c->miner_id), lamp_uint(r->last_us), lamp_uint(r->bytes_up),
        lamp_uint(r->bytes_down), lamp_uint(r->packets_up), lamp_uint(r->packets_down),
        lamp_int(r->jobs), lamp_int(r->submitted), lamp_int(r->accepted), lamp_int(r->rejected),
        lamp_int(r->stale), lamp_real(r->work_hashes), lamp_real(c->squares),
        lamp_int((int64_t)r->verdict), lamp_int(r->confidence), lamp_real(r->difficulty),
        lamp_real(r->self_rate), lamp_int(r->flags), lamp_blob(c->recent, sizeof(c->recent)),
        lamp_str(t[LAMP_TEXT_FAMILY]), lamp_str(t[LAMP_TEXT_COIN]),
        lamp_str(t[LAMP_TEXT_ALGORITHM]), lamp_str(t[LAMP_TEXT_WALLET]),
        lamp_str(t[LAMP_TEXT_WORKER]), lamp_str(t[LAMP_TEXT_AGENT]), lamp_str(t[LAMP_TEXT_POOL]),
        lamp_str(t[LAMP_TEXT_SERVER_NAME]), lamp_str(t[LAMP_TEXT_SNI]), lamp_str(t[LAMP_TEXT_JA4]),
        lamp_str(t[LAMP_TEXT_HASH_UNIT]), lamp_uint(r->first_us),
        lamp_str(t[LAMP_TEXT_TUNNEL_KIND]), lamp_str(t[LAMP_TEXT_TUNNEL_HOST]),
        lamp_int(r->tunnel_port), lamp_str(t[LAMP_TEXT_PLATFORM]), lamp_int(r->devices),
        lamp_int((int64_t)r->work_method), lamp_int(r->hash_values),
        lamp_int((int64_t)r->other_method), lamp_real(r->other_rate), lamp_real(r->other_low),
        lamp_real(r->other_high), lamp_blob(said, said_len));
    return err == LAMP_OK && with_evidence ? save_evidence(q, c) : err;
}

/* ---- miners ---- */

static size_t names_in(const char *list)
{
    size_t n = *list != '\0';
    for (; *list; list++)
        n += *list == '\n';
    return n < LAMP_NAMES_MAX ? n : LAMP_NAMES_MAX;
}

/* The times of the names of all lists, one after the other. Returns how many bytes of out count. */
static size_t pack_listed(const struct lamp_track_miner *m,
                          uint64_t out[LAMP_LIST_COUNT * LAMP_NAMES_MAX])
{
    size_t n = 0;
    for (size_t l = 0; l < LAMP_LIST_COUNT; l++) {
        const size_t names = names_in(m->list[l]);
        memcpy(out + n, m->list_us[l], names * sizeof(*out));
        n += names;
    }
    return n * sizeof(*out);
}

static void unpack_listed(sqlite3_stmt *st, int column, struct lamp_track_miner *m)
{
    const uint8_t *p = sqlite3_column_blob(st, column);
    size_t left = p ? (size_t)sqlite3_column_bytes(st, column) / sizeof(uint64_t) : 0;
    for (size_t l = 0; l < LAMP_LIST_COUNT && left; l++) {
        const size_t n = lamp_min(names_in(m->list[l]), left);
        memcpy(m->list_us[l], p, n * sizeof(uint64_t));
        p += n * sizeof(uint64_t);
        left -= n;
    }
}

int lamp_sqlite_op_miner_find(lamp_store *s, int64_t site_ref, const struct lamp_addr *host,
                              uint32_t vlan, struct lamp_track_miner *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(
        q,
        "SELECT id, verdict, confidence, blocked, server, server_port, ip_proto, bytes_up,"
        " bytes_down, packets_up, packets_down, jobs, submitted, accepted, rejected, stale,"
        " connections, since_us, last_us, coins, families, algorithms, wallets, workers, agents,"
        " pools, sensors, platforms, listed FROM miner WHERE site = ? AND host = ? AND vlan = ?",
        lamp_int(site_ref), lamp_addr_blob(host), lamp_int(vlan));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ENOENT;
    memset(out, 0, sizeof(*out));
    out->site_ref = site_ref;
    out->host = *host;
    out->vlan = vlan;
    int i = 0;
    out->id = sqlite3_column_int64(st, i++);
    out->verdict = (enum lamp_verdict)sqlite3_column_int(st, i++);
    out->confidence = (uint32_t)sqlite3_column_int(st, i++);
    out->blocked = sqlite3_column_int(st, i++) != 0;
    out->server_addr = lamp_col_addr(st, i++);
    out->server_port = (uint16_t)sqlite3_column_int(st, i++);
    out->ip_proto = (uint8_t)sqlite3_column_int(st, i++);
    struct lamp_totals *t = &out->totals;
    uint64_t *const counts[] = { &t->bytes_up, &t->bytes_down,    &t->packets_up, &t->packets_down,
                                 &t->jobs,     &t->submitted,     &t->accepted,   &t->rejected,
                                 &t->stale,    &out->connections, &out->since_us, &out->last_us };
    for (size_t n = 0; n < ARRAY_LEN(counts); n++)
        *counts[n] = lamp_col_uint(st, i++);
    for (size_t n = 0; n < LAMP_LIST_COUNT; n++)
        lamp_col_copy(st, i++, out->list[n], sizeof(out->list[n]));
    unpack_listed(st, i, out);
    sqlite3_reset(st);
    return LAMP_OK;
}

int lamp_sqlite_op_miner_save(lamp_store *s, struct lamp_track_miner *m)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const struct lamp_totals *t = &m->totals;
    uint64_t listed[LAMP_LIST_COUNT * LAMP_NAMES_MAX];
    const size_t listed_len = pack_listed(m, listed);
    const int err = LAMP_EXEC(
        q,
        "INSERT INTO miner (site, host, vlan, verdict, confidence, blocked, server, server_port,"
        " ip_proto, bytes_up, bytes_down, packets_up, packets_down, jobs, submitted, accepted,"
        " rejected, stale, connections, since_us, last_us, coins, families, algorithms, wallets,"
        " workers, agents, pools, sensors, platforms, listed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
        " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET verdict = excluded.verdict, confidence = excluded.confidence,"
        " blocked = excluded.blocked, server = excluded.server,"
        " server_port = excluded.server_port, ip_proto = excluded.ip_proto,"
        " bytes_up = excluded.bytes_up, bytes_down = excluded.bytes_down,"
        " packets_up = excluded.packets_up, packets_down = excluded.packets_down,"
        " jobs = excluded.jobs, submitted = excluded.submitted, accepted = excluded.accepted,"
        " rejected = excluded.rejected, stale = excluded.stale,"
        " connections = excluded.connections, since_us = excluded.since_us,"
        " last_us = excluded.last_us, coins = excluded.coins, families = excluded.families,"
        " algorithms = excluded.algorithms, wallets = excluded.wallets,"
        " workers = excluded.workers, agents = excluded.agents, pools = excluded.pools,"
        " sensors = excluded.sensors, platforms = excluded.platforms, listed = excluded.listed",
        lamp_int(m->site_ref), lamp_addr_blob(&m->host), lamp_int(m->vlan),
        lamp_int((int64_t)m->verdict), lamp_int(m->confidence), lamp_int(m->blocked),
        lamp_addr_blob(&m->server_addr), lamp_int(m->server_port), lamp_int(m->ip_proto),
        lamp_uint(t->bytes_up), lamp_uint(t->bytes_down), lamp_uint(t->packets_up),
        lamp_uint(t->packets_down), lamp_uint(t->jobs), lamp_uint(t->submitted),
        lamp_uint(t->accepted), lamp_uint(t->rejected), lamp_uint(t->stale),
        lamp_uint(m->connections), lamp_uint(m->since_us), lamp_uint(m->last_us),
        lamp_str(m->list[LAMP_LIST_COINS]), lamp_str(m->list[LAMP_LIST_FAMILIES]),
        lamp_str(m->list[LAMP_LIST_ALGORITHMS]), lamp_str(m->list[LAMP_LIST_WALLETS]),
        lamp_str(m->list[LAMP_LIST_WORKERS]), lamp_str(m->list[LAMP_LIST_AGENTS]),
        lamp_str(m->list[LAMP_LIST_POOLS]), lamp_str(m->list[LAMP_LIST_SENSORS]),
        lamp_str(m->list[LAMP_LIST_PLATFORMS]), lamp_blob(listed, listed_len));
    if (err == LAMP_OK && m->id == 0)
        m->id = sqlite3_last_insert_rowid(q->db);
    return err;
}

int lamp_sqlite_op_miner_targets(lamp_store *s, uint64_t from_us, lamp_miner_target_fn *fn,
                                 void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(q,
                                  "SELECT m.id, t.name, m.host, m.server, m.server_port,"
                                  " m.ip_proto, m.blocked FROM miner m JOIN site t"
                                  " ON t.no = m.site WHERE m.last_us >= ?",
                                  lamp_uint(from_us));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        const struct lamp_miner_target t = {
            .id = sqlite3_column_int64(st, 0),
            .site = lamp_col_str(st, 1),
            .host = lamp_col_addr(st, 2),
            .server_addr = lamp_col_addr(st, 3),
            .server_port = (uint16_t)sqlite3_column_int(st, 4),
            .ip_proto = (uint8_t)sqlite3_column_int(st, 5),
            .blocked = sqlite3_column_int(st, 6) != 0,
        };
        if (!fn(&t, arg)) {
            sqlite3_reset(st);
            return LAMP_OK;
        }
    }
    return got;
}

int lamp_sqlite_op_miner_blocked(lamp_store *s, int64_t miner_id, bool blocked)
{
    return LAMP_EXEC((struct lamp_sqlite *)s, "UPDATE miner SET blocked = ?2 WHERE id = ?1",
                     lamp_int(miner_id), lamp_int(blocked));
}

/* ---- minutes ---- */

enum { PART_BYTES = 512 * 1024 }; /* from here on a part is full */

int lamp_sqlite_op_minute(lamp_store *s, const struct lamp_track_conn *c, uint64_t minute,
                          int64_t stream_ref, uint64_t seq, const struct lamp_conn_row *delta,
                          double squares)
{
    return LAMP_EXEC(
        (struct lamp_sqlite *)s,
        "INSERT INTO conn_minute VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
        /* A conflict: a record has the connection twice. */
        " ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " bytes_up = bytes_up + excluded.bytes_up,"
        " bytes_down = bytes_down + excluded.bytes_down,"
        " packets_up = packets_up + excluded.packets_up,"
        " packets_down = packets_down + excluded.packets_down,"
        " jobs = jobs + excluded.jobs, submitted = submitted + excluded.submitted,"
        " accepted = accepted + excluded.accepted,"
        " rejected = rejected + excluded.rejected, stale = stale + excluded.stale,"
        " work = work + excluded.work, squares = squares + excluded.squares",
        lamp_uint(minute), lamp_int(c->site_ref), lamp_addr_blob(&c->row.client_addr),
        lamp_int(c->row.vlan), lamp_int(c->id), lamp_int(stream_ref), lamp_uint(seq),
        lamp_uint(delta->bytes_up), lamp_uint(delta->bytes_down), lamp_uint(delta->packets_up),
        lamp_uint(delta->packets_down), lamp_int(delta->jobs), lamp_int(delta->submitted),
        lamp_int(delta->accepted), lamp_int(delta->rejected), lamp_int(delta->stale),
        lamp_real(delta->work_hashes), lamp_real(squares), lamp_real(delta->self_rate));
}

/* Rows follow one another as they stand in their record, so those of a minute become one part of it. */
int lamp_sqlite_op_rollup(lamp_store *s, int64_t site_ref, int64_t stream_ref, uint64_t seq,
                          uint32_t index, const struct lamp_rollup_row *r)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const bool goes_on = q->part.len && q->part.len < PART_BYTES && q->part_next == index &&
                         q->part_of.minute == (int64_t)r->minute &&
                         q->part_of.site_ref == site_ref && q->part_of.stream_ref == stream_ref &&
                         q->part_of.seq == (int64_t)seq;
    if (!goes_on) {
        const int err = lamp_sqlite_flush_part(q);
        if (err != LAMP_OK)
            return err;
        q->part_of.minute = lamp_uint(r->minute).i;
        q->part_of.site_ref = site_ref;
        q->part_of.stream_ref = stream_ref;
        q->part_of.seq = lamp_uint(seq).i;
        q->part_of.place = index;
    }
    q->part_next = index + 1;
    return lamp_part_add(&q->part, r);
}

int lamp_sqlite_flush_part(struct lamp_sqlite *q)
{
    const size_t len = q->part.len;
    q->part.len = 0;
    return len == 0 ? LAMP_OK
                    : LAMP_EXEC(q, "INSERT INTO rollup_part VALUES (?, ?, ?, ?, ?, ?)",
                                lamp_int(q->part_of.minute), lamp_int(q->part_of.site_ref),
                                lamp_int(q->part_of.stream_ref), lamp_int(q->part_of.seq),
                                lamp_int(q->part_of.place), lamp_blob(q->part.data, len));
}
