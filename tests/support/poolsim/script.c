/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/poolsim/script.h"

#include "common/io.h"
#include "common/text.h"
#include "tests/support/poolsim/session.h"

#include <stdio.h>

enum { FLOW_OPTS = 27 };

/* The keys of a flow block, bound to one flow. */
static void flow_opts(struct sim_script_flow *f, struct sim_opt out[FLOW_OPTS])
{
    const struct sim_opt all[FLOW_OPTS] = {
        { "client", SIM_OPT_ENDPOINT, &f->client, "the end that connects" },
        { "server", SIM_OPT_ENDPOINT, &f->server, "the other end" },
        { "vlan", SIM_OPT_STR, &f->vlan, "VLAN ids, outermost first, commas between" },
        { "at", SIM_OPT_DOUBLE, &f->at, "seconds after the start of the file" },
        { "rtt", SIM_OPT_DOUBLE, &f->rtt, "round trip in seconds (0.03)" },
        { "mss", SIM_OPT_UINT, &f->mss, "longest TCP payload (1400)" },
        { "retransmit", SIM_OPT_DOUBLE, &f->retransmit, "probability that a segment comes twice" },
        { "reorder", SIM_OPT_DOUBLE, &f->reorder, "probability that two segments swap" },
        { "hide", SIM_OPT_STR, &f->hide, "direction that the capture does not see: up, down" },
        { "midstream", SIM_OPT_FLAG, &f->midstream, "no TCP handshake in the capture" },
        { "end", SIM_OPT_STR, &f->end, "how it ends: fin, rst, open" },
        { "user", SIM_OPT_STR, &f->user, "WALLET.WORKER as the miner sends it" },
        { "agent", SIM_OPT_STR, &f->agent, "mining software as it names itself" },
        { "password", SIM_OPT_STR, &f->password, "password field (x)" },
        { "difficulty", SIM_OPT_DOUBLE, &f->difficulty, "of the pool" },
        { "hashrate", SIM_OPT_DOUBLE, &f->hashrate, "true hashes per second" },
        { "share-every", SIM_OPT_DOUBLE, &f->share_every, "mean seconds, instead of hashrate" },
        { "job-every", SIM_OPT_DOUBLE, &f->job_every, "seconds between jobs (30)" },
        { "idle-every", SIM_OPT_DOUBLE, &f->idle_every, "seconds between keep-alives, polls (0)" },
        { "claim", SIM_OPT_DOUBLE, &f->claim, "hash rate the miner reports (eth-proxy)" },
        { "reject", SIM_OPT_DOUBLE, &f->reject, "probability that a share is refused" },
        { "duration", SIM_OPT_DOUBLE, &f->duration, "seconds (60 where shares is not given)" },
        { "shares", SIM_OPT_UINT, &f->shares, "end after so many shares" },
        { "no-answer", SIM_OPT_FLAG, &f->no_answer, "the pool stays silent" },
        { "bytes", SIM_OPT_UINT, &f->bytes, "http, tls: size of the answer (20000)" },
        { "host", SIM_OPT_STR, &f->host, "http, dns, tls: the server's name" },
        { "answer", SIM_OPT_STR, &f->answer, "dns: IPv4 address in the answer" },
    };
    memcpy(out, all, sizeof(all));
}

void sim_script_help(void)
{
    struct sim_script_flow f = { 0 };
    struct sim_opt opts[FLOW_OPTS];
    flow_opts(&f, opts);
    puts("Keys of a flow block (without the dashes):");
    sim_opt_help(opts, FLOW_OPTS);
}

struct parser {
    struct sim_script *script;
    struct sim_script_flow *flow; /* the open block, NULL outside */
    char *why;
};

static int say(struct parser *p, const char *what, const char *detail)
{
    snprintf(p->why, SIM_WHY, "%s %s", what, detail);
    return LAMP_EFORMAT;
}

/* Cuts the first word off a line: terminates it and returns what follows. */
static char *cut_word(char *line)
{
    char *end = line + strcspn(line, " \t");
    if (*end == '\0')
        return end;
    *end++ = '\0';
    return end + strspn(end, " \t");
}

static bool known_kind(const char *kind)
{
    return sim_family_find(kind) || streq(kind, "raw") || streq(kind, "http") ||
           streq(kind, "dns") || streq(kind, "tls");
}

