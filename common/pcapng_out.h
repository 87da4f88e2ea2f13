/* SPDX-License-Identifier: Apache-2.0 */
/* pcapng_out: writes the blocks of a capture file (draft-ietf-opsawg-pcapng): a section header, which
 * is what says who ordered it and why, interfaces, and packets. Little-endian, times in microseconds.
 * Each function writes one whole block to a buffer and returns its length; 0: it does not fit. Pure. */
#pragma once

#include "common/util.h"

/* Bytes that the block of a packet with cap_len bytes takes. */
size_t lamp_pcapng_out_packet_size(uint32_t cap_len);

/* A section header with a comment each (n of them; UTF-8, at most 1,024 bytes count of each). */
size_t lamp_pcapng_out_section(uint8_t *buf, size_t size, const char *const *comments, size_t n);

/* An interface; those of a section are numbered from 0 in the order they are written. */
size_t lamp_pcapng_out_interface(uint8_t *buf, size_t size, uint16_t linktype, uint32_t snaplen);

/* A packet of an interface: data has cap_len bytes of the orig_len that were sent. */
size_t lamp_pcapng_out_packet(uint8_t *buf, size_t size, uint32_t interface, uint64_t t_us,
                              const uint8_t *data, uint32_t cap_len, uint32_t orig_len);
