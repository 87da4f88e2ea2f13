/* SPDX-License-Identifier: Apache-2.0 */
/* zcash: Stratum for Equihash coins (ZIP 301), and for Verus, which took its form. Jobs are [job,
 * version, previous hash, merkle root, reserved, time, bits, clean], Verus adds the solution to fill
 * in; shares are [user, job, time, nonce, solution], where the solution begins with its length as a
 * compact size, which tells n and k; mining.set_target gives the difficulty. */
#include "sensor/recog/stratum.h"

/* Solutions have 2^k * (n/(k+1)+1) / 8 bytes (Equihash, Biryukov and Khovratovich 2016). */
static const struct {
    const char *prefix; /* the compact size in hex */
    size_t digits;      /* of the whole, with the prefix */
    const char *algorithm;
} solutions[] = {
    { "fd4005", 6 + 2688, "equihash-200-9" }, { "fd9001", 6 + 800, "equihash-192-7" },
    { "64", 2 + 200, "equihash-144-5" },      { "34", 2 + 104, "equihash-125-4" },
    { "44", 2 + 136, "equihash-96-5" },
};

static const char *algorithm_of(struct lamp_bytes solution)
{
    for (size_t i = 0; i < ARRAY_LEN(solutions); i++)
        if (solution.len == solutions[i].digits && lamp_begins_with(solution, solutions[i].prefix))
            return solutions[i].algorithm;
    return NULL;
}

static struct lamp_bytes solution_of(const struct lamp_jsonline *line,
                                     const struct lamp_jsonvalue *params)
{
    return lamp_jsonline_string(lamp_jsonline_item(line, params, 4));
}

static bool has_solution(const struct lamp_jsonline *line, const struct lamp_jsonvalue *params)
{
    return algorithm_of(solution_of(line, params)) != NULL;
}

static void on_submit(struct lamp_session *s, const struct lamp_jsonline *line,
                      const struct lamp_jsonvalue *params)
{
    if (!s->algorithm_hint) /* Verus' solutions have the size of Zcash's */
        s->algorithm_hint = algorithm_of(solution_of(line, params));
    const uint32_t shares = s->conn.shares.submitted;
    lamp_stratum_on_submit(s, line, params);
    if (s->conn.shares.submitted > shares) /* a nonce has several solutions or none */
        lamp_session_nonce(s, lamp_jsonline_item(line, params, 1)->text,
                           lamp_jsonline_string(lamp_jsonline_item(line, params, 3)), false);
}

static void on_verus_job(struct lamp_session *s, const struct lamp_jsonline *line,
                         const struct lamp_jsonvalue *params)
{
    s->algorithm_hint = "verushash";
    lamp_stratum_on_notify(s, line, params);
}

static const struct lamp_method methods[] = {
    { LAMP_TELLS("mining.notify", "method mining.notify, ZIP 301 form", CERTAIN, DOWN, OWN),
      .shape = ".wHHHwwb" },
    { LAMP_TELLS("mining.notify", "method mining.notify, Verus form", CERTAIN, DOWN, OWN),
      .shape = ".wHHHwwbX", .take = on_verus_job },
    { LAMP_TELLS("mining.submit", "method mining.submit with an Equihash solution", CERTAIN, UP,
                 OWN),
      .shape = "..wXX", .fits = has_solution, .take = on_submit },
};

const struct lamp_recog lamp_recog_zcash = {
    .name = "zcash",
    .family = "zcash",
    .wallet_family = "zcash-stratum",
    .algorithm = "equihash-200-9",
    .base = &lamp_recog_stratum1,
    .methods = methods,
    .n_methods = ARRAY_LEN(methods),
};
