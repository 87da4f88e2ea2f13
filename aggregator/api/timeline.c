/* SPDX-License-Identifier: Apache-2.0 */
/* GET /miners/{id}/timeline: which reasons to think that a host mines were seen when and by which
 * sensor, and what states it went through. */
#include "aggregator/api/impl.h"

#include <inttypes.h>

static bool add_sighting(const struct lamp_sighting_view *v, void *arg)
{
    lamp_api_json_sighting(arg, v);
    return true;
}

static bool add_step(const struct lamp_step_view *v, void *arg)
{
    lamp_api_json_step(arg, v);
    return true;
}

static int write_timeline(lamp_store *s, const struct lamp_request *req, struct lamp_json *j)
{
    uint64_t left_out = 0;
    lamp_json_object(j, NULL);
    lamp_json_int(j, "miner", req->id);
    lamp_json_array(j, "states");
    int err = lamp_store_steps(s, req->id, req->now_us, add_step, j);
    lamp_json_end(j);
    lamp_json_array(j, "reasons");
    if (!err)
        err = lamp_store_sightings(s, req->id, add_sighting, j, &left_out);
    lamp_json_end(j);
    lamp_json_uint(j, "left_out", left_out);
    lamp_json_end(j);
    return err;
}

void lamp_api_get_timeline(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    lamp_store *s = lamp_api_reader(app, req->who.scope);
    const int err = write_timeline(s, req, &reply->json);
    if (err == LAMP_ENOENT)
        lamp_reply_error(reply, 404, "not_found", NULL, "There is no miner %" PRId64 ".", req->id);
    else if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(app, s);
}
