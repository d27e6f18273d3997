// The chart: uPlot (a global, from vendor/) with our colours, UTC, a tip, and
// the keyboard. It knows series, not metrics: what a value is called comes in.
import { byId, el } from './dom.js';
import * as format from './format.js';

const uPlot = globalThis.uPlot;
const box = byId('chart');
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const utc = (seconds) => uPlot.tzDate(new Date(seconds * 1e3), 'Etc/UTC');

const COUNT_STEPS = [1, 2, 5].flatMap((n) => [...Array(12).keys()].map((e) => n * 10 ** e)).sort((a, b) => a - b);

export class Chart {
  // onSelect(from, to) is called when a stretch of the chart was dragged over.
  constructor(onSelect) {
    this.onSelect = onSelect;
    this.shown = null; // what show was called with
    this.plot = null;
    this.tip = el('div', { className: 'tip', hidden: true, 'aria-hidden': 'true' });
    box.addEventListener('keydown', (event) => this.onKey(event));
    box.addEventListener('focus', () => { if (box.matches(':focus-visible') && this.plot?.cursor.idx == null) this.goTo(Infinity); });
    box.addEventListener('blur', () => this.goTo(null));
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(box);
    document.addEventListener('themechange', () => this.draw());
    document.fonts?.load('12px Inter').then(() => this.draw(), () => {});
  }

  // show draws series = {times, values, step: 'hour'|'day', share: values are
  // 0..1, name: 'pageviews', open: the last point's time is not over yet}.
  show(series) {
    const like = this.shown && ['step', 'share', 'name'].every((k) => this.shown[k] === series[k]) && this.shown.times.length === series.times.length;
    this.shown = series;
    if (like && this.plot) this.plot.setData(this.data());
    else this.draw();
    box.setAttribute('aria-valuemax', String(Math.max(0, series.times.length - 1)));
    this.describe(this.plot.cursor.idx ?? series.times.length - 1);
  }

  size() { return { width: box.clientWidth, height: box.clientHeight }; }

  // data takes a last bar that is still growing out of the full ones: it is drawn
  // in outline, so that its lower value is not taken for a fall.
  data() {
    const { times, values, open } = this.shown;
    const x = times.map((t) => t / 1e3);
    if (!open || values.length < 2) return [x, values, values.map(() => null)];
    const solid = values.with(-1, null);
    return [x, solid, values.map((v, i) => (i === values.length - 1 ? v : null))];
  }

  // unit is the seconds from one bar to the next.
  unit() { return this.shown.step === 'day' ? 86400 : 3600; }

  draw() {
    if (!this.shown || box.clientWidth === 0) return;
    const at = this.plot?.cursor.idx;
    this.plot?.destroy();
    this.plot = new uPlot(this.options(), this.data(), box);
    this.plot.over.append(this.tip);
    if (at != null && document.activeElement === box) this.goTo(at);
  }

  options() {
    const { share } = this.shown, half = this.unit() / 2;
    const accent = colour('--accent'), soft = colour('--soft'), grid = colour('--grid');
    const font = '12px ' + colour('--font');
    // Bars: between two hours there is nothing that a line could stand for.
    const bars = { stroke: accent, fill: accent, width: 0, paths: uPlot.paths.bars({ size: [0.78, 64, 1], radius: [0.12, 0] }), points: { show: false } };
    const growing = { ...bars, fill: colour('--fill-top'), width: 1.5, dash: [4, 3] };
    const axis = { stroke: soft, font, ticks: { show: false }, grid: { stroke: grid, width: 1 } };
    return {
      ...this.size(),
      padding: [10, 22, 0, 0],
      tzDate: utc,
      legend: { show: false },
      cursor: { y: false, drag: { x: true, y: false, setScale: false }, points: { size: 9, width: 2, stroke: () => colour('--card'), fill: accent } },
      scales: { x: { range: (u, min, max) => [min - half, max + half] }, y: { range: (u, min, max) => [0, share ? 1 : Math.max(4, (max ?? 0) * 1.08)] } },
      axes: [
        { ...axis, grid: { show: false }, space: 58, size: 34, gap: 8, values: (u, splits, i, space, incr) => splits.map((s) => xLabel(s * 1e3, incr)) },
        { ...axis, size: 52, gap: 8, space: 52, incrs: share ? [0.25, 0.5] : COUNT_STEPS, values: (u, splits) => splits.map((v) => (share ? format.percent(v).replace('.0', '') : format.shortCount(v))) },
      ],
      series: [{}, bars, growing],
      hooks: { setCursor: [(u) => this.onCursor(u)], setSelect: [(u) => this.onDrag(u)], draw: [(u) => this.drawCut(u)] },
    };
  }

