/* SPDX-License-Identifier: Apache-2.0 */
/* theme: light or dark, from the system until the reader chooses otherwise. public/theme.js has set
 * the attribute before the first paint. */

const KEY = 'davylamp-theme';
const system = window.matchMedia('(prefers-color-scheme: dark)');

class Theme {
  dark = $state(document.documentElement.dataset.theme === 'dark');

  constructor() {
    system.addEventListener('change', () => this.#set(system.matches));
  }

  toggle(): void {
    this.#set(!this.dark);
    try {
      if (this.dark === system.matches) localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, this.dark ? 'dark' : 'light');
    } catch {
      // Storage is off: the choice lasts until the page is closed.
    }
  }

  #set(dark: boolean): void {
    this.dark = dark;
    document.documentElement.dataset.theme = dark ? 'dark' : 'light';
  }
}

export const theme = new Theme();
