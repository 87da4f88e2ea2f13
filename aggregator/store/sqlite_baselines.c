/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite store's baselines, and what a host did minute by minute. */
#include "aggregator/store/baselines.h"
#include "aggregator/store/sqlite.h"

#include <stdio.h>

#define MINUTE_US UINT64_C(60000000)

/* ---- baselines and their versions ---- */

int lamp_sqlite_op_baselines(lamp_store *s, const struct lamp_baseline_filter *f,
                             lamp_baseline_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(
        q,
        "SELECT id, site, host, version, learn_from_us, learn_to_us, by_asn, created_us, "
        "created_by,"
        " news_left_out, EXISTS (SELECT 1 FROM baseline_version v WHERE v.baseline = b.id AND"
        " v.version = 0) FROM baseline b WHERE (?1 = 0 OR id = ?1) AND (?2 = '' OR site = ?2)"
        " AND (length(?3) = 0 OR host = ?3) ORDER BY id",
        lamp_int(f->id), lamp_str(f->site ? f->site : ""),
        lamp_blob(f->host ? (const void *)f->host->b : "", f->host ? 16 : 0));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        struct lamp_baseline b = {
            .id = sqlite3_column_int64(st, 0),
            .host = lamp_col_addr(st, 2),
            .version = (uint32_t)sqlite3_column_int64(st, 3),
            .learn_from_us = lamp_col_uint(st, 4),
            .learn_to_us = lamp_col_uint(st, 5),
            .by_asn = sqlite3_column_int(st, 6) != 0,
            .created_us = lamp_col_uint(st, 7),
            .news_left_out = lamp_col_uint(st, 9),
            .has_draft = sqlite3_column_int(st, 10) != 0,
        };
        lamp_col_copy(st, 1, b.site, sizeof(b.site));
        lamp_col_copy(st, 8, b.created_by, sizeof(b.created_by));
        if (!fn(&b, arg)) {
            sqlite3_reset(st);
            return LAMP_OK;
        }
    }
    return got;
}

static struct lamp_spread read_spread(sqlite3_stmt *st, int i)
{
    return (struct lamp_spread){ sqlite3_column_double(st, i), sqlite3_column_double(st, i + 1),
                                 sqlite3_column_double(st, i + 2),
                                 sqlite3_column_double(st, i + 3) };
}

/* The columns remote, ip_proto, port, asn, mining, name, pool, application. */
static void read_place(sqlite3_stmt *st, int i, struct lamp_baseline_place *out)
{
    out->remote = lamp_col_addr(st, i);
    out->ip_proto = (uint8_t)sqlite3_column_int(st, i + 1);
    out->port = (uint16_t)sqlite3_column_int(st, i + 2);
    out->asn = (uint32_t)sqlite3_column_int64(st, i + 3);
    out->mining = sqlite3_column_int(st, i + 4) != 0;
    lamp_col_copy(st, i + 5, out->name, sizeof(out->name));
    lamp_col_copy(st, i + 6, out->pool, sizeof(out->pool));
    lamp_col_copy(st, i + 7, out->application, sizeof(out->application));
}

static void read_wallets(const char *text, struct lamp_baseline_body *out)
{
    while (*text && out->n_wallets < LAMP_BASELINE_WALLETS) {
        const size_t len = strcspn(text, "\n");
        if (len > 0 && len < sizeof(out->wallets[0]))
            memcpy(out->wallets[out->n_wallets++], text, len);
        text += len + (text[len] != '\0');
    }
}

static int read_entries(struct lamp_sqlite *q, int64_t id, uint32_t version,
                        struct lamp_baseline_body *out)
{
    sqlite3_stmt *st = LAMP_QUERY(
        q,
        "SELECT remote, ip_proto, port, asn, mining, name, pool, application, by_, bytes,"
        " packets, minutes, period, jitter FROM baseline_entry WHERE baseline = ?"
        " AND version = ? ORDER BY place LIMIT ?",
        lamp_int(id), lamp_int(version), lamp_int(LAMP_BASELINE_ENTRIES));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        struct lamp_baseline_entry *e = &out->entries[out->n_entries++];
        read_place(st, 0, &e->at);
        e->by = (enum lamp_baseline_by)sqlite3_column_int(st, 8);
        e->bytes = lamp_col_uint(st, 9);
        e->packets = lamp_col_uint(st, 10);
        e->minutes = (uint32_t)sqlite3_column_int64(st, 11);
        e->period_min = sqlite3_column_double(st, 12);
        e->jitter_min = sqlite3_column_double(st, 13);
    }
    return got;
}

