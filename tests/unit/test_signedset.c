/* SPDX-License-Identifier: Apache-2.0 */
/* The verifier of block lists: everything that is forged, broken, old or too much is refused, each
 * with the code that says why, and the list in force stays. */
#include "sensor/enforce/signedset.h"
#include "tests/support/block_lists.h"

#include <inttypes.h>

#define NOW LIST_NOW
#define HOUR LIST_HOUR

static char dir[64];

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/lamp-signedset-XXXXXX");
    crypto_sign_keypair(list_public_key, list_secret_key);
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char cmd[128];
    snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
    return system(cmd);
}

static lamp_signedset *open_set(uint64_t now_us)
{
    struct lamp_signedset_cfg cfg = { .kind = LAMP_SET_BLOCK, .site = "north", .dir = dir };
    memcpy(cfg.list_key, list_public_key, sizeof(cfg.list_key));
    lamp_signedset *b = NULL;
    int restored;
    assert_int_equal(lamp_signedset_open(&cfg, now_us, &b, &restored), LAMP_OK);
    return b;
}

/* ---- the ways to be wrong ---- */

static lamp_signedset *set; /* the one under test */
static uint64_t at_us;      /* its clock */
static char detail[LAMP_SIGNEDSET_DETAIL];

/* Feeds bytes as link would: what does not unpack never gets further. */
static int feed_bytes(const uint8_t *data, size_t len)
{
    struct lamp_msg *m;
    int err = lamp_msg_unpack(data, len, &m);
    if (err)
        return err;
    err = lamp_signedset_feed(set, m, at_us, detail);
    lamp_msg_free(m);
    return err;
}

static int feed(const struct lamp_msg *m)
{
    uint8_t *data;
    size_t len;
    int err = lamp_msg_pack(m, &data, &len);
    if (err)
        return err;
    err = feed_bytes(data, len);
    free(data);
    return err;
}

/* Feeds parts from..to of an answer, with its begin and end where asked for; the first refusal. */
static int feed_parts(struct answer *a, bool begin, uint32_t from, uint32_t to, bool end)
{
    int err = begin ? feed(&a->begin) : LAMP_EAGAIN;
    for (uint32_t i = from; i < to && err == LAMP_EAGAIN; i++) {
        const struct lamp_msg m = list_chunk(a, i);
        err = feed(&m);
    }
    return err == LAMP_EAGAIN && end ? feed(&a->end) : err;
}

static int feed_all(struct answer *a)
{
    return feed_parts(a, true, 0, a->begin.u.set_begin.chunks, true);
}

/* Each bends a good answer (site north, epoch 3, serial 6, one entry where none is said) and feeds it. */
typedef int bend_fn(struct answer *a);

static int as_it_is(struct answer *a)
{
    return feed_all(a);
}

#define FLIP(name, byte, bit)                                                                      \
    static int name(struct answer *a)                                                              \
    {                                                                                              \
        a->end.u.set_end.signature[byte] ^= 1U << (bit);                                           \
        return feed_all(a);                                                                        \
    }
FLIP(flip_first, 0, 0)
FLIP(flip_middle, 31, 7)
FLIP(flip_scalar, 32, 3)
FLIP(flip_last, 63, 6)

static int no_signature(struct answer *a)
{
    memset(a->end.u.set_end.signature, 0, 64);
    return feed_all(a);
}

static int other_key(struct answer *a)
{
    uint8_t public_key[32], secret_key[64];
    crypto_sign_keypair(public_key, secret_key);
    crypto_sign_detached(a->end.u.set_end.signature, NULL, a->packed, a->end.u.set_end.manifest.len,
                         secret_key);
    return feed_all(a);
}

/* A good signature, of another list of ours. */
static int other_signature(struct answer *a)
{
    static struct answer other;
    make_answer(&(struct list){ .epoch = 3, .serial = 7, .targets = { "203.0.113.9" } }, &other);
    memcpy(a->end.u.set_end.signature, other.end.u.set_end.signature, 64);
    answer_done(&other);
    return feed_all(a);
}

/* The same manifest, packed another way: fields in another order mean the same, and are not signed. */
static int repacked(struct answer *a)
{
    static uint8_t bytes[LAMP_WIRE_MANIFEST_MAX];
    const struct lamp_bytes m = a->end.u.set_end.manifest;
    assert_true(m.len + 2 <= sizeof(bytes));
    memcpy(bytes, m.data, m.len);
    bytes[m.len] = 0x40; /* flags = 0, once more */
    bytes[m.len + 1] = 0;
    a->end.u.set_end.manifest = (struct lamp_bytes){ bytes, m.len + 2 };
    return feed_all(a);
}

