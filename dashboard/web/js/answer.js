// How good the numbers are: what they cover, how old that is, how exact, and
// which hours came from where.
import { byId, el, setText } from './dom.js';
import * as format from './format.js';

export class Answer {
  constructor() {
    this.at = 0; // performance.now() when covered was known to be this
    this.covered = null;
  }

  // show takes the answers of one load. The least that any of them covers is
  // what the page covers.
  show({ pageviews, uniques, bounces, top }) {
    const all = [pageviews, uniques, bounces, top].filter((a) => a?.covered);
    this.covered = all.map((a) => a.covered).reduce((a, b) => (b.events < a.events ? b : a), all[0]?.covered ?? {});
    this.at = performance.now();
    this.settled = all.every((a) => a.covered.settled !== false);
    this.rows = [
      ['Exactness', ...exactness({ pageviews, uniques, bounces })],
      ['Hours with views', ...sources(pageviews.sources)],
      ...notes(all),
    ];
    this.tick();
  }

  // stillTrue: the server says that nothing new is covered, so the numbers are
  // as young as this message.
  stillTrue(lag) {
    if (!this.covered) return;
    this.at = performance.now();
    this.covered = { ...this.covered, lag, age_seconds: lag === 0 ? 0 : lag == null ? null : this.covered.age_seconds };
    this.tick();
  }

  // tick ages what is shown; called every second.
  tick() {
    if (!this.covered) return;
    const { events, lag, age_seconds: age } = this.covered;
    const old = (age ?? 0) + (performance.now() - this.at) / 1e3;
    const rest = lag == null ? 'the queue did not say what is on the way' : lag > 0 ? `${format.count(lag)} more on the way` : 'everything received';
    this.fill([
      ['Covers', `${format.count(events ?? 0)} ${format.plural(events, 'event', 'events')}`, `of all domains; ${rest}`],
      ['As of', age == null ? 'unknown' : `${format.age(old)} ago`, this.settled ? '' : 'a few later events may be in already'],
      ...this.rows,
    ]);
  }

  // fill keeps the elements and changes texts only.
  fill(rows) {
    const list = byId('answer');
    while (list.children.length < rows.length) {
      list.append(el('div', {}, el('dt'), el('dd', {}, el('span'), el('span', { className: 'why' }))));
    }
    while (list.children.length > rows.length) list.lastChild.remove();
    rows.forEach(([name, value, why], i) => {
      const [dt, dd] = list.children[i].children;
      setText(dt, name);
      setText(dd.firstChild, value);
      setText(dd.lastChild, why ?? '');
    });
  }
}

function exactness({ pageviews, uniques, bounces }) {
  if (pageviews.exact && uniques.exact && bounces.exact) return ['all figures exact'];
  const parts = [];
  if (!uniques.exact) parts.push(uniques.relative_error ? `visitors ${format.error(uniques.relative_error)}` : 'visitors');
  if (!pageviews.exact) parts.push('pageviews');
  if (!bounces.exact) parts.push('bounce rate');
  return ['estimated: ' + parts.join(', '), uniques.relative_error ? '95 of 100 estimates lie within; the rest is exact' : 'the rest is exact'];
}

function sources(sources) {
  const batch = sources?.batch_hours ?? 0, speed = sources?.speed_hours ?? 0;
  const parts = [];
  if (speed > 0) parts.push(`${format.count(speed)} from the speed layer`);
  if (batch > 0) parts.push(`${format.count(batch)} from batch`);
  return [parts.join(', ') || 'none'];
}

// notes are what the server wants people to know, each once.
function notes(all) {
  return [...new Set(all.flatMap((a) => a.notes ?? []))].map((note) => ['Note', '', note]);
}
