/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/aggregator.h"

#include "aggregator/policy/rules.h"

#define S UINT64_C(1000000)

/* A confirmed XMR miner, 10.0.0.7 at north to pool.example, 203.0.113.9:3333, on Wednesday at 12:00. */
static struct lamp_track_conn conn_of(enum lamp_verdict verdict)
{
    struct lamp_track_conn c = { .id = 11, .miner_id = 3 };
    c.row = test_row(1, 0, 0);
    c.row.verdict = verdict;
    c.row.confidence = 9900;
    snprintf(c.text[LAMP_TEXT_COIN], sizeof(c.text[0]), "XMR");
    snprintf(c.text[LAMP_TEXT_SERVER_NAME], sizeof(c.text[0]), "eu.pool.example");
    return c;
}

static const struct lamp_policy any = { .id = 1,
                                        .name = "p",
                                        .mode = LAMP_POLICY_ON,
                                        .verdict = LAMP_VERDICT_CONFIRMED,
                                        .days = 0x7f,
                                        .block = LAMP_POLICY_HOST,
                                        .lease_s = 600,
                                        .longest_s = 3000,
                                        .grace_s = 900 };

static void test_fits(void **state)
{
    (void)state;
    enum { NONE = LAMP_MARK_NONE, WANTED = LAMP_MARK_SANCTIONED };
    static const struct {
        const char *label;
        enum lamp_verdict at_least, verdict;
        const char *coin, *pool, *site;
        int sanctioned, mark;
        unsigned days, from, to, weekday, minute;
        bool want;
    } cases[] = {
        { "anything confirmed", 4, 4, "", "", "", 0, NONE, 0x7f, 0, 0, 2, 720, true },
        { "probable is too little", 4, 3, "", "", "", 0, NONE, 0x7f, 0, 0, 2, 720, false },
        { "probable is enough", 3, 3, "", "", "", 0, NONE, 0x7f, 0, 0, 2, 720, true },
        { "this coin", 4, 4, "xmr", "", "", 0, NONE, 0x7f, 0, 0, 2, 720, true },
        { "another coin", 4, 4, "BTC", "", "", 0, NONE, 0x7f, 0, 0, 2, 720, false },
        { "pool by domain", 4, 4, "", "pool.example", "", 0, NONE, 0x7f, 0, 0, 2, 720, true },
        { "pool by half a label", 4, 4, "", "ool.example", "", 0, NONE, 0x7f, 0, 0, 2, 720, false },
        { "pool by address", 4, 4, "", "203.0.113.9", "", 0, NONE, 0x7f, 0, 0, 2, 720, true },
        { "pool by port", 4, 4, "", "203.0.113.9:3333", "", 0, NONE, 0x7f, 0, 0, 2, 720, true },
        { "another port", 4, 4, "", "203.0.113.9:3334", "", 0, NONE, 0x7f, 0, 0, 2, 720, false },
        { "this site", 4, 4, "", "", "north", 0, NONE, 0x7f, 0, 0, 2, 720, true },
        { "another site", 4, 4, "", "", "south", 0, NONE, 0x7f, 0, 0, 2, 720, false },
        { "wanted", 4, 4, "", "", "", 0, WANTED, 0x7f, 0, 0, 2, 720, false },
        { "wanted too", 4, 4, "", "", "", 1, WANTED, 0x7f, 0, 0, 2, 720, true },
        { "this day", 4, 4, "", "", "", 0, NONE, 1 << 2, 0, 0, 2, 720, true },
        { "another day", 4, 4, "", "", "", 0, NONE, 1 << 3, 0, 0, 2, 720, false },
        { "within hours", 4, 4, "", "", "", 0, NONE, 0x7f, 700, 721, 2, 720, true },
        { "hours are over", 4, 4, "", "", "", 0, NONE, 0x7f, 700, 720, 2, 720, false },
        { "before hours", 4, 4, "", "", "", 0, NONE, 0x7f, 721, 800, 2, 720, false },
        { "night begins", 4, 4, "", "", "", 0, NONE, 1 << 2, 1320, 360, 2, 1320, true },
        { "night of the day before", 4, 4, "", "", "", 0, NONE, 1 << 2, 1320, 360, 3, 359, true },
        { "night of another day", 4, 4, "", "", "", 0, NONE, 1 << 2, 1320, 360, 2, 359, false },
        { "Sunday night into Monday", 4, 4, "", "", "", 0, NONE, 1 << 6, 1320, 360, 0, 10, true },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct lamp_track_conn c = conn_of(cases[i].verdict);
        struct lamp_policy p = any;
        char why[512] = "";
        p.verdict = cases[i].at_least;
        p.sanctioned = cases[i].sanctioned != 0;
        p.days = (uint8_t)cases[i].days;
        p.from_minute = (uint16_t)cases[i].from;
        p.to_minute = (uint16_t)cases[i].to;
        snprintf(p.coin, sizeof(p.coin), "%s", cases[i].coin);
        snprintf(p.pool, sizeof(p.pool), "%s", cases[i].pool);
        snprintf(p.site, sizeof(p.site), "%s", cases[i].site);
        const struct lamp_rules_news n = {
            "north",        &c, (enum lamp_mark)cases[i].mark, TEST_NOW_US, cases[i].weekday,
            cases[i].minute
        };
        if (lamp_rule_fits(&p, &n, why, sizeof(why)) != cases[i].want)
            fail_msg("%s: %s", cases[i].label, why);
        if (cases[i].want && !strstr(why, lamp_verdict_name(cases[i].verdict)))
            fail_msg("%s: says %s", cases[i].label, why);
    }
}

