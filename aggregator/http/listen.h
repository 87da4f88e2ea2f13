/* SPDX-License-Identifier: Apache-2.0 */
/* http_listen: the listening socket of the web server, made by us rather than by its library, so
 * that a port that cannot be had is told with its reason. No state. */
#pragma once

#include "common/err.h"
#include "common/util.h"

/* Opens a bound, listening, non-blocking socket at "127.0.0.1:8080" or "[::1]:8080"; port 0 takes
 * any free one. `why` (size bytes) says what failed. LAMP_EINVAL: the text makes no sense, or
 * it is not a loopback address and plain_ok is not given. LAMP_EIO: the system refused. */
LAMP_CHECK int lamp_http_listen(const char *listen_at, bool plain_ok, int *out_fd,
                                uint16_t *out_port, char *why, size_t size);
