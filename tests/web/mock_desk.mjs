// SPDX-License-Identifier: Apache-2.0
// The part of mock.mjs that is about alerts, policies, the owner's lists, the audit log and accounts.

const now = () => Date.now() / 1000;

export function alert(id, overrides = {}) {
  return {
    id, kind: 'miner-confirmed', severity: 'critical', about: 'a miner that nobody sanctioned', subject: '10.1.0.1 at Rotterdam',
    site: 'Rotterdam', text: '10.1.0.1 at Rotterdam mines XMR at 203.0.113.10 port 3333.', miner: 1, technique: 'T1496', count: 12,
    first: now() - 5400, raised: now() - 5400, last: now() - 30, resolved: null, acknowledged: null, acknowledged_by: null, ...overrides,
  };
}

export function deskWorld(hostile) {
  const alerts = [
    alert(4),
    alert(3, { kind: 'sensor-silent', severity: 'warning', about: 'a sensor that is silent', subject: 'sensor gdansk-1', site: 'Gda\u0144sk',
      text: `Sensor gdansk-1 is silent: ${hostile.markup}`, miner: null, technique: null, count: 1, raised: now() - 900 }),
    alert(2, { kind: 'disk-filling', severity: 'notice', about: 'a disk that fills', subject: 'aggregator', site: null, text: `The disk is full to 91 %. ${hostile.bidi}`,
      miner: null, technique: null, acknowledged: now() - 200, acknowledged_by: 'eve' }),
    alert(1, { kind: 'policy', severity: 'warning', about: 'a policy fits', text: hostile.long, raised: now() - 90000, resolved: now() - 4000 }),
  ];
  const policy = {
    id: 1, name: 'Nightly <b>XMR</b>', mode: 'dry-run', place: 1, verdict: 'confirmed', confidence: 0, coin: 'XMR', pool: null, site: 'Porto', sanctioned: false,
    hours: '22:00-06:00', days: ['mon', 'tue', 'wed', 'thu', 'fri'], alert: true, sample: 0, block: 'server', everywhere: false, lease: 3600, longest: 604800,
    grace: 86400, created_by: 'eve', created: now() - 90000, mode_by: 'eve', mode_since: now() - 90000,
  };
  const hits = [['10.1.0.77', 'would block 198.51.100.20 port 3333 for 3600 s'], ['10.1.0.78', `not blocked: ${hostile.markup}`]].map(([host, outcome], i) => ({
    dry_run: true, site: 'Porto', host, vlan: 0, server: '198.51.100.20', port: 3333, transport: 'tcp', miner: 2, connection: 40 + i, block: null,
    why: `confirmed, XMR at ${hostile.bidi}`, outcome, first: now() - 4000, last: now() - 60 * i, count: 40 }));
  return {
    alerts, hits, policies: [policy, { ...policy, id: 2, place: 2, name: 'Any miner in the labs', mode: 'on', coin: null, hours: null, days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'], block: 'nothing', site: null, verdict: 'probable' }],
    own: [{ id: 1, kind: 'wallet', value: 'bc1qxy2kgdygjrsqtzq2n0yrf2493p83kkfjhx0wlh', site: null, note: hostile.markup, added_by: 'eve', added: now() - 9000 },
      { id: 2, kind: 'worker', value: 's19.*', site: 'Porto', note: null, added_by: 'eve', added: now() - 9000 }],
    audit: Array.from({ length: 120 }, (_, i) => ({ no: 120 - i, at: now() - 600 * i, actor: i % 3 ? 'eve' : 'admin', action: ['block', 'hold', 'login', 'policy'][i % 4], object: hostile.markup, detail: `${hostile.bidi} ${120 - i}` })),
    users: [['admin', 'admin', null, false], ['eve', 'operator', ['Porto', hostile.markup], false], ['old.hand', 'viewer', null, true]].map(([name, role, sites, disabled]) => ({
      name, role, sites, disabled, created: now() - 9e6, password_set: now() - 4e5 })),
    tokens: [{ id: 1, name: 'siem', token: null, role: 'viewer', sites: null, created: now() - 9e5, created_by: 'admin', expires: now() + 9e6, used: now() - 60 }],
    sessions: [{ id: 1, user: 'admin', address: '127.0.0.1', opened: now() - 900, used: now(), expires: now() + 1800, current: true },
      { id: 2, user: 'eve', address: '192.0.2.9', opened: now() - 4000, used: now() - 200, expires: now() + 1600, current: false }],
    receivers: [['hook', 'webhook', 'https://hooks.example', null], ['post', 'mail', 'smtp://mail.example', hostile.markup]].map(([name, kind, url, error], i) => ({
      name, kind, url, format: null, to: i ? ['noc@example.net'] : [], rate: 10, interval: 60, keep_days: 3, severity: ['notice', 'warning'][i], sites: i ? ['Porto'] : [],
      queued: 4 * i, messages: 12, alerts: 31, more: 0, failures: 3 * i, dead: i, dead_dropped: 0, sent: now() - 300, failed: i ? now() - 20 : null, next_try: i ? now() + 60 : null,
      error, dead_letters: [] })),
    samples: ['running', 'done', 'refused'].map((state, i) => ({
      id: 3 - i, what: i === 1 ? 'miner' : 'remote', state, site: 'Porto', sensor: null, miner: i === 1 ? 1 : null, tracking: i === 1 ? 2 : null,
      matches: [{ host: i === 1 ? '10.1.0.1' : null, host_port: null, remote: '203.0.113.10', remote_port: 3333, transport: null }],
      packets: 100, packets_per_connection: 5, duration: 60, bytes: 1048576, snaplen: 65535, reason: hostile.markup, created_by: 'eve', created: now() - 900 * i,
      expires: now() + 3600, sensors: [{ sensor: 'porto-1', site: 'Porto', state, words: state === 'refused' ? `the disk has 3 KiB free ${hostile.bidi}` : null,
        packets: i ? 5 : 2, bytes: 900, landed: i === 1 ? 900 : 0, file: i === 1, changed: now() - 60 }] })),
    known: [
      { name: 'capture.interval', type: 'integer', min: 1, max: 300, choices: null, unit: 's', default: '10', help: 'Time between summaries.' },
      { name: 'capture.tunnels', type: 'boolean', min: 0, max: 0, choices: null, unit: null, default: 'true', help: 'Look into tunnels.' },
      { name: 'log.level', type: 'choice', min: 0, max: 0, choices: 'error|warn|info|debug', unit: null, default: 'info', help: 'Least urgent line that a sensor logs.' }].map((k) => ({ ...k, of: 'sensor' })).concat([
      { name: 'site.price', of: 'site', type: 'number', min: 0, max: 1000, choices: null, unit: null, default: '0', help: 'What a kWh costs.' },
      { name: 'site.place', of: 'site', type: 'place', min: 0, max: 64, choices: null, unit: null, default: null, help: 'Where the site is.' }]),
    settings: [{ name: 'capture.interval', site: null, value: '30', set_by: 'eve', set: now() - 9000 }, { name: 'capture.interval', site: hostile.markup, value: '5', set_by: 'eve', set: now() - 900 }],
    whole: true, password: 'correct horse', next: 100,
  };
}

/** Answers what it knows; false: somebody else's call. */
export function desk(d, { what, path, query, body, send, refuse, push }) {
  const id = Number(/^\/[\w-]+\/(\d+)/.exec(path)?.[1]);
  const drop = (list, of) => {
    const at = list.findIndex(of);
    if (at < 0) refuse(404, 'not_found', 'There is no such object.');
    else {
      list.splice(at, 1);
      send(204, null);
    }
  };
  const add = (list, entry) => {
    d.next += 1;
    list.push({ id: d.next, ...entry });
    send(201, list.at(-1));
  };
  if (what === 'GET /alerts') {
    const all = d.alerts.filter((a) => query.get('open') !== '1' || a.resolved === null).filter((a) => a.id < Number(query.get('after') ?? Infinity));
    const alerts = all.slice(0, Number(query.get('limit') ?? 200));
    send(200, { alerts, next: alerts.length < all.length ? alerts.at(-1).id : null, open: d.alerts.filter((a) => a.resolved === null).length,
      unacknowledged: d.alerts.filter((a) => a.resolved === null && a.acknowledged === null).length, refused: 0 });
  } else if (/^POST \/alerts\/\d+\/acknowledge$/.test(what)) {
    const of = d.alerts.find((a) => a.id === id);
    Object.assign(of, { acknowledged: now(), acknowledged_by: 'admin' });
    push('alert', of);
    send(200, of);
  } else if (what === 'GET /samples') send(200, { samples: d.samples.filter((s) => ['miner', 'tracking'].every((of) => !query.get(of) || s[of] === Number(query.get(of)))), next: null });
  else if (what === 'POST /samples') {
    if (body.what === 'host' && !body.site) refuse(400, 'invalid', 'An inside host needs its site, since sites may share addresses.', 'site');
    else add(d.samples, { ...Object.fromEntries(Object.entries(d.samples[0]).filter(([field]) => field !== 'id')), ...body, miner: body.miner ?? null, state: 'ordered', created: now(), created_by: 'admin' });
  } else if (/^DELETE \/samples\/\d+$/.test(what)) drop(d.samples, (s) => s.id === id);
  else if (what === 'GET /policies') send(200, { policies: d.policies });
  else if (what === 'POST /policies') {
    if (d.policies.some((p) => p.name === body.name)) refuse(409, 'conflict', 'There is a policy of that name.', 'name');
    else if (body.hours && !/^\d\d:\d\d-\d\d:\d\d$/.test(body.hours)) refuse(400, 'invalid', 'This must be HH:MM-HH:MM.', 'hours');
    else add(d.policies, { ...body, mode: 'dry-run', place: d.policies.length + 1, created_by: 'admin', created: now(), mode_by: 'admin', mode_since: now() });
  } else if (/^PATCH \/policies\/\d+$/.test(what)) {
    const of = d.policies.find((p) => p.id === id);
    if (body.mode) Object.assign(of, { mode: body.mode, mode_by: 'admin', mode_since: now() });
    if (body.place) {
      d.policies.splice(d.policies.indexOf(of), 1);
      d.policies.splice(body.place - 1, 0, of);
      d.policies.forEach((p, i) => { p.place = i + 1; });
    }
    send(200, of);
  } else if (/^PUT \/policies\/\d+$/.test(what)) {
    const of = d.policies.find((p) => p.id === id);
    send(200, Object.assign(of, body, { mode: 'dry-run', mode_by: 'admin', mode_since: now() }));
  } else if (/^DELETE \/policies\/\d+$/.test(what)) drop(d.policies, (p) => p.id === id);
  else if (/^GET \/policies\/\d+\/dry-run$/.test(what)) send(200, { policy: d.policies.filter((p) => p.id === id), hits: id === 1 ? d.hits : [] });
  else if (what === 'GET /settings') send(200, { known: d.known, settings: d.settings });
  else if (path.startsWith('/settings/')) {
    const name = decodeURIComponent(path.slice(10));
    const site = (what.startsWith('PUT') ? body.site : query.get('site')) ?? null;
    const at = d.settings.findIndex((s) => s.name === name && s.site === site);
    if (what.startsWith('DELETE')) drop(d.settings, (s) => s === d.settings[at]);
    else {
      if (at >= 0) d.settings.splice(at, 1);
      d.settings.push({ name, site, value: body.value, set_by: 'admin', set: now() });
      send(200, d.settings.at(-1));
    }
  } else if (what === 'GET /own') send(200, { own: d.own });
  else if (what === 'POST /own') {
    if (d.own.some((o) => o.kind === body.kind && o.value === body.value)) refuse(409, 'conflict', 'It is on the list already.', 'value');
    else add(d.own, { site: null, note: null, ...body, added_by: 'admin', added: now() });
  } else if (/^DELETE \/own\/\d+$/.test(what)) drop(d.own, (o) => o.id === id);
  else if (what === 'GET /audit') {
    const all = d.audit.filter((a) => ['actor', 'action', 'object'].every((f) => !query.get(f) || a[f] === query.get(f)))
      .filter((a) => a.no < Number(query.get('after') ?? Infinity));
    const audit = all.slice(0, Math.min(50, Number(query.get('limit') ?? 500)));
    send(200, { audit, next: audit.length < all.length ? audit.at(-1).no : null });
  } else if (what === 'GET /audit/check') send(200, { whole: d.whole, broken_at: d.whole ? null : 17 });
  else if (what === 'GET /users') send(200, { users: d.users });
  else if (what === 'POST /users') {
    if (body.password.length < 12) refuse(400, 'invalid', 'This must have 12 characters at least.', 'password');
    else {
      d.users.push({ name: body.name, role: body.role, sites: body.sites ?? null, disabled: false, created: now(), password_set: now() });
      send(201, d.users.at(-1));
    }
  } else if (path.startsWith('/users/')) {
    const name = decodeURIComponent(path.slice(7));
    if (what.startsWith('DELETE')) drop(d.users, (u) => u.name === name);
    else send(200, Object.assign(d.users.find((u) => u.name === name), body));
  } else if (what === 'GET /tokens') send(200, { tokens: d.tokens });
  else if (what === 'POST /tokens') {
    d.next += 1;
    const made = { id: d.next, name: body.name, token: null, role: body.role, sites: body.sites ?? null, created: now(), created_by: 'admin',
      expires: body.ttl ? now() + body.ttl : null, used: null };
    d.tokens.push(made);
    send(201, { ...made, token: `lamp-${'x'.repeat(40)}` });
  } else if (/^DELETE \/tokens\/\d+$/.test(what)) drop(d.tokens, (t) => t.id === id);
  else if (what === 'POST /session/password') {
    if (body.old !== d.password) refuse(403, 'forbidden', 'This is not your password.', 'old');
    else send(200, { user: 'admin', role: 'admin', sites: null, token: false, expires: now() + 1800 });
  } else if (what === 'GET /notify') send(200, { receivers: d.receivers });
  else if (/^POST \/notify\/\w+\/test$/.test(what)) send(200, { sent: path.includes('hook'), error: path.includes('hook') ? null : 'connection refused' });
  else if (/^POST \/notify\/\w+\/retry$/.test(what)) {
    Object.assign(d.receivers.find((r) => path.includes(`/${r.name}/`)), { error: null, dead: 0, queued: 0 });
    send(200, { messages: 5 });
  } else if (what === 'GET /sessions') send(200, { sessions: d.sessions });
  else if (/^DELETE \/sessions\/\d+$/.test(what)) drop(d.sessions, (s) => s.id === id);
  else return false;
  return true;
}
