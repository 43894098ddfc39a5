//! The languages of the pages: which one a reader gets, its words, its plurals and its way to write dates and money.
//!
//! Each language is one file `static/public/locales/xx.json`, read by this module and by the scripts alike, so every
//! sentence exists once. A word a language lacks is taken from English.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::{Date, Time};
use serde::{Deserialize, Serialize};

use crate::base::{Error, Money, Result};

/// The language every other one falls back to.
const DEFAULT: &str = "en";

/// One language as its file holds it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Lang {
    /// BCP 47 language code: `en`.
    pub lang: String,
    /// The language's own name for itself.
    pub name: String,
    /// Writing direction: `ltr` or `rtl`.
    pub dir: String,
    /// The BCP 47 tag the scripts give to `Intl`.
    pub intl: String,
    /// The ten digits, zero first.
    pub digits: String,
    /// January first.
    pub months: [String; 12],
    /// January first, short.
    pub months_short: [String; 12],
    /// Monday first (ISO 8601).
    pub weekdays: [String; 7],
    /// Before noon.
    pub am: String,
    /// After noon.
    pub pm: String,
    /// Decimal separator.
    pub decimal: String,
    /// Thousands separator.
    pub group: String,
    /// Where the currency symbol stands: `{symbol}{amount}`.
    pub money: String,
    /// Sentences by key; `{name}` marks a gap.
    pub strings: BTreeMap<String, String>,
}

impl Lang {
    /// The sentence of `key`, or the key itself when no language has it.
    #[must_use]
    pub fn t<'a>(&'a self, key: &'a str) -> &'a str {
        self.strings.get(key).map_or(key, String::as_str)
    }

    /// The sentence of `key` when there is one.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.strings.get(key).map(String::as_str)
    }

    /// The sentence of `key` with its gaps filled.
    #[must_use]
    pub fn fill(&self, key: &str, gaps: &[(&str, &str)]) -> String {
        fill(self.t(key), gaps)
    }

    /// The sentence that fits the count `n`; its gap `{n}` becomes the number.
    #[must_use]
    pub fn count(&self, key: &str, n: u64) -> String {
        let form = format!("{key}_{}", plural(&self.lang, n));
        let other = format!("{key}_other");
        let sentence = self.get(&form).or_else(|| self.get(&other)).unwrap_or(key);
        fill(sentence, &[("n", &self.number(n))])
    }

    /// A whole number in the digits of the language.
    #[must_use]
    pub fn number(&self, n: u64) -> String {
        self.digits(&n.to_string())
    }

    /// Text with its Latin digits written in those of the language.
    #[must_use]
    pub fn digits(&self, text: &str) -> String {
        if self.digits.starts_with('0') {
            return text.to_owned();
        }
        let digit = |c: char| c.to_digit(10).and_then(|d| self.digits.chars().nth(d as usize)).unwrap_or(c);
        text.chars().map(digit).collect()
    }

    /// A day by one of the patterns `date.full`, `date.day`, `date.long`, `date.short`.
    #[must_use]
    pub fn date(&self, pattern: &str, day: Date) -> String {
        let month = usize::try_from(day.month() - 1).unwrap_or_default();
        let weekday = usize::try_from(day.weekday().to_monday_zero_offset()).unwrap_or_default();
        let number = self.digits(&day.day().to_string());
        let gaps = [
            ("weekday", self.weekdays[weekday].as_str()),
            ("d", &number),
            ("month", &self.months[month]),
            ("mon", &self.months_short[month]),
        ];
        self.fill(pattern, &gaps)
    }

    /// A time of day as people say it: `6:00 pm`.
    #[must_use]
    pub fn clock(&self, time: Time) -> String {
        let hour = time.hour();
        let h12 = if hour % 12 == 0 { 12 } else { hour % 12 };
        let (h, hh, mm) = (format!("{h12}"), format!("{hour:02}"), format!("{:02}", time.minute()));
        let ap = if hour < 12 { &self.am } else { &self.pm };
        self.digits(&self.fill("date.clock", &[("h", &h), ("HH", &hh), ("mm", &mm), ("ap", ap)]))
    }

    /// A time of day in four digits, as the timeline shows it: `09:12`.
    #[must_use]
    pub fn hhmm(&self, time: Time) -> String {
        self.digits(&format!("{:02}:{:02}", time.hour(), time.minute()))
    }

    /// An amount with its currency: `$1,234.50`.
    #[must_use]
    pub fn amount(&self, money: &Money) -> String {
        let symbol = iso_currency::Currency::from_code(&money.currency)
            .map_or_else(|| money.currency.clone(), |currency| currency.symbol().to_string());
        let text = money.to_decimal();
        let (sign, text) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("−", rest));
        let (whole, rest) = text.split_once('.').map_or((text, None), |(whole, rest)| (whole, Some(rest)));
        let mut amount = String::new();
        for (i, digit) in whole.chars().enumerate() {
            if i > 0 && (whole.len() - i) % 3 == 0 {
                amount.push_str(&self.group);
            }
            amount.push(digit);
        }
        if let Some(rest) = rest {
            amount.push_str(&self.decimal);
            amount.push_str(rest);
        }
        // The sign goes before the symbol: −$1.25.
        format!("{sign}{}", fill(&self.money, &[("symbol", &symbol), ("amount", &self.digits(&amount))]))
    }
}

