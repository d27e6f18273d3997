// The table of pages with the most pageviews.
import { byId, el } from './dom.js';
import * as format from './format.js';

// show fills the table. link gives a page's address on this dashboard. It returns
// the links of the pages, in order.
export function show(pages, { domain, page }, link) {
  const body = byId('pages');
  if (pages.length === 0) {
    body.replaceChildren(el('tr', { className: 'none' }, el('td', { colSpan: 3 }, 'No pages in this range')));
    return [];
  }
  const focused = body.contains(document.activeElement) ? document.activeElement.dataset.page : null;
  const most = Math.max(...pages.map((p) => p.pageviews), 1);
  body.replaceChildren(...pages.map((p) => row(p, domain, most, link, p.url === page)));
  const links = [...body.querySelectorAll('a')];
  if (focused) links.find((a) => a.dataset.page === focused)?.focus();
  return links;
}

function row(page, domain, most, link, current) {
  // The domain is known: the path says it shorter.
  const path = page.url.startsWith(domain) ? page.url.slice(domain.length) || '/' : page.url;
  const a = el('a', { className: 'page', href: link(page.url), title: page.url, 'data-page': page.url }, el('bdi', {}, format.page(path)));
  if (current) a.setAttribute('aria-current', 'true');
  a.style.setProperty('--share', `${(100 * page.pageviews / most).toFixed(1)}%`);
  return el('tr', {},
    el('th', { scope: 'row' }, a),
    el('td', {}, page.visitors == null ? '–' : format.count(page.visitors)),
    el('td', {}, format.count(page.pageviews)));
}