static int manifest_cut(struct answer *a)
{
    a->end.u.set_end.manifest.len -= 3;
    return feed_all(a);
}

static int sign_bytes(struct answer *a, const uint8_t *data, size_t len)
{
    a->end.u.set_end.manifest = (struct lamp_bytes){ data, len };
    crypto_sign_detached(a->end.u.set_end.signature, NULL, data, len, list_secret_key);
    return feed_all(a);
}

static int manifest_noise(struct answer *a)
{
    return sign_bytes(a, (const uint8_t *)"\xff\xff\xff\xff", 4);
}

static int manifest_empty(struct answer *a)
{
    return sign_bytes(a, NULL, 0);
}

static int manifest_cut_and_signed(struct answer *a)
{
    return sign_bytes(a, a->packed, a->end.u.set_end.manifest.len - 3);
}

#define MANIFEST(name, ...)                                                                        \
    static int name(struct answer *a)                                                              \
    {                                                                                              \
        struct lamp_set_manifest *m = &a->manifest;                                                \
        __VA_ARGS__;                                                                               \
        sign(a);                                                                                   \
        return feed_all(a);                                                                        \
    }
MANIFEST(kind_watch, m->kind = LAMP_SET_WATCH)
MANIFEST(kind_never, m->kind = LAMP_SET_NEVER)
MANIFEST(kind_policy, m->kind = LAMP_SET_POLICY)
MANIFEST(kind_none, m->kind = LAMP_SET_NONE)
MANIFEST(count_more, m->count++)
MANIFEST(count_less, m->count--)
MANIFEST(count_most, m->count = LAMP_WIRE_SET_ENTRIES_MAX)
MANIFEST(digest_first, m->digest[0] ^= 1)
MANIFEST(digest_last, m->digest[31] ^= 0x80)
MANIFEST(digest_zero, memset(m->digest, 0, 32))
MANIFEST(no_expiry, m->expires_us = 0)

/* What is signed is one set, what comes another. */
#define ENTRY(name, ...)                                                                           \
    static int name(struct answer *a)                                                              \
    {                                                                                              \
        struct lamp_set_entry *e = &a->entries[0];                                                 \
        __VA_ARGS__;                                                                               \
        return feed_all(a);                                                                        \
    }
ENTRY(other_address, e->prefix.addr.b[15]++)
ENTRY(other_port, e->port = 22)
ENTRY(other_protocol, e->ip_proto = 17)
ENTRY(other_side, e->inside = true)
ENTRY(longer_life, e->ttl_s += 1000)
ENTRY(other_id, e->id++)
ENTRY(other_text, e->text = lamp_bytes_of("x"))

/* Entries that are wrong in themselves, with everything else made to fit. */
#define SEALED(name, ...)                                                                          \
    static int name(struct answer *a)                                                              \
    {                                                                                              \
        struct lamp_set_entry *e = &a->entries[0];                                                 \
        __VA_ARGS__;                                                                               \
        seal(a);                                                                                   \
        return feed_all(a);                                                                        \
    }
SEALED(host_bits, e->prefix.len = 120)
SEALED(host_bits6, e->prefix = ((struct lamp_prefix){ { { 0x20, 1, 0xd, 0xb8, [15] = 1 } }, 64 }))
SEALED(cuts_into_v4, e->prefix.len = 90)
SEALED(protocol_icmp, e->ip_proto = 1)
SEALED(twice, a->entries[a->n++] = *e)
SEALED(removes, e->action = LAMP_SET_REMOVE)
SEALED(does_nothing, e->action = LAMP_SET_ACTION_NONE)
SEALED(neither, *e = ((struct lamp_set_entry){ .action = LAMP_SET_ADD, .id = 1 }))
SEALED(only_text,
       *e = ((struct lamp_set_entry){ .action = LAMP_SET_ADD, .text = lamp_bytes_of("x") }))
SEALED(both, e->name = lamp_bytes_of("pool.example"))

/* ---- parts ---- */

static int end_alone(struct answer *a)
{
    return feed(&a->end);
}

static int chunk_alone(struct answer *a)
{
    return feed_parts(a, false, 0, 1, false);
}

