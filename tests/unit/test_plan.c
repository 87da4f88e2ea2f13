/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enforce/plan.h"
#include "tests/support/rng.h"
#include "tests/support/test.h"

#define NOW UINT64_C(1700000000000000)
#define SECOND UINT64_C(1000000)

static struct lamp_prefix prefix(const char *text)
{
    struct lamp_prefix p;
    assert_int_equal(lamp_prefix_parse(text, &p), LAMP_OK);
    return p;
}

static struct lamp_domains domains;

static void bind(const char *name, const char *addr, uint32_t ttl_s)
{
    const struct lamp_prefix p = prefix(addr);
    (void)lamp_domains_add(&domains, lamp_bytes_of(name), &p.addr, ttl_s, NOW);
}

static struct lamp_set_entry entry(const char *text, uint16_t port, uint8_t proto, uint32_t ttl_s,
                                   uint64_t id)
{
    struct lamp_set_entry e = { .port = port, .ip_proto = proto, .ttl_s = ttl_s, .id = id };
    e.inside = strncmp(text, "in ", 3) == 0;
    if (strncmp(text, "name ", 5) == 0)
        e.name = lamp_bytes_of(text + 5);
    else
        e.prefix = prefix(text + (e.inside ? 3 : 0));
    return e;
}

static bool has(const struct lamp_plan *p, const char *text, uint8_t proto, uint16_t port)
{
    struct lamp_element key = { .ip_proto = proto, .port = port };
    key.inside = strncmp(text, "in ", 3) == 0;
    key.prefix = prefix(text + (key.inside ? 3 : 0));
    return lamp_plan_find(p, &key) != NULL;
}

static void test_elements(void **state)
{
    (void)state;
    static struct lamp_never never;
    const struct lamp_prefix own = prefix("198.51.100.0/24"), resolver = prefix("192.0.2.53");
    lamp_never_add(&never, &resolver, "resolver");
    lamp_never_add_net(&never, &own, "own network");
    memset(&domains, 0, sizeof(domains));
    bind("pool.example", "203.0.113.50", 600);
    bind("eu.pool.example", "203.0.113.51", 7200);
    bind("pool.example", "192.0.2.53", 600);  /* the resolver: somebody wants us to cut it off */
    bind("pool.example", "203.0.113.9", 600); /* in a prefix that is blocked anyway */
    bind("other.example", "203.0.113.60", 600);
    const struct lamp_set_entry entries[] = {
        entry("192.0.2.1", 0, 0, 60, 1),           entry("192.0.2.3", 53, 0, 3600, 2),
        entry("192.0.2.53", 0, 0, 3600, 3),        entry("192.0.2.53", 53, 17, 3600, 3),
        entry("198.51.100.7", 0, 0, 3600, 4),      entry("203.0.113.0/28", 0, 0, 7000, 5),
        entry("name pool.example", 0, 0, 3600, 6), entry("in 198.51.100.9", 0, 0, 3600, 7),
        entry("192.0.2.0/30", 53, 17, 3600, 8),
    };
    const struct lamp_plan_in in = { .entries = entries,
                                     .n_entries = ARRAY_LEN(entries),
                                     .accepted_us = NOW,
                                     .expires_us = NOW + 7200 * SECOND,
                                     .never = &never,
                                     .domains = &domains };
    struct lamp_plan p;
    assert_int_equal(lamp_plan_make(&in, NOW + 30 * SECOND, &p), LAMP_OK);
    assert_true(has(&p, "192.0.2.1", 0, 0));
    assert_true(has(&p, "192.0.2.3", 6, 53));
    assert_false(has(&p, "192.0.2.3", 17, 53)); /* lies in 192.0.2.0/30 udp/53 */
    assert_true(has(&p, "192.0.2.0/30", 17, 53));
    assert_true(has(&p, "203.0.113.0/28", 0, 0));
    assert_true(has(&p, "203.0.113.50", 0, 0));
    assert_true(has(&p, "203.0.113.51", 0, 0));    /* below the name */
    assert_true(has(&p, "203.0.113.9", 0, 0));     /* a host set beside the net set */
    assert_true(has(&p, "in 198.51.100.9", 0, 0)); /* quarantine in our own network */
    assert_int_equal(p.n, 8);
    assert_int_equal(p.code, LAMP_EPROTECTED);
    assert_int_equal(p.n_refused, 3); /* 3 twice is once; 4; 6 for the resolver's address */
    assert_int_equal(p.refused_ids[0], 3);
    assert_int_equal(p.refused_ids[1], 4);
    assert_int_equal(p.refused_ids[2], 6);
    assert_int_equal(p.n_domains, 1);
    lamp_plan_done(&p);

    assert_int_equal(lamp_plan_make(&in, NOW + 3601 * SECOND, &p), LAMP_OK); /* one is left */
    assert_int_equal(p.n, 1);
    assert_int_equal(p.v[0].id, 5);
    assert_int_equal(p.v[0].until_us, NOW + 7000 * SECOND);
    lamp_plan_done(&p);
}

