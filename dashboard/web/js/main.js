// The page: what happens when. Reading the address, asking the API, and showing
// the answers are in modules of their own.
import * as api from './api.js';
import { Answer } from './answer.js';
import { Chart, table } from './chart.js';
import { byId, el, say, setText } from './dom.js';
import * as empty from './empty.js';
import * as figures from './figures.js';
import * as format from './format.js';
import { Live } from './live.js';
import * as pages from './pages.js';
import { Picker } from './picker.js';
import { bounds, hoursFit, names, narrow, stepOf } from './ranges.js';
import { Refresher } from './refresher.js';
import { read, write } from './state.js';

const PAGES_FIRST = 10, PAGES_MORE = 100;
const SAY_LIVE_EVERY = 60e3;

let state = read(location.search);
let shown = null; // {answers, bounds, step}: what is on the page
let limit = PAGES_FIRST;
let asking = new AbortController();
let saidAt = 0;
let focusFrom = null; // the page from which on "Show more" shows others

const answer = new Answer();
const chart = new Chart((from, to) => go({ range: 'custom', from, to, by: null }));
const picker = new Picker(go);
const refresher = new Refresher(load, showProblem);
const live = new Live(onUpdate, onLink);

// go changes what is shown, as the reader wants it.
function go(change) {
  if (change.domain && change.domain !== state.domain) change = { page: null, ...change };
  state = { ...state, ...change };
  if (change.domain || change.range) limit = PAGES_FIRST;
  history.pushState(null, '', write(state));
  picker.show(state, shown?.bounds);
  refresher.now('reader');
}

// load asks everything that the page shows and shows it. why is 'start',
// 'reader' or 'live'. It throws ApiError, or AbortError if a newer one began.
async function load(why) {
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  byId('main').setAttribute('aria-busy', 'true');
  if (why !== 'live') byId('numbers').classList.add('stale');

  if (why === 'start' || picker.isOld()) {
    picker.setDomains(await api.domains(bounds({ range: 'all' }, Date.now()), undefined, signal));
  }
  const domain = state.domain ?? picker.domains[0];
  live.follow(domain ?? null);
  if (!domain) return showEmpty();
  if (!state.domain) state = { ...state, domain };

  const next = await ask(signal);
  shown = next;
  render(why);
}

// ask gets the answers for the state; the range is chosen if none is.
async function ask(signal) {
  const url = state.page ?? state.domain, now = Date.now();
  let range = bounds(state, now);
  if (!state.range) {
    // Nothing since yesterday: then all there is says more.
    const { pageviews } = await api.pageviews(url, range, undefined, signal);
    state = { ...state, range: pageviews > 0 ? '24h' : 'all' };
    range = bounds(state, now);
  }
  if (state.range === 'all') {
    const { days } = await api.pageviews(url, range, 'day', signal);
    range = narrow(range, days ?? []) ?? bounds({ range: '24h' }, now);
  }
  const step = stepOf(state, range);
  const by = (...metrics) => (metrics.includes(state.metric) ? step : undefined);
  const [pageviews, uniques, bounces, top] = await Promise.all([
    api.pageviews(url, range, by('pageviews'), signal),
    api.uniques(url, range, by('visitors'), signal),
    api.bounceRate(state.domain, range, by('visits', 'bounce_rate'), signal),
    api.top(state.domain, range, limit + 1, signal),
  ]);
  return { answers: { pageviews, uniques, bounces, top }, bounds: range, step, unknown: await unknown(pageviews, now, signal) };
}

// unknown says whether no pageview of the domain was ever counted.
async function unknown({ pageviews }, now, signal) {
  if (pageviews > 0) return false;
  const all = await api.pageviews(state.domain, bounds({ range: 'all' }, now), undefined, signal);
  return all.pageviews === 0;
}

function render(why) {
  const { answers, bounds: range, step } = shown;
  if (why !== 'live') history.replaceState(null, '', write(state));
  byId('numbers').classList.remove('loading', 'stale');
  byId('numbers').hidden = false;
  byId('controls').hidden = false;
  byId('empty').hidden = true;
  byId('notice').hidden = true;
  byId('main').setAttribute('aria-busy', 'false');

  const name = names[state.range] ?? format.span(range);
  const subject = format.page(state.page ?? state.domain);
  document.title = `${subject} · speedlayer`;
  setText(byId('title'), `${subject}, ${name}`);
  picker.show(state, range);
  figures.show(answers, state, why === 'live');
  answer.show(answers, range);
  askAccuracy(answers.pageviews.sources?.batch_run);
  showChip();
  showChart();
  const links = pages.show(answers.top.pages.slice(0, limit), state, (page) => write({ ...state, page }));
  byId('more').hidden = answers.top.pages.length <= limit || limit >= PAGES_MORE;
  if (focusFrom !== null) {
    (links[focusFrom] ?? links.at(-1))?.focus(); // the button is gone
    focusFrom = null;
  }

  const sentence = shown.unknown ? nothingOf(subject) : `${subject}, ${name}: ${figures.sentence(answers)}.`;
  if (why !== 'live' || Date.now() - saidAt > SAY_LIVE_EVERY) {
    saidAt = Date.now();
    say(sentence);
  }
  byId('numbers').dataset.shown = String(Number(byId('numbers').dataset.shown ?? 0) + 1);
}

