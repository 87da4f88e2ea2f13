/* SPDX-License-Identifier: Apache-2.0 */
/* recog: what a protocol recogniser is. Each is one file that exports one constant, named in
 * recog.def. A recogniser judges single JSON lines by their grammar and, once it has matched,
 * reads from each line what the session says. It keeps no state of its own: that is
 * struct lamp_session. Constants, so thread-safe. */
#pragma once

#include "sensor/recog/jsonline.h"
#include "sensor/recog/session.h"
#include "sensor/unwrap/http.h"

/* How far one line alone tells that it is mining (docs/DETECTION.md). */
enum lamp_grade {
    LAMP_GRADE_NONE,
    LAMP_GRADE_SUPPORT, /* what anyone may answer: counts beside a certain line only */
    LAMP_GRADE_STRONG,  /* the words of the protocol, but others use them too */
    LAMP_GRADE_CERTAIN, /* nothing but this protocol says this */
};

struct lamp_finding {
    enum lamp_grade grade;
    enum lamp_dir dir; /* LAMP_UP: a miner says this; LAMP_DOWN: a pool */
    const char *what;  /* static, for the evidence: "method mining.notify"; NULL: nothing */
};

struct lamp_recog {
    const char *name;          /* the file's and the vector folder's */
    const char *family;        /* in verdicts: "stratum-v1" */
    const char *wallet_family; /* family of the catalogue coins it may be paid in; NULL: any */
    const char *algorithm;     /* where nothing else tells it; NULL: unknown */
    bool http;   /* spoken in HTTP, whose Authorization and User-Agent are the miner's */
    bool wallet; /* node or wallet traffic, no mining: the verdict is LAMP_VERDICT_WALLET */

    /* Judges a line by itself, whoever said it. */
    struct lamp_finding (*judge)(const struct lamp_jsonline *line);

    /* Judges an HTTP head that has a header of mining (head->mining). NULL: none of its heads. */
    struct lamp_finding (*judge_head)(const struct lamp_http_head *head);

    /* Takes in a line of a session of this family; dir: LAMP_UP from the miner. Returns what
     * the line proves given the session (an answer to a known request), or grade NONE. */
    struct lamp_finding (*follow)(struct lamp_session *s, const struct lamp_jsonline *line,
                                  enum lamp_dir dir);
};

/* All of them, in the order of recog.def. */
const struct lamp_recog *const *lamp_recogs(size_t *out_n);

/* The contract of a recogniser over a growing stream: the first bytes of one direction.
 * A final answer never changes when more bytes arrive. */
enum lamp_probe {
    LAMP_NEED_MORE,
    LAMP_MATCH,    /* a certain line is among them; *out_hit tells which */
    LAMP_NO_MATCH, /* no line protocol, or LAMP_PROBE_LINES lines without a hit */
};

enum { LAMP_PROBE_LINES = 16 }; /* lines of a direction that are judged before giving up */

struct lamp_hit {
    struct lamp_finding finding;
    unsigned line; /* from 1 */
};

enum lamp_probe lamp_recog_probe(const struct lamp_recog *r, struct lamp_bytes prefix,
                                 struct lamp_hit *out_hit);

/* ---- what recognisers share ---- */

/* A method name and what a line with it is worth. */
struct lamp_method {
    const char *name, *what;
    size_t name_len;
    enum lamp_grade grade;
    enum lamp_dir dir;
};
#define LAMP_METHOD(name, grade, dir)                                                              \
    {                                                                                              \
        name, "method " name, sizeof(name) - 1, LAMP_GRADE_##grade, LAMP_##dir                     \
    }

/* The entry of the line's "method", or NULL; NULL also where the line has neither "params" nor "id",
 * so is no message of JSON-RPC but, say, a log entry about one. */
const struct lamp_method *lamp_method_find(const struct lamp_method *table, size_t n,
                                           const struct lamp_jsonline *line);

/* Whether text is exactly n hex digits (n 0: any number), after "0x" if so prefixed. */
bool lamp_is_hex(struct lamp_bytes text, size_t n);

/* Whether the line refuses a request as Stratum servers do: "error" an array of one of their codes
 * (20 to 25), a text and at most a trace, beside no result. */
bool lamp_is_stratum_error(const struct lamp_jsonline *line);

/* Whether the agent names known mining software. */
bool lamp_is_miner_agent(struct lamp_bytes agent);
