/* SPDX-License-Identifier: Apache-2.0 */
/* nft_apply: puts a list with every shape of entry into the kernel through libnftables, twice,
 * reads the counters back and takes the table away. For nft_apply.sh, in a namespace. */
#include "sensor/enforce/nft.h"

#include <stdio.h>

static const struct {
    const char *prefix;
    uint8_t proto;
    uint16_t port;
    bool inside;
} list[] = {
    { "192.0.2.1", 0, 0, false },       { "192.0.2.2", 6, 3333, false },
    { "192.0.2.3", 0, 53, false },      { "192.0.2.4", 17, 0, false },
    { "198.51.100.0/24", 0, 0, false }, { "192.0.2.0/24", 17, 53, false },
    { "2001:db8::1", 0, 0, false },     { "2001:db8:1::/64", 6, 443, false },
    { "10.0.0.7", 0, 0, true },         { "10.0.0.7", 6, 3333, true },
    { "10.0.1.0/24", 0, 0, true },      { "fd00::7", 17, 0, true },
};

static int apply(const struct lamp_nft_backend *kernel, const struct lamp_nft_plan *plan)
{
    char *text, why[LAMP_NFT_WHY] = "";
    int err = lamp_nft_render(plan, &text);
    if (err)
        return err;
    err = kernel->apply(kernel->arg, text, why);
    if (err)
        fprintf(stderr, "%s\n%s", why, text);
    free(text);
    return err;
}

int main(void)
{
    static struct lamp_never never;
    struct lamp_set_entry entries[ARRAY_LEN(list)] = { 0 };
    struct lamp_set_hits hits[ARRAY_LEN(list)] = { 0 };
    struct lamp_nft_backend kernel;
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        entries[i] = (struct lamp_set_entry){ .ip_proto = list[i].proto,
                                              .port = list[i].port,
                                              .inside = list[i].inside,
                                              .ttl_s = 60,
                                              .id = i + 1 };
        if (lamp_prefix_parse(list[i].prefix, &entries[i].prefix) != LAMP_OK)
            return 1;
    }
    qsort(entries, ARRAY_LEN(entries), sizeof(entries[0]), lamp_set_entry_cmp);
    lamp_never_add_fixed(&never);
    (void)lamp_never_add_machine(&never, "");
    if (lamp_nft_open(&kernel) != LAMP_OK)
        return 1;

    struct lamp_nft_plan plan = { LAMP_ENFORCE_ON, -10, &never, entries, ARRAY_LEN(entries) };
    char *json = NULL;
    int err = apply(&kernel, &plan);
    plan.mode = LAMP_ENFORCE_DRY_RUN;
    if (!err)
        err = apply(&kernel, &plan);
    plan.mode = LAMP_ENFORCE_ON;
    if (!err)
        err = apply(&kernel, &plan);
    if (!err)
        err = kernel.list(kernel.arg, &json);
    if (!err)
        err = lamp_nft_parse_hits(json, entries, ARRAY_LEN(entries), hits);
    free(json);
    plan.mode = LAMP_ENFORCE_OFF;
    if (!err)
        err = apply(&kernel, &plan);
    if (!err && kernel.list(kernel.arg, &json) != LAMP_ENOENT) {
        fputs("the table is still there\n", stderr);
        err = LAMP_EKERNEL;
    }
    lamp_nft_close(&kernel);
    if (err)
        fprintf(stderr, "nft_apply: %s\n", lamp_strerror(err));
    return err ? 1 : 0;
}
