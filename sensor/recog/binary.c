/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/recog/binary.h"

#define LAMP_BINARY(n) extern const struct lamp_binary lamp_binary_##n;
#include "sensor/recog/binary.def"
#undef LAMP_BINARY

static const struct lamp_binary *const all[] = {
#define LAMP_BINARY(n) &lamp_binary_##n,
#include "sensor/recog/binary.def"
#undef LAMP_BINARY
};

const struct lamp_binary *const *lamp_binaries(size_t *out_n)
{
    *out_n = ARRAY_LEN(all);
    return all;
}

bool lamp_binary_opens(uint8_t ip_proto, struct lamp_bytes payload, uint32_t len,
                       uint16_t server_port)
{
    if (ip_proto == LAMP_IPPROTO_UDP)
        return lamp_binary_discv4.opens(payload, len, server_port);
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (all[i]->opens(payload, len, server_port))
            return true;
    return false;
}
