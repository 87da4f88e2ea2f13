/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enforce/nft.h"

#include <jansson.h>
#include <nftables/libnftables.h>
#include <sodium.h>
#include <stdio.h>

#define SECOND_US UINT64_C(1000000)
enum {
    TCP = 6,
    UDP = 17,
    SLACK_US = 2 * 1000 * 1000,   /* the kernel's clock and ours, and the time of a transaction */
    LONGER_US = 10 * 1000 * 1000, /* than it should hold: somebody changed the timeout */
};

/* One set per side, shape and family; a table instead of sixteen nearly equal functions. */
static const struct {
    const char *name, *type, *flags, *to, *from; /* match against, either way */
} shapes[LAMP_N_SHAPES] = {
    [LAMP_HOST] = { "host", "", "timeout", "", "" },
    [LAMP_NET] = { "net", "", "interval,timeout", "", "" },
    [LAMP_PROTO] = { "proto", " . inet_proto", "interval,timeout", " . meta l4proto",
                     " . meta l4proto" },
    [LAMP_PORT] = { "port", " . inet_proto . inet_service", "interval,timeout",
                    " . meta l4proto . th dport", " . meta l4proto . th sport" },
};
static const struct {
    const char *name, *ip, *type;
} families[] = { { "4", "ip", "ipv4_addr" }, { "6", "ip6", "ipv6_addr" } };
static const char *const sides[] = { "out", "in" };

static bool is_v4(const struct lamp_prefix *p)
{
    return p->len >= 96 && lamp_addr_is_v4(&p->addr);
}

/* ---- writing ---- */

static void print_key(FILE *f, const struct lamp_element *e)
{
    char text[LAMP_PREFIX_STRLEN];
    fputs(lamp_prefix_str(&e->prefix, text), f);
    if (e->port || e->ip_proto)
        fprintf(f, " . %u", e->ip_proto);
    if (e->port)
        fprintf(f, " . %u", e->port);
}

static void print_element(FILE *f, const struct lamp_element *e, uint64_t now_us)
{
    const uint64_t left_us = e->until_us > now_us ? e->until_us - now_us : 0;
    const uint64_t left_s = (left_us + SECOND_US - 1) / SECOND_US;
    print_key(f, e);
    fprintf(f, " timeout %us", left_s ? (unsigned)left_s : 1U);
}

static void print_set_name(FILE *f, const struct lamp_element *e)
{
    fprintf(f, "%s%s%s", sides[e->inside], shapes[lamp_element_shape(e)].name,
            families[!lamp_element_is_v4(e)].name);
}

static bool same_set(const struct lamp_element *a, const struct lamp_element *b)
{
    return a->inside == b->inside && lamp_element_shape(a) == lamp_element_shape(b) &&
           lamp_element_is_v4(a) == lamp_element_is_v4(b);
}

static void print_never(FILE *f, const struct lamp_never *never, bool v4)
{
    unsigned count = 0;
    fprintf(f, "\tset never%s {\n\t\ttype %s\n\t\tflags interval\n", families[!v4].name,
            families[!v4].type);
    for (size_t i = 0; i < never->n; i++) {
        char text[LAMP_PREFIX_STRLEN];
        const struct lamp_prefix *p = &never->v[i].prefix;
        if (is_v4(p) == v4)
            fprintf(f, "%s%s", count++ ? ", " : "\t\telements = { ", lamp_prefix_str(p, text));
    }
    fprintf(f, "%s\t}\n", count ? " }\n" : "");
}

