/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/link/link.h"

#include "common/clock.h"
#include "common/io.h"
#include "common/log.h"
#include "common/version.h"
#include "sensor/link/credentials.h"
#include "sensor/link/delivery.h"
#include "sensor/link/redial.h"
#include "sensor/link/samples.h"
#include "sensor/link/setsync.h"
#include "sensor/link/uplink.h"
#include "sensor/process/channel.h"
#include "sensor/process/child.h"
#include "sensor/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

enum {
    SECOND_US = 1000 * 1000,
    TURN_US = SECOND_US / 5,
    FINISH_MS = 2000,       /* at the end, for the last acknowledgements */
    CAPTURE_QUIET_MS = 400, /* at the end: capture has no more to say */
    NEIGHBOUR_WAIT_MS = 2000,
    GROUP_MAX = LAMP_SPOOL_GROUP, /* summaries spooled in one transaction */
};

struct link {
    const struct lamp_sensor_conf *conf;
    int capture_fd, enforce_fd;
    struct lamp_spool_taken *taken; /* NULL: nobody keeps it */
    lamp_uplink *uplink;
    lamp_spool *spool;
    lamp_delivery *delivery;
    lamp_samples *samples;
    struct lamp_redial redial;
    bool session_up, capture_gone, spool_failing;
    bool draining; /* capture has ended for good: we end when all is delivered */
    uint64_t dropped_said;

    lamp_credentials *credentials;
    lamp_setsync *sets;
    struct lamp_settings settings; /* `conf` with what the aggregator set for the site */
    uint8_t *buf;                  /* LAMP_CHANNEL_MAX */

    struct lamp_msg *group[GROUP_MAX]; /* of capture, kept until they are in the spool */
    size_t n_group;
};

static struct lamp_now read_clock(void)
{
    return (struct lamp_now){ lamp_clock_real_us(), lamp_clock_mono_us() };
}

static int send_up(const uint8_t *data, size_t len, void *arg)
{
    struct link *l = arg;
    return lamp_uplink_send(l->uplink, data, len);
}

/* ---- the connection ---- */

static void disconnect(struct link *l, uint64_t pause_us, struct lamp_now now)
{
    lamp_uplink_close(l->uplink);
    lamp_delivery_stop(l->delivery);
    l->session_up = false;
    lamp_redial_later(&l->redial, pause_us, now.mono_us);
}

static void connect_if_due(struct link *l, struct lamp_now now)
{
    if (lamp_uplink_is_open(l->uplink) || now.mono_us < l->redial.at_us)
        return;
    lamp_uplink_set_keys(l->uplink, lamp_credentials_key(l->credentials),
                         lamp_credentials_server(l->credentials));
    const int err = lamp_uplink_open(l->uplink);
    if (err) {
        lamp_log_limited(LAMP_LOG_ERROR, "link", "link.endpoint: cannot connect to %s: %s",
                         l->conf->link.endpoint, lamp_strerror(err));
        disconnect(l, 0, now);
        return;
    }
    lamp_delivery_start(l->delivery, lamp_setsync_head(l->sets, LAMP_SET_BLOCK), now);
}

/* The session failed with err: says so and begins anew. */
static void session_failed(struct link *l, int err, uint64_t pause_us, struct lamp_now now)
{
    if (err == LAMP_ESTORE)
        lamp_log_limited(LAMP_LOG_ERROR, "link", "the spool failed: %s",
                         lamp_spool_error(l->spool));
    else if (err == LAMP_ETIMEOUT)
        lamp_log_limited(LAMP_LOG_WARN, "link", "no answer from the aggregator endpoint=%s",
                         l->conf->link.endpoint);
    else
        lamp_log_limited(LAMP_LOG_WARN, "link", "session given up: %s", lamp_strerror(err));
    disconnect(l, pause_us, now);
}

static void on_bye(struct link *l, enum lamp_bye_reason reason, uint64_t pause_us,
                   struct lamp_now now)
{
    static const char *const words[] = {
        [LAMP_BYE_UNSPECIFIED] = "no reason given",
        [LAMP_BYE_UNKNOWN_SESSION] = "it was restarted",
        [LAMP_BYE_SUPERSEDED] = "another sensor uses the same key",
        [LAMP_BYE_REVOKED] = "this sensor's key was revoked",
        [LAMP_BYE_VERSION] = "it speaks another protocol version",
        [LAMP_BYE_OVERLOAD] = "it is overloaded",
        [LAMP_BYE_PROTOCOL] = "we violated the protocol",
    };
    const size_t i = (size_t)reason < ARRAY_LEN(words) ? (size_t)reason : 0;
    lamp_log_limited(pause_us ? LAMP_LOG_WARN : LAMP_LOG_INFO, "link",
                     "the aggregator ended the session: %s", words[i]);
    l->session_up = false;
    if (pause_us)
        disconnect(l, pause_us, now);
    else
        lamp_delivery_start(l->delivery, lamp_setsync_head(l->sets, LAMP_SET_BLOCK), now);
}

