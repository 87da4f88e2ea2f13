/* SPDX-License-Identifier: Apache-2.0 */
/* poolsim_truth: what analyze says of a capture against what poolsim, which wrote it, knows:
 * argv[1] is poolsim, argv[2] the script. Counts have to be equal to the last byte, and the
 * true hash rate has to lie within the stated interval. */
#include "tests/golden/run_analyze.h"

#include <jansson.h>
#include <stdio.h>

static const char *str(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static json_int_t num(const json_t *o, const char *object, const char *key)
{
    return json_integer_value(json_object_get(json_object_get(o, object), key));
}

/* The connection of the flow, told by its client port; NULL: none was found. */
static const json_t *connection_of(const json_t *connections, const json_t *flow)
{
    size_t i;
    const json_t *c;
    json_array_foreach(connections, i,
                       c) if (num(c, "client", "port") == num(flow, "client", "port")) return c;
    return NULL;
}

static unsigned differ(const json_t *flow, const char *what)
{
    printf("FAIL flow %s: %s\n", str(flow, "flow"), what);
    return 1;
}

static unsigned check_counts(const json_t *flow, const json_t *c)
{
    static const char *const fields[][2] = {
        { "bytes", "up" },        { "bytes", "down" },       { "packets", "up" },
        { "packets", "down" },    { "shares", "submitted" }, { "shares", "accepted" },
        { "shares", "rejected" },
    };
    const bool pool_hidden = num(flow, "bytes", "down") == 0;
    unsigned faults = 0;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const char *const *f = fields[i];
        if (num(flow, f[0], f[1]) != num(c, f[0], f[1]) && !(pool_hidden && i >= 5))
            faults += differ(flow, f[1]);
    }
    if (!pool_hidden && !json_equal(json_object_get(flow, "jobs"), json_object_get(c, "jobs")))
        faults += differ(flow, "jobs");
    if (!json_equal(json_object_get(flow, "first"), json_object_get(c, "first")) ||
        !json_equal(json_object_get(flow, "last"), json_object_get(c, "last")))
        faults += differ(flow, "times");
    return faults;
}

static unsigned check_names(const json_t *flow, const json_t *c)
{
    char user[512];
    snprintf(user, sizeof(user), "%s.%s", str(c, "wallet"), str(c, "worker"));
    unsigned faults = 0;
    if (!streq(user, str(flow, "user")))
        faults += differ(flow, "wallet and worker");
    if (!streq(str(c, "family"), str(flow, "kind")))
        faults += differ(flow, "family");
    if (!*str(c, "coin") &&
        !streq(str(flow, "kind"), "qatum")) /* its coin is not in the catalogue */
        faults += differ(flow, "coin");
    return faults;
}

static unsigned check_rate(const json_t *flow, const json_t *c)
{
    const json_t *rate = json_object_get(c, "hashrate");
    const double truth = json_number_value(json_object_get(flow, "hashrate"));
    if (num(c, "shares", "accepted") == 0 || truth == 0)
        return json_is_null(rate) ? 0 : differ(flow, "a hash rate without known work");
    return json_number_value(json_object_get(rate, "low")) <= truth &&
                   truth <= json_number_value(json_object_get(rate, "high"))
               ? 0
               : differ(flow, "the true hash rate is outside the interval");
}

static unsigned check_flow(const json_t *flow, const json_t *connections, size_t *mining)
{
    const json_t *c = connection_of(connections, flow);
    if (json_is_null(json_object_get(flow, "user")))
        return c ? differ(flow, "is no mining, but was found") : 0;
    (*mining)++;
    if (!c)
        return differ(flow, "was not found");
    return check_counts(flow, c) + check_names(flow, c) + check_rate(flow, c);
}

static json_t *parse(const char *line)
{
    json_t *o = json_loads(line, 0, NULL);
    if (!o) {
        fprintf(stderr, "not JSON: %s\n", line);
        exit(1);
    }
    return o;
}

int main(int argc, char **argv)
{
    char path[] = "/tmp/lamp-poolsim-XXXXXX", command[8192];
    const int fd = mkstemp(path);
    if (argc != 3 || fd < 0)
        return 2;
    close(fd);
    snprintf(command, sizeof(command), "'%s' write --out '%s' '%s'", argv[1], path, argv[2]);
    FILE *truth = popen(command, "r");
    if (!truth)
        return 1;
    json_t *flows = json_array(), *connections = json_array();
    char *line = NULL, *out;
    size_t size = 0, mining = 0, i;
    while (getline(&line, &size, truth) > 0)
        json_array_append_new(flows, parse(line));
    unsigned faults = pclose(truth) != 0;

    char *paths[] = { path };
    faults += run_analyze(paths, 1, &out) != 0;
    char *rest = out;
    for (char *l; (l = strsep(&rest, "\n")) && *l;)
        json_array_append_new(connections, parse(l));
    const json_t *flow;
    json_array_foreach(flows, i, flow) faults += check_flow(flow, connections, &mining);
    printf("%zu flows, %zu of them mining, %u faults\n", json_array_size(flows), mining, faults);
    faults += mining == 0;
    json_decref(flows);
    json_decref(connections);
    free(line);
    free(out);
    unlink(path);
    return faults != 0;
}
