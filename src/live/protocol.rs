//! The native protocol `ordercast.v1`: what clients say, what they are told, and what each close code asks of them; pure.
//!
//! One JSON object per text frame, told apart by `type`. Unknown fields are ignored, so that old servers understand new
//! clients; an unknown `type` is answered by an error and changes nothing.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::json;

use crate::base::Secret;
use crate::base::id::{EventId, OrderId};
use crate::orders::Event;

/// The WebSocket subprotocol's name.
pub const SUBPROTOCOL: &str = "ordercast.v1";

/// Close codes and what each tells the client to do (the ranges follow Centrifugo's: below 4100 stop, 4100–4199
/// reconnect after a second or more, 4200–4299 reconnect at once).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Close {
    /// Nothing wrong; no need to come back.
    Normal = 1000,
    /// The server restarts: reconnect after a random time up to the advertised jitter.
    Restarting = 1012,
    /// The credential was revoked: stop.
    Revoked = 4001,
    /// The credential is not good: stop.
    Unauthorised = 4002,
    /// The client broke the protocol: stop.
    BadRequest = 4003,
    /// A limit of the service: stop.
    PolicyLimit = 4005,
    /// The reader stayed too slow: reconnect after a second or more and resume.
    Slow = 4100,
    /// Too many messages: reconnect after a second or more.
    TooMany = 4101,
    /// The login ran out: renew it and reconnect at once.
    Expired = 4200,
}

impl Close {
    /// The number on the wire.
    #[must_use]
    pub fn code(self) -> u16 {
        self as u16
    }
}

/// What a subscription is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The order of this tracking pass.
    Pass(Secret),
    /// The order of the pass in the connection's address.
    UrlPass,
    /// An order by id or number, for callers with a login or token.
    Order(String),
    /// Every order the caller may see.
    Feed,
}

/// Where a subscription resumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// Nothing is known yet: the snapshot is enough.
    Nothing,
    /// Every event of the order after this `seq`.
    Seq(i64),
    /// Every event of the feed after this one.
    Event(EventId),
}

/// One message of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inbound {
    /// Watch something under an id of the client's choice.
    Subscribe {
        /// The client's id of the subscription.
        id: u64,
        /// What to watch.
        what: Wanted,
        /// From where.
        since: Since,
    },
    /// Stop watching.
    Unsubscribe {
        /// The client's id of the subscription.
        id: u64,
    },
    /// A person has seen the order's state up to `seq`.
    Seen {
        /// The order.
        order: OrderId,
        /// The position shown.
        seq: i64,
    },
    /// Sign in with a login or API token.
    Auth {
        /// The token.
        token: Secret,
    },
    /// Asks for a `pong`, for clients that cannot see WebSocket pings.
    Ping,
}

/// Why a message was not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The subscription id it named, if it was readable.
    pub id: Option<u64>,
    /// What to send instead.
    pub message: &'static str,
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    id: Option<serde_json::Value>,
    #[serde(borrow)]
    pass: Option<Cow<'a, str>>,
    #[serde(borrow)]
    order: Option<Cow<'a, str>>,
    #[serde(borrow)]
    feed: Option<Cow<'a, str>>,
    since: Option<serde_json::Value>,
    seq: Option<i64>,
    #[serde(borrow)]
    token: Option<Cow<'a, str>>,
}

/// Longest pass, token or order text that is looked at; longer ones cannot be ours.
const MAX_FIELD: usize = 4096;

/// Reads one message.
///
/// # Errors
/// A refusal that says what to send instead; the connection goes on.
pub fn parse(text: &str) -> Result<Inbound, Refusal> {
    let refuse = |id, message| Err(Refusal { id, message });
    let Ok(raw) = serde_json::from_str::<Raw<'_>>(text) else {
        return refuse(None, "Send one JSON object per message, with its fields of the documented types.");
    };
    let id = raw.id.as_ref().and_then(serde_json::Value::as_u64);
    let too_long = |field: &Option<Cow<'_, str>>| field.as_ref().is_some_and(|text| text.len() > MAX_FIELD);
    if [&raw.pass, &raw.order, &raw.feed, &raw.token].into_iter().any(too_long) {
        return refuse(id, "A field is longer than any value of ours.");
    }
    match raw.kind.as_deref() {
        Some("subscribe") => subscribe(id, raw),
        Some("unsubscribe") => match id {
            Some(id) => Ok(Inbound::Unsubscribe { id }),
            None => refuse(None, "`unsubscribe` needs the `id` of the subscription."),
        },
        Some("seen") => match (raw.order.and_then(|text| text.parse().ok()), raw.seq) {
            (Some(order), Some(seq)) => Ok(Inbound::Seen { order, seq }),
            _ => refuse(id, "`seen` needs `order` (its id) and `seq`."),
        },
        Some("auth") => match raw.token {
            Some(token) => Ok(Inbound::Auth { token: Secret::new(token) }),
            None => refuse(id, "`auth` needs `token`."),
        },
        Some("ping") => Ok(Inbound::Ping),
        Some(_) => refuse(id, "Unknown `type`. Known: subscribe, unsubscribe, seen, auth, ping."),
        None => refuse(id, "The message has no `type`."),
    }
}

