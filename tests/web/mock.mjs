// SPDX-License-Identifier: Apache-2.0
// A stand-in for the aggregator's web side: the built dashboard, made-up answers of the API, an
// event stream, and the same security headers. Some of the text is as hostile as the wire's.
// By hand: node tests/web/mock.mjs DIST [PORT]
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { pathToFileURL } from 'node:url';
import { desk, deskWorld } from './mock_desk.mjs';
import { baselines, baselinesWorld } from './mock_baselines.mjs';
import { trackings, trackingsWorld } from './mock_trackings.mjs';
import { imports, importsWorld } from './mock_imports.mjs';
import { knowledge, knowledgeWorld } from './mock_knowledge.mjs';

export const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
  + "connect-src 'self'; font-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; "
  + "frame-ancestors 'none'; require-trusted-types-for 'script'; "
  + 'trusted-types svelte-trusted-html fleet-worker';
export const HOSTILE = {
  markup: '<img src=x onerror="document.body.dataset.owned=1">',
  bidi: 'user\u202egnp.exe\u0007\u200bx',
  long: 'W'.repeat(300),
};
export const PASSWORD = 'correct horse';

const TYPES = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css',
  '.svg': 'image/svg+xml',
};
const now = () => Date.now() / 1000;
const shares = (submitted) => ({ submitted, accepted: submitted - 3, rejected: 2, stale: 1 });
const rate = (value, unit = 'H/s') =>
  ({ value, low: value * 0.82, high: value * 1.21, unit, method: 'shares' });

const range = (value) => ({ value, low: value * 0.7, high: value * 1.4 });
const devices = {
  count: { value: 1, low: 1, high: 3 }, kinds: { gpu: 0.004, cpu: 0.996, asic: 0 },
  models: [['AMD', 'Ryzen 7 5700G', 0.31, 65], ['Intel', 'Core i7-10700K', 0.18, 125],
    ['NVIDIA', HOSTILE.markup, 0.004, 750]].map(([vendor, model, probability, watts]) => ({
    kind: 'cpu', vendor, model, rate: 7556, share: 0.98, count: { value: 1, low: 1, high: 1 },
    watts: range(watts), probability })),
};
const power = { watts: range(95), kwh_per_day: range(2.28), cost_per_day: range(0.68) };

export function miner(id, overrides = {}) {
  return {
    id, site: 'Rotterdam', host: `10.1.0.${id % 250}`, vlan: [], state: 'confirmed',
    verdict: 'confirmed', confidence: 0.99, mark: null, coins: ['XMR'], families: ['cryptonote'],
    algorithms: ['rx/0'],
    wallets: ['48edfHu7V9Z84YzzMa6fUueoELZ9ZRXq9VetWzYGzKt52XU5xvqgzYnDK9URnRoJMk1j8nLwEVsaSWJ4fhdUyZijBGUicoD'],
    workers: ['rig-01'], agents: ['XMRig/6.21.0 (Linux x86_64)'], pools: ['203.0.113.10:3333'],
    sensors: ['rotterdam-1'], platforms: [], hashrate: rate(8400), devices, power, bytes: { up: 184000, down: 612000 },
    packets: { up: 1840, down: 2210 }, jobs: 122, shares: shares(418), connections: 3,
    open_connections: 1, since: now() - 5400, last: now() - 4, ...overrides,
  };
}

function connection(id, of, overrides = {}) {
  return {
    id, miner: of.id, site: of.site, sensor: 'rotterdam-1', client: { ip: of.host, port: 40000 + id },
    server: { ip: '203.0.113.10', port: 3333, name: 'pool.example' }, vlan: [], transport: 'tcp',
    verdict: 'confirmed', confidence: 0.99, family: 'cryptonote', coin: 'XMR', algorithm: 'rx/0',
    wallet: of.wallets[0] ?? null, worker: of.workers[0] ?? null, agent: of.agents[0] ?? null,
    pool: null, platform: null, tls: false, sni: null, ja4: null, tunnel: null, midstream: false, open: id % 2 === 1, jobs: 40,
    difficulty: 120000, shares: shares(140), hashrate: of.hashrate, counted_devices: null, bytes: of.bytes,
    packets: of.packets, first: now() - 5400 + id * 60, last: now() - id * 40,
    evidence: [
      { kind: 'payload grammar', detail: 'login, job and submit in both directions (cryptonote)',
        from: 'client', seen_in: 'JSON line', time: now() - 5400 + id * 60, strength: 'certain',
        refuted_by: 'the server is no pool: a test, a scanner or an echo service' },
      { kind: 'watch list', detail: `name of the server: ${HOSTILE.markup}`, from: null, seen_in: null,
        time: null, strength: null, refuted_by: HOSTILE.markup },
    ],
    ...overrides,
  };
}

