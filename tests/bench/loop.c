/* SPDX-License-Identifier: Apache-2.0 */
/* loop: the least that a program on libpcap can do with a capture file: read every packet and
 * count it. What everything else in tests/bench is compared with. */
#include <pcap/pcap.h>
#include <stdint.h>
#include <stdio.h>

struct count {
    uint64_t packets, bytes;
};

static void on_packet(u_char *user, const struct pcap_pkthdr *h, const u_char *data)
{
    struct count *c = (struct count *)(void *)user;
    (void)data;
    c->packets++;
    c->bytes += h->len;
}

int main(int argc, char **argv)
{
    char why[PCAP_ERRBUF_SIZE] = "usage: loop FILE.pcap";
    static char buffer[256 << 10]; /* stdio's own 4 KiB would make it slower */
    FILE *stream = argc == 2 ? fopen(argv[1], "rbe") : NULL;
    if (stream)
        setvbuf(stream, buffer, _IOFBF, sizeof(buffer));
    pcap_t *pcap = stream ? pcap_fopen_offline(stream, why) : NULL;
    if (!pcap) {
        fprintf(stderr, "loop: %s\n", why);
        return 2;
    }
    struct count c = { 0 };
    pcap_loop(pcap, -1, on_packet, (u_char *)&c);
    pcap_close(pcap);
    printf("%llu packets, %llu bytes\n", (unsigned long long)c.packets,
           (unsigned long long)c.bytes);
    return 0;
}