  // drawCut marks where the batch layer has absorbed the log: what is right of
  // it comes from the speed layer.
  drawCut(u) {
    const { cut, times } = this.shown;
    box.toggleAttribute('data-cut', cut != null && cut > times[0] && cut < times.at(-1));
    if (!box.hasAttribute('data-cut')) return;
    const x = Math.round(u.valToPos(cut / 1e3 - this.unit() / 2, 'x', true)) + 0.5; // a bar stands around its time
    const { ctx, bbox } = u;
    ctx.save();
    ctx.strokeStyle = colour('--soft');
    ctx.fillStyle = colour('--soft');
    ctx.setLineDash([2, 4]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.font = `${11 * devicePixelRatio}px ${colour('--font')}`;
    ctx.textAlign = x - bbox.left > 80 * devicePixelRatio ? 'right' : 'left';
    ctx.fillText('batch', x + (ctx.textAlign === 'right' ? -6 : 6), bbox.top + 12 * devicePixelRatio);
    ctx.restore();
  }

  text(i) {
    const { times, values, step, share, name, open } = this.shown;
    const value = values[i] == null ? 'none' : share ? format.percent(values[i]) : format.count(values[i]);
    const when = (step === 'day' ? format.weekday(times[i]) : `${format.weekday(times[i])}, ${format.clock(times[i])}`) + ' UTC';
    return { value: `${value} ${name}`, when: when + (open && i === times.length - 1 ? ', so far' : '') };
  }

  onCursor(u) {
    const i = u.cursor.idx;
    this.tip.hidden = i == null || u.cursor.left < 0;
    if (this.tip.hidden) return;
    const { value, when } = this.text(i);
    this.tip.replaceChildren(el('b', { textContent: value }), when);
    const x = u.valToPos(u.data[0][i], 'x'), width = this.tip.offsetWidth, room = u.over.clientWidth;
    const left = x + 14 + width > room ? Math.max(0, x - 14 - width) : x + 14;
    this.tip.style.transform = `translate(${Math.round(left)}px, 8px)`;
    this.describe(i);
  }

  describe(i) {
    if (i < 0) return;
    const { value, when } = this.text(i);
    box.setAttribute('aria-valuenow', String(i));
    box.setAttribute('aria-valuetext', `${when}: ${value}`);
  }

  // goTo moves the cursor to point i; null takes it away.
  goTo(i) {
    const u = this.plot;
    if (!u) return;
    if (i == null) return u.setCursor({ left: -10, top: -10 });
    const last = this.shown.times.length - 1;
    const to = Math.min(last, Math.max(0, i));
    u.setCursor({ left: Math.min(u.over.clientWidth - 1, u.valToPos(u.data[0][to], 'x')), top: 10 });
  }

  onKey(event) {
    if (!this.plot) return;
    const at = this.plot.cursor.idx ?? this.shown.times.length - 1;
    const leap = this.shown.step === 'hour' ? 24 : 7;
    const to = {
      ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1,
      PageUp: at + leap, PageDown: at - leap, Home: 0, End: Infinity, Escape: null,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.goTo(to);
  }

  onDrag(u) {
    if (u.select.width < 8) return;
    const unit = this.unit(), at = (left) => u.posToVal(left, 'x') / unit + 0.5; // a bar stands around its time
    const from = Math.floor(at(u.select.left)) * unit;
    const to = Math.ceil(at(u.select.left + u.select.width)) * unit;
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.onSelect(from * 1e3, to * 1e3);
  }
}

function xLabel(t, incr) {
  if (incr >= 28 * 86400) return format.month(t);
  return t % 86400e3 === 0 ? format.dayShort(t) : format.clock(t);
}

// table is the same series for those who would rather read it.
export function table(series, title) {
  const head = series.step === 'day' ? 'Day (UTC)' : 'Hour (UTC)';
  const rows = series.times.map((t, i) => {
    const v = series.values[i];
    return el('tr', {},
      el('th', { scope: 'row' }, series.step === 'day' ? format.day(t) : format.moment(t)),
      el('td', {}, v == null ? '–' : series.share ? format.percent(v) : format.count(v)));
  });
  return el('table', {},
    el('caption', { className: 'vh' }, title),
    el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, head), el('th', { scope: 'col' }, title.split(' by ')[0]))),
    el('tbody', {}, ...rows));
}
