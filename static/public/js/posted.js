// "Keep me posted": mails about this order, and notifications of this browser.
import { $, kept, setText } from "./dom.js";
import { t } from "./i18n.js";
import { request } from "./api.js";
import { toast } from "./toast.js";

/** The mail switch is a form that works by itself; here it is sent without leaving the page. */
export function mailing(pass) {
  const form = $("mail");
  if (!form) return;
  const button = form.querySelector("button");
  const note = form.querySelector("small");
  const paint = (on) => {
    button.setAttribute("aria-checked", String(on));
    form.elements.mail.value = on ? "off" : "on";
    setText(note, note.dataset[on ? "on" : "off"]);
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-busy")) return;
    const on = form.elements.mail.value === "on";
    button.setAttribute("aria-busy", "true");
    paint(on);
    try {
      await request("/api/v1/track/preferences", {
        method: "PATCH",
        headers: { authorization: `Bearer ${pass}`, "content-type": "application/json" },
        body: JSON.stringify({ mail: on }),
      });
    } catch {
      paint(!on);
      toast(t("page.email_failed"), { tone: "warning", icon: "alert" });
    }
    button.removeAttribute("aria-busy");
  });
}

const allowed = () => "Notification" in window && Notification.permission === "granted" && kept.get("notify") === "on";

export function notifications() {
  if (!("Notification" in window)) return;
  const input = $("notify").querySelector("input");
  const note = $("notify").querySelector("small");
  const paint = () => {
    const blocked = Notification.permission === "denied";
    input.disabled = blocked;
    input.checked = allowed();
    setText(note, t(blocked ? "page.browser_blocked" : "page.browser_text"));
  };
  input.addEventListener("change", async () => {
    if (input.checked) await Notification.requestPermission();
    kept.set("notify", input.checked && Notification.permission === "granted" ? "on" : "off");
    paint();
  });
  paint();
  $("notify").hidden = false;
  $("posted").hidden = false;
}

/** Shows a notification when it is wanted and the page is not in view. */
export function notify(title, body, tag) {
  if (!allowed() || !document.hidden) return;
  try {
    new Notification(title, { body, tag });
  } catch {
    // Some phones show notifications from service workers only; the title and the icon still tell.
  }
}
