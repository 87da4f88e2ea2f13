// SPDX-License-Identifier: Apache-2.0
// Writes the poolsim scripts of web.fleet: what three sites saw in the hour before now. Usage: node
// fleet_scripts.mjs FOLDER [HOURS]. The site "hostile" has the strings of hostile.mjs.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HOSTILE } from './hostile.mjs';

const [folder, hours = '1'] = process.argv.slice(2);
const length = Number(hours) * 3600 - 20;
const start = Math.floor(Date.now() / 1000) - length - 10;
const XMR = '45RjqWpk9j2KmGEe2p8qKi8bvzrgDDxqGHyRH3yuDsaD8m4aE7kZBDWKmGEe2p8qKi8c3Xp7fBmN4MGZgoypJPGR6HxsfPk';
const XMR2 = '45RjqWpk9j2KmGEe2p8qKi8bvzrgDDxqGHyRH3yuDsed8m4aE7kZBDWKmGEe2p8qKi8c3Xp7fBmN4MGZgoypJPLq6ES9BUi';
const BTC = 'bc1qv3shv7tvv9khqttnv9khqmr995crqvp3c3nk2u';
const ETC = '0x646176796c616d702d73616d706c652d30303031';

/* SITE NAME KIND CLIENT SERVER USER RATE DIFFICULTY AGENT FROM TO (parts of the hour) */
const MINERS = [
  ['oslo', 'desk', 'cryptonote', '10.21.0.21', '203.0.113.10:10300', `${XMR}.front-desk`, 7200, 60000, 'XMRig/6.21.0 (Windows NT 10.0; Win64; x64) libuv/1.44.2', 0, 1],
  ['oslo', 'build', 'cryptonote', '10.21.0.22', '203.0.113.10:10300', `${XMR}.build-server`, 14800, 120000, 'XMRig/6.21.0 (Linux x86_64) libuv/1.44.2', 0.1, 1],
  ['oslo', 's19', 'stratum-v1', '10.21.0.40', '192.0.2.20:3333', `${BTC}.s19-12`, 105e12, 262144, 'cgminer/4.12.1', 0, 1],
  ['lima', 'gpu1', 'eth-proxy', '10.22.0.21', '203.0.113.70:10100', `${ETC}/gpu-rig-1`, 390e6, 4e9, 'ethminer/0.19.0', 0, 1],
  ['lima', 'gpu2', 'eth-proxy', '10.22.0.22', '203.0.113.70:10100', `${ETC}/gpu-rig-2`, 240e6, 4e9, 'ethminer/0.19.0', 0, 0.35],
  ['lima', 'gpu2b', 'eth-proxy', '10.22.0.22', '203.0.113.70:10100', `${ETC}/gpu-rig-2`, 240e6, 4e9, 'ethminer/0.19.0', 0.6, 1],
  ['lima', 'store', 'cryptonote', '10.22.0.35', '203.0.113.140:3333', `${XMR}.warehouse`, 4100, 40000, 'XMRig/6.18.1 (Windows NT 10.0; Win64; x64)', 0.4, 1],
  ['pune', 's31', 'stratum-v1', '10.23.0.50', '192.0.2.20:3333', `${BTC}.s19-31`, 96e12, 262144, 'cgminer/4.12.1', 0, 0.95],
  ['pune', 's32', 'stratum-v1', '10.23.0.51', '198.51.100.140:3333', `${BTC}.s19-32`, 102e12, 262144, 'cgminer/4.12.1', 0.2, 1],
  ['pune', 'lab', 'cryptonote', '10.23.0.23', '203.0.113.10:10300', `${XMR2}.lab-7`, 9300, 90000, 'XMRig/6.21.0 (Linux x86_64)', 0, 0.5],
];
const flow = (name, kind, keys, lines = []) =>
  [`flow ${name} ${kind}`, ...Object.entries(keys).map(([k, v]) => `  ${k} ${v}`), ...lines.map((l) => `  ${l}`), 'end'].join('\n');

