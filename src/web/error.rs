//! Errors on the wire: the only place that knows status codes. RFC 9457 problem details, or an earlier system's shape.

use std::borrow::Cow;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde::{Deserialize, Serialize};

use super::body::{TOO_LARGE, TOO_SLOW, WRONG_TYPE};
use crate::base::Error;
use crate::base::error::Invalid;

/// The media type of [`Problem`].
pub const PROBLEM_TYPE: &str = "application/problem+json";

/// The code of a method the path does not know; answered with 405.
pub const WRONG_METHOD: &str = "method_not_allowed";

/// What a handler of the canonical API answers on failure: `application/problem+json`.
#[derive(Debug)]
pub struct Problem(pub Error);

/// A handler's result on the canonical API.
pub type Answer<T = HttpResponse> = Result<T, Problem>;

/// A failure in the shape of reference/004: `{"error": "…"}`.
#[derive(Debug)]
pub struct PlainError(pub Error);

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Problem)]
/// RFC 9457 problem details.
pub struct ProblemView {
    /// A stable address that names the kind of problem.
    #[serde(rename = "type")]
    #[schema(example = "/problems/carrier_required")]
    kind: String,
    /// The kind in words.
    #[schema(example = "Bad Request")]
    title: String,
    /// The HTTP status.
    #[schema(example = 400)]
    status: u16,
    /// What is wrong here, and what to do.
    #[schema(example = "carrier is required for status shipped")]
    #[serde(skip_serializing_if = "String::is_empty")]
    #[serde(default)]
    detail: String,
    /// The kind as a stable code.
    #[schema(example = "carrier_required")]
    code: String,
    /// The field to blame, if one.
    #[schema(example = "carrier")]
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<Cow<'static, str>>,
    /// The request this answers, as in the header `X-Request-Id`: what to name when asking for help. Problems of single
    /// rows have none of their own.
    #[schema(example = "0193a1b2-0000-7000-8000-000000000000")]
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// Every field to blame, when there is more than one to tell of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldProblemView>,
}

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = FieldProblem)]
/// What is wrong with one field.
pub struct FieldProblemView {
    #[schema(example = "legal_name")]
    field: Cow<'static, str>,
    /// A stable code.
    #[schema(example = "bad_legal_name")]
    code: Cow<'static, str>,
    /// What to send instead.
    #[schema(example = "Enter the name in the register, at most 200 characters.")]
    detail: String,
}

impl From<&Invalid> for FieldProblemView {
    fn from(invalid: &Invalid) -> Self {
        let field = Cow::Borrowed(invalid.field.unwrap_or_default());
        Self { field, code: Cow::Borrowed(invalid.code), detail: invalid.message.clone() }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<Error> for PlainError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<Problem> for PlainError {
    fn from(problem: Problem) -> Self {
        Self(problem.0)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for PlainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The status and stable code of an error.
#[must_use]
pub fn status_of(error: &Error) -> (StatusCode, &'static str) {
    match error {
        Error::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
        Error::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, "unauthenticated"),
        Error::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden"),
        Error::Barred(barred) => (StatusCode::FORBIDDEN, barred.code),
        Error::Invalid(invalid) if invalid.code == TOO_LARGE => (StatusCode::PAYLOAD_TOO_LARGE, TOO_LARGE),
        Error::Invalid(invalid) if invalid.code == TOO_SLOW => (StatusCode::REQUEST_TIMEOUT, TOO_SLOW),
        Error::Invalid(invalid) if invalid.code == WRONG_TYPE => (StatusCode::UNSUPPORTED_MEDIA_TYPE, WRONG_TYPE),
        Error::Invalid(invalid) if invalid.code == WRONG_METHOD => (StatusCode::METHOD_NOT_ALLOWED, WRONG_METHOD),
        Error::Invalid(invalid) => (StatusCode::BAD_REQUEST, invalid.code),
        Error::InvalidFields(wrong) => (StatusCode::BAD_REQUEST, wrong.first().map_or("invalid", |first| first.code)),
        Error::Conflict(conflict) => (StatusCode::CONFLICT, conflict.code),
        Error::Gone(gone) => (StatusCode::GONE, gone.code),
        Error::Unprocessable(_) => (StatusCode::UNPROCESSABLE_ENTITY, "unprocessable"),
        Error::TooMany { .. } => (StatusCode::TOO_MANY_REQUESTS, "rate_limited"),
        Error::Unavailable(..) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        Error::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    }
}

/// A response without its body: status, `Retry-After` where a retry helps, and the log line of what is our fault.
fn begin(error: &Error) -> HttpResponseBuilder {
    let (status, _) = status_of(error);
    let mut response = HttpResponse::build(status);
    match error {
        Error::TooMany { retry_after } => drop(response.insert_header((RETRY_AFTER, retry_after.to_string()))),
        Error::Unavailable(..) => drop(response.insert_header((RETRY_AFTER, "1"))),
        Error::Unauthenticated(_) => drop(response.insert_header(("WWW-Authenticate", "Bearer"))),
        _ => {}
    }
    log(error);
    response
}

/// The log line of what is our fault.
fn log(error: &Error) {
    if status_of(error).0.is_server_error() {
        tracing::error!(error = %chain(error), "request failed");
    }
}

impl ProblemView {
    /// The details of an error; what is our fault is logged.
    #[must_use]
    pub fn logged(error: &Error) -> Self {
        log(error);
        Self::new(error)
    }

    fn new(error: &Error) -> Self {
        let (status, code) = status_of(error);
        let (field, errors) = match error {
            Error::Invalid(invalid) => (invalid.field, Vec::new()),
            Error::InvalidFields(wrong) => {
                (wrong.first().and_then(|first| first.field), wrong.iter().map(FieldProblemView::from).collect())
            }
            _ => (None, Vec::new()),
        };
        Self { field: field.map(Cow::Borrowed), errors, ..Self::plain(status, code, detail(error)) }
    }

    /// The details of a trouble that is no [`Error`]: it is known to the edge alone.
    #[must_use]
    pub fn plain(status: StatusCode, code: &str, detail: String) -> Self {
        Self {
            kind: format!("/problems/{code}"),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail,
            code: code.to_owned(),
            field: None,
            request_id: None,
            errors: Vec::new(),
        }
    }

    /// The body of a problem with the request it answers named in it; `None` when it is not one.
    #[must_use]
    pub fn named(body: &[u8], request_id: &str) -> Option<Bytes> {
        let problem: Self = serde_json::from_slice(body).ok()?;
        serde_json::to_vec(&Self { request_id: Some(request_id.to_owned()), ..problem }).map(Bytes::from).ok()
    }
}

/// The error with all its causes.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Of an error of ours the caller learns only that it happened.
fn detail(error: &Error) -> String {
    if matches!(error, Error::Internal(_)) { String::new() } else { error.to_string() }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        status_of(&self.0).0
    }

    fn error_response(&self) -> HttpResponse {
        begin(&self.0).insert_header((CONTENT_TYPE, PROBLEM_TYPE)).json(ProblemView::new(&self.0))
    }
}

impl ResponseError for PlainError {
    fn status_code(&self) -> StatusCode {
        match status_of(&self.0).0 {
            // The earlier system knew neither: a well-formed request it could not carry out was a bad request.
            StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            status => status,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let message = if matches!(self.0, Error::Internal(_)) { "Server error".to_owned() } else { self.0.to_string() };
        begin(&self.0).status(self.status_code()).json(serde_json::json!({ "error": message }))
    }
}
