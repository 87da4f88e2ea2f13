/* SPDX-License-Identifier: Apache-2.0 */
/* command: what the API asks the writer thread to do, since the writer alone writes. A bounded
 * queue (256): the caller waits for the answer. Thread-safe. */
#pragma once

#include "aggregator/store/baselines.h"
#include "aggregator/store/history.h"
#include "aggregator/store/pools.h"
#include "aggregator/store/samples.h"
#include "aggregator/store/store.h"
#include "aggregator/store/trackings.h"

typedef struct lamp_commands lamp_commands;

enum lamp_command_kind {
    LAMP_CMD_BLOCK,
    LAMP_CMD_UNBLOCK,
    LAMP_CMD_MARK,
    LAMP_CMD_DECIDE,
    LAMP_CMD_HOLD,
    LAMP_CMD_ACK,      /* a person knows of alert_id */
    LAMP_CMD_OWN,      /* the owner's lists: adds own where approve, else takes own.id off */
    LAMP_CMD_POLICY,   /* policy_change of policy */
    LAMP_CMD_SETTING,  /* sets setting for its site where approve, else takes it back */
    LAMP_CMD_TOKEN,    /* makes a token: digest, site, name (or ""), ttl_s */
    LAMP_CMD_ENROLL,   /* a key shows a token: key, digest, name (which it would like) */
    LAMP_CMD_ADMIT,    /* lets a key in: key, site, name */
    LAMP_CMD_REJECT,   /* keeps one out for good: key */
    LAMP_CMD_REVOKE,   /* ends one: key_id */
    LAMP_CMD_ROTATE,   /* asks its sensor for another: key_id */
    LAMP_CMD_ANNOUNCE, /* tells sensors of our next key: server_key */
    LAMP_CMD_POOLS,    /* changes entries of the catalogue: edits, n_edits */
    LAMP_CMD_NOTE,     /* notes that actor did name to reason, which the API did itself */
    LAMP_CMD_IMPORT,   /* import_change of import */
    LAMP_CMD_SWITCH,   /* turns resolving or probing on or off: pool_switch, approve */
    LAMP_CMD_SAMPLE,   /* sample_change of sample */
    LAMP_CMD_BASELINE, /* baseline.change */
    LAMP_CMD_TRACKING, /* tracking_change of tracking */
    LAMP_CMD_PROVED,   /* proved.say to something that the fleet learned */
    LAMP_CMD_HISTORY,  /* how far history went to another place: history */

    /* Who may use the API (writer/accounts.h); those before are about the fleet. */
    LAMP_CMD_USER_ADD,    /* account */
    LAMP_CMD_USER_CHANGE, /* account.name, and the members that `change` names */
    LAMP_CMD_USER_DELETE, /* account.name */
    LAMP_CMD_API_TOKEN,   /* makes a token of the API: api_token */
    LAMP_CMD_API_REVOKE,  /* ends one: api_token.id */
    LAMP_CMD_API_USED,    /* notes when one was used: api_token.id, used_us */
    LAMP_CMD_SESSION_END, /* notes that actor ended a session of account.name */
};

/* What of an account is changed. */
enum lamp_account_change {
    LAMP_CHANGE_ROLE = 1 << 0,
    LAMP_CHANGE_SCOPE = 1 << 1,
    LAMP_CHANGE_DISABLED = 1 << 2,
    LAMP_CHANGE_PASSWORD = 1 << 3,
};

/* What becomes of an import of captures. */
enum lamp_import_change {
    LAMP_IMPORT_ADD,
    LAMP_IMPORT_MOVE,   /* id into a state, with answer and error */
    LAMP_IMPORT_FOUND,  /* import_rows of id */
    LAMP_IMPORT_CANCEL, /* id */
    LAMP_IMPORT_DELETE, /* id, with what was found */
    LAMP_IMPORT_EXPIRE, /* those that ended before import.ended_us, or are more than import.files */
};

/* What becomes of a baseline. */
enum lamp_baseline_change {
    LAMP_BASELINE_LEARN,  /* a draft, over the window of at */
    LAMP_BASELINE_IMPORT, /* the body is a draft */
    LAMP_BASELINE_ACCEPT, /* a version comes into force again, 0: the draft does */
    LAMP_BASELINE_SAY,    /* accept, or say, to news_id */
    LAMP_BASELINE_DELETE,
};

struct lamp_baseline_command {
    enum lamp_baseline_change change;
    struct lamp_baseline at; /* LEARN, IMPORT: site and host; of the others the id */
    uint32_t version;
    int64_t news_id;
    bool accept, by_asn; /* by_asn: all of the destination's network is accepted */
    enum lamp_baseline_say say;
    struct lamp_baseline_body *body; /* of malloc(); the queue takes it in any case */
};

