/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/engine/classify.h"

#include "common/min.h"
#include "common/pages.h"
#include "sensor/engine/classify_lines.h"
#include "sensor/engine/classify_verdict.h"
#include "sensor/recog/newblock.h"
#include "sensor/recog/proof.h"
#include "sensor/recog/registry.h"
#include "sensor/unwrap/unwrap.h"

#include <ctype.h>

enum {
    BUFFERS_PER_STATES = 8, /* one buffer of pieces for that many states, */
    MIN_BUFFERS = 8,        /* but at least so many */
    STATES_PER_INFLATER = 64,
    MIN_INFLATERS = 2, /* both directions of a flow */
    /* What following a session may cost, so that lines made to be read slowly (brackets in brackets, a hundred
     * in a packet) cost the machine no more than noise: a line is WORK_LINE and one for each of its values. A
     * session begins with WORK_FIRST and earns WORK_SECOND a second of its time, but has never more than
     * WORK_MOST: some 900 lines at once, then as many a second. A miner says a line in seconds, a proxy that
     * a thousand workers meet at once no more than that. */
    WORK_LINE = 8,
    WORK_FIRST = 16384,
    WORK_SECOND = 16384,
    WORK_MOST = 65536,
    WORK_AWAY_US = 10 * 1000 * 1000, /* no time off earns more than WORK_MOST */
};

/* One direction of a flow. */
struct half {
    struct lamp_lines lines;
    bool dead;     /* not a line protocol */
    bool excused;  /* the cut line of a start in mid-stream has been passed over */
    bool gapped;   /* bytes were missing */
    bool left_out; /* bytes before the next ones were not read: the session was over its budget */
    uint32_t n_lines; /* complete objects seen */
    uint32_t n_heads; /* of HTTP */
};

struct lamp_inspect {
    struct lamp_inspect *next_free;
    struct lamp_flow_facts facts;
    struct half half[2]; /* by direction relative to facts.client */
    struct lamp_unwrap unwrap;
    const struct lamp_recog *recog; /* NULL: none matched yet */
    enum lamp_firmness firm;        /* how firmly a line named its family */
    struct lamp_findings findings;
    bool swapped;
    int32_t work;                /* what is left of the budget, */
    uint64_t work_us;            /* and since when nothing was added */
    bool by_head;                /* recog was chosen by a head alone: a line may tell better */
    struct lamp_finding head[2]; /* what heads told, by side */
    uint32_t wallets_looked_up;  /* of session.new_wallets, */
    uint32_t in_list;            /* in that watch list: its number */
    struct lamp_web web;
    double height;               /* of lamp_newblock() */
    struct lamp_session session; /* not set before a recogniser matched */
};

struct lamp_classify {
    struct lamp_classify_cfg cfg;
    struct lamp_classify_counters counters;
    struct lamp_inspect *pool, *free; /* free: those given back */
    size_t n_used;                    /* the rest of the pool was never touched */
    lamp_unwrapper *unwrapper;
    lamp_proofs *proofs;
    lamp_registry *registry;
    const lamp_watch *watch;
    uint32_t n_lists;          /* how many there were */
    struct lamp_jsonline line; /* scratch: the line being read */
};

static size_t buffers_for(size_t states)
{
    const size_t n = states / BUFFERS_PER_STATES;
    return n > MIN_BUFFERS ? n : MIN_BUFFERS;
}

static size_t inflaters_for(size_t states)
{
    const size_t n = states / STATES_PER_INFLATER;
    return n > MIN_INFLATERS ? n : MIN_INFLATERS;
}

size_t lamp_classify_memory(size_t max_inspected)
{
    return sizeof(lamp_classify) + max_inspected * sizeof(struct lamp_inspect) +
           lamp_unwrapper_memory(buffers_for(max_inspected), inflaters_for(max_inspected)) +
           lamp_proofs_memory(buffers_for(max_inspected)) + lamp_registry_memory();
}

int lamp_classify_new(const struct lamp_classify_cfg *cfg, lamp_classify **out)
{
    if (cfg->max_inspected == 0)
        return LAMP_EINVAL;
    lamp_classify *c = calloc(1, sizeof(*c));
    if (!c)
        return LAMP_ENOMEM;
    c->cfg = *cfg;
    c->pool = lamp_pages_calloc(cfg->max_inspected, sizeof(*c->pool));
    const size_t buffers = buffers_for(cfg->max_inspected);
    if (!c->pool ||
        lamp_unwrapper_new(buffers, inflaters_for(cfg->max_inspected), &c->unwrapper) != LAMP_OK ||
        lamp_proofs_new(buffers, &c->proofs) != LAMP_OK ||
        lamp_registry_new(&c->registry) != LAMP_OK) {
        lamp_classify_free(c);
        return LAMP_ENOMEM;
    }
    *out = c;
    return LAMP_OK;
}

