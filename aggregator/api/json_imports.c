/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/api/json_imports.h"

#define MINUTE_US UINT64_C(60000000)

static void write_progress(struct lamp_json *j, const struct lamp_imports_progress *p)
{
    if (!p) {
        lamp_json_null(j, "progress");
        return;
    }
    lamp_json_object(j, "progress");
    lamp_json_uint(j, "received", p->received);
    lamp_json_uint(j, "file", p->file);
    lamp_json_uint(j, "file_size", p->file_size);
    lamp_json_uint(j, "file_read", p->analysed);
    lamp_json_uint(j, "before", p->before);
    lamp_json_end(j);
}

void lamp_api_json_import(struct lamp_json *j, const struct lamp_import *i,
                          const struct lamp_imports_progress *p)
{
    const struct lamp_import_sum *n = &i->sum;
    lamp_json_object(j, NULL);
    lamp_json_int(j, "id", i->id);
    lamp_json_str(j, "name", i->name);
    lamp_json_str(j, "source", i->from_server ? "server" : "upload");
    lamp_json_str(j, "site", i->site);
    lamp_json_str(j, "state", lamp_import_state_name(i->state));
    lamp_json_str(j, "answer", i->answer);
    lamp_json_str(j, "error", i->error);
    lamp_json_str(j, "created_by", i->created_by);
    lamp_json_time(j, "created", i->created_us);
    lamp_json_time(j, "started", i->started_us);
    lamp_json_time(j, "ended", i->ended_us);
    lamp_json_uint(j, "size", i->size);
    lamp_json_uint(j, "files", i->files);
    lamp_json_uint(j, "files_done", n->files_done);
    lamp_json_uint(j, "files_failed", n->files_failed);
    lamp_json_uint(j, "packets", n->packets);
    lamp_json_uint(j, "bytes", n->bytes);
    lamp_json_uint(j, "connections", n->connections);
    lamp_json_object(j, "verdicts");
    for (int v = LAMP_VERDICT_CONFIRMED; v > LAMP_VERDICT_NONE; v--)
        lamp_json_uint(j, lamp_verdict_name((enum lamp_verdict)v), n->verdicts[v]);
    lamp_json_end(j);
    lamp_json_uint(j, "connections_left_out", n->conns_left_out);
    lamp_json_uint(j, "minutes_left_out", n->minutes_left_out);
    lamp_json_time(j, "first", n->first_us);
    lamp_json_time(j, "last", n->last_us);
    write_progress(j, p);
    lamp_json_end(j);
}

void lamp_api_json_import_file(struct lamp_json *j, const struct lamp_import_file *f)
{
    lamp_json_object(j, NULL);
    lamp_json_uint(j, "no", f->no);
    lamp_json_str(j, "name", f->name);
    lamp_json_uint(j, "size", f->size);
    lamp_json_uint(j, "packets", f->packets);
    lamp_json_uint(j, "connections", f->connections);
    lamp_json_str(j, "verdict", lamp_verdict_name(f->verdict));
    lamp_json_str(j, "error", f->error);
    lamp_json_end(j);
}

void lamp_api_json_import_minute(struct lamp_json *j, const struct lamp_import_minute *m)
{
    lamp_json_object(j, NULL);
    lamp_json_time(j, "time", m->minute * MINUTE_US);
    lamp_json_uint(j, "packets", m->packets);
    lamp_json_uint(j, "bytes", m->bytes);
    lamp_json_uint(j, "mining_up", m->mining_up);
    lamp_json_uint(j, "mining_down", m->mining_down);
    lamp_json_uint(j, "submitted", m->submitted);
    lamp_json_uint(j, "accepted", m->accepted);
    lamp_json_uint(j, "rejected", m->rejected);
    lamp_json_uint(j, "jobs", m->jobs);
    lamp_json_end(j);
}

void lamp_api_json_import_conn(struct lamp_json *j, const struct lamp_import_conn *c)
{
    lamp_json_object(j, NULL);
    lamp_json_int(j, "id", c->id);
    lamp_json_uint(j, "file", c->file);
    lamp_json_raw(j, "connection", c->json, c->json_len);
    lamp_json_end(j);
}