/* What an operator says to something that the fleet learned (store/proved.h). */
struct lamp_proved_command {
    enum lamp_proved_say { LAMP_SAY_ACCEPT, LAMP_SAY_MUTE, LAMP_SAY_EXTEND, LAMP_SAY_NOTHING } say;
    int64_t id;
    uint32_t days; /* EXTEND: from now */
    char note[129];
};

struct lamp_command {
    enum lamp_command_kind kind;
    char actor[LAMP_ACCOUNT_NAME];  /* account or token, for the audit */
    char person[LAMP_ACCOUNT_NAME]; /* the account behind it */

    /* BLOCK */
    enum lamp_block_kind block_kind;
    struct lamp_prefix prefix;
    char name[254]; /* of a domain; of a sensor */
    uint16_t port;
    uint8_t ip_proto;
    bool approve;     /* DECIDE; HOLD: hold the site, else release it; OWN, SETTING: add */
    char site[65];    /* "" every site; of HOLD too */
    char reason[257]; /* of MARK too */
    uint32_t ttl_s;

    /* UNBLOCK, DECIDE */
    int64_t block_id;

    /* MARK */
    int64_t miner_id;
    enum lamp_mark mark;
    enum {
        LAMP_POLICY_ADD,
        LAMP_POLICY_EDIT,
        LAMP_POLICY_MODE,
        LAMP_POLICY_PLACE,
        LAMP_POLICY_REMOVE
    } policy_change; /* POLICY */

    int64_t alert_id;                 /* ACK */
    struct lamp_own own;              /* OWN */
    struct lamp_policy policy;        /* POLICY */
    bool keep_confidence;             /* POLICY_EDIT: that of policy says nothing */
    struct lamp_site_setting setting; /* SETTING */

    /* keys and tokens, with site and ttl_s above */
    int64_t key_id;
    char key[41]; /* Z85 */
    uint8_t digest[LAMP_WIRE_DIGEST_LEN];
    struct lamp_server_key server_key;

    /* POOLS: of malloc(), the queue takes it in any case; several are an import, of which those that
     * make no sense are left out */
    struct lamp_pool_edit *edits;
    size_t n_edits;
    enum lamp_pool_switch pool_switch;

    /* SAMPLE: all of an ORDER but what the writer knows better, with expires_us counted from then; of the
     * others the id, of a DOWNLOAD the sensor too, for the audit log. A CANCEL of one that is over takes it
     * out. */
    enum { LAMP_SAMPLE_ORDER, LAMP_SAMPLE_CANCEL, LAMP_SAMPLE_DOWNLOAD } sample_change;
    struct lamp_sample sample;

    /* TRACKING: START: what an order has, with expires_us counted from then, and the ring; of the others the id. REMOVE
     * ends one that goes on, too. */
    enum { LAMP_TRACKING_START, LAMP_TRACKING_END, LAMP_TRACKING_REMOVE } tracking_change;
    struct lamp_tracking tracking;

    /* IMPORT; the rows are borrowed: whoever gives some waits for the answer without end */
    enum lamp_import_change import_change;
    struct lamp_import import;
    const struct lamp_import_rows *import_rows;

    struct lamp_baseline_command baseline; /* BASELINE */
    struct lamp_proved_command proved;     /* PROVED */
    struct lamp_history_note history;      /* HISTORY */

    /* who may use the API */
    unsigned change; /* bits of enum lamp_account_change */
    struct lamp_account account;
    struct lamp_api_token api_token;
};

struct lamp_command_result {
    int err;       /* LAMP_OK, LAMP_EPROTECTED, LAMP_EEXIST, LAMP_ENOENT, ... */
    char why[256]; /* a sentence for the caller; "" on success */
    int64_t block_id;
    int64_t
        key_id; /* of the key or token, of either kind; of a policy, a sample, an import, a baseline, a tracking */
    char site[65], name[65]; /* of its sensor */
    uint64_t expires_us;     /* of the token */
    int64_t pool_entry;      /* the last one changed */
    uint32_t n_changed, n_same,
        n_bad; /* of the edits of POOLS; why says what the first bad one is */
};

LAMP_CHECK int lamp_commands_new(lamp_commands **out);
lamp_commands *lamp_commands_free(lamp_commands *q);

/* Hands a command to the writer and waits up to timeout_ms for its result. LAMP_EFULL: the queue
 * is full. LAMP_ETIMEOUT: no answer in time (it may still be carried out). LAMP_ENOMEM. */
LAMP_CHECK int lamp_commands_run(lamp_commands *q, const struct lamp_command *cmd, int timeout_ms,
                                 struct lamp_command_result *out);

/* Writer side: a descriptor to poll, the next waiting command (LAMP_EAGAIN: none) and its
 * answer. Every taken command is answered exactly once, in order. */
int lamp_commands_fd(const lamp_commands *q);
LAMP_CHECK int lamp_commands_take(lamp_commands *q, struct lamp_command *out);
void lamp_commands_answer(lamp_commands *q, const struct lamp_command_result *result);
