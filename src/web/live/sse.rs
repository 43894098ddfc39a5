//! `GET /live/sse`: the same rooms as `text/event-stream`, for clients without WebSocket.

use std::rc::Rc;

use actix_web::http::header;
use actix_web::web::{self, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

use super::outlet::{Bell, Held, StreamBody};
use super::transport::TakeOver;
use super::{problem, ws};
use crate::base::Secret;
use crate::live::Worker;
use crate::live::access::Denied;
use crate::live::conn::Kind;
use crate::live::worker::Arrival;

/// What the address carries. The pass is secret and never logged.
#[derive(Deserialize)]
pub struct Watch {
    pass: Option<String>,
    since: Option<i64>,
}

/// Opens the stream. `Last-Event-ID`, which a browser sends when it reconnects by itself, wins over `since`.
pub async fn open_stream(request: HttpRequest, watch: Query<Watch>, worker: web::Data<Rc<Worker>>) -> HttpResponse {
    let last = request.headers().get("Last-Event-ID").and_then(|value| value.to_str().ok());
    let since = last.and_then(|text| text.trim().parse().ok()).or(watch.since).map(|since: i64| since.max(0));
    let Some(pass) = ws::bearer(request.headers()).or(watch.into_inner().pass) else {
        return problem::denied(Denied::Unknown);
    };
    let (order, grant) = match worker.live().access().pass(&Secret::new(pass)).await {
        Ok(granted) => granted,
        Err(denied) => return problem::denied(denied),
    };
    let bell = Rc::new(Bell::default());
    let Ok(conn) = worker.open(Kind::Stream, Rc::clone(&bell) as _, Arrival::default()) else {
        return problem::crowded();
    };
    let held = Held { conn, worker: Rc::clone(&worker) };
    if let Err(problem) = worker.start_stream(&held.conn, order, grant, since).await {
        return problem::from_problem(&problem);
    }
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-cache, no-transform"))
        .insert_header(("X-Accel-Buffering", "no"))
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .body(StreamBody::new(held, bell, request.conn_data::<TakeOver>().cloned()))
}
