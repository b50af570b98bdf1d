// An EventSource that can be cut and resumed, says what state it is in, and does not give up.
//
// The browser's EventSource reconnects by itself when a connection breaks, and then sends the last
// id in the Last-Event-ID header. Two cases are left to the page: a cut that the page itself makes
// (a new EventSource cannot be given a header, so the id goes into the query), and an answer that
// is no stream, such as 503 while the hub starts, after which the browser gives up for good.

const RETRY_FIRST_MS = 1000;
const RETRY_MOST_MS = 15_000;
// Caught up is what follows the opening without a pause: the hub sends what it kept in one go.
const CATCH_UP_PAUSE_MS = 80;
const CATCH_UP_MOST_MS = 3000;

export class EventStream {
  state = "closed"; // "connecting", "open", "closed"
  lastId = "";
  opens = 0;
  events = 0;
  lastOutageMs = NaN;

  #urlFor;
  #giveUp;
  #source = null;
  #timer = 0;
  #retryMs = RETRY_FIRST_MS;
  #listeners = new Map(); // type -> functions
  #observers = []; // of every event
  #watchers = []; // of the state
  #lostAt = NaN;
  #openedAt = NaN;
  #arrivedAt = NaN;
  #catchingUp = false;

  // `urlFor(lastId)` is the address to open; `giveUp()` says whether a refusal is final.
  constructor(urlFor, giveUp = () => false) {
    this.#urlFor = urlFor;
    this.#giveUp = giveUp;
  }

  get reconnects() {
    return Math.max(0, this.opens - 1);
  }

  // `handle(event, info)`, info = {type, at, sincePrevious, caughtUp}. An EventSource hands over
  // only the types that somebody listens for; there is no way to ask it for all.
  listen(type, handle = () => {}) {
    const known = this.#listeners.get(type);
    if (known) {
      known.push(handle);
      return;
    }
    this.#listeners.set(type, [handle]);
    if (this.#source) this.#attach(this.#source, type);
  }

  get types() {
    return [...this.#listeners.keys()];
  }

  observe(handle) {
    this.#observers.push(handle);
  }

  watch(notice) {
    this.#watchers.push(notice);
    notice(this);
  }

  open() {
    if (this.#source || this.#timer) return;
    this.#connect();
  }

  close() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#drop();
    this.#become("closed");
  }

  // Away for `ms`, then back with the last id.
  cut(ms) {
    this.close();
    this.#timer = setTimeout(() => this.#connect(), ms);
  }

  #connect() {
    this.#timer = 0;
    const source = new EventSource(this.#urlFor(this.lastId));
    this.#source = source;
    // A publisher may name its events "open" or "error" too; those are MessageEvents.
    source.onopen = (event) => event instanceof MessageEvent || this.#opened();
    source.onerror = (event) => event instanceof MessageEvent || this.#failed(source);
    for (const type of this.#listeners.keys()) this.#attach(source, type);
    this.#become("connecting");
  }

  #attach(source, type) {
    source.addEventListener(type, (event) => {
      if (event instanceof MessageEvent && source === this.#source) this.#arrived(event, type);
    });
  }

  #opened() {
    this.opens += 1;
    this.#retryMs = RETRY_FIRST_MS;
    this.#openedAt = performance.now();
    this.#arrivedAt = NaN;
    this.#catchingUp = true;
    if (!Number.isNaN(this.#lostAt)) this.lastOutageMs = this.#openedAt - this.#lostAt;
    this.#lostAt = NaN;
    this.#become("open");
  }

  #failed(source) {
    if (source !== this.#source) return;
    if (source.readyState === EventSource.CONNECTING) {
      this.#become("connecting");
      return;
    }
    this.#drop();
    if (this.#giveUp()) {
      this.#become("closed");
      return;
    }
    // Jittered, so that the pages of a restarted hub do not all come at once.
    const wait = this.#retryMs * (0.5 + Math.random() / 2);
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MOST_MS);
    this.#timer = setTimeout(() => this.#connect(), wait);
    this.#become("connecting");
  }

  #arrived(event, type) {
    const at = performance.now();
    const before = Number.isNaN(this.#arrivedAt) ? this.#openedAt : this.#arrivedAt;
    if (at - before > CATCH_UP_PAUSE_MS || at - this.#openedAt > CATCH_UP_MOST_MS) {
      this.#catchingUp = false;
    }
    const info = { type, at, sincePrevious: at - this.#arrivedAt, caughtUp: this.#catchingUp };
    this.#arrivedAt = at;
    this.events += 1;
    if (event.lastEventId) this.lastId = event.lastEventId;
    for (const handle of this.#observers) handle(event, info);
    for (const handle of this.#listeners.get(type)) handle(event, info);
  }

  #drop() {
    this.#source?.close();
    this.#source = null;
  }

  #become(state) {
    if (state !== "open" && this.state === "open") this.#lostAt = performance.now();
    this.state = state;
    for (const notice of this.#watchers) notice(this);
  }
}
