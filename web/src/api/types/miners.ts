/* SPDX-License-Identifier: Apache-2.0 */
/* Miners, their connections, and what is estimated of them. */

export type Verdict = 'wallet' | 'suspected' | 'probable' | 'confirmed';

export type MinerState =
  | 'suspected' | 'probable' | 'confirmed' | 'sanctioned' | 'blocked' | 'dismissed' | 'ended';

export interface Rate {
  value: number;
  low: number;
  high: number;
  unit: 'H/s' | 'Sol/s' | 'G/s';
  method: 'shares' | 'self-reported' | 'hash-value' | 'nonce' | 'timing';
}

export interface Shares {
  submitted: number;
  accepted: number;
  rejected: number;
  stale: number;
}

export interface UpDown {
  up: number;
  down: number;
}

export interface Miner {
  id: number;
  site: string;
  host: string;
  vlan: number[];
  state: MinerState;
  verdict: Verdict;
  confidence: number;
  mark: { as: 'sanctioned' | 'dismissed'; by: string; at: number; reason: string | null } | null;
  coins: string[];
  families: string[];
  algorithms: string[];
  wallets: string[];
  workers: string[];
  agents: string[];
  pools: string[];
  sensors: string[];
  platforms: string[];
  hashrate: Rate | null;
  devices: Devices | null;
  power: Power | null;
  bytes: UpDown;
  packets: UpDown;
  jobs: number;
  shares: Shares;
  connections: number;
  open_connections: number;
  since: number;
  last: number;
}

/** A median with its 95 % interval. */
export interface Range {
  value: number;
  low: number;
  high: number;
}

export type DeviceKind = 'gpu' | 'cpu' | 'asic';

export interface Devices {
  count: Range;
  kinds: Record<DeviceKind, number>;
  models: {
    kind: DeviceKind;
    vendor: string;
    model: string;
    rate: number;
    share: number;
    count: Range;
    watts: Range | null;
    probability: number;
  }[];
}

export interface Power {
  watts: Range;
  kwh_per_day: Range;
  cost_per_day: Range | null;
}

/** GET /miners/{id}/timeline */
export interface Timeline {
  miner: number;
  states: TimelineState[];
  reasons: TimelineReason[];
  left_out: number;
}

export interface TimelineState {
  state: MinerState | 'unmarked' | 'unblocked';
  at: number;
  by: string | null;
  reason: string | null;
}

/** When a reason was seen, over all connections of a miner. */
export interface TimelineReason {
  kind: string;
  detail: string | null;
  from: 'client' | 'server' | null;
  seen_in: string | null;
  strength: string | null;
  refuted_by: string | null;
  sensor: string | null;
  first: number | null;
  last: number | null;
}

/** GET /estimates?by=fleet|site|coin */
export interface Estimates {
  by: 'fleet' | 'site' | 'coin';
  estimates: Estimate[];
  total: Estimate;
  models: EstimateModel[];
  other_models: EstimateKinds;
  left_out: number;
}

/** What the miners of a site, a coin or the fleet come to. */
export interface Estimate {
  name: string | null;
  miners: number;
  with_devices: number;
  hashrates: { algorithm: string | null; unit: Rate['unit']; miners: number; value: number; low: number; high: number }[];
  devices: Range | null;
  kinds: EstimateKinds;
  watts: Range | null;
  kwh_per_day: Range | null;
  cost_per_day: Range | null;
  with_price: number;
}

/** Devices to expect of each kind. */
export interface EstimateKinds {
  gpu: number;
  cpu: number;
  asic: number;
}

/** Devices to expect of one model, over all miners. */
export interface EstimateModel {
  kind: 'gpu' | 'cpu' | 'asic';
  vendor: string;
  model: string;
  miners: number;
  count: number;
  watts: number;
}

export interface Minute {
  t: number;
  bytes: UpDown;
  packets: UpDown;
  jobs: number;
  shares: Shares;
  hashrate: Rate | null;
  self_reported: number | null;
}

export interface MinerDetail extends Miner {
  connection_list: Connection[];
  /** What the rows of `minutes` are of. */
  resolution: 'minute' | 'hour' | 'day';
  minutes: Minute[];
}

export interface Endpoint {
  ip: string;
  port: number;
}

export interface Evidence {
  kind: string;
  detail: string;
  from: 'client' | 'server' | null;
  seen_in: string | null;
  time: number | null;
  strength: string | null;
  refuted_by: string | null;
}

export interface Connection {
  id: number;
  miner: number;
  site: string;
  sensor: string;
  client: Endpoint;
  server: Endpoint & { name: string | null };
  vlan: number[];
  transport: 'tcp' | 'udp';
  community_id: string | null;
  verdict: Verdict;
  confidence: number;
  family: string | null;
  coin: string | null;
  algorithm: string | null;
  wallet: string | null;
  worker: string | null;
  agent: string | null;
  pool: string | null;
  platform: string | null;
  tls: boolean;
  sni: string | null;
  ja4: string | null;
  tunnel: { kind: string; host: string | null; port: number | null } | null;
  midstream: boolean;
  /** What bytes are of: whole frames, or IP packets, as flow records tell them. */
  bytes_kind: 'frame' | 'ip';
  open: boolean;
  jobs: number;
  difficulty: number | null;
  shares: Shares;
  hashrate: Rate | null;
  counted_devices: number | null;
  bytes: UpDown;
  packets: UpDown;
  first: number;
  last: number;
  evidence: Evidence[];
}

export interface CoinBytes {
  mining: number;
  wallet: number;
}

export type CoinBy = 'site' | 'host' | 'pool' | 'platform' | 'wallet';

export interface CoinShare {
  coin: string | null;
  of: string | null;
  site: string | null;
  bytes: CoinBytes;
  connections: number;
  hosts: number;
  last: number;
}

export interface CoinPoint {
  t: number;
  coin: string | null;
  bytes: CoinBytes;
}

export interface TrafficRow {
  site: string;
  host: string | null;
  remote: string | null;
  port: number | null;
  transport: 'tcp' | 'udp' | null;
  application: string | null;
  remote_name: string | null;
  bytes: { out: number; in: number };
  packets: { out: number; in: number };
  flows: number;
  first: number;
  last: number;
}
