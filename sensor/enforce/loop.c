/* SPDX-License-Identifier: Apache-2.0 */
/* The enforce process around lamp_enforce. */
#include "sensor/enforce/enforce.h"

#include "common/clock.h"
#include "common/log.h"
#include "sensor/process/channel.h"
#include "sensor/process/child.h"
#include "sensor/settings.h"

#include <limits.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdio.h>

enum { TICK_US = 1000 * 1000 };

static void send_message(int fd, const struct lamp_msg *m)
{
    LAMP_AUTO_FREE uint8_t *data = NULL;
    size_t len;
    int err = lamp_msg_pack(m, &data, &len);
    if (!err)
        err = lamp_channel_send(fd, data, len);
    if (err)
        lamp_log_limited(LAMP_LOG_WARN, "enforce", "cannot report: %s", lamp_strerror(err));
}

static void report(lamp_enforce *e, const struct lamp_settings *settings, int fd)
{
    static const char *const names[] = { "", "watch", "block", "never", "policy" };
    struct lamp_msg m = { .type = LAMP_MSG_SET_STATUS };
    struct lamp_set_status *s = &m.u.set_status;
    while (lamp_enforce_status(e, lamp_clock_real_us(), s)) {
        if (s->code)
            lamp_log_limited(LAMP_LOG_WARN, "enforce", "%s list: %s: %.*s", names[s->head.kind],
                             lamp_strerror(s->code), (int)s->detail.len,
                             (const char *)s->detail.data);
        lamp_log(LAMP_LOG_DEBUG, "enforce",
                 "set=%s state=%d serial=%llu elements=%u hits=%zu refused=%zu repairs=%llu "
                 "cut=%llu",
                 names[s->head.kind], s->state, (unsigned long long)s->head.serial, s->elements,
                 s->n_hits, s->n_refused_ids, (unsigned long long)s->repairs,
                 (unsigned long long)s->flows_cut);
        if (s->head.kind == LAMP_SET_POLICY && !s->code)
            s->detail = lamp_bytes_of(settings->detail);
        send_message(fd, &m);
    }
}

struct send_arg {
    int fd;
    struct lamp_settings *settings; /* this process's */
};

/* The settings of the site are another: one line for whoever looks at the router. */
static void on_settings(const struct lamp_settings *s)
{
    lamp_log_setup((enum lamp_log_level)s->now.log_level, s->now.log_format == 1);
    lamp_log(LAMP_LOG_INFO, "enforce", "settings of the site serial=%llu %s",
             (unsigned long long)s->head.serial, s->detail);
}

/* What link and capture are to know; lost where link is behind, then they say that they lack it. */
static int send_down(const struct lamp_msg *m, void *arg)
{
    const struct send_arg *to = arg;
    send_message(to->fd, m);
    if (lamp_settings_feed(to->settings, m))
        on_settings(to->settings);
    return LAMP_OK;
}

static void tell_others(lamp_enforce *e, struct lamp_settings *settings, int fd)
{
    struct send_arg to = { fd, settings };
    if (lamp_enforce_tell(e, send_down, &to) != LAMP_OK)
        lamp_log_limited(LAMP_LOG_WARN, "enforce", "link cannot be told of a set");
}

static void ask_for_names(lamp_enforce *e, int fd)
{
    struct lamp_msg m = { .type = LAMP_MSG_LOCAL_NAMES };
    if (lamp_enforce_names(e, lamp_clock_real_us(), &m.u.local_names))
        send_message(fd, &m);
}

static void greet(lamp_enforce *e, int fd, enum lamp_enforce_mode mode)
{
    for (enum lamp_set_kind k = LAMP_SET_WATCH; k <= LAMP_SET_POLICY; k++) {
        const struct lamp_msg m = { .type = LAMP_MSG_LOCAL_REPLY,
                                    .u.local_reply = { lamp_enforce_head(e, k), mode } };
        send_message(fd, &m);
    }
}

static void serve(lamp_enforce *e, struct lamp_settings *settings, int fd, uint8_t *buf)
{
    uint64_t tick_us = 0;
    while (!lamp_child_stopping()) {
        size_t len;
        int err;
        while ((err = lamp_channel_recv(fd, buf, &len)) == LAMP_OK)
            if (lamp_enforce_message(e, (struct lamp_bytes){ buf, len }, lamp_clock_real_us()))
                break; /* the status says what is wrong with it */
        const uint64_t now_us = lamp_clock_mono_us();
        if (now_us - tick_us >= TICK_US) {
            lamp_enforce_tick(e, lamp_clock_real_us());
            tick_us = now_us;
        }
        tell_others(e, settings, fd);
        report(e, settings, fd);
        ask_for_names(e, fd);
        /* Until the next tick and no longer: ticks count the seconds of a confirmation. */
        const uint64_t spent_us = lamp_clock_mono_us() - tick_us;
        if (err && spent_us < TICK_US)
            poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1,
                 lamp_clock_poll_ms(TICK_US - spent_us));
    }
}

int lamp_enforce_run(const struct lamp_sensor_conf *conf, int fd, int ready_fd)
{
    char dir[PATH_MAX];
    snprintf(dir, sizeof(dir), "%s/" LAMP_ENFORCE_DIR, conf->state_dir);
    struct lamp_enforce_cfg cfg = {
        .set = { .site = conf->site, .dir = dir },
        .mode = (enum lamp_enforce_mode)conf->enforce.mode,
        .priority = (int)conf->enforce.priority,
        .confirm_s = (unsigned)conf->enforce.confirm_s,
        .never = conf->never_prefixes,
        .n_never = conf->enforce.never.n,
        .resolvers = conf->resolver_prefixes,
        .n_resolvers = conf->enforce.resolvers.n,
        .root = "",
    };
    memcpy(cfg.set.list_key, conf->list_key_bytes, sizeof(cfg.set.list_key));

    struct lamp_settings settings;
    lamp_settings_init(&settings, conf);
    lamp_enforce *e = NULL;
    uint8_t *buf = malloc(LAMP_CHANNEL_MAX);
    int err = lamp_child_drop("enforce", conf->enforce.user, 1ULL << CAP_NET_ADMIN);
    if (!err)
        err = buf ? lamp_nft_open(&cfg.backend) : LAMP_ENOMEM;
    if (!err && lamp_cut_open(&cfg.cut) != LAMP_OK)
        lamp_log(LAMP_LOG_WARN, "enforce",
                 "no connection tracking: flows in a flow table go on until they end");
    const struct lamp_sandbox sandbox = { .kind = LAMP_SANDBOX_ENFORCE, .folder = dir };
    if (!err)
        err = lamp_child_confine("enforce", &sandbox);
    if (!err)
        err = lamp_enforce_new(&cfg, lamp_clock_real_us(), &e);
    if (err) {
        lamp_log(LAMP_LOG_ERROR, "enforce", "cannot start: %s", lamp_strerror(err));
    } else {
        lamp_child_ready(ready_fd);
        greet(e, fd, cfg.mode);
        serve(e, &settings, fd, buf);
    }
    lamp_settings_done(&settings);
    lamp_enforce_free(e);
    lamp_nft_close(&cfg.backend);
    lamp_cut_close(&cfg.cut);
    free(buf);
    return err ? LAMP_EXIT_CONFIG : 0;
}
