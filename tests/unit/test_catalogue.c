/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test.h"

#include "common/catalogue.h"

#define COINS "symbol,name,algorithm,protocol,address_regex,status,n_pool_domains\n"
#define ALGORITHMS "name,aliases,unit,hashes_per_diff1\n"
#define POOLS "pool,fqdn,port,coin,algorithm,status,protocol,tls,kind,source\n"

static void put(const char *folder, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int load(const char *coins, const char *algorithms, const char *pools, char *why,
                size_t size, lamp_catalogue **out)
{
    static const char *const names[] = { "coins.csv", "algorithms.csv", "pools.csv" };
    const char *texts[] = { coins, algorithms, pools };
    char folder[] = "/tmp/lamp-catalogue-XXXXXX", path[256];
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < 3; i++)
        put(folder, names[i], texts[i]);
    const int err = lamp_catalogue_load(folder, out, why, size);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(folder), 0);
    return err;
}

static void test_errors_say_where(void **state)
{
    (void)state;
    static const struct {
        const char *coins, *algorithms, *pools, *want;
    } cases[] = {
        { "", ALGORITHMS, POOLS, "coins.csv:1: the file is empty" },
        { "symbol\nX\n", ALGORITHMS, POOLS, "coins.csv:1: no column named name" },
        { COINS "X,Y\n", ALGORITHMS, POOLS, "coins.csv:2: number of columns" },
        { COINS "X,Y,a,b,[,active,1\n", ALGORITHMS, POOLS, "coins.csv:2: address_regex" },
        { COINS ",Y,a,b,,active,1\n", ALGORITHMS, POOLS, "coins.csv:2: a coin needs" },
        { COINS "X,Y,a,b,,active,many\n", ALGORITHMS, POOLS, "coins.csv:2: n_pool_domains" },
        { COINS "X,\"a\nb\",a,b,,,\nY,\"open", ALGORITHMS, POOLS, "coins.csv:4: quote is never" },
        { COINS "X,\"a\"b,a,b,,,\n", ALGORITHMS, POOLS, "coins.csv:2: text after a closing" },
        { COINS "X,a\"b,a,b,,,\n", ALGORITHMS, POOLS, "coins.csv:2: quote inside" },
        { COINS, ALGORITHMS "a,,H/s,1\nb,,H/s,lots\n", POOLS, "algorithms.csv:3: hashes_per" },
        { COINS, ALGORITHMS, POOLS "p,host,70000,,,,,,,\n", "pools.csv:2: port" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        lamp_catalogue *c = NULL;
        char why[256] = "";
        const int err =
            load(cases[i].coins, cases[i].algorithms, cases[i].pools, why, sizeof(why), &c);
        if (err != LAMP_EFORMAT || !strstr(why, cases[i].want))
            fail_msg("case %zu: %s", i, why);
        assert_null(c);
    }
    lamp_catalogue *c = NULL;
    char why[256];
    assert_int_equal(lamp_catalogue_load("/nonexistent", &c, why, sizeof(why)), LAMP_ENOENT);
    assert_non_null(strstr(why, "/nonexistent/coins.csv"));
}

static void test_quoting(void **state)
{
    (void)state;
    lamp_catalogue *c = NULL;
    char why[256];
    assert_int_equal(load(COINS "X,\"Say \"\"X\"\", please\",alg,f,\"^x{2,3}$\",active,1\r\n",
                          ALGORITHMS "alg,\"one|Two\",Sol/s,65536", POOLS, why, sizeof(why), &c),
                     LAMP_OK);
    assert_string_equal(lamp_catalogue_coin(c, "x")->name, "Say \"X\", please");
    assert_string_equal(lamp_catalogue_algorithm(c, "TWO")->unit, "Sol/s");
    assert_null(lamp_catalogue_algorithm(c, "on"));
    assert_null(lamp_catalogue_algorithm(c, ""));
    assert_non_null(lamp_catalogue_wallet(c, lamp_bytes_of("xxx"), "f", NULL).coin);
    assert_null(lamp_catalogue_wallet(c, lamp_bytes_of("xxx"), "g", NULL).coin);
    assert_null(lamp_catalogue_wallet(c, lamp_bytes_of("x"), NULL, NULL).coin);
    lamp_catalogue_free(c);
}

static void test_pool_lookup(void **state)
{
    (void)state;
    lamp_catalogue *c = NULL;
    char why[256];
    assert_int_equal(load(COINS, ALGORITHMS,
                          POOLS "Any,b.example,,,,,,,,\n"
                                "One,a.example,3333,X,alg,active,cryptonote,yes,pool-endpoint,us\n"
                                "Two,a.example,4444,,,legacy,,,,\nNameless,,1,,,,,,,\n"
                                "Three,c.example,1,,,dead,,,,\n",
                          why, sizeof(why), &c),
                     LAMP_OK);
    const struct lamp_pool *p = lamp_catalogue_pool(c, lamp_bytes_of("A.example"), 3333);
    assert_string_equal(p->pool, "One");
    assert_string_equal(p->protocol, "cryptonote");
    assert_string_equal(p->tls, "yes");
    assert_string_equal(p->kind, "pool-endpoint");
    assert_string_equal(p->source, "us");
    assert_string_equal(p->coin, "X");
    assert_false(p->legacy);
    assert_true(lamp_catalogue_pool(c, lamp_bytes_of("a.example"), 4444)->legacy);
    assert_true(lamp_catalogue_pool(c, lamp_bytes_of("c.example"), 1)->legacy);
    assert_null(lamp_catalogue_pool(c, lamp_bytes_of("a.example"), 1));
    assert_string_equal(lamp_catalogue_pool(c, lamp_bytes_of("b.example"), 1)->pool, "Any");
    assert_null(lamp_catalogue_pool(c, lamp_bytes_of(""), 1));
    assert_string_equal(lamp_catalogue_host(c, lamp_bytes_of("A.Example"))->pool, "One");
    assert_string_equal(lamp_catalogue_host(c, lamp_bytes_of("b.example"))->pool, "Any");
    assert_null(lamp_catalogue_host(c, lamp_bytes_of("a.exampl")));
    assert_null(lamp_catalogue_host(c, lamp_bytes_of("a.example.")));
    assert_null(lamp_catalogue_host(c, (struct lamp_bytes){ (const uint8_t *)"a.example\0x", 11 }));
    assert_null(lamp_catalogue_host(c, lamp_bytes_of("")));
    lamp_catalogue_free(c);
}

/* The files we ship. */
static void test_shipped(void **state)
{
    (void)state;
    static const struct {
        const char *wallet, *family, *coin, *algorithm;
    } cases[] = {
        { "48edfHu7V9Z84YzzMa6fUueoELZ9ZRXq9VetWzYGzKt52XU5xvqgzYnDK9URnRoJMk1j8nLwEVsaSWJ4fhdUy"
          "ZijBGUicoD",
          "cryptonote", "XMR", NULL },
        { "bc1qz5hd7wctdsm803nc8sq0vf2gmgsvzuw0uxgv8e", NULL, "BTC", "sha256d" },
        { "t1DavyLampSampLe2QTBAH5NLufe1fknN5L", NULL, "ZEC", NULL },
        { "0x8b0e7153bf7c3706d85c524e440066559a6656c9", "eth-proxy", "ETC", NULL },
        { "account", NULL, NULL, NULL },
    };
    lamp_catalogue *c;
    char why[256];
    if (lamp_catalogue_load(LAMP_DATA, &c, why, sizeof(why)) != LAMP_OK)
        fail_msg("%s", why);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct lamp_bytes w = lamp_bytes_of(cases[i].wallet);
        const struct lamp_wallet_match fits = lamp_catalogue_wallet(c, w, cases[i].family, NULL);
        const struct lamp_coin *coin = fits.coin;
        if (!coin != !cases[i].coin || (coin && !streq(coin->symbol, cases[i].coin)))
            fail_msg("%s: %s", cases[i].wallet, coin ? coin->symbol : "none");
        if (cases[i].algorithm)
            assert_string_equal(fits.algorithm->name, cases[i].algorithm);
    }
    assert_string_equal(lamp_catalogue_algorithm(c, "rx/0")->name, "randomx");
    assert_true(lamp_catalogue_algorithm(c, "sha256d")->hashes_per_diff1 == 4294967296.0);
    assert_true(lamp_catalogue_algorithm(c, "scrypt")->hashes_per_diff1 == 65536);
    const struct lamp_pool *p = lamp_catalogue_host(c, lamp_bytes_of("pool.supportxmr.com"));
    assert_non_null(p);
    assert_string_equal(p->fqdn, "pool.supportxmr.com");
    lamp_catalogue_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors_say_where),
        cmocka_unit_test(test_quoting),
        cmocka_unit_test(test_pool_lookup),
        cmocka_unit_test(test_shipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
