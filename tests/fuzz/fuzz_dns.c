/* SPDX-License-Identifier: Apache-2.0 */
/* One DNS message, alone and as an answer that a rollup hears. A name that is found is a host
 * name of at most 253 characters, and what the rollup then calls the address is that name. */
#include "sensor/rollup/dns.h"
#include "sensor/rollup/host.h"
#include "sensor/rollup/rollup.h"
#include "tests/support/guarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static lamp_rollup *r;
    const struct lamp_rollup_cfg cfg = { .memory_bytes = 64 * 1024 };
    if (!r && lamp_rollup_new(&cfg, &r) != LAMP_OK)
        abort();
    if (size > 65535)
        return 0;
    uint8_t *copy = guarded_dup(data, size);
    const struct lamp_bytes b = { copy, size };
    const struct lamp_addr server = { { 0 } };
    struct lamp_rollup_mark mark = { 0 };
    struct lamp_dns d;
    lamp_rollup_look(r, LAMP_IPPROTO_UDP, &server, 53, LAMP_DOWN, b, 1, &mark);
    if (lamp_dns_parse(b, &d) == LAMP_OK) {
        if (strlen(d.name) >= LAMP_DNS_NAME || d.n_addrs > LAMP_DNS_ADDRS)
            abort();
        for (const char *c = d.name; *c; c++)
            if (lamp_host_char((uint8_t)*c) != *c)
                abort();
        for (size_t i = 0; i < d.n_addrs; i++) {
            const char *name = lamp_rollup_dns_name(r, &d.addrs[i].addr, 1);
            if (*name && strcmp(name, d.name) != 0 && d.name[0] && strlen(d.name) < 100 &&
                strpbrk(d.name, "abcdefghijklmnopqrstuvwxyz"))
                abort();
        }
    }
    guarded_free(copy);
    return 0;
}
