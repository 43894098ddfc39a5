// The console: what every page has, how long ago things were, and the list of orders as it changes.
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

const fresh = document.getElementById("fresh");
if (fresh) follow(document.getElementById("live"), fresh);

/** Joins the feed of the orders one may see; after a loss it goes on behind the last event that was heard of. */
function follow(chip, fresh) {
  const created = new Set();
  let since;
  let tries = 0;

  const row = (id) => document.querySelector(`tr[data-order="${CSS.escape(id)}"]`);

  /** A row that is shown changes in place and keeps its place. */
  function change(row, status) {
    const look = document.getElementById(`t-${status}`);
    if (!look) return;
    row.querySelector(".c-st").replaceChildren(look.content.cloneNode(true));
    const at = row.querySelector("time");
    at.dateTime = new Date().toISOString();
    tell(at);
    // Its button would ask for a step from where the order stood before.
    const act = document.getElementById("t-look").content.cloneNode(true);
    act.querySelector("a").href = row.querySelector("a.o").href;
    row.querySelector(".c-act").replaceChildren(act);
    row.classList.add("hit");
    setTimeout(() => row.classList.remove("hit"), 2000);
  }

  function hear({ id, order, seq, event }) {
    since = id;
    const shown = row(order);
    // Rows are never moved under the pointer: new ones wait until they are asked for.
    if (!shown && seq === 1) {
      created.add(order);
      const link = fresh.querySelector("a");
      link.textContent = link.dataset.words.replace("{n}", created.size.toLocaleString(lang));
      fresh.hidden = false;
    } else if (shown && event.status) change(shown, event.status);
  }

  function open() {
    const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/live/ws`, "ordercast.v1");
    socket.onopen = () => socket.send(JSON.stringify({ type: "subscribe", id: 1, feed: "orders", since }));
    socket.onmessage = ({ data }) => {
      const said = JSON.parse(data);
      if (said.type === "event") hear(said);
      else if (said.type === "subscribed") {
        tries = 0;
        since ??= said.position;
        chip.hidden = false;
      }
    };
    socket.onclose = () => {
      chip.hidden = true;
      setTimeout(open, Math.random() * Math.min(20_000, 500 * 2 ** tries));
      tries += 1;
    };
  }
  open();
}
