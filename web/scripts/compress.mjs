// SPDX-License-Identifier: Apache-2.0
// Puts a .gz beside each text file of dist/, so that the server never compresses.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, gzipSync } from 'node:zlib';

const root = process.argv[2] ?? 'dist';
let files = 0;
let bytes = 0;

function walk(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) walk(path);
    else if (/\.(html|js|json|css|svg|txt|webmanifest)$/.test(entry.name)) {
      const packed = gzipSync(readFileSync(path), { level: constants.Z_BEST_COMPRESSION });
      writeFileSync(`${path}.gz`, packed);
      files += 1;
      bytes += packed.length;
    }
  }
}

walk(root);
console.log(`${files} files, ${(bytes / 1024).toFixed(1)} KiB gzip`);
