/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/link/ask.h"

#include "sensor/link/uplink.h"

#include <sodium.h>
#include <stdio.h>

enum {
    SECOND_US = 1000 * 1000,
    PATIENCE_US = 10 * SECOND_US, /* for one answer */
    AGAIN_US = 15 * SECOND_US,    /* after none */
    LEAST_US = SECOND_US,
    MOST_US = 600 * SECOND_US,
    TURN_MS = 200,
};

struct lamp_ask {
    lamp_uplink *uplink;
    uint8_t token[LAMP_TOKEN_SECRET];
    char name[LAMP_WIRE_NAME_MAX + 1], site[LAMP_WIRE_SITE_MAX + 1], build[65];
    uint64_t at_us, until_us; /* the next attempt; the end of this one */
    struct lamp_msg *msg;     /* the last answer */
};

static bool copy(const char *from, char *to, size_t size)
{
    return snprintf(to, size, "%s", from) < (int)size;
}

int lamp_ask_new(const struct lamp_ask_cfg *cfg, lamp_ask **out)
{
    lamp_ask *a = calloc(1, sizeof(*a));
    if (!a)
        return LAMP_ENOMEM;
    int err = copy(cfg->name, a->name, sizeof(a->name)) &&
                      copy(cfg->site, a->site, sizeof(a->site)) &&
                      copy(cfg->build, a->build, sizeof(a->build))
                  ? LAMP_OK
                  : LAMP_EINVAL;
    if (cfg->token)
        memcpy(a->token, cfg->token, sizeof(a->token));
    if (!err)
        err = lamp_uplink_new(cfg->key, cfg->endpoint, cfg->server_key, NULL, &a->uplink);
    if (err) {
        lamp_ask_free(a);
        return err;
    }
    *out = a;
    return LAMP_OK;
}

lamp_ask *lamp_ask_free(lamp_ask *a)
{
    if (!a)
        return NULL;
    lamp_uplink_free(a->uplink);
    lamp_msg_free(a->msg);
    sodium_memzero(a, sizeof(*a));
    free(a);
    return NULL;
}

static void rest(lamp_ask *a, uint64_t mono_us, uint64_t for_us)
{
    lamp_uplink_close(a->uplink);
    a->at_us = mono_us + (for_us < LEAST_US ? LEAST_US : for_us > MOST_US ? MOST_US : for_us);
}

static int say(lamp_ask *a)
{
    struct lamp_msg m = { .type = LAMP_MSG_ENROLL };
    LAMP_AUTO_FREE uint8_t *data = NULL;
    size_t len;
    memcpy(m.u.enroll.token, a->token, sizeof(a->token));
    m.u.enroll.name = lamp_bytes_of(a->name);
    m.u.enroll.site = lamp_bytes_of(a->site);
    m.u.enroll.build = lamp_bytes_of(a->build);
    const int err = lamp_msg_pack(&m, &data, &len);
    return err ? err : lamp_uplink_send(a->uplink, data, len);
}

/* Handles what the monitor tells. LAMP_EAGAIN: go on. */
static int read_events(lamp_ask *a)
{
    enum lamp_uplink_event event;
    int err = LAMP_EAGAIN;
    while (err == LAMP_EAGAIN && lamp_uplink_next_event(a->uplink, &event)) {
        if (event == LAMP_UPLINK_CONNECTED)
            err = say(a) == LAMP_OK ? LAMP_EAGAIN : LAMP_ETIMEOUT;
        else if (event == LAMP_UPLINK_REFUSED)
            err = LAMP_EFULL;
        else if (event == LAMP_UPLINK_NO_HANDSHAKE)
            err = LAMP_EAUTH;
    }
    return err;
}

static int read_answer(lamp_ask *a, struct lamp_enroll_answer *out)
{
    uint8_t *data;
    size_t len;
    while (lamp_uplink_recv(a->uplink, &data, &len) == LAMP_OK) {
        struct lamp_msg *m = NULL;
        const int err = lamp_msg_unpack(data, len, &m);
        free(data);
        if (err == LAMP_OK && m->type == LAMP_MSG_ENROLL_ANSWER) {
            lamp_msg_free(a->msg);
            a->msg = m;
            *out = m->u.enroll_answer;
            return LAMP_OK;
        }
        lamp_msg_free(err == LAMP_OK ? m : NULL);
    }
    return LAMP_EAGAIN;
}

int lamp_ask_turn(lamp_ask *a, uint64_t mono_us, struct lamp_enroll_answer *out)
{
    if (!lamp_uplink_is_open(a->uplink)) {
        if (mono_us < a->at_us)
            return LAMP_EAGAIN;
        const int err = lamp_uplink_open(a->uplink);
        a->until_us = mono_us + PATIENCE_US;
        if (err)
            a->at_us = mono_us + AGAIN_US;
        return err ? err : LAMP_EAGAIN;
    }
    int err = read_events(a);
    if (err == LAMP_EAGAIN)
        err = read_answer(a, out);
    if (err == LAMP_EAGAIN && mono_us >= a->until_us)
        err = LAMP_ETIMEOUT;
    if (err == LAMP_OK)
        rest(a, mono_us, (uint64_t)out->retry_after_ms * 1000);
    else if (err != LAMP_EAGAIN)
        rest(a, mono_us, AGAIN_US);
    return err;
}

int lamp_ask_wait_ms(const lamp_ask *a, uint64_t mono_us)
{
    if (lamp_uplink_is_open(a->uplink))
        return lamp_uplink_is_ready(a->uplink) ? 0 : 10;
    return mono_us >= a->at_us ? 0 : TURN_MS;
}
