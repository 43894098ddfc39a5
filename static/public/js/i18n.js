// The words of the page's language, as the server sent them with it.

let lang = { strings: {}, digits: "0123456789", intl: "en" };
let plurals = new Intl.PluralRules("en");

export function speak(words) {
  lang = words;
  plurals = new Intl.PluralRules(words.lang);
}

export const language = () => lang;
export const has = (key) => Object.hasOwn(lang.strings, key);
export const t = (key) => (has(key) ? lang.strings[key] : key);

/** The sentence of `key` with its {gaps} filled; a value is never searched for gaps again. */
export const fill = (key, gaps) =>
  t(key).replace(/\{(\w+)\}/g, (gap, name) => (Object.hasOwn(gaps, name) ? gaps[name] : gap));

export function count(key, n) {
  const form = `${key}_${plurals.select(n)}`;
  return fill(has(form) ? form : `${key}_other`, { n: digits(n) });
}

export const digits = (text) =>
  lang.digits.startsWith("0") ? String(text) : String(text).replace(/\d/g, (d) => [...lang.digits][d]);

/** A code made readable: gift_wrapped → Gift wrapped. */
export function readable(code) {
  const words = code.replace(/[_-]/g, " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
