/* SPDX-License-Identifier: Apache-2.0 */
/* quality_names: how the names of a TRUTH.tsv stand to those of analyze. */
#pragma once

#include "common/util.h"

/* Rows are counted apart by what of them is visible. */
enum quality_class { QUALITY_PLAIN, QUALITY_TLS, QUALITY_WSS, QUALITY_CLASSES };

/* What the family of a truth row is called here, "any" where every family will do. The class tells
 * how it is scored; out_accepts whether `ours` is right for it. Thread-safe. */
const char *quality_family(const char *truth, enum quality_class *out_class);
bool quality_family_fits(const char *wanted, const char *ours);

/* Copies the coin symbols that a truth cell allows ("ETC/ETH (ethash family)"), each ended by '/';
 * "" where it names none. */
void quality_coins(const char *truth, char *buf, size_t size);
bool quality_coin_fits(const char *wanted, const char *ours);
