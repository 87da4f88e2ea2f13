// SPDX-License-Identifier: Apache-2.0
// Debian's Chromium through playwright-core, with a folder of its own, and what every browser test
// checks: nothing on the console, no request to anywhere else.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const CHROMIUM = '/usr/bin/chromium';
const ARGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];
export const SKIPPED = 77;
/** How long a test waits for anything: a busy machine is no failure. */
export const PATIENCE_MS = 60_000;

/** Where the build put node_modules and the dashboard; leaves with 77 where something is absent. */
export function environment() {
  const modules = process.env.LAMP_WEB_MODULES ?? '';
  const need = [
    [CHROMIUM, 'Debian package chromium'], [join(modules, 'playwright-core'), 'build target web'],
    [join(modules, 'axe-core'), 'build target web'],
    [join(process.env.LAMP_WEB_DIST ?? '', 'index.html'), 'build target web'],
  ];
  for (const [path, from] of need) {
    if (!existsSync(path)) {
      console.log(`skipped: ${path} is absent (${from})`);
      process.exit(SKIPPED);
    }
  }
  return {
    chromium: createRequire(join(modules, 'here.js'))('playwright-core').chromium,
    dist: process.env.LAMP_WEB_DIST ?? '',
    screenshots: process.env.LAMP_WEB_SCREENSHOTS ?? '',
  };
}

/** One browser with one page; `faults` collects console errors, exceptions and foreign requests. */
export async function browse(chromium, origin, options = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'davylamp-web-'));
  const context = await chromium.launchPersistentContext(folder, {
    executablePath: CHROMIUM, headless: true, chromiumSandbox: false, args: ARGS,
    viewport: { width: 1360, height: 900 }, ...options,
  });
  context.setDefaultTimeout(PATIENCE_MS);
  const faults = [];
  const page = context.pages()[0] ?? await context.newPage();
  watch(page, origin, faults);
  return {
    context, page, faults,
    close: async () => {
      await context.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/* The browser itself reports every answer of 400 and up; those the test provokes are not faults. */
const PROVOKED = /Failed to load resource: the server responded with a status of 4\d\d|net::ERR_/;

export function watch(page, origin, faults) {
  page.on('console', (message) => {
    if (!['error', 'warning'].includes(message.type()) || PROVOKED.test(message.text())) return;
    faults.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => faults.push(`exception: ${error.message}`));
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(origin) && !url.startsWith('data:')) faults.push(`foreign request: ${url}`);
  });
}

/** The violations that axe-core finds on the page, a line each; it runs by the debugger, past the CSP. */
export async function axe(page) {
  const source = readFileSync(join(process.env.LAMP_WEB_MODULES ?? '', 'axe-core/axe.min.js'), 'utf8');
  await page.evaluate(`if (!window.axe) { ${source} }`);
  const { violations } = await page.evaluate('axe.run(document, { resultTypes: ["violations"] })');
  return violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target.join(' ')}: ${n.failureSummary?.split('\n')[1] ?? ''}`));
}

export async function login(page, user, password) {
  await page.getByLabel('User').fill(user);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
}
