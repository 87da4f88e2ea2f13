/* SPDX-License-Identifier: Apache-2.0 */
/* source: where frames come from: a capture file, a folder of them, or a live interface, one
 * interface for all. Not thread-safe. Never logs; errors come back with a sentence in `why`
 * that names the input and what to do. */
#pragma once

#include "common/err.h"
#include "sensor/engine/packet.h"
#include "sensor/source/fanout.h"

typedef struct lamp_source lamp_source;

enum { LAMP_SOURCE_WHY = 512 };

struct lamp_source_stats {
    uint64_t kernel_drops, interface_drops; /* cumulative; live only */
};

/* Opens a capture file (pcap or pcapng, us or ns, either byte order, as it is or compressed by
 * gzip or zstd); "-" is standard input. LAMP_ENOENT, LAMP_EFORMAT: no capture file,
 * LAMP_ETRUNC, LAMP_EUNSUPPORTED, LAMP_ENOMEM, negated errno. */
LAMP_CHECK int lamp_source_open_file(const char *path, lamp_source **out,
                                     char why[LAMP_SOURCE_WHY]);

/* The same with a descriptor, which it takes, also on failure; name is for messages. */
LAMP_CHECK int lamp_source_open_fd(int fd, const char *name, lamp_source **out,
                                   char why[LAMP_SOURCE_WHY]);

/* Opens an interface: TPACKET_V3 through libpcap, non-blocking. filter: pcap-filter(7)
 * expression, "" for all. LAMP_ENOENT: no such interface. LAMP_EAUTH: not permitted. */
struct lamp_live_cfg {
    const char *interface, *filter;
    int snaplen;
    int ring_bytes;
    bool promiscuous;
    /* Where several sources share the interface: the group, which the first makes; NULL: alone. What
     * the interface itself lost is counted by the first. */
    struct lamp_fanout *fanout;
};
LAMP_CHECK int lamp_source_open_live(const struct lamp_live_cfg *cfg, lamp_source **out,
                                     char why[LAMP_SOURCE_WHY]);

/* Reads the next frame. LAMP_OK: *out is valid until the next call. LAMP_ECLOSED: end of
 * file. LAMP_EAGAIN: nothing now (live): poll lamp_source_fd(). LAMP_ETRUNC, LAMP_EFORMAT: the
 * file is damaged from here on; `why` says where and how. LAMP_EUNSUPPORTED: the file had
 * packets of a link type that decode does not know. LAMP_EIO: the interface went away. */
LAMP_CHECK int lamp_source_next(lamp_source *s, struct lamp_frame *out, char why[LAMP_SOURCE_WHY]);

/* Reads up to max frames, all valid until the next read of either kind. LAMP_OK: *out_n of them,
 * at least one; else no frame, and the errors of lamp_source_next(). */
LAMP_CHECK int lamp_source_read(lamp_source *s, struct lamp_frame *frames, size_t max,
                                size_t *out_n, char why[LAMP_SOURCE_WHY]);

/* To poll for reading; -1 for files. */
int lamp_source_fd(const lamp_source *s);

/* Bytes of the file that it was opened with; UINT64_MAX: not known (live, compressed, a pipe). */
uint64_t lamp_source_size(const lamp_source *s);
void lamp_source_stats(lamp_source *s, struct lamp_source_stats *out);

/* Live: hands over no frame from before t_us, and forgets what was dropped so far. Before all sources of
 * an interface have joined their group each gets every frame. 0: no more need of that. */
void lamp_source_skip(lamp_source *s, uint64_t t_us);
lamp_source *lamp_source_close(lamp_source *s);

/* Calls fn for every capture file under path (itself if it is a file), folders in order of
 * their names, symbolic links to folders not followed, at most 64 levels. The path given to
 * fn is `path` as given plus what lies below. fn returns false to stop. Errors of the walk
 * (unreadable folder) go to fn_error. */
typedef bool lamp_walk_fn(const char *file, void *arg);
typedef void lamp_walk_error_fn(const char *path, const char *why, void *arg);
void lamp_source_walk(const char *path, lamp_walk_fn *fn, lamp_walk_error_fn *fn_error, void *arg);
