/* SPDX-License-Identifier: Apache-2.0 */
/* davylamp: the operator's command line. */
#include "aggregator/cli/cli.h"
#include "common/text.h"
#include "common/version.h"

#include <stdio.h>

#define DEFAULT_URL "http://127.0.0.1:8080"
#define DEFAULT_TOKEN_FILE "/var/lib/davylamp-aggregator/token"

struct command {
    const char *name;
    int min_args, max_args;
    unsigned takes; /* bits of enum lamp_cli_option */
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
        "  doctor              what is wrong, and what to do (exit status 1: something is)\n"
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
        "                      a new rule, in dry run; keys: verdict confidence coin pool site\n"
        "                      days hours sanctioned alert sample block everywhere lease\n"
        "                      longest grace\n"
        "  policies change ID KEY=VALUE...\n"
        "                      other terms; it is in dry run then\n"
        "  policies move ID PLACE\n"
        "                      their order: where several fit, the first one acts first\n"
        "  policies on|dry-run|off|remove ID\n"
        "  settings            options of sensors, prices and places of sites that are set from\n"
        "                      here, and which there are\n"
        "  settings set NAME VALUE\n"
        "                      for all, or for a --site; what the configuration of a sensor says\n"
        "                      goes before it; site.price and site.place go before what the\n"
        "                      configuration of the aggregator says\n"
        "  settings unset NAME no longer\n"
        "  own                 wallets, pools and workers of your own rigs\n"
        "  own add KIND VALUE  one more: wallet, pool or worker; --site SITE: there alone\n"
        "  own remove ID       one less\n"
        "  baseline [list|ID]  what is usual with rigs; one of them, with what was unexpected\n"
        "  baseline learn WHOSE [KEY=VALUE]...\n"
        "                      a draft; WHOSE: miner ID, or HOST with --site; keys: window "
        "(seconds)\n"
        "                      begin (before or now) by_asn (yes)\n"
        "  baseline accept ID [N|version=N]\n"
        "                      the draft, an unexpected destination, or an older version again\n"
        "  baseline watch|block ID N\n"
        "                      what an unexpected destination is\n"
        "  baseline copy ID WHOSE\n"
        "  baseline export ID [FILE]\n"
        "  baseline import FILE WHOSE\n"
        "  baseline delete ID\n"
        "  sample [list|ID]    packet samples that were ordered; one of them, sensor by sensor\n"
        "  sample add WHAT [KEY=VALUE]...\n"
        "                      order one; WHAT: everything, host ADDRESS, remote ADDRESS[:PORT],\n"
        "                      connection ADDRESS:PORT ADDRESS:PORT, miner ID; keys: sensor "
        "packets\n"
        "                      packets_per_connection duration bytes snaplen wait transport\n"
        "  sample get ID SENSOR [FILE]\n"
        "                      its packets as a pcapng file\n"
        "  sample cancel ID    end it; take one that is over out\n"
        "  track [list]        what is tracked finely\n"
        "  track start WHAT [KEY=VALUE]...\n"
        "                      WHAT as for samples, but everything; keys: sensor duration "
        "(seconds)\n"
        "                      ring (samples kept; 0: none) transport\n"
        "  track show ID       sensor by sensor\n"
        "  track history ID    its last hour, in steps of 10 seconds\n"
        "  track stop ID       end it; its history stays\n"
        "  track remove ID     take it out, with its history and samples\n"
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
        "  knowledge           servers proved to be pools or proxies, and wallets, that all sites\n"
        "                      take for evidence: where each was met first, until when\n"
        "  knowledge accept|mute ID\n"
        "                      for good: watch for it, or never take it for evidence again\n"
        "  knowledge extend ID [DAYS]\n"
        "                      watch for it so long (30), whether or not it is seen\n"
        "  knowledge forget ID take back what you said\n"
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
        "  --site SITE         block, sample, track, settings: only at this site;\n"
        "                      enroll, sensors: where the sensor belongs;\n"
        "                      import: what it is of;\n"
        "                      users, tokens: may see this site alone (more than once: these)\n"
        "  --host              block: the target is an inside host; needs --site\n"
        "  --ttl SECONDS       how long (default: block 86400, enroll 900, tokens without end)\n"
        "  --reason TEXT       block, mark, sample, track, baseline, knowledge: why, for whoever\n"
        "                      reads the list\n"
        "  --at TIME           lookup: the time asked about, YYYY-MM-DD[THH:MM] in UTC\n"
        "  --name NAME         enroll, approve: what the sensor is called; without it enroll\n"
        "                      lets a new sensor choose, approve takes what it asks for\n"
        "  --role ROLE         users, tokens: viewer, operator or admin\n"
        "  --server PATH       import: below the folder imports.root of the aggregator\n"
        "  --verify            audit: whether the log is whole (exit status 1: it is not)\n"
        "  --csv               of lists: all rows for a spreadsheet, with every column of the API\n"
        "                      but those that are lists of objects\n"
        "  --sort COLUMN       of lists but traffic and audit: by a column of --csv, or of these\n"
        "                      by one of theirs (miners: last, since, site, host,\n"
        "                      confidence, bytes, shares, connections; alerts: id, last, first,\n"
        "                      site, count); -COLUMN: from the largest on\n"
        "  --password-file F   users: a file with the password (-: standard input)\n"
        "\n"
        "Options:\n"
        "  --url URL           the aggregator (default " DEFAULT_URL ";\n"
        "                      environment: DAVYLAMP_URL)\n"
        "  --token-file FILE   the API token (default " DEFAULT_TOKEN_FILE ";\n"
        "                      environment: DAVYLAMP_TOKEN_FILE)\n"
        "  --ca FILE           certificates to trust instead of the system's, where the "
        "aggregator\n"
        "                      speaks TLS with one of your own (environment: DAVYLAMP_CA)\n"
        "  --json              one JSON object a line instead of tables\n"
        "  -h, --help          this text\n"
        "  -V, --version       the version\n"
        "\n"
        "Exit status: 0 done, 1 refused or failed, 2 wrong usage.\n",
        stdout);
}

