// The stream of server-sent events. EventSource connects again by itself after
// a cut, but gives up when the server answers with an error; so this does not.
const FIRST_WAIT = 1000, LONGEST_WAIT = 15000;

export class Live {
  // onUpdate gets each update; onState gets 'live' or 'lost'.
  constructor(onUpdate, onState) {
    this.onUpdate = onUpdate;
    this.onState = onState;
    this.domain = undefined;
    this.source = null;
    this.timer = 0;
    this.wait = FIRST_WAIT;
  }

  // follow listens for a domain (null: for anything), instead of the one before.
  follow(domain) {
    if (domain === this.domain && this.source) return;
    this.domain = domain;
    this.open();
  }

  open() {
    this.close();
    const source = new EventSource('/api/v1/live' + (this.domain ? `?domain=${encodeURIComponent(this.domain)}` : ''));
    this.source = source;
    source.onopen = () => {
      this.wait = FIRST_WAIT;
      this.onState('live');
    };
    source.addEventListener('update', (event) => {
      let update;
      try { update = JSON.parse(event.data); } catch { return; } // the next one will be whole
      this.onUpdate(update);
    });
    source.onerror = () => {
      this.onState('lost');
      if (source.readyState !== EventSource.CLOSED) return;
      this.timer = setTimeout(() => this.open(), this.wait);
      this.wait = Math.min(this.wait * 2, LONGEST_WAIT);
    };
  }

  close() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }
}
