/* SPDX-License-Identifier: Apache-2.0 */
/* Receivers as lines of the configuration, the forms of messages, and names of things. */
#include "aggregator/notify/format.h"
#include "aggregator/notify/ids.h"
#include "aggregator/notify/receiver.h"
#include "tests/support/aggregator.h"

#include <jansson.h>
#include <sodium.h>

/* ---- receivers ---- */

#define CA_FILE LAMP_TEST_DATA "/notify/localhost.pem"
#define SECRET_FILE "/tmp/lamp-test-secret"

static const struct {
    const char *line, *why; /* NULL: it is right */
} receivers[] = {
    { "soc https://soc.example/hook", NULL },
    { "soc https://soc.example/hook rate=3 interval=10 keep=7 severity=critical site=oslo", NULL },
    { "soc http://10.0.0.1:8080/hook", NULL }, /* the admin's own network */
    { "siem udp://siem.example", NULL },
    { "siem tcp://[2001:db8::7]:1514 format=ecs", NULL },
    { "siem tls://siem.example format=cef ca=" CA_FILE, NULL },
    { "siem tls://siem.example ca=/nowhere/at/all", "make it" },
    { "siem tls://siem.example ca=" SECRET_FILE, "no certificate in it" },
    { "siem tls://siem.example ca=/tmp", "no certificate in it" },
    { "ops smtp://mail.example from=lamp@a.example to=ops@a.example to=soc@a.example", NULL },
    { "ops smtps://mail.example:465 from=lamp@a.example to=ops@a.example user=lamp", NULL },
    { "", "name" },
    { "Soc https://soc.example/", "name" },
    { "a/b https://soc.example/", "name" },
    { "a-name-that-is-much-too-long-to-be-one https://soc.example/", "name" },
    { "soc", "URL" },
    { "soc ftp://soc.example/", "begins with none" },
    { "soc https://user:password@soc.example/", "without user" },
    { "soc https://", "no URL" },
    { "soc https://soc.example:99999/", "ort number" },
    { "soc https://[fe80::/", "IPv6" },
    { "soc https://soc.example/ rate=0", "rate" },
    { "soc https://soc.example/ rate=x", "rate" },
    { "soc https://soc.example/ rate", "KEY=VALUE" },
    { "soc https://soc.example/ format=cef", "no key" },
    { "soc https://soc.example/ severity=bad", "severity" },
    { "soc https://soc.example/ secret=/nowhere/at/all", "secret=/nowhere/at/all" },
    { "siem tcp://siem.example:0", "HOST[:PORT]" },
    { "siem tcp://siem.example:65536", "HOST[:PORT]" },
    { "siem tcp://siem.example/x", "HOST[:PORT]" },
    { "siem tcp://:514", "HOST[:PORT]" },
    { "siem tcp://siem.example format=json", "one of cef, ecs" },
    { "siem tcp://siem.example secret=/x", "no key" },
    { "ops smtp://mail.example", "from=" },
    { "ops smtp://mail.example from=lamp to=ops@a.example", "no address" },
    { "ops smtp://mail.example from=lamp@a.example to=<ops@a.example>", "no address" },
    { "ops smtp://mail.example from=a@b.example to=c@d.example starttls=no password=" SECRET_FILE,
      "without TLS" },
};

static void test_receivers(void **state)
{
    (void)state;
    struct lamp_receiver r;
    FILE *f = fopen(SECRET_FILE, "w");
    assert_non_null(f);
    fputs("a secret\n", f);
    fclose(f);
    for (size_t i = 0; i < ARRAY_LEN(receivers); i++) {
        char why[LAMP_RECEIVER_WHY] = "";
        const int err = lamp_receiver_parse(receivers[i].line, &r, why);
        if (!err != !receivers[i].why || (err && !strstr(why, receivers[i].why)))
            fail_msg("\"%s\": %d \"%s\"", receivers[i].line, err, why);
    }
    char why[LAMP_RECEIVER_WHY];
    assert_int_equal(lamp_receiver_parse("siem tcp://[2001:db8::7]:1514 format=ecs rate=7 site=oslo"
                                         " severity=warning interval=3 keep=2",
                                         &r, why),
                     LAMP_OK);
    assert_string_equal(r.name, "siem");
    assert_string_equal(r.host, "2001:db8::7");
    assert_string_equal(r.port, "1514");
    assert_true(r.ecs && r.kind == LAMP_RECEIVER_SYSLOG && r.transport == LAMP_TRANSPORT_TCP);
    assert_int_equal(r.rate, 7);
    assert_int_equal(r.interval_us, 3000000);
    assert_int_equal(r.keep_us, 2 * UINT64_C(86400000000));
    static const struct {
        enum lamp_alert_kind kind;
        const char *site;
        bool want;
    } wants[] = {
        { LAMP_ALERT_MINER_CONFIRMED, "oslo", true },
        { LAMP_ALERT_MINER_PROBABLE, "oslo", true },
        { LAMP_ALERT_CLOCK_OFF, "oslo", false },
        { LAMP_ALERT_MINER_CONFIRMED, "porto", false },
        { LAMP_ALERT_DISK_FILLING, "", false },
    };
    for (size_t i = 0; i < ARRAY_LEN(wants); i++) {
        const struct lamp_alert_view v = { .kind = wants[i].kind, .site = wants[i].site };
        assert_int_equal(lamp_receiver_wants(&r, &v), wants[i].want);
    }
    assert_int_equal(lamp_receiver_parse("hook http://a.example/ secret=" SECRET_FILE, &r, why),
                     LAMP_OK);
    assert_string_equal(r.secret, "a secret");
    remove(SECRET_FILE);
}

