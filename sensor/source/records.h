/* SPDX-License-Identifier: Apache-2.0 */
/* records: the packets of a capture file, many at a time and without copying: pcap (version
 * 2.4, either byte order, micro- and nanoseconds) and pcapng (several sections and interfaces,
 * each with its own link type, snapshot length and resolution of time). Every length in the
 * file is checked before it is used. Only for sensor/source/.
 * Sources: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng. */
#pragma once

#include "sensor/source/stream.h"

typedef struct lamp_records lamp_records;

enum { LAMP_RECORDS_PACKET_MAX = 262144, LAMP_RECORDS_INTERFACES_MAX = 4096 };

/* Reads the head of `in`; both are borrowed, name is for messages. LAMP_EFORMAT: no capture file,
 * LAMP_ETRUNC, LAMP_EUNSUPPORTED: its version or link type, LAMP_ENOMEM, negated errno. */
LAMP_CHECK int lamp_records_new(lamp_stream *in, const char *name, lamp_records **out,
                                char why[LAMP_SOURCE_WHY]);
lamp_records *lamp_records_free(lamp_records *r);

/* Like lamp_source_read(). Frames read before damage are handed over first. A frame of a link
 * type that decode does not know is handed over like any other, and LAMP_EUNSUPPORTED at the
 * end says so. */
LAMP_CHECK int lamp_records_read(lamp_records *r, struct lamp_frame *frames, size_t max,
                                 size_t *out_n, char why[LAMP_SOURCE_WHY]);