function sensor(id, site, overrides = {}) {
  return {
    id, site, version: '0.1.0', online: true, last_seen: now() - 3, clock_offset: 0.004,
    batches: 910, duplicates: 0, lost: 0, packets: 48211902, bytes: 31822019384, drops: 0,
    flows: 4120, evicted: 12, memory_bytes: 13400000, cpu_seconds: 41.2, uplink_bytes: 18204000, shared_key: null, server_key_serial: 0,
    enforcement: { mode: 'enforce', state: 'confirmed', epoch: 7, serial: 41, at: now() - 50, error: null, elements: 12, repairs: 0, flows_cut: 3, about: null },
    sets: [{ kind: 'policy', state: 'confirmed', epoch: 7, serial: 4, at: now() - 50, error: null }],
    ...overrides,
  };
}

function world() {
  const miners = [
    miner(1),
    miner(2, { host: '10.1.0.77', state: 'probable', verdict: 'probable', coins: ['BTC'],
      families: ['stratum-v1'], algorithms: ['sha256d'], wallets: ['bc1qxy2kgdygjrsqtzq2n0yrf2493p83kkfjhx0wlh'],
      workers: ['s19.a', 's19.b', 's19.c'], agents: ['cgminer/4.11.1'], hashrate: rate(1.04e14),
      pools: ['198.51.100.20:3333', '198.51.100.21:25'], site: 'Porto', since: now() - 90000 }),
    miner(3, { host: 'fd00:12:34:56:789a:bcde:f012:3456', site: 'Gda\u0144sk', coins: ['ETC'], families: ['eth-proxy'],
      algorithms: ['etchash'], wallets: ['0x8e6f0c2f4b0b9a4bba4e0a0a9a8f2b3c1d5e7f90'], workers: ['gpu7'],
      agents: [], hashrate: rate(4.1e8), state: 'suspected', verdict: 'suspected', confidence: 0.45,
      pools: ['[2001:db8::9]:4444'] }),
    miner(4, { host: '10.1.0.13', site: HOSTILE.markup, coins: [HOSTILE.bidi], wallets: [HOSTILE.long],
      workers: [HOSTILE.markup, HOSTILE.bidi], agents: [HOSTILE.long], algorithms: [], hashrate: null,
      devices: null, power: null }),
    miner(5, { host: '10.3.0.9', site: 'Porto', state: 'ended', coins: ['XMR'], last: now() - 7200 }),
  ];
  const sensors = [
    sensor('rotterdam-1', 'Rotterdam'),
    sensor('porto-1', 'Porto', { drops: 1204, sets: [{ kind: 'policy', state: 'confirmed', epoch: 7, serial: 4, at: now() - 50, error: 'not taken: capture.interval: set on this sensor' }], enforcement: { mode: 'dry-run', state: 'applied', epoch: 7, serial: 41, at: now() - 50, error: null, elements: 12, repairs: 0, flows_cut: 3, about: null } }),
    sensor('gdansk-1', 'Gda\u0144sk', { online: false, last_seen: now() - 912, lost: 3,
      enforcement: { mode: 'enforce', state: 'refused', epoch: 7, serial: 39, at: now() - 700, error: 'nft: entry 12 is on the never list (gateway 10.3.0.1)', elements: 12, repairs: 0, flows_cut: 3, about: { epoch: 7, serial: 41 } } }),
    sensor(HOSTILE.long.slice(0, 60), HOSTILE.markup, { version: null }),
  ];
  const blocks = [
    { id: 1, kind: 'remote', target: '198.51.100.99', port: null, transport: null, site: null,
      reason: HOSTILE.markup, created_by: 'admin', created: now() - 4000, expires: now() + 80000,
      removed_by: null, removed: null, active: true,
      sensors: sensors.slice(0, 3).map((s, i) => ({ sensor: s.id, site: s.site, state: ['applied', 'applied', 'failed'][i],
        error: i === 2 ? 'nft: entry 12 is on the never list (gateway 10.3.0.1)' : null, serial: 41, at: now() - 600,
        hits: { packets: 1204 * i, bytes: 72240 * i } })) },
  ];
  blocks.push({ ...blocks[0], id: 2, target: '198.18.0.0/15', reason: HOSTILE.bidi, created_by: 'eve', active: false, sensors: [],
    approval: { state: 'waiting', needs: `wider than a /24: ${HOSTILE.markup}`, by: null, at: null } });
  blocks[0].approval = null;
  const sites = [...new Set(sensors.map((s) => s.site))].map((site, i) => ({
    site, sensors: 1, latitude: [51.92, 41.15, 54.35][i] ?? null, longitude: [4.48, -8.61, 18.65][i] ?? null, price: [0.31, 0.22][i] ?? null,
    held: i === 1 ? { by: 'eve', at: now() - 600, serial: 40, release_asked_by: null } : null }));
  const keys = sensors.map((s, i) => ({ id: i + 1, sensor: s.id, site: s.site, key: 'k'.repeat(40),
    fingerprint: '8051-85e2-1aa1-51b1-d9ef-5c55-0ae8-5f4e', state: i === 2 ? 'revoked' : 'active', added: now() - 90000, added_by: 'file',
    used: now() - 80000, expires: null, ended: null, ended_by: i === 2 ? 'eve' : null, replace: null }));
  const pending = [{ id: 7, key: 'p'.repeat(40), fingerprint: '5f34-b19c-687c-c3c4-563a-ca36-82ee-350f', name: HOSTILE.markup, site: HOSTILE.bidi,
    version: '0.1.0', address: '192.0.2.77', first: now() - 400, last: now() - 4, asks: 12 }];
  return { miners, sensors, blocks, sites, keys, pending, next: 3, traffic: 4.2e10 };
}

