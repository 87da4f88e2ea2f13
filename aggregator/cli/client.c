/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/cli/client.h"

#include "common/io.h"
#include "common/text.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>

enum {
    ANSWER_MAX = 32 * 1024 * 1024,
    TOKEN_MAX = 256,
    CONNECT_TIMEOUT_S = 10,
    TIMEOUT_S = 60,
};

struct lamp_client {
    CURL *curl;
    struct curl_slist *headers;
    const char *url, *token_file, *ca;
};

struct answer {
    char *data;
    size_t len;
};

static size_t take(char *data, size_t size, size_t n, void *arg)
{
    struct answer *a = arg;
    const size_t len = size * n;
    if (len > ANSWER_MAX - a->len)
        return 0;
    char *grown = realloc(a->data, a->len + len + 1);
    if (!grown)
        return 0;
    memcpy(grown + a->len, data, len);
    a->data = grown;
    a->len += len;
    return len;
}

/* The file's first line as an Authorization header. */
static int add_token(lamp_client *c)
{
    LAMP_AUTO_FREE char *token = NULL;
    char line[TOKEN_MAX + 32];
    size_t len;
    const int err = lamp_io_read_file(c->token_file, TOKEN_MAX, &token, &len);
    if (err) {
        fprintf(stderr, "davylamp: %s: %s\n", c->token_file, lamp_strerror(err));
        if (err == -EACCES)
            fprintf(stderr, "davylamp: only root may read the token: use sudo, or give a file of "
                            "your own with --token-file\n");
        else
            fprintf(stderr, "davylamp: the aggregator makes this file at its first start; give "
                            "its place with --token-file\n");
        return LAMP_EAUTH;
    }
    token[strcspn(token, "\r\n")] = '\0';
    snprintf(line, sizeof(line), "Authorization: Bearer %s", token);
    struct curl_slist *headers = curl_slist_append(c->headers, line);
    if (!headers)
        return LAMP_ENOMEM;
    c->headers = headers;
    return LAMP_OK;
}

int lamp_client_open(const char *url, const char *token_file, const char *ca, lamp_client **out)
{
    assert(url && token_file && out);
    lamp_client *c = calloc(1, sizeof(*c));
    if (!c)
        return LAMP_ENOMEM;
    int err = LAMP_ENOMEM;
    c->url = url;
    c->ca = ca;
    c->token_file = token_file;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        goto fail;
    c->curl = curl_easy_init();
    c->headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (!c->curl || !c->headers)
        goto fail;
    err = add_token(c);
    if (err)
        goto fail;
    *out = c;
    return LAMP_OK;
fail:
    lamp_client_close(c);
    return err;
}

lamp_client *lamp_client_close(lamp_client *c)
{
    if (!c)
        return NULL;
    curl_slist_free_all(c->headers);
    curl_easy_cleanup(c->curl);
    curl_global_cleanup();
    free(c);
    return NULL;
}

static void say_safe(const char *text)
{
    char safe[1024];
    fprintf(stderr, "davylamp: %s\n",
            lamp_text_safe((const uint8_t *)text, strlen(text), safe, sizeof(safe)));
}

/* Says why the aggregator refused. */
static int refused(const lamp_client *c, long status, const json_t *answer)
{
    const json_t *error = json_object_get(answer, "error");
    const char *message = json_string_value(json_object_get(error, "message"));
    const char *field = json_string_value(json_object_get(error, "field"));
    if (status == 401) {
        fprintf(stderr,
                "davylamp: the aggregator does not know the token in %s; give the file of "
                "the aggregator at %s with --token-file\n",
                c->token_file, c->url);
        return LAMP_EAUTH;
    }
    if (!message) {
        fprintf(stderr, "davylamp: %s answered %ld and is not a Davylamp aggregator, it seems\n",
                c->url, status);
        return LAMP_EPROTO;
    }
    char text[640];
    snprintf(text, sizeof(text), "%s%s%s", field ? field : "", field ? ": " : "", message);
    say_safe(text);
    return LAMP_EPROTO;
}

static void prepare(lamp_client *c, const char *method, const char *url, struct curl_slist *headers,
                    char error[CURL_ERROR_SIZE])
{
    curl_easy_reset(c->curl);
    curl_easy_setopt(c->curl, CURLOPT_URL, url);
    curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    if (c->ca)
        curl_easy_setopt(c->curl, CURLOPT_CAINFO, c->ca);
    curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
}

/* body: of len bytes, NULL none. */
static CURLcode perform(lamp_client *c, const char *method, const char *url,
                        struct curl_slist *headers, const char *body, size_t len,
                        struct answer *answer, char error[CURL_ERROR_SIZE])
{
    prepare(c, method, url, headers, error);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
    if (body) {
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE, (long)len);
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body);
    }
    return curl_easy_perform(c->curl);
}

/* NULL where it is too long. */
static const char *url_of(const lamp_client *c, const char *path, char *buf, size_t size)
{
    const size_t base = strlen(c->url) - (c->url[0] && c->url[strlen(c->url) - 1] == '/');
    const int n = snprintf(buf, size, "%.*s/api/v1%s", (int)base, c->url, path);
    return n < 0 || (size_t)n >= size ? NULL : buf;
}

