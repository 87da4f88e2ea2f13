/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/recog/proof.h"

#include "common/pages.h"
#include "common/text.h"

#include <math.h>
#include <sodium.h>

enum {
    COINBASE_END = 512,
    BRANCHES = 16,
    BITCOIN_HEADER = 80,
    BITCOIN_ROOT = 36, /* where the merkle root stands in it */
    ZCASH_HEADER = 140,
    ZCASH_NONCE = 108,
    SOLUTION = 1347, /* of n = 200, k = 9, with its length */
    WAYS = 8,        /* places that a job may have: the oldest of them gives way */
};

/* What of a job goes into the header of its shares. */
struct job {
    crypto_hash_sha256_state coinbase; /* after the part before extranonce2 */
    uint8_t header[ZCASH_HEADER];
    uint8_t end[COINBASE_END], branches[BRANCHES][32];
    size_t end_len, n_branches, nonce1_len;
    uint32_t version;
};

/* Whose job is at the place of the same number; looked through without touching the jobs. */
struct owner {
    uint64_t key; /* of session and job; 0: none */
    uint64_t made;
};

struct lamp_proofs {
    size_t n;
    uint64_t made; /* so far */
    struct owner *owners;
    struct job jobs[];
};

size_t lamp_proofs_memory(size_t n)
{
    return sizeof(lamp_proofs) + n * (sizeof(struct job) + sizeof(struct owner));
}

int lamp_proofs_new(size_t n, lamp_proofs **out)
{
    lamp_proofs *p = lamp_pages_calloc(1, lamp_proofs_memory(n));
    if (!p)
        return LAMP_ENOMEM;
    p->n = n;
    p->owners = (struct owner *)(p->jobs + n);
    *out = p;
    return LAMP_OK;
}

lamp_proofs *lamp_proofs_free(lamp_proofs *p)
{
    free(p);
    return NULL;
}

/* ---- reading ---- */

static struct lamp_bytes text_at(const struct lamp_jsonline *line,
                                 const struct lamp_jsonvalue *params, size_t i)
{
    return lamp_jsonline_string(lamp_jsonline_item(line, params, i));
}

/* Hex of exactly n bytes. */
static bool read_exactly(struct lamp_bytes hex, uint8_t *out, size_t n)
{
    size_t len;
    return hex.len == 2 * n &&
           lamp_hex_decode((const char *)hex.data, hex.len, out, n, &len) == LAMP_OK;
}

/* Hex of up to size bytes. */
static bool read_some(struct lamp_bytes hex, uint8_t *out, size_t size, size_t *out_len)
{
    return lamp_hex_decode((const char *)hex.data, hex.len, out, size, out_len) == LAMP_OK;
}

/* Stratum writes numbers most significant byte first, headers have them the other way. */
static bool read_reversed(struct lamp_bytes hex, uint8_t *out)
{
    uint8_t b[4];
    if (!read_exactly(hex, b, sizeof(b)))
        return false;
    for (size_t i = 0; i < sizeof(b); i++)
        out[i] = b[3 - i];
    return true;
}

static void sha256d(uint8_t out[32], const uint8_t *data, size_t len)
{
    crypto_hash_sha256(out, data, len);
    crypto_hash_sha256(out, out, 32);
}

/* A little-endian number of 256 bits as a fraction of 2^256. */
static double fraction_of(const uint8_t hash[32])
{
    double v = 0;
    for (size_t i = 0; i < 32; i++)
        v = (v + hash[i]) / 256;
    return v;
}

static uint64_t key_of(const struct lamp_session *s, struct lamp_bytes job)
{
    const uint64_t parts[] = { lamp_session_hash(job), (uint64_t)(uintptr_t)s, s->conn.first_us };
    return lamp_session_hash((struct lamp_bytes){ (const uint8_t *)parts, sizeof(parts) });
}

/* The first of the WAYS places of a key, or of all where there are not so many. */
static size_t places_of(const lamp_proofs *p, uint64_t key, size_t *out_n)
{
    *out_n = lamp_min(p->n, (size_t)WAYS);
    return (size_t)(key % (p->n / *out_n)) * *out_n;
}

static const struct job *find_job(const struct lamp_session *s, struct lamp_bytes job)
{
    if (!s->proofs)
        return NULL;
    const uint64_t key = key_of(s, job);
    size_t n;
    const size_t first = places_of(s->proofs, key, &n);
    for (size_t i = first; i < first + n; i++)
        if (s->proofs->owners[i].key == key)
            return &s->proofs->jobs[i];
    return NULL;
}

