/* SPDX-License-Identifier: Apache-2.0 */
#include "common/address.h"

#include "common/address_codec.h"

#include <ctype.h>
#include <sodium.h>
#include <stdio.h>

static struct lamp_address verdict(const char *scheme, bool right, struct lamp_bytes text)
{
    struct lamp_address a = { .check = right ? LAMP_ADDRESS_RIGHT : LAMP_ADDRESS_WRONG,
                              .scheme = scheme };
    if (right)
        memcpy(a.text, text.data, text.len);
    return a;
}

/* ---- Ethereum ---- */

static bool is_hex_address(struct lamp_bytes t)
{
    if (t.len != 42 || t.data[0] != '0' || t.data[1] != 'x')
        return false;
    for (size_t i = 2; i < t.len; i++)
        if (!isxdigit(t.data[i]))
            return false;
    return true;
}

/* A letter is a capital where the digit of the hash at its place is 8 or more. */
static struct lamp_address check_eip55(struct lamp_bytes t)
{
    uint8_t lower[40], hash[32];
    bool has_lower = false, has_upper = false, right = true;
    for (size_t i = 0; i < sizeof(lower); i++) {
        has_lower |= islower(t.data[2 + i]);
        has_upper |= isupper(t.data[2 + i]);
        lower[i] = (uint8_t)tolower(t.data[2 + i]);
    }
    if (!has_lower || !has_upper)
        return (struct lamp_address){ .check = LAMP_ADDRESS_NONE };
    lamp_keccak256((struct lamp_bytes){ lower, sizeof(lower) }, hash);
    for (size_t i = 0; i < sizeof(lower); i++) {
        const unsigned digit = hash[i / 2] >> (i % 2 ? 0 : 4) & 15;
        if (isalpha(lower[i]))
            right &= (digit >= 8) == (isupper(t.data[2 + i]) != 0);
    }
    return verdict("eip-55", right, t);
}

/* ---- bech32 ---- */

/* Human-readable parts whose data begins with no segwit version. */
static bool is_segwit(struct lamp_bytes hrp)
{
    static const char *const others[] = { "ckb", "ckt", "grin", "zs", "u", "dero", "zil", "hs" };
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (lamp_bytes_eq(hrp, others[i]))
            return false;
    return true;
}

/* hrp '1' data, in lower case; false: not of that form. */
static bool check_bech32(struct lamp_bytes t, struct lamp_address *out)
{
    enum { BECH32 = 1, BECH32M = 0x2bc830a3 };
    size_t one = t.len;
    while (one > 0 && t.data[one - 1] != '1')
        one--;
    if (one < 2 || one - 1 > 10 || t.len - one < 7 + 6)
        return false;
    const struct lamp_bytes hrp = { t.data, one - 1 };
    uint32_t state = 1;
    for (size_t i = 0; i < hrp.len; i++) {
        if (!islower(hrp.data[i]))
            return false;
        state = lamp_bech32_step(state, hrp.data[i] >> 5);
    }
    state = lamp_bech32_step(state, 0);
    for (size_t i = 0; i < hrp.len; i++)
        state = lamp_bech32_step(state, hrp.data[i] & 31);
    for (size_t i = one; i < t.len; i++) {
        const int value = lamp_base32_value(t.data[i]);
        if (value < 0)
            return false;
        state = lamp_bech32_step(state, (uint8_t)value);
    }
    const bool old = state == BECH32, new = state == BECH32M;
    const bool version0 = t.data[one] == 'q';
    const bool right = is_segwit(hrp) ? (version0 ? old : new) : old || new;
    *out = verdict(new ? "bech32m" : "bech32", right, t);
    return true;
}

/* ---- cashaddr ---- */

static bool cashaddr_is_right(struct lamp_bytes prefix, struct lamp_bytes data)
{
    uint64_t state = 1;
    for (size_t i = 0; i < prefix.len; i++)
        state = lamp_cashaddr_step(state, prefix.data[i] & 31);
    state = lamp_cashaddr_step(state, 0);
    for (size_t i = 0; i < data.len; i++)
        state = lamp_cashaddr_step(state, (uint8_t)lamp_base32_value(data.data[i]));
    return state == 1;
}

