/* SPDX-License-Identifier: Apache-2.0 */
/* collection: a keyed list that takes many single changes and shows them in batches. `list` is raw
 * state: a new array per batch, its items never proxied. */

/* A batch of a long list costs a sort of the table, so it comes less often. */
const FLUSH_MS = 100;
const FLUSH_LONG_MS = 1000;
const LONG = 5000;

export class Collection<T> {
  list = $state.raw<T[]>([]);
  /** Whether the list was loaded at least once. */
  loaded = $state(false);
  #items = new Map<string | number, T>();
  #fresh: Map<string | number, T> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly key: (item: T) => string | number) {}

  /** The item of a key; readers run again after each batch. */
  get(key: string | number): T | undefined {
    void this.list;
    return this.#items.get(key);
  }

  /** Says that a load was asked for: what is put from now on is newer than its answer. */
  expect(): void {
    this.#fresh = new Map();
  }

  replace(items: T[]): void {
    this.#items = new Map(items.map((item) => [this.key(item), item]));
    for (const [key, item] of this.#fresh ?? []) this.#items.set(key, item);
    this.#fresh = null;
    this.loaded = true;
    this.#flush();
  }

  put(item: T): void {
    this.#items.set(this.key(item), item);
    this.#fresh?.set(this.key(item), item);
    this.#timer ??= setTimeout(
      () => this.#flush(), this.#items.size > LONG ? FLUSH_LONG_MS : FLUSH_MS);
  }

  clear(): void {
    this.#fresh = null;
    this.replace([]);
    this.loaded = false;
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.list = [...this.#items.values()];
  }
}
