/* SPDX-License-Identifier: Apache-2.0 */
/* conn: what is known of one mining or wallet connection. classify fills it, analyze prints
 * it, summarise turns it into wire rows. Bounded: no pointer leads to memory that a packet
 * can make grow; longer text is cut, longer lists drop the oldest entry. */
#pragma once

#include "common/addr.h"
#include "common/estimate.h"
#include "common/util.h"
#include "common/verdict.h"
#include "sensor/engine/packet.h"

enum {
    LAMP_CONN_TEXT = 160, /* longest wallet, worker or agent kept, bytes with NUL */
    LAMP_CONN_NAMES = 8,  /* wallets and workers remembered of one connection */
    LAMP_CONN_EVIDENCE = 12,
    LAMP_CONN_DETAIL = 160,
};

/* Which way a packet went: up is from the mining side (the client), down is towards it. */
enum lamp_dir { LAMP_UP, LAMP_DOWN };

/* Untrusted text as valid UTF-8, other bytes as \xNN (lamp_text_utf8()). "" is unknown. */
typedef char lamp_conn_text[LAMP_CONN_TEXT];

struct lamp_conn_names {
    lamp_conn_text v[LAMP_CONN_NAMES]; /* every one seen, newest last */
    uint8_t n;
};

struct lamp_conn_evidence {
    const char *kind;              /* static: "grammar-client", "share", ... */
    const char *field;             /* static: the part of the traffic it was seen in */
    const char *strength;          /* static: "certain", "weak", ...; NULL: no evidence by itself */
    const char *refute;            /* static: what would show that it is no mining; NULL */
    uint64_t t_us;                 /* time of the packet; 0 unknown */
    enum lamp_dir dir;             /* who sent it */
    char detail[LAMP_CONN_DETAIL]; /* what was seen, for a person */
};

/* What stands between the wire's server and the mining. */
struct lamp_tunnel {
    const char *kind;    /* static: "socks5", "http-connect", ...; NULL: none */
    lamp_conn_text host; /* where it leads to; of "proxy-protocol": whom the proxy speaks for */
    uint16_t port;
};

struct lamp_shares {
    uint32_t submitted, accepted, rejected, stale;
};

struct lamp_conn {
    uint64_t id;                     /* unique within one engine (lamp_engine_cfg.first_id) */
    struct lamp_addr client, server; /* client is the side that mines */
    uint16_t client_port, server_port;
    uint8_t ip_proto, n_vlans;
    uint16_t vlans[LAMP_VLAN_DEPTH];
    bool midstream; /* no SYN was seen */
    bool ended;

    uint64_t first_us, last_us;    /* first and newest packet */
    uint64_t bytes[2], packets[2]; /* by enum lamp_dir; frames and their orig_len */

    uint64_t found_us;      /* packet that made the verdict probable or better; 0: none has */
    uint64_t found_packets; /* how many there were by then, both ways */
    enum lamp_verdict verdict;
    double confidence;                       /* 0..1 */
    const char *family;                      /* static: "stratum-v1", "cryptonote", "eth-proxy" */
    const char *coin, *algorithm, *unit;     /* catalogue's or static; NULL unknown */
    const char *pool;                        /* catalogue's; NULL unknown */
    const char *platform;                    /* "minergate", "nicehash", ...; NULL unknown */
    struct lamp_conn_names wallets, workers; /* the last one is the current one */
    lamp_conn_text agent, server_name, sni, ja4;
    bool tls;
    bool ip_bytes; /* of flow records: bytes are those of IP packets, not of frames */
    bool recalled; /* the verdict is that of an earlier connection of the pair (known.h) */
    struct lamp_tunnel tunnel;

    uint32_t jobs;             /* messages that handed out work */
    uint64_t block_us;         /* when the newest job of a new block came; 0: none did */
    struct lamp_shares shares; /* distinct submits and their answers */
    double difficulty;         /* in force; 0 unknown */
    double work;               /* expected hashes of the counted shares */
    double work_squares;       /* sum of their squares: how unequal they are */
    enum lamp_rate_method
        work_method;             /* SHARES, or HASH_VALUE where their own hashes tell the work */
    uint32_t work_shares;        /* how many shares `work` covers */
    uint32_t hash_values;        /* of HASH_VALUE: how many hashes the difficulty was read from */
    uint32_t early_shares;       /* encrypted: 1 + client messages of its usual size in the first
                            * LAMP_BEHAVIOUR_EARLY_S; 0: too early, or its start was not seen */
    uint16_t devices;            /* how many devices the nonces tell of; 0 unknown */
    uint64_t work_from_us;       /* since when shares could have been seen */
    struct lamp_rate other_rate; /* by NONCE or TIMING; method NONE: neither tells */
    double self_rate;            /* last self-reported hashes/s; 0 none */

    struct lamp_conn_evidence evidence[LAMP_CONN_EVIDENCE];
    uint8_t n_evidence;
};

/* The newest name of a list, or "". */
static inline const char *lamp_conn_current(const struct lamp_conn_names *n)
{
    return n->n ? n->v[n->n - 1] : "";
}

/* ---- reasons that a person can read ---- */

struct lamp_reason {
    const char *kind;     /* static: "tls-name" */
    const char *field;    /* static: where in the traffic: "server_name of the ClientHello" */
    const char *refute;   /* static: what would show that it is not so; NULL: nothing said */
    const char *strength; /* static: "certain", "weak"; NULL: it describes and proves nothing */
    uint64_t t_us;        /* time of the packet */
    enum lamp_dir dir;    /* who sent it, relative to the miner */
};

/* Adds a reason with a formatted detail, or brings the one of the same kind and direction up to date
 * if `replace`. Nothing happens where the list is full. */
__attribute__((format(printf, 4, 5))) void lamp_reason_add(struct lamp_conn *c,
                                                           const struct lamp_reason *r,
                                                           bool replace, const char *format, ...);
