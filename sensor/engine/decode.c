/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/engine/decode.h"

#include "sensor/engine/decode_fragments.h"
#include "sensor/engine/decode_layers.h"
#include "sensor/engine/decode_plain.h"

#include <assert.h>

static_assert(LAMP_DECODE_COUNT <= 64, "lamp_engine_counters.decode has 64 places");

enum { DATAGRAMS = 1024 };

struct lamp_decoder {
    lamp_fragments *fragments;
    bool no_tunnels;
};

int lamp_decoder_new(const struct lamp_decoder_cfg *cfg, lamp_decoder **out)
{
    assert(cfg && out);
    lamp_decoder *d = calloc(1, sizeof(*d));
    if (!d)
        return LAMP_ENOMEM;
    d->no_tunnels = cfg->no_tunnels;
    int err =
        lamp_fragments_new(cfg->max_datagrams ? cfg->max_datagrams : DATAGRAMS, &d->fragments);
    if (err != LAMP_OK) {
        lamp_decoder_free(d);
        return err;
    }
    *out = d;
    return LAMP_OK;
}

void lamp_decoder_close_tunnels(lamp_decoder *d, bool closed)
{
    d->no_tunnels = closed;
}

lamp_decoder *lamp_decoder_free(lamp_decoder *d)
{
    if (d)
        lamp_fragments_free(d->fragments);
    free(d);
    return NULL;
}

uint64_t lamp_decoder_evicted(const lamp_decoder *d)
{
    return lamp_fragments_evicted(d->fragments);
}

/* -- jobs ---------------------------------------------------------------------------- */

bool lamp_job_enter(struct lamp_job *j)
{
    if (j->tunnels == LAMP_TUNNEL_DEPTH)
        return false;
    j->tunnels++;
    return true;
}

bool lamp_job_opens_tunnels(const struct lamp_job *j)
{
    return !j->decoder || !j->decoder->no_tunnels;
}

lamp_fragments *lamp_job_fragments(const struct lamp_job *j)
{
    return j->decoder ? j->decoder->fragments : NULL;
}

bool lamp_job_try(struct lamp_job *j, lamp_layer *layer, enum lamp_decode *out)
{
    const struct lamp_job before = *j;
    const struct lamp_pkt pkt = *j->pkt;
    enum lamp_decode outcome = layer(j);
    *out = outcome;
    if (lamp_decode_is_packet(outcome))
        return true;
    uint8_t tunnels = j->tunnels; /* what was tried in vain counts too, or trying has no end */
    *j = before;
    j->tunnels = tunnels;
    *j->pkt = pkt;
    return false;
}

/* Reads the frame layer by layer. */
static __attribute__((noinline)) enum lamp_decode by_layers(lamp_decoder *d,
                                                            const struct lamp_frame *frame,
                                                            struct lamp_pkt *out)
{
    struct lamp_job j; /* what belongs to a fragment is set where one begins */
    j.in = lamp_cursor_of(frame->data, frame->cap_len);
    j.pkt = out;
    j.decoder = d;
    j.missing = 0;
    j.ip_header = NULL;
    j.vlan_tags = j.tunnels = 0;
    if (frame->orig_len > frame->cap_len)
        j.missing = frame->orig_len - frame->cap_len;
    out->ip_id = out->frag_off = out->checksum = 0;

    enum lamp_decode outcome;
    if (frame->linktype == LAMP_LINK_ETHERNET)
        outcome = lamp_layer_ethernet(&j);
    else
        outcome = lamp_layer_link(&j, frame->linktype);
    if (j.ip_header && outcome <= LAMP_DECODE_UDP_CUT)
        lamp_layer_remember_fragment(&j, outcome);
    return outcome;
}

static inline enum lamp_decode decode(lamp_decoder *d, const struct lamp_frame *frame,
                                      struct lamp_pkt *out)
{
    out->n_vlans = 0;
    out->frame_len = frame->orig_len;
    out->t_us = frame->t_us;
    const enum lamp_decode outcome = lamp_layer_plain(frame, out);
    return outcome != LAMP_DECODE_COUNT ? outcome : by_layers(d, frame, out);
}

enum lamp_decode lamp_decode_frame(lamp_decoder *d, const struct lamp_frame *frame,
                                   struct lamp_pkt *out)
{
    return decode(d, frame, out);
}

void lamp_decode_frames(lamp_decoder *d, const struct lamp_frame *frames, size_t n,
                        struct lamp_pkt *out, enum lamp_decode *out_outcomes)
{
    for (size_t i = 0; i < n; i++)
        out_outcomes[i] = decode(d, &frames[i], &out[i]);
}

static const char *const names[] = {
#define LAMP_DECODE(name, text) #name,
#include "sensor/engine/decode.def"
#undef LAMP_DECODE
};

const char *lamp_decode_name(enum lamp_decode outcome)
{
    return names[outcome];
}
