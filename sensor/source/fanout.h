/* SPDX-License-Identifier: Apache-2.0 */
/* fanout: spreads the frames of an interface over several packet sockets, one to a thread
 * (PACKET_FANOUT, packet(7)), so that everything between two hosts meets in one of them.
 *
 * The kernel's own PACKET_FANOUT_HASH is symmetric too (fanout_demux_hash() in net/packet/af_packet.c calls
 * __skb_get_hash_symmetric() since Linux 4.7), but hashes ports: the two directions of a VXLAN or Geneve
 * tunnel, whose source ports are chosen by each end, part, and so do the fragments of a datagram.
 * So a classic BPF program (PACKET_FANOUT_CBPF) hashes the two outermost IP addresses alone, found below
 * up to two VLAN tags, PPPoE and four MPLS labels. What is not IP goes to the first socket. All of a tunnel
 * is one pair of hosts, and goes to one socket. Needs Linux 4.12. */
#pragma once

#include "common/err.h"
#include "common/util.h"

/* One for each interface; the sockets join in the order of their threads. */
struct lamp_fanout {
    int id;       /* of the kernel's group; -1: nobody has joined */
    uint32_t key; /* random, so that nobody can choose addresses that meet in one thread */
};

struct sock_filter;
enum { LAMP_FANOUT_CODE = 4096 }; /* BPF_MAXINSNS */

/* Writes the program into code (LAMP_FANOUT_CODE instructions) and returns its length. Of what it returns, the
 * kernel takes the remainder by the number of sockets. */
unsigned lamp_fanout_program(uint32_t key, struct sock_filter *code);

/* Joins the group with a bound packet socket; the first makes it. Negated errno. */
LAMP_CHECK int lamp_fanout_join(struct lamp_fanout *f, int fd);
