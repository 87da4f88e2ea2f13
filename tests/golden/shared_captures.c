/* SPDX-License-Identifier: Apache-2.0 */
/* shared_captures: analyze against the labelled captures of LAMP_CAPTURES (their README tells
 * the columns of TRUTH.tsv). Every mining connection that spoke one of our families in the
 * clear has to be found at probable or above with the right ends, family and number of
 * shares; nothing in neg/ or malformed/ may be probable or confirmed. The same for gen/, whose
 * conversations come in each encapsulation (VLAN, MPLS, PPPoE, GRE, VXLAN, fragments, ...) and in SOCKS,
 * CONNECT and WebSocket, whose tunnel has to lead to the pool. Prints the figures, also
 * those that decide nothing (wallet, worker, agent, jobs). Exit 77: no captures here. */
#include "tests/golden/run_analyze.h"

#include <jansson.h>
#include <stdio.h>

enum { MAX_CONNECTIONS = 100000, MAX_KEY = 512 };

enum column {
    FILE_NAME,
    CLIENT_IP,
    CLIENT_PORT,
    SERVER_IP,
    SERVER_PORT,
    ROLE,
    FAMILY,
    COIN,
    WALLET,
    WORKER,
    AGENT,
    SHARES,
    JOBS,
    TLS,
    SNI,
    STATUS,
    MIDSTREAM,
    PACKETS,
    DURATION,
    BYTES_UP,
    BYTES_DOWN,
    SERVER_NAME,
    COLUMNS
};

struct found {
    char *key;
    json_t *is;
};

static struct found found[MAX_CONNECTIONS];
static size_t n_found;

/* Families as TRUTH.tsv names them. */
static struct family {
    const char *truth, *ours; /* ours NULL: any */
    const char *tunnel;       /* its kind, with the pool as host; NULL: none */
    bool is_exact;            /* wallet, worker, agent and jobs have to be right too */
    unsigned rows, found, confirmed, wallet, worker, agent, jobs;
} families[] = {
    { .truth = "stratum-v1", .ours = "stratum-v1" },
    { .truth = "cryptonote-stratum", .ours = "cryptonote" },
    { .truth = "eth-proxy", .ours = "eth-proxy" },
    { .truth = "getwork-http", .ours = "getwork", .is_exact = true },
    { .truth = "getblocktemplate-http", .ours = "getblocktemplate", .is_exact = true },
    { .truth = "tls-clienthello-to-stratum-port", .is_exact = true },
    /* gen/TRUTH.tsv tells dialects apart */
    { .truth = "xmr-stratum", .ours = "cryptonote" },
    { .truth = "xmrig-proxy", .ours = "cryptonote" },
    { .truth = "btc-stratum", .ours = "stratum-v1" },
    { .truth = "eth-stratum1", .ours = "stratum-v1" },
    { .truth = "zcash-zip301", .ours = "zcash" },
    { .truth = "ethereumstratum-1.0.0", .ours = "ethereum-stratum" },
    { .truth = "ethereumstratum-2.0.0", .ours = "ethereum-stratum" },
    { .truth = "kawpow", .ours = "kawpow" },
    { .truth = "kaspa", .ours = "kaspa" },
    { .truth = "ergo-autolykos", .ours = "ergo" },
    { .truth = "alephium", .ours = "alephium" },
    { .truth = "beam", .ours = "beam" },
    { .truth = "grin", .ours = "grin" },
    /* and what is around them */
    { .truth = "xmr-stratum-socks5", .ours = "cryptonote", .tunnel = "socks5" },
    { .truth = "xmrig-proxy-socks5", .ours = "cryptonote", .tunnel = "socks5" },
    { .truth = "btc-stratum-socks5", .ours = "stratum-v1", .tunnel = "socks5" },
    { .truth = "xmr-stratum-http-connect", .ours = "cryptonote", .tunnel = "http-connect" },
    { .truth = "ws-xmr-stratum", .ours = "cryptonote" },
    { .truth = "ws-coinhive", .ours = "websocket-miner" },
    { .truth = "ws-webminer", .ours = "websocket-miner" },
};

/* The truth of the foreign captures calls every dialect of mining.* stratum-v1. */
static bool is_family(const char *family, const char *truth)
{
    static const char *const dialects[] = { "zcash", "kawpow", "ethereum-stratum" };
    bool is = streq(family, truth);
    for (size_t i = 0; i < ARRAY_LEN(dialects) && streq(truth, "stratum-v1"); i++)
        is |= streq(family, dialects[i]);
    return is;
}

static const char *str(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static json_int_t num(const json_t *o, const char *object, const char *key)
{
    return json_integer_value(json_object_get(json_object_get(o, object), key));
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct found *)a)->key, ((const struct found *)b)->key);
}

static bool is_alarm(const json_t *conn)
{
    return streq(str(conn, "verdict"), "probable") || streq(str(conn, "verdict"), "confirmed");
}