/* ---- names ---- */

/* From the specification's baseline (github.com/corelight/community-id-spec). */
static const struct {
    const char *a, *b;
    uint16_t a_port, b_port;
    uint8_t proto;
    const char *want;
} communities[] = {
    { "128.232.110.120", "66.35.250.204", 34855, 80, 6, "1:LQU9qZlK+B5F3KDmev6m5PMibrg=" },
    { "66.35.250.204", "128.232.110.120", 80, 34855, 6, "1:LQU9qZlK+B5F3KDmev6m5PMibrg=" },
    { "192.168.1.52", "8.8.8.8", 54585, 53, 17, "1:d/FP5EW3wiY1vCndhwleRRKHowQ=" },
    { "2001:470:e5bf:dead:4957:2174:e82c:4887", "2607:f8b0:400c:c03::1a", 63943, 25, 6,
      "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=" },
};

static void test_ids(void **state)
{
    (void)state;
    char out[LAMP_COMMUNITY_ID], uuid[LAMP_UUID];
    for (size_t i = 0; i < ARRAY_LEN(communities); i++) {
        const struct lamp_addr a = test_addr(communities[i].a), b = test_addr(communities[i].b);
        assert_string_equal(lamp_community_id(communities[i].proto, &a, communities[i].a_port, &b,
                                              communities[i].b_port, out),
                            communities[i].want);
    }
    /* as Python's uuid.uuid5() has it */
    assert_string_equal(lamp_uuid_of("pool 203.0.113.7:3333", uuid),
                        "6a101a79-5ce8-5f12-8519-03e3ae67798f");
}

/* ---- forms ---- */

#define BIDI "\xe2\x80\xae"

static const struct {
    const char *text, *cef, *json, *mail;
} hostile[] = {
    { "plain", "plain", "plain", "plain" },
    { "a|b=c\\d", "a|b\\=c\\\\d", "a|b=c\\d", "a|b=c\\\\d" },
    { "x\r\nCEF:0|a|b|c|d|e|9|", "x  CEF:0|a|b|c|d|e|9|", "x\r\nCEF:0|a|b|c|d|e|9|",
      "x\\x0d\\x0aCEF:0|a|b|c|d|e|9|" },
    { "x\r\n.\r\nMAIL FROM:<a@b>", "x  .  MAIL FROM:<a@b>", "x\r\n.\r\nMAIL FROM:<a@b>",
      "x\\x0d\\x0a.\\x0d\\x0aMAIL FROM:<a@b>" },
    { "x\r\nBcc: a@b.example", "x  Bcc: a@b.example", "x\r\nBcc: a@b.example",
      "x\\x0d\\x0aBcc: a@b.example" },
    { "\x1b[2J\x07\x7f", " [2J  ", "\x1b[2J\x07\x7f", "\\x1b[2J\\x07\\x7f" },
    { "caf\xc3\xa9", "caf\xc3\xa9", "caf\xc3\xa9", "caf\xc3\xa9" },
    { "]]> \"}{%s%n", "]]> \"}{%s%n", "]]> \"}{%s%n", "]]> \"}{%s%n" },
    { "act=blocked cs1=x", "act\\=blocked cs1\\=x", "act=blocked cs1=x", "act=blocked cs1=x" },
    { "a" BIDI "b", "a" BIDI "b", "a" BIDI "b", "a\\xe2\\x80\\xaeb" },
    { "a\xff\xc0z", "a  z", "a\\xff\\xc0z", "a\\xff\\xc0z" },
};

struct sample {
    struct lamp_message m;
    struct lamp_notice v[2];
    struct lamp_notify_conn conns[2];
};