/* ---- sets ---- */

/* A list comes as up to 66 messages at once: where the other process is behind, we wait for it a
 * while. What is lost then is asked for again by the next question. */
static void pass(int fd, const char *to, const void *data, size_t len)
{
    int err = lamp_channel_send(fd, data, len);
    if (err == LAMP_EAGAIN) {
        poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, NEIGHBOUR_WAIT_MS);
        err = lamp_channel_send(fd, data, len);
    }
    if (err)
        lamp_log_limited(LAMP_LOG_WARN, "link", "%s takes no messages: %s", to, lamp_strerror(err));
}

static void pass_down(const uint8_t *data, size_t len, void *arg)
{
    pass(((struct link *)arg)->enforce_fd, "enforce", data, len);
}

static void tell_enforce(struct link *l, const struct lamp_msg *m)
{
    LAMP_AUTO_FREE uint8_t *data = NULL;
    size_t len;
    if (lamp_msg_pack(m, &data, &len) == LAMP_OK)
        pass_down(data, len, l);
}

static void tell_state(struct link *l)
{
    struct lamp_msg m = { .type = LAMP_MSG_LOCAL_STATE, .u.local_state.session_up = true };
    m.u.local_state.has_addr = lamp_uplink_peer(l->uplink, &m.u.local_state.aggregator_addr);
    tell_enforce(l, &m);
}

/* ---- settings of the site ---- */

/* Which of them this process holds, so that enforce tells what it lacks. */
static void tell_settings(struct link *l)
{
    const struct lamp_msg m = { .type = LAMP_MSG_LOCAL_REPLY,
                                .u.local_reply.head = l->settings.head };
    tell_enforce(l, &m);
}

/* A part of a set on its way to capture. */
static void on_settings(struct link *l, const struct lamp_msg *m)
{
    const struct lamp_sensor_conf *conf = &l->settings.now;
    if (!lamp_settings_feed(&l->settings, m))
        return;
    lamp_log_setup((enum lamp_log_level)conf->log_level, conf->log_format == 1);
    lamp_samples_rate(l->samples, (uint64_t)conf->link.sample_rate);
}

/* ---- keys ---- */

/* Whether the message is about keys. */
static bool on_key_message(struct link *l, const struct lamp_msg *m, struct lamp_now now)
{
    if (m->type == LAMP_MSG_KEY_STATE) {
        if (lamp_credentials_state(l->credentials, &m->u.key_state)) {
            disconnect(l, 0, now);
            l->redial.at_us = now.mono_us;
        }
    } else if (m->type == LAMP_MSG_SERVER_KEY) {
        lamp_credentials_announced(l->credentials, &m->u.server_key);
        lamp_delivery_server_key(l->delivery, lamp_credentials_server_serial(l->credentials));
    } else {
        return false;
    }
    return true;
}

/* ---- packet samples ---- */

static int send_to_capture(const uint8_t *data, size_t len, void *arg)
{
    return lamp_channel_send(((struct link *)arg)->capture_fd, data, len);
}

static void on_sample_message(struct link *l, const struct lamp_msg *m, struct lamp_now now)
{
    if (m->type == LAMP_MSG_ORDER)
        lamp_samples_order(l->samples, &m->u.order, now.real_us);
    else if (m->type == LAMP_MSG_SAMPLE_ACK)
        lamp_samples_ack(l->samples, &m->u.sample_ack);
}

/* After the summaries: with what these leave of the credit. */
static void pump_samples(struct link *l, struct lamp_now now)
{
    const size_t room = l->session_up ? lamp_delivery_room(l->delivery) : 0;
    lamp_delivery_used(l->delivery, lamp_samples_pump(l->samples, room, now.real_us, now.mono_us));
}

/* ---- what capture alone knows of: what is tracked, and blocks of coins ---- */

