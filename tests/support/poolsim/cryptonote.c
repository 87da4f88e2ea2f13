/* SPDX-License-Identifier: Apache-2.0 */
/* CryptoNote pools as xmrig speaks to them, RandomX (detection reference 1.4). */
#include "tests/support/poolsim/family.h"

#include "common/text.h"

enum { ID_LOGIN = 1, ID_KEEPALIVE = 2, ID_FIRST_SHARE = 3, BLOB_DIGITS = 152, HEIGHT = 3100000 };

/* The 32-bit target of a difficulty, as a pool rounds it. */
static uint32_t target_of(double difficulty)
{
    const double t = 4294967295.0 / difficulty;
    return t >= 4294967295.0 ? UINT32_MAX : (uint32_t)t;
}

static double work(double difficulty)
{
    return 4294967295.0 / target_of(difficulty);
}

static void pool_job_object(struct sim_pool *p, char *buf, size_t size)
{
    char blob[BLOB_DIGITS + 1], seed_hash[65];
    const uint32_t t = target_of(p->difficulty);
    lamp_rng_hex(&p->rng, BLOB_DIGITS, blob);
    lamp_rng_hex(&p->rng, 64, seed_hash);
    memcpy(blob, "1010", 4);
    snprintf(buf, size,
             "{\"blob\":\"%s\",\"job_id\":\"%012llx\",\"target\":\"%02x%02x%02x%02x\","
             "\"algo\":\"rx/0\",\"height\":%llu,\"seed_hash\":\"%s\"}",
             blob, (unsigned long long)p->job, t & 0xff, t >> 8 & 0xff, t >> 16 & 0xff, t >> 24,
             (unsigned long long)(HEIGHT + p->jobs), seed_hash);
}

static void pool_job(struct sim_pool *p, bool clean, struct sim_out *out)
{
    (void)clean;
    char job[512];
    pool_job_object(p, job, sizeof(job));
    sim_line(out, "{\"jsonrpc\":\"2.0\",\"method\":\"job\",\"params\":%s}", job);
}

static void pool_login(struct sim_pool *p, long long id, const json_t *params, struct sim_out *out)
{
    char job[512];
    sim_copy(p->user, sizeof(p->user), sim_str(params, "login"));
    p->authorised = true;
    p->job++;
    p->jobs++;
    pool_job_object(p, job, sizeof(job));
    sim_line(out,
             "{\"id\":%lld,\"jsonrpc\":\"2.0\",\"error\":null,\"result\":{\"id\":\"%s\",\"job\":%s,"
             "\"extensions\":[\"algo\",\"nicehash\",\"connect\",\"tls\",\"keepalive\"],"
             "\"status\":\"OK\"}}",
             id, p->session, job);
}

static void pool_line(struct sim_pool *p, const json_t *msg, struct sim_out *out)
{
    const char *method = sim_str(msg, "method");
    const json_t *params = json_object_get(msg, "params");
    const long long id = json_integer_value(json_object_get(msg, "id"));

    if (streq(method, "login")) {
        pool_login(p, id, params, out);
    } else if (streq(method, "keepalived")) {
        sim_line(out,
                 "{\"id\":%lld,\"jsonrpc\":\"2.0\",\"error\":null,"
                 "\"result\":{\"status\":\"KEEPALIVED\"}}",
                 id);
    } else if (streq(method, "submit") && sim_pool_judge(p)) {
        sim_line(out,
                 "{\"id\":%lld,\"jsonrpc\":\"2.0\",\"error\":null,\"result\":{\"status\":\"OK\"}}",
                 id);
    } else {
        sim_line(out,
                 "{\"id\":%lld,\"jsonrpc\":\"2.0\",\"error\":{\"code\":-1,\"message\":\"%s\"}}", id,
                 streq(method, "submit") ? "Low difficulty share" : "Invalid method");
    }
}

