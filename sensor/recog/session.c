/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/recog/session.h"

#include "common/text.h"
#include "sensor/recog/proof.h"
#include "sensor/recog/recog.h"

#include <math.h>
#include <strings.h>

/* No share is ever this hard (2^100): what claims to be is a mistake or an attack, and sums of it
 * would soon be no numbers any more. */
#define WEIGHT_MAX 0x1p100

/* One round of what MurmurHash3 (Appleby) ends with. */
static uint64_t mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0xff51afd7ed558ccd;
    return h ^ h >> 32;
}

/* Eight bytes at a time, since each share is hashed whole. */
uint64_t lamp_session_hash(struct lamp_bytes b)
{
    uint64_t h = b.len, word;
    size_t i = 0;
    for (; i + sizeof(word) <= b.len; i += sizeof(word)) {
        memcpy(&word, b.data + i, sizeof(word));
        h = mix(h, word);
    }
    word = 0;
    for (; i < b.len; i++)
        word = word << 8 | b.data[i];
    h = mix(h, word);
    return h ? h : 1;
}

/* ---- jobs ---- */

/* What cannot be is unknown. */
static struct lamp_weight sane(struct lamp_weight w)
{
    return (struct lamp_weight){
        .difficulty = w.difficulty > 0 && w.difficulty < WEIGHT_MAX ? w.difficulty : 0,
        .hashes = w.hashes > 0 && w.hashes < WEIGHT_MAX ? w.hashes : 0,
    };
}

void lamp_session_weight(struct lamp_session *s, struct lamp_weight w)
{
    w = sane(w);
    if (w.difficulty > 0 || w.hashes > 0)
        s->current = w;
}

void lamp_session_job(struct lamp_session *s, struct lamp_bytes id,
                      const struct lamp_weight *weight)
{
    if (weight)
        lamp_session_weight(s, *weight);
    s->jobs[s->next_job++ % LAMP_SESSION_JOBS] =
        (struct lamp_session_job){ lamp_session_hash(id), weight ? sane(*weight) : s->current,
                                   s->now_us };
    s->conn.jobs++;
}

struct lamp_weight lamp_session_weight_of(const struct lamp_session *s, struct lamp_bytes job)
{
    const uint64_t id = lamp_session_hash(job);
    for (uint32_t back = 1; back <= LAMP_SESSION_JOBS && back <= s->next_job; back++) {
        const struct lamp_session_job *j = &s->jobs[(s->next_job - back) % LAMP_SESSION_JOBS];
        if (j->id == id && (j->weight.difficulty > 0 || j->weight.hashes > 0))
            return j->weight;
    }
    return s->current;
}

/* When the newest job of that name came; 0: it was not seen. */
static uint64_t time_of(const struct lamp_session *s, struct lamp_bytes job)
{
    const uint64_t id = lamp_session_hash(job);
    for (uint32_t back = 1; back <= LAMP_SESSION_JOBS && back <= s->next_job; back++) {
        const struct lamp_session_job *j = &s->jobs[(s->next_job - back) % LAMP_SESSION_JOBS];
        if (j->id == id)
            return j->t_us;
    }
    return 0;
}

void lamp_session_nonce(struct lamp_session *s, struct lamp_bytes job, struct lamp_bytes hex,
                        bool hashes)
{
    uint8_t nonce[32];
    size_t len;
    if (lamp_hex_decode((const char *)hex.data, hex.len, nonce, sizeof(nonce), &len) != LAMP_OK ||
        !lamp_odometer_add(&s->odometer, time_of(s, job), s->now_us,
                           (struct lamp_bytes){ nonce, len }))
        return;
    const struct lamp_odometer_reading r = lamp_odometer_read(&s->odometer);
    if (!r.layout)
        return;
    if (hashes)
        s->conn.other_rate = (struct lamp_rate){ r.value, r.low, r.high, LAMP_RATE_NONCE, 0 };
    const bool devices = streq(r.layout, "devices");
    s->conn.devices = devices ? (uint16_t)r.lanes : 0;
    const struct lamp_reason reason = {
        .kind = "nonce",
        .field = "nonces of the shares",
        .strength = "strong",
        .refute = "a proxy that numbers the nonces of several miners anew",
        .t_us = s->now_us,
        .dir = LAMP_UP,
    };
    lamp_reason_add(&s->conn, &reason, true, "nonces count up, %u %s, together %.4g/s (%u shares)",
                    r.lanes,
                    devices                      ? "GPUs as EWBF numbers them"
                    : streq(r.layout, "threads") ? "threads as xmr-stak numbers them"
                    : streq(r.layout, "chunks")  ? "threads as xmrig numbers them"
                                                 : "counter",
                    r.value, s->odometer.n);
}

