/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/engine/identity.h"

#include "common/walletname.h"

#include <ctype.h>
#include <strings.h>

struct lamp_watch {
    struct lamp_watch_entry *entries; /* by address, name, port */
    size_t n;
    char *text; /* of all names and origins */
};

static int by_endpoint(const void *a, const void *b)
{
    const struct lamp_watch_entry *x = a, *y = b;
    const int addr = memcmp(x->addr.b, y->addr.b, sizeof(x->addr.b));
    const int name = addr ? addr : strcasecmp(x->name ? x->name : "", y->name ? y->name : "");
    return name ? name : (x->port > y->port) - (x->port < y->port);
}

static size_t text_size(const char *s)
{
    return s ? strlen(s) + 1 : 0;
}

static const char *put_text(char **at, const char *s)
{
    if (!s)
        return NULL;
    char *copy = *at;
    memcpy(copy, s, strlen(s) + 1);
    *at += strlen(s) + 1;
    return copy;
}

int lamp_watch_new(const struct lamp_watch_entry *entries, size_t n, lamp_watch **out)
{
    if (n > LAMP_WATCH_MAX)
        return LAMP_EFULL;
    size_t size = 1;
    for (size_t i = 0; i < n; i++)
        size += text_size(entries[i].name) + text_size(entries[i].origin);
    lamp_watch *w = calloc(1, sizeof(*w));
    if (w) {
        w->entries = calloc(n + 1, sizeof(*w->entries));
        w->text = malloc(size);
    }
    if (!w || !w->entries || !w->text) {
        lamp_watch_free(w);
        return LAMP_ENOMEM;
    }
    char *at = w->text;
    for (size_t i = 0; i < n; i++) {
        w->entries[i] = entries[i];
        w->entries[i].name = put_text(&at, entries[i].name);
        w->entries[i].origin = put_text(&at, entries[i].origin);
    }
    w->n = n;
    qsort(w->entries, n, sizeof(*w->entries), by_endpoint);
    *out = w;
    return LAMP_OK;
}

lamp_watch *lamp_watch_free(lamp_watch *w)
{
    if (w) {
        free(w->entries);
        free(w->text);
        free(w);
    }
    return NULL;
}

static const struct lamp_watch_entry *watched(const lamp_watch *w, const struct lamp_addr *addr,
                                              const char *name, uint16_t port)
{
    struct lamp_watch_entry key = { .name = name, .port = port };
    if (addr)
        key.addr = *addr;
    const struct lamp_watch_entry *e =
        w ? bsearch(&key, w->entries, w->n, sizeof(key), by_endpoint) : NULL;
    if (!e && w) {
        key.port = 0;
        e = bsearch(&key, w->entries, w->n, sizeof(key), by_endpoint);
    }
    return e;
}

static struct lamp_identity of_entry(const struct lamp_watch_entry *e)
{
    if (e->mute)
        return (struct lamp_identity){ { 0, 0 }, NULL, NULL, "muted" };
    return (struct lamp_identity){
        e->fresh ? (e->name ? lamp_mass_name : lamp_mass_fresh) : lamp_mass_stale, e->pool, e->coin,
        e->fresh ? "on the watch list" : "on the watch list, not verified of late"
    };
}

struct lamp_identity lamp_identity_of_address(const lamp_watch *watch, const struct lamp_addr *addr,
                                              uint16_t port)
{
    const struct lamp_watch_entry *e = watched(watch, addr, NULL, port);
    return e ? of_entry(e) : (struct lamp_identity){ 0 };
}

struct lamp_known_wallet lamp_identity_of_wallet(const lamp_watch *watch, const char *wallet)
{
    char name[LAMP_WALLET_NAME];
    const struct lamp_watch_entry *e =
        watch ? watched(watch, NULL, lamp_wallet_name(wallet, name), 0) : NULL;
    if (!e)
        return (struct lamp_known_wallet){ .what = NULL };
    /* As of an address: it was met, its owner did not say so. */
    const bool fresh = e->fresh && !e->mute;
    const struct lamp_identity found = of_entry(e);
    return (struct lamp_known_wallet){ fresh ? lamp_mass_fresh : found.mass, found.what, e->origin,
                                       e->ttl_s };
}

static struct lamp_identity of_pool(const struct lamp_pool *p, struct lamp_mass mass,
                                    const char *what)
{
    return (struct lamp_identity){ mass, p->pool, p->coin, what };
}