/* Every set in the order of elements, so that one walk over them is enough. */
static void print_sets(FILE *f, const struct lamp_nft_table *t, uint64_t now_us)
{
    size_t at = 0;
    for (size_t side = 0; side < ARRAY_LEN(sides); side++)
        for (size_t s = 0; s < LAMP_N_SHAPES; s++)
            for (size_t v = 0; v < ARRAY_LEN(families); v++) {
                unsigned count = 0;
                fprintf(f, "\tset %s%s%s {\n\t\ttype %s%s\n\t\tflags %s\n\t\tcounter\n",
                        sides[side], shapes[s].name, families[v].name, families[v].type,
                        shapes[s].type, shapes[s].flags);
                for (; at < t->n && t->v[at].inside == (side == 1) &&
                       lamp_element_shape(&t->v[at]) == (enum lamp_shape_of_set)s &&
                       lamp_element_is_v4(&t->v[at]) == (v == 0);
                     at++) {
                    fputs(count++ ? ", " : "\t\telements = { ", f);
                    print_element(f, &t->v[at], now_us);
                }
                fputs(count ? " }\n\t}\n" : "\t}\n", f);
            }
}

static void print_rules(FILE *f, const struct lamp_nft_table *t)
{
    const char *verdict = t->mode == LAMP_ENFORCE_ON ? "drop" : "accept";
    fprintf(f,
            "\tchain lamp_forward {\n"
            "\t\ttype filter hook forward priority %d; policy accept;\n",
            t->priority);
    for (size_t v = 0; v < ARRAY_LEN(families); v++)
        fprintf(f, "\t\t%2$s daddr @never%1$s return\n\t\t%2$s saddr @never%1$s return\n",
                families[v].name, families[v].ip);
    for (size_t v = 0; v < ARRAY_LEN(families); v++) {
        for (size_t side = 0; side < ARRAY_LEN(sides); side++) {
            /* The port is always the remote end's: where an inside host is the source of a
             * packet, the port to look at is still the destination's. */
            const char *near = side ? "saddr" : "daddr", *far = side ? "daddr" : "saddr";
            for (size_t s = 0; s < LAMP_N_SHAPES; s++)
                fprintf(f, "\t\t%s %s%s @%s%s%s %s\n\t\t%s %s%s @%s%s%s %s\n", families[v].ip, near,
                        shapes[s].to, sides[side], shapes[s].name, families[v].name, verdict,
                        families[v].ip, far, shapes[s].from, sides[side], shapes[s].name,
                        families[v].name, verdict);
        }
    }
    fputs("\t}\n", f);
}

static int finish(FILE *f, char **text, char **out)
{
    const bool bad = ferror(f) != 0;
    if (fclose(f) != 0 || bad) {
        free(*text);
        return LAMP_ENOMEM;
    }
    *out = *text;
    return LAMP_OK;
}

int lamp_nft_render(const struct lamp_nft_table *t, uint64_t now_us, char **out)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    if (!f)
        return LAMP_ENOMEM;

    /* `add` makes the `delete` succeed also where there is no table yet. */
    fputs("add table inet " LAMP_NFT_TABLE "\ndelete table inet " LAMP_NFT_TABLE "\n", f);
    if (t->mode != LAMP_ENFORCE_OFF) {
        fputs("table inet " LAMP_NFT_TABLE " {\n", f);
        print_never(f, t->never, true);
        print_never(f, t->never, false);
        print_sets(f, t, now_us);
        print_rules(f, t);
        fputs("}\n", f);
    }
    return finish(f, &text, out);
}

/* One command for each run of changes to the same set. */
static void print_command(FILE *f, const struct lamp_nft_change *c, size_t n, bool add,
                          uint64_t now_us)
{
    const struct lamp_element *last = NULL;
    for (size_t i = 0; i < n; i++) {
        const struct lamp_element *e = add ? c[i].add : c[i].drop;
        if (!e)
            continue;
        if (last && same_set(last, e)) {
            fputs(", ", f);
        } else {
            fprintf(f, "%s%s element inet " LAMP_NFT_TABLE " ", last ? " }\n" : "",
                    add ? "add" : "delete");
            print_set_name(f, e);
            fputs(" { ", f);
        }
        if (add)
            print_element(f, e, now_us);
        else
            print_key(f, e);
        last = e;
    }
    if (last)
        fputs(" }\n", f);
}

