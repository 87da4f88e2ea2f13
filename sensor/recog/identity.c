/* SPDX-License-Identifier: Apache-2.0 */
/* identity: who a session says it is, and which coin, algorithm, pool and platform follow from that. A
 * part of session (session.h). */
#include "common/address.h"
#include "common/text.h"
#include "sensor/recog/recog.h"

#include <stdio.h>
#include <strings.h>

/* Wallets are matched against the catalogue so often a connection, some 0.1 ms each: a hostile miner
 * could name a new one in every line. */
enum { WALLET_LOOKS = 6 };

/* Monero left CryptoNight on 2018-04-06; the old coin went on as XMO at MinerGate's old port. */
#define CRYPTONIGHT_END_US (UINT64_C(1522972800) * 1000000)

/* Ethereum's last block of proof of work, 2022-09-15 06:42:42 UTC. */
#define MERGE_US (UINT64_C(1663224162) * 1000000)

/* Puts the name at the end of the list; the oldest makes room. Returns whether it is new. */
static bool remember(struct lamp_conn_names *names, struct lamp_bytes name)
{
    lamp_conn_text text;
    lamp_text_utf8(name.data, name.len, text, sizeof(text));
    if (!*text)
        return false;
    size_t i = 0;
    while (i < names->n && !streq(names->v[i], text))
        i++;
    const bool is_new = i == names->n;
    if (is_new && names->n < LAMP_CONN_NAMES)
        names->n++;
    else if (is_new)
        i = 0;
    const size_t last = names->n - 1u;
    if (i < last)
        memmove(names->v[i], names->v[i + 1], (last - i) * sizeof(names->v[0]));
    memcpy(names->v[last], text, sizeof(text));
    return is_new;
}

/* ---- the coin ---- */

/* Where each source of a coin is found, and how far it is to be believed. */
static const struct {
    const char *field, *strength;
} coin_sources[] = {
    [LAMP_COIN_UNKNOWN] = { NULL, NULL },
    [LAMP_COIN_BY_CUSTOM] = { "jobs", "weak" },
    [LAMP_COIN_BY_LIKENESS] = { "user name", "weak" },
    [LAMP_COIN_BY_POOL] = { "name of the server", "fair" },
    [LAMP_COIN_BY_PORT] = { "name and port of the server", "fair" },
    [LAMP_COIN_BY_ALGORITHM] = { "jobs", "strong" },
    [LAMP_COIN_BY_FORM] = { "user name", "strong" },
    [LAMP_COIN_BY_PASSWORD] = { "password", "strong" },
    [LAMP_COIN_BY_ADDRESS] = { "user name", "certain" },
};

void lamp_session_coin(struct lamp_session *s, const struct lamp_coin *coin,
                       enum lamp_coin_source by, const char *why)
{
    if (!coin || by < s->coin_by || (by == s->coin_by && coin == s->coin))
        return;
    s->coin = coin;
    s->coin_by = by;
    const struct lamp_reason reason = { .kind = "coin",
                                        .field = coin_sources[by].field,
                                        .strength = coin_sources[by].strength,
                                        .refute = "a pool that pays in another coin than it mines",
                                        .t_us = s->now_us,
                                        .dir = LAMP_UP };
    lamp_reason_add(&s->conn, &reason, true, "coin %s: %s", coin->symbol, why);
}

/* The coin by the wallet's address. A wrong checksum does not rule it out: miners are configured with
 * placeholders, and a cut or mistyped address still tells the coin by its form. */
static void identify_wallet(struct lamp_session *s)
{
    const char *wallet = lamp_conn_current(&s->conn.wallets);
    if (!s->catalogue || !*wallet || s->wallet_looks >= WALLET_LOOKS)
        return;
    s->wallet_looks++;
    const struct lamp_address a = lamp_address_check(lamp_bytes_of(wallet));
    const struct lamp_bytes text = lamp_bytes_of(a.check == LAMP_ADDRESS_RIGHT ? a.text : wallet);
    const struct lamp_wallet_match fits =
        lamp_catalogue_wallet(s->catalogue, text, s->wallet_family, s->algorithm_hint);
    s->wallet_algorithm = fits.algorithm;
    char check[48], why[LAMP_CONN_DETAIL];
    snprintf(why, sizeof(why), "form of the wallet address, %s%s",
             lamp_address_check_text(&a, check, sizeof(check)),
             fits.n > 1 ? "; the most mined of several coins with this form" : "");
    const bool right = a.check == LAMP_ADDRESS_RIGHT;
    lamp_session_coin(s, fits.coin,
                      fits.n > 1 ? LAMP_COIN_BY_LIKENESS
                      : right    ? LAMP_COIN_BY_ADDRESS
                                 : LAMP_COIN_BY_FORM,
                      why);
    /* All coins of the family share Ethereum's address form; while it was mined, it had nearly all
     * of the hash rate. */
    if (s->wallet_family && streq(s->wallet_family, "eth-proxy") && s->conn.first_us < MERGE_US)
        lamp_session_coin(s, lamp_catalogue_coin(s->catalogue, "ETH"), LAMP_COIN_BY_LIKENESS,
                          "what most such addresses were mining for until September 2022");
}

