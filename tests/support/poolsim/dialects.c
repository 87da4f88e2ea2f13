/* SPDX-License-Identifier: Apache-2.0 */
/* The families whose two ends differ in nothing but their words: a table of message templates, one row
 * a family, and one pair of ends that speaks them (detection reference 1.3 to 1.7). A template is
 * JSON, one line a message, in which a % stands before
 *   i  the number of the message         j  the job's name      c  whether it is a clean one
 *   u  the user   U  the wallet in it    W  the worker in it    a  the agent   p  the password
 *   d  the difficulty, as a number       t  as a target         b  as a decimal target
 *   k  packed as Beam does               n  a random number     Nh N random hex digits */
#include "tests/support/poolsim/family.h"

#include <math.h>
#include <stdio.h>

enum { ID_FIRST_SHARE = 10, TEMPLATE_BYTES = 8192, REPLIES = 4 };

#define TWO_TO_32 4294967296.0

/* What the difficulty in a message is. */
enum unit {
    UNIT_NONE,   /* no number of hashes */
    UNIT_HASHES, /* expected hashes of a share */
    UNIT_2_32,   /* 2^32 of them */
    UNIT_TARGET, /* a share's hash is at most this: hex digits */
    UNIT_DECIMAL,
    UNIT_PACKED,
};

struct reply {
    const char *method;
    const char *line; /* NULL: silence */
};

struct dialect {
    struct sim_family family; /* first: what the ends know of it */
    const char *hello;        /* what a miner begins with */
    struct reply replies[REPLIES];
    const char *login;   /* after the reply to this method the pool sends jobs */
    const char *user_at; /* in it */
    const char *poll;    /* this one is answered by a job; NULL: none is */
    const char *job, *polled_job, *set_difficulty, *submit, *yes, *no;
    const char *idle;                                /* what a miner says now and then; or NULL */
    const char *job_method, *job_at, *difficulty_in; /* where a miner finds these */
    const char *difficulty_at, *submit_method;
    const char *answer;    /* method of an answer to a share; NULL: it has none */
    const char *polled_at; /* what an answer with work has, and the job's name; NULL: see job_at */
    const char *on, *then; /* what a miner says to a message of that name; or NULL */
    bool null_is_yes;
    enum unit unit;
};

static const struct dialect *dialect_of(const struct sim_family *family)
{
    return (const struct dialect *)(const void *)family;
}

/* ---- templates ---- */

struct values {
    struct lamp_rng *rng;
    unsigned long long id;
    const char *user, *agent, *password, *job;
    double difficulty;
    bool clean;
};

static unsigned packed(double difficulty)
{
    int exponent;
    const double mantissa = frexp(difficulty, &exponent); /* 0.5 to 1 */
    return (unsigned)(exponent - 1) << 24 |
           ((unsigned)(mantissa * (1 << 25) + 0.5) & ((1u << 24) - 1));
}

static double unpacked(double number)
{
    const unsigned p = (unsigned)number;
    return ldexp((1u << 24) | (p & ((1u << 24) - 1)), (int)(p >> 24) - 24);
}

/* The target as 64 digits, of which the first 16 count. */
static void put_target(double difficulty, char out[65])
{
    const double top = 18446744073709551616.0 / difficulty;
    snprintf(out, 65, "%016llx%048d",
             top >= 18446744073709549568.0 ? ~0ull : (unsigned long long)top, 0);
}

/* What stands for one letter; text has room for TEMPLATE_BYTES. */
static void put_value(const struct values *v, char letter, unsigned count, char *text)
{
    const size_t wallet = strcspn(v->user, ".");
    switch (letter) {
    case 'i':
        snprintf(text, TEMPLATE_BYTES, "%llu", v->id);
        break;
    case 'j':
        snprintf(text, TEMPLATE_BYTES, "%s", v->job);
        break;
    case 'c':
        snprintf(text, TEMPLATE_BYTES, "%s", v->clean ? "true" : "false");
        break;
    case 'u':
        snprintf(text, TEMPLATE_BYTES, "%s", v->user);
        break;
    case 'U':
        snprintf(text, TEMPLATE_BYTES, "%.*s", (int)wallet, v->user);
        break;
    case 'W':
        snprintf(text, TEMPLATE_BYTES, "%s", v->user + wallet + (v->user[wallet] == '.'));
        break;
    case 'a':
        snprintf(text, TEMPLATE_BYTES, "%s", v->agent);
        break;
    case 'p':
        snprintf(text, TEMPLATE_BYTES, "%s", v->password);
        break;
    case 'd':
        snprintf(text, TEMPLATE_BYTES, "%.15g", v->difficulty);
        break;
    case 't':
        put_target(v->difficulty, text);
        break;
    case 'b':
        snprintf(text, TEMPLATE_BYTES, "%.0f", ldexp(1, 256) / v->difficulty);
        break;
    case 'k':
        snprintf(text, TEMPLATE_BYTES, "%u", packed(v->difficulty));
        break;
    case 'n':
        snprintf(text, TEMPLATE_BYTES, "%llu", (unsigned long long)lamp_rng_u64(v->rng) >> 2);
        break;
    default: /* h */
        lamp_rng_hex(v->rng, count, text);
    }
}

