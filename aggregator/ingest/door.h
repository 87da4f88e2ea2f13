/* SPDX-License-Identifier: Apache-2.0 */
/* door: where strangers ask to be let in: a thread with a ROUTER that admits every CURVE key, and
 * takes ENROLL alone. It has an endpoint and a ZeroMQ context of its own, so that nothing a
 * stranger does, however much, is on the socket or the I/O thread of the enrolled sensors.
 *
 * Limits: messages of 1 KiB, 256 connections (then, and after a minute, all are closed; who still
 * wants something asks again), 10 questions at once and one a second from a source (an IPv4 address
 * or IPv6 /64; 256 sources are remembered), 10 tokens tried a second in all. Strangers make the
 * aggregator write nothing to its disk, but for one who has a token. docs/WIRE.md, Enrolment. */
#pragma once

#include "aggregator/allow.h"
#include "aggregator/handover/command.h"
#include "aggregator/handover/pending.h"
#include "aggregator/keys.h"

typedef struct lamp_door lamp_door;

struct lamp_door_cfg {
    const char *listen;           /* "tcp://0.0.0.0:5668" */
    const struct lamp_keys *keys; /* all borrowed until the stop */
    lamp_allow *allow;
    lamp_pending *pending;
    lamp_commands *commands;
};

/* Binds and starts the thread. Errors as lamp_ingest_start(). */
LAMP_CHECK int lamp_door_start(const struct lamp_door_cfg *cfg, lamp_door **out, char *why,
                               size_t size);

/* Accepts NULL. Returns NULL. */
lamp_door *lamp_door_stop(lamp_door *d);

/* Since the start. */
struct lamp_door_counts {
    uint64_t asked, accepted, refused;
    uint64_t later;     /* were told to come again later: too many, or the writer was busy */
    uint64_t malformed; /* were no ENROLL; not answered */
    uint64_t turned_away, renewed; /* connections past the limit; times that all were closed */
};
void lamp_door_counts(const lamp_door *d, struct lamp_door_counts *out);
