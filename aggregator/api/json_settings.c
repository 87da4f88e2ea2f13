/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/api/json_settings.h"

static const char *type_name(const struct lamp_opt *o)
{
    return o->type == LAMP_OPT_BOOL     ? "boolean"
           : o->type == LAMP_OPT_INT    ? "integer"
           : o->type == LAMP_OPT_DOUBLE ? "number"
           : o->type == LAMP_OPT_STR    ? "place"
                                        : "choice";
}

void lamp_api_json_setting_known(struct lamp_json *j, const struct lamp_opt *o, const char *of)
{
    lamp_json_object(j, NULL);
    lamp_json_str(j, "name", o->key);
    lamp_json_str(j, "of", of);
    lamp_json_str(j, "type", type_name(o));
    lamp_json_int(j, "min", o->min);
    lamp_json_int(j, "max", o->max);
    lamp_json_str(j, "choices", o->values ? o->values : "");
    lamp_json_str(j, "unit", o->unit ? o->unit : "");
    lamp_json_str(j, "default", o->def);
    lamp_json_str(j, "help", o->help);
    lamp_json_end(j);
}

void lamp_api_json_setting(struct lamp_json *j, const struct lamp_site_setting *x)
{
    lamp_json_object(j, NULL);
    lamp_json_str(j, "name", x->name);
    lamp_json_str(j, "site", x->site);
    lamp_json_str(j, "value", x->value);
    lamp_json_str(j, "set_by", x->set_by);
    lamp_json_time(j, "set", x->set_us);
    lamp_json_end(j);
}
