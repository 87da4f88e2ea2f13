/* SPDX-License-Identifier: Apache-2.0 */
/* policies: rules as data: which mining they are about, what is done about it, and what came of it. */
#pragma once

#include "common/addr.h"
#include "common/verdict.h"

enum {
    LAMP_POLICIES_MAX = 64,
    LAMP_POLICY_HITS_MAX = 1000, /* of a policy; the oldest make room */
    LAMP_POLICY_NAME = 49,       /* with NUL */
    LAMP_POLICY_SAMPLE_MAX = 10000,
    LAMP_POLICY_SURE = 10000, /* the highest confidence */
};

enum lamp_policy_mode { LAMP_POLICY_OFF, LAMP_POLICY_DRY_RUN, LAMP_POLICY_ON, LAMP_POLICY_MODES };
enum lamp_policy_block {
    LAMP_POLICY_NOTHING,
    LAMP_POLICY_HOST,
    LAMP_POLICY_SERVER,
    LAMP_POLICY_BLOCKS
};
const char *lamp_policy_mode_name(enum lamp_policy_mode m);   /* "off", "dry-run", "on" */
const char *lamp_policy_block_name(enum lamp_policy_block b); /* "nothing", "host", "server" */

struct lamp_policy {
    int64_t id; /* 0: not in the store yet */
    char name[LAMP_POLICY_NAME];
    enum lamp_policy_mode mode;
    uint32_t place; /* in their order, from 1 on: where several fit, the first one acts first */

    /* Which connections; what is "" or not set says nothing. */
    enum lamp_verdict verdict; /* at least */
    char coin[33], site[65];
    char pool[257];  /* a name and all below it, an address, ADDRESS:PORT */
    bool sanctioned; /* also those that operators marked as sanctioned or dismissed */
    uint8_t days;    /* bit 0: Monday ... bit 6: Sunday; at which it begins */
    uint16_t from_minute, to_minute; /* of the day; alike: all day; from later: past midnight */
    uint16_t confidence;             /* at least, in 1/10000; 0: any that the verdict has */

    /* What is done. */
    bool alert;
    uint32_t sample; /* packets of each of the miner's connections to keep; 0: none */
    enum lamp_policy_block block;
    bool everywhere;    /* a server at every site, not only where it was seen */
    uint32_t lease_s;   /* of the first block; each further one of a target lasts twice as long */
    uint32_t longest_s; /* and no longer than this */
    uint32_t grace_s;   /* after a person lifted or refused a block of the target */

    char created_by[65], mode_by[65];
    uint64_t created_us, mode_us;
};
typedef bool lamp_policy_fn(const struct lamp_policy *p, void *arg);

/* What a policy did to a pair of host and server, or (dry run) would have done. */
struct lamp_policy_hit {
    int64_t policy_id, miner_id, conn_id;
    char site[65];
    struct lamp_addr host, server;
    uint32_t vlan;
    uint16_t server_port;
    uint8_t ip_proto;
    bool dry_run;
    int64_t block_id;                  /* 0: none */
    char why[513], outcome[321];       /* sentences */
    uint64_t first_us, last_us, count; /* times, a minute apart at least */
};
typedef bool lamp_policy_hit_fn(const struct lamp_policy_hit *h, void *arg);

/* What became of earlier blocks of a target. */
struct lamp_block_past {
    uint32_t by_policies; /* entered by policies */
    uint64_t lifted_us;   /* when a person lifted or refused one last; 0: never */
};