fn subscribe(id: Option<u64>, raw: Raw<'_>) -> Result<Inbound, Refusal> {
    let refuse = |message| Err(Refusal { id, message });
    let Some(id) = id else { return refuse("`subscribe` needs an `id`: a whole number of your choice.") };
    let what = match (raw.pass, raw.order, raw.feed.as_deref()) {
        (Some(pass), None, None) => Wanted::Pass(Secret::new(pass)),
        (None, Some(order), None) => Wanted::Order(order.into_owned()),
        (None, None, Some("orders")) => Wanted::Feed,
        (None, None, Some(_)) => return refuse("Unknown `feed`. Known: orders."),
        (None, None, None) => Wanted::UrlPass,
        _ => return refuse("`subscribe` takes exactly one of `pass`, `order`, `feed`."),
    };
    let since = match (&what, raw.since) {
        (_, None | Some(serde_json::Value::Null)) => Since::Nothing,
        (Wanted::Feed, Some(value)) => match value.as_str().and_then(|text| text.parse().ok()) {
            Some(event) => Since::Event(event),
            None => return refuse("`since` of a feed is the `id` of the last event received."),
        },
        (_, Some(value)) => match value.as_i64() {
            Some(seq) => Since::Seq(seq.max(0)),
            None => return refuse("`since` of an order is the last `seq` received: a whole number."),
        },
    };
    Ok(Inbound::Subscribe { id, what, since })
}

/// A reason a client can act on, as its `error` message carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Stable, machine-readable: `unknown_order`.
    pub code: &'static str,
    /// One sentence for people.
    pub message: Cow<'static, str>,
    /// Whether the same message may succeed later.
    pub retry: bool,
}

impl Problem {
    /// A problem that trying again does not solve.
    #[must_use]
    pub const fn lasting(code: &'static str, message: &'static str) -> Self {
        Self { code, message: Cow::Borrowed(message), retry: false }
    }
}

/// `welcome`: the first thing a client hears.
#[must_use]
pub fn welcome(session: &str, instance: &str, heartbeat_ms: u128, jitter_ms: u128) -> String {
    json!({"type": "welcome", "session": session, "instance": instance, "heartbeat_ms": heartbeat_ms as u64,
           "reconnect_jitter_max_ms": jitter_ms as u64})
    .to_string()
}