lamp_classify *lamp_classify_free(lamp_classify *c)
{
    if (c) {
        free(c->pool);
        lamp_unwrapper_free(c->unwrapper);
        lamp_proofs_free(c->proofs);
        lamp_registry_free(c->registry);
        free(c);
    }
    return NULL;
}

struct lamp_classify_counters lamp_classify_counters(const lamp_classify *c)
{
    return c->counters;
}

void lamp_classify_watch(lamp_classify *c, const lamp_watch *watch)
{
    c->watch = watch;
    c->n_lists++;
}

/* ---- whether to look at all ---- */

/* Text protocols open with a word and a blank or dash: "GET /", "220 mail", "SSH-2.0". The
 * rest of a cut JSON line does not. */
static bool opens_with_word(struct lamp_bytes p)
{
    size_t i = 0;
    while (i < p.len && i < 12 && (isalnum(p.data[i]) || p.data[i] == '.'))
        i++;
    return i >= 2 && i < p.len && (p.data[i] == ' ' || p.data[i] == '-' || p.data[i] == '\r');
}

/* A brace after at most four blanks, and behind it what may follow in an object (RFC 8259 section
 * 4), as far as it is there: noise that begins with a brace is not worth a state. */
static bool opens_object(struct lamp_bytes p)
{
    size_t i = 0;
    while (i < p.len && i < 4 && isspace(p.data[i]))
        i++;
    if (i == p.len || p.data[i++] != '{')
        return false;
    while (i < p.len && isspace(p.data[i]))
        i++;
    return i == p.len || p.data[i] == '"' || p.data[i] == '}';
}

enum lamp_interest lamp_classify_peek(struct lamp_bytes payload, enum lamp_dir dir,
                                      uint32_t n_payloads)
{
    (void)dir;
    if (payload.len == 0 || (payload.len == 1 && payload.data[0] != '{'))
        return LAMP_INTEREST_SKIP; /* keep-alive probes carry one byte of anything */
    if (opens_object(payload))
        return LAMP_INTEREST_MORE;
    const enum lamp_unwrap_first first = lamp_unwrap_first(payload);
    if (first == LAMP_UNWRAP_FIRST_MAYBE)
        return LAMP_INTEREST_MORE;
    if (n_payloads > 0)
        return LAMP_INTEREST_SKIP;
    for (size_t i = 0; i < payload.len && i < 4; i++)
        if (payload.data[i] < 0x20 && !isspace(payload.data[i]))
            return LAMP_INTEREST_NEVER; /* binary: TLS, p2p, ... */
    return opens_with_word(payload) ? LAMP_INTEREST_NEVER : LAMP_INTEREST_SKIP;
}

/* ---- states ---- */

bool lamp_classify_full(const lamp_classify *c)
{
    return !c->free && c->n_used == c->cfg.max_inspected;
}

int lamp_classify_open(lamp_classify *c, const struct lamp_flow_facts *facts, lamp_inspect **out)
{
    lamp_inspect *s = c->free;
    if (s) {
        c->free = s->next_free;
    } else if (c->n_used < c->cfg.max_inspected) {
        s = &c->pool[c->n_used++];
    } else {
        c->counters.refused++;
        return LAMP_EFULL;
    }
    memset(s, 0, offsetof(struct lamp_inspect, session)); /* begin_session() sets up the rest */
    s->facts = *facts;
    s->work = WORK_FIRST;
    s->work_us = facts->first_us;
    c->counters.inspected++;
    *out = s;
    return LAMP_OK;
}

void lamp_classify_close(lamp_classify *c, lamp_inspect *s)
{
    lamp_lines_done(&s->half[0].lines);
    lamp_lines_done(&s->half[1].lines);
    lamp_unwrap_done(&s->unwrap);
    s->next_free = c->free;
    c->free = s;
}

struct lamp_conn *lamp_inspect_conn(lamp_inspect *s)
{
    if (!s->recog || s->session.conn.verdict == LAMP_VERDICT_NONE)
        return NULL;
    return &s->session.conn;
}

void lamp_inspect_named(lamp_inspect *s)
{
    lamp_session_refresh(&s->session);
}

bool lamp_inspect_swapped(const lamp_inspect *s)
{
    return s->swapped;
}

/* ---- lines ---- */

