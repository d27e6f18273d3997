// Ranges of time: [from, to) in milliseconds, both whole hours of UTC.
export const HOUR = 3600e3;
export const DAY = 24 * HOUR;

export const ranges = ['24h', 'today', '7d', '30d', 'all', 'custom'];

export const names = {
  '24h': 'last 24 hours', 'today': 'today', '7d': 'last 7 days', '30d': 'last 30 days', 'all': 'all time',
};

const floor = (t, unit) => Math.floor(t / unit) * unit;

// The hour that has begun is part of a range, so ranges end with the next one.
const nextHour = (now) => floor(now, HOUR) + HOUR;

// bounds of a range that counts from now. The last 24 hours are those of now-24h
// to now on the command line: the hour in which they began is in it whole. 'all' is what an event's time may be:
// from 1970 up to a day ahead; the caller narrows it to what is there.
export function bounds(state, now) {
  const today = floor(now, DAY), to = nextHour(now);
  switch (state.range) {
    case 'custom': return { from: state.from, to: state.to };
    case 'all': return { from: 0, to: to + DAY };
    case '30d': return { from: today - 29 * DAY, to };
    case '7d': return { from: today - 6 * DAY, to };
    case 'today': return { from: today, to };
    default: return { from: floor(now - DAY, HOUR), to };
  }
}

// narrow cuts bounds to the days that have a view: days is the answer by day,
// [{day: 'T', pageviews: N}]. Null if there is none.
export function narrow({ from, to }, days) {
  const seen = days.filter((d) => d.pageviews > 0).map((d) => Date.parse(d.day));
  if (seen.length === 0) return null;
  return { from: Math.max(from, Math.min(...seen)), to: Math.min(to, Math.max(...seen) + DAY) };
}

// Hours for as long as they can be told apart on the chart; then days.
const HOURS_UP_TO = 8 * DAY;
const HOURS_AT_MOST = 92 * DAY;

export function stepOf(state, { from, to }) {
  if (to - from > HOURS_AT_MOST) return 'day';
  return state.by ?? (to - from <= HOURS_UP_TO ? 'hour' : 'day');
}

export const hoursFit = ({ from, to }) => to - from <= HOURS_AT_MOST;

// times lists the start of every hour or day that lies in the range.
export function times({ from, to }, step) {
  const unit = step === 'day' ? DAY : HOUR, list = [];
  for (let t = floor(from, unit); t < to; t += unit) list.push(t);
  return list;
}

// parseHour reads RFC 3339 in UTC, seconds not needed; null unless a whole hour.
export function parseHour(text) {
  const parts = /^(\d{4}-\d\d-\d\d)T(\d\d):00(?::00(?:\.0+)?)?Z$/.exec(text ?? '');
  const t = parts ? Date.parse(`${parts[1]}T${parts[2]}:00:00Z`) : NaN;
  return Number.isFinite(t) && t >= 0 ? t : null;
}

export const writeHour = (t) => new Date(t).toISOString().slice(0, 16) + 'Z';
