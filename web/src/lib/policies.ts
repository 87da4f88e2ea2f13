/* SPDX-License-Identifier: Apache-2.0 */
/* policies: what a policy does, in words. */
import type { Policy, PolicyHit, PolicyTerms, Weekday } from '../api/types';
import { duration, visible } from './format';

export const WEEK: { day: Weekday; label: string }[] = [
  { day: 'mon', label: 'Mon' }, { day: 'tue', label: 'Tue' }, { day: 'wed', label: 'Wed' }, { day: 'thu', label: 'Thu' },
  { day: 'fri', label: 'Fri' }, { day: 'sat', label: 'Sat' }, { day: 'sun', label: 'Sun' },
];
export const HOURS = /^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$/;

export const FRESH: PolicyTerms = {
  name: '', verdict: 'confirmed', confidence: 0, coin: null, pool: null, site: null, sanctioned: false, hours: null,
  days: WEEK.map((w) => w.day), alert: true, sample: 0, block: 'nothing', everywhere: false, lease: 3600, longest: 604_800, grace: 86_400,
};

/** The part of a policy that makes another one like it. */
export function termsOf(p: Policy): PolicyTerms {
  const { name, verdict, confidence, coin, pool, site, sanctioned, hours, days, alert, sample, block, everywhere, lease, longest, grace } = p;
  return { name, verdict, confidence, coin, pool, site, sanctioned, hours, days, alert, sample, block, everywhere, lease, longest, grace };
}

/** "Confirmed mining of XMR at Porto, Mon to Fri, 22:00-06:00" */
export function when(p: PolicyTerms): string {
  const what = `${p.verdict === 'confirmed' ? 'Confirmed' : 'Probable or confirmed'} mining`;
  const parts = [
    what + (p.coin === null ? '' : ` of ${visible(p.coin)}`) + (p.pool === null ? '' : ` at the pool ${visible(p.pool)}`)
      + (p.site === null ? ' at every site' : ` at ${visible(p.site)}`),
    ...(p.confidence > 0 ? [`at least ${sure(p.confidence)} sure`] : []),
    ...(p.days.length < WEEK.length ? [days(p.days)] : []),
    ...(p.hours === null ? [] : [p.hours.replace('-', '–')]),
  ];
  return parts.join(', ') + (p.sanctioned ? '; also what was sanctioned or dismissed' : '');
}

/** A confidence as a percentage, with the digits it has: "99.5 %". */
export function sure(confidence: number): string {
  return `${Number((100 * confidence).toFixed(2))} %`;
}

/** "raises an alert and blocks the server where it is seen for 1 h" */
export function then(p: PolicyTerms): string {
  const parts = p.alert ? ['raises an alert'] : [];
  if (p.sample > 0) parts.push(`has ${p.sample} packets of a connection kept`);
  if (p.block !== 'nothing') {
    const whom = p.block === 'host' ? 'the host' : `the server ${p.everywhere ? 'at every site' : 'where it is seen'}`;
    const longer = p.longest > p.lease ? `, twice as long each time up to ${duration(p.longest)}` : '';
    parts.push(`blocks ${whom} for ${duration(p.lease)}${longer}`);
  }
  return parts.length > 2 ? `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}` : parts.join(' and ');
}

function days(list: Weekday[]): string {
  const at = WEEK.map((w) => list.includes(w.day));
  const first = at.indexOf(true);
  const last = at.lastIndexOf(true);
  const names = WEEK.filter((w) => list.includes(w.day)).map((w) => w.label);
  return last - first + 1 === names.length && names.length > 2 ? `${names[0]} to ${names.at(-1)}` : names.join(', ');
}

/** How many hosts and servers there are in a list of hits, and how often they were seen. */
export function tallyHits(hits: PolicyHit[]): { hosts: number; servers: number; times: number } {
  return {
    hosts: new Set(hits.map((h) => `${h.site}\n${h.host}`)).size,
    servers: new Set(hits.map((h) => `${h.server}\n${h.port}`)).size,
    times: hits.reduce((sum, h) => sum + h.count, 0),
  };
}