/* Hands over when blocks came by our clock. */
static void on_blocks(struct link *l, struct lamp_msg *m)
{
    LAMP_AUTO_FREE uint8_t *packed = NULL;
    size_t len;
    struct lamp_coin_blocks *told = &m->u.coin_blocks;
    for (size_t i = 0; i < told->n_blocks; i++)
        told->blocks[i].t_us -= lamp_delivery_agg_ahead_us(l->delivery);
    if (lamp_msg_pack(m, &packed, &len) == LAMP_OK)
        (void)!send_to_capture(packed, len, l);
}

/* Where capture is behind, or there is none: the aggregator says again what is tracked, and of blocks
 * with the next session. */
static bool pass_to_capture(struct link *l, struct lamp_msg *m, struct lamp_bytes packed)
{
    if (m->type == LAMP_MSG_TRACK)
        (void)!send_to_capture(packed.data, packed.len, l);
    else if (m->type == LAMP_MSG_COIN_BLOCKS)
        on_blocks(l, m);
    else
        return false;
    return true;
}

/* An answer of capture's, where it may go now. */
static void answer_track(struct link *l, size_t len)
{
    if (l->session_up && lamp_delivery_room(l->delivery) >= len &&
        send_up(l->buf, len, l) == LAMP_OK)
        lamp_delivery_used(l->delivery, len);
}

/* ---- what arrives ---- */

static void on_up_message(struct link *l, struct lamp_bytes packed, struct lamp_now now)
{
    struct lamp_msg *m;
    int err = lamp_msg_unpack(packed.data, packed.len, &m);
    if (err) {
        lamp_log_limited(LAMP_LOG_WARN, "link", "message of the aggregator not understood: %s",
                         lamp_strerror(err));
        return;
    }
    enum lamp_bye_reason bye = LAMP_BYE_UNSPECIFIED;
    uint64_t pause_us = 0;
    if (!on_key_message(l, m, now) && !lamp_setsync_take(l->sets, m, packed) &&
        !pass_to_capture(l, m, packed))
        on_sample_message(l, m, now);
    err = lamp_delivery_message(l->delivery, m, now, &bye, &pause_us);
    lamp_msg_free(m);
    if (err == LAMP_EAUTH) {
        on_bye(l, bye, pause_us, now);
    } else if (err) {
        session_failed(l, err, pause_us, now);
    } else if (!l->session_up && lamp_delivery_state(l->delivery) == LAMP_DELIVERY_STREAMING) {
        lamp_log_limited(LAMP_LOG_INFO, "link", "session with the aggregator endpoint=%s",
                         l->conf->link.endpoint);
        lamp_credentials_session(l->credentials);
        l->session_up = true;
        lamp_samples_session(l->samples);
        lamp_setsync_session(l->sets);
        lamp_redial_reset(&l->redial);
        tell_state(l);
    }
}

static void read_uplink(struct link *l)
{
    uint8_t *data;
    size_t len;
    for (unsigned n = 0; n < 256 && lamp_uplink_is_open(l->uplink); n++) {
        if (lamp_uplink_recv(l->uplink, &data, &len) != LAMP_OK)
            return;
        on_up_message(l, (struct lamp_bytes){ data, len }, read_clock());
        free(data);
    }
}

static void on_event(struct link *l, enum lamp_uplink_event event)
{
    switch (event) {
    case LAMP_UPLINK_CONNECTED:
        lamp_delivery_connected(l->delivery, read_clock());
        return;
    case LAMP_UPLINK_DISCONNECTED:
        if (l->session_up)
            lamp_log_limited(LAMP_LOG_WARN, "link", "connection lost endpoint=%s",
                             l->conf->link.endpoint);
        return;
    case LAMP_UPLINK_REFUSED:
        lamp_credentials_refused(l->credentials);
        break;
    case LAMP_UPLINK_NO_HANDSHAKE:
        lamp_credentials_no_handshake(l->credentials);
        break;
    }
    disconnect(l, 0, read_clock()); /* libzmq itself does not try again after these */
}

static void read_events(struct link *l)
{
    enum lamp_uplink_event event;
    while (lamp_uplink_is_open(l->uplink) && lamp_uplink_next_event(l->uplink, &event))
        on_event(l, event);
}

/* What passes on a network cannot wait, so live a full spool gives up its oldest. A file can. */
static bool holds_back(const struct link *l)
{
    return l->conf->replay.files.n > 0 &&
           lamp_spool_bytes(l->spool) > (uint64_t)l->conf->link.spool_quota_bytes / 2;
}

