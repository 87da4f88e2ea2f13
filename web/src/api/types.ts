/* SPDX-License-Identifier: Apache-2.0 */
/* The objects of docs/api/openapi.yaml, by the names they have there. The test web.types compares
 * each interface with the `required` list of its schema. Every string may be hostile text. */

export type Role = 'viewer' | 'operator' | 'admin';
export type Verdict = 'wallet' | 'suspected' | 'probable' | 'confirmed';
export type MinerState =
  | 'suspected' | 'probable' | 'confirmed' | 'sanctioned' | 'blocked' | 'dismissed' | 'ended';
export type BlockState = 'pending' | 'sent' | 'applied' | 'failed' | 'removed';
export type ListState =
  | 'none' | 'empty' | 'staged' | 'applied' | 'confirmed' | 'refused' | 'rolled-back' | 'expired'
  | 'off';

export interface Session {
  user: string;
  role: Role;
  /** null: every site. */
  sites: string[] | null;
  /** Made with a token rather than a session. */
  token: boolean;
  expires: number | null;
}

export interface Status {
  version: string;
  started: number;
  now: number;
  sample_mode: boolean;
  sensors: { total: number; online: number };
  sites: number;
  miners: { confirmed: number; probable: number; suspected: number; blocked: number };
  blocks: number;
  ingest: { batches: number; rows: number; duplicates: number; lost: number };
  traffic: { packets: number; bytes: number; mining_bytes: number };
  database_bytes: number;
}

export interface Enforcement {
  mode: 'off' | 'dry-run' | 'enforce';
  state: ListState;
  epoch: number;
  serial: number;
  at: number | null;
  error: string | null;
  elements: number;
  repairs: number;
  flows_cut: number;
  about: { epoch: number; serial: number } | null;
}

export interface Sensor {
  id: string;
  site: string;
  version: string | null;
  online: boolean;
  last_seen: number | null;
  clock_offset: number;
  batches: number;
  duplicates: number;
  lost: number;
  packets: number;
  bytes: number;
  drops: number;
  flows: number;
  evicted: number;
  memory_bytes: number;
  cpu_seconds: number;
  uplink_bytes: number;
  shared_key: number | null;
  server_key_serial: number;
  enforcement: Enforcement;
  sets: { kind: string; state: ListState; epoch: number; serial: number; at: number | null; error: string | null }[];
}

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

export interface BlockRequest {
  kind?: 'remote' | 'host';
  target: string;
  port?: number | null;
  transport?: 'tcp' | 'udp' | null;
  site?: string | null;
  reason?: string | null;
  ttl?: number;
}

export interface BlockSensor {
  sensor: string;
  site: string;
  state: BlockState;
  error: string | null;
  serial: number;
  at: number | null;
  hits: { packets: number; bytes: number };
}

export interface Approval {
  state: 'waiting' | 'approved' | 'refused';
  needs: string | null;
  by: string | null;
  at: number | null;
}

export interface Block {
  id: number;
  kind: 'remote' | 'host' | 'domain';
  target: string;
  port: number | null;
  transport: 'tcp' | 'udp' | null;
  site: string | null;
  reason: string | null;
  created_by: string;
  created: number;
  expires: number;
  removed_by: string | null;
  removed: number | null;
  active: boolean;
  approval: Approval | null;
  sensors: BlockSensor[];
}

export interface Address {
  ip: string;
  private: boolean;
  country: string | null;
  region: string | null;
  city: string | null;
  latitude: number | null;
  longitude: number | null;
  place_source: number | null;
  asn: number | null;
  as_name: string | null;
  as_source: number | null;
  host_name: string | null;
  host_name_state: 'known' | 'none' | 'pending' | 'failed' | 'off';
}

export interface GeoSource {
  name: string;
  type: string | null;
  description: string | null;
  built: number | null;
  old: boolean;
}

export interface Geo {
  sources: GeoSource[];
  attribution: string | null;
  host_names: {
    on: boolean;
    asked: number;
    answered: number;
    failed: number;
    evicted: number;
    waiting: number;
  };
}

