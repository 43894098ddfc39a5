// Every page but the tracking page: the theme, and forms that are sent once however often the button is pressed.
import { theme } from "./look.js";

const busy = (form, is) => {
  for (const button of form.querySelectorAll("[type=submit]")) {
    if (is) button.setAttribute("aria-busy", "true");
    else button.removeAttribute("aria-busy");
  }
};

theme();
document.addEventListener("submit", (event) => {
  if (event.target.querySelector("[aria-busy]")) event.preventDefault();
  else busy(event.target, true);
});
// A page put back from the browser's memory is ready to be sent again.
addEventListener("pageshow", (event) => event.persisted && [...document.forms].forEach((form) => busy(form, false)));

// Countries in the reader's language, in the order of that language.
const names = new Intl.DisplayNames([document.documentElement.lang, "en"], { type: "region" });
for (const node of document.querySelectorAll("[data-region]")) node.textContent = names.of(node.dataset.region);
for (const list of document.querySelectorAll("select[data-regions]")) {
  const [choose, ...options] = list.options;
  for (const option of options) option.textContent = names.of(option.value);
  options.sort((a, b) => a.textContent.localeCompare(b.textContent, document.documentElement.lang));
  const chosen = list.value;
  list.replaceChildren(choose, ...options);
  list.value = chosen;
}

// A file that is too large is told of before it is sent.
document.addEventListener("change", ({ target }) => {
  if (!target.dataset.most) return;
  const isTooLarge = [...target.files].some((file) => file.size > Number(target.dataset.most));
  target.setCustomValidity(isTooLarge ? target.dataset.tooLarge : "");
  target.reportValidity();
});

for (const button of document.querySelectorAll("[data-copy]")) {
  const label = button.querySelector("span");
  const words = label.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    label.textContent = button.dataset.done;
    setTimeout(() => (label.textContent = words), 1500);
  });
}

// A code is not asked for again before it can be sent again.
for (const button of document.querySelectorAll("[data-cooldown]")) {
  const label = button.querySelector("span");
  const words = label.textContent;
  const end = Date.now() + button.dataset.cooldown * 1000;
  const tick = () => {
    const left = Math.ceil((end - Date.now()) / 1000);
    button.disabled = left > 0;
    label.textContent = left > 0 ? `${words} (${left})` : words;
    if (left > 0) setTimeout(tick, 1000);
  };
  tick();
}
