// The tracking page: takes over the nodes the server sent and keeps them up to date.
import { $, clone, isWeb, kept, replay, setIcon, setText, setTone } from "./dom.js";
import { count, fill, speak, t } from "./i18n.js";
import { Live } from "./tabs.js";
import { ago, date, dayName, dayOf, estimate, hhmm, instant, precise } from "./time.js";
import { theme } from "./look.js";
import { mailing, notifications, notify } from "./posted.js";
import { toast } from "./toast.js";
import { hero, know, look, rows } from "./words.js";

const OPEN_ROWS = 4;
const LINGER_MS = 60_000; // an order that is at its end stays connected this long
const BANNER_MS = 5000;
const TROUBLE_MS = 30_000; // a connection that is gone this long is the server's trouble, not the way's

const boot = JSON.parse($("boot").textContent);
speak(boot.lang);
know(boot.looks);
const view = boot.view;
// A clock that is badly wrong would make "today" and "ago" wrong as well.
const skew = Date.parse(boot.now) - Date.now();
const now = () => new Date(Date.now() + (Math.abs(skew) > 60_000 ? skew : 0));

const icon = decodeURIComponent($("favicon").href);
let fresh = new Set();
let shownDay;
let marked = false;

// ---- painting

function paint() {
  const shown = hero(view, now());
  paintHero(shown);
  paintSteps(shown.steps);
  paintTimeline(shown);
  paintDelivery();
  paintTitle(shown);
  tick();
  return shown;
}

function paintHero(shown) {
  setTone($("hero"), shown.look.tone);
  setIcon($("pill"), shown.look.icon);
  setText($("pill").querySelector("span"), shown.label);
  if (setText($("h"), shown.headline)) replay($("h"), "swap");
  setText($("sub").firstElementChild, shown.sub);
  const [month, day, caption] = $("tile").children;
  $("tile").hidden = !shown.tile;
  setText(month, shown.tile?.month ?? "");
  setText(day, shown.tile?.day ?? "");
  setText(caption, shown.tile?.caption ?? "");
}

function paintSteps(steps) {
  $("steps").hidden = !steps;
  steps?.forEach((step, i) => {
    const node = $("steps").children[i];
    node.className = step.stage;
    if (step.stage === "now") node.setAttribute("aria-current", "step");
    else node.removeAttribute("aria-current");
    setIcon(node, step.icon);
    const [name, state] = node.querySelectorAll("b > span");
    setText(name, step.label);
    setText(state, step.stage === "done" ? t("step.done") : step.stage === "now" ? "" : t("step.todo"));
    setText(node.querySelector("small"), step.time);
  });
}

function paintTimeline(shown) {
  const all = rows(view.events);
  const folded = all.slice(OPEN_ROWS);
  $("timeline").replaceChildren(...list(all.slice(0, OPEN_ROWS), shown));
  $("earlier-list").replaceChildren(...list(folded));
  $("earlier").hidden = folded.length === 0;
  $("no-updates").hidden = all.length > 0;
  setText($("earlier-count"), count("page.earlier", folded.length));
  shownDay = dayOf(now());
}

function list(part, shown) {
  const day = (row) => row?.at && dayOf(row.at);
  return part.flatMap((row, i) => {
    const item = clone("t-event");
    item.dataset.seq = row.seq;
    item.classList.toggle("last", day(row) !== day(part[i + 1]));
    item.classList.toggle("fresh", fresh.has(row.seq));
    if (shown && i === 0) {
      item.classList.add("cur", `tone-${shown.look.tone}`);
      setIcon(item, shown.look.icon);
    } else if (fresh.has(row.seq)) {
      item.classList.add("tone-neutral");
    }
    if (row.at) {
      const time = item.querySelector("time");
      time.dateTime = row.at.toISOString();
      time.title = precise(row.at);
      time.textContent = hhmm(row.at);
    }
    item.querySelector("b > bdi").textContent = row.title;
    item.querySelector(".tag").hidden = !fresh.has(row.seq);
    item.querySelector("p").hidden = !row.text;
    item.querySelector("p > bdi").textContent = row.text ?? "";
    if (!row.at || (i > 0 && day(part[i - 1]) === day(row))) return [item];
    const heading = clone("t-day");
    heading.textContent = dayName(row.at, now());
    return [heading, item];
  });
}