static void test_problems(void **state)
{
    (void)state;
    struct lamp_policy p = any;
    assert_null(lamp_rule_problem(&p));
    p.name[0] = '\0';
    assert_non_null(lamp_rule_problem(&p));
    p = any;
    p.verdict = LAMP_VERDICT_SUSPECTED;
    assert_non_null(lamp_rule_problem(&p));
    p = any;
    p.confidence = LAMP_POLICY_SURE;
    assert_null(lamp_rule_problem(&p));
    p.confidence++;
    assert_non_null(lamp_rule_problem(&p));
    p = any;
    p.days = 0;
    assert_non_null(lamp_rule_problem(&p));
    p = any;
    p.from_minute = 1440;
    assert_non_null(lamp_rule_problem(&p));
    p = any;
    p.block = LAMP_POLICY_NOTHING;
    assert_non_null(lamp_rule_problem(&p));
    p.alert = true;
    assert_null(lamp_rule_problem(&p));
    p = any;
    p.everywhere = true;
    assert_non_null(lamp_rule_problem(&p));
    p = any;
    p.longest_s = p.lease_s - 1;
    assert_non_null(lamp_rule_problem(&p));
}

/* The confidence that is wanted, and that the verdict has, in 1/10000. */
static void test_confidence(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        enum lamp_verdict verdict;
        uint32_t at_least, has;
        bool want;
        const char *why;
    } cases[] = {
        { "none is wanted", 4, 0, 0, true, "confirmed, at least probable wanted; not" },
        { "just enough", 4, 9950, 9950, true, "; confidence 0.995, at least 0.995 wanted" },
        { "more than that", 3, 9700, 9999, true, "; confidence 0.9999, at least 0.97 wanted" },
        { "a little less", 4, 9950, 9949, false, NULL },
        { "only what is certain", 4, 10000, 9999, false, NULL },
        { "confident of too little", 2, 9000, 9999, false, NULL },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct lamp_track_conn c = conn_of(cases[i].verdict);
        struct lamp_policy p = any;
        char why[512] = "";
        p.verdict = LAMP_VERDICT_PROBABLE;
        p.confidence = (uint16_t)cases[i].at_least;
        c.row.confidence = cases[i].has;
        const struct lamp_rules_news n = { "north", &c, LAMP_MARK_NONE, TEST_NOW_US, 2, 720 };
        if (lamp_rule_fits(&p, &n, why, sizeof(why)) != cases[i].want)
            fail_msg("%s: %s", cases[i].label, why);
        if (cases[i].want && !strstr(why, cases[i].why))
            fail_msg("%s: says %s", cases[i].label, why);
    }
}

