/* SPDX-License-Identifier: Apache-2.0 */
/* moneronode: JSON-RPC of Monero's node and wallet, as far as no other software has its
 * methods (the documentation of daemon and wallet RPC). Verdict wallet: no mining. */
#include "sensor/recog/walletrpc.h"

static const struct lamp_method methods[] = {
    { LAMP_SAYS("get_last_block_header", CERTAIN, UP, OWN) },
    { LAMP_SAYS("get_block_header_by_height", CERTAIN, UP, OWN) },
    { LAMP_SAYS("get_block_header_by_hash", CERTAIN, UP, OWN) },
    { LAMP_SAYS("getlastblockheader", CERTAIN, UP, OWN) },
    { LAMP_SAYS("getblockheaderbyheight", CERTAIN, UP, OWN) },
    { LAMP_SAYS("getblockheaderbyhash", CERTAIN, UP, OWN) },
    { LAMP_SAYS("on_get_block_hash", CERTAIN, UP, OWN) },
    { LAMP_SAYS("on_getblockhash", CERTAIN, UP, OWN) },
    { LAMP_SAYS("hard_fork_info", CERTAIN, UP, OWN) },
    { LAMP_SAYS("get_output_histogram", CERTAIN, UP, OWN) },
    { LAMP_SAYS("get_output_distribution", CERTAIN, UP, OWN) },
    { LAMP_SAYS("get_coinbase_tx_sum", CERTAIN, UP, OWN) },
    { LAMP_SAYS("get_txpool_backlog", CERTAIN, UP, OWN) },
    { LAMP_SAYS("relay_tx", CERTAIN, UP, OWN) },
    { LAMP_SAYS("make_integrated_address", CERTAIN, UP, OWN) },
    { LAMP_SAYS("split_integrated_address", CERTAIN, UP, OWN) },
    { LAMP_SAYS("incoming_transfers", CERTAIN, UP, OWN) },
    { LAMP_SAYS("get_transfers", CERTAIN, UP, OWN) },
    { LAMP_SAYS("transfer_split", CERTAIN, UP, OWN) },
    { LAMP_SAYS("sweep_all", CERTAIN, UP, OWN) },
    { LAMP_SAYS("query_key", CERTAIN, UP, OWN) },
    { LAMP_SAYS("get_bulk_payments", CERTAIN, UP, OWN) },
    { LAMP_SAYS("create_address", CERTAIN, UP, OWN) },
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
