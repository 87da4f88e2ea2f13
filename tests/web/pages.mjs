// SPDX-License-Identifier: Apache-2.0
// Every page of the dashboard in Chromium against the mock: no console message, no violation of
// the content policy, hostile text as text, light and dark, phone width, keyboard, live changes.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { HOSTILE, PASSWORD, miner, startMock } from './mock.mjs';
import { alert } from './mock_desk.mjs';
import { PATIENCE_MS, axe, browse, environment, login, watch } from './browser.mjs';

const PAGES = [
  ['overview', '/', 'Overview'],
  ['miners', '/miners', 'Miners'],
  ['miner', '/miners/1', '10.1.0.1'],
  ['miner-hostile', '/miners/4', '10.1.0.13'],
  ['coins', '/coins', 'Coins and wallets'],
  ['pools', '/pools?q=203.0.113.7:3333', 'Pools'],
  ['pool', '/pools/1', 'Pool One'],
  ['blocks', '/blocks', 'Block list'],
  ['sensors', '/sensors', 'Sensors'],
  ['alerts', '/alerts?state=all', 'Alerts'],
  ['policies', '/policies?policy=1', 'Policies'],
  ['baselines', '/baselines', 'Baselines'],
  ['baseline', '/baselines/1', 'Baseline of 10.1.0.1'],
  ['samples', '/samples', 'Samples'],
  ['trackings', '/trackings', 'Tracking'],
  ['tracking', '/trackings/2', 'Tracking of remote 203.0.113.10:3333'],
  ['audit', '/audit', 'Audit'],
  ['settings', '/settings', 'Settings'],
  ['settings-own', '/settings?part=own', 'Settings'],
  ['settings-accounts', '/settings?part=accounts', 'Settings'],
  ['settings-tokens', '/settings?part=tokens', 'Settings'],
  ['settings-notifications', '/settings?part=notifications', 'Settings'],
  ['settings-sensors', '/settings?part=sensors', 'Settings'],
  ['settings-places', '/settings?part=places', 'Settings'],
  ['imports', '/imports', 'Imports'],
  ['import', '/imports/1', 'branch-17.pcapng'],
  ['settings-configuration', '/settings?part=configuration', 'Settings'],
];
const SIZES = [
  ['wide', { width: 1440, height: 900 }],
  ['phone', { width: 390, height: 844 }],
];

const { chromium, dist, screenshots } = environment();
mkdirSync(screenshots, { recursive: true });
const mock = await startMock(dist);
const shot = (page, name, fullPage = true) =>
  page.screenshot({ path: join(screenshots, `${name}.png`), fullPage });
const live = (page) => page.locator('header .link.live').waitFor();

/* The server hears of a stream's end a little later than the page. */
async function streams(n, why) {
  const end = Date.now() + PATIENCE_MS;
  while (mock.streams.size !== n && Date.now() < end) await new Promise((r) => { setTimeout(r, 20); });
  assert.equal(mock.streams.size, n, why);
}

/* A tab at the overview. On a very busy machine Chromium aborts the first navigation of a new tab now and
 * then, before a request is made: that one is done again. */
async function openTab({ context, faults }, prepare = () => {}) {
  const tab = await context.newPage();
  watch(tab, mock.url, faults);
  await prepare(tab);
  await tab.goto(mock.url).catch((error) => {
    if (!error.message.includes('ERR_ABORTED')) throw error;
    return tab.goto(mock.url);
  });
  return tab;
}

async function loginPage({ page }) {
  await page.goto(`${mock.url}/miners?state=confirmed`);
  await shot(page, 'login');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByText('Enter the user name.').waitFor();
  await page.getByLabel('User').fill('admin');
  await page.getByLabel('Password').fill('wrong');
  await page.keyboard.press('Enter');
  await page.getByText('Wrong user or password.').waitFor();
  await page.getByLabel('Password').fill(PASSWORD);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Miners', level: 1 }).waitFor();
  assert.equal(new URL(page.url()).search, '?state=confirmed', 'the deep link survives the login');
  assert.equal(await page.title(), 'Miners – Davylamp');
}

async function everyPage({ page }, scheme) {
  await page.emulateMedia({ colorScheme: scheme });
  /* What fits a phone in light fits it in dark. */
  for (const [size, viewport] of scheme === 'light' ? SIZES : SIZES.slice(0, 1)) {
    await page.setViewportSize(viewport);
    for (const [name, path, heading] of PAGES) {
      await page.goto(mock.url + path);
      await page.getByRole('heading', { level: 1, name: heading }).waitFor();
      await live(page);
      if (name === 'overview') {
        const first = mock.status();
        for (let i = 1; i <= 30; i += 1) {
          const { packets, bytes, mining_bytes: mining } = first.traffic;
          mock.push('status', { ...first, now: first.now + 12 * i, traffic: {
            packets, bytes: bytes + i * 5e7 + 2e7 * Math.sin(i), mining_bytes: mining + i * 5e6 } });
        }
        await page.locator('.u-over').first().waitFor();
      }
      if (name === 'miner') await page.locator('.u-over').nth(1).waitFor();
      const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(content <= window, `${name} at ${size}: ${content} px of content in ${window} px`);
      assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), scheme);
      await shot(page, `${name}-${size}-${scheme}`);
      if (size === 'wide') assert.deepEqual(await axe(page), [], `${name}, ${scheme}`);
    }
  }
  await page.setViewportSize(SIZES[0][1]);
}

/* Between a phone and a wide screen nothing is cut off either. */
async function everyWidth({ page }) {
  for (const path of ['/', '/coins', '/settings?part=places']) {
    await page.goto(mock.url + path);
    await live(page);
    for (const width of [600, 800, 1000, 1180, 1370]) {
      await page.setViewportSize({ width, height: 900 });
      const [content, tools] = await page.evaluate(() => [document.documentElement.scrollWidth, document.querySelector('.tools').getBoundingClientRect().right]);
      assert.ok(content <= width && tools <= width, `${path} at ${width}: ${content} px, the menu ends at ${tools}`);
    }
  }
  await page.setViewportSize(SIZES[0][1]);
}

async function hostileText({ page }) {
  await page.goto(`${mock.url}/miners/4`);
  await page.getByText(HOSTILE.markup).first().waitFor();
  const text = await page.locator('main').innerText();
  assert.ok(text.includes('user\\u202egnp.exe\\u0007\\u200bx'), 'invisible characters are written out');
  assert.ok(text.includes(HOSTILE.long), 'long text is there in full');
  assert.equal(await page.locator('img').count(), 0, 'text makes no element');
  assert.equal(await page.evaluate(() => document.body.dataset.owned), undefined);
}

