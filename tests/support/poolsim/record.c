/* SPDX-License-Identifier: Apache-2.0 */
/* `poolsim record`: counts the frames of an interface with libpcap and nothing of ours in
 * between, as the yardstick for what a sensor reports; keeps them in a file on request. */
#include "common/util.h"
#include "tests/support/poolsim/commands.h"
#include "tests/support/poolsim/net.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <stdio.h>

enum { ETHERNET = 14, RING_BYTES = 16 << 20 };

struct recorder {
    const char *interface, *filter, *out;
    pcap_t *pcap;
    pcap_dumper_t *dump;
    int signal_fd;
    uint64_t packets[2], bytes[2]; /* to the miner, to the pool */
    uint64_t server_port;
};

/* Whether the frame goes to the server port: untagged Ethernet, IPv4, TCP. */
static bool goes_up(const struct recorder *r, const uint8_t *data, uint32_t len)
{
    if (len < ETHERNET + 20 || data[12] != 8 || data[13] != 0)
        return false;
    const uint8_t *l4 = data + ETHERNET + 4 * (data[ETHERNET] & 15u);
    if (l4 + 4 > data + len)
        return false;
    return (uint64_t)(l4[2] << 8 | l4[3]) == r->server_port;
}

static void on_frame(u_char *arg, const struct pcap_pkthdr *h, const u_char *data)
{
    struct recorder *r = (struct recorder *)(void *)arg;
    const bool up = goes_up(r, data, h->caplen);
    r->packets[up]++;
    r->bytes[up] += h->len;
    if (r->dump)
        pcap_dump((u_char *)r->dump, h, data);
}

static bool open_all(struct recorder *r)
{
    char why[PCAP_ERRBUF_SIZE] = "";
    struct bpf_program program;
    r->pcap = pcap_create(r->interface, why);
    if (!r->pcap || pcap_set_snaplen(r->pcap, 262144) || pcap_set_immediate_mode(r->pcap, 1) ||
        pcap_set_buffer_size(r->pcap, RING_BYTES) || pcap_activate(r->pcap) < 0 ||
        pcap_setnonblock(r->pcap, 1, why)) {
        fprintf(stderr, "poolsim record: %s: %s\n", r->interface,
                r->pcap ? pcap_geterr(r->pcap) : why);
        return false;
    }
    if (pcap_compile(r->pcap, &program, r->filter, 1, PCAP_NETMASK_UNKNOWN) ||
        pcap_setfilter(r->pcap, &program)) {
        fprintf(stderr, "poolsim record: %s: %s\n", r->filter, pcap_geterr(r->pcap));
        return false;
    }
    pcap_freecode(&program);
    r->dump = r->out ? pcap_dump_open(r->pcap, r->out) : NULL;
    if (r->out && !r->dump)
        fprintf(stderr, "poolsim record: %s\n", pcap_geterr(r->pcap));
    return !r->out || r->dump;
}

/* In immediate mode a frame can be read as soon as it is captured, so the last round after the
 * signal misses nothing that came before it. */
static void record(struct recorder *r)
{
    struct pollfd p[2] = { { .fd = r->signal_fd, .events = POLLIN },
                           { .fd = pcap_get_selectable_fd(r->pcap), .events = POLLIN } };
    do {
        if (poll(p, 2, 100) < 0 && errno != EINTR)
            return;
    } while (pcap_dispatch(r->pcap, -1, on_frame, (u_char *)r) >= 0 && !p[0].revents);
}

int sim_cmd_record(int argc, char **argv)
{
    struct recorder r = { .filter = "" };
    bool help = false;
    char why[SIM_WHY] = "";
    const struct sim_opt opts[] = {
        { "interface", SIM_OPT_STR, &r.interface, "where to listen" },
        { "filter", SIM_OPT_STR, &r.filter, "pcap-filter(7) expression" },
        { "server-port", SIM_OPT_UINT, &r.server_port, "frames to this TCP port count as up" },
        { "out", SIM_OPT_STR, &r.out, "capture file to keep the frames in" },
        { "help", SIM_OPT_FLAG, &help, "this text" },
    };
    const int bad = sim_opt_argv(opts, ARRAY_LEN(opts), argc, argv, 2, NULL, 0, why);
    if (help) {
        puts("poolsim record --interface NAME [OPTION...]: until SIGTERM, then one JSON line.");
        sim_opt_help(opts, ARRAY_LEN(opts));
        return 0;
    }
    if (bad || !r.interface) {
        fprintf(stderr, "poolsim record: %s\n", bad ? why : "give --interface");
        return 2;
    }
    if (sim_signals(&r.signal_fd) || !open_all(&r))
        return 1;
    puts("{\"event\":\"listening\"}");
    fflush(stdout);
    record(&r);
    struct pcap_stat stat = { 0 };
    pcap_stats(r.pcap, &stat);
    printf("{\"event\":\"report\",\"packets\":{\"up\":%llu,\"down\":%llu},"
           "\"bytes\":{\"up\":%llu,\"down\":%llu},\"dropped\":%u}\n",
           (unsigned long long)r.packets[1], (unsigned long long)r.packets[0],
           (unsigned long long)r.bytes[1], (unsigned long long)r.bytes[0], stat.ps_drop);
    if (r.dump)
        pcap_dump_close(r.dump);
    pcap_close(r.pcap);
    return 0;
}
