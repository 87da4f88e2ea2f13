/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/keys.h"

#include "common/io.h"
#include "common/text.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <zmq.h>

enum { SECRET_TEXT = 2 * LAMP_LIST_SECRET + 1, KEY_FILE_MAX = 512 };

/* Creates a key file; never replaces one. */
static int write_key(const char *path, const char *text)
{
    LAMP_AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
    if (fd < 0)
        return -errno;
    const int err = lamp_io_write_full(fd, text, strlen(text));
    return err == LAMP_OK && fsync(fd) != 0 ? -errno : err;
}

static int make_curve(const char *path)
{
    char public[LAMP_Z85_KEY], secret[LAMP_Z85_KEY];
    if (zmq_curve_keypair(public, secret) != 0)
        return LAMP_EIO;
    const int err = write_key(path, secret);
    sodium_memzero(secret, sizeof(secret));
    return err;
}

static int make_list(const char *path)
{
    uint8_t public[LAMP_LIST_PUBLIC], secret[LAMP_LIST_SECRET];
    char text[SECRET_TEXT];
    crypto_sign_keypair(public, secret);
    const int err = write_key(path, lamp_hex_encode(secret, sizeof(secret), text));
    sodium_memzero(secret, sizeof(secret));
    sodium_memzero(text, sizeof(text));
    return err;
}

/* Reads a key file, making it first where it is missing. */
static int read_key(const char *path, int (*make)(const char *path), char text[KEY_FILE_MAX])
{
    char *data = NULL;
    size_t len = 0;
    int err = lamp_io_read_file(path, KEY_FILE_MAX - 1, &data, &len);
    if (err == -ENOENT) {
        err = make(path);
        if (err == LAMP_OK)
            err = lamp_io_read_file(path, KEY_FILE_MAX - 1, &data, &len);
    }
    if (err != LAMP_OK)
        return err;
    while (len > 0 && (data[len - 1] == '\n' || data[len - 1] == ' '))
        len--;
    memcpy(text, data, len);
    text[len] = '\0';
    sodium_memzero(data, len);
    free(data);
    return LAMP_OK;
}

static int load_curve(const char *path, struct lamp_keys *k)
{
    char text[KEY_FILE_MAX];
    const int err = read_key(path, make_curve, text);
    if (err != LAMP_OK)
        return err;
    const bool good = strlen(text) == LAMP_Z85_KEY - 1 &&
                      zmq_curve_public(k->curve_public, text) == 0 &&
                      zmq_z85_decode(k->curve_public_raw, k->curve_public);
    if (good)
        memcpy(k->curve_secret, text, LAMP_Z85_KEY);
    sodium_memzero(text, sizeof(text));
    return good ? LAMP_OK : LAMP_EFORMAT;
}

static int load_list(const char *path, struct lamp_keys *k)
{
    char text[KEY_FILE_MAX];
    int err = read_key(path, make_list, text);
    size_t len = 0;
    if (err == LAMP_OK)
        err = lamp_hex_decode(text, strlen(text), k->list_secret, sizeof(k->list_secret), &len);
    if (err == LAMP_OK && len != sizeof(k->list_secret))
        err = LAMP_EFORMAT;
    if (err == LAMP_OK)
        crypto_sign_ed25519_sk_to_pk(k->list_public, k->list_secret);
    sodium_memzero(text, sizeof(text));
    return err;
}

/* ---- the next pair: its secret and its serial ---- */

static int read_next(const char *folder, char secret[LAMP_Z85_KEY], uint64_t *out_serial)
{
    char path[4096], *text = NULL;
    size_t len = 0;
    int64_t serial = 0;
    snprintf(path, sizeof(path), "%.4000s/server.next", folder);
    const int err = lamp_io_read_file(path, KEY_FILE_MAX - 1, &text, &len);
    if (err != LAMP_OK)
        return err == -ENOENT ? LAMP_ENOENT : err;
    text[strcspn(text, "\n")] = '\0';
    char *space = strchr(text, ' ');
    const bool good = space && space - text == LAMP_Z85_KEY - 1 &&
                      lamp_text_int(space + 1, 1, INT64_MAX, &serial) == LAMP_OK;
    if (good)
        snprintf(secret, LAMP_Z85_KEY, "%.40s", text);
    *out_serial = (uint64_t)serial;
    sodium_memzero(text, len);
    free(text);
    return good ? LAMP_OK : LAMP_EFORMAT;
}