function paintDelivery() {
  const order = view.order;
  const eta = estimate(order.estimated_delivery);
  const site = isWeb(order.tracking_url);
  $("kv-estimate").hidden = !eta;
  setText($("kv-estimate").querySelector("dd > span"), eta ? date("date.full", eta.at) : "");
  $("kv-carrier").hidden = !order.carrier && !site;
  setText($("kv-carrier").querySelector("bdi"), order.carrier ?? "");
  $("carrier-site").hidden = !site;
  if (site) $("carrier-site").href = order.tracking_url;
  $("kv-number").hidden = !order.tracking_number;
  setText($("kv-number").querySelector("bdi"), order.tracking_number ?? "");
  $("copy").hidden = !navigator.clipboard;
  if (eta || order.carrier || site || order.tracking_number) $("delivery").hidden = false;
}

function paintTitle(shown) {
  const { number, shop } = view.order;
  const title = fill("page.title", { label: shown.label, number, shop: shop.name });
  document.title = marked ? `● ${title}` : title;
  const tone = getComputedStyle($("tile").firstElementChild).backgroundColor;
  const dot = `<circle cx='25' cy='7' r='6.5' fill='${tone}' stroke='#fff' stroke-width='1.5'/></svg>`;
  const drawing = marked ? icon.replace("</svg>", dot) : icon;
  $("favicon").href = `data:image/svg+xml,${encodeURIComponent(drawing.slice(drawing.indexOf(",") + 1))}`;
}

function tick() {
  const at = instant(view.events.at(-1)?.occurred_at);
  setText($("updated"), at ? fill("page.updated", { ago: ago(at, now()) }) : "");
  if (shownDay !== dayOf(now())) paint();
}

// ---- what arrives

/** Lays an event over the snapshot; one the snapshot already holds changes nothing. */
function merge(order, event) {
  if (event.seq <= order.seq) return;
  const before = order.estimated_delivery;
  const old = estimate(before);
  const fields = ["status", "carrier", "tracking_number", "tracking_url", "estimated_delivery", "shipment_status"];
  for (const field of fields) if (event[field]) order[field] = event[field];
  const eta = estimate(order.estimated_delivery);
  if (old && eta && eta.at > old.at) {
    order.original_estimated_delivery ??= before;
    order.delayed = true;
  }
  order.seq = event.seq;
  order.updated_at = event.occurred_at ?? order.updated_at;
  if (event.status === "delivered") order.delivered_at = event.occurred_at;
  if (event.status === "cancelled") order.cancellation_reason ??= event.note;
}

function onSnapshot(order, seq) {
  if (seq < view.order.seq) return;
  view.order = { ...order, seq };
  if (view.events.at(-1)?.seq >= seq) paint();
}

function onEvent(event) {
  const before = hero(view, now());
  const batch = arrived.length > 0;
  view.events.push(event);
  merge(view.order, event);
  if (!batch) fresh = new Set();
  fresh.add(event.seq);
  if (!document.hasFocus()) marked = true;
  arrived.push(event);
  if (!batch) queueMicrotask(() => settle(before));
}

/** What came in one go is painted, announced and counted in one go. */
const arrived = [];
function settle(before) {
  const shown = paint();
  if (shown.label !== before.label || shown.headline !== before.headline) {
    announce(fill("announce.status", { number: view.order.number, label: shown.label, headline: shown.headline }));
    const { id, number, shop } = view.order;
    notify(fill("page.title", { label: shown.label, number, shop: shop.name }), shown.headline, id);
  }
  if (view.order.status === "delivered" && before.look.tone !== "success") {
    replay($("pill"), "draw");
    replay($("steps"), "draw");
  }
  away.count += arrived.length;
  arrived.length = 0;
  sawIt();
  linger();
}

let sentence;
function announce(text) {
  clearTimeout(sentence);
  sentence = setTimeout(() => ($("announcer").textContent = text), 500);
}

