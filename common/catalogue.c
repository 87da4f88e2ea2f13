/* SPDX-License-Identifier: Apache-2.0 */
#include "common/catalogue.h"

#include "common/csv.h"
#include "common/text.h"

#include <regex.h>
#include <stdio.h>
#include <strings.h>

enum {
    MAX_COINS = 1024,
    MAX_ALGORITHMS = 1024,
    MAX_POOLS = 16384,
    MAX_HOST = 256,   /* with its end */
    MAX_WALLET = 160, /* longest address form is Monero's integrated one: 106 */
    DOMINANCE = 3,    /* how many times the pools of any other coin make it "the" coin */
};

struct coin {
    struct lamp_coin is;
    const char *pattern;    /* of addresses; NULL: none is known */
    const regex_t *address; /* the same compiled, shared by all coins that have it */
    int64_t domains;        /* pool domains known for it */
    int64_t spread;         /* the same if it is mined today, else 0 */
};

struct algorithm {
    struct lamp_algorithm is;
    const char *aliases; /* "bitcoin|sha-256" */
};

struct lamp_catalogue {
    char *text[3]; /* the files; every string above points into them */
    struct coin *coins;
    regex_t *patterns; /* no more than coins; the first n_patterns are compiled */
    struct algorithm *algorithms;
    struct lamp_pool *pools; /* by host name, then port */
    size_t n_coins, n_patterns, n_algorithms, n_pools;
    uint32_t *hosts; /* by hash of the name: index of the host's first row, and 1; 0: free */
    size_t n_hosts;  /* places, a power of two, at most half of them taken */
    uint64_t ports[65536 / 64]; /* a bit for each port of a pool */
};

/* ---- loading ---- */

static const char *or_null(const char *s)
{
    return *s ? s : NULL;
}

/* Compiles the coin's pattern, unless a coin before it has the same, as a third do: compiling them is
 * most of what loading costs. */
static int add_pattern(lamp_catalogue *c, struct coin *coin, const char *pattern,
                       const struct lamp_csv *at)
{
    coin->pattern = pattern;
    for (size_t i = 0; i < c->n_coins && !coin->address; i++)
        if (c->coins[i].pattern && streq(c->coins[i].pattern, pattern))
            coin->address = c->coins[i].address;
    if (coin->address)
        return LAMP_OK;
    regex_t *compiled = &c->patterns[c->n_patterns];
    const int err = regcomp(compiled, pattern, REG_EXTENDED | REG_NOSUB);
    if (err) {
        char text[80], what[128];
        regerror(err, compiled, text, sizeof(text));
        snprintf(what, sizeof(what), "address_regex: %s", text);
        return lamp_csv_fail(at, what);
    }
    coin->address = compiled;
    c->n_patterns++;
    return LAMP_OK;
}

static int add_coin(void *arg, char *const *v, const struct lamp_csv *at)
{
    lamp_catalogue *c = arg;
    if (!*v[0] || !*v[2])
        return lamp_csv_fail(at, "a coin needs a symbol and an algorithm");
    struct coin *coin = &c->coins[c->n_coins];
    coin->is = (struct lamp_coin){ v[0], v[1], v[2], v[3] };
    if (*v[6] && lamp_text_int(v[6], 0, INT32_MAX, &coin->spread))
        return lamp_csv_fail(at, "n_pool_domains is not a number");
    coin->domains = coin->spread;
    if (!streq(v[5], "active"))
        coin->spread = 0;
    const int err = *v[4] ? add_pattern(c, coin, v[4], at) : LAMP_OK;
    c->n_coins += !err;
    return err;
}

static int add_algorithm(void *arg, char *const *v, const struct lamp_csv *at)
{
    lamp_catalogue *c = arg;
    if (!*v[0])
        return lamp_csv_fail(at, "an algorithm needs a name");
    struct algorithm *a = &c->algorithms[c->n_algorithms];
    a->is.name = v[0];
    a->aliases = v[1];
    a->is.unit = *v[2] ? v[2] : "H/s";
    if (*v[3] && lamp_text_double(v[3], 0, 1e30, &a->is.hashes_per_diff1))
        return lamp_csv_fail(at, "hashes_per_diff1 is not a number");
    c->n_algorithms++;
    return LAMP_OK;
}

