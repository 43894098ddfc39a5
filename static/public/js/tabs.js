// Several tabs of one order share one connection: the tab that holds the lock has it and passes on what it hears.
//
// A browser opens six connections to one host over HTTP/1.1; tabs left open would use them up. Where the browser lacks
// locks or channels every tab has its own connection.
import { Link } from "./live.js";

const PATIENCE_MS = 3000; // how long a visible tab waits for the connected one before it takes over
const ASK_MS = 60_000;

export class Live {
  /** @param options those of Link, `name` of what is shared, and `history(since)` → { order, seq, events } */
  constructor(options) {
    Object.assign(this, options);
    this.state = { name: "connecting" };
    this.position = options.since;
  }

  start() {
    if (!navigator.locks || !window.BroadcastChannel) {
      this.lead();
      return;
    }
    this.channel = new BroadcastChannel(this.name);
    this.channel.onmessage = ({ data }) => this.hear(data);
    this.look = () => document.visibilityState === "visible" && this.ask();
    document.addEventListener("visibilitychange", this.look);
    this.asking = setInterval(this.look, ASK_MS);
    this.queue({});
    this.ask();
  }

  /** Ends the connection, here and for the other tabs; a stopped tab still answers them. */
  stop() {
    this.link?.stop();
    this.ended = true;
  }

  /** Tries again now instead of when the back-off says. */
  retry() {
    if (this.link) this.link.wake();
    else this.channel?.postMessage({ kind: "retry" });
  }

  seen(order, seq) {
    if (this.link) this.link.seen(order, seq);
    else this.channel?.postMessage({ kind: "seen", order, seq });
  }

  /** Waits for the lock, for as long as it takes; with `steal` takes it from a tab that no longer answers. */
  queue(options) {
    const hold = () => new Promise(() => this.lead());
    navigator.locks.request(this.name, options, hold).catch(() => {
      // Another tab took the lock from us.
      this.link?.stop();
      this.link = undefined;
      this.queue({});
    });
  }

  lead() {
    if (this.link || this.ended) return;
    clearTimeout(this.patience);
    const tell = (message, act) => {
      this.channel?.postMessage(message);
      act();
    };
    this.link = new Link({
      server: this.server,
      pass: this.pass,
      since: this.position,
      on: {
        event: (event) => tell({ kind: "event", event }, () => this.event(event)),
        snapshot: (order, seq) => tell({ kind: "snapshot", order, seq }, () => this.on.snapshot(order, seq)),
        state: (state) => tell({ kind: "state", state }, () => this.become(state)),
      },
    });
    this.link.start();
  }

  /** Asks the connected tab what we have missed; takes over when none answers. */
  ask() {
    if (this.link || this.ended) return;
    this.channel.postMessage({ kind: "hello", since: this.position });
    clearTimeout(this.patience);
    this.patience = setTimeout(() => {
      if (!this.link && document.visibilityState === "visible") this.queue({ steal: true });
    }, PATIENCE_MS);
  }

  hear(message) {
    if (message.kind === "hello" && this.link) {
      this.channel.postMessage({ kind: "history", ...this.history(message.since), state: this.state });
    } else if (message.kind === "retry") {
      this.link?.wake();
    } else if (message.kind === "seen") {
      this.link?.seen(message.order, message.seq);
    } else if (!this.link) {
      this.follow(message);
    }
  }

  follow(message) {
    clearTimeout(this.patience);
    if (message.kind === "event") this.event(message.event);
    if (message.kind === "snapshot" || message.kind === "history") this.on.snapshot(message.order, message.seq);
    for (const event of message.events ?? []) this.event(event);
    if (message.state) this.become(message.state);
  }

  event(event) {
    if (event.seq <= this.position) return;
    if (event.seq > this.position + 1) {
      this.ask();
      return;
    }
    this.position = event.seq;
    this.on.event(event);
  }

  become(state) {
    this.state = state;
    this.on.state(state);
  }
}
