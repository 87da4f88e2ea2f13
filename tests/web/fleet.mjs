// SPDX-License-Identifier: Apache-2.0
// The browser's part of fleet.sh: every page of the dashboard of a real aggregator against what its API
// says, without an accessibility violation; and 300 hostile strings as text.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { PATIENCE_MS, axe, browse, environment, login } from './browser.mjs';
import { HOSTILE } from './hostile.mjs';

const { chromium, screenshots } = environment();
const url = process.env.LAMP_FLEET_URL;
const WIDE = { width: 1440, height: 900 };
mkdirSync(screenshots, { recursive: true });
const browser = await browse(chromium, url, { viewport: WIDE });
const { page } = browser;
const shot = (name) => page.screenshot({ path: join(screenshots, `fleet-${name}.png`), fullPage: true });

/** What the API says to the program, with a token of its own. */
async function api(path) {
  const answer = await fetch(`${url}/api/v1${path}`, { headers: { Authorization: `Bearer ${process.env.LAMP_FLEET_TOKEN}` } });
  assert.equal(answer.status, 200, path);
  return answer.json();
}
async function open(path, heading) {
  await page.goto(url + path);
  await page.getByRole('heading', { level: 1, name: heading }).waitFor();
  await page.locator('header .link.live').waitFor();
}
const figure = (label) => page.locator('.figure').filter({ hasText: label }).locator('.value');
const region = (name) => page.getByRole('region', { name, exact: true });
const tableOf = (name) => page.getByRole('table', { name, exact: true });
const atWork = (m) => !['ended', 'dismissed', 'blocked'].includes(m.state);
const sum = (list, of) => list.reduce((s, x) => s + of(x), 0);
/** "1.23 kW" and "14 min ago" as numbers are read off a page: digits and a prefix. */
const PREFIX = { '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15 };
function readOff(text) {
  const [, digits, prefix] = /([\d.,]+)\s*([kMGTP]?)/.exec(text) ?? [];
  return Number(digits.replaceAll(',', '')) * PREFIX[prefix];
}
const close = (shown, value, what) =>
  assert.ok(Math.abs(readOff(shown) - value) <= Math.abs(value) * 0.006 + 0.006, `${what}: ${shown} against ${value}`);

/* The fleet goes on while the page and the API are read: they have to agree at some moment soon. */
async function eventually(check) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((r) => { setTimeout(r, 300); });
    }
  }
}

async function overview() {
  await open('/', 'Overview');
  await eventually(overviewFigures);
  const [{ miners }, { sites }] = await Promise.all(['/miners?limit=1000', '/sites'].map(api));
  const changed = region('What changed').first();
  const over = miners.filter((x) => x.state === 'ended' && x.site !== 'hostile');
  assert.ok(over.length > 0);
  await changed.getByRole('button', { name: /more/ }).click();
  for (const m of over) {
    await changed.getByRole('listitem').filter({ hasText: 'Mining ended' }).getByText(m.host, { exact: true }).first().waitFor();
  }
  const { sources } = await api('/geo');
  if (sources.length > 0) {
    await page.locator('svg .land').waitFor();
    assert.equal(await page.locator('svg .site').count(), sites.filter((s) => s.latitude !== null).length, 'sites on the map');
    assert.ok(await page.locator('svg path.arc').count() >= 5, 'arcs from sites to pools');
  }
  await shot('overview');
  await page.locator('main .pick select').selectOption('oslo');
  await page.waitForURL(/site=oslo/);
  const count = miners.filter((m) => m.site === 'oslo' && m.state === 'confirmed').length;
  await figure('Confirmed').getByText(String(count), { exact: true }).waitFor();
  await figure('Confirmed').click();
  await page.waitForURL(/\/miners\?site=oslo&state=confirmed/);
  await page.getByRole('heading', { level: 1, name: 'Miners' }).waitFor();
  await page.goBack();
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
}

