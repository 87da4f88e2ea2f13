/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/link/credentials.h"

#include "common/fingerprint.h"
#include "common/log.h"
#include "common/text.h"
#include "common/version.h"
#include "sensor/link/ask.h"
#include "sensor/link/keychain.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>

struct lamp_credentials {
    const struct lamp_sensor_conf *conf;
    lamp_credentials_send_fn *send;
    void *arg;
    struct lamp_keychain chain;
    char path[PATH_MAX];              /* of the keychain */
    bool with_other, with_next;       /* of the keychain, in this attempt to connect */
    unsigned refused;                 /* attempts in a row that the aggregator refused */
    lamp_ask *ask;                    /* to be let in; NULL: there is no need */
    enum lamp_enroll_state ask_state; /* the last answer to it */
    bool rotate_due;                  /* tell the aggregator which key comes next */
};

/* ---- keys ---- */

static void save_chain(lamp_credentials *c)
{
    const int err = lamp_keychain_save(c->path, &c->chain);
    if (err)
        lamp_log_limited(LAMP_LOG_ERROR, "link", "cannot write %s: %s", c->path,
                         lamp_strerror(err));
}

static void stop_asking(lamp_credentials *c)
{
    c->ask = lamp_ask_free(c->ask);
    c->ask_state = LAMP_ENROLL_NONE;
}

void lamp_credentials_tell_next(lamp_credentials *c)
{
    if (!c->rotate_due)
        return;
    struct lamp_msg m = { .type = LAMP_MSG_KEY_ROTATE };
    LAMP_AUTO_FREE uint8_t *data = NULL;
    size_t len;
    if (lamp_z85_key(c->chain.other.public_z85, m.u.key_rotate.public_key) == LAMP_OK &&
        lamp_msg_pack(&m, &data, &len) == LAMP_OK && c->send(data, len, c->arg) == LAMP_OK)
        c->rotate_due = false;
}

/* The next key is on disk before the aggregator hears of it, so that none is ever let in that
 * nobody has. */
static void make_next_key(lamp_credentials *c)
{
    const struct lamp_keychain before = c->chain;
    int err = lamp_keychain_make_next(&c->chain);
    if (!err)
        err = lamp_keychain_save(c->path, &c->chain);
    if (err) {
        c->chain = before;
        lamp_log_limited(LAMP_LOG_ERROR, "link", "no new key was made: %s: %s", c->path,
                         lamp_strerror(err));
    }
    c->rotate_due = !err;
}

bool lamp_credentials_state(lamp_credentials *c, const struct lamp_key_state *k)
{
    uint8_t next[LAMP_WIRE_KEY_LEN];
    if (k->order == LAMP_KEY_ORDER_REPLACE) {
        make_next_key(c);
        return false;
    }
    if (!c->chain.is_next || lamp_z85_key(c->chain.other.public_z85, next) != LAMP_OK ||
        memcmp(next, k->public_key, sizeof(next)) != 0)
        return false;
    if (k->order == LAMP_KEY_ORDER_ACCEPTED) {
        c->with_other = true;
        return true;
    }
    lamp_log_limited(LAMP_LOG_WARN, "link", "the aggregator did not take our next key");
    sodium_memzero(&c->chain.other, sizeof(c->chain.other));
    c->chain.is_next = false;
    save_chain(c);
    return false;
}

void lamp_credentials_announced(lamp_credentials *c, const struct lamp_server_key *k)
{
    char print[LAMP_FINGERPRINT];
    const int err = lamp_keychain_announced(&c->chain, k, c->conf->list_key_bytes);
    if (err == LAMP_ESERIAL)
        return;
    if (err) {
        lamp_log_limited(LAMP_LOG_WARN, "link",
                         "a next key of the aggregator was announced, ignoring it: %s",
                         lamp_strerror(err));
        return;
    }
    save_chain(c);
    lamp_log(LAMP_LOG_INFO, "link", "the aggregator will have another key soon fingerprint=%s",
             lamp_fingerprint(k->public_key, print));
}

uint64_t lamp_credentials_server_serial(const lamp_credentials *c)
{
    return c->chain.server_serial;
}

/* ---- being let in ---- */

static void begin_asking(lamp_credentials *c)
{
    char endpoint[256];
    const char *where = c->conf->link.enroll;
    if (c->ask || streq(where, "off"))
        return;
    if (!*where &&
        lamp_enroll_endpoint(c->conf->link.endpoint, endpoint, sizeof(endpoint)) == LAMP_OK)
        where = endpoint;
    const struct lamp_ask_cfg cfg = { .key = &c->chain.own,
                                      .endpoint = where,
                                      .server_key = c->chain.server,
                                      .name = c->conf->name,
                                      .site = c->conf->site,
                                      .build = LAMP_VERSION };
    if (*where && lamp_ask_new(&cfg, &c->ask) != LAMP_OK)
        c->ask = NULL; /* the next refusal tries again */
}

static void check_enrollment(const lamp_credentials *c, const struct lamp_enroll_answer *a)
{
    char site[LAMP_WIRE_SITE_MAX + 1];
    lamp_text_safe(a->site.data, a->site.len, site, sizeof(site));
    if (!streq(site, c->conf->site))
        lamp_log(LAMP_LOG_ERROR, "link",
                 "sensor.site: this sensor is enrolled for another site, whose lists it will "
                 "refuse: enrolled=%s configured=%s",
                 site, c->conf->site);
    if (memcmp(a->list_key, c->conf->list_key_bytes, sizeof(a->list_key)) != 0)
        lamp_log(LAMP_LOG_ERROR, "link",
                 "link.list_key is not the key that the aggregator signs its lists with");
}

