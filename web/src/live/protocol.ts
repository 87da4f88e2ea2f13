/* SPDX-License-Identifier: Apache-2.0 */
/* protocol: what the pages and the shared worker say to each other. */

export const EVENTS = ['status', 'sensor', 'miner', 'block', 'alert', 'gap'] as const;
export type EventName = (typeof EVENTS)[number];

/** closed: the server ended the stream for good (no session, or too many streams). */
export type StreamState = 'connecting' | 'open' | 'closed';

export type FromStream =
  | { kind: 'state'; state: StreamState }
  | { kind: 'event'; name: EventName; data: string };

/** Each is answered by the state the stream is in, to every page. */
export type Steer = 'open' | 'reopen' | 'close';
/** leave: this page listens no more. */
export type ToWorker = Steer | 'leave';