async function overviewFigures() {
  const [status, { total }, { sensors }] = await Promise.all(['/status', '/estimates?by=site', '/sensors'].map(api));
  for (const [label, key] of [['Confirmed', 'confirmed'], ['Probable', 'probable'], ['Suspected', 'suspected'], ['Blocked', 'blocked']]) {
    close(await figure(label).innerText(), status.miners[key], label);
  }
  assert.equal(await figure('Sensors up').innerText(), `${sensors.filter((s) => s.online).length} / ${sensors.length}`);
  assert.ok(total.watts && total.hashrates.length >= 3, 'miners of two sites are at work');
  close(await figure('Power').innerText(), total.watts.value, 'power');
  close(await figure('Cost a day').innerText(), total.cost_per_day.value, 'cost');
  for (const { algorithm, miners, value } of total.hashrates.filter((h) => h.algorithm !== null)) {
    const row = tableOf('Hash rate by algorithm').getByRole('row').filter({ hasText: algorithm }).first();
    assert.equal(await row.getByRole('cell').nth(1).innerText(), String(miners));
    close(await row.getByRole('cell').nth(2).innerText(), value, algorithm);
  }
}

async function miner() {
  const { miners } = await api('/miners?site=oslo');
  const { id, host } = miners.find((m) => m.coins.includes('XMR'));
  let m;
  await eventually(async () => {
    await open(`/miners/${id}`, host);
    const power = region('Power and cost');
    await power.locator('strong').first().waitFor();
    m = await api(`/miners/${id}`);
    for (const [i, { model, probability }] of m.devices.models.entries()) {
      const row = tableOf('Likely devices').getByRole('row').nth(i + 1);
      assert.ok((await row.innerText()).includes(model), model);
      close(await row.locator('td .number').innerText(), 100 * probability, model);
    }
    close(await power.locator('strong').first().innerText(), m.power.watts.value, 'watts');
    close(await power.locator('strong').last().innerText(), m.power.cost_per_day.value, 'cost');
  });
  for (const [name, label, of] of [
    ['Hash rate', 'Hash rate minute by minute: figures', (x) => x.hashrate?.value],
    ['Bandwidth', 'Bandwidth minute by minute: figures', (x) => x.bytes.up * 8 / 60],
  ]) {
    const panel = region(name);
    await panel.getByText('Figures as a table').click();
    const rows = await region(label).getByRole('row').allInnerTexts();
    const shown = rows.slice(3).map((r) => r.split('\t')[1]).filter((t) => t !== '–').length;
    assert.ok(shown > 20, `${name}: ${shown} points`);
    const middle = m.minutes.at(-12);
    const at = await page.evaluate((t) => { const d = new Date(t * 1000); return `${String(d.getHours()).padStart(2, '0')}:${String(d.getMinutes()).padStart(2, '0')}:00`; }, middle.t);
    const row = rows.find((r) => r.includes(` ${at}`));
    assert.ok(row, `${name}: a row of ${at}`);
    if (of(middle) !== undefined) close(row.split('\t')[1], of(middle), `${name} at ${at}`);
  }
  const servers = region('Where its servers are');
  await servers.getByRole('listitem').getByText(m.connection_list[0].server.ip).first().waitFor();
  await shot('miner');

  await page.getByRole('button', { name: 'Sanction…' }).click();
  await page.getByRole('dialog').getByLabel('Reason').fill('agreed with the lab');
  await page.getByRole('dialog').getByRole('button', { name: 'Sanction', exact: true }).click();
  await page.getByRole('heading', { level: 1 }).getByText('sanctioned').waitFor();
  assert.deepEqual((await api(`/miners/${id}`)).mark.reason, 'agreed with the lab');
  await page.getByRole('button', { name: 'Undo “sanctioned”' }).click();
  await page.getByRole('button', { name: 'Dismiss…' }).waitFor();
  assert.equal((await api(`/miners/${id}`)).mark, null);

  await page.getByRole('button', { name: 'Block…' }).click();
  const preview = region('What this would drop');
  await preview.getByText('10.21.0.2').first().waitFor();
  await preview.getByText(/other traffic/i).waitFor();
  await page.getByLabel('The whole address').check();
  await preview.getByText('of other traffic').waitFor();
  const { total } = await api(`/traffic?remote=${m.pools[0].split(':')[0]}&site=oslo&from=${Math.floor(Date.now() / 1000) - 7 * 86400 + 60}`);
  close(await preview.locator('.loud').innerText(), total.bytes.in + total.bytes.out, 'what else would be dropped');
  await page.getByRole('dialog').getByRole('button', { name: 'Block', exact: true }).click();
  await page.getByRole('heading', { level: 1 }).getByText('blocked').waitFor();
  const { blocks } = await api('/blocks');
  assert.equal(blocks[0].target, m.pools[0].split(':')[0]);
  await region(`Block of ${blocks[0].target}`).getByRole('button', { name: /Unblock/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Unblock' }).click();
  await region(`Block of ${blocks[0].target}`).waitFor({ state: 'detached' });
}

/* Longer than the captures, so that nothing falls out at the old end. */
const SINCE_S = 6 * 3600;
const since = () => Math.floor(Date.now() / 1000) - SINCE_S + 60;

async function coins() {
  for (const by of ['site', 'host', 'pool', 'platform']) await eventually(() => coinsBy(by));
  await eventually(coinSums);
  await eventually(walletRows);
  await tableOf('Wallets').getByText('foreign').first().waitFor();
}

async function walletRows() {
  await open('/coins?range=6h', 'Coins and wallets');
  await tableOf('Wallets').getByRole('row').nth(1).waitFor();
  const { coins: rows } = await api(`/coins?by=wallet&limit=1000&from=${since()}`);
  assert.equal(await tableOf('Wallets').getAttribute('aria-rowcount'), String(1 + rows.filter((r) => r.of !== null).length));
}

/* Opened anew for each look: the page asks again only now and then. */
async function coinsBy(by) {
  await open('/coins?range=6h', 'Coins and wallets');
  await page.getByRole('group', { name: 'Told apart by' }).getByRole('button', { name: by, exact: false }).click();
  const table = tableOf(`Coins by ${by}`);
  await table.waitFor();
  const { coins: [largest] } = await api(`/coins?by=${by}&from=${since()}`);
  const row = table.getByRole('row').filter({ hasText: largest.of ?? 'none known' }).filter({ hasText: largest.coin ?? '–' }).first();
  await row.waitFor();
  close(await row.getByRole('cell').nth(by === 'host' ? 3 : 2).innerText(), largest.bytes.mining, `${largest.coin} by ${by}`);
}

async function coinSums() {
  await open('/coins?range=6h', 'Coins and wallets');
  const table = region('Coins').getByRole('table');
  await table.getByRole('row').filter({ hasText: 'XMR' }).waitFor();
  const { coins: rows } = await api(`/coins?from=${since()}`);
  for (const coin of ['XMR', 'BTC', 'ETC']) {
    const row = table.getByRole('row').filter({ hasText: coin });
    close(await row.getByRole('cell').first().innerText(), sum(rows.filter((r) => r.coin === coin), (r) => r.bytes.mining), coin);
  }
}

async function minersTable() {
  await open('/miners?site=pune&sort=-rate', 'Miners');
  const { miners } = await api('/miners?site=pune');
  const want = [...miners].sort((a, b) => (b.hashrate?.value ?? 0) - (a.hashrate?.value ?? 0)).map((m) => m.host);
  await page.getByRole('link', { name: want[0], exact: true }).waitFor();
  assert.deepEqual(await page.locator('tbody tr td:first-child').allInnerTexts(), want);
  await page.getByRole('button', { name: 'Save view…' }).click();
  await page.getByRole('dialog').getByLabel('Name').fill('Pune first');
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
  await page.goto(`${url}/miners`);
  await page.getByLabel('Saved views').selectOption('Pune first');
  await page.waitForURL(/site=pune/);
  await page.getByRole('link', { name: want[0], exact: true }).waitFor();
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'CSV' }).click()]);
  const text = (await (await file.createReadStream()).toArray()).join('');
  const lines = text.trim().split('\r\n');
  assert.deepEqual(lines.slice(1).map((l) => l.split(',')[2]), want, 'the file has what is shown, in its order');
}

