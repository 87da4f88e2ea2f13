/* SPDX-License-Identifier: Apache-2.0 */
/* Options of sensors, and facts of sites, that are set from the aggregator. */

export interface SettingKnown {
  name: string;
  of: 'sensor' | 'site';
  type: 'boolean' | 'integer' | 'number' | 'choice' | 'place';
  min: number;
  max: number;
  /** Words with "|" between them. */
  choices: string | null;
  unit: string | null;
  default: string | null;
  help: string;
}

export interface Setting {
  name: string;
  /** null: every site. */
  site: string | null;
  value: string;
  set_by: string;
  set: number;
}
