// One order, live: WebSocket first, then a stream over HTTP, then long polls, hopping between them at the same position.
//
// The position is the order's dense `seq`. Events at or below it are repeats and dropped; one beyond the next means a
// hole, and the log is asked again from the position. So what is shown is complete and in order on any of the three.
import { Problem, request } from "./api.js";

const LADDER = [socket, stream, poll];
const OPEN_MS = 10_000; // to connect and get the first answer
const STEADY_MS = 5_000; // a connection that lived this long was a good one: the next back-off starts small
const CLIMB_MS = 300_000; // on a lower rung, how long until the first is tried again
const CLIMB_SOON_MS = 10_000; // the same when the first has worked before: it was an outage, not a wall
const POLL_S = 15;

const clamp = (value, low, high) => Math.min(high, Math.max(low, Number(value) || 0));
const random = (most) => Math.random() * most;

/** What a close code tells us to do (4000–4099 stop, 4100–4199 not at once, 4200–4299 at once). */
export function verdict(code, jitter) {
  if (code >= 4000 && code < 4100) return { stop: code < 4003 ? "expired" : "stopped" };
  if (code >= 4100 && code < 4200) return { least: 1000 };
  if (code >= 4200 && code < 4300) return { now: true };
  if (code === 1012) return { spread: jitter };
  return {};
}

/** What a refused request tells us to do. */
function refusal(error) {
  if (!(error instanceof Problem)) return {};
  if (error.status === 404) return { stop: "not_found" };
  if (error.status === 410 || error.status === 401 || error.status === 403) return { stop: "expired" };
  return { least: error.retryAfter * 1000 };
}

/** Full jitter: anything from nothing to a bound that doubles with every try, 20 s at most. */
export const backoff = (tries) => random(Math.min(20_000, 500 * 2 ** tries));

export class Link {
  /**
   * @param {{server?: string, pass: string, since: number, on: {event, snapshot, state}}} options
   * `on.event(event)` gets each event once, in order; `on.snapshot(order, seq)` every snapshot;
   * `on.state(state)` { name: live | reconnecting | offline | stopped, transport?, code? }.
   */
  constructor({ server = location.origin, pass, since, on }) {
    Object.assign(this, { server, pass, seq: since, on, rung: 0, failures: 0, tries: 0, hastened: 0 });
    this.state = { name: "connecting" };
    this.wake = () => (this.handle ? this.handle.check?.() : this.soon(random(500)));
    this.sleep = () => this.down({});
    this.seen_ = () => document.visibilityState === "visible" && this.handle?.check?.();
  }

  start() {
    addEventListener("online", this.wake);
    addEventListener("offline", this.sleep);
    document.addEventListener("visibilitychange", this.seen_);
    this.open();
  }

  stop() {
    this.stopped = true;
    removeEventListener("online", this.wake);
    removeEventListener("offline", this.sleep);
    document.removeEventListener("visibilitychange", this.seen_);
    this.drop();
    clearTimeout(this.timer);
  }

  /** Tells the server that a person has this position before their eyes; only a socket can. */
  seen(order, seq) {
    this.handle?.seen?.(order, seq);
  }

  open() {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.drop();
    this.opened = 0;
    this.deadline = setTimeout(() => this.down({}), OPEN_MS);
    this.handle = LADDER[this.rung](this);
  }

  /** Ends the connection we have, silently. */
  drop() {
    clearTimeout(this.deadline);
    clearTimeout(this.climb);
    const handle = this.handle;
    this.handle = undefined;
    handle?.close();
  }

  /** A connection is there and has answered. */
  up(transport) {
    clearTimeout(this.deadline);
    if (this.opened) return;
    this.opened = Date.now();
    this.failures = 0;
    if (this.rung === 0) this.topWorks = true;
    else this.climb = setTimeout(() => this.tryTop(), this.topWorks ? CLIMB_SOON_MS : CLIMB_MS);
    this.report({ name: "live", transport });
  }

  /** Looks quietly whether the first rung works by now; one failure leads back down. */
  tryTop() {
    this.topWorks = false;
    this.rung = 0;
    this.failures = 1;
    this.open();
  }

  /** The connection is gone or never came. `next` is a verdict. */
  down(next) {
    if (this.stopped) return;
    this.drop();
    if (next.stop) {
      this.stop();
      this.report({ name: "stopped", code: next.stop });
      return;
    }
    if (this.opened && Date.now() - this.opened > STEADY_MS) this.tries = 0;
    this.failures = this.opened ? 0 : this.failures + 1;
    if (this.failures >= 2) {
      this.rung = (this.rung + 1) % LADDER.length;
      this.failures = 0;
    }
    this.opened = 0;
    this.report({ name: navigator.onLine ? "reconnecting" : "offline" });
    if (!navigator.onLine) return;
    // At once only once in ten seconds, or a server that keeps saying so would be hammered.
    const hasten = next.now && Date.now() - this.hastened > 10_000;
    if (hasten) this.hastened = Date.now();
    this.soon(hasten ? 0 : (next.least ?? 0) + (next.spread === undefined ? backoff(this.tries) : random(next.spread)));
    this.tries += 1;
  }

