/* SPDX-License-Identifier: Apache-2.0 */
#include "common/catalogue.h"

#include "common/io.h"
#include "common/text.h"

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <strings.h>

enum {
    MAX_COLUMNS = 32,
    MAX_COINS = 1024,
    MAX_ALGORITHMS = 1024,
    MAX_POOLS = 16384,
    MAX_FILE = 16 << 20,
    MAX_WALLET = 160, /* longest address form is Monero's integrated one: 106 */
    DOMINANCE = 3,    /* how many times the pools of any other coin make it "the" coin */
};

struct coin {
    struct lamp_coin is;
    regex_t address;
    bool has_address;
    int64_t spread; /* pool domains known for it if it is mined today, else 0 */
};

struct algorithm {
    struct lamp_algorithm is;
    const char *aliases; /* "bitcoin|sha-256" */
};

struct lamp_catalogue {
    char *text[3]; /* the files; every string above points into them */
    struct coin *coins;
    struct algorithm *algorithms;
    struct lamp_pool *pools; /* by host name, then port */
    size_t n_coins, n_algorithms, n_pools;
    uint64_t ports[65536 / 64]; /* a bit for each port of a pool */
};

/* ---- CSV (RFC 4180, with LF or CRLF, quotes only around whole fields) ---- */

struct csv {
    const char *path;
    char *p;       /* rest of the file; fields are terminated in place */
    unsigned line; /* of the row read last */
    unsigned next_line;
    char *fields[MAX_COLUMNS];
    size_t n_fields;
    char *why;
    size_t why_size;
};

static int csv_fail(const struct csv *c, const char *what)
{
    snprintf(c->why, c->why_size, "%s:%u: %s", c->path, c->line, what);
    return LAMP_EFORMAT;
}

/* Ends the field at *end (a comma, line end or the NUL) and moves past it; false: end of row. */
static bool csv_end_field(struct csv *c, char *end, char *terminator)
{
    const bool more = *end == ',';
    if (*end == '\r' && end[1] == '\n')
        end++;
    if (*end == '\n')
        c->next_line++;
    c->p = *end ? end + 1 : end;
    *terminator = '\0';
    return more;
}

static int csv_quoted(struct csv *c, bool *out_more)
{
    char *in = c->p + 1, *out = in;
    c->fields[c->n_fields++] = out;
    for (;; in++) {
        if (*in == '\0')
            return csv_fail(c, "quote is never closed");
        if (*in == '"' && *++in != '"')
            break;
        if (*in == '\n')
            c->next_line++;
        *out++ = *in;
    }
    if (*in && *in != ',' && *in != '\n' && !(*in == '\r' && in[1] == '\n'))
        return csv_fail(c, "text after a closing quote");
    *out_more = csv_end_field(c, in, out);
    return LAMP_OK;
}

static int csv_plain(struct csv *c, bool *out_more)
{
    char *end = c->p + strcspn(c->p, ",\"\r\n");
    if (*end == '"')
        return csv_fail(c, "quote inside an unquoted field");
    if (*end == '\r' && end[1] != '\n')
        return csv_fail(c, "carriage return without line feed");
    c->fields[c->n_fields++] = c->p;
    *out_more = csv_end_field(c, end, end);
    return LAMP_OK;
}

/* Reads the next row into c->fields. LAMP_ECLOSED: end of file. LAMP_EFORMAT (why is set). */
static int csv_row(struct csv *c)
{
    if (*c->p == '\0')
        return LAMP_ECLOSED;
    c->line = c->next_line;
    c->n_fields = 0;
    for (bool more = true; more;) {
        if (c->n_fields == MAX_COLUMNS)
            return csv_fail(c, "too many columns");
        const int err = *c->p == '"' ? csv_quoted(c, &more) : csv_plain(c, &more);
        if (err)
            return err;
    }
    return LAMP_OK;
}

/* ---- loading ---- */

/* One kind of file: its name, the columns used, and what becomes of a row. */
struct table {
    const char *file;
    const char *columns[8]; /* NULL-terminated */
    size_t limit;
    int (*add)(lamp_catalogue *c, char *const *v, const struct csv *at);
};

static const char *or_null(const char *s)
{
    return *s ? s : NULL;
}