static int load_next(const char *folder, struct lamp_keys *k)
{
    char secret[LAMP_Z85_KEY], public[LAMP_Z85_KEY];
    uint8_t text[LAMP_SERVER_KEY_SIGNED];
    const int err = read_next(folder, secret, &k->next.serial);
    if (err != LAMP_OK)
        return err == LAMP_ENOENT ? LAMP_OK : err;
    const bool good =
        zmq_curve_public(public, secret) == 0 && zmq_z85_decode(k->next.public_key, public) != NULL;
    sodium_memzero(secret, sizeof(secret));
    if (!good)
        return LAMP_EFORMAT;
    lamp_server_key_signed(&k->next, text);
    crypto_sign_detached(k->next.signature, NULL, text, sizeof(text), k->list_secret);
    return LAMP_OK;
}

int lamp_keys_make_next(const char *folder, uint64_t now_s)
{
    char path[4096], text[LAMP_Z85_KEY + 32], public[LAMP_Z85_KEY], secret[LAMP_Z85_KEY];
    snprintf(path, sizeof(path), "%.4000s/server.next", folder);
    if (zmq_curve_keypair(public, secret) != 0)
        return LAMP_EIO;
    snprintf(text, sizeof(text), "%s %llu\n", secret, (unsigned long long)now_s);
    const int err = write_key(path, text);
    sodium_memzero(secret, sizeof(secret));
    sodium_memzero(text, sizeof(text));
    return err == -EEXIST ? LAMP_EEXIST : err;
}

int lamp_keys_switch(const char *folder)
{
    char in_use[4096], next[4096], old[4096], secret[LAMP_Z85_KEY];
    uint64_t serial;
    snprintf(in_use, sizeof(in_use), "%.4000s/server.key", folder);
    snprintf(next, sizeof(next), "%.4000s/server.next", folder);
    snprintf(old, sizeof(old), "%.4000s/server.old", folder);
    int err = read_next(folder, secret, &serial);
    if (err != LAMP_OK)
        return err;
    /* A crash in between leaves the former pair in use, or both files with the next one, from which
     * the same call goes on. */
    char *former = NULL;
    size_t len = 0;
    err = lamp_io_read_file(in_use, KEY_FILE_MAX, &former, &len);
    if (err == LAMP_OK && strncmp(former, secret, strlen(secret)) != 0)
        err = lamp_io_replace_file(old, former, len, 0400);
    if (err == LAMP_OK)
        err = lamp_io_replace_file(in_use, secret, strlen(secret), 0400);
    if (err == LAMP_OK && unlink(next) != 0)
        err = -errno;
    if (former)
        sodium_memzero(former, len);
    free(former);
    sodium_memzero(secret, sizeof(secret));
    return err;
}

int lamp_keys_load(const char *folder, struct lamp_keys *out, char *why, size_t size)
{
    struct lamp_keys k = { 0 };
    char path[4096];
    snprintf(path, sizeof(path), "%s", folder);
    int err = sodium_init() < 0 ? LAMP_EIO : lamp_io_mkdirs(folder, 0700);
    if (err == LAMP_OK) {
        snprintf(path, sizeof(path), "%.4000s/server.key", folder);
        err = load_curve(path, &k);
    }
    if (err == LAMP_OK) {
        snprintf(path, sizeof(path), "%.4000s/list.key", folder);
        err = load_list(path, &k);
    }
    if (err == LAMP_OK) {
        snprintf(path, sizeof(path), "%.4000s/server.next", folder);
        err = load_next(folder, &k);
    }
    if (err == LAMP_OK)
        *out = k;
    else
        snprintf(why, size, "%s: %s", path,
                 err == LAMP_EFORMAT ? "holds no key" : lamp_strerror(err));
    lamp_keys_wipe(&k);
    return err;
}

void lamp_keys_wipe(struct lamp_keys *k)
{
    sodium_memzero(k, sizeof(*k));
}
