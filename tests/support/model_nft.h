/* SPDX-License-Identifier: Apache-2.0 */
/* model_nft: a kernel for tests of sensor/enforce that need no privilege: takes the text of nft.c,
 * refuses a transaction as a whole where nftables would (an element to be deleted that is not
 * there, one that overlaps another of an interval set), and lists what it holds as `nft -j` does.
 * Header only. */
#pragma once

#include "sensor/enforce/nft.h"
#include "tests/support/test.h"

enum { MODEL_MAX = 40000, MODEL_RULES = 16384 };

struct model_element {
    char set[16], key[80];
    unsigned timeout_s; /* 0: none (the never sets) */
    uint64_t made_us, packets;
};

struct model_nft {
    struct model_element *v;
    size_t n;
    bool table;
    char *rules;
    unsigned applied, whole; /* transactions that were accepted, and those with the whole table */
    bool refuse;
    uint64_t now_us; /* the kernel's clock: the test's to set */
};

static inline void model_init(struct model_nft *k)
{
    *k = (struct model_nft){ .v = calloc(MODEL_MAX, sizeof(struct model_element)),
                             .rules = calloc(1, MODEL_RULES) };
    assert_non_null(k->v);
    assert_non_null(k->rules);
}

static inline void model_done(struct model_nft *k)
{
    free(k->v);
    free(k->rules);
}

static inline struct model_element *model_find(const struct model_nft *k, const char *set,
                                               const char *key)
{
    for (size_t i = 0; i < k->n; i++)
        if (streq(k->v[i].key, key) && (!set || streq(k->v[i].set, set)))
            return &k->v[i];
    return NULL;
}

/* "KEY timeout Ns" or "KEY": adds or deletes it; false: refused. */
static inline bool model_one(struct model_nft *k, const char *set, const char *text, bool add)
{
    char key[80];
    unsigned timeout_s = 0;
    const char *timeout = strstr(text, " timeout ");
    const size_t len = timeout ? (size_t)(timeout - text) : strlen(text);
    assert_true(len < sizeof(key));
    memcpy(key, text, len);
    key[len] = '\0';
    if (timeout)
        assert_int_equal(sscanf(timeout, " timeout %us", &timeout_s), 1);
    struct model_element *have = model_find(k, set, key);
    if (!add) {
        if (have)
            *have = k->v[--k->n];
        return have != NULL;
    }
    if (have || k->n == MODEL_MAX)
        return false;
    struct model_element *e = &k->v[k->n++];
    *e = (struct model_element){ .timeout_s = timeout_s, .made_us = k->now_us };
    snprintf(e->set, sizeof(e->set), "%s", set);
    snprintf(e->key, sizeof(e->key), "%s", key);
    return true;
}

static inline bool model_many(struct model_nft *k, const char *set, char *list, bool add)
{
    char *save = NULL;
    for (char *one = strtok_r(list, ",}\n", &save); one; one = strtok_r(NULL, ",}\n", &save)) {
        one += strspn(one, " ");
        for (size_t len = strlen(one); len > 0 && one[len - 1] == ' ';)
            one[--len] = '\0';
        if (*one && !model_one(k, set, one, add))
            return false;
    }
    return true;
}

static inline bool model_line(struct model_nft *k, char *line, char set[16])
{
    char verb[16];
    if (streq(line, "delete table inet davylamp")) {
        k->n = 0;
        k->table = false;
        k->rules[0] = '\0';
    } else if (streq(line, "table inet davylamp {")) {
        k->table = true;
    } else if (sscanf(line, "\tset %15s {", set) == 1) {
    } else if (strncmp(line, "\t\telements = { ", 15) == 0) {
        return model_many(k, set, line + 15, true);
    } else if (sscanf(line, "%15s element inet davylamp %15s {", verb, set) == 2) {
        return k->table && model_many(k, set, strchr(line, '{') + 1, streq(verb, "add"));
    } else if (strstr(line, " @") || strstr(line, "hook")) {
        const size_t len = strlen(k->rules);
        assert_true(snprintf(k->rules + len, MODEL_RULES - len, "%s\\n", line + 2) <
                    (int)(MODEL_RULES - len));
    }
    return true;
}