static void client_hello(struct sim_client *c, struct sim_out *out)
{
    c->next_id = ID_FIRST_SHARE;
    /* The worker travels as rigid where the user says WALLET.WORKER, as xmrig's --rig-id does. */
    const char *dot = strchr(c->user, '.');
    sim_line(out,
             "{\"id\":%d,\"jsonrpc\":\"2.0\",\"method\":\"login\",\"params\":{\"login\":\"%s\","
             "\"pass\":\"%s\",\"agent\":\"%s\"%s%s%s,\"algo\":[\"cn/1\",\"cn/2\",\"cn/r\","
             "\"cn/fast\",\"cn/half\",\"cn/xao\",\"cn/rto\",\"cn/rwz\",\"cn/zls\",\"cn/double\","
             "\"cn-lite/1\",\"cn-heavy/0\",\"cn-heavy/tube\",\"cn-heavy/xhv\",\"cn-pico\","
             "\"cn-pico/tlo\",\"rx/0\",\"rx/wow\",\"rx/arq\",\"rx/sfx\",\"rx/keva\"]}}",
             ID_LOGIN, c->user, c->password, c->agent, dot ? ",\"rigid\":\"" : "",
             dot ? dot + 1 : "", dot ? "\"" : "");
}

static void take_job(struct sim_client *c, const json_t *job)
{
    const char *target = sim_str(job, "target");
    uint8_t t[4];
    size_t len;
    if (lamp_hex_decode(target, strlen(target), t, sizeof(t), &len) || len != 4)
        return;
    const uint32_t value =
        (uint32_t)t[0] | (uint32_t)t[1] << 8 | (uint32_t)t[2] << 16 | (uint32_t)t[3] << 24;
    if (value == 0)
        return;
    sim_copy(c->job, sizeof(c->job), sim_str(job, "job_id"));
    c->difficulty = c->work = 4294967295.0 / value;
    c->jobs++;
}

static void client_line(struct sim_client *c, const json_t *msg, struct sim_out *out)
{
    (void)out;
    const json_t *result = json_object_get(msg, "result");
    const json_int_t id = json_integer_value(json_object_get(msg, "id"));

    if (streq(sim_str(msg, "method"), "job")) {
        take_job(c, json_object_get(msg, "params"));
    } else if (id == ID_LOGIN) {
        c->logged_in = json_is_object(result);
        sim_copy(c->session, sizeof(c->session), sim_str(result, "id"));
        take_job(c, json_object_get(result, "job"));
    } else if (id != ID_KEEPALIVE) {
        sim_client_answered(c, streq(sim_str(result, "status"), "OK"));
    }
}

static void client_share(struct sim_client *c, struct sim_out *out)
{
    char nonce[9], hash[49];
    /* The last 8 bytes of the hash, read little-endian, are below 2^64 / difficulty. */
    const uint64_t tail = (uint64_t)(lamp_rng_unit(&c->rng) * (18446744073709551615.0 / c->work));
    lamp_rng_hex(&c->rng, 8, nonce);
    lamp_rng_hex(&c->rng, 48, hash);
    sim_line(out,
             "{\"id\":%llu,\"jsonrpc\":\"2.0\",\"method\":\"submit\",\"params\":{\"id\":\"%s\","
             "\"job_id\":\"%s\",\"nonce\":\"%s\",\"result\":\"%s%016llx\",\"algo\":\"rx/0\"}}",
             (unsigned long long)c->next_id++, c->session, c->job, nonce, hash,
             (unsigned long long)__builtin_bswap64(tail));
}

static void client_idle(struct sim_client *c, double hashrate, struct sim_out *out)
{
    (void)hashrate;
    sim_line(out,
             "{\"id\":%d,\"jsonrpc\":\"2.0\",\"method\":\"keepalived\",\"params\":{\"id\":\"%s\"}}",
             ID_KEEPALIVE, c->session);
}

const struct sim_family sim_cryptonote = {
    .name = "cryptonote",
    .default_difficulty = 50000,
    .pool_line = pool_line,
    .pool_job = pool_job,
    .client_hello = client_hello,
    .client_line = client_line,
    .client_share = client_share,
    .client_idle = client_idle,
    .work = work,
};
