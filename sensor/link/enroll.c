/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/link/enroll.h"

#include "common/clock.h"
#include "common/fingerprint.h"
#include "common/io.h"
#include "common/text.h"
#include "common/version.h"
#include "sensor/link/ask.h"
#include "sensor/link/keychain.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <zmq.h>

enum {
    GIVE_UP_US = 60 * 1000 * 1000, /* without any answer */
    HEX_KEY = 2 * LAMP_WIRE_KEY_LEN + 1,
};

static int complain(const char *what, const char *why)
{
    fprintf(stderr, "davylamp-sensor: %s: %s\n", what, why);
    return 1;
}

/* ---- what the daemon takes over ---- */

static int fill(char **at, const char *value)
{
    if (**at || !*value)
        return LAMP_OK;
    char *copy = strdup(value);
    if (!copy)
        return LAMP_ENOMEM;
    free(*at);
    *at = copy;
    return LAMP_OK;
}

int lamp_enroll_fill(struct lamp_sensor_conf *conf)
{
    char path[PATH_MAX], list[HEX_KEY] = "";
    struct lamp_keychain k;
    if (lamp_keychain_path(conf->state_dir, path, sizeof(path)) != LAMP_OK ||
        lamp_keychain_load(path, NULL, "", &k) != LAMP_OK)
        return LAMP_OK; /* the check says what is missing */
    int err = LAMP_OK;
    if (!*conf->link.server_key || streq(conf->link.server_key, k.pinned)) {
        if (!sodium_is_zero(k.list_key, sizeof(k.list_key)))
            lamp_hex_encode(k.list_key, sizeof(k.list_key), list);
        err = fill(&conf->link.server_key, k.pinned);
        if (!err)
            err = fill(&conf->link.list_key, list);
        if (!err)
            err = fill(&conf->site, k.site);
        if (!err)
            err = fill(&conf->name, k.name);
    }
    lamp_keychain_wipe(&k);
    return err;
}

/* ---- our key ---- */

static int need_key(struct lamp_sensor_conf *conf, struct lamp_key *out)
{
    int err = lamp_sensor_key_path(conf);
    if (!err)
        err = lamp_key_create(conf->key_path, out);
    if (err == LAMP_EEXIST)
        err = lamp_key_load(conf->key_path, out);
    if (!err)
        return 0;
    fprintf(stderr, "davylamp-sensor: link.key_file: %s: %s\n", conf->key_path,
            err == LAMP_EAUTH ? "others may read it: chmod 600" : lamp_strerror(err));
    return 1;
}

int lamp_enroll_show_key(struct lamp_sensor_conf *conf)
{
    struct lamp_key key;
    struct lamp_keychain k;
    char path[PATH_MAX], print[LAMP_FINGERPRINT];
    if (need_key(conf, &key) != 0)
        return 1;
    int err = lamp_keychain_path(conf->state_dir, path, sizeof(path));
    if (!err)
        err = lamp_keychain_load(path, &key, "", &k);
    sodium_memzero(&key, sizeof(key));
    if (err)
        return complain(path, lamp_strerror(err));
    printf("%s\nfingerprint %s\n", k.own.public_z85, lamp_fingerprint_z85(k.own.public_z85, print));
    lamp_keychain_wipe(&k);
    return 0;
}

/* ---- asking ---- */

struct job {
    struct lamp_sensor_conf *conf;
    struct lamp_keychain chain;
    char path[PATH_MAX], endpoint[256], pinned[41];
    struct lamp_token token;
    bool has_token;
};

static int take_token(struct job *j, const char *text)
{
    char line[256];
    if (!text)
        return 0;
    if (streq(text, "-")) {
        if (!fgets(line, sizeof(line), stdin))
            return complain("enroll", "no token on standard input");
        text = line;
    }
    if (lamp_token_decode(text, &j->token) != LAMP_OK) {
        complain("enroll", "this is no token of `davylamp enroll`");
        return 2;
    }
    j->has_token = true;
    zmq_z85_encode(j->pinned, j->token.server_key, sizeof(j->token.server_key));
    sodium_memzero(line, sizeof(line));
    return 0;
}

/* Which aggregator, where. */
static int find_aggregator(struct job *j)
{
    char why[LAMP_CONF_WHY];
    const char *where = j->conf->link.enroll;
    if (*j->conf->link.server_key || !j->has_token) {
        if (lamp_sensor_server_key(j->conf, why) != LAMP_OK) {
            complain(why, "or give the token of `davylamp enroll`");
            return 2;
        }
        if (j->has_token && !streq(j->pinned, j->conf->server_key_z85))
            return complain("link.server_key", "the token is of another aggregator");
        memcpy(j->pinned, j->conf->server_key_z85, sizeof(j->pinned));
    }
    if (*where && !streq(where, "off")) {
        snprintf(j->endpoint, sizeof(j->endpoint), "%.255s", where);
    } else if (lamp_enroll_endpoint(j->conf->link.endpoint, j->endpoint, sizeof(j->endpoint)) !=
               LAMP_OK) {
        complain("link.endpoint", "expected tcp://HOST:PORT, the aggregator's address");
        return 2;
    }
    return 0;
}

