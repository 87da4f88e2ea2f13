/* SPDX-License-Identifier: Apache-2.0 */
/* gencap: writes the two captures that packet rates are measured on. Same seed, same file.
 *   mix    what a branch carries: DNS, TLS, HTTP, QUIC, SSH, NTP, bulk transfers, games, scans,
 *          0.5 % of the flows stratum; heavy-tailed lengths, interleaved in time
 *   small  64-byte packets of very many flows at once: every packet is a cache miss
 * Checksums are right, addresses are from private and documentation ranges where they fit. */
#include "tests/support/rng.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { DNS, TLS, HTTP, QUIC, SSH, NTP, GAME, SCAN, BULK, STRATUM, N_KINDS };

/* What a flow of each kind is like. Lengths are Pareto distributed: xm packets at least, tail
 * exponent a, capped. */
static const struct profile {
    const char *name;
    double share; /* of the flows */
    uint16_t port;
    bool udp;
    double xm, a, cap;
    double down;           /* share of the payload packets that go to the client */
    unsigned small, large; /* payload bytes, between which most packets are */
    double full;           /* share of the downward packets that fill a segment */
    double gap_us;         /* mean time between packets of the flow */
} profiles[N_KINDS] = {
    [DNS] = { "dns", .34, 53, true, 2, 0, 2, .5, 30, 60, 0, 20e3 },
    [TLS] = { "tls", .41, 443, false, 3, 1.12, 6000, .7, 30, 500, .45, 30e3 },
    [HTTP] = { "http", .08, 80, false, 3, 1.15, 6000, .8, 200, 800, .7, 40e3 },
    [QUIC] = { "quic", .055, 443, true, 8, 1.15, 6000, .65, 35, 350, .3, 20e3 },
    [SSH] = { "ssh", .006, 22, false, 20, 1.5, 300, .5, 36, 350, 0, 400e3 },
    [NTP] = { "ntp", .02, 123, true, 2, 0, 2, .5, 48, 48, 0, 50e3 },
    [GAME] = { "game", .013, 27015, true, 40, 1.5, 500, .5, 30, 250, 0, 50e3 },
    [SCAN] = { "scan", .055, 0, false, 0, 0, 0, 0, 0, 0, 0, 20e3 },
    [BULK] = { "bulk", .016, 5201, false, 20, 1.1, 20000, .8, 20, 900, .6, 20e3 },
    [STRATUM] = { "stratum", .005, 3333, false, 60, 2, 400, .5, 0, 0, 0, 2500e3 },
};

struct flow {
    double t_us;
    uint32_t addr[2], seq[2]; /* client, server */
    uint16_t port[2];
    uint8_t kind, dialect; /* dialect: of stratum */
    uint16_t ip_id;
    uint32_t step, left; /* payload packets sent, and still to come */
    uint8_t opened, closing;
};

struct gen {
    FILE *out;
    struct lamp_rng rng;
    struct flow *flows;
    uint32_t *heap, n_heap; /* flows by the time of their next packet */
    uint8_t noise[65536];
    uint64_t packets, bytes, by_kind[N_KINDS];
};

/* ---- random ---- */

static uint32_t below(struct gen *g, uint32_t n)
{
    return (uint32_t)((lamp_rng_u64(&g->rng) >> 32) * n >> 32);
}

static double unit(struct gen *g)
{
    return lamp_rng_unit(&g->rng);
}

static double exponential(struct gen *g, double mean)
{
    return lamp_rng_exponential(&g->rng, mean);
}

static uint32_t pareto(struct gen *g, const struct profile *p)
{
    if (p->a <= 0)
        return (uint32_t)p->xm;
    const double v = p->xm / pow(1.0 - unit(g), 1.0 / p->a);
    return (uint32_t)(v < p->cap ? v : p->cap);
}

/* ---- heap ---- */

static void sift_down(struct gen *g, uint32_t i)
{
    for (;;) {
        uint32_t least = i;
        for (uint32_t c = 2 * i + 1; c <= 2 * i + 2 && c < g->n_heap; c++)
            if (g->flows[g->heap[c]].t_us < g->flows[g->heap[least]].t_us)
                least = c;
        if (least == i)
            return;
        const uint32_t swap = g->heap[i];
        g->heap[i] = g->heap[least];
        g->heap[least] = swap;
        i = least;
    }
}

