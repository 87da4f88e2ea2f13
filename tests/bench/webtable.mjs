// SPDX-License-Identifier: Apache-2.0
// How fast the table of miners is with 100,000 rows: node tests/bench/webtable.mjs after a release build,
// with LAMP_WEB_DIST and LAMP_WEB_MODULES as tests/web/CMakeLists.txt sets them. A sort is timed from
// the click to the frame that shows it, a scroll from frame to frame over 300 steps of 7 rows.
import { PASSWORD, miner, startMock } from '../web/mock.mjs';
import { browse, environment, login } from '../web/browser.mjs';

const ROWS = Number(process.argv[2] ?? 100_000);
const { chromium, dist } = environment();
const mock = await startMock(dist);
const random = (() => { let x = 1; return () => { x = (x * 48271) % 2147483647; return x / 2147483647; }; })();
mock.world.miners = Array.from({ length: ROWS }, (_, i) => miner(i + 1, {
  host: `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`, site: `site-${i % 500}`, workers: [`rig-${Math.floor(random() * 1e6)}`],
  hashrate: { value: 1e3 + 1e4 * random(), low: 900, high: 2e4, unit: 'H/s', method: 'shares' }, last: Date.now() / 1000 - 600 * random(),
}));
const { page, close } = await browse(chromium, mock.url, { viewport: { width: 1440, height: 900 } });
await page.goto(mock.url);
await login(page, 'admin', PASSWORD);
await page.goto(`${mock.url}/miners`);
await page.getByText(`${ROWS.toLocaleString('en')} miners`).waitFor({ timeout: 600_000 });

const sorts = [];
for (let i = 0; i < 10; i += 1) {
  sorts.push(await page.evaluate((title) => new Promise((done) => {
    const first = () => document.querySelector('tbody td').textContent;
    const before = first();
    const button = [...document.querySelectorAll('th button')].find((b) => b.textContent.includes(title));
    const began = performance.now();
    button.click();
    const look = () => (first() !== before ? done(performance.now() - began) : requestAnimationFrame(look));
    requestAnimationFrame(look);
  }), ['Hash rate', 'Host', 'Worker', 'Hash rate', 'Host'][i % 5]));
}
const frames = await page.evaluate(() => new Promise((done) => {
  const region = document.querySelector('[aria-label="Miners: rows"]');
  const times = [];
  let last = performance.now();
  const step = () => {
    const now = performance.now();
    times.push(now - last);
    last = now;
    region.scrollTop += 280;
    if (times.length < 300) requestAnimationFrame(step);
    else done(times.slice(5));
  };
  requestAnimationFrame(step);
}));
const at = (list, p) => [...list].sort((a, b) => a - b)[Math.floor(p * (list.length - 1))].toFixed(1);
console.log(`${ROWS} rows; rows in the DOM: ${await page.locator('tbody tr').count()}`);
console.log(`sort ms: p50 ${at(sorts, 0.5)}, worst ${at(sorts, 1)} (${sorts.map((s) => s.toFixed(0)).join(' ')})`);
console.log(`scroll ms a frame: p50 ${at(frames, 0.5)}, p95 ${at(frames, 0.95)}, worst ${at(frames, 1)}`);
await close();
mock.close();
