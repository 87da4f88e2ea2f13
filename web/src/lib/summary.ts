/* SPDX-License-Identifier: Apache-2.0 */
/* summary: the overview's rows, from sensors and miners. A miner that is over counts no more. */
import type { Miner, MinerState, Rate, Sensor, Status } from '../api/types';
import { splitEndpoint } from './ip';

export interface SiteRow {
  site: string;
  sensors: number;
  online: number;
  miners: number;
  coins: string[];
  last: number | null;
}

export interface SumRow {
  key: string;
  name: string | null;
  miners: number;
  rate: Rate | null;
}

/** Over, or said by an operator to be none. */
const gone = (miner: Miner) => miner.state === 'ended' || miner.state === 'dismissed';
/** At work now, as far as is known: what is blocked draws no power. */
export const atWork = (miner: Miner) => !gone(miner) && miner.state !== 'blocked';

/* ---- sensors ---- */

export type Health = 'up' | 'late' | 'down';
const LATE_S = 600;

/** late: not heard of for longer than it should be, but within ten minutes. */
export function health(sensor: Sensor, now: number): Health {
  if (sensor.online) return 'up';
  return sensor.last_seen !== null && now - sensor.last_seen < LATE_S ? 'late' : 'down';
}

export function healths(sensors: Sensor[], now: number): Record<Health, number> {
  const out = { up: 0, late: 0, down: 0 };
  for (const sensor of sensors) out[health(sensor, now)] += 1;
  return out;
}

/* ---- miners ---- */

export type StateCounts = Record<MinerState, number>;

export function stateCounts(miners: Miner[]): StateCounts {
  const out: StateCounts = {
    suspected: 0, probable: 0, confirmed: 0, sanctioned: 0, blocked: 0, dismissed: 0, ended: 0,
  };
  for (const miner of miners) out[miner.state] += 1;
  return out;
}

/** Of the whole fleet the aggregator's own figures, which know of more miners than a list holds. */
export function countsOf(status: Status, miners: Miner[]): StateCounts {
  return { ...stateCounts(miners), ...status.miners };
}

export function siteRows(sensors: Sensor[], miners: Miner[]): SiteRow[] {
  const sites = new Map<string, SiteRow>();
  const row = (site: string) => {
    let found = sites.get(site);
    if (!found) {
      found = { site, sensors: 0, online: 0, miners: 0, coins: [], last: null };
      sites.set(site, found);
    }
    return found;
  };
  for (const sensor of sensors) {
    const site = row(sensor.site);
    site.sensors += 1;
    site.online += sensor.online ? 1 : 0;
  }
  for (const miner of miners) {
    const site = row(miner.site);
    site.last = Math.max(site.last ?? miner.last, miner.last);
    if (gone(miner)) continue;
    site.miners += 1;
    for (const coin of miner.coins) if (!site.coins.includes(coin)) site.coins.push(coin);
  }
  return [...sites.values()];
}

function add(sum: Rate | null, part: Rate): Rate {
  return sum === null ? { ...part } : {
    ...sum, value: sum.value + part.value, low: sum.low + part.low, high: sum.high + part.high,
  };
}

/* Rates add up within one name and unit only. The sum's bounds are those of its parts added: wider
 * than needed, never too narrow. */
export function coinRows(miners: Miner[]): SumRow[] {
  const rows = new Map<string, SumRow>();
  for (const miner of miners) {
    if (!atWork(miner)) continue;
    const of = miner.coins[0] ?? null;
    const key = `${of ?? ''}\n${miner.hashrate?.unit ?? ''}`;
    const row = rows.get(key) ?? { key, name: of, miners: 0, rate: null };
    row.miners += 1;
    if (miner.hashrate) row.rate = add(row.rate, miner.hashrate);
    rows.set(key, row);
  }
  return [...rows.values()].sort((a, b) => b.miners - a.miners);
}


/* ---- links from sites to pool servers ---- */

export interface Link {
  site: string;
  ip: string;
  miners: number;
}

/** Who mines where now, the busiest first. */
export function links(miners: Miner[]): Link[] {
  const found = new Map<string, Link>();
  for (const miner of miners.filter(atWork)) {
    const ips = new Set(miner.pools.map((pool) => splitEndpoint(pool)?.ip ?? ''));
    for (const ip of ips) {
      if (!ip) continue;
      const key = `${ip}\n${miner.site}`;
      const link = found.get(key) ?? { site: miner.site, ip, miners: 0 };
      link.miners += 1;
      found.set(key, link);
    }
  }
  return [...found.values()].sort((a, b) => b.miners - a.miners);
}