int lamp_sqlite_op_baseline_body(lamp_store *s, int64_t id, uint32_t version,
                                 struct lamp_baseline_body *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(
        q,
        "SELECT from_us, to_us, minutes, mining_mean, mining_sd, mining_most, mining_carry,"
        " other_mean, other_sd, other_most, other_carry, packets_mean, packets_sd, packets_most,"
        " packets_carry, wallets, left_out FROM baseline_version"
        " WHERE baseline = ? AND version = ?",
        lamp_int(id), lamp_int(version));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ENOENT;
    *out = (struct lamp_baseline_body){
        .from_us = lamp_col_uint(st, 0),
        .to_us = lamp_col_uint(st, 1),
        .minutes = (uint32_t)sqlite3_column_int64(st, 2),
        .mining = read_spread(st, 3),
        .other = read_spread(st, 7),
        .packets = read_spread(st, 11),
        .left_out = (uint32_t)sqlite3_column_int64(st, 16),
    };
    read_wallets(lamp_col_str(st, 15), out);
    sqlite3_reset(st);
    return read_entries(q, id, version, out);
}

int lamp_sqlite_op_baseline_versions(lamp_store *s, int64_t id, lamp_baseline_version_fn *fn,
                                     void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(q,
                                  "SELECT version, from_us, to_us, at_us, minutes, entries, by_,"
                                  " note FROM baseline_version WHERE baseline = ? AND version > 0"
                                  " ORDER BY version DESC",
                                  lamp_int(id));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        struct lamp_baseline_version v = {
            .version = (uint32_t)sqlite3_column_int64(st, 0),
            .from_us = lamp_col_uint(st, 1),
            .to_us = lamp_col_uint(st, 2),
            .at_us = lamp_col_uint(st, 3),
            .minutes = (uint32_t)sqlite3_column_int64(st, 4),
            .entries = (uint32_t)sqlite3_column_int64(st, 5),
        };
        lamp_col_copy(st, 6, v.by, sizeof(v.by));
        lamp_col_copy(st, 7, v.note, sizeof(v.note));
        if (!fn(&v, arg)) {
            sqlite3_reset(st);
            return LAMP_OK;
        }
    }
    return got;
}

int lamp_sqlite_op_baseline_save(lamp_store *s, struct lamp_baseline *b)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    if (b->id)
        return LAMP_EXEC(q,
                         "UPDATE baseline SET version = ?2, learn_from_us = ?3, learn_to_us = ?4,"
                         " by_asn = ?5 WHERE id = ?1",
                         lamp_int(b->id), lamp_int(b->version), lamp_uint(b->learn_from_us),
                         lamp_uint(b->learn_to_us), lamp_int(b->by_asn));
    const int err =
        LAMP_EXEC(q,
                  "INSERT INTO baseline (site, host, version, learn_from_us, learn_to_us, by_asn,"
                  " created_us, created_by, news_left_out) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)",
                  lamp_str(b->site), lamp_addr_blob(&b->host), lamp_int(b->version),
                  lamp_uint(b->learn_from_us), lamp_uint(b->learn_to_us), lamp_int(b->by_asn),
                  lamp_uint(b->created_us), lamp_str(b->created_by));
    if (err == LAMP_OK)
        b->id = sqlite3_last_insert_rowid(q->db);
    return err;
}

static int forget_version(struct lamp_sqlite *q, int64_t id, int64_t version)
{
    const int err = LAMP_EXEC(q, "DELETE FROM baseline_entry WHERE baseline = ? AND version = ?",
                              lamp_int(id), lamp_int(version));
    return err ? err
               : LAMP_EXEC(q, "DELETE FROM baseline_version WHERE baseline = ? AND version = ?",
                           lamp_int(id), lamp_int(version));
}

