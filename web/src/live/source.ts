/* SPDX-License-Identifier: Apache-2.0 */
/* source: one EventSource and its state, wherever it runs (shared worker or page). */
import { EVENTS, type FromStream, type StreamState } from './protocol';

export class Source {
  #source: EventSource | null = null;
  #state: StreamState = 'closed';

  constructor(private readonly emit: (message: FromStream) => void) {}

  /** Opens the stream unless it is open; says the state in either case. */
  open(): void {
    if (this.#source && this.#source.readyState !== EventSource.CLOSED) {
      this.emit({ kind: 'state', state: this.#state });
      return;
    }
    const source = new EventSource('/api/v1/events');
    this.#source = source;
    this.#change('connecting');
    source.onopen = () => this.#change('open');
    source.onerror = () =>
      this.#change(source.readyState === EventSource.CLOSED ? 'closed' : 'connecting');
    for (const name of EVENTS) {
      source.addEventListener(name, (event: MessageEvent<string>) =>
        this.emit({ kind: 'event', name, data: event.data }));
    }
  }

  close(): void {
    this.#source?.close();
    this.#source = null;
    this.#change('closed');
  }

  #change(state: StreamState): void {
    this.#state = state;
    this.emit({ kind: 'state', state });
  }
}
