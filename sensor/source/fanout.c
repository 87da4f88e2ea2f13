/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/source/fanout.h"

#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#ifndef PACKET_FANOUT_FLAG_UNIQUEID /* Linux 4.12 */
#define PACKET_FANOUT_FLAG_UNIQUEID 0x2000
#endif

enum {
    VLAN_TAGS = 2,
    LABELS = 4,
    PPP_IP4 = 0x0021,
    PPP_IP6 = 0x0057,
    /* scratch words of the program */
    AT = 0,  /* where the header at hand begins, from the network header */
    SUM = 1, /* of addresses */
};

struct program {
    struct sock_filter *code; /* LAMP_FANOUT_CODE */
    unsigned n;
    uint32_t base, key;
};

static void op(struct program *p, unsigned code, uint32_t k, unsigned jt, unsigned jf)
{
    assert(p->n < LAMP_FANOUT_CODE);
    p->code[p->n++] = (struct sock_filter){ (uint16_t)code, (uint8_t)jt, (uint8_t)jf, k };
}

/* A = the value of size (BPF_B, _H, _W) at X + k of the packet. */
static void load(struct program *p, unsigned size, uint32_t k)
{
    op(p, BPF_LD | size | BPF_IND, p->base + k, 0, 0);
}

/* Moves on by k; X and M[AT] say where, A is lost. */
static void move(struct program *p, uint32_t k)
{
    op(p, BPF_MISC | BPF_TXA, 0, 0, 0);
    op(p, BPF_ALU | BPF_ADD | BPF_K, k, 0, 0);
    op(p, BPF_ST, AT, 0, 0);
    op(p, BPF_MISC | BPF_TAX, 0, 0, 0);
}

/* Does what follows, up to land(), only if A is the value. A test and a long jump: short ones reach
 * 255 instructions. Returns the jump. */
static unsigned unless(struct program *p, uint32_t value)
{
    op(p, BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0);
    op(p, BPF_JMP | BPF_JA, 0, 0, 0);
    return p->n - 1;
}

static void land(struct program *p, unsigned jump)
{
    p->code[jump].k = p->n - jump - 1;
}

/* M[SUM] ^= the word at k; symmetric, whichever address comes first. */
static void add_word(struct program *p, uint32_t k)
{
    load(p, BPF_W, k);
    op(p, BPF_LDX | BPF_MEM, SUM, 0, 0);
    op(p, BPF_ALU | BPF_XOR | BPF_X, 0, 0, 0);
    op(p, BPF_ST, SUM, 0, 0);
    op(p, BPF_LDX | BPF_MEM, AT, 0, 0);
}

/* The end: a hash of the words between from and to of the header at hand. */
static void hash(struct program *p, uint32_t from, uint32_t to)
{
    for (uint32_t k = from; k < to; k += 4)
        add_word(p, k);
    op(p, BPF_LD | BPF_MEM, SUM, 0, 0);
    op(p, BPF_ALU | BPF_MUL | BPF_K, p->key | 1, 0, 0);
    op(p, BPF_ALU | BPF_RSH | BPF_K, 16, 0, 0);
    op(p, BPF_RET | BPF_A, 0, 0, 0);
}

static void ip4(struct program *p)
{
    hash(p, 12, 20); /* RFC 791, 3.1 */
}

static void ip6(struct program *p)
{
    hash(p, 8, 40); /* RFC 8200, 3 */
}

/* Passes a VLAN tag where A, the type of what comes, says so (IEEE 802.1Q: type, then tag). */
static void tag(struct program *p)
{
    static const uint32_t types[] = { ETH_P_8021Q, ETH_P_8021AD, ETH_P_QINQ1 };
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        const unsigned other = unless(p, types[i]);
        move(p, 4);
        load(p, BPF_H, (uint32_t)-2);
        land(p, other);
    }
}

