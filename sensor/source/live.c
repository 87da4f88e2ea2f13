/* SPDX-License-Identifier: Apache-2.0 */
/* live: an interface through libpcap, which uses TPACKET_V3 with one memory-mapped ring. The
 * handle never blocks: with TPACKET_V3 a read with a timeout may block for good on a silent
 * link, so the caller polls the descriptor with a timeout of its own. */
#include "sensor/source/impl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <sys/socket.h>

enum {
    BLOCK_TIMEOUT_MS = 100, /* until the kernel hands over a ring block that is not full */
    BATCH = 32,             /* most frames of one read */
};

struct live {
    lamp_source base;
    pcap_t *pcap;
    char *interface;
    int linktype;
    /* The frames of a read. libpcap gives a block of the ring back to the kernel with the last frame
     * in it, so that frames have to be copied to be looked at together; they lie close, and of
     * this room for the longest ones only what is used is ever touched. */
    uint8_t *batch;
    size_t snaplen;
    int lost_fds[2];      /* counters of the interface in /sys; -1: it has none */
    uint64_t lost_before; /* their sum when last read */
    struct lamp_source_stats sums;
    uint64_t skip_us; /* frames before are not ours */
};

static void live_close(lamp_source *s)
{
    struct live *l = (struct live *)s;
    if (l->pcap)
        pcap_close(l->pcap);
    for (size_t i = 0; i < ARRAY_LEN(l->lost_fds); i++)
        if (l->lost_fds[i] >= 0)
            close(l->lost_fds[i]);
    free(l->interface);
    free(l->batch);
    free(l);
}

struct gathering {
    struct live *live;
    struct lamp_frame *frames;
    size_t n, used; /* frames so far, and bytes of live->batch */
};

static void gather(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
    struct gathering *g = (struct gathering *)(void *)user;
    struct lamp_frame *frame = &g->frames[g->n];
    lamp_source_frame(header, g->live->batch + g->used, g->live->linktype, frame);
    if (frame->t_us < g->live->skip_us)
        return;
    g->n++;
    frame->cap_len = (uint32_t)lamp_min(frame->cap_len, g->live->snaplen);
    memcpy(g->live->batch + g->used, data, frame->cap_len);
    g->used += frame->cap_len;
}

static int live_read(lamp_source *s, struct lamp_frame *frames, size_t max, size_t *out_n,
                     char why[LAMP_SOURCE_WHY])
{
    struct live *l = (struct live *)s;
    struct gathering g = { .live = l, .frames = frames };
    if (max == 0)
        return LAMP_EINVAL;
    const int rc = pcap_dispatch(l->pcap, (int)lamp_min(max, BATCH), gather, (u_char *)&g);
    if (g.n > 0) { /* an error comes again */
        *out_n = g.n;
        return LAMP_OK;
    }
    if (rc >= 0)
        return LAMP_EAGAIN;
    return lamp_source_fail(LAMP_EIO, why, "interface %s: %s", l->interface, pcap_geterr(l->pcap));
}

static int live_next(lamp_source *s, struct lamp_frame *out, char why[LAMP_SOURCE_WHY])
{
    size_t n;
    return live_read(s, out, 1, &n, why);
}

static int live_fd(const lamp_source *s)
{
    return pcap_get_selectable_fd(((const struct live *)s)->pcap);
}

/* Frames that the interface itself lost, as the kernel counts them since it exists. */
static uint64_t lost_by_interface(const struct live *l)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < ARRAY_LEN(l->lost_fds); i++) {
        char text[32];
        const ssize_t n = pread(l->lost_fds[i], text, sizeof(text) - 1, 0);
        if (n <= 0)
            continue;
        text[n] = '\0';
        sum += strtoull(text, NULL, 10);
    }
    return sum;
}

/* pcap_stats(3PCAP) opens files, which a process in its sandbox may not: packet(7) is asked
 * directly, whose counts start at 0 with each reading. */
static void live_stats(lamp_source *s, struct lamp_source_stats *out)
{
    struct live *l = (struct live *)s;
    struct tpacket_stats_v3 st;
    socklen_t len = sizeof(st);
    if (getsockopt(pcap_fileno(l->pcap), SOL_PACKET, PACKET_STATISTICS, &st, &len) == 0)
        l->sums.kernel_drops += st.tp_drops;
    const uint64_t lost = lost_by_interface(l);
    if (lost > l->lost_before)
        l->sums.interface_drops += lost - l->lost_before;
    l->lost_before = lost;
    *out = l->sums;
}

static void live_skip(lamp_source *s, uint64_t t_us)
{
    struct live *l = (struct live *)s;
    struct lamp_source_stats before;
    l->skip_us = t_us;
    if (t_us == 0)
        return;
    live_stats(s, &before);
    l->sums = (struct lamp_source_stats){ 0 };
}

static void open_lost(struct live *l)
{
    static const char *const names[] = { "rx_missed_errors", "rx_fifo_errors" };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[128];
        if (snprintf(path, sizeof(path), "/sys/class/net/%s/statistics/%s", l->interface,
                     names[i]) < (int)sizeof(path))
            l->lost_fds[i] = open(path, O_RDONLY | O_CLOEXEC);
    }
    l->lost_before = lost_by_interface(l);
}

