/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/poolsim/session.h"

#include "tests/support/poolsim/family.h"

#include <stdarg.h>
#include <stdio.h>

void sim_line(struct sim_out *out, const char *fmt, ...)
{
    const size_t room = sizeof(out->buf) - out->len;
    va_list ap;
    va_start(ap, fmt);
    const int n = vsnprintf(out->buf + out->len, room, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n + 1 >= room)
        return;
    out->len += (size_t)n;
    out->buf[out->len++] = '\n';
}

const struct sim_family *sim_family_find(const char *name)
{
    static const struct sim_family *const all[] = { &sim_stratum1, &sim_cryptonote, &sim_ethproxy };
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (streq(all[i]->name, name))
            return all[i];
    }
    return sim_dialect_find(name);
}

const char *sim_str(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s ? s : "";
}

void sim_copy(char *dst, size_t size, const char *src)
{
    const size_t len = lamp_min(strlen(src), size - 1);
    memcpy(dst, src, len);
    dst[len] = '\0';
}

void sim_pool_init(struct sim_pool *p, const struct sim_family *family, double difficulty,
                   double reject, uint64_t seed)
{
    *p = (struct sim_pool){ .family = family,
                            .rng = { seed },
                            .difficulty = difficulty > 0 ? difficulty : family->default_difficulty,
                            .reject = reject };
    lamp_rng_hex(&p->rng, 32, p->session);
    p->job = lamp_rng_u64(&p->rng) & 0xffffff;
}

bool sim_pool_judge(struct sim_pool *p)
{
    p->shares.submitted++;
    const bool ok = lamp_rng_unit(&p->rng) >= p->reject;
    if (ok)
        p->shares.accepted++;
    else
        p->shares.rejected++;
    return ok;
}

static int with_object(const char *line, size_t len, json_t **out)
{
    json_t *msg = json_loadb(line, len, 0, NULL);
    if (!json_is_object(msg)) {
        json_decref(msg);
        return LAMP_EFORMAT;
    }
    *out = msg;
    return LAMP_OK;
}

int sim_pool_input(struct sim_pool *p, const char *line, size_t len, struct sim_out *out)
{
    json_t *msg;
    const int err = with_object(line, len, &msg);
    if (err)
        return err;
    p->family->pool_line(p, msg, out);
    json_decref(msg);
    return LAMP_OK;
}

void sim_pool_job(struct sim_pool *p, bool clean, struct sim_out *out)
{
    p->job++;
    p->jobs++;
    p->family->pool_job(p, clean, out);
}

void sim_pool_retarget(struct sim_pool *p, double difficulty, struct sim_out *out)
{
    p->difficulty = difficulty;
    if (p->family->pool_retarget)
        p->family->pool_retarget(p, out);
}

void sim_client_init(struct sim_client *c, const struct sim_family *family, const char *user,
                     const char *agent, uint64_t seed)
{
    *c = (struct sim_client){ .family = family, .rng = { seed }, .next_id = 1, .password = "x" };
    sim_copy(c->user, sizeof(c->user), user);
    sim_copy(c->agent, sizeof(c->agent), agent);
}

void sim_client_hello(struct sim_client *c, struct sim_out *out)
{
    c->family->client_hello(c, out);
}

int sim_client_input(struct sim_client *c, const char *line, size_t len, struct sim_out *out)
{
    json_t *msg;
    const int err = with_object(line, len, &msg);
    if (err)
        return err;
    c->family->client_line(c, msg, out);
    json_decref(msg);
    return LAMP_OK;
}

void sim_client_share(struct sim_client *c, struct sim_out *out)
{
    c->shares.submitted++;
    c->in_flight++;
    c->family->client_share(c, out);
}

void sim_client_answered(struct sim_client *c, bool accepted)
{
    if (c->in_flight == 0)
        return;
    c->in_flight--;
    if (accepted)
        c->shares.accepted++;
    else
        c->shares.rejected++;
}

void sim_client_idle(struct sim_client *c, double hashrate, struct sim_out *out)
{
    if (c->family->client_idle)
        c->family->client_idle(c, hashrate, out);
}

double sim_work(const struct sim_family *family, double difficulty)
{
    return family->work ? family->work(difficulty) : 0;
}
