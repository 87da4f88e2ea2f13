/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/catalogue/dialect.h"

#include "common/text.h"
#include "common/version.h"

#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <strings.h>

#define AGENT "davylamp-probe/" LAMP_VERSION

/* What a positive answer to a request looks like. */
enum shape {
    SHAPE_SUBSCRIBE, /* an array: [.., "extranonce", size], [true, "EthereumStratum/1.0.0"] */
    SHAPE_LOGIN,     /* an object with a job, or an id and a status */
    SHAPE_TRUE,      /* true, or "ok" */
    SHAPE_HELLO,     /* an object with proto, or an array with a protocol's name */
    SHAPE_TEMPLATE,  /* an object: previousblockhash, or blocktemplate_blob */
    SHAPE_WORK,      /* an object: midstate or data and target; an array of 0x… */
};

struct lamp_dialect {
    const char *family;
    const char *protocols; /* of the catalogue, '|'-separated */
    enum shape shape;
    const char *path; /* over HTTP; NULL: lines */
    const char *form; /* $I: number, $A: agent, $H: host, $P: port */
};

#define ZEROS8 "00000000"
#define ZEROS64 ZEROS8 ZEROS8 ZEROS8 ZEROS8 ZEROS8 ZEROS8 ZEROS8 ZEROS8

static const struct lamp_dialect lines[] = {
    { "stratum-v1", "stratum-v1|kawpow-stratum|conflux-stratum|nervos-stratum", SHAPE_SUBSCRIBE,
      NULL, "{\"id\":$I,\"method\":\"mining.subscribe\",\"params\":[\"$A\"]}\n" },
    { "cryptonote", "cryptonote|randomx", SHAPE_LOGIN, NULL,
      "{\"id\":$I,\"jsonrpc\":\"2.0\",\"method\":\"login\",\"params\":{\"login\":\"x\",\"pass\":"
      "\"x\",\"agent\":\"$A\"}}\n" },
    { "eth-proxy", "eth-proxy", SHAPE_TRUE, NULL,
      "{\"id\":$I,\"jsonrpc\":\"2.0\",\"worker\":\"probe\",\"method\":\"eth_submitLogin\","
      "\"params\":[\"0x" ZEROS8 ZEROS8 ZEROS8 ZEROS8 ZEROS8 "\",\"x\"]}\n" },
    { "ethereum-stratum", "ethereum-stratum|kaspa-stratum", SHAPE_SUBSCRIBE, NULL,
      "{\"id\":$I,\"method\":\"mining.subscribe\",\"params\":[\"$A\",\"EthereumStratum/"
      "1.0.0\"]}\n" },
    { "ethereum-stratum-2", "ethereum-stratum-2", SHAPE_HELLO, NULL,
      "{\"id\":$I,\"method\":\"mining.hello\",\"params\":{\"agent\":\"$A\",\"host\":\"$H\","
      "\"port\":\"$P\",\"proto\":\"EthereumStratum/2.0.0\"}}\n" },
    { "zcash-stratum", "zcash-stratum", SHAPE_SUBSCRIBE, NULL,
      "{\"id\":$I,\"method\":\"mining.subscribe\",\"params\":[\"$A\",null,\"$H\",\"$P\"]}\n" },
    { "alephium-stratum", "alephium-stratum", SHAPE_HELLO, NULL,
      "{\"id\":$I,\"method\":\"mining.hello\",\"params\":[\"$A\",\"AlephiumStratum/1.0.0\"]}\n" },
    { "beam-stratum", "beam-stratum", SHAPE_TRUE, NULL,
      "{\"method\":\"login\",\"api_key\":\"x\",\"id\":\"login\",\"jsonrpc\":\"2.0\"}\n" },
    { "grin-stratum", "grin-stratum|epic-stratum", SHAPE_TRUE, NULL,
      "{\"id\":\"$I\",\"jsonrpc\":\"2.0\",\"method\":\"login\",\"params\":{\"login\":\"x\","
      "\"pass\":\"x\",\"agent\":\"$A\"}}\n" },
    { "ironfish-stratum", "ironfish-stratum", SHAPE_LOGIN, NULL,
      "{\"id\":$I,\"method\":\"mining.subscribe\",\"body\":{\"version\":2,\"agent\":\"$A\","
      "\"publicAddress\":\"" ZEROS64 "\",\"name\":\"probe\"}}\n" },
};

