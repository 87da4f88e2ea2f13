/* SPDX-License-Identifier: Apache-2.0 */
#include "common/walletname.h"

#include "common/address.h"

#include <sodium.h>

enum { SHOWN = 16 };

char *lamp_wallet_name(const char *wallet, char out[LAMP_WALLET_NAME])
{
    uint8_t digest[crypto_generichash_BYTES];
    char buf[LAMP_ADDRESS_TEXT];
    const char *text = lamp_address_spelling(wallet, buf);
    crypto_generichash(digest, sizeof(digest), (const uint8_t *)text, strlen(text), NULL, 0);
    sodium_bin2hex(out, 2 * SHOWN + 1, digest, SHOWN);
    memcpy(out + 2 * SHOWN, LAMP_WALLET_NAMES, sizeof(LAMP_WALLET_NAMES));
    return out;
}
