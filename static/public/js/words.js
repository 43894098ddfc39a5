// An order put into words for its customer. Says the same as src/web/pages/words.rs and timeline.rs do on the server.
import { digits, fill, has, language, readable, t } from "./i18n.js";
import { clock, date, dayOf, estimate, hhmm, instant } from "./time.js";

let table = { statuses: {}, steps: [] };

/** Takes the status table the server sent. */
export const know = (looks) => (table = looks);

const UNKNOWN = { tone: "neutral", icon: "clock" };

export const look = (status) => table.statuses[status] ?? UNKNOWN;
export const label = (status) => (has(`status.${status}`) ? t(`status.${status}`) : readable(status));

const isMove = (event) => event.type === "status_changed" || event.type === "order_created";

/** Everything above the timeline: { look, label, headline, sub, tile, steps }. */
export function hero({ order, events }, now) {
  const facts = gather(order, events, now);
  return {
    look: look(facts.code),
    label: label(facts.code),
    headline: headline(facts),
    sub: sub(facts),
    tile: tile(facts),
    steps: look(order.status).bare ? null : steps(facts),
  };
}

function gather(order, events, now) {
  const today = dayOf(now);
  let eta = estimate(order.estimated_delivery);
  // A parcel that is at the door comes today, whatever was promised.
  if (eta && (order.status === "out_for_delivery" ? dayOf(eta.at) !== today : dayOf(eta.at) < today)) eta = null;
  const own = look(order.status);
  // Once the parcel is at the door the delay is yesterday's news.
  const late = order.delayed && eta && !own.bare && (own.step ?? 0) < 4;
  const arrival = events.findLast((event) => isMove(event) && event.status === order.status);
  const reached = Math.max(0, ...events.map((event) => look(event.status).step ?? 0));
  const code = late ? "delayed" : order.status;
  const at = instant((code === "delivered" && order.delivered_at) || arrival?.occurred_at);
  const step = table.statuses[order.status] ? (own.step ?? 0) : reached;
  const etaToday = eta?.timed && dayOf(eta.at) === today;
  return { order, events, now, today, eta, etaToday, code, arrival, at, step };
}

function headline({ code, eta, etaToday, at, today }) {
  const by = (key) => (etaToday ? fill(`headline.${key}_by`, { time: clock(eta.at) }) : t(`headline.${key}`));
  if (code === "delayed") return fill("headline.delayed", { date: date("date.full", eta.at) });
  if (code === "shipped" && eta) {
    if (dayOf(eta.at) === today) return by("shipped_today");
    return fill("headline.shipped_eta", { date: date("date.full", eta.at) });
  }
  if (code === "out_for_delivery") return by(code);
  if (code === "delivery_failed" && at) return fill("headline.delivery_failed_at", { time: clock(at) });
  if (code === "delivered" && at) {
    if (dayOf(at) === today) return fill("headline.delivered_today", { time: clock(at) });
    return fill("headline.delivered_at", { date: date("date.full", at), time: clock(at) });
  }
  return t(has(`headline.${code}`) ? `headline.${code}` : "headline.unknown");
}

function sub({ code, order, arrival, at, eta }) {
  const usual = t(has(`sub.${code}`) ? `sub.${code}` : "sub.unknown");
  const first = estimate(order.original_estimated_delivery);
  if (code === "delayed" && first) return fill("sub.delayed_from", { date: date("date.full", first.at) });
  if (code === "delivery_failed" || code === "delivered") return arrival?.note ?? usual;
  if (code === "cancelled" && at) {
    const reason = sentence(order.cancellation_reason ?? "");
    return `${fill("sub.cancelled_on", { date: date("date.long", at), reason }).trimEnd()} ${usual}`;
  }
  if (eta && ["pending", "paid", "confirmed", "processing", "packed"].includes(code)) {
    return `${usual} ${fill("sub.eta", { date: date("date.full", eta.at) })}`;
  }
  return usual;
}

/** Closes a free text with a full stop where it has no end of its own. */
function sentence(text) {
  const trimmed = text.trim();
  return !trimmed || /[.!?…।؟。]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}

function tile({ code, eta, etaToday, at, now }) {
  const leaf = (day, caption) => ({ month: language().months_short[day.getMonth()], day: digits(day.getDate()), caption });
  if (code === "delivered") return at && leaf(at, clock(at));
  if (code === "out_for_delivery" && !eta) return leaf(now, date("date.weekday", now));
  if (!eta || ["cancelled", "returned", "incomplete"].includes(code)) return null;
  if (code === "delivery_failed") return leaf(eta.at, t("tile.next_try"));
  if (etaToday) return leaf(eta.at, fill("tile.by", { time: clock(eta.at) }));
  return leaf(eta.at, date("date.weekday", eta.at));
}

function steps(facts) {
  return table.steps.map(([status, icon], i) => {
    const n = i + 1;
    const stage = look(facts.code).ended || n < facts.step ? "done" : n === facts.step ? "now" : "";
    return { stage, icon: stage === "done" ? "check" : icon, label: label(status), time: stepTime(facts, n, stage) };
  });
}

/** When a step was first reached, last reached for the one we stand on, and the estimate under the last. */
function stepTime({ events, today, eta, etaToday }, n, stage) {
  const reached = stage ? events.filter((event) => isMove(event) && look(event.status).step === n) : [];
  const at = instant((stage === "done" ? reached[0] : reached.at(-1))?.occurred_at);
  if (at) return dayOf(at) === today ? fill("date.today_at", { time: hhmm(at) }) : date("date.short", at);
  if (stage || n !== 5 || !eta) return "";
  return etaToday ? fill("step.by", { time: clock(eta.at) }) : date("date.short", eta.at);
}

/** The rows of the timeline, newest first: { seq, at, title, text }. */
export function rows(events) {
  // An event may repeat what was known before: only what differs is news.
  const known = {};
  const news = (event, field) => {
    const value = event[field];
    if (!value || known[field] === value) return null;
    return (known[field] = value);
  };
  return events.map((event) => row(event, news, known)).reverse();
}

function row(event, news, known) {
  const eta = estimate(news(event, "estimated_delivery"));
  const number = news(event, "tracking_number");
  const carrier = news(event, "carrier");
  const [title, text] = isMove(event)
    ? moved(event)
    : event.type === "checkpoint"
      ? [t(has(`shipment.${event.shipment_status}`) ? `shipment.${event.shipment_status}` : "event.checkpoint")]
      : event.type === "details_changed"
        ? changed(eta, number, carrier, known)
        : [readable(event.type)];
  return { seq: event.seq, at: instant(event.occurred_at), title, text: event.note ?? text };
}

function moved({ status, carrier, tracking_number: number }) {
  if (!status || status === "pending") return [t("event.order_created")];
  if (status !== "shipped" || !carrier) return [label(status)];
  const key = number ? "event.shipped_text" : "event.shipped_carrier_text";
  return [label(status), fill(key, { carrier, number })];
}

function changed(eta, number, carrier, known) {
  if (eta) return [t("event.estimate"), fill("event.estimate_text", { date: date("date.full", eta.at) })];
  if (number) {
    const key = known.carrier ? "event.tracking_text" : "event.tracking_number_text";
    return [t("event.tracking"), fill(key, { carrier: known.carrier, number })];
  }
  return [t("event.details_changed"), carrier ? fill("event.carrier_text", { carrier }) : undefined];
}
