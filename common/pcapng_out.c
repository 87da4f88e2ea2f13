/* SPDX-License-Identifier: Apache-2.0 */
#include "common/pcapng_out.h"

enum {
    BLOCK_SECTION = 0x0a0d0d0a,
    BLOCK_INTERFACE = 1,
    BLOCK_PACKET = 6,
    ORDER_MARK = 0x1a2b3c4d,
    OPT_END = 0,
    OPT_COMMENT = 1,
    COMMENT_MAX = 1024,
    SECTION_BYTES = 28, /* without options */
    INTERFACE_BYTES = 20,
    PACKET_BYTES = 32, /* without data */
};

static uint8_t *put16(uint8_t *p, uint16_t v)
{
    *p++ = (uint8_t)v;
    *p++ = (uint8_t)(v >> 8);
    return p;
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
    p = put16(p, (uint16_t)v);
    return put16(p, (uint16_t)(v >> 16));
}

static size_t padded(size_t n)
{
    return (n + 3) & ~(size_t)3;
}

/* Bytes, filled up with zeros to a multiple of four. */
static uint8_t *put_bytes(uint8_t *p, const void *data, size_t len)
{
    if (len)
        memcpy(p, data, len);
    memset(p + len, 0, padded(len) - len);
    return p + padded(len);
}

static size_t comment_len(const char *text)
{
    return strnlen(text, COMMENT_MAX);
}

size_t lamp_pcapng_out_section(uint8_t *buf, size_t size, const char *const *comments, size_t n)
{
    size_t len = SECTION_BYTES + (n ? 4 : 0);
    for (size_t i = 0; i < n; i++)
        len += 4 + padded(comment_len(comments[i]));
    if (len > size)
        return 0;
    uint8_t *p = put32(buf, BLOCK_SECTION);
    p = put32(p, (uint32_t)len);
    p = put32(p, ORDER_MARK);
    p = put16(p, 1); /* version 1.0 */
    p = put16(p, 0);
    p = put32(p, UINT32_MAX); /* how long the section is: not said */
    p = put32(p, UINT32_MAX);
    for (size_t i = 0; i < n; i++) {
        const size_t text = comment_len(comments[i]);
        p = put16(p, OPT_COMMENT);
        p = put16(p, (uint16_t)text);
        p = put_bytes(p, comments[i], text);
    }
    if (n)
        p = put32(p, OPT_END);
    put32(p, (uint32_t)len);
    return len;
}

size_t lamp_pcapng_out_interface(uint8_t *buf, size_t size, uint16_t linktype, uint32_t snaplen)
{
    if (size < INTERFACE_BYTES)
        return 0;
    uint8_t *p = put32(buf, BLOCK_INTERFACE);
    p = put32(p, INTERFACE_BYTES);
    p = put16(p, linktype);
    p = put16(p, 0);
    p = put32(p, snaplen);
    put32(p, INTERFACE_BYTES);
    return INTERFACE_BYTES;
}

size_t lamp_pcapng_out_packet_size(uint32_t cap_len)
{
    return PACKET_BYTES + padded(cap_len);
}

size_t lamp_pcapng_out_packet(uint8_t *buf, size_t size, uint32_t interface, uint64_t t_us,
                              const uint8_t *data, uint32_t cap_len, uint32_t orig_len)
{
    const size_t len = lamp_pcapng_out_packet_size(cap_len);
    if (len > size)
        return 0;
    uint8_t *p = put32(buf, BLOCK_PACKET);
    p = put32(p, (uint32_t)len);
    p = put32(p, interface);
    p = put32(p, (uint32_t)(t_us >> 32));
    p = put32(p, (uint32_t)t_us);
    p = put32(p, cap_len);
    p = put32(p, orig_len);
    p = put_bytes(p, data, cap_len);
    put32(p, (uint32_t)len);
    return len;
}