function status(w) {
  const n = (state) => w.miners.filter((m) => m.state === state).length;
  return {
    version: '0.1.0', started: now() - 90000, now: now(), sample_mode: true,
    sensors: { total: w.sensors.length, online: w.sensors.filter((s) => s.online).length }, sites: 4,
    miners: { confirmed: n('confirmed'), probable: n('probable'), suspected: n('suspected'), blocked: n('blocked') },
    blocks: w.blocks.filter((b) => b.active).length,
    ingest: { batches: 2210, rows: 90211, duplicates: 0, lost: 3 },
    traffic: { packets: 91000000, bytes: Math.round(w.traffic), mining_bytes: Math.round(w.traffic * 0.0021) },
    database_bytes: 20400000,
    history: null,
  };
}

function detail(m) {
  const start = Math.floor(now() / 60) * 60 - 3600;
  const list = m.state === 'ended' ? [] : [1, 2, 3].map((i) => connection(i, m,
    i === 2 ? { tls: true, sni: HOSTILE.bidi, ja4: 't13d1516h2_8daaf6152771_02713d6af862' } : {}));
  const minutes = Array.from({ length: 58 }, (_, i) => ({
    t: start + i * 60, bytes: { up: 9000 + 2600 * Math.sin(i / 5), down: 30000 + 8000 * Math.cos(i / 7) },
    packets: { up: 30, down: 36 }, jobs: 2, shares: shares(7),
    self_reported: m.hashrate && i % 3 === 0 ? m.hashrate.value * 1.05 : null,
    hashrate: m.hashrate && (i < 20 || i > 24) ? rate(m.hashrate.value * (1 + 0.1 * Math.sin(i / 4)), m.hashrate.unit) : null,
  }));
  return { ...m, connection_list: list, resolution: 'minute', minutes };
}