/* Says the lines of a template. */
static void say(const char *template, struct values v, struct sim_out *out)
{
    char line[TEMPLATE_BYTES], value[TEMPLATE_BYTES];
    size_t n = 0;
    for (const char *p = template; p && *p; p++) {
        if (*p == '\n') {
            sim_line(out, "%.*s", (int)n, line);
            n = 0;
            v.id++;
            continue;
        }
        if (*p != '%') {
            line[n++] = *p;
            continue;
        }
        char *end;
        const unsigned count = (unsigned)strtoul(p + 1, &end, 10);
        p = end;
        put_value(&v, *p, count, value);
        n += (size_t)snprintf(line + n, sizeof(line) - n, "%s", value);
    }
    if (n)
        sim_line(out, "%.*s", (int)n, line);
}

/* The value at a path such as "params.0.jobId". */
static const json_t *at(const json_t *v, const char *path)
{
    while (v && path && *path) {
        char step[32];
        const size_t n = strcspn(path, ".");
        snprintf(step, sizeof(step), "%.*s", (int)n, path);
        v = json_is_array(v) ? json_array_get(v, strtoul(step, NULL, 10))
                             : json_object_get(v, step);
        path += n + (path[n] == '.');
    }
    return v;
}

/* The method or type, or the id where a family has none. */
static void method_of(const json_t *msg, char out[SIM_TEXT])
{
    const json_t *id = json_object_get(msg, "id");
    snprintf(out, SIM_TEXT, "%s", sim_str(msg, "method"));
    if (!*out)
        snprintf(out, SIM_TEXT, "%s", sim_str(msg, "type"));
    if (!*out && json_is_integer(id) && !json_object_get(msg, "result"))
        snprintf(out, SIM_TEXT, "%lld", (long long)json_integer_value(id));
}

/* ---- the pool ---- */

static struct values pool_values(struct sim_pool *p, const json_t *id, char job[32])
{
    snprintf(job, 32, "%llu", (unsigned long long)p->job);
    return (struct values){ .rng = &p->rng,
                            .id = (unsigned long long)json_integer_value(id),
                            .user = p->user,
                            .agent = "",
                            .password = "",
                            .job = job,
                            .difficulty = p->difficulty };
}

static void pool_retarget(struct sim_pool *p, struct sim_out *out)
{
    char job[32];
    say(dialect_of(p->family)->set_difficulty, pool_values(p, NULL, job), out);
}

static void pool_job(struct sim_pool *p, bool clean, struct sim_out *out)
{
    char job[32];
    struct values v = pool_values(p, NULL, job);
    v.clean = clean;
    say(dialect_of(p->family)->job, v, out);
}

static void pool_submit(struct sim_pool *p, const json_t *msg, struct sim_out *out)
{
    const struct dialect *d = dialect_of(p->family);
    char job[32];
    struct values v = pool_values(p, json_object_get(msg, "id"), job);
    v.job = sim_str(msg, "id"); /* Beam names the job instead of numbering the message */
    say(sim_pool_judge(p) ? d->yes : d->no, v, out);
}

static void pool_line(struct sim_pool *p, const json_t *msg, struct sim_out *out)
{
    const struct dialect *d = dialect_of(p->family);
    char method[SIM_TEXT], job[32];
    method_of(msg, method);
    /* getwork asks and submits by the same name */
    const bool submits = streq(method, d->submit_method) &&
                         (!d->poll || !streq(method, d->poll) || at(msg, "params.0"));
    if (submits) {
        pool_submit(p, msg, out);
        return;
    }
    for (size_t i = 0; i < REPLIES; i++)
        if (d->replies[i].method && streq(method, d->replies[i].method))
            say(d->replies[i].line, pool_values(p, json_object_get(msg, "id"), job), out);
    if (d->poll && streq(method, d->poll)) {
        p->job++;
        p->jobs++;
        say(d->polled_job, pool_values(p, json_object_get(msg, "id"), job), out);
    }
    if (streq(method, d->login)) {
        const char *user = json_string_value(at(msg, d->user_at));
        sim_copy(p->user, sizeof(p->user), user ? user : "");
        p->authorised = true;
        pool_retarget(p, out);
        if (!d->poll)
            sim_pool_job(p, true, out);
    }
}

/* ---- the miner ---- */

static struct values client_values(struct sim_client *c)
{
    return (struct values){ .rng = &c->rng,
                            .id = c->next_id,
                            .user = c->user,
                            .agent = c->agent,
                            .password = c->password,
                            .job = c->job,
                            .difficulty = c->difficulty };
}

