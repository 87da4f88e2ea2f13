/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/conf.h"

#include "common/text.h"

#include <stdio.h>
#include <zmq.h>

#define AT(field) offsetof(struct lamp_sensor_conf, field)
#define STR(key, field, def, help)                                                                 \
    {                                                                                              \
        key, LAMP_OPT_STR, AT(field), 0, 0, def, NULL, NULL, help                                  \
    }
#define INT(key, field, min, max, def, unit, help)                                                 \
    {                                                                                              \
        key, LAMP_OPT_INT, AT(field), min, max, def, unit, NULL, help                              \
    }
#define LIST(key, field, help)                                                                     \
    {                                                                                              \
        key, LAMP_OPT_LIST, AT(field), 0, 0, "", NULL, NULL, help                                  \
    }
#define ENUM(key, field, def, values, help)                                                        \
    {                                                                                              \
        key, LAMP_OPT_ENUM, AT(field), 0, 0, def, NULL, values, help                               \
    }

static const struct lamp_opt options[] = {
    STR("sensor.name", name, "", "Name for people, in log lines; empty: the host name."),
    STR("sensor.site", site, "",
        "Site (branch) of this sensor; lists signed for another site are refused. Empty: as "
        "enrolled."),
    STR("sensor.state_dir", state_dir, "/var/lib/davylamp-sensor",
        "Folder for the key, the spool and the list in force."),
    STR("sensor.user", user, "davylamp",
        "User that the capture and link processes become when started as root."),
    STR("sensor.catalogue", catalogue, LAMP_CATALOGUE_DIR,
        "Folder with coins.csv, algorithms.csv and pools.csv."),

    LIST("capture.interfaces", capture.interfaces, "Interfaces to watch, all of them at once."),
    LIST("capture.inside", capture.inside,
         "Networks whose hosts are ours, for traffic figures; empty: private addresses and the "
         "networks of the watched interfaces."),
    INT("capture.traffic_rows", capture.traffic_rows, 1, 100000, "2000", NULL,
        "Most rows of traffic figures a minute; the rest is summed up as other."),
    STR("capture.filter", capture.filter, "",
        "Capture only what this pcap-filter(7) expression matches; empty: everything."),
    INT("capture.snaplen", capture.snaplen, 128, 262144, "65535", "bytes",
        "Bytes kept of each frame; byte counts do not depend on it."),
    INT("capture.ring", capture.ring_bytes, 262144, 1073741824, "8388608", "bytes",
        "Kernel buffer of each interface."),
    { "capture.promiscuous", LAMP_OPT_BOOL, AT(capture.promiscuous), 0, 0, "true", NULL, NULL,
      "Also see frames that are not addressed to this machine." },
    { "capture.tunnels", LAMP_OPT_BOOL, AT(capture.tunnels), 0, 0, "true", NULL, NULL,
      "Look into tunnels (GRE, IP in IP, VXLAN, Geneve, GTP-U, ERSPAN, Teredo): the packets in them"
      " count, not the packets around them." },
    { "capture.duplicates", LAMP_OPT_BOOL, AT(capture.duplicates), 0, 0, "true", NULL, NULL,
      "Count a packet that a mirror port or a second VLAN shows twice within 2 ms only once." },
    { "capture.vlan_key", LAMP_OPT_BOOL, AT(capture.vlan_key), 0, 0, "false", NULL, NULL,
      "Keep the same addresses and ports in different VLANs apart." },
    INT("capture.memory", capture.memory_bytes, 1048576, 17179869184, "67108864", "bytes",
        "Memory for flows, reassembly and inspection together."),
    INT("capture.threads", capture.threads, 1, 16, "1", NULL,
        "Threads that share the packets of every interface, and capture.memory and capture.ring."),
    INT("capture.interval", capture.interval_s, 1, 300, "10", "s", "Time between summaries."),

    LIST("replay.files", replay.files,
         "Capture files, and folders of them, to read instead of watching interfaces; the program "
         "ends "
         "when the aggregator has all that was in them."),
    INT("replay.speed", replay.speed, 0, 1000000, "1", NULL,
        "How many times faster than they were captured; 0: as fast as they can be read."),

    LIST("records.listen", records.listen,
         "ADDRESS:PORT where routers send their flow records to (NetFlow 5, 9, IPFIX over UDP), "
         "for example "
         "(\"0.0.0.0:2055\")."),
    LIST("records.exporters", records.exporters,
         "Addresses and prefixes of the routers that may send flow records; others are counted and "
         "not heard."),

    STR("link.endpoint", link.endpoint, "", "The aggregator: tcp://HOST:PORT."),
    STR("link.enroll", link.enroll, "",
        "Where the aggregator takes sensors that are not enrolled: tcp://HOST:PORT; empty: the "
        "port "
        "after the one of link.endpoint; off: this sensor does not ask to be enrolled."),
    STR("link.server_key", link.server_key, "",
        "The aggregator's public CURVE key, 40 characters Z85 or 64 hexadecimal digits; empty: as "
        "enrolled."),
    STR("link.list_key", link.list_key, "",
        "Public Ed25519 key that block lists must be signed with, 64 hexadecimal digits; empty: as "
        "enrolled."),
    STR("link.key_file", link.key_file, "",
        "This sensor's key pair; empty: sensor.key in sensor.state_dir."),
    ENUM("link.spool", link.spool, "disk", "disk|memory",
         "Where summaries wait for the aggregator. memory spares the flash of a router; what is "
         "not confirmed when the program ends is lost, and the aggregator is told so."),
    INT("link.spool_quota", link.spool_quota_bytes, 1048576, 1099511627776, "67108864", "bytes",
        "Space for summaries the aggregator has not confirmed; then the oldest are dropped and "
        "declared lost. Confirmed ones are kept a day in up to a quarter of it."),
    INT("link.sample_quota", link.sample_quota_bytes, 0, 1099511627776, "16777216", "bytes",
        "Space for packet samples on their way to the aggregator, beside the spool; 0: this sensor "
        "takes no samples."),
    INT("link.sample_rate", link.sample_rate, 1024, 1073741824, "131072", "bytes",
        "Bytes a second that packet samples may take of the way to the aggregator."),
    INT("link.refresh", link.refresh_s, 1, 3600, "60", "s",
        "Time between questions for a newer block list."),

    ENUM("enforce.mode", enforce.mode, "enforce", "off|dry-run|enforce",
         "What to do with block lists: nothing, count what would be dropped, or drop."),
    INT("enforce.priority", enforce.priority, -400, 400, "-10", NULL,
        "Priority of our chain in the forward hook; below 0 is before the firewall's own rules."),
    STR("enforce.user", enforce.user, "davylamp-enforce",
        "User that the enforce process becomes when started as root."),
    LIST("enforce.never", enforce.never,
         "Addresses and prefixes that are never blocked here, whatever a list says."),

    INT("enforce.confirm", enforce.confirm_s, 2, 3600, "60", "s",
        "How long a new list waits for an answer of the aggregator; without one the list before it "
        "comes back, since the new one may have cut the way."),
    LIST(
        "enforce.resolvers", enforce.resolvers,
        "Addresses and prefixes of name servers whose answers tell the addresses of blocked names, "
        "beside this machine's own addresses and its resolvers."),

    ENUM("log.level", log_level, "info", "error|warn|info|debug", "Least urgent line shown."),
    ENUM("log.format", log_format, "text", "text|json", "Form of log lines."),
};