  soon(delay) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.open(), delay);
  }

  report(state) {
    if (state.name === this.state.name && state.transport === this.state.transport) return;
    this.state = state;
    this.on.state(state);
  }

  /** Takes an event; false when there is a hole before it. */
  take(event) {
    if (event.seq <= this.seq) return true;
    if (event.seq > this.seq + 1) return false;
    this.seq = event.seq;
    this.on.event(event);
    return true;
  }

  /** Takes a whole answer: the snapshot and what came after our position. */
  takeAll({ order, seq, events = [] }) {
    if (order) this.on.snapshot(order, seq);
    return events.every((event) => this.take(event));
  }

  get query() {
    return `pass=${encodeURIComponent(this.pass)}&since=${this.seq}`;
  }
}

/** First rung: the native protocol over a WebSocket. */
function socket(link) {
  const ws = new WebSocket(`${link.server.replace(/^http/, "ws")}/live/ws`, "ordercast.v1");
  let id = 0;
  let asked = false;
  let jitter = 5000;
  let heard = Date.now();
  let beat;
  let probe;
  const send = (message) => ws.readyState === WebSocket.OPEN && ws.send(JSON.stringify(message));
  const subscribe = () => {
    if (asked) return;
    if (id) send({ type: "unsubscribe", id });
    asked = true;
    id += 1;
    send({ type: "subscribe", id, pass: link.pass, since: link.seq });
  };
  // The server's own heartbeats are invisible to scripts, so silence is broken by ours.
  const check = (patience = 5000) => {
    if (probe) return;
    send({ type: "ping" });
    const sent = Date.now();
    probe = setTimeout(() => {
      probe = undefined;
      if (heard < sent) link.down({});
    }, patience);
  };
  const types = {
    welcome(message) {
      jitter = clamp(message.reconnect_jitter_max_ms, 0, 60_000);
      beat = setInterval(() => check(10_000), clamp(message.heartbeat_ms, 5000, 120_000));
    },
    subscribed(message) {
      if (message.id !== id) return;
      asked = false;
      link.up("ws");
      link.takeAll(message);
    },
    event(message) {
      if (!link.take({ ...message.event, seq: message.seq ?? message.event.seq })) subscribe();
    },
    error(message) {
      if (message.retry === false) link.down({ stop: message.code === "unknown_order" ? "not_found" : "expired" });
      else if (message.id === id) link.down({ least: 1000 });
    },
  };
  ws.onopen = subscribe;
  ws.onmessage = ({ data }) => {
    heard = Date.now();
    const message = JSON.parse(data);
    types[message.type]?.(message);
  };
  ws.onclose = ({ code }) => link.down(verdict(code, jitter));
  return {
    check,
    seen: (order, seq) => send({ type: "seen", order, seq }),
    close() {
      ws.onopen = ws.onmessage = ws.onclose = null;
      clearInterval(beat);
      clearTimeout(probe);
      ws.close(1000);
    },
  };
}

/** Second rung: server-sent events, read by hand so that refusals and silence can be told apart. */
function stream(link) {
  const abort = new AbortController();
  let silence;
  const heard = () => {
    clearTimeout(silence);
    // Two comment lines missed in a row (one comes every 20 s).
    silence = setTimeout(() => link.down({}), 45_000);
  };
  const frame = (text) => {
    const fields = text.split("\n").map((line) => /^(\w+): ?(.*)$/.exec(line));
    const value = (name) => fields.filter((field) => field?.[1] === name).map((field) => field[2]).join("\n");
    if (!value("data")) return true;
    const data = JSON.parse(value("data"));
    if (value("event") !== "snapshot") return link.take(data);
    link.up("sse");
    return link.takeAll(data);
  };
  const run = async () => {
    const headers = { accept: "text/event-stream" };
    const answer = await request(`${link.server}/live/sse?${link.query}`, { signal: abort.signal, headers });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return link.down({});
      heard();
      const frames = (rest + value).replaceAll("\r\n", "\n").split("\n\n");
      rest = frames.pop();
      // A hole: connect anew from the position we have.
      if (!frames.every(frame)) return link.down({ now: true });
    }
  };
  run().catch((error) => abort.signal.aborted || link.down(refusal(error)));
  return {
    close() {
      clearTimeout(silence);
      abort.abort();
    },
  };
}

/** Last rung: ask, wait up to 15 s for something new, ask again. */
function poll(link) {
  const abort = new AbortController();
  const run = async () => {
    for (let wait = 0; !abort.signal.aborted; wait = POLL_S) {
      const started = Date.now();
      const limit = AbortSignal.any([abort.signal, AbortSignal.timeout((wait + 10) * 1000)]);
      const answer = await request(`${link.server}/live/poll?${link.query}&wait=${wait}`, { signal: limit });
      const news = await answer.json();
      link.up("poll");
      link.takeAll(news);
      // A server that never waits must not be asked without end.
      if (wait && Date.now() - started < 1000) await new Promise((done) => setTimeout(done, 1000));
    }
  };
  run().catch((error) => abort.signal.aborted || link.down(refusal(error)));
  return { close: () => abort.abort() };
}
