/* SPDX-License-Identifier: Apache-2.0 */
/* address: verifies the checksum that a wallet address carries in itself, whatever its coin. Pure
 * functions, thread-safe. Addresses of up to 159 characters are looked at. */
#pragma once

#include "common/util.h"

enum {
    LAMP_ADDRESS_MAX = 160,                    /* longest address looked at, bytes with NUL */
    LAMP_ADDRESS_TEXT = LAMP_ADDRESS_MAX + 16, /* with a prefix that was left out */
};

enum lamp_address_check {
    LAMP_ADDRESS_NONE,  /* no form that has a checksum known here */
    LAMP_ADDRESS_WRONG, /* such a form, but the checksum differs: mistyped, cut or made up */
    LAMP_ADDRESS_RIGHT,
};

struct lamp_address {
    enum lamp_address_check check;
    const char *scheme; /* static: "base58check", "bech32", "bech32m", "cashaddr", "cryptonote",
                           "eip-55", "ergo"; NULL for NONE */
    /* RIGHT: with the prefix that cashaddr users leave out, and in lower case where capitals alone are as good
     * (bech32, cashaddr) */
    char text[LAMP_ADDRESS_TEXT];
};

/* Looks at the form of the text and verifies by it:
 * - base58check, 25 or 26 bytes, as of Bitcoin and Zcash (Bitcoin wiki, "Base58Check encoding");
 * - bech32 and bech32m, in one case (BIP 173, BIP 350): segwit version 0 needs the former, later ones the latter;
 * - cashaddr (Bitcoin Cash specification), also with other prefixes ("kaspa:", "nexa:"); where
 *   the prefix was left out, those of BCH and XEC are tried;
 * - CryptoNote's base58 of blocks with 4 bytes of keccak-256 (CryptoNote standard 007);
 * - EIP-55, the case of an Ethereum address's letters (one case alone says nothing);
 * - Ergo's base58 with 4 bytes of BLAKE2b-256 (Ergo documentation, "Address"). */
struct lamp_address lamp_address_check(struct lamp_bytes text);

/* The one spelling of an address that is known by its checksum to be one, or by its form where one case alone
 * has none (Ethereum's): lamp_address.text, and hex digits in lower case. Any other text stays as it is.
 * Returns buf or text. */
const char *lamp_address_spelling(const char *text, char buf[LAMP_ADDRESS_TEXT]);

/* "no checksum", "checksum wrong" or "checksum right (bech32)", for a person to read. */
const char *lamp_address_check_text(const struct lamp_address *a, char *buf, size_t size);
