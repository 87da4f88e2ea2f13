/* SPDX-License-Identifier: Apache-2.0 */
/* stream: Server-Sent Events to browsers (WHATWG HTML, section 9.2). Each stream walks the ring of
 * lamp_events at its own pace; one that falls behind the ring gets `gap` and goes on from the
 * newest. Nothing is queued per stream but the event being written. `status` goes out at most once
 * a second, a comment every 15 s. Limits: 256 streams, 8 per session. A stream ends with
 * its session or token, and when what it may see changes.
 *
 * Threads: open and read on the web server's, wake and tick on the caller's one thread. */
#pragma once

#include "aggregator/handover/events.h"
#include "aggregator/http/http.h"

typedef struct lamp_streams lamp_streams;

/* Renders the object of an event as JSON, malloc'ed, for whoever may see the sites of scope; NULL:
 * there is none, or none any more. Called on the web server's threads. */
typedef char *lamp_stream_render_fn(void *app, const struct lamp_event *event, const char *scope,
                                    size_t *out_len);

LAMP_CHECK int lamp_streams_new(lamp_events *events, lamp_auth *auth, uint64_t epoch,
                                lamp_stream_render_fn *render, void *app, lamp_streams **out);
lamp_streams *lamp_streams_free(lamp_streams *s);

/* Answers a request with a stream, or with an error where a limit is reached. */
void lamp_streams_open(lamp_streams *s, const struct lamp_request *req, struct lamp_reply *reply);

/* Lets go on every stream that has something to send: after an event, and once a second. */
void lamp_streams_tick(lamp_streams *s, uint64_t now_us, uint64_t mono_us);

/* Ends every stream, now and in future: the web server can only be stopped after this. */
void lamp_streams_end(lamp_streams *s);

unsigned lamp_streams_count(lamp_streams *s);
