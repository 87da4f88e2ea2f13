/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/source/fanout.h"
#include "tests/support/frames.h"
#include "tests/support/test.h"

#include <linux/filter.h>
#include <linux/if_packet.h>

enum { LINK = 14, PAIRS = 200 };

static struct sock_filter code[LAMP_FANOUT_CODE];
static unsigned n_code;

/* A packet as the kernel gives it to the program: it begins at its network header when it was received, and
 * at its link header when it is sent. */
struct skb {
    const uint8_t *frame;
    size_t len;
    bool sent;
};

static bool fetch(const struct skb *s, uint32_t offset, unsigned size, uint32_t *out)
{
    const int32_t k = (int32_t)offset;
    if (k == SKF_AD_OFF + SKF_AD_PKTTYPE) {
        *out = s->sent ? PACKET_OUTGOING : PACKET_HOST;
        return true;
    }
    if (k == SKF_AD_OFF + SKF_AD_PROTOCOL) {
        *out = (uint32_t)s->frame[12] << 8 | s->frame[13];
        return true;
    }
    const int64_t at = k >= 0             ? k + (s->sent ? 0 : LINK)
                       : k >= SKF_NET_OFF ? (int64_t)k - SKF_NET_OFF + LINK
                                          : -1;
    if (at < 0 || (size_t)at + size > s->len)
        return false;
    *out = 0;
    for (unsigned i = 0; i < size; i++)
        *out = *out << 8 | s->frame[(size_t)at + i];
    return true;
}

/* What the program says of it; packet(7), bpf(4). A load past the end ends it with 0. */
static uint32_t run(const struct skb *s)
{
    uint32_t a = 0, x = 0, m[BPF_MEMWORDS] = { 0 };
    for (unsigned pc = 0; pc < n_code; pc++) {
        const struct sock_filter *f = &code[pc];
        const unsigned size = BPF_SIZE(f->code) == BPF_W ? 4 : BPF_SIZE(f->code) == BPF_H ? 2 : 1;
        switch (f->code & ~(unsigned)0x18 & 0xff) { /* without the size */
        case BPF_LD | BPF_ABS:
        case BPF_LD | BPF_IND:
            if (!fetch(s, f->k + (BPF_MODE(f->code) == BPF_IND ? x : 0), size, &a))
                return 0;
            continue;
        default:
            break;
        }
        switch (f->code) {
        case BPF_LD | BPF_IMM:
            a = f->k;
            break;
        case BPF_LD | BPF_MEM:
            a = m[f->k];
            break;
        case BPF_LDX | BPF_IMM:
            x = f->k;
            break;
        case BPF_LDX | BPF_MEM:
            x = m[f->k];
            break;
        case BPF_ST:
            m[f->k] = a;
            break;
        case BPF_MISC | BPF_TAX:
            x = a;
            break;
        case BPF_MISC | BPF_TXA:
            a = x;
            break;
        case BPF_ALU | BPF_ADD | BPF_K:
            a += f->k;
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= f->k;
            break;
        case BPF_ALU | BPF_MUL | BPF_K:
            a *= f->k;
            break;
        case BPF_ALU | BPF_RSH | BPF_K:
            a >>= f->k;
            break;
        case BPF_ALU | BPF_XOR | BPF_X:
            a ^= x;
            break;
        case BPF_JMP | BPF_JA:
            pc += f->k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            pc += a == f->k ? f->jt : f->jf;
            break;
        case BPF_RET | BPF_A:
            return a;
        case BPF_RET | BPF_K:
            return f->k;
        default:
            fail_msg("instruction %u: %x", pc, f->code);
        }
    }
    fail_msg("it does not end");
    return 0;
}