const bytesOf = (mining, wallet) => ({ mining, wallet });
const coinShares = (by) => [['XMR', 5.9e6, 4e5], ['BTC', 4.6e6, 9e5], [HOSTILE.bidi, 3e5, 0], [null, 0, 2e5]].map(([coin, mining, wallet], i) => ({
  coin, of: [by === 'wallet' ? miner(1).wallets[0] : 'Rotterdam', 'Porto', HOSTILE.markup, null][i], site: by === 'host' || by === 'site' ? 'Porto' : null,
  bytes: bytesOf(mining, wallet), connections: 3, hosts: 2, last: now() - 60 }));
function timeline(m) {
  return { miner: m.id, left_out: 3,
    states: [['suspected', 5400], ['confirmed', 5390]].map(([state, ago]) => ({ state, at: now() - ago, by: 'rotterdam-1', reason: null })),
    reasons: connection(1, m).evidence.map((e) => ({ ...e, time: undefined, sensor: 'rotterdam-1', first: now() - 5395, last: now() - 20 })) };
}
function estimates() {
  const estimate = (name) => ({ name, miners: 4, with_devices: 3, hashrates: [{ algorithm: 'rx/0', unit: 'H/s', miners: 2, value: 16800, low: 15000, high: 18000 },
    { algorithm: HOSTILE.bidi, unit: 'H/s', miners: 1, value: 1e14, low: 9e13, high: 1.1e14 }], devices: range(4), kinds: { gpu: 0, cpu: 3, asic: 1 },
    watts: range(3400), kwh_per_day: range(81), cost_per_day: range(24.4), with_price: 3 });
  return { by: 'site', estimates: [estimate('Rotterdam'), estimate(HOSTILE.markup)], total: estimate(null), models: [], other_models: { gpu: 0, cpu: 0, asic: 0 }, left_out: 0 };
}
function coinPoints(step) {
  const start = (Math.floor(now() / step) - 40) * step;
  return Array.from({ length: 40 }, (_, i) => ['XMR', 'BTC'].filter((c) => c === 'XMR' || i < 12 || i > 20).map((coin) => ({
    t: start + i * step, coin, bytes: bytesOf(9e4 + 2e4 * Math.sin(i / 3), 2e3) }))).flat();
}
const gap = { sensor: 'porto-1', site: 'Porto', from: now() - 9000, to: now() - 8700, at: now() - 8000, records: 30, flows: 210, bytes: 4e6, reason: HOSTILE.markup };

const GEO = {
  sources: [
    { name: 'city.mmdb', type: 'City', description: 'Made up', built: now() - 50 * 86400, old: true },
    { name: 'asn.mmdb', type: 'ASN', description: 'Made up', built: now() - 86400, old: false },
  ],
  attribution: 'Places by nobody', host_names: { on: true, asked: 3, answered: 1, failed: 1, evicted: 0, waiting: 1 },
};

/* The host name comes with the second question. */
function address(ip, asked) {
  return {
    ip, private: ip.startsWith('10.'), country: 'DE', region: 'Bavaria', city: HOSTILE.markup,
    latitude: 49.45, longitude: 11.08, place_source: 0, asn: 64500, as_name: HOSTILE.bidi, as_source: 1,
    host_name: asked > 1 ? 'pool-a.example.net' : null, host_name_state: asked > 1 ? 'known' : 'pending',
  };
}

/* A pool with a past; its words are anybody's. */
function poolWorld() {
  const entry = (id, fqdn, port, coin) => ({
    id, pool_id: 1, server_id: 1, pool: 'Pool One', fqdn, port, coin, algorithm: 'randomx', protocol: 'cryptonote',
    tls: 'no', kind: 'pool-endpoint', source: HOSTILE.markup, legacy: false, installed: true, edited: false, active: true,
    created: now() - 9e5, changed: now() - 9e5, changed_by: 'installed', can_undo: false,
  });
  const endpoint = {
    id: 1, address: '203.0.113.7', port: 3333, state: 'up', since: now() - 9000, probed: now() - 600, up: now() - 600,
    reason: 'it answered a cryptonote request', family: 'cryptonote', tls: false, banner: HOSTILE.markup,
    certificate: null, difficulty: 10000, latency_ms: 12.5,
  };
  return {
    entries: [entry(1, 'eu.one.example', 3333, 'XMR'), entry(2, 'eu.one.example', 443, null)],
    endpoint,
    pool: { id: 1, name: 'Pool One', coins: ['XMR', HOSTILE.bidi], servers: 1, addresses: 1, entries: 2, muted: 0, up: 1, listen: 0, down: 0, changed: now() - 9e5 },
    catalogue: {
      pools: 1, servers: 1, addresses: 1, entries: 2, muted: 0, endpoints: 1, up: 1, listen: 0, down: 0, refused: 0,
      resolve: { on: true, names: 1, failed: 0 },
      probe: { on: false, probes: 1, connections: 1, refused: 0, too_soon: 0, crowded: 0, waiting: 0, suspects: 0 }, offline: false, dropped: 0,
    },
  };
}