static const struct lamp_dialect https[] = {
    { "getblocktemplate", "getblocktemplate", SHAPE_TEMPLATE, "/",
      "{\"id\":$I,\"method\":\"getblocktemplate\",\"params\":[{\"rules\":[\"segwit\"]}]}" },
    { "getwork", "getwork", SHAPE_WORK, "/", "{\"id\":$I,\"method\":\"getwork\",\"params\":[]}" },
    { "getblocktemplate-cryptonote", "getblocktemplate-cryptonote", SHAPE_TEMPLATE, "/json_rpc",
      "{\"id\":$I,\"jsonrpc\":\"2.0\",\"method\":\"getblocktemplate\",\"params\":"
      "{\"wallet_address\":\"x\",\"reserve_size\":8}}" },
    { "eth-getwork", "eth-getwork", SHAPE_WORK, "/",
      "{\"id\":$I,\"jsonrpc\":\"2.0\",\"method\":\"eth_getWork\",\"params\":[]}" },
};

static bool has_protocol(const struct lamp_dialect *d, const char *protocol)
{
    const size_t len = strlen(protocol);
    for (const char *p = d->protocols; len > 0 && *p;) {
        const size_t n = strcspn(p, "|");
        if (n == len && strncmp(p, protocol, n) == 0)
            return true;
        p += n + (p[n] == '|');
    }
    return false;
}

bool lamp_dialect_is_http(const char *protocol)
{
    for (size_t i = 0; i < ARRAY_LEN(https); i++)
        if (has_protocol(&https[i], protocol))
            return true;
    return false;
}

size_t lamp_dialects_for(const char *protocol, bool http,
                         const struct lamp_dialect *out[LAMP_DIALECT_TRIES])
{
    const struct lamp_dialect *all = http ? https : lines;
    const size_t n_all = http ? ARRAY_LEN(https) : ARRAY_LEN(lines);
    size_t n = 0;
    for (size_t i = 0; i < n_all && n == 0; i++)
        if (has_protocol(&all[i], protocol))
            out[n++] = &all[i];
    for (size_t i = 0; i < n_all && n < LAMP_DIALECT_TRIES; i++)
        if (n == 0 || &all[i] != out[0])
            out[n++] = &all[i];
    return n;
}

const char *lamp_dialect_family(const struct lamp_dialect *d)
{
    return d->family;
}

/* ---- asking ---- */

size_t lamp_dialect_request(const struct lamp_dialect *d, unsigned id, const char *host,
                            uint16_t port, char out[LAMP_DIALECT_REQUEST])
{
    char body[LAMP_DIALECT_REQUEST - 400], number[12], port_text[8];
    size_t n = 0;
    snprintf(number, sizeof(number), "%u", id);
    snprintf(port_text, sizeof(port_text), "%u", port);
    for (const char *f = d->form; *f; f++) {
        const char one[2] = { *f, '\0' };
        const char *text = one;
        if (*f == '$') {
            f++;
            text = *f == 'I' ? number : *f == 'A' ? AGENT : *f == 'H' ? host : port_text;
        }
        n += (size_t)snprintf(body + n, sizeof(body) - n, "%s", text);
        n = lamp_min(n, sizeof(body) - 1);
    }
    if (!d->path)
        return (size_t)snprintf(out, LAMP_DIALECT_REQUEST, "%s", body);
    return (size_t)snprintf(out, LAMP_DIALECT_REQUEST,
                            "POST %s HTTP/1.1\r\nHost: %.253s:%u\r\nUser-Agent: %s\r\n"
                            "Content-Type: application/json\r\nContent-Length: %zu\r\n"
                            "Connection: close\r\n\r\n%s",
                            d->path, host, port, AGENT, n, body);
}

/* ---- reading ---- */

static void say(char *out, size_t size, const char *prefix, const char *text)
{
    char safe[200];
    lamp_text_utf8((const uint8_t *)text, lamp_min(strlen(text), 100), safe, sizeof(safe));
    snprintf(out, size, "%s%.100s", prefix, safe);
    /* cut at a whole character */
    size_t n = strlen(out);
    while (n > 0 && ((unsigned char)out[n - 1] & 0xc0) == 0x80)
        n--;
    if (n > 0 && (unsigned char)out[n - 1] >= 0xc0 &&
        lamp_utf8_len((const uint8_t *)out + n - 1, strlen(out + n - 1)) == 0)
        out[n - 1] = '\0';
}

