/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of one link type: two bytes of link type, one of missing length, then the frame; a
 * further frame begins with its length in two bytes, so that fragments meet their first. Beyond
 * memory errors: a packet's payload lies within the frame and is no longer than what was sent;
 * what is remembered changes only what fragments are. */
#include "sensor/engine/decode.h"
#include "tests/support/guarded.h"

enum { SPLIT = 0x80 }; /* bit of the missing length: several frames follow */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct lamp_frame *frame, enum lamp_decode outcome,
                  const struct lamp_pkt *pkt)
{
    if (outcome >= LAMP_DECODE_COUNT)
        abort();
    if (lamp_decode_is_packet(outcome) &&
        (pkt->payload.data < frame->data ||
         pkt->payload.data + pkt->payload.len > frame->data + frame->cap_len ||
         pkt->payload.len > pkt->payload_orig_len || pkt->n_vlans > LAMP_VLAN_DEPTH))
        abort();
}

static void one_frame(lamp_decoder *d, const uint8_t *data, size_t cap, int linktype,
                      unsigned missing)
{
    uint8_t *copy = guarded_dup(data, cap);
    const struct lamp_frame frame = {
        .data = copy,
        .cap_len = (uint32_t)cap,
        .orig_len = (uint32_t)cap + missing,
        .t_us = 1,
        .linktype = linktype,
    };
    struct lamp_pkt pkt, alone;
    enum lamp_decode outcome = lamp_decode_frame(d, &frame, &pkt);
    check(&frame, outcome, &pkt);
    enum lamp_decode stateless = lamp_decode_frame(NULL, &frame, &alone);
    check(&frame, stateless, &alone);
    if (stateless <= LAMP_DECODE_UDP_CUT && outcome != stateless &&
        outcome != LAMP_DECODE_TCP_FRAGMENT && outcome != LAMP_DECODE_UDP_FRAGMENT)
        abort();
    guarded_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 || size > 65536)
        return 0;
    const int linktype = data[0] << 8 | data[1];
    const unsigned missing = data[2] & ~(unsigned)SPLIT;
    const bool split = data[2] & SPLIT;
    lamp_decoder *d;
    if (lamp_decoder_new(&(struct lamp_decoder_cfg){ .max_datagrams = 8 }, &d) != LAMP_OK)
        return 0;
    data += 3, size -= 3;
    while (split && size >= 2) {
        size_t len = lamp_min((size_t)data[0] << 8 | data[1], size - 2);
        one_frame(d, data + 2, len, linktype, missing);
        data += 2 + len, size -= 2 + len;
    }
    if (!split)
        one_frame(d, data, size, linktype, missing);
    lamp_decoder_free(d);
    return 0;
}
