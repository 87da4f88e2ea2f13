/* SPDX-License-Identifier: Apache-2.0 */
/* Packet samples, imports and baselines. */
import type { Rate, Shares, Verdict } from './miners';

export type SampleWhat = 'everything' | 'host' | 'remote' | 'connection' | 'miner';
export type SampleState = 'ordered' | 'running' | 'arriving' | 'done' | 'refused' | 'failed' | 'expired' | 'cancelled';

export interface SampleMatch {
  host: string | null;
  host_port: number | null;
  remote: string | null;
  remote_port: number | null;
  transport: 'tcp' | 'udp' | null;
}

export interface SampleFile {
  sensor: string;
  site: string;
  state: SampleState;
  words: string | null;
  packets: number;
  bytes: number;
  landed: number;
  file: boolean;
  changed: number;
}

export interface Sample {
  id: number;
  what: SampleWhat;
  state: SampleState;
  site: string | null;
  sensor: string | null;
  miner: number | null;
  tracking: number | null;
  matches: SampleMatch[];
  packets: number;
  packets_per_connection: number;
  duration: number;
  bytes: number;
  snaplen: number;
  reason: string | null;
  created_by: string;
  created: number;
  expires: number;
  sensors: SampleFile[];
}

export interface SampleRequest {
  what: SampleWhat;
  host?: string;
  remote?: string;
  miner?: number;
  site: string | null;
  reason: string | null;
  packets: number;
  packets_per_connection: number;
  duration: number;
}

/** What is watched in steps of ten seconds. */
export type TrackingState = 'tracking' | 'over';

export interface TrackingSensor {
  sensor: string;
  site: string;
  state: 'asked' | 'tracking' | 'refused' | 'unknown' | 'over';
  words: string | null;
  /** Null in lists, as packets. */
  bytes: number | null;
  packets: number | null;
  changed: number;
}

export interface Tracking {
  id: number;
  what: SampleWhat;
  site: string | null;
  sensor: string | null;
  miner: number | null;
  matches: SampleMatch[];
  state: TrackingState;
  ring: number;
  duration: number;
  reason: string | null;
  created_by: string;
  created: number;
  until: number;
  ended: number | null;
  ended_by: string | null;
  rows: number;
  rows_refused: number;
  sensors: TrackingSensor[];
}

export interface TrackingStep {
  from: number;
  bytes: { out: number; in: number };
  packets: { out: number; in: number };
}

export interface TrackingRequest {
  what: SampleWhat;
  host?: string;
  remote?: string;
  miner?: number;
  site: string | null;
  reason: string | null;
  duration: number;
  ring: number;
}

/** What is usual with a host whose mining is wanted. */
export type BaselineState = 'learning' | 'draft' | 'too-little' | 'in-force' | 'empty';

export interface Baseline {
  id: number;
  site: string;
  host: string;
  miner: number | null;
  state: BaselineState;
  version: number;
  learn_to: number | null;
  by_asn: boolean;
  unexpected: number;
  left_out: number;
  created: number;
  created_by: string;
}

export interface BaselineSpread {
  mean: number;
  sd: number;
  most: number;
  carry: number;
  low: number;
  high: number | null;
}

export interface BaselinePlace {
  remote: string;
  port: number;
  protocol: number;
  asn: number | null;
  name: string | null;
  pool: string | null;
  application: string | null;
  mining: boolean;
  by: 'address' | 'name' | 'pool' | 'asn';
  bytes: number;
  packets: number;
  minutes: number;
  period: number | null;
  jitter: number | null;
}

export interface BaselineBody {
  from: number;
  to: number;
  minutes: number;
  mining: BaselineSpread;
  other: BaselineSpread;
  packets: BaselineSpread;
  quiet: number | null;
  wallets: string[];
  destinations: BaselinePlace[];
  left_out: number;
}

export interface BaselineVersion {
  version: number;
  at: number;
  by: string;
  note: string;
  from: number;
  to: number;
  minutes: number;
  destinations: number;
}

export interface BaselineNews {
  id: number;
  remote: string;
  port: number;
  protocol: number;
  asn: number | null;
  name: string | null;
  pool: string | null;
  application: string | null;
  mining: boolean;
  state: 'new' | 'watched' | 'blocked';
  said_by: string | null;
  first: number;
  last: number;
  bytes: number;
  packets: number;
}

export interface BaselineMinute {
  time: number;
  mining: number;
  other: number;
  unexpected: number;
  packets: number;
}

export interface BaselineDetail {
  baseline: Baseline[];
  current: BaselineBody | null;
  draft: BaselineBody | null;
  versions: BaselineVersion[];
  unexpected: BaselineNews[];
}

export type BaselineAction = 'accept' | 'watch' | 'block' | 'unwatch';

/** Captures that somebody handed in, and what was found in them. */
export type ImportState = 'uploading' | 'waiting' | 'running' | 'done' | 'failed' | 'cancelled';

export interface ImportProgress {
  received: number;
  file: number;
  file_size: number;
  file_read: number;
  before: number;
}

export interface Import {
  id: number;
  name: string;
  source: 'upload' | 'server';
  site: string | null;
  state: ImportState;
  answer: string | null;
  error: string | null;
  created_by: string;
  created: number;
  started: number | null;
  ended: number | null;
  size: number;
  files: number;
  files_done: number;
  files_failed: number;
  packets: number;
  bytes: number;
  connections: number;
  verdicts: { confirmed: number; probable: number; suspected: number; wallet: number };
  connections_left_out: number;
  minutes_left_out: number;
  first: number | null;
  last: number | null;
  progress: ImportProgress | null;
}

export interface ImportFile {
  no: number;
  name: string;
  size: number;
  packets: number;
  connections: number;
  verdict: Verdict | 'none';
  error: string | null;
}

export interface ImportMinute {
  time: number;
  packets: number;
  bytes: number;
  mining_up: number;
  mining_down: number;
  submitted: number;
  accepted: number;
  rejected: number;
  jobs: number;
}

/** As `davylamp-sensor analyze` tells it: what the page shows of it. */
export interface Analysed {
  client: { ip: string; port: number };
  server: { ip: string; port: number; name: string | null };
  verdict: Verdict;
  confidence: number;
  family: string | null;
  coin: string | null;
  algorithm: string | null;
  wallet: string | null;
  worker: string | null;
  agent: string | null;
  pool: string | null;
  hashrate: Rate | null;
  shares: Shares;
  bytes: { up: number; down: number };
  first: number | null;
  last: number | null;
  evidence: { kind: string | null; detail: string | null; time: number | null }[];
}

export interface ImportConnection {
  id: number;
  file: number;
  connection: Analysed;
}
