/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/notify/receiver.h"

#include "common/text.h"

#include <curl/curl.h>
#include <errno.h>
#include <gnutls/x509.h>
#include <stdarg.h>
#include <stdio.h>

#define SECOND_US UINT64_C(1000000)
#define DAY_US (86400 * SECOND_US)

static const struct scheme {
    const char *prefix;
    enum lamp_receiver_kind kind;
    enum lamp_transport transport;
    const char *port; /* where the URL has none */
    uint32_t rate, interval_s;
} schemes[] = {
    { "https://", LAMP_RECEIVER_WEBHOOK, LAMP_TRANSPORT_TLS, "", 10, 60 },
    { "http://", LAMP_RECEIVER_WEBHOOK, LAMP_TRANSPORT_TCP, "", 10, 60 },
    { "udp://", LAMP_RECEIVER_SYSLOG, LAMP_TRANSPORT_UDP, "514", 100, 60 },  /* RFC 5426 */
    { "tcp://", LAMP_RECEIVER_SYSLOG, LAMP_TRANSPORT_TCP, "601", 100, 60 },  /* RFC 6587 */
    { "tls://", LAMP_RECEIVER_SYSLOG, LAMP_TRANSPORT_TLS, "6514", 100, 60 }, /* RFC 5425 */
    { "smtps://", LAMP_RECEIVER_MAIL, LAMP_TRANSPORT_TLS, "", 1, 300 },
    { "smtp://", LAMP_RECEIVER_MAIL, LAMP_TRANSPORT_TCP, "", 1, 300 },
};

const char *lamp_receiver_kind_name(enum lamp_receiver_kind k)
{
    static const char *const names[] = { "webhook", "syslog", "mail" };
    return k < ARRAY_LEN(names) ? names[k] : "unknown";
}

__attribute__((format(printf, 2, 3))) static int refuse(char why[LAMP_RECEIVER_WHY],
                                                        const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, LAMP_RECEIVER_WHY, fmt, ap);
    va_end(ap);
    return LAMP_EFORMAT;
}

/* Printable ASCII without blanks: what may stand in a header or a line of SMTP. */
static bool is_plain(const char *s, size_t max)
{
    size_t n = 0;
    for (; s[n]; n++)
        if (s[n] <= ' ' || s[n] > '~' || n >= max)
            return false;
    return n > 0;
}

/* Takes the next word of *io; false at the end. */
static bool next_word(const char **io, char *word, size_t size)
{
    const char *p = *io + strspn(*io, " \t");
    const size_t len = strcspn(p, " \t");
    if (len == 0)
        return false;
    snprintf(word, size, "%.*s", (int)lamp_min(len, size - 1), p);
    *io = p + len;
    return true;
}

/* That a file cannot be read, and what to do. */
static int refuse_file(char why[LAMP_RECEIVER_WHY], const char *key, const char *path, int err)
{
    return refuse(why, "%s=%.200s: %s; %s", key, path, lamp_strerror(-err),
                  err == EACCES || err == EPERM ? "let the user that runs the aggregator read it"
                                                : "make it, or name the right one");
}

/* Whether it holds a certificate that others can be checked with. */
static int check_ca(const char *path, char why[LAMP_RECEIVER_WHY])
{
    gnutls_datum_t text = { NULL, 0 };
    gnutls_x509_crt_t *v = NULL;
    unsigned n = 0;
    FILE *f = fopen(path, "re");
    if (!f)
        return refuse_file(why, "ca", path, errno);
    (void)fclose(f);
    int rc = gnutls_load_file(path, &text);
    if (rc == GNUTLS_E_SUCCESS)
        rc = gnutls_x509_crt_list_import2(&v, &n, &text, GNUTLS_X509_FMT_PEM, 0);
    for (unsigned i = 0; rc >= 0 && i < n; i++)
        gnutls_x509_crt_deinit(v[i]);
    if (rc >= 0)
        gnutls_free(v);
    gnutls_free(text.data);
    return rc >= 0 && n > 0
               ? LAMP_OK
               : refuse(why, "ca=%.200s: no certificate in it (%s); it must be a PEM file", path,
                        gnutls_strerror(rc));
}

/* The first line of a file. */
static int read_secret(const char *key, const char *path, char *out, char why[LAMP_RECEIVER_WHY])
{
    FILE *f = fopen(path, "re");
    if (!f)
        return refuse_file(why, key, path, errno);
    const bool got = fgets(out, LAMP_RECEIVER_SECRET, f) != NULL;
    const bool whole = got && (strchr(out, '\n') || fgetc(f) == EOF);
    (void)fclose(f);
    out[got ? strcspn(out, "\r\n") : 0] = '\0';
    if (!*out || !whole)
        return refuse(why, "%s=%.200s: no line of 1 to %d characters; its first is the %s", key,
                      path, LAMP_RECEIVER_SECRET - 1, key);
    return LAMP_OK;
}

