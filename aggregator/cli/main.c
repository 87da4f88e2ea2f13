/* SPDX-License-Identifier: Apache-2.0 */
/* davylamp: the operator's command line. */
#include "aggregator/cli/cli.h"
#include "aggregator/cli/keys.h"
#include "aggregator/cli/pools.h"
#include "aggregator/cli/show.h"
#include "common/addr.h"
#include "common/clock.h"
#include "common/text.h"
#include "common/version.h"

#include <ctype.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>

enum {
    LOOKUPS = 100, /* addresses in one call */
    LOOKUP_PATH = 16 + LOOKUPS * (LAMP_ADDR_STRLEN + 1),
    LOOKUP_WAIT_US = 5 * 1000 * 1000, /* for host names */
    LOOKUP_AGAIN_MS = 100,
};

#define DEFAULT_URL "http://127.0.0.1:8080"
#define DEFAULT_TOKEN_FILE "/var/lib/davylamp-aggregator/token"

struct command {
    const char *name;
    int min_args, max_args;
    unsigned takes; /* bits of enum option_bit */
    lamp_cli_fn *run;
};

static void print_help(void)
{
    fputs(
        "Usage: davylamp [OPTION]... COMMAND\n"
        "Shows what a Davylamp aggregator sees, and blocks.\n"
        "\n"
        "Commands:\n"
        "  status              the fleet in figures\n"
        "  sensors [list]      every sensor: last word, drops, block list\n"
        "  sensors keys        keys of sensors, strangers that wait, open tokens\n"
        "  sensors approve KEY let a stranger in; needs --site\n"
        "  sensors reject KEY  keep a stranger out for good\n"
        "  sensors revoke KEY  end a key, or all keys of a sensor, at once\n"
        "  sensors rotate KEY  have a sensor make a new key\n"
        "  enroll              make a token that lets one sensor in; needs --site\n"
        "  miners [ID]         inside hosts that mine; one of them with its connections\n"
        "  timeline ID         the states of a miner, and which reasons were seen when and where\n"
        "  estimates [coin]    devices, power, energy and cost by site, or by coin, and of all\n"
        "  alerts [all]        what needs a person now; all: also what has ended\n"
        "  alerts ack ID       say that you know of one\n"
        "  notify              who is told of alerts: told, waiting, failed, given up\n"
        "  notify test NAME    send a test message now\n"
        "  notify retry NAME   try what was given up again\n"
        "  export stix         pools in use and blocked as a STIX 2.1 bundle\n"
        "  export misp [event] the same, a line each, or as an event of MISP\n"
        "  policies [ID]       rules; what one did or (dry run) would have done, and why\n"
        "  policies add NAME [KEY=VALUE]...\n"
        "                      a new rule, in dry run; keys: verdict coin pool site days hours\n"
        "                      sanctioned alert block everywhere lease longest grace\n"
        "  policies on|dry-run|off|remove ID\n"
        "  own                 wallets, pools and workers of your own rigs\n"
        "  own add KIND VALUE  one more: wallet, pool or worker; --site SITE: there alone\n"
        "  own remove ID       one less\n"
        "  sample [list|ID]    packet samples that were ordered; one of them, sensor by sensor\n"
        "  sample add WHAT [KEY=VALUE]...\n"
        "                      order one; WHAT: everything, host ADDRESS, remote ADDRESS[:PORT],\n"
        "                      connection ADDRESS:PORT ADDRESS:PORT, miner ID; keys: sensor "
        "packets\n"
        "                      packets_per_connection duration bytes snaplen wait transport\n"
        "  sample get ID SENSOR [FILE]\n"
        "                      its packets as a pcapng file\n"
        "  sample cancel ID    end it; take one that is over out\n"
        "  traffic             what else the hosts do, the last hour, largest first\n"
        "  lookup WHAT...      of addresses: where they are, whose, and what they are called;\n"
        "                      of these, of host names, ports and ADDRESS:PORT: is it mining,\n"
        "                      which pool, which coin; with --at: was it then?\n"
        "  pools [list [TEXT]] the catalogue of pools\n"
        "  pools show ID       one of them: servers, addresses, what probes found\n"
        "  pools add POOL HOST [FIELD=VALUE]...\n"
        "                      fields: port, coin, algorithm, protocol, tls\n"
        "  pools edit ENTRY FIELD=VALUE...\n"
        "  pools delete ENTRY  or mute what came with the program\n"
        "  pools undo ENTRY    takes back its last change\n"
        "  probe HOST:PORT     ask a server now whether it is a pool; POOL-ID: look that up again\n"
        "  catalogue [resolve|probe on|off]\n"
        "                      the catalogue in figures; turns looking up and probing on or off\n"
        "  pools export        all entries as CSV, or with --json as lines of JSON\n"
        "  pools import FILE   entries from such a file (.csv, else JSON)\n"
        "  import FILE...      hand in captures, also folders of them: is there a miner in them?\n"
        "  import --server PATH\n"
        "                      the same with a file or folder on the aggregator's machine\n"
        "  imports [ID]        what was handed in; what was found in one\n"
        "  imports cancel|delete ID\n"
        "  blocks              blocks and their state at the sensors\n"
        "  block TARGET        block an address or prefix outside (203.0.113.7), or a domain\n"
        "                      and all below it (pool.example)\n"
        "  approve ID          approve a block that another person entered and that is unusually\n"
        "                      wide or one of many\n"
        "  refuse ID           refuse it\n"
        "  sites               sites, and whether their block lists are held\n"
        "  hold SITE           let the block list of a site as it is\n"
        "  release SITE        end that\n"
        "  audit               what operators did\n"
        "  unblock ID          lift a block\n"
        "  mark ID WHAT        sanctioned or dismissed: keeps a miner quiet; none: no more\n"
        "  users [list]        accounts of the dashboard and the API\n"
        "  users add NAME      make one; needs --role; asks for the password\n"
        "  users change NAME   its --role, or its --site (all: every site)\n"
        "  users password NAME another password\n"
        "  users disable NAME  keep it out (enable: let it in again)\n"
        "  users delete NAME   delete it\n"
        "  tokens [list]       tokens of the API\n"
        "  tokens add NAME     make one and show it, once; needs --role\n"
        "  tokens revoke NAME  end one, at once\n"
        "  sessions [list]     who is logged in\n"
        "  sessions end ID     log one out\n"
        "  completion          print what bash needs to complete commands and options\n"
        "  backup [FILE]       copy the database while it is in use; without FILE the copy stays\n"
        "                      beside it\n"
        "\n"
        "KEY is a number of 'sensors keys', a fingerprint or its first eight digits, or the\n"
        "name of a sensor.\n"
        "\n"
        "Options of commands:\n"
        "  --port N            block: only this port of the target\n"
        "  --site SITE         block, sample: only at this site; enroll, sensors: where the sensor "
        "belongs;\n"
        "                      import: what it is of;\n"
        "                      users, tokens: may see this site alone (more than once: these)\n"
        "  --host              block: the target is an inside host; needs --site\n"
        "  --ttl SECONDS       how long (default: block 86400, enroll 900, tokens without end)\n"
        "  --reason TEXT       block, mark, sample: why, for whoever reads the list\n"
        "  --at TIME           lookup: the time asked about, YYYY-MM-DD[THH:MM] in UTC\n"
        "  --name NAME         enroll, approve: what the sensor is called; without it enroll\n"
        "                      lets a new sensor choose, approve takes what it asks for\n"
        "  --role ROLE         users, tokens: viewer, operator or admin\n"
        "  --server PATH       import: below the folder imports.root of the aggregator\n"
        "  --verify            audit: whether the log is whole (exit status 1: it is not)\n"
        "  --password-file F   users: a file with the password (-: standard input)\n"
        "\n"
        "Options:\n"
        "  --url URL           the aggregator (default " DEFAULT_URL ";\n"
        "                      environment: DAVYLAMP_URL)\n"
        "  --token-file FILE   the API token (default " DEFAULT_TOKEN_FILE ";\n"
        "                      environment: DAVYLAMP_TOKEN_FILE)\n"
        "  --json              one JSON object a line instead of tables\n"
        "  -h, --help          this text\n"
        "  -V, --version       the version\n"
        "\n"
        "Exit status: 0 done, 1 refused or failed, 2 wrong usage.\n",
        stdout);
}