/* ---- what is done ---- */

struct fixture {
    char *folder;
    lamp_store *s;
    lamp_alarms *a;
    lamp_blocklist *l;
    lamp_rules *r;
    struct lamp_prefix never;
    int64_t blocked; /* the newest block */
    unsigned n_blocked, n_sampled;
    const char *no_sample; /* why there is none; NULL: there is */
    uint64_t now_us;
};

static void list_changed(const char *site, void *arg)
{
    (void)site, (void)arg;
}

static void on_blocked(int64_t id, void *arg)
{
    struct fixture *f = arg;
    f->blocked = id;
    f->n_blocked++;
}

static int on_sample(const struct lamp_policy *p, const struct lamp_rules_news *n, int64_t *out_id,
                     char *why, size_t size, void *arg)
{
    struct fixture *f = arg;
    assert_int_equal(p->sample, 20);
    assert_string_equal(n->site, "north");
    f->n_sampled++;
    *out_id = f->no_sample ? 0 : 12;
    snprintf(why, size, "%s", f->no_sample ? f->no_sample : "");
    return LAMP_OK;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->folder = new_folder();
    f->s = open_store("sqlite", f->folder, false);
    f->now_us = TEST_NOW_US;
    assert_int_equal(lamp_prefix_parse("198.51.100.0/24", &f->never), LAMP_OK);
    ok(f->s, lamp_store_begin(f->s));
    ok(f->s, lamp_store_enroll(f->s, "s1", "north", TEST_NOW_US));
    ok(f->s, lamp_store_enroll(f->s, "s2", "south", TEST_NOW_US));
    const struct lamp_blocklist_cfg blocks = {
        .store = f->s, .never = &f->never, .n_never = 1, .ttl_s = 7200, .changed = list_changed
    };
    ok(f->s, lamp_blocklist_open(&blocks, &f->l));
    ok(f->s, lamp_blocklist_site(f->l, "north"));
    ok(f->s, lamp_blocklist_site(f->l, "south"));
    ok(f->s, lamp_alarms_new(&(struct lamp_alarms_cfg){ .store = f->s }, &f->a));
    ok(f->s, lamp_rules_new(&(struct lamp_rules_cfg){ f->s, f->a, f->l, on_blocked, f, on_sample },
                            &f->r));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    lamp_rules_free(f->r);
    lamp_alarms_free(f->a);
    lamp_blocklist_close(f->l);
    lamp_store_close(f->s);
    remove_folder(f->folder);
    free(f->folder);
    free(f);
    return 0;
}

static struct lamp_policy add(struct fixture *f, const struct lamp_policy *p, const char *name)
{
    struct lamp_policy copy = *p;
    snprintf(copy.name, sizeof(copy.name), "%s", name);
    ok(f->s, lamp_store_policy_add(f->s, &copy));
    ok(f->s, lamp_rules_reload(f->r));
    return copy;
}

static void set_mode(struct fixture *f, const struct lamp_policy *p, enum lamp_policy_mode mode)
{
    ok(f->s, lamp_store_policy_mode(f->s, p->id, mode, "ann", f->now_us));
    ok(f->s, lamp_rules_reload(f->r));
}

static void mine_as(struct fixture *f, const char *host, const char *server)
{
    struct lamp_track_conn c = conn_of(LAMP_VERDICT_CONFIRMED);
    c.row.client_addr = test_addr(host);
    c.row.server_addr = test_addr(server);
    ok(f->s, lamp_rules_mined(f->r, &(struct lamp_rules_news){ "north", &c, LAMP_MARK_NONE,
                                                               f->now_us, 2, 720 }));
}

static bool copy_hit(const struct lamp_policy_hit *h, void *arg)
{
    *(struct lamp_policy_hit *)arg = *h;
    return false;
}