static bool read_number(const char *text, int64_t max, int64_t *out)
{
    return lamp_text_int(text, 1, max, out) == LAMP_OK;
}

static int set_address(char out[255], const char *text, char why[LAMP_RECEIVER_WHY])
{
    const char *at = strchr(text, '@');
    if (!is_plain(text, 254) || !at || at == text || !at[1] || strpbrk(text, "<>\"(),:;\\"))
        return refuse(why, "\"%.100s\" is no address of e-mail", text);
    snprintf(out, 255, "%s", text);
    return LAMP_OK;
}

static int set_choice(const char *value, const char *const *names, size_t n, unsigned *out,
                      const char *key, char why[LAMP_RECEIVER_WHY])
{
    char all[80] = "";
    for (size_t i = 0; i < n; i++) {
        if (streq(value, names[i])) {
            *out = (unsigned)i;
            return LAMP_OK;
        }
        const size_t len = strlen(all);
        snprintf(all + len, sizeof(all) - len, "%s%s", i ? ", " : "", names[i]);
    }
    return refuse(why, "%s: there is no \"%.60s\"; it is one of %s", key, value, all);
}

/* What any receiver may have. LAMP_ENOENT: it is none of these. */
static int set_common(struct lamp_receiver *r, const char *key, const char *value,
                      char why[LAMP_RECEIVER_WHY])
{
    static const char *const severities[] = { "notice", "warning", "critical" };
    int64_t n;
    unsigned choice = 0;
    if (streq(key, "rate") || streq(key, "interval") || streq(key, "keep")) {
        if (!read_number(value, *key == 'r' ? 10000 : *key == 'i' ? 86400 : 365, &n))
            return refuse(why, "%s: \"%.60s\" is out of range", key, value);
        if (*key == 'r')
            r->rate = (uint32_t)n;
        else if (*key == 'i')
            r->interval_us = (uint64_t)n * SECOND_US;
        else
            r->keep_us = (uint64_t)n * DAY_US;
        return LAMP_OK;
    }
    if (streq(key, "severity")) {
        const int err = set_choice(value, severities, ARRAY_LEN(severities), &choice, key, why);
        if (!err)
            r->severity = (enum lamp_severity)choice;
        return err;
    }
    if (streq(key, "site")) {
        if (r->n_sites == LAMP_RECEIVER_SITES || strlen(value) >= sizeof(r->sites[0]))
            return refuse(why, "site: too many, or too long");
        snprintf(r->sites[r->n_sites++], sizeof(r->sites[0]), "%s", value);
        return LAMP_OK;
    }
    if (streq(key, "ca")) {
        snprintf(r->ca, sizeof(r->ca), "%s", value);
        return check_ca(value, why);
    }
    return LAMP_ENOENT;
}

static int set_mail(struct lamp_receiver *r, const char *key, const char *value,
                    char why[LAMP_RECEIVER_WHY])
{
    static const char *const choices[] = { "try", "no", "yes" };
    unsigned choice = 0;
    if (streq(key, "from"))
        return set_address(r->from, value, why);
    if (streq(key, "to"))
        return r->n_to == LAMP_RECEIVER_TO ? refuse(why, "to: more than %d", LAMP_RECEIVER_TO)
                                           : set_address(r->to[r->n_to++], value, why);
    if (streq(key, "user")) {
        if (!is_plain(value, sizeof(r->user) - 1))
            return refuse(why, "user: not plain text");
        snprintf(r->user, sizeof(r->user), "%s", value);
        return LAMP_OK;
    }
    if (streq(key, "password"))
        return read_secret(key, value, r->secret, why);
    if (streq(key, "starttls")) {
        const int err = set_choice(value, choices, ARRAY_LEN(choices), &choice, key, why);
        if (!err)
            r->starttls = (enum lamp_starttls)choice;
        return err;
    }
    return LAMP_ENOENT;
}

static int set_key(struct lamp_receiver *r, const char *key, const char *value,
                   char why[LAMP_RECEIVER_WHY])
{
    static const char *const formats[] = { "cef", "ecs" };
    unsigned choice = 0;
    int err = set_common(r, key, value, why);
    if (err == LAMP_ENOENT && r->kind == LAMP_RECEIVER_MAIL)
        err = set_mail(r, key, value, why);
    if (err == LAMP_ENOENT && r->kind == LAMP_RECEIVER_WEBHOOK && streq(key, "secret"))
        err = read_secret(key, value, r->secret, why);
    if (err == LAMP_ENOENT && r->kind == LAMP_RECEIVER_SYSLOG && streq(key, "format")) {
        err = set_choice(value, formats, ARRAY_LEN(formats), &choice, key, why);
        r->ecs = choice == 1;
    }
    return err == LAMP_ENOENT
               ? refuse(why, "\"%.40s\" is no key of a %s", key, lamp_receiver_kind_name(r->kind))
               : err;
}

