/* SPDX-License-Identifier: Apache-2.0 */
/* What is suspected at the edge, weighed with what the aggregator knows of the server, through the tracker and
 * a store. */
#include "aggregator/writer/lift.h"
#include "aggregator/writer/tracker.h"
#include "tests/support/aggregator.h"

#include <math.h>

#define DAY_US (UINT64_C(86400) * 1000000)

enum { PORT = 443 };

static lamp_catalogue *catalogue;

struct fixture {
    char *folder;
    lamp_store *s;
    struct lamp_store_sensor north, south;
    uint64_t seq;
    struct lamp_track_conn conn; /* as it stood last */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->folder = new_folder();
    f->s = open_store("sqlite", f->folder, false);
    ok(f->s, lamp_store_begin(f->s));
    ok(f->s, lamp_store_enroll(f->s, "s1", "north", TEST_NOW_US));
    ok(f->s, lamp_store_enroll(f->s, "s2", "south", TEST_NOW_US));
    ok(f->s, lamp_store_sensor(f->s, "s1", &f->north));
    ok(f->s, lamp_store_sensor(f->s, "s2", &f->south));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    lamp_store_close(f->s);
    remove_folder(f->folder);
    free(f->folder);
    free(f);
    return 0;
}

static bool not_covered(const struct lamp_miner_target *t, void *arg)
{
    (void)t, (void)arg;
    return false;
}

static void ignore_id(int64_t id, void *arg)
{
    (void)id, (void)arg;
}

static int keep(const struct lamp_track_conn *c, const struct lamp_conn_row *delta, void *arg)
{
    (void)delta;
    ((struct fixture *)arg)->conn = *c;
    return LAMP_OK;
}

static void merge(struct fixture *f, const struct lamp_store_sensor *at, struct lamp_conn_row *row)
{
    const struct lamp_tracker t = { f->s, not_covered, ignore_id, f, keep, catalogue };
    const struct lamp_record rec = { at, at == &f->north ? 1 : 2, ++f->seq, row->last_us };
    const struct lamp_batch b = test_batch(row, 1, row->first_us, row->last_us);
    ok(f->s, lamp_tracker_merge(&t, &rec, &b));
}

static struct lamp_evidence reason(const char *kind, const char *strength)
{
    return (struct lamp_evidence){ .kind = lamp_bytes_of(kind),
                                   .detail = lamp_bytes_of("made up"),
                                   .strength = lamp_bytes_of(strength) };
}

static void told(struct fixture *f, const char *server, enum lamp_pool_state state, uint64_t at_us,
                 const char *family, double difficulty)
{
    struct lamp_pool_endpoint e = { .addr = test_addr(server),
                                    .port = PORT,
                                    .state = state,
                                    .probed_us = at_us,
                                    .difficulty = difficulty };
    bool changed;
    snprintf(e.family, sizeof(e.family), "%s", family);
    snprintf(e.reason, sizeof(e.reason), "it answered");
    ok(f->s, lamp_store_pool_probed(f->s, &e, &changed));
}

static void probed(struct fixture *f, const char *server, enum lamp_pool_state state,
                   uint64_t at_us)
{
    told(f, server, state, at_us, "stratum-v1", 0);
}

struct seen {
    const char *kind;
    unsigned n;
};

static bool count_kind(const struct lamp_sighting_view *v, void *arg)
{
    struct seen *x = arg;
    x->n += streq(v->kind, x->kind) && !*v->sensor &&
            (strstr(v->detail, "asked, the server") || strstr(v->detail, "another client"));
    return true;
}

