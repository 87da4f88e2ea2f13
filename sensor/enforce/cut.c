/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enforce/cut.h"

#include <arpa/inet.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <sys/socket.h>

enum {
    LENGTHS = 129,
    AT_ONCE_MAX = 65536, /* connections ended by one pass over the table */
    PASSES_MAX = 8,
};

/* Elements sorted by length and address; of each length where it begins. */
struct lamp_cut_index {
    struct lamp_element *v;
    size_t n;
    size_t from[LENGTHS + 1];
};

static int by_prefix(const void *a, const void *b)
{
    const struct lamp_element *x = a, *y = b;
    if (x->prefix.len != y->prefix.len)
        return x->prefix.len < y->prefix.len ? -1 : 1;
    return memcmp(x->prefix.addr.b, y->prefix.addr.b, sizeof(x->prefix.addr.b));
}

int lamp_cut_index_new(const struct lamp_element *v, size_t n, lamp_cut_index **out)
{
    lamp_cut_index *x = calloc(1, sizeof(*x));
    if (!x)
        return LAMP_ENOMEM;
    x->v = calloc(n + 1, sizeof(*x->v));
    if (!x->v) {
        free(x);
        return LAMP_ENOMEM;
    }
    x->n = n;
    if (n)
        memcpy(x->v, v, n * sizeof(*v));
    qsort(x->v, n, sizeof(*x->v), by_prefix);
    for (size_t len = 0, i = 0; len < LENGTHS; len++) {
        x->from[len] = i;
        while (i < n && x->v[i].prefix.len == len)
            i++;
        x->from[len + 1] = i;
    }
    *out = x;
    return LAMP_OK;
}

lamp_cut_index *lamp_cut_index_free(lamp_cut_index *x)
{
    if (!x)
        return NULL;
    free(x->v);
    free(x);
    return NULL;
}

static void mask(struct lamp_addr *a, size_t len)
{
    for (size_t i = 0; i < sizeof(a->b); i++)
        if (i * 8 >= len)
            a->b[i] = 0;
        else if (i * 8 + 8 > len)
            a->b[i] &= (uint8_t)(0xff << (8 - len % 8));
}

static bool fits(const struct lamp_element *e, bool inside, uint8_t ip_proto, uint16_t port)
{
    return e->inside == inside && (!e->ip_proto || e->ip_proto == ip_proto) &&
           (!e->port || e->port == port);
}

/* Whether an element of that side covers the address, with the remote end's port. */
static bool covers(const lamp_cut_index *x, const struct lamp_addr *addr, bool inside,
                   uint8_t ip_proto, uint16_t port)
{
    for (size_t len = 0; len < LENGTHS; len++) {
        size_t low = x->from[len], high = x->from[len + 1];
        if (low == high)
            continue;
        struct lamp_addr net = *addr;
        mask(&net, len);
        const size_t end = high;
        while (low < high) {
            const size_t mid = low + (high - low) / 2;
            if (memcmp(x->v[mid].prefix.addr.b, net.b, sizeof(net.b)) < 0)
                low = mid + 1;
            else
                high = mid;
        }
        for (; low < end && lamp_addr_eq(&x->v[low].prefix.addr, &net); low++)
            if (fits(&x->v[low], inside, ip_proto, port))
                return true;
    }
    return false;
}

bool lamp_cut_covers(const lamp_cut_index *x, const struct lamp_cut_flow *f)
{
    for (unsigned i = 0; i < 2; i++)
        if (covers(x, &f->dst[i], false, f->ip_proto, f->dport[i]) ||
            covers(x, &f->src[i], false, f->ip_proto, f->sport[i]) ||
            covers(x, &f->src[i], true, f->ip_proto, f->dport[i]) ||
            covers(x, &f->dst[i], true, f->ip_proto, f->sport[i]))
            return true;
    return false;
}

/* ---- the kernel ---- */

struct pass {
    const lamp_cut_index *x;
    struct nf_conntrack **v;
    size_t n, max;
    bool more;
};

static struct lamp_addr addr_of(const struct nf_conntrack *ct, enum nf_conntrack_attr v4,
                                enum nf_conntrack_attr v6)
{
    struct lamp_addr a = { { 0 } };
    if (nfct_attr_is_set(ct, v4) > 0) {
        const uint32_t raw = nfct_get_attr_u32(ct, v4);
        uint8_t b[4];
        memcpy(b, &raw, sizeof(b));
        a = lamp_addr_from_v4(b);
    } else if (nfct_attr_is_set(ct, v6) > 0) {
        memcpy(a.b, nfct_get_attr(ct, v6), sizeof(a.b));
    }
    return a;
}