static void set_recog(lamp_inspect *s, const struct lamp_recog *r, enum lamp_firmness firm)
{
    s->recog = r;
    s->firm = firm;
    s->session.conn.family = r->family;
    lamp_session_family(&s->session, r->wallet_family, r->algorithm, r->coin);
}

/* Begins a session of the recogniser; dir: where the line came from, relative to facts. */
static void begin_session(lamp_classify *c, lamp_inspect *s, const struct lamp_recog *r,
                          const struct lamp_finding *f, enum lamp_dir dir, uint64_t t_us)
{
    if (!s->recog)
        c->counters.matched++;
    const struct lamp_flow_facts *a = &s->facts;
    const uint64_t id = s->recog ? s->session.conn.id : 0;
    s->findings = (struct lamp_findings){ .wallet = r->wallet, .t_us = t_us };
    s->swapped = f->dir != dir;
    s->wallets_looked_up = 0;
    s->session = (struct lamp_session){
        .catalogue = c->cfg.catalogue,
        .proofs = c->proofs,
        .web = &s->web,
        .now_us = t_us,
    };
    set_recog(s, r, f->firm);
    struct lamp_conn *conn = &s->session.conn;
    conn->id = id; /* the engine's, from before if another family was supposed */
    conn->client = s->swapped ? a->server : a->client;
    conn->server = s->swapped ? a->client : a->server;
    conn->client_port = s->swapped ? a->server_port : a->client_port;
    conn->server_port = s->swapped ? a->client_port : a->server_port;
    conn->ip_proto = a->ip_proto;
    conn->midstream = !a->saw_syn;
    conn->first_us = a->first_us;
    conn->work_from_us = t_us;
    conn->tunnel = s->unwrap.tunnel;
    if (r->http)
        lamp_session_web(&s->session);
}

static bool is_dialect_of(const struct lamp_recog *a, const struct lamp_recog *base)
{
    while (a && a != base)
        a = a->base;
    return a != NULL;
}

static bool is_related(const struct lamp_recog *a, const struct lamp_recog *b)
{
    while (b->base)
        b = b->base;
    return is_dialect_of(a, b);
}

/* Whether a finding makes r the recogniser of a session that has one. A dialect knows all that its
 * base does, so a name never gets less specific. */
static bool is_firmer(const lamp_inspect *s, const struct lamp_recog *r,
                      const struct lamp_finding *f)
{
    const enum lamp_grade best = lamp_verdict_best(&s->findings);
    if (s->by_head)
        return f->dir == LAMP_UP; /* only what is asked tells better than a head */
    if (s->recog->wallet && !r->wallet)
        return true;
    if (r != s->recog && is_dialect_of(s->recog, r))
        return false;
    return f->grade != best ? f->grade > best : f->grade == LAMP_GRADE_CERTAIN && f->firm > s->firm;
}

/* What heads told holds for the session that a line began as well. */
static void note_heads(lamp_inspect *s)
{
    for (int dir = 0; dir < 2; dir++)
        lamp_verdict_note(&s->session.conn, &s->findings, &s->head[dir], 0);
    s->by_head = false;
}

/* Tells the block clock of a job that came with a new block. */
static void note_block(lamp_classify *c, lamp_inspect *s, uint64_t t_us)
{
    struct lamp_conn *conn = &s->session.conn;
    if (!lamp_newblock(&c->line, &s->height))
        return;
    conn->block_us = t_us;
    if (c->cfg.clock && conn->coin)
        (void)lamp_blockclock_block(c->cfg.clock, conn->coin, t_us);
}

/* Whether no line may name a better recogniser: following a miner asks one only. */
static bool is_settled(const lamp_inspect *s)
{
    return s->recog && !s->recog->wallet && !s->by_head && s->firm == LAMP_FIRM_OWN &&
           lamp_verdict_best(&s->findings) == LAMP_GRADE_CERTAIN;
}

/* Chooses the recogniser by the line. Grades are compared first, then how firmly it names the family;
 * nothing is taken back that rests on certain words, or that the new family shares with the old. */
static void choose_recog(lamp_classify *c, lamp_inspect *s, const struct lamp_saying *saying,
                         enum lamp_dir dir, uint64_t t_us)
{
    struct lamp_finding f;
    if (is_settled(s))
        return;
    const bool open = !s->recog || s->recog->wallet; /* else a miner's wallet is no news */
    const struct lamp_recog *r = lamp_saying_best(saying, open, &f);
    if (!r || f.grade < LAMP_GRADE_STRONG || (s->recog && !is_firmer(s, r, &f)))
        return;
    const bool keeps =
        !open && !s->by_head &&
        (is_related(r, s->recog) || lamp_verdict_best(&s->findings) == LAMP_GRADE_CERTAIN);
    if (r == s->recog)
        s->firm = f.firm;
    else if (!keeps)
        begin_session(c, s, r, &f, dir, t_us);
    else if ((f.dir == dir) != s->swapped) /* else an echo of the other side's words */
        set_recog(s, r, f.firm);
    if (s->by_head)
        note_heads(s);
}

