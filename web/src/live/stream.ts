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

const ASK_AGAIN_MS = 500;
const ASK_TIMES = 10;

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

  const url = trustedWorkerUrl();
  const channel = new BroadcastChannel(CHANNEL);
  let worker: SharedWorker | null = null;
  let unanswered: ReturnType<typeof setTimeout> | undefined;
  let send: (what: ToWorker) => void = ask;
  function giveUp(): void {
    clearTimeout(unanswered);
    channel.close();
    send = direct;
    direct('open');
  }
  /* The worker answers every word with its state, but on the channel, and a page that has only just
   * come may not be on it yet; or the worker was ending, with the page before this one. So the
   * page joins and asks again until it hears how the stream is. */
  function ask(what: ToWorker, left = ASK_TIMES): void {
    clearTimeout(unanswered);
    try {
      if (!worker || left < ASK_TIMES) {
        worker = new SharedWorker(url, { type: 'module', name: 'davylamp' });
        worker.onerror = giveUp;
      }
    } catch {
      giveUp();
      return;
    }
    worker.port.postMessage(what);
    if (what === 'close') return;
    unanswered = setTimeout(() => (left > 0 ? ask('open', left - 1) : giveUp()), ASK_AGAIN_MS);
  }
  channel.onmessage = ({ data }: MessageEvent<FromStream>) => {
    if (data.kind === 'state') clearTimeout(unanswered);
    emit(data);
  };
  return (what) => send(what);
}
