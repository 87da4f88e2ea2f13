/* SPDX-License-Identifier: Apache-2.0 */
/* client: the REST calls the dashboard makes. Every failure is an ApiError whose message says what
 * was wrong and what to do; a field name points into the request. */
import type {
  Address, Alert, AlertPage, Audit, Block, BlockRequest, CoinBy, CoinPoint, CoinShare, Enrollment, Estimates, Gap, Geo,
  Miner, MinerDetail, NeverEntry, OpenSession, Own, PendingKey, Policy, PolicyHit, PolicyMode, PolicyTerms, Receiver, Role,
  Sample, SampleRequest, Sensor, SensorKey, Session, Setting, SettingKnown, Site, Status, Timeline, Token, TrafficRow, User,
  Baseline, BaselineAction, BaselineDetail, BaselineMinute,
  Tracking, TrackingRequest, TrackingStep,
  Import, ImportConnection, ImportFile, ImportMinute,
  Catalogue, Lookup, Pool, PoolDetail, PoolEntry, PoolEntryRequest, PoolHistory, Probe,
} from './types';

export class ApiError extends Error {
  constructor(
    /** HTTP status; 0 when no answer came. */
    readonly status: number,
    readonly code: string,
    message: string,
    readonly field: string | null = null,
  ) {
    super(message);
  }
}

const TIMEOUT_MS = 20_000;
let onUnauthorized: () => void = () => {};

/** Calls fn when the server says that the session is over. */
export function whenUnauthorized(fn: () => void): void {
  onUnauthorized = fn;
}

async function failure(response: Response): Promise<ApiError> {
  try {
    const { error } = (await response.json()) as {
      error: { code: string; message: string; field: string | null };
    };
    return new ApiError(response.status, String(error.code), String(error.message), error.field);
  } catch {
    return new ApiError(response.status, 'unreadable',
      `The aggregator answered ${response.status} without saying why. Its log says more.`);
  }
}

/** body: a Blob goes as it is, everything else as JSON. */
export async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  let response: Response;
  try {
    const headers: Record<string, string> = { Accept: 'application/json' };
    if (method !== 'GET') headers['Content-Type'] = body instanceof Blob ? 'application/octet-stream' : 'application/json';
    response = await fetch(`/api/v1${path}`, {
      method,
      headers,
      body: body === undefined ? null : body instanceof Blob ? body : JSON.stringify(body),
      credentials: 'same-origin',
      cache: 'no-store',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    throw new ApiError(0, 'unreachable',
      'The aggregator does not answer. Check that the service davylamp-aggregator runs and that '
      + 'this computer reaches it, then try again.');
  }
  if (!response.ok) {
    const error = await failure(response);
    if (response.status === 401 && !(path === '/session' && method !== 'DELETE')) onUnauthorized();
    throw error;
  }
  if (response.status === 204) return undefined as T;
  try {
    return (await response.json()) as T;
  } catch {
    throw new ApiError(response.status, 'unreadable',
      'The answer was cut off or is not JSON. Try again; a proxy in between may be at fault.');
  }
}

/** "?a=1&b=2" of what is given; undefined and '' are left out. */
function query(values: Record<string, string | number | undefined>): string {
  const q = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== '') q.set(name, String(value));
  }
  const text = q.toString();
  return text ? `?${text}` : '';
}