static int add_coin(lamp_catalogue *c, char *const *v, const struct csv *at)
{
    if (!*v[0] || !*v[2])
        return csv_fail(at, "a coin needs a symbol and an algorithm");
    struct coin *coin = &c->coins[c->n_coins];
    coin->is = (struct lamp_coin){ v[0], v[1], v[2], v[3] };
    if (*v[6] && lamp_text_int(v[6], 0, INT32_MAX, &coin->spread))
        return csv_fail(at, "n_pool_domains is not a number");
    if (!streq(v[5], "active"))
        coin->spread = 0;
    if (*v[4]) {
        const int err = regcomp(&coin->address, v[4], REG_EXTENDED | REG_NOSUB);
        if (err) {
            char text[80], what[128];
            regerror(err, &coin->address, text, sizeof(text));
            snprintf(what, sizeof(what), "address_regex: %s", text);
            return csv_fail(at, what);
        }
        coin->has_address = true;
    }
    c->n_coins++;
    return LAMP_OK;
}

static int add_algorithm(lamp_catalogue *c, char *const *v, const struct csv *at)
{
    if (!*v[0])
        return csv_fail(at, "an algorithm needs a name");
    struct algorithm *a = &c->algorithms[c->n_algorithms];
    a->is.name = v[0];
    a->aliases = v[1];
    a->is.unit = *v[2] ? v[2] : "H/s";
    if (*v[3] && lamp_text_double(v[3], 0, 1e30, &a->is.hashes_per_diff1))
        return csv_fail(at, "hashes_per_diff1 is not a number");
    c->n_algorithms++;
    return LAMP_OK;
}

static int add_pool(lamp_catalogue *c, char *const *v, const struct csv *at)
{
    if (!*v[1])
        return LAMP_OK; /* a pool known by name alone cannot be looked up */
    int64_t port = 0;
    if (*v[2] && lamp_text_int(v[2], 0, 65535, &port))
        return csv_fail(at, "port is not a number up to 65535");
    c->pools[c->n_pools++] =
        (struct lamp_pool){ v[0], v[1], (uint16_t)port, or_null(v[3]), or_null(v[4]) };
    if (port != 0)
        c->ports[port / 64] |= (uint64_t)1 << port % 64;
    return LAMP_OK;
}

static const struct table tables[] = {
    { "coins.csv",
      { "symbol", "name", "algorithm", "protocol", "address_regex", "status", "n_pool_domains" },
      MAX_COINS,
      add_coin },
    { "algorithms.csv",
      { "name", "aliases", "unit", "hashes_per_diff1" },
      MAX_ALGORITHMS,
      add_algorithm },
    { "pools.csv", { "pool", "fqdn", "port", "coin", "algorithm" }, MAX_POOLS, add_pool },
};

static int find_columns(const struct csv *c, const struct table *t, size_t *index)
{
    for (size_t i = 0; t->columns[i]; i++) {
        for (index[i] = 0; index[i] < c->n_fields; index[i]++)
            if (streq(c->fields[index[i]], t->columns[i]))
                break;
        if (index[i] == c->n_fields) {
            char what[64];
            snprintf(what, sizeof(what), "no column named %s", t->columns[i]);
            return csv_fail(c, what);
        }
    }
    return LAMP_OK;
}

static int read_rows(lamp_catalogue *c, const struct table *t, struct csv *csv)
{
    size_t index[ARRAY_LEN(t->columns)] = { 0 };
    int err = csv_row(csv);
    if (err)
        return err == LAMP_ECLOSED ? csv_fail(csv, "the file is empty") : err;
    const size_t width = csv->n_fields;
    if ((err = find_columns(csv, t, index)))
        return err;

    for (size_t rows = 0; (err = csv_row(csv)) == LAMP_OK; rows++) {
        if (csv->n_fields != width)
            return csv_fail(csv, "number of columns differs from the first line's");
        if (rows == t->limit) {
            (void)csv_fail(csv, "too many rows");
            return LAMP_EFULL;
        }
        char *v[ARRAY_LEN(t->columns)] = { NULL };
        for (size_t i = 0; t->columns[i]; i++)
            v[i] = csv->fields[index[i]];
        if ((err = t->add(c, v, csv)))
            return err;
    }
    return err == LAMP_ECLOSED ? LAMP_OK : err;
}