static void client_hello(struct sim_client *c, struct sim_out *out)
{
    say(dialect_of(c->family)->hello, client_values(c), out);
    c->next_id = ID_FIRST_SHARE;
}

static double hashes(enum unit unit, const json_t *v)
{
    char text[96];
    const double number = json_number_value(v);
    const char *string = json_string_value(v) ? json_string_value(v) : "0";
    switch (unit) {
    case UNIT_2_32:
        return number * TWO_TO_32;
    case UNIT_PACKED:
        return unpacked(number);
    case UNIT_TARGET:
        snprintf(text, sizeof(text), "0x%s", string + (strncmp(string, "0x", 2) == 0 ? 2 : 0));
        return ldexp(1, 256) / strtod(text, NULL);
    case UNIT_DECIMAL:
        return ldexp(1, 256) / strtod(string, NULL);
    default:
        return number;
    }
}

static void take_difficulty(struct sim_client *c, const json_t *value)
{
    const enum unit unit = dialect_of(c->family)->unit;
    if (value)
        c->difficulty = unit == UNIT_2_32 ? json_number_value(value) : hashes(unit, value);
}

static void take_job(struct sim_client *c, const json_t *job)
{
    const enum unit unit = dialect_of(c->family)->unit;
    if (json_is_integer(job))
        snprintf(c->job, sizeof(c->job), "%lld", (long long)json_integer_value(job));
    else
        sim_copy(c->job, sizeof(c->job), json_string_value(job) ? json_string_value(job) : "");
    c->work = unit == UNIT_2_32 ? c->difficulty * TWO_TO_32 : c->difficulty;
    if (unit == UNIT_NONE)
        c->work = 1;
    c->jobs++;
}

/* true, "ok", ["true"], Beam's code 1, or nothing but an id. */
static bool is_yes(const struct dialect *d, const json_t *msg)
{
    const json_t *result = json_object_get(msg, "result");
    if (d->null_is_yes)
        return json_is_null(result);
    const json_t *code = json_object_get(msg, "code");
    const json_t *body = json_object_get(msg, "body");
    if (body)
        result = json_object_get(body, "result");
    if (json_is_array(result))
        result = json_array_get(result, 0);
    const char *word = json_string_value(result);
    if (code)
        return json_integer_value(code) == 1;
    if (json_is_object(result))
        return streq(sim_str(result, "status"), "OK");
    if (!result)
        return !json_object_get(msg, "error");
    return json_is_true(result) || (word && (streq(word, "ok") || streq(word, "true")));
}

static bool is_answer(const struct dialect *d, const json_t *msg)
{
    const json_t *id = json_object_get(msg, "id");
    char method[SIM_TEXT];
    method_of(msg, method);
    if (d->answer)
        return streq(method, d->answer) && !streq(sim_str(msg, "id"), "login");
    return !json_object_get(msg, "method") &&
           (json_integer_value(id) >= ID_FIRST_SHARE ||
            (*d->submit_method == '4' && json_integer_value(id) == 4));
}

static void client_line(struct sim_client *c, const json_t *msg, struct sim_out *out)
{
    const struct dialect *d = dialect_of(c->family);
    char method[SIM_TEXT];
    method_of(msg, method);
    c->logged_in = true;
    const json_t *work = d->polled_at ? at(msg, d->polled_at) : NULL;
    if (work) {
        take_job(c, work);
        return;
    }
    if (d->on && streq(method, d->on))
        say(d->then, client_values(c), out);
    if (is_answer(d, msg)) {
        sim_client_answered(c, is_yes(d, msg));
        return;
    }
    const bool polled = d->poll && streq(method, d->poll);
    if (d->difficulty_in && streq(method, d->difficulty_in))
        take_difficulty(c, at(msg, d->difficulty_at));
    if (polled) /* the members stand in the result then */
        take_difficulty(c, at(msg, "result.difficulty"));
    if (polled || streq(method, d->job_method))
        take_job(c, polled ? at(msg, "result.job_id") : at(msg, d->job_at));
}

static void client_share(struct sim_client *c, struct sim_out *out)
{
    say(dialect_of(c->family)->submit, client_values(c), out);
    c->next_id++;
}

static void client_idle(struct sim_client *c, double hashrate, struct sim_out *out)
{
    (void)hashrate;
    const char *idle = dialect_of(c->family)->idle;
    if (!idle)
        return;
    say(idle, client_values(c), out);
    c->next_id++;
}

static double work(double difficulty)
{
    return difficulty;
}

static double work_2_32(double difficulty)
{
    return difficulty * TWO_TO_32;
}

/* ---- the words ---- */