export const api = {
  session: () => call<Session>('GET', '/session'),
  login: (user: string, password: string) =>
    call<Session>('POST', '/session', { user, password }),
  logout: () => call<void>('DELETE', '/session'),
  status: () => call<Status>('GET', '/status'),
  sensors: () => call<{ sensors: Sensor[] }>('GET', '/sensors'),
  miners: (after: number | null) =>
    call<{ miners: Miner[]; next: number | null }>(
      'GET', `/miners?limit=1000${after === null ? '' : `&after=${after}`}`),
  miner: (id: number, from?: number) =>
    call<MinerDetail>('GET', `/miners/${id}${from === undefined ? '' : `?from=${from}`}`),
  addresses: (ips: string) =>
    call<{ addresses: Address[] }>('GET', `/addresses?ip=${encodeURIComponent(ips)}`),
  geo: () => call<Geo>('GET', '/geo'),
  blocks: (removed: boolean) =>
    call<{ blocks: Block[]; epoch: number; serial: number }>(
      'GET', `/blocks${removed ? '?removed=true' : ''}`),
  addBlock: (request: BlockRequest) => call<Block>('POST', '/blocks', request),
  removeBlock: (id: number) => call<void>('DELETE', `/blocks/${id}`),
  decideBlock: (id: number, approve: boolean) => call<Block>('PATCH', `/blocks/${id}`, { approve }),
  timeline: (id: number) => call<Timeline>('GET', `/miners/${id}/timeline`),
  estimates: (by: Estimates['by'], site: string) =>
    call<Estimates>('GET', `/estimates${query({ by, site })}`),
  mark: (id: number, mark: 'sanctioned' | 'dismissed' | null, reason: string | null) =>
    call<Miner>('PATCH', `/miners/${id}`, { mark, reason }),
  sites: () => call<{ sites: Site[] }>('GET', '/sites'),
  holdSite: (site: string, hold: boolean) => call<Site>('POST', '/sites', { site, hold }),
  audit: (filter: { actor?: string; action?: string; object?: string; limit?: number; after?: number } = {}) =>
    call<{ audit: Audit[]; next: number | null }>('GET', `/audit${query(filter)}`),
  checkAudit: () => call<{ whole: boolean; broken_at: number | null }>('GET', '/audit/check'),
  alerts: (filter: { open?: '1'; limit?: number; after?: number }) =>
    call<AlertPage>('GET', `/alerts${query(filter)}`),
  acknowledge: (id: number) => call<Alert>('POST', `/alerts/${id}/acknowledge`, {}),
  receivers: () => call<{ receivers: Receiver[] }>('GET', '/notify'),
  testReceiver: (name: string) =>
    call<{ sent: boolean; error: string | null }>('POST', `/notify/${encodeURIComponent(name)}/test`, {}),
  retryReceiver: (name: string) =>
    call<{ messages: number }>('POST', `/notify/${encodeURIComponent(name)}/retry`, {}),
  policies: () => call<{ policies: Policy[] }>('GET', '/policies'),
  addPolicy: (terms: PolicyTerms) => call<Policy>('POST', '/policies', terms),
  editPolicy: (id: number, terms: PolicyTerms) => call<Policy>('PUT', `/policies/${id}`, terms),
  movePolicy: (id: number, place: number) => call<Policy>('PATCH', `/policies/${id}`, { place }),
  setPolicy: (id: number, mode: PolicyMode) => call<Policy>('PATCH', `/policies/${id}`, { mode }),
  deletePolicy: (id: number) => call<void>('DELETE', `/policies/${id}`),
  dryRun: (id: number) => call<{ policy: Policy[]; hits: PolicyHit[] }>('GET', `/policies/${id}/dry-run`),
  samples: (miner?: number) => call<{ samples: Sample[]; next: number | null }>('GET', `/samples${query({ miner })}`),
  orderSample: (order: SampleRequest) => call<Sample>('POST', '/samples', order),
  cancelSample: (id: number) => call<void>('DELETE', `/samples/${id}`),
  trackingSamples: (tracking: number) =>
    call<{ samples: Sample[]; next: number | null }>('GET', `/samples${query({ tracking })}`),
  trackings: () => call<{ trackings: Tracking[]; next: number | null }>('GET', '/trackings'),
  tracking: (id: number) => call<Tracking>('GET', `/trackings/${id}`),
  trackingSteps: (id: number, span: { from: number; to: number; step: number }) =>
    call<{ from: number; to: number; step: number; steps: TrackingStep[] }>('GET', `/trackings/${id}/steps${query(span)}`),
  track: (request: TrackingRequest) => call<Tracking>('POST', '/trackings', request),
  endTracking: (id: number) => call<Tracking>('POST', `/trackings/${id}/end`, {}),
  removeTracking: (id: number) => call<void>('DELETE', `/trackings/${id}`),
  baselines: () => call<{ baselines: Baseline[] }>('GET', '/baselines'),
  baseline: (id: number) => call<BaselineDetail>('GET', `/baselines/${id}`),
  baselineSeries: (id: number, from: number) =>
    call<{ from: number; to: number; minutes: BaselineMinute[] }>('GET', `/baselines/${id}/series${query({ from })}`),
  learnBaseline: (request: { miner?: number; site?: string; host?: string; window?: number; begin?: 'before' | 'now'; by_asn?: boolean; document?: unknown }) =>
    call<BaselineDetail>('POST', '/baselines', request),
  acceptBaseline: (id: number, version?: number) =>
    call<BaselineDetail>('POST', `/baselines/${id}/accept`, version === undefined ? {} : { version }),
  copyBaseline: (id: number, to: { site: string; host: string }) =>
    call<BaselineDetail>('POST', `/baselines/${id}/copy`, to),
  sayBaseline: (id: number, destination: number, action: BaselineAction) =>
    call<BaselineDetail>('POST', `/baselines/${id}/destinations`, { destination, action }),
  deleteBaseline: (id: number) => call<void>('DELETE', `/baselines/${id}`),
  settings: () => call<{ known: SettingKnown[]; settings: Setting[] }>('GET', '/settings'),
  putSetting: (name: string, value: string, site: string | null) =>
    call<Setting>('PUT', `/settings/${encodeURIComponent(name)}`, { value, site }),
  deleteSetting: (name: string, site: string | null) =>
    call<void>('DELETE', `/settings/${encodeURIComponent(name)}${query({ site: site ?? undefined })}`),
  own: () => call<{ own: Own[] }>('GET', '/own'),
  addOwn: (entry: { kind: Own['kind']; value: string; site: string | null; note: string | null }) =>
    call<Own>('POST', '/own', entry),
  deleteOwn: (id: number) => call<void>('DELETE', `/own/${id}`),
  setPassword: (old: string, fresh: string) =>
    call<Session>('POST', '/session/password', { old, new: fresh }),
  sessions: () => call<{ sessions: OpenSession[] }>('GET', '/sessions'),
  endSession: (id: number) => call<void>('DELETE', `/sessions/${id}`),
  users: () => call<{ users: User[] }>('GET', '/users'),
  addUser: (user: { name: string; role: Role; password: string; sites: string[] | null }) =>
    call<User>('POST', '/users', user),
  changeUser: (name: string, change: { role?: Role; password?: string; sites?: string[] | null; disabled?: boolean }) =>
    call<User>('PATCH', `/users/${encodeURIComponent(name)}`, change),
  deleteUser: (name: string) => call<void>('DELETE', `/users/${encodeURIComponent(name)}`),
  tokens: () => call<{ tokens: Token[] }>('GET', '/tokens'),
  addToken: (token: { name: string; role: Role; sites: string[] | null; ttl: number | null }) =>
    call<Token>('POST', '/tokens', token),
  deleteToken: (id: number) => call<void>('DELETE', `/tokens/${id}`),
  never: () => call<{ never: NeverEntry[] }>('GET', '/never'),
  gaps: () => call<{ gaps: Gap[] }>('GET', '/gaps'),
  coins: (by: CoinBy, site: string, from: number) =>
    call<{ coins: CoinShare[] }>('GET', `/coins${query({ by, site, from, limit: 1000 })}`),
  coinSeries: (site: string, from: number, step: number) =>
    call<{ points: CoinPoint[] }>('GET', `/coins/series${query({ site, from, step })}`),
  traffic: (end: 'remote' | 'host', ip: string, site: string, from: number) =>
    call<{ traffic: TrafficRow[] }>('GET', `/traffic${query({ [end]: ip, site, from, limit: 1000 })}`),
  keys: () => call<{
    keys: SensorKey[]; pending: PendingKey[]; pending_refused: number; enrollments: Enrollment[];
  }>('GET', '/keys'),
  changeKey: (id: number, action: 'revoke' | 'rotate') =>
    call<SensorKey>('POST', `/keys/${id}`, { action }),
  admit: (id: number, site: string, name: string) =>
    call<SensorKey>('POST', `/pending/${id}`, { action: 'approve', site, ...(name ? { name } : {}) }),
  reject: (id: number) => call<SensorKey>('POST', `/pending/${id}`, { action: 'reject' }),
  enroll: (site: string, name: string, ttl: number) =>
    call<Enrollment>('POST', '/enrollments', { site, ttl, ...(name ? { name } : {}) }),
  catalogue: () => call<Catalogue>('GET', '/catalogue'),
  switchCatalogue: (request: { resolve?: boolean; probe?: boolean }) =>
    call<Catalogue>('PATCH', '/catalogue', request),
  pools: () => call<{ pools: Pool[]; next: number | null }>('GET', '/pools?limit=1000'),
  pool: (id: number) => call<PoolDetail>('GET', `/pools/${id}`),
  poolHistory: (id: number, from: number) =>
    call<PoolHistory>('GET', `/pools/${id}/history${query({ from })}`),
  addPoolEntry: (request: PoolEntryRequest) => call<PoolEntry>('POST', '/pool-entries', request),
  changePoolEntry: (id: number, request: PoolEntryRequest) =>
    call<PoolEntry>('PATCH', `/pool-entries/${id}`, request),
  undoPoolEntry: (id: number) => call<PoolEntry>('PATCH', `/pool-entries/${id}`, { undo: true }),
  deletePoolEntry: (id: number) => call<void>('DELETE', `/pool-entries/${id}`),
  lookup: (q: string, at?: number) => call<Lookup>('GET', `/lookup${query({ q, at })}`),
  addProbe: (request: { host: string; port: number } | { pool: number }) =>
    call<Probe>('POST', '/probes', request),
  probe: (id: number) => call<Probe>('GET', `/probes/${id}`),
  imports: (after?: number) => call<{ imports: Import[]; next: number | null }>('GET', `/imports${query({ after })}`),
  import: (id: number) =>
    call<{ imports: Import[]; files: ImportFile[]; minutes: ImportMinute[] }>('GET', `/imports/${id}`),
  importConnections: (id: number, after?: number) =>
    call<{ connections: ImportConnection[]; next: number | null }>('GET', `/imports/${id}/connections${query({ verdict: 'suspected', after })}`),
  addImport: (request: { files?: { name: string; size: number }[]; path?: string; site: string | null }) =>
    call<Import>('POST', '/imports', request),
  putImport: (id: number, offset: number, piece: Blob) =>
    call<{ received: number }>('PUT', `/imports/${id}/data?offset=${offset}`, piece),
  cancelImport: (id: number) => call<Import>('POST', `/imports/${id}/cancel`, {}),
  deleteImport: (id: number) => call<void>('DELETE', `/imports/${id}`),
};
