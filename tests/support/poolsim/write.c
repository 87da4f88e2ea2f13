/* SPDX-License-Identifier: Apache-2.0 */
/* `poolsim write`: a script becomes a capture file, and one JSON line a flow on stdout says what
 * is in it: the truth that tests compare with. */
#include "common/json.h"
#include "common/min.h"
#include "common/text.h"
#include "tests/support/capfile.h"
#include "tests/support/poolsim/commands.h"
#include "tests/support/poolsim/family.h"
#include "tests/support/poolsim/noisegen.h"
#include "tests/support/poolsim/script.h"
#include "tests/support/poolsim/session.h"
#include "tests/support/vector.h"

#include <stdio.h>

enum { RAW_BYTES = 65536 };

/* One flow being written. Times are seconds after the start of the file. */
struct writer {
    const struct sim_script_flow *f;
    struct lamp_capflow tcp;
    struct sim_client client;
    struct sim_pool pool;
    struct sim_out up, down;
    double start; /* of the file, seconds since 1970 */
    double work;  /* expected hashes of the shares sent */
};

static uint64_t at_us(const struct writer *w, double t)
{
    return (uint64_t)((w->start + t) * 1e6 + 0.5);
}

static int send_out(struct writer *w, enum lamp_capflow_dir dir, double t, struct sim_out *out)
{
    const int err = lamp_capflow_send(&w->tcp, dir, at_us(w, t), out->buf, out->len);
    out->len = 0;
    return err;
}

/* Hands each line of out to one end; its answers collect in reply. */
static int feed(struct writer *w, bool to_pool, const struct sim_out *out, struct sim_out *reply)
{
    for (size_t at = 0; at < out->len;) {
        const char *line = out->buf + at;
        const size_t len = (size_t)((const char *)memchr(line, '\n', out->len - at) - line);
        const int err = to_pool ? sim_pool_input(&w->pool, line, len, reply)
                                : sim_client_input(&w->client, line, len, reply);
        if (err)
            return err;
        at += len + 1;
    }
    return LAMP_OK;
}

/* Lets the two ends talk until both have nothing more to say; *t moves on. */
static int converse(struct writer *w, double *t)
{
    int err = LAMP_OK;
    while (!err && (w->up.len || w->down.len)) {
        if (w->up.len) {
            struct sim_out said = w->up;
            err = send_out(w, LAMP_CAPFLOW_UP, *t, &w->up);
            if (!err && !w->f->no_answer)
                err = feed(w, true, &said, &w->down);
            *t += w->f->rtt;
        }
        if (!err && w->down.len) {
            struct sim_out said = w->down;
            err = send_out(w, LAMP_CAPFLOW_DOWN, *t, &w->down);
            if (!err)
                err = feed(w, false, &said, &w->up);
            *t += w->f->rtt / 2;
        }
    }
    return err;
}

static double share_mean(const struct writer *w)
{
    if (w->f->hashrate > 0)
        return w->client.work / w->f->hashrate;
    return w->f->share_every > 0 ? w->f->share_every : 10;
}

/* The shares, jobs and idle talk of a miner from t on. Returns when it ends in *t. */
static int mine(struct writer *w, double *t)
{
    const struct sim_script_flow *f = w->f;
    const double end = f->duration > 0 ? f->at + f->duration : 1e18;
    struct lamp_rng pace = { w->tcp.cfg.seed ^ 0x5ca1ab1e };
    double job = *t + f->job_every, idle = f->idle_every > 0 ? *t + f->idle_every : 1e18;
    double share = w->client.work > 0 ? *t + lamp_rng_exponential(&pace, share_mean(w)) : 1e18;
    int err = LAMP_OK;

    while (!err && (f->shares == 0 || w->client.shares.submitted < f->shares)) {
        double now = share < job ? share : job;
        if (idle < now)
            now = idle;
        if (now >= end)
            break;
        if (now == share) {
            sim_client_share(&w->client, &w->up);
            w->work += w->client.work;
            share += lamp_rng_exponential(&pace, share_mean(w));
        } else if (now == idle) {
            sim_client_idle(&w->client, f->claim, &w->up);
            idle += f->idle_every;
        } else {
            if (!f->no_answer && w->pool.authorised)
                sim_pool_job(&w->pool, w->pool.jobs % 8 == 0, &w->down);
            else if (share > 1e17 && end > 1e17)
                break;
            job += f->job_every;
        }
        if (now > *t)
            *t = now;
        err = converse(w, t);
    }
    if (!err && end < 1e17 && *t < end)
        *t = end;
    return err;
}

