/* SPDX-License-Identifier: Apache-2.0 */
/* The catalogue of pools, look-ups and probes. */

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
