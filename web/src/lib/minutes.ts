/* SPDX-License-Identifier: Apache-2.0 */
/* minutes: the rows of a miner as even series. Minutes without a row had no traffic; their hash
 * rate is unknown. */
import type { Minute, TimelineReason } from '../api/types';

export interface MinuteSeries {
  times: number[];
  up: number[];
  down: number[];
  total: number[];
  rate: (number | null)[];
  low: (number | null)[];
  high: (number | null)[];
  /** What the miner itself said. */
  self: (number | null)[];
}

const MINUTE = 60;
const MAX = 20_000;

export function minuteSeries(minutes: Minute[]): MinuteSeries {
  const rows = new Map(minutes.map((m) => [Math.floor(m.t / MINUTE), m]));
  const keys = [...rows.keys()].sort((a, b) => a - b);
  const out: MinuteSeries = {
    times: [], up: [], down: [], total: [], rate: [], low: [], high: [], self: [],
  };
  const last = keys.at(-1);
  if (last === undefined) return out;
  const first = Math.max(keys[0] ?? last, last - MAX);
  for (let key = first; key <= last; key += 1) {
    const row = rows.get(key);
    out.times.push(key * MINUTE);
    out.up.push((row?.bytes.up ?? 0) / MINUTE);
    out.down.push((row?.bytes.down ?? 0) / MINUTE);
    out.total.push(((row?.bytes.up ?? 0) + (row?.bytes.down ?? 0)) / MINUTE);
    out.rate.push(row?.hashrate?.value ?? null);
    out.low.push(row?.hashrate?.low ?? null);
    out.high.push(row?.hashrate?.high ?? null);
    out.self.push(row?.self_reported ?? null);
  }
  return out;
}

/** The mean of what is known; null where nothing is. */
export function mean(values: (number | null)[]): number | null {
  const known = values.filter((v) => v !== null);
  return known.length > 0 ? known.reduce((sum, v) => sum + v, 0) / known.length : null;
}

/** Where a reason was seen, how far it goes and what would gainsay it, in one line. */
export function provenance({ strength, seen_in, from, refuted_by }: TimelineReason): string {
  const parts = [
    strength,
    seen_in && (from ? `in: ${seen_in}, sent by the ${from}` : `in: ${seen_in}`),
    refuted_by && `refuted by: ${refuted_by}`,
  ];
  return parts.filter((part) => part).join('; ');
}