bool lamp_credentials_ask(lamp_credentials *c, uint64_t mono_us)
{
    struct lamp_enroll_answer a = { .state = LAMP_ENROLL_NONE };
    char print[LAMP_FINGERPRINT];
    if (!c->ask || lamp_ask_turn(c->ask, mono_us, &a) != LAMP_OK || a.state == c->ask_state)
        return false;
    c->ask_state = a.state;
    lamp_fingerprint_z85(c->chain.own.public_z85, print);
    if (a.state == LAMP_ENROLL_ACCEPTED) {
        lamp_log(LAMP_LOG_INFO, "link", "the aggregator lets this sensor in fingerprint=%s", print);
        check_enrollment(c, &a);
        stop_asking(c);
    } else if (a.state == LAMP_ENROLL_PENDING) {
        lamp_log(LAMP_LOG_WARN, "link",
                 "waiting to be approved at the aggregator (davylamp sensors keys) fingerprint=%s",
                 print);
    } else if (a.state == LAMP_ENROLL_REFUSED) {
        lamp_log(LAMP_LOG_ERROR, "link",
                 "the aggregator keeps this key out: make another (remove link.key_file, then "
                 "davylamp-sensor enroll) fingerprint=%s",
                 print);
    }
    return a.state == LAMP_ENROLL_ACCEPTED;
}

/* ---- an attempt ---- */

const struct lamp_key *lamp_credentials_key(const lamp_credentials *c)
{
    return c->with_other ? &c->chain.other : &c->chain.own;
}

const char *lamp_credentials_server(const lamp_credentials *c)
{
    return c->with_next ? c->chain.next_server : c->chain.server;
}

/* The session stands: what it was made with is in use from now on. */
void lamp_credentials_session(lamp_credentials *c)
{
    c->refused = 0;
    stop_asking(c);
    if (lamp_keychain_proven(&c->chain, c->with_other, c->with_next)) {
        char print[LAMP_FINGERPRINT];
        save_chain(c);
        lamp_log(
            LAMP_LOG_INFO, "link", "new key in use of=%s fingerprint=%s",
            c->with_next ? "aggregator" : "sensor",
            lamp_fingerprint_z85(c->with_next ? c->chain.server : c->chain.own.public_z85, print));
    }
    c->with_other = c->with_next = false;
    c->rotate_due = c->chain.is_next;
}

/* The other key of ours may be the one that holds: the aggregator's database may be older, or newer,
 * than our file. Where both are refused somebody must let us in. */
void lamp_credentials_refused(lamp_credentials *c)
{
    char print[LAMP_FINGERPRINT];
    const bool has_other = *c->chain.other.public_z85;
    c->with_other = has_other && !c->with_other;
    if (++c->refused <= has_other)
        return;
    lamp_log_limited(LAMP_LOG_ERROR, "link",
                     "the aggregator refused this sensor's key: it is not enrolled there "
                     "endpoint=%s fingerprint=%s",
                     c->conf->link.endpoint, lamp_fingerprint_z85(c->chain.own.public_z85, print));
    begin_asking(c);
}

void lamp_credentials_no_handshake(lamp_credentials *c)
{
    const bool has_next = *c->chain.next_server;
    const bool tried_next = c->with_next;
    c->with_next = has_next && !c->with_next;
    if (has_next && !tried_next)
        return; /* it may have changed its key, as it said it would */
    lamp_log_limited(LAMP_LOG_ERROR, "link",
                     "no secure connection: the aggregator at %s does not have the key that this "
                     "sensor knows. If its key was changed while this sensor was away, set "
                     "link.server_key to what `davylamp-aggregator keys` says, or enroll again",
                     c->conf->link.endpoint);
}

/* ---- begin and end ---- */

static int load_chain(lamp_credentials *c, const struct lamp_key *key)
{
    int err = lamp_keychain_path(c->conf->state_dir, c->path, sizeof(c->path));
    if (!err)
        err = lamp_keychain_load(c->path, key, c->conf->server_key_z85, &c->chain);
    if (err == LAMP_EFORMAT) {
        lamp_log(LAMP_LOG_ERROR, "link", "%s makes no sense, going on with link.key_file alone",
                 c->path);
        err = lamp_keychain_load("/dev/null", key, c->conf->server_key_z85, &c->chain);
    }
    return err;
}

int lamp_credentials_open(const struct lamp_sensor_conf *conf, lamp_credentials_send_fn *send,
                          void *arg, lamp_credentials **out)
{
    struct lamp_key key;
    int err = lamp_key_load(conf->key_path, &key);
    if (err) {
        lamp_log(LAMP_LOG_ERROR, "link", "link.key_file: %s: %s", conf->key_path,
                 err == LAMP_EAUTH ? "others may read it: chmod 600"
                 : err == -ENOENT  ? "no key yet: run davylamp-sensor key"
                                   : lamp_strerror(err));
        return err;
    }
    lamp_credentials *c = calloc(1, sizeof(*c));
    if (c) {
        c->conf = conf;
        c->send = send;
        c->arg = arg;
    }
    err = c ? load_chain(c, &key) : LAMP_ENOMEM;
    sodium_memzero(&key, sizeof(key));
    if (err) {
        lamp_log(LAMP_LOG_ERROR, "link", "no keys to connect with: %s", lamp_strerror(err));
        lamp_credentials_close(c);
        return err;
    }
    *out = c;
    return LAMP_OK;
}

lamp_credentials *lamp_credentials_close(lamp_credentials *c)
{
    if (!c)
        return NULL;
    lamp_ask_free(c->ask);
    lamp_keychain_wipe(&c->chain);
    free(c);
    return NULL;
}
