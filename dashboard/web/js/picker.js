// The controls that choose: domain, range, and the form for a range of one's own.
import * as api from './api.js';
import { byId, el, setText } from './dom.js';
import * as format from './format.js';
import { bounds, DAY, HOUR } from './ranges.js';

const DOMAINS_EVERY = 60e3; // how long the list of domains is good for
const TYPING = 200; // ms without a letter after which domains are searched

export class Picker {
  // go(change) is told what the reader chose.
  constructor(go) {
    this.go = go;
    this.domains = []; // those with the most pageviews
    this.total = 0;
    this.domain = ''; // that is shown
    this.askedAt = -Infinity;
    this.opened = false; // the form, by the reader
    for (const id of ['from-hour', 'to-hour']) {
      byId(id).append(...[...Array(24).keys()].map((h) => el('option', { value: String(h) }, `${String(h).padStart(2, '0')}:00`)));
    }
    this.listenToDomain();
    byId('ranges').addEventListener('change', (event) => this.onRange(event.target.value));
    // A click on what is chosen already changes nothing, and still asks for the form.
    byId('ranges').addEventListener('click', (event) => { if (event.target.value === 'custom') this.openForm(true); });
    byId('edit').addEventListener('click', () => this.openForm(!this.opened));
    byId('custom').addEventListener('submit', (event) => { event.preventDefault(); this.onSubmit(); });
  }

  isOld() { return performance.now() - this.askedAt > DOMAINS_EVERY; }
  forget() { this.askedAt = -Infinity; }

  // setDomains takes the answer that lists them.
  setDomains(answer) {
    this.askedAt = performance.now();
    this.domains = answer.domains.map((d) => d.domain);
    this.total = answer.total_domains ?? this.domains.length;
    this.offer(answer);
  }

  // offer puts domains into the list under the field, and says what is not there.
  offer({ domains, total_domains: total, truncated }) {
    const names = domains.map((d) => d.domain);
    if (names.join() !== [...byId('domains').options].map((o) => o.value).join()) {
      byId('domains').replaceChildren(...names.map((d) => el('option', { value: d })));
    }
    const more = (total ?? names.length) > names.length || truncated;
    setText(byId('domain-hint'), more ? `${format.count(names.length)} of ${truncated ? 'more than ' : ''}${format.count(total)} domains are listed. Type a part of a name to find others.`
      : `${format.count(names.length)} ${format.plural(names.length, 'domain', 'domains')}. Type a part of a name.`);
  }

  // The field is empty while one types, else its list would hold only the domain
  // that is shown; what is left unchanged comes back.
  listenToDomain() {
    const field = byId('domain');
    field.addEventListener('focus', () => {
      field.placeholder = this.domain;
      field.value = '';
    });
    field.addEventListener('blur', () => { field.value = this.domain; });
    field.addEventListener('input', (event) => {
      clearTimeout(this.typing);
      // A choice from the list comes at once, and not letter by letter.
      if (event.inputType === 'insertReplacementText' || !event.inputType) return this.choose();
      this.typing = setTimeout(() => this.search(), TYPING);
    });
    field.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') this.choose();
      if (event.key === 'Escape') field.blur();
    });
  }

  choose() {
    clearTimeout(this.typing);
    const domain = byId('domain').value.trim().toLowerCase();
    if (!domain) return;
    this.domain = domain;
    byId('domain').blur();
    this.go({ domain });
  }

  // search asks the server, which knows all domains; a newer one overtakes it.
  async search() {
    this.searching?.abort();
    this.searching = new AbortController();
    try {
      this.offer(await api.domains(bounds({ range: 'all' }, Date.now()), byId('domain').value.trim(), this.searching.signal));
    } catch {
      // The list stays as it is; any name can be typed in full.
    }
  }

  // show puts the state into the controls. range may be unknown yet.
  show(state, range) {
    const field = byId('domain');
    if (this.askedAt === -Infinity && !state.domain) return; // not known yet
    this.domain = state.domain ?? '';
    field.disabled = !this.domain && this.domains.length === 0;
    if (document.activeElement === field) field.placeholder = this.domain;
    else field.value = this.domain;
    if (field.disabled) field.placeholder = 'No domain yet';
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