/// `subscribed` to an order. `order` is the snapshot, already JSON.
#[must_use]
pub fn subscribed(id: u64, order: &str, seq: i64, replayed: i64) -> String {
    format!(r#"{{"type":"subscribed","id":{id},"order":{order},"seq":{seq},"replayed":{replayed}}}"#)
}

/// `subscribed` to the feed.
#[must_use]
pub fn subscribed_feed(id: u64, position: EventId, replayed: usize) -> String {
    format!(r#"{{"type":"subscribed","id":{id},"feed":"orders","position":"{position}","replayed":{replayed}}}"#)
}

/// `unsubscribed`: nothing more comes for this subscription.
#[must_use]
pub fn unsubscribed(id: u64) -> String {
    format!(r#"{{"type":"unsubscribed","id":{id}}}"#)
}

/// `event` of a subscribed order. `event` is the customer's event, already JSON.
#[must_use]
pub fn event(order: OrderId, seq: i64, event: &str) -> String {
    format!(r#"{{"type":"event","order":"{order}","seq":{seq},"event":{event}}}"#)
}

/// `event` of the feed, with what a console needs beside it.
#[must_use]
pub fn feed_event(event: &Event) -> String {
    format!(
        r#"{{"type":"event","feed":"orders","id":"{}","order":"{}","number":{},"company":"{}","seq":{},"event":{}}}"#,
        event.id,
        event.order,
        json!(event.number),
        event.company,
        event.seq,
        event.body
    )
}

/// `watchers`: how many connections watch an order, over all instances.
#[must_use]
pub fn watchers(order: OrderId, count: u64) -> String {
    format!(r#"{{"type":"watchers","order":"{order}","count":{count}}}"#)
}

/// `receipt`: how many connections an event reached and how many people have seen it.
#[must_use]
pub fn receipt(order: OrderId, seq: i64, delivered: u64, seen: u64) -> String {
    format!(r#"{{"type":"receipt","order":"{order}","seq":{seq},"delivered":{delivered},"seen":{seen}}}"#)
}

/// `error`, with the id of the subscription it answers when there is one.
#[must_use]
pub fn error(id: Option<u64>, problem: &Problem) -> String {
    let mut text = String::from(r#"{"type":"error""#);
    if let Some(id) = id {
        // Writing to a String cannot fail.
        write!(text, r#","id":{id}"#).unwrap_or_default();
    }
    let rest = json!({"code": problem.code, "message": problem.message, "retry": problem.retry}).to_string();
    text.push(',');
    text.push_str(rest.get(1..).unwrap_or("}"));
    text
}

/// `authenticated`: the answer to a good `auth`.
#[must_use]
pub fn authenticated() -> &'static str {
    r#"{"type":"authenticated"}"#
}

/// `pong`: the answer to `ping`.
#[must_use]
pub fn pong() -> &'static str {
    r#"{"type":"pong"}"#
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_documented_message_is_understood() {
        let order = OrderId::new();
        let event = EventId::new();
        let cases = [
            (
                r#"{"type":"subscribe","id":1,"pass":"p","since":41}"#.to_owned(),
                Inbound::Subscribe { id: 1, what: Wanted::Pass(Secret::new("p")), since: Since::Seq(41) },
            ),
            (
                r#"{"type":"subscribe","id":2,"order":"MB1","new_field":[1]}"#.to_owned(),
                Inbound::Subscribe { id: 2, what: Wanted::Order("MB1".into()), since: Since::Nothing },
            ),
            (
                format!(r#"{{"type":"subscribe","id":3,"feed":"orders","since":"{event}"}}"#),
                Inbound::Subscribe { id: 3, what: Wanted::Feed, since: Since::Event(event) },
            ),
            (
                r#"{"type":"subscribe","id":4,"since":-7}"#.to_owned(),
                Inbound::Subscribe { id: 4, what: Wanted::UrlPass, since: Since::Seq(0) },
            ),
            (r#"{"type":"unsubscribe","id":1}"#.to_owned(), Inbound::Unsubscribe { id: 1 }),
            (format!(r#"{{"type":"seen","order":"{order}","seq":42}}"#), Inbound::Seen { order, seq: 42 }),
            (r#"{"type":"auth","token":"t"}"#.to_owned(), Inbound::Auth { token: Secret::new("t") }),
            (r#"{"type":"ping"}"#.to_owned(), Inbound::Ping),
        ];
        for (text, message) in cases {
            assert_eq!(parse(&text), Ok(message), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_message_is_refused_and_keeps_its_id() {
        for text in ["", "x", "[]", "3", "null", r#"{"type":7}"#, r#"{"type":"ping","seq":"x"}"#, "{\"type\":\"ping\""]
        {
            assert_eq!(parse(text).unwrap_err().id, None, "{text}");
        }
        for text in [
            r#"{"id":9}"#,
            r#"{"type":"dance","id":9}"#,
            r#"{"type":"subscribe","id":9,"pass":"a","order":"b"}"#,
            r#"{"type":"subscribe","id":9,"feed":"weather"}"#,
            r#"{"type":"subscribe","id":9,"pass":"a","since":"x"}"#,
            r#"{"type":"subscribe","id":9,"feed":"orders","since":4}"#,
            r#"{"type":"seen","id":9,"order":"not an id","seq":1}"#,
            r#"{"type":"auth","id":9}"#,
        ] {
            assert_eq!(parse(text).unwrap_err().id, Some(9), "{text}");
        }
        let long = format!(r#"{{"type":"subscribe","id":9,"pass":"{}"}}"#, "p".repeat(5000));
        assert_eq!(parse(&long).unwrap_err().id, Some(9));
    }

    #[test]
    fn everything_said_is_json_of_the_agreed_shape() {
        let order = OrderId::new();
        let problem = Problem::lasting("unknown_order", "There is no \"such\" order.");
        for (text, kind) in [
            (welcome("s", "i", 25_000, 5_000), "welcome"),
            (subscribed(1, r#"{"id":"x"}"#, 4, 2), "subscribed"),
            (subscribed_feed(1, EventId::new(), 0), "subscribed"),
            (unsubscribed(1), "unsubscribed"),
            (event(order, 4, r#"{"seq":4}"#), "event"),
            (watchers(order, 3), "watchers"),
            (receipt(order, 4, 3, 1), "receipt"),
            (error(Some(1), &problem), "error"),
            (error(None, &problem), "error"),
            (authenticated().to_owned(), "authenticated"),
            (pong().to_owned(), "pong"),
        ] {
            let value: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value["type"], kind, "{text}");
        }
        let value: Value = serde_json::from_str(&error(Some(1), &problem)).unwrap();
        assert_eq!(
            value,
            json!({"type":"error","id":1,"code":"unknown_order","message":"There is no \"such\" order.","retry":false})
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,200}") {
            prop_assert!(parse(&text).is_err());
        }
    }
}
