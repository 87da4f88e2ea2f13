// SPDX-License-Identifier: Apache-2.0
// `npm run lock` after a change of package.json. Takes the registry's addresses out of the lock
// file, so that every site installs from its own registry; the digests stay and are checked.
// (npm's own option for this forgets the packages of other platforms.)
import { readFileSync, writeFileSync } from 'node:fs';

const path = 'package-lock.json';
const lock = JSON.parse(readFileSync(path, 'utf8'));
for (const entry of Object.values(lock.packages)) delete entry.resolved;
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
