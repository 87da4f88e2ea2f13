/* SPDX-License-Identifier: Apache-2.0 */
/* coins: sums, series and interruptions of what the API tells of coins. */
import type { CoinPoint, CoinShare } from '../api/types';

export interface CoinSum {
  coin: string | null;
  mining: number;
  wallet: number;
  color: string;
}

export const COLORS = ['--chart-1', '--chart-2', '--chart-3', '--chart-4', '--chart-5', '--chart-6'];
const OTHER = '--line-strong';

/** Bytes by coin, largest first; those after the sixth share a colour. */
export function coinSums(shares: CoinShare[]): CoinSum[] {
  const sums = new Map<string | null, CoinSum>();
  for (const s of shares) {
    const sum = sums.get(s.coin) ?? { coin: s.coin, mining: 0, wallet: 0, color: OTHER };
    sum.mining += s.bytes.mining;
    sum.wallet += s.bytes.wallet;
    sums.set(s.coin, sum);
  }
  return [...sums.values()].sort((a, b) => b.mining + b.wallet - a.mining - a.wallet)
    .map((sum, i) => ({ ...sum, color: COLORS[i] ?? OTHER }));
}

export interface CoinSeries {
  coin: string | null;
  /** Bytes a second, mining and wallet together; null: nothing in that step. */
  values: (number | null)[];
  /** Silences between the first and the last traffic of the time shown, and the longest, in seconds. */
  interruptions: number;
  longest: number;
}

/** Even steps from the first to the last of `from`..`to`; the coins in the order given. */
export function coinSeries(
  points: CoinPoint[], coins: (string | null)[], from: number, to: number, step: number,
): { times: number[]; series: CoinSeries[] } {
  const first = Math.floor(from / step) * step;
  const times: number[] = [];
  for (let t = first; t <= to; t += step) times.push(t);
  const series = coins.map((coin) => {
    const values: (number | null)[] = times.map(() => null);
    for (const p of points) {
      const i = Math.round((p.t - first) / step);
      if (p.coin !== coin || i < 0 || i >= values.length) continue;
      /* The newest step is not over. */
      values[i] = (p.bytes.mining + p.bytes.wallet) / Math.max(1, Math.min(step, to - p.t));
    }
    return { coin, values, ...silences(values, step) };
  });
  return { times, series };
}

function silences(values: (number | null)[], step: number): { interruptions: number; longest: number } {
  let interruptions = 0;
  let longest = 0;
  let last = -1;
  values.forEach((value, i) => {
    if (value === null) return;
    if (last >= 0 && i - last > 1) {
      interruptions += 1;
      longest = Math.max(longest, (i - last - 1) * step);
    }
    last = i;
  });
  return { interruptions, longest };
}