static int write_miner(struct writer *w, double *t)
{
    const struct sim_script_flow *f = w->f;
    const struct sim_family *family = sim_family_find(f->kind);
    sim_client_init(&w->client, family, f->user, f->agent, w->tcp.cfg.seed + 1);
    snprintf(w->client.password, sizeof(w->client.password), "%s", f->password);
    sim_pool_init(&w->pool, family, f->difficulty, f->reject, w->tcp.cfg.seed + 2);
    sim_client_hello(&w->client, &w->up);
    const int err = converse(w, t);
    return err ? err : mine(w, t);
}

static int write_raw(struct writer *w, double *t)
{
    int err = LAMP_OK;
    LAMP_AUTO_FREE char *buf = malloc(RAW_BYTES + 1);
    if (!buf)
        return LAMP_ENOMEM;
    for (size_t i = 0; !err && i < w->f->n_lines; i++) {
        const struct sim_script_line *l = &w->f->lines[i];
        double wait = 0;
        size_t len = 0;
        if (l->what == 'w') {
            err = lamp_text_double(l->text, 0, 1e9, &wait);
            *t += wait;
            continue;
        }
        const bool line = l->what == 'c' || l->what == 's';
        if (line) {
            len = lamp_min(strlen(l->text), RAW_BYTES);
            memcpy(buf, l->text, len);
            buf[len++] = '\n';
        } else {
            err = lamp_vector_unescape(l->text, buf, RAW_BYTES, &len);
        }
        const bool up = l->what == 'c' || l->what == 'C';
        if (!err)
            err = lamp_capflow_send(&w->tcp, up ? LAMP_CAPFLOW_UP : LAMP_CAPFLOW_DOWN, at_us(w, *t),
                                    buf, len);
        *t += w->f->rtt;
    }
    return err;
}

static int write_noise(struct writer *w, double *t)
{
    const struct sim_noise n = { .kind = w->f->kind,
                                 .host = w->f->host,
                                 .answer = w->f->answer,
                                 .bytes = w->f->bytes,
                                 .rtt_us = (uint64_t)(w->f->rtt * 1e6) };
    uint64_t t_us = at_us(w, *t);
    const int err = sim_noise_write(&w->tcp, &n, &t_us);
    *t = (double)t_us / 1e6 - w->start;
    return err;
}

static int write_body(struct writer *w, double *t)
{
    if (sim_family_find(w->f->kind))
        return write_miner(w, t);
    return streq(w->f->kind, "raw") ? write_raw(w, t) : write_noise(w, t);
}

static int parse_vlans(const char *text, struct lamp_capflow_cfg *cfg)
{
    for (const char *p = text; p && *p;) {
        char *end;
        const unsigned long id = strtoul(p, &end, 10);
        if (end == p || id > 4094 || cfg->n_vlans == LAMP_CAPFILE_VLANS)
            return LAMP_EFORMAT;
        cfg->vlans[cfg->n_vlans++] = (uint16_t)id;
        p = *end == ',' ? end + 1 : end;
    }
    return LAMP_OK;
}

static int write_flow(const struct sim_script *s, size_t index, lamp_capfile *file,
                      struct writer *w)
{
    const struct sim_script_flow *f = w->f;
    struct lamp_capflow_cfg cfg = { .client = f->client.addr,
                                    .server = f->server.addr,
                                    .client_port = f->client.port,
                                    .server_port = f->server.port,
                                    .mss = (uint16_t)lamp_min_u64(f->mss, UINT16_MAX),
                                    .rtt_us = (uint32_t)(f->rtt * 1e6),
                                    .retransmit = f->retransmit,
                                    .reorder = f->reorder,
                                    .hide_up = streq(f->hide, "up"),
                                    .hide_down = streq(f->hide, "down"),
                                    .seed = s->seed * 0x10001 + 3 * index };
    double t = f->at;
    const bool handshake = !f->midstream && !streq(f->kind, "dns");
    int err = parse_vlans(f->vlan, &cfg);
    if (err)
        return err;
    lamp_capflow_init(&w->tcp, file, &cfg);
    if (handshake) {
        err = lamp_capflow_open(&w->tcp, at_us(w, t));
        t += f->rtt * 1.1;
    }
    if (!err)
        err = write_body(w, &t);
    if (err || streq(f->kind, "dns") || streq(f->end, "open"))
        return err;
    t += f->rtt;
    return streq(f->end, "rst") ? lamp_capflow_reset(&w->tcp, at_us(w, t))
                                : lamp_capflow_close(&w->tcp, at_us(w, t));
}