/* The newest hit of a policy; count 0: none. */
static struct lamp_policy_hit hit_of(struct fixture *f, const struct lamp_policy *p)
{
    struct lamp_policy_hit h = { .count = 0 };
    ok(f->s, lamp_store_policy_hits(f->s, p->id, copy_hit, &h));
    return h;
}

static bool copy_block(const struct lamp_block_view *v, void *arg)
{
    struct lamp_block *b = arg;
    b->expires_us = v->expires_us;
    b->kind = v->kind;
    b->approval = v->approval;
    b->prefix = v->prefix;
    snprintf(b->created_by, sizeof(b->created_by), "%s", v->created_by);
    snprintf(b->site, sizeof(b->site), "%s", v->site);
    snprintf(b->reason, sizeof(b->reason), "%s", v->reason);
    return false;
}

static struct lamp_block block_of(struct fixture *f, int64_t id)
{
    struct lamp_block b = { .id = id };
    ok(f->s, lamp_store_blocks(f->s, &(struct lamp_block_filter){ .id = id }, copy_block, &b));
    return b;
}

static bool newest_audit(const struct lamp_audit_view *v, void *arg)
{
    snprintf(arg, 256, "%s %s %s %s", v->actor, v->action, v->object, v->detail);
    return false;
}

/* A dry run says of whom it would have blocked and why, and blocks nobody; on, the same is done. */
static void test_dry_run(void **state)
{
    struct fixture *f = *state;
    struct lamp_policy dry = any;
    char audit[256] = "";
    dry.mode = LAMP_POLICY_DRY_RUN;
    dry.alert = true;
    const struct lamp_policy p = add(f, &dry, "dry");
    mine_as(f, "10.0.0.7", "203.0.113.9");
    struct lamp_policy_hit h = hit_of(f, &p);
    assert_int_equal(f->n_blocked, 0);
    assert_true(h.dry_run);
    assert_int_equal(h.count, 1);
    assert_int_equal(h.miner_id, 3);
    assert_int_equal(h.conn_id, 11);
    assert_string_equal(h.outcome, "would be blocked for 600 s");
    assert_string_equal(h.why, "confirmed, at least confirmed wanted; not marked as wanted");
    f->now_us += 10 * S; /* noted once a minute */
    mine_as(f, "10.0.0.7", "203.0.113.9");
    assert_int_equal(hit_of(f, &p).count, 1);
    f->now_us += 60 * S;
    mine_as(f, "10.0.0.7", "203.0.113.9");
    assert_int_equal(hit_of(f, &p).count, 2);

    set_mode(f, &p, LAMP_POLICY_ON);
    mine_as(f, "10.0.0.7", "203.0.113.9");
    assert_int_equal(f->n_blocked, 1);
    h = hit_of(f, &p);
    assert_false(h.dry_run);
    assert_int_equal(h.block_id, f->blocked);
    assert_string_equal(h.outcome, "blocked for 600 s");
    const struct lamp_block b = block_of(f, f->blocked);
    assert_string_equal(b.created_by, "policy dry");
    assert_string_equal(b.site, "north");
    assert_int_equal(b.kind, LAMP_BLOCK_HOST);
    assert_true(b.expires_us == f->now_us + 600 * S);
    assert_string_equal(b.reason, h.why);
    ok(f->s, lamp_store_audits(f->s, 1, newest_audit, audit));
    assert_string_equal(audit, "policy dry block block 1 10.0.0.7 at north");
    f->now_us += 60 * S; /* what is blocked is not blocked again */
    mine_as(f, "10.0.0.7", "203.0.113.9");
    assert_int_equal(f->n_blocked, 1);
    set_mode(f, &p, LAMP_POLICY_OFF);
    mine_as(f, "10.0.0.8", "203.0.113.9");
    assert_int_equal(f->n_blocked, 1);
}

static void ignore_id(int64_t id, void *arg)
{
    (void)id, (void)arg;
}