/* "HOST[:PORT]" or "[ADDRESS][:PORT]". */
static int split_host(struct lamp_receiver *r, const char *rest, const char *default_port,
                      char why[LAMP_RECEIVER_WHY])
{
    const bool quoted = *rest == '[';
    const size_t len = quoted ? strcspn(++rest, "]") : strcspn(rest, ":/");
    const char *after = rest + len + (quoted && rest[len]);
    int64_t port;
    if (len == 0 || len >= sizeof(r->host) || (*after && *after != ':') ||
        !read_number(*after ? after + 1 : default_port, UINT16_MAX, &port))
        return refuse(why, "\"%.100s\" is not HOST[:PORT]", rest);
    snprintf(r->host, sizeof(r->host), "%.*s", (int)len, rest);
    snprintf(r->port, sizeof(r->port), "%u", (unsigned)(uint16_t)port);
    return LAMP_OK;
}

/* What libcurl, which will use it, makes of it. */
static int check_url(const char *url, char why[LAMP_RECEIVER_WHY])
{
    CURLU *u = curl_url();
    if (!u)
        return LAMP_ENOMEM;
    const CURLUcode rc = curl_url_set(u, CURLUPART_URL, url, 0);
    curl_url_cleanup(u);
    return rc == CURLUE_OK ? LAMP_OK : refuse(why, "\"%.100s\": %s", url, curl_url_strerror(rc));
}

static int set_url(struct lamp_receiver *r, const char *url, char why[LAMP_RECEIVER_WHY])
{
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        const struct scheme *s = &schemes[i];
        const size_t n = strlen(s->prefix);
        if (strncmp(url, s->prefix, n) != 0)
            continue;
        if (!is_plain(url + n, sizeof(r->url) - n - 1) || strchr(url, '@'))
            return refuse(why, "\"%.100s\" is no URL without user and blanks", url);
        snprintf(r->url, sizeof(r->url), "%.511s", url);
        r->kind = s->kind;
        r->transport = s->transport;
        r->rate = s->rate;
        r->interval_us = s->interval_s * SECOND_US;
        return s->kind == LAMP_RECEIVER_SYSLOG ? split_host(r, url + n, s->port, why)
                                               : check_url(url, why);
    }
    return refuse(why,
                  "\"%.100s\" begins with none of http:// https:// udp:// tcp:// tls:// "
                  "smtp:// smtps://",
                  url);
}

int lamp_receiver_parse(const char *line, struct lamp_receiver *out, char why[LAMP_RECEIVER_WHY])
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";
    struct lamp_receiver r = { .keep_us = 3 * DAY_US };
    char word[LAMP_RECEIVER_URL + 64];
    if (!next_word(&line, word, sizeof(word)) || strlen(word) >= sizeof(r.name) ||
        strspn(word, allowed) != strlen(word))
        return refuse(why, "it does not begin with a name of at most %d of a-z, 0-9, '-' and '_'",
                      LAMP_RECEIVER_NAME - 1);
    snprintf(r.name, sizeof(r.name), "%.32s", word);
    int err = next_word(&line, word, sizeof(word)) ? set_url(&r, word, why)
                                                   : refuse(why, "a URL must follow the name");
    while (!err && next_word(&line, word, sizeof(word))) {
        char *value = strchr(word, '=');
        if (!value || !value[1] || strlen(value) > sizeof(r.ca))
            return refuse(why, "\"%.100s\" is not KEY=VALUE", word);
        *value++ = '\0';
        err = set_key(&r, word, value, why);
    }
    if (!err && r.kind == LAMP_RECEIVER_MAIL && (!*r.from || r.n_to == 0))
        return refuse(why, "mail needs from=ADDRESS and to=ADDRESS");
    if (!err && r.kind == LAMP_RECEIVER_MAIL && *r.secret && r.starttls == LAMP_STARTTLS_NO &&
        r.transport != LAMP_TRANSPORT_TLS)
        return refuse(why, "a password is not sent without TLS");
    if (!err)
        *out = r;
    return err;
}

bool lamp_receiver_wants(const struct lamp_receiver *r, const struct lamp_alert_view *v)
{
    if (lamp_alert_severity(v->kind) < r->severity)
        return false;
    for (size_t i = 0; i < r->n_sites; i++)
        if (streq(r->sites[i], v->site))
            return true;
    return r->n_sites == 0;
}
