// The few things every page does with the document. Nodes come from the server or from its templates.

const ICONS = new URL("../icons.svg", import.meta.url).pathname;

export const $ = (id) => document.getElementById(id);

export function setText(node, text) {
  if (node.textContent === text) return false;
  node.textContent = text;
  return true;
}

export function setIcon(node, name) {
  node.querySelector("use").setAttribute("href", `${ICONS}#${name}`);
}

export const clone = (template) => $(template).content.firstElementChild.cloneNode(true);

/** Plays a CSS animation class from its start, also when it played before. */
export function replay(node, name) {
  node.classList.remove(name);
  void node.offsetWidth;
  node.classList.add(name);
  node.addEventListener("animationend", () => node.classList.remove(name), { once: true });
}

export function setTone(node, tone) {
  for (const name of [...node.classList]) if (name.startsWith("tone-")) node.classList.remove(name);
  node.classList.add(`tone-${tone}`);
}

/** Only addresses of the web become links. */
export const isWeb = (url) => /^https?:\/\//.test(url ?? "");

/** What this browser keeps for us between visits; silent where storage is closed. */
export const kept = {
  get(key) {
    try {
      return localStorage.getItem(`ordercast.${key}`);
    } catch {
      return null;
    }
  },
  set(key, value) {
    try {
      localStorage.setItem(`ordercast.${key}`, value);
    } catch {
      // Kept for this visit only.
    }
  },
};
