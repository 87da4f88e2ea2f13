/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/engine/reasm.h"

#include <assert.h>

enum { NONE = UINT32_MAX };

struct block {
    uint32_t seq, next;
    uint16_t len;
    uint8_t data[LAMP_REASM_BLOCK_BYTES];
};

struct lamp_reasm {
    struct block *blocks; /* n_blocks; only the first n_used have been in use so far */
    uint32_t n_blocks, n_used;
    uint32_t free; /* of those, chained by `next` */
    struct lamp_reasm_counters n;
};

int lamp_reasm_new(size_t memory_bytes, lamp_reasm **out)
{
    assert(out);
    size_t n = memory_bytes / sizeof(struct block);
    if (n == 0 || n >= NONE)
        return LAMP_EINVAL;
    lamp_reasm *r = calloc(1, sizeof(*r));
    if (!r)
        return LAMP_ENOMEM;
    r->blocks = malloc(n * sizeof(*r->blocks));
    if (!r->blocks) {
        lamp_reasm_free(r);
        return LAMP_ENOMEM;
    }
    r->n_blocks = (uint32_t)n;
    r->free = NONE;
    *out = r;
    return LAMP_OK;
}

lamp_reasm *lamp_reasm_free(lamp_reasm *r)
{
    if (r)
        free(r->blocks);
    free(r);
    return NULL;
}

void lamp_stream_init(struct lamp_stream *s)
{
    s->head = NONE;
    s->next_seq = 0;
    s->gap_since_us = 0;
    s->n_blocks = s->strays = 0;
    s->started = s->gap = false;
    s->n_recent = 0; /* the bytes themselves need no clearing */
}

void lamp_stream_start(struct lamp_stream *s, uint32_t seq)
{
    s->next_seq = seq;
    s->started = true;
}

/* How far a lies after b in sequence space, negative if before (RFC 9293 section 3.4). */
static int32_t distance(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b);
}

/* A block to fill; NONE: there is none left. */
static uint32_t take_block(lamp_reasm *r)
{
    if (r->free == NONE)
        return r->n_used < r->n_blocks ? r->n_used++ : NONE;
    uint32_t i = r->free;
    r->free = r->blocks[i].next;
    return i;
}

static void pop(lamp_reasm *r, struct lamp_stream *s)
{
    uint32_t i = s->head;
    s->head = r->blocks[i].next;
    s->n_blocks--;
    r->blocks[i].next = r->free;
    r->free = i;
}

void lamp_stream_done(lamp_reasm *r, struct lamp_stream *s)
{
    while (s->head != NONE)
        pop(r, s);
    lamp_stream_init(s);
}

/* Remembers the last of the bytes that begin at next_seq, each at its place in the ring. */
static void remember(struct lamp_stream *s, struct lamp_bytes bytes)
{
    const size_t n = lamp_min(bytes.len, (size_t)LAMP_REASM_RECENT);
    const uint8_t *const last = bytes.data + bytes.len - n;
    const size_t at = (s->next_seq + (uint32_t)(bytes.len - n)) % LAMP_REASM_RECENT;
    const size_t to_end = lamp_min(n, LAMP_REASM_RECENT - at);
    memcpy(s->recent + at, last, to_end);
    memcpy(s->recent, last + to_end, n - to_end);
    s->n_recent = (uint16_t)lamp_min(s->n_recent + n, (size_t)LAMP_REASM_RECENT);
}

/* Whether bytes of a segment that lie before next_seq, from seq on, are not what was delivered
 * there, as far as that is remembered. */
static bool differs(const struct lamp_stream *s, uint32_t seq, struct lamp_bytes bytes)
{
    const uint32_t oldest = s->next_seq - s->n_recent;
    size_t i = distance(oldest, seq) > 0 ? oldest - seq : 0;
    for (; i < bytes.len; i++)
        if (s->recent[(seq + (uint32_t)i) % LAMP_REASM_RECENT] != bytes.data[i])
            return true;
    return false;
}

/* Delivers bytes that begin at next_seq. */
static bool deliver(struct lamp_stream *s, struct lamp_bytes bytes, lamp_reasm_fn *fn, void *arg)
{
    bool gap = s->gap;
    s->gap = false;
    remember(s, bytes);
    s->next_seq += (uint32_t)bytes.len;
    return fn(bytes, gap, arg);
}

/* Delivers the early blocks that next_seq has reached. False: fn wants no more. */
static bool drain(lamp_reasm *r, struct lamp_stream *s, uint64_t t_us, lamp_reasm_fn *fn, void *arg)
{
    while (s->head != NONE) {
        const struct block *b = &r->blocks[s->head];
        int32_t ahead = distance(b->seq, s->next_seq);
        if (ahead > 0)
            break;
        size_t had = lamp_min((uint32_t)-ahead, b->len);
        bool more = true;
        if (had < b->len)
            more = deliver(s, (struct lamp_bytes){ b->data + had, b->len - had }, fn, arg);
        r->n.repeated_bytes += had;
        pop(r, s);
        s->gap_since_us = t_us;
        if (!more)
            return false;
    }
    return true;
}

/* Gives up the gap before the first early block. */
static bool skip_gap(lamp_reasm *r, struct lamp_stream *s, uint64_t t_us, lamp_reasm_fn *fn,
                     void *arg)
{
    s->next_seq = r->blocks[s->head].seq;
    s->gap = true;
    s->n_recent = 0;
    r->n.gaps++;
    return drain(r, s, t_us, fn, arg);
}

/* Puts one piece that overlaps nothing after the block `prev` (NONE: first), in as many
 * blocks as it takes. Returns the last block of it; what finds no room is dropped. */
