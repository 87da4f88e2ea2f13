/* SPDX-License-Identifier: Apache-2.0 */
/* davylamp-sensor: one program for the daemon, its key, the panic switch and offline analysis. */
#include "common/log.h"
#include "sensor/analyze/analyze.h"
#include "sensor/doctor.h"
#include "sensor/enforce/enforce.h"
#include "sensor/link/enroll.h"
#include "sensor/supervisor.h"

#include <sodium.h>
#include <stdio.h>

/* What the configuration leaves open, the enrolment may have told. */
static int check(void *arg, char why[LAMP_CONF_WHY])
{
    struct lamp_sensor_conf *conf = arg;
    const int err = lamp_enroll_fill(conf);
    return err ? err : lamp_sensor_conf_check(conf, why);
}

static int run(struct lamp_sensor_conf *conf, const char *argument)
{
    (void)argument;
    char why[LAMP_CONF_WHY] = "out of memory";
    if (check(conf, why) != LAMP_OK) {
        fprintf(stderr, "davylamp-sensor: %s\n", why);
        return 2;
    }
    if (access(conf->key_path, F_OK) != 0) {
        fprintf(stderr,
                "davylamp-sensor: link.key_file: no key in %s: run `davylamp-sensor enroll`\n",
                conf->key_path);
        return 2;
    }
    return lamp_supervise(conf);
}

static int key(struct lamp_sensor_conf *conf, const char *argument)
{
    (void)argument;
    return lamp_enroll_show_key(conf);
}

static int panic(struct lamp_sensor_conf *conf, const char *argument)
{
    (void)argument;
    char why[LAMP_NFT_WHY] = "";
    const int err = lamp_enforce_panic(conf->state_dir, why);
    if (err) {
        fprintf(stderr, "davylamp-sensor: panic: %s%s%s\n", lamp_strerror(err), why[0] ? ": " : "",
                why);
        return 1;
    }
    puts("Nothing is blocked on this router any more. `davylamp-sensor resume` ends this.");
    return 0;
}

static int resume(struct lamp_sensor_conf *conf, const char *argument)
{
    (void)argument;
    const int err = lamp_enforce_resume(conf->state_dir);
    if (err) {
        fprintf(stderr, "davylamp-sensor: resume: %s: %s\n", conf->state_dir, lamp_strerror(err));
        return 1;
    }
    puts("The sensor blocks again what its list says.");
    return 0;
}

static int doctor(struct lamp_sensor_conf *conf, const char *argument)
{
    (void)argument;
    return lamp_doctor_run(conf);
}

static const struct {
    const char *name;
    bool takes_argument;
    int (*fn)(struct lamp_sensor_conf *conf, const char *argument);
} commands[] = {
    { "run", false, run },     { "enroll", true, lamp_enroll_run }, { "key", false, key },
    { "panic", false, panic }, { "resume", false, resume },         { "doctor", false, doctor },
};

static int dispatch(struct lamp_sensor_conf *conf, int argc, char **argv, int first)
{
    const char *name = first < argc ? argv[first] : "run";
    const char *argument = first + 1 < argc ? argv[first + 1] : NULL;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (!streq(name, commands[i].name))
            continue;
        const int most = commands[i].takes_argument ? 2 : 1;
        if (argc - first <= most)
            return commands[i].fn(conf, argument);
        fprintf(stderr, "davylamp-sensor: '%s' is one argument too many for %s (see --help)\n",
                argv[first + most], name);
        return 2;
    }
    fprintf(stderr, "davylamp-sensor: no command '%s' (see --help)\n", name);
    return 2;
}

int main(int argc, char **argv)
{
    if (sodium_init() < 0) {
        fputs("davylamp-sensor: libsodium cannot start\n", stderr);
        return 1;
    }
    if (argc > 1 && streq(argv[1], "analyze"))
        return lamp_analyze_main(argc - 1, argv + 1);

    struct lamp_sensor_conf conf = { 0 };
    struct lamp_conf_spec spec = lamp_sensor_conf_spec;
    spec.check = check;
    int first = argc, status = 0;
    switch (lamp_conf_load(&spec, argc, argv, &conf, &first)) {
    case LAMP_CONF_RUN:
        lamp_log_setup((enum lamp_log_level)conf.log_level, conf.log_format == 1);
        status = dispatch(&conf, argc, argv, first);
        break;
    case LAMP_CONF_EXIT_OK:
        break;
    case LAMP_CONF_EXIT_USAGE:
        status = 2;
        break;
    }
    lamp_sensor_conf_free(&conf);
    return status;
}
