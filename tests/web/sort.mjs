// SPDX-License-Identifier: Apache-2.0
// web/src/lib/sort.ts and the keys of addresses against a plain comparison, on lists with holes, equal
// keys, both signs, texts that begin alike and texts beyond one byte; few rows and many.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const { transformSync } = createRequire(join(process.env.LAMP_WEB_MODULES ?? '', 'here.js'))('esbuild');
async function load(name) {
  const source = readFileSync(new URL(`../../web/src/lib/${name}.ts`, import.meta.url), 'utf8');
  const { code } = transformSync(source, { loader: 'ts' });
  return import(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`);
}
const { ascending, turned } = await load('sort');
const { addressKey } = await load('ip');

const class_ = (k) => (k === null ? 2 : typeof k === 'string' ? 1 : 0);
function compare(a, b, down) {
  if (a === b) return 0;
  if (a === null || b === null) return a === null ? 1 : -1;
  const before = class_(a) !== class_(b) ? class_(a) < class_(b) : a < b;
  return before !== down ? -1 : 1;
}
const expected = (keys, down) => keys.map((k, i) => [k, i]).sort((a, b) => compare(a[0], b[0], down)).map(([, i]) => i);

let seed = 7;
const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
const some = (n) => Math.floor(random() * n);
const MAKERS = {
  'few numbers': () => some(20) - 10,
  'any numbers': () => (random() - 0.5) * 10 ** (some(600) - 300),
  'edges': () => [0, -0, 5e-324, -5e-324, 1e308, -1e308, Infinity, -Infinity][some(8)],
  'short texts': () => 'abcde'[some(5)] + some(3),
  'texts that begin alike': () => `rig-${some(1e6)}`,
  'long common beginnings': () => `${'w'.repeat(40)}${some(1e4)}`,
  'beyond a byte': () => `r\u00e9${'\u4e2d\u{1f600}\uffff\u0000z'[some(5)]}${some(50)}`,
  'both': () => (random() < 0.5 ? some(50) : `h${some(50)}`),
};
for (const [name, make] of Object.entries(MAKERS)) {
  for (const n of [0, 1, 2, 37, 5000]) {
    const keys = Array.from({ length: n }, () => (random() < 0.1 ? null : make()));
    const order = ascending(keys);
    assert.deepEqual([...order], expected(keys, false), `${n} ${name}, ascending`);
    assert.deepEqual([...turned(order, keys)], expected(keys, true), `${n} ${name}, descending`);
  }
}

const ADDRESSES = ['9.255.255.255', '10.0.0.2', '10.0.0.10', '10.0.1.0', '192.0.2.0/24', '203.0.113.7', '::1', '2001:db8::2', '2001:db8::10', 'fd00::1', '10.0.0', '10.0.0.256', 'host'];
const mixed = [...ADDRESSES].reverse();
assert.deepEqual([...ascending(mixed.map(addressKey))].map((i) => mixed[i]), ADDRESSES, 'addresses in numeric order');
console.log('sorted as compared');
