/* SPDX-License-Identifier: Apache-2.0 */
/* worker: holds the one event stream of all tabs. Browsers give an HTTP/1.1 server six connections
 * at a time; a stream per tab would use them up. */
import type { FromStream, ToWorker } from './protocol';
import { Source } from './source';

/* Ports, not a broadcast channel: a channel may lose what is said while a page is still joining it,
 * which was once the only answer that page would get. */
const pages = new Set<MessagePort>();
const source = new Source((message: FromStream) => {
  for (const page of pages) page.postMessage(message);
});

self.addEventListener('connect', (event) => {
  const page = (event as MessageEvent).ports[0];
  if (!page) return;
  pages.add(page);
  page.addEventListener('close', () => pages.delete(page));
  page.onmessage = ({ data }: MessageEvent<ToWorker>) => {
    if (data === 'leave') {
      pages.delete(page);
      return;
    }
    if (data !== 'open') source.close();
    if (data !== 'close') source.open();
  };
});
