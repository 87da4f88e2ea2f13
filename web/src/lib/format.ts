/* SPDX-License-Identifier: Apache-2.0 */
/* format: numbers, times and hostile text as people read them. Pure functions. */
import type { Range, Rate } from '../api/types';
import { zone } from '../state/zone.svelte';

const GROUPED = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const PREFIXES = ['', 'k', 'M', 'G', 'T', 'P', 'E', 'Z'];

/** 1234567 → "1,234,567". */
export function count(n: number): string {
  return GROUPED.format(n);
}

/** Three digits that count: 1234 → "1.23", "k". */
export function scaled(value: number): { text: string; prefix: string; factor: number } {
  let step = 0;
  let rest = Math.abs(value);
  while (rest >= 999.5 && step < PREFIXES.length - 1) {
    rest /= 1000;
    step += 1;
  }
  const factor = 1000 ** step;
  return { text: digits(value / factor), prefix: PREFIXES[step] ?? '', factor };
}

function digits(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size >= 99.95) return value.toFixed(0);
  if (size >= 9.995) return value.toFixed(1);
  return size >= 0.01 ? value.toFixed(2) : value.toPrecision(1);
}

/** Bytes in powers of 1000. */
export function bytes(n: number): string {
  const { text, prefix } = scaled(n);
  return n < 999.5 ? `${Math.round(n)} B` : `${text} ${prefix}B`;
}

/** Bits per second from bytes per second. */
export function bitRate(bytesPerSecond: number): string {
  const { text, prefix } = scaled(bytesPerSecond * 8);
  return `${text} ${prefix}bit/s`;
}

/** "G/s" would read as giga: graphs are written out. */
export function rateUnit(unit: Rate['unit'], prefix: string): string {
  return unit === 'G/s' ? `${prefix && `${prefix} `}graphs/s` : prefix + unit;
}

export function rateValue(value: number, unit: Rate['unit']): string {
  const { text, prefix } = scaled(value);
  return `${text} ${rateUnit(unit, prefix)}`;
}

/** 3250, "W" → "3.25 kW". */
export function amount(value: number, unit: string): string {
  const { text, prefix } = scaled(value);
  return `${text} ${prefix}${unit}`.trimEnd();
}

/** The interval in the unit of the value: "1.10–1.38". */
export function interval({ value, low, high }: Range): string {
  const { factor } = scaled(value);
  return `${digits(low / factor)}–${digits(high / factor)}`;
}

export function percent(part: number, whole: number): string {
  if (whole <= 0) return '–';
  const value = (100 * part) / whole;
  if (value > 0 && value < 0.01) return '<0.01 %';
  return `${value.toFixed(value < 10 ? 2 : 1)} %`;
}

const two = (n: number) => String(n).padStart(2, '0');

/** The parts of a moment in the zone that the reader chose. */
function parts(seconds: number): { day: string; time: string; second: string } | null {
  const d = new Date(seconds * 1000);
  if (Number.isNaN(d.getTime())) return null;
  /* Shifted, so that the getters of UTC tell the local time. */
  if (!zone.utc) d.setMinutes(d.getMinutes() - d.getTimezoneOffset());
  return {
    day: `${d.getUTCFullYear()}-${two(d.getUTCMonth() + 1)}-${two(d.getUTCDate())}`,
    time: `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}`,
    second: two(d.getUTCSeconds()),
  };
}

/** "2026-11-21 07:04:05", with "Z" in UTC; times are seconds since 1970. */
export function dateTime(seconds: number): string {
  const p = parts(seconds);
  return p ? `${p.day} ${p.time}:${p.second}${zone.utc ? 'Z' : ''}` : '–';
}

export function clockTime(seconds: number, exact: boolean): string {
  const p = parts(seconds);
  return p ? (exact ? `${p.time}:${p.second}` : p.time) : '–';
}

/** Money has no unit here: the price of a kWh is in whatever currency the operator pays. */
export function money(value: number): string {
  return value >= 999.5 ? scaled(value).text + scaled(value).prefix : value.toFixed(2);
}

/** Rounded down: 4 → "4 s", 200 → "3 min", 7300 → "2 h", 200000 → "2 d". */
export function duration(seconds: number): string {
  const s = Math.max(0, seconds);
  if (s < 60) return `${Math.floor(s)} s`;
  if (s < 2 * 3600) return `${Math.floor(s / 60)} min`;
  if (s < 48 * 3600) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} d`;
}

/** "3 min ago" or "in 24 h"; what is to come is rounded up to a minute first. */
export function relative(seconds: number, now: number): string {
  const delta = now - seconds;
  if (Math.abs(delta) < 2) return 'now';
  return delta > 0 ? `${duration(delta)} ago` : `in ${duration(60 * Math.ceil(-delta / 60))}`;
}

/* Controls, bidirectional marks and overrides, zero-width characters, line separators: they would
 * hide or reorder what stands next to them. */
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** Text from the wire with its invisible characters written as escapes (\u202e). */
export function visible(text: string): string {
  return text.replace(UNSEEN, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
