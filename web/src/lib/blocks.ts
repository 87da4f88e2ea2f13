/* SPDX-License-Identifier: Apache-2.0 */
/* blocks: what a block means for a miner, and the words for its state. */
import type { Block, BlockState, Miner } from '../api/types';
import { contains, joinEndpoint, splitEndpoint } from './ip';

/** Whether the block, where it is in force, stops traffic of this miner. */
export function hits(block: Block, miner: Pick<Miner, 'site' | 'host' | 'pools'>): boolean {
  if (!block.active || (block.site !== null && block.site !== miner.site)) return false;
  if (block.kind === 'host') return contains(block.target, miner.host);
  return miner.pools.some((pool) => {
    const end = splitEndpoint(pool);
    return end !== null && contains(block.target, end.ip)
      && (block.port === null || block.port === end.port);
  });
}

export function target(block: Block): string {
  if (block.port === null) return block.target;
  return joinEndpoint(block.target, block.port) + (block.transport ? `/${block.transport}` : '');
}

/** Worst first. */
export const STATES: BlockState[] = ['failed', 'pending', 'sent', 'applied', 'removed'];

/** How many sensors are in each state; states without any are left out. */
export function tally(block: Block): { state: BlockState; n: number }[] {
  return STATES.map((state) => ({
    state,
    n: block.sensors.filter((s) => s.state === state).length,
  })).filter((entry) => entry.n > 0);
}

export function totalHits(block: Block): { packets: number; bytes: number } {
  return block.sensors.reduce(
    (sum, s) => ({ packets: sum.packets + s.hits.packets, bytes: sum.bytes + s.hits.bytes }),
    { packets: 0, bytes: 0 },
  );
}

export const DURATIONS = [
  { ttl: 3600, label: '1 hour' },
  { ttl: 8 * 3600, label: '8 hours' },
  { ttl: 86400, label: '1 day' },
  { ttl: 7 * 86400, label: '7 days' },
  { ttl: 30 * 86400, label: '30 days' },
  { ttl: 365 * 86400, label: '1 year' },
];
