/* SPDX-License-Identifier: Apache-2.0 */
/* changes: what happened since a moment, told from the state that the lists are in now. A change that
 * was undone since leaves no trace here; the audit has those that people made. */
import type { Block, Miner, Sensor } from '../api/types';
import { target } from './blocks';

export interface Change {
  key: string;
  at: number;
  kind: 'miner' | 'ended' | 'mark' | 'block' | 'unblock' | 'waits' | 'sensor';
  /** What it is about, and where; both may be hostile text. */
  what: string;
  where: string | null;
  /** Who did it, where a person did. */
  by: string | null;
  href: string;
}

export function changes(
  miners: Miner[], sensors: Sensor[], blocks: Block[], from: number,
): Change[] {
  const out: Change[] = [];
  for (const m of miners) {
    const of = { what: m.host, where: m.site, href: `/miners/${m.id}` };
    if (m.since >= from) out.push({ ...of, key: `new ${m.id}`, at: m.since, kind: 'miner', by: null });
    if (m.state === 'ended' && m.last >= from) out.push({ ...of, key: `end ${m.id}`, at: m.last, kind: 'ended', by: null });
    if (m.mark && m.mark.at >= from) {
      out.push({ ...of, key: `mark ${m.id}`, at: m.mark.at, kind: 'mark', what: `${m.host} ${m.mark.as}`, by: m.mark.by });
    }
  }
  for (const b of blocks) {
    const of = { what: target(b), where: b.site, href: '/blocks' };
    if (b.created >= from) {
      const waits = b.approval?.state === 'waiting' && b.removed === null;
      out.push({ ...of, key: `block ${b.id}`, at: b.created, kind: waits ? 'waits' : 'block', by: b.created_by });
    }
    if (b.removed !== null && b.removed >= from) {
      out.push({ ...of, key: `unblock ${b.id}`, at: b.removed, kind: 'unblock', by: b.removed_by, href: '/blocks?removed=1' });
    }
  }
  for (const s of sensors) {
    if (!s.online && s.last_seen !== null && s.last_seen >= from) {
      out.push({ key: `sensor ${s.id}`, at: s.last_seen, kind: 'sensor', what: s.id, where: s.site, by: null, href: '/sensors' });
    }
  }
  return out.sort((a, b) => b.at - a.at);
}