static int chunk_twice(struct answer *a)
{
    const int err = feed_parts(a, true, 0, 1, false);
    return err == LAMP_EAGAIN ? feed_parts(a, false, 0, 1, true) : err;
}

static int chunk_skipped(struct answer *a)
{
    return feed_parts(a, true, 1, 2, true);
}

static int chunks_missing(struct answer *a)
{
    return feed_parts(a, true, 0, 1, true);
}

static int no_chunks(struct answer *a)
{
    return feed_parts(a, true, 0, 0, true);
}

static int chunk_too_many(struct answer *a)
{
    const int err = feed_parts(a, true, 0, a->begin.u.set_begin.chunks, false);
    struct lamp_msg m = list_chunk(a, 0);
    m.u.set_chunk.index = a->begin.u.set_begin.chunks;
    return err == LAMP_EAGAIN ? feed(&m) : err;
}

/* The second list begins before the first has ended: what comes of the first is of nothing. */
static int mixed(struct answer *a)
{
    static struct answer other;
    make_answer(&(struct list){ .epoch = 3, .serial = 7, .targets = { "203.0.113.9" } }, &other);
    int err = feed_parts(a, true, 0, 1, false);
    if (err == LAMP_EAGAIN)
        err = feed_parts(&other, true, 0, 0, false);
    if (err == LAMP_EAGAIN)
        err = feed(&a->end);
    answer_done(&other);
    return err;
}

/* The end of one list under the parts of another. */
static int end_swapped(struct answer *a)
{
    static struct answer other;
    make_answer(&(struct list){ .epoch = 3, .serial = 7, .targets = { "203.0.113.9" } }, &other);
    other.end.u.set_end.nonce = a->nonce;
    int err = feed_parts(a, true, 0, 1, false);
    if (err == LAMP_EAGAIN)
        err = feed(&other.end);
    answer_done(&other);
    return err;
}

static int begin_delta(struct answer *a)
{
    a->begin.u.set_begin.mode = LAMP_SET_DELTA;
    a->begin.u.set_begin.base_serial = 4; /* not what is held */
    return feed_all(a);
}

static int begin_watch(struct answer *a)
{
    a->begin.u.set_begin.kind = LAMP_SET_WATCH;
    return feed_all(a);
}

/* Bytes of a message cut or bent on the way (which CURVE would not let happen). */
static int chunk_cut(struct answer *a)
{
    uint8_t *data;
    size_t len;
    const struct lamp_msg m = list_chunk(a, 0);
    int err = feed(&a->begin);
    if (err != LAMP_EAGAIN || lamp_msg_pack(&m, &data, &len) != LAMP_OK)
        return err;
    err = feed_bytes(data, len - 4);
    free(data);
    return err == LAMP_EAGAIN ? feed(&a->end) : err;
}

/* More than a set may have: the parts alone are refused. */
static int oversize(struct answer *a)
{
    while (a->n < LAMP_WIRE_SET_ENTRIES_MAX + 1)
        a->entries[a->n] = a->entries[a->n - 1], a->n++;
    a->begin.u.set_begin.chunks = LAMP_WIRE_SET_ENTRIES_MAX / LAMP_WIRE_SET_CHUNK_ENTRIES_MAX + 1;
    return feed_all(a);
}