void lamp_session_family(struct lamp_session *s, const char *wallet_family, const char *algorithm,
                         const char *coin)
{
    s->wallet_family = wallet_family;
    s->algorithm_default = algorithm;
    s->algorithm_looked_up = NULL;
    s->wallet_algorithm = NULL;
    if (s->coin_by == LAMP_COIN_BY_CUSTOM || s->coin_by == LAMP_COIN_BY_LIKENESS ||
        s->coin_by == LAMP_COIN_BY_FORM) { /* as it looked to the family before */
        s->coin = NULL;
        s->coin_by = LAMP_COIN_UNKNOWN;
    }
    if (s->catalogue && coin)
        lamp_session_coin(s, lamp_catalogue_coin(s->catalogue, coin), LAMP_COIN_BY_ALGORITHM,
                          "the only one mined by this protocol");
    identify_wallet(s);
}

/* Once the algorithm is said: where the address fits several coins, or none is known, it decides. */
static void identify_by_algorithm(struct lamp_session *s)
{
    if (!s->catalogue || !s->algorithm_hint || s->algorithm_looked_up == s->algorithm_hint)
        return;
    s->algorithm_looked_up = s->algorithm_hint;
    bool only;
    const struct lamp_coin *coin =
        lamp_catalogue_coin_of_algorithm(s->catalogue, s->algorithm_hint, s->wallet_family, &only);
    lamp_session_coin(s, coin, only ? LAMP_COIN_BY_ALGORITHM : LAMP_COIN_BY_CUSTOM,
                      only ? "the only one mined with the algorithm of the jobs"
                           : "the most mined one with the algorithm of the jobs");
    if (streq(s->algorithm_hint, "cryptonight") && s->conn.first_us < CRYPTONIGHT_END_US)
        lamp_session_coin(s, lamp_catalogue_coin(s->catalogue, "XMR"), LAMP_COIN_BY_CUSTOM,
                          "what most CryptoNight was mined for until April 2018");
    if (s->coin_by <= LAMP_COIN_BY_FORM)
        identify_wallet(s);
}

/* ---- names ---- */

/* How long the wallet part is. A prefix such as "kaspa:" belongs to it; separators are
 * '.', '/' and '+', by the customs of pools. An e-mail address is an account as a whole. */
static size_t wallet_length(struct lamp_bytes user)
{
    if (user.len && memchr(user.data, '@', user.len) && !memchr(user.data, '/', user.len) &&
        !memchr(user.data, '+', user.len))
        return user.len;
    size_t n = 0;
    while (n < user.len && user.data[n] != '.' && user.data[n] != '/' && user.data[n] != '+')
        n++;
    return n;
}

void lamp_session_user(struct lamp_session *s, const struct lamp_jsonvalue *user)
{
    uint8_t buf[2 * LAMP_CONN_TEXT];
    const struct lamp_bytes text = lamp_jsonline_string(user);
    const uint64_t said = lamp_session_hash(text);
    if (said == s->user_said)
        return;
    s->user_said = said;
    lamp_session_account(
        s, (struct lamp_bytes){ buf, lamp_jsonline_unescape(text, buf, sizeof(buf)) });
}

void lamp_session_account(struct lamp_session *s, struct lamp_bytes user)
{
    const size_t n = wallet_length(user);
    if (remember(&s->conn.wallets, (struct lamp_bytes){ user.data, n })) {
        s->new_wallets++;
        identify_wallet(s);
    }
    if (n + 1 < user.len)
        (void)remember(&s->conn.workers,
                       (struct lamp_bytes){ user.data + n + 1, user.len - n - 1 });
}

void lamp_session_worker(struct lamp_session *s, const struct lamp_jsonvalue *worker)
{
    uint8_t buf[LAMP_CONN_TEXT];
    const size_t n = lamp_jsonline_unescape(lamp_jsonline_string(worker), buf, sizeof(buf));
    (void)remember(&s->conn.workers, (struct lamp_bytes){ buf, n });
    s->user_said = 0; /* the user's own worker, said again, is the newest again */
}

