/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ingest/router.h"

#include <errno.h>

static int set_ints(void *router, const struct lamp_router_opt *opts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (zmq_setsockopt(router, opts[i].option, &opts[i].value, sizeof(int)) != 0)
            return LAMP_EIO;
    return LAMP_OK;
}

static int set_options(void *router, const struct lamp_router_cfg *cfg)
{
    static const struct lamp_router_opt common[] = {
        { ZMQ_ROUTER_MANDATORY, 1 },     { ZMQ_ROUTER_HANDOVER, 0 },
        { ZMQ_HANDSHAKE_IVL, 3000 },     { ZMQ_TCP_MAXRT, 20000 },
        { ZMQ_TCP_KEEPALIVE, 1 },        { ZMQ_TCP_KEEPALIVE_IDLE, 30 },
        { ZMQ_TCP_KEEPALIVE_INTVL, 10 }, { ZMQ_TCP_KEEPALIVE_CNT, 3 },
        { ZMQ_CURVE_SERVER, 1 },         { ZMQ_IPV6, 1 },
    };
    if (set_ints(router, common, ARRAY_LEN(common)) != LAMP_OK ||
        set_ints(router, cfg->opts, cfg->n_opts) != LAMP_OK ||
        zmq_setsockopt(router, ZMQ_MAXMSGSIZE, &cfg->message_max, sizeof(cfg->message_max)) != 0 ||
        zmq_setsockopt(router, ZMQ_ZAP_DOMAIN, cfg->zap_domain, strlen(cfg->zap_domain)) != 0 ||
        zmq_setsockopt(router, ZMQ_CURVE_PUBLICKEY, cfg->keys->curve_public, 41) != 0 ||
        zmq_setsockopt(router, ZMQ_CURVE_SECRETKEY, cfg->keys->curve_secret, 41) != 0)
        return LAMP_EIO;
    return LAMP_OK;
}

int lamp_router_bind(const struct lamp_router_cfg *cfg, const char *endpoint, void **out)
{
    void *router = zmq_socket(cfg->context, ZMQ_ROUTER);
    if (!router)
        return LAMP_EIO;
    int err = set_options(router, cfg);
    if (err == LAMP_OK && zmq_bind(router, endpoint) != 0)
        err = zmq_errno() == EADDRINUSE ? LAMP_EEXIST : LAMP_EINVAL;
    if (err != LAMP_OK) {
        const int why = errno;
        const int zero = 0;
        zmq_setsockopt(router, ZMQ_LINGER, &zero, sizeof(zero));
        zmq_close(router);
        errno = why;
        return err;
    }
    *out = router;
    return LAMP_OK;
}

enum lamp_router_got lamp_router_receive(void *router, lamp_router_fn *fn, void *arg)
{
    zmq_msg_t routing, payload;
    zmq_msg_init(&routing);
    zmq_msg_init(&payload);
    const bool got = zmq_msg_recv(&routing, router, ZMQ_DONTWAIT) >= 0;
    bool whole = got && zmq_msg_more(&routing) && zmq_msg_recv(&payload, router, ZMQ_DONTWAIT) >= 0;
    bool more = whole && zmq_msg_more(&payload);
    whole = whole && !more;
    while (more) { /* extra frames: drop the message as a whole */
        zmq_msg_t extra;
        zmq_msg_init(&extra);
        more = zmq_msg_recv(&extra, router, ZMQ_DONTWAIT) >= 0 && zmq_msg_more(&extra);
        zmq_msg_close(&extra);
    }
    const bool good = whole && fn(&routing, &payload, arg);
    zmq_msg_close(&routing);
    zmq_msg_close(&payload);
    return !got ? LAMP_ROUTER_EMPTY : good ? LAMP_ROUTER_HANDLED : LAMP_ROUTER_MALFORMED;
}