/* Whoever comes back is blocked for twice as long, to a limit; what a person lifted is let be. */
static void test_growth_and_grace(void **state)
{
    static const uint64_t leases_s[] = { 600, 1200, 2400, 3000, 3000 };
    struct fixture *f = *state;
    char why[256];
    const struct lamp_policy p = add(f, &any, "grow");
    for (size_t i = 0; i < ARRAY_LEN(leases_s); i++) {
        mine_as(f, "10.0.0.7", "203.0.113.9");
        assert_int_equal(f->n_blocked, i + 1);
        assert_true(block_of(f, f->blocked).expires_us == f->now_us + leases_s[i] * S);
        if (i + 1 == ARRAY_LEN(leases_s))
            break;
        f->now_us += 3601 * S;
        ok(f->s, lamp_blocklist_expire(f->l, f->now_us, ignore_id, NULL));
    }
    mine_as(f, "10.0.0.8", "203.0.113.9"); /* somebody else is no repeater */
    assert_true(block_of(f, f->blocked).expires_us == f->now_us + 600 * S);

    ok(f->s, lamp_blocklist_end(f->l, f->blocked, "ann", f->now_us, why, sizeof(why)));
    const unsigned before = f->n_blocked;
    f->now_us += 899 * S;
    mine_as(f, "10.0.0.8", "203.0.113.9");
    assert_int_equal(f->n_blocked, before);
    assert_string_equal(hit_of(f, &p).outcome,
                        "not blocked: a person lifted such a block 899 s ago");
    f->now_us += S;
    mine_as(f, "10.0.0.8", "203.0.113.9");
    assert_int_equal(f->n_blocked, before + 1);
    assert_true(block_of(f, f->blocked).expires_us == f->now_us + 1200 * S);
}

/* The limits of every block hold: what would hit many hosts waits for a person, what is never blocked is
 * not, and a dry run says so. */
static void test_limits(void **state)
{
    struct fixture *f = *state;
    struct lamp_policy q = any;
    const struct lamp_policy p = add(f, &any, "wide");
    char host[32];
    for (unsigned i = 1; i <= 3; i++) {
        snprintf(host, sizeof(host), "10.0.1.%u", i);
        mine_as(f, host, "203.0.113.9");
    }
    assert_int_equal(block_of(f, 2).approval, LAMP_APPROVAL_NONE);
    assert_int_equal(block_of(f, 3).approval, LAMP_APPROVAL_WAITING);
    assert_non_null(
        strstr(hit_of(f, &p).outcome, "blocked once a second person approves it: more"));
    set_mode(f, &p, LAMP_POLICY_OFF);
    q.mode = LAMP_POLICY_DRY_RUN;
    const struct lamp_policy dry = add(f, &q, "dry");
    mine_as(f, "10.0.1.9", "203.0.113.9");
    assert_non_null(
        strstr(hit_of(f, &dry).outcome, "would be blocked once a second person approves it"));
    set_mode(f, &dry, LAMP_POLICY_OFF);
    q.mode = LAMP_POLICY_ON;
    q.block = LAMP_POLICY_SERVER;
    const struct lamp_policy server = add(f, &q, "server");
    const unsigned before = f->n_blocked;
    mine_as(f, "10.0.1.9", "198.51.100.7");
    assert_string_equal(hit_of(f, &server).outcome,
                        "not blocked: 198.51.100.0/24 is on the never list");
    assert_int_equal(f->n_blocked, before);
}

static void mark_rig(struct fixture *f, const char *site, const char *host)
{
    struct lamp_store_sensor sensor;
    ok(f->s, lamp_store_sensor(f->s, streq(site, "north") ? "s1" : "s2", &sensor));
    struct lamp_track_miner m = { .site_ref = sensor.site_ref,
                                  .host = test_addr(host),
                                  .server_addr = test_addr("203.0.113.9"),
                                  .server_port = 3333,
                                  .ip_proto = 6,
                                  .last_us = f->now_us };
    ok(f->s, lamp_store_miner_save(f->s, &m));
    ok(f->s, lamp_store_miner_mark(f->s, m.id, LAMP_MARK_SANCTIONED, "ann", "", f->now_us));
}