static int no_connection(const lamp_client *c, CURLcode rc, const char *error)
{
    fprintf(stderr, "davylamp: cannot talk to the aggregator at %s: %s\n", c->url,
            *error ? error : curl_easy_strerror(rc));
    fprintf(stderr, "davylamp: check that davylamp-aggregator runs and that --url names its "
                    "listen.http address\n");
    return LAMP_EIO;
}

/* As much as an error may take is kept, in case it is one. */
struct fetched {
    lamp_client *c;
    FILE *to;
    struct answer answer;
};

static size_t take_file(char *data, size_t size, size_t n, void *arg)
{
    struct fetched *f = arg;
    long status = 0;
    curl_easy_getinfo(f->c->curl, CURLINFO_RESPONSE_CODE, &status);
    return status == 200 ? fwrite(data, size, n, f->to) * size : take(data, size, n, &f->answer);
}

/* Where the answer at hand says that there is more (RFC 8288); 0: it does not. */
static int64_t next_of(CURL *curl)
{
    static const char key[] = "after=";
    struct curl_header *link = NULL;
    int64_t next = 0;
    if (curl_easy_header(curl, "Link", 0, CURLH_HEADER, -1, &link) != CURLHE_OK)
        return 0;
    const char *at = strstr(link->value, key);
    char number[24] = "";
    if (at)
        snprintf(number, sizeof(number), "%.*s",
                 (int)lamp_min(strspn(at + strlen(key), "0123456789"), sizeof(number) - 1),
                 at + strlen(key));
    return lamp_text_int(number, 1, INT64_MAX, &next) == LAMP_OK ? next : 0;
}

int lamp_client_fetch(lamp_client *c, const char *path, FILE *to)
{
    int64_t next;
    return lamp_client_fetch_page(c, path, to, &next);
}

int lamp_client_fetch_page(lamp_client *c, const char *path, FILE *to, int64_t *out_next)
{
    char url[1024], error[CURL_ERROR_SIZE] = "";
    struct fetched f = { .c = c, .to = to };
    long status = 0;
    if (!url_of(c, path, url, sizeof(url)))
        return LAMP_ENOMEM;
    prepare(c, "GET", url, c->headers, error);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, take_file);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &f);
    curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_TIME, (long)TIMEOUT_S);
    const CURLcode rc = curl_easy_perform(c->curl);
    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    *out_next = rc == CURLE_OK ? next_of(c->curl) : 0;
    json_t *json = f.answer.data ? json_loadb(f.answer.data, f.answer.len, 0, NULL) : NULL;
    const int err = rc == CURLE_WRITE_ERROR && ferror(to) ? LAMP_EIO
                    : rc != CURLE_OK                      ? no_connection(c, rc, error)
                    : status != 200                       ? refused(c, status, json)
                                                          : LAMP_OK;
    if (rc == CURLE_WRITE_ERROR && ferror(to))
        fprintf(stderr, "davylamp: the file cannot be written: %s\n", lamp_strerror(-errno));
    json_decref(json);
    free(f.answer.data);
    return err;
}

/* again: 503 is not said, it is LAMP_EAGAIN. */
static int call(lamp_client *c, const char *method, const char *path, struct curl_slist *headers,
                const char *body, size_t len, bool again, json_t **out_body)
{
    char url[1024], error[CURL_ERROR_SIZE] = "";
    struct answer answer = { 0 };
    long status = 0;
    if (!url_of(c, path, url, sizeof(url)))
        return LAMP_ENOMEM;

    const CURLcode rc = perform(c, method, url, headers, body, len, &answer, error);
    if (rc != CURLE_OK) {
        free(answer.data);
        return no_connection(c, rc, error);
    }
    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    json_t *json = answer.data ? json_loadb(answer.data, answer.len, 0, NULL) : NULL;
    free(answer.data);
    int err = LAMP_OK;
    if (again && status == 503)
        err = LAMP_EAGAIN;
    else if (status < 200 || status > 299 || (!json && status != 204))
        err = refused(c, status, json);
    if (err)
        json_decref(json);
    else
        *out_body = json;
    return err;
}

int lamp_client_call(lamp_client *c, const char *method, const char *path, const json_t *body,
                     json_t **out_body)
{
    LAMP_AUTO_FREE char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    if (body && !text)
        return LAMP_ENOMEM;
    return call(c, method, path, c->headers, text, text ? strlen(text) : 0, false, out_body);
}

int lamp_client_put(lamp_client *c, const char *path, const void *data, size_t len,
                    json_t **out_body)
{
    /* The first header is the type, the others are as ever. */
    struct curl_slist first = { (char[]){ "Content-Type: application/octet-stream" },
                                c->headers->next };
    return call(c, "PUT", path, &first, data, len, true, out_body);
}

bool lamp_client_escape(const char *text, char *out, size_t size)
{
    size_t n = 0;
    for (; *text; text++) {
        const char c = *text;
        const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                           (c >= 'A' && c <= 'Z') || strchr("-._~", c);
        if (n + 4 > size)
            return false;
        n += (size_t)snprintf(out + n, size - n, plain ? "%c" : "%%%02X", (unsigned char)c);
    }
    return true;
}
