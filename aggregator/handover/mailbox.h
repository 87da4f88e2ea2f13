/* SPDX-License-Identifier: Apache-2.0 */
/* mailbox: a bounded first-in, first-out queue of letters between two threads. A letter
 * belongs to whoever holds it. Thread-safe. */
#pragma once

#include "proto/wire.h"

/* A message on its way: unpacked from a sensor (ingest to writer), or packed for one (writer
 * to ingest). */
struct lamp_letter {
    struct lamp_letter *next;
    char sensor[65];                /* to ingest: "" means every sensor of the site */
    char site[65];                  /* to ingest: "" and no sensor means every sensor */
    char key[41];                   /* to the writer: that its session has */
    struct lamp_session_id session; /* to ingest: all zero means whichever the sensor has */
    uint64_t at_us;                 /* when it arrived */
    uint64_t session_bytes;         /* received in the session up to here */
    uint64_t credit_bytes; /* to ingest: what the session may send from now on; 0: as before */
    bool short_of_credit;  /* to the writer: the session has used up what it was given */
    bool shared_key;       /* to the writer: another sensor with this key was just pushed out */
    size_t cost;           /* bytes on the wire */
    struct lamp_msg *msg;  /* from a sensor */
    uint8_t *data;         /* for a sensor; len bytes, 0: see whether its key still holds */
    size_t len;
};

typedef struct lamp_mailbox lamp_mailbox;

/* Holds letters until their costs add up to limit bytes. LAMP_ENOMEM, negated errno. */
LAMP_CHECK int lamp_mailbox_new(size_t limit, lamp_mailbox **out);

/* Frees the letters still in it too. */
lamp_mailbox *lamp_mailbox_free(lamp_mailbox *m);

struct lamp_letter *lamp_letter_free(struct lamp_letter *l);

/* Takes *l and nulls it. LAMP_EFULL: no room; the letter stays with the caller. */
LAMP_CHECK int lamp_mailbox_put(lamp_mailbox *m, struct lamp_letter **l);

/* The oldest letter, the caller's to free; NULL: none. */
struct lamp_letter *lamp_mailbox_take(lamp_mailbox *m);

bool lamp_mailbox_has_room(lamp_mailbox *m);

/* Bytes that may still be put; 0: no room. */
size_t lamp_mailbox_room(lamp_mailbox *m);

/* Bytes of the letters that wait. */
size_t lamp_mailbox_waiting(lamp_mailbox *m);

/* Readable while letters wait. */
int lamp_mailbox_fd(const lamp_mailbox *m);