static void ip(struct frame *f, bool v6, uint32_t src, uint32_t dst, unsigned sport)
{
    if (v6) {
        put32(f, 0x60000000);
        put32(f, 8 << 16 | 17 << 8 | 64);
        for (unsigned end = 0; end < 2; end++) {
            put32(f, 0x20010db8);
            put32(f, 0);
            put32(f, 0);
            put32(f, end ? dst : src);
        }
    } else {
        put_ip4(f, 17, src, dst, 8);
    }
    put16(f, sport);
    put16(f, 4789);
    put32(f, 8 << 16);
}

/* What stands before the IP header. */
static void before(struct frame *f, unsigned kind, bool v6)
{
    const unsigned type = v6 ? 0x86dd : 0x0800;
    put_ether(f, (const unsigned[]){ type, 0x8100, 0x88a8, 0x8864, 0x8847, 0x8100 }[kind]);
    if (kind == 1)
        put_vlan(f, 7, type);
    if (kind == 2) {
        put_vlan(f, 7, 0x8100);
        put_vlan(f, 8, type);
    }
    if (kind == 5)
        put_vlan(f, 7, 0x8864);
    if (kind == 3 || kind == 5) {
        put16(f, 0x1100);
        put32(f, 0x00010030);
        put16(f, v6 ? 0x0057 : 0x0021);
    }
    for (unsigned i = 0; kind == 4 && i < 3; i++)
        put32(f, UINT32_C(16) << 12 | (i == 2 ? 1U << 8 : 0) | 64);
}

static uint32_t thread_of(unsigned kind, bool v6, bool sent, uint32_t src, uint32_t dst,
                          unsigned sport)
{
    struct frame f = { .len = 0 };
    before(&f, kind, v6);
    ip(&f, v6, src, dst, sport);
    return run(&(struct skb){ f.b, f.len, sent }) % 3;
}

/* Both directions, whatever their ports, received or sent, meet; pairs of hosts are spread. */
static void test_symmetry(void **state)
{
    (void)state;
    static const char *const kinds[] = {
        "plain", "VLAN", "QinQ", "PPPoE", "MPLS", "PPPoE in a VLAN"
    };
    n_code = lamp_fanout_program(0x9e3779b9, code);
    for (unsigned kind = 0; kind < ARRAY_LEN(kinds); kind++)
        for (int v6 = 0; v6 < 2; v6++) {
            unsigned counts[3] = { 0 };
            for (uint32_t i = 0; i < PAIRS; i++) {
                const uint32_t in = 0x0a150015 + i % 20, out = 0xcb007100 + i * 7919;
                const uint32_t t = thread_of(kind, v6, false, in, out, 40000 + i);
                counts[t]++;
                if (t != thread_of(kind, v6, false, out, in, 50000 + i) ||
                    t != thread_of(kind, v6, true, in, out, 1) ||
                    t != thread_of(kind, v6, true, out, in, 2))
                    fail_msg("%s, IPv%d: pair %u parts", kinds[kind], v6 ? 6 : 4, i);
            }
            for (unsigned t = 0; t < 3; t++)
                if (counts[t] < PAIRS / 6)
                    fail_msg("%s, IPv%d: %u of %u to thread %u", kinds[kind], v6 ? 6 : 4, counts[t],
                             PAIRS, t);
        }
}

/* What is not IP, or cut, goes to the first; nothing is read past the end. */
static void test_others(void **state)
{
    (void)state;
    n_code = lamp_fanout_program(1, code);
    for (unsigned kind = 0; kind < 6; kind++) {
        struct frame f = { .len = 0 };
        before(&f, kind, false);
        const size_t head = f.len;
        ip(&f, false, 0x0a000001, 0xcb007101, 1);
        for (size_t len = LINK; len < head + 20; len++)
            assert_int_equal(run(&(struct skb){ f.b, len, false }), 0);
    }
    struct frame arp = { .len = 0 };
    put_ether(&arp, 0x0806);
    put(&arp, "0123456789012345678901234567", 28);
    assert_int_equal(run(&(struct skb){ arp.b, arp.len, false }), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_symmetry),
                                        cmocka_unit_test(test_others) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