static uint16_t port_of(const struct nf_conntrack *ct, enum nf_conntrack_attr attr)
{
    return nfct_attr_is_set(ct, attr) > 0 ? ntohs(nfct_get_attr_u16(ct, attr)) : 0;
}

static int on_tracked(enum nf_conntrack_msg_type type, struct nf_conntrack *ct, void *arg)
{
    struct pass *p = arg;
    (void)type;
    const struct lamp_cut_flow f = {
        .src = { addr_of(ct, ATTR_ORIG_IPV4_SRC, ATTR_ORIG_IPV6_SRC),
                 addr_of(ct, ATTR_REPL_IPV4_SRC, ATTR_REPL_IPV6_SRC) },
        .dst = { addr_of(ct, ATTR_ORIG_IPV4_DST, ATTR_ORIG_IPV6_DST),
                 addr_of(ct, ATTR_REPL_IPV4_DST, ATTR_REPL_IPV6_DST) },
        .sport = { port_of(ct, ATTR_ORIG_PORT_SRC), port_of(ct, ATTR_REPL_PORT_SRC) },
        .dport = { port_of(ct, ATTR_ORIG_PORT_DST), port_of(ct, ATTR_REPL_PORT_DST) },
        .ip_proto = nfct_get_attr_u8(ct, ATTR_ORIG_L4PROTO),
    };
    if (!lamp_cut_covers(p->x, &f))
        return NFCT_CB_CONTINUE;
    if (p->n == AT_ONCE_MAX) {
        p->more = true;
        return NFCT_CB_CONTINUE;
    }
    if (p->n == p->max) {
        const size_t max = p->max ? 2 * p->max : 64;
        struct nf_conntrack **v = realloc(p->v, max * sizeof(*v));
        if (!v) {
            p->more = true;
            return NFCT_CB_CONTINUE;
        }
        p->v = v;
        p->max = max;
    }
    p->v[p->n++] = ct; /* ours: see NFCT_CB_STOLEN */
    return NFCT_CB_STOLEN;
}

/* One pass over one family; deletes outside the dump, which a deletion would disturb. */
static int cut_pass(const lamp_cut_index *x, uint32_t family, size_t *out_n, bool *out_more)
{
    struct pass p = { .x = x };
    struct nfct_handle *dump = nfct_open(CONNTRACK, 0), *kill = nfct_open(CONNTRACK, 0);
    int err = dump && kill ? LAMP_OK : LAMP_EKERNEL;
    if (!err)
        err = nfct_callback_register(dump, NFCT_T_ALL, on_tracked, &p) < 0 ||
                      nfct_query(dump, NFCT_Q_DUMP, &family) < 0
                  ? LAMP_EKERNEL
                  : LAMP_OK;
    for (size_t i = 0; i < p.n; i++) {
        if (!err)
            *out_n += nfct_query(kill, NFCT_Q_DESTROY, p.v[i]) >= 0; /* else it ended by itself */
        nfct_destroy(p.v[i]);
    }
    *out_more = p.more && p.n > 0;
    free(p.v);
    if (dump)
        nfct_close(dump);
    if (kill)
        nfct_close(kill);
    return err;
}

static int kernel_cut(void *arg, const lamp_cut_index *x, size_t *out_n)
{
    static const uint32_t families[] = { AF_INET, AF_INET6 };
    (void)arg;
    *out_n = 0;
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        bool more = true;
        for (unsigned pass = 0; more && pass < PASSES_MAX; pass++) {
            const int err = cut_pass(x, families[i], out_n, &more);
            if (err)
                return err;
        }
    }
    return LAMP_OK;
}

int lamp_cut_open(struct lamp_cut_backend *out)
{
    struct nfct_handle *h = nfct_open(CONNTRACK, 0);
    if (!h)
        return LAMP_EKERNEL;
    nfct_close(h);
    *out = (struct lamp_cut_backend){ NULL, kernel_cut };
    return LAMP_OK;
}

void lamp_cut_close(struct lamp_cut_backend *b)
{
    b->cut = NULL;
}