static const struct {
    const char *label;
    const char *kind[2], *strength[2]; /* what the sensor says */
    enum lamp_pool_state state;        /* of a probe, NEVER: none */
    uint64_t age_us;
    bool fleet; /* a client of another site was confirmed there */
    enum lamp_verdict want;
    uint32_t confidence, flags;
    const char *told; /* kind of a reason of the aggregator's; NULL: none */
} cases[] = {
    { "nothing known",
      { "rhythm" },
      { "fair" },
      LAMP_POOL_UNKNOWN,
      0,
      false,
      LAMP_VERDICT_SUSPECTED,
      8000,
      0,
      NULL },
    { "a pool by probe",
      { "rhythm" },
      { "fair" },
      LAMP_POOL_UP,
      DAY_US,
      false,
      LAMP_VERDICT_PROBABLE,
      9980,
      LAMP_CONN_PROBED,
      "probe" },
    { "a listed one by probe",
      { "address" },
      { "strong" },
      LAMP_POOL_UP,
      1,
      false,
      LAMP_VERDICT_PROBABLE,
      9980,
      LAMP_CONN_PROBED,
      "probe" },
    { "a listed one by probe, with its rhythm",
      { "address", "rhythm" },
      { "strong", "weak" },
      LAMP_POOL_UP,
      1,
      false,
      LAMP_VERDICT_CONFIRMED,
      9980,
      LAMP_CONN_PROBED,
      "probe" },
    { "a rhythm that is none",
      { "address", "rhythm" },
      { "strong", "speaks against" },
      LAMP_POOL_UP,
      1,
      false,
      LAMP_VERDICT_PROBABLE,
      9980,
      LAMP_CONN_PROBED,
      "probe" },
    { "no pool by probe",
      { "rhythm" },
      { "fair" },
      LAMP_POOL_LISTEN,
      1,
      false,
      LAMP_VERDICT_SUSPECTED,
      5714,
      0,
      "probe" },
    { "nobody answered",
      { "rhythm" },
      { "fair" },
      LAMP_POOL_DOWN,
      1,
      false,
      LAMP_VERDICT_SUSPECTED,
      8000,
      0,
      NULL },
    { "a pool once",
      { "rhythm" },
      { "fair" },
      LAMP_POOL_UP,
      8 * DAY_US,
      false,
      LAMP_VERDICT_SUSPECTED,
      8000,
      0,
      NULL },
    { "no pool once",
      { "rhythm" },
      { "fair" },
      LAMP_POOL_LISTEN,
      2 * DAY_US,
      false,
      LAMP_VERDICT_SUSPECTED,
      8000,
      0,
      NULL },
    { "others mine there",
      { "rhythm" },
      { "fair" },
      LAMP_POOL_UNKNOWN,
      0,
      true,
      LAMP_VERDICT_PROBABLE,
      9900,
      LAMP_CONN_FLEET,
      "fleet" },
    { "others mine there, and nothing else",
      { "tls-hello" },
      { "weak" },
      LAMP_POOL_UNKNOWN,
      0,
      true,
      LAMP_VERDICT_SUSPECTED,
      9900,
      0,
      "fleet" },
    { "which the sensor's list says already",
      { "address", "rhythm" },
      { "strong", "fair" },
      LAMP_POOL_UNKNOWN,
      0,
      true,
      LAMP_VERDICT_SUSPECTED,
      8000,
      0,
      NULL },
    { "both",
      { "rhythm" },
      { "fair" },
      LAMP_POOL_UP,
      1,
      true,
      LAMP_VERDICT_CONFIRMED,
      9999,
      LAMP_CONN_PROBED | LAMP_CONN_FLEET,
      "fleet" },
};

