/* SPDX-License-Identifier: Apache-2.0 */
/* ethereumrpc: JSON-RPC of Ethereum's nodes and its kin, as wallets and applications
 * use it (the execution API's specification). Verdict wallet: no mining. */
#include "sensor/recog/walletrpc.h"

static const struct lamp_method methods[] = {
    { LAMP_SAYS("eth_call", CERTAIN, UP, OWN) },
    { LAMP_SAYS("eth_blockNumber", CERTAIN, UP, OWN) },
    { LAMP_SAYS("eth_getBalance", CERTAIN, UP, OWN) },
    { LAMP_SAYS("eth_getTransactionCount", CERTAIN, UP, OWN) },
    { LAMP_SAYS("eth_getTransactionReceipt", CERTAIN, UP, OWN) },
    { LAMP_SAYS("eth_getTransactionByHash", CERTAIN, UP, OWN) },
    { LAMP_SAYS("eth_getBlockByNumber", CERTAIN, UP, OWN) },
    { LAMP_SAYS("eth_getBlockByHash", CERTAIN, UP, OWN) },
    { LAMP_SAYS("eth_sendRawTransaction", CERTAIN, UP, OWN) },
    { LAMP_SAYS("eth_sendTransaction", CERTAIN, UP, OWN) },
    { LAMP_SAYS("eth_estimateGas", CERTAIN, UP, OWN) },
    { LAMP_SAYS("eth_gasPrice", CERTAIN, UP, OWN) },
    { LAMP_SAYS("eth_feeHistory", CERTAIN, UP, OWN) },
    { LAMP_SAYS("eth_maxPriorityFeePerGas", CERTAIN, UP, OWN) },
    { LAMP_SAYS("eth_getLogs", CERTAIN, UP, OWN) },
    { LAMP_SAYS("eth_getCode", CERTAIN, UP, OWN) },
    { LAMP_SAYS("eth_getStorageAt", CERTAIN, UP, OWN) },
    { LAMP_SAYS("eth_newFilter", CERTAIN, UP, OWN) },
    { LAMP_SAYS("eth_newBlockFilter", CERTAIN, UP, OWN) },
    { LAMP_SAYS("eth_getFilterChanges", CERTAIN, UP, OWN) },
    { LAMP_SAYS("eth_chainId", CERTAIN, UP, OWN) },
    { LAMP_SAYS("eth_subscribe", CERTAIN, UP, OWN) },
    { LAMP_SAYS("eth_unsubscribe", CERTAIN, UP, OWN) },
    { LAMP_SAYS("eth_accounts", CERTAIN, UP, OWN) },
    { LAMP_SAYS("eth_syncing", CERTAIN, UP, OWN) },
    { LAMP_SAYS("eth_getBlockReceipts", CERTAIN, UP, OWN) },
    { LAMP_SAYS("eth_subscription", CERTAIN, DOWN, OWN) },
};

static struct lamp_finding judge(const struct lamp_jsonline *line)
{
    return lamp_walletrpc_judge(methods, ARRAY_LEN(methods), line);
}

const struct lamp_recog lamp_recog_ethereumrpc = {
    .name = "ethereumrpc",
    .family = "ethereum-rpc",
    .wallet = true,
    .judge = judge,
    .follow = lamp_walletrpc_follow,
};
