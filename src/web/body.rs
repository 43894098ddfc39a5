//! Request bodies: read up to a limit, and refused with what is wrong and where.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::str;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::{Bytes, BytesMut, Data};
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;

use crate::base::{Error, Result};

/// The code of a body over the limit; answered with 413.
pub const TOO_LARGE: &str = "body_too_large";
/// The code of a body that did not come to its end in time; answered with 408.
pub const TOO_SLOW: &str = "body_too_slow";
/// The code of a body of another type; answered with 415.
pub const WRONG_TYPE: &str = "unsupported_media_type";

/// The largest body in bytes, as `web::Data`.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimit(pub usize);

impl Default for BodyLimit {
    fn default() -> Self {
        Self(1 << 20)
    }
}

impl BodyLimit {
    /// The limit that holds for a request.
    #[must_use]
    pub fn of(request: &HttpRequest) -> Self {
        request.app_data::<Data<Self>>().map(|limit| *limit.get_ref()).unwrap_or_default()
    }
}

/// A request whose body has not been read yet: a handler first knows its caller, then reads what the caller sent.
pub struct Incoming {
    /// The request without its body.
    pub request: HttpRequest,
    payload: Payload,
}

impl FromRequest for Incoming {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        ready(Ok(Self { request: request.clone(), payload: payload.take() }))
    }
}

impl Incoming {
    /// The body as JSON of a type. Unknown fields are refused where the type says so.
    ///
    /// # Errors
    /// `Invalid` when the body is too large, of another media type, or not of the type.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T> {
        let given = media_type(&self.request);
        if !is_json(&given) {
            return Err(wrong_type(&given, "application/json"));
        }
        let bytes = self.bytes().await?;
        // A list would pass for an object whose fields it holds in their order.
        if bytes.trim_ascii_start().starts_with(b"[") {
            return Err(Error::invalid("bad_field", "invalid type: sequence, expected an object"));
        }
        parse(&bytes)
    }

    /// The request and its body, for whoever reads it as it streams in.
    #[must_use]
    pub fn into_parts(self) -> (HttpRequest, Payload) {
        (self.request, self.payload)
    }

    /// The body as it came.
    ///
    /// # Errors
    /// `Invalid` when it is over the limit or breaks off.
    pub async fn bytes(self) -> Result<Bytes> {
        read(&self.request, self.payload).await
    }

    /// The request's identifier, for the audit trail.
    #[must_use]
    pub fn request_id(&self) -> Option<String> {
        super::request_id(&self.request)
    }
}

/// Reads a body to its end.
///
/// # Errors
/// `Invalid` when it is over the limit or breaks off.
pub async fn read(request: &HttpRequest, mut payload: Payload) -> Result<Bytes> {
    let BodyLimit(limit) = BodyLimit::of(request);
    let too_large = || Error::invalid(TOO_LARGE, format!("The request body may have at most {limit} bytes"));
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut body = BytesMut::with_capacity(announced.unwrap_or_default());
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Error::invalid("bad_body", "The request body broke off or is badly encoded"))?;
        if body.len() + chunk.len() > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// The media type of a request, lower case, without its parameters; empty when it names none.
#[must_use]
pub fn media_type(request: &HttpRequest) -> String {
    let value = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether a media type is JSON.
#[must_use]
pub fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

/// The refusal of a body of another type than the wanted.
#[must_use]
pub fn wrong_type(given: &str, wanted: &str) -> Error {
    let given = if given.is_empty() { "none".to_owned() } else { format!("{given:?}") };
    Error::invalid(WRONG_TYPE, format!("The Content-Type must be {wanted}; it was {given}"))
}

/// The text of a body.
///
/// # Errors
/// `Invalid` when it is not UTF-8.
pub fn text(bytes: &[u8]) -> Result<&str> {
    str::from_utf8(bytes).map_err(|error| {
        let message = format!("The request body is not UTF-8 (byte {})", error.valid_up_to());
        Error::invalid("not_utf8", message)
    })
}

/// Reads JSON. The refusal says where and what: `customer.email: invalid type: integer …`.
///
/// # Errors
/// `Invalid` when the text is not UTF-8, not JSON, nested too deeply, or not of the type.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let text = text(bytes)?;
    if text.trim().is_empty() {
        return Err(Error::invalid("bad_json", "The request body is empty; send a JSON object"));
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        refusal(&path, &error.into_inner())
    })?;
    reader.end().map_err(|error| refusal(".", &error))?;
    Ok(value)
}

/// Reads one value of a list that was read before, as a row of a bulk update.
///
/// # Errors
/// `Invalid` when it is not of the type.
pub fn parse_value<T: DeserializeOwned>(value: serde_json::Value) -> Result<T> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        refusal(&path, &error.into_inner())
    })
}

fn refusal(path: &str, error: &serde_json::Error) -> Error {
    if !error.is_data() && error.line() > 0 {
        return Error::invalid("bad_json", format!("The request body is not JSON that can be read: {error}"));
    }
    let place = if matches!(path, "." | "?") { String::new() } else { format!("{path}: ") };
    Error::invalid("bad_field", format!("{place}{error}"))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only refusals are looked at")]
    struct Outer {
        inner: Option<Vec<Inner>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only refusals are looked at")]
    struct Inner {
        name: String,
    }

    fn refused(body: &[u8]) -> (&'static str, String) {
        match parse::<Outer>(body).unwrap_err() {
            Error::Invalid(invalid) => (invalid.code, invalid.message),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_refusal_says_where_and_what() {
        assert_eq!(
            refused(br#"{"inner": [{"name": "a"}, {"name": 5}]}"#),
            ("bad_field", "inner[1].name: invalid type: integer `5`, expected a string at line 1 column 36".to_owned())
        );
        let (code, message) = refused(br#"{"outer": 1}"#);
        assert_eq!(code, "bad_field");
        assert!(message.contains("unknown field `outer`, expected `inner`"), "{message}");
        assert_eq!(refused(b"{").0, "bad_json");
        assert_eq!(refused(b"").0, "bad_json");
        assert_eq!(refused(b"{} {}").0, "bad_json");
        assert_eq!(
            refused(b"{\"inner\": \"\xff\"}"),
            ("not_utf8", "The request body is not UTF-8 (byte 11)".to_owned())
        );
    }

    #[test]
    fn json_nested_too_deeply_is_refused() {
        let deep = |levels: usize| {
            parse::<serde_json::Value>(format!("{}{}", "[".repeat(levels), "]".repeat(levels)).as_bytes())
        };
        assert!(deep(100).is_ok());
        let refused = deep(100_000).unwrap_err().to_string();
        assert!(refused.contains("recursion limit"), "{refused}");
    }

    #[test]
    fn the_row_of_a_list_is_refused_by_itself() {
        let refused = parse_value::<Inner>(serde_json::json!({"name": []})).unwrap_err().to_string();
        assert_eq!(refused, "name: invalid type: sequence, expected a string");
    }

    #[test]
    fn json_has_more_than_one_name() {
        assert!(is_json("application/json") && is_json("application/merge-patch+json"));
        assert!(!is_json("text/json") && !is_json("") && !is_json("application/jsonp"));
    }
}
