/* SPDX-License-Identifier: Apache-2.0 */
/* One frame: two bytes of link type, one of missing length, then the frame. Beyond memory
 * errors: a packet's payload lies within the frame and is no longer than what was sent. */
#include "sensor/engine/decode.h"
#include "tests/support/guarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 || size > 65536)
        return 0;
    size_t cap = size - 3;
    uint8_t *copy = guarded_dup(data + 3, cap);
    struct lamp_frame frame = {
        .data = copy,
        .cap_len = (uint32_t)cap,
        .orig_len = (uint32_t)cap + data[2],
        .linktype = data[0] << 8 | data[1],
    };
    struct lamp_pkt pkt;
    enum lamp_decode outcome = lamp_decode_frame(&frame, &pkt);
    if (outcome >= LAMP_DECODE_COUNT)
        abort();
    if (lamp_decode_is_packet(outcome) &&
        (pkt.payload.data < copy || pkt.payload.data + pkt.payload.len > copy + cap ||
         pkt.payload.len > pkt.payload_orig_len || pkt.n_vlans > LAMP_VLAN_DEPTH))
        abort();
    guarded_free(copy);
    return 0;
}
