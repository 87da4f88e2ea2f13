/* SPDX-License-Identifier: Apache-2.0 */
/* index: the pages there are, in the order of the navigation. A page is a line here and a file beside
 * this one; but for the first two they are loaded when somebody goes there. */
import type { Component } from 'svelte';
import Miners from './Miners.svelte';
import Overview from './Overview.svelte';

type Load<Props extends Record<string, unknown>> = () => Promise<{ default: Component<Props> }>;
type None = Record<string, never>;

export interface Page {
  path: string;
  title: string;
  /** Pressed after g, it leads here. */
  key: string;
  load: Load<None>;
  /** The page of one of them, at `path`/NUMBER. */
  one?: { title: string; load: Load<{ id: number }> };
  /** Stands under "More" where the window is wide. */
  more?: boolean;
}

const there = (page: Component<None>): Load<None> => () => Promise.resolve({ default: page });

export const PAGES: Page[] = [
  { path: '/', title: 'Overview', key: 'o', load: there(Overview) },
  { path: '/miners', title: 'Miners', key: 'm', load: there(Miners), one: { title: 'Miner', load: () => import('./Miner.svelte') } },
  { path: '/coins', title: 'Coins', key: 'c', load: () => import('./Coins.svelte') },
  { path: '/pools', title: 'Pools', key: 'p', load: () => import('./Pools.svelte'), one: { title: 'Pool', load: () => import('./Pool.svelte') } },
  { path: '/blocks', title: 'Block list', key: 'b', load: () => import('./Blocks.svelte') },
  { path: '/alerts', title: 'Alerts', key: 'a', load: () => import('./Alerts.svelte') },
  { path: '/policies', title: 'Policies', key: 'r', load: () => import('./Policies.svelte') },
  { path: '/imports', title: 'Imports', key: 'i', load: () => import('./Imports.svelte'), one: { title: 'Import', load: () => import('./Import.svelte') }, more: true },
  { path: '/sensors', title: 'Sensors', key: 's', load: () => import('./Sensors.svelte') },
  { path: '/baselines', title: 'Baselines', key: 'l', load: () => import('./Baselines.svelte'), one: { title: 'Baseline', load: () => import('./Baseline.svelte') }, more: true },
  { path: '/samples', title: 'Samples', key: 'k', load: () => import('./Samples.svelte'), more: true },
  { path: '/trackings', title: 'Tracking', key: 't', load: () => import('./Trackings.svelte'), one: { title: 'Tracking', load: () => import('./Tracking.svelte') }, more: true },
  { path: '/audit', title: 'Audit', key: 'u', load: () => import('./Audit.svelte'), more: true },
  { path: '/settings', title: 'Settings', key: 'e', load: () => import('./Settings.svelte'), more: true },
];

/** The page at a path, and the number where it is the page of one of them. */
export function pageAt(path: string): { page: Page; id: number | null } | null {
  const [, base = '', id] = /^(\/[^/]*)(?:\/(\d{1,15}))?$/.exec(path) ?? [];
  const page = PAGES.find((p) => p.path === base);
  if (!page || (id !== undefined && !page.one)) return null;
  return { page, id: id === undefined ? null : Number(id) };
}