function poolDetail(p) {
  return {
    pool: p.pool, entries: p.entries, endpoints: [p.endpoint],
    servers: [{ id: 1, fqdn: 'eu.one.example', cname: 'edge.example.net', error: null, resolved: now() - 900, addresses: [
      { address: '203.0.113.7', first: now() - 8e5, last: now() - 900, pools: 1, weak: null },
      { address: '203.0.113.8', first: now() - 8e5, last: now() - 7e5, pools: 3, weak: 'the names of 3 pools lead to it' }] }],
  };
}

const poolHistory = () => ({
  from: now() - 30 * 86400,
  endpoints: [{ endpoint_id: 1, changes: [
    { at: now() - 40 * 86400, state: 'up', reason: 'it answered' },
    { at: now() - 9 * 86400, state: 'down', reason: 'no connection: refused' },
    { at: now() - 9000, state: 'up', reason: 'it answered' }] }],
  versions: [{ entry_id: 1, no: 1, at: now() - 9e5, actor: 'installed', action: 'install', fqdn: 'eu.one.example', port: 3333, coin: 'XMR', algorithm: null, protocol: null, tls: 'no', active: true }],
});

function lookup(p, q) {
  const known = q.startsWith('203.0.113.7') || q === 'eu.one.example';
  return {
    query: q, kind: q.includes(':') ? 'endpoint' : 'name', at: now(), endpoints: [], then: null, port_pools: [], total: known ? 1 : 0,
    answer: known ? 'yes' : 'unknown',
    summary: known ? 'It is a server of Pool One (XMR): eu.one.example.' : 'The catalogue does not know it. That is no proof that it is no mining service.',
    matches: known ? [{ how: 'name', answer: 'yes', entry: p.entries[0], listed: true, listed_from: now() - 9e5,
      address: { address: '203.0.113.7', first: now() - 8e5, last: now() - 900, pools: 1, weak: null },
      endpoint: p.endpoint, then: { at: now() - 9000, state: 'up', reason: 'it answered' } }] : [],
  };
}