int lamp_nft_render_changes(const struct lamp_nft_change *c, size_t n, uint64_t now_us, char **out)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    if (!f)
        return LAMP_ENOMEM;
    print_command(f, c, n, false, now_us);
    print_command(f, c, n, true, now_us);
    return finish(f, &text, out);
}

/* ---- reading ---- */

/* An address or {"prefix": {"addr", "len"}}. */
static bool parse_prefix(const json_t *j, struct lamp_prefix *out)
{
    const json_t *prefix = json_object_get(j, "prefix");
    const char *text = json_string_value(prefix ? json_object_get(prefix, "addr") : j);
    if (!text || lamp_addr_parse(text, &out->addr) != LAMP_OK)
        return false;
    const unsigned base = lamp_addr_is_v4(&out->addr) ? 96 : 0;
    const json_int_t len =
        prefix ? json_integer_value(json_object_get(prefix, "len")) : (json_int_t)(128 - base);
    if (len < 0 || len > (json_int_t)(128 - base))
        return false;
    out->len = (uint8_t)(base + (unsigned)len);
    return true;
}

static uint8_t parse_proto(const json_t *j)
{
    const char *name = json_string_value(j);
    if (name)
        return streq(name, "tcp") ? TCP : streq(name, "udp") ? UDP : 0;
    return (uint8_t)json_integer_value(j);
}

/* What identifies an element. */
static bool parse_value(const json_t *val, bool inside, struct lamp_element *out)
{
    *out = (struct lamp_element){ .inside = inside };
    const json_t *concat = json_object_get(val, "concat");
    if (!concat)
        return parse_prefix(val, &out->prefix);
    out->ip_proto = parse_proto(json_array_get(concat, 1));
    out->port = (uint16_t)json_integer_value(json_array_get(concat, 2));
    return out->ip_proto && parse_prefix(json_array_get(concat, 0), &out->prefix);
}

static void parse_element(const json_t *item, bool inside, struct lamp_element *v, size_t n,
                          uint64_t now_us, struct lamp_nft_seen *out)
{
    const json_t *elem = json_object_get(item, "elem");
    const json_t *counter = json_object_get(elem, "counter");
    const json_t *expires = json_object_get(elem, "expires");
    struct lamp_element key, *e = NULL;
    if (parse_value(json_object_get(elem, "val"), inside, &key))
        e = n ? bsearch(&key, v, n, sizeof(*v), lamp_element_cmp) : NULL;
    if (!e || !counter || !json_is_integer(expires)) {
        out->foreign++;
        return;
    }
    const uint64_t left_us = (uint64_t)json_integer_value(expires) * SECOND_US;
    out->foreign += now_us + left_us > e->until_us + LONGER_US;
    e->seen = true;
    e->packets = (uint64_t)json_integer_value(json_object_get(counter, "packets"));
    e->bytes = (uint64_t)json_integer_value(json_object_get(counter, "bytes"));
}

/* Adds what an object says to a digest, without its handle, which is another each time. */
static void hash_object(crypto_generichash_state *h, const json_t *object)
{
    json_t *copy = json_copy((json_t *)(uintptr_t)object);
    json_object_del(copy, "handle");
    char *text = copy ? json_dumps(copy, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    if (text)
        crypto_generichash_update(h, (const uint8_t *)text, strlen(text));
    free(text);
    json_decref(copy);
}

/* Returns how many prefixes of the never list the set holds. */
static size_t parse_never(const json_t *set, const struct lamp_never *never,
                          struct lamp_nft_seen *out)
{
    size_t i, found = 0;
    json_t *item;
    json_array_foreach(json_object_get(set, "elem"), i, item)
    {
        struct lamp_prefix p = { .len = 0 };
        size_t at = parse_prefix(item, &p) ? 0 : never->n;
        while (at < never->n && (never->v[at].prefix.len != p.len ||
                                 !lamp_addr_eq(&never->v[at].prefix.addr, &p.addr)))
            at++;
        if (at < never->n)
            found++;
        else
            out->foreign++;
    }
    return found;
}

static void parse_set(const json_t *set, struct lamp_element *v, size_t n, uint64_t now_us,
                      struct lamp_nft_seen *out)
{
    const char *name = json_string_value(json_object_get(set, "name"));
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(set, "elem"), i, item)
        parse_element(item, name && strncmp(name, "in", 2) == 0, v, n, now_us, out);
}

