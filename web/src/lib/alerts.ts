/* SPDX-License-Identifier: Apache-2.0 */
/* alerts: which of them a filter keeps, and where they lead. */
import type { Alert, Severity } from '../api/types';

export type Which = 'open' | 'unread' | 'ended' | 'all';

export const WHICH: { value: Which; label: string }[] = [
  { value: 'open', label: 'Lasting' },
  { value: 'unread', label: 'Not acknowledged' },
  { value: 'ended', label: 'Ended' },
  { value: 'all', label: 'All' },
];

export const RANK: Record<Severity, number> = { critical: 0, warning: 1, notice: 2 };

export function isUnread(alert: Alert): boolean {
  return alert.resolved === null && alert.acknowledged === null;
}

export function fits(alert: Alert, which: Which): boolean {
  if (which === 'all') return true;
  if (which === 'unread') return isUnread(alert);
  return (alert.resolved === null) === (which === 'open');
}

/** "miner-confirmed" → "miner confirmed". */
export function kindName(kind: string): string {
  return kind.replaceAll('-', ' ');
}

/** The page of what an alert is about; null: there is none. */
export function leadsTo(alert: Alert): { path: string; more: Record<string, string>; label: string } | null {
  if (alert.miner !== null) return { path: `/miners/${alert.miner}`, more: {}, label: 'Miner' };
  const sensor = /^sensor (.+)$/s.exec(alert.subject)?.[1];
  if (sensor !== undefined) return { path: '/sensors', more: { sensor }, label: 'Sensor' };
  return null;
}