/* From here on the summary is nowhere but with us. */
static void note_taken(struct link *l, const struct lamp_summary *m)
{
    if (!l->taken)
        return;
    const size_t n = atomic_load(&l->taken->n) + 1;
    const size_t at = n % LAMP_SPOOL_GROUP;
    l->taken->newest[at].t_from_us = m->t_from_us;
    l->taken->newest[at].t_to_us = m->t_to_us;
    l->taken->newest[at].n_rows = m->n_rows;
    l->taken->newest[at].n_bytes = m->n_bytes;
    atomic_store(&l->taken->n, n);
}

/* Takes what capture has to say, up to a whole group of summaries. */
static void fill_group(struct link *l)
{
    while (l->n_group < GROUP_MAX && !l->capture_gone && !holds_back(l)) {
        size_t len;
        struct lamp_msg *m;
        int err = lamp_channel_recv(l->capture_fd, l->buf, &len);
        if (err == LAMP_EAGAIN)
            return;
        if (err) {
            l->capture_gone = true;
            return;
        }
        err = lamp_msg_unpack(l->buf, len, &m);
        if (err) {
            lamp_log_limited(LAMP_LOG_ERROR, "link", "a summary was not spooled, ignoring it: %s",
                             lamp_strerror(err));
            continue;
        }
        if (m->type == LAMP_MSG_SUMMARY) {
            note_taken(l, &m->u.summary);
            l->group[l->n_group++] = m;
            continue;
        }
        if (m->type == LAMP_MSG_LOCAL_NAMES || m->type == LAMP_MSG_LOCAL_REPLY)
            pass_down(l->buf, len, l);
        else if (m->type == LAMP_MSG_LOCAL_SAMPLE)
            lamp_samples_take(l->samples, &m->u.local_sample);
        else if (m->type == LAMP_MSG_ORDER_STATUS)
            answer_track(l, len);
        if (m->type == LAMP_MSG_LOCAL_REPLY && m->u.local_reply.head.kind == LAMP_SET_POLICY)
            tell_settings(l);
        lamp_msg_free(m);
    }
}

static void forget_group(struct link *l)
{
    while (l->n_group > 0)
        lamp_msg_free(l->group[--l->n_group]);
}

/* While the spool fails, the group in hand is tried again each turn, and the other summaries
 * stay where they are: with capture, which bounds and counts them. */
static void read_capture(struct link *l)
{
    for (unsigned n = 0; n < 4; n++) {
        const struct lamp_summary *group[GROUP_MAX];
        fill_group(l);
        if (l->n_group == 0)
            return;
        for (size_t i = 0; i < l->n_group; i++)
            group[i] = &l->group[i]->u.summary;
        const int err = lamp_delivery_append(l->delivery, group, l->n_group, read_clock());
        l->spool_failing = err != LAMP_OK;
        if (err) {
            lamp_log_limited(LAMP_LOG_ERROR, "link",
                             "summaries were not spooled, trying again: %s: %s", lamp_strerror(err),
                             lamp_spool_error(l->spool));
            return;
        }
        forget_group(l);
    }
}

static void on_enforce_message(struct link *l, const struct lamp_msg *m, size_t len)
{
    switch (m->type) {
    case LAMP_MSG_SET_STATUS:
        lamp_setsync_status(l->sets, &m->u.set_status, (struct lamp_bytes){ l->buf, len });
        break;
    case LAMP_MSG_LOCAL_REPLY: /* enforce (re)started: tell it where we are */
        lamp_setsync_holds(l->sets, &m->u.local_reply.head);
        if (m->u.local_reply.head.kind == LAMP_SET_BLOCK && l->session_up)
            tell_state(l);
        break;
    case LAMP_MSG_LOCAL_NAMES:
        /* Where capture is behind: enforce says it again. */
        if (lamp_channel_send(l->capture_fd, l->buf, len) != LAMP_OK)
            lamp_log_limited(LAMP_LOG_DEBUG, "link", "capture takes no messages");
        break;
    case LAMP_MSG_SET_BEGIN:
    case LAMP_MSG_SET_CHUNK:
    case LAMP_MSG_SET_END:
        on_settings(l, m);
        pass(l->capture_fd, "capture", l->buf, len);
        break;
    default:
        break;
    }
}

static void read_enforce(struct link *l)
{
    size_t len;
    while (lamp_channel_recv(l->enforce_fd, l->buf, &len) == LAMP_OK) {
        struct lamp_msg *m;
        if (lamp_msg_unpack(l->buf, len, &m) != LAMP_OK)
            continue;
        on_enforce_message(l, m, len);
        lamp_msg_free(m);
    }
}

