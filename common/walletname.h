/* SPDX-License-Identifier: Apache-2.0 */
/* walletname: by what name a wallet stands on a watch list, among host names: the first 128 bits of
 * BLAKE2b-256 (RFC 7693, no key) of its text, spelt as lamp_address_spelling() does, in hex, below
 * "wallet.invalid", which no host is called (RFC 6761, section 6.4). So a list holds it whatever its length, case and characters are, and whoever knows
 * nothing of wallets takes it for the name of a server that there never is. Thread-safe. */
#pragma once

#include "common/util.h"

#define LAMP_WALLET_NAMES ".wallet.invalid"
enum { LAMP_WALLET_NAME = 32 + sizeof(LAMP_WALLET_NAMES) }; /* with NUL */

/* wallet: the text as a miner gave it, without the worker. Returns out. */
char *lamp_wallet_name(const char *wallet, char out[LAMP_WALLET_NAME]);
