/* SPDX-License-Identifier: Apache-2.0 */
/* fleet: everything the pages show, loaded once the event stream is open and kept up to date by it.
 * After a gap or a reconnection it is loaded again, so a missed event cannot leave a stale page.
 * Where the stream does not open, the pages still show what one load brings. */
import { ApiError, api } from '../api/client';
import type { Alert, Block, Miner, Sensor, Status } from '../api/types';
import { connect } from '../live/stream';
import type { EventName, FromStream, Steer } from '../live/protocol';
import { clock } from './clock.svelte';
import { Collection } from './collection.svelte';

/** Traffic between two readings of the counters, in bytes a second. */
export interface Traffic {
  t: number;
  all: number;
  mining: number;
}

const MINERS_MAX = 100_000;
const ALERTS_PAGE = 1000;
const ALERTS_MAX = 20_000;
const TRAFFIC_STEP_S = 10;
const TRAFFIC_MAX = 360;
const STATUS_EVERY_MS = 15_000;
const STREAM_PATIENCE_MS = 1000;
/* A miner that was silent for a quarter of an hour is over: nobody sends an event for that. */
const QUIET_S = 900;
const QUIET_EVERY_MS = 10_000;
const RETRY_MIN_MS = 2000;
const RETRY_MAX_MS = 30_000;

class Fleet {
  status = $state.raw<Status | null>(null);
  sensors = new Collection<Sensor>((s) => s.id);
  miners = new Collection<Miner>((m) => m.id);
  blocks = new Collection<Block>((b) => b.id);
  alerts = new Collection<Alert>((a) => a.id);
  /** The sites that have sensors. */
  readonly sites = $derived([...new Set(this.sensors.list.map((s) => s.site))].sort());
  /** Alerts that last and that nobody knows of. */
  readonly unread = $derived(this.alerts.list.filter((a) => a.resolved === null && a.acknowledged === null).length);
  /** Where the older alerts begin that were not asked for yet; null: there are none. */
  older = $state<number | null>(null);
  traffic = $state.raw<Traffic[]>([]);
  /** Whether there are more miners than the table holds. */
  truncated = $state(false);
  error = $state.raw<ApiError | null>(null);
  link = $state<'off' | 'connecting' | 'live' | 'reloading'>('off');

  #running = false;
  #steer: ((what: Steer) => void) | null = null;
  #retryMs = RETRY_MIN_MS;
  #fallback: ReturnType<typeof setTimeout> | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #poll: ReturnType<typeof setInterval> | undefined;
  #quiet: ReturnType<typeof setInterval> | undefined;
  #loading: Promise<void> | null = null;
  #loadAgain = false;
  #last: Status | null = null;
  #withRemoved = false;
  #withEnded = false;
  readonly #lists = [this.sensors, this.miners, this.blocks, this.alerts];
  #asking = false;
  #streamEnded: () => void = () => {};

  /** Calls fn when the server has ended the stream: the session may be over. */
  whenStreamEnds(fn: () => void): void {
    this.#streamEnded = fn;
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.link = 'connecting';
    this.#steer ??= connect((message) => this.#receive(message));
    this.#steer('open');
    this.#poll = setInterval(() => void this.#refreshStatus(), STATUS_EVERY_MS);
    this.#quiet = setInterval(() => this.#endQuiet(), QUIET_EVERY_MS);
    this.#fallback = setTimeout(() => void this.load(), STREAM_PATIENCE_MS);
  }

