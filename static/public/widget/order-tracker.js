// <order-tracker token="…">: one order, live, on any page. One classic script, nothing else is loaded for English.
// The server fills in the tables below from the same sources its own pages use.
(() => {
  "use strict";
  if (customElements.get("order-tracker")) return;

  const LOOKS = {/* status table */};
  const ICONS = {/* icons */};
  const ENGLISH = {/* words */};
  const ORIGIN = new URL(document.currentScript.src).origin;
  const QUIETLY = { credentials: "omit", cache: "no-cache" };
  const UNKNOWN = { tone: "neutral", icon: "clock" };

  const CSS = `
:host{display:block;color-scheme:light dark;font:var(--order-font,inherit);line-height:1.45;max-width:var(--order-max-width,420px)}
:host([size=mini]){display:inline-block;max-width:100%;vertical-align:middle}
:host([hidden]),[hidden]{display:none!important}
:host([theme=light]){color-scheme:light}:host([theme=dark]){color-scheme:dark}
*{box-sizing:border-box;margin:0;padding:0}ol{list-style:none}
/* tones */
.root{--fg:var(--order-fg,light-dark(#12161d,#eef1f6));--muted:var(--order-muted,light-dark(#5f697b,#919bac));--bg:var(--order-bg,light-dark(#fff,#14181f));--line:var(--order-border,light-dark(#e3e6ec,#262c37));--track:var(--order-track,light-dark(#cdd3dd,#3a4250));--accent:var(--order-accent,var(--tone));color:var(--fg)}
.card{container-type:inline-size;background:var(--bg);border:1px solid var(--line);border-radius:var(--order-radius,14px);padding:var(--order-pad,16px);display:grid;gap:12px}
.top,.pill,.live,a,button{display:flex;align-items:center;gap:8px}
.top{justify-content:space-between;font-size:13px;color:var(--muted)}
.pill{width:fit-content;background:color-mix(in srgb,var(--tone) 12%,var(--bg));color:var(--text);border-radius:99px;padding:3px 12px 3px 9px;font-size:13px;font-weight:600;line-height:20px;text-decoration:none;box-shadow:inset 0 0 0 1px color-mix(in srgb,var(--tone) 16%,transparent)}
svg{width:16px;height:16px;flex:none;fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}
.dot{width:8px;height:8px;border-radius:50%;background:var(--tone)}
.headline{font-size:18px;font-weight:700;line-height:1.25}
.progress{display:grid;grid-template-columns:repeat(5,1fr);gap:4px;font-size:11px;color:var(--muted)}
.step::before{content:"";display:block;height:4px;border-radius:4px;background:var(--track);margin-block-end:6px;forced-color-adjust:none}
.done::before,.now::before{background:var(--accent)}.now{color:var(--text);font-weight:700}
.step span{font-size:0}@container (min-width:340px){.step span{font-size:11px}}
.timeline{display:grid;gap:10px;border-block-start:1px solid var(--line);padding-block-start:12px}
.event{display:grid;grid-template-columns:auto 1fr;gap:0 10px;font-size:14px}
.event time{font-size:12px;color:var(--muted);line-height:20px}.event p{grid-column:2;font-size:13px;color:var(--muted)}
a.link{font-size:13px;color:var(--order-accent,var(--text));min-height:24px}
button{font:inherit;font-size:13px;color:inherit;background:none;border:1px solid var(--track);border-radius:8px;padding:6px 12px;min-height:32px;cursor:pointer;margin-block-start:8px}
.vh{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}`;

  const sheet = new CSSStyleSheet();
  sheet.replaceSync(CSS);

  const el = (tag, name, part, ...children) => {
    const node = document.createElement(tag);
    if (name) node.className = name;
    if (part) node.setAttribute("part", part);
    node.append(...children);
    return node;
  };
  const icon = (name) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    const path = document.createElementNS(svg.namespaceURI, "path");
    path.setAttribute("d", ICONS[name] ?? ICONS.clock);
    svg.append(path);
    return svg;
  };
  const readable = (code) => {
    const text = code.replace(/[_-]/g, " ");
    return text.charAt(0).toUpperCase() + text.slice(1);
  };

  // ---- the connection: WebSocket, else event stream, else polls, at one position

  const RUNGS = {
    ws(link, up, take, fail) {
      const socket = new WebSocket(`${link.server.replace(/^http/, "ws")}/live/ws`, "ordercast.v1");
      let jitter = 5000;
      let quiet = 0;
      let beat;
      const send = (message) => socket.readyState === 1 && socket.send(JSON.stringify(message));
      socket.onopen = () => send({ type: "subscribe", id: 1, pass: link.token, since: link.seq() });
      socket.onmessage = ({ data }) => {
        quiet = 0;
        const message = JSON.parse(data);
        if (message.type === "welcome") {
          jitter = Math.min(60000, message.reconnect_jitter_max_ms ?? jitter);
          // Two beats without a word from the other side: gone.
          beat = setInterval(() => (quiet++ > 1 ? fail({}) : send({ type: "ping" })), message.heartbeat_ms || 25000);
        } else if (message.type === "subscribed") {
          up();
          take(message);
        } else if (message.type === "event") take({ events: [message.event] }) || fail({});
        else if (message.type === "error") fail(message.retry ? {} : { stop: message.code });
      };
      socket.onclose = ({ code }) => {
        if (code >= 4000 && code < 4100) fail({ stop: "expired" });
        else fail(code === 1012 ? { spread: jitter } : { least: code >= 4100 && code < 4200 ? 1000 : 0 });
      };
      return () => {
        socket.onopen = socket.onmessage = socket.onclose = null;
        clearInterval(beat);
        socket.close();
      };
    },
    sse(link, up, take, fail) {
      const stream = new EventSource(link.url("sse"));
      stream.addEventListener("snapshot", ({ data }) => {
        up();
        take(JSON.parse(data));
      });
      stream.addEventListener("order", ({ data }) => take({ events: [JSON.parse(data)] }) || fail({}));
      stream.onerror = () => fail({});
      return () => stream.close();
    },
    poll(link, up, take, fail) {
      const abort = new AbortController();
      (async () => {
        for (let wait = 0; ; wait = 15) {
          if (wait) await link.shown();
          const since = Date.now();
          const answer = await fetch(`${link.url("poll")}&wait=${wait}`, { ...QUIETLY, signal: abort.signal });
          if (answer.status >= 500) throw answer;
          if (answer.status === 429) return fail({ code: "rate_limited", least: 1000 * (answer.headers.get("retry-after") || 10) });
          if (!answer.ok) return fail({ stop: answer.status === 404 ? "not_found" : "expired" });
          const news = await answer.json();
          up();
          take(news);
          if (wait && Date.now() - since < 1000) await new Promise((done) => setTimeout(done, 1000));
        }
      })().catch(() => abort.signal.aborted || fail({}));
      return () => abort.abort();
    },
  };
  const STOPS = { not_found: "not_found", unknown_order: "not_found", forbidden: "forbidden" };

  class OrderTracker extends HTMLElement {
    static observedAttributes = ["token", "server", "size", "theme", "lang", "labels", "href", "history", "transport", "quiet"];

    #root = this.attachShadow({ mode: "open" });
    #internals = this.attachInternals();
    #run = 0; // which start this is: answers to an earlier one are ignored
    #close;
    #timer;
    #order = null;
    #events = [];
    #seq;
    #state = "offline";
    #rung = 0;
    #fails = 0;
    #tries = 0;
    #words = ENGLISH;
    #waiting = new Set();
    #seen = true;
    #observer;
    #announcer = el("div", "vh");
    #onVisible = () => this.#wake();
    #problem = null;

    constructor() {
      super();
      this.#root.adoptedStyleSheets = [sheet];
      this.#announcer.setAttribute("role", "status");
      this.#root.append(el("div", "root"), this.#announcer);
    }

    get order() {
      return this.#order;
    }
    get connection() {
      return this.#state;
    }

    connectedCallback() {
      // Properties set before this script came shadow the accessors: set them again.
      for (const name of ["token", "server", "size", "theme", "labels"]) {
        if (!Object.hasOwn(this, name)) continue;
        const value = this[name];
        delete this[name];
        this[name] = value;
      }
      document.addEventListener("visibilitychange", this.#onVisible);
      addEventListener("online", this.#onVisible);
      // A busy page reports several looks at once, the newest last.
      this.#observer = new IntersectionObserver((looks) => {
        this.#seen = looks.at(-1).isIntersecting;
        this.#wake();
      });
      this.#observer.observe(this);
      this.#restart();
    }

    disconnectedCallback() {
      document.removeEventListener("visibilitychange", this.#onVisible);
      removeEventListener("online", this.#onVisible);
      this.#observer.disconnect();
      // An element that is only moved is back before the microtask runs and keeps its connection.
      queueMicrotask(() => this.isConnected || this.disconnect());
    }

    attributeChangedCallback(name, before, after) {
      if (before === after || !this.isConnected) return;
      if (["token", "server", "transport"].includes(name)) {
        this.#order = null;
        this.#events = [];
        this.#seq = undefined;
        this.#stop();
        this.#restart();
      } else if (name === "lang") this.#speak();
      else this.#paint();
    }

    connect() {
      this.#restart();
    }
    disconnect() {
      this.#stop();
      this.#become("offline");
    }
    /** Asks once for the newest state. */
    async refresh() {
      const answer = await fetch(this.#url("poll") + "&wait=0", QUIETLY);
      if (answer.ok) this.#take(await answer.json());
    }

    /** Where to ask for what came after our position. */
    #url(transport) {
      return `${this.#server()}/live/${transport}?pass=${encodeURIComponent(this.token)}&since=${this.#seq ?? 0}`;
    }

    #server() {
      return (this.getAttribute("server") || ORIGIN).replace(/\/$/, "");
    }

    #visible() {
      return this.#seen && document.visibilityState === "visible";
    }

    #wake() {
      if (!this.#visible()) return;
      for (const go of this.#waiting) go();
      this.#waiting.clear();
    }

    #shown() {
      return new Promise((go) => (this.#visible() ? go() : this.#waiting.add(go)));
    }

    /** One start only, however often attributes change and callbacks come while the element is upgraded. */
    #restart() {
      // What is only moved stays connected: another number here would make it deaf.
      if (this.#close) return;
      const run = ++this.#run;
      queueMicrotask(() => {
        if (run !== this.#run || !this.isConnected || this.#close) return;
        if (!this.token) return;
        this.#problem = null;
        this.#speak();
        this.#become("connecting");
        this.#open(run);
      });
    }

    #stop() {
      this.#run++;
      clearTimeout(this.#timer);
      this.#close?.();
      this.#close = undefined;
    }

    #open(run) {
      const only = this.getAttribute("transport");
      const ladder = RUNGS[only] ? [only] : Object.keys(RUNGS);
      let opened = 0;
      let over = false;
      const deadline = setTimeout(() => fail({}), 10000);
      const up = () => {
        clearTimeout(deadline);
        if (opened) return;
        opened = Date.now();
        this.#fails = 0;
        this.#become("live");
      };
      const fail = ({ stop, code, least = 0, spread }) => {
        if (over) return;
        over = true;
        clearTimeout(deadline);
        this.#close?.();
        this.#close = undefined;
        if (run !== this.#run) return;
        if (stop) {
          this.#run++;
          this.#fault(STOPS[stop] ?? "expired", false);
          return;
        }
        this.#fault(code ?? "network", true);
        this.#fails = opened ? 0 : this.#fails + 1;
        if (this.#fails > 1) {
          this.#rung = (this.#rung + 1) % ladder.length;
          this.#fails = 0;
        }
        if (opened && Date.now() - opened > 5000) this.#tries = 0;
        const delay = least + Math.random() * (spread ?? Math.min(20000, 500 * 2 ** this.#tries++));
        this.#timer = setTimeout(() => this.#shown().then(() => run === this.#run && this.#open(run)), delay);
      };
      const link = {
        server: this.#server(),
        token: this.token,
        seq: () => this.#seq ?? 0,
        shown: () => this.#shown(),
        url: (transport) => this.#url(transport),
      };
      const take = (news) => run !== this.#run || this.#take(news);
      this.#close = RUNGS[ladder[this.#rung % ladder.length]](link, up, take, fail);
    }

    /** Takes an answer; false when there is a hole before one of its events. */
    #take({ order, seq, events = [] }) {
      const before = this.#order;
      const first = !before;
      if (order && !(before?.seq > seq)) this.#order = { ...order, seq };
      this.#seq ??= 0;
      let news = false;
      for (const event of events) {
        if (event.seq <= this.#seq) continue;
        if (event.seq > this.#seq + 1) return false;
        this.#seq = event.seq;
        this.#events.push(event);
        if (event.seq > this.#order.seq) this.#lay(event);
        news = true;
      }
      if (!order && !news) return true;
      this.#paint();
      if (first) this.#fire("order-ready", { order: this.#order });
      else if (this.#order.seq > before.seq) this.#told(before);
      return true;
    }

    #lay(event) {
      const order = (this.#order = { ...this.#order, seq: event.seq });
      const fields = ["status", "carrier", "tracking_number", "tracking_url", "estimated_delivery", "shipment_status"];
      for (const field of fields) if (event[field]) order[field] = event[field];
      if (event.status === "delivered") order.delivered_at = event.occurred_at;
    }

    #told(before) {
      const order = this.#order;
      this.#fire("order-update", { order, status: order.status, previousStatus: before.status });
      if (order.status === before.status) return;
      if (order.status === "delivered") this.#fire("order-delivered", { order });
      if (this.hasAttribute("quiet")) return;
      const sentence = { number: order.number, label: this.#label(order.status), headline: this.#headline() };
      this.#announcer.textContent = this.#t("announce.status", sentence);
    }

    #fault(code, retryable) {
      const wasLive = this.#state === "live";
      if (!retryable || !this.#order) this.#problem = { code, retryable };
      this.#become(retryable ? "reconnecting" : "ended");
      if (!retryable || !wasLive) this.#fire("order-error", { code, retryable });
      this.#paint();
    }

    #become(state) {
      if (state === this.#state) return;
      if (state === "live") this.#problem = null;
      const { states } = this.#internals;
      try {
        states.delete(this.#state);
        states.add(state);
      } catch {
        // Browsers that only know dashed names go without.
      }
      this.#state = state;
      this.#fire("order-connection", { state });
      this.#paint();
    }

    #fire(type, detail) {
      this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
    }

    // ---- words

    async #speak() {
      const asked = (this.getAttribute("lang") || this.closest("[lang]")?.lang || "en").split("-")[0].toLowerCase();
      let words = ENGLISH;
      if (asked !== "en" && /^[a-z]{2,3}$/.test(asked)) {
        const url = `${this.#server()}/widget/v1/locales/${asked}.json`;
        const load = (answer) => (answer.ok ? answer.json() : ENGLISH);
        words = await fetch(url, QUIETLY).then(load).catch(() => ENGLISH);
      }
      this.#words = words;
      this.#paint();
    }

    #t(key, gaps = {}) {
      const own = this.labels?.[key] ?? this.labels?.[key.replace(/^(status|widget)\./, "")];
      const text = own ?? this.#words.strings[key] ?? ENGLISH.strings[key] ?? key;
      return text.replace(/\{(\w+)\}/g, (gap, name) => gaps[name] ?? gap);
    }

    #label(status) {
      const key = `status.${status}`;
      return this.#t(key) === key ? readable(status) : this.#t(key);
    }

    #date(at, options) {
      return new Intl.DateTimeFormat(this.#words.intl, options).format(at);
    }

    #headline() {
      const { status, estimated_delivery: promised, delivered_at: delivered } = this.#order;
      const day = { weekday: "long", day: "numeric", month: "long" };
      const time = { hour: "numeric", minute: "2-digit", hour12: this.#words.lang === "en" };
      const today = new Date().toDateString();
      // A day without a time is the reader's own day, not midnight in UTC.
      const eta = promised ? new Date(promised.length > 10 ? promised : `${promised}T00:00`) : null;
      const ahead = eta && (eta > new Date() || eta.toDateString() === today);
      const dueToday = ahead && eta.toDateString() === today;
      if (status === "delivered" && delivered) {
        const at = new Date(delivered);
        const isToday = at.toDateString() === today;
        const gaps = { date: this.#date(at, day), time: this.#date(at, time) };
        return this.#t(isToday ? "headline.delivered_today" : "headline.delivered_at", gaps);
      }
      if (ahead && this.#late()) return this.#t("headline.delayed", { date: this.#date(eta, day) });
      const near = dueToday && (status === "shipped" || status === "out_for_delivery");
      if (near && promised.length > 10) return this.#t("headline.out_for_delivery_by", { time: this.#date(eta, time) });
      if (status === "shipped" && ahead && !near) return this.#t("headline.shipped_eta", { date: this.#date(eta, day) });
      const key = `headline.${near ? "out_for_delivery" : status}`;
      return this.#t(key) === key ? this.#t("headline.unknown") : this.#t(key);
    }

    #late() {
      const look = LOOKS.statuses[this.#order.status] ?? UNKNOWN;
      return this.#order.delayed && !look.bare && (look.step ?? 0) < 4;
    }

    // ---- what is seen

    #paint() {
      const root = this.#root.firstElementChild;
      const order = this.#order;
      const gone = this.#problem && !this.#problem.retryable;
      if (!order || gone) {
        root.className = "root tone-neutral";
        root.replaceChildren(...this.#empty());
        return;
      }
      const late = this.#late();
      const look = LOOKS.statuses[late ? "delayed" : order.status] ?? UNKNOWN;
      root.dir = this.#words.dir;
      root.className = `root tone-${look.tone}`;
      const label = this.#label(late ? "delayed" : order.status);
      const pill = el("span", "pill", "status", icon(look.icon), label);
      const link = this.#link();
      if (this.getAttribute("size") === "mini") {
        const mini = link ? Object.assign(el("a", "pill", "link status", icon(look.icon), label), { href: link }) : pill;
        root.replaceChildren(mini);
        return;
      }
      const headline = el("p", "headline", "headline", this.#headline());
      const number = el("bdi", "", "order-number", this.#t("widget.order", { number: order.number }));
      const header = Object.assign(el("slot"), { name: "header" });
      const card = el("div", "card", "card", header, el("div", "top", "header", number, this.#live(look)), pill, headline);
      if (!look.bare) card.append(this.#progress());
      if (this.getAttribute("size") === "full") card.append(this.#timeline());
      if (link) card.append(Object.assign(el("a", "link", "link", this.#t("widget.details")), { href: link }));
      card.append(Object.assign(el("slot"), { name: "footer" }));
      root.replaceChildren(card);
    }

    #empty() {
      if (!this.#problem) return [el("slot")];
      const { code, retryable } = this.#problem;
      const words = this.#t(`widget.${code === "forbidden" ? "expired" : code}`);
      const message = el("div", "card", "card message", el("p", "", "", words));
      if (retryable) {
        const button = el("button", "", "", this.#t("widget.retry"));
        button.type = "button";
        button.addEventListener("click", () => {
          this.#stop();
          this.#restart();
        });
        message.append(button);
      }
      return [message];
    }

    #live(look) {
      const state = ["live", "offline"].includes(this.#state) ? this.#state : "reconnecting";
      const tone = { live: "success", offline: "danger" }[state] ?? "warning";
      const live = el("span", "live", "live", el("i", `dot tone-${tone}`), this.#t(`widget.${state}`));
      live.hidden = Boolean(look.ended);
      return live;
    }

    #progress() {
      const here = (LOOKS.statuses[this.#order.status] ?? UNKNOWN).step ?? 0;
      const steps = LOOKS.steps.map(([status], i) => {
        const name = el("span", "", "", this.#label(status));
        const stage = i + 1 < here || here === 5 ? "done" : i + 1 === here ? "now" : "";
        const step = el("li", `step ${stage}`, "step", name);
        if (stage === "now") step.setAttribute("aria-current", "step");
        if (stage !== "now") step.append(el("b", "vh", "", this.#t(stage ? "step.done" : "step.todo")));
        return step;
      });
      const list = el("ol", "progress", "progress", ...steps);
      list.setAttribute("aria-label", this.#t("widget.progress"));
      return list;
    }

    #timeline() {
      const most = Math.max(0, parseInt(this.getAttribute("history") ?? "3", 10) || 0);
      const newest = this.#events.slice(-most || Infinity).reverse();
      const rows = (most ? newest : []).map((event) => {
        const at = new Date(event.occurred_at);
        const time = el("time", "", "", this.#date(at, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }));
        time.dateTime = event.occurred_at ?? "";
        const moved = event.type === "status_changed" || event.type === "order_created";
        const name = moved ? this.#label(event.status) : readable(event.shipment_status ?? event.type);
        const row = el("li", "event", "event", time, el("b", "", "", name));
        if (event.note) row.append(el("p", "", "", event.note));
        return row;
      });
      const list = el("ol", "timeline", "timeline", ...rows);
      list.hidden = rows.length === 0;
      return list;
    }

    #link() {
      const href = this.getAttribute("href");
      if (href === "none") return null;
      return href || `${this.#server()}/track/${encodeURIComponent(this.token)}`;
    }
  }

  for (const name of ["token", "server", "size", "theme"]) {
    Object.defineProperty(OrderTracker.prototype, name, {
      get() {
        return this.getAttribute(name);
      },
      set(value) {
        if (value === null || value === undefined) this.removeAttribute(name);
        else this.setAttribute(name, value);
      },
    });
  }
  Object.defineProperty(OrderTracker.prototype, "labels", {
    get() {
      try {
        return JSON.parse(this.getAttribute("labels"));
      } catch {
        return null;
      }
    },
    set(value) {
      if (value) this.setAttribute("labels", JSON.stringify(value));
      else this.removeAttribute("labels");
    },
  });

  customElements.define("order-tracker", OrderTracker);
})();