static int check(void *conf, char why[LAMP_CONF_WHY])
{
    return lamp_sensor_conf_check(conf, why);
}

const struct lamp_conf_spec lamp_sensor_conf_spec = {
    .program = "davylamp-sensor",
    .usage = "davylamp-sensor [OPTION]... [run]\n"
             "       davylamp-sensor [OPTION]... enroll [TOKEN]\n"
             "       davylamp-sensor [OPTION]... key|doctor\n"
             "       davylamp-sensor [OPTION]... panic|resume\n"
             "       davylamp-sensor analyze [--json|--csv|--html FILE] PATH...",
    .about =
        "Watches a branch for cryptocurrency mining and enforces block lists.\n"
        "  run      the daemon (default)\n"
        "  enroll   ask the aggregator to take this sensor in: with the token of `davylamp "
        "enroll`\n"
        "           ('-' reads it from standard input), or, with link.server_key set, until an\n"
        "           operator approves\n"
        "  key      make this sensor's key pair if there is none, and print the public key\n"
        "  doctor   look at what the sensor needs, and say what is wrong and what to do\n"
        "  panic    take every block off this router and keep it off until `resume`\n"
        "  resume   end a panic\n"
        "  analyze  look for mining in capture files and folders; no daemon, no network",
    .default_file = "/etc/davylamp/sensor.conf",
    .opts = options,
    .n_opts = ARRAY_LEN(options),
    .check = check,
    .given = AT(given),
};

static int wrong(char why[LAMP_CONF_WHY], const char *key, const char *what)
{
    snprintf(why, LAMP_CONF_WHY, "%s: %s", key, what);
    return LAMP_EINVAL;
}

int lamp_sensor_server_key(struct lamp_sensor_conf *c, char why[LAMP_CONF_WHY])
{
    const char *text = c->link.server_key;
    const size_t len = strlen(text);
    uint8_t key[32];
    size_t n;
    if (len == 40 && zmq_z85_decode(key, text)) {
        memcpy(c->server_key_z85, text, 41);
        return LAMP_OK;
    }
    if (len == 64 && lamp_hex_decode(text, len, key, sizeof(key), &n) == LAMP_OK) {
        zmq_z85_encode(c->server_key_z85, key, sizeof(key));
        return LAMP_OK;
    }
    return wrong(why, "link.server_key",
                 len ? "expected 40 characters Z85 or 64 hexadecimal digits"
                     : "missing: enroll this sensor (davylamp-sensor enroll TOKEN), or set the key "
                       "that `davylamp-aggregator keys` prints");
}

