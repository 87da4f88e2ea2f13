/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/notify/send.h"

#include "aggregator/notify/syslog.h"
#include "common/text.h"
#include "common/version.h"

#include <curl/curl.h>
#include <stdio.h>

enum { JSON_MAX = 1024 * 1024, CONNECT_S = 5, REPLY_MAX = 64 * 1024 };

/* ---- by libcurl ---- */

/* Called about once a second. */
static int is_stopped(void *stop, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
                      curl_off_t up)
{
    (void)down_all, (void)down, (void)up_all, (void)up;
    return stop && atomic_load((const atomic_bool *)stop);
}

static CURL *new_transfer(const struct lamp_receiver *r, const atomic_bool *stop,
                          char error[CURL_ERROR_SIZE])
{
    CURL *c = curl_easy_init();
    if (!c)
        return NULL;
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(c, CURLOPT_URL, r->url);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR,
                     r->kind == LAMP_RECEIVER_MAIL ? "smtp,smtps" : "http,https");
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)LAMP_SEND_S);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, is_stopped);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, stop);
    if (*r->ca)
        curl_easy_setopt(c, CURLOPT_CAINFO, r->ca);
    return c;
}

/* What servers say is text from the network. */
static int say(char why[LAMP_SEND_WHY], int err, const char *text)
{
    lamp_text_safe((const uint8_t *)text, strlen(text), why, LAMP_SEND_WHY);
    return err;
}

static int fail_of(CURLcode code, const char *error, char why[LAMP_SEND_WHY])
{
    return say(why, code == CURLE_OUT_OF_MEMORY ? LAMP_ENOMEM : LAMP_EIO,
               *error ? error : curl_easy_strerror(code));
}

/* An answer's body is of no use; one without end is cut off. */
static size_t count_body(char *data, size_t size, size_t n, void *arg)
{
    size_t *total = arg;
    (void)data;
    *total += size * n;
    return *total <= REPLY_MAX ? size * n : 0;
}

static struct curl_slist *add_header(struct curl_slist *list, const char *name, const char *value)
{
    char line[256];
    snprintf(line, sizeof(line), "%s: %s", name, value);
    struct curl_slist *more = curl_slist_append(list, line);
    return more ? more : list;
}

static struct curl_slist *webhook_headers(const struct lamp_receiver *r,
                                          const struct lamp_notify_body *b, struct lamp_bytes text)
{
    char at[32], id[LAMP_NOTIFY_ID], signature[LAMP_NOTIFY_SIGNATURE];
    const uint64_t seconds = b->now_us / 1000000;
    struct curl_slist *list = add_header(NULL, "Content-Type", "application/json");
    list = add_header(list, "User-Agent", "davylamp/" LAMP_VERSION);
    list = add_header(list, "Expect", ""); /* no round trip for 100 Continue */
    list = add_header(list, "X-Davylamp-Message", lamp_notify_id(b, id));
    snprintf(at, sizeof(at), "%llu", (unsigned long long)seconds);
    list = add_header(list, "X-Davylamp-Timestamp", at);
    if (*r->secret)
        list = add_header(list, "X-Davylamp-Signature",
                          lamp_notify_sign(r->secret, seconds, text, signature));
    return list;
}

static int post(const struct lamp_receiver *r, const struct lamp_notify_body *b,
                struct lamp_bytes text, const atomic_bool *stop, char why[LAMP_SEND_WHY])
{
    char error[CURL_ERROR_SIZE] = "";
    size_t got = 0;
    long status = 0;
    CURL *c = new_transfer(r, stop, error);
    if (!c)
        return say(why, LAMP_ENOMEM, "out of memory");
    struct curl_slist *headers = webhook_headers(r, b, text);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)text.len);
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, (const char *)text.data);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, count_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, &got);
    const CURLcode code = curl_easy_perform(c);
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(c);
    curl_slist_free_all(headers);
    /* With its status a receiver has decided, whatever comes of the rest of its answer. */
    if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && got > REPLY_MAX))
        return fail_of(code, error, why);
    if (status >= 200 && status < 300)
        return LAMP_OK;
    snprintf(why, LAMP_SEND_WHY, "HTTP status %ld%s", status,
             status >= 300 && status < 400 ? ": redirects are not followed" : "");
    return status == 400 || status == 413 || status == 422 ? LAMP_EPROTO : LAMP_EIO;
}