/* ---- requests, shares, answers ---- */

static uint64_t hash_of_id(const struct lamp_jsonvalue *id)
{
    return lamp_jsonline_given(id) ? lamp_session_hash(id->text) : 0;
}

static struct lamp_request *add_request(struct lamp_session *s, const struct lamp_jsonline *line,
                                        const char *what)
{
    struct lamp_request *r = &s->requests[s->next_request++ % LAMP_SESSION_REQUESTS];
    *r = (struct lamp_request){ .id = hash_of_id(lamp_jsonline_top(line, "id")), .what = what };
    return r;
}

void lamp_session_request(struct lamp_session *s, const struct lamp_jsonline *line,
                          const char *what)
{
    (void)add_request(s, line, what);
}

static void add_work(struct lamp_work *to, struct lamp_weight w)
{
    if (w.hashes > 0) {
        to->hashes += w.hashes;
        to->hashes_squares += w.hashes * w.hashes;
        to->by_hashes++;
    } else if (w.difficulty > 0) {
        to->difficulty += w.difficulty;
        to->difficulty_squares += w.difficulty * w.difficulty;
        to->by_difficulty++;
    }
}

bool lamp_session_share(struct lamp_session *s, const struct lamp_jsonline *line,
                        struct lamp_bytes job, const char *what)
{
    const uint64_t identity = lamp_session_hash(line->text);
    for (size_t i = 0; i < LAMP_SESSION_SHARES; i++)
        if (s->shares[i] == identity)
            return false;
    s->shares[s->next_share++ % LAMP_SESSION_SHARES] = identity;
    struct lamp_request *r = add_request(s, line, what);
    r->is_share = true;
    r->weight = lamp_session_weight_of(s, job);
    add_work(&s->submitted, r->weight);
    s->conn.shares.submitted++;
    return true;
}

static bool has_word(struct lamp_bytes text, const char *word)
{
    const size_t n = strlen(word);
    for (size_t i = 0; i + n <= text.len; i++)
        if (strncasecmp((const char *)text.data + i, word, n) == 0)
            return true;
    return false;
}

bool lamp_session_is_stale(struct lamp_bytes message)
{
    static const char *const words[] = { "stale",       "job not found", "unknown job",
                                         "invalid job", "block expired", "too late" };
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (has_word(message, words[i]))
            return true;
    return false;
}

/* Reads "result" and "error": JSON-RPC objects as well as stratum's [21, "Stale", null]. */
static enum lamp_outcome outcome_of(const struct lamp_jsonline *line, bool null_is_yes)
{
    const struct lamp_jsonvalue *error = lamp_jsonline_top(line, "error");
    const struct lamp_jsonvalue *result = lamp_jsonline_top(line, "result");
    if (lamp_jsonline_given(error) && error->type != LAMP_JSON_FALSE) {
        double code = 0;
        (void)lamp_jsonline_number(lamp_jsonline_item(line, error, 0), &code);
        const bool stale = code == 21 || lamp_session_is_stale(error->text);
        return stale ? LAMP_OUTCOME_STALE : LAMP_OUTCOME_REJECTED;
    }
    if (null_is_yes && result) {
        if (result->type == LAMP_JSON_NULL)
            return LAMP_OUTCOME_ACCEPTED;
        return has_word(result->text, "stale") ? LAMP_OUTCOME_STALE : LAMP_OUTCOME_REJECTED;
    }
    if (!lamp_jsonline_given(result) || result->type == LAMP_JSON_FALSE)
        return LAMP_OUTCOME_REJECTED;
    return LAMP_OUTCOME_ACCEPTED;
}

static struct lamp_request *oldest_request(struct lamp_session *s, uint64_t id)
{
    struct lamp_request *const ring = s->requests;
    const uint32_t end = s->next_request, n = LAMP_SESSION_REQUESTS;
    if (end - s->first_open > n)
        s->first_open = end - n;
    while (s->first_open != end && ring[s->first_open % n].id == 0)
        s->first_open++;
    for (uint32_t i = s->first_open; id && i != end; i++)
        if (ring[i % n].id == id)
            return &ring[i % n];
    return NULL;
}

static void book(struct lamp_session *s, enum lamp_outcome outcome, struct lamp_weight weight)
{
    if (outcome == LAMP_OUTCOME_ACCEPTED) {
        s->conn.shares.accepted++;
        add_work(&s->accepted, weight);
    } else if (outcome == LAMP_OUTCOME_STALE) {
        s->conn.shares.stale++;
    } else {
        s->conn.shares.rejected++;
    }
}