/* ---- the loop ---- */

static void wait_for_work(const struct link *l)
{
    struct pollfd p[4] = {
        { .fd = l->capture_gone || l->spool_failing || holds_back(l) ? -1 : l->capture_fd,
          .events = POLLIN },
        { .fd = l->enforce_fd, .events = POLLIN },
        { .fd = -1, .events = POLLIN },
        { .fd = -1, .events = POLLIN },
    };
    lamp_uplink_fds(l->uplink, &p[2].fd, &p[3].fd);
    const int ms = lamp_clock_poll_ms(TURN_US);
    (void)poll(p, ARRAY_LEN(p), lamp_uplink_is_ready(l->uplink) ? 0 : ms);
}

static void turn(struct link *l)
{
    read_capture(l);
    read_enforce(l);
    connect_if_due(l, read_clock());
    read_events(l);
    read_uplink(l);
    const struct lamp_now now = read_clock();
    const int err = lamp_delivery_tick(l->delivery, now);
    if (err)
        session_failed(l, err, 0, now);
    if (l->session_up)
        lamp_setsync_turn(l->sets, now.mono_us);
    pump_samples(l, now);
    if (l->session_up)
        lamp_credentials_tell_next(l->credentials);
    if (lamp_credentials_ask(l->credentials, now.mono_us))
        lamp_redial_reset(&l->redial);
    if (lamp_spool_dropped(l->spool) != l->dropped_said) {
        l->dropped_said = lamp_spool_dropped(l->spool);
        lamp_log_limited(LAMP_LOG_WARN, "link",
                         "link.spool_quota reached: the oldest summaries "
                         "were dropped and declared lost, records=%" PRIu64,
                         l->dropped_said);
    }
}

/* Takes what capture still says, which may be told to end at the same moment, until it has
 * been quiet for a while; nothing may follow the CLOSE. */
static void take_last_summaries(struct link *l)
{
    for (int waited = 0; waited < FINISH_MS && !l->capture_gone; waited += CAPTURE_QUIET_MS) {
        struct pollfd p = { .fd = l->capture_fd, .events = POLLIN };
        if (poll(&p, 1, CAPTURE_QUIET_MS) <= 0)
            break;
        read_capture(l);
        if (l->spool_failing)
            break;
    }
    l->capture_gone = true;
}

static void finish(struct link *l)
{
    take_last_summaries(l);
    lamp_delivery_finish(l->delivery, read_clock());
    for (int waited = 0;
         waited < FINISH_MS && l->session_up && !lamp_delivery_finished(l->delivery);
         waited += 20) {
        turn(l);
        poll(NULL, 0, 20);
    }
}

/* What the link process before had in hand when it ended is declared lost; then we begin to count. */
static int settle(struct link *l)
{
    uint64_t lost = 0;
    if (!l->taken)
        return LAMP_OK;
    int err = lamp_spool_declare(l->spool, l->taken, &lost);
    if (lost)
        lamp_log(LAMP_LOG_WARN, "link",
                 "the process before ended with summaries that were not spooled, they are declared "
                 "lost records=%" PRIu64,
                 lost);
    if (err == LAMP_EPROTO)
        err = LAMP_OK; /* nothing that we could have written */
    atomic_store(&l->taken->n, 0);
    return err ? err : lamp_spool_current(l->spool, &l->taken->stream);
}

static int open_spool(struct link *l)
{
    char dir[PATH_MAX], damaged[PATH_MAX], why[256];
    const bool in_memory = l->conf->link.spool == LAMP_SPOOL_IN_MEMORY;
    snprintf(dir, sizeof(dir), "%s/spool", l->conf->state_dir);
    const int err =
        lamp_spool_open(in_memory ? NULL : dir, (uint64_t)l->conf->link.spool_quota_bytes,
                        lamp_clock_real_us(), &l->spool, damaged, why);
    if (damaged[0])
        lamp_log(LAMP_LOG_ERROR, "link",
                 "the spool was damaged and is set aside, going on with "
                 "an empty one file=%s",
                 damaged);
    if (err)
        lamp_log(LAMP_LOG_ERROR, "link", "sensor.state_dir: cannot open the spool in %s: %s: %s",
                 dir, lamp_strerror(err), why);
    return err;
}

static void boot_id(char out[37])
{
    char *text;
    size_t len;
    out[0] = '\0';
    if (lamp_io_read_file("/proc/sys/kernel/random/boot_id", 64, &text, &len) != LAMP_OK)
        return;
    snprintf(out, 37, "%.36s", text);
    free(text);
}

