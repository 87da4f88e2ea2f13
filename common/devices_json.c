/* SPDX-License-Identifier: Apache-2.0 */
#include "common/devices_json.h"

void lamp_devices_json_range(struct lamp_json *j, const char *key, const struct lamp_range *r)
{
    if (r->high <= 0) {
        lamp_json_null(j, key);
        return;
    }
    lamp_json_object(j, key);
    lamp_json_estimate(j, "value", r->value);
    lamp_json_estimate(j, "low", r->low);
    lamp_json_estimate(j, "high", r->high);
    lamp_json_end(j);
}

static void guess(struct lamp_json *j, const struct lamp_hardware_guess *g)
{
    lamp_json_object(j, NULL);
    lamp_json_str(j, "kind", g->kind);
    lamp_json_str(j, "vendor", g->vendor);
    lamp_json_str(j, "model", g->model);
    lamp_json_estimate(j, "rate", g->rate);
    lamp_json_estimate(j, "share", g->share);
    lamp_devices_json_range(j, "count", &g->count);
    lamp_devices_json_range(j, "watts", &g->watts);
    lamp_json_estimate(j, "probability", g->probability);
    lamp_json_end(j);
}

static void devices(struct lamp_json *j, const struct lamp_hardware *h)
{
    if (h->n == 0) {
        lamp_json_null(j, "devices");
        return;
    }
    lamp_json_object(j, "devices");
    lamp_devices_json_range(j, "count", &h->count);
    lamp_json_object(j, "kinds");
    for (size_t k = 0; k < ARRAY_LEN(h->kinds); k++)
        lamp_json_estimate(j, lamp_hardware_kinds[k], h->kinds[k]);
    lamp_json_end(j);
    lamp_json_array(j, "models");
    for (size_t i = 0; i < h->n; i++)
        guess(j, &h->guesses[i]);
    lamp_json_end(j);
    lamp_json_end(j);
}

void lamp_devices_json(struct lamp_json *j, const struct lamp_hardware *h, double price)
{
    devices(j, h);
    if (h->watts.high <= 0) {
        lamp_json_null(j, "power");
        return;
    }
    const struct lamp_range kwh = { lamp_kwh_per_day(h->watts.value),
                                    lamp_kwh_per_day(h->watts.low),
                                    lamp_kwh_per_day(h->watts.high) };
    const struct lamp_range cost = { price * kwh.value, price * kwh.low, price * kwh.high };
    lamp_json_object(j, "power");
    lamp_devices_json_range(j, "watts", &h->watts);
    lamp_devices_json_range(j, "kwh_per_day", &kwh);
    lamp_devices_json_range(j, "cost_per_day", &cost);
    lamp_json_end(j);
}