/* [prefix ':'] data, in lower case, of 42 characters (hashes of 160 bits) up to 112; false: not of that form. */
static bool check_cashaddr(struct lamp_bytes t, struct lamp_address *out)
{
    static const char *const left_out[] = { "bitcoincash", "ecash" };
    const uint8_t *colon = memchr(t.data, ':', t.len);
    const struct lamp_bytes prefix = { t.data, colon ? (size_t)(colon - t.data) : 0 };
    const size_t begin = colon ? prefix.len + 1 : 0;
    const struct lamp_bytes data = { t.data + begin, t.len - begin };
    for (size_t i = 0; i < prefix.len; i++)
        if (!islower(prefix.data[i]))
            return false;
    for (size_t i = 0; i < data.len; i++)
        if (lamp_base32_value(data.data[i]) < 0)
            return false;
    if (data.len < 42 || data.len > 112 || (colon && prefix.len == 0) || (!colon && data.len != 42))
        return false;
    *out = verdict("cashaddr", prefix.len && cashaddr_is_right(prefix, data), t);
    for (size_t i = 0; !colon && i < ARRAY_LEN(left_out); i++)
        if (cashaddr_is_right(lamp_bytes_of(left_out[i]), data)) {
            out->check = LAMP_ADDRESS_RIGHT;
            snprintf(out->text, sizeof(out->text), "%s:%.*s", left_out[i], (int)data.len,
                     (const char *)data.data);
        }
    return true;
}

/* ---- base58 ---- */

/* 90 characters or more: tag, keys and, of integrated addresses, a payment id; then the checksum. */
static struct lamp_address check_cryptonote(struct lamp_bytes t)
{
    uint8_t raw[128], hash[32];
    size_t len;
    const int err = lamp_base58_decode_blocks(t, raw, sizeof(raw), &len);
    bool right = !err && len > 64 + 4;
    if (right) {
        lamp_keccak256((struct lamp_bytes){ raw, len - 4 }, hash);
        right = memcmp(hash, raw + len - 4, 4) == 0;
    }
    return verdict("cryptonote", right, t);
}

static bool check_base58(struct lamp_bytes t, struct lamp_address *out)
{
    uint8_t raw[64], hash[32];
    size_t len;
    if (lamp_base58_decode(t, raw, sizeof(raw), &len) != LAMP_OK)
        return false;
    if (len == 25 || len == 26) { /* version of 1 or 2 bytes, hash of 20, checksum */
        crypto_hash_sha256(hash, raw, len - 4);
        crypto_hash_sha256(hash, hash, sizeof(hash));
        *out = verdict("base58check", memcmp(hash, raw + len - 4, 4) == 0, t);
        return true;
    }
    if (len == 38 && (raw[0] & 0x0f) == 1) { /* network and kind, public key, checksum */
        crypto_generichash(hash, sizeof(hash), raw, len - 4, NULL, 0);
        *out = verdict("ergo", memcmp(hash, raw + len - 4, 4) == 0, t);
        return true;
    }
    return false;
}

/* Of base 32, where capitals alone say what lower case alone does; false: of neither form. */
static bool check_base32(struct lamp_bytes t, struct lamp_address *out)
{
    uint8_t lower[LAMP_ADDRESS_MAX];
    bool capitals = true;
    for (size_t i = 0; i < t.len; i++) {
        lower[i] = (uint8_t)tolower(t.data[i]);
        capitals &= !islower(t.data[i]);
    }
    const struct lamp_bytes text = { capitals ? lower : t.data, t.len };
    return check_cashaddr(text, out) || check_bech32(text, out);
}

struct lamp_address lamp_address_check(struct lamp_bytes text)
{
    struct lamp_address a = { .check = LAMP_ADDRESS_NONE };
    if (text.len < 25 || text.len >= LAMP_ADDRESS_MAX)
        return a;
    if (is_hex_address(text))
        return check_eip55(text);
    if (check_base32(text, &a))
        return a;
    if (text.len >= 90 && text.len <= 112)
        return check_cryptonote(text);
    (void)check_base58(text, &a);
    return a;
}

const char *lamp_address_spelling(const char *text, char buf[LAMP_ADDRESS_TEXT])
{
    const struct lamp_address a = lamp_address_check(lamp_bytes_of(text));
    const bool hex = a.check != LAMP_ADDRESS_WRONG && is_hex_address(lamp_bytes_of(text));
    if (!hex && a.check != LAMP_ADDRESS_RIGHT)
        return text;
    snprintf(buf, LAMP_ADDRESS_TEXT, "%s", hex ? text : a.text);
    for (char *c = buf; hex && *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return buf;
}

const char *lamp_address_check_text(const struct lamp_address *a, char *buf, size_t size)
{
    static const char *const results[] = { [LAMP_ADDRESS_NONE] = "no checksum",
                                           [LAMP_ADDRESS_WRONG] = "checksum wrong",
                                           [LAMP_ADDRESS_RIGHT] = "checksum right" };
    snprintf(buf, size, a->scheme ? "%s (%s)" : "%s", results[a->check], a->scheme);
    return buf;
}
