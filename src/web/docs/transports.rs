//! What the OpenAPI document says of endpoints outside the canonical table: live transports and health.
#![expect(dead_code, reason = "each function only carries the description of an endpoint that is served elsewhere")]

use crate::web::error::ProblemView;
use crate::web::track::TrackedView;

/// Opens a WebSocket with subprotocol `ordercast.v1`. Its messages: `/api/v1/docs/asyncapi.yaml`.
#[utoipa::path(get, path = "/live/ws", tag = "Live", operation_id = "open_socket",
    responses((status = 101, description = "The connection speaks WebSocket from now on"),
        (status = 400, description = "`bad_handshake`", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "This instance takes no more connections", body = ProblemView, content_type = "application/problem+json")),
    security((), ("pass" = []), ("bearer" = ["orders:read"]), ("query_token" = [])))]
fn open_socket() {}

/// Streams an order as server-sent events: first `snapshot`, then one `order` per event, with `id: seq`.
#[utoipa::path(get, path = "/live/sse", tag = "Live", operation_id = "open_stream",
    params(("pass" = Option<String>, Query, description = "The tracking pass, when it is not in the Authorization header"),
        ("since" = Option<i64>, Query, minimum = 0, description = "Replay every event after this number"),
        ("Last-Event-ID" = Option<i64>, Header, description = "As `since`, and wins over it")),
    responses((status = 200, description = "The stream; a comment line every 20 s", body = String, content_type = "text/event-stream"),
        (status = 400, response = crate::web::api::BadRequest), (status = 404, response = crate::web::api::NotFound),
        (status = 410, description = "`expired` or `revoked`", body = ProblemView, content_type = "application/problem+json")),
    security((), ("pass" = [])))]
fn open_stream() {}

/// Answers at once when something happened after `since`, else with the next event or after `wait` seconds.
#[utoipa::path(get, path = "/live/poll", tag = "Live", operation_id = "poll_order",
    params(("pass" = Option<String>, Query, description = "The tracking pass, when it is not in the Authorization header"),
        ("since" = Option<i64>, Query, description = "The newest event known to the caller"),
        ("wait" = Option<u16>, Query, minimum = 0, maximum = 65535, description = "Seconds to wait; 25 when left out, more than 55 is taken for 55")),
    responses((status = 200, description = "The order now, and the events after `since`: of very many the first; go on from `seq`", body = TrackedView),
        (status = 400, response = crate::web::api::BadRequest), (status = 404, response = crate::web::api::NotFound),
        (status = 410, description = "`expired` or `revoked`", body = ProblemView, content_type = "application/problem+json")),
    security((), ("pass" = [])))]
fn poll_order() {}

/// Says that the process runs.
#[utoipa::path(get, path = "/healthz", tag = "Health", operation_id = "healthz", security(()),
    responses((status = 200, description = "It runs", body = Health)))]
fn healthz() {}

/// Says whether the instance can serve.
#[utoipa::path(get, path = "/readyz", tag = "Health", operation_id = "readyz", security(()),
    responses((status = 200, description = "It can", body = Health),
        (status = 503, description = "The database does not answer", body = Health)))]
fn readyz() {}

/// Counts and durations of everything the instance does, for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "Health", operation_id = "metrics", security(()),
    responses((status = 200, description = "The OpenMetrics text format", body = String, content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        (status = 500, description = "`internal`", body = ProblemView, content_type = "application/problem+json")))]
fn metrics() {}

/// How an instance is.
#[derive(utoipa::ToSchema)]
struct Health {
    /// `ok`, `ready`, or what is missing in words.
    #[schema(example = "ready")]
    status: String,
}

/// The operations above.
#[derive(utoipa::OpenApi)]
#[openapi(paths(open_socket, open_stream, poll_order, healthz, readyz, metrics))]
pub struct Described;