static void test_time(void **state)
{
    (void)state;
    static const struct lamp_never none;
    static const struct {
        const char *label;
        uint64_t expires_s, now_s, cap_s, want_s; /* from NOW; want_s 0: no element */
        uint32_t ttl_s;
    } cases[] = {
        { "its own time", 7200, 10, 0, 60, 60 },
        { "no time of its own", 7200, 10, 0, 7200, 0 },
        { "the list's time", 100, 10, 0, 100, 7200 },
        { "over", 7200, 60, 0, 0, 60 },
        { "a cap", 7200, 10, 500, 500, 7200 },
        { "more than a day", 900000, 10, 0, 86400, 900000 },
        { "expired when it came", 0, 0, 0, 0, 60 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct lamp_set_entry e = entry("192.0.2.1", 0, 0, cases[i].ttl_s, 1);
        const struct lamp_plan_in in = { .entries = &e,
                                         .n_entries = 1,
                                         .accepted_us = NOW,
                                         .expires_us = NOW + cases[i].expires_s * SECOND,
                                         .cap_us =
                                             cases[i].cap_s ? NOW + cases[i].cap_s * SECOND : 0,
                                         .never = &none };
        struct lamp_plan p;
        assert_int_equal(lamp_plan_make(&in, NOW + cases[i].now_s * SECOND, &p), LAMP_OK);
        if (p.n != (cases[i].want_s > 0) ||
            (p.n && p.v[0].until_us != NOW + cases[i].want_s * SECOND))
            fail_msg("%s", cases[i].label);
        lamp_plan_done(&p);
    }
    /* The clock was set back a year: no longer than it would have held. */
    const struct lamp_set_entry e = entry("192.0.2.1", 0, 0, 60, 1);
    const struct lamp_plan_in in = { .entries = &e,
                                     .n_entries = 1,
                                     .accepted_us = NOW,
                                     .expires_us = NOW + 7200 * SECOND,
                                     .never = &none };
    struct lamp_plan p;
    const uint64_t year_ago_us = NOW - 365 * 86400 * SECOND;
    assert_int_equal(lamp_plan_make(&in, year_ago_us, &p), LAMP_OK);
    assert_int_equal(p.v[0].until_us, year_ago_us + 60 * SECOND);
    lamp_plan_done(&p);
}

/* ---- what must hold for every list in every network ---- */

enum { RUNS = 100000, ENTRIES = 24, BINDINGS = 8 };

static unsigned upto(struct lamp_rng *r, unsigned n)
{
    return (unsigned)(lamp_rng_u64(r) % n);
}

/* Few addresses, so that lists, networks and names meet often. */
static struct lamp_addr random_addr(struct lamp_rng *r)
{
    static const uint8_t nets[][4] = {
        { 203, 0, 113, 0 }, { 198, 51, 100, 0 }, { 10, 0, 0, 0 }, { 127, 0, 0, 0 }, { 224, 0, 0, 0 }
    };
    struct lamp_addr a = { { 0x20, 0x01, 0x0d, 0xb8 } };
    if (upto(r, 3) > 0) {
        uint8_t v4[4];
        memcpy(v4, nets[upto(r, 5)], 4);
        v4[3] = (uint8_t)upto(r, 32);
        return lamp_addr_from_v4(v4);
    }
    a.b[7] = (uint8_t)upto(r, 3);
    a.b[15] = (uint8_t)upto(r, 16);
    return a;
}

static struct lamp_prefix random_prefix(struct lamp_rng *r)
{
    struct lamp_prefix p = { random_addr(r), 128 };
    if (upto(r, 2))
        p.len =
            lamp_addr_is_v4(&p.addr) ? (uint8_t)(120 + upto(r, 9)) : (uint8_t)(48 + upto(r, 81));
    for (unsigned bit = p.len; bit < 128; bit++)
        p.addr.b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
    return p;
}

/* Written anew for the test: whether two prefixes share an address, bit by bit. */
static bool meet(const struct lamp_prefix *a, const struct lamp_prefix *b)
{
    for (unsigned bit = 0; bit < 128 && bit < a->len && bit < b->len; bit++)
        if ((a->addr.b[bit / 8] ^ b->addr.b[bit / 8]) & (0x80 >> bit % 8))
            return false;
    return true;
}

static bool is_protected(const struct lamp_never *never, const struct lamp_prefix *p, bool inside)
{
    for (size_t i = 0; i < never->n; i++)
        if (meet(&never->v[i].prefix, p))
            return true;
    for (size_t i = 0; i < never->n_nets; i++)
        if (!inside && meet(&never->nets[i].prefix, p))
            return true;
    return false;
}

/* A list as lamp_set_digest() accepts it. */
static size_t random_list(struct lamp_rng *r, struct lamp_set_entry out[ENTRIES])
{
    static const char *const names[] = { "a.example", "b.a.example", "example.org" };
    static const uint8_t protos[] = { 0, 6, 17 };
    size_t n = upto(r, ENTRIES), kept = 0;
    for (size_t i = 0; i < n; i++) {
        struct lamp_set_entry *e = &out[i];
        *e = (struct lamp_set_entry){ .id = i + 1, .ttl_s = 1 + upto(r, 7200) };
        if (upto(r, 8) == 0) {
            e->name = lamp_bytes_of(names[upto(r, 3)]);
        } else {
            e->prefix = random_prefix(r);
            e->inside = upto(r, 4) == 0;
        }
        if (upto(r, 3) == 0)
            e->port = (uint16_t)(1 + upto(r, 3));
        e->ip_proto = protos[upto(r, 3)];
    }
    qsort(out, n, sizeof(*out), lamp_set_entry_cmp);
    uint8_t digest[LAMP_WIRE_DIGEST_LEN];
    for (size_t i = 0; i < n; i++) {
        out[kept] = out[i];
        kept += lamp_set_digest(out, kept + 1, digest) == LAMP_OK;
    }
    return kept;
}

static void random_network(struct lamp_rng *r, struct lamp_never *never)
{
    *never = (struct lamp_never){ .n = 0 };
    if (upto(r, 2))
        lamp_never_add_fixed(never);
    for (unsigned n = upto(r, 6); n > 0; n--) {
        const struct lamp_prefix p = random_prefix(r);
        if (upto(r, 3) == 0)
            lamp_never_add_net(never, &p, "own network");
        else
            lamp_never_add(never, &p, "test");
    }
}

static void random_names(struct lamp_rng *r)
{
    static const char *const names[] = { "a.example", "b.a.example", "c.b.a.example", "example.org",
                                         "nota.example" };
    domains.n = 0;
    for (unsigned n = upto(r, BINDINGS); n > 0; n--) {
        const struct lamp_addr a = random_addr(r);
        (void)lamp_domains_add(&domains, lamp_bytes_of(names[upto(r, 5)]), &a, 300 + upto(r, 9000),
                               NOW);
    }
}

/* Whether an element drops all that an entry with that prefix, protocol and port names. */
static bool dropped(const struct lamp_plan *p, const struct lamp_prefix *what, bool inside,
                    uint8_t proto, uint16_t port)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct lamp_element *e = &p->v[i];
        if (e->inside == inside && e->prefix.len <= what->len && meet(&e->prefix, what) &&
            e->port == port && e->ip_proto == proto)
            return true;
    }
    return false;
}

