/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/http/auth.h"
#include "common/io.h"
#include "tests/support/aggregator.h"

#include <sodium.h>

#define SECOND UINT64_C(1000000)
#define MINUTE (60 * SECOND)
#define START (UINT64_C(1700000000) * SECOND)

/* argon2 is slow on purpose, and many times slower with sanitizers: where a test is about something
 * else a hash is the password as it is. */
static bool real_hashes;

int __real_crypto_pwhash_str(char out[crypto_pwhash_STRBYTES], const char *password,
                             unsigned long long len, unsigned long long ops, size_t memory);
int __real_crypto_pwhash_str_verify(const char *hash, const char *password, unsigned long long len);
int __wrap_crypto_pwhash_str(char out[crypto_pwhash_STRBYTES], const char *password,
                             unsigned long long len, unsigned long long ops, size_t memory);
int __wrap_crypto_pwhash_str_verify(const char *hash, const char *password, unsigned long long len);

int __wrap_crypto_pwhash_str(char out[crypto_pwhash_STRBYTES], const char *password,
                             unsigned long long len, unsigned long long ops, size_t memory)
{
    if (real_hashes)
        return __real_crypto_pwhash_str(out, password, len, ops, memory);
    snprintf(out, crypto_pwhash_STRBYTES, "plain:%s", password);
    return 0;
}

int __wrap_crypto_pwhash_str_verify(const char *hash, const char *password, unsigned long long len)
{
    if (real_hashes)
        return __real_crypto_pwhash_str_verify(hash, password, len);
    return strncmp(hash, "plain:", 6) == 0 && streq(hash + 6, password) ? 0 : -1;
}

struct place {
    char *folder, token_file[96];
    lamp_store *store;
};

static void make_place(struct place *p)
{
    p->folder = new_folder();
    p->store = open_store("sqlite", p->folder, false);
    snprintf(p->token_file, sizeof(p->token_file), "%s/token", p->folder);
}

static void remove_place(struct place *p)
{
    lamp_store_close(p->store);
    remove_folder(p->folder);
    free(p->folder);
}

static lamp_auth *open_auth(const struct place *p, char password[LAMP_PASSWORD])
{
    lamp_auth *a = NULL;
    char why[256] = "";
    const int err = lamp_auth_open(p->store, p->token_file, START, &a, password, why, sizeof(why));
    if (err)
        fail_msg("%s", why);
    return a;
}

static struct lamp_addr address(const char *text)
{
    struct lamp_addr a;
    assert_int_equal(lamp_addr_parse(text, &a), LAMP_OK);
    return a;
}

static int login(lamp_auth *a, const char *user, const char *password, const char *from,
                 uint64_t now_us)
{
    const struct lamp_addr addr = address(from);
    char session[LAMP_SESSION_ID];
    struct lamp_identity who;
    return lamp_auth_login(a, user, password, &addr, now_us, session, &who);
}

static void read_token(const struct place *p, char token[128])
{
    char *text;
    size_t len;
    assert_int_equal(lamp_io_read_file(p->token_file, 127, &text, &len), LAMP_OK);
    snprintf(token, 128, "%.*s", (int)strcspn(text, "\n"), text);
    free(text);
}

