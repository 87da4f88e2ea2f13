/* SPDX-License-Identifier: Apache-2.0 */
/* Every vector of tests/data/recog, for all recognisers: as it stands, split at every byte, both
 * directions one after the other in either order, and by the contract of recog.h. */
#include "tests/support/test.h"

#include "sensor/engine/classify.h"
#include "sensor/recog/registry.h"
#include "tests/support/vector.h"

#include <dirent.h>

enum { START_S = 1700000000 };

static lamp_catalogue *catalogue;
static lamp_registry *registry;
static lamp_classify *classify; /* of one state: replays come one after another */

typedef void vector_fn(const struct lamp_recog *r, const char *name, const struct lamp_vector *v);

/* Calls fn with every vector of every recogniser; returns how many. */
static size_t each_vector(vector_fn *fn)
{
    size_t n, count = 0;
    const struct lamp_recog *const *all = lamp_recogs(&n);
    for (size_t i = 0; i < n; i++) {
        char folder[512];
        snprintf(folder, sizeof(folder), LAMP_TEST_DATA "/recog/%s", all[i]->name);
        struct dirent **names;
        const int files = scandir(folder, &names, NULL, alphasort);
        assert_true(files > 2); /* more than . and .. */
        for (int f = 0; f < files; f++) {
            char path[1024];
            struct lamp_vector v;
            snprintf(path, sizeof(path), "%s/%s", folder, names[f]->d_name);
            if (names[f]->d_name[0] != '.') {
                if (lamp_vector_load(path, &v))
                    fail_msg("%s: cannot be read", path);
                fn(all[i], path, &v);
                lamp_vector_done(&v);
                count++;
            }
            free(names[f]);
        }
        free(names);
    }
    return count;
}

/* ---- one replay ---- */

struct replay {
    lamp_inspect *state;
    const struct lamp_vector *v;
    bool over;
};

static struct replay replay_begin(const struct lamp_vector *v)
{
    struct replay r = { .v = v };
    struct lamp_flow_facts facts = {
        .client = lamp_addr_from_v4((const uint8_t[]){ 10, 0, 0, 1 }),
        .client_port = 40000,
        .server = lamp_addr_from_v4((const uint8_t[]){ 192, 0, 2, 1 }),
        .server_port = 3333,
        .ip_proto = 6,
        .saw_syn = !v->midstream,
        .first_us = (uint64_t)START_S * 1000000,
    };
    if (v->swapped) {
        const struct lamp_flow_facts f = facts;
        facts.client = f.server;
        facts.server = f.client;
        facts.client_port = f.server_port;
        facts.server_port = f.client_port;
    }
    assert_int_equal(lamp_classify_open(classify, &facts, &r.state), LAMP_OK);
    return r;
}

static void replay_bytes(struct replay *r, size_t line, size_t from, size_t to)
{
    if (r->over || from == to)
        return;
    const struct lamp_vector_line *l = &r->v->lines[line];
    uint8_t *copy = guarded_dup(l->text + from, to - from);
    const enum lamp_dir dir = l->up != r->v->swapped ? LAMP_UP : LAMP_DOWN;
    r->over = lamp_classify_stream(classify, r->state, dir, (struct lamp_bytes){ copy, to - from },
                                   false, (START_S + line) * 1000000) == LAMP_INTEREST_NEVER;
    guarded_free(copy);
}

static void replay_end(struct replay *r)
{
    lamp_classify_close(classify, r->state);
}

/* ---- expectations ---- */

static const char *joined(const struct lamp_conn_names *n, char *buf, size_t size)
{
    size_t at = 0;
    buf[0] = '\0';
    for (size_t i = 0; i < n->n && at < size; i++)
        at += (size_t)snprintf(buf + at, size - at, "%s%s", i ? " " : "", n->v[i]);
    return buf;
}