/* ---- packets ---- */

static void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v & 0xffff);
}

static uint32_t sum(uint32_t s, const uint8_t *p, size_t n)
{
    for (; n > 1; p += 2, n -= 2)
        s += (uint32_t)p[0] << 8 | p[1];
    return n ? s + ((uint32_t)p[0] << 8) : s;
}

static unsigned folded(uint32_t s)
{
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return ~s & 0xffff;
}

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

/* One packet of f, dir 0 from the client. */
static void emit(struct gen *g, struct flow *f, int dir, unsigned flags, const void *payload,
                 size_t len)
{
    static uint8_t b[2048];
    const bool udp = profiles[f->kind].udp || f->dialect == UINT8_MAX;
    const size_t header = udp ? 8 : 20, l4_len = header + len;
    static const uint8_t macs[2][12] = { { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1 },
                                         { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2 } };
    uint8_t *ip = b + 14, *l4 = ip + 20;
    memset(b, 0, 54);
    memcpy(b, macs[dir], 12);
    put16(b + 12, 0x0800);
    put16(ip, 0x4500);
    put16(ip + 2, (unsigned)(20 + l4_len));
    put16(ip + 4, ++f->ip_id);
    put16(ip + 6, 0x4000);
    ip[8] = dir ? 56 : 64;
    ip[9] = udp ? 17 : 6;
    put32(ip + 12, f->addr[dir]);
    put32(ip + 16, f->addr[!dir]);
    put16(ip + 10, folded(sum(0, ip, 20)));
    put16(l4, f->port[dir]);
    put16(l4 + 2, f->port[!dir]);
    if (udp) {
        put16(l4 + 4, (unsigned)l4_len);
    } else {
        put32(l4 + 4, f->seq[dir]);
        put32(l4 + 8, flags & ACK ? f->seq[!dir] : 0);
        put16(l4 + 12, 0x5000 | flags);
        put16(l4 + 14, 64240);
        f->seq[dir] += (uint32_t)len + !!(flags & (SYN | FIN));
    }
    memcpy(l4 + header, payload, len);
    const unsigned check =
        folded(sum(sum((uint32_t)(udp ? 17 : 6) + (uint32_t)l4_len, ip + 12, 8), l4, l4_len));
    put16(l4 + (udp ? 6 : 16), udp && check == 0 ? 0xffff : check);

    const uint64_t t_us = 1700000000000000 + (uint64_t)f->t_us;
    const uint32_t total = (uint32_t)(34 + l4_len);
    const uint32_t record[4] = { (uint32_t)(t_us / 1000000), (uint32_t)(t_us % 1000000), total,
                                 total };
    fwrite(record, sizeof(record), 1, g->out);
    fwrite(b, total, 1, g->out);
    g->packets++;
    g->bytes += total;
    g->by_kind[f->kind]++;
}

/* ---- payloads ---- */

/* The name that the client asks for: one for each server. */
static size_t host(const struct flow *f, char out[64])
{
    static const char *const words[] = {
        "cdn", "api", "www", "img", "mail", "edge", "shop", "news"
    };
    const uint32_t h = f->addr[1] * 2654435761U;
    return (size_t)snprintf(out, 64, "%s%u.site%u.example", words[h & 7], h >> 4 & 63,
                            h >> 10 & 4095);
}

static size_t dns(const struct flow *f, uint8_t *out)
{
    char name[64];
    host(f, name);
    memset(out, 0, 12);
    put16(out, f->port[0] ^ 0x5a5a);
    put16(out + 2, f->step ? 0x8180 : 0x0100);
    put16(out + 4, 1);
    put16(out + 6, f->step ? 1 : 0);
    uint8_t *p = out + 12;
    for (const char *s = name; *s;) {
        const size_t label = strcspn(s, ".");
        *p++ = (uint8_t)label;
        memcpy(p, s, label);
        p += label;
        s += label + (s[label] == '.');
    }
    *p++ = 0;
    put32(p, 0x00010001);
    p += 4;
    if (f->step) {
        static const uint8_t answer[16] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 198, 51, 100 };
        memcpy(p, answer, sizeof(answer));
        p += sizeof(answer);
    }
    return (size_t)(p - out);
}