static void test_first_start_and_the_next(void **state)
{
    (void)state;
    struct place p;
    char password[LAMP_PASSWORD], again[LAMP_PASSWORD], token[128], token2[128];
    struct lamp_identity who;
    struct stat st;
    real_hashes = true;
    make_place(&p);
    lamp_auth *a = open_auth(&p, password);
    assert_int_equal(strlen(password), LAMP_PASSWORD - 1);
    assert_int_equal(stat(p.token_file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    read_token(&p, token);
    assert_int_equal(lamp_auth_token(a, token, START, &who), LAMP_OK);
    assert_int_equal(who.role, LAMP_ROLE_ADMIN);
    assert_int_equal(who.expires_us, 0);
    lamp_auth_close(a);

    a = open_auth(&p, again);
    assert_string_equal(again, "");
    assert_int_equal(lamp_auth_token(a, token, START, &who), LAMP_OK);
    assert_int_equal(login(a, "admin", password, "127.0.0.1", START), LAMP_OK);
    lamp_auth_close(a);

    /* A lost token file is replaced, and the token in it is void. */
    assert_int_equal(unlink(p.token_file), 0);
    a = open_auth(&p, again);
    read_token(&p, token2);
    assert_string_not_equal(token, token2);
    assert_int_equal(lamp_auth_token(a, token, START, &who), LAMP_EAUTH);
    assert_int_equal(lamp_auth_token(a, token2, START, &who), LAMP_OK);
    lamp_auth_close(a);
    remove_place(&p);
    real_hashes = false;
}

static void test_nothing_secret_is_stored(void **state)
{
    (void)state;
    struct place p;
    char password[LAMP_PASSWORD], token[128], path[256], *db;
    size_t len;
    real_hashes = true;
    make_place(&p);
    lamp_auth_close(open_auth(&p, password));
    read_token(&p, token);
    p.store = lamp_store_close(p.store); /* the write-ahead log goes into the file */
    snprintf(path, sizeof(path), "%s/db", p.folder);
    assert_int_equal(lamp_io_read_file(path, 1 << 22, &db, &len), LAMP_OK);
    assert_null(memmem(db, len, password, strlen(password)));
    assert_null(memmem(db, len, token, strlen(token)));
    assert_non_null(memmem(db, len, "$argon2id$", 10));
    free(db);
    remove_place(&p);
    real_hashes = false;
}

static void test_sessions_end(void **state)
{
    (void)state;
    struct place p;
    char password[LAMP_PASSWORD], s1[LAMP_SESSION_ID], s2[LAMP_SESSION_ID];
    struct lamp_identity who, other;
    const struct lamp_addr from = address("127.0.0.1");
    make_place(&p);
    lamp_auth *a = open_auth(&p, password);
    assert_int_equal(lamp_auth_login(a, "admin", password, &from, START, s1, &who), LAMP_OK);
    assert_int_equal(lamp_auth_login(a, "admin", password, &from, START, s2, &other), LAMP_OK);
    assert_string_not_equal(s1, s2);
    assert_string_equal(who.user, "admin");
    assert_int_equal(who.expires_us, START + 30 * MINUTE);

    assert_int_equal(lamp_auth_session(a, s1, START + 29 * MINUTE, &who), LAMP_OK);
    assert_int_equal(lamp_auth_session(a, s1, START + 58 * MINUTE, &who), LAMP_OK);
    assert_int_equal(lamp_auth_session(a, s2, START + 31 * MINUTE, &who), LAMP_EAUTH);
    assert_int_equal(lamp_auth_session(a, "00", START, &who), LAMP_EAUTH);
    for (uint64_t t = 58; t < 12 * 60; t += 29)
        assert_int_equal(lamp_auth_session(a, s1, START + t * MINUTE, &who), LAMP_OK);
    assert_int_equal(who.expires_us, START + 12 * 60 * MINUTE);
    assert_true(lamp_auth_alive(a, &who, START + 12 * 60 * MINUTE - 1));
    assert_int_equal(lamp_auth_session(a, s1, START + 12 * 60 * MINUTE, &who), LAMP_EAUTH);
    assert_false(lamp_auth_alive(a, &who, START + 12 * 60 * MINUTE));

    assert_int_equal(lamp_auth_login(a, "admin", password, &from, START, s1, &who), LAMP_OK);
    lamp_auth_logout(a, &who);
    assert_int_equal(lamp_auth_session(a, s1, START, &who), LAMP_EAUTH);
    lamp_auth_close(a);
    remove_place(&p);
}

static void test_guessing_is_slowed_down(void **state)
{
    (void)state;
    struct place p;
    char password[LAMP_PASSWORD];
    make_place(&p);
    lamp_auth *a = open_auth(&p, password);
    /* An account, from ever new addresses. */
    for (int i = 0; i < 5; i++) {
        char from[32];
        snprintf(from, sizeof(from), "192.0.2.%d", i + 1);
        assert_int_equal(login(a, "admin", "wrong", from, START), LAMP_EAUTH);
    }
    assert_int_equal(login(a, "admin", password, "192.0.2.9", START + SECOND), LAMP_EFULL);
    assert_int_equal(login(a, "admin", password, "192.0.2.9", START + MINUTE), LAMP_OK);

    /* An address, with ever new names; nothing tells a name that exists from one that does not. */
    for (int i = 0; i < 5; i++) {
        char user[32];
        snprintf(user, sizeof(user), "user%d", i);
        assert_int_equal(login(a, user, password, "2001:db8::1", START + 5 * MINUTE), LAMP_EAUTH);
    }
    assert_int_equal(login(a, "admin", password, "2001:db8::1", START + 5 * MINUTE), LAMP_EFULL);
    assert_int_equal(login(a, "admin", password, "2001:db8::2", START + 5 * MINUTE), LAMP_OK);

    /* Logins that succeed are no failures. */
    for (int i = 0; i < 8; i++)
        assert_int_equal(login(a, "admin", password, "192.0.2.7", START + 9 * MINUTE), LAMP_OK);
    lamp_auth_close(a);
    remove_place(&p);
}

/* Many failures over an hour lock an account and an address for longer than a minute; an account that
 * does not exist is locked in the same way. */
static void test_patient_guessing_is_locked_out(void **state)
{
    (void)state;
    static const char *const users[] = { "admin", "nobody" };
    for (size_t u = 0; u < ARRAY_LEN(users); u++) {
        struct place p;
        char password[LAMP_PASSWORD], from[32];
        make_place(&p);
        lamp_auth *a = open_auth(&p, password);
        for (unsigned i = 0; i < 20; i++) {
            snprintf(from, sizeof(from), "192.0.2.%u", i + 1);
            assert_int_equal(login(a, users[u], "wrong", from, START + i * MINUTE), LAMP_EAUTH);
        }
        assert_int_equal(login(a, users[u], password, "192.0.2.99", START + 25 * MINUTE),
                         LAMP_EFULL);
        assert_int_equal(login(a, users[u], password, "192.0.2.99", START + 60 * MINUTE),
                         u == 0 ? LAMP_OK : LAMP_EAUTH);
        lamp_auth_close(a);
        remove_place(&p);
    }
}

static void put_account(struct place *p, lamp_auth *a, const struct lamp_account *account)
{
    ok(p->store, lamp_store_begin(p->store));
    ok(p->store, lamp_store_account_save(p->store, account));
    ok(p->store, lamp_store_commit(p->store));
    assert_int_equal(lamp_auth_reload(a, p->store), LAMP_OK);
}

/* What is changed of an account holds for its next request, and ends what it had open. */
static void test_changes_hold_at_once(void **state)
{
    (void)state;
    struct place p;
    char password[LAMP_PASSWORD], session[LAMP_SESSION_ID];
    struct lamp_identity who, now;
    const struct lamp_addr from = address("127.0.0.1");
    struct lamp_account ann = { .name = "ann", .role = LAMP_ROLE_VIEWER, .password_us = START };
    make_place(&p);
    lamp_auth *a = open_auth(&p, password);
    assert_int_equal(lamp_auth_hash(a, "correct horse", ann.hash), LAMP_OK);
    put_account(&p, a, &ann);
    assert_int_equal(lamp_auth_login(a, "ann", "correct horse", &from, START, session, &who),
                     LAMP_OK);
    assert_true(lamp_auth_alive(a, &who, START));

    snprintf(ann.scope, sizeof(ann.scope), "berlin");
    ann.role = LAMP_ROLE_OPERATOR;
    put_account(&p, a, &ann);
    assert_false(lamp_auth_alive(a, &who, START)); /* its streams end */
    assert_int_equal(lamp_auth_session(a, session, START, &now), LAMP_OK);
    assert_int_equal(now.role, LAMP_ROLE_OPERATOR);
    assert_string_equal(now.scope, "berlin");

    ann.disabled = true;
    put_account(&p, a, &ann);
    assert_int_equal(lamp_auth_session(a, session, START, &now), LAMP_EAUTH);
    assert_int_equal(login(a, "ann", "correct horse", "127.0.0.2", START), LAMP_EAUTH);
    ann.disabled = false;
    put_account(&p, a, &ann);
    assert_int_equal(lamp_auth_session(a, session, START, &now), LAMP_EAUTH); /* it was over */

    assert_int_equal(lamp_auth_login(a, "ann", "correct horse", &from, START, session, &who),
                     LAMP_OK);
    ann.password_us++;
    assert_int_equal(lamp_auth_hash(a, "battery staple", ann.hash), LAMP_OK);
    put_account(&p, a, &ann);
    assert_int_equal(lamp_auth_session(a, session, START, &now), LAMP_EAUTH);
    assert_int_equal(login(a, "ann", "correct horse", "127.0.0.3", START), LAMP_EAUTH);
    assert_int_equal(login(a, "ann", "battery staple", "127.0.0.3", START), LAMP_OK);
    lamp_auth_close(a);
    remove_place(&p);
}

static void test_tokens_end(void **state)
{
    (void)state;
    struct place p;
    char password[LAMP_PASSWORD], text[LAMP_API_TOKEN_TEXT];
    struct lamp_identity who;
    uint64_t used_us = 0;
    struct lamp_api_token t = { .name = "grafana", .role = LAMP_ROLE_VIEWER, .scope = "berlin" };
    make_place(&p);
    lamp_auth *a = open_auth(&p, password);
    lamp_auth_make_token(text, t.digest);
    t.expires_us = START + 60 * SECOND;
    ok(p.store, lamp_store_api_token_save(p.store, &t));
    assert_int_equal(lamp_auth_reload(a, p.store), LAMP_OK);
    assert_int_equal(lamp_auth_token(a, text, START + SECOND, &who), LAMP_OK);
    assert_string_equal(who.scope, "berlin");
    assert_int_equal(who.token_id, t.id);
    assert_int_equal(lamp_auth_used_token(a, &used_us), t.id);
    assert_int_equal(used_us, START + SECOND);
    assert_int_equal(lamp_auth_used_token(a, &used_us), 0);
    assert_true(lamp_auth_alive(a, &who, START + SECOND));
    assert_int_equal(lamp_auth_token(a, text, START + 60 * SECOND, &who), LAMP_EAUTH);
    assert_false(lamp_auth_alive(a, &who, START + 60 * SECOND));
    ok(p.store, lamp_store_api_token_delete(p.store, t.id));
    assert_int_equal(lamp_auth_reload(a, p.store), LAMP_OK);
    assert_int_equal(lamp_auth_token(a, text, START + SECOND, &who), LAMP_EAUTH);
    assert_false(lamp_auth_alive(a, &who, START + SECOND));
    lamp_auth_close(a);
    remove_place(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_start_and_the_next),
        cmocka_unit_test(test_nothing_secret_is_stored),
        cmocka_unit_test(test_sessions_end),
        cmocka_unit_test(test_guessing_is_slowed_down),
        cmocka_unit_test(test_patient_guessing_is_locked_out),
        cmocka_unit_test(test_changes_hold_at_once),
        cmocka_unit_test(test_tokens_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