void lamp_session_outcome(struct lamp_session *s, enum lamp_outcome outcome)
{
    const struct lamp_shares *n = &s->conn.shares;
    if (s->next_request == 0 || n->accepted + n->rejected + n->stale >= n->submitted)
        return;
    book(s, outcome, s->requests[(s->next_request - 1) % LAMP_SESSION_REQUESTS].weight);
}

static const char *close_request(struct lamp_session *s, struct lamp_request *r,
                                 enum lamp_outcome outcome)
{
    r->id = 0;
    if (r->is_share)
        book(s, outcome, r->weight);
    return r->what;
}

const char *lamp_session_book(struct lamp_session *s, const struct lamp_jsonvalue *id,
                              enum lamp_outcome outcome)
{
    struct lamp_request *r = oldest_request(s, hash_of_id(id));
    return r ? close_request(s, r, outcome) : NULL;
}

const char *lamp_session_answer(struct lamp_session *s, const struct lamp_jsonline *line,
                                enum lamp_outcome *out)
{
    if (!lamp_jsonline_top(line, "result") && !lamp_jsonline_top(line, "error"))
        return NULL;
    struct lamp_request *r = oldest_request(s, hash_of_id(lamp_jsonline_top(line, "id")));
    if (!r)
        return NULL;
    *out = outcome_of(line, s->null_is_yes && r->is_share);
    return close_request(s, r, *out);
}

void lamp_session_self_rate(struct lamp_session *s, double rate)
{
    if (rate > 0 && rate < 1e18)
        s->conn.self_rate = rate;
}

double lamp_hex_value(struct lamp_bytes hex)
{
    if (!lamp_is_hex(hex, 0))
        return 0;
    if (hex.len > 2 && (hex.data[1] | 0x20) == 'x') {
        hex.data += 2;
        hex.len -= 2;
    }
    double value = 0;
    for (size_t i = 0; i < hex.len; i++) {
        const uint8_t c = hex.data[i] | 0x20;
        value = value * 16 + (c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return value;
}

double lamp_target_hashes(struct lamp_bytes hex)
{
    /* Short forms leave out leading zeros, so the digits' value is the target's. */
    const double target = lamp_hex_value(hex);
    return target > 0 ? ldexp(1, 256) / target : 0;
}

double lamp_compact_target_hashes(struct lamp_bytes hex)
{
    uint8_t b[8];
    size_t len;
    if (lamp_hex_decode((const char *)hex.data, hex.len, b, sizeof(b), &len) != LAMP_OK ||
        (len != 4 && len != 8))
        return 0;
    double t = 0;
    for (size_t i = len; i-- > 0;)
        t = t * 256 + b[i];
    if (t < 1)
        return 0;
    return len == 4 ? 4294967295.0 / t : 18446744073709551616.0 / t;
}

/* ---- the connection's summary fields ---- */

/* Where no difficulty was seen, the hashes of the shares themselves tell it. */
static void work_by_values(struct lamp_session *s)
{
    struct lamp_conn *c = &s->conn;
    const double hashes = lamp_proof_hashes(&s->values);
    const uint32_t n = s->pool_spoke ? c->shares.accepted : c->shares.submitted;
    if (!(hashes > 0) || n < s->values.n)
        return;
    c->work_method = LAMP_RATE_HASH_VALUE;
    c->work = n * hashes;
    c->work_squares = n * hashes * hashes;
    c->work_shares = n;
    c->hash_values = s->values.n;
    c->difficulty = hashes;
}

void lamp_session_refresh(struct lamp_session *s)
{
    struct lamp_conn *c = &s->conn;
    lamp_session_identify(s);
    c->difficulty = s->current.difficulty > 0 ? s->current.difficulty : s->current.hashes;

    const double per_difficulty = s->algorithm ? s->algorithm->hashes_per_diff1 : 0;
    const struct lamp_work *w = s->pool_spoke ? &s->accepted : &s->submitted;
    const double work = w->hashes + (per_difficulty > 0 ? w->difficulty * per_difficulty : 0);
    const uint32_t n = w->by_hashes + (per_difficulty > 0 ? w->by_difficulty : 0);
    if (n > c->work_shares || (n > 0 && c->work_method == LAMP_RATE_HASH_VALUE)) {
        c->work_method = LAMP_RATE_SHARES; /* what was counted is not taken back */
        c->work = work;
        c->work_squares =
            w->hashes_squares + w->difficulty_squares * per_difficulty * per_difficulty;
        c->work_shares = n;
    } else if (n == 0) {
        work_by_values(s);
    }
}
