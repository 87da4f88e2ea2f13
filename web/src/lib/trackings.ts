/* SPDX-License-Identifier: Apache-2.0 */
/* trackings: what the pages about tracking work out: what is tracked in words, and a history without holes. */
import type { SampleMatch, SampleWhat, TrackingStep } from '../api/types';
import { joinEndpoint } from './ip';

/** "remote 203.0.113.9:3333", "miner 10.1.0.5"; as it came, so not fit to be shown as it is. */
export function targetOf(t: { what: SampleWhat; miner: number | null; matches: SampleMatch[] }): string {
  const [m] = t.matches;
  const end = (ip: string | null, port: number | null) => (ip === null ? '' : port === null ? ip : joinEndpoint(ip, port));
  if (t.miner !== null) return `miner ${m?.host ?? t.miner}`;
  return [t.what, m && end(m.host, m.host_port), m && end(m.remote, m.remote_port)].filter(Boolean).join(' ');
}

/** What was seen just now is not here before the next summary: until where a history of what goes on is known. */
export function knownUntil(steps: TrackingStep[], step: number, now: number): number {
  const last = steps.at(-1);
  return Math.min(now, Math.max(last ? last.from + step : 0, now - LATE_S));
}

const LATE_S = 60;
const LONGEST = 2000;
const STEPS = [10, 30, 60, 300, 600, 1800, 3600, 21600, 86400];

/** The shortest step, in seconds, of which there are not too many for a chart. */
export const stepFor = (span: number) => STEPS.find((step) => span / step <= LONGEST) ?? 86400;

/** Bits a second each way, a value for each step: nothing seen is 0. */
export function ratesOf(from: number, to: number, step: number, steps: TrackingStep[]): { times: number[]; out: number[]; in: number[] } {
  const at = new Map(steps.map((s) => [Math.round(s.from), s]));
  const first = Math.floor(from / step) * step;
  const times: number[] = [];
  for (let t = first; t < to && times.length <= LONGEST; t += step) times.push(t);
  return {
    times,
    out: times.map((t) => ((at.get(t)?.bytes.out ?? 0) * 8) / step),
    in: times.map((t) => ((at.get(t)?.bytes.in ?? 0) * 8) / step),
  };
}