/* A server is blocked where it was seen, or everywhere, but not where that would hit a rig. */
static void test_servers(void **state)
{
    struct fixture *f = *state;
    struct lamp_policy q = any;
    q.block = LAMP_POLICY_SERVER;
    mark_rig(f, "south", "10.2.0.1");
    q.everywhere = true;
    const struct lamp_policy wide = add(f, &q, "everywhere");
    mine_as(f, "10.0.0.7", "203.0.113.9");
    assert_int_equal(f->n_blocked, 0);
    assert_string_equal(hit_of(f, &wide).outcome,
                        "not blocked: a sanctioned rig mines at this server");
    set_mode(f, &wide, LAMP_POLICY_OFF);
    q.everywhere = false;
    const struct lamp_policy here = add(f, &q, "here");
    mine_as(f, "10.0.0.7", "203.0.113.9");
    assert_int_equal(f->n_blocked, 1);
    assert_string_equal(block_of(f, f->blocked).site, "north");
    assert_int_equal(block_of(f, f->blocked).kind, LAMP_BLOCK_REMOTE);
    set_mode(f, &here, LAMP_POLICY_OFF);
    set_mode(f, &wide, LAMP_POLICY_ON);
    mine_as(f, "10.0.0.7", "203.0.113.10");
    assert_int_equal(f->n_blocked, 2);
    assert_string_equal(block_of(f, f->blocked).site, "");
}

static bool count_policy_alerts(const struct lamp_alert_view *v, void *arg)
{
    *(size_t *)arg += v->kind == LAMP_ALERT_POLICY;
    return true;
}

static void test_alert_alone(void **state)
{
    struct fixture *f = *state;
    struct lamp_policy q = any;
    size_t n = 0;
    q.block = LAMP_POLICY_NOTHING;
    q.alert = true;
    const struct lamp_policy p = add(f, &q, "tell");
    assert_int_equal(lamp_store_policy_add(f->s, &(struct lamp_policy){ .name = "tell" }),
                     LAMP_EEXIST);
    mine_as(f, "10.0.0.7", "203.0.113.9");
    mine_as(f, "10.0.0.7", "203.0.113.9");
    ok(f->s, lamp_store_alerts(f->s, &(struct lamp_alert_filter){ .open = true },
                               count_policy_alerts, &n));
    assert_int_equal(n, 1);
    assert_int_equal(f->n_blocked, 0);
    assert_string_equal(hit_of(f, &p).outcome, "raised an alert");
    ok(f->s, lamp_store_policy_remove(f->s, p.id));
    assert_int_equal(lamp_store_policy_remove(f->s, p.id), LAMP_ENOENT);
    assert_int_equal(hit_of(f, &p).count, 0);
}

/* The store keeps the confidence that a policy wants, and what it is changed to. */
static void test_confidence_kept(void **state)
{
    struct fixture *f = *state;
    struct lamp_policy q = any;
    q.confidence = 9950;
    struct lamp_policy p = add(f, &q, "sure");
    mine_as(f, "10.0.0.7", "203.0.113.9");
    assert_int_equal(f->n_blocked, 0);
    p.confidence = 9900;
    ok(f->s, lamp_store_policy_edit(f->s, &p));
    ok(f->s, lamp_rules_reload(f->r));
    mine_as(f, "10.0.0.7", "203.0.113.9");
    assert_int_equal(f->n_blocked, 1);
    assert_string_equal(hit_of(f, &p).why, "confirmed, at least confirmed wanted;"
                                           " confidence 0.99, at least 0.99 wanted;"
                                           " not marked as wanted");
}

