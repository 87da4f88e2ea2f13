/* SPDX-License-Identifier: Apache-2.0 */
/* pools_json: the catalogue's views as the JSON objects of docs/api/openapi.yaml. Pure. */
#pragma once

#include "aggregator/store/pools.h"
#include "common/cdn.h"
#include "common/json.h"

/* key: of the object; NULL in a list. */
void lamp_api_json_pool(struct lamp_json *j, const char *key, const struct lamp_pool_view *v);
void lamp_api_json_pool_entry(struct lamp_json *j, const char *key,
                              const struct lamp_pool_entry *e);

/* Writes the fields of a server without opening or closing the object; the caller adds addresses. */
void lamp_api_json_pool_server_fields(struct lamp_json *j, const struct lamp_pool_server *v);
void lamp_api_json_pool_address(struct lamp_json *j, const char *key,
                                const struct lamp_pool_address *v, const lamp_cdn *cdn);
void lamp_api_json_pool_endpoint(struct lamp_json *j, const char *key,
                                 const struct lamp_pool_endpoint *e);
void lamp_api_json_pool_change(struct lamp_json *j, const char *key,
                               const struct lamp_pool_change *c);
void lamp_api_json_pool_version(struct lamp_json *j, const struct lamp_pool_version *v);

/* Why an address says little of who answers at it; NULL: it says as much as it can. */
const char *lamp_api_pool_weak(const lamp_cdn *cdn, const struct lamp_addr *a, const char *cname,
                               uint32_t pools, char *buf, size_t size);
