/* SPDX-License-Identifier: Apache-2.0 */
/* worker: holds the one event stream of all tabs. Browsers give an HTTP/1.1 server six connections
 * at a time; a stream per tab would use them up. */
import { CHANNEL, type ToWorker } from './protocol';
import { Source } from './source';

const channel = new BroadcastChannel(CHANNEL);
const source = new Source((message) => channel.postMessage(message));

self.addEventListener('connect', (event) => {
  const port = (event as MessageEvent).ports[0];
  if (!port) return;
  port.onmessage = ({ data }: MessageEvent<ToWorker>) => {
    if (data !== 'open') source.close();
    if (data !== 'close') source.open();
  };
});