static const struct {
    const char *label;
    struct list list;
    bend_fn *bend;
    int want;
} cases[] = {
    /* the signature */
    { "first bit of the signature", { 0 }, flip_first, LAMP_ESIGNATURE },
    { "a bit in the middle", { 0 }, flip_middle, LAMP_ESIGNATURE },
    { "first bit of its scalar", { 0 }, flip_scalar, LAMP_ESIGNATURE },
    { "last bits of the signature", { 0 }, flip_last, LAMP_ESIGNATURE },
    { "no signature", { 0 }, no_signature, LAMP_ESIGNATURE },
    { "signed by another key", { 0 }, other_key, LAMP_ESIGNATURE },
    { "signature of another list", { 0 }, other_signature, LAMP_ESIGNATURE },
    { "manifest packed anew", { 0 }, repacked, LAMP_ESIGNATURE },
    { "manifest cut short", { 0 }, manifest_cut, LAMP_ESIGNATURE },
    { "signed noise", { 0 }, manifest_noise, LAMP_EFORMAT },
    { "signed nothing", { 0 }, manifest_empty, LAMP_EFORMAT },
    { "cut short, then signed", { 0 }, manifest_cut_and_signed, LAMP_EFORMAT },
    /* the site */
    { "another site", { .site = "south" }, as_it_is, LAMP_ESITE },
    { "a site that begins alike", { .site = "north2" }, as_it_is, LAMP_ESITE },
    { "a site that is shorter", { .site = "nort" }, as_it_is, LAMP_ESITE },
    { "a site in capitals", { .site = "North" }, as_it_is, LAMP_ESITE },
    { "no site", { .site = "" }, as_it_is, LAMP_ESITE },
    { "a site of bytes", { .site = "north\x1b[2J" }, as_it_is, LAMP_ESITE },
    /* what it is */
    { "a watch list", { 0 }, kind_watch, LAMP_EUNSUPPORTED },
    { "a never list", { 0 }, kind_never, LAMP_EUNSUPPORTED },
    { "a policy", { 0 }, kind_policy, LAMP_EUNSUPPORTED },
    { "no kind", { 0 }, kind_none, LAMP_EUNSUPPORTED },
    { "begins as a watch list", { 0 }, begin_watch, LAMP_EUNSUPPORTED },
    { "a delta on another base", { 0 }, begin_delta, LAMP_EUNSUPPORTED },
    /* age */
    { "an older serial", { .serial = 4 }, as_it_is, LAMP_ESERIAL },
    { "serial 0", { .serial = UINT64_MAX }, as_it_is, LAMP_ESERIAL }, /* UINT64_MAX: 0 */
    { "the same serial, other entries",
      { .serial = 5, .targets = { "203.0.113.9" } },
      as_it_is,
      LAMP_ESERIAL },
    { "an older epoch, a higher serial", { .epoch = 2, .serial = 99 }, as_it_is, LAMP_ESERIAL },
    { "epoch 0", { .epoch = UINT64_MAX, .serial = 99 }, as_it_is, LAMP_ESERIAL },
    { "expired", { .expires_us = NOW - 1 }, as_it_is, LAMP_EEXPIRED },
    { "expires now", { .expires_us = NOW }, as_it_is, LAMP_EEXPIRED },
    { "never expires", { 0 }, no_expiry, LAMP_EEXPIRED },
    /* the manifest and what came */
    { "counts one more", { 0 }, count_more, LAMP_EFORMAT },
    { "counts one less", { 0 }, count_less, LAMP_EFORMAT },
    { "counts the most there can be", { 0 }, count_most, LAMP_EFORMAT },
    { "first bit of the digest", { 0 }, digest_first, LAMP_EDIGEST },
    { "last bit of the digest", { 0 }, digest_last, LAMP_EDIGEST },
    { "no digest", { 0 }, digest_zero, LAMP_EDIGEST },
    { "another address", { 0 }, other_address, LAMP_EDIGEST },
    { "another port", { 0 }, other_port, LAMP_EDIGEST },
    { "another protocol", { 0 }, other_protocol, LAMP_EDIGEST },
    { "an inside host instead", { 0 }, other_side, LAMP_EDIGEST },
    { "a longer life", { 0 }, longer_life, LAMP_EDIGEST },
    { "another id", { 0 }, other_id, LAMP_EDIGEST },
    { "another text", { 0 }, other_text, LAMP_EDIGEST },
    /* entries */
    { "host bits", { 0 }, host_bits, LAMP_ECANON },
    { "host bits of IPv6", { 0 }, host_bits6, LAMP_ECANON },
    { "a prefix into mapped IPv4", { 0 }, cuts_into_v4, LAMP_EFORMAT },
    { "ICMP", { 0 }, protocol_icmp, LAMP_EFORMAT },
    { "an entry twice", { 0 }, twice, LAMP_ECANON },
    { "not sorted", { .targets = { "203.0.113.9", "203.0.113.8" } }, as_it_is, LAMP_ECANON },
    { "inside before outside",
      { .targets = { "in 10.0.0.9", "203.0.113.8" } },
      as_it_is,
      LAMP_ECANON },
    { "a name in capitals", { .targets = { "name Pool.example" } }, as_it_is, LAMP_ECANON },
    { "a host in a prefix",
      { .targets = { "203.0.113.0/24", "203.0.113.9" } },
      as_it_is,
      LAMP_EOVERLAP },
    { "a prefix in a prefix",
      { .targets = { "203.0.113.0/24", "203.0.113.0/25" } },
      as_it_is,
      LAMP_EOVERLAP },
    { "the same with a port",
      { .targets = { "203.0.113.0/24 80", "203.0.113.9 80" } },
      as_it_is,
      LAMP_EOVERLAP },
    { "an entry is removed", { 0 }, removes, LAMP_EFORMAT },
    { "an entry without action", { 0 }, does_nothing, LAMP_EFORMAT },
    { "an entry of nothing", { 0 }, neither, LAMP_EFORMAT },
    { "an entry of text", { 0 }, only_text, LAMP_EFORMAT },
    { "an address and a name", { 0 }, both, LAMP_EFORMAT },
    { "a top-level domain", { .targets = { "name example" } }, as_it_is, LAMP_EPOLICY },
    { "a name that ends in a dot", { .targets = { "name example." } }, as_it_is, LAMP_EPOLICY },
    /* limits */
    { "wider than /24", { .targets = { "203.0.112.0/23" } }, as_it_is, LAMP_EPOLICY },
    { "wider than /48", { .targets = { "2001:db8::/47" } }, as_it_is, LAMP_EPOLICY },
    { "wider than /16, approved",
      { .approved = true, .targets = { "203.0.0.0/15" } },
      as_it_is,
      LAMP_EPOLICY },
    { "wider than /32, approved",
      { .approved = true, .targets = { "2001:db8::/31" } },
      as_it_is,
      LAMP_EPOLICY },
    { "everything", { .approved = true, .targets = { "0.0.0.0/0" } }, as_it_is, LAMP_EPOLICY },
    { "a wide prefix of inside hosts",
      { .targets = { "in 10.0.0.0/16" } },
      as_it_is,
      LAMP_EPOLICY },
    { "51 more at once", { .many = 52 }, as_it_is, LAMP_EPOLICY },
    { "a tenth more and one", { .many = 1000 }, as_it_is, LAMP_EPOLICY },
    { "10,001 entries", { .approved = true }, oversize, LAMP_EFULL },
    /* parts */
    { "an end without a beginning", { 0 }, end_alone, LAMP_EPROTO },
    { "a part without a beginning", { 0 }, chunk_alone, LAMP_EPROTO },
    { "a part twice", { .many = 40 }, chunk_twice, LAMP_EPROTO },
    { "the second part first", { .many = 600 }, chunk_skipped, LAMP_EPROTO },
    { "a part too many", { 0 }, chunk_too_many, LAMP_EPROTO },
    { "two lists mixed", { 0 }, mixed, LAMP_EPROTO },
    { "the last part is missing", { .many = 600 }, chunks_missing, LAMP_ETRUNC },
    { "all parts are missing", { 0 }, no_chunks, LAMP_ETRUNC },
    { "the end of another list", { 0 }, end_swapped, LAMP_EDIGEST },
    { "a part cut short", { 0 }, chunk_cut, LAMP_EFORMAT },
};

