/* SPDX-License-Identifier: Apache-2.0 */
/* run_analyze: the analyze command as the golden tests run it. Not thread-safe. */
#pragma once

#include "common/util.h"

/* Runs `analyze --json --catalogue LAMP_DATA PATH...` in this process with its output in
 * *out (terminated; free() it) and nothing on stderr. Returns its exit code. */
int run_analyze(char *const *paths, size_t n_paths, char **out);