// askAccuracy asks once a batch run how right the speed layer was before it. No
// answer is no harm: it is asked again with the next figures.
let askedFor = null;
function askAccuracy(run) {
  if (run == null || run === askedFor) return;
  askedFor = run;
  api.accuracy().then(({ runs }) => answer.right(runs), () => { askedFor = null; });
}

function showChip() {
  byId('chip').hidden = !state.page;
  if (!state.page) return;
  setText(byId('chip-name'), format.page(state.page));
  byId('chip-off').href = write({ ...state, page: null });
}

function showChart() {
  const { answers, bounds: range, step } = shown;
  const none = answers.pageviews.pageviews === 0;
  const asTable = byId('as-table').getAttribute('aria-expanded') === 'true';
  const title = `${figures.titles[state.metric]} by ${step}`;
  const series = figures.series(answers, state.metric, range, step, Date.now());
  setText(byId('chart-title'), title);
  setText(byId('as-table'), asTable ? 'Show as chart' : 'Show as table');
  byId('nothing').hidden = !none;
  byId('nothing-all').hidden = state.range === 'all' || shown.unknown;
  setText(byId('nothing-text'), shown.unknown ? nothingOf(format.page(state.domain)) : state.range === 'all' ? 'No pageviews yet' : 'No pageviews in this range');
  byId('chart').hidden = none || asTable;
  byId('chart-table').hidden = none || !asTable;
  for (const input of byId('steps').querySelectorAll('input')) {
    input.checked = input.value === step;
    input.disabled = input.value === 'hour' && !hoursFit(range);
  }
  if (none) return;
  if (asTable) byId('chart-table').replaceChildren(table(series, title));
  else chart.show(series);
}

const nothingOf = (domain) => `No pageview of ${domain} was ever counted. Is the name spelled as on the site?`;

function showEmpty() {
  shown = null;
  picker.show(state);
  empty.show();
  byId('numbers').hidden = true;
  byId('now').hidden = true;
  byId('controls').hidden = true;
  byId('notice').hidden = true;
  byId('main').setAttribute('aria-busy', 'false');
  setText(byId('title'), 'No pageviews yet');
}

// showProblem says what went wrong; what was on the page stays, but pale.
function showProblem(err) {
  const again = err.passes ?? true;
  byId('main').setAttribute('aria-busy', 'false');
  byId('numbers').classList.add('stale');
  setText(byId('notice'), sentenceOf(err) + (again ? ' Trying again.' : ''));
  byId('notice').hidden = false;
  return again;
}

const sentenceOf = (err) => {
  const text = err.message || String(err);
  return /[.!?]$/.test(text) ? text : text + '.';
};

// onUpdate: the stream says how far the answers would reach now.
function onUpdate(update) {
  const people = update.current_visitors;
  byId('now').hidden = people == null || !byId('empty').hidden;
  if (people != null) {
    setText(byId('now-count'), (update.approximate ? 'about ' : '') + format.count(people));
    setText(byId('now-label'), `current ${format.plural(people, 'visitor', 'visitors')}`);
  }
  if (update.events !== shown?.answers.pageviews.covered?.events) {
    if (!shown) picker.forget(); // the first pageview brings the first domain
    refresher.soon();
  } else {
    answer.stillTrue(update.lag);
  }
}

function onLink(link) {
  const before = byId('link').dataset.state;
  byId('link').dataset.state = link;
  setText(byId('link-text'), link === 'live' ? 'Live' : 'Connection lost, connecting again');
  if (before === 'live' && link === 'lost') say('Connection lost. The numbers are the last known.');
  if (before === 'lost' && link === 'live') {
    say('Connected again.');
    refresher.now('live');
  }
}

// An own link changes what is shown without loading the page anew.
document.addEventListener('click', (event) => {
  const a = event.target.closest('a.page, #chip-off');
  if (!a || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button !== 0) return;
  event.preventDefault();
  go({ page: read(new URL(a.href).search).page });
  if (a.id === 'chip-off') byId('main').focus();
});

byId('tiles').addEventListener('click', (event) => {
  const tile = event.target.closest('.tile');
  if (tile) go({ metric: tile.dataset.metric });
});
byId('steps').addEventListener('change', (event) => go({ by: event.target.value }));
byId('nothing-all').addEventListener('click', () => go({ range: 'all', from: null, to: null, by: null }));
byId('as-table').addEventListener('click', () => {
  const on = byId('as-table').getAttribute('aria-expanded') === 'true';
  byId('as-table').setAttribute('aria-expanded', String(!on));
  if (shown) showChart();
});
byId('more').addEventListener('click', () => {
  focusFrom = limit;
  limit = PAGES_MORE;
  refresher.now('reader');
});

addEventListener('popstate', () => {
  state = read(location.search);
  refresher.now('reader');
});

// A page that nobody sees holds no connection: a browser has few for a server.
document.addEventListener('visibilitychange', () => {
  if (document.hidden) return live.close();
  live.open();
  refresher.now('live');
});

// The clock moves ranges on, and ages what is shown.
setInterval(() => {
  if (document.hidden || !shown) return;
  answer.tick();
  const { range } = state;
  if (range !== 'custom' && range !== 'all' && bounds(state, Date.now()).to !== shown.bounds.to) refresher.soon();
}, 1000);

picker.show(state);
refresher.now('start');
