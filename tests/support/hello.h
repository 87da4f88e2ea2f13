/* SPDX-License-Identifier: Apache-2.0 */
/* hello: TLS ClientHellos and DNS messages for tests. Header only. */
#pragma once

#include "common/util.h"

#include <assert.h>

struct hello {
    uint8_t b[2048];
    size_t len;
};

static inline void put(struct hello *h, const void *p, size_t len)
{
    assert(h->len + len <= sizeof(h->b));
    memcpy(h->b + h->len, p, len);
    h->len += len;
}

static inline void put16(struct hello *h, size_t v)
{
    put(h, (const uint8_t[]){ (uint8_t)(v >> 8), (uint8_t)v }, 2);
}

static inline void set16(struct hello *h, size_t at, size_t v)
{
    h->b[at] = (uint8_t)(v >> 8);
    h->b[at + 1] = (uint8_t)v;
}

/* A ClientHello of TLS 1.2 form in one record: one cipher suite, server_name if sni is not
 * empty, one ALPN offer if that is not, then padding (RFC 7685) of pad bytes if that is not 0. */
static inline void make_hello(struct hello *h, const char *sni, const char *alpn, size_t pad)
{
    static const uint8_t zeros[1500];
    const size_t name = strlen(sni), offer = strlen(alpn);
    *h = (struct hello){ 0 };
    put(h, "\x16\x03\x01\0\0\x01\0\0\0\x03\x03", 11);
    put(h, zeros, 32);
    put(h, "\0\0\x02\x13\x01\x01\0", 7); /* no session, one cipher, no compression */
    const size_t extensions = h->len;
    put16(h, 0);
    if (name) {
        put16(h, 0);
        put16(h, name + 5);
        put16(h, name + 3);
        put(h, "", 1);
        put16(h, name);
        put(h, sni, name);
    }
    if (offer) {
        put16(h, 16);
        put16(h, offer + 3);
        put16(h, offer + 1);
        put(h, &(uint8_t){ (uint8_t)offer }, 1);
        put(h, alpn, offer);
    }
    if (pad) {
        put16(h, 21);
        put16(h, pad);
        put(h, zeros, pad);
    }
    set16(h, extensions, h->len - extensions - 2);
    set16(h, 3, h->len - 5);
    set16(h, 7, h->len - 9);
}

/* "a.example" as labels with the root. */
static inline void put_name(struct hello *h, const char *name)
{
    while (*name) {
        const size_t len = strcspn(name, ".");
        put(h, &(uint8_t){ (uint8_t)len }, 1);
        put(h, name, len);
        name += len + (name[len] == '.');
    }
    put(h, "", 1);
}

/* The head and question of an answer with n_answers records to come. */
static inline void make_answer(struct hello *h, const char *name, size_t n_answers)
{
    *h = (struct hello){ 0 };
    put(h, "\x12\x34\x81\x80\0\x01", 6);
    put16(h, n_answers);
    put(h, "\0\0\0\0", 4);
    put_name(h, name);
    put(h, "\0\x01\0\x01", 4);
}

/* An A record whose owner is the question's name (a pointer to it). */
static inline void put_a(struct hello *h, size_t owner_at, uint32_t ttl_s, const uint8_t addr[4])
{
    put16(h, 0xc000 | owner_at);
    put(h, "\0\x01\0\x01", 4);
    put16(h, ttl_s >> 16);
    put16(h, ttl_s & 0xffff);
    put16(h, 4);
    put(h, addr, 4);
}
