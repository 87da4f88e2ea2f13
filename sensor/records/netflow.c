/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/records/netflow.h"

#include "common/cursor.h"
#include "common/min.h"

#include <assert.h>

enum {
    VARIABLE = 65535,           /* length of a field that says itself how long it is (RFC 7011 7) */
    ENTERPRISE = 0x8000,        /* an enterprise's number follows the element's (RFC 7011 3.2) */
    REVERSE_ENTERPRISE = 29305, /* elements of the way back (RFC 5103 6.1) */
    FIRST_DATA_SET = 256,
    V5_RECORD = 48,
    JUMP_MAX = 1 << 20, /* of a sequence: more is another sequence, no gap */
    RATE_MAX = 1 << 24,
};
#define FUTURE_US UINT64_C(600000000)
#define PAST_US (UINT64_C(24) * 3600 * 1000000)
#define NTP_TO_UNIX UINT64_C(2208988800) /* seconds from 1900 to 1970 */

/* What a field is to us. */
enum what {
    SKIP,
    SRC,
    DST,
    SRC_PORT,
    DST_PORT,
    PROTO,
    FLAGS,
    VLAN,
    BYTES,
    PACKETS,
    TOTAL_BYTES,
    TOTAL_PACKETS,
    BYTES_BACK,
    PACKETS_BACK,
    TOTAL_BYTES_BACK,
    TOTAL_PACKETS_BACK,
    FIRST_UPTIME, /* milliseconds since the exporter's start */
    LAST_UPTIME,
    START_S,
    END_S,
    START_MS,
    END_MS,
    START_NTP, /* 64-bit NTP time (RFC 7011 6.1.9, 6.1.10) */
    END_NTP,
    START_AGO, /* microseconds before the export */
    END_AGO,
    BOOT_MS,
    RATE,   /* one of so many packets is looked at */
    TAKEN,  /* so many packets in a row are, */
    PASSED, /* then so many are not */
    SAMPLER,
    WHATS
};

/* The information elements in use (IANA, "IP Flow Information Export (IPFIX) Entities"; those up to 127 are NetFlow 9's
 * field types as well). */
static const struct {
    uint16_t element;
    uint8_t what, back; /* back: of the same element in the reverse direction */
} elements[] = {
    { 1, BYTES, BYTES_BACK },
    { 2, PACKETS, PACKETS_BACK },
    { 4, PROTO, SKIP },
    { 6, FLAGS, FLAGS },
    { 7, SRC_PORT, SKIP },
    { 8, SRC, SKIP },
    { 11, DST_PORT, SKIP },
    { 12, DST, SKIP },
    { 21, LAST_UPTIME, SKIP },
    { 22, FIRST_UPTIME, SKIP },
    { 27, SRC, SKIP },
    { 28, DST, SKIP },
    { 34, RATE, SKIP },
    { 48, SAMPLER, SKIP },
    { 50, RATE, SKIP },
    { 58, VLAN, SKIP },
    { 85, TOTAL_BYTES, TOTAL_BYTES_BACK },
    { 86, TOTAL_PACKETS, TOTAL_PACKETS_BACK },
    { 150, START_S, SKIP },
    { 151, END_S, SKIP },
    { 152, START_MS, SKIP },
    { 153, END_MS, SKIP },
    { 154, START_NTP, SKIP },
    { 155, END_NTP, SKIP },
    { 156, START_NTP, SKIP },
    { 157, END_NTP, SKIP },
    { 158, START_AGO, SKIP },
    { 159, END_AGO, SKIP },
    { 160, BOOT_MS, SKIP },
    { 231, TOTAL_BYTES, SKIP },
    { 232, TOTAL_BYTES_BACK, SKIP },
    { 243, VLAN, SKIP },
    { 298, TOTAL_PACKETS, SKIP },
    { 299, TOTAL_PACKETS_BACK, SKIP },
    { 302, SAMPLER, SKIP },
    { 305, TAKEN, SKIP },
    { 306, PASSED, SKIP },
};

