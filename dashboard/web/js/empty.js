// Before the first pageview: how to send one.
import { byId, say, setText } from './dom.js';

export function show() {
  if (!byId('empty').hidden) return;
  const here = location.origin;
  setText(byId('snippet-page'), `<script defer src="${here}/js/script.js"></script>`);
  setText(byId('snippet-shell'), [
    `curl ${here}/api/v1/pageviews \\`,
    "  -H 'Content-Type: application/json' \\",
    `  -d '{"person":"alice","url":"https://example.com/about",`,
    `       "ts":'$(date +%s)000'}'`,
  ].join('\n'));
  byId('empty').hidden = false;
}

for (const button of document.querySelectorAll('[data-copies]')) {
  button.addEventListener('click', async () => {
    const code = byId(button.dataset.copies);
    try {
      await navigator.clipboard.writeText(code.textContent);
      say('Copied.');
      button.firstChild.textContent = 'Copied';
      setTimeout(() => { button.firstChild.textContent = 'Copy'; }, 2000);
    } catch {
      // No clipboard without a safe origin: then selected, to be copied by hand.
      getSelection().selectAllChildren(code);
      say('Selected; copy it with the keyboard.');
    }
  });
}
