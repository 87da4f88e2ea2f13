/* SPDX-License-Identifier: Apache-2.0 */
/* apps: which application a flow carries, by the first bytes of its payloads, else by its
 * service port. Pure functions over borrowed bytes; a look costs a few compares, and a bounded
 * parse where it is TLS or HTTP. */
#pragma once

#include "sensor/engine/conn.h"

enum lamp_app {
#define LAMP_APP(name, text) LAMP_APP_##name,
#include "sensor/rollup/apps.def"
#undef LAMP_APP
    LAMP_APP_COUNT
};

enum { LAMP_HTTP_LINES = 32 }; /* header lines looked at for the Host */

/* "https", "dns", ...; "" for LAMP_APP_UNKNOWN. Constant. */
const char *lamp_app_name(enum lamp_app app);

/* What is customary at a service port; LAMP_APP_UNKNOWN: nothing we know. */
enum lamp_app lamp_app_of_port(uint8_t ip_proto, uint16_t port);

struct lamp_app_seen {
    enum lamp_app app;      /* LAMP_APP_UNKNOWN: these bytes tell nothing */
    struct lamp_bytes name; /* the server's name that the client gave (SNI, Host); or empty */
};

/* Looks at one of the first payloads of a flow; dir: LAMP_UP from the client. DNS is only
 * looked for at its own port, in UDP and in TCP. */
struct lamp_app_seen lamp_app_look(uint8_t ip_proto, uint16_t server_port, enum lamp_dir dir,
                                   struct lamp_bytes payload);

/* The DNS message in a payload of a flow at port 53 (behind its length in TCP), empty if the
 * port is another. */
struct lamp_bytes lamp_app_dns(uint8_t ip_proto, uint16_t server_port, struct lamp_bytes payload);
