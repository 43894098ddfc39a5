// The console: what every page has, and how long ago things were.
import "./page.js";

const lang = document.documentElement.lang;
const relative = new Intl.RelativeTimeFormat(lang, { numeric: "auto", style: "short" });
const absolute = new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeStyle: "short" });

/** Seconds that make a unit; the largest that fits is told. */
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]];

function tell(node) {
  const at = new Date(node.dateTime);
  const seconds = Math.round((at - Date.now()) / 1000);
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  node.textContent = relative.format(unit === "second" ? 0 : Math.trunc(seconds / size), unit);
  node.title = absolute.format(at);
}

const tellAll = () => document.querySelectorAll("time[data-ago]").forEach(tell);
tellAll();
setInterval(tellAll, 30_000);
