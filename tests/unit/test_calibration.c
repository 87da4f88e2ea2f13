/* SPDX-License-Identifier: Apache-2.0 */
/* Does the 95 % interval hold the truth 95 times in 100? Simulated miners send shares at
 * exponential intervals through a session, as recognisers drive it, to pools of fixed and of variable
 * difficulty, and the report's rate is compared with the rate they really had. */
#include "sensor/analyze/report.h"
#include "sensor/recog/session.h"
#include "tests/support/test.h"

#include <math.h>

enum { SIMULATIONS = 12000, MOST_SHARES = 1200 };

/* Uniform in (0, 1], by splitmix64 (Steele, Lea, Flood, OOPSLA 2014). */
static double uniform(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    z ^= z >> 31;
    return ((double)(z >> 11) + 1) / 9007199254740992.0;
}

/* A line that is parsed once and changed in place: its eight digits '#' number it. */
struct numbered {
    char text[128];
    char *digits[2];
    struct lamp_jsonline line;
};

static void prepare(struct numbered *n, const char *text)
{
    snprintf(n->text, sizeof(n->text), "%s", text);
    n->digits[0] = strchr(n->text, '#');
    n->digits[1] = strchr(n->digits[0] + 8, '#');
    for (size_t i = 0; i < 2; i++)
        if (n->digits[i])
            memcpy(n->digits[i], "00000000", 8);
    assert_int_equal(lamp_jsonline_parse(lamp_bytes_of(n->text), &n->line), LAMP_OK);
}

static const struct lamp_jsonline *number(struct numbered *n, uint32_t value)
{
    for (size_t i = 0; i < 2 && n->digits[i]; i++)
        for (size_t k = 8, v = value; k-- > 0; v /= 10)
            n->digits[i][k] = (char)('0' + v % 10);
    return &n->line;
}

/* What miningcore's example configurations do: a share every 15 s, looked at every 90 s, left alone
 * within 30 %. */
struct pool {
    bool variable;
    double difficulty, since;
    unsigned shares;
};

static bool retarget(struct pool *p, double now)
{
    if (!p->variable || now - p->since < 90)
        return false;
    const double period = (now - p->since) / p->shares;
    p->since = now;
    p->shares = 0;
    if (period > 15 * 0.7 && period < 15 * 1.3)
        return false;
    p->difficulty *= fmin(4, fmax(0.25, 15 / period));
    return true;
}

/* One miner of `rate` hashes/s for so many seconds. Returns how many shares the report counts. */
static uint32_t mine(struct lamp_session *s, struct pool *p, double rate, double seconds,
                     uint64_t *seed)
{
    static struct numbered submit, answer;
    static bool prepared;
    if (!prepared) {
        prepare(&submit, "{\"id\":########,\"method\":\"submit\",\"nonce\":\"########\"}");
        prepare(&answer, "{\"id\":########,\"result\":true,\"error\":null}");
        prepared = true;
    }
    const struct lamp_bytes job = lamp_bytes_of("job");
    struct lamp_weight w = { .hashes = p->difficulty };
    uint32_t n = 0;
    *s = (struct lamp_session){ .pool_spoke = true };
    s->conn.work_from_us = 1000000;
    lamp_session_job(s, job, &w);
    for (double t = -log(uniform(seed)) * p->difficulty / rate; t < seconds && n < MOST_SHARES;
         t -= log(uniform(seed)) * p->difficulty / rate) {
        enum lamp_outcome outcome;
        s->now_us = 1000000 + (uint64_t)(t * 1e6);
        assert_true(lamp_session_share(s, number(&submit, n), job, "answer"));
        assert_non_null(lamp_session_answer(s, number(&answer, n), &outcome));
        n++;
        p->shares++;
        if (retarget(p, t)) {
            w.hashes = p->difficulty;
            lamp_session_job(s, job, &w);
        }
    }
    s->conn.last_us = 1000000 + (uint64_t)(seconds * 1e6);
    lamp_session_refresh(s);
    return n;
}

static double coverage(bool variable, double *out_low, double *out_high)
{
    uint64_t seed = variable ? 20260101 : 20240229;
    unsigned seen = 0, held = 0, above = 0, below = 0;
    static struct lamp_session s;
    while (seen < SIMULATIONS) {
        const double wanted = 4 + 396 * uniform(&seed); /* shares, on average */
        const double rate = 1000 * exp(log(1e6) * uniform(&seed));
        struct pool p = { .variable = variable, .difficulty = rate * 15 };
        if (variable)
            p.difficulty *= exp(log(64) * (uniform(&seed) - 0.5));
        if (mine(&s, &p, rate, wanted * 15, &seed) < 4)
            continue; /* not what the statement is about */
        const struct lamp_rate r = lamp_report_rate(&s.conn);
        assert_int_equal(r.method, LAMP_RATE_SHARES);
        seen++;
        above += r.low > rate;
        below += r.high < rate;
        held += r.low <= rate && rate <= r.high;
    }
    *out_low = (double)above / seen;
    *out_high = (double)below / seen;
    return (double)held / seen;
}

static void test_interval_is_honest(void **state)
{
    (void)state;
    for (int variable = 0; variable < 2; variable++) {
        double low, high;
        const double c = coverage(variable, &low, &high);
        print_message(
            "%s difficulty: %.2f %% of %d intervals hold the truth, %.2f %% lie above it, "
            "%.2f %% below\n",
            variable ? "variable" : "fixed", 100 * c, SIMULATIONS, 100 * low, 100 * high);
        if (c < 0.94 || c > 0.96)
            fail_msg("the 95 %% interval holds the truth in %.2f %%", 100 * c);
        assert_true(low < 0.035 && high < 0.035);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_interval_is_honest) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
