/* SPDX-License-Identifier: Apache-2.0 */
#include "common/address.h"
#include "common/address_codec.h"
#include "common/walletname.h"
#include "tests/support/test.h"

/* Examples of the specifications (Bitcoin wiki, BIP 173, BIP 350, Bitcoin Cash, EIP-55, Monero, Ergo,
 * Kaspa), and some with one character changed. */
static void test_checks(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum lamp_address_check want;
        const char *scheme;
    } cases[] = {
        { "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", LAMP_ADDRESS_RIGHT, "base58check" },
        { "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", LAMP_ADDRESS_WRONG, "base58check" },
        { "3P14159f73E4gFr7JterCCQh9QjiTjiZrG", LAMP_ADDRESS_RIGHT, "base58check" },
        { "t1T2NLMNQLziNq4Ddp73R2NsnSnEe1j5Xio", LAMP_ADDRESS_RIGHT, "base58check" },
        { "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", LAMP_ADDRESS_RIGHT, "bech32" },
        { "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", LAMP_ADDRESS_WRONG, "bech32" },
        /* all capitals are as good, both are not */
        { "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", LAMP_ADDRESS_RIGHT, "bech32" },
        { "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T5", LAMP_ADDRESS_WRONG, "bech32" },
        { "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7KV8F3T4", LAMP_ADDRESS_NONE, NULL },
        { "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0", LAMP_ADDRESS_RIGHT,
          "bech32m" },
        /* BIP 350: version 0 with the newer checksum, version 1 with the older */
        { "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh", LAMP_ADDRESS_WRONG, "bech32m" },
        { "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd", LAMP_ADDRESS_WRONG,
          "bech32" },
        { "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4", LAMP_ADDRESS_NONE,
          NULL },
        { "bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a", LAMP_ADDRESS_RIGHT,
          "cashaddr" },
        { "qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a", LAMP_ADDRESS_RIGHT, "cashaddr" },
        { "QPM2QSZNHKS23Z7629MMS6S4CWEF74VCWVY22GDX6A", LAMP_ADDRESS_RIGHT, "cashaddr" },
        { "ecash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a", LAMP_ADDRESS_WRONG, "cashaddr" },
        { "kaspa:qqkqkzjvr7zwxxmjxjkmxxdwju9kjs6e9u82uh59z07vgaks6gg62v8707g73", LAMP_ADDRESS_RIGHT,
          "cashaddr" },
        { "kaspa:qqkqkzjvr7zwxxmjxjkmxxdwju9kjs6e9u82uh59z07vgaks6gg62v8707g74", LAMP_ADDRESS_WRONG,
          "cashaddr" },
        { "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", LAMP_ADDRESS_RIGHT, "eip-55" },
        { "0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed", LAMP_ADDRESS_WRONG, "eip-55" },
        { "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", LAMP_ADDRESS_NONE, NULL },
        { "44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RV"
          "GQBEP3A",
          LAMP_ADDRESS_RIGHT, "cryptonote" },
        { "44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RV"
          "GQBEP3B",
          LAMP_ADDRESS_WRONG, "cryptonote" },
        { "9fRAWhdxEsTcdb8PhGNrZfwqa65zfkuYHAMmkQLcic1gdLSV5vA", LAMP_ADDRESS_RIGHT, "ergo" },
        { "9fRAWhdxEsTcdb8PhGNrZfwqa65zfkuYHAMmkQLcic1gdLSV5vB", LAMP_ADDRESS_WRONG, "ergo" },
        { "me@example.org", LAMP_ADDRESS_NONE, NULL },
        { "", LAMP_ADDRESS_NONE, NULL },
        { "an.account.that.is.long.enough.to.be.looked.at", LAMP_ADDRESS_NONE, NULL },
        { "1111111111111111111111111", LAMP_ADDRESS_WRONG, "base58check" }, /* 25 zero bytes */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct lamp_address a = lamp_address_check(lamp_bytes_of(cases[i].text));
        if (a.check != cases[i].want || (a.scheme == NULL) != (cases[i].scheme == NULL) ||
            (a.scheme && !streq(a.scheme, cases[i].scheme)))
            fail_msg("%s: check %d by %s", cases[i].text, a.check, a.scheme ? a.scheme : "none");
    }
}

