/* SPDX-License-Identifier: Apache-2.0 */
/* protocol: what the pages and the shared worker say to each other on the broadcast channel. */

export const CHANNEL = 'davylamp-live';
export const EVENTS = ['status', 'sensor', 'miner', 'block', 'gap'] as const;
export type EventName = (typeof EVENTS)[number];

/** closed: the server ended the stream for good (no session, or too many streams). */
export type StreamState = 'connecting' | 'open' | 'closed';

export type FromStream =
  | { kind: 'state'; state: StreamState }
  | { kind: 'event'; name: EventName; data: string };

export type ToWorker = 'open' | 'reopen' | 'close';