async function theme({ page }) {
  await page.emulateMedia({ colorScheme: 'light' });
  await page.goto(mock.url);
  await page.getByRole('button', { name: 'Use dark colours' }).click();
  await page.reload();
  await page.getByRole('button', { name: 'Use light colours' }).click();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'light');
}

async function filterAndSort({ page }) {
  await page.goto(`${mock.url}/miners?sort=-rate`);
  const hosts = page.locator('tbody tr td:first-child');
  await hosts.first().waitFor();
  assert.equal(await hosts.first().innerText(), '10.1.0.77');
  await page.getByRole('button', { name: 'Host' }).click();
  await page.waitForURL(/sort=host/);
  assert.equal(await hosts.first().innerText(), '10.1.0.1');
  await page.getByPlaceholder('Host, wallet').fill('GPU7');
  await page.getByText('1 of 5 miners').waitFor();
  await page.getByPlaceholder('Host, wallet').fill('nobody');
  await page.getByText('No miner fits the filter').waitFor();
  await page.getByRole('button', { name: 'Clear filter' }).click();
  await page.getByText('5 miners').waitFor();
}

async function minerArrives({ page }) {
  await page.goto(`${mock.url}/miners`);
  await live(page);
  await page.evaluate(() => { window.loadedOnce = true; });
  const arrived = miner(42, { workers: ['arrived-live'], site: 'Porto' });
  mock.push('miner', arrived);
  await page.getByText('arrived-live').waitFor();
  assert.equal(await page.evaluate(() => window.loadedOnce), true, 'the page was not loaded again');
}

async function blockByKeyboard({ page }) {
  await page.goto(`${mock.url}/miners/1`);
  await live(page);
  const button = page.getByRole('button', { name: 'Block…' });
  for (let i = 0; i < 40 && !(await button.evaluate((b) => b === document.activeElement)); i += 1) {
    await page.keyboard.press('Tab');
  }
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Block 10.1.0.1' });
  await dialog.waitFor();
  await shot(page, 'block-dialog', false);
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  assert.ok(await button.evaluate((b) => b === document.activeElement), 'the focus returns');
  await page.keyboard.press('Enter');
  await dialog.getByLabel('Reason').fill('not ours');
  await dialog.getByLabel('Reason').press('Enter');
  const block = page.getByRole('region', { name: 'Block of 203.0.113.10:3333' });
  await block.getByText('sent').waitFor();
  const entry = mock.world.blocks[0];
  assert.deepEqual([entry.target, entry.port, entry.site, entry.reason, Math.round(entry.expires - entry.created)],
    ['203.0.113.10', 3333, 'Rotterdam', 'not ours', 86400]);
  for (const s of entry.sensors) Object.assign(s, { state: 'applied', hits: { packets: 12, bytes: 720 } });
  mock.push('block', entry);
  await block.getByText('applied').waitFor();
  await shot(page, 'blocked');
  await block.getByRole('button', { name: 'Unblock' }).click();
  await shot(page, 'unblock-dialog', false);
  await page.getByRole('dialog').getByRole('button', { name: 'Unblock' }).click();
  await block.waitFor({ state: 'detached' });
  assert.equal(entry.active, false);
}

