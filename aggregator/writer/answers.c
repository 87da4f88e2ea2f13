/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/writer/answers.h"

#include <stdio.h>

void lamp_answers_init(struct lamp_answers *a)
{
    *a = (struct lamp_answers){ .last = &a->first };
}

static void put(struct lamp_answers *a, const struct lamp_letter *address, const struct lamp_msg *m)
{
    struct lamp_letter *l = calloc(1, sizeof(*l));
    if (!l || (m && lamp_msg_pack(m, &l->data, &l->len) != LAMP_OK)) {
        free(l);
        return;
    }
    memcpy(l->sensor, address->sensor, sizeof(l->sensor));
    memcpy(l->site, address->site, sizeof(l->site));
    l->session = address->session;
    if (m && m->type == LAMP_MSG_ACK)
        l->credit_bytes = m->u.ack.credit_bytes;
    else if (m && m->type == LAMP_MSG_WELCOME)
        l->credit_bytes = m->u.welcome.credit_bytes;
    l->cost = l->len;
    *a->last = l;
    a->last = &l->next;
}

void lamp_answers_add(struct lamp_answers *a, const struct lamp_letter *to,
                      const struct lamp_msg *m)
{
    struct lamp_letter address = { .session = to->session };
    memcpy(address.sensor, to->sensor, sizeof(address.sensor));
    put(a, &address, m);
}

void lamp_answers_add_site(struct lamp_answers *a, const char *site, const struct lamp_msg *m)
{
    struct lamp_letter address = { 0 };
    snprintf(address.site, sizeof(address.site), "%s", site);
    put(a, &address, m);
}

void lamp_answers_add_sensor(struct lamp_answers *a, const char *sensor, const struct lamp_msg *m)
{
    struct lamp_letter address = { 0 };
    snprintf(address.sensor, sizeof(address.sensor), "%s", sensor);
    put(a, &address, m);
}

void lamp_answers_add_all(struct lamp_answers *a, const struct lamp_msg *m)
{
    put(a, &(struct lamp_letter){ 0 }, m);
}

void lamp_answers_ack(struct lamp_answers *a, const struct lamp_letter *to,
                      const struct lamp_stream_next *next, uint64_t credit_bytes)
{
    size_t i = 0;
    while (i < a->n_acks &&
           (memcmp(&a->acks[i].next.stream, &next->stream, sizeof(next->stream)) != 0 ||
            memcmp(&a->acks[i].session, &to->session, sizeof(to->session)) != 0))
        i++;
    if (i == ARRAY_LEN(a->acks))
        return;
    a->n_acks = i == a->n_acks ? i + 1 : a->n_acks;
    struct lamp_answers_ack *ack = &a->acks[i];
    *ack = (struct lamp_answers_ack){ .session = to->session,
                                      .next = *next,
                                      .credit_bytes = credit_bytes };
    memcpy(ack->sensor, to->sensor, sizeof(ack->sensor));
}

bool lamp_answers_may_list(struct lamp_answers *a, const struct lamp_letter *to,
                           enum lamp_set_kind kind)
{
    for (size_t i = 0; i < a->n_lists; i++)
        if (a->lists[i].kind == kind &&
            memcmp(&a->lists[i].session, &to->session, sizeof(to->session)) == 0)
            return false;
    if (a->n_lists == ARRAY_LEN(a->lists))
        return false;
    a->lists[a->n_lists++] = (struct lamp_answers_list){ to->session, kind };
    return true;
}

static void add_acks(struct lamp_answers *a, uint64_t now_us)
{
    for (size_t i = 0; i < a->n_acks; i++) {
        struct lamp_answers_ack *ack = &a->acks[i];
        struct lamp_letter to = { .session = ack->session };
        memcpy(to.sensor, ack->sensor, sizeof(to.sensor));
        struct lamp_msg m = { .type = LAMP_MSG_ACK };
        m.u.ack = (struct lamp_ack){ ack->session, &ack->next, 1, ack->credit_bytes, now_us };
        put(a, &to, &m);
    }
}

void lamp_answers_send(struct lamp_answers *a, lamp_mailbox *outbox, uint64_t now_us)
{
    add_acks(a, now_us);
    while (a->first) {
        struct lamp_letter *l = a->first;
        a->first = l->next;
        if (lamp_mailbox_put(outbox, &l) != LAMP_OK)
            lamp_letter_free(l); /* as if lost on the way */
    }
    lamp_answers_init(a);
}

void lamp_answers_drop(struct lamp_answers *a)
{
    while (a->first) {
        struct lamp_letter *l = a->first;
        a->first = l->next;
        lamp_letter_free(l);
    }
    lamp_answers_init(a);
}
