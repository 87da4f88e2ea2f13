/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/link/keychain.h"

#include "common/io.h"
#include "tests/support/aggregator.h"

#include <sodium.h>
#include <zmq.h>

struct fixture {
    char *folder, path[128];
    struct lamp_key base;
    char server[41];
    uint8_t list_public[32], list_private[64];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char secret[41];
    assert_non_null(f);
    assert_true(sodium_init() >= 0);
    f->folder = new_folder();
    snprintf(f->path, sizeof(f->path), "%s/keys", f->folder);
    assert_int_equal(zmq_curve_keypair(f->base.public_z85, f->base.secret_z85), 0);
    assert_int_equal(zmq_curve_keypair(f->server, secret), 0);
    crypto_sign_keypair(f->list_public, f->list_private);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    remove_folder(f->folder);
    free(f->folder);
    free(f);
    return 0;
}

static struct lamp_keychain load(struct fixture *f)
{
    struct lamp_keychain k;
    assert_int_equal(lamp_keychain_load(f->path, &f->base, f->server, &k), LAMP_OK);
    return k;
}

static struct lamp_server_key announcement(struct fixture *f, uint64_t serial, uint8_t byte)
{
    struct lamp_server_key s = { .serial = serial };
    uint8_t text[LAMP_SERVER_KEY_SIGNED];
    memset(s.public_key, byte, sizeof(s.public_key));
    lamp_server_key_signed(&s, text);
    crypto_sign_detached(s.signature, NULL, text, sizeof(text), f->list_private);
    return s;
}

/* What is saved comes back, and others cannot read it. */
static void test_file(void **state)
{
    struct fixture *f = *state;
    struct lamp_keychain k = load(f), back;
    struct stat st;
    assert_string_equal(k.own.public_z85, f->base.public_z85);
    assert_string_equal(k.server, f->server);
    assert_int_equal(lamp_keychain_make_next(&k), LAMP_OK);
    const struct lamp_key next = k.other;
    assert_int_equal(lamp_keychain_make_next(&k), LAMP_OK); /* one is waiting: the same */
    assert_string_equal(k.other.public_z85, next.public_z85);
    const struct lamp_server_key s = announcement(f, 7, 1);
    assert_int_equal(lamp_keychain_announced(&k, &s, f->list_public), LAMP_OK);
    memset(k.list_key, 9, sizeof(k.list_key));
    snprintf(k.site, sizeof(k.site), "north");
    snprintf(k.name, sizeof(k.name), "router-1");
    assert_int_equal(lamp_keychain_save(f->path, &k), LAMP_OK);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    back = load(f);
    assert_memory_equal(&back, &k, sizeof(k));

    /* A former pair comes back as such. */
    assert_true(lamp_keychain_proven(&k, true, true));
    assert_string_equal(k.own.public_z85, next.public_z85);
    assert_string_equal(k.other.public_z85, f->base.public_z85);
    assert_false(k.is_next);
    assert_string_equal(k.next_server, "");
    assert_false(lamp_keychain_proven(&k, false, false));
    assert_int_equal(lamp_keychain_save(f->path, &k), LAMP_OK);
    back = load(f);
    assert_memory_equal(&back, &k, sizeof(k));
}

/* What the operator changed counts more than what the file has. */
static void test_operator(void **state)
{
    struct fixture *f = *state;
    struct lamp_keychain k = load(f);
    const struct lamp_server_key s = announcement(f, 7, 1);
    assert_int_equal(lamp_keychain_make_next(&k), LAMP_OK);
    assert_int_equal(lamp_keychain_announced(&k, &s, f->list_public), LAMP_OK);
    snprintf(k.site, sizeof(k.site), "north");
    assert_int_equal(lamp_keychain_save(f->path, &k), LAMP_OK);

    struct lamp_key another;
    char secret[41], server[41];
    assert_int_equal(zmq_curve_keypair(another.public_z85, another.secret_z85), 0);
    assert_int_equal(lamp_keychain_load(f->path, &another, f->server, &k), LAMP_OK);
    assert_string_equal(k.own.public_z85, another.public_z85);
    assert_string_equal(k.other.public_z85, "");
    assert_int_equal(k.server_serial, 7);

    assert_int_equal(zmq_curve_keypair(server, secret), 0);
    assert_int_equal(lamp_keychain_load(f->path, &f->base, server, &k), LAMP_OK);
    assert_string_equal(k.server, server);
    assert_string_equal(k.next_server, "");
    assert_int_equal(k.server_serial, 0);
    assert_string_equal(k.site, "");
    assert_string_not_equal(k.other.public_z85, ""); /* our own pairs stay */
}

/* Only what the list key signed, and only what is newer, is believed. */
static void test_announcements(void **state)
{
    struct fixture *f = *state;
    struct lamp_keychain k = load(f), before;
    struct lamp_server_key s = announcement(f, 7, 1);
    before = k;
    s.public_key[3] ^= 1;
    assert_int_equal(lamp_keychain_announced(&k, &s, f->list_public), LAMP_ESIGNATURE);
    s = announcement(f, 7, 1);
    s.serial++;
    assert_int_equal(lamp_keychain_announced(&k, &s, f->list_public), LAMP_ESIGNATURE);
    s = announcement(f, 7, 1);
    uint8_t stranger[32], secret[64];
    crypto_sign_keypair(stranger, secret);
    assert_int_equal(lamp_keychain_announced(&k, &s, stranger), LAMP_ESIGNATURE);
    assert_memory_equal(&k, &before, sizeof(k));
    assert_int_equal(lamp_keychain_announced(&k, &s, f->list_public), LAMP_OK);
    assert_int_equal(lamp_keychain_announced(&k, &s, f->list_public), LAMP_ESERIAL);
    s = announcement(f, 6, 2); /* an old one, replayed */
    assert_int_equal(lamp_keychain_announced(&k, &s, f->list_public), LAMP_ESERIAL);
    s = announcement(f, 8, 3);
    assert_int_equal(lamp_keychain_announced(&k, &s, f->list_public), LAMP_OK);
    assert_int_equal(k.server_serial, 8);
}

static void test_damaged(void **state)
{
    struct fixture *f = *state;
    static const char *const cases[] = { "x", "base abc\n", "own\n", "nonsense 1\n",
                                         "server_serial -1\n" };
    struct lamp_keychain k;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(lamp_io_replace_file(f->path, cases[i], strlen(cases[i]), 0600), LAMP_OK);
        if (lamp_keychain_load(f->path, &f->base, f->server, &k) != LAMP_EFORMAT)
            fail_msg("%s was taken", cases[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_operator, setup, teardown),
        cmocka_unit_test_setup_teardown(test_announcements, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
