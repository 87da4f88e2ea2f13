/* SPDX-License-Identifier: Apache-2.0 */
/* session: who is logged in. */
import { ApiError, api, whenUnauthorized } from '../api/client';
import type { Session } from '../api/types';
import { fleet } from './fleet.svelte';

class SessionState {
  /** undefined: not asked yet; null: nobody. */
  current = $state.raw<Session | null | undefined>(undefined);
  error = $state.raw<ApiError | null>(null);
  /** Why the login page is shown to somebody who was logged in. */
  ended = $state(false);
  readonly mayBlock = $derived(this.current?.role === 'operator' || this.current?.role === 'admin');

  readonly isAdmin = $derived(this.current?.role === 'admin');
  /** An operator or admin whose account is not for some sites alone. */
  readonly ofFleet = $derived(this.mayBlock && this.current?.sites === null);

  constructor() {
    whenUnauthorized(() => this.#over());
    fleet.whenStreamEnds(() => this.check());
  }

  /** Asks the server; also after the stream has ended, since that may be why. */
  async check(): Promise<void> {
    try {
      this.#begin(await api.session());
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) this.#over();
      else if (error instanceof ApiError) this.error = error;
    }
  }

  async login(user: string, password: string): Promise<void> {
    this.#begin(await api.login(user, password));
  }

  async logout(): Promise<void> {
    try {
      await api.logout();
    } finally {
      this.current = null;
      this.ended = false;
      fleet.stop();
    }
  }

  /** The server has put another session in the place of this one. */
  renew(session: Session): void {
    this.#begin(session);
  }

  #begin(session: Session): void {
    const fresh = !this.current;
    this.current = session;
    this.error = null;
    this.ended = false;
    if (fresh) fleet.start();
  }

  #over(): void {
    this.error = null;
    this.ended = Boolean(this.current);
    this.current = null;
    fleet.stop();
  }
}

export const session = new SessionState();
