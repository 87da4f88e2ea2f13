/* SPDX-License-Identifier: Apache-2.0 */
/* stream: the page's end of the event stream: through the shared worker where there is one and it
 * starts, else with an EventSource of its own. */
import workerUrl from './worker.ts?sharedworker&url';
import { CHANNEL, type FromStream, type ToWorker } from './protocol';
import { Source } from './source';

interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL: (url: string) => string },
  ): { createScriptURL: (url: string) => string };
}

/* The only script URL that ever becomes trusted is the one named at build time. */
function trustedWorkerUrl(): string {
  const { trustedTypes } = window as unknown as { trustedTypes?: TrustedTypes };
  const policy = trustedTypes?.createPolicy('fleet-worker', {
    createScriptURL: (url) => {
      if (url !== workerUrl) throw new TypeError('not the worker of this page');
      return url;
    },
  });
  return policy ? policy.createScriptURL(workerUrl) : workerUrl;
}

/** Calls emit for every message; what it returns steers the stream. */
export function connect(emit: (message: FromStream) => void): (what: ToWorker) => void {
  let own: Source | null = null;
  const direct = (what: ToWorker) => {
    own ??= new Source(emit);
    if (what !== 'open') own.close();
    if (what !== 'close') own.open();
  };
  if (typeof SharedWorker !== 'function' || typeof BroadcastChannel !== 'function') return direct;

  let worker: SharedWorker;
  try {
    worker = new SharedWorker(trustedWorkerUrl(), { type: 'module', name: 'davylamp' });
  } catch {
    return direct;
  }
  const channel = new BroadcastChannel(CHANNEL);
  channel.onmessage = ({ data }: MessageEvent<FromStream>) => emit(data);
  let send = (what: ToWorker) => worker.port.postMessage(what);
  worker.onerror = () => {
    channel.close();
    send = direct;
    direct('open');
  };
  return (what) => send(what);
}
