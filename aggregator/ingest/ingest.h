/* SPDX-License-Identifier: Apache-2.0 */
/* ingest: the thread that talks to sensors: one ZeroMQ ROUTER with CURVE. It checks who sent
 * each message (the key of the connection, read from the payload frame), keeps sessions, hands
 * what counts to the writer and sends what the writer answers. It never drops what a sensor
 * sent: while the writer is behind it reads no further. docs/WIRE.md has the rules. */
#pragma once

#include "aggregator/allow.h"
#include "aggregator/handover/mailbox.h"
#include "aggregator/keys.h"

typedef struct lamp_ingest lamp_ingest;

struct lamp_ingest_cfg {
    const char *listen;           /* "tcp://0.0.0.0:5667"; borrowed during the start */
    const struct lamp_keys *keys; /* likewise */
    lamp_allow *allow;            /* borrowed until the stop, as the mailboxes are */
    lamp_mailbox *to_writer, *from_writer;
};

/* Binds and starts the thread. `why` (size bytes) says what failed. LAMP_EEXIST: something
 * listens at that address already. LAMP_EINVAL: no such address. LAMP_EIO, LAMP_ENOMEM. */
LAMP_CHECK int lamp_ingest_start(const struct lamp_ingest_cfg *cfg, lamp_ingest **out, char *why,
                                 size_t size);

/* Stops receiving (on return no further letter reaches the writer), while answers still go out. */
void lamp_ingest_quiesce(lamp_ingest *i);

/* Sends what is left in from_writer, then closes. Accepts NULL. Returns NULL. */
lamp_ingest *lamp_ingest_stop(lamp_ingest *i);

/* What was not taken, since the start. */
struct lamp_ingest_counts {
    uint64_t unknown_keys;     /* connections refused */
    uint64_t no_user, revoked; /* messages without a key, or of one not allowed any more */
    uint64_t malformed, unknown_type, unknown_session, unsent;
    uint64_t greedy; /* sessions ended since they sent more than they had credit for */
};
void lamp_ingest_counts(const lamp_ingest *i, struct lamp_ingest_counts *out);
