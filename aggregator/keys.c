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
    const bool good =
        strlen(text) == LAMP_Z85_KEY - 1 && zmq_curve_public(k->curve_public, text) == 0;
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