static int put_entry(struct lamp_sqlite *q, int64_t id, uint32_t version, uint32_t place,
                     const struct lamp_baseline_entry *e)
{
    return LAMP_EXEC(
        q, "INSERT INTO baseline_entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        lamp_int(id), lamp_int(version), lamp_int(place), lamp_addr_blob(&e->at.remote),
        lamp_int(e->at.ip_proto), lamp_int(e->at.port), lamp_int(e->at.asn), lamp_int(e->at.mining),
        lamp_str(e->at.name), lamp_str(e->at.pool), lamp_str(e->at.application),
        lamp_int((int64_t)e->by), lamp_uint(e->bytes), lamp_uint(e->packets), lamp_int(e->minutes),
        lamp_real(e->period_min), lamp_real(e->jitter_min));
}

int lamp_sqlite_op_baseline_put(lamp_store *s, int64_t id, const struct lamp_baseline_version *v,
                                const struct lamp_baseline_body *body)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    char wallets[LAMP_BASELINE_WALLETS * (LAMP_TRACK_TEXT + 1)] = "";
    for (size_t i = 0, n = 0; i < body->n_wallets && n < sizeof(wallets); i++)
        n += (size_t)snprintf(wallets + n, sizeof(wallets) - n, "%s\n", body->wallets[i]);
    int err = forget_version(q, id, v->version);
    if (err == LAMP_OK && v->version > LAMP_BASELINE_VERSIONS)
        err = forget_version(q, id, (int64_t)v->version - LAMP_BASELINE_VERSIONS);
    if (err == LAMP_OK)
        err = LAMP_EXEC(
            q,
            "INSERT INTO baseline_version VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
            " ?, ?, ?, ?, ?, ?, ?)",
            lamp_int(id), lamp_int(v->version), lamp_uint(body->from_us), lamp_uint(body->to_us),
            lamp_int(body->minutes), lamp_real(body->mining.mean), lamp_real(body->mining.sd),
            lamp_real(body->mining.most), lamp_real(body->mining.carry),
            lamp_real(body->other.mean), lamp_real(body->other.sd), lamp_real(body->other.most),
            lamp_real(body->other.carry), lamp_real(body->packets.mean),
            lamp_real(body->packets.sd), lamp_real(body->packets.most),
            lamp_real(body->packets.carry), lamp_str(wallets), lamp_int(body->left_out),
            lamp_int(body->n_entries), lamp_uint(v->at_us), lamp_str(v->by), lamp_str(v->note));
    for (uint32_t i = 0; i < body->n_entries && err == LAMP_OK; i++)
        err = put_entry(q, id, v->version, i, &body->entries[i]);
    return err;
}

int lamp_sqlite_op_baseline_undraft(lamp_store *s, int64_t id)
{
    return forget_version((struct lamp_sqlite *)s, id, 0);
}

int lamp_sqlite_op_baseline_remove(lamp_store *s, int64_t id)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    int err = LAMP_EXEC(q, "DELETE FROM baseline_news WHERE baseline = ?", lamp_int(id));
    if (err == LAMP_OK)
        err = LAMP_EXEC(q, "DELETE FROM baseline_entry WHERE baseline = ?", lamp_int(id));
    if (err == LAMP_OK)
        err = LAMP_EXEC(q, "DELETE FROM baseline_version WHERE baseline = ?", lamp_int(id));
    return err ? err : LAMP_EXEC(q, "DELETE FROM baseline WHERE id = ?", lamp_int(id));
}

/* ---- unexpected destinations ---- */

