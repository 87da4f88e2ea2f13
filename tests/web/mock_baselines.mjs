// SPDX-License-Identifier: Apache-2.0
// The part of mock.mjs that is about baselines: one in force with a draft, one that is being learned.

const now = () => Date.now() / 1000;

export function baselinesWorld(hostile) {
  const place = (remote, port, overrides) => ({
    remote, port, protocol: 6, asn: null, name: null, pool: null, application: 'tls', mining: false, by: 'address', bytes: 4000, packets: 40, minutes: 30,
    period: null, jitter: null, ...overrides });
  const spread = (mean, sd) => ({ mean, sd, most: mean + 2 * sd, carry: 0, low: mean / 2, high: mean * 1.8 });
  const body = () => ({
    from: now() - 9000, to: now() - 7200, minutes: 30, mining: spread(32000, 3800), other: spread(1400, 900), packets: spread(180, 20), quiet: 60,
    wallets: [hostile.markup, '4mine'], left_out: 0,
    destinations: [place('203.0.113.10', 3333, { name: 'pool.example', pool: 'Pool One', application: 'cryptonote', mining: true, by: 'pool', asn: 64500, bytes: 960000 }),
      place('198.51.100.50', 443, { name: hostile.markup, by: 'name', period: 300, jitter: 0 }), place('10.0.0.1', 53, { protocol: 17, application: 'dns' })] });
  const one = (id, overrides) => ({
    id, site: 'Porto', host: '10.1.0.1', miner: 1, state: 'in-force', version: 2, learn_to: null, by_asn: false, unexpected: 2, left_out: 0, created: now() - 9e4,
    created_by: hostile.bidi, ...overrides });
  const unexpected = (id, remote, port, overrides) => ({
    id, remote, port, protocol: 6, asn: 64510, name: null, pool: null, application: 'ssh', mining: false, state: 'new', said_by: null, first: now() - 900,
    last: now() - 60 * id, bytes: 5000, packets: 60, ...overrides });
  return {
    details: [
      { baseline: [one(1, {})], current: body(), draft: body(), unexpected: [unexpected(4, '203.0.113.99', 22), unexpected(5, '2001:db8::99', 8080, { name: hostile.markup, application: hostile.bidi })],
        versions: [2, 1].map((version) => ({ version, at: now() - 9e4 / version, by: 'eve', note: version === 1 ? 'learned' : hostile.markup, from: now() - 1e5, to: now() - 98200, minutes: 30, destinations: 3 })) },
      { baseline: [one(2, { host: '10.1.0.2', miner: null, state: 'learning', version: 0, learn_to: now() + 900, unexpected: 0 })], current: null, draft: null, unexpected: [], versions: [] },
    ],
    minutes: () => Array.from({ length: 90 }, (_, i) => ({ time: (Math.floor(now() / 60) - 91 + i) * 60, mining: i === 50 ? 99000 : 32000, other: 1400, unexpected: i > 80 ? 500 : 0, packets: 180 })),
    blocks: [],
  };
}

/** Answers what it knows; false: somebody else's call. */
export function baselines(d, { what, path, body, send, refuse }) {
  const id = Number(/^\/baselines\/(\d+)/.exec(path)?.[1]);
  const detail = d.details.find((x) => x.baseline[0].id === id);
  const one = detail?.baseline[0];
  const accepted = (note, destinations) => {
    one.version += 1;
    one.state = detail.draft ? 'draft' : 'in-force';
    detail.versions.unshift({ ...detail.versions[0], version: one.version, at: now(), by: 'admin', note, destinations });
  };
  if (what === 'GET /baselines') send(200, { baselines: d.details.flatMap((x) => x.baseline) });
  else if (what === 'POST /baselines') {
    if (body.host === '10.9.9.9') refuse(409, 'conflict', 'no mining of this host is sanctioned: mark it as wanted first', 'target');
    else send(201, d.details[0]);
  } else if (!/^(GET|POST|DELETE) \/baselines\/\d+/.test(what)) return false;
  else if (!detail) refuse(404, 'not_found', `There is no baseline ${id}.`);
  else if (what.startsWith('GET') && path.endsWith('/series')) send(200, { from: now() - 10800, to: now(), minutes: detail.current ? d.minutes() : [] });
  else if (what.startsWith('GET')) send(200, detail);
  else if (path.endsWith('/accept')) {
    if (!body.version) [detail.current, detail.draft] = [detail.draft, null];
    accepted(body.version ? `version ${body.version} again` : 'learned', 3);
    send(200, detail);
  } else if (path.endsWith('/destinations')) {
    const news = detail.unexpected.find((n) => n.id === body.destination);
    if (body.action === 'accept') {
      detail.unexpected.splice(detail.unexpected.indexOf(news), 1);
      detail.current = { ...detail.current, destinations: [...detail.current.destinations, { ...news, by: 'address', minutes: 9, period: null, jitter: null }] };
      accepted(`accepted ${news.remote}`, detail.current.destinations.length);
    } else Object.assign(news, { state: body.action === 'watch' ? 'watched' : 'blocked', said_by: 'admin' });
    if (body.action === 'block') d.blocks.push(news.remote);
    send(200, detail);
  } else if (path.endsWith('/copy')) send(201, d.details[1]);
  else {
    d.details.splice(d.details.indexOf(detail), 1);
    send(204, null);
  }
  return true;
}
