/* SPDX-License-Identifier: Apache-2.0 */
/* samplebook: packet samples at the aggregator: orders of operators become ORDER messages, what sensors send
 * becomes files of a folder, one for each sensor and order (docs/WIRE.md, "Packet samples"). A file holds
 * pcapng blocks as they came, which nobody here looks into; the section header is put in front when it is
 * asked for. Bytes are on disk before the transaction that counts them is committed.
 * Bounded: LAMP_SAMPLES_KEPT orders, LAMP_SAMPLES_OPEN of them open, files of quota_bytes together and kept
 * for keep_days: the oldest go first. The writer thread's, inside its transaction. */
#pragma once

#include "aggregator/handover/command.h"
#include "aggregator/writer/answers.h"

typedef struct lamp_samplebook lamp_samplebook;

struct lamp_samplebook_cfg {
    lamp_store *store;  /* borrowed, as is folder */
    const char *folder; /* made if absent */
    uint64_t quota_bytes;
    uint32_t keep_days;
};

/* LAMP_ENOMEM, or the negated errno of making the folder. */
LAMP_CHECK int lamp_samplebook_new(const struct lamp_samplebook_cfg *cfg, lamp_samplebook **out);
lamp_samplebook *lamp_samplebook_free(lamp_samplebook *b);

/* A command LAMP_CMD_SAMPLE. LAMP_ENOENT: no sensor, or no sample, is meant. LAMP_EFULL: as many as there may
 * be. LAMP_ESTORE. */
LAMP_CHECK int lamp_samplebook_command(lamp_samplebook *b, const struct lamp_command *c,
                                       struct lamp_answers *answers, uint64_t now_us,
                                       struct lamp_command_result *r);

/* Orders a sample without a word in the audit log: *v as the command's, with created_by. r->key_id: its number.
 * Those of rings are LAMP_SAMPLES_RINGS at once, and only others of rings make room for them. Errors as above. */
LAMP_CHECK int lamp_samplebook_order(lamp_samplebook *b, const struct lamp_sample *v,
                                     struct lamp_answers *answers, uint64_t now_us,
                                     struct lamp_command_result *r);

/* The sensors that an order is for, whose ids the caller frees in any case. LAMP_ENOENT: there is none; LAMP_EFULL:
 * more than LAMP_SAMPLE_SENSORS; r->why says it. LAMP_ESTORE, LAMP_ENOMEM. */
struct lamp_recruits {
    const struct lamp_sample *v;
    char (*ids)[65];
    size_t n;
    bool too_many;
};
LAMP_CHECK int lamp_samplebook_recruit(lamp_store *s, const struct lamp_sample *v, uint64_t now_us,
                                       struct lamp_recruits *out, struct lamp_command_result *r);

/* An id for messages, drawn at random. */
uint64_t lamp_samplebook_draw(void);

/* Takes one out with its files; sensors where it is open are told that it is off. LAMP_ESTORE. */
LAMP_CHECK int lamp_samplebook_remove(lamp_samplebook *b, int64_t id, struct lamp_answers *answers);

/* A session of the sensor began: it hears of its open orders again. LAMP_ESTORE. */
LAMP_CHECK int lamp_samplebook_hello(lamp_samplebook *b, const struct lamp_letter *letter,
                                     int64_t sensor_ref, struct lamp_answers *answers);

/* Takes an ORDER_STATUS or a SAMPLE_CHUNK. Whatever makes no sense is answered with a SAMPLE_ACK that says
 * what does. LAMP_ESTORE. */
LAMP_CHECK int lamp_samplebook_letter(lamp_samplebook *b, const struct lamp_letter *letter,
                                      int64_t sensor_ref, struct lamp_answers *answers);

/* When lamp_samplebook_tick() has work next: it ends what nobody answered, says open orders again, and drops
 * files that are too old. */
uint64_t lamp_samplebook_due_us(const lamp_samplebook *b);
LAMP_CHECK int lamp_samplebook_tick(lamp_samplebook *b, struct lamp_answers *answers,
                                    uint64_t now_us);