/* A ClientHello of 517 bytes with the name of the server (RFC 8446 4.1.2, RFC 6066 3). */
static size_t client_hello(struct gen *g, const struct flow *f, uint8_t *out)
{
    enum { TOTAL = 517, EXTENSIONS = 5 + 4 + 2 + 32 + 1 + 32 + 2 + 6 + 2 };
    char name[64];
    const size_t n = host(f, name);
    memset(out, 0, TOTAL);
    memcpy(out, (const uint8_t[]){ 22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3 }, 11);
    memcpy(out + 11, g->noise + below(g, 60000), 32);
    out[43] = 32;
    memcpy(out + 44, g->noise + below(g, 60000), 32);
    memcpy(out + 76, (const uint8_t[]){ 0, 6, 0x13, 1, 0x13, 2, 0x13, 3, 1, 0 }, 10);
    put16(out + 86, TOTAL - EXTENSIONS - 2);
    uint8_t *p = out + 88;
    put16(p + 2, (unsigned)n + 5);
    put16(p + 4, (unsigned)n + 3);
    put16(p + 7, (unsigned)n);
    memcpy(p + 9, name, n);
    p += 9 + n;
    put16(p, 21); /* padding to the end */
    put16(p + 2, (unsigned)(out + TOTAL - p - 4));
    return TOTAL;
}

/* The next line of a stratum session; *dir: who says it. */
static size_t stratum(struct gen *g, const struct flow *f, char *out, size_t size, int *dir)
{
    static const char *const formats[2][7] = {
        { "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"cgminer/4.11.1\"]}\n",
          "{\"id\":1,\"result\":[[[\"mining.notify\",\"1\"]],\"%.8s\",8],\"error\":null}\n",
          "{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"davylamp-sample.rig\",\"x\"]}\n",
          "{\"id\":2,\"result\":true,\"error\":null}\n",
          "{\"id\":null,\"method\":\"mining.notify\",\"params\":[\"%.4s\",\"%s\",\"%s\",\"%s\",[],"
          "\"20000000\",\"17034219\",\"6553f100\",false]}\n",
          "{\"id\":4,\"method\":\"mining.submit\",\"params\":[\"davylamp-sample.rig\",\"%.4s\","
          "\"%.16s\",\"6553f100\",\"%.8s\"]}\n",
          "{\"id\":4,\"result\":true,\"error\":null}\n" },
        { "{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"login\",\"params\":{\"login\":"
          "\"davylamp-sample\",\"pass\":\"x\",\"agent\":\"XMRig/6.21.0\",\"algo\":[\"rx/0\"]}}\n",
          "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":null,\"result\":{\"id\":\"%.16s\",\"job\":{"
          "\"blob\":\"%s%s\",\"job_id\":\"%.12s\",\"target\":\"b88d0600\",\"algo\":\"rx/0\"},"
          "\"status\":\"OK\"}}\n",
          "{\"id\":2,\"jsonrpc\":\"2.0\",\"method\":\"submit\",\"params\":{\"id\":\"%.16s\","
          "\"job_id\":\"%.12s\",\"nonce\":\"%.8s\",\"result\":\"%s\"}}\n",
          "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":null,\"result\":{\"status\":\"OK\"}}\n",
          "{\"jsonrpc\":\"2.0\",\"method\":\"job\",\"params\":{\"blob\":\"%s%s\",\"job_id\":"
          "\"%.12s\",\"target\":\"b88d0600\",\"algo\":\"rx/0\"}}\n",
          "{\"id\":3,\"jsonrpc\":\"2.0\",\"method\":\"submit\",\"params\":{\"id\":\"%.16s\","
          "\"job_id\":\"%.12s\",\"nonce\":\"%.8s\",\"result\":\"%s\"}}\n",
          "{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":null,\"result\":{\"status\":\"OK\"}}\n" },
    };
    static const int dirs[2][7] = { { 0, 1, 0, 1, 1, 0, 1 }, { 0, 1, 0, 1, 1, 0, 1 } };
    const uint32_t line = f->step < 7 ? f->step : 4 + (f->step - 4) % 3;
    char h[4][65];
    for (size_t i = 0; i < 4; i++)
        lamp_rng_hex(&g->rng, 64, h[i]);
    *dir = dirs[f->dialect][line];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
    return (size_t)snprintf(out, size, formats[f->dialect][line], h[0], h[1], h[2], h[3]);
#pragma GCC diagnostic pop
}