static const struct lamp_source_ops live_ops = { .next = live_next,
                                                 .read = live_read,
                                                 .fd = live_fd,
                                                 .stats = live_stats,
                                                 .skip = live_skip,
                                                 .close = live_close };

/* pcap_activate() with our options. */
static int activate(struct live *l, const struct lamp_live_cfg *cfg, char why[LAMP_SOURCE_WHY])
{
    char text[PCAP_ERRBUF_SIZE] = "";
    l->pcap = pcap_create(cfg->interface, text);
    if (!l->pcap)
        return lamp_source_fail(LAMP_EIO, why, "interface %s: %s", cfg->interface, text);
    if (pcap_set_snaplen(l->pcap, cfg->snaplen) || pcap_set_promisc(l->pcap, cfg->promiscuous) ||
        pcap_set_timeout(l->pcap, BLOCK_TIMEOUT_MS) ||
        pcap_set_buffer_size(l->pcap, cfg->ring_bytes))
        return lamp_source_fail(LAMP_EINVAL, why, "interface %s: capture options refused",
                                cfg->interface);

    int rc = pcap_activate(l->pcap);
    if (rc >= 0) /* above 0: a warning, such as no promiscuous mode on "any" */
        return LAMP_OK;
    switch (rc) {
    case PCAP_ERROR_NO_SUCH_DEVICE:
        return lamp_source_fail(LAMP_ENOENT, why, "interface %s: there is no such interface",
                                cfg->interface);
    case PCAP_ERROR_PERM_DENIED:
    case PCAP_ERROR_PROMISC_PERM_DENIED:
        return lamp_source_fail(LAMP_EAUTH, why,
                                "interface %s: not permitted: capturing needs CAP_NET_RAW",
                                cfg->interface);
    case PCAP_ERROR_IFACE_NOT_UP:
        return lamp_source_fail(-ENETDOWN, why, "interface %s: the interface is down",
                                cfg->interface);
    default:
        return lamp_source_fail(LAMP_EIO, why, "interface %s: %s (%s)", cfg->interface,
                                pcap_statustostr(rc), pcap_geterr(l->pcap));
    }
}

static int set_filter(struct live *l, const char *filter, char why[LAMP_SOURCE_WHY])
{
    struct bpf_program program;
    if (!filter || filter[0] == '\0')
        return LAMP_OK;
    if (pcap_compile(l->pcap, &program, filter, 1, PCAP_NETMASK_UNKNOWN))
        return lamp_source_fail(LAMP_EFORMAT, why, "filter \"%s\": %s", filter,
                                pcap_geterr(l->pcap));
    int rc = pcap_setfilter(l->pcap, &program);
    pcap_freecode(&program);
    if (rc)
        return lamp_source_fail(LAMP_EIO, why, "filter \"%s\": %s", filter, pcap_geterr(l->pcap));
    return LAMP_OK;
}

int lamp_source_open_live(const struct lamp_live_cfg *cfg, lamp_source **out,
                          char why[LAMP_SOURCE_WHY])
{
    struct live *l = calloc(1, sizeof(*l));
    char *interface = strdup(cfg->interface);
    if (!l || !interface) {
        free(l);
        free(interface);
        return lamp_source_fail(LAMP_ENOMEM, why, "interface %s: %s", cfg->interface,
                                lamp_strerror(LAMP_ENOMEM));
    }
    *l = (struct live){ .base = { &live_ops }, .interface = interface, .lost_fds = { -1, -1 } };
    const bool is_first = !cfg->fanout || cfg->fanout->id < 0;
    int err = activate(l, cfg, why);
    if (err == LAMP_OK)
        err = lamp_source_check_linktype(lamp_source_linktype(pcap_datalink(l->pcap)),
                                         cfg->interface, why);
    if (err == LAMP_OK)
        err = set_filter(l, cfg->filter, why);
    char text[PCAP_ERRBUF_SIZE] = "";
    if (err == LAMP_OK && pcap_setnonblock(l->pcap, 1, text))
        err = lamp_source_fail(LAMP_EIO, why, "interface %s: %s", cfg->interface, text);
    if (err == LAMP_OK && cfg->fanout) {
        err = lamp_fanout_join(cfg->fanout, pcap_fileno(l->pcap));
        if (err)
            lamp_source_fail(err, why, "interface %s: cannot be shared by threads: %s",
                             cfg->interface, lamp_strerror(err));
    }
    if (err != LAMP_OK) {
        live_close(&l->base);
        return err;
    }
    l->linktype = lamp_source_linktype(pcap_datalink(l->pcap));
    l->snaplen = (size_t)pcap_snapshot(l->pcap);
    l->batch = malloc(BATCH * l->snaplen);
    if (!l->batch) {
        live_close(&l->base);
        return lamp_source_fail(LAMP_ENOMEM, why, "interface %s: %s", cfg->interface,
                                lamp_strerror(LAMP_ENOMEM));
    }
    if (is_first)
        open_lost(l);
    *out = &l->base;
    return LAMP_OK;
}