#define ENDS(kind, difficulty, worth)                                                              \
    .family = {                                                                                    \
        .name = kind,                                                                              \
        .default_difficulty = difficulty,                                                          \
        .pool_line = pool_line,                                                                    \
        .pool_job = pool_job,                                                                      \
        .pool_retarget = pool_retarget,                                                            \
        .client_hello = client_hello,                                                              \
        .client_line = client_line,                                                                \
        .client_share = client_share,                                                              \
        .client_idle = client_idle,                                                                \
        .work = worth,                                                                             \
    }

/* What most dialects of mining.* say alike. */
#define SUBSCRIBE "{\"id\":%i,\"method\":\"mining.subscribe\",\"params\":[\"%a\"]}\n"
#define SUBSCRIBE_ES                                                                               \
    "{\"id\":%i,\"method\":\"mining.subscribe\",\"params\":[\"%a\",\"EthereumStratum/1.0.0\"]}\n"
#define AUTHORIZE "{\"id\":%i,\"method\":\"mining.authorize\",\"params\":[\"%u\",\"%p\"]}"
#define YES "{\"id\":%i,\"result\":true,\"error\":null}"
#define NO "{\"id\":%i,\"result\":null,\"error\":[23,\"Low difficulty share\",null]}"
#define SET_DIFFICULTY "{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[%d]}"
#define SET_TARGET "{\"id\":null,\"method\":\"mining.set_target\",\"params\":[\"%t\"]}"
#define NOTIFY "{\"id\":null,\"method\":\"mining.notify\",\"params\":["
#define SUBMIT "{\"id\":%i,\"method\":\"mining.submit\",\"params\":[\"%u\",\"%j\","
#define BY_NOTIFY .job_method = "mining.notify", .job_at = "params.0"
#define BY_SUBMIT .submit_method = "mining.submit", .yes = YES, .no = NO
#define BY_SET_DIFFICULTY                                                                          \
    .set_difficulty = SET_DIFFICULTY, .difficulty_in = "mining.set_difficulty",                    \
    .difficulty_at = "params.0"
#define BY_SET_TARGET                                                                              \
    .set_difficulty = SET_TARGET, .difficulty_in = "mining.set_target",                            \
    .difficulty_at = "params.0", .unit = UNIT_TARGET
#define LOGIN(answer)                                                                              \
    .login = "mining.authorize", .user_at = "params.0",                                            \
    .replies = { { "mining.subscribe", answer }, { "mining.authorize", YES } }
#define BITCOIN_ANSWER                                                                             \
    "{\"id\":%i,\"result\":[[[\"mining.set_difficulty\",\"1\"],[\"mining.notify\",\"1\"]],"        \
    "\"%8h\",4],\"error\":null}"

/* The miner asks; work comes in the answer. */
#define BY_ASKING .family.asks = true, .job_method = ""
#define TEMPLATE                                                                                   \
    "{\"id\":%i,\"method\":\"getblocktemplate\",\"params\":[{\"capabilities\":[\"coinbasetxn\","   \
    "\"workid\",\"coinbase/append\"],\"rules\":[\"segwit\"]}]}"
#define DAEMON_TEMPLATE                                                                            \
    "{\"id\":%i,\"jsonrpc\":\"2.0\",\"method\":\"getblocktemplate\",\"params\":{\"wallet_"         \
    "address\":"                                                                                   \
    "\"%U\",\"extra_nonce\":\"%16h\"}}"
#define GET_WORK "{\"id\":%i,\"jsonrpc\":\"2.0\",\"method\":\"eth_getWork\",\"params\":[]}"