static uint32_t insert(lamp_reasm *r, struct lamp_stream *s, uint32_t prev, uint32_t seq,
                       struct lamp_bytes piece)
{
    while (piece.len > 0) {
        uint32_t i = s->n_blocks < LAMP_REASM_STREAM_BLOCKS ? take_block(r) : NONE;
        if (i == NONE) {
            r->n.dropped_bytes += piece.len;
            break;
        }
        uint32_t *link = prev == NONE ? &s->head : &r->blocks[prev].next;
        struct block *b = &r->blocks[i];
        b->next = *link;
        *link = i;
        b->seq = seq;
        b->len = (uint16_t)lamp_min(piece.len, sizeof(b->data));
        memcpy(b->data, piece.data, b->len);
        s->n_blocks++;
        seq += b->len;
        piece.data += b->len;
        piece.len -= b->len;
        prev = i;
    }
    return prev;
}

/* Keeps an early segment: those parts of it that no earlier copy covers. */
static void keep(lamp_reasm *r, struct lamp_stream *s, uint32_t seq, struct lamp_bytes bytes)
{
    uint32_t prev = NONE, at = s->head;
    while (bytes.len > 0 && at != NONE) {
        int32_t before = distance(r->blocks[at].seq, seq);
        if (before > 0) {
            struct lamp_bytes piece = { bytes.data, lamp_min(bytes.len, (size_t)before) };
            (void)insert(r, s, prev, seq, piece); /* goes before `at`, the next `prev` */
            seq += (uint32_t)piece.len;
            bytes.data += piece.len;
            bytes.len -= piece.len;
        }
        int32_t over = distance(r->blocks[at].seq + r->blocks[at].len, seq);
        if (bytes.len > 0 && over > 0) {
            size_t had = lamp_min(bytes.len, (size_t)over);
            const size_t in_block = seq - r->blocks[at].seq;
            r->n.conflicts += memcmp(r->blocks[at].data + in_block, bytes.data, had) != 0;
            r->n.repeated_bytes += had;
            seq += (uint32_t)had;
            bytes.data += had;
            bytes.len -= had;
        }
        prev = at;
        at = r->blocks[at].next;
    }
    insert(r, s, prev, seq, bytes);
}

/* A segment that starts at or before next_seq: delivers what is new of it, in pieces where
 * early blocks already hold a part, since the first copy wins. */
static bool in_order(lamp_reasm *r, struct lamp_stream *s, const struct lamp_segment *seg,
                     lamp_reasm_fn *fn, void *arg)
{
    if (!drain(r, s, seg->t_us, fn, arg))
        return false;
    uint32_t captured = (uint32_t)seg->payload.len, had = s->next_seq - seg->seq;
    size_t repeated = lamp_min(had, captured);
    bool conflict = differs(s, seg->seq, (struct lamp_bytes){ seg->payload.data, repeated });
    r->n.repeated_bytes += repeated;
    while (had < captured) {
        uint32_t to = captured;
        if (s->head != NONE)
            to = (uint32_t)lamp_min(to, r->blocks[s->head].seq - seg->seq);
        if (!deliver(s, (struct lamp_bytes){ seg->payload.data + had, to - had }, fn, arg) ||
            !drain(r, s, seg->t_us, fn, arg))
            return false;
        had = s->next_seq - seg->seq;
        repeated = lamp_min(had, captured) - to;
        r->n.repeated_bytes += repeated;
        conflict |=
            differs(s, seg->seq + to, (struct lamp_bytes){ seg->payload.data + to, repeated });
    }
    r->n.conflicts += conflict;
    if (had < seg->orig_len) { /* the snapshot length took the rest */
        s->next_seq = seg->seq + seg->orig_len;
        s->gap = true;
        s->n_recent = 0;
    }
    return drain(r, s, seg->t_us, fn, arg);
}

void lamp_reasm_segment(lamp_reasm *r, struct lamp_stream *s, const struct lamp_segment *seg,
                        lamp_reasm_fn *fn, void *arg)
{
    if (!s->started)
        lamp_stream_start(s, seg->seq);
    int32_t ahead = distance(seg->seq, s->next_seq);
    if (ahead > LAMP_REASM_FAR || ahead < -LAMP_REASM_FAR) {
        if (++s->strays < LAMP_REASM_STRAYS) {
            r->n.dropped_bytes += seg->payload.len;
            return;
        }
        /* not strays but where the stream is now: a long loss, or a stray led us away */
        lamp_stream_done(r, s);
        lamp_stream_start(s, seg->seq);
        s->gap = true;
        r->n.gaps++;
        ahead = 0;
    }
    s->strays = 0;

    if (ahead <= 0) {
        in_order(r, s, seg, fn, arg);
        return;
    }
    /* the clock may have stepped back: the gap then waits no longer */
    if (s->n_blocks == 0)
        s->gap_since_us = seg->t_us;
    bool overdue = seg->t_us - s->gap_since_us > LAMP_REASM_GAP_US;
    while (s->head != NONE && (overdue || s->n_blocks == LAMP_REASM_STREAM_BLOCKS)) {
        if (!skip_gap(r, s, seg->t_us, fn, arg))
            return;
        overdue = false;
    }
    ahead = distance(seg->seq, s->next_seq);
    if (ahead <= 0) {
        in_order(r, s, seg, fn, arg);
        return;
    }
    if (s->n_blocks == 0)
        s->gap_since_us = seg->t_us;
    keep(r, s, seg->seq, seg->payload);
}

void lamp_reasm_flush(lamp_reasm *r, struct lamp_stream *s, lamp_reasm_fn *fn, void *arg)
{
    while (s->head != NONE)
        if (!skip_gap(r, s, 0, fn, arg))
            return;
}

struct lamp_reasm_counters lamp_reasm_counters(const lamp_reasm *r)
{
    return r->n;
}