/* Runs analyze and keeps its connections, sorted. */
static void analyze(char *const *paths, size_t n_paths)
{
    char *out;
    if (run_analyze(paths, n_paths, &out) == 2)
        exit(1);
    char *rest = out;
    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        json_error_t error;
        json_t *o = json_loads(line, 0, &error);
        if (!o || n_found == MAX_CONNECTIONS) {
            fprintf(stderr, "not JSON (%s): %s\n", error.text, line);
            exit(1);
        }
        if (!streq(str(o, "type"), "connection")) {
            json_decref(o);
            continue;
        }
        char *key;
        if (asprintf(&key, "%s %s %d %s %d", str(o, "file"),
                     str(json_object_get(o, "client"), "ip"), (int)num(o, "client", "port"),
                     str(json_object_get(o, "server"), "ip"), (int)num(o, "server", "port")) < 0)
            abort();
        found[n_found++] = (struct found){ key, o };
    }
    free(out);
    qsort(found, n_found, sizeof(found[0]), by_key);
}

/* ---- what has to be found ---- */

static unsigned complain(char *const *row, const char *what, const char *got)
{
    printf("FAIL %s %s:%s -> %s:%s (%s): %s %s\n", row[FILE_NAME], row[CLIENT_IP], row[CLIENT_PORT],
           row[SERVER_IP], row[SERVER_PORT], row[FAMILY], what, got);
    return 1;
}

/* Whether both sides' lines are whole in the capture. */
static bool is_whole(const char *file)
{
    return !strstr(file, "_enc_snap") && !strstr(file, "_enc_s2c_only");
}

/* ---- what is encrypted ---- */

static struct encrypted {
    unsigned rows, suspected, alarms, wss, wss_suspected;
} encrypted;

/* A row of gen/ whose bytes cannot be read: at suspected or above when the capture ends. Browser
 * mining (wss) is counted apart. */
static void count_encrypted(const char *folder, char *const *row)
{
    const char *family = row[FAMILY];
    const bool sv2 = strstr(family, "sv2") != NULL, wss = strncmp(family, "wss", 3) == 0;
    const bool tls = strstr(family, "-tls") != NULL;
    if (!*folder || !streq(row[ROLE], "mining") || !(sv2 || wss || tls))
        return;
    char key[MAX_KEY];
    snprintf(key, sizeof(key), "%s%s %s %s %s %s", folder, row[FILE_NAME], row[CLIENT_IP],
             row[CLIENT_PORT], row[SERVER_IP], row[SERVER_PORT]);
    const struct found *hit =
        bsearch(&(struct found){ .key = key }, found, n_found, sizeof(found[0]), by_key);
    const bool suspected = hit && !streq(str(hit->is, "verdict"), "wallet") &&
                           streq(str(hit->is, "family"), sv2 ? "stratum-v2" : "tls-mining");
    if (wss) {
        encrypted.wss++;
        encrypted.wss_suspected += suspected;
        return;
    }
    encrypted.rows++;
    encrypted.suspected += suspected;
    encrypted.alarms += hit && is_alarm(hit->is);
    if (!suspected)
        complain(row, "not suspected:", hit ? str(hit->is, "verdict") : "nothing");
}

/* 95 % of the rows; and node traffic of Bitcoin and Ethereum is told as such. */
static unsigned check_encrypted(void)
{
    unsigned faults = encrypted.suspected * 100 < encrypted.rows * 95;
    printf("encrypted: %u of %u at suspected or above (%u of these alarm), wss %u of %u\n",
           encrypted.suspected, encrypted.rows, encrypted.alarms, encrypted.wss_suspected,
           encrypted.wss);
    static const struct {
        const char *file, *family;
        unsigned least;
    } nodes[] = {
        { "neg/ndpi__default_pcap_bitcoin.pcap ", "bitcoin-p2p", 6 },
        { "neg/ndpi__default_pcap_ethereum.pcap ", "ethereum-rlpx", 40 },
        { "neg/ndpi__default_pcap_ethereum.pcap ", "ethereum-discv4", 15 },
    };
    for (size_t k = 0; k < ARRAY_LEN(nodes); k++) {
        unsigned n = 0;
        for (size_t i = 0; i < n_found; i++)
            n += strncmp(found[i].key, nodes[k].file, strlen(nodes[k].file)) == 0 &&
                 streq(str(found[i].is, "verdict"), "wallet") &&
                 streq(str(found[i].is, "family"), nodes[k].family);
        printf("%s: %u connections of %s\n", nodes[k].family, n, nodes[k].file);
        if (n < nodes[k].least) {
            printf("FAIL fewer than %u\n", nodes[k].least);
            faults++;
        }
    }
    return faults;
}

static unsigned check_tunnel(const struct family *f, char *const *row, const json_t *conn)
{
    const json_t *tunnel = json_object_get(conn, "tunnel");
    if (!f->tunnel)
        return 0;
    if (!streq(str(tunnel, "kind"), f->tunnel))
        return complain(row, "tunnel is", str(tunnel, "kind"));
    if (!streq(str(tunnel, "host"), row[SERVER_NAME]))
        return complain(row, "tunnel leads to", str(tunnel, "host"));
    return 0;
}