struct field {
    uint16_t len; /* VARIABLE: as it says */
    uint8_t what;
};

struct template
{
    uint16_t id;
    uint16_t n_fields;
    bool is_options;
    uint32_t min_len; /* of a record */
    uint64_t seen_us;
    struct template *next; /* of the free ones */
    struct field fields[LAMP_NETFLOW_FIELDS];
};

struct exporter {
    struct lamp_addr addr;
    size_t n_domains, n_templates; /* no domains: a free place */
};

struct domain {
    struct lamp_netflow_sender from;
    struct exporter *exporter; /* NULL: a free place */
    bool has_next;
    uint32_t next; /* sequence number that should come */
    uint64_t seen_us;
    uint64_t records, missing;
    uint16_t templates[LAMP_NETFLOW_SHARE]; /* in the pool, by their ids */
    size_t n_templates;
    uint64_t boot_ms; /* when the exporter started, as an option said; 0: none came */
    uint32_t rate;    /* that of the newest option without a sampler's number; 0: none came */
    struct {
        uint64_t id;
        uint32_t rate; /* 0: a free place */
    } samplers[LAMP_NETFLOW_SAMPLERS];
};

struct lamp_netflow {
    lamp_netflow_fn *fn;
    void *arg;
    uint64_t n[LAMP_NETFLOW_COUNTS];
    struct exporter exporters[LAMP_NETFLOW_DOMAINS];
    struct domain *domains; /* LAMP_NETFLOW_DOMAINS */
    struct domain *last;    /* that spoke; NULL: none */
    struct template *pool, *free;
};

/* When and by what clock a datagram was sent. */
struct export
{
    uint64_t now_us, sent_us;
    bool has_uptime; /* of the exporter, when it sent */
    uint32_t uptime_ms;
};

int lamp_netflow_new(lamp_netflow_fn *fn, void *arg, lamp_netflow **out)
{
    assert(fn && out);
    lamp_netflow *n = calloc(1, sizeof(*n));
    if (!n)
        return LAMP_ENOMEM;
    n->fn = fn;
    n->arg = arg;
    n->domains = calloc(LAMP_NETFLOW_DOMAINS, sizeof(*n->domains));
    n->pool = calloc(LAMP_NETFLOW_TEMPLATES_MAX, sizeof(*n->pool));
    if (!n->domains || !n->pool) {
        lamp_netflow_free(n);
        return LAMP_ENOMEM;
    }
    for (size_t i = LAMP_NETFLOW_TEMPLATES_MAX; i-- > 0; n->free = &n->pool[i])
        n->pool[i].next = n->free;
    *out = n;
    return LAMP_OK;
}

lamp_netflow *lamp_netflow_free(lamp_netflow *n)
{
    if (!n)
        return NULL;
    free(n->domains);
    free(n->pool);
    free(n);
    return NULL;
}

const uint64_t *lamp_netflow_counts(const lamp_netflow *n)
{
    return n->n;
}

void lamp_netflow_senders(const lamp_netflow *n, lamp_netflow_sender_fn *fn, void *arg)
{
    for (const struct domain *d = n->domains; d < n->domains + LAMP_NETFLOW_DOMAINS; d++)
        if (d->exporter)
            fn(&d->from, d->records, d->missing, arg);
}

const char *lamp_netflow_count_text(enum lamp_netflow_count c)
{
    static const char *const texts[] = {
#define LAMP_NETFLOW(name, text) text,
#include "sensor/records/netflow.def"
#undef LAMP_NETFLOW
    };
    return texts[c];
}

/* ---- exporters and their templates ---- */

static void drop_template(lamp_netflow *n, struct domain *d, size_t i)
{
    struct template *t = &n->pool[d->templates[i]];
    d->n_templates--;
    d->exporter->n_templates--;
    memmove(d->templates + i, d->templates + i + 1, (d->n_templates - i) * sizeof(*d->templates));
    t->next = n->free;
    n->free = t;
}