static int add_pool(void *arg, char *const *v, const struct lamp_csv *at)
{
    lamp_catalogue *c = arg;
    if (!*v[1])
        return LAMP_OK; /* a pool known by name alone cannot be looked up */
    int64_t port = 0;
    if (*v[2] && lamp_text_int(v[2], 0, 65535, &port))
        return lamp_csv_fail(at, "port is not a number up to 65535");
    c->pools[c->n_pools++] =
        (struct lamp_pool){ v[0],           v[1],
                            (uint16_t)port, or_null(v[3]),
                            or_null(v[4]),  streq(v[5], "legacy") || streq(v[5], "dead"),
                            v[6],           v[7],
                            v[8],           v[9] };
    if (port != 0)
        c->ports[port / 64] |= (uint64_t)1 << port % 64;
    return LAMP_OK;
}

static const struct lamp_csv_table tables[] = {
    { "coins.csv",
      { "symbol", "name", "algorithm", "protocol", "address_regex", "status", "n_pool_domains" },
      MAX_COINS,
      add_coin },
    { "algorithms.csv",
      { "name", "aliases", "unit", "hashes_per_diff1" },
      MAX_ALGORITHMS,
      add_algorithm },
    { "pools.csv",
      { "pool", "fqdn", "port", "coin", "algorithm", "status", "protocol", "tls", "kind",
        "source" },
      MAX_POOLS,
      add_pool },
};

static int by_host_and_port(const void *a, const void *b)
{
    const struct lamp_pool *x = a, *y = b;
    const int order = strcasecmp(x->fqdn, y->fqdn);
    return order ? order : (x->port > y->port) - (x->port < y->port);
}

/* FNV-1a, without regard to case. */
static uint64_t host_hash(struct lamp_bytes name)
{
    uint64_t h = 0xcbf29ce484222325;
    for (size_t i = 0; i < name.len; i++)
        h = (h ^ (name.data[i] | 0x20)) * 0x100000001b3;
    return h ^ h >> 32;
}

static bool is_host(const struct lamp_pool *p, struct lamp_bytes name)
{
    return strncasecmp(p->fqdn, (const char *)name.data, name.len) == 0 && !p->fqdn[name.len];
}

/* Where in the table of hosts the name is, or would be. */
static size_t host_place(const lamp_catalogue *c, struct lamp_bytes name)
{
    size_t i = (size_t)host_hash(name) & (c->n_hosts - 1);
    while (c->hosts[i] && !is_host(&c->pools[c->hosts[i] - 1], name))
        i = (i + 1) & (c->n_hosts - 1);
    return i;
}

static int index_hosts(lamp_catalogue *c)
{
    for (c->n_hosts = 2; c->n_hosts < 2 * c->n_pools;)
        c->n_hosts *= 2;
    c->hosts = calloc(c->n_hosts, sizeof(*c->hosts));
    if (!c->hosts)
        return LAMP_ENOMEM;
    for (size_t i = 0; i < c->n_pools; i++) {
        uint32_t *place = &c->hosts[host_place(c, lamp_bytes_of(c->pools[i].fqdn))];
        if (!*place)
            *place = (uint32_t)i + 1;
    }
    return LAMP_OK;
}