static int send_webhook(const struct lamp_receiver *r, const struct lamp_notify_body *b,
                        const atomic_bool *stop, char why[LAMP_SEND_WHY])
{
    struct lamp_json j;
    size_t len = 0;
    lamp_json_init(&j, JSON_MAX);
    lamp_notify_json(&j, b);
    LAMP_AUTO_FREE char *text = lamp_json_take(&j, &len);
    lamp_json_done(&j);
    if (!text)
        return say(why, LAMP_ENOMEM, "out of memory");
    return post(r, b, (struct lamp_bytes){ (const uint8_t *)text, len }, stop, why);
}

struct upload {
    const char *text;
    size_t len;
};

static size_t give_mail(char *data, size_t size, size_t n, void *arg)
{
    struct upload *u = arg;
    const size_t len = lamp_min(size * n, u->len);
    memcpy(data, u->text, len);
    u->text += len;
    u->len -= len;
    return len;
}

static void set_login(CURL *c, const struct lamp_receiver *r)
{
    /* A password needs TLS; without one it is better than nothing. */
    const bool must = r->starttls == LAMP_STARTTLS_YES || *r->secret;
    if (r->starttls != LAMP_STARTTLS_NO)
        curl_easy_setopt(c, CURLOPT_USE_SSL, must ? (long)CURLUSESSL_ALL : (long)CURLUSESSL_TRY);
    if (*r->user)
        curl_easy_setopt(c, CURLOPT_USERNAME, r->user);
    if (*r->secret)
        curl_easy_setopt(c, CURLOPT_PASSWORD, r->secret);
}

static int send_mail(const struct lamp_receiver *r, const struct lamp_notify_body *b,
                     const atomic_bool *stop, char why[LAMP_SEND_WHY])
{
    char error[CURL_ERROR_SIZE] = "";
    struct upload u = { .len = 0 };
    LAMP_AUTO_FREE char *mail =
        lamp_notify_mail(b, r->from, (const char(*)[255])r->to, r->n_to, &u.len);
    CURL *c = mail ? new_transfer(r, stop, error) : NULL;
    if (!c)
        return say(why, LAMP_ENOMEM, "out of memory");
    struct curl_slist *to = NULL;
    u.text = mail;
    for (size_t i = 0; i < r->n_to; i++) {
        struct curl_slist *more = curl_slist_append(to, r->to[i]);
        to = more ? more : to;
    }
    curl_easy_setopt(c, CURLOPT_MAIL_FROM, r->from);
    curl_easy_setopt(c, CURLOPT_MAIL_RCPT, to);
    curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(c, CURLOPT_READFUNCTION, give_mail);
    curl_easy_setopt(c, CURLOPT_READDATA, &u);
    set_login(c, r);
    const CURLcode code = curl_easy_perform(c);
    curl_easy_cleanup(c);
    curl_slist_free_all(to);
    return code == CURLE_OK ? LAMP_OK : fail_of(code, error, why);
}

/* ---- syslog ---- */

static int send_syslog(const struct lamp_receiver *r, const struct lamp_notify_body *b,
                       const atomic_bool *stop, char why[LAMP_SEND_WHY])
{
    char line[LAMP_NOTIFY_LINE];
    const size_t n = b->m->n + (b->test || b->m->more > 0);
    lamp_syslog *s = NULL;
    int err = lamp_syslog_open(r, LAMP_SEND_S * 1000, stop, &s, why);
    for (size_t i = 0; i < n && !err; i++) {
        const size_t len = lamp_notify_syslog(b, i, r->ecs, line);
        err = lamp_syslog_send(s, line, len, why);
    }
    if (!err)
        err = lamp_syslog_finish(s, why);
    lamp_syslog_close(s);
    return err;
}

int lamp_notify_send(const struct lamp_receiver *r, const struct lamp_notify_body *b,
                     const atomic_bool *stop, char why[LAMP_SEND_WHY])
{
    why[0] = '\0';
    switch (r->kind) {
    case LAMP_RECEIVER_WEBHOOK:
        return send_webhook(r, b, stop, why);
    case LAMP_RECEIVER_SYSLOG:
        return send_syslog(r, b, stop, why);
    case LAMP_RECEIVER_MAIL:
        return send_mail(r, b, stop, why);
    }
    return LAMP_EINVAL;
}
