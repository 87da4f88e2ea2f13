/* SPDX-License-Identifier: Apache-2.0 */
/* slots: which element of a long table shows which row. Elements of rows that went out of sight are
 * used again for those that came in, which costs a fraction of new ones. */

export interface Slot<T> {
  /** Of the element. */
  id: number;
  /** Of the row in the table, from 0. */
  at: number;
  key: string | number;
  row: T;
}

export class Slots<T> {
  #list: Slot<T>[] = [];
  #next = 0;

  /** The slots for `rows`, of which the first is at `start`, each with the element it had. With `still`
   * nothing moves on the page but what comes and goes: elements stay where they are in the document,
   * whatever row they got. Without it they are in the order of the rows, and none is used again, since
   * one of them may have the focus. */
  show(rows: T[], start: number, keyOf: (row: T) => string | number, still: boolean): Slot<T>[] {
    const had = new Map(this.#list.map((slot) => [slot.key, slot]));
    const shown = rows.map((row, i): Slot<T> => {
      const key = keyOf(row);
      const old = had.get(key);
      had.delete(key);
      if (!old) return { id: -1, at: start + i, key, row };
      return old.row === row && old.at === start + i ? old : { id: old.id, at: start + i, key, row };
    });
    const free = still ? [...had.values()].map((slot) => slot.id) : [];
    for (const slot of shown) if (slot.id < 0) slot.id = free.pop() ?? this.#next++;
    this.#list = still ? this.#asBefore(shown) : shown;
    return this.#list;
  }

  #asBefore(shown: Slot<T>[]): Slot<T>[] {
    const places = new Map(this.#list.map((slot, place) => [slot.id, place]));
    return [...shown].sort((a, b) => (places.get(a.id) ?? a.id + 1e9) - (places.get(b.id) ?? b.id + 1e9));
  }
}