/* Looks the wallet up, if it is another one or the list is. */
static void look_up_wallet(lamp_classify *c, lamp_inspect *s)
{
    if (s->session.new_wallets == s->wallets_looked_up &&
        (s->in_list == c->n_lists || s->session.new_wallets == 0))
        return;
    s->wallets_looked_up = s->session.new_wallets;
    s->in_list = c->n_lists;
    const char *wallet = lamp_conn_current(&s->session.conn.wallets);
    const struct lamp_known_wallet found = lamp_identity_of_wallet(c->watch, wallet);
    if (found.mass.mining > 0)
        lamp_verdict_wallet(&s->session.conn, &s->findings, wallet, &found);
}

/* Takes the line in c->line. */
static void take_line(lamp_classify *c, lamp_inspect *s, enum lamp_dir dir, uint64_t t_us)
{
    const struct lamp_jsonline *line = &c->line;
    const uint32_t number = s->half[dir].n_lines;
    struct lamp_saying saying = lamp_saying_of(c->registry, line);
    choose_recog(c, s, &saying, dir, t_us);
    if (!s->recog)
        return;
    s->findings.t_us = t_us;
    const enum lamp_dir role = s->swapped ? (enum lamp_dir) !dir : dir;
    struct lamp_finding f = lamp_saying_judge(&saying, s->recog);
    if (f.grade != LAMP_GRADE_NONE && f.dir != role)
        return; /* an echo of the other side's words proves and tells nothing */
    lamp_verdict_note(&s->session.conn, &s->findings, &f, number);
    if (role == LAMP_DOWN)
        s->session.pool_spoke = true;
    s->session.now_us = t_us;
    const uint32_t shares = s->session.conn.shares.submitted;
    const uint32_t jobs = s->session.conn.jobs;
    f = lamp_saying_take(&saying, s->recog, &s->session, role);
    lamp_proof_line(&s->session, line, role == LAMP_UP, s->session.conn.shares.submitted > shares);
    lamp_verdict_note(&s->session.conn, &s->findings, &f, number);
    if (s->session.conn.verdict < LAMP_VERDICT_CONFIRMED && lamp_proof_holds(&s->session.values))
        lamp_verdict_proven(&s->session.conn, &s->findings);
    if (role == LAMP_UP)
        look_up_wallet(c, s);
    lamp_session_refresh(&s->session);
    if (s->session.conn.jobs != jobs)
        note_block(c, s, t_us);
}

/* ---- bytes to lines ---- */

/* A byte that no JSON line has here: before a match that ends the direction, since a line
 * protocol has nothing but lines; but a flow met in mid-stream may begin with the rest of one,
 * and a session may have the odd bad line. */
static void broken_line(lamp_inspect *s, struct half *h)
{
    if (!s->recog && (s->facts.saw_syn || h->n_lines || h->excused))
        h->dead = true;
    h->excused = true;
}

/* What a head tells by itself. */
static void judge_head(lamp_classify *c, lamp_inspect *s, enum lamp_dir dir,
                       const struct lamp_http_head *head, uint64_t t_us)
{
    size_t n;
    const struct lamp_recog *const *all = lamp_recogs(&n);
    for (size_t i = 0; i < n; i++) {
        struct lamp_finding f = { .grade = LAMP_GRADE_NONE, .dir = dir };
        if (all[i]->judge_head)
            f = all[i]->judge_head(head);
        if (f.grade == LAMP_GRADE_NONE)
            continue;
        s->head[f.dir] = f;
        if (!s->recog || s->recog->wallet) {
            begin_session(c, s, all[i], &f, dir, t_us);
            s->by_head = true;
        }
        if (s->recog->http && f.dir == (s->swapped ? (enum lamp_dir) !dir : dir))
            lamp_verdict_note(&s->session.conn, &s->findings, &f, 0);
    }
}

