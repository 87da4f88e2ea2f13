/* SPDX-License-Identifier: Apache-2.0 */
/* The eth-proxy form of Ethash pools, with the fixed ids of Claymore's miners (detection
 * reference 1.3 a). */
#include "tests/support/poolsim/family.h"

enum { ID_LOGIN = 2, ID_WORK = 3, ID_SHARE = 4, ID_HASHRATE = 6, TARGET_TAIL = 48 };

/* The top 64 bits of 2^256 / difficulty; the digits below are zero. */
static uint64_t target_top(double difficulty)
{
    const double t = 18446744073709551616.0 / difficulty;
    return t >= 18446744073709549568.0 ? UINT64_MAX : (uint64_t)t;
}

static double work(double difficulty)
{
    return 18446744073709551616.0 / (double)target_top(difficulty);
}

static void send_work(struct sim_pool *p, int id, struct sim_out *out)
{
    /* The header hash is the job's name, so it must not change when work is asked for again. */
    struct lamp_rng job = { p->job };
    char header[65], seed[65], tail[TARGET_TAIL + 1];
    lamp_rng_hex(&job, 64, header);
    lamp_rng_hex(&(struct lamp_rng){ 1 }, 64, seed);
    memset(tail, '0', TARGET_TAIL);
    tail[TARGET_TAIL] = '\0';
    sim_line(out, "{\"id\":%d,\"jsonrpc\":\"2.0\",\"result\":[\"0x%s\",\"0x%s\",\"0x%016llx%s\"]}",
             id, header, seed, (unsigned long long)target_top(p->difficulty), tail);
}

static void pool_job(struct sim_pool *p, bool clean, struct sim_out *out)
{
    (void)clean;
    send_work(p, 0, out);
}

static void pool_line(struct sim_pool *p, const json_t *msg, struct sim_out *out)
{
    const char *method = sim_str(msg, "method");
    const json_t *params = json_object_get(msg, "params");
    const int id = (int)json_integer_value(json_object_get(msg, "id"));

    if (streq(method, "eth_submitLogin")) {
        const char *user = json_string_value(json_array_get(params, 0));
        sim_copy(p->user, sizeof(p->user), user ? user : "");
        p->authorised = true;
        p->job++;
        sim_line(out, "{\"id\":%d,\"jsonrpc\":\"2.0\",\"result\":true}", id);
    } else if (streq(method, "eth_getWork")) {
        if (p->jobs == 0)
            p->jobs = 1;
        send_work(p, id, out);
    } else if (streq(method, "eth_submitHashrate")) {
        sim_line(out, "{\"id\":%d,\"jsonrpc\":\"2.0\",\"result\":true}", id);
    } else {
        const bool ok = streq(method, "eth_submitWork") && sim_pool_judge(p);
        sim_line(out, "{\"id\":%d,\"jsonrpc\":\"2.0\",\"result\":%s}", id, ok ? "true" : "false");
    }
}

static void ask_work(struct sim_out *out)
{
    sim_line(out,
             "{\"worker\": \"\", \"jsonrpc\": \"2.0\", \"params\": [], \"id\": %d, "
             "\"method\": \"eth_getWork\"}",
             ID_WORK);
}

static void client_hello(struct sim_client *c, struct sim_out *out)
{
    /* WALLET/WORKER or WALLET.WORKER; the worker key repeats the name. */
    const char *slash = strpbrk(c->user, "./");
    sim_line(out,
             "{\"worker\": \"%s\", \"jsonrpc\": \"2.0\", \"params\": [\"%s\", \"%s\"], \"id\": %d, "
             "\"method\": \"eth_submitLogin\"}",
             slash ? slash + 1 : "eth1.0", c->user, c->password, ID_LOGIN);
}

static void take_work(struct sim_client *c, const json_t *result)
{
    const char *header = json_string_value(json_array_get(result, 0));
    const char *target = json_string_value(json_array_get(result, 2));
    if (!header || !target || strlen(target) != 66)
        return;
    char top[17];
    sim_copy(top, sizeof(top), target + 2);
    const uint64_t value = strtoull(top, NULL, 16);
    if (value == 0)
        return;
    c->jobs++;
    sim_copy(c->job, sizeof(c->job), header);
    c->difficulty = c->work = 18446744073709551616.0 / (double)value;
}

static void client_line(struct sim_client *c, const json_t *msg, struct sim_out *out)
{
    const json_t *result = json_object_get(msg, "result");
    const json_int_t id = json_integer_value(json_object_get(msg, "id"));

    if (json_is_array(result)) {
        take_work(c, result);
    } else if (id == ID_LOGIN) {
        c->logged_in = json_is_true(result);
        ask_work(out);
    } else if (id == ID_SHARE) {
        sim_client_answered(c, json_is_true(result));
    }
}

static void client_share(struct sim_client *c, struct sim_out *out)
{
    char nonce[17], mix[65];
    lamp_rng_hex(&c->rng, 16, nonce);
    lamp_rng_hex(&c->rng, 64, mix);
    const char *slash = strpbrk(c->user, "./");
    sim_line(out,
             "{\"worker\": \"%s\", \"jsonrpc\": \"2.0\", \"params\": [\"0x%s\", \"%s\", \"0x%s\"], "
             "\"id\": %d, \"method\": \"eth_submitWork\"}",
             slash ? slash + 1 : "eth1.0", nonce, c->job, mix, ID_SHARE);
}

static void client_idle(struct sim_client *c, double hashrate, struct sim_out *out)
{
    ask_work(out);
    if (hashrate < 1)
        return;
    char rig[65];
    lamp_rng_hex(&(struct lamp_rng){ strlen(c->user) }, 64, rig);
    sim_line(out,
             "{\"worker\": \"\", \"jsonrpc\": \"2.0\", \"params\": [\"0x%llx\", \"0x%s\"], "
             "\"id\": %d, \"method\": \"eth_submitHashrate\"}",
             (unsigned long long)hashrate, rig, ID_HASHRATE);
}

const struct sim_family sim_ethproxy = {
    .name = "eth-proxy",
    .default_difficulty = 4e9,
    .pool_line = pool_line,
    .pool_job = pool_job,
    .client_hello = client_hello,
    .client_line = client_line,
    .client_share = client_share,
    .client_idle = client_idle,
    .work = work,
};
