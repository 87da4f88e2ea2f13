/* SPDX-License-Identifier: Apache-2.0 */
/* stream: the page's end of the event stream: through the shared worker where there is one and it
 * answers, else with an EventSource of its own. */
import workerUrl from './worker.ts?sharedworker&url';
import type { FromStream, Steer, ToWorker } from './protocol';
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

/* A worker that says nothing may be one that ended with the page before this one, or has crashed:
 * the browser tells no page. A page then asks for another, waiting twice as long for each. */
const PATIENCE_MS = 1000;
const WORKERS_MAX = 4;

/** Calls emit for every message; what it returns steers the stream. */
export function connect(emit: (message: FromStream) => void): (what: Steer) => void {
  let own: Source | null = null;
  const direct = (what: Steer) => {
    own ??= new Source(emit);
    if (what !== 'open') own.close();
    if (what !== 'close') own.open();
  };
  if (typeof SharedWorker !== 'function') return direct;

  let url: string;
  try {
    url = trustedWorkerUrl();
  } catch {
    return direct;
  }
  let port: MessagePort | null = null;
  let wanted = false;
  let silent = 0; /* workers that have not answered, one after the other */
  let patience: ReturnType<typeof setTimeout> | undefined;

  const say = (what: ToWorker) => port?.postMessage(what);
  function leave(): void {
    clearTimeout(patience);
    say('leave');
    port?.close();
    port = null;
  }
  function fallBack(): void {
    leave();
    direct(wanted ? 'open' : 'close');
  }
  function hire(): void {
    const worker = new SharedWorker(url, { type: 'module', name: 'davylamp' });
    port = worker.port;
    worker.onerror = () => {
      if (port === worker.port) fallBack();
    };
    port.onmessage = ({ data }: MessageEvent<FromStream>) => {
      clearTimeout(patience);
      silent = 0;
      emit(data);
    };
  }
  /* What happened before the new port was there is missed: the page learns that it was away. */
  function again(): void {
    leave();
    emit({ kind: 'state', state: 'connecting' });
    steer('open');
  }
  function steer(what: Steer): void {
    wanted = what !== 'close';
    if (own) {
      direct(what);
      return;
    }
    try {
      if (!port) hire();
    } catch {
      fallBack();
      return;
    }
    say(what);
    clearTimeout(patience);
    if (!wanted) return;
    patience = setTimeout(() => {
      silent += 1;
      if (silent < WORKERS_MAX) again();
      else fallBack();
    }, PATIENCE_MS * 2 ** silent);
  }

  window.addEventListener('pagehide', leave);
  window.addEventListener('pageshow', (event) => {
    if (event.persisted && wanted && !own) again();
  });
  return steer;
}
