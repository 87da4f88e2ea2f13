/* SPDX-License-Identifier: Apache-2.0 */
/* json_imports: imported captures as docs/api/openapi.yaml describes them. */
#pragma once

#include "aggregator/imports/imports.h"
#include "common/json.h"

/* p NULL: it is not under way. */
void lamp_api_json_import(struct lamp_json *j, const struct lamp_import *i,
                          const struct lamp_imports_progress *p);
void lamp_api_json_import_file(struct lamp_json *j, const struct lamp_import_file *f);
void lamp_api_json_import_minute(struct lamp_json *j, const struct lamp_import_minute *m);
void lamp_api_json_import_conn(struct lamp_json *j, const struct lamp_import_conn *c);