/* The value of a fact as the vectors write it. */
static const char *fact(const struct lamp_conn *c, const char *key, char *buf, size_t size)
{
    const struct {
        const char *key;
        const char *text;
    } texts[] = {
        { "verdict", c ? lamp_verdict_name(c->verdict) : "none" },
        { "family", c ? c->family : "" },
        { "coin", c && c->coin ? c->coin : "" },
        { "algorithm", c && c->algorithm ? c->algorithm : "" },
        { "wallet", c ? lamp_conn_current(&c->wallets) : "" },
        { "worker", c ? lamp_conn_current(&c->workers) : "" },
        { "agent", c ? c->agent : "" },
        { "server_name", c ? c->server_name : "" },
        { "pool", c && c->pool ? c->pool : "" },
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (streq(key, texts[i].key))
            return texts[i].text;
    buf[0] = '\0';
    if (!c)
        return buf;
    if (streq(key, "wallets"))
        return joined(&c->wallets, buf, size);
    if (streq(key, "workers"))
        return joined(&c->workers, buf, size);
    if (streq(key, "jobs"))
        snprintf(buf, size, "%u", c->jobs);
    else if (streq(key, "shares"))
        snprintf(buf, size, "%u %u %u %u", c->shares.submitted, c->shares.accepted,
                 c->shares.rejected, c->shares.stale);
    else if (streq(key, "difficulty"))
        snprintf(buf, size, "%.6g", c->difficulty);
    else if (streq(key, "work"))
        snprintf(buf, size, "%.6g", c->work);
    else if (streq(key, "self_rate"))
        snprintf(buf, size, "%.6g", c->self_rate);
    else if (streq(key, "tunnel") && c->tunnel.kind)
        snprintf(buf, size, "%s %s %u", c->tunnel.kind, c->tunnel.host, c->tunnel.port);
    else if (streq(key, "tunnel"))
        return "";
    else if (streq(key, "client"))
        return lamp_addr_str(&c->client, buf);
    else
        fail_msg("unknown expectation %s", key);
    return buf;
}

static void check(struct replay *r, const char *name, const char *how, size_t at)
{
    const struct lamp_conn *c = lamp_inspect_conn(r->state);
    char buf[2048];
    for (size_t i = 0; i < r->v->n_wants; i++) {
        if (strncmp(r->v->wants[i].key, "probe-", 6) == 0)
            continue;
        const char *got = fact(c, r->v->wants[i].key, buf, sizeof(buf));
        if (!streq(got, r->v->wants[i].value))
            fail_msg("%s, %s %zu: %s is \"%s\", want \"%s\"", name, how, at, r->v->wants[i].key,
                     got, r->v->wants[i].value);
    }
}

/* ---- the tests ---- */

static void replay_split_everywhere(const struct lamp_recog *recog, const char *name,
                                    const struct lamp_vector *v)
{
    (void)recog;
    size_t total = 0;
    assert_non_null(lamp_vector_want(v, "verdict"));
    for (size_t i = 0; i < v->n_lines; i++)
        total += v->lines[i].len;
    for (size_t cut = 0; cut <= total; cut++) {
        struct replay r = replay_begin(v);
        size_t at = 0;
        for (size_t i = 0; i < v->n_lines; i++) {
            const size_t len = v->lines[i].len;
            const size_t split = cut > at && cut < at + len ? cut - at : len;
            replay_bytes(&r, i, 0, split);
            replay_bytes(&r, i, split, len);
            at += len;
        }
        check(&r, name, "cut at byte", cut);
        replay_end(&r);
    }
}

static void replay_bytewise(const struct lamp_recog *recog, const char *name,
                            const struct lamp_vector *v)
{
    (void)recog;
    struct replay r = replay_begin(v);
    for (size_t i = 0; i < v->n_lines; i++)
        for (size_t k = 0; k < v->lines[i].len; k++)
            replay_bytes(&r, i, k, k + 1);
    check(&r, name, "in pieces of", 1);
    replay_end(&r);
}

/* Which direction's bytes come first must not change what it is. */
static void replay_one_by_one(const struct lamp_recog *recog, const char *name,
                              const struct lamp_vector *v)
{
    (void)recog;
    for (int first_up = 0; first_up < 2; first_up++) {
        struct replay r = replay_begin(v);
        for (int pass = 0; pass < 2; pass++)
            for (size_t i = 0; i < v->n_lines; i++)
                if (v->lines[i].up == (pass == !first_up))
                    replay_bytes(&r, i, 0, v->lines[i].len);
        const struct lamp_conn *c = lamp_inspect_conn(r.state);
        const enum lamp_verdict got = c ? c->verdict : LAMP_VERDICT_NONE;
        enum lamp_verdict want = LAMP_VERDICT_NONE;
        const char *text = lamp_vector_want(v, first_up ? "verdict" : "verdict-server-first");
        if (!text)
            text = lamp_vector_want(v, "verdict");
        if (!streq(text, "none"))
            assert_int_equal(lamp_verdict_parse(text, &want), LAMP_OK);
        /* Answers are recognised by their requests, so coming first they may prove less. */
        if (first_up
                ? got != want
                : (got > want || (want >= LAMP_VERDICT_PROBABLE && got < LAMP_VERDICT_PROBABLE)))
            fail_msg("%s, %s first: verdict %s, want %s", name, first_up ? "client" : "server",
                     lamp_verdict_name(got), text);
        replay_end(&r);
    }
}

/* A final answer of the probe never changes as the stream grows, and is the one expected. */
static void probe_contract(const struct lamp_recog *recog, const char *name,
                           const struct lamp_vector *v)
{
    static const char *const names[] = { "more", "match", "no" };
    for (int up = 0; up < 2; up++) {
        char stream[65536];
        size_t len = 0;
        for (size_t i = 0; i < v->n_lines; i++) {
            if (v->lines[i].up != up)
                continue;
            memcpy(stream + len, v->lines[i].text, v->lines[i].len);
            len += v->lines[i].len;
        }
        enum lamp_probe before = LAMP_NEED_MORE;
        for (size_t n = 0; n <= len; n++) {
            uint8_t *copy = guarded_dup(stream, n);
            struct lamp_hit hit = { 0 };
            const enum lamp_probe now =
                lamp_recog_probe(registry, recog, (struct lamp_bytes){ copy, n }, &hit);
            guarded_free(copy);
            if (before != LAMP_NEED_MORE && now != before)
                fail_msg("%s: answer changed at byte %zu", name, n);
            assert_true(now != LAMP_MATCH || hit.finding.grade == LAMP_GRADE_CERTAIN);
            before = now;
        }
        const char *want = lamp_vector_want(v, up ? "probe-up" : "probe-down");
        if (want && !streq(want, names[before]))
            fail_msg("%s: probe %s is %s, want %s", name, up ? "up" : "down", names[before], want);
    }
}

static void test_split_everywhere(void **state)
{
    (void)state;
    assert_true(each_vector(replay_split_everywhere) >= 3);
}

static void test_bytewise(void **state)
{
    (void)state;
    each_vector(replay_bytewise);
}

static void test_either_direction_first(void **state)
{
    (void)state;
    each_vector(replay_one_by_one);
}

static void test_probe_contract(void **state)
{
    (void)state;
    each_vector(probe_contract);
}

static int load_catalogue(void **state)
{
    (void)state;
    char why[256];
    if (lamp_catalogue_load(LAMP_DATA, &catalogue, why, sizeof(why)) != LAMP_OK) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    const struct lamp_classify_cfg cfg = { .catalogue = catalogue, .max_inspected = 1 };
    return lamp_registry_new(&registry) != LAMP_OK || lamp_classify_new(&cfg, &classify) != LAMP_OK;
}

static int free_catalogue(void **state)
{
    (void)state;
    lamp_classify_free(classify);
    lamp_catalogue_free(catalogue);
    lamp_registry_free(registry);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split_everywhere),
        cmocka_unit_test(test_bytewise),
        cmocka_unit_test(test_either_direction_first),
        cmocka_unit_test(test_probe_contract),
    };
    return cmocka_run_group_tests(tests, load_catalogue, free_catalogue);
}
