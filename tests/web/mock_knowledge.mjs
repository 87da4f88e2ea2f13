// SPDX-License-Identifier: Apache-2.0
// The mock's answers about what the fleet learned by itself.
const now = () => Date.now() / 1000;

export function knowledgeWorld(hostile) {
  const one = (id, overrides) => ({ id, kind: 'server', address: '203.0.113.9', port: 443, wallet: null,
    verdict: 'confirmed', coin: 'XMR', pool: null, site: 'berlin', first: now() - 9000, last: now() - 60,
    expires: now() + 7 * 86400, state: 'fresh', extended_to: null, said_by: null, said: null, note: null, ...overrides });
  return [
    one(3, { address: '2001:db8::9', verdict: 'probable', pool: hostile.markup }),
    one(2, { kind: 'wallet', address: null, port: null, wallet: `4${hostile.long}`, state: 'muted', expires: null,
      said_by: hostile.bidi, said: now() - 50, note: hostile.markup }),
    one(1, {}),
  ];
}

/** Answers what is about it; false: it is not. */
export function knowledge(list, { what, path, body, send }) {
  if (what === 'GET /knowledge') send(200, { knowledge: list, next: null });
  else if (/^PATCH \/knowledge\/\d+$/.test(what)) {
    const of = list.find((k) => path.endsWith(`/${k.id}`));
    const said = body.say !== 'nothing';
    Object.assign(of, { state: { accept: 'accepted', mute: 'muted' }[body.say] ?? 'fresh',
      extended_to: body.say === 'extend' ? now() + body.days * 86400 : null, said: said ? now() : null,
      said_by: said ? 'admin' : null, note: null, expires: ['accept', 'mute'].includes(body.say) ? null : now() + 86400 });
    send(200, of);
  } else return false;
  return true;
}