int lamp_catalogue_load(const char *folder, lamp_catalogue **out, char *why, size_t size)
{
    int err = LAMP_ENOMEM;
    lamp_catalogue *c = calloc(1, sizeof(*c));
    if (c) {
        c->coins = calloc(MAX_COINS, sizeof(*c->coins));
        c->patterns = calloc(MAX_COINS, sizeof(*c->patterns));
        c->algorithms = calloc(MAX_ALGORITHMS, sizeof(*c->algorithms));
        c->pools = calloc(MAX_POOLS, sizeof(*c->pools));
    }
    if (!c || !c->coins || !c->patterns || !c->algorithms || !c->pools) {
        snprintf(why, size, "%s", lamp_strerror(err));
        goto fail;
    }
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        if ((err = lamp_csv_load(folder, &tables[i], c, &c->text[i], why, size)))
            goto fail;
    qsort(c->pools, c->n_pools, sizeof(*c->pools), by_host_and_port);
    err = index_hosts(c);
    if (err) {
        snprintf(why, size, "%s", lamp_strerror(err));
        goto fail;
    }
    *out = c;
    return LAMP_OK;
fail:
    lamp_catalogue_free(c);
    return err;
}

lamp_catalogue *lamp_catalogue_free(lamp_catalogue *c)
{
    if (!c)
        return NULL;
    for (size_t i = 0; i < c->n_patterns; i++)
        regfree(&c->patterns[i]);
    for (size_t i = 0; i < ARRAY_LEN(c->text); i++)
        free(c->text[i]);
    free(c->coins);
    free(c->patterns);
    free(c->algorithms);
    free(c->pools);
    free(c->hosts);
    free(c);
    return NULL;
}

/* ---- look-ups ---- */

const struct lamp_coin *lamp_catalogue_coin(const lamp_catalogue *c, const char *symbol)
{
    for (size_t i = 0; i < c->n_coins; i++)
        if (strcasecmp(c->coins[i].is.symbol, symbol) == 0)
            return &c->coins[i].is;
    return NULL;
}

static bool in_aliases(const char *aliases, const char *name)
{
    const size_t len = strlen(name);
    while (*aliases) {
        const size_t n = strcspn(aliases, "|");
        if (n == len && strncasecmp(aliases, name, n) == 0)
            return true;
        aliases += n + (aliases[n] == '|');
    }
    return false;
}

const struct lamp_algorithm *lamp_catalogue_algorithm(const lamp_catalogue *c, const char *name)
{
    for (size_t i = 0; i < c->n_algorithms; i++)
        if (strcasecmp(c->algorithms[i].is.name, name) == 0)
            return &c->algorithms[i].is;
    for (size_t i = 0; i < c->n_algorithms; i++)
        if (in_aliases(c->algorithms[i].aliases, name))
            return &c->algorithms[i].is;
    return NULL;
}

const struct lamp_pool *lamp_catalogue_pools(const lamp_catalogue *c, size_t *out_n)
{
    *out_n = c->n_pools;
    return c->pools;
}

bool lamp_catalogue_is_pool_port(const lamp_catalogue *c, uint16_t port)
{
    return c->ports[port / 64] >> port % 64 & 1;
}

const struct lamp_pool *lamp_catalogue_pool(const lamp_catalogue *c, struct lamp_bytes fqdn,
                                            uint16_t port)
{
    char host[MAX_HOST];
    if (fqdn.len == 0 || fqdn.len >= sizeof(host) || memchr(fqdn.data, '\0', fqdn.len))
        return NULL;
    memcpy(host, fqdn.data, fqdn.len);
    host[fqdn.len] = '\0';
    const uint16_t ports[] = { port, 0 };
    for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
        const struct lamp_pool key = { .fqdn = host, .port = ports[i] };
        const struct lamp_pool *found =
            bsearch(&key, c->pools, c->n_pools, sizeof(key), by_host_and_port);
        if (found)
            return found;
    }
    return NULL;
}

const struct lamp_pool *lamp_catalogue_pool_at_port(const lamp_catalogue *c, const char *pool,
                                                    uint16_t port, bool legacy)
{
    const struct lamp_pool *other = NULL;
    for (size_t i = 0; i < c->n_pools; i++) {
        const struct lamp_pool *p = &c->pools[i];
        if (p->port != port || strcasecmp(p->pool, pool) != 0)
            continue;
        if (p->legacy == legacy)
            return p;
        other = p;
    }
    return other;
}