int lamp_cli_usage(const char *fmt, ...)
{
    va_list ap;
    fputs("davylamp: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputs(" (see davylamp --help)\n", stderr);
    return EXIT_USAGE;
}

double lamp_cli_now(void)
{
    return (double)lamp_clock_real_us() / 1e6;
}

void lamp_cli_print(const json_t *value)
{
    /* ASCII alone, so that no text from the network can play with a terminal; 16 digits are what
     * times in microseconds need. */
    json_dumpf(value, stdout, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(16));
    putchar('\n');
}

void lamp_cli_print_lines(const json_t *list)
{
    size_t i;
    json_t *v;
    json_array_foreach(list, i, v) lamp_cli_print(v);
}

static int run_status(lamp_client *c, const struct options *o, char **args, int n)
{
    (void)args, (void)n;
    json_t *answer = NULL;
    if (lamp_client_call(c, "GET", "/status", NULL, &answer) != LAMP_OK)
        return EXIT_FAILED;
    if (o->json)
        lamp_cli_print(answer);
    else
        lamp_show_status(answer);
    json_decref(answer);
    return EXIT_GOOD;
}

static int show_one_miner(lamp_client *c, const struct options *o, const char *id_text)
{
    char path[64];
    int64_t id;
    json_t *answer = NULL;
    if (lamp_text_int(id_text, 1, INT64_MAX, &id) != LAMP_OK)
        return lamp_cli_usage("'%.40s' is not the number of a miner", id_text);
    snprintf(path, sizeof(path), "/miners/%" PRId64, id);
    if (lamp_client_call(c, "GET", path, NULL, &answer) != LAMP_OK)
        return EXIT_FAILED;
    if (o->json)
        lamp_cli_print(answer);
    else
        lamp_show_miner(answer, lamp_cli_now());
    json_decref(answer);
    return EXIT_GOOD;
}

/* All pages of miners, each shown as it comes when the output is JSON. */
static int run_miners(lamp_client *c, const struct options *o, char **args, int n)
{
    if (n > 0)
        return show_one_miner(c, o, args[0]);
    json_t *all = json_array();
    json_int_t after = 0;
    int result = all ? EXIT_GOOD : EXIT_FAILED;
    do {
        char path[96] = "/miners?limit=1000";
        json_t *answer = NULL;
        if (after)
            snprintf(path, sizeof(path), "/miners?limit=1000&after=%" PRId64, (int64_t)after);
        if (lamp_client_call(c, "GET", path, NULL, &answer) != LAMP_OK) {
            result = EXIT_FAILED;
            break;
        }
        if (o->json)
            lamp_cli_print_lines(json_object_get(answer, "miners"));
        else
            json_array_extend(all, json_object_get(answer, "miners"));
        after = json_integer_value(json_object_get(answer, "next"));
        json_decref(answer);
    } while (after);
    if (!o->json && result == EXIT_GOOD)
        lamp_show_miners(all, lamp_cli_now());
    json_decref(all);
    return result;
}

/* Joins the addresses with commas and asks, again while a host name is on its way. */
static int run_places(lamp_client *c, const struct options *o, char **args, int n)
{
    char path[LOOKUP_PATH] = "/addresses?ip=";
    for (int i = 0; i < n; i++) {
        const size_t len = strlen(path);
        snprintf(path + len, sizeof(path) - len, "%s%s", i ? "," : "", args[i]);
    }
    json_t *answer = NULL;
    const uint64_t until_us = lamp_clock_mono_us() + LOOKUP_WAIT_US;
    for (bool pending = true; pending;) {
        json_decref(answer);
        if (lamp_client_call(c, "GET", path, NULL, &answer) != LAMP_OK)
            return EXIT_FAILED;
        size_t i;
        json_t *a;
        pending = false;
        json_array_foreach(json_object_get(answer, "addresses"), i, a)
        {
            const char *state = json_string_value(json_object_get(a, "host_name_state"));
            pending |= state && streq(state, "pending");
        }
        pending = pending && lamp_clock_mono_us() < until_us;
        if (pending)
            poll(NULL, 0, LOOKUP_AGAIN_MS);
    }
    if (o->json)
        lamp_cli_print_lines(json_object_get(answer, "addresses"));
    else
        lamp_show_addresses(json_object_get(answer, "addresses"));
    json_decref(answer);
    return EXIT_GOOD;
}

/* Where addresses are, and what the catalogue knows of them, of names and of ports. */
static int run_lookup(lamp_client *c, const struct options *o, char **args, int n)
{
    char *addresses[LOOKUPS];
    int n_addresses = 0;
    for (int i = 0; i < n; i++) {
        struct lamp_addr a;
        if (lamp_addr_parse(args[i], &a) == LAMP_OK)
            addresses[n_addresses++] = args[i];
    }
    const int result = n_addresses ? run_places(c, o, addresses, n_addresses) : EXIT_GOOD;
    return result ? result : lamp_cli_lookup(c, o->json, o->at, args, n);
}

static int run_probe(lamp_client *c, const struct options *o, char **args, int n)
{
    (void)n;
    return lamp_cli_probe(c, o->json, args[0]);
}

static int run_catalogue(lamp_client *c, const struct options *o, char **args, int n)
{
    return lamp_cli_catalogue(c, o->json, args, n);
}

static int run_pools(lamp_client *c, const struct options *o, char **args, int n)
{
    return lamp_cli_pools(c, o->json, args, n);
}

/* The last hour; in JSON the rows come one a line and the total last. */
static int run_traffic(lamp_client *c, const struct options *o, char **args, int n)
{
    (void)args, (void)n;
    json_t *answer = NULL;
    if (lamp_client_call(c, "GET", "/traffic", NULL, &answer) != LAMP_OK)
        return EXIT_FAILED;
    if (o->json) {
        lamp_cli_print_lines(json_object_get(answer, "traffic"));
        json_t *total = json_pack("{s:O}", "total", json_object_get(answer, "total"));
        if (total)
            lamp_cli_print(total);
        json_decref(total);
    } else {
        lamp_show_traffic(answer);
    }
    json_decref(answer);
    return EXIT_GOOD;
}

/* What has a letter and a dot, and neither slash nor colon, is the name of a domain. */
static const char *kind_of(const struct options *o, const char *target)
{
    bool letter = false;
    for (const char *c = target; *c; c++)
        letter |= isalpha((unsigned char)*c) != 0;
    const bool name = letter && strchr(target, '.') && !strpbrk(target, "/:");
    return o->host ? "host" : name ? "domain" : "remote";
}

static json_t *block_request(const struct options *o, const char *target)
{
    json_t *body = json_pack("{s:s, s:s}", "kind", kind_of(o, target), "target", target);
    if (o->port)
        json_object_set_new(body, "port", json_integer(o->port));
    if (o->site)
        json_object_set_new(body, "site", json_string(o->site));
    if (o->reason)
        json_object_set_new(body, "reason", json_string(o->reason));
    if (o->ttl_s)
        json_object_set_new(body, "ttl", json_integer(o->ttl_s));
    return body;
}

static int run_block(lamp_client *c, const struct options *o, char **args, int n)
{
    (void)n;
    if (o->host && !o->site)
        return lamp_cli_usage("--host needs --site, since sites may share inside addresses");
    json_t *answer = NULL, *body = block_request(o, args[0]);
    if (!body)
        return lamp_cli_usage("TARGET is not UTF-8");
    const int err = lamp_client_call(c, "POST", "/blocks", body, &answer);
    json_decref(body);
    if (err)
        return EXIT_FAILED;
    if (o->json)
        lamp_cli_print(answer);
    else
        lamp_show_entered(answer);
    json_decref(answer);
    return EXIT_GOOD;
}

static int run_unblock(lamp_client *c, const struct options *o, char **args, int n)
{
    (void)n;
    char path[64];
    int64_t id;
    json_t *answer = NULL;
    if (lamp_text_int(args[0], 1, INT64_MAX, &id) != LAMP_OK)
        return lamp_cli_usage("'%.40s' is not the number of a block", args[0]);
    snprintf(path, sizeof(path), "/blocks/%" PRId64, id);
    if (lamp_client_call(c, "DELETE", path, NULL, &answer) != LAMP_OK)
        return EXIT_FAILED;
    json_decref(answer);
    if (!o->json)
        printf("block %" PRId64 " lifted\n", id);
    return EXIT_GOOD;
}

static int run_mark(lamp_client *c, const struct options *o, char **args, int n)
{
    (void)n;
    char path[64];
    int64_t id;
    json_t *answer = NULL;
    if (lamp_text_int(args[0], 1, INT64_MAX, &id) != LAMP_OK)
        return lamp_cli_usage("'%.40s' is not the number of a miner", args[0]);
    if (!streq(args[1], "sanctioned") && !streq(args[1], "dismissed") && !streq(args[1], "none"))
        return lamp_cli_usage("'%.40s' is neither sanctioned, dismissed nor none", args[1]);
    snprintf(path, sizeof(path), "/miners/%" PRId64, id);
    json_t *body = json_pack("{s:s?, s:s?}", "mark", streq(args[1], "none") ? NULL : args[1],
                             "reason", o->reason);
    if (!body)
        return lamp_cli_usage("the reason is not UTF-8");
    const int err = lamp_client_call(c, "PATCH", path, body, &answer);
    json_decref(body);
    if (err)
        return EXIT_FAILED;
    if (o->json)
        lamp_cli_print(answer);
    else
        printf("miner %" PRId64 " is marked %s\n", id, args[1]);
    json_decref(answer);
    return EXIT_GOOD;
}

static int decide(lamp_client *c, const struct options *o, const char *id_text, bool approve)
{
    char path[64];
    int64_t id;
    if (lamp_text_int(id_text, 1, INT64_MAX, &id) != LAMP_OK)
        return lamp_cli_usage("'%.40s' is not the number of a block", id_text);
    snprintf(path, sizeof(path), "/blocks/%" PRId64, id);
    json_t *answer = NULL, *body = json_pack("{s:b}", "approve", approve);
    const int err = lamp_client_call(c, "PATCH", path, body, &answer);
    json_decref(body);
    if (err)
        return EXIT_FAILED;
    if (o->json)
        lamp_cli_print(answer);
    else
        printf("block %" PRId64 " %s\n", id, approve ? "approved" : "refused");
    json_decref(answer);
    return EXIT_GOOD;
}

static int run_approve(lamp_client *c, const struct options *o, char **args, int n)
{
    (void)n;
    return decide(c, o, args[0], true);
}

static int run_refuse(lamp_client *c, const struct options *o, char **args, int n)
{
    (void)n;
    return decide(c, o, args[0], false);
}

static int hold(lamp_client *c, const struct options *o, const char *site, bool on)
{
    json_t *answer = NULL, *body = json_pack("{s:s, s:b}", "site", site, "hold", on);
    if (!body)
        return lamp_cli_usage("SITE is not UTF-8");
    const int err = lamp_client_call(c, "POST", "/sites", body, &answer);
    json_decref(body);
    if (err)
        return EXIT_FAILED;
    const bool held = json_is_object(json_object_get(answer, "held"));
    if (o->json)
        lamp_cli_print(answer);
    else
        puts(on     ? "held"
             : held ? "so much would come at once that another person has to release it too"
                    : "released");
    json_decref(answer);
    return EXIT_GOOD;
}

static int run_hold(lamp_client *c, const struct options *o, char **args, int n)
{
    (void)n;
    return hold(c, o, args[0], true);
}

static int run_release(lamp_client *c, const struct options *o, char **args, int n)
{
    (void)n;
    return hold(c, o, args[0], false);
}

int lamp_cli_list(lamp_client *c, const struct options *o, const char *path, const char *name,
                  void (*show)(const json_t *list, double now))
{
    json_t *answer = NULL;
    if (lamp_client_call(c, "GET", path, NULL, &answer) != LAMP_OK)
        return EXIT_FAILED;
    const json_t *list = json_object_get(answer, name);
    if (o->json)
        lamp_cli_print_lines(list);
    else
        show(list, lamp_cli_now());
    json_decref(answer);
    return EXIT_GOOD;
}

/* ---- who may connect ---- */

static int list_keys(lamp_client *c, const struct options *o)
{
    json_t *answer = NULL;
    if (lamp_client_call(c, "GET", "/keys", NULL, &answer) != LAMP_OK)
        return EXIT_FAILED;
    json_t *sensors = NULL;
    int result = EXIT_GOOD;
    if (o->json) {
        lamp_cli_print(answer);
    } else if (lamp_client_call(c, "GET", "/sensors", NULL, &sensors) == LAMP_OK) {
        lamp_show_keys(answer, json_object_get(sensors, "sensors"), lamp_cli_now());
        json_decref(sensors);
    } else {
        result = EXIT_FAILED;
    }
    json_decref(answer);
    return result;
}

/* Sends the body (taken) and says what came of it. */
static int change_key(lamp_client *c, const struct options *o, const char *kind, const json_t *key,
                      json_t *body, const char *done)
{
    char path[64];
    json_t *answer = NULL;
    snprintf(path, sizeof(path), "/%s/%" PRId64, kind,
             (int64_t)json_integer_value(json_object_get(key, "id")));
    const int err = body ? lamp_client_call(c, "POST", path, body, &answer) : LAMP_ENOMEM;
    json_decref(body);
    if (err)
        return EXIT_FAILED;
    if (o->json)
        lamp_cli_print(answer);
    else
        lamp_show_key(done, answer);
    json_decref(answer);
    return EXIT_GOOD;
}

struct key_command {
    const char *name;
    const char *list;    /* where the key is: pending or keys */
    const char *said;    /* the member that may name it too */
    const char *done;    /* for people */
    bool all_that_match; /* else exactly one must */
    unsigned takes;
};

static const struct key_command key_commands[] = {
    { "approve", "pending", "name", "let in", false, TAKES_SITE | TAKES_NAME },
    { "reject", "pending", "name", "kept out", false, 0 },
    { "revoke", "keys", "sensor", "revoked", true, 0 },
    { "rotate", "keys", "sensor", "asked for a new key", false, 0 },
};

static json_t *key_body(const struct key_command *k, const struct options *o)
{
    json_t *body = json_pack("{s:s}", "action", k->name);
    if (body && o->site)
        json_object_set_new(body, "site", json_string(o->site));
    if (body && o->name)
        json_object_set_new(body, "name", json_string(o->name));
    return body;
}

/* Whether a key of the list can be meant: one that holds, and (to rotate) is not on its way out. */
static bool may_be_meant(const struct key_command *k, const json_t *key)
{
    const char *state = json_string_value(json_object_get(key, "state"));
    return !state || (streq(state, "active") &&
                      (!streq(k->name, "rotate") || json_is_null(json_object_get(key, "expires"))));
}

static int run_key_command(lamp_client *c, const struct options *o, const struct key_command *k,
                           const char *text)
{
    json_t *answer = NULL, *key, *found[16] = { NULL };
    size_t i, n = 0;
    int result = EXIT_GOOD;
    if (lamp_client_call(c, "GET", "/keys", NULL, &answer) != LAMP_OK)
        return EXIT_FAILED;
    json_array_foreach(json_object_get(answer, k->list), i, key)
    {
        if (n < ARRAY_LEN(found) && may_be_meant(k, key) && lamp_cli_names(key, text, k->said))
            found[n++] = key;
    }
    if (n == 0 || (n > 1 && !k->all_that_match)) {
        fprintf(stderr, "davylamp: %s '%.64s' (see davylamp sensors keys)\n",
                n ? "more than one key is meant by" : "no key is called", text);
        result = EXIT_FAILED;
        n = 0;
    }
    for (i = 0; i < n && result == EXIT_GOOD; i++)
        result = change_key(c, o, k->list, found[i], key_body(k, o), k->done);
    json_decref(answer);
    return result;
}

static int run_sensors(lamp_client *c, const struct options *o, char **args, int n)
{
    const char *what = n > 0 ? args[0] : "list";
    const bool list = streq(what, "list");
    if ((list || streq(what, "keys")) && (n > 1 || o->given))
        return lamp_cli_usage("'sensors %s' takes nothing more", what);
    if (list)
        return lamp_cli_list(c, o, "/sensors", "sensors", lamp_show_sensors);
    if (streq(what, "keys"))
        return list_keys(c, o);
    for (size_t i = 0; i < ARRAY_LEN(key_commands); i++) {
        const struct key_command *k = &key_commands[i];
        if (!streq(k->name, what))
            continue;
        if (n != 2)
            return lamp_cli_usage("'sensors %s' needs one key", what);
        if (o->given & ~k->takes)
            return lamp_cli_usage("'sensors %s' does not take that option", what);
        if ((k->takes & TAKES_SITE) && !o->site)
            return lamp_cli_usage("'sensors %s' needs --site", what);
        return run_key_command(c, o, k, args[1]);
    }
    return lamp_cli_usage("there is no 'sensors %.40s'", what);
}

static int run_enroll(lamp_client *c, const struct options *o, char **args, int n)
{
    (void)args, (void)n;
    if (!o->site)
        return lamp_cli_usage("'enroll' needs --site");
    json_t *answer = NULL, *body = json_pack("{s:s}", "site", o->site);
    if (!body)
        return lamp_cli_usage("SITE is not UTF-8");
    if (o->name)
        json_object_set_new(body, "name", json_string(o->name));
    if (o->ttl_s)
        json_object_set_new(body, "ttl", json_integer(o->ttl_s));
    const int err = lamp_client_call(c, "POST", "/enrollments", body, &answer);
    json_decref(body);
    if (err)
        return EXIT_FAILED;
    if (o->json)
        lamp_cli_print(answer);
    else
        lamp_show_token(answer, lamp_cli_now());
    json_decref(answer);
    return EXIT_GOOD;
}

static int run_blocks(lamp_client *c, const struct options *o, char **args, int n)
{
    (void)args, (void)n;
    return lamp_cli_list(c, o, "/blocks", "blocks", lamp_show_blocks);
}

static int run_sites(lamp_client *c, const struct options *o, char **args, int n)
{
    (void)args, (void)n;
    return lamp_cli_list(c, o, "/sites", "sites", lamp_show_sites);
}

static int run_audit(lamp_client *c, const struct options *o, char **args, int n)
{
    (void)args, (void)n;
    json_t *answer = NULL;
    if (!o->verify)
        return lamp_cli_list(c, o, "/audit", "audit", lamp_show_audit);
    if (lamp_client_call(c, "GET", "/audit/check", NULL, &answer) != LAMP_OK)
        return EXIT_FAILED;
    const bool whole = json_is_true(json_object_get(answer, "whole"));
    if (o->json)
        lamp_cli_print(answer);
    else if (whole)
        puts("the audit log is whole");
    else
        printf("the audit log is broken at row %" PRId64 "\n",
               (int64_t)json_integer_value(json_object_get(answer, "broken_at")));
    json_decref(answer);
    return whole ? EXIT_GOOD : EXIT_FAILED;
}

/* The alerts that last, all that are kept (up to 1,000), or a word of who knows of one. */
static int run_alerts(lamp_client *c, const struct options *o, char **args, int n)
{
    char path[64] = "/alerts?limit=1000&open=1";
    int64_t id;
    json_t *answer = NULL;
    const bool ack = n > 0 && streq(args[0], "ack");
    if (ack && (n < 2 || lamp_text_int(args[1], 1, INT64_MAX, &id) != LAMP_OK))
        return lamp_cli_usage("'alerts ack' needs the number of an alert");
    if (!ack && n > 0 && (n > 1 || !streq(args[0], "all")))
        return lamp_cli_usage("there is no 'alerts %.40s'", args[0]);
    if (ack)
        snprintf(path, sizeof(path), "/alerts/%" PRId64 "/acknowledge", id);
    else if (n > 0)
        snprintf(path, sizeof(path), "/alerts?limit=1000");
    if (lamp_client_call(c, ack ? "POST" : "GET", path, NULL, &answer) != LAMP_OK)
        return EXIT_FAILED;
    if (o->json && ack)
        lamp_cli_print(answer);
    else if (o->json)
        lamp_cli_print_lines(json_object_get(answer, "alerts"));
    else if (ack)
        printf("alert %" PRId64 " acknowledged\n", id);
    else
        lamp_show_alerts(answer, lamp_cli_now());
    json_decref(answer);
    return EXIT_GOOD;
}

static int add_own(lamp_client *c, const struct options *o, char **args)
{
    json_t *answer = NULL, *body = json_pack("{s:s, s:s, s:s?, s:s?}", "kind", args[1], "value",
                                             args[2], "site", o->site, "note", o->reason);
    if (!body)
        return lamp_cli_usage("VALUE is not UTF-8");
    const int err = lamp_client_call(c, "POST", "/own", body, &answer);
    json_decref(body);
    if (err)
        return EXIT_FAILED;
    if (o->json)
        lamp_cli_print(answer);
    else
        printf("entry %" PRId64 " added\n",
               (int64_t)json_integer_value(json_object_get(answer, "id")));
    json_decref(answer);
    return EXIT_GOOD;
}

/* The owner's lists: what is on them, one more, one less. */
static int run_own(lamp_client *c, const struct options *o, char **args, int n)
{
    char path[64];
    int64_t id;
    json_t *answer = NULL;
    if (n == 0)
        return lamp_cli_list(c, o, "/own", "own", lamp_show_own);
    if (n == 3 && streq(args[0], "add"))
        return add_own(c, o, args);
    if (n != 2 || !streq(args[0], "remove") || lamp_text_int(args[1], 1, INT64_MAX, &id) != LAMP_OK)
        return lamp_cli_usage("'own' takes: add KIND VALUE, or remove ID");
    snprintf(path, sizeof(path), "/own/%" PRId64, id);
    if (lamp_client_call(c, "DELETE", path, NULL, &answer) != LAMP_OK)
        return EXIT_FAILED;
    json_decref(answer);
    if (!o->json)
        printf("entry %" PRId64 " removed\n", id);
    return EXIT_GOOD;
}

static const struct command commands[] = {
    { "status", 0, 0, 0, run_status },
    { "sensors", 0, 2, TAKES_SITE | TAKES_NAME, run_sensors },
    { "enroll", 0, 0, TAKES_SITE | TAKES_NAME | TAKES_TTL, run_enroll },
    { "approve", 1, 1, 0, run_approve },
    { "refuse", 1, 1, 0, run_refuse },
    { "hold", 1, 1, 0, run_hold },
    { "release", 1, 1, 0, run_release },
    { "sites", 0, 0, 0, run_sites },
    { "audit", 0, 0, TAKES_VERIFY, run_audit },
    { "alerts", 0, 2, 0, run_alerts },
    { "policies", 0, 20, 0, lamp_cli_policies },
    { "notify", 0, 2, 0, lamp_cli_notify },
    { "export", 1, 2, 0, lamp_cli_export },
    { "own", 0, 3, TAKES_SITE | TAKES_REASON, run_own },
    { "sample", 0, 20, TAKES_SITE | TAKES_REASON, lamp_cli_sample },
    { "miners", 0, 1, 0, run_miners },
    { "traffic", 0, 0, 0, run_traffic },
    { "lookup", 1, LOOKUPS, TAKES_AT, run_lookup },
    { "pools", 0, LOOKUPS, 0, run_pools },
    { "probe", 1, 1, 0, run_probe },
    { "catalogue", 0, 2, 0, run_catalogue },
    { "import", 0, 1000, TAKES_SITE | TAKES_SERVER, lamp_cli_import },
    { "imports", 0, 2, 0, lamp_cli_imports },
    { "blocks", 0, 0, 0, run_blocks },
    { "block", 1, 1, TAKES_PORT | TAKES_SITE | TAKES_REASON | TAKES_TTL | TAKES_HOST, run_block },
    { "unblock", 1, 1, 0, run_unblock },
    { "mark", 2, 2, TAKES_REASON, run_mark },
    { "users", 0, 2, TAKES_SITE | TAKES_ROLE | TAKES_PASSWORD, lamp_cli_users },
    { "tokens", 0, 2, TAKES_SITE | TAKES_ROLE | TAKES_TTL, lamp_cli_tokens },
    { "sessions", 0, 2, 0, lamp_cli_sessions },
    { "backup", 0, 1, 0, lamp_cli_backup },
    { "estimates", 0, 1, 0, lamp_cli_estimates },
    { "timeline", 1, 1, 0, lamp_cli_timeline },
    { "completion", 0, 0, 0, NULL }, /* needs no aggregator */
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (streq(commands[i].name, name))
            return &commands[i];
    return NULL;
}

enum {
    OPT_URL = 256,
    OPT_TOKEN_FILE,
    OPT_JSON,
    OPT_PORT,
    OPT_SITE,
    OPT_REASON,
    OPT_TTL,
    OPT_HOST,
    OPT_NAME,
    OPT_ROLE,
    OPT_PASSWORD_FILE,
    OPT_VERIFY,
    OPT_AT,
    OPT_SERVER,
};

static const struct option long_options[] = {
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    { "url", required_argument, NULL, OPT_URL },
    { "token-file", required_argument, NULL, OPT_TOKEN_FILE },
    { "json", no_argument, NULL, OPT_JSON },
    { "port", required_argument, NULL, OPT_PORT },
    { "site", required_argument, NULL, OPT_SITE },
    { "reason", required_argument, NULL, OPT_REASON },
    { "ttl", required_argument, NULL, OPT_TTL },
    { "host", no_argument, NULL, OPT_HOST },
    { "name", required_argument, NULL, OPT_NAME },
    { "role", required_argument, NULL, OPT_ROLE },
    { "password-file", required_argument, NULL, OPT_PASSWORD_FILE },
    { "verify", no_argument, NULL, OPT_VERIFY },
    { "at", required_argument, NULL, OPT_AT },
    { "server", required_argument, NULL, OPT_SERVER },
    { NULL, 0, NULL, 0 },
};

/* The options that only some commands take. */
static const struct {
    int option;
    unsigned bit;
} bits[] = { { OPT_PORT, TAKES_PORT },     { OPT_SITE, TAKES_SITE },
             { OPT_REASON, TAKES_REASON }, { OPT_TTL, TAKES_TTL },
             { OPT_HOST, TAKES_HOST },     { OPT_NAME, TAKES_NAME },
             { OPT_ROLE, TAKES_ROLE },     { OPT_PASSWORD_FILE, TAKES_PASSWORD },
             { OPT_VERIFY, TAKES_VERIFY }, { OPT_AT, TAKES_AT },
             { OPT_SERVER, TAKES_SERVER } };

/* Whether a command takes an option; NULL: whether every one does. */
static bool takes(const struct command *cmd, int option)
{
    for (size_t i = 0; i < ARRAY_LEN(bits); i++)
        if (bits[i].option == option)
            return cmd && (cmd->takes & bits[i].bit);
    return !cmd;
}

static void print_options(const struct command *cmd)
{
    for (const struct option *o = long_options; o->name; o++)
        if (takes(cmd, o->val))
            printf(" --%s", o->name);
}

/* From the tables of commands and options, so that it is never behind them. */
static int print_completion(void)
{
    fputs("_davylamp()\n{\n    local cur=${COMP_WORDS[COMP_CWORD]} word cmd= opts=\n"
          "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
          "        case $word in\n",
          stdout);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        printf("        %s) cmd=$word opts='", commands[i].name);
        print_options(&commands[i]);
        fputs("'; break ;;\n", stdout);
    }
    fputs("        esac\n    done\n    if [[ $cur == -* ]]; then\n"
          "        COMPREPLY=($(compgen -W \"$opts",
          stdout);
    print_options(NULL);
    fputs("\" -- \"$cur\"))\n    elif [[ -z $cmd ]]; then\n        COMPREPLY=($(compgen -W '",
          stdout);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        printf("%s%s", i ? " " : "", commands[i].name);
    fputs("' -- \"$cur\"))\n    else\n        COMPREPLY=($(compgen -f -- \"$cur\"))\n    fi\n}\n"
          "complete -F _davylamp davylamp\n",
          stdout);
    return EXIT_GOOD;
}

