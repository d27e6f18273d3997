// The controls that choose: domain, range, and the form for a range of one's own.
import { byId, el, setText } from './dom.js';
import * as format from './format.js';
import { DAY, HOUR } from './ranges.js';

const DOMAINS_EVERY = 60e3; // how long the list of domains is good for

export class Picker {
  // go(change) is told what the reader chose.
  constructor(go) {
    this.go = go;
    this.domains = [];
    this.askedAt = -Infinity;
    this.opened = false; // the form, by the reader
    for (const id of ['from-hour', 'to-hour']) {
      byId(id).append(...[...Array(24).keys()].map((h) => el('option', { value: String(h) }, `${String(h).padStart(2, '0')}:00`)));
    }
    byId('domain').addEventListener('change', (event) => go({ domain: event.target.value }));
    byId('ranges').addEventListener('change', (event) => this.onRange(event.target.value));
    // A click on what is chosen already changes nothing, and still asks for the form.
    byId('ranges').addEventListener('click', (event) => { if (event.target.value === 'custom') this.openForm(true); });
    byId('edit').addEventListener('click', () => this.openForm(!this.opened));
    byId('custom').addEventListener('submit', (event) => { event.preventDefault(); this.onSubmit(); });
  }

  isOld() { return performance.now() - this.askedAt > DOMAINS_EVERY; }
  forget() { this.askedAt = -Infinity; }

  setDomains(domains) {
    this.askedAt = performance.now();
    this.domains = domains;
  }

  // show puts the state into the controls. range may be unknown yet.
  show(state, range) {
    const select = byId('domain');
    if (this.askedAt === -Infinity && !state.domain) return; // not known yet
    const list = state.domain && !this.domains.includes(state.domain) ? [state.domain, ...this.domains] : this.domains;
    if (list.join() !== [...select.options].map((o) => o.value).join()) {
      select.replaceChildren(...list.map((d) => el('option', { value: d }, d)));
    }
    if (list.length === 0) select.replaceChildren(el('option', { value: '' }, 'No domain yet'));
    select.disabled = list.length === 0;
    select.value = state.domain ?? '';
    if (!this.opened) { // else the reader is filling in the form: leave it as it is
      for (const input of byId('ranges').querySelectorAll('input')) input.checked = input.value === state.range;
    }
    byId('edit').hidden = state.range !== 'custom';
    if (range) {
      this.range = range;
      setText(byId('span'), format.span(range));
    }
  }

  onRange(range) {
    this.openForm(range === 'custom');
    if (!this.opened) this.go({ range, from: null, to: null, by: null });
  }

  openForm(open) {
    if (open && !this.opened && this.range) this.fill(this.range);
    this.opened = open;
    byId('custom').hidden = !open;
    byId('edit').setAttribute('aria-expanded', String(open));
  }

  fill({ from, to }) {
    for (const [id, t] of [['from', from], ['to', to]]) {
      byId(`${id}-day`).value = new Date(t).toISOString().slice(0, 10);
      byId(`${id}-hour`).value = String((t % DAY) / HOUR);
    }
    setText(byId('custom-error'), '');
  }

  onSubmit() {
    const at = (id) => Date.parse(`${byId(`${id}-day`).value}T00:00:00Z`) + Number(byId(`${id}-hour`).value) * HOUR;
    const from = at('from'), to = at('to');
    const wrong = Number.isNaN(from) ? ['from', 'Choose the day at which the range begins.']
      : Number.isNaN(to) ? ['to', 'Choose the day at which the range ends.']
      : from < 0 ? ['from', 'The range cannot begin before 1970.']
      : from >= to ? ['to', 'The end must be after the beginning.'] : null;
    for (const id of ['from-day', 'to-day']) byId(id).toggleAttribute('aria-invalid', wrong?.[0] === id.split('-')[0]);
    setText(byId('custom-error'), wrong?.[1] ?? '');
    if (wrong) return byId(`${wrong[0]}-day`).focus();
    this.openForm(false);
    this.go({ range: 'custom', from, to, by: null });
    byId('edit').focus();
  }
}
