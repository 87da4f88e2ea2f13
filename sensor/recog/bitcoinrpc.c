/* SPDX-License-Identifier: Apache-2.0 */
/* bitcoinrpc: JSON-RPC of Bitcoin's node and its kin, as far as no other software has
 * its methods (the RPC pages of the developer documentation). Verdict wallet: no mining. */
#include "sensor/recog/walletrpc.h"

static const struct lamp_method methods[] = {
    { LAMP_SAYS("getblockchaininfo", CERTAIN, UP, OWN) },
    { LAMP_SAYS("getmempoolinfo", CERTAIN, UP, OWN) },
    { LAMP_SAYS("getrawmempool", CERTAIN, UP, OWN) },
    { LAMP_SAYS("getbestblockhash", CERTAIN, UP, OWN) },
    { LAMP_SAYS("getblockhash", CERTAIN, UP, OWN) },
    { LAMP_SAYS("getblockheader", CERTAIN, UP, OWN) },
    { LAMP_SAYS("getrawtransaction", CERTAIN, UP, OWN) },
    { LAMP_SAYS("sendrawtransaction", CERTAIN, UP, OWN) },
    { LAMP_SAYS("decoderawtransaction", CERTAIN, UP, OWN) },
    { LAMP_SAYS("createrawtransaction", CERTAIN, UP, OWN) },
    { LAMP_SAYS("signrawtransaction", CERTAIN, UP, OWN) },
    { LAMP_SAYS("signrawtransactionwithwallet", CERTAIN, UP, OWN) },
    { LAMP_SAYS("gettxout", CERTAIN, UP, OWN) },
    { LAMP_SAYS("gettxoutsetinfo", CERTAIN, UP, OWN) },
    { LAMP_SAYS("validateaddress", CERTAIN, UP, OWN) },
    { LAMP_SAYS("getnewaddress", CERTAIN, UP, OWN) },
    { LAMP_SAYS("getrawchangeaddress", CERTAIN, UP, OWN) },
    { LAMP_SAYS("getaddressesbyaccount", CERTAIN, UP, OWN) },
    { LAMP_SAYS("getreceivedbyaddress", CERTAIN, UP, OWN) },
    { LAMP_SAYS("listunspent", CERTAIN, UP, OWN) },
    { LAMP_SAYS("listtransactions", CERTAIN, UP, OWN) },
    { LAMP_SAYS("listsinceblock", CERTAIN, UP, OWN) },
    { LAMP_SAYS("sendtoaddress", CERTAIN, UP, OWN) },
    { LAMP_SAYS("sendmany", CERTAIN, UP, OWN) },
    { LAMP_SAYS("dumpprivkey", CERTAIN, UP, OWN) },
    { LAMP_SAYS("importprivkey", CERTAIN, UP, OWN) },
    { LAMP_SAYS("importaddress", CERTAIN, UP, OWN) },
    { LAMP_SAYS("estimatesmartfee", CERTAIN, UP, OWN) },
    { LAMP_SAYS("walletpassphrase", CERTAIN, UP, OWN) },
    { LAMP_SAYS("getwalletinfo", CERTAIN, UP, OWN) },
};

static struct lamp_finding judge(const struct lamp_jsonline *line)
{
    return lamp_walletrpc_judge(methods, ARRAY_LEN(methods), line);
}

const struct lamp_recog lamp_recog_bitcoinrpc = {
    .name = "bitcoinrpc",
    .family = "bitcoin-rpc",
    .wallet = true,
    .judge = judge,
    .follow = lamp_walletrpc_follow,
};