void lamp_session_agent(struct lamp_session *s, const struct lamp_jsonvalue *agent)
{
    uint8_t buf[LAMP_CONN_TEXT];
    const size_t n = lamp_jsonline_unescape(lamp_jsonline_string(agent), buf, sizeof(buf));
    if (n)
        lamp_text_utf8(buf, n, s->conn.agent, sizeof(s->conn.agent));
}

void lamp_session_host(struct lamp_session *s, const struct lamp_jsonvalue *host)
{
    struct lamp_bytes name = lamp_jsonline_string(host);
    for (size_t i = 0; i + 3 <= name.len; i++)
        if (memcmp(name.data + i, "://", 3) == 0) {
            name.data += i + 3;
            name.len -= i + 3;
            break;
        }
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] == ':' || name.data[i] == '/')
            name.len = i;
    if (name.len && !*s->conn.server_name && memchr(name.data, '.', name.len))
        lamp_text_utf8(name.data, name.len, s->conn.server_name, sizeof(s->conn.server_name));
}

/* The value of `key=` in a list with commas; empty: it is not there. */
static struct lamp_bytes value_in(struct lamp_bytes list, const char *key)
{
    const size_t n = strlen(key);
    for (size_t i = 0; i + n <= list.len; i++) {
        if ((i > 0 && list.data[i - 1] != ',') || memcmp(list.data + i, key, n) != 0)
            continue;
        const uint8_t *value = list.data + i + n;
        const size_t left = list.len - i - n;
        const uint8_t *end = left ? memchr(value, ',', left) : NULL;
        return (struct lamp_bytes){ value, end ? (size_t)(end - value) : left };
    }
    return (struct lamp_bytes){ NULL, 0 };
}

void lamp_session_password(struct lamp_session *s, const struct lamp_jsonvalue *password)
{
    const struct lamp_bytes p = lamp_jsonline_string(password);
    const struct lamp_bytes mined = value_in(p, "mc="), d = value_in(p, "d=");
    char symbol[12];
    if (mined.len && mined.len < sizeof(symbol) && s->catalogue) {
        memcpy(symbol, mined.data, mined.len);
        symbol[mined.len] = '\0';
        lamp_session_coin(s, lamp_catalogue_coin(s->catalogue, symbol), LAMP_COIN_BY_PASSWORD,
                          "named in the password (mc=)");
    }
    const struct lamp_jsonvalue difficulty = { .text = d, .type = LAMP_JSON_STRING };
    struct lamp_weight w = { 0 };
    if (d.len && s->current.difficulty == 0 && s->current.hashes == 0 &&
        lamp_jsonline_number(&difficulty, &w.difficulty))
        lamp_session_weight(s, w);
}

void lamp_session_algorithm(struct lamp_session *s, struct lamp_bytes name)
{
    char text[40];
    if (!s->catalogue || name.len == 0 || name.len >= sizeof(text))
        return;
    const uint64_t said = lamp_session_hash(name);
    if (said != s->algorithm_said) {
        memcpy(text, name.data, name.len);
        text[name.len] = '\0';
        s->algorithm_said = said;
        s->algorithm_found = lamp_catalogue_algorithm(s->catalogue, text);
    }
    if (s->algorithm_found)
        s->algorithm_hint = s->algorithm_found->name;
}

/* ---- pool and platform ---- */

/* Services that pay in a coin of the user's choice, or sell hash rate: by host name, by the name
 * that their own software gives itself. */
static const struct {
    const char *name, *domain, *agent;
} platforms[] = {
    { "minergate", "minergate.com", "minergate" },
    { "nicehash", "nicehash.com", "nicehash" },
    { "unmineable", "unmineable.com", NULL },
    { "prohashing", "prohashing.com", NULL },
    { "miningpoolhub", "miningpoolhub.com", NULL },
    { "moneroocean", "moneroocean.stream", NULL },
    { "zpool", "zpool.ca", NULL },
    { "zergpool", "zergpool.com", NULL },
    { "mining-dutch", "mining-dutch.nl", NULL },
    { "kryptex", "kryptex.network", NULL },
    { "cudo", "cudopool.com", NULL },
    { "miningrigrentals", "miningrigrentals.com", NULL },
};

/* Whether host is the domain or ends with a dot and it. */
static bool is_below(const char *host, const char *domain)
{
    const size_t n = strlen(host), len = strlen(domain);
    return n >= len && strcasecmp(host + n - len, domain) == 0 &&
           (n == len || host[n - len - 1] == '.');
}

static void set_platform(struct lamp_session *s, const char *name, const char *field,
                         const char *strength, const char *why)
{
    const struct lamp_reason reason = { .kind = "platform",
                                        .field = field,
                                        .strength = strength,
                                        .refute = "another service behind the same name or port",
                                        .t_us = s->now_us,
                                        .dir = LAMP_UP };
    s->conn.platform = name;
    lamp_reason_add(&s->conn, &reason, true, "platform %s: %s", name, why);
}