async function blockForm({ page }) {
  await page.goto(`${mock.url}/blocks`);
  await page.getByRole('button', { name: 'Add a block' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Address or prefix').fill('not an address');
  await dialog.getByRole('button', { name: 'Add the block' }).click();
  await dialog.getByText('Not an address or prefix.').waitFor();
  await dialog.getByLabel('Address or prefix').fill('10.1.0.1');
  await dialog.getByRole('button', { name: 'Add the block' }).click();
  await dialog.getByText('one of our own networks').waitFor();
  const field = dialog.getByLabel('Address or prefix');
  assert.equal(await field.getAttribute('aria-invalid'), 'true', 'the error stands at its field');
  await shot(page, 'add-block-error', false);
  await field.fill('2001:db8:77::/64');
  await dialog.getByRole('button', { name: 'Add the block' }).click();
  await dialog.waitFor({ state: 'detached' });
  await page.getByText('2001:db8:77::/64', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'State at each sensor of 198.51.100.99' }).click();
  await page.getByRole('dialog').getByText('never list').waitFor();
  await shot(page, 'block-detail', false);
  await page.keyboard.press('Escape');
}

async function pools({ page }) {
  await page.goto(`${mock.url}/pools`);
  const learned = page.getByRole('table', { name: 'What the fleet learned' });
  const one = learned.getByRole('row').filter({ hasText: '203.0.113.9:443' });
  for (const [word, state] of [['Accept', 'accepted'], ['Extend', 'extended'], ['Mute', 'muted']]) {
    await one.getByRole('button', { name: `${word} 203.0.113.9:443` }).click();
    await one.locator('.badge', { hasText: state }).waitFor();
    await one.getByRole('button', { name: 'Take back 203.0.113.9:443' }).click();
    await one.locator('.badge', { hasText: 'fresh' }).waitFor();
  }
  /* Whoever asks the filter of names is led to the question. */
  await page.getByRole('searchbox', { name: 'Pool or coin' }).fill('eu.one.example');
  await page.getByRole('button', { name: 'Look eu.one.example up' }).click();
  await page.getByText('It is a server of Pool One').waitFor();
  assert.equal(new URL(page.url()).searchParams.get('q'), 'eu.one.example');
  await page.getByRole('link', { name: 'Pool One' }).first().click();
  await page.getByRole('heading', { level: 1, name: 'Pool One' }).waitFor();
  await page.getByRole('img', { name: /203\.0\.113\.7 port 3333: 3 changes/ }).waitFor();
  await page.getByRole('button', { name: 'Delete eu.one.example port 3333' }).click();
  await page.getByRole('button', { name: 'Undo the last change of eu.one.example port 3333' }).waitFor();
  await page.locator('.badge', { hasText: 'Muted' }).waitFor();
  await page.getByRole('button', { name: 'Undo the last change of eu.one.example port 3333' }).click();
  await page.locator('.badge', { hasText: 'Muted' }).waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Add an entry…' }).click();
  await page.getByLabel('Host name or address').fill('no host');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('that is no host name').waitFor();
  await page.getByLabel('Host name or address').fill('new.one.example');
  await page.getByRole('textbox', { name: 'Port' }).fill('4444');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('cell', { name: 'new.one.example', exact: true }).waitFor();
}

/* A capture is sent in pieces, its answer comes by itself; the evidence of one host; a path that is refused. */
async function captures({ page }) {
  await page.goto(`${mock.url}/imports`);
  const table = page.getByRole('table', { name: 'Imports' });
  await table.getByRole('row').filter({ hasText: 'night.pcap' }).getByText('25.0 %').waitFor();
  await page.getByLabel('Site').fill('Porto');
  await page.getByLabel('Choose captures').setInputFiles([
    { name: 'sent.pcap', mimeType: 'application/octet-stream', buffer: Buffer.alloc(2.5 * 1024 * 1024) },
    { name: 'too.pcap', mimeType: 'application/octet-stream', buffer: Buffer.alloc(10) },
  ]);
  await table.getByRole('row').filter({ hasText: 'sent.pcap' }).getByText('done').waitFor();
  const puts = mock.calls.filter((c) => c.startsWith('PUT /imports/'));
  assert.equal(puts.length, 3, 'pieces of 1 MiB');
  assert.equal(mock.captures.imports[0].site, 'Porto');
  await page.getByLabel('On the server').fill('../etc');
  await page.getByRole('button', { name: 'Import', exact: true }).click();
  await page.getByText('leads out of the folder').waitFor();
  await page.getByRole('button', { name: 'Cancel night.pcap' }).click();
  await table.getByRole('row').filter({ hasText: 'night.pcap' }).getByText('cancelled').waitFor();
  await page.getByRole('button', { name: 'Delete sent.pcap' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.getByText('The import was deleted.').waitFor();
  assert.equal(await table.getByText('sent.pcap').count(), 0);
  await table.getByRole('link', { name: 'branch-17.pcapng' }).click();
  await page.getByText('Yes: 1 host mines').waitFor();
  await page.getByRole('button', { name: '10.0.0.5' }).click();
  await page.getByRole('region', { name: 'Evidence' }).getByText('method login').waitFor();
  assert.deepEqual(await axe(page), []);
  await shot(page, 'import-evidence');
}

/* By keyboard alone: filters in the address, acknowledging, and one that arrives. */
async function alerts({ page }) {
  await page.goto(`${mock.url}/alerts`);
  await live(page);
  const table = page.getByRole('table', { name: 'Alerts' });
  const unread = page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: /^Alerts.*not acknowledged: 2$/ });
  await unread.waitFor();
  assert.equal(await table.getByRole('row').count(), 1 + 3, 'those that last');
  await page.getByRole('button', { name: /^Acknowledge: Sensor gdansk-1/ }).focus();
  await page.keyboard.press('Enter');
  await table.getByRole('row').filter({ hasText: 'gdansk-1' }).getByText('admin').waitFor();
  await page.getByRole('link', { name: /^Alerts.*not acknowledged: 1$/ }).waitFor();
  mock.desk.alerts.unshift(alert(9, { kind: 'foreign-wallet', text: 'Rig 10.9.9.9 mines to a wallet of nobody\u2019s.' }));
  mock.push('alert', mock.desk.alerts[0]);
  await table.getByText('Rig 10.9.9.9').waitFor();
  await page.getByLabel('Kind').selectOption('foreign-wallet');
  await page.waitForURL(/kind=foreign-wallet/);
  assert.equal(await table.getByRole('row').count(), 1 + 1);
  await page.getByLabel('State').selectOption('ended');
  await page.getByText('No alert fits the filter').waitFor();
  await page.getByRole('button', { name: 'Clear filter' }).click();
  await page.getByRole('button', { name: HOSTILE.long, exact: true }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('by nobody').waitFor();
  assert.deepEqual(await axe(page), []);
  await shot(page, 'alert-dialog', false);
  await dialog.getByRole('link', { name: 'Show the miner' }).click();
  await page.getByRole('heading', { level: 1, name: '10.1.0.1' }).waitFor();
  mock.desk.alerts.shift();
}

async function policies({ page }) {
  await page.goto(`${mock.url}/policies`);
  await live(page);
  await page.getByText('Confirmed mining of XMR at Porto, Mon to Fri, 22:00–06:00', { exact: false }).waitFor();
  const item = (name) => page.getByRole('listitem').filter({ hasText: name });
  await item('Nightly').getByRole('button', { name: /^What it fits/ }).click();
  await page.waitForURL(/policy=1/);
  await page.getByText('would have acted').waitFor();
  assert.match(await page.getByRole('region', { name: /fits$/ }).innerText(), /2 hosts at 1 server, 80 times/);
  await item('Nightly').getByRole('button', { name: 'On', exact: true }).click();
  await page.getByText('acts from now on').waitFor();
  assert.equal(mock.desk.policies[0].mode, 'on');
  await page.getByRole('button', { name: 'Undo' }).click();
  await item('Nightly').getByRole('button', { name: 'Dry run', pressed: true }).waitFor();
  await item('labs').getByRole('button', { name: /^Delete/ }).click();
  await item('labs').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Undo' }).last().click();
  await item('labs').getByRole('button', { name: 'On', pressed: true }).waitFor();
  await page.getByRole('button', { name: 'Add a policy…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('Nightly <b>XMR</b>');
  await dialog.getByLabel('Hours').fill('8-18');
  await dialog.getByLabel('Raise an alert').uncheck();
  await dialog.getByRole('button', { name: 'Add in dry run' }).click();
  await dialog.getByText('Hours look like').waitFor();
  await dialog.getByText('A policy raises an alert, keeps packets, or blocks.').waitFor();
  await dialog.getByLabel('Hours').fill('08:00 – 18:00');
  await dialog.getByLabel('The server, at its port').check();
  await dialog.getByLabel('With a confidence of at least').selectOption('99.5 %');
  assert.deepEqual(await axe(page), []);
  await shot(page, 'policy-dialog', false);
  await dialog.getByRole('button', { name: 'Add in dry run' }).click();
  await dialog.getByText('There is a policy of that name.').waitFor();
  await dialog.getByLabel('Name').fill('Office hours');
  await dialog.getByRole('button', { name: 'Add in dry run' }).click();
  await item('Office hours').getByText('at least 99.5 % sure, 08:00–18:00: blocks the server where it is seen for 60 min, twice as long each time up to 7 d.').waitFor();
  await item('Office hours').getByRole('button', { name: /^Change/ }).click();
  await dialog.getByLabel('Coin').fill('BTC');
  await dialog.getByRole('button', { name: 'Change it' }).click();
  await item('Office hours').getByText('mining of BTC').waitFor();
  assert.equal(mock.desk.policies.at(-1).name, 'Office hours', 'a policy that is changed keeps its place');
  await page.getByRole('button', { name: 'Move Office hours up' }).click();
  await page.getByRole('button', { name: 'Move Office hours down', disabled: false }).waitFor();
  assert.deepEqual([mock.desk.policies[1].name, mock.desk.policies[1].place], ['Office hours', 2]);
  assert.deepEqual(mock.desk.policies.map((p) => p.name).sort(), ['Any miner in the labs', 'Nightly <b>XMR</b>', 'Office hours']);
}

/* What the page shows equals what the API says, and what is said to a destination shows without loading anew. */
async function usual({ page }) {
  await page.goto(`${mock.url}/baselines`);
  await live(page);
  const table = page.getByRole('table', { name: 'Baselines' });
  await table.getByRole('row').filter({ hasText: '10.1.0.2' }).getByText('learning').waitFor();
  await page.getByRole('button', { name: 'Learn a baseline…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Host').fill('10.9.9.9');
  await dialog.getByLabel('Site').selectOption('Porto');
  await dialog.getByRole('button', { name: 'Learn it' }).click();
  await dialog.getByText('no mining of this host is sanctioned').waitFor();
  assert.deepEqual(await axe(page), []);
  await shot(page, 'baseline-dialog', false);
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await table.getByRole('link', { name: '10.1.0.1' }).click();

  const [one] = mock.usual.details;
  await page.getByText('at Porto, version 2 in force').waitFor();
  await page.getByText('1 minute differs').waitFor();
  const known = page.getByRole('table', { name: 'Destinations of the baseline' });
  const news = page.getByRole('table', { name: 'Unexpected destinations' });
  await known.getByText('203.0.113.10:3333').waitFor();
  assert.equal(await known.getByRole('row').count(), 1 + one.current.destinations.length);
  assert.equal(await news.getByRole('row').count(), 1 + one.unexpected.length);
  await page.getByRole('button', { name: 'Accept 203.0.113.99:22' }).click();
  await known.getByText('203.0.113.99:22').waitFor();
  await page.getByText('at Porto, version 3 in force').waitFor();
  assert.equal(await news.getByText('203.0.113.99:22').count(), 0);
  assert.equal(one.current.destinations.length, 4);
  await page.getByRole('button', { name: 'Watch [2001:db8::99]:8080' }).click();
  await news.locator('.badge').filter({ hasText: 'watched' }).waitFor();
  await page.getByRole('button', { name: 'Block [2001:db8::99]:8080' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Block', exact: true }).click();
  await news.locator('.badge').filter({ hasText: 'blocked' }).waitFor();
  assert.deepEqual(mock.usual.blocks, ['2001:db8::99']);
  await page.getByRole('button', { name: 'Accept the draft' }).click();
  await page.getByText('at Porto, version 4 in force').waitFor();
  await page.getByRole('heading', { name: 'Draft' }).waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Use again version 1' }).click();
  await page.getByText('at Porto, version 5 in force').waitFor();
  assert.deepEqual(await axe(page), []);
  await page.goto(`${mock.url}/miners/1`);
  await page.getByRole('link', { name: 'Baseline', exact: true }).click();
  await page.getByText('at Porto, version 5 in force').waitFor();
}

async function samples({ page }) {
  await page.goto(`${mock.url}/samples`);
  await live(page);
  const item = (name) => page.locator('section > ul > li').filter({ hasText: name });
  await item('2: miner 10.1.0.1').getByRole('link', { name: 'Download' }).waitFor();
  assert.equal(await item('2: miner').getByRole('link', { name: 'Download' }).getAttribute('href'), '/api/v1/samples/2/porto-1.pcapng');
  await item('1: remote 203.0.113.10:3333').getByText('the disk has 3 KiB free').waitFor();
  await item('3: remote').getByRole('button', { name: /^Cancel/ }).click();
  await page.getByText('Sample 3 is cancelled.').waitFor();
  await item('2: miner').getByRole('button', { name: /^Remove/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await item('2: miner').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Order a sample…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('What').selectOption('host');
  await dialog.getByLabel('Host').fill('10.1.0.9');
  await dialog.getByRole('button', { name: 'Order it' }).click();
  await dialog.getByText('An inside host needs its site').waitFor();
  assert.deepEqual(await axe(page), []);
  await shot(page, 'sample-dialog', false);
  await dialog.getByLabel('Site').selectOption('Porto');
  await dialog.getByRole('button', { name: 'Order it' }).click();
  await dialog.waitFor({ state: 'detached' });
  assert.equal(mock.desk.samples.at(-1).host, '10.1.0.9');

  await page.goto(`${mock.url}/miners/1`);
  await page.getByRole('button', { name: 'Sample…' }).click();
  await dialog.getByLabel('Reason').fill('who is it?');
  await dialog.getByRole('button', { name: 'Order it' }).click();
  await page.getByRole('region', { name: 'Packet samples' }).getByText('who is it?').waitFor();
  assert.deepEqual([mock.desk.samples.at(-1).what, mock.desk.samples.at(-1).miner], ['miner', 1]);
}

/** A tracking's page: figures behind the chart, what sensors say, its end by hand; then one of a miner is begun. Its
 * sample is one of those that `samples` takes out. */
async function tracking({ page }) {
  await page.goto(`${mock.url}/trackings`);
  await live(page);
  await page.getByRole('table', { name: 'Trackings' }).getByRole('link', { name: 'remote 203.0.113.10:3333' }).first().click();
  await page.getByRole('heading', { name: 'Traffic in steps of 10 s' }).waitFor();
  await page.getByRole('region', { name: 'Sensors' }).getByText('unknown').waitFor();
  await page.getByRole('link', { name: 'Download' }).first().waitFor();
  const figures = page.getByRole('region', { name: 'Traffic in steps' });
  await figures.locator('summary').click();
  await figures.getByRole('cell', { name: '1.3 kbit/s' }).first().waitFor(); // 1600 bytes in 10 s
  assert.deepEqual(await axe(page), []);
  await page.getByRole('button', { name: 'End it' }).click();
  await page.getByText('Tracking 2 has ended.').waitFor();
  await page.getByRole('button', { name: 'End it' }).waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Remove…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await page.getByRole('heading', { name: 'Tracking', exact: true }).waitFor();
  assert.equal(mock.tracked.list.length, 1);

  await page.getByRole('button', { name: 'Track…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('What').selectOption('host');
  await dialog.getByLabel('Host').fill('10.1.0.9');
  await dialog.getByRole('button', { name: 'Track it' }).click();
  await dialog.getByText('An inside host needs its site').waitFor();
  assert.deepEqual(await axe(page), []);
  await shot(page, 'track-dialog', false);

  await page.goto(`${mock.url}/miners/1`);
  await page.getByRole('button', { name: 'Track…' }).click();
  await dialog.getByLabel('For').selectOption('1 day');
  await dialog.getByRole('button', { name: 'Track it' }).click();
  await page.getByRole('heading', { name: /^Tracking of/ }).waitFor();
  assert.deepEqual(mock.tracked.asked, [{ what: 'miner', miner: 1, site: null, reason: null, duration: 86400, ring: 4 }]);
}

async function auditLog({ page }) {
  await page.goto(mock.url);
  await live(page);
  await page.locator('summary').filter({ hasText: 'More' }).click();
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Audit' }).click();
  const table = page.getByRole('table', { name: 'Audit' });
  await page.getByText('50 entries, and older ones').waitFor();
  await page.getByRole('button', { name: 'Show older ones' }).click();
  await page.getByText('100 entries, and older ones').waitFor();
  await page.getByRole('button', { name: 'Show older ones' }).click();
  await page.getByText('120 entries', { exact: true }).waitFor();
  await page.getByRole('combobox', { name: 'What' }).selectOption('hold');
  await page.getByText('30 entries', { exact: true }).waitFor();
  await table.getByRole('button', { name: 'admin', exact: true }).first().click();
  await page.waitForURL(/action=hold&actor=admin|actor=admin&action=hold/);
  await page.getByText('10 entries', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Check the log' }).click();
  await page.getByText('the log is whole').waitFor();
  mock.desk.whole = false;
  await page.getByRole('button', { name: 'Check the log' }).click();
  await page.getByRole('alert').getByText('Row 17 does not fit').waitFor();
  mock.desk.whole = true;
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'CSV' }).click()]);
  assert.equal((await (await file.createReadStream()).toArray()).join('').trim().split('\r\n').length, 1 + 10);
}

async function settings({ page }) {
  await page.goto(`${mock.url}/settings`);
  await live(page);
  const dialog = page.getByRole('dialog');
  const part = (name) => page.getByRole('navigation', { name: 'Settings' }).getByRole('link', { name }).click();
  await page.getByRole('button', { name: 'End the session of eve from 192.0.2.9' }).click();
  await page.getByRole('button', { name: /^End the session of eve/ }).waitFor({ state: 'detached' });
  await page.getByLabel('The one you have now').fill(PASSWORD);
  await page.getByLabel('The new one', { exact: true }).fill('too short');
  await page.getByRole('button', { name: 'Change the password' }).click();
  await page.getByText('A password has 12 characters at least.').waitFor();
  assert.equal(await page.getByLabel('The new one', { exact: true }).getAttribute('aria-invalid'), 'true');
  await page.getByLabel('The new one', { exact: true }).fill('twelve or more');
  await page.getByLabel('The new one again').fill('twelve or more');
  await page.getByLabel('The one you have now').fill('wrong');
  await page.getByRole('button', { name: 'Change the password' }).click();
  await page.getByText('This is not your password.').waitFor();
  await page.getByLabel('The one you have now').fill(PASSWORD);
  await page.getByRole('button', { name: 'Change the password' }).click();
  await page.getByText('The password is changed').waitFor();

  await part('Own rigs');
  await page.waitForURL(/part=own/);
  await page.getByLabel('What', { exact: true }).fill(HOSTILE.markup);
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByRole('button', { name: `Remove ${HOSTILE.markup}`, exact: true }).click();
  await page.getByRole('button', { name: `Remove ${HOSTILE.markup}`, exact: true }).waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Undo' }).last().click();
  await page.getByRole('button', { name: `Remove ${HOSTILE.markup}`, exact: true }).waitFor();
  mock.desk.own.pop();

  await part('Accounts');
  await page.getByRole('button', { name: 'Add an account…' }).click();
  await dialog.getByLabel('Name').fill('no name');
  await dialog.getByLabel('Password').fill('short');
  await dialog.getByLabel('Only some').check();
  await dialog.getByRole('button', { name: 'Add the account' }).click();
  for (const why of ['A name is made of', 'A password has 12', 'Choose one site at least.']) await dialog.getByText(why).waitFor();
  assert.deepEqual(await axe(page), []);
  await shot(page, 'account-dialog', false);
  await dialog.getByLabel('Name').fill('mallory');
  await dialog.getByLabel('Password').fill('long enough for it');
  await dialog.getByLabel('Operator').check();
  await dialog.getByLabel('Porto').check();
  await dialog.getByRole('button', { name: 'Add the account' }).click();
  await dialog.waitFor({ state: 'detached' });
  const made = () => mock.desk.users.find((u) => u.name === 'mallory');
  assert.deepEqual([made().role, made().sites], ['operator', ['Porto']]);
  await page.getByRole('button', { name: 'Disable mallory' }).click();
  await page.getByRole('button', { name: 'Enable mallory' }).waitFor();
  await page.getByRole('button', { name: 'Undo' }).last().click();
  await page.getByRole('button', { name: 'Disable mallory' }).waitFor();
  await page.getByRole('button', { name: 'Delete mallory' }).click();
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('button', { name: 'Delete mallory' }).waitFor({ state: 'detached' });

  await part('Tokens');
  await page.getByRole('button', { name: 'Make a token…' }).click();
  await dialog.getByLabel('Name').fill('exporter');
  await dialog.getByLabel('Can be used').selectOption('1 day');
  await dialog.getByRole('button', { name: 'Make the token' }).click();
  await dialog.getByText(/^lamp-x+$/).waitFor();
  assert.deepEqual(await axe(page), []);
  await dialog.getByRole('button', { name: 'Done' }).click();
  await page.getByRole('button', { name: 'Revoke exporter' }).click();
  await dialog.getByRole('button', { name: 'Revoke' }).click();
  await page.getByRole('button', { name: 'Revoke exporter' }).waitFor({ state: 'detached' });

  await part('Notifications');
  await page.getByRole('button', { name: 'Test hook' }).click();
  await page.getByText('hook took the test message.').waitFor();
  await page.getByRole('button', { name: 'Test post' }).click();
  await page.getByText('post did not take it: connection refused').waitFor();
  await page.getByText('1 message was given up after 3 days').waitFor();
  await page.getByRole('button', { name: 'Try again: post' }).click();
  await page.getByText('5 messages are tried again.').waitFor();
  await page.getByRole('button', { name: 'Try again: post' }).waitFor({ state: 'detached' });

  await part('Settings of sensors');
  const states = page.getByRole('table', { name: 'Settings at each sensor' });
  await states.getByRole('row').filter({ hasText: 'porto-1' }).getByText('set on this sensor').waitFor();
  await states.getByRole('row').filter({ hasText: 'rotterdam-1' }).getByText('capture.interval 30').waitFor();
  await states.getByRole('row').filter({ hasText: HOSTILE.markup }).getByText('capture.interval 5').waitFor();
  await page.getByLabel('Site', { exact: true }).last().selectOption('Porto');
  await page.getByLabel('Value, s').fill('301');
  await page.getByRole('button', { name: 'Set', exact: true }).click();
  await page.getByText('This must be a whole number from 1 to 300.').waitFor();
  assert.equal(await page.getByLabel('Value, s').getAttribute('aria-invalid'), 'true');
  await page.getByLabel('Value, s').fill('7');
  await page.getByRole('button', { name: 'Set', exact: true }).click();
  await states.getByRole('row').filter({ hasText: 'porto-1' }).getByText('capture.interval 7').waitFor();
  const kept = () => mock.desk.settings.filter((s) => s.site === 'Porto').map((s) => [s.name, s.value]);
  assert.deepEqual(kept(), [['capture.interval', '7']]);
  await page.getByRole('button', { name: 'Remove capture.interval for Porto' }).click();
  await states.getByRole('row').filter({ hasText: 'porto-1' }).getByText('capture.interval 30').waitFor();
  await page.getByRole('button', { name: 'Undo' }).last().click();
  await states.getByRole('row').filter({ hasText: 'porto-1' }).getByText('capture.interval 7').waitFor();
  await page.getByRole('button', { name: 'Change capture.interval for every site' }).click();
  assert.equal(await page.getByLabel('Value, s').inputValue(), '30');
  await page.getByLabel('Setting', { exact: true }).selectOption('log.level');
  await page.getByLabel('Value', { exact: true }).selectOption('debug');
  await page.getByRole('button', { name: 'Set', exact: true }).click();
  await page.getByRole('button', { name: 'Remove log.level for every site' }).waitFor();
  await page.getByRole('button', { name: 'Undo' }).last().click();
  await page.getByRole('button', { name: 'Remove log.level for every site' }).waitFor({ state: 'detached' });
  assert.deepEqual(kept(), [['capture.interval', '7']]);

  await part('Sites and places');
  const row = page.getByRole('row').filter({ hasText: 'Porto' });
  await row.getByText('0.22').waitFor();
  assert.deepEqual((await row.getByRole('cell').allInnerTexts()).slice(2, 4), ['41.15° N, 8.61° W', '0.22']);
  await page.getByRole('button', { name: 'Change… Porto', exact: true }).click();
  await dialog.getByLabel('A kWh costs').fill('much');
  await dialog.getByLabel('Where it is').fill('the north');
  assert.deepEqual(await axe(page), [], 'the form of a site');
  await dialog.getByRole('button', { name: 'Save' }).click();
  for (const why of ['A price is a number', 'This must be degrees']) await dialog.getByText(why).waitFor();
  await dialog.getByLabel('A kWh costs').fill('0,19');
  await dialog.getByLabel('Where it is').fill('40.5, -8');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await row.getByText('40.50° N, 8.00° W').waitFor();
  await row.getByText('0.19').waitFor();
  await page.getByRole('button', { name: 'Undo' }).last().click();
  await row.getByText('41.15° N, 8.61° W').waitFor();
  await row.getByText('0.22').waitFor();
  /* Half of it saved, then that half taken back: the form knows what the aggregator has by now. */
  await page.getByRole('button', { name: 'Change… Porto', exact: true }).click();
  await dialog.getByLabel('A kWh costs').fill('0.77');
  await dialog.getByLabel('Where it is').fill('+40.500000812345 -8.000000812345');
  await page.route('**/api/v1/settings/site.place*', (route) => route.fulfill({
    status: 400, json: { error: { code: 'invalid', message: 'No such place.', field: 'value' } } }), { times: 1 });
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.getByText('No such place.').waitFor();
  await dialog.getByLabel('A kWh costs').fill('');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await row.getByText('40.50° N, 8.00° W').waitFor();
  assert.ok(!mock.desk.settings.some((s) => s.name === 'site.price'));
  await page.getByRole('button', { name: 'Undo' }).last().click();
  await row.getByText('41.15° N, 8.61° W').waitFor();
  await page.getByRole('button', { name: 'Price everywhere…' }).click();
  await dialog.getByLabel('A kWh costs').fill('0.5');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await page.getByText('A kWh costs 0.5 where nothing else is said.').waitFor();
  assert.ok(mock.desk.settings.some((s) => s.name === 'site.price' && s.site === null && s.value === '0.5'));
  await page.getByText('Places by nobody').waitFor();
  await page.locator('.badge', { hasText: 'old' }).waitFor();
}

/* Where nothing is yet each page says what to do, and the first sensor is two clicks away. */
async function emptyInstall({ page }) {
  const { miners, sensors, blocks, sites, keys } = mock.world;
  Object.assign(mock.world, { miners: [], sensors: [], blocks: [], sites: [], keys: [] });
  await page.goto(mock.url);
  await live(page);
  const link = page.getByRole('link', { name: 'Add the first sensor' });
  await link.waitFor();
  assert.deepEqual(await axe(page), [], 'an empty overview');
  await link.click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Site').fill('Porto');
  await dialog.getByRole('button', { name: 'Make a token' }).click();
  await dialog.getByText('davylamp-sensor enroll TOKEN').waitFor();
  await dialog.getByText('tcp://ADDRESS-OF-THIS-MACHINE:5667').waitFor(); /* the browser came by loopback */
  await dialog.locator('.token').waitFor();
  assert.deepEqual(await axe(page), [], 'what to do at the router');
  await dialog.getByRole('button', { name: 'Done' }).click();
  await dialog.waitFor({ state: 'detached' });
  assert.equal(new URL(page.url()).search, '');
  Object.assign(mock.world, { miners, sensors, blocks, sites, keys });
}

/* A wallet on the owner's list is marked as such wherever it stands; the others are loud. */
async function ownWallets({ page }) {
  const [, mine] = mock.world.miners;
  await page.goto(`${mock.url}/miners/${mine.id}`);
  const facts = page.getByRole('region', { name: 'Facts' });
  await facts.getByRole('listitem').filter({ hasText: mine.wallets[0] }).getByText('own').waitFor();
  await page.goto(`${mock.url}/miners/1`);
  await facts.getByRole('listitem').filter({ hasText: mock.world.miners[0].wallets[0] }).getByText('foreign').waitFor();
  mock.desk.own.push({ ...mock.desk.own[0], id: 77, value: mock.world.miners[0].wallets[0] });
  await page.goto(`${mock.url}/coins`);
  await page.getByRole('table', { name: 'Wallets' }).getByRole('row').filter({ hasText: mock.world.miners[0].wallets[0] }).getByText('own').waitFor();
  mock.desk.own.pop();
}

/* The tile and the list of the overview lead to the alerts, the worst that waits on top. */
async function overviewAlerts({ page }) {
  await page.goto(mock.url);
  await live(page);
  const first = page.getByRole('region', { name: 'What needs you' }).getByRole('listitem').first();
  const waiting = mock.desk.alerts.filter((a) => a.resolved === null && a.acknowledged === null);
  await first.getByText(waiting[0].text, { exact: true }).waitFor();
  const tile = page.locator('.figure').filter({ hasText: `${waiting.length} not acknowledged` });
  assert.equal(await tile.locator('.value').innerText(), String(mock.desk.alerts.filter((a) => a.resolved === null).length));
  await first.getByRole('link').click();
  await page.getByRole('dialog').getByText(waiting[0].text).waitFor();
  await page.goBack();
  await tile.click();
  await page.getByRole('heading', { level: 1, name: 'Alerts' }).waitFor();
}

/* The rows are in the document as the table tells them, and each at its place. */
async function inOrder(page) {
  await page.waitForFunction(() => {
    const rows = [...document.querySelectorAll('[aria-label="Miners"] tbody tr')].map((tr) => ({
      at: Number(tr.ariaRowIndex) - 2, top: parseFloat(tr.style.top), host: tr.querySelector('td').textContent.trim() }));
    const ip = (i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
    return rows.length > 0 && rows.every((r, i) => r.at === rows[0].at + i && r.top === 40 * r.at && r.host === ip(r.at));
  });
}

async function manyMiners({ page }) {
  await page.goto(`${mock.url}/miners`);
  await live(page);
  const before = mock.world.miners;
  mock.world.miners = Array.from({ length: 30000 }, (_, i) => miner(1000 + i, { host: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}` }));
  mock.push('gap', {});
  await page.getByText('30,000 miners').waitFor();
  assert.ok(await page.locator('tbody tr').count() < 60, 'only rows in sight are drawn');
  await page.getByRole('button', { name: 'Host' }).click();
  const region = page.getByRole('region', { name: 'Miners: rows' });
  await region.evaluate((e) => { e.scrollTop = e.scrollHeight; });
  await page.getByText('10.0.117.47', { exact: true }).waitFor();
  await inOrder(page);
  /* By small steps elements of rows that leave are used again: each shows what belongs at its place. */
  await region.evaluate((e) => new Promise((done) => {
    let left = 60;
    const step = () => {
      e.scrollTop -= 130;
      left -= 1;
      if (left > 0) requestAnimationFrame(step);
      else done();
    };
    step();
  }));
  await inOrder(page);
  /* A row that has the focus keeps its element, wherever the table is moved. */
  const link = page.locator('tbody tr').nth(20).getByRole('link').first();
  const text = await link.innerText();
  await link.focus();
  for (const by of [130, 130, -390]) await region.evaluate((e, d) => { e.scrollTop += d; }, by);
  await inOrder(page);
  assert.equal(await page.evaluate(() => document.activeElement.textContent.trim()), text);
  mock.world.miners = before;
}

async function reconnects({ page }) {
  await page.goto(`${mock.url}/sensors`);
  await live(page);
  mock.world.sensors[0].version = '9.9.9';
  mock.cut();
  await page.getByText('9.9.9').waitFor();
  await live(page);
}

/* A connection that dies without a word leaves the stream "open": the page finds out by asking. */
async function deadStream(browser) {
  const tab = await openTab(browser, (t) => t.clock.install());
  await live(tab);
  await tab.route('**/api/v1/status', (route) => route.abort());
  await tab.clock.fastForward(61_000);
  await tab.getByRole('alert').getByText('does not answer').waitFor();
  assert.equal(await tab.locator('header .link.live').count(), 0);
  await tab.unroute('**/api/v1/status');
  await tab.clock.fastForward(61_000);
  await live(tab);
  assert.equal(await tab.getByRole('alert').count(), 0);
  await tab.close();
}

async function oneStream(browser) {
  const { page, context } = browser;
  await page.goto(mock.url);
  await live(page);
  for (let i = 0; i < 8; i += 1) {
    await live(await openTab(browser));
  }
  await streams(1, 'all tabs share one event stream');
  for (const tab of context.pages().slice(1)) await tab.close();
}

async function hardware({ page }) {
  await page.goto(`${mock.url}/miners/1`);
  const devices = page.getByRole('region', { name: 'Devices', exact: true });
  const power = page.getByRole('region', { name: 'Power and cost' });
  await devices.getByText('AMD Ryzen 7 5700G').waitFor();
  for (const [panel, parts] of [[devices, ['99.6 % processors', '<img src=x']], [power, ['95.0 W', '66.5–133', '2.28 kWh', '0.68']]]) {
    const text = await panel.innerText();
    for (const part of parts) assert.ok(text.includes(part), `${part} in ${text}`);
  }
  await page.getByText('user\\u202egnp.exe\\u0007\\u200bx, JA4 t13d1516h2_8daaf6152771_02713d6af862', { exact: true }).waitFor();
  await page.goto(`${mock.url}/miners/4`);
  await devices.getByText('No estimate yet').waitFor();
  await power.getByText('No estimate yet').waitFor();
}

async function whereServersAre({ page }) {
  await page.goto(`${mock.url}/miners/1`);
  const panel = page.getByRole('region', { name: 'Where its servers are' });
  await panel.getByText('pool-a.example.net').first().waitFor();
  assert.match(await panel.innerText(), /AS64500/);
  assert.match(await panel.innerText(), /<img src=x/);
  assert.match(await panel.innerText(), /Places by nobody/);
}

/* A page may get hold of a worker that ends with the page before it: nobody tells it. */
async function deafWorker(browser) {
  const { page } = browser;
  await page.goto(mock.url);
  await live(page);
  for (const [deaf, count, why] of [[1, 1, 'the next worker answers'], [99, 2, 'no worker answers']]) {
    const tab = await openTab(browser, async (t) => {
      await t.clock.install();
      await t.addInitScript((n) => {
        const Real = window.SharedWorker;
        let made = 0;
        window.SharedWorker = function SharedWorker(url, options) {
          made += 1;
          return made > n ? new Real(url, options) : { port: new MessageChannel().port1 };
        };
      }, deaf);
    });
    await tab.locator('header .link.connecting').waitFor();
    await tab.clock.runFor(20_000);
    await live(tab);
    await streams(count, why);
    await tab.close();
    await streams(1, 'the tab is gone');
  }
}

/* The worker's process dies while pages are open: they notice within a minute. */
async function killedWorker(browser) {
  const { page, context } = browser;
  await page.goto('about:blank');
  const tab = await openTab(browser, (t) => t.clock.install());
  await live(tab);
  const session = await context.newCDPSession(tab);
  const { targetInfos } = await session.send('Target.getTargets', { filter: [{ type: 'shared_worker' }] });
  assert.equal(targetInfos.length, 1);
  await session.send('Target.closeTarget', { targetId: targetInfos[0].targetId });
  await streams(0, 'the worker is gone');
  mock.world.sensors[0].version = '9.9.10';
  await tab.clock.runFor(70_000);
  await live(tab);
  await tab.getByRole('link', { name: 'Sensors' }).first().click();
  await tab.getByText('9.9.10').waitFor();
  await tab.close();
}

/* The script of the first page, as it is sent: what is loaded later, such as the map, comes on top. */
async function firstPage() {
  const html = readFileSync(join(dist, 'index.html'), 'utf8');
  const scripts = [...html.matchAll(/(?:src|href)="(\/[^"]+\.js)"/g)].map((m) => m[1]);
  const sizes = scripts.map((s) => gzipSync(readFileSync(join(dist, s)), { level: 9 }).length);
  const sum = sizes.reduce((a, b) => a + b, 0);
  assert.ok(scripts.length > 0 && sum <= 120 * 1024, `${sum} bytes of script`);
  console.log(`first page: ${(sum / 1024).toFixed(1)} KiB of script, gzip`);
}

async function keyboard({ page }) {
  await page.goto(mock.url);
  await live(page);
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the content');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  await page.keyboard.press('g');
  await page.keyboard.press('m');
  await page.getByRole('heading', { name: 'Miners', level: 1 }).waitFor();
  await page.keyboard.press('/');
  assert.equal(await page.evaluate(() => document.activeElement.type), 'search');
  await page.keyboard.type('gu');
  await page.waitForURL(/q=gu/);
  await page.getByRole('heading', { name: 'Miners', level: 1 }).click();
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
  await shot(page, 'shortcuts', false);
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
}

/* UTC and local time, in tables and kept over a reload. */
async function utc({ page }) {
  await page.goto(`${mock.url}/sensors`);
  const cell = page.getByRole('table', { name: 'Gaps' }).locator('time').first();
  await cell.waitFor();
  const local = await cell.innerText();
  await page.getByRole('button', { name: /time, switch/ }).click();
  await page.reload();
  await page.waitForFunction(() => document.querySelector('table[aria-label="Gaps"] time')?.innerText.endsWith('Z'));
  assert.equal(await cell.innerText(), `${new Date(await cell.getAttribute('datetime')).toISOString().slice(0, 19).replace('T', ' ')}Z`);
  await page.getByRole('button', { name: /time, switch/ }).click();
  assert.equal(await cell.innerText(), local);
}

/* Range and site are in the address, go along from page to page, and come back with the back button. */
async function rangeAndSite({ page }) {
  await page.goto(`${mock.url}/coins?range=24h&site=Porto`);
  await page.getByRole('button', { name: '24 h' }).and(page.locator('[aria-pressed="true"]')).waitFor();
  await page.getByRole('link', { name: 'Overview', exact: true }).click();
  await page.waitForURL(/\/\?site=Porto&range=24h$/);
  await page.getByText('in the last 24 hours').waitFor();
  await page.goBack();
  await page.getByRole('heading', { name: 'Coins and wallets', level: 1 }).waitFor();
  assert.match(page.url(), /range=24h/);
}

async function lostPages({ page }) {
  await page.goto(`${mock.url}/no/such`);
  await page.getByRole('heading', { name: 'There is no such page' }).waitFor();
  await page.goto(`${mock.url}/miners/999`);
  await page.getByRole('heading', { name: 'There is no miner 999' }).waitFor();
  await page.getByRole('link', { name: 'See the miners' }).click();
  await page.getByRole('heading', { name: 'Miners', level: 1 }).waitFor();
  await page.goBack();
  await page.getByRole('heading', { name: 'There is no miner 999' }).waitFor();
}

async function logout({ page }) {
  await page.goto(mock.url);
  await live(page);
  await page.locator('summary').filter({ hasText: 'admin' }).click();
  await shot(page, 'menu', false);
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByLabel('User').waitFor();
  await login(page, 'admin', PASSWORD);
}

const browser = await browse(chromium, mock.url);
const parts = [
  loginPage, (b) => everyPage(b, 'light'), (b) => everyPage(b, 'dark'), everyWidth, hostileText, theme, filterAndSort,
  minerArrives, blockByKeyboard, blockForm, pools, captures, alerts, policies, usual, tracking, samples, auditLog, settings, emptyInstall, ownWallets, overviewAlerts, manyMiners, reconnects, deadStream, oneStream, deafWorker,
  killedWorker, firstPage, keyboard, utc, rangeAndSite, hardware, whereServersAre, lostPages, logout,
];
const only = process.env.LAMP_WEB_ONLY;
try {
  if (only) {
    await browser.page.goto(mock.url);
    await login(browser.page, 'admin', PASSWORD);
  }
  for (const part of parts) {
    if (only && part.name !== only) continue;
    await part(browser);
    assert.deepEqual(browser.faults, [], `after ${part.name || 'pages'}`);
    console.log(`ok ${part.name || 'every page'}`);
  }
} catch (error) {
  await shot(browser.page, 'failed').catch(() => {});
  console.error(`failed at ${browser.page.url()}`);
  throw error;
} finally {
  await browser.close();
  mock.close();
}
