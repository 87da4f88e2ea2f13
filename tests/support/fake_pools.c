/* SPDX-License-Identifier: Apache-2.0 */
/* The catalogue of the fake store: empty. */
#include "aggregator/store/pools.h"

int lamp_store_pools(lamp_store *s, const struct lamp_pool_filter *f, lamp_pool_view_fn *fn,
                     void *arg)
{
    (void)s, (void)f, (void)fn, (void)arg;
    return LAMP_OK;
}

int lamp_store_pool_totals(lamp_store *s, struct lamp_pool_totals *out)
{
    (void)s;
    *out = (struct lamp_pool_totals){ 0 };
    return LAMP_OK;
}

int lamp_store_pool_entries(lamp_store *s, const struct lamp_pool_entry_filter *f,
                            lamp_pool_entry_fn *fn, void *arg)
{
    (void)s, (void)f, (void)fn, (void)arg;
    return LAMP_OK;
}

int lamp_store_pool_servers(lamp_store *s, int64_t pool_id, lamp_pool_server_fn *fn, void *arg)
{
    (void)s, (void)pool_id, (void)fn, (void)arg;
    return LAMP_OK;
}

int lamp_store_pool_addresses(lamp_store *s, int64_t pool_id, uint64_t from_us,
                              lamp_pool_address_fn *fn, void *arg)
{
    (void)s, (void)pool_id, (void)from_us, (void)fn, (void)arg;
    return LAMP_OK;
}

int lamp_store_pool_endpoints(lamp_store *s, int64_t pool_id, const struct lamp_addr *addr,
                              lamp_pool_endpoint_fn *fn, void *arg)
{
    (void)s, (void)pool_id, (void)addr, (void)fn, (void)arg;
    return LAMP_OK;
}

int lamp_store_pool_changes(lamp_store *s, int64_t pool_id, uint64_t from_us, uint32_t limit,
                            lamp_pool_change_fn *fn, void *arg)
{
    (void)s, (void)pool_id, (void)from_us, (void)limit, (void)fn, (void)arg;
    return LAMP_OK;
}

int lamp_store_pool_versions(lamp_store *s, int64_t pool_id, uint32_t limit,
                             lamp_pool_version_fn *fn, void *arg)
{
    (void)s, (void)pool_id, (void)limit, (void)fn, (void)arg;
    return LAMP_OK;
}

int lamp_store_pool_lookup(lamp_store *s, const struct lamp_pool_query *q, lamp_pool_match_fn *fn,
                           void *arg, uint64_t *out_n)
{
    (void)s, (void)q, (void)fn, (void)arg;
    *out_n = 0;
    return LAMP_OK;
}

int lamp_store_pool_endpoint(lamp_store *s, const struct lamp_addr *addr, uint16_t port,
                             uint64_t at_us, struct lamp_pool_endpoint *out,
                             struct lamp_pool_change *then)
{
    (void)s, (void)addr, (void)port, (void)at_us, (void)out, (void)then;
    return LAMP_ENOENT;
}

int lamp_store_pool_port(lamp_store *s, uint16_t port, uint32_t limit, lamp_pool_port_fn *fn,
                         void *arg)
{
    (void)s, (void)port, (void)limit, (void)fn, (void)arg;
    return LAMP_OK;
}
