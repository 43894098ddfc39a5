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