/* The kernel lets go of what nobody renewed. */
static inline void model_expire(struct model_nft *k)
{
    size_t kept = 0;
    for (size_t i = 0; i < k->n; i++)
        if (!k->v[i].timeout_s ||
            k->v[i].made_us + k->v[i].timeout_s * UINT64_C(1000000) > k->now_us)
            k->v[kept++] = k->v[i];
    k->n = kept;
}

static inline int model_apply(void *arg, const char *commands, char why[LAMP_NFT_WHY])
{
    struct model_nft *k = arg;
    struct model_nft old = *k;
    char set[16] = "", *save = NULL, *text = strdup(commands);
    bool ok = !k->refuse;
    model_expire(k);
    old.n = k->n;
    const bool whole = strstr(commands, "delete table") != NULL;
    old.v = calloc(k->n + 1, sizeof(*old.v));
    assert_non_null(old.v);
    memcpy(old.v, k->v, k->n * sizeof(*old.v));
    old.rules = strdup(k->rules);
    for (char *line = strtok_r(text, "\n", &save); line && ok; line = strtok_r(NULL, "\n", &save))
        ok = model_line(k, line, set);
    if (ok) {
        k->applied++;
        k->whole += whole;
    } else {
        memcpy(k->v, old.v, old.n * sizeof(*old.v));
        snprintf(k->rules, MODEL_RULES, "%s", old.rules);
        k->n = old.n;
        k->table = old.table;
        snprintf(why, LAMP_NFT_WHY, "Error: no");
    }
    free(old.v);
    free(old.rules);
    free(text);
    return ok ? LAMP_OK : LAMP_EKERNEL;
}

static inline void model_value(FILE *f, const char *key)
{
    char addr[80];
    unsigned proto = 0, port = 0, len = 0;
    const int n = sscanf(key, "%79s . %u . %u", addr, &proto, &port);
    if (n > 1)
        fputs("{\"concat\":[", f);
    char *slash = strchr(addr, '/');
    if (slash) {
        *slash = '\0';
        len = (unsigned)strtoul(slash + 1, NULL, 10);
        fprintf(f, "{\"prefix\":{\"addr\":\"%s\",\"len\":%u}}", addr, len);
    } else {
        fprintf(f, "\"%s\"", addr);
    }
    if (n > 1)
        fprintf(f, n > 2 ? ",%u,%u]}" : ",%u]}", proto, port);
}

static inline int model_list(void *arg, bool chain_alone, char **out)
{
    struct model_nft *k = arg;
    size_t len;
    model_expire(k);
    if (!k->table)
        return LAMP_ENOENT;
    FILE *f = open_memstream(out, &len);
    assert_non_null(f);
    fprintf(f,
            "{\"nftables\":[{\"chain\":{\"name\":\"lamp_forward\",\"handle\":%u}},"
            "{\"rule\":{\"handle\":%u,\"expr\":\"%s\"}}",
            k->applied, k->applied, k->rules);
    for (size_t i = 0; i < k->n && !chain_alone; i++) {
        const struct model_element *e = &k->v[i];
        fprintf(f, ",{\"set\":{\"name\":\"%s\",\"elem\":[", e->set);
        if (e->timeout_s)
            fputs("{\"elem\":{\"val\":", f);
        model_value(f, e->key);
        if (e->timeout_s)
            fprintf(f,
                    ",\"timeout\":%u,\"expires\":%u,\"counter\":{\"packets\":%llu,"
                    "\"bytes\":%llu}}}",
                    e->timeout_s, (unsigned)(e->timeout_s - (k->now_us - e->made_us) / 1000000),
                    (unsigned long long)e->packets, (unsigned long long)e->packets * 60);
        fputs("]}}", f);
    }
    fputs("]}", f);
    fclose(f);
    return LAMP_OK;
}
