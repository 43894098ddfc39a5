//! What a body tells about an order, whatever system has sent it. Pure.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::de::{self, Deserialize, DeserializeOwned, Deserializer, Visitor};

use crate::base::id::OrderId;
use crate::base::{Error, Money, Result};
use crate::orders::{Change, Details, Item};

/// What a body turned out to be.
#[derive(Debug)]
pub enum Reading {
    /// Something about an order.
    News(Box<News>),
    /// Nothing for us; says why.
    Ignored(&'static str),
}

/// Something about an order.
#[derive(Debug, Default)]
pub struct News {
    /// What it is about in the sender's words: the order, or `order/parcel`. Two bodies about the same replace each other.
    pub subject: Option<String>,
    /// When it was so, by the sender's clock.
    pub occurred_at: Option<Timestamp>,
    /// What people call the order.
    pub number: Option<String>,
    /// What we call the order, where the sender knows.
    pub own_id: Option<OrderId>,
    /// Whether it tells enough to make an order of it that is not known.
    pub may_create: bool,
    /// The sender's words for where the order stands, the weightiest first.
    pub words: Vec<String>,
    /// Who it is about, for whoever wishes to be forgotten; an order's own customer where it is not said here.
    pub contact: Option<String>,
    /// Whom the order is for, where it goes, what is in it.
    pub details: Details,
    /// The rest, but for the status.
    pub change: Change,
    /// A note that counts for a new order only.
    pub first_note: Option<String>,
}

/// Longest word for a status in characters.
const LONGEST_WORD: usize = 100;

impl News {
    /// Checks every field that is looked for or kept. The number is not among them: one that cannot be a number is
    /// nobody's, and what it would name is made only by the rules of a new order.
    ///
    /// # Errors
    /// `Invalid` that names the field and its rule.
    pub fn check(&self) -> Result<()> {
        self.change.check()?;
        self.details.check()?;
        let fits = |word: &String| word.chars().count() <= LONGEST_WORD && !word.contains(char::is_control);
        if self.words.iter().all(fits) {
            return Ok(());
        }
        let message = format!("tracking_status must have at most {LONGEST_WORD} characters, all of them printable");
        Err(Error::invalid_field("tracking_status", "bad_status", message))
    }
}

/// Text, or a number or truth value that some systems send in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(pub String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl Visitor<'_> for Any {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a number")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.to_owned()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Text, E> {
                Ok(Text(number.to_string()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Text, E> {
                Ok(Text(number.to_string()))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Text, E> {
                Ok(Text(number.to_string()))
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

/// Reads null as the type's empty value, as platforms mean it.
///
/// # Errors
/// What the type itself says.
pub fn or_empty<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Reads a body as JSON of a type. The refusal says where and what.
///
/// # Errors
/// `Invalid` when it is not UTF-8, not JSON, nested too deeply, or not of the type.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    let text = std::str::from_utf8(body)
        .map_err(|error| Error::invalid("not_utf8", format!("The body is not UTF-8 (byte {})", error.valid_up_to())))?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        if !error.is_data() {
            return Error::invalid("bad_json", format!("The body is not JSON that can be read: {error}"));
        }
        let place = if matches!(path.as_str(), "." | "?") { String::new() } else { format!("{path}: ") };
        Error::invalid("bad_field", format!("{place}{error}"))
    })?;
    reader.end().map_err(|error| Error::invalid("bad_json", format!("The body goes on after its end: {error}")))?;
    Ok(value)
}

/// A platform's text, fit for one of our fields: control characters become spaces, too much is cut off, nothing is
/// nothing. A shop's order must not be lost for a long street name.
#[must_use]
pub fn clip(text: Option<&str>, most: usize) -> Option<String> {
    let cleaned: String = text?.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect();
    let clipped: String = cleaned.trim().chars().take(most).collect();
    let clipped = clipped.trim_end();
    (!clipped.is_empty()).then(|| clipped.to_owned())
}

/// A text that was written for a web page, as people read it: the entities that names of goods hold are undone.
#[must_use]
pub fn unescaped(text: &str) -> String {
    const NAMED: [(&str, char); 9] = [
        ("amp", '&'),
        ("lt", '<'),
        ("gt", '>'),
        ("quot", '"'),
        ("apos", '\''),
        ("nbsp", ' '),
        ("ndash", '\u{2013}'),
        ("mdash", '\u{2014}'),
        ("times", '\u{d7}'),
    ];
    let letter = |entity: &str| match entity.strip_prefix('#') {
        Some(number) => char::from_u32(number.parse().ok()?),
        None => NAMED.iter().find(|(name, _)| *name == entity).map(|(_, letter)| *letter),
    };
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(';').and_then(|(entity, rest)| Some((letter(entity)?, rest))) {
            Some((letter, rest)) => {
                plain.push(letter);
                plain.push_str(rest);
            }
            None => {
                plain.push('&');
                plain.push_str(part);
            }
        }
    }
    plain
}

/// [`clip`] of a [`Text`].
#[must_use]
pub fn clip_text(text: Option<&Text>, most: usize) -> Option<String> {
    clip(text.map(|text| text.0.as_str()), most)
}

/// An e-mail address a platform sent, if it is one.
#[must_use]
pub fn email(text: Option<&str>) -> Option<String> {
    let text = clip(text, 254)?;
    let is_address = text.split_once('@').is_some_and(|(who, at)| !who.is_empty() && at.contains('.'));
    (is_address && !text.contains(char::is_whitespace)).then_some(text)
}

/// A web address a platform sent, if it is one.
#[must_use]
pub fn web_address(text: Option<&str>) -> Option<String> {
    let text = clip(text, 2000)?;
    let url = url::Url::parse(&text).ok()?;
    matches!(url.scheme(), "http" | "https").then_some(text)
}

/// A time with its zone, or one without that is meant as UTC.
#[must_use]
pub fn time(text: Option<&str>) -> Option<Timestamp> {
    let text = text?.trim();
    let utc = || text.parse::<DateTime>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    text.parse().ok().or_else(|| utc().map(|time| time.timestamp()))
}

/// An amount a platform sent in major units.
#[must_use]
pub fn money(text: Option<&Text>, currency: Option<&str>) -> Option<Money> {
    Money::from_decimal(&text?.0, currency?).filter(|money| money.amount >= 0)
}

/// The parts that are there, joined.
#[must_use]
pub fn joined(parts: &[Option<&str>], separator: &str, most: usize) -> Option<String> {
    let parts: Vec<&str> = parts.iter().flatten().map(|part| part.trim()).filter(|part| !part.is_empty()).collect();
    clip(Some(&parts.join(separator)), most)
}

/// An order's content in one line: `1x Widget, 2x Gadgets`.
#[must_use]
pub fn summary(items: &[Item]) -> Option<String> {
    let lines: Vec<String> = items.iter().map(|item| format!("{}x {}", item.qty, item.name)).collect();
    clip(Some(&lines.join(", ")), 2000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_for_texts_and_null_for_nothing() {
        #[derive(serde::Deserialize)]
        struct Body {
            id: Option<Text>,
            #[serde(default, deserialize_with = "or_empty")]
            list: Vec<Text>,
        }
        let body: Body = parse(br#"{"id": 820982911946154508, "list": null}"#).unwrap();
        assert_eq!((body.id.unwrap().0.as_str(), body.list.len()), ("820982911946154508", 0));
        let body: Body = parse(br#"{"id": null, "list": ["a", 1.50, true]}"#).unwrap();
        assert!(body.id.is_none());
        assert_eq!(body.list.iter().map(|text| text.0.as_str()).collect::<Vec<_>>(), ["a", "1.5", "true"]);
        for (wrong, code) in [("{\"id\": {}}", "bad_field"), ("{", "bad_json"), ("{} {}", "bad_json"), ("", "bad_json")]
        {
            let Err(Error::Invalid(refused)) = parse::<Body>(wrong.as_bytes()) else { panic!("{wrong}") };
            assert_eq!(refused.code, code, "{wrong}");
        }
        let deep = format!("{{\"x\": {}", "[".repeat(100_000));
        assert!(parse::<Body>(deep.as_bytes()).is_err());
        assert!(parse::<Body>(b"{\"id\": \"\xff\"}").is_err());
    }

    #[test]
    fn a_platforms_texts_are_made_to_fit() {
        assert_eq!(clip(Some("  a\u{0}b\tc  "), 10).as_deref(), Some("a b c"));
        assert_eq!(clip(Some("abcdef"), 3).as_deref(), Some("abc"));
        assert_eq!(clip(Some(" \u{0} "), 3), None);
        assert_eq!(unescaped("Tea &amp; &#8211; &ndash; co &c. &x; &"), "Tea & \u{2013} \u{2013} co &c. &x; &");
        assert_eq!(email(Some(" a@b.example ")).as_deref(), Some("a@b.example"));
        assert_eq!(email(Some("nobody")), None);
        assert_eq!(web_address(Some("javascript:alert(1)")), None);
        assert_eq!(time(Some("2017-03-22T19:28:08")).unwrap().to_string(), "2017-03-22T19:28:08Z");
        assert_eq!(time(Some("2026-11-21T10:00:00-05:00")).unwrap().to_string(), "2026-11-21T15:00:00Z");
        assert_eq!(time(Some("yesterday")), None);
        assert_eq!(joined(&[Some("a"), None, Some(" "), Some("b")], ", ", 10).as_deref(), Some("a, b"));
    }
}
