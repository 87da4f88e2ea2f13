/* SPDX-License-Identifier: Apache-2.0 */
/* address_codec: the number systems and checksums that wallet addresses are made of. Pure functions,
 * thread-safe. */
#pragma once

#include "common/err.h"
#include "common/util.h"

/* Decodes base58 (Bitcoin's alphabet) as one big number; leading '1's are leading zero bytes.
 * LAMP_EFORMAT: another character. LAMP_EFULL: more than size bytes. */
LAMP_CHECK int lamp_base58_decode(struct lamp_bytes text, uint8_t *out, size_t size,
                                  size_t *out_len);

/* CryptoNote's base58: blocks of 11 characters for 8 bytes, a shorter one at the end. LAMP_EFORMAT,
 * LAMP_EFULL. */
LAMP_CHECK int lamp_base58_decode_blocks(struct lamp_bytes text, uint8_t *out, size_t size,
                                         size_t *out_len);

/* The value 0 to 31 of a character of bech32 and cashaddr, in lower case; -1: none. */
int lamp_base32_value(uint8_t c);

/* One step of bech32's checksum (BIP 173, bech32_polymod); start with 1. */
uint32_t lamp_bech32_step(uint32_t state, uint8_t value);

/* One step of cashaddr's 40-bit checksum (PolyMod of the specification); start with 1. */
uint64_t lamp_cashaddr_step(uint64_t state, uint8_t value);

/* Keccak-256 with the padding from before SHA-3 was standardised, as Ethereum and Monero use it. */
void lamp_keccak256(struct lamp_bytes data, uint8_t out[32]);
