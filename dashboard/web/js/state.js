// What is shown, as it stands in the address: domain, range, page, metric, step.
// The address is the only place where it is kept.
import { ranges, parseHour, writeHour } from './ranges.js';

export const metrics = ['visitors', 'pageviews', 'visits', 'bounce_rate'];

// read understands an address; what it does not understand is left out, as if
// it had not been said.
export function read(search) {
  const q = new URLSearchParams(search);
  const state = {
    domain: q.get('domain') || null,
    range: ranges.includes(q.get('range')) ? q.get('range') : null,
    from: null,
    to: null,
    page: q.get('page') || null,
    metric: metrics.includes(q.get('metric')) ? q.get('metric') : 'pageviews',
    by: ['hour', 'day'].includes(q.get('by')) ? q.get('by') : null,
  };
  const from = parseHour(q.get('from')), to = parseHour(q.get('to'));
  if (from !== null && to !== null && from < to && (state.range === null || state.range === 'custom')) {
    Object.assign(state, { range: 'custom', from, to });
  } else if (state.range === 'custom') {
    state.range = null;
  }
  return state;
}

// write is the other direction; defaults are left out, so addresses stay short.
export function write(state) {
  const q = new URLSearchParams();
  if (state.domain) q.set('domain', state.domain);
  if (state.page) q.set('page', state.page);
  if (state.range === 'custom') {
    q.set('from', writeHour(state.from));
    q.set('to', writeHour(state.to));
  } else if (state.range) {
    q.set('range', state.range);
  }
  if (state.metric !== 'pageviews') q.set('metric', state.metric);
  if (state.by) q.set('by', state.by);
  // Colons and slashes need no escape in a query, and are easier to read without.
  const text = q.toString().replaceAll('%3A', ':').replaceAll('%2F', '/');
  return text ? '/?' + text : '/';
}