/* A host below a listed one: "eu.pool.example" for "pool.example". Two labels at least have to be
 * left, so that no row can stand for a whole top level. */
static const struct lamp_pool *parent(const lamp_catalogue *c, struct lamp_bytes name)
{
    for (;;) {
        const uint8_t *dot = memchr(name.data, '.', name.len);
        if (!dot)
            return NULL;
        name.len -= (size_t)(dot + 1 - name.data);
        name.data = dot + 1;
        if (!memchr(name.data, '.', name.len))
            return NULL;
        const struct lamp_pool *p = lamp_catalogue_host(c, name);
        if (p)
            return p;
    }
}

struct lamp_identity lamp_identity_of_name(const lamp_catalogue *catalogue, const lamp_watch *watch,
                                           struct lamp_bytes name, uint16_t port)
{
    char text[256];
    if (name.len > 0 && name.data[name.len - 1] == '.')
        name.len--;
    if (name.len == 0 || name.len >= sizeof(text) || memchr(name.data, '\0', name.len))
        return (struct lamp_identity){ 0 };
    memcpy(text, name.data, name.len);
    text[name.len] = '\0';
    const struct lamp_watch_entry *e = watched(watch, NULL, text, port);
    if (e)
        return of_entry(e);
    if (!catalogue)
        return (struct lamp_identity){ 0 };
    const struct lamp_pool *p = lamp_catalogue_host(catalogue, name);
    if (p) {
        const struct lamp_pool *here = lamp_catalogue_pool(catalogue, name, port);
        if (here && here->port == port)
            return of_pool(here, lamp_mass_name, "a pool's host and port in the catalogue");
        return of_pool(here ? here : p, lamp_mass_stale,
                       "a pool's host in the catalogue, at another port");
    }
    if ((p = parent(catalogue, name)))
        return of_pool(p, p->port ? lamp_mass_front : lamp_mass_stale,
                       "below a pool's host in the catalogue");
    return (struct lamp_identity){ 0 };
}

/* ---- words ---- */

/* Words of three to eleven letters, with zeros behind them. */
enum { WORD_MIN = 3, WORD_SIZE = 12 };
typedef char word[WORD_SIZE];

static const word coins[] = { "btc",  "bitcoin", "eth",  "etc",   "xmr",  "monero", "rvn",
                              "ltc",  "zec",     "kas",  "kaspa", "ergo", "erg",    "beam",
                              "grin", "alph",    "zeph", "dash",  "doge", "coin",   "crypto" };
static const word work[] = { "pool", "pools", "mine", "mining", "miner", "miners" };
static const word alone[] = { "stratum",   "xmrig",    "nicehash",  "minexmr",
                              "ethermine", "nanopool", "hashvault", "supportxmr" };

static bool is_one_of(const word w, const word *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (list[i][0] == w[0] && memcmp(list[i], w, WORD_SIZE) == 0)
            return true;
    return false;
}

/* The next word of a name from *io_at on, in lower case and cut to fit; how long it is, 0: none. */
static size_t next_word(struct lamp_bytes name, size_t *io_at, word out)
{
    size_t i = *io_at, len = 0;
    while (i < name.len && !isalpha(name.data[i]))
        i++;
    memset(out, 0, WORD_SIZE);
    for (; i < name.len && isalpha(name.data[i]); i++, len++)
        if (len < WORD_SIZE - 1)
            out[len] = (char)(name.data[i] | 0x20);
    *io_at = i;
    return len;
}

static bool has_coin(struct lamp_bytes name)
{
    word w;
    for (size_t at = 0; next_word(name, &at, w);)
        if (is_one_of(w, coins, ARRAY_LEN(coins)))
            return true;
    return false;
}

static bool ends_with(struct lamp_bytes text, size_t len, const char *end, size_t n)
{
    return len > n && strncasecmp((const char *)text.data + text.len - n, end, n) == 0;
}

bool lamp_identity_hint(struct lamp_bytes name)
{
    bool works = false;
    word w;
    for (size_t at = 0, len; (len = next_word(name, &at, w)) > 0;) {
        const struct lamp_bytes so_far = { name.data, at };
        if (len < WORD_MIN)
            continue;
        if (is_one_of(w, alone, ARRAY_LEN(alone)) || ends_with(so_far, len, "miners", 6))
            return true; /* "herominers": no coin beside it is needed */
        works |= is_one_of(w, work, ARRAY_LEN(work)) || ends_with(so_far, len, "mining", 6);
    }
    return works && has_coin(name);
}
