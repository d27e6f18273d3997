// Numbers and times as texts. Times are UTC, always.
const whole = new Intl.NumberFormat('en');
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const oneDigit = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });

export const count = (n) => whole.format(n);
export const shortCount = (n) => (n < 10000 ? whole.format(n) : short.format(n));
export const percent = (r) => oneDigit.format(r * 100) + '%';

// error is a relative error with two digits that mean something: 0.0081 is 0.81%.
export const error = (e) => '± ' + Number((e * 100).toPrecision(2)) + '%';

const form = (options) => {
  const f = new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', hourCycle: 'h23', ...options });
  return (t) => f.format(t);
};
export const day = form({ day: 'numeric', month: 'short', year: 'numeric' });
export const dayShort = form({ day: 'numeric', month: 'short' });
export const weekday = form({ weekday: 'short', day: 'numeric', month: 'short' });
export const month = form({ month: 'short', year: 'numeric' });
export const clock = form({ hour: '2-digit', minute: '2-digit' });

export const moment = (t) => `${day(t)}, ${clock(t)}`;

// span says a range in as few words as it needs.
export function span({ from, to }) {
  const wholeDays = from % 86400e3 === 0 && to % 86400e3 === 0;
  if (!wholeDays) return day(from) === day(to) ? `${day(from)}, ${clock(from)} – ${clock(to)} UTC` : `${moment(from)} – ${moment(to)} UTC`;
  const last = to - 86400e3;
  return from === last ? `${day(from)}, UTC` : `${day(from)} – ${day(last)}, UTC`;
}

// age says a time that has passed, coarser the longer it is.
export function age(seconds) {
  if (seconds < 1.5) return 'a moment';
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${count(Math.round(seconds / 86400))} days`;
}

export const plural = (n, one, many) => (n === 1 ? one : many);

// Characters that one cannot see, or that turn the text around them: controls,
// spaces of all widths, and marks of direction.
const unseen = /[\u0000-\u001f\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\u3164\ufeff\uffa0\ufff9-\ufffd]/g;

const visible = (text) => text.replace(unseen, (c) => `‹U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}›`);

// page is a page's address as people write it: escapes are decoded where they are
// text, but not those of characters that mean something in an address.
export function page(url) {
  const text = url.replace(/(?:%[0-9a-f]{2})+/gi, (run) => {
    try {
      return decodeURI(run.replace(/%25/g, '%2525'));
    } catch {
      return run; // not UTF-8
    }
  });
  return visible(text);
}
