/* SPDX-License-Identifier: Apache-2.0 */
/* Shares against their jobs. The headers were made, and their hashes found, by another program. */
#include "sensor/recog/proof.h"
#include "tests/support/test.h"

#include <math.h>

static const struct lamp_jsonline *line(const char *text)
{
    static struct lamp_jsonline l;
    if (lamp_jsonline_parse(lamp_bytes_of(text), &l) != LAMP_OK)
        fail_msg("%s", text);
    return &l;
}

static lamp_proofs *begin(struct lamp_session *s, const char *extranonce)
{
    lamp_proofs *p;
    assert_int_equal(lamp_proofs_new(4, &p), LAMP_OK);
    *s = (struct lamp_session){ .proofs = p };
    lamp_proof_extranonce(s, lamp_bytes_of(extranonce));
    return p;
}

typedef void take(struct lamp_session *, const struct lamp_jsonline *,
                  const struct lamp_jsonvalue *);

static void tell(struct lamp_session *s, take *fn, const char *text)
{
    const struct lamp_jsonline *l = line(text);
    fn(s, l, lamp_jsonline_top(l, "p"));
}

/* Bitcoin's first block as a share: its coinbase cut into four. */
#define GENESIS_JOB                                                                                \
    "{\"p\":[\"j\",\"0000000000000000000000000000000000000000000000000000000000000000\","          \
    "\"010000000100000000000000000000000000000000000000000000000000000000000000"                   \
    "00ffffffff4d04ffff001d010445\","                                                              \
    "\"732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66207365636f6e642062" \
    "61696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe5548271967f1a67130" \
    "b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b" \
    "6bf11d5fac00000000\",[],\"00000001\",\"1d00ffff\",\"495fab29\",true]}"

