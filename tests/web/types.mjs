// SPDX-License-Identifier: Apache-2.0
// The interfaces of web/src/api/types name exactly the fields that docs/api/openapi.yaml
// requires of the schemas of the same name.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';

const root = new URL('../../', import.meta.url);
const yaml = readFileSync(new URL('docs/api/openapi.yaml', root), 'utf8');
const folder = new URL('web/src/api/types/', root);
const types = readdirSync(folder).map((file) => readFileSync(new URL(file, folder), 'utf8')).join('\n');

const schemas = new Map();
let name = '';
for (const line of yaml.slice(yaml.indexOf('\n  schemas:')).split('\n')) {
  name = /^ {4}(\w+):$/.exec(line)?.[1] ?? name;
  const required = /^ {6}required: \[(.*)\]$/.exec(line)?.[1];
  if (required) schemas.set(name, required.split(/, */).map((f) => f.replaceAll('"', '')).sort());
}

let compared = 0;
for (const [, type, body] of types.matchAll(/^export interface (\w+)[^{]*\{\n(.*?)^\}/gms)) {
  const required = schemas.get(type);
  if (!required || type === 'BlockRequest') continue;
  const fields = [...body.matchAll(/^ {2}(\w+)\??:/gm)].map((m) => m[1]).sort();
  assert.deepEqual(fields, required, `${type}: web/src/api/types against openapi.yaml`);
  compared += 1;
}
for (const must of ['Session', 'Status', 'Sensor', 'Miner', 'Minute', 'Connection', 'Block', 'Rate', 'Shares']) {
  assert.ok(schemas.has(must) && types.includes(`interface ${must} `), `${must} is described in both`);
}
console.log(`${compared} schemas agree`);
