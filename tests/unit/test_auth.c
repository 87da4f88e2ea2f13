/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/http/auth.h"
#include "common/io.h"
#include "tests/support/test.h"

#include <sys/stat.h>

#define SECOND UINT64_C(1000000)
#define MINUTE (60 * SECOND)
#define START (UINT64_C(1700000000) * SECOND)

struct place {
    char folder[64], database[96], token_file[96];
};

static void make_place(struct place *p)
{
    snprintf(p->folder, sizeof(p->folder), "/tmp/lamp-auth-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    snprintf(p->database, sizeof(p->database), "%s/db", p->folder);
    snprintf(p->token_file, sizeof(p->token_file), "%s/token", p->folder);
}

static void remove_place(const struct place *p)
{
    unlink(p->database);
    unlink(p->token_file);
    assert_int_equal(rmdir(p->folder), 0);
}

static lamp_auth *open_auth(const struct place *p, char password[LAMP_PASSWORD])
{
    lamp_auth *a = NULL;
    char why[256] = "";
    const int err =
        lamp_auth_open(p->database, p->token_file, START, &a, password, why, sizeof(why));
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
    make_place(&p);
    lamp_auth *a = open_auth(&p, password);
    assert_int_equal(strlen(password), LAMP_PASSWORD - 1);
    assert_int_equal(stat(p.token_file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    read_token(&p, token);
    assert_int_equal(lamp_auth_token(a, token, &who), LAMP_OK);
    assert_int_equal(who.role, LAMP_ROLE_ADMIN);
    assert_int_equal(who.expires_us, 0);
    lamp_auth_close(a);

    a = open_auth(&p, again);
    assert_string_equal(again, "");
    assert_int_equal(lamp_auth_token(a, token, &who), LAMP_OK);
    assert_int_equal(login(a, "admin", password, "127.0.0.1", START), LAMP_OK);
    lamp_auth_close(a);

    /* A lost token file is replaced, and the token in it is void. */
    assert_int_equal(unlink(p.token_file), 0);
    a = open_auth(&p, again);
    read_token(&p, token2);
    assert_string_not_equal(token, token2);
    assert_int_equal(lamp_auth_token(a, token, &who), LAMP_EAUTH);
    assert_int_equal(lamp_auth_token(a, token2, &who), LAMP_OK);
    lamp_auth_close(a);
    remove_place(&p);
}

static void test_nothing_secret_is_stored(void **state)
{
    (void)state;
    struct place p;
    char password[LAMP_PASSWORD], token[128], *db;
    size_t len;
    make_place(&p);
    lamp_auth_close(open_auth(&p, password));
    read_token(&p, token);
    assert_int_equal(lamp_io_read_file(p.database, 1 << 20, &db, &len), LAMP_OK);
    assert_null(memmem(db, len, password, strlen(password)));
    assert_null(memmem(db, len, token, strlen(token)));
    assert_non_null(memmem(db, len, "$argon2id$", 10));
    free(db);
    remove_place(&p);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_start_and_the_next),
        cmocka_unit_test(test_nothing_secret_is_stored),
        cmocka_unit_test(test_sessions_end),
        cmocka_unit_test(test_guessing_is_slowed_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