static struct answer bent;

/* A list as the cases mean it: epoch 3, serial 6, one entry, unless they say otherwise. */
static struct list filled(struct list l)
{
    if (l.epoch == 0)
        l.epoch = 3;
    if (l.serial == 0)
        l.serial = 6;
    if (l.epoch == UINT64_MAX)
        l.epoch = 0;
    if (l.serial == UINT64_MAX)
        l.serial = 0;
    if (!l.targets[0] && l.many == 0)
        l.targets[0] = "203.0.113.7";
    return l;
}

static void test_refusals(void **state)
{
    (void)state;
    _Static_assert(ARRAY_LEN(cases) >= 60, "the promise is 60");
    set = open_set(NOW);
    at_us = NOW;
    const struct list good = filled((struct list){ .serial = 5, .targets = { "203.0.113.1" } });
    make_answer(&good, &bent);
    assert_int_equal(feed_all(&bent), LAMP_OK);
    assert_int_equal(lamp_signedset_confirm(set), LAMP_OK);
    answer_done(&bent);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct list l = filled(cases[i].list);
        make_answer(&l, &bent);
        const int got = cases[i].bend(&bent);
        if (got != cases[i].want)
            fail_msg("%s: got %s (%s), want %s", cases[i].label, lamp_strerror(got), detail,
                     lamp_strerror(cases[i].want));
        answer_done(&bent);
        size_t n;
        (void)lamp_signedset_entries(set, &n);
        if (n != 1 || lamp_signedset_head(set).serial != 5)
            fail_msg("%s: the list in force did not stay", cases[i].label);
    }
    /* What they bend is good in itself. */
    const struct list next = filled((struct list){ .serial = 6 });
    make_answer(&next, &bent);
    assert_int_equal(feed_all(&bent), LAMP_OK);
    answer_done(&bent);
    lamp_signedset_free(set);
}

