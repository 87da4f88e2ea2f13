/* SPDX-License-Identifier: Apache-2.0 */
/* fake_store: a store of a few known rows in place of a real one, so that tests of the API can say
 * exactly what must come out. Linked instead of a backend. Thread-safe. */
#pragma once

#include "aggregator/handover/command.h"
#include "aggregator/store/store.h"

#define FAKE_SITE "berlin"
#define FAKE_KEY "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7" /* of RFC 32 */
#define FAKE_SENSOR "sensor-berlin"
#define FAKE_NOW_US UINT64_C(1700000000000000)
#define FAKE_FAR_US UINT64_C(4000000000000000)

/* A worker name as an attacker would choose it. */
#define FAKE_HOSTILE "<img src=x onerror=alert(1)>\"'\\\x1b[2J\xe2\x80\xae\xff\t"

/* Lets some of the calls fail with LAMP_ESTORE. */
void fake_store_break(bool yes);

/* Marks miner 3; false: another is meant. */
bool fake_store_mark(const struct lamp_command *cmd);

/* What the writer would do with a command. */
void fake_store_add_block(const struct lamp_command *cmd, int64_t id);
bool fake_store_remove_block(int64_t id);