/** Starts the server. `push` sends an event to every stream, `cut` ends the streams. */
export async function startMock(dist, port = 0) {
  const w = world();
  const pools = poolWorld();
  const d = deskWorld(HOSTILE);
  const learned = knowledgeWorld(HOSTILE);
  const captures = importsWorld(HOSTILE);
  const usual = baselinesWorld(HOSTILE);
  const tracked = trackingsWorld(HOSTILE);
  const streams = new Set();
  const lookups = new Map();
  const calls = [];
  const events = [];
  const push = (name, object) => {
    const text = `id: ${events.length + 1}\nevent: ${name}\ndata: ${JSON.stringify(object)}\n\n`;
    events.push(text);
    for (const s of streams) s.write(text);
  };

  function send(response, code, object, headers = {}) {
    response.writeHead(code, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...headers });
    response.end(code === 204 ? undefined : JSON.stringify(object));
  }
  const refuse = (response, code, name, message, field = null) =>
    send(response, code, { error: { code: name, message, field } });

  function addBlock(response, request) {
    if (!request.target || request.target.startsWith('10.')) {
      refuse(response, 403, 'protected', `${request.target} is one of our own networks and stays reachable.`, 'target');
      return;
    }
    const block = {
      id: w.next, kind: request.kind ?? 'remote', target: request.target, port: request.port ?? null,
      transport: null, site: request.site ?? null, reason: request.reason ?? null, created_by: 'admin',
      created: now(), expires: now() + (request.ttl ?? 86400), removed_by: null, removed: null, active: true,
      sensors: w.sensors.filter((s) => !request.site || s.site === request.site).map((s) => ({
        sensor: s.id, site: s.site, state: 'sent', error: null, serial: 42, at: now(), hits: { packets: 0, bytes: 0 } })),
    };
    w.next += 1;
    w.blocks.unshift(block);
    send(response, 201, block);
  }

  async function api(request, response, path, query) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const sent = Buffer.concat(chunks);
    const isJson = request.headers['content-type'] === 'application/json';
    const body = sent.length && isJson ? JSON.parse(sent.toString()) : {};
    const what = `${request.method} ${path}`;
    calls.push(what);
    const session = { user: 'admin', role: 'admin', sites: null, token: false, expires: now() + 1800 };
    if (what === 'POST /session') {
      if (body.password !== PASSWORD) refuse(response, 401, 'unauthorized', 'Wrong user or password.');
      else send(response, 200, session, { 'Set-Cookie': 'davylamp_session=1; HttpOnly; SameSite=Strict; Path=/' });
      return;
    }
    if (!/davylamp_session=1/.test(request.headers.cookie ?? '')) {
      refuse(response, 401, 'unauthorized', 'Log in first.');
      return;
    }
    const id = Number(/^\/\w+\/(\d+)$/.exec(path)?.[1]);
    const mine = { what, path, query, body, size: sent.length, push, send: (code, object) => send(response, code, object), refuse: (...why) => refuse(response, ...why) };
    if (desk(d, mine) || imports(captures, mine) || baselines(usual, mine) || trackings(tracked, mine) || knowledge(learned, mine)) return;
    if (what === 'GET /session') send(response, 200, session);
    else if (what === 'DELETE /session') send(response, 204, null, { 'Set-Cookie': 'davylamp_session=; Max-Age=0; Path=/' });
    else if (what === 'GET /status') send(response, 200, status(w));
    else if (what === 'GET /sensors') send(response, 200, { sensors: w.sensors });
    else if (what === 'GET /miners') {
      const at = 1 + w.miners.findIndex((m) => m.id === Number(query.get('after')));
      const miners = w.miners.slice(at, at + Number(query.get('limit') ?? 200));
      send(response, 200, { miners, next: at + miners.length < w.miners.length ? miners.at(-1).id : null });
    }
    else if (what === 'GET /blocks') send(response, 200, { blocks: w.blocks.filter((b) => b.active || query.get('removed')), epoch: 7, serial: 41 });
    else if (what === 'GET /estimates') send(response, 200, estimates());
    else if (/^GET \/miners\/\d+\/timeline$/.test(what)) {
      const of = w.miners.find((m) => m.id === Number(path.split('/')[2]));
      if (of) send(response, 200, timeline(of));
      else refuse(response, 404, 'not_found', 'There is no such object.');
    } else if (what === 'GET /sites') {
      const of = (site, name) => d.settings.find((s) => s.name === name && s.site === site)?.value;
      send(response, 200, { sites: w.sites.map((s) => {
        const [latitude, longitude] = of(s.site, 'site.place')?.split(' ').map(Number) ?? [s.latitude, s.longitude];
        return { ...s, latitude, longitude, price: Number(of(s.site, 'site.price')) || s.price || Number(of(null, 'site.price')) || null };
      }) });
    } else if (what === 'GET /never') send(response, 200, { never: [{ target: '203.0.113.254', source: 'configuration' }, { target: '192.0.2.1', source: 'aggregator' }] });
    else if (what === 'GET /gaps') send(response, 200, { gaps: [gap] });
    else if (what === 'POST /enrollments') send(response, 201, { id: 1, token: `lamp1-${'a'.repeat(60)}`, site: body.site, name: body.name || null, created: now(), created_by: 'admin', expires: now() + body.ttl });
    else if (what === 'GET /keys') send(response, 200, { keys: w.keys, pending: w.pending, pending_refused: 2, enrollments: [] });
    else if (what === 'GET /coins') send(response, 200, { coins: coinShares(query.get('by')) });
    else if (what === 'GET /coins/series') send(response, 200, { points: coinPoints(Number(query.get('step'))) });
    else if (what === 'GET /traffic') send(response, 200, { traffic: [], total: { bytes: { out: 0, in: 0 }, packets: { out: 0, in: 0 }, flows: 0 } });
    else if (what === 'GET /geo') send(response, 200, GEO);
    else if (what === 'GET /catalogue') send(response, 200, pools.catalogue);
    else if (what === 'GET /pools') send(response, 200, { pools: [pools.pool], next: null });
    else if (what === 'GET /pools/1') send(response, 200, poolDetail(pools));
    else if (what === 'GET /pools/1/history') send(response, 200, poolHistory());
    else if (what === 'GET /lookup') send(response, 200, lookup(pools, query.get('q')));
    else if (what === 'POST /pool-entries') {
      if (!/^[a-z0-9.-]+\.[a-z]+$/.test(body.fqdn)) refuse(response, 400, 'invalid', 'that is no host name of two labels or more, and no address');
      else {
        const added = { ...pools.entries[0], ...body, id: 9, installed: false, can_undo: true };
        pools.entries.push(added);
        send(response, 201, added);
      }
    } else if (path.startsWith('/pool-entries/')) {
      const entry = pools.entries.find((e) => path.endsWith(`/${e.id}`));
      entry.active = request.method !== 'DELETE';
      entry.can_undo = true;
      send(response, request.method === 'DELETE' ? 204 : 200, request.method === 'DELETE' ? null : entry);
    }
    else if (what === 'GET /addresses') {
      send(response, 200, { addresses: query.get('ip').split(',').map((ip) => {
        lookups.set(ip, (lookups.get(ip) ?? 0) + 1);
        return address(ip, lookups.get(ip));
      }) });
    } else if (what === 'POST /blocks') addBlock(response, body);
    else if (what === 'GET /events') {
      response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
      const seen = Number(request.headers['last-event-id'] ?? events.length);
      response.write(`retry: 300\nid: ${seen}\n\n${events.slice(seen).join('')}`);
      streams.add(response);
      response.on('close', () => streams.delete(response));
    } else if (request.method === 'DELETE' && path.startsWith('/blocks/')) {
      const block = w.blocks.find((b) => b.id === id);
      if (block) Object.assign(block, { active: false, removed: now(), removed_by: 'admin' });
      send(response, 204, null);
    } else {
      const found = path.startsWith('/miners/') ? w.miners.find((m) => m.id === id) : undefined;
      if (found) send(response, 200, detail(found));
      else refuse(response, 404, 'not_found', 'There is no such object.');
    }
  }

  async function file(response, path) {
    const name = extname(path) ? normalize(path).replace(/^(\.\.[/\\])+/, '') : '/index.html';
    try {
      const data = await readFile(join(dist, name));
      response.writeHead(200, { 'Content-Type': TYPES[extname(name)] ?? 'application/octet-stream' });
      response.end(data);
    } catch {
      response.writeHead(404).end();
    }
  }

  const server = createServer((request, response) => {
    const url = new URL(request.url, 'http://mock');
    response.setHeader('Content-Security-Policy', CSP);
    response.setHeader('X-Content-Type-Options', 'nosniff');
    response.setHeader('Referrer-Policy', 'no-referrer');
    response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
    const work = url.pathname.startsWith('/api/v1/')
      ? api(request, response, url.pathname.slice(7), url.searchParams) : file(response, url.pathname);
    work.catch((error) => {
      console.error(error);
      response.destroy();
    });
  });
  await new Promise((done) => { server.listen(port, '127.0.0.1', done); });
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    world: w, desk: d, captures, usual, tracked, calls, streams, push, status: () => status(w),
    cut: () => { for (const s of streams) s.destroy(); },
    close: () => { server.closeAllConnections(); server.close(); },
  };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const mock = await startMock(process.argv[2], Number(process.argv[3] ?? 0));
  console.log(`${mock.url} (admin, ${PASSWORD})`);
  setInterval(() => {
    mock.world.traffic += 4e7 * (1 + Math.random());
    mock.push('status', mock.status());
  }, 2000);
}