static int take(uint64_t serial, const char *target, bool approved, unsigned many)
{
    const struct list l = { .epoch = 3,
                            .serial = serial,
                            .targets = { target },
                            .many = many,
                            .approved = approved,
                            .expires_us = at_us + 2 * HOUR };
    make_answer(&l, &bent);
    const int err = feed_all(&bent);
    answer_done(&bent);
    return err;
}

/* What was refused says so once; the parts that still come of it are of no further interest. */
static void test_rest_of_refused(void **state)
{
    (void)state;
    set = open_set(NOW);
    at_us = NOW;
    const struct list l = filled((struct list){ .many = 600, .approved = true });
    make_answer(&l, &bent);
    assert_int_equal(feed_parts(&bent, true, 1, 2, false), LAMP_EPROTO);
    assert_int_equal(feed_parts(&bent, false, 0, 2, true), LAMP_EAGAIN);
    assert_int_equal(feed_all(&bent), LAMP_OK); /* asked for again */
    answer_done(&bent);
    lamp_signedset_free(set);
}

static void test_approved(void **state)
{
    (void)state;
    set = open_set(NOW);
    at_us = NOW;
    assert_int_equal(take(1, NULL, 0, 2000), LAMP_OK);      /* the first: nothing to compare with */
    assert_int_equal(take(2, NULL, 0, 2201), LAMP_OK);      /* a tenth more */
    assert_int_equal(take(3, NULL, 0, 2250), LAMP_EPOLICY); /* in the same hour */
    assert_int_equal(take(3, NULL, true, 5000), LAMP_OK);
    at_us += HOUR;
    assert_int_equal(take(4, NULL, 0, 5500), LAMP_OK);
    at_us += 3 * HOUR + 1; /* three hours of silence: four hours' growth */
    assert_int_equal(take(5, NULL, 0, 7800), LAMP_OK);
    assert_int_equal(take(6, "203.0.113.1", 0, 7800), LAMP_OK);
    assert_int_equal(take(7, NULL, 0, 10), LAMP_OK); /* less is no growth */
    assert_int_equal(take(8, "203.0.0.0/16", true, 0), LAMP_OK);
    assert_int_equal(take(9, "2001:db8::/32", true, 0), LAMP_OK);
    lamp_signedset_free(set);
}

static const char *first_target(void)
{
    static char text[LAMP_PREFIX_STRLEN];
    size_t n;
    const struct lamp_set_entry *e = lamp_signedset_entries(set, &n);
    return n ? lamp_prefix_str(&e[0].prefix, text) : "";
}

static void reopen(void)
{
    lamp_signedset_free(set);
    set = open_set(at_us);
}

/* A candidate comes back after a restart only once it is confirmed; one that was rolled back never. */
static void test_confirm_and_roll_back(void **state)
{
    (void)state;
    set = open_set(NOW);
    at_us = NOW;
    assert_int_equal(take(1, "203.0.113.1", 0, 0), LAMP_OK);
    assert_false(lamp_signedset_is_confirmed(set));
    reopen();
    assert_string_equal(first_target(), "");
    assert_int_equal(take(1, "203.0.113.1", 0, 0), LAMP_OK); /* it was not the list's fault */
    assert_int_equal(lamp_signedset_confirm(set), LAMP_OK);
    assert_true(lamp_signedset_is_confirmed(set));
    assert_int_equal(take(1, "203.0.113.1", 0, 0), LAMP_EEXIST);

    assert_int_equal(take(2, "203.0.113.2", 0, 0), LAMP_OK);
    assert_int_equal(take(3, "203.0.113.3", 0, 0), LAMP_OK); /* before 2 was confirmed */
    assert_int_equal(lamp_signedset_rollback(set), LAMP_OK);
    assert_string_equal(first_target(), "203.0.113.1");
    assert_int_equal(lamp_signedset_refused(set).serial, 3);
    assert_int_equal(take(3, "203.0.113.3", 0, 0), LAMP_EREJECTED);
    assert_int_equal(take(2, "203.0.113.2", 0, 0), LAMP_EREJECTED);
    reopen();
    assert_string_equal(first_target(), "203.0.113.1");
    assert_true(lamp_signedset_is_confirmed(set));
    assert_int_equal(take(3, "203.0.113.3", 0, 0), LAMP_EREJECTED);
    assert_int_equal(take(4, "203.0.113.4", 0, 0), LAMP_OK);
    assert_int_equal(lamp_signedset_confirm(set), LAMP_OK);
    assert_int_equal(lamp_signedset_rollback(set), LAMP_OK); /* too late: nothing happens */
    reopen();
    assert_string_equal(first_target(), "203.0.113.4");
    assert_int_equal(take(4, "203.0.113.5", 0, 0), LAMP_ESERIAL);
    lamp_signedset_free(set);
}