static int begin_flow(struct parser *p, char *rest)
{
    char *kind = cut_word(rest);
    if (rest[0] == '\0' || !known_kind(kind))
        return say(p, "flow NAME KIND: unknown kind", kind);
    if (p->script->n_flows == SIM_SCRIPT_FLOWS)
        return say(p, "too many flows:", rest);
    struct sim_script_flow *flows =
        realloc(p->script->flows, (p->script->n_flows + 1) * sizeof(*flows));
    if (!flows)
        return LAMP_ENOMEM;
    p->script->flows = flows;
    p->flow = &flows[p->script->n_flows++];
    *p->flow = (struct sim_script_flow){ .name = rest,
                                         .kind = kind,
                                         .rtt = 0.03,
                                         .job_every = 30,
                                         .bytes = 20000,
                                         .user = "account.worker",
                                         .agent = "miner/1.0",
                                         .password = "x",
                                         .host = "www.example.org",
                                         .answer = "192.0.2.80",
                                         .hide = "",
                                         .end = "fin" };
    return LAMP_OK;
}

static int end_flow(struct parser *p)
{
    struct sim_script_flow *f = p->flow;
    p->flow = NULL;
    if (f->client.port == 0 || f->server.port == 0)
        return say(p, "client or server is missing in flow", f->name);
    if (lamp_addr_is_v4(&f->client.addr) != lamp_addr_is_v4(&f->server.addr))
        return say(p, "client and server are of different address families in flow", f->name);
    if (!streq(f->hide, "") && !streq(f->hide, "up") && !streq(f->hide, "down"))
        return say(p, "hide must be up or down, not", f->hide);
    if (!streq(f->end, "fin") && !streq(f->end, "rst") && !streq(f->end, "open"))
        return say(p, "end must be fin, rst or open, not", f->end);
    if (f->duration == 0 && f->shares == 0)
        f->duration = 60;
    return LAMP_OK;
}

static int add_line(struct parser *p, char what, const char *text)
{
    struct sim_script_flow *f = p->flow;
    struct sim_script_line *lines = realloc(f->lines, (f->n_lines + 1) * sizeof(*lines));
    if (!lines)
        return LAMP_ENOMEM;
    f->lines = lines;
    f->lines[f->n_lines++] = (struct sim_script_line){ what, text };
    return LAMP_OK;
}

static int flow_statement(struct parser *p, const char *key, char *rest)
{
    double seconds;
    if (streq(key, "end") && rest[0] == '\0')
        return end_flow(p);
    if (key[0] != '\0' && key[1] == '\0' && strchr("csCS", key[0]))
        return add_line(p, key[0], rest);
    if (streq(key, "wait")) {
        if (lamp_text_double(rest, 0, 1e9, &seconds))
            return say(p, "wait SECONDS, not", rest);
        return add_line(p, 'w', rest);
    }
    struct sim_opt opts[FLOW_OPTS];
    flow_opts(p->flow, opts);
    return sim_opt_set(opts, FLOW_OPTS, key, rest, p->why) ? LAMP_EFORMAT : LAMP_OK;
}

static int statement(struct parser *p, char *line)
{
    char *rest = cut_word(line);
    if (line[0] == '\0' || line[0] == '#')
        return LAMP_OK;
    if (p->flow)
        return flow_statement(p, line, rest);
    if (streq(line, "flow"))
        return begin_flow(p, rest);
    const struct sim_opt opts[] = {
        { "start", SIM_OPT_DOUBLE, &p->script->start, "" },
        { "seed", SIM_OPT_UINT, &p->script->seed, "" },
    };
    return sim_opt_set(opts, ARRAY_LEN(opts), line, rest, p->why) ? LAMP_EFORMAT : LAMP_OK;
}

static int parse(const char *path, struct sim_script *s, char why[SIM_WHY])
{
    char what[SIM_WHY] = "";
    struct parser p = { .script = s, .why = what };
    unsigned number = 0;
    int err = LAMP_OK;

    for (char *line = s->text, *next; !err && line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        number++;
        err = statement(&p, line + strspn(line, " \t"));
    }
    if (!err && p.flow)
        err = say(&p, "end is missing in flow", p.flow->name);
    if (err == LAMP_EFORMAT)
        snprintf(why, SIM_WHY, "%.100s:%u: %.120s", path, number, what);
    return err;
}

int sim_script_load(const char *path, struct sim_script *out, char why[SIM_WHY])
{
    struct sim_script s = { .start = 1767600000, .seed = 1 };
    size_t len;
    int err = lamp_io_read_file(path, SIM_SCRIPT_BYTES, &s.text, &len);
    if (err) {
        snprintf(why, SIM_WHY, "%.150s: %s", path, lamp_strerror(err));
        return err;
    }
    err = parse(path, &s, why);
    if (err) {
        sim_script_done(&s);
        return err;
    }
    *out = s;
    return LAMP_OK;
}

void sim_script_done(struct sim_script *s)
{
    for (size_t i = 0; i < s->n_flows; i++)
        free(s->flows[i].lines);
    free(s->flows);
    free(s->text);
    *s = (struct sim_script){ 0 };
}
