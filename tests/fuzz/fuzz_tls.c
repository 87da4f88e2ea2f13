/* SPDX-License-Identifier: Apache-2.0 */
/* The first payload of a TCP flow from the client. What is found lies within it; and with more
 * bytes of the same stream a name that was found stays the same. */
#include "sensor/rollup/apps.h"
#include "sensor/tls/hello.h"
#include "tests/support/guarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const uint8_t *copy, size_t size, struct lamp_bytes part)
{
    if (part.len && (part.data < copy || part.len > (size_t)(copy + size - part.data)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 65536)
        return 0;
    struct lamp_tls_hello whole = { 0 }, part = { 0 };
    uint8_t *copy = guarded_dup(data, size), *half = guarded_dup(data, size / 2);
    const struct lamp_bytes b = { copy, size };
    const int err = lamp_tls_client_hello(b, &whole);
    check(copy, size, whole.sni);
    check(copy, size, whole.alpn);
    if (lamp_tls_client_hello((struct lamp_bytes){ half, size / 2 }, &part) == LAMP_OK && !err &&
        part.sni.len &&
        (part.sni.len != whole.sni.len || memcmp(part.sni.data, whole.sni.data, part.sni.len) != 0))
        abort();
    const struct lamp_app_seen seen = lamp_app_look(LAMP_IPPROTO_TCP, 443, LAMP_UP, b);
    check(copy, size, seen.name);
    check(copy, size, lamp_app_look(LAMP_IPPROTO_UDP, 443, LAMP_UP, b).name);
    if (seen.app >= LAMP_APP_COUNT)
        abort();
    guarded_free(copy);
    guarded_free(half);
    return 0;
}
