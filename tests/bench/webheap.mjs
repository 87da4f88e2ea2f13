// SPDX-License-Identifier: Apache-2.0
// What an open page holds after many events: node tests/bench/webheap.mjs [EVENTS] after a release build, with
// LAMP_WEB_DIST and LAMP_WEB_MODULES as tests/web/CMakeLists.txt sets them. The heap of the overview and of
// the table of miners is measured after a forced collection before (1,000 came), half way and at the end of 50,000 events, which come as fast as
// the table shows them (3 hours of them by the clock of the status, so that what a page keeps of an hour is full at half); before that, how long the overview takes to be there, five times.
import { PASSWORD, miner, startMock } from '../web/mock.mjs';
import { browse, environment, login } from '../web/browser.mjs';

const EVENTS = Number(process.argv[2] ?? 50_000);
const MINERS = 400;
const BATCH = 500;
const { chromium, dist } = environment();
const mock = await startMock(dist);
mock.world.miners = Array.from({ length: MINERS }, (_, i) => miner(i + 1, { host: `10.0.${i >> 8}.${i & 255}`, site: `site-${i % 20}` }));
const { page, context, close } = await browse(chromium, mock.url, { viewport: { width: 1440, height: 900 } });
await page.goto(mock.url);
await login(page, 'admin', PASSWORD);

const loads = [];
for (let i = 0; i < 5; i += 1) {
  await page.goto(mock.url);
  await page.locator('header .link.live').waitFor();
  loads.push(await page.evaluate(() => {
    const [paint] = performance.getEntriesByName('first-contentful-paint');
    const [navigation] = performance.getEntriesByType('navigation');
    return { paint: paint.startTime, ready: navigation.domContentLoadedEventEnd, live: performance.now() };
  }));
}
const median = (of) => loads.map(of).sort((a, b) => a - b)[2].toFixed(0);
console.log(`load ms, median of 5: scripts run ${median((l) => l.ready)}, first paint ${median((l) => l.paint)}, figures shown and live ${median((l) => l.live)}`);

const table = await context.newPage();
await table.goto(`${mock.url}/miners`);
await table.locator('header .link.live').waitFor();

/* The heap of the two pages after a forced collection, and their nodes. */
const inspectors = await Promise.all([page, table].map((of) => context.newCDPSession(of)));
async function heap() {
  const told = [];
  for (const devtools of inspectors) {
    for (let i = 0; i < 3; i += 1) await devtools.send('HeapProfiler.collectGarbage');
    const { usedSize } = await devtools.send('Runtime.getHeapUsage');
    told.push(`${(usedSize / 2 ** 20).toFixed(2)} MiB`);
  }
  const nodes = await Promise.all([page, table].map((of) => of.evaluate(() => document.getElementsByTagName('*').length)));
  return `overview ${told[0]}, ${nodes[0]} elements; miners ${told[1]}, ${nodes[1]} elements`;
}
/* The table has taken a batch when the last of it, the newest, is shown. */
let at = mock.status();
async function play(from, to) {
  for (let n = from; n < to; n += BATCH) {
    for (let i = n; i < n + BATCH; i += 1) {
      const m = mock.world.miners[i % MINERS];
      if (i % 50 === 0) {
        const { traffic } = at;
        at = { ...at, now: at.now + 12, traffic: { ...traffic, bytes: traffic.bytes + 6e8, mining_bytes: traffic.mining_bytes + 6e6 } };
        mock.push('status', at);
      } else mock.push('miner', { ...m, last: at.now + i / 1e6, shares: { ...m.shares, submitted: i }, workers: [`rig-${i}`] });
    }
    await table.getByText(`rig-${n + BATCH - 1}`, { exact: true }).waitFor();
  }
}
const began = Date.now();
await play(0, 2 * BATCH);
console.log(`heap before: ${await heap()}`);
await play(2 * BATCH, EVENTS / 2);
console.log(`heap after ${EVENTS / 2} events: ${await heap()}`);
await play(EVENTS / 2, EVENTS);
console.log(`heap after ${EVENTS} events: ${await heap()}, in ${((Date.now() - began) / 1000).toFixed(0)} s`);
await close();
mock.close();