/* The prefix that was left out is found by the checksum. */
static void test_prefix_is_found(void **state)
{
    (void)state;
    struct lamp_address a =
        lamp_address_check(lamp_bytes_of("qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a"));
    assert_string_equal(a.text, "bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a");
    a = lamp_address_check(lamp_bytes_of("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4"));
    assert_string_equal(a.text, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4");
    a = lamp_address_check(lamp_bytes_of("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"));
    assert_string_equal(a.text, "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa");
    char text[64];
    assert_string_equal(lamp_address_check_text(&a, text, sizeof(text)),
                        "checksum right (base58check)");
}

/* One wallet has one name however it is written, and only where that is sure. */
static void test_wallet_names(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        { "bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a",
          "qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a", true },
        { "BITCOINCASH:QPM2QSZNHKS23Z7629MMS6S4CWEF74VCWVY22GDX6A",
          "qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a", true },
        { "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
          "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", true },
        { "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
          "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", true },
        { "0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED",
          "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", true },
        { "0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed", /* mistyped */
          "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", false },
        { "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaee",
          "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", false },
        { "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", /* mistyped */
          "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T5", false },
        { "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "1a1zp1ep5qgefi2dmptftl5slmv7divfna", false },
        { "Rig", "rig", false },
        { "rig", "rig", true },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char a[LAMP_WALLET_NAME], b[LAMP_WALLET_NAME];
        if (streq(lamp_wallet_name(cases[i].a, a), lamp_wallet_name(cases[i].b, b)) !=
            cases[i].same)
            fail_msg("%s, %s: %s, %s", cases[i].a, cases[i].b, a, b);
    }
    /* docs/WIRE.md: BLAKE2b-256, by another implementation */
    char name[LAMP_WALLET_NAME];
    assert_string_equal(lamp_wallet_name("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", name),
                        "928edb72a3237598fe1e4e69c3ba74b2.wallet.invalid");
    assert_string_equal(lamp_wallet_name("qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a", name),
                        "c45dc777aa61ccf78a7bca38f69379ff.wallet.invalid");
}

/* Any change of one character of a right address is noticed (bech32 and cashaddr promise that, of the
 * hashed ones one in four thousand million gets through), and no length makes trouble. */
static void test_changes_are_noticed(void **state)
{
    (void)state;
    static const char *const right[] = {
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "kaspa:qqkqkzjvr7zwxxmjxjkmxxdwju9kjs6e9u82uh59z07vgaks6gg62v8707g73",
        ("44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVG"
         "Q"
         "BEP3A"),
    };
    for (size_t i = 0; i < ARRAY_LEN(right); i++) {
        char text[128];
        const size_t n = strlen(right[i]);
        for (size_t at = 0; at < n; at++) {
            memcpy(text, right[i], n + 1);
            text[at] = text[at] == '7' ? '8' : '7';
            assert_int_not_equal(
                lamp_address_check((struct lamp_bytes){ (uint8_t *)text, n }).check,
                LAMP_ADDRESS_RIGHT);
            assert_int_not_equal(
                lamp_address_check((struct lamp_bytes){ (const uint8_t *)right[i], at }).check,
                LAMP_ADDRESS_RIGHT);
        }
    }
    char longest[400];
    memset(longest, 'z', sizeof(longest));
    for (size_t n = 0; n < sizeof(longest); n++)
        assert_int_not_equal(lamp_address_check((struct lamp_bytes){ (uint8_t *)longest, n }).check,
                             LAMP_ADDRESS_RIGHT);
}

static void test_keccak(void **state)
{
    (void)state;
    /* Ethereum's well-known hash of nothing; the other two by another implementation */
    static const struct {
        size_t n; /* of bytes 'a' */
        uint8_t first[4];
    } cases[] = { { 0, { 0xc5, 0xd2, 0x46, 0x01 } },
                  { 135, { 0x34, 0x36, 0x7d, 0xc2 } },
                  { 136, { 0xa6, 0xc4, 0xd4, 0x03 } } };
    uint8_t data[256], hash[32];
    memset(data, 'a', sizeof(data));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        lamp_keccak256((struct lamp_bytes){ data, cases[i].n }, hash);
        if (memcmp(hash, cases[i].first, 4) != 0)
            fail_msg("%zu bytes: %02x%02x%02x%02x", cases[i].n, hash[0], hash[1], hash[2], hash[3]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checks),       cmocka_unit_test(test_prefix_is_found),
        cmocka_unit_test(test_wallet_names), cmocka_unit_test(test_changes_are_noticed),
        cmocka_unit_test(test_keccak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
