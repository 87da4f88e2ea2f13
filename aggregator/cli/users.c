/* SPDX-License-Identifier: Apache-2.0 */
/* The commands about who may use the API: users, tokens, sessions. */
#include "aggregator/cli/cli.h"

#include "aggregator/cli/table.h"
#include "common/io.h"
#include "common/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <termios.h>

enum { PASSWORD_MAX = 256, PATH = 256 };

/* ---- passwords: from a file, or typed without an echo ---- */

static bool read_line(FILE *f, char *buf, size_t size)
{
    if (!fgets(buf, (int)size, f))
        return false;
    buf[strcspn(buf, "\r\n")] = '\0';
    return true;
}

static bool type_password(const char *prompt, char *buf, size_t size)
{
    struct termios before, quiet;
    const bool terminal = tcgetattr(STDIN_FILENO, &before) == 0;
    if (terminal) {
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
        fputs(prompt, stderr);
    }
    const bool ok = read_line(stdin, buf, size);
    if (terminal) {
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fputc('\n', stderr);
    }
    return ok;
}

static bool get_password(const struct options *o, char buf[PASSWORD_MAX + 2])
{
    LAMP_AUTO_FREE char *text = NULL;
    char again[PASSWORD_MAX + 2];
    size_t len;
    if (o->password_file && !streq(o->password_file, "-")) {
        const int err = lamp_io_read_file(o->password_file, PASSWORD_MAX + 1, &text, &len);
        if (err)
            fprintf(stderr, "davylamp: %s: %s\n", o->password_file, lamp_strerror(err));
        else
            snprintf(buf, PASSWORD_MAX + 2, "%.*s", (int)strcspn(text, "\r\n"), text);
        return !err;
    }
    if (!type_password("New password: ", buf, PASSWORD_MAX + 2))
        return false;
    if (!isatty(STDIN_FILENO))
        return true;
    if (type_password("Again: ", again, sizeof(again)) && streq(buf, again))
        return true;
    fputs("davylamp: the two are not the same\n", stderr);
    return false;
}

/* ---- bodies ---- */

/* The sites as an array; "all" is every site. */
static json_t *sites_of(const struct options *o)
{
    if (o->n_sites == 1 && streq(o->sites[0], "all"))
        return json_null();
    json_t *list = json_array();
    for (size_t i = 0; i < o->n_sites; i++)
        json_array_append_new(list, json_string(o->sites[i]));
    return list;
}

/* What the options say of an account or token. */
static json_t *body_of(const struct options *o, const char *name)
{
    json_t *body = json_object();
    if (name)
        json_object_set_new(body, "name", json_string(name));
    if (o->role)
        json_object_set_new(body, "role", json_string(o->role));
    if (o->n_sites)
        json_object_set_new(body, "sites", sites_of(o));
    if (o->ttl_s)
        json_object_set_new(body, "ttl", json_integer(o->ttl_s));
    return body;
}

/* Says what was done. */
static int done(const struct options *o, int result, const char *what, const char *name,
                const char *as)
{
    char safe[LAMP_CELL];
    return lamp_cli_say(o, result, "%s %s: %s", what, lamp_cell_safe(name, safe), as);
}

/* ---- users ---- */

static int user_path(char path[PATH], const char *name)
{
    return strchr(name, '/') || strchr(name, '?') || strchr(name, '#') || strchr(name, '%') ||
                   snprintf(path, PATH, "/users/%s", name) >= PATH
               ? lamp_cli_usage("'%.40s' cannot be the name of an account", name)
               : EXIT_GOOD;
}

static int add_user(lamp_client *c, const struct options *o, const char *name)
{
    char password[PASSWORD_MAX + 2] = "";
    if (!o->role)
        return lamp_cli_usage("'users add' needs --role");
    if (!get_password(o, password))
        return EXIT_FAILED;
    json_t *body = body_of(o, name);
    json_object_set_new(body, "password", json_string(password));
    return done(o, lamp_cli_send(c, o, "POST", "/users", body, NULL), "account", name, "added");
}

static int change_user(lamp_client *c, const struct options *o, const char *name, json_t *body,
                       const char *as)
{
    char path[PATH], text[64];
    json_t *answer;
    int result = user_path(path, name);
    if (result != EXIT_GOOD) {
        json_decref(body);
        return result;
    }
    result = lamp_cli_send(c, o, "PATCH", path, body, &answer);
    const char *role = json_string_value(json_object_get(answer, "role"));
    snprintf(text, sizeof(text), "%s, role %.20s", as, role ? role : "?");
    json_decref(answer);
    return done(o, result, "account", name, text);
}

