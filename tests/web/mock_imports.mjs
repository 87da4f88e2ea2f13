// SPDX-License-Identifier: Apache-2.0
// The part of mock.mjs that is about imported captures.

const now = () => Date.now() / 1000;
const THEN = 1700000040;

function entry(id, overrides = {}) {
  return {
    id, name: 'branch-17.pcapng', source: 'upload', site: 'Porto', state: 'done',
    answer: 'Yes: 1 host mines (10.0.0.5), XMR at pool.example port 3333 by cryptonote. Seen: client line 1: method login; server line 1: answer to login.',
    error: null, created_by: 'eve', created: now() - 900, started: now() - 890, ended: now() - 880, size: 400000, files: 2, files_done: 2, files_failed: 1,
    packets: 12044, bytes: 8044123, connections: 3, verdicts: { confirmed: 1, probable: 1, suspected: 0, wallet: 1 }, connections_left_out: 0,
    minutes_left_out: 0, first: THEN, last: THEN + 1800, progress: null, ...overrides,
  };
}

export function importsWorld(hostile) {
  const connection = (overrides) => ({
    client: { ip: '10.0.0.5', port: 40001 }, server: { ip: '203.0.113.10', port: 3333, name: 'pool.example' }, vlan: [], transport: 'tcp',
    verdict: 'confirmed', confidence: 0.9999, family: 'cryptonote', coin: 'XMR', algorithm: 'rx/0', wallet: '48edfHu7V9Z84YzzMa6fUueoELZ9ZRXq9VetWzYGzKt52XU5xvqgzYnDK9URnRoJMk1j8nLwEVsaSWJ4fhdUyZijBGUicoD',
    worker: 'rig-01', agent: 'XMRig/6.21.0', pool: null, hashrate: { value: 8400, low: 6900, high: 10100, unit: 'H/s', method: 'shares' },
    shares: { submitted: 40, accepted: 38, rejected: 2, stale: 0 }, bytes: { up: 18400, down: 61200 }, first: THEN, last: THEN + 1700,
    evidence: [{ kind: 'grammar-client', detail: 'client line 1: method login', time: THEN }, { kind: 'grammar-server', detail: hostile.markup, time: THEN + 1 }], ...overrides,
  });
  return {
    imports: [entry(3, { state: 'running', name: 'night.pcap', answer: null, ended: null, files_done: 0, verdicts: { confirmed: 0, probable: 0, suspected: 0, wallet: 0 },
      progress: { received: 400000, file: 1, file_size: 400000, file_read: 100000, before: 0 } }),
    entry(2, { name: hostile.markup, site: null, state: 'failed', answer: null, error: `${hostile.bidi}: no capture file`, first: null, last: null }), entry(1)],
    files: [{ no: 1, name: 'branch-17.pcapng', size: 380000, packets: 12044, connections: 3, verdict: 'confirmed', error: null },
      { no: 2, name: hostile.long.slice(0, 200), size: 20000, packets: 0, connections: 0, verdict: 'none', error: 'no capture file (pcap, pcapng)' }],
    minutes: Array.from({ length: 30 }, (_, i) => ({ time: THEN + 60 * i, packets: 400, bytes: 260000 + 9000 * (i % 7), mining_up: 600 + 20 * (i % 5), mining_down: 2000,
      submitted: i % 3, accepted: i % 3, rejected: 0, jobs: 2 })),
    connections: [{ id: 1, file: 1, connection: connection({}) },
      { id: 2, file: 1, connection: connection({ client: { ip: '10.0.0.6', port: 40002 }, verdict: 'probable', worker: hostile.markup, wallet: hostile.long, coin: null, hashrate: null }) }],
    received: new Map(), next: 10,
  };
}

/** Answers what it knows; false: somebody else's call. */
export function imports(d, { what, path, query, body, size, send, refuse }) {
  const id = Number(/^\/imports\/(\d+)/.exec(path)?.[1]);
  const one = d.imports.find((i) => i.id === id);
  if (what === 'GET /imports') send(200, { imports: d.imports, next: null });
  else if (what === 'POST /imports') {
    if (body.path?.startsWith('..')) refuse(403, 'forbidden', 'The path leads out of the folder for imports, or over a symbolic link.', 'path');
    else {
      d.next += 1;
      const bytes = (body.files ?? []).reduce((sum, f) => sum + f.size, 0);
      d.imports.unshift(entry(d.next, { name: body.path ?? body.files[0].name, site: body.site, source: body.path ? 'server' : 'upload', size: bytes,
        ...(body.path ? {} : { state: 'uploading', answer: null, ended: null, progress: { received: 0, file: 0, file_size: 0, file_read: 0, before: 0 } }) }));
      send(201, d.imports[0]);
    }
  } else if (/^PUT \/imports\/\d+\/data$/.test(what)) {
    if (Number(query.get('offset')) !== one.progress.received) refuse(409, 'conflict', 'Go on elsewhere.', 'offset');
    else {
      one.progress.received += size;
      send(200, { received: one.progress.received });
      if (one.progress.received === one.size) Object.assign(one, entry(one.id, { name: one.name, size: one.size, site: one.site }));
    }
  } else if (/^POST \/imports\/\d+\/cancel$/.test(what)) send(200, Object.assign(one, { state: 'cancelled', ended: now(), progress: null }));
  else if (/^DELETE \/imports\/\d+$/.test(what)) {
    d.imports.splice(d.imports.indexOf(one), 1);
    send(204, null);
  } else if (/^GET \/imports\/\d+$/.test(what)) {
    if (one) send(200, { imports: [one], files: d.files, minutes: d.minutes });
    else refuse(404, 'not_found', `There is no import ${id}.`);
  } else if (/^GET \/imports\/\d+\/connections$/.test(what)) send(200, { connections: d.connections, next: null });
  else return false;
  return true;
}
