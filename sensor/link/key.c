/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/link/key.h"

#include "common/io.h"

#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <zmq.h>

enum { KEY_FILE_MAX = 256 };

int lamp_key_load(const char *path, struct lamp_key *out)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return -errno;
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return LAMP_EAUTH;
    char *text;
    size_t len;
    const int err = lamp_io_read_file(path, KEY_FILE_MAX, &text, &len);
    if (err)
        return err;
    struct lamp_key key;
    char derived[41];
    const bool good =
        sscanf(text, "public %40s secret %40s", key.public_z85, key.secret_z85) == 2 &&
        zmq_curve_public(derived, key.secret_z85) == 0 && streq(derived, key.public_z85);
    sodium_memzero(text, len);
    free(text);
    if (!good)
        return LAMP_EFORMAT;
    *out = key;
    return LAMP_OK;
}

static int make_folder_of(const char *path)
{
    char dir[PATH_MAX];
    if (snprintf(dir, sizeof(dir), "%s", path) >= (int)sizeof(dir))
        return -ENAMETOOLONG;
    char *slash = strrchr(dir, '/');
    if (!slash || slash == dir)
        return LAMP_OK;
    *slash = '\0';
    return lamp_io_mkdirs(dir, 0755);
}

int lamp_key_create(const char *path, struct lamp_key *out)
{
    if (access(path, F_OK) == 0)
        return LAMP_EEXIST;
    struct lamp_key key;
    if (zmq_curve_keypair(key.public_z85, key.secret_z85) != 0)
        return LAMP_EIO;
    int err = make_folder_of(path);
    if (err)
        return err;
    char text[KEY_FILE_MAX];
    const int n =
        snprintf(text, sizeof(text), "public %s\nsecret %s\n", key.public_z85, key.secret_z85);
    err = lamp_io_replace_file(path, text, (size_t)n, 0600);
    sodium_memzero(text, sizeof(text));
    if (!err)
        *out = key;
    return err;
}
