/* SPDX-License-Identifier: Apache-2.0 */
/* reasm: turns the TCP segments of one direction into its bytes in order. Repeated bytes are
 * dropped, overlaps trimmed (the first copy wins), early segments kept until the gap before
 * them fills or is given up. One store per capture thread holds the early segments of all its
 * streams: taken at creation, fixed blocks, at most LAMP_REASM_STREAM_BLOCKS to a stream.
 * Not thread-safe. Never logs, never reads a clock. */
#pragma once

#include "common/err.h"
#include "common/util.h"

typedef struct lamp_reasm lamp_reasm;

enum {
    LAMP_REASM_BLOCK_BYTES = 1500,       /* payload a block holds */
    LAMP_REASM_STREAM_BLOCKS = 12,       /* about 16 KiB of full segments */
    LAMP_REASM_GAP_US = 2 * 1000 * 1000, /* how long a gap may stay open */
    LAMP_REASM_FAR = 16 << 20,           /* sequence distance that cannot be the same flight */
    LAMP_REASM_STRAYS = 4,               /* so many far segments in a row are the new place */
    LAMP_REASM_RECENT = 256,             /* delivered bytes that repetitions are compared with */
};

/* One direction; embed it and set it up with lamp_stream_init(). */
struct lamp_stream {
    uint32_t next_seq;     /* of the next byte to deliver */
    uint32_t head;         /* first early block, in order of sequence numbers */
    uint64_t gap_since_us; /* since when early blocks have waited */
    uint8_t n_blocks, strays;
    bool started, gap; /* gap: bytes before the next delivery are missing */
    uint16_t n_recent; /* of `recent` are known: the bytes just before next_seq, each at its */
    uint8_t recent[LAMP_REASM_RECENT]; /* sequence number modulo the size */
};

struct lamp_segment {
    uint32_t seq;              /* of the first payload byte */
    struct lamp_bytes payload; /* what was captured */
    uint32_t orig_len;         /* what was sent; the difference is a gap */
    uint64_t t_us;
};

struct lamp_reasm_counters {
    uint64_t repeated_bytes; /* had them already */
    uint64_t conflicts;      /* segments that repeat recent bytes as other ones */
    uint64_t dropped_bytes;  /* captured, but far off or no room */
    uint64_t gaps;           /* gaps given up */
};

/* Takes in-order bytes; gap: some before them are missing. False: no more of this segment. */
typedef bool lamp_reasm_fn(struct lamp_bytes bytes, bool gap, void *arg);

/* A store of memory_bytes. LAMP_EINVAL: less than one block. LAMP_ENOMEM. */
LAMP_CHECK int lamp_reasm_new(size_t memory_bytes, lamp_reasm **out);
lamp_reasm *lamp_reasm_free(lamp_reasm *r);

/* A stream that starts at the first segment it is given. */
void lamp_stream_init(struct lamp_stream *s);

/* Makes a fresh stream expect seq first. */
void lamp_stream_start(struct lamp_stream *s, uint32_t seq);

/* Takes a segment and hands everything that is now in order to fn, which may be called
 * several times or not at all. Bytes are valid during the call. */
void lamp_reasm_segment(lamp_reasm *r, struct lamp_stream *s, const struct lamp_segment *seg,
                        lamp_reasm_fn *fn, void *arg);

/* Hands over what waits behind gaps: the flow has ended. */
void lamp_reasm_flush(lamp_reasm *r, struct lamp_stream *s, lamp_reasm_fn *fn, void *arg);

/* Gives the stream's blocks back; it may be initialised again. */
void lamp_stream_done(lamp_reasm *r, struct lamp_stream *s);

struct lamp_reasm_counters lamp_reasm_counters(const lamp_reasm *r);