/* Reads the options; -1 to go on, else the exit status. */
static int read_options(int argc, char **argv, struct options *o)
{
    int c;
    while ((c = getopt_long(argc, argv, "hV", long_options, NULL)) != -1) {
        for (size_t i = 0; i < ARRAY_LEN(bits); i++)
            o->given |= bits[i].option == c ? bits[i].bit : 0;
        switch (c) {
        case 'h':
            print_help();
            return EXIT_GOOD;
        case 'V':
            puts("davylamp " LAMP_VERSION);
            return EXIT_GOOD;
        case OPT_URL:
            o->url = optarg;
            break;
        case OPT_TOKEN_FILE:
            o->token_file = optarg;
            break;
        case OPT_JSON:
            o->json = true;
            break;
        case OPT_PORT:
            if (lamp_text_int(optarg, 1, 65535, &o->port) != LAMP_OK)
                return lamp_cli_usage("--port needs a number from 1 to 65535, not '%.40s'", optarg);
            break;
        case OPT_TTL:
            if (lamp_text_int(optarg, 60, 31536000, &o->ttl_s) != LAMP_OK)
                return lamp_cli_usage("--ttl needs seconds from 60 to 31536000, not '%.40s'",
                                      optarg);
            break;
        case OPT_SITE:
            if (o->n_sites == LAMP_CLI_SITES)
                return lamp_cli_usage("--site was given more than %d times", LAMP_CLI_SITES);
            o->site = o->sites[o->n_sites++] = optarg;
            break;
        case OPT_ROLE:
            o->role = optarg;
            break;
        case OPT_VERIFY:
            o->verify = true;
            break;
        case OPT_PASSWORD_FILE:
            o->password_file = optarg;
            break;
        case OPT_REASON:
            o->reason = optarg;
            break;
        case OPT_NAME:
            o->name = optarg;
            break;
        case OPT_AT:
            o->at = optarg;
            break;
        case OPT_SERVER:
            o->server = optarg;
            break;
        case OPT_HOST:
            o->host = true;
            break;
        default:
            return EXIT_USAGE; /* getopt has said why */
        }
    }
    return -1;
}