/* Expected hashes of a share for a target in hex: 4 or 8 bytes little-endian as CryptoNote has it
 * (xmrig-proxy's STRATUM), or 32 bytes big-endian. 0: none of these. */
static double target_difficulty(const char *hex)
{
    uint8_t b[32];
    size_t n = 0;
    double t = 0;
    if (!hex || lamp_hex_decode(hex, strlen(hex), b, sizeof(b), &n) ||
        (n != 4 && n != 8 && n != 32))
        return 0;
    for (size_t i = 0; i < n; i++)
        t = t * 256 + b[n == 32 ? i : n - 1 - i];
    return t > 0 ? exp2(8.0 * (double)n) / t : 0;
}

static double number(const json_t *v)
{
    const double d = json_is_number(v) ? json_number_value(v) : 0;
    return d > 0 && isfinite(d) && d < 1e30 ? d : 0;
}

static double job_difficulty(const json_t *job)
{
    const double d = number(json_object_get(job, "difficulty"));
    return d > 0 ? d : target_difficulty(json_string_value(json_object_get(job, "target")));
}

static bool is_job(const json_t *o)
{
    return json_object_get(o, "blob") || json_object_get(o, "pre_pow") ||
           json_object_get(o, "job_id") || json_object_get(o, "input") ||
           json_object_get(o, "miningRequestId");
}

/* What servers send unasked. */
static bool read_push(const json_t *o, const char *method, struct lamp_dialect_reply *r)
{
    static const char *const methods[] = {
        "mining.notify",         "mining.set_difficulty",   "mining.set_target",
        "mining.set_extranonce", "mining.set_version_mask", "mining.set",
        "set_extranonce",        "mining.subscribed",       "client.get_version",
        "client.show_message",   "client.reconnect",
    };
    const json_t *params = json_object_get(o, "params");
    const json_t *first = json_array_get(params, 0);
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        known |= streq(method, methods[i]);
    const bool job = streq(method, "job") && (is_job(params) || is_job(o));
    if (!known && !job)
        return false;
    r->family = job ? "cryptonote" : "stratum-v1";
    say(r->said, sizeof(r->said), "it sent ", method);
    if (streq(method, "mining.set_difficulty"))
        r->difficulty = number(first);
    if (streq(method, "mining.set_target"))
        r->difficulty = target_difficulty(json_string_value(first));
    if (job)
        r->difficulty = job_difficulty(json_is_object(params) ? params : o);
    if (streq(method, "client.show_message") && json_is_string(first))
        say(r->banner, sizeof(r->banner), "", json_string_value(first));
    return true;
}

static bool is_hex(const json_t *v)
{
    const char *s = json_string_value(v);
    s = s && strncmp(s, "0x", 2) == 0 ? s + 2 : s;
    return s && *s && s[strspn(s, "0123456789abcdefABCDEF")] == '\0';
}

static bool names_protocol(const json_t *array, struct lamp_dialect_reply *r)
{
    size_t i;
    json_t *v;
    json_array_foreach(array, i, v)
    {
        const char *s = json_string_value(v);
        if (s && strstr(s, "Stratum/")) {
            say(r->banner, sizeof(r->banner), "", s);
            return true;
        }
        if (json_is_array(v) && names_protocol(v, r))
            return true;
    }
    return false;
}

/* [[["mining.notify", ..], ..], "extranonce", size], [null, "extranonce"], [true, "EthereumStratum.."];
 * jansson has bounded the depth. */
static bool is_subscribed(const json_t *v, struct lamp_dialect_reply *r)
{
    if (!json_is_array(v) || json_array_size(v) < 2 || json_array_size(v) > 6)
        return false;
    return names_protocol(v, r) || is_hex(json_array_get(v, 1));
}

static bool is_login(const json_t *v, struct lamp_dialect_reply *r)
{
    const json_t *job = json_object_get(v, "job");
    r->difficulty = job_difficulty(job);
    return is_job(job) || (json_object_get(v, "id") && json_object_get(v, "status")) ||
           json_object_get(v, "clientId");
}

static bool is_template(const json_t *v)
{
    return json_object_get(v, "previousblockhash") || json_object_get(v, "blocktemplate_blob");
}

static bool is_work(const json_t *v)
{
    if (json_is_array(v))
        return json_array_size(v) >= 3 && is_hex(json_array_get(v, 0)) &&
               is_hex(json_array_get(v, 1)) && is_hex(json_array_get(v, 2));
    return json_object_get(v, "target") &&
           (json_object_get(v, "data") || json_object_get(v, "midstate"));
}

