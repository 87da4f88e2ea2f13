// SPDX-License-Identifier: Apache-2.0
// How long event streams wait: node tests/bench/streams.mjs URL TOKEN-FILE PASSWORD [STREAMS [CHANGES]], at an
// aggregator on loopback that nobody else changes; PASSWORD is of "admin". 1,000 streams are opened with as many tokens, sessions
// and addresses (127.0.0.2 and on) as the limits ask for; then blocks are entered one after another. An answer is given after the commit, so the time from the answer to the
// event is at most the time from the commit to the client, less what the answer took to get here; both ends share this
// process, whose own work is in the figures. Prints JSON; fails where a stream misses an event or p99 is above 250 ms.
import fs from 'node:fs';
import http from 'node:http';

const [base, tokenFile, password, streams = '1000', changes = '50'] = process.argv.slice(2);
if (!base || !tokenFile || !password) {
  console.error('usage: streams.mjs URL TOKEN-FILE PASSWORD [STREAMS [CHANGES]]');
  process.exit(2);
}
const TOKENS = 60, OF_OWNER = 8, OF_ADDRESS = 100, MOST_MS = 250, PATIENCE_MS = 60_000;
const url = new URL(base), admin = fs.readFileSync(tokenFile, 'utf8').trim();
const agent = new http.Agent({ keepAlive: true });

/* Who opens eight streams: a token, or a session once there are as many tokens as there may be. */
async function owner(i) {
  if (i < TOKENS) return { authorization: `Bearer ${(await call('POST', '/tokens', { name: `streams-${process.pid}-${i}`, role: 'viewer' })).token}` };
  return { cookie: await call('POST', '/session', { user: 'admin', password }, (res) => res.headers['set-cookie'][0].split(';')[0]) };
}

function call(method, path, body, answer = (res, text) => (text ? JSON.parse(text) : null)) {
  return new Promise((done, fail) => {
    const req = http.request({ method, host: url.hostname, port: url.port, path: `/api/v1${path}`, agent,
      headers: { ...(path === '/session' ? {} : { authorization: `Bearer ${admin}` }), ...(body ? { 'content-type': 'application/json' } : {}) } }, (res) => {
      let text = '';
      res.on('data', (part) => { text += part; });
      res.on('end', () => (res.statusCode < 300 ? done(answer(res, text)) : fail(new Error(`${path}: ${res.statusCode} ${text}`))));
    });
    req.on('error', fail);
    req.end(body ? JSON.stringify(body) : undefined);
  });
}

const heard = new Map(); // number of a block: when each stream heard of it first
let open = 0;

function listen(i, headers) {
  return new Promise((done, fail) => {
    const req = http.request({ host: url.hostname, port: url.port, path: '/api/v1/events', agent: false,
      localAddress: `127.0.0.${2 + Math.floor(i / OF_ADDRESS)}`, headers }, (res) => {
      if (res.statusCode !== 200) return fail(new Error(`stream ${i}: ${res.statusCode}`));
      let rest = '';
      open += 1;
      done(req);
      res.on('data', (part) => {
        const at = performance.now(), events = (rest + part).split('\n\n');
        rest = events.pop();
        for (const event of events) {
          if (!event.includes('event: block')) continue;
          const id = Number(/"id":(\d+)/.exec(event)?.[1]);
          if (!heard.has(id)) heard.set(id, new Map());
          if (!heard.get(id).has(i)) heard.get(id).set(i, at);
        }
      });
      res.on('close', () => { open -= 1; });
      return undefined;
    });
    req.on('error', fail);
    req.end();
  });
}

async function until(condition) {
  for (const from = performance.now(); !condition();) {
    if (performance.now() - from > PATIENCE_MS) return false;
    await new Promise((done) => { setTimeout(done, 2); });
  }
  return true;
}

const n = Number(streams), requests = [];
for (let i = 0, headers; i < n; i += 1) {
  if (i % OF_OWNER === 0) headers = await owner(i / OF_OWNER);
  requests.push(await listen(i, headers));
}

const times = [];
let missed = 0;
for (let c = 0; c < Number(changes); c += 1) {
  const { id } = await call('POST', '/blocks', { target: `198.18.${c >> 8}.${c & 255}`, ttl: 3600 });
  const at = performance.now();
  if (!(await until(() => heard.get(id)?.size === n))) missed += n - (heard.get(id)?.size ?? 0);
  for (const t of heard.get(id)?.values() ?? []) times.push(Math.max(0, t - at));
}
times.sort((a, b) => a - b);
const share = (q) => Number(times[Math.min(times.length - 1, Math.floor(q * times.length))]?.toFixed(1));
console.log(JSON.stringify({ streams: open, changes: Number(changes), missed, p50_ms: share(0.5), p99_ms: share(0.99), max_ms: share(1) }));
for (const req of requests) req.destroy();
process.exit(missed === 0 && share(0.99) <= MOST_MS ? 0 : 1);