  stop(): void {
    if (!this.#running) return;
    this.#running = false;
    clearTimeout(this.#retry);
    clearTimeout(this.#fallback);
    clearInterval(this.#poll);
    clearInterval(this.#quiet);
    this.#steer?.('close');
    this.link = 'off';
    this.status = null;
    this.#last = null;
    this.traffic = [];
    this.error = null;
    for (const list of this.#lists) list.clear();
  }

  /** Loads everything again. What is asked for during a load comes after it: the load under way
   * may have read what has changed since. */
  load(): Promise<void> {
    if (this.#loading) {
      this.#loadAgain = true;
      return this.#loading;
    }
    this.#loading = this.#load().finally(() => {
      this.#loading = null;
      if (this.#loadAgain && this.#running) void this.load();
    });
    this.#loadAgain = false;
    return this.#loading;
  }

  /** From now on the block list also holds blocks no longer in force. */
  async loadRemoved(): Promise<void> {
    this.#withRemoved = true;
    this.blocks.expect();
    this.blocks.replace((await api.blocks(true)).blocks);
  }

  /** From now on the alerts are also those that ended. */
  async loadEnded(): Promise<void> {
    this.#withEnded = true;
    this.alerts.expect();
    this.alerts.replace(await this.#loadAlerts());
  }

  /** One page more of the alerts that ended. */
  async loadOlder(): Promise<void> {
    if (this.older === null) return;
    const page = await api.alerts({ limit: ALERTS_PAGE, after: this.older });
    for (const alert of page.alerts) this.alerts.put(alert);
    this.older = page.next;
  }

  /* Those that last, whatever their age, and where wanted the newest of all. */
  async #loadAlerts(): Promise<Alert[]> {
    const [open, all] = await Promise.all([
      api.alerts({ open: '1', limit: ALERTS_PAGE }),
      this.#withEnded ? api.alerts({ limit: ALERTS_PAGE }) : null,
    ]);
    this.older = all?.next ?? null;
    return [...(all?.alerts ?? []), ...open.alerts];
  }

  async #load(): Promise<void> {
    for (const list of this.#lists) list.expect();
    try {
      const [status, sensors, blocks, alerts] = await Promise.all([
        api.status(), api.sensors(), api.blocks(this.#withRemoved), this.#loadAlerts(),
      ]);
      if (!this.#running) return;
      this.#readStatus(status);
      this.sensors.replace(sensors.sensors);
      this.blocks.replace(blocks.blocks);
      this.alerts.replace(alerts);
      const miners = await this.#loadMiners();
      if (!this.#running) return;
      this.miners.replace(miners);
      this.error = null;
      if (this.link === 'reloading' && !this.#loadAgain) this.link = 'live';
    } catch (error) {
      if (error instanceof ApiError && this.#running) this.error = error;
      else if (!(error instanceof ApiError)) throw error;
    }
  }

  /* A sensor that falls silent sends no event: the figures of the status tell of it. */
  async #checkSensors(): Promise<void> {
    const online = this.sensors.list.filter((s) => s.online).length;
    if (!this.sensors.loaded || this.#asking || online === this.status?.sensors.online) return;
    this.#asking = true;
    try {
      this.sensors.expect();
      this.sensors.replace((await api.sensors()).sensors);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    } finally {
      this.#asking = false;
    }
  }

  #endQuiet(): void {
    const from = clock.now - QUIET_S;
    for (const miner of this.miners.list) {
      if (miner.last <= from && miner.state !== 'ended' && miner.state !== 'blocked') this.miners.put({ ...miner, state: 'ended' });
    }
  }

  async #loadMiners(): Promise<Miner[]> {
    const miners: Miner[] = [];
    let after: number | null = null;
    do {
      const page: Awaited<ReturnType<typeof api.miners>> = await api.miners(after);
      miners.push(...page.miners);
      after = page.next;
    } while (after !== null && miners.length < MINERS_MAX && this.#running);
    this.truncated = after !== null;
    return miners;
  }

  /* Keeps an open page's session and clock alive where the stream has nothing to say. A stream
   * whose connection died without a word stays "open" for the browser: no answer here means that
   * what is shown is not live. With an answer, the stream is asked whether it is there at all. */
  async #refreshStatus(): Promise<void> {
    if (document.hidden) return;
    try {
      this.#readStatus(await api.status());
      if (this.error) void this.load();
      if (this.#running) this.#steer?.('open');
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 0 && this.#running) this.#steer?.('reopen');
    }
  }

  #receive(message: FromStream): void {
    if (!this.#running) return;
    if (message.kind === 'event') {
      this.#event(message.name, message.data);
      return;
    }
    if (message.state === 'open') {
      this.#retryMs = RETRY_MIN_MS;
      clearTimeout(this.#retry);
      clearTimeout(this.#fallback);
      if (this.link !== 'connecting') return;
      this.link = 'reloading';
      void this.load();
    } else {
      this.link = 'connecting';
      if (message.state === 'closed') this.#reopenLater();
    }
  }

  #reopenLater(): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => {
      this.#streamEnded();
      this.#steer?.('open');
    }, this.#retryMs);
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MAX_MS);
  }

  #event(name: EventName, data: string): void {
    if (name === 'gap') {
      this.link = 'reloading';
      void this.load();
      return;
    }
    let object: unknown;
    try {
      object = JSON.parse(data);
    } catch {
      this.link = 'reloading';
      void this.load();
      return;
    }
    if (name === 'status') this.#readStatus(object as Status);
    else if (name === 'sensor') this.sensors.put(object as Sensor);
    else if (name === 'miner') this.miners.put(object as Miner);
    else if (name === 'alert') this.#putAlert(object as Alert);
    else this.blocks.put(object as Block);
  }

  /* A page that is open for weeks holds no more of them than the aggregator does. */
  #putAlert(alert: Alert): void {
    this.alerts.put(alert);
    if (this.alerts.list.length > ALERTS_MAX) void this.load();
  }

  #readStatus(status: Status): void {
    const shown = this.status;
    if (shown && shown.started === status.started && status.now < shown.now) return;
    clock.sync(status.now);
    this.status = status;
    void this.#checkSensors();
    const last = this.#last;
    const seconds = last ? status.now - last.now : 0;
    const all = last ? status.traffic.bytes - last.traffic.bytes : -1;
    if (last && all >= 0 && seconds < TRAFFIC_STEP_S) return;
    this.#last = status;
    if (all < 0 || !last) return;
    const mining = Math.max(0, status.traffic.mining_bytes - last.traffic.mining_bytes);
    this.traffic = [
      ...this.traffic, { t: status.now, all: all / seconds, mining: mining / seconds },
    ].slice(-TRAFFIC_MAX);
  }
}

export const fleet = new Fleet();
