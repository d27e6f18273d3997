// When to ask again. One load runs at a time; what the reader wants goes first,
// live updates come at a pace that leaves the server alone most of the time.
const LIVE_EVERY = 1000; // milliseconds between loads that updates cause
const REST = 9; // times as long as the last load took
const FIRST_RETRY = 1000, LAST_RETRY = 15000;

export class Refresher {
  // load(why) does it; onError(err) shows what went wrong and returns whether
  // to try again.
  constructor(load, onError) {
    this.load = load;
    this.onError = onError;
    this.timer = 0;
    this.run = 0; // the newest load; an older one that ends says nothing
    this.busy = false;
    this.again = false; // an update came while one ran
    this.endedAt = -Infinity;
    this.took = 0;
    this.retry = FIRST_RETRY;
    this.started = false; // a first load went well
  }

  // soon loads when it is time, because of an update.
  soon() {
    if (this.busy) { this.again = true; return; }
    if (this.timer) return;
    const wait = Math.max(0, this.endedAt + Math.max(LIVE_EVERY, REST * this.took) - performance.now());
    this.timer = setTimeout(() => this.now('live'), wait);
  }

  // now loads at once; a load that still runs is given up.
  async now(why) {
    clearTimeout(this.timer);
    this.timer = 0;
    const run = ++this.run, begun = performance.now();
    this.busy = true;
    this.again = false;
    let wait = 0;
    try {
      await this.load(this.started ? why : 'start');
      this.started = true;
      this.retry = FIRST_RETRY;
    } catch (err) {
      if (run !== this.run || err.name === 'AbortError') return;
      if (this.onError(err)) {
        wait = this.retry;
        this.retry = Math.min(this.retry * 2, LAST_RETRY);
      }
    }
    if (run !== this.run) return;
    this.busy = false;
    this.endedAt = performance.now();
    this.took = this.endedAt - begun;
    if (wait) this.timer = setTimeout(() => this.now(why), wait);
    else if (this.again) this.soon();
  }
}