static void check_entry(const struct lamp_plan *p, const struct lamp_never *never,
                        const struct lamp_set_entry *e, const struct lamp_prefix *what)
{
    if (is_protected(never, what, e->inside))
        return;
    const bool both = e->port && !e->ip_proto;
    assert_true(dropped(p, what, e->inside, both ? 6 : e->ip_proto, e->port));
    assert_true(!both || dropped(p, what, e->inside, 17, e->port));
}

static void check_plan(const struct lamp_plan *p, const struct lamp_plan_in *in)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct lamp_element *e = &p->v[i];
        if (is_protected(in->never, &e->prefix, e->inside)) {
            char text[LAMP_PREFIX_STRLEN];
            fail_msg("%s is protected and planned", lamp_prefix_str(&e->prefix, text));
        }
        assert_true(e->until_us > NOW && e->until_us <= in->expires_us);
        if (i > 0)
            assert_true(lamp_element_cmp(e - 1, e) < 0);
        for (size_t j = 0; j < i; j++) { /* the kernel refuses overlaps within a set */
            const struct lamp_element *o = &p->v[j];
            if (o->inside == e->inside && o->port == e->port && o->ip_proto == e->ip_proto &&
                lamp_element_shape(o) == lamp_element_shape(e))
                assert_false(meet(&o->prefix, &e->prefix));
        }
    }
    for (size_t i = 0; i < in->n_entries; i++) {
        const struct lamp_set_entry *e = &in->entries[i];
        if (e->name.len == 0)
            check_entry(p, in->never, e, &e->prefix);
        for (size_t k = 0; e->name.len > 0 && k < domains.n; k++) {
            const struct lamp_prefix host = { domains.v[k].addr, 128 };
            if (lamp_domain_covers(e->name, domains.v[k].name))
                check_entry(p, in->never, e, &host);
        }
    }
}

/* Nothing protected is ever planned, and everything else that the list names is. */
static void test_never_holds(void **state)
{
    (void)state;
    struct lamp_rng rng = { 20261126 };
    static struct lamp_set_entry entries[ENTRIES];
    static struct lamp_never never;
    memset(&domains, 0, sizeof(domains));
    size_t planned = 0, refused = 0;
    for (unsigned run = 0; run < RUNS; run++) {
        struct lamp_plan_in in = { .entries = entries,
                                   .accepted_us = NOW - upto(&rng, 2) * SECOND / 2,
                                   .expires_us = NOW + 7200 * SECOND,
                                   .never = &never,
                                   .domains = &domains };
        in.n_entries = random_list(&rng, entries);
        random_network(&rng, &never);
        random_names(&rng);
        struct lamp_plan p;
        assert_int_equal(lamp_plan_make(&in, NOW, &p), LAMP_OK);
        check_plan(&p, &in);
        planned += p.n;
        refused += p.n_refused;
        lamp_plan_done(&p);
    }
    print_message("%u lists: %zu elements planned, %zu entries kept out, 0 protected\n", RUNS,
                  planned, refused);
    assert_true(planned > RUNS && refused > RUNS / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_never_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
