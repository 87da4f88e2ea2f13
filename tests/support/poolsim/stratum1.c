/* SPDX-License-Identifier: Apache-2.0 */
/* Stratum v1 in the form Bitcoin pools speak (detection reference 1.1). */
#include "tests/support/poolsim/family.h"

enum { ID_SUBSCRIBE = 1, ID_AUTHORIZE = 2, ID_FIRST_SHARE = 3, EXTRANONCE2_BYTES = 4 };

static double work(double difficulty)
{
    return difficulty * 4294967296.0;
}

static void pool_retarget(struct sim_pool *p, struct sim_out *out)
{
    sim_line(out, "{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[%.15g]}",
             p->difficulty);
}

static void pool_job(struct sim_pool *p, bool clean, struct sim_out *out)
{
    char prev[65], coinb1[129], coinb2[193], merkle[11][65], ntime[9];
    lamp_rng_hex(&p->rng, 64, prev);
    lamp_rng_hex(&p->rng, 128, coinb1);
    lamp_rng_hex(&p->rng, 192, coinb2);
    for (size_t i = 0; i < ARRAY_LEN(merkle); i++)
        lamp_rng_hex(&p->rng, 64, merkle[i]);
    lamp_rng_hex(&p->rng, 8, ntime);
    sim_line(out,
             "{\"id\":null,\"method\":\"mining.notify\",\"params\":[\"%llx\",\"%s\",\"%s\",\"%s\","
             "[\"%s\",\"%s\",\"%s\",\"%s\",\"%s\",\"%s\",\"%s\",\"%s\",\"%s\",\"%s\",\"%s\"],"
             "\"20000000\",\"17034219\",\"%s\",%s]}",
             (unsigned long long)p->job, prev, coinb1, coinb2, merkle[0], merkle[1], merkle[2],
             merkle[3], merkle[4], merkle[5], merkle[6], merkle[7], merkle[8], merkle[9],
             merkle[10], ntime, clean ? "true" : "false");
}

static void pool_submit(struct sim_pool *p, long long id, const json_t *params, struct sim_out *out)
{
    const char *job = json_string_value(json_array_get(params, 1));
    const unsigned long long number = job ? strtoull(job, NULL, 16) : 0;
    if (number + 1 < p->job || number > p->job) {
        p->shares.submitted++;
        p->shares.rejected++;
        sim_line(out, "{\"id\":%lld,\"result\":null,\"error\":[21,\"Job not found\",null]}", id);
    } else if (sim_pool_judge(p)) {
        sim_line(out, "{\"id\":%lld,\"result\":true,\"error\":null}", id);
    } else {
        sim_line(out, "{\"id\":%lld,\"result\":null,\"error\":[23,\"Low difficulty share\",null]}",
                 id);
    }
}

static void pool_line(struct sim_pool *p, const json_t *msg, struct sim_out *out)
{
    const char *method = sim_str(msg, "method");
    const json_t *params = json_object_get(msg, "params");
    const long long id = json_integer_value(json_object_get(msg, "id"));

    if (streq(method, "mining.subscribe")) {
        sim_line(out,
                 "{\"id\":%lld,\"result\":[[[\"mining.set_difficulty\",\"%.16s\"],"
                 "[\"mining.notify\",\"%.16s\"]],\"%.8s\",%d],\"error\":null}",
                 id, p->session, p->session + 8, p->session + 16, EXTRANONCE2_BYTES);
    } else if (streq(method, "mining.authorize")) {
        const char *user = json_string_value(json_array_get(params, 0));
        sim_copy(p->user, sizeof(p->user), user ? user : "");
        p->authorised = true;
        sim_line(out, "{\"id\":%lld,\"result\":true,\"error\":null}", id);
        pool_retarget(p, out);
        sim_pool_job(p, true, out);
    } else if (streq(method, "mining.submit")) {
        pool_submit(p, id, params, out);
    } else {
        sim_line(out, "{\"id\":%lld,\"result\":null,\"error\":[20,\"Unknown method\",null]}", id);
    }
}

static void client_hello(struct sim_client *c, struct sim_out *out)
{
    c->next_id = ID_FIRST_SHARE;
    sim_line(out, "{\"id\":%d,\"method\":\"mining.subscribe\",\"params\":[\"%s\"]}", ID_SUBSCRIBE,
             c->agent);
}

static void client_answer(struct sim_client *c, const json_t *msg, struct sim_out *out)
{
    const json_t *result = json_object_get(msg, "result");
    const json_int_t id = json_integer_value(json_object_get(msg, "id"));

    if (id == ID_SUBSCRIBE) {
        c->extranonce2_bytes = (unsigned)json_integer_value(json_array_get(result, 2)) & 15;
        sim_line(out, "{\"id\":%d,\"method\":\"mining.authorize\",\"params\":[\"%s\",\"%s\"]}",
                 ID_AUTHORIZE, c->user, c->password);
    } else if (id == ID_AUTHORIZE) {
        c->logged_in = json_is_true(result);
    } else {
        sim_client_answered(c, json_is_true(result));
    }
}

static void client_line(struct sim_client *c, const json_t *msg, struct sim_out *out)
{
    const char *method = sim_str(msg, "method");
    const json_t *params = json_object_get(msg, "params");

    if (streq(method, "mining.set_difficulty")) {
        c->difficulty = json_number_value(json_array_get(params, 0));
    } else if (streq(method, "mining.notify")) {
        const char *job = json_string_value(json_array_get(params, 0));
        const char *ntime = json_string_value(json_array_get(params, 7));
        sim_copy(c->job, sizeof(c->job), job ? job : "");
        sim_copy(c->ntime, sizeof(c->ntime), ntime ? ntime : "00000000");
        c->work = work(c->difficulty);
        c->jobs++;
    } else if (json_is_integer(json_object_get(msg, "id"))) {
        client_answer(c, msg, out);
    }
}

static void client_share(struct sim_client *c, struct sim_out *out)
{
    char extranonce2[33], nonce[9];
    lamp_rng_hex(&c->rng, 2 * c->extranonce2_bytes, extranonce2);
    lamp_rng_hex(&c->rng, 8, nonce);
    sim_line(out,
             "{\"id\":%llu,\"method\":\"mining.submit\","
             "\"params\":[\"%s\",\"%s\",\"%s\",\"%s\",\"%s\"]}",
             (unsigned long long)c->next_id++, c->user, c->job, extranonce2, c->ntime, nonce);
}

const struct sim_family sim_stratum1 = {
    .name = "stratum-v1",
    .default_difficulty = 65536,
    .pool_line = pool_line,
    .pool_job = pool_job,
    .pool_retarget = pool_retarget,
    .client_hello = client_hello,
    .client_line = client_line,
    .client_share = client_share,
    .work = work,
};