/// Puts values into the `{gaps}` of a sentence. A value is never searched for gaps again.
fn fill(sentence: &str, gaps: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(sentence.len() + 16);
    let mut rest = sentence;
    while let Some(start) = rest.find('{') {
        let (before, from) = rest.split_at(start);
        let Some(end) = from.find('}') else { break };
        out.push_str(before);
        match gaps.iter().find(|(name, _)| *name == &from[1..end]) {
            Some((_, value)) => out.push_str(value),
            None => out.push_str(&from[..=end]),
        }
        rest = &from[end + 1..];
    }
    out.push_str(rest);
    out
}

/// The plural form of whole numbers by the rules of Unicode CLDR, for the languages we have.
fn plural(lang: &str, n: u64) -> &'static str {
    match lang {
        "bn" | "hi" | "fr" | "pt" if n <= 1 => "one",
        "ar" => match (n, n % 100) {
            (0, _) => "zero",
            (1, _) => "one",
            (2, _) => "two",
            (_, 3..=10) => "few",
            (_, 11..=99) => "many",
            _ => "other",
        },
        _ if n == 1 => "one",
        _ => "other",
    }
}

/// All languages of the pages.
#[derive(Clone, Debug)]
pub struct Langs {
    all: Arc<BTreeMap<String, Arc<Lang>>>,
    english: Arc<Lang>,
}

impl Langs {
    /// Reads the language files; `files` yields their bytes. English must be among them.
    ///
    /// # Errors
    /// `Internal` when a file is not a language or English is missing: a fault of the build, met at start.
    pub fn read(files: impl Iterator<Item = Vec<u8>>) -> Result<Self> {
        let mut all = BTreeMap::new();
        for file in files {
            let lang: Lang = serde_json::from_slice(&file).map_err(Error::internal)?;
            all.insert(lang.lang.clone(), lang);
        }
        let english =
            all.get(DEFAULT).cloned().ok_or_else(|| Error::internal("the English language file is missing"))?;
        for lang in all.values_mut() {
            for (key, sentence) in &english.strings {
                lang.strings.entry(key.clone()).or_insert_with(|| sentence.clone());
            }
        }
        let all = all.into_iter().map(|(code, lang)| (code, Arc::new(lang))).collect();
        Ok(Self { all: Arc::new(all), english: Arc::new(english) })
    }

    /// The language of that code or of its primary part (`pt-BR` → `pt`).
    #[must_use]
    pub fn find(&self, code: &str) -> Option<&Arc<Lang>> {
        let primary = code.trim().split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
        self.all.get(&primary)
    }

    /// The language for a reader: the one asked for in the address, else the order's, else the browser's best, else English.
    #[must_use]
    pub fn pick(&self, asked: Option<&str>, order: Option<&str>, accept: Option<&str>) -> Arc<Lang> {
        let browser = || accept.and_then(|header| accepted(header).into_iter().find_map(|code| self.find(code)));
        let found = asked.and_then(|code| self.find(code)).or_else(|| order.and_then(|code| self.find(code)));
        Arc::clone(found.or_else(browser).unwrap_or(&self.english))
    }

    /// Every language.
    #[cfg(test)]
    pub fn all(&self) -> impl Iterator<Item = &Lang> {
        self.all.values().map(|lang| &**lang)
    }

    /// English, the language every other one falls back to.
    #[must_use]
    pub fn english(&self) -> &Lang {
        &self.english
    }
}

