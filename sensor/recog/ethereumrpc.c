/* SPDX-License-Identifier: Apache-2.0 */
/* ethereumrpc: JSON-RPC of Ethereum's nodes and its kin, as wallets and applications
 * use it (the execution API's specification). Verdict wallet: no mining. */
#include "sensor/recog/walletrpc.h"

static const struct lamp_method methods[] = {
    LAMP_METHOD("eth_call", CERTAIN, UP),
    LAMP_METHOD("eth_blockNumber", CERTAIN, UP),
    LAMP_METHOD("eth_getBalance", CERTAIN, UP),
    LAMP_METHOD("eth_getTransactionCount", CERTAIN, UP),
    LAMP_METHOD("eth_getTransactionReceipt", CERTAIN, UP),
    LAMP_METHOD("eth_getTransactionByHash", CERTAIN, UP),
    LAMP_METHOD("eth_getBlockByNumber", CERTAIN, UP),
    LAMP_METHOD("eth_getBlockByHash", CERTAIN, UP),
    LAMP_METHOD("eth_sendRawTransaction", CERTAIN, UP),
    LAMP_METHOD("eth_sendTransaction", CERTAIN, UP),
    LAMP_METHOD("eth_estimateGas", CERTAIN, UP),
    LAMP_METHOD("eth_gasPrice", CERTAIN, UP),
    LAMP_METHOD("eth_feeHistory", CERTAIN, UP),
    LAMP_METHOD("eth_maxPriorityFeePerGas", CERTAIN, UP),
    LAMP_METHOD("eth_getLogs", CERTAIN, UP),
    LAMP_METHOD("eth_getCode", CERTAIN, UP),
    LAMP_METHOD("eth_getStorageAt", CERTAIN, UP),
    LAMP_METHOD("eth_newFilter", CERTAIN, UP),
    LAMP_METHOD("eth_newBlockFilter", CERTAIN, UP),
    LAMP_METHOD("eth_getFilterChanges", CERTAIN, UP),
    LAMP_METHOD("eth_chainId", CERTAIN, UP),
    LAMP_METHOD("eth_subscribe", CERTAIN, UP),
    LAMP_METHOD("eth_unsubscribe", CERTAIN, UP),
    LAMP_METHOD("eth_accounts", CERTAIN, UP),
    LAMP_METHOD("eth_syncing", CERTAIN, UP),
    LAMP_METHOD("eth_getBlockReceipts", CERTAIN, UP),
    LAMP_METHOD("eth_subscription", CERTAIN, DOWN),
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