static int load_table(lamp_catalogue *c, const struct table *t, char **text, const char *folder,
                      char *why, size_t size)
{
    char path[4096];
    if (snprintf(path, sizeof(path), "%s/%s", folder, t->file) >= (int)sizeof(path)) {
        snprintf(why, size, "the folder's path is too long");
        return LAMP_EINVAL;
    }
    size_t len;
    const int err = lamp_io_read_file(path, MAX_FILE, text, &len);
    if (err) {
        snprintf(why, size, "%s: %s", path, lamp_strerror(err));
        return err == -ENOENT ? LAMP_ENOENT : err;
    }
    struct csv csv = {
        .path = path, .p = *text, .line = 1, .next_line = 1, .why = why, .why_size = size
    };
    if (strlen(*text) != len)
        return csv_fail(&csv, "a NUL byte in the text");
    return read_rows(c, t, &csv);
}

static int by_host_and_port(const void *a, const void *b)
{
    const struct lamp_pool *x = a, *y = b;
    const int order = strcasecmp(x->fqdn, y->fqdn);
    return order ? order : (x->port > y->port) - (x->port < y->port);
}

int lamp_catalogue_load(const char *folder, lamp_catalogue **out, char *why, size_t size)
{
    int err = LAMP_ENOMEM;
    lamp_catalogue *c = calloc(1, sizeof(*c));
    if (c) {
        c->coins = calloc(MAX_COINS, sizeof(*c->coins));
        c->algorithms = calloc(MAX_ALGORITHMS, sizeof(*c->algorithms));
        c->pools = calloc(MAX_POOLS, sizeof(*c->pools));
    }
    if (!c || !c->coins || !c->algorithms || !c->pools) {
        snprintf(why, size, "%s", lamp_strerror(err));
        goto fail;
    }
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        if ((err = load_table(c, &tables[i], &c->text[i], folder, why, size)))
            goto fail;
    qsort(c->pools, c->n_pools, sizeof(*c->pools), by_host_and_port);
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
    for (size_t i = 0; i < c->n_coins; i++)
        if (c->coins[i].has_address)
            regfree(&c->coins[i].address);
    for (size_t i = 0; i < ARRAY_LEN(c->text); i++)
        free(c->text[i]);
    free(c->coins);
    free(c->algorithms);
    free(c->pools);
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

bool lamp_catalogue_is_pool_port(const lamp_catalogue *c, uint16_t port)
{
    return c->ports[port / 64] >> port % 64 & 1;
}

const struct lamp_pool *lamp_catalogue_pool(const lamp_catalogue *c, struct lamp_bytes fqdn,
                                            uint16_t port)
{
    char host[256];
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
        if (coin->has_address && may_pay(coin->is.protocol, family) &&
            regexec(&coin->address, wallet, 0, NULL, 0) == 0)
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

const struct lamp_coin *lamp_catalogue_coin_of_wallet(const lamp_catalogue *c,
                                                      struct lamp_bytes wallet, const char *family,
                                                      unsigned *out_candidates)
{
    char text[MAX_WALLET];
    const struct coin *best = NULL, *coin;
    int64_t second = 0; /* spread of the runner-up */
    unsigned n = 0;
    size_t at = 0;
    while (wallet_text(wallet, text) && (coin = next_match(c, text, family, &at))) {
        n++;
        if (!best || coin->spread > best->spread) {
            second = best ? best->spread : 0;
            best = coin;
        } else if (coin->spread > second) {
            second = coin->spread;
        }
    }
    if (out_candidates)
        *out_candidates = n;
    return best && (n == 1 || (best->spread > 0 && best->spread >= DOMINANCE * second)) ? &best->is
                                                                                        : NULL;
}

const struct lamp_algorithm *lamp_catalogue_algorithm_of_wallet(const lamp_catalogue *c,
                                                                struct lamp_bytes wallet,
                                                                const char *family)
{
    char text[MAX_WALLET];
    const struct lamp_algorithm *common = NULL;
    const struct coin *coin;
    size_t at = 0;
    if (!wallet_text(wallet, text))
        return NULL;
    while ((coin = next_match(c, text, family, &at))) {
        const struct lamp_algorithm *a = lamp_catalogue_algorithm(c, coin->is.algorithm);
        if (!a || (common && a != common))
            return NULL;
        common = a;
    }
    return common;
}
