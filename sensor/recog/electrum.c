/* SPDX-License-Identifier: Apache-2.0 */
/* electrum: the protocol of Electrum's servers (its protocol documentation). Verdict
 * wallet: no mining. */
#include "sensor/recog/walletrpc.h"

static const struct lamp_method methods[] = {
    { LAMP_SAYS("blockchain.headers.subscribe", CERTAIN, UP, OWN) },
    { LAMP_SAYS("blockchain.scripthash.subscribe", CERTAIN, UP, OWN) },
    { LAMP_SAYS("blockchain.scripthash.get_history", CERTAIN, UP, OWN) },
    { LAMP_SAYS("blockchain.scripthash.get_balance", CERTAIN, UP, OWN) },
    { LAMP_SAYS("blockchain.scripthash.listunspent", CERTAIN, UP, OWN) },
    { LAMP_SAYS("blockchain.scripthash.get_mempool", CERTAIN, UP, OWN) },
    { LAMP_SAYS("blockchain.transaction.get", CERTAIN, UP, OWN) },
    { LAMP_SAYS("blockchain.transaction.get_merkle", CERTAIN, UP, OWN) },
    { LAMP_SAYS("blockchain.transaction.broadcast", CERTAIN, UP, OWN) },
    { LAMP_SAYS("blockchain.block.header", CERTAIN, UP, OWN) },
    { LAMP_SAYS("blockchain.block.headers", CERTAIN, UP, OWN) },
    { LAMP_SAYS("blockchain.estimatefee", CERTAIN, UP, OWN) },
    { LAMP_SAYS("blockchain.relayfee", CERTAIN, UP, OWN) },
    { LAMP_SAYS("blockchain.address.subscribe", CERTAIN, UP, OWN) },
    { LAMP_SAYS("blockchain.address.get_history", CERTAIN, UP, OWN) },
    { LAMP_SAYS("blockchain.numblocks.subscribe", CERTAIN, UP, OWN) },
    { LAMP_SAYS("mempool.get_fee_histogram", CERTAIN, UP, OWN) },
    { LAMP_SAYS("server.peers.subscribe", CERTAIN, UP, OWN) },
    { LAMP_SAYS("server.donation_address", CERTAIN, UP, OWN) },
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