int lamp_nft_parse(const char *json, const struct lamp_never *never, struct lamp_element *v,
                   size_t n, uint64_t now_us, struct lamp_nft_seen *out)
{
    json_t *root = json_loads(json, 0, NULL);
    const json_t *list = json_object_get(root, "nftables");
    if (!json_is_array(list)) {
        json_decref(root);
        return LAMP_EFORMAT;
    }
    for (size_t i = 0; i < n; i++)
        v[i].seen = false;
    struct lamp_nft_seen seen = { .missing = 0 };
    crypto_generichash_state h;
    size_t i, n_never = 0;
    bool has_chain = false;
    json_t *item;
    crypto_generichash_init(&h, NULL, 0, sizeof(seen.rules));
    json_array_foreach(list, i, item)
    {
        const json_t *set = json_object_get(item, "set"), *rule = json_object_get(item, "rule"),
                     *chain = json_object_get(item, "chain");
        const char *name = json_string_value(json_object_get(set, "name"));
        if (name && strncmp(name, "never", 5) == 0)
            n_never += parse_never(set, never, &seen);
        else if (set)
            parse_set(set, v, n, now_us, &seen);
        else if (rule || chain)
            hash_object(&h, rule ? rule : chain);
        has_chain |= chain != NULL;
    }
    crypto_generichash_final(&h, seen.rules, sizeof(seen.rules));
    json_decref(root);
    if (!has_chain)
        return LAMP_ENOENT;
    seen.missing += never->n - lamp_min(n_never, never->n);
    for (i = 0; i < n; i++)
        seen.missing += !v[i].seen && v[i].until_us > now_us + SLACK_US;
    *out = seen;
    return LAMP_OK;
}

/* ---- the kernel ---- */

static int kernel_apply(void *arg, const char *commands, char why[LAMP_NFT_WHY])
{
    struct nft_ctx *ctx = arg;
    nft_ctx_output_set_flags(ctx, 0);
    if (nft_run_cmd_from_buffer(ctx, commands) == 0)
        return LAMP_OK;
    const char *said = nft_ctx_get_error_buffer(ctx);
    snprintf(why, LAMP_NFT_WHY, "%.*s", (int)strcspn(said, "\n"), said);
    return LAMP_EKERNEL;
}

static int kernel_list(void *arg, bool chain_alone, char **out)
{
    struct nft_ctx *ctx = arg;
    nft_ctx_output_set_flags(ctx, NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_NUMERIC_PROTO);
    if (nft_run_cmd_from_buffer(ctx, chain_alone ? "list chain inet " LAMP_NFT_TABLE " lamp_forward"
                                                 : "list table inet " LAMP_NFT_TABLE) != 0)
        return LAMP_ENOENT;
    char *copy = strdup(nft_ctx_get_output_buffer(ctx));
    if (!copy)
        return LAMP_ENOMEM;
    *out = copy;
    return LAMP_OK;
}

int lamp_nft_open(struct lamp_nft_backend *out)
{
    struct nft_ctx *ctx = nft_ctx_new(NFT_CTX_DEFAULT);
    if (!ctx)
        return LAMP_ENOMEM;
    if (nft_ctx_buffer_output(ctx) != 0 || nft_ctx_buffer_error(ctx) != 0) {
        nft_ctx_free(ctx);
        return LAMP_ENOMEM;
    }
    *out = (struct lamp_nft_backend){ ctx, kernel_apply, kernel_list };
    return LAMP_OK;
}

void lamp_nft_close(struct lamp_nft_backend *b)
{
    if (b->arg)
        nft_ctx_free(b->arg);
    b->arg = NULL;
}
