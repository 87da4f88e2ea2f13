/* SPDX-License-Identifier: Apache-2.0 */
/* pools: the commands about the catalogue. Each returns the exit status: 0, 1 failed, 2 wrong usage,
 * which it explains on stderr. */
#pragma once

#include "aggregator/cli/client.h"

/* `davylamp pools [WHAT [ARGUMENT]...]`; json: objects instead of tables. */
int lamp_cli_pools(lamp_client *c, bool json, char **args, int n);

/* What the catalogue knows of n addresses, names or ports, at a time (NULL: now; seconds since 1970 or
 * YYYY-MM-DD[THH:MM[:SS]] in UTC). */
int lamp_cli_lookup(lamp_client *c, bool json, const char *at, char **args, int n);

/* Has the aggregator ask HOST:PORT now whether it is a pool, and waits for the answer; of a number, looks the
 * pool up again. */
int lamp_cli_probe(lamp_client *c, bool json, const char *what);

/* Turns "resolve" or "probe" on or off, or (n 0) shows both. */
int lamp_cli_catalogue(lamp_client *c, bool json, char **args, int n);
