// SPDX-License-Identifier: Apache-2.0
// What the fleet learned by itself: servers that were proved to be pools or proxies, and wallets.
import { call } from './client';

export interface Knowledge {
  id: number;
  kind: 'server' | 'wallet';
  address: string | null;
  port: number | null;
  wallet: string | null;
  verdict: 'probable' | 'confirmed';
  coin: string | null;
  pool: string | null;
  site: string;
  first: number | null;
  last: number | null;
  expires: number | null;
  state: 'fresh' | 'old' | 'over' | 'accepted' | 'muted';
  extended_to: number | null;
  said_by: string | null;
  said: number | null;
  note: string | null;
}

export type KnowledgeWord = 'accept' | 'mute' | 'extend' | 'nothing';

export const knowledge = {
  list: () => call<{ knowledge: Knowledge[]; next: number | null }>('GET', '/knowledge?limit=1000'),
  say: (id: number, say: KnowledgeWord, days?: number) =>
    call<Knowledge>('PATCH', `/knowledge/${id}`, days === undefined ? { say } : { say, days }),
};