const struct lamp_pool *lamp_catalogue_host(const lamp_catalogue *c, struct lamp_bytes fqdn)
{
    if (fqdn.len == 0 || fqdn.len >= MAX_HOST || memchr(fqdn.data, '\0', fqdn.len))
        return NULL;
    const uint32_t row = c->hosts[host_place(c, fqdn)];
    return row ? &c->pools[row - 1] : NULL;
}

/* Whether a miner of that family may be paid in coins of the catalogue's protocol. The protocols
 * that log in by a method of their own never speak mining.*, which NULL stands for. */
static bool may_pay(const char *protocol, const char *family)
{
    static const char *const own_login[] = { "cryptonote", "grin-stratum", "beam-stratum",
                                             "epic-stratum" };
    if (family)
        return streq(protocol, family);
    for (size_t i = 0; i < ARRAY_LEN(own_login); i++)
        if (streq(protocol, own_login[i]))
            return false;
    return true;
}

/* The next coin after *at of the family whose address form fits; NULL: none left. */
static const struct coin *next_match(const lamp_catalogue *c, const char *wallet,
                                     const char *family, size_t *at)
{
    while (*at < c->n_coins) {
        const struct coin *coin = &c->coins[(*at)++];
        if (coin->address && may_pay(coin->is.protocol, family) &&
            regexec(coin->address, wallet, 0, NULL, 0) == 0)
            return coin;
    }
    return NULL;
}

static bool wallet_text(struct lamp_bytes wallet, char text[MAX_WALLET])
{
    if (wallet.len == 0 || wallet.len >= MAX_WALLET || memchr(wallet.data, '\0', wallet.len))
        return false;
    memcpy(text, wallet.data, wallet.len);
    text[wallet.len] = '\0';
    return true;
}

/* Finds out which of several coins is by far the most mined. */
struct contest {
    const struct coin *best;
    int64_t most, second; /* spread of the best and of the runner-up */
    unsigned n;
};

static void enter(struct contest *q, const struct coin *coin, int64_t spread)
{
    q->n++;
    if (!q->best || spread > q->most) {
        q->second = q->most;
        q->most = spread;
        q->best = coin;
    } else if (spread > q->second) {
        q->second = spread;
    }
}

static const struct lamp_coin *winner(const struct contest *q)
{
    const bool clear =
        q->n == 1 || (q->n > 1 && q->best->spread > 0 && q->best->spread >= DOMINANCE * q->second);
    return clear ? &q->best->is : NULL;
}

struct lamp_wallet_match lamp_catalogue_wallet(const lamp_catalogue *c, struct lamp_bytes wallet,
                                               const char *family, const char *algorithm)
{
    char text[MAX_WALLET];
    struct contest all = { 0 }, fitting = { 0 };
    const struct lamp_algorithm *common = NULL;
    bool differ = false;
    const struct coin *coin;
    size_t at = 0;
    if (!wallet_text(wallet, text))
        return (struct lamp_wallet_match){ 0 };
    while ((coin = next_match(c, text, family, &at))) {
        enter(&all, coin, coin->spread);
        if (algorithm && streq(coin->is.algorithm, algorithm))
            enter(&fitting, coin, coin->spread);
        const struct lamp_algorithm *its = lamp_catalogue_algorithm(c, coin->is.algorithm);
        differ |= !its || (common && its != common);
        common = its;
    }
    const struct contest *q = fitting.n ? &fitting : &all;
    return (struct lamp_wallet_match){ winner(q), q->n, differ ? NULL : common };
}

const struct lamp_coin *lamp_catalogue_coin_of_algorithm(const lamp_catalogue *c,
                                                         const char *algorithm, const char *family,
                                                         bool *out_only)
{
    struct contest q = { 0 };
    for (size_t i = 0; i < c->n_coins; i++) {
        const struct coin *coin = &c->coins[i];
        if (streq(coin->is.algorithm, algorithm) && may_pay(coin->is.protocol, family))
            enter(&q, coin, coin->domains);
    }
    *out_only = q.n == 1;
    return q.best && q.best->spread > 0 ? winner(&q) : NULL;
}
