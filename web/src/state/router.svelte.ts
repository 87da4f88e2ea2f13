/* SPDX-License-Identifier: Apache-2.0 */
/* router: the address bar as state. Pages are deep links; the query holds filter and sort order,
 * so a link shows what its sender saw. */

class Router {
  path = $state(location.pathname);
  query = $state.raw(new URLSearchParams(location.search));

  constructor() {
    window.addEventListener('popstate', () => this.#read());
    document.addEventListener('click', (event) => this.#click(event));
  }

  go(url: string): void {
    history.pushState(null, '', url);
    this.#read();
    window.scrollTo(0, 0);
  }

  /** Changes one value of the query without a new history entry; '' removes it. */
  set(name: string, value: string): void {
    const query = new URLSearchParams(this.query);
    if (value === '') query.delete(name);
    else query.set(name, value);
    const text = query.toString();
    history.replaceState(null, '', this.path + (text ? `?${text}` : ''));
    this.query = query;
  }

  #read(): void {
    this.path = location.pathname;
    this.query = new URLSearchParams(location.search);
  }

  #click(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0
      || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (!link || link.target || link.origin !== location.origin || link.hasAttribute('download')
      || link.pathname.startsWith('/api/')) return;
    if (link.hash && link.pathname === location.pathname) return;
    event.preventDefault();
    this.go(link.pathname + link.search);
  }
}

export const router = new Router();
