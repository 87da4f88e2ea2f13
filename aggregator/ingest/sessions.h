/* SPDX-License-Identifier: Apache-2.0 */
/* sessions: the newest session of each sensor and the connection it came over. One sensor has
 * one session: the newest HELLO wins. As many entries as sensors ever connected, which the
 * allow table bounds (16,384). The ingest thread's. */
#pragma once

#include "aggregator/allow.h"
#include "proto/wire.h"

enum { LAMP_ROUTING_MAX = 255 };

struct lamp_session {
    struct lamp_allowed who; /* as of its HELLO */
    bool live;
    struct lamp_session_id id;
    uint8_t routing[LAMP_ROUTING_MAX]; /* ZeroMQ's name of the connection */
    size_t routing_len;
    uint64_t bytes;            /* received in this session */
    uint64_t credit;           /* how many it may have sent by now */
    uint64_t takeover_from_us; /* start of the minute in which takeovers count */
    unsigned takeovers;
};

typedef struct lamp_sessions lamp_sessions;

LAMP_CHECK int lamp_sessions_new(lamp_sessions **out);
lamp_sessions *lamp_sessions_free(lamp_sessions *s);

/* NULL: the sensor never said HELLO. Valid until lamp_sessions_free(). */
struct lamp_session *lamp_sessions_find(lamp_sessions *s, const char *sensor);

/* Finds or makes. LAMP_EFULL, LAMP_ENOMEM. */
LAMP_CHECK int lamp_sessions_get(lamp_sessions *s, const char *sensor, struct lamp_session **out);

/* Lends fn every live session. */
typedef void lamp_session_fn(struct lamp_session *s, void *arg);
void lamp_sessions_each(lamp_sessions *s, lamp_session_fn *fn, void *arg);
