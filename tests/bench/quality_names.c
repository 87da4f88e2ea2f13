/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/quality_names.h"

#include <ctype.h>
#include <stdio.h>

static const struct {
    const char *truth, *ours;
} families[] = {
    { "stratum-v1", "mining.*" },
    { "cryptonote-stratum", "cryptonote" },
    { "getwork-http", "getwork" },
    { "getblocktemplate-http", "getblocktemplate" },
    { "tls-clienthello-to-stratum-port", "any" },
    { "btc-stratum", "stratum-v1" },
    { "eth-stratum1", "stratum-v1" },
    { "xmr-stratum", "cryptonote" },
    { "xmrig-proxy", "cryptonote" },
    { "ws-xmr-stratum", "cryptonote" },
    { "ethereumstratum-1.0.0", "ethereum-stratum" },
    { "ethereumstratum-2.0.0", "ethereum-stratum" },
    { "zcash-zip301", "zcash" },
    { "ergo-autolykos", "ergo" },
    { "ws-coinhive", "websocket-miner" },
    { "ws-webminer", "websocket-miner" },
};

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), m = strlen(end);
    return n >= m && streq(s + n - m, end);
}

const char *quality_family(const char *truth, enum quality_class *out_class)
{
    static _Thread_local char name[64];
    static const char *const wrappers[] = { "-socks5", "-http-connect" };
    snprintf(name, sizeof(name), "%s", truth);
    for (size_t i = 0; i < ARRAY_LEN(wrappers); i++)
        if (ends_with(name, wrappers[i]))
            name[strlen(name) - strlen(wrappers[i])] = '\0';
    *out_class = QUALITY_PLAIN;
    if (strncmp(name, "wss-", 4) == 0) {
        *out_class = QUALITY_WSS;
        return "any";
    }
    if (ends_with(name, "-tls")) {
        *out_class = QUALITY_TLS;
        return "tls-mining";
    }
    if (streq(name, "sv2-shape-only")) {
        *out_class = QUALITY_TLS;
        return "stratum-v2";
    }
    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        if (streq(name, families[i].truth))
            return families[i].ours;
    return name;
}

bool quality_family_fits(const char *wanted, const char *ours)
{
    static const char *const over_mining[] = {
        "stratum-v1", "ethereum-stratum", "zcash", "kawpow", "kaspa",   "ergo",
        "alephium",   "conflux",          "ckb",   "xelis",  "warthog", "nexa",
        "handshake",  "ironfish",
    };
    if (streq(wanted, "any"))
        return true;
    if (!streq(wanted, "mining.*"))
        return streq(wanted, ours);
    for (size_t i = 0; i < ARRAY_LEN(over_mining); i++)
        if (streq(ours, over_mining[i]))
            return true;
    return false;
}

void quality_coins(const char *truth, char *buf, size_t size)
{
    size_t n = 0, symbol = 0;
    buf[0] = '\0';
    for (const char *p = truth;; p++) {
        if (isupper((unsigned char)*p) || (symbol > 0 && isdigit((unsigned char)*p))) {
            if (n + 2 >= size)
                break;
            buf[n++] = *p;
            symbol++;
            continue;
        }
        const bool ended = symbol >= 2 && (*p == '/' || *p == ' ' || *p == '\0');
        if (!ended) { /* words that are no symbol, as in "bitcoin-like" */
            if (n == 0 || symbol > 0)
                buf[0] = '\0';
            return;
        }
        buf[n++] = '/';
        buf[n] = '\0';
        symbol = 0;
        if (*p != '/')
            return;
    }
}

bool quality_coin_fits(const char *wanted, const char *ours)
{
    const size_t len = strlen(ours);
    for (const char *p = wanted; *p; p += strcspn(p, "/") + 1)
        if (strcspn(p, "/") == len && strncmp(p, ours, len) == 0)
            return true;
    return false;
}
