/* SPDX-License-Identifier: Apache-2.0 */
/* packets: what decode makes of every frame of capture files, for golden.tshark and for people.
 *   packets [--no-tunnels] FILE...
 * One line a frame: number, outcome, and of a packet protocol, source, port, destination, port,
 * tab-separated; before each file "# FILE". Exit status 1: a file could not be read to its end. */
#include "sensor/engine/decode.h"
#include "sensor/source/source.h"

#include <stdio.h>

static void print(unsigned long number, enum lamp_decode outcome, const struct lamp_pkt *pkt)
{
    char src[LAMP_ADDR_STRLEN], dst[LAMP_ADDR_STRLEN];
    if (!lamp_decode_is_packet(outcome)) {
        printf("%lu\t%s\n", number, lamp_decode_name(outcome));
        return;
    }
    printf("%lu\t%s\t%s\t%s\t%u\t%s\t%u\n", number, lamp_decode_name(outcome),
           pkt->ip_proto == LAMP_IPPROTO_TCP ? "tcp" : "udp", lamp_addr_str(&pkt->src, src),
           pkt->src_port, lamp_addr_str(&pkt->dst, dst), pkt->dst_port);
}

static bool read_file(const char *file, bool no_tunnels)
{
    char why[LAMP_SOURCE_WHY];
    struct lamp_decoder_cfg cfg = { .no_tunnels = no_tunnels };
    lamp_decoder *decoder;
    lamp_source *source;
    printf("# %s\n", file);
    if (lamp_decoder_new(&cfg, &decoder) != LAMP_OK)
        return false;
    int err = lamp_source_open_file(file, &source, why);
    if (err == LAMP_OK) {
        struct lamp_frame frame;
        struct lamp_pkt pkt;
        for (unsigned long n = 1; (err = lamp_source_next(source, &frame, why)) == LAMP_OK; n++)
            print(n, lamp_decode_frame(decoder, &frame, &pkt), &pkt);
        lamp_source_close(source);
    }
    lamp_decoder_free(decoder);
    if (err != LAMP_ECLOSED)
        fprintf(stderr, "%s\n", why);
    return err == LAMP_ECLOSED;
}

int main(int argc, char **argv)
{
    bool no_tunnels = argc > 1 && streq(argv[1], "--no-tunnels"), ok = true;
    for (int i = 1 + no_tunnels; i < argc; i++)
        ok &= read_file(argv[i], no_tunnels);
    return !ok;
}