static bool is_of(const struct domain *d, const struct lamp_netflow_sender *from)
{
    return d->exporter && d->from.domain == from->domain && d->from.version == from->version &&
           lamp_addr_eq(&d->from.exporter, &from->exporter);
}

/* The place of an exporter, or one for it: there are as many as domains. */
static struct exporter *exporter_of(lamp_netflow *n, const struct lamp_addr *addr)
{
    struct exporter *place = NULL;
    for (struct exporter *e = n->exporters; e < n->exporters + LAMP_NETFLOW_DOMAINS; e++) {
        if (e->n_domains > 0 && lamp_addr_eq(&e->addr, addr))
            return e;
        if (!place && e->n_domains == 0)
            place = e;
    }
    if (place)
        *place = (struct exporter){ .addr = *addr };
    return place;
}

static bool is_idle(const struct domain *d, uint64_t now_us)
{
    return d->exporter && now_us > d->seen_us + LAMP_NETFLOW_TEMPLATE_US;
}

static void free_domain(lamp_netflow *n, struct domain *d)
{
    while (d->n_templates > 0)
        drop_template(n, d, d->n_templates - 1);
    d->exporter->n_domains--;
    d->exporter = NULL;
}

/* A place for a new sender; those that are silent for the life of a template make room. NULL: there is none, or its
 * exporter has its part. */
static struct domain *make_domain(lamp_netflow *n, const struct lamp_netflow_sender *from,
                                  uint64_t now_us)
{
    struct domain *place = NULL;
    for (struct domain *d = n->domains; d < n->domains + LAMP_NETFLOW_DOMAINS; d++) {
        if (is_idle(d, now_us))
            free_domain(n, d);
        if (!place && !d->exporter)
            place = d;
    }
    struct exporter *e = place ? exporter_of(n, &from->exporter) : NULL;
    if (!e || e->n_domains == LAMP_NETFLOW_DOMAINS / LAMP_NETFLOW_PARTS)
        return NULL;
    e->n_domains++;
    *place = (struct domain){ .from = *from, .exporter = e };
    return place;
}

/* The state of a sender. NULL: there is no room for it. */
static struct domain *domain_of(lamp_netflow *n, const struct lamp_netflow_sender *from,
                                uint64_t now_us)
{
    if (n->last && is_of(n->last, from))
        return n->last;
    for (struct domain *d = n->domains; d < n->domains + LAMP_NETFLOW_DOMAINS; d++)
        if (is_of(d, from))
            return n->last = d;
    struct domain *d = make_domain(n, from, now_us);
    n->n[LAMP_NETFLOW_EXPORTERS_REFUSED] += !d;
    n->last = d ? d : n->last;
    return d;
}

