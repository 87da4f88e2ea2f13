/* SPDX-License-Identifier: Apache-2.0 */
/* view: the time range and the site that the reader looks at, from the address bar; every page that
 * can tells its figures for them, and links between pages carry them on. */
import { router } from './router.svelte';

export const RANGES = [
  { key: '', label: '1 h', words: 'the last hour', seconds: 3600 },
  { key: '6h', label: '6 h', words: 'the last 6 hours', seconds: 6 * 3600 },
  { key: '24h', label: '24 h', words: 'the last 24 hours', seconds: 86400 },
  { key: '7d', label: '7 d', words: 'the last 7 days', seconds: 7 * 86400 },
] as const;

const KEPT = ['site', 'range'];

class View {
  readonly site = $derived(router.query.get('site') ?? '');
  readonly range = $derived(RANGES.find((r) => r.key === router.query.get('range')) ?? RANGES[0]);

  /** The path with the range and the site of now, and with what `more` sets; '' leaves out. */
  href(path: string, more: Record<string, string> = {}): string {
    const query = new URLSearchParams();
    for (const name of KEPT) {
      const value = router.query.get(name);
      if (value) query.set(name, value);
    }
    for (const [name, value] of Object.entries(more)) {
      if (value) query.set(name, value);
      else query.delete(name);
    }
    const text = query.toString();
    return text ? `${path}?${text}` : path;
  }
}

export const view = new View();