static const struct command commands[] = {
    { "status", 0, 0, 0, lamp_cli_status },
    { "doctor", 0, 0, 0, lamp_cli_doctor },
    { "sensors", 0, 2, TAKES_SITE | TAKES_NAME | TAKES_LIST, lamp_cli_sensors },
    { "enroll", 0, 0, TAKES_SITE | TAKES_NAME | TAKES_TTL, lamp_cli_enroll },
    { "approve", 1, 1, 0, lamp_cli_approve },
    { "refuse", 1, 1, 0, lamp_cli_refuse },
    { "hold", 1, 1, 0, lamp_cli_hold },
    { "release", 1, 1, 0, lamp_cli_release },
    { "sites", 0, 0, TAKES_LIST, lamp_cli_sites },
    { "audit", 0, 0, TAKES_VERIFY | TAKES_CSV, lamp_cli_audit },
    { "alerts", 0, 2, TAKES_LIST, lamp_cli_alerts },
    { "policies", 0, 20, TAKES_LIST, lamp_cli_policies },
    { "settings", 0, 3, TAKES_SITE, lamp_cli_settings },
    { "notify", 0, 2, 0, lamp_cli_notify },
    { "export", 1, 2, 0, lamp_cli_export },
    { "own", 0, 3, TAKES_SITE | TAKES_REASON | TAKES_LIST, lamp_cli_own },
    { "baseline", 0, 20, TAKES_SITE | TAKES_REASON | TAKES_LIST, lamp_cli_baseline },
    { "sample", 0, 20, TAKES_SITE | TAKES_REASON | TAKES_LIST, lamp_cli_sample },
    { "track", 0, 20, TAKES_SITE | TAKES_REASON | TAKES_LIST, lamp_cli_track },
    { "miners", 0, 1, TAKES_LIST, lamp_cli_miners },
    { "traffic", 0, 0, TAKES_CSV, lamp_cli_traffic },
    { "lookup", 1, LAMP_CLI_LOOKUPS, TAKES_AT, lamp_cli_lookup },
    { "pools", 0, LAMP_CLI_LOOKUPS, TAKES_LIST, lamp_cli_pools },
    { "knowledge", 0, 3, TAKES_REASON | TAKES_LIST, lamp_cli_knowledge },
    { "probe", 1, 1, 0, lamp_cli_probe },
    { "catalogue", 0, 2, 0, lamp_cli_catalogue },
    { "import", 0, 1000, TAKES_SITE | TAKES_SERVER, lamp_cli_import },
    { "imports", 0, 2, TAKES_LIST, lamp_cli_imports },
    { "blocks", 0, 0, TAKES_LIST, lamp_cli_blocks },
    { "block", 1, 1, TAKES_PORT | TAKES_SITE | TAKES_REASON | TAKES_TTL | TAKES_HOST,
      lamp_cli_block },
    { "unblock", 1, 1, 0, lamp_cli_unblock },
    { "mark", 2, 2, TAKES_REASON, lamp_cli_mark },
    { "users", 0, 2, TAKES_SITE | TAKES_ROLE | TAKES_PASSWORD | TAKES_LIST, lamp_cli_users },
    { "tokens", 0, 2, TAKES_SITE | TAKES_ROLE | TAKES_TTL | TAKES_LIST, lamp_cli_tokens },
    { "sessions", 0, 2, TAKES_LIST, lamp_cli_sessions },
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
    OPT_CA,
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
    OPT_CSV,
    OPT_SORT,
};

static const struct option long_options[] = {
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    { "url", required_argument, NULL, OPT_URL },
    { "token-file", required_argument, NULL, OPT_TOKEN_FILE },
    { "ca", required_argument, NULL, OPT_CA },
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
    { "csv", no_argument, NULL, OPT_CSV },
    { "sort", required_argument, NULL, OPT_SORT },
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
             { OPT_SERVER, TAKES_SERVER }, { OPT_CSV, TAKES_CSV },
             { OPT_SORT, TAKES_SORT } };

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
        case OPT_CA:
            o->ca = optarg;
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
        case OPT_CSV:
            o->csv = true;
            break;
        case OPT_SORT:
            if (optarg[strspn(optarg, "abcdefghijklmnopqrstuvwxyz_.-")])
                return lamp_cli_usage("--sort needs a column, not '%.40s'", optarg);
            o->sort = optarg;
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
    const char *ca = getenv("DAVYLAMP_CA");
    struct options o = { .url = url ? url : DEFAULT_URL,
                         .token_file = token_file ? token_file : DEFAULT_TOKEN_FILE,
                         .ca = ca && *ca ? ca : NULL };
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
    const char *what = n > 0 ? argv[optind + 1] : "list";
    if ((o.given & TAKES_LIST) && !streq(what, "list") && !streq(what, "all"))
        return lamp_cli_usage("--csv and --sort are for lists");

    if (!cmd->run)
        return print_completion();
    lamp_client *client = NULL;
    if (lamp_client_open(o.url, o.token_file, o.ca, &client) != LAMP_OK)
        return EXIT_FAILED;
    result = cmd->run(client, &o, argv + optind + 1, n);
    lamp_client_close(client);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("davylamp: standard output cannot be written\n", stderr);
        return EXIT_FAILED;
    }
    return result;
}
