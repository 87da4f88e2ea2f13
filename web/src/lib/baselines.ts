/* SPDX-License-Identifier: Apache-2.0 */
/* baselines: minutes of a host beside its baseline, as series of one time axis. */
import type { BaselineBody, BaselineMinute, BaselineSpread } from '../api/types';

export interface Beside {
  now: number[];
  /** null: nothing is known to hold it against. */
  usual: number[] | null;
  low: number[];
  high: number[];
  /** The minutes outside the band. */
  off: (number | null)[];
  different: number;
}

export interface BaselineLines { times: number[]; mining: Beside; other: Beside; unexpected: number[] }

function beside(now: number[], spread: BaselineSpread | null): Beside {
  const high = spread?.high ?? null;
  if (!spread || high === null) return { now, usual: null, low: [], high: [], off: now.map(() => null), different: 0 };
  const off = now.map((v) => (v < spread.low || v > high ? v : null));
  return {
    now, usual: now.map(() => spread.mean), low: now.map(() => spread.low), high: now.map(() => high), off,
    different: off.filter((v) => v !== null).length,
  };
}

/** A minute without a row had no traffic; of the newest two it is not known yet. */
export function baselineSeries(minutes: BaselineMinute[], body: BaselineBody | null, to: number): BaselineLines {
  const at = new Map(minutes.map((m) => [m.time, m]));
  const first = minutes[0]?.time ?? to;
  const times: number[] = [];
  for (let t = first; t <= to - 120; t += 60) times.push(t);
  const of = (pick: (m: BaselineMinute) => number) => times.map((t) => { const m = at.get(t); return m ? pick(m) : 0; });
  return {
    times,
    mining: beside(of((m) => m.mining), body?.mining ?? null),
    other: beside(of((m) => m.other), body?.other ?? null),
    unexpected: of((m) => m.unexpected),
  };
}
