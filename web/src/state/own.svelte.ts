/* SPDX-License-Identifier: Apache-2.0 */
/* own: the lists of what belongs to the owner's rigs. They come with no event: loaded when a page
 * that shows them opens, and after each change made here. */
import { ApiError, api } from '../api/client';
import type { Own } from '../api/types';

/* Hex wallets have no case, as the aggregator compares them too. */
function same(a: string, b: string): boolean {
  return a === b || (a.startsWith('0x') && a.toLowerCase() === b.toLowerCase());
}

class OwnLists {
  list = $state.raw<Own[]>([]);
  loaded = $state(false);
  error = $state.raw<ApiError | null>(null);
  readonly #wallets = $derived(this.list.filter((o) => o.kind === 'wallet'));

  async load(): Promise<void> {
    try {
      this.list = (await api.own()).own;
      this.loaded = true;
      this.error = null;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.error = error;
    }
  }

  async add({ kind, value, site, note }: Pick<Own, 'kind' | 'value' | 'site' | 'note'>): Promise<void> {
    await api.addOwn({ kind, value, site, note });
    await this.load();
  }

  async remove(id: number): Promise<void> {
    await api.deleteOwn(id);
    await this.load();
  }

  /** Whether the list has wallets for a site, so that every other one there is foreign. */
  namesWallets(site: string): boolean {
    return this.#wallets.some((o) => o.site === null || o.site === site);
  }

  /** Whether a wallet is on the list for a site; without one, for any. */
  hasWallet(wallet: string, site?: string): boolean {
    return this.#wallets.some((o) => same(o.value, wallet) && (site === undefined || o.site === null || o.site === site));
  }
}

export const own = new OwnLists();
