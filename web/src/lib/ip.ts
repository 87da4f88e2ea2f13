/* SPDX-License-Identifier: Apache-2.0 */
/* ip: addresses and prefixes, as far as the dashboard compares and checks them. */

export interface Prefix {
  bits: 32 | 128;
  value: bigint;
  length: number;
}

function parse4(text: string): bigint | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (!match) return null;
  let value = 0n;
  for (const part of match.slice(1)) {
    if (Number(part) > 255 || (part.length > 1 && part.startsWith('0'))) return null;
    value = (value << 8n) | BigInt(part);
  }
  return value;
}

function parse6(text: string): bigint | null {
  let rest = text;
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(rest);
  if (dotted) {
    const tail = parse4(dotted[2] ?? '');
    if (tail === null) return null;
    rest = `${dotted[1]}${(tail >> 16n).toString(16)}:${(tail & 0xffffn).toString(16)}`;
  }
  const halves = rest.split('::');
  if (halves.length > 2) return null;
  const words = (half: string) => (half === '' ? [] : half.split(':'));
  const head = words(halves[0] ?? '');
  const tail = words(halves[1] ?? '');
  const gap = 8 - head.length - tail.length;
  if (halves.length === 2 ? gap < 1 : gap !== 0) return null;
  const all = [...head, ...Array<string>(halves.length === 2 ? gap : 0).fill('0'), ...tail];
  let value = 0n;
  for (const word of all) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(word)) return null;
    value = (value << 16n) | BigInt(`0x${word}`);
  }
  return value;
}

/** "203.0.113.7", "203.0.113.0/28", "2001:db8::/64"; null: no such thing. */
export function parsePrefix(text: string): Prefix | null {
  const [address = '', length, extra] = text.trim().split('/');
  if (extra !== undefined) return null;
  const four = parse4(address);
  const value = four ?? (address.includes(':') ? parse6(address) : null);
  if (value === null) return null;
  const bits = four === null ? 128 : 32;
  if (length === undefined) return { bits, value, length: bits };
  if (!/^\d{1,3}$/.test(length) || Number(length) > bits) return null;
  return { bits, value, length: Number(length) };
}

/** Whether the prefix `outer` holds the address or prefix `inner`. */
export function contains(outer: string, inner: string): boolean {
  const a = parsePrefix(outer);
  const b = parsePrefix(inner);
  if (!a || !b || a.bits !== b.bits || a.length > b.length) return false;
  const shift = BigInt(a.bits - a.length);
  return a.value >> shift === b.value >> shift;
}

/** "198.51.100.7:3333", "[2001:db8::1]:3333" and "2001:db8::1:3333" into address and port. */
export function splitEndpoint(text: string): { ip: string; port: number } | null {
  const match = /^\[?(.*?)\]?:(\d{1,5})$/.exec(text);
  if (!match?.[1] || !parsePrefix(match[1]) || match[1].includes('/')) return null;
  return { ip: match[1], port: Number(match[2]) };
}

export function joinEndpoint(ip: string, port: number): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}

/* An IPv4 address as a number; NaN: it is none. Without a regular expression, for the many of them in
 * a long table. */
function number4(text: string): number {
  let value = 0;
  let part = -1;
  let parts = 1;
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    if (c === 46) {
      if (part < 0) return NaN;
      value = value * 256 + part;
      part = -1;
      parts += 1;
    } else if (c >= 48 && c <= 57) {
      part = (part < 0 ? 0 : part * 10) + c - 48;
      if (part > 255) return NaN;
    } else return NaN;
  }
  return parts === 4 && part >= 0 ? value * 256 + part : NaN;
}

/** A sort key that puts addresses in numeric order: IPv4, IPv6, the rest. */
export function addressKey(text: string): number | string {
  const four = number4(text);
  if (!Number.isNaN(four)) return four;
  const p = parsePrefix(text);
  if (p?.bits === 32) return Number(p.value);
  return p ? `6${p.value.toString(16).padStart(32, '0')}` : `9${text}`;
}