static void test_cases(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char server[32], host[32];
        snprintf(server, sizeof(server), "203.0.113.%zu", 10 + i);
        snprintf(host, sizeof(host), "10.0.0.%zu", 10 + i);
        struct lamp_conn_row row = test_row((uint64_t)(100 + i), TEST_NOW_US, TEST_NOW_US + 1);
        row.server_addr = test_addr(server);
        row.server_port = PORT;
        if (cases[i].fleet) {
            row.verdict = LAMP_VERDICT_CONFIRMED;
            merge(f, &f->south, &row);
        }
        if (cases[i].state != LAMP_POOL_UNKNOWN)
            probed(f, server, cases[i].state, TEST_NOW_US - cases[i].age_us);
        row.client_addr = test_addr(host);
        row.verdict = LAMP_VERDICT_SUSPECTED;
        row.confidence = 8000;
        row.flags = LAMP_CONN_TLS | LAMP_CONN_PROBED | LAMP_CONN_FLEET; /* no sensor may say that */
        struct lamp_evidence evidence[2];
        for (row.n_evidence = 0; row.n_evidence < 2 && cases[i].kind[row.n_evidence];
             row.n_evidence++)
            evidence[row.n_evidence] =
                reason(cases[i].kind[row.n_evidence], cases[i].strength[row.n_evidence]);
        row.evidence = evidence;
        for (unsigned again = 0; again < 3; again++) { /* it stays so */
            merge(f, &f->north, &row);
            const struct lamp_conn_row *r = &f->conn.row;
            if (r->verdict != cases[i].want || r->confidence != cases[i].confidence ||
                r->flags != (LAMP_CONN_TLS | cases[i].flags))
                fail_msg("%s, time %u: %s, confidence %u, flags %u", cases[i].label, again,
                         lamp_verdict_name(r->verdict), r->confidence, r->flags);
        }
        struct seen x = { cases[i].told ? cases[i].told : "probe", 0 };
        uint64_t left_out;
        ok(f->s, lamp_store_sightings(f->s, f->conn.miner_id, count_kind, &x, &left_out));
        if (x.n != (cases[i].told != NULL))
            fail_msg("%s: %u reasons of its own", cases[i].label, x.n);
    }
}

/* A probe takes its time: what it finds counts from the connection's next row on. */
static void test_later(void **state)
{
    struct fixture *f = *state;
    struct lamp_conn_row row = test_row(1, TEST_NOW_US, TEST_NOW_US + 1);
    row.verdict = LAMP_VERDICT_SUSPECTED;
    row.confidence = 8000;
    row.server_addr = test_addr("203.0.113.9");
    row.server_port = PORT;
    merge(f, &f->north, &row);
    assert_int_equal(f->conn.row.verdict, LAMP_VERDICT_SUSPECTED);
    probed(f, "203.0.113.9", LAMP_POOL_LISTEN, TEST_NOW_US);
    merge(f, &f->north, &row);
    assert_int_equal(f->conn.row.confidence, 5714);
    probed(f, "203.0.113.9", LAMP_POOL_UP, TEST_NOW_US + 1);
    merge(f, &f->north, &row);
    assert_int_equal(f->conn.row.verdict, LAMP_VERDICT_PROBABLE);
    probed(f, "203.0.113.9", LAMP_POOL_DOWN, TEST_NOW_US + 2);
    merge(f, &f->north, &row); /* a verdict only rises */
    assert_int_equal(f->conn.row.verdict, LAMP_VERDICT_PROBABLE);
    row.verdict = LAMP_VERDICT_CONFIRMED;
    row.confidence = 9999;
    merge(f, &f->north, &row);
    assert_int_equal(f->conn.row.verdict, LAMP_VERDICT_CONFIRMED);
}