/* A place for a job, if shares of the session will be checked; to be given to it by own_job() when it
 * is complete. */
static struct job *new_job(const struct lamp_session *s, struct lamp_bytes job)
{
    lamp_proofs *p = s->proofs;
    if (!p || s->values.n >= LAMP_PROOF_CHECKS)
        return NULL;
    const uint64_t key = key_of(s, job);
    size_t n;
    const size_t first = places_of(p, key, &n);
    size_t place = first; /* of the job itself, sent again, or else of the oldest one */
    for (size_t i = first; i < first + n && p->owners[place].key != key; i++)
        if (p->owners[i].key == key || p->owners[i].made < p->owners[place].made)
            place = i;
    p->owners[place] = (struct owner){ 0 };
    return &p->jobs[place];
}

static void own_job(const struct lamp_session *s, const struct job *j, struct lamp_bytes job)
{
    lamp_proofs *p = s->proofs;
    p->owners[j - p->jobs] = (struct owner){ key_of(s, job), ++p->made };
}

/* ---- what values tell ---- */

/* Hashes so small are no chance: that n numbers are all below x has a probability of x^n, of which this
 * is the negative logarithm to base 2 that is asked for. */
#define CHANCE_BITS 40

static void tell_proof(struct lamp_session *s, const struct lamp_hash_values *v)
{
    const struct lamp_reason reason = {
        .kind = "proof",
        .field = "hashes of the shares",
        .strength = v->failed == 0 ? "certain" : "speaks against",
        .refute = "a replay of somebody else's shares",
        .t_us = s->now_us,
        .dir = LAMP_UP,
    };
    if (v->failed > 0)
        lamp_reason_add(&s->conn, &reason, true,
                        "%u of %u shares checked do not meet their target: refused by the "
                        "pool, or made up",
                        v->failed, v->proven + v->failed);
    else if (v->proven > 0)
        lamp_reason_add(&s->conn, &reason, true,
                        "%s%u shares checked, the hash of each meets its target",
                        v->n == LAMP_PROOF_CHECKS ? "the first " : "", v->proven);
    else
        lamp_reason_add(&s->conn, &reason, true,
                        "the hashes of %s%u shares are all below 2^-%.0f of their range, though no "
                        "target was seen",
                        v->n == LAMP_PROOF_CHECKS ? "the first " : "", v->n, -log2(v->greatest));
}

/* value: hash / 2^256 of a share, hashes: what its target stands for (0: unknown). */
static void add_value(struct lamp_session *s, double value, double hashes)
{
    struct lamp_hash_values *v = &s->values;
    v->n++;
    if (value > v->greatest)
        v->greatest = value;
    if (hashes > 0 &&
        value * hashes <= 1 + 1e-4) /* the two customs for difficulty 1 differ by 2^-16 */
        v->proven++;
    else if (hashes > 0)
        v->failed++;
    if (v->proven + v->failed >= LAMP_PROOF_ENOUGH || lamp_proof_holds(v))
        tell_proof(s, v);
}

bool lamp_proof_holds(const struct lamp_hash_values *v)
{
    if (v->failed > 0 || v->n < LAMP_PROOF_ENOUGH || !(v->greatest > 0))
        return false;
    return v->proven >= LAMP_PROOF_ENOUGH || v->n * log2(v->greatest) <= -CHANCE_BITS;
}

double lamp_proof_hashes(const struct lamp_hash_values *v)
{
    if (v->n < 2 || !(v->greatest > 0) || v->greatest > 1.0 / 256)
        return 0;
    return v->n / (v->greatest * (v->n + 1));
}

static bool is_enough(const struct lamp_session *s)
{
    return s->values.n >= LAMP_PROOF_CHECKS;
}

void lamp_proof_cryptonote_share(struct lamp_session *s, struct lamp_bytes job,
                                 struct lamp_bytes result)
{
    uint8_t hash[32];
    if (is_enough(s) || !read_exactly(result, hash, sizeof(hash)))
        return;
    add_value(s, fraction_of(hash), lamp_session_weight_of(s, job).hashes);
}

/* ---- Bitcoin ---- */

void lamp_proof_extranonce(struct lamp_session *s, struct lamp_bytes hex)
{
    uint8_t b[sizeof(s->extranonce)];
    size_t len;
    if (!read_some(hex, b, sizeof(b), &len))
        return;
    memcpy(s->extranonce, b, len);
    s->extranonce_len = (uint8_t)len;
}

