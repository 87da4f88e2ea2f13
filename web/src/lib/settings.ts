/* SPDX-License-Identifier: Apache-2.0 */
/* settings: options of sensors that are set from here, and which of them are meant for a site; what is set
 * of sites themselves. */
import type { Setting, SettingKnown } from '../api/types';

/** What is set of sites themselves. */
export const PRICE = 'site.price';
export const PLACE = 'site.place';
export const PRICE_MAX = 1000;

/** As the aggregator reads one; NaN: none. */
const number = (text: string): number => (/^[\d.eE+-]+$/.test(text) ? Number(text) : NaN);

/** The aggregator has the last word of both. */
export const isPrice = (text: string): boolean => number(text) >= 0 && number(text) <= PRICE_MAX;

/** LATITUDE LONGITUDE, in degrees. */
export function isPlace(text: string): boolean {
  const [latitude, longitude, ...more] = text.split(' ');
  if (!latitude || !longitude || more.length > 0) return false;
  return Math.abs(number(latitude)) <= 90 && Math.abs(number(longitude)) <= 180;
}

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
