/* SPDX-License-Identifier: Apache-2.0 */
/* saved: views of the miners table that the reader gave a name, kept in this browser. A view is what
 * stands behind the ? of the address, so a link to it does the same for others. */

const KEY = 'davylamp-views';
const MAX = 30;

export interface SavedView {
  name: string;
  query: string;
}

function read(): SavedView[] {
  try {
    const list: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]');
    if (!Array.isArray(list)) return [];
    return list.filter((v): v is SavedView => typeof v?.name === 'string' && typeof v?.query === 'string').slice(0, MAX);
  } catch {
    return [];
  }
}

class Saved {
  list = $state.raw<SavedView[]>(read());

  /** Replaces the view of the same name; false: there are too many. */
  put(name: string, query: string): boolean {
    const others = this.list.filter((v) => v.name !== name);
    if (others.length >= MAX) return false;
    this.#write([...others, { name, query }]);
    return true;
  }

  drop(name: string): void {
    this.#write(this.list.filter((v) => v.name !== name));
  }

  #write(list: SavedView[]): void {
    this.list = list;
    try {
      localStorage.setItem(KEY, JSON.stringify(list));
    } catch {
      // Storage is off or full: the view lasts until the page is closed.
    }
  }
}

export const saved = new Saved();