static void test_sample(void **state)
{
    struct fixture *f = *state;
    struct lamp_policy q = any;
    q.block = LAMP_POLICY_NOTHING;
    q.sample = 20;
    const struct lamp_policy p = add(f, &q, "keep");
    set_mode(f, &p, LAMP_POLICY_DRY_RUN);
    mine_as(f, "10.0.0.7", "203.0.113.9");
    assert_string_equal(hit_of(f, &p).outcome, "would have 20 packets of a connection kept");
    assert_int_equal(f->n_sampled, 0);
    set_mode(f, &p, LAMP_POLICY_ON);
    mine_as(f, "10.0.0.7", "203.0.113.9");
    assert_string_equal(hit_of(f, &p).outcome, "sample 12 ordered");
    f->now_us += 120 * S;
    f->no_sample = "sample 12 is less than a day old";
    mine_as(f, "10.0.0.7", "203.0.113.9");
    assert_string_equal(hit_of(f, &p).outcome, "no sample: sample 12 is less than a day old");
    q.block = LAMP_POLICY_HOST;
    const struct lamp_policy both = add(f, &q, "both");
    mine_as(f, "10.0.0.8", "203.0.113.9");
    assert_string_equal(hit_of(f, &both).outcome,
                        "blocked for 600 s; no sample: sample 12 is less than a day old");
    q.sample = LAMP_POLICY_SAMPLE_MAX + 1;
    assert_non_null(lamp_rule_problem(&q));
}

struct names {
    char text[64];
};

static bool add_name(const struct lamp_policy *p, void *arg)
{
    struct names *x = arg;
    const size_t n = strlen(x->text);
    snprintf(x->text + n, sizeof(x->text) - n, "%s%u ", p->name, p->place);
    return true;
}

/* The order of policies, and what an edit leaves. */
static void test_order(void **state)
{
    static const struct {
        unsigned which, place;
        const char *want;
    } moves[] = {
        { 2, 1, "c1 a2 b3 d4 " },  { 2, 3, "a1 b2 c3 d4 " }, { 0, 4, "b1 c2 d3 a4 " },
        { 1, 60, "c1 d2 a3 b4 " }, { 3, 2, "c1 d2 a3 b4 " },
    };
    struct fixture *f = *state;
    struct lamp_policy p[4];
    for (size_t i = 0; i < ARRAY_LEN(p); i++)
        p[i] = add(f, &any, (const char *[]){ "a", "b", "c", "d" }[i]);
    for (size_t i = 0; i < ARRAY_LEN(moves); i++) {
        struct names x = { "" };
        ok(f->s, lamp_store_policy_place(f->s, p[moves[i].which].id, moves[i].place));
        ok(f->s, lamp_store_policies(f->s, add_name, &x));
        assert_string_equal(x.text, moves[i].want);
    }
    assert_int_equal(lamp_store_policy_place(f->s, 99, 1), LAMP_ENOENT);

    /* The first of those that fit acts: the others find it blocked. */
    ok(f->s, lamp_rules_reload(f->r));
    mine_as(f, "10.0.0.7", "203.0.113.9");
    assert_int_equal(f->n_blocked, 1);
    assert_string_equal(block_of(f, f->blocked).created_by, "policy c");
    assert_int_equal(hit_of(f, &p[0]).count, 0);

    p[2].lease_s = 900;
    snprintf(p[2].name, sizeof(p[2].name), "%s", "a");
    assert_int_equal(lamp_store_policy_edit(f->s, &p[2]), LAMP_EEXIST);
    assert_int_equal(hit_of(f, &p[2]).count, 1);
    snprintf(p[2].name, sizeof(p[2].name), "%s", "e");
    ok(f->s, lamp_store_policy_edit(f->s, &p[2]));
    assert_int_equal(hit_of(f, &p[2]).count, 0);
    p[2].id = 99;
    snprintf(p[2].name, sizeof(p[2].name), "%s", "f");
    assert_int_equal(lamp_store_policy_edit(f->s, &p[2]), LAMP_ENOENT);
    ok(f->s, lamp_store_policy_remove(f->s, p[3].id));
    struct names x = { "" };
    ok(f->s, lamp_store_policies(f->s, add_name, &x));
    assert_string_equal(x.text, "e1 a2 b3 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fits),
        cmocka_unit_test(test_confidence),
        cmocka_unit_test(test_problems),
        cmocka_unit_test_setup_teardown(test_dry_run, setup, teardown),
        cmocka_unit_test_setup_teardown(test_growth_and_grace, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_servers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_alert_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sample, setup, teardown),
        cmocka_unit_test_setup_teardown(test_confidence_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_order, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
