/* SPDX-License-Identifier: Apache-2.0 */
/* impl: what every kind of source implements, and what they share. Only for sensor/source/. */
#pragma once

#include "sensor/source/source.h"

#include <pcap/pcap.h>

struct lamp_source_ops {
    int (*next)(lamp_source *s, struct lamp_frame *out, char why[LAMP_SOURCE_WHY]);
    /* lamp_source_read(); NULL: one `next` at a time */
    int (*read)(lamp_source *s, struct lamp_frame *frames, size_t max, size_t *out_n,
                char why[LAMP_SOURCE_WHY]);
    int (*fd)(const lamp_source *s);                              /* NULL: no fd */
    uint64_t (*size)(const lamp_source *s);                       /* NULL: not known */
    void (*stats)(lamp_source *s, struct lamp_source_stats *out); /* NULL: all zero */
    void (*skip)(lamp_source *s, uint64_t t_us);                  /* NULL: nothing to do */
    void (*close)(lamp_source *s);                                /* frees s */
};

/* The first member of each kind's own struct, which may have members of 64 bits: aligned for these on every
 * processor. */
struct lamp_source {
    _Alignas(uint64_t) const struct lamp_source_ops *ops;
};

/* Writes a sentence into why, cut if need be, and returns err. */
int lamp_source_fail(int err, char why[LAMP_SOURCE_WHY], const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The LINKTYPE_ value of what libpcap calls the link layer (its DLT_ value), or of what a file
 * says, where some wrote their DLT_ value. */
int lamp_source_linktype(int dlt);

/* LAMP_EUNSUPPORTED, with a sentence, if decode cannot read the link type of `name`. */
LAMP_CHECK int lamp_source_check_linktype(int linktype, const char *name,
                                          char why[LAMP_SOURCE_WHY]);

/* What libpcap gave us, in our terms. */
void lamp_source_frame(const struct pcap_pkthdr *h, const uint8_t *data, int linktype,
                       struct lamp_frame *out);