static void put_updown(struct lamp_json *j, const char *key, const uint64_t v[2])
{
    lamp_json_object(j, key);
    lamp_json_uint(j, "up", v[LAMP_CAPFLOW_UP]);
    lamp_json_uint(j, "down", v[LAMP_CAPFLOW_DOWN]);
    lamp_json_end(j);
}

static void put_endpoint(struct lamp_json *j, const char *key, const struct sim_endpoint *e)
{
    char ip[LAMP_ADDR_STRLEN];
    lamp_json_object(j, key);
    lamp_json_str(j, "ip", lamp_addr_str(&e->addr, ip));
    lamp_json_uint(j, "port", e->port);
    lamp_json_end(j);
}

static void put_truth(struct lamp_json *j, const struct writer *w)
{
    const struct sim_script_flow *f = w->f;
    const bool miner = sim_family_find(f->kind) != NULL;
    lamp_json_object(j, NULL);
    lamp_json_str(j, "flow", f->name);
    lamp_json_str(j, "kind", f->kind);
    put_endpoint(j, "client", &f->client);
    put_endpoint(j, "server", &f->server);
    lamp_json_str(j, "user", miner ? f->user : NULL);
    lamp_json_str(j, "agent", miner ? f->agent : NULL);
    lamp_json_uint(j, "jobs", w->client.jobs);
    lamp_json_object(j, "shares");
    lamp_json_uint(j, "submitted", w->client.shares.submitted);
    lamp_json_uint(j, "accepted", w->client.shares.accepted);
    lamp_json_uint(j, "rejected", w->client.shares.rejected);
    lamp_json_end(j);
    lamp_json_double(j, "difficulty", w->client.difficulty);
    lamp_json_double(j, "work", w->work);
    const bool counts = miner && sim_family_find(f->kind)->work;
    lamp_json_double(j, "hashrate", counts ? w->client.work / share_mean(w) : 0);
    put_updown(j, "bytes", w->tcp.bytes);
    put_updown(j, "packets", w->tcp.packets);
    lamp_json_time(j, "first", w->tcp.first_us);
    lamp_json_time(j, "last", w->tcp.last_us);
    lamp_json_end(j);
    lamp_json_newline(j);
}

static int write_all(const struct sim_script *s, const char *path, struct lamp_json *truth,
                     const char **at)
{
    lamp_capfile *file;
    struct writer *w = calloc(1, sizeof(*w));
    int err = w ? lamp_capfile_new(&file) : LAMP_ENOMEM;
    if (err) {
        free(w);
        return err;
    }
    for (size_t i = 0; !err && i < s->n_flows; i++) {
        *at = s->flows[i].name;
        *w = (struct writer){ .f = &s->flows[i], .start = s->start };
        err = write_flow(s, i, file, w);
        put_truth(truth, w);
    }
    if (!err) {
        *at = path;
        err = lamp_capfile_save(file, path);
    }
    lamp_capfile_free(file);
    free(w);
    return err ? err : lamp_json_error(truth);
}

int sim_cmd_write(int argc, char **argv)
{
    const char *out = NULL, *input = NULL, *at = "";
    bool help = false;
    char why[SIM_WHY] = "";
    const struct sim_opt opts[] = {
        { "out", SIM_OPT_STR, &out, "capture file to write (pcap)" },
        { "help", SIM_OPT_FLAG, &help, "this text" },
    };
    const int bad = sim_opt_argv(opts, ARRAY_LEN(opts), argc, argv, 2, &input, 1, why);
    if (help) {
        puts("poolsim write --out FILE.pcap SCRIPT: makes a capture file from a script and prints "
             "the truth about each flow.");
        sim_opt_help(opts, ARRAY_LEN(opts));
        sim_script_help();
        return 0;
    }
    if (bad || !out || !input) {
        fprintf(stderr, "poolsim write: %s\n", bad ? why : "give --out FILE and a script");
        return 2;
    }
    struct sim_script script;
    if (sim_script_load(input, &script, why)) {
        fprintf(stderr, "poolsim write: %s\n", why);
        return 1;
    }
    struct lamp_json truth;
    lamp_json_init(&truth, 64 << 20);
    const int err = write_all(&script, out, &truth, &at);
    if (err)
        fprintf(stderr, "poolsim write: %s: %s\n", at, lamp_strerror(err));
    else
        fputs(truth.buf ? truth.buf : "", stdout);
    lamp_json_done(&truth);
    sim_script_done(&script);
    return err ? 1 : 0;
}
