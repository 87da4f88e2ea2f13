/* SPDX-License-Identifier: Apache-2.0 */
#include "common/never.h"

#include "common/io.h"
#include "common/text.h"

#include <ifaddrs.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>

enum { FILE_LIMIT = 4 * 1024 * 1024 }; /* a full routing table is longer: then left out */

void lamp_never_add(struct lamp_never *never, const struct lamp_prefix *prefix, const char *reason)
{
    size_t kept = 0;
    for (size_t i = 0; i < never->n; i++) {
        const struct lamp_prefix *p = &never->v[i].prefix;
        if (!lamp_prefix_overlap(p, prefix)) {
            never->v[kept++] = never->v[i];
            continue;
        }
        if (p->len <= prefix->len)
            return; /* covered; nothing was moved yet, since entries do not overlap */
    }
    never->n = kept;
    if (never->n == LAMP_NEVER_MAX) {
        never->refused++;
        return;
    }
    never->v[never->n++] = (struct lamp_never_entry){ *prefix, reason };
}

void lamp_never_add_net(struct lamp_never *never, const struct lamp_prefix *prefix,
                        const char *reason)
{
    for (size_t i = 0; i < never->n_nets; i++)
        if (never->nets[i].prefix.len == prefix->len &&
            lamp_addr_eq(&never->nets[i].prefix.addr, &prefix->addr))
            return;
    if (never->n_nets == LAMP_NEVER_NETS) {
        never->refused++;
        return;
    }
    never->nets[never->n_nets++] = (struct lamp_never_entry){ *prefix, reason };
}

void lamp_never_add_addr(struct lamp_never *never, const struct lamp_addr *addr, const char *reason)
{
    lamp_never_add(never, &(struct lamp_prefix){ *addr, 128 }, reason);
}

void lamp_never_add_fixed(struct lamp_never *never)
{
    static const struct {
        const char *prefix, *reason;
    } fixed[] = {
        { "0.0.0.0/8", "this network" },
        { "127.0.0.0/8", "loopback" },
        { "169.254.0.0/16", "link-local" },
        { "224.0.0.0/4", "multicast" },
        { "255.255.255.255", "broadcast" },
        { "::", "unspecified" },
        { "::1", "loopback" },
        { "fe80::/10", "link-local" },
        { "ff00::/8", "multicast" },
    };
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
        struct lamp_prefix p;
        if (lamp_prefix_parse(fixed[i].prefix, &p) == LAMP_OK)
            lamp_never_add(never, &p, fixed[i].reason);
    }
}

/* An address as getifaddrs(3) gives it; false for other families. */
static bool from_sockaddr(const struct sockaddr *sa, struct lamp_addr *out)
{
    if (sa && sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        uint8_t v4[4];
        memcpy(&in, sa, sizeof(in));
        memcpy(v4, &in.sin_addr, sizeof(v4));
        *out = lamp_addr_from_v4(v4);
        return true;
    }
    if (sa && sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof(in6));
        memcpy(out->b, &in6.sin6_addr, sizeof(out->b));
        return true;
    }
    return false;
}

/* The network that an address and its mask span. */
static void add_connected(struct lamp_never *never, const struct lamp_addr *addr,
                          const struct lamp_addr *mask)
{
    const bool v4 = lamp_addr_is_v4(addr);
    struct lamp_prefix net = { *addr, v4 ? 96 : 0 };
    for (size_t i = v4 ? 12 : 0; i < sizeof(net.addr.b); i++) {
        net.addr.b[i] &= mask->b[i];
        net.len = (uint8_t)(net.len + __builtin_popcount(mask->b[i]));
    }
    if (net.len < 128 && net.len >= (v4 ? 96 + 8 : 32) && lamp_prefix_is_canonical(&net))
        lamp_never_add_net(never, &net, "own network");
}

static bool add_own(struct lamp_never *never)
{
    struct ifaddrs *list;
    if (getifaddrs(&list) < 0)
        return false;
    for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
        struct lamp_addr a, mask;
        if (!from_sockaddr(i->ifa_addr, &a))
            continue;
        lamp_never_add_addr(never, &a, "own address");
        if (from_sockaddr(i->ifa_netmask, &mask))
            add_connected(never, &a, &mask);
    }
    freeifaddrs(list);
    return true;
}

