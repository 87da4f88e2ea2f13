/* SPDX-License-Identifier: Apache-2.0 */
/* The sensor's doctor finds faults that are planted, one at a time, and none where there is none. */
#include "proto/wire.h"
#include "sensor/doctor.h"
#include "sensor/link/key.h"
#include "tests/support/test.h"

#include <arpa/inet.h>
#include <linux/capability.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <zmq.h>

#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define LIST_KEY "--link-list-key=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

enum { ARGS = 12, PATIENT_MS = 60000, BRIEF_MS = 2000 };

/* ---- an aggregator's port: open, in CURVE, with a key ---- */

static struct {
    void *context, *router;
    char endpoint[64], public_z85[41];
    char folder[64], closed[64], plain[64];
    int plain_fd;
} world;

static int listening(char endpoint[64])
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(a);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&a, len) == 0 && listen(fd, 8) == 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    snprintf(endpoint, 64, "tcp://127.0.0.1:%d", ntohs(a.sin_port));
    return fd;
}

static int set_up(void **state)
{
    (void)state;
    struct lamp_key key;
    char secret[41], path[96];
    const int yes = 1;
    size_t len = sizeof(world.endpoint);
    snprintf(world.folder, sizeof(world.folder), "/tmp/lamp-doctor-XXXXXX");
    assert_non_null(mkdtemp(world.folder));
    snprintf(path, sizeof(path), "%s/sensor.key", world.folder);
    assert_int_equal(lamp_key_create(path, &key), LAMP_OK);
    snprintf(path, sizeof(path), "%s/open.key", world.folder);
    assert_int_equal(lamp_key_create(path, &key), LAMP_OK);
    assert_int_equal(chmod(path, 0644), 0);

    world.context = zmq_ctx_new();
    world.router = zmq_socket(world.context, ZMQ_ROUTER);
    assert_int_equal(zmq_curve_keypair(world.public_z85, secret), 0);
    assert_int_equal(zmq_setsockopt(world.router, ZMQ_CURVE_SERVER, &yes, sizeof(yes)), 0);
    assert_int_equal(zmq_setsockopt(world.router, ZMQ_CURVE_SECRETKEY, secret, 41), 0);
    assert_int_equal(zmq_bind(world.router, "tcp://127.0.0.1:*"), 0);
    assert_int_equal(zmq_getsockopt(world.router, ZMQ_LAST_ENDPOINT, world.endpoint, &len), 0);

    world.plain_fd = listening(world.plain); /* says nothing */
    close(listening(world.closed));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const files[] = { "sensor.key", "open.key", "spool" };
    char path[96];
    zmq_close(world.router);
    zmq_ctx_term(world.context);
    close(world.plain_fd);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        snprintf(path, sizeof(path), "%s/%s", world.folder, files[i]);
        (void)remove(path);
    }
    return rmdir(world.folder);
}

/* ---- the faults ---- */

enum {
    SERVER_KEY = 1,
    OTHER_KEY,
    CLOSED,
    SILENT,
    NO_NAME,
    OPEN_KEY
}; /* what an argument becomes */

static const struct {
    const char *label, *what, *found; /* NULL: no fault */
    const char *args[3];
    int plant;
} cases[] = {
    { "nothing", NULL, NULL, { NULL }, 0 },
    { "no such interface",
      "interface",
      "there is no interface nosuch0",
      { "--capture-interfaces=nosuch0" },
      0 },
    { "option", "configuration", "link.list_key: expected", { "--link-list-key=abc" }, 0 },
    { "no folder",
      "disk",
      "/nonexistent/lamp: No such",
      { "--sensor-state-dir=/nonexistent/lamp" },
      0 },
    { "no key", "key", "/nonexistent/key:", { "--link-key-file=/nonexistent/key" }, 0 },
    { "key that others read", "key", "", { NULL }, OPEN_KEY },
    { "port closed", "aggregator", "tcp://127.0.0.1:", { NULL }, CLOSED },
    { "not an aggregator", "aggregator", "tcp://127.0.0.1:", { NULL }, SILENT },
    { "name unknown", "aggregator", "the name a..b is not known", { NULL }, NO_NAME },
    { "other aggregator", "aggregator", "who answers at", { NULL }, OTHER_KEY },
    { "no such user", "users", "there is no user nosuch", { "--sensor-user=nosuch" }, 0 },
};

struct seen {
    const char *want_what, *want_found;
    int faults, hits;
    char text[2000];
};