function ordinary(site, net) {
  return [1, 2, 3].flatMap((i) => [
    flow(`${site}-dns-${i}`, 'dns', { client: `${net}.9${i}:5300${i}`, server: '192.0.2.253:53', at: 3 * i, host: `www${i}.example.org`, answer: `198.51.100.8${i}` }),
    flow(`${site}-web-${i}`, 'http', { client: `${net}.9${i}:5040${i}`, server: `198.51.100.8${i}:80`, at: length * 0.9 + i, host: `www${i}.example.org`, bytes: 4000000 }),
    flow(`${site}-tls-${i}`, 'tls', { client: `${net}.9${i}:5050${i}`, server: '203.0.113.10:443', at: length * 0.8 + i, host: 'shop.example.org', bytes: 400000 }),
    /* A wallet asks a node of its coin: no mining. */
    flow(`${site}-wallet-${i}`, 'raw', { client: `${net}.9${i}:5060${i}`, server: '203.0.113.20:50001', at: (length * i) / 5 },
      Array.from({ length: 30 }, (_, n) => [
        `c ${JSON.stringify({ id: 2 * n, method: 'server.version', params: ['electrum/4.5', '1.4'] })}`,
        `s ${JSON.stringify({ jsonrpc: '2.0', id: 2 * n, result: ['ElectrumX 1.16.0', '1.4'] })}`,
        `c ${JSON.stringify({ id: 2 * n + 1, method: 'blockchain.scripthash.get_balance', params: ['8b01df4e368ea28f8dc0423bcf7a4923e3a12d307c875e47a0cfbf90b5c39161'] })}`,
        `s ${JSON.stringify({ jsonrpc: '2.0', id: 2 * n + 1, result: { confirmed: 1, unconfirmed: 0 } })}`, 'wait 5']).flat()),
  ]);
}

for (const [site, net] of [['oslo', '10.21.0'], ['lima', '10.22.0'], ['pune', '10.23.0']]) {
  const flows = MINERS.filter(([at]) => at === site).map(([, name, kind, client, server, user, rate, difficulty, agent, from, to], i) =>
    flow(`${site}-${name}`, kind, {
      client: `${client}:${49100 + i}`, server, user, hashrate: rate, difficulty, agent, claim: rate * 1.04, 'idle-every': 20,
      reject: 0.02, at: (length * from + 1).toFixed(1), duration: (length * (to - from) - 2).toFixed(0), end: to === 1 ? 'open' : 'fin',
    }));
  writeFileSync(join(folder, `${site}.script`), `start ${start}\nseed 7\n${[...flows, ...ordinary(site, net)].join('\n')}\n`);
}

/* What goes on while somebody looks: the miners of a site that are still there, for a quarter of an hour. */
for (const site of ['oslo', 'lima']) {
  const flows = MINERS.filter(([at, , , , , , , , , , to]) => at === site && to === 1).map(([, name, kind, client, server, user, rate, difficulty, agent], i) =>
    flow(`live-${name}`, kind, { client: `${client}:${52100 + i}`, server, user, hashrate: rate, difficulty: difficulty / 8, agent, claim: rate * 1.04, duration: 900, end: 'open' }));
  writeFileSync(join(folder, `${site}-live.script`), `start ${start + length}\nseed 3\n${flows.join('\n')}\n`);
}

/* Three strings a host: as the wallet, the worker and the agent; the server's name is one too. */
const say = (who, object) => `${who} ${JSON.stringify(object)}`;
const job = ['j1', '00'.repeat(32), '01', '02', [], '20000000', '1d00ffff', '65000000', true];
const hostile = Array.from({ length: 100 }, (_, i) => {
  const [wallet, worker, agent] = HOSTILE.slice(3 * i, 3 * i + 3);
  return flow(`hostile-${i}`, 'raw', { client: `10.66.${i >> 6}.${1 + (i & 63)}:40000`, server: `203.0.113.${150 + (i % 40)}:3333`, at: (length - 60 + i / 3).toFixed(1) }, [
    say('c', { id: 1, method: 'mining.subscribe', params: [agent] }),
    say('s', { id: 1, result: [[['mining.notify', 'a1']], 'f0000001', 4], error: null }),
    say('c', { id: 2, method: 'mining.authorize', params: [`${wallet}.${worker}`, 'x'] }),
    say('s', { id: 2, result: true, error: null }), say('s', { id: null, method: 'mining.set_difficulty', params: [1024] }),
    say('s', { id: null, method: 'mining.notify', params: job }), 'wait 8',
    say('c', { id: 3, method: 'mining.submit', params: [worker, 'j1', '00000001', '65000000', '00000002'] }),
    say('s', { id: 3, result: true, error: null }),
  ]);
});
writeFileSync(join(folder, 'hostile.script'), `start ${start}\nseed 9\n${hostile.join('\n')}\n`);