async function sensors() {
  await open('/sensors', 'Sensors');
  await eventually(async () => {
    for (const s of (await api('/sensors')).sensors) {
      const row = tableOf('Sensors').getByRole('row').filter({ hasText: s.id });
      assert.match(await row.locator('.badge').first().innerText(), s.online ? /up/ : /late|down/, s.id);
    }
  });
  const { pending: [stranger] } = await api('/keys');
  const enrolment = region('Enrolment');
  await enrolment.getByText(stranger.fingerprint).waitFor();
  await enrolment.getByText('<b>annex</b>').first().waitFor();
  await shot('sensors');
  await enrolment.getByRole('button', { name: /Let in/ }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText(stranger.fingerprint).waitFor();
  await dialog.getByLabel('Site').fill('oslo');
  await dialog.getByLabel('Name').fill('router-annex');
  await dialog.getByRole('button', { name: 'Let it in' }).click();
  await dialog.getByText('Compare the fingerprints first.').waitFor();
  await dialog.getByLabel('The fingerprints are the same').check();
  await dialog.getByRole('button', { name: 'Let it in' }).click();
  await dialog.waitFor({ state: 'detached' });
  const keys = page.getByRole('table', { name: 'Keys' });
  await keys.getByRole('row').filter({ hasText: stranger.fingerprint }).getByText('router-annex').waitFor();
  await page.getByRole('button', { name: 'Revoke the key of router-annex' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  assert.equal((await api('/keys')).keys.find((k) => k.sensor === 'router-annex').state, 'revoked');
  await page.getByRole('button', { name: 'Add a sensor…' }).click();
  await dialog.getByLabel('Site').fill('lima');
  await dialog.getByRole('button', { name: 'Make a token' }).click();
  await dialog.getByText(/^lamp1-/).waitFor();
  await dialog.getByRole('button', { name: 'Done' }).click();
  await enrolment.getByText('Tokens that can still be used').waitFor();
}

async function blocks() {
  await open('/blocks', 'Block list');
  await region('Never blocked').first().getByText('203.0.113.254').waitFor();
  await page.getByRole('button', { name: 'Hold the block list of lima' }).click();
  await page.getByRole('button', { name: 'Release the block list of lima' }).waitFor();
  assert.equal((await api('/sites')).sites.find((s) => s.site === 'lima').held.by, 'admin');
  await page.getByRole('button', { name: 'Release the block list of lima' }).click();
  await page.getByRole('button', { name: 'Hold the block list of lima' }).waitFor();
  await page.getByRole('button', { name: 'Add a block…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Address or prefix').fill('93.184.64.0/18');
  await dialog.getByLabel('Reason').fill('<i>wide</i>');
  await dialog.getByRole('button', { name: 'Add the block' }).click();
  await dialog.waitFor({ state: 'detached' });
  const waiting = region('Waiting for a second person');
  await waiting.getByText('<i>wide</i>').waitFor();
  assert.ok(await waiting.getByRole('button', { name: /Approve/ }).isDisabled(), 'nobody approves what they entered');
  await shot('blocks');
  await waiting.getByRole('button', { name: /Refuse/ }).click();
  await waiting.waitFor({ state: 'detached' });
  const { audit } = await api('/audit');
  const history = page.getByRole('table', { name: 'History' });
  await history.getByRole('row').filter({ hasText: audit[0].action }).first().waitFor();
}

const navigation = page.getByRole('navigation', { name: 'Pages' });

async function alerts() {
  await open('/alerts', 'Alerts');
  const table = tableOf('Alerts');
  await eventually(async () => {
    const { alerts: list, unacknowledged } = await api('/alerts?open=1&limit=1000');
    assert.ok(list.length > 0);
    assert.equal(await table.getAttribute('aria-rowcount'), String(1 + list.length));
    assert.ok((await navigation.getByRole('link', { name: /^Alerts/ }).innerText()).endsWith(String(unacknowledged)));
  });
  await page.getByLabel('Kind').selectOption('miner-confirmed');
  await page.waitForURL(/kind=miner-confirmed/);
  const { alerts: list } = await api('/alerts?limit=1000');
  const mine = list.find((a) => a.kind === 'miner-confirmed' && a.resolved === null && a.site === 'oslo');
  await page.locator('main .pick select').selectOption('oslo');
  await page.getByRole('button', { name: `Acknowledge: ${mine.text}`, exact: true }).click();
  await table.getByRole('row').filter({ hasText: mine.text }).getByText('admin', { exact: true }).waitFor();
  assert.equal((await api('/alerts?limit=1000')).alerts.find((a) => a.id === mine.id).acknowledged_by, 'admin');
  await shot('alerts');
  await table.getByRole('button', { name: mine.text, exact: true }).click();
  await page.getByRole('dialog').getByRole('link', { name: 'Show the miner' }).click();
  await page.waitForURL(new RegExp(`/miners/${mine.miner}`));
}

/* A policy in dry run notes the miners at work; nothing of it reaches the block list. */
async function policies() {
  await open('/policies', 'Policies');
  await page.getByRole('button', { name: 'Add a policy…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('<b>all</b> of it');
  await dialog.getByLabel('The server, at its port').check();
  await dialog.getByRole('button', { name: 'Add in dry run' }).click();
  const item = page.getByRole('listitem').filter({ hasText: '<b>all</b> of it' });
  await item.getByRole('button', { name: 'Dry run', pressed: true }).waitFor();
  const { policies: [policy] } = await api('/policies');
  assert.deepEqual([policy.mode, policy.block, policy.lease], ['dry-run', 'server', 3600]);
  const before = (await api('/blocks')).blocks.length;
  await item.getByRole('button', { name: /^What it fits/ }).click();
  await eventually(async () => {
    const { hits } = await api(`/policies/${policy.id}/dry-run`);
    assert.ok(hits.length > 0, 'a miner at work fits it');
    assert.equal(await tableOf('What it fits').getAttribute('aria-rowcount'), String(1 + hits.length));
    await tableOf('What it fits').getByText(hits[0].outcome, { exact: true }).first().waitFor({ timeout: 1000 });
  });
  assert.equal((await api('/blocks')).blocks.length, before);
  await shot('policies');
  await item.getByRole('button', { name: 'Off', exact: true }).click();
  await item.getByRole('button', { name: 'Off', pressed: true }).waitFor();
  assert.equal((await api('/policies')).policies[0].mode, 'off');
  await item.getByRole('button', { name: /^Delete/ }).click();
  await item.waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Undo' }).last().click();
  await item.getByRole('button', { name: 'Off', pressed: true }).waitFor();
  assert.equal((await api('/policies')).policies[0].name, policy.name);
}

async function auditLog() {
  await open('/audit', 'Audit');
  await eventually(async () => {
    const { audit } = await api('/audit?limit=500');
    assert.ok(audit.length > 0);
    assert.deepEqual(await tableOf('Audit').getByRole('row').nth(1).getByRole('cell').allInnerTexts().then((t) => [t[0], t[2], t[3]]),
      [String(audit[0].no), audit[0].actor, audit[0].action]);
    await page.getByText(`${audit.length} entries`, { exact: true }).waitFor({ timeout: 1000 });
  });
  await page.getByRole('button', { name: 'Check the log' }).click();
  await page.getByText('the log is whole').waitFor();
  assert.equal((await api('/audit/check')).whole, true);
  await shot('audit');
}

/* An account and a token that hold at once, a wallet of ours, and the facts of the configuration file. */
async function settings() {
  const dialog = page.getByRole('dialog');
  await open('/settings?part=accounts', 'Settings');
  await page.getByRole('button', { name: 'Add an account…' }).click();
  await dialog.getByLabel('Name').fill('web.viewer');
  await dialog.getByLabel('Password').fill('of no use to anybody');
  await dialog.getByRole('button', { name: 'Add the account' }).click();
  await tableOf('Accounts').getByRole('row').filter({ hasText: 'web.viewer' }).getByText('active').waitFor();
  await page.getByRole('button', { name: 'Disable web.viewer' }).click();
  await page.getByRole('button', { name: 'Enable web.viewer' }).waitFor();
  assert.equal((await api('/users')).users.find((u) => u.name === 'web.viewer').disabled, true);
  await shot('settings-accounts');

  await open('/settings?part=tokens', 'Settings');
  await page.getByRole('button', { name: 'Make a token…' }).click();
  await dialog.getByLabel('Name').fill('web-reader');
  await dialog.getByRole('button', { name: 'Make the token' }).click();
  const token = await dialog.locator('.token').innerText();
  const ask = () => fetch(`${url}/api/v1/status`, { headers: { Authorization: `Bearer ${token}` } });
  assert.equal((await ask()).status, 200);
  await dialog.getByRole('button', { name: 'Done' }).click();
  await page.getByRole('button', { name: 'Revoke web-reader' }).click();
  await dialog.getByRole('button', { name: 'Revoke' }).click();
  await page.getByRole('button', { name: 'Revoke web-reader' }).waitFor({ state: 'detached' });
  assert.equal((await ask()).status, 401);

  const { miners } = await api('/miners?site=oslo');
  const [wallet] = miners.find((m) => m.coins.includes('XMR') && m.wallets.length > 0).wallets;
  await open('/settings?part=own', 'Settings');
  await page.getByLabel('What', { exact: true }).fill(wallet);
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await tableOf('Own rigs').getByText(wallet, { exact: true }).waitFor();
  assert.deepEqual((await api('/own')).own.map((o) => o.value), [wallet]);
  await open('/coins?range=6h', 'Coins and wallets');
  await tableOf('Wallets').getByRole('row').filter({ hasText: wallet }).getByText('own', { exact: false }).waitFor();

  await open('/settings?part=places', 'Settings');
  for (const s of (await api('/sites')).sites) {
    const row = tableOf('Sites').getByRole('row').filter({ hasText: s.site });
    assert.equal(await row.getByRole('cell').nth(3).innerText(), String(s.price));
  }
  await page.getByRole('button', { name: 'Price everywhere…' }).click();
  await page.getByRole('dialog').getByLabel('A kWh costs').fill('2');
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
  await page.getByText('A kWh costs 2 where nothing else is said.').waitFor();
  assert.ok((await api('/sites')).sites.every((s) => s.price === 2));
  const { watts, cost_per_day: cost } = (await api('/estimates')).total;
  assert.ok(Math.abs(cost.value / (watts.value * 0.048) - 1) < 0.01, `${cost.value} for ${watts.value} W`);
  await page.getByRole('button', { name: 'Undo' }).last().click();
  await page.getByText('A kWh costs 2 where nothing else is said.').waitFor({ state: 'detached' });
  await open('/settings', 'Settings');
  await tableOf('Open sessions').getByText('this one').waitFor();
}

/** Every string is on some page, as text; none became an element or ran. */
async function hostileText() {
  const { miners } = await api('/miners?site=hostile&limit=1000');
  let found = 0;
  const said = new Set();
  for (const m of miners) for (const text of [...m.wallets, ...m.workers, ...m.agents]) said.add(text);
  for (let i = 0; i < HOSTILE.length; i += 1) if ([...said].some((text) => text.includes(`h${i}`) || text.includes(`H${i}`))) found += 1;
  assert.ok(found >= 270, `${found} of 300 strings came through packets`);
  const shown = new Set();
  for (const m of miners) {
    await page.evaluate((path) => { const a = document.createElement('a'); a.href = path; document.querySelector('main').append(a); a.click(); }, `/miners/${m.id}`);
    await page.getByRole('heading', { level: 1 }).getByText(m.host, { exact: true }).waitFor();
    await page.locator('.facts dl').waitFor();
    const text = await page.locator('.facts').innerText();
    for (const t of [...m.wallets, ...m.workers, ...m.agents]) if (text.includes(visible(t).trim())) shown.add(t);
    assert.equal(await page.locator('main').locator('img, script, iframe, object, embed, form, base, link, meta, video, math, marquee').count(), 0);
  }
  const missing = [...said].filter((t) => !shown.has(t));
  assert.deepEqual(missing, [], 'every text is shown as it came');
  for (const path of ['/', '/miners?q=h1', '/coins?range=6h', '/sensors', '/blocks', '/alerts', '/policies', '/audit']) {
    await open(path, /./);
    assert.equal(await page.evaluate(() => document.documentElement.dataset.owned), undefined, path);
  }
  console.log(`ok ${found} of 300 strings came through packets, ${shown.size} texts shown`);
}
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;
const visible = (text) => text.replace(UNSEEN, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);

/* In dark; web.pages looks at made-up pages in both. */
async function accessible() {
  const { miners } = await api('/miners?site=lima');
  await page.emulateMedia({ colorScheme: 'dark' });
  for (const path of ['/', '/miners', `/miners/${miners[0].id}`, '/coins', '/blocks', '/sensors', '/alerts', '/policies', '/audit', '/settings?part=accounts']) {
    await open(path, /./);
    await page.waitForFunction(() => !document.querySelector('main')?.innerText.includes('Loading…'));
    assert.deepEqual(await axe(page), [], path);
  }
  await page.emulateMedia({ colorScheme: 'light' });
}

const parts = [overview, miner, coins, minersTable, sensors, blocks, alerts, policies, settings, auditLog, accessible, hostileText];
try {
  await page.goto(url);
  await login(page, 'admin', process.env.LAMP_FLEET_PASSWORD);
  for (const part of parts) {
    if (process.env.LAMP_WEB_ONLY && part.name !== process.env.LAMP_WEB_ONLY) continue;
    const began = Date.now();
    await part();
    assert.deepEqual(browser.faults, [], `after ${part.name}`);
    console.log(`ok ${part.name} (${Date.now() - began} ms)`);
  }
} catch (error) {
  await shot('failed').catch(() => {});
  console.error(`failed at ${page.url()}; faults: ${JSON.stringify(browser.faults)}`);
  throw error;
} finally {
  await browser.close();
}
