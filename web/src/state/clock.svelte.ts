/* SPDX-License-Identifier: Apache-2.0 */
/* clock: the aggregator's time, so that "3 s ago" holds on a computer whose clock is off. */

const TICK_MS = 1000;

class Clock {
  #offset = 0;
  /** Seconds since 1970 by the aggregator's clock; moves once a second. */
  now = $state(Date.now() / 1000);

  constructor() {
    setInterval(() => this.#tick(), TICK_MS);
  }

  sync(server: number): void {
    this.#offset = server - Date.now() / 1000;
    this.#tick();
  }

  #tick(): void {
    this.now = Date.now() / 1000 + this.#offset;
  }
}

export const clock = new Clock();
