/* SPDX-License-Identifier: Apache-2.0 */
/* pcapng: the blocks of a pcapng file, one after the other, and the interfaces of the section
 * they stand in. Only for sensor/source/records.c. Source: draft-ietf-opsawg-pcapng. */
#pragma once

#include "common/err.h"
#include "sensor/engine/packet.h"

struct lamp_pcapng;

struct lamp_pcapng_block {
    size_t len; /* of the whole block; 0: not known yet */
    bool other; /* of a type that is passed by, whatever its length */
    bool packet;
    struct lamp_frame frame; /* borrows the data given */
};

/* Whether a file that begins with these 4 bytes is pcapng. */
bool lamp_pcapng_fits(const uint8_t *head);

/* NULL: out of memory. */
struct lamp_pcapng *lamp_pcapng_new(void);
struct lamp_pcapng *lamp_pcapng_free(struct lamp_pcapng *ng);

/* Reads the block that data begins with. LAMP_EAGAIN: it is not all there, out->len and
 * out->other say what is known of it. LAMP_EFORMAT, LAMP_EUNSUPPORTED, LAMP_EFULL: too many
 * interfaces, LAMP_ENOMEM: *out_what says what is wrong. */
LAMP_CHECK int lamp_pcapng_block(struct lamp_pcapng *ng, const uint8_t *data, size_t left,
                                 struct lamp_pcapng_block *out, const char **out_what);
