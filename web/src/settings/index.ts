/* SPDX-License-Identifier: Apache-2.0 */
/* index: the parts of the settings. A part is a line here and a file beside this one. */
import type { Component } from 'svelte';
import Accounts from './Accounts.svelte';
import Configuration from './Configuration.svelte';
import Notifications from './Notifications.svelte';
import Own from './Own.svelte';
import Places from './Places.svelte';
import SensorSettings from './SensorSettings.svelte';
import Tokens from './Tokens.svelte';
import You from './You.svelte';

export interface Part {
  /** Stands in the address; '' is the first. */
  key: string;
  title: string;
  component: Component<Record<string, never>>;
  /** Only for an admin of every site. */
  admin?: boolean;
}

export const PARTS: Part[] = [
  { key: '', title: 'Your account', component: You },
  { key: 'own', title: 'Own rigs', component: Own },
  { key: 'accounts', title: 'Accounts', component: Accounts, admin: true },
  { key: 'tokens', title: 'Tokens', component: Tokens, admin: true },
  { key: 'notifications', title: 'Notifications', component: Notifications, admin: true },
  { key: 'sensors', title: 'Settings of sensors', component: SensorSettings },
  { key: 'places', title: 'Sites and places', component: Places },
  { key: 'configuration', title: 'Configuration file', component: Configuration },
];