static int check_list_key(struct lamp_sensor_conf *c, char why[LAMP_CONF_WHY])
{
    const char *text = c->link.list_key;
    size_t n;
    if (strlen(text) == 64 && lamp_hex_decode(text, 64, c->list_key_bytes, 32, &n) == LAMP_OK)
        return LAMP_OK;
    /* Without enforcement no list is ever applied, so no key is needed. */
    if (!*text && c->enforce.mode == 0)
        return LAMP_OK;
    return wrong(why, "link.list_key",
                 *text ? "expected 64 hexadecimal digits"
                       : "missing: enroll this sensor, or set the key that `davylamp-aggregator "
                         "keys` prints (or enforce.mode = \"off\")");
}

static int check_prefixes(const struct lamp_strlist *list, const char *key,
                          struct lamp_prefix **out, char why[LAMP_CONF_WHY])
{
    free(*out);
    *out = calloc(list->n + 1, sizeof(**out));
    if (!*out)
        return LAMP_ENOMEM;
    for (size_t i = 0; i < list->n; i++) {
        if (lamp_prefix_parse(list->v[i], &(*out)[i]) == LAMP_OK)
            continue;
        char safe[64];
        lamp_text_safe((const uint8_t *)list->v[i], strlen(list->v[i]), safe, sizeof(safe));
        snprintf(why, LAMP_CONF_WHY, "%s: '%s' is not an address or a prefix with zero host bits",
                 key, safe);
        return LAMP_EINVAL;
    }
    return LAMP_OK;
}

int lamp_sensor_conf_check(struct lamp_sensor_conf *c, char why[LAMP_CONF_WHY])
{
    if (!c->name[0]) {
        char host[256];
        if (gethostname(host, sizeof(host)) < 0)
            return wrong(why, "sensor.name", "missing, and the host has no name");
        host[sizeof(host) - 1] = '\0';
        free(c->name);
        c->name = strdup(host);
        if (!c->name)
            return LAMP_ENOMEM;
    }
    if (!c->site[0]) { /* neither configured nor told at an enrolment */
        free(c->site);
        c->site = strdup("default");
        if (!c->site)
            return LAMP_ENOMEM;
    }
    if (strlen(c->site) > 64)
        return wrong(why, "sensor.site", "expected at most 64 characters");
    if (!c->state_dir[0])
        return wrong(why, "sensor.state_dir", "missing: name a folder this sensor may write to");
    if (c->replay.files.n == 0 && c->capture.interfaces.n == 0 && c->records.listen.n == 0)
        return wrong(why, "capture.interfaces",
                     "missing: name the interfaces to watch, for example (\"eth0\") "
                     "(ip link lists them)");
    if (c->replay.files.n > 0 && c->capture.interfaces.n + c->records.listen.n > 0)
        return wrong(
            why, "replay.files",
            "a sensor reads files or watches capture.interfaces (and takes records), not both");
    if (c->records.listen.n > 0 && c->records.exporters.n == 0)
        return wrong(why, "records.exporters",
                     "missing: name the routers that may send flow records");
    if ((uint64_t)c->capture.memory_bytes > SIZE_MAX / 4)
        return wrong(why, "capture.memory", "more than 1 GiB, for a program of 32 bits");
    if (c->capture.memory_bytes / c->capture.threads < 1048576)
        return wrong(why, "capture.memory", "less than 1 MiB for each of capture.threads");
    if (strncmp(c->link.endpoint, "tcp://", 6) != 0 || !strchr(c->link.endpoint + 6, ':'))
        return wrong(why, "link.endpoint",
                     c->link.endpoint[0] ? "expected tcp://HOST:PORT"
                                         : "missing: the aggregator's address, tcp://HOST:PORT");
    int err = lamp_sensor_server_key(c, why);
    if (!err)
        err = check_list_key(c, why);
    if (!err)
        err = check_prefixes(&c->enforce.never, "enforce.never", &c->never_prefixes, why);
    if (!err)
        err =
            check_prefixes(&c->enforce.resolvers, "enforce.resolvers", &c->resolver_prefixes, why);
    if (!err)
        err = check_prefixes(&c->capture.inside, "capture.inside", &c->inside_prefixes, why);
    if (!err)
        err =
            check_prefixes(&c->records.exporters, "records.exporters", &c->exporter_prefixes, why);
    if (err)
        return err;
    return lamp_sensor_key_path(c);
}

int lamp_sensor_key_path(struct lamp_sensor_conf *c)
{
    char *path = NULL;
    const int n = c->link.key_file[0] ? asprintf(&path, "%s", c->link.key_file)
                                      : asprintf(&path, "%s/sensor.key", c->state_dir);
    if (n < 0)
        return LAMP_ENOMEM;
    free(c->key_path);
    c->key_path = path;
    return LAMP_OK;
}

void lamp_sensor_conf_free(struct lamp_sensor_conf *c)
{
    lamp_conf_free(&lamp_sensor_conf_spec, c);
    free(c->never_prefixes);
    free(c->resolver_prefixes);
    free(c->inside_prefixes);
    free(c->exporter_prefixes);
    free(c->key_path);
    c->never_prefixes = NULL;
    c->resolver_prefixes = NULL;
    c->inside_prefixes = NULL;
    c->exporter_prefixes = NULL;
    c->key_path = NULL;
}