static int prepare(struct job *j)
{
    struct lamp_key key;
    char folder[PATH_MAX];
    const int status = need_key(j->conf, &key);
    if (status)
        return status;
    snprintf(folder, sizeof(folder), "%.4000s/spool", j->conf->state_dir);
    int err = lamp_io_mkdirs(folder, 0700);
    if (!err)
        err = lamp_keychain_path(j->conf->state_dir, j->path, sizeof(j->path));
    if (!err)
        err = lamp_keychain_load(j->path, &key, j->pinned, &j->chain);
    sodium_memzero(&key, sizeof(key));
    return err ? complain(folder, lamp_strerror(err)) : 0;
}

static int on_accepted(struct job *j, const struct lamp_enroll_answer *a)
{
    memcpy(j->chain.list_key, a->list_key, sizeof(a->list_key));
    lamp_text_safe(a->site.data, a->site.len, j->chain.site, sizeof(j->chain.site));
    lamp_text_safe(a->name.data, a->name.len, j->chain.name, sizeof(j->chain.name));
    const int err = lamp_keychain_save(j->path, &j->chain);
    if (err)
        return complain(j->path, lamp_strerror(err));
    printf("enrolled as %s of site %s\n", j->chain.name, j->chain.site);
    if (*j->conf->site && !streq(j->conf->site, j->chain.site))
        fprintf(
            stderr,
            "davylamp-sensor: sensor.site says %s: lists of site %s will be refused until it is "
            "changed\n",
            j->conf->site, j->chain.site);
    return 0;
}

static const char *refusal(int code)
{
    switch (code) {
    case LAMP_EREJECTED:
        return "this key is kept out: remove link.key_file and enroll again";
    case LAMP_EAUTH:
        return "the token is not known, or was used already";
    case LAMP_EEXPIRED:
        return "the token is too old: make another";
    case LAMP_EEXIST:
        return "a sensor of this name is enrolled already: set sensor.name, or make a token for it "
               "with --name";
    case LAMP_EINVAL:
        return "sensor.name may have letters, digits, '.', '_' and '-', at most 64";
    default:
        return lamp_strerror(code);
    }
}

/* Says once what is not a decision yet. */
static void say_state(const struct job *j, int err, enum lamp_enroll_state state)
{
    char print[LAMP_FINGERPRINT];
    if (err == LAMP_EAUTH)
        complain(j->endpoint, "no secure connection: it does not have the aggregator's key; still "
                              "trying");
    else if (err != LAMP_OK)
        complain(j->endpoint, err == LAMP_ETIMEOUT ? "no answer, still trying"
                              : err == LAMP_EFULL  ? "too many are asking, still trying"
                                                   : lamp_strerror(err));
    else if (state == LAMP_ENROLL_PENDING)
        fprintf(stderr,
                "waiting for approval; compare in `davylamp sensors keys`: fingerprint %s\n",
                lamp_fingerprint_z85(j->chain.own.public_z85, print));
    else
        fputs("the aggregator is busy, still trying\n", stderr);
}

static int ask(struct job *j, lamp_ask *a)
{
    uint64_t heard_us = lamp_clock_mono_us();
    int said_err = LAMP_OK;
    enum lamp_enroll_state said = LAMP_ENROLL_NONE;
    for (;;) {
        struct lamp_enroll_answer answer;
        const uint64_t now_us = lamp_clock_mono_us();
        const int err = lamp_ask_turn(a, now_us, &answer);
        if (err == LAMP_OK && answer.state == LAMP_ENROLL_ACCEPTED)
            return on_accepted(j, &answer);
        if (err == LAMP_OK && answer.state == LAMP_ENROLL_REFUSED)
            return complain("refused", refusal(answer.code));
        if (err == LAMP_OK)
            heard_us = now_us;
        else if (now_us - heard_us > GIVE_UP_US)
            return complain(j->endpoint, "no answer for a minute, giving up");
        if (err != LAMP_EAGAIN && (err != said_err || (!err && answer.state != said))) {
            say_state(j, err, err ? LAMP_ENROLL_NONE : answer.state);
            said_err = err;
            said = err ? LAMP_ENROLL_NONE : answer.state;
        }
        poll(NULL, 0, lamp_ask_wait_ms(a, now_us));
    }
}

int lamp_enroll_run(struct lamp_sensor_conf *conf, const char *token)
{
    struct job j = { .conf = conf };
    char host[LAMP_WIRE_NAME_MAX + 1] = "";
    lamp_ask *a = NULL;
    int status = take_token(&j, token);
    if (!status)
        status = find_aggregator(&j);
    if (!status)
        status = prepare(&j);
    (void)gethostname(host, sizeof(host) - 1); /* at worst the token or the operator names us */
    if (!status) {
        const struct lamp_ask_cfg cfg = { .key = &j.chain.own,
                                          .endpoint = j.endpoint,
                                          .server_key = j.chain.server,
                                          .token = j.has_token ? j.token.secret : NULL,
                                          .name = *conf->name ? conf->name : host,
                                          .site = conf->site,
                                          .build = LAMP_VERSION };
        const int err = lamp_ask_new(&cfg, &a);
        status = err ? complain("enroll", lamp_strerror(err)) : ask(&j, a);
    }
    lamp_ask_free(a);
    lamp_keychain_wipe(&j.chain);
    sodium_memzero(&j.token, sizeof(j.token));
    return status;
}