/* Compares one row of the truth, whose file is in folder; returns how many faults. */
static unsigned check_row(const char *folder, char *const *row)
{
    struct family *f = families;
    while (f < families + ARRAY_LEN(families) && !streq(f->truth, row[FAMILY]))
        f++;
    if (!streq(row[ROLE], "mining") || f == families + ARRAY_LEN(families))
        return 0;
    if (!is_whole(row[FILE_NAME]))
        return 0;
    f->rows++;
    char key[MAX_KEY], shares[32], jobs[32];
    snprintf(key, sizeof(key), "%s%s %s %s %s %s", folder, row[FILE_NAME], row[CLIENT_IP],
             row[CLIENT_PORT], row[SERVER_IP], row[SERVER_PORT]);
    const struct found *hit =
        bsearch(&(struct found){ .key = key }, found, n_found, sizeof(found[0]), by_key);
    if (!hit || !is_alarm(hit->is))
        return complain(row, "not found:", hit ? str(hit->is, "verdict") : "nothing");
    f->found++;
    f->confirmed += streq(str(hit->is, "verdict"), "confirmed");
    f->wallet += streq(str(hit->is, "wallet"), row[WALLET]);
    f->worker += streq(str(hit->is, "worker"), row[WORKER]);
    f->agent += streq(str(hit->is, "agent"), row[AGENT]);
    snprintf(jobs, sizeof(jobs), "%d", (int)json_integer_value(json_object_get(hit->is, "jobs")));
    f->jobs += streq(jobs, row[JOBS]);
    snprintf(shares, sizeof(shares), "%d", (int)num(hit->is, "shares", "submitted"));
    unsigned faults = 0;
    faults += check_tunnel(f, row, hit->is);
    if (f->is_exact && (!streq(str(hit->is, "wallet"), row[WALLET]) ||
                        !streq(str(hit->is, "worker"), row[WORKER]) ||
                        !streq(str(hit->is, "agent"), row[AGENT]) || !streq(jobs, row[JOBS])))
        faults += complain(row, "identity or jobs are not; agent", str(hit->is, "agent"));
    if (f->ours && !is_family(str(hit->is, "family"), f->ours))
        faults += complain(row, "family is", str(hit->is, "family"));
    if (!streq(shares, row[SHARES]))
        faults += complain(row, "shares are", shares);
    return faults;
}

static unsigned check_truth(const char *folder, FILE *truth)
{
    unsigned faults = 0;
    char *line = NULL;
    size_t size = 0;
    for (bool header = true; getline(&line, &size, truth) > 0; header = false) {
        char *row[COLUMNS], *rest = line;
        size_t n = 0;
        while (n < COLUMNS && rest)
            row[n++] = strsep(&rest, "\t\n");
        if (header || n < COLUMNS)
            continue;
        count_encrypted(folder, row);
        faults += check_row(folder, row);
    }
    free(line);
    return faults;
}

/* ---- what must not be ---- */

static unsigned check_quiet(void)
{
    unsigned faults = 0, suspicions = 0;
    for (size_t i = 0; i < n_found; i++) {
        const bool foreign =
            strncmp(found[i].key, "neg/", 4) == 0 || strncmp(found[i].key, "malformed/", 10) == 0;
        if (foreign && streq(str(found[i].is, "verdict"), "suspected")) {
            printf("suspicion: %s: %s\n", found[i].key, str(found[i].is, "family"));
            suspicions++;
        }
        if (strncmp(found[i].key, "pos/", 4) == 0 || strncmp(found[i].key, "gen/pos/", 8) == 0 ||
            !is_alarm(found[i].is))
            continue;
        printf("FAIL false alarm: %s: %s\n", found[i].key, str(found[i].is, "verdict"));
        faults++;
    }
    printf("%u suspicions in neg/ and malformed/ (at most 5)\n", suspicions);
    return faults + (suspicions > 5);
}

int main(void)
{
    const char *folder = getenv("LAMP_CAPTURES");
    char *paths[] = { (char[]){ "pos" }, (char[]){ "neg" }, (char[]){ "malformed" },
                      (char[]){ "gen/neg" }, (char[]){ "gen/pos" } };
    if (!folder || chdir(folder) != 0 || access("TRUTH.tsv", R_OK) != 0) {
        puts("skipped: no shared captures (LAMP_CAPTURES)");
        return 77;
    }
    analyze(paths, ARRAY_LEN(paths));
    FILE *truth = fopen("TRUTH.tsv", "re");
    FILE *gen = fopen("gen/TRUTH.tsv", "re");
    unsigned faults = truth && gen ? check_truth("", truth) + check_truth("gen/", gen) : 1;
    faults += check_quiet() + check_encrypted();
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        const struct family *f = &families[i];
        printf("%s: %u of %u found (%u confirmed); wallet right in %u, worker %u, agent %u, "
               "jobs %u\n",
               f->truth, f->found, f->rows, f->confirmed, f->wallet, f->worker, f->agent, f->jobs);
        faults += f->rows == 0;
    }
    printf("%zu connections in all, %u faults\n", n_found, faults);
    for (size_t i = 0; i < n_found; i++) {
        json_decref(found[i].is);
        free(found[i].key);
    }
    if (truth)
        fclose(truth);
    if (gen)
        fclose(gen);
    return faults != 0;
}
