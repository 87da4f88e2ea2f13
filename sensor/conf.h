/* SPDX-License-Identifier: Apache-2.0 */
/* conf: the options of davylamp-sensor, and the checks that one option alone cannot show.
 * Plain data, filled by common/conf before the processes start. */
#pragma once

#include "common/addr.h"
#include "common/conf.h"

enum lamp_spool_place { LAMP_SPOOL_ON_DISK, LAMP_SPOOL_IN_MEMORY };

struct lamp_sensor_conf {
    char *name, *site, *state_dir, *user, *catalogue;
    struct {
        struct lamp_strlist interfaces, inside;
        char *filter;
        int64_t traffic_rows, snaplen, ring_bytes, memory_bytes, threads, interval_s;
        bool promiscuous, tunnels, duplicates, vlan_key;
    } capture;
    struct {
        struct lamp_strlist files; /* none: live */
        int64_t speed;
    } replay;
    struct {
        struct lamp_strlist listen, exporters;
    } records;
    struct {
        char *endpoint, *enroll, *server_key, *list_key, *key_file;
        int spool; /* enum lamp_spool_place */
        int64_t spool_quota_bytes, refresh_s, sample_quota_bytes, sample_rate;
    } link;
    struct {
        int mode; /* enum lamp_enforce_mode */
        int64_t priority;
        char *user;
        int64_t confirm_s;
        struct lamp_strlist never, resolvers;
    } enforce;
    int log_level, log_format; /* enum lamp_log_level; 1: JSON */
    uint64_t given;            /* the options that somebody set: lamp_conf_is_given() */

    /* Derived by lamp_sensor_conf_check(). */
    char server_key_z85[41];               /* CURVE public key of the aggregator */
    uint8_t list_key_bytes[32];            /* Ed25519 public key that signs the lists */
    struct lamp_prefix *never_prefixes;    /* enforce.never.n of them */
    struct lamp_prefix *resolver_prefixes; /* enforce.resolvers.n of them */
    struct lamp_prefix *inside_prefixes;   /* capture.inside.n of them */
    struct lamp_prefix *exporter_prefixes; /* records.exporters.n of them */
    char *key_path;
};

/* The option table: file, environment, command line, --help. */
extern const struct lamp_conf_spec lamp_sensor_conf_spec;

/* Checks what `run` needs and fills the derived fields. LAMP_EINVAL: why says which option is
 * wrong and what to do about it. LAMP_ENOMEM. */
LAMP_CHECK int lamp_sensor_conf_check(struct lamp_sensor_conf *conf, char why[LAMP_CONF_WHY]);

/* Fills server_key_z85 alone. Errors as above. */
LAMP_CHECK int lamp_sensor_server_key(struct lamp_sensor_conf *conf, char why[LAMP_CONF_WHY]);

/* Fills key_path alone (the `key` command needs nothing else). LAMP_ENOMEM. */
LAMP_CHECK int lamp_sensor_key_path(struct lamp_sensor_conf *conf);

/* Releases everything; accepts a struct that was only zeroed. */
void lamp_sensor_conf_free(struct lamp_sensor_conf *conf);