void lamp_proof_version_mask(struct lamp_session *s, struct lamp_bytes hex)
{
    uint8_t b[4];
    if (read_exactly(hex, b, sizeof(b)))
        s->version_mask = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* The coinbase transaction up to extranonce2. */
static bool begin_coinbase(const struct lamp_session *s, struct lamp_bytes hex, struct job *j)
{
    uint8_t begin[1024];
    size_t len;
    if (!read_some(hex, begin, sizeof(begin), &len))
        return false;
    crypto_hash_sha256_init(&j->coinbase);
    crypto_hash_sha256_update(&j->coinbase, begin, len);
    crypto_hash_sha256_update(&j->coinbase, s->extranonce, s->extranonce_len);
    return true;
}

static bool read_branches(const struct lamp_jsonline *line, const struct lamp_jsonvalue *list,
                          struct job *j)
{
    j->n_branches = lamp_jsonline_count(line, list);
    if (j->n_branches > BRANCHES)
        return false;
    for (size_t i = 0; i < j->n_branches; i++)
        if (!read_exactly(text_at(line, list, i), j->branches[i], 32))
            return false;
    return true;
}

void lamp_proof_bitcoin_job(struct lamp_session *s, const struct lamp_jsonline *line,
                            const struct lamp_jsonvalue *params)
{
    const struct lamp_jsonvalue *id = lamp_jsonline_item(line, params, 0);
    struct job *j = id ? new_job(s, id->text) : NULL;
    if (!j || s->extranonce_len == 0)
        return;
    uint8_t previous[32], version[4];
    if (!read_exactly(text_at(line, params, 1), previous, sizeof(previous)) ||
        !begin_coinbase(s, text_at(line, params, 2), j) ||
        !read_some(text_at(line, params, 3), j->end, sizeof(j->end), &j->end_len) ||
        !read_branches(line, lamp_jsonline_item(line, params, 4), j) ||
        !read_exactly(text_at(line, params, 5), version, sizeof(version)) ||
        !read_reversed(text_at(line, params, 6), j->header + 72))
        return;
    j->version = (uint32_t)version[0] << 24 | (uint32_t)version[1] << 16 |
                 (uint32_t)version[2] << 8 | version[3];
    for (size_t i = 0; i < sizeof(previous); i++) /* words of four bytes are turned round */
        j->header[4 + i] = previous[i / 4 * 4 + 3 - i % 4];
    own_job(s, j, id->text);
}

static void merkle_root(const struct job *j, const uint8_t *extranonce2, size_t len,
                        uint8_t root[32])
{
    uint8_t pair[64];
    crypto_hash_sha256_state coinbase = j->coinbase;
    crypto_hash_sha256_update(&coinbase, extranonce2, len);
    crypto_hash_sha256_update(&coinbase, j->end, j->end_len);
    crypto_hash_sha256_final(&coinbase, root);
    crypto_hash_sha256(root, root, 32);
    for (size_t i = 0; i < j->n_branches; i++) {
        memcpy(pair, root, 32);
        memcpy(pair + 32, j->branches[i], 32);
        sha256d(root, pair, sizeof(pair));
    }
}

/* The version with the bits that the miner chose; without a word of the pool those of BIP 320. */
static uint32_t version_of(const struct lamp_session *s, const struct job *j,
                           struct lamp_bytes bits)
{
    const uint32_t mask = s->version_mask ? s->version_mask : 0x1fffe000;
    uint8_t b[4];
    if (!read_exactly(bits, b, sizeof(b)))
        return j->version;
    const uint32_t chosen =
        (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    return (j->version & ~mask) | (chosen & mask);
}

void lamp_proof_bitcoin_share(struct lamp_session *s, const struct lamp_jsonline *line,
                              const struct lamp_jsonvalue *params)
{
    const struct lamp_jsonvalue *id = lamp_jsonline_item(line, params, 1);
    const struct job *j = id && !is_enough(s) ? find_job(s, id->text) : NULL;
    uint8_t extranonce2[16], header[BITCOIN_HEADER], hash[32];
    size_t len;
    if (!j || !read_some(text_at(line, params, 2), extranonce2, sizeof(extranonce2), &len))
        return;
    memcpy(header, j->header, sizeof(header));
    if (!read_reversed(text_at(line, params, 3), header + 68) ||
        !read_reversed(text_at(line, params, 4), header + 76))
        return;
    const uint32_t version = version_of(s, j, text_at(line, params, 5));
    for (size_t i = 0; i < 4; i++)
        header[i] = (uint8_t)(version >> 8 * i);
    merkle_root(j, extranonce2, len, header + BITCOIN_ROOT);
    sha256d(hash, header, sizeof(header));
    const double value = fraction_of(hash);
    const double hashes = lamp_session_weight_of(s, id->text).difficulty * 0x1p32;
    const bool meets = hashes >= 0x1p20 && value * hashes <= 1 + 1e-4;
    if (meets)
        s->algorithm_hint = "sha256d"; /* by chance once in a million */
    if (meets || (s->algorithm_hint && streq(s->algorithm_hint, "sha256d")))
        add_value(s, value, hashes);
}

/* ---- Zcash ---- */

void lamp_proof_zcash_job(struct lamp_session *s, const struct lamp_jsonline *line,
                          const struct lamp_jsonvalue *params)
{
    static const uint8_t lengths[] = { 4, 32, 32, 32, 4, 4 }; /* all as they stand in the header */
    const struct lamp_jsonvalue *id = lamp_jsonline_item(line, params, 0);
    struct job *j = id ? new_job(s, id->text) : NULL;
    if (!j || s->extranonce_len == 0 || s->extranonce_len > 32)
        return;
    size_t at = 0;
    for (size_t i = 0; i < ARRAY_LEN(lengths); at += lengths[i++])
        if (!read_exactly(text_at(line, params, i + 1), j->header + at, lengths[i]))
            return;
    memcpy(j->header + ZCASH_NONCE, s->extranonce, s->extranonce_len);
    j->nonce1_len = s->extranonce_len;
    own_job(s, j, id->text);
}

void lamp_proof_zcash_share(struct lamp_session *s, const struct lamp_jsonline *line,
                            const struct lamp_jsonvalue *params)
{
    const struct lamp_jsonvalue *id = lamp_jsonline_item(line, params, 1);
    const struct job *j = id && !is_enough(s) ? find_job(s, id->text) : NULL;
    uint8_t block[ZCASH_HEADER + SOLUTION], hash[32];
    size_t len;
    if (!j)
        return;
    memcpy(block, j->header, ZCASH_HEADER);
    if (!read_exactly(text_at(line, params, 2), block + 100, 4) ||
        !read_exactly(text_at(line, params, 3), block + ZCASH_NONCE + j->nonce1_len,
                      32 - j->nonce1_len) ||
        !read_some(text_at(line, params, 4), block + ZCASH_HEADER, SOLUTION, &len))
        return;
    sha256d(hash, block, ZCASH_HEADER + len);
    add_value(s, fraction_of(hash), lamp_session_weight_of(s, id->text).hashes);
}

/* ---- lines ---- */

static void pool_line(struct lamp_session *s, const struct lamp_jsonline *line)
{
    const struct lamp_bytes method = lamp_jsonline_string(lamp_jsonline_top(line, "method"));
    const struct lamp_jsonvalue *params = lamp_jsonline_top(line, "params");
    const struct lamp_jsonvalue *result = lamp_jsonline_top(line, "result");
    const struct lamp_jsonvalue *fifth = lamp_jsonline_item(line, params, 4);
    if (lamp_bytes_eq(method, "mining.notify") && fifth && fifth->type == LAMP_JSON_ARRAY)
        lamp_proof_bitcoin_job(s, line, params);
    else if (lamp_bytes_eq(method, "mining.notify") && text_at(line, params, 1).len == 8)
        lamp_proof_zcash_job(s, line, params);
    else if (lamp_bytes_eq(method, "mining.set_extranonce"))
        lamp_proof_extranonce(s, text_at(line, params, 0));
    else if (lamp_bytes_eq(method, "mining.set_version_mask"))
        lamp_proof_version_mask(s, text_at(line, params, 0));
    else if (lamp_jsonline_member(line, result, "version-rolling.mask"))
        lamp_proof_version_mask(
            s, lamp_jsonline_string(lamp_jsonline_member(line, result, "version-rolling.mask")));
    else if (method.len == 0 && s->extranonce_len == 0) /* of a subscription: [.., extranonce1] */
        lamp_proof_extranonce(s, text_at(line, result, 1));
}

void lamp_proof_line(struct lamp_session *s, const struct lamp_jsonline *line, bool from_miner,
                     bool is_share)
{
    if (!s->proofs || is_enough(s))
        return;
    const struct lamp_jsonvalue *params = lamp_jsonline_top(line, "params");
    if (!from_miner)
        pool_line(s, line);
    else if (is_share && text_at(line, params, 4).len == 8)
        lamp_proof_bitcoin_share(s, line, params);
    else if (is_share && text_at(line, params, 4).len > 8)
        lamp_proof_zcash_share(s, line, params);
}
