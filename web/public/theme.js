// SPDX-License-Identifier: Apache-2.0
// Runs before the first paint, so that the page does not flash in the wrong theme.
{
  let theme = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  try {
    theme = localStorage.getItem('davylamp-theme') ?? theme;
  } catch {
    // Storage is off: the system's preference counts.
  }
  document.documentElement.dataset.theme = theme === 'dark' ? 'dark' : 'light';
}
