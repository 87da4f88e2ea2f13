/* SPDX-License-Identifier: Apache-2.0 */
/* unwrap: takes off what stands around the lines of a mining protocol, in both directions of a flow
 * and in any order: PROXY protocol 1 and 2 (HAProxy, proxy-protocol.txt), SOCKS 4, 4a and 5 (RFC
 * 1928, 1929), HTTP CONNECT (RFC 9110 9.3.6), bodies of HTTP/1 messages (RFC 9112) and WebSocket
 * messages (RFC 6455, 7692). Each direction is a small state machine that goes from one wrapper to
 * the next; where bytes were split changes nothing. Not thread-safe; never logs, no clock. */
#pragma once

#include "sensor/engine/conn.h"
#include "sensor/unwrap/http.h"
#include "sensor/unwrap/inflate.h"
#include "sensor/unwrap/pieces.h"

enum {
    LAMP_UNWRAP_HEAD_MAX = 8192,       /* longest HTTP head, bytes */
    LAMP_UNWRAP_LAYERS = 8,            /* wrappers taken off one after another */
    LAMP_UNWRAP_MESSAGE_MAX = 1 << 18, /* bytes that one packed message may unpack to */
};

/* What all flows of a classifier share. */
typedef struct lamp_unwrapper lamp_unwrapper;

/* n_pieces: messages put together, n_inflaters: packed streams read at the same time.
 * LAMP_EINVAL: one of them is 0. LAMP_ENOMEM. */
LAMP_CHECK int lamp_unwrapper_new(size_t n_pieces, size_t n_inflaters, lamp_unwrapper **out);
lamp_unwrapper *lamp_unwrapper_free(lamp_unwrapper *w);
size_t lamp_unwrapper_memory(size_t n_pieces, size_t n_inflaters);

/* Its buffers, which others may use too. */
lamp_pieces *lamp_unwrapper_pieces(lamp_unwrapper *w);

/* One direction; unwrap.c's own. */
struct lamp_unwrap_half {
    uint8_t state; /* enum state in unwrap.c */
    uint8_t layers;
    uint8_t n_fresh, n_header, mask_at, opcode, n_heads;
    bool begun;   /* something of this message has come out */
    bool plain;   /* the first bytes of a plain stream are to come out */
    bool silent;  /* nothing of this message is wanted */
    bool sniffed; /* whether it is wanted is decided */
    bool final, masked, packed, tail, more;
    uint8_t fresh[16];  /* bytes that do not tell yet what they are */
    uint8_t header[14]; /* of the WebSocket frame */
    uint16_t searched;  /* bytes of the held head without its end */
    uint32_t unpacked;  /* bytes of this message */
    uint64_t left;      /* bytes of body, chunk or frame that are still to come */
    struct lamp_held held;
    struct lamp_inflate inflate;
};

/* The state of one flow; zero-initialise, give back with lamp_unwrap_done(). */
struct lamp_unwrap {
    struct lamp_unwrap_half half[2]; /* by enum lamp_dir */
    bool connecting;                 /* a CONNECT waits for its answer */
    bool hopeless;                   /* HTTP that is no mining */
    struct lamp_tunnel tunnel;       /* the innermost; kind NULL: none */
};

enum lamp_unwrap_event {
    LAMP_UNWRAP_MORE,  /* all bytes are used up */
    LAMP_UNWRAP_HEAD,  /* an HTTP head is complete */
    LAMP_UNWRAP_BYTES, /* bytes of what is inside */
};

struct lamp_unwrapped {
    struct lamp_http_head head; /* of LAMP_UNWRAP_HEAD */
    struct lamp_bytes bytes;    /* of LAMP_UNWRAP_BYTES */
    bool anew;                  /* they do not go on from those before */
    bool message; /* they are of a message, which may hold anything, not of a stream */
    bool http;    /* that message is of HTTP */
    bool given;   /* they are part of the bytes that were given */
};

/* Looks through *bytes, the next of that direction, and moves it past what was used up, until
 * something happens. *out lasts until the next call. */
enum lamp_unwrap_event lamp_unwrap_next(lamp_unwrapper *w, struct lamp_unwrap *u, enum lamp_dir dir,
                                        struct lamp_bytes *bytes, struct lamp_unwrapped *out);

/* Bytes are missing before the next ones. */
void lamp_unwrap_gap(struct lamp_unwrap *u, enum lamp_dir dir);

/* Of a stream whose start or middle is missing: whether a wrapper begins with these bytes, which
 * came out as the stream's own. If so they are to be given again. */
bool lamp_unwrap_again(struct lamp_unwrap *u, enum lamp_dir dir, struct lamp_bytes rest);

/* Whether the first bytes of a payload begin a wrapper that may hold mining: a few compares, and
 * one look through the head of an HTTP message. */
enum lamp_unwrap_first {
    LAMP_UNWRAP_FIRST_OTHER, /* none of ours */
    LAMP_UNWRAP_FIRST_MAYBE, /* worth a look */
    LAMP_UNWRAP_FIRST_NEVER, /* HTTP as browsers speak it */
};
enum lamp_unwrap_first lamp_unwrap_first(struct lamp_bytes payload);

void lamp_unwrap_done(struct lamp_unwrap *u);