int main(int argc, char **argv)
{
    const char *url = getenv("DAVYLAMP_URL"), *token_file = getenv("DAVYLAMP_TOKEN_FILE");
    struct options o = { .url = url ? url : DEFAULT_URL,
                         .token_file = token_file ? token_file : DEFAULT_TOKEN_FILE };
    int result = read_options(argc, argv, &o);
    if (result >= 0)
        return result;
    if (optind == argc)
        return lamp_cli_usage("no command given");
    const struct command *cmd = find_command(argv[optind]);
    const int n = argc - optind - 1;
    if (!cmd)
        return lamp_cli_usage("there is no command '%.40s'", argv[optind]);
    if (n < cmd->min_args)
        return lamp_cli_usage("'%s' needs an argument", cmd->name);
    if (n > cmd->max_args)
        return lamp_cli_usage("'%.40s' is one argument too many", argv[optind + 1 + cmd->max_args]);
    if (o.given & ~cmd->takes)
        return lamp_cli_usage("'%s' does not take that option", cmd->name);

    if (!cmd->run)
        return print_completion();
    lamp_client *client = NULL;
    if (lamp_client_open(o.url, o.token_file, &client) != LAMP_OK)
        return EXIT_FAILED;
    result = cmd->run(client, &o, argv + optind + 1, n);
    lamp_client_close(client);
    return result;
}