static struct lamp_notify_body sample_of(struct sample *s, const char *text)
{
    *s = (struct sample){ .m = { .id = 7, .made_us = TEST_NOW_US, .n = 1, .v = s->v } };
    struct lamp_notice *a = &s->v[0];
    snprintf(a->subject, sizeof(a->subject), "%s", text);
    snprintf(a->site, sizeof(a->site), "%.64s", text);
    snprintf(a->text, sizeof(a->text), "%s", text);
    a->v = (struct lamp_alert_view){ .id = 42,
                                     .kind = LAMP_ALERT_MINER_CONFIRMED,
                                     .subject = a->subject,
                                     .site = a->site,
                                     .text = a->text,
                                     .miner_id = 3,
                                     .count = 2,
                                     .first_us = TEST_NOW_US,
                                     .raised_us = TEST_NOW_US,
                                     .last_us = TEST_NOW_US,
                                     .acked_by = "" };
    s->conns[0] = (struct lamp_notify_conn){ .known = true,
                                             .client = test_addr("192.168.1.52"),
                                             .server = test_addr("8.8.8.8"),
                                             .client_port = 54585,
                                             .server_port = 53,
                                             .ip_proto = 17 };
    return (struct lamp_notify_body){ .m = &s->m,
                                      .conns = s->conns,
                                      .receiver = "soc",
                                      .host = "lamp host\n",
                                      .now_us = TEST_NOW_US };
}

static void check_one_line(const char *text, size_t len)
{
    assert_int_equal(strlen(text), len);
    for (size_t i = 0; i < len; i++)
        if ((uint8_t)text[i] < ' ' || text[i] == 0x7f)
            fail_msg("a control character in %s", text);
}

static void test_cef(void **state)
{
    (void)state;
    char line[LAMP_NOTIFY_LINE], want[LAMP_NOTIFY_LINE];
    struct sample s;
    for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
        struct lamp_notify_body b = sample_of(&s, hostile[i].text);
        check_one_line(line, lamp_notify_syslog(&b, 0, false, line));
        snprintf(want, sizeof(want),
                 "|miner-confirmed|A host mines|9|externalId=42 rt=1790000000000 cnt=2"
                 " cs1Label=subject cs1=%s cs2Label=site cs2=%s cs3Label=technique cs3=T1496"
                 " src=192.168.1.52 dst=8.8.8.8 spt=54585 dpt=53 proto=udp cs4Label=communityId"
                 " cs4=1:d/FP5EW3wiY1vCndhwleRRKHowQ= msg=%s",
                 hostile[i].cef, hostile[i].cef, hostile[i].cef);
        static const char head[] =
            "<34>1 2026-09-21T14:13:20.000000Z lamphost davylamp-aggregator - miner-confirmed -"
            " CEF:0|Davylamp|davylamp-aggregator|";
        if (strncmp(line, head, strlen(head)) != 0 || !strstr(line, want) ||
            strlen(strstr(line, want)) != strlen(want))
            fail_msg("got  %s\nwant %s", line, want);
    }
}

static json_t *json_of(const char *text)
{
    json_error_t e;
    json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, &e);
    if (!j)
        fail_msg("%s in %s", e.text, text);
    return j;
}

/* The text at a path like "threat.technique.id.0". */
static const char *at(json_t *j, const char *path)
{
    char part[64];
    while (*path) {
        const size_t len = strcspn(path, ".");
        snprintf(part, sizeof(part), "%.*s", (int)len, path);
        j = json_is_array(j) ? json_array_get(j, strtoul(part, NULL, 10))
                             : json_object_get(j, part);
        path += len + (path[len] == '.');
    }
    return json_string_value(j) ? json_string_value(j) : "";
}

