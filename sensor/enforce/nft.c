/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enforce/nft.h"

#include <jansson.h>
#include <nftables/libnftables.h>
#include <stdio.h>

enum { TCP = 6, UDP = 17 };

/* One set per side, shape and family; a table instead of sixteen nearly equal functions. */
enum shape { HOST, NET, PROTO, PORT, N_SHAPES };

static const struct {
    const char *name, *type, *flags, *to, *from; /* match against, either way */
} shapes[N_SHAPES] = {
    [HOST] = { "host", "", "timeout", "", "" },
    [NET] = { "net", "", "interval,timeout", "", "" },
    [PROTO] = { "proto", " . inet_proto", "interval,timeout", " . meta l4proto",
                " . meta l4proto" },
    [PORT] = { "port", " . inet_proto . inet_service", "interval,timeout",
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

static enum shape shape_of(const struct lamp_set_entry *e)
{
    if (e->port)
        return PORT;
    if (e->ip_proto)
        return PROTO;
    return e->prefix.len == 128 ? HOST : NET;
}

/* Whether another entry of the same port names the protocol that `e` only implies and covers
 * its addresses: then that element stands for both (intervals must not overlap). */
static bool covered(const struct lamp_nft_plan *plan, const struct lamp_set_entry *e, uint8_t proto)
{
    if (e->port == 0)
        return false;
    for (size_t i = 0; i < plan->n_entries; i++) {
        const struct lamp_set_entry *o = &plan->entries[i];
        if (o == e || o->inside != e->inside || o->port != e->port ||
            (o->ip_proto && o->ip_proto != proto) || o->ip_proto == e->ip_proto ||
            !lamp_prefix_overlap(&o->prefix, &e->prefix))
            continue;
        /* Of two equal ones the one that names the protocol stays. */
        if (o->prefix.len < e->prefix.len || (o->prefix.len == e->prefix.len && o->ip_proto))
            return true;
    }
    return false;
}

static void print_element(FILE *f, const struct lamp_set_entry *e, uint8_t proto, unsigned *count)
{
    char text[LAMP_PREFIX_STRLEN];
    fprintf(f, "%s%s", (*count)++ ? ", " : "", lamp_prefix_str(&e->prefix, text));
    if (e->port || e->ip_proto)
        fprintf(f, " . %u", proto);
    if (e->port)
        fprintf(f, " . %u", e->port);
    fprintf(f, " timeout %us", e->ttl_s);
}

static void print_elements(FILE *f, const struct lamp_nft_plan *plan, enum shape shape, bool v4,
                           bool inside)
{
    unsigned count = 0;
    for (size_t i = 0; i < plan->n_entries; i++) {
        const struct lamp_set_entry *e = &plan->entries[i];
        if (e->inside != inside || is_v4(&e->prefix) != v4 || shape_of(e) != shape)
            continue;
        const uint8_t protos[] = { e->ip_proto ? e->ip_proto : TCP, UDP };
        const size_t n = shape == PORT && !e->ip_proto ? 2 : 1;
        for (size_t p = 0; p < n; p++) {
            if (covered(plan, e, protos[p]))
                continue;
            if (count == 0)
                fputs("\t\telements = { ", f);
            print_element(f, e, protos[p], &count);
        }
    }
    if (count)
        fputs(" }\n", f);
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

static void print_rules(FILE *f, const struct lamp_nft_plan *plan)
{
    const char *verdict = plan->mode == LAMP_ENFORCE_ON ? "drop" : "accept";
    fprintf(f,
            "\tchain lamp_forward {\n"
            "\t\ttype filter hook forward priority %d; policy accept;\n",
            plan->priority);
    for (size_t v = 0; v < ARRAY_LEN(families); v++)
        fprintf(f, "\t\t%2$s daddr @never%1$s return\n\t\t%2$s saddr @never%1$s return\n",
                families[v].name, families[v].ip);
    for (size_t v = 0; v < ARRAY_LEN(families); v++) {
        for (size_t side = 0; side < ARRAY_LEN(sides); side++) {
            /* The port is always the remote end's: where an inside host is the source of a
             * packet, the port to look at is still the destination's. */
            const char *near = side ? "saddr" : "daddr", *far = side ? "daddr" : "saddr";
            for (size_t s = 0; s < N_SHAPES; s++)
                fprintf(f, "\t\t%s %s%s @%s%s%s %s\n\t\t%s %s%s @%s%s%s %s\n", families[v].ip, near,
                        shapes[s].to, sides[side], shapes[s].name, families[v].name, verdict,
                        families[v].ip, far, shapes[s].from, sides[side], shapes[s].name,
                        families[v].name, verdict);
        }
    }
    fputs("\t}\n", f);
}

int lamp_nft_render(const struct lamp_nft_plan *plan, char **out)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    if (!f)
        return LAMP_ENOMEM;

    /* `add` makes the `delete` succeed also where there is no table yet. */
    fputs("add table inet " LAMP_NFT_TABLE "\ndelete table inet " LAMP_NFT_TABLE "\n", f);
    if (plan->mode != LAMP_ENFORCE_OFF) {
        fputs("table inet " LAMP_NFT_TABLE " {\n", f);
        print_never(f, plan->never, true);
        print_never(f, plan->never, false);
        for (size_t v = 0; v < ARRAY_LEN(families); v++)
            for (size_t side = 0; side < ARRAY_LEN(sides); side++)
                for (size_t s = 0; s < N_SHAPES; s++) {
                    fprintf(f, "\tset %s%s%s {\n\t\ttype %s%s\n\t\tflags %s\n\t\tcounter\n",
                            sides[side], shapes[s].name, families[v].name, families[v].type,
                            shapes[s].type, shapes[s].flags);
                    print_elements(f, plan, (enum shape)s, v == 0, side == 1);
                    fputs("\t}\n", f);
                }
        print_rules(f, plan);
        fputs("}\n", f);
    }
    const bool bad = ferror(f) != 0;
    if (fclose(f) != 0 || bad) {
        free(text);
        return LAMP_ENOMEM;
    }
    *out = text;
    return LAMP_OK;
}

/* ---- counters ---- */

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

/* What an element stands for, as far as it identifies an entry. */
static bool parse_value(const json_t *val, bool inside, struct lamp_set_entry *out)
{
    *out = (struct lamp_set_entry){ .inside = inside };
    const json_t *concat = json_object_get(val, "concat");
    if (!concat)
        return parse_prefix(val, &out->prefix);
    out->ip_proto = parse_proto(json_array_get(concat, 1));
    out->port = (uint16_t)json_integer_value(json_array_get(concat, 2));
    return out->ip_proto && parse_prefix(json_array_get(concat, 0), &out->prefix);
}

static const struct lamp_set_entry *find(const struct lamp_set_entry *entries, size_t n,
                                         const struct lamp_set_entry *key)
{
    const struct lamp_set_entry *e = bsearch(key, entries, n, sizeof(*key), lamp_set_entry_cmp);
    if (e || !key->port)
        return e;
    struct lamp_set_entry any = *key; /* an entry for both protocols is two elements */
    any.ip_proto = 0;
    return bsearch(&any, entries, n, sizeof(any), lamp_set_entry_cmp);
}

static void count_set(const json_t *set, const struct lamp_set_entry *entries, size_t n,
                      struct lamp_set_hits *hits)
{
    const char *name = json_string_value(json_object_get(set, "name"));
    const bool inside = name && strncmp(name, "in", 2) == 0;
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(set, "elem"), i, item)
    {
        const json_t *elem = json_object_get(item, "elem");
        const json_t *counter = json_object_get(elem, "counter");
        struct lamp_set_entry key;
        if (!counter || !parse_value(json_object_get(elem, "val"), inside, &key))
            continue;
        const struct lamp_set_entry *e = find(entries, n, &key);
        if (!e)
            continue;
        hits[e - entries].packets +=
            (uint64_t)json_integer_value(json_object_get(counter, "packets"));
        hits[e - entries].bytes += (uint64_t)json_integer_value(json_object_get(counter, "bytes"));
    }
}

int lamp_nft_parse_hits(const char *json, const struct lamp_set_entry *entries, size_t n,
                        struct lamp_set_hits *hits)
{
    json_t *root = json_loads(json, 0, NULL);
    const json_t *list = json_object_get(root, "nftables");
    if (!json_is_array(list)) {
        json_decref(root);
        return LAMP_EFORMAT;
    }
    for (size_t i = 0; i < n; i++)
        hits[i].packets = hits[i].bytes = 0;
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        const json_t *set = json_object_get(item, "set");
        if (set)
            count_set(set, entries, n, hits);
    }
    json_decref(root);
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

static int kernel_list(void *arg, char **out)
{
    struct nft_ctx *ctx = arg;
    nft_ctx_output_set_flags(ctx, NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_NUMERIC_PROTO);
    if (nft_run_cmd_from_buffer(ctx, "list table inet " LAMP_NFT_TABLE) != 0)
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
