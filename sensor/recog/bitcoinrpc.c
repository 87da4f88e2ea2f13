/* SPDX-License-Identifier: Apache-2.0 */
/* bitcoinrpc: JSON-RPC of Bitcoin's node and its kin, as far as no other software has
 * its methods (the RPC pages of the developer documentation). Verdict wallet: no mining. */
#include "sensor/recog/walletrpc.h"

static const struct lamp_method methods[] = {
    LAMP_METHOD("getblockchaininfo", CERTAIN, UP),
    LAMP_METHOD("getmempoolinfo", CERTAIN, UP),
    LAMP_METHOD("getrawmempool", CERTAIN, UP),
    LAMP_METHOD("getbestblockhash", CERTAIN, UP),
    LAMP_METHOD("getblockhash", CERTAIN, UP),
    LAMP_METHOD("getblockheader", CERTAIN, UP),
    LAMP_METHOD("getrawtransaction", CERTAIN, UP),
    LAMP_METHOD("sendrawtransaction", CERTAIN, UP),
    LAMP_METHOD("decoderawtransaction", CERTAIN, UP),
    LAMP_METHOD("createrawtransaction", CERTAIN, UP),
    LAMP_METHOD("signrawtransaction", CERTAIN, UP),
    LAMP_METHOD("signrawtransactionwithwallet", CERTAIN, UP),
    LAMP_METHOD("gettxout", CERTAIN, UP),
    LAMP_METHOD("gettxoutsetinfo", CERTAIN, UP),
    LAMP_METHOD("validateaddress", CERTAIN, UP),
    LAMP_METHOD("getnewaddress", CERTAIN, UP),
    LAMP_METHOD("getrawchangeaddress", CERTAIN, UP),
    LAMP_METHOD("getaddressesbyaccount", CERTAIN, UP),
    LAMP_METHOD("getreceivedbyaddress", CERTAIN, UP),
    LAMP_METHOD("listunspent", CERTAIN, UP),
    LAMP_METHOD("listtransactions", CERTAIN, UP),
    LAMP_METHOD("listsinceblock", CERTAIN, UP),
    LAMP_METHOD("sendtoaddress", CERTAIN, UP),
    LAMP_METHOD("sendmany", CERTAIN, UP),
    LAMP_METHOD("dumpprivkey", CERTAIN, UP),
    LAMP_METHOD("importprivkey", CERTAIN, UP),
    LAMP_METHOD("importaddress", CERTAIN, UP),
    LAMP_METHOD("estimatesmartfee", CERTAIN, UP),
    LAMP_METHOD("walletpassphrase", CERTAIN, UP),
    LAMP_METHOD("getwalletinfo", CERTAIN, UP),
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
