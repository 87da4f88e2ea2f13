/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/poolsim/opts.h"

#include "common/text.h"

#include <inttypes.h>
#include <stdio.h>

static const struct sim_opt *find(const struct sim_opt *opts, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (streq(opts[i].name, name))
            return &opts[i];
    }
    return NULL;
}

static int set(const struct sim_opt *o, const char *value)
{
    switch (o->type) {
    case SIM_OPT_STR:
        *(const char **)o->dst = value;
        return LAMP_OK;
    case SIM_OPT_DOUBLE:
        return lamp_text_double(value, 0, 1e30, o->dst);
    case SIM_OPT_UINT: {
        int64_t v = 0;
        const int err = lamp_text_int(value, 0, INT64_MAX, &v);
        if (!err)
            *(uint64_t *)o->dst = (uint64_t)v;
        return err;
    }
    case SIM_OPT_FLAG:
        *(bool *)o->dst = true;
        return LAMP_OK;
    case SIM_OPT_ENDPOINT: {
        struct sim_endpoint *e = o->dst;
        return lamp_endpoint_parse(value, &e->addr, &e->port);
    }
    }
    return LAMP_EINVAL;
}

int sim_opt_set(const struct sim_opt *opts, size_t n, const char *name, const char *value,
                char why[SIM_WHY])
{
    const struct sim_opt *o = find(opts, n, name);
    if (!o) {
        snprintf(why, SIM_WHY, "there is no option %s", name);
        return LAMP_ENOENT;
    }
    const bool flag = o->type == SIM_OPT_FLAG;
    if (flag == (value != NULL && value[0] != '\0')) {
        snprintf(why, SIM_WHY, "%s %s", name, flag ? "takes no value" : "needs a value");
        return LAMP_EFORMAT;
    }
    const int err = set(o, value);
    if (err) {
        snprintf(why, SIM_WHY, "%s: bad value %s (%s)", name, value, lamp_strerror(err));
        return LAMP_EFORMAT;
    }
    return LAMP_OK;
}

int sim_opt_argv(const struct sim_opt *opts, size_t n, int argc, char **argv, int first,
                 const char **rest, size_t max_rest, char why[SIM_WHY])
{
    size_t n_rest = 0;
    for (int i = first; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) != 0) {
            if (n_rest == max_rest) {
                snprintf(why, SIM_WHY, "what is %s?", argv[i]);
                return LAMP_EFORMAT;
            }
            rest[n_rest++] = argv[i];
            continue;
        }
        const char *name = argv[i] + 2;
        const struct sim_opt *o = find(opts, n, name);
        const char *value = NULL;
        if (o && o->type != SIM_OPT_FLAG && i + 1 < argc)
            value = argv[++i];
        if (sim_opt_set(opts, n, name, value, why))
            return LAMP_EFORMAT;
    }
    return LAMP_OK;
}

void sim_opt_help(const struct sim_opt *opts, size_t n)
{
    static const char *const placeholder[] = { " TEXT", " NUMBER", " N", "", " ADDRESS:PORT" };
    for (size_t i = 0; i < n; i++)
        printf("  --%s%s\n        %s\n", opts[i].name, placeholder[opts[i].type], opts[i].help);
}
