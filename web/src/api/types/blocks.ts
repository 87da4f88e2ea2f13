/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks, policies, alerts, and what was done. */

export type BlockState = 'pending' | 'sent' | 'applied' | 'failed' | 'removed';

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
  /** That the verdict has at least, 0 to 1. */
  confidence: number;
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
