/* SPDX-License-Identifier: Apache-2.0 */
#include "common/address_codec.h"

static const char base58[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
static const char base32[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

static int base58_value(uint8_t c)
{
    const char *p = c ? strchr(base58, c) : NULL;
    return p ? (int)(p - base58) : -1;
}

int lamp_base58_decode(struct lamp_bytes text, uint8_t *out, size_t size, size_t *out_len)
{
    size_t zeros = 0, len = 0; /* out holds the number's len low bytes, lowest first */
    while (zeros < text.len && text.data[zeros] == '1')
        zeros++;
    for (size_t i = zeros; i < text.len; i++) {
        const int value = base58_value(text.data[i]);
        if (value < 0)
            return LAMP_EFORMAT;
        unsigned carry = (unsigned)value;
        for (size_t k = 0; k < len; k++) {
            carry += 58u * out[k];
            out[k] = (uint8_t)carry;
            carry >>= 8;
        }
        if (carry) {
            if (len == size)
                return LAMP_EFULL;
            out[len++] = (uint8_t)carry;
        }
    }
    if (zeros > size - len)
        return LAMP_EFULL;
    memset(out + len, 0, zeros);
    len += zeros;
    for (size_t i = 0; i < len / 2; i++) {
        const uint8_t low = out[i];
        out[i] = out[len - 1 - i];
        out[len - 1 - i] = low;
    }
    *out_len = len;
    return LAMP_OK;
}

int lamp_base58_decode_blocks(struct lamp_bytes text, uint8_t *out, size_t size, size_t *out_len)
{
    /* how many bytes so many characters stand for; 0: not so many */
    static const uint8_t bytes_of[] = { 0, 0, 1, 2, 0, 3, 4, 5, 0, 6, 7, 8 };
    size_t len = 0;
    for (size_t at = 0; at < text.len;) {
        const size_t n = text.len - at < 11 ? text.len - at : 11;
        const size_t n_bytes = bytes_of[n];
        uint64_t number = 0;
        for (size_t i = 0; i < n; i++) {
            const int value = base58_value(text.data[at + i]);
            if (value < 0 || __builtin_mul_overflow(number, (uint64_t)58, &number) ||
                __builtin_add_overflow(number, (uint64_t)value, &number))
                return LAMP_EFORMAT;
        }
        if (n_bytes == 0 || (n_bytes < 8 && number >> (8 * n_bytes)))
            return LAMP_EFORMAT;
        if (n_bytes > size - len)
            return LAMP_EFULL;
        for (size_t i = n_bytes; i-- > 0; number >>= 8)
            out[len + i] = (uint8_t)number;
        len += n_bytes;
        at += n;
    }
    *out_len = len;
    return LAMP_OK;
}

int lamp_base32_value(uint8_t c)
{
    const char *p = c ? strchr(base32, c) : NULL;
    return p ? (int)(p - base32) : -1;
}

uint32_t lamp_bech32_step(uint32_t state, uint8_t value)
{
    static const uint32_t generator[] = { 0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd,
                                          0x2a1462b3 };
    const uint32_t top = state >> 25;
    state = (state & 0x1ffffff) << 5 ^ value;
    for (size_t i = 0; i < ARRAY_LEN(generator); i++)
        if (top >> i & 1)
            state ^= generator[i];
    return state;
}

uint64_t lamp_cashaddr_step(uint64_t state, uint8_t value)
{
    static const uint64_t generator[] = { 0x98f2bc8e61, 0x79b76d99e2, 0xf33e5fb3c4, 0xae2eabe2a8,
                                          0x1e4f43e470 };
    const uint64_t top = state >> 35;
    state = (state & 0x07ffffffff) << 5 ^ value;
    for (size_t i = 0; i < ARRAY_LEN(generator); i++)
        if (top >> i & 1)
            state ^= generator[i];
    return state;
}

/* ---- Keccak (FIPS 202, section 3; the permutation is the same) ---- */

static uint64_t rotate(uint64_t v, unsigned n)
{
    return n ? v << n | v >> (64 - n) : v;
}

static void keccak_f(uint64_t a[25])
{
    /* rho's offsets and the round constants of iota */
    static const uint8_t offsets[25] = { 0,  1,  62, 28, 27, 36, 44, 6,  55, 20, 3,  10, 43,
                                         25, 39, 41, 45, 15, 21, 8,  18, 2,  61, 56, 14 };
    static const uint64_t constants[24] = {
        0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
        0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
        0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
        0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
        0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
        0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
    };
    for (size_t round = 0; round < ARRAY_LEN(constants); round++) {
        uint64_t column[5], b[25];
        for (size_t x = 0; x < 5; x++)
            column[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
        for (size_t i = 0; i < 25; i++)
            a[i] ^= column[(i + 4) % 5] ^ rotate(column[(i + 1) % 5], 1);
        for (size_t y = 0; y < 5; y++)
            for (size_t x = 0; x < 5; x++)
                b[y + 5 * ((2 * x + 3 * y) % 5)] = rotate(a[x + 5 * y], offsets[x + 5 * y]);
        for (size_t y = 0; y < 25; y += 5)
            for (size_t x = 0; x < 5; x++)
                a[x + y] = b[x + y] ^ (~b[(x + 1) % 5 + y] & b[(x + 2) % 5 + y]);
        a[0] ^= constants[round];
    }
}

void lamp_keccak256(struct lamp_bytes data, uint8_t out[32])
{
    enum { RATE = 136 };
    uint64_t state[25] = { 0 };
    size_t at = 0;
    for (size_t i = 0; i < data.len; i++) {
        state[at / 8] ^= (uint64_t)data.data[i] << 8 * (at % 8);
        if (++at == RATE) {
            keccak_f(state);
            at = 0;
        }
    }
    state[at / 8] ^= (uint64_t)0x01 << 8 * (at % 8);
    state[(RATE - 1) / 8] ^= (uint64_t)0x80 << 56;
    keccak_f(state);
    for (size_t i = 0; i < 32; i++)
        out[i] = (uint8_t)(state[i / 8] >> 8 * (i % 8));
}