/// The codes of an Accept-Language header, best first (RFC 9110 section 12.5.4).
fn accepted(header: &str) -> Vec<&str> {
    let mut codes: Vec<(&str, f32)> = header
        .split(',')
        .filter_map(|item| {
            let mut parts = item.split(';');
            let code = parts.next()?.trim();
            let weight = parts.find_map(|part| part.trim().strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
            (weight > 0.0 && !code.is_empty()).then_some((code, weight))
        })
        .collect();
    codes.sort_by(|a, b| b.1.total_cmp(&a.1));
    codes.into_iter().map(|(code, _)| code).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn langs() -> Langs {
        Langs::read(crate::web::pages::assets::folder("locales/")).unwrap()
    }

    #[test]
    fn the_language_asked_for_wins_over_the_orders_and_the_browsers() {
        let langs = langs();
        let pick = |asked, order, accept| langs.pick(asked, order, accept).lang.clone();
        assert_eq!(pick(None, None, None), "en");
        assert_eq!(pick(Some("xx"), None, Some("tlh, en-GB;q=0.4")), "en");
        assert_eq!(pick(None, None, Some(";;q=,=,")), "en");
    }

    #[test]
    fn an_accept_language_header_is_read_by_weight() {
        assert_eq!(accepted("da, en-gb;q=0.8, fr;q=0.9, xx;q=0"), ["da", "fr", "en-gb"]);
        assert_eq!(accepted(""), Vec::<&str>::new());
    }

    #[test]
    fn gaps_are_filled_once_and_unknown_ones_left_alone() {
        assert_eq!(fill("{a} and {b}", &[("a", "{b}"), ("b", "2")]), "{b} and 2");
        assert_eq!(fill("{nobody} {", &[]), "{nobody} {");
    }

    #[test]
    fn every_language_knows_only_keys_that_english_has_and_keeps_their_gaps() {
        let gaps = |text: &str| {
            let mut names: Vec<_> =
                text.split('{').skip(1).filter_map(|rest| rest.split('}').next()).map(str::to_owned).collect();
            names.sort();
            names
        };
        for file in crate::web::pages::assets::folder("locales/") {
            let lang: Lang = serde_json::from_slice(&file).unwrap();
            let english = langs().english().clone();
            for (key, sentence) in &lang.strings {
                if key.starts_with("date.") {
                    continue; // which parts a date has is the language's own affair
                }
                let form = ["_zero", "_two", "_few", "_many"].iter().find_map(|form| key.strip_suffix(form));
                let key_in_english = form.map_or(key.clone(), |stem| format!("{stem}_other"));
                let original = english.get(&key_in_english).unwrap_or_else(|| panic!("{} has {key} alone", lang.lang));
                // The small plural forms may say the number as a word.
                if !["_zero", "_one", "_two"].iter().any(|form| key.ends_with(form)) {
                    assert_eq!(gaps(sentence), gaps(original), "{} {key}", lang.lang);
                }
            }
            assert_eq!(lang.digits.chars().count(), 10, "{}", lang.lang);
        }
    }

    #[test]
    fn every_language_says_everything_itself() {
        let english = langs().english().clone();
        let mut found = Vec::new();
        for file in crate::web::pages::assets::folder("locales/") {
            let lang: Lang = serde_json::from_slice(&file).unwrap();
            let silent: Vec<_> = english.strings.keys().filter(|key| !lang.strings.contains_key(*key)).collect();
            assert!(silent.is_empty(), "{} lacks {silent:?}", lang.lang);
            found.push(lang.lang);
        }
        found.sort();
        assert_eq!(found, ["ar", "bn", "de", "en", "es", "fr", "hi", "pt"]);
    }

    #[test]
    fn money_is_grouped_and_has_the_decimals_of_its_currency() {
        let langs = langs();
        let amount = |amount, currency| langs.english().amount(&Money::new(amount, currency).unwrap());
        assert_eq!(amount(123_456_750, "USD"), "$1,234,567.50");
        assert_eq!(amount(-950, "USD"), "−$9.50");
        assert_eq!(amount(999, "JPY"), "¥999");
    }

    #[test]
    fn plurals_follow_cldr() {
        let forms = |lang| [0, 1, 2, 3, 11, 100].map(|n| plural(lang, n));
        assert_eq!(forms("en"), ["other", "one", "other", "other", "other", "other"]);
        assert_eq!(forms("fr"), ["one", "one", "other", "other", "other", "other"]);
        assert_eq!(forms("ar"), ["zero", "one", "two", "few", "many", "other"]);
    }
}
