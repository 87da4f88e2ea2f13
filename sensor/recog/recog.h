/* SPDX-License-Identifier: Apache-2.0 */
/* recog: what a protocol recogniser is. Each is one file that exports one constant, named in
 * recog.def. A recogniser judges single JSON lines by their grammar and, once it has matched,
 * reads from each line what the session says. It keeps no state of its own: that is
 * struct lamp_session. Constants, so thread-safe.
 *
 * Families that share their words form a tree: a dialect names the recogniser it came from as its
 * base, lists what it says in a way of its own, and leaves the rest to the base. A session begins
 * with the family of its first telling line and moves, with all it has learned, to one that a later
 * line names more firmly (registry.h). */
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

/* How firmly a line names its family. */
enum lamp_firmness {
    LAMP_FIRM_GUESS,  /* words of one family that strangers say too */
    LAMP_FIRM_COMMON, /* words that a family and its dialects share */
    LAMP_FIRM_ASKED,  /* one end names the dialect that it would like to speak */
    LAMP_FIRM_OWN,    /* no other family says it like this: the session stays with it */
};

struct lamp_finding {
    enum lamp_grade grade;
    enum lamp_dir dir; /* LAMP_UP: a miner says this; LAMP_DOWN: a pool */
    const char *what;  /* static, for the evidence: "method mining.notify"; NULL: nothing */
    enum lamp_firmness firm;
};

/* A method, what a line with it is worth and what is read from it. params: the line's "params", or
 * "body" (Iron Fish), or else the line's own object. */
struct lamp_method {
    const char *name;
    size_t name_len;
    struct lamp_finding is; /* of every line that fits */
    const char *shape;      /* lamp_has_shape() of params; NULL: any */
    bool (*fits)(const struct lamp_jsonline *line,
                 const struct lamp_jsonvalue *params); /* or NULL */
    void (*take)(struct lamp_session *s, const struct lamp_jsonline *line,
                 const struct lamp_jsonvalue *params); /* NULL: nothing, or what the base takes */
};
#define LAMP_TELLS(method, why, worth, side, firmness)                                             \
    .name = method, .name_len = sizeof(method) - 1,                                                \
    .is = { LAMP_GRADE_##worth, LAMP_##side, why, LAMP_FIRM_##firmness }
#define LAMP_SAYS(method, worth, side, firmness)                                                   \
    LAMP_TELLS(method, "method " method, worth, side, firmness)

struct lamp_recog {
    const char *name;          /* the file's and the vector folder's */
    const char *family;        /* in verdicts: "stratum-v1" */
    const char *wallet_family; /* family of the catalogue coins it may be paid in; NULL: any */
    const char *algorithm;     /* where nothing else tells it; NULL: unknown */
    const char *coin;          /* the same for the coin */
    bool http;   /* spoken in HTTP, whose Authorization and User-Agent are the miner's */
    bool wallet; /* node or wallet traffic, no mining: the verdict is LAMP_VERDICT_WALLET */

    const struct lamp_recog *base;     /* takes what this one leaves; NULL: nobody does */
    const struct lamp_method *methods; /* the first that fits a line is the line's */
    size_t n_methods;

    /* Judges a line that no method fits, whoever said it. NULL: such lines tell nothing. */
    struct lamp_finding (*judge)(const struct lamp_jsonline *line);

    /* Judges an HTTP head that has a header of mining (head->mining). NULL: none of its heads. */
    struct lamp_finding (*judge_head)(const struct lamp_http_head *head);

    /* Takes in a line of a session of this family that no method takes; dir: LAMP_UP from the
     * miner. Returns what the line proves given the session (an answer to a known request), or
     * grade NONE. NULL: the base does. */
    struct lamp_finding (*follow)(struct lamp_session *s, const struct lamp_jsonline *line,
                                  enum lamp_dir dir);
};

/* The contract of a recogniser over a growing stream: the first bytes of one direction.
 * A final answer never changes when more bytes arrive. */
enum lamp_probe {
    LAMP_NEED_MORE,
    LAMP_MATCH,    /* a certain line is among them; *out_hit tells which */
    LAMP_NO_MATCH, /* no line protocol, or LAMP_PROBE_LINES lines without a hit */
};

/* ---- what recognisers share ---- */

/* The entry of the line's "method" in a table, whatever its shape, or NULL; NULL also where the line has
 * neither "params" nor "id", so is no message of JSON-RPC but, say, a log entry about one. */
const struct lamp_method *lamp_method_find(const struct lamp_method *table, size_t n,
                                           const struct lamp_jsonline *line);

/* Whether the items of an array are as the shape says, a letter each:
 *   H  string of 64 hex digits    w  of 8      X  of any number, all three after "0x" or not
 *   d  string of decimal digits   S  string    e  empty string
 *   n  number   b  true or false   0  null   a  array   o  object   .  any   *  (last) any more */
bool lamp_has_shape(const struct lamp_jsonline *line, const struct lamp_jsonvalue *array,
                    const char *shape);

/* Whether text begins with the prefix. */
bool lamp_begins_with(struct lamp_bytes text, const char *prefix);

/* Whether text is exactly n hex digits (n 0: any number), after "0x" if so prefixed. */
bool lamp_is_hex(struct lamp_bytes text, size_t n);

/* Whether the line refuses a request as Stratum servers do: "error" an array of one of their codes
 * (20 to 25), a text and at most a trace, beside no result. */
bool lamp_is_stratum_error(const struct lamp_jsonline *line);

/* Books what a server answers a miner in HTTP, and judges it: one of Stratum's refusals is a pool's, a yes
 * is what any server may say to a request that was seen. */
struct lamp_finding lamp_judge_http_answer(struct lamp_session *s,
                                           const struct lamp_jsonline *line);

/* Whether the agent names known mining software. */
bool lamp_is_miner_agent(struct lamp_bytes agent);
