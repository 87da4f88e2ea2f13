// SPDX-License-Identifier: Apache-2.0
// How long the aggregator takes over what each page of the dashboard asks, from the question to the last byte:
// node tests/bench/pages.mjs BUILD HISTORY.db [TIMES], where `growth MILLIONS SITES - HISTORY.db` made the past.
// The first answer of each is shown apart, since nothing of it lies in a cache of SQLite's.
import { spawn, execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';

const PATIENCE_MS = 10_000;
const [build, history, times = '40'] = process.argv.slice(2);
const folder = mkdtempSync(join(dirname(resolve(history)), 'pages-'));
const state = join(folder, 'state');
const free = () => new Promise((found) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => found(port));
  });
});
const [link, http] = [await free(), await free()];
mkdirSync(state, { mode: 0o700 });
linkSync(history, join(state, 'davylamp.db'));
writeFileSync(join(folder, 'aggregator.conf'), `state_dir = "${state}"; sensors = "${state}/sensors"; web = "${resolve(build)}/web/dist";
catalogue = "${resolve('data')}"; price = 0.3; sample_mode = true;
retention = { minutes = 0; hours = 0; };
listen = { sensors = "tcp://127.0.0.1:${link}"; http = "127.0.0.1:${http}"; };
`);
writeFileSync(join(state, 'sensors'), '');
const aggregator = spawn(join(build, 'bin/davylamp-aggregator'), ['-c', join(folder, 'aggregator.conf')], { stdio: ['ignore', 'ignore', 'inherit'] });
const base = `http://127.0.0.1:${http}/api/v1`;

const fail = (why) => {
  console.error(`pages: ${why}`);
  aggregator.kill();
  process.exit(1);
};
for (let i = 0; !(await fetch(`${base}/health`).then((a) => a.ok, () => false)); i += 1) {
  if (i > 600) fail('the aggregator does not serve');
  await new Promise((next) => { setTimeout(next, 100); });
}
const headers = { Authorization: `Bearer ${readFileSync(join(state, 'token'), 'utf8').trim()}` };
async function ask(path) {
  const began = performance.now();
  const answer = await fetch(base + path, { headers });
  const text = await answer.text();
  if (!answer.ok) fail(`${path}: ${answer.status} ${text.slice(0, 200)}`);
  return { ms: performance.now() - began, size: text.length, value: text };
}

const miners = JSON.parse((await ask('/miners?limit=1000')).value).miners;
const { id, host, site } = miners[Math.floor(miners.length / 2)];
const now = Math.floor(Date.now() / 1000) + 600; /* never more than the 7 days that may be asked for, however long this takes */
const RANGES = { '1h': 3600, '24h': 86400, '7d': 7 * 86400 };
const PAGES = [
  ['every page', '/status'], ['every page', '/sensors'], ['every page', '/miners?limit=1000'], ['every page', '/blocks'], ['every page', '/alerts?limit=200'],
  ['overview', '/estimates?by=site'], ['overview, a site', `/estimates?by=site&site=${site}`],
  ['miner', `/miners/${id}`], ['miner, 7 days', `/miners/${id}?from=${now - RANGES['7d']}`], ['miner', `/miners/${id}/timeline`],
  ['miner, block preview', `/traffic?remote=203.0.113.7&from=${now - 7 * 86400}&limit=1000`], ['block preview of a host', `/traffic?host=${host}&site=${site}&from=${now - 7 * 86400}&limit=1000`],
  ['block preview, busy server', `/traffic?remote=198.18.0.1&from=${now - 7 * 86400}&limit=1000`],
  ...['site', 'host', 'pool', 'platform', 'wallet'].flatMap((by) => Object.entries(RANGES).map(([name, s]) => [`coins, ${name}`, `/coins?by=${by}&from=${now - s}&limit=1000`])),
  ...Object.entries(RANGES).map(([name, s]) => [`coins, ${name}`, `/coins/series?from=${now - s}&step=${{ '1h': 60, '24h': 900, '7d': 7200 }[name]}`]),
  ['pools', '/pools?limit=1000'], ['pools', '/catalogue'], ['pools', '/lookup?q=203.0.113.7:3333'],
  ['blocks', '/blocks?removed=true'], ['blocks', '/never'], ['policies', '/policies'], ['sensors', '/gaps'], ['sensors', '/keys'], ['sensors', '/sites'],
  ['samples', '/samples'], ['baselines', '/baselines'], ['audit', '/audit'], ['settings', '/own'], ['settings', '/settings'], ['settings', '/users'],
  ['settings', '/tokens'], ['settings', '/notify'], ['imports', '/imports'],
];
const at = (list, p) => [...list].sort((a, b) => a - b)[Math.ceil(p * list.length) - 1];
console.log(`${execFileSync('stat', ['-c', '%s', history]).toString().trim()} bytes of database, ${miners.length} miners, ${times} questions each, fewer of a slow one`);
console.log('| page | question | bytes | first ms | p50 ms | p99 ms |\n|---|---|---|---|---|---|');
let worst = 0;
for (const [page, path] of PAGES) {
  const first = await ask(path);
  const rest = [];
  /* A slow one is asked as often as PATIENCE allows. */
  const end = performance.now() + PATIENCE_MS;
  for (let i = 0; i < Number(times) && (i < 3 || performance.now() < end); i += 1) rest.push((await ask(path)).ms);
  worst = Math.max(worst, at(rest, 0.99));
  console.log(`| ${page} | ${path.replaceAll(String(now), 'now')} | ${first.size} | ${first.ms.toFixed(0)} | ${at(rest, 0.5).toFixed(1)} | ${at(rest, 0.99).toFixed(1)} |`);
}
console.log(`the slowest p99: ${worst.toFixed(0)} ms`);
aggregator.kill();
await new Promise((done) => { aggregator.on('exit', done); });
rmSync(folder, { recursive: true });
