/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of notices.h. */
#pragma once

enum { LAMP_NOTICES_VERSION = 1 };

static const char lamp_notices_schema[] =
    "BEGIN IMMEDIATE;"
    /* window_us, window_n: since when attempts are counted, and how many there were. left_out: alerts for
     * which there was no room, that no message told of yet. n_dead: of its messages. */
    "CREATE TABLE receiver ("
    " name TEXT PRIMARY KEY, cursor INTEGER NOT NULL, left_out INTEGER NOT NULL DEFAULT 0,"
    " n_waiting INTEGER NOT NULL DEFAULT 0, n_dead INTEGER NOT NULL DEFAULT 0,"
    " window_us INTEGER NOT NULL DEFAULT 0, window_n INTEGER NOT NULL DEFAULT 0,"
    " messages INTEGER NOT NULL DEFAULT 0, alerts INTEGER NOT NULL DEFAULT 0,"
    " more INTEGER NOT NULL DEFAULT 0, failures INTEGER NOT NULL DEFAULT 0,"
    " dead_dropped INTEGER NOT NULL DEFAULT 0, sent_us INTEGER NOT NULL DEFAULT 0,"
    " failed_us INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '') STRICT;"
    /* message 0: in none yet */
    "CREATE TABLE notice ("
    " id INTEGER PRIMARY KEY, receiver TEXT NOT NULL, message INTEGER NOT NULL DEFAULT 0,"
    " alert INTEGER NOT NULL, kind INTEGER NOT NULL, subject TEXT NOT NULL, site TEXT NOT NULL,"
    " text TEXT NOT NULL, miner INTEGER NOT NULL, count INTEGER NOT NULL,"
    " first_us INTEGER NOT NULL, raised_us INTEGER NOT NULL, last_us INTEGER NOT NULL,"
    " put_us INTEGER NOT NULL) STRICT;"
    "CREATE INDEX notice_of ON notice (receiver, message, alert);"
    "CREATE TABLE message ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, receiver TEXT NOT NULL, made_us INTEGER NOT NULL,"
    " n INTEGER NOT NULL, more INTEGER NOT NULL, summary TEXT NOT NULL,"
    " tries INTEGER NOT NULL DEFAULT 0, due_us INTEGER NOT NULL DEFAULT 0,"
    " dead INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '') STRICT;"
    "CREATE INDEX message_of ON message (receiver, dead, id);"
    "PRAGMA user_version = 1; COMMIT";
