/* SPDX-License-Identifier: Apache-2.0 */
/* zone: whether times are told in the reader's zone or in UTC. */

const KEY = 'davylamp-utc';

class Zone {
  utc = $state(false);

  constructor() {
    try {
      this.utc = localStorage.getItem(KEY) === '1';
    } catch {
      // Storage is off: local time counts.
    }
  }

  toggle(): void {
    this.utc = !this.utc;
    try {
      if (this.utc) localStorage.setItem(KEY, '1');
      else localStorage.removeItem(KEY);
    } catch {
      // The choice lasts until the page is closed.
    }
  }
}

export const zone = new Zone();
