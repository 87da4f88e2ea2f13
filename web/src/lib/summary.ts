/* SPDX-License-Identifier: Apache-2.0 */
/* summary: the overview's rows, from sensors and miners. A miner that is over counts no more. */
import type { Miner, Rate, Sensor } from '../api/types';

export interface SiteRow {
  site: string;
  sensors: number;
  online: number;
  miners: number;
  coins: string[];
  last: number | null;
}

export interface CoinRow {
  key: string;
  coin: string | null;
  miners: number;
  rate: Rate | null;
}

const gone = (miner: Miner) => miner.state === 'ended' || miner.state === 'dismissed';

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

/* Rates add up within one coin and unit only. The sum's bounds are those of its parts added: wider
 * than needed, never too narrow. */
export function coinRows(miners: Miner[]): CoinRow[] {
  const coins = new Map<string, CoinRow>();
  for (const miner of miners) {
    if (gone(miner) || miner.state === 'blocked') continue;
    const coin = miner.coins[0] ?? null;
    const key = `${coin ?? ''}\n${miner.hashrate?.unit ?? ''}`;
    const row = coins.get(key) ?? { key, coin, miners: 0, rate: null };
    row.miners += 1;
    const { hashrate } = miner;
    if (hashrate) {
      row.rate = row.rate === null ? { ...hashrate } : {
        ...row.rate,
        value: row.rate.value + hashrate.value,
        low: row.rate.low + hashrate.low,
        high: row.rate.high + hashrate.high,
      };
    }
    coins.set(key, row);
  }
  return [...coins.values()].sort((a, b) => b.miners - a.miners);
}
