// The four figures, and the series of the one that is in the chart.
import { byId, setText } from './dom.js';
import * as format from './format.js';
import { times } from './ranges.js';

export const titles = { visitors: 'Unique visitors', pageviews: 'Pageviews', visits: 'Visits', bounce_rate: 'Bounce rate' };

const exactness = (answer) => (answer.exact ? 'exact' : answer.relative_error ? `estimated, ${format.error(answer.relative_error)}` : 'estimated');

// texts of all tiles: what is said big, and the note below.
function texts({ pageviews, uniques, bounces }, page) {
  const scope = page ? 'whole domain' : null;
  const rate = bounces.bounce_rate;
  return {
    visitors: [format.count(uniques.visitors), exactness(uniques)],
    pageviews: [format.count(pageviews.pageviews), exactness(pageviews)],
    visits: [format.count(bounces.visits), scope ?? exactness(bounces)],
    bounce_rate: [rate === null ? '–' : format.percent(rate), scope ?? (rate === null ? 'no visits' : `${format.count(bounces.bounces)} of ${format.count(bounces.visits)}` + (bounces.exact ? '' : ', estimated'))],
  };
}

// show fills the tiles. A figure that changed by a live update lights up softly.
export function show(answers, { page, metric }, live) {
  const all = texts(answers, page);
  for (const tile of byId('tiles').children) {
    const [value, note] = all[tile.dataset.metric];
    const figure = tile.querySelector('.tile-value');
    if (setText(figure, value) && live) {
      figure.classList.remove('changed');
      void figure.offsetWidth; // so that the animation starts again
      figure.classList.add('changed');
    }
    setText(tile.querySelector('.tile-note'), note);
    tile.setAttribute('aria-pressed', String(tile.dataset.metric === metric));
  }
}

// sentence says the figures to a screen reader.
export const sentence = ({ pageviews, uniques, bounces }) =>
  `${format.count(pageviews.pageviews)} ${format.plural(pageviews.pageviews, 'pageview', 'pageviews')}, ` +
  `${format.count(uniques.visitors)} unique ${format.plural(uniques.visitors, 'visitor', 'visitors')}` +
  (uniques.exact ? '' : ' by estimate') +
  (bounces.bounce_rate === null ? '' : `, bounce rate ${format.percent(bounces.bounce_rate)}`);

// series of the chosen metric. Hours that an answer leaves out had nothing.
export function series(answers, metric, bounds, step, now) {
  const answer = { visitors: answers.uniques, pageviews: answers.pageviews }[metric] ?? answers.bounces;
  const list = (step === 'day' ? answer.days : answer.hours) ?? [];
  const at = new Map(list.map((cell) => [Date.parse(cell[step]), cell]));
  const share = metric === 'bounce_rate';
  const starts = times(bounds, step);
  return {
    times: starts,
    values: starts.map((t) => at.get(t)?.[metric] ?? (share ? null : 0)),
    step,
    share,
    cut: answer.sources?.batch_until ? Date.parse(answer.sources.batch_until) : null,
    name: share ? 'bounce rate' : titles[metric].toLowerCase(),
    open: starts.length > 0 && starts.at(-1) + (step === 'day' ? 86400e3 : 3600e3) > now,
  };
}
