/* SPDX-License-Identifier: Apache-2.0 */
/* credentials: which keys a connection is made with, ours and the aggregator's; their replacement
 * while the sensor runs (docs/WIRE.md, "Keys"); asking to be let in where ours is not known. Used
 * by the link process alone, from its one thread. */
#pragma once

#include "proto/wire.h"
#include "sensor/conf.h"
#include "sensor/link/key.h"

typedef struct lamp_credentials lamp_credentials;

/* Sends a packed message in the session. */
typedef int lamp_credentials_send_fn(const uint8_t *data, size_t len, void *arg);

/* Reads link.key_file and what became of it since. conf is borrowed until the end. An error was
 * logged, and is that of lamp_key_load() or lamp_keychain_load(). */
LAMP_CHECK int lamp_credentials_open(const struct lamp_sensor_conf *conf,
                                     lamp_credentials_send_fn *send, void *arg,
                                     lamp_credentials **out);
lamp_credentials *lamp_credentials_close(lamp_credentials *c);

/* For the next attempt to connect: our pair, and the aggregator's public key (Z85). */
const struct lamp_key *lamp_credentials_key(const lamp_credentials *c);
const char *lamp_credentials_server(const lamp_credentials *c);

/* How the attempt went: a session stands; our key was refused; the aggregator has another key than
 * we think. After the last two the next attempt is made with the other keys that may hold. */
void lamp_credentials_session(lamp_credentials *c);
void lamp_credentials_refused(lamp_credentials *c);
void lamp_credentials_no_handshake(lamp_credentials *c);

/* A KEY_STATE came. Returns whether to connect anew, with our next key. */
bool lamp_credentials_state(lamp_credentials *c, const struct lamp_key_state *k);

/* A SERVER_KEY came: the key that the aggregator will have next. */
void lamp_credentials_announced(lamp_credentials *c, const struct lamp_server_key *k);

/* Serial of the newest announcement that was taken; 0: none. */
uint64_t lamp_credentials_server_serial(const lamp_credentials *c);

/* In a session: tells the aggregator which key comes next, once there is one to tell. */
void lamp_credentials_tell_next(lamp_credentials *c);

/* Asks to be let in, where that is due. Returns whether we just were. */
bool lamp_credentials_ask(lamp_credentials *c, uint64_t mono_us);
