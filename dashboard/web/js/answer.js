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
    this.batchRun = pageviews.sources?.batch_run;
    this.settled = all.every((a) => a.covered.settled !== false);
    this.rows = [
      ['Exactness', ...exactness({ pageviews, uniques, bounces })],
      ['Hours with views', ...sources(pageviews.sources)],
      ...batch(pageviews.sources),
      ...notes(all),
    ];
    this.tick();
  }

  // right tells how right the speed layer was, as the batch runs found out.
  right(runs) {
    this.accuracy = runs;
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
    const right = this.batchRun == null ? [] : accuracy(this.accuracy);
    this.fill([
      ['Covers', `${format.count(events ?? 0)} ${format.plural(events, 'event', 'events')}`, `of all domains; ${rest}`],
      ['As of', age == null ? 'unknown' : `${format.age(old)} ago`, this.settled ? '' : 'a few later events may be in already'],
      ...this.rows,
      ...right,
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

// batch says up to when the batch layer has absorbed the log.
function batch(sources) {
  if (sources?.batch_run == null) return [];
  const until = sources.batch_until ? `the log as of ${format.moment(Date.parse(sources.batch_until))} UTC` : '';
  return [['Batch layer', `run ${format.count(sources.batch_run)}`, until]];
}

// accuracy is of the newest run that absorbed anything.
function accuracy(runs) {
  const run = (runs ?? []).find((r) => r.views.some((v) => v.cells > 0));
  if (!run) return [];
  const cells = run.views.reduce((n, v) => n + v.cells, 0), exact = run.views.reduce((n, v) => n + v.exact, 0);
  const causes = [...new Set(run.views.flatMap((v) => (v.causes ?? []).map((c) => c.cause)))];
  const why = `hours of pages and domains, says run ${format.count(run.run)}` + (causes.length ? `; off by: ${causes.join(', ')}` : '');
  // No percentage: one hour in thousands would be rounded away.
  return [['Speed layer was right', `${format.count(exact)} of ${format.count(cells)}`, why]];
}

// notes are what the server wants people to know, each once.
function notes(all) {
  return [...new Set(all.flatMap((a) => a.notes ?? []))].map((note) => ['Note', '', note]);
}
