/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/poolsim/noisegen.h"

#include <stdio.h>

enum { HOST_MAX = 200, RECORD_BYTES = 1400, PACE_US = 1000 };

static int send_bytes(struct lamp_capflow *f, uint64_t total, uint64_t *t_us)
{
    uint8_t block[RECORD_BYTES];
    while (total > 0) {
        const size_t len = total < sizeof(block) ? (size_t)total : sizeof(block);
        for (size_t i = 0; i < len; i++)
            block[i] = (uint8_t)lamp_rng_u64(&f->rng);
        const int err = lamp_capflow_send(f, LAMP_CAPFLOW_DOWN, *t_us, block, len);
        if (err)
            return err;
        *t_us += PACE_US;
        total -= len;
    }
    return LAMP_OK;
}

static int write_http(struct lamp_capflow *f, const struct sim_noise *n, uint64_t *t_us)
{
    char text[512];
    int len = snprintf(text, sizeof(text),
                       "GET /downloads/report.bin HTTP/1.1\r\nHost: %s\r\n"
                       "User-Agent: sample/1.0\r\nAccept: */*\r\n\r\n",
                       n->host);
    int err = lamp_capflow_send(f, LAMP_CAPFLOW_UP, *t_us, text, (size_t)len);
    *t_us += n->rtt_us;
    len = snprintf(text, sizeof(text),
                   "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                   "Content-Length: %llu\r\n\r\n",
                   (unsigned long long)n->bytes);
    if (!err)
        err = lamp_capflow_send(f, LAMP_CAPFLOW_DOWN, *t_us, text, (size_t)len);
    *t_us += PACE_US;
    return err ? err : send_bytes(f, n->bytes, t_us);
}

/* A message under construction. */
struct message {
    uint8_t b[600];
    size_t len;
};

static void put8(struct message *m, unsigned v)
{
    m->b[m->len++] = (uint8_t)v;
}

static void put16(struct message *m, unsigned v)
{
    put8(m, v >> 8 & 0xff);
    put8(m, v & 0xff);
}

static void put_text(struct message *m, const char *s, size_t len)
{
    memcpy(m->b + m->len, s, len);
    m->len += len;
}

/* Writes the 16-bit length of what follows `at` + 2 into `at`. */
static void patch_len(struct message *m, size_t at)
{
    const size_t len = m->len - at - 2;
    m->b[at] = (uint8_t)(len >> 8);
    m->b[at + 1] = (uint8_t)len;
}

/* A DNS name as labels (RFC 1035 section 3.1). */
static int put_name(struct message *m, const char *host)
{
    while (*host) {
        const size_t len = strcspn(host, ".");
        if (len == 0 || len > 63)
            return LAMP_EINVAL;
        put8(m, (unsigned)len);
        put_text(m, host, len);
        host += len + (host[len] == '.');
    }
    put8(m, 0);
    return LAMP_OK;
}

static int write_dns(struct lamp_capflow *f, const struct sim_noise *n, uint64_t *t_us)
{
    struct lamp_addr address;
    struct message m = { .len = 0 };
    int err = lamp_addr_parse(n->answer, &address);
    if (err)
        return err;
    put16(&m, (unsigned)lamp_rng_u64(&f->rng) & 0xffff);
    put16(&m, 0x0100); /* recursion desired */
    put16(&m, 1);
    put16(&m, 0);
    put16(&m, 0);
    put16(&m, 0);
    err = put_name(&m, n->host);
    if (err)
        return err;
    put16(&m, 1); /* A, IN */
    put16(&m, 1);
    err = lamp_capflow_datagram(f, LAMP_CAPFLOW_UP, *t_us, m.b, m.len);
    if (err)
        return err;
    *t_us += n->rtt_us;
    m.b[2] = 0x81;
    m.b[3] = 0x80; /* a recursive answer */
    m.b[7] = 1;
    put16(&m, 0xc00c); /* the name of the question */
    put16(&m, 1);
    put16(&m, 1);
    put16(&m, 0);
    put16(&m, 300); /* TTL in seconds */
    put16(&m, 4);
    put_text(&m, (const char *)address.b + 12, 4);
    return lamp_capflow_datagram(f, LAMP_CAPFLOW_DOWN, *t_us, m.b, m.len);
}

/* A ClientHello with server name, groups and versions (RFC 8446 section 4.1.2, RFC 6066). */
static void put_client_hello(struct message *m, struct lamp_rng *rng, const char *host)
{
    put8(m, 22);
    put16(m, 0x0301);
    const size_t record = m->len;
    put16(m, 0);
    put8(m, 1);
    put8(m, 0);
    const size_t body = m->len;
    put16(m, 0);
    put16(m, 0x0303);
    for (int i = 0; i < 32; i++)
        put8(m, (unsigned)lamp_rng_u64(rng) & 0xff);
    put8(m, 0); /* no session id */
    put16(m, 6);
    put16(m, 0x1301);
    put16(m, 0x1302);
    put16(m, 0xc02f);
    put16(m, 0x0100); /* null compression */
    const size_t extensions = m->len;
    put16(m, 0);
    const size_t host_len = strlen(host);
    put16(m, 0); /* server_name */
    put16(m, (unsigned)host_len + 5);
    put16(m, (unsigned)host_len + 3);
    put8(m, 0);
    put16(m, (unsigned)host_len);
    put_text(m, host, host_len);
    put16(m, 10); /* supported_groups: x25519 */
    put16(m, 4);
    put16(m, 2);
    put16(m, 29);
    put16(m, 43); /* supported_versions: 1.3 */
    put16(m, 3);
    put8(m, 2);
    put16(m, 0x0304);
    patch_len(m, extensions);
    patch_len(m, body);
    patch_len(m, record);
}

static int write_tls(struct lamp_capflow *f, const struct sim_noise *n, uint64_t *t_us)
{
    struct message m = { .len = 0 };
    put_client_hello(&m, &f->rng, n->host);
    int err = lamp_capflow_send(f, LAMP_CAPFLOW_UP, *t_us, m.b, m.len);
    *t_us += n->rtt_us;
    for (uint64_t left = n->bytes; !err && left > 0;) {
        const uint64_t len = left < RECORD_BYTES - 5 ? left : RECORD_BYTES - 5;
        struct message head = { .len = 0 };
        uint8_t record[RECORD_BYTES];
        put8(&head, 23); /* application data */
        put16(&head, 0x0303);
        put16(&head, (unsigned)len);
        memcpy(record, head.b, head.len);
        for (uint64_t i = 0; i < len; i++)
            record[5 + i] = (uint8_t)lamp_rng_u64(&f->rng);
        err = lamp_capflow_send(f, LAMP_CAPFLOW_DOWN, *t_us, record, 5 + (size_t)len);
        *t_us += PACE_US;
        left -= len;
    }
    return err;
}

int sim_noise_write(struct lamp_capflow *f, const struct sim_noise *n, uint64_t *t_us)
{
    if (strlen(n->host) > HOST_MAX)
        return LAMP_EINVAL;
    if (streq(n->kind, "http"))
        return write_http(f, n, t_us);
    if (streq(n->kind, "dns"))
        return write_dns(f, n, t_us);
    return streq(n->kind, "tls") ? write_tls(f, n, t_us) : LAMP_EINVAL;
}
