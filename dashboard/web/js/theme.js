// Light or dark: the system's choice until the reader makes one, which is kept.
// A classic script at the top of the page, so that the first paint is right.
(() => {
  const key = 'speedlayer-theme';
  const system = matchMedia('(prefers-color-scheme: dark)');

  // A browser may refuse storage; then the choice lasts as long as the page.
  let chosen = null;
  try { chosen = localStorage.getItem(key); } catch { /* refused */ }
  if (chosen !== 'light' && chosen !== 'dark') chosen = null;

  const isDark = () => (chosen ?? (system.matches ? 'dark' : 'light')) === 'dark';

  function show() {
    document.documentElement.dataset.theme = isDark() ? 'dark' : 'light';
    document.getElementById('theme')?.setAttribute('aria-pressed', String(isDark()));
    document.dispatchEvent(new Event('themechange'));
  }

  show();
  system.addEventListener('change', show);
  document.addEventListener('DOMContentLoaded', () => {
    show();
    document.getElementById('theme').addEventListener('click', () => {
      chosen = isDark() ? 'light' : 'dark';
      try { localStorage.setItem(key, chosen); } catch { /* refused */ }
      show();
    });
  });
})();
