// Days and times as the reader's own clock shows them, written the way the page's language does.
import { digits, fill, language, t } from "./i18n.js";

const two = (n) => String(n).padStart(2, "0");

/** A calendar day as a number that sorts and compares: 20261121. */
export const dayOf = (at) => at.getFullYear() * 10000 + (at.getMonth() + 1) * 100 + at.getDate();

/** An instant of the log, or null. */
export function instant(text) {
  const at = new Date(text ?? NaN);
  return Number.isNaN(at.getTime()) ? null : at;
}

/** A promised day (`2026-11-24`), perhaps with a time (an instant): { at, timed }, or null. */
export function estimate(text) {
  const day = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text ?? "");
  if (day) return { at: new Date(+day[1], day[2] - 1, +day[3]), timed: false };
  const at = instant(text);
  return at && { at, timed: true };
}

/** A day by one of the patterns date.full, date.day, date.long, date.short, date.weekday. */
export function date(pattern, at) {
  const lang = language();
  return fill(pattern, {
    weekday: lang.weekdays[(at.getDay() + 6) % 7],
    d: digits(at.getDate()),
    month: lang.months[at.getMonth()],
    mon: lang.months_short[at.getMonth()],
  });
}

/** 6:00 pm */
export function clock(at) {
  const lang = language();
  const hour = at.getHours();
  return digits(
    fill("date.clock", {
      h: hour % 12 || 12,
      HH: two(hour),
      mm: two(at.getMinutes()),
      ap: hour < 12 ? lang.am : lang.pm,
    }),
  );
}

/** 09:12 */
export const hhmm = (at) => digits(`${two(at.getHours())}:${two(at.getMinutes())}`);

/** "Today", "Yesterday" or the day's name. */
export function dayName(at, now) {
  if (dayOf(at) === dayOf(now)) return t("date.today");
  const yesterday = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1);
  return dayOf(at) === dayOf(yesterday) ? t("date.yesterday") : date("date.day", at);
}

const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

/** "12 seconds ago" */
export function ago(at, now) {
  const seconds = Math.max(0, Math.round((now - at) / 1000));
  if (seconds < 5) return t("page.just_now");
  const [unit, size] = UNITS.find(([, length]) => seconds >= length);
  return new Intl.RelativeTimeFormat(language().intl).format(-Math.floor(seconds / size), unit);
}

/** The full time with its zone, for the tooltip of a short one. */
export const precise = (at) =>
  new Intl.DateTimeFormat(language().intl, { dateStyle: "long", timeStyle: "long" }).format(at);