/* What encrypted shares are worth by the difficulty that a probe was told. */
static void test_rate(void **state)
{
    static const struct {
        const char *label, *family, *algorithm;
        enum lamp_pool_state state;
        double difficulty;
        uint32_t shares;
        double want;     /* 0: nothing is known */
        uint64_t age_us; /* of the probe */
    } rows[] = {
        { "hashes", "cryptonote", "", LAMP_POOL_UP, 10000, 36, 4000, 0 },
        { "by the algorithm", "stratum-v1", "sha256d", LAMP_POOL_UP, 512, 9,
          512 * 4294967296.0 / 10, 0 },
        { "of an algorithm unknown", "stratum-v1", "", LAMP_POOL_UP, 512, 9, 0, 0 },
        { "of another family", "beam", "beamhash3", LAMP_POOL_UP, 512, 9, 0, 0 },
        { "not told", "cryptonote", "", LAMP_POOL_UP, 0, 36, 0, 0 },
        { "no pool now", "cryptonote", "", LAMP_POOL_LISTEN, 10000, 36, 0, 0 },
        { "no shares", "cryptonote", "", LAMP_POOL_UP, 10000, 0, 0, 0 },
        { "told long ago", "cryptonote", "", LAMP_POOL_UP, 10000, 36, 0, 8 * DAY_US },
        { "a made up difficulty", "cryptonote", "", LAMP_POOL_UP, 1e300, 36, 0, 0 },
        { "made up shares", "cryptonote", "", LAMP_POOL_UP, 10000, UINT32_MAX, 0, 0 },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct lamp_server_known k = { .state = rows[i].state,
                                       .probed_us = TEST_NOW_US - rows[i].age_us,
                                       .difficulty = rows[i].difficulty };
        snprintf(k.family, sizeof(k.family), "%s", rows[i].family);
        const struct lamp_rate r =
            lamp_lift_rate(&k, catalogue, rows[i].algorithm, rows[i].shares, TEST_NOW_US);
        if (r.value < rows[i].want * 0.999 || r.value > rows[i].want * 1.001 ||
            (r.method == LAMP_RATE_TIMING) != (rows[i].want > 0) || r.low > r.value ||
            r.high < r.value)
            fail_msg("%s: %g, %g to %g", rows[i].label, r.value, r.low, r.high);
    }
}

/* The rate is there from the first row on after both are known, and stays. */
static void test_rate_later(void **state)
{
    struct fixture *f = *state;
    struct lamp_conn_row row = test_row(1, TEST_NOW_US, TEST_NOW_US + 1);
    row.verdict = LAMP_VERDICT_SUSPECTED;
    row.confidence = 8000;
    row.server_addr = test_addr("203.0.113.9");
    row.server_port = PORT;
    told(f, "203.0.113.9", LAMP_POOL_UP, TEST_NOW_US, "cryptonote", 10000);
    merge(f, &f->north, &row);
    assert_int_equal(f->conn.row.other_method, LAMP_RATE_NONE); /* too early to say */
    row.early_shares = 1 + 36;
    merge(f, &f->north, &row);
    assert_int_equal(f->conn.row.other_method, LAMP_RATE_TIMING);
    assert_true(fabs(f->conn.row.other_rate - 4000) < 1);
    told(f, "203.0.113.9", LAMP_POOL_UP, TEST_NOW_US + 1, "cryptonote", 77);
    merge(f, &f->north, &row);
    assert_true(fabs(f->conn.row.other_rate - 4000) < 1);
}

/* So it is for one that no lift has to be asked for: the probe alone is looked up, only of TCP. */
static void test_rate_of_confirmed(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *label;
        uint8_t ip_proto;
        enum lamp_verdict verdict;
        uint16_t port;
        bool want;
    } rows[] = {
        { "suspected", 6, LAMP_VERDICT_SUSPECTED, PORT, true },
        { "confirmed", 6, LAMP_VERDICT_CONFIRMED, PORT, true },
        { "over UDP", 17, LAMP_VERDICT_CONFIRMED, PORT, false },
        { "at another port", 6, LAMP_VERDICT_CONFIRMED, PORT + 1, false },
    };
    told(f, "203.0.113.9", LAMP_POOL_UP, TEST_NOW_US, "cryptonote", 10000);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct lamp_conn_row row = test_row(i + 1, TEST_NOW_US, TEST_NOW_US + 1);
        struct lamp_server_known k;
        row.verdict = rows[i].verdict;
        row.confidence = 8000;
        row.ip_proto = rows[i].ip_proto;
        row.server_addr = test_addr("203.0.113.9");
        row.server_port = rows[i].port;
        row.early_shares = 1 + 36;
        merge(f, &f->north, &row);
        ok(f->s, lamp_store_server_probed(f->s, &row, &k));
        if ((f->conn.row.other_method == LAMP_RATE_TIMING) != rows[i].want ||
            (k.state == LAMP_POOL_UP && k.difficulty > 0 && k.probed_us == TEST_NOW_US &&
             streq(k.family, "cryptonote") && !k.mined) != rows[i].want)
            fail_msg("%s: method %d, state %d", rows[i].label, f->conn.row.other_method, k.state);
    }
}