static int set_password(lamp_client *c, const struct options *o, const char *name)
{
    char password[PASSWORD_MAX + 2] = "";
    if (!get_password(o, password))
        return EXIT_FAILED;
    return change_user(c, o, name, json_pack("{s:s}", "password", password), "password changed");
}

static int delete_user(lamp_client *c, const struct options *o, const char *name)
{
    char path[PATH];
    const int result = user_path(path, name);
    return result == EXIT_GOOD
               ? done(o, lamp_cli_call(c, o, "DELETE", path, NULL), "account", name, "deleted")
               : result;
}

/* The sites of an account or token. */
static const char *scope(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    const json_t *sites = lamp_at(row, path);
    size_t i;
    json_t *site;
    (void)now;
    snprintf(buf, LAMP_CELL, "%s", json_is_array(sites) ? "" : "all");
    json_array_foreach(sites, i, site)
    {
        const size_t len = strlen(buf);
        const char *text = json_string_value(site);
        char one[LAMP_CELL];
        if (text)
            snprintf(buf + len, LAMP_CELL - len, "%s%s", i ? ", " : "", lamp_cell_safe(text, one));
    }
    return buf;
}

static const char *enabled(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    (void)now, (void)buf;
    return json_is_true(lamp_at(row, path)) ? "disabled" : "enabled";
}

static const struct lamp_column user_columns[] = {
    { "NAME", "name", lamp_cell_text },
    { "ROLE", "role", lamp_cell_text },
    { "SITES", "sites", scope },
    { "STATE", "disabled", enabled },
    { "PASSWORD SET", "password_set", lamp_cell_age },
    { NULL, NULL, NULL },
};

int lamp_cli_users(lamp_client *c, const struct options *o, char **args, int n)
{
    const char *what = n > 0 ? args[0] : "list";
    if (streq(what, "list"))
        return n > 1 || o->given & ~(unsigned)TAKES_LIST
                   ? lamp_cli_usage("'users list' takes nothing more")
                   : lamp_cli_list(c, o, "/users", "users", user_columns);
    if (n != 2)
        return lamp_cli_usage("'users %.40s' needs one name", what);
    if (streq(what, "add"))
        return add_user(c, o, args[1]);
    if (streq(what, "change"))
        return change_user(c, o, args[1], body_of(o, NULL), "changed");
    if (streq(what, "password"))
        return set_password(c, o, args[1]);
    if (streq(what, "disable") || streq(what, "enable"))
        return change_user(c, o, args[1], json_pack("{s:b}", "disabled", streq(what, "disable")),
                           streq(what, "disable") ? "disabled" : "enabled");
    if (streq(what, "delete"))
        return delete_user(c, o, args[1]);
    return lamp_cli_usage("there is no 'users %.40s'", what);
}

/* ---- tokens ---- */

static int add_token(lamp_client *c, const struct options *o, const char *name)
{
    json_t *answer;
    if (!o->role)
        return lamp_cli_usage("'tokens add' needs --role");
    const int result = lamp_cli_send(c, o, "POST", "/tokens", body_of(o, name), &answer);
    const char *token = json_string_value(json_object_get(answer, "token"));
    if (token) {
        printf("%s\n", token);
        fputs("This is shown only now. A file with this line is what --token-file wants.\n",
              stderr);
    }
    json_decref(answer);
    return result;
}

/* By its number or its name. */
static int revoke_token(lamp_client *c, const struct options *o, const char *which)
{
    char path[PATH];
    json_t *answer = NULL, *t;
    int64_t id = 0, want = 0;
    size_t i;
    (void)!lamp_text_int(which, 1, INT64_MAX, &want);
    if (lamp_client_call(c, "GET", "/tokens", NULL, &answer) != LAMP_OK)
        return EXIT_FAILED;
    json_array_foreach(json_object_get(answer, "tokens"), i, t)
    {
        const char *name = json_string_value(json_object_get(t, "name"));
        const int64_t this = json_integer_value(json_object_get(t, "id"));
        if ((name && streq(name, which)) || (want && this == want && !id))
            id = this;
    }
    json_decref(answer);
    if (!id) {
        fprintf(stderr, "davylamp: no token is called '%.64s' (see davylamp tokens)\n", which);
        return EXIT_FAILED;
    }
    snprintf(path, sizeof(path), "/tokens/%" PRId64, id);
    return done(o, lamp_cli_call(c, o, "DELETE", path, NULL), "token", which, "revoked");
}

