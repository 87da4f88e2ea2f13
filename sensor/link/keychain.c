/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/link/keychain.h"

#include "common/fingerprint.h"
#include "common/io.h"
#include "common/text.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <zmq.h>

enum { FILE_MAX = 2048, HEX_KEY = 2 * LAMP_WIRE_KEY_LEN + 1 };

int lamp_keychain_path(const char *state_dir, char *out, size_t size)
{
    const int n = snprintf(out, size, "%s/spool/keys", state_dir);
    return n > 0 && (size_t)n < size ? LAMP_OK : LAMP_EFULL;
}

void lamp_keychain_wipe(struct lamp_keychain *k)
{
    sodium_memzero(k, sizeof(*k));
}

/* ---- the file: lines of a word and a value ---- */

static bool take_text(const char *value, char *out, size_t size)
{
    const size_t len = strlen(value);
    if (len >= size)
        return false;
    memcpy(out, value, len + 1);
    return true;
}

static bool take_key(const char *value, char out[41])
{
    uint8_t raw[LAMP_KEY_BYTES];
    return lamp_z85_key(value, raw) == LAMP_OK && take_text(value, out, 41);
}

/* A pair is told by its secret half. */
static bool take_pair(const char *value, struct lamp_key *out)
{
    return take_key(value, out->secret_z85) &&
           zmq_curve_public(out->public_z85, out->secret_z85) == 0;
}

static bool take_hex(const char *value, uint8_t out[LAMP_WIRE_KEY_LEN])
{
    size_t n = 0;
    return lamp_hex_decode(value, strlen(value), out, LAMP_WIRE_KEY_LEN, &n) == LAMP_OK &&
           n == LAMP_WIRE_KEY_LEN;
}

static bool take_number(const char *value, uint64_t *out)
{
    int64_t v = 0;
    const bool good = lamp_text_int(value, 0, INT64_MAX, &v) == LAMP_OK;
    *out = (uint64_t)v;
    return good;
}

static bool take_line(const char *word, const char *value, struct lamp_keychain *k)
{
    if (streq(word, "base"))
        return take_key(value, k->base);
    if (streq(word, "own"))
        return take_pair(value, &k->own);
    if (streq(word, "next") || streq(word, "former")) {
        k->is_next = streq(word, "next");
        return take_pair(value, &k->other);
    }
    if (streq(word, "pinned"))
        return take_key(value, k->pinned);
    if (streq(word, "server"))
        return take_key(value, k->server);
    if (streq(word, "server_next"))
        return take_key(value, k->next_server);
    if (streq(word, "server_serial"))
        return take_number(value, &k->server_serial);
    if (streq(word, "list"))
        return take_hex(value, k->list_key);
    if (streq(word, "site"))
        return take_text(value, k->site, sizeof(k->site));
    if (streq(word, "name"))
        return take_text(value, k->name, sizeof(k->name));
    return false;
}

static int parse(char *text, struct lamp_keychain *k)
{
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        char *value = strchr(line, ' ');
        if (!*line)
            continue;
        if (!value)
            return LAMP_EFORMAT;
        *value++ = '\0';
        if (!take_line(line, value, k))
            return LAMP_EFORMAT;
    }
    return *k->base && *k->own.public_z85 && *k->pinned && *k->server ? LAMP_OK : LAMP_EFORMAT;
}

static int read_file(const char *path, struct lamp_keychain *out)
{
    char *text;
    size_t len;
    int err = lamp_io_read_file(path, FILE_MAX, &text, &len);
    if (err)
        return err;
    err = len ? parse(text, out) : -ENOENT;
    sodium_memzero(text, len);
    free(text);
    return err;
}

int lamp_keychain_load(const char *path, const struct lamp_key *base, const char *pinned,
                       struct lamp_keychain *out)
{
    struct lamp_keychain k = { .server_serial = 0 };
    const int err = read_file(path, &k);
    if (err && err != -ENOENT) {
        lamp_keychain_wipe(&k);
        return err;
    }
    if (base && !streq(k.base, base->public_z85)) { /* the operator made another key */
        memcpy(k.base, base->public_z85, sizeof(k.base));
        k.own = *base;
        sodium_memzero(&k.other, sizeof(k.other));
        k.is_next = false;
    }
    if (*pinned && !streq(k.pinned, pinned)) { /* or pinned another aggregator */
        snprintf(k.pinned, sizeof(k.pinned), "%s", pinned);
        snprintf(k.server, sizeof(k.server), "%s", pinned);
        k.next_server[0] = k.site[0] = k.name[0] = '\0';
        k.server_serial = 0;
        memset(k.list_key, 0, sizeof(k.list_key));
    }
    *out = k;
    lamp_keychain_wipe(&k);
    return LAMP_OK;
}

static size_t add(char *text, size_t at, const char *word, const char *value)
{
    if (!*value)
        return at;
    return at + (size_t)snprintf(text + at, FILE_MAX - at, "%s %s\n", word, value);
}

int lamp_keychain_save(const char *path, const struct lamp_keychain *k)
{
    char text[FILE_MAX], serial[24] = "", hex[HEX_KEY];
    size_t n = 0;
    if (k->server_serial)
        snprintf(serial, sizeof(serial), "%" PRIu64, k->server_serial);
    n = add(text, n, "base", k->base);
    n = add(text, n, "own", k->own.secret_z85);
    n = add(text, n, k->is_next ? "next" : "former", k->other.secret_z85);
    n = add(text, n, "pinned", k->pinned);
    n = add(text, n, "server", k->server);
    n = add(text, n, "server_next", k->next_server);
    n = add(text, n, "server_serial", serial);
    if (!sodium_is_zero(k->list_key, sizeof(k->list_key)))
        n = add(text, n, "list", lamp_hex_encode(k->list_key, sizeof(k->list_key), hex));
    n = add(text, n, "site", k->site);
    n = add(text, n, "name", k->name);
    const int err = lamp_io_replace_file(path, text, n, 0600);
    sodium_memzero(text, sizeof(text));
    return err;
}

/* ---- changes ---- */

int lamp_keychain_make_next(struct lamp_keychain *k)
{
    struct lamp_key fresh;
    if (k->is_next)
        return LAMP_OK;
    if (zmq_curve_keypair(fresh.public_z85, fresh.secret_z85) != 0)
        return LAMP_EIO;
    k->other = fresh;
    k->is_next = true;
    sodium_memzero(&fresh, sizeof(fresh));
    return LAMP_OK;
}

int lamp_keychain_announced(struct lamp_keychain *k, const struct lamp_server_key *s,
                            const uint8_t list_key[LAMP_WIRE_KEY_LEN])
{
    uint8_t text[LAMP_SERVER_KEY_SIGNED];
    lamp_server_key_signed(s, text);
    if (crypto_sign_verify_detached(s->signature, text, sizeof(text), list_key) != 0)
        return LAMP_ESIGNATURE;
    if (s->serial <= k->server_serial)
        return LAMP_ESERIAL;
    k->server_serial = s->serial;
    zmq_z85_encode(k->next_server, s->public_key, sizeof(s->public_key));
    if (streq(k->next_server, k->server))
        k->next_server[0] = '\0';
    return LAMP_OK;
}

bool lamp_keychain_proven(struct lamp_keychain *k, bool with_other, bool with_next_server)
{
    if (with_other) {
        const struct lamp_key former = k->own;
        k->own = k->other;
        k->other = former;
        k->is_next = false;
    }
    if (with_next_server) {
        memcpy(k->server, k->next_server, sizeof(k->server));
        memset(k->next_server, 0, sizeof(k->next_server));
    }
    return with_other || with_next_server;
}
