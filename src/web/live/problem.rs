//! Refusals of the live endpoints over HTTP: RFC 9457 problem details with the codes clients act on.

use actix_http::ws::HandshakeError;
use actix_web::HttpResponse;
use actix_web::error::{InternalError, QueryPayloadError};
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, RETRY_AFTER, SEC_WEBSOCKET_VERSION};

use crate::live::access::Denied;
use crate::live::protocol::Problem;
use crate::web::error::{PROBLEM_TYPE, ProblemView};

fn answer(status: StatusCode, code: &str, detail: &str) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    match status {
        StatusCode::SERVICE_UNAVAILABLE => drop(response.insert_header((RETRY_AFTER, "2"))),
        StatusCode::UNAUTHORIZED => drop(response.insert_header(("WWW-Authenticate", "Bearer"))),
        StatusCode::METHOD_NOT_ALLOWED => drop(response.insert_header((ALLOW, "GET"))),
        StatusCode::UPGRADE_REQUIRED => drop(response.insert_header((SEC_WEBSOCKET_VERSION, "13"))),
        _ => {}
    }
    let body = ProblemView::plain(status, code, detail.to_owned());
    response.content_type(PROBLEM_TYPE).insert_header((CACHE_CONTROL, "no-store")).json(body)
}

/// Why somebody may not watch.
pub(super) fn denied(why: Denied) -> HttpResponse {
    from_problem(&why.problem())
}

/// The same, already worded.
pub(super) fn from_problem(problem: &Problem) -> HttpResponse {
    let (status, code) = match problem.code {
        "unknown_order" => (StatusCode::NOT_FOUND, "not_found"),
        "expired" => (StatusCode::GONE, "expired"),
        "revoked" => (StatusCode::GONE, "revoked"),
        "unauthorised" => (StatusCode::UNAUTHORIZED, "unauthenticated"),
        "unavailable" => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        _ => (StatusCode::FORBIDDEN, "forbidden"),
    };
    answer(status, code, &problem.message)
}

/// A value of the address is not what it must be.
pub(super) fn bad_query(error: &QueryPayloadError) -> actix_web::Error {
    let answer = answer(StatusCode::BAD_REQUEST, "bad_parameter", &error.to_string());
    InternalError::from_response(error.to_string(), answer).into()
}

/// The instance is full or stopping; another one, or a moment, helps.
pub(super) fn crowded() -> HttpResponse {
    answer(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "This server takes no more live connections right now.")
}

/// The request is no WebSocket handshake.
pub(super) fn handshake(error: HandshakeError) -> HttpResponse {
    let status = match error {
        HandshakeError::GetMethodRequired => StatusCode::METHOD_NOT_ALLOWED,
        HandshakeError::UnsupportedVersion => StatusCode::UPGRADE_REQUIRED,
        _ => StatusCode::BAD_REQUEST,
    };
    answer(status, "bad_handshake", "This address speaks WebSocket version 13 only.")
}