/* One payload packet of f: its first are what the protocol opens with, the rest noise of the
 * right length. */
static void speak(struct gen *g, struct flow *f)
{
    const struct profile *p = &profiles[f->kind];
    uint8_t b[1460];
    int dir = f->step < 2 ? (int)f->step : unit(g) < p->down;
    size_t len = p->small + below(g, p->large - p->small + 1);
    if (dir && unit(g) < p->full)
        len = 1388;
    memcpy(b, g->noise + below(g, 60000), len);
    switch (f->kind) {
    case DNS:
        len = dns(f, b);
        break;
    case TLS:
        if (f->step == 0)
            len = client_hello(g, f, b);
        else
            memcpy(b, (const uint8_t[]){ f->step == 1 ? 22 : 23, 3, 3, 1, 0 }, 5);
        break;
    case HTTP:
        if (f->step == 0) {
            char name[64];
            host(f, name);
            len = (size_t)snprintf((char *)b, sizeof(b),
                                   "GET /%08x HTTP/1.1\r\nHost: %s\r\nUser-Agent: gencap\r\n"
                                   "Accept: */*\r\n\r\n",
                                   below(g, UINT32_MAX), name);
        } else if (f->step == 1) {
            memcpy(b, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n", 59);
        }
        break;
    case QUIC:
        if (f->step < 2) {
            len = 1200;
            memcpy(b, (const uint8_t[]){ 0xc3, 0, 0, 0, 1, 8 }, 6);
        } else {
            b[0] = (uint8_t)(0x40 | (b[0] & 0x3f));
        }
        break;
    case SSH:
        if (f->step < 2)
            len = (size_t)snprintf((char *)b, sizeof(b), "SSH-2.0-OpenSSH_9.2p1\r\n");
        break;
    case NTP:
        b[0] = f->step ? 0x24 : 0x23;
        break;
    case STRATUM:
        len = stratum(g, f, (char *)b, sizeof(b), &dir);
        break;
    default:
        break;
    }
    emit(g, f, dir, PSH | ACK, b, len);
    f->step++;
    f->left--;
    if (!p->udp && f->step % 2 == 0) { /* a bare acknowledgement of every other one */
        f->t_us += 20;
        emit(g, f, !dir, ACK, "", 0);
    }
}

/* The next packet of f; false: it was the last. */
static bool advance(struct gen *g, struct flow *f)
{
    const struct profile *p = &profiles[f->kind];
    if (f->kind == SCAN) {
        emit(g, f, f->opened, f->opened ? RST | ACK : SYN, "", 0);
        f->t_us += exponential(g, p->gap_us);
        return f->opened++ == 0;
    }
    if (!p->udp && f->opened < 3) {
        static const unsigned flags[3] = { SYN, SYN | ACK, ACK };
        emit(g, f, f->opened == 1, flags[f->opened], "", 0);
        f->opened++;
        f->t_us += exponential(g, 10e3);
        return true;
    }
    if (f->left > 0) {
        speak(g, f);
        /* packets come in bursts */
        f->t_us += below(g, 4) ? 15 + exponential(g, 40) : exponential(g, 4 * p->gap_us);
        return f->left > 0 || !p->udp;
    }
    static const unsigned closing[3] = { FIN | ACK, FIN | ACK, ACK };
    emit(g, f, f->closing == 1, closing[f->closing], "", 0);
    f->t_us += 300;
    return ++f->closing < 3;
}

static void begin(struct gen *g, struct flow *f)
{
    double at = unit(g);
    unsigned kind = 0;
    while (kind < N_KINDS - 1 && at >= profiles[kind].share)
        at -= profiles[kind++].share;
    const struct profile *p = &profiles[kind];
    /* some servers are far more popular than others */
    const uint32_t server = (uint32_t)(1 / pow(1.0 - unit(g), 1.1)) % 20000;
    *f = (struct flow){
        .t_us = unit(g) * (kind == STRATUM ? 300e6 : 540e6),
        .addr = { 0xc0a80000 | below(g, 8) << 8 | (1 + below(g, 250)),
                  kind == DNS ? 0x08080800 | below(g, 8)
                              : 0xc6120000 | (server * 2654435761U >> 15) },
        .seq = { below(g, UINT32_MAX), below(g, UINT32_MAX) },
        .port = { (uint16_t)(32768 + below(g, 28000)),
                  kind == SCAN ? (uint16_t)(1 + below(g, 10000)) : p->port },
        .kind = (uint8_t)kind,
        .dialect = kind == STRATUM ? (uint8_t)below(g, 2) : 0,
        .left = pareto(g, p),
    };
}

static void write_mix(struct gen *g, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        begin(g, &g->flows[i]);
        g->heap[i] = i;
    }
    g->n_heap = n;
    for (uint32_t i = n; i-- > 0;)
        sift_down(g, i);
    while (g->n_heap > 0) {
        struct flow *f = &g->flows[g->heap[0]];
        if (!advance(g, f) || f->t_us > 600e6)
            g->heap[0] = g->heap[--g->n_heap];
        sift_down(g, 0);
    }
}

