/* SPDX-License-Identifier: Apache-2.0 */
/* settings: options of sensors that are set from here, and which of them are meant for a site. */
import type { Setting, SettingKnown } from '../api/types';

/** The words an option may have; none for a number. */
export function choices(option: SettingKnown): string[] {
  if (option.type === 'boolean') return ['true', 'false'];
  return option.type === 'choice' ? (option.choices ?? '').split('|') : [];
}

/** Whether the option may have this value; the aggregator has the last word. */
export function allowed(option: SettingKnown, value: string): boolean {
  if (option.type !== 'integer') return choices(option).includes(value);
  return /^-?\d{1,15}$/.test(value) && Number(value) >= option.min && Number(value) <= option.max;
}

/** What is meant for the sensors of a site: its own settings, and those of every site that it has not. */
export function holding(set: Setting[], site: string): Setting[] {
  const own = set.filter((s) => s.site === site);
  return [...own, ...set.filter((s) => s.site === null && !own.some((o) => o.name === s.name))]
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
