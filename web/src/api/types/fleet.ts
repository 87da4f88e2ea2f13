/* SPDX-License-Identifier: Apache-2.0 */
/* Sites, sensors, their keys and what they lost. */

export type ListState =
  | 'none' | 'empty' | 'staged' | 'applied' | 'confirmed' | 'refused' | 'rolled-back' | 'expired'
  | 'off';

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
  /** What has become of history that goes to ClickHouse; null where none does. */
  history: HistoryState | null;
}

export interface HistoryState {
  connected: boolean;
  fault: 'away' | 'tls' | 'login' | 'full' | 'refused' | 'answer' | null;
  error: string | null;
  since: number | null;
  rows: number;
  blocks: number;
  waiting_rows: number;
  lag: number;
  lost_rows: number;
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
