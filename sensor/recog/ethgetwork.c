/* SPDX-License-Identifier: Apache-2.0 */
/* ethgetwork: Ethereum's getWork in HTTP bodies, as nodes and older pools offer it: the methods of
 * ethproxy.c, but the account stands in the request's target or in its Authorization:
 * "/?miner=30@0x<address>@rig", "/0x<address>/rig", "/0x<address>.rig". */
#include "sensor/recog/recog.h"

extern const struct lamp_recog lamp_recog_ethproxy;

enum { ADDRESS = 42 }; /* "0x" and 40 digits */

static bool is_in_http(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    (void)params;
    return line->in_http;
}

static struct lamp_finding judge(const struct lamp_jsonline *line)
{
    if (line->in_http)
        return lamp_recog_ethproxy.judge(line);
    return (struct lamp_finding){ .grade = LAMP_GRADE_NONE };
}

static void account_of_target(struct lamp_session *s)
{
    const char *at = strstr(s->web->target, "0x");
    if (!at || strlen(at) < ADDRESS ||
        !lamp_is_hex((struct lamp_bytes){ (const uint8_t *)at, ADDRESS }, 40))
        return;
    lamp_session_account(s, (struct lamp_bytes){ (const uint8_t *)at, ADDRESS });
    const char *rest = at + ADDRESS;
    if (!*rest || !strchr("@/.", *rest))
        return;
    rest++;
    const struct lamp_jsonvalue worker = {
        .text = { (const uint8_t *)rest, strcspn(rest, "/@?&# ") }, .type = LAMP_JSON_STRING
    };
    lamp_session_worker(s, &worker);
}

/* What the line protocol takes, and the account. */
static void take(struct lamp_session *s, const struct lamp_jsonline *line,
                 const struct lamp_jsonvalue *params)
{
    account_of_target(s);
    lamp_method_find(lamp_recog_ethproxy.methods, lamp_recog_ethproxy.n_methods, line)
        ->take(s, line, params);
}

static const struct lamp_method methods[] = {
    { LAMP_SAYS("eth_submitLogin", CERTAIN, UP, OWN), .fits = is_in_http, .take = take },
    { LAMP_SAYS("eth_login", CERTAIN, UP, OWN), .fits = is_in_http, .take = take },
    { LAMP_SAYS("eth_getWork", CERTAIN, UP, OWN), .fits = is_in_http, .take = take },
    { LAMP_SAYS("eth_submitWork", CERTAIN, UP, OWN), .fits = is_in_http, .take = take },
    { LAMP_SAYS("eth_submitHashrate", CERTAIN, UP, OWN), .fits = is_in_http, .take = take },
};

const struct lamp_recog lamp_recog_ethgetwork = {
    .name = "ethgetwork",
    .family = "eth-getwork",
    .wallet_family = "eth-proxy",
    .algorithm = "ethash",
    .http = true,
    .base = &lamp_recog_ethproxy,
    .methods = methods,
    .n_methods = ARRAY_LEN(methods),
    .judge = judge,
};
