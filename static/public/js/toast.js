// Short messages at the edge of the page. They never are the only place the information exists.
import { $, clone, setIcon } from "./dom.js";

const STAY = 6000;
const MOST = 3;

/** Shows a message for six seconds, longer while it is pointed at or focused; the newest three stay. */
export function toast(title, { text = "", tone = "success", icon = "check" } = {}) {
  const node = clone("t-toast");
  const box = $("toasts");
  node.classList.add(`tone-${tone}`);
  setIcon(node, icon);
  node.querySelector("b").textContent = title;
  const more = node.querySelector("p");
  more.textContent = text;
  more.hidden = !text;
  let timer;
  const leave = () => node.remove();
  const start = () => (timer = setTimeout(leave, STAY));
  const hold = () => clearTimeout(timer);
  node.addEventListener("pointerenter", hold);
  node.addEventListener("pointerleave", start);
  node.addEventListener("focusin", hold);
  node.addEventListener("focusout", start);
  node.querySelector("button").addEventListener("click", leave);
  box.append(node);
  while (box.childElementCount > MOST) box.firstElementChild.remove();
  start();
}