static const struct dialect dialects[] = {
    { ENDS("ethereum-stratum", 1, work_2_32), .hello = SUBSCRIBE_ES AUTHORIZE,
      LOGIN("{\"id\":%i,\"result\":[[\"mining.notify\",\"%32h\",\"EthereumStratum/1.0.0\"],"
            "\"%4h\"],\"error\":null}"),
      .job = NOTIFY "\"%j\",\"%64h\",\"%64h\",%c]}", BY_NOTIFY, BY_SUBMIT, BY_SET_DIFFICULTY,
      .unit = UNIT_2_32, .submit = SUBMIT "\"%12h\"]}" },
    { ENDS("zcash", 16000, work), .hello = SUBSCRIBE AUTHORIZE,
      LOGIN("{\"id\":%i,\"result\":[null,\"%8h\"],\"error\":null}"),
      .job = NOTIFY "\"%j\",\"04000000\",\"%64h\",\"%64h\",\"%64h\",\"%8h\",\"%8h\",%c]}",
      BY_NOTIFY, BY_SUBMIT, BY_SET_TARGET, .submit = SUBMIT "\"%8h\",\"%56h\",\"fd4005%2688h\"]}" },
    { ENDS("kawpow", 4e8, work), .hello = SUBSCRIBE AUTHORIZE,
      LOGIN("{\"id\":%i,\"result\":[null,\"%6h\"],\"error\":null}"),
      .job = NOTIFY "\"%j\",\"%64h\",\"%64h\",\"%t\",%c,2662152,\"1b00cdef\"]}", BY_NOTIFY,
      BY_SUBMIT, BY_SET_TARGET, .submit = SUBMIT "\"0x%16h\",\"0x%64h\",\"0x%64h\"]}" },
    { ENDS("kaspa", 4096, work_2_32), .hello = SUBSCRIBE_ES AUTHORIZE,
      LOGIN("{\"id\":%i,\"jsonrpc\":\"2.0\",\"result\":[true,\"EthereumStratum/1.0.0\"]}"),
      .job = NOTIFY "\"%j\",[%n,%n,%n,%n],1795237186452]}", BY_NOTIFY, BY_SUBMIT, BY_SET_DIFFICULTY,
      .unit = UNIT_2_32, .submit = SUBMIT "\"%12h\"]}" },
    { ENDS("ergo", 2e9, work), .hello = SUBSCRIBE AUTHORIZE, LOGIN(BITCOIN_ANSWER),
      .job = NOTIFY "\"%j\",3182707,\"%64h\",\"\",\"\",3,\"%b\",\"\",%c]}", BY_NOTIFY, BY_SUBMIT,
      .set_difficulty = "{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[1]}",
      .difficulty_in = "mining.notify", .difficulty_at = "params.6", .unit = UNIT_DECIMAL,
      .submit = SUBMIT "\"%12h\",\"\",\"%16h\"]}" },
    { ENDS("alephium", 4e13, work),
      .hello = "{\"id\":%i,\"method\":\"mining.hello\",\"params\":[\"%a\",\"alph.example.org\","
               "\"4af\"]}\n" SUBSCRIBE AUTHORIZE,
      .login = "mining.authorize", .user_at = "params.0",
      .replies = { { "mining.hello", "{\"id\":%i,\"result\":[\"AlephiumStratum/1.0.0\",false,"
                                     "\"258\",\"0x5\",\"v3.8.2\"],\"error\":null}" },
                   { "mining.subscribe", "{\"id\":%i,\"result\":\"%12h\",\"error\":null}" },
                   { "mining.authorize", YES } },
      .job = NOTIFY "{\"jobId\":\"%j\",\"fromGroup\":3,\"toGroup\":1,\"headerBlob\":\"%300h\","
                    "\"txsBlob\":\"\",\"targetBlob\":\"%t\"}]}",
      .job_method = "mining.notify", .job_at = "params.0.jobId", BY_SUBMIT,
      .difficulty_in = "mining.notify", .difficulty_at = "params.0.targetBlob", .unit = UNIT_TARGET,
      .submit = "{\"id\":%i,\"method\":\"mining.submit\",\"params\":{\"jobId\":\"%j\","
                "\"fromGroup\":3,\"toGroup\":1,\"nonce\":\"%48h\",\"worker\":\"%u\"}}" },
    { ENDS("conflux", 1e9, work), .hello = SUBSCRIBE AUTHORIZE,
      LOGIN("{\"jsonrpc\":\"2.0\",\"result\":\"true\",\"id\":%i}"),
      .job = NOTIFY "\"%j\",60112233,\"0x%64h\",\"0x%t\"]}", BY_NOTIFY,
      .submit_method = "mining.submit",
      .yes = "{\"jsonrpc\":\"2.0\",\"result\":[\"true\"],\"id\":%i}",
      .no = "{\"jsonrpc\":\"2.0\",\"result\":[\"false\",\"invalid nonce\"],\"id\":%i}",
      .difficulty_in = "mining.notify", .difficulty_at = "params.3", .unit = UNIT_TARGET,
      .submit = SUBMIT "\"0x%16h\",\"0x%64h\"]}" },
    { ENDS("ckb", 1e13, work), .hello = SUBSCRIBE AUTHORIZE,
      LOGIN("{\"id\":%i,\"result\":[null,\"%8h\",12],\"error\":null}"),
      .job = NOTIFY "\"%j\",\"%64h\",1234567,\"%64h\",%c]}", BY_NOTIFY, BY_SUBMIT, BY_SET_TARGET,
      .submit = SUBMIT "\"%24h\"]}" },
    { ENDS("ironfish", 1.5e10, work),
      .hello =
          "{\"id\":%i,\"method\":\"mining.subscribe\",\"body\":{\"version\":2,\"agent\":\"%a\","
          "\"publicAddress\":\"%U\",\"name\":\"%W\"}}",
      .login = "mining.subscribe", .user_at = "body.publicAddress",
      .replies = { { "mining.subscribe", "{\"id\":1,\"method\":\"mining.subscribed\",\"body\":{"
                                         "\"clientId\":7,\"xn\":\"%4h\"}}" } },
      .job = "{\"id\":3,\"method\":\"mining.notify\",\"body\":{\"miningRequestId\":%j,\"header\":"
             "\"%360h\"}}",
      .job_method = "mining.notify", .job_at = "body.miningRequestId",
      .set_difficulty = "{\"id\":2,\"method\":\"mining.set_target\",\"body\":{\"target\":\"%t\"}}",
      .difficulty_in = "mining.set_target", .difficulty_at = "body.target", .unit = UNIT_TARGET,
      .submit_method = "mining.submit", .answer = "mining.submitted",
      .yes = "{\"id\":4,\"method\":\"mining.submitted\",\"body\":{\"id\":%i,\"result\":true}}",
      .no = "{\"id\":4,\"method\":\"mining.submitted\",\"body\":{\"id\":%i,\"result\":false,"
            "\"message\":\"low difficulty\"}}",
      .submit = "{\"id\":%i,\"method\":\"mining.submit\",\"body\":{\"miningRequestId\":%j,"
                "\"randomness\":\"%16h\",\"graffiti\":\"%64h\"}}" },
    { ENDS("xelis", 50000, work),
      .hello =
          SUBSCRIBE "{\"id\":%i,\"method\":\"mining.authorize\",\"params\":[\"%U\",\"%W\",\"%p\"]}",
      LOGIN("{\"id\":%i,\"result\":[\"%8h\",\"%64h\",32,\"%64h\"]}"),
      .job = NOTIFY "\"%j\",\"018f3a2b4c5d\",\"%224h\",\"xel/1\",%c]}", BY_NOTIFY, BY_SUBMIT,
      BY_SET_DIFFICULTY, .unit = UNIT_HASHES,
      .submit = "{\"id\":%i,\"method\":\"mining.submit\",\"params\":[\"%W\",\"%j\",\"%16h\"]}" },
    { ENDS("warthog", 5e6, work), .hello = SUBSCRIBE AUTHORIZE, LOGIN(BITCOIN_ANSWER),
      .job = NOTIFY "\"%j\",\"%64h\",\"%128h\",\"00000002\",\"%8h\",\"%8h\",%c]}", BY_NOTIFY,
      BY_SUBMIT, BY_SET_DIFFICULTY, .unit = UNIT_HASHES,
      .submit = SUBMIT "\"%12h\",\"%8h\",\"%8h\"]}" },
    { ENDS("nexa", 0.5, work_2_32), .hello = SUBSCRIBE AUTHORIZE, LOGIN(BITCOIN_ANSWER),
      .job = NOTIFY "\"%j\",\"%64h\",412345,\"1b04864c\"]}", BY_NOTIFY, BY_SUBMIT,
      BY_SET_DIFFICULTY, .unit = UNIT_2_32, .submit = SUBMIT "\"%8h\",\"%8h\",\"%16h\"]}" },
    { ENDS("handshake", 256, work_2_32), .hello = SUBSCRIBE AUTHORIZE, LOGIN(BITCOIN_ANSWER),
      .job = NOTIFY "\"%j\",\"%64h\",\"%64h\",\"%64h\",\"%64h\",\"%64h\",\"00000000\",\"1a03b5d2\","
                    "\"%8h\"]}",
      BY_NOTIFY, BY_SUBMIT, BY_SET_DIFFICULTY, .unit = UNIT_2_32,
      .submit = SUBMIT "\"%8h\",\"%8h\",\"%8h\",\"00\"]}" },
    { ENDS("beam", 713, work),
      .hello = "{\"method\":\"login\",\"api_key\":\"%u\",\"id\":\"login\",\"jsonrpc\":\"2.0\"}",
      .login = "login", .user_at = "api_key",
      .replies = { { "login",
                     "{\"code\":0,\"description\":\"Login successful\",\"id\":\"login\","
                     "\"jsonrpc\":\"2.0\",\"method\":\"result\",\"nonceprefix\":\"%6h\"}" } },
      .job = "{\"difficulty\":%k,\"height\":2900518,\"id\":\"%j\",\"input\":\"%64h\",\"jsonrpc\":"
             "\"2.0\",\"method\":\"job\"}",
      .job_method = "job", .job_at = "id", .difficulty_in = "job", .difficulty_at = "difficulty",
      .unit = UNIT_PACKED, .submit_method = "solution", .answer = "result",
      .yes = "{\"code\":1,\"description\":\"accepted\",\"id\":\"%j\",\"jsonrpc\":\"2.0\","
             "\"method\":\"result\"}",
      .no = "{\"code\":2,\"description\":\"rejected\",\"id\":\"%j\",\"jsonrpc\":\"2.0\","
            "\"method\":\"result\"}",
      .submit = "{\"method\":\"solution\",\"id\":\"%j\",\"nonce\":\"%16h\",\"output\":\"%208h\","
                "\"jsonrpc\":\"2.0\"}" },
    { ENDS("grin", 8, work),
      .hello =
          "{\"id\":\"0\",\"jsonrpc\":\"2.0\",\"method\":\"login\",\"params\":{\"login\":\"%u\","
          "\"pass\":\"%p\",\"agent\":\"%a\"}}\n"
          "{\"id\":\"0\",\"jsonrpc\":\"2.0\",\"method\":\"getjobtemplate\",\"params\":null}",
      .login = "login", .user_at = "params.login", .poll = "getjobtemplate",
      .replies = { { "login", "{\"id\":\"0\",\"jsonrpc\":\"2.0\",\"method\":\"login\",\"result\":"
                              "\"ok\",\"error\":null}" },
                   { "keepalive", "{\"id\":\"0\",\"jsonrpc\":\"2.0\",\"method\":\"keepalive\","
                                  "\"result\":\"ok\",\"error\":null}" } },
      .polled_job = "{\"id\":\"0\",\"jsonrpc\":\"2.0\",\"method\":\"getjobtemplate\",\"result\":{"
                    "\"difficulty\":%d,\"height\":2788995,\"job_id\":%j,\"pre_pow\":\"%400h\"}}",
      .job = "{\"id\":\"Stratum\",\"jsonrpc\":\"2.0\",\"method\":\"job\",\"params\":{"
             "\"difficulty\":%d,\"height\":2788995,\"job_id\":%j,\"pre_pow\":\"%400h\"}}",
      .job_method = "job", .job_at = "params.job_id", .difficulty_in = "job",
      .difficulty_at = "params.difficulty", .unit = UNIT_HASHES, .submit_method = "submit",
      .answer = "submit",
      .yes = "{\"id\":\"0\",\"jsonrpc\":\"2.0\",\"method\":\"submit\",\"result\":\"ok\","
             "\"error\":null}",
      .no = "{\"id\":\"0\",\"jsonrpc\":\"2.0\",\"method\":\"submit\",\"result\":null,\"error\":{"
            "\"code\":-32501,\"message\":\"Share rejected due to low difficulty\"}}",
      .submit = "{\"id\":\"0\",\"jsonrpc\":\"2.0\",\"method\":\"submit\",\"params\":{\"edge_bits\":"
                "32,\"height\":2788995,\"job_id\":%j,\"nonce\":%n,\"pow\":[%n,%n,%n,%n]}}",
      .idle = "{\"id\":\"0\",\"jsonrpc\":\"2.0\",\"method\":\"keepalive\",\"params\":null}" },
    { ENDS("qatum", 120, NULL), .hello = "{\"id\":1,\"wallet\":\"%U\",\"worker\":\"%W\"}",
      .login = "1", .user_at = "wallet",
      .replies = { { "1", "{\"id\":1,\"result\":true,\"error\":null}" } },
      .job = "{\"id\":3,\"seed\":\"%64h\",\"isEmpty\":false}", .job_method = "3", .job_at = "seed",
      .set_difficulty = "{\"id\":6,\"difficulty\":%d}", .difficulty_in = "6",
      .difficulty_at = "difficulty", .submit_method = "4",
      .yes = "{\"id\":4,\"result\":true,\"error\":null}",
      .no = "{\"id\":4,\"result\":false,\"error\":\"wrong solution\"}",
      .submit = "{\"id\":4,\"nonce\":\"%64h\",\"seed\":\"%j\",\"computorId\":"
                "\"DAVYLAMPCOMPUTORAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}" },

    /* in HTTP, a request each; the account stands in the head */
    { ENDS("getwork", 1, NULL), BY_ASKING,
      .hello = "{\"id\":%i,\"method\":\"getwork\",\"params\":[]}", .login = "getwork",
      .poll = "getwork",
      .polled_job =
          "{\"id\":%i,\"error\":null,\"result\":{\"midstate\":\"%64h\",\"data\":\"%256h\","
          "\"hash1\":\"%128h\",\"target\":\"ffffffffffffffffffffffffffffffffffffffffffff"
          "ffffffffffff00000000\"}}",
      .polled_at = "result.data", .idle = "{\"id\":%i,\"method\":\"getwork\",\"params\":[]}",
      .submit = "{\"id\":%i,\"method\":\"getwork\",\"params\":[\"%256h\"]}",
      .submit_method = "getwork", .yes = YES, .no = "{\"id\":%i,\"result\":false,\"error\":null}" },
    { ENDS("getblocktemplate", 1e9, NULL), BY_ASKING, .hello = TEMPLATE,
      .login = "getblocktemplate", .poll = "getblocktemplate",
      .polled_job = "{\"id\":%i,\"error\":null,\"result\":{\"version\":536870912,"
                    "\"previousblockhash\":\"%64h\",\"transactions\":[],\"coinbaseaux\":{},"
                    "\"coinbasevalue\":312500000,\"target\":\"%t\",\"mintime\":1700000000,"
                    "\"mutable\":[\"time\",\"transactions\",\"prevblock\"],"
                    "\"noncerange\":\"00000000ffffffff\",\"curtime\":1700000100,\"bits\":\"%8h\","
                    "\"height\":840000}}",
      .polled_at = "result.previousblockhash", .idle = TEMPLATE,
      .submit = "{\"id\":%i,\"method\":\"submitblock\",\"params\":[\"00000020%312h\"]}",
      .submit_method = "submitblock", .yes = "{\"id\":%i,\"result\":null,\"error\":null}",
      .no = "{\"id\":%i,\"result\":\"high-hash\",\"error\":null}", .null_is_yes = true },
    { ENDS("monero-rpc", 3e5, NULL), BY_ASKING, .hello = DAEMON_TEMPLATE,
      .login = "getblocktemplate", .user_at = "params.wallet_address", .poll = "getblocktemplate",
      .polled_job =
          "{\"id\":%i,\"jsonrpc\":\"2.0\",\"result\":{\"blockhashing_blob\":\"1010%148h\","
          "\"blocktemplate_blob\":\"1010%596h\",\"difficulty\":%d,\"height\":3100000,"
          "\"prev_hash\":\"%64h\",\"reserved_offset\":130,\"seed_hash\":\"%64h\","
          "\"status\":\"OK\"}}",
      .polled_at = "result.prev_hash", .idle = DAEMON_TEMPLATE,
      .submit =
          "{\"id\":%i,\"jsonrpc\":\"2.0\",\"method\":\"submitblock\",\"params\":[\"1010%596h\"]}",
      .submit_method = "submitblock",
      .yes = "{\"id\":%i,\"jsonrpc\":\"2.0\",\"result\":{\"status\":\"OK\"}}",
      .no = "{\"id\":%i,\"jsonrpc\":\"2.0\",\"error\":{\"code\":-7,\"message\":\"Block not "
            "accepted\"}}" },
    { ENDS("eth-getwork", 4e9, NULL), BY_ASKING, .hello = GET_WORK, .login = "eth_getWork",
      .poll = "eth_getWork",
      .polled_job = "{\"id\":%i,\"jsonrpc\":\"2.0\",\"result\":[\"0x%64h\",\"0x%64h\",\"0x%t\"]}",
      .polled_at = "result.2", .idle = GET_WORK,
      .submit =
          "{\"id\":%i,\"jsonrpc\":\"2.0\",\"method\":\"eth_submitWork\",\"params\":[\"0x%16h\","
          "\"0x%64h\",\"0x%64h\"]}",
      .submit_method = "eth_submitWork", .yes = "{\"id\":%i,\"jsonrpc\":\"2.0\",\"result\":true}",
      .no = "{\"id\":%i,\"jsonrpc\":\"2.0\",\"result\":false}" },

    /* in WebSocket messages */
    { ENDS("websocket-miner", 256, NULL),
      .hello =
          "{\"type\":\"auth\",\"params\":{\"site_key\":\"%U\",\"type\":\"user\",\"user\":\"%W\","
          "\"goal\":0}}",
      .login = "auth", .user_at = "params.site_key",
      .replies = { { "auth", "{\"type\":\"authed\",\"params\":{\"token\":\"\",\"hashes\":0}}" } },
      .job = "{\"type\":\"job\",\"params\":{\"blob\":\"1010%148h\",\"job_id\":\"%j\","
             "\"target\":\"ffffff00\"}}",
      .job_method = "job", .job_at = "params.job_id", .submit_method = "submit",
      .submit = "{\"type\":\"submit\",\"params\":{\"job_id\":\"%j\",\"nonce\":\"%8h\","
                "\"result\":\"%64h\"}}",
      .answer = "hash_accepted", .yes = "{\"type\":\"hash_accepted\",\"params\":{\"hashes\":256}}",
      .no = "{\"type\":\"hash_accepted\",\"error\":\"low\",\"params\":{\"hashes\":256}}" },

    /* Stratum V2's messages by name: wrap.c sends bytes of their lengths instead */
    { ENDS("stratum-v2", 1, NULL), .hello = "{\"method\":\"setup\"}", .login = "open",
      .replies = { { "setup", "{\"method\":\"setup.success\"}" },
                   { "open", "{\"method\":\"open.success\"}\n{\"method\":\"target\"}" } },
      .on = "setup.success", .then = "{\"method\":\"open\"}",
      .job = "{\"method\":\"job\",\"params\":[\"%j\"]}", .job_method = "job", .job_at = "params.0",
      .submit_method = "submit", .submit = "{\"method\":\"submit\"}", .answer = "submit.success",
      .yes = "{\"method\":\"submit.success\"}", .no = "{\"method\":\"submit.success\"}" },
};

const struct sim_family *sim_dialect_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(dialects); i++)
        if (streq(dialects[i].family.name, name))
            return &dialects[i].family;
    return NULL;
}