/* Where the template of that number is, or would be, among the domain's. */
static size_t place_of(const lamp_netflow *n, const struct domain *d, uint16_t id)
{
    size_t low = 0, high = d->n_templates;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (n->pool[d->templates[middle]].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct template *find_template(lamp_netflow *n, struct domain *d, uint16_t id,
                                      uint64_t now_us)
{
    const size_t i = place_of(n, d, id);
    struct template *t = i < d->n_templates ? &n->pool[d->templates[i]] : NULL;
    if (!t || t->id != id)
        return NULL;
    if (now_us <= t->seen_us + LAMP_NETFLOW_TEMPLATE_US)
        return t;
    n->n[LAMP_NETFLOW_EXPIRED]++;
    drop_template(n, d, i);
    return NULL;
}

/* The place for a template of that number; NULL: no room. */
static struct template *template_place(lamp_netflow *n, struct domain *d, uint16_t id,
                                       uint64_t now_us)
{
    struct template *t = find_template(n, d, id, now_us);
    if (t)
        return t;
    if (!n->free || d->n_templates == LAMP_NETFLOW_SHARE ||
        d->exporter->n_templates == LAMP_NETFLOW_TEMPLATES_MAX / LAMP_NETFLOW_PARTS)
        return NULL;
    const size_t i = place_of(n, d, id);
    t = n->free;
    n->free = t->next;
    t->id = id;
    memmove(d->templates + i + 1, d->templates + i, (d->n_templates - i) * sizeof(*d->templates));
    d->templates[i] = (uint16_t)(t - n->pool);
    d->n_templates++;
    d->exporter->n_templates++;
    return t;
}

static uint8_t what_of(uint16_t element, bool back, uint16_t len)
{
    uint8_t what = SKIP;
    for (size_t i = 0; i < ARRAY_LEN(elements); i++)
        if (elements[i].element == element)
            what = back ? elements[i].back : elements[i].what;
    const bool is_addr = what == SRC || what == DST;
    const uint16_t right = element == 8 || element == 12 ? 4 : 16;
    /* numbers may be shorter than they are meant to be (RFC 7011 6.2) */
    const bool fits = is_addr ? len == right : len >= 1 && len <= 8;
    return fits ? what : SKIP;
}

/* Reads n fields into *out; false: they are not all there, or are too many. A template of nothing has no record. */
static bool read_fields(struct lamp_cursor *c, bool is_ipfix, size_t n, struct template *out)
{
    out->n_fields = 0;
    out->min_len = 0;
    for (size_t i = 0; i < n; i++) {
        uint16_t element = lamp_cursor_be16(c);
        const uint16_t len = lamp_cursor_be16(c);
        const bool foreign = is_ipfix && (element & ENTERPRISE);
        const uint32_t enterprise = foreign ? lamp_cursor_be32(c) : 0;
        if (is_ipfix)
            element &= (uint16_t)~ENTERPRISE;
        if (c->bad)
            return false;
        const bool back = enterprise == REVERSE_ENTERPRISE;
        const bool varies = is_ipfix && len == VARIABLE;
        const struct field f = {
            .len = len, .what = varies || (foreign && !back) ? SKIP : what_of(element, back, len)
        };
        struct field *last = out->n_fields ? &out->fields[out->n_fields - 1] : NULL;
        out->min_len += varies ? 1 : len;
        if (f.what == SKIP && !varies && last && last->what == SKIP && last->len != VARIABLE &&
            last->len + len < VARIABLE) {
            last->len = (uint16_t)(last->len + len); /* as one */
            continue;
        }
        if (out->n_fields == LAMP_NETFLOW_FIELDS)
            return false;
        out->fields[out->n_fields++] = f;
    }
    return out->min_len > 0;
}

/* One template of a set; false: the rest of the set cannot be read. */
static bool read_template(lamp_netflow *n, struct domain *d, struct lamp_cursor *c, bool is_options,
                          uint64_t now_us)
{
    const bool is_ipfix = d->from.version == 10;
    const uint16_t id = lamp_cursor_be16(c);
    size_t n_fields = lamp_cursor_be16(c);
    if (is_options && is_ipfix) {
        (void)lamp_cursor_be16(c); /* how many of them are scope: read like the others */
    } else if (is_options) {
        n_fields = n_fields / 4 + lamp_cursor_be16(c) / 4U; /* in bytes (RFC 3954 6.1) */
    }
    if (c->bad)
        return false;
    struct template t = { .is_options = is_options, .seen_us = now_us };
    const bool whole = read_fields(c, is_ipfix, n_fields, &t);
    struct template *place =
        whole && id >= FIRST_DATA_SET ? template_place(n, d, id, now_us) : NULL;
    if (!place) {
        n->n[LAMP_NETFLOW_TEMPLATES_REFUSED]++;
        return whole;
    }
    t.id = id;
    *place = t;
    n->n[LAMP_NETFLOW_TEMPLATES]++;
    return true;
}

static void read_templates(lamp_netflow *n, struct domain *d, struct lamp_cursor c, bool is_options,
                           uint64_t now_us)
{
    while (lamp_cursor_left(&c) > 4 &&
           read_template(n, d, &c, is_options, now_us)) /* less is padding */
        ;
}

/* ---- sampling ---- */

static uint32_t rate_of(const struct domain *d, uint64_t sampler)
{
    for (size_t i = 0; i < LAMP_NETFLOW_SAMPLERS && sampler; i++)
        if (d->samplers[i].rate && d->samplers[i].id == sampler)
            return d->samplers[i].rate;
    if (d->rate || sampler)
        return d->rate ? d->rate : 1;
    return d->samplers[0].rate && !d->samplers[1].rate ? d->samplers[0].rate : 1; /* the only one */
}

/* What an option tells. */
static void learn(struct domain *d, const uint64_t v[WHATS], const bool has[WHATS])
{
    uint64_t rate = has[RATE] ? v[RATE] : 0;
    if (has[BOOT_MS])
        d->boot_ms = v[BOOT_MS];
    if (has[TAKEN] && v[TAKEN] > 0 && has[PASSED] && v[PASSED] <= RATE_MAX)
        rate = (v[TAKEN] + v[PASSED]) / v[TAKEN];
    if (rate == 0 || rate > RATE_MAX)
        return;
    if (!has[SAMPLER] || v[SAMPLER] == 0) {
        d->rate = (uint32_t)rate;
        return;
    }
    size_t i = 0;
    while (i + 1 < LAMP_NETFLOW_SAMPLERS && d->samplers[i].rate && d->samplers[i].id != v[SAMPLER])
        i++;
    d->samplers[i].id = v[SAMPLER];
    d->samplers[i].rate = (uint32_t)rate;
}

/* ---- records ---- */

/* Multiplies what was sampled, and has firewalls that tell no packets tell of one; false: no measurement. */
static bool scale(struct lamp_record *r)
{
    for (unsigned i = 0; i < 2; i++) {
        if (r->bytes[i] > LAMP_RECORD_MAX / r->sampling ||
            r->packets[i] > LAMP_RECORD_MAX / r->sampling)
            return false;
        r->bytes[i] *= r->sampling;
        r->packets[i] *= r->sampling;
    }
    if (!lamp_record_is_plausible(r))
        return false;
    for (unsigned i = 0; i < 2; i++)
        r->packets[i] += r->packets[i] == 0 && r->bytes[i] > 0 ? r->sampling : 0;
    return true;
}

static void emit(lamp_netflow *n, struct domain *d, const struct export *x, struct lamp_record *r)
{
    if (!(r->packets[0] | r->packets[1] | r->bytes[0] | r->bytes[1]) ||
        (lamp_addr_eq(&r->src, &r->dst) && r->ip_proto == 0)) {
        n->n[LAMP_NETFLOW_NOT_FLOWS]++;
        return;
    }
    if (!scale(r)) {
        n->n[LAMP_NETFLOW_IMPLAUSIBLE]++;
        return;
    }
    if (r->last_us > x->now_us + FUTURE_US || r->last_us + PAST_US < x->now_us ||
        r->first_us > r->last_us || r->first_us + PAST_US < r->last_us) {
        const uint64_t lasted = r->last_us - r->first_us;
        r->last_us = x->now_us;
        r->first_us = x->now_us - (lasted < PAST_US && lasted < x->now_us ? lasted : 0);
        n->n[LAMP_NETFLOW_CLOCK]++;
    }
    n->n[LAMP_NETFLOW_RECORDS]++;
    d->records++;
    n->fn(&d->from, r, n->arg);
}

static uint64_t ntp_us(uint64_t v)
{
    const uint64_t s = v >> 32;
    return s < NTP_TO_UNIX ? 0 : (s - NTP_TO_UNIX) * 1000000 + ((v & UINT32_MAX) * 1000000 >> 32);
}

/* Uptimes are of 32 bits and come round every 49 days. */
static uint64_t uptime_us(const struct export *x, uint64_t uptime_ms)
{
    const uint64_t ago_us = (uint64_t)(uint32_t)(x->uptime_ms - (uint32_t)uptime_ms) * 1000;
    return ago_us < x->sent_us ? x->sent_us - ago_us : 0;
}

/* When a flow began, or ended, by whichever of the elements for it is there. */
static uint64_t time_of(const struct domain *d, const struct export *x, const uint64_t v[WHATS],
                        const bool has[WHATS], bool end)
{
    const uint64_t max_us = UINT64_C(1) << 60;
    if (has[START_MS + end])
        return lamp_min_u64(v[START_MS + end], max_us / 1000) * 1000;
    if (has[START_NTP + end])
        return ntp_us(v[START_NTP + end]);
    if (has[START_S + end])
        return lamp_min_u64(v[START_S + end], max_us / 1000000) * 1000000;
    if (has[START_AGO + end])
        return v[START_AGO + end] < x->sent_us ? x->sent_us - v[START_AGO + end] : 0;
    const uint64_t boot_ms = has[BOOT_MS] ? v[BOOT_MS] : d->boot_ms;
    if (!has[FIRST_UPTIME + end])
        return x->sent_us;
    if (x->has_uptime)
        return uptime_us(x, v[FIRST_UPTIME + end]);
    return boot_ms ? (lamp_min_u64(boot_ms, max_us / 1000) + (uint32_t)v[FIRST_UPTIME + end]) * 1000
                   : x->sent_us;
}

static uint64_t either(const uint64_t v[WHATS], const bool has[WHATS], enum what this,
                       enum what other)
{
    return has[this] ? v[this] : v[other];
}

static void use_values(lamp_netflow *n, struct domain *d, const struct export *x,
                       struct lamp_record *r, const uint64_t v[WHATS], const bool has[WHATS])
{
    if (!has[SRC] || !has[DST]) {
        n->n[LAMP_NETFLOW_NOT_FLOWS]++;
        return;
    }
    r->src_port = (uint16_t)v[SRC_PORT];
    r->dst_port = (uint16_t)v[DST_PORT];
    r->ip_proto = (uint8_t)v[PROTO];
    r->tcp_flags = (uint8_t)v[FLAGS];
    r->vlan = (uint16_t)(v[VLAN] & 0xfff);
    r->bytes[0] = either(v, has, BYTES, TOTAL_BYTES);
    r->packets[0] = either(v, has, PACKETS, TOTAL_PACKETS);
    r->bytes[1] = either(v, has, BYTES_BACK, TOTAL_BYTES_BACK);
    r->packets[1] = either(v, has, PACKETS_BACK, TOTAL_PACKETS_BACK);
    r->first_us = time_of(d, x, v, has, false);
    r->last_us = time_of(d, x, v, has, true);
    const uint64_t own = has[RATE] && v[RATE] > 0 && v[RATE] <= RATE_MAX ? v[RATE] : 0;
    r->sampling = own ? (uint32_t)own : rate_of(d, has[SAMPLER] ? v[SAMPLER] : 0);
    emit(n, d, x, r);
}

static uint64_t number(const uint8_t *p, size_t len)
{
    uint64_t v = 0;
    for (size_t i = 0; i < len; i++)
        v = v << 8 | p[i];
    return v;
}

/* Where a template has addresses of both versions one of them is all zero. */
static void put_addr(struct lamp_addr *out, bool *has, const uint8_t *p, size_t len)
{
    struct lamp_addr a;
    if (len == 4)
        a = lamp_addr_from_v4(p);
    else
        memcpy(a.b, p, sizeof(a.b));
    const bool is_zero = number(p, lamp_min(len, 8)) == 0 && (len == 4 || number(p + 8, 8) == 0);
    if (*has && is_zero)
        return;
    *out = a;
    *has = true;
}

/* How long a variable field is that begins here (RFC 7011 7). */
static size_t variable_len(struct lamp_cursor *c)
{
    const uint8_t len = lamp_cursor_u8(c);
    return len < 255 ? len : lamp_cursor_be16(c);
}

static void read_record(lamp_netflow *n, struct domain *d, const struct template *t,
                        const struct export *x, struct lamp_cursor *c)
{
    struct lamp_record r = { .sampling = 1 };
    uint64_t v[WHATS] = { 0 };
    bool has[WHATS] = { false };
    for (size_t i = 0; i < t->n_fields; i++) {
        const struct field f = t->fields[i];
        const size_t len = f.len == VARIABLE && d->from.version == 10 ? variable_len(c) : f.len;
        const uint8_t *p = lamp_cursor_take(c, len);
        if (!p) {
            n->n[LAMP_NETFLOW_CUT]++;
            return;
        }
        if (f.what == SRC || f.what == DST) {
            put_addr(f.what == SRC ? &r.src : &r.dst, &has[f.what], p, len);
        } else if (f.what != SKIP) {
            v[f.what] = f.what == FLAGS ? v[FLAGS] | number(p, len) : number(p, len);
            has[f.what] = true;
        }
    }
    if (t->is_options) {
        n->n[LAMP_NETFLOW_OPTIONS]++;
        learn(d, v, has);
    } else {
        use_values(n, d, x, &r, v, has);
    }
}

/* How many records a data set had; *out_all: whether that is known. */
static uint32_t read_data(lamp_netflow *n, struct domain *d, uint16_t id, const struct export *x,
                          struct lamp_cursor c, bool *out_all)
{
    const struct template *t = find_template(n, d, id, x->now_us);
    uint32_t records = 0;
    if (!t) {
        n->n[LAMP_NETFLOW_NO_TEMPLATE]++;
        *out_all = false;
        return 0;
    }
    while (!c.bad && lamp_cursor_left(&c) >= t->min_len) { /* less is padding */
        read_record(n, d, t, x, &c);
        records++;
    }
    return records;
}

static void read_sets(lamp_netflow *n, struct domain *d, const struct export *x,
                      struct lamp_cursor c, uint32_t *out_records, bool *out_all)
{
    const bool is_ipfix = d->from.version == 10;
    for (unsigned sets = 0; lamp_cursor_left(&c) >= 4; sets++) {
        if (sets == LAMP_NETFLOW_SETS) {
            n->n[LAMP_NETFLOW_SETS_REFUSED]++;
            *out_all = false;
            return;
        }
        const uint16_t id = lamp_cursor_be16(&c);
        const uint16_t len = lamp_cursor_be16(&c);
        const uint8_t *body = len >= 4 ? lamp_cursor_take(&c, len - 4U) : NULL;
        if (!body) {
            n->n[LAMP_NETFLOW_CUT]++;
            *out_all = false;
            return;
        }
        const struct lamp_cursor set = lamp_cursor_of(body, len - 4U);
        if (id >= FIRST_DATA_SET)
            *out_records += read_data(n, d, id, x, set, out_all);
        else if (id == (is_ipfix ? 2 : 0))
            read_templates(n, d, set, false, x->now_us);
        else if (id == (is_ipfix ? 3 : 1))
            read_templates(n, d, set, true, x->now_us);
    }
}

/* ---- datagrams ---- */

/* What is missing before the number that came; `next` is the one that should come after this datagram. */
static void follow(lamp_netflow *n, struct domain *d, uint32_t came, uint32_t next,
                   bool next_is_known)
{
    const uint32_t ahead = came - d->next;
    if (d->has_next && ahead > 0 && ahead < JUMP_MAX) {
        n->n[LAMP_NETFLOW_GAPS] += ahead;
        d->missing += ahead;
    } else if (d->has_next && ahead > 0) {
        n->n[LAMP_NETFLOW_RESTARTS]++;
    }
    d->next = next;
    d->has_next = next_is_known;
}

static void read_v5(lamp_netflow *n, struct lamp_netflow_sender *from, struct lamp_cursor c,
                    uint64_t now_us)
{
    const uint16_t count = lamp_cursor_be16(&c);
    struct export x = { .now_us = now_us, .has_uptime = true, .uptime_ms = lamp_cursor_be32(&c) };
    x.sent_us = lamp_cursor_be32(&c) * UINT64_C(1000000);
    x.sent_us += lamp_cursor_be32(&c) / 1000;
    const uint32_t sequence = lamp_cursor_be32(&c);
    from->domain = lamp_cursor_be16(&c);
    const uint16_t sampling = lamp_cursor_be16(&c) & 0x3fff; /* two bits of mode above */
    if (c.bad) {
        n->n[LAMP_NETFLOW_CUT]++;
        return;
    }
    struct domain *d = domain_of(n, from, now_us);
    if (!d)
        return;
    d->seen_us = now_us;
    follow(n, d, sequence, sequence + count, true);
    for (uint16_t i = 0; i < count; i++) {
        const uint8_t *p = lamp_cursor_take(&c, V5_RECORD);
        if (!p) {
            n->n[LAMP_NETFLOW_CUT]++;
            return;
        }
        struct lamp_record r = {
            .src = lamp_addr_from_v4(p),
            .dst = lamp_addr_from_v4(p + 4),
            .packets = { lamp_be32(p + 16) },
            .bytes = { lamp_be32(p + 20) },
            .first_us = uptime_us(&x, lamp_be32(p + 24)),
            .last_us = uptime_us(&x, lamp_be32(p + 28)),
            .src_port = lamp_be16(p + 32),
            .dst_port = lamp_be16(p + 34),
            .tcp_flags = p[37],
            .ip_proto = p[38],
            .sampling = sampling ? sampling : 1,
        };
        emit(n, d, &x, &r);
    }
}

static void read_v9(lamp_netflow *n, struct lamp_netflow_sender *from, struct lamp_cursor c,
                    uint64_t now_us)
{
    (void)lamp_cursor_be16(&c); /* records in it; exporters disagree on what that counts */
    struct export x = { .now_us = now_us, .has_uptime = true, .uptime_ms = lamp_cursor_be32(&c) };
    x.sent_us = lamp_cursor_be32(&c) * UINT64_C(1000000);
    const uint32_t sequence = lamp_cursor_be32(&c);
    from->domain = lamp_cursor_be32(&c);
    struct domain *d = c.bad ? NULL : domain_of(n, from, now_us);
    uint32_t records = 0;
    bool all = true;
    n->n[LAMP_NETFLOW_CUT] += c.bad;
    if (!d)
        return;
    d->seen_us = now_us;
    follow(n, d, sequence, sequence + 1, true);
    read_sets(n, d, &x, c, &records, &all);
}

static void read_ipfix(lamp_netflow *n, struct lamp_netflow_sender *from, struct lamp_cursor c,
                       uint64_t now_us)
{
    const uint16_t len = lamp_cursor_be16(&c); /* of the message, with these four bytes */
    struct export x = { .now_us = now_us };
    x.sent_us = lamp_cursor_be32(&c) * UINT64_C(1000000);
    const uint32_t sequence = lamp_cursor_be32(&c);
    from->domain = lamp_cursor_be32(&c);
    if (c.bad || len < 16 || len - 16U > lamp_cursor_left(&c)) {
        n->n[LAMP_NETFLOW_CUT]++;
        return;
    }
    struct domain *d = domain_of(n, from, now_us);
    uint32_t records = 0;
    bool all = true;
    if (!d)
        return;
    d->seen_us = now_us;
    follow(n, d, sequence, sequence, true); /* until it is known how many there are */
    read_sets(n, d, &x, lamp_cursor_of(c.p, len - 16U), &records, &all);
    d->next = sequence + records;
    d->has_next = all;
}

void lamp_netflow_datagram(lamp_netflow *n, const struct lamp_addr *exporter,
                           struct lamp_bytes datagram, uint64_t now_us)
{
    struct lamp_cursor c = lamp_cursor_of(datagram.data, datagram.len);
    struct lamp_netflow_sender from = { .exporter = *exporter, .version = lamp_cursor_be16(&c) };
    n->n[LAMP_NETFLOW_DATAGRAMS]++;
    if (from.version == 5)
        read_v5(n, &from, c, now_us);
    else if (from.version == 9)
        read_v9(n, &from, c, now_us);
    else if (from.version == 10)
        read_ipfix(n, &from, c, now_us);
    else
        n->n[LAMP_NETFLOW_VERSION]++;
}