/* RFC 2516, 4: six bytes, then the number of PPP. */
static void pppoe(struct program *p)
{
    load(p, BPF_H, 6);
    const unsigned not4 = unless(p, PPP_IP4);
    move(p, 8);
    ip4(p);
    land(p, not4);
    const unsigned not6 = unless(p, PPP_IP6);
    move(p, 8);
    ip6(p);
    land(p, not6);
    op(p, BPF_RET | BPF_K, 0, 0, 0);
}

/* RFC 3032, 2.1: the bottom of the stack is told by a bit; what is below it by its first four bits. */
static void mpls(struct program *p)
{
    for (unsigned i = 0; i < LABELS; i++) {
        load(p, BPF_B, 2);
        op(p, BPF_ALU | BPF_AND | BPF_K, 1, 0, 0);
        const unsigned inner = unless(p, 1);
        load(p, BPF_B, 4);
        op(p, BPF_ALU | BPF_RSH | BPF_K, 4, 0, 0);
        const unsigned not4 = unless(p, 4);
        move(p, 4);
        ip4(p);
        land(p, not4);
        const unsigned not6 = unless(p, 6);
        move(p, 4);
        ip6(p);
        land(p, not6);
        op(p, BPF_RET | BPF_K, 0, 0, 0);
        land(p, inner);
        move(p, 4);
    }
    op(p, BPF_RET | BPF_K, 0, 0, 0);
}

/* The whole way for packets whose network header lies at base. */
static void packet(struct program *p, uint32_t base)
{
    p->base = base;
    op(p, BPF_LD | BPF_IMM, 0, 0, 0);
    op(p, BPF_ST, AT, 0, 0);
    op(p, BPF_ST, SUM, 0, 0);
    op(p, BPF_LDX | BPF_IMM, 0, 0, 0);
    op(p, BPF_LD | BPF_H | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL), 0, 0);
    for (unsigned i = 0; i < VLAN_TAGS; i++)
        tag(p);
    static const struct {
        uint32_t type;
        void (*fn)(struct program *p);
    } kinds[] = {
        { ETH_P_IP, ip4 }, { ETH_P_IPV6, ip6 }, { ETH_P_PPP_SES, pppoe }, { ETH_P_MPLS_UC, mpls }
    };
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const unsigned other = unless(p, kinds[i].type);
        kinds[i].fn(p);
        land(p, other);
    }
    op(p, BPF_RET | BPF_K, 0, 0, 0);
}

/* What is received begins at its network header when it is spread (__netif_receive_skb_core()), what is sent
 * at its link header (dev_queue_xmit_nit()); for that SKF_NET_OFF leads to the network header. */
unsigned lamp_fanout_program(uint32_t key, struct sock_filter *code)
{
    struct program p = { .code = code, .key = key };
    op(&p, BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE), 0, 0);
    const unsigned received = unless(&p, PACKET_OUTGOING);
    packet(&p, (uint32_t)SKF_NET_OFF);
    land(&p, received);
    packet(&p, 0);
    return p.n;
}

static int set_program(const struct lamp_fanout *f, int fd)
{
    struct sock_filter *code = calloc(LAMP_FANOUT_CODE, sizeof(*code));
    if (!code)
        return LAMP_ENOMEM;
    const struct sock_fprog prog = { (unsigned short)lamp_fanout_program(f->key, code), code };
    const int rc = setsockopt(fd, SOL_PACKET, PACKET_FANOUT_DATA, &prog, sizeof(prog));
    const int err = rc < 0 ? -errno : LAMP_OK;
    free(code);
    return err;
}

int lamp_fanout_join(struct lamp_fanout *f, int fd)
{
    const bool first = f->id < 0;
    const uint32_t type = PACKET_FANOUT_CBPF | (first ? PACKET_FANOUT_FLAG_UNIQUEID : 0);
    uint32_t arg = type << 16 | (first ? 0 : (uint32_t)f->id);
    socklen_t len = sizeof(arg);
    if (setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &arg, sizeof(arg)) < 0)
        return -errno;
    if (!first)
        return LAMP_OK;
    if (getsockopt(fd, SOL_PACKET, PACKET_FANOUT, &arg, &len) < 0)
        return -errno;
    f->id = (int)(arg & 0xffff);
    return set_program(f, fd);
}