/* proc(5): fields Iface Destination Gateway ... Mask, addresses as %08X of the u32 in memory. */
static void gateway4(struct lamp_never *never, const char *line)
{
    unsigned dest, gw, flags, mask;
    if (sscanf(line, "%*63s %8x %8x %x %*d %*d %*d %8x", &dest, &gw, &flags, &mask) != 4)
        return;
    if (dest != 0 || mask != 0 || gw == 0)
        return;
    const uint32_t raw = gw;
    uint8_t v4[4];
    memcpy(v4, &raw, sizeof(v4));
    const struct lamp_addr a = lamp_addr_from_v4(v4);
    lamp_never_add_addr(never, &a, "default gateway");
}

/* /proc/net/ipv6_route: destination, length, source, length, next hop, ... in hex. */
static void gateway6(struct lamp_never *never, const char *line)
{
    char dest[33], hop[33];
    unsigned dest_len;
    struct lamp_addr a;
    size_t n;
    if (sscanf(line, "%32s %2x %*32s %*2x %32s", dest, &dest_len, hop) != 3 || dest_len != 0 ||
        strspn(dest, "0") != 32 || strspn(hop, "0") == 32)
        return;
    if (lamp_hex_decode(hop, 32, a.b, sizeof(a.b), &n) == LAMP_OK && n == sizeof(a.b))
        lamp_never_add_addr(never, &a, "default gateway");
}

/* resolv.conf(5): "nameserver ADDRESS", an IPv6 one perhaps with a %zone. */
static void resolver(struct lamp_never *never, const char *line)
{
    char text[64];
    struct lamp_addr a;
    if (sscanf(line, " nameserver %63[0-9a-fA-F.:]", text) == 1 &&
        lamp_addr_parse(text, &a) == LAMP_OK)
        lamp_never_add_addr(never, &a, "resolver");
}

static bool each_line(struct lamp_never *never, const char *root, const char *path,
                      void (*fn)(struct lamp_never *, const char *))
{
    char full[PATH_MAX];
    LAMP_AUTO_FREE char *text = NULL;
    size_t len;
    if (snprintf(full, sizeof(full), "%s%s", root, path) >= (int)sizeof(full) ||
        lamp_io_read_file(full, FILE_LIMIT, &text, &len) != LAMP_OK)
        return false;
    for (char *line = text, *end; *line; line = end) {
        end = line + strcspn(line, "\n");
        if (*end)
            *end++ = '\0';
        fn(never, line);
    }
    return true;
}

unsigned lamp_never_add_machine(struct lamp_never *never, const char *root)
{
    unsigned failed = 0;
    failed += !add_own(never);
    failed += !each_line(never, root, "/proc/net/route", gateway4);
    /* Absent where the kernel runs without IPv6: nothing to protect then. */
    (void)each_line(never, root, "/proc/net/ipv6_route", gateway6);
    failed += !each_line(never, root, "/etc/resolv.conf", resolver);
    return failed;
}

const struct lamp_never_entry *lamp_never_hit(const struct lamp_never *never,
                                              const struct lamp_prefix *prefix, bool inside)
{
    for (size_t i = 0; i < never->n; i++)
        if (lamp_prefix_overlap(&never->v[i].prefix, prefix))
            return &never->v[i];
    for (size_t i = 0; !inside && i < never->n_nets; i++)
        if (lamp_prefix_overlap(&never->nets[i].prefix, prefix))
            return &never->nets[i];
    return NULL;
}

static bool same(const struct lamp_never_entry *a, const struct lamp_never_entry *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (a[i].prefix.len != b[i].prefix.len ||
            !lamp_addr_eq(&a[i].prefix.addr, &b[i].prefix.addr))
            return false;
    return true;
}

bool lamp_never_same(const struct lamp_never *a, const struct lamp_never *b)
{
    return a->n == b->n && a->n_nets == b->n_nets && same(a->v, b->v, a->n) &&
           same(a->nets, b->nets, a->n_nets);
}