static void look_up_platform(struct lamp_session *s, const char *host)
{
    const char *agent = s->conn.agent;
    for (size_t i = 0; i < ARRAY_LEN(platforms) && !s->conn.platform; i++) {
        if (*host && is_below(host, platforms[i].domain))
            set_platform(s, platforms[i].name, "name of the server", "strong",
                         "name of the server");
        else if (platforms[i].agent &&
                 strncasecmp(agent, platforms[i].agent, strlen(platforms[i].agent)) == 0)
            set_platform(s, platforms[i].name, "agent", "fair", "its own software");
    }
}

/* MinerGate has one port for each currency or merged pair and e-mail addresses for accounts, which tells
 * it apart even where the server's name is not known. */
static void look_up_minergate(struct lamp_session *s)
{
    struct lamp_conn *c = &s->conn;
    const bool known = c->platform && streq(c->platform, "minergate");
    const bool mail = strchr(lamp_conn_current(&c->wallets), '@') != NULL;
    if (!known && (c->platform || !mail || c->server_port < 45550 || c->server_port > 45800))
        return;
    const struct lamp_pool *row = lamp_catalogue_pool_at_port(
        s->catalogue, "MinerGate", c->server_port, c->first_us < CRYPTONIGHT_END_US);
    if (!row)
        return;
    if (!known)
        set_platform(s, "minergate", "port of the server, user name", "fair",
                     "its port, and an e-mail address as account");
    c->pool = row->pool;
    if (!s->pool)
        s->pool = row;
    lamp_session_coin(s, row->coin ? lamp_catalogue_coin(s->catalogue, row->coin) : NULL,
                      LAMP_COIN_BY_PORT, "MinerGate's port for it");
}

static void look_up_pool(struct lamp_session *s, const char *host, uint16_t port)
{
    struct lamp_conn *c = &s->conn;
    s->pool = lamp_catalogue_pool(s->catalogue, lamp_bytes_of(host), port);
    if (!s->pool)
        return;
    c->pool = s->pool->pool;
    char why[LAMP_CONN_DETAIL];
    snprintf(why, sizeof(why), "%s lists it at %.60s%s", s->pool->pool, s->pool->fqdn,
             s->pool->port ? ", this port" : "");
    if (s->pool->coin)
        lamp_session_coin(s, lamp_catalogue_coin(s->catalogue, s->pool->coin),
                          s->pool->port ? LAMP_COIN_BY_PORT : LAMP_COIN_BY_POOL, why);
}

/* What endpoint this is: looked up again only when a name comes to be known. */
static void look_up_endpoint(struct lamp_session *s)
{
    struct lamp_conn *c = &s->conn;
    const char *host = *c->server_name ? c->server_name : c->sni;
    uint16_t port = c->server_port;
    if (c->tunnel.kind && !streq(c->tunnel.kind, "proxy-protocol")) {
        host = c->tunnel.host; /* the server is but a proxy */
        port = c->tunnel.port;
    }
    const uint8_t known =
        (uint8_t)(1 | (*host ? 2 : 0) | (*c->agent ? 4 : 0) | (c->wallets.n ? 8 : 0));
    if (!s->catalogue || s->endpoint_known == known)
        return;
    s->endpoint_known = known;
    look_up_platform(s, host);
    if (*host && !s->pool)
        look_up_pool(s, host, port);
    look_up_minergate(s);
}

/* ---- all together ---- */

/* By weight: what was said, what the endpoint is listed for, what the wallet can be. */
static const char *algorithm_name(const struct lamp_session *s)
{
    if (s->algorithm_hint)
        return s->algorithm_hint;
    if (s->pool && s->pool->algorithm)
        return s->pool->algorithm;
    if (s->coin)
        return s->coin->algorithm;
    return s->wallet_algorithm ? s->wallet_algorithm->name : s->algorithm_default;
}

static void look_up_algorithm(struct lamp_session *s)
{
    struct lamp_conn *c = &s->conn;
    const char *name = algorithm_name(s);
    if (!name || (c->algorithm && streq(c->algorithm, name)))
        return;
    s->algorithm = s->catalogue ? lamp_catalogue_algorithm(s->catalogue, name) : NULL;
    c->algorithm = s->algorithm ? s->algorithm->name : name;
    c->unit = s->algorithm ? s->algorithm->unit : NULL;
}

void lamp_session_identify(struct lamp_session *s)
{
    look_up_endpoint(s);
    identify_by_algorithm(s);
    s->conn.coin = s->coin ? s->coin->symbol : NULL;
    look_up_algorithm(s);
}
