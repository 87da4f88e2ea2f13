// SPDX-License-Identifier: Apache-2.0
// The part of mock.mjs that is about trackings: one that goes on, with a sample, and one that is over.

const now = () => Date.now() / 1000;

export function trackingsWorld(hostile) {
  const one = (id, overrides) => ({
    id, what: 'remote', site: 'Porto', sensor: null, miner: null,
    matches: [{ host: null, host_port: null, remote: '203.0.113.10', remote_port: 3333, transport: null }], state: 'tracking', ring: 4, duration: 3600,
    reason: hostile.markup, created_by: hostile.bidi, created: now() - 900, until: now() + 2700, ended: null, ended_by: null, rows: 90, rows_refused: 0,
    sensors: [{ sensor: 'porto-1', site: 'Porto', state: 'tracking', words: null, bytes: 96000, packets: 540, changed: now() - 9 },
      { sensor: 'porto-2', site: 'Porto', state: 'unknown', words: hostile.markup, bytes: 0, packets: 0, changed: now() - 800 }], ...overrides });
  return {
    list: [one(2, {}), one(1, { state: 'over', ended: now() - 300, ended_by: 'eve', ring: 0, rows_refused: 7 })],
    steps: (from, to, step) => Array.from({ length: Math.floor((to - from) / step) }, (_, i) => ({
      from: (Math.floor(from / step) + i) * step, bytes: { out: 400 + 40 * (i % 7), in: 1600 }, packets: { out: 3, in: 4 } })),
    asked: [],
  };
}

/** Answers what it knows; false: somebody else's call. */
export function trackings(d, { what, path, query, body, send, refuse }) {
  const id = Number(/^\/trackings\/(\d+)/.exec(path)?.[1]);
  const one = d.list.find((t) => t.id === id);
  if (what === 'GET /trackings') send(200, { trackings: d.list.map((t) => ({ ...t, sensors: t.sensors.map((s) => ({ ...s, bytes: null, packets: null })) })), next: null });
  else if (what === 'POST /trackings') {
    if (body.what === 'host' && !body.site) refuse(400, 'bad_request', 'An inside host needs its site, since sites may share addresses.', 'site');
    else {
      d.asked.push(body);
      d.list.unshift({ ...d.list[0], id: d.list.length + 1, what: body.what, miner: body.miner ?? null, ring: body.ring, duration: body.duration, reason: body.reason, created: now() });
      send(201, d.list[0]);
    }
  } else if (!/^(GET|POST|DELETE) \/trackings\/\d+/.test(what)) return false;
  else if (!one) refuse(404, 'not_found', `There is no tracking ${id}.`);
  else if (path.endsWith('/steps')) {
    const [from, to, step] = ['from', 'to', 'step'].map((name) => Number(query.get(name)));
    send(200, { from, to, step, steps: d.steps(from, to, step) });
  } else if (path.endsWith('/end')) send(200, Object.assign(one, { state: 'over', ended: now(), ended_by: 'admin' }));
  else if (what.startsWith('DELETE')) {
    d.list.splice(d.list.indexOf(one), 1);
    send(204, null);
  } else send(200, one);
  return true;
}
