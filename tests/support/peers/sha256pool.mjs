// SPDX-License-Identifier: Apache-2.0
// A pool of the trade over a node that is made up: sha256pool.mjs FOLDER PORT, where FOLDER has node_modules with
// stratum-pool-sha256. It listens on all addresses, so it belongs into a namespace of its own.
import http from "node:http";
import { createRequire } from "node:module";

const [folder, port] = process.argv.slice(2);
const RPC = 18332;
const ADDRESS = "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"; // whose it is does not matter: no block is ever found

const answers = {
  validateaddress: { isvalid: true, address: ADDRESS, scriptPubKey: "76a914" + "00".repeat(20) + "88ac" },
  getdifficulty: 1,
  getmininginfo: { blocks: 100, networkhashps: 1e6, difficulty: 1 },
  getblockchaininfo: { chain: "regtest", blocks: 100, headers: 100, difficulty: 1 },
  getnetworkinfo: { version: 250000, protocolversion: 70016, connections: 1 },
  getpeerinfo: [{ startingheight: 100 }],
  getblocktemplate: {
    version: 536870912, previousblockhash: "11".repeat(32), transactions: [], coinbaseaux: {},
    coinbasevalue: 5000000000, longpollid: "1", target: "7f" + "ff".repeat(31), mintime: 1600000000,
    mutable: ["time"], noncerange: "00000000ffffffff", sigoplimit: 80000, sizelimit: 4000000,
    curtime: Math.floor(Date.now() / 1000), bits: "207fffff", height: 101,
  },
};

function answer({ id, method }) {
  // To submitblock without a block a node says -1, which is how the pool knows that there is that call.
  const error = method in answers ? null : { code: method === "submitblock" ? -1 : -32601, message: method };
  return { id, result: answers[method] ?? null, error };
}

http.createServer((request, reply) => {
  let body = "";
  request.on("data", (data) => (body += data));
  request.on("end", () => {
    const asked = JSON.parse(body);
    reply.end(JSON.stringify(Array.isArray(asked) ? asked.map(answer) : answer(asked)));
  });
}).listen(RPC, "127.0.0.1", () => {
  const { createPool } = createRequire(folder + "/")("stratum-pool-sha256");
  const pool = createPool({
    coin: { name: "Bitcoin", symbol: "BTC", algorithm: "sha256", asicboost: false, peerMagic: "fabfb5da" },
    address: ADDRESS,
    ports: { [port]: { diff: 16 } },
    daemons: [{ host: "127.0.0.1", port: RPC, user: "u", password: "p" }],
    connectionTimeout: 600, jobRebroadcastTimeout: 55, blockRefreshInterval: 0,
  }, (ip, at, worker, password, done) => done({ error: null, authorized: true, disconnect: false }));
  pool.on("log", (severity, text) => console.log(severity, text));
  pool.start();
});
