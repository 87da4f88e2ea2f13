/* SPDX-License-Identifier: Apache-2.0 */
/* The calls about what the fleet learned by itself: servers that were proved to be pools or proxies, and wallets. */
#include "aggregator/api/impl.h"

#include <stdio.h>

enum { PAGE = 1000 };

struct list {
    struct lamp_json *j;
    uint64_t now_us;
    const char *kind, *state; /* NULL: any */
    struct lamp_api_page page;
    int64_t last;
    uint32_t n;
};

static const char *text_or_null(const char *s)
{
    return *s ? s : NULL;
}

static void write_proved(struct lamp_json *j, const struct lamp_proved *p, uint64_t now_us)
{
    const bool server = p->kind == LAMP_PROVED_SERVER;
    const uint64_t end_us = lamp_proved_end_us(p);
    char addr[LAMP_ADDR_STRLEN];
    lamp_json_object(j, NULL);
    lamp_json_int(j, "id", p->id);
    lamp_json_str(j, "kind", lamp_proved_kind_name(p->kind));
    lamp_json_str(j, "address", server ? lamp_addr_str(&p->addr, addr) : NULL);
    if (server)
        lamp_json_uint(j, "port", p->port);
    else
        lamp_json_null(j, "port");
    lamp_json_str(j, "wallet", server ? NULL : p->wallet);
    lamp_json_str(j, "verdict",
                  lamp_verdict_name(p->confirmed ? LAMP_VERDICT_CONFIRMED : LAMP_VERDICT_PROBABLE));
    lamp_json_str(j, "coin", text_or_null(p->coin));
    lamp_json_str(j, "pool", text_or_null(p->pool));
    lamp_json_str(j, "site", p->site);
    lamp_json_time(j, "first", p->first_us);
    lamp_json_time(j, "last", p->last_us);
    lamp_json_time(j, "expires", end_us == UINT64_MAX ? 0 : end_us);
    lamp_json_str(j, "state", lamp_proved_state_name(lamp_proved_state_of(p, now_us)));
    lamp_json_time(j, "extended_to", p->until_us);
    lamp_json_str(j, "said_by", text_or_null(p->said_by));
    lamp_json_time(j, "said", p->said_us);
    lamp_json_str(j, "note", text_or_null(p->note));
    lamp_json_end(j);
}

static bool add_proved(const struct lamp_proved *p, void *arg)
{
    struct list *l = arg;
    const enum lamp_proved_state state = lamp_proved_state_of(p, l->now_us);
    const bool fits =
        (!l->kind || streq(l->kind, lamp_proved_kind_name(p->kind))) &&
        (l->state ? streq(l->state, lamp_proved_state_name(state)) : state != LAMP_PROVED_OVER);
    if (!fits || (l->page.after && p->id >= l->page.after))
        return true;
    write_proved(l->j, p, l->now_us);
    l->last = p->id;
    return ++l->n < l->page.limit;
}

static bool is_kind(const char *kind)
{
    for (unsigned i = 0; i < LAMP_PROVED_KINDS; i++)
        if (streq(kind, lamp_proved_kind_name((enum lamp_proved_kind)i)))
            return true;
    return false;
}

static bool is_state(const char *state)
{
    for (unsigned i = 0; i <= LAMP_PROVED_SILENCED; i++)
        if (streq(state, lamp_proved_state_name((enum lamp_proved_state)i)))
            return true;
    return false;
}

void lamp_api_get_knowledge(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct list l = { .j = &reply->json,
                      .now_us = req->now_us,
                      .kind = lamp_request_query(req, "kind"),
                      .state = lamp_request_query(req, "state"),
                      .page = { .limit = PAGE, .most = PAGE } };
    if (!lamp_api_page(req, reply, &l.page))
        return;
    if (l.kind && !is_kind(l.kind)) {
        lamp_api_bad(reply, "kind", "server or wallet");
        return;
    }
    if (l.state && !is_state(l.state)) {
        lamp_api_bad(reply, "state", "fresh, old, over, accepted or muted");
        return;
    }
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    lamp_json_object(l.j, NULL);
    lamp_json_array(l.j, "knowledge");
    const int err = lamp_store_proved(s, 0, add_proved, &l);
    lamp_api_end_page(l.j, &l.page, l.n, l.last);
    lamp_json_end(l.j);
    if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}

static bool write_one(const struct lamp_proved *p, void *arg)
{
    const struct list *l = arg;
    write_proved(l->j, p, l->now_us);
    return false;
}

static void read_word(struct lamp_body *b, struct lamp_proved_command *out)
{
    static const char *const words[] = { "accept", "mute", "extend", "nothing" };
    static const char *const names[] = { "say", "days", "note" };
    lamp_body_known(b, names, ARRAY_LEN(names));
    const char *say = lamp_body_str(b, "say", 16, true);
    const char *note = lamp_body_str(b, "note", sizeof(out->note) - 1, false);
    unsigned i = 0;
    while (say && i < ARRAY_LEN(words) && !streq(say, words[i]))
        i++;
    if (say && i == ARRAY_LEN(words))
        lamp_body_fail(b, "say", "This must be accept, mute, extend or nothing.");
    out->say = (enum lamp_proved_say)i;
    out->days = (uint32_t)lamp_body_int(b, "days", 1, LAMP_PROVED_DAYS_MAX, 30);
    snprintf(out->note, sizeof(out->note), "%s", note ? note : "");
}

void lamp_api_say_knowledge(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_command cmd = lamp_api_command(req, LAMP_CMD_PROVED);
    struct lamp_command_result result;
    struct lamp_body b = { req->body, reply, false };
    read_word(&b, &cmd.proved);
    cmd.proved.id = req->id;
    if (b.failed || !lamp_api_run(app, req, &cmd, reply, &result))
        return;
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    struct list l = { .j = &reply->json, .now_us = req->now_us };
    if (lamp_store_proved(s, req->id, write_one, &l) != LAMP_OK)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}