/* ---- changes ---- */

static int feed_delta(uint64_t epoch, uint64_t base, uint64_t serial, const struct lamp_set *whole,
                      const struct lamp_set_entry *changes, size_t n)
{
    const struct list l = { .epoch = epoch, .serial = serial, .expires_us = at_us + 2 * HOUR };
    make_answer(&l, &bent);
    memcpy(bent.entries, whole->entries, whole->n * sizeof(*whole->entries));
    bent.n = whole->n;
    seal(&bent); /* the manifest is of the whole set */
    memcpy(bent.entries, changes, n * sizeof(*changes));
    bent.n = n;
    bent.begin.u.set_begin.mode = LAMP_SET_DELTA;
    bent.begin.u.set_begin.base_serial = base;
    bent.begin.u.set_begin.chunks = n > 0;
    const int err = feed_all(&bent);
    answer_done(&bent);
    return err;
}

static struct lamp_set_entry change(enum lamp_set_action action, const char *text, uint64_t id)
{
    struct lamp_set_entry e = list_entry(text, id);
    e.action = action;
    return e;
}

/* From { .1 id 1, .2 id 2, name id 3 } each; `want` LAMP_OK means: to { .1 id 9, .3 id 3 }. */
static void test_delta(void **state)
{
    (void)state;
    const struct lamp_set_entry good[] = {
        change(LAMP_SET_REMOVE, "name pool.example", 0),
        change(LAMP_SET_ADD, "203.0.113.1", 9),
        change(LAMP_SET_REMOVE, "203.0.113.2", 2),
        change(LAMP_SET_ADD, "203.0.113.3", 3),
    };
    const struct lamp_set_entry unknown[] = { good[0], good[1], good[2],
                                              change(LAMP_SET_REMOVE, "203.0.113.4", 0) };
    const struct lamp_set_entry unordered[] = { good[1], good[0], good[2], good[3] };
    const struct lamp_set_entry twice[] = { good[0], good[1], good[1], good[2] };
    const struct lamp_set_entry idle[] = { good[0], good[1], good[2],
                                           change(LAMP_SET_ACTION_NONE, "203.0.113.3", 3) };
    struct lamp_set_entry after[] = { good[1], good[3] }, wide[] = { good[1], good[3] };
    assert_int_equal(lamp_prefix_parse("203.0.112.0/23", &wide[0].prefix), LAMP_OK);
    const struct {
        const char *label;
        uint64_t epoch, base, serial;
        struct lamp_set_entry *whole;
        const struct lamp_set_entry *changes;
        size_t n;
        int want;
    } table[] = {
        { "another base", 3, 4, 6, after, good, 4, LAMP_EUNSUPPORTED },
        { "another epoch", 4, 5, 6, after, good, 4, LAMP_EUNSUPPORTED },
        { "an older serial", 3, 5, 4, after, good, 4, LAMP_ESERIAL },
        { "removes what is not there", 3, 5, 6, after, unknown, 4, LAMP_EFORMAT },
        { "not in order", 3, 5, 6, after, unordered, 4, LAMP_ECANON },
        { "one key twice", 3, 5, 6, after, twice, 4, LAMP_ECANON },
        { "a change that is none", 3, 5, 6, after, idle, 4, LAMP_EFORMAT },
        { "one change left out", 3, 5, 6, after, good, 3, LAMP_EFORMAT },
        { "nothing changes, another digest", 3, 5, 6, after, good, 0, LAMP_EFORMAT },
        { "the digest of another set", 3, 5, 6, wide, good, 4, LAMP_EDIGEST },
        { "as it should be", 3, 5, 6, after, good, 4, LAMP_OK },
        { "renewed alone", 3, 6, 7, after, good, 0, LAMP_OK },
        { "the base of the one before", 3, 5, 8, after, good, 4, LAMP_EUNSUPPORTED },
    };
    set = open_set(NOW);
    at_us = NOW;
    const struct list first = { .epoch = 3,
                                .serial = 5,
                                .targets = { "name pool.example", "203.0.113.1", "203.0.113.2" } };
    make_answer(&first, &bent);
    assert_int_equal(feed_all(&bent), LAMP_OK);
    answer_done(&bent);
    uint64_t serial = 5;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const struct lamp_set whole = { table[i].whole, 2, NULL };
        const int got = feed_delta(table[i].epoch, table[i].base, table[i].serial, &whole,
                                   table[i].changes, table[i].n);
        if (got != table[i].want)
            fail_msg("%s: got %s (%s)", table[i].label, lamp_strerror(got), detail);
        serial = got == LAMP_OK ? table[i].serial : serial;
        assert_int_equal(lamp_signedset_head(set).serial, serial);
    }
    size_t n;
    const struct lamp_set_entry *e = lamp_signedset_entries(set, &n);
    assert_int_equal(n, 2);
    assert_int_equal(e[0].id, 9);

    /* What came by changes is whole after a restart. */
    assert_int_equal(lamp_signedset_confirm(set), LAMP_OK);
    reopen();
    (void)lamp_signedset_entries(set, &n);
    assert_int_equal(n, 2);
    assert_int_equal(lamp_signedset_head(set).serial, 7);
    lamp_signedset_free(set);
}