export interface Site {
  site: string;
  sensors: number;
  latitude: number | null;
  longitude: number | null;
  price: number | null;
  held: { by: string; at: number | null; serial: number; release_asked_by: string | null } | null;
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

export interface Gap {
  sensor: string;
  site: string;
  from: number | null;
  to: number | null;
  at: number;
  records: number;
  flows: number;
  bytes: number;
  reason: string;
}

export interface NeverEntry {
  target: string;
  source: 'configuration' | 'aggregator';
}

export interface Audit {
  no: number;
  at: number;
  actor: string;
  action: string;
  object: string;
  detail: string;
}

export interface SensorKey {
  id: number;
  sensor: string | null;
  site: string | null;
  key: string;
  fingerprint: string;
  state: 'active' | 'retired' | 'revoked' | 'rejected';
  added: number;
  added_by: string | null;
  used: number | null;
  expires: number | null;
  ended: number | null;
  ended_by: string | null;
  replace: number | null;
}

export interface PendingKey {
  id: number;
  key: string;
  fingerprint: string;
  name: string | null;
  site: string | null;
  version: string | null;
  address: string;
  first: number;
  last: number;
  asks: number;
}

export interface Enrollment {
  id: number;
  token: string | null;
  site: string;
  name: string | null;
  created: number;
  created_by: string;
  expires: number;
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

/* ---- what needs a person, and what acts by itself ---- */

export type Severity = 'notice' | 'warning' | 'critical';

export interface Alert {
  id: number;
  kind: string;
  severity: Severity;
  about: string;
  subject: string;
  site: string | null;
  text: string;
  miner: number | null;
  technique: string | null;
  count: number;
  first: number;
  raised: number;
  last: number;
  resolved: number | null;
  acknowledged: number | null;
  acknowledged_by: string | null;
}

/** GET /alerts: a page, the newest first. */
export interface AlertPage {
  alerts: Alert[];
  next: number | null;
  open: number;
  unacknowledged: number;
  refused: number;
}

export type PolicyMode = 'dry-run' | 'on' | 'off';
export type Weekday = 'mon' | 'tue' | 'wed' | 'thu' | 'fri' | 'sat' | 'sun';

export interface Policy {
  id: number;
  name: string;
  mode: PolicyMode;
  /** In their order, from 1 on. */
  place: number;
  verdict: 'probable' | 'confirmed';
  coin: string | null;
  pool: string | null;
  site: string | null;
  sanctioned: boolean;
  hours: string | null;
  days: Weekday[];
  alert: boolean;
  /** Packets of a connection to keep; 0 none. */
  sample: number;
  block: 'nothing' | 'host' | 'server';
  everywhere: boolean;
  lease: number;
  longest: number;
  grace: number;
  created_by: string;
  created: number;
  mode_by: string;
  mode_since: number;
}

/** What a new policy is made of. */
export type PolicyTerms = Omit<Policy, 'id' | 'mode' | 'place' | 'created_by' | 'created' | 'mode_by' | 'mode_since'>;

export interface PolicyHit {
  dry_run: boolean;
  site: string;
  host: string;
  vlan: number;
  server: string;
  port: number;
  transport: 'tcp' | 'udp';
  miner: number;
  connection: number;
  block: number | null;
  why: string;
  outcome: string;
  first: number;
  last: number;
  count: number;
}

export interface Own {
  id: number;
  kind: 'wallet' | 'pool' | 'worker';
  value: string;
  site: string | null;
  note: string | null;
  added_by: string;
  added: number;
}

export interface DeadLetter {
  id: number;
  made: number;
  alerts: number;
  more: number;
  tries: number;
  error: string | null;
}

/** Whom alerts are told to outside of the dashboard. */
export interface Receiver {
  name: string;
  kind: 'webhook' | 'syslog' | 'mail';
  url: string;
  format: 'cef' | 'ecs' | null;
  to: string[];
  rate: number;
  interval: number;
  keep_days: number;
  severity: Severity;
  sites: string[];
  queued: number;
  messages: number;
  alerts: number;
  more: number;
  failures: number;
  dead: number;
  dead_dropped: number;
  sent: number | null;
  failed: number | null;
  next_try: number | null;
  error: string | null;
  dead_letters: DeadLetter[];
}

/* ---- who may use the API ---- */

export interface User {
  name: string;
  role: Role;
  sites: string[] | null;
  disabled: boolean;
  created: number;
  password_set: number | null;
}

export interface Token {
  id: number;
  name: string;
  /** Only in the answer that makes it. */
  token: string | null;
  role: Role;
  sites: string[] | null;
  created: number;
  created_by: string;
  expires: number | null;
  used: number | null;
}

export interface OpenSession {
  id: number;
  user: string;
  address: string;
  opened: number;
  used: number;
  expires: number;
  current: boolean;
}

/* ---- the catalogue of pools ---- */

export interface Catalogue {
  pools: number;
  servers: number;
  addresses: number;
  entries: number;
  muted: number;
  endpoints: number;
  up: number;
  listen: number;
  down: number;
  refused: number;
  resolve: { on: boolean; names: number; failed: number };
  probe: {
    on: boolean; probes: number; connections: number; refused: number; too_soon: number;
    crowded: number; waiting: number; suspects: number;
  };
  offline: boolean;
  dropped: number;
}

export interface Pool {
  id: number;
  name: string;
  coins: string[];
  servers: number;
  addresses: number;
  entries: number;
  muted: number;
  up: number;
  listen: number;
  down: number;
  changed: number | null;
}

export type PoolTls = 'yes' | 'no' | 'both' | 'unknown';
export type PoolState = 'unknown' | 'up' | 'listen' | 'down';

export interface PoolEntry {
  id: number;
  pool_id: number;
  server_id: number;
  pool: string;
  fqdn: string;
  port: number | null;
  coin: string | null;
  algorithm: string | null;
  protocol: string | null;
  tls: PoolTls;
  kind: string | null;
  source: string | null;
  legacy: boolean;
  installed: boolean;
  edited: boolean;
  active: boolean;
  created: number | null;
  changed: number | null;
  changed_by: string;
  can_undo: boolean;
}

export interface PoolAddress {
  address: string;
  first: number | null;
  last: number | null;
  pools: number;
  weak: string | null;
}

export interface PoolServer {
  id: number;
  fqdn: string;
  cname: string | null;
  error: string | null;
  resolved: number | null;
  addresses: PoolAddress[];
}

export interface PoolEndpoint {
  id: number;
  address: string;
  port: number;
  state: PoolState;
  since: number | null;
  probed: number | null;
  up: number | null;
  reason: string | null;
  family: string | null;
  tls: boolean;
  banner: string | null;
  certificate: string | null;
  difficulty: number | null;
  latency_ms: number | null;
}

export interface PoolDetail {
  pool: Pool;
  servers: PoolServer[];
  entries: PoolEntry[];
  endpoints: PoolEndpoint[];
}

export interface PoolChange {
  at: number | null;
  state: PoolState;
  reason: string | null;
}

export interface PoolVersion {
  entry_id: number;
  no: number;
  at: number | null;
  actor: string;
  action: 'install' | 'add' | 'edit' | 'delete' | 'undo';
  fqdn: string;
  port: number | null;
  coin: string | null;
  algorithm: string | null;
  protocol: string | null;
  tls: PoolTls;
  active: boolean;
}

export interface PoolHistory {
  from: number | null;
  endpoints: { endpoint_id: number; changes: PoolChange[] }[];
  versions: PoolVersion[];
}

export interface LookupMatch {
  how: 'address' | 'name' | 'below' | 'above' | 'port';
  answer: 'yes' | 'maybe' | 'was';
  entry: PoolEntry;
  listed: boolean;
  listed_from: number | null;
  address: PoolAddress | null;
  endpoint: PoolEndpoint | null;
  then: PoolChange | null;
}

export interface Lookup {
  query: string;
  kind: 'address' | 'endpoint' | 'port' | 'name';
  at: number | null;
  matches: LookupMatch[];
  endpoints: PoolEndpoint[];
  then: PoolChange | null;
  port_pools: { pool_id: number; pool: string; coin: string | null; servers: number }[];
  total: number;
  answer: 'yes' | 'maybe' | 'was' | 'unknown';
  summary: string;
}

export interface Probe {
  id: number;
  done: boolean;
  host: string | null;
  port: number | null;
  error: string | null;
  results: PoolEndpoint[];
}

/** What can be said of an entry when it is added or changed. */
export interface PoolEntryRequest {
  pool?: string;
  fqdn?: string;
  port: number | null;
  coin: string | null;
  algorithm: string | null;
  protocol: string | null;
  tls: PoolTls;
}

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