function sawIt() {
  const last = view.events.at(-1)?.seq;
  if (last && document.visibilityState === "visible") live.seen(view.order.id, last);
}

// ---- the connection as people see it

const away = { since: 0, count: 0 };
let bannerTimer;

function onState(state) {
  clearTimeout(bannerTimer);
  const chips = {
    live: state.transport === "poll" ? ["", "chip.fallback"] : ["", "chip.live"],
    connecting: ["reconnecting", "chip.connecting"],
    reconnecting: ["reconnecting", "chip.reconnecting"],
    offline: ["offline", "chip.offline"],
  };
  const [kind, words] = chips[state.name] ?? [];
  const chip = $("chip");
  chip.hidden = !words || look(view.order.status).ended;
  chip.className = `live ${kind ?? ""}`;
  chip.title = state.name === "live" ? t("chip.live_title") : "";
  setText(chip.querySelector("span"), words ? t(words) : "");
  if (state.name === "live") back();
  else leave(state);
}

function leave(state) {
  if (!away.since) Object.assign(away, { since: Date.now(), count: 0 });
  if (state.name === "offline") {
    const at = instant(view.events.at(-1)?.occurred_at) ?? now();
    banner("neutral", "wifi-off", fill("banner.offline", { time: hhmm(at) }));
  } else if (state.name === "stopped") {
    banner("neutral", "lock", t(`banner.${state.code}`));
  } else {
    lost();
  }
}

/** Nothing at first, then that the connection is lost, then that it is us. */
function lost() {
  const waited = Date.now() - away.since;
  const next = waited < BANNER_MS ? BANNER_MS : TROUBLE_MS;
  if (waited >= TROUBLE_MS) banner("warning", "alert", t("banner.unavailable"), true);
  else if (waited >= BANNER_MS) banner("warning", "refresh", t("banner.reconnecting"));
  if (waited < TROUBLE_MS) bannerTimer = setTimeout(lost, next - waited);
}

function back() {
  const noticed = !$("banner").hidden;
  $("banner").hidden = true;
  if (noticed) {
    // What was missed arrives right behind the answer.
    setTimeout(() => toast(away.count ? count("toast.back_updates", away.count) : t("toast.back")), 800);
  }
  away.since = 0;
  if (!noticed) away.count = 0;
  sawIt();
}

function banner(tone, name, text, canRetry = false) {
  setTone($("banner"), tone);
  setIcon($("banner"), name);
  setText($("banner").querySelector("span"), text);
  $("banner").querySelector("button").hidden = !canRetry;
  $("banner").hidden = false;
}

let lingering;
function linger() {
  clearTimeout(lingering);
  const { ended } = look(view.order.status);
  if (ended) {
    $("chip").hidden = true;
    lingering = setTimeout(() => live.stop(), LINGER_MS);
  }
}

// ---- switches and buttons

function copying() {
  const button = $("copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(view.order.tracking_number);
      setIcon(button, "check");
      announce(t("page.copied"));
      setTimeout(() => setIcon(button, "copy"), 1500);
    } catch {
      toast(t("page.copy_failed"), { tone: "warning", icon: "alert" });
    }
  });
}

function unmark() {
  if (!marked) return;
  marked = false;
  paintTitle(hero(view, now()));
}

// ---- start

const live = new Live({
  pass: boot.pass,
  name: `ordercast:${view.order.id}:${boot.pass.slice(-8)}`,
  since: view.events.at(-1)?.seq ?? 0,
  history: (since) => ({
    order: view.order,
    seq: view.order.seq,
    events: view.events.filter((event) => event.seq > since),
  }),
  on: { event: onEvent, snapshot: onSnapshot, state: onState },
});

view.order.seq ??= view.seq;
paint();
theme();
copying();
notifications();
mailing(boot.pass);
$("banner").querySelector("button").addEventListener("click", () => live.retry());
live.start();
linger();
setInterval(tick, 1000);
addEventListener("focus", unmark);
document.addEventListener("visibilitychange", sawIt);
// A page put back from the browser's memory has lost its connection: begin again with what the server has now.
addEventListener("pageshow", (event) => event.persisted && location.reload());
