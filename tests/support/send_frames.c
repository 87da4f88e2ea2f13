/* SPDX-License-Identifier: Apache-2.0 */
/* send_frames: puts the frames of a capture file on an interface, round and round, as fast as the
 * kernel takes them or at a rate. For network namespaces of a test's own. Prints one line:
 *   sent N seconds S pps P gbit G cpu_ns C refused R
 * cpu_ns: of this process, a frame; refused: attempts that the kernel had no room for. */
#include "common/min.h"
#include "sensor/source/source.h"

#include <errno.h>
#include <getopt.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

enum { FRAMES_MAX = 1 << 20, BATCH = 64, BYTES_MAX = 1 << 30 };

struct sender {
    struct iovec frames[FRAMES_MAX];
    size_t n, next;
    int fd;
    uint64_t sent, bytes, refused;
};

static double now_s(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool load(struct sender *s, const char *path)
{
    char why[LAMP_SOURCE_WHY] = "";
    lamp_source *source;
    struct lamp_frame f;
    size_t bytes = 0;
    int err = lamp_source_open_file(path, &source, why);
    if (err != LAMP_OK) {
        fprintf(stderr, "send_frames: %s\n", why);
        return false;
    }
    while (s->n < FRAMES_MAX && bytes < BYTES_MAX &&
           (err = lamp_source_next(source, &f, why)) == LAMP_OK) {
        uint8_t *copy = malloc(f.cap_len + 1);
        if (!copy)
            break;
        memcpy(copy, f.data, f.cap_len);
        s->frames[s->n++] = (struct iovec){ copy, f.cap_len };
        bytes += f.cap_len;
    }
    lamp_source_close(source);
    return s->n > 0;
}

static bool open_interface(struct sender *s, const char *interface)
{
    const struct sockaddr_ll to = { .sll_family = AF_PACKET,
                                    .sll_protocol = htons(ETH_P_ALL),
                                    .sll_ifindex = (int)if_nametoindex(interface) };
    const int yes = 1;
    s->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (s->fd >= 0 && to.sll_ifindex > 0 &&
        bind(s->fd, (const struct sockaddr *)&to, sizeof(to)) == 0 &&
        setsockopt(s->fd, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof(yes)) == 0)
        return true;
    fprintf(stderr, "send_frames: %s: %s\n", interface, strerror(errno));
    return false;
}

/* Sends the next up to `most` frames; false: the interface is gone. */
static bool send_some(struct sender *s, size_t most)
{
    struct mmsghdr m[BATCH];
    const size_t n = lamp_min(lamp_min(most, BATCH), s->n - s->next);
    for (size_t i = 0; i < n; i++)
        m[i] =
            (struct mmsghdr){ .msg_hdr = { .msg_iov = &s->frames[s->next + i], .msg_iovlen = 1 } };
    const int done = sendmmsg(s->fd, m, (unsigned)n, 0);
    if (done < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR) {
        perror("send_frames");
        return false;
    }
    s->refused += done < (int)n;
    for (int i = 0; i < done; i++)
        s->bytes += s->frames[s->next + (size_t)i].iov_len;
    if (done > 0) {
        s->sent += (uint64_t)done;
        s->next = (s->next + (size_t)done) % s->n;
    }
    return true;
}

int main(int argc, char **argv)
{
    static const struct option options[] = { { "count", required_argument, NULL, 'c' },
                                             { "seconds", required_argument, NULL, 's' },
                                             { "rate", required_argument, NULL, 'r' },
                                             { NULL, 0, NULL, 0 } };
    uint64_t count = UINT64_MAX;
    double seconds = 1e9, rate = 0;
    for (int opt; (opt = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (opt == 'c')
            count = strtoull(optarg, NULL, 10);
        else if (opt == 's')
            seconds = strtod(optarg, NULL);
        else if (opt == 'r')
            rate = strtod(optarg, NULL);
        else
            return 2;
    }
    static struct sender s;
    if (optind + 2 != argc) {
        fputs("Usage: send_frames [--count N] [--seconds S] [--rate PPS] INTERFACE FILE\n", stderr);
        return 2;
    }
    if (!load(&s, argv[optind + 1]) || !open_interface(&s, argv[optind]))
        return 1;
    const double began = now_s(CLOCK_MONOTONIC), cpu = now_s(CLOCK_PROCESS_CPUTIME_ID);
    double t = began;
    while (s.sent < count && t - began < seconds) {
        const uint64_t due = rate > 0 ? (uint64_t)((t - began) * rate) + 1 : UINT64_MAX;
        const uint64_t most = (due < count ? due : count) - s.sent;
        if (s.sent >= due)
            sched_yield();
        else if (!send_some(&s, (size_t)lamp_min_u64(most, SIZE_MAX)))
            return 1;
        t = now_s(CLOCK_MONOTONIC);
    }
    const double took = t - began;
    printf("sent %llu seconds %.3f pps %.0f gbit %.2f cpu_ns %.0f refused %llu\n",
           (unsigned long long)s.sent, took, (double)s.sent / took,
           (double)s.bytes * 8 / took / 1e9,
           (now_s(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e9 / (double)s.sent,
           (unsigned long long)s.refused);
    return 0;
}
