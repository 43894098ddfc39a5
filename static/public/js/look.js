// The switch in the top bar between the system's theme, light and dark. theme.js applies the choice before the first paint.
import { $, kept } from "./dom.js";

const THEMES = ["auto", "light", "dark"];

export function theme() {
  const button = $("theme");
  const apply = (name) => {
    if (name === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    button.setAttribute("aria-label", button.dataset[name]);
    button.title = button.dataset[name];
  };
  let name = THEMES.find((known) => known === kept.get("theme")) ?? "auto";
  button.addEventListener("click", () => {
    name = THEMES[(THEMES.indexOf(name) + 1) % THEMES.length];
    kept.set("theme", name);
    apply(name);
  });
  apply(name);
  button.hidden = false;
}
