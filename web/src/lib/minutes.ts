/* SPDX-License-Identifier: Apache-2.0 */
/* minutes: the rows of a miner as even series. Minutes without a row had no traffic; their hash
 * rate is unknown. */
import type { Connection, Evidence, Minute } from '../api/types';

export interface MinuteSeries {
  times: number[];
  up: number[];
  down: number[];
  rate: (number | null)[];
  low: (number | null)[];
  high: (number | null)[];
}

const MINUTE = 60;
const MAX = 20_000;

export function minuteSeries(minutes: Minute[]): MinuteSeries {
  const rows = new Map(minutes.map((m) => [Math.floor(m.t / MINUTE), m]));
  const keys = [...rows.keys()].sort((a, b) => a - b);
  const out: MinuteSeries = { times: [], up: [], down: [], rate: [], low: [], high: [] };
  const last = keys.at(-1);
  if (last === undefined) return out;
  const first = Math.max(keys[0] ?? last, last - MAX);
  for (let key = first; key <= last; key += 1) {
    const row = rows.get(key);
    out.times.push(key * MINUTE);
    out.up.push((row?.bytes.up ?? 0) / MINUTE);
    out.down.push((row?.bytes.down ?? 0) / MINUTE);
    out.rate.push(row?.hashrate?.value ?? null);
    out.low.push(row?.hashrate?.low ?? null);
    out.high.push(row?.hashrate?.high ?? null);
  }
  return out;
}

export interface EvidenceRow extends Evidence {
  connections: number;
  first: number;
}

/** The evidence of all connections, each reason once, oldest first. */
export function evidenceRows(connections: Connection[]): EvidenceRow[] {
  const rows = new Map<string, EvidenceRow>();
  for (const connection of connections) {
    for (const { kind, detail } of connection.evidence) {
      const key = `${kind}\n${detail}`;
      const row = rows.get(key);
      if (row) {
        row.connections += 1;
        row.first = Math.min(row.first, connection.first);
      } else rows.set(key, { kind, detail, connections: 1, first: connection.first });
    }
  }
  return [...rows.values()].sort((a, b) => a.first - b.first);
}
