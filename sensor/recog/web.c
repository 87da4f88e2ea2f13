/* SPDX-License-Identifier: Apache-2.0 */
/* web: what HTTP says around the lines of a session. A part of session (session.h). */
#include "common/text.h"
#include "sensor/recog/session.h"

void lamp_web_request(struct lamp_web *w, const struct lamp_http_head *head)
{
    uint8_t buf[512];
    struct lamp_bytes user, password;
    w->n++;
    if (head->agent.len)
        lamp_text_utf8(head->agent.data, head->agent.len, w->agent, sizeof(w->agent));
    lamp_text_utf8(head->target.data, head->target.len, w->target, sizeof(w->target));
    if (lamp_http_basic(head->basic, buf, sizeof(buf), &user, &password) != LAMP_OK)
        return;
    w->n_user = (uint8_t)lamp_min(user.len, sizeof(w->user));
    w->n_password = (uint8_t)lamp_min(password.len, sizeof(w->password));
    memcpy(w->user, user.data, w->n_user);
    memcpy(w->password, password.data, w->n_password);
}

void lamp_session_web(struct lamp_session *s)
{
    const struct lamp_web *w = s->web;
    if (*w->agent)
        memcpy(s->conn.agent, w->agent, sizeof(s->conn.agent));
    const struct lamp_bytes user = { w->user, w->n_user };
    const uint64_t said = lamp_session_hash(user);
    if (w->n_user == 0 || said == s->user_said)
        return;
    s->user_said = said;
    const struct lamp_jsonvalue password = { .text = { w->password, w->n_password },
                                             .type = LAMP_JSON_STRING };
    lamp_session_password(s, &password);
    lamp_session_account(s, user);
}