static void test_genesis(void **state)
{
    (void)state;
    static const struct {
        const char *share;
        double difficulty;
        unsigned proven, failed;
    } cases[] = {
        { "{\"p\":[\"u\",\"j\",\"54696d65\",\"495fab29\",\"7c2bac1d\"]}", 1, 1, 0 },
        { "{\"p\":[\"u\",\"j\",\"54696d65\",\"495fab29\",\"7c2bac1d\"]}", 2000, 1, 0 },
        { "{\"p\":[\"u\",\"j\",\"54696d65\",\"495fab29\",\"7c2bac1d\"]}", 3000, 0, 1 },
        { "{\"p\":[\"u\",\"j\",\"54696d65\",\"495fab29\",\"7c2bac1e\"]}", 1, 0, 1 },
        { "{\"p\":[\"u\",\"j\",\"54696d66\",\"495fab29\",\"7c2bac1d\"]}", 1, 0, 1 },
        { "{\"p\":[\"u\",\"other\",\"54696d65\",\"495fab29\",\"7c2bac1d\"]}", 1, 0, 0 },
        { "{\"p\":[\"u\",\"j\",\"no hex\",\"495fab29\",\"7c2bac1d\"]}", 1, 0, 0 },
        { "{\"p\":[\"u\",\"j\"]}", 1, 0, 0 },
        { "{\"p\":[]}", 1, 0, 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct lamp_session s;
        lamp_proofs *p = begin(&s, "54686520");
        s.algorithm_hint = "sha256d";
        s.current.difficulty = cases[i].difficulty;
        tell(&s, lamp_proof_bitcoin_job, GENESIS_JOB);
        tell(&s, lamp_proof_bitcoin_share, cases[i].share);
        if (s.values.proven != cases[i].proven || s.values.failed != cases[i].failed)
            fail_msg("case %zu: %u proven, %u failed", i, s.values.proven, s.values.failed);
        lamp_proofs_free(p);
    }
}

/* A merkle branch, and bits of the version chosen by the miner; the algorithm follows from it. */
static void test_branches_and_version(void **state)
{
    (void)state;
    struct lamp_session s;
    lamp_proofs *p = begin(&s, "0a0b0c");
    s.current.difficulty = 0x1p-12;
    lamp_proof_version_mask(&s, lamp_bytes_of("1fffe000"));
    tell(&s, lamp_proof_bitcoin_job,
         "{\"p\":[\"j\",\"3563a06d01aade2858b0e744750b5f3145b9c03ebf723a1681d1a0960ddef980\","
         "\"636f696e626173652d6f6e652d\",\"2d636f696e626173652d74776f\","
         "[\"28119e3f33aa8c203c31ef210ad9bb91414a3607342db65be11280ecee354c8a\","
         "\"7e1a296cb67a59b943806bead5c4fb04b6f83a537b55adfe9ef12a480b95071f\","
         "\"f131de1e86cec1ff92550cd9a248a376044129165f66c82fb80606a77eefbffc\"],"
         "\"20000000\",\"1903a30c\",\"66000000\",true]}");
    tell(&s, lamp_proof_bitcoin_share,
         "{\"p\":[\"u\",\"j\",\"01020304\",\"66000000\",\"000716ff\",\"0aaae000\"]}");
    assert_int_equal(s.values.proven, 1);
    assert_string_equal(s.algorithm_hint, "sha256d");
    tell(&s, lamp_proof_bitcoin_share,
         "{\"p\":[\"u\",\"j\",\"01020304\",\"66000000\",\"000716ff\",\"0aaac000\"]}");
    assert_int_equal(s.values.failed, 1);
    lamp_proofs_free(p);
}

/* Without a proof nothing is held against a share whose algorithm is not known to be sha256d. */
static void test_other_algorithm(void **state)
{
    (void)state;
    struct lamp_session s;
    lamp_proofs *p = begin(&s, "54686520");
    s.current.difficulty = 1;
    tell(&s, lamp_proof_bitcoin_job, GENESIS_JOB);
    tell(&s, lamp_proof_bitcoin_share,
         "{\"p\":[\"u\",\"j\",\"54696d65\",\"495fab29\",\"00000001\"]}");
    assert_int_equal(s.values.n, 0);
    assert_null(s.algorithm_hint);
    lamp_proofs_free(p);
}

static void test_zcash(void **state)
{
    (void)state;
    struct lamp_session s;
    char share[4096];
    lamp_proofs *p = begin(&s, "a1a2a3a4");
    s.current.hashes = 4096;
    tell(&s, lamp_proof_zcash_job,
         "{\"p\":[\"j\",\"04000000\","
         "\"6da0633528deaa0144e7b058315f0b753ec0b945163a72bf96a0d18180f9de0d\","
         "\"62c66a7a5dd70c3146618063c344e531e6d4b59e379808443ce962b3abd63c5a\","
         "\"0000000000000000000000000000000000000000000000000000000000000000\","
         "\"11223344\",\"1f07ffff\",true]}");
    for (unsigned nonce = 0xd4; nonce < 0xd6; nonce++) {
        int n = snprintf(share, sizeof(share),
                         "{\"p\":[\"u\",\"j\",\"11223344\",\"%02x10"
                         "0000000000000000000000000000000000000000000000000000\",\"fd4005",
                         nonce);
        for (unsigned i = 0; i < 1344; i++)
            n += snprintf(share + n, sizeof(share) - (size_t)n, "%02x", i * 7 % 256);
        snprintf(share + n, sizeof(share) - (size_t)n, "\"]}");
        tell(&s, lamp_proof_zcash_share, share);
    }
    assert_int_equal(s.values.proven, 1);
    assert_int_equal(s.values.failed, 1);
    lamp_proofs_free(p);
}

/* The vectors of Monero's compact targets, and what the hashes alone tell. */
static void test_cryptonote(void **state)
{
    (void)state;
    struct lamp_session s = { .current = { .hashes = 10000 } };
    char result[65];
    uint64_t seed = 1;
    for (unsigned i = 0; i < LAMP_PROOF_CHECKS + 4; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        const uint64_t v = (uint64_t)((double)(seed >> 11) / 0x1p53 * (0x1p64 / 10000));
        memset(result, '0', 48);
        for (size_t k = 0; k < 8; k++)
            snprintf(result + 48 + 2 * k, 3, "%02x", (unsigned)(v >> 8 * k & 255));
        lamp_proof_cryptonote_share(&s, lamp_bytes_of("j"), lamp_bytes_of(result));
    }
    assert_int_equal(s.values.n, LAMP_PROOF_CHECKS);
    assert_int_equal(s.values.proven, LAMP_PROOF_CHECKS);
    assert_int_equal(s.conn.n_evidence, 1);
    assert_non_null(strstr(s.conn.evidence[0].detail, "first 16 shares checked"));
    assert_true(lamp_proof_holds(&s.values));
    /* 16 values: the greatest lies within a fifth of the target in 97 of 100 cases */
    assert_true(fabs(lamp_proof_hashes(&s.values) / 10000 - 1) < 0.2);

    memset(result, 'f', 64);
    struct lamp_session liar = { .current = { .hashes = 10000 } };
    for (unsigned i = 0; i < 3; i++)
        lamp_proof_cryptonote_share(&liar, lamp_bytes_of("j"), lamp_bytes_of(result));
    assert_int_equal(liar.values.failed, 3);
    assert_true(lamp_proof_hashes(&liar.values) == 0);
    assert_false(lamp_proof_holds(&liar.values));
    assert_non_null(strstr(liar.conn.evidence[0].detail, "3 of 3 shares checked do not meet"));
}

/* When hashes are proof: by their targets, or because no chance makes so many so small. */
static void test_what_holds(void **state)
{
    (void)state;
    static const struct {
        struct lamp_hash_values v;
        bool holds;
    } cases[] = {
        { { 2, 2, 0, 1e-9 }, false },    { { 3, 3, 0, 0.5 }, true },
        { { 4, 3, 1, 1e-9 }, false },    { { 3, 0, 0, 0x1p-14 }, true },
        { { 3, 0, 0, 0x1p-13 }, false }, { { 16, 0, 0, 0x1p-3 }, true },
        { { 16, 0, 0, 0.5 }, false },    { { 3, 0, 0, 0 }, false },
        { { 2, 0, 0, 1e-30 }, false },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (lamp_proof_holds(&cases[i].v) != cases[i].holds)
            fail_msg("case %zu", i);
}

/* More jobs than places: the oldest is forgotten, and its shares are not checked. */
static void test_ring_is_bounded(void **state)
{
    (void)state;
    struct lamp_session s;
    char job[1024];
    lamp_proofs *p = begin(&s, "54686520");
    s.algorithm_hint = "sha256d";
    s.current.difficulty = 1;
    tell(&s, lamp_proof_bitcoin_job, GENESIS_JOB);
    for (int i = 0; i < 4; i++) {
        snprintf(job, sizeof(job), "%s", GENESIS_JOB);
        job[7] = (char)('0' + i);
        tell(&s, lamp_proof_bitcoin_job, job);
    }
    tell(&s, lamp_proof_bitcoin_share,
         "{\"p\":[\"u\",\"j\",\"54696d65\",\"495fab29\",\"7c2bac1d\"]}");
    assert_int_equal(s.values.n, 0);
    tell(&s, lamp_proof_bitcoin_share,
         "{\"p\":[\"u\",\"3\",\"54696d65\",\"495fab29\",\"7c2bac1d\"]}");
    assert_int_equal(s.values.proven, 1);
    lamp_proofs_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_genesis),         cmocka_unit_test(test_branches_and_version),
        cmocka_unit_test(test_other_algorithm), cmocka_unit_test(test_zcash),
        cmocka_unit_test(test_cryptonote),      cmocka_unit_test(test_ring_is_bounded),
        cmocka_unit_test(test_what_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
