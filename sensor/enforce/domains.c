/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enforce/domains.h"

#include <inttypes.h>
#include <stdio.h>

#define SECOND_US UINT64_C(1000000)

/* The place for a binding: its own, a free one, or that of the one that runs out first: of the
 * same name where that has its share, else of all. */
static struct lamp_domain_binding *place_for(struct lamp_domains *d, const char *name,
                                             const struct lamp_addr *addr)
{
    struct lamp_domain_binding *first = NULL, *first_of_name = NULL;
    size_t of_name = 0;
    for (size_t i = 0; i < d->n; i++) {
        struct lamp_domain_binding *b = &d->v[i];
        if (!first || b->until_us < first->until_us)
            first = b;
        if (!streq(b->name, name))
            continue;
        if (lamp_addr_eq(&b->addr, addr))
            return b;
        of_name++;
        if (!first_of_name || b->until_us < first_of_name->until_us)
            first_of_name = b;
    }
    if (of_name < LAMP_DOMAINS_ADDRS && d->n < LAMP_DOMAINS_MAX) {
        d->v[d->n] = (struct lamp_domain_binding){ .until_us = 0 };
        return &d->v[d->n++];
    }
    d->evicted++;
    return of_name >= LAMP_DOMAINS_ADDRS ? first_of_name : first;
}

static bool may_count(const struct lamp_addr *a)
{
    return !lamp_addr_is_private(a) && !lamp_addr_is_multicast(a);
}

static bool add(struct lamp_domains *d, const char *name, const struct lamp_addr *addr,
                uint64_t until_us, uint64_t now_us)
{
    struct lamp_domain_binding *b = place_for(d, name, addr);
    const bool same = streq(b->name, name) && lamp_addr_eq(&b->addr, addr);
    /* An answer that says the same again a moment later is no news. */
    if (same && until_us < b->until_us + (b->until_us > now_us ? (b->until_us - now_us) / 4 : 0))
        return false;
    snprintf(b->name, sizeof(b->name), "%s", name);
    b->addr = *addr;
    b->until_us = until_us;
    return true;
}

bool lamp_domains_add(struct lamp_domains *d, struct lamp_bytes name, const struct lamp_addr *addr,
                      uint32_t ttl_s, uint64_t now_us)
{
    char text[sizeof(d->v[0].name)];
    if (name.len == 0 || name.len >= sizeof(text) || memchr(name.data, 0, name.len) ||
        !may_count(addr)) {
        d->refused++;
        return false;
    }
    memcpy(text, name.data, name.len);
    text[name.len] = '\0';
    uint64_t ttl = ttl_s < LAMP_DOMAINS_TTL_MIN_S ? LAMP_DOMAINS_TTL_MIN_S : ttl_s;
    if (ttl > LAMP_DOMAINS_TTL_MAX_S)
        ttl = LAMP_DOMAINS_TTL_MAX_S;
    return add(d, text, addr, now_us + ttl * SECOND_US, now_us);
}

bool lamp_domains_expire(struct lamp_domains *d, uint64_t now_us)
{
    size_t kept = 0;
    for (size_t i = 0; i < d->n; i++) {
        /* The second condition: the clock was set back, and a day is the longest there is. */
        if (d->v[i].until_us > now_us &&
            d->v[i].until_us <= now_us + LAMP_DOMAINS_TTL_MAX_S * SECOND_US)
            d->v[kept++] = d->v[i];
    }
    const bool any = kept < d->n;
    d->n = kept;
    return any;
}

bool lamp_domain_covers(struct lamp_bytes domain, const char *name)
{
    const size_t len = strlen(name);
    if (domain.len == 0 || len < domain.len)
        return false;
    const char *tail = name + (len - domain.len);
    return memcmp(tail, domain.data, domain.len) == 0 && (tail == name || tail[-1] == '.');
}

int lamp_domains_write(const struct lamp_domains *d, char **out, size_t *out_len)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    if (!f)
        return LAMP_ENOMEM;
    for (size_t i = 0; i < d->n; i++) {
        char addr[LAMP_ADDR_STRLEN];
        fprintf(f, "%s %s %" PRIu64 "\n", d->v[i].name, lamp_addr_str(&d->v[i].addr, addr),
                d->v[i].until_us);
    }
    const bool bad = ferror(f) != 0;
    if (fclose(f) != 0 || bad) {
        free(text);
        return LAMP_ENOMEM;
    }
    *out = text;
    *out_len = len;
    return LAMP_OK;
}

void lamp_domains_read(struct lamp_domains *d, char *text, uint64_t now_us)
{
    for (char *line = text, *end; *line; line = end) {
        char name[254], addr_text[LAMP_ADDR_STRLEN];
        struct lamp_addr addr;
        uint64_t until_us;
        end = line + strcspn(line, "\n");
        if (*end)
            *end++ = '\0';
        if (sscanf(line, "%253s %45s %" SCNu64, name, addr_text, &until_us) == 3 &&
            lamp_addr_parse(addr_text, &addr) == LAMP_OK && may_count(&addr))
            (void)add(d, name, &addr, until_us, now_us);
    }
    (void)lamp_domains_expire(d, now_us);
}
