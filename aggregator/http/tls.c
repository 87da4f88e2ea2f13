/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/http/tls.h"

#include "common/io.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>

enum { FILE_MAX = 256 * 1024, CHAIN_MAX = 16 };

static int read_pem(const char *what, const char *path, char **out, char *why, size_t size)
{
    size_t len;
    const int err = lamp_io_read_file(path, FILE_MAX, out, &len);
    if (!err)
        return LAMP_OK;
    snprintf(why, size, "%s: %.256s: %s", what, path,
             err == LAMP_EFULL ? "this is no PEM file, it is too large" : lamp_strerror(err));
    return err == LAMP_ENOMEM ? err : LAMP_EINVAL;
}

static int check_mode(const char *path, char *why, size_t size)
{
    struct stat st;
    if (stat(path, &st) == 0 && !(st.st_mode & (S_IROTH | S_IWOTH)))
        return LAMP_OK;
    snprintf(why, size, "http.key: %.256s: everybody may read it: chmod o= on it", path);
    return LAMP_EINVAL;
}

/* When the first certificate ends. */
static int read_end(gnutls_datum_t pem, uint64_t *out_us)
{
    gnutls_x509_crt_t *chain = NULL;
    unsigned n = 0;
    int rc = gnutls_x509_crt_list_import2(&chain, &n, &pem, GNUTLS_X509_FMT_PEM, 0);
    if (rc < 0)
        return rc;
    const time_t end = n > 0 && n <= CHAIN_MAX ? gnutls_x509_crt_get_expiration_time(chain[0]) : -1;
    for (unsigned i = 0; i < n; i++)
        gnutls_x509_crt_deinit(chain[i]);
    gnutls_free(chain);
    if (end < 0)
        return GNUTLS_E_CERTIFICATE_ERROR;
    *out_us = (uint64_t)end * 1000000;
    return 0;
}

/* Whether the library takes both, and the one belongs to the other. */
static int check_pair(gnutls_datum_t certificate, gnutls_datum_t key)
{
    gnutls_certificate_credentials_t c;
    int rc = gnutls_certificate_allocate_credentials(&c);
    if (rc < 0)
        return rc;
    rc = gnutls_certificate_set_x509_key_mem(c, &certificate, &key, GNUTLS_X509_FMT_PEM);
    gnutls_certificate_free_credentials(c);
    return rc;
}

static gnutls_datum_t datum(char *text)
{
    return (gnutls_datum_t){ (unsigned char *)text, (unsigned)strlen(text) };
}

int lamp_http_tls_load(const char *certificate_file, const char *key_file,
                       struct lamp_http_tls *out, char *why, size_t size)
{
    struct lamp_http_tls t = { 0 };
    int err = read_pem("http.certificate", certificate_file, &t.certificate, why, size);
    if (!err)
        err = check_mode(key_file, why, size);
    if (!err)
        err = read_pem("http.key", key_file, &t.key, why, size);
    int rc = 0;
    if (!err && (rc = read_end(datum(t.certificate), &t.expires_us)) < 0) {
        snprintf(why, size, "http.certificate: %.256s: no chain of PEM certificates: %s",
                 certificate_file, gnutls_strerror(rc));
        err = LAMP_EINVAL;
    }
    if (!err && (rc = check_pair(datum(t.certificate), datum(t.key))) < 0) {
        snprintf(why, size, "http.key: %.256s: %s", key_file,
                 rc == GNUTLS_E_CERTIFICATE_KEY_MISMATCH ? "it is not the key of http.certificate"
                                                         : gnutls_strerror(rc));
        err = LAMP_EINVAL;
    }
    if (err) {
        lamp_http_tls_wipe(&t);
        return err;
    }
    *out = t;
    return LAMP_OK;
}

void lamp_http_tls_wipe(struct lamp_http_tls *t)
{
    if (t->key)
        sodium_memzero(t->key, strlen(t->key));
    free(t->key);
    free(t->certificate);
    *t = (struct lamp_http_tls){ 0 };
}