int lamp_sqlite_op_baseline_news(lamp_store *s, int64_t id, lamp_baseline_news_fn *fn, void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st = LAMP_QUERY(
        q,
        "SELECT id, remote, ip_proto, port, asn, mining, name, pool, application, say, first_us,"
        " last_us, bytes, packets, by_ FROM baseline_news WHERE baseline = ?"
        " ORDER BY last_us DESC, id DESC LIMIT ?",
        lamp_int(id), lamp_int(LAMP_BASELINE_NEWS));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        struct lamp_baseline_news n = {
            .id = sqlite3_column_int64(st, 0),
            .say = (enum lamp_baseline_say)sqlite3_column_int(st, 9),
            .first_us = lamp_col_uint(st, 10),
            .last_us = lamp_col_uint(st, 11),
            .bytes = lamp_col_uint(st, 12),
            .packets = lamp_col_uint(st, 13),
        };
        read_place(st, 1, &n.at);
        lamp_col_copy(st, 14, n.by, sizeof(n.by));
        if (!fn(&n, arg)) {
            sqlite3_reset(st);
            return LAMP_OK;
        }
    }
    return got;
}

/* Those seen longest ago that nobody said anything to go first. */
static int make_room(struct lamp_sqlite *q, int64_t baseline_id)
{
    const int err = LAMP_EXEC(q,
                              "DELETE FROM baseline_news WHERE id IN (SELECT id FROM baseline_news"
                              " WHERE baseline = ?1 ORDER BY say = 0, last_us DESC LIMIT -1"
                              " OFFSET ?2)",
                              lamp_int(baseline_id), lamp_int(LAMP_BASELINE_NEWS - 1));
    const int gone = sqlite3_changes(q->db);
    return err || !gone ? err
                        : LAMP_EXEC(q,
                                    "UPDATE baseline SET news_left_out = news_left_out + ?2"
                                    " WHERE id = ?1",
                                    lamp_int(baseline_id), lamp_int(gone));
}

int lamp_sqlite_op_baseline_note(lamp_store *s, int64_t baseline_id, struct lamp_baseline_news *n)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    if (n->id)
        return LAMP_EXEC(q,
                         "UPDATE baseline_news SET say = ?2, last_us = ?3, bytes = ?4,"
                         " packets = ?5, by_ = ?6, name = ?7, pool = ?8, application = ?9,"
                         " mining = ?10 WHERE id = ?1",
                         lamp_int(n->id), lamp_int((int64_t)n->say), lamp_uint(n->last_us),
                         lamp_uint(n->bytes), lamp_uint(n->packets), lamp_str(n->by),
                         lamp_str(n->at.name), lamp_str(n->at.pool), lamp_str(n->at.application),
                         lamp_int(n->at.mining));
    int err = make_room(q, baseline_id);
    if (err == LAMP_OK)
        err = LAMP_EXEC(
            q,
            "INSERT INTO baseline_news (baseline, remote, ip_proto, port, asn, mining, name, pool,"
            " application, say, first_us, last_us, bytes, packets, by_)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            lamp_int(baseline_id), lamp_addr_blob(&n->at.remote), lamp_int(n->at.ip_proto),
            lamp_int(n->at.port), lamp_int(n->at.asn), lamp_int(n->at.mining), lamp_str(n->at.name),
            lamp_str(n->at.pool), lamp_str(n->at.application), lamp_int((int64_t)n->say),
            lamp_uint(n->first_us), lamp_uint(n->last_us), lamp_uint(n->bytes),
            lamp_uint(n->packets), lamp_str(n->by));
    if (err == LAMP_OK)
        n->id = sqlite3_last_insert_rowid(q->db);
    return err;
}

int lamp_sqlite_op_baseline_forget(lamp_store *s, int64_t news_id)
{
    return LAMP_EXEC((struct lamp_sqlite *)s, "DELETE FROM baseline_news WHERE id = ?",
                     lamp_int(news_id));
}

int lamp_sqlite_op_host_wanted(lamp_store *s, const char *site, const struct lamp_addr *host,
                               bool *out)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    sqlite3_stmt *st =
        LAMP_QUERY(q,
                   "SELECT EXISTS (SELECT 1 FROM pair WHERE mark = ?3 AND client = ?2"
                   " AND site = (SELECT no FROM site WHERE name = ?1))",
                   lamp_str(site), lamp_addr_blob(host), lamp_int((int64_t)LAMP_MARK_SANCTIONED));
    const int got = lamp_sqlite_step(q, st);
    if (got <= 0)
        return got ? got : LAMP_ESTORE;
    *out = sqlite3_column_int(st, 0) != 0;
    sqlite3_reset(st);
    return LAMP_OK;
}

