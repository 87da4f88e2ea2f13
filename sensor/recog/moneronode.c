/* SPDX-License-Identifier: Apache-2.0 */
/* moneronode: JSON-RPC of Monero's node and wallet, as far as no other software has its
 * methods (the documentation of daemon and wallet RPC). Verdict wallet: no mining. */
#include "sensor/recog/walletrpc.h"

static const struct lamp_method methods[] = {
    LAMP_METHOD("get_last_block_header", CERTAIN, UP),
    LAMP_METHOD("get_block_header_by_height", CERTAIN, UP),
    LAMP_METHOD("get_block_header_by_hash", CERTAIN, UP),
    LAMP_METHOD("getlastblockheader", CERTAIN, UP),
    LAMP_METHOD("getblockheaderbyheight", CERTAIN, UP),
    LAMP_METHOD("getblockheaderbyhash", CERTAIN, UP),
    LAMP_METHOD("on_get_block_hash", CERTAIN, UP),
    LAMP_METHOD("on_getblockhash", CERTAIN, UP),
    LAMP_METHOD("hard_fork_info", CERTAIN, UP),
    LAMP_METHOD("get_output_histogram", CERTAIN, UP),
    LAMP_METHOD("get_output_distribution", CERTAIN, UP),
    LAMP_METHOD("get_coinbase_tx_sum", CERTAIN, UP),
    LAMP_METHOD("get_txpool_backlog", CERTAIN, UP),
    LAMP_METHOD("relay_tx", CERTAIN, UP),
    LAMP_METHOD("make_integrated_address", CERTAIN, UP),
    LAMP_METHOD("split_integrated_address", CERTAIN, UP),
    LAMP_METHOD("incoming_transfers", CERTAIN, UP),
    LAMP_METHOD("get_transfers", CERTAIN, UP),
    LAMP_METHOD("transfer_split", CERTAIN, UP),
    LAMP_METHOD("sweep_all", CERTAIN, UP),
    LAMP_METHOD("query_key", CERTAIN, UP),
    LAMP_METHOD("get_bulk_payments", CERTAIN, UP),
    LAMP_METHOD("create_address", CERTAIN, UP),
};

static struct lamp_finding judge(const struct lamp_jsonline *line)
{
    return lamp_walletrpc_judge(methods, ARRAY_LEN(methods), line);
}

const struct lamp_recog lamp_recog_moneronode = {
    .name = "moneronode",
    .family = "monero-node",
    .wallet = true,
    .judge = judge,
    .follow = lamp_walletrpc_follow,
};