static void see(void *arg, enum lamp_health health, const char *what, const char *found,
                const char *advice)
{
    struct seen *s = arg;
    const size_t n = strlen(s->text);
    if (health != LAMP_HEALTH_FAULT) {
        assert_true(health == LAMP_HEALTH_DOUBT || !*advice);
        return;
    }
    assert_true(*advice);
    s->faults++;
    s->hits += s->want_what && streq(what, s->want_what) && strstr(found, s->want_found);
    snprintf(s->text + n, sizeof(s->text) - n, "%s: %s\n", what, found);
}

static void load(size_t i, struct lamp_sensor_conf *conf)
{
    char text[ARGS][160] = { "davylamp-sensor",         "--config=/dev/null",
                             "--capture-interfaces=lo", LIST_KEY,
                             "--enforce-mode=off",      "--sensor-user=root",
                             "--enforce-user=root" };
    char *argv[ARGS];
    int argc = 7, first;
    const int plant = cases[i].plant;
    const char *endpoint = plant == CLOSED    ? world.closed
                           : plant == SILENT  ? world.plain
                           : plant == NO_NAME ? "tcp://a..b:5667"
                                              : world.endpoint;
    snprintf(text[argc++], 160, "--sensor-state-dir=%s", world.folder);
    snprintf(text[argc++], 160, "--link-endpoint=%s", endpoint);
    snprintf(text[argc++], 160, "--link-server-key=%s",
             plant == OTHER_KEY ? HEX64 : world.public_z85);
    if (plant == OPEN_KEY)
        snprintf(text[argc++], 160, "--link-key-file=%s/open.key", world.folder);
    for (size_t a = 0; a < ARRAY_LEN(cases[i].args) && cases[i].args[a]; a++)
        snprintf(text[argc++], 160, "%s", cases[i].args[a]);
    assert_true(argc <= ARGS);
    for (int a = 0; a < argc; a++)
        argv[a] = text[a];
    assert_int_equal(lamp_conf_load(&lamp_sensor_conf_spec, argc, argv, conf, &first),
                     LAMP_CONF_RUN);
}

static void test_planted(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct lamp_sensor_conf conf = { 0 };
        struct seen s = { .want_what = cases[i].what, .want_found = cases[i].found };
        if (streq(cases[i].label, "no such user") && geteuid() != 0)
            continue;
        load(i, &conf);
        lamp_doctor_examine(&conf, cases[i].plant == SILENT ? BRIEF_MS : PATIENT_MS, see, &s);
        lamp_sensor_conf_free(&conf);
        if (!cases[i].what ? strstr(s.text, "privileges") == NULL && s.faults : !s.hits)
            fail_msg("%s: %d faults:\n%s", cases[i].label, s.faults, s.text);
    }
}

/* Without capabilities: in a child, since they do not come back. */
static void test_privileges(void **state)
{
    (void)state;
#ifdef LAMP_EMULATED
    skip();
#endif
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
        const struct __user_cap_data_struct none[2] = { { 0 } };
        struct lamp_sensor_conf conf = { 0 };
        struct seen raw = { .want_what = "privileges", .want_found = "CAP_NET_RAW" };
        struct seen records = { .want_what = "privileges", .want_found = "" };
        struct seen nft = { .want_what = "nftables", .want_found = "cannot be read" };
        if (syscall(SYS_capset, &head, none) < 0)
            _exit(2);
        load(0, &conf);
        lamp_doctor_examine(&conf, PATIENT_MS, see, &raw);
        conf.capture.interfaces.n = 0; /* as a sensor that takes flow records only */
        lamp_doctor_examine(&conf, PATIENT_MS, see, &records);
        conf.enforce.mode = LAMP_ENFORCE_ON;
        lamp_doctor_examine(&conf, PATIENT_MS, see, &nft);
        _exit(raw.hits == 1 && records.hits == 0 && nft.hits == 1 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_clock(void **state)
{
    (void)state;
    assert_int_equal(lamp_doctor_clock(TIME_OK, 0), LAMP_HEALTH_OK);
    assert_int_equal(lamp_doctor_clock(TIME_ERROR, STA_UNSYNC), LAMP_HEALTH_DOUBT);
    assert_int_equal(lamp_doctor_clock(TIME_OK, STA_UNSYNC), LAMP_HEALTH_DOUBT);
    assert_int_equal(lamp_doctor_clock(-1, 0), LAMP_HEALTH_DOUBT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_planted),
        cmocka_unit_test(test_privileges),
        cmocka_unit_test(test_clock),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