/* The other kinds: what each may hold; none limits growth, and a never list outlives its manifest. */
static void test_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        enum lamp_set_kind kind;
        struct list list;
        int want;
    } table[] = {
        { "watch: an endpoint", LAMP_SET_WATCH, { .targets = { "203.0.113.1 3333" } }, LAMP_OK },
        { "watch: a name", LAMP_SET_WATCH, { .targets = { "name pool.example" } }, LAMP_OK },
        { "watch: a net", LAMP_SET_WATCH, { .targets = { "203.0.113.0/24" } }, LAMP_EPOLICY },
        { "watch: a label", LAMP_SET_WATCH, { .targets = { "name example" } }, LAMP_EPOLICY },
        { "watch: many", LAMP_SET_WATCH, { .many = 9000 }, LAMP_OK },
        { "never: a net", LAMP_SET_NEVER, { .targets = { "10.0.0.0/8" } }, LAMP_OK },
        { "never: everything", LAMP_SET_NEVER, { .targets = { "0.0.0.0/1" } }, LAMP_EPOLICY },
        { "never: a name", LAMP_SET_NEVER, { .targets = { "name a.example" } }, LAMP_EPOLICY },
        { "never: too many", LAMP_SET_NEVER, { .many = 257 }, LAMP_EFULL },
        { "policy: a key", LAMP_SET_POLICY, { .targets = { "name interval" } }, LAMP_OK },
        { "policy: an address", LAMP_SET_POLICY, { .targets = { "192.0.2.1" } }, LAMP_EFORMAT },
    };
    at_us = NOW;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct lamp_signedset_cfg cfg = { .kind = table[i].kind, .site = "north", .dir = dir };
        memcpy(cfg.list_key, list_public_key, sizeof(cfg.list_key));
        int restored;
        assert_int_equal(lamp_signedset_open(&cfg, NOW, &set, &restored), LAMP_OK);
        struct list l = table[i].list;
        l.kind = table[i].kind;
        l.epoch = 3;
        l.serial = i + 1;
        make_answer(&l, &bent);
        const int got = feed_all(&bent);
        if (got != table[i].want)
            fail_msg("%s: got %s (%s)", table[i].label, lamp_strerror(got), detail);
        assert_int_equal(lamp_signedset_confirm(set), LAMP_OK);
        lamp_signedset_free(set);
        answer_done(&bent);
        /* Each kind has its own copy, and its own end. */
        assert_int_equal(lamp_signedset_open(&cfg, NOW + 9 * HOUR, &set, &restored), LAMP_OK);
        const bool held = lamp_signedset_head(set).serial > 0;
        if (held != (cfg.kind == LAMP_SET_NEVER))
            fail_msg("%s: after its end: %s", table[i].label, lamp_strerror(restored));
        lamp_signedset_free(set);
    }
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rest_of_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_approved, setup, teardown),
        cmocka_unit_test_setup_teardown(test_confirm_and_roll_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_delta, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kinds, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