static void take_head(lamp_classify *c, lamp_inspect *s, enum lamp_dir dir,
                      const struct lamp_http_head *head, uint64_t t_us)
{
    struct half *h = &s->half[dir];
    h->n_heads++;
    if (!head->is_response && !lamp_bytes_eq(head->method, "CONNECT"))
        lamp_web_request(&s->web, head);
    if (head->mining)
        judge_head(c, s, dir, head, t_us);
    if (s->recog && s->recog->http) {
        if (!head->is_response)
            lamp_session_web(&s->session);
        lamp_session_refresh(&s->session);
    }
    h->dead = !s->recog && h->n_heads >= LAMP_PROBE_LINES;
}

/* Takes the lines out of unwrapped bytes. Returns how many of these are left because a wrapper
 * begins there. */
static size_t take_text(lamp_classify *c, lamp_inspect *s, enum lamp_dir dir,
                        const struct lamp_unwrapped *u, uint64_t t_us)
{
    struct half *h = &s->half[dir];
    struct lamp_bytes bytes = u->bytes;
    if (u->anew)
        lamp_lines_anew(&h->lines, u->message);
    c->line.in_http = u->http;
    while (!h->dead) {
        const enum lamp_lines_event event =
            lamp_lines_next(&h->lines, lamp_unwrapper_pieces(c->unwrapper), &bytes, &c->line);
        if (event == LAMP_LINES_MORE)
            break;
        s->work--;
        if (event == LAMP_LINES_LINE || event == LAMP_LINES_ODD) {
            h->n_lines++;
            s->work -= WORK_LINE + c->line.n;
            if (event == LAMP_LINES_LINE)
                take_line(c, s, dir, t_us);
            h->dead = !s->recog && h->n_lines >= LAMP_PROBE_LINES;
            continue;
        }
        if (u->message)
            continue; /* messages hold anything */
        const struct lamp_bytes rest = { bytes.data - 1, bytes.len + 1 };
        if (event == LAMP_LINES_STRAY && u->given && (h->gapped || !s->facts.saw_syn) &&
            lamp_unwrap_again(&s->unwrap, dir, rest)) {
            lamp_lines_anew(&h->lines, false);
            return rest.len;
        }
        broken_line(s, h);
    }
    return 0;
}

static void take_bytes(lamp_classify *c, lamp_inspect *s, enum lamp_dir dir,
                       struct lamp_bytes bytes, uint64_t t_us)
{
    struct half *h = &s->half[dir];
    struct lamp_unwrapped u;
    while (!h->dead) {
        const enum lamp_unwrap_event event =
            lamp_unwrap_next(c->unwrapper, &s->unwrap, dir, &bytes, &u);
        if (event == LAMP_UNWRAP_MORE)
            return;
        if (event == LAMP_UNWRAP_HEAD) {
            take_head(c, s, dir, &u.head, t_us);
            continue;
        }
        const size_t again = take_text(c, s, dir, &u, t_us);
        bytes.data -= again; /* part of what was given, so before what is left of it */
        bytes.len += again;
    }
}

/* Whether nothing is left of the session's budget at t_us. */
static bool is_overdrawn(lamp_inspect *s, uint64_t t_us)
{
    if (t_us > s->work_us) {
        const uint64_t away_us = lamp_min_u64(t_us - s->work_us, WORK_AWAY_US);
        const int32_t earned = (int32_t)(away_us * WORK_SECOND / 1000000);
        if (earned > 0) { /* else let the fraction grow */
            s->work = s->work + earned < WORK_MOST ? s->work + earned : WORK_MOST;
            s->work_us = t_us;
        }
    }
    return s->recog && s->work <= 0;
}

enum lamp_interest lamp_classify_stream(lamp_classify *c, lamp_inspect *s, enum lamp_dir dir,
                                        struct lamp_bytes bytes, bool gap, uint64_t t_us)
{
    struct half *h = &s->half[dir];
    if (is_overdrawn(s, t_us)) {
        h->left_out = true;
        c->counters.left_out_bytes += bytes.len;
        return LAMP_INTEREST_MORE;
    }
    if (gap || h->left_out) {
        lamp_unwrap_gap(&s->unwrap, dir);
        lamp_lines_gap(&h->lines);
        h->gapped = true;
        h->left_out = false;
    }
    take_bytes(c, s, dir, bytes, t_us);
    if (s->recog)
        return LAMP_INTEREST_MORE;
    if (s->unwrap.hopeless)
        return LAMP_INTEREST_NEVER;
    /* what looked like a line by chance, in a flow whose start nobody saw, holds no state: the
     * flow gets another chance with the next such look */
    const struct half *other = &s->half[!dir];
    const bool chance = !s->facts.saw_syn && other->n_lines == 0 && !other->lines.in_line;
    return h->dead && (other->dead || chance) ? LAMP_INTEREST_NEVER : LAMP_INTEREST_MORE;
}