/* Ten packets a flow on average, in no order; a third of the flows UDP. */
static void write_small(struct gen *g, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        g->flows[i] = (struct flow){
            .addr = { 0x0a000000 | below(g, 1 << 20), 0x17000000 + below(g, 1 << 28) },
            .seq = { below(g, UINT32_MAX), below(g, UINT32_MAX) },
            .port = { (uint16_t)(1024 + below(g, 64000)),
                      below(g, 2) ? 443 : (uint16_t)(1 + below(g, 65000)) },
            .kind = BULK,
            .dialect = below(g, 3) ? 0 : UINT8_MAX, /* the latter: UDP */
        };
    for (uint64_t k = 0; k < 10 * (uint64_t)n; k++) {
        struct flow *f = &g->flows[below(g, n)];
        f->t_us = (double)k * 2;
        emit(g, f, (int)below(g, 2), PSH | ACK, g->noise + below(g, 60000),
             f->dialect == UINT8_MAX ? 22 : 10);
    }
}

static int usage(int status)
{
    fputs("Usage: gencap mix|small --out FILE.pcap [--flows N] [--seed N]\n"
          "Flows: 150000 for mix, 500000 for small (ten packets each).\n",
          status ? stderr : stdout);
    return status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = { { "out", required_argument, NULL, 'o' },
                                             { "flows", required_argument, NULL, 'f' },
                                             { "seed", required_argument, NULL, 's' },
                                             { "help", no_argument, NULL, 'h' },
                                             { NULL, 0, NULL, 0 } };
    const char *path = NULL;
    unsigned long flows = 0, seed = 1;
    for (int opt; (opt = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        switch (opt) {
        case 'o':
            path = optarg;
            break;
        case 'f':
            flows = strtoul(optarg, NULL, 10);
            break;
        case 's':
            seed = strtoul(optarg, NULL, 10);
            break;
        default:
            return usage(opt == 'h' ? 0 : 2);
        }
    }
    const bool small = optind < argc && strcmp(argv[optind], "small") == 0;
    if (!path || optind + 1 != argc || (!small && strcmp(argv[optind], "mix") != 0) ||
        flows > 10000000)
        return usage(2);
    if (flows == 0)
        flows = small ? 500000 : 150000;

    static struct gen g;
    g.rng.state = seed;
    g.flows = calloc(flows, sizeof(*g.flows));
    g.heap = calloc(flows, sizeof(*g.heap));
    g.out = fopen(path, "wbe");
    if (!g.flows || !g.heap || !g.out) {
        fprintf(stderr, "gencap: %s: %s\n", path, strerror(errno));
        return 1;
    }
    for (size_t i = 0; i < sizeof(g.noise); i++)
        g.noise[i] = (uint8_t)lamp_rng_u64(&g.rng);
    const uint32_t header[6] = { 0xa1b2c3d4, 0x00040002, 0, 0, 65535, 1 };
    fwrite(header, sizeof(header), 1, g.out);
    if (small)
        write_small(&g, (uint32_t)flows);
    else
        write_mix(&g, (uint32_t)flows);
    const bool failed = ferror(g.out) | fclose(g.out);
    if (failed)
        fprintf(stderr, "gencap: %s: could not be written\n", path);
    else
        printf("packets %llu bytes %llu\n", (unsigned long long)g.packets,
               (unsigned long long)g.bytes);
    for (size_t i = 0; i < N_KINDS && !failed && !small; i++)
        printf("  %-8s %llu\n", profiles[i].name, (unsigned long long)g.by_kind[i]);
    free(g.flows);
    free(g.heap);
    return failed;
}
