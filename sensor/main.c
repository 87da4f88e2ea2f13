/* SPDX-License-Identifier: Apache-2.0 */
/* davylamp-sensor: one program for the daemon, its key, the panic switch and offline analysis. */
#include "common/log.h"
#include "sensor/analyze/analyze.h"
#include "sensor/enforce/enforce.h"
#include "sensor/link/key.h"
#include "sensor/supervisor.h"

#include <sodium.h>
#include <stdio.h>

static int run(struct lamp_sensor_conf *conf)
{
    char why[LAMP_CONF_WHY] = "out of memory";
    if (lamp_sensor_conf_check(conf, why) != LAMP_OK) {
        fprintf(stderr, "davylamp-sensor: %s\n", why);
        return 2;
    }
    if (access(conf->key_path, F_OK) != 0) {
        fprintf(stderr,
                "davylamp-sensor: link.key_file: no key in %s: run `davylamp-sensor key` "
                "and add the key it prints at the aggregator\n",
                conf->key_path);
        return 2;
    }
    return lamp_supervise(conf);
}

static int key(struct lamp_sensor_conf *conf)
{
    struct lamp_key k;
    int err = lamp_sensor_key_path(conf);
    if (!err)
        err = lamp_key_create(conf->key_path, &k);
    if (err == LAMP_EEXIST)
        err = lamp_key_load(conf->key_path, &k);
    if (err) {
        fprintf(stderr, "davylamp-sensor: link.key_file: %s: %s\n", conf->key_path,
                err == LAMP_EAUTH ? "others may read it: chmod 600" : lamp_strerror(err));
        return 1;
    }
    printf("%s\n", k.public_z85);
    sodium_memzero(&k, sizeof(k));
    return 0;
}

static int panic(struct lamp_sensor_conf *conf)
{
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

static int resume(struct lamp_sensor_conf *conf)
{
    const int err = lamp_enforce_resume(conf->state_dir);
    if (err) {
        fprintf(stderr, "davylamp-sensor: resume: %s: %s\n", conf->state_dir, lamp_strerror(err));
        return 1;
    }
    puts("The sensor blocks again what its list says.");
    return 0;
}

static const struct {
    const char *name;
    int (*fn)(struct lamp_sensor_conf *conf);
} commands[] = { { "run", run }, { "key", key }, { "panic", panic }, { "resume", resume } };

static int dispatch(struct lamp_sensor_conf *conf, int argc, char **argv, int first)
{
    const char *name = first < argc ? argv[first] : "run";
    if (first + 1 < argc) {
        fprintf(stderr, "davylamp-sensor: %s takes no argument '%s' (see --help)\n", name,
                argv[first + 1]);
        return 2;
    }
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (streq(name, commands[i].name))
            return commands[i].fn(conf);
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
    int first = argc, status = 0;
    switch (lamp_conf_load(&lamp_sensor_conf_spec, argc, argv, &conf, &first)) {
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
