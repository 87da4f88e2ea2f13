/* SPDX-License-Identifier: Apache-2.0 */
/* electrum: the protocol of Electrum's servers (its protocol documentation). Verdict
 * wallet: no mining. */
#include "sensor/recog/walletrpc.h"

static const struct lamp_method methods[] = {
    LAMP_METHOD("blockchain.headers.subscribe", CERTAIN, UP),
    LAMP_METHOD("blockchain.scripthash.subscribe", CERTAIN, UP),
    LAMP_METHOD("blockchain.scripthash.get_history", CERTAIN, UP),
    LAMP_METHOD("blockchain.scripthash.get_balance", CERTAIN, UP),
    LAMP_METHOD("blockchain.scripthash.listunspent", CERTAIN, UP),
    LAMP_METHOD("blockchain.scripthash.get_mempool", CERTAIN, UP),
    LAMP_METHOD("blockchain.transaction.get", CERTAIN, UP),
    LAMP_METHOD("blockchain.transaction.get_merkle", CERTAIN, UP),
    LAMP_METHOD("blockchain.transaction.broadcast", CERTAIN, UP),
    LAMP_METHOD("blockchain.block.header", CERTAIN, UP),
    LAMP_METHOD("blockchain.block.headers", CERTAIN, UP),
    LAMP_METHOD("blockchain.estimatefee", CERTAIN, UP),
    LAMP_METHOD("blockchain.relayfee", CERTAIN, UP),
    LAMP_METHOD("blockchain.address.subscribe", CERTAIN, UP),
    LAMP_METHOD("blockchain.address.get_history", CERTAIN, UP),
    LAMP_METHOD("blockchain.numblocks.subscribe", CERTAIN, UP),
    LAMP_METHOD("mempool.get_fee_histogram", CERTAIN, UP),
    LAMP_METHOD("server.peers.subscribe", CERTAIN, UP),
    LAMP_METHOD("server.donation_address", CERTAIN, UP),
};

static struct lamp_finding judge(const struct lamp_jsonline *line)
{
    return lamp_walletrpc_judge(methods, ARRAY_LEN(methods), line);
}

const struct lamp_recog lamp_recog_electrum = {
    .name = "electrum",
    .family = "electrum",
    .wallet = true,
    .judge = judge,
    .follow = lamp_walletrpc_follow,
};
