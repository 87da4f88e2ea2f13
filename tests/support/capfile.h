/* SPDX-License-Identifier: Apache-2.0 */
/* capfile: made-up traffic as a capture file. A capfile collects frames in any order and saves
 * them sorted by time as classic pcap (microseconds, LINKTYPE_ETHERNET); a capflow turns
 * messages into the frames of one TCP conversation as a router between the two ends sees
 * them: handshake, segments, acknowledgements, right checksums, and on request VLAN tags,
 * retransmissions and swapped segments. The same seed gives the same bytes.
 * A capfile owns its frames; a capflow is plain data that borrows its capfile. Not
 * thread-safe. At most LAMP_CAPFILE_FRAMES frames of LAMP_CAPFILE_FRAME_BYTES each. */
#pragma once

#include "common/addr.h"
#include "common/err.h"
#include "common/util.h"
#include "tests/support/rng.h"

enum { LAMP_CAPFILE_FRAMES = 2000000, LAMP_CAPFILE_FRAME_BYTES = 2048, LAMP_CAPFILE_VLANS = 4 };

typedef struct lamp_capfile lamp_capfile;

/* LAMP_ENOMEM. */
LAMP_CHECK int lamp_capfile_new(lamp_capfile **out);
lamp_capfile *lamp_capfile_free(lamp_capfile *c);

/* Adds a copy of a whole Ethernet frame. Frames of equal time keep the order of adding.
 * LAMP_EFULL: a limit. LAMP_ENOMEM. */
LAMP_CHECK int lamp_capfile_add(lamp_capfile *c, uint64_t t_us, const uint8_t *data, size_t len);

/* Writes everything added so far. Negated errno. */
LAMP_CHECK int lamp_capfile_save(lamp_capfile *c, const char *path);

size_t lamp_capfile_frames(const lamp_capfile *c);

/* The ends of a conversation; both addresses are of one family. */
struct lamp_capflow_cfg {
    struct lamp_addr client, server;
    uint16_t client_port, server_port;
    uint16_t vlans[LAMP_CAPFILE_VLANS]; /* ids, outermost first */
    uint8_t n_vlans;
    uint16_t mss;            /* longest TCP payload; 0: 1400 */
    uint32_t rtt_us;         /* an acknowledgement follows after half of it */
    double retransmit;       /* probability that a segment is seen twice */
    double reorder;          /* probability that two segments of one message swap */
    bool hide_up, hide_down; /* the capture sees one direction only */
    uint64_t seed;
};

enum lamp_capflow_dir { LAMP_CAPFLOW_UP, LAMP_CAPFLOW_DOWN };

struct lamp_capflow {
    struct lamp_capflow_cfg cfg;
    lamp_capfile *file; /* borrowed */
    struct lamp_rng rng;
    uint32_t seq[2]; /* next sequence number of each direction */
    uint16_t ip_id[2];
    uint64_t packets[2], bytes[2]; /* frames seen at the capture point; frame bytes */
    uint64_t first_us, last_us;    /* of those; 0: none yet */
};

/* Starts a conversation without writing anything: data sent now is seen mid-stream. */
void lamp_capflow_init(struct lamp_capflow *f, lamp_capfile *file,
                       const struct lamp_capflow_cfg *cfg);

/* SYN, SYN+ACK, ACK from t_us on, one round trip long. Errors as lamp_capfile_add(). */
LAMP_CHECK int lamp_capflow_open(struct lamp_capflow *f, uint64_t t_us);

/* One message, cut into segments, and its acknowledgement. Errors as lamp_capfile_add(). */
LAMP_CHECK int lamp_capflow_send(struct lamp_capflow *f, enum lamp_capflow_dir dir, uint64_t t_us,
                                 const void *data, size_t len);

/* FIN from the client, FIN+ACK, ACK; or one RST of the client. Errors as lamp_capfile_add(). */
LAMP_CHECK int lamp_capflow_close(struct lamp_capflow *f, uint64_t t_us);
LAMP_CHECK int lamp_capflow_reset(struct lamp_capflow *f, uint64_t t_us);

/* One UDP datagram between the ends (a capflow that is used for UDP sends nothing else). */
LAMP_CHECK int lamp_capflow_datagram(struct lamp_capflow *f, enum lamp_capflow_dir dir,
                                     uint64_t t_us, const void *data, size_t len);