static void test_ecs(void **state)
{
    (void)state;
    char line[LAMP_NOTIFY_LINE];
    struct sample s;
    for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
        struct lamp_notify_body b = sample_of(&s, hostile[i].text);
        check_one_line(line, lamp_notify_syslog(&b, 0, true, line));
        json_t *j = json_of(strchr(line, '{'));
        assert_string_equal(at(j, "message"), hostile[i].json);
        assert_string_equal(at(j, "davylamp.site"), hostile[i].json);
        assert_string_equal(at(j, "@timestamp"), "2026-09-21T14:13:20.000000Z");
        assert_string_equal(at(j, "event.id"), "42");
        assert_string_equal(at(j, "event.code"), "miner-confirmed");
        assert_string_equal(at(j, "source.ip"), "192.168.1.52");
        assert_string_equal(at(j, "network.community_id"), "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
        assert_string_equal(at(j, "threat.technique.id.0"), "T1496");
        json_decref(j);
    }
    struct lamp_notify_body b = sample_of(&s, "x");
    s.v[0].v.miner_id = 0; /* a sensor that is silent is no technique */
    s.conns[0].known = false;
    (void)lamp_notify_syslog(&b, 0, true, line);
    assert_null(strstr(line, "T1496"));
    assert_null(strstr(line, "source"));
    (void)lamp_notify_syslog(&b, 0, false, line);
    assert_null(strstr(line, "T1496"));
    assert_null(strstr(line, "src="));
    /* the longest texts there are still fit */
    char longest[LAMP_ALERT_TEXT];
    memset(longest, '\x1b', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    b = sample_of(&s, longest);
    check_one_line(line, lamp_notify_syslog(&b, 0, true, line));
    json_decref(json_of(strchr(line, '{')));
}

static void test_more(void **state)
{
    (void)state;
    char line[LAMP_NOTIFY_LINE];
    struct sample s;
    struct lamp_notify_body b = sample_of(&s, "x");
    s.m.n = 0;
    s.m.more = 9900;
    snprintf(s.m.summary, sizeof(s.m.summary), "9000 miner-confirmed, 900 policy");
    check_one_line(line, lamp_notify_syslog(&b, 0, false, line));
    assert_non_null(strstr(line, "|more-alerts|More alerts|6|"));
    assert_non_null(
        strstr(line, "cnt=9900 msg=and 9900 more alerts: 9000 miner-confirmed, 900 policy"));
    check_one_line(line, lamp_notify_syslog(&b, 0, true, line));
    json_t *j = json_of(strchr(line, '{'));
    assert_string_equal(at(j, "event.code"), "more-alerts");
    json_decref(j);
    b.test = true;
    s.m.more = 0;
    (void)lamp_notify_syslog(&b, 0, false, line);
    assert_non_null(strstr(line, "|test|"));
}

static void test_webhook(void **state)
{
    (void)state;
    struct sample s;
    for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
        struct lamp_notify_body b = sample_of(&s, hostile[i].text);
        struct lamp_json w;
        lamp_json_init(&w, 100000);
        s.m.more = 3;
        lamp_notify_json(&w, &b);
        assert_int_equal(lamp_json_error(&w), LAMP_OK);
        json_t *j = json_of(w.buf);
        assert_string_equal(at(j, "message"), "soc-6ab13b80-7");
        assert_string_equal(at(j, "alerts.0.text"), hostile[i].json);
        assert_string_equal(at(j, "alerts.0.technique"), "T1496");
        assert_string_equal(at(j, "alerts.0.connection.community_id"),
                            "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
        assert_string_equal(at(j, "summary"), "and 3 more alerts: see the list of alerts");
        assert_int_equal(json_integer_value(json_object_get(j, "more")), 3);
        json_decref(j);
        lamp_json_done(&w);
    }
    char signature[LAMP_NOTIFY_SIGNATURE];
    /* HMAC-SHA256 of "5.{}" under "key", by Python's hmac */
    assert_string_equal(lamp_notify_sign("key", 5, lamp_bytes_of("{}"), signature),
                        "sha256=9be615aec64f0d044b5ad6854ab1d893ec88617fb728d2149dcd3a3428e8c45d");
}

static void test_mail(void **state)
{
    (void)state;
    static const char to[][255] = { "ops@a.example", "soc@a.example" };
    static const char head[] =
        "Date: Mon, 21 Sep 2026 14:13:20 +0000\r\nFrom: lamp@a.example\r\n"
        "To: ops@a.example,\r\n soc@a.example\r\n"
        "Subject: [davylamp] critical: A host mines\r\n"
        "Message-ID: <soc-6ab13b80-7@lamphost>\r\nAuto-Submitted: auto-generated\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\n";
    struct sample s;
    for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
        struct lamp_notify_body b = sample_of(&s, hostile[i].text);
        size_t len = 0, text_len = 0;
        char text[8192];
        char *mail = lamp_notify_mail(&b, "lamp@a.example", to, ARRAY_LEN(to), &len);
        assert_non_null(mail);
        if (strncmp(mail, head, strlen(head)) != 0)
            fail_msg("%s", mail);
        const char *body = mail + strlen(head);
        assert_int_equal(sodium_base642bin((uint8_t *)text, sizeof(text) - 1, body, strlen(body),
                                           "\r\n", &text_len, NULL, sodium_base64_VARIANT_ORIGINAL),
                         0);
        text[text_len] = '\0';
        for (const char *p = body; *p; p += strcspn(p, "\n") + 1)
            assert_true(strcspn(p, "\r") <= 76);
        if (!strstr(text, hostile[i].mail))
            fail_msg("no %s in %s", hostile[i].mail, text);
        assert_non_null(strstr(text, "MITRE ATT&CK T1496"));
        free(mail);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_receivers), cmocka_unit_test(test_ids),
        cmocka_unit_test(test_cef),       cmocka_unit_test(test_ecs),
        cmocka_unit_test(test_more),      cmocka_unit_test(test_webhook),
        cmocka_unit_test(test_mail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
