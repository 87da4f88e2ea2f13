/* SPDX-License-Identifier: Apache-2.0 */
/* wire_priv: unpacking under a budget of the caller's choice, for the tests that make every
 * allocation fail in turn. Otherwise as lamp_msg_unpack() and lamp_batch_unpack(). */
#pragma once

#include "proto/wire.h"

LAMP_CHECK int lamp_msg_unpack_within(size_t budget, const uint8_t *data, size_t len,
                                      struct lamp_msg **out);
LAMP_CHECK int lamp_batch_unpack_within(size_t budget, struct lamp_bytes packed,
                                        struct lamp_batch **out);
