/* SPDX-License-Identifier: Apache-2.0 */
/* notices: short messages about what an action did, announced politely and gone after a while; some
 * with a button that undoes it. */

export interface Notice {
  id: number;
  kind: 'good' | 'bad';
  text: string;
  undo: { label: string; act: () => void } | undefined;
}

const SHOWN_MS = 8000;
const MAX = 4;

class Notices {
  list = $state.raw<Notice[]>([]);
  #next = 1;

  add(kind: Notice['kind'], text: string, undo?: Notice['undo']): void {
    const id = this.#next++;
    this.list = [...this.list, { id, kind, text, undo }].slice(-MAX);
    if (kind === 'good') setTimeout(() => this.drop(id), undo ? 2 * SHOWN_MS : SHOWN_MS);
  }

  drop(id: number): void {
    this.list = this.list.filter((notice) => notice.id !== id);
  }
}

export const notices = new Notices();