static bool fits(enum shape shape, const json_t *v, struct lamp_dialect_reply *r)
{
    const char *text = json_string_value(v);
    switch (shape) {
    case SHAPE_SUBSCRIBE:
        return is_subscribed(v, r);
    case SHAPE_LOGIN:
        return is_login(v, r);
    case SHAPE_TRUE:
        return json_is_true(v) || (text && strcasecmp(text, "ok") == 0);
    case SHAPE_HELLO:
        text = json_string_value(json_object_get(v, "proto"));
        if (text)
            say(r->banner, sizeof(r->banner), "", text);
        return text != NULL || names_protocol(v, r);
    case SHAPE_TEMPLATE:
        return is_template(v);
    case SHAPE_WORK:
        return is_work(v);
    }
    return false;
}

/* The words of an error: {"message": ..}, [code, "words", ..] or "words". */
static const char *error_text(const json_t *e)
{
    const char *s = json_string_value(json_object_get(e, "message"));
    if (!s)
        s = json_string_value(json_array_get(e, 1));
    return s ? s : json_string_value(e);
}

/* Whether an error is about what only mining has. */
static bool is_mining_error(const char *text)
{
    static const char *const words[] = { "worker", "wallet",       "address", "login",
                                         "miner",  "unauthorized", "stratum", "not subscribed",
                                         "mining", "username",     "coin",    "algo" };
    char low[128];
    size_t n = 0;
    for (; text[n] && n + 1 < sizeof(low); n++)
        low[n] = (char)tolower((unsigned char)text[n]);
    low[n] = '\0';
    if (strstr(low, "method not found") || strstr(low, "unknown method") ||
        strstr(low, "no such method") || strstr(low, "parse error"))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strstr(low, words[i]))
            return true;
    return false;
}

/* Which of the requests an answer is to; NULL: none. Beam's are not numbered, and Grin's servers name
 * the method, not always the number. */
static const struct lamp_dialect *asked_by(const struct lamp_dialect *const *asked, size_t n,
                                           const json_t *id, const char *method)
{
    int64_t no = json_integer_value(id);
    const char *text = json_string_value(id);
    const char *family = text && streq(text, "login")       ? "beam-stratum"
                         : method && streq(method, "login") ? "grin-stratum"
                                                            : NULL;
    if (family) {
        for (size_t i = 0; i < n; i++)
            if (streq(asked[i]->family, family))
                return asked[i];
        return NULL;
    }
    if (text && lamp_text_int(text, 1, LAMP_DIALECT_TRIES, &no))
        return NULL;
    return no >= 1 && (size_t)no <= n ? asked[no - 1] : NULL;
}

static bool read_answer(const struct lamp_dialect *d, const json_t *o, struct lamp_dialect_reply *r)
{
    const json_t *result = json_object_get(o, "result");
    const char *text = error_text(json_object_get(o, "error"));
    const char *description = json_string_value(json_object_get(o, "description"));
    if (!text && streq(d->family, "beam-stratum") && description &&
        json_is_integer(json_object_get(o, "code")))
        text = "login";
    if (result && !json_is_null(result) && fits(d->shape, result, r)) {
        snprintf(r->said, sizeof(r->said), "it answered a %s request", d->family);
    } else if (text && is_mining_error(text)) {
        say(r->said, sizeof(r->said), "it refused: ", description ? description : text);
    } else {
        if (text)
            say(r->said, sizeof(r->said), "it says ", text);
        return false;
    }
    r->family = d->family;
    return true;
}

void lamp_dialect_read(const struct lamp_dialect *const *asked, size_t n, const char *line,
                       size_t len, struct lamp_dialect_reply *out)
{
    *out = (struct lamp_dialect_reply){ .kind = LAMP_REPLY_NOISE, .family = "" };
    if (len > LAMP_DIALECT_LINE)
        return;
    json_t *o = json_loadb(line, len, 0, NULL);
    if (json_is_object(o)) {
        const char *method = json_string_value(json_object_get(o, "method"));
        const struct lamp_dialect *d = asked_by(asked, n, json_object_get(o, "id"), method);
        out->kind = LAMP_REPLY_JSON;
        if ((method && read_push(o, method, out)) || (d && read_answer(d, o, out)))
            out->kind = LAMP_REPLY_MINING;
    }
    json_decref(o);
}
