/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/conf.h"
#include "tests/support/test.h"

#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define GOOD                                                                                       \
    "--capture-interfaces=eth0", "--link-endpoint=tcp://127.0.0.1:17100",                          \
        "--link-server-key=" HEX64, "--link-list-key=" HEX64

static const struct {
    const char *label, *args[8], *why; /* why NULL: good */
} cases[] = {
    { "good", { GOOD }, NULL },
    { "no interface", { "--link-endpoint=tcp://127.0.0.1:1" }, "capture.interfaces: missing" },
    { "files in their place",
      { GOOD, "--capture-interfaces=", "--replay-files=/tmp/a.pcap", "--replay-speed=0" },
      NULL },
    { "files besides", { GOOD, "--replay-files=/tmp/a.pcap" }, "replay.files: a sensor reads" },
    { "too many for the memory",
      { GOOD, "--capture-threads=4", "--capture-memory=4000000" },
      "capture.memory: less than 1 MiB" },
    { "no endpoint", { "--capture-interfaces=eth0" }, "link.endpoint: missing" },
    { "bad endpoint", { GOOD, "--link-endpoint=udp://x" }, "link.endpoint: expected tcp://" },
    { "bad server key", { GOOD, "--link-server-key=abc" }, "link.server_key: expected 40" },
    { "no server key", { GOOD, "--link-server-key=" }, "link.server_key: missing" },
    { "no list key", { GOOD, "--link-list-key=" }, "link.list_key: missing" },
    { "no list key, off", { GOOD, "--link-list-key=", "--enforce-mode=off" }, NULL },
    { "bad never", { GOOD, "--enforce-never=10.0.0.1/8" }, "enforce.never: '10.0.0.1/8'" },
    { "good never", { GOOD, "--enforce-never=10.0.0.0/8,2001:db8::1" }, NULL },
    { "no site", { GOOD, "--sensor-site=" }, NULL },
    { "long site",
      { GOOD, "--sensor-site=0123456789012345678901234567890123456789012345678901234567890123x" },
      "sensor.site: expected" },
};

static void test_checks(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char program[] = "davylamp-sensor", none[] = "--config=/dev/null";
        char *argv[12] = { program, none };
        int argc = 2, first;
        for (size_t a = 0; a < 8 && cases[i].args[a]; a++)
            argv[argc++] = strdup(cases[i].args[a]);
        struct lamp_sensor_conf conf = { 0 };
        char why[LAMP_CONF_WHY] = "";
        assert_int_equal(lamp_conf_load(&lamp_sensor_conf_spec, argc, argv, &conf, &first),
                         LAMP_CONF_RUN);
        const int err = lamp_sensor_conf_check(&conf, why);
        if ((err == LAMP_OK) != !cases[i].why ||
            (cases[i].why && strncmp(why, cases[i].why, strlen(cases[i].why)) != 0))
            fail_msg("%s: %d '%s'", cases[i].label, err, why);
        if (!err) {
            assert_int_equal(strlen(conf.server_key_z85), 40);
            assert_string_equal(conf.key_path, "/var/lib/davylamp-sensor/sensor.key");
        }
        lamp_sensor_conf_free(&conf);
        for (int a = 2; a < argc; a++)
            free(argv[a]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_checks) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