struct suspects {
    size_t n;
    uint16_t ports[4];
    bool tls;
    char name[64];
};

static bool add_suspect(const struct lamp_suspect *v, void *arg)
{
    struct suspects *x = arg;
    assert_true(x->n < ARRAY_LEN(x->ports));
    x->ports[x->n++] = v->port;
    x->tls = v->tls;
    snprintf(x->name, sizeof(x->name), "%s", v->name);
    return true;
}

static struct suspects suspects(struct fixture *f, uint64_t from_us)
{
    struct suspects x = { .n = 0 };
    ok(f->s, lamp_store_suspects(f->s, from_us, 100, add_suspect, &x));
    return x;
}

/* Whom the catalogue's thread asks: TCP, suspected of late, not marked. */
static void test_suspects(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint16_t port;
        uint8_t ip_proto;
        enum lamp_verdict verdict;
        const char *tunnel;
    } rows[] = {
        { 443, 6, LAMP_VERDICT_SUSPECTED, "" }, { 444, 17, LAMP_VERDICT_SUSPECTED, "" },
        { 445, 6, LAMP_VERDICT_CONFIRMED, "" }, { 446, 6, LAMP_VERDICT_SUSPECTED, "socks5" },
        { 443, 6, LAMP_VERDICT_SUSPECTED, "" }, /* another host's, the same server */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct lamp_conn_row row = test_row(10 + i, TEST_NOW_US, TEST_NOW_US + 1);
        row.server_port = rows[i].port;
        row.ip_proto = rows[i].ip_proto;
        row.verdict = rows[i].verdict;
        row.tunnel_kind = lamp_bytes_of(rows[i].tunnel);
        row.sni = lamp_bytes_of("p.example");
        row.flags = LAMP_CONN_TLS;
        row.client_addr = test_addr(i == 4 ? "10.0.0.99" : "10.0.0.7");
        merge(f, &f->north, &row);
    }
    const struct suspects x = suspects(f, TEST_NOW_US);
    assert_int_equal(x.n, 1);
    assert_int_equal(x.ports[0], 443);
    assert_true(x.tls);
    assert_string_equal(x.name, "p.example");
    assert_int_equal(suspects(f, TEST_NOW_US + 2).n, 0);
    /* the last row was the other host's */
    ok(f->s, lamp_store_miner_mark(f->s, f->conn.miner_id, LAMP_MARK_DISMISSED, "ann", "", 1));
    assert_int_equal(suspects(f, TEST_NOW_US).n, 1);
    struct lamp_conn_row row = test_row(10, TEST_NOW_US, TEST_NOW_US + 1);
    row.client_addr = test_addr("10.0.0.7");
    row.server_port = 443;
    row.verdict = LAMP_VERDICT_SUSPECTED;
    merge(f, &f->north, &row);
    ok(f->s, lamp_store_miner_mark(f->s, f->conn.miner_id, LAMP_MARK_SANCTIONED, "ann", "", 1));
    assert_int_equal(suspects(f, TEST_NOW_US).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cases, setup, teardown),
        cmocka_unit_test_setup_teardown(test_later, setup, teardown),
        cmocka_unit_test(test_rate),
        cmocka_unit_test_setup_teardown(test_rate_later, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rate_of_confirmed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_suspects, setup, teardown),
    };
    char why[256];
    if (lamp_catalogue_load(LAMP_DATA, &catalogue, why, sizeof(why)) != LAMP_OK) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    lamp_catalogue_free(catalogue);
    return failed;
}