/* ---- what a host did ---- */

/* Settled minutes are found one by one by their key: a span of them holds those of all hosts. What is still
 * as it came is of some minutes. */
#define MINING                                                                                     \
    " SELECT c.minute, k.server, k.ip_proto, k.server_port, k.verdict >= 2, k.server_name, "       \
    "k.pool, k.family,"                                                                            \
    " c.bytes_up + c.bytes_down, c.packets_up + c.packets_down, c.packets_up, k.wallet FROM "
#define OF_SITE "(SELECT no FROM site WHERE name = ?3)"

int lamp_sqlite_op_host_minutes(lamp_store *s, const char *site, const struct lamp_addr *host,
                                uint64_t from_us, uint64_t to_us, lamp_host_minute_fn *fn,
                                void *arg)
{
    struct lamp_sqlite *q = (struct lamp_sqlite *)s;
    const bool v4 = lamp_addr_is_v4(host);
    sqlite3_stmt *st = LAMP_QUERY(
        q,
        "WITH RECURSIVE m(minute) AS (SELECT ?1 UNION ALL SELECT minute + 1 FROM m"
        " WHERE minute < ?2)"
        " SELECT m.minute, t.remote, t.ip_proto, t.service_port, 0, t.remote_name, '',"
        " t.application, t.bytes_out + t.bytes_in, t.packets_out + t.packets_in, t.packets_out, ''"
        " FROM m CROSS JOIN traffic_pack p ON p.step = 0 AND p.time = m.minute AND p.site "
        "= " OF_SITE
        " AND pack_has(p.keys, ?5, x'') CROSS JOIN pack_rows(p.keys, p.body, ?5, x'') t"
        " UNION ALL SELECT minute, remote, ip_proto, service_port, 0,"
        " remote_name, '', application, bytes_out + bytes_in, packets_out + packets_in,"
        " packets_out, '' FROM rollup_minute WHERE minute BETWEEN ?1 AND ?2 AND site = " OF_SITE
        " AND inside = ?5 UNION ALL" MINING
        "m CROSS JOIN conn_by_minute c ON c.minute = m.minute AND c.site = " OF_SITE
        " AND c.host = ?4 CROSS JOIN conn k ON k.id = c.conn UNION ALL" MINING
        "conn_minute c CROSS JOIN conn k ON k.id = c.conn WHERE c.minute BETWEEN ?1 AND ?2"
        " AND c.site = " OF_SITE " AND c.host = ?4 ORDER BY 1",
        lamp_uint(from_us / MINUTE_US), lamp_uint(to_us / MINUTE_US), lamp_str(site),
        lamp_addr_blob(host), lamp_blob(v4 ? host->b + 12 : host->b, v4 ? 4 : 16));
    int got;
    while ((got = lamp_sqlite_step(q, st)) > 0) {
        struct lamp_host_minute m = {
            .minute = lamp_col_uint(st, 0),
            .at = { .remote = lamp_col_addr(st, 1),
                    .ip_proto = (uint8_t)sqlite3_column_int(st, 2),
                    .port = (uint16_t)sqlite3_column_int(st, 3),
                    .mining = sqlite3_column_int(st, 4) != 0 },
            .bytes = lamp_col_uint(st, 8),
            .packets = lamp_col_uint(st, 9),
            .packets_out = lamp_col_uint(st, 10),
            .wallet = lamp_col_str(st, 11),
        };
        lamp_col_copy(st, 5, m.at.name, sizeof(m.at.name));
        lamp_col_copy(st, 6, m.at.pool, sizeof(m.at.pool));
        lamp_col_copy(st, 7, m.at.application, sizeof(m.at.application));
        if (!fn(&m, arg))
            break;
    }
    if (st)
        sqlite3_reset(st);
    return got < 0 ? got : LAMP_OK;
}