static int open_samples(struct link *l, const char *folder)
{
    const struct lamp_samples_cfg cfg = {
        .folder = l->conf->link.spool == LAMP_SPOOL_IN_MEMORY ? NULL : folder,
        .quota_bytes = (uint64_t)l->conf->link.sample_quota_bytes,
        .rate = (uint64_t)l->conf->link.sample_rate,
        .to_capture = send_to_capture,
        .to_aggregator = send_up,
        .arg = l,
    };
    const int err = lamp_samples_open(&cfg, lamp_clock_real_us(), &l->samples);
    if (!err && *lamp_samples_error(l->samples))
        lamp_log(LAMP_LOG_WARN, "link", "sensor.state_dir: no packet samples: %s",
                 lamp_samples_error(l->samples));
    return err;
}

static int start(struct link *l)
{
    int err = lamp_credentials_open(l->conf, send_up, l, &l->credentials);
    if (err)
        return err;
    err = lamp_uplink_new(lamp_credentials_key(l->credentials), l->conf->link.endpoint,
                          lamp_credentials_server(l->credentials), NULL, &l->uplink);
    if (err) {
        lamp_log(LAMP_LOG_ERROR, "link", "cannot make a socket: %s", lamp_strerror(err));
        return err;
    }
    err = lamp_child_drop("link", l->conf->user, 0);
    if (!err)
        err = open_spool(l);
    if (!err)
        err = settle(l);
    if (err)
        return err;
    struct lamp_delivery_cfg cfg = {
        .spool = l->spool, .build = LAMP_VERSION, .send = send_up, .arg = l
    };
    boot_id(cfg.boot_id);
    l->buf = malloc(LAMP_CHANNEL_MAX);
    /* ZeroMQ starts its threads with the first socket, so they are in the sandbox too. */
    char folder[PATH_MAX];
    snprintf(folder, sizeof(folder), "%s/spool", l->conf->state_dir);
    const struct lamp_sandbox sandbox = { .kind = LAMP_SANDBOX_LINK, .folder = folder };
    err = lamp_child_confine("link", &sandbox);
    if (err)
        return err;
    err = l->buf ? lamp_delivery_new(&cfg, &l->delivery) : LAMP_ENOMEM;
    const struct lamp_setsync_cfg sets = { .refresh_us =
                                               (uint64_t)l->conf->link.refresh_s * SECOND_US,
                                           .to_aggregator = send_up,
                                           .to_enforce = pass_down,
                                           .arg = l };
    if (!err)
        err = lamp_setsync_new(&sets, &l->sets);
    if (!err)
        lamp_delivery_server_key(l->delivery, lamp_credentials_server_serial(l->credentials));
    return err ? err : open_samples(l, folder);
}

/* Whether the aggregator has all that there will ever be: capture has read its files to their end. */
static bool has_delivered_all(struct link *l)
{
    if (!l->capture_gone || l->n_group > 0)
        return false;
    if (!l->draining)
        lamp_delivery_finish(l->delivery, read_clock());
    l->draining = true;
    return lamp_delivery_finished(l->delivery);
}

int lamp_link_run(const struct lamp_sensor_conf *conf, int capture_fd, int enforce_fd,
                  struct lamp_spool_taken *taken, int ready_fd)
{
    struct link l = {
        .conf = conf, .capture_fd = capture_fd, .enforce_fd = enforce_fd, .taken = taken
    };
    lamp_redial_reset(&l.redial);
    lamp_settings_init(&l.settings, conf);
    int status = LAMP_EXIT_CONFIG;
    if (start(&l) == LAMP_OK) {
        lamp_child_ready(ready_fd);
        while (!lamp_child_stopping() && !lamp_spool_is_damaged(l.spool) &&
               !has_delivered_all(&l)) {
            turn(&l);
            wait_for_work(&l);
        }
        status = lamp_spool_is_damaged(l.spool) ? 1 : 0;
        if (status)
            lamp_log(LAMP_LOG_ERROR, "link", "the spool is damaged, beginning anew: %s",
                     lamp_spool_error(l.spool));
        else
            finish(&l);
    }
    lamp_delivery_free(l.delivery);
    lamp_samples_close(l.samples);
    lamp_uplink_free(l.uplink);
    lamp_credentials_close(l.credentials);
    lamp_spool_close(l.spool);
    lamp_setsync_free(l.sets);
    lamp_settings_done(&l.settings);
    free(l.buf);
    forget_group(&l);
    return status;
}
