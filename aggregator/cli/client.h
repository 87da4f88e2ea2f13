/* SPDX-License-Identifier: Apache-2.0 */
/* client: REST calls to the aggregator, with the errors a person can act on. */
#pragma once

#include "common/err.h"
#include "common/util.h"

#include <jansson.h>
#include <stdio.h>

typedef struct lamp_client lamp_client;

/* Readies calls to the API at url ("http://127.0.0.1:8080"), with the token of token_file;
 * ca: a file of certificates to trust instead of the system's, or NULL. Says on
 * stderr what is wrong. LAMP_EAUTH: the file cannot be read. LAMP_ENOMEM. */
LAMP_CHECK int lamp_client_open(const char *url, const char *token_file, const char *ca,
                                lamp_client **out);
lamp_client *lamp_client_close(lamp_client *c);

/* Calls method path ("/status") with a body (NULL: none). *out_body is the answer, json_decref()
 * it; NULL where there is none (204). Errors are said on stderr: LAMP_EIO no connection,
 * LAMP_EAUTH 401, LAMP_EPROTO anything else that is not 2xx or not JSON. */
LAMP_CHECK int lamp_client_call(lamp_client *c, const char *method, const char *path,
                                const json_t *body, json_t **out_body);

/* Percent-encodes for a query what is not unreserved (RFC 3986 section 2.3). Whether it fitted. */
bool lamp_client_escape(const char *text, char *out, size_t size);

/* GET path, whose answer is no JSON and may be of any size, into a file. Errors as above. */
LAMP_CHECK int lamp_client_fetch(lamp_client *c, const char *path, FILE *to);

/* The same of a list; *out_next: the number of the row that the next page is behind, 0: there is none. */
LAMP_CHECK int lamp_client_fetch_page(lamp_client *c, const char *path, FILE *to,
                                      int64_t *out_next);

/* PUT with bytes as they are. LAMP_EAGAIN, nothing said: 503, busy; else as above. */
LAMP_CHECK int lamp_client_put(lamp_client *c, const char *path, const void *data, size_t len,
                               json_t **out_body);
