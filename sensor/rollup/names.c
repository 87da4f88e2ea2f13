/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/rollup/names.h"

#include "common/pages.h"
#include "sensor/rollup/hash.h"
#include "sensor/rollup/host.h"

#include <assert.h>
#include <errno.h>
#include <sys/random.h>

enum {
    REF_SLOTS_BITS = 20, /* of a reference: 1 + slot; the rest is the generation */
    GRACE_S = 60,
};

struct name {
    uint64_t used_us;
    uint32_t hash;
    uint16_t generation;
    char text[LAMP_NAMES_TEXT]; /* "": free */
};

struct binding {
    struct lamp_addr addr;
    uint64_t until_us; /* 0: free */
    uint32_t ref;
};

struct lamp_names {
    struct name *names;
    struct binding *bindings;
    uint32_t name_sets, binding_sets; /* powers of two */
    bool any_bound;
    uint64_t seed[2];
    struct lamp_names_counters n;
};

int lamp_names_new(size_t memory_bytes, lamp_names **out)
{
    assert(out);
    if (memory_bytes < 8 * 1024)
        return LAMP_EINVAL;
    lamp_names *n = calloc(1, sizeof(*n));
    if (!n)
        return LAMP_ENOMEM;
    int err = LAMP_ENOMEM;
    size_t room = memory_bytes / 4 * 3 / sizeof(struct name) / LAMP_NAMES_WAYS;
    n->name_sets = lamp_pow2_below(lamp_min(room, (1U << REF_SLOTS_BITS) / LAMP_NAMES_WAYS / 2));
    room = memory_bytes / 4 / sizeof(struct binding) / LAMP_NAMES_WAYS;
    n->binding_sets = lamp_pow2_below(lamp_min(room, 1U << REF_SLOTS_BITS));
    n->names = lamp_pages_calloc((size_t)n->name_sets * LAMP_NAMES_WAYS, sizeof(*n->names));
    n->bindings =
        lamp_pages_calloc((size_t)n->binding_sets * LAMP_NAMES_WAYS, sizeof(*n->bindings));
    if (!n->names || !n->bindings)
        goto fail;
    if (getrandom(n->seed, sizeof(n->seed), 0) != sizeof(n->seed)) {
        err = -errno;
        goto fail;
    }
    *out = n;
    return LAMP_OK;
fail:
    lamp_names_free(n);
    return err;
}

lamp_names *lamp_names_free(lamp_names *n)
{
    if (!n)
        return NULL;
    free(n->names);
    free(n->bindings);
    free(n);
    return NULL;
}

/* -- names --------------------------------------------------------------------------- */

/* Lower case, without port and last dot; the length, 0 where it is no host name. */
static size_t normalise(struct lamp_bytes name, char out[LAMP_NAMES_TEXT])
{
    size_t len = 0;
    bool letter = false;
    for (size_t i = 0; i < name.len && name.data[i] != ':'; i++) {
        char c = lamp_host_char(name.data[i]);
        if (!c || len == LAMP_NAMES_TEXT - 1 || (c == '.' && (len == 0 || out[len - 1] == '.')))
            return 0;
        letter |= c >= 'a' && c <= 'z';
        out[len++] = c;
    }
    if (len > 0 && out[len - 1] == '.')
        len--;
    out[len] = '\0';
    return letter ? len : 0;
}

static uint32_t ref_of(const lamp_names *n, const struct name *e)
{
    return (uint32_t)e->generation << REF_SLOTS_BITS | (uint32_t)(e - n->names + 1);
}

uint32_t lamp_names_intern(lamp_names *n, struct lamp_bytes name, uint64_t now_us)
{
    char text[LAMP_NAMES_TEXT];
    const size_t len = normalise(name, text);
    if (len == 0) {
        n->n.refused++;
        return 0;
    }
    const uint64_t h = lamp_hash(n->seed, text, len);
    struct name *set = &n->names[(h & (n->name_sets - 1)) * LAMP_NAMES_WAYS], *victim = set;
    for (struct name *e = set; e < set + LAMP_NAMES_WAYS; e++) {
        if (e->hash == (uint32_t)(h >> 32) && streq(e->text, text)) {
            e->used_us = now_us;
            return ref_of(n, e);
        }
        if (!e->text[0] ? victim->text[0] != 0 : victim->text[0] && e->used_us < victim->used_us)
            victim = e;
    }
    n->n.evicted += victim->text[0] != 0;
    n->n.kept++;
    victim->generation = (victim->generation + 1) & ((1U << (32 - REF_SLOTS_BITS)) - 1);
    victim->used_us = now_us;
    victim->hash = (uint32_t)(h >> 32);
    memcpy(victim->text, text, len + 1);
    return ref_of(n, victim);
}

const char *lamp_names_text(const lamp_names *n, uint32_t ref)
{
    const uint32_t slot = ref & ((1U << REF_SLOTS_BITS) - 1);
    if (slot == 0 || slot > n->name_sets * LAMP_NAMES_WAYS)
        return "";
    const struct name *e = &n->names[slot - 1];
    return ref_of(n, e) == ref ? e->text : "";
}

/* -- addresses ----------------------------------------------------------------------- */

/* The number of an address' set. */
static uint32_t binding_set(const lamp_names *n, const struct lamp_addr *addr)
{
    return (uint32_t)lamp_hash(n->seed, addr->b, sizeof(addr->b)) & (n->binding_sets - 1);
}

void lamp_names_bind(lamp_names *n, const struct lamp_addr *addr, uint32_t ref, uint32_t ttl_s,
                     uint64_t now_us)
{
    if (ref == 0)
        return;
    struct binding *set = &n->bindings[(size_t)binding_set(n, addr) * LAMP_NAMES_WAYS],
                   *victim = set;
    for (struct binding *b = set; b < set + LAMP_NAMES_WAYS; b++) {
        if (b->until_us && lamp_addr_eq(&b->addr, addr)) {
            victim = b;
            break;
        }
        if (b->until_us < victim->until_us)
            victim = b;
    }
    n->n.evicted += victim->until_us > now_us && !lamp_addr_eq(&victim->addr, addr);
    n->any_bound = true;
    *victim = (struct binding){ *addr, now_us + (GRACE_S + (uint64_t)ttl_s) * 1000000U, ref };
}

uint32_t lamp_names_aim(const lamp_names *n, const struct lamp_addr *addr)
{
    if (!n->any_bound)
        return 0;
    const uint32_t aim = binding_set(n, addr);
    const char *set = (const char *)&n->bindings[(size_t)aim * LAMP_NAMES_WAYS];
    for (size_t i = 0; i < LAMP_NAMES_WAYS * sizeof(*n->bindings); i += 64)
        __builtin_prefetch(set + i);
    return aim;
}

uint32_t lamp_names_of_aimed(const lamp_names *n, uint32_t aim, const struct lamp_addr *addr,
                             uint64_t at_us)
{
    const struct binding *set = &n->bindings[(size_t)aim * LAMP_NAMES_WAYS];
    if (!n->any_bound)
        return 0;
    for (const struct binding *b = set; b < set + LAMP_NAMES_WAYS; b++)
        if (b->until_us && lamp_addr_eq(&b->addr, addr))
            return at_us <= b->until_us ? b->ref : 0;
    return 0;
}

uint32_t lamp_names_of(const lamp_names *n, const struct lamp_addr *addr, uint64_t at_us)
{
    return n->any_bound ? lamp_names_of_aimed(n, binding_set(n, addr), addr, at_us) : 0;
}

struct lamp_names_counters lamp_names_counters(const lamp_names *n)
{
    return n->n;
}