static const char *token_end(const json_t *row, const char *path, double now, char buf[LAMP_CELL])
{
    const bool lasts = json_number_value(lamp_at(row, path)) <= 0;
    return lasts ? "never" : lamp_cell_left(row, path, now, buf);
}

static const struct lamp_column token_columns[] = {
    { "ID", "id", lamp_cell_number },
    { "NAME", "name", lamp_cell_text },
    { "ROLE", "role", lamp_cell_text },
    { "SITES", "sites", scope },
    { "MADE BY", "created_by", lamp_cell_text },
    { "USED", "used", lamp_cell_age },
    { "ENDS IN", "expires", token_end },
    { NULL, NULL, NULL },
};

int lamp_cli_tokens(lamp_client *c, const struct options *o, char **args, int n)
{
    const char *what = n > 0 ? args[0] : "list";
    if (streq(what, "list"))
        return n > 1 || o->given & ~(unsigned)TAKES_LIST
                   ? lamp_cli_usage("'tokens list' takes nothing more")
                   : lamp_cli_list(c, o, "/tokens", "tokens", token_columns);
    if (n != 2)
        return lamp_cli_usage("'tokens %.40s' needs one name", what);
    if (streq(what, "add"))
        return add_token(c, o, args[1]);
    if (streq(what, "revoke"))
        return revoke_token(c, o, args[1]);
    return lamp_cli_usage("there is no 'tokens %.40s'", what);
}

/* ---- sessions ---- */

static const struct lamp_column session_columns[] = {
    { "ID", "id", lamp_cell_number },
    { "USER", "user", lamp_cell_text },
    { "FROM", "address", lamp_cell_text },
    { "LOGGED IN", "opened", lamp_cell_age },
    { "USED", "used", lamp_cell_age },
    { "ENDS IN", "expires", lamp_cell_left },
    { NULL, NULL, NULL },
};

int lamp_cli_sessions(lamp_client *c, const struct options *o, char **args, int n)
{
    char path[PATH];
    int64_t id;
    const char *what = n > 0 ? args[0] : "list";
    if (streq(what, "list"))
        return n > 1 ? lamp_cli_usage("'sessions list' takes nothing more")
                     : lamp_cli_list(c, o, "/sessions", "sessions", session_columns);
    if (!streq(what, "end"))
        return lamp_cli_usage("there is no 'sessions %.40s'", what);
    if (n != 2 || lamp_text_int(args[1], 1, INT64_MAX, &id) != LAMP_OK)
        return lamp_cli_usage("'sessions end' needs the number of a session");
    snprintf(path, sizeof(path), "/sessions/%" PRId64, id);
    return done(o, lamp_cli_call(c, o, "DELETE", path, NULL), "session", args[1], "ended");
}

/* ---- what they did ---- */

static const struct lamp_column audit_columns[] = {
    { "AGE", "at", lamp_cell_age },         { "WHO", "actor", lamp_cell_text },
    { "DID", "action", lamp_cell_text },    { "TO", "object", lamp_cell_text },
    { "DETAIL", "detail", lamp_cell_text }, { NULL, NULL, NULL },
};

static void show_check(const json_t *answer)
{
    if (json_is_true(json_object_get(answer, "whole")))
        puts("the audit log is whole");
    else
        printf("the audit log is broken at row %" PRId64 "\n", lamp_number(answer, "broken_at"));
}

int lamp_cli_audit(lamp_client *c, const struct options *o, char **args, int n)
{
    json_t *answer = NULL;
    (void)args, (void)n;
    if (!o->verify)
        return lamp_cli_list(c, o, "/audit", "audit", audit_columns);
    if (lamp_client_call(c, "GET", "/audit/check", NULL, &answer) != LAMP_OK)
        return EXIT_FAILED;
    if (o->json)
        lamp_cli_print(answer);
    else
        show_check(answer);
    const bool whole = json_is_true(json_object_get(answer, "whole"));
    json_decref(answer);
    return whole ? EXIT_GOOD : EXIT_FAILED;
}
