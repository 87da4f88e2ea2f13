// SPDX-License-Identifier: Apache-2.0
// The browser's part of webloop.sh. Prints "ready" when a miner may start to mine.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { browse, environment, login } from './browser.mjs';

const { chromium, screenshots } = environment();
const url = process.env.LAMP_LOOP_URL;
const host = process.env.LAMP_LOOP_HOST;
const pool = process.env.LAMP_LOOP_POOL;
mkdirSync(screenshots, { recursive: true });
const browser = await browse(chromium, url);
const { page } = browser;
const shot = (name) => page.screenshot({ path: join(screenshots, `loop-${name}.png`), fullPage: true });

try {
  await page.goto(url);
  await login(page, 'admin', process.env.LAMP_LOOP_PASSWORD);
  await page.locator('.u-over').first().waitFor();
  console.log('ok news of sensors that were there before the page');
  await page.getByRole('link', { name: 'Miners', exact: true }).click();
  await page.locator('header .link.live').waitFor();
  await page.getByText('No mining seen').waitFor();
  await page.evaluate(() => { window.loadedOnce = true; });
  console.log('ok logged in, no miner');
  console.log('ready');

  const link = page.getByRole('link', { name: host, exact: true });
  await link.waitFor();
  assert.equal(await page.evaluate(() => window.loadedOnce), true);
  await page.getByRole('row').filter({ hasText: host }).getByText('office').waitFor();
  await page.getByRole('row').filter({ hasText: host }).locator('.rate .value').waitFor();
  await shot('arrived');
  console.log('ok the miner arrived without a reload');

  await link.click();
  await page.getByText(process.env.LAMP_LOOP_WALLET).first().waitFor();
  await page.getByRole('button', { name: 'Block…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('At every site').check();
  await dialog.getByRole('button', { name: 'Block', exact: true }).click();
  const block = page.getByRole('region', { name: `Block of ${pool}` });
  await block.getByText('applied').nth(1).waitFor();
  await page.getByRole('heading', { level: 1 }).getByText('blocked').waitFor();
  assert.equal(await page.evaluate(() => window.loadedOnce), true);
  await shot('blocked');
  console.log('ok the block is applied at both sensors');

  await block.getByRole('button', { name: 'Unblock' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Unblock' }).click();
  await block.waitFor({ state: 'detached' });
  for (const name of ['Overview', 'Block list', 'Sensors']) {
    await page.getByRole('link', { name, exact: true }).click();
    await page.getByRole('heading', { level: 1, name }).waitFor();
    await shot(name.toLowerCase().replace(' ', '-'));
  }
  assert.deepEqual(browser.faults, []);
  console.log('ok the block is lifted');
  console.log('passed');
} catch (error) {
  await shot('failed').catch(() => {});
  console.error(`failed at ${page.url()}; faults: ${JSON.stringify(browser.faults)}`);
  throw error;
} finally {
  await browser.close();
}
